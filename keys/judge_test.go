package keys

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	for secret, want := range map[string]string{
		"":                                     "",
		"changeme":                             "published_secret",
		"asdf1234qwerty":                       "published_secret",
		"ThisTokenIsNotSecretChangeIt":         "published_secret",
		" secret":                              "published_secret",
		"x7#kQ2!m":                             "weak_secret",
		"x7#kQ2!mx7#kQ2!m":                     "weak_secret",
		"aaaaaaaaaaaaaaaaaaaaaaaa":             "weak_secret",
		"abcdefghijklmnopqrstuvwxyz":           "weak_secret",
		"12345678901234567890":                 "weak_secret",
		"qwertyuiopasdfghjkl":                  "weak_secret",
		"my-company-secret-key-2026":           "weak_secret",
		"password-password1234":                "weak_secret",
		"secret-token-key":                     "weak_secret",
		"8301749265018374":                     "weak_secret",
		"8301749265018374620185930174":         "",
		"WgNVaSzRC8a4FHKusSH1JsZMDysCs0O7":     "",
		"3f786850e387550fdab836ed7e6dc881de23": "",
	} {
		code, why := Judge([]byte(secret))
		if code != want || (code == "") != (why == "") {
			t.Errorf("%q: %q (%s), want %q", secret, code, why, want)
		}
		if secret != "" && strings.Contains(why, secret) {
			t.Errorf("%q stands in %q", secret, why)
		}
	}
}

// TestJudgeRandom: nothing is said against a random secret, however it is written.
func TestJudgeRandom(t *testing.T) {
	for range 2000 {
		b := make([]byte, 16)
		rand.Read(b)
		for _, secret := range []string{string(b), hex.EncodeToString(b), base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b)} {
			if code, why := Judge([]byte(secret)); code != "" {
				t.Fatalf("%q: %s, %s", secret, code, why)
			}
		}
	}
}

func TestEach(t *testing.T) {
	var b UsersBuilder
	want := map[string]string{"1": "a", "2": "b", "300": "c"}
	for user, secret := range want {
		if err := b.Add(user, []byte(secret)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Add("nobody", nil); err != nil {
		t.Fatal(err)
	}
	users := b.Users()
	n := 0
	users.Each(func(user string, secret Secret) bool {
		if string(secret.Bytes()) != want[user] {
			t.Errorf("%s: another secret", user)
		}
		n++
		return true
	})
	if n != 3 {
		t.Errorf("%d users", n)
	}
	n = 0
	users.Each(func(string, Secret) bool { n++; return false })
	new(Users).Each(func(string, Secret) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d calls after false", n)
	}
}
