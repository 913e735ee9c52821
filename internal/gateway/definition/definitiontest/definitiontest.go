// Package definitiontest compiles definitions for tests, without Caddy: the engine's schemes,
// and one key that is given.
package definitiontest

import (
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
)

// New compiles a definition with one scheme of that name, whose user is {query.user}.
func New(t testing.TB, profile backend.Profile, name, secret string, c keyedhash.Config) *definition.Definition {
	t.Helper()
	return NewOf(t, profile, name, secret, "{query.user}", nil, c)
}

// NewOf is New with another user, which may be `none`, and `param` rules.
func NewOf(t testing.TB, profile backend.Profile, name, secret, user string, params map[string]link.Rule, c keyedhash.Config) *definition.Definition {
	t.Helper()
	set, err := keys.NewSet(keys.Key{Secret: keys.NewSecret([]byte(secret))})
	if err != nil {
		t.Fatal(err)
	}
	d, err := definition.New(definition.Spec{Profile: profile, Schemes: []*definition.SchemeSpec{{
		Name: name, Factory: factory(c), User: user, Params: params,
		Keys: func() (keys.SetOpener, error) { return fixed{set}, nil },
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// factory makes a scheme of the engine, as the modules do.
type factory keyedhash.Config

func (c factory) NewScheme(o link.Options) (link.Scheme, error) {
	return keyedhash.New(keyedhash.Config(c), o)
}

// fixed is a source of one set.
type fixed struct{ set *keys.Set }

func (f fixed) OpenSet() (keys.SetSource, error) { return f, nil }
func (f fixed) KeySet() *keys.Set                { return f.set }
