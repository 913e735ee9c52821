// Package rehearsal sends requests through the definitions of a configuration, in the routes
// in which they stand, without a server and without a backend.
package rehearsal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
)

// Run runs requests through the definitions of a configuration, in their routes,
// with nothing behind them.
type Run struct {
	*Configuration
	Only     []*app.Gate // the definitions that judge
	Method   string
	ClientIP netip.Addr
	Now      time.Time
	*Passage // the one that is under way
}

// Passage is what became of one request.
type Passage struct {
	url     string
	State   *exchange.Exchange
	By      []*app.Gate // the definitions that judge it
	guarded bool        // a guard or a definition saw it
	refused bool
	status  int           // of a refusal
	sent    *http.Request // what the last handler got
	script  string        // what FastCGI runs
	Failed  error         // the URL cannot be sent at all, or a matcher failed
}

// Try sends the URL through the first server that has a definition for it.
func (run *Run) Try(text string) *Passage {
	var last *Passage
	for _, server := range run.serversFor(text) {
		p := &Passage{url: text}
		r, err := run.request(text, server)
		if err != nil {
			p.Failed = err
			return p
		}
		p.State = run.App.Enter(r, exchange.VarsOf(r))
		w := &discard{header: make(http.Header)}
		run.Passage = p
		err = server.Routes.Compile(caddyhttp.HandlerFunc(arrive)).ServeHTTP(w, r)
		p.status = w.status
		if refusal := (caddyhttp.HandlerError{}); errors.As(err, &refusal) {
			p.refused, p.status = true, refusal.StatusCode
		} else if err != nil {
			p.Failed = err
		}
		if p.State.Last != nil || len(p.By) > 0 || p.Failed != nil {
			return p
		}
		last = p
	}
	return last
}

// serversFor are the servers, those that listen on the URL's port first.
func (run *Run) serversFor(text string) []*caddyhttp.Server {
	scheme, host, _ := SplitURL(text)
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		port = "443"
		if scheme == "http" {
			port = "80"
		}
	}
	servers := run.servers()
	listens := func(s *caddyhttp.Server) int {
		for _, l := range s.Listen {
			if a, err := caddy.ParseNetworkAddress(l); err == nil && strconv.Itoa(int(a.StartPort)) == port {
				return 0
			}
		}
		return 1
	}
	slices.SortStableFunc(servers, func(a, b *caddyhttp.Server) int { return listens(a) - listens(b) })
	return servers
}

// SplitURL takes a URL apart as a browser does before it sends the request, and decodes
// nothing. Without a host, it is the target alone.
func SplitURL(text string) (scheme, host, target string) {
	text, _, _ = strings.Cut(text, "#")
	if strings.HasPrefix(text, "/") {
		return "https", "", text
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "https", text
	}
	host, target = rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, target = rest[:i], rest[i:]
	}
	if strings.HasPrefix(target, "?") {
		target = "/" + target
	}
	return strings.ToLower(scheme), host[strings.LastIndexByte(host, '@')+1:], target
}

// request makes the request as the server makes it of the bytes on the wire.
func (run *Run) request(text string, server *caddyhttp.Server) (*http.Request, error) {
	scheme, host, target := SplitURL(text)
	if text == "" {
		return nil, errors.New("the URL is empty")
	}
	var wire bytes.Buffer
	fmt.Fprintf(&wire, "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", run.Method, target, host)
	// The errors of net/http hold the request, and so the signature.
	r, err := http.ReadRequest(bufio.NewReader(&wire))
	switch {
	case strings.ContainsAny(target, " \r\n\t"):
		return nil, errors.New("a blank or a line break ends the target of the request")
	case err != nil || r.RequestURI != target || r.Method != run.Method:
		return nil, errors.New("the server would answer 400: this is no HTTP request")
	}
	r.Body = http.NoBody
	r.RemoteAddr = net.JoinHostPort(run.ClientIP.String(), "0")
	if scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: r.Host}
	}
	repl := caddy.NewReplacer()
	r = r.WithContext(context.WithValue(r.Context(), caddyhttp.ServerCtxKey, server))
	return caddyhttp.PrepareRequest(r, repl, &discard{header: make(http.Header)}, server), nil
}

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

func (d *discard) WriteHeader(status int) { d.status = status }

// arrive is where a request goes that nothing answered.
func arrive(http.ResponseWriter, *http.Request) error { return nil }
