//go:build integration

package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/backends"
)

// sandbox is a machine to try the command lines on: a copy of the checkout, with
// directories that stand for those of the system.
type sandbox struct {
	dir   string
	paths *strings.Replacer
	env   []string
	asked string // what systemctl was asked for, a line each
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	dir := t.TempDir()
	s := &sandbox{dir: filepath.Join(dir, "checkout"), asked: filepath.Join(dir, "systemctl")}
	copyCheckout(t, s.dir)
	for _, d := range []string{"etc/caddy", "var/log/caddy", "usr/local/bin", "bin", "home"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(d)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.write(t, filepath.Join(dir, "etc/caddy/Caddyfile"), 0o600, "example.org {\n\tsigned_link recognize akid {env.AKID_SECRET}\n\treverse_proxy app.internal:8080\n}\n")
	s.write(t, filepath.Join(dir, "etc/caddy/secrets.env"), 0o600, "AKID_SECRET="+exampleSecret("AKID_SECRET")+"\n")
	s.write(t, filepath.Join(s.dir, "keys-2027.json"), 0o600, `{"keys": [{"id": "2027", "secret": "`+exampleSecret("AKID_SECRET")+`"}]}`)
	// There is no systemd in a test; what it is asked for is all that can be seen.
	s.write(t, filepath.Join(dir, "bin/systemctl"), 0o700, "#!/bin/sh\necho \"$*\" >> '"+s.asked+"'\n")
	s.paths = strings.NewReplacer(
		"/etc/caddy", dir+"/etc/caddy", "/etc/fail2ban", dir+"/etc/fail2ban", "/var/log/", dir+"/var/log/", "/usr/local/", dir+"/usr/local/",
		// nobody is root here, and caddy is who runs the test
		"sudo -u caddy ", "", "sudo ", "", "chown caddy ", fmt.Sprintf("chown %d ", os.Getuid()), "-g caddy ", fmt.Sprintf("-g %d ", os.Getgid()),
		// the address in the logs of the test
		"192.0.2.1", "127.0.0.1",
	)
	s.env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "AKID_SECRET="+exampleSecret("AKID_SECRET"),
		"XDG_CONFIG_HOME="+filepath.Join(dir, "home"), "XDG_DATA_HOME="+filepath.Join(dir, "home"))
	return s
}

func (*sandbox) write(t *testing.T, path string, mode fs.FileMode, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// copyCheckout copies what git knows, and what is new.
func copyCheckout(t *testing.T, to string) {
	t.Helper()
	command := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	command.Dir = root
	list, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, file))
		if os.IsNotExist(err) {
			continue // deleted, and git does not know yet
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs a command line with the shell and returns what it prints.
func (s *sandbox) run(t *testing.T, line string) string {
	t.Helper()
	command := exec.Command("sh", "-c", s.paths.Replace(line))
	command.Dir, command.Env = s.dir, s.env
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// withLogs puts the logs of a gateway there that has seen some links.
func (s *sandbox) withLogs(t *testing.T, sections ...string) {
	t.Helper()
	for _, section := range sections {
		g := startStep(t, section)
		good := sign("jeff")
		g.get(t, "/members?"+good)
		g.get(t, "/members/gone?"+good)
		for range 3 {
			g.get(t, "/members?"+strings.Replace(good, "jeff", "mike", 1))
		}
		g.get(t, "/members")
		g.lines(t, "http.handlers.signed_link", 3)
		for _, name := range []string{"signed_link.log", "access.log"} {
			content, err := os.ReadFile(filepath.Join(g.logs, name))
			if err != nil {
				t.Fatal(err)
			}
			s.write(t, s.paths.Replace("/var/log/caddy/"+name), 0o600, string(content))
		}
	}
}

// TestShell runs the command lines of the documentation one after the other, and compares
// what they print with what is shown, or with what must be in it.
func TestShell(t *testing.T) {
	backends.Require(t, "git", "jq", "openssl", "fail2ban-regex", "fail2ban-client")
	s := newSandbox(t)
	s.withLogs(t, rolloutSteps[0])
	s.run(t, "go build -o caddy ./cmd/caddy && cp caddy caddy-next && cp caddy /usr/local/bin/caddy")
	if err := os.CopyFS(s.paths.Replace("/etc/fail2ban"), os.DirFS("/etc/fail2ban")); err != nil {
		t.Fatal(err)
	}

	prints := map[string]string{
		"./caddy validate":           "Valid configuration",
		"./caddy-next validate":      "Valid configuration",
		"jq -r 'select(.msg":         "      3 bad_signature  /members\n",
		"jq -r 'select(.signed_link": "404 /members/gone?user=jeff&expires=4102444800&sig=REDACTED\n",
		"jq 'select(.request":        `"reason": "bad_signature"`,
		"fail2ban-regex":             "0 matched", // nobody is banned because of observe
	}
	used := 0
	for _, c := range commandLines(t) {
		if runs[c.line] != shell {
			continue
		}
		out := s.run(t, c.line)
		if c.shown && strings.TrimSpace(out) != strings.TrimSpace(c.answer) {
			t.Errorf("%s: %s\nexpected:\n%s\ngot:\n%s", c.at, c.line, c.answer, out)
		}
		for begin, want := range prints {
			if strings.HasPrefix(strings.TrimPrefix(c.line, "sudo -u caddy "), begin) {
				used++
				if !strings.Contains(out, want) {
					t.Errorf("%s: %s\nexpected %q in:\n%s", c.at, c.line, want, out)
				}
			}
		}
	}
	if used != len(prints) {
		t.Errorf("%d of %d lines were compared", used, len(prints))
	}
	asked, err := os.ReadFile(s.asked)
	if err != nil || string(asked) != "reload fail2ban\nrestart caddy\nrestart caddy\nreload caddy\n" {
		t.Errorf("systemctl was asked for %q (%v)", asked, err)
	}

	// the two files are whole: fail2ban starts with them
	if err := os.Remove(s.paths.Replace("/etc/fail2ban/jail.d/defaults-debian.conf")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	jail := s.paths.Replace("/etc/fail2ban/jail.d/caddy-signed-link.conf")
	content, err := os.ReadFile(jail)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, jail, 0o600, s.paths.Replace(string(content)))
	if out := s.run(t, "fail2ban-client -c /etc/fail2ban -t"); !strings.Contains(out, "OK: configuration test is successful") {
		t.Errorf("fail2ban says %s", out)
	}
	if out := s.run(t, "fail2ban-client -c /etc/fail2ban -d"); !strings.Contains(out, "caddy-signed-link") {
		t.Errorf("fail2ban does not know the jail: %s", out)
	}
}

// TestFail2banRegex runs the real fail2ban-regex over what the handler logs.
func TestFail2banRegex(t *testing.T) {
	backends.Require(t, "fail2ban-regex")
	filter, err := filepath.Abs(filepath.Join(root, "docs", "observability", "fail2ban", "filter.d", "caddy-signed-link.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for section, want := range map[string]int{rolloutSteps[0]: 0, rolloutSteps[1]: 3, rolloutSteps[3]: 3} {
		g := startStep(t, section)
		good := sign("jeff")
		for range 3 {
			g.get(t, "/members?"+strings.Replace(good, "jeff", "mike", 1))
		}
		g.get(t, "/members?user=jeff&user=mike&sig=00")
		g.get(t, "/members/%22,%22reason%22:%22bad_signature%22,%22detail%22:%22%22?user=jeff&user=mike&sig=00")
		log := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(log, []byte(strings.Join(g.lines(t, "http.handlers.signed_link", 5), "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("fail2ban-regex", "-o", "<ip>", log, filter).CombinedOutput()
		if err != nil && want > 0 {
			t.Errorf("%s: %v", section, err)
		}
		if have := strings.TrimSpace(string(out)); have != strings.TrimSpace(strings.Repeat("127.0.0.1\n", want)) {
			t.Errorf("%s: banned are %q, expected %d", section, have, want)
		}
	}
}

// TestDropIns has systemd read the drop-ins beside the unit that Caddy's packages bring.
func TestDropIns(t *testing.T) {
	backends.Require(t, "systemd-analyze")
	n := 0
	for _, page := range pages(t) {
		blocks, _ := fences(t, page)
		for _, b := range blocks {
			if b.lang != "ini" {
				continue
			}
			n++
			if !strings.HasPrefix(b.text, "# /etc/systemd/system/caddy.service.d/signed_link.conf\n[Service]\n") {
				t.Errorf("%s does not say where it belongs", b.at)
			}
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "caddy.service.d"), 0o700); err != nil {
				t.Fatal(err)
			}
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{
				"caddy.service": "[Unit]\nAfter=network.target\n[Service]\nType=notify\nUser=" + strconv.Itoa(os.Getuid()) + "\n" +
					"ExecStart=/usr/bin/caddy run --environ --config /etc/caddy/Caddyfile\n" +
					"ExecReload=/usr/bin/caddy reload --config /etc/caddy/Caddyfile --force\n",
				"caddy.service.d/signed_link.conf": strings.ReplaceAll(b.text, "/usr/local/bin/caddy", program),
			} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			command := exec.Command("systemd-analyze", "verify", "--man=no", filepath.Join(dir, "caddy.service"))
			command.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":", "SYSTEMD_LOG_TARGET=console", "SYSTEMD_LOG_LEVEL=notice")
			if out, err := command.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s: systemd says %s (%v)", b.at, out, err)
			}
		}
	}
	if n < 3 {
		t.Errorf("only %d drop-ins were found", n)
	}
}
