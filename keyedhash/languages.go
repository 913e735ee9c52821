package keyedhash

import (
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
)

// apart is texts that a pattern tells from the literal beside them: those before which, or
// behind which, the literal does not occur any earlier, or later, than it stands.
type apart struct {
	literal string
	right   bool    // the literal stands before the text, and its last occurrence counts
	fail    []int64 // the prefix function of Knuth, Morris and Pratt
	ends    []bool  // by state: the first occurrence in text and literal is at the end of the text
	used    set
}

// newApart returns the language of texts that are cut off at the literal behind them, or,
// with right, at the one before them.
func newApart(literal string, right bool) language {
	if len(literal) == 1 {
		return run{setOf("", func(c byte) bool { return c != literal[0] }), 0, -1}
	}
	a := &apart{literal: literal, right: right, fail: make([]int64, len(literal)+1)}
	for i := 1; i < len(literal); i++ {
		k := a.fail[i]
		for k > 0 && literal[k] != literal[i] {
			k = a.fail[k]
		}
		if literal[k] == literal[i] {
			k++
		}
		a.fail[i+1] = k
	}
	for i := range len(literal) {
		a.used[literal[i]] = true
	}
	a.ends = make([]bool, len(literal))
	for s := range a.ends {
		a.ends[s] = right || a.first(int64(s))
	}
	return a
}

// next is the state of the search behind a byte: how much of the literal has just been read.
func (a *apart) next(s int64, c byte) int64 {
	for s > 0 && a.literal[s] != c {
		s = a.fail[s]
	}
	if a.literal[s] == c {
		s++
	}
	return s
}

// first reports whether the literal, read in this state, occurs at its end for the first time.
func (a *apart) first(s int64) bool {
	for i := range len(a.literal) {
		if s = a.next(s, a.literal[i]); s == int64(len(a.literal)) {
			return i+1 == len(a.literal)
		}
	}
	return false
}

// A state is that of the search and one more, for no step leads back to the start.
func (a *apart) start() int64 { return 0 }

func (a *apart) search(s int64) int64 {
	switch {
	case s > 0:
		return s - 1
	case a.right:
		return a.fail[len(a.literal)]
	}
	return 0
}

func (a *apart) final(s int64) bool { return a.ends[a.search(s)] }

func (a *apart) same(c symbol) int {
	if c >= 256 {
		return -1
	}
	return distinct(a.used[c], c)
}

func (a *apart) step(s int64, c symbol) int64 {
	if c >= 256 {
		return dead
	}
	if s = a.next(a.search(s), byte(c)); s == int64(len(a.literal)) {
		return dead
	}
	return s + 1
}

// either is the union of two languages: a rule, and the word that means: for ever.
type either struct{ *both }

func newEither(a, b language) either { return either{newBoth(a, b)} }

func (e either) final(s int64) bool {
	pair := e.list[s]
	return pair[0] != dead && e.a.final(pair[0]) || pair[1] != dead && e.b.final(pair[1])
}

func (e either) step(s int64, c symbol) int64 {
	pair := e.list[s]
	x, y := dead, dead
	if pair[0] != dead {
		x = e.a.step(pair[0], c)
	}
	if pair[1] != dead {
		y = e.b.step(pair[1], c)
	}
	if x == dead && y == dead {
		return dead
	}
	return e.intern(x, y)
}

// laidText is a time in a layout: digits, and what stands between them.
type laidText string

func (laidText) start() int64         { return 0 }
func (l laidText) final(s int64) bool { return s == int64(len(l)) }

func (l laidText) same(c symbol) int {
	if '0' <= c && c <= '9' {
		return 1
	}
	return distinct(c < 256 && strings.IndexByte(string(l), byte(c)) >= 0, c) * 2
}

func (l laidText) step(s int64, c symbol) int64 {
	if s >= int64(len(l)) {
		return dead
	}
	digit := '0' <= c && c <= '9'
	if l[s] == 'd' && digit || l[s] != 'd' && symbol(l[s]) == c {
		return s + 1
	}
	return dead
}

// laid is the form of a layout, with a d for each digit. No literal of a layout is a d.
func laid(layout string) laidText {
	return laidText(strings.NewReplacer("Y", "d", "M", "d", "D", "d", "h", "d", "m", "d", "s", "d").Replace(layout))
}

// base64Text is one to four bytes in base64url without padding, whose spare bits are zero.
// A state is how many characters there are, and how many zeros the last of them ends in: 0,
// 2 or 4.
type base64Text struct{}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// spare is how many bits at the end of the digit are zero, as far as that matters, or -1.
func spare(c symbol) int64 {
	n := -1
	if c < 256 {
		n = strings.IndexByte(base64Digits, byte(c))
	}
	switch {
	case n < 0:
		return -1
	case n%16 == 0:
		return 4
	case n%4 == 0:
		return 2
	}
	return 0
}

func (base64Text) start() int64      { return 0 }
func (base64Text) same(c symbol) int { return int(spare(c)) }

func (base64Text) final(s int64) bool {
	switch n, zeros := s/8, s%8; n {
	case 2, 6:
		return zeros == 4
	case 3:
		return zeros >= 2
	default:
		return n == 4
	}
}

func (base64Text) step(s int64, c symbol) int64 {
	zeros := spare(c)
	if zeros < 0 || s/8 == 6 {
		return dead
	}
	return (s/8+1)*8 + zeros
}

// ofField is what the field with this number can be by its pattern.
func (s *Scheme) ofField(n int) language {
	for i := range s.tokens {
		if t := &s.tokens[i]; t.has(n) {
			return cutOff(run{bytes: anyBytes, min: 1, max: -1}, t.pattern, n-t.first)
		}
	}
	own := n - s.path.first
	if s.path.pattern.Fields()[own].Greedy {
		return run{bytes: pathTextBytes, min: 1, max: -1}
	}
	return cutOff(run{bytes: segmentTextBytes, min: 1, max: -1}, s.path.pattern, own)
}

// patterned is the pattern of tokens and paths, as far as the checker needs it.
type patterned interface {
	Literals() []string
	FromRight(i int) bool
	IsGreedy(i int) bool
}

// cutOff is what of the language a field of the pattern can be.
func cutOff(l run, p patterned, i int) language {
	literals := p.Literals()
	last := len(literals) - 2
	switch {
	case p.IsGreedy(i):
		return l
	case p.FromRight(i):
		return apartOf(l, literals[i], true)
	case i == last:
		return l // it takes the rest
	}
	return apartOf(l, literals[i+1], false)
}

// apartOf is both languages, as one run where that is enough.
func apartOf(l run, literal string, right bool) language {
	a := newApart(literal, right)
	if r, ok := a.(run); ok {
		return run{setOf("", func(c byte) bool { return l.bytes[c] && r.bytes[c] }), l.min, l.max}
	}
	return newBoth(l, a)
}

// What stands in a field of a path, decoded: everybody reads it alike.
var (
	pathTextBytes    = setOf("", func(c byte) bool { return c >= ' ' && c != 0x7F && !strings.ContainsRune(`\%?#;`, rune(c)) })
	segmentTextBytes = setOf("", func(c byte) bool { return pathTextBytes[c] && c != '/' })
)

// without is the language less some bytes.
func without(l language, bytes string) language {
	kept := setOf("", func(c byte) bool { return strings.IndexByte(bytes, c) < 0 })
	if r, ok := l.(run); ok {
		return run{setOf("", func(c byte) bool { return r.bytes[c] && kept[c] }), r.min, r.max}
	}
	return newBoth(l, run{bytes: kept, max: -1})
}

// ofForm is what the gateway reads as a time; a link with another one never verifies.
func ofForm(f *link.TimeForm) language {
	var l language
	switch f.Format {
	case link.UnixMS:
		l = run{digitBytes, 1, 13}
	case link.RFC3339:
		l = rfc3339Text{}
	case link.HexSeconds:
		l = run{hexBytes, 1, 8}
	case link.Base62:
		l = run{alnumBytes, 1, 6}
	case link.Base64:
		l = base64Text{}
	case link.Laid:
		l = laid(f.Layout.String())
	default:
		l = run{digitBytes, 1, 10}
	}
	if f.Never != "" {
		l = newEither(l, literalWord(f.Never))
	}
	return l
}
