package query

import (
	"slices"
	"unicode/utf8"
)

// Letters are the letters and digits that a text could spell, as bits: in whatever case,
// and with escapes. One look at a long text tells that no name of a set is in it, however
// many names it holds.
type Letters uint64

// anyLetters stands for what could be anything: escapes that become others once they are
// decoded, and the few characters beyond ASCII of which some readers make letters of ASCII.
const anyLetters = ^Letters(0)

// The bits beside those of 36 letters and digits.
const (
	escape Letters = 1 << (63 - iota) // a '%', and in the end an escape, which decoding changes

	// The bytes of the characters that [Profile.foldLoose] makes letters of, in UTF-8: ı, İ,
	// ſ, the Kelvin sign, and full-width ones. A byte may be written as an escape, and another
	// one not, so they are looked for one by one.
	byteC4
	byteC5
	byteE2
	byteEF
	byte84
	byteAA
	byteB0
	byteB1
	byteBCBD
	byteBF
)

var letters = func() (t [256]Letters) {
	for c := range byte(10) {
		t['0'+c] = 1 << c
	}
	for c := range byte(26) {
		t['a'+c], t['A'+c] = 1<<(10+c), 1<<(10+c)
	}
	t['%'] = escape
	t[0xC4], t[0xC5], t[0xE2], t[0xEF], t[0x84], t[0xAA] = byteC4, byteC5, byteE2, byteEF, byte84, byteAA
	t[0xB0], t[0xB1], t[0xBC], t[0xBD], t[0xBF] = byteB0, byteB1, byteBCBD, byteBCBD, byteBF
	return t
}()

// folded reports whether a character beyond ASCII that becomes a letter could be among these.
func (l Letters) folded() bool {
	return l&byteC4 != 0 && l&(byteB0|byteB1) != 0 || l&byteC5 != 0 && l&byteBF != 0 ||
		l&byteE2 != 0 && l&byte84 != 0 && l&byteAA != 0 || l&byteEF != 0 && l&byteBCBD != 0
}

// LettersOf returns the letters of a text that is as it was sent, or decoded.
func LettersOf(text string) (l Letters) {
	for i := range len(text) {
		l |= letters[text[i]]
	}
	if l&escape != 0 {
		l = l&^escape | escapedLetters(text)
	}
	if l.folded() {
		return anyLetters
	}
	return l
}

// escapedLetters returns the letters that stand in escapes of a text, of either kind.
func escapedLetters(text string) (l Letters) {
	whole, broken := false, false
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
		case width == 3:
			l |= letters[c] | escape
		case c < utf8.RuneSelf:
			l |= letters[c]
		case c == 'ı', c == 'İ', c == 'ſ', c == '\u212A', 0xFF01 <= c && c <= 0xFF5E:
			return anyLetters
		}
		whole = true
		i += width - 1
	}
	if whole && broken { // `%%37%35` is %75 at first, and u at last
		return anyLetters
	}
	return l
}

// Escaped reports whether decoding may make another text of it.
func (l Letters) Escaped() bool { return l&escape != 0 }

// escaped returns the byte or the character of the escape at i, and how many bytes that
// takes: three of %75, six of %u0075, and none if it is broken.
func escaped(text string, i int) (c rune, width int) {
	switch {
	case i+2 >= len(text):
	case isHex(text[i+1]):
		if isHex(text[i+2]) {
			return rune(unhex(text[i+1])<<4 | unhex(text[i+2])), 3
		}
	case text[i+1]|0x20 == 'u' && i+5 < len(text):
		if u, ok := Hex4(text[i+2], text[i+3], text[i+4], text[i+5]); ok {
			return u, 6
		}
	}
	return 0, 0
}

// sieve is what a text must have the letters of: one of the names, or what all have in
// common where there are many.
type sieve []Letters

func newSieve(names []string) (s sieve) {
	for _, name := range names {
		if l := LettersOf(name); !slices.Contains(s, l) {
			s = append(s, l)
		}
	}
	if len(s) <= fewTexts {
		return s
	}
	common := anyLetters
	for _, l := range s {
		common &= l
	}
	return sieve{common}
}

// Within reports whether a text with these letters could spell one of the names. It says
// no for certain, and yes for the texts that somebody has to look at.
func (n *Names) Within(l Letters) bool {
	for _, name := range n.sieve {
		if name&^l == 0 {
			return true
		}
	}
	return false
}
