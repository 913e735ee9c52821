package link

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Class is the alphabet of a `param` rule.
type Class string

// The classes.
const (
	Digits Class = "digits" // 0-9
	Hex    Class = "hex"    // 0-9 a-f A-F
	Alnum  Class = "alnum"  // 0-9 a-z A-Z
	Token  Class = "token"  // alnum and - . _ ~, the unreserved characters of RFC 3986
	Email  Class = "email"  // printable ASCII with exactly one @, no blank, quote, comma or semicolon
	Text   Class = "text"   // valid UTF-8 without control characters
	OneOf  Class = "one_of" // one of the listed values
)

// Classes lists the classes.
var Classes = []Class{Digits, Hex, Alnum, Token, Email, Text, OneOf}

// DefaultMax is the longest value, in bytes, that a rule without `max` admits.
const DefaultMax = 256

// Rule says which values a parameter may have. Lengths are in bytes of the decoded
// value.
type Rule struct {
	Class    Class
	Values   []string // of OneOf
	Min, Max int      // defaults 1 and [DefaultMax]
	Without  string   // characters that no value has, though the class admits them; ASCII
	Optional bool     // the parameter may be absent; the message then has an empty value
	Empty    bool     // of an optional one: it may be there with an empty value, too
	Also     []string // values that are admitted beside the class, such as `inf`
}

// NewRule checks the rule and fills in its defaults.
func NewRule(r Rule) (Rule, error) {
	if !slices.Contains(Classes, r.Class) {
		return r, fmt.Errorf("unknown class %q%s; write one of %s", Shown(string(r.Class)), DidYouMean(r.Class, Classes), joinClasses())
	}
	if (r.Class == OneOf) != (len(r.Values) > 0) {
		return r, fmt.Errorf("one_of needs its values, and no other class takes any")
	}
	if r.Min < 0 || r.Max < 0 {
		return r, fmt.Errorf("min and max are not negative")
	}
	if r.Min == 0 {
		r.Min = 1
	}
	if r.Max == 0 {
		r.Max = max(DefaultMax, r.Min)
	}
	if r.Min > r.Max {
		return r, fmt.Errorf("min %d is greater than max %d", r.Min, r.Max)
	}
	if strings.ContainsFunc(r.Without, func(c rune) bool { return c <= ' ' || c >= 0x7F }) {
		return r, errors.New("without: write printable ASCII characters, in one word")
	}
	if r.Class == OneOf && r.Without != "" {
		return r, errors.New("without: one_of says all that is admitted")
	}
	if r.Empty && !r.Optional {
		return r, errors.New("empty goes with optional: write `optional empty`")
	}
	return r, nil
}

func joinClasses() string {
	s := make([]string, len(Classes))
	for i, c := range Classes {
		s[i] = string(c)
	}
	return strings.Join(s, ", ")
}

// Check judges a value that is there. The detail is `empty`, `too_short`,
// `too_long` or `charset`.
func (r Rule) Check(value string) (detail string, ok bool) {
	switch {
	case r.Empty && value == "", len(r.Also) > 0 && slices.Contains(r.Also, value):
		return "", true
	case r.Class == OneOf:
		if !slices.Contains(r.Values, value) {
			return "charset", false
		}
		return "", true
	case value == "":
		return "empty", false
	case len(value) < r.Min:
		return "too_short", false
	case len(value) > r.Max:
		return "too_long", false
	case !r.Class.holds(value), r.Without != "" && strings.ContainsAny(value, r.Without):
		return "charset", false
	}
	return "", true
}

func (c Class) holds(value string) bool {
	if c == Text {
		return utf8.ValidString(value) && !strings.ContainsFunc(value, isControl)
	}
	var alphabet *[256]bool
	switch c { // a map would cost more than the rest
	case Digits:
		alphabet = &digits
	case Hex:
		alphabet = &hex
	case Alnum:
		alphabet = &alnum
	case Token:
		alphabet = &token
	case Email:
		alphabet = &email
	default:
		return false
	}
	for i := range len(value) {
		if !alphabet[value[i]] {
			return false
		}
	}
	if c != Email {
		return true
	}
	at := strings.IndexByte(value, '@')
	return at > 0 && at < len(value)-1 && strings.LastIndexByte(value, '@') == at
}

// The bytes of the classes that have an alphabet.
var digits, hex, alnum, token, email [256]bool

func init() {
	for b := range 256 {
		c := byte(b)
		digits[b] = '0' <= c && c <= '9'
		hex[b] = digits[b] || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
		alnum[b] = digits[b] || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		token[b] = alnum[b] || c == '-' || c == '.' || c == '_' || c == '~'
		email[b] = c > ' ' && c < 0x7F && !strings.ContainsRune(`"(),:;<>[\]`, rune(c))
	}
}

func isControl(c rune) bool { return c < 0x20 || 0x7F <= c && c < 0xA0 || c == 0x2028 || c == 0x2029 }
