package exchange_test

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// TestAccessLog: the line of each request says what became of its link.
func TestAccessLog(t *testing.T) {
	fixture.SetSecrets(t)
	t.Setenv("S", "0123456789abcdef")
	s, file := fixture.LoadLogged(t, fixture.Autologin("/app/*", "name login")+fixture.Autologin("/pass/*", "missing pass")+
		`signed_link /observe/* observe keyed_hash {
			secret {env.S} 2027
			algorithm hmac-sha256
			message {query.user}
			signature {query.sig}
		}
		signed_link /keys/* keyed_hash {
			name keys
			secret {env.S} 2027
			algorithm hmac-sha256
			message {query.user}
			signature {query.sig}
		}
		signed_link recognize akid {env.AKID_SECRET}
		error /app/boom 502
		test_backend
		handle_errors {
			test_backend error
		}`)
	signed := "user=jeff&sig=" + fixture.Sum256("0123456789abcdef", "jeff")
	for _, tc := range []struct {
		target, header string
		want           map[string]string
		user           string
	}{
		{"/app/x?" + fixture.GoodLink, "A: b", map[string]string{"scheme": "login", "verdict": "valid"}, "jeff"},
		{"/app/boom?" + fixture.GoodLink, "A: b", map[string]string{"scheme": "login", "verdict": "valid"}, "jeff"},
		{"/app/x?" + fixture.BadLink, "A: b", map[string]string{"scheme": "login", "verdict": "invalid", "reason": "bad_signature"}, ""},
		{"/app/x?user=joe&" + fixture.GoodLink, "A: b", map[string]string{"verdict": "invalid", "reason": "ambiguous", "detail": "duplicate"}, ""},
		{"/app/x", "A: b", map[string]string{"verdict": "invalid", "reason": "missing"}, ""},
		{"/pass/x", "A: b", map[string]string{"verdict": "invalid", "reason": "missing"}, ""},
		{"/pass/x?" + fixture.GoodLink + "&akid=.jeff", "A: b", map[string]string{"scheme": "akid", "verdict": "invalid", "reason": "malformed", "detail": "token"}, "jeff"},
		{"/app/x?" + fixture.GoodLink + "&akid=.jeff", "A: b", map[string]string{"scheme": "akid", "verdict": "invalid", "reason": "malformed", "detail": "token"}, "jeff"},
		{"/keys/x?" + signed, "A: b", map[string]string{"scheme": "keys", "verdict": "valid", "key_id": "2027"}, "jeff"},
		{"/observe/x?" + signed, "A: b", map[string]string{"verdict": "invalid", "reason": "missing"}, ""},
		{"/x?akid=" + fixture.GoodAKID, "A: b", map[string]string{"scheme": "akid", "verdict": "valid"}, "5678"},
		{"/app/../x", "A: b", map[string]string{"verdict": "invalid", "reason": "missing"}, ""},
		{"/" + strings.Repeat("x", 8<<10), "A: b", map[string]string{"verdict": "invalid", "reason": "ambiguous", "detail": "path"}, ""},
		{"/x?akid=" + fixture.GoodAKID + "&akid=" + fixture.BadAKID, "Cookie: a=b", map[string]string{"verdict": "invalid", "reason": "ambiguous", "detail": "duplicate"}, ""},
	} {
		if err := os.Truncate(file, 0); err != nil {
			t.Fatal(err)
		}
		s.Get(tc.target, tc.header)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for line := range strings.Lines(string(data)) {
			var entry struct {
				Msg        string
				UserID     string            `json:"user_id"`
				SignedLink map[string]string `json:"signed_link"`
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Fatal(err)
			}
			if entry.Msg != "handled request" {
				continue
			}
			found++
			if !maps.Equal(entry.SignedLink, tc.want) || entry.UserID != tc.user {
				t.Errorf("%s: %v of user %q, want %v", tc.target, entry.SignedLink, entry.UserID, tc.want)
			}
			if n := strings.Count(line, `"signed_link":`); n != 1 {
				t.Errorf("%s: the field stands there %d times", tc.target, n)
			}
		}
		if found != 1 {
			t.Errorf("%s: %d lines", tc.target, found)
		}
	}
}

// TestAccessLogElsewhere: a request that nobody judged has no such field.
func TestAccessLogElsewhere(t *testing.T) {
	fixture.SetSecrets(t)
	s, file := fixture.LoadLogged(t, fixture.Autologin("/app/*")+"test_backend")
	s.Get("/open?" + fixture.GoodLink)
	data, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(data), "handled request") || strings.Contains(string(data), `"signed_link":`) {
		t.Errorf("%s %v", data, err)
	}
}

// TestAccessLogObserve: what observe sees, an operator reads in the log, the key id
// included, which nobody else is told.
func TestAccessLogObserve(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	s, file := fixture.LoadLogged(t, `signed_link observe keyed_hash {
		secret {env.S} 2027
		algorithm hmac-sha256
		message {query.user}
		signature {query.sig}
	}
	test_backend`)
	s.Get("/x?user=jeff&sig=" + fixture.Sum256("0123456789abcdef", "jeff"))
	data, err := os.ReadFile(file)
	const want = `"user_id":"",`
	if err != nil || !strings.Contains(string(data), `"signed_link":{"scheme":"keyed_hash","verdict":"valid","key_id":"2027"}`) || !strings.Contains(string(data), want) {
		t.Errorf("%s %v", data, err)
	}
}
