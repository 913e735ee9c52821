package attack_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// TestAttackNestedReading: a path that Caddy hands to the handle of everything else, and
// that the backend reads as one below the nested definition (CVE-2020-5902's class, and
// the front controllers of PHP).
func TestAttackNestedReading(t *testing.T) {
	fixture.SetSecrets(t)
	astray := []struct{ path, backends string }{
		{"/app;x/login", "servlet strict"},
		{"/x/..;/app/login", "servlet strict"},
		{"/;x/app/login", "servlet strict"},
		{"/index.php/app/login", "php strict"},
		{"/index.phpapp/login", "php strict"},
		{"//h/app/login", "php strict"},
	}
	for _, backend := range []string{"php", "servlet", "strict"} {
		site := func(mode string) *gatewaytest.Site {
			return gatewaytest.LoadSite(t, `signed_link guard
			@app path /app /app/*
			handle @app {
				`+fixture.Autologin(mode, "backend "+backend)+`
				test_backend app
			}
			handle {
				test_backend open
			}
			handle_errors {
				respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
			}`)
		}
		require, recognize, observe := site(""), site("recognize"), site("observe")
		for _, tc := range astray {
			if !strings.Contains(tc.backends, backend) {
				continue
			}
			for _, query := range []string{"?user=mike", "?" + fixture.GoodLink, ""} {
				if a := require.Get(tc.path + query); a.Seen != nil || a.Body.String() != "ambiguous/path" || a.Code != http.StatusBadRequest {
					t.Errorf("%s, require: %s%s: %d %s", backend, tc.path, query, a.Code, a.Body)
				}
				a := recognize.Get(tc.path+query, "X-Verified-User: mike")
				if a.Seen == nil || a.Seen.Backend != "open" || a.Seen.Headers["X-Verified-User"] != nil || strings.Contains(a.Seen.URI+a.Seen.OrigURI, "user=") {
					t.Errorf("%s, recognize: %s%s: %d %s", backend, tc.path, query, a.Code, a.Body)
				}
				a = observe.Get(tc.path+query, "X-Verified-User: mike")
				if a.Seen == nil || a.Seen.Backend != "open" || a.Seen.Headers["X-Verified-User"] != nil || a.Seen.URI != tc.path+query {
					t.Errorf("%s, observe: %s%s: %d %s", backend, tc.path, query, a.Code, a.Body)
				}
			}
		}
		for _, path := range []string{"/", "/other", "/other;jsessionid=1", "/a%20b", "/index.php/other", "/x//y"} {
			if a := require.Get(path + "?user=mike"); a.Seen == nil || a.Seen.Backend != "open" || a.Seen.URI != path+"?user=mike" {
				t.Errorf("%s: %s is an honest address of the rest: %d %s", backend, path, a.Code, a.Body)
			}
		}
		for _, path := range []string{"/app", "/app/login", "/app/a%20b", "/app//x"} {
			if a := require.Get(path + "?" + fixture.GoodLink); a.Seen == nil || a.Seen.Backend != "app" || a.Header1(t, "X-Verified-User") != "jeff" {
				t.Errorf("%s: %s with a link: %d %s", backend, path, a.Code, a.Body)
			}
			if a := require.Get(path + "?user=mike"); a.Seen != nil {
				t.Errorf("%s: %s without one: %d %s", backend, path, a.Code, a.Body)
			}
		}
	}
}

// TestAttackNestedGroup: of a group Caddy takes the first route that matches; a reading
// that leads to an earlier one does not lead to the definition.
func TestAttackNestedGroup(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `signed_link guard
	handle /app/static/* {
		test_backend files
	}
	handle /app* {
		`+fixture.Autologin("", "backend servlet")+`
		test_backend app
	}
	handle {
		test_backend open
	}`)
	for path, want := range map[string]string{
		"/app/static/a;b.css": "files", "/app/static/x": "files", "/o/..;/app/static/x": "open", "/o/..;/app/x": "", "/app/static/..;/x": "", "/app/static/..;/static/x": "files",
	} {
		a := s.Get(path)
		if got := a.Seen; want == "" && got != nil || want != "" && (got == nil || got.Backend != want) {
			t.Errorf("%s: %d %s, want %q", path, a.Code, a.Body, want)
		}
	}
}

// TestAttackBeforeDefinition: what stands before a definition, with another backend and
// literal paths, takes `/public/..;/app`, which the definition's backend never sees; but
// nobody here knows that the two are not one application.
func TestAttackBeforeDefinition(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.Load(t, `{
		admin off
		auto_https off
	}
	http:// {
		signed_link guard
		route {
			reverse_proxy /public/* 127.0.0.1:1
			@m path /app /app/*
			`+strings.Replace(fixture.Autologin("", "backend servlet"), "signed_link ", "signed_link @m ", 1)+`
			reverse_proxy 127.0.0.1:2
		}
		handle_errors {
			respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
		}
	}`)
	if a := s.Get("/public/..;/app/x?user=mike"); a.Body.String() != "ambiguous/path" {
		t.Errorf("a reading that leads past the proxy: %d %s", a.Code, a.Body)
	}
	if a := s.Get("/public/x"); a.Code != http.StatusBadGateway {
		t.Errorf("the proxy: %d %s", a.Code, a.Body)
	}
	if a := s.Get("/app;x?user=mike"); a.Body.String() != "malformed/no_signature" && a.Body.String() != "missing/" {
		t.Errorf("a reading that comes to the definition is judged there: %d %s", a.Code, a.Body)
	}
}

// TestAttackRewriteBehind: what a rewrite behind the definition makes of a path is one
// more reading: /v1/members is /members to the backend, which has never heard of /v1.
func TestAttackRewriteBehind(t *testing.T) {
	fixture.SetSecrets(t)
	for name, tc := range map[string]struct {
		site   string
		judged []string
		open   []string
	}{
		"handle_path": {`handle_path /v1/* {
				test_backend
			}`, []string{"/v1/members", "/V1/members/x", "//v1/members", "/v1/members;x", "/v1//members", "/v1/x/..;/members", "/%76%31/members", "/v1/./members"}, []string{"/v1/other", "/v1/", "/v2/members", "/x/v1/members"}},
		"strip_prefix": {`uri strip_prefix /old
			test_backend`, []string{"/old/members", "/OLD/members/a"}, []string{"/old", "/old/x", "/older/members"}},
		"strip_suffix": {`uri strip_suffix .html
			test_backend`, []string{"/members.html"}, []string{"/other.html"}},
		"replace": {`uri replace /alt /members
			test_backend`, []string{"/alt", "/alt/x"}, []string{"/al/t"}},
		"path_regexp": {`uri path_regexp ^/m([0-9]+)$ /members/$1
			test_backend`, []string{"/m12"}, []string{"/m", "/mx"}},
		"fixed": {`rewrite /home /members
			test_backend`, []string{"/home"}, []string{"/hom", "/home/x", "/"}},
		"with the path": {`rewrite /pre/* /members{uri}
			test_backend`, []string{"/pre/x"}, []string{"/prex", "/pr"}},
		"what a matcher captured": {`@r path_regexp r ^/v1(/.*)$
			rewrite @r {re.r.1}?{query}
			test_backend`, []string{"/v1/members", "/v1/members/x"}, []string{"/v1/other", "/members2"}},
		"the same in handle": {`@r path_regexp ^/v1(/.*)$
			handle @r {
				rewrite {re.1}
				test_backend
			}
			handle {
				test_backend
			}`, []string{"/v1/members"}, []string{"/v1/other", "/o"}},
		"the same in route": {`@r path_regexp r ^/v1(/.*)$
			route @r {
				rewrite {http.regexp.r.1}
			}
			test_backend`, []string{"/v1/members"}, []string{"/v1/other"}},
		"what the path has": {`rewrite /p/* /{path.1}/x
			test_backend`, []string{"/p/members"}, []string{"/p/other"}},
		"twice": {`handle_path /a/* {
				uri strip_prefix /b
				test_backend
			}`, []string{"/a/members", "/a/b/members"}, []string{"/a/b/c", "/a/c"}},
		"fixed in handle_path": {`handle_path /a/* {
				rewrite /in /members
				test_backend
			}`, []string{"/a/in"}, []string{"/a/out"}},
		"fixed, past a script": {`rewrite /home /index.php/members
			rewrite /start /x/..;/members
			test_backend`, []string{"/home", "/start"}, []string{"/hom", "/star"}},
		"fixed, where a file lies": {`@there {
				path /home
				file {
					root ` + fixture.Path("testdata") + `
					try_files /honest_urls.txt
				}
			}
			rewrite @there /members
			test_backend`, []string{"/home"}, []string{"/hom"}},
	} {
		t.Run(name, func(t *testing.T) {
			rest := ""
			if strings.HasPrefix(tc.site, "handle_path") {
				rest = "\nhandle {\ntest_backend\n}"
			}
			s := gatewaytest.LoadSite(t, "@m path /members /members/*\n"+strings.Replace(fixture.Autologin(""), "signed_link ", "signed_link @m ", 1)+"\n"+tc.site+rest)
			for _, path := range tc.judged {
				if a := s.Get(path + "?user=mike"); a.Seen != nil || a.Code != http.StatusUnauthorized && a.Code != http.StatusBadRequest {
					t.Errorf("%s is a page of the definition: %d %s", path, a.Code, a.Body)
				}
				if a := s.Get(path + "?" + fixture.GoodLink); a.Seen == nil || a.Header1(t, "X-Verified-User") != "jeff" {
					t.Errorf("%s with a link: %d %s", path, a.Code, a.Body)
				}
			}
			for _, path := range tc.open {
				if a := s.Get(path + "?user=mike"); a.Seen == nil {
					t.Errorf("%s is none: %d %s", path, a.Code, a.Body)
				}
			}
		})
	}
}

// TestAttackRewriteFails: where a matcher fails for what a rewrite makes of the path, nobody
// can say what comes of it. The request is refused, and is not what is rewritten.
func TestAttackRewriteFails(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `route {
		@e expression int({path.1}) > 0
		vars @e area x
		@m path /members /members/*
		`+strings.Replace(fixture.Autologin(""), "signed_link ", "signed_link @m ", 1)+`
		uri strip_prefix /v1
		uri replace /x /{path.0}
		test_backend
	}`)
	if a := s.Get("/v1/5?user=mike"); a.Seen != nil || a.Code != http.StatusBadRequest {
		t.Errorf("it is passed on: %d %s", a.Code, a.Body)
	}
	if a := s.Get("/v2/5?user=mike"); a.Seen == nil || a.Seen.URI != "/v2/5?user=mike" {
		t.Errorf("another path: %d %s", a.Code, a.Body)
	}
}

// TestAttackRewriteBeside: the same past a nested definition.
func TestAttackRewriteBeside(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `signed_link guard
	handle_path /v1/* {
		test_backend
	}
	handle /members* {
		`+fixture.Autologin("")+`
		test_backend
	}
	handle {
		test_backend
	}`)
	if a := s.Get("/v1/members?user=mike"); a.Seen != nil || a.Code != http.StatusBadRequest {
		t.Errorf("past the definition: %d %s", a.Code, a.Body)
	}
	if a := s.Get("/v1/other?user=mike"); a.Seen == nil {
		t.Errorf("another page: %d %s", a.Code, a.Body)
	}
	if a := s.Get("/members?" + fixture.GoodLink); a.Seen == nil {
		t.Errorf("the link: %d %s", a.Code, a.Body)
	}
}

// TestHonestLongPathOfAnotherSite: two sites share a guard by a named route. What is too
// long to be read as a path of the one's definition is none of the other's business.
func TestHonestLongPathOfAnotherSite(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.Load(t, `{
		admin off
		auto_https off
	}
	&(gate) {
		signed_link guard
	}
	http://a.test {
		invoke gate
		handle /app/* {
			`+fixture.Autologin("")+`
			test_backend
		}
	}
	http://b.test {
		invoke gate
		test_backend
	}`)
	long := "/" + strings.Repeat("x;/", 3<<10)
	for host, want := range map[string]int{"a.test": http.StatusBadRequest, "b.test": http.StatusOK} {
		r := gatewaytest.Request(t, http.MethodGet, long, "")
		r.Host = host
		if a := s.Do(r); a.Code != want {
			t.Errorf("%s: %d, want %d", host, a.Code, want)
		}
	}
}

// TestAttackBlindMatcher: a matcher that reads what an earlier handler made of the path as
// sent is blind to its readings, unless that is made anew.
func TestAttackBlindMatcher(t *testing.T) {
	fixture.SetSecrets(t)
	for name, site := range map[string]string{
		"vars": `vars /app* area app
			@m vars {http.vars.area} app`,
		"vars by name": `vars /app* area app
			@m vars area app`,
		"map": `map {path} {area} {
				~^/app app
			}
			@m expression {area} == 'app'`,
		"map of map": `map {path} {zone} {
				~^/app z
			}
			map {zone} {area} {
				z app
			}
			@m vars {area} app`,
		"what map makes of anything": `map x {where} {
				default {path}
			}
			@m expression {where}.startsWith('/app')`,
		"what map makes of one": `map x {where} {
				x {path}
			}
			@m expression {where}.startsWith('/app')`,
		"vars of the path": `vars where {path}
			@m vars_regexp where ^/app`,
		"path":                   `@m path /app*`,
		"path_regexp":            `@m path_regexp ^/app`,
		"expression":             `@m expression path('/app*')`,
		"expression on the path": `@m expression {path}.startsWith('/app')`,
		"not":                    `@m not path_regexp ^/(?:open|public|static|x|index|)(?:/|\.|;|$)`,
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewaytest.LoadSite(t, site+"\n"+strings.Replace(fixture.Autologin(""), "signed_link ", "signed_link @m ", 1)+"\ntest_backend")
			for _, path := range []string{"/app/login", "/x/..;/app/login", "/static/..;/app/login", "/index.php/app/login", "/%252fapp/login"} {
				if a := s.Get(path + "?user=mike"); a.Seen != nil {
					t.Errorf("%s passes: %s", path, a.Body)
				}
				if a := s.Get(path + "?" + fixture.GoodLink); a.Seen == nil || a.Header1(t, "X-Verified-User") != "jeff" {
					t.Errorf("%s with a link: %d %s", path, a.Code, a.Body)
				}
			}
			for _, path := range []string{"/open", "/open;x", "/index.php/open"} {
				if a := s.Get(path + "?user=mike"); a.Seen == nil {
					t.Errorf("%s is judged: %d %s", path, a.Code, a.Body)
				}
			}
		})
	}
}

// TestHonestAddressesNested: nested definitions that only recognize, and rewrites behind a
// definition, refuse no honest address of the rest of the site, under any matcher.
func TestHonestAddressesNested(t *testing.T) {
	fixture.SetSecrets(t)
	addresses := honestAddresses(t)
	for name, matcher := range pathMatchers {
		if strings.Contains(matcher, "vars") {
			continue // it reads what is made between the guard and the definition
		}
		for _, backend := range []string{"strict", "php", "servlet"} {
			for _, site := range []string{
				"signed_link guard\nhandle @m {\n" + fixture.Autologin("recognize", "backend "+backend) + "test_backend\n}\nhandle {\ntest_backend\n}",
				fixture.Autologin("@m recognize", "backend "+backend) + "handle_path /blog/* {\ntest_backend\n}\nuri strip_suffix .html\nhandle {\ntest_backend\n}",
			} {
				s := fixture.QuietSite(t, matcher+"\n"+site)
				for _, address := range addresses {
					if a := s.Get(address); a.Seen == nil {
						t.Errorf("%s %s: %s is refused: %d %s", name, backend, address, a.Code, a.Body)
					}
				}
			}
		}
	}
}
