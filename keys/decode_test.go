package keys_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/keys"
)

func TestDecode(t *testing.T) {
	for i, tc := range []struct{ text, encoding, want, err string }{
		{"plain text", "", "plain text", ""},
		{"plain text\n", "utf8", "plain text\n", ""},
		{"schlüssel", "utf8", "schlüssel", ""},
		{"schl\xfcssel", "utf8", "", "not valid UTF-8"},
		{"", "", "", "empty"},
		{"", "utf8", "", "empty"},
		{"", "hex", "", "empty"},
		{"", "base64", "", "empty"},
		{"", "base64url", "", "empty"},

		{"00fFAa", "hex", "\x00\xff\xaa", ""},
		{"00f", "hex", "", "odd number"},
		{"0x00", "hex", "", "byte 2 is no hexadecimal digit"},
		{"00 ff", "hex", "", "byte 3"},
		{"00ff\n", "hex", "", "byte 5 is no hexadecimal digit but a line break"},
		{"00é", "hex", "", "byte 3"},

		{"+/+/", "base64", "\xfb\xff\xbf", ""},
		{"-_-_", "base64url", "\xfb\xff\xbf", ""},
		{"+/+/", "base64url", "", "byte 1 (is it base64,"},
		{"-_-_", "base64", "", "byte 1 (is it base64url,"},
		{"YQ==", "base64", "a", ""},
		{"YQ", "base64", "a", ""},
		{"YQ==", "base64url", "a", ""},
		{"YQ", "base64url", "a", ""},
		{"YWI=", "base64", "ab", ""},
		{"YWI", "base64", "ab", ""},
		{"YQ=", "base64", "", "is not base64"},
		{"YQ===", "base64", "", "is not base64"},
		{"YWI==", "base64", "", "is not base64"},
		{"YWJj=", "base64", "", "is not base64"},
		{"YR==", "base64", "", "is not base64"},
		{"YR", "base64", "", "is not base64"},
		{"YWJ", "base64url", "", "is not base64url"},
		{"YQ==YQ==", "base64", "", "is not base64"},
		{"=", "base64", "", "is not base64"},
		{"====", "base64", "", "is not base64"},
		{"Y", "base64", "", "is not base64"},
		{"YWJjZ", "base64", "", "is not base64"},
		{"YW\nJj", "base64", "", "byte 3 is a line break"},
		{"YWJj\r\n", "base64", "", "byte 5 is a line break"},
		{"YQ==\n", "base64url", "", "line break"},
		{"\n", "base64", "", "line break"},
		{"YW Jj", "base64", "", "byte 3"},
		{" YWJj", "base64", "", "byte 1"},

		{"x", "UTF8", "", `encoding "UTF8" is unknown`},
		{"x", "base32", "", "unknown"},
		{"x", " ", "", "unknown"},
	} {
		s, err := keys.Decode(tc.text, tc.encoding)
		if tc.err == "" {
			if err != nil || string(s.Bytes()) != tc.want {
				t.Errorf("Test %d: expected %q, got %q, error %v", i, tc.want, s.Bytes(), err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.err) || !s.Empty() {
			t.Errorf("Test %d: expected error %q, got %v", i, tc.err, err)
		}
	}
}

// TestDecodeErrorsHideText: the texts of Go's decoders repeat a part of what
// they cannot read.
func TestDecodeErrorsHideText(t *testing.T) {
	for _, encoding := range []string{"utf8", "hex", "base64", "base64url", "unknown"} {
		for _, text := range []string{"ЖЖЖЖ\xffЖ", "§§§§§\xff", "deadЖbeef\xff", "ab\xff§", "\xffЖ\r\n"} {
			_, err := keys.Decode(text, encoding)
			if err == nil || strings.ContainsAny(err.Error(), "Ж§\xff\r\n") || strings.Contains(err.Error(), "U+") || strings.Contains(err.Error(), "dead") {
				t.Errorf("%s: error %v", encoding, err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{"", "a", "YQ==", "YQ", "-_-_", "+/+/", "00ff", "YR==", "YQ\n==", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := keys.Decode(text, ""); err == nil && string(s.Bytes()) != text {
			t.Error("utf8 changes the text")
		}
		if s, err := keys.Decode(text, "hex"); err == nil && !strings.EqualFold(hex.EncodeToString(s.Bytes()), text) {
			t.Error("hex is read loosely")
		}
		for encoding, codec := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "base64url": base64.URLEncoding} {
			s, err := keys.Decode(text, encoding)
			if err != nil {
				if !s.Empty() {
					t.Error("a secret beside an error")
				}
				continue
			}
			if s.Empty() || text != codec.EncodeToString(s.Bytes()) && text != codec.WithPadding(base64.NoPadding).EncodeToString(s.Bytes()) {
				t.Errorf("%s is read loosely", encoding)
			}
		}
		if s, err := keys.Decode(text, text); err == nil && !bytes.Equal(s.Bytes(), []byte(text)) && len(text) > len("base64url") {
			t.Error("unknown encoding accepted")
		}
	})
}

func TestParseTime(t *testing.T) {
	utc := func(y int, m time.Month, d, h int) time.Time { return time.Date(y, m, d, h, 0, 0, 0, time.UTC) }
	for i, tc := range []struct {
		text string
		want time.Time
		err  bool
	}{
		{"", time.Time{}, false},
		{"2026-01-31", utc(2026, 1, 31, 0), false},
		{"2026-01-31T08:00:00Z", utc(2026, 1, 31, 8), false},
		{"2026-01-31T08:00:00+01:00", utc(2026, 1, 31, 7), false},
		{"2026-02-30", time.Time{}, true},
		{"2026-1-31", time.Time{}, true},
		{"2026-01-31 08:00:00", time.Time{}, true},
		{"2026-01-31T08:00:00", time.Time{}, true},
		{"31.01.2026", time.Time{}, true},
		{"1767225600", time.Time{}, true},
		{"never", time.Time{}, true},
		{" ", time.Time{}, true},
		{"0001-01-01", time.Time{}, true},
		{"0001-01-01T00:00:00Z", time.Time{}, true},
		{"0001-01-01T01:00:00+01:00", time.Time{}, true},
	} {
		got, err := keys.ParseTime(tc.text)
		if !got.Equal(tc.want) || (err != nil) != tc.err {
			t.Errorf("Test %d: %q gives %s, error %v", i, tc.text, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "RFC 3339") {
			t.Errorf("Test %d: the error does not say the form: %v", i, err)
		}
	}
}
