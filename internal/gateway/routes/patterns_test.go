package routes

import (
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func paths(patterns ...string) caddyhttp.MatcherSets {
	m := caddyhttp.MatchPath(patterns)
	return caddyhttp.MatcherSets{{&m}}
}

// TestApart: two matchers are apart only if no path is in both; what cannot be compared
// is not.
func TestApart(t *testing.T) {
	for _, tc := range []struct {
		a, b  string
		apart bool
	}{
		{"/a", "/b", true},
		{"/a", "/a", false},
		{"/a", "/A", false},
		{"/a", "/a/", true},
		{"/a", "/a/*", true},
		{"/a", "/a*", false},
		{"/a/*", "/a/b", false},
		{"/a/*", "/a/b/*", false},
		{"/a/*", "/ab/*", true},
		{"/a*", "/ab/*", false},
		{"/public/*", "/app/*", true},
		{"/*", "/a", false},
		{"*", "/a", false},
		{"*.php", "/a", false},
		{"/a/*/c", "/b", false},
		{"/a?", "/b", false},
		{"/[a]", "/b", false},
		{"/{http.request.host}", "/b", false},
		{"/%61", "/b", false},
		{"//a", "/b", false},
	} {
		for _, swap := range []bool{false, true} {
			a, b := tc.a, tc.b
			if swap {
				a, b = b, a
			}
			one, two := chain{{matcher: paths(a)}}, chain{{matcher: paths(b)}}
			if got := apart(one.bounds(), two.bounds()); got != tc.apart {
				t.Errorf("%s and %s: apart is %v", a, b, got)
			}
		}
	}
	// one of several sets without a path is every path
	mixed := append(paths("/a"), caddyhttp.MatcherSet{&caddyhttp.MatchMethod{"GET"}})
	one, two := chain{{matcher: mixed}}, chain{{matcher: paths("/b")}}
	if apart(one.bounds(), two.bounds()) {
		t.Error("a set without a path matcher is apart")
	}
	// each level bounds the path
	three := chain{{matcher: nil}, {matcher: paths("/a/*")}, {matcher: paths("*.php")}}
	if !apart(three.bounds(), two.bounds()) {
		t.Error("an outer level is not looked at")
	}
}

// FuzzApart: what is said to be apart is apart for Caddy's own matcher.
func FuzzApart(f *testing.F) {
	f.Add("/a/*", "/ab", "/ab")
	f.Add("/a*", "/a/b/*", "/a/b/c")
	f.Add("/A", "/a", "/a")
	f.Add("/x/*", "/y/*", "/x/../y/z")
	f.Fuzz(func(t *testing.T, a, b, path string) {
		x, ok := literal([]string{a})
		y, also := literal([]string{b})
		if !ok || !also || !x[0].disjoint(y[0]) {
			return
		}
		if x[0].matches(path) && y[0].matches(path) {
			t.Errorf("%q is in %q and %q", path, a, b)
		}
		if x[0].disjoint(y[0]) != y[0].disjoint(x[0]) {
			t.Errorf("%q and %q: the order matters", a, b)
		}
	})
}

// TestCovers: an elder route shadows a definition only if it takes all of its requests.
func TestCovers(t *testing.T) {
	bounds := func(patterns ...string) [][]pattern {
		own, ok := literal(patterns)
		if !ok {
			t.Fatal(patterns)
		}
		return [][]pattern{own}
	}
	for _, tc := range []struct {
		elder  caddyhttp.MatcherSets
		bounds [][]pattern
		covers bool
	}{
		{nil, nil, true},
		{caddyhttp.MatcherSets{{}}, bounds("/app"), true},
		{paths("*"), bounds("/app"), true},
		{paths("/*"), nil, true},
		{paths("/ap*"), bounds("/app", "/app/*"), true},
		{paths("/app", "/app/*"), bounds("/app", "/app/*"), true},
		{paths("/app/*"), bounds("/app", "/app/*"), false},
		{paths("/app/static/*"), bounds("/app/*"), false},
		{paths("/ap*"), nil, false},
		{append(paths("/app"), paths("/app/*")...), bounds("/app", "/app/*"), true},
		{caddyhttp.MatcherSets{{paths("/ap*")[0][0], &caddyhttp.MatchMethod{"GET"}}}, bounds("/app"), false},
	} {
		if got := covers(tc.elder, tc.bounds); got != tc.covers {
			t.Errorf("%v covers %v: %v", tc.elder, tc.bounds, got)
		}
	}
}

// TestEntrance: what a lookup of files makes of a path that the matcher does not match.
func TestEntrance(t *testing.T) {
	const path = "{http.request.uri.path}"
	for _, tc := range []struct {
		patterns []string
		try      string
		want     string // "": none
	}{
		{[]string{"/dir/index.php"}, path + "/index.php", "/dir/"},
		{[]string{"/dir/index.php", "/dir/index.php/*"}, path + "/index.php", "/dir/"},
		{[]string{"/dir/*"}, path + "/index.php", "/dir"},
		{[]string{"/dir", "/dir/*"}, path + "/index.php", ""},
		{[]string{"/dir*"}, path + "/index.php", ""},
		{[]string{"/app", "/app/*"}, path, ""},
		{[]string{"/app", "/app/*"}, "index.php", ""},
		{[]string{"/index.php"}, "index.php", "/…"},
		{[]string{"/index.php*"}, "/index.php", "/…"},
		{[]string{"/autologin.php"}, path + ".php", "/autologin"},
		{[]string{"/autologin.php"}, "autologin.php", "/…"},
		{[]string{"/app/*"}, "/app/index.php", "/…"},
		{[]string{"/app/*"}, "=404", ""},
		{[]string{"/AutoLogin.php"}, path + ".PHP", "/autologin"},
	} {
		patterns, ok := literal(tc.patterns)
		if !ok {
			t.Fatal(tc.patterns)
		}
		if got, found := entrance(patterns, tc.try); got != tc.want || found != (tc.want != "") {
			t.Errorf("%v, %s: %q %v, want %q", tc.patterns, tc.try, got, found, tc.want)
		}
	}
}
