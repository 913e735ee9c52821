package query

import (
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
)

// TestPatterns: names and beginnings of names, in every reading of the profile.
func TestPatterns(t *testing.T) {
	names := []string{"PHPSESSID", "php.sess", "wp_*", "a"}
	for _, tc := range []struct {
		name                 string
		php, servlet, strict bool
	}{
		{"PHPSESSID", true, true, true},
		{"PHPSESSIDS", false, false, false},
		{"phpsessid", false, false, true},
		{"PHPSESSID[]", true, false, true},
		{"PHPSESSID[x]y", true, false, true},
		{" PHPSESSID", true, false, true},
		{"PHP%53ESSID", true, true, true},
		{"PHPSESSID%00x", true, false, true},
		{"PHPSESSID\x00x", true, false, true},
		{"php.sess", true, true, true},
		{"php_sess", true, false, true},
		{"php+sess", true, false, true},
		{"php[sess", true, false, true},
		{"php-sess", false, false, true},
		{"wp_", true, true, true},
		{"wp_1", true, true, true},
		{"wp.1", true, false, true},
		{"wp%5F1", true, true, true},
		{"wp", false, false, true}, // trailing '_' is none to the most lenient
		{"WP_1", false, false, true},
		{"xwp_1", false, false, false},
		{"a", true, true, true},
		{"ab", false, false, false},
		{"%61", true, true, true},
		{"", false, false, false},
		{"%zz", false, false, false},
		{strings.Repeat("wp_", 1000), true, true, true},
	} {
		for profile, want := range map[backend.Profile]bool{backend.PHP: tc.php, backend.Servlet: tc.servlet, backend.Strict: tc.strict} {
			if got := NewPatterns(profile, names).Has(tc.name); got != want {
				t.Errorf("%s: %.40q is one: %t", profile, tc.name, got)
			}
		}
	}
	if p := NewPatterns(backend.Strict, []string{"_*"}); p.Has("PHPSESSID") || p.Has("") || !p.Has("_ga") {
		t.Error("an underscore begins every name")
	}
	var none *Patterns
	if none.Has("a") || NewPatterns(backend.Strict, nil).Has("") {
		t.Error("an empty set has something")
	}
	p := NewPatterns(backend.Strict, names)
	if n := testing.AllocsPerRun(10, func() { p.Has("some_cookie%20x") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzPatterns: a name that is meant is found as it is and escaped, by every profile, and
// with it what begins so.
func FuzzPatterns(f *testing.F) {
	for _, name := range []string{"PHPSESSID", "php.sess", "wordpress_logged_in_0", "a[b", "ſid", "%75", "x\x00y", "__Host-a"} {
		f.Add(name, "x")
	}
	f.Fuzz(func(t *testing.T, name, rest string) {
		if name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") != "" || strings.Trim(name, "*") == "" {
			return // no name of a cookie
		}
		for _, profile := range []backend.Profile{backend.PHP, backend.Servlet, backend.Strict} {
			exact, begins := NewPatterns(profile, []string{strings.TrimSuffix(name, "*")}), NewPatterns(profile, []string{name + "*"})
			plain := strings.TrimSuffix(name, "*")
			if !exact.Has(plain) || !begins.Has(name) {
				t.Errorf("%s: %q is not found", profile, name)
			}
			if !exact.Has(Escape(plain)) {
				t.Errorf("%s: %q is not found escaped", profile, plain)
			}
			_ = begins.Has(name + rest)
		}
	})
}
