package signedlink_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
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

// TestAttackNonsenseInJSON: whatever stands in place of a value in the JSON of a definition,
// the configuration loads, or is refused with an error. Who can write a configuration needs
// no panic, but the administration endpoint takes one from whoever is let in.
func TestAttackNonsenseInJSON(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "adapt", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	tries := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\{env\.(\w+)\}`).FindAllStringSubmatch(string(data), -1) {
			t.Setenv(m[1], strings.Repeat("0123456789abcdef", 4))
		}
		_, text, _ := strings.Cut(string(data), separator)
		var config any
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		eachNonsense(config, "", false, func(at string) {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("%s: %s: %v", filepath.Base(file), at, r)
				}
			}()
			tries++
			nonsense, err := json.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			var c caddy.Config
			if json.Unmarshal(nonsense, &c) != nil {
				return
			}
			if s, err := gatewaytest.TryLoadJSON(t, nonsense); err == nil && s.Server != nil {
				s.Get("/app/x?user=jeff&key=00&akid=1.2.AAAAAA&sig=00", "X-Verified-User: admin")
			}
		})
	}
	if tries < 2000 {
		t.Errorf("only %d configurations were tried", tries)
	}
}

// eachNonsense puts one wrong value after the other in place of each node of the JSON that
// stands in a handler of signed_link, and calls try with where it stands.
func eachNonsense(node any, at string, ours bool, try func(at string)) {
	replace := func(child any, at string, set func(any)) {
		if !ours {
			eachNonsense(child, at, false, try)
			return
		}
		for _, wrong := range []any{nil, map[string]any{}, []any{}, "", 0.0, []any{nil}, map[string]any{"x": nil}} {
			set(wrong)
			try(fmt.Sprintf("%s = %v", at, wrong))
		}
		set(child)
		eachNonsense(child, at, true, try)
	}
	switch node := node.(type) {
	case map[string]any:
		ours = ours || node["handler"] == "signed_link"
		for name, child := range maps.Clone(node) {
			replace(child, at+"/"+name, func(v any) { node[name] = v })
		}
	case []any:
		for i, child := range slices.Clone(node) {
			replace(child, at+"/"+strconv.Itoa(i), func(v any) { node[i] = v })
		}
	}
}
