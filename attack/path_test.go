package attack_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
)

// honestAddresses are what applications send that nobody attacks.
func honestAddresses(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(fixture.Path("testdata", "honest_urls.txt"))
	if err != nil {
		t.Fatal(err)
	}
	addresses := strings.Fields(string(data))
	if len(addresses) < 500 {
		t.Fatalf("%d addresses", len(addresses))
	}
	return addresses
}

// pathMatchers are matchers as operators write them, as @m.
var pathMatchers = map[string]string{
	"prefix":         "@m path /members/*",
	"both":           "@m path /members /members/*",
	"exact":          "@m path /login.php",
	"scripts":        "@m path *.php",
	"nextcloud":      "@m path /remote.php/*",
	"front":          "@m path /index.php/*",
	"inside":         "@m path */unsubscribe/*",
	"glob":           "@m path /u/*/x /*/members",
	"escaped":        "@m path /a%2Fb/* /wiki/*",
	"doubled":        "@m path //members/* /app/*",
	"path_regexp":    "@m path_regexp ^/(u|user)/[0-9]+$",
	"expression":     "@m expression {path}.startsWith('/members/')",
	"not":            "@m not path /static/* /assets/*",
	"host and path":  "@m {\nhost example.org\npath /members/*\n}",
	"file-like":      "@m path *.pdf *.php/*",
	"vars":           "vars area {path}\n@m vars {path} /members /app",
	"method":         "@m {\nmethod GET\npath /app*\n}",
	"header":         "@m {\nheader Accept *\npath /app*\n}",
	"not expression": "@m not expression {path}.startsWith('/public/')",
}

// TestHonestAddresses: under any matcher and profile, recognize refuses none of them, and
// require refuses none for its path: it judges.
func TestHonestAddresses(t *testing.T) {
	addresses := honestAddresses(t)
	if len(pathMatchers) < 13 {
		t.Fatalf("%d matchers", len(pathMatchers))
	}
	for name, matcher := range pathMatchers {
		for _, backend := range []string{"strict", "php", "servlet"} {
			for _, mode := range []string{"recognize", "require"} {
				s := fixture.QuietSite(t, matcher+"\n"+fixture.Autologin("@m "+mode, "backend "+backend)+"test_backend\nhandle_errors {\nrespond \"{http.signed_link.reason}/{http.signed_link.detail}\" {err.status_code}\n}")
				for _, address := range addresses {
					a := s.Get(address)
					if a.Seen == nil && (mode == "recognize" || a.Body.String() == "ambiguous/path") {
						t.Errorf("%s %s %s: %s is refused: %d %s", name, backend, mode, address, a.Code, a.Body)
					}
				}
			}
		}
	}
}

// pathAttacks are requests that a backend answers with a page of the matcher, which is not
// the path that they have. `@` stands for the link.
var pathAttacks = []struct{ row, matcher, backend, target string }{
	{"network_path", "path /app /app/*", "php", "//x/app/login?@"},
	{"network_path", "path /app /app/*", "strict", "//x:80/app/login?@"},
	{"network_path", "expression {path}.startsWith('/app/')", "php", "//x/app/login?@"},
	{"base_url", "path /app /app/*", "php", "/aaaaaaaaaaaaaaaaa/app/login://?@"},
	{"query_path", "path /app /app/*", "php", "/?/app/login&@"},
	{"query_path", "path /app /app/*", "strict", "/index.php?/app/login&@"},
	{"path_parameters", "path /app /app/*", "servlet", "/x/..;/app/login?@"},
	{"path_parameters", "path_regexp ^/app/", "servlet", "/;x/app;y/login?@"},
	{"path_parameters", "vars {path} /app/login", "servlet", "/app;y/login?@"},
	{"dots_early_merged", "path /app /app/*", "php", "/app/%2F/%2E.?@"},
	{"dots_early", "path /app /app/*", "servlet", "/x%2F//../../app?@"},
	{"backslash", "path /app /app/*", "servlet", "/x/%5C../..%5Capp?@"},
	{"dots_merged", "expression {path}.startsWith('/app/')", "servlet", "/x/../app/login?@"},
	{"dots", "path /app /app/*", "servlet", "/app//..?@"},
	{"dots_as_names", "path /app /app/*", "php", "/app/..?@"},
	{"dots_dropped", "path /app/login", "php", "/app/../login?@"},
	{"folder_by_length", "path /shop/app/*", "php", "/aaaa/app/login/../../../shop/?@"},
	{"folder_missed", "path /shop/app/*", "php", "/app/../shop/?@"},
	{"decoded_again", "path /app /app/*", "php", "/%2561pp/login?@"},
	{"decoded_again", "path_regexp ^/app(/|$)", "php", "/%252fapp/login?@"},
	{"rewritten_query", "path /app/login", "php", "/app/login%26x?@"},
	{"rewritten_query", "path_regexp ^/app(/|$)", "strict", "/x%26url=//app/login?@"},
	{"rewritten_query", "path /app/login", "php", "/app/login%23x?@"},
	{"rewritten_query", "path /app /app/*", "strict", "/x%26url=app/login?@"},
	{"plus_is_blank", "path \"/my app/*\"", "php", "/my+app/login?@"},
	{"script", "path /autologin.php /autologin.php/*", "php", "/autologin.phpfoo.php?@"},
	{"script", "path /autologin.php /autologin.php/*", "php", "/autologin.php.php?@"},
	{"script", "path /autologin.php", "php", "/autologin.php/?@"},
	{"script", "path /plain/login.phtml", "php", "/plain/login.phtml/?@"},
	{"script_rest", "path /app /app/*", "php", "/index.phpapp/login?@"},
	{"script_rest", "path /app /app/*", "php", "/index%2ephpapp/login?@"},
	{"script_rest", "path /app /app/*", "strict", "/INDEX.phpapp/login?@"},
	{"script_rest", "not path /index.php*", "php", "/index.php/app/login?@"},
	{"script_folder", "path /shop/app/*", "php", "/shop/index.php/app/login?@"},
	{"script_folder", "path /shop/app/*", "strict", "/shop/index.phpapp/login?@"},
	{"folder_twice", "path /shop/app/*", "php", "/shop/index.php/shopapp/login?@"},
	{"nul_cut", "path /app", "php", "/index.php/app%00x?@"},
}

// TestAttackReadingOfPath: each row of the table of readings, against a whole site. Nobody's
// link is refused with require, loses its identity with recognize, is named with observe;
// and a genuine one is verified.
func TestAttackReadingOfPath(t *testing.T) {
	rows := make(map[string]bool)
	for _, attack := range pathAttacks {
		rows[attack.row] = true
		t.Run(attack.row+" "+attack.target, func(t *testing.T) {
			site := func(mode string) *gatewaytest.Site {
				return fixture.QuietSite(t, "@m "+attack.matcher+"\n"+fixture.Autologin("@m "+mode, "backend "+attack.backend)+
					"test_backend\nhandle_errors {\nrespond \"{http.signed_link.reason}\" {err.status_code}\n}")
			}
			with := func(link string) string { return strings.ReplaceAll(attack.target, "@", link) }
			if a := site("").Get(with(fixture.BadLink), "X-Verified-User: admin"); a.Seen != nil || a.Body.String() != "bad_signature" {
				t.Errorf("require: %d %s", a.Code, a.Body)
			}
			if a := site("").Get(with(fixture.GoodLink)); a.Seen == nil || a.Header1(t, "X-Verified-User") != "jeff" {
				t.Errorf("a genuine link: %d %s", a.Code, a.Body)
			}
			if a := site("recognize").Get(with(fixture.BadLink), "X-Verified-User: admin"); a.Seen == nil ||
				a.Header1(t, "X-Verified-User") != "" || strings.Contains(a.Seen.URI+a.Seen.OrigURI, "user=") {
				t.Errorf("recognize: %d %s", a.Code, a.Body)
			}
			if a := site("observe").Get(with(fixture.BadLink)); a.Seen == nil || !strings.HasSuffix(a.Seen.URI, fixture.BadLink) {
				t.Errorf("observe: %d %s", a.Code, a.Body)
			}
		})
	}
	for _, row := range targets.Rows {
		if !rows[row.Name] {
			t.Errorf("no site is attacked by %s", row.Name)
		}
	}
}

// TestAttackParameterInPath: a RewriteRule puts the path into a query, where `&` begins
// another parameter: behind `RewriteRule ^(.*)$ index.php?url=$1` PHP has user=mike of
// `/app/x%26user=mike`, beside the header that names jeff.
func TestAttackParameterInPath(t *testing.T) {
	for _, tc := range []struct {
		backend, path string
		refused       bool
	}{
		{"php", "/app/x%26user=mike", true},
		{"php", "/app/x&user=mike", true},
		{"strict", "/app/x&a=b%26us%2565r=mike/y", true},
		{"php", "/app/x&user[]=mike", true},
		{"php", "/app/x%26key=x", true},
		{"php", "/app/a&b=c", false},
		{"php", "/app/a%2526user=mike", false},
		{"servlet", "/app/x%26user=mike", false},
	} {
		for _, mode := range []string{"require", "recognize"} {
			s := fixture.QuietSite(t, "@m path /app /app/*\n"+fixture.Autologin("@m "+mode, "backend "+tc.backend)+
				"test_backend\nhandle_errors {\nrespond \"{http.signed_link.reason}/{http.signed_link.detail}\" {err.status_code}\n}")
			a := s.Get(tc.path + "?" + fixture.GoodLink)
			switch {
			case !tc.refused && (a.Seen == nil || a.Header1(t, "X-Verified-User") != "jeff"):
				t.Errorf("%s %s %s: an honest link is refused: %d %s", mode, tc.backend, tc.path, a.Code, a.Body)
			case tc.refused && mode == "require" && a.Body.String() != "ambiguous/lookalike":
				t.Errorf("%s %s %s: %d %s", mode, tc.backend, tc.path, a.Code, a.Body)
			case tc.refused && mode == "recognize" && (a.Seen == nil || a.Header1(t, "X-Verified-User") != ""):
				t.Errorf("%s %s %s: %d %s", mode, tc.backend, tc.path, a.Code, a.Body)
			}
		}
	}
}

// TestAttackUnboundedPath: of a path beyond the bounds nobody can say whether the definition
// applies, so it is refused, with recognize, too; observe says so. Where no matcher reads the
// path, none is refused for it.
func TestAttackUnboundedPath(t *testing.T) {
	hostile := map[string]string{
		"long":          "/" + strings.Repeat("a", targets.MaxPath),
		"long, encoded": strings.Repeat("/%61", targets.MaxPath/4+1),
		"scripts":       "/a" + strings.Repeat("/b.php/c.php", 500),
		"parameters":    "/x" + strings.Repeat("&a=b.php/c/d.php/e", 20),
		"query":         "/?/" + strings.Repeat("a", targets.MaxPath),
		"below /app":    "/app/" + strings.Repeat("a", targets.MaxPath),
	}
	const errors = "test_backend\nhandle_errors {\nrespond \"{http.signed_link.reason}/{http.signed_link.detail}\" {err.status_code}\n}"
	for _, backend := range []string{"php", "strict"} {
		for _, mode := range []string{"require", "recognize"} {
			s := fixture.QuietSite(t, "@m path /app /app/*\n"+fixture.Autologin("@m "+mode, "backend "+backend)+errors)
			for name, target := range hostile {
				if a := s.Get(target, "X-Verified-User: admin"); a.Seen != nil || a.Code != http.StatusBadRequest || a.Body.String() != "ambiguous/path" {
					t.Errorf("%s %s: %s: %d %.80s", backend, mode, name, a.Code, a.Body)
				}
			}
		}
		s := fixture.QuietSite(t, "@m path /app /app/*\n"+fixture.Autologin("@m observe", "backend "+backend)+
			"@would vars {http.signed_link.reason} ambiguous\nrequest_header @would X-Would {http.signed_link.reason}/{http.signed_link.detail}\n"+errors)
		for name, target := range hostile {
			if a := s.Get(target, "X-Verified-User: admin"); a.Seen == nil || a.Header1(t, "X-Would") != "ambiguous/path" || a.Header1(t, "X-Verified-User") != "" {
				t.Errorf("%s observe: %s: %d %.80s", backend, name, a.Code, a.Body)
			}
		}
		for _, first := range []string{"require", "recognize", "observe"} {
			s := fixture.QuietSite(t, fixture.Autologin(first, "backend "+backend)+errors)
			for name, target := range hostile {
				target += "?" + fixture.GoodLink
				if strings.Contains(target[:3], "?") {
					continue // has a query
				}
				if a := s.Get(target); a.Seen == nil {
					t.Errorf("%s %s: %s is refused where nothing reads the path: %d %.80s", backend, first, name, a.Code, a.Body)
				}
			}
		}
	}
}

// TestReadingSeesVars: a matcher of a later definition sees, for each reading, what handlers
// between the two have set.
func TestReadingSeesVars(t *testing.T) {
	s := fixture.QuietSite(t, "signed_link guard\nroute {\n"+
		"@a {\nexpression {path}.startsWith('/a/')\n}\n"+fixture.Autologin("@a recognize", "name a")+
		"vars area two\nrequest_header X-Area two\n"+
		"@b {\nvars area two\nheader X-Area two\nexpression {path}.startsWith('/b/')\n}\n"+fixture.Autologin("@b", "name b")+
		"test_backend\n}")
	for target, refused := range map[string]bool{"/;/b/x": true, "/;/a/x": false, "/;/c/x": false, "/x/..;/b/?user=mike": true} {
		if a := s.Get(target); (a.Seen == nil) != refused {
			t.Errorf("%s: %d %s", target, a.Code, a.Body)
		}
	}
}

// TestRedirectToReading: a redirect to a path that the definition applies to in another
// reading sends clients in circles, too.
func TestRedirectToReading(t *testing.T) {
	fixture.SetSecrets(t)
	for to, circles := range map[string]bool{"/index.php/app/x": true, "/;/app/": true, "/sorry": false} {
		_, err := gatewaytest.TryLoad(t, gatewaytest.SiteFile("@m path /app/*\n"+fixture.Autologin("@m", "redir "+to)+"test_backend"))
		if (err != nil) != circles || err != nil && !strings.Contains(err.Error(), "in circles") {
			t.Errorf("redir %s: %v", to, err)
		}
	}
}

// TestAttackParameterInPathOfWholeQuery: the same, where a message covers the whole query
// and names no parameter.
func TestAttackParameterInPathOfWholeQuery(t *testing.T) {
	s := fixture.QuietSite(t, "signed_link /app/* keyed_hash {env.AUTOLOGIN_SECRET} {\nalgorithm hmac-sha256\nmessage {query}\nsignature {query.sig}\nuser {query.user}\n}\ntest_backend")
	mac := hmac.New(sha256.New, []byte(fixture.AutologinSecret))
	mac.Write([]byte("user=jeff&a=1"))
	link := "user=jeff&a=1&sig=" + hex.EncodeToString(mac.Sum(nil))
	for path, passes := range map[string]bool{"/app/x": true, "/app/R&D": true, "/app/x%26b=2": false, "/app/x&user=mike": false} {
		if a := s.Get(path + "?" + link); (a.Seen != nil) != passes {
			t.Errorf("%s: %d %s", path, a.Code, a.Body)
		}
	}
}

// TestAttackPathConfusion: the matcher and the backend read the path differently
// (CVE-2020-5902, CVE-2020-11989, CVE-2018-14371): the definition applies where either
// of them sees a path of its own, and not elsewhere.
func TestAttackPathConfusion(t *testing.T) {
	fixture.SetSecrets(t)
	for _, tc := range []struct {
		backend, matcher, path string
		applies                bool
	}{
		{"servlet", "/app /app/*", "/app;x/", true},
		{"servlet", "/app /app/*", "/app;x", true},
		{"servlet", "/app /app/*", "/;x/app/", true},
		{"servlet", "/app /app/*", "/;/app/", true},
		{"servlet", "/app /app/*", "/x/..;/app/", true},
		{"servlet", "/app /app/*", "/x/%2e%2e;/app/", true},
		{"servlet", "/app /app/*", "/.;/app/", true},
		{"servlet", "/app /app/*", "/other/x;jsessionid=1", false},
		{"servlet", "/app /app/*", "/app/x;jsessionid=1", true},
		{"servlet", "/app /app/*", "/index.php/app/1", false},
		{"php", "/app /app/*", "/index.php/app/1", true},
		{"php", "/app /app/*", "/app;x/", false},
		{"php", "/autologin.php", "/autologin.php/", true},
		{"php", "/autologin.php", "/autologin.php/x", true},
		{"php", "/autologin.php", "/AutoLogin.PHP/x", true},
		{"php", "/autologin.php", "/a%75tologin.php/", true},
		{"php", "/autologin.php", "/autologin.php", true},
		{"php", "/app /app/*", "/app%2f..", true},
		{"php", "/app /app/*", "/app/%2e%2e", true},
		{"php", "/app /app/*", "/app/../x", true},
		// as sent, the page is another one, and the link is judged all the same
		{"servlet", "/app /app/*", "/app/..;/other/", true},
		{"php", "/app /app/*", "/x/../app/y", true},
		{"php", "/app /app/*", "/index.php/app/../x", true},
		{"php", "/app /app/*", "/x/../y", false},
		{"php", "/app /app/*", "/index.php/app%00/x", true},
		{"php", "/app /app/*", "/app%00x", true},
		{"php", "/app /app/*", "/app/x%00y", true},
		{"php", "/app /app/*", "/x/app%00", false},
		{"strict", "/autologin.php", "/autologin.php%00.gif", true},
		{"servlet", "/app /app/*", "/app%00x", false},
		{"php", "/app /app/*", "/app/./x", true},
		// Apache, to which %2F is a letter when it resolves dots
		{"php", "/app /app/*", "/app/%2F/%2E.", true},
		{"strict", "/app /app/*", "/%2e/app/%2F/%2E.", true},
		{"php", "/app /app/*", "/x%2F../app/y", true},
		{"strict", "/app /app/*", "/x%2Fapp/y", false},
		{"strict", "/app /app/*", "/x%2F../y", false},
		// Jetty and others, to whom `//` has an empty segment in it
		{"servlet", "/app /app/*", "/app//..", true},
		{"php", "/app /app/*", "/app//../x", true},
		{"strict", "/app /app/*", "/x//../../app/y", true},
		{"strict", "/app /app/*", "/x//../y", false},
		{"strict", "/app /app/*", "/x//app/y", false},
		{"servlet", "/app /app/*", "/app/../x", false},
		{"strict", "/app /app/*", "/index.php/app/1", true},
		{"strict", "/app /app/*", "/app;x/", true},
		{"strict", "/app /app/*", "/index.php;x/app/1", true},
		{"strict", "/app /app/*", "/caf%C3%A9/100%25", false},
		{"strict", "/app /app/*", "/app/caf%C3%A9;jsessionid=1", true},
		{"strict", "/app /app/*", "/images//logo.png", false},
	} {
		t.Run(tc.backend+" "+tc.matcher+" "+tc.path, func(t *testing.T) {
			s := gatewaytest.LoadSite(t, "@app path "+tc.matcher+"\n"+fixture.Autologin("@app", "backend "+tc.backend)+`test_backend
			handle_errors {
				respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
			}`)
			a := s.Get(tc.path+"?"+fixture.GoodLink, "X-Verified-User: evil")
			switch {
			case a.Seen == nil:
				t.Errorf("a genuine link is refused: %d %s", a.Code, a.Body)
			case tc.applies && a.Header1(t, "X-Verified-User") != "jeff":
				t.Errorf("a genuine link is not verified")
			case !tc.applies && a.Seen.Headers["X-Verified-User"] != nil:
				t.Errorf("a link of another page is judged")
			}
			for target, want := range map[string]string{
				tc.path + "?user=admin": "malformed/no_signature", tc.path + "?" + fixture.BadLink: "bad_signature/", tc.path: "missing/",
			} {
				if a := s.Get(target, "X-Verified-User: evil"); tc.applies && (a.Seen != nil || a.Body.String() != want && !strings.HasPrefix(want, "malformed")) {
					t.Errorf("%s: got %d %s", target, a.Code, a.Body)
				} else if !tc.applies && a.Seen == nil {
					t.Errorf("%s is refused: %d %s", target, a.Code, a.Body)
				}
			}
		})
	}
	t.Run("observe refuses nothing", func(t *testing.T) {
		s := gatewaytest.LoadSite(t, fixture.Autologin("/app/* observe")+"test_backend")
		if a := s.Get("/app;x/?" + fixture.GoodLink); a.Seen == nil {
			t.Errorf("refused: %d", a.Code)
		}
	})
	t.Run("matchers of placeholders are judged on the other path", func(t *testing.T) {
		s := gatewaytest.LoadSite(t, "@app expression {path}.startsWith('/app/')\n"+fixture.Autologin("@app")+"test_backend")
		if a := s.Get("/;/app/x"); a.Code != http.StatusUnauthorized {
			t.Errorf("%d", a.Code)
		}
		if a := s.Get("/;/other/x"); a.Seen == nil {
			t.Errorf("an honest path is refused: %d", a.Code)
		}
	})
}

// TestAttackOpaqueTarget: Go makes a URL without a path of `GET http:X./app/`, which no
// path matcher matches, and a proxy sends on `GET X./app/`, which php -S serves from /app.
func TestAttackOpaqueTarget(t *testing.T) {
	s := refusedAs(t, "/app/*")
	for _, target := range []string{"http:X./app/?user=admin", "a:X./%2fapp/", "http:app/x"} {
		if a := s.Get(target, "X-Verified-User: admin"); a.Seen != nil || a.Body.String() != "ambiguous/path" {
			t.Errorf("%s: %d %s", target, a.Code, a.Body)
		}
	}
	for _, target := range []string{"http://example.org/open?a=1", "http://example.org?a=1"} {
		if a := s.Get(target); a.Seen == nil {
			t.Errorf("an honest target is refused, %s: %d %s", target, a.Code, a.Body)
		}
	}
	guarded := gatewaytest.LoadSite(t, "signed_link guard\nhandle /app/* {\n"+fixture.Autologin("")+"test_backend app\n}\ntest_backend\nhandle_errors {\ntest_backend errors\n}")
	a := guarded.Get("http:X./app/?user=admin", "X-Verified-User: admin")
	if a.Seen == nil || a.Seen.Backend != "errors" || strings.Contains(a.Seen.URI+a.Seen.OrigURI, "user") || a.Header1(t, "X-Verified-User") != "" {
		t.Errorf("behind a guard: %d %s", a.Code, a.Body)
	}
}

// TestAttackPanic: bytes of which Unicode's lower case has another length, in front of a
// script in the path.
func TestAttackPanic(t *testing.T) {
	s := refusedAs(t, "/app/*")
	for _, path := range []string{"/\xff.php/", "/\xff\xff\xff.PHP/app/", "/%FF.php/x", "/\u0130\u0130.php/app/x", "/\u2126.php/", "/.php/", "/.php"} {
		s.Get(path + "?" + fixture.GoodLink)
	}
	if a := s.Get("/\u0130\u0130.php/app/x?" + fixture.BadLink); a.Body.String() != "bad_signature/" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

// TestAttackPathOfAction: another path that the backend takes for the signed action.
func TestAttackPathOfAction(t *testing.T) {
	t.Setenv("TOKEN", "s3cret-of-42")
	s := gatewaytest.LoadSite(t, `signed_link sial {
		user_keys inline {
			42 {env.TOKEN}
		}
		action {path} prefix /do/
	}
	test_backend`)
	query := "?user=42&sig=" + fixture.Sum1("42delete"+"s3cret-of-42")
	if a := s.Get("/do/delete" + query); a.Seen == nil {
		t.Fatalf("the good link: %d", a.Code)
	}
	for _, path := range []string{
		"/do/del%65te", "/do/x/../delete", "/do//delete", "/do/delete/", "/do/delete;x", "/do/delete%00", "/do/Delete",
		"//do/delete", "/do/./delete", "/do/%2e/delete", "/do/delete%2F", "/x/do/delete", "/do/",
	} {
		if a := s.Get(path + query); a.Seen != nil {
			t.Errorf("%s reaches the backend", path)
		}
	}
}

// TestAttackDecodedPath: two paths that different routes answer have one decoded form.
func TestAttackDecodedPath(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
		algorithm hmac-sha256
		message {path}|{query.user}
		signature {query.sig}
		param user alnum
	}
	test_backend`)
	query := "?user=jeff&sig=" + fixture.Sum256("0123456789abcdef", "/a/b c|jeff")
	if a := s.Get("/a/b%20c" + query); a.Seen == nil {
		t.Fatalf("the good link: %d", a.Code)
	}
	for _, path := range []string{"/a%2Fb%20c", "/a%2fb%20c"} {
		if a := s.Get(path + query); a.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", path, a.Code)
		}
	}
}
