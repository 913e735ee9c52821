package signedlink

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

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

	mu           sync.Mutex // while the configuration loads
	headers      atomic.Pointer[headers.Watched]
	definitions  atomic.Pointer[[]*definition.Definition]
	union        atomic.Pointer[definition.Union] // of the definitions; nil: not made yet
	placeholders atomic.Pointer[[]string]
	guarded      map[*caddyhttp.Server]bool // servers whose error routes have a guard
	progress     progress                   // of the servers' provisioning
	report       *routes.Report             // of the last walk
	logged       bool                       // the findings of the walk were
	handlers     []*Handler                 // the definitions
	guards       []*Handler
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
	a.rehearsal = a.Rehearsal == rehearsalWord
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
	a.all() // so that no request has to wait for it
	return nil
}

// Stop does nothing: the app holds no resources.
func (*App) Stop() error { return nil }

// protect adds a definition, and the headers that it sets, to what every guard of
// the configuration watches.
func (a *App) protect(h *Handler, names []string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range names {
		for _, x := range a.accepted {
			if headers.Fold(x.name) == headers.Fold(name) {
				return x.conflict(h.Origin)
			}
		}
	}
	a.headers.Store(a.headers.Load().With(names))
	if h.rules.AlwaysCuts() {
		a.cutsAlways.Store(true)
	}
	a.handlers = append(a.handlers, h)
	definitions := append(*a.definitions.Load(), h.def) // who has loaded it sees no more than before
	a.definitions.Store(&definitions)
	a.union.Store(nil)
	placeholders := slices.Clone(*a.placeholders.Load())
	for _, s := range h.def.Schemes {
		for _, claim := range s.Description.Claims {
			if name := exchange.PlaceholderPrefix + "claim." + claim; !slices.Contains(placeholders, name) {
				placeholders = append(placeholders, name)
			}
		}
	}
	a.placeholders.Store(&placeholders)
	return nil
}

// enter returns what the handlers of the request share.
func (a *App) enter(r *http.Request, vars map[string]any) *exchange.Exchange {
	return exchange.Enter(r, vars, a.placeholderNames)
}

func (a *App) allDefinitions() []*definition.Definition { return *a.definitions.Load() }
func (a *App) placeholderNames() []string               { return *a.placeholders.Load() }

// guardErrors puts a guard before the server's error routes, if it has any: Caddy
// runs them for requests that it refuses before all routes, too. A server without
// error routes gets none, because their mere existence changes how Caddy logs.
func (a *App) guardErrors(server *caddyhttp.Server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if server == nil || server.Errors == nil || len(server.Errors.Routes) == 0 || a.guarded[server] {
		return
	}
	// Caddy drops the text of handlers that it has loaded: if none is left, it is loading
	// the error routes themselves, and must find the list as it was.
	loading := func(route caddyhttp.Route) bool { return len(route.HandlersRaw) > 0 }
	if !slices.ContainsFunc(server.Routes, loading) {
		return
	}
	a.guarded[server] = true
	guard := caddyhttp.Route{HandlersRaw: []json.RawMessage{json.RawMessage(`{"handler":"signed_link","guard":true}`)}}
	server.Errors.Routes = slices.Insert(server.Errors.Routes, 0, guard)
}

// serverOf returns the server that is being provisioned.
func serverOf(ctx caddy.Context) *caddyhttp.Server {
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return server
}

// all returns the union of the definitions. It is made when it is asked for the first time,
// and again when a definition was added since.
func (a *App) all() *definition.Union {
	if u := a.union.Load(); u != nil {
		return u
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u := definition.NewUnion(a.allDefinitions())
	a.union.Store(u)
	return u
}

// Interface guards
var (
	_ caddy.App         = (*App)(nil)
	_ caddy.Provisioner = (*App)(nil)
)
