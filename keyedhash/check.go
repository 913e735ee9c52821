package keyedhash

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
)

// This file is the checker: ways in which a template is weaker than it looks, found
// when the configuration is loaded. Flickr, AWS (signature version 1), Shopify and
// Bunny shipped templates of these kinds.

// Part is a piece of what a local of a [Preset] stands for, as the checker sees it: a
// literal, or a value.
type Part struct {
	Literal    string
	Parameter  string // the value of this parameter
	Claim      string // the claim that has this value; its rule holds, too
	NotEmpty   bool   // an empty value is refused
	PathPrefix string // the value is what stands behind it in the path, of class token
	Form       bool   // the value stands there as `name=value`, encoded as a form
	Rest       bool   // all parameters that remain, as values, or as a form
	Separator  string // what stands before, if anything does: of Form and Rest
	First      bool   // of Form and Rest: nothing ever stands before
	Maybe      bool   // of Form and Rest: something may stand before, or nothing
}

// Kinds of parts that no placeholder of a template has.
const (
	formPair   kind = iota + 128
	restValues      // the bare values of all that remain
	restPairs       // the same as a form
	pathAction      // what stands behind a prefix of the path
	glue            // a separator that may be there
)

// part says where the value of a field comes from, and how it gets there.
type part struct {
	kind     kind
	name     string // of the parameter, or of the claim
	n        int    // of a path segment
	prefix   string // of the path, before an action
	before   string // what stands in the field before the value
	optional bool   // an absent parameter is an empty text
}

// shown is the name of the part in an example.
func (p *part) shown() string {
	switch p.kind {
	case queryValue, rawQueryValue, formPair, restValues:
		return p.name
	case pathSegment:
		return fmt.Sprintf("{path.%d}", p.n)
	case restPairs, rawQuery, sortedQuery:
		return "{query}"
	case path, rawPath, pathAction:
		return "{path}"
	case host:
		return "{host}"
	case hostPort:
		return "{hostport}"
	case scheme:
		return "{scheme}"
	case method:
		return "{method}"
	default:
		return "{client_ip}"
	}
}

// placeholder names the part in a cure.
func (p *part) placeholder() string {
	if p.kind == queryValue || p.kind == rawQueryValue || p.kind == formPair {
		return "{query." + p.name + "}"
	}
	if p.kind == restValues {
		return "params *"
	}
	return p.shown()
}

// rule returns the rules for the value of a parameter, and of the claim that is made
// of it, as a language.
func (s *Scheme) ruled(parameter, claim string, notEmpty, rough bool) (l language, optional bool) {
	l = anything
	switch {
	case parameter != "" && parameter == s.identity:
		l = run{anyBytes, 1, maxIdentity} // any other identity is refused
		if rough {
			l = run{anyBytes, 1, -1}
		}
	case notEmpty:
		l = run{bytes: anyBytes, min: 1, max: -1}
	}
	if rule, ok := s.rules[parameter]; ok && parameter != "" {
		l, optional = intersect(l, ofRule(rule, rough)), rule.Optional && !notEmpty
	}
	if rule, ok := s.rules[claim]; ok && claim != "" && claim != parameter && !slices.Contains(s.description.Signed, claim) {
		l = intersect(l, ofRule(rule, rough))
	}
	for _, t := range []stamp{s.expires, s.issued} {
		if t.parameter != "" && t.parameter == parameter {
			l = intersect(l, ofTime(t.format))
		}
	}
	return l, optional
}

// maxIdentity is the longest identity, in bytes.
const maxIdentity = 256

// intersect is what both admit. What is any text says nothing about a shorter one.
func intersect(a, b language) language {
	if r, ok := a.(run); ok && r.bytes == anyBytes && (r.min == 0 || !b.final(b.start())) && (r.max < 0 || longest(b) <= r.max) {
		return b
	}
	return newBoth(a, b)
}

// longest is the length of the longest text, where the language says it.
func longest(l language) int {
	switch l := l.(type) {
	case run:
		if l.max >= 0 {
			return l.max
		}
	case emailText:
		return l.max
	case utf8Text:
		return l.max
	case *oneOf:
		return l.longest
	}
	return math.MaxInt
}

// fields are the fields of the message.
func (s *Scheme) fields(rough bool) []field {
	var fields []field
	add := func(l language, p *part) { fields = append(fields, field{language: l, part: p}) }
	for _, m := range s.message.segments {
		p := &part{kind: m.kind, name: m.text, n: m.n}
		switch m.kind { //nolint:exhaustive // claims are no part of a message, and the rest are parts of locals
		case literal:
			add(literalWord(m.text), nil)
		case secret:
			add(word{theSecret}, nil)
		case queryValue, rawQueryValue:
			s.addParameter(add, p, Part{Parameter: m.text}, rough)
		case path: // a request without a path, or for `*`, is no link
			add(after{"/", run{bytes: decodedBytes, max: -1}}, p)
		case rawPath:
			add(after{"/", run{bytes: pathBytes, max: -1}}, p)
		case pathSegment:
			add(run{bytes: segmentBytes, max: -1}, p)
		case rawQuery, sortedQuery:
			add(run{bytes: queryBytes, max: -1}, p)
		case scheme:
			add(newOneOf([]string{"http", "https"}), p)
		case host, hostPort:
			add(run{bytes: hostBytes, max: 255}, p)
		case method:
			add(run{upperBytes, 1, 32}, p)
		case clientIP:
			add(run{bytes: hostBytes, max: 64}, p)
		case local:
			for _, x := range s.preset.Parts[m.text] {
				s.addPart(add, x, rough)
			}
		}
	}
	variable := func(f field) bool { return f.part != nil }
	for i, f := range fields {
		// Two links with one secret have one user. Where it begins or ends at a known place,
		// it has the same place in both.
		if variable(f) && f.part.kind == queryValue && f.part.name == s.keyOf &&
			(!slices.ContainsFunc(fields[:i], variable) || !slices.ContainsFunc(fields[i+1:], variable)) {
			fields[i].pinned = true
		}
	}
	return fields
}

func (s *Scheme) addParameter(add func(language, *part), p *part, x Part, rough bool) {
	var l language
	l, p.optional = s.ruled(x.Parameter, x.Claim, x.NotEmpty, rough)
	if p.kind == rawQueryValue {
		l = escaped{value: l}
	}
	if p.optional {
		l = maybe{l}
	}
	add(l, p)
}

func (s *Scheme) addPart(add func(language, *part), x Part, rough bool) {
	before := x.Separator
	if x.First || x.Maybe {
		before = ""
	}
	if x.Maybe && x.Separator != "" {
		add(maybe{literalWord(x.Separator)}, &part{kind: glue})
	}
	switch {
	case x.Literal != "":
		add(literalWord(x.Literal), nil)
	case x.Rest && x.Form:
		var l language = run{bytes: formBytes, max: -1}
		if before != "" {
			l = maybe{after{before, l}}
		}
		add(l, &part{kind: restPairs, before: before})
	case x.Rest:
		var l language = anything
		if before != "" {
			l = maybe{after{before, l}}
		}
		add(l, &part{kind: restValues, name: s.unusedName("other"), before: before})
	case x.Form:
		l, optional := s.ruled(x.Parameter, x.Claim, x.NotEmpty, rough)
		before += url.QueryEscape(x.Parameter) + "="
		l = after{before, escaped{value: l, form: true}}
		if optional {
			l = maybe{l}
		}
		add(l, &part{kind: formPair, name: x.Parameter, before: before, optional: optional})
	case x.PathPrefix != "":
		l, _ := s.ruled("", x.Claim, true, rough)
		add(intersect(l, run{bytes: tokenBytes, min: 1, max: -1}), &part{kind: pathAction, prefix: x.PathPrefix})
	default:
		s.addParameter(add, &part{kind: queryValue, name: x.Parameter}, x, rough)
	}
}

// unusedName is a name that means nothing to the scheme.
func (s *Scheme) unusedName(name string) string {
	for slices.Contains(s.description.Signed, name) || slices.Contains(s.description.Expiry, name) || name == s.signature || s.ignore.Match(name) {
		name += "x"
	}
	return name
}

// Findings implements [link.Checked].
func (s *Scheme) Findings() []link.Finding {
	fields := s.fields(false)
	var found []link.Finding
	add := func(f *link.Finding) {
		if f != nil {
			if slices.Contains(s.preset.Natural, f.Code) {
				f.Severity = link.Note
			}
			found = append(found, *f)
		}
	}
	add(s.ambiguous(fields))
	add(s.extensible(fields))
	for _, f := range s.unsignedTimes {
		add(&f)
	}
	add(s.nameless())
	add(s.collides(fields))
	add(s.eternal())
	add(ShortSignature(s.mac, MinBits))
	return found
}

// ambiguous finds two links with one message: `delete`+`12`+`3` is `delete`+`1`+`23`.
//
// The secret parts what stands around it, because nobody can write it into a value
// without knowing it; and with secrets of users the user parts two messages, because
// another user has another secret.
func (s *Scheme) ambiguous(fields []field) *link.Finding {
	if oneSource(fields) {
		return nil
	}
	f := &link.Finding{Code: "ambiguous_message", Severity: link.Danger}
	var a, b []string
	for _, rough := range []bool{true, false} { // the first is quick and nearly always enough
		var unique bool
		a, b, unique = twoReadings(s.fields(rough), func(a, b []string) bool {
			f.Example = s.collision(fields, a, b)
			return f.Example != nil
		})
		if unique {
			return nil
		}
		if f.Example != nil {
			break
		}
	}
	if f.Example == nil {
		f.Example = s.searchCollision(fields)
	}
	if f.Example == nil {
		f.Message = "message: it cannot be shown that links with different values have different messages"
		f.Cure = "put a separator between the values that their param rules exclude, and name each of them once"
		return f
	}
	f.Message = "message: links with different values have one message, so whoever holds the one can make the other"
	f.Cure = "put a separator between the values that their param rules exclude, where the signer has one"
	if a != nil {
		if one, next := boundary(fields, a, b); next != nil {
			f.Message = fmt.Sprintf("message: nothing says where %s ends and %s begins, so whoever holds one link can make others", one.placeholder(), next.placeholder())
			f.Cure = fmt.Sprintf("restrict the values by param rules so that only one reading is left (digits next to one_of, or min and max alike), "+
				"or separate %s and %s by a character that the rules exclude, where the signer does", one.placeholder(), next.placeholder())
		}
	}
	return f
}

// oneSource reports whether one value is all that the message has, once or more: two
// of them differ in length, or where the message shows it.
func oneSource(fields []field) bool {
	var name string
	for _, f := range fields {
		if f.part == nil {
			continue
		}
		if f.part.kind != queryValue || name != "" && f.part.name != name {
			return false
		}
		name = f.part.name
	}
	return true
}

// boundary returns the two parts between which the readings differ first.
func boundary(fields []field, a, b []string) (one, next *part) {
	for i, f := range fields {
		if a[i] == b[i] || f.part == nil || f.part.kind == glue {
			continue
		}
		if one != nil {
			return one, f.part
		}
		one = f.part
	}
	return one, nil
}

// extensible finds digests that can be computed on from their value (Duong and Rizzo,
// "Flickr's API Signature Forgery Vulnerability", 2009): the message goes on where
// padding ended, 0x80, NULs and a length, so a value behind the secret must admit such
// bytes. A signature that lacks 64 bits of the state or more keeps it; sha384 does by
// itself.
func (s *Scheme) extensible(fields []field) *link.Finding {
	a := s.mac.Algorithm
	if a.Keyed() || a.state*8-s.mac.Bits() >= 64 {
		return nil
	}
	for _, f := range slices.Backward(fields) {
		if slices.Equal(asWord(f.language), word{theSecret}) {
			return nil
		}
		if f.part == nil || f.pinned || !admitsPadding(f.language) {
			continue
		}
		return &link.Finding{
			Code: "length_extension", Severity: link.Danger,
			Message: fmt.Sprintf("message: the secret stands before %s, so whoever holds a link computes from its %s the signature of a longer value, without the secret", f.part.placeholder(), a),
			Cure:    fmt.Sprintf("use hmac-sha256 where the signer can; or restrict %s by a param rule, as every class excludes the bytes that an extension needs", f.part.placeholder()),
		}
	}
	return nil
}

func asWord(l language) word {
	w, _ := l.(word)
	return w
}

// admitsPadding reports whether a value may hold what a digest appends. NUL is enough
// to tell: each padding has one, in the length at least, and no class admits it, nor
// does anything that is signed as sent.
func admitsPadding(l language) bool {
	switch l := l.(type) {
	case run:
		return l.bytes[0] && l.bytes[0x80] && (l.max < 0 || l.max > 16)
	case maybe:
		return admitsPadding(l.language)
	case after:
		return admitsPadding(l.rest)
	case *both:
		return admitsPadding(l.a) && admitsPadding(l.b)
	}
	return false
}

// safeLength is the longest value, in bytes, in which nobody can prepare a collision:
// one block of md5 and sha1. The shortest known of letters and digits has 72.
const safeLength = 64

// collides finds values in which somebody can prepare two texts with one digest, have
// one signed, and use the other. A secret before the value prevents it.
func (s *Scheme) collides(fields []field) *link.Finding {
	a := s.mac.Algorithm
	if a.name != "md5" && a.name != "sha1" {
		return nil
	}
	for _, f := range fields {
		if slices.Equal(asWord(f.language), word{theSecret}) {
			return nil
		}
		if f.part == nil || f.part.kind == host || f.part.kind == hostPort || f.part.kind == clientIP || !roomy(f.language) {
			continue
		}
		return &link.Finding{
			Code: "collision", Severity: link.Warning,
			Message: fmt.Sprintf("message: %s stands before the secret and may be long, so whoever can have values of their own signed can prepare two with one %s", f.part.placeholder(), a),
			Cure:    fmt.Sprintf("restrict %s by a param rule with max %d or less, or use hmac-sha256 where the signer can", f.part.placeholder(), safeLength),
		}
	}
	return nil
}

// roomy reports whether a value has room for a prepared block: more than 64 bytes of
// letters and digits or more. In digits alone nobody has made one.
func roomy(l language) bool {
	switch l := l.(type) {
	case run:
		letters := 0
		for _, in := range l.bytes {
			if in {
				letters++
			}
		}
		return letters >= 62 && (l.max < 0 || l.max > safeLength)
	case emailText:
		return l.max > safeLength
	case utf8Text:
		return l.max > safeLength
	case maybe:
		return roomy(l.language)
	case after:
		return roomy(l.rest)
	case escaped:
		return roomy(l.value)
	case *both:
		return roomy(l.a) && roomy(l.b)
	}
	return false
}

func (s *Scheme) eternal() *link.Finding {
	if s.expires.parameter != "" {
		return nil
	}
	f := &link.Finding{
		Code: "no_expiry", Severity: link.Warning,
		Message: "no link says when it expires, so each is valid for as long as the secret is",
		Cure:    "name the expiry with expires where the signer has one; else change the secret from time to time",
	}
	if s.issued.parameter != "" {
		f.Cure = "write max_age, as links say when they were made"
	}
	return f
}

// nameless finds `params *` with bare values.
func (s *Scheme) nameless() *link.Finding {
	if !s.preset.Nameless {
		return nil
	}
	f := &link.Finding{
		Code: "unsigned_names", Severity: link.Danger,
		Message: "params *: values are signed without their names, so a link for comment=12 is one for post=12",
		Cure:    "name the parameters, as in `params comment`, or write `params * as form` where the signer signs a form",
	}
	one, other := s.unusedName("comment"), s.unusedName("post")
	fields := s.fields(false)
	texts := make([]string, len(fields))
	for i, field := range fields {
		texts[i] = sample(field.language, representatives(fields[i:i+1]), rand.New(rand.NewPCG(1, 2)), new(int))
		if field.part != nil && field.part.kind == restValues {
			field.part.name = one
			texts[i] = field.part.before + "12"
		}
	}
	a := s.example(fields, texts)
	for _, field := range fields {
		if field.part != nil && field.part.kind == restValues {
			field.part.name = other
		}
	}
	f.Example = pairOf(a, s.example(fields, texts))
	return f
}

// MinBits is how long a signature should be: at a thousand guesses a second, 64 bits
// take 292 million years.
const MinBits = 64

// Bits is how many bits of the digest a link carries.
func (m MAC) Bits() int {
	bits := m.Length * 4
	if m.Encoding == Base64 || m.Encoding == Base64URL {
		bits = m.Length * 6
	}
	return min(bits, m.Algorithm.size*8)
}

// ShortSignature is the finding of a signature with fewer bits than least; nil if it
// has as many.
func ShortSignature(m MAC, least int) *link.Finding {
	bits := m.Bits()
	if bits >= least {
		return nil
	}
	return &link.Finding{
		Code: "short_signature", Severity: link.Warning,
		Message: fmt.Sprintf("the signature has %d bits, so one is found by guessing after %s on average, at 1,000 guesses a second", bits, duration(bits)),
		Cure:    "have the signer write more characters of it; until then make guessers wait with the option throttle",
	}
}

// duration is how long it takes on average to find one of 2^bits.
func duration(bits int) string {
	seconds := math.Pow(2, float64(bits-1)) / 1000
	switch {
	case seconds < 120:
		return fmt.Sprintf("%.0f seconds", math.Ceil(seconds))
	case seconds < 2*3600:
		return fmt.Sprintf("%.0f minutes", seconds/60)
	case seconds < 2*86400:
		return fmt.Sprintf("%.0f hours", seconds/3600)
	case seconds < 2*365*86400:
		return fmt.Sprintf("%.0f days", seconds/86400)
	default:
		return fmt.Sprintf("%.0f years", seconds/365.25/86400)
	}
}

// Construction implements [link.Constructed].
func (s *Scheme) Construction() string {
	var names []string
	for _, f := range s.fields(false) {
		switch w := asWord(f.language); {
		case f.part != nil:
			names = append(names, f.part.placeholder()+f.part.prefix)
		case slices.Equal(w, word{theSecret}):
			names = append(names, "{secret}")
		default:
			var b strings.Builder
			for _, c := range w {
				b.WriteByte(byte(c))
			}
			names = append(names, b.String())
		}
	}
	return fmt.Sprintf("%s %q", s.mac.Algorithm, names)
}

// example is a request whose message is known.
type example struct {
	values   []link.Value
	user     string // whose secret it is
	message  []byte // under a secret that no value holds
	rendered string // the same with {secret}
}

// collision makes an example of two readings, if requests can have them: values that
// stand in the message twice, or in a part of it, depend on each other, and the real
// engine has the last word.
func (s *Scheme) collision(fields []field, a, b []string) *link.Collision {
	return pairOf(s.example(fields, a), s.example(fields, b))
}

func pairOf(a, b *example) *link.Collision {
	if a == nil || b == nil || a.user != b.user || !bytes.Equal(a.message, b.message) || slices.Equal(a.values, b.values) {
		return nil
	}
	return &link.Collision{A: a.values, B: b.values, Message: a.rendered}
}

// example makes the request that has these texts in the fields; nil if it would not
// come as far as its signature.
func (s *Scheme) example(fields []field, texts []string) *example {
	r := &link.Request{Method: "GET", Scheme: "https", Host: "example.org", Path: "/", ClientIP: "192.0.2.1"}
	e := new(example)
	segments := []string{}
	steps := make(map[int]string)
	have := make(map[string]bool)
	for i, f := range fields {
		p, text := f.part, texts[i]
		if p == nil || p.kind == glue {
			continue
		}
		value := strings.TrimPrefix(text, p.before)
		if whole := p.kind == restPairs || p.kind == rawQuery || p.kind == sortedQuery; !whole && have[p.shown()] {
			continue // what stands there twice is the same, or the engine will say so
		}
		have[p.shown()] = true
		switch p.kind { //nolint:exhaustive // the others are not parts of a request
		case queryValue:
			if text == "" && p.optional && !s.admitsEmpty(p.name) {
				break
			}
			segments = append(segments, p.name+"="+url.QueryEscape(value))
		case rawQueryValue:
			if text == "" && p.optional {
				break
			}
			segments = append(segments, p.name+"="+value)
		case formPair:
			if text == "" {
				break
			}
			segments = append(segments, p.name+"="+value)
		case restValues:
			if text != "" {
				segments = append(segments, p.name+"="+url.QueryEscape(value))
			}
		case restPairs, rawQuery, sortedQuery:
			if value != "" {
				segments = append(segments, value)
			}
		case path:
			r.Path = escapePath(value)
		case rawPath:
			r.Path = value
		case pathSegment:
			steps[p.n] = escapePath(value)
		case pathAction:
			r.Path = p.prefix + value
		case host, hostPort:
			r.Host = value
		case scheme:
			r.Scheme = value
		case method:
			r.Method = value
		case clientIP:
			r.ClientIP = value
		}
	}
	for n := 0; len(steps) > 0 && !have["{path}"]; n++ {
		r.Path = strings.TrimSuffix(r.Path, "/") + "/"
		if step, ok := steps[n]; ok {
			r.Path += step
			delete(steps, n)
		}
		if len(steps) > 0 {
			r.Path += "/"
		}
	}
	for _, name := range append(slices.Clone(s.required), s.keyOf) {
		if name != "" && !slices.ContainsFunc(segments, func(x string) bool { return strings.HasPrefix(x, name+"=") }) {
			// it is outside of the message, and the same in every example
			l, _ := s.ruled(name, "", true, false)
			value := sample(l, representatives([]field{{language: l}}), rand.New(rand.NewPCG(1, 2)), new(int))
			segments = append(segments, name+"="+url.QueryEscape(value))
		}
	}
	if err := r.Query.Parse(strings.Join(append(segments, s.signature+"=x"), "&")); err != nil || r.Query.Control {
		return nil
	}
	var l link.Link
	if s.keyOf != "" {
		l.User, _ = r.Value(s.keyOf)
	}
	if refusal := s.Read(r, &l); !refusal.None() || !s.keepsRules(r, &l) {
		return nil
	}
	e.user, e.values = l.User, s.values(fields, r)
	e.message = s.AppendMessage(nil, r, &l, []byte("\x00\xffthe secret\xff\x00"))
	e.rendered = string(s.AppendMessage(nil, r, &l, []byte("{secret}")))
	return e
}

// values are what the request has in the fields, each part once.
func (s *Scheme) values(fields []field, r *link.Request) []link.Value {
	var values []link.Value
	for _, f := range fields {
		p := f.part
		if p == nil || p.kind == glue || slices.ContainsFunc(values, func(v link.Value) bool { return v.Name == p.shown() }) {
			continue
		}
		v := link.Value{Name: p.shown()}
		switch p.kind {
		case formPair, restValues:
			v.Value, _ = r.Value(p.name)
		case pathAction:
			v.Value = r.Path
		case restPairs:
			var rest []string
			s.Remaining(r, append(slices.Clone(s.description.Signed), s.description.Expiry...), func(name, value string) {
				rest = append(rest, url.QueryEscape(name)+"="+url.QueryEscape(value))
			})
			v.Value = strings.Join(rest, "&")
		default:
			one := Template{segments: []segment{{kind: p.kind, text: p.name, n: p.n}}}
			v.Value = string(one.Append(nil, r, Values{Left: s.inMessage}))
		}
		values = append(values, v)
	}
	return values
}

func (s *Scheme) admitsEmpty(parameter string) bool {
	_, ok := s.rules[parameter].Check("")
	return ok
}

// keepsRules reports whether the values keep the `param` rules and can be read as times.
func (s *Scheme) keepsRules(r *link.Request, l *link.Link) bool {
	for name, rule := range s.rules {
		value, there := r.Value(name)
		if !there && slices.Contains(s.description.Claims, name) && !slices.Contains(s.description.Signed, name) {
			value, there = l.Claims.Get(name), true
		}
		if !there {
			if rule.Optional || !slices.Contains(s.description.Signed, name) {
				continue
			}
			return false
		}
		if _, ok := rule.Check(value); !ok {
			return false
		}
	}
	for _, t := range []link.Timestamp{l.Expires, l.Issued} {
		if _, _, ok := t.Time(); !ok {
			return false
		}
	}
	return true
}

// escapePath encodes a decoded path again.
func escapePath(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; pathBytes[c] && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// samples is how many requests searchCollision tries, or fewer of long ones.
const samples = 5_000

// searchCollision looks for two requests with one message among many short ones, where
// values depend on each other and the readings of a text are not all that counts.
func (s *Scheme) searchCollision(fields []field) *link.Collision {
	random := rand.New(rand.NewPCG(1, 2)) // the same in every start
	seen := make(map[string]*example)
	symbols := representatives(fields)
	texts := make([]string, len(fields))
	steps := 0
	for n := 0; n < samples && steps < maxSteps; n++ {
		for i, f := range fields {
			if f.part != nil {
				texts[i] = sample(f.language, symbols, random, &steps)
			}
		}
		e := s.example(fields, texts)
		if e == nil {
			continue
		}
		key := e.user + "\x00" + string(e.message)
		if pair := pairOf(seen[key], e); pair != nil {
			return pair
		}
		seen[key] = e
	}
	return nil
}

// sample returns a short text of the language, or a wrong one where it finds none.
func sample(l language, symbols []symbol, random *rand.Rand, steps *int) string {
	var text []byte
	for state := l.start(); len(text) < 256; {
		if l.final(state) && random.IntN(3) == 0 {
			break
		}
		next := dead
		first := random.IntN(len(symbols))
		for i := range symbols {
			*steps++
			c := symbols[(first+i)%len(symbols)]
			if next = l.step(state, c); next != dead {
				if c < 256 {
					text = append(text, byte(c))
				}
				state = next
				break
			}
		}
		if next == dead {
			break
		}
	}
	return string(text)
}
