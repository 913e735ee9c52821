//go:build integration

package integration

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/attacks"
	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

// front is PHP-FPM with a front controller.
func front(t testing.TB, which backends.Front) application {
	f := backends.StartFPM(t, backends.WithFront(which))
	return application{name: string(which), php: true, address: f.Address, root: f.Root}
}

// protection is a way to write the definition that protects something. PROXY is what
// hands requests to the backend, SCHEME what follows the matcher of the definition.
type protection struct {
	name string
	site string
	// bases are honest addresses of what is protected.
	bases []string
	// php has it for PHP-FPM only.
	php bool
	// script is the script that is protected; empty: the application under /app.
	script string
}

const guardedApp = "@m path /app /app/*\n"

var appPaths = []string{"/app/login", "/app", "/app/x/y"}

// protections are the ways that the documentation has, and those that operators write.
var protections = []protection{
	{name: "at the site", bases: appPaths, site: guardedApp + "signed_link @m SCHEME\nPROXY"},
	{name: "nested", bases: appPaths, site: guardedApp + "signed_link guard\nhandle @m {\nsigned_link SCHEME\nPROXY}\nhandle {\nPROXY}\n"},
	{name: "nested below", bases: []string{"/app/login", "/app/x/y"}, site: "signed_link guard\nhandle /app/* {\nsigned_link SCHEME\nPROXY}\nhandle {\nPROXY}\n"},
	{name: "nested twice", bases: []string{"/app/login", "/app/x/y"}, site: "signed_link guard\nhandle /app/* {\nhandle /app/login* {\nsigned_link SCHEME\nPROXY}\nhandle {\nsigned_link SCHEME\nPROXY}\n}\nhandle {\nPROXY}\n"},
	{
		name: "before handle_path", bases: []string{"/app/login", "/v1/app/login", "/v1/app"},
		site: guardedApp + "signed_link @m SCHEME\nhandle_path /v1/* {\nPROXY}\nhandle {\nPROXY}\n",
	},
	{
		name: "before strip_prefix", bases: []string{"/app/login", "/v1/app/login", "/v1/app"},
		site: guardedApp + "signed_link @m SCHEME\nuri /v1/* strip_prefix /v1\nPROXY",
	},
	{
		name: "before a fixed rewrite", bases: []string{"/app/login", "/short"},
		site: guardedApp + "signed_link @m SCHEME\nrewrite /short /app/login?{query}\nPROXY",
	},
	{
		name: "a script", bases: []string{"/autologin.php"}, php: true, script: "autologin.php",
		site: "@m path /autologin.php /autologin.php/*\nsigned_link @m SCHEME\nPROXY",
	},
	{
		name: "the script of a directory", bases: []string{"/dir/index.php"}, php: true, script: "dir/index.php",
		site: "@m path /dir/index.php /dir/index.php/*\nsigned_link @m SCHEME\nPROXY",
	},
	{
		name: "all scripts", bases: []string{"/autologin.php", "/dir/index.php"}, php: true, script: "autologin.php",
		site: "@m path *.php\nsigned_link @m SCHEME\nPROXY",
	},
	{
		name: "a script without index", bases: []string{"/autologin.php"}, php: true, script: "autologin.php",
		site: "@m path /autologin.php /autologin.php/*\nsigned_link @m SCHEME\nroot ROOT\nphp_fastcgi FPM {\nindex off\n}\n",
	},
	{
		name: "a script behind the plain transport", bases: []string{"/autologin.php"}, php: true, script: "autologin.php",
		site: "@m path /autologin.php /autologin.php/*\nsigned_link @m SCHEME\nreverse_proxy FPM {\ntransport fastcgi {\nroot ROOT\nsplit .php\n}\n}\n",
	},
}

// ran tells whether what is protected has answered.
func (p protection) ran(s *backends.Seen) bool {
	if p.script != "" {
		return s.App == p.script && !p.lookedUp(s)
	}
	switch s.App {
	case "route app", "route login", "/app":
		return true
	}
	return false
}

// lookedUp tells whether PHP's server found the script for a path that does not name it,
// as /dir/index.php for /dir/: that is a finding when the gateway loads, and the
// operator's to write down.
func (p protection) lookedUp(s *backends.Seen) bool {
	path, _, _ := strings.Cut(s.RequestURI, "?")
	_, file, _ := strings.Cut(p.script, "/")
	return file != "" && !strings.Contains(strings.ToLower(unescape(path)), file)
}

// scheme is the definition's rest, with the profile.
func scheme(profile string) string {
	return "keyed_hash {env.LINK_SECRET} {\nalgorithm md5\nmessage {query.user}{secret}\nsignature {query.key}\nparam user alnum max 32\nbackend " + profile + "\n}"
}

// write is the site in front of the backend.
func (p protection) write(b application, profile string) string {
	return strings.NewReplacer("SCHEME", scheme(profile), "PROXY", b.proxy(b.address), "ROOT", b.root, "FPM", b.address).Replace(p.site)
}

// pathsFor are all paths that are sent to the site.
func (p protection) pathsFor() []string {
	all := slices.Clone(attacks.Specimens)
	for _, base := range p.bases {
		all = append(all, attacks.Neighbours(base)...)
	}
	if !strings.Contains(p.site, "path /app /app/*") { // then /app itself is open
		all = slices.DeleteFunc(all, func(path string) bool { return strings.HasSuffix(path, "/app") })
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// get is a GET whose target is sent as it is.
func get(path, query string, fields ...gateway.Field) []byte {
	var b strings.Builder
	target := path + "?" + query
	if strings.Contains(path, "?") {
		target = path + "&" + query
	}
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", target, gateway.Host)
	for _, f := range fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// sendGet sends a GET and returns what the application saw, and the answer.
func sendGet(address, path, query string, fields ...gateway.Field) (*backends.Seen, *gateway.Response, error) {
	responses, err := gateway.SendHTTP1(address, "GET", get(path, query, fields...), false)
	if err != nil || len(responses) == 0 {
		return nil, nil, err
	}
	return seen(responses[0]), responses[0], nil
}

func sendGetHTTP2(address, path, query string) (*backends.Seen, *gateway.Response, error) {
	response, err := gateway.SendHTTP2(address, []gateway.Field{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: gateway.Host}, {Name: ":path", Value: path + "?" + query},
	}, nil, nil)
	return seen(response), response, err
}

// each does the work for every item, a few at a time.
func each[T any](items []T, work func(T)) {
	var group sync.WaitGroup
	jobs := make(chan T)
	for range 4 {
		group.Go(func() {
			for item := range jobs {
				work(item)
			}
		})
	}
	for _, item := range items {
		jobs <- item
	}
	close(jobs)
	group.Wait()
}

// testPaths sends paths without a link, and with one, to every protection of the backend.
// The promise is broken where what is protected has run without a verified link. least is
// how many paths must enter it where there is no gateway: so many attacks are tried.
func testPaths(t *testing.T, b application, protections []protection, least int) {
	t.Helper()
	profiles := []string{"strict", "servlet"}
	if b.php {
		profiles[1] = "php"
	}
	sites, open := map[string]string{}, map[string]string{}
	for _, p := range protections {
		if p.php && b.root == "" {
			continue
		}
		for _, profile := range profiles {
			sites[p.name+" "+profile] = p.write(b, profile)
		}
		// the same without a gateway
		var without []string
		for line := range strings.Lines(strings.NewReplacer("PROXY", b.proxy(b.address), "ROOT", b.root, "FPM", b.address).Replace(p.site)) {
			if !strings.HasPrefix(line, "signed_link ") {
				without = append(without, line)
			}
		}
		open[p.name] = strings.Join(without, "")
	}
	const servers = "max_header_size 1MB"
	g := gateway.Start(t, gateway.Config{Env: secrets, Servers: servers, Sites: sites, Quiet: true})
	plain := gateway.Start(t, gateway.Config{Servers: servers, Sites: open, Quiet: true})
	for _, p := range protections {
		if open[p.name] == "" {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			paths := p.pathsFor()
			entered := p.enter(t, plain.Address(p.name), paths)
			if len(entered) < least {
				t.Errorf("without a gateway only %d of %d paths enter: these are no attacks", len(entered), len(paths))
			}
			for _, profile := range profiles {
				t.Run(profile, func(t *testing.T) {
					p.test(t, g.Address(p.name+" "+profile), paths, entered)
				})
			}
		})
	}
	t.Cleanup(func() {
		if strings.Contains(g.Log(), "panic") {
			t.Error("the gateway panicked")
		}
	})
}

// enter returns the paths that enter what is protected.
func (p protection) enter(t *testing.T, address string, paths []string) []string {
	t.Helper()
	var mu sync.Mutex
	entered := map[string]bool{}
	each(paths, func(path string) {
		saw, _, err := sendGet(address, path, "user=mike")
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
		}
		if saw != nil && p.ran(saw) {
			entered[path] = true
		}
	})
	return slices.Sorted(maps.Keys(entered))
}

func (p protection) test(t *testing.T, address string, paths, entered []string) {
	t.Helper()
	link := "user=jeff&key=" + key("jeff")
	for _, base := range p.bases {
		if !slices.Contains(entered, base) {
			continue // the backend sees the path before it was rewritten, or another script runs
		}
		if saw, r, err := sendGet(address, base, link); err != nil || saw == nil || !p.ran(saw) || !slices.Equal(saw.Header("X-Verified-User"), []string{"jeff"}) {
			t.Errorf("an honest link to %s is refused: %v %s", base, err, describe([]*gateway.Response{r}))
		}
	}
	var broken violations
	each(paths, func(path string) {
		saw, r, err := sendGet(address, path, "user=mike")
		broken.check(path, "no link", p, saw, r, err)
	})
	each(entered, func(path string) {
		saw, r, err := sendGet(address, path, link)
		broken.checkLink(path, p, saw, r, err)
		saw, r, err = sendGetHTTP2(address, path, "user=mike")
		broken.check(path, "h2c, no link", p, saw, r, err)
	})
	broken.report(t, len(paths), len(entered))
}

// violations are the promises that were broken.
type violations struct {
	mu   sync.Mutex
	list []string
}

func (v *violations) add(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = append(v.list, fmt.Sprintf(format, args...))
}

// check judges the answer to a request without a link.
func (v *violations) check(path, what string, p protection, s *backends.Seen, r *gateway.Response, err error) {
	switch {
	case err != nil:
		v.add("%q (%s): the gateway does not answer: %v", path, what, err)
	case r != nil && r.Status == 500:
		v.add("%q (%s): the gateway fails: %.200q", path, what, r.Body)
	case s == nil:
	case p.ran(s):
		v.add("%q (%s): %q has run, for %q as %s", path, what, s.App, s.Params["user"], s.RequestURI)
	case len(identities(s.Headers)) > 0 || s.RemoteUser != "":
		v.add("%q (%s): %q and REMOTE_USER %q without a link", path, what, identities(s.Headers), s.RemoteUser)
	}
}

// checkLink judges the answer to a request with jeff's link.
func (v *violations) checkLink(path string, p protection, s *backends.Seen, r *gateway.Response, err error) {
	switch {
	case err != nil:
		v.add("%q (link): the gateway does not answer: %v", path, err)
	case r != nil && r.Status == 500:
		v.add("%q (link): the gateway fails: %.200q", path, r.Body)
	case s == nil || !p.ran(s):
	case !slices.Equal(s.Header("X-Verified-User"), []string{"jeff"}) || slices.ContainsFunc(s.Params["user"], func(v string) bool { return v != "jeff" }):
		// Apache may lose the query behind a '#' that it has decoded: nobody is not another one.
		v.add("%q (link): %q has run for %q with X-Verified-User %q", path, s.App, s.Params["user"], s.Header("X-Verified-User"))
	case s.Params["key"] != nil:
		v.add("%q (link): %q has the signature", path, s.App)
	}
}

// report says how many there are, and shows some.
func (v *violations) report(t *testing.T, sent, entered int) {
	t.Helper()
	slices.Sort(v.list)
	const most = 25
	for i, what := range v.list {
		if i == most {
			t.Errorf("… and %d more", len(v.list)-most)
			break
		}
		t.Error(what)
	}
	t.Logf("%d paths, %d of them enter without a gateway, %d promises broken", sent, entered, len(v.list))
}

// TestPathsFrontController: no path enters a protected route of a front controller, or a
// protected script, but with a link.
func TestPathsFrontController(t *testing.T) {
	t.Parallel()
	testPaths(t, front(t, backends.FrontPlain), protections, 20)
}

func TestPathsSymfony(t *testing.T) {
	t.Parallel()
	testPaths(t, front(t, backends.FrontSymfony), protections[:7], 20)
}

func TestPathsTomcat(t *testing.T) {
	t.Parallel()
	testPaths(t, tomcat(t), protections, 20)
}
