package signedlink_test

import (
	"testing"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// TestModes looks closer at what each mode makes of each kind of request: every place
// in which a backend finds the URL, and every header.
func TestModes(t *testing.T) {
	fixture.SetSecrets(t)
	const other = "&a=1&&b=%zz"
	type cell struct {
		status  int
		uri     string // what the backend sees; "" if it is not asked
		user    string // X-Verified-User
		verdict string
		reason  string
	}
	modes := []struct {
		name, directive            string
		good, bad, none, elsewhere cell
	}{
		{
			name: "require", directive: fixture.Autologin("/app/* require"),
			good:      cell{200, "/app/x?user=jeff" + other, "jeff", "valid", ""},
			bad:       cell{401, "", "", "invalid", "bad_signature"},
			none:      cell{401, "", "", "invalid", "missing"},
			elsewhere: cell{200, "/open?" + fixture.GoodLink + other, "", "", ""},
		},
		{
			name: "require, missing pass", directive: fixture.Autologin("/app/*", "missing pass"),
			good:      cell{200, "/app/x?user=jeff" + other, "jeff", "valid", ""},
			bad:       cell{401, "", "", "invalid", "bad_signature"},
			none:      cell{200, "/app/x?a=1&&b=%zz", "", "invalid", "missing"},
			elsewhere: cell{200, "/open?" + fixture.GoodLink + other, "", "", ""},
		},
		{
			name: "recognize", directive: fixture.Autologin("/app/* recognize"),
			good:      cell{200, "/app/x?user=jeff" + other, "jeff", "valid", ""},
			bad:       cell{200, "/app/x?a=1&&b=%zz", "", "invalid", "bad_signature"},
			none:      cell{200, "/app/x?a=1&&b=%zz", "", "invalid", "missing"},
			elsewhere: cell{200, "/open?" + fixture.GoodLink + other, "", "", ""},
		},
		{
			name: "observe", directive: fixture.Autologin("/app/* observe"),
			good:      cell{200, "/app/x?" + fixture.GoodLink + other, "", "valid", ""},
			bad:       cell{200, "/app/x?" + fixture.BadLink + other, "", "invalid", "bad_signature"},
			none:      cell{200, "/app/x?user=jeff" + other, "", "invalid", "missing"},
			elsewhere: cell{200, "/open?" + fixture.GoodLink + other, "", "", ""},
		},
		{
			name: "guard", directive: "signed_link guard",
			good:      cell{200, "/app/x?" + fixture.GoodLink + other, "", "", ""},
			bad:       cell{200, "/app/x?" + fixture.BadLink + other, "", "", ""},
			none:      cell{200, "/app/x?user=jeff" + other, "", "", ""},
			elsewhere: cell{200, "/open?" + fixture.GoodLink + other, "", "", ""},
		},
	}
	for _, mode := range modes {
		s := gatewaytest.LoadSite(t, mode.directive+`
			header Verdict {http.signed_link.verdict}
			header Reason {http.signed_link.reason}
			header >Verdict {http.signed_link.verdict}
			header >Reason {http.signed_link.reason}
			test_backend`)
		for _, tc := range []struct {
			name, target string
			want         cell
		}{
			{"good link", "/app/x?" + fixture.GoodLink + other, mode.good},
			{"bad link", "/app/x?" + fixture.BadLink + other, mode.bad},
			{"no link", "/app/x?user=jeff" + other, mode.none},
			{"other route", "/open?" + fixture.GoodLink + other, mode.elsewhere},
		} {
			t.Run(mode.name+"/"+tc.name, func(t *testing.T) {
				a := s.Get(tc.target, "X-Verified-User: admin", "X-Verified-Scheme: evil")
				if a.Code != tc.want.status {
					t.Fatalf("status %d, want %d", a.Code, tc.want.status)
				}
				if (a.Seen != nil) != (tc.want.uri != "") {
					t.Fatalf("the backend was asked: %t", a.Seen != nil)
				}
				if a.Seen == nil {
					return
				}
				for what, uri := range map[string]string{
					"URL": a.Seen.URI, "RequestURI": a.Seen.RequestURI, "REQUEST_URI": a.Seen.OrigURI, "{orig_uri}": a.Seen.OrigText,
					"the original RequestURI": a.Seen.OrigTarget,
				} {
					if uri != tc.want.uri {
						t.Errorf("%s is %q, want %q", what, uri, tc.want.uri)
					}
				}
				if got := a.Header1(t, "X-Verified-User"); got != tc.want.user {
					t.Errorf("X-Verified-User is %q, want %q", got, tc.want.user)
				}
				if a.Seen.AuthUser != tc.want.user {
					t.Errorf("REMOTE_USER is %q, want %q", a.Seen.AuthUser, tc.want.user)
				}
				scheme := ""
				if tc.want.user != "" {
					scheme = "keyed_hash"
				}
				if got := a.Header1(t, "X-Verified-Scheme"); got != scheme {
					t.Errorf("X-Verified-Scheme is %q, want %q", got, scheme)
				}
				if got := a.Header().Get("Verdict"); got != tc.want.verdict {
					t.Errorf("{http.signed_link.verdict} is %q, want %q", got, tc.want.verdict)
				}
				if got := a.Header().Get("Reason"); got != tc.want.reason {
					t.Errorf("{http.signed_link.reason} is %q, want %q", got, tc.want.reason)
				}
			})
		}
	}
}
