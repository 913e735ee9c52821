// Package nearest looks for the nearest link to a failing one that would verify: what mail
// programs, shorteners, browsers, proxies and people do to links, undone, one thing at a
// time, then two. It knows no Caddy, judges with the definition itself, and tells what
// would have to be different, never how the right signature would read.
package nearest

import (
	"context"
	"strings"
	"time"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// Miss is a change after which a link verifies.
type Miss struct {
	Code string `json:"code"`
	Text string `json:"text"`
	Cure string `json:"cure"`
}

// Link is a link as it came: what of a request decides about it.
type Link struct {
	Method, Scheme, Host, Target, ClientIP string

	// Fragment is what stood behind a #, which no browser sends: the rest of a link, where
	// the # belongs to an HTML entity such as &#64; for @.
	Fragment string
}

// View is the view that schemes have of it.
func (s *Link) View() (*link.Request, error) {
	path, raw, _ := strings.Cut(s.Target, "?")
	r := &link.Request{Method: s.Method, Scheme: s.Scheme, Host: s.Host, Path: path, ClientIP: s.ClientIP}
	return r, r.Query.Parse(raw)
}

// Other is a definition of the configuration.
type Other struct {
	Definition *definition.Definition
	Where      string // its name, and where it is written
}

// Find returns the nearest miss of a link that the definition refuses at this time, or nil.
// others are all definitions of the configuration, the given one too. A target beyond the
// bounds has none: the gateway does not read it, and a line of a log should not keep
// anybody waiting.
func Find(d *definition.Definition, others []Other, now time.Time, s Link) *Miss {
	n := &search{definition: d, others: others, now: now}
	return n.find(s)
}

// variant is a link that differs from the one that came.
type variant struct {
	Link
	text string // what differs
}

// repair undoes one thing that happens to links.
type repair struct {
	code, cure string
	apply      func(n *search, s Link) []variant
}

// search looks for misses.
type search struct {
	definition *definition.Definition
	others     []Other
	now        time.Time
	tries      int
}

// maxTries bounds how many links are judged: each may cost a lookup in a database.
const maxTries = 4000

func (n *search) find(s Link) *Miss {
	if len(s.Target) > query.MaxBytes || strings.Count(s.Target, "&") > query.MaxPairs {
		return nil
	}
	for _, r := range repairs {
		for _, v := range r.apply(n, s) {
			if n.verifies(v.Link) {
				return &Miss{r.code, v.text, r.cure}
			}
		}
	}
	if m := n.byKey(s); m != nil {
		return m
	}
	if m := n.bySignature(s); m != nil {
		return m
	}
	for i, first := range repairs {
		for _, v := range first.apply(n, s) {
			for _, second := range repairs[i+1:] {
				for _, w := range second.apply(n, v.Link) {
					if n.verifies(w.Link) {
						return &Miss{first.code + "+" + second.code, v.text + "; " + w.text, first.cure + " " + second.cure}
					}
				}
			}
			if m := n.bySignature(v.Link); m != nil {
				return &Miss{first.code + "+" + m.Code, v.text + "; " + m.Text, first.cure + " " + m.Cure}
			}
		}
	}
	return nil
}

// split takes the target of a link apart; has says that there is a query.
func (s Link) split() (path, raw string, has bool) { return strings.Cut(s.Target, "?") }

// withQuery returns the link with another query, if it has one and that is another.
func (s Link) withQuery(text, raw string) []variant {
	path, _, has := s.split()
	if !has {
		return nil
	}
	return s.with(text, path+"?"+raw)
}

// withPath returns the link with another path, if it is another.
func (s Link) withPath(text, path string) []variant {
	_, raw, has := s.split()
	if has {
		path += "?" + raw
	}
	return s.with(text, path)
}

// verifies reports whether the definition finds the signature of the link right.
func (n *search) verifies(s Link) bool {
	if n.tries++; n.tries > maxTries {
		return false
	}
	r, err := s.View()
	if err != nil {
		return false
	}
	v := n.definition.Judge(context.Background(), r, nil, n.now)
	return v.Signed()
}
