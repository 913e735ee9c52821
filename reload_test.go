package signedlink

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// waiting is a backend that keeps a request until it is told to let go.
type waiting struct{}

// Made anew by the test, before its configuration loads.
var waitingArrived, waitingRelease chan struct{}

func (waiting) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_waiting", New: func() caddy.Module { return new(waiting) }}
}

func (waiting) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	waitingArrived <- struct{}{}
	<-waitingRelease
	_, err := fmt.Fprintf(w, "%s %s", r.Header.Get("X-Verified-User"), r.URL.RequestURI())
	return err
}

func init() {
	caddy.RegisterModule(waiting{})
	httpcaddyfile.RegisterHandlerDirective("test_waiting", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return waiting{}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_waiting", httpcaddyfile.Before, "reverse_proxy")
}

// TestReloadWhileRequestsRun: requests that are under way when the configuration
// changes finish by the old one, and none of those that run beside many reloads gets
// a wrong verdict.
func TestReloadWhileRequestsRun(t *testing.T) {
	waitingArrived, waitingRelease = make(chan struct{}), make(chan struct{})
	t.Setenv("FIRST", "first-secret-0123456789")
	t.Setenv("SECOND", "second-secret-0123456789")
	dir, err := os.MkdirTemp("", "sl") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	config := func(current, before string) []byte {
		text := "{\n\tadmin off\n\tpersist_config off\n\tauto_https off\n}\nhttp:// {\n\tbind unix/" + socket + `
			signed_link keyed_hash {
				secret {env.` + current + `} ` + strings.ToLower(current) + `
				secret {env.` + before + `} ` + strings.ToLower(before) + `
				algorithm hmac-sha256
				message {query.user}
				signature {query.sig}
			}
			test_waiting /wait
			test_backend
		}`
		c, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	configs := [][]byte{config("FIRST", "SECOND"), config("SECOND", "FIRST")}
	load := func(i int) {
		if err := caddy.Load(configs[i%2], true); err != nil {
			t.Errorf("load %d: %v", i, err)
		}
	}
	load(0)
	t.Cleanup(func() { _ = caddy.Stop() })

	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	get := func(path, user, secret string) (int, string, error) {
		target := "http://example.org" + path + "?user=" + user + "&sig=" + sum256(secret, user)
		response, err := client.Get(target)
		for range 50 {
			if err == nil {
				break
			}
			// a connection that Caddy closed while it handed the socket over, before
			// it read a request from it
			response, err = client.Get(target)
		}
		if err != nil {
			return 0, "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return response.StatusCode, string(body), err
	}

	var inFlight sync.WaitGroup
	inFlight.Go(func() {
		if code, body, err := get("/wait", "slow", "first-secret-0123456789"); err != nil || code != 200 || body != "slow /wait?user=slow" {
			t.Errorf("the request under way: %d %q %v", code, body, err)
		}
	})
	<-waitingArrived

	stop := make(chan struct{})
	var running sync.WaitGroup
	var mu sync.Mutex
	count := 0
	for _, secret := range []string{"first-secret-0123456789", "second-secret-0123456789", "no-secret-0123456789"} {
		running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				user := fmt.Sprintf("u%d", i)
				code, body, err := get("/x", user, secret)
				if err != nil {
					t.Errorf("request %d: %v", i, err)
					return
				}
				if secret == "no-secret-0123456789" {
					if code != http.StatusUnauthorized {
						t.Errorf("a wrong signature: %d", code)
					}
				} else {
					var s seen
					if code != 200 || json.Unmarshal([]byte(body), &s) != nil || s.Headers.Get("X-Verified-User") != user || s.URI != "/x?user="+user {
						t.Errorf("a right one: %d %s", code, body)
					}
				}
				mu.Lock()
				count++
				mu.Unlock()
			}
		})
	}
	for i := 1; i <= 20; i++ {
		load(i)
	}
	close(waitingRelease)
	inFlight.Wait()
	close(stop)
	running.Wait()
	if count == 0 {
		t.Error("no request ran beside the reloads")
	}
}
