//go:build xcaddy

package docs_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
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
	checkout, dir, xcaddy := installed(t)
	caddy := filepath.Join(dir, "caddy"+exe())

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

// TestXcaddyExtended builds Caddy with a scheme and a key source of another module, in the
// way of extending.md: with one --with, and nothing of this module changed. The result makes
// a link with that source, and reads one with that scheme.
func TestXcaddyExtended(t *testing.T) {
	checkout, dir, xcaddy := installed(t)
	caddy := filepath.Join(dir, "extended"+exe())
	module := filepath.Join(dir, "links")
	for _, name := range []string{"tilde", "derived"} {
		if err := os.MkdirAll(filepath.Join(module, name), 0o700); err != nil {
			t.Fatal(err)
		}
		source := readFile(t, filepath.Join("examples", "extending", name, name+".go"))
		if err := os.WriteFile(filepath.Join(module, name, name+".go"), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"go.mod":   "module example.org/links\n\ngo 1.26\n",
		"links.go": "// Package links brings both.\npackage links\n\nimport (\n\t_ \"example.org/links/derived\"\n\t_ \"example.org/links/tilde\"\n)\n",
	} {
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runIn(t, dir, dir, xcaddy, "build", caddyVersion, "--with", "github.com/signedlink/caddy-signed-link="+checkout,
		"--with", "example.org/links="+module, "--output", caddy)
	blocks, _ := fences(t, filepath.Join("docs", "extending.md"))
	for _, b := range blocks {
		if b.lang == "caddyfile" {
			if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("LINK_SECRET", "a secret of the links that nobody guesses")
	t.Setenv("MASTER_KEY", "a master key that nobody guesses")
	link := strings.TrimSpace(runIn(t, dir, dir, caddy, "signed-link", "sign", "--name", "keyed_hash", "https://example.org/do?user=7&comment=3"))
	if out := runIn(t, dir, dir, caddy, "signed-link", "verify", link); !strings.Contains(out, "X-Verified-User: 7") {
		t.Errorf("the link of user 7:\n%s", out)
	}
	mac := hmac.New(sha256.New, []byte("a secret of the links that nobody guesses"))
	mac.Write([]byte("jeff"))
	out := runIn(t, dir, dir, caddy, "signed-link", "verify", "https://example.org/in?token=jeff~"+hex.EncodeToString(mac.Sum(nil)))
	if !strings.Contains(out, "X-Verified-User: jeff") || !strings.Contains(out, "X-Verified-Scheme: tilde") {
		t.Errorf("jeff's link:\n%s", out)
	}
}

func exe() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// installed returns the checkout, a directory for the test, and xcaddy in it.
func installed(t *testing.T) (checkout, dir, xcaddy string) {
	t.Helper()
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	xcaddy = filepath.Join(dir, "xcaddy"+exe())

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
	return checkout, dir, xcaddy
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
