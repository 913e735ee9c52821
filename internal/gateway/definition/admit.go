package definition

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// Admit judges what surrounds a link whose signature is right: the method, what may change
// it, the body, and the path. The request is r, and was sent as the view says; overrides
// says that a header of it asks for another method.
func (d *Definition) Admit(r *http.Request, sent *link.Request, overrides bool) link.Refusal {
	if !d.allowsMethod(sent.Method) || !d.allowsMethod(r.Method) {
		return link.Refuse(link.Method, "")
	}
	if overrides && d.Profile.Has(backend.OverriddenMethod) || d.inBodies.OverridesMethod(&sent.Query) {
		return link.Refuse(link.Method, "override")
	}
	if detail := d.inBodies.Admit(r, slices.Contains(d.bodies, sent.Method)); detail != "" {
		return link.Refuse(link.Body, detail)
	}
	if d.namesInPath(r.URL) {
		return link.Refuse(link.Ambiguous, "lookalike")
	}
	return link.Refusal{}
}

// allowsMethod reports whether the definition lets the method through with a link.
func (d *Definition) allowsMethod(method string) bool { return slices.Contains(d.Methods, method) }

// namesInPath reports whether the path has a protected parameter in it for a backend that
// makes a query of the path: behind Apache's `RewriteRule ^(.*)$ index.php?url=$1` PHP has
// user=mike of `/app/x%26user=mike`.
func (d *Definition) namesInPath(u *url.URL) bool {
	if d.Profile == backend.Servlet {
		return false
	}
	_, rest, has := strings.Cut(u.Path, "&")
	if !has {
		return false
	}
	for segment := range strings.SplitSeq(rest, "&") {
		if _, spelling := d.Names.Classify(segment); spelling != query.Other || d.CoversAll && strings.Contains(segment, "=") {
			return true
		}
	}
	return false
}

// Rewritten refuses a link whose query a handler has changed since, from what was sent or
// what an earlier definition left of it, in a way that lets the backend see another value of
// a signed parameter than the one that was verified.
func (d *Definition) Rewritten(raw string, sent *link.Request, s *Scheme) link.Refusal {
	rewritten := link.Refuse(link.Ambiguous, "rewritten")
	if s.Description.Coverage != link.Named {
		return rewritten
	}
	current := link.Request{}
	if current.Query.Parse(raw) != nil {
		return rewritten
	}
	present, refusal := d.read(&current)
	if !refusal.None() {
		return rewritten
	}
	for i := range d.Names.Len() {
		if !present.has(i) {
			continue
		}
		now, _ := current.RawValue(d.Names.Name(i))
		signed, there := sent.RawValue(d.Names.Name(i))
		if !there || now != signed {
			return rewritten
		}
	}
	return link.Refusal{}
}
