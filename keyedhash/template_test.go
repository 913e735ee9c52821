package keyedhash

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

func parseTemplate(t testing.TB, text string, locals ...string) *Template {
	t.Helper()
	tpl, err := Names{Locals: locals}.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return tpl
}

func TestParseTemplate(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []segment
	}{
		{"a", []segment{{kind: literal, text: "a"}}},
		{"{query.user}", []segment{{kind: queryValue, text: "user"}}},
		{"{http.request.uri.query.user}", []segment{{kind: queryValue, text: "user"}}},
		{"{query.user.id}", []segment{{kind: queryValue, text: "user.id"}}},
		{"{http.request.uri.query.user.id}", []segment{{kind: queryValue, text: "user.id"}}},
		{"{raw_query.user}", []segment{{kind: rawQueryValue, text: "user"}}},
		{"{path}", []segment{{kind: path}}},
		{"{http.request.uri.path}", []segment{{kind: path}}},
		{"{raw_path}", []segment{{kind: rawPath}}},
		{"{path.0}", []segment{{kind: pathSegment}}},
		{"{path.12}", []segment{{kind: pathSegment, n: 12}}},
		{"{http.request.uri.path.3}", []segment{{kind: pathSegment, n: 3}}},
		{"{query}", []segment{{kind: rawQuery}}},
		{"{http.request.uri.query}", []segment{{kind: rawQuery}}},
		{"{sorted_query}", []segment{{kind: sortedQuery}}},
		{"{scheme}", []segment{{kind: scheme}}},
		{"{http.request.scheme}", []segment{{kind: scheme}}},
		{"{host}", []segment{{kind: host}}},
		{"{http.request.host}", []segment{{kind: host}}},
		{"{hostport}", []segment{{kind: hostPort}}},
		{"{http.request.hostport}", []segment{{kind: hostPort}}},
		{"{method}", []segment{{kind: method}}},
		{"{http.request.method}", []segment{{kind: method}}},
		{"{client_ip}", []segment{{kind: clientIP}}},
		{"{http.vars.client_ip}", []segment{{kind: clientIP}}},
		{"{secret}", []segment{{kind: secret}}},
		{"{claim.user}", []segment{{kind: claim, text: "user"}}},
		{"{user}", []segment{{kind: local, text: "user"}}},
		{"a{query.b}{secret}-c", []segment{{kind: literal, text: "a"}, {kind: queryValue, text: "b"}, {kind: secret}, {kind: literal, text: "-c"}}},
		{`\{query.b\}`, []segment{{kind: literal, text: "{query.b}"}}},
		{`\\{query.b}`, []segment{{kind: literal, text: `\`}, {kind: queryValue, text: "b"}}},
		{`a\nb\tc`, []segment{{kind: literal, text: "a\nb\tc"}}},
		{"{link.uid}", []segment{{kind: linkField, text: "uid"}}},
		{"{raw_link.ts}", []segment{{kind: rawLinkField, text: "ts", n: 1}}},
		{`\\\{`, []segment{{kind: literal, text: `\{`}}},
		{"é\x00\xff", []segment{{kind: literal, text: "é\x00\xff"}}},
		{"%41+", []segment{{kind: literal, text: "%41+"}}}, // a literal is no URL
	} {
		tpl, err := Names{Locals: []string{"user"}, Fields: []string{"uid", "ts"}}.Parse(tc.text)
		if err != nil {
			t.Errorf("%q: %v", tc.text, err)
			continue
		}
		if !reflect.DeepEqual(tpl.segments, tc.want) || tpl.String() != tc.text {
			t.Errorf("%q: %+v, want %+v", tpl, tpl.segments, tc.want)
		}
	}
}

// TestParseTemplateErrors: each says what is wrong and how to cure it, and none repeats
// the text around, which may hold a secret by mistake.
func TestParseTemplateErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "empty",
		"hunter2{query.user":               `write \{ for a brace`,
		"hunter2query.user}":               `write \} for a brace`,
		"hunter2{query.user}}":             `write \} for a brace`,
		"hunter2{{query.user}":             "begins no placeholder here",
		`hunter2{"Statement":[{path}]}`:    `write \{ and \}`,
		`hunter2\a`:                        "before a character that it does not change",
		`hunter2\`:                         `write \\ for a backslash`,
		"hunter2{link.x}":                  "there are no fields",
		"hunter2{}":                        "{} is no placeholder of a signed link; there are {query.NAME}",
		"hunter2{env.SECRET}":              "{env.SECRET} is no placeholder",
		"hunter2{file./etc/passwd}":        "is no placeholder",
		"hunter2{system.hostname}":         "is no placeholder",
		"hunter2{http.request.header.X}":   "is no placeholder",
		"hunter2{header.X-Verified-User}":  "is no placeholder",
		"hunter2{cookie.user}":             "is no placeholder",
		"hunter2{vars.x}":                  "is no placeholder",
		"hunter2{http.auth.user.id}":       "is no placeholder",
		"hunter2{Query.user}":              "is no placeholder",
		"hunter2{ query.user}":             "is no placeholder",
		"hunter2{query.}":                  "lacks a name behind the dot",
		"hunter2{raw_query.}":              "lacks a name behind the dot",
		"hunter2{claim.}":                  "lacks a name behind the dot",
		"hunter2{http.request.uri.query.}": "lacks a name behind the dot",
		"hunter2{path.}":                   "lacks a name behind the dot",
		"hunter2{path.x}":                  "counted from 0",
		"hunter2{path.-1}":                 "counted from 0",
		"hunter2{path.+1}":                 "counted from 0",
		"hunter2{path.01}":                 "counted from 0",
		"hunter2{path.100}":                "counted from 0",
		"hunter2{path.1.2}":                "counted from 0",
		"hunter2{user}":                    "{secret} {claim.NAME} {action}", // another local
	} {
		tpl, err := Names{Locals: []string{"action"}}.Parse(text)
		if err == nil || tpl != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error repeats the text: %v", text, err)
		}
	}
}

func TestQueryParameter(t *testing.T) {
	for text, want := range map[string]string{
		"{query.key}": "key", "{http.request.uri.query.key}": "key", "{query.user.id}": "user.id",
		"key": "", "{key}": "", "": "", "{query}": "", "{raw_query.key}": "", "{path.0}": "", "{query.a}{query.b}": "", "x{query.a}": "", "{query.a} ": "", "{query.}": "", "{claim.key}": "",
	} {
		got, err := QueryParameter(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, error %v; want %q", text, got, err, want)
		}
	}
	if _, err := QueryParameter("hunter2"); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "write {query.NAME}") {
		t.Errorf("error %v", err)
	}
}

func TestTemplateNames(t *testing.T) {
	tpl := parseTemplate(t, "{query.b}{raw_query.a}{claim.x}{query.b}{claim.y}{query}{path.3}{path.0}{secret}")
	if got, want := tpl.Parameters(), []string{"b", "a"}; !slices.Equal(got, want) {
		t.Errorf("parameters %q, want %q", got, want)
	}
	if got, want := tpl.Claims(), []string{"x", "y"}; !slices.Equal(got, want) {
		t.Errorf("claims %q, want %q", got, want)
	}
	if got, want := tpl.pathSegments(), []int{3, 0}; !slices.Equal(got, want) {
		t.Errorf("path segments %d, want %d", got, want)
	}
}

// TestRender: what each placeholder is of a request.
func TestRender(t *testing.T) {
	r := linktest.NewRequest("https://Example.ORG:8443/a%2Db/c+d//e%20f?b=2&user=j%C3%A9%2Bff+x&&a=1&sig=S&utm_x=3&b%5B=4")
	r.Method, r.ClientIP = "HEAD", "2001:db8::1"
	v := Values{
		Secret: []byte("s\x00t"),
		Claims: link.Claims{{Name: "mailing", Value: "2695"}},
		Local:  func(name string) string { return "<" + name + ">" },
	}
	left := v
	left.Left = func(segment string) bool {
		return !strings.HasPrefix(segment, "sig=") && !strings.HasPrefix(segment, "utm_")
	}
	for _, tc := range []struct {
		template, want string
		values         Values
	}{
		{"literal", "literal", v},
		{"{query.user}", "jé+ff x", v},
		{"{raw_query.user}", "j%C3%A9%2Bff+x", v},
		{"{query.none}", "", v},
		{"{raw_query.none}", "", v},
		{"{query.USER}", "", v},
		{"{path}", "/a-b/c+d//e f", v},
		{"{raw_path}", "/a%2Db/c+d//e%20f", v},
		{"{path.0}", "a-b", v},
		{"{path.1}", "c+d", v},
		{"{path.2}", "", v},
		{"{path.3}", "e f", v},
		{"{path.4}", "", v},
		{"{path.99}", "", v},
		{"{query}", "b=2&user=j%C3%A9%2Bff+x&&a=1&sig=S&utm_x=3&b%5B=4", v},
		{"{query}", "b=2&user=j%C3%A9%2Bff+x&&a=1&b%5B=4", left},
		{"{sorted_query}", "a=1&b=2&b%5B=4&sig=S&user=j%C3%A9%2Bff+x&utm_x=3", v},
		{"{sorted_query}", "a=1&b=2&b%5B=4&user=j%C3%A9%2Bff+x", left},
		{"{scheme}", "https", v},
		{"{host}", "Example.ORG", v},
		{"{hostport}", "Example.ORG:8443", v},
		{"{method}", "HEAD", v},
		{"{client_ip}", "2001:db8::1", v},
		{"{secret}", "s\x00t", v},
		{"{secret}", "", Values{}},
		{"{claim.mailing}", "2695", v},
		{"{claim.none}", "", v},
		{"{user}", "<user>", v},
		{"{user}", "", Values{}},
		{"--{method}:{query.a}\\}", "--HEAD:1}", v},
	} {
		tpl := parseTemplate(t, tc.template, "user")
		if got := string(tpl.Append([]byte("x"), r, tc.values)); got != "x"+tc.want {
			t.Errorf("%s: %q, want x%q", tc.template, got, tc.want)
		}
	}
}

func TestRenderHosts(t *testing.T) {
	for given, want := range map[string]string{
		"example.org": "example.org", "example.org:80": "example.org", "[::1]:80": "::1", "[::1]": "[::1]", "": "", ":80": "", "a:b:c": "a:b:c", "192.0.2.1:443": "192.0.2.1",
	} {
		r := &link.Request{Host: given}
		if got := string(parseTemplate(t, "{host}").Append(nil, r, Values{})); got != want {
			t.Errorf("host of %q: %q, want %q", given, got, want)
		}
		if got := string(parseTemplate(t, "{hostport}").Append(nil, r, Values{})); got != given {
			t.Errorf("hostport of %q: %q", given, got)
		}
	}
}

func TestRenderPathSegments(t *testing.T) {
	for _, tc := range []struct {
		path string
		want []string
	}{
		{"", []string{"", ""}},
		{"/", []string{"", ""}},
		{"/a", []string{"a", ""}},
		{"/a/", []string{"a", "", ""}},
		{"//a", []string{"", "a"}},
		{"a/b", []string{"a", "b"}},
		{"/a%2Fb/c", []string{"a/b", "c"}}, // as Caddy splits: then decodes
	} {
		r := &link.Request{Path: tc.path}
		for n, want := range tc.want {
			tpl := &Template{segments: []segment{{kind: pathSegment, n: n}}}
			if got := string(tpl.Append(nil, r, Values{})); got != want {
				t.Errorf("%q, segment %d: %q, want %q", tc.path, n, got, want)
			}
		}
	}
}

func TestSortedQuery(t *testing.T) {
	for raw, want := range map[string]string{
		"":                    "",
		"&&":                  "",
		"b&a":                 "a&b",
		"b=1&a=2":             "a=2&b=1",
		"a10=x&a9=y":          "a10=x&a9=y",
		"B=1&a=2&A=3":         "A=3&B=1&a=2",
		"%62=1&a=2":           "a=2&%62=1",
		"b=1&%61=2":           "%61=2&b=1",
		"a-b=1&a=2":           "a=2&a-b=1",
		"b=2&&a=1&":           "a=1&b=2",
		"z=%zz&y=+":           "y=+&z=%zz",
		"a=2&b=1&a=1":         "a=2&a=1&b=1",
		"utm_x=1&user=2&u=3&": "u=3&user=2&utm_x=1",
	} {
		r := linktest.NewRequest("https://example.org/?" + raw)
		if got := string(parseTemplate(t, "{sorted_query}").Append(nil, r, Values{})); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

// TestAttackPlaceholderInjection: what the client sends is a value and never a template,
// in every placeholder and however it is encoded. Feeding it to a replacer gave
// clients the environment (GHSA-j8px-rmrx-76h9).
func TestAttackPlaceholderInjection(t *testing.T) {
	const all = "{query.a}|{raw_query.a}|{path}|{raw_path}|{path.0}|{query}|{sorted_query}|{host}|{hostport}|{method}|{client_ip}|{scheme}|{claim.c}|{user}"
	tpl := parseTemplate(t, all, "user")
	for _, attack := range []string{
		"{secret}", "%7Bsecret%7D", "%257Bsecret%257D", "{query.b}", "{env.PATH}", "{file.passwd}", "{user}", "{claim.c}", "{{secret}}", `\{secret\}`, "{", "}", "{}", "${secret}", "%s%d%!v(MISSING)",
	} {
		r := linktest.NewRequest("https://example.org/" + attack + "?a=" + attack + "&b=other")
		r.Host, r.Method, r.ClientIP, r.Scheme = attack, attack, attack, attack
		got := string(tpl.Append(nil, r, Values{
			Secret: []byte("hunter2"), Claims: link.Claims{{Name: "c", Value: attack}},
			Local: func(string) string { return attack },
		}))
		once := string(parseTemplate(t, "{query.a}").Append(nil, r, Values{}))
		want := strings.Join([]string{
			once, attack, "/" + once, "/" + attack, once, "a=" + attack + "&b=other", "a=" + attack + "&b=other",
			attack, attack, attack, attack, attack, attack, attack,
		}, "|")
		if got != want {
			t.Errorf("%s: %q, want %q", attack, got, want)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: the secret is in the message: %q", attack, got)
		}
	}
}

func TestHidesDelimiter(t *testing.T) {
	for raw, want := range map[string]bool{
		"": false, "/": false, "/a/b": false, "/a%20b": false, "/%41": false, "/a%2Db": false, "/%C3%A9": false, "/a+b": false, "/%2E%2e": false, "/%": false, "/%2": false,
		"/a%2Fb": true, "/a%2fb": true, "/a%5Cb": true, "/a%5cb": true, "/a%252Fb": true, "/a%3Fb": true, "/a%3fb": true, "/a%23b": true, "/a%3Bb": true, "/a%00": true, "/%25": true,
	} {
		if got := HidesDelimiter(raw); got != want {
			t.Errorf("%q: %t, want %t", raw, got, want)
		}
	}
}

func TestCoveredBy(t *testing.T) {
	named := link.Description{Signature: []string{"sig"}, Signed: []string{"user"}, Expiry: []string{"exp"}, Claims: []string{"mailing"}}
	raw, sorted, located := named, named, named
	raw.Coverage, sorted.Coverage = link.Raw, link.Sorted
	located.Path, located.Host, located.Method = true, true, true
	segments := named
	segments.PathSegments = []int{1}
	signedExpiry := named
	signedExpiry.Signed = []string{"user", "exp"}
	const uncovered, elsewhere = "is not covered by the message", "may be used here"
	for _, tc := range []struct {
		template    string
		description link.Description
		want        string
	}{
		{"literal", named, ""},
		{"{user}", named, ""},
		{"{query.user}", named, ""},
		{"{query.lang}", named, "{query.lang} " + uncovered},
		{"{query.sig}", named, "{query.sig} carries the signature"},
		{"{query.User}", named, uncovered},
		{"{query.user}{query.lang}", named, "{query.lang}"},
		{"{query.exp}", named, "{query.exp} " + uncovered}, // with allow unsigned_expiry
		{"{query.exp}", signedExpiry, ""},
		{"{query.lang}", raw, ""},
		{"{query.lang}", sorted, ""},
		{"{query.sig}", raw, "{query.sig} carries the signature"},
		{"{query.sig}", sorted, "{query.sig} carries the signature"},
		{"{query.exp}", sorted, uncovered},
		{"{claim.mailing}", named, ""},
		{"{claim.user}", named, "this scheme makes no such claim; it makes mailing"},
		{"{claim.user}", link.Description{}, "it makes none"},
		{"{path}", named, "the path " + uncovered},
		{"{raw_path}", named, "the path as it was sent " + uncovered},
		{"{path.1}", named, "{path.1} " + uncovered},
		{"{host}", named, "{host} " + uncovered},
		{"{method}", named, "{method} " + uncovered},
		{"{path}", located, ""},
		{"{raw_path}", located, "the path as it was sent " + uncovered},
		{"{raw_path}", link.Description{Path: true, RawPath: true}, ""},
		{"{path.7}", located, ""},
		{"{host}", located, ""},
		{"{method}", located, ""},
		{"{path.1}", segments, ""},
		{"{path.0}", segments, "{path.0} " + uncovered},
		{"{path}", segments, uncovered},
		{"{secret}", located, "it must never leave the gateway"},
		{"{query.user}{secret}", raw, "it must never leave the gateway"},
		{"{raw_query.user}", named, elsewhere},
		{"{query}", raw, elsewhere},
		{"{sorted_query}", sorted, elsewhere},
		{"{scheme}", located, elsewhere},
		{"{hostport}", located, elsewhere},
		{"{client_ip}", located, elsewhere},
	} {
		err := parseTemplate(t, tc.template, "user").CoveredBy(tc.description)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", tc.template, err, tc.want)
		}
	}
}

// FuzzTemplate: no text makes ParseTemplate panic; what it accepts prints as it was
// written, holds every byte of it, and renders on any request.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		"", "a", "{", "}", "{}", "{{}}", `\{`, `\}`, `\\`, `\`, `a\`, "{query.user}{secret}", "{path.3}", "{path.99999999999999999999}", "{query.\x00}", "{query.{}", "--signed-{user}-{query}-{sorted_query}", "{claim.}", "{http.request.uri.query.a.b}", "\xff{path}\xfe",
	} {
		f.Add(text)
	}
	r := linktest.NewRequest("https://example.org/a%2Fb?user={secret}&x=%zz")
	f.Fuzz(func(t *testing.T, text string) {
		tpl, err := Names{Locals: []string{"user"}}.Parse(text)
		if err != nil {
			if tpl != nil || err.Error() == "" {
				t.Errorf("%q: %+v beside %v", text, tpl, err)
			}
			return
		}
		if tpl.String() != text {
			t.Errorf("%q prints as %q", text, tpl)
		}
		again, err := Names{Locals: []string{"user"}}.Parse(tpl.String())
		if err != nil || !reflect.DeepEqual(again, tpl) {
			t.Errorf("%q: read again it is %+v, error %v", text, again, err)
		}
		literals := 0
		for i, s := range tpl.segments {
			if s.kind == literal {
				literals += len(s.text)
				if i > 0 && tpl.segments[i-1].kind == literal || s.text == "" {
					t.Errorf("%q: two literals in a row, or an empty one: %+v", text, tpl.segments)
				}
			}
		}
		if literals > len(text) {
			t.Errorf("%q has literals of %d bytes", text, literals)
		}
		out := tpl.Append(nil, r, Values{Secret: []byte("s3cr3t")})
		if !tpl.has(secret) && strings.Contains(string(out), "s3cr3t") && !strings.Contains(text, "s3cr3t") {
			t.Errorf("%q renders the secret: %q", text, out)
		}
	})
}
