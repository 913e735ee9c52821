package signedlink

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
)

// This file asks what makes a definition weaker than it looks, once, when it loads: the
// schemes say it of themselves, the secrets are judged here, and so is what several
// schemes share. What is dangerous is refused, unless the operator allows it.

// documentation is where the pages of the findings are.
const documentation = "https://github.com/signedlink/caddy-signed-link/blob/main/"

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
	for _, s := range h.def.schemes {
		for _, f := range s.findings {
			all = append(all, schemeFinding{f, h.label, s.name, h.Origin, s.allowed[f.Code]})
		}
	}
	return all
}

// Allowable are the findings that `allow` accepts.
func allowable() []string {
	var codes []string
	for _, c := range link.FindingCodes {
		if c.Severity != link.Fatal {
			codes = append(codes, c.Code)
		}
	}
	slices.Sort(codes)
	return codes
}

// checkAllow reads the option.
func checkAllow(codes []string) (map[string]bool, error) {
	allowed := make(map[string]bool)
	for _, code := range codes {
		if slices.ContainsFunc(link.FindingCodes, func(f link.FindingCode) bool { return f.Code == code && f.Severity == link.Fatal }) {
			return nil, fmt.Errorf("allow: %s cannot be allowed: a backend that trusts the header would trust the client; see %s", code, page(code))
		}
		if !slices.Contains(allowable(), code) {
			return nil, fmt.Errorf("allow: unknown finding %q; there are %s", code, strings.Join(allowable(), ", "))
		}
		allowed[code] = true
	}
	return allowed, nil
}

func page(code string) string { return documentation + link.FindingCode{Code: code}.Page() }

// check finds what is to be said about the scheme, and refuses what is dangerous.
func (s *scheme) check() error {
	if checked, ok := s.scheme.(link.Checked); ok {
		s.findings = checked.Findings()
	}
	if s.policy.MaxAge > 0 { // the links end, by another name
		s.findings = slices.DeleteFunc(s.findings, func(f link.Finding) bool { return f.Code == "no_expiry" })
	}
	s.judgeSecrets()
	var refused []error
	for _, f := range s.findings {
		if f.Severity < link.Danger || f.Severity == link.Danger && s.allowed[f.Code] {
			continue
		}
		text := fmt.Sprintf("%s (%s)", f.Message, f.Code)
		if f.Example != nil {
			text += ": " + f.Example.String()
		}
		text += "; " + f.Cure
		if f.Severity == link.Danger {
			text += ", or write `allow " + f.Code + "`"
		}
		refused = append(refused, errors.New(text+"; see "+page(f.Code)))
	}
	return errors.Join(refused...)
}

// judgeSecrets judges the secrets that are there when the configuration loads. Those of
// users are judged where they stand in the configuration; nobody reads a file of a
// million for it, and what a program makes is random or is not for all of them.
func (s *scheme) judgeSecrets() {
	found := make(map[string]link.Finding)
	judge := func(whose string, secret []byte) {
		code, why := keys.Judge(secret)
		if _, again := found[code]; code == "" || again {
			return
		}
		found[code] = link.Finding{
			Code: code, Severity: link.Warning,
			Message: fmt.Sprintf("%s can be guessed by whoever holds a link: %s", whose, why),
			Cure:    "have the signer use a random secret of 32 bytes, and replace this one; docs/rotation.md says how",
		}
	}
	switch users, ok := s.users.(*keys.Users); {
	case s.keys != nil:
		for _, key := range s.keys.KeySet().All() {
			whose := "the secret"
			if key.ID != "" {
				whose += " of the key " + key.ID
			}
			judge(whose, key.Secret.Bytes())
		}
	case ok:
		users.Each(func(_ string, secret keys.Secret) bool {
			judge("the secret of a user", secret.Bytes())
			return true
		})
	}
	for _, code := range slices.Sorted(maps.Keys(found)) {
		s.findings = append(s.findings, found[code])
	}
}

// warn logs each warning once per load.
func (h *Handler) warn(s *scheme, findings []link.Finding) {
	for _, f := range findings {
		if f.Severity != link.Warning || s.allowed[f.Code] {
			continue
		}
		fields := []zap.Field{zap.String("code", f.Code), zap.String("definition", h.label), zap.String("scheme", s.name)}
		if h.Origin != "" {
			fields = append(fields, zap.String("origin", h.Origin))
		}
		fields = append(fields, zap.String("cure", f.Cure), zap.String("page", page(f.Code)))
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
func (a *App) fingerprints(s *scheme) []mark {
	if s.keys == nil {
		return nil
	}
	var marks []mark
	for _, key := range s.keys.KeySet().All() {
		marks = append(marks, a.mark(key.Secret.Bytes()))
	}
	return marks
}

// construction says how the scheme signs, so that links of one may be links of another.
func (s *scheme) construction() string {
	if constructed, ok := s.scheme.(link.Constructed); ok {
		return s.kind + " " + constructed.Construction()
	}
	return s.kind + " " + s.configuration
}

// people says whose ids the users of the scheme are: two schemes for which it differs
// may mean different people by 7.
func (s *scheme) people() string {
	switch {
	case s.user == nil:
		return ""
	case s.user.OnlyParameters():
		return "{query." + strings.Join(s.user.Parameters(), "} {query.") + "}"
	default:
		return s.kind + " " + s.user.String()
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
		h     *Handler
		s     *scheme
		marks []mark
	}
	var all []owner
	for _, h := range a.handlers {
		for _, s := range h.def.schemes {
			all = append(all, owner{h, s, h.marks[s.place]})
		}
		h.marks = nil
	}
	slices.SortStableFunc(all, func(x, y owner) int {
		// shorter first, so that line 64 comes before line 111
		return cmp.Or(cmp.Compare(len(x.h.Origin), len(y.h.Origin)), cmp.Compare(x.h.Origin, y.h.Origin))
	})
	where := func(x owner) string {
		if x.h.Origin == "" {
			return x.s.name
		}
		return x.s.name + " (" + x.h.Origin + ")"
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
			if first.s.construction() == x.s.construction() || first.s.allowed["shared_secret"] {
				continue
			}
			found = append(found, link.Finding{
				Code: "shared_secret", Severity: link.Warning,
				Message: fmt.Sprintf("%s verifies with a secret of %s and signs in another way, so what one of them signs may pass for a link of the other", where(x), where(first)),
				Cure:    "give each a secret of its own",
			})
			break
		}
		if whose := x.s.people(); whose != "" {
			first, there := people[x.h.server]
			switch {
			case !there:
				people[x.h.server] = x
			case first.s.people() != whose && !first.s.allowed["shared_users"]:
				found = append(found, link.Finding{
					Code: "shared_users", Severity: link.Warning,
					Message: fmt.Sprintf("%s and %s name users of two kinds, and user 7 of the one may be another person than user 7 of the other, under the one header %s", where(first), where(x), headers.VerifiedUser),
					Cure:    "let the application look at " + headers.VerifiedScheme + " first, or write `allow shared_users` where both mean the same people",
				})
			}
		}
		x.s.findings = append(x.s.findings, found...)
		x.h.warn(x.s, found)
	}
}
