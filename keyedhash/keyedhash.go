// Package keyedhash is the engine behind the schemes whose signature is a digest or
// an HMAC over parts of the request and a secret: most links in the wild. A
// [Config] says which parts, in which order, and how the signature is written;
// nothing else differs between an md5 of value and secret, nginx's secure_link or a
// Signed Idempotent Action Link. Named schemes that fit are presets of it.
package keyedhash

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// Config declares a scheme.
type Config struct {
	// Algorithm is a digest or HMAC; see [ParseAlgorithm].
	Algorithm string
	// Message is the template of what is signed. With a digest it holds {secret}.
	Message string
	// Signature is the placeholder of the parameter that carries the signature.
	Signature string
	// Encoding is hex (default), base64 or base64url; AnyCase goes with hex.
	Encoding string
	AnyCase  bool
	// Truncate keeps the first characters of the signature; 0 keeps all.
	Truncate int
	// Expires and Issued are the placeholders of the link's time window.
	Expires, Issued Time

	// Preset makes a named scheme out of the engine.
	Preset Preset
}

// Time names a parameter that carries a time.
type Time struct {
	Parameter string // a placeholder, {query.NAME}; empty if there is none
	Format    string // unix (default), unix_ms or rfc3339
}

// Preset is what a named scheme adds to the engine.
type Preset struct {
	// Locals are placeholders of the message that Prepare computes.
	Locals []string
	// Signed are parameters that the locals stand for.
	Signed []string
	// All says that a local covers every parameter that is left.
	All bool
	// Claims that Prepare sets.
	Claims []string
	// User is the template of the identity where the operator sets none.
	User string
	// NeedsUserKey: see [link.Description].
	NeedsUserKey bool
	// Path says that a local covers the path.
	Path bool
	// Parts says for the checker what each local stands for.
	Parts map[string][]Part
	// Nameless says that a local holds the values of parameters without their names.
	Nameless bool
	// Natural are the codes of findings that belong to the scheme by nature.
	Natural []string
	// Prepare computes the locals and claims of a request.
	Prepare func(r *link.Request, l *link.Link) link.Refusal
	// Local returns the value of a local that Prepare found.
	Local func(r *link.Request, l *link.Link, name string) string
}

// Scheme is a compiled [Config]. It implements [link.Scheme].
type Scheme struct {
	mac          MAC
	message      *Template
	signature    string
	required     []string // parameters that must be there
	expires      stamp
	issued       stamp
	decodesPath  bool
	readsHost    bool
	preset       Preset
	ignore       link.Ignore
	description  link.Description
	leavesOthers bool // the message has no {query} and no {sorted_query}

	// for the checker
	rules         map[string]link.Rule
	identity      string         // the parameter that is the user
	keyOf         string         // the same, where it says whose secret it is
	unsignedTimes []link.Finding // expiries outside of the message
}

type stamp struct {
	parameter string
	format    link.TimeFormat
}

// New compiles the configuration, or says what is wrong with it and how to cure it.
func New(c Config, o link.Options) (*Scheme, error) {
	algorithm, err := ParseAlgorithm(c.Algorithm)
	if err != nil {
		return nil, err
	}
	encoding, err := ParseEncoding(c.Encoding, c.AnyCase)
	if err != nil {
		return nil, err
	}
	s := &Scheme{preset: c.Preset, ignore: o.Ignore, rules: o.Rules}
	if s.mac, err = NewMAC(algorithm, encoding, c.Truncate); err != nil {
		return nil, err
	}
	if c.Message == "" {
		return nil, errors.New("message is missing: say what is signed, as in `message {query.user}{secret}`")
	}
	if s.message, err = ParseTemplate(c.Message, c.Preset.Locals...); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	if err := s.checkSecret(algorithm); err != nil {
		return nil, err
	}
	if c.Signature == "" {
		return nil, errors.New("signature is missing: say which parameter carries it, as in `signature {query.key}`")
	}
	if s.signature, err = QueryParameter(c.Signature); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	parameters := append(s.message.Parameters(), c.Preset.Signed...)
	if slices.Contains(parameters, s.signature) {
		return nil, fmt.Errorf("message: {query.%s} carries the signature, so it cannot be signed", s.signature)
	}
	s.leavesOthers = !s.message.has(rawQuery, sortedQuery)
	s.decodesPath = s.message.has(path, pathSegment)
	s.readsHost = s.message.has(host, hostPort)
	if s.expires, err = s.stamp("expires", c.Expires, parameters); err != nil {
		return nil, err
	}
	if s.issued, err = s.stamp("issued", c.Issued, parameters); err != nil {
		return nil, err
	}
	for _, name := range parameters {
		if o.Ignore.Match(name) {
			return nil, fmt.Errorf("ignore: %q is part of the message; what is signed cannot be ignored", name)
		}
		if !o.Rules[name].Optional && !slices.Contains(s.required, name) {
			s.required = append(s.required, name)
		}
	}
	s.describe(parameters)
	user := o.User
	if user == "" {
		user = s.description.User
	}
	if name, err := QueryParameter(user); err == nil {
		s.identity = name
		if o.UserKeys {
			s.keyOf = name
		}
	}
	return s, nil
}

// checkSecret: a plain digest without the secret in it can be made by anyone.
func (s *Scheme) checkSecret(a Algorithm) error {
	switch {
	case a.Keyed() && s.message.has(secret):
		return fmt.Errorf("message: %s takes the secret as its key; leave {secret} out of the message", a)
	case !a.Keyed() && !s.message.has(secret):
		return fmt.Errorf("message: without {secret} anyone can compute this %s; put {secret} where the application puts it, or use hmac-%[1]s", a)
	case s.message.has(claim):
		return errors.New("message: a claim comes out of a verified link, so it cannot be signed")
	}
	if !slices.ContainsFunc(s.message.segments, func(m segment) bool { return m.kind != literal && m.kind != secret }) {
		return errors.New("message: nothing of the request is signed; name its parameters")
	}
	for _, name := range s.preset.Locals {
		if name != "user" && !s.message.hasLocal(name) {
			return fmt.Errorf("message: without {%s} the signature does not cover it, and the client could change it", name)
		}
	}
	return nil
}

func (s *Scheme) stamp(option string, t Time, signed []string) (stamp, error) {
	if t.Parameter == "" {
		return stamp{}, nil
	}
	name, err := QueryParameter(t.Parameter)
	if err != nil {
		return stamp{}, fmt.Errorf("%s: %w", option, err)
	}
	if name == s.signature {
		return stamp{}, fmt.Errorf("%s: {query.%s} carries the signature, so it cannot be a time", option, name)
	}
	if !slices.Contains(signed, name) && s.leavesOthers {
		s.unsignedTimes = append(s.unsignedTimes, link.Finding{
			Code: "unsigned_expiry", Severity: link.Danger,
			Message: fmt.Sprintf("%s: {query.%s} is not in the message, so anyone can write a later time into a link", option, name),
			Cure:    "put it into the message where the signer has it",
		})
	}
	formats := map[string]link.TimeFormat{"": link.Unix, "unix": link.Unix, "unix_ms": link.UnixMS, "rfc3339": link.RFC3339}
	format, ok := formats[t.Format]
	if !ok {
		return stamp{}, fmt.Errorf("%s: unknown format %q; write unix (seconds), unix_ms or rfc3339", option, t.Format)
	}
	return stamp{name, format}, nil
}

func (s *Scheme) describe(parameters []string) {
	d := link.Description{
		Signature:    []string{s.signature},
		Signed:       parameters,
		Path:         s.message.has(path, rawPath) || s.preset.Path,
		PathSegments: s.message.pathSegments(),
		Host:         s.message.has(host, hostPort),
		Method:       s.message.has(method),
		Expires:      s.expires.parameter != "",
		Issues:       s.issued.parameter != "",
		Claims:       s.preset.Claims,
		User:         s.preset.User,
		NeedsUserKey: s.preset.NeedsUserKey,
	}
	for _, t := range []stamp{s.expires, s.issued} {
		if t.parameter != "" {
			d.Expiry = append(d.Expiry, t.parameter)
			if !s.leavesOthers && !slices.Contains(d.Signed, t.parameter) {
				d.Signed = append(d.Signed, t.parameter)
			}
		}
	}
	switch {
	case s.message.has(sortedQuery) || s.preset.All:
		d.Coverage = link.Sorted
	case s.message.has(rawQuery):
		d.Coverage = link.Raw
	}
	if d.User == "" {
		// the only parameter of the message that is not a time
		candidates := slices.DeleteFunc(slices.Clone(s.message.Parameters()), func(n string) bool {
			return slices.Contains(d.Expiry, n)
		})
		if len(candidates) == 1 {
			d.User = "{query." + candidates[0] + "}"
		}
	}
	s.description = d
}

// Describe implements [link.Scheme].
func (s *Scheme) Describe() link.Description { return s.description }

// Read implements [link.Scheme].
func (s *Scheme) Read(r *link.Request, l *link.Link) link.Refusal {
	signature, ok := r.Value(s.signature)
	if !ok || signature == "" {
		return link.Refuse(link.Malformed, "no_signature")
	}
	l.Signature = signature
	for _, name := range s.required {
		if _, ok := r.Query.Find(name); !ok {
			return link.Refuse(link.Malformed, "absent")
		}
	}
	if s.readsHost && !plainHost(r.Host) {
		return link.Refuse(link.Malformed, "host")
	}
	if s.decodesPath && HidesDelimiter(r.Path) {
		return link.Refuse(link.Ambiguous, "path")
	}
	l.Expires = s.expires.read(r)
	l.Issued = s.issued.read(r)
	if s.preset.Prepare != nil {
		return s.preset.Prepare(r, l)
	}
	return link.Refusal{}
}

// plainHost reports whether a host is made of what hosts are made of. Over HTTP/2 and
// HTTP/3 it may be any text, and `https://{host}{path}` must not be signed for the host
// `example.org/a` and the path `/b` because it is for `example.org` and `/a/b`.
func plainHost(h string) bool {
	for i := range len(h) {
		if !hostBytes[h[i]] {
			return false
		}
	}
	return true
}

func (t stamp) read(r *link.Request) link.Timestamp {
	if t.parameter == "" {
		return link.Timestamp{}
	}
	text, ok := r.Value(t.parameter)
	return link.Timestamp{Text: text, Present: ok, Format: t.format}
}

// Verify implements [link.Scheme].
func (s *Scheme) Verify(r *link.Request, l *link.Link, key []byte) bool {
	var buf [512]byte
	return s.mac.Equal(l.Signature, key, s.AppendMessage(buf[:0], r, l, key))
}

// Bind implements [link.Binder]: what stands in the message before the first value of
// the request is computed once.
func (s *Scheme) Bind(key []byte) link.Verifier {
	beginning, rest := s.message.constant(key)
	prepared, own := s.mac.Key(key, beginning), bytes.Clone(key)
	return func(r *link.Request, l *link.Link) bool {
		var buf [512]byte
		return prepared.Equal(l.Signature, s.appendMessage(buf[:0], rest, r, l, own))
	}
}

// AppendMessage implements [link.Signer].
func (s *Scheme) AppendMessage(dst []byte, r *link.Request, l *link.Link, key []byte) []byte {
	return s.appendMessage(dst, s.message, r, l, key)
}

func (s *Scheme) appendMessage(dst []byte, t *Template, r *link.Request, l *link.Link, key []byte) []byte {
	v := Values{Secret: key}
	if s.preset.Local != nil {
		v.Local = func(name string) string { return s.preset.Local(r, l, name) }
	}
	if !s.leavesOthers {
		v.Left = s.inMessage
	}
	return t.Append(dst, r, v)
}

// inMessage reports whether {query} and {sorted_query} hold the segment. One with a
// semicolon is never ignored: where PHP's arg_separator.input holds ';', the ignored
// `utm_x=1;order=2` would bring an unsigned `order`.
func (s *Scheme) inMessage(segment string) bool {
	name, _, _ := strings.Cut(segment, "=")
	return name != s.signature && (strings.Contains(segment, ";") || !s.ignore.Match(name))
}

// Remaining calls yield with the decoded name and value of every parameter that is
// neither the signature, nor ignored, nor in except: what `params *` stands for.
func (s *Scheme) Remaining(r *link.Request, except []string, yield func(name, value string)) {
	for _, p := range r.Query.Pairs {
		raw := r.Query.RawName(p)
		if name := query.Unescape(raw); s.inMessage(r.Query.Segment(p)) && !slices.Contains(except, name) {
			yield(name, query.Unescape(r.Query.RawValue(p)))
		}
	}
}

// Interface guards
var (
	_ link.Scheme      = (*Scheme)(nil)
	_ link.Checked     = (*Scheme)(nil)
	_ link.Constructed = (*Scheme)(nil)
)
