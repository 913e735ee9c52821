package main

import (
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() { caddy.RegisterModule(new(backend)) }

// backend is a transport of Caddy's proxy behind which an application stands that reads
// every request to its end, and has no page. No socket is opened for that.
type backend struct{}

// CaddyModule returns the Caddy module information.
func (*backend) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.transport.backend", New: func() caddy.Module { return new(backend) }}
}

// UnmarshalCaddyfile takes no options.
func (*backend) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

// RoundTrip implements [http.RoundTripper].
func (*backend) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		StatusCode: http.StatusNotFound, ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: http.NoBody, Request: r,
	}, nil
}
