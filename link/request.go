package link

import (
	"github.com/signedlink/caddy-signed-link/query"
)

// Request is what a scheme may read of a request: its line as the client sent it,
// and nothing that another handler could have changed. No header but Host is in it.
type Request struct {
	Method   string      // as sent
	Scheme   string      // "http" or "https", of the connection to this server
	Host     string      // the Host field or :authority, with its port if it has one
	Path     string      // as sent, percent-encoded, without the query
	ClientIP string      // Caddy's client IP: trusted_proxies decide
	Query    query.Query // as sent
}

// Value returns the decoded value of the parameter that is spelled exactly like
// name, and whether there is one.
func (r *Request) Value(name string) (string, bool) {
	p, ok := r.Query.Find(name)
	if !ok {
		return "", false
	}
	return r.Query.Value(p), true
}

// RawValue is [Request.Value] without decoding.
func (r *Request) RawValue(name string) (string, bool) {
	p, ok := r.Query.Find(name)
	if !ok {
		return "", false
	}
	return r.Query.RawValue(p), true
}
