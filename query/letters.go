package query

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// Letters are the letters and digits that a text could spell, as bits: in whatever case,
// and with escapes. One look at a long text tells that no name of a set is in it, however
// many names it holds.
type Letters uint64

// anyLetters stands for what could be anything: escapes that become others once they are
// decoded, and what is beyond ASCII, where some readers find letters of ASCII.
const anyLetters = ^Letters(0)

// LettersOf returns the letters of a text that is as it was sent, or decoded.
func LettersOf(text string) (l Letters) {
	for i := range len(text) {
		l |= letters[text[i]]
	}
	if l&escape == 0 || l == anyLetters {
		return l
	}
	l &^= escape
	whole, broken, decoded := false, false, false
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '%' { // there are thousands, maybe
			broken = true
			continue
		}
		c, width := escaped(text, i)
		switch {
		case width == 0:
			broken = true
			continue
		case c == '%':
			return anyLetters
		}
		whole, decoded = true, decoded || width == 3
		l |= letters[c]
		i += width - 1
	}
	if whole && broken { // `%%37%35` is %75 at first, and u at last
		return anyLetters
	}
	if decoded {
		l |= escape
	}
	return l
}

// Escaped reports whether decoding makes another text of it.
func (l Letters) Escaped() bool { return l&escape != 0 }

// escaped returns the byte of the escape at i, of either kind, and how many bytes that
// takes; 0 if it is none.
func escaped(text string, i int) (c byte, width int) {
	switch {
	case i+2 >= len(text):
	case isHex(text[i+1]):
		if isHex(text[i+2]) {
			return unhex(text[i+1])<<4 | unhex(text[i+2]), 3
		}
	case text[i+1]|0x20 == 'u' && i+5 < len(text):
		if u, ok := Hex4(text[i+2], text[i+3], text[i+4], text[i+5]); ok {
			return byte(min(u, utf8.RuneSelf)), 6
		}
	}
	return 0, 0
}

// escape is the bit of '%', and in the end that of an escape.
const escape Letters = 1 << 63

var letters = func() (t [256]Letters) {
	for c := range t {
		switch {
		case '0' <= c && c <= '9':
			t[c] = 1 << (c - '0')
		case 'a' <= c && c <= 'z':
			t[c] = 1 << (10 + c - 'a')
		case 'A' <= c && c <= 'Z':
			t[c] = 1 << (10 + c - 'A')
		case c == '%':
			t[c] = escape
		case c >= utf8.RuneSelf:
			t[c] = anyLetters
		}
	}
	return t
}()

// common returns the letters that all names have.
func common(names []string) Letters {
	l := anyLetters
	for _, name := range names {
		l &= LettersOf(name)
	}
	return l
}

// Within reports whether a text with these letters could spell one of the names. It says
// no for certain, and yes for the texts that somebody has to look at.
func (n *Names) Within(l Letters) bool { return len(n.plain.list) > 0 && n.common&^l == 0 }

// Split yields what stands between the separators, as [strings.SplitSeq] does. Of pieces
// of a few bytes, which hostile texts are full of, that spends its time on beginning to
// search.
func Split(s string, separator byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		start := 0
		for i := 0; i < len(s); i++ {
			if s[i] == separator {
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			} else if i == start+near {
				n := strings.IndexByte(s[i:], separator)
				if n < 0 {
					break
				}
				i += n - 1
			}
		}
		yield(s[start:])
	}
}

// near is how far it is quicker to look at each byte.
const near = 24

// NameOf is what stands before the first '='.
func NameOf(segment string) string {
	for i := range min(len(segment), near) {
		if segment[i] == '=' {
			return segment[:i]
		}
	}
	name, _, _ := strings.Cut(segment, "=")
	return name
}
