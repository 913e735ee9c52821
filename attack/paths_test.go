package attack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/query"
)

// unsubscribe is a definition whose links are /u/<id>/<signature>, and lead to /page/<id>.
func unsubscribe(first string, options ...string) string {
	return "signed_link " + first + " keyed_hash {env.PATH_KEY} {\npath /u/<id>/<signature> to /page/{link.id}\nalgorithm hmac-sha256\n" +
		"message unsubscribe:{link.id}\nuser {link.id}\nallow no_expiry\n" + strings.Join(options, "\n") + "\n}\n"
}

// download is a definition whose links are /dl/<signature>/<file>, and lead to /files/<file>.
func download(first string, options ...string) string {
	return "signed_link " + first + " keyed_hash {env.PATH_KEY} {\npath /dl/<signature>/<file...> to /files/{link.file}\nalgorithm hmac-sha256\n" +
		"message file:{link.file}\nuser none\nallow no_expiry\n" + strings.Join(options, "\n") + "\n}\n"
}

// segment is a definition whose links are /v/<name>/<signature>, and lead to /v/<name>.
func segment(first string, options ...string) string {
	return "signed_link " + first + " keyed_hash {env.PATH_KEY} {\nsignature {path.2}\nalgorithm hmac-sha256\n" +
		"message segment:{path.1}\nuser {path.1}\nallow no_expiry\n" + strings.Join(options, "\n") + "\n}\n"
}

func unsubscribeSignature(id string) string {
	return fixture.Sum256(fixture.HMACKey, "unsubscribe:"+id)
}
func downloadSignature(file string) string { return fixture.Sum256(fixture.HMACKey, "file:"+file) }
func segmentSignature(name string) string  { return fixture.Sum256(fixture.HMACKey, "segment:"+name) }

func unsubscribeLink(id string) string { return "/u/" + id + "/" + unsubscribeSignature(id) }
func downloadLink(file string) string  { return "/dl/" + downloadSignature(file) + "/" + file }
func segmentLink(name string) string   { return "/v/" + name + "/" + segmentSignature(name) }

// reasons is an error page that says why.
const reasons = "handle_errors {\nrespond \"{http.signed_link.reason}/{http.signed_link.detail}\" {err.status_code}\n}\n"

// pathSite loads a site whose secrets are set.
func pathSite(t *testing.T, directives string) *gatewaytest.Site {
	t.Helper()
	t.Setenv("PATH_KEY", fixture.HMACKey)
	return fixture.QuietSite(t, directives)
}

// run runs Caddy itself with these sites; SOCKET stands for that of the server.
func run(t *testing.T, global, sites string) *gatewaytest.Socket {
	t.Helper()
	t.Setenv("PATH_KEY", fixture.HMACKey)
	socket := gatewaytest.NewSocket(t)
	text := "{\nadmin off\npersist_config off\nauto_https off\n" + global + "}\n" + strings.ReplaceAll(sites, "SOCKET", "unix/"+socket.Path)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	return socket
}

const discard = "log {\noutput discard\n}\n"

// copies are headers that say every text in which a later handler can find the path.
var copies = func() string {
	var b strings.Builder
	for i, name := range []string{
		"http.request.uri", "http.request.uri_escaped", "http.request.uri.path", "http.request.uri.path.dir", "http.request.uri.path.file", "http.request.uri.path.0", "http.request.uri.path.1", "http.request.uri.path.2",
		"http.request.orig_uri", "http.request.orig_uri.path", "http.request.orig_uri.path.dir", "http.request.orig_uri.path.file", "http.request.orig_uri.query", "http.request.orig_uri.prefixed_query",
		"mapped", "http.vars.copied", "http.regexp.found.0", "http.signed_link.claim.signature", "http.signed_link.detail",
	} {
		fmt.Fprintf(&b, "request_header X-Copy-%d {%s}\n", i, name)
	}
	return "route {\nvars copied {http.request.uri}\nmap {http.request.orig_uri} {mapped} {\ndefault {http.request.orig_uri}\n}\n@found path_regexp found ^/.*$\nrequest_header @found X-Found {http.regexp.found.0}\n" + b.String() + "}\n"
}()

// pathCases are links, and the path to which each leads.
var pathCases = []struct{ link, to string }{
	{unsubscribeLink("42"), "/page/42"},
	{"/u/%34%32/" + unsubscribeSignature("42"), "/page/%34%32"},
	{unsubscribeLink("jeff@example.org"), "/page/jeff@example.org"},
	{downloadLink("a/b.pdf"), "/files/a/b.pdf"},
	{downloadLink("a/"), "/files/a/"},
	{segmentLink("x"), "/v/x"},
	// a '+' is a blank to Slim 3, Yii 2 and Drupal 7
	{unsubscribeLink("jeff+x@example.org"), "/page/jeff%2Bx@example.org"},
	{downloadLink("a+b/c+d.pdf"), "/files/a%2Bb/c%2Bd.pdf"},
	{segmentLink("a+b"), "/v/a%2Bb"},
}

const pathMatchers3 = "@u path /u /u/*\n@d path /dl /dl/*\n@v path /v /v/*\n"

// TestAttackPathStays: behind a link that verified, no handler and no backend finds the path
// from which the request was moved, nor its signature: not in the request line of a proxy, in
// no variable of FastCGI, in no placeholder of the request or the original one, and not in what
// forward_auth tells another server.
func TestAttackPathStays(t *testing.T) {
	web, fpm, portal := httpWire(t, "200 OK"), fastCGIWire(t), httpWire(t, "200 OK")
	asks := "forward_auth unix/" + portal.Path + " {\nuri /verify\ncopy_headers X-None\n}\n"
	for name, back := range map[string]string{
		"proxy":           "reverse_proxy unix/" + web.Path,
		"proxy in handle": "handle {\n" + asks + "reverse_proxy unix/" + web.Path + "\n}",
		"php_fastcgi":     "root /srv\nphp_fastcgi unix/" + fpm.Path,
		"fastcgi":         "root /srv\nreverse_proxy unix/" + fpm.Path + " {\ntransport fastcgi {\nsplit .php\nenv COPY {http.request.orig_uri}\n}\n}",
		"rewritten":       "root /srv\nrewrite * /index.php?path={path}\nreverse_proxy unix/" + fpm.Path + " {\ntransport fastcgi {\nsplit .php\n}\n}",
	} {
		t.Run(name, func(t *testing.T) {
			socket := run(t, discard, "http:// {\nbind SOCKET\n"+pathMatchers3+unsubscribe("@u")+download("@d")+segment("@v")+copies+back+"\n}\n")
			for _, c := range pathCases {
				signature := strings.Split(c.link, "/")
				i := slices.IndexFunc(signature, func(s string) bool { return len(s) == 64 })
				for _, target := range []string{c.link, c.link + "?a=1", "http://example.org" + c.link} {
					status, body := ask(t, socket, line("GET", target))
					if status != http.StatusOK {
						t.Errorf("%s: %d %s", target, status, body)
						continue
					}
					lines, heads, _ := web.take()
					_, told, _ := portal.take()
					_, _, vars := fpm.take()
					if len(lines)+len(vars) != 1 {
						t.Fatalf("%s: %d requests arrive", target, len(lines)+len(vars))
					}
					text := strings.Join(append(append(lines, heads...), told...), "\n")
					for _, set := range vars {
						for k, v := range set {
							text += "\n" + k + "=" + v
						}
						_, query, has := strings.Cut(target, "?")
						want := c.to
						if has {
							want += "?" + query
						}
						if set["REQUEST_URI"] != want {
							t.Errorf("%s: REQUEST_URI is %q", target, set["REQUEST_URI"])
						}
					}
					for _, request := range lines {
						if path, _, _ := strings.Cut(strings.Fields(request)[1], "?"); path != c.to {
							t.Errorf("%s: the backend gets %q", target, request)
						}
					}
					if strings.Contains(text, signature[i]) || strings.Contains(text, signature[i][:48]) {
						t.Errorf("%s: the signature arrives:\n%s", target, text)
					}
					if strings.Contains(text, "/u/") || strings.Contains(text, "/dl/") {
						t.Errorf("%s: the old path arrives:\n%s", target, text)
					}
				}
			}
		})
	}
}

// TestAttackFieldReadOtherwise: a '+' in a field is a blank to some PHP frameworks, and with it
// another user, where the backend gets the path as it came.
func TestAttackFieldReadOtherwise(t *testing.T) {
	for _, tc := range []struct {
		backend, path string
		want          int
	}{
		{"strict", "/w/a+b/", http.StatusBadRequest},
		{"php", "/w/a+b/", http.StatusBadRequest},
		{"php", "/w/%61+b/", http.StatusBadRequest},
		{"strict", "/w/a%2Bb/", http.StatusOK},
		{"php", "/w/a%2bb/", http.StatusOK},
		{"servlet", "/w/a+b/", http.StatusOK},
		// to who takes the path for a parameter, without escapes, a field ends there
		{"strict", "/w/a&b/", http.StatusBadRequest},
		{"php", "/w/a%26b/", http.StatusBadRequest},
		{"servlet", "/w/a&b/", http.StatusOK},
	} {
		s := pathSite(t, "@w path /w /w/*\nsigned_link @w keyed_hash {env.PATH_KEY} {\nstrip none\npath /w/<name>/<signature>\nalgorithm hmac-sha256\nmessage {link.name}\nparam {link.name} text max 60\nuser {link.name}\nbackend "+tc.backend+"\nallow no_expiry\n}\nrespond ok")
		if got := s.Get(tc.path + fixture.Sum256(fixture.HMACKey, query.UnescapePath(strings.Trim(tc.path[len("/w"):], "/")))); got.Code != tc.want {
			t.Errorf("%s %s: %d, want %d", tc.backend, tc.path, got.Code, tc.want)
		}
	}
}

// TestAttackTargetOfFrontController: /index.php/page/42 is /page/42 to most PHP applications.
// Whatever some backend reads as a target is internal, and nothing else is.
func TestAttackTargetOfFrontController(t *testing.T) {
	t.Setenv("PATH_KEY", fixture.HMACKey)
	for _, tc := range []struct {
		backend, to, want string // "": it does not load
		internal, open    string
	}{
		{"strict", "/index.php/page/{link.id}", "/index.php/page/42", "/index.php/page/42 /page/43 /PAGE/43 //page/43 /page/ /page /x/../page/43 /page%2F43 /index.php/x/../page/43 /page/43/ /page/4%2533", "/ /index.php /index.php/ /pages /pag/43 /x/page/43"},
		{"php", "/shop/INDEX.php/page/{link.id}/edit", "/shop/INDEX.php/page/42/edit", "/shop/index.php/page/42/edit /page/43/edit /shop/page/43/edit /shop//page/43/EDIT /page/a/b/edit", "/shop/page/43 /page/43 /shop/ /shop/index.php"},
		{"php", "/app.php/u/{link.id}", "/app.php/u/42", "/u/43 /U/43 /app.php/u/43 /x/../u/43 /./u/43", "/app.php /app.php/v/43 /v/43 /user"},
		{"php", "/index.php/done", "/index.php/done", "/done /DONE /done/ /index.php/done //done /index.php/x/../done", "/index.php /do /done/x /done2 /"},
		{"php", "/a&b/{link.id}", "/a&b/42", "/a&b/43 /a%26b/43 /a", "/b/43 /a/b"},
		{"strict", "/my+page/{link.id}", "/my+page/42", "/my%20page/43 /my+page/43 /my%2Bpage/43", "/my/43"},
		{"servlet", "/index.php/page/{link.id}", "/index.php/page/42", "/index.php/page/43 /index.php;x/page/43", "/page/43"},
		{"php", "/index.php/page/{link.id} public", "/index.php/page/42", "", "/index.php/page/43 /page/43"},
		{"php", "/a&b", "/a&b", "/a /a&b /a%26b", "/b /"},
		{"php", "/index.php", "/index.php", "/index.php /INDEX.php/", "/ /x"},
		{"strict", "/load.php/{link.id}", "/load.php/42", "/load.php/43 /load.php", "/43 /loads"},
		{"strict", "/load.php/done", "/load.php/done", "/load.php/done /done", "/load.php /x"},
		{"strict", "/index.php/{link.id}", "", "", ""},
		{"php", "/shop/Index.php/{link.id}", "", "", ""},
	} {
		s, err := gatewaytest.TryLoad(t, gatewaytest.SiteFile("@u path /l /l/*\nsigned_link @u keyed_hash {env.PATH_KEY} {\npath /l/<id>/<signature> to "+tc.to+
			"\nalgorithm hmac-sha256\nmessage {link.id}\nuser {link.id}\nbackend "+tc.backend+"\nallow no_expiry\n}\nrespond {http.request.uri.path}"))
		if refused := err != nil && strings.Contains(err.Error(), "put a folder behind /index.php, or leave it out"); refused != (tc.want == "") || err != nil && !refused {
			t.Errorf("%s %s: error %v", tc.backend, tc.to, err)
			continue
		}
		if err != nil {
			continue
		}
		if a := s.Get("/l/42/" + fixture.Sum256(fixture.HMACKey, "42")); a.Code != http.StatusOK || a.Body.String() != tc.want {
			t.Errorf("%s %s: %d %s", tc.backend, tc.to, a.Code, a.Body)
		}
		for status, paths := range map[int]string{http.StatusUnauthorized: tc.internal, http.StatusOK: tc.open} {
			for path := range strings.FieldsSeq(paths) {
				if a := s.Get(path); a.Code != status {
					t.Errorf("%s %s: %s is %d, not %d", tc.backend, tc.to, path, a.Code, status)
				}
			}
		}
	}
}

// TestAttackPathOfHTTP2: in HTTP/2 the path is a field of its own, and may be spelled as it
// likes; what is a link, what is internal and what arrives is the same.
func TestAttackPathOfHTTP2(t *testing.T) {
	web := httpWire(t, "200 OK")
	socket := run(t, discard+"servers {\nprotocols h1 h2c\n}\n", "http:// {\nbind SOCKET\n"+pathMatchers3+unsubscribe("@u")+download("@d")+segment("@v")+copies+"reverse_proxy unix/"+web.Path+"\n}\n")
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket.Path)
	}}}
	get := func(opaque string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.org/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Opaque = opaque // is sent as it stands here
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.ProtoMajor != 2 {
			t.Fatalf("it was %s", answer.Proto)
		}
		return answer.StatusCode
	}
	for _, c := range pathCases {
		status := get(c.link)
		lines, heads, _ := web.take()
		if status != http.StatusOK || len(lines) != 1 || lines[0] != "GET "+c.to+" HTTP/1.1" || strings.Contains(heads[0], "/u/") {
			t.Errorf("%s: %d %q %q", c.link, status, lines, heads)
		}
	}
	for _, path := range []string{"/page/42", "/PAGE/42", "/%70age/42", "/x//../page/42", "/x/../page/42", "/files/x", "/v/x", "/page\\42", "/\\page/42", "/index.php/page/42"} {
		if status := get(path); status < 400 {
			t.Errorf("%s: %d", path, status)
		}
		if lines, _, _ := web.take(); len(lines) > 0 {
			t.Errorf("%s arrives: %q", path, lines)
		}
	}
}

// internalPaths are spellings of pages to which only links lead, as a backend of some kind reads
// them: those of /page/<id>, /files/<file...> and /v/<name>.
var internalPaths = func() (all []string) {
	for _, page := range []string{"/page/42", "/files/a.pdf", "/v/x"} {
		name, rest, _ := strings.Cut(page[1:], "/")
		all = append(all,
			page, page+"?a=1", strings.ToUpper(page), page+"/.", "/./"+page[1:], "/"+page, "//"+page, "/"+name+"//"+rest, "/x/.."+page, "/x/%2e%2e"+page, "/..%2f"+page[1:], "/x/..;"+page, "/;"+page, "/;x"+page, "/"+name+";x/"+rest,
			page+";x=1", page+";jsessionid=1", "/"+name+"%2f"+rest, "/"+name+"%2F"+rest, "/"+name+"\\"+rest, "/"+name+"%5c"+rest, "/\\"+page[1:], "/%5c"+page[1:], "/index.php"+page, "/index.php/"+page, "/x.php"+page, "/index.php"+page[1:],
			"/?"+page, "/index.php?"+page, "/%"+fmt.Sprintf("%x", name[0])+name[1:]+"/"+rest, "/%25"+fmt.Sprintf("%x", name[0])+name[1:]+"/"+rest, "/"+name+"%252f"+rest, "//host"+page, "/x%26url="+page[1:], page+"%26x", page+"%23x", page+"%00", "/index.php"+page+"%00x",
			"http://example.org"+page, "http://example.org/"+page, "http://other"+page+"?a=1", page+"/../"+rest,
		)
	}
	return append(all, "/files", "/files/", "/files/a/b/c", "/files/../files/x", "/page", "/page/", "/files/%2e%2e/x", "/page/"+unsubscribeSignature("42"))
}()

// honestPaths are neighbours that nobody guards.
var honestPaths = []string{
	"/", "/index.html", "/pages/42", "/pag/42", "/filesystem/x", "/profiles/x", "/a/files/x", "/static/app.css", "/static/js/main.0123456789abcdef.js", "/videos/x", "/x/v/x", "/vx", "/users", "/user/1/2", "/dla/x", "/search?q=/files/x",
	"/assets/page/", "/p%C3%A4ge/1", "/.well-known/acme-challenge/x", "/a/b/c/d/e/f",
}

// containers are sites in which the definitions stand, at other places each. BACK stands for the
// backend.
var containers = map[string]string{
	"at the top":     pathMatchers3 + unsubscribe("@u") + download("@d") + segment("@v") + "BACK",
	"missing pass":   pathMatchers3 + unsubscribe("@u", "missing pass") + download("@d", "missing pass") + segment("@v", "missing pass") + "BACK",
	"whole site":     "@v path /v /v/*\n" + unsubscribe("", "missing pass") + download("", "missing pass") + segment("@v", "missing pass") + "BACK",
	"php":            pathMatchers3 + unsubscribe("@u", "backend strict") + download("@d", "backend strict") + segment("@v", "backend strict") + "BACK",
	"in handle":      "signed_link guard\nhandle /u/* {\n" + unsubscribe("") + "BACK\n}\nhandle /dl/* {\n" + download("") + "BACK\n}\nhandle /v/* {\n" + segment("/v/*") + "BACK\n}\nhandle {\nBACK\n}",
	"in route":       "route {\nsigned_link guard\nroute /u/* {\n" + unsubscribe("") + "}\n" + download("/dl/*") + segment("/v/*") + "BACK\n}",
	"named":          "signed_link guard\ninvoke links\nBACK",
	"by method":      "@u {\npath /u /u/*\nmethod GET\n}\n@d {\npath /dl /dl/*\nheader_regexp Accept .*\n}\n@v {\npath /v /v/*\nnot method POST\nhost example.org\n}\n" + unsubscribe("@u") + download("@d") + segment("@v") + "BACK",
	"by expression":  "@u expression {path}.startsWith('/u/')\n@d path_regexp ^/dl/\n@v expression path('/v/*')\n" + unsubscribe("@u") + download("@d") + segment("@v") + "BACK",
	"a handle apart": "signed_link guard\n@get method GET\nhandle @get {\n" + pathMatchers3 + unsubscribe("@u") + download("@d") + segment("@v") + "BACK\n}\nhandle {\nBACK\n}",
}

// inContainer is the Caddyfile of a site with this container.
func inContainer(container, back string) string {
	return "{\nadmin off\nauto_https off\n" + discard + "}\n&(links) {\nroute {\n" + pathMatchers3 + unsubscribe("@u") + download("@d") + segment("@v") + "}\n}\nhttp:// {\n" + strings.ReplaceAll(container, "BACK", back) + "\n" + reasons + "}\n"
}

// TestAttackInternalPath: nobody comes to a page of links by asking for it, however it is
// spelled, by whatever method, wherever in the site the definition stands and whatever its
// matcher asks. Neighbours are nobody's business, and a link leads there.
func TestAttackInternalPath(t *testing.T) {
	t.Setenv("PATH_KEY", fixture.HMACKey)
	for name, container := range containers {
		t.Run(name, func(t *testing.T) {
			s := gatewaytest.Load(t, inContainer(container, "test_backend"))
			for _, target := range internalPaths {
				for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "PROPFIND"} {
					for _, headers := range [][]string{nil, {"Upgrade: websocket", "Connection: Upgrade"}, {"Accept: x", "X-Original-Url: /", "X-Http-Method-Override: GET"}} {
						if method != "GET" && headers != nil {
							continue
						}
						a := s.Do(gatewaytest.Request(t, method, target, "", headers...))
						if a.Seen != nil {
							t.Errorf("%s %s %q arrives: %s", method, target, headers, a.Body)
						}
						if method == "GET" && (target == "/page/42" || target == "/files/a.pdf" || target == "/v/x") && a.Body.String() != "missing/internal" {
							t.Errorf("%s: %d %s", target, a.Code, a.Body)
						}
					}
				}
			}
			for _, target := range honestPaths {
				if a := s.Get(target); a.Seen == nil || a.Seen.URI != target {
					t.Errorf("an honest neighbour %s is refused: %d %s", target, a.Code, a.Body)
				}
			}
			for _, c := range pathCases {
				if a := s.Get(c.link, "Accept: x"); a.Seen == nil || a.Seen.URI != c.to || a.Seen.OrigURI != c.to || a.Seen.OrigTarget != c.to || a.Seen.OrigText != c.to || a.Seen.RequestURI != c.to {
					t.Errorf("the link %s: %d %s", c.link, a.Code, a.Body)
				}
			}
		})
	}
}

// ownFolder is a definition whose links are /dl/<signature>/<file>, and lead to /dl/<file>: what
// it hands out could be a link, too.
func ownFolder(first string, options ...string) string {
	return strings.Replace(download(first, options...), "to /files/{link.file}", "to /dl/{link.file}", 1)
}

// TestAttackInternalPathOfNeighbour: another site before the same backend, with a guard only, or
// with a definition of its own, is no way to a page of links: on another host, on another
// server, or where the page has the form of a link, which nobody judges there.
func TestAttackInternalPathOfNeighbour(t *testing.T) {
	t.Setenv("PATH_KEY", fixture.HMACKey)
	query := "@q path /q /q/*\nsigned_link @q keyed_hash {env.PATH_KEY} {\nname q\nalgorithm hmac-sha256\nmessage {query.user}\nsignature {query.sig}\nallow no_expiry\nuser {query.user}\n}\n"
	const head = "{\nadmin off\nauto_https off\n" + discard + "servers {\nprotocols h1\n}\n}\n"
	web := httpWire(t, "200 OK")
	proxy := "reverse_proxy unix/" + web.Path + "\n"
	links := pathMatchers3 + unsubscribe("@u") + download("@d") + segment("@v")
	for name, tc := range map[string]struct {
		sites string
		more  []string
	}{
		"a guard":                     {"http://a.test {\n" + links + proxy + "}\nhttp://b.test {\nsigned_link guard\n" + proxy + "}\n", nil},
		"a host in a matcher":         {"http://a.test {\n" + strings.ReplaceAll(links, "@v path /v /v/*", "@v {\npath /v /v/*\nhost a.test\n}") + proxy + "}\nhttp://b.test {\nsigned_link guard\n" + proxy + "}\n", nil},
		"a query link":                {"http://a.test {\n" + links + proxy + "}\nhttp://b.test {\n" + query + proxy + "}\n", nil},
		"all other hosts":             {"http://a.test {\n" + links + proxy + "}\nhttp:// {\nsigned_link guard\n" + proxy + "}\n", nil},
		"another server":              {"http://b.test {\nsigned_link guard\n" + proxy + "}\nhttp://a.test:8080 {\n" + links + proxy + "}\n", nil},
		"its own folder":              {"http://a.test {\n@d path /dl /dl/*\n" + ownFolder("@d") + proxy + "}\nhttp://b.test {\nsigned_link guard\n" + proxy + "}\n", []string{"/dl/x", "/dl/x/secret.pdf", "/dl/" + downloadSignature("x") + "/x", "/DL/x/y", "/;/dl/x/y"}},
		"one named guard":             {"&(g) {\nroute {\nsigned_link guard\n}\n}\nhttp://a.test {\ninvoke g\n" + links + proxy + "}\nhttp://b.test {\ninvoke g\n" + proxy + "}\n", nil},
		"one named guard, own folder": {"&(g) {\nroute {\nsigned_link guard\n}\n}\nhttp:// {\ninvoke g\n@d path /dl /dl/*\n" + ownFolder("@d") + proxy + "}\nhttp://b.test {\ninvoke g\n" + proxy + "}\n", []string{"/dl/x", "/dl/x/secret.pdf"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewaytest.Load(t, head+tc.sites)
			if tc.more == nil {
				tc.more = internalPaths
			}
			server := s.Server
			for _, other := range serversOf(t, s) { // that of b.test
				if name != "another server" || !strings.Contains(strings.Join(other.Listen, " "), "8080") {
					server = other
				}
			}
			s.Server = server
			for _, target := range tc.more {
				r := gatewaytest.Request(t, "GET", target, "")
				r.Host = "b.test"
				a := s.Do(r)
				if lines, _, _ := web.take(); len(lines) > 0 || a.Code < 400 {
					t.Errorf("%s arrives: %q %d", target, lines, a.Code)
				}
			}
			for _, target := range honestPaths {
				r := gatewaytest.Request(t, "GET", target, "")
				r.Host = "b.test"
				a := s.Do(r)
				if lines, _, _ := web.take(); len(lines) != 1 {
					t.Errorf("an honest neighbour %s: %q %d", target, lines, a.Code)
				}
			}
		})
	}
	// a site before a backend of its own has pages of these names
	other := httpWire(t, "200 OK")
	s := gatewaytest.Load(t, head+"http://a.test {\n"+links+proxy+"}\nhttp://c.test {\nsigned_link guard\nreverse_proxy unix/"+other.Path+"\n}\n")
	for _, target := range []string{"/page/42", "/files/x", "/v/x"} {
		r := gatewaytest.Request(t, "GET", target, "")
		r.Host = "c.test"
		if a := s.Do(r); a.Code != http.StatusOK {
			t.Errorf("%s of a site with a backend of its own: %d", target, a.Code)
		}
	}
}

func serversOf(t *testing.T, s *gatewaytest.Site) map[string]*caddyhttp.Server {
	t.Helper()
	module, err := s.Context.App("http")
	if err != nil {
		t.Fatal(err)
	}
	return module.(*caddyhttp.App).Servers
}

// TestAttackInternalPathByOtherLink: a genuine link of another definition, of another scheme, or
// one that leads elsewhere says nothing of a page of links.
func TestAttackInternalPathByOtherLink(t *testing.T) {
	query := func(matcher, name string) string {
		return "signed_link " + matcher + " keyed_hash {env.PATH_KEY} {\nname " + name + "\nalgorithm hmac-sha256\nmessage {query.user}\nsignature {query.sig}\nallow no_expiry\nuser {query.user}\n}\n"
	}
	link := "?user=jeff&sig=" + fixture.Sum256(fixture.HMACKey, "jeff")
	// one definition with two schemes
	both := "signed_link {\nmissing pass\nscheme keyed_hash {env.PATH_KEY} {\nname path\npath /dl/<signature>/<file...> to /files/{link.file}\nalgorithm hmac-sha256\nmessage file:{link.file}\nuser none\nallow no_expiry\n}\n" +
		"scheme keyed_hash {env.PATH_KEY} {\nname query\nalgorithm hmac-sha256\nmessage {query.user}\nsignature {query.sig}\nallow no_expiry\nuser {query.user}\n}\n}\n"
	for name, directives := range map[string]string{
		"before":          "@d path /dl /dl/*\nroute {\n" + query("", "all") + download("@d") + "test_backend\n}\n",
		"behind":          "@d path /dl /dl/*\nroute {\n" + download("@d") + query("/files*", "all") + "test_backend\n}\n",
		"same definition": both + "test_backend\n",
		"recognized":      "@d path /dl /dl/*\nroute {\n" + strings.Replace(query("", "all"), "keyed_hash", "recognize keyed_hash", 1) + download("@d") + "test_backend\n}\n",
	} {
		s := pathSite(t, directives+reasons)
		for _, target := range []string{"/files/x" + link, "/files/x" + link + "&a=1", "/FILES/x" + link, "/;/files/x" + link, "/files/" + downloadSignature("x") + "/x" + link} {
			if a := s.Get(target); a.Seen != nil {
				t.Errorf("%s: %s arrives: %s", name, target, a.Body)
			}
		}
		if a := s.Get("/files/x" + link); a.Body.String() != "missing/internal" {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
	// two links of one definition are two opinions
	s := pathSite(t, both+"test_backend\n"+reasons)
	for target, want := range map[string]string{
		downloadLink("x") + link:                       "ambiguous/two_links",
		downloadLink("x") + "?sig=":                    "ambiguous/two_links",
		"/dl/" + strings.Repeat("0", 64) + "/x" + link: "ambiguous/two_links",
	} {
		if a := s.Get(target); a.Body.String() != want {
			t.Errorf("%s: %d %s", target, a.Code, a.Body)
		}
	}
	if a := s.Get("/x" + link); a.Seen == nil || a.Header1(t, "X-Verified-User") != "jeff" {
		t.Errorf("the query's link: %d %s", a.Code, a.Body)
	}
	if a := s.Get(downloadLink("x")); a.Seen == nil || a.Seen.URI != "/files/x" || a.Header1(t, "X-Verified-Scheme") != "path" {
		t.Errorf("the path's link: %d %s", a.Code, a.Body)
	}
	// a link that leads elsewhere, and a rewrite behind that would lead to another page of links
	s = pathSite(t, "@u path /u /u/*\n@d path /dl /dl/*\n"+unsubscribe("@u")+download("@d")+"route {\nrewrite /page/* /files/secret\nsigned_link guard\ntest_backend\n}\n"+reasons)
	if a := s.Get(unsubscribeLink("42")); a.Seen != nil {
		t.Errorf("a link of one page leads to another: %s", a.Body)
	}
}

// TestAttackTwoMoves: two definitions that both verify the path and hand the request on with
// another one each are two opinions about one request; and one judges what was received, wherever
// the other has led the request.
func TestAttackTwoMoves(t *testing.T) {
	other := strings.Replace(download("", "name other"), "to /files/{link.file}", "to /elsewhere/{link.file}", 1)
	s := pathSite(t, "route {\n"+download("")+other+"test_backend\n}\n"+reasons)
	if a := s.Get(downloadLink("x")); a.Body.String() != "ambiguous/rewritten" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	same := download("", "name other")
	s = pathSite(t, "route {\n"+download("")+same+"test_backend\n}\n"+reasons)
	if a := s.Get(downloadLink("x")); a.Seen == nil || a.Seen.URI != "/files/x" {
		t.Errorf("two that agree: %d %s", a.Code, a.Body)
	}
	// what one leads to has the form of the other's link, and its signature is right or wrong
	for _, options := range []string{"", "missing pass"} {
		into := strings.Replace(download("/dl/*"), "to /files/{link.file}", "to /u/{link.file}", 1)
		s = pathSite(t, "@u path /u /u/*\nroute {\n"+into+unsubscribe("@u", options)+"test_backend\n}\n"+reasons)
		for _, id := range []string{"42/" + unsubscribeSignature("42"), "43/" + unsubscribeSignature("42")} {
			if a := s.Get(downloadLink(id)); a.Seen != nil {
				t.Errorf("%s: %s: %s", options, id, a.Body)
			}
		}
	}
}

// TestAttackRewrittenIntoLink: a rewrite makes a link's path of one that is none, before the
// definition or behind it. With `missing pass` an application that routes the path itself would
// take it for a link that was verified.
func TestAttackRewrittenIntoLink(t *testing.T) {
	const matcher = "@u path /u /u/*\n"
	whole := strings.Replace(unsubscribe("@u", "missing pass", "strip none"), " to /page/{link.id}", "", 1)
	for name, directives := range map[string]string{
		"uri before":              "route {\n" + matcher + "uri strip_prefix /x\n" + whole + "test_backend\n}",
		"rewrite before":          "route {\n" + matcher + "@x path_regexp x ^/x(/.*)$\nrewrite @x {re.x.1}\n" + whole + "test_backend\n}",
		"uri behind":              matcher + whole + "uri strip_prefix /x\ntest_backend",
		"handle_path behind":      matcher + whole + "handle_path /x/* {\ntest_backend\n}\nhandle {\ntest_backend\n}",
		"uri replace behind":      matcher + whole + "uri replace /x/ /\ntest_backend",
		"moved, uri before":       "route {\n" + matcher + "uri strip_prefix /x\n" + unsubscribe("@u", "missing pass") + "test_backend\n}",
		"moved, uri behind":       matcher + unsubscribe("@u", "missing pass") + "uri strip_prefix /x\ntest_backend",
		"required, uri before":    "route {\n" + matcher + "uri strip_prefix /x\n" + strings.Replace(whole, "missing pass\n", "", 1) + "test_backend\n}",
		"without matcher, before": "route {\nuri strip_prefix /x\n" + strings.Replace(whole, "@u", "", 1) + "test_backend\n}",
		"without matcher, behind": strings.Replace(whole, "@u", "", 1) + "uri strip_prefix /x\ntest_backend",
	} {
		t.Run(name, func(t *testing.T) {
			s := pathSite(t, directives+"\n"+reasons)
			for _, target := range []string{"/x/u/43/" + unsubscribeSignature("42"), "/x" + unsubscribeLink("42"), "/x/u/42/", "/x/U/42/x", "/x/%75/42/x", "/x//u/42/x"} {
				if a := s.Get(target); a.Seen != nil {
					t.Errorf("%s arrives: %s", target, a.Body)
				}
			}
			if a := s.Get("/x" + unsubscribeLink("42")); a.Body.String() != "ambiguous/rewritten" {
				t.Errorf("%d %s", a.Code, a.Body)
			}
			if a := s.Get(unsubscribeLink("42")); a.Seen == nil || a.Header1(t, "X-Verified-User") != "42" {
				t.Errorf("a link: %d %s", a.Code, a.Body)
			}
			for _, target := range []string{"/", "/x/y", "/a/b/c", "/x/users/1"} {
				if a := s.Get(target); a.Seen == nil && strings.Contains(directives, "missing pass") {
					t.Errorf("an ordinary page %s is refused: %d %s", target, a.Code, a.Body)
				}
			}
		})
	}
	// a link that a rewrite led elsewhere is none of the page to which it went
	for _, rewrite := range []string{"rewrite /u/* /other", "rewrite /u/42/* /u/43/x", "uri replace 42 43", "uri strip_prefix /u"} {
		for _, definition := range []string{unsubscribe(""), strings.Replace(whole, "@u", "", 1)} {
			s := pathSite(t, "route {\n"+rewrite+"\n"+definition+"test_backend\n}\n"+reasons)
			if a := s.Get(unsubscribeLink("42")); a.Seen != nil || a.Body.String() != "ambiguous/rewritten" {
				t.Errorf("%s: %d %s", rewrite, a.Code, a.Body)
			}
		}
	}
}

// TestAttackPathOfErrorRoute: what an error route finds of a refused link has no signature that
// somebody could use, and of a page of links nothing; and an error behind a verified link finds
// the new path, like everybody.
func TestAttackPathOfErrorRoute(t *testing.T) {
	t.Setenv("PATH_KEY", fixture.HMACKey)
	const long = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" // a method that Caddy refuses before all routes
	wrong := unsubscribeSignature("43")
	for name, errors := range map[string]string{
		"proxy":          "test_backend errors",
		"a guard":        "signed_link guard\ntest_backend errors",
		"a prefix":       "@e path /e/*\nuri @e strip_prefix /e\ntest_backend errors",
		"a prefix, path": "handle_path /e/* {\ntest_backend errors\n}\nhandle {\ntest_backend errors\n}",
		"named":          "invoke errors",
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewaytest.Load(t, "{\nadmin off\nauto_https off\n"+discard+"}\n&(errors) {\ntest_backend errors\n}\nhttp:// {\n"+pathMatchers3+"@own path /own /own/*\n"+
				unsubscribe("@u")+download("@d")+segment("@v")+strings.ReplaceAll(ownFolder("@own", "name own"), "/dl/", "/own/")+
				"@broken path /page/broken /e/* /open\nerror @broken 500\nrespond /page/gone 204\ntest_backend\nhandle_errors {\n"+errors+"\n}\n}\n")
			for _, tc := range []struct{ method, target, want string }{
				{"GET", "/u/42/" + wrong, "/u/42/REDACTED"},
				{"GET", "/u/42/" + wrong + "?a=1", "/u/42/REDACTED?a=1"},
				{"GET", "/U/42/" + wrong, "/U/42/REDACTED"},
				{"GET", "/u/42/" + wrong + "x", "/u/42/REDACTED"},
				{"GET", "/u/42/" + wrong[1:], "/u/42/REDACTED"},
				{"GET", "/u/42/" + wrong + "/more", "/u/42/REDACTED/more"},
				{"GET", "//u/42/" + wrong, "/"},
				{"GET", "/u/%34%32/" + wrong, "/u/%34%32/REDACTED"},
				{"GET", "/dl/" + wrong + "/x", "/dl/REDACTED/x"},
				{"GET", "/dl/" + wrong + "/../x", "/"},
				{"GET", "/v/x/" + wrong, "/v/x/REDACTED"},
				{"POST", unsubscribeLink("42"), "/u/42/REDACTED"}, // no method of links
				{long, unsubscribeLink("42"), "/u/42/REDACTED"},
				{long, downloadLink("x"), "/dl/REDACTED/x"},
				{"GET", "/page/42", "/"},
				{"GET", "/page/42?a=1", "/"},
				{"GET", "/;/page/42", "/"},
				{"GET", "/files/x", "/"},
				{"GET", "/v/x", "/"},
				{"GET", "/%70age/42", "/"},
				{long, "/page/42", "/"},
				{long, "//files/x", "/"},
				{"POST", "/v/x", "/"},
				{"GET", "/own/x/secret", "/"},
				{"GET", "/own/secret", "/"},
				{long, "/own/x/secret", "/"},
				{"GET", "/own/" + wrong + "/secret", "/own/REDACTED/REDACTED"},
				{"GET", "/open", "/open"},
				{"GET", "/open?a=1", "/open?a=1"},
			} {
				a := s.Do(gatewaytest.Request(t, tc.method, tc.target, ""))
				if a.Seen == nil || a.Seen.Backend != "errors" {
					t.Errorf("%s %s: %d %s", tc.method, tc.target, a.Code, a.Body)
					continue
				}
				for what, uri := range map[string]string{"URL": a.Seen.URI, "RequestURI": a.Seen.RequestURI, "REQUEST_URI": a.Seen.OrigURI, "{orig_uri}": a.Seen.OrigText, "the original RequestURI": a.Seen.OrigTarget} {
					if uri != tc.want {
						t.Errorf("%s %s: %s is %q, want %q", tc.method, tc.target, what, uri, tc.want)
					}
				}
				if a.Header1(t, "X-Verified-User") != "" {
					t.Errorf("%s %s names a user", tc.method, tc.target)
				}
			}
			// what a prefix of the error routes leads to
			for _, target := range []string{"/e/page/42", "/e/%70age/42", "/e//page/42", "/e/files/x", "/e/v/x", "/e/;/page/42", "/e/own/x/y"} {
				a := s.Get(target)
				if a.Seen == nil || a.Seen.Backend != "errors" || strings.Contains(name, "prefix") && a.Seen.URI != "/" {
					t.Errorf("%s: %d %s", target, a.Code, a.Body)
				}
			}
			a := s.Get(unsubscribeLink("broken"))
			if a.Seen == nil || a.Seen.Backend != "errors" || a.Seen.URI != "/page/broken" || a.Seen.OrigURI != "/page/broken" || a.Seen.OrigText != "/page/broken" || a.Header1(t, "X-Verified-User") != "broken" {
				t.Errorf("an error behind a link: %d %s", a.Code, a.Body)
			}
		})
	}
	// 404 of files, and handle_response and intercept behind a link
	web := httpWire(t, "500 Oops")
	for name, directives := range map[string]string{
		"files":           "root /nonexistent\nfile_server\nhandle_errors {\ntest_backend errors\n}",
		"handle_response": "reverse_proxy unix/" + web.Path + " {\n@bad status 500\nhandle_response @bad {\ntest_backend errors\n}\n}",
		"intercept":       "intercept {\n@bad status 500\nhandle_response @bad {\ntest_backend errors\n}\n}\nreverse_proxy unix/" + web.Path,
		"error raised":    "intercept {\n@bad status 500\nhandle_response @bad {\nerror 503\n}\n}\nreverse_proxy unix/" + web.Path + "\nhandle_errors {\ntest_backend errors\n}",
	} {
		s := pathSite(t, pathMatchers3+unsubscribe("@u")+download("@d")+segment("@v")+directives)
		for _, c := range pathCases {
			a := s.Get(c.link)
			if a.Seen == nil || a.Seen.Backend != "errors" || a.Seen.URI != c.to || a.Seen.OrigURI != c.to || a.Seen.OrigTarget != c.to || a.Seen.OrigText != c.to {
				t.Errorf("%s: %s: %d %s", name, c.link, a.Code, a.Body)
			}
		}
	}
}

// TestAttackErrorRouteReadings: what has the form of a link, and is refused for something else
// than its path, is not fetched by an error route where another reader finds an internal page:
// of /dl/<x>/index.php/files/a.pdf PHP makes /files/a.pdf, and Tomcat /v/mike of //v/mike.
func TestAttackErrorRouteReadings(t *testing.T) {
	web := httpWire(t, "200 OK")
	definitions := pathMatchers3 + unsubscribe("@u") + download("@d") + segment("@v")
	proxy := "reverse_proxy unix/" + web.Path + "\n"
	for name, site := range map[string]string{
		"plain":  definitions + proxy + "handle_errors {\n" + proxy + "}\n",
		"status": definitions + proxy + "handle_errors 4xx {\nhandle /nothing* {\nrespond 204\n}\nhandle {\n" + proxy + "}\n}\n",
		"nested": "signed_link guard\nhandle {\n" + definitions + proxy + "}\nhandle_errors {\n" + proxy + "}\n",
	} {
		socket := run(t, discard, "http:// {\nbind SOCKET\n"+site+"}\n")
		for _, path := range []string{
			"/dl/x/index.php/files/a.pdf", "/dl/x/y.php/files/a.pdf", "/dl/x/../../files/a.pdf", "/dl/x/..%2f..%2ffiles/a.pdf", "/dl/x/;/../../../files/a.pdf",
			"/u/index.php%2fpage%2f42/x", "/u/a.php%2fpage%2f42/x", "/u/..%2fpage%2f42/x",
			"//v/mike", "/v//mike", "/./v/mike", "/v/./mike", "/v/mike%2f", "/files/a.pdf", "/page/42", "/v/mike",
		} {
			for _, request := range []string{
				"GET %s?# HTTP/1.1\r\n", "GET %s?%%zz=%%00&sig=1 HTTP/1.1\r\n", "GET %s HTTP/1.1\r\n", "POST %s HTTP/1.1\r\nContent-Length: 0\r\n", "DELETE %s HTTP/1.1\r\n",
			} {
				connection, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket.Path)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(connection, request+"Host: example.org\r\nConnection: close\r\n\r\n", path)
				if _, err := io.ReadAll(connection); err != nil {
					t.Fatal(err)
				}
				connection.Close()
				lines, _, _ := web.take()
				for _, line := range lines {
					if _, to, _ := strings.Cut(line, " "); to != "/ HTTP/1.1" {
						t.Errorf("%s: "+strings.TrimSpace(request)+": the error route asks for %q", name, path, line)
					}
				}
			}
		}
		if _, _, err := socket.Get("/u/je%40ff/x"); err != nil {
			t.Fatal(err)
		}
		if lines, _, _ := web.take(); len(lines) != 1 || lines[0] != "GET /u/je%40ff/REDACTED HTTP/1.1" {
			t.Errorf("%s: an error page does not see which link it was: %q", name, lines)
		}
	}
}

// TestAttackBrokenLink: what begins like a link is one, good or bad, in any case of letters and
// to whoever reads it so: never a page that needs none. With `missing pass` other pages need none.
func TestAttackBrokenLink(t *testing.T) {
	for _, directives := range []string{
		"@u path /u /u/*\n" + unsubscribe("@u", "missing pass") + "test_backend\n",
		unsubscribe("", "missing pass") + "test_backend\n",
		"@u path /u /u/*\n" + unsubscribe("@u") + "test_backend\n",
		"signed_link guard\nhandle /u/* {\n" + unsubscribe("", "missing pass") + "test_backend\n}\nhandle {\ntest_backend\n}\n",
		"@u path /u /u/*\n" + strings.Replace(unsubscribe("@u", "missing pass", "strip none"), " to /page/{link.id}", "", 1) + "test_backend\n",
	} {
		s := pathSite(t, directives+reasons)
		for target, want := range map[string]string{
			"/u/":                                 "malformed/pattern",
			"/u/42":                               "malformed/pattern",
			"/u/42/":                              "malformed/pattern",
			"/u/42/x/y":                           "malformed/pattern",
			"/U/42/x":                             "malformed/pattern",
			unsubscribeLink("42") + "/":           "malformed/pattern",
			unsubscribeLink("42") + "/x":          "malformed/pattern",
			unsubscribeLink("42") + "x":           "bad_signature/",
			unsubscribeLink("42")[:60]:            "bad_signature/",
			"/u/43/" + unsubscribeSignature("42"): "bad_signature/",
			"/u/42/" + strings.ToUpper(unsubscribeSignature("42")): "bad_signature/",
			"//u/42":     "malformed/pattern",
			"//u/42/x":   "ambiguous/path",
			"/;/u/42":    "malformed/pattern",
			"/;x/u/42/y": "ambiguous/path",
			"/x/../u/42/" + unsubscribeSignature("42"):      "ambiguous/path",
			"/%75/42/" + unsubscribeSignature("42"):         "ambiguous/path",
			"/%2575/42/" + unsubscribeSignature("42"):       "ambiguous/path",
			"/u%2F42/" + unsubscribeSignature("42"):         "ambiguous/path",
			"/index.php/u/42/" + unsubscribeSignature("42"): "ambiguous/path",
			"/?/u/42/x": "ambiguous/path",
			"/?/u/42":   "malformed/pattern",
			"/u/42/" + unsubscribeSignature("42") + ";x": "ambiguous/path",
			"/u/4%2F2/" + unsubscribeSignature("42"):     "ambiguous/path",
			"/u/4%3B2/" + unsubscribeSignature("42"):     "ambiguous/path",
			"/u/4%252/" + unsubscribeSignature("42"):     "ambiguous/path",
			"/u/%2e%2e/" + unsubscribeSignature(".."):    "ambiguous/path",
			"/u/../" + unsubscribeSignature(".."):        "ambiguous/path",
			"/u/4%00/" + unsubscribeSignature("4\x00"):   "ambiguous/path",
		} {
			a := s.Get(target)
			if strings.HasPrefix(directives, "signed_link guard") && want == "malformed/pattern" && a.Body.String() == "ambiguous/path" {
				continue // the guard asks the way to it
			}
			if a.Seen != nil || a.Body.String() != want {
				t.Errorf("%.60s: %s: %d %s, want %s", directives, target, a.Code, a.Body, want)
			}
		}
		if a := s.Get(unsubscribeLink("42")); a.Seen == nil || a.Header1(t, "X-Verified-User") != "42" {
			t.Errorf("a link: %d %s", a.Code, a.Body)
		}
		if !strings.Contains(directives, "missing pass") {
			continue
		}
		for _, target := range []string{"/", "/u", "/users", "/users/1", "/x/u/42", "/index.php", "/index.php/users/1"} {
			if a := s.Get(target, "X-Verified-User: 42"); a.Seen == nil || a.Header1(t, "X-Verified-User") != "" {
				t.Errorf("an ordinary page %s: %d %s", target, a.Code, a.Body)
			}
		}
	}
}

// TestPublicAndObserve: `public` opens what links lead to, and nothing else; `observe` refuses
// nothing, and says what it would have.
func TestPublicAndObserve(t *testing.T) {
	public := strings.Replace(unsubscribe("@u"), "to /page/{link.id}", "to /page/{link.id} public", 1)
	s := pathSite(t, pathMatchers3+public+download("@d")+"test_backend\n"+reasons)
	for _, target := range []string{"/page/42", "//page/42", "/index.php/page/42"} {
		if a := s.Get(target, "X-Verified-User: 42"); a.Seen == nil || a.Header1(t, "X-Verified-User") != "" {
			t.Errorf("%s: %d %s", target, a.Code, a.Body)
		}
	}
	for target, want := range map[string]string{"/files/x": "missing/internal", "/u/42/x": "bad_signature/", "/page/../files/x": "missing/internal"} {
		if a := s.Get(target); a.Body.String() != want {
			t.Errorf("%s: %d %s", target, a.Code, a.Body)
		}
	}
	s = pathSite(t, pathMatchers3+unsubscribe("@u observe")+download("@d")+"request_header X-Would {http.signed_link.verdict}/{http.signed_link.reason}\ntest_backend\n"+reasons)
	for target, would := range map[string]string{
		"/page/42": "/", unsubscribeLink("42"): "valid/", "/u/43/" + unsubscribeSignature("42"): "invalid/bad_signature", "/u/42": "invalid/malformed", "/;/u/42/x": "invalid/ambiguous",
	} {
		a := s.Get(target, "X-Verified-User: 42")
		if a.Seen == nil || a.Seen.URI != target || a.Seen.OrigURI != target || a.Seen.OrigText != target || a.Header1(t, "X-Verified-User") != "" || a.Header1(t, "X-Would") != would {
			t.Errorf("observe: %s: %d %s", target, a.Code, a.Body)
		}
	}
	if a := s.Get("/files/x"); a.Body.String() != "missing/internal" {
		t.Errorf("another definition beside it: %d %s", a.Code, a.Body)
	}
}

// TestAttackMigration: schemes of one definition whose links are alike, md5 and HMAC: each
// verifies its own, and what neither does is a wrong signature; none leads where the other does.
func TestAttackMigration(t *testing.T) {
	scheme := func(name, rest string) string {
		return "scheme keyed_hash {env.PATH_KEY} {\nname " + name + "\n" + rest + "user none\n}\n"
	}
	definition := "signed_link @d {\nmissing pass\n" + scheme("new", "path /dl/<signature>/<file...> to /new/{link.file}\nalgorithm hmac-sha256\nmessage file:{link.file}\nallow no_expiry\n") +
		scheme("old", "path /dl/<signature>/<file...> to /old/{link.file}\nalgorithm md5\nmessage {link.file}{secret}\nallow no_expiry\n") +
		scheme("short", "path /s/<file>/<signature> to /short/{link.file}\nalgorithm hmac-sha256\nmessage short:{link.file}\nallow no_expiry\n") + "}\n"
	s := pathSite(t, "@d path /dl /dl/* /s /s/*\n"+definition+"test_backend\n"+reasons)
	old, short := fixture.Key("x", fixture.HMACKey), fixture.Sum256(fixture.HMACKey, "short:x")
	for target, want := range map[string]string{downloadLink("x"): "new /new/x", "/dl/" + old + "/x": "old /old/x", "/s/x/" + short: "short /short/x"} {
		if a := s.Get(target); a.Seen == nil || a.Header1(t, "X-Verified-Scheme")+" "+a.Seen.URI != want {
			t.Errorf("%s: %d %s", target, a.Code, a.Body)
		}
	}
	for target, want := range map[string]string{
		"/dl/" + short + "/x": "bad_signature/", "/s/x/" + old: "bad_signature/", "/dl/" + old + "/y": "bad_signature/", "/dl/x": "malformed/pattern", "/s/x": "malformed/pattern",
		"/new/x": "missing/internal", "/old/x": "missing/internal", "/short/x": "missing/internal",
	} {
		if a := s.Get(target); a.Body.String() != want {
			t.Errorf("%s: %d %s", target, a.Code, a.Body)
		}
	}
}

// TestAttackSessionInMovedPath: `cookies cut` takes the session out of the path as well, and the
// path to which a link leads has none: a session in a link's path is no part of a link.
func TestAttackSessionInMovedPath(t *testing.T) {
	for _, backend := range []string{"servlet", "php", "strict"} {
		s := pathSite(t, pathMatchers3+"@q path /q /q/*\n"+unsubscribe("@u", "backend "+backend, "cookies cut JSESSIONID")+download("@d", "backend "+backend, "cookies cut JSESSIONID")+
			"signed_link @q keyed_hash {env.PATH_KEY} {\nname q\nbackend "+backend+"\nalgorithm hmac-sha256\nmessage {query.user}\nsignature {query.sig}\nallow no_expiry\nuser {query.user}\ncookies cut JSESSIONID\n}\ntest_backend\n"+reasons)
		for _, target := range []string{
			unsubscribeLink("42") + ";jsessionid=1", "/u/42;jsessionid=1/" + unsubscribeSignature("42"), "/u;jsessionid=1/42/" + unsubscribeSignature("42"), downloadLink("x") + ";JSESSIONID=1", "/u/42%3Bjsessionid=1/" + unsubscribeSignature("42;jsessionid=1"),
			"/page/42;jsessionid=1", "/page;jsessionid=1/42",
		} {
			if a := s.Get(target); a.Seen != nil && (backend != "php" || strings.Contains(a.Seen.URI+a.Seen.OrigURI, "/page/42")) {
				t.Errorf("%s: %s: %s", backend, target, a.Body)
			}
		}
		session := "?JSESSIONID=1&a=1"
		if backend == "servlet" {
			session = "?a=1" // they find none in a query
		}
		a := s.Get(unsubscribeLink("42")+session, "Cookie: JSESSIONID=1; b=2")
		if a.Seen == nil || a.Seen.URI != "/page/42?a=1" || a.Seen.OrigText != "/page/42?a=1" || a.Seen.OrigURI != "/page/42?a=1" || a.Header1(t, "Cookie") != "b=2" {
			t.Errorf("%s: %d %s", backend, a.Code, a.Body)
		}
	}
}

// TestAttackPathLogs: no line holds a signature of a path that somebody could use, with the
// filter, whatever became of the link: sent whole, cut by one, in another case, with escapes,
// slashes and prefixes, in a Referer, refused, observed, or with an error behind it; in our own
// lines not even without the filter. And honest paths stay readable.
func TestAttackPathLogs(t *testing.T) {
	t.Setenv("PATH_KEY", fixture.HMACKey)
	directives := pathMatchers3 + "@o path /o /o/*\n" + unsubscribe("@u") + download("@d") + segment("@v") +
		strings.ReplaceAll(unsubscribe("@o observe", "name observed"), "/u/<id>", "/o/<id>") +
		"route /page/log {\nlog_append path {http.request.orig_uri}\n}\n@boom path /page/boom /boom\nerror @boom 502\ntest_backend"
	s, file := fixture.LoadLogged(t, directives)
	plain, plainFile := loadPlainlyLogged(t, directives)
	signature := unsubscribeSignature("42")
	spelled := strings.Replace(signature, "a", "%61", 1)
	for _, target := range []string{
		unsubscribeLink("42"), "/u/42/" + signature[1:], "/u/42/" + signature[:63], "/u/42/" + strings.ToUpper(signature), "/U/42/" + signature, "//u//42//" + signature, "/u/42/" + signature + "/", "/u/42/x/" + signature,
		"/u/" + signature, "/u/42/" + spelled, "/u/42/%" + fmt.Sprintf("%x", signature[0]) + signature[1:], "/%75/42/" + signature, "/u%2F42%2F" + signature, "/x/../u/42/" + signature, "/index.php/u/42/" + signature, "/;/u/42/" + signature, "/?/u/42/" + signature, "/u;a/42/" + signature,
		"/u/42/" + signature + ";x", "/u/42/" + signature + "?a=1", "/u/43/" + signature, "http://example.org" + unsubscribeLink("42"), downloadLink("a/b"), "/dl/" + signature + "/x", "/dl/" + signature, segmentLink("x"), "/v/x/y/" + segmentSignature("x"),
		"/o/42/" + signature, "/o/43/" + signature, "/o/42/" + signature[:63], unsubscribeLink("boom"), unsubscribeLink("log"), "/login?next=" + strings.ReplaceAll(unsubscribeLink("42"), "/", "%2F"), "/x/y?u=http://example.org" + unsubscribeLink("42"), "/u/42%3F/" + signature, "/u/REDACTED/" + signature,
	} {
		_, of, _ := strings.Cut(target, "://example.org")
		if of == "" {
			of = target
		}
		hidden := []string{signature[:60], signature[4:], strings.ToUpper(signature[:60]), spelled, downloadSignature("a/b")[:60], segmentSignature("x")[:60], unsubscribeSignature("boom")[:60], unsubscribeSignature("log")[:60]}
		for _, headers := range [][]string{nil, {"Referer: http://example.org" + of}} {
			s.Do(gatewaytest.Request(t, "GET", target, "", headers...))
			plain.Do(gatewaytest.Request(t, "GET", target, "", headers...))
		}
		for _, line := range linesOf(t, file) {
			for _, text := range hidden {
				if strings.Contains(line, text) {
					t.Errorf("%s: a signature: %s", target, line)
				}
			}
		}
		for _, line := range linesOf(t, plainFile) {
			if !strings.Contains(line, `"logger":"http.handlers.signed_link"`) {
				continue
			}
			for _, text := range hidden {
				if strings.Contains(line, text) {
					t.Errorf("%s: a signature in our own line: %s", target, line)
				}
			}
		}
	}
	for _, target := range append(slices.Clone(honestPaths), "/page/42", "/files/0123456789abcdef/x.pdf", "/u/42/abcdef0123456789", "/objects/"+signature, "/static/"+signature+".js") {
		s.Get(target)
		written, err := json.Marshal(target)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Join(linesOf(t, file), "\n"); !strings.Contains(lines, strings.ReplaceAll(string(written), `\u0026`, "&")) {
			t.Errorf("%s cannot be read any more:\n%s", target, lines)
		}
	}
}

// loadPlainlyLogged loads a site that logs all to the returned file, without the filter.
func loadPlainlyLogged(t *testing.T, directives string) (*gatewaytest.Site, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "log")
	return gatewaytest.Load(t, "{\nadmin off\nauto_https off\ndebug\nlog {\noutput file "+file+"\nlevel DEBUG\n}\n}\nhttp:// {\nlog\n"+directives+"\n}\n"), file
}

// linesOf returns the lines of the file, and empties it.
func linesOf(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(data), "\n")
}

// TestAttackPathPlaceholders: no placeholder, no label of the metrics and no answer has the
// signature of a path, whatever becomes of the link.
func TestAttackPathPlaceholders(t *testing.T) {
	t.Setenv("PATH_KEY", fixture.HMACKey)
	said := "{http.signed_link.user} {http.signed_link.claim.signature} {http.signed_link.claim.id} {http.signed_link.detail} {http.signed_link.reason} {http.signed_link.verdict} {http.signed_link.scheme} {http.signed_link.key_id} {http.auth.user.id}"
	s, ctx := gatewaytest.ProvisionSite(t, "@u path /u /u/*\n"+unsubscribe("@u")+"header >X-Said \""+said+"\"\ntest_backend\nhandle_errors {\nrespond \""+said+" {http.request.orig_uri} {http.request.uri} {err.message} {err.trace}\" {err.status_code}\n}\n")
	if err := s.App.Start(); err != nil {
		t.Fatal(err)
	}
	signature := unsubscribeSignature("42")
	for _, target := range []string{unsubscribeLink("42"), "/u/43/" + signature, "/u/42/" + signature + "/", "/;/u/42/" + signature, "/u/" + signature, "//u/42/" + signature} {
		a := s.Get(target)
		if text := a.Body.String() + fmt.Sprint(a.Header()); strings.Contains(text, signature[:48]) {
			t.Errorf("%s: %s", target, text)
		}
	}
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(families)
	if !strings.Contains(text, "signed_link") || strings.Contains(text, signature[:16]) || strings.Contains(text, "/u/42") {
		t.Errorf("metrics: %s", text)
	}
}

// userLinks is a definition with a key for each user, who is a field of the path.
func userLinks(name, algorithm, message string, options ...string) string {
	return "signed_link @k keyed_hash {\nname " + name + "\nuser_keys inline {\n42 {env.USER_42}\n43 {env.USER_43}\n}\npath /k/<id>/<signature> to /page/{link.id}\nalgorithm " + algorithm + "\nmessage " + message +
		"\nuser {link.id}\nallow no_expiry\n" + strings.Join(options, "\n") + "\n}\n"
}

// TestAttackPathUnknownUser: where the user of a key is a field of the path, somebody who has no
// key gets the answer of a wrong signature, in every byte and every placeholder.
func TestAttackPathUnknownUser(t *testing.T) {
	t.Setenv("USER_42", "first-secret-0123456789abcdef")
	t.Setenv("USER_43", "other-secret-0123456789abcdef")
	s := pathSite(t, "@k path /k /k/*\n"+userLinks("keys", "hmac-sha256", "user:{link.id}")+"test_backend\nhandle_errors {\nrespond \"{http.signed_link.reason}/{http.signed_link.detail}/{http.signed_link.key_id} {http.request.uri}\" {err.status_code}\n}\n")
	if a := s.Get("/k/42/" + fixture.Sum256("first-secret-0123456789abcdef", "user:42")); a.Seen == nil || a.Header1(t, "X-Verified-User") != "42" || a.Seen.URI != "/page/42" {
		t.Fatalf("a link: %d %s", a.Code, a.Body)
	}
	for _, id := range []string{"42", "43", "44", "zz", "44%20"} {
		a := s.Get("/k/" + id + "/" + fixture.Sum256("", "user:"+id))
		if want := "bad_signature// /k/" + id + "/REDACTED"; a.Code != http.StatusUnauthorized || a.Body.String() != want {
			t.Errorf("%s: %d %q, want %q", id, a.Code, a.Body, want)
		}
	}
	// one user's link with another one's id
	if a := s.Get("/k/43/" + fixture.Sum256("first-secret-0123456789abcdef", "user:43")); a.Seen != nil {
		t.Errorf("%s", a.Body)
	}
}

// TestAttackPathThrottle: guesses at links of paths count for the network and for the user that
// the path names, and for no other; what is no guess does not.
func TestAttackPathThrottle(t *testing.T) {
	t.Setenv("USER_42", "first-secret-0123456789abcdef")
	t.Setenv("USER_43", "other-secret-0123456789abcdef")
	s := pathSite(t, "@k path /k /k/*\n"+userLinks("throttled_paths", "hmac-sha256", "user:{link.id}", "throttle 10 1m")+"test_backend\n"+reasons)
	s.At(time.Unix(1_800_000_000, 0))
	good := "/k/42/" + fixture.Sum256("first-secret-0123456789abcdef", "user:42")
	for range 30 { // none of these is a guess
		for _, target := range []string{"/k/42", "/k/42/x/y", "/page/42", "/;/k/42/x"} {
			s.From("192.0.2.1", target)
		}
	}
	guess := func(id string, n int) string {
		return s.From("192.0.2.1", fmt.Sprintf("/k/%s/%064d", id, n)).Body.String()
	}
	for i := range 5 { // half of the allowance is for one user
		if said := guess("42", i); said != "bad_signature/" {
			t.Fatalf("guess %d: %s", i, said)
		}
	}
	for _, id := range []string{"42", "%34%32"} {
		if said := guess(id, 0); said != "throttled/" {
			t.Errorf("of %s: %s", id, said)
		}
	}
	for i := range 5 { // somebody without a key is a user like others
		if said := guess("44", i); said != "bad_signature/" {
			t.Fatalf("guess %d at another user: %s", i, said)
		}
	}
	for _, target := range []string{good, "/k/43/" + strings.Repeat("0", 64), "/k/45/" + strings.Repeat("0", 64)} {
		if a := s.From("192.0.2.1", target); a.Code != http.StatusTooManyRequests || a.Seen != nil {
			t.Errorf("%s: %d %s", target, a.Code, a.Body)
		}
	}
	if a := s.From("198.51.100.1", good); a.Seen == nil {
		t.Errorf("another network: %d %s", a.Code, a.Body)
	}
}

// TestAttackPathReload: a request that is under way when the configuration changes is handed on
// by the one with which it began: moved by its link, or refused.
func TestAttackPathReload(t *testing.T) {
	t.Setenv("PATH_KEY", fixture.HMACKey)
	web := httpWire(t, "200 OK")
	socket := gatewaytest.NewSocket(t)
	var configs [][]byte
	for _, to := range []string{"/page/{link.id}", "/other/{link.id}"} {
		text := "{\nadmin off\npersist_config off\nauto_https off\n" + discard + "}\nhttp:// {\nbind unix/" + socket.Path + "\n@u path /u /u/*\n" + strings.Replace(unsubscribe("@u"), "/page/{link.id}", to, 1) + "reverse_proxy unix/" + web.Path + "\n}\n"
		config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
		if err != nil {
			t.Fatal(err)
		}
		configs = append(configs, config)
	}
	if err := caddy.Load(configs[0], true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				target, want := unsubscribeLink("42"), http.StatusOK
				if i%2 == 1 {
					target, want = "/u/43/"+unsubscribeSignature("42"), http.StatusUnauthorized
				}
				response, _, err := socket.Get(target)
				if err != nil {
					t.Errorf("%s: %v", target, err)
				} else if response.StatusCode != want {
					t.Errorf("%s: %d", target, response.StatusCode)
				}
			}
		})
	}
	for i := range 12 {
		if err := caddy.Load(configs[(i+1)%2], true); err != nil {
			t.Errorf("load %d: %v", i, err)
		}
	}
	close(stop)
	wait.Wait()
	lines, _, _ := web.take()
	if len(lines) == 0 {
		t.Error("nothing arrived")
	}
	for _, request := range lines {
		if request != "GET /page/42 HTTP/1.1" && request != "GET /other/42 HTTP/1.1" {
			t.Errorf("the backend gets %q", request)
		}
	}
}

// TestAttackLongPath: a link of a path up to the bound verifies; one beyond it, and one of a
// thousand segments that lead astray, are refused, and none of them arrives.
func TestAttackLongPath(t *testing.T) {
	s := pathSite(t, pathMatchers3+unsubscribe("@u", "missing pass")+download("@d", "missing pass")+segment("@v", "missing pass")+"test_backend\n"+reasons)
	thousand := strings.TrimSuffix(strings.Repeat("a/", 1000), "/")
	for _, file := range []string{thousand, strings.Repeat("a", 8000), strings.Repeat("%61", 2600)} {
		link := "/dl/" + downloadSignature(strings.ReplaceAll(file, "%61", "a")) + "/" + file
		if a := s.Get(link); a.Seen == nil || a.Seen.URI != "/files/"+file {
			t.Errorf("%.100s: %d %.100s", link, a.Code, a.Body)
		}
	}
	for _, path := range []string{
		"/dl/" + downloadSignature("a") + "/" + strings.Repeat("a", 8<<10), "/dl/" + strings.Repeat("a", 32<<10), "/dl/" + downloadSignature("a") + strings.Repeat("/..", 1000) + "/files/x", "/files/" + strings.Repeat("a/", 5000), "/files" + strings.Repeat("/", 1000) + "x",
		strings.Repeat("/..", 1000) + "/files/x", strings.Repeat("/x/..", 1000) + "/files/x", strings.Repeat("/.", 1000) + "/page/42", strings.Repeat("/;", 1000) + "/page/42", "/v/" + strings.Repeat("x/", 1000), strings.Repeat("/index.php", 100) + "/page/42", "/%25" + strings.Repeat("25", 1000) + "70age/42",
	} {
		if a := s.Get(path); a.Seen != nil && !strings.HasPrefix(path, "/%25") {
			t.Errorf("%.60s… of %d bytes arrives", path, len(path))
		}
	}
}

// TestAttackMovedPastDefinition: a link of one definition leads to a page of another one, which
// stands before it and was asked about the path as sent: with a parameter that this one protects
// the client would be whoever it likes there. Caddy sorts definitions by the length of their
// paths, so the order must say nothing.
func TestAttackMovedPastDefinition(t *testing.T) {
	public := strings.Replace(download("@d"), "to /files/{link.file}", "to /files/{link.file} public", 1)
	files := func(mode string) string {
		return "@f path /files /files/*\nsigned_link @f " + mode + " keyed_hash {env.PATH_KEY} {\nname files\nalgorithm hmac-sha256\nmessage {query.user}\nsignature {query.sig}\nallow no_expiry\nuser {query.user}\n}\n"
	}
	jeff := "?user=jeff&sig=" + fixture.Sum256(fixture.HMACKey, "jeff")
	const d = "@d path /dl /dl/*\n"
	for name, order := range map[string]func(mode, mover string) string{
		"before": func(mode, mover string) string { return "route {\n" + d + files(mode) + mover + "test_backend\n}\n" },
		"behind": func(mode, mover string) string { return "route {\n" + d + mover + files(mode) + "test_backend\n}\n" },
		"sorted": func(mode, mover string) string { return d + mover + files(mode) + "test_backend\n" },
		"in handle": func(mode, mover string) string {
			return d + mover + "handle /files/* {\n" + strings.Replace(files(mode), "@f path /files /files/*\nsigned_link @f", "signed_link", 1) + "test_backend\n}\nhandle {\ntest_backend\n}\n"
		},
	} {
		for _, mover := range []string{download("@d"), public} {
			s := pathSite(t, order("", mover)+reasons)
			for _, query := range []string{"", "?user=mike", strings.Replace(jeff, "jeff", "mike", 1), "?a=1&us%65r=mike"} {
				if a := s.Get(downloadLink("x") + query); a.Seen != nil {
					t.Errorf("%s: %s: %s", name, query, a.Body)
				}
			}
			if a := s.Get(downloadLink("x") + jeff); a.Seen == nil || a.Seen.URI != "/files/x?user=jeff" || a.Header1(t, "X-Verified-User") != "jeff" {
				t.Errorf("%s: both links: %d %s", name, a.Code, a.Body)
			}
			s = pathSite(t, order("recognize", mover)+reasons)
			for _, query := range []string{"", "?user=mike", strings.Replace(jeff, "jeff", "mike", 1)} {
				if a := s.Get(downloadLink("x") + query); a.Seen == nil || strings.Contains(a.Seen.URI, "mike") || a.Header1(t, "X-Verified-User") != "" {
					t.Errorf("%s, recognize: %s: %d %s", name, query, a.Code, a.Body)
				}
			}
		}
	}
}
