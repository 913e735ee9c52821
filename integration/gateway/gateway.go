// Package gateway starts cmd/caddy for the integration tests, from a Caddyfile, on
// free ports of the loopback interface, and speaks every HTTP version with it.
// Nothing is written outside of the test's temporary directories; the process ends
// with the test.
package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/process"
)

// Host is the name for which the gateway has a certificate.
const Host = "gateway.example"

const startLimit = 30 * time.Second

// Config is what stands in the Caddyfile.
type Config struct {
	// Servers is the content of the global block `servers`.
	Servers string
	// Sites are the sites by name. Each listens on a cleartext port, for HTTP/1.1
	// and for HTTP/2 with prior knowledge.
	Sites map[string]string
	// Secure has the sites listen on a port with TLS, too, for HTTP/1.1, HTTP/2 and
	// HTTP/3.
	Secure bool
	// Debug has Caddy log at level DEBUG.
	Debug bool
	// Quiet has Caddy log errors only.
	Quiet bool
	// Env is the environment of the process, beside its own.
	Env []string
}

// Gateway is a running Caddy.
type Gateway struct {
	addresses map[string]string // host:port of the sites' cleartext ports
	secure    map[string]string // and of those with TLS and QUIC
	tls       *tls.Config
	process   *process.Process
}

// Start starts Caddy and waits until it serves the sites.
func Start(t testing.TB, c Config) *Gateway {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, err := newCertificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{tls: certificate}
	caddyfile := filepath.Join(dir, "Caddyfile")
	_, g.process = process.Service{
		Name:  "caddy",
		Limit: startLimit,
		Command: func(port int, instance string) *exec.Cmd {
			// Caddy shares its ports with other processes of the same user
			// (SO_REUSEPORT), so each has an address of its own.
			host := fmt.Sprintf("127.%d.%d.%d", 1+random(254), random(256), 1+random(254))
			g.addresses, g.secure = map[string]string{}, map[string]string{}
			var text strings.Builder
			text.WriteString(c.caddyfile(dir, port, instance))
			for name, site := range c.Sites {
				g.addresses[name] = address(t, host)
				text.WriteString(block("http://:"+portOf(g.addresses[name]), "bind "+host+"\n"+site))
				if c.Secure {
					g.secure[name] = address(t, host)
					text.WriteString(block("https://:"+portOf(g.secure[name]), "bind "+host+"\ntls cert.pem key.pem\n"+site))
				}
			}
			if err := os.WriteFile(caddyfile, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, "run", "--adapter", "caddyfile", "--config", caddyfile)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "GOMAXPROCS=2")
			cmd.Env = append(cmd.Env, c.Env...)
			return cmd
		},
		Probe: g.probe,
	}.Run(t)
	return g
}

// probe is ready when every site listens: Caddy starts one server after the other.
func (g *Gateway) probe(port int) (string, error) {
	instance, err := probe(port)
	if err != nil {
		return "", err
	}
	for _, addresses := range []map[string]string{g.addresses, g.secure} {
		for _, address := range addresses {
			conn, err := net.DialTimeout("tcp", address, timeout)
			if err != nil {
				return "", err
			}
			conn.Close()
		}
	}
	return instance, nil
}

// caddyfile returns the global options and the site that says who answers.
func (c Config) caddyfile(dir string, port int, instance string) string {
	servers := c.Servers
	if !strings.Contains(servers, "protocols") {
		servers += "\nprotocols h1 h2 h2c h3"
	}
	level := "INFO"
	switch {
	case c.Debug:
		level = "DEBUG"
	case c.Quiet:
		level = "ERROR"
	}
	return block("", "admin off\npersist_config off\nauto_https off\nskip_install_trust\ngrace_period 1s\n"+
		"storage file_system "+filepath.Join(dir, "storage")+"\n"+
		block("log", "output stderr\nlevel "+level+"\nformat json")+
		block("servers", servers)) +
		block("http://127.0.0.1:"+strconv.Itoa(port), "bind 127.0.0.1\nrespond "+instance)
}

func block(head, content string) string {
	return head + " {\n" + content + "\n}\n"
}

// address returns a free port of the host.
func address(t testing.TB, host string) string {
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		panic(err)
	}
	return port
}

func random(n int64) int64 {
	i, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err)
	}
	return i.Int64()
}

var probeClient = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func probe(port int) (instance string, err error) {
	resp, err := probeClient.Get("http://127.0.0.1:" + strconv.Itoa(port) + "/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// Address is host:port of the site's cleartext port.
func (g *Gateway) Address(site string) string {
	address, ok := g.addresses[site]
	if !ok {
		panic("no site " + site)
	}
	return address
}

// Log is what Caddy has logged so far, as JSON lines.
func (g *Gateway) Log() string { return g.process.Output() }

// build builds cmd/caddy, once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return "", err
	}
	buildDir = dir
	program := filepath.Join(dir, "caddy")
	cmd := exec.Command("go", "build", "-o", program, "github.com/signedlink/caddy-signed-link/cmd/caddy")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

var buildDir string

// Main runs the tests of a package that starts gateways, and removes what was built.
func Main(m *testing.M) {
	code := m.Run()
	Clean()
	os.Exit(code)
}

// Clean removes what was built.
func Clean() {
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
}

// newCertificate writes cert.pem and key.pem, and returns what a client needs.
func newCertificate(dir string) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: Host},
		DNSNames:              []string{Host},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	for name, b := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o600); err != nil {
			return nil, err
		}
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return &tls.Config{RootCAs: pool, ServerName: Host}, nil
}
