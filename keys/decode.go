package keys

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Encodings are the names of the encodings of secrets.
var Encodings = []string{"utf8", "hex", "base64", "base64url"}

// Decode turns the text of a secret into the secret. The encoding is one of
//
//   - utf8, or empty, the default: the bytes of the text as they stand,
//   - hex: two hexadecimal digits a byte, in either case,
//   - base64: the standard alphabet, with its padding or without any,
//   - base64url: the alphabet for URLs, with its padding or without any.
//
// Each is read strictly: nothing is skipped (line breaks neither), no bits
// are left over, and utf8 is valid UTF-8. It is an error if the text is not
// what the encoding demands, or if the secret is empty. No error shows the
// text or a part of it.
func Decode(text, encoding string) (Secret, error) {
	var b []byte
	switch encoding {
	case "", "utf8":
		if !utf8.ValidString(text) {
			return Secret{}, errors.New("the secret is not valid UTF-8; if it is not text, write it in base64 and set encoding base64")
		}
		b = []byte(text)
	case "hex":
		if at := strings.IndexFunc(text, func(r rune) bool { return !isHex(r) }); at >= 0 {
			return Secret{}, fmt.Errorf("the secret is not hexadecimal: byte %d is no hexadecimal digit%s", at+1, lineBreakHint(text, at))
		}
		var err error
		if b, err = hex.DecodeString(text); err != nil {
			return Secret{}, errors.New("the secret is not hexadecimal: it has an odd number of digits")
		}
	case "base64", "base64url":
		codec := base64.StdEncoding
		if encoding == "base64url" {
			codec = base64.URLEncoding
		}
		if !strings.HasSuffix(text, "=") {
			codec = codec.WithPadding(base64.NoPadding)
		}
		// The decoder skips line breaks; a secret that was cut or joined
		// by mistake must not become another one in silence.
		if at := strings.IndexAny(text, "\r\n"); at >= 0 {
			return Secret{}, fmt.Errorf("the secret is not %s: byte %d is a line break", encoding, at+1)
		}
		var err error
		if b, err = codec.Strict().DecodeString(text); err != nil {
			other := "base64url"
			if encoding == other {
				other = "base64"
			}
			var at base64.CorruptInputError
			if errors.As(err, &at) && int64(at) < int64(len(text)) {
				return Secret{}, fmt.Errorf("the secret is not %s: it cannot be read at byte %d (is it %s, or cut off?)", encoding, int64(at)+1, other)
			}
			return Secret{}, fmt.Errorf("the secret is not %s: it is cut off", encoding)
		}
	default:
		return Secret{}, fmt.Errorf("the encoding %q is unknown; use utf8, hex, base64 or base64url", encoding)
	}
	if len(b) == 0 {
		return Secret{}, errors.New("the secret is empty")
	}
	return NewSecret(b), nil
}

func isHex(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F'
}

func lineBreakHint(text string, at int) string {
	if text[at] == '\r' || text[at] == '\n' {
		return " but a line break"
	}
	return ""
}

// ParseTime reads an instant as it is written for not_before and not_after:
// RFC 3339 (2026-01-31T08:00:00Z, 2026-01-31T08:00:00+01:00) or a date
// (2026-01-31), which is its first instant in UTC. Empty text is the zero
// time: no limit.
func ParseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		// The zero time would mean "no limit", the contrary of what the
		// first day of the calendar says as not_after.
		if t, err := time.Parse(layout, text); err == nil && !t.IsZero() {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s is no time; write it as 2026-01-31T08:00:00Z (RFC 3339), or as 2026-01-31, which is midnight UTC at the start of that day", show(text))
}
