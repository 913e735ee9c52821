package signedlink

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/metrics"
	"github.com/signedlink/caddy-signed-link/internal/gateway/throttle"
	"github.com/signedlink/caddy-signed-link/internal/request/bodies"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// This file is the pipeline's verdict: a compiled definition judges the view of a
// request. It knows no Caddy types, so that the command line and the tests judge
// with the very same code.

// nameSet is a set of indexes into a definition's protected names.
type nameSet uint64

// maxNames is how many protected parameters one definition may have.
const maxNames = 64

func (s nameSet) has(i int) bool { return s&(1<<i) != 0 }
func (s *nameSet) add(i int)     { *s |= 1 << i }

// definition is one signed_link, compiled. It is immutable.
type definition struct {
	profile backend.Profile
	methods []string // allowed; the first ones are GET and HEAD unless `methods` says otherwise
	bodies  []string // those of methods that the operator named, and that may carry a body
	schemes []*scheme

	names     *query.Names // every protected parameter of every scheme
	cookies   *query.Names // the same as PHP reads cookies; nil where no PHP can stand behind
	signature nameSet      // signature parameters of all schemes
	identity  nameSet      // identity parameters of all schemes
	coversAll bool         // a scheme's message covers every parameter
	inBodies  bodies.Rules // what of the above a body must not hold

	strip       strip
	cutUnsigned bool

	throttle *throttle.Throttle // nil: nobody has to wait
}

// scheme is one scheme of a definition.
type scheme struct {
	name          string
	kind          string // the last part of its module's id
	configuration string // as it is written

	scheme      link.Scheme
	description link.Description

	signature nameSet // its signature parameters: signature, key id, token, expiry
	covered   nameSet // what its message covers, and the above

	user      *keyedhash.Template // nil: nobody
	userValue headers.Encoding
	outputs   []output
	rules     []boundRule
	ignore    link.Ignore
	policy    link.Policy
	keys      keys.SetSource  // one of keys and users
	users     keys.UserSource //
	dummy     []byte          // stands in for the key of a key id that does not exist
	lengths   lengths         // the same for users
	bound     atomic.Pointer[boundKeys]
	place     int // among the schemes of its definition
	throttle  *throttle.Throttle
	findings  []link.Finding  // what the checker says
	allowed   map[string]bool // codes of findings that the operator allowed
}

// output is a header of a verified request.
type output struct {
	header    string
	template  *keyedhash.Template
	requested bool // by request_header, and not by the scheme itself
}

// boundRule is a `param` rule and where its value is.
type boundRule struct {
	name  string
	claim bool // the value is a claim, not a parameter
	rule  link.Rule
}

// header is one header that the gateway sets.
type header struct {
	name, value string
	requested   bool // by request_header
}

// verdict is what a definition says of a request.
type verdict struct {
	link.Refusal         // none: the link is valid
	scheme       *scheme // the scheme that speaks; nil if none took the link
	keyID        string
	user         string // as it goes into the header
	claims       link.Claims
	headers      []header // what a verified request gets
	note         string   // for the log only: what the client must not learn
	lookup       string   // for the metrics only: what became of the user's key
	stage        stage    // how far the link came
	wrong        bool     // it was compared, and no key of any scheme makes its signature

	client throttle.Client // for whom a failure counts
	wait   time.Duration   // of a client that is throttled

	// The memory of the above, so that a verdict costs one piece of it and not ten.
	link       link.Link
	fewClaims  [2]link.Claim
	fewHeaders [4]header
}

// boundKeys are the keys of a set, prepared for the scheme. They are made when a set is
// met for the first time, so that a new set of a source makes new ones. Requests that
// are under way keep what they have.
type boundKeys struct {
	set    *keys.Set
	verify []link.Verifier // by place in the set
	dummy  link.Verifier
}

// bind returns the keys that may verify now, prepared.
func (s *scheme) bind() *boundKeys {
	set := s.keys.KeySet()
	if b := s.bound.Load(); b != nil && b.set == set {
		return b
	}
	b := &boundKeys{set: set, verify: make([]link.Verifier, set.Len()), dummy: link.Bind(s.scheme, s.dummy)}
	for i := range b.verify {
		b.verify[i] = link.Bind(s.scheme, set.All()[i].Secret.Bytes())
	}
	s.bound.Store(b)
	return b
}

// stage is how far along its way a link came. Of several schemes that all refuse one,
// the one that got furthest speaks.
type stage uint8

const (
	stageRead        stage = iota // it was read
	stageVerify                   // no key made its signature
	stageUnavailable              // its key may exist, but the source does not answer
	stageSigned                   // its signature is right
)

// The verdict's words in placeholders, logs and metrics.
const (
	verdictValid   = "valid"
	verdictInvalid = "invalid"
	verdictExpired = "expired"
)

func (v *verdict) word() string {
	switch v.Reason {
	case "":
		return verdictValid
	case link.Expired:
		return verdictExpired
	default:
		return verdictInvalid
	}
}

func (v *verdict) schemeName() string {
	if v.scheme == nil {
		return ""
	}
	return v.scheme.name
}

// judge reads and verifies. unreadable is the error of parsing r.Query, if any.
func (d *definition) judge(ctx context.Context, r *link.Request, unreadable error, now time.Time) verdict {
	v := new(verdict)
	d.judgeInto(ctx, v, r, unreadable, now)
	return *v
}

// judgeInto is judge with a verdict, which is empty, for those who have the memory.
func (d *definition) judgeInto(ctx context.Context, v *verdict, r *link.Request, unreadable error, now time.Time) {
	if unreadable != nil {
		v.Refusal = link.Refuse(link.Malformed, "too_long")
		if errors.Is(unreadable, query.ErrTooMany) {
			v.Detail = "too_many"
		}
		return
	}
	var present nameSet
	if present, v.Refusal = d.read(r); !v.None() {
		return
	}
	if present&d.signature == 0 {
		v.Refusal = link.Refuse(link.Missing, "")
		return
	}
	if v.Refusal = d.twoLinks(present); !v.None() {
		return
	}
	wrong := false
	for _, s := range d.schemes {
		switch {
		case present&s.signature == 0:
		case v.scheme == nil:
			s.judge(ctx, r, present, d.profile, now, v)
			wrong = v.Reason == link.BadSignature
		case !v.None():
			other := new(verdict)
			s.judge(ctx, r, present, d.profile, now, other)
			wrong = wrong || other.Reason == link.BadSignature
			if other.None() || other.stage > v.stage {
				*v = *other
			}
		}
	}
	v.wrong = wrong && v.stage < stageSigned
	d.settle(v, now)
}

// read finds the protected parameters. Each may be there once, under every reading
// of the profile, spelled plainly: PHP takes the last of two, Java the first, and
// `user[]=admin` replaces `user=jeff` (CVE-2022-2385 and its kin).
func (d *definition) read(r *link.Request) (present nameSet, refusal link.Refusal) {
	if r.Query.Control && d.profile.Has(backend.ControlByte) {
		return 0, link.Refuse(link.Ambiguous, "control")
	}
	if d.names.SpellsSecond(r.Query.Raw, anyName) {
		return 0, link.Refuse(link.Ambiguous, "lookalike")
	}
	for _, p := range r.Query.Pairs {
		i, spelling := d.names.ClassifyPair(&r.Query, p)
		switch spelling {
		case query.Other:
			continue
		case query.Plain:
		case query.Array:
			return 0, link.Refuse(link.Ambiguous, "array")
		case query.HTMLEscaped:
			return 0, link.Refuse(link.Ambiguous, "html_escaped")
		default:
			return 0, link.Refuse(link.Ambiguous, "lookalike")
		}
		if present.has(i) && d.profile.Has(backend.SingleName) {
			return 0, link.Refuse(link.Ambiguous, "duplicate")
		}
		present.add(i)
		if r.Query.Plain {
			continue
		}
		// Pairs that Go's parser would drop, and that backends read in three ways.
		raw := r.Query.RawValue(p)
		if strings.IndexByte(raw, ';') >= 0 && d.profile.Has(backend.SemicolonInValue) {
			return 0, link.Refuse(link.Ambiguous, "semicolon")
		}
		if query.BrokenEscape(raw) && d.profile.Has(backend.BrokenEscapeInValue) {
			return 0, link.Refuse(link.Ambiguous, "escape")
		}
	}
	return present, link.Refusal{}
}

func anyName(int) bool { return true }

// twoLinks refuses signature parameters of schemes that share none. Two links at once,
// say an AKID and a signed user, are two opinions about one request: nobody can say
// which the backend would act on.
func (d *definition) twoLinks(present nameSet) link.Refusal {
	for i, s := range d.schemes {
		for _, other := range d.schemes[:i] {
			if present&s.signature != 0 && present&other.signature != 0 && s.signature&other.signature == 0 {
				return link.Refuse(link.Ambiguous, "two_links")
			}
		}
	}
	return link.Refusal{}
}

// judge verifies the link by one scheme.
func (s *scheme) judge(ctx context.Context, r *link.Request, present nameSet, profile backend.Profile, now time.Time, v *verdict) {
	v.scheme = s
	if detail := s.unsteady(r, profile); detail != "" {
		v.Refusal = link.Refuse(link.Ambiguous, detail)
		return
	}
	l := &v.link
	l.Claims = v.fewClaims[:0]
	if s.users != nil {
		l.User = s.user.Render(r, new(keyedhash.Values))
	}
	if v.Refusal = s.scheme.Read(r, l); !v.None() {
		return
	}
	if v.Refusal = s.checkRules(r, l); !v.None() {
		return
	}
	v.stage = stageVerify
	if s.throttle != nil {
		v.client = s.suspect(r, l)
		if v.throttled(s.throttle.Wait(v.client, now)) {
			return
		}
	}
	if v.Refusal = s.verify(ctx, r, l, v, now); !v.None() {
		return
	}
	v.stage = stageSigned
	// From here on the signature is right, so nothing that is said is an oracle.
	if v.Refusal = s.policy.Check(l, now); !v.None() {
		return
	}
	if s.description.Coverage == link.Named && present&^s.covered != 0 {
		// another scheme of the definition protects a parameter that this link
		// does not sign: its value is the client's own word
		v.Refusal = link.Refuse(link.Ambiguous, "uncovered")
		return
	}
	v.claims = l.Claims
	v.Refusal = s.results(r, l, profile, v)
}

// unsteady returns how one query can be another to the backend, although both make the
// scheme's message, because that covers every parameter.
func (s *scheme) unsteady(r *link.Request, profile backend.Profile) (detail string) {
	switch s.description.Coverage {
	case link.Sorted: // values are decoded, and the order in which they were sent is lost
		if detail = r.Query.Unsteady(profile, s.ignore.Match); detail == "" && r.Query.Repeated(profile, s.ignore.Match) != "" {
			detail = "duplicate"
		}
	case link.Raw: // as sent, but for what is ignored
		if r.Query.SplitsSkipped(profile, s.ignore.Match) {
			detail = "semicolon"
		}
	case link.Named:
	}
	return detail
}

func (s *scheme) checkRules(r *link.Request, l *link.Link) link.Refusal {
	for i := range s.rules {
		b := &s.rules[i]
		value, there := l.Claims.Get(b.name), true
		if !b.claim {
			value, there = r.Value(b.name)
		}
		if !there {
			if b.rule.Optional {
				continue
			}
			return link.Refuse(link.Malformed, "absent")
		}
		if detail, ok := b.rule.Check(value); !ok {
			return link.Refuse(link.Malformed, detail)
		}
	}
	return link.Refusal{}
}

// verify finds the key that made the signature. It never returns early: which key
// fits, and whether a user exists, must not show in the time it takes.
func (s *scheme) verify(ctx context.Context, r *link.Request, l *link.Link, v *verdict, now time.Time) link.Refusal {
	if s.users != nil {
		return s.verifyUser(ctx, r, l, v)
	}
	bound := s.bind()
	all := bound.set.All()
	var match *keys.Key
	if l.KeyID != "" {
		i, ok := bound.set.Place(l.KeyID)
		if !ok {
			bound.dummy(r, l)
			v.note = "no such key id"
			return link.Refuse(link.BadSignature, "")
		}
		if bound.verify[i](r, l) {
			match = &all[i]
		}
	} else {
		for i, verify := range bound.verify {
			if verify(r, l) && (match == nil || match.At(now) != keys.Valid) {
				match = &all[i]
			}
		}
	}
	if match == nil {
		return link.Refuse(link.BadSignature, "")
	}
	v.keyID, v.stage = match.ID, stageSigned
	switch match.At(now) {
	case keys.Expired:
		return link.Refuse(link.Expired, "key")
	case keys.NotYetValid:
		return link.Refuse(link.NotYetValid, "key")
	default:
		return link.Refusal{}
	}
}

// verifyUser verifies with the secret of the link's user. One who does not exist
// takes the same way, with dummy keys, and gets the same answer as a wrong
// signature: action links must not tell who has an account.
func (s *scheme) verifyUser(ctx context.Context, r *link.Request, l *link.Link, v *verdict) link.Refusal {
	var key []byte
	v.lookup = metrics.LookupUnknown
	if l.User != "" && len(l.User) <= headers.MaxValue {
		switch secret, err := s.users.UserKey(ctx, l.User); {
		case err == nil && !secret.Empty():
			key = secret.Bytes()
			v.lookup = metrics.LookupKnown
		case err != nil && !errors.Is(err, keys.ErrNoUser):
			v.note, v.stage, v.lookup = err.Error(), stageUnavailable, metrics.LookupUnavailable
			return link.Refuse(link.KeysUnavailable, "")
		}
	}
	if len(key) == 0 {
		v.note = "no such user"
	}
	if !s.verifyAlike(r, l, key) {
		return link.Refuse(link.BadSignature, "")
	}
	return link.Refusal{}
}

// results makes the headers of a verified request. A value that backends would read
// differently refuses the link, because half an identity is none.
func (s *scheme) results(r *link.Request, l *link.Link, profile backend.Profile, v *verdict) link.Refusal {
	values := &keyedhash.Values{Claims: l.Claims, Local: func(string) string { return v.user }}
	encode := s.userValue
	if !profile.Has(backend.HeaderSafeValue) {
		encode = headers.AsIs
	}
	v.headers = v.fewHeaders[:0]
	if s.user != nil {
		user, detail := encode.Encode(s.user.Render(r, values))
		if detail != "" {
			return link.Refuse(link.Malformed, detail)
		}
		v.user = user
		v.headers = append(v.headers, header{headers.VerifiedUser, user, false})
	}
	v.headers = append(v.headers, header{headers.VerifiedScheme, s.name, false})
	if v.keyID != "" {
		v.headers = append(v.headers, header{headers.VerifiedKeyID, v.keyID, false})
	}
	for i := range s.outputs {
		o := &s.outputs[i]
		value := o.template.Render(r, values)
		if value == "" {
			continue
		}
		text, detail := encode.Encode(value)
		if detail != "" {
			return link.Refuse(link.Malformed, detail)
		}
		v.headers = append(v.headers, header{o.header, text, o.requested})
	}
	return link.Refusal{}
}
