package keyedhash

import (
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
	name     string // of the parameter, the field, or the claim
	n        int    // of a path segment or field
	prefix   string // of the path, before an action
	before   string // what stands in the field before the value
	optional bool   // an absent parameter is an empty text
}

// shown is the name of the part in an example.
func (p *part) shown() string {
	switch p.kind {
	case queryValue, rawQueryValue, formPair, restValues:
		return p.name
	case pathSegment, linkField, rawLinkField:
		return p.value().String()
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

// value is what the part stands for in a template.
func (p *part) value() value { return value{p.kind, p.name, p.n} }

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

// ruled returns what the rules for the value, and for the claim that is made of it, admit,
// as a language.
func (s *Scheme) ruled(v value, claim string, notEmpty, rough bool) (l language, optional bool) {
	l = anything
	switch {
	case v.kind == linkField:
		l = s.ofField(v.n)
	case v.kind == pathSegment && s.path == nil:
		l = run{bytes: segmentBytes, max: -1}
	case v.kind == pathSegment && s.path.cut:
		l = run{bytes: segmentTextBytes, min: 1, max: -1}
	case v.kind == pathSegment:
		l = run{bytes: segmentTextBytes, max: -1}
	}
	switch {
	case v.kind != literal && v == s.identity:
		// any other identity is refused
		if most := (run{anyBytes, 1, maxIdentity}); rough {
			l = intersect(l, run{anyBytes, 1, -1})
		} else {
			l = intersect(l, most)
		}
	case notEmpty:
		l = intersect(l, run{bytes: anyBytes, min: 1, max: -1})
	}
	if rule, ok := s.rules[v.key()]; ok && v.kind != literal {
		l, optional = intersect(l, ofRule(rule, rough)), rule.Optional && !notEmpty && v != s.identity
	}
	if rule, ok := s.rules[claim]; ok && claim != "" && claim != v.parameter() && !slices.Contains(s.description.Signed, claim) {
		l = intersect(l, ofRule(rule, rough))
	}
	for _, t := range []*stamp{&s.expires, &s.issued} {
		if t.is() && t.value == v {
			l = intersect(l, ofForm(t.form))
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
	case laidText:
		return len(l)
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
		case pathSegment, linkField:
			l, _ := s.ruled(p.value(), "", false, rough)
			add(l, p)
		case rawLinkField:
			l, _ := s.ruled(value{linkField, m.text, m.n}, "", false, rough)
			add(escaped{value: l, path: true}, p)
		case rawQuery, sortedQuery:
			if m.marked {
				p.before = "?"
				add(maybe{after{"?", run{queryBytes, 1, -1}}}, p)
				break
			}
			add(run{bytes: queryBytes, max: -1}, p)
		case scheme:
			add(newOneOf([]string{"http", "https"}), p)
		case host, hostPort:
			add(run{bytes: hostBytes, max: -1}, p) // HTTP knows no bound
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
		if variable(f) && s.keyOf.kind != literal && f.part.value() == s.keyOf &&
			(!slices.ContainsFunc(fields[:i], variable) || !slices.ContainsFunc(fields[i+1:], variable)) {
			fields[i].pinned = true
		}
	}
	return fields
}

// separated are the fields with a separator, which nobody sees and no value has, between
// the values of each pair, where they are neighbours.
func separated(fields []field, pairs [][2]string) []field {
	var out []field
	var last *part
	for _, f := range fields {
		if f.part != nil && f.part.kind != glue {
			if last != nil && slices.Contains(pairs, [2]string{last.placeholder(), f.part.placeholder()}) {
				out = append(out, field{language: word{unseen}})
			}
			last = f.part
		}
		out = append(out, f)
	}
	return out
}

func (s *Scheme) addParameter(add func(language, *part), p *part, x Part, rough bool) {
	var l language
	l, p.optional = s.ruled(parameterValue(x.Parameter), x.Claim, x.NotEmpty, rough)
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
		l, optional := s.ruled(parameterValue(x.Parameter), x.Claim, x.NotEmpty, rough)
		before += url.QueryEscape(x.Parameter) + "="
		l = after{before, escaped{value: l, form: true}}
		if optional {
			l = maybe{l}
		}
		add(l, &part{kind: formPair, name: x.Parameter, before: before, optional: optional})
	case x.PathPrefix != "":
		l, _ := s.ruled(value{}, x.Claim, true, rough)
		add(intersect(l, run{bytes: tokenBytes, min: 1, max: -1}), &part{kind: pathAction, prefix: x.PathPrefix})
	default:
		s.addParameter(add, &part{kind: queryValue, name: x.Parameter}, x, rough)
	}
}

// parameterValue is the value of a parameter.
func parameterValue(name string) value { return value{kind: queryValue, name: name} }

// unusedName is a name that means nothing to the scheme.
func (s *Scheme) unusedName(name string) string {
	for slices.Contains(s.description.Signed, name) || slices.Contains(s.description.Expiry, name) || name == s.signature.parameter() || s.inToken(name) || s.ignore.Match(name) {
		name += "x"
	}
	return name
}
