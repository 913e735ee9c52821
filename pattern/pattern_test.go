package pattern

import (
	"slices"
	"strings"
	"testing"
)

func mustParse(t testing.TB, text string) *Pattern {
	t.Helper()
	parse := Parse
	if strings.HasPrefix(text, "/") {
		parse = ParsePath
	}
	p, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// TestSplit: how texts are cut, and what does not fit.
func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          []string // nil: does not fit
	}{
		{"<a>", "x", []string{"x"}},
		{"<a>", "", nil},
		{"<a...>", "/x/", []string{"/x/"}},
		{"<a...>", "", nil},
		{"<signature>_<issued>_<life>", "s_1_2", []string{"s", "1", "2"}},
		{"<signature>_<issued>_<life>", "s_1_2_3", []string{"s", "1", "2_3"}},
		{"<signature>_<issued>_<life>", "s_1", nil},
		{"<signature>_<issued>_<life>", "s__2", nil},
		{"<signature>_<issued>_<life>", "_1_2", nil},
		{"<signature>_<issued>_<life>", "s_1_", nil},
		{"<signature...>_<issued>_<life>", "s_s_1_2", []string{"s_s", "1", "2"}},
		{"<signature...>_<issued>_<life>", "_1_2", nil},
		{"<signature...>_<issued>_<life>", "__1_2", []string{"_", "1", "2"}},

		// a literal of several bytes meets itself: the first place from the left, the last
		// one from the right
		{"<a>__<b>", "a__b", []string{"a", "b"}},
		{"<a>__<b>", "a___b", []string{"a", "_b"}},
		{"<a>__<b>", "a____b", []string{"a", "__b"}},
		{"<a>__<b>", "a___", []string{"a", "_"}},
		{"<a>__<b>", "___b", nil},
		{"<a>__<b>", "a__", nil},
		{"<a>__<b>", "a_b", nil},
		{"<a...>__<b>", "a___b", []string{"a_", "b"}},
		{"<a...>__<b>", "___b", []string{"_", "b"}},
		{"<a...>__<b>", "a___", nil},
		{"<a...>__<b>", "a__b__", nil},
		{"<a>aba<b>", "xababay", []string{"x", "bay"}},
		{"<a...>aba<b>", "xababay", []string{"xab", "y"}},

		// the greedy one in the middle
		{"<a>-<b...>-<c>", "1-2-3", []string{"1", "2", "3"}},
		{"<a>-<b...>-<c>", "1-2-3-4-5", []string{"1", "2-3-4", "5"}},
		{"<a>-<b...>-<c>", "1---5", []string{"1", "-", "5"}},
		{"<a>-<b...>-<c>", "1--5", nil},
		{"<a>-<b...>-<c>", "1-5", nil},
		{"<a>-<b...>-<c>", "1--", nil},
		{"<a>--<b...>--<c>", "1-----5", []string{"1", "-", "5"}},
		{"<a>--<b...>--<c>", "1----5", nil},
		{"<a>--<b...>--<c>", "1---5", nil},
		{"<a>.<b>-<c...>-<d>.<e>", "1.2-3-3-4.5", []string{"1", "2", "3-3", "4", "5"}},

		// text at the ends, which must not overlap
		{"v1.<a>.v1", "v1.x.v1", []string{"x"}},
		{"v1.<a>.v1", "v1.v1", nil},
		{"v1.<a>.v1", "v1..v1", nil},
		{"v1.<a>.v1", "v1.x.v1.v1", []string{"x.v1"}},
		{"v1.<a>.v1", "v1.x.v1x", nil},
		{"v1.<a>.v1", "V1.x.v1", nil},
		{"v1.<a>.v1", "v", nil},
		{"v1.<a>.v1", "", nil},
		{"aa<x>aa", "aaa", nil},
		{"aa<x>aa", "aaaa", nil},
		{"aa<x>aa", "aaaaa", []string{"a"}},
		{"<a>-<b>-", "1-2-", []string{"1", "2"}},
		{"<a>-<b>-", "1--", nil},
		{"<a>-<b>-", "1-", nil},
		{"<a>-<b>-", "1-2", nil},
		{"<a>-<b>-", "1-2--", []string{"1", "2-"}},

		{`\<<a>>\\\{\}\n\t<b>`, "<x>\\{}\n\ty", []string{"x", "y"}},
		{"<a>é<b>", "xéy", []string{"x", "y"}},
		{"<a>\x00<b>", "x\x00\xff", []string{"x", "\xff"}},

		{"/dl/<s>/<t>/<file...>", "/dl/s/1/a/b", []string{"s", "1", "a/b"}},
		{"/dl/<s>/<t>/<file...>", "/dl/s/1//", []string{"s", "1", "/"}},
		{"/dl/<s>/<t>/<file...>", "/dl/s/1/", nil},
		{"/dl/<s>/<t>/<file...>", "/dl//1/a", nil},
		{"/dl/<s>/<t>/<file...>", "/DL/s/1/a", nil},
		{"/dl/<s>/<t>", "/dl/s/1", []string{"s", "1"}},
		{"/dl/<s>/<t>", "/dl/s/1/", nil},
		{"/dl/<s>/<t>", "/dl/s/1/2", nil},
		{"/dl/<s>/<t>/", "/dl/s/1/", []string{"s", "1"}},
		{"/dl/<s>-<t>", "/dl/s/-1", nil},
		{"/dl/<s>-<t>", "/dl/s-1/", nil},
		{"/<file...>/<s>", "/a/b/s", []string{"a/b", "s"}},
		{"/<file...>/<s>", "//s", nil},
		{"/<file...>/<s>", "///s", []string{"/", "s"}},
		{"/<file...>-<s>", "/a-b/s", nil},
		{"/<file...>-<s>.jpg", "/a/b-c-s.jpg", []string{"a/b-c", "s"}},
		{"/<s>", "/..", []string{".."}},
		{"/<s>", "/%2F;?", []string{"%2F;?"}},
	} {
		p := mustParse(t, tc.pattern)
		into := make([]string, len(p.Fields()))
		if ok := p.Split(tc.text, into); ok != (tc.want != nil) || ok && !slices.Equal(into, tc.want) {
			t.Errorf("%s: %q is %q (%t), want %q", tc.pattern, tc.text, into, ok, tc.want)
			continue
		}
		if tc.want != nil {
			if got := string(p.Join([]byte("+"), into)); got != "+"+tc.text {
				t.Errorf("%s: %q comes back as %q", tc.pattern, tc.text, got)
			}
		}
	}
}

// TestParseErrors: each error names the cure, and does not show what could be a secret.
func TestParseErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                                  "no field",
		"s3cr3ts3cr3t":                      "no field",
		`\<s3cr3ts3cr3t>`:                   "no field",
		"s3cr3ts3cr3t<a":                    `\<`,
		"<>":                                "no name",
		"<...>":                             "no name",
		"<a b>":                             `"a b" is no name`,
		"<a....>":                           "no name",
		"<a<b>":                             "no name",
		"<é>":                               "no name",
		"<s3cr3ts3cr3t!>":                   "(13 bytes",
		"<a>-<a>":                           "twice",
		"<a>-<a...>":                        "twice",
		"<a><b>":                            "touch",
		"<a...><b>":                         "touch",
		"<a...>-<b...>":                     "only one",
		"s3cr3ts3cr3t{a}":                   "<name>",
		`s3cr3ts3cr3t\`:                     `\\`,
		`s3cr3ts3cr3t\x<a>`:                 `\{`,
		"<" + strings.Repeat("a", 65) + ">": "at most 64",
	} {
		p, err := Parse(pattern)
		if err == nil || p != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: %v, want %q", pattern, err, want)
		}
	}
	for pattern, want := range map[string]string{
		"<a>":         "begins with a '/'",
		"a/<a>":       "begins with a '/'",
		`\</<a>`:      "begins with a '/'",
		"/<a>?x=1":    "query",
		"/<a>#x":      "browsers",
		"/%41/<a>":    "escape",
		"/a;b/<a>":    "';'",
		"/<a> /":      `' '`,
		`/\{/<a>`:     `'{'`,
		`/\n<a>`:      `'\n'`,
		`/<a>\\<b>`:   `'\\'`,
		"/<a>>":       `'>'`,
		"/é/<a>":      `'é'`,
		"//<a>":       "//",
		"/<a>//<b>":   "//",
		"/<a>/<b>//":  "//",
		"/./<a>":      `"."`,
		"/<a>/../<b>": `".."`,
		"/<a>/..":     `".."`,
		"/<a>/b/.":    `"."`,
	} {
		if p, err := ParsePath(pattern); err == nil || p != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", pattern, err, want)
		}
	}
	for _, pattern := range []string{"/<a>.", "/.<a>", "/<a>/..<b>", "/..a/<a>/.b/", "/<a...>..<b>", "/a.b-c_d~!$&'()*+,=:@/<a>"} {
		if _, err := ParsePath(pattern); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

// TestPattern: what a pattern says about itself.
func TestPattern(t *testing.T) {
	p := mustParse(t, "/Dl/<sig>/<file...>-<size_1>.<e-x>/")
	if got := p.Fields(); !slices.Equal(got, []Field{{"sig", false}, {"file", true}, {"size_1", false}, {"e-x", false}}) {
		t.Errorf("fields %v", got)
	}
	if got := p.Literals(); !slices.Equal(got, []string{"/Dl/", "/", "-", ".", "/"}) {
		t.Errorf("literals %q", got)
	}
	for i, want := range []bool{false, false, true, true} {
		if p.FromRight(i) != want {
			t.Errorf("field %d: from right %t", i, !want)
		}
	}
	if p.Index("size_1") != 2 || p.Index("Sig") != -1 || !p.IsPath() || p.String() != "/Dl/<sig>/<file...>-<size_1>.<e-x>/" || p.Literal() != "/Dl/" {
		t.Error("a part is wrong")
	}
	if p := mustParse(t, "<a>-<b>"); p.FromRight(1) || p.IsPath() || p.Literal() != "" {
		t.Error("a part of a token is wrong")
	}
}

// TestSplitAllocations: a text is cut without memory.
func TestSplitAllocations(t *testing.T) {
	p := mustParse(t, "/dl/<s>/<file...>/<t>.jpg")
	into := make([]string, 3)
	if n := testing.AllocsPerRun(100, func() {
		if !p.Split("/dl/0123/a/b/c/1.jpg", into) || p.Split("/dl/0123/a/b/c/1.gif", into) {
			t.Fatal("it is not cut")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
