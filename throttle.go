package signedlink

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/metrics"
	"github.com/signedlink/caddy-signed-link/internal/gateway/throttle"
)

// Throttle slows down who guesses signatures. A failure is a link of the right form that
// no key makes; a link that is missing, malformed or expired is none, and neither is one
// whose key source does not answer. Who has used up the allowance gets `throttled`, and
// no hash is computed for it, until the bucket has a token again.
type Throttle struct {
	// How many failures a client network has at once. A user of a network has half of
	// them, and an IPv6 /48 has sixteen times as many.
	Failures int `json:"failures"`

	// In what time they are forgiven, evenly.
	Window caddy.Duration `json:"window"`

	// The length of an IPv4 network's prefix, 8 to 32. Default: 32.
	IPv4Bits int `json:"ipv4_bits,omitempty"`

	// The length of an IPv6 network's prefix, 32 to 64. Default: 64.
	IPv6Bits int `json:"ipv6_bits,omitempty"`
}

// throttles outlive configurations: a reload forgives nobody. Definitions with the same
// schemes and settings share one, so that two sites are not twice the guesses.
var throttles = caddy.NewUsagePool()

// sharedThrottle is what the pool holds.
type sharedThrottle struct {
	*throttle.Throttle
	release func() // takes it out of the metrics
}

// Destruct implements [caddy.Destructor]. Requests that are under way still use it.
func (t *sharedThrottle) Destruct() error {
	t.release()
	return nil
}

// openThrottle gives the definition its throttle.
func (h *Handler) openThrottle() error {
	s := throttle.Settings{
		Failures: h.Throttle.Failures,
		Window:   time.Duration(h.Throttle.Window),
		IPv4Bits: h.Throttle.IPv4Bits,
		IPv6Bits: h.Throttle.IPv6Bits,
	}
	if err := s.Check(); err != nil {
		return fmt.Errorf("throttle: %w", err)
	}
	key := fmt.Sprintf("%s %v", h.label, s)
	value, _, err := throttles.LoadOrNew(key, func() (caddy.Destructor, error) {
		t := throttle.New(s)
		networks := func() int { return t.Networks(time.Now()) }
		return &sharedThrottle{t, metrics.HoldThrottle(h.label, networks)}, nil
	})
	if err != nil {
		return fmt.Errorf("throttle: %w", err)
	}
	h.throttleKey = key
	h.def.ThrottleWith(value.(*sharedThrottle).Throttle)
	return nil
}

// closeThrottle gives it back.
func (h *Handler) closeThrottle() error {
	if h.throttleKey == "" {
		return nil
	}
	key := h.throttleKey
	h.throttleKey = ""
	_, err := throttles.Delete(key)
	return err
}

// needsClientIP reports whether the scheme's configuration names the client's address.
func (c *SchemeConfig) needsClientIP() bool {
	return c != nil && bytes.Contains(c.SchemeRaw, []byte("client_ip"))
}

// trustsNoProxy reports whether the server takes nobody's word for the client's address.
func trustsNoProxy(server *caddyhttp.Server) bool {
	if server == nil || server.TrustedProxiesUnix {
		return false
	}
	// Caddy has dropped the option's JSON by now, and exports nothing else of it.
	proxies := reflect.ValueOf(server).Elem().FieldByName("trustedProxies")
	return proxies.IsValid() && proxies.Kind() == reflect.Interface && proxies.IsNil()
}

// warnForwarded warns, once for each configuration, if a proxy seems to stand in front
// that Caddy does not know of: then all clients have the proxy's address, one of them is
// throttled for all, and no link that signs {client_ip} verifies.
func (h *Handler) warnForwarded(r *http.Request, st *exchange.Exchange) {
	if !h.watchForwarded || h.app.warnedForwarded.Load() {
		return
	}
	if _, ok := r.Header["X-Forwarded-For"]; !ok || h.app.warnedForwarded.Swap(true) {
		return
	}
	h.logger.Warn("a request came with X-Forwarded-For, and the server has no trusted_proxies: if a proxy stands in front, "+
		"all its clients count as one; name its address in the global option `servers { trusted_proxies static <address> }`, "+
		"with trusted_proxies_strict",
		zap.String("definition", h.label), zap.String("origin", h.Origin), zap.String("client_ip", st.Request.ClientIP))
}
