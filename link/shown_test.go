package link

import (
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	for _, word := range []string{"", "akid", "keyed-hash", "http.request.header.X-Verified-User", "file./etc/passwd", "base64url", "unsigned_identity", "hmac-sha256"} {
		if got := Shown(word); got != word {
			t.Errorf("%q is shown as %q", word, got)
		}
	}
	for _, secret := range []string{"q83vEjRWeJCrze8SNFZ4kA==", "0123456789abcdef", "c4n4ryQ7Vd2kB9xWc4LmN8pRt6YzA3sD", strings.Repeat("secret", 11), "abc+defghijkl"} {
		if got := Shown(secret); strings.Contains(got, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
}
