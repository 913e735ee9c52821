package link

import (
	"strings"
	"testing"
)

func TestDidYouMean(t *testing.T) {
	options := []string{"mode", "missing", "backend", "methods", "strip", "request_header", "throttle", "referrer_policy", "max_lifetime", "max_age", "signature", "require_expiry", "keys", "user_keys"}
	algorithms := []string{"md5", "sha1", "sha256", "sha384", "sha512", "hmac-md5", "hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"}
	encodings := []string{"utf8", "hex", "base64", "base64url"}
	for _, tc := range []struct {
		known []string
		word  string
		want  string // the words, with blanks between
	}{
		// a letter too many, too few, another, two that changed places; two slips
		{options, "backendd", "backend"},
		{options, "backnd", "backend"},
		{options, "bakcend", "backend"},
		{options, "mehtods", "methods"},
		{options, "trottel", "throttle"},
		{options, "refferer_policy", "referrer_policy"},
		{options, "signnature", "signature"},
		{options, "mod", "mode"},
		{options, "kyes", "keys"},
		{[]string{"php", "servlet"}, "pph", "php"},
		// capitals, and - for _
		{options, "Request-Header", "request_header"},
		{options, "MAX_AGE", "max_age"},
		{[]string{"same-origin", "origin"}, "same_origin", "same-origin"},
		{algorithms, "HMAC_SHA256", "hmac-sha256"},
		{encodings, "UTF-8", "utf8"},
		// the beginning of a word
		{options, "max_life", "max_lifetime"},
		{options, "require", "require_expiry"},
		{options, "max", "max_lifetime max_age"},
		{encodings, "base", "base64 base64url"},
		// the nearest, and all that are as near
		{encodings, "base64ur", "base64url"},
		{algorithms, "sha265", "sha256"},
		{algorithms, "hmacsha384", "hmac-sha384"},
		{[]string{"abcdef", "abcdeg"}, "abcdex", "abcdef abcdeg"},
		// nothing is near
		{options, "", ""},
		{options, "ruby", ""},
		{options, "soon", ""},
		{options, "m", ""},
		{options, "ma", ""},
		{options, "strip", ""}, // it is known, only not here
		{algorithms, "crc32", ""},
		{algorithms, "hmac", ""}, // five
		{[]string{"ab", "off"}, "ac", ""},
		// another number is another thing
		{algorithms, "sha3", ""},
		{algorithms, "md4", ""},
		{encodings, "base32", ""},
		{[]string{"ipv4", "ipv6"}, "ipv5", ""},
		// what could be a secret is compared with nothing
		{[]string{"0123456789abcdef"}, "0123456789abcde", ""},
		{[]string{"newsletter"}, "newsletter+++", ""},
		{[]string{strings.Repeat("a", 64)}, strings.Repeat("a", 65), ""},
		{[]string{strings.Repeat("a", 65)}, strings.Repeat("a", 64), ""},
	} {
		want := ""
		if tc.want != "" {
			want = ` (did you mean "` + strings.ReplaceAll(tc.want, " ", `" or "`) + `"?)`
		}
		if got := DidYouMean(tc.word, tc.known); got != want {
			t.Errorf("%q: %q, want %q", tc.word, got, want)
		}
	}
	if got := DidYouMean("digts", Classes); got != ` (did you mean "digits"?)` {
		t.Errorf("a class: %q", got)
	}
}

// FuzzDidYouMean: no word is compared without end, and none is repeated.
func FuzzDidYouMean(f *testing.F) {
	known := []string{"backend", "base64", "hmac-sha256", "same-origin"}
	for _, word := range []string{"backnd", "", "\xff{", strings.Repeat("-", 64), "BACKEND", "q83vEjRWeJCrze8SNFZ4kA=="} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		got := DidYouMean(word, known)
		for _, k := range known {
			got = strings.ReplaceAll(got, `"`+k+`"`, "…")
		}
		switch got {
		case "", " (did you mean …?)", " (did you mean … or …?)", " (did you mean … or … or …?)":
		default:
			t.Errorf("%q: %q", word, got)
		}
		if got != "" && couldBeSecret(word) {
			t.Errorf("%q could be a secret", word)
		}
	})
}
