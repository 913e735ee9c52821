// Package keyedhash is the scheme `keyed_hash`: a digest or HMAC over parts of the
// request and a secret, declared in a few lines.
package keyedhash

import (
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/signedlink/caddy-signed-link/block"
	engine "github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/link"
)

func init() {
	caddy.RegisterModule(Scheme{})
}

// Scheme verifies links whose signature is a digest or an HMAC over parts of the
// request and a secret. Most links that applications make by hand are of this kind.
//
// An "autologin" link such as `/autologin?user=jeff&key=31c940…`, whose key is the
// md5 of user and secret, is four lines:
//
//	signed_link /autologin* keyed_hash {file./etc/caddy/link.secret} {
//		algorithm md5
//		message {query.user}{secret}
//		signature {query.key}
//		param user alnum max 32
//	}
//
// The message is a template. Its placeholders are
//
// Placeholder | Value
// ------------|------
// `{query.NAME}` | the parameter, decoded once
// `{raw_query.NAME}` | the parameter as sent
// `{path}`, `{path.N}` | the path, or its segment N counted from 0, decoded once
// `{raw_path}` | the path as sent
// `{query}` | the whole query as sent, less the signature and what `ignore` names
// `{?query}` | the same with a `?` before it; nothing, where nothing is left
// `{sorted_query}` | as `{query}`, its parameters sorted by name
// `{host}`, `{hostport}`, `{scheme}`, `{method}`, `{client_ip}` | of the request
// `{link.NAME}` | a field of a token or path, decoded
// `{raw_link.NAME}` | a field of a path as sent
// `{secret}` | the secret; with a digest only, an HMAC has it as its key
//
// `\{`, `\}` and `\\` stand for themselves, `\n` and `\t` are a line break and a tab.
//
// A parameter may hold several fields, and a path may. A pattern names them, `<signature>`
// among them:
//
//	signed_link /unsubscribe* keyed_hash {file./etc/caddy/link.secret} {
//		path /unsubscribe/<email>/<signature> to /unsubscribe/{link.email}
//		algorithm hmac-sha256
//		message {link.email}
//		param {link.email} email
//	}
//
// A field ends where the text behind it occurs first; `<name...>` may hold anything, and what
// stands behind it is cut from the right. A token is decoded once and then cut; a path is cut
// as it was sent, and then each field is decoded once. A path that backends could read in
// several ways is no link. The path behind `to` is internal: nobody comes there but by a
// link, in this site and in others before the same backend.
//
// Every parameter in the message must be in the link, unless its `param` rule says
// `optional`.
type Scheme struct {
	Options
}

// Options are the options of the engine, shared with the schemes that are presets
// of it.
type Options struct {
	// How the signature is computed: `md5`, `sha1`, `sha224`, `sha256`, `sha384`,
	// `sha512`, `sha512-224`, `sha512-256`, `sha3-224`, `sha3-256`, `sha3-384`, `sha3-512`, or
	// one of them behind `hmac-`. Default: needed with `keyed_hash`; `sha1` with `sial`.
	Algorithm string `json:"algorithm,omitempty"`

	// What is signed, as a template. Default: needed with `keyed_hash`;
	// `{user}{action}{params}{secret}` with `sial`.
	Message string `json:"message,omitempty"`

	// What carries the signature, as a placeholder: a parameter, `{query.key}`, or a segment
	// of the path, `{path.3}`, which is the last one and is cut for the backend. Default:
	// needed with `keyed_hash`, unless `<signature>` stands in a pattern; `{query.sig}` with
	// `sial`.
	Signature string `json:"signature,omitempty"`

	// Parameters that hold several fields. Default: none.
	Tokens []*Token `json:"tokens,omitempty"`

	// The form of the path, with its fields. Default: any path.
	Path *Path `json:"path,omitempty"`

	// How the signature is written: `hex`, `base64` or `base64url`. Base64 is
	// accepted with and without padding. Default: `hex`.
	Encoding string `json:"encoding,omitempty"`

	// Whether upper-case hex digits are accepted, too. Default: `false`, because
	// the applications that make these links compare text.
	AnyCase bool `json:"any_case,omitempty"`

	// Whether base64 with padding is refused. Default: `false`, because mail programs and
	// signers of one family differ in it.
	Unpadded bool `json:"unpadded,omitempty"`

	// How many characters of the signature a link carries. Default: all.
	Truncate int `json:"truncate,omitempty"`

	// Whether these are its last characters, of hex, and not the first. Default: `false`.
	TruncateLast bool `json:"truncate_last,omitempty"`

	// What says until when a link is valid. It must be part of the message. A link is valid
	// up to and including the second named, and through the day named.
	Expires *Time `json:"expires,omitempty"`

	// What says when a link was made. It must be part of the message.
	Issued *Time `json:"issued,omitempty"`
}

// Token is a parameter that holds several fields.
type Token struct {
	// The parameter, as a placeholder: `{query.t}`. It is decoded once.
	Parameter string `json:"parameter"`

	// How it is decoded then, in this order: `unbase64`, `unbase64url`, `unhex`. Default:
	// not at all.
	Apply []string `json:"apply,omitempty"`

	// What it is made of: text and fields, such as `<id>-<signature>`.
	Pattern string `json:"pattern"`
}

// Path is the form of a path with fields.
type Path struct {
	// What it is made of: text and fields, such as `/dl/<signature>/<file...>`.
	Pattern string `json:"pattern"`

	// The path that the backend gets: text, and fields of the pattern as `{link.file}`.
	// Nobody comes there but by a link. Default: the path as it came.
	To string `json:"to,omitempty"`

	// Whether others may come to that path, too. Default: `false`.
	Public bool `json:"public,omitempty"`
}

// Time says where a time stands in a link, and how.
type Time struct {
	// A parameter, `{query.expires}`, a field, `{link.expires}`, or a segment of the path,
	// `{path.2}`.
	Parameter string `json:"parameter"`

	// How the time is written: `unix` (seconds), `unix_ms` (milliseconds), `rfc3339`, `hex`
	// (seconds), `base62`, `base64`, or as it looks, such as `YYYY-MM-DD hh:mm:ss`. Where
	// `params` has no rule for it, a text of another length than that of today's times is
	// malformed. Default: `unix`.
	Format string `json:"format,omitempty"`

	// The zone of a time that does not name its own, such as `Europe/Berlin`. Default: UTC.
	Zone string `json:"zone,omitempty"`

	// What is added to the time: a number, or a placeholder. Default: nothing.
	Plus string `json:"plus,omitempty"`

	// The unit of that: `seconds`, `minutes`, `hours` or `days`.
	Unit string `json:"unit,omitempty"`

	// The word in the place of the time, or of what is added, that means: for ever.
	// Default: none.
	Never string `json:"never,omitempty"`

	// Whether the link is valid no more at the time named. Default: `false`.
	Exclusive bool `json:"exclusive,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Scheme) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.signed_link.schemes.keyed_hash",
		New: func() caddy.Module { return new(Scheme) },
	}
}

// NewScheme compiles the scheme.
func (s *Scheme) NewScheme(o link.Options) (link.Scheme, error) {
	return engine.New(s.Config(), o)
}

// Config is what the engine is given.
func (o Options) Config() engine.Config {
	c := engine.Config{
		Algorithm: o.Algorithm,
		Message:   o.Message,
		Signature: o.Signature,
		Encoding:  o.Encoding,
		AnyCase:   o.AnyCase,
		Unpadded:  o.Unpadded,
		Truncate:  o.Truncate,

		TruncateLast: o.TruncateLast,
	}
	for _, t := range o.Tokens {
		c.Tokens = append(c.Tokens, engine.Token{Parameter: t.Parameter, Transforms: t.Apply, Pattern: t.Pattern})
	}
	if o.Path != nil {
		c.Path = &engine.Path{Pattern: o.Path.Pattern, To: o.Path.To, Public: o.Path.Public}
	}
	c.Expires, c.Issued = o.Expires.config(), o.Issued.config()
	return c
}

func (t *Time) config() engine.Time {
	if t == nil {
		return engine.Time{}
	}
	return engine.Time{
		Value: t.Parameter, Format: t.Format, Zone: t.Zone, Plus: t.Plus, Unit: t.Unit, Never: t.Never, Exclusive: t.Exclusive,
	}
}

// Names are the options that [Options.UnmarshalOption] knows.
var Names = []string{"algorithm", "message", "signature", "token", "path", "encoding", "truncate", "expires", "issued"}

// UnmarshalCaddyfile sets up the scheme from its own options. Syntax:
//
//	keyed_hash {
//		algorithm [hmac-]<digest>
//		message   <template>
//		signature <placeholder>
//		token     <placeholder> [unbase64|unbase64url|unhex]... <pattern>
//		path      <pattern> [to <path> [public]]
//		encoding  hex|base64|base64url|base64_hex [any_case|unpadded]
//		truncate  [last] <characters>
//		expires   <placeholder> [<format> [in <zone>]] [plus <number or placeholder> seconds|minutes|hours|days] [never <word>] [exclusive]
//		issued    <placeholder> [<format> [in <zone>]]
//	}
func (s *Scheme) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	seen := make(block.Seen)
	d.Next() // consume the scheme's name
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "token" { // of which there may be several
			if err := seen.Once(d); err != nil {
				return err
			}
		}
		if known, err := s.UnmarshalOption(d); err != nil {
			return err
		} else if !known {
			return block.UnknownOfScheme(d, Names)
		}
	}
	return nil
}

// UnmarshalOption reads the option at the dispenser, if it is one of [Names].
func (o *Options) UnmarshalOption(d *caddyfile.Dispenser) (known bool, err error) {
	switch d.Val() {
	case "algorithm":
		o.Algorithm, err = block.Arg(d, "the name of a digest or HMAC, such as hmac-sha256")
	case "message":
		o.Message, err = block.Arg(d, "one template, such as {query.user}{secret}; quote it if it holds blanks")
	case "signature":
		o.Signature, err = block.Arg(d, "the parameter of the signature, such as {query.key}")
	case "token":
		err = o.unmarshalToken(d)
	case "path":
		err = o.unmarshalPath(d)
	case "encoding":
		var args []string
		args, err = block.Args(d, 1, 2, "encoding hex|base64|base64url|base64_hex [any_case|unpadded]")
		if err == nil {
			o.Encoding = args[0]
			if len(args) == 2 {
				o.AnyCase, o.Unpadded = args[1] == "any_case", args[1] == "unpadded"
				if !o.AnyCase && !o.Unpadded {
					return true, d.Errf("encoding: %q is neither any_case nor unpadded%s", link.Shown(args[1]), link.DidYouMean(args[1], []string{"any_case", "unpadded"}))
				}
			}
		}
	case "truncate":
		o.Truncate, o.TruncateLast, err = unmarshalTruncate(d)
	case "expires":
		o.Expires, err = unmarshalTime(d)
	case "issued":
		o.Issued, err = unmarshalTime(d)
	default:
		return false, nil
	}
	return true, err
}

// unmarshalTruncate reads how many characters of a signature links carry, and whether they
// are the last ones.
func unmarshalTruncate(d *caddyfile.Dispenser) (n int, last bool, err error) {
	const form = "truncate [last] <characters>"
	args, err := block.Args(d, 1, 2, form)
	if err != nil {
		return 0, false, err
	}
	if len(args) == 2 {
		if args[0] != "last" {
			return 0, false, d.Errf("truncate: %q is not `last`%s; write `%s`", link.Shown(args[0]), link.DidYouMean(args[0], []string{"last"}), form)
		}
		last, args = true, args[1:]
	}
	if n, err = strconv.Atoi(args[0]); err != nil || n < engine.MinLength {
		return 0, false, d.Errf("truncate %s: write a whole number of at least %d", link.Shown(args[0]), engine.MinLength)
	}
	return n, last, nil
}

func (o *Options) unmarshalToken(d *caddyfile.Dispenser) error {
	args, err := block.Args(d, 2, 0, "token {query.NAME} [unbase64|unbase64url|unhex]... <pattern>")
	if err != nil {
		return err
	}
	last := len(args) - 1
	o.Tokens = append(o.Tokens, &Token{Parameter: args[0], Apply: args[1:last:last], Pattern: args[last]})
	return nil
}

func (o *Options) unmarshalPath(d *caddyfile.Dispenser) error {
	const syntax = "path <pattern> [to <path> [public]]"
	args, err := block.Args(d, 1, 4, syntax)
	if err != nil {
		return err
	}
	o.Path = &Path{Pattern: args[0]}
	switch {
	case len(args) == 1:
		return nil
	case len(args) == 2 || args[1] != "to":
		return d.Errf("path: unexpected %q; write `%s`", link.Shown(args[1]), syntax)
	}
	o.Path.To = args[2]
	if len(args) == 4 {
		if args[3] != "public" {
			return d.Errf("path: %q is not public", link.Shown(args[3]))
		}
		o.Path.Public = true
	}
	return nil
}

// unmarshalTime reads a time. Its words come in this order, each once.
func unmarshalTime(d *caddyfile.Dispenser) (*Time, error) {
	option := d.Val()
	syntax := option + " <placeholder> [<format> [in <zone>]]"
	if option == "expires" {
		syntax += " [plus <number or placeholder> seconds|minutes|hours|days] [never <word>] [exclusive]"
	}
	args, err := block.Args(d, 1, 0, syntax)
	if err != nil {
		return nil, err
	}
	t := &Time{Parameter: args[0]}
	words := []string{"in", "plus", "never", "exclusive"}
	rest := args[1:]
	if len(rest) > 0 && !slices.Contains(words, rest[0]) {
		t.Format, rest = rest[0], rest[1:]
	}
	take := func(word string, into ...*string) {
		if len(rest) > len(into) && rest[0] == word {
			for i, field := range into {
				*field = rest[i+1]
			}
			rest = rest[len(into)+1:]
		}
	}
	take("in", &t.Zone)
	take("plus", &t.Plus, &t.Unit)
	take("never", &t.Never)
	if len(rest) > 0 && rest[0] == "exclusive" {
		t.Exclusive, rest = true, rest[1:]
	}
	if len(rest) > 0 {
		return nil, d.Errf("%s: unexpected %q%s; write `%s`", option, link.Shown(rest[0]), link.DidYouMean(rest[0], words), syntax)
	}
	return t, nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Scheme)(nil)
	_ link.Factory          = (*Scheme)(nil)
)
