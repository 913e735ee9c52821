package adversary

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/caddyserver/certmagic"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "adversary")
	if err != nil {
		panic(err)
	}
	caddy.DefaultStorage = &certmagic.FileStorage{Path: dir}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// TestReadings: what the adversary takes for a way to a protected path is one, and what
// every backend takes for another page is none.
func TestReadings(t *testing.T) {
	for _, tc := range []struct {
		uri, profile string
		lands        bool
	}{
		{"/app/login", "", true},
		{"/app", "", true},
		{"/APP/login?x", "", true},
		{"/%61pp/login", "", true},
		{"/app;x/login", "", true},
		{"/app;x/login", "php", false},
		{"/x/..;/app/login", "servlet", true},
		{"/x/..;/app/login", "php", false},
		{"/index.php/app/login", "php", true},
		{"/index.php/app/login", "servlet", false},
		{"/index.phpapp/login", "php", true},
		{"/INDEX.PHPapp/login", "", true},
		{"//h/app/login", "php", true},
		{"//h/app/login", "servlet", false},
		{"//app/login", "servlet", true},
		{"/x/%2e%2e/app/login", "", true},
		{"/app/../x", "servlet", false},
		{"/apples", "", false},
		{"/x?/app/login", "", false},
		{"/x/app", "", false},
	} {
		s := &Site{}
		for _, p := range []string{"/app", "/app/*"} {
			s.protected = append(s.protected, pattern{text: p, profile: tc.profile})
		}
		if _, lands := s.lands(tc.uri); lands != tc.lands {
			t.Errorf("%s before %q lands: %t, expected %t (%q)", tc.uri, tc.profile, lands, tc.lands, readings(tc.uri, tc.profile))
		}
	}
}

const twoSites = `{"apps": {"http": {"servers": {"srv0": {"listen": [":8080"], "routes": [
	{"match": [{"host": ["a.test"]}], "terminal": true, "handle": [{"handler": "subroute", "routes": [
		{"handle": [{"handler": "signed_link", "guard": true}]},
		{"group": "g", "match": [{"path": ["/app*"]}], "handle": [{"handler": "signed_link", "backend": "php", "request_headers": [{"name": "X-Member"}]}]},
		{"group": "g", "match": [{"path": ["/news*"]}], "handle": [{"handler": "signed_link", "mode": "recognize"}]},
		{"group": "g", "match": [{"method": ["GET"]}], "handle": [{"handler": "signed_link"}]},
		{"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:9000"}]}]}
	]}]},
	{"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:9001"}]}]}
]}}}}}`

func TestSitesOf(t *testing.T) {
	var config any
	if err := json.Unmarshal([]byte(twoSites), &config); err != nil {
		t.Fatal(err)
	}
	sites := sitesOf(config)
	if len(sites) != 2 {
		t.Fatalf("%d sites", len(sites))
	}
	a, other := sites[0], sites[1]
	if a.Host != "a.test" || !a.guarded || !slices.Equal(a.dials, []string{"127.0.0.1:9000"}) ||
		!slices.Equal(a.protected, []pattern{{text: "/app*", profile: "php"}}) || !slices.Contains(a.mentions, "/news*") {
		t.Errorf("the first site: %+v", a)
	}
	if other.guarded || other.Protects() || !slices.Equal(other.dials, []string{"127.0.0.1:9001"}) {
		t.Errorf("the second site: %+v", other)
	}
	if !slices.Contains(outputs(config), "X-Member") {
		t.Errorf("the outputs: %q", outputs(config))
	}
	if with := SecondSites(t, []byte(twoSites)); len(with) != 2 {
		t.Errorf("%d second sites", len(with))
	}
}

// TestAttackFinds: an attack on a site that nobody guards finds what arrives, through every
// container, or silence would prove nothing.
func TestAttackFinds(t *testing.T) {
	const proxy = `{"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:1"}]}`
	for name, handle := range map[string]string{
		"plain":    proxy,
		"subroute": `{"handler": "subroute", "routes": [{"handle": [` + proxy + `]}]}`,
		"intercept": `{"handler": "intercept", "handle_response": [{"match": {"status_code": [404]}, "routes": [{"handle": [` + proxy + `]}]}]},
			{"handler": "static_response", "status_code": "404"}`,
		"handle_response": `{"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:2"}], "handle_response": [{"routes": [{"handle": [` + proxy + `]}]}]}`,
		"errors":          `{"handler": "subroute", "routes": [{"handle": [{"handler": "error"}]}], "errors": {"routes": [{"handle": [` + proxy + `]}]}}`,
		"fastcgi":         `{"handler": "reverse_proxy", "transport": {"protocol": "fastcgi"}, "upstreams": [{"dial": "127.0.0.1:1"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			g, log, err := Provision(t, []byte(`{"apps": {"http": {"servers": {"srv0": {"listen": [":8080"], "automatic_https": {"disable": true},
				"routes": [{"handle": [`+handle+`]}]}}}}}`))
			if err != nil {
				t.Fatalf("%v\n%s", err, log)
			}
			g.Record()
			g.sites[0].guarded = true // as if a guard were there, and did nothing
			g.sites[0].Protect("/app/*")
			broken := g.Attack(nil, true)
			for _, must := range []string{"/elsewhere", "/app/login", "//h/app/login", "/index.phpapp/login", "/x/..;/app/login"} {
				if !slices.ContainsFunc(broken, func(b Broken) bool { return b.Target == must }) {
					t.Errorf("GET %s is not among what arrives:\n%s", must, Summary(broken))
				}
			}
			if broken := g.Attack([]string{"127.0.0.1:1", "127.0.0.1:2"}, true); len(broken) > 0 {
				t.Errorf("what is open is broken:\n%s", Summary(broken))
			}
			if _, w := g.Send(g.sites[0], "/x", http.Header{}); w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
		})
	}
}
