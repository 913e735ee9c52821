package keyedhash

import (
	"fmt"
	"math"
	"net/url"
	"slices"
)

// Part is a piece of what a local of a [Preset] stands for, as the checker sees it: a
// literal, or a value.
type Part struct {
	Literal    string
	Parameter  string // the value of this parameter
	Claim      string // the claim that has this value; its rule holds, too
	NotEmpty   bool   // an empty value is refused
	PathPrefix string // the value is what stands behind it in the path, of class token
	Form       bool   // the value stands there as `name=value`, encoded as a form
	Rest       bool   // all parameters that remain, as values, or as a form
	Separator  string // what stands before, if anything does: of Form and Rest
	First      bool   // of Form and Rest: nothing ever stands before
	Maybe      bool   // of Form and Rest: something may stand before, or nothing
}

// Kinds of parts that no placeholder of a template has.
const (
	formPair   kind = iota + 128
	restValues      // the bare values of all that remain
	restPairs       // the same as a form
	pathAction      // what stands behind a prefix of the path
	glue            // a separator that may be there
)

// part says where the value of a field comes from, and how it gets there.
type part struct {
	kind     kind
	name     string // of the parameter, or of the claim
	n        int    // of a path segment
	prefix   string // of the path, before an action
	before   string // what stands in the field before the value
	optional bool   // an absent parameter is an empty text
}

// shown is the name of the part in an example.
func (p *part) shown() string {
	switch p.kind {
	case queryValue, rawQueryValue, formPair, restValues:
		return p.name
	case pathSegment:
		return fmt.Sprintf("{path.%d}", p.n)
	case restPairs, rawQuery, sortedQuery:
		return "{query}"
	case path, rawPath, pathAction:
		return "{path}"
	case host:
		return "{host}"
	case hostPort:
		return "{hostport}"
	case scheme:
		return "{scheme}"
	case method:
		return "{method}"
	default:
		return "{client_ip}"
	}
}

// placeholder names the part in a cure.
func (p *part) placeholder() string {
	if p.kind == queryValue || p.kind == rawQueryValue || p.kind == formPair {
		return "{query." + p.name + "}"
	}
	if p.kind == restValues {
		return "params *"
	}
	return p.shown()
}

// rule returns the rules for the value of a parameter, and of the claim that is made
// of it, as a language.
func (s *Scheme) ruled(parameter, claim string, notEmpty, rough bool) (l language, optional bool) {
	l = anything
	switch {
	case parameter != "" && parameter == s.identity:
		l = run{anyBytes, 1, maxIdentity} // any other identity is refused
		if rough {
			l = run{anyBytes, 1, -1}
		}
	case notEmpty:
		l = run{bytes: anyBytes, min: 1, max: -1}
	}
	if rule, ok := s.rules[parameter]; ok && parameter != "" {
		l, optional = intersect(l, ofRule(rule, rough)), rule.Optional && !notEmpty
	}
	if rule, ok := s.rules[claim]; ok && claim != "" && claim != parameter && !slices.Contains(s.description.Signed, claim) {
		l = intersect(l, ofRule(rule, rough))
	}
	for _, t := range []stamp{s.expires, s.issued} {
		if t.parameter != "" && t.parameter == parameter {
			l = intersect(l, ofTime(t.format))
		}
	}
	return l, optional
}

// maxIdentity is the longest identity, in bytes.
const maxIdentity = 256

// intersect is what both admit. What is any text says nothing about a shorter one.
func intersect(a, b language) language {
	if r, ok := a.(run); ok && r.bytes == anyBytes && (r.min == 0 || !b.final(b.start())) && (r.max < 0 || longest(b) <= r.max) {
		return b
	}
	return newBoth(a, b)
}

// longest is the length of the longest text, where the language says it.
func longest(l language) int {
	switch l := l.(type) {
	case run:
		if l.max >= 0 {
			return l.max
		}
	case emailText:
		return l.max
	case utf8Text:
		return l.max
	case *oneOf:
		return l.longest
	}
	return math.MaxInt
}

// fields are the fields of the message.
func (s *Scheme) fields(rough bool) []field {
	var fields []field
	add := func(l language, p *part) { fields = append(fields, field{language: l, part: p}) }
	for _, m := range s.message.segments {
		p := &part{kind: m.kind, name: m.text, n: m.n}
		switch m.kind { //nolint:exhaustive // claims are no part of a message, and the rest are parts of locals
		case literal:
			add(literalWord(m.text), nil)
		case secret:
			add(word{theSecret}, nil)
		case queryValue, rawQueryValue:
			s.addParameter(add, p, Part{Parameter: m.text}, rough)
		case path: // a request without a path, or for `*`, is no link
			add(after{"/", run{bytes: decodedBytes, max: -1}}, p)
		case rawPath:
			add(after{"/", run{bytes: pathBytes, max: -1}}, p)
		case pathSegment:
			add(run{bytes: segmentBytes, max: -1}, p)
		case rawQuery, sortedQuery:
			add(run{bytes: queryBytes, max: -1}, p)
		case scheme:
			add(newOneOf([]string{"http", "https"}), p)
		case host, hostPort:
			add(run{bytes: hostBytes, max: 255}, p)
		case method:
			add(run{upperBytes, 1, 32}, p)
		case clientIP:
			add(run{bytes: hostBytes, max: 64}, p)
		case local:
			for _, x := range s.preset.Parts[m.text] {
				s.addPart(add, x, rough)
			}
		}
	}
	variable := func(f field) bool { return f.part != nil }
	for i, f := range fields {
		// Two links with one secret have one user. Where it begins or ends at a known place,
		// it has the same place in both.
		if variable(f) && f.part.kind == queryValue && f.part.name == s.keyOf &&
			(!slices.ContainsFunc(fields[:i], variable) || !slices.ContainsFunc(fields[i+1:], variable)) {
			fields[i].pinned = true
		}
	}
	return fields
}

func (s *Scheme) addParameter(add func(language, *part), p *part, x Part, rough bool) {
	var l language
	l, p.optional = s.ruled(x.Parameter, x.Claim, x.NotEmpty, rough)
	if p.kind == rawQueryValue {
		l = escaped{value: l}
	}
	if p.optional {
		l = maybe{l}
	}
	add(l, p)
}

func (s *Scheme) addPart(add func(language, *part), x Part, rough bool) {
	before := x.Separator
	if x.First || x.Maybe {
		before = ""
	}
	if x.Maybe && x.Separator != "" {
		add(maybe{literalWord(x.Separator)}, &part{kind: glue})
	}
	switch {
	case x.Literal != "":
		add(literalWord(x.Literal), nil)
	case x.Rest && x.Form:
		var l language = run{bytes: formBytes, max: -1}
		if before != "" {
			l = maybe{after{before, l}}
		}
		add(l, &part{kind: restPairs, before: before})
	case x.Rest:
		var l language = anything
		if before != "" {
			l = maybe{after{before, l}}
		}
		add(l, &part{kind: restValues, name: s.unusedName("other"), before: before})
	case x.Form:
		l, optional := s.ruled(x.Parameter, x.Claim, x.NotEmpty, rough)
		before += url.QueryEscape(x.Parameter) + "="
		l = after{before, escaped{value: l, form: true}}
		if optional {
			l = maybe{l}
		}
		add(l, &part{kind: formPair, name: x.Parameter, before: before, optional: optional})
	case x.PathPrefix != "":
		l, _ := s.ruled("", x.Claim, true, rough)
		add(intersect(l, run{bytes: tokenBytes, min: 1, max: -1}), &part{kind: pathAction, prefix: x.PathPrefix})
	default:
		s.addParameter(add, &part{kind: queryValue, name: x.Parameter}, x, rough)
	}
}

// unusedName is a name that means nothing to the scheme.
func (s *Scheme) unusedName(name string) string {
	for slices.Contains(s.description.Signed, name) || slices.Contains(s.description.Expiry, name) || name == s.signature || s.ignore.Match(name) {
		name += "x"
	}
	return name
}
