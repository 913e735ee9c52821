package gatewaytest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func init() {
	caddy.RegisterModule(Backend{})
	httpcaddyfile.RegisterHandlerDirective("test_backend", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return Backend{Name: strings.Join(h.RemainingArgs(), "")}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_backend", httpcaddyfile.After, "reverse_proxy")
}

// Backend is the directive `test_backend [<name>]`. It answers with what it was given.
type Backend struct {
	Name string `json:"name,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Backend) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_backend", New: func() caddy.Module { return new(Backend) }}
}

// Seen is what the backend saw.
type Seen struct {
	Backend    string
	Method     string
	URI        string // what reverse_proxy sends, and FastCGI's QUERY_STRING
	RequestURI string // of the request
	OrigURI    string // FastCGI's REQUEST_URI
	OrigTarget string // the original request's RequestURI, which templates show and error routes get
	OrigText   string // {orig_uri}
	Headers    http.Header
	Trailer    http.Header
	AuthUser   string // FastCGI's REMOTE_USER
	Body       string
}

// ServeHTTP answers.
func (b Backend) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	original := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return err
		}
	}
	user, _ := repl.GetString("http.auth.user.id")
	text, _ := repl.GetString("http.request.orig_uri")
	return json.NewEncoder(w).Encode(Seen{
		Backend: b.Name, Method: r.Method, URI: r.URL.RequestURI(), RequestURI: r.RequestURI,
		OrigURI: original.URL.RequestURI(), OrigTarget: original.RequestURI, OrigText: text, Headers: r.Header, Trailer: r.Trailer, AuthUser: user, Body: string(body),
	})
}
