package definition

import (
	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/pattern"
	"github.com/signedlink/caddy-signed-link/query"
)

// Union is what all definitions of a configuration protect together. What nobody has judged,
// or what was refused, is cleaned of it: what that costs must not depend on how many
// definitions the process has, for whoever sends such requests needs no link. It is
// immutable.
type Union struct {
	Whole   bool              // a message covers every parameter
	names   [3]*query.Names   // by profile; nil where no definition has the profile
	Paths   *pattern.Redactor // takes signatures out of paths; nil where no path has one
	Cookies *query.Names      // as PHP reads cookies; nil where no PHP can stand behind
}

// NewUnion returns the union of the definitions.
func NewUnion(definitions []*Definition) *Union {
	u := new(Union)
	var names [len(u.names)]collected
	var cookies collected
	var places []pattern.Place
	for _, d := range definitions {
		u.Whole = u.Whole || d.CoversAll
		names[d.Profile].add(d.Names)
		cookies.add(d.Cookies)
		places = append(places, d.Places()...)
	}
	for profile := range names {
		u.names[profile] = names[profile].compile(backend.Profile(profile))
	}
	u.Paths = pattern.NewRedactor(places)
	u.Cookies = cookies.compile(backend.PHP)
	return u
}

// collected are names of definitions, each once.
type collected struct {
	list []string
	seen map[string]bool
}

func (c *collected) add(n *query.Names) {
	if n == nil {
		return
	}
	if c.seen == nil {
		c.seen = make(map[string]bool)
	}
	for i := range n.Len() {
		if name := n.Name(i); !c.seen[name] {
			c.seen[name] = true
			c.list = append(c.list, name)
		}
	}
}

func (c *collected) compile(profile backend.Profile) *query.Names {
	if c.seen == nil {
		return nil
	}
	n, err := query.NewNames(profile, c.list)
	if err != nil {
		panic(err) // each was compiled for this profile before
	}
	return n
}

// Spells reports whether a segment of a query spells a protected parameter of any
// definition, to the backend of that definition.
func (u *Union) Spells(segment string) bool {
	for _, n := range u.names {
		if n == nil {
			continue
		}
		if _, spelling := n.Classify(segment); spelling != query.Other {
			return true
		}
	}
	return false
}

// SpellsSecond reports whether a backend may find such a parameter in a second query.
func (u *Union) SpellsSecond(raw string) bool {
	for _, n := range u.names {
		if n != nil && n.SpellsSecond(raw, anyName) {
			return true
		}
	}
	return false
}
