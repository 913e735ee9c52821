package rehearsal

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"

	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
)

// Rewire puts the definitions that were asked for, and stubs of all that would send or
// answer, in the place of the handlers. The way of the requests through them is Caddy's
// own.
func (run *Run) Rewire() error {
	for _, server := range run.servers() {
		err := routes.Rewire(run.ctx, server,
			func(g routes.Gate) caddyhttp.MiddlewareHandler { return &rehearsed{run, g} },
			func(s routes.Stub) caddyhttp.MiddlewareHandler { return &stub{run, s} })
		if err != nil {
			return err
		}
	}
	return nil
}

// rehearsed is a guard or a definition in a rehearsal.
type rehearsed struct {
	run     *Run
	handler routes.Gate
}

func (d *rehearsed) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	h, ok := d.handler.(app.Gated)
	if !ok || h.Role() == routes.Unguarded || h.Role() == routes.Definition && !slices.Contains(d.run.Only, h.Gate()) {
		return next.ServeHTTP(w, r)
	}
	p, g, vars := d.run.Passage, h.Gate(), exchange.VarsOf(r)
	p.guarded = true
	run := func() error {
		return h.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			p.sent = r.Clone(r.Context())
			return next.ServeHTTP(w, r)
		}))
	}
	stands := g.Standing()
	if len(stands.Wards) > 0 {
		x, _ := exchange.Of(vars)
		if to, trespasses, readable := app.Trespasses(w, r, vars, x, stands.Wards); to != nil && (trespasses || !readable) {
			p.By = append(p.By, to)
			if to.Rules.Mode != outcome.Observe {
				return run() // nobody else is asked
			}
		}
	}
	for _, e := range stands.Entries {
		if by, strays, _ := app.LeadsAstray(w, r, vars, e); strays {
			p.By = append(p.By, by)
			break
		}
	}
	if h.Role() == routes.Definition {
		if applies, readable, err := g.Applies(w, r, vars); err == nil && (applies || !readable) {
			p.By = append(p.By, g)
		}
	}
	return run()
}

// stub is a handler in a rehearsal that would do something outside of it.
type stub struct {
	run *Run
	routes.Stub
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !s.Takes {
		return next.ServeHTTP(w, r)
	}
	p := s.run.Passage
	p.sent, p.script = r.Clone(r.Context()), ""
	proxy, ok := s.Handler.(*reverseproxy.Handler)
	if !ok {
		return nil
	}
	if proxy.Rewrite != nil {
		repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		proxy.Rewrite.Rewrite(p.sent, repl)
	}
	if _, fast := proxy.Transport.(*fastcgi.Transport); fast {
		// The application reads the target of the original request, as the gateway left it.
		p.script = p.sent.URL.Path
		if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
			p.sent.URL = original.URL
		}
	}
	return nil
}
