package app

import (
	"net/http"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/internal/gateway/scope"
)

// Gate is a guard or a definition in a configuration: what all others of it, and the command
// line, may know. Its fields are set before it joins the app.
type Gate struct {
	Handler    routes.Gate            // as it stands in the routes
	Definition *definition.Definition // nil: a guard
	Rules      *outcome.Rules
	Scope      scope.Scope // to which requests the definition applies
	Label      string      // names of its schemes, for log and metrics
	Origin     string      // where it is written
	Server     *caddyhttp.Server
	Logger     *zap.Logger

	accepted       []string // identity headers of the gateway in front, as they are spelled
	marks          [][]Mark // of the secrets of each scheme, until all definitions are loaded
	watchForwarded bool     // the client's address matters, and no proxy is trusted to tell it
	stands         atomic.Pointer[Standing]
	app            *App
}

// Where names the definition, and the place where it is written.
func (g *Gate) Where() string {
	if g.Origin == "" {
		return g.Label
	}
	return g.Label + " (" + g.Origin + ")"
}

// Standing is what the walk says of a gate.
type Standing struct {
	Entries []*routes.Entry // definitions into which a reading of the path could lead past it
	Ahead   *routes.Ahead   // what changes the path around a definition
	Behind  bool            // it stands right behind another one, which has cleaned the headers

	Rewritten bool // it is the guard of error routes that change the path

	Wards []routes.Ward // definitions whose internal paths it refuses to all but links
}

// Standing is what the walk said of the gate; nothing before there was one.
func (g *Gate) Standing() Standing {
	if s := g.stands.Load(); s != nil {
		return *s
	}
	return Standing{}
}

// question is the question whether the definition applies to a request.
func (g *Gate) question(w http.ResponseWriter, r *http.Request, vars map[string]any) scope.Question {
	return scope.Question{Writer: w, Request: r, Vars: vars, Profile: g.Definition.Profile, Ahead: g.Standing().Ahead}
}

// Applies reports whether the definition applies to the request with these vars, and
// whether its path is readable, as [scope.Scope.Applies].
func (g *Gate) Applies(w http.ResponseWriter, r *http.Request, vars map[string]any) (applies, readable bool, err error) {
	return g.Scope.Applies(g.question(w, r, vars))
}

// LeadsAstray reports whether a reading of the request's path leads to the definition that
// stands at the entry, and its path as sent does not; and whether the path can be read at
// all. The definition is nil where the entry is none's.
func LeadsAstray(w http.ResponseWriter, r *http.Request, vars map[string]any, e *routes.Entry) (to *Gate, strays, readable bool) {
	to = Of(e.Gate)
	if to == nil {
		return nil, false, true
	}
	if here, err := e.Here(r); !here && err == nil {
		return to, false, true // it is another site's, which shares this guard by a named route
	}
	leads, readable := to.question(w, r, vars).LeadsInto(e)
	if !leads && readable {
		return to, false, true
	}
	reached, err := e.Reached(r)
	return to, !reached || err != nil, readable // one that is reached judges by every reading
}

// checkedKey is the name, in the request's vars, of the path that was found not to be internal.
const checkedKey = "signed_link.checked"

// checked is a path that is not internal to these wards.
type checked struct {
	path  string
	wards *routes.Ward
}

// String keeps it out of logs that print all vars.
func (checked) String() string { return "" }

// Trespasses reports whether the request asks for an internal path of a definition, to which
// only links lead, and none led it there; and whether its path can be read at all. It asks in
// every reading of the path, and about what rewrites make of it.
func Trespasses(w http.ResponseWriter, r *http.Request, vars map[string]any, x *exchange.Exchange, wards []routes.Ward) (to *Gate, trespasses, readable bool) {
	if x.LedTo(r) {
		return nil, false, true
	}
	path := r.URL.EscapedPath()
	if c, ok := vars[checkedKey].(checked); ok && c.path == path && c.wards == &wards[0] {
		return nil, false, true
	}
	for i := range wards {
		if here, err := wards[i].Here(r); !here && err == nil {
			continue
		}
		to := Of(wards[i].Gate)
		if to == nil || to.Definition == nil {
			continue
		}
		ward, q := &wards[i], to.question(w, r, vars)
		trespasses, readable := q.Any(func(c *http.Request) (bool, error) { return to.internal(q, c), nil })
		if !trespasses && readable && ward.Ahead().Changes() {
			q.Ahead = ward.Ahead()
			trespasses, readable = q.RewrittenInto(func(c *http.Request) (bool, error) {
				if !to.internal(q, c) {
					return false, nil
				}
				return ward.Leads(c)
			})
		}
		if trespasses || !readable {
			return to, trespasses, readable
		}
	}
	if vars != nil {
		vars[checkedKey] = checked{path, &wards[0]}
	}
	return nil, false, true
}

// internal reports whether the request asks for an internal path, and not for one that has
// the form of a link: the definition judges that.
func (g *Gate) internal(q scope.Question, r *http.Request) bool {
	sent := r.URL.EscapedPath()
	accepts := func(path string) bool { return g.Scope.AcceptsPath(q, path) }
	for _, path := range []string{sent, r.URL.Path} {
		if g.Definition.Carries(path) && accepts(path) {
			return false
		}
	}
	return g.Definition.Internal(sent, accepts) || sent != r.URL.Path && g.Definition.Internal(r.URL.Path, accepts)
}

// Gated is a handler that has a gate.
type Gated interface {
	caddyhttp.MiddlewareHandler
	routes.Gate
	Gate() *Gate
}

// Of returns the gate of a handler; nil, if it has none.
func Of(handler routes.Gate) *Gate {
	if g, ok := handler.(Gated); ok {
		return g.Gate()
	}
	return nil
}
