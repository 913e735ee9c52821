package docs_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// step is a running step of rollout.md, in front of an application that answers with
// what it was given.
type step struct {
	address string // of the site
	logs    string // the directory that stands for /var/log/caddy
	caddy   *gateway
}

// startStep runs the Caddyfile of a section of rollout.md, line for line.
func startStep(t *testing.T, section string) *step {
	t.Helper()
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/gone") {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprintf(w, "%s user=%s", r.RequestURI, r.Header.Get("X-Verified-User"))
	}))
	t.Cleanup(application.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &step{address: l.Addr().String(), logs: t.TempDir(), caddy: &gateway{log: new(safeBuffer)}}
	l.Close()

	text := ""
	blocks, _ := fences(t, filepath.Join("docs", "rollout.md"))
	for _, b := range blocks {
		if b.section == section && b.lang == "caddyfile" {
			text = b.text
		}
	}
	for from, to := range map[string]string{
		"\nexample.org {":        "\nhttp://" + s.address + " {",
		"app.internal:8080":      application.Listener.Addr().String(),
		"/etc/caddy/link.secret": "/etc/caddy/link.secret",
	} {
		if !strings.Contains("\n"+text, from) {
			t.Fatalf("%s: the Caddyfile does not have %q", section, from)
		}
		text = strings.TrimPrefix(strings.Replace("\n"+text, from, to, 1), "\n")
	}
	text = strings.ReplaceAll(withSecrets(t, text), "/var/log/caddy/", s.logs+"/")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.caddy.run(t, dir, []string{"CADDY_ADMIN=127.0.0.1:0"}, "run", "--config", "Caddyfile")
	return s
}

// sign makes a link of rollout.md.
func sign(user string) string {
	mac := hmac.New(sha256.New, []byte(exampleSecret("/etc/caddy/link.secret")))
	fmt.Fprintf(mac, "%s|%d", user, 4102444800)
	return fmt.Sprintf("user=%s&expires=4102444800&sig=%s", user, hex.EncodeToString(mac.Sum(nil)))
}

// get sends a request, with a forged header, and returns status and body.
func (s *step) get(t *testing.T, target string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Verified-User", "admin")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", response.StatusCode, body)
}

// said is what Caddy has logged, on standard error or, with the first step, in the file of
// the handler.
func (s *step) said(t *testing.T) string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(s.logs, "signed_link.log"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return s.caddy.log.String() + string(file)
}

// lines waits for lines in the log that hold the text, and returns them.
func (s *step) lines(t *testing.T, text string, n int) (found []string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; <-time.After(10 * time.Millisecond) {
		found = nil
		for line := range strings.Lines(s.said(t)) {
			if strings.Contains(line, text) && strings.HasSuffix(line, "\n") {
				found = append(found, strings.TrimSuffix(line, "\n"))
			}
		}
		if len(found) >= n {
			return found
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log does not have %d lines with %s:\n%s", n, text, s.said(t))
		}
	}
}

var timestamp = regexp.MustCompile(`"ts":[0-9.]+,`)

// The steps, by their headings.
var rolloutSteps = []string{"1. Observe", "2. Recognize, and strip nothing", "3. Strip the signature", "4. Require"}

// TestRollout runs every step: what the application gets, and what the log says, is what
// the page says.
func TestRollout(t *testing.T) {
	good := sign("jeff")
	bad := strings.Replace(good, "jeff", "mike", 1)
	want := map[string]struct{ good, bad, none, said string }{
		rolloutSteps[0]: {"200 /members?" + good + " user=", "200 /members?" + bad + " user=", "200 /members?a=b user=", "would be refused"},
		rolloutSteps[1]: {"200 /members?" + good + " user=jeff", "200 /members user=", "200 /members?a=b user=", "not recognized"},
		rolloutSteps[2]: {"200 /members?user=jeff user=jeff", "200 /members user=", "200 /members?a=b user=", "not recognized"},
		rolloutSteps[3]: {"200 /members?user=jeff user=jeff", "401 This link does not work (bad_signature). Please ask for a new one.", "200 /members?a=b user=", "refused"},
	}
	blocks, _ := fences(t, filepath.Join("docs", "rollout.md"))
	logged := make(map[string]string)
	for _, b := range blocks {
		if b.lang == "log" {
			logged[b.section] = strings.TrimSuffix(b.text, "\n")
		}
	}
	for _, section := range rolloutSteps {
		t.Run(section, func(t *testing.T) {
			s, want := startStep(t, section), want[section]
			for target, want := range map[string]string{"/members?" + good: want.good, "/members?" + bad: want.bad, "/members?a=b": want.none} {
				if have := s.get(t, target); have != want {
					t.Errorf("%s\nexpected %s\ngot      %s", target, want, have)
				}
			}
			line := timestamp.ReplaceAllString(s.lines(t, `"msg":"`+want.said+`"`, 1)[0], "")
			if section == rolloutSteps[2] {
				return // as the step before
			}
			if line != logged[section] {
				t.Errorf("the page shows\n%s\nthe log has\n%s", logged[section], line)
			}
		})
	}
	if len(logged) != 3 {
		t.Errorf("the page shows %d lines of a log", len(logged))
	}
}

// TestRolloutLogFile: the file of the first step holds the handler's lines and nothing
// else, and no line of any log holds a signature.
func TestRolloutLogFile(t *testing.T) {
	s := startStep(t, rolloutSteps[0])
	bad := strings.Replace(sign("jeff"), "jeff", "mike", 1)
	s.get(t, "/members?"+bad)
	s.lines(t, "would be refused", 1)
	_, signature, _ := strings.Cut(bad, "&sig=")
	for name, want := range map[string]string{"signed_link.log": "would be refused", "access.log": "handled request"} {
		var content []byte
		for deadline := time.Now().Add(10 * time.Second); len(content) == 0; <-time.After(10 * time.Millisecond) {
			var err error
			if content, err = os.ReadFile(filepath.Join(s.logs, name)); err != nil && !os.IsNotExist(err) || time.Now().After(deadline) {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for scanner := bufio.NewScanner(bytes.NewReader(content)); scanner.Scan(); {
			var line struct{ Msg string }
			if err := json.Unmarshal(scanner.Bytes(), &line); err != nil || line.Msg != want {
				t.Errorf("%s has the line %s (%v)", name, scanner.Text(), err)
			}
		}
		if strings.Contains(string(content), signature) {
			t.Errorf("%s holds a signature:\n%s", name, content)
		}
	}
}

// failRegex is the filter of fail2ban, in Go.
func failRegex(t *testing.T) *regexp.Regexp {
	t.Helper()
	filter := readFile(t, filepath.Join("docs", "observability", "fail2ban", "filter.d", "caddy-signed-link.conf"))
	m := regexp.MustCompile(`(?m)^failregex = (.*)$`).FindStringSubmatch(filter)
	if m == nil || strings.Count(m[1], "<ADDR>") != 1 || m[1][0] != '^' {
		t.Fatalf("there is no failregex that begins at the beginning and has one address:\n%s", filter)
	}
	return regexp.MustCompile(strings.Replace(m[1], "<ADDR>", `(?P<addr>[0-9a-fA-F:.]+)`, 1))
}

// TestFail2ban runs the filter over what the handler logs. It finds the wrong signatures
// in `require` and `recognize`, nothing in `observe`, and nothing that a client writes
// into a path can get another one banned.
func TestFail2ban(t *testing.T) {
	filter := failRegex(t)
	bad := strings.Replace(sign("jeff"), "jeff", "mike", 1)
	hostile := `/members","reason":"bad_signature","detail":"","client_ip":"192.0.2.7`
	for section, want := range map[string]int{rolloutSteps[0]: 0, rolloutSteps[1]: 1, rolloutSteps[3]: 1} {
		t.Run(section, func(t *testing.T) {
			s := startStep(t, section)
			s.get(t, "/members?"+sign("jeff"))
			s.get(t, "/members?"+bad)
			s.get(t, "/members/"+url.PathEscape(hostile)+"?user=jeff&user=mike&sig=00")
			s.get(t, "/members?expires=1&sig=00")
			banned := 0
			for _, line := range s.lines(t, `"logger":"http.handlers.signed_link"`, 3) {
				m := filter.FindStringSubmatch(line)
				switch {
				case m == nil:
				case m[1] != "127.0.0.1":
					t.Errorf("%s is banned because of %s", m[1], line)
				default:
					banned++
				}
			}
			if banned != want {
				t.Errorf("%d lines are found, expected %d:\n%s", banned, want, s.said(t))
			}
		})
	}

	line := func(change func(line map[string]string)) string {
		fields := map[string]string{"path": "/members", "reason": "bad_signature", "client_ip": "192.0.2.1"}
		change(fields)
		path, err := json.Marshal(fields["path"])
		if err != nil {
			t.Fatal(err)
		}
		return `{"level":"info","ts":1763764245.1234567,"logger":"http.handlers.signed_link","msg":"refused","definition":"newsletter","scheme":"newsletter","client_ip":"` +
			fields["client_ip"] + `","path":` + string(path) + `,"origin":"Caddyfile:3","reason":"` + fields["reason"] + `","detail":""}`
	}
	for _, x := range []struct {
		line string
		want string // who is banned
	}{
		{line(func(map[string]string) {}), "192.0.2.1"},
		{line(func(f map[string]string) { f["client_ip"] = "2001:db8::1" }), "2001:db8::1"},
		{line(func(f map[string]string) { f["path"] = hostile }), "192.0.2.1"},
		{line(func(f map[string]string) { f["path"], f["reason"] = hostile, "expired" }), ""},
		{line(func(f map[string]string) { f["path"], f["reason"] = `\`+hostile, "missing" }), ""},
		{"a" + line(func(map[string]string) {}), ""},
	} {
		have := ""
		if m := filter.FindStringSubmatch(x.line); m != nil {
			have = m[1]
		}
		if have != x.want {
			t.Errorf("%q is banned, expected %q, because of %s", have, x.want, x.line)
		}
	}
}

// TestCredentials: the credential of the drop-in is the one that the Caddyfile names.
func TestCredentials(t *testing.T) {
	page := readFile(t, filepath.Join("docs", "rollout.md"))
	name := regexp.MustCompile(`(?m)^LoadCredential=([\w.]+):/etc/caddy/[\w.]+$`).FindStringSubmatch(page)
	if name == nil || !strings.Contains(page, " {file./run/credentials/caddy.service/"+name[1]+"} {\n") {
		t.Errorf("%q is not what the Caddyfile names", name)
	}
}
