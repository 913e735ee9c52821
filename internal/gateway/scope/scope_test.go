package scope

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
)

// sent is a request with the target as net/http's server reads it.
func sent(target string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://example.org/", nil)
	r.RequestURI = target
	r.URL, _ = url.ParseRequestURI(target)
	return r
}

// honestAddresses are what applications send that nobody attacks.
func honestAddresses(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "honest_urls.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

// TestReadingsAreShared: two definitions read a path once, whatever their profiles, and ask
// their matchers about the same requests. What handlers in between have changed is seen.
func TestReadingsAreShared(t *testing.T) {
	r := sent("/x/..;/app/index.php/y?a=b")
	vars := map[string]any{"area": "one"}
	strict, ok := readingsOf(r, vars, backend.Strict)
	if !ok || len(strict) == 0 {
		t.Fatalf("%d readings, %v", len(strict), ok)
	}
	first := strict[0].on(nil, r, vars)
	r.URL.RawQuery = "b=c"
	r.Header = http.Header{"C": {"d"}}
	vars["area"] = "two"
	again, _ := readingsOf(r, vars, backend.Strict)
	if !slices.Equal(strict, again) {
		t.Error("the readings are made twice")
	}
	second := again[0].on(nil, r, vars)
	if second != first {
		t.Error("the request of a reading is made twice")
	}
	if second.Header.Get("C") != "d" || second.URL.RawQuery != "b=c" || exchange.VarsOf(second)["area"] != "two" || !strings.HasSuffix(second.RequestURI, "?b=c") {
		t.Errorf("the request of a reading is stale: %v %v %v", second.URL, second.Header, exchange.VarsOf(second))
	}
	servlet, _ := readingsOf(r, vars, backend.Servlet)
	shared := 0
	for _, x := range servlet {
		if slices.Contains(strict, x) {
			shared++
		}
	}
	if shared != len(servlet) || shared == 0 {
		t.Errorf("%d of %d readings are those of the other profile", shared, len(servlet))
	}
	r.URL.Path, r.URL.RawPath = "/y;x/", ""
	if list, _ := readingsOf(r, vars, backend.Strict); len(list) == 0 || !strings.HasPrefix(list[0].path, "/y") {
		t.Error("the readings of another path are kept")
	}
	r.URL.RawQuery = "/app/x"
	if list, _ := readingsOf(r, vars, backend.Strict); !slices.ContainsFunc(list, func(x *reading) bool { return x.path == "/app/x" }) {
		t.Error("the readings of another query are kept")
	}
	for _, path := range []string{"/plain/x.css", "/"} {
		clear(vars)
		if list, ok := readingsOf(sent(path), vars, backend.Strict); list != nil || !ok || len(vars) > 0 {
			t.Errorf("%s has readings: %v, %v", path, list, vars)
		}
	}
	if text := fmt.Sprint(&readings{path: "/secret"}); text != "" {
		t.Errorf("a log would show %q", text)
	}
}

// matching has matchers as a definition has them.
type matching struct {
	Raw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`
}

// scopeWith loads matchers.
func scopeWith(t *testing.T, raw string) Scope {
	t.Helper()
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	h := new(matching)
	if err := json.Unmarshal([]byte(raw), &h.Raw); err != nil {
		t.Fatal(err)
	}
	matchers, err := ctx.LoadModule(h, "Raw")
	if err != nil {
		t.Fatal(err)
	}
	var sets caddyhttp.MatcherSets
	if err := sets.FromInterface(matchers); err != nil {
		t.Fatal(err)
	}
	return New(sets)
}

// TestQuickMatchers: the quick matchers say what Caddy's say, on every path.
func TestQuickMatchers(t *testing.T) {
	paths := []string{
		"/", "//", "/app", "/app/", "/APP/x", "/app//x", "//app/x", "/x/../app/", "/app/..", "/app/../", "/a*b", "/[", `/a\b`, "/app/x.php", "/x.php/",
		"/./app", "/app/.", "/caf\u00e9/\xff", "/\u0130", "*", "/a%2fb", "/members/list", "/x//..//app/", "/app\x00",
	}
	for _, address := range honestAddresses(t) {
		path, _, _ := strings.Cut(address, "?")
		paths = append(paths, path, path+"/", "/"+path)
	}
	sets := []string{
		`[{"path":["/app","/app/*"]}]`, `[{"path":["*"]}]`, `[{"path":["*.php"]}]`, `[{"path":["*app*"]}]`, `[{"path":["/a*b","/*/x","/[","/u/?2"]}]`,
		`[{"path":["//app/*","/app//x"]}]`, `[{"path":["/MEMBERS/*"]}]`, `[{"not":[{"path":["/app/*"]},{"path":["*.php"]}]}]`, `[{"path":["/"]},{"path":["/app"]}]`,
		`[{"path":["/app*"],"method":["GET"]}]`, `[{"path":["/app*"],"method":["POST"]}]`, `[{"path":["/app*"],"host":["example.org"]}]`,
		`[{"path":["/app*"],"host":["*.org"],"not":[{"host":["x.org"],"path":["/app/x*"]}]}]`, `[{"not":[]}]`, `[{"path":[]}]`, `[{}]`,
		`[{"path":["/app*"],"protocol":"http"}]`, `[{"path":["/app*"],"remote_ip":{"ranges":["192.0.2.0/24"]}}]`, `[{"path":["/app*"],"client_ip":{"ranges":["10.0.0.0/8"]}}]`,
		`[{"path":["**","*a*b*","/*/"]}]`, `[{"path":[""]}]`,
	}
	for _, raw := range sets {
		h := scopeWith(t, raw)
		if h.quick == nil {
			t.Errorf("%s is not quick", raw)
			continue
		}
		for _, path := range paths {
			r := httptest.NewRequest(http.MethodGet, "http://example.org/", nil)
			r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, nil)
			want, wantErr := h.matchers.AnyMatchWithError(withPath(nil, r, path))
			got, err := h.quick.match(r, &reading{path: path})
			if got != want || (err == nil) != (wantErr == nil) {
				t.Errorf("%s of %q: %v, %v; want %v, %v", raw, path, got, err, want, wantErr)
			}
		}
	}
	for _, raw := range []string{
		`[{"path":["/{http.request.host}/*"]}]`, `[{"path":["/a%2fb"]}]`, `[{"path":["/app*"],"host":["{http.request.uri.path}"]}]`,
		`[{"path":["/a"]},{"expression":"true"}]`, `[{"not":[{"header":{"A":["{http.request.uri.path}"]}}]}]`, `[{"path_regexp":{"pattern":"^/a"}}]`,
		`[{"vars":{"{http.request.uri.path}":["/a"]}}]`,
	} {
		if scopeWith(t, raw).quick != nil {
			t.Errorf("%s is quick", raw)
		}
	}
}
