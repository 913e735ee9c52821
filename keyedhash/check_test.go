package keyedhash

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

// rules makes `param` rules of lines such as `a digits max 3`.
func rules(t testing.TB, lines ...string) map[string]link.Rule {
	t.Helper()
	all := make(map[string]link.Rule)
	for _, line := range lines {
		words := strings.Fields(line)
		r := link.Rule{Class: link.Class(words[1])}
		for i := 2; i < len(words); i++ {
			switch words[i] {
			case "min":
				i++
				fmt.Sscan(words[i], &r.Min)
			case "max":
				i++
				fmt.Sscan(words[i], &r.Max)
			case "optional":
				r.Optional = true
			default:
				r.Values = append(r.Values, words[i])
			}
		}
		rule, err := link.NewRule(r)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all[words[0]] = rule
	}
	return all
}

// codes are the findings, without those that are in every test.
func codes(s *Scheme) []string {
	var all []string
	for _, f := range s.Findings() {
		if f.Code != "no_expiry" {
			all = append(all, f.Code)
		}
	}
	return all
}

func findingOf(s *Scheme, code string) *link.Finding {
	for _, f := range s.Findings() {
		if f.Code == code {
			return &f
		}
	}
	return nil
}

// TestAmbiguous has templates whose verdict a person can check.
func TestAmbiguous(t *testing.T) {
	for _, tc := range []struct {
		message string
		rules   []string
		want    string // the pair; "" if there is none
	}{
		{"{query.a}", nil, ""},
		{"{query.a}{query.b}", nil, `a="1" b="" and a="" b="1" both sign "1"`},
		{"{query.a}{query.b}", []string{"a digits", "b digits"}, `a="11" b="1" and a="1" b="11" both sign "111"`},
		{"{query.a}{query.b}", []string{"a digits min 3 max 3", "b digits"}, ""},
		{"{query.a}{query.b}", []string{"a digits", "b digits min 3 max 3"}, ""},
		{"{query.a}{query.b}", []string{"a digits max 1", "b digits"}, ""},
		{"{query.a}{query.b}", []string{"a one_of delete undelete", "b digits"}, ""},
		{"{query.a}{query.b}", []string{"a one_of delete delete1", "b digits"}, `a="delete1" b="1" and a="delete" b="11" both sign "delete11"`},
		{"{query.a}{query.b}", []string{"a one_of a ab", "b one_of b bb c"}, `a="ab" b="b" and a="a" b="bb" both sign "abb"`},
		{"{query.a}{query.b}", []string{"a one_of a ab", "b one_of b c"}, ""},
		{"{query.a}{query.b}", []string{"a digits max 2 optional", "b digits max 2"}, `a="1" b="1" and a="" b="11" both sign "11"`},
		{"{query.a}{query.b}", []string{"a digits max 1 optional", "b digits max 1 optional"}, `a="1" b="" and a="" b="1" both sign "1"`},
		{"{query.a}{query.b}", []string{"a digits max 1 optional", "b digits max 1"}, ""},
		{"{query.a}|{query.b}", nil, `a="|" b="" and a="" b="|" both sign "||"`},
		{"{query.a}|{query.b}", []string{"a alnum"}, ""},
		{"{query.a}|{query.b}", []string{"b alnum"}, ""},
		{"{query.a}-{query.b}", []string{"a token", "b token"}, `a="1-" b="1" and a="1" b="-1" both sign "1--1"`},
		{"{query.a}::{query.b}", []string{"a text"}, `a="1:" b="" and a="1" b=":" both sign "1:::"`},
		{"{raw_query.a}&{query.b}", nil, ""},
		{"{raw_query.a};{query.b}", nil, ""},
		{"{raw_query.a}={query.b}", nil, `a="=" b="" and a="" b="=" both sign "=="`},
		{"{raw_query.a}|{query.b}", []string{"a digits"}, ""},
		{"{raw_query.a}{query.b}", []string{"a digits", "b one_of 1 %31"}, ""},
		{"{query.a}{query.b}", []string{"a email", "b digits"}, `a="1@11" b="1" and a="1@1" b="11" both sign "1@111"`},
		{"{query.a}{query.b}", []string{"a digits", "b email"}, `a="11" b="1@1" and a="1" b="11@1" both sign "111@1"`},
		{"{query.a}{query.b}", []string{"a digits", "b text"}, `a="11" b="1" and a="1" b="11" both sign "111"`},
		{"{query.a}\xc3{query.b}", []string{"a text max 9", "b one_of x"}, ""},
		{"{scheme}://{hostport}{raw_path}?{query}", nil, ""},
		{"{host}{path}", nil, ""},
		{"{path}{query.a}", nil, `{path}="/1" a="1" and {path}="/" a="11" both sign "/11"`},
		{"{raw_path}?{query.a}", nil, ""},
		{"{path}?{query.a}", nil, ""},
		{"{path}:{query.a}", []string{"a digits"}, ""},
		{"{path.0}/{path.1}", nil, ""},
		{"{path.0}{path.1}", nil, `{path.0}="1" {path.1}="" and {path.0}="" {path.1}="1" both sign "1"`},
		{"{path.1}{path.0}", nil, `{path.1}="1" {path.0}="" and {path.1}="" {path.0}="1" both sign "1"`},
		{"{method}{path}", nil, ""},
		{"{method}{query.a}", []string{"a alnum"}, `{method}="AA" a="1" and {method}="A" a="A1" both sign "AA1"`},
		{"{client_ip}{query.a}", []string{"a digits"}, `both sign`},
		{"{client_ip} {query.a}", nil, ""},
		{"{sorted_query}", nil, ""},
		{"{host}{sorted_query}", nil, `both sign`},
		// what stands there twice
		{"{query.a}|{query.b}|{query.a}", []string{"a alnum", "b alnum"}, ""},
		{"{query.a}{query.b}{query.a}", []string{"a digits min 2 max 2", "b digits"}, ""},
		{"{query.a}|{query.a}", nil, ""},
		{"{query.a}{query.b}{query.a}", nil, `both sign`},
		{"{path}|{path.0}|{query.a}", nil, `both sign`},
	} {
		s := newScheme(t, Config{Algorithm: "hmac-sha256", Message: tc.message, Signature: "{query.sig}"}, link.Options{Rules: rules(t, tc.rules...)})
		f := findingOf(s, "ambiguous_message")
		switch {
		case tc.want == "" && f == nil:
		case tc.want == "" || f == nil:
			t.Errorf("%s %q: %+v", tc.message, tc.rules, f)
		case f.Example == nil:
			t.Errorf("%s %q: no example", tc.message, tc.rules)
		case !strings.Contains(f.Example.String(), tc.want):
			t.Errorf("%s %q: %s, want %s", tc.message, tc.rules, f.Example, tc.want)
		case f.Severity != link.Danger && !strings.Contains(tc.message, "{client_ip}") || f.Message == "" || f.Cure == "":
			t.Errorf("%s %q: %+v", tc.message, tc.rules, f)
		}
	}
}

// TestAmbiguousSecret: the secret parts what stands around it, and so does the user
// whose secret it is.
func TestAmbiguousSecret(t *testing.T) {
	for _, tc := range []struct {
		message  string
		userKeys bool
		want     bool
	}{
		{"{query.a}{secret}{query.b}", false, false},
		{"{query.a}{query.b}{secret}", false, true},
		{"{secret}{query.a}{query.b}", false, true},
		{"{query.a}{query.b}{secret}", true, false},
		{"{query.b}{query.a}{secret}", true, false},
		{"{query.b}{query.c}{query.a}{secret}", true, true},
		{"{query.b}{query.a}{query.c}{secret}", true, true}, // the user's text may move, but stays the same
	} {
		s := newScheme(t, Config{Algorithm: "sha256", Message: tc.message, Signature: "{query.sig}"}, link.Options{UserKeys: tc.userKeys, User: "{query.a}"})
		f := findingOf(s, "ambiguous_message")
		if (f != nil) != tc.want || f != nil && f.Example == nil {
			t.Errorf("%s, secrets of users %v: %+v", tc.message, tc.userKeys, f)
		}
	}
}

// TestAmbiguousTimes: a time is digits, because a link with anything else is refused.
func TestAmbiguousTimes(t *testing.T) {
	for _, tc := range []struct {
		message, format, rule string
		want                  bool
	}{
		{"{query.a}{query.exp}", "unix", "a one_of x y", false},
		{"{query.a}{query.exp}", "unix", "a alnum", false}, // the last ten are the time
		{"{query.a}{query.exp}", "unix", "exp digits", true},
		{"{query.exp}{query.a}", "unix", "a one_of -1", false},
		{"{query.exp}{query.a}", "unix_ms", "a one_of x1", false},
		{"{query.exp}{query.a}", "unix_ms", "a digits", false},
		{"{query.exp}{query.a}", "unix_ms", "exp digits", true},
		{"{query.a}{query.exp}", "rfc3339", "a digits", true}, // of a year of five digits the first is a's
		{"{query.exp}{query.a}", "rfc3339", "a alnum", false},
		{"{query.exp}{query.a}", "rfc3339", "a text", false},
	} {
		s := newScheme(t, Config{Algorithm: "hmac-sha256", Message: tc.message, Signature: "{query.sig}", Expires: Time{Value: "{query.exp}", Format: tc.format}},
			link.Options{Rules: rules(t, tc.rule)})
		f := findingOf(s, "ambiguous_message")
		if (f != nil) != tc.want && tc.message+tc.format != "{query.a}{query.exp}rfc3339" {
			t.Errorf("%s %s %s: %+v", tc.message, tc.format, tc.rule, f)
		}
		if f != nil && f.Example == nil {
			t.Errorf("%s %s %s: no example", tc.message, tc.format, tc.rule)
		}
	}
}

// TestLanguages: the automata admit exactly what the rules and the times admit.
func TestLanguages(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	bytes := []string{
		"0", "1", "3", "9", "a", "f", "g", "Z", "-", ".", "@", " ", "%", "|", "\x00", "\x7f", "\n",
		"é", "\xc2\x80", "\xc2\xa0", "\u2028", "\u2027", "€", "😀", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x8f\xbf\xbf", "\xe0\x9f\xbf", "\xe2\x81", "\x80", "\xff", "\xc0",
	}
	for _, line := range []string{"a digits max 3", "a digits min 2 max 2", "a hex max 4", "a alnum", "a token min 2", "a email max 6", "a email min 4", "a text", "a text min 2 max 5", "a one_of 1 a1 a1a", "a digits max 100000"} {
		rule := rules(t, line)["a"]
		l := ofRule(rule, false)
		admitted := 0
		for range 30_000 {
			var b strings.Builder
			for range random.IntN(5) {
				b.WriteString(bytes[random.IntN(len(bytes))])
			}
			_, want := rule.Check(b.String())
			if rough := accepts(ofRule(rule, true), b.String()); want && !rough {
				t.Fatalf("%s: %q: the rough language does not admit it", line, b.String())
			}
			if got := accepts(l, b.String()); got != want {
				t.Fatalf("%s: %q: %v, the rule says %v", line, b.String(), got, want)
			}
			if got := accepts(escaped{value: l}, url.QueryEscape(b.String())); got != want {
				t.Fatalf("%s: %q encoded: %v, the rule says %v", line, b.String(), got, want)
			}
			if got := accepts(escaped{value: l, form: true}, url.QueryEscape(b.String())); got != want {
				t.Fatalf("%s: %q in a form: %v, the rule says %v", line, b.String(), got, want)
			}
			if want {
				admitted++
			}
		}
		if admitted < 5 {
			t.Errorf("%s: only %d texts were admitted", line, admitted)
		}
	}
	for _, text := range []string{
		"2026-11-21T19:00:00Z", "2026-11-21T19:00:00.5Z", "2026-11-21T19:00:00.123456789123+05:30", "2026-01-31T23:59:59-23:59",
		"2026-11-21T19:00:00", "2026-11-21T24:00:00Z", "2026-13-21T19:00:00Z", "2026-00-21T19:00:00Z", "2026-11-00T19:00:00Z", "2026-11-32T19:00:00Z",
		"2026-11-21T19:60:00Z", "2026-11-21T19:00:60Z", "2026-11-21T19:00:00.Z", "2026-11-21T19:00:00,5Z", "2026-11-21 19:00:00Z", "2026-11-21T19:00:00z",
		"2026-11-21T9:00:00Z", "2026-11-21T19:00:00+24:00", "2026-11-21T19:00:00+5:00", "", "2026-11-21T19:00:00ZZ", "2026-11-21T19:00:00+05:30Z",
	} {
		_, _, want := link.Timestamp{Text: text, Present: true, Format: link.RFC3339}.Time()
		if got := accepts(rfc3339Text{}, text); got != want {
			t.Errorf("%q: %v, the gateway says %v", text, got, want)
		}
	}
	for _, format := range []link.TimeFormat{link.Unix, link.UnixMS} {
		for _, text := range []string{"", "1", "1234567890", "12345678901", "1234567890123", "12345678901234", "-1", "1a"} {
			_, _, want := link.Timestamp{Text: text, Present: true, Format: format}.Time()
			if got := accepts(ofForm(&link.TimeForm{Format: format}), text); got != want {
				t.Errorf("%q: %v, the gateway says %v", text, got, want)
			}
		}
	}
}

func accepts(l language, text string) bool {
	state := l.start()
	for i := range len(text) {
		if state = l.step(state, symbol(text[i])); state == dead {
			return false
		}
	}
	return l.final(state)
}

// TestSameSymbols: symbols that a language calls alike are alike in every state that
// random texts reach; otherwise the search would overlook readings.
func TestSameSymbols(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	languages := []language{anything, rfc3339Text{}, literalWord("a%7"), word{theSecret}, after{"/", run{bytes: pathBytes, max: -1}}, maybe{after{"&x=", escaped{value: anything, form: true}}}}
	for _, line := range []string{"a digits max 3", "a hex", "a token", "a email", "a text", "a one_of é a1 a1a"} {
		l := ofRule(rules(t, line)["a"], false)
		languages = append(languages, l, ofRule(rules(t, line)["a"], true), escaped{value: l}, escaped{value: l, form: true}, newBoth(l, ofForm(new(link.TimeForm))))
	}
	for i, l := range languages {
		for range 300 {
			state := l.start()
			for range random.IntN(8) {
				var next []int64
				for c := range symbol(allSymbols) {
					if to := l.step(state, c); to != dead {
						next = append(next, to)
					}
				}
				if len(next) == 0 {
					break
				}
				state = next[random.IntN(len(next))]
			}
			kinds := make(map[int]symbol)
			for c := range symbol(allSymbols) {
				first, ok := kinds[l.same(c)]
				if !ok {
					kinds[l.same(c)] = c
					continue
				}
				if x, y := l.step(state, c), l.step(state, first); (x == dead) != (y == dead) || x != y && l.final(x) != l.final(y) {
					t.Fatalf("language %d (%T): %q and %q are not alike in state %d", i, l, rune(first), rune(c), state)
				}
			}
		}
	}
}

// template is a scheme at random, and how to make values for it.
type template struct {
	config  Config
	options link.Options
	lines   []string
}

// randomTemplate makes a template of a few fields, whose rules have small alphabets and
// lengths, so that values collide soon where they can.
func randomTemplate(t testing.TB, random *rand.Rand) template {
	pick := func(choices ...string) string { return choices[random.IntN(len(choices))] }
	var message strings.Builder
	var lines []string
	keyed := random.IntN(2) == 0
	if !keyed && random.IntN(3) == 0 {
		message.WriteString("{secret}")
	}
	n := 1 + random.IntN(4)
	for i := range n {
		name := string(rune('a' + i))
		switch random.IntN(12) {
		case 0:
			message.WriteString(pick("{path}", "{raw_path}", "{path.0}", "{method}", "{scheme}"))
			continue
		case 1:
			message.WriteString("{raw_query." + name + "}")
		case 2:
			message.WriteString("{query.a}")
			name = "a"
		default:
			message.WriteString("{query." + name + "}")
		}
		rule := pick("", "digits max 2", "digits min 2 max 2", "digits max 3 optional", "one_of 1 12 2", "one_of 1 a", "one_of 11 1", "alnum max 2", "token max 2", "text max 2", "email max 4")
		if rule != "" {
			lines = append(lines, name+" "+rule)
		}
		message.WriteString(pick("", "", "", "|", "-", "1", "11"))
		if !keyed && random.IntN(8) == 0 {
			message.WriteString("{secret}")
		}
	}
	c := Config{Algorithm: "hmac-sha256", Signature: "{query.sig}"}
	if !keyed {
		c.Algorithm = "sha256"
		if !strings.Contains(message.String(), "{secret}") {
			message.WriteString("{secret}")
		}
	}
	c.Message = message.String()
	if random.IntN(4) == 0 && strings.Contains(c.Message, "{query.b}") {
		c.Expires = Time{Value: "{query.b}", Format: pick("unix", "unix_ms")}
	}
	kept := lines[:0]
	for _, line := range lines {
		if strings.Contains(c.Message, "query."+line[:1]+"}") && !slices.ContainsFunc(kept, func(k string) bool { return k[0] == line[0] }) {
			kept = append(kept, line)
		}
	}
	return template{c, link.Options{Rules: rules(t, kept...)}, kept}
}

// values makes a request at random; nil if the gateway would refuse it before it looks
// at the signature.
func (x template) values(s *Scheme, random *rand.Rand) (*link.Request, string) {
	alphabet := []string{"1", "1", "2", "a", "|", "-", "@", "1", "%31", "+"}
	word := func() string {
		var b strings.Builder
		for range random.IntN(5) {
			b.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		return b.String()
	}
	var raw []string
	for _, name := range s.message.Parameters() {
		value := word()
		if rule, ok := x.options.Rules[name]; ok {
			switch {
			case rule.Optional && random.IntN(3) == 0:
				continue
			case rule.Class == link.OneOf:
				value = rule.Values[random.IntN(len(rule.Values))]
			case rule.Class == link.Email:
				value = "1@" + []string{"1", "11", "1-"}[random.IntN(3)]
			case rule.Class == link.Digits:
				value = strings.Repeat("1", rule.Min+random.IntN(rule.Max-rule.Min+1))
			}
		}
		raw = append(raw, name+"="+value)
	}
	path := "/" + word()
	r := linktest.NewRequest("https://example.org" + path + "?" + strings.Join(append(raw, "sig=x"), "&"))
	r.Method = []string{"GET", "GE", "G"}[random.IntN(3)]
	r.Scheme = []string{"http", "https"}[random.IntN(2)]
	var l link.Link
	if !s.Read(r, &l).None() || !s.keepsRules(r, &l) {
		return nil, ""
	}
	// what the message covers, and nothing else
	var tuple strings.Builder
	for _, m := range s.message.segments {
		switch m.kind {
		case literal, secret:
		default:
			one := Template{segments: []segment{m}}
			fmt.Fprintf(&tuple, "%q ", one.Append(nil, r, Values{}))
		}
	}
	return r, tuple.String()
}

// TestCheckerPasses: for templates that the checker passes, random values that keep the
// rules never have one message. TestCheckerRefuses is its other half.
func TestCheckerPasses(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	passed := 0
	for passed < 80 {
		x := randomTemplate(t, random)
		s, err := New(x.config, x.options)
		if err != nil {
			continue
		}
		if findingOf(s, "ambiguous_message") != nil {
			continue
		}
		passed++
		seen := make(map[string]string)
		for range 1000 {
			r, tuple := x.values(s, random)
			if r == nil {
				continue
			}
			message := string(s.AppendMessage(nil, r, &link.Link{}, []byte("\x00the secret\x00")))
			if before, ok := seen[message]; ok && before != tuple {
				t.Fatalf("%s %q: %s and %s have one message, %q", x.config.Message, x.lines, before, tuple, message)
			}
			seen[message] = tuple
		}
	}
}

// TestCheckerRefuses: for templates that the checker refuses, the pair that it prints
// keeps the rules and differs, the engine renders one message for both, and the
// signature of the one verifies for the other.
func TestCheckerRefuses(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	refused, without := 0, 0
	for refused < 120 {
		x := randomTemplate(t, random)
		s, err := New(x.config, x.options)
		if err != nil {
			continue
		}
		f := findingOf(s, "ambiguous_message")
		if f == nil {
			continue
		}
		refused++
		if f.Example == nil {
			if strings.Count(x.config.Message, "query.a}") < 2 && strings.Count(x.config.Message, "path") < 2 &&
				strings.Count(x.config.Message, "{method}") < 2 && strings.Count(x.config.Message, "{scheme}") < 2 {
				t.Errorf("%s %q: no pair, though no value stands there twice", x.config.Message, x.lines)
			}
			without++
			continue
		}
		checkPair(t, s, x.options, f.Example)
	}
	if without > refused/5 { // a value that stands there twice may rule all readings but one out
		t.Errorf("%d of %d have no pair", without, refused)
	}
}

// checkPair makes requests of an example, as a client would, and verifies both with the
// signature of one.
func checkPair(t *testing.T, s *Scheme, o link.Options, pair *link.Collision) {
	t.Helper()
	if slices.Equal(pair.A, pair.B) {
		t.Fatalf("%s: the same twice", pair)
	}
	key := []byte("a key that nobody knows")
	var signature []byte
	for i, values := range [][]link.Value{pair.A, pair.B} {
		r := requestOf(s, values)
		var l link.Link
		if refusal := s.Read(r, &l); !refusal.None() {
			t.Fatalf("%s: %s: %s", s.message, pair, refusal)
		}
		for name, rule := range o.Rules {
			if value, there := r.Value(name); there {
				if detail, ok := rule.Check(value); !ok {
					t.Fatalf("%s: %s: %s=%q breaks its rule: %s", s.message, pair, name, value, detail)
				}
			} else if !rule.Optional {
				t.Fatalf("%s: %s: %s is missing", s.message, pair, name)
			}
		}
		if refusal := (link.Policy{}).Check(&l, time.Unix(0, 0)); refusal.Reason == link.Malformed {
			t.Fatalf("%s: %s: %s", s.message, pair, refusal)
		}
		if i == 0 {
			signature = s.mac.AppendSignature(nil, key, s.AppendMessage(nil, r, &l, key))
		}
		l.Signature = string(signature)
		if !s.Verify(r, &l, key) {
			t.Fatalf("%s: %s: the signature of the one is not that of the other", s.message, pair)
		}
	}
}

// requestOf writes the values of an example into a URL.
func requestOf(s *Scheme, values []link.Value) *link.Request {
	r := &link.Request{Method: "GET", Scheme: "https", Host: "example.org", Path: "/"}
	var raw []string
	for _, v := range values {
		switch v.Name {
		case "{path}":
			if r.Path = v.Value; s.message.has(path) {
				r.Path = (&url.URL{Path: v.Value}).EscapedPath()
			}
		case "{path.0}":
			r.Path = "/" + (&url.URL{Path: v.Value}).EscapedPath()
		case "{method}":
			r.Method = v.Value
		case "{scheme}":
			r.Scheme = v.Value
		default:
			value := url.QueryEscape(v.Value)
			if strings.Contains(s.message.source, "{raw_query."+v.Name+"}") {
				value = v.Value
			}
			if rule := s.rules[v.Name]; v.Value == "" && rule.Optional {
				continue
			}
			raw = append(raw, v.Name+"="+value)
		}
	}
	if err := r.Query.Parse(strings.Join(append(raw, "sig=x"), "&")); err != nil {
		panic(err)
	}
	return r
}

// FuzzChecker: whatever the message and the rules, the checker ends and says what can be
// shown.
func FuzzChecker(f *testing.F) {
	for _, seed := range [][4]string{
		{"{query.a}{query.b}", "digits", "digits max 3", ""},
		{"{query.a}{secret}{query.b}", "token", "text", ""},
		{"{secret}{query.a}|{query.b}{query.c}", "alnum min 2", "one_of 1 11", "email optional"},
		{"{raw_query.a}{path}{query.b}", "", "hex", ""},
		{"{method}{host}{raw_path}{query}", "", "", ""},
		{"{sorted_query}{query.a}", "text max 2", "", ""},
		{"{query.a}{query.b}{query.a}", "one_of x xx", "one_of xx x", ""},
		{"{path.0}{path.3}{query.a}\\{", "digits max 1 optional", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, message, a, b, c string) {
		o := link.Options{Rules: make(map[string]link.Rule)}
		for i, line := range []string{a, b, c} {
			words := strings.Fields(line)
			if len(words) == 0 {
				continue
			}
			r := link.Rule{Class: link.Class(words[0])}
			for j := 1; j < len(words); j++ {
				switch {
				case words[j] == "optional":
					r.Optional = true
				case words[j] == "max" && j+1 < len(words):
					j++
					fmt.Sscan(words[j], &r.Max)
				case words[j] == "min" && j+1 < len(words):
					j++
					fmt.Sscan(words[j], &r.Min)
				case r.Class == link.OneOf:
					r.Values = append(r.Values, words[j])
				}
			}
			if rule, err := link.NewRule(r); err == nil {
				o.Rules[string(rune('a'+i))] = rule
			}
		}
		algorithm := "hmac-md5"
		if strings.Contains(message, "{secret}") {
			algorithm = "md5"
		}
		s, err := New(Config{Algorithm: algorithm, Message: message, Signature: "{query.sig}"}, o)
		if err != nil {
			return
		}
		for _, finding := range s.Findings() {
			if finding.Message == "" || finding.Cure == "" || strings.Contains(finding.Message, "\n") {
				t.Errorf("%+v", finding)
			}
			if pair := finding.Example; pair != nil && slices.Equal(pair.A, pair.B) {
				t.Errorf("%s", pair)
			}
		}
	})
}

// TestAttackLengthExtension computes, from the signature of a link and the length of the
// secret alone, that of a longer value (Flickr, 2009). What the checker refuses can be
// extended; what it passes cannot.
func TestAttackLengthExtension(t *testing.T) {
	key := []byte("nobody knows this secret")
	for _, tc := range []struct {
		algorithm, message, rule string
		truncate                 int
		found                    bool
	}{
		{"md5", "{secret}{query.user}", "", 0, true},
		{"sha1", "{secret}{query.user}", "", 0, true},
		{"sha256", "{secret}{query.user}", "", 0, true},
		{"sha512", "{secret}{query.user}", "", 0, true},
		{"sha256", "{secret}.{query.user}", "", 0, true},
		{"sha384", "{secret}{query.user}", "", 0, false}, // 128 bits of the state are missing
		{"sha256", "{secret}{query.user}", "", 48, false},
		{"sha256", "{secret}{query.user}", "", 63, true}, // sixteen guesses
		{"md5", "{query.user}{secret}", "", 0, false},
		{"md5", "{secret}{query.user}{secret}", "", 0, false},
		{"hmac-sha256", "{query.user}", "", 0, false},
		{"md5", "{secret}{query.user}", "user digits", 0, false},
		{"md5", "{secret}{query.user}", "user text", 0, false},
		{"md5", "{secret}{query.user}", "user one_of a b", 0, false},
		{"md5", "{secret}{raw_query.user}", "", 0, false}, // padding cannot stand in a URL as sent
		{"md5", "{secret}{raw_path}", "", 0, false},
		{"md5", "{secret}{path}", "", 0, false}, // %00 hides a delimiter
		{"md5", "{secret}{query}", "", 0, false},
	} {
		o := link.Options{}
		if tc.rule != "" {
			o.Rules = rules(t, tc.rule)
		}
		s := newScheme(t, Config{Algorithm: tc.algorithm, Message: tc.message, Signature: "{query.sig}", Truncate: tc.truncate}, o)
		f := findingOf(s, "length_extension")
		if (f != nil) != tc.found {
			t.Errorf("%s %s %s: %+v", tc.algorithm, tc.message, tc.rule, f)
		}
		if tc.truncate != 0 || tc.message != "{secret}{query.user}" || tc.algorithm == "hmac-sha256" || tc.algorithm == "sha384" {
			continue
		}
		forged, signature := extend(t, s, key, "jeff", "&admin")
		r := linktest.NewRequest("https://example.org/?user=" + url.QueryEscape(forged) + "&sig=" + signature)
		var l link.Link
		if refusal := s.Read(r, &l); !refusal.None() || !s.Verify(r, &l, key) {
			t.Errorf("%s: the extended link does not verify, so the test proves nothing: %s", tc.algorithm, refusal)
		}
		if s.keepsRules(r, &l) != tc.found {
			t.Errorf("%s %s: the checker says %v of a link that the rules judge otherwise", tc.algorithm, tc.rule, tc.found)
		}
	}
}

// extend is the attacker: it is given a link, and of the secret its length only.
func extend(t *testing.T, s *Scheme, key []byte, value, more string) (longer, signature string) {
	t.Helper()
	genuine := s.mac.Algorithm.Append(nil, nil, append(slices.Clone(key), value...))
	block, length := 64, 8
	var h hash.Hash
	var magic string
	switch s.mac.Algorithm.String() {
	case "md5":
		h, magic = md5.New(), "md5\x01"
	case "sha1":
		h, magic = sha1.New(), "sha\x01"
	case "sha256":
		h, magic = sha256.New(), "sha\x03"
	case "sha512":
		h, magic, block, length = sha512.New(), "sha\x07", 128, 16
	}
	n := len(key) + len(value)
	padding := append([]byte{0x80}, make([]byte, block)...)
	padding = padding[:1+(2*block-1-length-n%block)%block]
	bits := make([]byte, length)
	if magic == "md5\x01" {
		binary.LittleEndian.PutUint64(bits, uint64(n)*8)
	} else {
		binary.BigEndian.PutUint64(bits[length-8:], uint64(n)*8)
	}
	padding = append(padding, bits...)
	// the state of a digest that has read the secret, the value and the padding
	state := append([]byte(magic), genuine...)
	state = append(state, make([]byte, block)...)
	state = binary.BigEndian.AppendUint64(state, uint64(n+len(padding)))
	if magic == "md5\x01" { // Go keeps the words of md5 in the other order
		for i := 0; i < 16; i += 4 {
			slices.Reverse(state[len(magic)+i : len(magic)+i+4])
		}
	}
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	h.Write([]byte(more))
	return value + string(padding) + more, hex.EncodeToString(h.Sum(nil))
}

func TestFindings(t *testing.T) {
	for _, tc := range []struct {
		config Config
		rule   string
		want   string
	}{
		{Config{Algorithm: "md5", Message: "{query.user}{secret}"}, "user alnum max 32", ""},
		{Config{Algorithm: "md5", Message: "{query.user}{secret}"}, "user alnum max 64", ""},
		{Config{Algorithm: "md5", Message: "{query.user}{secret}"}, "user alnum max 65", "collision"},
		{Config{Algorithm: "md5", Message: "{query.user}{secret}"}, "user digits", ""},
		{Config{Algorithm: "md5", Message: "{query.user}{secret}"}, "", "collision"},
		{Config{Algorithm: "sha1", Message: "{query.user}{secret}"}, "user text", "collision"},
		{Config{Algorithm: "sha1", Message: "{raw_path}{secret}"}, "", "collision"},
		{Config{Algorithm: "sha256", Message: "{query.user}{secret}"}, "", ""},
		{Config{Algorithm: "hmac-md5", Message: "{query.user}"}, "", ""},
		{Config{Algorithm: "md5", Message: "{secret}{query.user}"}, "user alnum", ""},
		{Config{Algorithm: "hmac-sha256", Message: "{query.user}", Truncate: 16}, "", ""},
		{Config{Algorithm: "hmac-sha256", Message: "{query.user}", Truncate: 15}, "", "short_signature"},
		{Config{Algorithm: "hmac-sha256", Message: "{query.user}", Truncate: 10, Encoding: "base64url"}, "", "short_signature"},
		{Config{Algorithm: "hmac-sha256", Message: "{query.user}", Truncate: 11, Encoding: "base64url"}, "", ""},
		{Config{Algorithm: "hmac-sha256", Message: "{query.user}", Expires: Time{Value: "{query.exp}"}}, "", "unsigned_expiry"},
		{Config{Algorithm: "hmac-sha256", Message: "{query.user}", Issued: Time{Value: "{query.iat}"}}, "", "unsigned_expiry"},
		{Config{Algorithm: "hmac-sha256", Message: "{query}", Expires: Time{Value: "{query.exp}"}}, "", ""},
	} {
		tc.config.Signature = "{query.sig}"
		o := link.Options{}
		if tc.rule != "" {
			o.Rules = rules(t, tc.rule)
		}
		s := newScheme(t, tc.config, o)
		if got := strings.Join(codes(s), " "); got != tc.want {
			t.Errorf("%s %s %s: %q, want %q", tc.config.Algorithm, tc.config.Message, tc.rule, got, tc.want)
		}
		if eternal := findingOf(s, "no_expiry") != nil; eternal != (tc.config.Expires.Value == "") {
			t.Errorf("%s: no_expiry %v", tc.config.Message, eternal)
		}
	}
	short, _ := NewMAC(digests[2], Base64URL, 6)
	if f := ShortSignature(short, MinBits); !strings.Contains(f.Message, "36 bits") || !strings.Contains(f.Message, "398 days on average") {
		t.Errorf("%+v", f)
	}
}

// TestAttackHostWithPath: over HTTP/2 a host may hold a slash, and the host
// `example.org/a` with the path `/b` would have the signature of `example.org/a/b`.
func TestAttackHostWithPath(t *testing.T) {
	s := newScheme(t, Config{Algorithm: "hmac-sha256", Message: "{scheme}://{hostport}{raw_path}?{query}", Signature: "{query.sig}"}, link.Options{})
	signature := hmacHex("https://example.org/a/b?x=1")
	for host, path := range map[string]string{"example.org": "/a/b", "example.org/a": "/b"} {
		r := linktest.NewRequest("https://example.org" + path + "?x=1&sig=" + signature)
		r.Host = host
		want := "ok"
		if host != "example.org" {
			want = "malformed/host"
		}
		if got := verdict(s, r); got != want {
			t.Errorf("%s %s: %s, want %s", host, path, got, want)
		}
	}
}
