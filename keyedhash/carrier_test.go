package keyedhash

import (
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

// declared is HMAC-SHA-256 in hex of a message, with the signature in {query.sig} unless a
// token or the path carries it.
func declared(message string, change ...func(c *Config)) Config {
	c := Config{Algorithm: "hmac-sha256", Message: message}
	for _, f := range change {
		f(&c)
	}
	carried := c.Path != nil && strings.Contains(c.Path.Pattern, "<signature>") ||
		slices.ContainsFunc(c.Tokens, func(t Token) bool { return strings.Contains(t.Pattern, "<signature>") })
	if c.Signature == "" && !carried {
		c.Signature = "{query.sig}"
	}
	return c
}

// inToken is the option token, in the words of a Caddyfile.
func inToken(words string) func(c *Config) {
	all := strings.Fields(words)
	return func(c *Config) {
		c.Tokens = append(c.Tokens, Token{Parameter: all[0], Transforms: all[1 : len(all)-1], Pattern: all[len(all)-1]})
	}
}

// inPath is the option path, in the words of a Caddyfile.
func inPath(words string) func(c *Config) {
	all := strings.Fields(words)
	return func(c *Config) {
		c.Path = &Path{Pattern: all[0]}
		if len(all) > 2 {
			c.Path.To = all[2]
		}
		c.Path.Public = all[len(all)-1] == "public"
	}
}

// signedBy says where the signature stands.
func signedBy(placeholder string) func(c *Config) {
	return func(c *Config) { c.Signature = placeholder }
}

// until is the option expires, in the words of a Caddyfile, of which it has few.
func until(words string) func(c *Config) {
	all := strings.Fields(words)
	return func(c *Config) {
		c.Expires = Time{Value: all[0]}
		for rest := all[1:]; len(rest) > 0; {
			switch rest[0] {
			case "plus":
				c.Expires.Plus, c.Expires.Unit, rest = rest[1], rest[2], rest[3:]
			case "never":
				c.Expires.Never, rest = rest[1], rest[2:]
			case "exclusive":
				c.Expires.Exclusive, rest = true, rest[1:]
			default:
				c.Expires.Format, rest = rest[0], rest[1:]
			}
		}
	}
}

// TestAttackCutOutOfEscape: a part of a literal comes out of an escape, and makes with the
// literal an earlier one. cab and y would have the message of c and bay.
func TestAttackCutOutOfEscape(t *testing.T) {
	for _, tc := range []struct{ pattern, path, want string }{
		{"/<x>aba<y>", "/cababay", "c bay"},
		{"/<x>aba<y>", "/c%61babay", "ambiguous/path"},
		{"/<x>aba<y>", "/cab%61bay", "malformed/pattern"},
		{"/<x>aba<y>", "/c%62abay", "cb y"},
		{"/<x>--<y>", "/c%2D--y", "ambiguous/path"},
		{"/<x>--<y>", "/c--%2Dy", "c -y"}, // the last field takes the rest
		{"/<x>--<y>", "/%2D%2D--y", "ambiguous/path"},
		{"/<x...>aba<y>", "/1ab%61ba2", "malformed/pattern"},
		{"/<x...>aba<y>", "/1aba%62a2", "ambiguous/path"}, // 1ababa2 is cut behind the last aba
		{"/<x...>aba<y>", "/1ababa2", "1ab 2"},
		{"/<x...>--<y>", "/1--%2D2", "ambiguous/path"},
		{"/<x...>--<y>", "/1---2", "1- 2"},
		{"/<x>-<y>", "/%2D-y", "ambiguous/path"},
		{"/<x>/<y>", "/%2Fa/y", "ambiguous/path"},
	} {
		s := newScheme(t, declared("{link.x}|{link.y}", inPath(tc.pattern)), link.Options{})
		var l link.Link
		got := ""
		if refusal := s.Read(linktest.NewRequest("https://example.org"+tc.path+"?sig=x"), &l); !refusal.None() {
			got = refusal.String()
		} else {
			got = l.Fields[0].Value + " " + l.Fields[1].Value
		}
		if got != tc.want {
			t.Errorf("%s of %s: %s, want %s", tc.pattern, tc.path, got, tc.want)
		}
	}
}

// TestAttackNamelessParameter: where no parameter carries the signature, one without a name
// is not taken for the one that does, and stands in the message as all others do.
func TestAttackNamelessParameter(t *testing.T) {
	for _, message := range []string{"{query}", "{sorted_query}"} {
		s := newScheme(t, declared(message, inToken("{query.t} <x>-<signature>")), link.Options{})
		signed := "/?t=x-" + hmacHex("a=1") + "&a=1"
		for more, want := range map[string]string{"": "ok", "&=b": "bad_signature", "&=": "bad_signature"} {
			if got := verdict(s, linktest.NewRequest("https://example.org"+signed+more)); got != want {
				t.Errorf("%s, and %q: %s, want %s", message, more, got, want)
			}
		}
	}
}

// TestAttackSpelledPath: of a path that is decoded in the message a client chooses the
// spelling, so that the path as sent is not the signer's word.
func TestAttackSpelledPath(t *testing.T) {
	for message, want := range map[string]bool{"{path}": false, "{raw_path}": true, "{path}{raw_path}": true} {
		s := newScheme(t, declared(message), link.Options{})
		if err := parseTemplate(t, "{raw_path}").CoveredBy(s.Describe()); (err == nil) != want {
			t.Errorf("{raw_path} of a message %s: error %v", message, err)
		}
		if err := parseTemplate(t, "{path}{path.2}").CoveredBy(s.Describe()); err != nil {
			t.Errorf("{path} of a message %s: %v", message, err)
		}
	}
}

// TestUserNone: without an identity, what would be one may be empty, or long.
func TestUserNone(t *testing.T) {
	c := declared("{query.a}{query.e}", until("{query.e}"))
	o := link.Options{Rules: rules(t, "a digits min 10 max 10 optional", "e digits min 10 max 10 optional")}
	if f := findingOf(newScheme(t, c, o), "ambiguous_message"); f != nil {
		t.Errorf("an identity is never empty: %+v", f)
	}
	o.Nobody = true
	if f := findingOf(newScheme(t, c, o), "ambiguous_message"); f == nil || f.Example == nil {
		t.Errorf("a value that is no identity may be: %+v", f)
	}
}
