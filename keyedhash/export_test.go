package keyedhash

import "github.com/signedlink/caddy-signed-link/link"

// MACOf is how the scheme signs.
func MACOf(s *Scheme) MAC { return s.mac }

// RulesOf are the rules of the scheme's values, the implied ones too.
func RulesOf(s *Scheme) map[string]link.Rule { return s.rules }
