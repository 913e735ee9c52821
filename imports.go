package signedlink

//go:generate go run ./internal/devel/reference

import (
	// what comes along: modules of Caddy, and the command line
	_ "github.com/signedlink/caddy-signed-link/internal/cli"
	_ "github.com/signedlink/caddy-signed-link/internal/logfilter"
	_ "github.com/signedlink/caddy-signed-link/internal/matcher"
	// the schemes and key sources that come with the module
	_ "github.com/signedlink/caddy-signed-link/keys/file"
	_ "github.com/signedlink/caddy-signed-link/keys/inline"
	_ "github.com/signedlink/caddy-signed-link/keys/sql"
	_ "github.com/signedlink/caddy-signed-link/schemes/akid"
	_ "github.com/signedlink/caddy-signed-link/schemes/keyedhash"
	_ "github.com/signedlink/caddy-signed-link/schemes/sial"
)
