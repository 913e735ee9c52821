//go:build xcaddy

package docs_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The versions that xcaddy.md names.
const (
	xcaddyVersion = "v0.4.5"
	caddyVersion  = "v2.11.9"
)

// TestXcaddy builds Caddy in the way of xcaddy.md, from this checkout, with the real
// xcaddy, and looks for the modules in the result. It needs the module proxy and a
// few minutes, and writes nothing but its temporary directory and Go's caches.
func TestXcaddy(t *testing.T) {
	text := readFile(t, "xcaddy.md")
	for _, command := range []string{
		"go install github.com/caddyserver/xcaddy/cmd/xcaddy@" + xcaddyVersion,
		"xcaddy build " + caddyVersion + " --with github.com/signedlink/caddy-signed-link=.",
	} {
		if !strings.Contains(text, "\n"+command+"\n") {
			t.Errorf("xcaddy.md does not show: %s", command)
		}
	}
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	exe := ""
	if runtime.GOOS == "windows" {
		exe = ".exe"
	}
	xcaddy, caddy := filepath.Join(dir, "xcaddy"+exe), filepath.Join(dir, "caddy"+exe)

	tool := filepath.Join(dir, "tool")
	if err := os.Mkdir(tool, 0o700); err != nil {
		t.Fatal(err)
	}
	runIn(t, tool, dir, "go", "mod", "init", "tool")
	runIn(t, tool, dir, "go", "get", "github.com/caddyserver/xcaddy/cmd/xcaddy@"+xcaddyVersion)
	runIn(t, tool, dir, "go", "build", "-o", xcaddy, "github.com/caddyserver/xcaddy/cmd/xcaddy")
	if version := runIn(t, dir, dir, xcaddy, "version"); !strings.Contains(version, xcaddyVersion) {
		t.Errorf("this is xcaddy %s", version)
	}

	runIn(t, dir, dir, xcaddy, "build", caddyVersion, "--with", "github.com/signedlink/caddy-signed-link="+checkout, "--output", caddy)
	if version := runIn(t, dir, dir, caddy, "version"); !strings.HasPrefix(version, caddyVersion) {
		t.Errorf("this is Caddy %s", version)
	}
	var have strings.Builder
	for line := range strings.SplitSeq(runIn(t, dir, dir, caddy, "list-modules"), "\n") {
		if strings.Contains(line, "signed_link") {
			have.WriteString(line + "\n")
		}
	}
	if have.String() != listed(t) {
		t.Errorf("xcaddy.md does not list the modules that were built in:\n%s", &have)
	}
}

// runIn runs a command in a directory and returns what it prints. Its temporary files
// stand in tmp, which the test removes. The list of the module's own released versions
// is an empty one, so that the result depends on the checkout and on nothing that was
// released of it, or was not.
func runIn(t *testing.T, dir, tmp, name string, args ...string) string {
	t.Helper()
	list := filepath.Join(tmp, "proxy", "github.com", "signedlink", "caddy-signed-link", "@v", "list")
	if err := os.MkdirAll(filepath.Dir(list), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	proxies, err := exec.CommandContext(t.Context(), "go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	own := url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(tmp, "proxy"))}
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOPROXY="+own.String()+","+strings.TrimSpace(string(proxies)),
		"TMPDIR="+tmp, "GOWORK=off", "XDG_CONFIG_HOME="+tmp, "XDG_DATA_HOME="+tmp)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}
