package query

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
)

// Names with brackets. PHP files user[id] as $_GET['user']['id'], a servlet container
// under that very text. A name of this package has its brackets as they are; in a query
// each may be written %5B or %5D, as http_build_query does and as Tomcat demands.

// maxLevels is how many keys a name may have. PHP drops a whole array for one name in it
// that has more than max_input_nesting_level, which is 64 unless somebody wrote less.
const maxLevels = 8

// IsNamed reports whether raw, the name of a parameter as sent, is name letter for letter,
// but for its brackets, which may be encoded.
func IsNamed(raw, name string) bool {
	return raw == name || len(raw) > len(name) && name != "" && (raw[0] == name[0] || raw[0] == '%') && bracketed(name) && spelled(raw, name) == len(raw)
}

// BeginsNamed reports whether a name as sent begins with these letters; see [IsNamed].
func BeginsNamed(raw, beginning string) bool {
	return strings.HasPrefix(raw, beginning) || raw != "" && beginning != "" && (raw[0] == beginning[0] || raw[0] == '%') && bracketed(beginning) && spelled(raw, beginning) >= 0
}

func bracketed(name string) bool { return strings.IndexByte(name, '[') >= 0 }

// spelled returns how many bytes at the beginning of raw spell the name, or -1.
func spelled(raw, name string) int {
	at := 0
	for i := range len(name) {
		c, width := bracket(raw[at:])
		if width == 0 || c != name[i] {
			return -1
		}
		at += width
	}
	return at
}

// bracket returns the first byte of s and how many bytes it takes: three of %5B and %5D.
func bracket(s string) (c byte, width int) {
	switch {
	case s == "":
		return 0, 0
	case s[0] == '%' && len(s) > 2 && s[1] == '5':
		switch s[2] {
		case 'B', 'b':
			return '[', 3
		case 'D', 'd':
			return ']', 3
		}
	}
	return s[0], 1
}

// appendBrackets appends raw with its brackets decoded and nothing else, or its beginning
// where that is longer than a name.
func appendBrackets(dst []byte, raw string) []byte {
	for raw != "" && len(dst) <= maxName {
		c, width := bracket(raw)
		dst = append(dst, c)
		raw = raw[width:]
	}
	return dst
}

// checkBrackets reports why a name with brackets cannot be a protected parameter. Its
// characters are looked at already.
func checkBrackets(profile backend.Profile, name string) error {
	open := strings.IndexByte(name, '[')
	levels := 0
	for rest := name[max(open, 0):]; rest != ""; levels++ {
		key, after, closed := strings.Cut(rest, "]")
		if open <= 0 || strings.Contains(name[:open], "]") || !closed || key == "" || key[0] != '[' || strings.Contains(key[1:], "[") {
			return fmt.Errorf("parameter name %q: brackets stand behind a name, each closed, as in user[id]", name)
		}
		if key == "[" && profile.Has(backend.ArrayName) {
			return fmt.Errorf("parameter name %q: PHP numbers the members of a list, so no name says which one is signed; sign one with a key, as in user[id]", name)
		}
		rest = after
	}
	if levels > maxLevels {
		return fmt.Errorf("parameter name %q: a name has at most %d keys in brackets", name, maxLevels)
	}
	if profile == backend.Strict {
		return fmt.Errorf("parameter name %q: PHP reads an array here, and a servlet container a plain name, so strict cannot hold for both; "+
			"write `backend php` or `backend servlet`, whichever stands behind this gateway", name)
	}
	return nil
}

// Roots are the names of the arrays in which PHP files those names with brackets, and the
// others as they are, each once. Frameworks that merge the parameters of query and body take
// an array of the body whole: to Laravel, a form with user[name] leaves no user[id].
func Roots(profile backend.Profile, names []string) (roots []string) {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if profile.Has(backend.ArrayName) {
			name, _, _ = strings.Cut(name, "[")
		}
		if !seen[name] {
			seen[name] = true
			roots = append(roots, name)
		}
	}
	return roots
}

// CheckTogether reports why the names cannot be protected in one query: to PHP user is a
// text or an array, so the one of user and user[id] that comes last takes the other's place.
func CheckTogether(profile backend.Profile, names []string) error {
	if !profile.Has(backend.ArrayName) {
		return nil
	}
	for _, name := range names {
		for _, other := range names {
			if strings.HasPrefix(other, name+"[") {
				return fmt.Errorf("parameters %q and %q: PHP has either the text or the array of that name, so one of them would take the other's place; sign one", name, other)
			}
		}
	}
	return nil
}

// arrays are the protected names that PHP files in arrays. It is immutable.
type arrays struct {
	rules  backend.RuleSet
	places texts  // of each name, and of the arrays that it stands in
	roots  []int  // of each name with brackets: the place of the outermost array; -1: it has none
	names  []int  // of each place: the name, or the first one in it
	whole  []bool // of each place: a name ends there
}

// newArrays compiles the names with brackets; nil if there are none, or if the profile
// reads them as they are.
func newArrays(profile backend.Profile, names []string) *arrays {
	if !profile.Has(backend.ArrayName) {
		return nil
	}
	a := &arrays{rules: profile.Rules(), roots: make([]int, len(names))}
	var list []string
	known := make(map[string]int)
	add := func(place string, name int, whole bool) {
		at, there := known[place]
		if !there {
			at = len(list)
			known[place] = at
			list, a.names, a.whole = append(list, place), append(a.names, name), append(a.whole, false)
		}
		if whole {
			a.names[at], a.whole[at] = name, true
		}
	}
	for i, name := range names {
		if a.roots[i] = -1; !bracketed(name) {
			continue
		}
		place := string(appendPlace(a.rules, nil, []byte(name)))
		for end, c := range []byte(place) {
			if c == 0 {
				add(place[:end], i, false)
			}
		}
		add(place, i, true)
		root, _, _ := strings.Cut(place, "\x00")
		a.roots[i] = known[root]
	}
	if list == nil {
		return nil
	}
	a.places = newTexts(list)
	return a
}

// behind returns the folds of the names without those of arrays that are a name's own: what
// is filed under both is the name's.
func (a *arrays) behind(folds, names []string) []string {
	if a == nil {
		return folds
	}
	texts := make(map[string]bool)
	for i, name := range names {
		texts[folds[i]] = texts[folds[i]] || !bracketed(name)
	}
	folds = slices.Clone(folds)
	for i, name := range names {
		if bracketed(name) && texts[folds[i]] {
			folds[i] = name // which no fold is: it has brackets
		}
	}
	return folds
}

// classify says which name PHP would not find as it was, if it filed the decoded one, which
// goes to the outermost array of the i-th: the same name, one of an array around it, or one
// within it.
func (a *arrays) classify(i int, decoded []byte) (int, Spelling) {
	_, keys := splitArray(a.rules, decoded)
	at := a.roots[i]
	if tooDeep(keys) {
		return a.names[at], Array
	}
	var buf [2*maxName + 1]byte
	place := append(buf[:0], a.places.list[at]...)
	for {
		key, rest, how := firstKey(keys)
		switch {
		case how == noKey && a.whole[at]:
			return a.names[at], LookAlike
		case how != aKey || a.whole[at]:
			return a.names[at], Array
		case len(key) > maxName:
			return 0, Other
		}
		place = append(append(place, 0), key...)
		if at = a.places.findBytes(place); at < 0 || len(place) > maxName {
			return 0, Other // another member of the array
		}
		keys = rest
	}
}

// appendPlace appends where PHP files the parameter with this decoded name: the name of
// the variable, and each key behind a NUL. A place ends where PHP numbers a member, and
// with the variable where there are too many keys: whoever has the one changes all below.
func appendPlace(rules backend.RuleSet, dst, name []byte) []byte {
	root, keys := splitArray(rules, name)
	dst = appendRoot(rules, dst, root)
	if tooDeep(keys) {
		return dst
	}
	for {
		key, rest, how := firstKey(keys)
		if how != aKey {
			return dst
		}
		dst = append(append(dst, 0), key...)
		keys = rest
	}
}

// within reports whether one place is in the array of another.
func within(place, array []byte) bool {
	return len(place) > len(array) && place[len(array)] == 0 && string(place[:len(array)]) == string(array)
}

// places are those of names that were met: true of each, and false of the arrays around it.
type places map[string]bool

// twice adds a place, and reports whether it, or one around it or in it, was there.
func (p places) twice(place []byte, inArrays bool) bool {
	for end := range place {
		if inArrays && place[end] == 0 {
			if p[string(place[:end])] {
				return true
			}
			if _, there := p[string(place[:end])]; !there {
				p[string(place[:end])] = false
			}
		}
	}
	if _, there := p[string(place)]; there {
		return true
	}
	p[string(place)] = true
	return false
}

// splitArray splits a decoded name before the bracket with which the keys begin. Where no
// bracket is closed there are none; see [foldPHP], which says what PHP drops.
func splitArray(rules backend.RuleSet, name []byte) (root, keys []byte) {
	for len(name) > 0 && (name[0] == ' ' && rules.Has(backend.LeadingBlank) || name[0] == '?' && rules.Has(backend.LeadingQuestionMark)) {
		name = name[1:]
	}
	if end := bytes.IndexByte(name, 0); end >= 0 && rules.Has(backend.NULTail) {
		name = name[:end]
	}
	open := bytes.IndexByte(name, '[')
	if open < 0 || !rules.Has(backend.ArrayName) || bytes.IndexByte(name[open:], ']') < 0 {
		return name, nil
	}
	return name[:open], name[open:]
}

func appendRoot(rules backend.RuleSet, dst, root []byte) []byte {
	for _, c := range root {
		if (c == ' ' || c == '.' || c == '[') && rules.Has(backend.UnderscoreName) {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

// keyed says what stands at the beginning of the keys.
type keyed uint8

const (
	noKey    keyed = iota // nothing, or what PHP ignores: junk, and a bracket that is not closed
	numbered              // [], and [ ] with one blank: the next number
	aKey
)

// firstKey reads the first key as php_register_variable_ex does (PHP 5 to 8).
func firstKey(keys []byte) (key, rest []byte, how keyed) {
	if len(keys) == 0 || keys[0] != '[' {
		return nil, nil, noKey
	}
	in, blank := keys[1:], 0
	if len(in) > 0 && (in[0] == ' ' || '\t' <= in[0] && in[0] <= '\r') {
		blank = 1
	}
	end := bytes.IndexByte(in[blank:], ']')
	switch {
	case end < 0:
		return nil, nil, noKey
	case end == 0:
		return nil, in[blank+1:], numbered
	default:
		return in[:blank+end], in[blank+end+1:], aKey
	}
}

func tooDeep(keys []byte) bool {
	if bytes.Count(keys, []byte{'['}) <= maxLevels {
		return false
	}
	for range maxLevels + 1 {
		_, rest, how := firstKey(keys)
		if how == noKey {
			return false
		}
		keys = rest
	}
	return true
}
