package link

import "time"

// Grant is what a link is to state: the claims, the times and the key id that its
// signer writes into it.
type Grant struct {
	// User is the identity under which the key was found in user keys; see [Link].
	User string
	// Claims are the values that stand in a token, by the names of the description.
	Claims Claims
	// Fields are the parts of tokens and paths, by the names of the description. Those that
	// are times are written from Now and Expires, and a path that has the form of a link
	// gives the others.
	Fields map[string]string
	// Now is when the link is made; a scheme with a time of issue writes it.
	Now time.Time
	// Expires is until when the link is valid; zero: it says nothing about it.
	Expires time.Time
	// KeyID is the id of the key, for schemes that write it into the link.
	KeyID string
}

// SetField adds a field, or changes it.
func (g *Grant) SetField(name, value string) {
	if g.Fields == nil {
		g.Fields = make(map[string]string)
	}
	g.Fields[name] = value
}

// Signer is implemented by a [Scheme] whose construction allows the holder of the key
// to make links, which all do but those with a public key. The gateway itself never
// signs: the command line, the tests and the documentation do.
type Signer interface {
	// Sign returns the target, path and query, of r with a signature by key. What
	// the message names stands in r already; a signature parameter in r is replaced.
	// The error says what r or the grant lacks.
	Sign(r *Request, g Grant, key []byte) (target string, err error)
}

// Messenger is implemented by a [Scheme] that can tell what is signed in a link. Schemes with
// a public key can, and cannot sign.
type Messenger interface {
	// AppendMessage appends what is signed in a link that Read has read, with key
	// where the secret stands in it. With a mask for the key it can be shown.
	AppendMessage(dst []byte, r *Request, l *Link, key []byte) []byte
}
