package signedlink

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/query"
)

// The headers of a verified request.
const (
	headerUser   = "X-Verified-User"
	headerScheme = "X-Verified-Scheme"
	headerKeyID  = "X-Verified-Key-Id"
)

// protectedPrefix is the fold of every header name that belongs to the gateway.
const protectedPrefix = "x-verified-"

// rerouting are headers, as folds, by which frameworks (Symfony, Zend, IIS rewriting,
// Laravel, servlet filters) take another URL for the request's: with them a request
// on an open path runs the code of a protected one (CVE-2018-14773; Laravel's
// X-Forwarded-Prefix made the link of one page verify for another). No browser sends
// them.
var rerouting = headerNames{
	"x-original-url", "x-original-uri", "x-rewrite-url", "x-rewrite-uri", "x-script-name",
	"x-forwarded-prefix", "x-forwarded-uri", "x-forwarded-path", "forwarded",
}

// forwarded are headers, as folds, that a proxy in front of Caddy may set. Caddy
// replaces the other X-Forwarded-* headers of clients that are no trusted proxies, and
// leaves these.
var forwarded = headerNames{
	"x-forwarded-port", "x-forwarded-ssl", "x-forwarded-scheme", "x-forwarded-server", "x-forwarded-user",
	"front-end-https", "x-url-scheme",
}

// headerNames is a set of protected header names, as folds. It is immutable.
type headerNames []string

// foldHeader returns the name under which the most lenient backend files a header:
// PHP and CGI make '-' and '_' (and older servers '.' and any other character) the
// same letter, and no backend minds case (CVE-2015-0219, CVE-2024-45614,
// CVE-2025-64484, GHSA-f59h-q822-g45g, GHSA-49wc-4hcv-v58q).
func foldHeader(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = foldByte(c)
	}
	return string(b)
}

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	default:
		return '-'
	}
}

// foldsTo reports whether folded is the fold of name, without making it.
func foldsTo(name, folded string) bool {
	if len(name) != len(folded) {
		return false
	}
	for i := range len(name) {
		if foldByte(name[i]) != folded[i] {
			return false
		}
	}
	return true
}

// protects reports whether the header belongs to the gateway.
func (n headerNames) protects(name string) bool {
	if len(name) >= len(protectedPrefix) && foldsTo(name[:len(protectedPrefix)], protectedPrefix) {
		return true
	}
	return n.has(name)
}

// has reports whether the name folds to one of the set.
func (n headerNames) has(name string) bool {
	for _, folded := range n {
		if foldsTo(name, folded) {
			return true
		}
	}
	return false
}

// watched is what the guard looks for among the headers. It is immutable.
type watched struct {
	outputs headerNames // of every definition, but for those below protectedPrefix

	// lengths tells, by a name's first byte, how long those names are that the guard must
	// look at; most names are others.
	lengths [256]lengths
}

// lengths is a set of lengths; all from 63 on are one.
type lengths uint64

func length(n int) lengths { return 1 << min(n, 63) }

// mayWatch reports whether the name must be looked at.
func (w *watched) mayWatch(name string) bool {
	return name != "" && w.lengths[name[0]]&length(len(name)) != 0
}

func newWatched(outputs headerNames) *watched {
	w := &watched{outputs: outputs}
	add := func(first byte, long lengths) {
		for c := range w.lengths {
			if foldByte(byte(c)) == first {
				w.lengths[c] |= long
			}
		}
	}
	for _, names := range []headerNames{outputs, rerouting, forwarded, overrideHeaders, {"connection", "trailer", "upgrade"}} {
		for _, name := range names {
			add(name[0], length(len(name)))
		}
	}
	add(protectedPrefix[0], -length(len(protectedPrefix))) // as long, and longer
	return w
}

// guard deletes what a client could use to forge an identity. It runs on every
// request, matched or not, in every mode, before anything can fail: an error route
// sees the headers as they are then. It reports whether a header asks for another
// method.
func (a *App) guard(r *http.Request, st *state) (overrides bool) {
	w := a.headers.Load()
	var connection, upgrade bool
	for name, values := range r.Header {
		switch {
		case !w.mayWatch(name):
		case rerouting.has(name):
			delete(r.Header, name)
		case w.outputs.protects(name):
			if ours := st.value(name); ours != "" && len(values) == 1 && values[0] == ours {
				continue // an earlier definition of this request set it
			}
			delete(r.Header, name)
		case forwarded.has(name):
			if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); !trusted {
				delete(r.Header, name)
			}
		case name == "Connection":
			connection = true
		case name == "Upgrade":
			upgrade = true
		case name == "Trailer":
			// Announced trailers go to the backend, where Apache's MergeTrailers makes
			// headers of them. Without an announcement net/http drops them.
			delete(r.Header, name)
		case overrideHeaders.has(name):
			overrides = true
		}
	}
	r.Trailer = nil
	if connection {
		// Caddy's proxies delete what Connection names after this handler has set it
		// (the class of CVE-2024-45410 and CVE-2025-48865).
		filterConnection(r.Header, w.outputs.protects)
	}
	if upgrade {
		// Behind a 101 that names h2c whole requests pass that no guard sees.
		if protocols := r.Header["Upgrade"]; len(protocols) != 1 || !strings.EqualFold(protocols[0], "websocket") {
			dropUpgrade(r)
		}
	}
	return overrides
}

// filterConnection takes tokens out of the Connection header.
func filterConnection(h http.Header, drop func(token string) bool) {
	lines, ok := h["Connection"]
	if !ok {
		return
	}
	dropLine := func(line string) bool {
		for token := range strings.SplitSeq(line, ",") {
			if drop(textproto.TrimString(token)) {
				return true
			}
		}
		return false
	}
	if !slices.ContainsFunc(lines, dropLine) {
		return
	}
	var kept []string
	for _, line := range lines {
		for token := range strings.SplitSeq(line, ",") {
			if token = textproto.TrimString(token); token != "" && !drop(token) {
				kept = append(kept, token)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(kept, ", ")}
}

// protected returns which segments of a query spell a protected parameter of any
// definition of the config; or nil, which is all, where a message covers all.
func (a *App) protected() func(segment string) bool {
	definitions := a.allDefinitions()
	if slices.ContainsFunc(definitions, func(d *definition) bool { return d.coversAll }) {
		return nil
	}
	return func(segment string) bool {
		return slices.ContainsFunc(definitions, func(d *definition) bool {
			_, spelling := d.names.Classify(segment)
			return spelling != query.Other
		})
	}
}

// cutProtected removes the protected parameters, and the body, from a request that
// no definition has judged.
func (a *App) cutProtected(r *http.Request, st *state) {
	var current query.Query
	drop := a.protected()
	if current.Parse(r.URL.RawQuery) != nil || current.Control {
		drop = nil
	}
	st.cut(r, drop)
	for _, d := range a.allDefinitions() {
		st.cutCookies(r, shadows{protected: d.cookies})
	}
	dropBody(r)
}
