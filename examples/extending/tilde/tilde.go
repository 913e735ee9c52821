// Package tilde is an example: a scheme of another module. Its links carry user and hash in
// one parameter, `?t=jeff~HASH`, and the hash is the HMAC-SHA-256 of the user in hex.
package tilde

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/signedlink/caddy-signed-link/block"
	"github.com/signedlink/caddy-signed-link/link"
)

func init() { caddy.RegisterModule(Scheme{}) }

// Scheme is the configuration.
type Scheme struct {
	// The parameter that carries user and hash. Default: `t`.
	Parameter string `json:"parameter,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Scheme) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.signed_link.schemes.tilde", New: func() caddy.Module { return new(Scheme) }}
}

// UnmarshalCaddyfile reads `tilde { parameter <name> }`.
func (s *Scheme) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	d.Next() // the scheme's name
	for nesting := d.Nesting(); d.NextBlock(nesting) && err == nil; {
		if d.Val() != "parameter" {
			return block.UnknownOfScheme(d, []string{"parameter"})
		}
		s.Parameter, err = block.Arg(d, "a name")
	}
	return err
}

// NewScheme compiles the scheme.
func (s *Scheme) NewScheme(link.Options) (link.Scheme, error) {
	return tilde{cmp.Or(s.Parameter, "t")}, nil
}

type tilde struct{ parameter string }

func (t tilde) Describe() link.Description {
	return link.Description{Signature: []string{t.parameter}, Claims: []string{"user"}, User: "{claim.user}"}
}

func (t tilde) Read(r *link.Request, l *link.Link) link.Refusal {
	token, _ := r.Value(t.parameter)
	at := strings.LastIndexByte(token, '~')
	if at <= 0 || len(token)-at-1 != 2*sha256.Size {
		return link.Refuse(link.Malformed, "token")
	}
	l.Claims.Set("user", token[:at])
	l.Signature = token[at+1:]
	return link.Refusal{}
}

func (t tilde) Verify(_ *link.Request, l *link.Link, key []byte) bool {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(l.Claims.Get("user")))
	return hmac.Equal([]byte(l.Signature), []byte(hex.EncodeToString(mac.Sum(nil))))
}
