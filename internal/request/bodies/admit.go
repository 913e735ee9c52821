// Package bodies reads the bodies of requests as the backends behind a gateway do: forms,
// multipart, JSON and XML, and the parameters by which frameworks take another method. Each
// has one grammar, which every reader reads alike; whatever else is sent is refused. The
// package imports the standard library and the query reader only.
package bodies

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// The body rule. Backends read parameters out of bodies, too, and prefer them:
// $_REQUEST takes the body's value over the query's, getParameter merges forms and
// multipart bodies, Tomcat the latter on GET as well. So a request with a link has no
// body, unless the operator named its method, and then none that holds a protected
// name.

// Rules say what a body must not hold.
type Rules struct {
	Profile backend.Profile
	Names   *query.Names // the protected parameters
	All     bool         // every parameter is protected
}

// MaxInspected is how much of a body is read to judge it, in bytes. A form of one
// click is smaller; a larger body on an action link is refused.
const MaxInspected = 1 << 20

// The details of refusals.
const (
	detailCharset     = "charset"
	detailContentType = "content_type"
	detailEncoding    = "encoding"
	detailJSON        = "json"
	detailMultipart   = "multipart"
	detailNotAllowed  = "not_allowed"
	detailProtected   = "protected"
	detailTooLarge    = "too_large"
	detailTooMany     = "too_many"
	detailUnreadable  = "unreadable"
	detailXML         = "xml"
)

// Details are all that [Rules.Admit] says.
var Details = []string{
	detailCharset, detailContentType, detailEncoding, detailJSON, detailMultipart, detailNotAllowed,
	detailProtected, detailTooLarge, detailTooMany, detailUnreadable, detailXML,
}

// Admit judges the body of a request with a link, and returns the detail of a refusal, or
// nothing. allowed says that the operator named the method. What it takes for no body must
// go on as none; see [DropUndeclared].
func (b *Rules) Admit(r *http.Request, allowed bool) (detail string) {
	switch {
	case undeclared(r):
		return ""
	case (bodyless(r) || !allowed) && b.Profile.Has(backend.UnnamedBody):
		return detailNotAllowed
	default:
		return b.inspect(r)
	}
}

// bodyless reports whether a body means nothing in a request of this method (RFC
// 9110, section 9.3.1). Tomcat reads parameters out of it all the same.
func bodyless(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// declaresBody reports whether the request announces a body. An unknown length, -1,
// is none: HTTP/3 says so of every GET.
func declaresBody(r *http.Request) bool {
	_, chunked := r.Header["Transfer-Encoding"]
	return r.ContentLength > 0 || len(r.TransferEncoding) > 0 || chunked
}

// undeclared reports whether the request counts as one without a body.
func undeclared(r *http.Request) bool {
	return !declaresBody(r) && (bodyless(r) || r.ContentLength == 0)
}

// inspect reads the body, refuses it if it holds a protected name, and puts it
// back unchanged.
func (b *Rules) inspect(r *http.Request) (detail string) {
	t, detail := b.contentType(r.Header["Content-Type"])
	if detail != "" || t.kind == opaqueBody {
		return detail
	}
	if _, ok := r.Header["Content-Encoding"]; ok && b.Profile.Has(backend.EncodedBody) {
		return detailEncoding
	}
	buffer := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), 64<<10)+bytes.MinRead))
	_, err := buffer.ReadFrom(io.LimitReader(r.Body, MaxInspected+1))
	body := buffer.Bytes()
	// Whatever is said of it: who gets the body gets all of it, and its error.
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	// Behind a body that is read there may be trailers, which nobody has judged.
	r.Trailer = nil
	switch {
	case err != nil:
		return detailUnreadable
	case len(body) > MaxInspected:
		return detailTooLarge
	}
	switch t.kind {
	case formBody:
		return b.inspectForm(string(body))
	case multipartBody:
		return b.inspectMultipart(t.boundary, string(body))
	case jsonBody:
		return b.inspectJSON(body)
	case xmlBody:
		return b.inspectXML(body)
	default:
		return ""
	}
}

// protectedDecoded reports whether a decoded name is protected under any reading. Some
// readers trim names, and some decode them once more (RFC 7578, section 2, of multipart;
// Werkzeug and undici do).
func (b *Rules) protectedDecoded(name string) bool {
	if b.All {
		return true
	}
	look := b.look(name)
	if !look.any() {
		return false
	}
	if b.spells(look, name) {
		return true
	}
	if trimmed := strings.TrimSpace(name); trimmed != name && b.spells(look, trimmed) {
		return true
	}
	return look.escaped && strings.IndexByte(name, '%') >= 0 && b.spells(look, string(query.AppendUnescapedPath(nil, name)))
}

// look tells which names a text could hold, decoded or not: those of which nothing is in
// its letters need not be looked for.
type look struct{ names, overriding, escaped bool }

func (b *Rules) look(text string) look {
	letters := query.LettersOf(text)
	return look{b.Names.Within(letters), overriding.Within(letters), letters.Escaped()}
}

func (l look) any() bool { return l.names || l.overriding }

// protects reports whether a segment of a form spells a protected name.
func (b *Rules) protects(segment string) bool {
	_, spelling := b.Names.Classify(segment)
	return spelling != query.Other
}

// spells reports whether the name is protected, or one that overrides the method.
func (b *Rules) spells(look look, name string) bool {
	decoded := []byte(name)
	if look.names {
		if _, spelling := b.Names.ClassifyDecoded(decoded); spelling != query.Other {
			return true
		}
	}
	return look.overriding && b.overridesDecoded(decoded)
}
