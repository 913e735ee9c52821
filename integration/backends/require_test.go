package backends

import (
	"fmt"
	"strings"
	"testing"
)

// fatalTB records what ends the test.
type fatalTB struct {
	testing.TB
	message string
}

func (*fatalTB) Helper() {}

func (t *fatalTB) Fatalf(format string, args ...any) { t.message = fmt.Sprintf(format, args...) }

func TestRequireNamesThePackages(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var tb fatalTB
	Require(&tb, "php", "java", "javac", "curl")
	for _, want := range []string{"not installed: php, java, javac, curl;", "apt-get install php-cli default-jdk-headless curl`"} {
		if !strings.Contains(tb.message, want) {
			t.Errorf("%q does not say %q", tb.message, want)
		}
	}
}
