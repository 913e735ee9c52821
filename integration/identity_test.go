//go:build integration

package integration

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/attacks"
	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

// forgery is what the client writes where it wants to be somebody else.
const forgery = "forged"

// basic is HTTP Basic authentication as the forgery.
var basic = gateway.Field{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(forgery+":x"))}

// believed are all places of what an application saw that hold the forgery.
func believed(s *backends.Seen) (found []string) {
	for name, values := range s.Headers {
		for _, v := range values {
			if strings.Contains(v, forgery) {
				found = append(found, name)
			}
		}
	}
	for name, values := range s.AllHeaders {
		for _, v := range values {
			if strings.Contains(v, forgery) {
				found = append(found, "getallheaders "+name)
			}
		}
	}
	for name, v := range s.Server {
		if strings.Contains(v, forgery) {
			found = append(found, "$_SERVER "+name)
		}
	}
	if strings.Contains(s.RemoteUser, forgery) {
		found = append(found, "the remote user")
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// jeffs is jeff's genuine link.
func jeffs() string { return "user=jeff&key=" + key("jeff") }

// identitySites are a definition in each mode.
func identitySites(b application) map[string]string {
	profile := "servlet"
	if b.php {
		profile = "php"
	}
	with := func(mode, options string) string {
		return guardedApp + "signed_link @m " + mode + " " + strings.TrimSuffix(scheme(profile), "}") + "request_header X-Member {user}\n" + options + "\n}\n" + b.proxy(b.address)
	}
	return map[string]string{
		"require":   with("require", ""),
		"recognize": with("recognize", ""),
		"observe":   with("observe", ""),
	}
}

// identityRequests are the requests to a site, and who has been verified with them.
var identityRequests = []struct{ name, path, query, user string }{
	{"a link", "/app/login", jeffs(), "jeff"},
	{"no link", "/app/login", "x=1", ""},
	{"a bad link", "/app/login", "user=admin&key=" + key("jeff"), ""},
	{"another path", "/public/x", "x=1", ""},
	{"a link on another path", "/public/x", jeffs(), ""},
}

// identityBackends are what the default run has.
func identityBackends(t *testing.T) []application {
	return []application{fpm(t, "fpm"), apache(t), tomcat(t), front(t, backends.FrontSymfony)}
}

// TestForgedIdentities sends every header in which a gateway says who the user is, in
// every fold, to sites of every mode, with a link and without: the application sees none.
func TestForgedIdentities(t *testing.T) {
	t.Parallel()
	for _, b := range identityBackends(t) {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			testForgedIdentities(t, b)
		})
	}
}

func testForgedIdentities(t *testing.T, b application) {
	t.Helper()
	names := slices.Concat(attacks.GatewayHeaders, attacks.OwnHeaders)
	var underscored, dotted []string
	for _, name := range names {
		if strings.Contains(name, "-") {
			underscored = append(underscored, strings.ReplaceAll(name, "-", "_"), strings.Replace(name, "-", "_", 1))
			dotted = append(dotted, strings.ReplaceAll(name, "-", "."), strings.Replace(name, "-", ".", 1))
		}
	}
	slices.Sort(underscored)
	slices.Sort(dotted)
	for variant, servers := range map[string]string{
		"as Caddy is": "",
		// where the operator lets look-alikes in; Caddy then drops the names themselves
		"aliases": "expected_underscore_headers " + strings.Join(slices.Compact(underscored), " ") + "\nexpected_dot_headers " + strings.Join(slices.Compact(dotted), " "),
		// a trusted proxy is trusted for addresses, and strips no identity
		"trusted": "trusted_proxies static private_ranges",
	} {
		t.Run(variant, func(t *testing.T) {
			g := gateway.Start(t, gateway.Config{Env: secrets, Servers: servers, Sites: identitySites(b), Quiet: true})
			plain := gateway.Start(t, gateway.Config{Servers: servers, Sites: map[string]string{"plain": b.proxy(b.address)}, Quiet: true})
			effective := 0
			type sample struct {
				fields []gateway.Field
				open   bool // it arrives where there is no gateway
			}
			var samples []*sample
			for _, name := range names {
				for _, fold := range attacks.Folds(name) {
					samples = append(samples, &sample{fields: []gateway.Field{{Name: fold, Value: forgery}}})
				}
				samples = append(samples,
					&sample{fields: []gateway.Field{{Name: name, Value: "x"}, {Name: name, Value: forgery}}},
					&sample{fields: []gateway.Field{{Name: name, Value: forgery}, {Name: strings.ToUpper(name), Value: ""}}},
					&sample{fields: []gateway.Field{{Name: "Connection", Value: "close, " + name}, {Name: name, Value: forgery}}},
					&sample{fields: []gateway.Field{{Name: name, Value: forgery}, {Name: strings.ReplaceAll(name, "-", "_"), Value: forgery}, {Name: strings.ReplaceAll(name, "-", "."), Value: forgery}}},
				)
			}
			var broken violations
			each(samples, func(x *sample) {
				saw, _, err := sendGet(plain.Address("plain"), "/app/login", "x=1", x.fields...)
				x.open = err == nil && saw != nil && len(believed(saw)) > 0
			})
			for _, x := range samples {
				if x.open {
					effective++
				}
			}
			if effective < len(names)/2 {
				t.Errorf("without a gateway only %d of %d forgeries arrive: these are no attacks", effective, len(samples))
			}
			for mode := range identitySites(b) {
				for _, r := range identityRequests {
					each(samples, func(x *sample) {
						if !x.open && r.name != "a link" {
							return
						}
						saw, response, err := sendGet(g.Address(mode), r.path, r.query, x.fields...)
						what := fmt.Sprintf("%s, %s, %v", mode, r.name, x.fields)
						broken.checkIdentity(what, mode, r.user, b, saw, response, err)
					})
				}
			}
			broken.report(t, len(samples), effective)
		})
	}
}

func (v *violations) checkIdentity(what, mode, user string, b application, s *backends.Seen, r *gateway.Response, err error) {
	switch {
	case err != nil:
		v.add("%s: the gateway does not answer: %v", what, err)
		return
	case r == nil || s == nil:
		if user != "" || mode != "require" {
			v.add("%s: an honest request is refused: %s", what, describe([]*gateway.Response{r}))
		}
		return
	}
	if found := believed(s); len(found) > 0 {
		v.add("%s: %q", what, found)
	}
	if mode == "observe" {
		user = ""
	}
	if got := strings.Join(s.Header("X-Verified-User"), ","); got != user {
		v.add("%s: X-Verified-User is %q, not %q", what, got, user)
	}
	if b.root != "" && s.RemoteUser != user {
		v.add("%s: REMOTE_USER is %q, not %q", what, s.RemoteUser, user)
	}
}

// TestForgedAuthorization: PHP makes PHP_AUTH_USER of Authorization, and applications
// believe that before REMOTE_USER. What arrives is what the option says.
func TestForgedAuthorization(t *testing.T) {
	t.Parallel()
	for _, b := range []application{fpm(t, "fpm"), tomcat(t)} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			testForgedAuthorization(t, b)
		})
	}
}

func testForgedAuthorization(t *testing.T, b application) {
	t.Helper()
	type expectation struct{ link, noLink, badLink, elsewhere bool } // what arrives
	options := map[string]expectation{
		"":                         {noLink: true, badLink: true, elsewhere: true},
		"authorization cut":        {noLink: true, badLink: true, elsewhere: true},
		"authorization keep":       {link: true, noLink: true, badLink: true, elsewhere: true},
		"authorization cut always": {elsewhere: true},
	}
	sites := map[string]string{}
	for option := range options {
		for mode, site := range map[string]string{"require": "require", "recognize": "recognize"} {
			sites[mode+" "+option] = guardedApp + "signed_link @m " + site + " " + strings.TrimSuffix(scheme("strict"), "}") + option + "\n}\n" + b.proxy(b.address)
		}
	}
	g := gateway.Start(t, gateway.Config{Env: secrets, Sites: sites, Quiet: true})
	for option, want := range options {
		for _, mode := range []string{"require", "recognize"} {
			for _, field := range []gateway.Field{basic, {Name: "authorization", Value: basic.Value}, {Name: "AUTHORIZATION", Value: "Bearer " + forgery}} {
				for _, r := range identityRequests {
					arrives := want.elsewhere
					switch r.name {
					case "a link":
						arrives = want.link
					case "no link":
						arrives = want.noLink
					case "a bad link":
						arrives = want.badLink
					}
					saw, response, err := sendGet(g.Address(mode+" "+option), r.path, r.query, field)
					if mode == "require" && r.user == "" && r.path == "/app/login" {
						if saw != nil {
							t.Errorf("%s %q, %s: the application has answered", mode, option, r.name)
						}
						continue
					}
					if err != nil || saw == nil {
						t.Errorf("%s %q, %s: %v %s", mode, option, r.name, err, describe([]*gateway.Response{response}))
						continue
					}
					got := saw.Header("Authorization")
					if saw.Backend == backends.BackendApache { // which has no HTTP_AUTHORIZATION
						got = saw.AllHeaders["Authorization"]
					}
					if (len(got) > 0) != arrives {
						t.Errorf("%s %q, %s: Authorization is %q", mode, option, r.name, got)
					}
					if user := saw.Server["PHP_AUTH_USER"]; b.php && (user == forgery) != (arrives && field.Value == basic.Value) {
						t.Errorf("%s %q, %s: PHP_AUTH_USER is %q", mode, option, r.name, user)
					}
				}
			}
		}
	}
}

// TestAccept: the identity headers of a gateway in front of Caddy arrive where they are
// named, from a trusted peer only, and no others.
func TestAccept(t *testing.T) {
	t.Parallel()
	b := fpm(t, "fpm")
	site := "signed_link guard {\naccept Remote-User Remote-Groups\n}\n" + guardedApp + "signed_link @m recognize " + scheme("php") + "\n" + b.proxy(b.address)
	for _, x := range []struct {
		name, trusted string
		arrives       bool
	}{
		{"a trusted peer", "127.0.0.0/8", true},
		{"a stranger", "192.0.2.0/24", false},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			g := gateway.Start(t, gateway.Config{Env: secrets, Servers: "trusted_proxies static " + x.trusted, Sites: map[string]string{"site": site}, Quiet: true})
			for _, path := range []string{"/app/login", "/public/x"} {
				saw, r, err := sendGet(g.Address("site"), path, "x=1",
					gateway.Field{Name: "Remote-User", Value: "from the proxy"}, gateway.Field{Name: "Remote-Groups", Value: "from the proxy"},
					gateway.Field{Name: "Remote-Email", Value: forgery}, gateway.Field{Name: "X-Forwarded-User", Value: forgery}, gateway.Field{Name: "X-Verified-User", Value: forgery})
				if err != nil || saw == nil {
					t.Fatalf("%v %s", err, describe([]*gateway.Response{r}))
				}
				for _, name := range []string{"Remote-User", "Remote-Groups"} {
					if got := saw.Header(name); (len(got) > 0) != x.arrives {
						t.Errorf("%s: %s is %q", path, name, got)
					}
				}
				if found := believed(saw); len(found) > 0 {
					t.Errorf("%s: %q", path, found)
				}
			}
		})
	}
}

// TestCookiesCut: a link wins over the session that somebody else left open.
func TestCookiesCut(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		backend application
		profile string
		session string
		query   string // a session in the query
		path    string
	}{
		{fpm(t, "fpm"), "php", "PHPSESSID", "PHPSESSID=forged", "/app/login"},
		{tomcat(t), "servlet", "JSESSIONID", "", "/app/login;jsessionid=forged"},
	} {
		b := x.backend
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			with := func(option string) string {
				return guardedApp + "signed_link @m recognize " + strings.TrimSuffix(scheme(x.profile), "}") + option + "\n}\n" + b.proxy(b.address)
			}
			g := gateway.Start(t, gateway.Config{Env: secrets, Quiet: true, Sites: map[string]string{
				"named": with("cookies cut " + x.session), "all": with("cookies cut all"), "none": with(""),
			}})
			for site, cut := range map[string]bool{"named": true, "all": true, "none": false} {
				for _, cookie := range sessionCookies(x.session, b.php) {
					for _, link := range []bool{true, false} {
						query := x.query
						if link {
							query = jeffs() + "&" + x.query
						}
						saw, r, err := sendGet(g.Address(site), x.path, query, gateway.Field{Name: "Cookie", Value: "theme=dark; " + cookie + "; lang=de"})
						if err != nil || saw == nil {
							t.Errorf("%s, %s: %v %s", site, cookie, err, describe([]*gateway.Response{r}))
							continue
						}
						raw := fmt.Sprint(saw.Cookies, saw.Header("Cookie"), saw.RequestURI, saw.Params, saw.Request, saw.QueryString)
						if has := strings.Contains(raw, forgery); has == (cut && link) {
							t.Errorf("%s, link %v, %s: the application saw %s", site, link, cookie, raw)
						}
						others := site != "all" || !link
						if got := fmt.Sprint(saw.Cookies["theme"], saw.Cookies["lang"]); (got == "[dark] [de]") != others {
							t.Errorf("%s, link %v, %s: the other cookies are %s", site, link, cookie, got)
						}
					}
				}
			}
		})
	}
}

// sessionCookies are the spellings of a session's cookie that the backend takes for it.
func sessionCookies(name string, php bool) []string {
	all := []string{name + "=forged", name + "=x; " + name + "=forged", " " + name + "=forged"}
	if php {
		all = append(all, name+"[]=forged", name+"[a]=forged", "%50"+name[1:]+"=forged", name[:3]+"%"+fmt.Sprintf("%02x", name[3])+name[4:]+"=forged", "+"+name+"=forged")
	}
	return all
}

// TestConnection: headers that the client names in Connection are as they were judged, in
// the backend: a proxy that deletes Content-Type makes a form of what was none.
func TestConnection(t *testing.T) {
	t.Parallel()
	for _, b := range []application{fpm(t, "fpm"), apache(t), tomcat(t)} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			site := guardedApp + "signed_link @m MODE " + strings.TrimSuffix(scheme("strict"), "}") + "methods GET POST\n}\n" + b.proxy(b.address)
			g := gateway.Start(t, gateway.Config{Env: secrets, Quiet: true, Sites: map[string]string{
				"require": strings.ReplaceAll(site, "MODE", "require"), "recognize": strings.ReplaceAll(site, "MODE", "recognize"),
			}})
			for _, mode := range []string{"require", "recognize"} {
				for _, connection := range []string{
					"close", "Content-Type", "close, Content-Type", "close, content-type", "close,\tCONTENT-TYPE ,", "Content-Type, Content-Length, close", "close, Content-Encoding", "close, Host",
					"close, X-Verified-User", "close, Cookie", "close, Authorization", "close, Transfer-Encoding", "close, X-Http-Method-Override", "TE, close", "close\r\nConnection: Content-Type", "close, Content_Type",
				} {
					for _, contentType := range []string{"text/plain", "application/json", "multipart/mixed; boundary=B"} {
						raw := fmt.Sprintf("POST /app/login?%s HTTP/1.1\r\nHost: %s\r\nConnection: %s\r\nContent-Type: %s\r\nContent-Length: 9\r\n\r\nuser=mike", jeffs(), gateway.Host, connection, contentType)
						responses, err := gateway.SendHTTP1(g.Address(mode), "POST", []byte(raw), false)
						if err != nil || len(responses) == 0 {
							t.Errorf("%s, %q: no answer: %v", mode, connection, err)
							continue
						}
						saw := seen(responses[0])
						if saw == nil {
							continue // refused
						}
						for where, values := range map[string][]string{"parameters": saw.Params["user"], "$_POST": saw.Post["user"], "$_REQUEST": saw.Request["user"]} {
							if slices.Contains(values, "mike") {
								t.Errorf("%s, Connection: %q, %s: %s has user %q beside X-Verified-User %q", mode, connection, contentType, where, values, saw.Header("X-Verified-User"))
							}
						}
						if got := saw.Header("Content-Type"); !slices.Equal(got, []string{contentType}) {
							t.Errorf("%s, Connection: %q: Content-Type is %q, and was %q when it was judged", mode, connection, got, contentType)
						}
					}
				}
			}
		})
	}
}

// TestForgedTrailers: Apache makes headers of trailers.
func TestForgedTrailers(t *testing.T) {
	t.Parallel()
	b := apache(t)
	g := gateway.Start(t, gateway.Config{Env: secrets, Sites: identitySites(b), Quiet: true})
	for mode := range identitySites(b) {
		for _, r := range identityRequests {
			for _, name := range slices.Concat(attacks.GatewayHeaders, attacks.OwnHeaders) {
				raw := fmt.Sprintf("GET %s?%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: %s\r\n\r\n0\r\n%[4]s: forged\r\n\r\n", r.path, r.query, gateway.Host, name)
				responses, err := gateway.SendHTTP1(g.Address(mode), "GET", []byte(raw), false)
				if err != nil || len(responses) == 0 {
					t.Errorf("%s, %s, %s: no answer: %v", mode, r.name, name, err)
					continue
				}
				if saw := seen(responses[0]); saw != nil && len(believed(saw)) > 0 {
					t.Errorf("%s, %s, trailer %s: %q", mode, r.name, name, believed(saw))
				}
			}
		}
	}
}

// loginName is whom an application logs in that takes the first name that it finds, in
// the order of those that were reported.
func loginName(s *backends.Seen) string {
	for _, name := range []string{"REMOTE_USER", "REDIRECT_REMOTE_USER", "PHP_AUTH_USER"} {
		if s.Server[name] != "" {
			return s.Server[name]
		}
	}
	for _, name := range []string{
		"X-Webauth-User", "Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Authenticated-User", "X-Auth-Username", "Auth-User", "Php-Auth-User", "Redirect-Remote-User",
	} {
		if got := s.Header(name); len(got) > 0 && got[0] != "" {
			return got[0]
		}
	}
	return ""
}

// TestWhichHeaderTheApplicationReads: an application that logs in whoever REMOTE_USER,
// REDIRECT_REMOTE_USER, X-WebAuth-User or Remote-User names logs in whom the link names,
// and nobody without one.
func TestWhichHeaderTheApplicationReads(t *testing.T) {
	t.Parallel()
	b := fpm(t, "fpm")
	g := gateway.Start(t, gateway.Config{Env: secrets, Quiet: true, Sites: map[string]string{"site": `
		signed_link recognize keyed_hash {env.LINK_SECRET} {
			backend php
			algorithm hmac-sha256
			message {query.user}
			signature {query.sig}
			param user token
			request_header X-WebAuth-User {user}
			allow no_expiry
		}
		` + b.proxy(b.address)}})
	link := "user=alice&sig=" + hmacSHA256("alice")
	for _, name := range slices.Concat(attacks.GatewayHeaders, attacks.OwnHeaders[:4], []string{"REMOTE_USER", "PHP-Auth-User", "X_WebAuth_User", "x.webauth.user", "X-WEBAUTH-USER"}) {
		for query, user := range map[string]string{link: "alice", "": "", "user=admin": "", "user=admin&sig=" + hmacSHA256("alice"): ""} {
			saw, r, err := sendGet(g.Address("site"), "/index.php", query, gateway.Field{Name: name, Value: forgery})
			if err != nil || saw == nil {
				t.Fatalf("%v %s", err, describe([]*gateway.Response{r}))
			}
			if got := loginName(saw); got != user || len(believed(saw)) > 0 {
				t.Errorf("%s: forged, query %q: logs in %q, want %q; it has the forgery in %q", name, query, got, user, believed(saw))
			}
			if got := strings.Join(saw.Header("X-WebAuth-User"), ","); got != user {
				t.Errorf("%s: forged, query %q: X-WebAuth-User is %q, want %q", name, query, got, user)
			}
		}
	}
	// HTTP Basic of the client: with a link it goes, and REMOTE_USER is never its name.
	for query, user := range map[string]string{link: "alice", "": ""} {
		saw, _, err := sendGet(g.Address("site"), "/index.php", query, basic)
		if err != nil || saw == nil {
			t.Fatal(err)
		}
		if saw.RemoteUser != user || query == link && loginName(saw) != "alice" {
			t.Errorf("Basic, query %q: REMOTE_USER is %q, logs in %q, want %q", query, saw.RemoteUser, loginName(saw), user)
		}
	}
}
