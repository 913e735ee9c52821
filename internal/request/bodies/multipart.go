package bodies

import (
	"strings"

	"github.com/signedlink/caddy-signed-link/query"
)

// inspectMultipart looks at the head of every part. What it cannot read as every
// backend does is refused: `name*`, backslashes, folded lines, two names, a second
// boundary, a part with a charset.
func (b *Rules) inspectMultipart(contentType string, body []byte) (detail string) {
	const broken = "multipart"
	lower := strings.ToLower(contentType)
	if strings.Count(lower, "boundary") != 1 || strings.ContainsAny(contentType, "\\,") {
		return broken
	}
	_, boundary, ok := strings.Cut(contentType[strings.Index(lower, "boundary"):], "=")
	if !ok {
		return broken
	}
	if q, quoted := strings.CutPrefix(boundary, `"`); quoted {
		if boundary, _, ok = strings.Cut(q, `"`); !ok {
			return broken
		}
	} else {
		boundary, _, _ = strings.Cut(boundary, ";")
	}
	if boundary == "" || len(boundary) > 70 || strings.TrimSpace(boundary) != boundary {
		return broken
	}
	parts := strings.Split(string(body), "--"+boundary)
	if len(parts) < 2 || strings.TrimSpace(parts[0]) != "" || !strings.HasPrefix(parts[len(parts)-1], "--") {
		return broken
	}
	if len(parts) > query.MaxPairs {
		return "too_many"
	}
	for _, part := range parts[1 : len(parts)-1] {
		head, _, ok := strings.Cut(part, "\r\n\r\n")
		if !ok || !strings.HasPrefix(head, "\r\n") || strings.Contains(head, "\n\n") {
			return broken
		}
		name, ok := partName(head)
		switch {
		case !ok:
			return broken
		case name == "List-Unsubscribe": // RFC 8058
		case b.protectedDecoded(name) || b.protectedDecoded(strings.TrimSpace(name)):
			return "protected"
		}
	}
	return ""
}

// partName returns the field's name from the head of a part, if every backend reads
// the same.
func partName(head string) (string, bool) {
	name, found := "", false
	for line := range strings.SplitSeq(strings.TrimPrefix(head, "\r\n"), "\r\n") {
		lower := strings.ToLower(line)
		switch {
		case line == "" || line[0] == ' ' || line[0] == '\t' || strings.ContainsAny(line, "\\\n\r\x00"):
			return "", false
		case strings.HasPrefix(lower, "content-type:"):
			if strings.Contains(lower, "charset") && !strings.Contains(lower, "utf-8") {
				return "", false
			}
		case strings.HasPrefix(lower, "content-disposition: form-data;"):
			if found || strings.Contains(lower, "name*") {
				return "", false
			}
			rest := strings.Replace(lower, "filename=", "", 1)
			if strings.Count(rest, "name=") != 1 {
				return "", false
			}
			at := strings.Index(lower, " name=\"")
			if at < 0 {
				return "", false
			}
			value, _, ok := strings.Cut(line[at+len(` name="`):], `"`)
			if !ok {
				return "", false
			}
			name, found = value, true
		default:
			return "", false
		}
	}
	return name, found
}
