// Package link holds the concepts that schemes and the gateway share: the view of a
// request that a scheme may read, what a verified link claims, why a link is
// refused, and the [Scheme] interface itself. It imports the standard library and
// the query reader only, so that a scheme can be written and tested without Caddy.
package link

import (
	"bytes"
	"strings"
	"time"

	"github.com/signedlink/caddy-signed-link/query"
)

// Reason is the stable code of a refusal. It appears in logs, metrics, placeholders
// and as `{err.message}`; it never says more than the client may know.
type Reason string

// The reasons. The comment gives the HTTP status that a refusal has by default.
const (
	Missing         Reason = "missing"          // 401: no signature parameter
	Malformed       Reason = "malformed"        // 400: not a link of this scheme
	Ambiguous       Reason = "ambiguous"        // 400: two readers could read it differently
	BadSignature    Reason = "bad_signature"    // 401: no key makes this signature
	Expired         Reason = "expired"          // 410: the signature is right, the time is over
	NotYetValid     Reason = "not_yet_valid"    // 401: the signature is right, the time has not come
	Method          Reason = "method"           // 405: the signature is right, the method is not allowed
	Body            Reason = "body"             // 400: the signature is right, the body may contradict it
	KeysUnavailable Reason = "keys_unavailable" // 503: the key source cannot answer now
	Throttled       Reason = "throttled"        // 429: too many failures
)

// Reasons lists every reason, in the order of the way of a request.
var Reasons = []Reason{
	Missing, Malformed, Ambiguous, BadSignature, Expired, NotYetValid,
	Method, Body, KeysUnavailable, Throttled,
}

// Refusal is why a link does not verify: a reason and its finer word, the detail.
// The zero value is no refusal.
type Refusal struct {
	Reason Reason
	Detail string // `duplicate`, `lookalike`, `charset`, …; may be empty
}

// None reports that there is no refusal.
func (r Refusal) None() bool { return r.Reason == "" }

// String is the reason, and the detail behind a slash.
func (r Refusal) String() string {
	if r.Detail == "" {
		return string(r.Reason)
	}
	return string(r.Reason) + "/" + r.Detail
}

// Refuse makes a refusal.
func Refuse(reason Reason, detail string) Refusal { return Refusal{reason, detail} }

// Request is what a scheme may read of a request: its line as the client sent it,
// and nothing that another handler could have changed. No header but Host is in it.
type Request struct {
	Method   string      // as sent
	Scheme   string      // "http" or "https", of the connection to this server
	Host     string      // the Host field or :authority, with its port if it has one
	Path     string      // as sent, percent-encoded, without the query
	ClientIP string      // Caddy's client IP: trusted_proxies decide
	Query    query.Query // as sent
}

// Value returns the decoded value of the parameter that is spelled exactly like
// name, and whether there is one.
func (r *Request) Value(name string) (string, bool) {
	p, ok := r.Query.Find(name)
	if !ok {
		return "", false
	}
	return r.Query.Value(p), true
}

// RawValue is [Request.Value] without decoding.
func (r *Request) RawValue(name string) (string, bool) {
	p, ok := r.Query.Find(name)
	if !ok {
		return "", false
	}
	return r.Query.RawValue(p), true
}

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
	// Coverage says whether the message covers more than the named parameters.
	Coverage Coverage
	// Path, Host and Method say whether the message covers them.
	Path, Host, Method bool
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

// Link is what one scheme read out of one request. The gateway makes one, has the
// scheme fill it, and believes its claims only after [Scheme.Verify] said yes.
type Link struct {
	// KeyID is the key id that the link names; empty means every key is tried.
	KeyID string
	// User is the identity under which a key is looked up in user keys. The gateway
	// fills it from the definition's user template before Read.
	User string
	// Claims are the values that the link states, by the names of the description. The
	// gateway lends an empty slice with room for some, so that they need no memory.
	Claims Claims
	// Expires and Issued are the link's time window, as text.
	Expires, Issued Timestamp
	// Signature is the signature's text, for the scheme's own use.
	Signature string
	// Text is what was signed, for schemes that take it out of a token.
	Text string
}

// Claims are named values of a link.
type Claims []Claim

// Claim is one named value.
type Claim struct{ Name, Value string }

// Get returns the value of the claim, or "" if the link does not state it.
func (c Claims) Get(name string) string {
	for i := range c {
		if c[i].Name == name {
			return c[i].Value
		}
	}
	return ""
}

// Set adds the claim, or changes it.
func (c *Claims) Set(name, value string) {
	for i := range *c {
		if (*c)[i].Name == name {
			(*c)[i].Value = value
			return
		}
	}
	*c = append(*c, Claim{name, value})
}

// Scheme verifies one family of links. It is built once, when the configuration
// loads, and used by many requests at once; it reads no clock, no network and no
// store, and never panics, whatever the request.
//
// The shapes it carries: a token in one parameter (Read splits it), a hash over
// parameters, over the whole URL (Coverage), a payload whose fields become claims
// (Read or Verify sets them), a signature in the path, an asymmetric key (Verify
// gets its bytes), a secret of the user (Description.NeedsUserKey), a key id in the
// link (Link.KeyID).
type Scheme interface {
	// Describe returns the same description each time.
	Describe() Description
	// Read takes the signature, the claims, the key id and the time window out of
	// the request. It does no cryptography. What it refuses is [Malformed], or
	// [Ambiguous] where decoding hides a delimiter.
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
	// UserKeys says that each user has a secret of its own.
	UserKeys bool
	// Rules are the `param` lines, by parameter.
	Rules map[string]Rule
	// Ignore names what mailers add (`utm_*`): outside every message, never trusted.
	Ignore Ignore
	// Allow holds the findings that the operator allowed.
	Allow map[string]bool
}

// Factory is what a guest module in the namespace http.signed_link.schemes
// implements: it builds the scheme from its own configuration and the common
// options. Errors say what is wrong and how to cure it.
type Factory interface {
	NewScheme(o Options) (Scheme, error)
}

// Ignore is a list of parameter names; one that ends in '*' is a prefix.
type Ignore []string

// Match reports whether the raw name is on the list, letter for letter.
func (ig Ignore) Match(name string) bool {
	for _, e := range ig {
		if prefix, ok := strings.CutSuffix(e, "*"); ok && strings.HasPrefix(name, prefix) || e == name {
			return true
		}
	}
	return false
}

// Policy is what the operator demands of a link's time window.
type Policy struct {
	RequireExpiry bool          // a link without an expiry is refused
	MaxLifetime   time.Duration // longest time from issue (or now) to expiry; 0: any
	MaxAge        time.Duration // longest time since issue; 0: any
	ClockSkew     time.Duration // tolerance on both ends
}

// Check judges the time window of a link whose signature is right. Calling it
// before the signature was checked would tell strangers which links once existed.
//
// A link is valid up to and including the second named in its expiry, as Laravel
// has it.
func (p Policy) Check(l *Link, now time.Time) Refusal {
	expires, hasExpiry, ok := l.Expires.Time()
	if !ok {
		return Refuse(Malformed, "expiry")
	}
	issued, hasIssue, ok := l.Issued.Time()
	if !ok {
		return Refuse(Malformed, "issued")
	}
	second := now
	if hasExpiry && l.Expires.Format != UnixMS {
		second = time.Unix(now.Unix(), 0) // the second that the link names is its last
	}
	switch {
	case !hasExpiry && (p.RequireExpiry || p.MaxLifetime > 0): // one for ever exceeds every lifetime
		return Refuse(Malformed, "no_expiry")
	case !hasIssue && p.MaxAge > 0:
		return Refuse(Malformed, "no_issue_time")
	case hasIssue && issued.After(now.Add(p.ClockSkew)):
		return Refuse(NotYetValid, "issued")
	case hasExpiry && second.After(expires.Add(p.ClockSkew)):
		return Refuse(Expired, "")
	case hasIssue && p.MaxAge > 0 && now.After(issued.Add(p.MaxAge+p.ClockSkew)):
		return Refuse(Expired, "max_age")
	}
	if hasExpiry && p.MaxLifetime > 0 {
		from := now
		if hasIssue {
			from = issued
		}
		if expires.After(from.Add(p.MaxLifetime + p.ClockSkew)) {
			return Refuse(Malformed, "max_lifetime")
		}
	}
	return Refusal{}
}

// TimeFormat is how a link writes a time.
type TimeFormat uint8

// The formats.
const (
	Unix    TimeFormat = iota // seconds since 1970, decimal, at most 10 digits
	UnixMS                    // milliseconds since 1970, decimal, at most 13 digits
	RFC3339                   // 2026-11-21T19:00:00Z
)

// Timestamp is a time as a link writes it. The zero value is no time.
type Timestamp struct {
	Text    string
	Present bool
	Format  TimeFormat
}

// Time returns the time, whether there is one, and whether its text can be read.
//
// It is strict, because lenient readers were exploited: a number with a sign, an
// exponent, a fraction or other letters, or milliseconds where seconds are meant,
// are no times, and a link never lives for ever by an expiry that cannot be read.
func (t Timestamp) Time() (at time.Time, present, ok bool) {
	if !t.Present {
		return time.Time{}, false, true
	}
	if t.Format == RFC3339 {
		return t.rfc3339()
	}
	digits := 10
	if t.Format == UnixMS {
		digits = 13
	}
	if t.Text == "" || len(t.Text) > digits {
		return time.Time{}, true, false
	}
	var n int64
	for i := range len(t.Text) {
		c := t.Text[i]
		if c < '0' || c > '9' {
			return time.Time{}, true, false
		}
		n = n*10 + int64(c-'0')
	}
	if t.Format == UnixMS {
		return time.UnixMilli(n), true, true
	}
	return time.Unix(n, 0), true, true
}

// rfc3339 is stricter than [time.Parse], which admits hours of one digit, a comma
// before the fraction, and offsets of a whole day.
func (t Timestamp) rfc3339() (at time.Time, present, ok bool) {
	const day = 24 * 60 * 60
	at, err := time.Parse(time.RFC3339Nano, t.Text)
	if err != nil || strings.Contains(t.Text, ",") || !strings.HasPrefix(t.Text, at.Format("2006-01-02T15:04:05")) {
		return time.Time{}, true, false
	}
	_, offset := at.Zone()
	return at, true, -day < offset && offset < day
}
