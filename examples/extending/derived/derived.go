// Package derived is an example: a key source of another module. The secret of each user is
// the HMAC-SHA-256 of the user's id under one master key, in hex.
package derived

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/signedlink/caddy-signed-link/block"
	"github.com/signedlink/caddy-signed-link/keys"
)

func init() { caddy.RegisterModule(Source{}) }

// Source is the configuration.
type Source struct {
	// The master key: `{env.NAME}` or `{file./path}`.
	Master string `json:"master"`
}

// CaddyModule returns the Caddy module information.
func (Source) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.signed_link.keys.derived", New: func() caddy.Module { return new(Source) }}
}

// UnmarshalCaddyfile reads `user_keys derived <master>`.
func (s *Source) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	_, args := block.Source(d)
	if len(args) != 1 {
		return d.Err("write `user_keys derived {env.NAME}`")
	}
	s.Master = args[0]
	return nil
}

// OpenUsers resolves the master key.
func (s *Source) OpenUsers() (keys.UserSource, error) {
	master, _, err := keys.Resolve(s.Master)
	if err != nil {
		return nil, fmt.Errorf("derived: %w", err)
	}
	return users{keys.NewSecret([]byte(master))}, nil
}

type users struct{ master keys.Secret }

// UserKey returns the user's secret. Nobody is a stranger here, but for the empty id.
func (u users) UserKey(_ context.Context, user string) (keys.Secret, error) {
	if user == "" {
		return keys.Secret{}, keys.ErrNoUser
	}
	mac := hmac.New(sha256.New, u.master.Bytes())
	mac.Write([]byte(user))
	return keys.NewSecret([]byte(hex.EncodeToString(mac.Sum(nil)))), nil
}
