// Package gatewaytest loads a Caddyfile with signed_link in a test and sends requests to it. A
// whole site is adapted and provisioned as Caddy does it, and requests go into the server's
// own entry point. No socket is opened, so that any number of sites can stand side by side.
// In place of a proxy stands the directive test_backend, which answers with the request as
// a proxy would be given it.
package gatewaytest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	_ "github.com/signedlink/caddy-signed-link" // what is tested
	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
)

// Main runs the tests of a package, and has Caddy write nothing into the home directory. Call
// it from TestMain: where Caddy writes is settled when its packages load, before any
// environment variable that a test sets.
func Main(m *testing.M) {
	dir, err := os.MkdirTemp("", "signed-link-test")
	if err != nil {
		panic(err)
	}
	caddy.ConfigAutosavePath = filepath.Join(dir, "autosave.json")
	caddy.DefaultStorage = &certmagic.FileStorage{Path: dir}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// LogTo has the definitions of the site write their lines to the returned buffer, as Caddy
// writes them.
func (s *Site) LogTo() *bytes.Buffer {
	b := new(bytes.Buffer)
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(b), zap.InfoLevel)
	for _, h := range s.Handlers() {
		h.Gate().Logger = zap.New(core).Named("http.handlers.signed_link")
	}
	return b
}

// Adapt turns a Caddyfile into indented JSON, or the text of the error.
func Adapt(caddyfile string) string {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err.Error() + "\n"
	}
	var b bytes.Buffer
	if err := json.Indent(&b, config, "", "\t"); err != nil {
		return err.Error() + "\n"
	}
	return b.String() + "\n"
}

// From is [Site.Get] from a client with this address.
func (s *Site) From(address, target string, headers ...string) *Answer {
	s.t.Helper()
	r := Request(s.t, http.MethodGet, target, "", headers...)
	r.RemoteAddr = address + ":1234"
	return s.Do(r)
}

// Site is a Caddyfile that was provisioned. Of several servers in it, it is one.
type Site struct {
	Context caddy.Context
	Server  *caddyhttp.Server
	App     *app.App

	t testing.TB
}

// Load loads the Caddyfile, which must be right.
func Load(t testing.TB, caddyfile string) *Site {
	t.Helper()
	s, err := TryLoad(t, caddyfile)
	if err != nil {
		t.Fatalf("loading the Caddyfile: %v\n%s", err, caddyfile)
	}
	return s
}

// LoadSite loads a Caddyfile of one site with these directives, without a host.
func LoadSite(t testing.TB, directives string) *Site {
	t.Helper()
	return Load(t, SiteFile(directives))
}

// TryLoad adapts and provisions the Caddyfile, and starts the app's checks. Its error is
// what `caddy run` would say.
func TryLoad(t testing.TB, caddyfile string) (*Site, error) {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, err
	}
	return TryLoadJSON(t, config)
}

// TryLoadJSON is [TryLoad] for a configuration in JSON.
func TryLoadJSON(t testing.TB, config []byte) (*Site, error) {
	t.Helper()
	s, err := provision(t, config)
	if err != nil {
		return nil, err
	}
	return s, s.App.Start()
}

// Provision provisions the Caddyfile and starts nothing, as Caddy does with a configuration
// that is to replace another one.
func Provision(t testing.TB, caddyfile string) *Site {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := provision(t, config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ProvisionSite is [Provision] for one site with these directives. It returns the context,
// too, in whose registry the metrics are.
func ProvisionSite(t testing.TB, directives string) (*Site, *caddy.Context) {
	t.Helper()
	s := Provision(t, SiteFile(directives))
	return s, &s.Context
}

func provision(t testing.TB, config []byte) (*Site, error) {
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
	s := &Site{Context: ctx, t: t}
	for _, server := range module.(*caddyhttp.App).Servers {
		s.Server = server
	}
	s.App, err = app.Get(ctx)
	return s, err
}

// SiteFile is a Caddyfile of one site that opens no socket when it is provisioned.
func SiteFile(directives string) string {
	return "{\n\tadmin off\n\tauto_https off\n}\nhttp:// {\n" + directives + "\n}\n"
}

// Do sends a request.
func (s *Site) Do(r *http.Request) *Answer {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.Server.ServeHTTP(w, r)
	a := &Answer{ResponseRecorder: w}
	var got Seen
	if strings.HasPrefix(w.Body.String(), `{"Backend"`) {
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			s.t.Fatalf("the backend's answer: %v", err)
		}
		a.Seen = &got
	}
	return a
}

// Get sends a GET with header lines "Name: value".
func (s *Site) Get(target string, headers ...string) *Answer {
	s.t.Helper()
	return s.Do(Request(s.t, http.MethodGet, target, "", headers...))
}

// Handlers returns the handlers of signed_link in the site, in order.
func (s *Site) Handlers() []app.Gated {
	var found []app.Gated
	for _, gate := range routes.Walk(map[string]*caddyhttp.Server{"": s.Server}).Gates() {
		if h, ok := gate.(app.Gated); ok {
			found = append(found, h)
		}
	}
	return found
}

// At makes it that time.
func (s *Site) At(now time.Time) { s.App.SetClock(func() time.Time { return now }) }
