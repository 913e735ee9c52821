package exchange

import (
	"net/http"
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Returned reports whether the request has headers that no guard has cleaned, although
// one has run: Caddy runs error routes on the request as it was before handlers made
// copies of it, and a guard that stood behind such a handler cleaned the copy.
func Returned(r *http.Request, vars map[string]any) bool {
	if r.Context().Value(caddyhttp.ErrorCtxKey) == nil {
		return false
	}
	var cleaned http.Header
	switch v := vars[varsKey].(type) {
	case *Exchange:
		cleaned = v.cleaned
	case bystander:
		cleaned = v.cleaned
	}
	return reflect.ValueOf(cleaned).Pointer() != reflect.ValueOf(r.Header).Pointer()
}

// Remember notes which headers were cleaned.
func Remember(vars map[string]any, cleaned http.Header) {
	switch v := vars[varsKey].(type) {
	case *Exchange:
		v.cleaned = cleaned
	case bystander:
		vars[varsKey] = bystander{cleaned}
	}
}

// bystander stands in the vars in place of an exchange where no definition has matched yet:
// most requests of a site, which shall cost no memory. Their placeholders are empty, and
// the function that says so belongs to no request. Caddy asks it before any that comes
// later, so a definition that does match publishes its placeholders one by one.
type bystander struct{ cleaned http.Header }

// String keeps the bystander out of logs that print all vars.
func (bystander) String() string { return "" }

// StandBy lets a request with these vars pass that no definition has matched yet.
func StandBy(r *http.Request, vars map[string]any) {
	if _, before := Of(vars); before || vars == nil {
		return
	}
	vars[varsKey] = bystander{r.Header}
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(silent)
	}
}

// silent is the placeholders of a bystander.
func silent(key string) (any, bool) {
	return "", strings.HasPrefix(key, PlaceholderPrefix) || key == UserPlaceholder
}
