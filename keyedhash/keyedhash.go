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
	"maps"
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
	// Signature is the placeholder of what carries the signature, {query.NAME} or {path.N};
	// empty where <signature> stands in a token or in the path.
	Signature string
	// Tokens are parameters that hold several fields, and Path a path that does.
	Tokens []Token
	Path   *Path
	// Encoding is hex (default), base64, base64url or base64_hex; AnyCase goes with hex, and Unpadded,
	// which refuses signatures with padding, with the others.
	Encoding string
	AnyCase  bool
	Unpadded bool
	// Truncate keeps the first characters of the signature; 0 keeps all. With TruncateLast it
	// keeps the last ones, of hex.
	Truncate     int
	TruncateLast bool
	// Expires and Issued say where the link's time window stands.
	Expires, Issued Time

	// Preset makes a named scheme out of the engine.
	Preset Preset
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
	names        Names
	message      *Template
	signature    value
	tokens       []token
	path         *pathCarrier // nil: the path is no part of the link but by {path}
	required     []string     // parameters that must be there
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
	between       [][2]string // pairs of placeholders between which ambiguity is allowed
	allows        bool        // or everywhere
	identity      value       // what the user is
	keyOf         value       // the same, where it says whose secret it is
	user          *Template   // of the identity, as far as a message can say it
	userKeys      bool        // it says whose secret it is
	unsignedTimes []link.Finding
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
	s := &Scheme{preset: c.Preset, ignore: o.Ignore, rules: maps.Clone(o.Rules), names: Names{Locals: c.Preset.Locals}, allows: o.Allow["ambiguous_message"]}
	if s.rules == nil {
		s.rules = make(map[string]link.Rule)
	}
	if s.mac, err = NewMAC(algorithm, encoding, c.Truncate); err != nil {
		return nil, err
	}
	if s.mac.Unpadded = c.Unpadded; c.Unpadded && !encoding.isBase64() {
		return nil, errors.New("unpadded goes with base64, base64url and base64_hex only: hex has no padding")
	}
	if s.mac.Last = c.TruncateLast; s.mac.Last && encoding.isBase64() {
		return nil, errors.New("truncate last goes with hex only: what comes last in base64 depends on its padding")
	}
	if c.Message == "" {
		return nil, errors.New("message is missing: say what is signed, as in `message {query.user}{secret}`")
	}
	if err := s.compileCarriers(&c); err != nil {
		return nil, err
	}
	if err := s.checkCut(); err != nil {
		return nil, err
	}
	if s.message, err = s.names.Parse(c.Message); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	if err := s.checkSecret(algorithm); err != nil {
		return nil, err
	}
	parameters := append(s.message.Parameters(), c.Preset.Signed...)
	if err := s.checkSigned(parameters); err != nil {
		return nil, err
	}
	s.leavesOthers = !s.message.has(rawQuery, sortedQuery)
	s.decodesPath = s.message.has(path, pathSegment)
	s.readsHost = s.message.has(host, hostPort)
	if s.expires, err = s.stamp("expires", c.Expires); err != nil {
		return nil, err
	}
	if s.issued, err = s.stamp("issued", c.Issued); err != nil {
		return nil, err
	}
	if err := s.compilePath(&c); err != nil {
		return nil, err
	}
	for _, name := range parameters {
		if o.Ignore.Match(name) {
			return nil, fmt.Errorf("ignore: %q is part of the message; what is signed cannot be ignored", name)
		}
		if !s.rules[name].Optional && !slices.Contains(s.required, name) {
			s.required = append(s.required, name)
		}
	}
	s.describe(parameters)
	if _, there := s.rules[s.signature.key()]; there {
		return nil, fmt.Errorf("param %s: it is the signature, which either is right or is not", s.signature.key())
	}
	if s.between, err = s.parseBetween(o.Between); err != nil {
		return nil, err
	}
	user := o.User
	if user == "" {
		user = s.description.User
	}
	if t, err := s.names.Parse(user); err == nil && !o.Nobody && !t.has(claim, local) {
		s.user, s.userKeys = t, o.UserKeys
	}
	if v, err := s.names.parseValue(user, queryValue, linkField, pathSegment); err == nil && !o.Nobody {
		if v == s.signature {
			return nil, fmt.Errorf("user: %s is the signature, and no identity", v)
		}
		s.identity = v
		if o.UserKeys {
			s.keyOf = v
		}
	}
	return s, nil
}

// checkSigned: what carries the signature cannot be signed.
func (s *Scheme) checkSigned(parameters []string) error {
	if s.message.names(s.signature) || s.signature.kind == linkField && s.message.names(value{rawLinkField, s.signature.name, s.signature.n}) {
		return fmt.Errorf("message: %s carries the signature, so it cannot be signed", s.signature)
	}
	for _, name := range parameters {
		if name == s.signature.parameter() || s.inToken(name) {
			return fmt.Errorf("message: {query.%s} carries the signature, so it cannot be signed", name)
		}
	}
	for _, m := range s.message.segments {
		if v := m.value(); m.kind == rawLinkField && !s.path.has(v) {
			return fmt.Errorf("message: %s: a token is decoded before it is taken apart, so its fields have one form only; write {link.%s}", v, v.name)
		}
	}
	return nil
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

func (s *Scheme) describe(parameters []string) {
	d := link.Description{
		Signed:       parameters,
		Path:         s.message.has(path, rawPath) || s.preset.Path,
		RawPath:      s.message.has(rawPath) || s.preset.Path,
		PathSegments: s.message.pathSegments(),
		Host:         s.message.has(host, hostPort),
		Method:       s.message.has(method),
		Expires:      s.expires.is(),
		Issues:       s.issued.is(),
		Claims:       s.preset.Claims,
		User:         s.preset.User,
		NeedsUserKey: s.preset.NeedsUserKey,
		Fields:       s.names.Fields,
	}
	if name := s.signature.parameter(); name != "" {
		d.Signature = []string{name}
	}
	for i := range s.tokens {
		switch name := s.tokens[i].parameter; {
		case s.inToken(name):
			d.Signature = append(d.Signature, name)
		case !slices.Contains(d.Signed, name):
			d.Carriers = append(d.Carriers, name)
		}
	}
	for i, name := range s.names.Fields {
		if v := (value{linkField, name, i}); v != s.signature && (s.determines(v) || s.determines(value{rawLinkField, name, i})) {
			d.Determined = append(d.Determined, name)
		}
	}
	for _, t := range []*stamp{&s.expires, &s.issued} {
		for _, name := range t.parameters() {
			d.Expiry = append(d.Expiry, name)
			if !s.leavesOthers && !slices.Contains(d.Signed, name) {
				d.Signed = append(d.Signed, name)
			}
		}
		for name, rule := range t.implied(s.rules) {
			if d.Rules == nil {
				d.Rules = make(map[string]link.Rule)
			}
			d.Rules[name] = rule
		}
	}
	switch {
	case s.message.has(sortedQuery) || s.preset.All:
		d.Coverage = link.Sorted
	case s.message.has(rawQuery):
		d.Coverage = link.Raw
	}
	if d.User == "" {
		d.User = s.onlyValue()
	}
	s.describeCarrier(&d)
	s.description = d
}

// onlyValue is the placeholder of the only signed value that is no time, "" if there are
// several or none.
func (s *Scheme) onlyValue() string {
	var only value
	for _, v := range s.message.values() {
		if v.kind == rawQueryValue {
			v.kind = queryValue
		}
		if v.kind == rawLinkField {
			v.kind = linkField
		}
		switch {
		case v.kind != queryValue && v.kind != linkField, s.expires.made(v), s.issued.made(v), v == only:
		case only.kind == literal:
			only = v
		default:
			return ""
		}
	}
	if only.kind == literal {
		return ""
	}
	return only.String()
}

// Describe implements [link.Scheme].
func (s *Scheme) Describe() link.Description { return s.description }

// Read implements [link.Scheme].
func (s *Scheme) Read(r *link.Request, l *link.Link) link.Refusal {
	if s.path != nil || s.tokens != nil {
		if refusal := s.readCarriers(r, l); !refusal.None() {
			return refusal
		}
	}
	signature, ok := s.signature.read(r, l)
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
	l.Expires, l.Issued = s.expires.read(r, l), s.issued.read(r, l)
	if detail, ok := s.expires.check(&l.Expires); !ok {
		return link.Refuse(link.Malformed, detail)
	}
	if detail, ok := s.issued.check(&l.Issued); !ok {
		return link.Refuse(link.Malformed, detail)
	}
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

// AppendMessage implements [link.Messenger].
func (s *Scheme) AppendMessage(dst []byte, r *link.Request, l *link.Link, key []byte) []byte {
	return s.appendMessage(dst, s.message, r, l, key)
}

func (s *Scheme) appendMessage(dst []byte, t *Template, r *link.Request, l *link.Link, key []byte) []byte {
	v := Values{Secret: key, Fields: l.Fields}
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
	if signature := s.signature.parameter(); signature != "" && query.IsNamed(name, signature) {
		return false
	}
	return !s.inToken(name) && (strings.Contains(segment, ";") || !s.ignore.Match(name))
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
