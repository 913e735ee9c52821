package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Profile says whose parser stands behind the gateway. It decides which spellings
// of a parameter's name mean the same parameter there.
//
//	spelling                          php   servlet  strict  because
//	us%65r, %75ser                     ✓       ✓       ✓     every backend decodes names
//	+user, %20user                     ✓               ✓     PHP drops leading blanks
//	?user                              ✓               ✓     php -S and URLSearchParams drop a leading '?'
//	user%00, user%00x                  ✓               ✓     PHP cuts names at the first NUL
//	user[], user[x], user[x]y          ✓               ✓     PHP makes an array that replaces the string
//	user.id, user+id, user[id          ✓               ✓     PHP files them under user_id
//	a;user=…                           ✓               ✓     arg_separator.input may hold ';'
//	USER, user-id, user], %u0075ser,                   ✓     Rack, Perl CGI, case-insensitive and
//	blanks of Unicode, full-width                            normalising readers
//
// The table is measured on PHP 8.2 (FPM, mod_php, php -S), Tomcat 9 and 10 and
// Jetty 9.4.
type Profile uint8

// The profiles. Strict holds for either backend and is the default.
const (
	Strict Profile = iota
	PHP
	Servlet
)

var profileNames = [...]string{Strict: "strict", PHP: "php", Servlet: "servlet"}

// ParseProfile returns the profile of that name; the empty name is [Strict].
func ParseProfile(name string) (Profile, error) {
	for p, n := range profileNames {
		if name == n || name == "" && Profile(p) == Strict {
			return Profile(p), nil
		}
	}
	return 0, fmt.Errorf("unknown backend %q; write strict, php or servlet", name)
}

// String returns the profile's name.
func (p Profile) String() string { return profileNames[p] }

// readsLikePHP tells whether PHP's reading counts under the profile.
func (p Profile) readsLikePHP() bool { return p != Servlet }

// foldPHP appends the name under which PHP files the parameter or cookie whose
// decoded name is name (php_register_variable_ex in PHP 5 to 8). Where PHP's
// versions differ on what follows an unclosed '[', it folds more, not less.
func foldPHP(dst []byte, name []byte) []byte {
	for len(name) > 0 && (name[0] == ' ' || name[0] == '?') {
		name = name[1:]
	}
	for i, c := range name {
		switch c {
		case 0:
			return dst
		case '[':
			if closes(name[i+1:]) {
				return dst // an array, under the name before the bracket
			}
			dst = append(dst, '_')
		case ' ', '.':
			dst = append(dst, '_')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// closes tells whether a ']' follows before the name's end, which is its first NUL.
func closes(rest []byte) bool {
	for _, c := range rest {
		switch c {
		case ']':
			return true
		case 0:
			return false
		}
	}
	return false
}

// foldLoose appends the name under which the most lenient reader known would file
// the parameter: case, blanks of every kind, brackets, full-width letters, and the
// difference between '-', '.' and '_' are gone.
func foldLoose(dst []byte, name []byte) []byte {
	start := len(dst)
	for i := 0; i < len(name); {
		c, size := utf8.DecodeRune(name[i:])
		if c == utf8.RuneError && size == 1 {
			dst = append(dst, name[i])
			i++
			continue
		}
		// %uXXXX, which Perl's CGI and IIS decode
		if c == '%' && i+6 <= len(name) && (name[i+1] == 'u' || name[i+1] == 'U') {
			if u, ok := hex4(name[i+2 : i+6]); ok {
				c, size = u, 6
			}
		}
		i += size
		if 0xFF01 <= c && c <= 0xFF5E { // full-width ASCII
			c -= 0xFF01 - '!'
		}
		switch {
		case c == 0:
			return trimSeparators(dst, start)
		case c == '[' && len(dst) > start:
			if closes(name[i:]) {
				return trimSeparators(dst, start)
			}
			dst = append(dst, '_')
		case c == '[' || c == ']' || c == '?':
		case c == ' ' || c == '.' || c == '-' || c == '_':
			if len(dst) > start || c != ' ' {
				dst = append(dst, '_')
			}
		case c < 0x20 || c == 0x7F || unicode.IsSpace(c) || zeroWidth(c):
		default:
			switch c {
			case 'ſ': // U+017F, U+212A and U+0131 have ASCII letters for their other case
				c = 's'
			case '\u212A':
				c = 'k'
			case 'ı':
				c = 'i'
			}
			dst = utf8.AppendRune(dst, unicode.ToLower(c))
		}
	}
	return trimSeparators(dst, start)
}

// trimSeparators drops one trailing '_' run that stood for blanks or brackets.
func trimSeparators(dst []byte, start int) []byte {
	for len(dst) > start && dst[len(dst)-1] == '_' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

func zeroWidth(c rune) bool {
	return c == 0xAD || 0x200B <= c && c <= 0x200F || 0x2028 <= c && c <= 0x202E ||
		0x2060 <= c && c <= 0x2064 || c == 0xFEFF || c == 0x180E
}

func hex4(b []byte) (rune, bool) {
	var u rune
	for _, c := range b {
		if !isHex(c) {
			return 0, false
		}
		u = u<<4 | rune(unhex(c))
	}
	return u, true
}

// Spelling says how a segment of a query spells a protected name.
type Spelling uint8

// The spellings. Only Plain may pass; the others are how one backend reads the name
// although another, or the gateway, would not.
const (
	Other       Spelling = iota // not a protected name, under any reading
	Plain                       // letter for letter
	LookAlike                   // a spelling that the backend files under the name
	Array                       // user[], user[x]
	HTMLEscaped                 // amp;user: the link was HTML-escaped once too often
)

// Names is a set of protected names, compiled for a profile. It is immutable.
type Names struct {
	profile Profile
	plain   []string
	php     []string // foldPHP of each, unless the profile is servlet
	loose   []string // foldLoose of each, under strict
}

// NewNames compiles the set. It refuses names that cannot be spelled plainly in a
// query, and names that the backend would file under another name (`user.id` in
// front of PHP), because then the gateway could not say which parameter it checked.
func NewNames(profile Profile, names []string) (*Names, error) {
	n := &Names{profile: profile}
	for _, name := range names {
		if err := CheckName(profile, name); err != nil {
			return nil, err
		}
		n.plain = append(n.plain, name)
		if profile.readsLikePHP() {
			n.php = append(n.php, string(foldPHP(nil, []byte(name))))
		}
		if profile == Strict {
			n.loose = append(n.loose, string(foldLoose(nil, []byte(name))))
		}
	}
	return n, nil
}

// CheckName reports why name cannot be a protected parameter under the profile.
func CheckName(profile Profile, name string) error {
	if name == "" || len(name) > 64 {
		return fmt.Errorf("parameter name %q: a name has 1 to 64 characters", name)
	}
	for i := range len(name) {
		c := name[i]
		if !isAlnum(c) && !strings.ContainsRune("_-.~:$", rune(c)) {
			return fmt.Errorf("parameter name %q: %q cannot stand in the name of a signed parameter; letters, digits and _ - . ~ : $ can", name, c)
		}
	}
	if profile.readsLikePHP() && strings.Contains(name, ".") {
		return fmt.Errorf("parameter name %q: PHP files it under %q, so that a second parameter could take its place; "+
			"sign %[2]q, or write `backend servlet` if no PHP stands behind this gateway", name, foldPHP(nil, []byte(name)))
	}
	return nil
}

// Len is the number of names.
func (n *Names) Len() int { return len(n.plain) }

// Name returns the name with that index.
func (n *Names) Name(i int) string { return n.plain[i] }

// Classify says whether a segment of a query spells one of the names, which, and
// how. Of a segment with semicolons every part is looked at.
func (n *Names) Classify(segment string) (index int, spelling Spelling) {
	name := segment
	if before, _, ok := strings.Cut(segment, "="); ok {
		name = before
	}
	for i, p := range n.plain {
		if name == p {
			return i, Plain
		}
	}
	if index, spelling = n.name(name); spelling != Other {
		return index, spelling
	}
	if strings.IndexByte(segment, ';') >= 0 {
		return n.parts(segment)
	}
	return 0, Other
}

// parts looks at what stands between semicolons: `a=1;user=admin` is two parameters
// where arg_separator.input says so, and `amp;user=jeff` was `&amp;user=jeff`.
func (n *Names) parts(segment string) (int, Spelling) {
	first, rest, _ := strings.Cut(segment, ";")
	escaped := first == "amp" || first == "#38" || first == "#038"
	if !escaped && !n.profile.readsLikePHP() {
		return 0, Other
	}
	if strings.IndexByte(first, '=') < 0 { // with one, its name was looked at already
		for i, p := range n.plain {
			if first == p {
				return i, LookAlike
			}
		}
		if i, s := n.name(first); s != Other {
			return i, s
		}
	}
	for part := range strings.SplitSeq(rest, ";") {
		name, _, _ := strings.Cut(part, "=")
		for i, p := range n.plain {
			if name == p {
				if escaped {
					return i, HTMLEscaped
				}
				return i, LookAlike
			}
		}
		if i, s := n.name(name); s != Other {
			return i, s
		}
		escaped = false
	}
	return 0, Other
}

// name compares a raw name, which is no name of the set letter for letter, under
// every reading of the profile.
func (n *Names) name(raw string) (int, Spelling) {
	if plainName(raw) {
		// nothing to decode, nothing that PHP folds
		if n.profile == Strict {
			for i, l := range n.loose {
				if len(raw) >= len(l) && looseEqual(raw, l) {
					return i, LookAlike
				}
			}
		}
		return 0, Other
	}
	var buf [96]byte
	return n.ClassifyDecoded(AppendUnescaped(buf[:0], raw))
}

// ClassifyDecoded is [Names.Classify] for a name that is decoded already, as in a
// multipart body or a JSON object. There is no plain spelling of such a name.
func (n *Names) ClassifyDecoded(decoded []byte) (int, Spelling) {
	var fbuf [96]byte
	for i, p := range n.plain {
		if string(decoded) == p {
			return i, LookAlike
		}
	}
	if n.profile.readsLikePHP() {
		folded := foldPHP(fbuf[:0], decoded)
		for i, p := range n.php {
			if string(folded) == p {
				return i, bracketed(decoded)
			}
		}
	}
	if n.profile == Strict {
		folded := foldLoose(fbuf[:0], decoded)
		for i, l := range n.loose {
			if string(folded) == l {
				return i, bracketed(decoded)
			}
		}
	}
	return 0, Other
}

func bracketed(decoded []byte) Spelling {
	if strings.Contains(string(decoded), "[") {
		return Array
	}
	return LookAlike
}

// plainName tells whether decoding and PHP's fold leave the name as it is.
func plainName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// looseEqual compares a plain name with a loose fold: case and '-' and a trailing
// '_' make no difference.
func looseEqual(s, loose string) bool {
	end := len(s)
	for end > 0 && (s[end-1] == '_' || s[end-1] == '-') {
		end--
	}
	if end != len(loose) {
		return false
	}
	for i := range end {
		c := s[i]
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c == '-':
			c = '_'
		}
		if c != loose[i] {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
