package nearest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// ReadBy is what a scheme makes of a link before any key is asked.
func ReadBy(c *definition.Scheme, s Link) (*link.Request, *link.Link, bool) {
	r, err := s.View()
	if err != nil {
		return nil, nil, false
	}
	l := new(link.Link)
	read := c.Format.Read(r, l).None()
	if c.Users != nil && read {
		l.User = string(c.User.Append(nil, r, keyedhash.Values{Fields: l.Fields}))
	}
	return r, l, read
}

// byKey looks for another key of the configuration, and another reading of the own one.
func (n *search) byKey(s Link) *Miss {
	for _, c := range n.definition.Schemes {
		r, l, ok := ReadBy(c, s)
		if !ok {
			continue
		}
		for _, key := range ownKeys(c, l) {
			for _, x := range rereadings(key.Secret.Bytes()) {
				if c.Format.Verify(r, l, x.key) {
					return &Miss{
						"secret", "the signer's secret is this one " + x.text,
						"Let signer and gateway read the secret in the same way: mind line breaks at the end of files, and `secret … encoding hex|base64`.",
					}
				}
			}
		}
		for _, o := range n.others {
			for _, other := range o.Definition.Schemes {
				if other == c || other.Keys == nil {
					continue
				}
				for _, key := range other.Keys.KeySet().All() {
					if c.Format.Verify(r, l, key.Secret.Bytes()) {
						return &Miss{
							"other_key", "it is signed with a key of " + other.Name + " in " + o.Where + named(key.ID),
							"The signer uses the secret of another purpose: give it the one of this scheme.",
						}
					}
				}
			}
		}
	}
	for _, o := range n.others {
		if o.Definition == n.definition {
			continue
		}
		r, err := s.View()
		if err != nil {
			return nil
		}
		if v := o.Definition.Judge(context.Background(), r, nil, n.now); v.Signed() {
			return &Miss{
				"other_definition", "it is a link of " + o.Where + ", scheme " + v.SchemeName(),
				"The link goes to a path or host of another definition: correct its path, or add that scheme to this definition.",
			}
		}
	}
	return nil
}

func named(id string) string {
	if id == "" {
		return ""
	}
	return ", key " + id
}

// ownKeys are the keys that may make the link.
func ownKeys(c *definition.Scheme, l *link.Link) []keys.Key {
	if c.Users == nil {
		return c.Keys.KeySet().All()
	}
	if secret, err := c.Users.UserKey(context.Background(), l.User); err == nil {
		return []keys.Key{{Secret: secret}}
	}
	return nil
}

// rereading is a key as another program could have read it.
type rereading struct {
	key  []byte
	text string
}

func rereadings(key []byte) (list []rereading) {
	add := func(other []byte, text string) {
		if len(other) > 0 && !bytes.Equal(other, key) {
			list = append(list, rereading{other, text})
		}
	}
	add(append(bytes.Clone(key), '\n'), "with a line break behind it")
	add(append(bytes.Clone(key), '\r', '\n'), "with a line break (CR LF) behind it")
	add(bytes.TrimSpace(key), "without the blanks at its ends")
	add(append(bytes.Clone(key), ' '), "with a blank behind it")
	if b, err := hex.DecodeString(string(key)); err == nil {
		add(b, "decoded from hex")
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := e.DecodeString(string(key)); err == nil {
			add(b, "decoded from base64")
		}
		add([]byte(e.EncodeToString(key)), "as base64 text")
	}
	add([]byte(hex.EncodeToString(key)), "as hex text")
	add(bytes.ToLower(key), "in lower case")
	add(bytes.ToUpper(key), "in upper case")
	return list
}

// bySignature compares the signature that came with the right one: cut off, changed in
// case, or made by another algorithm. It looks at the difference and never shows either.
func (n *search) bySignature(s Link) *Miss {
	for _, c := range n.definition.Schemes {
		signer, ok := c.Format.(link.Signer)
		messenger, tells := c.Format.(link.Messenger)
		if !ok || !tells {
			continue
		}
		// The value that is compared: a whole token, where links have such, or the signature.
		name, what := "", "the signature in the path"
		if len(c.Description.Signature) > 0 {
			name = c.Description.Signature[0]
			what = strconv.Quote(name)
		}
		r, l, ok := ReadBy(c, s)
		for pad := 1; !ok && name != "" && pad <= 5; pad++ { // a token that is cut cannot be read
			path, raw, _ := s.split()
			padded := s
			padded.Target = path + "?" + padParameter(raw, name, pad)
			r, l, ok = ReadBy(c, padded)
		}
		if !ok {
			continue
		}
		given, there := l.Signature, true
		if name != "" {
			original, err := s.View()
			if err != nil {
				continue
			}
			given, there = original.Value(name)
		}
		if !there || given == "" {
			continue
		}
		for _, key := range ownKeys(c, l) {
			grant := link.Grant{User: l.User, Claims: l.Claims, KeyID: key.ID}
			if at, present, ok := l.Issued.Time(); present && ok {
				grant.Now = at
			}
			target, err := signer.Sign(r, grant, key.Secret.Bytes())
			if err != nil {
				continue
			}
			again := s
			again.Target = target
			signed, right, ok := ReadBy(c, again)
			if !ok {
				continue
			}
			wanted := right.Signature
			if name != "" {
				if wanted, ok = signed.Value(name); !ok {
					continue
				}
			}
			if l.Signature == right.Signature {
				return &Miss{
					"refused", "the gateway refuses what stands in it, for which the signature is right",
					"See what the gateway finds in it: let the signer write something else, or correct the option that does not admit it.",
				}
			}
			if m := compare(what, given, wanted); m != nil {
				return m
			}
			if m := compare("the signature in "+what, l.Signature, right.Signature); m != nil && len(c.Description.Fields) > 0 {
				return m
			}
			if m := otherAlgorithm(l.Signature, key.Secret.Bytes(), func(k []byte) []byte { return messenger.AppendMessage(nil, r, l, k) }); m != nil {
				return m
			}
		}
	}
	return nil
}

// padParameter appends letters to the value of the parameter.
func padParameter(raw, name string, n int) string {
	var q query.Query
	if q.Parse(raw) != nil {
		return raw
	}
	p, ok := q.Find(name)
	if !ok {
		return raw
	}
	return raw[:p.End] + strings.Repeat("A", n) + raw[p.End:]
}

// leastCut is how many characters are no accident, where they are those of the right
// signature: of hexadecimal ones, 48 bits.
const leastCut = 12

// compare says how the given signature, or the token, differs from the right one; what says
// where it stands.
func compare(what, given, right string) *Miss {
	switch {
	case len(given) < len(right) && (len(given)*2 >= len(right) || len(given) >= leastCut) && strings.HasPrefix(right, given):
		return &Miss{
			"cut", fmt.Sprintf("the end of the link is missing: %s has %d of its %d characters", what, len(given), len(right)),
			"The link was cut, by a line break or by a mail program that takes a - or . at the end for punctuation: send it as HTML, or put another parameter behind the signature.",
		}
	case strings.HasPrefix(given, right):
		return &Miss{
			"trailing", fmt.Sprintf("%d characters too many stand behind %s", len(given)-len(right), what),
			"What follows the link in the text became part of it: put the link on a line of its own, or between < and >.",
		}
	case strings.EqualFold(given, right):
		return &Miss{
			"case", fmt.Sprintf("upper and lower case of %s were changed", what),
			"Something changed the case of the signature. If your signer writes hexadecimal in upper case, write `encoding hex any_case`.",
		}
	}
	if plain(given) == plain(right) {
		return &Miss{
			"encoding", what + " is written in another base64 alphabet, or its + became blanks",
			"Write the signature in base64url, or encode + as %2B; say `encoding base64` or `encoding base64url` as the signer has it.",
		}
	}
	return nil
}

// plain unifies the alphabets of base64, for comparison only.
func plain(s string) string {
	return strings.TrimRight(strings.NewReplacer("+", "-", " ", "-", "/", "_").Replace(s), "=")
}

// otherAlgorithm looks for an algorithm and an encoding that make the signature of the
// same message.
func otherAlgorithm(given string, key []byte, message func(key []byte) []byte) *Miss {
	bare := message(nil)
	texts := []struct {
		text  string
		bytes []byte
	}{
		{"", message(key)},
		{", over the secret and then the message", append(bytes.Clone(key), bare...)},
		{", over the message and then the secret", append(bytes.Clone(bare), key...)},
	}
	for _, prefix := range []string{"", "hmac-"} {
		for _, digest := range keyedhash.Algorithms() {
			algorithm, err := keyedhash.ParseAlgorithm(prefix + digest)
			if err != nil {
				continue
			}
			for _, name := range []string{"hex", "base64", "base64url", "base64_hex"} {
				encoding, err := keyedhash.ParseEncoding(name, name == "hex")
				if err != nil {
					continue
				}
				mac, err := keyedhash.NewMAC(algorithm, encoding, min(len(given), 128))
				if err != nil || len(given) < 16 {
					mac, err = keyedhash.NewMAC(algorithm, encoding, 0)
				}
				if err != nil {
					continue
				}
				for i, t := range texts {
					if i > 0 && algorithm.Keyed() {
						break
					}
					if mac.Equal(given, key, t.bytes) {
						return &Miss{
							"algorithm", "the signer uses " + algorithm.String() + " in " + name + t.text,
							"Write `algorithm`, `encoding`, `truncate` and `message` as the signer has them.",
						}
					}
				}
			}
		}
	}
	return nil
}
