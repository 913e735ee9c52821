// Package akid is the scheme `akid`: the identifiers that ActionKit puts into the
// links it mails.
package akid

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/signedlink/caddy-signed-link/block"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/pattern"
	"github.com/signedlink/caddy-signed-link/query"
)

func init() {
	caddy.RegisterModule(Scheme{})
}

// DefaultLength is the number of characters of an AKID's hash.
const DefaultLength = 6

// Scheme verifies ActionKit identifiers: `akid=2695.103007.yiZBRy` is mailing,
// user and hash; without a mailing it is `akid=.103007.krujSf`. The hash is the
// first six characters of base64url(sha256(SECRET + "." + CLEARTEXT)), where
// CLEARTEXT is everything before the last dot, a leading dot included (ActionKit,
// "ActionKit Hashing EXPOSED").
//
// The claims are `user` and `mailing`; the mailing goes to the backend as
// `X-Verified-Mailing` where the link has one.
//
// An AKID has no expiry and names no page: whoever holds one is recognised as its
// user, for ever and everywhere. Six characters are 36 bits. ActionKit itself ignores
// an AKID that does not verify, so `recognize` is the mode that fits, and anything
// that needs a login needs more than an AKID.
//
// With `text` the scheme verifies custom text that ActionKit's `custom_hash` filter
// signed with the same secret; the claim is `text`, and the user is nobody unless
// `user` says otherwise.
type Scheme struct {
	// The parameter that carries the AKID, as a placeholder. Default: `{query.akid}`.
	Token string `json:"token,omitempty"`

	// How many characters the hash has. Default: 6.
	Truncate int `json:"truncate,omitempty"`

	// Verify text made by `custom_hash` in place of AKIDs.
	Text *Text `json:"text,omitempty"`
}

// Text says which texts are accepted. Text in the shape of an AKID is refused unless
// `allow akid_shape` is given: both are signed with one secret, so a page that signs
// a text that a visitor influences would mint AKIDs.
type Text struct {
	// The alphabet: `digits`, `hex`, `alnum`, `token`, `email` or `text`.
	Class string `json:"class"`

	// The longest text, in bytes. Default: 256.
	Max int `json:"max,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Scheme) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.signed_link.schemes.akid",
		New: func() caddy.Module { return new(Scheme) },
	}
}

// NewScheme compiles the scheme.
func (s *Scheme) NewScheme(o link.Options) (link.Scheme, error) {
	token := s.Token
	if token == "" {
		token = "{query.akid}"
	}
	name, err := keyedhash.QueryParameter(token)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	if o.UserKeys {
		return nil, fmt.Errorf("user_keys: every AKID is signed with the one secret of the ActionKit instance; give it with secret or keys")
	}
	length := s.Truncate
	if length == 0 {
		length = DefaultLength
	}
	sha256, err := keyedhash.ParseAlgorithm("sha256")
	if err != nil {
		return nil, err
	}
	mac, err := keyedhash.NewMAC(sha256, keyedhash.Base64URL, length)
	if err != nil {
		return nil, err
	}
	a := &akid{parameter: name, mac: mac, allowShape: o.Allow["akid_shape"]}
	if s.Text != nil {
		if s.Text.Class == string(link.OneOf) {
			return nil, fmt.Errorf("text: one_of has no place here; write a class such as token")
		}
		rule, err := link.NewRule(link.Rule{Class: link.Class(s.Text.Class), Max: s.Text.Max})
		if err != nil {
			return nil, fmt.Errorf("text: %w", err)
		}
		a.text = &rule
	}
	return a, nil
}

// UnmarshalCaddyfile sets up the scheme from its own options. Syntax:
//
//	akid {
//		token    <placeholder>
//		truncate <characters>
//		text     <class> [max <bytes>]
//	}
func (s *Scheme) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	seen := make(block.Seen)
	d.Next() // consume the scheme's name
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.Once(d); err != nil {
			return err
		}
		var err error
		switch d.Val() {
		case "token":
			s.Token, err = block.Arg(d, "the parameter of the AKID, such as {query.akid}")
		case "truncate":
			s.Truncate, err = block.Int(d, keyedhash.MinLength)
		case "text":
			s.Text, err = unmarshalText(d)
		default:
			err = block.UnknownOfScheme(d, []string{"token", "truncate", "text"})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func unmarshalText(d *caddyfile.Dispenser) (*Text, error) {
	if !d.NextArg() {
		return nil, d.Err("write `text <class> [max <bytes>]`")
	}
	t := &Text{Class: d.Val()}
	if d.NextArg() {
		if d.Val() != "max" {
			return nil, d.Errf("text: %q is not max%s", link.Shown(d.Val()), link.DidYouMean(d.Val(), []string{"max"}))
		}
		n, err := block.Int(d, 1)
		if err != nil {
			return nil, err
		}
		t.Max = n
	}
	return t, nil
}

// akid is the compiled scheme.
type akid struct {
	parameter  string
	mac        keyedhash.MAC
	text       *link.Rule // nil: AKIDs
	allowShape bool
}

// Describe implements [link.Scheme]. The whole token is the signature parameter:
// what is left of it without the hash means nothing to ActionKit.
func (a *akid) Describe() link.Description {
	d := link.Description{Signature: []string{a.parameter}}
	if a.text != nil {
		d.Claims, d.User = []string{"text"}, "none"
	} else {
		d.Claims, d.User = []string{"user", "mailing"}, "{claim.user}"
		d.Headers = []link.ClaimHeader{{Header: "X-Verified-Mailing", Claim: "mailing"}}
	}
	return d
}

// form is what an AKID is made of. Behind the last dot comes the hash.
var form = func() *pattern.Pattern {
	p, err := pattern.Parse("<cleartext...>.<signature>")
	if err != nil {
		panic(err)
	}
	return p
}()

// Read implements [link.Scheme].
func (a *akid) Read(r *link.Request, l *link.Link) link.Refusal {
	token, _ := r.Value(a.parameter)
	var parts [2]string
	if !form.Split(token, parts[:]) {
		return link.Refuse(link.Malformed, "token")
	}
	cleartext, hash := parts[0], parts[1]
	if len(hash) != a.mac.Length || !isBase64URL(hash) {
		return link.Refuse(link.Malformed, "token")
	}
	l.Signature, l.Text = hash, cleartext
	mailing, user, shaped := Split(cleartext)
	if a.text == nil {
		if !shaped {
			return link.Refuse(link.Malformed, "token")
		}
		l.Claims.Set("user", user)
		l.Claims.Set("mailing", mailing)
		return link.Refusal{}
	}
	if shaped && !a.allowShape {
		return link.Refuse(link.Malformed, "akid_shape")
	}
	if detail, ok := a.text.Check(cleartext); !ok {
		return link.Refuse(link.Malformed, detail)
	}
	l.Claims.Set("text", cleartext)
	return link.Refusal{}
}

// Verify implements [link.Scheme].
func (a *akid) Verify(_ *link.Request, l *link.Link, key []byte) bool {
	var buf [512]byte
	return a.mac.Equal(l.Signature, key, a.AppendMessage(buf[:0], nil, l, key))
}

// Bind implements [link.Binder]. The secrets of ActionKit have 64 characters, which are
// exactly one block of SHA-256.
func (a *akid) Bind(key []byte) link.Verifier {
	prepared := a.mac.Key(key, append(bytes.Clone(key), '.'))
	return func(_ *link.Request, l *link.Link) bool {
		var buf [256]byte
		return prepared.Equal(l.Signature, append(buf[:0], l.Text...))
	}
}

// AppendMessage implements [link.Messenger].
func (*akid) AppendMessage(dst []byte, _ *link.Request, l *link.Link, key []byte) []byte {
	dst = append(dst, key...)
	dst = append(dst, '.')
	return append(dst, l.Text...)
}

// Sign implements [link.Signer]. The claims are `user` and, where there is one,
// `mailing`; with `text`, the text.
func (a *akid) Sign(r *link.Request, g link.Grant, key []byte) (string, error) {
	if !g.Expires.IsZero() {
		return "", errors.New("an AKID says nothing of when it expires")
	}
	l := link.Link{Text: g.Claims.Get("mailing") + "." + g.Claims.Get("user")}
	if a.text != nil {
		l.Text = g.Claims.Get("text")
	}
	token := string(a.mac.AppendSignature([]byte(l.Text+"."), key, a.AppendMessage(nil, r, &l, key)))
	raw := query.Set(r.Query.Raw, a.parameter, token)
	signed := link.Request{Path: r.Path}
	if err := signed.Query.Parse(raw); err != nil {
		return "", err
	}
	switch refusal := a.Read(&signed, new(link.Link)); {
	case refusal.None():
		return r.Path + "?" + raw, nil
	case a.text != nil:
		return "", fmt.Errorf("the scheme does not accept this text (%s)", refusal)
	default:
		return "", fmt.Errorf("an AKID names its user by a number, and its mailing by letters and digits (%s)", refusal)
	}
}

// Split takes the cleartext of an AKID apart: `mailing.user` or `.user`. The user is a
// number; the mailing is letters, digits, '_' and '-', and may be empty. Leading zeros
// are kept: they are part of what was signed. A number without a dot is no AKID: the
// custom_hash filter signs bare numbers of other kinds, which would be AKIDs then.
func Split(cleartext string) (mailing, user string, ok bool) {
	dot := strings.LastIndexByte(cleartext, '.')
	if dot < 0 {
		return "", "", false
	}
	mailing, user = cleartext[:dot], cleartext[dot+1:]
	if user == "" || len(user) > 20 || len(mailing) > 64 {
		return "", "", false
	}
	for i := range len(user) {
		if user[i] < '0' || user[i] > '9' {
			return "", "", false
		}
	}
	return mailing, user, isBase64URL(mailing)
}

// isBase64URL reports whether s holds nothing but letters, digits, '-' and '_'.
func isBase64URL(s string) bool {
	for i := range len(s) {
		if !base64URL[s[i]] {
			return false
		}
	}
	return true
}

var base64URL = func() (is [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		is[c] = true
	}
	return is
}()

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Scheme)(nil)
	_ link.Factory          = (*Scheme)(nil)
	_ link.Scheme           = (*akid)(nil)
	_ link.Signer           = (*akid)(nil)
	_ link.Messenger        = (*akid)(nil)
	_ link.Binder           = (*akid)(nil)
)
