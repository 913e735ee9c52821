package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shell is TestShell, which runs lines as they are shown, in a copy of the checkout.
const shell = "docs/shell_run_test.go TestShell"

// runs says for every command line of the documentation who runs it: a test, by its file
// and name, or the gate. `$ curl` lines need no entry on README.md, whose sections
// TestExample and TestExamples run whole.
var runs = map[string]string{
	"go run ./cmd/caddy run --config Caddyfile.example": "docs/example_test.go TestExample",
	"go test ./...": ".ci/run",
	// a fresh container, in which the gate starts
	"sudo apt-get update":                        "integration/install.sh",
	"sudo apt-get install php-fpm tomcat10 curl": "integration/install.sh",
	"sudo install -D -m 644 examples/php/index.php /var/www/signed_link/index.php":            "integration/examples_test.go TestExamples",
	"sudo ./caddy run --config examples/php/Caddyfile":                                        "integration/examples_test.go TestExamples",
	"sudo install -D -m 644 examples/tomcat/show.jsp /var/lib/tomcat10/webapps/ROOT/show.jsp": "integration/examples_test.go TestExamples",
	"./caddy run --config examples/tomcat/Caddyfile":                                          "integration/examples_test.go TestExamples",
	"sh integration/install.sh":                                                               ".ci/run",
	"go test -tags integration ./integration/...":                                             ".ci/run",
	"sh integration/install.sh full":                                                          ".ci/run",
	"go test -tags integration,full -timeout 45m ./integration/...":                           ".ci/run",
	"go run ./integration/fuzz -duration 1h -save found":                                      "integration/fuzz/fuzz_test.go TestFuzz",
	"go run ./integration/fuzz -draw -duration 1h -save found":                                "integration/fuzz/draw_test.go TestDrawn",
	"FUZZ_DURATION=10m go test -tags integration -timeout 30m ./integration/fuzz":             "integration/fuzz/fuzz_test.go TestFuzz",
	"go install github.com/caddyserver/xcaddy/cmd/xcaddy@v0.4.5":                              "docs/xcaddy_test.go TestXcaddy",
	"xcaddy build v2.11.9 --with github.com/signedlink/caddy-signed-link=.":                   "docs/xcaddy_test.go TestXcaddy",
	// there has been no release: TestXcaddy builds the checkout in its place
	"xcaddy build v2.11.9 --with github.com/signedlink/caddy-signed-link@v0.1.0":                     "docs/xcaddy_test.go TestXcaddy",
	"xcaddy build v2.11.9 --with github.com/signedlink/caddy-signed-link@v0.1.0 --output caddy-next": "docs/xcaddy_test.go TestXcaddy",

	"xcaddy build v2.11.9 --with github.com/signedlink/caddy-signed-link@v0.1.0 --with example.org/links": "docs/xcaddy_test.go TestXcaddyExtended",

	"go build -o caddy ./cmd/caddy":                                                                      shell,
	"./caddy list-modules | grep signed_link":                                                            shell,
	"./caddy validate --config /etc/caddy/Caddyfile":                                                     shell,
	"( umask 077 && openssl rand -hex 32 > /etc/caddy/link.secret )":                                     shell,
	"chown caddy /etc/caddy/link.secret":                                                                 shell,
	"install -m 0640 -g caddy keys-2027.json /etc/caddy/keys.json.new":                                   shell,
	"mv /etc/caddy/keys.json.new /etc/caddy/keys.json":                                                   shell,
	"sudo cp docs/observability/fail2ban/filter.d/caddy-signed-link.conf /etc/fail2ban/filter.d/":        shell,
	"sudo cp docs/observability/fail2ban/jail.d/caddy-signed-link.conf /etc/fail2ban/jail.d/":            shell,
	"fail2ban-regex /var/log/caddy/signed_link.log /etc/fail2ban/filter.d/caddy-signed-link.conf":        shell,
	"sudo systemctl reload fail2ban":                                                                     shell,
	"sudo -u caddy ./caddy-next validate --config /etc/caddy/Caddyfile --envfile /etc/caddy/secrets.env": shell,
	"sudo cp -p /usr/local/bin/caddy /usr/local/bin/caddy-before":                                        shell,
	"sudo install -m 755 caddy-next /usr/local/bin/caddy":                                                shell,
	"sudo install -m 755 /usr/local/bin/caddy-before /usr/local/bin/caddy":                               shell,
	"sudo systemctl restart caddy":                                                                       shell,
	"sudo systemctl reload caddy":                                                                        shell,
	`jq -r 'select(.msg == "would be refused") | [.reason, .detail, .path] | join(" ")' /var/log/caddy/signed_link.log | sort | uniq -c | sort -rn`:                  shell,
	`jq -r 'select(.signed_link.verdict == "valid" and .status >= 400) | [.status, .request.uri] | join(" ")' /var/log/caddy/access.log | sort | uniq -c | sort -rn`: shell,
	`jq 'select(.request.client_ip == "192.0.2.1") | {ts, status, uri: .request.uri, signed_link}' /var/log/caddy/access.log`:                                        shell,
}

// command is a command line of the documentation, with what it prints if that is shown.
type command struct {
	page, at, line, answer string
	shown                  bool // what it prints
}

// commandLines are all of them, in their order.
func commandLines(t *testing.T) (all []command) {
	t.Helper()
	found := pages(t)
	err := filepath.WalkDir(filepath.Join(root, "integration"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			path, err = filepath.Rel(root, path)
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range found {
		blocks, _ := fences(t, page)
		for _, b := range blocks {
			switch b.lang {
			case "sh":
				for line := range strings.Lines(b.text) {
					all = append(all, command{page: page, at: b.at, line: strings.TrimSpace(line)})
				}
			case "console":
				for exchange := range strings.SplitSeq(strings.TrimPrefix(b.text, "$ "), "\n$ ") {
					line, answer, _ := strings.Cut(exchange, "\n")
					all = append(all, command{page, b.at, line, answer, true})
				}
			case "bash", "shell", "shell-session":
				t.Errorf("%s: write sh, or console with what is printed", b.at)
			}
		}
	}
	return all
}

// TestCommandLines: every command line of the documentation is run by a test.
func TestCommandLines(t *testing.T) {
	stands := make(map[string]bool)
	for _, c := range commandLines(t) {
		stands[c.line] = true
		tool, _, _ := strings.Cut(c.line, " ")
		switch {
		case c.page == "README.md" && c.shown && (tool == "curl" || tool == "#"): // TestExample looks at the sections
		case c.shown && strings.HasPrefix(c.line, "caddy signed-link "): // TestCommandLine
		case runs[c.line] == "":
			t.Errorf("%s: nothing runs this: %s", c.at, c.line)
		}
	}
	for line, where := range runs {
		if !stands[line] {
			t.Errorf("no page has: %s", line)
		}
		file, test, isTest := strings.Cut(where, " ")
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		needs := []string{"func " + test + "("}
		switch {
		case isTest:
		case file == "integration/install.sh":
			needs = []string{"apt-get"}
			if _, packages, install := strings.Cut(line, "install "); install {
				needs = strings.Fields(packages)
			}
		default: // the gate has more options in the middle
			words := strings.Fields(line)
			needs = []string{"\n" + words[0], " " + words[len(words)-1]}
		}
		for _, need := range needs {
			if !strings.Contains(string(text), need) {
				t.Errorf("%s does not have %q, for: %s", file, need, line)
			}
		}
	}
}
