// Command caddy is the stock Caddy web server with signed_link built in.
//
// It exists so that a checkout can be tried with `go run ./cmd/caddy` alone; for
// production, build with xcaddy (see xcaddy.md).
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/signedlink/caddy-signed-link"
)

func main() {
	caddycmd.Main()
}
