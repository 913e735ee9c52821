package signedlink_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/sourcemetrics"
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
	socket := gatewaytest.NewSocket(t)
	config := func(current, before string) []byte {
		text := "{\n\tadmin off\n\tpersist_config off\n\tauto_https off\n}\nhttp:// {\n\tbind unix/" + socket.Path + `
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

	get := func(path, user, secret string) (int, string, error) {
		response, body, err := socket.Get(path + "?user=" + user + "&sig=" + fixture.Sum256(secret, user))
		if err != nil {
			return 0, "", err
		}
		return response.StatusCode, body, nil
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
					var s gatewaytest.Seen
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

// TestHundredReloadsWithFiles: key files are shared by all configurations that name
// them. Beside a hundred reloads and changes of the file no request gets a wrong
// verdict, the user keys are read once, and in the end nothing is left over.
func TestHundredReloadsWithFiles(t *testing.T) {
	socket, dir := gatewaytest.NewSocket(t), t.TempDir()
	put := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	set := func(others string) string {
		return `{"keys":[` + others + `{"id":"always","secret":"always-secret-0123456789"}]}`
	}
	put("keys.json", set(""))
	var users strings.Builder
	users.WriteString("user,secret\n")
	for i := range 20_000 {
		fmt.Fprintf(&users, "u%d,secret-of-u%d-0123456789\n", i, i)
	}
	put("users.csv", users.String())
	config := func(i int) []byte {
		text := "{\n\tadmin off\n\tpersist_config off\n\tauto_https off\n}\nhttp:// {\n\tbind unix/" + socket.Path + fmt.Sprintf(`
			header Configuration %d
			signed_link /set keyed_hash {
				keys file %[2]s/keys.json
				algorithm hmac-sha256
				message {query.user}
				signature {query.sig}
			}
			signed_link /users keyed_hash {
				name users
				user_keys file %[2]s/users.csv
				algorithm hmac-sha256
				message {query.user}
				signature {query.sig}
			}
			signed_link /same keyed_hash {
				name same
				user_keys file %[2]s/users.csv
				algorithm hmac-sha256
				message {query.user}
				signature {query.sig}
			}
			test_backend
		}`, i, dir)
		c, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	watching := func() int {
		stacks := make([]byte, 16<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return strings.Count(string(stacks), "keys/file.(*watch[...]).run(")
	}
	watchingBefore, goroutines := watching(), runtime.NumGoroutine()
	loads := func() float64 {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(sourcemetrics.Loads)
		families, err := registry.Gather()
		if err != nil || len(families) == 0 {
			t.Fatal("no loads are counted", err)
		}
		return families[0].GetMetric()[0].GetCounter().GetValue()
	}

	if err := caddy.Load(config(0), true); err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			_ = caddy.Stop()
		}
	})
	before := loads()
	status := func(path, user, secret string) int {
		response, _, err := socket.Get(path + "?user=" + user + "&sig=" + fixture.Sum256(secret, user))
		if err != nil {
			return 0
		}
		return response.StatusCode
	}
	stop := make(chan struct{})
	var running sync.WaitGroup
	for _, path := range []string{"/set", "/users", "/same"} {
		running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				user := fmt.Sprintf("u%d", i%20_000)
				secret := "secret-of-" + user + "-0123456789"
				if path == "/set" {
					secret = "always-secret-0123456789"
				}
				if code := status(path, user, secret); code != http.StatusOK {
					t.Errorf("%s: a right link: %d", path, code)
				}
				if code := status(path, user, "wrong-secret-0123456789"); code != http.StatusUnauthorized {
					t.Errorf("%s: a wrong link: %d", path, code)
				}
			}
		})
	}
	for i := 1; i <= 100; i++ {
		if err := caddy.Load(config(i), true); err != nil {
			t.Errorf("load %d: %v", i, err)
		}
	}
	if n := watching() - watchingBefore; n != 2 {
		t.Errorf("%d goroutines watch two files", n)
	}
	if n := loads() - before; n != 0 {
		t.Errorf("files that did not change were read %v times more", n)
	}

	// a change needs no reload
	put("keys.json", set(`{"id":"new","secret":"new-secret-0123456789"},`))
	for deadline := time.Now().Add(time.Minute); status("/set", "jeff", "new-secret-0123456789") != http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("the new key does not count")
		}
	}
	close(stop)
	running.Wait()
	stopped = true
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); watching() > watchingBefore || runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines watch files, and %d of %d are left", watching()-watchingBefore, runtime.NumGoroutine(), goroutines)
		}
	}
}
