package keyedhash

import (
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
)

// A language is the set of texts that a field of a message can be, as a deterministic
// automaton whose states are made while it runs: `digits max 256` has 257 states, of
// which a search mostly sees three.
type language interface {
	// start is the state before the first symbol. No step leads back to it.
	start() int64
	// step is the state after the symbol, or dead.
	step(state int64, c symbol) int64
	// final reports whether the text may end here.
	final(state int64) bool
	// same tells symbols apart: two for which it is equal are alike to the language
	// in every state.
	same(c symbol) int
}

// symbol is a byte, or the secret: a text that nobody knows and nobody can choose.
type symbol uint16

const (
	theSecret  symbol = 256
	unseen     symbol = 257 // a separator that the operator vouches for
	allSymbols        = 258
	dead       int64  = -1
)

// word is a language of one text: a literal, or the secret.
type word []symbol

func literalWord(text string) word {
	w := make(word, len(text))
	for i := range len(text) {
		w[i] = symbol(text[i])
	}
	return w
}

func (w word) start() int64       { return 0 }
func (w word) final(s int64) bool { return s == int64(len(w)) }
func (w word) same(c symbol) int  { return distinct(slices.Contains(w, c), c) }
func (w word) step(s int64, c symbol) int64 {
	if s < int64(len(w)) && w[s] == c {
		return s + 1
	}
	return dead
}

// distinct is a class of its own for symbols that matter by themselves.
func distinct(matters bool, c symbol) int {
	if matters {
		return int(c) + 1
	}
	return 0
}

// set is a set of bytes.
type set [256]bool

func setOf(ranges string, holds func(c byte) bool) *set {
	var s set
	for i := range s {
		s[i] = strings.IndexByte(ranges, byte(i)) >= 0 || holds != nil && holds(byte(i))
	}
	return &s
}

// run is texts of min to max bytes of a set; a max below 0 is none.
type run struct {
	bytes    *set
	min, max int
}

func (r run) start() int64       { return 0 }
func (r run) final(s int64) bool { return s >= int64(r.min) }
func (r run) same(c symbol) int {
	if c < 256 && r.bytes[c] {
		return 1
	}
	return 0
}

func (r run) step(s int64, c symbol) int64 {
	switch {
	case c >= 256 || !r.bytes[c]:
		return dead
	case r.max >= 0 && s >= int64(r.max):
		return dead
	}
	return count(s+1, r.min, r.max)
}

// count is the length so far, as far as it matters.
func count(n int64, least, most int) int64 {
	if most < 0 {
		return min(n, int64(max(least, 1)))
	}
	return n
}

// oneOf is a list of texts, as a tree.
type oneOf struct {
	next []map[symbol]int64
	ends []bool
	used set

	longest int
}

func newOneOf(texts []string) *oneOf {
	o := &oneOf{next: []map[symbol]int64{{}}, ends: []bool{false}}
	for _, text := range texts {
		o.longest = max(o.longest, len(text))
		at := int64(0)
		for i := range len(text) {
			c := symbol(text[i])
			o.used[c] = true
			to, ok := o.next[at][c]
			if !ok {
				to = int64(len(o.next))
				o.next, o.ends = append(o.next, map[symbol]int64{}), append(o.ends, false)
				o.next[at][c] = to
			}
			at = to
		}
		o.ends[at] = true
	}
	return o
}

func (o *oneOf) start() int64       { return 0 }
func (o *oneOf) final(s int64) bool { return o.ends[s] }
func (o *oneOf) same(c symbol) int  { return distinct(c < 256 && o.used[c], c) }
func (o *oneOf) step(s int64, c symbol) int64 {
	if to, ok := o.next[s][c]; ok {
		return to
	}
	return dead
}

// both is the intersection of two languages: a `param` rule and the format of a time.
// Its states are interned, because two of 63 bits do not fit into one.
type both struct {
	a, b   language
	states map[[2]int64]int64
	list   [][2]int64
	kinds  [allSymbols]int
}

func newBoth(a, b language) *both {
	p := &both{a: a, b: b, states: make(map[[2]int64]int64)}
	p.intern(a.start(), b.start())
	known := make(map[[2]int]int)
	for c := range symbol(allSymbols) {
		key := [2]int{a.same(c), b.same(c)}
		if _, ok := known[key]; !ok {
			known[key] = len(known)
		}
		p.kinds[c] = known[key]
	}
	return p
}

func (b *both) intern(x, y int64) int64 {
	key := [2]int64{x, y}
	n, ok := b.states[key]
	if !ok {
		n = int64(len(b.list))
		b.states[key] = n
		b.list = append(b.list, key)
	}
	return n
}

func (b *both) start() int64       { return 0 }
func (b *both) same(c symbol) int  { return b.kinds[c] }
func (b *both) final(s int64) bool { return b.a.final(b.list[s][0]) && b.b.final(b.list[s][1]) }
func (b *both) step(s int64, c symbol) int64 {
	x := b.a.step(b.list[s][0], c)
	y := b.b.step(b.list[s][1], c)
	if x == dead || y == dead {
		return dead
	}
	return b.intern(x, y)
}

// after is a fixed text and then a language.
type after struct {
	first string
	rest  language
}

func (a after) start() int64 {
	if a.first == "" {
		return a.rest.start()
	}
	return 0
}

func (a after) same(c symbol) int {
	return distinct(c < 256 && strings.IndexByte(a.first, byte(c)) >= 0, c)<<20 + a.rest.same(c)
}

func (a after) final(s int64) bool {
	n := int64(len(a.first))
	return s >= n && a.rest.final(s-n)
}

func (a after) step(s int64, c symbol) int64 {
	n := int64(len(a.first))
	if s < n {
		if c != symbol(a.first[s]) {
			return dead
		}
		if s+1 == n {
			return n + a.rest.start()
		}
		return s + 1
	}
	if s = a.rest.step(s-n, c); s == dead {
		return dead
	}
	return n + s
}

// maybe is a language and the empty text.
type maybe struct{ language }

func (m maybe) final(s int64) bool { return s == m.start() || m.language.final(s) }

// escaped is a language of values, percent-encoded: in every spelling that a client may
// choose (raw), or in the one that a form has (url.QueryEscape).
type escaped struct {
	value language
	form  bool
	path  bool // a '+' stands for itself
}

func (e escaped) start() int64       { return e.value.start() * 32 }
func (e escaped) final(s int64) bool { return s%32 == 0 && e.value.final(s/32) }

func (e escaped) same(c symbol) int {
	if c == '%' || c == '+' || c < 256 && hexValue(byte(c)) != dead {
		return int(c) + 1
	}
	n := e.value.same(c)*4 + 1
	if e.plain(c) {
		n++
	}
	return 1024 + n
}

// plain reports whether the byte may stand for itself.
func (e escaped) plain(c symbol) bool {
	if e.form {
		return c < 256 && tokenBytes[c]
	}
	if e.path {
		return c < 256 && pathBytes[c] && c != '%'
	}
	return c < 256 && rawBytes[c] && c != '%' && c != '+'
}

func (e escaped) step(s int64, c symbol) int64 {
	value, phase := s/32, s%32
	if c >= 256 {
		return dead
	}
	digit := hexValue(byte(c))
	if e.form && 'a' <= c && c <= 'f' {
		digit = dead
	}
	decoded := c
	switch {
	case phase == 1:
		if digit == dead {
			return dead
		}
		return value*32 + 2 + digit
	case phase >= 2:
		if digit == dead {
			return dead
		}
		decoded = symbol((phase-2)<<4 | digit)
		if e.form && (e.plain(decoded) || decoded == ' ') {
			return dead
		}
	case c == '%':
		return value*32 + 1
	case c == '+' && !e.path:
		decoded = ' '
	case !e.plain(c):
		return dead
	}
	if value = e.value.step(value, decoded); value == dead {
		return dead
	}
	return value * 32
}

// hexValue is the value of a hex digit, or dead.
func hexValue(c byte) int64 {
	switch {
	case '0' <= c && c <= '9':
		return int64(c - '0')
	case 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
		return int64(c|0x20-'a') + 10
	}
	return dead
}

// The alphabets.
var (
	digitBytes = setOf("0123456789", nil)
	hexBytes   = setOf("0123456789abcdefABCDEF", nil)
	alnumBytes = setOf("", isAlnum)
	tokenBytes = setOf("-._~", isAlnum)
	emailBytes = setOf("", func(c byte) bool { return c > ' ' && c < 0x7F && !strings.ContainsRune(`"(),:;<>[\]`, rune(c)) })
	anyBytes   = setOf("", func(byte) bool { return true })
	upperBytes = setOf("ABCDEFGHIJKLMNOPQRSTUVWXYZ", nil)
	// What stands in a value as sent: anything but the bytes that end it, or that the
	// gateway refuses (controls, blanks and '#' anywhere, ';' in a protected value).
	rawBytes = setOf("", func(c byte) bool { return c > ' ' && c != 0x7F && c != '#' && c != '&' && c != ';' })
	// What stands in a query as sent.
	queryBytes = setOf("", func(c byte) bool { return c > ' ' && c != 0x7F && c != '#' })
	// What net/url leaves in an escaped path.
	pathBytes = setOf("-._~!$&'()*+,;=:@[]/%", isAlnum)
	// What is left of a decoded path when it hides no delimiter.
	decodedBytes = setOf("", func(c byte) bool { return c != '?' && c != '%' && c != '#' && c != '\\' && c != 0 })
	segmentBytes = setOf("", func(c byte) bool { return decodedBytes[c] && c != '/' })
	hostBytes    = setOf("-._:[]", isAlnum)
	formBytes    = setOf("-._~+%=&", isAlnum)
)

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// anything is every text.
var anything = run{bytes: anyBytes, max: -1}

// ofRule is what a `param` rule admits. A rough language has no greatest length where
// that is a bound and no form: it admits more, and needs few states.
func ofRule(r link.Rule, rough bool) language {
	l := ofClass(r, rough)
	if r.Without != "" {
		l = without(l, r.Without)
	}
	if len(r.Also) > 0 {
		l = newEither(l, newOneOf(r.Also))
	}
	if r.Empty {
		l = maybe{l}
	}
	return l
}

func ofClass(r link.Rule, rough bool) language {
	longest := r.Max
	if rough && r.Max > 16 && r.Min < r.Max {
		longest = -1
	}
	switch r.Class {
	case link.OneOf:
		return newOneOf(r.Values)
	case link.Email:
		return emailText{max(r.Min, 3), longest}
	case link.Text:
		return utf8Text{r.Min, longest}
	case link.Digits:
		return run{digitBytes, r.Min, longest}
	case link.Hex:
		return run{hexBytes, r.Min, longest}
	case link.Alnum:
		return run{alnumBytes, r.Min, longest}
	case link.Token:
		return run{tokenBytes, r.Min, longest}
	}
	return anything
}
