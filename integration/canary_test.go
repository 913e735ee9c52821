//go:build integration

package integration

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
	"github.com/signedlink/caddy-signed-link/integration/process"
	"github.com/signedlink/caddy-signed-link/internal/devel/markdown"
)

// canaryPage shows what it was given, but for URLs of other pages, and writes all of it to the
// standard error of FastCGI.
const canaryPage = `<?php
error_log('the page saw ' . $_SERVER['REQUEST_URI'] . ' from ' . ($_SERVER['HTTP_REFERER'] ?? ''));
header('Content-Type: text/plain');
if (isset($_GET['status'])) {
	http_response_code((int)$_GET['status']);
}
if (isset($_GET['silent'])) {
	header('X-Page: ' . $_SERVER['REQUEST_URI']);
	exit('ok');
}
unset($_SERVER['HTTP_REFERER'], $_SERVER['HTTP_X_FROM']);
print_r($_GET);
print_r($_SERVER);
`

// canaries are secrets that nothing else in the world contains, and the links that are
// made with them.
type canaries struct {
	akid, file, set, token string

	mu         sync.Mutex
	signatures []string // valid ones
}

func newCanaries() *canaries {
	return &canaries{akid: "akid-" + rand.Text(), file: "file-" + rand.Text(), set: "set-" + rand.Text(), token: "token-" + rand.Text()}
}

// minted remembers a valid signature.
func (c *canaries) minted(signature string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.signatures = append(c.signatures, signature)
	return signature
}

func (c *canaries) akidOf(user string) string {
	sum := sha256.Sum256([]byte(c.akid + ".2695." + user))
	return "2695." + user + "." + c.minted(base64.RawURLEncoding.EncodeToString(sum[:])[:22])
}

func (c *canaries) keyOf(secret, user string) string {
	sum := md5.Sum([]byte(user + secret))
	return c.minted(hex.EncodeToString(sum[:]))
}

func (c *canaries) actionOf(user, name string) string {
	sum := sha1.Sum([]byte(user + name + c.token))
	return c.minted(hex.EncodeToString(sum[:]))
}

// find returns which of the secrets, and with signatures which of those, stand in the
// text.
func (c *canaries) find(text string, signatures bool) (found []string) {
	for _, secret := range []string{c.akid, c.file, c.set, c.token} {
		b := []byte(secret)
		for form, spelled := range map[string]string{
			"":           secret,
			" in hex":    hex.EncodeToString(b),
			" in HEX":    strings.ToUpper(hex.EncodeToString(b)),
			" in base64": base64.RawStdEncoding.EncodeToString(b),
			" as JSON":   strings.Trim(strings.ReplaceAll(fmt.Sprint(b), " ", ","), "[]"),
			" as bytes":  strings.Trim(fmt.Sprint(b), "[]"),
		} {
			if strings.Contains(text, spelled) {
				found = append(found, "the secret "+secret+form)
			}
		}
		// within a longer text that is base64, less the characters that its neighbours change
		for offset := 1; offset < 3; offset++ {
			shifted := base64.RawStdEncoding.EncodeToString(append(make([]byte, offset), b...))
			if strings.Contains(text, shifted[4:len(shifted)-2]) {
				found = append(found, "the secret "+secret+" within base64")
			}
		}
	}
	if !signatures {
		return found
	}
	for _, signature := range c.signatures {
		for form, spelled := range map[string]string{
			"":            signature,
			" upper case": strings.ToUpper(signature),
			" in base64":  base64.RawStdEncoding.EncodeToString([]byte(signature)),
			" in hex":     hex.EncodeToString([]byte(signature)),
		} {
			if strings.Contains(text, spelled) {
				found = append(found, "the signature "+signature+form)
			}
		}
	}
	return found
}

// canaryGateway is a Caddy that shows all that it can show.
type canaryGateway struct {
	process   *process.Process
	admin     string // host:port
	sites     map[string]string
	home      string
	caddyfile func(extra string) string
}

// documentedFilter is the lines that the page about logs has for both logs.
func documentedFilter(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "logs.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, _, err := markdown.Blocks(string(page))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if snippet, ok := strings.CutPrefix(b.Text, "(without_signatures) {\n"); ok {
			snippet, _, _ = strings.Cut(snippet, "\n}\n")
			return snippet + "\n"
		}
	}
	t.Fatal("logs.md has no snippet without_signatures")
	return ""
}

func startCanary(t *testing.T, c *canaries, filter string) *canaryGateway {
	t.Helper()
	program := gateway.Program(t)
	fpm := backends.StartFPM(t)
	server := backends.StartPHPServer(t)
	for _, root := range []string{fpm.Root, server.Root} {
		if err := os.WriteFile(filepath.Join(root, "index.php"), []byte(canaryPage), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"link.secret": c.file + "\n",
		"tokens.csv":  "user,secret\n42," + c.token + "\n",
		"set.json":    `{"keys": [{"id": "new", "secret": "another-secret-0123456789"}, {"id": "old", "secret": "` + c.set + `"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	definitions := `
		signed_link /akid* {mode} akid {env.CANARY_AKID} {
			truncate 22
			{options}
		}
		signed_link /file* {mode} keyed_hash {file.` + filepath.Join(dir, "link.secret") + `} {
			algorithm md5
			message {query.user}{secret}
			signature {query.key}
			{options}
		}
		signed_link /set* {mode} keyed_hash {
			keys file ` + filepath.Join(dir, "set.json") + `
			algorithm md5
			message {query.user}|{query.until}{secret}
			signature {query.code}
			expires {query.until}
			user {query.user}
			{options}
		}
		signed_link /do/* {mode} sial {
			user_keys file ` + filepath.Join(dir, "tokens.csv") + `
			user {query.user}
			action {path} prefix /do/
			{options}
		}
		`
	with := func(mode, options string) string {
		return strings.NewReplacer("{mode}", mode, "{options}", options).Replace(definitions)
	}
	php := "root " + fpm.Root + "\nphp_fastcgi " + fpm.Address + " {\ncapture_stderr\n}\n"
	sorry := "handle_errors {\nrespond \"sorry {err.status_code} {err.message} {http.signed_link.reason} {uri} {orig_uri} {query}\"\n}\n"
	sites := map[string]string{
		"fastcgi": with("require", "") + php + sorry,
		"proxy":   with("require", "") + "reverse_proxy " + server.Address + "\n" + sorry,
		"nobody":  with("recognize", "") + "rewrite /file/old /file/new?{query}\nreverse_proxy " + server.Address + "\n",
		"pages":   with("require", "") + "reverse_proxy " + server.Address + "\nhandle_errors {\nrewrite * /index.php?{query}\nreverse_proxy " + server.Address + "\n}\n",
		"dead":    with("require", "") + "reverse_proxy 127.0.0.1:1\n" + sorry,
		// where the application sees the signature, and so do all lines about it
		"observe":      with("observe", "") + "rewrite /file/old /file/new?{query}\n" + php,
		"strip none":   with("require", "strip none") + php,
		"observe dead": with("observe", "") + "reverse_proxy 127.0.0.1:1\n",
	}
	g := &canaryGateway{home: t.TempDir(), sites: map[string]string{}}
	file := filepath.Join(g.home, "Caddyfile")
	_, g.process = process.Service{
		Name:  "caddy",
		Limit: 30 * time.Second,
		Command: func(port int, instance string) *exec.Cmd {
			host := fmt.Sprintf("127.%d.%d.%d", 1+port%250, 1+os.Getpid()%250, 1+port/250%250) // nobody else's
			free := func() string {
				port, err := process.FreePort()
				if err != nil {
					t.Fatal(err)
				}
				return net.JoinHostPort(host, strconv.Itoa(port))
			}
			g.admin = free()
			var text strings.Builder
			for name, site := range sites {
				g.sites[name] = free()
				_, sitePort, _ := net.SplitHostPort(g.sites[name])
				text.WriteString("http://:" + sitePort + " {\nbind " + host + "\nlog {\noutput stdout\n" + filter + "}\n" + site + "}\n")
			}
			g.caddyfile = func(extra string) string {
				return "{\nadmin " + g.admin + " {\norigins " + g.admin + "\n}\nauto_https off\nskip_install_trust\ngrace_period 5s\nmetrics\ndebug\n" +
					"log {\noutput stderr\nlevel DEBUG\n" + filter + "}\n}\n" +
					"http://127.0.0.1:" + strconv.Itoa(port) + " {\nbind 127.0.0.1\nrespond " + instance + "\n}\n" + text.String() + extra
			}
			if err := os.WriteFile(file, []byte(g.caddyfile("")), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, "run", "--adapter", "caddyfile", "--config", file)
			cmd.Dir = g.home
			cmd.Env = append(os.Environ(), "HOME="+g.home, "XDG_CONFIG_HOME="+g.home, "XDG_DATA_HOME="+g.home, "CANARY_AKID="+c.akid)
			return cmd
		},
		Probe: func(port int) (string, error) {
			response, err := http.Get("http://127.0.0.1:" + strconv.Itoa(port) + "/")
			if err != nil {
				return "", err
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			return string(body), err
		},
	}.Run(t)
	return g
}

// canaryRequest is one request, and the status of its answer.
type canaryRequest struct {
	site, target string
	method       string // GET, if empty
	body         string
	want         int
}

// requests are those of every kind: verified by each source of secrets, refused for
// every reason, in every spelling, to each backend.
func (c *canaries) requests() []canaryRequest {
	far := "4102444800"
	good := map[string]string{
		"/akid/x": "akid=" + c.akidOf("103007"),
		"/file/x": "user=jeff&key=" + c.keyOf(c.file, "jeff"),
		"/set/x":  "user=jeff&until=" + far + "&code=" + c.keyOf(c.set, "jeff|"+far),
		"/do/buy": "user=42&sig=" + c.actionOf("42", "buy"),
	}
	jeff := good["/file/x"]
	signature := strings.TrimPrefix(jeff, "user=jeff&key=")
	var all []canaryRequest
	add := func(site, target string, want int) {
		all = append(all, canaryRequest{site: site, target: target, want: want})
	}
	for path, query := range good {
		for site, want := range map[string]int{
			"fastcgi": 200, "proxy": 200, "nobody": 200, "pages": 200, "dead": 502, "observe": 200, "strip none": 200, "observe dead": 502,
		} {
			silent := "&silent=1"
			add(site, path+"?"+query+silent, want)
			add(site, path+"?a=%6a&&"+query+silent+"&b=%20+2", want)
		}
		add("fastcgi", path+"?"+query+"&a=b", 200)
		add("proxy", path+"?"+query+"&a=b", 200)
		add("fastcgi", path+"?"+query+"&status=500", 500)
		all = append(all, canaryRequest{site: "fastcgi", target: path + "?" + query, method: "POST", body: "a=b", want: 405},
			canaryRequest{site: "fastcgi", target: path + "?" + query, method: "GET", body: "a=b", want: 400})
	}
	past := "1000000000"
	for _, site := range []string{"fastcgi", "proxy", "dead", "pages", "nobody"} {
		want := func(status int) int {
			switch site {
			case "nobody", "pages": // a page for every error
				return 200
			default:
				return status
			}
		}
		add(site, "/file/x?silent=1", want(401))
		add(site, "/file/x?silent=1&user=mike&key="+signature, want(401))
		add(site, "/file/x?silent=1&user=jeff&key="+strings.ToUpper(signature), want(401))
		add(site, "/set/x?silent=1&user=jeff&until="+past+"&code="+c.keyOf(c.set, "jeff|"+past), want(410))
		for _, spelling := range []string{"k%65y=", "KEY=", "key[]=", "key%5Bx%5D=", "+key=", "key%00x=", "amp;key=", "a;key="} {
			add(site, "/file/x?silent=1&user=jeff&"+spelling+signature, want(400))
		}
		add(site, "/file/x?silent=1&"+jeff+"&"+jeff, want(400))
	}
	add("nobody", "/file/old?"+jeff+"&silent=1", 200)
	add("observe", "/file/old?"+jeff+"&silent=1", 200)
	// another name to every backend, and so no signature; but a log can do without it
	add("observe", "/file/x?silent=1&k%2565y="+signature, 200)
	add("observe", "/file/x?silent=1&next=%2Ffile%2Fx%3Fkey%3D"+signature+"%26a%3Db", 200)
	return all
}

// send sends a request whose Referer is a signed link, too, and returns the answer as
// text.
func (g *canaryGateway) send(r canaryRequest) (string, error) {
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	address := g.sites[r.site]
	raw := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nReferer: http://%[3]s%[2]s\r\nX-Original-Url: %[2]s\r\n"+
		"X-From: http://%[3]s/login?next=%[4]s\r\nContent-Length: %[5]d\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n%[6]s",
		method, r.target, address, strings.NewReplacer("?", "%3F", "&", "%26", "=", "%3D").Replace(r.target), len(r.body), r.body)
	responses, err := gateway.SendHTTP1(address, method, []byte(raw), false)
	if errors.Is(err, syscall.ECONNRESET) || err == nil && len(responses) == 0 {
		return "", fmt.Errorf("%s %s: %w (%v)", r.site, r.target, errConnectionClosed, err)
	}
	if err != nil {
		return "", err
	}
	if len(responses) != 1 || responses[0].Status != r.want {
		return "", fmt.Errorf("%s %s: %+v, want %d", r.site, r.target, responses, r.want)
	}
	if strings.Contains(r.site, "observe") || r.site == "strip none" {
		responses[0].Header.Del("X-Page") // there the application sees signatures, and may show them
	}
	return fmt.Sprint(responses[0].Header) + "\n" + string(responses[0].Body), nil
}

// errConnectionClosed says that Caddy closed the connection and answered nothing. A reload
// does that to a connection that its old listener has not accepted yet, also while the
// client still connects (Linux resets what waits in the queue of a listener that closes).
var errConnectionClosed = errors.New("the connection was closed without an answer")

// get reads what the administration shows.
func (g *canaryGateway) get(path string) (string, error) {
	response, err := http.Get("http://" + g.admin + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, response.Status)
	}
	return string(body), err
}

// reload loads the Caddyfile with another site at its end.
func (g *canaryGateway) reload(extra string) error {
	response, err := http.Post("http://"+g.admin+"/load", "text/caddyfile", strings.NewReader(g.caddyfile(extra)))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s", response.Status, body)
	}
	return nil
}

// shown is everything that a run has shown, by where.
type shown map[string]string

// run sends the requests, once in order and then all again beside reloads, and collects
// what Caddy shows.
func (g *canaryGateway) run(t *testing.T, c *canaries) shown {
	t.Helper()
	requests := c.requests()
	var answers bytes.Buffer
	for _, r := range requests {
		answer, err := g.send(r)
		if err != nil {
			t.Error(err)
		}
		answers.WriteString(answer)
	}

	var clients sync.WaitGroup
	var mu sync.Mutex
	for n := range 2 {
		clients.Go(func() {
			for i, r := range requests {
				if i%2 != n {
					continue
				}
				answer, err := g.send(r)
				mu.Lock()
				answers.WriteString(answer)
				if err != nil && !errors.Is(err, errConnectionClosed) {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	for i := range 5 {
		if err := g.reload(fmt.Sprintf("# %d\n", i) + "http://:1 {\nbind unix/" + filepath.Join(g.home, "s"+strconv.Itoa(i)) + "\nrespond ok\n}\n"); err != nil {
			t.Error(err)
		}
	}
	clients.Wait()

	s := shown{"answers": answers.String()}
	for _, path := range []string{"/config/", "/metrics", "/reverse_proxy/upstreams", "/debug/vars"} {
		var err error
		if s[path], err = g.get(path); err != nil {
			t.Error(err)
		}
	}
	saved, err := os.ReadFile(filepath.Join(g.home, "caddy", "autosave.json"))
	if err != nil {
		t.Error(err)
	}
	s["autosave.json"] = string(saved)
	g.process.Stop() // so that the last line is written
	s["output"] = g.process.Output()

	for where, must := range map[string][]string{
		"answers": {"[HTTP_X_VERIFIED_USER] => 103007", "[HTTP_X_VERIFIED_USER] => jeff", "[HTTP_X_VERIFIED_KEY_ID] => old", "sorry 410", "sorry 401", "sorry 400", "sorry 405", "sorry 502"},
		"output": {
			`"logger":"http.log.access`, `"logger":"http.log.error`, `"msg":"stderr"`, "the page saw", `"msg":"roundtrip"`, `"msg":"upstream roundtrip"`,
			`"msg":"rewrote request"`, `"logger":"http.handlers.signed_link"`, `"QUERY_STRING"`, `"HTTP_REFERER"`, `"REQUEST_URI"`, `"level":"debug"`, `"logger":"admin.api"`,
		},
		"/config/":      {"{env.CANARY_AKID}", "tokens.csv", "set.json", "link.secret"},
		"autosave.json": {"{env.CANARY_AKID}", "tokens.csv", "set.json", "link.secret"},
		"/metrics":      {"caddy_signed_link_verifications_total{"}, // it outlives the reloads; Caddy's own begin anew
	} {
		for _, text := range must {
			if !strings.Contains(s[where], text) {
				t.Errorf("%s is too short: it has no %s", where, text)
			}
		}
	}
	return s
}

// checkFields finds signatures in each field that the documented filter names, and in no
// other one: none is named in vain.
func (c *canaries) checkFields(t *testing.T, log string) {
	t.Helper()
	leaks := map[string]bool{}
	for line := range strings.Lines(log) {
		var fields map[string]json.RawMessage
		if json.Unmarshal([]byte(line), &fields) != nil {
			continue
		}
		if request := fields["request"]; request != nil {
			delete(fields, "request")
			var within map[string]json.RawMessage
			if err := json.Unmarshal(request, &within); err != nil {
				t.Fatal(err)
			}
			for name, value := range within {
				fields["request>"+name] = value
			}
		}
		for name, value := range fields {
			if len(c.find(string(value), true)) > 0 {
				leaks[name] = true
			}
		}
	}
	named := map[string]bool{}
	for line := range strings.Lines(documentedFilter(t)) {
		if field, filter, ok := strings.Cut(strings.TrimSpace(line), " "); ok && filter == "signed_link" {
			named[field] = true
		}
	}
	if !maps.Equal(leaks, named) {
		t.Errorf("signatures stand in %v, and the filter is on %v", slices.Sorted(maps.Keys(leaks)), slices.Sorted(maps.Keys(named)))
	}
}

// TestCanary: with the filter that the documentation has, nothing that Caddy shows, at
// level DEBUG, holds a secret or a valid signature; without the filter, nothing holds a
// secret, and the log is full of signatures, so that this test can fail.
func TestCanary(t *testing.T) {
	for _, x := range []struct {
		name   string
		filter string
	}{
		{"with the filter", documentedFilter(t)},
		{"without", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := newCanaries()
			s := startCanary(t, c, x.filter).run(t, c)
			for where, text := range s {
				for line := range strings.Lines(text) {
					if found := c.find(line, x.filter != ""); len(found) > 0 {
						t.Errorf("%s holds %q: %.2000s", where, found, line)
					}
				}
				if found := c.find(text, false); len(found) > 0 { // over several lines, too
					t.Errorf("%s holds %q", where, found)
				}
			}
			if x.filter == "" {
				c.checkFields(t, s["output"])
			}
			leaks := len(c.find(s["output"], true))
			if x.filter == "" && leaks < len(c.signatures) {
				t.Errorf("without the filter, the log holds %d of %d signatures, so this test could not fail", leaks, len(c.signatures))
			}
			if x.filter != "" && !strings.Contains(s["output"], "key=REDACTED") {
				t.Error("the filter has done nothing")
			}
		})
	}
}
