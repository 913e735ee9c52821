package definition

import (
	"fmt"
	"slices"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/request/bodies"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// index makes the sets of protected names.
func (d *Definition) index() error {
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
	for _, s := range d.Schemes {
		all := slices.Concat(s.Description.Signature, s.Description.Expiry, s.Description.Signed, s.Description.Carriers, s.parameters())
		for _, name := range all {
			for _, other := range d.Schemes {
				switch {
				case !other.ignore.Match(name):
				case other == s:
					return fmt.Errorf("%s: ignore: %q carries part of the link, so it cannot be ignored", s.Name, name)
				default:
					// The backend believes the one as it believes the other.
					return fmt.Errorf("%s: ignore: %q carries part of a link of %s, so whoever has a link of %[1]s could write any value "+
						"into it; leave it out of ignore, or write a definition for each scheme", other.Name, name, s.Name)
				}
			}
			i, err := place(name)
			if err != nil {
				return err
			}
			s.covered.add(i)
			if slices.Contains(s.Description.Signature, name) || slices.Contains(s.Description.Expiry, name) {
				s.signature.add(i)
			}
			if slices.Contains(s.parameters(), name) {
				d.identity.add(i)
			}
		}
		d.signature |= s.signature
		d.CoversAll = d.CoversAll || s.Description.Coverage != link.Named
	}
	var err error
	if d.Names, err = query.NewNames(d.Profile, names); err != nil {
		return err
	}
	if err = query.CheckTogether(d.Profile, names); err != nil {
		return err
	}
	d.inBodies = bodies.Rules{Profile: d.Profile, Names: d.Names, All: d.CoversAll}
	if roots := query.Roots(d.Profile, names); !slices.Equal(roots, names) {
		if d.inBodies.Names, err = query.NewNames(d.Profile, roots); err != nil {
			return err
		}
	}
	if d.Profile.Has(backend.CookieShadow) {
		d.Cookies, err = query.NewNames(backend.PHP, names)
	}
	return err
}

// parameters are those from which the identity and the headers are made.
func (s *Scheme) parameters() []string {
	var names []string
	if s.User != nil {
		names = s.User.Parameters()
	}
	for _, o := range s.outputs {
		names = append(names, o.template.Parameters()...)
	}
	return names
}
