package keyedhash

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
)

// This file is the checker: ways in which a template is weaker than it looks, found
// when the configuration is loaded. Flickr, AWS (signature version 1), Shopify and
// Bunny shipped templates of these kinds.

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
	for _, f := range s.ambiguous() {
		add(f)
	}
	add(s.extensible(fields))
	for _, f := range s.unsignedTimes {
		add(&f)
	}
	add(s.nameless())
	add(s.unsignedSegments())
	add(s.dateAsUnix())
	add(s.collides(fields))
	add(s.eternal())
	add(ShortSignature(s.mac, MinBits))
	return found
}

// ambiguous finds links with one message, and says of each pair of values between which
// the operator allows that what it lets through.
func (s *Scheme) ambiguous() []*link.Finding {
	if oneSource(s.fields(false)) {
		return nil
	}
	var found []*link.Finding
	if f, pair := s.ambiguity(s.between); f != nil {
		if pair[1] != "" {
			f.Narrow = s.narrowest(pair)
		}
		found = append(found, f)
	}
	for i, pair := range s.between {
		f, _ := s.ambiguity(slices.Concat(s.between[:i:i], s.between[i+1:]))
		if f == nil {
			continue // nothing needs it
		}
		f.Allowed = true
		f.Narrow = allowBetween(pair)
		found = append(found, f)
	}
	return found
}

// narrowest is the options that allow what is ambiguous, and no more; pair is the first place.
func (s *Scheme) narrowest(pair [2]string) string {
	const most = 8
	pairs := append(slices.Clone(s.between), pair)
	options := []string{allowBetween(pair)}
	for len(options) <= most {
		f, next := s.ambiguity(pairs)
		switch {
		case f == nil || f.Severity != link.Danger:
			return strings.Join(options, "; ")
		case next[1] == "" || slices.Contains(pairs, next):
			return "" // no separator makes it unambiguous
		}
		pairs, options = append(pairs, next), append(options, allowBetween(next))
	}
	return ""
}

func allowBetween(pair [2]string) string {
	return "allow ambiguous_message between " + pair[0] + " " + pair[1]
}

// parseBetween reads the pairs of `allow ambiguous_message between`.
func (s *Scheme) parseBetween(pairs [][2]string) (parsed [][2]string, err error) {
	var neighbours [][2]string
	var last *part
	for _, f := range s.fields(true) {
		if f.part != nil && f.part.kind != glue {
			if last != nil {
				neighbours = append(neighbours, [2]string{last.placeholder(), f.part.placeholder()})
			}
			last = f.part
		}
	}
	for _, pair := range pairs {
		for i, text := range pair {
			inner, braced := strings.CutPrefix(text, "{")
			inner, closed := strings.CutSuffix(inner, "}")
			if !braced || !closed {
				return nil, fmt.Errorf("allow ambiguous_message between: %q is no placeholder; write two that are neighbours in the message, as in between {query.id} {query.email}", link.Shown(text))
			}
			inner = link.Typed(inner)
			pair[i] = "{" + strings.Replace(inner, "raw_query.", "query.", 1) + "}"
		}
		if !slices.Contains(neighbours, pair) {
			var known []string
			for _, n := range neighbours {
				known = append(known, n[0]+" "+n[1])
			}
			return nil, fmt.Errorf("allow ambiguous_message between %s %s: they are no neighbours in the message, in this order; there are %s",
				link.Shown(pair[0]), link.Shown(pair[1]), orNone(known))
		}
		parsed = append(parsed, pair)
	}
	return parsed, nil
}

// ambiguity finds two links with one message: `delete`+`12`+`3` is `delete`+`1`+`23`. Between
// the values of a pair a separator is taken to stand that nobody sees. pair are the values
// between which the two differ first, where that is known.
//
// The secret parts what stands around it, because nobody can write it into a value
// without knowing it; and with secrets of users the user parts two messages, because
// another user has another secret. Nobody chooses the address that a request comes from
// freely: where two links with one message must come from two addresses, that is a warning.
func (s *Scheme) ambiguity(pairs [][2]string) (f *link.Finding, pair [2]string) {
	fields := separated(s.fields(false), pairs)
	f = &link.Finding{Code: "ambiguous_message", Severity: link.Danger}
	found, unique, a, b := s.twoLinks(fields, separated(s.fields(true), pairs))
	if unique {
		return nil, pair
	}
	if i := slices.IndexFunc(fields, func(x field) bool { return x.part != nil && x.part.kind == clientIP }); i >= 0 {
		fromOne := true
		for _, address := range addresses {
			same := slices.Clone(fields)
			for j := range same {
				if same[j].part != nil && same[j].part.kind == clientIP {
					same[j].language = literalWord(address)
				}
			}
			if other, unique, x, y := s.twoLinks(same, same); !unique {
				fromOne, found, a, b = false, other, x, y
				break
			}
		}
		if fromOne {
			f.Severity = link.Warning
		}
	}
	if found == nil {
		f.Message = "message: it cannot be shown that links with different values have different messages"
		f.Cure = "put a separator between the values that their param rules exclude, and name each of them once"
		return f, pair
	}
	f.Example = found.collision
	f.Message = "message: links with different values have one message, so whoever holds the one can make the other"
	f.Cure = "put a separator between the values that their param rules exclude, where the signer has one"
	if a != nil {
		if one, next := boundary(fields, a, b); next != nil {
			pair = [2]string{one.placeholder(), next.placeholder()}
			f.Message = fmt.Sprintf("message: nothing says where %s ends and %s begins, so whoever holds one link can make others", pair[0], pair[1])
			f.Cure = fmt.Sprintf("restrict the values by param rules so that only one reading is left (digits next to one_of, or min and max alike), "+
				"or separate %s and %s by a character that the rules exclude, where the signer does", pair[0], pair[1])
		}
	}
	if found.otherUser {
		f.Message += "; a link of one user can be made one of another"
	}
	if f.Severity == link.Warning {
		f.Message += ", for another address"
	}
	return f, pair
}

// addresses are examples: one of each kind, and one of each that ends as it begins, so that
// two of it may overlap.
var addresses = []string{"192.0.2.1", "2001:db8::1", "1.1.1.1", "1:1:1:1:1:1:1:1"}

// twoLinks looks for two links with one message among the readings of a text, first in rough
// languages, which is quick and nearly always enough. unique reports that there are none.
func (s *Scheme) twoLinks(fields, rough []field) (found *pairOfLinks, unique bool, a, b []string) {
	for _, languages := range [][]field{rough, fields} {
		a, b, unique = twoReadings(languages, func(a, b []string) bool {
			found = s.collision(fields, a, b)
			return found != nil
		})
		if unique {
			return nil, true, nil, nil
		}
		if found != nil {
			return found, false, a, b
		}
	}
	return s.searchCollision(fields), false, nil, nil
}

// oneSource reports whether one value is all that the message has, once or more: two
// of them differ in length, or where the message shows it.
func oneSource(fields []field) bool {
	var only value
	for _, f := range fields {
		if f.part == nil {
			continue
		}
		v := f.part.value()
		if v.kind != queryValue && v.kind != linkField && v.kind != pathSegment || only.kind != literal && v != only {
			return false
		}
		only = v
	}
	return true
}

// boundary returns the two parts between which the readings differ first: the first that is
// not the same, which ends in another place, and the one behind it.
func boundary(fields []field, a, b []string) (one, next *part) {
	for i, f := range fields {
		switch {
		case f.part == nil || f.part.kind == glue:
		case one != nil:
			return one, f.part
		case a[i] != b[i]:
			one = f.part
		}
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
	case either:
		return admitsPadding(l.a) || admitsPadding(l.b)
	case *apart:
		return strings.IndexByte(l.literal, 0) < 0
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
	case either:
		return roomy(l.a) || roomy(l.b)
	case *apart:
		return true
	}
	return false
}

func (s *Scheme) eternal() *link.Finding {
	if s.expires.is() {
		return nil
	}
	f := &link.Finding{
		Code: "no_expiry", Severity: link.Warning,
		Message: "no link says when it expires, so each is valid for as long as the secret is",
		Cure:    "name the expiry with expires where the signer has one; else change the secret from time to time",
	}
	if s.issued.is() {
		f.Cure = "write max_age, as links say when they were made"
	}
	return f
}

// unsignedSegments finds parts of a link's path that the message does not cover, beside others
// that it does: whoever has a link can write what he likes there.
func (s *Scheme) unsignedSegments() *link.Finding {
	// What `to` leaves out does not reach the backend; of a path whose last segment is the
	// signature the matcher decides, and who knows it says so.
	if s.path == nil || s.path.pattern == nil || s.path.to != nil || s.message.has(path, rawPath) {
		return nil
	}
	var open []string
	for i, f := range s.path.pattern.Fields() {
		v := value{linkField, f.Name, s.path.first + i}
		if v != s.signature && !slices.Contains(s.description.Determined, f.Name) {
			open = append(open, v.String())
		}
	}
	if len(open) == 0 || len(s.description.Determined) == 0 && s.signature.kind != linkField {
		return nil
	}
	return &link.Finding{
		Code: "unsigned_segments", Severity: link.Warning,
		Message: fmt.Sprintf("path: the message lacks %s, so whoever has a link can write there what the backend gets", strings.Join(open, " and ")),
		Cure:    "put it into the message where the signer has it; else restrict it by a param rule, such as one_of",
	}
}

// dateAsUnix finds a time whose rule says that it is a date, and whose format that it is
// seconds: 20261201 is a day in 1970, so that every link is expired, or none.
func (s *Scheme) dateAsUnix() *link.Finding {
	for _, t := range []struct {
		option string
		stamp  *stamp
	}{{"expires", &s.expires}, {"issued", &s.issued}} {
		if !t.stamp.is() || t.stamp.form.Format != link.Unix {
			continue
		}
		rule, ruled := s.rules[t.stamp.value.key()]
		name := strings.ToLower(t.stamp.value.name)
		switch {
		case ruled && rule.Max <= 8: // seconds since 1970 have ten digits
		case slices.Contains([]string{"day", "date", "ymd", "yyyymmdd"}, name) && t.stamp.form.Unit == 0:
		default:
			continue
		}
		return &link.Finding{
			Code: "date_as_unix", Severity: link.Warning,
			Message: fmt.Sprintf("%s: %s looks like a date, and is read as seconds since 1970: 20261201 would be a day of that year", t.option, t.stamp.value),
			Cure:    fmt.Sprintf("say how it is written, as in `%s %s YYYYMMDD`", t.option, t.stamp.value),
		}
	}
	return nil
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
	if pair := pairOf(a, s.example(fields, texts)); pair != nil {
		f.Example = pair.collision
	}
	return f
}

// MinBits is how long a signature should be: at a thousand guesses a second, 64 bits
// take 292 million years.
const MinBits = 64

// Bits is how many bits of the digest a link carries.
func (m MAC) Bits() int {
	bits := m.Length * 4
	switch m.Encoding {
	case Base64, Base64URL:
		bits = m.Length * 6
	case Base64Hex:
		bits = m.Length * 3 // three bytes of hex, which are 12 bits, take four characters
	case Hex, HexAnyCase:
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
	for i := range s.tokens {
		t := &s.tokens[i]
		words := []string{"token", t.parameter}
		for _, x := range t.transforms {
			words = append(words, x.name)
		}
		names = append(names, strings.Join(append(words, t.pattern.String()), " "))
	}
	switch {
	case s.path == nil:
	case s.path.cut:
		names = append(names, fmt.Sprintf("path %d", s.path.segment))
	default:
		names = append(names, "path "+s.path.pattern.String())
	}
	return fmt.Sprintf("%s %q", s.mac.Algorithm, names)
}
