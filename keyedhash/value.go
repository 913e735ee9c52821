package keyedhash

import (
	"errors"
	"fmt"
	"slices"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// value is one thing of a link that a declaration can name: a parameter, a segment of the
// path, a field of a token or of a path.
type value struct {
	kind kind
	name string // of a parameter or field
	n    int    // of a path segment or field
}

// of is the value that a segment of a template stands for.
func (s *segment) value() value { return value{s.kind, s.text, s.n} }

// String is the value's placeholder.
func (v value) String() string {
	switch v.kind { //nolint:exhaustive // the others have no names
	case queryValue:
		return "{query." + v.name + "}"
	case rawQueryValue:
		return "{raw_query." + v.name + "}"
	case linkField:
		return "{link." + v.name + "}"
	case rawLinkField:
		return "{raw_link." + v.name + "}"
	case pathSegment:
		return fmt.Sprintf("{path.%d}", v.n)
	}
	for name, k := range simple {
		if k == v.kind && link.Typed(name) == name {
			return "{" + name + "}"
		}
	}
	return ""
}

// key is the name under which a `param` rule for the value stands in [link.Options].
func (v value) key() string {
	if v.kind == queryValue || v.kind == rawQueryValue {
		return v.name
	}
	if v.kind == rawLinkField {
		v.kind = linkField
	}
	return v.String()
}

// parameter is the name of the parameter that the value is, "" if it is none.
func (v value) parameter() string {
	if v.kind == queryValue || v.kind == rawQueryValue {
		return v.name
	}
	return ""
}

// one returns the value if the template is just its placeholder.
func (t *Template) one() (value, bool) {
	if len(t.segments) != 1 || t.segments[0].kind == literal {
		return value{}, false
	}
	return t.segments[0].value(), true
}

// values returns what the template is made of, each once; it has no literals.
func (t *Template) values() []value {
	var values []value
	for i := range t.segments {
		if v := t.segments[i].value(); v.kind != literal && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

// read returns the value as a link has it, and whether it has it.
func (v value) read(r *link.Request, l *link.Link) (string, bool) {
	switch v.kind { //nolint:exhaustive // the others are no times and no signatures
	case queryValue:
		return r.Value(v.name)
	case rawQueryValue:
		return r.RawValue(v.name)
	case linkField:
		return l.Fields[v.n].Value, true
	case pathSegment:
		text := nthSegment(r.Path, v.n)
		return query.UnescapePath(text), text != ""
	}
	return "", false
}

// inputs are the values of which v is a function: where they are known, it is. nil: v is
// not made of anything else.
func (s *Scheme) inputs(v value) []value {
	switch v.kind { //nolint:exhaustive // the others are made of nothing
	case queryValue:
		return []value{{kind: rawQueryValue, name: v.name}}
	case rawQueryValue:
		// a message of the whole query has every parameter in it but what is not part of it
		if v.name != s.signature.parameter() && !s.ignore.Match(v.name) && !s.inToken(v.name) {
			return []value{{kind: rawQuery}}
		}
	case linkField:
		if i := slices.IndexFunc(s.tokens, func(t token) bool { return t.has(v.n) }); i >= 0 {
			return []value{{kind: queryValue, name: s.tokens[i].parameter}}
		}
		return []value{{kind: rawLinkField, name: v.name, n: v.n}}
	case rawLinkField:
		if s.path.has(v) {
			return []value{{kind: rawPath}}
		}
	case pathSegment:
		return []value{{kind: path}}
	case path:
		return []value{{kind: rawPath}}
	case host:
		return []value{{kind: hostPort}}
	}
	return nil
}

// determines reports whether the message fixes the value: two links with one message have
// the same one. So it is for what stands in the message, and for any function of it; and
// never for what a function that gives one result for two values was made of.
func (s *Scheme) determines(v value) bool {
	if s.message.names(v) {
		return true
	}
	switch {
	case v.kind == rawQuery:
		return s.message.has(sortedQuery) // every segment stands in it, as sent
	case v.kind == linkField && s.path.has(v) && s.determines(value{kind: path}):
		return true // a decoded path is cut where the one that was sent is
	}
	inputs := s.inputs(v)
	return len(inputs) > 0 && !slices.ContainsFunc(inputs, func(input value) bool { return !s.determines(input) })
}

// names reports whether the template has a placeholder of the value.
func (t *Template) names(v value) bool {
	return slices.ContainsFunc(t.segments, func(m segment) bool { return m.kind != literal && m.value() == v })
}

// inToken reports whether the parameter carries the signature within a token.
func (s *Scheme) inToken(parameter string) bool {
	return slices.ContainsFunc(s.tokens, func(t token) bool {
		return query.IsNamed(parameter, t.parameter) && t.has(s.signature.n) && s.signature.kind == linkField
	})
}

// parseValue reads a placeholder that stands alone.
func (n Names) parseValue(text string, kinds ...kind) (value, error) {
	t, err := n.Parse(text)
	if err != nil {
		return value{}, err
	}
	v, ok := t.one()
	if !ok || !slices.Contains(kinds, v.kind) {
		return value{}, errors.New("write one placeholder: {query.NAME} is a parameter, {link.NAME} a field of a pattern, {path.N} a segment of the path")
	}
	return v, nil
}
