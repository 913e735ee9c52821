package gatewaytest

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// Socket is a Unix socket on which a site may listen (`bind unix/PATH`), and who asks it.
type Socket struct {
	Path string

	client *http.Client
}

// NewSocket returns a socket that goes with the test. Each request has a connection of its
// own.
func NewSocket(t testing.TB) *Socket {
	t.Helper()
	dir, err := os.MkdirTemp("", "sl") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Socket{Path: filepath.Join(dir, "s")}
	s.client = &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, DisableCompression: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", s.Path)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

// Get asks for the target, again where Caddy closes a connection while one configuration
// hands the socket over to the next, before it reads a request from it.
func (s *Socket) Get(target string) (response *http.Response, body string, err error) {
	for range 50 {
		if response, err = s.client.Get("http://example.org" + target); err == nil {
			break
		}
	}
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response, string(text), err
}
