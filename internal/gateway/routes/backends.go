package routes

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"
)

// address is where a backend listens, in one spelling.
type address string

// addressOf returns the address of an upstream. It is not known where it is made for each
// request; then it stands for itself.
func addressOf(dial string) (a address, known bool) {
	if strings.Contains(dial, "{") {
		return address(dial), false
	}
	network, err := caddy.ParseNetworkAddress(dial)
	if err != nil {
		return address(dial), true
	}
	if network.IsUnixNetwork() {
		return address("unix/" + filepath.Clean(network.Host)), true
	}
	port := strconv.FormatUint(uint64(network.StartPort), 10)
	if network.StartPort == 0 { // it has a name, or there is none
		if _, name, err := net.SplitHostPort(dial); err == nil {
			if n, err := net.LookupPort("tcp", name); err == nil {
				port = strconv.Itoa(n)
			}
		}
	}
	return address(hostOf(network.Host) + ":" + port), true
}

// hostOf is the host in one spelling: this machine is known by several.
func hostOf(host string) string {
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "ip6-localhost" {
		return "localhost"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap()
	switch ip.WithZone("").String() {
	case "127.0.0.1", "::1", "0.0.0.0", "::":
		return "localhost"
	}
	return ip.String()
}

// named reports whether the address has a name that is resolved, so that another one may
// be the same.
func (a address) named() bool {
	host, _, err := net.SplitHostPort(string(a))
	if err != nil || host == "localhost" {
		return false
	}
	_, err = netip.ParseAddr(host)
	return err != nil
}

func (a address) port() string {
	_, port, _ := net.SplitHostPort(string(a))
	return port
}

// root is the directory of files and scripts; unknown where it depends on the request.
type root struct {
	path  string
	known bool
}

// after returns the root behind the handler. The directive root is the variable of that
// name.
func (r root) after(h caddyhttp.MiddlewareHandler) root {
	vars := varsOf(h)
	for name := range vars {
		if strings.Contains(name, "{") {
			return root{} // the name may become root, and Caddy sets them in any order
		}
	}
	if value, sets := vars["root"]; sets {
		text, ok := value.(string)
		return rootOf(text, ok)
	}
	return r
}

// varsOf are the variables that the handler sets, if it is one that sets some.
func varsOf(h caddyhttp.MiddlewareHandler) caddyhttp.VarsMiddleware {
	switch h := h.(type) {
	case caddyhttp.VarsMiddleware:
		return h
	case *caddyhttp.VarsMiddleware:
		return *h
	}
	return nil
}

func rootOf(path string, ok bool) root {
	if !ok || path == "" || strings.Contains(path, "{") {
		return root{}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return root{}
	}
	return root{path: absolute, known: true}
}

// meets reports whether a script below one root may stand below the other, too.
func (r root) meets(other root) bool {
	if !r.known || !other.known {
		return true
	}
	within := func(a, b string) bool { return a == b || b == "/" || strings.HasPrefix(a, b+"/") }
	return within(r.path, other.path) || within(other.path, r.path)
}

// target is what a handler hands requests to.
type target struct {
	step      *step
	addresses []address
	fastCGI   bool
	files     bool // a directory of files, and no backend
	root      root
	unclear   bool // somewhere that is known for each request only
}

// scriptVariables are variables of FastCGI that say which script runs, and what with it.
var scriptVariables = []string{"SCRIPT_FILENAME", "SCRIPT_NAME", "DOCUMENT_ROOT", "PATH_TRANSLATED", "PHP_VALUE", "PHP_ADMIN_VALUE"}

func isFastCGI(h *reverseproxy.Handler) bool {
	_, is := h.Transport.(*fastcgi.Transport)
	return is
}

// targetOf returns what the step hands requests to.
func targetOf(s *step) target {
	t := target{step: s, root: s.root}
	proxy, ok := s.handler.(*reverseproxy.Handler)
	if !ok {
		t.unclear = true
		return t
	}
	if transport, ok := proxy.Transport.(*fastcgi.Transport); ok {
		t.fastCGI = true
		if transport.Root != "{http.vars.root}" {
			t.root = rootOf(transport.Root, true)
		}
		for name := range transport.EnvVars {
			if slices.Contains(scriptVariables, name) {
				t.root = root{} // another script runs than the one that is found
			}
		}
	}
	if proxy.DynamicUpstreams != nil {
		if text, err := json.Marshal(proxy.DynamicUpstreams); err == nil {
			t.addresses = append(t.addresses, address(fmt.Sprintf("dynamic %T %s", proxy.DynamicUpstreams, text)))
		}
	}
	t.unclear = proxy.DynamicUpstreams != nil || len(proxy.DynamicUpstreamsRaw) > 0 || len(proxy.Upstreams) == 0
	for _, upstream := range proxy.Upstreams {
		a, known := addressOf(upstream.Dial)
		t.unclear = t.unclear || !known
		t.addresses = append(t.addresses, a)
	}
	return t
}

// sameness is how sure it is that two handlers hand requests to one backend.
type sameness uint8

const (
	others     sameness = iota
	alike               // names that may resolve alike
	neighbours          // one pool of FastCGI, with other scripts
	unclear             // nobody can say before the request is there
	same
)

// same compares two targets: any address of a pool counts.
func (t target) same(other target) sameness {
	result := others
	for _, a := range t.addresses {
		for _, b := range other.addresses {
			switch {
			case a == b && t.fastCGI != other.fastCGI:
			case a == b && t.fastCGI && !t.root.meets(other.root):
				result = max(result, neighbours)
			case a == b:
				return same
			case (a.named() || b.named()) && a.port() == b.port():
				result = max(result, alike)
			}
		}
	}
	if t.unclear || other.unclear {
		result = max(result, unclear)
	}
	return result
}

// listensAt reports whether the site can be asked directly at the address, from outside of
// this machine, too.
func (s *site) listensAt(a address) bool {
	host, port, err := net.SplitHostPort(string(a))
	if err != nil || host != "localhost" {
		return false
	}
	for _, text := range s.listen {
		network, err := caddy.ParseNetworkAddress(text)
		if err != nil || network.IsUnixNetwork() {
			continue
		}
		everywhere := network.Host == "" || network.Host == "0.0.0.0" || network.Host == "::"
		n, err := strconv.ParseUint(port, 10, 0)
		if everywhere && err == nil && uint64(network.StartPort) <= n && n <= uint64(network.EndPort) {
			return true
		}
	}
	return false
}
