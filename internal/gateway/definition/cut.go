package definition

import (
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// Strip is what is cut out of verified requests.
type Strip uint8

// What is cut.
const (
	StripSignature Strip = iota // signature, expiry and key id
	StripSigned                 // all that the message covers, too
	StripNone
)

// CutsVerified reports whether a segment is cut out of a request that s verified.
func (d *Definition) CutsVerified(s *Scheme, segment string) bool {
	i, spelling := d.Names.Classify(segment)
	known := spelling != query.Other
	if d.strip == StripSignature && !d.cutUnsigned {
		return known && d.signature.has(i)
	}
	whole := s.Description.Coverage != link.Named
	covered := known && s.covered.has(i) || whole && !s.ignore.Match(rawName(segment))
	switch {
	case d.cutUnsigned && !covered:
		return true
	case d.strip == StripNone:
		return false
	case d.strip == StripSigned:
		return covered
	default:
		return known && d.signature.has(i)
	}
}

func rawName(segment string) string {
	name, _, _ := strings.Cut(segment, "=")
	return name
}

// CutsNobody returns which segments are cut out of a request that goes on as nobody: the
// signature and identity parameters, in whatever spelling.
func (d *Definition) CutsNobody(q *query.Query) func(segment string) bool {
	gone := d.signature | d.identity
	// A query with raw blanks, controls or '#' ends elsewhere for each backend, and one
	// that is a path with a query of its own begins elsewhere, so that none of it can be
	// kept.
	if q.Control || d.Names.SpellsSecond(q.Raw, gone.has) {
		return func(string) bool { return true }
	}
	return func(segment string) bool { return d.Names.Spells(segment, gone.has) }
}

// Shadows are the cookies that are cut out of a request that s verified.
func (d *Definition) Shadows(s *Scheme, q *query.Query) cookies.Shadows {
	shadows := cookies.Shadows{Protected: d.Cookies}
	if s.Description.Coverage != link.Named {
		shadows.Sent = q.NameSet(backend.PHP, s.ignore.Match)
	}
	return shadows
}
