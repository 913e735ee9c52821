package attack_test

import (
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// TestAttackMethodOverride: `_method` and X-HTTP-Method-Override turn a mailed GET
// into a DELETE.
func TestAttackMethodOverride(t *testing.T) {
	s := refusedAs(t, "")
	for _, tc := range []struct{ query, header string }{
		{"&_method=DELETE", ""},
		{"&%5Fmethod=DELETE", ""},
		{"&_method[]=DELETE", ""},
		{"&_METHOD=DELETE", ""},
		{"&.METHOD=DELETE", ""},
		{"&+_METHOD=DELETE", ""},
		{"&[METHOD=DELETE", ""},
		{"&X-HTTP-Method-Override=DELETE", ""},
		{"", "X-HTTP-Method-Override: DELETE"},
		{"", "X-HTTP-Method: DELETE"},
		{"", "X-Method-Override: DELETE"},
	} {
		var headers []string
		if tc.header != "" {
			headers = append(headers, tc.header)
		}
		if a := s.Get("/x?"+fixture.GoodLink+tc.query, headers...); a.Seen != nil || a.Body.String() != "method/override" {
			t.Errorf("%+v: got %d %s", tc, a.Code, a.Body)
		}
	}
}

// TestAttackUndeclaredBody: a body behind a length of 0 is none, and does not go on.
func TestAttackUndeclaredBody(t *testing.T) {
	s := refusedAs(t, "", "methods GET POST")
	for _, method := range []string{"GET", "POST"} {
		r := gatewaytest.Request(t, method, "/x?"+fixture.GoodLink, "user=admin", "Content-Type: application/x-www-form-urlencoded")
		r.ContentLength = 0
		if a := s.Do(r); a.Seen == nil || a.Seen.Body != "" || a.Header1(t, "X-Verified-User") != "jeff" {
			t.Errorf("%s: got %d %s", method, a.Code, a.Body)
		}
	}
}
