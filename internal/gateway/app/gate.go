package app

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/internal/gateway/scope"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/link"
)

// Gate is a guard or a definition in a configuration: what all others of it, and the command
// line, may know. Its fields are set before it joins the app.
type Gate struct {
	Handler    routes.Gate            // as it stands in the routes
	Definition *definition.Definition // nil: a guard
	Rules      *outcome.Rules
	Scope      scope.Scope // to which requests the definition applies
	Written    scope.Written
	Label      string // names of its schemes, for log and metrics
	Origin     string // where it is written
	Server     *caddyhttp.Server
	Logger     *zap.Logger

	accepted       []string // identity headers of the gateway in front, as they are spelled
	marks          [][]Mark // of the secrets of each scheme, until all definitions are loaded
	watchForwarded bool     // the client's address matters, and no proxy is trusted to tell it
	stands         atomic.Pointer[Standing]
	below          scope.Scope // what the definition's matcher asks of the path alone
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

	Movers []routes.Gate // definitions behind it that move requests

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

// JudgeInto has the definition judge the request, which has these vars; see
// [definition.Definition.JudgeInto].
func (g *Gate) JudgeInto(ctx context.Context, v *definition.Verdict, r *link.Request, vars map[string]any, unreadable error, now time.Time) {
	var known *targets.Readings
	if g.Definition.InPath() && unreadable == nil {
		known = scope.ReadingsOf(vars, g.Definition.Profile, definition.TargetOf(r))
	}
	g.Definition.JudgeInto(ctx, v, r, known, unreadable, now)
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
