package backends

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/process"
)

var (
	//go:embed php/echo.php
	echoPHP []byte
	//go:embed php/router.php
	routerPHP []byte
)

// phpScripts are the scripts below the document root, all with the same echo.
var phpScripts = []string{"index.php", "autologin.php", "app/index.php"}

const (
	phpStartLimit = 20 * time.Second
	phpWorkers    = 4
)

// FPM is a running PHP-FPM.
type FPM struct {
	// Address is where it listens, for Caddy's php_fastcgi: unix//path, or
	// host:port with [WithTCP].
	Address string
	// Root is the document root.
	Root string

	network, address string // to dial
}

// Option changes how PHP is started.
type Option func(*phpOptions)

type phpOptions struct {
	ini     map[string]string
	tcp     bool
	front   Front // of index.php; empty: the echo
	modules bool  // those of Debian's configuration

	application string // document root of an application that is there already
	directory   string // that must be its own if the tests run as root
}

// WithINI sets a value of php.ini, such as request_order or arg_separator.input.
// What is not set is as in Debian's php.ini, or PHP's own default.
func WithINI(name, value string) Option {
	return func(o *phpOptions) { o.ini[name] = value }
}

// WithTCP has PHP-FPM listen on a port instead of a Unix socket.
func WithTCP() Option {
	return func(o *phpOptions) { o.tcp = true }
}

// StartFPM starts PHP-FPM. Its document root holds index.php, autologin.php and
// app/index.php, or with [WithFront] what that says.
func StartFPM(t testing.TB, options ...Option) *FPM {
	t.Helper()
	Require(t, "php-fpm")
	php := newPHP(t, options)
	fpm := &FPM{Root: php.root}

	// The path of a socket has 107 bytes at most, that of t.TempDir holds the
	// name of the test.
	socketDir, err := os.MkdirTemp("", "fpm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(socketDir) })
	dial := func(port int) (network, address string) {
		if php.tcp {
			return "tcp", loopback(port)
		}
		return "unix", filepath.Join(socketDir, "s")
	}

	port, _ := process.Service{
		Name:  "php-fpm",
		Limit: phpStartLimit,
		Command: func(port int, instance string) *exec.Cmd {
			_, listen := dial(port)
			config := filepath.Join(php.dir, "php-fpm.conf")
			write(t, config, php.fpmConfig(t, listen, instance))
			return php.interpreter(program("php-fpm"), "-F", "-O", "-R", "-y", config)
		},
		Probe: func(port int) (string, error) {
			network, address := dial(port)
			_, header, err := fastCGI(network, address, fpm.variables("GET", php.probe(), ""), nil)
			if err != nil {
				return "", err
			}
			return header.Get(instanceHeader), nil
		},
	}.Run(t)

	fpm.network, fpm.address = dial(port)
	fpm.Address = fpm.address
	if !php.tcp {
		fpm.Address = "unix/" + fpm.address
	}
	return fpm
}

func (p *php) fpmConfig(t testing.TB, listen, instance string) []byte {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "[global]\npid = %s\nerror_log = %s\ndaemonize = no\n",
		filepath.Join(p.dir, "php-fpm.pid"), filepath.Join(p.dir, "php-fpm.log"))
	fmt.Fprintf(&b, "[www]\nlisten = %s\npm = static\npm.max_children = %d\nenv[BACKEND_INSTANCE] = %s\n",
		listen, phpWorkers, instance)
	switch {
	case os.Geteuid() != 0:
	case p.directory != "":
		lowerTo(t, everything(t, p.directory)...)
		fmt.Fprintf(&b, "user = %s\n", unprivileged)
	default:
		b.WriteString("user = root\ngroup = root\n")
	}
	return []byte(b.String())
}

// variables returns the FastCGI variables of a request to one of the scripts.
func (f *FPM) variables(method, script, query string) map[string]string {
	uri := script
	if query != "" {
		uri += "?" + query
	}
	return map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1",
		"SERVER_PROTOCOL":   "HTTP/1.1",
		"REQUEST_METHOD":    method,
		"REQUEST_URI":       uri,
		"QUERY_STRING":      query,
		"DOCUMENT_ROOT":     f.Root,
		"SCRIPT_NAME":       script,
		"SCRIPT_FILENAME":   f.Root + script,
	}
}

// StartPHPServer starts PHP's built-in server, php -S, with a router script that
// hands paths without a script to index.php. Its document root is that of
// [StartFPM].
func StartPHPServer(t testing.TB, options ...Option) *HTTPBackend {
	t.Helper()
	Require(t, "php")
	return startPHPOverHTTP(t, "php -S", options, func(p *php, port int) *exec.Cmd {
		router := filepath.Join(p.dir, "router.php")
		write(t, router, routerPHP)
		return p.interpreter(program("php"), "-S", loopback(port), "-t", p.root, router)
	})
}

// startPHPOverHTTP starts PHP in a server that speaks HTTP on the port.
func startPHPOverHTTP(t testing.TB, name string, options []Option, command func(p *php, port int) *exec.Cmd) *HTTPBackend {
	t.Helper()
	php := newPHP(t, options)
	if php.tcp {
		t.Fatal("WithTCP is an option of StartFPM")
	}
	port, _ := process.Service{
		Name:  name,
		Limit: phpStartLimit,
		Command: func(port int, instance string) *exec.Cmd {
			cmd := command(php, port)
			cmd.Env = append(cmd.Env, "BACKEND_INSTANCE="+instance)
			return cmd
		},
		Probe: probeHTTP("/"),
	}.Run(t)
	return newHTTPBackend(port, php.root)
}

// php is what all ways to run PHP share.
type php struct {
	phpOptions
	dir  string // of its configuration
	root string // document root
	scan string // directory of further php.ini files; empty: none
}

func newPHP(t testing.TB, options []Option) *php {
	t.Helper()
	dir := t.TempDir()
	p := &php{dir: dir}
	p.ini = map[string]string{
		"display_errors":         "0",
		"display_startup_errors": "0",
		"log_errors":             "1",
		"variables_order":        "GPCS",
		"request_order":          "GP",
	}
	for _, option := range options {
		option(&p.phpOptions)
	}
	var ini strings.Builder
	for _, name := range slices.Sorted(maps.Keys(p.ini)) {
		if value := p.ini[name]; strings.ContainsAny(value, "'\n\x00") {
			t.Fatalf("php.ini cannot hold %s = %q", name, value)
		}
		fmt.Fprintf(&ini, "%s = '%s'\n", name, p.ini[name])
	}
	write(t, filepath.Join(dir, "php.ini"), []byte(ini.String()))

	if p.modules {
		p.scan = debianModules(t)
	}
	if p.application != "" {
		p.root = p.application
		write(t, filepath.Join(p.root, phpProbe), []byte("<?php\nheader('X-Backend-Instance: ' . getenv('BACKEND_INSTANCE'));\n"))
		return p
	}
	p.root = filepath.Join(dir, "root")
	echo := filepath.Join(dir, "echo.php")
	write(t, echo, echoPHP)
	scripts := phpScripts
	if p.front != "" {
		p.writeFront(t, echo)
		scripts = frontScripts
	}
	for _, script := range scripts {
		write(t, filepath.Join(p.root, script), fmt.Appendf(nil, "<?php\n$app = '%s';\nrequire '%s';\n", script, echo))
	}
	return p
}

// phpProbe is a script that says who answers, where the application does not.
const phpProbe = "backend-instance.php"

// probe is the script that says who answers.
func (p *php) probe() string {
	if p.application != "" {
		return "/" + phpProbe
	}
	return "/index.php"
}

// interpreter runs a PHP program with the php.ini of this instance and no other.
func (p *php) interpreter(program string, args ...string) *exec.Cmd {
	return p.command(program, append([]string{"-c", filepath.Join(p.dir, "php.ini")}, args...)...)
}

// command runs a program that has PHP in it, without the system's php.ini files, but
// for those that load the modules of an application.
func (p *php) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "PHP_INI_SCAN_DIR="+p.scan)
	return cmd
}

// write writes a file, making the directories above it.
func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
