package backends

import (
	"os"
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

	"symfony": "php-symfony-http-kernel php-symfony-routing",
	"laravel": "php-laravel-framework",
	"slim":    "php-slim",
	"jetty9":  "libjetty9-java",
	"tt-rss":  "dbconfig-no-thanks tt-rss php-pgsql",
	"cacti":   "dbconfig-no-thanks cacti",

	"cc":          "gcc libc6-dev",
	"qemu-x86_64": "qemu-user",

	"promtool":        "prometheus",
	"fail2ban-regex":  "fail2ban",
	"fail2ban-client": "fail2ban",
	"systemd-analyze": "systemd",
}

// Require ends the test, naming the Debian packages to install, unless all the
// named programs are there. "php-fpm" and "mod_php" stand for any version of them;
// frameworks, applications and servlet containers stand for Debian's files; all others
// are looked up in PATH.
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
	case "jetty9":
		return jettyInstalled()
	case "symfony":
		return installed("/usr/share/php/Symfony/Component/HttpKernel/autoload.php", "/usr/share/php/Symfony/Component/Routing/autoload.php")
	case "laravel":
		return installed("/usr/share/php/Illuminate/Routing/autoload.php", "/usr/share/php/Illuminate/Events/autoload.php")
	case "slim":
		return installed("/usr/share/php/Slim/autoload.php")
	case "tt-rss":
		return installed(ttrssSchema, ttrssPages+"/index.php", newest("/usr/lib/php/*/pdo_pgsql.so"))
	case "cacti":
		return installed(cactiSchema, cactiPages+"/index.php", newest("/usr/lib/php/*/pdo_mysql.so"))
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
	case "nginx":
		return newest("/usr/sbin/nginx")
	}
	return ""
}

// installed returns the first of the files, or "" unless all are there.
func installed(files ...string) string {
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			return ""
		}
	}
	return files[0]
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
