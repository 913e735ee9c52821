// Package attack holds the tests of what must never happen, by the place of the attack. They
// need a whole gateway; what a package can show alone is tested there. The attacker holds
// jeff's genuine link and wants to be somebody else. The threat model
// (docs/threat-model.md) names each of these tests, with the promise that it shows.
//
//	query_test.go        parameters: two readers, one query
//	path_test.go         paths that a backend reads otherwise than a matcher
//	cookie_test.go       cookies that stand for parameters
//	session_test.go      sessions of other people
//	body_test.go         bodies, and methods that they override
//	header_test.go       forged headers, in any spelling
//	identity_test.go     identity headers of other gateways, names and passwords
//	definitions_test.go  several links on one request
//	guard_test.go        several guards and definitions, and what stands between
//	nested_test.go       definitions that are nested in other handlers
//	errorroute_test.go   what error routes see
//	disclosure_test.go   secrets, oracles, placeholders
//	flood_test.go        lines of the log
//	cases_test.go        configurations of other people
package attack
