package keyedhash

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/pattern"
	"github.com/signedlink/caddy-signed-link/query"
)

// This file is where a signature stands: in a parameter, in a token of several fields, in
// the path. What is read here is nobody's word before the signature is right, and nothing
// may be believed then that the message does not fix.

// Token is a parameter that holds several fields.
type Token struct {
	Parameter  string   // a placeholder, {query.NAME}
	Transforms []string // applied to the decoded value, in this order; see [transforms]
	Pattern    string   // see the package pattern
}

// Path is a path that holds fields.
type Path struct {
	Pattern string // see the package pattern
	To      string // the path for the backend: text and {link.NAME}; empty: as it came
	Public  bool   // others than links may come there, too
}

// maxFields is how many fields a declaration may have.
const maxFields = 32

// token is a compiled [Token].
type token struct {
	parameter  string
	transforms []transform
	pattern    *pattern.Pattern
	first      int // the number of its first field
}

// has reports whether the field with this number is one of the token.
func (t *token) has(n int) bool { return t.first <= n && n < t.first+len(t.pattern.Fields()) }

// pathCarrier is a compiled [Path], or a segment that is the signature.
type pathCarrier struct {
	pattern *pattern.Pattern // nil: the segment
	first   int              // the number of its first field
	to      *Template        // nil: as it came, or less the segment
	public  bool             // others than links may come there, too
	segment int
	cut     bool // the segment is the signature, and is cut
}

// transform is a function that is applied to a text before it is taken apart.
type transform struct {
	name     string
	oneToOne bool // no two texts have one result
	apply    func(text string) (string, bool)
	invert   func(text string) string // a text that has this result
}

// transforms are all there are. Of those that decode, each is many-to-one: base64 may have
// its padding or not, hex upper-case or lower-case digits.
var transforms = []transform{
	{"unbase64", false, unbase64(base64.RawStdEncoding.Strict()), func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"unbase64url", false, unbase64(base64.RawURLEncoding.Strict()), func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }},
	{"unhex", false, func(text string) (string, bool) {
		var buf [512]byte
		decoded, err := hex.AppendDecode(buf[:0], []byte(text))
		return string(decoded), err == nil
	}, func(s string) string { return hex.EncodeToString([]byte(s)) }},
}

// unbase64 decodes strictly: no spare bits, no line breaks, all of the padding or none.
func unbase64(encoding *base64.Encoding) func(text string) (string, bool) {
	return func(text string) (string, bool) {
		if len(text)%4 == 0 {
			text = strings.TrimSuffix(strings.TrimSuffix(text, "="), "=")
		}
		if strings.ContainsAny(text, "\r\n") {
			return "", false
		}
		var buf [512]byte
		decoded, err := encoding.AppendDecode(buf[:0], []byte(text))
		return string(decoded), err == nil
	}
}

// compileCarriers compiles tokens and path, and finds the signature in them.
func (s *Scheme) compileCarriers(c *Config) error {
	add := func(option string, p *pattern.Pattern) error {
		for _, f := range p.Fields() {
			if slices.Contains(s.names.Fields, f.Name) {
				return fmt.Errorf("%s: the field <%s> stands in another pattern already; fields have one name each", option, f.Name)
			}
			if f.Name == link.SignatureField {
				if f.Greedy {
					return fmt.Errorf("%s: <signature...>: a signature has its own letters only; write <signature>", option)
				}
				if s.signature.kind != literal {
					return fmt.Errorf("%s: the signature is given twice; leave one of %s and <signature> out", option, s.signature)
				}
				s.signature = value{linkField, link.SignatureField, len(s.names.Fields)}
			}
			s.names.Fields = append(s.names.Fields, f.Name)
		}
		if len(s.names.Fields) > maxFields {
			return fmt.Errorf("%s: a declaration has at most %d fields", option, maxFields)
		}
		return nil
	}
	if c.Signature != "" {
		var err error
		if s.signature, err = s.names.parseValue(c.Signature, queryValue, rawQueryValue, pathSegment); err != nil {
			return fmt.Errorf("signature: %w", err)
		}
	}
	for i := range c.Tokens {
		t, err := compileToken(&c.Tokens[i], len(s.names.Fields))
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		if slices.ContainsFunc(s.tokens, func(o token) bool { return o.parameter == t.parameter }) {
			return fmt.Errorf("token: {query.%s} is taken apart already; write one pattern for it", t.parameter)
		}
		if err := add("token", t.pattern); err != nil {
			return err
		}
		s.tokens = append(s.tokens, t)
	}
	if c.Path != nil {
		p, err := pattern.ParsePath(c.Path.Pattern)
		if err != nil {
			return fmt.Errorf("path: %w", err)
		}
		s.path = &pathCarrier{pattern: p, first: len(s.names.Fields), public: c.Path.Public}
		if err := add("path", p); err != nil {
			return err
		}
	}
	switch {
	case s.signature.kind == literal:
		return errors.New("signature is missing: say where it stands, as in `signature {query.key}`, `token {query.t} <id>-<signature>` or `path /u/<id>/<signature> to /u/{link.id}`")
	case s.signature.kind == pathSegment && s.path != nil:
		return fmt.Errorf("signature: %s: with a path pattern write <signature> in it", s.signature)
	case s.signature.kind == pathSegment && s.signature.n == 0:
		return errors.New("signature: {path.0}: nothing would be left of the path; write a pattern, as in `path /<signature>/<file...> to /files/{link.file}`")
	case s.signature.kind == pathSegment:
		s.path = &pathCarrier{segment: s.signature.n, cut: true}
	}
	return nil
}

// checkCut: a pattern must not cut signatures, or every second link would be refused, by
// chance.
func (s *Scheme) checkCut() error {
	check := func(option string, p *pattern.Pattern) error {
		if p == nil {
			return nil
		}
		i := p.Index(link.SignatureField)
		last := len(p.Fields()) - 1
		if i < 0 || i == last && !p.FromRight(i) {
			return nil // it takes the rest
		}
		literal := p.Literals()[i+1]
		if p.FromRight(i) {
			literal = p.Literals()[i]
		}
		for j := range len(literal) {
			if !s.mac.Encoding.has(literal[j]) && (s.mac.Encoding != Base64 || strings.IndexByte("+/=", literal[j]) < 0) {
				return nil
			}
		}
		return fmt.Errorf("%s: signatures in this encoding may have %q in them, so the pattern would cut them there; "+
			"if no other text stands there in the links, this declaration cannot read them", option, literal)
	}
	for i := range s.tokens {
		if err := check("token", s.tokens[i].pattern); err != nil {
			return err
		}
	}
	if s.path != nil {
		return check("path", s.path.pattern)
	}
	return nil
}

func compileToken(c *Token, first int) (token, error) {
	t := token{first: first}
	var err error
	if t.parameter, err = QueryParameter(c.Parameter); err != nil {
		return t, err
	}
	var names []string
	for _, x := range transforms {
		names = append(names, x.name)
	}
	for _, name := range c.Transforms {
		i := slices.Index(names, name)
		if i < 0 {
			return t, fmt.Errorf("%q is no way to decode a token%s; there are %s, in front of the pattern", link.Shown(name), link.DidYouMean(name, names), strings.Join(names, ", "))
		}
		t.transforms = append(t.transforms, transforms[i])
	}
	if c.Pattern == "" {
		return t, errors.New("the pattern is missing: write what the token is made of, as in `token {query.t} <id>-<signature>`")
	}
	if t.pattern, err = pattern.Parse(c.Pattern); err != nil {
		return t, err
	}
	return t, nil
}

// inPath reports whether the signature stands in the path.
func (s *Scheme) inPath() bool {
	return s.path != nil && (s.path.cut || s.path.has(s.signature))
}

// has reports whether the value is a field of the path.
func (p *pathCarrier) has(v value) bool {
	return p != nil && p.pattern != nil && (v.kind == linkField || v.kind == rawLinkField) && p.first <= v.n && v.n < p.first+len(p.pattern.Fields())
}

// compilePath compiles what becomes of the path, when it is known what the message fixes.
func (s *Scheme) compilePath(c *Config) error {
	if s.path == nil {
		return nil
	}
	if s.inPath() {
		if s.message.has(path, rawPath) {
			return errors.New("message: the path carries the signature, so {path} and {raw_path} cannot be signed; name its parts, {link.NAME} or {path.N}")
		}
		if s.mac.Encoding == Base64 {
			return errors.New("encoding: a signature in base64 has slashes, which would be two segments of the path; signers write base64url there")
		}
		if s.path.pattern != nil && s.message.has(pathSegment) {
			return errors.New("message: with a path pattern the parts of the path are its fields; write {link.NAME} for {path.N}")
		}
		if s.path.pattern != nil && s.path.pattern.Literal() == "/" {
			return errors.New("path: the pattern begins with a field, so any path of the site would be a broken link; begin it with text, as in /dl/<signature>")
		}
	}
	if s.path.cut {
		for _, v := range s.message.values() {
			if v.kind == pathSegment && v.n >= s.path.segment {
				return fmt.Errorf("message: %s: %s is the signature, and the last segment", v, s.signature)
			}
		}
		return nil
	}
	if c.Path.To == "" {
		if c.Path.Public {
			return errors.New("path: public goes with `to`")
		}
		return nil
	}
	var err error
	if s.path.to, err = s.names.Parse(c.Path.To); err != nil {
		return fmt.Errorf("path: to: %w", err)
	}
	for _, v := range s.path.to.values() {
		switch {
		case v.kind == rawLinkField:
			return fmt.Errorf("path: to: fields stand in it as they were sent; write {link.%s}", v.name)
		case v == s.signature:
			return errors.New("path: to: {link.signature} must not reach the backend")
		case !s.path.has(v):
			return fmt.Errorf("path: to: %s: only fields of this pattern may stand in it", v)
		case !s.determines(v) && !s.determines(value{rawLinkField, v.name, v.n}):
			return fmt.Errorf("path: to: %s is not in the message, so whoever has a link could go anywhere (unsigned_identity); sign it, or leave it out", v)
		}
	}
	_, err = s.target()
	return err
}

// target is `to` as a pattern, or as a fixed path.
func (s *Scheme) target() (*pattern.Pattern, error) {
	var text strings.Builder
	fields := 0
	for i := range s.path.to.segments {
		switch m := &s.path.to.segments[i]; m.kind {
		case literal:
			text.WriteString(pattern.Quote(m.text))
		default:
			// a field may stand in it twice, and the shape does not ask which it is
			fmt.Fprintf(&text, "<%s-%d>", m.text[:min(len(m.text), 60)], fields)
			fields++
		}
	}
	if fields == 0 {
		fixed := text.String()
		if _, err := pattern.ParsePath(strings.TrimSuffix(fixed, "/") + "/<x>"); err != nil {
			return nil, fmt.Errorf("path: to: %w", err)
		}
		return nil, nil //nolint:nilnil // there is none
	}
	p, err := pattern.ParsePath(text.String())
	if err != nil {
		return nil, fmt.Errorf("path: to: %w", err)
	}
	return p, nil
}

// describeCarrier says for the gateway how links stand in the path.
func (s *Scheme) describeCarrier(d *link.Description) {
	if s.signature.kind == linkField || s.signature.kind == pathSegment {
		d.Length, d.Alphabet = s.mac.Length, s.mac.Encoding.has
	}
	if s.path == nil {
		return
	}
	c := &link.Carrier{Link: s.path.pattern, Segment: s.path.segment, Signature: s.inPath(), Public: s.path.public}
	if s.path.to != nil {
		c.Target, _ = s.target()
		if c.Target == nil {
			c.Fixed = string(s.path.to.Append(nil, nil, Values{}))
		}
	}
	if s.path.pattern != nil {
		c.Example = s.examplePath()
	}
	d.Carrier = c
}

// examplePath is the path of a link, with a wrong signature.
func (s *Scheme) examplePath() string {
	fields := s.path.pattern.Fields()
	values := make([]string, len(fields))
	for i, f := range fields {
		v := value{linkField, f.Name, s.path.first + i}
		if v == s.signature {
			values[i] = strings.Repeat("0", s.mac.Length)
		} else {
			values[i] = escapePath(s.sampleOf(v))
		}
	}
	return string(s.path.pattern.Join(nil, values))
}

// has reports whether the byte is one of signatures in this encoding.
func (e Encoding) has(c byte) bool {
	switch e {
	case Base64:
		return isAlnum(c) || c == '+' || c == '/'
	case Base64URL:
		return isAlnum(c) || c == '-' || c == '_'
	case Base64Hex:
		return isAlnum(c) // hex digits never make a '+' or a '/'
	default:
		return hexBytes[c]
	}
}

// readCarriers takes tokens and path apart.
func (s *Scheme) readCarriers(r *link.Request, l *link.Link) link.Refusal {
	l.Fields = l.Fields[:0]
	var into [maxFields]string
	for i := range s.tokens {
		t := &s.tokens[i]
		text, ok := r.Value(t.parameter)
		if !ok {
			return link.Refuse(link.Malformed, "absent")
		}
		for j := range t.transforms {
			if text, ok = t.transforms[j].apply(text); !ok {
				return link.Refuse(link.Malformed, "token")
			}
		}
		n := len(t.pattern.Fields())
		if !t.pattern.Split(text, into[:n]) {
			return link.Refuse(link.Malformed, "token")
		}
		for _, value := range into[:n] {
			l.Fields = append(l.Fields, link.Field{Value: value, Sent: value})
		}
	}
	if s.path == nil {
		return link.Refusal{}
	}
	return s.path.read(r, l)
}

func (p *pathCarrier) read(r *link.Request, l *link.Link) link.Refusal {
	if p.cut {
		end := strings.LastIndexByte(r.Path, '/')
		if segmentsOf(r.Path) != p.segment+1 {
			return link.Refuse(link.Malformed, "pattern")
		}
		if !steady(r.Path, true) {
			return link.Refuse(link.Ambiguous, "path")
		}
		l.Path = plusEscaped(r.Path[:end])
		return link.Refusal{}
	}
	var into [maxFields]string
	fields := p.pattern.Fields()
	if !p.pattern.Split(r.Path, into[:len(fields)]) {
		return link.Refuse(link.Malformed, "pattern")
	}
	if !steady(r.Path, false) {
		return link.Refuse(link.Ambiguous, "path")
	}
	for i, sent := range into[:len(fields)] {
		value := query.UnescapePath(sent)
		if !p.keeps(i, value) {
			return link.Refuse(link.Ambiguous, "path")
		}
		l.Fields = append(l.Fields, link.Field{Value: value, Sent: sent})
	}
	if p.to == nil {
		return link.Refusal{}
	}
	var buf [256]byte
	moved := buf[:0]
	for i := range p.to.segments {
		if m := &p.to.segments[i]; m.kind == literal {
			moved = append(moved, m.text...)
		} else {
			moved = append(moved, l.Fields[m.n].Sent...)
		}
	}
	l.Path = plusEscaped(string(moved))
	if !steady(l.Path, false) {
		return link.Refuse(link.Ambiguous, "path") // text and fields make what neither has
	}
	return link.Refusal{}
}

// plusEscaped writes the path that the backend gets so that everybody reads the same: Slim 3,
// Yii 2 and Drupal 7 decode paths as queries, so that /u/a+b is the page of the user "a b".
func plusEscaped(path string) string { return strings.ReplaceAll(path, "+", "%2B") }

// Departs tells people where the tokens and the path of a request, which has the form of no
// link, depart from their patterns; it is empty where they do not. It shows nothing of what
// stands there, because that may be a signature in the wrong place.
func (s *Scheme) Departs(r *link.Request) string {
	for i := range s.tokens {
		t := &s.tokens[i]
		text, ok := r.Value(t.parameter)
		if !ok {
			return fmt.Sprintf("the parameter %q is missing", t.parameter)
		}
		for _, x := range t.transforms {
			if text, ok = x.apply(text); !ok {
				return fmt.Sprintf("the parameter %q is not written as %s reads it", t.parameter, x.name)
			}
		}
		if why := t.pattern.Departs(text); why != "" {
			return fmt.Sprintf("the parameter %q is not of the form %s: %s", t.parameter, t.pattern, why)
		}
	}
	switch {
	case s.path == nil:
		return s.badTime(r)
	case s.path.cut && segmentsOf(r.Path) != s.path.segment+1:
		return fmt.Sprintf("the path has %d segments, and that of a link has %d, of which the last is the signature", segmentsOf(r.Path), s.path.segment+1)
	case !s.path.cut:
		if why := s.path.pattern.Departs(r.Path); why != "" {
			return fmt.Sprintf("the path is not of the form %s: %s", s.path.pattern, why)
		}
	}
	if !steady(r.Path, s.path.cut) {
		return "the path has an empty segment, a dot segment, a semicolon, a control character, or an escape that hides a delimiter, which backends read in several ways"
	}
	return s.badTime(r)
}

// badTime says which time of the request has not the length or the letters of one; "" if
// none has.
func (s *Scheme) badTime(r *link.Request) string {
	var l link.Link
	if (s.path != nil || s.tokens != nil) && !s.readCarriers(r, &l).None() {
		return ""
	}
	for _, t := range []*stamp{&s.expires, &s.issued} {
		stated := t.read(r, &l)
		if _, ok := t.check(&stated); ok {
			continue
		}
		v, rule := t.value, t.rule
		if t.plusRule != nil {
			if _, ok := t.plusRule.Check(stated.Plus); !ok {
				v, rule = t.plus, t.plusRule
			}
		}
		return fmt.Sprintf("%s is no time of the scheme's format: without a rule of its own `param %s %s min %d max %d` holds", v, v.key(), rule.Class, rule.Min, rule.Max)
	}
	return ""
}

// segmentsOf is how many segments a path has, if it begins as paths do.
func segmentsOf(path string) int {
	if !strings.HasPrefix(path, "/") {
		return 0
	}
	return strings.Count(path, "/")
}

// keeps reports whether a field that was decoded is still one that the pattern would have
// cut: no literal that ends or begins it came out of an escape, not even in part. Of
// /<x>aba<y>, c%61baba1 would else be the fields cab and 1, and cababa1 c and ba1, with one
// text that a message joins.
func (p *pathCarrier) keeps(i int, decoded string) bool {
	fields, literals := p.pattern.Fields(), p.pattern.Literals()
	if fields[i].Greedy {
		return true
	}
	if p.pattern.FromRight(i) {
		return meets(decoded, literals[i], true)
	}
	if i+1 == len(fields) {
		return true // it took the rest
	}
	return meets(decoded, literals[i+1], false)
}

// meets reports whether the literal stands nearer to the text than anywhere in it: behind
// the text it occurs first where it is, or with right, before the text, last.
func meets(text, literal string, right bool) bool {
	if len(literal) == 1 {
		return strings.IndexByte(text, literal[0]) < 0
	}
	if right {
		// an occurrence begins in the literal that is there, behind its first byte, or in the text
		return !strings.Contains(literal[1:]+text, literal)
	}
	return !strings.Contains(text+literal[:len(literal)-1], literal)
}

// steady reports whether everybody reads the path alike: no dot segments, no empty ones, no
// parameters, no control bytes, and no delimiter that comes out of an escape, in any of its
// parts. With whole, no segment at all may be empty; else only the last may.
func steady(sent string, whole bool) bool {
	for i := 0; i < len(sent); i++ {
		c := sent[i]
		switch {
		case c == ';' || c == '\\' || c <= ' ' || c == 0x7F:
			return false
		case c == '/' && i+1 < len(sent) && sent[i+1] == '/':
			return false
		case c == '/' && i+1 < len(sent) && (sent[i+1] == '.' || sent[i+1] == '%') && isDots(sent[i+1:]):
			return false
		case c == '%':
			if i+2 >= len(sent) || hexValue(sent[i+1]) == dead || hexValue(sent[i+2]) == dead {
				return false
			}
			switch d := byte(hexValue(sent[i+1])<<4 | hexValue(sent[i+2])); {
			case d < ' ', d == 0x7F, d == '/', d == '\\', d == '%', d == '?', d == '#', d == ';':
				return false
			}
		}
	}
	return !whole || !strings.HasSuffix(sent, "/")
}

// isDots reports whether the path begins with a dot segment, in any spelling.
func isDots(rest string) bool {
	segment, _, _ := strings.Cut(rest, "/")
	if len(segment) > len("%2e%2e") || segment == "" {
		return false
	}
	segment = query.UnescapePath(segment)
	return segment == "." || segment == ".."
}
