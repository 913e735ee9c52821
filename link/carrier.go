package link

import (
	"strings"

	"github.com/signedlink/caddy-signed-link/pattern"
)

// Carrier says how the links of a scheme stand in the path, where they do. It is part of a
// [Description]: the gateway asks it which requests are links, before the scheme reads
// anything, and to which paths nobody comes but by a link.
type Carrier struct {
	// Link is the form of the path of a link; nil where Segment says it.
	Link *pattern.Pattern
	// Segment is, where Link is nil, the number of the segment that is the signature,
	// counted from 0. It is the last one, and the backend gets the path without it.
	Segment int
	// Signature says that the path has the signature in it, so that the path alone tells
	// whether a request is a link.
	Signature bool
	// Target is the form of the path that the backend gets of a link; nil where it gets the
	// path as it came, or less the segment.
	Target *pattern.Pattern
	// Fixed is the path that the backend gets of every link, where Target would have no
	// field.
	Fixed string
	// Example is a path that has the form of a link and keeps all rules, with a wrong
	// signature; empty where nobody can tell how the path begins.
	Example string
	// Public says that others than links may come to the target, too.
	Public bool
}

// Carriage is what a path is to a carrier.
type Carriage uint8

// The carriages.
const (
	NoLink Carriage = iota // it has nothing of a link
	Broken                 // it begins like a link, and is none: as good as one, with a wrong signature
	Whole                  // it has the form of a link
)

// maxFields is how many fields a carrier may have.
const maxFields = 32

// Carries says what the path is, as it was sent or as somebody reads it.
func (c *Carrier) Carries(path string) Carriage {
	switch {
	case !c.Signature:
		return NoLink
	case c.Fits(path):
		return Whole
	case c.Link == nil && segments(path) > c.Segment, c.Link != nil && c.Link.Begins(path):
		return Broken
	}
	return NoLink
}

// Redact returns a path that has the form of a link with the word in place of its signature,
// and whether the path has that form.
func (c *Carrier) Redact(path, word string) (string, bool) {
	if c.Carries(path) != Whole {
		return path, false
	}
	if c.Link == nil {
		return path[:strings.LastIndexByte(path, '/')+1] + word, true
	}
	var into [maxFields]string
	fields := into[:len(c.Link.Fields())]
	i := c.Link.Index(SignatureField)
	if i < 0 || !c.Link.Split(path, fields) {
		return path, false
	}
	fields[i] = word
	return string(c.Link.Join(nil, fields)), true
}

// SignatureField is the name of the field of a pattern that is the signature.
const SignatureField = "signature"

// Fits reports whether the path has the form of that of a link, wherever the signature stands.
func (c *Carrier) Fits(path string) bool {
	if c.Link == nil {
		return segments(path) == c.Segment+1
	}
	var into [maxFields]string
	return c.Link.Split(path, into[:len(c.Link.Fields())])
}

// Moves reports whether the backend gets another path than that of the link.
func (c *Carrier) Moves() bool {
	return c != nil && (c.Target != nil || c.Fixed != "" || c.Link == nil)
}

// Internal reports whether only links lead to the path, whoever asks for it. Where one
// segment is the signature, that is so below the definition's matcher only: through is then
// the path of a link that would lead there, and the matcher has the last word.
func (c *Carrier) Internal(path string) (internal bool, through string) {
	switch {
	case !c.Moves() || c.Public:
		return false, ""
	case c.Target != nil:
		return c.Target.Shape(path), ""
	case c.Fixed != "":
		return strings.EqualFold(strings.TrimSuffix(path, "/"), strings.TrimSuffix(c.Fixed, "/")), ""
	}
	if path = strings.TrimSuffix(path, "/"); segments(path) == c.Segment {
		return true, path + "/x"
	}
	return false, ""
}

// segments is how many segments the path has. One that does not begin with a slash has none: no
// server hands it on.
func segments(path string) int {
	if !strings.HasPrefix(path, "/") {
		return 0
	}
	return strings.Count(path, "/")
}
