package exchange

import (
	"context"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/query"
)

// WasMoved reports whether a handler has changed the path since it was sent, to another one
// than path, to which a link leads.
func (x *Exchange) WasMoved(r *http.Request, path string) bool {
	now := r.URL.EscapedPath()
	return now != x.Request.Path && now != path
}

// Move puts another path in place of the request's, wherever a later handler can find one:
// the URL, RequestURI and the original request of the context, of which FastCGI makes its
// variables. A link led there, so whoever guards that path lets the request through.
func (x *Exchange) Move(r *http.Request, path string) {
	x.setPath(r, path)
	x.moved = path
}

// LedTo reports whether a link of this request led to the path that it has now.
func (x *Exchange) LedTo(r *http.Request) bool {
	return x != nil && x.moved != "" && r.URL.EscapedPath() == x.moved
}

// RedactPath takes signatures out of the path, for error routes.
func (x *Exchange) RedactPath(r *http.Request, redact func(path string) string) {
	path := r.URL.EscapedPath()
	if clean := redact(path); clean != path {
		x.setPath(r, clean)
		return
	}
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		path = original.URL.EscapedPath() // something before has changed the other one
		if clean := redact(path); clean != path {
			targets.SetPath(original.URL, clean)
			x.replaceTarget(r, original.URL.RequestURI())
		}
	}
}

func (x *Exchange) setPath(r *http.Request, path string) {
	targets.SetPath(r.URL, path)
	r.RequestURI = r.URL.RequestURI()
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		targets.SetPath(original.URL, path) // in place, as in [Exchange.Cut]
		x.replaceTarget(r, original.URL.RequestURI())
	}
}

// WasRewritten reports whether a handler has changed the query since it was sent, or since
// a definition cut it.
func (x *Exchange) WasRewritten(r *http.Request) bool { return r.URL.RawQuery != x.query }

// Cut removes segments from every place in which a later handler can find the query:
// the request's URL and RequestURI, and the original request in Caddy's context,
// from which FastCGI makes REQUEST_URI, {orig_uri} its value, and handle_errors the
// request that it sees.
func (x *Exchange) Cut(r *http.Request, drop func(segment string) bool) {
	raw, uri := r.URL.RawQuery, r.RequestURI
	left, leftURI, changed := targets.Cut(raw, uri, drop)
	if changed {
		r.URL.RawQuery, r.RequestURI = left, leftURI
	}
	x.query = left

	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok {
		return
	}
	if original.URL.RawQuery != raw || original.RequestURI != uri { // mostly it is the same
		left, leftURI, changed = targets.Cut(original.URL.RawQuery, original.RequestURI, drop)
	}
	if changed {
		// in place, for handlers that derived a request before this one ran
		original.URL.RawQuery = left
		x.replaceTarget(r, leftURI)
	}
}

// DropTarget makes a request whose target has no path, to a matcher, one for the root: a
// proxy on an error route would send the target on as it came.
func (x *Exchange) DropTarget(r *http.Request) {
	*r.URL = url.URL{Path: "/"}
	r.RequestURI, x.query = "/", ""
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		*original.URL = *r.URL
		x.replaceTarget(r, "/")
	}
}

// replaceTarget puts a target in place of that of the original request, whose URL was
// changed in place: behind the pointer r, because placeholders close over it, and into the
// placeholder of its text, for those who hold another pointer, as error routes do.
func (x *Exchange) replaceTarget(r *http.Request, target string) {
	ctx := &x.original
	if ctx.Context != nil {
		ctx = new(originalContext) // others may read that one now
	}
	*ctx = originalContext{r.Context(), target}
	*r = *r.WithContext(ctx)
	if x.replacer != nil {
		x.replacer.Set("http.request.orig_uri", target)
	}
}

// originalContext is a context in which the original request has another target. The
// request stands in a context by value, so each who asks gets a copy of it; few do.
type originalContext struct {
	context.Context
	target string
}

// Value implements [context.Context].
func (c *originalContext) Value(key any) any {
	value := c.Context.Value(key)
	if key == caddyhttp.OriginalRequestCtxKey {
		if original, ok := value.(http.Request); ok {
			original.RequestURI = c.target
			return original
		}
	}
	return value
}

// CutCookies cuts cookies out of the request, and returns how many there were, as the
// metrics count.
func (x *Exchange) CutCookies(r *http.Request, names cookies.Shadows) int {
	n := names.CutFrom(r.Header)
	x.CookiesCut += n
	return n
}

// CutPath takes parameters out of the path, in every place in which a later handler can
// find one: the URL, RequestURI and the original request of the context.
func (x *Exchange) CutPath(r *http.Request, names *query.Patterns) {
	uri := r.RequestURI
	targets.CutURLPath(r.URL, names)
	r.RequestURI = targets.CutTargetPath(uri, names)
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok {
		return
	}
	changed := targets.CutURLPath(original.URL, names) // in place, as in [Exchange.Cut]
	target := targets.CutTargetPath(original.RequestURI, names)
	if changed || target != original.RequestURI {
		x.replaceTarget(r, target)
	}
}
