// Package app is what all gates of a configuration share: which headers they set and which
// parameters they protect, where they stand in the routes, and what of theirs outlives a
// configuration.
package app

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/internal/gateway/sampling"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App is what all definitions of a configuration share: the union of the header
// names that they protect, so that no route hands on a header that another one
// would set. It is there whenever a definition is; nobody needs to configure it.
//
// It walks over the routes of all servers when they are provisioned, and refuses a
// configuration in which requests can pass a guard or a definition: something answers
// before it, it is nested in other handlers without a guard before them, or another site
// hands requests to the same backend without one.
type App struct {
	// Set by `caddy signed-link lint`, which lists all that is wrong. In a configuration
	// it has no effect.
	Rehearsal string `json:"rehearsal,omitempty"`

	ctx       caddy.Context
	logger    *zap.Logger
	rehearsal bool
	now       func() time.Time

	mu           sync.Mutex // while the configuration loads
	headers      atomic.Pointer[headers.Watched]
	definitions  atomic.Pointer[[]*definition.Definition]
	union        atomic.Pointer[definition.Union] // of the definitions; nil: not made yet
	placeholders atomic.Pointer[[]string]
	guarded      map[*caddyhttp.Server]bool // servers whose error routes have a guard
	progress     progress                   // of the servers' provisioning
	report       *routes.Report             // of the last walk
	logged       bool                       // the findings of the walk were
	gates        []*Gate                    // the definitions
	guards       []*Gate
	marker       []byte // a random key, under which secrets are compared
	shared       bool   // what the schemes share was looked at
	accepted     []accepted
	samples      *sampling.Sampler // of lines about refusals

	cutsAlways      atomic.Bool   // a definition has `authorization cut always`
	told            []atomic.Bool // which identity headers were deleted, by their place in the table
	warnedForwarded atomic.Bool   // once is enough
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "signed_link",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision sets up the app.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.logger = ctx.Logger()
	a.rehearsal = a.Rehearsal == RehearsalWord
	a.now = time.Now
	a.progress = newProgress()
	a.guarded = make(map[*caddyhttp.Server]bool)
	a.headers.Store(headers.NewWatched(nil))
	a.told = make([]atomic.Bool, len(headers.Table))
	a.definitions.Store(new([]*definition.Definition))
	a.samples = sampling.New()
	placeholders := []string{
		exchange.PlaceholderPrefix + "user", exchange.PlaceholderPrefix + "key_id", exchange.PlaceholderPrefix + "scheme",
		exchange.PlaceholderPrefix + "verdict", exchange.PlaceholderPrefix + "reason", exchange.PlaceholderPrefix + "detail",
	}
	a.placeholders.Store(&placeholders)
	a.marker = make([]byte, 32)
	rand.Read(a.marker)
	return nil
}

// Start refuses configurations in which requests pass a guard or a definition. It was done
// when the http app was provisioned, unless definitions stand where only starting tells;
// Start has the last word.
func (a *App) Start() error {
	module, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return nil //nolint:nilerr // no HTTP, no links
	}
	servers, ok := module.(*caddyhttp.App)
	if !ok {
		return fmt.Errorf("the http app is a %T", module)
	}
	if err := a.walk(servers.Servers); err != nil && !a.rehearsal {
		return err
	}
	a.checkShared()
	a.Union() // so that no request has to wait for it
	return nil
}

// Stop does nothing: the app holds no resources.
func (*App) Stop() error { return nil }

// Get returns the app of the configuration that is loading.
func Get(ctx caddy.Context) (*App, error) {
	module, err := ctx.App("signed_link")
	if err != nil {
		return nil, err
	}
	return module.(*App), nil
}

// Now is the time by which links are judged.
func (a *App) Now() time.Time { return a.now() }

// SetClock sets the clock, before any request comes.
func (a *App) SetClock(now func() time.Time) { a.now = now }

// AddGuard adds a guard.
func (a *App) AddGuard(g *Gate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.guards = append(a.guards, g)
}

// AddDefinition adds a definition, and the headers that it sets, to what every guard of the
// configuration watches. It fails if a guard accepts one of these from a gateway in front.
func (a *App) AddDefinition(g *Gate) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := g.Definition.Outputs()
	for _, name := range names {
		for _, x := range a.accepted {
			if headers.Fold(x.name) == headers.Fold(name) {
				return x.conflict(g.Origin)
			}
		}
	}
	a.headers.Store(a.headers.Load().With(names))
	if g.Rules.AlwaysCuts() {
		a.cutsAlways.Store(true)
	}
	a.gates = append(a.gates, g)
	definitions := append(*a.definitions.Load(), g.Definition) // who has loaded it sees no more than before
	a.definitions.Store(&definitions)
	a.union.Store(nil)
	placeholders := slices.Clone(*a.placeholders.Load())
	for _, s := range g.Definition.Schemes {
		for _, claim := range s.Description.Claims {
			if name := exchange.PlaceholderPrefix + "claim." + claim; !slices.Contains(placeholders, name) {
				placeholders = append(placeholders, name)
			}
		}
	}
	a.placeholders.Store(&placeholders)
	return nil
}

// Enter returns what the handlers of the request with these vars share.
func (a *App) Enter(r *http.Request, vars map[string]any) *exchange.Exchange {
	return exchange.Enter(r, vars, a.placeholderNames)
}

// Definitions are all definitions of the configuration.
func (a *App) Definitions() []*definition.Definition { return *a.definitions.Load() }

func (a *App) placeholderNames() []string { return *a.placeholders.Load() }

// Gates are the definitions in the order in which they were loaded, without guards.
func (a *App) Gates() []*Gate { return a.gates }

// Report is what the walk over the routes found.
func (a *App) Report() *routes.Report { return a.report }

// Sets reports whether the header is one that a definition of the configuration sets.
func (a *App) Sets(header string) bool {
	return headers.Protected(header) || a.headers.Load().Names.Has(header)
}

// CutsAlways reports whether a definition has `authorization cut always`.
func (a *App) CutsAlways() bool { return a.cutsAlways.Load() }

// Take counts a line about a refusal, and says whether it is to be written, and how many
// were not since the last one.
func (a *App) Take(line sampling.Line) (written bool, leftOut int) {
	return a.samples.Take(line, a.now())
}

// Union returns the union of the definitions. It is made when it is asked for the first time,
// and again when a definition was added since.
func (a *App) Union() *definition.Union {
	if u := a.union.Load(); u != nil {
		return u
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u := definition.NewUnion(a.Definitions())
	a.union.Store(u)
	return u
}

// Interface guards
var (
	_ caddy.App         = (*App)(nil)
	_ caddy.Provisioner = (*App)(nil)
)
