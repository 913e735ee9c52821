package rehearsal

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/link"
)

// Configuration is a configuration that was loaded, but not started: no socket is open, and no
// certificate is looked for.
type Configuration struct {
	ctx   caddy.Context
	http  *caddyhttp.App
	App   *app.App
	gates []routes.Gate
}

// Listing are the apps of a configuration with one that lists faults.
func Listing(apps any) map[string]any {
	all, ok := apps.(map[string]any)
	if !ok {
		all = make(map[string]any)
	}
	all["signed_link"] = map[string]any{"rehearsal": app.RehearsalWord}
	return all
}

// Provision builds the handlers of a configuration. What says nothing about links is left
// out: logs, whose files belong to the server, the admin endpoint, certificates and where
// they are kept, which whoever runs the command may not be allowed to read.
func Provision(config map[string]any, logging *caddy.Logging) (*Configuration, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	c := new(caddy.Config)
	if err := json.Unmarshal(text, c); err != nil {
		return nil, err
	}
	c.Logging, c.Admin, c.StorageRaw = logging, &caddy.AdminConfig{Disabled: true}, nil
	for _, app := range []string{"tls", "pki"} {
		delete(c.AppsRaw, app)
	}
	if c.AppsRaw["http"] == nil {
		return nil, errors.New("the configuration has no sites")
	}
	ctx, err := caddy.ProvisionContext(c)
	if err != nil {
		return nil, err
	}
	site, err := ctx.App("http")
	if err != nil {
		return nil, err
	}
	own, err := app.Get(ctx)
	if err != nil {
		return nil, err
	}
	s := &Configuration{ctx: ctx, http: site.(*caddyhttp.App), App: own}
	s.gates = routes.Walk(s.http.Servers).Gates()
	if len(s.App.Definitions()) == 0 {
		return nil, errors.New("the configuration has no signed_link definition")
	}
	for _, d := range s.App.Definitions() {
		d.ThrottleWith(nil) // who tries many links here is no guesser
	}
	return s, nil
}

// servers are the servers in the order of their names.
func (s *Configuration) servers() []*caddyhttp.Server {
	names := make([]string, 0, len(s.http.Servers))
	for name := range s.http.Servers {
		names = append(names, name)
	}
	slices.Sort(names)
	list := make([]*caddyhttp.Server, len(names))
	for i, name := range names {
		list[i] = s.http.Servers[name]
	}
	return list
}

// Definitions are all definitions, in the order in which they run, each once.
func (s *Configuration) Definitions() (all []*app.Gate) {
	for _, h := range s.gates {
		if g := app.Of(h); g != nil && h.Role() == routes.Definition {
			all = append(all, g)
		}
	}
	return all
}

// isNamed reports whether the definition, or a scheme of it, has the name; the empty
// name is every definition's.
func isNamed(g *app.Gate, name string) bool {
	return name == "" || g.Label == name || slices.ContainsFunc(g.Definition.Schemes, func(s *definition.Scheme) bool { return s.Name == name })
}

// Named are the definitions of the name, or an error that says which there are.
func (s *Configuration) Named(name string) ([]*app.Gate, error) {
	var found []*app.Gate
	for _, g := range s.Definitions() {
		if isNamed(g, name) {
			found = append(found, g)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no definition and no scheme is named %q%s; there are %s", name, link.DidYouMean(name, s.known()), s.Names())
	}
	return found, nil
}

// known are the names of definitions and schemes.
func (s *Configuration) known() (names []string) {
	for _, g := range s.Definitions() {
		names = append(names, g.Label)
		for _, s := range g.Definition.Schemes {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Names lists the definitions for people.
func (s *Configuration) Names() string {
	all := s.Definitions()
	names := make([]string, len(all))
	for i, g := range all {
		names[i] = g.Where()
	}
	return strings.Join(names, "; ")
}

// At sets the clock.
func (s *Configuration) At(now time.Time) { s.App.SetClock(func() time.Time { return now }) }
