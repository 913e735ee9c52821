package definition

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
)

// Documentation is where the pages of the findings are.
const Documentation = "https://github.com/signedlink/caddy-signed-link/blob/main/"

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
			return nil, fmt.Errorf("allow: %s cannot be allowed: a backend that trusts the header would trust the client; see %s", code, Page(code))
		}
		if !slices.Contains(allowable(), code) {
			return nil, fmt.Errorf("allow: unknown finding %q%s; there are %s", link.Shown(code), link.DidYouMean(code, allowable()), strings.Join(allowable(), ", "))
		}
		allowed[code] = true
	}
	return allowed, nil
}

// Page returns where the finding with this code is explained.
func Page(code string) string { return Documentation + link.FindingCode{Code: code}.Page() }

// check finds what is to be said about the scheme, and refuses what is dangerous.
func (s *Scheme) check() error {
	if checked, ok := s.Format.(link.Checked); ok {
		s.Findings = checked.Findings()
	}
	if s.policy.MaxAge > 0 { // the links end, by another name
		s.Findings = slices.DeleteFunc(s.Findings, func(f link.Finding) bool { return f.Code == "no_expiry" })
	}
	s.judgeSecrets()
	var refused []error
	for _, f := range s.Findings {
		if f.Severity < link.Danger || f.Severity == link.Danger && (f.Allowed || s.Allowed[f.Code]) {
			continue
		}
		text := fmt.Sprintf("%s (%s)", f.Message, f.Code)
		if f.Example != nil {
			text += ": " + f.Example.String()
		}
		text += "; " + f.Cure
		if f.Severity == link.Danger {
			narrow := f.Narrow
			if narrow == "" {
				narrow = "allow " + f.Code
			}
			text += ", or write `" + narrow + "`"
		}
		refused = append(refused, errors.New(text+"; see "+Page(f.Code)))
	}
	return errors.Join(refused...)
}

// judgeSecrets judges the secrets that are there when the configuration loads. Those of
// users are judged where they stand in the configuration; nobody reads a file of a
// million for it, and what a program makes is random or is not for all of them.
func (s *Scheme) judgeSecrets() {
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
	switch users, ok := s.Users.(*keys.Users); {
	case s.Keys != nil:
		for _, key := range s.Keys.KeySet().All() {
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
		s.Findings = append(s.Findings, found[code])
	}
}

// Construction says how the scheme signs, so that links of one may be links of another.
func (s *Scheme) Construction() string {
	if constructed, ok := s.Format.(link.Constructed); ok {
		return s.kind + " " + constructed.Construction()
	}
	return s.kind + " " + s.configuration
}

// People says whose ids the users of the scheme are: two schemes for which it differs
// may mean different people by 7.
func (s *Scheme) People() string {
	switch {
	case s.User == nil:
		return ""
	case s.User.OnlyParameters():
		return "{query." + strings.Join(s.User.Parameters(), "} {query.") + "}"
	default:
		return s.kind + " " + s.User.String()
	}
}
