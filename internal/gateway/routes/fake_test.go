package routes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
)

// fakeGate is a gate of which a test says what it is, for what the walk must know before a
// definition can be it: `test_gate [<matcher>] guard|unguarded|stays|moves [<name>]`.
type fakeGate struct {
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`
	Is             string                   `json:"is,omitempty"`
	Name           string                   `json:"name,omitempty"`

	matchers caddyhttp.MatcherSets
}

func (*fakeGate) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_gate", New: func() caddy.Module { return new(fakeGate) }}
}

func (g *fakeGate) Provision(ctx caddy.Context) error {
	matchers, err := ctx.LoadModule(g, "MatcherSetsRaw")
	if err != nil {
		return err
	}
	return g.matchers.FromInterface(matchers)
}

func (*fakeGate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}

func (g *fakeGate) Role() routes.Role {
	switch g.Is {
	case "guard":
		return routes.Guard
	case "unguarded":
		return routes.Unguarded
	}
	return routes.Definition
}

func (g *fakeGate) Where() string                  { return g.Name }
func (g *fakeGate) Matcher() caddyhttp.MatcherSets { return g.matchers }
func (*fakeGate) CutsAuthorization() bool          { return false }
func (g *fakeGate) Moves() bool                    { return g.Is == "moves" }
func (g *fakeGate) InPath() bool                   { return g.Is == "moves" }
func (*fakeGate) Accepts() bool                    { return false }
func (*fakeGate) Outputs(string) bool              { return false }
func (*fakeGate) Identity(string) bool             { return false }

var _ routes.Gate = (*fakeGate)(nil)

func init() {
	caddy.RegisterModule(new(fakeGate))
	httpcaddyfile.RegisterDirective("test_gate", func(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
		h.Next() // consume directive name
		g := new(fakeGate)
		matcher, err := h.ExtractMatcherSet()
		if err != nil {
			return nil, err
		}
		if matcher != nil {
			g.MatcherSetsRaw = caddyhttp.RawMatcherSets{matcher}
		}
		h.Next() // ExtractMatcherSet has put the dispenser back to the start
		if !h.Args(&g.Is) {
			return nil, h.ArgErr()
		}
		h.Args(&g.Name)
		return h.NewRoute(nil, g), nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_gate", httpcaddyfile.Before, "method")
}

// walked is a configuration with fake gates, and what the walk says of it.
type walked struct {
	*routes.Report
	gates map[string]*fakeGate
}

func walkOver(t *testing.T, caddyfile string) walked {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatalf("%v\n%s", err, caddyfile)
	}
	return walkOverJSON(t, config)
}

func walkOverJSON(t *testing.T, config []byte) walked {
	t.Helper()
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	c.Admin = &caddy.AdminConfig{Disabled: true}
	ctx, err := caddy.ProvisionContext(&c)
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	w := walked{routes.Walk(app.(*caddyhttp.App).Servers), make(map[string]*fakeGate)}
	for _, g := range w.Gates() {
		fake := g.(*fakeGate)
		w.gates[fake.Name] = fake
	}
	return w
}

// found are the findings and faults, each with the gate that it concerns.
func (w walked) found() (all []string) {
	for _, f := range w.Faults {
		all = append(all, fmt.Sprintf("fault %s %s", f.Code, f.Where))
	}
	for _, f := range w.Findings {
		all = append(all, f.Code+" "+f.Where)
	}
	slices.Sort(all)
	return all
}

// asked is a request as matchers are asked about it.
func asked(host, target string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = host
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), nil)
}

// wards are the names of the gates whose internal paths the gate has to refuse for a host.
func (w walked) wards(t *testing.T, of, host string) string {
	t.Helper()
	g := w.gates[of]
	if g == nil {
		t.Fatalf("there is no gate %s", of)
	}
	var names []string
	wards := w.Wards(g)
	for i := range wards {
		here, err := wards[i].Here(asked(host, "/"))
		if err != nil {
			t.Fatal(err)
		}
		if here {
			names = append(names, wards[i].Gate.Where())
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
