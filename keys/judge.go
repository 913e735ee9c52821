package keys

import (
	"math"
	"slices"
	"strings"
)

// MinSecretBytes is how long a secret should be: 16 random bytes are out of reach of
// anybody who holds a link and tries secrets on it.
const MinSecretBytes = 16

// Judge says what is wrong with a secret: the code of a finding, `published_secret` or
// `weak_secret`, and why. Both are empty for a secret against which nothing can be said;
// that it is random, only its maker knows. Nothing of the secret is in what it returns.
//
// Whoever holds one link of their own can try secrets on their own computer, billions in
// a second, until one makes its signature.
func Judge(secret []byte) (code, why string) {
	switch {
	case len(secret) == 0:
		return "", "" // it never is a key
	case slices.Contains(published, string(secret)):
		return "published_secret", "it stands in public documents"
	case len(secret) < MinSecretBytes:
		return "weak_secret", "it is shorter than 16 bytes"
	case repeats(secret):
		return "weak_secret", "it repeats itself"
	case runs(secret):
		return "weak_secret", "it is a row of characters that follow each other"
	case bits(secret) < 64:
		return "weak_secret", "it has too few different characters, or is made of common words"
	}
	return "", ""
}

// published are secrets that anybody can look up: placeholders of frameworks, servers
// and their documentation, and this module's own examples.
var published = []string{
	// placeholders that people forget to replace
	"secret", "SECRET", "Secret", "mysecret", "my_secret", "my-secret", "my_secret_key", "my-secret-key", "mysecretkey",
	"secretkey", "secret_key", "SECRET_KEY", "supersecret", "super-secret", "super_secret", "topsecret", "verysecret",
	"changeme", "change_me", "change-me", "CHANGEME", "CHANGE_ME", "changeit", "changethis", "password", "Password",
	"your-secret-key", "your_secret_key", "your-secret", "your_secret", "YOUR_SECRET_KEY", "YOUR_SECRET", "test", "dev", "example", "foobar",
	"your-256-bit-secret", "a-string-secret-at-least-256-bits-long", // jwt.io
	"AllYourBase",                                                              // golang-jwt
	"keyboard cat",                                                             // express-session
	"ThisTokenIsNotSecretChangeIt",                                             // Symfony's parameters.yml.dist
	"ThisTokenIsNotSoSecretChangeIt",                                           // the same, later
	"SomeRandomString", "SomeRandomStringWith32Characters", "YourSecretKey!!!", // Laravel's config/app.php
	" secret",        // nginx, secure_link_md5
	"enigma",         // nginx, secure_link_secret
	"FOO123bar",      // imgix
	"secret_sauce",   // the specs of a public AKID parser
	"ketchup",        // the same
	"asdf1234qwerty", // "How to create a verifiable URL"
	// this module's examples
	"ThisIsThePublishedExampleSecretOfSignedLinkDoNotUseItInEarnest64",
	"PublishedExampleSecretOfInvoiceLinksDoNotUse",
	"PublishedTokenOfUser42DoNotUse", "PublishedTokenOfUser43DoNotUse",
}

// repeats reports whether the secret is a shorter text, written at least twice.
func repeats(secret []byte) bool {
	for period := 1; period <= len(secret)/2; period++ {
		same := true
		for i := period; i < len(secret) && same; i++ {
			same = secret[i] == secret[i-period]
		}
		if same {
			return true
		}
	}
	return false
}

// runs reports whether most characters are the next or the one before of their neighbour,
// in the alphabet or on a keyboard.
func runs(secret []byte) bool {
	const rows = "qwertyuiop asdfghjkl zxcvbnm qwertzuiop azertyuiop 1234567890"
	text := strings.ToLower(string(secret))
	near := 0
	for i := 1; i < len(text); i++ {
		step := int(text[i]) - int(text[i-1])
		if step == 1 || step == -1 || step == 0 || strings.Contains(rows, text[i-1:i+1]) {
			near++
		}
	}
	return near*3 > (len(text)-1)*2
}

// words are what people write into secrets; each counts for no more than a character.
var words = []string{
	"password", "passwort", "passwd", "secret", "geheim", "changeme", "change", "token", "signature", "signing", "signed",
	"example", "default", "production", "development", "staging", "testing", "admin", "hello", "world", "welcome", "qwerty", "asdf",
	"letmein", "company", "website", "link", "user", "key", "salt", "test", "this", "that", "not", "the", "very", "super", "long", "string",
	"random", "please", "your", "for", "and", "2020", "2021", "2022", "2023", "2024", "2025", "2026", "123456", "12345", "1234", "123", "abc",
}

// bits estimates how many guesses a secret takes, as a power of two: its length without
// common words, times what its alphabet gives, or what its different bytes give if that
// is less.
func bits(secret []byte) float64 {
	text := strings.ToLower(string(secret))
	for _, word := range words {
		text = strings.ReplaceAll(text, word, word[:1])
	}
	var lower, upper, digit, other bool
	different := make(map[byte]bool)
	for _, c := range secret {
		different[c] = true
		switch {
		case 'a' <= c && c <= 'z':
			lower = true
		case 'A' <= c && c <= 'Z':
			upper = true
		case '0' <= c && c <= '9':
			digit = true
		default:
			other = true
		}
	}
	alphabet := 0
	for _, part := range []struct {
		used bool
		size int
	}{{lower, 26}, {upper, 26}, {digit, 10}, {other, 32}} {
		if part.used {
			alphabet += part.size
		}
	}
	return float64(len(text)) * math.Log2(float64(min(alphabet, 2*len(different))))
}
