package app

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

// Findings about what several schemes of a configuration share, and the warnings of all.

// Warn logs each warning about a scheme once per load.
func (g *Gate) Warn(s *definition.Scheme, findings []link.Finding) {
	for _, f := range findings {
		if f.Severity != link.Warning || f.Allowed || s.Allowed[f.Code] {
			continue
		}
		fields := []zap.Field{zap.String("code", f.Code), zap.String("definition", g.Label), zap.String("scheme", s.Name)}
		if g.Origin != "" {
			fields = append(fields, zap.String("origin", g.Origin))
		}
		fields = append(fields, zap.String("cure", f.Cure), zap.String("page", definition.Page(f.Code)))
		g.Logger.Warn(f.Message, fields...)
	}
}

// Mark is a fingerprint of a secret under a key of this load: it says whether two are the
// same, and nothing else.
type Mark [sha256.Size]byte

// MarkOf returns the fingerprint of a secret, or of how a source of secrets is configured.
func (a *App) MarkOf(secret []byte) Mark {
	h := hmac.New(sha256.New, a.marker)
	h.Write(secret)
	return Mark(h.Sum(nil))
}

// SetMarks notes the fingerprints of what the schemes verify with: their keys, or their
// sources of users' secrets, whose fingerprints are given.
func (g *Gate) SetMarks(users []Mark) {
	for _, s := range g.Definition.Schemes {
		if s.Keys == nil {
			g.marks = append(g.marks, []Mark{users[s.Place]})
			continue
		}
		all := s.Keys.KeySet().All()
		marks := make([]Mark, len(all))
		for i := range all {
			marks[i] = g.app.MarkOf(all[i].Secret.Bytes())
		}
		g.marks = append(g.marks, marks)
	}
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
		g     *Gate
		s     *definition.Scheme
		marks []Mark
	}
	var all []owner
	for _, g := range a.gates {
		for _, s := range g.Definition.Schemes {
			all = append(all, owner{g, s, g.marks[s.Place]})
		}
		g.marks = nil
	}
	slices.SortStableFunc(all, func(x, y owner) int {
		// shorter first, so that line 64 comes before line 111
		return cmp.Or(cmp.Compare(len(x.g.Origin), len(y.g.Origin)), cmp.Compare(x.g.Origin, y.g.Origin))
	})
	where := func(x owner) string {
		if x.g.Origin == "" {
			return x.s.Name
		}
		return x.s.Name + " (" + x.g.Origin + ")"
	}
	firstBy := make(map[Mark]owner)
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
			first, there := people[x.g.Server]
			switch {
			case !there:
				people[x.g.Server] = x
			case first.s.People() != whose && !first.s.Allowed["shared_users"]:
				found = append(found, link.Finding{
					Code: "shared_users", Severity: link.Warning,
					Message: fmt.Sprintf("%s and %s name users of two kinds, and user 7 of the one may be another person than user 7 of the other, under the one header %s", where(first), where(x), headers.VerifiedUser),
					Cure:    "let the application look at " + headers.VerifiedScheme + " first, or write `allow shared_users` where both mean the same people",
				})
			}
		}
		x.s.Findings = append(x.s.Findings, found...)
		x.g.Warn(x.s, found)
	}
}
