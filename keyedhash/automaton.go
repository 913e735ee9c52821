package keyedhash

import (
	"encoding/binary"
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
	allSymbols        = 257
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

// emailText is what the class email admits, of 3 bytes or more: one '@', not at an end.
type emailText struct{ min, max int }

const (
	emailLocal  = 1 // something before the '@'
	emailAt     = 2
	emailDomain = 3
)

func (e emailText) start() int64       { return 0 }
func (e emailText) final(s int64) bool { return s%4 == emailDomain && s/4 >= int64(e.min) }
func (e emailText) same(c symbol) int {
	return distinct(c == '@', c) + run{bytes: emailBytes}.same(c)
}

func (e emailText) step(s int64, c symbol) int64 {
	n, at := s/4+1, s%4
	switch {
	case e.max >= 0 && n > int64(e.max) || c >= 256 || !emailBytes[c]:
		return dead
	case c == '@' && at == emailLocal:
		at = emailAt
	case c == '@':
		return dead
	case at == 0:
		at = emailLocal
	case at == emailAt:
		at = emailDomain
	}
	return count(n, e.min, e.max)*4 + at
}

// utf8Text is what the class text admits: UTF-8 without control characters.
type utf8Text struct{ min, max int }

// What may follow within a character; the numbers are states of utf8Text.
const (
	uWhole = iota // the character is complete
	uOne          // one byte 80-BF more
	uTwo
	uThree
	uC2   // A0-BF: no controls of the second half
	uE0   // A0-BF, then one
	uE2   // 80 is special, others one
	uE280 // not A8 and A9: line and paragraph separators
	uED   // 80-9F, then one: no surrogates
	uF0   // 90-BF, then two
	uF4   // 80-8F, then two
	uStates
)

func (u utf8Text) start() int64       { return 0 }
func (u utf8Text) final(s int64) bool { return s%uStates == uWhole && s/uStates >= int64(u.min) }

func (u utf8Text) same(c symbol) int {
	for i, first := range []symbol{0x20, 0x7F, 0x80, 0x81, 0x90, 0xA0, 0xA8, 0xAA, 0xC0, 0xC2, 0xC3, 0xE0, 0xE1, 0xE2, 0xE3, 0xED, 0xEE, 0xF0, 0xF1, 0xF4, 0xF5, 256} {
		if c < first {
			return i
		}
	}
	return -1
}

func (u utf8Text) step(s int64, c symbol) int64 {
	n := s/uStates + 1
	if u.max >= 0 && n > int64(u.max) || c >= 256 {
		return dead
	}
	n = count(n, u.min, u.max)
	within := func(low, high symbol, next int64) int64 {
		if low <= c && c <= high {
			return n*uStates + next
		}
		return dead
	}
	switch s % uStates {
	case uOne:
		return within(0x80, 0xBF, uWhole)
	case uTwo:
		return within(0x80, 0xBF, uOne)
	case uThree:
		return within(0x80, 0xBF, uTwo)
	case uC2:
		return within(0xA0, 0xBF, uWhole)
	case uE0:
		return within(0xA0, 0xBF, uOne)
	case uE2:
		if c == 0x80 {
			return n*uStates + uE280
		}
		return within(0x81, 0xBF, uOne)
	case uE280:
		if c == 0xA8 || c == 0xA9 {
			return dead
		}
		return within(0x80, 0xBF, uWhole)
	case uED:
		return within(0x80, 0x9F, uOne)
	case uF0:
		return within(0x90, 0xBF, uTwo)
	case uF4:
		return within(0x80, 0x8F, uTwo)
	}
	next := int64(uWhole)
	switch {
	case c < 0x20 || 0x7F <= c && c < 0xC2 || c > 0xF4:
		return dead
	case c < 0x7F:
	case c == 0xC2:
		next = uC2
	case c <= 0xDF:
		next = uOne
	case c == 0xE0:
		next = uE0
	case c == 0xE2:
		next = uE2
	case c == 0xED:
		next = uED
	case c <= 0xEF:
		next = uTwo
	case c == 0xF0:
		next = uF0
	case c == 0xF4:
		next = uF4
	default:
		next = uThree
	}
	return n*uStates + next
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

// rfc3339Text is RFC 3339 as [link.Timestamp] reads it, and a few days that no month
// has. A state is a place in `2006-01-02T15:04:05.0-07:00` and the digit before it.
type rfc3339Text struct{}

// What stands at each place, by the letters of step; behind the seconds comes a
// fraction, or the zone.
const (
	rfc3339Form = "dddd-mM-xXThH:sd:sd"
	zoneForm    = "hH:sd"
	atFraction  = int64(len(rfc3339Form)) + 1
	atDigits    = atFraction + 1
	atZone      = atDigits + 1
	atEnd       = atZone + int64(len(zoneForm))
)

func (rfc3339Text) start() int64       { return 0 }
func (rfc3339Text) final(s int64) bool { return s>>4 == atEnd }
func (rfc3339Text) same(c symbol) int {
	return distinct(c < 256 && strings.IndexByte("0123456789-:.+TZ", byte(c)) >= 0, c)
}

func (rfc3339Text) step(s int64, c symbol) int64 {
	place, before := s>>4, s&15
	digit := '0' <= c && c <= '9'
	var form byte
	switch whole := int64(len(rfc3339Form)); {
	case place < whole:
		form = rfc3339Form[place]
	case atZone <= place && place < atEnd:
		form = zoneForm[place-atZone]
	case place == whole || place == atDigits:
		switch {
		case c == 'Z':
			return atEnd << 4
		case c == '+' || c == '-':
			return atZone << 4
		case c == '.' && place == whole:
			return atFraction << 4
		case digit && place == atDigits:
			return atDigits << 4
		}
		return dead
	case place == atFraction && digit:
		return atDigits << 4
	default:
		return dead
	}
	ok := digit
	switch form {
	case 'm': // the first digits of month, day, hour, minute and second
		ok = ok && c <= '1'
	case 'x':
		ok = ok && c <= '3'
	case 'h':
		ok = ok && c <= '2'
	case 's':
		ok = ok && c <= '5'
	case 'M': // and the digits behind them
		ok = ok && (before == 0 && c > '0' || before == 1 && c <= '2')
	case 'X':
		ok = ok && (before == 0 && c > '0' || before == 1 || before == 2 || before == 3 && c <= '1')
	case 'H':
		ok = ok && (before < 2 || c <= '3')
	case '-', ':', 'T':
		ok = c == symbol(form)
	}
	if !ok {
		return dead
	}
	if form != 'm' && form != 'x' && form != 'h' {
		c = '0' // it decides nothing
	}
	return (place+1)<<4 | int64(c-'0')
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
	case c == '+':
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

// ofTime is what the gateway reads as a time; a link with another one never verifies.
func ofTime(f link.TimeFormat) language {
	switch f {
	case link.UnixMS:
		return run{digitBytes, 1, 13}
	case link.RFC3339:
		return rfc3339Text{}
	default:
		return run{digitBytes, 1, 10}
	}
}

// field is one place of a message.
type field struct {
	language
	part   *part
	pinned bool // the user, whose secret it is: another user has another secret
}

// at is a place in a run over all fields.
type at struct {
	field int
	state int64
}

// successors calls yield for each place to which the symbol leads.
func successors(fields []field, a at, c symbol, yield func(at)) {
	for i, s := a.field, a.state; ; {
		if to := fields[i].step(s, c); to != dead {
			yield(at{i, to})
		}
		if !fields[i].final(s) || i+1 == len(fields) {
			return
		}
		i++
		s = fields[i].start()
	}
}

// ends reports whether the message may end here.
func ends(fields []field, a at) bool {
	if !fields[a.field].final(a.state) {
		return false
	}
	for _, f := range fields[a.field+1:] {
		if !f.final(f.start()) {
			return false
		}
	}
	return true
}

// What a search may cost: pairs of states, and steps. Honest templates need some hundreds
// of pairs; the limits keep a strange one from holding up a start for a second.
const (
	maxPairs = 100_000
	maxSteps = 10_000_000
)

// twoReadings looks for the shortest text that can be divided among the fields in two
// ways. It runs the automaton of the whole message twice, side by side (the square of
// Book, Even, Greibach and Ott, "Ambiguity in graphs and expressions", 1971): while
// both runs read each symbol in the same field, they are in the same state, because
// each field is deterministic; once they read one in different fields, the readings
// differ. The result is what each reading gives each field. One that is not possible, because values
// depend on each other, is passed over: possible decides; after some of them the search
// gives up. unique reports that there are no two readings at all.
func twoReadings(fields []field, possible func(a, b []string) bool) (a, b []string, unique bool) {
	tries, steps := 0, 0
	type node struct {
		a, b   at
		differ bool
	}
	type step struct {
		node
		from   int32
		symbol symbol
	}
	symbols := representatives(fields)
	start := at{0, fields[0].start()}
	queue := []step{{node: node{a: start, b: start}, from: -1}}
	seen := map[node]struct{}{queue[0].node: {}}
	var left, right []at
	for i := 0; i < len(queue); i++ {
		here := queue[i]
		if here.differ && ends(fields, here.a) && ends(fields, here.b) {
			var way []step
			for j := int32(i); queue[j].from >= 0; j = queue[j].from {
				way = append(way, queue[j])
			}
			x, y := make([][]byte, len(fields)), make([][]byte, len(fields))
			for _, w := range slices.Backward(way) {
				if w.symbol != theSecret {
					x[w.a.field] = append(x[w.a.field], byte(w.symbol))
					y[w.b.field] = append(y[w.b.field], byte(w.symbol))
				}
			}
			a, b = make([]string, len(fields)), make([]string, len(fields))
			for f := range fields {
				a[f], b[f] = string(x[f]), string(y[f])
			}
			steps += 10 * len(way)
			if possible(a, b) {
				return a, b, false
			}
			if tries++; tries > 200 {
				return nil, nil, false
			}
		}
		if len(queue) > maxPairs || steps > maxSteps {
			return nil, nil, false
		}
		for _, c := range symbols {
			left, right = left[:0], right[:0]
			successors(fields, here.a, c, func(p at) { left = append(left, p) })
			successors(fields, here.b, c, func(p at) { right = append(right, p) })
			steps += 1 + len(left)*len(right)
			for _, p := range left {
				for _, q := range right {
					if p.field != q.field && (fields[p.field].pinned || fields[q.field].pinned) || !here.differ && p.field > q.field {
						continue // the other half of the square is the same
					}
					n := node{p, q, here.differ || p.field != q.field}
					if _, ok := seen[n]; !ok {
						seen[n] = struct{}{}
						queue = append(queue, step{n, int32(i), c})
					}
				}
			}
		}
	}
	return nil, nil, tries == 0
}

// representatives returns one symbol of each kind that any field tells apart, those
// that people read most easily first.
func representatives(fields []field) []symbol {
	const first = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0"
	order := make([]symbol, 0, allSymbols)
	for i := range len(first) {
		order = append(order, symbol(first[i]))
	}
	for _, printable := range []bool{true, false} {
		for c := range symbol(256) {
			if (' ' < c && c < 0x7F) == printable && !isAlnum(byte(c)) {
				order = append(order, c)
			}
		}
	}
	order = append(order, theSecret)
	known := make(map[string]bool)
	var out []symbol
	var signature []byte
	for _, c := range order {
		signature = signature[:0]
		for _, f := range fields {
			signature = binary.AppendVarint(signature, int64(f.same(c)))
		}
		if !known[string(signature)] {
			known[string(signature)] = true
			out = append(out, c)
		}
	}
	return out
}
