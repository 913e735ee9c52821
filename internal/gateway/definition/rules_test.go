package definition_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition/definitiontest"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/link"
)

const secret = "b7Qf2kV9xWc4LmN8pRt6YzA3sDgH5jKe"

// byUser is a definition that signs the user, with HMAC-SHA-256.
func byUser(t testing.TB, profile backend.Profile) *definition.Definition {
	t.Helper()
	return definitiontest.New(t, profile, "keyed_hash", secret,
		keyedhash.Config{Algorithm: "hmac-sha256", Message: "{query.user}", Signature: "{query.sig}"})
}

// signed is the query of a link for the user.
func signed(user string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(user))
	return "user=" + url.PathEscape(user) + "&sig=" + hex.EncodeToString(mac.Sum(nil))
}

// judged is what the definition says of a query.
func judged(t testing.TB, d *definition.Definition, raw string) *definition.Verdict {
	t.Helper()
	r := &link.Request{Method: http.MethodGet, Path: "/app"}
	v := d.Judge(context.Background(), r, r.Query.Parse(raw), time.Unix(1_800_000_000, 0))
	return &v
}

var profiles = []backend.Profile{backend.Strict, backend.PHP, backend.Servlet}

// Where a rule holds, written out: a test that asked the table would pass without the row.
var (
	everywhere = []backend.Profile{backend.Strict, backend.PHP, backend.Servlet}
	underPHP   = []backend.Profile{backend.Strict, backend.PHP}
)

// TestRules: each rule that the judge answers refuses what a backend with that rule reads
// in another way, and says why.
func TestRules(t *testing.T) {
	for rule, tc := range map[string]struct {
		holds []backend.Profile
		query string
		want  link.Refusal
	}{
		"single_name":            {everywhere, signed("jeff") + "&user=mike", link.Refuse(link.Ambiguous, "duplicate")},
		"semicolon_in_value":     {everywhere, "user=a;b&" + signed("jeff"), link.Refuse(link.Ambiguous, "semicolon")},
		"broken_escape_in_value": {everywhere, "user=a%&" + signed("jeff"), link.Refuse(link.Ambiguous, "escape")},
		"control_byte":           {everywhere, signed("jeff") + "& x=1", link.Refuse(link.Ambiguous, "control")},
		"header_safe_value":      {everywhere, signed("jeff\n"), link.Refuse(link.Malformed, "charset")},
	} {
		t.Run(rule, func(t *testing.T) {
			for _, profile := range profiles {
				v := judged(t, byUser(t, profile), tc.query)
				if refused := v.Refusal == tc.want; refused != slices.Contains(tc.holds, profile) {
					t.Errorf("%s: %s", profile, v.Refusal)
				}
			}
		})
	}
	t.Run("overridden_method", func(t *testing.T) {
		for _, profile := range profiles {
			r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/app"}, Header: http.Header{}, Body: http.NoBody}
			sent := &link.Request{Method: http.MethodGet, Path: "/app"}
			refusal := byUser(t, profile).Admit(r, sent, true)
			if refused := refusal == link.Refuse(link.Method, "override"); refused != slices.Contains(everywhere, profile) {
				t.Errorf("%s: %s", profile, refusal)
			}
		}
	})
	t.Run("cookie_shadow", func(t *testing.T) {
		for _, profile := range profiles {
			if d := byUser(t, profile); (d.Cookies != nil) != slices.Contains(underPHP, profile) {
				t.Errorf("%s: cookies are looked at: %t", profile, d.Cookies != nil)
			}
		}
	})
}
