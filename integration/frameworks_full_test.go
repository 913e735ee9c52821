//go:build integration && full

package integration

import (
	"slices"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

func jetty(t testing.TB) application {
	return application{name: "jetty9", address: backends.StartJetty(t).Address}
}

// rewriting is Apache with a RewriteRule that hands what is no file to index.php.
func rewriting(t testing.TB, which backends.Front) application {
	return application{name: "apache " + string(which), php: true, address: backends.StartApache(t, backends.WithFront(which)).Address}
}

func nginx(t testing.TB, which backends.Front) application {
	return application{name: "nginx " + string(which), php: true, address: backends.StartNginx(t, backends.WithFront(which)).Address}
}

// scriptsByProxy are scripts that a web server behind the gateway runs: Debian's mod_php
// also those that end in .phtml and .phar.
var scriptsByProxy = []protection{
	{name: "a script", bases: []string{"/autologin.php"}, script: "autologin.php", site: "@m path /autologin.php /autologin.php/*\nsigned_link @m SCHEME\nPROXY"},
	{name: "the script of a directory", bases: []string{"/dir/index.php"}, script: "dir/index.php", site: "@m path /dir/index.php /dir/index.php/*\nsigned_link @m SCHEME\nPROXY"},
	{name: "phtml", bases: []string{"/plain/login.phtml"}, script: "plain/login.phtml", site: "@m path /plain/login.phtml\nsigned_link @m SCHEME\nPROXY"},
	{name: "phar", bases: []string{"/plain/login.phar"}, script: "plain/login.phar", site: "@m path /plain/login.phar\nsigned_link @m SCHEME\nPROXY"},
	{name: "all scripts", bases: []string{"/autologin.php"}, script: "autologin.php", site: "@m path *.php\nsigned_link @m SCHEME\nPROXY"},
}

func TestFullPathsLaravel(t *testing.T) {
	t.Parallel()
	testPaths(t, front(t, backends.FrontLaravel), protections[:7], 20)
}

func TestFullPathsSlim(t *testing.T) {
	t.Parallel()
	testPaths(t, front(t, backends.FrontSlim), protections[:7], 20)
}

func TestFullPathsJetty(t *testing.T) {
	t.Parallel()
	testPaths(t, jetty(t), protections, 20)
}

func TestFullPathsTomcat9(t *testing.T) {
	t.Parallel()
	testPaths(t, tomcat9(t), protections, 20)
}

func TestFullPathsApache(t *testing.T) {
	t.Parallel()
	b := rewriting(t, backends.FrontPlain)
	testPaths(t, b, protections, 20)
	testPaths(t, b, scriptsByProxy, 5)
}

func TestFullPathsApacheURL(t *testing.T) {
	t.Parallel()
	for _, which := range []backends.Front{backends.FrontURL, backends.FrontURLTwice} {
		t.Run(string(which), func(t *testing.T) {
			t.Parallel()
			testPaths(t, rewriting(t, which), protections, 20)
		})
	}
}

func TestFullPathsNginx(t *testing.T) {
	t.Parallel()
	for _, which := range []backends.Front{backends.FrontPlain, backends.FrontSymfony, backends.FrontLaravel} {
		t.Run(string(which), func(t *testing.T) {
			t.Parallel()
			b := nginx(t, which)
			testPaths(t, b, protections, 20)
			if which == backends.FrontPlain {
				testPaths(t, b, scriptsByProxy[:2], 5)
			}
		})
	}
}

func TestFullForgedIdentities(t *testing.T) {
	t.Parallel()
	for _, b := range []application{
		jetty(t), tomcat9(t), rewriting(t, backends.FrontURL), nginx(t, backends.FrontPlain), front(t, backends.FrontLaravel), front(t, backends.FrontSlim), phpServer(t),
	} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			testForgedIdentities(t, b)
		})
	}
}

func TestFullForgedAuthorization(t *testing.T) {
	t.Parallel()
	for _, b := range []application{jetty(t), rewriting(t, backends.FrontPlain), nginx(t, backends.FrontPlain), front(t, backends.FrontLaravel)} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			testForgedAuthorization(t, b)
		})
	}
}

// inPath is a definition of links in the path.
func inPath(line string) string {
	return "keyed_hash {env.LINK_SECRET} {\nalgorithm md5\nmessage {link.id}{secret}\npath /u/<id>/<signature> to /v/{link.id}\nparam {link.id} alnum max 32\nuser {link.id}\nbackend php\n" + line + "\n}"
}

// TestFullRouteIsNoPath: where the route is a parameter, the path is not what has to be
// protected, and the gateway cannot know the parameter's name. The row of
// docs/threat-model.md is tested here: a definition on the path alone does not protect such
// routes, one on every path does.
func TestFullRouteIsNoPath(t *testing.T) {
	t.Parallel()
	p := protections[0]
	paths := []string{"/public/x?url=app/login", "/?url=app/login", "/index.php?url=app/login"}
	for _, which := range []backends.Front{backends.FrontURL, backends.FrontURLTwice} {
		t.Run(string(which), func(t *testing.T) {
			t.Parallel()
			b := rewriting(t, which)
			g := gateway.Start(t, gateway.Config{Env: secrets, Quiet: true, Sites: map[string]string{
				"path": p.write(b, "php"),
				"all":  "signed_link " + scheme("php") + "\n" + b.proxy(b.address),
				// likewise where a link stands in the path, and the parameter beside it is unsigned
				"links":  "signed_link " + inPath("") + "\n" + b.proxy(b.address),
				"signed": "signed_link " + inPath("unsigned strip") + "\n" + b.proxy(b.address),
			}})
			link := "/u/42/" + key("42")
			for _, query := range []string{"url=app/login", "url=v/43", "%75rl=v/43", "url[]=v/43", "a=b&url=v%2f43"} {
				if saw, r, err := sendGet(g.Address("signed"), link, query); err != nil || saw == nil || saw.App != "route v" || !slices.Equal(saw.Params["url"], []string{"v/42"}) {
					t.Errorf("%s: err %v: the application has not asked for what was signed: %s", query, err, describe([]*gateway.Response{r}))
				}
			}
			if saw, _, err := sendGet(g.Address("links"), link, "url=app/login"); err != nil || saw == nil || !p.ran(saw) {
				t.Errorf("err %v: the page on paths says that it leads elsewhere", err)
			}
			for _, path := range paths {
				if saw, _, err := sendGet(g.Address("path"), path, "user=mike"); err != nil || saw == nil || !p.ran(saw) {
					t.Errorf("%s: err %v: the row of the threat model says that it enters", path, err)
				}
				if saw, _, err := sendGet(g.Address("all"), path, "user=mike"); err != nil || saw != nil {
					t.Errorf("%s: err %v: the application has answered where every path needs a link", path, err)
				}
			}
		})
	}
}
