package cli

import (
	"iter"
	"strings"

	"github.com/signedlink/caddy-signed-link/internal/cli/rehearsal"
	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/pattern"
	"github.com/signedlink/caddy-signed-link/query"
)

// screen keeps signatures from people's eyes: what commands print goes into tickets. It is
// stricter than the filter of logs. A damaged link has its signature in two pieces, or where
// another field belongs, and of a link that fails nobody needs to see more than its form.
type screen struct {
	queries     *query.Redactor
	paths       *pattern.Redactor
	strict      *pattern.Redactor // every run of letters that could be a piece of a signature
	definitions []*definition.Definition
}

// leastPiece is how many characters are shown at most of what could be a piece of a signature.
const leastPiece = 11

func newScreen(gates []*app.Gate) (*screen, error) {
	s := new(screen)
	var names []string
	var places []pattern.Place
	for _, g := range gates {
		names = append(names, g.Definition.SignatureNames()...)
		places = append(places, g.Definition.Places()...)
		s.definitions = append(s.definitions, g.Definition)
	}
	var err error
	if s.queries, err = query.NewRedactor(names); err != nil {
		return nil, err
	}
	s.paths = pattern.NewRedactor(places)
	anywhere, err := pattern.ParsePath("/<field...>")
	if err != nil {
		return nil, err
	}
	for i, p := range places {
		places[i] = pattern.Place{Pattern: anywhere, Field: "field", Alphabet: p.Alphabet, Length: (leastPiece + 1) * 4 / 3}
	}
	s.strict = pattern.NewRedactor(places)
	return s, nil
}

// url is a URL whose signatures are redacted.
func (s *screen) url(text string) string {
	text = s.queries.Redact(text)
	if s.strict == nil {
		return text
	}
	end := strings.IndexByte(text, '?')
	if end < 0 {
		end = len(text)
	}
	return s.place(text[:end]) + s.paths.Redact(text[end:])
}

// place is a URL up to its query, without the signature that stands in its path.
func (s *screen) place(text string) string {
	_, host, path := rehearsal.SplitURL(text)
	at := strings.Index(text, host) + len(host)
	if s.strict == nil || at > len(text) {
		return text
	}
	head, rest := text[:at], text[at:]
	whole := false
	for c := range s.carriers() {
		signature, ok := signatureIn(c, path)
		whole = whole || ok && plausible(&c.Description, signature)
	}
	if clean := s.paths.Path(rest); whole && !s.holdsSignature(clean) {
		return head + clean
	}
	return head + s.strict.Path(rest)
}

// carriers are the schemes whose links have their signature in the path.
func (s *screen) carriers() iter.Seq[*definition.Scheme] {
	return func(yield func(*definition.Scheme) bool) {
		for _, d := range s.definitions {
			for _, c := range d.Schemes {
				if carrier := c.Description.Carrier; carrier != nil && carrier.Signature && !yield(c) {
					return
				}
			}
		}
	}
}

// holdsSignature reports whether something in the path could be a signature.
func (s *screen) holdsSignature(path string) bool {
	for c := range s.carriers() {
		if plausible(&c.Description, query.UnescapePath(path)) {
			return true
		}
	}
	return false
}

// value is a value of a link, which could be its signature where the link is damaged.
func (s *screen) value(c *definition.Scheme, l *link.Link, text string) string {
	if len(c.Description.Fields) == 0 && c.Description.Carrier == nil {
		return text
	}
	if len(l.Signature) > leastPiece {
		text = strings.ReplaceAll(text, l.Signature, "REDACTED")
	}
	if plausible(&c.Description, l.Signature) || c.Description.Alphabet == nil {
		return text
	}
	text = pieces(text, c.Description.Alphabet)
	if s.strict != nil {
		text = s.strict.Path(text) // which decodes escapes
	}
	return text
}

// signatureIn is the signature in the path of a link of the scheme.
func signatureIn(c *definition.Scheme, path string) (string, bool) {
	carrier := c.Description.Carrier
	if carrier == nil || !carrier.Signature || carrier.Carries(path) != link.Whole {
		return "", false
	}
	if carrier.Link == nil {
		return path[strings.LastIndexByte(path, '/')+1:], true
	}
	values := make([]string, len(carrier.Link.Fields()))
	i := carrier.Link.Index("signature")
	if i < 0 || !carrier.Link.Split(path, values) {
		return "", false
	}
	return values[i], true
}

// plausible reports whether most of a signature stands where the signature belongs, so that
// it stands nowhere else.
func plausible(d *link.Description, text string) bool {
	if d.Alphabet == nil {
		return false
	}
	run := 0
	for i := range len(text) {
		if !d.Alphabet(text[i]) {
			run = 0
			continue
		}
		if run++; run*4 >= d.Length*3 {
			return true
		}
	}
	return false
}

// pieces takes out every run of the alphabet that could be a piece of a signature.
func pieces(text string, alphabet func(c byte) bool) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		end := i
		for end < len(text) && alphabet(text[end]) {
			end++
		}
		switch {
		case end == i:
			end = i + 1
			b.WriteByte(text[i])
		case end-i > leastPiece:
			b.WriteString("REDACTED")
		default:
			b.WriteString(text[i:end])
		}
		i = end
	}
	return b.String()
}
