// Package bodies reads the bodies of requests as the backends behind a gateway do: forms,
// JSON and multipart, and the parameters by which frameworks take another method. It
// imports the standard library and the query reader only.
package bodies

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/signedlink/caddy-signed-link/query"
)

// The body rule. Backends read parameters out of bodies, too, and prefer them:
// $_REQUEST takes the body's value over the query's, getParameter merges forms and
// multipart bodies, Tomcat the latter on GET as well. So a request with a link has no
// body, unless the operator named its method, and then none that holds a protected
// name.

// Rules say what a body must not hold.
type Rules struct {
	Profile query.Profile
	Names   *query.Names // the protected parameters
	All     bool         // every parameter is protected
}

// MaxInspected is how much of a body is read to judge it, in bytes. A form of one
// click is smaller; a larger body on an action link is refused.
const MaxInspected = 1 << 20

// Admit judges the body of a request with a link, and returns the detail of a refusal, or
// nothing. allowed says that the operator named the method.
func (b *Rules) Admit(r *http.Request, allowed bool) (detail string) {
	switch {
	case bodyless(r) && !declaresBody(r), r.ContentLength == 0 && !declaresBody(r):
		return ""
	case (bodyless(r) || !allowed) && b.Profile.Has(query.UnnamedBody):
		return "not_allowed"
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

// bodyKind is how a backend reads a body.
type bodyKind uint8

const (
	opaqueBody bodyKind = iota
	formBody
	multipartBody
	jsonBody
)

// kindOfBody decides by the Content-Type, on the safe side: without one FastCGI
// backends read a form, PHP reads `application/x-www-form-urlencoded, text/plain` as
// one, Tomcat one with a tab behind it.
func (b *Rules) kindOfBody(contentTypes []string) (kind bodyKind, detail string) {
	if len(contentTypes) > 1 {
		return 0, "content_type"
	}
	ct := ""
	if len(contentTypes) == 1 {
		ct = strings.ToLower(contentTypes[0])
	}
	kinds := 0
	if ct == "" && b.Profile.Has(query.UntypedBody) || strings.Contains(ct, "form-urlencoded") {
		kind = formBody
		kinds++
	}
	if strings.Contains(ct, "multipart") {
		kind = multipartBody
		kinds++
	}
	if strings.Contains(ct, "json") {
		kind = jsonBody
		kinds++
	}
	if kinds > 1 {
		return 0, "content_type"
	}
	if kind == opaqueBody {
		return kind, ""
	}
	// Tomcat decodes forms in their charset: with IBM037 `user` is other bytes.
	if _, charset, ok := strings.Cut(ct, "charset"); ok && b.Profile.Has(query.ForeignCharset) {
		charset = strings.Trim(strings.TrimLeft(charset, " \t="), " \t\"';")
		if charset != "utf-8" && charset != "iso-8859-1" && charset != "us-ascii" {
			return 0, "charset"
		}
	}
	return kind, ""
}

// inspect reads the body, refuses it if it holds a protected name, and puts it
// back unchanged.
func (b *Rules) inspect(r *http.Request) (detail string) {
	kind, detail := b.kindOfBody(r.Header["Content-Type"])
	if detail != "" {
		return detail
	}
	if kind == opaqueBody {
		return ""
	}
	if _, ok := r.Header["Content-Encoding"]; ok && b.Profile.Has(query.EncodedBody) {
		return "encoding"
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxInspected+1))
	// Whatever is said of it: who gets the body gets all of it, and its error.
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	switch {
	case err != nil:
		return "unreadable"
	case len(body) > MaxInspected:
		return "too_large"
	}
	switch {
	case kind == formBody && b.Profile.Has(query.FormBody):
		detail = b.inspectForm(string(body))
	case kind == multipartBody && b.Profile.Has(query.MultipartBody):
		detail = b.inspectMultipart(r.Header.Get("Content-Type"), body)
	case kind == jsonBody && b.Profile.Has(query.JSONBody):
		detail = b.inspectJSON(body)
	}
	return detail
}

// protectedDecoded reports whether a decoded name is protected under any reading.
func (b *Rules) protectedDecoded(name string) bool {
	_, spelling := b.Names.ClassifyDecoded([]byte(name))
	_, overrides := override[b.Profile].ClassifyDecoded([]byte(name))
	return spelling != query.Other || overrides != query.Other || b.All
}
