package backends

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// debianPackages names the package of a program where it is not the program's own name.
var debianPackages = map[string]string{
	"php":     "php-cli",
	"apache2": "apache2-bin",
	"mod_php": "libapache2-mod-php",
	"tomcat9": "libtomcat9-java",
	"java":    "default-jdk-headless",
	"javac":   "default-jdk-headless",

	"mariadbd":           "mariadb-server",
	"mariadb-install-db": "mariadb-server",

	"promtool":        "prometheus",
	"fail2ban-regex":  "fail2ban",
	"fail2ban-client": "fail2ban",
	"systemd-analyze": "systemd",
}

// Require ends the test, naming the Debian packages to install, unless all the
// named programs are there. "php-fpm" and "mod_php" stand for any version of them,
// "tomcat10" and "tomcat9" for Debian's files; all others are looked up in PATH.
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
	case "mod_php":
		return newest("/usr/lib/apache2/modules/libphp[0-9]*.so")
	case tomcat10.name:
		return tomcat10.installed()
	case tomcat9.name:
		return tomcat9.installed()
	case "postgresql":
		return postgresBin()
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	switch name { // not in everybody's PATH
	case "php-fpm":
		return newest("/usr/sbin/php-fpm[0-9]*")
	case "apache2":
		return newest("/usr/sbin/apache2")
	case "mariadbd":
		return newest("/usr/sbin/mariadbd")
	}
	return ""
}

// newest returns the newest of the files: Debian's carry their version in the name.
func newest(pattern string) string {
	found, _ := filepath.Glob(pattern)
	if len(found) == 0 {
		return ""
	}
	return slices.MaxFunc(found, func(a, b string) int { // php-fpm8.2 < php-fpm8.10
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}
