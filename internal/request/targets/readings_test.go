package targets

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// attacks are, for each row of the table, targets that a backend answers with a page whose
// path they do not have. In front of `?` stands the path.
var attacks = map[string][]struct{ target, page string }{
	"network_path": {
		{"//x/app/login", "/app/login"},
		{"//x:80/app/login", "/app/login"},
		{"//jeff:x@x:80/app/login", "/app/login"},
		{"//[::1]/app/login", "/app/login"},
		{"//x;y/app/login", "/app/login"},
		{"//x%2fy/app/login", "/app/login"},
		{"//x//app/login", "//app/login"},
		{"//x/index.php/app/login", "/app/login"},
		{"///x/app", "/"},
		{"//:80/app", "/"},
		{"//:80x:/app", "/app"},
		{"//x", "/"},
	},
	"base_url": {
		{"/aaaaaaaaaaaaaaaaa/app/login://", "/app/login://"},
		{"/aaaaaaaaaaaaaaaaaapp/login://", "/app/login://"},
		{"/://aaaaaaaaaaaaaa?/app/login?x", "/app/login"}, // in the middle of the query
		{"/://aaaaaaaaaaaaa?aapp/login", "/app/login"},
		{"/shop/aaaaaaaaaaaa/app/login/://", "/shop/app/login/://"}, // in a folder
		{"/aaaaaaaaaaaaaaaaaa/app/login://", "/app/login://"},       // https
		{"/aaaaaaaaaaaaaaaaa/index.php/app/://", "/app/://"},        // and a script
		{"/aaaaaaaaaaaaaaaaa/%61pp/login/://x", "/app/login/://x"},  // encoded
	},
	"query_path": {
		{"/?/app/login", "/app/login"},
		{"/index.php?/app/login?user=mike", "/app/login"},
		{"/?/app/login&user=mike", "/app/login"},
		{"/x/y?/app/../login", "/app/login"},
		{"/?/%61pp/login", "/app/login"},
		{"/shop/?/app/login", "/shop/app/login"},
		{"/shop?/app/login&user=mike", "/shop/app/login"},
		{"/shop/index.php?/app/login", "/shop/app/login"},
	},
	"path_parameters": {
		{"/app;x/", "/app/"},
		{"/;x/app/", "//app/"},
		{"/x/..;/app/", "/app/"},
		{"/x/%2e%2e;/app/", "/app/"},
		{"/.;/app/", "/app/"},
		{"/app/..;/other/", "/other/"},
		{"/index.php;x/app/1", "/app/1"},
		{"/app;x;y=z;/login", "/app/login"},
	},
	"dots_early_merged": {
		{"/app/%2F/%2E.", "/app/"},
		{"/x%2F../app/y", "/app/y"},
		{"/app//%2F/..", "/app/"},
	},
	"dots_early": {
		{"/app//%2F/..", "/app//"},
		{"/x%2F//../app", "/x//app"},
	},
	"backslash": {
		{`/\app\login`, "//app/login"},
		{"/x%5capp", "/x/app"},
		{`/x\..\app`, "/app"},
	},
	"dots_merged": {
		{"/x/../app/y", "/app/y"},
		{"/x/%2e%2e/app", "/app"},
		{"/x%2f%2e%2e%2fapp", "/app"},
		{"/x//../../app/y", "/app/y"},
		{"/a//autologin.php/x", "/a/autologin.php"},
		{"/x%2f%2f../app", "/app"},
	},
	"dots": {
		{"/app//..", "/app/"},
		{"/app//../x", "/app/x"},
		{"/x//../app", "/x/app"},
		{"/x%2f..%2fapp%2f%2f..", "/app/"},
	},
	"dots_as_names": {
		{"/app/..", "/app/-"},
		{"/app%2f..", "/app/-"},
		{"/app/%2e%2e", "/app/-"},
		{"/index.php/app/../x", "/app/-/x"},
		{"/app/./..", "/app/-/-"},
	},
	"dots_dropped": {
		{"/app/../login", "/app/login"},
		{"//../app/..//login/..", "/app/login"},
		{"/index.php/app/../login", "/app/login"},
	},
	"folder_by_length": {
		{"/aaaa/app/login/../../../shop/", "/shop/app/login/-/-/-/shop/"},
		{"/aaa/bbbb/app/../../../shop/sub1/x", "/shop/sub1/pp/-/-/-/shop/sub1/x"},
	},
	"folder_missed": {
		{"/app/../shop", "/shop/app/-/shop"},
		{"/app/..%2fshop/index.php", "/shop/app/-/shop/index.php"},
		{"/app/../../shop/sub/x", "/shop/sub/app/-/-/shop/sub/x"},
	},
	"decoded_again": {
		{"/%2561pp/login", "/app/login"},
		{"/app%252flogin", "/app/login"},
		{"/x/../%2561pp/login", "/app/login"},
		{"/index.php/%2561pp/login", "/app/login"},
		{"/my%2bapp", "/my app"},
		{"/%252fapp/login", "/app/login"},
		{"/%252f%252fapp/login", "/app/login"},
		{"/app%252f%252flogin", "/app/login"},
		{"/x/%252e%252e/app/login", "/app/login"},
		{"/index.php/%252fapp/login", "/app/login"},
	},
	"rewritten_query": {
		{"/x%26url=//app/login", "/app/login"},
		{"/x%26url=%252fapp%252f/login", "/app/login"},
		{"/%252fapp/login%26x", "/app/login"},
		{"/app/login%26x", "/app/login"},
		{"/app/login&x", "/app/login"},
		{"/app/login%23x", "/app/login"},
		{"/x%26url=app/login%23&url=x", "/app/login"},
		{"/x%26url=app/login", "/app/login"},
		{"/x&a=b&url=%2561pp/login&c", "/app/login"},
	},
	"plus_is_blank": {
		{"/my+app%2b/x", "/my app /x"},
		{"/my+app%252b/x", "/my app%2b/x"},
	},
	"script": {
		{"/autologin.php/", "/autologin.php"},
		{"/autologin.php/x", "/autologin.php"},
		{"/AutoLogin.PHP/x", "/AutoLogin.PHP"},
		{"/a%75tologin.php/", "/autologin.php"},
		{"/autologin%2ephp%2fx", "/autologin.php"},
		{"/autologin.phpfoo.php", "/autologin.php"},
		{"/autologin.php.php", "/autologin.php"},
		{"/autologin.phpx", "/autologin.php"},
		{"/a.php/autologin.php/x", "/a.php/autologin.php"},
		{"/autologin.php%00.gif", "/autologin.php"},
		{"/plain/login.phtml/", "/plain/login.phtml"},
		{"/plain/login.PHTML/x", "/plain/login.PHTML"},
		{"/login.phar/x", "/login.phar"},
		{"/login.pht/x", "/login.pht"},
		{"/login.php5/x", "/login.php5"},
		{"/login.php8/x", "/login.php8"},
		{"/login.phps/x", "/login.phps"},
		{"/login.phtml%00x", "/login.phtml"},
		{"/\u0130\u0130.php/app/x", "/\u0130\u0130.php"},
		{"/.php/x", "/.php"},
	},
	"script_rest": {
		{"/index.php/app/1", "/app/1"},
		{"/index.phpapp/login", "/app/login"},
		{"/index%2ephpapp/login", "/app/login"},
		{"/INDEX.phpapp/login", "/app/login"},
		{"/x/index.php/app", "/app"},
		{"/a.php/b.php/app", "/app"},
		{"/index.php//app/login", "//app/login"},
		{"/index.php/index.phpapp", "/app"},
	},
	"script_folder": {
		{"/shop/index.php/app/login", "/shop/app/login"},
		{"/shop/index.phpapp/login", "/shop/app/login"},
		{"/x/../shop/index.php/app", "/shop/app"},
		{"/shop/index.php../app/login", "/shop/app/login"},
		{"/a/b/index.php/a/b/index.phpapp/login", "/a/b/app/login"},
	},
	"folder_twice": {
		{"/shop/index.php/shopapp/login", "/shop/app/login"},
		{"/shop/index.php/shop/app/login", "/shop/app/login"},
		{"/shop/index.php/SHOPapp/login", "/shop/app/login"},
	},
	"nul_cut": {
		{"/index.php/app%00/x", "/app"},
		{"/app%00x", "/app"},
		{"/%00", "/"},
	},
}

// target takes a target apart. Its host is the same length for all.
func target(s string) Target {
	path, q, _ := strings.Cut(s, "?")
	return Target{Path: path, Query: q, Host: "example.org"}
}

// profiles of a row.
func (row Row) profiles() (list []backend.Profile) {
	for p, has := range [...]bool{backend.Strict: row.Strict, backend.PHP: row.PHP, backend.Servlet: row.Servlet} {
		if has {
			list = append(list, backend.Profile(p))
		}
	}
	return list
}

// TestAttackReadings: every row has attacks, in each profile that has the row the page is
// among the readings, and for one attack at least it is not when the row is taken out.
func TestAttackReadings(t *testing.T) {
	known := make(map[string]bool)
	for i, row := range Rows {
		known[row.Name] = true
		t.Run(row.Name, func(t *testing.T) {
			without := chainsOf(slices.Delete(slices.Clone(Rows), i, i+1))
			for _, p := range row.profiles() {
				needed := 0
				for _, attack := range attacks[row.Name] {
					if p == backend.Servlet && strings.Contains(attack.target, ".php") {
						continue
					}
					readings, ok := Read(p, target(attack.target))
					if !ok || !slices.Contains(readings, attack.page) {
						t.Errorf("%s: %s is not read as %s, but as %q", p, attack.target, attack.page, readings)
					}
					if r := (reader{chain: &without[p], target: target(attack.target)}); !slices.Contains(r.read(), attack.page) {
						needed++
					}
				}
				if needed == 0 {
					t.Errorf("%s: no attack needs the row", p)
				}
			}
		})
	}
	for name := range attacks {
		if !known[name] {
			t.Errorf("the row %s is gone", name)
		}
	}
}

// TestReadingsOfOthers: a profile does not read what only others read.
func TestReadingsOfOthers(t *testing.T) {
	for _, tc := range []struct {
		profile backend.Profile
		target  string
	}{
		{backend.Servlet, "/index.php/app/1"},
		{backend.Servlet, "/index.phpapp"},
		{backend.Servlet, "/?/app"},
		{backend.Servlet, "/a+b&c"},
		{backend.PHP, "/app;x"},
		{backend.PHP, "/static/app.php"},
		{backend.PHP, "/page.phtmlx"},
		{backend.PHP, "/page.phtml"},
		{backend.Strict, "/caf%C3%A9/100%25"},
		{backend.Strict, "/x%2Fapp/y"},
		{backend.Strict, "/a.b/c..d/e.phtm"},
		{backend.Strict, "*"},
	} {
		if readings, ok := Read(tc.profile, target(tc.target)); len(readings) > 0 || !ok {
			t.Errorf("%s: %s is read as %q, %v", tc.profile, tc.target, readings, ok)
		}
	}
	if readings, ok := Read(backend.Strict, Target{}); !ok || !slices.Equal(readings, []string{"/"}) {
		t.Errorf("no path: %q, %v", readings, ok)
	}
}

// honest are the addresses of testdata/honest_urls.txt.
func honest(t testing.TB) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "honest_urls.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

// TestBounds: honest addresses have a third of the readings that are allowed, or less, in
// front of an address with a port, too, and hostile ones that people write fit. What is
// beyond says so.
func TestBounds(t *testing.T) {
	most, usual := 0, 0
	for _, address := range honest(t) {
		for _, host := range []string{"example.org", "www.example.org:8443"} {
			tg := target(address)
			tg.Host = host
			readings, ok := Read(backend.Strict, tg)
			if !ok {
				t.Errorf("%s is beyond the bounds: %q", address, readings)
			}
			most = max(most, len(readings))
			if len(readings) <= MaxReadings/3 {
				usual++
			}
		}
	}
	if n := 2 * len(honest(t)); usual < n*99/100 {
		t.Errorf("%d of %d honest addresses have more than %d readings", n-usual, n, MaxReadings/3)
	}
	t.Logf("honest addresses have up to %d readings", most)
	for name, list := range attacks {
		for _, attack := range list {
			for p := range chains {
				if readings, ok := Read(backend.Profile(p), target(attack.target)); !ok {
					t.Errorf("%s: %s has too many readings: %q", name, attack.target, readings)
				}
			}
		}
	}
	for _, tc := range []Target{
		{Path: "/" + strings.Repeat("a", MaxPath)},
		{Path: "/" + strings.Repeat("b.php/", 40)},
		{Path: "/" + strings.Repeat("b.phpb", 40)},
		{Path: "/x" + strings.Repeat("&a=b.php/c/d.php/e", 12)},
		{Path: "/", Query: "/" + strings.Repeat("a", MaxPath)},
		{Path: "/b;x/c\\d+e%2525&f" + strings.Repeat("a", MaxPath-64) + "/..:///app"},
	} {
		if readings, ok := Read(backend.Strict, tc); ok {
			t.Errorf("%.40q: %d readings are all", tc.Path, len(readings))
		} else if len(readings) > MaxReadings+1 {
			t.Errorf("%.40q: %d readings", tc.Path, len(readings))
		}
	}
	if readings, ok := Read(backend.Strict, Target{Path: "/" + strings.Repeat("a", MaxPath-1)}); !ok || readings != nil {
		t.Errorf("a plain path of %d bytes: %d readings, %v", MaxPath, len(readings), ok)
	}
}

// TestLinear: a hostile path of twice the length costs twice the work, and one beyond the
// bounds none. The work is the bytes that are looked at and copied; the code counts them.
func TestLinear(t *testing.T) {
	for _, kind := range []string{
		".php/", "x.php", ".PhTmL/", ";/", ";x", "/;a=b", "%00", "//", "/../", "/.", "/..;/", "/a/..", "%2f", "%252f", "%2e%2e%2f", `\`, "%5c",
		"&", "&a=b", "&a=.php/", "://", "+", "%", ".", "/.php%00", "//a:80", "a/../", "/%2F/..", "..", ";%2e/",
	} {
		for p := range chains {
			var before int
			for size := 512; size <= MaxPath; size *= 2 {
				path := "/" + strings.Repeat(kind, size/len(kind)+1)[:size-1]
				r := reader{chain: &chains[p], target: Target{Path: path, Query: "/" + path[:size/2], Host: "example.org"}}
				r.read()
				if size == MaxPath && float64(r.work) > 2.2*float64(before) {
					t.Errorf("%s of %s: %d bytes of work at %d, %d at half of it", kind, backend.Profile(p), r.work, size, before)
				}
				if most := 500 * size; r.work > most {
					t.Errorf("%s of %s: %d bytes of work at %d, more than %d", kind, backend.Profile(p), r.work, size, most)
				}
				before = r.work
			}
		}
	}
	long := Target{Path: strings.Repeat("/.php", 200_000)}
	if n := testing.AllocsPerRun(10, func() { Read(backend.Strict, long) }); n != 0 {
		t.Errorf("a path beyond the bounds: %v allocations", n)
	}
	plain := target("/assets/css/site-1.2.3.css?v=12")
	if n := testing.AllocsPerRun(10, func() { Read(backend.Strict, plain) }); n != 0 {
		t.Errorf("a plain path: %v allocations", n)
	}
}

// FuzzRead: nothing panics; the readings are bounded in number and length, each once, none
// is the path as sent, each begins with a slash, the work is linear, and whoever asks twice
// is told the same.
func FuzzRead(f *testing.F) {
	for _, list := range attacks {
		for _, attack := range list {
			t := target(attack.target)
			f.Add(t.Path, t.Query, t.Host)
		}
	}
	for _, address := range honest(f) {
		t := target(address)
		f.Add(t.Path, t.Query, "www.example.org:8443")
	}
	f.Add("/\xff\xff.PHP/%", "/\x00", "[::1]:80")
	f.Fuzz(func(t *testing.T, path, q, host string) {
		tg := Target{Path: path, Query: q, Host: host}
		for p := range chains {
			profile := backend.Profile(p)
			readings, ok := Read(profile, tg)
			if again, ok2 := Read(profile, tg); ok != ok2 || !slices.Equal(readings, again) {
				t.Errorf("%s: %q is read as %q and as %q", profile, path, readings, again)
			}
			if ok && len(readings) > MaxReadings || len(readings) > MaxReadings+1 {
				t.Errorf("%s: %q has %d readings", profile, path, len(readings))
			}
			if len(path) > MaxPath && (ok || readings != nil) {
				t.Errorf("a path of %d bytes is read", len(path))
			}
			for i, reading := range readings {
				switch {
				case reading == query.UnescapePath(path):
					t.Errorf("%s: %q is a reading of itself", profile, path)
				case reading == "" || reading[0] != '/':
					t.Errorf("%s: %q is read as %q", profile, path, reading)
				case slices.Contains(readings[:i], reading):
					t.Errorf("%s: %q is read as %q twice", profile, path, reading)
				case len(reading) > 4*(len(path)+len(q))+4: // two rows put a folder before the path
					t.Errorf("%s: %q is read as the longer %q", profile, path, reading)
				}
			}
			if Plain(profile, tg) && path != "" && readings != nil {
				t.Errorf("%s: the plain %q is read as %q", profile, path, readings)
			}
			if path == "" || path == "*" || len(path) > MaxPath || len(q) > MaxPath || len(host) > 255 {
				continue
			}
			r := reader{chain: &chains[p], target: tg}
			all := r.read()
			if most := min(1000*(len(path)+len(q))+16384, maxWork+200*(len(path)+len(q))); r.work > most {
				t.Errorf("%s: %s costs %d bytes, more than %d", profile, hex.EncodeToString([]byte(path)), r.work, most)
			}
			if Plain(profile, tg) && len(all) > 0 {
				t.Errorf("%s: %q is not plain: %q", profile, path, all)
			}
		}
	})
}

// TestRows: the table is whole: names are words, each row belongs to strict, which holds
// for either backend, and says who reads so.
func TestRows(t *testing.T) {
	seen := make(map[string]bool)
	for _, row := range Rows {
		if seen[row.Name] || row.Name == "" || row.Backend == "" || strings.Contains(row.Backend, "|") || row.read == nil {
			t.Errorf("the row %s", fmt.Sprint(row.Name, row.Backend))
		}
		if !row.Strict || !row.PHP && !row.Servlet {
			t.Errorf("%s: strict holds for either backend, and for no other", row.Name)
		}
		seen[row.Name] = true
	}
}
