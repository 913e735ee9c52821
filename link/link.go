// Package link holds the concepts that schemes and the gateway share: the view of a
// request that a scheme may read, what a verified link claims, why a link is
// refused, and the [Scheme] interface itself. It imports the standard library and
// the query reader only, so that a scheme can be written and tested without Caddy.
package link

// Link is what one scheme read out of one request. The gateway makes one, has the
// scheme fill it, and believes its claims only after [Scheme.Verify] said yes.
type Link struct {
	// KeyID is the key id that the link names; empty means every key is tried.
	KeyID string
	// User is the identity under which a key is looked up in user keys. The gateway
	// fills it from the definition's user template after Read, and before Verify.
	User string
	// Fields are parts of tokens and paths, in the order of the description: values to work
	// with, which no log and no backend is shown. The gateway lends an empty slice with room
	// for some.
	Fields []Field
	// Path is the path that the backend gets, percent-encoded; empty: as it came.
	Path string
	// Claims are the values that the link states, by the names of the description. The
	// gateway lends an empty slice with room for some, so that they need no memory.
	Claims Claims
	// Expires and Issued are the link's time window, as text.
	Expires, Issued Timestamp
	// Signature is the signature's text, for the scheme's own use.
	Signature string
	// Text is what was signed, for schemes that take it out of a token.
	Text string
}

// Field is a part of a token or of a path.
type Field struct {
	Value string // decoded
	Sent  string // as it stands in the path; of a token, which is decoded first, the value
}

// Claims are named values of a link.
type Claims []Claim

// Claim is one named value.
type Claim struct{ Name, Value string }

// Get returns the value of the claim, or "" if the link does not state it.
func (c Claims) Get(name string) string {
	value, _ := c.Find(name)
	return value
}

// Find returns the value of the claim, and whether the link states it.
func (c Claims) Find(name string) (value string, stated bool) {
	for i := range c {
		if c[i].Name == name {
			return c[i].Value, true
		}
	}
	return "", false
}

// Set adds the claim, or changes it.
func (c *Claims) Set(name, value string) {
	for i := range *c {
		if (*c)[i].Name == name {
			(*c)[i].Value = value
			return
		}
	}
	*c = append(*c, Claim{name, value})
}
