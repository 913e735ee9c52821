// Package attacks has what is tried against the gateway: paths that enter what they do not
// name, and headers in which somebody is somebody else. The tests and the fuzzer share it.
package attacks

import (
	"fmt"
	"slices"
	"strings"
)

// Specimens are paths that entered what is protected, on one backend or another.
var Specimens = []string{
	// a nested definition had no other readings than its own
	"/app;x/login", "/x/..;/app/login", "/index.php/app/login", "/static/..;/app/login", "/public/..;/app",
	// .php without a slash behind it
	"/index.phpapp/login", "/index%2ephpapp/login", "/INDEX.phpapp/login", "/INDEX.PHPapp/login", "/index.ph%70app/login",
	"/autologin.phpfoo.php", "/autologin.php.php", "/autologin.php.", "/autologin.php.phpx", "/autologin.phpx/y.php",
	// a network path
	"//x/app/login", "//x:80/app/login", "//x:80//app/login", "//user@x/app/login", "///app/login", "//x/..//app/login", "//x:port/app/login",
	"/://app/login", "/x://app/login", "/x:80/app/login", "http://x/app/login", "//[::1]/app/login", "//x;/app/login", "//%78/app/login", "//x?/app/login",
	// other scripts
	"/plain/login.phtml", "/plain/login.phtml/", "/plain/login.phtml/x", "/plain/login.phar/", "/plain/login.PHTML/", "/plain/login.pht%6dl/x",
	// exact paths
	"/app/login/", "/app/login//", "/app/login/.", "/dir", "/dir/", "/dir/x", "/dir//index.php", "/dir/./index.php", "/dir/index.php/", "/dir/index.phpx", "/dir/index.php/x.php",
}

// Neighbours are paths like those that entered what is at the path: none of them is
// written down anywhere.
func Neighbours(path string) (all []string) {
	add := func(p ...string) { all = append(all, p...) }
	inner := strings.TrimPrefix(path, "/")
	for _, before := range []string{
		"", "/", "//", "/.", "/..", "/../..", "/./.", "/x/..", "/x/../y/..", "/x/%2e%2e", "/x/.%2e", "/x/%2E.", "/x/..;", "/x/..;a=b", "/x;y/..;z", "/x/%2e%2e;", "/x/..%3b",
		"/x%2f..", "/x/..%2f", "/x%2f%2e%2e%2f", "/x%5c..", "/x/..%5c", "/x/..\\", "/;", "/;x", "/;x=y", "/.;", "/.;x", "/%2e", "/%2e;", "/%3b", "/;/..;", "/public/..", "/public/..;", "/public/%2e%2e",
		"/public/..;x", "/public/;/..", "/public/.;/..;", "/public//..", "/public/..//", "/public/x/../..", "/public/index.php", "/public/index.php/..", "/public%2f..", "/public;x/..", "/public/..%00",
		"/index.php", "/index.php/", "/index.php//", "/index.php/.", "/index.php/x/..", "/index.php;", "/index.php;x", "/index.php%2f", "/index.php%00", "/index.php%20", "/index.php.", "/index.php/index.php",
		"/INDEX.PHP", "/Index.php", "/index.Php", "/index%2ephp", "/index%2Ephp", "/index.%70hp", "/%69ndex.php", "/index%252ephp", "//index.php", "/./index.php", "/x/../index.php", "/;/index.php", "/;x/index.php",
		"/app.php", "/nothing.php", "/a.php/b.php", "/x.php", "/autologin.php/..", "/autologin.php/../index.php", "/dir/../index.php", "/dir/index.php/..", "/dir/index.php",
		"//x", "//x/", "//x:80", "//x:80/", "//x:", "//x:99999", "//x:y", "//@x", "//u:p@x", "//[::1]", "//x;y", "//x%2f", "//.", "//..", "///x", "////x", "/x//", "/x:", "/x:1", "/x:/", "x:", "x://y", "http://x", "http:", "http:/", "//x\\", "/\\x",
		"/%00", "/x%00", "/%0a", "/%09", "/%20", "/%5c", "/\\", "/%2f", "/%2f%2f", "/%252f", "/%ef%bc%8f", "/%c0%af", "/?", "/%3f", "/%23",
	} {
		add(before+path, before+inner)
	}
	for _, behind := range []string{
		"/", "//", "/.", "/./", "/..", "/../", "/x/..", "/x/../", ";", ";x", ";x=y", ";jsessionid=1", "/;", "/;x", "%3b", "%3bx", ".", "..", "%2e", "%20", "+", "%09", "%0a", "%0d%0a", "%00", "%00x", "%00.css", "%00/", "%2f", "%2f%2e", "%5c", "\\", "%3f", "%3fx", "%23", "%23x", "%",
		".php", ".php/", ".phpx", ".php.php", "x.php", "/x.php", "/index.php", "index.php", ".css", "/x.css", ".PHP", "%2ephp", ".php%00", ".php;x", "~", "*", "/*", "%ff", "%c0%af", "%e0%80%af", "/%2e", "/%2e%2e", "/%2e%2e/", "//x", "/://x", "://x", ":80", "&x", "=", ",", "%26x", "!",
	} {
		add(path + behind)
	}
	for i := 0; i < len(path); i++ {
		before, c, behind := path[:i], path[i], path[i+1:]
		add(fmt.Sprintf("%s%%%02x%s", before, c, behind), fmt.Sprintf("%s%%%02X%s", before, c, behind), fmt.Sprintf("%s%%25%02x%s", before, c, behind))
		add(before+";x"+string(c)+behind, before+"%00"+string(c)+behind)
		if upper := strings.ToUpper(string(c)); upper != string(c) {
			add(before+upper+behind, fmt.Sprintf("%s%%%02x%s", before, upper[0], behind))
		}
		if c != '/' {
			continue
		}
		for _, slash := range []string{"//", "///", "/./", "/;/", "/;x/", "/.;/", "/.;x/", "/x/../", "/x/..;/", "/x/..;y/", "/%2e/", "/x/%2e%2e/", "%2f", "%2F", "%2f/", "\\", "%5c", "%5C", "/\\", "%252f", "/%00/", "%00/", "/%20/", "%u002f", "%ef%bc%8f", "%c0%af", "/..//", "/index.php/", "/index.php", ".php/", ";/", ";x=y/", ";jsessionid=1/", "%3b/", "%3bx/", "/%3b/", ".;/", "./", "%2e/", "/?/", ":80/", "://"} {
			add(before + slash + behind)
		}
	}
	all = slices.DeleteFunc(all, func(p string) bool { return strings.ContainsAny(p, " \r\n") })
	slices.Sort(all)
	return slices.Compact(all)
}
