package query

import (
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
)

func TestSet(t *testing.T) {
	for _, tc := range []struct{ raw, name, value, want string }{
		{"", "a", "1", "a=1"},
		{"a=2", "a", "1", "a=1"},
		{"b=%zz&&a=2&c", "a", "1", "b=%zz&&a=1&c"},
		{"a=2&b=1&a=3&a", "a", "1 &+é", "a=1%20%26%2B%C3%A9&b=1"},
		{"b=1&", "a", "1", "b=1&&a=1"},
		{"aa=1&%61=2", "a", "3", "aa=1&%61=2&a=3"},
		{"", "user[id]", "[4]", "user%5Bid%5D=%5B4%5D"},
		{"b&user[id]=1&user%5bid%5d=2", "user[id]", "3", "b&user%5Bid%5D=3"},
		{"a:b$c=1", "a:b$c", "2", "a:b$c=2"},
		{"", "a:b$c~.-_", "2", "a:b$c~.-_=2"},
	} {
		if got := Set(tc.raw, tc.name, tc.value); got != tc.want {
			t.Errorf("Set(%q, %q, %q) = %q, want %q", tc.raw, tc.name, tc.value, got, tc.want)
		}
	}
	if got := Remove("user[id]=1&user%5Bid%5d=2&user[h]=3", "user[id]"); got != "user[h]=3" {
		t.Errorf("Remove left %q", got)
	}
	if got := Remove("a%5Bb=1&a[b=2", "a%5Bb"); got != "a[b=2" {
		t.Errorf("Remove left %q", got)
	}
	if got := Remove("a=1&b=2&&c&a", "a", "c"); got != "b=2&" && got != "b=2" {
		t.Errorf("Remove left %q", got)
	}
}

// FuzzSet: what is set is what is read, and nothing else changes.
func FuzzSet(f *testing.F) {
	f.Add("a=1&b=2&&c=%zz", "a", "x y+z&=%")
	f.Add("a[b]=1&a%5Bb%5D&a%5Bb]=2", "a[b]", "x")
	f.Add("", "a:b", "")
	f.Fuzz(func(t *testing.T, raw, name, value string) {
		if len(raw)+3*len(name)+3*len(value) > MaxBytes-16 || strings.Count(raw, "&") > MaxPairs-2 || CheckName(backend.Servlet, name) != nil {
			return // beyond what a link can hold
		}
		var q Query
		if err := q.Parse(Set(raw, name, value)); err != nil {
			t.Fatal(err)
		}
		p, ok := q.Find(name)
		if !ok || Unescape(q.RawValue(p)) != value {
			t.Errorf("Set(%q, %q, %q) = %q", raw, name, value, q.Raw)
		}
		if got, want := Remove(q.Raw, name), Remove(raw, name); strings.Trim(got, "&") != strings.Trim(want, "&") {
			t.Errorf("the rest of %q became %q, want %q", raw, got, want)
		}
	})
}
