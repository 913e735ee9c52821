package query

import (
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
)

// Patterns is a set of names, or of beginnings of names, that are only looked for: those
// of cookies, and of parameters that carry a session. It is immutable. A nil one is
// empty.
type Patterns struct {
	profile    backend.Profile
	php, loose []string // folds
	begins     []bool   // whether names that begin so are meant, too
	longest    int      // of the folds
}

// NewPatterns compiles names, each of which may end with a * and stand for all that begin
// so. Every reading of the profile is one of its names, and so is what PHP files under
// it: `php.sess` is php_sess.
func NewPatterns(profile backend.Profile, names []string) *Patterns {
	p := &Patterns{profile: profile}
	for _, name := range names {
		name, begins := strings.CutSuffix(name, "*")
		p.php = append(p.php, string(foldPHP(profile, nil, []byte(name), unlimited)))
		p.loose = append(p.loose, string(foldLoose(profile, nil, []byte(name), unlimited)))
		p.begins = append(p.begins, begins)
		p.longest = max(p.longest, len(p.php[len(p.php)-1]), len(p.loose[len(p.loose)-1]))
	}
	return p
}

// Has reports whether the name, as it is or decoded, is one of the set: PHP 7 decodes the
// name of a cookie, and PHP 8 does not.
func (p *Patterns) Has(name string) bool {
	if p == nil || len(p.php) == 0 {
		return false
	}
	var buf [128]byte
	return p.has(append(buf[:0], name...)) || strings.ContainsAny(name, "%+") && p.has(AppendUnescaped(buf[:0], name))
}

func (p *Patterns) has(name []byte) bool {
	var buf [128]byte
	return p.in(p.php, foldPHP(p.profile, buf[:0], name, p.longest)) || p.in(p.loose, foldLoose(p.profile, buf[:0], name, p.longest))
}

func (p *Patterns) in(folds []string, name []byte) bool {
	for i, fold := range folds {
		if fold == "" { // of a name of nothing but underscores the loose fold leaves nothing
			continue
		}
		if string(name) == fold || p.begins[i] && len(name) > len(fold) && string(name[:len(fold)]) == fold {
			return true
		}
	}
	return false
}
