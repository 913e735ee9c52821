package block

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// at is a dispenser at the first option of a block with that content.
func at(t *testing.T, content string) *caddyfile.Dispenser {
	t.Helper()
	d := caddyfile.NewTestDispenser("directive {\n" + content + "\n}")
	if !d.Next() || !d.NextBlock(0) {
		t.Fatalf("%q has no option", content)
	}
	return d
}

// check compares what was read, and the error with its line.
func check[T comparable](t *testing.T, content string, got T, err error, want T, wantErr string) {
	t.Helper()
	switch {
	case wantErr == "" && err != nil:
		t.Errorf("%q: %v", content, err)
	case wantErr == "" && got != want:
		t.Errorf("%q: %v, want %v", content, got, want)
	case wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr) || !strings.Contains(err.Error(), "Testfile:2")):
		t.Errorf("%q: error %v, want %q with its line", content, err, wantErr)
	}
}

func TestSeen(t *testing.T) {
	d := caddyfile.NewTestDispenser("directive {\na 1\nb 2\na 3\n}")
	d.Next()
	seen := make(Seen)
	for i, want := range []string{"", "", "a is given twice; it stands on line 2 already"} {
		if !d.NextBlock(0) {
			t.Fatalf("the block has no option %d", i)
		}
		err := seen.Once(d)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("option %d: error %v, want %q", i, err, want)
		}
		d.NextArg()
	}
	if err := seen.OnceAs(d, "param user"); err != nil {
		t.Error(err)
	}
	if err := seen.OnceAs(d, "param page"); err != nil {
		t.Error(err)
	}
	if err := seen.OnceAs(d, "param user"); err == nil || !strings.Contains(err.Error(), "param user is given twice") {
		t.Errorf("error %v", err)
	}
}

func TestArg(t *testing.T) {
	for content, tc := range map[string]struct{ want, err string }{
		"option value":     {"value", ""},
		`option "a b"`:     {"a b", ""},
		`option ""`:        {"", ""},
		"option":           {"", "option needs a thing"},
		"option a b":       {"", "option takes one argument, a thing; found 2: a b"},
		"option {query.a}": {"{query.a}", ""},
	} {
		got, err := Arg(at(t, content), "a thing")
		check(t, content, got, err, tc.want, tc.err)
	}
}

func TestArgs(t *testing.T) {
	for _, tc := range []struct {
		content   string
		low, high int
		want, err string
	}{
		{"option a", 1, 1, "a", ""},
		{"option a b", 1, 2, "a b", ""},
		{"option a b c d", 1, 0, "a b c d", ""},
		{"option", 0, 0, "", ""},
		{"option", 1, 0, "", "write `option <name>...`"},
		{"option a b", 1, 1, "", "write `option <name>...`"},
		{"option a", 2, 3, "", "write `option <name>...`"},
	} {
		got, err := Args(at(t, tc.content), tc.low, tc.high, "option <name>...")
		check(t, tc.content, strings.Join(got, " "), err, tc.want, tc.err)
	}
}

func TestNone(t *testing.T) {
	check(t, "option", true, None(at(t, "option")), true, "")
	check(t, "option on", true, None(at(t, "option on")), true, `option takes no argument; found "on"`)
}

func TestInt(t *testing.T) {
	for content, tc := range map[string]struct {
		want int
		err  string
	}{
		"option 4":                    {4, ""},
		"option 1000":                 {1000, ""},
		"option 3":                    {0, "option 3: write a whole number of at least 4"},
		"option -4":                   {0, "option -4: write a whole number of at least 4"},
		"option 4.0":                  {0, "write a whole number of at least 4"},
		"option 4k":                   {0, "write a whole number of at least 4"},
		"option 0x10":                 {0, "write a whole number of at least 4"},
		"option 99999999999999999999": {0, "write a whole number of at least 4"},
		"option":                      {0, "option needs a whole number"},
		"option 4 5":                  {0, "option takes one argument, a whole number"},
	} {
		got, err := Int(at(t, content), 4)
		check(t, content, got, err, tc.want, tc.err)
	}
}

func TestDuration(t *testing.T) {
	for content, tc := range map[string]struct {
		want time.Duration
		err  string
	}{
		"option 90s":    {90 * time.Second, ""},
		"option 7d":     {7 * 24 * time.Hour, ""},
		"option 1h30m":  {90 * time.Minute, ""},
		"option 0s":     {0, "option 0s: write a duration above zero, such as 90s, 12h or 7d"},
		"option -1h":    {0, "write a duration above zero"},
		"option 90":     {0, "write a duration above zero"},
		"option a week": {0, "option takes one argument, a duration such as 90s, 12h or 7d"},
		"option":        {0, "option needs a duration"},
	} {
		got, err := Duration(at(t, content))
		check(t, content, got, err, caddy.Duration(tc.want), tc.err)
	}
}

func TestChoice(t *testing.T) {
	const key = "q83vEjRWeJCrze8SNFZ4kA=="
	for content, tc := range map[string]struct{ want, err string }{
		"option strict":  {"strict", ""},
		"option php":     {"php", ""},
		"option PHP":     {"", `option PHP (did you mean "php"?): write one of strict, php`},
		`option ""`:      {"", "option : write one of strict, php"},
		"option ruby":    {"", "option ruby: write one of strict, php"},
		"option " + key:  {"", "option (a word of 24 characters, not shown because it could be a secret): write one of strict, php"},
		"option":         {"", "option needs strict|php"},
		"option php php": {"", "option takes one argument, strict|php"},
	} {
		got, err := Choice(at(t, content), "strict", "php")
		check(t, content, got, err, tc.want, tc.err)
	}
}

func TestUnknown(t *testing.T) {
	for word, want := range map[string]string{
		"sceret": `unknown option "sceret" (did you mean "secret"?); there are secret, keys`,
		"tokn":   `unknown option "tokn"; there are secret, keys`,
	} {
		check(t, word, true, Unknown(at(t, word), []string{"secret", "keys"}), true, want)
	}
	for word, want := range map[string]string{
		"sceret":                   `unknown option "sceret" (did you mean "secret"?); this scheme has token, and every scheme has name, secret, keys, user_keys`,
		"tokn":                     `unknown option "tokn" (did you mean "token"?); this scheme has token`,
		"max-life":                 `unknown option "max-life" (did you mean "max_lifetime"?); this scheme has token`,
		"backnd":                   `unknown option "backnd" (did you mean "backend"?); this scheme has token`,
		"password":                 `unknown option "password"; this scheme has token`,
		"q83vEjRWeJCrze8SNFZ4kA==": `unknown option "(a word of 24 characters, not shown because it could be a secret)"; this scheme has token`,
	} {
		check(t, word, true, UnknownOfScheme(at(t, word), []string{"token"}), true, want)
	}
}
