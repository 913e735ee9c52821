package signedlink_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/request/bodies"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
)

// TestStripAndUnsigned: what is cut out of a verified request, byte for byte.
func TestStripAndUnsigned(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	exp := "4102444800"
	sig := fixture.Sum256("0123456789abcdef", "jeff|"+exp)
	link := "utm_source=x&&user=jeff&a=%zz&exp=" + exp + "&sig=" + sig + "&b=1+2&"
	for _, tc := range []struct{ options, want string }{
		{"", "utm_source=x&&user=jeff&a=%zz&b=1+2&"},
		{"strip signature", "utm_source=x&&user=jeff&a=%zz&b=1+2&"},
		{"strip signed", "utm_source=x&&a=%zz&b=1+2&"},
		{"strip none", link},
		{"unsigned strip", "&user=jeff&"},
		{"strip none\nunsigned strip", "&user=jeff&exp=" + exp + "&sig=" + sig + "&"},
		{"strip signed\nunsigned strip", "&"},
	} {
		s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
			algorithm hmac-sha256
			message {query.user}|{query.exp}
			signature {query.sig}
			expires {query.exp}
			ignore utm_*
			`+tc.options+`
		}
		test_backend`)
		t.Run(strings.ReplaceAll(tc.options, "\n", ","), func(t *testing.T) {
			a := s.Get("/x?" + link)
			if a.Code != 200 {
				t.Fatalf("status %d", a.Code)
			}
			if want := "/x?" + tc.want; a.Seen.URI != want || a.Seen.OrigURI != want || a.Seen.RequestURI != want {
				t.Errorf("URI %q, REQUEST_URI %q, RequestURI %q, want %q", a.Seen.URI, a.Seen.OrigURI, a.Seen.RequestURI, want)
			}
		})
	}
}

// TestStripWholeQuery: a message that covers the whole query.
func TestStripWholeQuery(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	for _, tc := range []struct{ message, signed, options, want string }{
		{"{query}", "b=2&user=jeff&a=1", "", "utm_x=1&b=2&user=jeff&a=1"},
		{"{query}", "b=2&user=jeff&a=1", "strip signed", "utm_x=1"},
		{"{query}", "b=2&user=jeff&a=1", "unsigned strip", "b=2&user=jeff&a=1"},
		{"{sorted_query}", "a=1&b=2&user=jeff", "", "utm_x=1&b=2&user=jeff&a=1"},
	} {
		s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
			algorithm hmac-sha256
			message `+tc.message+`
			signature {query.sig}
			user {query.user}
			ignore utm_*
			`+tc.options+`
		}
		test_backend`)
		t.Run(tc.message+" "+tc.options, func(t *testing.T) {
			sig := fixture.Sum256("0123456789abcdef", tc.signed)
			a := s.Get("/x?utm_x=1&b=2&user=jeff&sig=" + sig + "&a=1")
			if a.Code != 200 || a.Seen.URI != "/x?"+tc.want {
				t.Fatalf("status %d, backend saw %+v, want %q", a.Code, a.Seen, tc.want)
			}
			if got := a.Header1(t, "X-Verified-User"); got != "jeff" {
				t.Errorf("X-Verified-User is %q", got)
			}
			if a := s.Get("/x?utm_x=1&b=2&user=jeff&sig=" + sig + "&a=1&c=3"); a.Code != 401 {
				t.Errorf("with a further parameter: status %d, want 401", a.Code)
			}
		})
	}
	s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
		algorithm hmac-sha256
		message {sorted_query}
		signature {query.sig}
		user {query.user}
	}
	test_backend`)
	// Sorting hides in which order two values of one name were sent.
	if a := s.Get("/x?user=jeff&a=1&a=2&sig=" + fixture.Sum256("0123456789abcdef", "a=1&a=2&user=jeff")); a.Code != 400 {
		t.Errorf("a repeated name under {sorted_query}: status %d, want 400", a.Code)
	}
}

// TestSeveralSchemes: a migration from md5 to HMAC in one definition.
func TestSeveralSchemes(t *testing.T) {
	t.Setenv("OLD", fixture.AutologinSecret)
	t.Setenv("NEW", "0123456789abcdef")
	t.Setenv("AKID_SECRET", fixture.AKIDSecret)
	s := gatewaytest.LoadSite(t, `signed_link {
		scheme keyed_hash {env.NEW} {
			name new
			algorithm hmac-sha256
			message {query.user}|{query.exp}
			signature {query.sig}
			expires {query.exp}
			user {query.user}
		}
		scheme keyed_hash {env.OLD} {
			name old
			algorithm md5
			message {query.user}{secret}
			signature {query.sig}
		}
		scheme akid {env.AKID_SECRET}
	}
	header >Reason {http.signed_link.reason}/{http.signed_link.detail}
	test_backend
	handle_errors {
		respond "{http.signed_link.reason}/{http.signed_link.detail} {http.signed_link.scheme}" {err.status_code}
	}`)
	s.At(time.Unix(1790000000, 0))
	fresh, stale := "1790000001", "1789999999"
	newSig := func(user, exp string) string {
		return "user=" + user + "&exp=" + exp + "&sig=" + fixture.Sum256("0123456789abcdef", user+"|"+exp)
	}
	for _, tc := range []struct{ name, query, scheme, refusal string }{
		{"the new one", newSig("jeff", fresh), "new", ""},
		{"the old one", "user=jeff&sig=" + fixture.Key("jeff", fixture.AutologinSecret), "old", ""},
		{"an AKID", "akid=" + fixture.GoodAKID, "akid", ""},
		{"the reason furthest along", newSig("jeff", stale), "", "expired/ new"},
		{"neither", "user=jeff&sig=00", "", "bad_signature/ old"},
		{"two links that share no parameter", newSig("jeff", fresh) + "&akid=" + fixture.GoodAKID, "", "ambiguous/two_links "},
		{
			"an old link with a parameter that only the new scheme signs",
			"user=jeff&exp=9999999999&sig=" + fixture.Key("jeff", fixture.AutologinSecret), "", "ambiguous/uncovered old",
		},
		{"an AKID with an unsigned user beside it", "user=admin&akid=" + fixture.GoodAKID, "", "ambiguous/uncovered akid"},
		{"no link", "a=1", "", "missing/ "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := s.Get("/x?" + tc.query)
			if tc.refusal != "" {
				if a.Seen != nil || a.Body.String() != tc.refusal {
					t.Fatalf("got %d %q, want %q", a.Code, a.Body, tc.refusal)
				}
				return
			}
			if a.Seen == nil || a.Header1(t, "X-Verified-Scheme") != tc.scheme {
				t.Fatalf("got %d %s, want scheme %q", a.Code, a.Body, tc.scheme)
			}
		})
	}
}

// TestSeveralDefinitions: each judges the URL as received; any require can refuse.
func TestSeveralDefinitions(t *testing.T) {
	t.Setenv("AUTOLOGIN_SECRET", fixture.AutologinSecret)
	t.Setenv("AKID_SECRET", fixture.AKIDSecret)
	t.Setenv("TOKEN", "s3cret-of-5678")
	action := func(user string) string { return "u=" + user + "&s=" + fixture.Sum1(user+"delete"+"s3cret-of-5678") }
	text := func(first, second string) string {
		return `signed_link ` + first + ` akid {env.AKID_SECRET}
		signed_link /do/* ` + second + ` sial {
			user_keys inline {
				5678 {env.TOKEN}
				9 {env.TOKEN}
			}
			user {query.u}
			action {path} prefix /do/
			signature {query.s}
			request_header X-Action {claim.action}
		}
		test_backend`
	}
	for _, tc := range []struct {
		name, first, second, query string
		status                     int
		uri, user, scheme          string
	}{
		{"both find none", "recognize", "recognize", "a=1", 200, "/do/delete?a=1", "", ""},
		{"the first finds none", "recognize", "require", action("9"), 200, "/do/delete?u=9", "9", "sial"},
		{"the second finds none", "recognize", "recognize", "akid=" + fixture.GoodAKID, 200, "/do/delete", "5678", "akid"},
		{"the second requires one", "recognize", "require", "akid=" + fixture.GoodAKID, 401, "", "", ""},
		{"a bad first one", "recognize", "require", "akid=" + fixture.BadAKID + "&" + action("9"), 200, "/do/delete?u=9", "9", "sial"},
		{"both, one user: cuts add up", "recognize", "require", "akid=" + fixture.GoodAKID + "&" + action("5678"), 200, "/do/delete?u=5678", "5678", "akid"},
		{"both, two users", "recognize", "require", "akid=" + fixture.GoodAKID + "&" + action("9"), 400, "", "", ""},
		{"both, two users, neither required", "recognize", "recognize", "akid=" + fixture.GoodAKID + "&" + action("9"), 200, "/do/delete", "", ""},
		{"both, two users, the first required", "require", "recognize", "akid=" + fixture.GoodAKID + "&" + action("9"), 400, "", "", ""},
		{"the first refuses", "require", "recognize", action("9"), 401, "", "", ""},
		{"a bad second one leaves the first alone", "recognize", "recognize", "akid=" + fixture.GoodAKID + "&u=9&s=00", 200, "/do/delete", "5678", "akid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := gatewaytest.LoadSite(t, text(tc.first, tc.second))
			a := s.Get("/do/delete?"+tc.query, "X-Verified-User: evil", "X-Action: evil", "X_Action: evil")
			if a.Code != tc.status {
				t.Fatalf("status %d, want %d: %s", a.Code, tc.status, a.Body)
			}
			if a.Seen == nil {
				return
			}
			if a.Seen.URI != tc.uri || a.Seen.OrigURI != tc.uri {
				t.Errorf("URI %q, REQUEST_URI %q, want %q", a.Seen.URI, a.Seen.OrigURI, tc.uri)
			}
			if got := a.Header1(t, "X-Verified-User"); got != tc.user || a.Seen.AuthUser != tc.user {
				t.Errorf("X-Verified-User %q, REMOTE_USER %q, want %q", got, a.Seen.AuthUser, tc.user)
			}
			if got := a.Header1(t, "X-Verified-Scheme"); got != tc.scheme {
				t.Errorf("X-Verified-Scheme %q, want %q", got, tc.scheme)
			}
			if got := a.Header1(t, "X-Action"); got == "evil" {
				t.Errorf("X-Action is the client's")
			}
		})
	}
}

// TestRefusals: reason, status, headers; and what status and redir change.
func TestRefusals(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	t.Setenv("LATER", "fedcba9876543210")
	link := func(user string, iat, exp int64) string {
		m := fmt.Sprintf("%s|%d|%d", user, iat, exp)
		return fmt.Sprintf("/x?user=%s&iat=%d&exp=%d&sig=%s", user, iat, exp, fixture.Sum256("0123456789abcdef", m))
	}
	text := func(options string) string {
		return `signed_link keyed_hash {
			secret {env.S} now
			secret {env.LATER} later {
				not_before 2030-01-01
			}
			algorithm hmac-sha256
			message {query.user}|{query.iat}|{query.exp}
			signature {query.sig}
			user {query.user}
			issued {query.iat}
			expires {query.exp}
			max_lifetime 1h
			clock_skew 10s
			param user alnum max 8
			` + options + `
		}
		test_backend
		handle_errors {
			respond "{err.status_code} {err.message} {http.signed_link.reason}/{http.signed_link.detail} {http.signed_link.verdict}" {err.status_code}
		}`
	}
	const now = 1790000000
	cases := []struct {
		name, method, target, want string
		headers                    map[string]string
	}{
		{"missing", "GET", "/x", "401 missing missing/ invalid", map[string]string{"Www-Authenticate": "SignedLink"}},
		{"malformed: absent", "GET", "/x?user=jeff&sig=00", "400 malformed malformed/absent invalid", nil},
		{"malformed: no signature", "GET", "/x?user=jeff&exp=1", "400 malformed malformed/no_signature invalid", nil},
		{"malformed: charset", "GET", link("a-b", now, now+60), "400 malformed malformed/charset invalid", nil},
		{"malformed: too long", "GET", link("aaaaaaaaa", now, now+60), "400 malformed malformed/too_long invalid", nil},
		{"ambiguous", "GET", link("jeff", now, now+60) + "&user=admin", "400 ambiguous ambiguous/duplicate invalid", nil},
		{"bad signature", "GET", link("jeff", now, now+60) + "0", "401 bad_signature bad_signature/ invalid", map[string]string{"Www-Authenticate": "SignedLink"}},
		{"expired", "GET", link("jeff", now-60, now-11), "410 expired expired/ expired", nil},
		{"expired within the skew", "GET", link("jeff", now-60, now-10), "", nil},
		{"not yet valid", "GET", link("jeff", now+11, now+60), "401 not_yet_valid not_yet_valid/issued invalid", map[string]string{"Www-Authenticate": "SignedLink"}},
		{"not yet valid within the skew", "GET", link("jeff", now+10, now+60), "", nil},
		{"max lifetime", "GET", link("jeff", now, now+3611), "400 malformed malformed/max_lifetime invalid", nil},
		{"a key of the future", "GET", "/x?user=jeff&iat=1790000000&exp=1790000060&sig=" +
			fixture.Sum256("fedcba9876543210", "jeff|1790000000|1790000060"), "401 not_yet_valid not_yet_valid/key invalid", nil},
		{"method", "POST", link("jeff", now, now+60), "405 method method/ invalid", map[string]string{"Allow": "GET, HEAD"}},
		{"valid", "GET", link("jeff", now, now+60), "", nil},
		{"too many", "GET", "/x?" + strings.Repeat("a=1&", 1001), "400 malformed malformed/too_many invalid", nil},
		{"too long", "GET", "/x?a=" + strings.Repeat("a", 33000), "400 malformed malformed/too_long invalid", nil},
	}
	s := gatewaytest.LoadSite(t, text(""))
	s.At(time.Unix(now, 0))
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			a := s.Do(gatewaytest.Request(t, tc.method, tc.target, ""))
			if tc.want == "" {
				if a.Seen == nil {
					t.Fatalf("refused: %d %s", a.Code, a.Body)
				}
				return
			}
			if got := a.Body.String(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if got := a.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control is %q", got)
			}
			for name, want := range tc.headers {
				if got := a.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}

	t.Run("status", func(t *testing.T) {
		s := gatewaytest.LoadSite(t, text("status expired 404\nstatus missing bad_signature 403\nstatus 400"))
		s.At(time.Unix(now, 0))
		for target, want := range map[string]int{
			link("jeff", now-60, now-11):      404,
			"/x":                              403,
			link("jeff", now, now+60) + "0":   403,
			link("jeff", now+60, now+100):     400,
			link("jeff", now, now+60) + "&%s": 200,
		} {
			if a := s.Get(target); a.Code != want {
				t.Errorf("%s: status %d, want %d", target, a.Code, want)
			} else if got := a.Header().Get("Www-Authenticate"); got != "" {
				t.Errorf("a %d has WWW-Authenticate %q", a.Code, got)
			}
		}
	})
	t.Run("redir", func(t *testing.T) {
		s := gatewaytest.Load(t, gatewaytest.SiteFile(strings.Replace(text("redir expired /gone\nredir https://example.org/help"), "signed_link", "signed_link /x", 1)))
		s.At(time.Unix(now, 0))
		for _, tc := range []struct {
			method, target string
			code           int
			to             string
		}{
			{"GET", link("jeff", now-60, now-11), 302, "/gone"},
			{"HEAD", link("jeff", now-60, now-11), 302, "/gone"},
			{"GET", "/x?user=%0d%0aX:1&sig=0", 302, "https://example.org/help"},
			{"POST", "/x", 303, "https://example.org/help"},
		} {
			a := s.Do(gatewaytest.Request(t, tc.method, tc.target, ""))
			if a.Code != tc.code || a.Header().Get("Location") != tc.to || a.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s: %d %q", tc.method, tc.target, a.Code, a.Header())
			}
		}
	})
}

// TestRotation: several secrets verify, and the id of the one that did is everywhere.
func TestRotation(t *testing.T) {
	t.Setenv("NEW", "new-secret-0123456789")
	t.Setenv("OLD", "old-secret-0123456789")
	s := gatewaytest.LoadSite(t, `signed_link /autologin keyed_hash {
		secret {env.NEW} 2027
		secret {env.OLD} 2026 {
			not_after 2027-03-01
		}
		algorithm md5
		message {query.user}{secret}
		signature {query.key}
	}
	header >Key-Id {http.signed_link.key_id}
	test_backend
	handle_errors {
		respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
	}`)
	before := time.Date(2027, 2, 28, 23, 59, 59, 0, time.UTC)
	for _, tc := range []struct {
		name, secret string
		now          time.Time
		keyID, want  string
	}{
		{"the current one", "new-secret-0123456789", before, "2027", ""},
		{"the one before", "old-secret-0123456789", before, "2026", ""},
		{"the one before, retired", "old-secret-0123456789", before.Add(time.Second), "", "expired/key"},
		{"another one", "other-secret-0123456789", before.Add(time.Second), "", "bad_signature/"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.At(tc.now)
			a := s.Get("/autologin?user=jeff&key=" + fixture.Key("jeff", tc.secret))
			if tc.want != "" {
				if a.Seen != nil || a.Body.String() != tc.want {
					t.Fatalf("got %d %s, want %s", a.Code, a.Body, tc.want)
				}
				return
			}
			if a.Seen == nil {
				t.Fatalf("refused: %d %s", a.Code, a.Body)
			}
			if got := a.Header1(t, "X-Verified-Key-Id"); got != tc.keyID || a.Header().Get("Key-Id") != tc.keyID {
				t.Errorf("key id %q, placeholder %q, want %q", got, a.Header().Get("Key-Id"), tc.keyID)
			}
		})
	}
}

// TestPlaceholders: all of them, on every request that the directive sees.
func TestPlaceholders(t *testing.T) {
	fixture.SetSecrets(t)
	const all = "[{http.signed_link.verdict}|{http.signed_link.reason}|{http.signed_link.detail}|{http.signed_link.user}|" +
		"{http.signed_link.scheme}|{http.signed_link.key_id}|{http.signed_link.claim.mailing}|{http.signed_link.claim.nothing}|{http.signed_link.other}]"
	s := gatewaytest.LoadSite(t, "signed_link /app/* recognize akid {env.AKID_SECRET}\nrespond \""+all+"\"")
	for target, want := range map[string]string{
		"/open":                           "[||||||||]",
		"/app/x":                          "[invalid|missing|||||||]",
		"/app/x?akid=" + fixture.GoodAKID: "[valid|||5678|akid||1234||]",
		"/app/x?akid=" + fixture.BadAKID:  "[invalid|bad_signature|||akid||||]",
		"/app/x?akid=x":                   "[invalid|malformed|token||akid||||]",
		"/app/x?akid=" + fixture.GoodAKID + "&AKID": "[invalid|ambiguous|lookalike||||||]",
	} {
		if got := s.Get(target).Body.String(); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// TestNobodyIsNobody: a placeholder of Caddy's that nobody has set stays literal
// otherwise, and a log or a header would name a user "{http.auth.user.id}".
func TestNobodyIsNobody(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, "signed_link recognize akid {env.AKID_SECRET}\nrespond \"[{http.auth.user.id}]\"")
	for target, want := range map[string]string{"/x": "[]", "/x?akid=" + fixture.BadAKID: "[]", "/x?akid=" + fixture.GoodAKID: "[5678]"} {
		if got := s.Get(target).Body.String(); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// TestRecognizeRefusesNoValue: a value that is too long for its rule, or for a header,
// is nobody's, and no error of recognize's own.
func TestRecognizeRefusesNoValue(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, fixture.Autologin("recognize", "param user alnum max 6")+"test_backend")
	if a := s.Get("/x?user=jeffrey&key=" + fixture.Key("jeffrey", fixture.AutologinSecret) + "&a=1"); a.Seen == nil || a.Seen.URI != "/x?a=1" {
		t.Errorf("too long for the rule: %d", a.Code)
	}
	s = gatewaytest.LoadSite(t, fixture.Autologin("recognize")+"test_backend")
	long := strings.Repeat("a", headers.MaxValue+1)
	if a := s.Get("/x?user=" + long + "&key=" + fixture.Key(long, fixture.AutologinSecret)); a.Seen == nil || a.Header1(t, "X-Verified-User") != "" {
		t.Errorf("too long for a header: %d", a.Code)
	}
}

// TestMissingSlash: the cure that docs/what-the-backend-sees.md gives for backends
// that redirect /app to /app/ with the query that they got, which lacks the signature.
func TestMissingSlash(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `@noslash path /app
	redir @noslash /app/?{query} 308
	@app path /app /app/*
	`+fixture.Autologin("@app")+`test_backend`)
	a := s.Get("/app?a=%zz&" + fixture.GoodLink)
	if want := "/app/?a=%zz&" + fixture.GoodLink; a.Code != 308 || a.Header().Get("Location") != want {
		t.Fatalf("%d %s, want %s", a.Code, a.Header().Get("Location"), want)
	}
	if a = s.Get(a.Header().Get("Location")); a.Seen == nil || a.Header1(t, "X-Verified-User") != "jeff" {
		t.Errorf("the next request: %d", a.Code)
	}
}

// TestRequestHeader: outputs are made of what is signed and of claims.
func TestRequestHeader(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
		algorithm hmac-sha256
		message {query.user}|{query.account}|{path}
		signature {query.sig}
		user {query.user}
		param user alnum
		param account token optional
		request_header X-Account {query.account}
		request_header X-Both {user}@{path.1}
	}
	test_backend`)
	link := func(user, account, path string) string {
		q := "?user=" + user
		if account != "" {
			q += "&account=" + account
		}
		return path + q + "&sig=" + fixture.Sum256("0123456789abcdef", user+"|"+account+"|"+path)
	}
	a := s.Get(link("jeff", "acme", "/a/b"), "X-Account: evil", "X.Account: evil", "X-Both: evil")
	if a.Seen == nil {
		t.Fatalf("refused: %d", a.Code)
	}
	if got := a.Header1(t, "X-Account"); got != "acme" {
		t.Errorf("X-Account is %q", got)
	}
	if got := a.Header1(t, "X-Both"); got != "jeff@b" {
		t.Errorf("X-Both is %q", got)
	}
	// an empty value is no header, and the client's own is gone
	a = s.Get(link("jeff", "", "/a/b"), "X-Account: evil")
	if a.Seen == nil {
		t.Fatalf("refused: %d", a.Code)
	}
	if got, ok := a.Seen.Headers["X-Account"]; ok {
		t.Errorf("X-Account is %q", got)
	}
}

// TestUserEncoding: which identities go into a header, and how.
func TestUserEncoding(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	for _, tc := range []struct{ encoding, user, want, refusal string }{
		{"", "jeff", "jeff", ""},
		{"", "Jeff%20Smith", "Jeff Smith", ""},
		{"", "a@b.example", "a@b.example", ""},
		{"", "", "", "malformed/empty"},
		{"", "jeff%20", "", "malformed/blank"},
		{"", "%20jeff", "", "malformed/blank"},
		{"", "jeff%09", "", "malformed/charset"},
		{"", "je%00ff", "", "malformed/charset"},
		{"", "a%0D%0AX-Admin:%201", "", "malformed/charset"},
		{"", "a%7F", "", "malformed/charset"},
		{"", "a%3Bb", "", "malformed/charset"},
		{"", "j%C3%BCrgen", "", "malformed/charset"},
		{"", "j%FCrgen", "", "malformed/charset"},
		{"", strings.Repeat("a", 256), strings.Repeat("a", 256), ""},
		{"", strings.Repeat("a", 257), "", "malformed/too_long"},
		{"percent", "j%C3%BCrgen", "j%C3%BCrgen", ""},
		{"percent", "j%FCrgen", "j%FCrgen", ""},
		{"percent", "a%25b%20c", "a%25b%20c", ""},
		{"percent", "a%0D%0Ab", "a%0D%0Ab", ""},
		{"utf8", "j%C3%BCrgen", "jürgen", ""},
		{"utf8", "j%FCrgen", "", "malformed/charset"},
		{"utf8", "a%C2%85", "", "malformed/charset"},
		{"utf8", "a%C2%A0", "", "malformed/blank"},
		{"utf8", "a%0D%0Ab", "", "malformed/charset"},
	} {
		t.Run(tc.encoding+" "+tc.user[:min(len(tc.user), 20)], func(t *testing.T) {
			s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
				algorithm hmac-sha256
				message {raw_query.user}
				signature {query.sig}
				user {query.user} `+tc.encoding+`
			}
			test_backend
			handle_errors {
				respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
			}`)
			a := s.Get("/x?user=" + tc.user + "&sig=" + fixture.Sum256("0123456789abcdef", tc.user))
			if tc.refusal != "" {
				if a.Seen != nil || a.Body.String() != tc.refusal {
					t.Errorf("got %d %s, want %s", a.Code, a.Body, tc.refusal)
				}
				return
			}
			if a.Seen == nil {
				t.Fatalf("refused: %s", a.Body)
			}
			if got := a.Header1(t, "X-Verified-User"); got != tc.want || a.Seen.AuthUser != tc.want {
				t.Errorf("X-Verified-User %q, REMOTE_USER %q, want %q", got, a.Seen.AuthUser, tc.want)
			}
		})
	}
}

// TestMatcher: true after a definition verified the request, false and never an error
// otherwise, by the names of the schemes where there are any.
func TestMatcher(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `@early signed_link
	redir @early /early
	signed_link recognize akid {env.AKID_SECRET} {
		name members
	}
	`+fixture.Autologin("/app/* recognize", "name links")+`
	@links signed_link links
	@any signed_link
	@other signed_link other
	respond @other other
	respond @links links
	respond @any any
	respond none`)
	for target, want := range map[string]string{
		"/app/x":                                     "none",
		"/app/x?" + fixture.GoodLink:                 "links",
		"/x?" + fixture.GoodLink:                     "none",
		"/x?akid=" + fixture.GoodAKID:                "any",
		"/x?akid=" + fixture.BadAKID:                 "none",
		"/app/x?akid=" + fixture.GoodAKID:            "any",
		"/app/x?akid=" + fixture.GoodAKID + "&x=%zz": "any",
	} {
		if a := s.Get(target); a.Body.String() != want {
			t.Errorf("%s: %q, want %q", target, a.Body, want)
		}
	}
}

// TestExpiryFormats: every way to write a time that a link may have.
func TestExpiryFormats(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		format, text string
		status       int
	}{
		{"unix", strconv.FormatInt(now.Unix(), 10), 200},
		{"unix", strconv.FormatInt(now.Unix()-1, 10), 410},
		{"unix", strconv.FormatInt(now.UnixMilli(), 10), 400},
		{"unix", "1e99", 400},
		{"unix", "-1", 400},
		{"unix", "%2B1990000000", 400},
		{"unix", "0x7fffffff", 400},
		{"unix", "", 400},
		{"unix", "99999999999999999999", 400},
		{"unix_ms", strconv.FormatInt(now.UnixMilli(), 10), 200},
		{"unix_ms", strconv.FormatInt(now.UnixMilli()-1, 10), 410},
		{"rfc3339", "2026-11-21T12:00:00Z", 200},
		{"unix, within its last second", strconv.FormatInt(now.Unix(), 10), 200},
		{"rfc3339", "2026-11-21T13:00:00%2B01:00", 200},
		{"rfc3339", "2026-11-21T11:59:59Z", 410},
		{"rfc3339", "2026-11-21", 400},
		{"rfc3339", "tomorrow", 400},
	} {
		t.Run(tc.format+" "+tc.text, func(t *testing.T) {
			s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
				algorithm hmac-sha256
				message {query.user}|{raw_query.exp}
				signature {query.sig}
				expires {query.exp} `+strings.TrimSuffix(tc.format, ", within its last second")+`
			}
			test_backend`)
			s.At(now)
			if strings.Contains(tc.format, "last second") {
				s.At(now.Add(999 * time.Millisecond))
			}
			a := s.Get("/x?user=jeff&exp=" + tc.text + "&sig=" + fixture.Sum256("0123456789abcdef", "jeff|"+tc.text))
			if a.Code != tc.status {
				t.Errorf("status %d, want %d", a.Code, tc.status)
			}
		})
	}
}

// TestBodies: a body is let through only where its method is named, and unchanged.
func TestBodies(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, fixture.Autologin("", "methods GET HEAD POST")+`test_backend
	handle_errors {
		respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
	}`)
	const form = "Content-Type: application/x-www-form-urlencoded"
	const multipart = "Content-Type: multipart/form-data; boundary=BB"
	part := func(head, value string) string {
		return "--BB\r\n" + head + "\r\n\r\n" + value + "\r\n--BB--\r\n"
	}
	for _, tc := range []struct {
		name, method, body, header, refusal string
	}{
		{"no body", "GET", "", "", ""},
		{"GET with a body", "GET", "a=1", form, "body/not_allowed"},
		{"one-click unsubscribe (RFC 8058)", "POST", "List-Unsubscribe=One-Click", form, ""},
		{"one-click unsubscribe (RFC 8058), multipart", "POST", part(`Content-Disposition: form-data; name="List-Unsubscribe"`, "One-Click"), multipart, ""},
		{"an honest form", "POST", "a=1&username=x", form, ""},
		{"a form with a protected name", "POST", "a=1&user=admin", form, "body/protected"},
		{"a form with a look-alike", "POST", "a=1&us%65r[]=admin", form, "body/protected"},
		{"a form with _method", "POST", "_method=DELETE", form, "body/protected"},
		{"no Content-Type is a form", "POST", "user=admin", "", "body/protected"},
		{"two types in one", "POST", "user=admin", "Content-Type: application/x-www-form-urlencoded, text/plain", "body/content_type"},
		{"a foreign charset", "POST", "x=1", form + "; charset=IBM037", "body/charset"},
		{"a compressed form", "POST", "x=1", form + "\nContent-Encoding: gzip", "body/encoding"},
		{"JSON", "POST", `{"a":{"user":1},"b":["user"]}`, "Content-Type: application/json", ""},
		{"JSON with a protected name", "POST", `{"a":1,"user":"admin"}`, "Content-Type: application/json", "body/protected"},
		{"JSON with an escaped name", "POST", `{"us\u0065r":"admin"}`, "Content-Type: application/problem+json", "body/protected"},
		{"broken JSON", "POST", `{"a":`, "Content-Type: application/json", "body/json"},
		{"multipart with a protected name", "POST", part(`Content-Disposition: form-data; name="user"`, "admin"), multipart, "body/protected"},
		{"multipart with name*", "POST", part(`Content-Disposition: form-data; name*=utf-8''user; name="x"`, "admin"), multipart, "body/multipart"},
		{"multipart with single quotes", "POST", part(`Content-Disposition: form-data; name='user'`, "admin"), multipart, "body/multipart"},
		{"multipart with a backslash", "POST", part(`Content-Disposition: form-data; name="us\er"`, "admin"), multipart, "body/multipart"},
		{"multipart with two boundaries", "POST", part(`Content-Disposition: form-data; name="x"`, "1"), multipart + "; boundary=CC", "body/multipart"},
		{"an honest file", "POST", part(`Content-Disposition: form-data; name="doc"; filename="user"`, "x"), multipart, ""},
		{"an opaque body", "POST", "user=admin", "Content-Type: application/octet-stream", ""},
		{"too large", "POST", "a=" + strings.Repeat("x", bodies.MaxInspected), form, "body/too_large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var headers []string
			if tc.header != "" {
				headers = strings.Split(tc.header, "\n")
			}
			a := s.Do(gatewaytest.Request(t, tc.method, "/x?"+fixture.GoodLink, tc.body, headers...))
			if tc.refusal != "" {
				if a.Seen != nil || a.Body.String() != tc.refusal {
					t.Errorf("got %d %.200s, want %s", a.Code, a.Body, tc.refusal)
				}
				return
			}
			if a.Seen == nil {
				t.Fatalf("refused: %d %s", a.Code, a.Body)
			}
			if a.Seen.Body != tc.body {
				t.Errorf("the backend got the body %q", a.Seen.Body)
			}
		})
	}

	t.Run("recognize lets every body through", func(t *testing.T) {
		s := gatewaytest.LoadSite(t, fixture.Autologin("recognize", "methods GET POST")+"test_backend")
		for _, body := range []string{"user=admin&a=1", "a=" + strings.Repeat("x", bodies.MaxInspected+10)} {
			a := s.Do(gatewaytest.Request(t, "POST", "/x?"+fixture.GoodLink+"&b=2", body, form))
			if a.Seen == nil || a.Seen.Body != body || a.Header1(t, "X-Verified-User") != "" {
				t.Fatalf("got %d, %d bytes", a.Code, len(a.Body.String()))
			}
			if a.Seen.URI != "/x?b=2" {
				t.Errorf("URI %q", a.Seen.URI)
			}
		}
	})
	t.Run("an unknown length is no body of a GET (HTTP/3)", func(t *testing.T) {
		r := gatewaytest.Request(t, "GET", "/x?"+fixture.GoodLink, "user=admin")
		r.ContentLength = -1
		a := s.Do(r)
		if a.Seen == nil || a.Seen.Body != "" {
			t.Errorf("got %d %s", a.Code, a.Body)
		}
	})
}

// TestUserKeys: what a stranger learns of a user who does not exist is what a wrong
// signature says.
func TestUserKeys(t *testing.T) {
	t.Setenv("TOKEN_42", "s3cret-of-42")
	s := gatewaytest.LoadSite(t, `signed_link sial {
		user_keys inline {
			42 {env.TOKEN_42}
		}
		action {query.do}
		params comment
		param user digits max 10
		param comment digits
		param action one_of delete
	}
	test_backend
	handle_errors {
		respond "{err.status_code} {err.message} {http.signed_link.reason}/{http.signed_link.detail}/{http.signed_link.scheme}" {err.status_code}
	}`)
	link := func(user, secret string) string {
		return "/x?user=" + user + "&do=delete&comment=7&sig=" + fixture.Sum1(user+"delete7"+secret)
	}
	if a := s.Get(link("42", "s3cret-of-42")); a.Seen == nil || a.Header1(t, "X-Verified-User") != "42" {
		t.Fatalf("the good link: %d %s", a.Code, a.Body)
	}
	wrong := s.Get(link("42", "other"))
	for name, target := range map[string]string{
		"nobody":                    link("43", "s3cret-of-42"),
		"nobody, an empty secret":   link("43", ""),
		"a user of another number":  link("042", "s3cret-of-42"),
		"the secret of another one": link("1", "s3cret-of-42"),
	} {
		a := s.Get(target)
		if a.Code != wrong.Code || a.Body.String() != wrong.Body.String() || fmt.Sprint(a.Header()) != fmt.Sprint(wrong.Header()) {
			t.Errorf("%s: %d %s %v, want %d %s %v", name, a.Code, a.Body, a.Header(), wrong.Code, wrong.Body, wrong.Header())
		}
	}
	if a := s.Get(link("4x", "s3cret-of-42")); a.Body.String() != "400 malformed malformed/charset/sial" {
		t.Errorf("a user that breaks the rule: %s", a.Body)
	}
}

// TestNested: with a guard at site level, definitions may stand anywhere.
func TestNested(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `signed_link guard
	handle /app/* {
		`+fixture.Autologin("")+`
		uri strip_prefix /app
		test_backend app
	}
	handle {
		test_backend open
	}`)
	a := s.Get("/app/x?"+fixture.GoodLink, "X-Verified-User: evil")
	if a.Seen == nil || a.Seen.Backend != "app" || a.Seen.URI != "/x?user=jeff" || a.Header1(t, "X-Verified-User") != "jeff" {
		t.Errorf("the good link: %d %s", a.Code, a.Body)
	}
	a = s.Get("/open?"+fixture.GoodLink, "X-Verified-User: evil", "X_Verified_User: evil")
	if a.Seen == nil || a.Header1(t, "X-Verified-User") != "" || a.Seen.URI != "/open?"+fixture.GoodLink {
		t.Errorf("another route: %d %s", a.Code, a.Body)
	}
	if a := s.Get("/app/x?" + fixture.BadLink); a.Code != http.StatusUnauthorized {
		t.Errorf("the bad link: %d", a.Code)
	}
}

// TestDefaultMethods: HEAD is a GET, everything else is refused with a link.
func TestDefaultMethods(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, fixture.Autologin("")+"test_backend")
	for method, want := range map[string]int{
		"GET": 200, "HEAD": 200, "POST": 405, "PUT": 405, "DELETE": 405, "OPTIONS": 405, "PATCH": 405, "get": 405, "Get": 405,
	} {
		if a := s.Do(gatewaytest.Request(t, method, "/x?"+fixture.GoodLink, "")); a.Code != want {
			t.Errorf("%s: %d, want %d", method, a.Code, want)
		}
	}
	r := gatewaytest.LoadSite(t, fixture.Autologin("recognize")+"test_backend")
	for _, method := range []string{"POST", "get"} {
		a := r.Do(gatewaytest.Request(t, method, "/x?"+fixture.GoodLink+"&a=1", ""))
		if a.Seen == nil || a.Header1(t, "X-Verified-User") != "" || a.Seen.URI != "/x?a=1" {
			t.Errorf("recognize, %s: %d %s", method, a.Code, a.Body)
		}
	}
}
