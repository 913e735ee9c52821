package outcome

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/link"
)

// TestDecide: what each mode makes of each kind of verdict. A request that could not be
// read goes on as nobody in no mode but observe, and a second user never.
func TestDecide(t *testing.T) {
	none, bad, missing := link.Refusal{}, link.Refuse(link.BadSignature, ""), link.Refuse(link.Missing, "")
	tooLong, users := link.Refuse(link.Malformed, "too_long"), link.Refuse(link.Ambiguous, "users")
	for _, tc := range []struct {
		name    string
		refusal link.Refusal
		Circumstances
		want [4]Result // require, missing pass, recognize, observe
	}{
		{"verified", none, Circumstances{}, [4]Result{Verified, Verified, Verified, WouldVerify}},
		{"bad", bad, Circumstances{}, [4]Result{Refused, Refused, Anonymous, WouldRefuse}},
		{"missing", missing, Circumstances{}, [4]Result{Refused, Anonymous, Anonymous, WouldRefuse}},
		{"unread", tooLong, Circumstances{Unread: true}, [4]Result{Refused, Refused, Refused, WouldRefuse}},
		{"two users", users, Circumstances{Conflict: true}, [4]Result{Refused, Refused, Anonymous, WouldRefuse}},
		{"two users, one required", users, Circumstances{Conflict: true, Required: true}, [4]Result{Refused, Refused, Refused, WouldRefuse}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for i, rules := range []Rules{{}, {PassMissing: true}, {Mode: Recognize}, {Mode: Observe}} {
				if got := rules.Decide(tc.refusal, tc.Circumstances); got != tc.want[i] {
					t.Errorf("%+v: %s, want %s", rules, Results[got], Results[tc.want[i]])
				}
			}
		})
	}
}

// TestCredentials: who loses the Authorization.
func TestCredentials(t *testing.T) {
	for authorization, want := range map[Authorization]struct{ verified, nobody, refused, always bool }{
		CutAuthorization:       {true, false, true, false},
		KeepAuthorization:      {false, false, false, false},
		AlwaysCutAuthorization: {true, true, true, true},
	} {
		rules := Rules{Authorization: authorization}
		if rules.CutsCredentials(Verified) != want.verified || rules.CutsCredentials(Anonymous) != want.nobody ||
			rules.CutsRefused() != want.refused || rules.AlwaysCuts() != want.always {
			t.Errorf("%d: want %+v", authorization, want)
		}
		rules.Mode = Observe
		if rules.CutsCredentials(WouldVerify) || rules.CutsCredentials(WouldRefuse) || rules.AlwaysCuts() {
			t.Errorf("%d: observe cuts", authorization)
		}
	}
}

// TestSays: what is ordinary is said at the level debug only.
func TestSays(t *testing.T) {
	for _, tc := range []struct {
		rules   Rules
		refusal link.Refusal
		want    string
		loud    bool
	}{
		{Rules{}, link.Refusal{}, "verified", false},
		{Rules{}, link.Refuse(link.Missing, ""), "refused", true},
		{Rules{PassMissing: true}, link.Refuse(link.Missing, ""), "no link", false},
		{Rules{PassMissing: true}, link.Refuse(link.Expired, ""), "refused", true},
		{Rules{Mode: Recognize}, link.Refuse(link.Missing, ""), "no link", false},
		{Rules{Mode: Recognize}, link.Refuse(link.Expired, ""), "not recognized", true},
		{Rules{Mode: Observe}, link.Refuse(link.Missing, ""), "no link", false},
		{Rules{Mode: Observe}, link.Refuse(link.Expired, ""), "would be refused", true},
	} {
		if message, loud := tc.rules.Says(tc.refusal); message != tc.want || loud != tc.loud {
			t.Errorf("%+v %v: %q %t, want %q %t", tc.rules, tc.refusal, message, loud, tc.want, tc.loud)
		}
	}
}

// TestAnswer: status and headers of refusals. None may be stored.
func TestAnswer(t *testing.T) {
	statuses, err := NewStatuses([]Status{{[]string{"expired"}, 404}, {[]string{"throttled", "keys_unavailable"}, 503}})
	if err != nil {
		t.Fatal(err)
	}
	redirects, err := NewRedirects([]Redirect{{[]string{"not_yet_valid"}, "/soon"}})
	if err != nil {
		t.Fatal(err)
	}
	rules := Rules{Statuses: statuses, Redirects: redirects, Allow: "GET, HEAD"}
	for _, tc := range []struct {
		method   string
		reason   link.Reason
		wait     time.Duration
		status   int
		redirect bool
		headers  map[string]string
	}{
		{"GET", link.BadSignature, 0, 401, false, map[string]string{"Www-Authenticate": "SignedLink"}},
		{"GET", link.Expired, 0, 404, false, nil},
		{"GET", link.Malformed, 0, 400, false, nil},
		{"POST", link.Method, 0, 405, false, map[string]string{"Allow": "GET, HEAD"}},
		{"GET", link.KeysUnavailable, 0, 503, false, map[string]string{"Retry-After": "10"}},
		{"GET", link.Throttled, 1500 * time.Millisecond, 503, false, map[string]string{"Retry-After": "2"}},
		{"GET", link.NotYetValid, 0, 302, true, map[string]string{"Location": "/soon"}},
		{"HEAD", link.NotYetValid, 0, 302, true, map[string]string{"Location": "/soon"}},
		{"POST", link.NotYetValid, 0, 303, true, map[string]string{"Location": "/soon"}},
	} {
		h := http.Header{}
		status, redirect := rules.Answer(h, tc.method, link.Refuse(tc.reason, ""), tc.wait)
		want := http.Header{"Cache-Control": {"no-store"}}
		for name, value := range tc.headers {
			want.Set(name, value)
		}
		if status != tc.status || redirect != tc.redirect || !maps.EqualFunc(h, want, func(a, b []string) bool { return len(a) == 1 && a[0] == b[0] }) {
			t.Errorf("%s %s: %d %t %v", tc.method, tc.reason, status, redirect, h)
		}
	}
}

// TestErrors: what is wrong says how to cure it, and no redirect leads where a client
// chooses.
func TestErrors(t *testing.T) {
	for _, to := range []string{"//evil.example", `/\evil.example`, "/x{query.next}", "https:///x", "javascript:alert(1)", "expired", "/a b", "http://[::1", "/é"} {
		if _, err := NewRedirects([]Redirect{{nil, to}}); err == nil || !strings.Contains(err.Error(), "write a path of this site") {
			t.Errorf("%q: %v", to, err)
		}
	}
	for _, list := range [][]Status{{{nil, 200}}, {{nil, 600}}, {{[]string{"lost"}, 404}}, {{nil, 404}, {nil, 403}}, {{[]string{"expired"}, 404}, {[]string{"expired"}, 403}}} {
		if _, err := NewStatuses(list); err == nil {
			t.Errorf("%+v is accepted", list)
		}
	}
	for name, want := range map[string]string{"": "same-origin", "off": "", "no-referrer": "no-referrer"} {
		if got, err := ParseReferrerPolicy(name); err != nil || got != want {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if _, err := ParseReferrerPolicy("none"); err == nil || !strings.Contains(err.Error(), "off") {
		t.Errorf("%v", err)
	}
}
