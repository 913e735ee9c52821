package signedlink

import (
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// strip is what is cut out of verified requests.
type strip uint8

const (
	stripSignature strip = iota
	stripSigned
	stripNone
)

// cutsVerified reports whether a segment is cut out of a request that s verified.
func (d *definition) cutsVerified(s *scheme, segment string) bool {
	i, spelling := d.names.Classify(segment)
	known := spelling != query.Other
	if d.strip == stripSignature && !d.cutUnsigned {
		return known && d.signature.has(i)
	}
	whole := s.description.Coverage != link.Named
	covered := known && s.covered.has(i) || whole && !s.ignore.Match(rawName(segment))
	switch {
	case d.cutUnsigned && !covered:
		return true
	case d.strip == stripNone:
		return false
	case d.strip == stripSigned:
		return covered
	default:
		return known && d.signature.has(i)
	}
}

func rawName(segment string) string {
	name, _, _ := strings.Cut(segment, "=")
	return name
}

// cutsNobody returns which segments are cut out of a request that goes on as nobody: the
// signature and identity parameters, in whatever spelling.
func (d *definition) cutsNobody(q *query.Query) func(segment string) bool {
	gone := d.signature | d.identity
	// A query with raw blanks, controls or '#' ends elsewhere for each backend, and one
	// that is a path with a query of its own begins elsewhere, so that none of it can be
	// kept.
	if q.Control || d.names.SpellsSecond(q.Raw, gone.has) {
		return func(string) bool { return true }
	}
	return func(segment string) bool { return d.names.Spells(segment, gone.has) }
}

// shadows are the cookies that are cut out of a request that s verified.
func (d *definition) shadows(s *scheme, q *query.Query) cookies.Shadows {
	shadows := cookies.Shadows{Protected: d.cookies}
	if s.description.Coverage != link.Named {
		shadows.Sent = q.NameSet(backend.PHP, s.ignore.Match)
	}
	return shadows
}
