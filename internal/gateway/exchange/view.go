package exchange

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// Read returns the view of the request as the client sent it. It is made once: two
// definitions judge the same bytes, whatever the first one cut.
func (x *Exchange) Read(r *http.Request) (*link.Request, error) {
	if x.isRead {
		return &x.Request, x.Unreadable
	}
	x.isRead = true
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok {
		original = *r
	}
	x.Request.Method = original.Method
	x.Request.Path = original.URL.EscapedPath()
	x.Request.Host = r.Host
	x.Request.Scheme = "http"
	if r.TLS != nil {
		x.Request.Scheme = "https"
	}
	x.Request.ClientIP, _ = caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	x.Unreadable = x.Request.Query.Parse(original.URL.RawQuery)
	// Caddy cuts a FastCGI parameter off at 64 KiB: behind a long enough path REQUEST_URI
	// would end in the middle of the user's name.
	if len(x.Request.Path)+len(original.URL.RawQuery) > query.MaxBytes && x.Unreadable == nil {
		x.Unreadable = query.ErrTooLong
	}
	return &x.Request, x.Unreadable
}
