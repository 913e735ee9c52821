// Package keyedhash is the scheme `keyed_hash`: a digest or HMAC over parts of the
// request and a secret, declared in a few lines.
package keyedhash

import (
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
// `{sorted_query}` | the same, its parameters sorted by name
// `{host}`, `{hostport}`, `{scheme}`, `{method}`, `{client_ip}` | of the request
// `{secret}` | the secret; with a digest only, an HMAC has it as its key
//
// Every parameter in the message must be in the link, unless its `param` rule says
// `optional`.
type Scheme struct {
	Options
}

// Options are the options of the engine, shared with the schemes that are presets
// of it.
type Options struct {
	// How the signature is computed: `md5`, `sha1`, `sha256`, `sha384`, `sha512`, or
	// one of them behind `hmac-`. Default: needed with `keyed_hash`; `sha1` with `sial`.
	Algorithm string `json:"algorithm,omitempty"`

	// What is signed, as a template. Default: needed with `keyed_hash`;
	// `{user}{action}{params}{secret}` with `sial`.
	Message string `json:"message,omitempty"`

	// The parameter that carries the signature, as a placeholder: `{query.key}`.
	// Default: needed with `keyed_hash`; `{query.sig}` with `sial`.
	Signature string `json:"signature,omitempty"`

	// How the signature is written: `hex`, `base64` or `base64url`. Base64 is
	// accepted with and without padding. Default: `hex`.
	Encoding string `json:"encoding,omitempty"`

	// Whether upper-case hex digits are accepted, too. Default: `false`, because
	// the applications that make these links compare text.
	AnyCase bool `json:"any_case,omitempty"`

	// How many characters of the signature a link carries. Default: all.
	Truncate int `json:"truncate,omitempty"`

	// The parameter that says until when a link is valid. It must be part of the
	// message. A link is valid up to and including the second named.
	Expires *Time `json:"expires,omitempty"`

	// The parameter that says when a link was made. It must be part of the message.
	Issued *Time `json:"issued,omitempty"`
}

// Time is a parameter that carries a time.
type Time struct {
	// The parameter, as a placeholder: `{query.expires}`.
	Parameter string `json:"parameter"`

	// How the time is written: `unix` (seconds, at most 10 digits), `unix_ms`
	// (milliseconds, at most 13 digits) or `rfc3339`. Default: `unix`.
	Format string `json:"format,omitempty"`
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
		Truncate:  o.Truncate,
	}
	if o.Expires != nil {
		c.Expires = engine.Time(*o.Expires)
	}
	if o.Issued != nil {
		c.Issued = engine.Time(*o.Issued)
	}
	return c
}

// Names are the options that [Options.UnmarshalOption] knows.
var Names = []string{"algorithm", "message", "signature", "encoding", "truncate", "expires", "issued"}

// UnmarshalCaddyfile sets up the scheme from its own options. Syntax:
//
//	keyed_hash {
//		algorithm [hmac-]md5|sha1|sha256|sha384|sha512
//		message   <template>
//		signature <placeholder>
//		encoding  hex|base64|base64url [any_case]
//		truncate  <characters>
//		expires   <placeholder> [unix|unix_ms|rfc3339]
//		issued    <placeholder> [unix|unix_ms|rfc3339]
//	}
func (s *Scheme) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	seen := make(block.Seen)
	d.Next() // consume the scheme's name
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.Once(d); err != nil {
			return err
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
	case "encoding":
		var args []string
		args, err = block.Args(d, 1, 2, "encoding hex|base64|base64url [any_case]")
		if err == nil {
			o.Encoding = args[0]
			if len(args) == 2 {
				if args[1] != "any_case" {
					return true, d.Errf("encoding: %q is not any_case", args[1])
				}
				o.AnyCase = true
			}
		}
	case "truncate":
		o.Truncate, err = block.Int(d, engine.MinLength)
	case "expires":
		o.Expires, err = unmarshalTime(d)
	case "issued":
		o.Issued, err = unmarshalTime(d)
	default:
		return false, nil
	}
	return true, err
}

func unmarshalTime(d *caddyfile.Dispenser) (*Time, error) {
	option := d.Val()
	args, err := block.Args(d, 1, 2, option+" {query.NAME} [unix|unix_ms|rfc3339]")
	if err != nil {
		return nil, err
	}
	t := &Time{Parameter: args[0]}
	if len(args) == 2 {
		t.Format = args[1]
	}
	return t, nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Scheme)(nil)
	_ link.Factory          = (*Scheme)(nil)
)
