package sial

import (
	"crypto/sha1"
	"encoding/hex"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	engine "github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
	"github.com/signedlink/caddy-signed-link/schemes/keyedhash"
)

func rule(class link.Class, values ...string) link.Rule {
	r, err := link.NewRule(link.Rule{Class: class, Values: values})
	if err != nil {
		panic(err)
	}
	return r
}

func optional(r link.Rule) link.Rule { r.Optional = true; return r }

func find(s link.Scheme, code string) *link.Finding {
	for _, f := range s.(link.Checked).Findings() {
		if f.Code == code {
			return &f
		}
	}
	return nil
}

// TestFindings: what the checker says of the ways in which parameters are joined.
func TestFindings(t *testing.T) {
	comment, action := rule(link.Digits), rule(link.OneOf, "delete", "undelete")
	for _, tc := range []struct {
		name      string
		scheme    Scheme
		rules     map[string]link.Rule
		ambiguous string // "" if it is not; "?" if the checker can show no pair
		nameless  bool
	}{
		{"as in the article", Scheme{Params: []string{"comment"}}, nil, `user="1" action="11" comment="" and user="1" action="1" comment="1" both sign "111{secret}"`, false},
		{"with rules", Scheme{Params: []string{"comment"}}, map[string]link.Rule{"action": action, "comment": comment}, "", false},
		{"two numbers", Scheme{Params: []string{"comment", "reply"}}, map[string]link.Rule{"action": action, "comment": comment, "reply": comment}, `user="1" action="delete" comment="11" reply="1" and user="1" action="delete" comment="1" reply="11"`, false},
		{"separated", Scheme{Params: []string{"comment", "reply"}, Separator: ","}, map[string]link.Rule{"action": action, "comment": comment, "reply": comment}, "", false},
		{"the separator in a value", Scheme{Params: []string{"comment", "reply"}, Separator: ","}, map[string]link.Rule{"action": action}, `comment="," reply=""`, false},
		{"a form", Scheme{Params: []string{"comment", "reply"}, AsForm: true}, nil, "", false},
		{"a form, some of it optional", Scheme{Params: []string{"comment", "reply"}, AsForm: true}, map[string]link.Rule{"comment": optional(comment), "reply": optional(comment)}, "?", false},
		{"a form, an action from a list", Scheme{Params: []string{"comment", "reply"}, AsForm: true}, map[string]link.Rule{"action": action, "comment": optional(comment), "reply": optional(comment)}, "", false},
		// an action `a&comment=1&x` would do it
		{"a form of all", Scheme{Params: []string{"comment", "*"}, AsForm: true}, nil, "?", false},
		{"a form of all, an action from a list", Scheme{Params: []string{"comment", "*"}, AsForm: true}, map[string]link.Rule{"action": action}, "", false},
		{"a form of all, at an action of the path", Scheme{Action: "{path}", Prefix: "/do/", Params: []string{"*"}, AsForm: true}, map[string]link.Rule{"action": action}, "", false},
		{"a form of all without names", Scheme{Action: "{path}", Prefix: "/do/", Params: []string{"*"}, AsForm: true}, nil, `{path}=`, false},
		{"all", Scheme{Params: []string{"*"}}, map[string]link.Rule{"action": action}, "", true},
		{"all behind a number", Scheme{Params: []string{"comment", "*"}}, map[string]link.Rule{"action": action, "comment": comment}, `comment="11" other="" and`, true},
		{"all behind a comma", Scheme{Params: []string{"comment", "*"}, Separator: ","}, map[string]link.Rule{"action": action, "comment": comment}, "", true},
		{"the path", Scheme{Action: "{path}", Prefix: "/do/", Params: []string{"comment"}}, map[string]link.Rule{"comment": comment}, `{path}="/do/11" comment="1" and user="1" {path}="/do/1" comment="11"`, false},
		{"the path, ruled", Scheme{Action: "{path}", Prefix: "/do/", Params: []string{"comment"}}, map[string]link.Rule{"action": action}, "", false},
		{"the user last", Scheme{Params: []string{"comment"}, Options: keyedhash.Options{Message: "{action}{params}{user}{secret}"}}, map[string]link.Rule{"action": action}, "", false},
		{"no user", Scheme{Options: keyedhash.Options{Message: "{action}{secret}"}}, nil, "", false},
	} {
		s, err := tc.scheme.NewScheme(link.Options{UserKeys: true, Rules: tc.rules})
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		f := find(s, "ambiguous_message")
		switch {
		case f == nil && tc.ambiguous != "", f != nil && tc.ambiguous == "":
			t.Errorf("%s: %+v", tc.name, f)
		case f != nil && tc.ambiguous != "?" && (f.Example == nil || !strings.Contains(f.Example.String(), tc.ambiguous)):
			t.Errorf("%s: %s", tc.name, f.Example)
		}
		if f := find(s, "unsigned_names"); (f != nil) != tc.nameless || f != nil && (f.Example == nil || !strings.Contains(f.Example.String(), `comment`) && !strings.Contains(f.Example.String(), "post")) {
			t.Errorf("%s: unsigned_names: %+v", tc.name, f)
		}
		if f := find(s, "no_expiry"); f == nil || f.Severity != link.Note {
			t.Errorf("%s: no_expiry: %+v", tc.name, f)
		}
	}
}

// TestCheckerPasses: for action links that the checker passes, no two have one message,
// and so no signature of one verifies for the other.
func TestCheckerPasses(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	pick := func(choices ...string) string { return choices[random.IntN(len(choices))] }
	rules := []func() link.Rule{
		func() link.Rule { r := rule(link.Digits); r.Max = 2; return r },
		func() link.Rule { r := rule(link.Digits); r.Min, r.Max = 2, 2; return r },
		func() link.Rule { r := rule(link.Token); r.Max = 2; return optional(r) },
		func() link.Rule { return rule(link.OneOf, "1", "12", "a") },
		func() link.Rule { return rule(link.OneOf, "a", "b") },
	}
	key := []byte("a key that nobody knows")
	for passed := 0; passed < 60; {
		c := Scheme{Params: []string{"x", "y"}[:1+random.IntN(2)], Separator: pick("", "", ",", "-"), AsForm: random.IntN(3) == 0}
		if c.AsForm {
			c.Separator = ""
			if random.IntN(2) == 0 {
				c.Params = append(c.Params, "*")
			}
		}
		if random.IntN(2) == 0 {
			c.Action, c.Prefix = "{path}", "/"
		}
		o := link.Options{UserKeys: true, Rules: map[string]link.Rule{"action": rules[random.IntN(len(rules))]()}}
		for _, name := range []string{"x", "y"} {
			if slices.Contains(c.Params, name) && random.IntN(3) > 0 {
				o.Rules[name] = rules[random.IntN(len(rules))]()
			}
		}
		a := o.Rules["action"]
		a.Optional = false
		o.Rules["action"] = a
		s, err := c.NewScheme(o)
		if err != nil {
			t.Fatal(err)
		}
		if find(s, "ambiguous_message") != nil {
			continue
		}
		passed++
		type request struct {
			r     *link.Request
			tuple string
		}
		seen := make(map[string]request)
		for range 400 {
			word := func(choices ...string) string { return pick(choices...) + pick("", "", choices[0], choices[1]) }
			action, raw := word("1", "a", "2", "-", "12"), "user=7"
			path := "/" + action
			if c.Action == "" {
				raw += "&action=" + action
			}
			for _, name := range []string{"x", "y", "z"} {
				if random.IntN(4) > 0 && (name != "z" || slices.Contains(c.Params, "*")) && (name == "z" || slices.Contains(c.Params, name)) {
					raw += "&" + name + "=" + url.QueryEscape(word("1", "a", "2", ",", "-", "&", "=", "x=1"))
				}
			}
			r := linktest.NewRequest("https://example.org" + path + "?" + raw + "&sig=x")
			l := link.Link{User: "7"}
			suite := linktest.Suite{Scheme: s, Rules: o.Rules}
			if !s.Read(r, &l).None() || !keeps(suite, r, &l) {
				continue
			}
			// the signature is the message's, so one for two is a message for two
			signature := signatureOf(t, s, r, &l, key)
			before, there := seen[signature]
			if tuple := path + "?" + raw; there && before.tuple != tuple && !sameValues(before.r, r) {
				t.Fatalf("%+v %+v: %s and %s have one signature", c, o.Rules, before.tuple, tuple)
			}
			seen[signature] = request{r, path + "?" + raw}
		}
	}
}

// keeps reports whether the values keep their rules.
func keeps(s linktest.Suite, r *link.Request, l *link.Link) bool {
	for name, rule := range s.Rules {
		value, there := r.Value(name)
		if name == "action" {
			value, there = l.Claims.Get("action"), true
		}
		if !there {
			if rule.Optional {
				continue
			}
			return false
		}
		if _, ok := rule.Check(value); !ok {
			return false
		}
	}
	return true
}

// sameValues: a parameter that is absent is an empty one, where bare values are signed.
func sameValues(a, b *link.Request) bool {
	for _, name := range []string{"user", "action", "x", "y", "z"} {
		x, _ := a.Value(name)
		y, _ := b.Value(name)
		if x != y {
			return false
		}
	}
	return a.Path == b.Path
}

// signatureOf is the signature of the request, as its signer makes it.
func signatureOf(t *testing.T, s link.Scheme, r *link.Request, l *link.Link, key []byte) string {
	t.Helper()
	message := s.(*engine.Scheme).AppendMessage(nil, r, l, key)
	sum := sha1.Sum(message)
	l.Signature = hex.EncodeToString(sum[:])
	if !s.Verify(r, l, key) {
		t.Fatalf("%q: the test signs in another way than the scheme", message)
	}
	return l.Signature
}
