package docs_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
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
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "run", "--config", file)
	command.Dir = root
	command.Env = []string{"HOME=" + t.TempDir()}
	command.Stdout, command.Stderr = g.log, g.log
	for _, l := range held {
		l.Close()
	}
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
			return g
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

// curl does what the command line does, for the few options that README.md uses; a
// machine without curl can test, too.
func (g *gateway) curl(t *testing.T, line string) string {
	t.Helper()
	args := words(t, line)
	if args[0] != "curl" {
		t.Fatalf("%s: this is not curl", line)
	}
	request, err := http.NewRequest(http.MethodGet, "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	var showHead, discard bool
	format, address := "", ""
	for i := 1; i < len(args); i++ {
		next := func() string {
			if i++; i == len(args) {
				t.Fatalf("%s: %s needs a value", line, args[i-1])
			}
			return args[i]
		}
		switch args[i] {
		case "-s":
		case "-i":
			showHead = true
		case "-H":
			name, value, _ := strings.Cut(next(), ":")
			request.Header.Add(name, strings.TrimSpace(value))
		case "-X":
			request.Method = next()
		case "-d":
			data := next()
			request.Body, request.ContentLength = io.NopCloser(strings.NewReader(data)), int64(len(data))
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if request.Method == http.MethodGet {
				request.Method = http.MethodPost
			}
		case "-o":
			if next() != "/dev/null" {
				t.Fatalf("%s: -o goes to /dev/null", line)
			}
			discard = true
		case "-w":
			format = next()
		default:
			if strings.HasPrefix(args[i], "-") || address != "" {
				t.Fatalf("%s: unexpected %s", line, args[i])
			}
			address = g.move(args[i])
		}
	}
	if request.URL, err = request.URL.Parse(address); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request) // redirects are not followed, as with curl
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if showHead {
		fmt.Fprintf(&out, "%s %s\n", response.Proto, response.Status)
		response.Header.Write(&out)
		out.WriteString("\n")
	}
	if !discard {
		out.Write(body)
	}
	out.WriteString(strings.NewReplacer("%{http_code}", strconv.Itoa(response.StatusCode), `\n`, "\n").Replace(format))
	return out.String()
}

// words splits a line as a shell does, as far as README.md needs it.
func words(t *testing.T, line string) []string {
	t.Helper()
	var all []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		if rest, quoted := strings.CutPrefix(line, "'"); quoted {
			word, after, closed := strings.Cut(rest, "'")
			if !closed {
				t.Fatalf("a quote is not closed: %s", line)
			}
			all, line = append(all, word), after
			continue
		}
		word, after, _ := strings.Cut(line, " ")
		if strings.ContainsAny(word, "'\"\\$&|;<>*?(){}") {
			t.Fatalf("quote this: %s", word)
		}
		all, line = append(all, word), after
	}
	return all
}

// TestExample sends every request of README.md to the example and compares the
// answers. Nothing that it logs may be a warning that could be avoided, or hold a
// signature or a secret.
func TestExample(t *testing.T) {
	g := start(t, same)
	blocks, _ := fences(t, "README.md")
	sent := 0
	for _, b := range blocks {
		if b.lang != "console" {
			continue
		}
		for _, exchange := range strings.Split("\n"+b.text, "\n$ ")[1:] {
			line, answer, _ := strings.Cut(exchange, "\n")
			have := g.curl(t, line)
			if strings.TrimSuffix(have, "\n") != strings.TrimSuffix(answer, "\n") {
				t.Errorf("%s: %s\nexpected:\n%s\ngot:\n%s", b.at, line, answer, have)
			}
			sent++
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
		{`curl -s -o /dev/null -w '%{http_code}' 'http://127.0.0.1:8081/autologin;x?user=mike'`, "400"},
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
		if line.Level != "info" && line.Level != "debug" && !unavoidable[line.Msg] && !isError {
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
