// Package sial is the scheme `sial`: Signed Idempotent Action Links.
package sial

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/signedlink/caddy-signed-link/block"
	engine "github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/schemes/keyedhash"
)

func init() {
	caddy.RegisterModule(Scheme{})
}

// Scheme verifies Signed Idempotent Action Links: "delete this comment" in a mail,
// which works for a person who is not logged in. The signature covers the user, the
// action and its parameters, and each user has a secret of its own (Mobomo, "Signed
// Idempotent Action Links", 2012):
//
//	@actions path /do /do/*
//	signed_link @actions sial {
//		user_keys file /etc/caddy/tokens.csv
//		user {query.user}
//		action {path} prefix /do/
//		params comment
//		signature {query.sig}
//		param user digits
//		param action one_of delete undelete
//		param comment digits
//	}
//
// The message is `{user}{action}{params}{secret}`, its SHA-1 in hex the signature,
// as in the article; every option of `keyed_hash` changes that. A message without
// separators is ambiguous (`delete`, `12`, `3` is `delete`, `1`, `23`) and refused, so
// give `param` rules, and a separator where the application has one.
//
// A user who does not exist gets the same answer as a wrong signature. The claims
// are `user` and `action`. An action link does one thing: do not let the application
// log anybody in because of it.
type Scheme struct {
	keyedhash.Options

	// Where the action is: a parameter, `{query.action}`, or `{path}`. Default:
	// `{query.action}`.
	Action string `json:"action,omitempty"`

	// With `{path}`: the path is exactly this prefix and then the action. The action
	// is letters, digits and `-._~`, as sent.
	Prefix string `json:"prefix,omitempty"`

	// The parameters that are signed, in this order; `*` stands for all that remain,
	// sorted by name.
	Params []string `json:"params,omitempty"`

	// What stands between the values of `params`. Default: nothing.
	Separator string `json:"separator,omitempty"`

	// Sign `name=value` pairs, encoded as a form and joined by `&` (Ruby's to_query,
	// PHP's http_build_query), and not the bare values.
	AsForm bool `json:"as_form,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Scheme) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.signed_link.schemes.sial",
		New: func() caddy.Module { return new(Scheme) },
	}
}

// rest is the entry of Params that stands for all remaining parameters.
const rest = "*"

// NewScheme compiles the scheme.
func (s *Scheme) NewScheme(o link.Options) (link.Scheme, error) {
	if !o.UserKeys {
		return nil, errors.New("each user of an action link has a secret of its own; give them with `user_keys inline`, `user_keys file` or `user_keys sql`")
	}
	if len(s.Tokens) > 0 || s.Path != nil {
		return nil, errors.New("an action link has its own parts, action and params; write `keyed_hash` for links with a token, or a path, of several fields")
	}
	c := s.Config()
	if c.Algorithm == "" {
		c.Algorithm = "sha1"
	}
	if c.Signature == "" {
		c.Signature = "{query.sig}"
	}
	if c.Message == "" {
		c.Message = "{user}{action}{params}"
		if !strings.HasPrefix(c.Algorithm, "hmac-") {
			c.Message += "{secret}"
		}
	}
	user := o.User
	if user == "" {
		user = "{query.user}"
	}
	p := &preset{separator: s.Separator, asForm: s.AsForm, optional: func(name string) bool { return o.Rules[name].Optional }}
	userParameter, err := engine.QueryParameter(user)
	if err != nil {
		return nil, fmt.Errorf("user: %w", err)
	}
	p.user = userParameter
	signed := []string{userParameter}
	if err := p.setAction(s.Action, s.Prefix); err != nil {
		return nil, err
	}
	if p.action != "" {
		signed = append(signed, p.action)
	}
	for i, name := range s.Params {
		switch {
		case name == rest && i != len(s.Params)-1:
			return nil, errors.New("params: * stands for all that remain, so it comes last")
		case name == rest:
			p.rest = true
		case slices.Contains(signed, name):
			return nil, fmt.Errorf("params: %q is signed already", name)
		default:
			signed = append(signed, name)
			p.params = append(p.params, name)
		}
	}
	locals := []string{"user", "action"}
	if len(s.Params) > 0 || strings.Contains(c.Message, "{params}") {
		locals = append(locals, "params")
	}
	c.Preset = engine.Preset{
		Locals:       locals,
		Signed:       signed,
		All:          p.rest,
		Claims:       []string{"user", "action"},
		User:         user,
		NeedsUserKey: true,
		Path:         p.action == "",
		Parts:        p.parts(userParameter),
		Nameless:     p.rest && !p.asForm,
		Natural:      []string{"no_expiry"}, // the article's links have none
		Prepare:      p.prepare,
		Local:        local,
	}
	if p.engine, err = engine.New(c, o); err != nil {
		return nil, err
	}
	p.except = signed
	for _, name := range p.engine.Describe().Expiry {
		if !slices.Contains(p.except, name) {
			p.except = append(p.except, name)
		}
	}
	return p.engine, nil
}

// names are the options of the scheme: its own, and those of keyed_hash but the patterns.
var names = slices.DeleteFunc(append([]string{"action", "params"}, keyedhash.Names...), func(name string) bool {
	return name == "token" || name == "path"
})

// UnmarshalCaddyfile sets up the scheme from its own options. Syntax:
//
//	sial {
//		action <placeholder> [prefix <path>]
//		params <name>... [separator <text>] [as form]
//		# and every option of keyed_hash
//	}
func (s *Scheme) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	seen := make(block.Seen)
	d.Next() // consume the scheme's name
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.Once(d); err != nil {
			return err
		}
		switch d.Val() {
		case "action":
			args, err := block.Args(d, 1, 3, "action {query.NAME}` or `action {path} prefix <path>")
			if err != nil {
				return err
			}
			s.Action = args[0]
			if len(args) > 1 {
				if args[1] != "prefix" || len(args) != 3 {
					return d.Errf("write `action {path} prefix <path>`%s", link.DidYouMean(args[1], []string{"prefix"}))
				}
				s.Prefix = args[2]
			}
		case "params":
			if err := s.unmarshalParams(d); err != nil {
				return err
			}
		case "token", "path": // it has its own reading of both
			return block.UnknownOfScheme(d, names)
		default:
			if known, err := s.UnmarshalOption(d); err != nil {
				return err
			} else if !known {
				return block.UnknownOfScheme(d, names)
			}
		}
	}
	return nil
}

func (s *Scheme) unmarshalParams(d *caddyfile.Dispenser) error {
	const syntax = "params <name>... [separator <text>] [as form]"
	args, err := block.Args(d, 1, 0, syntax)
	if err != nil {
		return err
	}
	for len(args) > 0 {
		switch {
		case args[0] == "separator" && len(args) >= 2 && s.Separator == "":
			s.Separator, args = args[1], args[2:]
		case args[0] == "as" && len(args) >= 2 && args[1] == "form" && !s.AsForm:
			s.AsForm, args = true, args[2:]
		case args[0] == "as" && len(args) >= 2:
			return d.Errf("write `%s`%s", syntax, link.DidYouMean(args[1], []string{"form"}))
		case args[0] == "separator" || args[0] == "as" || s.Separator != "" || s.AsForm:
			return d.Errf("write `%s`%s", syntax, link.DidYouMean(args[0], []string{"separator", "as"}))
		default:
			s.Params, args = append(s.Params, args[0]), args[1:]
		}
	}
	if len(s.Params) == 0 {
		return d.Errf("write `%s`", syntax)
	}
	if s.AsForm && s.Separator != "" {
		return d.Err("params: a form is joined by &; leave the separator out")
	}
	return nil
}

// preset computes what the engine's message leaves to a SIAL.
type preset struct {
	engine    *engine.Scheme
	user      string // the parameter
	action    string // the parameter; empty: the path behind prefix
	prefix    string
	params    []string
	rest      bool
	except    []string // not part of the rest
	separator string
	asForm    bool
	optional  func(name string) bool
}

func (p *preset) setAction(action, prefix string) error {
	if action == "" {
		action = "{query.action}"
	}
	if action == "{path}" || action == "{http.request.uri.path}" {
		if !strings.HasPrefix(prefix, "/") {
			return errors.New("action {path}: write `action {path} prefix /do/`; the path is exactly the prefix and the action")
		}
		if !plainPath(prefix) {
			return fmt.Errorf("action: prefix %q: letters, digits and -._~ between slashes only, without . and .. as segments", prefix)
		}
		p.prefix = strings.TrimSuffix(prefix, "/") + "/"
		return nil
	}
	if prefix != "" {
		return errors.New("action: prefix goes with {path} only")
	}
	var err error
	if p.action, err = engine.QueryParameter(action); err != nil {
		return fmt.Errorf("action: %w, or {path}", err)
	}
	return nil
}

func (p *preset) prepare(r *link.Request, l *link.Link) link.Refusal {
	var action string
	if p.action != "" {
		action, _ = r.Value(p.action)
	} else {
		// Exactly prefix + action, byte for byte as sent: with `/do/x/../delete` or
		// `/do/del%65te` the backend could act on another word than the signed one.
		var ok bool
		action, ok = strings.CutPrefix(r.Path, p.prefix)
		if !ok || strings.Contains(action, "/") || !plainPath(action) {
			return link.Refuse(link.Malformed, "action")
		}
	}
	if action == "" {
		return link.Refuse(link.Malformed, "action")
	}
	user, _ := r.Value(p.user)
	l.Claims.Set("user", user)
	l.Claims.Set("action", action)
	l.Text = p.join(r)
	return link.Refusal{}
}

// plainPath tells whether every segment is made of unreserved characters (RFC 3986)
// and is not a dot segment.
func plainPath(s string) bool {
	token := link.Rule{Class: link.Token, Min: 1, Max: len(s) + 1}
	for seg := range strings.SplitSeq(s, "/") {
		if seg == "." || seg == ".." {
			return false
		}
		if _, ok := token.Check(seg); !ok && seg != "" {
			return false
		}
	}
	return true
}

// pair is a signed parameter, decoded.
type pair struct{ name, value string }

// form is the pair as a form has it.
func (p pair) form() string { return url.QueryEscape(p.name) + "=" + url.QueryEscape(p.value) }

// join is the value of {params}.
func (p *preset) join(r *link.Request) string {
	var few [8]pair
	pairs := few[:0]
	for _, name := range p.params {
		value, ok := r.Value(name)
		if !ok && p.asForm && p.optional(name) {
			continue // without its name; the bare value keeps its place, empty
		}
		pairs = append(pairs, pair{name, value})
	}
	if p.rest {
		first := len(pairs)
		p.engine.Remaining(r, p.except, func(name, value string) { pairs = append(pairs, pair{name, value}) })
		slices.SortStableFunc(pairs[first:], func(a, b pair) int {
			if p.asForm { // Ruby's to_query sorts the pairs as they are encoded
				return strings.Compare(a.form(), b.form())
			}
			return strings.Compare(a.name, b.name)
		})
	}
	switch {
	case len(pairs) == 0:
		return ""
	case len(pairs) == 1 && !p.asForm:
		return pairs[0].value
	}
	var b strings.Builder
	separator := p.separator
	if p.asForm {
		separator = "&"
	}
	for i, kv := range pairs {
		if i > 0 {
			b.WriteString(separator)
		}
		if p.asForm {
			b.WriteString(kv.form())
		} else {
			b.WriteString(kv.value)
		}
	}
	return b.String()
}

// local is the value of a placeholder of the message.
func local(_ *link.Request, l *link.Link, name string) string {
	switch name {
	case "user":
		return l.Claims.Get("user")
	case "action":
		return l.Claims.Get("action")
	default:
		return l.Text
	}
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Scheme)(nil)
	_ link.Factory          = (*Scheme)(nil)
)
