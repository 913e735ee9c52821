package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// Protocol is a version of HTTP.
type Protocol string

// The protocols, all of them with TLS.
const (
	HTTP1 Protocol = "HTTP/1.1"
	HTTP2 Protocol = "HTTP/2.0"
	HTTP3 Protocol = "HTTP/3.0"
)

// Protocols are all of them.
var Protocols = []Protocol{HTTP1, HTTP2, HTTP3}

const timeout = 20 * time.Second

// Field is a header or trailer field.
type Field struct{ Name, Value string }

// Request is a request of [Client]. Its target goes out as it is.
type Request struct {
	Method   string // GET, if empty
	Target   string
	Header   []Field
	Body     string
	Unsized  bool    // do not announce the length of the body
	Trailers []Field // announced; the body must be unsized
}

// Response is a response with its body.
type Response struct {
	Status int
	Proto  string
	Header http.Header
	Body   []byte
}

// Client speaks one protocol with the sites of a gateway.
type Client struct {
	gateway *Gateway
	proto   Protocol
	client  *http.Client
}

// Client returns a client whose connections end with the test.
func (g *Gateway) Client(t testing.TB, p Protocol) *Client {
	t.Helper()
	c := &Client{gateway: g, proto: p}
	var transport http.RoundTripper
	switch p {
	case HTTP1, HTTP2:
		protocols := new(http.Protocols)
		protocols.SetHTTP1(p == HTTP1)
		protocols.SetHTTP2(p == HTTP2)
		h := &http.Transport{TLSClientConfig: g.tls.Clone(), DisableCompression: true, Protocols: protocols}
		t.Cleanup(h.CloseIdleConnections)
		transport = h
	case HTTP3:
		h := &http3.Transport{TLSClientConfig: http3.ConfigureTLSConfig(g.tls.Clone()), DisableCompression: true}
		t.Cleanup(func() { h.Close() })
		transport = h
	default:
		t.Fatalf("unknown protocol %q", p)
	}
	c.client = &http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Do makes a request to a site. A request that the gateway breaks off is an error.
func (c *Client) Do(site string, r Request) (*Response, error) {
	address, ok := c.gateway.secure[site]
	if !ok {
		return nil, fmt.Errorf("no site %s with TLS", site)
	}
	path, query, hasQuery := strings.Cut(r.Target, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	request := &http.Request{
		Method: method,
		URL:    &url.URL{Scheme: "https", Host: address, Path: decoded, RawPath: path, RawQuery: query, ForceQuery: hasQuery && query == ""},
		Host:   Host,
		Header: http.Header{},
	}
	for _, f := range r.Header {
		request.Header[f.Name] = append(request.Header[f.Name], f.Value)
	}
	if r.Body != "" || r.Unsized {
		request.Body = io.NopCloser(strings.NewReader(r.Body))
		request.ContentLength = int64(len(r.Body))
		if r.Unsized {
			request.ContentLength = -1
		}
	}
	for _, f := range r.Trailers {
		if request.Trailer == nil {
			request.Trailer = http.Header{}
		}
		request.Trailer[f.Name] = append(request.Trailer[f.Name], f.Value)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.Proto != string(c.proto) {
		return nil, fmt.Errorf("the answer came over %s", response.Proto)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return &Response{response.StatusCode, response.Proto, response.Header, body}, nil
}

// pause is how long a gateway may be silent before it has said all, in answer to
// bytes of which nobody knows how many requests they are.
const pause = 300 * time.Millisecond

// SendHTTP1 sends bytes to a cleartext port and returns the responses, up to the
// first that is not interim, or with all, all of them. method is that of the first
// request. What is no response is one with status 0.
func SendHTTP1(address, method string, raw []byte, all bool) ([]*Response, error) {
	conn, err := net.DialTimeout("tcp", address, timeout)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	var sending sync.WaitGroup
	sending.Go(func() {
		_, _ = conn.Write(raw) // a gateway that refuses early stops reading
	})
	defer sending.Wait()
	defer conn.Close()

	var responses []*Response
	in := bufio.NewReader(conn)
	for {
		if len(responses) > 0 {
			method = http.MethodGet
			if err := conn.SetReadDeadline(time.Now().Add(pause)); err != nil {
				return responses, err
			}
		}
		if _, err := in.Peek(1); err != nil {
			return responses, nil // closed, or silent
		}
		if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
			return responses, err
		}
		response, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			rest, _ := io.ReadAll(in)
			return append(responses, &Response{Body: rest}), nil
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		responses = append(responses, &Response{response.StatusCode, response.Proto, response.Header, body})
		final := response.StatusCode >= 200
		if err != nil || response.Close && final || !all && final {
			return responses, nil
		}
	}
}
