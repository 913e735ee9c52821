package app

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/internal/request/headers"
)

// accepted is an identity header that a guard takes from the gateway in front.
type accepted struct {
	name  string
	guard *Gate
}

// conflict is the error for a definition that sets the header, too.
func (x accepted) conflict(origin string) error {
	return fmt.Errorf("accept %s: the definition at %s sets this header, so it is the gateway's own and nobody else's; "+
		"take another name for the request_header, or leave it out of accept (at %s)", x.name, originOr(origin), originOr(x.guard.Origin))
}

// originOr names where something is written.
func originOr(origin string) string {
	if origin == "" {
		return "another place"
	}
	return origin
}

// Accept has the guard believe these identity headers of the gateway in front.
func (g *Gate) Accept(names []string) error {
	if len(names) == 0 {
		return nil
	}
	if TrustsNoProxy(g.Server) {
		return errors.New("accept: the server has no trusted_proxies, so anybody could be the gateway in front; " +
			"name its address in the global option `servers { trusted_proxies static <address> }`, or leave accept out")
	}
	for _, name := range names {
		switch row := headers.Lookup(name); {
		case strings.ContainsFunc(name, notInName):
			return fmt.Errorf("accept %q: write each header in full, letter for letter as the gateway in front spells it", name)
		case headers.Protected(name):
			return fmt.Errorf("accept %s: this header is what this gateway says, and nobody else", name)
		case row == nil || row.Kind != headers.Identity:
			return fmt.Errorf("accept %s: this is no identity header that the guard deletes; those are %s", name, identityNames())
		}
		for _, other := range g.accepted {
			if headers.Fold(other) == headers.Fold(name) {
				return fmt.Errorf("accept: %s and %s are one header to the backend; name the one that the gateway in front sends", other, name)
			}
		}
		g.accepted = append(g.accepted, http.CanonicalHeaderKey(name))
	}
	return g.app.accept(g)
}

// notInName reports whether the character stands in no name of a header that a gateway
// sets. A `*` would accept nothing: each spelling that is accepted is somebody's promise.
func notInName(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.$", c)
}

// identityNames lists the identity headers, for an error.
func identityNames() string {
	rows := headers.Each(headers.Identity)
	names := make([]string, len(rows))
	for i := range rows {
		names[i] = rows[i].String()
	}
	return strings.Join(names, ", ")
}

// accept notes what the guard takes from the gateway in front, unless a definition sets it.
func (a *App) accept(g *Gate) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range g.accepted {
		if a.headers.Load().Names.Has(name) {
			for _, other := range a.gates {
				if slices.ContainsFunc(other.Definition.Outputs(), func(o string) bool { return headers.Fold(o) == headers.Fold(name) }) {
					return accepted{name, g}.conflict(other.Origin)
				}
			}
			return errors.New("accept " + name + ": a definition sets this header")
		}
		a.accepted = append(a.accepted, accepted{name, g})
	}
	return nil
}
