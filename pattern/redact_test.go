package pattern

import (
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/query"
)

func isHexDigit(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }

func isBase64URL(c byte) bool { return isAlphanumeric(rune(c)) || c == '-' || c == '_' }

func isBase64(c byte) bool { return isAlphanumeric(rune(c)) || c == '+' || c == '/' }

// at is the place of a hex signature of 32 characters; the text is a pattern.
func at(t testing.TB, pattern string) Place {
	t.Helper()
	return Place{Pattern: mustParse(t, pattern), Field: "s", Alphabet: isHexDigit, Length: 32}
}

// sig is a signature, cut one of which three quarters are left, and short one of which a
// character more is gone.
const (
	sig   = "0123456789abcdef0123456789abcdef"
	cut   = "0123456789abcdef01234567"
	short = "0123456789abcdef0123456"
)

func TestRedact(t *testing.T) {
	if redacted != query.Redacted {
		t.Errorf("the word is %q, in queries %q", redacted, query.Redacted)
	}
	for _, tc := range []struct {
		name   string
		places []Place
		texts  map[string]string // S, C and T are the three signatures; "": stays
	}{
		{"behind a literal", []Place{at(t, "/u/<id>/<s>")}, map[string]string{
			"": "", "/": "", "S": "", "/S": "", "/v/42/S": "", "u/42/S": "", "/u": "", "/u/": "",
			"/u/42/T":                                "",
			"/u/42/S":                                "/u/42/REDACTED",
			"/u/42/C":                                "/u/42/REDACTED",
			"/u/42/S.":                               "/u/42/REDACTED.",
			"/u/42/Sx":                               "/u/42/REDACTEDx",
			"/u/42/S0":                               "/u/42/REDACTED",
			"/u/42/SS":                               "/u/42/REDACTED",
			"/u/42/S==":                              "/u/42/REDACTED",
			"/u/42/S%3D%3d&=":                        "/u/42/REDACTED&=",
			"/u/42/S/S/x":                            "/u/42/REDACTED/REDACTED/x",
			"/u/S":                                   "/u/REDACTED",
			"//u//42//S//":                           "//u//42//REDACTED//",
			"/U/42/S":                                "/U/42/REDACTED",
			"/%75/42/S":                              "/%75/42/REDACTED",
			"/%2555/42/S":                            "/%2555/42/REDACTED",
			"%2Fu%2F42%2FS":                          "%2Fu%2F42%2FREDACTED",
			"%2fU%2f%2F42%2fS":                       "%2fU%2f%2F42%2fREDACTED",
			"%252Fu%252F42%252FS":                    "%252Fu%252F42%252FREDACTED",
			"/u%2F42%2FS":                            "/u%2F42%2FREDACTED",
			`\/u\/42\/S\/`:                           `\/u\/42\/REDACTED\/`,
			"/u/42/%30123456789%61bcdef01234567":     "/u/42/REDACTED",
			"/u/42/0123456789ABCDEF0123456789ABCDEF": "/u/42/REDACTED",
			"/folder/u/42/S":                         "/folder/u/42/REDACTED",
			"/u/42/S?x=S":                            "/u/42/REDACTED?x=S",
			"/u/42?x=S":                              "",
			"/u/42#S":                                "",
			"/u/42 S":                                "",
			"/u/42\nS":                               "",
			"/u/42\"S":                               "",
			"</u/42>S":                               "",
			"/u/o'neill/S":                           "/u/o'neill/REDACTED",
			"/u/why%3F/S":                            "/u/why%3F/REDACTED",
			"/r?to=%2Fu%2F42%2FS%3Fx%3DS&y=S":        "/r?to=%2Fu%2F42%2FREDACTED%3Fx%3DS&y=S",
			"/r?to=%2Fu%2Fwhy%253F%2FS%3Fx%3DS":      "/r?to=%2Fu%2Fwhy%253F%2FREDACTED%3Fx%3DS",
			"https://host:8/u/42/S?a=1#x":            "https://host:8/u/42/REDACTED?a=1#x",
			"open('/u/42/S'): no /v/S":               "open('/u/42/REDACTED'): no /v/S",
			"PHP: /u/1/x, /u/2/S, S":                 "PHP: /u/1/x, /u/2/REDACTED, S",
			"/u/%zz%/S%":                             "/u/%zz%/REDACTED%",
			"/u/42/REDACTED":                         "",
			"/u/42/REDACTEDS":                        "/u/42/REDACTEDREDACTED",
			"/u/\xff/S\xff":                          "/u/\xff/REDACTED\xff",
		}},
		{"behind a literal without a slash", []Place{at(t, "/dl-<s>.<file...>")}, map[string]string{
			"/dl-S.jpg":     "/dl-REDACTED.jpg",
			"/x/DL-S.jpg":   "/x/DL-REDACTED.jpg",
			"/dl%2dS.jpg":   "/dl%2dREDACTED.jpg",
			"/dl--S.a/S":    "/dl--REDACTED.a/REDACTED",
			"/dl/S.jpg":     "",
			"/dl?dl-S":      "",
			"/dl-x/dl-S":    "/dl-x/dl-REDACTED",
			"/d/dl/dl-S/dl": "/d/dl/dl-REDACTED/dl",
		}},
		{"a segment by its pattern", []Place{at(t, "/<id>/<s>/<file...>")}, map[string]string{
			"/42/S/a":                    "/42/REDACTED/a",
			"/42/S":                      "/42/REDACTED",
			"/S/a/b":                     "",
			"/app/42/S/a":                "/app/42/REDACTED/a", // in a folder
			"/app/too/42/S":              "/app/too/42/REDACTED",
			"/42/S/42/S":                 "/42/REDACTED/42/REDACTED",
			"//42///S/":                  "//42///REDACTED/",
			"/42/T":                      "",
			"/42/x-S.":                   "/42/x-REDACTED.",
			"42/S":                       "",
			"a/42/S":                     "",
			"é/42/S":                     "é/42/REDACTED",
			"GET /42/S HTTP/1.1":         "GET /42/REDACTED HTTP/1.1",
			"https://host/42/S?x=S":      "https://host/42/REDACTED?x=S",
			"https://S/42/":              "",
			"https://host/app/42/S":      "https://host/app/42/REDACTED",
			"https://host/S/b":           "",
			"file:///42/S":               "file:///42/REDACTED",
			"//host/42/S":                "//host/42/REDACTED",
			"https:%2F%2Fhost%2F42%2FS":  "https:%2F%2Fhost%2F42%2FREDACTED",
			"/r?to=%2F42%2FS%3Fx%3D%2FS": "/r?to=%2F42%2FREDACTED%3Fx%3D%2FS",
			"/r?to=https%3A%2F%2Fh%2F42%2FS%3F%2F1%2FS": "/r?to=https%3A%2F%2Fh%2F42%2FREDACTED%3F%2F1%2FREDACTED",
			"/r?to=https%3A%2F%2Fh%2F4%253F%2FS%3F%2F1": "/r?to=https%3A%2F%2Fh%2F4%253F%2FREDACTED%3F%2F1",
			"/r/https://host/app/42/S":                  "/r/https://host/app/42/REDACTED",
			"/r/x/https%3A%2F%2Fh%2F42%2FS":             "/r/x/https%3A%2F%2Fh%2F42%2FREDACTED",
			"/a%2Fb%2Fc/S":                              "/a%2Fb%2Fc/REDACTED", // slashes in the id
			"/42%2FS":                                   "/42%2FREDACTED",
			`{"p":"\/42\/S\/a"}`:                        `{"p":"\/42\/REDACTED\/a"}`,
			"/x?y=/42/S&z=S":                            "/x?y=/42/REDACTED&z=REDACTED", // as the path may have a '&'
			"/x?/42/S":                                  "/x?/42/REDACTED",
			"/x#/42/S":                                  "/x#/42/REDACTED",
			"in (/42/S), '/42/S'":                       "in (/42/REDACTED), '/42/REDACTED'",
			"/1 /2/S/3 S":                               "/1 /2/REDACTED/3 S",
			"/x, 42/S":                                  "",
		}},
		{"a segment by its number", []Place{{Segment: 0, Alphabet: isHexDigit, Length: 32}}, map[string]string{
			"/S": "/REDACTED", "/S/x": "/REDACTED/x", "/x/S": "/x/REDACTED", "/x/y/S": "/x/y/REDACTED", "/S/x/S": "/REDACTED/x/REDACTED", "S": "", "x/S": "", "https://h/S": "https://h/REDACTED",
		}},
		{"behind or in the greedy field", []Place{at(t, "/<file...>/<s>")}, map[string]string{
			"/a/S": "/a/REDACTED", "/S": "/REDACTED", "/a/b/c/d/S/e": "/a/b/c/d/REDACTED/e", "S/": "", "/a?S": "", "/a/T": "",
		}},
		{"several", []Place{
			at(t, "/u/<id>/<s>"), at(t, "/u/<s>"),
			{Segment: 1, Alphabet: isBase64URL, Length: 40},
		}, map[string]string{
			"/u/x-S":           "/u/REDACTED",
			"/u/S=-0123":       "/u/REDACTED-0123",
			"/u/a/b/S":         "/u/a/b/REDACTED",
			"/a/S":             "/a/REDACTED", // 32 of 40
			"/a/b/c/S":         "/a/b/c/REDACTED",
			"/a/C-C/u/1/S-x":   "/a/REDACTED/u/1/REDACTED",
			"/a/" + "x-C_1234": "/a/REDACTED",
		}},
		{"an alphabet with a slash", []Place{{Pattern: mustParse(t, "/u/<id>/<s>"), Field: "s", Alphabet: isBase64, Length: 44}}, map[string]string{
			"/u/42/S+%2F0123456789":                                  "/u/42/REDACTED",
			"/u/42/S%2B%2f01234567%3D":                               "/u/42/REDACTED",
			"/u/some/long/path/that/is/no/signature/at/all":          "",
			"%2Fu%2Fsome%2Flong%2Fpath%2Fthat%2Fis%2Fno%2Fsignature": "",
			"%2Fu%2F42%2FS%252F0123456789":                           "%2Fu%2F42%2FREDACTED",
		}},
	} {
		r := NewRedactor(tc.places)
		spell := strings.NewReplacer("REDACTED", "REDACTED", "S", sig, "C", cut, "T", short)
		for text, want := range tc.texts {
			if want == "" {
				want = text
			}
			// "HTTP" and other capitals of the texts are none of the three
			in, out := text, want
			for _, keep := range []string{"HTTP", "GET", "PHP"} {
				in, out = strings.ReplaceAll(in, keep, strings.ToLower(keep)), strings.ReplaceAll(out, keep, strings.ToLower(keep))
			}
			if !strings.Contains(in, "ABCDEF") {
				in, out = spell.Replace(in), spell.Replace(out)
			}
			got := r.Redact(in)
			if got != out {
				t.Errorf("%s: %q\n  is    %q\n  want  %q", tc.name, in, got, out)
			}
			if again := r.Redact(got); again != got {
				t.Errorf("%s: %q, once more, is %q", tc.name, got, again)
			}
		}
	}
}

// TestPath: of a path alone, nothing ends it, not even what a decoded one holds.
func TestPath(t *testing.T) {
	behind, counted := NewRedactor([]Place{at(t, "/u/<file...>/<s>")}), NewRedactor([]Place{at(t, "/<file>/<s>")})
	for _, tc := range []struct {
		r          *Redactor
		path, want string
	}{
		{behind, "/u/42/S", "/u/42/REDACTED"},
		{behind, "/u/what? a \"b\" #1/S", "/u/what? a \"b\" #1/REDACTED"},
		{behind, "/u%2F42%3F%2FS", "/u%2F42%3F%2FREDACTED"},
		{behind, "/v/S", "/v/S"},
		{counted, "/what? a/S", "/what? a/REDACTED"},
		{counted, "/what%3F/S", "/what%3F/REDACTED"},
		{counted, "what/S", "what/REDACTED"},
		{counted, "/a/b/c/S", "/a/b/c/REDACTED"},
		{counted, "/a/S/a/S", "/a/REDACTED/a/REDACTED"},
		{counted, "/S/b", "/S/b"},
		{counted, "", ""},
		{nil, "/u/42/S", "/u/42/S"},
	} {
		path, want := strings.ReplaceAll(tc.path, "S", sig), strings.Replace(tc.want, "/S", "/"+sig, 1)
		if got := tc.r.Path(path); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
	if NewRedactor(nil) != nil || NewRedactor([]Place{}) != nil || (*Redactor)(nil).Redact("/x") != "/x" {
		t.Error("nothing redacts something")
	}
}

// TestRedactAllocations: a text without a signature is looked at without memory.
func TestRedactAllocations(t *testing.T) {
	r := NewRedactor([]Place{at(t, "/u/<id>/<s>"), at(t, "/<id>/<s>"), at(t, "/<file...>/<s>"), {Segment: 3, Alphabet: isBase64URL, Length: 43}})
	for _, text := range []string{
		"", "/u/42/x?y=z", "Mozilla/5.0 (X11; Linux x86_64)", "/r?to=" + sig, "https://" + sig + "/u/42%2F?%3f/" + short,
		"/u/42?x=" + sig + "/" + sig, strings.Repeat("/u/42/x%2F", 1000) + " " + sig,
	} {
		var got string
		if n := testing.AllocsPerRun(100, func() { got = r.Redact(text) }); n != 0 || got != text {
			t.Errorf("%q: %v allocations, %q", text[:min(len(text), 80)], n, got)
		}
	}
}

// TestAttackSlowRedaction: what a client sends costs time by its length, and no more: not
// with slashes, escapes or beginnings of the literal without end.
func TestAttackSlowRedaction(t *testing.T) {
	r := NewRedactor([]Place{at(t, "/u/u/u/u/u/<id>/<s>"), at(t, "/<id>/<s>"), at(t, "/<file...>/<s>")})
	const little, factor = 16 << 10, 16
	for _, piece := range []string{
		"/", "/u", "/u/", "/u//", "%2F", "%25", "%252F", "\\/", "/u/u/u/u/u/", "=", "/" + sig, "/x/" + sig + "=", "://", ":/", "?/", "%3F/", "REDACTED", "R", "/u/u/u/u/u" + strings.Repeat("/", 1000),
	} {
		took := func(size int) time.Duration {
			text := "/" + strings.Repeat(piece, size/len(piece)) + sig
			best := time.Hour
			for range 3 {
				start := time.Now()
				r.Redact(text)
				best = min(best, time.Since(start))
			}
			return best
		}
		few, many := took(little), took(little*factor)
		if many > 8*factor*few && many > 100*time.Millisecond {
			t.Errorf("%q: %v, and %v for %d times as much", piece[:min(len(piece), 20)], few, many, factor)
		}
	}
}

func BenchmarkRedact(b *testing.B) {
	r := NewRedactor([]Place{at(b, "/u/<id>/<s>"), at(b, "/<id>/<s>")})
	for name, text := range map[string]string{
		"nothing": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		"other":   "/static/js/main." + sig + ".js?v=1",
		"link":    "/u/42/" + sig + "?x=y",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Redact(text)
			}
		})
	}
}
