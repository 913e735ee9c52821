package signedlink_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/keys"
)

// testDown is a source of user keys that cannot answer.
type testDown struct{}

func init() { caddy.RegisterModule(testDown{}) }

func (testDown) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.signed_link.keys.test_down", New: func() caddy.Module { return new(testDown) }}
}

func (testDown) OpenUsers() (keys.UserSource, error) { return testDown{}, nil }

func (testDown) UserKey(context.Context, string) (keys.Secret, error) {
	return keys.Secret{}, fmt.Errorf("%w: the test says so", keys.ErrUnavailable)
}

// TestKeysUnavailable: where the source cannot answer, require refuses with 503 for
// every user alike, recognize lets the request on as nobody, and nothing of the source's
// own words reaches the client.
func TestKeysUnavailable(t *testing.T) {
	for mode, want := range map[string]int{"require": 503, "recognize": 200, "observe": 200} {
		s, err := gatewaytest.TryLoadJSON(t, []byte(`{"admin":{"disabled":true},"apps":{"http":{"servers":{"s":{"routes":[{"handle":[{
			"handler":"signed_link","mode":"`+mode+`","schemes":[{
				"scheme":{"kind":"keyed_hash","algorithm":"hmac-sha256","message":"{query.user}","signature":"{query.sig}"},
				"user_keys":{"source":"test_down"}}]},
			{"handler":"headers","response":{"deferred":true,"set":{"Reason":["{http.signed_link.verdict} {http.signed_link.reason}"]}}},
			{"handler":"test_backend"}]}],
			"errors":{"routes":[{"handle":[{"handler":"static_response","status_code":"{http.error.status_code}","body":"{http.error.message}"}]}]}}}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range []string{"1", "2"} {
			a := s.Get("/x?user=" + user + "&sig=00&a=1")
			if a.Code != want {
				t.Errorf("%s: %d, want %d", mode, a.Code, want)
			}
			switch mode {
			case "require":
				if a.Seen != nil || a.Body.String() != "keys_unavailable" || a.Header().Get("Retry-After") == "" ||
					a.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("require: %q %v", a.Body, a.Header())
				}
			case "recognize":
				if a.Seen.URI != "/x?a=1" || a.Header1(t, headers.VerifiedUser) != "" {
					t.Errorf("recognize: the backend sees %s", a.Body)
				}
			case "observe":
				if a.Seen.URI != "/x?user="+user+"&sig=00&a=1" || a.Header().Get("Reason") != "invalid keys_unavailable" {
					t.Errorf("observe: %s %v", a.Body, a.Header())
				}
			}
			if strings.Contains(a.Body.String()+fmt.Sprint(a.Header()), "the test says so") {
				t.Errorf("%s tells what the source said", mode)
			}
		}
	}
}
