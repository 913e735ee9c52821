//go:build integration

package integration

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
	"github.com/signedlink/caddy-signed-link/integration/process"
	"github.com/signedlink/caddy-signed-link/internal/devel/curl"
	"github.com/signedlink/caddy-signed-link/internal/devel/markdown"
)

// example is one part of the section of README.md that has real servers.
type example struct {
	heading string
	// installs is the directory into which README.md installs the application.
	installs string
	// start starts the server, whose application is in the directory, and returns what
	// to replace in the Caddyfile.
	start func(t *testing.T, dir string) (replace map[string]string)
}

// TestExamples does what README.md says, with servers of its own: it installs the
// applications, starts Caddy with the Caddyfiles, sends the requests and compares the
// answers.
func TestExamples(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, _, err := markdown.Blocks(string(page))
	if err != nil {
		t.Fatal(err)
	}
	const section = "On real PHP, on real Tomcat"
	examples := []example{
		{
			heading:  "PHP",
			installs: "/var/www/signed_link",
			start: func(t *testing.T, dir string) map[string]string {
				return map[string]string{
					"/var/www/signed_link":       dir,
					"unix//run/php/php-fpm.sock": backends.StartFPM(t).Address,
				}
			},
		},
		{
			heading:  "Tomcat",
			installs: "/var/lib/tomcat10/webapps/ROOT",
			start: func(t *testing.T, dir string) map[string]string {
				return map[string]string{"127.0.0.1:8080": stockTomcat(t, dir)}
			},
		},
	}
	done := map[string]bool{section: true} // what stands before the parts only installs packages
	for _, x := range examples {
		done[x.heading] = true
		t.Run(x.heading, func(t *testing.T) {
			var part []markdown.Block
			for _, b := range blocks {
				if b.Section == section && b.Heading == x.heading {
					part = append(part, b)
				}
			}
			x.run(t, root, part)
		})
	}
	for _, b := range blocks {
		if b.Section == section && !done[b.Heading] {
			t.Errorf("README.md:%d: nothing runs this", b.Line)
		}
	}
}

var (
	installLine = regexp.MustCompile(`(?m)^sudo (install) (-D) (-m) (644) (examples/\S+) (\S+)$`)
	runLine     = regexp.MustCompile(`(?m)^(?:sudo )?\./caddy run --config (examples/\S+)$`)
)

func (x example) run(t *testing.T, root string, part []markdown.Block) {
	var commands strings.Builder
	for _, b := range part {
		if b.Lang == "sh" {
			commands.WriteString(b.Text)
		}
	}
	install := installLine.FindStringSubmatch(commands.String())
	run := runLine.FindStringSubmatch(commands.String())
	if install == nil || run == nil || strings.Count(commands.String(), "\n") != 2 {
		t.Fatalf("these are not one line to install and one to run:\n%s", &commands)
	}

	dir := filepath.Join(t.TempDir(), "application")
	target, ok := strings.CutPrefix(install[6], x.installs+"/")
	if !ok {
		t.Fatalf("%s is not in %s", install[6], x.installs)
	}
	command := exec.Command(install[1], append(install[2:6:6], filepath.Join(dir, target))...)
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}

	caddyfile, err := os.ReadFile(filepath.Join(root, run[1]))
	if err != nil {
		t.Fatal(err)
	}
	text := string(caddyfile)
	for from, to := range x.start(t, dir) {
		if strings.Count(text, from) != 1 {
			t.Fatalf("%s is not once in %s", from, run[1])
		}
		text = strings.Replace(text, from, to, 1)
	}
	g := gateway.StartCaddyfile(t, root, text)
	sent := 0
	for _, b := range part {
		if b.Lang == "console" {
			sent += curl.Check(t, fmt.Sprintf("README.md:%d", b.Line), b.Text, func(address string) string {
				return curlHost.ReplaceAllStringFunc(address, g.Address)
			})
		}
	}
	if sent < 3 {
		t.Errorf("only %d requests were found", sent)
	}
	checkExampleLog(t, g.Log())
}

var curlHost = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// checkExampleLog finds no warning that could be avoided, and no signature.
func checkExampleLog(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		level := strings.Contains(line, `"level":"warn"`) || strings.Contains(line, `"level":"error"`)
		// the secrets of examples are public, and their links never expire
		finding := strings.Contains(line, `"code":"published_secret"`) || strings.Contains(line, `"code":"no_expiry"`)
		if level && !finding && !strings.Contains(line, "admin endpoint disabled") {
			t.Errorf("Caddy logs: %s", line)
		}
	}
	if !strings.Contains(log, "serving initial configuration") {
		t.Errorf("the log is too short:\n%s", log)
	}
	if strings.Contains(log, "31c940a5a60bcd10") {
		t.Errorf("the log holds a signature:\n%s", log)
	}
}

// stockTomcat starts Tomcat as the package tomcat10 configures it, JSP included, but
// for its port, with the directory as its application at /, and returns its address.
func stockTomcat(t *testing.T, application string) (address string) {
	t.Helper()
	backends.Require(t, "tomcat10", "java")
	const home = "/usr/share/tomcat10"
	base := t.TempDir()
	for _, dir := range []string{"conf", "temp", "webapps"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(base, "conf"), os.DirFS(filepath.Join(home, "etc"))); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(base, "webapps", "ROOT"), os.DirFS(application)); err != nil {
		t.Fatal(err)
	}
	server, err := os.ReadFile(filepath.Join(home, "etc", "server.xml"))
	if err != nil {
		t.Fatal(err)
	}
	const connector = `<Connector port="8080" protocol="HTTP/1.1"`
	if strings.Count(string(server), connector) != 1 || !strings.Contains(string(server), `<Server port="-1"`) {
		t.Fatal("the server.xml of tomcat10 is not the one that this test knows")
	}

	// A file of the application says which process answers.
	write := func(path, content string) {
		if err := os.WriteFile(filepath.Join(base, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	port, _ := process.Service{
		Name:  "tomcat",
		Limit: 2 * time.Minute,
		Command: func(port int, instance string) *exec.Cmd {
			own := fmt.Sprintf(`<Connector address="127.0.0.1" port="%d" protocol="HTTP/1.1"`, port)
			write("conf/server.xml", strings.Replace(string(server), connector, own, 1))
			write("webapps/ROOT/instance.txt", instance)
			cmd := exec.Command("java",
				"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m",
				"-classpath", filepath.Join(home, "bin", "bootstrap.jar")+":"+filepath.Join(home, "bin", "tomcat-juli.jar"),
				"-Dcatalina.home="+home, "-Dcatalina.base="+base, "-Djava.io.tmpdir="+filepath.Join(base, "temp"),
				"-Djava.awt.headless=true",
				"-Dorg.apache.catalina.startup.EXIT_ON_INIT_FAILURE=true",
				"org.apache.catalina.startup.Bootstrap", "start")
			cmd.Dir = base
			return cmd
		},
		Probe: func(port int) (string, error) {
			response, err := client.Get("http://127.0.0.1:" + strconv.Itoa(port) + "/instance.txt")
			if err != nil {
				return "", err
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err == nil && response.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s: %.200q", response.Status, body)
			}
			return string(body), err
		},
	}.Run(t)
	return "127.0.0.1:" + strconv.Itoa(port)
}
