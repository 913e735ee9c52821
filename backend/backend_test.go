package backend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRulesAreTested: each rule has a test in the package that answers it, in a subtest with
// the rule's own name: that is where a newcomer finds it, and what is run when the rule is
// taken out.
func TestRulesAreTested(t *testing.T) {
	for i, r := range Rules {
		if int(r.Rule) >= len(Rules) || r.Name == "" || r.Answers == "" {
			t.Errorf("row %d: %+v", i, r)
		}
		if !r.PHP && !r.Servlet && !r.Strict || (r.PHP || r.Servlet) && !r.Strict {
			t.Errorf("%s: strict holds for every backend", r.Name)
		}
		test, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(r.Package), "rules_test.go"))
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
			continue
		}
		if !strings.Contains(string(test), `"`+r.Name+`"`) {
			t.Errorf("%s/rules_test.go has no subtest %s", r.Package, r.Name)
		}
	}
}

// TestParseProfile: the names of profiles, and what is none.
func TestParseProfile(t *testing.T) {
	for name, want := range map[string]Profile{"": Strict, "strict": Strict, "php": PHP, "servlet": Servlet} {
		if got, err := ParseProfile(name); err != nil || got != want || name != "" && got.String() != name {
			t.Errorf("%q: %s, error %v", name, got, err)
		}
	}
	for _, name := range []string{"PHP", "java", "tomcat", " php"} {
		if _, err := ParseProfile(name); err == nil || !strings.Contains(err.Error(), "write strict, php or servlet") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}
