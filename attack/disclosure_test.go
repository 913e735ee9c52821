package attack_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// TestAttackPlaceholderInjection: a client that writes a placeholder gets its text
// back, not its value (GHSA-j8px-rmrx-76h9).
func TestAttackPlaceholderInjection(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, fixture.Autologin("")+"test_backend")
	const user = "{env.AUTOLOGIN_SECRET}"
	a := s.Get("/x?user=%7Benv.AUTOLOGIN_SECRET%7D&key=" + fixture.Key(user, fixture.AutologinSecret))
	if a.Seen == nil || a.Header1(t, "X-Verified-User") != user || a.Seen.AuthUser != user {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
}

// TestAttackExpiryOracle: a link with a wrong signature never says that it expired, so
// nobody learns which links once existed.
func TestAttackExpiryOracle(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
		algorithm hmac-sha256
		message {query.user}|{query.exp}
		signature {query.sig}
		expires {query.exp}
	}
	test_backend
	handle_errors {
		respond "{http.signed_link.reason}" {err.status_code}
	}`)
	s.At(time.Unix(1790000000, 0))
	// What has not the form of a time is refused before any key is asked, whatever the signature.
	for exp, want := range map[string]string{"1000000000": "bad_signature", "9999999999": "bad_signature", "1": "malformed", "nonsense": "malformed"} {
		if a := s.Get("/x?user=jeff&exp=" + exp + "&sig=00"); a.Body.String() != want {
			t.Errorf("exp=%s: %s", exp, a.Body)
		}
	}
}

// TestAttackSecretInConfig: what Caddy shows of its configuration, by its API, in the
// autosave file and in its trace log, holds placeholders and no secrets.
func TestAttackSecretInConfig(t *testing.T) {
	t.Setenv("AKID_SECRET", "canary-secret-0123456789")
	s := gatewaytest.LoadSite(t, "signed_link akid {env.AKID_SECRET}\ntest_backend")
	for _, h := range s.Handlers() {
		shown, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{string(shown), fmt.Sprintf("%v", h), fmt.Sprintf("%+v", h), fmt.Sprintf("%#v", h)} {
			if strings.Contains(text, "canary") || strings.Contains(text, hex.EncodeToString([]byte("canary"))) {
				t.Errorf("the handler shows its secret: %s", text)
			}
		}
	}
}

// TestAttackLogs: no secret and no signature in any line of ours at DEBUG, whatever
// became of the request, and no secret in a line of Caddy's.
func TestAttackLogs(t *testing.T) {
	fixture.SetSecrets(t)
	t.Setenv("CANARY", "canary-secret-0123456789")
	t.Setenv("TOKEN", "canary-token-0123456789")
	file := filepath.Join(t.TempDir(), "log")
	s := gatewaytest.Load(t, "{\n\tadmin off\n\tauto_https off\n\tdebug\n\tlog {\n\t\toutput file "+file+"\n\t\tlevel DEBUG\n\t}\n}\nhttp:// {\n\tlog\n"+
		fixture.Autologin("/app/*")+`
		signed_link /c/* keyed_hash {env.CANARY} {
			algorithm md5
			message {query.user}{secret}
			signature {query.key}
		}
		signed_link /do/* sial {
			user_keys inline {
				42 {env.TOKEN}
			}
			action {path} prefix /do/
		}
		test_backend
	}`)
	canary := fixture.Key("jeff", "canary-secret-0123456789")
	expected := fixture.Key("mike", "canary-secret-0123456789")
	action := fixture.Sum1("42delete" + "canary-token-0123456789")
	for _, target := range []string{
		"/c/x?user=jeff&key=" + canary, "/c/x?user=mike&key=" + canary, "/c/x?user=jeff&user=x&key=" + canary,
		"/do/delete?user=42&sig=" + action, "/do/delete?user=43&sig=" + action, "/c/x", "/c;x/?key=" + canary,
	} {
		s.Get(target)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for line := range strings.SplitSeq(string(data), "\n") {
		if strings.Contains(line, "canary-") || strings.Contains(line, fixture.AutologinSecret) {
			t.Errorf("a secret: %s", line)
		}
		if strings.Contains(line, expected) {
			t.Errorf("the signature that would have been right: %s", line)
		}
		if strings.Contains(line, `"logger":"http.handlers.signed_link"`) {
			own++
			if strings.Contains(line, canary) || strings.Contains(line, action) {
				t.Errorf("a signature: %s", line)
			}
		}
	}
	if own < 7 {
		t.Errorf("%d lines of ours, want one for each request", own)
	}
}
