package signedlink

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/metrics"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/request/bodies"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
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
	if err := h.matchers.FromInterface(matchers); err != nil {
		return h.errorf("%w", err)
	}
	h.quick = newQuickSets(h.matchers)
	if err := h.checkRedirects(); err != nil {
		return h.errorf("%w", err)
	}
	signsClientIP := slices.ContainsFunc(h.Schemes, (*SchemeConfig).needsClientIP)
	if h.def, err = h.compile(ctx); err != nil {
		return h.errorf("%w", err)
	}
	if err := h.compileCookies(); err != nil {
		return h.errorf("%w", err)
	}
	names := make([]string, 0, len(h.def.schemes))
	for _, s := range h.def.schemes {
		names = append(names, s.name)
	}
	h.label = strings.Join(names, ",")
	h.meter = metrics.NewMeter(h.label, &h.rules)
	for _, s := range h.def.schemes {
		h.keyMeters = append(h.keyMeters, metrics.NewKeys(s.name, s.keys))
	}
	if err := h.app.protect(h, h.def.outputs()); err != nil {
		return h.errorf("%w", err)
	}
	for _, s := range h.def.schemes {
		h.warn(s, s.findings)
	}
	if h.Throttle != nil {
		if err := h.openThrottle(); err != nil {
			return h.errorf("%w", err)
		}
	}
	h.watchForwarded = (h.Throttle != nil || signsClientIP) && trustsNoProxy(h.server)

	// at the end, where nothing can fail any more: Cleanup gives back what was taken
	signatures := h.def.signatureNames()
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
	if h.strip, err = choose("strip", h.Strip, stripNames, []strip{stripSignature, stripSigned, stripNone}); err != nil {
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
		if applies, readable, err := h.applies(nil, r, varsOf(r), profile); err == nil && (applies || !readable) {
			return fmt.Errorf("redir: %s is matched by this definition itself, so clients would be sent in circles; "+
				"choose a path that its matcher does not match", redirect.To)
		}
	}
	return nil
}

// compile builds the definition.
func (h *Handler) compile(ctx caddy.Context) (*definition, error) {
	profile, err := backend.ParseProfile(h.Backend)
	if err != nil {
		return nil, fmt.Errorf("backend: %w", err)
	}
	d := &definition{profile: profile, methods: h.Methods}
	if len(d.methods) == 0 {
		d.methods = []string{http.MethodGet, http.MethodHead}
	} else {
		d.bodies = d.methods
	}
	h.rules.Allow = strings.Join(d.methods, ", ")
	if len(h.Schemes) == 0 {
		return nil, errors.New("there is no scheme; name one, as in `signed_link akid {env.AKID_SECRET}`")
	}
	for _, c := range h.Schemes {
		s, err := h.compileScheme(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.label(), err)
		}
		if slices.ContainsFunc(d.schemes, func(o *scheme) bool { return o.name == s.name }) {
			return nil, fmt.Errorf("two schemes are named %q; tell them apart with the option name", s.name)
		}
		s.place = len(d.schemes)
		d.schemes = append(d.schemes, s)
	}
	return d, d.index()
}

// label names the scheme in errors.
func (c *SchemeConfig) label() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.kind != "":
		return c.kind
	default:
		return "scheme"
	}
}

// index makes the sets of protected names.
func (d *definition) index() error {
	var names []string
	place := func(name string) (int, error) {
		if i := slices.Index(names, name); i >= 0 {
			return i, nil
		}
		if len(names) == maxNames {
			return 0, fmt.Errorf("a definition protects at most %d parameters; split it", maxNames)
		}
		names = append(names, name)
		return len(names) - 1, nil
	}
	for _, s := range d.schemes {
		all := slices.Concat(s.description.Signature, s.description.Expiry, s.description.Signed, s.parameters())
		for _, name := range all {
			for _, other := range d.schemes {
				switch {
				case !other.ignore.Match(name):
				case other == s:
					return fmt.Errorf("%s: ignore: %q carries part of the link, so it cannot be ignored", s.name, name)
				default:
					// The backend believes the one as it believes the other.
					return fmt.Errorf("%s: ignore: %q carries part of a link of %s, so whoever has a link of %[1]s could write any value "+
						"into it; leave it out of ignore, or write a definition for each scheme", other.name, name, s.name)
				}
			}
			i, err := place(name)
			if err != nil {
				return err
			}
			s.covered.add(i)
			if slices.Contains(s.description.Signature, name) || slices.Contains(s.description.Expiry, name) {
				s.signature.add(i)
			}
			if slices.Contains(s.parameters(), name) {
				d.identity.add(i)
			}
		}
		d.signature |= s.signature
		d.coversAll = d.coversAll || s.description.Coverage != link.Named
	}
	var err error
	if d.names, err = query.NewNames(d.profile, names); err != nil {
		return err
	}
	d.inBodies = bodies.Rules{Profile: d.profile, Names: d.names, All: d.coversAll}
	if d.profile.Has(backend.CookieShadow) {
		d.cookies, err = query.NewNames(backend.PHP, names)
	}
	return err
}

// parameters are those from which the identity and the headers are made.
func (s *scheme) parameters() []string {
	var names []string
	if s.user != nil {
		names = s.user.Parameters()
	}
	for _, o := range s.outputs {
		names = append(names, o.template.Parameters()...)
	}
	return names
}

func (h *Handler) compileScheme(ctx caddy.Context, c *SchemeConfig) (*scheme, error) {
	if c == nil || len(c.SchemeRaw) == 0 {
		return nil, errors.New("the scheme itself is missing: its JSON is {\"kind\": \"akid\"}, for instance")
	}
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
	s := &scheme{name: c.label(), ignore: c.Ignore}
	if err := checkToken("name", s.name); err != nil {
		return nil, err
	}
	if s.allowed, err = c.checkAllow(); err != nil {
		return nil, err
	}
	o := link.Options{User: c.User, UserKeys: len(c.UserKeysRaw) > 0, Ignore: c.Ignore, Rules: map[string]link.Rule{}, Allow: s.allowed}
	if c.User == "none" {
		o.User = ""
	}
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		p := c.Params[name]
		rule, err := link.NewRule(link.Rule{Class: link.Class(p.Class), Values: p.Values, Min: p.Min, Max: p.Max, Optional: p.Optional})
		if err != nil {
			return nil, fmt.Errorf("param %s: %w", name, err)
		}
		o.Rules[name] = rule
	}
	for _, name := range c.Ignore {
		if strings.Trim(name, "*") == "" || strings.Contains(strings.TrimSuffix(name, "*"), "*") {
			return nil, fmt.Errorf("ignore: %q: write a name, or the beginning of names with one * at the end", name)
		}
	}
	if s.scheme, err = factory.NewScheme(o); err != nil {
		return nil, err
	}
	s.description = s.scheme.Describe()
	if len(s.description.Signature) == 0 {
		return nil, errors.New("the scheme names no signature parameter, so no request could be told to be a link")
	}
	s.policy = link.Policy{
		RequireExpiry: c.RequireExpiry,
		MaxLifetime:   time.Duration(c.MaxLifetime),
		MaxAge:        time.Duration(c.MaxAge),
		ClockSkew:     time.Duration(c.ClockSkew),
	}
	switch d := s.description; {
	case c.RequireExpiry && !d.Expires:
		return nil, errors.New("require_expiry: no link of this scheme says when it expires, so all would be refused; name the parameter with expires, or leave the option out")
	case c.MaxLifetime > 0 && !d.Expires:
		return nil, errors.New("max_lifetime: no link of this scheme says when it expires, so nothing would be bounded; name the parameter with expires, or leave the option out")
	case c.MaxAge > 0 && !d.Issues:
		return nil, errors.New("max_age: no link of this scheme says when it was made, so all would be refused; name the parameter with issued, or leave the option out")
	}
	if err := h.compileUser(c, s, o.UserKeys); err != nil {
		return nil, err
	}
	if err := h.compileOutputs(s); err != nil {
		return nil, err
	}
	if err := s.bindRules(o.Rules); err != nil {
		return nil, err
	}
	if err := c.openKeys(ctx, s); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.marks = h.app.marks(c, s)
	return s, nil
}

// compileUser compiles the template of the identity.
func (h *Handler) compileUser(c *SchemeConfig, s *scheme, userKeys bool) error {
	var err error
	s.userValue, err = choose("user", c.UserEncoding, []string{"ascii", "percent", "utf8"}, []headers.Encoding{headers.ASCII, headers.Percent, headers.UTF8})
	if err != nil {
		return err
	}
	template := c.User
	if template == "" {
		template = s.description.User
	}
	switch template {
	case "":
		return errors.New("several parameters are signed, or none: say which is the user, as in `user {query.user}`, or write `user none`")
	case "none":
		if userKeys {
			return errors.New("user none: with user_keys the link's user says whose secret it is; name the parameter")
		}
		return nil
	}
	if s.user, err = keyedhash.ParseTemplate(template); err != nil {
		return fmt.Errorf("user: %w", err)
	}
	if userKeys && len(s.user.Claims()) > 0 {
		return errors.New("user: with user_keys the user is needed before the link is verified, so it cannot be a claim")
	}
	description := s.description
	if userKeys {
		// the secret of that user verifies it, whether the message names it or not
		description.Signed = append(slices.Clone(description.Signed), s.user.Parameters()...)
	}
	if err := s.user.CoveredBy(description); err != nil {
		return fmt.Errorf("user: %w", err)
	}
	return nil
}

// compileOutputs compiles the headers of verified requests.
func (h *Handler) compileOutputs(s *scheme) error {
	seen := make(map[string]bool)
	for _, x := range s.description.Headers {
		// One that a scheme of another module brings must not be the identity, either.
		if err := headers.CheckOutput(x.Header); err != nil {
			return fmt.Errorf("the headers of the scheme: %w", err)
		}
		name := http.CanonicalHeaderKey(x.Header)
		if seen[name] {
			return fmt.Errorf("the headers of the scheme: %s is there twice", name)
		}
		seen[name] = true
		t, err := keyedhash.ParseTemplate("{claim." + x.Claim + "}")
		if err != nil {
			return err
		}
		s.outputs = append(s.outputs, output{name, t, false})
	}
	clear(seen)
	for _, x := range h.RequestHeaders {
		if err := headers.CheckOutput(x.Name); err != nil {
			return fmt.Errorf("request_header %w", err)
		}
		name := http.CanonicalHeaderKey(x.Name)
		if seen[name] {
			return fmt.Errorf("request_header %s is given twice", x.Name)
		}
		seen[name] = true
		t, err := keyedhash.ParseTemplate(x.Value, "user")
		if err != nil {
			return fmt.Errorf("request_header %s: %w", x.Name, err)
		}
		if err := t.CoveredBy(s.description); err != nil {
			return fmt.Errorf("request_header %s: %w", x.Name, err)
		}
		s.outputs = slices.DeleteFunc(s.outputs, func(o output) bool { return o.header == name })
		s.outputs = append(s.outputs, output{name, t, true})
	}
	return nil
}

// checkToken: names go into a header, a log and a metric.
func checkToken(option, name string) error {
	rule := link.Rule{Class: link.Token, Min: 1, Max: 64}
	if _, ok := rule.Check(name); !ok {
		return fmt.Errorf("%s %q: 1 to 64 letters, digits and - . _ ~", option, name)
	}
	return nil
}

// bindRules finds where the value of each rule is.
func (s *scheme) bindRules(rules map[string]link.Rule) error {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		b := boundRule{name: name, rule: rules[name]}
		switch d := s.description; {
		case slices.Contains(d.Signed, name):
		case slices.Contains(d.Claims, name):
			b.claim = true
			if b.rule.Optional {
				return fmt.Errorf("param %s: a claim is never optional", name)
			}
		case d.Coverage != link.Named:
		default:
			return fmt.Errorf("param %s: the message has no such parameter, so the rule would protect nothing; it has %s",
				name, strings.Join(append(d.Signed, d.Claims...), ", "))
		}
		s.rules = append(s.rules, b)
	}
	return nil
}

// openKeys opens the key source.
func (c *SchemeConfig) openKeys(ctx caddy.Context, s *scheme) error {
	shared, each := len(c.KeysRaw) > 0, len(c.UserKeysRaw) > 0
	switch {
	case shared && each:
		return errors.New("give secrets either with secret or keys, or with user_keys, not both")
	case !shared && !each && s.description.NeedsUserKey:
		return errors.New("user_keys is missing: each user has a secret of its own")
	case !shared && !each:
		return errors.New("the secret is missing; write `secret {env.LINK_SECRET}` or `secret {file./etc/caddy/link.secret}`")
	}
	s.dummy = make([]byte, 32)
	rand.Read(s.dummy) // it never fails: crypto/rand ends the process instead
	if each {
		module, err := ctx.LoadModule(c, "UserKeysRaw")
		if err != nil {
			return fmt.Errorf("loading user_keys: %w", err)
		}
		opener, ok := module.(keys.UserOpener)
		if !ok {
			return fmt.Errorf("user_keys: the module is a %T, which holds no secrets of users", module)
		}
		if n, ok := module.(keys.RuleNeeder); ok && n.NeedsRule() {
			if err := s.checkUserRules(); err != nil {
				return err
			}
		}
		if s.users, err = opener.OpenUsers(); err != nil {
			return fmt.Errorf("user_keys: %w", err)
		}
		return nil
	}
	module, err := ctx.LoadModule(c, "KeysRaw")
	if err != nil {
		return fmt.Errorf("loading keys: %w", err)
	}
	opener, ok := module.(keys.SetOpener)
	if !ok {
		return fmt.Errorf("keys: the module is a %T, which holds no key set", module)
	}
	s.keys, err = opener.OpenSet()
	return err
}

// checkUserRules fails if a part of the user has no rule: what a client writes there
// would be handed to a source that wants ids of a known form only.
func (s *scheme) checkUserRules() error {
	if s.user == nil || !s.user.OnlyParameters() || len(s.user.Parameters()) == 0 {
		return fmt.Errorf("user_keys: this source looks up ids of a known form only, and no param rule can say the form of %s; take the user from parameters of the query, as in `user {query.user}`", s.user)
	}
	parameters := s.user.Parameters()
	for _, name := range parameters {
		ruled := slices.ContainsFunc(s.rules, func(b boundRule) bool {
			// a scheme of users' secrets may claim the user that it was asked with
			return b.name == name && !b.claim || b.name == "user" && b.claim && s.description.NeedsUserKey && len(parameters) == 1
		})
		if !ruled {
			return fmt.Errorf("user_keys: this source looks up ids of a known form only; say the form of %[1]s with a rule, such as `param %[1]s digits` or `param %[1]s alnum max 32`", name)
		}
	}
	return nil
}
