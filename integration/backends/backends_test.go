//go:build integration

package backends

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/process"
)

const query = "user=jeff&x=1&x=2"

func TestFPM(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]Option{"socket": nil, "tcp": {WithTCP()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fpm := timed(t, func() *FPM { return StartFPM(t, options...) })
			if isSocket := strings.HasPrefix(fpm.Address, "unix//"); isSocket != (name == "socket") {
				t.Errorf("Address = %q", fpm.Address)
			}
			seen := askFPM(t, fpm, "GET", "/app/index.php", query, map[string]string{
				"HTTP_X_VERIFIED_USER": "jeff",
				"REMOTE_USER":          "jeff",
				"HTTP_COOKIE":          "user=admin",
			}, nil)
			check(t, seen, Seen{
				Backend: BackendFPM, App: "app/index.php", RequestURI: "/app/index.php?" + query,
				ScriptName: "/app/index.php", RemoteUser: "jeff",
				Params:  map[string][]string{"user": {"jeff"}, "x": {"2"}},
				Request: map[string][]string{"user": {"jeff"}, "x": {"2"}},
				Cookies: map[string][]string{"user": {"admin"}},
			})
		})
	}
}

func TestFPMKeepsBytes(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	var want []byte
	for b := range 256 {
		all.WriteString("%" + string("0123456789ABCDEF"[b>>4]) + string("0123456789ABCDEF"[b&15]))
		want = append(want, byte(b))
	}
	fpm := StartFPM(t)
	seen := askFPM(t, fpm, "POST", "/autologin.php", "v="+all.String()+"&n%FF=1&a[k][]=1&a[k][]=2", map[string]string{
		"CONTENT_TYPE":   "text/plain",
		"CONTENT_LENGTH": strconv.Itoa(len(want)),
		"HTTP_X_BYTES":   "j\xfcrgen",
	}, want)
	if got := seen.Params["v"]; !reflect.DeepEqual(got, []string{string(want)}) {
		t.Errorf("v = %q", got)
	}
	if got := seen.Params["n\xff"]; !reflect.DeepEqual(got, []string{"1"}) {
		t.Errorf("n\\xff = %q", got)
	}
	if got := seen.Params["a"]; !seen.Arrays["a"] || seen.Arrays["v"] || !reflect.DeepEqual(got, []string{"1", "2"}) {
		t.Errorf("a = %q, arrays %v", got, seen.Arrays)
	}
	if got := seen.Header("X-Bytes"); !reflect.DeepEqual(got, []string{"j\xfcrgen"}) {
		t.Errorf("X-Bytes = %q", got)
	}
	if !bytes.Equal(seen.Body, want) {
		t.Errorf("Body = %q", seen.Body)
	}
	if seen.App != "autologin.php" {
		t.Errorf("App = %q", seen.App)
	}
}

func TestPHPOptions(t *testing.T) {
	t.Parallel()
	options := []Option{WithINI("request_order", "GPC"), WithINI("arg_separator.input", ";&")}
	target := "user=jeff;y=1"
	want := Seen{
		Params:  map[string][]string{"user": {"jeff"}, "y": {"1"}},
		Request: map[string][]string{"user": {"admin"}, "y": {"1"}},
	}
	t.Run("fpm", func(t *testing.T) {
		t.Parallel()
		seen := askFPM(t, StartFPM(t, options...), "GET", "/index.php", target, map[string]string{"HTTP_COOKIE": "user=admin"}, nil)
		if !reflect.DeepEqual(seen.Params, want.Params) || !reflect.DeepEqual(seen.Request, want.Request) {
			t.Errorf("Params %q, Request %q", seen.Params, seen.Request)
		}
	})
	for name, start := range map[string]func(testing.TB, ...Option) *HTTPBackend{"server": StartPHPServer, "apache": StartApache} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := ask(t, "GET", start(t, options...).URL+"/?"+target, http.Header{"Cookie": {"user=admin"}}, nil)
			if !reflect.DeepEqual(seen.Params, want.Params) || !reflect.DeepEqual(seen.Request, want.Request) {
				t.Errorf("Params %q, Request %q", seen.Params, seen.Request)
			}
		})
	}
}

func TestPHPServer(t *testing.T) {
	t.Parallel()
	testPHPOverHTTP(t, BackendPHPServer, func() *HTTPBackend { return StartPHPServer(t) }, "app/index.php")
}

func TestApache(t *testing.T) {
	t.Parallel()
	apache := testPHPOverHTTP(t, BackendApache, func() *HTTPBackend { return StartApache(t) }, "index.php")

	// What a trailer brings is a header, for those who ask Apache.
	body := io.MultiReader(strings.NewReader("a=1")) // of unknown length
	req, err := http.NewRequest("POST", apache.URL+"/app/", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Header", "h")
	req.Trailer = http.Header{"X-Verified-User": {"jeff"}}
	seen := do(t, req)
	for name, want := range map[string][]string{"X-Header": {"h"}, "X-Verified-User": {"jeff"}} {
		if got := seen.AllHeaders[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("getallheaders()[%s] = %q, want %q", name, got, want)
		}
	}
	if got := seen.Header("X-Verified-User"); got != nil {
		t.Errorf("HTTP_X_VERIFIED_USER = %q", got)
	}
}

// testPHPOverHTTP tests a server with PHP in it. deeper is the script that answers
// paths below /app/ where there is no file.
func testPHPOverHTTP(t *testing.T, name string, start func() *HTTPBackend, deeper string) *HTTPBackend {
	t.Helper()
	php := timed(t, start)
	seen := ask(t, "GET", php.URL+"/app/?"+query, http.Header{"X-Verified-User": {"jeff"}, "Cookie": {"user=admin"}}, nil)
	check(t, seen, Seen{
		Backend: name, App: "app/index.php", RequestURI: "/app/?" + query,
		ScriptName: "/app/index.php",
		Params:     map[string][]string{"user": {"jeff"}, "x": {"2"}},
		Request:    map[string][]string{"user": {"jeff"}, "x": {"2"}},
		Cookies:    map[string][]string{"user": {"admin"}},
	})
	for path, app := range map[string]string{
		"/":                "index.php",
		"/autologin.php":   "autologin.php",
		"/autologin.php/x": "autologin.php",
		"/app/deeper":      deeper,
		"/news/1.html":     "index.php",
	} {
		if seen := ask(t, "GET", php.URL+path, nil, nil); seen.App != app {
			t.Errorf("%s is answered by %s, want %s", path, seen.App, app)
		}
	}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if seen := ask(t, "POST", php.URL+"/?user=jeff", form, []byte("user=admin")); seen.Post["user"][0] != "admin" || seen.Params["user"][0] != "jeff" {
		t.Errorf("Post %q, Params %q", seen.Post, seen.Params)
	}
	return php
}

func TestTomcat(t *testing.T) {
	t.Parallel()
	testTomcat(t, BackendTomcat, func() *HTTPBackend { return StartTomcat(t) })
}

func TestTomcat9(t *testing.T) {
	t.Parallel()
	testTomcat(t, BackendTomcat9, func() *HTTPBackend { return StartTomcat9(t) })
}

func testTomcat(t *testing.T, name string, start func() *HTTPBackend) {
	t.Helper()
	tomcat := timed(t, start)
	seen := ask(t, "GET", tomcat.URL+"/app/?"+query, http.Header{"X-Verified-User": {"jeff"}, "Cookie": {"user=admin"}}, nil)
	check(t, seen, Seen{
		Backend: name, App: "/app", RequestURI: "/app/",
		PathInfo: "/",
		Params:   map[string][]string{"user": {"jeff"}, "x": {"1", "2"}},
		Cookies:  map[string][]string{"user": {"admin"}},
	})
	if seen := ask(t, "GET", tomcat.URL+"/other/x", nil, nil); seen.App != "" || seen.PathInfo != "/other/x" {
		t.Errorf("/other/x is answered by %q with path info %q", seen.App, seen.PathInfo)
	}
	seen = ask(t, "POST", tomcat.URL+"/?v=j%C3%BCrgen", http.Header{"Content-Type": {"text/plain"}, "X-Bytes": {"j\xc3\xbcrgen"}}, []byte("\x00\xff"))
	if got := seen.Params["v"]; !reflect.DeepEqual(got, []string{"jürgen"}) {
		t.Errorf("v = %q", got)
	}
	if got := seen.Header("x-bytes"); !reflect.DeepEqual(got, []string{"j\u00c3\u00bcrgen"}) {
		t.Errorf("X-Bytes = %q", got)
	}
	if string(seen.Body) != "\x00\xff" {
		t.Errorf("Body = %q", seen.Body)
	}
	for contentType, body := range map[string]string{
		"application/x-www-form-urlencoded": "user=admin",
		"multipart/form-data; boundary=B":   "--B\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nadmin\r\n--B--\r\n",
	} {
		seen := ask(t, "POST", tomcat.URL+"/?user=jeff", http.Header{"Content-Type": {contentType}}, []byte(body))
		if got := seen.Params["user"]; !reflect.DeepEqual(got, []string{"jeff", "admin"}) {
			t.Errorf("%s: user = %q", contentType, got)
		}
		if len(seen.Body) != 0 {
			t.Errorf("%s: Body = %q", contentType, seen.Body)
		}
	}
}

// A port that somebody else took before the backend could is given up for another.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	go http.Serve(other, http.NotFoundHandler())
	taken := other.Addr().(*net.TCPAddr).Port

	Require(t, "php")
	php := newPHP(t, nil)
	router := filepath.Join(php.dir, "router.php")
	write(t, router, routerPHP)
	first := true
	var used []int
	process.Service{
		Name:  "php -S",
		Limit: phpStartLimit,
		Command: func(port int, instance string) *exec.Cmd {
			if first {
				port, first = taken, false
			}
			used = append(used, port)
			cmd := php.interpreter(program("php"), "-S", loopback(port), "-t", php.root, router)
			cmd.Env = append(cmd.Env, "BACKEND_INSTANCE="+instance)
			return cmd
		},
		Probe: func(int) (string, error) { return probeHTTP("/")(used[len(used)-1]) },
	}.Run(t)
	if len(used) != 2 {
		t.Errorf("tried the ports %v", used)
	}
}

// The processes end with the test that started them.
func TestProcessesEnd(t *testing.T) {
	var web []*HTTPBackend
	var fpm *FPM
	t.Run("backends", func(t *testing.T) {
		fpm = StartFPM(t)
		web = []*HTTPBackend{StartPHPServer(t), StartApache(t), StartTomcat(t), StartTomcat9(t)}
	})
	for _, backend := range web {
		if resp, err := probeClient.Get(backend.URL); err == nil {
			resp.Body.Close()
			if resp.Header.Get(instanceHeader) != "" {
				t.Errorf("%s still answers", backend.URL)
			}
		}
	}
	if conn, err := net.Dial(fpm.network, fpm.address); err == nil {
		conn.Close()
		t.Errorf("%s still listens", fpm.Address)
	}
	if _, err := os.Stat(filepath.Dir(fpm.address)); err == nil {
		t.Errorf("%s is still there", fpm.Address)
	}
}

func timed[T any](t *testing.T, start func() T) T {
	begin := time.Now()
	backend := start()
	t.Logf("started in %v", time.Since(begin).Round(time.Millisecond))
	return backend
}

func askFPM(t *testing.T, fpm *FPM, method, script, query string, variables map[string]string, body []byte) *Seen {
	t.Helper()
	all := fpm.variables(method, script, query)
	maps.Copy(all, variables)
	answer, _, err := fastCGI(fpm.network, fpm.address, all, body)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := Decode(answer)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func ask(t *testing.T, method, url string, header http.Header, body []byte) *Seen {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) *Seen {
	t.Helper()
	resp, err := probeClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := Decode(answer)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// check compares what a GET with the query and X-Verified-User: jeff was seen as.
func check(t *testing.T, seen *Seen, want Seen) {
	t.Helper()
	if got := seen.Header("X-Verified-User"); !reflect.DeepEqual(got, []string{"jeff"}) {
		t.Errorf("X-Verified-User = %q", got)
	}
	for _, c := range []struct {
		field     string
		got, want any
	}{
		{"Backend", seen.Backend, want.Backend},
		{"App", seen.App, want.App},
		{"Method", seen.Method, "GET"},
		{"RequestURI", seen.RequestURI, want.RequestURI},
		{"QueryString", seen.QueryString, query},
		{"ScriptName", seen.ScriptName, want.ScriptName},
		{"PathInfo", seen.PathInfo, want.PathInfo},
		{"RemoteUser", seen.RemoteUser, want.RemoteUser},
		{"Params", seen.Params, want.Params},
		{"Request", seen.Request, want.Request},
		{"Cookies", seen.Cookies, want.Cookies},
		{"Body", string(seen.Body), ""},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s = %q, want %q", c.field, c.got, c.want)
		}
	}
}
