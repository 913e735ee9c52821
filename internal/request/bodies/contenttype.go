package bodies

import (
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
)

// bodyKind is how a backend reads a body.
type bodyKind uint8

const (
	opaqueBody bodyKind = iota
	formBody
	multipartBody
	jsonBody
	xmlBody
)

// contentType is what a Content-Type says of a body.
type contentType struct {
	kind     bodyKind
	boundary string // of multipartBody
}

// The media types that a backend may take apart, by a word that stands in each: some
// compare the whole type, some look for a word, some cut it at a blank, a comma or a
// semicolon.
var words = [...]struct {
	word string
	kind bodyKind
	rule backend.Rule
}{
	{"form-urlencoded", formBody, backend.FormBody},
	{"multipart", multipartBody, backend.MultipartBody},
	{"json", jsonBody, backend.JSONBody},
	{"xml", xmlBody, backend.XMLBody},
}

// maxContentType is how long the type of a body may be that is read. Caddy cuts off a
// FastCGI parameter at 64 KiB, and so would make another type of a longer one.
const maxContentType = 512

// contentType says how a backend reads the body. The type is sought on the safe side,
// and must then be written as everybody writes it:
//
//	type/subtype *( ";" *( SP / HTAB ) name "=" ( token / quoted ) )
//
// with no blank elsewhere and no backslash. Of what else is sent, PHP reads
// `application/x-www-form-urlencoded, text/plain` as a form, Tomcat one with a tab behind
// it, and a proxy that joins two types makes a third.
func (b *Rules) contentType(lines []string) (t contentType, detail string) {
	if len(lines) > 1 {
		return t, detailContentType
	}
	line := ""
	if len(lines) == 1 {
		line = lines[0]
	}
	if strings.Trim(line, " \t") == "" {
		// FastCGI backends read a body without a type as a form: Caddy says so.
		if b.Profile.Has(backend.UntypedBody) {
			t.kind = formBody
		}
		return t, ""
	}
	lower := asciiLower(line)
	for _, w := range words {
		switch {
		case !strings.Contains(lower, w.word) || !b.Profile.Has(w.rule):
		case t.kind != opaqueBody:
			return t, detailContentType // to some it is the one, to some the other
		default:
			t.kind = w.kind
		}
	}
	switch {
	case t.kind == opaqueBody:
		return t, ""
	case len(line) > maxContentType:
		return t, detailContentType
	case t.kind == multipartBody:
		var ok bool
		if t.boundary, ok = boundaryOf(line); !ok {
			return t, detailMultipart
		}
		return t, ""
	default:
		return t, b.parameters(lower, t.kind)
	}
}

// parameters judges the type of a body that is no multipart one, in lower case.
func (b *Rules) parameters(lower string, kind bodyKind) (detail string) {
	media, rest, more := strings.Cut(lower, ";")
	mainType, subtype, ok := strings.Cut(media, "/")
	if !ok || !isToken(mainType) || !isToken(subtype) || kind == formBody && media != "application/x-www-form-urlencoded" {
		return detailContentType
	}
	charset := false
	for more {
		name, behind, ok := strings.Cut(strings.TrimLeft(rest, " \t"), "=")
		if !ok || !isToken(name) {
			return detailContentType
		}
		var value string
		if quoted, is := strings.CutPrefix(behind, `"`); is {
			if value, rest, ok = strings.Cut(quoted, `"`); !ok || !isPrintable(value) || strings.IndexByte(value, '\\') >= 0 {
				return detailContentType
			}
			if rest, more = strings.CutPrefix(rest, ";"); !more && rest != "" {
				return detailContentType
			}
		} else if value, rest, more = strings.Cut(behind, ";"); !isToken(value) {
			return detailContentType
		}
		// Tomcat decodes forms in their charset: with IBM037 `user` is other bytes.
		if strings.Contains(name, "charset") && b.Profile.Has(backend.ForeignCharset) {
			if name != "charset" || charset || value != "utf-8" && value != "iso-8859-1" && value != "us-ascii" {
				return detailCharset
			}
			charset = true
		} else if kind == formBody {
			return detailContentType // no form has another parameter
		}
	}
	return ""
}

// boundaryOf reads the type of a multipart body: the whole of it is
// `multipart/form-data; boundary=` and a token, or a text in quotes, of the characters
// that a boundary may have (RFC 2046, section 5.1.1).
func boundaryOf(line string) (string, bool) {
	rest, ok := cutPrefixFold(line, "multipart/form-data;")
	if !ok {
		return "", false
	}
	rest = strings.TrimLeft(rest, " \t")
	value, ok := cutPrefixFold(rest, "boundary=")
	if !ok {
		return "", false
	}
	// PHP looks for `boundary` in this case first, and may find it in the value: with
	// `Boundary="boundary=x"` its boundary is another one.
	if !strings.HasPrefix(rest, "boundary") && strings.Contains(value, "boundary") {
		return "", false
	}
	boundary, quoted := strings.CutPrefix(value, `"`)
	if quoted {
		if boundary, ok = strings.CutSuffix(boundary, `"`); !ok {
			return "", false
		}
	}
	if boundary == "" || len(boundary) > 70 || strings.Trim(boundary, " ") != boundary {
		return "", false
	}
	// One of hyphens only is found in its own delimiter, one place further on.
	if strings.Trim(boundary, "-") == "" {
		return "", false
	}
	for i := range len(boundary) {
		c := boundary[i]
		if !isAlnum(c) && strings.IndexByte("'+_-.", c) < 0 && (!quoted || strings.IndexByte("()/:=?, ", c) < 0) {
			return "", false
		}
	}
	return boundary, true
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// isPrintable reports whether s is made of visible ASCII and blanks.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// asciiLower is s in lower case, as far as it is ASCII. [strings.ToLower] and
// [strings.EqualFold] know letters beyond it whose other case is ASCII.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// cutPrefixFold is [strings.CutPrefix] for a prefix in lower case, in any case.
func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || asciiLower(s[:len(prefix)]) != prefix {
		return s, false
	}
	return s[len(prefix):], true
}
