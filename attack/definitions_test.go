package attack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// All headers of an identity are one link's (holes B1).

// twoAKIDs is a page whose reader has an AKID, and so has the friend who shared it.
const (
	reader = `signed_link recognize akid {env.LINK_SECRET} {
		backend php
	}
	`
	friend = `signed_link recognize akid {env.LINK_SECRET} {
		name referrer
		backend php
		token {query.referring_akid}
		user none
		request_header X-Verified-Referrer {claim.user}
	}
	`
)

// TestAttackMixedIdentity: a link of one and a link of another in one request; nothing
// that the one says stands beside what the other says, and the friend is never taken for
// the reader.
func TestAttackMixedIdentity(t *testing.T) {
	t.Setenv("LINK_SECRET", "4b7a1f0c9e2d8a6b5c3f7e1d0a9b8c7d")
	const (
		own     = "akid=2695.103007.mr9sxf"
		without = "akid=.103007.0nQ4zE" // no mailing
		his     = "referring_akid=2701.555.7jS2Z8"
	)
	for _, tc := range []struct {
		name, query                      string
		user, scheme, mailing, referrer1 string
	}{
		{"both", own + "&" + his, "103007", "akid", "2695", "555"},
		{"referrer only", his, "", "referrer", "2701", "555"},
		{"reader only", own, "103007", "akid", "2695", ""},
		{"bad referrer", own + "&referring_akid=2701.556.7jS2Z8", "103007", "akid", "2695", ""},
		{"bad reader", "akid=2701.556.7jS2Z8&" + his, "", "referrer", "2701", "555"},
		{"the friend's mailing is not the reader's", without + "&" + his, "103007", "akid", "", "555"},
	} {
		for order, directives := range map[string]string{"reader first": reader + friend, "friend first": friend + reader, "behind a guard": "signed_link guard\n" + friend + reader} {
			s := gatewaytest.LoadSite(t, directives+`
			header >Placeholders "{http.signed_link.user}/{http.signed_link.scheme}/{http.signed_link.claim.mailing}"
			test_backend`)
			a := s.Get("/a?"+tc.query+"&b=1", "X-Verified-Referrer: evil", "X-Verified-Mailing: evil")
			if a.Seen == nil || a.Seen.URI != "/a?b=1" {
				t.Fatalf("%s, %s: %d %s", tc.name, order, a.Code, a.Body)
			}
			for name, want := range map[string]string{
				"X-Verified-User": tc.user, "X-Verified-Scheme": tc.scheme, "X-Verified-Mailing": tc.mailing, "X-Verified-Referrer": tc.referrer1,
			} {
				if got := a.Header1(t, name); got != want {
					t.Errorf("%s, %s: %s is %q, want %q", tc.name, order, name, got, want)
				}
			}
			if a.Seen.AuthUser != tc.user {
				t.Errorf("%s, %s: REMOTE_USER is %q, want %q", tc.name, order, a.Seen.AuthUser, tc.user)
			}
			if got, want := a.Header().Get("Placeholders"), tc.user+"/"+tc.scheme+"/"+tc.mailing; tc.user != "" && got != want {
				t.Errorf("%s, %s: the placeholders say %q, want %q", tc.name, order, got, want)
			}
		}
	}
}

// speaking is a definition of a keyed hash over one parameter, with a key id.
func speaking(name, user string, options ...string) string {
	return fmt.Sprintf(`signed_link recognize keyed_hash {
		name %[1]s
		secret {env.S} key-%[1]s
		algorithm hmac-sha256
		message {query.%[1]s}
		signature {query.%[1]s_sig}
		user %[2]s
		allow shared_users no_expiry
		%[3]s
	}
	`, name, user, strings.Join(options, "\n"))
}

// TestAttackMixedOrders: three definitions in every order. The first that names a user
// speaks; of two that set one header, that one; each other header is its own definition's.
func TestAttackMixedOrders(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	definitions := map[string]string{
		"a": speaking("a", "none", "request_header X-A {query.a}", "request_header X-Both {query.a}"),
		"b": speaking("b", "{query.b}", "request_header X-B {query.b}", "request_header X-Both {query.b}"),
		"c": speaking("c", "{query.c}", "request_header X-C {query.c}", "request_header X-Both {query.c}"),
	}
	link := func(name, value string) string {
		return "&" + name + "=" + value + "&" + name + "_sig=" + fixture.Sum256("0123456789abcdef", value)
	}
	for _, order := range []string{"abc", "acb", "bac", "bca", "cab", "cba"} {
		for _, guarded := range []string{"", "signed_link guard\n"} {
			text := guarded
			for name := range strings.SplitSeq(order, "") {
				text += definitions[name]
			}
			s, file := fixture.LoadLogged(t, text+`
			header >Placeholders "{http.signed_link.user}/{http.signed_link.scheme}/{http.signed_link.key_id}"
			test_backend`)
			first := strings.Trim(strings.ReplaceAll(order, "a", ""), " ")[:1] // that names a user
			for _, tc := range []struct {
				query string
				want  map[string]string
			}{
				{link("a", "anna") + link("b", "jeff") + link("c", "jeff"), map[string]string{
					"User": "jeff", "Scheme": first, "Key-Id": "key-" + first, "A": "anna", "B": "jeff", "C": "jeff", "Both": "jeff",
				}},
				{link("a", "anna") + link("c", "carl"), map[string]string{
					"User": "carl", "Scheme": "c", "Key-Id": "key-c", "A": "anna", "C": "carl", "Both": "carl",
				}},
				{link("a", "anna"), map[string]string{"Scheme": "a", "Key-Id": "key-a", "A": "anna", "Both": "anna"}},
				// two users: nobody, whatever a third says
				{link("b", "jeff") + link("c", "carl"), map[string]string{}},
			} {
				a := s.Get("/x?" + tc.query)
				if a.Seen == nil {
					t.Fatalf("%s: %d %s", order, a.Code, a.Body)
				}
				got := make(map[string]string)
				for _, name := range []string{"User", "Scheme", "Key-Id"} {
					if v := a.Header1(t, "X-Verified-"+name); v != "" {
						got[name] = v
					}
				}
				for _, name := range []string{"A", "B", "C", "Both"} {
					if v := a.Header1(t, "X-"+name); v != "" {
						got[name] = v
					}
				}
				if !maps.Equal(got, tc.want) || a.Seen.AuthUser != tc.want["User"] {
					t.Errorf("%s %s: %v of %q, want %v", order, tc.query, got, a.Seen.AuthUser, tc.want)
				}
				placeholders := tc.want["User"] + "/" + tc.want["Scheme"] + "/" + tc.want["Key-Id"]
				if got := a.Header().Get("Placeholders"); len(tc.want) > 0 && got != placeholders {
					t.Errorf("%s %s: the placeholders say %q, want %q", order, tc.query, got, placeholders)
				}
				entry := lastEntry(t, file)
				if len(tc.want) > 0 && (entry.UserID != tc.want["User"] || entry.SignedLink["scheme"] != tc.want["Scheme"] || entry.SignedLink["key_id"] != tc.want["Key-Id"]) {
					t.Errorf("%s %s: the access log says %+v", order, tc.query, entry)
				}
			}
		}
	}
}

// TestAttackThirdOpinion: two links name two users, so the request is nobody's; a third
// cannot make it somebody's again.
func TestAttackThirdOpinion(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	link := func(name, value string) string {
		return "&" + name + "=" + value + "&" + name + "_sig=" + fixture.Sum256("0123456789abcdef", value)
	}
	s := gatewaytest.LoadSite(t, speaking("a", "{query.a}")+speaking("b", "{query.b}")+speaking("c", "{query.c}", "request_header X-C {query.c}")+"test_backend")
	for _, third := range []string{"alice", "bob", "carol"} {
		a := s.Get("/x?" + link("a", "alice") + link("b", "bob") + link("c", third))
		if a.Seen == nil || a.Header1(t, "X-Verified-User") != "" || a.Header1(t, "X-C") != "" || a.Header1(t, "X-Verified-Scheme") != "" || a.Seen.AuthUser != "" {
			t.Errorf("%s: %d %s", third, a.Code, a.Body)
		}
	}
	// one that names nobody beside them hides the conflict from nobody
	s = gatewaytest.LoadSite(t, speaking("n", "none")+speaking("a", "{query.a}")+speaking("b", "{query.b}")+"test_backend")
	if a := s.Get("/x?" + link("n", "x") + link("a", "alice") + link("b", "bob")); a.Seen == nil || a.Header1(t, "X-Verified-User") != "" || a.Seen.AuthUser != "" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

type entry struct {
	Msg        string
	UserID     string            `json:"user_id"`
	SignedLink map[string]string `json:"signed_link"`
}

// lastEntry is the last line of the access log.
func lastEntry(t *testing.T, file string) (last entry) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var e entry
		if json.Unmarshal([]byte(line), &e) == nil && e.Msg == "handled request" {
			last = e
		}
	}
	return last
}

// TestAttackSecondDefinitionsHeader: a refusal by the first definition must not let a
// forged output header of the second into the error route.
func TestAttackSecondDefinitionsHeader(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+`
	signed_link /other/* akid {env.AKID_SECRET} {
		request_header X-Member {claim.user}
	}
	test_backend
	handle_errors {
		test_backend errors
	}`)
	for _, target := range []string{"/app/x", "/open", "/other/x?akid=" + fixture.GoodAKID} {
		a := s.Get(target, "X-Member: admin", "X.Member: admin")
		if got := a.Header1(t, "X-Member"); got == "admin" {
			t.Errorf("%s: X-Member is the client's", target)
		}
	}
}

// TestAttackIgnoredParameter: what one scheme of a definition ignores is no parameter that
// another signs, for the holder of a link of the first could write any value into it, and
// the backend believes both.
func TestAttackIgnoredParameter(t *testing.T) {
	fixture.SetSecrets(t)
	t.Setenv("KEY", fixture.HMACKey)
	for ignore, good := range map[string]bool{"promo": false, "pro*": false, "key": false, "utm_*": true, "promos": true} {
		_, err := gatewaytest.TryLoad(t, gatewaytest.SiteFile(`signed_link {
			scheme keyed_hash {env.AUTOLOGIN_SECRET} {
				algorithm md5
				message {query.promo}{secret}
				signature {query.key}
				user {query.promo}
				name one
			}
			scheme keyed_hash {env.KEY} {
				algorithm hmac-sha256
				message {sorted_query}
				signature {query.sig}
				user {query.user}
				ignore `+ignore+`
				name two
			}
		}
		test_backend`))
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), "carries part of a link of one") {
			t.Errorf("ignore %s: error %v", ignore, err)
		}
	}
}
