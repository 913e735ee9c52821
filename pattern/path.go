package pattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParsePath compiles the pattern of a path, as [Parse] does. It begins with a '/', and its
// literals are plain: what a client, Caddy or a backend could spell or clean in another
// way (escapes, parameters behind a ';', doubled slashes, dot segments) is an error.
func ParsePath(text string) (*Pattern, error) {
	p, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(p.literals[0], "/") {
		return nil, errors.New("the pattern of a path begins with a '/'")
	}
	for i, l := range p.literals {
		if err := checkLiteral(l, i == 0, i == len(p.fields)); err != nil {
			return nil, err
		}
	}
	p.path = true
	return p, nil
}

// checkLiteral checks a literal of a path; the first begins where the path does, the
// last ends where it does.
func checkLiteral(literal string, first, last bool) error {
	for _, c := range literal {
		switch {
		case isAlphanumeric(c), strings.ContainsRune("-._~!$&'()*+,=:@/", c):
		case c == '?':
			return errors.New("a '?' in the pattern of a path; the query is no part of it, so leave away what begins there")
		case c == '#':
			return errors.New("a '#' in the pattern of a path; browsers do not send what begins there, so leave it away")
		case c == '%':
			return errors.New("a '%' in the pattern of a path; an escape can be spelled in several ways, so let a field stand for it")
		case c == ';':
			return errors.New("a ';' in the pattern of a path; backends cut paths there, so let a field stand for it")
		default:
			return fmt.Errorf("%q in the pattern of a path; its text is made of letters, digits, '/' and -._~!$&'()*+,=:@", c)
		}
	}
	if strings.Contains(literal, "//") {
		return errors.New("a '//' in the pattern of a path; write one slash, as paths are cleaned")
	}
	segments := strings.Split(literal, "/")
	for i, s := range segments {
		whole := (i > 0 || first) && (i < len(segments)-1 || last)
		if whole && (s == "." || s == "..") {
			return fmt.Errorf("a segment %q in the pattern of a path; write the path without it, as paths are cleaned", s)
		}
	}
	return nil
}

// Literal returns the text before the first field.
func (p *Pattern) Literal() string { return p.literals[0] }

// Begins reports whether the path begins with [Pattern.Literal], in any case of letters:
// Caddy's matchers and some backends do not tell upper from lower case.
func (p *Pattern) Begins(path string) bool { return begins(path, p.lowered[0]) }

func begins(path, lowered string) bool {
	for _, want := range lowered {
		c, size := utf8.DecodeRuneInString(path)
		if size == 0 || unicode.ToLower(c) != want {
			return false
		}
		path = path[size:]
	}
	return true
}

// Shape reports whether the path could be one of this pattern of a path, whatever stands
// where its fields are. It is generous, as it finds what must not be taken for another
// page: a field stands for any text, also for none and for one with slashes, letters are
// of any case, and a slash at the end may lack or be one too many.
func (p *Pattern) Shape(path string) bool {
	if !begins(path, strings.TrimSuffix(p.lowered[0], "/")) {
		return false // most paths; to lower all of them, for each of many patterns, would cost much
	}
	path = strings.ToLower(path)
	n := len(p.fields)
	before, last := p.lowered[:n], p.lowered[n]
	if wild(path, before, last) {
		return true
	}
	if less, ok := strings.CutSuffix(path, "/"); ok && wild(less, before, last) {
		return true
	}
	// the slash that lacks is the last byte of the pattern, or stands before an empty field
	if last == "" {
		before, last = before[:n-1], before[n-1]
	}
	less, ok := strings.CutSuffix(last, "/")
	return ok && wild(path, before, less)
}

// wild reports whether the text is made of the literals before, any text behind each, and
// the last one. To look for the first occurrence of each is enough, as what stands behind
// it only gets longer by that; so each byte is looked at once.
func wild(text string, before []string, last string) bool {
	if len(before) == 0 {
		return text == last
	}
	text, ok := strings.CutPrefix(text, before[0])
	if !ok {
		return false
	}
	text, ok = strings.CutSuffix(text, last)
	for _, l := range before[1:] {
		if !ok {
			return false
		}
		_, text, ok = strings.Cut(text, l)
	}
	return ok
}

// Sample returns a text that fits the pattern. The fields that are named in of get these
// values, all others a letter x, or another character if the pattern's own text is such
// that x does not fit. With values that cannot fit, the text does not, either.
func (p *Pattern) Sample(of map[string]string) string {
	fields, into := make([]string, len(p.fields)), make([]string, len(p.fields))
	sample := func(filler string) string {
		for i, f := range p.fields {
			var ok bool
			if fields[i], ok = of[f.Name]; !ok {
				fields[i] = filler
			}
		}
		return string(p.Join(nil, fields))
	}
	for _, c := range "xyzabcdefghijklmnopqrstuvwXYZABCDEFGHIJKLMNOPQRSTUVW0123456789" {
		if s := sample(string(c)); p.Split(s, into) {
			return s
		}
	}
	return sample("x")
}
