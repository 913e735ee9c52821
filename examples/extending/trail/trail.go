// Package trail is an example: a scheme of another module whose links have their signature in
// the path. /t/jeff/HASH becomes /u/jeff, and the hash is the HMAC-SHA-256 of the user in hex.
package trail

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/pattern"
)

func init() { caddy.RegisterModule(Scheme{}) }

// Scheme is the configuration.
type Scheme struct{}

// CaddyModule returns the Caddy module information.
func (Scheme) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.signed_link.schemes.trail", New: func() caddy.Module { return new(Scheme) }}
}

// UnmarshalCaddyfile reads `trail`.
func (s *Scheme) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the scheme's name
	return nil
}

// NewScheme compiles the scheme.
func (s *Scheme) NewScheme(link.Options) (link.Scheme, error) {
	from, err := pattern.ParsePath("/t/<user>/<signature>")
	if err != nil {
		return nil, err
	}
	to, err := pattern.ParsePath("/u/<user>")
	return trail{from, to}, err
}

type trail struct{ from, to *pattern.Pattern }

// Describe says where the signature stands, and of which letters it is made, so that no log
// shows it; to which paths only links lead; and that the signature fixes the user.
func (t trail) Describe() link.Description {
	return link.Description{
		Carrier:  &link.Carrier{Link: t.from, Signature: true, Target: t.to},
		Alphabet: func(c byte) bool { return strings.IndexByte("0123456789abcdef", c) >= 0 }, Length: 2 * sha256.Size,
		Fields: []string{"user", "signature"}, Determined: []string{"user"}, User: "{link.user}",
	}
}

func (t trail) Read(r *link.Request, l *link.Link) link.Refusal {
	var fields [2]string
	if !t.from.Split(r.Path, fields[:]) {
		return link.Refuse(link.Malformed, "pattern")
	}
	user := fields[0]
	// letters and digits only: what backends read in several ways (%2f, .., ;) is no user
	if _, ok := (link.Rule{Class: link.Alnum, Min: 1, Max: 32}).Check(user); !ok {
		return link.Refuse(link.Ambiguous, "path")
	}
	l.Fields = append(l.Fields, link.Field{Value: user, Sent: user}, link.Field{Value: fields[1], Sent: fields[1]})
	l.Signature, l.Path = fields[1], "/u/"+user
	return link.Refusal{}
}

func (t trail) Verify(_ *link.Request, l *link.Link, key []byte) bool {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(l.Fields[0].Value))
	return len(key) > 0 && hmac.Equal([]byte(l.Signature), []byte(hex.EncodeToString(mac.Sum(nil))))
}
