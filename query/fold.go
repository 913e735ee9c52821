package query

import (
	"bytes"
	"math"
	"unicode"
	"unicode/utf8"

	"github.com/signedlink/caddy-signed-link/backend"
)

// unlimited is a fold's limit where every byte of it matters.
const unlimited = math.MaxInt

// foldPHP appends the name under which PHP files the parameter or cookie whose
// decoded name is name (php_register_variable_ex in PHP 5 to 8). Where PHP's
// versions differ on what follows an unclosed '[', it folds more, not less. Of a fold
// that is longer than limit it appends the beginning, which is longer, too: whoever
// compares it with short names need not read 16 KiB of it.
func foldPHP(p backend.Profile, dst, name []byte, limit int) []byte {
	rules := p.Rules()
	for len(name) > 0 && (name[0] == ' ' && rules.Has(backend.LeadingBlank) || name[0] == '?' && rules.Has(backend.LeadingQuestionMark)) {
		name = name[1:]
	}
	open := brackets{name: name}
	start := len(dst)
	for i, c := range name {
		switch c {
		case 0:
			if rules.Has(backend.NULTail) {
				return dst
			}
		case '[':
			if rules.Has(backend.ArrayName) && open.closes(i+1) {
				return dst // an array, under the name before the bracket
			}
			fallthrough
		case ' ', '.':
			if rules.Has(backend.UnderscoreName) {
				c = '_'
			}
		}
		dst = append(dst, c)
		if len(dst)-start > limit {
			return dst
		}
	}
	return dst
}

// brackets tells which brackets of a name are closed. It looks at each byte once, however
// many brackets are open: a name of 15,000 of them would cost half a second otherwise.
type brackets struct {
	name []byte
	none int // from the places asked about, no ']' stands before this one
}

// closes tells whether a ']' follows at i or behind it, before the name's end, which is
// its first NUL. It must be asked from left to right.
func (b *brackets) closes(i int) bool {
	if i <= b.none {
		return false
	}
	if len(b.name)-i > 64 { // searching for each takes fewer steps
		end := len(b.name)
		if n := bytes.IndexByte(b.name[i:], 0); n >= 0 {
			end = i + n
		}
		if bytes.IndexByte(b.name[i:end], ']') >= 0 {
			return true
		}
		b.none = end
		return false
	}
	for ; i < len(b.name); i++ {
		switch b.name[i] {
		case ']':
			return true
		case 0:
			b.none = i
			return false
		}
	}
	b.none = i
	return false
}

// foldLoose appends the name under which the most lenient reader known would file
// the parameter: case, blanks of every kind, brackets, full-width letters, and the
// difference between '-', '.' and '_' are gone. The limit is that of [foldPHP].
func foldLoose(p backend.Profile, dst, name []byte, limit int) []byte {
	start := len(dst)
	open := brackets{name: name}
	letters := &looseLetters[p]
	for i := 0; i < len(name); {
		// a run of '_' may be one at the end, which is dropped
		if n := len(dst) - start; n > limit && (dst[len(dst)-1] != '_' || !p.Has(backend.DashDotUnderscore)) {
			return dst
		}
		c, size := rune(name[i]), 1
		if c >= utf8.RuneSelf || c == '%' && i+1 < len(name) && name[i+1]|0x20 == 'u' {
			if c, size = looseDecode(p, name[i:]); size == 0 {
				dst = append(dst, name[i])
				i++
				continue
			}
		}
		i += size
		first := len(dst) == start
		switch c {
		case 0:
			if p.Has(backend.NULTail) {
				return trimLoose(p, dst, start)
			}
		case '[':
			if !first && p.Has(backend.ArrayName) && open.closes(i) {
				return trimLoose(p, dst, start)
			}
			if !first && p.Has(backend.UnderscoreName) {
				c = '_'
			}
		case '?':
			if first && p.Has(backend.LeadingQuestionMark) {
				continue
			}
		case ' ':
			if first && p.Has(backend.LeadingBlank) {
				continue
			}
		}
		if c >= utf8.RuneSelf {
			if c = looseRune(p, c); c >= 0 {
				dst = utf8.AppendRune(dst, c)
			}
		} else if letters[c] != dropped {
			dst = append(dst, letters[c])
		}
	}
	return trimLoose(p, dst, start)
}

// lenient reports whether the loose fold makes a protected name of anything that PHP does
// not make it of. Without one of these rules it only leaves more characters in.
func lenient(p backend.Profile) bool {
	const rules = 1<<backend.AnyCase | 1<<backend.DashDotUnderscore | 1<<backend.StrayBracket | 1<<backend.InvisibleCharacter | 1<<backend.FullWidthLetter | 1<<backend.PercentU
	return p.Rules()&rules != 0
}

// looseDecode returns the first character of name, which is beyond ASCII or begins with %u,
// and may be written %u0075 or in full width, and how many bytes it takes; 0 if it is none.
func looseDecode(p backend.Profile, name []byte) (rune, int) {
	c, size := rune(name[0]), 1
	if c >= utf8.RuneSelf {
		if c, size = utf8.DecodeRune(name); c == utf8.RuneError && size == 1 {
			return 0, 0
		}
	} else if len(name) >= 6 && p.Has(backend.PercentU) {
		if u, ok := Hex4(name[2], name[3], name[4], name[5]); ok {
			c, size = u, 6
		}
	}
	if 0xFF01 <= c && c <= 0xFF5E && p.Has(backend.FullWidthLetter) {
		c -= 0xFF01 - '!'
	}
	return c, size
}

// looseRune is what the loose fold makes of a character, wherever it stands; -1 if it
// makes nothing of it.
func looseRune(p backend.Profile, c rune) rune {
	switch {
	case (c == '[' || c == ']') && p.Has(backend.StrayBracket):
		return -1
	case c == ' ' && p.Has(backend.UnderscoreName), (c == '.' || c == '-' || c == '_') && p.Has(backend.DashDotUnderscore):
		return '_'
	case p.Has(backend.InvisibleCharacter) && (c < 0x20 || c == 0x7F || zeroWidth(c) || c != ' ' && unicode.IsSpace(c)):
		return -1
	case p.Has(backend.AnyCase):
		return lower(c)
	default:
		return c
	}
}

// dropped is what [looseLetters] has for a character of which nothing is left.
const dropped = 0xFF

// looseLetters is [looseRune] of the characters of ASCII, of each profile.
var looseLetters = func() (t [3][utf8.RuneSelf]byte) {
	for p := range t {
		for c := range t[p] {
			t[p][c] = dropped
			if r := looseRune(backend.Profile(p), rune(c)); r >= 0 {
				t[p][c] = byte(r)
			}
		}
	}
	return t
}()

// trim drops a '_' run at the end, which may stand for blanks or brackets.
func trimLoose(p backend.Profile, dst []byte, start int) []byte {
	if !p.Has(backend.DashDotUnderscore) {
		return dst
	}
	return append(dst[:start], bytes.TrimRight(dst[start:], "_")...)
}

// lower is the lower case of c. Three letters beyond ASCII have ASCII ones for their
// other case.
func lower(c rune) rune {
	switch c {
	case 'ſ':
		return 's'
	case '\u212A':
		return 'k'
	case 'ı':
		return 'i'
	}
	return unicode.ToLower(c)
}

func zeroWidth(c rune) bool {
	return c == 0xAD || 0x200B <= c && c <= 0x200F || 0x2028 <= c && c <= 0x202E ||
		0x2060 <= c && c <= 0x2064 || c == 0xFEFF || c == 0x180E
}

// Hex4 returns the number that is written with these four digits; false if one of them is
// none.
func Hex4(a, b, c, d byte) (rune, bool) {
	a, b, c, d = hexDigits[a], hexDigits[b], hexDigits[c], hexDigits[d]
	return rune(a)<<12 | rune(b)<<8 | rune(c)<<4 | rune(d), a|b|c|d != noHexDigit
}

// looseEqual compares a plain name, without a run of '_' and '-' at its end where those
// are alike, with a loose fold of the same length.
func looseEqual(p backend.Profile, s, loose string) bool {
	letters := &looseLetters[p]
	for i := range len(s) {
		if letters[s[i]] != loose[i] {
			return false
		}
	}
	return true
}

// looseFold appends the loose fold of such a name.
func looseFold(p backend.Profile, dst []byte, s string) []byte {
	letters := &looseLetters[p]
	for i := range len(s) {
		dst = append(dst, letters[s[i]])
	}
	return dst
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
