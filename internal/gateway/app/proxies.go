package app

import (
	"net/http"
	"reflect"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// TrustsNoProxy reports whether the server takes nobody's word for the client's address.
func TrustsNoProxy(server *caddyhttp.Server) bool {
	if server == nil || server.TrustedProxiesUnix {
		return false
	}
	// Caddy has dropped the option's JSON by now, and exports nothing else of it.
	proxies := reflect.ValueOf(server).Elem().FieldByName("trustedProxies")
	return proxies.IsValid() && proxies.Kind() == reflect.Interface && proxies.IsNil()
}

// fromTrustedProxy reports whether the request comes from a proxy that the operator trusts.
func fromTrustedProxy(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// WatchForwarded says that the client's address matters to the gate.
func (g *Gate) WatchForwarded() { g.watchForwarded = TrustsNoProxy(g.Server) }

// WarnForwarded warns, once for each configuration, if a proxy seems to stand in front
// that Caddy does not know of: then all clients have the proxy's address, one of them is
// throttled for all, and no link that signs {client_ip} verifies.
func (g *Gate) WarnForwarded(r *http.Request, clientIP string) {
	if !g.watchForwarded || g.app.warnedForwarded.Load() {
		return
	}
	if _, ok := r.Header["X-Forwarded-For"]; !ok || g.app.warnedForwarded.Swap(true) {
		return
	}
	g.Logger.Warn("a request came with X-Forwarded-For, and the server has no trusted_proxies: if a proxy stands in front, "+
		"all its clients count as one; name its address in the global option `servers { trusted_proxies static <address> }`, "+
		"with trusted_proxies_strict",
		zap.String("definition", g.Label), zap.String("origin", g.Origin), zap.String("client_ip", clientIP))
}
