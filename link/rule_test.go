package link_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
)

func TestNewRule(t *testing.T) {
	for _, tc := range []struct {
		rule, want link.Rule
		err        string
	}{
		{link.Rule{Class: link.Alnum}, link.Rule{Class: link.Alnum, Min: 1, Max: link.DefaultMax}, ""},
		{link.Rule{Class: link.Digits, Min: 2, Max: 2, Optional: true}, link.Rule{Class: link.Digits, Min: 2, Max: 2, Optional: true}, ""},
		{link.Rule{Class: link.Text, Max: 2000}, link.Rule{Class: link.Text, Min: 1, Max: 2000}, ""},
		{link.Rule{Class: link.Text, Min: 300}, link.Rule{Class: link.Text, Min: 300, Max: 300}, ""},
		{link.Rule{Class: link.OneOf, Values: []string{"a"}}, link.Rule{Class: link.OneOf, Values: []string{"a"}, Min: 1, Max: link.DefaultMax}, ""},

		{link.Rule{}, link.Rule{}, `unknown class ""; write one of digits, hex, alnum, token, email, text, one_of`},
		{link.Rule{Class: "word"}, link.Rule{}, `unknown class "word"`},
		{link.Rule{Class: "Digits"}, link.Rule{}, `unknown class "Digits"`},
		{link.Rule{Class: link.OneOf}, link.Rule{}, "one_of needs its values"},
		{link.Rule{Class: link.Alnum, Values: []string{"a"}}, link.Rule{}, "no other class takes any"},
		{link.Rule{Class: link.Alnum, Min: -1}, link.Rule{}, "not negative"},
		{link.Rule{Class: link.Alnum, Max: -1}, link.Rule{}, "not negative"},
		{link.Rule{Class: link.Alnum, Min: 3, Max: 2}, link.Rule{}, "min 3 is greater than max 2"},
	} {
		got, err := link.NewRule(tc.rule)
		switch {
		case tc.err == "" && (err != nil || !reflect.DeepEqual(got, tc.want)):
			t.Errorf("%+v: %+v, error %v; want %+v", tc.rule, got, err, tc.want)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
			t.Errorf("%+v: error %v, want %q", tc.rule, err, tc.err)
		}
	}
}

func TestRuleCheck(t *testing.T) {
	// what no class but text admits
	strange := []string{
		"a b", " a", "a ", "a\t", "a\n", "a\r", "a\x00", "\x7f", "é", "\xe9", "e\u0301", "１", "٣", "²", "a\u200b", "\ufeffa", "a\u202eb",
		"<b>", `"`, "a;b", "a%20b,", "a,b", `a\b`, "(a)", "[a]", "a:b",
	}
	for _, tc := range []struct {
		class             link.Class
		admitted, refused []string
	}{
		{link.Digits, []string{"0", "007", "1234567890"}, append(strange, "-1", "+1", "1.5", "1e9", "0x1", "a", "1a")},
		{link.Hex, []string{"0", "deadBEEF", "0123456789abcdefABCDEF"}, append(strange, "g", "0x1", "de-ad")},
		{link.Alnum, []string{"jeff", "Jeff42", "0"}, append(strange, "a_b", "a-b", "a.b", "a~", "a@b", "a/b", "'")},
		{link.Token, []string{"a-b.c_d~e", "..", "0"}, append(strange, "a@b", "a+b", "a!b", "a/b", "{x}", "'")},
		{link.Email, []string{"a@b", "jeff+list@example.org", "o'brien@example.org", "!#$%&'*+-/=?^_`{|}~@example.org"}, append(strange,
			"a", "@", "@b", "a@", "a@b@c", "a@@b", "a b@c", "a@b c", `"a"@b`, "a(b)@c", "a@[127.0.0.1]", "a<b@c>", "a@b,c@d", "a@b;c@d", `a\@b`, "a:b@c", "é@b", "a@é", "a@b\n", "a\x00@b")},
		{link.Text, []string{"a", "a b", " a ", "é", "e\u0301", "日本", "<b>", `"'`, "a;b", "{env.X}", "\ufeff"}, []string{
			"a\x00", "a\n", "a\r\nb", "\t", "\x1b[31m", "\x7f", "\u0080", "\u009f", "\u2028", "\u2029", "\xe9", "\xc0\x80", "\xed\xa0\x80", "\xff",
		}},
	} {
		rule, err := link.NewRule(link.Rule{Class: tc.class, Max: 64})
		if err != nil {
			t.Fatal(err)
		}
		check := func(value, want string) {
			if detail, ok := rule.Check(value); detail != want || ok != (want == "") {
				t.Errorf("%s: %q: %t, %q; want %q", tc.class, value, ok, detail, want)
			}
		}
		for _, value := range tc.admitted {
			check(value, "")
		}
		for _, value := range tc.refused {
			check(value, "charset")
		}
		check("", "empty")
		check(strings.Repeat("1", 65), "too_long")
	}
}

func TestRuleBounds(t *testing.T) {
	rule := link.Rule{Class: link.Text, Min: 2, Max: 4}
	for value, want := range map[string]string{"": "empty", "a": "too_short", "ab": "", "abcd": "", "abcde": "too_long", "éé": "", "ééa": "too_long", "é": ""} {
		if detail, ok := rule.Check(value); detail != want || ok != (want == "") {
			t.Errorf("%q (%d bytes): %t, %q; want %q", value, len(value), ok, detail, want)
		}
	}
}

func TestRuleOneOf(t *testing.T) {
	rule, err := link.NewRule(link.Rule{Class: link.OneOf, Values: []string{"yes", "no", "a longer value"}})
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{"yes": "", "no": "", "a longer value": "", "": "charset", "Yes": "charset", "yes ": "charset", "yesno": "charset", "ye": "charset"} {
		if detail, ok := rule.Check(value); detail != want || ok != (want == "") {
			t.Errorf("%q: %t, %q; want %q", value, ok, detail, want)
		}
	}
}

// TestRuleUnknownClass: a rule that was not made by NewRule admits nothing.
func TestRuleUnknownClass(t *testing.T) {
	if detail, ok := (link.Rule{Class: "word", Min: 1, Max: 9}).Check("a"); ok {
		t.Errorf("an unknown class admits %q", detail)
	}
	if _, ok := (link.Rule{}).Check("a"); ok {
		t.Error("the zero rule admits a value")
	}
}
