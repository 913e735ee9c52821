package backends

import (
	"embed"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Front is a front controller: one script that answers every path by the route that it
// finds for it. [Seen.App] is that route: "route login" of /app/login, "route app" of
// /app and all else below it, "route public" of /public, "route index" of /, "route u",
// "route v", "route w" and "route files" of those paths and all below, or "route none".
// [Seen.Captured] is what stands below.
type Front string

// The front controllers.
const (
	FrontPlain    Front = "plain"         // parse_url of REQUEST_URI
	FrontPathInfo Front = "pathinfo"      // PATH_INFO, or else REQUEST_URI as it is
	FrontURL      Front = "url"           // the parameter url, which a RewriteRule with the flag B makes of the path
	FrontURLTwice Front = "url without B" // likewise without it: the path is decoded by Apache and by PHP
	FrontSymfony  Front = "symfony"       // its kernel and router
	FrontLaravel  Front = "laravel"       // its request and router
	FrontSlim     Front = "slim"          // Slim 3
)

//go:embed php/routes.php php/front-*.php
var frontPHP embed.FS

// frontScripts are the scripts beside a front controller, with the echo: those of a
// directory, and those with other endings that Debian's mod_php runs.
var frontScripts = []string{"autologin.php", "dir/index.php", "plain/login.phtml", "plain/login.phar"}

// frontNeeds are what [Require] knows the front controllers by.
var frontNeeds = map[Front]string{FrontSymfony: "symfony", FrontLaravel: "laravel", FrontSlim: "slim"}

// WithFront has index.php be a front controller. Beside it stand autologin.php,
// dir/index.php, plain/login.phtml and plain/login.phar, which answer by themselves.
func WithFront(front Front) Option {
	return func(o *phpOptions) { o.front, o.modules = front, frontNeeds[front] != "" }
}

// writeFront writes index.php.
func (p *php) writeFront(t testing.TB, echo string) {
	t.Helper()
	if needs := frontNeeds[p.front]; needs != "" {
		Require(t, needs)
	}
	script, _, _ := strings.Cut(string(p.front), " ")
	routes, front := filepath.Join(p.dir, "routes.php"), filepath.Join(p.dir, "front.php")
	for to, from := range map[string]string{routes: "routes", front: "front-" + script} {
		text, err := frontPHP.ReadFile("php/" + from + ".php")
		if err != nil {
			t.Fatal(err)
		}
		write(t, to, text)
	}
	write(t, filepath.Join(p.root, "index.php"), fmt.Appendf(nil, "<?php\n$echo = '%s';\nrequire '%s';\nrequire '%s';\n", echo, routes, front))
}

// debianModules returns the directory of the php.ini files that load the modules which
// are installed.
func debianModules(t testing.TB) string {
	t.Helper()
	dir := newest("/etc/php/*/fpm/conf.d")
	if dir == "" {
		t.Fatal("no /etc/php/*/fpm/conf.d; run `sh integration/install.sh`")
	}
	return dir
}
