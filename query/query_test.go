package query

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
)

func TestParse(t *testing.T) {
	type pair struct{ segment, name, value string }
	for _, tc := range []struct {
		raw     string
		pairs   []pair
		control bool
	}{
		{"", nil, false},
		{"&", nil, false},
		{"&&&", nil, false},
		{"a", []pair{{"a", "a", ""}}, false},
		{"a=", []pair{{"a=", "a", ""}}, false},
		{"=", []pair{{"=", "", ""}}, false},
		{"=b", []pair{{"=b", "", "b"}}, false},
		{"a=b", []pair{{"a=b", "a", "b"}}, false},
		{"a=b=c", []pair{{"a=b=c", "a", "b=c"}}, false},
		{"a==", []pair{{"a==", "a", "="}}, false},
		{"&a=b&&c&", []pair{{"a=b", "a", "b"}, {"c", "c", ""}}, false},
		{"a=1;b=2&c=3", []pair{{"a=1;b=2", "a", "1;b=2"}, {"c=3", "c", "3"}}, false},
		{"a=%zz&b=%", []pair{{"a=%zz", "a", "%zz"}, {"b=%", "b", "%"}}, false},
		{"a%3Db=c", []pair{{"a%3Db=c", "a%3Db", "c"}}, false},
		{"a%26b=c", []pair{{"a%26b=c", "a%26b", "c"}}, false},
		{"?a=b", []pair{{"?a=b", "?a", "b"}}, false},
		{"a=b?c", []pair{{"a=b?c", "a", "b?c"}}, false},
		{"a=\xff\xfe", []pair{{"a=\xff\xfe", "a", "\xff\xfe"}}, false},
		{"a= b", []pair{{"a= b", "a", " b"}}, true},
		{"a=b#c=d", []pair{{"a=b#c=d", "a", "b#c=d"}}, true},
		{"a\x00=b", []pair{{"a\x00=b", "a\x00", "b"}}, true},
		{"a=\t", []pair{{"a=\t", "a", "\t"}}, true},
		{"a=\r\nX: y", []pair{{"a=\r\nX: y", "a", "\r\nX: y"}}, true},
		{"a=\x7f", []pair{{"a=\x7f", "a", "\x7f"}}, true},
		{"a=%00%20%23%7F", []pair{{"a=%00%20%23%7F", "a", "%00%20%23%7F"}}, false},
		{"a=!\"$'()*+,-./:<>@[\\]^_`{|}~", []pair{{"a=!\"$'()*+,-./:<>@[\\]^_`{|}~", "a", "!\"$'()*+,-./:<>@[\\]^_`{|}~"}}, false},
	} {
		var q Query
		if err := q.Parse(tc.raw); err != nil {
			t.Errorf("%q: %v", tc.raw, err)
			continue
		}
		var got []pair
		for _, p := range q.Pairs {
			got = append(got, pair{q.Segment(p), q.RawName(p), q.RawValue(p)})
		}
		if !slices.Equal(got, tc.pairs) || q.Control != tc.control || q.Raw != tc.raw {
			t.Errorf("%q: %q, control %t; want %q, %t", tc.raw, got, q.Control, tc.pairs, tc.control)
		}
	}
}

func TestParseAgain(t *testing.T) {
	var q Query
	for _, raw := range []string{"a=\x00&b", strings.Repeat("a&", 999), "c=d", "", strings.Repeat("a&", 1001), "e"} {
		err := q.Parse(raw)
		var fresh Query
		freshErr := fresh.Parse(raw)
		if !slices.Equal(q.Pairs, fresh.Pairs) || q.Control != fresh.Control || q.Raw != fresh.Raw || !errors.Is(err, freshErr) {
			t.Errorf("%.20q: a query that was used before differs from a fresh one", raw)
		}
	}
}

// TestAttackTooManyParameters: PHP and Tomcat silently drop what follows the 1000th
// parameter, Go all of more than 10,000: a gateway that reads on verifies what its
// backend never sees (peers' bug B5, CVE-2026-39825).
func TestAttackTooManyParameters(t *testing.T) {
	for _, tc := range []struct {
		name, raw string
		want      error
		pairs     int
	}{
		{"1000", strings.Repeat("a&", 1000), nil, 1000},
		{"1000, no ampersand behind them", strings.Repeat("&a", 1000), nil, 1000},
		{"1001", strings.Repeat("a&", 1001), ErrTooMany, 0},
		{"1001, the last without an ampersand", strings.Repeat("a&", 1000) + "a", ErrTooMany, 0},
		{"1001 without a name", strings.Repeat("=&", 1001), ErrTooMany, 0},
		{"ampersands", strings.Repeat("&", MaxBytes), nil, 0},
		{"32 KiB", strings.Repeat("a", MaxBytes), nil, 1},
		{"32 KiB and a byte", strings.Repeat("a", MaxBytes+1), ErrTooLong, 0},
		{"32 KiB and a byte, all ampersands", strings.Repeat("&", MaxBytes+1), ErrTooLong, 0},
		{"a megabyte", strings.Repeat("a&", 1<<19), ErrTooLong, 0},
	} {
		var q Query
		if err := q.Parse(tc.raw); !errors.Is(err, tc.want) || len(q.Pairs) != tc.pairs {
			t.Errorf("%s: %d pairs, error %v; want %d, %v", tc.name, len(q.Pairs), err, tc.pairs, tc.want)
		}
		if tc.want != nil {
			if _, ok := q.Find("a"); ok {
				t.Errorf("%s: a parameter is found in a query that was not read", tc.name)
			}
		}
	}
}

func TestFind(t *testing.T) {
	var q Query
	if err := q.Parse("a=1&A=2&a=3&%61=4&ab=5&=6&c"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "a=1", "A": "A=2", "%61": "%61=4", "ab": "ab=5", "": "=6", "c": "c", "b": "", "a=1": ""} {
		p, ok := q.Find(name)
		if got := q.Segment(p); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %t; want %q", name, got, ok, want)
		}
	}
	if _, ok := new(Query).Find(""); ok {
		t.Error("the zero query has a parameter")
	}
}

// dropNames returns a drop function for raw names.
func dropNames(names ...string) func(string) bool {
	return func(segment string) bool {
		name, _, _ := strings.Cut(segment, "=")
		return slices.Contains(names, name)
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		raw  string
		drop []string
		want string
		n    int
	}{
		{"", []string{""}, "", 0},
		{"&&", []string{""}, "&&", 0},
		{"a=1&b=2", nil, "a=1&b=2", 0},
		{"a=1&b=2", []string{"c"}, "a=1&b=2", 0},
		{"a=1", []string{"a"}, "", 1},
		{"a=1&b=2", []string{"a"}, "b=2", 1},
		{"a=1&b=2", []string{"b"}, "a=1", 1},
		{"a=1&b=2&c=3", []string{"b"}, "a=1&c=3", 1},
		{"a=1&b=2&c=3", []string{"a", "c"}, "b=2", 2},
		{"a=1&b=2&c=3", []string{"a", "b", "c"}, "", 3},
		{"a=1&b=2&a=3", []string{"a"}, "b=2", 2},
		{"b=1&a=2&a=3&b=4", []string{"a"}, "b=1&b=4", 2},
		{"&a=1&b=2", []string{"a"}, "&b=2", 1},
		{"a=1&", []string{"a"}, "", 1},
		{"a=1&&b=2", []string{"a"}, "&b=2", 1},
		{"a=1&&b=2", []string{"b"}, "a=1&", 1},
		{"b=2&a=1&", []string{"a"}, "b=2&", 1},
		{"&&a&&", []string{"a"}, "&&&", 1},
		{"a", []string{"a"}, "", 1},
		{"=1&b", []string{""}, "b", 1},
		// what stays keeps its bytes, broken ones included
		{"k=x&q=%zz;+%2f&&A=\xff\x00#%", []string{"k"}, "q=%zz;+%2f&&A=\xff\x00#%", 1},
		{"b=%41&k=x&a=A", []string{"k"}, "b=%41&a=A", 1},
	} {
		got, n := Cut(tc.raw, dropNames(tc.drop...))
		if got != tc.want || n != tc.n {
			t.Errorf("%q without %q: %q, %d cut; want %q, %d", tc.raw, tc.drop, got, n, tc.want, tc.n)
		}
	}
}

// TestCutOffers: drop sees each segment once, in order, as sent, and no empty one.
func TestCutOffers(t *testing.T) {
	var seen []string
	Cut("&a=1&&b%3D=2&c&", func(segment string) bool {
		seen = append(seen, segment)
		return segment == "a=1"
	})
	if want := []string{"a=1", "b%3D=2", "c"}; !slices.Equal(seen, want) {
		t.Errorf("%q, want %q", seen, want)
	}
}

func TestUnescape(t *testing.T) {
	for _, tc := range []struct{ in, value, path string }{
		{"", "", ""},
		{"abc", "abc", "abc"},
		{"a+b", "a b", "a+b"},
		{"a%20b", "a b", "a b"},
		{"%2B", "+", "+"},
		{"%41%5a%5A", "AZZ", "AZZ"},
		{"%", "%", "%"},
		{"%4", "%4", "%4"},
		{"%zz", "%zz", "%zz"},
		{"%4g%41", "%4gA", "%4gA"},
		{"%%41", "%A", "%A"},
		{"%4%31", "%41", "%41"},
		{"%2541", "%41", "%41"}, // once, not twice
		{"%00", "\x00", "\x00"},
		{"%FF%fe", "\xff\xfe", "\xff\xfe"},
		{"\xff\x00", "\xff\x00", "\xff\x00"},
		{"%u0061", "%u0061", "%u0061"},
		{"%C3%A9", "é", "é"},
		{"%+41", "% 41", "%+41"},
	} {
		if got := Unescape(tc.in); got != tc.value {
			t.Errorf("value %q: %q, want %q", tc.in, got, tc.value)
		}
		if got := string(AppendUnescaped([]byte("x"), tc.in)); got != "x"+tc.value {
			t.Errorf("appended value %q: %q, want x%q", tc.in, got, tc.value)
		}
		if got := string(AppendUnescapedPath([]byte("x"), tc.in)); got != "x"+tc.path {
			t.Errorf("path %q: %q, want x%q", tc.in, got, tc.path)
		}
	}
}

func TestBrokenEscape(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "abc": false, "%41": false, "%41%zz": true, "%": true, "%4": true, "a%": true, "%%41": true, "%4g": true, "%u0061": true, "%25": false, "%fF%00": false, "+": false, "%2541": false,
	} {
		if got := BrokenEscape(s); got != want {
			t.Errorf("%q: %t, want %t", s, got, want)
		}
	}
}

func TestRepeated(t *testing.T) {
	for _, tc := range []struct {
		raw                  string
		strict, php, servlet string
	}{
		{"", "", "", ""},
		{"a=1&b=2", "", "", ""},
		{"a=1&a=2", "a=2", "a=2", "a=2"},
		{"a=1&b&a", "a", "a", "a"},
		{"a=1&%61=2", "%61=2", "%61=2", "%61=2"},
		{"a=1&a[]=2", "a[]=2", "a[]=2", ""},
		{"a[]=1&a[]=2", "a[]=2", "a[]=2", "a[]=2"},
		{"a.b=1&a_b=2", "a_b=2", "a_b=2", ""},
		{"a=1&+a=2", "+a=2", "+a=2", ""},
		{"a=1&a%00x=2", "a%00x=2", "a%00x=2", ""},
		{"a=1&A=2", "A=2", "", ""},
		{"a-b=1&a_b=2", "a_b=2", "", ""},
		{"=1&=2", "=2", "=2", "=2"},
		{"%00=1&=2", "=2", "=2", ""},
		{"a=1&ab=2&ba=3", "", "", ""},
		{"utm_x=1&utm_x=2", "", "", ""}, // ignored
		{"a=1&utm_x=2&utm_x=3&a=4", "a=4", "a=4", "a=4"},
	} {
		var q Query
		if err := q.Parse(tc.raw); err != nil {
			t.Fatal(err)
		}
		ignore := func(raw string) bool { return strings.HasPrefix(raw, "utm_") }
		for profile, want := range map[backend.Profile]string{backend.Strict: tc.strict, backend.PHP: tc.php, backend.Servlet: tc.servlet} {
			if got := q.Repeated(profile, ignore); got != want {
				t.Errorf("%q under %s: %q, want %q", tc.raw, profile, got, want)
			}
		}
	}
	var q Query
	if err := q.Parse("utm_x=1&utm_x=2"); err != nil {
		t.Fatal(err)
	}
	if got := q.Repeated(backend.PHP, nil); got != "utm_x=2" {
		t.Errorf("without a skip function: %q, want the second utm_x", got)
	}
}

// ordinary is a link as mailers send it.
const ordinary = "utm_source=newsletter&utm_medium=email&akid=2695.103007.Gcg02t&t=1&lang=de&q=a+b%20c&ref=mail.2026-11"

// TestAllocations: an ordinary request costs no garbage.
func TestAllocations(t *testing.T) {
	names := make(map[backend.Profile]*Names)
	for _, profile := range []backend.Profile{backend.Strict, backend.PHP, backend.Servlet} {
		n, err := NewNames(profile, []string{"akid", "user", "key"})
		if err != nil {
			t.Fatal(err)
		}
		names[profile] = n
	}
	var q Query
	for what, run := range map[string]func(){
		"Parse": func() {
			if err := q.Parse(ordinary); err != nil {
				t.Error(err)
			}
		},
		"Parse and Classify": func() {
			if err := q.Parse(ordinary); err != nil {
				t.Error(err)
			}
			for _, n := range names {
				for _, p := range q.Pairs {
					n.Classify(q.Segment(p))
				}
			}
		},
		"Find": func() { q.Find("akid") },
		"Cut of nothing": func() {
			if _, n := Cut(ordinary, func(string) bool { return false }); n != 0 {
				t.Error("something was cut")
			}
		},
		"Unescape of plain text": func() { Unescape("2695.103007.Gcg02t") },
		"BrokenEscape":           func() { BrokenEscape("a%20b%20c") },
	} {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
}

// TestHostileMemory: the longest query that is read costs a few slices and no more.
func TestHostileMemory(t *testing.T) {
	var q Query
	for _, raw := range []string{strings.Repeat("a=%41&", 1000), strings.Repeat("&", MaxBytes), strings.Repeat("a", MaxBytes), strings.Repeat("a&", 1<<19)} {
		n := testing.AllocsPerRun(10, func() {
			if err := q.Parse(raw); err != nil && !errors.Is(err, ErrTooLong) {
				t.Error(err)
			}
		})
		if n > 10 {
			t.Errorf("%d bytes, %.6q…: %v allocations", len(raw), raw, n)
		}
	}
}

// seed adds hostile queries to a fuzz test: short ones and the corpus.
func seed(f *testing.F, add func(raw string)) {
	for _, raw := range []string{
		"", "&", "&&", "=", "==", "=&=", "a", "a&a", "a=b&c=d", "%", "%4", "%00", "\x00", "\xff", "a;b=c", ";", "&;&", "+", "?", "#", "amp;user=x", "user=jeff&amp;key=x",
		"user=jeff&us%65r=admin", "user=jeff&user[]=admin", "user[", "user]", "[user]", "user[[]]", "user%00[]", "USER=x", "\u017fer", "%C5%BF", "user%EF%BC%8Did", ordinary,
	} {
		add(raw)
	}
	for _, r := range corpus(f) {
		if len(r.query) < 512 {
			add(r.query)
		}
	}
}

// FuzzParse: the pairs are what a split at the ampersands leaves, and put together they
// are the query.
func FuzzParse(f *testing.F) {
	seed(f, func(raw string) { f.Add(raw) })
	f.Fuzz(func(t *testing.T, raw string) {
		var q Query
		err := q.Parse(raw)
		want := slices.DeleteFunc(strings.Split(raw, "&"), func(s string) bool { return s == "" })
		switch {
		case len(raw) > MaxBytes:
			if !errors.Is(err, ErrTooLong) || len(q.Pairs) != 0 {
				t.Fatalf("%d bytes: %d pairs, error %v", len(raw), len(q.Pairs), err)
			}
			return
		case len(want) > MaxPairs:
			if !errors.Is(err, ErrTooMany) || len(q.Pairs) != 0 {
				t.Fatalf("%d segments: %d pairs, error %v", len(want), len(q.Pairs), err)
			}
			return
		case err != nil:
			t.Fatalf("%q: %v", raw, err)
		}
		var got []string
		at := uint16(0)
		for _, p := range q.Pairs {
			if strings.Trim(raw[at:p.Start], "&") != "" {
				t.Errorf("%q: %q stands between two pairs", raw, raw[at:p.Start])
			}
			at = p.End
			got = append(got, q.Segment(p))
			name, value, found := strings.Cut(q.Segment(p), "=")
			if q.RawName(p) != name || q.RawValue(p) != value || (p.Eq < p.End) != found {
				t.Errorf("%q: name %q, value %q; want %q, %q", q.Segment(p), q.RawName(p), q.RawValue(p), name, value)
			}
			if first, ok := q.Find(name); !ok || first.Start > p.Start || q.RawName(first) != name {
				t.Errorf("%q: Find(%q) does not find it", raw, name)
			}
		}
		if strings.Trim(raw[at:], "&") != "" || !slices.Equal(got, want) {
			t.Errorf("%q: segments %q, want %q", raw, got, want)
		}
		if control := strings.ContainsFunc(raw, func(c rune) bool { return c <= ' ' || c == 0x7F || c == '#' }); q.Control != control {
			t.Errorf("%q: control %t", raw, q.Control)
		}
		if plain := !strings.ContainsAny(raw, "%+;"); q.Plain != plain {
			t.Errorf("%q: plain %t", raw, q.Plain)
		}
		if err := q.Parse(raw); err != nil || len(q.Pairs) != len(got) {
			t.Errorf("%q: read again, it has %d pairs and not %d, error %v", raw, len(q.Pairs), len(got), err)
		}
	})
}

// TestDull: no byte that means something is passed over with its neighbours, whatever
// those are: in a subtraction of eight bytes at once each can borrow of the next.
func TestDull(t *testing.T) {
	for _, around := range []byte("a09-.:<>?@~,\x80\xFF\x00\x01;=&") {
		for at := range 8 {
			for c := range 256 {
				eight := bytes.Repeat([]byte{around}, 8)
				eight[at] = byte(c)
				means := marks[c] != 0 || marks[around] != 0
				if dull(string(eight)) && means {
					t.Errorf("%q is dull", eight)
				}
				if letters := isAlnum(byte(c)) && isAlnum(around); letters && !dull(string(eight)) {
					t.Errorf("%q is not dull", eight)
				}
			}
		}
	}
}

// TestNameSet: whatever PHP files under the name of a parameter is in the set, and no
// other name is.
func TestNameSet(t *testing.T) {
	var q Query
	skip := func(name string) bool { return strings.HasPrefix(name, "utm_") }
	for _, tc := range []struct {
		raw      string
		has, not []string
	}{
		{"", nil, []string{"", "a"}},
		{"page=7&list[]=3&us.er=1", []string{"page", "pag%65", "list", "list[x]", "us_er", "us.er", "us%20er", "page%00x"}, []string{"", "pag", "Page", "user", "7"}},
		{"utm_source=1&utm_a;page=7&a=1;b=2", []string{"page", "a", "b", "utm_a"}, []string{"utm_source", "1", "2"}},
		{"%00", []string{""}, []string{"a"}},
	} {
		if err := q.Parse(tc.raw); err != nil {
			t.Fatal(err)
		}
		s := q.NameSet(backend.PHP, skip)
		for _, name := range tc.has {
			if !s.HasEither(name) {
				t.Errorf("%q does not have %q", tc.raw, name)
			}
		}
		for _, name := range tc.not {
			if s.HasEither(name) {
				t.Errorf("%q has %q", tc.raw, name)
			}
		}
	}
	// more names than fit without memory
	var raw strings.Builder
	for i := range MaxPairs {
		fmt.Fprintf(&raw, "&name%d", i)
	}
	if err := q.Parse(raw.String()); err != nil {
		t.Fatal(err)
	}
	s := q.NameSet(backend.PHP, nil)
	for i := range MaxPairs + 1 {
		if got := s.HasEither(fmt.Sprintf("name%d[]", i)); got != (i < MaxPairs) {
			t.Errorf("has name%d: %t", i, got)
		}
	}
}

// FuzzNameSet: a name is in the set if some reading files it where it files a parameter.
func FuzzNameSet(f *testing.F) {
	seed(f, func(raw string) {
		f.Add(raw, "user")
		f.Add("user=jeff&key=1", raw)
	})
	f.Add("a=1;b=2&list[]=3", "b")
	f.Fuzz(func(t *testing.T, raw, name string) {
		var q Query
		if q.Parse(raw) != nil {
			return
		}
		var sent []string
		for _, p := range q.Pairs {
			sent = append(sent, q.RawName(p))
			if segment := q.Segment(p); strings.Contains(segment, ";") {
				for part := range strings.SplitSeq(segment, ";") {
					before, _, _ := strings.Cut(part, "=")
					sent = append(sent, before)
				}
			}
		}
		for _, profile := range []backend.Profile{backend.PHP, backend.Servlet, backend.Strict} {
			folds := make(map[string]bool)
			readingsOf := func(decoded string) []string {
				return []string{decoded, string(foldPHP(profile, nil, []byte(decoded), unlimited)), string(foldLoose(profile, nil, []byte(decoded), unlimited))}
			}
			for _, s := range sent {
				for _, fold := range readingsOf(Unescape(s)) {
					folds[fold] = true
				}
			}
			want := slices.ContainsFunc(append(readingsOf(name), readingsOf(Unescape(name))...), func(fold string) bool { return folds[fold] })
			if got := q.NameSet(profile, nil).HasEither(name); got != want {
				t.Errorf("%q has %q: %t", raw, name, got)
			}
		}
	})
}

// cutModel is the specification of Cut.
func cutModel(raw string, drop func(string) bool) (string, int) {
	all := strings.Split(raw, "&")
	kept := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s != "" && drop(s) })
	return strings.Join(kept, "&"), len(all) - len(kept)
}

// FuzzCutNothing: a query of which nothing is cut is the same query, byte for byte.
func FuzzCutNothing(f *testing.F) {
	seed(f, func(raw string) { f.Add(raw) })
	f.Fuzz(func(t *testing.T, raw string) {
		if got, n := Cut(raw, func(string) bool { return false }); got != raw || n != 0 {
			t.Errorf("%q became %q, %d cut", raw, got, n)
		}
	})
}

// FuzzCut: cutting is splitting at the ampersands, leaving out, and joining; it never
// changes another segment, and cutting again finds nothing.
func FuzzCut(f *testing.F) {
	seed(f, func(raw string) {
		f.Add(raw, "user", uint8(0))
		f.Add(raw, "key", uint8(3))
	})
	f.Fuzz(func(t *testing.T, raw, name string, every uint8) {
		drops := map[string]func() func(string) bool{
			"by name": func() func(string) bool { return dropNames(name) },
			"each nth": func() func(string) bool {
				i := 0
				return func(string) bool { i++; return every > 0 && i%int(every) == 0 }
			},
			"all": func() func(string) bool { return func(string) bool { return true } },
		}
		for what, drop := range drops {
			got, n := Cut(raw, drop())
			want, wantN := cutModel(raw, drop())
			if got != want || n != wantN {
				t.Errorf("%q, %s: %q, %d cut; want %q, %d", raw, what, got, n, want, wantN)
			}
		}
		cut, _ := Cut(raw, dropNames(name))
		if again, n := Cut(cut, dropNames(name)); n != 0 || again != cut {
			t.Errorf("%q: cut again, %q became %q", raw, cut, again)
		}
	})
}

// unescapeModel is the specification of Unescape, the slow way.
func unescapeModel(s string, plus bool) string {
	var b bytes.Buffer
	for s != "" {
		if decoded, err := url.PathUnescape(s[:min(3, len(s))]); err == nil && s[0] == '%' {
			b.WriteString(decoded)
			s = s[3:]
			continue
		}
		if s[0] == '+' && plus {
			b.WriteByte(' ')
		} else {
			b.WriteByte(s[0])
		}
		s = s[1:]
	}
	return b.String()
}

func FuzzUnescape(f *testing.F) {
	seed(f, func(raw string) { f.Add(raw) })
	f.Fuzz(func(t *testing.T, s string) {
		got := Unescape(s)
		if want := unescapeModel(s, true); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
		if got := string(AppendUnescaped(nil, s)); got != Unescape(s) {
			t.Errorf("%q: appended %q, want %q", s, got, Unescape(s))
		}
		if got, want := string(AppendUnescapedPath(nil, s)), unescapeModel(s, false); got != want {
			t.Errorf("path %q: %q, want %q", s, got, want)
		}
		if !strings.ContainsAny(s, "%+") && got != s {
			t.Errorf("%q has nothing to decode, and became %q", s, got)
		}
		if std, err := url.QueryUnescape(s); (err == nil) == BrokenEscape(s) || err == nil && std != got {
			t.Errorf("%q: %q, broken %t; net/url says %q, %v", s, got, BrokenEscape(s), std, err)
		}
		if back := Unescape(url.QueryEscape(s)); back != s {
			t.Errorf("%q: escaped and unescaped it is %q", s, back)
		}
	})
}
