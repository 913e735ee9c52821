package query

import (
	"slices"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
)

// Where a rule holds, written out: a test that asked the table would pass without the row.
var (
	everywhere = []backend.Profile{backend.Strict, backend.PHP, backend.Servlet}
	underPHP   = []backend.Profile{backend.Strict, backend.PHP}
	strictly   = []backend.Profile{backend.Strict}
)

// TestRules: each rule about names finds what a backend with that rule takes for the name,
// and under a profile without it the same bytes are another parameter.
func TestRules(t *testing.T) {
	for rule, tc := range map[string]struct {
		holds    []backend.Profile
		name     string
		segments []string
	}{
		"decoded_name":          {everywhere, "user", []string{"us%65r=x", "%75ser", "us%65r"}},
		"leading_blank":         {underPHP, "user", []string{"+user=x", "%20user=x"}},
		"leading_question_mark": {underPHP, "user", []string{"?user=x"}},
		"nul_tail":              {underPHP, "user", []string{"user%00=x", "user%00tail=x"}},
		"array_name":            {underPHP, "user", []string{"user[]=x", "user[a]=x", "user[a]y=x", "user%5B%5D=x"}},
		"underscore_name":       {underPHP, "user_id", []string{"user.id=x", "user+id=x", "user%20id=x", "user[id=x"}},
		"semicolon_separator":   {underPHP, "user", []string{"a=1;user=x", ";user=x"}},
		"html_escaped_name":     {everywhere, "user", []string{"amp;user=x"}},
		"any_case":              {strictly, "user", []string{"USER=x", "User=x"}},
		"dash_dot_underscore":   {strictly, "user_id", []string{"user-id=x"}},
		"stray_bracket":         {strictly, "user", []string{"user]=x"}},
		"invisible_character":   {strictly, "user", []string{"us%E2%80%8Ber=x", "us%07er=x", "user%C2%A0=x"}},
		"full_width_letter":     {strictly, "user", []string{"%EF%BD%95ser=x"}},
		"percent_u":             {strictly, "user", []string{"%u0075ser=x"}},
	} {
		t.Run(rule, func(t *testing.T) {
			for _, profile := range []backend.Profile{backend.Strict, backend.PHP, backend.Servlet} {
				names, err := NewNames(profile, []string{tc.name})
				if err != nil {
					t.Fatal(err)
				}
				for _, segment := range tc.segments {
					_, spelling := names.Classify(segment)
					if found := spelling != Other; found != slices.Contains(tc.holds, profile) {
						t.Errorf("%s: %q is taken for %s: %t", profile, segment, tc.name, found)
					}
				}
			}
		})
	}
	t.Run("second_query", func(t *testing.T) {
		for _, profile := range []backend.Profile{backend.Strict, backend.PHP, backend.Servlet} {
			names, err := NewNames(profile, []string{"user"})
			if err != nil {
				t.Fatal(err)
			}
			found := names.SpellsSecond("/app?user=x", func(int) bool { return true })
			if found != slices.Contains(underPHP, profile) {
				t.Errorf("%s: a second query is looked at: %t", profile, found)
			}
		}
	})
	t.Run("semicolon_in_value", func(t *testing.T) { unsteady(t, everywhere, "a=1;2", "semicolon") })
	t.Run("broken_escape_in_value", func(t *testing.T) { unsteady(t, everywhere, "a=1%", "escape") })
}

// unsteady: a query whose message covers all parameters is refused for a value that
// backends with the rule read in two ways.
func unsteady(t *testing.T, holds []backend.Profile, raw, detail string) {
	t.Helper()
	var q Query
	if err := q.Parse(raw); err != nil {
		t.Fatal(err)
	}
	for _, profile := range []backend.Profile{backend.Strict, backend.PHP, backend.Servlet} {
		got := q.Unsteady(profile, func(string) bool { return false })
		if want := map[bool]string{true: detail}[slices.Contains(holds, profile)]; got != want {
			t.Errorf("%s: %q is %q, want %q", profile, raw, got, want)
		}
	}
}
