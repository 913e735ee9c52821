package pattern

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// redacted stands where a signature was taken out; it is the word of the package query.
const redacted = "REDACTED"

// Place is where a scheme's links carry a signature in their path.
type Place struct {
	Pattern  *Pattern          // of a path, with the field named Field; nil: the segment Segment of any path
	Field    string            // of the pattern
	Segment  int               // counted from 0, without a pattern
	Alphabet func(c byte) bool // of the signature
	Length   int               // of the whole signature, in characters
}

// Redactor takes signatures out of paths in text. Logs need it, because they hold what
// the client sent before anybody judged it, and a link that is damaged, so that it does
// not fit its pattern, still holds a signature that somebody can put to use. So it does
// not ask whether a path fits: at the place where the signature stands, or could stand in
// a damaged link, it takes out what is long enough and made of the signature's alphabet.
// nil redacts nothing. It is immutable.
type Redactor struct {
	places []place
	tree   literals  // of the places
	least  int       // the shortest run that any place takes out
	any    [256]bool // bytes of which such runs are made, as they are sent
}

// place is a [Place], compiled. Places that are the same are equal.
type place struct {
	literal  string // in lower case: the signature stands behind it; "": segment says where
	segment  int    // from 0; -1: any
	alphabet [256]bool
	least    int
}

// NewRedactor compiles the places. It returns nil if there are none.
func NewRedactor(places []Place) *Redactor {
	if len(places) == 0 {
		return nil
	}
	r := new(Redactor)
	seen := make(map[place]bool)
	for _, of := range places {
		p := compile(of)
		if seen[p] {
			continue
		}
		seen[p] = true
		r.places = append(r.places, p)
		if p.literal != "" {
			r.tree.add(p.literal, len(r.places)-1)
		}
		if len(r.places) == 1 || p.least < r.least {
			r.least = p.least
		}
		for c, is := range p.alphabet {
			r.any[c] = r.any[c] || is || isEscape(byte(c))
		}
	}
	return r
}

func compile(of Place) place {
	// links are cut where they are copied and where lines are broken, but what is much
	// shorter than a signature cannot be completed
	p := place{segment: of.Segment, least: max(1, (3*of.Length+3)/4)}
	for c := range p.alphabet {
		if !of.Alphabet(byte(c)) {
			continue
		}
		p.alphabet[c] = true
		if isLetter(byte(c)) {
			p.alphabet[c^0x20] = true // who copies a link may change its case
		}
	}
	if of.Pattern == nil {
		return p
	}
	if l := of.Pattern.lowered[0]; len(l) > 1 {
		p.literal, p.segment = l, 0
		return p
	}
	i := of.Pattern.Index(of.Field)
	if i < 0 || of.Pattern.FromRight(i) || of.Pattern.fields[i].Greedy {
		p.segment = -1
		return p
	}
	p.segment = strings.Count(strings.Join(of.Pattern.literals[:i+1], ""), "/") - 1
	return p
}

// Redact returns s with REDACTED in place of every signature in a path, and with every
// other byte as it was; s itself, without an allocation, if there is none.
//
// A signature is a run of its alphabet, in any case of letters, that is at least three
// quarters as long as it should be. Escapes in it are decoded, however often they are
// encoded, and the '=' behind it goes, too. It is looked for where its place says:
//
// Behind the literal with which the pattern begins, anywhere in the text, up to the end of
// that path. The literal can be spelled in any case, with escapes, and with more slashes.
//
// Or, where that literal is a mere slash and where there is no pattern, in the segment that
// has the signature's number, and in all behind it: an application stands in a folder, a
// link was pasted twice. Segments are counted from where a path begins: at a slash that no
// path stands before, or behind the authority of a URL. Empty ones do not count. Behind a
// greedy field, or within it, all segments have the number.
//
// A path ends at '?', '#', '"', '<', '>', blanks and control bytes. In a URL that is encoded
// within another, it ends at a '?' that is encoded as often as its slashes. A slash can be
// written `\/`, as in JSON.
func (r *Redactor) Redact(s string) string {
	if r == nil || strings.IndexByte(s, '/') < 0 && strings.IndexByte(s, '%') < 0 {
		return s
	}
	return r.redact(s, false)
}

// Path is [Redactor.Redact] for a path alone, as sent or decoded: it does not end before
// the text does. A valid path stays one.
func (r *Redactor) Path(path string) string {
	if r == nil {
		return path
	}
	return r.redact(path, true)
}

func (r *Redactor) redact(s string, whole bool) string {
	if !r.worthIt(s) {
		return s
	}
	scan := scan{s: s, whole: whole}
	var few [4]uint64
	there := few[:]
	if len(r.places) > 64*len(few) {
		there = make([]uint64, (len(r.places)+63)/64)
	}
	scan.literals(&r.tree, there)
	for i := range r.places {
		scan.place = &r.places[i]
		if scan.place.literal == "" {
			scan.counted()
		} else if there[i/64]>>(i%64)&1 != 0 {
			scan.behind()
		}
	}
	return scan.text()
}

// literals is a tree of the literals of places: with a hundred definitions, one look at a
// text tells which few of them are in it.
type literals struct {
	chars  []byte // that go on
	next   []*literals
	places []int // whose literal ends here
}

func (l *literals) add(literal string, place int) {
	for _, c := range []byte(literal) {
		next := l.step(c)
		if next == nil {
			next = new(literals)
			l.chars, l.next = append(l.chars, c), append(l.next, next)
		}
		l = next
	}
	l.places = append(l.places, place)
}

func (l *literals) step(c byte) *literals {
	if i := bytes.IndexByte(l.chars, c); i >= 0 {
		return l.next[i]
	}
	return nil
}

// worthIt tells whether any run in the text is long enough. Most texts have none.
func (r *Redactor) worthIt(s string) bool {
	n := 0
	for i := range len(s) {
		if !r.any[s[i]] {
			n = 0
			continue
		}
		if n++; n >= r.least {
			return true
		}
	}
	return false
}

// scan is a text while signatures are looked for. Each place whose literal is there costs
// one pass over it.
type scan struct {
	s     string
	whole bool // it is a path alone
	place *place
	start int // of the run of the alphabet that the pass is in
	n     int // how many characters the run has; 0: there is none
	found []span
}

type span struct{ from, to int }

// behind finds the signatures behind the place's literal.
func (c *scan) behind() {
	inside := false // a path, and behind the literal
	encoded := 0    // how often its slashes are encoded
	slash := false  // the character before is one
	for i := 0; i < len(c.s); {
		char, depth, width := c.next(i)
		if char == '/' && !slash {
			if end := c.literalEnd(i); end > 0 {
				if !inside {
					inside, encoded, i = true, depth, end
					slash = strings.HasSuffix(c.place.literal, "/")
					continue
				}
				encoded = min(encoded, depth)
			}
		}
		slash = char == '/'
		if c.ends(char, depth, encoded) {
			c.cut(i, inside)
			inside = false
		} else if inside && !c.extends(i, char, depth, encoded) {
			c.cut(i, true)
		}
		i += width
	}
	c.cut(len(c.s), inside)
}

// literals sets the bits of those places whose literal stands in the text.
func (c *scan) literals(tree *literals, there []uint64) {
	if len(tree.next) == 0 {
		return
	}
	slash := false
	for i := 0; i < len(c.s); {
		char, _, width := c.next(i)
		if char == '/' && !slash {
			c.walk(tree, i, there)
		}
		slash = char == '/'
		i += width
	}
}

// walk sets the bits of those whose literal begins with the slash at i.
func (c *scan) walk(tree *literals, i int, there []uint64) {
	for tree != nil {
		for _, place := range tree.places {
			there[place/64] |= 1 << (place % 64)
		}
		char, end, ok := c.lowered(i)
		if !ok {
			return
		}
		tree, i = tree.step(char), end
	}
}

// literalEnd returns where the place's literal ends that begins with the slash at i; -1
// if another text stands there.
func (c *scan) literalEnd(i int) int {
	for _, want := range []byte(c.place.literal) {
		char, end, ok := c.lowered(i)
		if !ok || char != want {
			return -1
		}
		i = end
	}
	return i
}

// lowered returns the character at i in lower case, and where it ends; of slashes, where all
// of them end. There is none behind the text.
func (c *scan) lowered(i int) (char byte, end int, ok bool) {
	if i >= len(c.s) {
		return 0, i, false
	}
	char, _, width := decode(c.s, i)
	if isLetter(char) {
		char |= 0x20
	}
	i += width
	for next := char; next == '/' && i < len(c.s); {
		if next, _, width = decode(c.s, i); next == '/' {
			i += width
		}
	}
	return char, i, true
}

// counted finds the signatures in the segment with the place's number, and behind it.
func (c *scan) counted() {
	var path segments
	if c.whole {
		path = segmentsFrom(0)
	}
	end := func(i int) {
		c.cut(i, c.n >= c.place.least && path.on && path.n >= c.place.segment)
	}
	authority := false  // of a URL, so that the next slash begins a path
	before := byte(' ') // the character before
	for i := 0; i < len(c.s); {
		char, depth, width := c.next(i)
		if c.ends(char, depth, 0) {
			end(i)
			path, authority = segments{}, false
		} else if !path.on || !c.extends(i, char, depth, path.encoded) {
			end(i)
		}
		switch {
		case char == '?':
			path.on = path.on && !c.ends(char, depth, path.encoded)
		case char != '/':
		case before == ':' && !authority && c.slashAt(i+width) > 0:
			width += c.slashAt(i + width)
			authority = true
		case authority || path.begins(before):
			if path.on { // of a URL in the path
				path.encoded = min(path.encoded, depth)
			} else {
				path = segmentsFrom(depth)
			}
			authority = false
		}
		path.count(char)
		before = char
		i += width
	}
	end(len(c.s))
}

// segments counts the segments of a path, from the one at 0.
type segments struct {
	on      bool
	encoded int // how often the path's slashes are encoded
	// Slashes that are encoded more often are part of a segment, or a client or a backend
	// has encoded one too many. So they count.
	n   int
	gap bool // a slash stands before what comes next
}

func segmentsFrom(encoded int) segments {
	return segments{on: true, encoded: encoded, n: -1, gap: true}
}

// begins reports whether a path begins at a slash behind this character; if this one has
// begun, whether another one begins within it.
func (n *segments) begins(before byte) bool {
	if n.on {
		return strings.IndexByte("&,;:('|", before) >= 0
	}
	return !isAlphanumeric(rune(before)) && strings.IndexByte("-._~%)]}/", before) < 0
}

// count takes the next character into account.
func (n *segments) count(char byte) {
	if char == '/' {
		n.gap = true
	} else if n.gap {
		n.n, n.gap = n.n+1, false
	}
}

// next is [decode], but for what was taken out: this is no run, and its depth is -1.
func (c *scan) next(i int) (char byte, depth, width int) {
	if c.s[i] == redacted[0] && strings.HasPrefix(c.s[i:], redacted) {
		return redacted[len(redacted)-1], -1, len(redacted)
	}
	return decode(c.s, i)
}

// slashAt returns the width of the slash at i, 0 if none is there.
func (c *scan) slashAt(i int) int {
	if i < len(c.s) {
		if char, _, width := decode(c.s, i); char == '/' {
			return width
		}
	}
	return 0
}

// ends reports whether a path ends before the character, whose slashes are encoded so
// often. A '?' that is encoded more often is one in the path.
func (c *scan) ends(char byte, depth, encoded int) bool {
	switch {
	case c.whole:
		return false
	case depth > 0:
		return char == '?' && depth <= encoded
	case depth < 0:
		return false
	}
	return char <= ' ' || char == 0x7f || char == '?' || char == '#' || char == '"' || char == '<' || char == '>'
}

// extends reports whether the character at i is of the alphabet, and takes it into the run.
// Slashes between segments never are.
func (c *scan) extends(i int, char byte, depth, encoded int) bool {
	if !c.place.alphabet[char] || depth < 0 || char == '/' && depth <= encoded {
		return false
	}
	if c.n == 0 {
		c.start = i
	}
	c.n++
	return true
}

// cut ends the run at i, and takes it out if it is long enough, and in the place.
func (c *scan) cut(i int, here bool) {
	if here && c.n >= c.place.least {
		for i < len(c.s) {
			char, _, width := decode(c.s, i)
			if char != '=' {
				break
			}
			i += width
		}
		c.found = append(c.found, span{c.start, i})
	}
	c.n = 0
}

// text returns the text without what was found.
func (c *scan) text() string {
	if len(c.found) == 0 {
		return c.s
	}
	slices.SortFunc(c.found, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	b.Grow(len(c.s) + len(redacted))
	kept := 0 // all before is in b
	for i, f := range c.found {
		if i == 0 || f.from > kept {
			b.WriteString(c.s[kept:f.from])
			b.WriteString(redacted)
		}
		kept = max(kept, f.to)
	}
	b.WriteString(c.s[kept:])
	return b.String()
}

// decode returns the character at i, how often it is percent-encoded, and how many bytes
// it takes.
func decode(s string, i int) (char byte, depth, width int) {
	switch {
	case s[i] == '\\' && i+1 < len(s) && s[i+1] == '/':
		return '/', 0, 2
	case s[i] != '%' || i+2 >= len(s):
		return s[i], 0, 1
	}
	at := i + 1
	for depth = 1; at+3 < len(s) && s[at] == '2' && s[at+1] == '5' && isHex(s[at+2]) && isHex(s[at+3]); depth++ {
		at += 2
	}
	if !isHex(s[at]) || !isHex(s[at+1]) {
		return '%', 0, 1
	}
	return unhex(s[at])<<4 | unhex(s[at+1]), depth, at + 2 - i
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// isEscape reports whether the byte can be part of an escape, in which any other can be sent.
func isEscape(c byte) bool { return c == '%' || isHex(c) }
