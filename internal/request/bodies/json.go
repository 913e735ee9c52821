package bodies

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/signedlink/caddy-signed-link/query"
)

// inspectJSON looks at the names of the outermost object, which frameworks merge with
// the parameters of the query. The text is one value in valid UTF-8, and so are the names:
// readers drop, replace or keep what is not. What stands deeper than the names is read
// once, to see that it is JSON, and no part of it is kept.
func (b *Rules) inspectJSON(body []byte) (detail string) {
	body = bytes.Trim(body, " \t\r\n")
	switch {
	case len(body) == 0:
		return ""
	case !utf8.Valid(body) || !json.Valid(body):
		return detailJSON
	case body[0] != '{':
		return ""
	}
	n := 0
	for raw := range outermostNames(string(body)) {
		if n++; n > query.MaxPairs {
			return detailTooMany
		}
		name, ok := unquote(raw[1 : len(raw)-1])
		if !ok || strings.Contains(name, "\uFFFD") {
			return detailJSON
		}
		if b.protectedDecoded(name) {
			return detailProtected
		}
	}
	return ""
}

// outermostNames yields the names of an object, which is valid JSON, as they are written.
func outermostNames(object string) iter.Seq[string] {
	return func(yield func(string) bool) {
		depth, name := 0, false // name: the next text of the outermost object is one
		for i := 0; i < len(object); i++ {
			switch object[i] {
			case '{', '[':
				depth++
				name = depth == 1
			case '}', ']':
				depth--
			case ',':
				name = depth == 1
			case '"':
				start := i
				i += 1 + textEnd(object[i+1:])
				if name && !yield(object[start:i+1]) {
					return
				}
				name = false
			}
		}
	}
}

// textEnd returns where the quote stands with which a text ends.
func textEnd(text string) int {
	end := strings.IndexByte(text, '"')
	first := strings.IndexByte(text[:end], '\\')
	if first < 0 {
		return end
	}
	for i := first; ; i++ {
		switch text[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
}

// unquote returns what stands between the quotes of a text in valid JSON. It reports false
// for half of a surrogate pair.
func unquote(text string) (string, bool) {
	if strings.IndexByte(text, '\\') < 0 {
		return text, true
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b = append(b, text[i])
			continue
		}
		i++
		if n := strings.IndexByte("bfnrt", text[i]); n >= 0 {
			b = append(b, "\b\f\n\r\t"[n])
			continue
		}
		if text[i] != 'u' {
			b = append(b, text[i])
			continue
		}
		c, _ := hex4(text[i+1:])
		i += len("0000")
		if utf16.IsSurrogate(c) {
			rest, escaped := strings.CutPrefix(text[i+1:], `\u`)
			second, _ := hex4(rest)
			if c = utf16.DecodeRune(c, second); !escaped || c == utf8.RuneError {
				return "", false
			}
			i += len(`\u0000`)
		}
		b = utf8.AppendRune(b, c)
	}
	return string(b), true
}

// hex4 returns the number that four digits are with which the text begins.
func hex4(text string) (rune, bool) {
	if len(text) < 4 {
		return 0, false
	}
	return query.Hex4(text[0], text[1], text[2], text[3])
}
