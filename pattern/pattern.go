// Package pattern reads texts that are made of named fields: a token such as
// `<signature>_<issued>_<life>`, or a path such as `/dl/<signature>/<time>/<file...>`.
// It also finds such paths where they are spelled in another way, and takes the
// signatures in them out of logs.
package pattern

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pattern is a text with named fields, compiled once. A text fits it in one way or not
// at all: each field ends where the text behind it occurs first, so no signer and no
// client can mean another cut. It is immutable.
type Pattern struct {
	source   string
	fields   []Field
	literals []string // before, between and behind the fields
	lowered  []string // the literals in lower-case letters
	greedy   int      // the field with the dots, -1 without one
	rest     int      // the field that gets what the others leave
	path     bool
}

// Field is a field of a pattern.
type Field struct {
	Name   string
	Greedy bool // `<name...>`: it may hold the pattern's literals, and slashes
}

// longestName bounds the name of a field.
const longestName = 64

// Parse compiles the pattern of a token: fields `<name>`, at most one `<name...>`, and
// text between them. `\<`, `\\`, `\{`, `\}`, `\n` and `\t` are a '<', a backslash, braces,
// a line feed and a tab. Errors say what to write instead, and nothing of the text around
// it, which may hold a secret by mistake.
func Parse(text string) (*Pattern, error) {
	p := &Pattern{source: text, greedy: -1}
	var lit strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			i++
			if i == len(text) {
				return nil, errors.New(`a backslash at the end of the pattern; write \\ for the sign itself`)
			}
			n := strings.IndexByte(`<\{}nt`, text[i])
			if n < 0 {
				return nil, errors.New(`an unknown escape in the pattern; there are \< \\ \{ \} \n \t`)
			}
			lit.WriteByte("<\\{}\n\t"[n])
		case '{':
			return nil, errors.New(`a '{' in the pattern; fields are written <name>, and \{ is the brace itself`)
		case '<':
			end := strings.IndexByte(text[i:], '>')
			if end < 0 {
				return nil, errors.New(`a '<' without its '>' in the pattern; write \< for the sign itself`)
			}
			if err := p.add(lit.String(), text[i+1:i+end]); err != nil {
				return nil, err
			}
			lit.Reset()
			i += end
		default:
			lit.WriteByte(c)
		}
	}
	if len(p.fields) == 0 {
		return nil, errors.New("the pattern has no field; write <name> for what differs from link to link")
	}
	p.literals = append(p.literals, lit.String())
	for _, l := range p.literals {
		p.lowered = append(p.lowered, strings.ToLower(l))
	}
	p.rest = p.greedy
	if p.greedy < 0 {
		p.rest = len(p.fields) - 1
	}
	return p, nil
}

// Quote returns the text as it is written in a pattern that has it as a literal.
func Quote(text string) string { return quoter.Replace(text) }

var quoter = strings.NewReplacer("<", `\<`, "\\", `\\`, "{", `\{`, "}", `\}`, "\n", `\n`, "\t", `\t`)

// add adds a field and the literal before it.
func (p *Pattern) add(literal, name string) error {
	name, greedy := strings.CutSuffix(name, "...")
	if !isName(name) {
		return fmt.Errorf(`%s is no name of a field: letters, digits, '_' and '-', at most %d of them, as in <name> or <name...>; write \< for a '<' itself`, shown(name), longestName)
	}
	if p.Index(name) >= 0 {
		return fmt.Errorf("the field <%s> stands twice in the pattern; give one of them another name", name)
	}
	if n := len(p.fields); n > 0 && literal == "" {
		return fmt.Errorf("the fields <%s> and <%s> touch; put a text between them that shows where the first one ends", p.fields[n-1].Name, name)
	}
	if greedy {
		if p.greedy >= 0 {
			return fmt.Errorf("the fields <%s...> and <%s...> have dots; only one of a pattern can take the rest", p.fields[p.greedy].Name, name)
		}
		p.greedy = len(p.fields)
	}
	p.fields = append(p.fields, Field{Name: name, Greedy: greedy})
	p.literals = append(p.literals, literal)
	return nil
}

func isName(s string) bool {
	return s != "" && len(s) <= longestName && !strings.ContainsFunc(s, func(c rune) bool { return c != '_' && c != '-' && !isAlphanumeric(c) })
}

func isAlphanumeric(c rune) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// shown is a wrong name as an error may show it: what is longer could be a secret with a
// '<' in it.
func shown(name string) string {
	if len(name) >= 12 {
		return fmt.Sprintf("what stands between '<' and '>' (%d bytes, not shown because it could be a secret)", len(name))
	}
	return fmt.Sprintf("%q", name)
}

// Fields returns the fields in the order in which they stand. They must not be modified.
func (p *Pattern) Fields() []Field { return p.fields }

// Index returns which field has the name, -1 if none has.
func (p *Pattern) Index(name string) int {
	return slices.IndexFunc(p.fields, func(f Field) bool { return f.Name == name })
}

// Literals returns the texts before, between and behind the fields, one more than there
// are fields. The first and the last can be empty. They must not be modified.
func (p *Pattern) Literals() []string { return p.literals }

// FromRight reports whether the field with this index stands behind the greedy one, and
// so is cut from the right.
func (p *Pattern) FromRight(i int) bool { return p.greedy >= 0 && i > p.greedy }

// IsGreedy reports whether the field with this index may hold anything.
func (p *Pattern) IsGreedy(i int) bool { return i == p.greedy }

// IsPath reports whether this is the pattern of a path.
func (p *Pattern) IsPath() bool { return p.path }

// String returns the pattern as it was written.
func (p *Pattern) String() string { return p.source }

// Split cuts the text into the fields, which are parts of it. It needs a place in into
// for each field, and allocates nothing. If the text does not fit, it returns false, and
// into holds nothing of use.
//
// A field before the greedy one ends at the first occurrence of the literal behind it, a
// field behind the greedy one begins at the last occurrence of the literal before it, and
// no field is empty. Without a greedy field the last one takes the rest. In a path, only
// the greedy field holds slashes.
func (p *Pattern) Split(text string, into []string) bool {
	last := len(p.fields)
	text, ok := strings.CutPrefix(text, p.literals[0])
	if !ok {
		return false
	}
	text, ok = strings.CutSuffix(text, p.literals[last])
	if !ok {
		return false
	}
	for i := range p.rest {
		if into[i], text, ok = strings.Cut(text, p.literals[i+1]); !ok || !p.holds(i, into[i]) {
			return false
		}
	}
	for i := last - 1; i > p.rest; i-- {
		n := strings.LastIndex(text, p.literals[i])
		if n < 0 {
			return false
		}
		if into[i] = text[n+len(p.literals[i]):]; !p.holds(i, into[i]) {
			return false
		}
		text = text[:n]
	}
	into[p.rest] = text
	return p.holds(p.rest, text)
}

// holds reports whether field i can be this text.
func (p *Pattern) holds(i int, text string) bool {
	return text != "" && (!p.path || p.isSegment(i, text))
}

func (p *Pattern) isSegment(i int, text string) bool {
	return i == p.greedy || strings.IndexByte(text, '/') < 0
}

// Join appends the text with these fields, one for each. Whether [Pattern.Split] finds
// the same ones in it depends on them: a field can hold a literal, or nothing.
func (p *Pattern) Join(dst []byte, fields []string) []byte {
	for i, l := range p.literals[:len(p.fields)] {
		dst = append(dst, l...)
		dst = append(dst, fields[i]...)
	}
	return append(dst, p.literals[len(p.fields)]...)
}
