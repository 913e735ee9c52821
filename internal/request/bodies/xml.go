package bodies

import (
	"strings"
	"unicode/utf8"

	"github.com/signedlink/caddy-signed-link/query"
)

// inspectXML looks at the names of the elements within the outermost one, which Slim 3
// merges with the parameters of the query, and of which it takes another method. A
// declaration of types can make elements out of words, so there may be none, and the text
// is UTF-8: in UTF-7 or EBCDIC elements look like something else.
//
//	body    = *( text | "<?" … "?>" | "<!--" … "-->" | "<![CDATA[" … "]]>" | element )
//	element = "<" name *( space attribute ) [ space ] [ "/" ] ">" | "</" name [ space ] ">"
//
// What is written in any other way is refused, although some readers would mend it.
func (b *Rules) inspectXML(body []byte) (detail string) {
	if !utf8.Valid(body) {
		return detailXML
	}
	n, depth := 0, 0
	for rest := string(body); ; {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			break
		}
		if rest = rest[i+1:]; rest == "" {
			return detailXML
		}
		var ok bool
		switch rest[0] {
		case '?':
			rest, ok = instruction(rest[1:])
		case '!':
			rest, ok = aside(rest[1:], depth)
		case '/':
			depth--
			if _, rest, ok = xmlName(rest[1:]); ok {
				rest, ok = strings.CutPrefix(skipSpace(rest), ">")
			}
			ok = ok && depth >= 0
		default:
			var name string
			var empty bool
			if name, rest, ok = xmlName(rest); ok {
				rest, empty, ok = attributes(rest)
			}
			if depth++; ok && depth == 2 {
				if n++; n > query.MaxPairs {
					return detailTooMany
				}
				_, local, prefixed := strings.Cut(name, ":")
				if prefixed && b.protectedDecoded(local) || b.protectedDecoded(name) {
					return detailProtected
				}
			}
			if empty {
				depth--
			}
		}
		if !ok {
			return detailXML
		}
	}
	if depth != 0 {
		return detailXML
	}
	return ""
}

// instruction reads what stands between `<?` and `?>`, which may name another encoding.
func instruction(text string) (rest string, ok bool) {
	text, rest, ok = strings.Cut(text, "?>")
	if !ok {
		return "", false
	}
	if _, encoding, named := strings.Cut(text, "encoding"); named {
		encoding = strings.ToLower(strings.Trim(encoding, " \t\r\n="))
		ok = strings.HasPrefix(encoding, `"utf-8"`) || strings.HasPrefix(encoding, `'utf-8'`)
	}
	return rest, ok
}

// aside reads a comment, or text within an element in which marks are none. All else that
// begins with `<!` declares types.
func aside(text string, depth int) (rest string, ok bool) {
	if text, ok = strings.CutPrefix(text, "--"); ok {
		_, rest, _ = strings.Cut(text, "--") // no comment holds two hyphens
		return strings.CutPrefix(rest, ">")
	}
	if text, ok = strings.CutPrefix(text, "[CDATA["); ok && depth > 0 {
		_, rest, ok = strings.Cut(text, "]]>")
		return rest, ok
	}
	return "", false
}

// attributes reads the rest of a start tag.
func attributes(text string) (rest string, empty, ok bool) {
	for {
		spaced := skipSpace(text)
		switch {
		case strings.HasPrefix(spaced, ">"):
			return spaced[1:], false, true
		case strings.HasPrefix(spaced, "/>"):
			return spaced[2:], true, true
		case len(spaced) == len(text): // nothing stands before the attribute
			return "", false, false
		}
		if _, text, ok = xmlName(spaced); !ok {
			return "", false, false
		}
		if text, ok = strings.CutPrefix(skipSpace(text), "="); !ok {
			return "", false, false
		}
		if text = skipSpace(text); text == "" || text[0] != '"' && text[0] != '\'' {
			return "", false, false
		}
		var value string
		if value, text, ok = strings.Cut(text[1:], text[:1]); !ok || strings.IndexByte(value, '<') >= 0 {
			return "", false, false
		}
	}
}

// xmlName cuts a name off the text, with at most one colon.
func xmlName(text string) (name, rest string, ok bool) {
	n, colons := 0, 0
	for ; n < len(text); n++ {
		c := text[n]
		begins := c == ':' || c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= utf8.RuneSelf
		if !begins && (n == 0 || c != '-' && c != '.' && (c < '0' || c > '9')) {
			break
		}
		if c == ':' {
			colons++
		}
	}
	return text[:n], text[n:], n > 0 && colons <= 1
}

func skipSpace(text string) string {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t' || text[0] == '\r' || text[0] == '\n') {
		text = text[1:]
	}
	return text
}
