// Package query reads raw URL queries byte for byte, the way the backends behind
// a gateway read them, and cuts parameters out of them without touching the rest.
//
// It exists because [net/url.ParseQuery] answers another question. It drops pairs
// with a semicolon or a broken escape, gives up on long queries, and cannot say
// where a parameter stood; PHP and servlet containers keep what it drops. A gateway
// that judges the one reading and forwards the other is fooled (CVE-2022-2880,
// CVE-2022-2385, CVE-2026-39825 are bugs of this kind).
//
// Reading is linear in the input, bounded by [MaxBytes] and [MaxPairs], and
// allocates nothing for ordinary queries. The package imports the standard library
// only and knows nothing of HTTP.
package query

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
)

// Bounds of what is read. PHP and Tomcat cut silently after 1000 parameters
// (max_input_vars, maxParameterCount), so a longer query would be read differently
// on the two sides of the gateway.
const (
	MaxBytes = 32 << 10 // bytes of the raw query
	MaxPairs = 1000     // segments that are not empty
)

// offsets of [Pair] have 16 bits
const _ = uint16(MaxBytes)

// Errors of [Query.Parse]. The request cannot be judged and must be refused.
var (
	ErrTooLong = errors.New("the query is longer than 32 KiB")
	ErrTooMany = errors.New("the query has more than 1000 parameters")
)

// Pair is one segment of a query between two ampersands. Its fields are offsets
// into the raw query; 16 bits hold those of [MaxBytes].
type Pair struct {
	Start, End uint16 // the segment is raw[Start:End]
	Eq         uint16 // offset of the first '=', or End if there is none
}

// Query is a raw query and the places of its segments. The zero value is an empty
// query. It must not be copied after Parse.
type Query struct {
	Raw   string
	Pairs []Pair // in the order sent; empty segments ("&&") are left out

	// Control tells that the raw query holds a byte that no URL may hold: one
	// below 0x21, 0x7F, or '#'. HTTP/2 and HTTP/3 can carry them, and backends
	// disagree about where such a query ends.
	Control bool

	// Plain tells that the raw query holds no '%', '+' or ';': nothing in it can be
	// decoded or split, so what was sent is what is meant.
	Plain bool

	few [16]Pair
}

// Parse reads raw. It fails with [ErrTooLong] or [ErrTooMany] and then leaves the
// query without pairs.
func (q *Query) Parse(raw string) error {
	q.Raw, q.Pairs, q.Control, q.Plain = raw, q.few[:0], false, false
	if len(raw) > MaxBytes {
		return ErrTooLong
	}
	var seen mark
	start, eq := 0, -1
	for i := 0; i < len(raw); i++ {
		m := marks[raw[i]]
		seen |= m
		switch {
		case m&(separator|equals) == 0:
		case m == separator:
			if !q.add(start, eq, i) {
				return ErrTooMany
			}
			start, eq = i+1, -1
		case eq < 0:
			eq = i
			for i+9 <= len(raw) && dull(raw[i+1:i+9]) { // values are long, and mostly letters
				i += 8
			}
		}
	}
	if !q.add(start, eq, len(raw)) {
		return ErrTooMany
	}
	q.Control, q.Plain = seen&control != 0, seen&special == 0
	return nil
}

// add adds the segment, unless it is empty. It reports false, and leaves the query
// without pairs, if there are too many.
func (q *Query) add(start, eq, end int) bool {
	if start == end {
		return true
	}
	if len(q.Pairs) == MaxPairs {
		q.Pairs = nil
		return false
	}
	if eq < 0 {
		eq = end
	}
	if len(q.Pairs) == cap(q.Pairs) { // room for all that can follow, at once
		n := len(q.Pairs) + 1 + strings.Count(q.Raw[end:], "&")
		q.Pairs = append(make([]Pair, 0, min(n, MaxPairs)), q.Pairs...)
	}
	q.Pairs = append(q.Pairs, Pair{Start: uint16(start), End: uint16(end), Eq: uint16(eq)})
	return true
}

// mark is what a byte means to [Query.Parse], as bits.
type mark uint8

const (
	separator mark = 1 << iota
	equals
	control
	special
)

var marks = func() (m [256]mark) {
	for c := range m {
		if c <= ' ' || c == 0x7F || c == '#' {
			m[c] = control
		}
	}
	m['&'], m['='] = separator, equals
	m['%'], m['+'], m[';'] = special, special, special
	return m
}()

// dull reports whether eight bytes mean nothing to [Query.Parse]. Of some others, such as
// '!' and '*', it does not know. It looks at all of them at once: a byte is subtracted
// from each, and where one was smaller the highest bit of its place tells.
func dull(eight string) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	_ = eight[7]
	x := uint64(eight[0]) | uint64(eight[1])<<8 | uint64(eight[2])<<16 | uint64(eight[3])<<24 |
		uint64(eight[4])<<32 | uint64(eight[5])<<40 | uint64(eight[6])<<48 | uint64(eight[7])<<56
	low := (x - ones*',') &^ x // controls, blank, '#', '%', '&', '+'
	semicolon, equal, del := x^ones*';', x^ones*'=', x^ones*0x7F
	return (low|(semicolon-ones)&^semicolon|(equal-ones)&^equal|(del-ones)&^del)&tops == 0
}

// Segment is the pair as sent.
func (q *Query) Segment(p Pair) string { return q.Raw[p.Start:p.End] }

// RawName is the name as sent.
func (q *Query) RawName(p Pair) string { return q.Raw[p.Start:p.Eq] }

// RawValue is the value as sent; empty if there is no '='.
func (q *Query) RawValue(p Pair) string {
	if p.Eq == p.End {
		return ""
	}
	return q.Raw[p.Eq+1 : p.End]
}

// Value is the value, decoded once; see [Unescape].
func (q *Query) Value(p Pair) string {
	if q.Plain {
		return q.RawValue(p)
	}
	return Unescape(q.RawValue(p))
}

// AppendValue appends [Query.Value].
func (q *Query) AppendValue(dst []byte, p Pair) []byte {
	if q.Plain {
		return append(dst, q.RawValue(p)...)
	}
	return AppendUnescaped(dst, q.RawValue(p))
}

// Find returns the first pair whose name is spelled exactly like name, undecoded but for
// its brackets; see [IsNamed]. That there is no second one, in whatever spelling, is [Names]' business.
func (q *Query) Find(name string) (Pair, bool) {
	for i := range q.Pairs {
		p := &q.Pairs[i]
		if int(p.Eq-p.Start) == len(name) && q.Raw[p.Start:p.Eq] == name {
			return *p, true
		}
	}
	if !q.Plain && bracketed(name) {
		for _, p := range q.Pairs {
			if IsNamed(q.RawName(p), name) {
				return p, true
			}
		}
	}
	return Pair{}, false
}

// Cut returns raw without the segments for which drop reports true, and how many
// those were. The remaining segments keep their bytes, their order, and the
// ampersands between them; a query of which nothing is cut is returned as it is.
// Empty segments are never offered to drop. drop sees each segment as sent.
func Cut(raw string, drop func(segment string) bool) (string, int) {
	var buf [512]byte
	left, n := AppendCut(buf[:0], raw, drop)
	if n == 0 {
		return raw, 0
	}
	return string(left), n
}

// AppendCut appends what [Cut] returns.
func AppendCut(dst []byte, raw string, drop func(segment string) bool) ([]byte, int) {
	n := 0
	first := true
	for start := 0; start <= len(raw); {
		end := len(raw)
		if i := strings.IndexByte(raw[start:], '&'); i >= 0 {
			end = start + i
		}
		if end > start && drop(raw[start:end]) {
			n++
		} else {
			if !first {
				dst = append(dst, '&')
			}
			dst = append(dst, raw[start:end]...)
			first = false
		}
		start = end + 1
	}
	return dst, n
}

// Unescape decodes a name or a value once: '+' is a blank, a valid %XX is its byte,
// a broken escape stands for itself, as PHP reads it. It returns s itself if there
// is nothing to decode.
func Unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	return string(AppendUnescaped(make([]byte, 0, len(s)), s))
}

// AppendUnescaped appends what [Unescape] returns.
func AppendUnescaped(dst []byte, s string) []byte { return appendUnescaped(dst, s, true) }

// AppendUnescapedPath decodes a path once: like [AppendUnescaped], but '+' stands
// for itself.
func AppendUnescapedPath(dst []byte, s string) []byte { return appendUnescaped(dst, s, false) }

func appendUnescaped(dst []byte, s string, plus bool) []byte {
	start := len(dst)
	dst = slices.Grow(dst, len(s))
	to, n := dst[start:start+len(s)], 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c > '+': // most are
		case c == '+' && plus:
			c = ' '
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		}
		to[n] = c
		n++
	}
	return dst[:start+n]
}

// UnescapePath is [Unescape] for a path, in which '+' stands for itself.
func UnescapePath(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	return string(AppendUnescapedPath(make([]byte, 0, len(s)), s))
}

// BrokenEscape reports whether s holds a '%' that two hex digits do not follow.
// Go drops such a pair, Tomcat drops it, Jetty stops reading, PHP keeps it.
func BrokenEscape(s string) bool {
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			return false
		}
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			return true
		}
		s = s[i+3:]
	}
}

func isHex(c byte) bool { return hexDigits[c] != noHexDigit }

func unhex(c byte) byte { return hexDigits[c] }

const noHexDigit = 0xFF

// hexDigits are the values of the digits.
var hexDigits = func() (t [256]byte) {
	for c := range t {
		t[c] = noHexDigit
	}
	for i := range byte(10) {
		t['0'+i] = i
	}
	for i := range byte(6) {
		t['a'+i], t['A'+i] = 10+i, 10+i
	}
	return t
}()

// Repeated returns the first segment whose name stood in the query before it, under
// the profile's reading, ignoring the raw names for which skip is true; or "" if every
// name is single. A message of {sorted_query} needs that: sorting would otherwise hide in
// which order two values of one name were sent.
func (q *Query) Repeated(profile backend.Profile, skip func(rawName string) bool) string {
	for reading := range readings {
		if reading == readingLoose && !lenient(profile) {
			continue // what it has twice PHP has twice
		}
		if segment := q.repeated(profile, reading, skip); segment != "" {
			return segment
		}
	}
	return ""
}

// The readings of a name: as it is decoded, as PHP files it, and as the most lenient
// reader does.
const (
	readingDecoded = iota
	readingPHP
	readingLoose
	readings // how many there are
)

// read appends the name under one of the readings.
func appendReading(p backend.Profile, dst, decoded []byte, reading int) []byte {
	switch reading {
	case readingDecoded:
		return append(dst, decoded...)
	case readingPHP:
		return foldPHP(p, dst, decoded, unlimited)
	default:
		return foldLoose(p, dst, decoded, unlimited)
	}
}

func (q *Query) repeated(profile backend.Profile, reading int, skip func(rawName string) bool) string {
	var nameBuf, foldBuf [128]byte
	var fewBytes [1024]byte
	var few [len(q.few)]int // where each name ends in fewBytes
	buf, folded, names, ends := nameBuf[:0], foldBuf[:0], fewBytes[:0], few[:0]
	var seen places // in place of these, where there are many
	if len(q.Pairs) > len(few) {
		seen = make(places, len(q.Pairs))
	}
	// Two members of one array are two names to PHP, and not one to whoever else reads it.
	hasArrays, inArrays := reading == readingPHP && profile.Has(backend.ArrayName), false
	for _, p := range q.Pairs {
		raw := q.RawName(p)
		if skip != nil && skip(raw) {
			continue
		}
		buf = AppendUnescaped(buf[:0], raw)
		if hasArrays && bytes.IndexByte(buf, '[') >= 0 {
			inArrays = true
			folded = appendPlace(profile.Rules(), folded[:0], buf)
		} else {
			folded = appendReading(profile, folded[:0], buf, reading)
		}
		if seen != nil {
			if seen.twice(folded, hasArrays) {
				return q.Segment(p)
			}
			continue
		}
		start := 0
		for _, end := range ends {
			if name := names[start:end]; string(name) == string(folded) || inArrays && (within(name, folded) || within(folded, name)) {
				return q.Segment(p)
			}
			start = end
		}
		names = append(names, folded...)
		ends = append(ends, len(names))
	}
	return ""
}

// Unsteady returns why a segment of the query is read in several ways once it is decoded,
// `semicolon` or `escape`, or "" if none is. A message of decoded values would let a client
// write `note=1;order=2`, which some split, for the `note=1%3Border%3D2` that was signed,
// and `note=5%zz`, which some drop, for `note=5%25zz`. Raw names for which skip is true
// are outside of the message and may hold a broken escape, but no semicolon: what stands
// behind it is another parameter.
func (q *Query) Unsteady(profile backend.Profile, skip func(rawName string) bool) (detail string) {
	if q.Plain {
		return ""
	}
	for _, p := range q.Pairs {
		segment := q.Segment(p)
		switch {
		case profile.Has(backend.SemicolonInValue) && strings.IndexByte(segment, ';') >= 0:
			return "semicolon"
		case profile.Has(backend.BrokenEscapeInValue) && BrokenEscape(segment) && (skip == nil || !skip(q.RawName(p))):
			return "escape"
		}
	}
	return ""
}

// SplitsSkipped reports whether a segment whose raw name skip is true for holds a
// semicolon, behind which some read another parameter.
func (q *Query) SplitsSkipped(profile backend.Profile, skip func(rawName string) bool) bool {
	if q.Plain || !profile.Has(backend.SemicolonInValue) {
		return false
	}
	for _, p := range q.Pairs {
		if strings.IndexByte(q.Segment(p), ';') >= 0 && skip(q.RawName(p)) {
			return true
		}
	}
	return false
}
