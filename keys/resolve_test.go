package keys_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/signedlink/caddy-signed-link/keys"
)

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestResolve(t *testing.T) {
	t.Setenv("SIGNED_LINK_TEST", "from the environment")
	t.Setenv("SIGNED_LINK_EMPTY", "")
	t.Setenv("SIGNED_LINK_BRACES", "{env.SIGNED_LINK_TEST}\n")
	dir := t.TempDir()
	file := func(content string) string { return "{file." + filepath.ToSlash(write(t, "secret", content)) + "}" }

	for _, tc := range []struct {
		name, value, want string
		literal           bool
		err               string
	}{
		{"env", "{env.SIGNED_LINK_TEST}", "from the environment", false, ""},
		{"env is not searched again", "{env.SIGNED_LINK_BRACES}", "{env.SIGNED_LINK_TEST}\n", false, ""},
		{"env unset", "{env.SIGNED_LINK_UNSET}", "", false, "the environment variable SIGNED_LINK_UNSET is not set; set it for the process that runs Caddy (systemd: EnvironmentFile=), or use {file./path}"},
		{"env empty", "{env.SIGNED_LINK_EMPTY}", "", false, "the environment variable SIGNED_LINK_EMPTY is set but empty"},
		{"env without a name", "{env.}", "", false, "names no environment variable"},
		{"env with a line break", "{env.A\nB}", "", false, `"A\nB" is not set`},
		{"env in a text", "a{env.SIGNED_LINK_TEST}", "", false, "not a placeholder that a secret can come from"},
		{"env and a blank", "{env.SIGNED_LINK_TEST} ", "", false, "not a placeholder that a secret can come from"},
		{"two placeholders", "{env.SIGNED_LINK_TEST}{env.SIGNED_LINK_TEST}", "", false, "not a placeholder that a secret can come from"},
		{"env unclosed", "{env.SIGNED_LINK_TEST", "", false, "no closing brace"},
		{"env with an escaped end", `{env.SIGNED_LINK_TEST\}`, "", false, "no closing brace"},
		{"file unclosed", "{file./etc/secret", "", false, "no closing brace"},

		{"file", file("from a file"), "from a file", false, ""},
		{"file LF", file("text\n"), "text", false, ""},
		{"file CRLF", file("text\r\n"), "text", false, ""},
		{"file CR", file("text\r"), "text", false, ""},
		{"file two LF", file("text\n\n"), "text\n", false, ""},
		{"file LF CR", file("text\n\r"), "text\n", false, ""},
		{"file blanks stay", file(" text \n"), " text ", false, ""},
		{"file with braces", file("{env.SIGNED_LINK_TEST}"), "{env.SIGNED_LINK_TEST}", false, ""},
		{"file empty", file(""), "", false, "is empty; write the secret into it"},
		{"file with a line break only", file("\r\n"), "", false, "is empty; write the secret into it"},
		{"file of 1 MiB", file(strings.Repeat("x", 1<<20)), strings.Repeat("x", 1<<20), false, ""},
		{"file too large", file(strings.Repeat("x", 1<<20+1)), "", false, "is larger than 1 MiB"},
		{"no file", "{file." + filepath.ToSlash(dir) + "/none}", "", false, "cannot be read: no such file or directory; create it"},
		{"a directory", "{file." + filepath.ToSlash(dir) + "}", "", false, "is a directory"},
		{"a device", "{file./dev/zero}", "", false, "is not a regular file"},
		{"file without a path", "{file.}", "", false, "names no file"},
		{"file without a slash", "{file.akid_secret}", "", false, "write {file./etc/caddy/akid_secret} or {file./…} with a slash: Caddy reads {file.akid_secret} as a placeholder of the request's path"},
		{"the same, as Caddy expands it", "{http.request.uri.path.file.akid_secret}", "", false, "write {file./etc/caddy/akid_secret} or {file./…} with a slash: Caddy reads {file.akid_secret} as a placeholder of the request's path"},
		{"file with a dot", "{file.akid.secret}", "", false, "with a slash"},
		{"file expanded without a name", "{http.request.uri.path.file.}", "", false, "with a slash"},
		{"file of the path", "{http.request.uri.path.file}", "", false, "not a placeholder that a secret can come from"},
		{"path", "{http.request.uri.path.secret}", "", false, "write {file./etc/caddy/NAME} or {file./…} with a slash"},

		{"literal", "hunter2", "hunter2", true, ""},
		{"literal with dollars", "$a${", "$a${", true, ""},
		{"literal with blanks", " a b ", " a b ", true, ""},
		{"an opening brace", "a{b", "a{b", true, ""},
		{"a closing brace", "a}b", "a}b", true, ""},
		{"closing before opening", "a}b{c", "a}b{c", true, ""},
		{"escaped", `a\{b\}c`, "a{b}c", true, ""},
		{"opening escaped", `a\{b}c`, "a{b}c", true, ""},
		{"closing escaped", `a{b\}c`, "a{b}c", true, ""},
		{"two backslashes", `a\\{b`, `a\{b`, true, ""},
		{"backslashes elsewhere stay", `a\b\`, `a\b\`, true, ""},
		{"empty", "", "", false, "the secret is empty"},

		{"query", "{http.request.uri.query.secret}", "", false, "the client writes it"},
		{"header", "{http.request.header.X-Secret}", "", false, "the client writes it"},
		{"Caddyfile's", "{$AKID_SECRET}", "", false, "not a placeholder that a secret can come from"},
		{"system", "{system.hostname}", "", false, "not a placeholder that a secret can come from"},
		{"time", "{time.now.year}", "", false, "not a placeholder that a secret can come from"},
		{"empty braces", "{}", "", false, "not a placeholder that a secret can come from"},
		{"nested", "{{env.SIGNED_LINK_TEST}}", "", false, "not a placeholder that a secret can come from"},
		{"ENV", "{ENV.SIGNED_LINK_TEST}", "", false, "not a placeholder that a secret can come from"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, literal, err := keys.Resolve(tc.value)
			if got != tc.want || literal != tc.literal {
				t.Errorf("expected %.80q, literal %t, got %.80q, literal %t, error %v", tc.want, tc.literal, got, literal, err)
			}
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("expected error %q, got %v", tc.err, err)
			}
		})
	}
}

// TestResolveHidesSecret: a secret that only looks like a placeholder, or has
// one in it, must not stand in the error.
func TestResolveHidesSecret(t *testing.T) {
	for _, value := range []string{"{hunter2}", "hunter2{}", "{hunter2}{hunter2}", "{$hunter2}", "hun{env.X}ter2", "{env.X}hunter2", "{http.hunter2}", "{http.request.uri.path.hunter2}", "{{hunter2}}", "{env.hunter2", "{system.hunter2}"} {
		if _, _, err := keys.Resolve(value); err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") {
			t.Errorf("%s: error %v", value, err)
		}
	}
}

// TestResolveAfterCaddyfile: the Caddyfile's parser writes {file.name} anew
// before a directive sees it. Both forms give the same error, and with it the
// forms that reach Caddy's file placeholder are read as Caddy reads them.
func TestResolveAfterCaddyfile(t *testing.T) {
	expand := func(value string) string {
		segment := caddyfile.Segment{{Text: value}}
		httpcaddyfile.NewShorthandReplacer().ApplyToSegment(&segment)
		return segment[0].Text
	}
	for _, value := range []string{"{file.akid_secret}", "{file.AKID-SECRET}"} {
		expanded := expand(value)
		if expanded == value {
			t.Fatalf("Caddy leaves %s", value)
		}
		_, _, err := keys.Resolve(value)
		_, _, err2 := keys.Resolve(expanded)
		if err == nil || err2 == nil || err.Error() != err2.Error() {
			t.Errorf("%s: error %v, expanded: %v", value, err, err2)
		}
	}
	for _, content := range []string{"text", "text\n", "text\r\n", "text\r", "text\n\n", "a\nb\n", "\n \n"} {
		value := "{file." + filepath.ToSlash(write(t, "secret", content)) + "}"
		if expand(value) != value {
			t.Fatalf("Caddy changes %s", value)
		}
		got, _, err := keys.Resolve(value)
		if want := caddy.NewReplacer().ReplaceAll(value, ""); err != nil || got != want {
			t.Errorf("%q: got %q, Caddy reads %q, error %v", content, got, want, err)
		}
	}
	for _, value := range []string{"a", "a{b", `a\{b\}c`, `a\\{b`, `\`, "a}b", `\}`, `\{`, `a\b`} {
		got, _, err := keys.Resolve(value)
		if want := caddy.NewReplacer().ReplaceAll(value, ""); err != nil || got != want {
			t.Errorf("%q: got %q, Caddy reads %q, error %v", value, got, want, err)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, value := range []string{"", "a", "{env.X}", "{env.HOME}", "{file.x}", "{http.request.uri.path.file.x}", `\{a\}`, "a{b", "{a}", "{env.", `{env.X\}`, "{$X}", "\xff{", `\\{}`} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.HasPrefix(value, "{file.") && strings.ContainsAny(value, `/\`) {
			return // it would read files of the machine
		}
		plain, literal, err := keys.Resolve(value)
		switch {
		case err != nil:
			if plain != "" || literal || err.Error() == "" || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("%q: %q, literal %t, beside error %q", value, plain, literal, err)
			}
		case plain == "":
			t.Errorf("%q: an empty secret", value)
		case literal:
			if want := strings.NewReplacer(`\{`, "{", `\}`, "}").Replace(value); plain != want {
				t.Errorf("%q: %q, want %q", value, plain, want)
			}
		case !strings.HasPrefix(value, "{env."):
			t.Errorf("%q: %q is not called a literal", value, plain)
		}
	})
}

func BenchmarkDecodeBase64(b *testing.B) {
	text := string(bytes.Repeat([]byte("YWJj"), 16))
	for b.Loop() {
		_, _ = keys.Decode(text, "base64")
	}
}
