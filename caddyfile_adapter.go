package signedlink

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/block"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/keys/inline"
	"github.com/signedlink/caddy-signed-link/link"
)

// This file translates the Caddyfile into the configuration, and does nothing else:
// no file is read, no secret resolved. It is long because it has every option of a
// definition and of a scheme; each is a row of a table and a few lines.

func init() {
	httpcaddyfile.RegisterDirective("signed_link", parseCaddyfile)
	// Before method, rewrite and every handler that answers: the link is judged as
	// the client sent it, and nothing can copy the signature elsewhere first.
	httpcaddyfile.RegisterDirectiveOrder("signed_link", httpcaddyfile.Before, "method")
}

// parseCaddyfile sets up a definition. Syntax:
//
//	signed_link [<matcher>] [require|recognize|observe] <scheme> [<secret>] [{
//		<definition option> | <option of that scheme>
//	}]
//	signed_link [<matcher>] [require|recognize|observe] {
//		scheme <name> [<secret>] { <scheme option>... }
//		<definition option>...
//	}
//	signed_link guard [{ accept <header>... }]
//	signed_link unguarded
//
// Definition options:
//
//	mode            require|recognize|observe
//	missing         refuse|pass
//	backend         strict|php|servlet
//	methods         <method>...
//	strip           signature|signed|none
//	unsigned        keep|strip
//	request_header  <name> <template>
//	status          [<reason>...] <code>
//	redir           [<reason>...] <to>
//	throttle        <failures> <window> { ipv4 <bits>  ipv6 <bits> }
//	referrer_policy <policy>|off
//	authorization   cut|keep|cut always
//	cookies         cut <name>...|all
//
// Options of every scheme:
//
//	name            <label>
//	secret          <value> [<key id>] { encoding utf8|hex|base64|base64url  not_before <time>  not_after <time> }
//	keys            file <path>
//	user_keys       inline { <user> <secret> } | file <path> | sql mysql|postgres <dsn> { query <sql>  ttl <d>  negative_ttl <d>  timeout <d>  cache <n>  max_lookups <n> }
//	user            <template> [percent|utf8] | none
//	param           <name>|{<placeholder>} <class> [<value>...] [without <characters>] [min <n>] [max <n>] [optional [empty]]
//	ignore          <name or prefix*>...
//	require_expiry
//	max_lifetime    <duration>
//	max_age         <duration> [ahead <duration>]
//	clock_skew      <duration>
//	allow           <finding>... | ambiguous_message between {a} {b}
func parseCaddyfile(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // consume directive name
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	h.Next() // ExtractMatcherSet has put the dispenser back to the start
	handler := &Handler{Origin: fmt.Sprintf("%s:%d", h.File(), h.Line())}
	if matcher != nil {
		handler.MatcherSetsRaw = caddyhttp.RawMatcherSets{matcher}
		warnUncovered(handler.Origin, matcher)
	}
	p := &definitionParser{d: h.Dispenser, handler: handler, seen: make(block.Seen)}
	if err := p.parse(); err != nil {
		return nil, err
	}
	if handler.Guard && matcher != nil {
		return nil, h.Err("a guard runs on every request of the site; leave the matcher out")
	}
	if handler.Unguarded && matcher != nil {
		return nil, h.Err("`signed_link unguarded` speaks for the whole site; leave the matcher out")
	}
	// The matcher belongs to the handler, not to the route: the guard must run on
	// the requests, too, that the matcher does not match.
	if h.IsNamedRoute() {
		// Caddy merges neighbouring routes without a matcher, and of a named route that
		// becomes one such route it keeps the first handler only: this one would be lost,
		// without a word. A matcher that matches all keeps it apart.
		return h.NewRoute(caddy.ModuleMap{}, handler), nil
	}
	return h.NewRoute(nil, handler), nil
}

// warnUncovered warns about a path matcher `/app/*`, which does not match `/app`.
func warnUncovered(origin string, matcher caddy.ModuleMap) {
	var paths []string
	if json.Unmarshal(matcher["path"], &paths) != nil {
		return
	}
	for _, base := range uncovered(paths) {
		caddy.Log().Named("config.adapter.caddyfile").Warn(
			"the matcher does not cover the path without the slash, which many backends answer alike; name both, as in `@app path "+base+" "+base+"/*`",
			zap.String("directive", "signed_link"), zap.String("at", origin), zap.String("matcher", base+"/*"))
	}
}

// uncovered returns the paths that the patterns match only with something behind them.
func uncovered(patterns []string) []string {
	var bases []string
	for _, p := range patterns {
		base, ok := strings.CutSuffix(p, "/*")
		if ok && base != "" && !slices.Contains(patterns, base) && !slices.Contains(patterns, base+"*") {
			bases = append(bases, base)
		}
	}
	return bases
}

// definitionParser reads one definition.
type definitionParser struct {
	d       *caddyfile.Dispenser
	handler *Handler
	seen    block.Seen    // definition options
	scheme  *schemeParser // of the one-line form
}

// definitionOption is an option of the definition.
type definitionOption struct {
	name string
	many bool // it may be given more than once
	read func(p *definitionParser, h *Handler) error
}

// choice reads an option that is one word of several.
func choice(words []string, field func(h *Handler) *string) func(*definitionParser, *Handler) error {
	return func(p *definitionParser, h *Handler) (err error) {
		*field(h), err = block.Choice(p.d, words...)
		return err
	}
}

// definitionOptions are the options of a definition, in the order in which errors list them.
var definitionOptions = []definitionOption{
	{"mode", false, choice(modeNames, func(h *Handler) *string { return &h.Mode })},
	{"missing", false, choice(missingNames, func(h *Handler) *string { return &h.Missing })},
	{"backend", false, choice(backendNames, func(h *Handler) *string { return &h.Backend })},
	{"methods", false, func(p *definitionParser, h *Handler) (err error) {
		h.Methods, err = block.Args(p.d, 1, 0, "methods <method>...")
		return err
	}},
	{"strip", false, choice(stripNames, func(h *Handler) *string { return &h.Strip })},
	{"unsigned", false, choice(unsignedNames, func(h *Handler) *string { return &h.Unsigned })},
	{"request_header", true, (*definitionParser).requestHeader},
	{"status", true, (*definitionParser).status},
	{"redir", true, (*definitionParser).redirect},
	{"throttle", false, (*definitionParser).throttle},
	{"referrer_policy", false, (*definitionParser).referrerPolicy},
	{"authorization", false, (*definitionParser).authorization},
	{"cookies", false, (*definitionParser).cookies},
}

// definitionOptionAt returns the option of the definition with this name; nil, if there is
// none.
func definitionOptionAt(name string) *definitionOption {
	if i := slices.IndexFunc(definitionOptions, func(o definitionOption) bool { return o.name == name }); i >= 0 {
		return &definitionOptions[i]
	}
	return nil
}

func (p *definitionParser) parse() error {
	d := p.d
	args := d.RemainingArgs()
	if len(args) > 0 && slices.Contains(modeNames, args[0]) {
		p.handler.Mode = args[0]
		p.seen["mode"] = d.Line()
		args = args[1:]
	}
	switch {
	case len(args) == 1 && args[0] == "guard":
		if p.handler.Mode != "" {
			return d.Err("a guard has no mode: it runs in every one")
		}
		p.handler.Guard = true
		return p.guard()
	case len(args) == 1 && args[0] == "unguarded":
		if p.handler.Mode != "" {
			return d.Err("`signed_link unguarded` has no mode, because it judges nothing; leave the mode out")
		}
		p.handler.Unguarded = true
		bad := d.Err("`signed_link unguarded` has no options; leave the block out")
		if d.NextBlock(0) {
			return bad
		}
		return nil
	case len(args) > 2:
		const syntax = "signed_link [<matcher>] [require|recognize|observe] <scheme> [<secret>]"
		if known := p.firstWords(); p.handler.Mode == "" && !slices.Contains(known, args[0]) { // then the third may be the secret
			return d.Errf("%q%s is neither a mode nor a scheme; write `%s`", link.Shown(args[0]), link.DidYouMean(args[0], known), syntax)
		}
		return d.Errf("too many arguments: %q; write `%s`", link.Shown(args[2]), syntax)
	case len(args) > 0:
		scheme, err := newSchemeParser(d, args, p.firstWords())
		if err != nil {
			return err
		}
		p.scheme = scheme
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := p.option(); err != nil {
			return err
		}
	}
	if p.scheme != nil {
		return p.add(p.scheme)
	}
	if len(p.handler.Schemes) == 0 {
		return d.Err("there is no scheme; write `signed_link [<matcher>] akid {env.AKID_SECRET}`, for instance, or lines `scheme <name>` in the block")
	}
	return nil
}

// firstWords are the words that can stand where the scheme does on the directive's line.
func (p *definitionParser) firstWords() []string {
	words := schemeKinds()
	if p.handler.Mode == "" {
		words = append(append(words, modeNames...), "guard", "unguarded")
	}
	return words
}

// guard reads the block of a guard.
func (p *definitionParser) guard() error {
	d := p.d
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "accept" {
			return d.Errf("a guard has no option %q%s; it has accept, for the identity headers of a gateway in front",
				link.Shown(d.Val()), link.DidYouMean(d.Val(), []string{"accept"}))
		}
		if err := p.seen.Once(d); err != nil {
			return err
		}
		var err error
		if p.handler.Accept, err = block.Args(d, 1, 0, "accept <header>..."); err != nil {
			return err
		}
	}
	return nil
}

func (p *definitionParser) add(s *schemeParser) error {
	c, err := s.finish()
	if err != nil {
		return err
	}
	p.handler.Schemes = append(p.handler.Schemes, c)
	return nil
}

// option reads the option at the dispenser: one of the definition, or one of the scheme that
// stands on the first line.
func (p *definitionParser) option() error {
	d := p.d
	if d.Val() == "scheme" {
		return p.schemeLine()
	}
	switch option := definitionOptionAt(d.Val()); {
	case option != nil:
		if !option.many {
			if err := p.seen.Once(d); err != nil {
				return err
			}
		}
		return option.read(p, p.handler)
	case p.scheme != nil:
		return p.scheme.option(d)
	}
	known := []string{"scheme"}
	for _, o := range definitionOptions {
		known = append(known, o.name)
	}
	return block.Unknown(d, known)
}

// schemeLine reads a line `scheme <name> [<secret>]` and its block.
func (p *definitionParser) schemeLine() error {
	d := p.d
	if p.scheme != nil {
		return d.Errf("the scheme %s stands on the first line already; for several, write each as a line `scheme <name> [<secret>]`", p.scheme.kind)
	}
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.Err("write `scheme <name> [<secret>]`")
	}
	s, err := newSchemeParser(d, args, schemeKinds())
	if err != nil {
		return err
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if definitionOptionAt(d.Val()) != nil {
			return d.Errf("%s is an option of the definition; write it outside of the scheme's block", d.Val())
		}
		if err := s.option(d); err != nil {
			return err
		}
	}
	return p.add(s)
}

func (p *definitionParser) requestHeader(h *Handler) error {
	args, err := block.Args(p.d, 2, 2, "request_header <name> <template>")
	if err != nil {
		return err
	}
	if err := p.seen.OnceAs(p.d, "request_header "+http.CanonicalHeaderKey(args[0])); err != nil {
		return err
	}
	h.RequestHeaders = append(h.RequestHeaders, RequestHeader{Name: args[0], Value: args[1]})
	return nil
}

func (p *definitionParser) referrerPolicy(h *Handler) (err error) {
	if h.ReferrerPolicy, err = block.Arg(p.d, "a policy, or off"); err != nil {
		return err
	}
	if _, bad := outcome.ParseReferrerPolicy(h.ReferrerPolicy); bad != nil {
		return p.d.WrapErr(bad)
	}
	return nil
}

func (p *definitionParser) authorization(h *Handler) error {
	args, err := block.Args(p.d, 1, 2, "authorization cut|keep|cut always")
	if err != nil {
		return err
	}
	h.Authorization = strings.Join(args, " ")
	if !slices.Contains(authorizationNames, h.Authorization) {
		return p.d.Errf("authorization %s%s: write one of %s", link.Shown(h.Authorization), link.DidYouMean(h.Authorization, authorizationNames), strings.Join(authorizationNames, ", "))
	}
	return nil
}

func (p *definitionParser) cookies(h *Handler) error {
	args, err := block.Args(p.d, 2, 0, "cookies cut <name>...` or `cookies cut all")
	switch {
	case err != nil:
		return err
	case args[0] != "cut":
		return p.d.Errf("cookies %s%s: write `cookies cut <name>...` or `cookies cut all`", link.Shown(args[0]), link.DidYouMean(args[0], []string{"cut"}))
	}
	h.Cookies = &Cookies{Cut: args[1:]}
	if slices.Contains(args[1:], "all") {
		if len(args) > 2 {
			return p.d.Err("cookies cut: all is every cookie, so it stands alone")
		}
		h.Cookies = &Cookies{CutAll: true}
	}
	return nil
}

func (p *definitionParser) status(h *Handler) error {
	args, err := block.Args(p.d, 1, 0, "status [<reason>...] <code>")
	if err != nil {
		return err
	}
	last := len(args) - 1
	code, err := strconv.Atoi(args[last])
	if err != nil {
		return p.d.Errf("status: %q is no status code; write `status [<reason>...] <code>`", link.Shown(args[last]))
	}
	if err := p.reasons("status", args[:last]); err != nil {
		return err
	}
	h.Statuses = append(h.Statuses, Status{Reasons: args[:last], Code: code})
	return nil
}

func (p *definitionParser) redirect(h *Handler) error {
	args, err := block.Args(p.d, 1, 0, "redir [<reason>...] <to>")
	if err != nil {
		return err
	}
	last := len(args) - 1
	if err := p.reasons("redir", args[:last]); err != nil {
		return err
	}
	if err := outcome.CheckTarget(args[last]); err != nil {
		return p.d.WrapErr(err)
	}
	h.Redirects = append(h.Redirects, Redirect{Reasons: args[:last], To: args[last]})
	return nil
}

func (p *definitionParser) throttle(h *Handler) error {
	d := p.d
	args, err := block.Args(d, 2, 2, "throttle <failures> <window>")
	if err != nil {
		return err
	}
	failures, err := strconv.Atoi(args[0])
	if err != nil || failures < 1 {
		return d.Errf("throttle %s: write how many failures a client network has, such as 20", args[0])
	}
	window, err := caddy.ParseDuration(args[1])
	if err != nil || window <= 0 {
		return d.Errf("throttle %s %s: write in what time they are forgiven, such as 10m", args[0], args[1])
	}
	t := &Throttle{Failures: failures, Window: caddy.Duration(window)}
	seen := make(block.Seen)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.Once(d); err != nil {
			return err
		}
		switch d.Val() {
		case "ipv4":
			t.IPv4Bits, err = block.Int(d, 8)
		case "ipv6":
			t.IPv6Bits, err = block.Int(d, 32)
		default:
			err = block.Unknown(d, []string{"ipv4", "ipv6"})
		}
		if err != nil {
			return err
		}
	}
	h.Throttle = t
	return nil
}

// reasons checks the reasons of a status or redir line.
func (p *definitionParser) reasons(option string, names []string) error {
	if len(names) == 0 {
		return p.seen.OnceAs(p.d, option+" for all reasons")
	}
	for _, name := range names {
		if !slices.Contains(link.Reasons, link.Reason(name)) {
			return p.d.Errf("%s: unknown reason %q%s; there are %v", option, link.Shown(name), link.DidYouMean(link.Reason(name), link.Reasons), link.Reasons)
		}
		if err := p.seen.OnceAs(p.d, option+" "+name); err != nil {
			return err
		}
	}
	return nil
}

// schemeParser reads one scheme: the options of every scheme itself; all others it
// collects and hands to the scheme's own module.
type schemeParser struct {
	kind   string
	config *SchemeConfig
	seen   block.Seen
	keys   inline.Source // from secret lines
	own    []caddyfile.Token
	start  caddyfile.Token
	end    int // line of the last option
}

// newSchemeParser begins to read a scheme, of which these are the name and the secret. Known
// are the words that can stand where the name does.
func newSchemeParser(d *caddyfile.Dispenser, args, known []string) (*schemeParser, error) {
	s := &schemeParser{kind: args[0], config: &SchemeConfig{}, seen: make(block.Seen)}
	if _, err := caddy.GetModule("http.signed_link.schemes." + s.kind); err != nil {
		return nil, d.Errf("unknown scheme %q%s; there are %s; a scheme of another module must be built in (xcaddy build --with)",
			link.Shown(s.kind), link.DidYouMean(s.kind, known), strings.Join(schemeKinds(), ", "))
	}
	s.start = caddyfile.Token{File: d.File(), Line: d.Line(), Text: s.kind}
	s.end = d.Line()
	if len(args) == 2 {
		s.keys.Secrets = []inline.Secret{{Secret: args[1]}}
	}
	return s, nil
}

// schemeKinds lists the schemes that this Caddy has.
func schemeKinds() []string {
	modules := caddy.GetModules("http.signed_link.schemes")
	names := make([]string, 0, len(modules))
	for _, m := range modules {
		names = append(names, m.ID.Name())
	}
	return names
}

// schemeOptions are the options of every scheme, those of [block.SchemeOptions].
var schemeOptions = map[string]func(s *schemeParser, c *SchemeConfig, d *caddyfile.Dispenser) error{
	"name": func(_ *schemeParser, c *SchemeConfig, d *caddyfile.Dispenser) (err error) {
		c.Name, err = block.Arg(d, "a label")
		return err
	},
	"secret": (*schemeParser).secret,
	"keys": func(_ *schemeParser, c *SchemeConfig, d *caddyfile.Dispenser) (err error) {
		c.KeysRaw, err = sharedKeys(d)
		return err
	},
	"user_keys": func(_ *schemeParser, c *SchemeConfig, d *caddyfile.Dispenser) (err error) {
		c.UserKeysRaw, err = userKeys(d)
		return err
	},
	"user":  (*schemeParser).user,
	"param": (*schemeParser).param,
	"ignore": func(_ *schemeParser, c *SchemeConfig, d *caddyfile.Dispenser) (err error) {
		c.Ignore, err = block.Args(d, 1, 0, "ignore <name or prefix*>...")
		return err
	},
	"require_expiry": func(_ *schemeParser, c *SchemeConfig, d *caddyfile.Dispenser) error {
		c.RequireExpiry = true
		return block.None(d)
	},
	"max_lifetime": duration(func(c *SchemeConfig) *caddy.Duration { return &c.MaxLifetime }),
	"max_age":      (*schemeParser).maxAge,
	"clock_skew":   duration(func(c *SchemeConfig) *caddy.Duration { return &c.ClockSkew }),
	"allow":        (*schemeParser).allow,
}

// duration reads an option that is a duration.
func duration(field func(c *SchemeConfig) *caddy.Duration) func(*schemeParser, *SchemeConfig, *caddyfile.Dispenser) error {
	return func(_ *schemeParser, c *SchemeConfig, d *caddyfile.Dispenser) (err error) {
		*field(c), err = block.Duration(d)
		return err
	}
}

// option reads the option at the dispenser.
func (s *schemeParser) option(d *caddyfile.Dispenser) error {
	option := d.Val()
	read := schemeOptions[option]
	if read == nil {
		segment := d.NextSegment()
		s.own = append(s.own, segment...)
		s.end = segment[len(segment)-1].Line
		return nil
	}
	if !slices.Contains([]string{"secret", "param", "allow"}, option) { // of which there may be several
		if err := s.seen.Once(d); err != nil {
			return err
		}
	}
	return read(s, s.config, d)
}

func (*schemeParser) maxAge(c *SchemeConfig, d *caddyfile.Dispenser) error {
	const syntax = "max_age <duration> [ahead <duration>]"
	args, err := block.Args(d, 1, 3, syntax)
	if err != nil {
		return err
	}
	if len(args) == 2 || len(args) == 3 && args[1] != "ahead" {
		return d.Errf("max_age: unexpected %q; write `%s`", link.Shown(args[1]), syntax)
	}
	if c.MaxAge, err = block.ParseDuration(d, "max_age", args[0]); err == nil && len(args) == 3 {
		c.MaxAhead, err = block.ParseDuration(d, "max_age", args[2])
	}
	return err
}

// allow reads the codes of findings, or one code and where it is allowed.
func (s *schemeParser) allow(c *SchemeConfig, d *caddyfile.Dispenser) error {
	const narrow = "allow ambiguous_message between <placeholder> <placeholder>"
	args, err := block.Args(d, 1, 0, "allow <finding>...` or `"+narrow)
	if err != nil {
		return err
	}
	if i := slices.Index(args, "between"); i >= 0 {
		if i != 1 || args[0] != "ambiguous_message" || len(args) != 4 {
			return d.Errf("allow: between goes with one finding and two placeholders; write `%s`", narrow)
		}
		pair := [2]string{args[2], args[3]}
		if slices.Contains(c.AllowBetween, pair) {
			return d.Errf("allow: between %s and %s is given twice", link.Shown(pair[0]), link.Shown(pair[1]))
		}
		c.AllowBetween = append(c.AllowBetween, pair)
		return nil
	}
	for _, code := range args {
		if slices.Contains(c.Allow, code) {
			return d.Errf("allow: %s is given twice", link.Shown(code))
		}
		c.Allow = append(c.Allow, code)
	}
	return nil
}

func (*schemeParser) user(c *SchemeConfig, d *caddyfile.Dispenser) error {
	args, err := block.Args(d, 1, 2, "user <template> [percent|utf8]` or `user none")
	if err != nil {
		return err
	}
	c.User = args[0]
	if len(args) == 2 {
		if args[1] != "percent" && args[1] != "utf8" {
			return d.Errf("user: %q is neither percent nor utf8%s", link.Shown(args[1]), link.DidYouMean(args[1], []string{"percent", "utf8"}))
		}
		c.UserEncoding = args[1]
	}
	return nil
}

func (s *schemeParser) secret(_ *SchemeConfig, d *caddyfile.Dispenser) error {
	args, err := block.Args(d, 1, 2, "secret <value> [<key id>]")
	if err != nil {
		return err
	}
	secret := inline.Secret{Secret: args[0]}
	if len(args) == 2 {
		secret.ID = args[1]
	}
	seen := make(block.Seen)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.Once(d); err != nil {
			return err
		}
		switch d.Val() {
		case "encoding":
			secret.Encoding, err = block.Choice(d, keys.Encodings...)
		case "not_before":
			secret.NotBefore, err = block.Arg(d, "a time")
		case "not_after":
			secret.NotAfter, err = block.Arg(d, "a time")
		default:
			err = block.Unknown(d, []string{"encoding", "not_before", "not_after"})
		}
		if err != nil {
			return err
		}
	}
	s.keys.Secrets = append(s.keys.Secrets, secret)
	return nil
}

// keySource has the source of a line `keys <source> …` or `user_keys <source> …` read that
// line, and its block, by itself. Opener is what a source of that option implements: of a
// module that does not, no more is known here than of one that is not built in.
func keySource[Opener any](d *caddyfile.Dispenser, unknown func(line caddyfile.Segment, hint string) error) (json.RawMessage, error) {
	segment := d.NextSegment()
	name := ""
	if len(segment) > 1 {
		name = segment[1].Text
	}
	info, err := caddy.GetModule("http.signed_link.keys." + name)
	var module caddy.Module
	if err == nil {
		module = info.New()
	}
	if _, ok := module.(Opener); !ok {
		return nil, unknown(segment, link.DidYouMean(name, keySources[Opener](segment[0].Text)))
	}
	source, ok := module.(caddyfile.Unmarshaler)
	if !ok {
		return nil, d.Errf("%s %s: this source cannot be written in a Caddyfile; write the configuration in JSON", segment[0].Text, name)
	}
	own := caddyfile.NewDispenser(segment)
	if err := source.UnmarshalCaddyfile(own); err != nil {
		return nil, err
	}
	if own.Next() {
		return nil, own.Errf("%s %s: there is more on this line, or in its block, than the source reads; leave that out", segment[0].Text, name)
	}
	return caddyconfig.JSONModuleObject(source, "source", name, nil), nil
}

// keySources lists the sources that a line of the option can name.
func keySources[Opener any](option string) (names []string) {
	for _, m := range caddy.GetModules("http.signed_link.keys") {
		module, name := m.New(), m.ID.Name()
		_, opens := module.(Opener)
		_, reads := module.(caddyfile.Unmarshaler)
		if opens && reads && (option != "keys" || name != "inline") { // which has secret lines in its place
			names = append(names, name)
		}
	}
	return names
}

func sharedKeys(d *caddyfile.Dispenser) (json.RawMessage, error) {
	return keySource[keys.SetOpener](d, func(line caddyfile.Segment, hint string) error {
		if len(line) < 3 { // what stands there alone may be the secret itself
			return d.Errf("write `keys file <path>`%s", hint)
		}
		return d.Errf("keys: unknown source %q%s; write `keys file <path>`", link.Shown(line[1].Text), hint)
	})
}

func userKeys(d *caddyfile.Dispenser) (json.RawMessage, error) {
	return keySource[keys.UserOpener](d, func(_ caddyfile.Segment, hint string) error {
		return d.Errf("write `%s`%s", block.UserKeysSyntax, hint)
	})
}

func (s *schemeParser) param(c *SchemeConfig, d *caddyfile.Dispenser) error {
	const syntax = "param <name> <class> [<value>...] [without <characters>] [min <n>] [max <n>] [optional [empty]]"
	args, err := block.Args(d, 2, 0, syntax)
	if err != nil {
		return err
	}
	name := args[0]
	if err := s.seen.OnceAs(d, "param "+name); err != nil {
		return err
	}
	p := &Param{Class: args[1]}
	if !slices.Contains(link.Classes, link.Class(p.Class)) {
		return d.Errf("param %s: unknown class %q%s; there are %v", name, link.Shown(p.Class), link.DidYouMean(link.Class(p.Class), link.Classes), link.Classes)
	}
	for rest := args[2:]; len(rest) > 0; {
		switch {
		case p.Class == string(link.OneOf) && rest[0] != "optional" && !p.Optional:
			p.Values, rest = append(p.Values, rest[0]), rest[1:]
		case rest[0] == "optional" && !p.Optional:
			p.Optional, rest = true, rest[1:]
		case rest[0] == "empty" && p.Optional && !p.Empty:
			p.Empty, rest = true, rest[1:]
		case rest[0] == "without" && len(rest) >= 2 && p.Without == "":
			p.Without, rest = rest[1], rest[2:]
		case (rest[0] == "min" || rest[0] == "max") && len(rest) >= 2:
			n, err := strconv.Atoi(rest[1])
			if err != nil || n < 1 {
				return d.Errf("param %s: %s %s: write a number of bytes, at least 1", name, rest[0], rest[1])
			}
			bound := &p.Min
			if rest[0] == "max" {
				bound = &p.Max
			}
			if *bound != 0 {
				return d.Errf("param %s: %s is given twice", name, rest[0])
			}
			*bound, rest = n, rest[2:]
		default:
			return d.Errf("param %s: unexpected %q%s; write `%s`", name, link.Shown(rest[0]), link.DidYouMean(rest[0], []string{"without", "min", "max", "optional", "empty"}), syntax)
		}
	}
	if c.Params == nil {
		c.Params = make(map[string]*Param)
	}
	c.Params[name] = p
	return nil
}

// finish hands the options that are the scheme's own to its module.
func (s *schemeParser) finish() (*SchemeConfig, error) {
	module, err := caddy.GetModule("http.signed_link.schemes." + s.kind)
	if err != nil {
		return nil, err
	}
	tokens := slices.Concat(
		[]caddyfile.Token{s.start, {File: s.start.File, Line: s.start.Line, Text: "{"}},
		s.own,
		[]caddyfile.Token{{File: s.start.File, Line: s.end + 1, Text: "}"}},
	)
	d := caddyfile.NewDispenser(tokens)
	scheme := module.New()
	switch unmarshaler, ok := scheme.(caddyfile.Unmarshaler); {
	case ok:
		if err := unmarshaler.UnmarshalCaddyfile(d); err != nil {
			return nil, err
		}
	case len(s.own) > 0:
		d.Next()
		return nil, d.Errf("the scheme %s has no options of its own", s.kind)
	}
	c := s.config
	c.SchemeRaw = caddyconfig.JSONModuleObject(scheme, "kind", s.kind, nil)
	if len(s.keys.Secrets) > 0 {
		if c.KeysRaw != nil {
			d.Next()
			return nil, d.Err("give secrets either on secret lines or with keys, not both")
		}
		c.KeysRaw = caddyconfig.JSONModuleObject(s.keys, "source", "inline", nil)
	}
	return c, nil
}
