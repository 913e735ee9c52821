package bodies

import (
	"strings"
	"unicode/utf8"

	"github.com/signedlink/caddy-signed-link/query"
)

// maxPartHead is how long the head of a part may be. PHP reads it by lines into a buffer
// of a few KiB, and nobody should find out what it makes of the rest of a longer one. A
// file's name has 255 characters.
const maxPartHead = 4 << 10

// inspectMultipart reads a body as browsers write it:
//
//	body = *( "--" boundary CRLF head empty-line content CRLF ) "--" boundary "--" [ CRLF ]
//
// with nothing before and nothing behind, and the delimiter nowhere else. PHP begins
// parts at lines that end in LF, and goes on behind the last boundary; others forgive
// blanks behind a boundary, or find it within a line. What one of them would read
// otherwise is refused.
func (b *Rules) inspectMultipart(boundary, body string) (detail string) {
	delimiter := "--" + boundary
	rest, ok := strings.CutPrefix(body, delimiter)
	for n := 0; ok; n++ {
		if rest == "--" || rest == "--\r\n" {
			return ""
		}
		if n == query.MaxPairs {
			return detailTooMany
		}
		var part string
		if part, rest, ok = strings.Cut(rest, delimiter); !ok {
			break
		}
		if part, ok = strings.CutSuffix(part, "\r\n"); !ok {
			break
		}
		var name string
		if name, ok = partName(part); !ok {
			break
		}
		if name != "List-Unsubscribe" && b.protectedDecoded(name) { // RFC 8058
			return detailProtected
		}
	}
	return detailMultipart
}

// partName returns the name of the field that a part is. The part has a
// Content-Disposition once and at most one Content-Type, in either order, and no other
// header: Content-Transfer-Encoding makes another text of it, and `name` in a
// Content-Type another field.
func partName(part string) (name string, ok bool) {
	const end = "\r\n\r\n"
	part, ok = strings.CutPrefix(part, "\r\n")
	if !ok {
		return "", false
	}
	i := strings.Index(part[:min(len(part), maxPartHead+len(end))], end)
	if i < 0 {
		return "", false
	}
	disposition, contentType := false, false
	for line := range strings.SplitSeq(part[:i], "\r\n") {
		header, value, _ := strings.Cut(line, ":")
		value = strings.TrimLeft(value, " \t")
		switch asciiLower(header) {
		case "content-disposition":
			if disposition {
				return "", false
			}
			if name, ok = fieldName(value); !ok {
				return "", false
			}
			disposition = true
		case "content-type":
			lower := asciiLower(value)
			if contentType || value == "" || !isPrintable(value) || strings.HasSuffix(value, " ") || strings.IndexByte(value, '\\') >= 0 ||
				strings.Contains(lower, "multipart") || strings.Contains(lower, "name") {
				return "", false
			}
			contentType = true
		default: // a folded line, too
			return "", false
		}
	}
	return name, disposition
}

// fieldName reads a Content-Disposition, the whole of which is
// `form-data; name="…"` or `form-data; name="…"; filename="…"`.
func fieldName(value string) (name string, ok bool) {
	value, ok = cutPrefixFold(value, "form-data;")
	if !ok {
		return "", false
	}
	name, rest, ok := quotedParameter(value, "name=\"")
	if !ok || strings.IndexByte(name, '\\') >= 0 {
		return "", false
	}
	if rest == "" {
		return name, true
	}
	if rest, ok = strings.CutPrefix(rest, ";"); !ok {
		return "", false
	}
	_, rest, ok = quotedParameter(rest, "filename=\"")
	return name, ok && rest == ""
}

// quotedParameter reads a parameter as browsers write it, with %22 for a quote and the
// names of files in UTF-8, backslashes and all: only one right before the closing quote
// would hide it from those who take a backslash for an escape. Encoded words (RFC 2047)
// Tomcat decodes.
func quotedParameter(s, prefix string) (value, rest string, ok bool) {
	s, ok = cutPrefixFold(strings.TrimLeft(s, " \t"), prefix)
	if !ok {
		return "", "", false
	}
	if value, rest, ok = strings.Cut(s, `"`); !ok || strings.HasSuffix(value, `\`) || !utf8.ValidString(value) {
		return "", "", false
	}
	if _, word, found := strings.Cut(value, "=?"); found && strings.Contains(word, "?=") {
		return "", "", false
	}
	for _, c := range value {
		if c < ' ' || c == 0x7F {
			return "", "", false
		}
	}
	return value, rest, true
}
