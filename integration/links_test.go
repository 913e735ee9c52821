//go:build integration

package integration

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

const sialSecret = "BXoAt2FYTpANLU5HJP1ZCFZ9fcvsl3RkcUZ4sTLYupD"

// hmacSHA256 is the signature of a link of the newer kind.
func hmacSHA256(value string) string {
	mac := hmac.New(sha256.New, []byte(linkSecret))
	mac.Write([]byte(value))
	return hex.EncodeToString(mac.Sum(nil))
}

// action is the signature of an action link.
func action(user, name, title string) string {
	sum := sha1.Sum([]byte(user + ":" + name + ":" + title + ":" + sialSecret))
	return hex.EncodeToString(sum[:])
}

// link is one of the kinds of links, with how it is tampered with.
type link struct {
	kind       string
	definition string // of the scheme, and a header of the operator's own
	path       string
	pairs      string   // of the link
	signature  []string // parameters
	signed     []string // parameters, less the signature's
	identity   []string // parameters
	secret     string   // what no backend may see once the signature is cut
	user       string
	headers    map[string]string // of a verified request
	tampered   []tampered
}

// tampered is a link that does not verify, and the status by which require says so.
type tampered struct {
	name, path, query string
	status            int
}

var links = []link{
	{
		kind:       "akid",
		definition: "akid {env.AKID_SECRET}",
		path:       "/app/",
		pairs:      "akid=" + akid("2695.103007"),
		signature:  []string{"akid"},
		secret:     akid("2695.103007"),
		user:       "103007",
		headers:    map[string]string{"X-Verified-Mailing": "2695"},
		tampered: []tampered{
			{"other user", "", "akid=" + strings.Replace(akid("2695.103007"), "103007", "103008", 1), 401},
			{"no mailing", "", "akid=" + strings.TrimPrefix(akid("2695.103007"), "2695"), 401},
			{"no token", "", "akid=1", 400},
			{"empty", "", "akid=", 400},
			{"duplicate", "", "akid=" + akid("2695.103007") + "&akid=1.1.AAAAAA", 400},
			{"lookalike", "", "akid=" + akid("2695.103007") + "&ak%69d=1.1.AAAAAA", 400},
			{"array", "", "akid=" + akid("2695.103007") + "&akid%5B%5D=1.1.AAAAAA", 400},
			{"missing", "", "t=1", 401},
		},
	},
	{
		kind: "verifiable",
		definition: `keyed_hash {env.LINK_SECRET} {
			algorithm md5
			message {query.user}{secret}
			signature {query.key}
			param user alnum max 32
		}`,
		path:      "/app/",
		pairs:     "user=jeff&key=" + key("jeff"),
		signature: []string{"key"},
		signed:    []string{"user"},
		identity:  []string{"user"},
		secret:    key("jeff"),
		user:      "jeff",
		tampered: []tampered{
			{"other user", "", "user=admin&key=" + key("jeff"), 401},
			{"other key", "", "user=jeff&key=" + key("admin"), 401},
			{"empty key", "", "user=jeff&key=", 400},
			{"upper case", "", "user=jeff&key=" + strings.ToUpper(key("jeff")), 401},
			{"no user", "", "key=" + key(""), 400},
			{"empty user", "", "user=&key=" + key(""), 400},
			{"duplicate", "", "user=jeff&key=" + key("jeff") + "&user=admin", 400},
			{"lookalike", "", "user=jeff&key=" + key("jeff") + "&+us%65r=admin", 400},
			{"array", "", "user%5B%5D=admin&user=jeff&key=" + key("jeff"), 400},
			{"missing", "", "user=admin", 401},
		},
	},
	{
		kind: "sial",
		definition: `sial {
			user_keys inline {
				42 {env.SIAL_SECRET}
			}
			user {query.user}
			action {path} prefix /app/do/
			params title
			message {user}:{action}:{params}:{secret}
			signature {query.sig}
			param title digits
		}`,
		path:      "/app/do/watch",
		pairs:     "user=42&title=70143836&sig=" + action("42", "watch", "70143836"),
		signature: []string{"sig"},
		signed:    []string{"user", "title"},
		identity:  []string{"user"},
		secret:    action("42", "watch", "70143836"),
		user:      "42",
		tampered: []tampered{
			{"other action", "/app/do/delete", "user=42&title=70143836&sig=" + action("42", "watch", "70143836"), 401},
			{"other parameter", "", "user=42&title=1&sig=" + action("42", "watch", "70143836"), 401},
			{"other user", "", "user=43&title=70143836&sig=" + action("42", "watch", "70143836"), 401},
			{"unknown user's own", "", "user=43&title=70143836&sig=" + action("43", "watch", "70143836"), 401},
			{"no parameter", "", "user=42&sig=" + action("42", "watch", ""), 400},
			{"duplicate", "", "user=42&title=70143836&title=1&sig=" + action("42", "watch", "70143836"), 400},
			{"missing", "", "user=42&title=70143836", 401},
		},
	},
}

// The parameters around a link, which nobody signed. Nothing of them may change.
const (
	before = "first=%41&e=%2f%2F&"
	behind = "&&q=a+b%20c&flag&tags%5B%5D=1&tags%5B%5D=2&x=~*!()'&semi=a;b&="
)

// aliases are names of headers that Caddy drops unless the operator says otherwise.
const aliases = "expected_underscore_headers X_*\nexpected_dot_headers X.*"

// forged are headers of a client that wants to be somebody else.
func forged(p gateway.Protocol) []gateway.Field {
	fields := []gateway.Field{
		{Name: "X-Verified-User", Value: "forged"},
		{Name: "x-verified-USER", Value: "forged"},
		{Name: "X_Verified_User", Value: "forged"},
		{Name: "X.Verified.User", Value: "forged"},
		{Name: "X-Verified-Scheme", Value: "forged"},
		{Name: "X-Verified-Key-Id", Value: "forged"},
		{Name: "X-Verified-Mailing", Value: "forged"},
		{Name: "X-Verified-Other", Value: "forged"},
		{Name: "X-Member", Value: "forged"},
		{Name: "X_Member", Value: "forged"},
		{Name: "X.Member", Value: "forged"},
		{Name: "X-Original-Url", Value: "/forged"},
	}
	if p == gateway.HTTP1 {
		fields = append(fields, gateway.Field{Name: "Connection", Value: "X-Verified-User, X-Member, x_verified_user"})
	}
	return fields
}

// definition is the site's signed_link with these options.
func (l link) site(options string) string {
	scheme, rest, hasBlock := strings.Cut(l.definition, "{\n")
	if !hasBlock {
		scheme, rest = l.definition+" ", "}"
	}
	return "@app path /app /app/*\nsigned_link @app " + scheme + "{\n" +
		"request_header X-Member member-{user}\n" + options + "\n" + rest + "\n"
}

// verified are the protected headers of a verified request, and no others.
func (l link) verified() map[string][]string {
	headers := map[string][]string{
		"x-verified-user":   {l.user},
		"x-verified-scheme": {strings.Fields(l.definition)[0]},
		"x-member":          {"member-" + l.user},
	}
	for name, value := range l.headers {
		headers[strings.ToLower(name)] = []string{value}
	}
	return headers
}

// checkProtected compares the headers that an application could take for those of the
// gateway, wherever it has them from.
func checkProtected(t *testing.T, s *backends.Seen, want map[string][]string) {
	t.Helper()
	if got := protected(s.Headers); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("headers %q, want %q", got, want)
	}
	if got := protected(s.AllHeaders); s.AllHeaders != nil && !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("getallheaders() %q, want %q", got, want)
	}
}

func protected(headers map[string][]string) map[string][]string {
	found := make(map[string][]string)
	for name, values := range headers {
		fold := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(strings.TrimPrefix(name, "HTTP_")))
		if strings.HasPrefix(fold, "x-verified-") || fold == "x-member" || fold == "x-original-url" {
			found[fold] = append(found[fold], values...)
		}
	}
	return found
}

// want is what the application must see.
type want struct {
	status int    // of a refusal; 0: the request is forwarded
	path   string // as sent
	query  string
	link   *link // whose identity is set; nil: nobody's
	hidden string
}

// setup is one backend behind a gateway, watched by a tap.
type setup struct {
	backend application
	tap     *backends.Tap
	gateway *gateway.Gateway
	clients map[gateway.Protocol]*gateway.Client
}

func newSetup(t *testing.T, b application, servers string, sites map[string]string) *setup {
	t.Helper()
	s := &setup{backend: b, tap: backends.NewTap(t, b.address), clients: map[gateway.Protocol]*gateway.Client{}}
	all := make(map[string]string)
	for name, site := range sites {
		all[name] = strings.ReplaceAll(site, "PROXY", b.proxy(s.tap.Address))
		if !strings.Contains(site, "PROXY") {
			all[name] = site + b.proxy(s.tap.Address)
		}
	}
	s.gateway = gateway.Start(t, gateway.Config{
		Env:     append(slices.Clone(secrets), "SIAL_SECRET="+sialSecret),
		Servers: servers,
		Sites:   all,
		Secure:  true,
		Debug:   true,
	})
	for _, p := range gateway.Protocols {
		s.clients[p] = s.gateway.Client(t, p)
	}
	t.Cleanup(func() { s.checkLog(t) })
	return s
}

// checkLog looks for secrets in everything that Caddy has logged at level DEBUG, and
// for signatures in what the module itself has.
func (s *setup) checkLog(t *testing.T) {
	log := s.gateway.Log()
	for _, secret := range []string{linkSecret, akidSecret, sialSecret} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds the secret %s", secret)
		}
	}
	own := 0
	for line := range strings.SplitSeq(log, "\n") {
		if strings.Contains(line, `"panic`) {
			t.Errorf("panic: %s", line)
		}
		if !strings.Contains(line, `"logger":"http.handlers.signed_link"`) {
			continue
		}
		own++
		for _, l := range links {
			if strings.Contains(line, l.secret) {
				t.Errorf("the log holds a signature: %s", line)
			}
		}
	}
	if own == 0 {
		t.Error("the module has logged nothing")
	}
}

// do makes a request with forged headers.
func (s *setup) do(t *testing.T, p gateway.Protocol, site string, r gateway.Request) (response *gateway.Response, sent string) {
	t.Helper()
	r.Header = append(forged(p), r.Header...)
	s.tap.Take()
	response, err := s.clients[p].Do(site, r)
	if err != nil {
		t.Fatal(err)
	}
	return response, s.tap.Take()
}

// check makes a request and compares what became of it.
func (s *setup) check(t *testing.T, p gateway.Protocol, site string, r gateway.Request, w want) {
	t.Helper()
	response, sent := s.do(t, p, site, r)
	if strings.Contains(sent, "forged") {
		t.Errorf("a forged header left the gateway: %q", sent)
	}
	if w.hidden != "" && strings.Contains(sent, w.hidden) {
		t.Errorf("the signature left the gateway: %q", sent)
	}
	saw := seen(response)
	if w.status != 0 {
		checkRefusal(t, response, saw, w.status, sent)
		return
	}
	if saw == nil {
		t.Fatalf("the application has not answered: %d %q", response.Status, response.Body)
	}
	if saw.QueryString != w.query {
		t.Errorf("query %q, want %q", saw.QueryString, w.query)
	}
	uri := w.path
	if s.backend.php && w.query != "" {
		uri += "?" + w.query
	}
	if saw.RequestURI != uri {
		t.Errorf("REQUEST_URI %q, want %q", saw.RequestURI, uri)
	}
	checkParameters(t, s.backend, saw, w.query)
	headers, user := map[string][]string{}, ""
	if w.link != nil {
		headers, user = w.link.verified(), w.link.user
	}
	checkProtected(t, saw, headers)
	if s.backend.root == "" {
		user = "" // only FastCGI has REMOTE_USER
	}
	if saw.RemoteUser != user {
		t.Errorf("REMOTE_USER %q, want %q", saw.RemoteUser, user)
	}
}

func checkRefusal(t *testing.T, r *gateway.Response, saw *backends.Seen, status int, sent string) {
	t.Helper()
	if saw != nil || sent != "" {
		t.Errorf("a refused request reached the backend: %q", sent)
	}
	if r.Status != status {
		t.Errorf("status %d, want %d", r.Status, status)
	}
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	if got := r.Header.Get("WWW-Authenticate"); (got == "SignedLink") != (status == http.StatusUnauthorized) {
		t.Errorf("WWW-Authenticate %q", got)
	}
	if got := r.Header.Get("Allow"); (got != "") != (status == http.StatusMethodNotAllowed) {
		t.Errorf("Allow %q", got)
	}
}

// checkParameters compares the parameters that the links are about with the query.
func checkParameters(t *testing.T, b application, saw *backends.Seen, query string) {
	t.Helper()
	for _, name := range []string{"user", "key", "akid", "sig", "title", "first", "q"} {
		var values []string
		for segment := range strings.SplitSeq(query, "&") {
			if n, value, _ := strings.Cut(segment, "="); foldPHP(n, b.php) == name {
				values = append(values, unescape(value))
			}
		}
		if b.php && len(values) > 1 {
			values = values[len(values)-1:] // PHP takes the last
		}
		if got := saw.Params[name]; !slices.Equal(got, values) && !saw.Arrays[name] {
			t.Errorf("parameter %s: %q, want %q", name, got, values)
		}
	}
}

// foldPHP is the name under which PHP files a parameter, as far as the tests go.
func foldPHP(name string, php bool) string {
	name = unescape(name)
	if php {
		name, _, _ = strings.Cut(strings.TrimLeft(name, " "), "[")
	}
	return name
}

// cut returns the query less the parameters of those names in every spelling.
func cut(query string, names []string) string {
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(segment string) bool {
		name, _, _ := strings.Cut(segment, "=")
		return slices.Contains(names, foldPHP(name, true))
	})
	return strings.Join(kept, "&")
}

// keep returns the query less all parameters but those of these names.
func keep(query string, names []string) string {
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(segment string) bool {
		name, _, _ := strings.Cut(segment, "=")
		return segment != "" && !slices.Contains(names, name)
	})
	return strings.Join(kept, "&")
}

// eachBackend runs the test before every backend, and before more of them, plainly
// and with look-alike names of headers let in.
func eachBackend(t *testing.T, sites map[string]string, test func(t *testing.T, s *setup), more ...application) {
	for _, b := range append([]application{fpm(t, "fpm"), phpServer(t), tomcat(t)}, more...) {
		for name, servers := range map[string]string{"plain": "", "aliases": aliases} {
			t.Run(b.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, newSetup(t, b, servers, sites))
			})
		}
	}
}

func eachProtocol(t *testing.T, test func(t *testing.T, p gateway.Protocol)) {
	for _, p := range gateway.Protocols {
		t.Run(string(p), func(t *testing.T) { test(t, p) })
	}
}

var modes = map[string]string{
	"require":   "",
	"pass":      "missing pass",
	"recognize": "mode recognize",
	"observe":   "mode observe",
}

// TestModes sends every kind of link, good and tampered with, in every mode.
func TestModes(t *testing.T) {
	t.Parallel()
	sites := make(map[string]string)
	for _, l := range links {
		for mode, options := range modes {
			sites[l.kind+" "+mode] = l.site(options)
		}
	}
	eachBackend(t, sites, func(t *testing.T, s *setup) {
		for _, l := range links {
			for mode := range modes {
				t.Run(l.kind+"/"+mode, func(t *testing.T) { testMode(t, s, l, mode) })
			}
		}
	})
}

func testMode(t *testing.T, s *setup, l link, mode string) {
	site := l.kind + " " + mode
	t.Run("valid", func(t *testing.T) {
		eachProtocol(t, func(t *testing.T, p gateway.Protocol) {
			query := before + l.pairs + behind
			w := want{path: l.path, query: cut(query, l.signature), link: &l, hidden: l.secret}
			if mode == "observe" {
				w = want{path: l.path, query: query}
			}
			s.check(t, p, site, gateway.Request{Target: l.path + "?" + query}, w)
		})
	})
	for _, c := range l.tampered {
		t.Run(c.name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p gateway.Protocol) {
				path, query := l.path, before+c.query+behind
				if c.path != "" {
					path = c.path
				}
				w := want{path: path, query: cut(query, slices.Concat(l.signature, l.identity)), hidden: l.secret}
				switch {
				case mode == "observe":
					w = want{path: path, query: query}
				case mode == "recognize", mode == "pass" && c.name == "missing":
				default:
					w.status = c.status
				}
				s.check(t, p, site, gateway.Request{Target: path + "?" + query}, w)
			})
		})
	}
}

// TestStrip looks at what is left of a verified query.
func TestStrip(t *testing.T) {
	t.Parallel()
	sites := make(map[string]string)
	strips := []string{"signature", "signed", "none"}
	unsigneds := []string{"keep", "strip"}
	for _, l := range links {
		for _, strip := range strips {
			for _, unsigned := range unsigneds {
				sites[l.kind+strip+unsigned] = l.site("strip " + strip + "\nunsigned " + unsigned)
			}
		}
	}
	eachBackend(t, sites, func(t *testing.T, s *setup) {
		for _, l := range links {
			for _, strip := range strips {
				for _, unsigned := range unsigneds {
					t.Run(l.kind+"/"+strip+"/unsigned "+unsigned, func(t *testing.T) {
						eachProtocol(t, func(t *testing.T, p gateway.Protocol) {
							query := before + l.pairs + behind
							w := want{path: l.path, query: query, link: &l, hidden: l.secret}
							if unsigned == "strip" {
								w.query = keep(w.query, slices.Concat(l.signature, l.signed))
							}
							switch strip {
							case "signature":
								w.query = cut(w.query, l.signature)
							case "signed":
								w.query = cut(w.query, slices.Concat(l.signature, l.signed))
							case "none":
								w.hidden = ""
							}
							s.check(t, p, l.kind+strip+unsigned, gateway.Request{Target: l.path + "?" + query}, w)
						})
					})
				}
			}
		}
	})
}

var verifiable = links[1]

// good is the query of a good link.
var good = verifiable.pairs

// TestForgedHeaders looks for a client's own identity headers wherever a request can
// leave the gateway.
func TestForgedHeaders(t *testing.T) {
	t.Parallel()
	sites := map[string]string{
		"site":   verifiable.site(""),
		"errors": verifiable.site("") + "PROXY\nhandle_errors {\nPROXY\n}\n",
		"guard":  "signed_link guard\n",
		"nested": "signed_link guard\nhandle /app/in/* {\n" + verifiable.site("") + "PROXY\n}\nhandle {\nPROXY\n}\n",
	}
	eachBackend(t, sites, func(t *testing.T, s *setup) {
		eachProtocol(t, func(t *testing.T, p gateway.Protocol) {
			t.Run("matched", func(t *testing.T) {
				s.check(t, p, "site", gateway.Request{Target: "/app/?" + good},
					want{path: "/app/", query: "user=jeff", link: &verifiable, hidden: verifiable.secret})
			})
			t.Run("other route", func(t *testing.T) {
				s.check(t, p, "site", gateway.Request{Target: "/other/?user=admin"}, want{path: "/other/", query: "user=admin"})
			})
			t.Run("guarded site", func(t *testing.T) {
				s.check(t, p, "guard", gateway.Request{Target: "/app/?user=admin"}, want{path: "/app/", query: "user=admin"})
			})
			t.Run("beside a nested definition", func(t *testing.T) {
				s.check(t, p, "nested", gateway.Request{Target: "/x?user=admin"}, want{path: "/x", query: "user=admin"})
			})
			t.Run("a nested definition", func(t *testing.T) {
				s.check(t, p, "nested", gateway.Request{Target: "/app/in/?" + good},
					want{path: "/app/in/", query: "user=jeff", link: &verifiable, hidden: verifiable.secret})
			})
			t.Run("refusal", func(t *testing.T) {
				s.check(t, p, "site", gateway.Request{Target: "/app/?user=admin&key=" + key("jeff")}, want{status: 401})
			})
			for name, r := range map[string]gateway.Request{
				"bad signature": {Target: "/app/?user=admin&key=" + key("jeff") + "&t=1"},
				"duplicate":     {Target: "/app/?user=admin&" + good + "&t=1"},
				"lookalike":     {Target: "/app/?+user=admin&" + good + "&t=1"},
				"missing":       {Target: "/app/?user=admin&t=1"},
				"path":          {Target: "/other/..;/app/" + strings.Repeat("x.php/", 40) + "?t=1&" + good},
				"reading":       {Target: "/other/..;/app/?t=1&user=admin&key=" + key("jeff")},
				"method":        {Method: "DELETE", Target: "/app/?t=1&" + good},
				"body": {
					Method: "POST", Target: "/app/?t=1&" + good, Body: "user=admin",
					Header: []gateway.Field{{Name: "Content-Type", Value: formType}},
				},
				"before the routes": {Method: strings.Repeat("A", 33), Target: "/app/?t=1&user=admin&key=" + key("jeff"), Body: "user=admin"},
			} {
				t.Run("error route/"+name, func(t *testing.T) {
					r.Header = append(r.Header, gateway.Field{Name: "Cookie", Value: "user=admin; other=1"})
					s.checkErrorRoute(t, p, r)
				})
			}
		})
	})
}

// checkErrorRoute makes a request that is refused, and looks at what the error route
// hands to the application.
func (s *setup) checkErrorRoute(t *testing.T, p gateway.Protocol, r gateway.Request) {
	t.Helper()
	response, sent := s.do(t, p, "errors", r)
	for _, word := range []string{"forged", "admin", "jeff", verifiable.secret} {
		if strings.Contains(sent, word) {
			t.Errorf("%s left the gateway: %q", word, sent)
		}
	}
	if sent == "" {
		t.Error("the error route has not proxied")
	}
	saw := seen(response)
	if saw == nil {
		return // the backend itself takes no such method or path
	}
	if saw.QueryString != "t=1" {
		t.Errorf("query %q", saw.QueryString)
	}
	checkProtected(t, saw, nil)
	if len(saw.Body) > 0 || len(saw.Post) > 0 {
		t.Errorf("body %q, %q", saw.Body, saw.Post)
	}
}

// TestTrailers announces trailers, and sends some without a word.
func TestTrailers(t *testing.T) {
	t.Parallel()
	sites := map[string]string{"site": verifiable.site("methods GET HEAD POST")}
	trailers := []gateway.Field{
		{Name: "X-Verified-User", Value: "forged"},
		{Name: "X_Verified_User", Value: "forged"},
		{Name: "X.Verified.User", Value: "forged"},
		{Name: "X-Harmless", Value: "forged"},
	}
	form := []gateway.Field{{Name: "Content-Type", Value: formType}}
	eachBackend(t, sites, func(t *testing.T, s *setup) {
		for route, target := range map[string]string{"matched": "/app/", "other": "/other/"} {
			eachProtocol(t, func(t *testing.T, p gateway.Protocol) {
				r := gateway.Request{Method: "POST", Target: target + "?" + good, Header: form, Body: "comment=hi", Unsized: true, Trailers: trailers}
				response, sent := s.do(t, p, "site", r)
				s.checkTrailers(t, response, sent, route)
			})
			t.Run(route+"/unannounced/HTTP/1.1", func(t *testing.T) {
				s.tap.Take()
				responses, err := gateway.SendHTTP1(s.gateway.Address("site"), "POST", []byte("POST "+target+"?"+good+" HTTP/1.1\r\n"+
					"Host: "+gateway.Host+"\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
					"Transfer-Encoding: chunked\r\n\r\na\r\ncomment=hi\r\n0\r\nX-Verified-User: forged\r\n\r\n"), false)
				if err != nil || len(responses) != 1 {
					t.Fatal(responses, err)
				}
				s.checkTrailers(t, responses[0], s.tap.Take(), route)
			})
			t.Run(route+"/unannounced/h2c", func(t *testing.T) {
				s.tap.Take()
				response, err := gateway.SendHTTP2(s.gateway.Address("site"), []gateway.Field{
					{Name: ":method", Value: "POST"},
					{Name: ":scheme", Value: "http"},
					{Name: ":authority", Value: gateway.Host},
					{Name: ":path", Value: target + "?" + good},
					{Name: "content-type", Value: "application/x-www-form-urlencoded"},
				}, []byte("comment=hi"), []gateway.Field{{Name: "x-verified-user", Value: "forged"}})
				if err != nil || response == nil {
					t.Fatal(response, err)
				}
				s.checkTrailers(t, response, s.tap.Take(), route)
			})
		}
	}, apache(t), tomcat9(t))
}

func (s *setup) checkTrailers(t *testing.T, response *gateway.Response, sent, route string) {
	t.Helper()
	if strings.Contains(sent, "forged") {
		t.Errorf("a trailer left the gateway: %q", sent)
	}
	saw := seen(response)
	if saw == nil {
		t.Fatalf("the application has not answered: %d %q", response.Status, response.Body)
	}
	if !strings.Contains(sent, "comment=hi") {
		t.Errorf("the body is gone: %q", sent)
	}
	headers := map[string][]string{}
	if route == "matched" {
		headers = verifiable.verified()
	}
	checkProtected(t, saw, headers)
}

// TestQueryBytes puts a link among parameters that no honest parser likes. What the
// backend itself takes leaves the gateway as it came.
func TestQueryBytes(t *testing.T) {
	t.Parallel()
	others := []string{
		"", "&", "&&", "=", "=&=", "a", "a=", "=a", "a=b=c", "a=%", "a=%zz", "a=%4", "a=100%", "a=b;c=d", ";", "a=+&b=%2B&c=%2b",
		"a=%00", "a=%0d%0a", "a=%ff%fe", "a=\xe9\xe8", "a=\xc3\xa9", "a=b|c", "a[]=1&a[]=2", "a[b][c]=1", "a.b=1&a_b=2", "?a=b?c",
		"a=<b>&c=\"d\"&e=`f`&g={h}&i=\\j&k=^l", "next=http://x.example/?user=admin", "next=http%3A%2F%2Fx.example%2F%3Fuser%3Dadmin",
		"username=x&users=1&superuser=2&user_id=3&monkey=4", "a=%75ser&b=%6bey", "a=@:/?!$'()*,~",
	}
	sites := map[string]string{"php": verifiable.site("backend php"), "strict": verifiable.site("")}
	eachBackend(t, sites, func(t *testing.T, s *setup) {
		// a Caddy of its own: a site without a guard before the same backend does not load
		open := gateway.Start(t, gateway.Config{Sites: map[string]string{"plain": s.backend.proxy(s.tap.Address)}, Quiet: true})
		profiles := []string{"strict", "php"}
		if !s.backend.php {
			profiles = profiles[:1]
		}
		address := func(site string) string { return s.gateway.Address(site) }
		for _, other := range others {
			for where, query := range map[string]string{
				"before": other + "&" + good,
				"behind": good + "&" + other,
				"within": strings.Replace(good, "&", "&"+other+"&", 1),
			} {
				t.Run(fmt.Sprintf("%q/%s", other, where), func(t *testing.T) {
					_, plain, _ := sendQuery(t, open.Address("plain"), query, s)
					for _, profile := range profiles {
						saw, response, sent := sendQuery(t, address(profile), query, s)
						if saw == nil {
							if plain.Status != response.Status || sent == "" {
								t.Errorf("%s: %d %q; without the gateway %d", profile, response.Status, response.Body, plain.Status)
							}
							continue
						}
						want := without(query, "key")
						if s.backend.root != "" {
							if saw.QueryString != want || saw.RequestURI != "/app/?"+want {
								t.Errorf("%s: QUERY_STRING %q, REQUEST_URI %q, want %q", profile, saw.QueryString, saw.RequestURI, want)
							}
						} else if line, _, _ := strings.Cut(sent, "\r\n"); line != "GET /app/?"+want+" HTTP/1.1" {
							t.Errorf("%s: %q, want the query %q", profile, line, want)
						}
						if got := saw.Header("X-Verified-User"); !slices.Equal(got, []string{"jeff"}) {
							t.Errorf("%s: X-Verified-User %q", profile, got)
						}
					}
				})
			}
		}
	})
}

func sendQuery(t *testing.T, address, query string, s *setup) (*backends.Seen, *gateway.Response, string) {
	t.Helper()
	s.tap.Take()
	raw := "GET /app/?" + query + " HTTP/1.1\r\nHost: " + gateway.Host + "\r\nConnection: close\r\n\r\n"
	responses, err := gateway.SendHTTP1(address, "GET", []byte(raw), false)
	if err != nil || len(responses) != 1 {
		t.Fatal(responses, err)
	}
	return seen(responses[0]), responses[0], s.tap.Take()
}

// TestSeveral has several schemes in a definition, and several definitions.
func TestSeveral(t *testing.T) {
	t.Parallel()
	const md5Scheme = "keyed_hash {env.LINK_SECRET} {\nname md5\nalgorithm md5\nmessage {query.user}{secret}\nsignature {query.key}\nparam user alnum max 32\n}\n"
	const hmacScheme = "keyed_hash {env.LINK_SECRET} {\nname hmac\nalgorithm hmac-sha256\nmessage {query.user}\nsignature {query.key}\nparam user alnum max 32\n}\n"
	sites := map[string]string{
		// The headers of one site are protected on the others.
		"migration": "signed_link {\nrequest_header X-Member {user}\nscheme " + hmacScheme + "scheme " + md5Scheme + "}\n",
		"two links": "signed_link {\nscheme akid {env.AKID_SECRET}\nscheme " + md5Scheme + "}\n",
		"two definitions": "signed_link recognize akid {env.AKID_SECRET}\n" +
			"@app path /app /app/*\nsigned_link @app " + md5Scheme,
		"one user twice": "signed_link akid {env.AKID_SECRET}\n" +
			"signed_link keyed_hash {env.LINK_SECRET} {\nname md5\nalgorithm md5\nmessage {query.user}{secret}\nsignature {query.key}\nparam user digits\n}\n",
	}
	hmacKey := hmacSHA256("jeff")
	token := akid("2695.103007")
	as := func(user, scheme string, more ...string) map[string][]string {
		headers := map[string][]string{"x-verified-user": {user}, "x-verified-scheme": {scheme}}
		for i := 0; i < len(more); i += 2 {
			headers[more[i]] = []string{more[i+1]}
		}
		return headers
	}
	const mailing, member = "x-verified-mailing", "x-member"
	cases := []struct {
		name, site, target string
		status             int
		query              string
		headers            map[string][]string
	}{
		{"old scheme", "migration", "/x?" + good, 0, "user=jeff", as("jeff", "md5", member, "jeff")},
		{"new scheme", "migration", "/x?user=jeff&key=" + hmacKey, 0, "user=jeff", as("jeff", "hmac", member, "jeff")},
		{"neither", "migration", "/x?user=admin&key=" + hmacKey, 401, "", nil},
		{"akid of two", "two links", "/x?a=1&akid=" + token, 0, "a=1", as("103007", "akid", mailing, "2695")},
		{"key of two", "two links", "/x?a=1&" + good, 0, "a=1&user=jeff", as("jeff", "md5")},
		{"akid and a user that it does not sign", "two links", "/x?user=admin&akid=" + token, 400, "", nil},
		{"both links", "two links", "/x?" + good + "&akid=" + token, 400, "", nil},
		{"first definition only", "two definitions", "/other?user=a&akid=" + token, 0, "user=a", as("103007", "akid", mailing, "2695")},
		{"second definition only", "two definitions", "/app/?" + good, 0, "user=jeff", as("jeff", "md5")},
		{"a bad first one", "two definitions", "/app/?" + good + "&akid=1.1.AAAAAA", 0, "user=jeff", as("jeff", "md5")},
		{"a good first, no second", "two definitions", "/app/?akid=" + token, 401, "", nil},
		{"two users", "two definitions", "/app/?" + good + "&akid=" + token, 400, "", nil},
		{"the same user", "one user twice", "/x?user=103007&key=" + key("103007") + "&akid=" + token, 0, "user=103007", as("103007", "akid", mailing, "2695")},
		{"another user", "one user twice", "/x?user=103008&key=" + key("103008") + "&akid=" + token, 400, "", nil},
	}
	eachBackend(t, sites, func(t *testing.T, s *setup) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				eachProtocol(t, func(t *testing.T, p gateway.Protocol) {
					response, sent := s.do(t, p, c.site, gateway.Request{Target: c.target})
					if strings.Contains(sent, "forged") || strings.Contains(sent, token) || strings.Contains(sent, key("jeff")) {
						t.Errorf("left the gateway: %q", sent)
					}
					saw := seen(response)
					if c.status != 0 {
						checkRefusal(t, response, saw, c.status, sent)
						return
					}
					if saw == nil {
						t.Fatalf("the application has not answered: %d %q", response.Status, response.Body)
					}
					if saw.QueryString != c.query {
						t.Errorf("query %q, want %q", saw.QueryString, c.query)
					}
					checkProtected(t, saw, c.headers)
				})
			})
		}
	})
}

const (
	formType      = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data; boundary=BB"
)

func part(name, value string) string {
	return "--BB\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n--BB--\r\n"
}

// TestBodies sends links with bodies.
func TestBodies(t *testing.T) {
	t.Parallel()
	sites := map[string]string{
		"default": verifiable.site(""),
		"named":   verifiable.site("methods GET HEAD POST"),
	}
	cases := []struct {
		name, site, method, contentType, body string
		status                                int // 0: forwarded with its body; 1: forwarded without
	}{
		{"GET", "default", "GET", "", "", 1},
		{"HEAD", "default", "HEAD", "", "", 1},
		{"GET with a form", "default", "GET", formType, "user=admin", 400},
		{"GET with a form, named", "named", "GET", formType, "user=admin", 400},
		{"GET with a multipart body", "named", "GET", multipartType, part("user", "admin"), 400},
		{"GET with a harmless form", "named", "GET", formType, "a=1", 400},
		{"HEAD with a form", "named", "HEAD", formType, "a=1", 400},
		{"POST, not named", "default", "POST", formType, "List-Unsubscribe=One-Click", 405},
		{"PUT, not named", "named", "PUT", formType, "a=1", 405},
		{"one click", "named", "POST", formType, "List-Unsubscribe=One-Click", 0},
		{"one click, multipart", "named", "POST", multipartType, part("List-Unsubscribe", "One-Click"), 0},
		{"no body", "named", "POST", "", "", 1},
		{"a form of the application", "named", "POST", formType, "comment=hi&tags%5B%5D=a&x=%zz&;", 0},
		{"JSON", "named", "POST", "application/json", `{"comment": {"user": "someone"}}`, 0},
		{"bytes", "named", "POST", "application/octet-stream", "\x00\xffuser=admin", 0},
		{"the user", "named", "POST", formType, "a=1&user=admin", 400},
		{"the user, folded", "named", "POST", formType, "+user%00x=admin", 400},
		{"the user, multipart", "named", "POST", multipartType, part("user", "admin"), 400},
		{"the user, JSON", "named", "POST", "application/json", `{"user": "admin"}`, 400},
		{"the user, without a type", "named", "POST", "", "user=admin", 400},
		{"the key", "named", "POST", formType, "key=1", 400},
		{"another method", "named", "POST", formType, "_method=DELETE", 400},
		{"EBCDIC", "named", "POST", formType + "; charset=IBM037", "%A4%A2%85%99=%81%84%94%89%95", 400},
	}
	eachBackend(t, sites, func(t *testing.T, s *setup) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				for _, unsized := range []bool{false, true} {
					if unsized && c.body == "" {
						continue
					}
					t.Run(fmt.Sprintf("unsized=%t", unsized), func(t *testing.T) {
						eachProtocol(t, func(t *testing.T, p gateway.Protocol) {
							r := gateway.Request{Method: c.method, Target: "/app/?" + good, Body: c.body, Unsized: unsized}
							if c.contentType != "" {
								r.Header = []gateway.Field{{Name: "Content-Type", Value: c.contentType}}
							}
							status := c.status
							// HTTP/2 and HTTP/3 say nothing of a body in a GET that comes without its
							// length; that of HTTP/1.1 is announced by its transfer coding.
							if unsized && p != gateway.HTTP1 && (c.method == "GET" || c.method == "HEAD") {
								status = 1
							}
							s.checkBody(t, p, c.site, r, status)
						})
					})
				}
			})
		}
	})
}

func (s *setup) checkBody(t *testing.T, p gateway.Protocol, site string, r gateway.Request, status int) {
	t.Helper()
	response, sent := s.do(t, p, site, r)
	if status > 1 {
		checkRefusal(t, response, seen(response), status, sent)
		return
	}
	if response.Status != http.StatusOK {
		t.Fatalf("status %d %q", response.Status, response.Body)
	}
	if strings.Contains(sent, verifiable.secret) || strings.Contains(sent, "forged") {
		t.Errorf("left the gateway: %q", sent)
	}
	if has := strings.Contains(sent, r.Body); r.Body != "" && has != (status == 0) {
		t.Errorf("the body left the gateway: %t: %q", has, sent)
	}
	if r.Method == http.MethodHead {
		return
	}
	saw := seen(response)
	if saw == nil {
		t.Fatalf("the application has not answered: %q", response.Body)
	}
	if saw.Method != r.Method {
		t.Errorf("method %s", saw.Method)
	}
	checkProtected(t, saw, verifiable.verified())
	if got := saw.Params["user"]; !slices.Equal(got, []string{"jeff"}) {
		t.Errorf("user %q", got)
	}
	if status == 1 && (len(saw.Body) > 0 || len(saw.Post) > 0) {
		t.Errorf("a body arrived: %q, %q", saw.Body, saw.Post)
	}
}
