package backends

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// instanceHeader is the response header in which a backend says which process it
// is, so that nobody else's answer on its port is taken for it.
const instanceHeader = "X-Backend-Instance"

// HTTPBackend is a running backend that speaks HTTP.
type HTTPBackend struct {
	// Address is host:port, for Caddy's reverse_proxy.
	Address string
	// URL is http://host:port, without a slash at the end.
	URL string
	// Root is the directory of its applications.
	Root string
}

func newHTTPBackend(port int, root string) *HTTPBackend {
	address := loopback(port)
	return &HTTPBackend{Address: address, URL: "http://" + address, Root: root}
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

var probeClient = &http.Client{
	Timeout:   2 * time.Second,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// probeHTTP returns a probe of these paths, all of which must answer.
func probeHTTP(paths ...string) func(port int) (string, error) {
	return func(port int) (string, error) {
		var instance string
		for _, path := range paths {
			resp, err := probeClient.Get("http://" + loopback(port) + path)
			if err != nil {
				return "", err
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				return "", err
			}
			instance = resp.Header.Get(instanceHeader)
			if instance == "" || resp.StatusCode != http.StatusOK {
				return "", fmt.Errorf("%s answers %s: %.200q", path, resp.Status, body)
			}
		}
		return instance, nil
	}
}
