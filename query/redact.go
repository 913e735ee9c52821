package query

import (
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
)

// Redacted stands where a value was taken out.
const Redacted = "REDACTED"

// Redactor takes the values of parameters out of text that holds URLs: targets of
// requests, absolute URLs, bare queries, lines of a program's output. Logs need it,
// because they hold what the client sent before anybody judged it. The zero value and
// nil redact nothing. It is immutable.
type Redactor struct {
	sets []*Names
}

// NewRedactor compiles the names. They are looked for as the strict profile reads
// them; one that this cannot protect as PHP reads it (`user[sig]`), or else as servlet
// containers do (`sig.x`).
func NewRedactor(names []string) (*Redactor, error) {
	profiles := [...]backend.Profile{backend.Strict, backend.PHP, backend.Servlet}
	var of [len(profiles)][]string
	for _, name := range names {
		i := 0
		for i < len(profiles)-1 && CheckName(profiles[i], name) != nil {
			i++
		}
		of[i] = append(of[i], name)
	}
	r := new(Redactor)
	for i, names := range of {
		if len(names) == 0 {
			continue
		}
		set, err := NewNames(profiles[i], names)
		if err != nil {
			return nil, err
		}
		r.sets = append(r.sets, set)
	}
	return r, nil
}

// Redact returns s with [Redacted] in place of every value of a named parameter, in
// whatever spelling, and with every other byte as it was; s itself, without an
// allocation, if there is none.
//
// A value goes as far as the most generous reader takes it: to the next '&', over ';',
// '?' and '#'. Parameters are looked for in the whole text, so before the first '?',
// too, behind a '#', and in URLs within values, however often those are encoded. What
// follows the '?' in a line is dropped as a whole if it exceeds [MaxBytes].
func (r *Redactor) Redact(s string) string {
	if r == nil || len(r.sets) == 0 || !r.worthIt(s) {
		return s
	}
	c := redaction{s: s}
	for start := 0; start <= len(s); {
		end := start
		for end < len(s) && s[end] != '\n' && s[end] != '\r' {
			end++
		}
		r.line(&c, start, end)
		start = end + 1
	}
	return c.text()
}

// worthIt tells whether the text could hold a parameter with a value.
func (r *Redactor) worthIt(s string) bool {
	if len(s) > MaxBytes {
		return true
	}
	for i := range len(s) {
		switch s[i] {
		case '=', '%', '[', 0:
			return r.within(LettersOf(s))
		}
	}
	return false
}

// within tells whether a name of a set could be in a text of these letters.
func (r *Redactor) within(letters Letters) bool {
	for _, set := range r.sets {
		if set.Within(letters) {
			return true
		}
	}
	return false
}

func (r *Redactor) line(c *redaction, start, end int) {
	mark := strings.IndexByte(c.s[start:end], '?')
	if mark < 0 {
		r.query(c, start, end)
		return
	}
	mark += start
	r.query(c, start, mark)
	if end-mark-1 > MaxBytes {
		c.replace(mark+1, end)
		return
	}
	r.query(c, mark+1, end)
}

func (r *Redactor) query(c *redaction, start, end int) {
	for segment := range Split(c.s[start:end], '&') {
		if segment != "" {
			r.segment(c, start, start+len(segment))
		}
		start += len(segment) + 1
	}
}

func (r *Redactor) segment(c *redaction, start, end int) {
	letters := LettersOf(c.s[start:end])
	if !r.within(letters) {
		return
	}
	if n := r.named(c.s[start:end], letters); n >= 0 {
		c.replace(start+n, end)
		return
	}
	if strings.IndexByte(c.s[start:end], ';') < 0 {
		r.nested(c, start, end)
		return
	}
	at := start
	for part := range Split(c.s[start:end], ';') {
		if n := r.named(part, letters); n >= 0 {
			if at > start {
				r.nested(c, start, at-1)
			}
			c.replace(at+n, end)
			return
		}
		at += len(part) + 1
	}
	r.nested(c, start, end)
}

// named returns where in the segment the value begins, or -1 if it does not spell one
// of the names or has no value. A client can write into the name as well, behind a
// bracket or a NUL. The letters are those of the segment, or more.
func (r *Redactor) named(segment string, letters Letters) int {
	name, value := segment, -1
	if n := strings.IndexByte(segment, '='); n >= 0 {
		name, value = segment[:n], n+1
	}
	if value < 0 && !tails(name) {
		return -1
	}
	keys, has := r.has(name, letters)
	if !has {
		return -1
	}
	n := tail(name, keys)
	if n >= 0 && r.ends(name, n) {
		return n
	}
	return value
}

// ends reports whether the tail at n is that of the name which is spelled. In
// `x%00y;key=` it is another one's.
func (r *Redactor) ends(name string, n int) bool {
	if strings.IndexByte(name, ';') < 0 {
		return true
	}
	_, has := r.has(name[:n], LettersOf(name[:n]))
	return has
}

// nested looks for names within a segment whose own name is another one: behind the
// delimiters of a URL that is its value, as they are or encoded. What stands between
// them is read in three ways, as some names may hold the delimiters of others.
func (r *Redactor) nested(c *redaction, start, end int) {
	if !valued(c.s[start:end]) {
		return
	}
	pair, part, word := start, start, start
	marked := false // a '?' stands between pair and i
	for i := start; i < end; {
		char, depth, width := delimiter(c.s[i:end])
		next := i + width
		switch char {
		case '=':
			for n, name := range [...]int{pair, part, word} {
				// a segment's own name ends at a plain '=', which named has looked at; but
				// mailers encode links once too often, '=' and all
				if name == start && depth == 0 || n > 0 && name == pair {
					continue
				}
				keys, has := r.has(c.s[name:i], LettersOf(c.s[name:i]))
				if !has {
					continue
				}
				from := next
				if n := tail(c.s[name:i], keys); n >= 0 && r.ends(c.s[name:i], n) {
					from = name + n
				}
				next = valueEnd(c.s, next, end, depth)
				c.replace(from, next)
				break
			}
			pair, part, word, marked = next, next, next, false
		case '&':
			pair, part, word, marked = next, next, next, false
		case '?':
			if !marked {
				pair, marked = next, true
			}
			part, word = next, next
		case ';', '#', '/':
			part, word = next, next
		case ',', ' ', '"', '\'', '<', '>', '(':
			word = next
		}
		i = next
	}
}

// valued reports whether an '=' could stand in the text, encoded or not.
func valued(text string) bool {
	for i := range len(text) {
		if c := text[i]; c == '=' || c|0x20 == 'd' && i > 0 && text[i-1] == '3' {
			return true
		}
	}
	return false
}

// valueEnd returns where the value at i ends, whose '=' was encoded depth times: at
// the next '&' that is encoded no more often.
func valueEnd(s string, i, end, depth int) int {
	for depth > 0 && i < end {
		char, d, width := delimiter(s[i:end])
		if char == '&' && d <= depth {
			return i
		}
		i += width
	}
	return end
}

// delimiter returns the first character of s, how often it is percent-encoded, and how
// many bytes it takes.
func delimiter(s string) (char byte, depth, width int) {
	if s[0] != '%' || len(s) < 3 {
		return s[0], 0, 1
	}
	i := 1
	for depth = 1; i+3 < len(s) && s[i] == '2' && s[i+1] == '5' && isHex(s[i+2]) && isHex(s[i+3]); depth++ {
		i += 2
	}
	if isHex(s[i]) && isHex(s[i+1]) {
		return unhex(s[i])<<4 | unhex(s[i+1]), depth, i + 2
	}
	return '%', 0, 1
}

// depths is how often an encoded name is decoded.
const depths = 4

// has reports whether the name spells one of a set, and how many keys in brackets that
// one has. The letters are those of the name, or more.
func (r *Redactor) has(name string, letters Letters) (keys int, has bool) {
	for _, set := range r.sets {
		if !set.Within(letters) {
			continue
		}
		if i := set.spelled(name, letters); i >= 0 {
			return strings.Count(set.Name(i), "["), true
		}
	}
	return 0, false
}

// spelled returns which name this one spells, however often it is encoded, or -1.
func (n *Names) spelled(name string, letters Letters) int {
	for range depths {
		if i, spelling := n.Classify(name); spelling != Other {
			return i
		}
		if strings.IndexByte(name, '%') < 0 || letters != anyLetters && !delimits(name) {
			break // Classify has looked at it decoded, and nothing is left to decode
		}
		name = Unescape(name)
	}
	return -1
}

// delimits reports whether a name that is decoded once may hold what means something to who
// decodes it again, or splits it: '+', ';' and '='.
func delimits(name string) bool {
	for i := range len(name) {
		if c := name[i]; c == ';' || (c == '2' || c == '3') && i > 0 && name[i-1] == '%' {
			return true
		}
	}
	return false
}

// tails reports whether a name could have a tail.
func tails(name string) bool {
	for i := range len(name) {
		if c := name[i]; c == '[' || c == '%' || c == 0 {
			return true
		}
	}
	return false
}

// tail returns where in a name that spells one of the set, with so many keys, the bytes
// begin that do not belong to it, but to the client: in brackets, behind the last key, or
// behind a NUL; -1 if there are none.
func tail(name string, keys int) int {
	open := -1
	for i := 0; i < len(name); {
		char, _, width := delimiter(name[i:])
		if char == '%' && i+6 <= len(name) && (name[i+1] == 'u' || name[i+1] == 'U') {
			if u, ok := Hex4(name[i+2], name[i+3], name[i+4], name[i+5]); ok && u < 0x80 {
				char, width = byte(u), 6
			}
		}
		switch {
		case char == 0 && open < 0:
			return i + width
		case char == '[' && open < 0:
			open = i + width
		case char == ']' && open >= 0 && keys > 0:
			if keys, open = keys-1, -1; keys == 0 && i+width < len(name) {
				return i + width
			}
		case char == ']' && open >= 0 && (i > open || i+width < len(name)):
			return open
		}
		i += width
	}
	return -1
}

// redaction is a text while it is redacted.
type redaction struct {
	s    string
	b    strings.Builder
	kept int // s[:kept] is in b
}

// replace takes s[from:to] out. The calls are in order.
func (c *redaction) replace(from, to int) {
	if from == to || c.s[from:to] == Redacted {
		return
	}
	if c.kept == 0 {
		c.b.Grow(len(c.s) + len(Redacted))
	}
	c.b.WriteString(c.s[c.kept:from])
	c.b.WriteString(Redacted)
	c.kept = to
}

func (c *redaction) text() string {
	if c.b.Len() == 0 {
		return c.s
	}
	c.b.WriteString(c.s[c.kept:])
	return c.b.String()
}
