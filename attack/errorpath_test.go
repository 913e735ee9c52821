package attack_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
)

// TestAttackErrorRouteReading: what was refused because its path can be read in several ways
// comes to an error route that asks the application. The application must find neither the
// page that only links lead to in it, nor the signature at another place than that of one.
func TestAttackErrorRouteReading(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("42"))
	signature := hex.EncodeToString(m.Sum(nil))
	for name, declaration := range map[string]string{
		"pattern": "path /v/<id>/<signature> to /v/{link.id}\nmessage {link.id}\nuser {link.id}\n",
		"whole":   "strip none\npath /v/<id>/<signature>\nmessage {link.id}\nuser {link.id}\n",
		"segment": "signature {path.2}\nmessage {path.1}\nuser {path.1}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewaytest.LoadSite(t, "@m path /v /v/*\nsigned_link @m keyed_hash {\nsecret "+secret+"\nalgorithm hmac-sha256\n"+declaration+"}\ntest_backend\nhandle_errors {\ntest_backend errors\n}")
			for _, path := range []string{
				"/v/42/SIGNATURE/..", "/v/%252e%252e/SIGNATURE/./..", "/x/%2e%2e/v/42/SIGNATURE", "/x/../v/42/SIGNATURE", "/v/..;/v/42/SIGNATURE", "/v;x/42/SIGNATURE", "/v/./42/SIGNATURE", "/v/42/SIGNATURE%2f..",
			} {
				a := s.Get(strings.Replace(path, "SIGNATURE", signature, 1))
				if a.Seen == nil || a.Seen.Backend != "errors" {
					t.Errorf("%s: got %d %s", path, a.Code, a.Body)
					continue
				}
				for place, uri := range map[string]string{"URI": a.Seen.URI, "RequestURI": a.Seen.RequestURI, "OrigURI": a.Seen.OrigURI, "OrigTarget": a.Seen.OrigTarget, "OrigText": a.Seen.OrigText} {
					if strings.Contains(uri, signature) || uri != "/" && name != "whole" {
						t.Errorf("%s: %s is %s", path, place, uri)
					}
				}
			}
			// A link that is a link, and does not verify, is still one on the error route.
			a := s.Get("/v/43/" + signature)
			if a.Seen == nil || a.Seen.OrigURI != "/v/43/REDACTED" {
				t.Errorf("a bad signature: %+v", a.Seen)
			}
		})
	}
}
