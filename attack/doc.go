// Package attack holds the tests of what must never happen, by the place of the attack. They
// need a whole gateway; what a package can show alone is tested there. The threat model
// (docs/threat-model.md) names each of them.
//
//	attack_test.go       queries, headers, bodies, error routes, secrets
//	guard_test.go        several guards and definitions, and what stands between
//	identity_test.go     identity headers of other gateways, names and passwords
//	path_test.go         paths that a backend reads otherwise than a matcher
//	nested_test.go       definitions that are nested in other handlers
//	definitions_test.go  several links on one request
//	session_test.go      sessions of other people
//	flood_test.go        lines of the log
//	cases_test.go        configurations of other people
package attack
