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
	"github.com/signedlink/caddy-signed-link/keys/file"
	"github.com/signedlink/caddy-signed-link/keys/inline"
	"github.com/signedlink/caddy-signed-link/keys/sql"
	"github.com/signedlink/caddy-signed-link/link"
)

// This file translates the Caddyfile into the configuration, and does nothing else:
// no file is read, no secret resolved.

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
//	param           <name> <class> [<value>...] [min <n>] [max <n>] [optional]
//	ignore          <name or prefix*>...
//	require_expiry
//	max_lifetime    <duration>
//	max_age         <duration>
//	clock_skew      <duration>
//	allow           <finding>...
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

var definitionOptions = []string{"mode", "missing", "backend", "methods", "strip", "unsigned", "request_header", "status", "redir", "throttle", "referrer_policy", "authorization", "cookies"}

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
		return d.Errf("too many arguments: %q; write `signed_link [<matcher>] [require|recognize|observe] <scheme> [<secret>]`", args[2])
	case len(args) > 0:
		scheme, err := newSchemeParser(d, args)
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

// guard reads the block of a guard.
func (p *definitionParser) guard() error {
	d := p.d
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "accept" {
			return d.Errf("a guard has no option %q; it has accept, for the identity headers of a gateway in front", link.Shown(d.Val()))
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

func (p *definitionParser) option() error {
	d := p.d
	option := d.Val()
	switch option {
	case "scheme":
		if p.scheme != nil {
			return d.Errf("the scheme %s stands on the first line already; for several, write each as a line `scheme <name> [<secret>]`", p.scheme.kind)
		}
		args := d.RemainingArgs()
		if len(args) == 0 || len(args) > 2 {
			return d.Err("write `scheme <name> [<secret>]`")
		}
		s, err := newSchemeParser(d, args)
		if err != nil {
			return err
		}
		for nesting := d.Nesting(); d.NextBlock(nesting); {
			if slices.Contains(definitionOptions, d.Val()) {
				return d.Errf("%s is an option of the definition; write it outside of the scheme's block", d.Val())
			}
			if err := s.option(d); err != nil {
				return err
			}
		}
		return p.add(s)
	case "request_header", "status", "redir": // may be given more than once
	default:
		if slices.Contains(definitionOptions, option) {
			if err := p.seen.Once(d); err != nil {
				return err
			}
		}
	}
	h := p.handler
	var err error
	switch option {
	case "mode":
		h.Mode, err = block.Choice(d, modeNames...)
	case "missing":
		h.Missing, err = block.Choice(d, missingNames...)
	case "backend":
		h.Backend, err = block.Choice(d, backendNames...)
	case "methods":
		h.Methods, err = block.Args(d, 1, 0, "methods <method>...")
	case "strip":
		h.Strip, err = block.Choice(d, stripNames...)
	case "unsigned":
		h.Unsigned, err = block.Choice(d, unsignedNames...)
	case "request_header":
		var args []string
		if args, err = block.Args(d, 2, 2, "request_header <name> <template>"); err == nil {
			if err = p.seen.OnceAs(d, "request_header "+http.CanonicalHeaderKey(args[0])); err == nil {
				h.RequestHeaders = append(h.RequestHeaders, RequestHeader{Name: args[0], Value: args[1]})
			}
		}
	case "status":
		err = p.status()
	case "redir":
		err = p.redirect()
	case "throttle":
		err = p.throttle()
	case "referrer_policy":
		if h.ReferrerPolicy, err = block.Arg(d, "a policy, or off"); err == nil {
			if _, bad := outcome.ParseReferrerPolicy(h.ReferrerPolicy); bad != nil {
				err = d.WrapErr(bad)
			}
		}
	case "authorization":
		err = p.authorization()
	case "cookies":
		err = p.cookies()
	default:
		if p.scheme == nil {
			return block.Unknown(d, append([]string{"scheme"}, definitionOptions...))
		}
		return p.scheme.option(d)
	}
	return err
}

func (p *definitionParser) authorization() error {
	args, err := block.Args(p.d, 1, 2, "authorization cut|keep|cut always")
	if err != nil {
		return err
	}
	p.handler.Authorization = strings.Join(args, " ")
	if !slices.Contains(authorizationNames, p.handler.Authorization) {
		return p.d.Errf("authorization %s: write one of %s", link.Shown(p.handler.Authorization), strings.Join(authorizationNames, ", "))
	}
	return nil
}

func (p *definitionParser) cookies() error {
	args, err := block.Args(p.d, 2, 0, "cookies cut <name>...` or `cookies cut all")
	switch {
	case err != nil:
		return err
	case args[0] != "cut":
		return p.d.Errf("cookies %s: write `cookies cut <name>...` or `cookies cut all`", link.Shown(args[0]))
	}
	p.handler.Cookies = &Cookies{Cut: args[1:]}
	if slices.Contains(args[1:], "all") {
		if len(args) > 2 {
			return p.d.Err("cookies cut: all is every cookie, so it stands alone")
		}
		p.handler.Cookies = &Cookies{CutAll: true}
	}
	return nil
}

func (p *definitionParser) status() error {
	args, err := block.Args(p.d, 1, 0, "status [<reason>...] <code>")
	if err != nil {
		return err
	}
	last := len(args) - 1
	code, err := strconv.Atoi(args[last])
	if err != nil {
		return p.d.Errf("status: %q is no status code; write `status [<reason>...] <code>`", args[last])
	}
	if err := p.reasons("status", args[:last]); err != nil {
		return err
	}
	p.handler.Statuses = append(p.handler.Statuses, Status{Reasons: args[:last], Code: code})
	return nil
}

func (p *definitionParser) redirect() error {
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
	p.handler.Redirects = append(p.handler.Redirects, Redirect{Reasons: args[:last], To: args[last]})
	return nil
}

func (p *definitionParser) throttle() error {
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
	p.handler.Throttle = t
	return nil
}

// reasons checks the reasons of a status or redir line.
func (p *definitionParser) reasons(option string, names []string) error {
	if len(names) == 0 {
		return p.seen.OnceAs(p.d, option+" for all reasons")
	}
	for _, name := range names {
		if !slices.Contains(link.Reasons, link.Reason(name)) {
			return p.d.Errf("%s: unknown reason %q; there are %v", option, name, link.Reasons)
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

func newSchemeParser(d *caddyfile.Dispenser, args []string) (*schemeParser, error) {
	s := &schemeParser{kind: args[0], config: &SchemeConfig{}, seen: make(block.Seen)}
	if _, err := caddy.GetModule("http.signed_link.schemes." + s.kind); err != nil {
		return nil, d.Errf("unknown scheme %q; there are %s; a scheme of another module must be built in (xcaddy build --with)", link.Shown(s.kind), strings.Join(schemeKinds(), ", "))
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

// option reads the option at the dispenser.
func (s *schemeParser) option(d *caddyfile.Dispenser) error {
	option := d.Val()
	if !slices.Contains(block.SchemeOptions, option) {
		segment := d.NextSegment()
		s.own = append(s.own, segment...)
		s.end = segment[len(segment)-1].Line
		return nil
	}
	if option != "secret" && option != "param" {
		if err := s.seen.Once(d); err != nil {
			return err
		}
	}
	c := s.config
	var err error
	switch option {
	case "name":
		c.Name, err = block.Arg(d, "a label")
	case "secret":
		err = s.secret(d)
	case "keys":
		c.KeysRaw, err = keySource(d)
	case "user_keys":
		c.UserKeysRaw, err = userKeySource(d)
	case "user":
		var args []string
		if args, err = block.Args(d, 1, 2, "user <template> [percent|utf8]` or `user none"); err == nil {
			c.User = args[0]
			if len(args) == 2 {
				if args[1] != "percent" && args[1] != "utf8" {
					return d.Errf("user: %q is neither percent nor utf8", args[1])
				}
				c.UserEncoding = args[1]
			}
		}
	case "param":
		err = s.param(d)
	case "ignore":
		c.Ignore, err = block.Args(d, 1, 0, "ignore <name or prefix*>...")
	case "require_expiry":
		c.RequireExpiry, err = true, block.None(d)
	case "max_lifetime":
		c.MaxLifetime, err = block.Duration(d)
	case "max_age":
		c.MaxAge, err = block.Duration(d)
	case "clock_skew":
		c.ClockSkew, err = block.Duration(d)
	case "allow":
		c.Allow, err = block.Args(d, 1, 0, "allow <finding>...")
	}
	return err
}

func (s *schemeParser) secret(d *caddyfile.Dispenser) error {
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
			secret.Encoding, err = block.Choice(d, "utf8", "hex", "base64", "base64url")
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

func keySource(d *caddyfile.Dispenser) (json.RawMessage, error) {
	args, err := block.Args(d, 2, 2, "keys file <path>")
	if err != nil {
		return nil, err
	}
	if args[0] != "file" {
		return nil, d.Errf("keys: unknown source %q; write `keys file <path>`", args[0])
	}
	return caddyconfig.JSONModuleObject(file.Source{Path: args[1]}, "source", "file", nil), nil
}

func userKeySource(d *caddyfile.Dispenser) (json.RawMessage, error) {
	const syntax = "user_keys file <path>`, `user_keys inline { <user> <secret> }` or `user_keys sql mysql|postgres <dsn> { query <sql> }"
	args, err := block.Args(d, 1, 3, syntax)
	if err != nil {
		return nil, err
	}
	switch {
	case args[0] == "file" && len(args) == 2:
		return caddyconfig.JSONModuleObject(file.Source{Path: args[1]}, "source", "file", nil), nil
	case args[0] == "inline" && len(args) == 1:
		source := inline.Source{Users: make(map[string]string)}
		for nesting := d.Nesting(); d.NextBlock(nesting); {
			user := d.Val()
			if _, twice := source.Users[user]; twice {
				return nil, d.Errf("user_keys: user %s is given twice", user)
			}
			if source.Users[user], err = block.Arg(d, "a secret"); err != nil {
				// the user's name, too, may be a secret in the wrong place
				return nil, d.Err("user_keys inline: write `<user> <secret>` on each line")
			}
		}
		if len(source.Users) == 0 {
			return nil, d.Err("user_keys inline: write `<user> <secret>` lines in its block")
		}
		return caddyconfig.JSONModuleObject(source, "source", "inline", nil), nil
	case args[0] == "sql":
		return sqlSource(d, args[1:])
	}
	return nil, d.Errf("write `%s`", syntax)
}

// sqlSource reads `user_keys sql`, whose arguments behind that word are given. No error
// shows the DSN.
func sqlSource(d *caddyfile.Dispenser, args []string) (json.RawMessage, error) {
	const syntax = "user_keys sql mysql|postgres {env.NAME} { query <sql> }"
	if len(args) == 0 || !slices.Contains(sql.Drivers, args[0]) {
		return nil, d.Errf("user_keys sql: name the kind of database first, mysql (for MariaDB, too) or postgres, as in `%s`", syntax)
	}
	if len(args) != 2 {
		return nil, d.Errf("user_keys sql: the DSN is missing, which says where the database is; write `%s`", syntax)
	}
	source := sql.Source{Driver: args[0], DSN: args[1]}
	seen := make(block.Seen)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.Once(d); err != nil {
			return nil, err
		}
		var err error
		switch d.Val() {
		case "query":
			words := d.RemainingArgs()
			if len(words) != 1 {
				return nil, d.Err("query takes one argument; put the SQL in backquotes, as in query `SELECT id, secret_token FROM users WHERE id = ?`")
			}
			source.Query = words[0]
		case "ttl":
			source.TTL, err = block.Duration(d)
		case "negative_ttl":
			source.NegativeTTL, err = block.Duration(d)
		case "timeout":
			source.Timeout, err = block.Duration(d)
		case "cache":
			source.Cache, err = block.Int(d, 1)
		case "max_lookups":
			source.MaxLookups, err = block.Int(d, 1)
		default:
			err = block.Unknown(d, []string{"query", "ttl", "negative_ttl", "timeout", "cache", "max_lookups"})
		}
		if err != nil {
			return nil, err
		}
	}
	if source.Query == "" {
		return nil, d.Err("user_keys sql: the query is missing; write query `SELECT id, secret_token FROM users WHERE id = ?` in its block")
	}
	return caddyconfig.JSONModuleObject(source, "source", "sql", nil), nil
}

func (s *schemeParser) param(d *caddyfile.Dispenser) error {
	const syntax = "param <name> <class> [<value>...] [min <n>] [max <n>] [optional]"
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
		return d.Errf("param %s: unknown class %q; there are %v", name, p.Class, link.Classes)
	}
	for rest := args[2:]; len(rest) > 0; {
		switch {
		case p.Class == string(link.OneOf) && rest[0] != "optional":
			p.Values, rest = append(p.Values, rest[0]), rest[1:]
		case rest[0] == "optional" && !p.Optional:
			p.Optional, rest = true, rest[1:]
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
			return d.Errf("param %s: unexpected %q; write `%s`", name, rest[0], syntax)
		}
	}
	if s.config.Params == nil {
		s.config.Params = make(map[string]*Param)
	}
	s.config.Params[name] = p
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
