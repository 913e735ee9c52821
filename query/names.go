package query

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
)

// Spelling says how a segment of a query spells a protected name.
type Spelling uint8

// The spellings. Only Plain may pass; the others are how one backend reads the name
// although another, or the gateway, would not.
const (
	Other       Spelling = iota // not a protected name, under any reading
	Plain                       // letter for letter; a bracket may be encoded
	LookAlike                   // a spelling that the backend files under the name
	Array                       // user[], user[x]; of user[id] user and user[id][x]
	HTMLEscaped                 // amp;user: the link was HTML-escaped once too often
)

// Names is a set of protected names, compiled for a profile. It is immutable.
type Names struct {
	profile backend.Profile
	plain   texts
	php     texts // foldPHP of each; of a name in an array, that of the array
	loose   texts // foldLoose of each
	sieve   sieve

	lenient bool // the loose fold finds names that PHP's does not

	brackets bool    // some names have them
	arrays   *arrays // those of them that are filed in arrays; nil: none

	nameless        int // what the empty name spells, to which `_` may be folded
	spelledNameless Spelling
}

// texts are texts that are looked for. Of a few it is cheapest to look at each; how many
// there are must not tell, where they are the names of all definitions of a process.
type texts struct {
	list  []string
	index map[string]int // nil: there are few

	lengths uint64 // bit n: a text of n bytes is among them
	longer  bool   // and one of 64 or more
}

// has reports whether a text of n bytes is among them.
func (t *texts) has(n int) bool { return n < 64 && t.lengths&(1<<n) != 0 || n >= 64 && t.longer }

// fewTexts is up to how many are looked at one by one.
const fewTexts = 16

func newTexts(list []string) texts {
	t := texts{list: list}
	for _, text := range list {
		if n := len(text); n < 64 {
			t.lengths |= 1 << n
		} else {
			t.longer = true
		}
	}
	if len(list) <= fewTexts {
		return t
	}
	t.index = make(map[string]int, len(list))
	for i, text := range list {
		if _, there := t.index[text]; !there {
			t.index[text] = i
		}
	}
	return t
}

// find returns the place of the first text that is s, or -1.
func (t *texts) find(s string) int {
	if !t.has(len(s)) {
		return -1
	}
	if t.index != nil {
		if i, there := t.index[s]; there {
			return i
		}
		return -1
	}
	for i, text := range t.list {
		if s == text {
			return i
		}
	}
	return -1
}

// findBytes is find, and needs no memory either.
func (t *texts) findBytes(s []byte) int {
	if !t.has(len(s)) {
		return -1
	}
	if t.index != nil {
		if i, there := t.index[string(s)]; there {
			return i
		}
		return -1
	}
	for i, text := range t.list {
		if string(s) == text {
			return i
		}
	}
	return -1
}

// NewNames compiles the set. It refuses names that cannot be spelled plainly in a
// query, and names that the backend would file under another name (`user.id` in
// front of PHP), because then the gateway could not say which parameter it checked.
func NewNames(profile backend.Profile, names []string) (*Names, error) {
	var php, loose []string
	brackets := false
	for _, name := range names {
		if err := CheckName(profile, name); err != nil {
			return nil, err
		}
		brackets = brackets || bracketed(name)
		php = append(php, string(foldPHP(profile, nil, []byte(name), unlimited)))
		loose = append(loose, string(foldLoose(profile, nil, []byte(name), unlimited)))
	}
	n := &Names{profile: profile, plain: newTexts(slices.Clone(names)), sieve: newSieve(loose), lenient: lenient(profile)}
	n.brackets, n.arrays = brackets, newArrays(profile, names)
	n.php, n.loose = newTexts(n.arrays.behind(php, names)), newTexts(n.arrays.behind(loose, names))
	n.nameless, n.spelledNameless = n.name("")
	return n, nil
}

// maxName is how long a protected name may be.
const maxName = 64

// CheckName reports why name cannot be a protected parameter under the profile. Brackets
// in it are written as they are.
func CheckName(profile backend.Profile, name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("parameter name %q: a name has 1 to 64 characters", name)
	}
	for i := range len(name) {
		c := name[i]
		if !isAlnum(c) && !strings.ContainsRune("_-.~:$[]", rune(c)) {
			if b, width := bracket(name[i:]); width > 1 {
				return fmt.Errorf("parameter name %q: write %q as it is; in a link either may stand", name, b)
			}
			return fmt.Errorf("parameter name %q: %q cannot stand in the name of a signed parameter; letters, digits, _ - . ~ : $ and brackets can", name, c)
		}
	}
	root, _, _ := strings.Cut(name, "[")
	if profile.Has(backend.UnderscoreName) && strings.Contains(root, ".") {
		filed := strings.ReplaceAll(root, ".", "_") + name[len(root):]
		return fmt.Errorf("parameter name %q: PHP files it under %q, so that a second parameter could take its place; "+
			"sign %[2]q, or write `backend servlet` if no PHP stands behind this gateway", name, filed)
	}
	if len(root) < len(name) || strings.Contains(root, "]") {
		return checkBrackets(profile, name)
	}
	return nil
}

// Len is the number of names.
func (n *Names) Len() int { return len(n.plain.list) }

// Name returns the name with that index.
func (n *Names) Name(i int) string { return n.plain.list[i] }

// Classify says whether a segment of a query spells one of the names, which, and
// how. Of a segment with semicolons every part is looked at.
func (n *Names) Classify(segment string) (index int, spelling Spelling) {
	name := NameOf(segment)
	return n.classify(segment, name, false)
}

// ClassifyPair is [Names.Classify] for a segment of a query that was read.
func (n *Names) ClassifyPair(q *Query, p Pair) (index int, spelling Spelling) {
	return n.classify(q.Raw[p.Start:p.End], q.Raw[p.Start:p.Eq], q.Plain)
}

func (n *Names) classify(segment, name string, plain bool) (index int, spelling Spelling) {
	if i := n.plain.find(name); i >= 0 {
		return i, Plain
	}
	if n.brackets && !plain {
		if i := n.encoded(name); i >= 0 {
			return i, Plain
		}
	}
	if index, spelling = n.name(name); spelling != Other {
		return index, spelling
	}
	if !plain && strings.IndexByte(segment, ';') >= 0 {
		return n.parts(segment)
	}
	return 0, Other
}

// parts looks at what stands between semicolons: `a=1;user=admin` is two parameters
// where arg_separator.input says so, and `amp;user=jeff` was `&amp;user=jeff`.
func (n *Names) parts(segment string) (int, Spelling) {
	first, rest, _ := strings.Cut(segment, ";")
	escaped := (first == "amp" || first == "#38" || first == "#038") && n.profile.Has(backend.HTMLEscapedName)
	if !escaped && !n.profile.Has(backend.SemicolonSeparator) {
		return 0, Other
	}
	if i, s := n.part(first); s != Other {
		return i, max(s, LookAlike)
	}
	for part := range Split(rest, ';') {
		if i, s := n.part(part); s != Other {
			if escaped && s == Plain {
				return i, HTMLEscaped
			}
			return i, max(s, LookAlike)
		}
		escaped = false
	}
	return 0, Other
}

// Spells reports whether the segment, or one of its parts between semicolons, spells a
// name of which in reports true. Classify says only which name comes first.
func (n *Names) Spells(segment string, in func(index int) bool) bool {
	if i, s := n.Classify(segment); s != Other && n.beside(i, s, in) {
		return true
	}
	if !n.profile.Has(backend.SemicolonSeparator) || strings.IndexByte(segment, ';') < 0 {
		return false
	}
	for part := range Split(segment, ';') {
		if i, s := n.part(part); s != Other && n.beside(i, s, in) {
			return true
		}
	}
	return false
}

// beside reports whether in is true of the name, or of another one in the array whose place
// another value takes.
func (n *Names) beside(i int, s Spelling, in func(index int) bool) bool {
	if in(i) {
		return true
	}
	if s == Plain || n.arrays == nil {
		return false
	}
	root, _, _ := strings.Cut(n.Name(i), "[")
	for j, name := range n.plain.list {
		if strings.HasPrefix(name, root+"[") && in(j) {
			return true
		}
	}
	return false
}

// SpellsSecond reports whether a backend may find a name for which in is true in a second
// query: of a query that begins with a slash, and is the path to some, it is what stands
// behind the next question mark.
func (n *Names) SpellsSecond(raw string, in func(index int) bool) bool {
	if !strings.HasPrefix(raw, "/") || !n.profile.Has(backend.SecondQuery) {
		return false
	}
	_, second, _ := strings.Cut(raw, "?")
	for segment := range Split(second, '&') {
		if n.Spells(segment, in) {
			return true
		}
	}
	return false
}

// part classifies the name of one part; a plain one is a look-alike to the caller,
// because others read the whole segment.
func (n *Names) part(part string) (int, Spelling) {
	if part == "" {
		return n.nameless, n.spelledNameless
	}
	name := NameOf(part)
	if i := n.plain.find(name); i >= 0 {
		return i, Plain
	}
	if n.brackets {
		if i := n.encoded(name); i >= 0 {
			return i, Plain
		}
	}
	return n.name(name)
}

// encoded returns the name that raw is but for its brackets, or -1; see [IsNamed].
func (n *Names) encoded(raw string) int {
	if strings.IndexByte(raw, '%') < 0 {
		return -1
	}
	if n.plain.index == nil {
		return slices.IndexFunc(n.plain.list, func(name string) bool { return spelled(raw, name) == len(raw) })
	}
	var buf [maxName + 1]byte
	return n.plain.findBytes(appendBrackets(buf[:0], raw))
}

// name compares a raw name, which is no name of the set letter for letter, under
// every reading of the profile.
func (n *Names) name(raw string) (int, Spelling) {
	if plainName(raw) {
		// nothing to decode, nothing that PHP folds
		if n.profile.Has(backend.DashDotUnderscore) {
			for raw != "" && (raw[len(raw)-1] == '_' || raw[len(raw)-1] == '-') {
				raw = raw[:len(raw)-1]
			}
		}
		if !n.loose.has(len(raw)) {
			return 0, Other
		}
		if n.loose.index != nil {
			if len(raw) > maxName {
				return 0, Other
			}
			var folded [maxName]byte
			if i := n.loose.findBytes(looseFold(n.profile, folded[:0], raw)); i >= 0 {
				return i, n.folded(i)
			}
			return 0, Other
		}
		for i, l := range n.loose.list {
			if len(raw) == len(l) && looseEqual(n.profile, raw, l) {
				return i, n.folded(i)
			}
		}
		return 0, Other
	}
	var buf [96]byte
	if !n.profile.Has(backend.DecodedName) {
		return n.ClassifyDecoded(append(buf[:0], raw...))
	}
	return n.ClassifyDecoded(AppendUnescaped(buf[:0], raw))
}

// ClassifyEither is [Names.Classify] for a name that some read as it is, and others
// decoded: the name of a cookie, which PHP 7 decodes and PHP 8 does not.
func (n *Names) ClassifyEither(name string) (int, Spelling) {
	if name == "" {
		return n.nameless, n.spelledNameless
	}
	if i, s := n.Classify(name); s != Other || strings.IndexByte(name, '%') < 0 && strings.IndexByte(name, '+') < 0 {
		return i, s
	}
	// What is not decoded is still in the name, unless a reader cuts that before it: at a
	// bracket that is closed, or at a NUL.
	for i := range len(name) {
		if c := name[i]; c == ']' || c == 0 || c|0x20 == 'u' && i > 0 && name[i-1] == '%' {
			return n.ClassifyDecoded([]byte(name))
		}
	}
	return 0, Other
}

// ClassifyDecoded is [Names.Classify] for a name that is decoded already, as in a
// multipart body or a JSON object. There is no plain spelling of such a name.
func (n *Names) ClassifyDecoded(decoded []byte) (int, Spelling) {
	var buf [96]byte
	loose := -1
	if n.lenient {
		loose = n.loose.findBytes(foldLoose(n.profile, buf[:0], decoded, maxName))
		// it finds what PHP's fold finds, but for _user of [user: it drops such a bracket
		if loose < 0 && (len(decoded) == 0 || decoded[0] != '[' && decoded[0] != ' ' && decoded[0] != '?') {
			return 0, Other
		}
	}
	if i := n.plain.findBytes(decoded); i >= 0 {
		return i, LookAlike
	}
	if i := n.php.findBytes(foldPHP(n.profile, buf[:0], decoded, maxName)); i >= 0 {
		if n.folded(i) == Array {
			return n.arrays.classify(i, decoded)
		}
		return i, arrayOrNot(decoded)
	}
	if loose >= 0 {
		return loose, arrayOrNot(decoded)
	}
	return 0, Other
}

// folded is what a name without brackets is that folds to the i-th: the text in place of
// its array, or a look-alike.
func (n *Names) folded(i int) Spelling {
	if n.arrays != nil && n.arrays.roots[i] >= 0 {
		return Array
	}
	return LookAlike
}

func arrayOrNot(decoded []byte) Spelling {
	if bytes.IndexByte(decoded, '[') >= 0 {
		return Array
	}
	return LookAlike
}

// plainName tells whether decoding and PHP's fold leave the name as it is.
func plainName(s string) bool {
	for i := range len(s) {
		if !plainNames[s[i]] {
			return false
		}
	}
	return true
}

var plainNames = func() (plain [256]bool) {
	for c := range plain {
		plain[c] = isAlnum(byte(c)) || c == '_' || c == '-'
	}
	return plain
}()
