package gateway

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/process"
)

var fixedSite = regexp.MustCompile(`(?m)^http://:(\d+) \{\n\tbind (127\.0\.0\.1)$`)

// StartCaddyfile starts Caddy in a directory with a whole Caddyfile, whose sites listen
// on fixed ports of 127.0.0.1, and waits until it serves them. They get other ports;
// [Gateway.Address] has them by the addresses in the Caddyfile.
func StartCaddyfile(t testing.TB, dir, text string) *Gateway {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	file := filepath.Join(home, "Caddyfile")
	g := &Gateway{}
	_, g.process = process.Service{
		Name:  "caddy",
		Limit: startLimit,
		Command: func(port int, instance string) *exec.Cmd {
			host := fmt.Sprintf("127.%d.%d.%d", 1+random(254), random(256), 1+random(254)) // as in Start
			g.addresses = map[string]string{}
			moved := fixedSite.ReplaceAllStringFunc(text, func(head string) string {
				parts := fixedSite.FindStringSubmatch(head)
				to := address(t, host)
				g.addresses[net.JoinHostPort(parts[2], parts[1])] = to
				return "http://:" + portOf(to) + " {\n\tbind " + host
			})
			moved += "\n" + block("http://127.0.0.1:"+strconv.Itoa(port), "\tbind 127.0.0.1\n\trespond "+instance)
			if err := os.WriteFile(file, []byte(moved), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, "run", "--adapter", "caddyfile", "--config", file)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
			return cmd
		},
		Probe: g.probe,
	}.Run(t)
	return g
}
