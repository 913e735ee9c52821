package attack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// TestAttackOtherPersonsSession: jeff is logged in at the application, opens mike's link,
// and sees jeff (Cacti, DokuWiki, tt-rss: holes B4). What carries the session goes, in
// every spelling in which the backend reads it; all else stays byte for byte.
func TestAttackOtherPersonsSession(t *testing.T) {
	fixture.SetSecrets(t)
	for _, tc := range []struct {
		backend, option string
		cookies, want   []string
	}{
		{"php", "PHPSESSID", []string{"a=1; PHPSESSID=x;  b=%zz"}, []string{"a=1;  b=%zz"}},
		{"php", "PHPSESSID", []string{"PHPSESSID=x", "a=1"}, []string{"a=1"}},
		{"php", "PHPSESSID", []string{"PHPSESSID=x; PHPSESSID=y"}, nil},
		{"php", "PHPSESSID", []string{"PHPSESSID[]=x; PHP%53ESSID=y;PHPSESSID%00z=1; phpsessid=other; PHPSESSIDS=1; a"}, []string{"phpsessid=other; PHPSESSIDS=1; a"}},
		{"php", "php.sess", []string{"php.sess=1; php_sess=2; php+sess=3; php[sess=4; phpsess=5"}, []string{"phpsess=5"}},
		{"php", "wordpress_logged_in_* wp", []string{"wordpress_logged_in_0123=x; wordpress.logged.in.9=y; wp=z; wordpress_test_cookie=1"}, []string{"wordpress_test_cookie=1"}},
		{"servlet", "JSESSIONID", []string{"JSESSIONID=x; a=b; jsessionid=c"}, []string{"a=b; jsessionid=c"}},
		{"servlet", "JSESSIONID", []string{`$Version=1; a="b, JSESSIONID=x"; c=d`}, []string{"$Version=1; c=d"}},
		{"servlet", "JSESSIONID", []string{"a=b, JSESSIONID =x"}, nil},
		{"strict", "SID", []string{"sid=1; S_ID=2; SID[x]=3; S%49D=4; x=5"}, []string{"S_ID=2; x=5"}},
		{"strict", "all", []string{"a=1; b=2", "c=3"}, nil},
		{"servlet", "all", []string{"a"}, nil},
		{"php", "a", []string{";;a=1;"}, []string{";;"}},
	} {
		s := gatewaytest.LoadSite(t, fixture.Autologin("/app/* recognize", "backend "+tc.backend, "cookies cut "+tc.option)+"test_backend")
		for target, want := range map[string][]string{"/app/x?" + fixture.GoodLink: tc.want, "/app/x?" + fixture.BadLink: tc.cookies, "/app/x": tc.cookies, "/open?" + fixture.GoodLink: tc.cookies} {
			r := gatewaytest.Request(t, "GET", target, "")
			r.Header["Cookie"] = slices.Clone(tc.cookies)
			if a := s.Do(r); a.Seen == nil || !slices.Equal(a.Seen.Headers["Cookie"], want) {
				t.Errorf("%s, cut %s, %s: the backend gets %q, want %q", tc.backend, tc.option, target, a.Seen.Headers["Cookie"], want)
			}
		}
	}
	// observe changes nothing, and without the option nothing is cut
	for _, directive := range []string{fixture.Autologin("observe", "cookies cut all"), fixture.Autologin("")} {
		a := gatewaytest.LoadSite(t, directive+"test_backend").Get("/x;jsessionid=1?"+fixture.GoodLink+"&PHPSESSID=1", "Cookie: PHPSESSID=1")
		if a.Seen == nil || a.Header1(t, "Cookie") != "PHPSESSID=1" || !strings.HasPrefix(a.Seen.URI, "/x;jsessionid=1?") || !strings.Contains(a.Seen.URI, "&PHPSESSID=1") {
			t.Errorf("%.30s: %s", directive, a.Body)
		}
	}
}

// TestAttackSessionInURL: a session in the URL is one, too: PHP's session.use_trans_sid,
// and `;jsessionid=` of servlet containers, wherever a later handler finds the URL.
func TestAttackSessionInURL(t *testing.T) {
	fixture.SetSecrets(t)
	for _, tc := range []struct{ backend, option, target, want string }{
		{"php", "PHPSESSID", "/x?PHPSESSID=1&" + fixture.GoodLink + "&a=%zz&PHPSESSID[]=2&PHP%53ESSID=3&+PHPSESSID=4", "/x?user=jeff&a=%zz"},
		{"strict", "PHPSESSID", "/x?" + fixture.GoodLink + "&b=1;PHPSESSID=2&phpsessid=3&c", "/x?user=jeff&c"},
		{"php", "all", "/x?" + fixture.GoodLink + "&PHPSESSID=2&sid=3", "/x?user=jeff&sid=3"},
		{"php", "MYSESS", "/x?" + fixture.GoodLink + "&PHPSESSID=2&MYSESS=3", "/x?user=jeff&PHPSESSID=2"},
		{"php", "wp_*", "/x?" + fixture.GoodLink + "&wp_1=2&wp.2=3&wp=4", "/x?user=jeff&wp=4"},
		{"servlet", "all", "/x?" + fixture.GoodLink + "&PHPSESSID=2", "/x?user=jeff&PHPSESSID=2"},
		{"php", "all", "/x;jsessionid=1?" + fixture.GoodLink, "/x;jsessionid=1?user=jeff"},
		{"servlet", "all", "/x;jsessionid=1?" + fixture.GoodLink, "/x?user=jeff"},
		{"servlet", "JSESSIONID", "/x;JSessionID=1;v=2?" + fixture.GoodLink, "/x;v=2?user=jeff"},
		{"servlet", "TOKEN", "/x;token=1;jsessionid=2;v=3?" + fixture.GoodLink, "/x;v=3?user=jeff"},
		{"strict", "all", "/x;j%73essionid=1;jsessionid?" + fixture.GoodLink, "/x?user=jeff"},
		{"strict", "all", "/caf%C3%A9/100%25;jsessionid=1?" + fixture.GoodLink, "/caf%C3%A9/100%25?user=jeff"},
		{"strict", "all", "/a%2Fb%3Bjsessionid=1;v=2?" + fixture.GoodLink, "/a%2Fb%3Bjsessionid=1;v=2?user=jeff"},
		{"servlet", "all", "/a;jsessionid=1/b;v=1;jsessionid=2/c;jsessionid=3?" + fixture.GoodLink, "/a;/b;v=1/c?user=jeff"},
		// of which no other path may become
		{"strict", "all", "/;jsessionid=1/x/y?" + fixture.GoodLink, "/;/x/y?user=jeff"},
		{"strict", "all", "/x/..;jsessionid=1?" + fixture.GoodLink, "/x/..;?user=jeff"},
		{"strict", "all", "/x/%2e%2E;jsessionid=1?" + fixture.GoodLink, "/x/%2e%2E;?user=jeff"},
		{"servlet", "all", "/x/;jsessionid=1?" + fixture.GoodLink, "/x/?user=jeff"},
		{"servlet", "all", "http://example.org/x;jsessionid=1?" + fixture.GoodLink, "/x?user=jeff"},
	} {
		s := gatewaytest.LoadSite(t, fixture.Autologin("", "backend "+tc.backend, "cookies cut "+tc.option)+"test_backend\nerror /x/boom 502")
		a := s.Get(tc.target)
		if a.Seen == nil {
			t.Fatalf("%s: %d %s", tc.target, a.Code, a.Body)
		}
		for what, uri := range map[string]string{
			"URL": a.Seen.URI, "RequestURI": strings.TrimPrefix(a.Seen.RequestURI, "http://example.org"), "REQUEST_URI": a.Seen.OrigURI,
			"{orig_uri}": strings.TrimPrefix(a.Seen.OrigText, "http://example.org"), "the original RequestURI": strings.TrimPrefix(a.Seen.OrigTarget, "http://example.org"),
		} {
			if uri != tc.want {
				t.Errorf("%s, cut %s, %s: %s is %q, want %q", tc.backend, tc.option, tc.target, what, uri, tc.want)
			}
		}
	}
	// behind handlers that changed the path, and on the error route
	s := gatewaytest.LoadSite(t, `signed_link guard
	route {
		uri strip_prefix /v1
		`+fixture.Autologin("", "cookies cut all")+`
		error /boom* 502
		test_backend
	}
	handle_errors {
		test_backend errors
	}`)
	a := s.Get("/v1/x;jsessionid=1?" + fixture.GoodLink)
	if a.Seen == nil || a.Seen.URI != "/x?user=jeff" || a.Seen.OrigURI != "/v1/x?user=jeff" || a.Seen.OrigText != "/v1/x?user=jeff" {
		t.Errorf("behind strip_prefix: %s", a.Body)
	}
	a = s.Get("/v1/boom;jsessionid=1?"+fixture.GoodLink, "Cookie: a=1")
	if a.Seen == nil || a.Seen.Backend != "errors" || strings.Contains(a.Body.String(), "jsessionid") || a.Header1(t, "Cookie") != "" {
		t.Errorf("the error route: %s", a.Body)
	}
}

// TestSessionInSignedPath: the verdict is about the bytes that were received. A link whose
// signed path holds a session verifies, and so does a second definition behind it.
func TestSessionInSignedPath(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	text := func(name string) string {
		return `signed_link /app* keyed_hash {env.S} {
			algorithm hmac-sha256
			message {path}|{query.user}
			signature {query.sig}
			param user alnum
			cookies cut all
			name ` + name + `
			allow shared_users
		}
		`
	}
	s := gatewaytest.LoadSite(t, text("one")+text("two")+"test_backend")
	a := s.Get("/app/x;jsessionid=1?user=jeff&sig=" + fixture.Sum256("0123456789abcdef", "/app/x;jsessionid=1|jeff"))
	if a.Seen == nil || a.Header1(t, "X-Verified-User") != "jeff" || a.Seen.URI != "/app/x?user=jeff" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if a := s.Get("/app/x;jsessionid=1?user=jeff&sig=" + fixture.Sum256("0123456789abcdef", "/app/x|jeff")); a.Seen != nil {
		t.Error("a session that nobody signed passes in a signed path")
	}
}

// TestCookiesErrors: what cannot be meant is refused when the configuration loads.
func TestCookiesErrors(t *testing.T) {
	fixture.SetSecrets(t)
	for _, tc := range []struct{ backend, cut, want string }{
		{"php", "user", "the link carries a parameter user"},
		{"php", "us*", "the link carries a parameter user"},
		{"strict", "KEY", "the link carries a parameter key"},
		{"servlet", "user", ""},
		{"php", "KEY", ""},
		{"php", "a a", "named twice"},
		{"php", "a*b", "beginning of names"},
		{"php", "*", "beginning of names"},
		{"php", "a=b", "beginning of names"},
		{"php", `"a b"`, "beginning of names"},
		{"php", "ä", "beginning of names"},
		{"php", strings.Repeat("a", 129), "beginning of names"},
	} {
		_, err := gatewaytest.TryLoad(t, gatewaytest.SiteFile(fixture.Autologin("", "backend "+tc.backend, "cookies cut "+tc.cut)))
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s, cut %s: %v", tc.backend, tc.cut, err)
		}
	}
	for config, want := range map[string]string{`{}`: "name what is cut", `{"cut":["a"],"cut_all":true}`: "all is every cookie"} {
		_, err := gatewaytest.TryLoadJSON(t, []byte(`{"apps":{"http":{"servers":{"s":{"routes":[{"handle":[{"handler":"signed_link","cookies":`+config+`,"schemes":[{"scheme":{"kind":"akid"},`+
			`"keys":{"source":"inline","secrets":[{"secret":"{env.AKID_SECRET}"}]}}]}]}]}}}}}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", config, err)
		}
	}
}
