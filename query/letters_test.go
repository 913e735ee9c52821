package query

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/signedlink/caddy-signed-link/backend"
)

// readAgain are texts that somebody may make of a text, again and again: the sieve of
// [LettersOf] must not let one of them escape.
func readAgain(text string) []string {
	all := []string{text}
	for range depths {
		var next []string
		for _, t := range all {
			next = append(next, Unescape(t), string(AppendUnescapedPath(nil, t)))
		}
		for _, t := range next {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// TestAttackSieve: what looks as if no protected name could be in it has none, however it
// is read. A text that is made of pieces of escapes is the one to get through.
func TestAttackSieve(t *testing.T) {
	pieces := []string{
		"user", "u", "U", "s", "e", "r", "us", "er", "%75", "%55", "%73", "%2575", "%25", "25", "75", "7", "5", "%", "%%", "%37%35",
		"%u0075", "%U0055", "%u00", "%u", "u0075", "0075", "\u017f", "\uff55", "\uff53", "[", "]", "[]", "+", " ", ".", "_", "-", ";", "=",
		"%00", "\x00", "%5b", "?", "amp;", "/", "\xff", "\t", "x", "key", "k", "\u212a", "%6b", "ey", "e%79",
		"\xef", "\xbd", "%95", "%EF%bd", "\xc5", "%bf", "\xe2\x84", "%aa", "%u017f", "%uFF55", "%u212A", "\u200b", "%e2%80%8b", "ü",
	}
	r := rand.New(rand.NewPCG(1, 2))
	spelled := 0
	for _, profile := range []backend.Profile{backend.Strict, backend.PHP, backend.Servlet} {
		names, err := NewNames(profile, []string{"user", "key", "_", "u"})
		if err != nil {
			t.Fatal(err)
		}
		few, err := NewNames(profile, []string{"user"})
		if err != nil {
			t.Fatal(err)
		}
		for range 60_000 {
			var b strings.Builder
			for range 1 + r.IntN(7) {
				b.WriteString(pieces[r.IntN(len(pieces))])
			}
			text := b.String()
			letters := LettersOf(text)
			if letters.Escaped() != (string(AppendUnescapedPath(nil, text)) != text) && letters != anyLetters {
				t.Fatalf("%q: escaped is %t", text, letters.Escaped())
			}
			for _, n := range []*Names{names, few} {
				for _, read := range readAgain(text) {
					_, raw := n.Classify(read)
					_, decoded := n.ClassifyDecoded([]byte(read))
					_, cookie := n.ClassifyEither(read)
					if raw == Other && decoded == Other && cookie == Other {
						continue
					}
					spelled++
					if !n.Within(letters) {
						t.Fatalf("%s: %q is %q, which spells a name, and the sieve drops it", profile, text, read)
					}
				}
			}
		}
	}
	if spelled < 10_000 {
		t.Errorf("only %d texts spell a name", spelled)
	}
}

// TestSieveKnowsEveryFold: no character of Unicode is a letter to the fold and none to the
// sieve, as it is, encoded, or as %uFF55.
func TestSieveKnowsEveryFold(t *testing.T) {
	folds := 0
	for c := rune(0x80); c <= utf8.MaxRune; c++ {
		text := string(c)
		folded := foldLoose(backend.Strict, nil, []byte(text), unlimited)
		if LettersOf(string(folded)) == LettersOf("") || len(folded) == 0 || folded[0] >= utf8.RuneSelf {
			continue
		}
		folds++
		for _, written := range []string{text, url.QueryEscape(text), text[:1] + url.QueryEscape(text[1:]), fmt.Sprintf("%%u%04x", c)} {
			if l := LettersOf(written); l != anyLetters {
				t.Errorf("%q is %q, and the sieve has %b", written, folded, l)
			}
		}
	}
	if folds < 62 {
		t.Errorf("only %d characters fold", folds)
	}
}

// TestSieveDrops: what it is there for.
func TestSieveDrops(t *testing.T) {
	names, err := NewNames(backend.Strict, []string{"user", "user_id"})
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"[", ";", "%5b", "%", "%41", "%u005b", "&", "=", "use", "\\", ".php/", "a=1&", "ü", "\xff", "\u200b", "%e2%80%8b", "%ff", "%u200b"} {
		if names.Within(LettersOf(strings.Repeat(piece, 1000))) {
			t.Errorf("%q has to be looked at", piece)
		}
	}
	none, err := NewNames(backend.Strict, nil)
	if err != nil {
		t.Fatal(err)
	}
	if none.Within(anyLetters) {
		t.Error("a set of no names is in a text")
	}
}

func TestSplit(t *testing.T) {
	for _, s := range []string{"", ";", ";;", "a", "a;", ";a", "a;b;;c", strings.Repeat("x", 23) + ";", strings.Repeat("x", 24) + ";y", strings.Repeat("x", 99), strings.Repeat("xy;", 99)} {
		if got, want := slices.Collect(Split(s, ';')), strings.Split(s, ";"); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
		want, _, _ := strings.Cut(s, ";")
		if got := NameOf(strings.ReplaceAll(s, ";", "=")); got != want {
			t.Errorf("the name of %q is %q", s, got)
		}
	}
	for range Split("a;b", ';') {
		break
	}
}

// TestFoldLimits: a fold that is cut off early is longer than the limit, and begins as the
// whole one does.
func TestFoldLimits(t *testing.T) {
	pieces := []string{"u", "_", "-", ".", " ", "[", "]", "\t", "ü", "\uff55", "%u0075", "%", "?", "\x00"}
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		var b strings.Builder
		for range r.IntN(20) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		name, limit := []byte(b.String()), r.IntN(8)
		for _, p := range []backend.Profile{backend.Strict, backend.PHP, backend.Servlet} {
			for i, fold := range []func(p backend.Profile, dst, name []byte, limit int) []byte{foldPHP, foldLoose} {
				whole, cut := string(fold(p, nil, name, unlimited)), string(fold(p, nil, name, limit))
				if cut != whole && (len(cut) <= limit || !strings.HasPrefix(whole, cut)) {
					t.Fatalf("%s, fold %d of %q with limit %d: %q, of %q", p, i, name, limit, cut, whole)
				}
			}
			// where the loose fold is left out, it says nothing of protected names that PHP's does not
			if loose := string(foldLoose(p, nil, name, unlimited)); !lenient(p) && CheckName(p, loose) == nil && loose != string(foldPHP(p, nil, name, unlimited)) {
				t.Fatalf("%s: the loose fold of %q alone is %q", p, name, loose)
			}
		}
	}
}
