package headers

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestAttackUnwatchedOutput: a header that some definition sets is watched in every
// spelling, however long it is, and however many there are.
func TestAttackUnwatchedOutput(t *testing.T) {
	long := "y-" + strings.Repeat("long-", 20) + "name"
	w := NewWatched(nil).With([]string{"X-Account", long}).With([]string{"x-account", "X-Verified-Mailing", "Remote-User", "X-Acc"})
	if want := []string{"x-account", long, "remote-user", "x-acc"}; !slices.Equal(w.outputs, want) {
		t.Errorf("%q is watched, want %q", w.outputs, want)
	}
	for _, name := range w.outputs {
		for _, spelled := range []string{
			name, strings.ToUpper(name), http.CanonicalHeaderKey(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."),
		} {
			if !w.Names.Has(spelled) || !w.Leads.On(spelled) {
				t.Errorf("the guard passes over %q", spelled)
			}
		}
	}
	for _, name := range []string{"", "Cookie", "X-Accounts", "X-Ac", "Remote-Users"} {
		if w.Names.Has(name) {
			t.Errorf("the guard looks at %q", name)
		}
	}
}
