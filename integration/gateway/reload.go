package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/process"
)

// Reloadable is a running Caddy that takes one configuration after the other, by its API
// on a Unix socket: that is some ten times faster than to start it anew. Its sites keep
// their ports.
type Reloadable struct {
	*Gateway

	dir, socket string
	port        int // of the site that says who answers
	instance    string
	host        string
	api         *http.Client
	loads       int
}

// reloadSites are the sites of a [Reloadable], by their names in its Caddyfiles; those of
// secureSites have a port with TLS besides.
var (
	reloadSites = []string{"SITE1", "SITE2"}
	secureSites = []string{"SECURE1"}
)

// StartReloadable starts the program, or cmd/caddy if that is empty.
func StartReloadable(t testing.TB, program string, env []string) *Reloadable {
	t.Helper()
	if program == "" {
		program = Program(t)
	}
	r := &Reloadable{Gateway: &Gateway{}, dir: t.TempDir()}
	// The path of a socket has 107 bytes at most.
	sockets, err := os.MkdirTemp("", "api")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	r.socket = filepath.Join(sockets, "s")
	if r.tls, err = newCertificate(r.dir); err != nil {
		t.Fatal(err)
	}
	r.api = &http.Client{Timeout: startLimit, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", r.socket)
	}}}
	file := filepath.Join(r.dir, "Caddyfile")
	_, r.process = process.Service{
		Name:  "caddy",
		Limit: startLimit,
		Command: func(port int, instance string) *exec.Cmd {
			r.host = fmt.Sprintf("127.%d.%d.%d", 1+random(254), random(256), 1+random(254)) // as in Start
			r.port, r.instance = port, instance
			r.addresses, r.secure = map[string]string{}, map[string]string{}
			for _, name := range reloadSites {
				r.addresses[name] = address(t, r.host)
			}
			for _, name := range secureSites {
				r.secure[name] = address(t, r.host)
			}
			if err := os.WriteFile(file, []byte(r.whole("", "", "log")), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, "run", "--adapter", "caddyfile", "--config", file)
			cmd.Dir = r.dir
			cmd.Env = append(os.Environ(), "HOME="+r.dir, "XDG_CONFIG_HOME="+r.dir, "XDG_DATA_HOME="+r.dir, "GOMAXPROCS=2")
			cmd.Env = append(cmd.Env, env...)
			return cmd
		},
		Probe: probe,
	}.Run(t)
	return r
}

// whole is the Caddyfile with the global options that keep the process reachable.
func (r *Reloadable) whole(options, sites, log string) string {
	return block("", "admin unix/"+r.socket+"\npersist_config off\nauto_https off\nskip_install_trust\ngrace_period 1s\n"+
		"storage file_system "+filepath.Join(r.dir, "storage")+"\n"+
		block("log", "output file "+filepath.Join(r.dir, log)+" {\nroll_disabled\n}\nlevel WARN\nformat json")+options) +
		block(fmt.Sprintf("http://127.0.0.1:%d", r.port), "bind 127.0.0.1\nrespond "+r.instance) + sites
}

// Load has the process take a configuration: global options, and the rest of a Caddyfile,
// whose sites begin with lines "SITE1 {", "SITE2 {", and "SECURE1 {" for TLS and QUIC. It
// returns why it is refused, or the JSON lines of what was said about it. ACCESSLOG stands for
// a file; see [Reloadable.AccessLog].
func (r *Reloadable) Load(options, sites string) (refused, said string, err error) {
	r.loads++
	log := fmt.Sprintf("log-%d", r.loads)
	defer os.Remove(filepath.Join(r.dir, fmt.Sprintf("log-%d", r.loads-1)))
	defer os.Remove(filepath.Join(r.dir, fmt.Sprintf("access-%d", r.loads-1)))
	var text strings.Builder
	for line := range strings.Lines(sites) {
		name := strings.TrimSuffix(strings.TrimSpace(line), " {")
		switch {
		case r.addresses[name] != "":
			line = "http://:" + portOf(r.addresses[name]) + " {\nbind " + r.host + "\n"
		case r.secure[name] != "":
			line = "https://:" + portOf(r.secure[name]) + " {\nbind " + r.host + "\ntls " + filepath.Join(r.dir, "cert.pem") + " " + filepath.Join(r.dir, "key.pem") + "\n"
		}
		text.WriteString(strings.ReplaceAll(line, "ACCESSLOG", r.accessLog()))
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://127.0.0.1/load", strings.NewReader(r.whole(options, text.String(), log)))
	if err != nil {
		return "", "", err
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	request.Header.Set("Cache-Control", "must-revalidate") // the same text is another load
	answer, err := r.api.Do(request)
	for again := 0; err != nil && again < 3; again++ { // each load starts the API anew
		if request.Body, err = request.GetBody(); err != nil {
			return "", "", err
		}
		answer, err = r.api.Do(request)
	}
	if err != nil {
		return "", "", fmt.Errorf("%w; output: %s", err, r.Log())
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", "", err
	}
	if answer.StatusCode != http.StatusOK {
		var failed struct{ Error string }
		if err := json.Unmarshal(bytes.TrimSpace(body), &failed); err != nil {
			return "", "", fmt.Errorf("%d %q: %w", answer.StatusCode, body, err)
		}
		return failed.Error, "", nil
	}
	return "", r.Said(), nil
}

func (r *Reloadable) accessLog() string {
	return filepath.Join(r.dir, fmt.Sprintf("access-%d", r.loads))
}

// AccessLog is what the configuration that was last tried has written to the file ACCESSLOG,
// which stands for one of its own.
func (r *Reloadable) AccessLog() string {
	text, err := os.ReadFile(r.accessLog())
	if err != nil {
		return "" // nothing yet
	}
	return string(text)
}

// Said is what the configuration that was last tried has had logged.
func (r *Reloadable) Said() string {
	text, err := os.ReadFile(filepath.Join(r.dir, fmt.Sprintf("log-%d", r.loads)))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	return string(text)
}
