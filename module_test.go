package signedlink

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/caddyserver/certmagic"

	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
)

// The tests run whole sites: a Caddyfile is adapted and provisioned as Caddy does it,
// and requests go into the server's own entry point. No socket is opened, so any
// number of sites can stand side by side. In place of a proxy stands test_backend,
// which answers with the request as a proxy would be given it.

func TestMain(m *testing.M) {
	// Both are computed when their packages load, before any environment variable
	// that a test sets: without this, tests would write into the home directory.
	dir, err := os.MkdirTemp("", "signed-link-test")
	if err != nil {
		panic(err)
	}
	caddy.ConfigAutosavePath = filepath.Join(dir, "autosave.json")
	caddy.DefaultStorage = &certmagic.FileStorage{Path: dir}

	caddy.RegisterModule(testBackend{})
	httpcaddyfile.RegisterHandlerDirective("test_backend", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return testBackend{Name: strings.Join(h.RemainingArgs(), "")}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_backend", httpcaddyfile.Before, "reverse_proxy")

	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// testBackend answers with what it was given.
type testBackend struct {
	Name string `json:"name,omitempty"`
}

func (testBackend) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_backend", New: func() caddy.Module { return new(testBackend) }}
}

// seen is what the backend saw.
type seen struct {
	Backend    string
	Method     string
	URI        string // what reverse_proxy sends, and FastCGI's QUERY_STRING
	RequestURI string // of the request
	OrigURI    string // FastCGI's REQUEST_URI
	OrigTarget string // the original request's RequestURI, which templates show and error routes get
	OrigText   string // {orig_uri}
	Headers    http.Header
	Trailer    http.Header
	AuthUser   string // FastCGI's REMOTE_USER
	Body       string
}

func (b testBackend) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	original := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return err
		}
	}
	user, _ := repl.GetString("http.auth.user.id")
	text, _ := repl.GetString("http.request.orig_uri")
	return json.NewEncoder(w).Encode(seen{
		Backend: b.Name, Method: r.Method, URI: r.URL.RequestURI(), RequestURI: r.RequestURI,
		OrigURI: original.URL.RequestURI(), OrigTarget: original.RequestURI, OrigText: text, Headers: r.Header, Trailer: r.Trailer, AuthUser: user, Body: string(body),
	})
}

// site is a provisioned Caddyfile.
type site struct {
	t      testing.TB
	server *caddyhttp.Server
	app    *app.App
}

// tryLoad adapts and provisions the Caddyfile, and starts the app's checks.
func tryLoad(t testing.TB, text string) (*site, error) {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, err
	}
	return tryLoadJSON(t, config)
}

func tryLoadJSON(t testing.TB, config []byte) (*site, error) {
	t.Helper()
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatalf("config: %v\n%s", err, config)
	}
	ctx, err := caddy.ProvisionContext(&c)
	if err != nil {
		return nil, err
	}
	module, err := ctx.App("http")
	if err != nil {
		return nil, err
	}
	s := &site{t: t}
	for _, server := range module.(*caddyhttp.App).Servers {
		s.server = server
	}
	if s.app, err = app.Get(ctx); err != nil {
		return nil, err
	}
	return s, s.app.Start()
}

// load is tryLoad for Caddyfiles that are right.
func load(t *testing.T, text string) *site {
	t.Helper()
	s, err := tryLoad(t, text)
	if err != nil {
		t.Fatalf("loading the Caddyfile: %v\n%s", err, text)
	}
	return s
}

// loadSite loads a site with these directives, without a host.
func loadSite(t *testing.T, directives string) *site {
	t.Helper()
	return load(t, siteFile(directives))
}

// siteFile is a Caddyfile of one site that opens no socket when it is provisioned.
func siteFile(directives string) string {
	return "{\n\tadmin off\n\tauto_https off\n}\nhttp:// {\n" + directives + "\n}\n"
}

// answer is a response.
type answer struct {
	*httptest.ResponseRecorder
	seen *seen // nil: the backend was not asked
}

// do sends a request.
func (s *site) do(r *http.Request) *answer {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	a := &answer{ResponseRecorder: w}
	var got seen
	if strings.HasPrefix(w.Body.String(), `{"Backend"`) {
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			s.t.Fatalf("the backend's answer: %v", err)
		}
		a.seen = &got
	}
	return a
}

// get sends a GET with header lines "Name: value".
func (s *site) get(target string, headers ...string) *answer {
	s.t.Helper()
	return s.do(request(s.t, http.MethodGet, target, "", headers...))
}

// request makes a request as net/http's server makes it.
func request(t testing.TB, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, "http://example.org/", strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	u, err := url.ParseRequestURI(target) // as net/http's server does it
	if err != nil {
		t.Fatal(err)
	}
	r.URL = u
	r.RequestURI = target
	for _, line := range headers {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("header line %q", line)
		}
		key := http.CanonicalHeaderKey(name)
		r.Header[key] = append(r.Header[key], value)
	}
	return r
}

// handlers returns the handlers of signed_link in the site, in order.
func (s *site) handlers() []app.Gated {
	var found []app.Gated
	var walk func(caddyhttp.RouteList)
	walk = func(list caddyhttp.RouteList) {
		for _, route := range list {
			for _, h := range route.Handlers {
				switch h := h.(type) {
				case app.Gated:
					found = append(found, h)
				case *caddyhttp.Subroute:
					walk(h.Routes)
				}
			}
		}
	}
	walk(s.server.Routes)
	return found
}

// at makes it that time.
func (s *site) at(now time.Time) { s.app.SetClock(func() time.Time { return now }) }

// key is the md5 of value and secret, as the verifiable URL has it.
func key(value, secret string) string {
	sum := md5.Sum([]byte(value + secret))
	return hex.EncodeToString(sum[:])
}

// Links that the tests use: published ones, and their tampered kin.
const (
	autologinSecret = "asdf1234qwerty"
	goodLink        = "user=jeff&key=31c940a5a60bcd1022cd8dab2be76b98"
	badLink         = "user=mike&key=31c940a5a60bcd1022cd8dab2be76b98"
	akidSecret      = "secret_sauce"
	goodAKID        = "1234.5678.tKK7gX"
	badAKID         = "1234.5679.tKK7gX"
)

// autologin is the definition of the verifiable URL with further options.
func autologin(first string, options ...string) string {
	return "signed_link " + first + " keyed_hash {env.AUTOLOGIN_SECRET} {\nalgorithm md5\nmessage {query.user}{secret}\n" +
		"signature {query.key}\n" + strings.Join(options, "\n") + "\n}\n"
}

func setSecrets(t *testing.T) {
	t.Helper()
	t.Setenv("AUTOLOGIN_SECRET", autologinSecret)
	t.Setenv("AKID_SECRET", akidSecret)
}

// header1 is the only value of the header that the backend saw; "" for none.
func (a *answer) header1(t *testing.T, name string) string {
	t.Helper()
	values := a.seen.Headers[http.CanonicalHeaderKey(name)]
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	t.Fatalf("%s has %d values: %q", name, len(values), values)
	return ""
}

// Interface guards
var (
	_ caddyhttp.MiddlewareHandler = testBackend{}
	_                             = caddyfile.Token{}
)

// TestModes looks closer at what each mode makes of each kind of request: every place
// in which a backend finds the URL, and every header.
func TestModes(t *testing.T) {
	setSecrets(t)
	const other = "&a=1&&b=%zz"
	type cell struct {
		status  int
		uri     string // what the backend sees; "" if it is not asked
		user    string // X-Verified-User
		verdict string
		reason  string
	}
	modes := []struct {
		name, directive            string
		good, bad, none, elsewhere cell
	}{
		{
			name: "require", directive: autologin("/app/* require"),
			good:      cell{200, "/app/x?user=jeff" + other, "jeff", "valid", ""},
			bad:       cell{401, "", "", "invalid", "bad_signature"},
			none:      cell{401, "", "", "invalid", "missing"},
			elsewhere: cell{200, "/open?" + goodLink + other, "", "", ""},
		},
		{
			name: "require, missing pass", directive: autologin("/app/*", "missing pass"),
			good:      cell{200, "/app/x?user=jeff" + other, "jeff", "valid", ""},
			bad:       cell{401, "", "", "invalid", "bad_signature"},
			none:      cell{200, "/app/x?a=1&&b=%zz", "", "invalid", "missing"},
			elsewhere: cell{200, "/open?" + goodLink + other, "", "", ""},
		},
		{
			name: "recognize", directive: autologin("/app/* recognize"),
			good:      cell{200, "/app/x?user=jeff" + other, "jeff", "valid", ""},
			bad:       cell{200, "/app/x?a=1&&b=%zz", "", "invalid", "bad_signature"},
			none:      cell{200, "/app/x?a=1&&b=%zz", "", "invalid", "missing"},
			elsewhere: cell{200, "/open?" + goodLink + other, "", "", ""},
		},
		{
			name: "observe", directive: autologin("/app/* observe"),
			good:      cell{200, "/app/x?" + goodLink + other, "", "valid", ""},
			bad:       cell{200, "/app/x?" + badLink + other, "", "invalid", "bad_signature"},
			none:      cell{200, "/app/x?user=jeff" + other, "", "invalid", "missing"},
			elsewhere: cell{200, "/open?" + goodLink + other, "", "", ""},
		},
		{
			name: "guard", directive: "signed_link guard",
			good:      cell{200, "/app/x?" + goodLink + other, "", "", ""},
			bad:       cell{200, "/app/x?" + badLink + other, "", "", ""},
			none:      cell{200, "/app/x?user=jeff" + other, "", "", ""},
			elsewhere: cell{200, "/open?" + goodLink + other, "", "", ""},
		},
	}
	for _, mode := range modes {
		s := loadSite(t, mode.directive+`
			header Verdict {http.signed_link.verdict}
			header Reason {http.signed_link.reason}
			header >Verdict {http.signed_link.verdict}
			header >Reason {http.signed_link.reason}
			test_backend`)
		for _, tc := range []struct {
			name, target string
			want         cell
		}{
			{"good link", "/app/x?" + goodLink + other, mode.good},
			{"bad link", "/app/x?" + badLink + other, mode.bad},
			{"no link", "/app/x?user=jeff" + other, mode.none},
			{"other route", "/open?" + goodLink + other, mode.elsewhere},
		} {
			t.Run(mode.name+"/"+tc.name, func(t *testing.T) {
				a := s.get(tc.target, "X-Verified-User: admin", "X-Verified-Scheme: evil")
				if a.Code != tc.want.status {
					t.Fatalf("status %d, want %d", a.Code, tc.want.status)
				}
				if (a.seen != nil) != (tc.want.uri != "") {
					t.Fatalf("the backend was asked: %t", a.seen != nil)
				}
				if a.seen == nil {
					return
				}
				for what, uri := range map[string]string{
					"URL": a.seen.URI, "RequestURI": a.seen.RequestURI, "REQUEST_URI": a.seen.OrigURI, "{orig_uri}": a.seen.OrigText,
					"the original RequestURI": a.seen.OrigTarget,
				} {
					if uri != tc.want.uri {
						t.Errorf("%s is %q, want %q", what, uri, tc.want.uri)
					}
				}
				if got := a.header1(t, "X-Verified-User"); got != tc.want.user {
					t.Errorf("X-Verified-User is %q, want %q", got, tc.want.user)
				}
				if a.seen.AuthUser != tc.want.user {
					t.Errorf("REMOTE_USER is %q, want %q", a.seen.AuthUser, tc.want.user)
				}
				scheme := ""
				if tc.want.user != "" {
					scheme = "keyed_hash"
				}
				if got := a.header1(t, "X-Verified-Scheme"); got != scheme {
					t.Errorf("X-Verified-Scheme is %q, want %q", got, scheme)
				}
				if got := a.Header().Get("Verdict"); got != tc.want.verdict {
					t.Errorf("{http.signed_link.verdict} is %q, want %q", got, tc.want.verdict)
				}
				if got := a.Header().Get("Reason"); got != tc.want.reason {
					t.Errorf("{http.signed_link.reason} is %q, want %q", got, tc.want.reason)
				}
			})
		}
	}
}
