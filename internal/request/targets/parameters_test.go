package targets

import (
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// FuzzCutPathParameters: the rest is what was there, without whole parameters of the
// names; no other path comes of it than one without its parameters.
func FuzzCutPathParameters(f *testing.F) {
	names := query.NewPatterns(backend.Strict, []string{"jsessionid", "sid*"})
	for _, path := range []string{
		"/", "", "/x;jsessionid=1", "/;jsessionid=1/x", "/..;JSESSIONID/x", "/a;b=1;sid9=2/c;;", "http://h;sid/x", "/%2e;j%73essionid=1", "/a;jsessionid=1;v",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		left := cutPathParameters(path, names)
		if cutPathParameters(left, names) != left {
			t.Errorf("%q: %q is not all that can be cut", path, left)
		}
		before, after := strings.Split(path, "/"), strings.Split(left, "/")
		if len(before) != len(after) {
			t.Fatalf("%q: %q has other segments", path, left)
		}
		for i := range before {
			name, _, _ := strings.Cut(before[i], ";")
			rest, parameters, _ := strings.Cut(after[i], ";")
			if name != rest {
				t.Errorf("%q: %q", path, left)
			}
			if after[i] == name && before[i] != name && i < len(before)-1 {
				t.Errorf("%q: %q reads as another path to those who know no parameters", path, left)
			}
			for parameter := range strings.SplitSeq(parameters, ";") {
				if key, _, _ := strings.Cut(parameter, "="); names.Has(key) {
					t.Errorf("%q: %q still has %q", path, left, key)
				}
			}
		}
	})
}
