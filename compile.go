package signedlink

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/metrics"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/gateway/scope"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
)

// This file turns a configuration into a definition, once, when it loads. Everything
// that can be wrong is found here: what is wrong, where, and how to cure it.

// errorf is an error that says where the definition is written.
func (h *Handler) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if h.Origin == "" {
		return fmt.Errorf("signed_link: %w", err)
	}
	return fmt.Errorf("%s: signed_link: %w", h.Origin, err)
}

// Provision compiles the definition.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	if h.now == nil {
		h.now = time.Now
	}
	if err := metrics.Register(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	app, err := ctx.App("signed_link")
	if err != nil {
		return err
	}
	h.app = app.(*App)
	h.server = serverOf(ctx)
	if done, err := h.app.follow(ctx, h); done || err != nil {
		return err
	}
	if h.Unguarded {
		if h.Guard || len(h.Schemes) > 0 || len(h.MatcherSetsRaw) > 0 || len(h.Accept) > 0 {
			return h.errorf("`signed_link unguarded` has no schemes and no matcher, and is no guard: it says that the whole site is meant to be open")
		}
		return nil
	}
	h.app.guardErrors(h.server)
	if h.Guard {
		if len(h.Schemes) > 0 || len(h.MatcherSetsRaw) > 0 {
			return h.errorf("a guard has no schemes and no matcher: it runs on every request")
		}
		if h.Authorization != "" || h.Cookies != nil {
			return h.errorf("a guard has neither authorization nor cookies: it verifies no link; write them in the definition")
		}
		h.app.guards = append(h.app.guards, h)
		h.rules.Statuses = outcome.DefaultStatuses
		h.label = "guard"
		h.meter = metrics.NewGuardMeter(h.label)
		return h.compileAccept()
	}
	if len(h.Accept) > 0 {
		return h.errorf("accept: only a guard takes it, because the first of a request deletes these headers; "+
			"write `signed_link guard { accept %s }` before this definition", strings.Join(h.Accept, " "))
	}
	if err := h.compileOptions(); err != nil {
		return h.errorf("%w", err)
	}
	matchers, err := ctx.LoadModule(h, "MatcherSetsRaw")
	if err != nil {
		return h.errorf("loading matchers: %w", err)
	}
	var sets caddyhttp.MatcherSets
	if err := sets.FromInterface(matchers); err != nil {
		return h.errorf("%w", err)
	}
	h.scope = scope.New(sets)
	if err := h.checkRedirects(); err != nil {
		return h.errorf("%w", err)
	}
	signsClientIP := slices.ContainsFunc(h.Schemes, (*SchemeConfig).needsClientIP)
	if err := h.compile(ctx); err != nil {
		return h.errorf("%w", err)
	}
	if err := h.compileCookies(); err != nil {
		return h.errorf("%w", err)
	}
	names := make([]string, 0, len(h.def.Schemes))
	for _, s := range h.def.Schemes {
		names = append(names, s.Name)
	}
	h.label = strings.Join(names, ",")
	h.meter = metrics.NewMeter(h.label, &h.rules)
	for _, s := range h.def.Schemes {
		if marks := h.app.fingerprints(s); marks != nil {
			h.marks[s.Place] = marks
		}
		h.keyMeters = append(h.keyMeters, metrics.NewKeys(s.Name, s.Keys))
	}
	if err := h.app.protect(h, h.def.Outputs()); err != nil {
		return h.errorf("%w", err)
	}
	for _, s := range h.def.Schemes {
		h.warn(s, s.Findings)
	}
	if h.Throttle != nil {
		if err := h.openThrottle(); err != nil {
			return h.errorf("%w", err)
		}
	}
	h.watchForwarded = (h.Throttle != nil || signsClientIP) && trustsNoProxy(h.server)

	// at the end, where nothing can fail any more: Cleanup gives back what was taken
	signatures := h.def.SignatureNames()
	if err := liveSignatures.hold(signatures); err != nil {
		return h.errorf("%w", err)
	}
	h.held = signatures
	return nil
}

// Cleanup gives back what the definition holds for the log filter. Requests may still
// be in ServeHTTP.
func (h *Handler) Cleanup() error {
	held := h.held
	h.held = nil
	return errors.Join(h.closeThrottle(), liveSignatures.release(held))
}

// choose returns the value of the named choice; the empty name is the first one.
func choose[T any](option, name string, choices []string, values []T) (T, error) {
	if name == "" {
		return values[0], nil
	}
	if i := slices.Index(choices, name); i >= 0 {
		return values[i], nil
	}
	var zero T
	return zero, fmt.Errorf("%s: unknown value %q; write one of %s", option, name, strings.Join(choices, ", "))
}

// The words of the options; the first of each is the default.
var (
	modeNames     = []string{"require", "recognize", "observe"}
	missingNames  = []string{"refuse", "pass"}
	stripNames    = []string{"signature", "signed", "none"}
	unsignedNames = []string{"keep", "strip"}
	backendNames  = []string{"strict", "php", "servlet"}

	authorizationNames = []string{"cut", "keep", "cut always"}
)

func (h *Handler) compileOptions() error {
	var err error
	if h.rules.Mode, err = choose("mode", h.Mode, modeNames, []outcome.Mode{outcome.Require, outcome.Recognize, outcome.Observe}); err != nil {
		return err
	}
	if h.rules.PassMissing, err = choose("missing", h.Missing, missingNames, []bool{false, true}); err != nil {
		return err
	}
	if h.rules.PassMissing && h.rules.Mode != outcome.Require {
		return fmt.Errorf("missing pass goes with require; %s never refuses a request without a link", h.Mode)
	}
	if h.strip, err = choose("strip", h.Strip, stripNames, []definition.Strip{definition.StripSignature, definition.StripSigned, definition.StripNone}); err != nil {
		return err
	}
	if h.rules.ReferrerPolicy, err = outcome.ParseReferrerPolicy(h.ReferrerPolicy); err != nil {
		return err
	}
	if h.cutUnsigned, err = choose("unsigned", h.Unsigned, unsignedNames, []bool{false, true}); err != nil {
		return err
	}
	h.rules.Authorization, err = choose("authorization", h.Authorization, authorizationNames,
		[]outcome.Authorization{outcome.CutAuthorization, outcome.KeepAuthorization, outcome.AlwaysCutAuthorization})
	if err != nil {
		return err
	}
	for i, m := range h.Methods {
		if m == "" || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return fmt.Errorf("methods: %q is no method; methods are written in capital letters", m)
		}
		if m == http.MethodConnect || m == http.MethodTrace {
			return fmt.Errorf("methods: %s carries no link", m)
		}
		if slices.Contains(h.Methods[:i], m) {
			return fmt.Errorf("methods: %s is named twice", m)
		}
	}
	statuses := make([]outcome.Status, len(h.Statuses))
	for i, s := range h.Statuses {
		statuses[i] = outcome.Status(s)
	}
	if h.rules.Statuses, err = outcome.NewStatuses(statuses); err != nil {
		return err
	}
	redirects := make([]outcome.Redirect, len(h.Redirects))
	for i, r := range h.Redirects {
		redirects[i] = outcome.Redirect(r)
	}
	h.rules.Redirects, err = outcome.NewRedirects(redirects)
	return err
}

// checkRedirects refuses a redirect to a path that the definition itself would judge:
// the client would be sent in circles.
func (h *Handler) checkRedirects() error {
	for _, redirect := range h.Redirects {
		u, err := url.Parse(redirect.To)
		if err != nil || u.Host != "" {
			continue
		}
		r, err := http.NewRequest(http.MethodGet, "http://localhost"+redirect.To, nil)
		if err != nil {
			return fmt.Errorf("redir: %w", err)
		}
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, nil)
		profile, _ := backend.ParseProfile(h.Backend)
		if applies, readable, err := h.scope.Applies(scope.Question{Request: r, Vars: exchange.VarsOf(r), Profile: profile}); err == nil && (applies || !readable) {
			return fmt.Errorf("redir: %s is matched by this definition itself, so clients would be sent in circles; "+
				"choose a path that its matcher does not match", redirect.To)
		}
	}
	return nil
}

// compile loads the modules of the definition, and compiles it.
func (h *Handler) compile(ctx caddy.Context) error {
	profile, err := backend.ParseProfile(h.Backend)
	if err != nil {
		return fmt.Errorf("backend: %w", err)
	}
	spec := definition.Spec{Profile: profile, Methods: h.Methods, Strip: h.strip, CutUnsigned: h.cutUnsigned}
	for _, x := range h.RequestHeaders {
		spec.Headers = append(spec.Headers, definition.HeaderSpec(x))
	}
	for _, c := range h.Schemes {
		if c != nil {
			// Users' secrets are told by how their source is configured. Caddy drops that when it
			// has loaded it.
			h.marks = append(h.marks, []mark{h.app.mark(c.UserKeysRaw)})
		}
		s, err := c.spec(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", c.label(), err)
		}
		spec.Schemes = append(spec.Schemes, s)
	}
	if h.def, err = definition.New(spec); err != nil {
		return err
	}
	h.rules.Allow = strings.Join(h.def.Methods, ", ")
	return nil
}

// label names the scheme in errors.
func (c *SchemeConfig) label() string {
	switch {
	case c == nil:
		return "scheme"
	case c.Name != "":
		return c.Name
	case c.kind != "":
		return c.kind
	default:
		return "scheme"
	}
}

// spec loads the scheme, and says where its keys come from.
func (c *SchemeConfig) spec(ctx caddy.Context) (*definition.SchemeSpec, error) {
	if c == nil || len(c.SchemeRaw) == 0 {
		return nil, errors.New("the scheme itself is missing: its JSON is {\"kind\": \"akid\"}, for instance")
	}
	raw := string(c.SchemeRaw)
	module, err := ctx.LoadModule(c, "SchemeRaw")
	if err != nil {
		return nil, fmt.Errorf("loading scheme: %w", err)
	}
	if m, ok := module.(caddy.Module); ok {
		c.kind = m.CaddyModule().ID.Name()
	}
	factory, ok := module.(link.Factory)
	if !ok {
		return nil, fmt.Errorf("the module is a %T, which makes no scheme", module)
	}
	s := &definition.SchemeSpec{
		Name: c.label(), Kind: c.kind, Configuration: raw, Factory: factory,
		User: c.User, UserEncoding: c.UserEncoding, Ignore: c.Ignore, Allow: c.Allow,
		Params: make(map[string]link.Rule),
		Policy: link.Policy{
			RequireExpiry: c.RequireExpiry,
			MaxLifetime:   time.Duration(c.MaxLifetime),
			MaxAge:        time.Duration(c.MaxAge),
			ClockSkew:     time.Duration(c.ClockSkew),
		},
	}
	for name, p := range c.Params {
		s.Params[name] = link.Rule{Class: link.Class(p.Class), Values: p.Values, Min: p.Min, Max: p.Max, Optional: p.Optional}
	}
	if len(c.KeysRaw) > 0 {
		s.Keys = func() (keys.SetOpener, error) {
			module, err := ctx.LoadModule(c, "KeysRaw")
			if err != nil {
				return nil, fmt.Errorf("loading keys: %w", err)
			}
			opener, ok := module.(keys.SetOpener)
			if !ok {
				return nil, fmt.Errorf("keys: the module is a %T, which holds no key set", module)
			}
			return opener, nil
		}
	}
	if len(c.UserKeysRaw) > 0 {
		s.Users = func() (keys.UserOpener, error) {
			module, err := ctx.LoadModule(c, "UserKeysRaw")
			if err != nil {
				return nil, fmt.Errorf("loading user_keys: %w", err)
			}
			opener, ok := module.(keys.UserOpener)
			if !ok {
				return nil, fmt.Errorf("user_keys: the module is a %T, which holds no secrets of users", module)
			}
			return opener, nil
		}
	}
	return s, nil
}
