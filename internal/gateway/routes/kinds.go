package routes

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// kind is what a handler does with a request.
type kind uint8

const (
	forwards kind = iota // it hands requests to a backend, or nobody here knows what it does
	passes               // it looks, limits or changes, and the request goes on
	answers              // it answers by itself
	files                // it answers with files
	asks                 // it asks another server about the request, which goes on
	rewrites             // it changes the path
	sets                 // it makes variables or placeholders that matchers may read
	authenticates
	gate
	contains // other handlers, which the walk meets by themselves
)

// kinds is what is known of handlers, by the names of their modules. What is not here
// hands requests to a backend, for all that anybody knows: frankenphp, exec, a cache
// that answers for the backend.
var kinds = map[string]kind{
	"copy_response":         passes,
	"copy_response_headers": passes,
	"encode":                passes,
	"headers":               passes,
	"log_append":            passes,
	"push":                  passes,
	"request_body":          passes,
	"templates":             passes,
	"timeouts":              passes,
	"tracing":               passes,
	"map":                   sets,
	"vars":                  sets,
	"authentication":        authenticates,
	"acme_server":           answers,
	"error":                 answers,
	"metrics":               answers,
	"static_response":       answers,
	"file_server":           files,

	// of other modules
	"appsec":     passes, // crowdsec
	"coraza":     passes,
	"crowdsec":   passes,
	"rate_limit": passes,
	"waf":        passes, // coraza
}

const namespace = "http.handlers."

// nameOf is the name of the handler's module.
func nameOf(h caddyhttp.MiddlewareHandler) string {
	if m, ok := h.(caddy.Module); ok {
		return strings.TrimPrefix(string(m.CaddyModule().ID), namespace)
	}
	return "unknown handler"
}

// matcherName is the name of the matcher's module.
func matcherName(m any) string {
	if module, ok := m.(caddy.Module); ok {
		return strings.TrimPrefix(string(module.CaddyModule().ID), "http.matchers.")
	}
	return "unknown matcher"
}

// kindOf says what the handler does.
func kindOf(h caddyhttp.MiddlewareHandler) kind {
	switch h := h.(type) {
	case Gate:
		return gate
	case *caddyhttp.Subroute, *caddyhttp.Invoke, *intercept.Intercept:
		return contains
	case *reverseproxy.Handler:
		if onlyAsks(h) {
			return asks
		}
		return forwards
	case *rewrite.Rewrite:
		if changesPath(h) {
			return rewrites
		}
		return passes
	}
	return kinds[nameOf(h)] // forwards is its zero value
}

// changesPath reports whether the rewrite changes the path; the directives method and
// `uri query` do not.
func changesPath(h *rewrite.Rewrite) bool {
	return h.StripPathPrefix != "" || h.StripPathSuffix != "" || len(h.URISubstring) > 0 || len(h.PathRegexp) > 0 ||
		h.URI != "" && !strings.HasPrefix(h.URI, "?") && !strings.HasPrefix(h.URI, "#")
}

// onlyAsks reports whether the proxy is one like forward_auth: it asks a fixed page of
// another server, with GET and without the body, and where that says 2xx the request
// goes on. All else that it hands on is an answer to the client.
func onlyAsks(h *reverseproxy.Handler) bool {
	if h.Rewrite == nil || h.Rewrite.Method != http.MethodGet || !strings.HasPrefix(h.Rewrite.URI, "/") {
		return false
	}
	path, _, _ := strings.Cut(h.Rewrite.URI, "?")
	if strings.Contains(path, "{") {
		return false
	}
	for _, response := range h.HandleResponse {
		if response.Match != nil && (len(response.Match.Headers) > 0 || !contains2xx(response.Match.StatusCode)) {
			continue
		}
		// the first one that covers every 2xx
		return response.StatusCode == "" && len(response.Routes) > 0 && allPass(response.Routes)
	}
	return false
}

func contains2xx(codes []int) bool {
	return len(codes) == 0 || slices.Contains(codes, 2)
}

// allPass reports whether no handler of the routes answers.
func allPass(list caddyhttp.RouteList) bool {
	for i := range list {
		for _, h := range list[i].Handlers {
			if subroute, ok := h.(*caddyhttp.Subroute); ok {
				if subroute.Errors != nil || !allPass(subroute.Routes) {
					return false
				}
				continue
			}
			switch kindOf(h) {
			case passes, sets:
				if nameOf(h) == "copy_response" {
					return false
				}
			default:
				return false
			}
		}
	}
	return true
}
