package signedlink

import (
	"fmt"
	"slices"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/request/bodies"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// index makes the sets of protected names.
func (d *definition) index() error {
	var names []string
	place := func(name string) (int, error) {
		if i := slices.Index(names, name); i >= 0 {
			return i, nil
		}
		if len(names) == maxNames {
			return 0, fmt.Errorf("a definition protects at most %d parameters; split it", maxNames)
		}
		names = append(names, name)
		return len(names) - 1, nil
	}
	for _, s := range d.schemes {
		all := slices.Concat(s.description.Signature, s.description.Expiry, s.description.Signed, s.parameters())
		for _, name := range all {
			for _, other := range d.schemes {
				switch {
				case !other.ignore.Match(name):
				case other == s:
					return fmt.Errorf("%s: ignore: %q carries part of the link, so it cannot be ignored", s.name, name)
				default:
					// The backend believes the one as it believes the other.
					return fmt.Errorf("%s: ignore: %q carries part of a link of %s, so whoever has a link of %[1]s could write any value "+
						"into it; leave it out of ignore, or write a definition for each scheme", other.name, name, s.name)
				}
			}
			i, err := place(name)
			if err != nil {
				return err
			}
			s.covered.add(i)
			if slices.Contains(s.description.Signature, name) || slices.Contains(s.description.Expiry, name) {
				s.signature.add(i)
			}
			if slices.Contains(s.parameters(), name) {
				d.identity.add(i)
			}
		}
		d.signature |= s.signature
		d.coversAll = d.coversAll || s.description.Coverage != link.Named
	}
	var err error
	if d.names, err = query.NewNames(d.profile, names); err != nil {
		return err
	}
	d.inBodies = bodies.Rules{Profile: d.profile, Names: d.names, All: d.coversAll}
	if d.profile.Has(backend.CookieShadow) {
		d.cookies, err = query.NewNames(backend.PHP, names)
	}
	return err
}

// parameters are those from which the identity and the headers are made.
func (s *scheme) parameters() []string {
	var names []string
	if s.user != nil {
		names = s.user.Parameters()
	}
	for _, o := range s.outputs {
		names = append(names, o.template.Parameters()...)
	}
	return names
}
