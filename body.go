package signedlink

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// The body rule. Backends read parameters out of bodies, too, and prefer them:
// $_REQUEST takes the body's value over the query's, getParameter merges forms and
// multipart bodies, Tomcat the latter on GET as well. So a request with a link has no
// body, unless the operator named its method, and then none that holds a protected
// name.

// maxInspected is how much of a body is read to judge it, in bytes. A form of one
// click is smaller; a larger body on an action link is refused.
const maxInspected = 1 << 20

// override holds the parameter by which frameworks take another method, by profile.
var override = func() (m [3]*query.Names) {
	for _, p := range []query.Profile{query.Strict, query.PHP, query.Servlet} {
		names, err := query.NewNames(p, []string{"_method"})
		if err != nil {
			panic(err)
		}
		m[p] = names
	}
	return m
}()

// overridesMethod reports whether the query asks the backend's framework to take the
// request for another method than the one that was judged: a mailed GET link would
// delete. The guard looks for headers that do.
func (d *definition) overridesMethod(view *link.Request) bool {
	names := override[d.profile]
	for _, p := range view.Query.Pairs {
		if _, spelling := names.ClassifyPair(&view.Query, p); spelling != query.Other {
			if _, known := d.names.ClassifyPair(&view.Query, p); known == query.Other {
				return true
			}
		}
	}
	return false
}

// admitBody judges the body of a request with a link. allowed says that the operator
// named the method.
func (d *definition) admitBody(r *http.Request, allowed bool) link.Refusal {
	switch {
	case bodyless(r) && !declaresBody(r), r.ContentLength == 0 && !declaresBody(r):
		return link.Refusal{}
	case (bodyless(r) || !allowed) && d.profile.Has(query.UnnamedBody):
		return link.Refuse(link.Body, "not_allowed")
	default:
		return d.inspectBody(r)
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

// dropUndeclaredBody makes sure that a GET or HEAD without an announced body has
// none: HTTP/2 and HTTP/3 may send data that no header speaks of.
func dropUndeclaredBody(r *http.Request) {
	if bodyless(r) && !declaresBody(r) && r.ContentLength != 0 {
		r.Body, r.ContentLength = http.NoBody, 0
	}
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
func (d *definition) kindOfBody(contentTypes []string) (kind bodyKind, detail string) {
	if len(contentTypes) > 1 {
		return 0, "content_type"
	}
	ct := ""
	if len(contentTypes) == 1 {
		ct = strings.ToLower(contentTypes[0])
	}
	kinds := 0
	if ct == "" && d.profile.Has(query.UntypedBody) || strings.Contains(ct, "form-urlencoded") {
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
	if _, charset, ok := strings.Cut(ct, "charset"); ok && d.profile.Has(query.ForeignCharset) {
		charset = strings.Trim(strings.TrimLeft(charset, " \t="), " \t\"';")
		if charset != "utf-8" && charset != "iso-8859-1" && charset != "us-ascii" {
			return 0, "charset"
		}
	}
	return kind, ""
}

// inspectBody reads the body, refuses it if it holds a protected name, and puts it
// back unchanged.
func (d *definition) inspectBody(r *http.Request) link.Refusal {
	kind, detail := d.kindOfBody(r.Header["Content-Type"])
	if detail != "" {
		return link.Refuse(link.Body, detail)
	}
	if kind == opaqueBody {
		return link.Refusal{}
	}
	if _, ok := r.Header["Content-Encoding"]; ok && d.profile.Has(query.EncodedBody) {
		return link.Refuse(link.Body, "encoding")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxInspected+1))
	// Whatever is said of it: who gets the body gets all of it, and its error.
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	switch {
	case err != nil:
		return link.Refuse(link.Body, "unreadable")
	case len(body) > maxInspected:
		return link.Refuse(link.Body, "too_large")
	}
	switch {
	case kind == formBody && d.profile.Has(query.FormBody):
		detail = d.inspectForm(string(body))
	case kind == multipartBody && d.profile.Has(query.MultipartBody):
		detail = d.inspectMultipart(r.Header.Get("Content-Type"), body)
	case kind == jsonBody && d.profile.Has(query.JSONBody):
		detail = d.inspectJSON(body)
	}
	if detail != "" {
		return link.Refuse(link.Body, detail)
	}
	return link.Refusal{}
}

// protectedDecoded reports whether a decoded name is protected under any reading.
func (d *definition) protectedDecoded(name string) bool {
	_, spelling := d.names.ClassifyDecoded([]byte(name))
	_, overrides := override[d.profile].ClassifyDecoded([]byte(name))
	return spelling != query.Other || overrides != query.Other || d.coversAll
}

func (d *definition) inspectForm(body string) (detail string) {
	n := 0
	for segment := range strings.SplitSeq(body, "&") {
		if n++; n > query.MaxPairs {
			return "too_many"
		}
		if segment == "List-Unsubscribe=One-Click" { // RFC 8058
			continue
		}
		_, spelling := d.names.Classify(segment)
		_, overrides := override[d.profile].Classify(segment)
		if spelling != query.Other || overrides != query.Other || d.coversAll && segment != "" {
			return "protected"
		}
	}
	return ""
}

// inspectJSON looks at the names of the outermost object, which frameworks merge with
// the parameters of the query.
func (d *definition) inspectJSON(body []byte) (detail string) {
	dec := json.NewDecoder(bytes.NewReader(body))
	depth, name := 0, false
	for {
		token, err := dec.Token()
		switch {
		case errors.Is(err, io.EOF):
			if depth != 0 {
				return "json"
			}
			return ""
		case err != nil:
			return "json"
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
				name = depth == 1 && t == '{'
				continue
			}
			depth--
			name = depth == 1
		case string:
			if depth == 1 && name {
				if d.protectedDecoded(t) {
					return "protected"
				}
				name = false
				continue
			}
			name = depth == 1
		default:
			name = depth == 1
		}
	}
}

// inspectMultipart looks at the head of every part. What it cannot read as every
// backend does is refused: `name*`, backslashes, folded lines, two names, a second
// boundary, a part with a charset.
func (d *definition) inspectMultipart(contentType string, body []byte) (detail string) {
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
		case d.protectedDecoded(name) || d.protectedDecoded(strings.TrimSpace(name)):
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
