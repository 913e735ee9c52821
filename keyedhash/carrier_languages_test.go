package keyedhash

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
	"github.com/signedlink/caddy-signed-link/pattern"
)

// shortTexts calls yield with every text of at most n of the letters.
func shortTexts(letters string, n int, yield func(text string)) {
	yield("")
	if n == 0 {
		return
	}
	for _, c := range letters {
		shortTexts(letters, n-1, func(rest string) { yield(string(c) + rest) })
	}
}

// TestFieldLanguages: what the checker takes for possible in a field is what Split cuts, for
// all short texts: in tokens, and in paths with any escapes in them.
func TestFieldLanguages(t *testing.T) {
	for _, text := range []string{
		"<x>-<y>", "<x>--<y>", "<x>aba<y>", "<x>ab<y>ba<z>", "<x...>-<y>", "<x...>--<y>", "<x...>aba<y>", "<x>a<y...>aa<z>",
		"<x>aab<y>", "<x...>baa<y>", "<x>abab<y>b", "b<x>a-a<y...>-a-<z>-",
	} {
		p, err := pattern.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s := newScheme(t, declared("{link.x}", inToken("{query.t} "+text)), link.Options{})
		cut := make([]map[string]bool, len(p.Fields()))
		for i := range cut {
			cut[i] = make(map[string]bool)
		}
		// each text that a pattern cuts is made of the fields that it is cut into
		into, longest := make([]string, len(cut)), 6-len(cut)
		var join func(fields ...string)
		join = func(fields ...string) {
			if len(fields) < len(cut) {
				shortTexts("ab-", longest-max(len(fields), 1), func(next string) { join(append(fields, next)...) })
				return
			}
			if p.Split(string(p.Join(nil, fields)), into) {
				for i, f := range into {
					cut[i][f] = true
				}
			}
		}
		join()
		for i := range cut {
			shortTexts("ab-", longest-max(i, 1), func(text string) {
				if got := accepts(s.ofField(i), text); got != cut[i][text] {
					t.Errorf("%s: the field %d can be %q: %t, the checker says %t", p, i, text, cut[i][text], got)
				}
			})
		}
	}
	for _, text := range []string{"/<x>-<y>", "/<x>aba<y>", "/<x...>aba<y>", "/<x>/<y...>--<z>"} {
		s := newScheme(t, declared("{link.x}", inPath(text)), link.Options{})
		read := make([]map[string]bool, len(s.names.Fields))
		for i := range read {
			read[i] = make(map[string]bool)
		}
		spell := strings.NewReplacer("A", "%61", "_", "%2D")
		shortTexts("abA-_/", 6, func(text string) {
			var l link.Link
			if r := linktest.NewRequest("https://example.org/" + spell.Replace(text) + "?sig=x"); s.Read(r, &l).None() {
				for i, f := range l.Fields {
					read[i][f.Value] = true
					if !accepts(s.ofField(i), f.Value) {
						t.Errorf("%s of %s: the field %d is %q, and the checker says that it cannot be", text, r.Path, i, f.Value)
					}
				}
			}
		})
		for i := range read {
			shortTexts("ab-", 4-len(read), func(text string) {
				if got := accepts(s.ofField(i), text); got && !read[i][text] && !strings.Contains(text, "/") {
					t.Errorf("%s: the field %d is never %q, and the checker says that it can be", s.path.pattern, i, text)
				}
			})
		}
	}
}

// TestTimeLanguages: what the checker takes for a time is what the gateway reads as one, but
// for days and hours that no calendar has.
func TestTimeLanguages(t *testing.T) {
	for _, tc := range []struct {
		format, letters string
		n               int
		exact           bool
	}{
		{"unix", "01a-", 4, true},
		{"unix_ms", "01a-", 4, true},
		{"hex", "1aFg", 5, true},
		{"base62", "1zZ-", 7, true},
		{"base64", "AEQag-_=", 6, true},
		{"YYYY-MM-DD", "12-", 10, false},
		{"YYMMDD", "012", 7, false},
	} {
		form, err := link.ParseTimeForm(tc.format, "")
		if err != nil {
			t.Fatal(err)
		}
		never := *form
		never.Never = "-a"
		l, withNever := ofForm(form), ofForm(&never)
		admitted := 0
		shortTexts(tc.letters, tc.n, func(text string) {
			_, _, want := link.Timestamp{Text: text, Present: true, Form: form}.Time()
			got := accepts(l, text)
			if want && !got || tc.exact && want != got {
				t.Fatalf("%s: %q is a time: %t, and the checker says %t", tc.format, text, want, got)
			}
			if got {
				admitted++
			}
			if also := accepts(withNever, text); also != (got || text == "-a") {
				t.Fatalf("%s or -a: %q: %t", tc.format, text, also)
			}
		})
		if admitted == 0 {
			t.Errorf("%s: nothing is admitted", tc.format)
		}
	}
	for n := range 7 { // every last byte, so every last digit
		for c := range 256 {
			text := base64.RawURLEncoding.EncodeToString(append(slices.Repeat([]byte{1}, n), byte(c)))
			if got := accepts(base64Text{}, text); got != (n < 4) {
				t.Errorf("%s, of %d bytes: %t", text, n+1, got)
			}
		}
	}
}

// TestWithout: a rule less some characters, and a word beside it.
func TestWithout(t *testing.T) {
	for _, class := range []link.Class{link.Token, link.Text, link.Email, link.Digits} {
		rule, err := link.NewRule(link.Rule{Class: class, Without: "-1", Max: 3, Optional: true, Empty: true})
		if err != nil {
			t.Fatal(err)
		}
		rule.Also = []string{"-1", "1"}
		l, rough := ofRule(rule, false), ofRule(rule, true)
		shortTexts("12a-@é", 4, func(text string) {
			_, want := rule.Check(text)
			if got := accepts(l, text); got != want {
				t.Errorf("%s: %q: %t, the rule says %t", class, text, got, want)
			}
			if want && !accepts(rough, text) {
				t.Errorf("%s: %q: the rough language does not admit it", class, text)
			}
		})
	}
}

// TestSameSymbolsOfCarriers: as [TestSameSymbols], for the languages of fields and times.
func TestSameSymbolsOfCarriers(t *testing.T) {
	languages := []language{newApart("aba", false), newApart("aba", true), newApart("-", false), base64Text{}, laid("YYYY-MM-DDThh:mmZ"), newEither(run{digitBytes, 2, 3}, literalWord("1a"))}
	for i, l := range languages {
		kinds := make(map[int]symbol)
		states := []int64{l.start()}
		for j := 0; j < len(states) && j < 200; j++ {
			for c := range symbol(allSymbols) {
				if to := l.step(states[j], c); to != dead && !slices.Contains(states, to) {
					states = append(states, to)
				}
			}
		}
		for c := range symbol(allSymbols) {
			first, ok := kinds[l.same(c)]
			if !ok {
				kinds[l.same(c)] = c
				continue
			}
			for _, state := range states[:min(len(states), 200)] {
				if x, y := l.step(state, c), l.step(state, first); (x == dead) != (y == dead) || x != y && l.final(x) != l.final(y) {
					t.Fatalf("language %d (%T): %q and %q are not alike in state %d", i, l, rune(first), rune(c), state)
				}
			}
		}
	}
}
