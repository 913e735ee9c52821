package headers

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxValue is the longest identity, in bytes, before any encoding.
const MaxValue = 256

// Encoding says which values may go into a header, and how.
type Encoding uint8

// The encodings.
const (
	ASCII   Encoding = iota // printable ASCII only
	Percent                 // other bytes as %XX
	UTF8                    // other characters as UTF-8
	AsIs                    // as it is: the profile has no such rule
)

// Encode returns the value as it goes into a header, or the detail of why it cannot.
//
// Blanks at the ends vanish at HTTP/1 backends, NUL cuts a value in PHP-FPM, CR and
// LF pass through FastCGI as they are, bytes above 0x7F are UTF-8 in PHP and Latin-1
// in getHeader (so that two names become one), and `;` ends a value in Tomcat paths
// and in some PHP settings.
func (e Encoding) Encode(value string) (text, detail string) {
	switch {
	case e == AsIs:
		return value, ""
	case value == "":
		return "", "empty"
	case len(value) > MaxValue:
		return "", "too_long"
	}
	if e == Percent {
		return percentEncode(value), ""
	}
	if plainValue(value) {
		return value, ""
	}
	if e == UTF8 && !utf8.ValidString(value) {
		return "", "charset"
	}
	for _, c := range value {
		if c < ' ' || c == 0x7F || c == ';' || c > 0x7F && (e != UTF8 || unicode.IsControl(c) || c == utf8.RuneError) {
			return "", "charset"
		}
	}
	if strings.TrimFunc(value, unicode.IsSpace) != value {
		return "", "blank"
	}
	return value, ""
}

// plainValue reports whether the value is visible ASCII without semicolons, as most are.
func plainValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c >= 0x7F || c == ';' {
			return false
		}
	}
	return true
}

// percentEncode writes every byte but visible ASCII as %XX; '%' and ';' too, so that
// decoding gives back just the value.
func percentEncode(value string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c >= 0x7F || c == '%' || c == ';' {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
