// Command bench shows what the gateway costs, as ratios that one run measures: against
// the bare digest, against the same Caddy without it, and against what else people put
// in front of an application. See README.md.
//
//	go run ./bench ratios             # the Go benchmarks beside the code, and the budgets
//	go run ./bench process            # whole processes: Caddy, nginx, PHP-FPM (Debian)
//	go run ./bench growth             # long queries, many definitions, many users
//	go run ./bench compare [commit]   # this tree against a commit
//	go run ./bench -write all         # the first three, into README.md
package main
