package attack_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
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
