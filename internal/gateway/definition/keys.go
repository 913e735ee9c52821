package definition

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
)

// openKeys opens the key source.
func (s *Scheme) openKeys(spec *SchemeSpec) error {
	switch {
	case spec.Keys != nil && spec.Users != nil:
		return errors.New("give secrets either with secret or keys, or with user_keys, not both")
	case spec.Keys == nil && spec.Users == nil && s.Description.NeedsUserKey:
		return errors.New("user_keys is missing: each user has a secret of its own")
	case spec.Keys == nil && spec.Users == nil:
		return errors.New("the secret is missing; write `secret {env.LINK_SECRET}` or `secret {file./etc/caddy/link.secret}`")
	}
	s.dummy = make([]byte, 32)
	rand.Read(s.dummy) // it never fails: crypto/rand ends the process instead
	if spec.Users != nil {
		opener, err := spec.Users()
		if err != nil {
			return err
		}
		if n, ok := opener.(keys.RuleNeeder); ok && n.NeedsRule() {
			if err := s.checkUserRules(); err != nil {
				return err
			}
		}
		if s.Users, err = opener.OpenUsers(); err != nil {
			return fmt.Errorf("user_keys: %w", err)
		}
		return nil
	}
	opener, err := spec.Keys()
	if err != nil {
		return err
	}
	s.Keys, err = opener.OpenSet()
	return err
}

// checkUserRules fails if a part of the user has no rule: what a client writes there
// would be handed to a source that wants ids of a known form only.
func (s *Scheme) checkUserRules() error {
	if s.User == nil || !s.User.OnlyParameters() || len(s.User.Parameters()) == 0 {
		return fmt.Errorf("user_keys: this source looks up ids of a known form only, and no param rule can say the form of %s; take the user from parameters of the query, as in `user {query.user}`", link.Typed(s.User.String()))
	}
	parameters := s.User.Parameters()
	for _, name := range parameters {
		ruled := slices.ContainsFunc(s.rules, func(b boundRule) bool {
			// a scheme of users' secrets may claim the user that it was asked with
			return b.name == name && !b.claim || b.name == "user" && b.claim && s.Description.NeedsUserKey && len(parameters) == 1
		})
		if !ruled {
			return fmt.Errorf("user_keys: this source looks up ids of a known form only; say the form of %[1]s with a rule, such as `param %[1]s digits` or `param %[1]s alnum max 32`", name)
		}
	}
	return nil
}
