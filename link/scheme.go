package link

import (
	"bytes"
	"strings"

	"github.com/signedlink/caddy-signed-link/query"
)

// Coverage says how much of the query a scheme's message covers.
type Coverage uint8

// The coverages.
const (
	Named  Coverage = iota // the parameters named in Description.Signed
	Raw                    // the whole query as it stands, less the signature and ignored names
	Sorted                 // every parameter, sorted by name, less the signature and ignored names
)

// Description is what a scheme says about itself when it is built. It is static:
// the gateway derives the protected names, the coverage of templates, and the
// defaults from it.
type Description struct {
	// Signature names the parameters that carry the signature, the key id, or a
	// whole token. Their presence makes a request a link.
	Signature []string
	// Signed names the further parameters that the message covers.
	Signed []string
	// Expiry names the parameters that carry the link's expiry or time of issue; they
	// are stripped with the signature. One that is not among Signed is not covered
	// by the message (`allow unsigned_expiry`).
	Expiry []string
	// Expires and Issues say whether links may state an expiry and a time of issue.
	Expires, Issues bool
	// Carriers names further parameters that the scheme takes apart: they carry fields, and
	// the message does not cover them as they stand.
	Carriers []string
	// Fields names what stands in [Link.Fields], in that order: the parts of tokens and
	// paths, which templates have as {link.NAME}.
	Fields []string
	// Determined names those of the fields that the signature determines. Nothing that the
	// gateway says of a link may be made of another one.
	Determined []string
	// Carrier says how links stand in the path; nil where the query alone tells.
	Carrier *Carrier
	// Alphabet tells the bytes of a signature that is a part of the path or of a token, and
	// Length how many it has, so that logs can be kept clean of it.
	Alphabet func(c byte) bool
	Length   int
	// Rules are `param` rules that the scheme adds to the operator's or puts in their place,
	// by their names as in [Options].
	Rules map[string]Rule
	// Policy is what the scheme demands of a link's times where the operator demands nothing.
	Policy Policy
	// Coverage says whether the message covers more than the named parameters.
	Coverage Coverage
	// Path, Host and Method say whether the message covers them.
	Path, Host, Method bool
	// RawPath says that it covers the path as it was sent: of one that is decoded in the
	// message, a client chooses the spelling.
	RawPath bool
	// PathSegments are the numbers of single segments of the path that it covers.
	PathSegments []int
	// Claims names the values that a verified link states.
	Claims []string
	// Headers are further headers of a verified request, each made of one claim. Those of
	// the gateway itself, such as X-Verified-User, and those that mean something to proxies
	// and servers, do not load.
	Headers []ClaimHeader
	// User is the template of the identity where the operator sets none; empty if
	// there is no natural one.
	User string
	// NeedsUserKey says that the scheme cannot do without a secret per user.
	NeedsUserKey bool
}

// ClaimHeader is a header that carries a claim.
type ClaimHeader struct{ Header, Claim string }

// Names returns the signature parameters and the signed ones.
func (d *Description) Names() []string {
	return append(append([]string(nil), d.Signature...), d.Signed...)
}

// Scheme verifies one family of links. It is built once, when the configuration
// loads, and used by many requests at once; it reads no clock, no network and no
// store, and never panics, whatever the request.
//
// The shapes it carries: a token in one parameter (Read splits it into Link.Fields), a hash
// over parameters, over the whole URL (Coverage), a payload whose fields become claims
// (Read or Verify sets them), a signature in the path (Description.Carrier, Link.Path), an
// asymmetric key (Verify gets its bytes), a secret of the user (Description.NeedsUserKey), a
// key id in the link (Link.KeyID).
type Scheme interface {
	// Describe returns the same description each time.
	Describe() Description
	// Read takes the signature, the fields, the claims, the key id and the time window out
	// of the request. It does no cryptography, and knows no user yet: whose key verifies the
	// link may stand in what it reads. What it refuses is [Malformed], or [Ambiguous] where
	// decoding hides a delimiter.
	Read(r *Request, l *Link) Refusal
	// Verify reports whether the key makes the signature that Read found. It
	// compares in constant time, and takes the same path for every key.
	Verify(r *Request, l *Link, key []byte) bool
}

// Verifier is [Scheme.Verify] of one scheme with one key. It is a function because it
// holds a secret: what prints by reflection sees into structs and slices, and not into
// functions.
type Verifier func(r *Request, l *Link) bool

// Binder is what a scheme implements that can do a part of its work on a key once: the
// first block of a digest, the two of an HMAC, the parsing of a public key.
type Binder interface {
	Scheme
	// Bind returns Verify with a key. It copies of the key what it needs. What it
	// returns says for each link what Verify says, in a time that depends on no more.
	Bind(key []byte) Verifier
}

// Bind returns the scheme's Verify with a key, prepared if the scheme is a [Binder].
// The gateway binds the keys of key sets, which are few, once for each set. It does not
// bind users' own keys: there may be a million of them, and each is seldom used.
func Bind(s Scheme, key []byte) Verifier {
	if b, ok := s.(Binder); ok {
		return b.Bind(key)
	}
	own := bytes.Clone(key)
	return func(r *Request, l *Link) bool { return s.Verify(r, l, own) }
}

// Options are the options of every scheme that a scheme needs to know when it is
// built.
type Options struct {
	// User is the template of the identity as the operator wrote it, or "".
	User string
	// Nobody says that the operator wants no identity of the links, `user none`: what would
	// be one by itself is a value like any other then, and may be empty.
	Nobody bool
	// UserKeys says that each user has a secret of its own.
	UserKeys bool
	// Rules are the `param` lines: by the bare name of a parameter or claim, and by the
	// placeholder of anything else, {link.NAME} or {path.N}.
	Rules map[string]Rule
	// Ignore names what mailers add (`utm_*`): outside every message, never trusted.
	Ignore Ignore
	// Allow holds the findings that the operator allowed.
	Allow map[string]bool
	// Between holds pairs of placeholders between which the operator allowed
	// `ambiguous_message`, as `allow ambiguous_message between {a} {b}` has them.
	Between [][2]string
}

// Scoped is implemented by a [Scheme] that can say of a link whose signature is right that it
// was made for something else: another audience, purpose, path or address.
type Scoped interface {
	Scheme
	// InScope returns [OutOfScope] with a detail, or nothing. It is asked when signature and
	// times are right.
	InScope(r *Request, l *Link) Refusal
}

// Factory is what a guest module in the namespace http.signed_link.schemes
// implements: it builds the scheme from its own configuration and the common
// options. Errors say what is wrong and how to cure it.
type Factory interface {
	NewScheme(o Options) (Scheme, error)
}

// Ignore is a list of parameter names; one that ends in '*' is a prefix.
type Ignore []string

// Match reports whether the raw name is on the list, letter for letter but for brackets,
// which may be encoded.
func (ig Ignore) Match(name string) bool {
	for _, e := range ig {
		if e == "" || name == "" || e[0] != name[0] && e[0] != '*' && name[0] != '%' {
			continue
		}
		if prefix, ok := strings.CutSuffix(e, "*"); ok && query.BeginsNamed(name, prefix) || query.IsNamed(name, e) {
			return true
		}
	}
	return false
}
