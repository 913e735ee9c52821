package pattern

import (
	"testing"
)

// TestShape: what could be a path of the pattern, and what could not.
func TestShape(t *testing.T) {
	for _, tc := range []struct {
		pattern, path string
		begins, shape bool
	}{
		{"/dl/<s>/<t>", "/dl/s/1", true, true},
		{"/dl/<s>/<t>", "/DL/s/1", true, true},
		{"/Dl/<s>/<t>", "/dL/s/1", true, true},
		{"/dl/<s>/<t>", "/dl/s/1/", true, true},
		{"/dl/<s>/<t>", "/dl/s/", true, true},
		{"/dl/<s>/<t>", "/dl/s", true, true}, // the slash lacks
		{"/dl/<s>/<t>", "/dl//", true, true},
		{"/dl/<s>/<t>", "/dl/", true, true}, // two empty fields, and the slash lacks
		{"/dl/<s>/<t>", "/dl", false, false},
		{"/dl/<s>/<t>", "/dl/s/1/2/3", true, true},
		{"/dl/<s>/<t>", "/dlx/s/1", false, false},
		{"/dl/<s>/<t>", "", false, false},
		{"/dl/<s>", "/dl", false, true},
		{"/dl/<s>", "/dl/", true, true},
		{"/dl/<s>", "/d", false, false},
		{"/<s>", "", false, true},
		{"/<s>", "/", true, true},
		{"/<s>", "x", false, false},
		{"/<s>/edit", "/x/edit", true, true},
		{"/<s>/edit", "/x/Edit/", true, true},
		{"/<s>/edit", "/x/edit//", true, false},
		{"/<s>/edit", "/edit", true, false},
		{"/<s>/edit", "//edit", true, true},
		{"/<s>/edit", "/x/edits", true, false},
		{"/<s>/edit/", "/x/edit", true, true},
		{"/<s>/edit/", "/x/edit/", true, true},
		{"/<s>/edit/", "/x/edit//", true, true},
		{"/<s>/edit/", "/x/edit/y", true, false},
		{"/a<s>b<t>b", "/ab", true, false},
		{"/a<s>b<t>b", "/abb", true, true},
		{"/a<s>ab<t>bc", "/aabc", true, false},
		{"/a<s>ab<t>bc", "/aabbc", true, true},
		{"/k/<s>", "/\u212a/x", true, true}, // the Kelvin sign is a K
		{"/k/<s>", "/\xff/x", false, false},
	} {
		p := mustParse(t, tc.pattern)
		if got := p.Begins(tc.path); got != tc.begins {
			t.Errorf("%s begins %q: %t", tc.pattern, tc.path, got)
		}
		if got := p.Shape(tc.path); got != tc.shape {
			t.Errorf("%s is the shape of %q: %t", tc.pattern, tc.path, got)
		}
	}
}

// TestSample: a sample fits its pattern.
func TestSample(t *testing.T) {
	for _, tc := range []struct {
		pattern string
		of      map[string]string
		want    string
	}{
		{"/dl/<s>/<t>/<file...>", nil, "/dl/x/x/x"},
		{"/dl/<s>/<t>/<file...>", map[string]string{"t": "1", "file": "a/b", "z": "z"}, "/dl/x/1/a/b"},
		{"/<a>x<b>", nil, "/yxy"},
		{"/<a>xy<b>", nil, "/xxyx"},
		{"/<a>x<b>y<c>z<d>", nil, "/axayaza"},
		{"/<a>x<b>", map[string]string{"a": "1"}, "/1xx"},
		{"<a>_<b>", nil, "x_x"},
	} {
		p := mustParse(t, tc.pattern)
		got := p.Sample(tc.of)
		if got != tc.want || !p.Split(got, make([]string, len(p.Fields()))) || !p.Shape(got) {
			t.Errorf("%s: %q, want %q", tc.pattern, got, tc.want)
		}
	}
	if got := mustParse(t, "/<a>").Sample(map[string]string{"a": "b/c"}); got != "/b/c" {
		t.Errorf("what does not fit is %q", got)
	}
}

// TestShapeAllocations: a path in lower case is looked at without memory.
func TestShapeAllocations(t *testing.T) {
	p := mustParse(t, "/Dl/<s>/<file...>/<t>.jpg/")
	if n := testing.AllocsPerRun(100, func() {
		if !p.Shape("/dl/0123/a/b/c/1.jpg") || p.Shape("/dl/0123/a/b/c/1.gif") || !p.Begins("/DL/x") {
			t.Fatal("the shape is not known")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
