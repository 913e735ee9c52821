package docs_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/signedlink/caddy-signed-link/internal/devel/curl"
)

const example = "Caddyfile.example"

// gateway is the example, in a process of its own, on free ports.
type gateway struct {
	ports map[string]string // of the file → of the process
	log   *safeBuffer
}

// safeBuffer is what the process writes, read while it writes.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

var listenPort = regexp.MustCompile(`(?m)^http://:(\d+) \{$`)

// start runs the example as a newcomer does: from the top of the checkout, with
// nothing in the environment but a home directory. change may alter the file.
func start(t *testing.T, change func(text string) string) *gateway {
	t.Helper()
	text := readFile(t, example)
	g := &gateway{ports: make(map[string]string), log: new(safeBuffer)}
	var held []net.Listener
	for _, m := range listenPort.FindAllStringSubmatch(text, -1) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, l)
		g.ports[m[1]] = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}
	if len(g.ports) < 5 {
		t.Fatalf("only %d sites were found in %s", len(g.ports), example)
	}
	text = change(text)
	text = g.move(listenPort.ReplaceAllString(text, "http://127.0.0.1:$1 {"))
	text = strings.ReplaceAll(text, "http://127.0.0.1:", "http://:")
	file := filepath.Join(t.TempDir(), example)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, l := range held {
		l.Close()
	}
	g.run(t, root, nil, "run", "--config", file)
	return g
}

// run starts Caddy in a directory, with nothing in the environment but a home directory
// and what is given, and waits until it serves.
func (g *gateway) run(t *testing.T, dir string, env []string, args ...string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, args...)
	command.Dir = dir
	command.Env = append([]string{"HOME=" + t.TempDir()}, env...)
	command.Stdout, command.Stderr = g.log, g.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		command.Process.Kill()
		<-ended
	})
	for deadline := time.Now().Add(time.Minute); ; {
		if strings.Contains(g.log.String(), "serving initial configuration") {
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("Caddy ended: %v\n%s", err, g.log)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("Caddy does not start:\n%s", g.log)
		}
	}
}

// move puts the ports of the process in the place of those of the file.
func (g *gateway) move(text string) string {
	return regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllStringFunc(text, func(address string) string {
		host, port, _ := strings.Cut(address, ":")
		if moved, ok := g.ports[port]; ok {
			return host + ":" + moved
		}
		return address
	})
}

func same(text string) string { return text }

// curl does what the command line does.
func (g *gateway) curl(t *testing.T, line string) string {
	t.Helper()
	output, err := curl.Run(t.Context(), line, g.move)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// The sections of README.md with requests: to the example, of which the first is what
// the page begins with, and to real servers, which the integration tests start.
const (
	titleSection   = "signed_link"
	exampleSection = "Try it"
	serversSection = "On real PHP, on real Tomcat"
	explainSection = "Why does a link fail?" // TestCommandLine
)

// TestExample sends the requests of README.md to the example and compares the
// answers. Nothing that it logs may be a warning that could be avoided, or hold a
// signature or a secret.
func TestExample(t *testing.T) {
	g := start(t, same)
	blocks, _ := fences(t, "README.md")
	sent := 0
	for _, b := range blocks {
		switch {
		case b.lang == "console" && (b.section == titleSection || b.section == exampleSection):
			sent += curl.Check(t, b.at, b.text, g.move)
		case b.lang == "console" && b.section != serversSection && b.section != explainSection:
			t.Errorf("%s: nothing sends these requests", b.at)
		}
	}
	if sent < 8 {
		t.Errorf("only %d requests were found", sent)
	}

	// what README.md promises in words
	for _, x := range []struct{ line, want string }{
		{`curl -s -o /dev/null -w '%{http_code}' 'http://127.0.0.1:8081/autologin'`, "401"},
		{`curl 'http://127.0.0.1:8081/autologin'`, "This page opens with the link from your mail only."},
		{`curl -s -o /dev/null -w '%{http_code}' 'http://127.0.0.1:8081/autologin/?user=mike'`, "401"},
		{`curl -s -o /dev/null -w '%{http_code}' 'http://127.0.0.1:8081/autologin;x?user=mike'`, "401"},
		{`curl -X POST 'http://127.0.0.1:8082/do/delete?user=42&comment=7&sig=b1f193bf856f6f14e84de637b53dd2b1a0feaa04'`, "Please open your link with a click."},
		{`curl -s -o /dev/null -w '%{http_code}' 'http://127.0.0.1:8082/do/delete?user=43&comment=7&sig=9d891297d8bfd627bdfc9fc26047953551bdffb3'`, "200"},
		{`curl -s -o /dev/null -w '%{http_code}' 'http://127.0.0.1:8082/do/delete?user=43&comment=7&sig=b1f193bf856f6f14e84de637b53dd2b1a0feaa04'`, "401"},
		{`curl -s -o /dev/null -w '%{http_code}' 'http://127.0.0.1:8080/sign?akid=.103007.q2gdlm'`, "200"},
	} {
		if have := g.curl(t, x.line); have != x.want {
			t.Errorf("%s\nexpected %q, got %q", x.line, x.want, have)
		}
	}
	checkLog(t, g.log.String())
}

// TestExampleBackendDown: the page for broken links does not blame the link when it
// is the backend that fails, and the log of that error holds no signature.
func TestExampleBackendDown(t *testing.T) {
	g := start(t, func(text string) string {
		return strings.ReplaceAll(text, "reverse_proxy 127.0.0.1:8089", "reverse_proxy 127.0.0.1:1")
	})
	for _, x := range []struct{ line, want string }{
		{
			`curl -s -w ' %{http_code}' 'http://127.0.0.1:8081/autologin?user=jeff&key=31c940a5a60bcd1022cd8dab2be76b98'`,
			"Something went wrong on our side. Your link is not to blame. 502",
		},
		{`curl -s -H 'Referer: http://127.0.0.1:8081/?key=31c940a5a60bcd1022cd8dab2be76b98' -w '%{http_code}' 'http://127.0.0.1:8080/?akid=2695.103007.LF7xxL'`, "502"},
	} {
		if have := g.curl(t, x.line); have != x.want {
			t.Errorf("%s\nexpected %q, got %q", x.line, x.want, have)
		}
	}
	checkLog(t, g.log.String())
}

// checkLog reads what the example has logged.
func checkLog(t *testing.T, log string) {
	t.Helper()
	unavoidable := map[string]bool{
		"admin endpoint disabled": true, // the example disables it
		// git gives every file the mode 0644
		"others than the owner and the group can read or change the file of secrets; run chmod 0640": true,
	}
	lines := 0
	for scanner := bufio.NewScanner(strings.NewReader(log)); scanner.Scan(); lines++ {
		var line struct {
			Level, Msg string
			Logger     string
		}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Errorf("this is no line of a log: %s", scanner.Text())
			continue
		}
		isError := line.Level == "error" && strings.HasPrefix(line.Logger, "http.log.")
		if line.Level != "info" && line.Level != "debug" && !unavoidable[line.Msg] && !expected(scanner.Text()) && !isError {
			t.Errorf("the example logs: %s", scanner.Text())
		}
	}
	if lines < 10 || !strings.Contains(log, "REDACTED") {
		t.Errorf("the log is too short:\n%s", log)
	}
	for _, hidden := range []string{
		"LF7xxL", "q2gdlm", "31c940a5a60bcd1022cd8dab2be76b98", "b1f193bf856f6f14e84de637b53dd2b1a0feaa04",
		"ccc47a654dd72771", "e057f1caa19830a8", // signatures
		"ThisIsThePublished", "asdf1234qwerty", "PublishedToken", "PublishedExampleSecret", // secrets
	} {
		if strings.Contains(log, hidden) {
			t.Errorf("the log holds %s", hidden)
		}
	}
}

// TestExampleFormat: Caddy warns about a file that caddy fmt would change.
func TestExampleFormat(t *testing.T) {
	text := readFile(t, example)
	if formatted := string(caddyfile.Format([]byte(text))); formatted != text {
		t.Errorf("caddy fmt would change %s", example)
	}
}

// TestExamples loads the Caddyfiles below examples as they are run, from the top of the
// checkout. The integration tests send the requests.
func TestExamples(t *testing.T) {
	t.Chdir(root)
	files, err := filepath.Glob(filepath.Join("examples", "*", "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, must := range []string{"php", "tomcat"} {
		if !slices.Contains(files, filepath.Join("examples", must, "Caddyfile")) {
			t.Errorf("the one of %s is not among %q", must, files)
		}
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if formatted := caddyfile.Format(text); !bytes.Equal(formatted, text) {
				t.Errorf("caddy fmt would write\n%s", formatted)
			}
			w := catchWarnings(t)
			w.provision(t, adapt(t, string(text)))
		})
	}
}

// TestExampleVariants loads the example with the backends that it has as comments.
func TestExampleVariants(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "examples", "secrets")
	if err := os.CopyFS(secrets, os.DirFS(filepath.Join(root, "examples", "secrets"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(secrets, "tokens.csv"), 0o640); err != nil {
		t.Fatal(err)
	}
	text := readFile(t, example)
	t.Chdir(filepath.Join(secrets, "..", ".."))
	variant := regexp.MustCompile(`(?m)^\t# ((?:root|php_fastcgi|reverse_proxy) .*)$`)
	if n := len(variant.FindAllString(text, -1)); n != 3 {
		t.Errorf("there are %d commented lines, expected 3", n)
	}
	text = variant.ReplaceAllString(text, "\t$1")
	for _, directive := range []string{"php_fastcgi unix//run/php/php-fpm.sock", "reverse_proxy tomcat.internal:8080"} {
		i := strings.Index(text, directive)
		if i < 0 {
			t.Fatalf("%s is not in the example", directive)
		}
		text = text[:i] + strings.Replace(text[i:], "\treverse_proxy 127.0.0.1:8089\n", "", 1)
	}
	w := catchWarnings(t)
	w.provision(t, adapt(t, text))
}
