package definition

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/pattern"
	"github.com/signedlink/caddy-signed-link/query"
)

// This file judges paths that are part of a link. Where a link stands in the path, it is one
// in every reading of the path: a backend that makes /u/42/x of `//u/42/x` must not be asked
// past the definition. And where the backend gets another path, nobody else comes there.

// TargetOf is the target of a request.
func TargetOf(r *link.Request) targets.Target {
	return targets.Target{Path: r.Path, Query: r.Query.Raw, Host: r.Host}
}

// carriages are what a path is to the schemes of a definition, by their place.
type carriages struct{ wholes, brokens uint64 }

func (c *carriages) any() bool             { return c.wholes|c.brokens != 0 }
func (c *carriages) whole(place int) bool  { return c.wholes>>place&1 != 0 }
func (c *carriages) broken(place int) bool { return c.brokens>>place&1 != 0 }

// maxSchemes is how many schemes a definition may have, where a path carries links.
const maxSchemes = 64

// takePaths prepares for the links of a scheme that stand in the path.
func (d *Definition) takePaths(s *Scheme, recognize bool) error {
	c := s.Description.Carrier
	if c == nil {
		return nil
	}
	switch {
	case s.Place >= maxSchemes:
		return fmt.Errorf("a definition has at most %d schemes; split it", maxSchemes)
	case recognize && c.Signature:
		return errors.New("recognize: what carries its signature in the path is a link or is no page at all; write require, or observe")
	case recognize && c.Moves():
		return errors.New("recognize: `to` needs require, or observe: what does not verify would go to another page than a link does")
	case c.Moves() && d.strip == StripNone:
		return errors.New("strip none leaves the path as it came, and `to`, or a signature that is a segment, changes it; leave one of them out")
	case c.Signature && !c.Moves() && d.strip != StripNone:
		return errors.New("path: the backend would get the signature; say which path it gets, as in `path /u/<id>/<signature> to /u/{link.id}`, or write `strip none` where the application routes the whole path itself")
	}
	s.paths = newPaths(d.Profile, c)
	d.inPath = d.inPath || c.Signature
	return s.paths.readTarget(c)
}

// carriages says what the path is to each scheme, in every reading of it: one that has the
// form of a link as it was sent is judged as it was sent, and one that has it only to some
// reader is refused, because what was verified must be what the backend sees.
func (d *Definition) carriages(r *link.Request, known *targets.Readings) (c carriages, refusal link.Refusal) {
	if known == nil {
		known = targets.ReadAll(d.Profile, TargetOf(r))
	}
	decoded := query.UnescapePath(r.Path)
	astray := false
	for i, s := range d.Schemes {
		carrier := s.Description.Carrier
		if carrier == nil || !carrier.Signature {
			continue
		}
		switch carrier.Carries(r.Path) {
		case link.Whole:
			c.wholes |= 1 << i
			continue
		case link.Broken:
			c.brokens |= 1 << i
		case link.NoLink:
		}
		for n := range len(known.Paths) + 1 {
			path := decoded
			if n < len(known.Paths) {
				path = known.Paths[n]
			}
			switch carrier.Carries(path) {
			case link.Whole:
				astray = true
			case link.Broken:
				c.brokens |= 1 << i
			case link.NoLink:
			}
		}
	}
	if !known.All || astray && c.wholes == 0 {
		return c, link.Refuse(link.Ambiguous, "path")
	}
	return c, link.Refusal{}
}

// paths is how the links of one scheme stand in the path, and how backends of the profile
// read such paths.
type paths struct {
	profile backend.Profile
	kept    bool             // the backend gets the path of the link as it came
	fixed   bool             // it gets one and the same path, which the operator wrote
	link    *pattern.Pattern // nil: it has no fields
	gets    *pattern.Pattern // the backend; nil: its path has no fields
	shapes  []shape          // of its readings
	other   []*link.Carrier  // the paths that backends read as a target
}

// newPaths reads an example of each path as backends of the profile do: what they make of it
// has the texts of its fields somewhere.
func newPaths(profile backend.Profile, c *link.Carrier) *paths {
	p := &paths{profile: profile, link: c.Link, gets: c.Target, fixed: c.Fixed != ""}
	if c.Target == nil && c.Fixed == "" && c.Link != nil {
		p.gets, p.kept = c.Link, true
	}
	if p.gets != nil {
		p.shapes = shapesOf(profile, p.gets)
	}
	return p
}

// readTarget makes internal, beside the target, what some backend reads as one: behind
// `to /index.php/u/{link.id}` the page /u/42 is the same to most PHP applications, and nobody
// would ask for a link there. Not the script itself, of which only the arguments are internal.
func (p *paths) readTarget(c *link.Carrier) error {
	if !c.Moves() || c.Public {
		return nil
	}
	all := false // some backend has the target's fields, and nothing else, in the path
	if c.Fixed != "" {
		readings, _ := targets.Read(p.profile, targets.Target{Path: c.Fixed})
		for _, reading := range readings {
			if reading == "/" {
				all = true
			} else if !strings.HasPrefix(c.Fixed, reading+"/") {
				p.other = append(p.other, &link.Carrier{Fixed: reading})
			}
		}
	}
	for i, s := range p.shapes {
		switch literal, err := s.pattern(); {
		case i == 0: // the target itself
		case len(s) == 1: // a page of its own, or the script
			if !strings.HasPrefix(c.Target.Literal(), s[0]+"/") {
				p.other = append(p.other, &link.Carrier{Fixed: s[0]})
			}
		case err != nil:
			return fmt.Errorf("path: to: some backend reads it as %q, which tells nobody where a field ends; choose a plainer path", strings.Join(s, "…"))
		case s[0] == "/":
			all = true
		default:
			p.other = append(p.other, &link.Carrier{Target: literal})
		}
	}
	to := c.Fixed
	if c.Target != nil {
		to = c.Target.Literal()
	}
	if all && strings.Contains(strings.ToLower(to), "/index.php/") {
		return errors.New("path: to: PHP applications serve what stands behind /index.php without it, too, so that any path could be one to which only links lead; put a folder behind /index.php, or leave it out")
	}
	return nil
}

// judge judges the path that the backend gets: whoever reads it must find in its fields what
// was signed. `index.php/admin` for a file makes a script of /files/index.php/admin, which
// some read as /admin, and `a&b` is a and a parameter to others.
func (p *paths) judge(r *link.Request, l *link.Link) link.Refusal {
	path := l.Path
	if p.kept {
		path = r.Path
	}
	t := targets.Target{Path: path, Host: r.Host}
	if path == "" || p.fixed || targets.Plain(p.profile, t) {
		return link.Refusal{}
	}
	readings, ok := targets.Read(p.profile, t)
	if !ok || len(readings) > 0 && !p.reads(path, r.Path, readings) {
		return link.Refuse(link.Ambiguous, "path")
	}
	return link.Refusal{}
}

// reads reports whether the path to which this link led has the link's own fields in all of
// these readings of it.
func (p *paths) reads(path, sent string, readings []string) bool {
	texts := []string{query.UnescapePath(path)}
	if p.gets != nil {
		fields := make([]string, len(p.link.Fields()))
		if !p.link.Split(sent, fields) {
			return false
		}
		values := make([]string, len(p.gets.Fields()))
		for i, f := range p.gets.Fields() {
			at := p.source(f.Name)
			if at < 0 {
				return false
			}
			value := fields[at]
			if p.kept && f.Name != link.SignatureField && strings.IndexByte(value, '+') >= 0 && targets.PlusIsBlank(p.profile) {
				return false // in a path that moves it is %2B, which whoever decodes once finds
			}
			values[i] = query.UnescapePath(value)
		}
		for _, s := range p.shapes {
			texts = append(texts, s.with(values))
		}
	}
	return !slices.ContainsFunc(readings, func(reading string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool {
			return reading == text || reading == strings.ReplaceAll(text, "+", " ")
		})
	})
}

// source returns which field of the link a field of the path is that the backend gets, in
// which a name has a number behind it, or -1.
func (p *paths) source(name string) int {
	if i := p.link.Index(name); i >= 0 {
		return i
	}
	cut := strings.LastIndexByte(name, '-')
	return p.link.Index(name[:max(cut, 0)])
}

// shape is a reading of a path: texts, and a field between each two of them.
type shape []string

// shapesOf are the shapes of all readings of the pattern's paths.
func shapesOf(profile backend.Profile, p *pattern.Pattern) []shape {
	const mark = "zqfieldqz" // nobody writes it into a literal
	of := make(map[string]string)
	for _, f := range p.Fields() {
		of[f.Name] = mark
	}
	example := p.Sample(of)
	readings, _ := targets.Read(profile, targets.Target{Path: example})
	shapes := make([]shape, 0, 1+len(readings))
	shapes = append(shapes, strings.Split(example, mark))
	for _, reading := range readings {
		shapes = append(shapes, strings.Split(reading, mark))
	}
	return shapes
}

// pattern is that of the reading's paths.
func (s shape) pattern() (*pattern.Pattern, error) {
	var b strings.Builder
	for i, text := range s {
		if i > 0 {
			fmt.Fprintf(&b, "<f%d>", i)
		}
		b.WriteString(pattern.Quote(text))
	}
	return pattern.Parse(b.String())
}

// with is the reading with these fields, as far as it has them.
func (s shape) with(fields []string) string {
	var b strings.Builder
	for i, text := range s {
		if i > 0 && i <= len(fields) {
			b.WriteString(fields[i-1])
		}
		b.WriteString(text)
	}
	return b.String()
}

// Internal reports whether only links of the definition lead to the path, and is asked with
// every reading of it. Where the path of a link is that path and a segment more, matches is
// asked whether the definition would judge that one.
func (d *Definition) Internal(path string, matches func(path string) bool) bool {
	for _, s := range d.Schemes {
		c := s.Description.Carrier
		if c == nil {
			continue
		}
		if internal, through := c.Internal(path); internal && (through == "" || matches(through)) {
			return true
		}
		for _, c := range s.paths.other {
			if internal, _ := c.Internal(path); internal {
				return true
			}
		}
	}
	return false
}

// Carries reports whether the path has the form of a link of the definition.
func (d *Definition) Carries(path string) bool {
	for _, s := range d.Schemes {
		if c := s.Description.Carrier; c != nil && c.Carries(path) == link.Whole {
			return true
		}
	}
	return false
}

// Redact returns a path that has the form of a link of the definition without its signature,
// whatever that is, and whether the path has that form.
func (d *Definition) Redact(path string) (clean string, is bool) {
	for _, s := range d.Schemes {
		if c := s.Description.Carrier; c != nil {
			if clean, is := c.Redact(path, query.Redacted); is {
				return clean, true
			}
		}
	}
	return path, false
}

// Begins reports whether the path has the form of a link of the definition, or begins like
// one; with whole, only the first.
func (d *Definition) Begins(path string, whole bool) bool {
	for _, s := range d.Schemes {
		c := s.Description.Carrier
		if c == nil {
			continue
		}
		if carriage := c.Carries(path); carriage == link.Whole || carriage == link.Broken && !whole {
			return true
		}
	}
	return false
}

// MayMove reports whether a link with this path could be one of the definition that leads to
// another path.
func (d *Definition) MayMove(path string) bool {
	for _, s := range d.Schemes {
		if c := s.Description.Carrier; c.Moves() && c.Fits(path) {
			return true
		}
	}
	return false
}

// Leads are the paths to which the request would be moved, if it is a link of the definition
// and its signature is right.
func (d *Definition) Leads(r *link.Request) (paths []string) {
	for _, s := range d.Schemes {
		if c := s.Description.Carrier; !c.Moves() || !c.Fits(r.Path) {
			continue
		}
		l := new(link.Link)
		if refusal := s.Format.Read(r, l); refusal.None() && l.Path != "" {
			paths = append(paths, l.Path)
		}
	}
	return paths
}

// InPath reports whether some link of the definition has its signature in the path.
func (d *Definition) InPath() bool { return d.inPath }

// Moves reports whether the backend gets another path than that of a link, so that there are
// internal ones.
func (d *Definition) Moves() bool {
	for _, s := range d.Schemes {
		if s.Description.Carrier.Moves() {
			return true
		}
	}
	return false
}

// Places are where links of the definition have their signature in the path.
func (d *Definition) Places() []pattern.Place {
	var places []pattern.Place
	for _, s := range d.Schemes {
		c := s.Description.Carrier
		if c == nil || !c.Signature {
			continue
		}
		places = append(places, pattern.Place{Pattern: c.Link, Field: link.SignatureField, Segment: c.Segment, Alphabet: s.Description.Alphabet, Length: s.Description.Length})
	}
	return places
}
