// Package signedlink is a Caddy module that enforces the signatures on links in
// front of backends that nobody can change.
package signedlink

import (
	"bytes"
	"encoding/json"
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
	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/metrics"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/internal/gateway/scope"
	"github.com/signedlink/caddy-signed-link/internal/gateway/throttle"
	"github.com/signedlink/caddy-signed-link/internal/logfilter"
	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
)

// This file is long because half of it is the page that users read on caddyserver.com: every
// field of the configuration. The other half makes what runs of it, once, when it loads.

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler verifies signed links: ActionKit AKIDs, "verifiable URLs" whose key is a
// hash of value and secret, Signed Idempotent Action Links, and whatever else a
// digest or an HMAC over parts of the request can describe. It stands in front of
// applications that already make such links and cannot be changed; it verifies the
// link, strips the signature, and tells the application who the user is in headers
// that no client can forge.
//
// The promise: what was verified is exactly what the backend sees, and nothing that
// the client wrote can pass for what this handler says.
//
// On every request that reaches the handler, whether its matcher matches or not, the
// guard deletes what a client could use to forge an identity: headers that any
// backend would file under `X-Verified-…` or another output header, those in which
// other gateways name a user, such as `Remote-User`, `Connection` tokens that would
// delete what is judged or set here, announced trailers, and `X-Original-URL` and its
// kin. So write it at site level, with the matcher behind the directive; nested
// inside `handle` or `route` it needs a `signed_link guard` at site level, and the
// configuration does not load without.
//
// A verified request has these headers:
//
// Header | Value
// -------|------
// `X-Verified-User` | the identity, unless `user none`
// `X-Verified-Scheme` | the scheme's name
// `X-Verified-Key-Id` | the id of the key that verified, if it has one
// `X-Verified-Mailing` | an AKID's mailing, if it has one
//
// Recognition lasts for one request: an application that wants more starts its own
// session on landing.
//
// ### Placeholders
//
// They are set on every request that the handler sees, and are empty where there is
// nothing to say:
//
// Placeholder | Description
// ------------|------------
// `{http.signed_link.verdict}` | `valid`, `invalid` or `expired`
// `{http.signed_link.reason}` | why the link does not verify: `missing`, `malformed`, `ambiguous`, `bad_signature`, `expired`, `not_yet_valid`, `method`, `body`, `keys_unavailable`, `throttled`
// `{http.signed_link.detail}` | the finer word of the reason, such as `duplicate`
// `{http.signed_link.user}` | the identity, as in the header
// `{http.signed_link.scheme}` | the name of the scheme that took the link
// `{http.signed_link.key_id}` | the id of the key that verified
// `{http.signed_link.claim.NAME}` | a claim of a verified link, such as `mailing`
// `{http.auth.user.id}` | the identity, under Caddy's own name, so that the access log's `user_id` and PHP's `REMOTE_USER` are right
type Handler struct {
	// Which requests are judged. The guard runs on the others, too. Default: all.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// If true, only the guard runs: for further sites in front of the same backend,
	// and before definitions that are nested in other handlers. Default: `false`.
	Guard bool `json:"guard,omitempty"`

	// If true, the site is meant to be open although it hands requests to a backend that
	// stands behind a guard elsewhere: clients can write any identity here. Does nothing
	// to requests. Default: `false`.
	Unguarded bool `json:"unguarded,omitempty"`

	// Identity headers, such as `Remote-User`, that a gateway in front of Caddy sets. Only
	// a guard has them, and only where the server has `trusted_proxies`: they are believed
	// of those proxies alone. Every other identity header of another gateway is deleted
	// where a request meets the first guard or definition. Default: none.
	Accept []string `json:"accept,omitempty"`

	// What happens to a request that does not verify. `require` refuses it.
	// `recognize` lets it go on as nobody, without signature and identity
	// parameters. `observe` only says in log, metrics and placeholders what
	// `require` would do. Default: `require`.
	Mode string `json:"mode,omitempty"`

	// What `require` does with a request without any signature parameter: `refuse`,
	// or `pass`, which lets it go on as nobody. Default: `refuse`.
	Missing string `json:"missing,omitempty"`

	// Whose parser stands behind: `php`, `servlet`, or `strict` for either.
	// Default: `strict`.
	Backend string `json:"backend,omitempty"`

	// The methods that are let through with a link. A body is let through only
	// where its method is named here. Default: `GET` and `HEAD`.
	Methods []string `json:"methods,omitempty"`

	// What is cut out of the query of a verified request: `signature` (and expiry
	// and key id), `signed` (all that the message covers, too) or `none`. Default:
	// `signature`.
	Strip string `json:"strip,omitempty"`

	// What happens to the parameters of a verified request that its message does
	// not cover: `keep` or `strip`. Default: `keep`.
	Unsigned string `json:"unsigned,omitempty"`

	// Further headers of verified requests. Their templates may use only what the
	// message of every scheme covers, `{user}` and claims.
	RequestHeaders []RequestHeader `json:"request_headers,omitempty"`

	// Other statuses than the default ones for refusals.
	Statuses []Status `json:"statuses,omitempty"`

	// Refusals that are redirects.
	Redirects []Redirect `json:"redirects,omitempty"`

	// Makes who guesses wait. Default: nobody waits.
	Throttle *Throttle `json:"throttle,omitempty"`

	// The `Referrer-Policy` of answers to verified requests, where the application sets
	// none: a policy of the specification, or `off`. Default: `same-origin`.
	ReferrerPolicy string `json:"referrer_policy,omitempty"`

	// What becomes of the client's `Authorization`, of which PHP makes `PHP_AUTH_USER`:
	// `cut` takes it from verified requests, `cut always` from every request to which the
	// definition applies, `keep` from none. Default: `cut`.
	Authorization string `json:"authorization,omitempty"`

	// Which cookies go from verified requests, so that the link wins over a session that
	// another person left open. Default: none.
	Cookies *Cookies `json:"cookies,omitempty"`

	// The schemes, tried in this order where their signature parameters are there.
	Schemes []*SchemeConfig `json:"schemes,omitempty"`

	// Where the definition is written, for errors and logs; the Caddyfile adapter
	// sets it to file and line.
	Origin string `json:"origin,omitempty"`

	gate      app.Gate
	rules     outcome.Rules
	app       *app.App
	sessions  *cookies.Sessions // nil: no cookie is cut
	meter     *metrics.Meter
	keyMeters []*metrics.Keys // by the place of the scheme
	releases  []func() error  // what Cleanup gives back
}

// SchemeConfig is one scheme of a definition, with the options of every scheme.
type SchemeConfig struct {
	// The scheme itself.
	SchemeRaw json.RawMessage `json:"scheme,omitempty" caddy:"namespace=http.signed_link.schemes inline_key=kind"`

	// The name that appears in header, log, metrics and command line. Default: the
	// kind of the scheme.
	Name string `json:"name,omitempty"`

	// The keys of the scheme, from a key source.
	KeysRaw json.RawMessage `json:"keys,omitempty" caddy:"namespace=http.signed_link.keys inline_key=source"`

	// A secret for each user, from a key source, in place of `keys`.
	UserKeysRaw json.RawMessage `json:"user_keys,omitempty" caddy:"namespace=http.signed_link.keys inline_key=source"`

	// The identity: a template of what the message covers and of claims, or `none`.
	// Default: the scheme's own, such as an AKID's user, or the only parameter or field
	// of the message.
	User string `json:"user,omitempty"`

	// How values outside of printable ASCII go into headers: `percent` (as %XX) or
	// `utf8`. Default: such links do not verify.
	UserEncoding string `json:"user_encoding,omitempty"`

	// What values the parts of the message may have: by the bare name of a parameter or a
	// claim, by `{link.NAME}` for a field, and by `{path.N}` for a segment of the path.
	Params map[string]*Param `json:"params,omitempty"`

	// Parameters that mailers add, by name, or by prefix with a `*` at the end. They
	// are outside of every message, are forwarded, and are never trusted.
	Ignore []string `json:"ignore,omitempty"`

	// Refuse links without an expiry. Default: `false`.
	RequireExpiry bool `json:"require_expiry,omitempty"`

	// The longest time from issue (or from now) to expiry. Default: any.
	MaxLifetime caddy.Duration `json:"max_lifetime,omitempty"`

	// The longest time since issue. Default: any.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// How far in the future the time of issue may lie. Default: as far as `clock_skew`.
	MaxAhead caddy.Duration `json:"max_ahead,omitempty"`

	// How far the signer's clock may be off. Default: 0.
	ClockSkew caddy.Duration `json:"clock_skew,omitempty"`

	// Findings about the scheme that are accepted, by code.
	Allow []string `json:"allow,omitempty"`

	// Pairs of placeholders that stand beside each other in the message, between which
	// `ambiguous_message` is accepted, as if a separator stood there that nobody sees.
	AllowBetween [][2]string `json:"allow_between,omitempty"`

	kind string // set in Provision
}

// Param says what values a parameter may have.
type Param struct {
	// The alphabet: `digits`, `hex`, `alnum`, `token`, `email`, `text` or `one_of`.
	Class string `json:"class"`

	// The values of `one_of`.
	Values []string `json:"values,omitempty"`

	// The least length in bytes. Default: 1.
	Min int `json:"min,omitempty"`

	// The greatest length in bytes. Default: 256.
	Max int `json:"max,omitempty"`

	// Characters that no value has, although its class admits them. Default: none.
	Without string `json:"without,omitempty"`

	// Whether the parameter may be absent. Default: `false`.
	Optional bool `json:"optional,omitempty"`

	// Whether an optional parameter may be there without a value, too. Default: `false`.
	Empty bool `json:"empty,omitempty"`
}

// RequestHeader is a header of verified requests.
type RequestHeader struct {
	// The name of the header.
	Name string `json:"name"`

	// The template of its value. A header whose value is empty is not set.
	Value string `json:"value"`
}

// Cookies says which cookies go from verified requests.
type Cookies struct {
	// The names, or the beginning of names with a `*` at the end, in whatever spelling the
	// backend reads as one of them. A parameter of the query with such a name goes, too,
	// before PHP, and a parameter of the path before a servlet container, with `jsessionid`.
	Cut []string `json:"cut,omitempty"`

	// If true, every cookie goes. Default: `false`.
	CutAll bool `json:"cut_all,omitempty"`
}

// Status is the HTTP status of some refusals.
type Status struct {
	// The reasons. Default: all.
	Reasons []string `json:"reasons,omitempty"`

	// The status, 400 to 599.
	Code int `json:"code"`
}

// Redirect sends the client of some refusals elsewhere.
type Redirect struct {
	// The reasons. Default: all.
	Reasons []string `json:"reasons,omitempty"`

	// A path of this site that the definition itself does not match, or a fixed URL.
	To string `json:"to"`
}

// Throttle slows down who guesses signatures. A failure is a link of the right form that
// no key makes; a link that is missing, malformed or expired is none, and neither is one
// whose key source does not answer. Who has used up the allowance gets `throttled`, and
// no hash is computed for it, until the bucket has a token again.
type Throttle struct {
	// How many failures a client network has at once. A user of a network has half of
	// them, and an IPv6 /48 has sixteen times as many.
	Failures int `json:"failures"`

	// In what time they are forgiven, evenly.
	Window caddy.Duration `json:"window"`

	// The length of an IPv4 network's prefix, 8 to 32. Default: 32.
	IPv4Bits int `json:"ipv4_bits,omitempty"`

	// The length of an IPv6 network's prefix, 32 to 64. Default: 64.
	IPv6Bits int `json:"ipv6_bits,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.signed_link",
		New: func() caddy.Module { return new(Handler) },
	}
}

// errorf is an error that says where the definition is written.
func (h *Handler) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if h.Origin == "" {
		return fmt.Errorf("signed_link: %w", err)
	}
	return fmt.Errorf("%s: signed_link: %w", h.Origin, err)
}

// Provision compiles the definition. Everything that can be wrong is found here: what is
// wrong, where, and how to cure it.
func (h *Handler) Provision(ctx caddy.Context) error {
	if err := metrics.Register(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	var err error
	if h.app, err = app.Get(ctx); err != nil {
		return err
	}
	g := &h.gate
	g.Handler, g.Rules, g.Origin, g.Server, g.Logger = h, &h.rules, h.Origin, app.ServerOf(ctx), ctx.Logger()
	if done, err := h.app.Follow(ctx, g); done || err != nil {
		return err
	}
	if h.Unguarded {
		if h.Guard || len(h.Schemes) > 0 || len(h.MatcherSetsRaw) > 0 || len(h.Accept) > 0 {
			return h.errorf("`signed_link unguarded` has no schemes and no matcher, and is no guard: it says that the whole site is meant to be open")
		}
		return nil
	}
	h.app.GuardErrors(g.Server)
	if h.Guard {
		err = h.provisionGuard()
	} else {
		err = h.provisionDefinition(ctx)
	}
	if err != nil {
		return h.errorf("%w", err)
	}
	return nil
}

func (h *Handler) provisionGuard() error {
	if len(h.Schemes) > 0 || len(h.MatcherSetsRaw) > 0 {
		return errors.New("a guard has no schemes and no matcher: it runs on every request")
	}
	if h.Authorization != "" || h.Cookies != nil {
		return errors.New("a guard has neither authorization nor cookies: it verifies no link; write them in the definition")
	}
	h.gate.Label = "guard"
	h.rules.Statuses = outcome.DefaultStatuses
	h.meter = metrics.NewGuardMeter(h.gate.Label)
	h.app.AddGuard(&h.gate)
	return h.gate.Accept(h.Accept)
}

func (h *Handler) provisionDefinition(ctx caddy.Context) error {
	g := &h.gate
	if len(h.Accept) > 0 {
		return fmt.Errorf("accept: only a guard takes it, because the first of a request deletes these headers; "+
			"write `signed_link guard { accept %s }` before this definition", strings.Join(h.Accept, " "))
	}
	spec, err := h.compileOptions()
	if err != nil {
		return err
	}
	written := scope.Read(h.MatcherSetsRaw) // which Caddy drops when it has loaded them
	matchers, err := ctx.LoadModule(h, "MatcherSetsRaw")
	if err != nil {
		return fmt.Errorf("loading matchers: %w", err)
	}
	var sets caddyhttp.MatcherSets
	if err := sets.FromInterface(matchers); err != nil {
		return err
	}
	g.Scope, g.Written = scope.New(sets), written
	if err := h.checkRedirects(); err != nil {
		return err
	}
	signsClientIP := slices.ContainsFunc(h.Schemes, (*SchemeConfig).needsClientIP)
	if err := h.compile(ctx, spec); err != nil {
		return err
	}
	names := make([]string, len(g.Definition.Schemes))
	for i, s := range g.Definition.Schemes {
		names[i] = s.Name
		h.keyMeters = append(h.keyMeters, metrics.NewKeys(s.Name, s.Keys))
	}
	g.Label = strings.Join(names, ",")
	h.meter = metrics.NewMeter(g.Label, &h.rules)
	if err := h.app.AddDefinition(g); err != nil {
		return err
	}
	for _, s := range g.Definition.Schemes {
		s.Findings = append(s.Findings, g.PathFindings(s)...)
		g.Warn(s, s.Findings)
	}
	if h.Throttle != nil || signsClientIP {
		g.WatchForwarded()
	}

	// at the end, where nothing can fail any more: Cleanup gives back what was taken
	if err := h.openThrottle(); err != nil {
		return err
	}
	release, err := logfilter.Hold(g.Definition.SignatureNames(), g.Definition.Places())
	if err != nil {
		return err
	}
	h.releases = append(h.releases, release)
	return nil
}

// Cleanup gives back what outlives the definition: its throttle, and the names of its
// signature parameters, which the log filter knows. Requests may still be in ServeHTTP.
func (h *Handler) Cleanup() error {
	var failed error
	for _, release := range h.releases {
		failed = errors.Join(failed, release())
	}
	h.releases = nil
	return failed
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
	return zero, fmt.Errorf("%s: unknown value %q%s; write one of %s", option, link.Shown(name), link.DidYouMean(name, choices), strings.Join(choices, ", "))
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

// compileOptions reads the options that know words, into the rules and into what it returns.
func (h *Handler) compileOptions() (spec definition.Spec, err error) {
	if h.rules.Mode, err = choose("mode", h.Mode, modeNames, []outcome.Mode{outcome.Require, outcome.Recognize, outcome.Observe}); err != nil {
		return spec, err
	}
	if h.rules.PassMissing, err = choose("missing", h.Missing, missingNames, []bool{false, true}); err != nil {
		return spec, err
	}
	spec.Recognize = h.rules.Mode == outcome.Recognize
	if h.rules.PassMissing && h.rules.Mode != outcome.Require {
		return spec, fmt.Errorf("missing pass goes with require; %s never refuses a request without a link", h.Mode)
	}
	if spec.Strip, err = choose("strip", h.Strip, stripNames, []definition.Strip{definition.StripSignature, definition.StripSigned, definition.StripNone}); err != nil {
		return spec, err
	}
	if h.rules.ReferrerPolicy, err = outcome.ParseReferrerPolicy(h.ReferrerPolicy); err != nil {
		return spec, err
	}
	if spec.CutUnsigned, err = choose("unsigned", h.Unsigned, unsignedNames, []bool{false, true}); err != nil {
		return spec, err
	}
	h.rules.Authorization, err = choose("authorization", h.Authorization, authorizationNames,
		[]outcome.Authorization{outcome.CutAuthorization, outcome.KeepAuthorization, outcome.AlwaysCutAuthorization})
	if err != nil {
		return spec, err
	}
	for i, m := range h.Methods {
		if m == "" || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return spec, fmt.Errorf("methods: %q is no method; methods are written in capital letters", m)
		}
		if m == http.MethodConnect || m == http.MethodTrace {
			return spec, fmt.Errorf("methods: %s carries no link", m)
		}
		if slices.Contains(h.Methods[:i], m) {
			return spec, fmt.Errorf("methods: %s is named twice", m)
		}
	}
	statuses := make([]outcome.Status, len(h.Statuses))
	for i, s := range h.Statuses {
		statuses[i] = outcome.Status(s)
	}
	if h.rules.Statuses, err = outcome.NewStatuses(statuses); err != nil {
		return spec, err
	}
	redirects := make([]outcome.Redirect, len(h.Redirects))
	for i, r := range h.Redirects {
		redirects[i] = outcome.Redirect(r)
	}
	h.rules.Redirects, err = outcome.NewRedirects(redirects)
	return spec, err
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
		if applies, readable, err := h.gate.Scope.Applies(scope.Question{Request: r, Vars: exchange.VarsOf(r), Profile: profile}); err == nil && (applies || !readable) {
			return fmt.Errorf("redir: %s is matched by this definition itself, so clients would be sent in circles; "+
				"choose a path that its matcher does not match", redirect.To)
		}
	}
	return nil
}

// compile loads the modules of the definition, and compiles it.
func (h *Handler) compile(ctx caddy.Context, spec definition.Spec) error {
	var err error
	if spec.Profile, err = choose("backend", h.Backend, backendNames, []backend.Profile{backend.Strict, backend.PHP, backend.Servlet}); err != nil {
		return err
	}
	spec.Methods = h.Methods
	for _, x := range h.RequestHeaders {
		spec.Headers = append(spec.Headers, definition.HeaderSpec(x))
	}
	var users []app.Mark
	for _, c := range h.Schemes {
		s, userKeys, err := c.spec(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", c.label(), err)
		}
		spec.Schemes, users = append(spec.Schemes, s), append(users, h.app.MarkOf(userKeys))
	}
	d, err := definition.New(spec)
	if err != nil {
		return err
	}
	h.gate.Definition = d
	for _, redirect := range h.Redirects {
		if path, _, _ := strings.Cut(redirect.To, "?"); d.Internal(path, func(string) bool { return true }) && strings.HasPrefix(path, "/") {
			return fmt.Errorf("redir: %s is a path to which only links lead, so clients would be sent in circles; choose another", redirect.To)
		}
	}
	h.gate.SetMarks(users)
	h.rules.Allow = strings.Join(d.Methods, ", ")
	if h.Cookies != nil {
		h.sessions, err = cookies.NewSessions(d.Profile, h.Cookies.Cut, h.Cookies.CutAll, d.Names)
	}
	return err
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

// spec loads the scheme, and says where its keys come from. userKeys is the configuration of
// a source of users' secrets, which Caddy drops when it has loaded it.
func (c *SchemeConfig) spec(ctx caddy.Context) (s *definition.SchemeSpec, userKeys []byte, err error) {
	if c == nil || len(c.SchemeRaw) == 0 {
		return nil, nil, errors.New("the scheme itself is missing: its JSON is {\"kind\": \"akid\"}, for instance")
	}
	raw := string(c.SchemeRaw)
	module, err := ctx.LoadModule(c, "SchemeRaw")
	if err != nil {
		return nil, nil, fmt.Errorf("loading scheme: %w", err)
	}
	if m, ok := module.(caddy.Module); ok {
		c.kind = m.CaddyModule().ID.Name()
	}
	factory, ok := module.(link.Factory)
	if !ok {
		return nil, nil, fmt.Errorf("the module is a %T, which makes no scheme", module)
	}
	s = &definition.SchemeSpec{
		Name: c.label(), Kind: c.kind, Configuration: raw, Factory: factory,
		User: c.User, UserEncoding: c.UserEncoding, Ignore: c.Ignore, Allow: c.Allow, Between: c.AllowBetween,
		Params: make(map[string]link.Rule),
		Policy: link.Policy{
			RequireExpiry: c.RequireExpiry,
			MaxLifetime:   time.Duration(c.MaxLifetime),
			MaxAge:        time.Duration(c.MaxAge),
			MaxAhead:      time.Duration(c.MaxAhead),
			ClockSkew:     time.Duration(c.ClockSkew),
		},
	}
	for name, p := range c.Params {
		if p == nil {
			return nil, nil, fmt.Errorf("param %s: the rule is null; its JSON is {\"class\": \"alnum\"}, for instance", name)
		}
		s.Params[name] = link.Rule{Class: link.Class(p.Class), Values: p.Values, Min: p.Min, Max: p.Max, Without: p.Without, Optional: p.Optional, Empty: p.Empty}
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
	return s, bytes.Clone(c.UserKeysRaw), nil
}

// openThrottle gives the definition its throttle, if it has one.
func (h *Handler) openThrottle() error {
	if h.Throttle == nil {
		return nil
	}
	t, release, err := app.OpenThrottle(h.gate.Label, throttle.Settings{
		Failures: h.Throttle.Failures,
		Window:   time.Duration(h.Throttle.Window),
		IPv4Bits: h.Throttle.IPv4Bits,
		IPv6Bits: h.Throttle.IPv6Bits,
	})
	if err != nil {
		return fmt.Errorf("throttle: %w", err)
	}
	h.releases = append(h.releases, release)
	h.gate.Definition.ThrottleWith(t)
	return nil
}

// needsClientIP reports whether the scheme's configuration names the client's address.
func (c *SchemeConfig) needsClientIP() bool {
	return c != nil && bytes.Contains(c.SchemeRaw, []byte("client_ip"))
}

// Gate implements [app.Gated].
func (h *Handler) Gate() *app.Gate { return &h.gate }

// Role implements [routes.Gate].
func (h *Handler) Role() routes.Role {
	switch {
	case h.Guard:
		return routes.Guard
	case h.Unguarded:
		return routes.Unguarded
	default:
		return routes.Definition
	}
}

// Where implements [routes.Gate].
func (h *Handler) Where() string { return h.Origin }

// Matcher implements [routes.Gate].
func (h *Handler) Matcher() caddyhttp.MatcherSets { return h.gate.Scope.Matchers() }

// Accepts implements [routes.Gate].
func (h *Handler) Accepts() bool { return len(h.Accept) > 0 }

// Outputs implements [routes.Gate].
func (h *Handler) Outputs(header string) bool {
	return h.app.Sets(header)
}

// Identity implements [routes.Gate].
func (h *Handler) Identity(header string) bool { return headers.IsIdentity(header) }

// CutsAuthorization reports whether requests lose their Authorization at this definition,
// so that a handler behind it that asks for one finds none.
func (h *Handler) CutsAuthorization() bool {
	return !h.Guard && h.rules.Mode != outcome.Observe && h.rules.CutsRefused()
}

// Moves implements [routes.Gate]: with `to`, and where a segment of the path is the
// signature, the backend gets another path than that of the link.
func (h *Handler) Moves() bool { return h.gate.Definition != nil && h.gate.Definition.Moves() }

// InPath implements [routes.Gate].
func (h *Handler) InPath() bool { return h.gate.Definition != nil && h.gate.Definition.InPath() }

// Interface guards
var (
	_ app.Gated          = (*Handler)(nil)
	_ caddy.Provisioner  = (*Handler)(nil)
	_ caddy.CleanerUpper = (*Handler)(nil)
)
