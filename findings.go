package signedlink

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/link"
)

// This file asks what makes a definition weaker than it looks, once, when it loads: the
// schemes say it of themselves, the secrets are judged here, and so is what several
// schemes share. What is dangerous is refused, unless the operator allows it.

// schemeFinding is a finding, and of what.
type schemeFinding struct {
	link.Finding
	Definition string // the names of its schemes
	Scheme     string
	Origin     string // file and line
	Allowed    bool
}

// findingsOf returns all that is to be said about the definition, what is allowed and
// what belongs to a scheme by nature included. What schemes share is known when the app
// has started.
func (h *Handler) findingsOf() []schemeFinding {
	if h.def == nil {
		return nil
	}
	var all []schemeFinding
	for _, s := range h.def.Schemes {
		for _, f := range s.Findings {
			all = append(all, schemeFinding{f, h.label, s.Name, h.Origin, s.Allowed[f.Code]})
		}
	}
	return all
}

// warn logs each warning once per load.
func (h *Handler) warn(s *definition.Scheme, findings []link.Finding) {
	for _, f := range findings {
		if f.Severity != link.Warning || s.Allowed[f.Code] {
			continue
		}
		fields := []zap.Field{zap.String("code", f.Code), zap.String("definition", h.label), zap.String("scheme", s.Name)}
		if h.Origin != "" {
			fields = append(fields, zap.String("origin", h.Origin))
		}
		fields = append(fields, zap.String("cure", f.Cure), zap.String("page", definition.Page(f.Code)))
		h.logger.Warn(f.Message, fields...)
	}
}

// mark is a fingerprint of a secret under a key of this load: it says whether two are the
// same, and nothing else.
type mark [sha256.Size]byte

func (a *App) mark(secret []byte) mark {
	h := hmac.New(sha256.New, a.marker)
	h.Write(secret)
	return mark(h.Sum(nil))
}

// fingerprints are those of the keys with which a scheme verifies; nil, if each user has one.
func (a *App) fingerprints(s *definition.Scheme) []mark {
	if s.Keys == nil {
		return nil
	}
	var marks []mark
	for _, key := range s.Keys.KeySet().All() {
		marks = append(marks, a.mark(key.Secret.Bytes()))
	}
	return marks
}

// checkShared finds what schemes of the whole configuration share. It runs when all
// definitions are loaded; the order in which Caddy loads servers is random.
func (a *App) checkShared() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.shared {
		return
	}
	a.shared = true
	type owner struct {
		h     *Handler
		s     *definition.Scheme
		marks []mark
	}
	var all []owner
	for _, h := range a.handlers {
		for _, s := range h.def.Schemes {
			all = append(all, owner{h, s, h.marks[s.Place]})
		}
		h.marks = nil
	}
	slices.SortStableFunc(all, func(x, y owner) int {
		// shorter first, so that line 64 comes before line 111
		return cmp.Or(cmp.Compare(len(x.h.Origin), len(y.h.Origin)), cmp.Compare(x.h.Origin, y.h.Origin))
	})
	where := func(x owner) string {
		if x.h.Origin == "" {
			return x.s.Name
		}
		return x.s.Name + " (" + x.h.Origin + ")"
	}
	firstBy := make(map[mark]owner)
	people := make(map[*caddyhttp.Server]owner) // sites of other addresses have other backends
	for _, x := range all {
		var found []link.Finding
		for _, m := range x.marks {
			first, there := firstBy[m]
			if !there {
				firstBy[m] = x
				continue
			}
			if first.s.Construction() == x.s.Construction() || first.s.Allowed["shared_secret"] {
				continue
			}
			found = append(found, link.Finding{
				Code: "shared_secret", Severity: link.Warning,
				Message: fmt.Sprintf("%s verifies with a secret of %s and signs in another way, so what one of them signs may pass for a link of the other", where(x), where(first)),
				Cure:    "give each a secret of its own",
			})
			break
		}
		if whose := x.s.People(); whose != "" {
			first, there := people[x.h.server]
			switch {
			case !there:
				people[x.h.server] = x
			case first.s.People() != whose && !first.s.Allowed["shared_users"]:
				found = append(found, link.Finding{
					Code: "shared_users", Severity: link.Warning,
					Message: fmt.Sprintf("%s and %s name users of two kinds, and user 7 of the one may be another person than user 7 of the other, under the one header %s", where(first), where(x), headers.VerifiedUser),
					Cure:    "let the application look at " + headers.VerifiedScheme + " first, or write `allow shared_users` where both mean the same people",
				})
			}
		}
		x.s.Findings = append(x.s.Findings, found...)
		x.h.warn(x.s, found)
	}
}
