package definition

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// Judge reads and verifies. unreadable is the error of parsing r.Query, if any.
func (d *Definition) Judge(ctx context.Context, r *link.Request, unreadable error, now time.Time) Verdict {
	v := new(Verdict)
	d.JudgeInto(ctx, v, r, nil, unreadable, now)
	return *v
}

// JudgeInto is judge with a verdict, which is empty, for those who have the memory, and with
// the readings of the request's path, or nil.
func (d *Definition) JudgeInto(ctx context.Context, v *Verdict, r *link.Request, known *targets.Readings, unreadable error, now time.Time) {
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
	var carried carriages
	if d.inPath {
		if carried, v.Refusal = d.carriages(r, known); !v.None() {
			return
		}
	}
	if present&d.signature == 0 && !carried.any() {
		v.Refusal = link.Refuse(link.Missing, "")
		return
	}
	if v.Refusal = d.twoLinks(present, &carried); !v.None() {
		return
	}
	wrong := false
	for _, s := range d.Schemes {
		switch {
		case present&s.signature == 0 && !carried.whole(s.Place):
			if carried.broken(s.Place) && v.Scheme == nil {
				v.Scheme, v.Refusal, v.stage = s, link.Refuse(link.Malformed, "pattern"), stageBroken
			}
		case v.Scheme == nil || v.stage == stageBroken:
			v.Refusal = link.Refusal{}
			s.judge(ctx, r, present, d.Profile, now, v)
			wrong = v.Reason == link.BadSignature
		case !v.None():
			other := new(Verdict)
			s.judge(ctx, r, present, d.Profile, now, other)
			wrong = wrong || other.Reason == link.BadSignature
			if other.None() || other.stage > v.stage {
				*v = *other
			}
		}
	}
	v.Wrong = wrong && v.stage < stageSigned
	d.settle(v, now)
}

// read finds the protected parameters. Each may be there once, under every reading
// of the profile, spelled plainly: PHP takes the last of two, Java the first, and
// `user[]=admin` replaces `user=jeff` (CVE-2022-2385 and its kin).
func (d *Definition) read(r *link.Request) (present nameSet, refusal link.Refusal) {
	if r.Query.Control && d.Profile.Has(backend.ControlByte) {
		return 0, link.Refuse(link.Ambiguous, "control")
	}
	if d.Names.SpellsSecond(r.Query.Raw, anyName) {
		return 0, link.Refuse(link.Ambiguous, "lookalike")
	}
	for _, p := range r.Query.Pairs {
		i, spelling := d.Names.ClassifyPair(&r.Query, p)
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
		if present.has(i) && d.Profile.Has(backend.SingleName) {
			return 0, link.Refuse(link.Ambiguous, "duplicate")
		}
		present.add(i)
		if r.Query.Plain {
			continue
		}
		// Pairs that Go's parser would drop, and that backends read in three ways.
		raw := r.Query.RawValue(p)
		if strings.IndexByte(raw, ';') >= 0 && d.Profile.Has(backend.SemicolonInValue) {
			return 0, link.Refuse(link.Ambiguous, "semicolon")
		}
		if query.BrokenEscape(raw) && d.Profile.Has(backend.BrokenEscapeInValue) {
			return 0, link.Refuse(link.Ambiguous, "escape")
		}
	}
	return present, link.Refusal{}
}

// twoLinks refuses signature parameters of schemes that share none. Two links at once,
// say an AKID and a signed user, are two opinions about one request: nobody can say
// which the backend would act on.
func (d *Definition) twoLinks(present nameSet, carried *carriages) link.Refusal {
	for i, s := range d.Schemes {
		for j, other := range d.Schemes[:i] {
			inQuery, otherInQuery := present&s.signature != 0, present&other.signature != 0
			switch {
			case inQuery && otherInQuery && s.signature&other.signature == 0,
				carried.whole(i) && otherInQuery && !carried.whole(j), carried.whole(j) && inQuery && !carried.whole(i):
				return link.Refuse(link.Ambiguous, "two_links")
			}
		}
	}
	return link.Refusal{}
}

// judge verifies the link by one scheme.
func (s *Scheme) judge(ctx context.Context, r *link.Request, present nameSet, profile backend.Profile, now time.Time, v *Verdict) {
	v.Scheme, v.stage = s, stageRead
	if detail := s.unsteady(r, profile); detail != "" {
		v.Refusal = link.Refuse(link.Ambiguous, detail)
		return
	}
	l := &v.link
	l.Claims, l.Fields = v.fewClaims[:0], v.fewFields[:0]
	if v.Refusal = s.Format.Read(r, l); !v.None() {
		return
	}
	if s.paths != nil {
		if v.Refusal = s.paths.judge(r, l); !v.None() {
			return
		}
	}
	if s.Users != nil {
		l.User = s.User.Render(r, &keyedhash.Values{Fields: l.Fields})
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
	if s.scoped != nil {
		if v.Refusal = s.scoped.InScope(r, l); !v.None() {
			return
		}
	}
	if s.Description.Coverage == link.Named && present&^s.covered != 0 {
		// another scheme of the definition protects a parameter that this link
		// does not sign: its value is the client's own word
		v.Refusal = link.Refuse(link.Ambiguous, "uncovered")
		return
	}
	v.Claims, v.Path = l.Claims, l.Path
	v.Refusal = s.results(r, l, profile, v)
}

// unsteady returns how one query can be another to the backend, although both make the
// scheme's message, because that covers every parameter.
func (s *Scheme) unsteady(r *link.Request, profile backend.Profile) (detail string) {
	switch s.Description.Coverage {
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

func (s *Scheme) checkRules(r *link.Request, l *link.Link) link.Refusal {
	_, refusal := s.brokenRule(r, l)
	return refusal
}

// BrokenRule is the first rule that what the scheme has read does not keep: its name, as in a
// `param` line, and what is wrong; without a name all are kept.
func (s *Scheme) BrokenRule(r *link.Request, l *link.Link) (name string, rule link.Rule, refusal link.Refusal) {
	i, refusal := s.brokenRule(r, l)
	if refusal.None() {
		return "", link.Rule{}, refusal
	}
	return s.rules[i].name, s.rules[i].rule, refusal
}

// Optional reports whether a rule says of the parameter that it need not be there.
func (s *Scheme) Optional(parameter string) bool {
	return slices.ContainsFunc(s.rules, func(b boundRule) bool { return b.name == parameter && b.rule.Optional })
}

// brokenRule is the number of that rule, and the refusal.
func (s *Scheme) brokenRule(r *link.Request, l *link.Link) (int, link.Refusal) {
	for i := range s.rules {
		b := &s.rules[i]
		var value string
		var there bool
		switch {
		case b.claim:
			value, there = l.Claims.Find(b.name)
		case b.field >= 0:
			value, there = l.Fields[b.field].Value, true
		case b.value != nil:
			value, there = b.value.Render(r, &keyedhash.Values{Fields: l.Fields}), true
		default:
			value, there = r.Value(b.name)
		}
		if !there {
			if b.rule.Optional {
				continue
			}
			return i, link.Refuse(link.Malformed, "absent")
		}
		if detail, ok := b.rule.Check(value); !ok {
			return i, link.Refuse(link.Malformed, detail)
		}
	}
	return -1, link.Refusal{}
}

// results makes the headers of a verified request. A value that backends would read
// differently refuses the link, because half an identity is none.
func (s *Scheme) results(r *link.Request, l *link.Link, profile backend.Profile, v *Verdict) link.Refusal {
	values := &keyedhash.Values{Claims: l.Claims, Fields: l.Fields, Local: func(string) string { return v.User }}
	encode := s.userValue
	if !profile.Has(backend.HeaderSafeValue) {
		encode = headers.AsIs
	}
	v.Headers = v.fewHeaders[:0]
	if s.User != nil {
		user, detail := encode.Encode(s.User.Render(r, values))
		if detail != "" {
			return link.Refuse(link.Malformed, detail)
		}
		v.User = user
		v.Headers = append(v.Headers, Header{headers.VerifiedUser, user, false})
	}
	v.Headers = append(v.Headers, Header{headers.VerifiedScheme, s.Name, false})
	if v.KeyID != "" {
		v.Headers = append(v.Headers, Header{headers.VerifiedKeyID, v.KeyID, false})
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
		v.Headers = append(v.Headers, Header{o.header, text, o.requested})
	}
	return link.Refusal{}
}
