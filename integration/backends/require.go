package backends

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	tomcatHome = "/usr/share/tomcat10"
	servletAPI = tomcatHome + "/lib/servlet-api.jar"
)

// debianPackages names the package of a program where it is not the program's own name.
var debianPackages = map[string]string{
	"php":   "php-cli",
	"java":  "default-jdk-headless",
	"javac": "default-jdk-headless",
}

// Require ends the test, naming the Debian packages to install, unless all the
// named programs are there. "php-fpm" stands for any version of it, "tomcat10"
// for Debian's files of that name; all others are looked up in PATH.
func Require(t testing.TB, names ...string) {
	t.Helper()
	var missing, packages []string
	for _, name := range names {
		if program(name) != "" {
			continue
		}
		pkg := name
		if p, ok := debianPackages[name]; ok {
			pkg = p
		}
		missing = append(missing, name)
		if !slices.Contains(packages, pkg) {
			packages = append(packages, pkg)
		}
	}
	if missing != nil {
		t.Fatalf("not installed: %s; run `sh integration/install.sh`, or `apt-get install %s`",
			strings.Join(missing, ", "), strings.Join(packages, " "))
	}
}

// program returns where the named program is, or "".
func program(name string) string {
	switch name {
	case "php-fpm":
		return phpFPM()
	case "tomcat10":
		for _, file := range []string{tomcatHome + "/bin/bootstrap.jar", servletAPI} {
			if _, err := os.Stat(file); err != nil {
				return ""
			}
		}
		return tomcatHome
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

// phpFPM returns the newest php-fpm: Debian's carry their version in the name.
func phpFPM() string {
	if path, err := exec.LookPath("php-fpm"); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/sbin/php-fpm[0-9]*")
	slices.SortFunc(found, func(a, b string) int { // php-fpm8.2 < php-fpm8.10
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	for _, path := range slices.Backward(found) {
		if _, err := exec.LookPath(path); err == nil {
			return path
		}
	}
	return ""
}
