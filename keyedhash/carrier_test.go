package keyedhash

import (
	"slices"
	"strings"
	"testing"
	"time"

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
		var got string
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

// TestCarrierErrors: what cannot be declared, and what to write instead.
func TestCarrierErrors(t *testing.T) {
	longest := strings.Repeat("-<f%d>", maxFields)
	for i := range maxFields {
		longest = strings.Replace(longest, "%d", string(rune('A'+i)), 1)
	}
	longest = strings.NewReplacer("[", "z", "\\", "y", "]", "x", "^", "w", "`", "v").Replace(longest)
	for _, tc := range []struct {
		config Config
		want   string
	}{
		// compileCarriers
		{declared("{link.a}", inToken("{query.t} <a>-<signature>"), inToken("{query.u} <a>")), "token: the field <a> stands in another pattern already"},
		{declared("{link.a}", inToken("{query.t} <a>-<signature>"), inToken("{query.u} <signature>")), "token: the field <signature> stands in another pattern already"},
		{declared("{link.a}", inToken("{query.t} <a>-<signature>"), inPath("/u/<a>")), "path: the field <a> stands in another pattern already"},
		{declared("{query.a}", inToken("{query.t} <signature...>")), "write <signature>"},
		{declared("{query.a}", inToken("{query.t} <a>-<signature>"), signedBy("{query.sig}")), "token: the signature is given twice; leave one of {query.sig} and <signature> out"},
		{declared("{query.a}", inPath("/u/<signature> to /u"), signedBy("{query.sig}")), "path: the signature is given twice"},
		{declared("{query.a}", inToken("{query.t} <a>-<signature>"), inToken("{query.t} <b>")), "{query.t} is taken apart already"},
		{declared("{query.a}", inToken("{query.t} <signature>"+longest)), "at most 32 fields"},
		{declared("{query.a}", inPath("u/<id>")), "path: the pattern of a path begins with a '/'"},
		{declared("{query.a}", inPath("/u/<id>"), signedBy("{path.2}")), "signature: {path.2}: with a path pattern write <signature> in it"},
		{declared("{query.a}", signedBy("{path.0}")), "nothing would be left of the path"},
		{declared("{query.a}", signedBy("{path}")), "signature: write one placeholder"},
		{declared("{query.a}", signedBy("{link.a}")), "{link.a}: there are no fields"},
		{Config{Algorithm: "md5", Message: "{query.a}{secret}"}, "signature is missing: say where it stands"},
		// compileToken
		{declared("{query.a}", inToken("t <a>-<signature>")), "token: this is not one parameter of the query; write {query.NAME}"},
		{declared("{query.a}", inToken("{path.1} <a>-<signature>")), "token: this is not one parameter"},
		{declared("{query.a}", inToken("{query.t} base64 <a>-<signature>")), `token: "base64" is no way to decode a token (did you mean "unbase64"?)`},
		{declared("{query.a}", func(c *Config) { c.Tokens, c.Signature = []Token{{Parameter: "{query.t}"}}, "{query.s}" }), "token: the pattern is missing"},
		{declared("{query.a}", inToken("{query.t} <a><signature>")), "token: the fields <a> and <signature> touch"},
		// signatures that would be cut
		{declared("{link.a}", inToken("{query.t} <signature>a<a>")), `token: signatures in this encoding may have "a" in them`},
		{declared("{link.a}", inToken("{query.t} <a...>12<signature>")), `may have "12" in them`},
		{declared("{link.a}", inToken("{query.t} <signature>-<a>"), func(c *Config) { c.Encoding = "base64url" }), `may have "-" in them`},
		{declared("{link.a}", inPath("/u/<signature>-<a> to /u"), func(c *Config) { c.Encoding = "base64url" }), `path: signatures in this encoding may have "-" in them`},
		{declared("{link.a}", inToken("{query.t} <signature>+<a>"), func(c *Config) { c.Encoding = "base64" }), `may have "+" in them`},
		// checkSigned
		{declared("{link.a}{link.signature}", inToken("{query.t} <a>-<signature>")), "{link.signature} carries the signature, so it cannot be signed"},
		{declared("{link.a}{raw_link.signature}", inPath("/<a>/<signature>")), "carries the signature, so it cannot be signed"},
		{declared("{query.t}", inToken("{query.t} <a>-<signature>")), "{query.t} carries the signature, so it cannot be signed"},
		{declared("{raw_link.a}", inToken("{query.t} <a>-<signature>")), "a token is decoded before it is taken apart, so its fields have one form only; write {link.a}"},
		{declared("{raw_link.a}", inToken("{query.t} <a>-<signature>"), inPath("/u/<b>")), "write {link.a}"},
		// compilePath
		{declared("{path}", inPath("/u/<a>/<signature>")), "the path carries the signature, so {path} and {raw_path} cannot be signed"},
		{declared("{raw_path}", signedBy("{path.2}")), "the path carries the signature, so {path} and {raw_path} cannot be signed"},
		{declared("{link.a}", inPath("/u/<a>/<signature>"), func(c *Config) { c.Encoding = "base64" }), "signers write base64url there"},
		{declared("{path.1}", inPath("/u/<a>/<signature>")), "with a path pattern the parts of the path are its fields; write {link.NAME} for {path.N}"},
		{declared("{link.a}", inPath("/<a>/<signature>")), "any path of the site would be a broken link"},
		{declared("{path.2}", signedBy("{path.1}")), "{path.2}: {path.1} is the signature, and the last segment"},
		{declared("{path.1}", signedBy("{path.1}")), "{path.1} carries the signature, so it cannot be signed"},
		{declared("{link.a}", inPath("/u/<a> public")), "path: public goes with `to`"},
		{declared("{link.a}", inPath("/u/<a>/<signature> to /u/{raw_link.a}")), "fields stand in it as they were sent; write {link.a}"},
		{declared("{link.a}", inPath("/u/<a>/<signature> to /u/{link.signature}")), "{link.signature} must not reach the backend"},
		{declared("{link.a}", inPath("/u/<a>/<signature> to /u/{query.a}")), "only fields of this pattern may stand in it"},
		{declared("{link.a}{link.b}", inPath("/u/<a>/<signature> to /u/{link.b}"), inToken("{query.t} <b>")), "only fields of this pattern may stand in it"},
		{declared("{link.a}", inPath("/u/<a>/<b>/<signature> to /u/{link.b}")), "{link.b} is not in the message, so whoever has a link could go anywhere (unsigned_identity)"},
		{declared("{link.a}{link.b}", inPath("/u/<a>/<b>/<signature> to /u/{link.a}{link.b}")), "path: to: the fields"},
		{declared("{link.a}", inPath("/u/<a>/<signature> to u/{link.a}")), "begins with a '/'"},
		{declared("{link.a}", inPath("/u/<a>/<signature> to /x/../{link.a}")), `a segment ".."`},
		{declared("{link.a}", inPath("/u/<a>/<signature> to /x/../y")), `a segment ".."`},
		{declared("{link.a}", inPath("/u/<a>/<signature> to /<b>/{link.a}")), "'<' in the pattern of a path"},
		{declared("{link.a}", inPath("/u/<a>/<signature> to /<b>")), "'<' in the pattern of a path"},
		{declared("{link.a}", inPath("/u/<a>/<signature> to /x\\ny")), "in the pattern of a path"},
		// stamp
		{declared("{query.a}{query.e}", until("e")), "expires: write one placeholder"},
		{declared("{query.a}{query.e}", until("{query.e} soon")), `expires: unknown format "soon"`},
		{declared("{query.a}{query.e}", until("{query.e} plus 5 weeks")), `expires: unknown unit "weeks"`},
		{declared("{query.a}{query.e}", until("{query.e} plus 5x seconds")), "expires: plus: write a number, or a placeholder"},
		{declared("{query.a}{query.e}", until("{query.e} plus -5 seconds")), "expires: plus: write a number, or a placeholder"},
		{declared("{query.a}", func(c *Config) { c.Expires = Time{Value: "{query.a}", Unit: "days"} }), "a unit goes with plus"},
		{declared("{query.a}", func(c *Config) { c.Expires = Time{Format: "unix"} }), "expires: the placeholder of the time is missing"},
		{declared("{query.a}", func(c *Config) { c.Issued = Time{Value: "{query.a}", Never: "0"} }), "never and exclusive go with expires"},
		{declared("{query.a}", func(c *Config) { c.Issued = Time{Value: "{query.a}", Exclusive: true} }), "never and exclusive go with expires"},
		{declared("{query.a}", until("{query.sig}")), "{query.sig} carries the signature, so it cannot be a time"},
		{declared("{query.a}", until("{query.a} plus {query.sig} seconds")), "{query.sig} carries the signature, so it cannot be a time"},
		{declared("{link.a}", inToken("{query.t} <a>-<signature>"), until("{link.signature}")), "{link.signature} carries the signature, so it cannot be a time"},
		{declared("{link.a}", inToken("{query.t} <a>-<signature>"), until("{query.t}")), "{query.t} is a token that carries the signature; name the field of it that is the time"},
		{declared("{path.0}", signedBy("{path.1}"), until("{path.1}")), "{path.1} carries the signature, so it cannot be a time"},
		{declared("{query.a}", until("{raw_query.a}")), "expires: write one placeholder"},
	} {
		if s, err := New(tc.config, link.Options{}); err == nil || s != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: error %v, want %q", tc.config, err, tc.want)
		}
	}
	for _, tc := range []struct {
		options link.Options
		want    string
	}{
		{link.Options{Rules: map[string]link.Rule{"{link.signature}": {Class: link.Hex}}}, "param {link.signature}: it is the signature"},
		{link.Options{User: "{link.signature}", UserKeys: true}, "user: {link.signature} is the signature"},
		{link.Options{Between: [][2]string{{"a", "{link.b}"}}}, `"a" is no placeholder; write two that are neighbours`},
		{link.Options{Between: [][2]string{{"{link.b}", "{link.a}"}}}, "they are no neighbours in the message, in this order; there are {link.a} {link.b}, {link.b} {query.q}"},
		{link.Options{Between: [][2]string{{"{link.a}", "{query.q}"}}}, "they are no neighbours"},
	} {
		c := declared("{link.a}{link.b}{query.q}", inToken("{query.t} <a>-<b>-<signature>"))
		if s, err := New(c, tc.options); err == nil || s != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: error %v, want %q", tc.options, err, tc.want)
		}
	}
}

// TestDetermines: what a message fixes is found by walking, and goes one way: from what
// stands in the message to what is made of it.
func TestDetermines(t *testing.T) {
	for _, tc := range []struct {
		config     Config
		ignore     link.Ignore
		determined string // fields
		covered    string // of these templates
		open       string
	}{
		{declared("{link.a}", inToken("{query.t} <a>-<b>-<signature>")), nil, "a", "{link.a}", "{link.b} {link.signature} {query.t}"},
		{declared("{query.t}", inToken("{query.t} <a>-<b>")), nil, "a b", "{link.a} {query.t}", ""},
		{declared("{raw_query.t}", inToken("{query.t} unbase64 <a>-<b>")), nil, "a b", "{link.a} {query.t}", ""},
		{declared("{link.a}{link.b}", inToken("{query.t} unbase64 <a>-<b>")), nil, "a b", "{link.a}", "{query.t}"},
		{declared("{query}", inToken("{query.t} <a>-<b>")), nil, "a b", "{link.a} {query.t}", "{path}"},
		{declared("{sorted_query}", inToken("{query.t} <a>-<b>")), nil, "a b", "{link.a} {query.t}", "{path}"},
		{declared("{query}", inToken("{query.t} <a>-<signature>")), nil, "", "{query.x}", "{link.a} {query.t}"},
		{declared("{query.x}", inToken("{query.t} <a>")), link.Ignore{"t"}, "", "{query.x}", "{link.a} {query.t}"},
		{declared("{link.a}", inPath("/u/<a>/<b>")), nil, "a", "{link.a}", "{link.b} {path} {path.1} {raw_path}"},
		{declared("{raw_link.a}", inPath("/u/<a>/<b>")), nil, "a", "{link.a}", "{link.b}"},
		{declared("{path}", inPath("/u/<a>/<b>")), nil, "a b", "{link.a} {path} {path.1}", "{raw_path}"},
		{declared("{raw_path}", inPath("/u/<a>/<b>")), nil, "a b", "{link.a} {path} {path.1} {raw_path}", ""},
		{declared("{path.1}", inPath("/u/<a>/<b>")), nil, "", "{path.1}", "{link.a} {path.2}"},
		{declared("{path.0}", signedBy("{path.2}")), nil, "", "{path.0}", "{path.1} {path.2} {path}"},
		{declared("{raw_query.x}"), nil, "", "{query.x}", "{query.y} {query.sig}"},
		{declared("{hostport}"), nil, "", "{host}", "{method}"},
		{declared("{query.x}", inToken("{query.t} <a>-<signature>")), nil, "", "{query.x}", "{link.a} {link.signature}"},
	} {
		s := newScheme(t, tc.config, link.Options{Ignore: tc.ignore})
		d := s.Describe()
		if got := strings.Join(d.Determined, " "); got != tc.determined {
			t.Errorf("%+v: determined are %q, want %q", tc.config, got, tc.determined)
		}
		for want, templates := range map[bool]string{true: tc.covered, false: tc.open} {
			for text := range strings.FieldsSeq(templates) {
				template, err := s.names.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				if err := template.CoveredBy(d); (err == nil) != want {
					t.Errorf("%+v: %s: error %v", tc.config, text, err)
				}
			}
		}
	}
}

// TestAmbiguousFields: messages of fields, whose verdict a person can check.
func TestAmbiguousFields(t *testing.T) {
	token := inToken
	for _, tc := range []struct {
		config Config
		rules  []string
		want   string // the pair; "" if there is none
	}{
		{declared("{link.a}{link.b}", token("{query.t} <a>-<b>-<signature>")), nil, `{link.a}="11" {link.b}="1" and {link.a}="1" {link.b}="11" both sign "111"`},
		{declared("{link.a}-{link.b}", token("{query.t} <a>-<b>-<signature>")), nil, ""},
		{declared("{link.b}-{link.a}", token("{query.t} <a>-<b>-<signature>")), nil, ""},
		{declared("{link.a}-{link.b}", token("{query.t} <a>-<signature>-<b...>")), nil, ""},
		{declared("{link.b}-{link.a}", token("{query.t} <a>-<signature>-<b...>")), nil, ""}, // a is cut at the last one
		{declared("{link.b}|{link.a}", token("{query.t} <a>-<signature>-<b...>")), nil, `both sign`},
		{declared("{link.b}-{link.a}", token("{query.t} <a>-<signature>-<b...>")), []string{"{link.b} text"}, ""},
		{declared("{link.a}--{link.b}", token("{query.t} <a>--<b>.<signature>")), nil, ""},
		{declared("{link.a}-{link.b}", token("{query.t} <a>--<b>.<signature>")), nil, `both sign`},
		{declared("{link.a}aba{link.b}", token("{query.t} <a>aba<b>.<signature>")), nil, ""},
		{declared("{link.b}aba{link.a}", token("{query.t} <b...>aba<a>.<signature>")), nil, ""},
		{declared("{link.a}{link.e}", token("{query.t} <a>-<e>-<signature>"), until("{link.e}")), nil, ""}, // ten digits
		{declared("{link.a}{link.e}", token("{query.t} <a>-<e>-<signature>"), until("{link.e} never 0")), nil, `both sign`},
		{declared("{link.a}{link.e}", token("{query.t} <a>-<e>-<signature>"), until("{link.e} never inf")), []string{"{link.a} digits"}, ""},
		{declared("{link.a}{link.e}", token("{query.t} <a>-<e>-<signature>"), until("{link.e} YYYY-MM-DD")), nil, ""},
		{declared("{link.e}{link.l}", token("{query.t} <signature>_<e>_<l>"), until("{link.e} plus {link.l} hours")), nil, ""}, // CiviCRM
		{declared("{link.l}{link.e}", token("{query.t} <signature>_<e>_<l>"), until("{link.e} plus {link.l} hours")), nil, ""},
		{declared("{link.a}|{query.q}", inPath("/u/<a>/<signature>")), nil, `both sign`},
		{declared("{link.a}|{query.q}", inPath("/u/<a>/<signature>")), []string{"q digits"}, ""},
		{declared("{link.a}/{query.q}", inPath("/u/<a>/<signature>")), nil, ""},     // no segment has a slash
		{declared("{link.a};{query.q}", inPath("/u/<a>/<signature>")), nil, ""},     // nor that
		{declared("{link.a}\\n{query.q}", inPath("/u/<a>/<signature>")), nil, ""},   // nor a control byte
		{declared("{raw_link.a}|{query.q}", inPath("/u/<a>/<signature>")), nil, ""}, // as sent it is %7C
		{declared("{link.f}/{query.q}", inPath("/u/<signature>/<f...>")), nil, `both sign`},
		{declared("{path.0}/{path.1}", signedBy("{path.2}")), nil, ""},
		{declared("{path.0}{path.1}", signedBy("{path.2}")), nil, `both sign`},
		{declared("{path.1}{query.q}", signedBy("{path.3}")), nil, `{path.1}="11" q="" and {path.1}="1" q="1" both sign "11"`},
		// pairs that have to have what the message does not say, or that nothing may be (all by TestProperty)
		{declared("{query.c}|{query.a}{query.b}", until("{query.c} YYYYMMDD")), []string{"c token optional empty"}, `c="" a="1" b="" and c="" a="" b="1"`},
		{declared("{query.a}{query.b}", until("{query.c} YYYYMMDD")), []string{"c alnum max 3 optional"}, `both sign`},
		{declared("{query.a}{query.b}", inToken("{query.s} <f>é<g>-<h>")), []string{"{link.f} text max 1", "{link.g} token min 2"}, `both sign`},
		{declared("{query.a}|{query.b}|{query.e}", until("{query.e} base64")), nil, `both sign`},
		{declared("{query.a}{query.b}", until("{path.0} YYMMDD plus 9 days")), nil, `both sign`},
		{declared("{query.a}{query.b}", signedBy("{path.2}"), until("{path.0} YYYY-MM-DD")), nil, `both sign`},
		{declared("{query}|{path.1}", until("{query.e}")), nil, `both sign`},
		// what honest signers write
		{declared("{query.email}{query.timestamp}{secret}", func(c *Config) { c.Algorithm, c.Issued = "sha1", Time{Value: "{query.timestamp}"} }), nil, ""}, // WHMCS
		{declared("{query.a}|{query.b}", func(*Config) {}), []string{"a text without |", "b email"}, ""},
		{declared("{query.a}|{query.b}", func(*Config) {}), []string{"a text", "b email"}, `both sign`},
		{declared("{query.a}{query.b}", func(*Config) {}), []string{"a digits min 2 max 2 optional empty", "b digits min 2 max 2 optional empty"}, `both sign`},
		{declared("{query.a}|{query.b}", func(*Config) {}), []string{"a digits optional empty", "b text optional empty"}, ""},
	} {
		s := newScheme(t, tc.config, link.Options{Nobody: true, Rules: ruleLines(t, tc.rules...)})
		f := findingOf(s, "ambiguous_message")
		switch {
		case tc.want == "" && f == nil:
		case tc.want == "" || f == nil:
			t.Errorf("%+v %q: %+v", tc.config, tc.rules, f)
		case f.Example == nil || !strings.Contains(f.Example.String(), tc.want):
			t.Errorf("%+v %q: %v, want %s", tc.config, tc.rules, f.Example, tc.want)
		}
	}
}

// ruleLines is [rules] with all words.
func ruleLines(t *testing.T, lines ...string) map[string]link.Rule {
	t.Helper()
	all := make(map[string]link.Rule)
	for _, line := range lines {
		var kept []string
		words := strings.Fields(line)
		without, empty := "", false
		for i := 0; i < len(words); i++ {
			switch words[i] {
			case "without":
				i++
				without = words[i]
			case "empty":
				empty = true
			default:
				kept = append(kept, words[i])
			}
		}
		r := rules(t, strings.Join(kept, " "))[words[0]]
		r.Without, r.Empty = without, empty
		all[words[0]] = r
	}
	return all
}

// TestAmbiguousAddress: two links with one message that need two addresses are a warning, for
// nobody chooses an address freely; with one address they are a danger.
func TestAmbiguousAddress(t *testing.T) {
	for _, tc := range []struct {
		message string
		rules   []string
		want    string
	}{
		{"{query.u}{client_ip}", []string{"u digits"}, "warning"}, // nginx: /file1 of 2.3.4.5, and /file of 12.3.4.5
		{"{client_ip}{query.u}", []string{"u digits"}, "warning"},
		{"{client_ip} {query.u}", nil, ""},
		{"{query.u}{client_ip}{query.v}", []string{"u digits", "v alnum"}, "warning"},
		{"{query.u}{client_ip}{query.v}", nil, "danger"},
		{"{query.u}{client_ip}{query.v}", []string{"u token max 3", "v token max 3"}, "danger"}, // 1. and 1.1.1.1
		{"{client_ip}{query.u}{query.v}", []string{"u digits", "v digits"}, "danger"},
	} {
		s := newScheme(t, declared(tc.message), link.Options{Nobody: true, Rules: rules(t, tc.rules...)})
		got := ""
		if f := findingOf(s, "ambiguous_message"); f != nil {
			got = f.Severity.String()
			if f.Example == nil || strings.Contains(f.Message, "another address") != (got == "warning") {
				t.Errorf("%s %q: %+v", tc.message, tc.rules, f)
			}
		}
		if got != tc.want {
			t.Errorf("%s %q: %q, want %q", tc.message, tc.rules, got, tc.want)
		}
	}
}

// TestBetween: what is allowed between two values is allowed there only, and said to be.
func TestBetween(t *testing.T) {
	c := declared("{query.a}{query.b}{query.c}")
	open := newScheme(t, c, link.Options{User: "{query.b}"})
	f := findingOf(open, "ambiguous_message")
	const both = "allow ambiguous_message between {query.a} {query.b}; allow ambiguous_message between {query.b} {query.c}"
	if f.Narrow != both || f.Allowed {
		t.Errorf("the narrowest allow is %q, want %q", f.Narrow, both)
	}
	for _, tc := range []struct {
		between [][2]string
		want    string // of each finding: whether it is allowed, and says that users change
	}{
		{nil, "refused user"},
		{[][2]string{{"{query.a}", "{query.b}"}}, "refused user, allowed user"},
		{[][2]string{{"{query.a}", "{query.b}"}, {"{query.b}", "{query.c}"}}, "allowed user, allowed user"},
		{[][2]string{{"{query.a}", "{raw_query.b}"}, {"{http.request.uri.query.b}", "{query.c}"}}, "allowed user, allowed user"},
	} {
		s := newScheme(t, c, link.Options{User: "{query.b}", Between: tc.between})
		var got []string
		for _, f := range s.Findings() {
			if f.Code != "ambiguous_message" {
				continue
			}
			text := map[bool]string{true: "allowed", false: "refused"}[f.Allowed]
			if strings.Contains(f.Message, "a link of one user can be made one of another") {
				text += " user"
			}
			got = append(got, text)
		}
		if strings.Join(got, ", ") != tc.want {
			t.Errorf("%q: %q, want %q", tc.between, got, tc.want)
		}
	}
	// The user stays who it is.
	s := newScheme(t, declared("{query.u}|{query.a}{query.b}"), link.Options{User: "{query.u}", Rules: rules(t, "u alnum"), Between: [][2]string{{"{query.a}", "{query.b}"}}})
	if f := findingOf(s, "ambiguous_message"); f == nil || !f.Allowed || strings.Contains(f.Message, "one user") || f.Narrow != "allow ambiguous_message between {query.a} {query.b}" {
		t.Errorf("%+v", f)
	}
	// What nothing needs is not said.
	s = newScheme(t, declared("{query.a}|{query.b}"), link.Options{Rules: rules(t, "a alnum"), Between: [][2]string{{"{query.a}", "{query.b}"}}})
	if f := findingOf(s, "ambiguous_message"); f != nil {
		t.Errorf("%+v", f)
	}
	// A value that stands there twice is parted by nothing.
	s = newScheme(t, declared("{query.a}{query.b}{query.a}"), link.Options{Nobody: true})
	if f := findingOf(s, "ambiguous_message"); f == nil || f.Example == nil {
		t.Errorf("%+v", f)
	}
}

// TestUnsignedSegments: what of a path is open, beside what is signed.
func TestUnsignedSegments(t *testing.T) {
	for _, tc := range []struct {
		config Config
		want   string
	}{
		{declared("{link.a}", inPath("/u/<a>/<b>/<signature>")), "lacks {link.b},"},
		{declared("{query.q}", inPath("/u/<a>/<b>/<signature>")), "lacks {link.a} and {link.b},"},
		{declared("{link.a}{link.b}", inPath("/u/<a>/<b>/<signature>"), func(c *Config) { c.Message = "{link.a}/{link.b}" }), ""},
		{declared("{link.a}", inPath("/u/<a>/<b>/<signature> to /u/{link.a}")), ""}, // b does not get there
		{declared("{query.q}", inPath("/u/<a>")), ""},                               // nothing of the path is signed
		{declared("{path}", inPath("/u/<a>")), ""},
		{declared("{raw_link.a}", inPath("/u/<a>/<b>")), "lacks {link.b},"},
		{declared("{path.1}", signedBy("{path.2}")), ""}, // the first is the matcher's business
		{declared("{path.1}", signedBy("{path.4}")), ""}, // as the matcher knows
		{declared("{path.0}/{path.2}", signedBy("{path.3}")), ""},
		{declared("{query.q}", signedBy("{path.3}")), ""},
	} {
		f := findingOf(newScheme(t, tc.config, link.Options{}), "unsigned_segments")
		if (f == nil) != (tc.want == "") || f != nil && !strings.Contains(f.Message, tc.want) {
			t.Errorf("%+v: %+v, want %q", tc.config, f, tc.want)
		}
	}
}

// TestDateAsUnix: a date that is read as seconds is one of 1970.
func TestDateAsUnix(t *testing.T) {
	for _, tc := range []struct {
		config Config
		rules  []string
		want   bool
	}{
		{declared("{query.day}", until("{query.day}")), nil, true},
		{declared("{query.Date}", until("{query.Date}")), nil, true},
		{declared("{query.day}", until("{query.day} YYYYMMDD")), nil, false},
		{declared("{query.day}", until("{query.day} plus 3 days")), nil, false},
		{declared("{query.e}", until("{query.e}")), nil, false},
		{declared("{query.e}", until("{query.e}")), []string{"e digits min 8 max 8"}, true},
		{declared("{query.e}", until("{query.e}")), []string{"e digits max 10"}, false},
		{declared("{query.e}", until("{query.e} hex")), []string{"e hex max 8"}, false},
		{declared("{link.e}", inToken("{query.t} <e>-<signature>"), until("{link.e}")), []string{"{link.e} digits min 8 max 8"}, true},
		{declared("{link.date}", inToken("{query.t} <date>-<signature>"), until("{link.date}")), nil, true},
		{declared("{query.day}", func(c *Config) { c.Issued = Time{Value: "{query.day}"} }), nil, true},
	} {
		f := findingOf(newScheme(t, tc.config, link.Options{Rules: rules(t, tc.rules...)}), "date_as_unix")
		if (f != nil) != tc.want {
			t.Errorf("%+v %q: %+v", tc.config, tc.rules, f)
		}
	}
}

// TestImpliedRules: times have the length that signers write today, unless the operator says
// otherwise; a word for ever is admitted beside.
func TestImpliedRules(t *testing.T) {
	for _, tc := range []struct {
		config Config
		rules  []string
		key    string
		want   link.Rule
	}{
		{declared("{query.e}", until("{query.e}")), nil, "e", link.Rule{Class: link.Digits, Min: 10, Max: 10}},
		{declared("{query.e}", until("{query.e} hex never 0")), nil, "e", link.Rule{Class: link.Hex, Min: 8, Max: 8, Also: []string{"0"}}},
		{declared("{query.u}", until("{query.e}")), nil, "e", link.Rule{Class: link.Digits, Min: 10, Max: 10}}, // where it is there
		{declared("{query.e}{query.l}", until("{query.e} plus {query.l} days never inf")), nil, "l", link.Rule{Class: link.Digits, Min: 1, Max: 10, Also: []string{"inf"}}},
		{declared("{link.e}", inToken("{query.t} <e>-<signature>"), until("{link.e}")), nil, "{link.e}", link.Rule{Class: link.Digits, Min: 10, Max: 10}},
		{declared("{path.1}", signedBy("{path.2}"), until("{path.1} YYYYMMDD")), nil, "{path.1}", link.Rule{Class: link.Digits, Min: 8, Max: 8}},
		{declared("{query.e}", until("{query.e} never -")), []string{"e digits max 9"}, "e", link.Rule{Class: link.Digits, Min: 1, Max: 9, Also: []string{"-"}}},
		{declared("{query.e}", until("{query.e}")), []string{"e digits max 9"}, "e", link.Rule{Class: link.Digits, Min: 1, Max: 9}},
		{declared("{query.e}", until("{query.e} never x")), []string{"e one_of 1 2"}, "e", link.Rule{Class: link.OneOf, Min: 1, Max: 256}}, // the list is the operator's
	} {
		o := link.Options{Rules: rules(t, tc.rules...)}
		got := RulesOf(newScheme(t, tc.config, o))[tc.key]
		if got.Class != tc.want.Class || got.Min != tc.want.Min || got.Max != tc.want.Max || got.Optional != tc.want.Optional || !slices.Equal(got.Also, tc.want.Also) {
			t.Errorf("%+v %q: %+v, want %+v", tc.config, tc.rules, got, tc.want)
		}
		if r := o.Rules[tc.key]; len(r.Also) > 0 {
			t.Errorf("%+v: the operator's rule was changed", tc.config)
		}
	}
}

// TestConstructionOfCarriers: two schemes with one message and other carriers make links that
// are not each other's.
func TestConstructionOfCarriers(t *testing.T) {
	seen := make(map[string]int)
	for i, c := range []Config{
		declared("{link.a}", inToken("{query.t} <a>-<signature>")),
		declared("{link.a}", inToken("{query.u} <a>-<signature>")),
		declared("{link.a}", inToken("{query.t} <a>.<signature>")),
		declared("{link.a}", inToken("{query.t} unhex <a>-<signature>")),
		declared("{link.a}", inToken("{query.t} unbase64 <a>-<signature>")),
		declared("{link.a}", inPath("/u/<a>/<signature>")),
		declared("{link.a}", inPath("/v/<a>/<signature>")),
		declared("{path.0}", signedBy("{path.1}")),
		declared("{path.0}", signedBy("{path.2}")),
		declared("{path.0}"),
	} {
		text := newScheme(t, c, link.Options{}).Construction()
		if before, again := seen[text]; again || strings.Contains(text, "%!") {
			t.Errorf("%d and %d: %s", before, i, text)
		}
		seen[text] = i
	}
}

// TestSignCarriers: Sign writes fields and times where the carrier has them, and says what
// it cannot write. What it writes verifies.
func TestSignCarriers(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	hour := now.Add(time.Hour)
	for _, tc := range []struct {
		name   string
		config Config
		target string
		grant  link.Grant
		want   string // without the signature; an error begins with '!'
	}{
		{"token", declared("{link.id}", inToken("{query.t} <id>-<signature>")), "/", link.Grant{Fields: map[string]string{"id": "4 2"}}, "/?t=4%202-SIG"},
		{"token, coded", declared("{link.id}", inToken("{query.t} unhex <id>-<signature>")), "/", link.Grant{Fields: map[string]string{"id": "42"}}, ""},
		{"fields that are there", declared("{link.id}", inToken("{query.t} <id>-<signature>")), "/?t=7-old&x=1", link.Grant{}, "/?t=7-SIG&x=1"},
		{"a field that lacks", declared("{link.id}", inToken("{query.t} <id>-<signature>")), "/", link.Grant{}, "!the link has a field <id>, and nobody said what stands in it"},
		{"a field that cannot stand there", declared("{link.id}", inToken("{query.t} <id>-<signature>")), "/", link.Grant{Fields: map[string]string{"id": "4-2"}}, "!"},
		{"an empty field", declared("{link.id}", inToken("{query.t} <id>-<signature>")), "/", link.Grant{Fields: map[string]string{"id": ""}}, "!"},
		{"times in a token", declared("{link.e}|{link.l}", inToken("{query.t} <signature>_<e>_<l>"), until("{link.e} plus {link.l} minutes")), "/", link.Grant{Now: now, Expires: hour}, "/?t=SIG_1800000000_60"},
		{"for ever", declared("{link.e}", inToken("{query.t} <signature>_<e>"), until("{link.e} never inf")), "/", link.Grant{Now: now}, "/?t=SIG_inf"},
		{"for ever, as it is", declared("{link.e}", inToken("{query.t} <signature>_<e>"), until("{link.e} never inf")), "/?t=x_1111111111", link.Grant{Now: now}, "/?t=SIG_1111111111"},
		{"for ever, by what is added", declared("{query.e}|{query.l}", until("{query.e} plus {query.l} days never inf")), "/", link.Grant{Now: now}, "/?e=1800000000&l=inf&sig=SIG"},
		{"a time before it is made", declared("{query.e}|{query.l}", until("{query.e} plus {query.l} days")), "/", link.Grant{Now: hour, Expires: now}, "!expires: the link would be over before it is made"},
		{"path", declared("{link.f}", inPath("/dl/<signature>/<f...> to /f/{link.f}")), "/", link.Grant{Fields: map[string]string{"f": "a b/ü.txt"}}, "/dl/SIG/a%20b/%C3%BC.txt"},
		{"a path that is there", declared("{link.f}", inPath("/dl/<signature>/<f...> to /f/{link.f}")), "/dl/x/a%7Eb", link.Grant{}, "/dl/SIG/a~b"},
		{"a path with dots", declared("{link.f}", inPath("/dl/<signature>/<f...> to /f/{link.f}")), "/", link.Grant{Fields: map[string]string{"f": "../x"}}, "!no link of this scheme can be made of this URL (ambiguous/path)"},
		{"a hidden slash", declared("{link.f}", inPath("/u/<f>/<signature> to /f/{link.f}")), "/", link.Grant{Fields: map[string]string{"f": "a/b"}}, "!no link of this scheme can be made of this URL"},
		{"a time in the path", declared("{link.e}", inPath("/u/<e>/<signature> to /f/{link.e}"), until("{link.e} YYYY-MM-DD")), "/", link.Grant{Now: now, Expires: hour}, "/u/2027-01-15/SIG"},
		{"a segment", declared("{path.1}", signedBy("{path.2}")), "/u/42", link.Grant{}, "/u/42/SIG"},
		{"a segment that is there", declared("{path.1}", signedBy("{path.2}")), "/u/42/old?a=1", link.Grant{}, "/u/42/SIG?a=1"},
		{"segments that lack", declared("{path.1}", signedBy("{path.2}")), "/u", link.Grant{}, "!the path of a link has 2 segments before the signature"},
		{"a time in a segment", declared("{path.0}", signedBy("{path.1}"), until("{path.0}")), "/1111111111", link.Grant{Now: now, Expires: hour}, "!expires: write {path.0} into the path yourself"},
		{"a time in a segment, for ever", declared("{path.0}", signedBy("{path.1}"), until("{path.0} never inf")), "/inf", link.Grant{Now: now}, "/inf/SIG"},
	} {
		s := newScheme(t, tc.config, link.Options{})
		key := []byte(testKey)
		target, err := s.Sign(linktest.NewRequest("https://example.org"+tc.target), tc.grant, key)
		if message, wrong := strings.CutPrefix(tc.want, "!"); wrong {
			if err == nil || !strings.HasPrefix(err.Error(), message) {
				t.Errorf("%s: %s, error %v, want %q", tc.name, target, err, message)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		r := linktest.NewRequest("https://example.org" + target)
		var l link.Link
		if refusal := s.Read(r, &l); !refusal.None() || !s.Verify(r, &l, key) || s.Verify(r, &l, []byte("another")) {
			t.Errorf("%s: %s does not verify, or with any key (%s)", tc.name, target, refusal)
		}
		if got := strings.Replace(target, l.Signature, "SIG", 1); tc.want != "" && got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// TestAttackForEverFromNowhere: where what is added says for ever, the time to which it is
// added is one all the same. The checker takes it for one, and would else pass a message in
// which ab and ab1 are times.
func TestAttackForEverFromNowhere(t *testing.T) {
	s := newScheme(t, declared("{query.b}1{query.t}|{query.a}", until("{query.b} YYYY-MM-DD plus {query.a} days never inf")),
		link.Options{Nobody: true, Rules: rules(t, "b hex")})
	if f := findingOf(s, "ambiguous_message"); f != nil {
		t.Fatalf("%+v", f)
	}
	for _, query := range []string{"b=ab&t=1&a=inf", "b=ab1&t=&a=inf"} {
		var l link.Link
		r := linktest.NewRequest("https://example.org/?sig=x&" + query)
		if refusal := s.Read(r, &l); !refusal.None() {
			t.Fatal(refusal)
		}
		if got := (link.Policy{}).Check(&l, time.Unix(1, 0)).String(); got != "malformed/expiry" {
			t.Errorf("%s: %q", query, got)
		}
	}
}

// TestTransforms: what decodes is strict, and knows two spellings of one text where encoders
// do.
func TestTransforms(t *testing.T) {
	for _, tc := range []struct{ transforms, token, want string }{
		{"unbase64", "YS14", "a-x"},
		{"unbase64", "YWItMQ==", "ab-1"},
		{"unbase64", "YWItMQ", "ab-1"},
		{"unbase64", "YWItMQ=", "malformed/token"}, // half of the padding
		{"unbase64", "YWItMR", "malformed/token"},  // spare bits
		{"unbase64", "YWIt%0AMQ", "malformed/token"},
		{"unbase64", "YWIt MQ", "malformed/token"},
		{"unbase64", "8J-S-DE", "malformed/token"}, // of the other alphabet
		{"unbase64url", "Pz8-LT8_Pw", "??>-???"},
		{"unbase64url", "Pz8+LT8/Pw", "malformed/token"},
		{"unhex", "612D31", "a-1"},
		{"unhex", "612d31", "a-1"},
		{"unhex", "612d3", "malformed/token"},
		{"unhex", "", "malformed/token"},
		{"unhex unbase64", "595331785a", "malformed/token"},
		{"unbase64 unhex", "NjEyZDMx", "a-1"},
		{"", "a-1", "a-1"},
		{"", "a%2D1", "a-1"}, // decoded once, then cut
		{"", "a%252D1", "malformed/token"},
	} {
		s := newScheme(t, declared("{link.a}", inToken("{query.t} "+tc.transforms+" <a>-<b>")), link.Options{})
		var l link.Link
		var got string
		if refusal := s.Read(linktest.NewRequest("https://example.org/?sig=x&t="+tc.token), &l); !refusal.None() {
			got = refusal.String()
		} else {
			got = l.Fields[0].Value + "-" + l.Fields[1].Value
		}
		if got != tc.want {
			t.Errorf("%s of %s: %q, want %q", tc.transforms, tc.token, got, tc.want)
		}
	}
}
