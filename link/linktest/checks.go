package linktest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// checks are the parts of [Run]. Each returns what the scheme does wrong.
var checks = []struct {
	name string
	run  func(s *Suite) []error
}{
	{"description", describes},
	{"vectors", decides},
	{"claims", claims},
	{"keys", needsTheKey},
	{"tampered", noticesTampering},
	{"fields", fixesFields},
	{"moved", noticesMoves},
	{"scope", judgesScope},
	{"hostile", survives},
	{"request", leavesTheRequest},
	{"reuse", retainsNothing},
	{"bound", bindsTheSame},
	{"concurrent", isConcurrent},
	{"message", tells},
	{"signs", signs},
}

// valid are the vectors with a right signature.
func (s *Suite) valid() []Vector {
	return slices.DeleteFunc(slices.Clone(s.Vectors), func(v Vector) bool { return v.Expect == Invalid })
}

// describes: the gateway derives the protected names and what templates may use from
// the description, once.
func describes(s *Suite) (errs []error) {
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	d := s.Scheme.Describe()
	for range 3 {
		if again := s.Scheme.Describe(); !sameDescription(d, again) {
			fail("Describe returned %+v, and then %+v", d, again)
		}
	}
	if len(d.Signature) == 0 && (d.Carrier == nil || !d.Carrier.Signature) {
		fail("the description has no signature parameter, and the path carries none, so the gateway cannot tell a link from another request")
	}
	errs = append(errs, describesCarrier(&d)...)
	for i, name := range d.Fields {
		if slices.Contains(d.Fields[:i], name) {
			fail("the description names the field %q twice", name)
		}
	}
	for _, name := range d.Determined {
		if !slices.Contains(d.Fields, name) {
			fail("the description says that the field %q is determined, and has no such field", name)
		}
	}
	if i := fieldOf(d, s.template()); i >= 0 && !slices.Contains(d.Determined, d.Fields[i]) {
		fail("the user is %s, which the signature does not determine: whoever has a link could be anybody", s.template())
	}
	for _, name := range slices.Concat(d.Signature, d.Signed, d.Expiry, d.Carriers) {
		if err := query.CheckName(backend.Servlet, name); err != nil {
			fail("the description names a parameter that the gateway cannot protect: %w", err)
		}
	}
	for i, name := range d.Signature {
		if slices.Contains(d.Signature[:i], name) || slices.Contains(d.Signed, name) {
			fail("parameter %q carries the signature, and is named again", name)
		}
	}
	for _, h := range d.Headers {
		if !slices.Contains(d.Claims, h.Claim) {
			fail("header %s is made of the claim %q, which links do not state; they state %q", h.Header, h.Claim, d.Claims)
		}
	}
	if claim, ok := strings.CutPrefix(s.template(), "{claim."); ok && !slices.Contains(d.Claims, strings.TrimSuffix(claim, "}")) {
		fail("the user is %s, which links do not state; they state %q", s.template(), d.Claims)
	}
	if d.NeedsUserKey && s.UserKeys == nil {
		fail("the scheme needs a secret of each user, and the suite has no UserKeys")
	}
	return errs
}

// sameDescription compares alphabets by what they say, as functions cannot be compared.
func sameDescription(a, b link.Description) bool {
	if (a.Alphabet == nil) != (b.Alphabet == nil) {
		return false
	}
	for c := range 256 {
		if a.Alphabet != nil && a.Alphabet(byte(c)) != b.Alphabet(byte(c)) {
			return false
		}
	}
	a.Alphabet, b.Alphabet = nil, nil
	return reflect.DeepEqual(a, b)
}

// describesCarrier: the gateway asks the carrier before the scheme, and keeps others from the
// paths to which it moves.
func describesCarrier(d *link.Description) (errs []error) {
	c := d.Carrier
	if c == nil {
		return nil
	}
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Signature && (d.Alphabet == nil || d.Length <= 0) {
		fail("the path carries the signature, and the description does not say which letters it has and how many, so no log can be kept clean of it")
	}
	switch {
	case c.Link == nil && !c.Signature:
		fail("the carrier has neither a form of links nor a signature")
	case c.Link == nil && c.Segment < 1:
		fail("the signature is the segment %d, so that nothing would be left of the path", c.Segment)
	case c.Link != nil && !c.Link.IsPath():
		fail("the form of links is the pattern of a token; it is to be that of a path: %s", c.Link)
	case c.Link != nil && c.Signature && c.Link.Index("signature") < 0:
		fail("the path carries the signature, and %s has no field <signature>, so no log can be kept clean of it", c.Link)
	case c.Link != nil && c.Signature && c.Link.Literal() == "/":
		fail("%s begins with a field, so that any path of the site would be a broken link", c.Link)
	}
	if c.Fixed != "" && !steadyPath(c.Fixed) {
		fail("the backend gets the path %q, which it could read in another way", c.Fixed)
	}
	return errs
}

// steadyPath reports whether everybody reads the path alike, as far as that can be said of all
// backends: it begins with a slash and has no dot segments, no empty ones and no control bytes.
func steadyPath(path string) bool {
	if !strings.HasPrefix(path, "/") {
		return false
	}
	for i, segment := range strings.Split(path[1:], "/") {
		decoded := query.UnescapePath(segment)
		switch {
		case decoded == "." || decoded == "..", strings.ContainsAny(decoded, "/\\;?#"):
			return false
		case segment == "" && i < strings.Count(path[1:], "/"):
			return false
		case strings.ContainsFunc(decoded, func(c rune) bool { return c < ' ' || c == 0x7F }):
			return false
		}
	}
	return true
}

// carries: what Read makes of a request is what the description announces.
func carries(d *link.Description, r *link.Request, l *link.Link) error {
	if len(l.Fields) != len(d.Fields) {
		return fmt.Errorf("Read found %d fields, and the description has %d: %q", len(l.Fields), len(d.Fields), d.Fields)
	}
	c := d.Carrier
	if c != nil && c.Signature && c.Carries(r.Path) != link.Whole {
		return fmt.Errorf("Read takes the path %.100q for that of a link, and the carrier does not", r.Path)
	}
	switch {
	case !c.Moves() && l.Path != "":
		return fmt.Errorf("Read leads to the path %.100q, and the description says that the backend gets the path as it came", l.Path)
	case !c.Moves():
		return nil
	case !steadyPath(l.Path):
		return fmt.Errorf("Read leads to the path %.100q, which backends could read in several ways", l.Path)
	case c.Target != nil && !c.Target.Shape(l.Path), // by which the gateway knows it
		c.Target == nil && c.Fixed != "" && l.Path != c.Fixed,
		c.Target == nil && c.Fixed == "" && strings.Count(l.Path, "/") != c.Segment:
		return fmt.Errorf("Read leads to the path %.100q, which is none to which the carrier leads, so that nobody is kept from it", l.Path)
	}
	return nil
}

// decides: every vector gets the verdict that it says.
func decides(s *Suite) (errs []error) {
	for _, v := range s.Vectors {
		verdict, err := s.judgeSafely(v)
		switch {
		case err != nil:
			errs = append(errs, err)
		case verdict.Word() != v.Expect:
			errs = append(errs, fmt.Errorf("%s (%s): verdict %s, want %s: %s", v.ID, v.Why, describe(verdict), v.Expect, v.URL))
		case v.Expect == Valid && verdict.User != v.User:
			errs = append(errs, fmt.Errorf("%s (%s): the user is %q, want %q: %s", v.ID, v.Why, verdict.User, v.User, v.URL))
		}
	}
	return errs
}

func describe(v Verdict) string {
	if v.None() {
		return Valid
	}
	return v.String()
}

func (s *Suite) judgeSafely(v Vector) (verdict Verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: panic: %v: %.200s", v.ID, p, v.URL)
		}
	}()
	return s.Judge(v), nil
}

// claims: a link states what the description announces, each claim once, and Read
// finds the same each time.
func claims(s *Suite) (errs []error) {
	announced := s.Scheme.Describe().Claims
	for _, v := range s.valid() {
		r := NewRequest(v.URL)
		var l, again link.Link
		if refusal := s.read(r, &l); !refusal.None() {
			continue // the vectors tell
		}
		if s.read(r, &again); !reflect.DeepEqual(l, again) {
			errs = append(errs, fmt.Errorf("%s: Read found %+v, and then %+v", v.ID, l, again))
		}
		// the gateway lends memory that was used before
		lent := link.Link{
			Claims: slices.Repeat(link.Claims{{Name: "lent", Value: "lent"}}, 4)[:0],
			Fields: slices.Repeat([]link.Field{{Value: "lent", Sent: "lent"}}, 4)[:0],
		}
		s.Scheme.Read(r, &lent)
		if !slices.Equal(lent.Claims, l.Claims) || !slices.Equal(lent.Fields, l.Fields) {
			errs = append(errs, fmt.Errorf("%s: Read found the claims %q and the fields %q, and in memory that it was lent %q and %q", v.ID, l.Claims, l.Fields, lent.Claims, lent.Fields))
		}
		key, _ := s.key(l.User, v)
		s.Scheme.Verify(r, &l, key)
		for i, c := range l.Claims {
			if !slices.Contains(announced, c.Name) {
				errs = append(errs, fmt.Errorf("%s: the link states the claim %q, which the description does not announce; it announces %q", v.ID, c.Name, announced))
			}
			if slices.ContainsFunc(l.Claims[:i], func(o link.Claim) bool { return o.Name == c.Name }) {
				errs = append(errs, fmt.Errorf("%s: the link states the claim %q twice", v.ID, c.Name))
			}
		}
	}
	return errs
}

// tells: a [link.Messenger] tells what is signed, behind what it is given, and says the same
// each time.
func tells(s *Suite) (errs []error) {
	messenger, ok := s.Scheme.(link.Messenger)
	if !ok {
		return nil
	}
	for _, v := range s.valid() {
		r := NewRequest(v.URL)
		var l link.Link
		if verdict := s.judge(r, v); !verdict.None() {
			continue // the vectors tell
		}
		s.read(r, &l)
		key, _ := s.key(l.User, v)
		message := messenger.AppendMessage(nil, r, &l, key)
		behind := messenger.AppendMessage([]byte("before"), r, &l, key)
		switch {
		case len(message) == 0:
			errs = append(errs, fmt.Errorf("%s: the message is empty", v.ID))
		case string(behind) != "before"+string(message):
			errs = append(errs, fmt.Errorf("%s: the message is %q, and appended to a text the two are %q", v.ID, message, behind))
		}
		if masked := messenger.AppendMessage(nil, r, &l, []byte("{secret}")); len(key) > 7 && bytes.Contains(masked, key) {
			errs = append(errs, fmt.Errorf("%s: with a mask for the key the message holds a key", v.ID))
		}
	}
	return errs
}

// signs: what a [link.Signer] makes of a valid link's content verifies, and is the link
// itself where there is one way only to write it. A wrong key signs something else.
func signs(s *Suite) (errs []error) {
	signer, ok := s.Scheme.(link.Signer)
	if !ok {
		return nil
	}
	for _, v := range s.valid() {
		r := NewRequest(v.URL)
		var l link.Link
		if verdict := s.judge(r, v); !verdict.None() {
			continue // the vectors tell
		}
		s.read(r, &l)
		key, _ := s.key(l.User, v)
		grant := link.Grant{User: l.User, Claims: l.Claims, Now: time.Unix(v.Now, 0)}
		if at, stated, _ := l.Issued.Time(); stated {
			grant.Now = at
		}
		target, err := signer.Sign(r, grant, key)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: Sign: %w", v.ID, err))
			continue
		}
		again := v
		again.URL = r.Scheme + "://" + r.Host + target
		if verdict := s.Judge(again); !verdict.None() || verdict.User != v.User {
			errs = append(errs, fmt.Errorf("%s: Sign made %s, and the verdict on it is %s, user %q", v.ID, again.URL, describe(verdict), verdict.User))
		}
		if again.URL, err = signer.Sign(r, grant, []byte("no scheme has this key: 8ZzTnqvXW3")); err == nil && again.URL == target {
			errs = append(errs, fmt.Errorf("%s: Sign does not use the key", v.ID))
		}
	}
	return errs
}

// needsTheKey: no other key makes the signature: not the empty one, which everybody
// has, not a longer one, a shorter one, or one with a single bit changed.
func needsTheKey(s *Suite) (errs []error) {
	for _, v := range s.Vectors {
		r := NewRequest(v.URL)
		var l link.Link
		if refusal := s.read(r, &l); !refusal.None() {
			continue
		}
		for _, empty := range [][]byte{nil, {}} {
			if s.Scheme.Verify(r, &l, empty) {
				errs = append(errs, fmt.Errorf("%s: Verify says yes to an empty key", v.ID))
			}
		}
		if v.Expect == Invalid {
			continue
		}
		key, _ := s.key(l.User, v)
		before := bytes.Clone(key)
		for what, wrong := range wrongKeys(key) {
			if s.Scheme.Verify(r, &l, wrong) {
				errs = append(errs, fmt.Errorf("%s: Verify says yes to %s", v.ID, what))
			}
		}
		s.Scheme.Verify(r, &l, key)
		if !bytes.Equal(key, before) {
			errs = append(errs, fmt.Errorf("%s: Verify changed the key", v.ID))
		}
	}
	return errs
}

// wrongKeys are keys that resemble key. No NUL is appended: to an HMAC that is the
// same key (RFC 2104 pads with zeros). A PEM block is left whole, because not every
// bit of its text means something.
func wrongKeys(key []byte) map[string][]byte {
	wrong := map[string][]byte{"a wrong key": []byte("no scheme has this key: 8ZzTnqvXW3")}
	if bytes.HasPrefix(key, []byte("-----BEGIN ")) {
		return wrong
	}
	wrong["the key with a letter behind it"] = append(bytes.Clone(key), 'x')
	wrong["the key without its last byte"] = bytes.Clone(key[:len(key)-1])
	wrong["the key twice"] = append(bytes.Clone(key), key...)
	for bit := range len(key) * 8 {
		other := bytes.Clone(key)
		other[bit/8] ^= 1 << (bit % 8)
		wrong[fmt.Sprintf("the key with bit %d changed", bit)] = other
	}
	return wrong
}

// noticesTampering: a link of which a covered parameter, or the signature, was changed
// is another link. A changed key id or user names another key, so it proves nothing.
func noticesTampering(s *Suite) (errs []error) {
	d := s.Scheme.Describe()
	for _, v := range s.valid() {
		r := NewRequest(v.URL)
		var genuine link.Link
		if refusal := s.read(r, &genuine); !refusal.None() {
			continue
		}
		key, _ := s.key(genuine.User, v)
		for _, name := range slices.Concat(d.Signature, d.Signed) {
			p, ok := r.Query.Find(name)
			if !ok || r.Query.RawValue(p) == "" {
				continue
			}
			for what, segment := range tampered(name, r.Query.RawValue(p)) {
				raw := r.Query.Raw[:p.Start] + segment + r.Query.Raw[p.End:]
				changed := new(link.Request)
				set(changed, r.Scheme, r.Host, r.Path, raw)
				var l link.Link
				if refusal := s.read(changed, &l); !refusal.None() || l.KeyID != genuine.KeyID || l.User != genuine.User {
					continue
				}
				if s.Scheme.Verify(changed, &l, key) {
					errs = append(errs, fmt.Errorf("%s: a link with parameter %q %s verifies: %s", v.ID, name, what, raw))
				}
			}
		}
	}
	return errs
}

// fixesFields: a link in which a field that the signature determines was changed is another
// link, whether it stands in a parameter or in the path. What the gateway says of a link is
// made of such fields.
func fixesFields(s *Suite) (errs []error) {
	d := s.Scheme.Describe()
	if len(d.Fields) == 0 {
		return nil
	}
	for _, v := range s.valid() {
		r := NewRequest(v.URL)
		var genuine link.Link
		if refusal := s.read(r, &genuine); !refusal.None() {
			continue
		}
		key, _ := s.key(genuine.User, v)
		for _, changed := range spoilt(&d, r) {
			var l link.Link
			if refusal := s.read(changed, &l); !refusal.None() || l.KeyID != genuine.KeyID || l.User != genuine.User {
				continue
			}
			before, after := determinedOf(d, &genuine), determinedOf(d, &l)
			if slices.Equal(before, after) {
				continue
			}
			if s.Scheme.Verify(changed, &l, key) {
				errs = append(errs, fmt.Errorf("%s: the fields %q are determined, and were %q; the link verifies with %q: %s?%s", v.ID, d.Determined, before, after, changed.Path, changed.Query.Raw))
			}
			if m, ok := s.Scheme.(link.Messenger); ok && bytes.Equal(m.AppendMessage(nil, r, &genuine, key), m.AppendMessage(nil, changed, &l, key)) {
				errs = append(errs, fmt.Errorf("%s: the fields %q are determined, and %q and %q have one message", v.ID, d.Determined, before, after))
			}
		}
	}
	return errs
}

// spoilt are requests that differ from r in one byte of the path, or of a parameter that
// carries fields.
func spoilt(d *link.Description, r *link.Request) (all []*link.Request) {
	add := func(path, raw string) {
		changed := new(link.Request)
		set(changed, r.Scheme, r.Host, path, raw)
		all = append(all, changed)
	}
	each := func(text string, yield func(other string)) {
		for i := range len(text) {
			for _, c := range "0x~" {
				if byte(c) != text[i] {
					yield(text[:i] + string(c) + text[i+1:])
				}
				yield(text[:i] + string(c) + text[i:])
			}
			yield(text[:i] + text[i+1:])
		}
	}
	for _, name := range slices.Concat(d.Signature, d.Carriers) {
		if p, ok := r.Query.Find(name); ok {
			raw := r.Query.Raw
			each(r.Query.RawValue(p), func(value string) { add(r.Path, raw[:p.Start]+name+"="+value+raw[p.End:]) })
		}
	}
	if d.Carrier != nil {
		each(r.Path, func(path string) { add(path, r.Query.Raw) })
	}
	return all
}

// judgesScope: a [link.Scoped] refuses as out of scope, or not at all.
func judgesScope(s *Suite) (errs []error) {
	scoped, ok := s.Scheme.(link.Scoped)
	if !ok {
		return nil
	}
	for _, v := range s.Vectors {
		r := NewRequest(v.URL)
		var l link.Link
		if refusal := s.read(r, &l); !refusal.None() {
			continue
		}
		if key, ok := s.key(l.User, v); !ok || !s.Scheme.Verify(r, &l, key) {
			continue
		}
		first := scoped.InScope(r, &l)
		if !first.None() && first.Reason != link.OutOfScope {
			errs = append(errs, fmt.Errorf("%s: InScope refused with %s; it refuses as %s", v.ID, first, link.OutOfScope))
		}
		if again := scoped.InScope(r, &l); again != first {
			errs = append(errs, fmt.Errorf("%s: InScope said %q, and then %q", v.ID, first, again))
		}
	}
	return errs
}

// noticesMoves: a link in the path of which a covered part was changed is another link, and
// leads nowhere else.
func noticesMoves(s *Suite) (errs []error) {
	d := s.Scheme.Describe()
	if d.Carrier == nil {
		return nil
	}
	for _, v := range s.valid() {
		r := NewRequest(v.URL)
		var genuine link.Link
		if refusal := s.read(r, &genuine); !refusal.None() {
			continue
		}
		key, _ := s.key(genuine.User, v)
		if err := carries(&d, r, &genuine); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", v.ID, err))
		}
		for i := range len(r.Path) {
			for _, path := range []string{r.Path[:i] + "x" + r.Path[i:], r.Path[:i] + r.Path[i+1:], r.Path[:i] + "/" + r.Path[i:], r.Path[:i] + "%2f" + r.Path[i:], r.Path[:i] + "/../x" + r.Path[i:]} {
				changed := new(link.Request)
				set(changed, r.Scheme, r.Host, path, r.Query.Raw)
				var l link.Link
				if refusal := s.read(changed, &l); !refusal.None() || l.KeyID != genuine.KeyID || l.User != genuine.User {
					continue
				}
				if err := carries(&d, changed, &l); err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", v.ID, err))
				}
				same := slices.Equal(determinedOf(d, &l), determinedOf(d, &genuine)) && leadsAlike(&d, l.Path, genuine.Path)
				if !same && s.Scheme.Verify(changed, &l, key) {
					errs = append(errs, fmt.Errorf("%s: the link verifies with the path %s, and leads to %q", v.ID, path, l.Path))
				}
			}
		}
	}
	return errs
}

// leadsAlike reports whether two links lead to one place, as far as the scheme decides it: where
// a segment of the path is the signature, the definition's matcher fixes what is not signed.
func leadsAlike(d *link.Description, a, b string) bool {
	if d.Carrier.Link != nil || d.Path {
		return a == b
	}
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	return len(x) == len(y) && !slices.ContainsFunc(d.PathSegments, func(n int) bool { return n+1 < len(x) && query.UnescapePath(x[n+1]) != query.UnescapePath(y[n+1]) })
}

// determinedOf are the values of the fields that the signature determines.
func determinedOf(d link.Description, l *link.Link) (values []string) {
	for i, f := range l.Fields {
		if i < len(d.Fields) && slices.Contains(d.Determined, d.Fields[i]) {
			values = append(values, f.Value)
		}
	}
	return values
}

// tampered returns segments that differ in meaning from name=value.
func tampered(name, value string) map[string]string {
	out := map[string]string{
		"cut out":                  "",
		"emptied":                  name + "=",
		"with a letter behind it":  name + "=" + value + "x",
		"with a letter before it":  name + "=x" + value,
		"with a NUL behind it":     name + "=" + value + "%00",
		"with a newline behind it": name + "=" + value + "%0A",
		"with a blank behind it":   name + "=" + value + "+",
		"with a blank before it":   name + "=%20" + value,
		"written twice":            name + "=" + value + value,
		"encoded once more":        name + "=" + strings.ReplaceAll(value, "%", "%25") + "%2541",
	}
	if last := value[len(value)-1]; last != '=' { // padding of base64 may be left out
		out["without its last character"] = name + "=" + value[:len(value)-1]
	}
	return out
}

// values are the hostile values of a parameter.
func values(genuine string) []string {
	return []string{
		"", "=", "==", ".", "..", "...", ".1.", "-", "--", "%", "%0", "%zz", "%00", "%00" + genuine, genuine + "%00", "%FF%FE", "%C0%AE",
		"%ED%A0%80", "%E2%80%AE", "+", "%0D%0A", "\x00", "\xff", "\t", " ", "#", "'\"<>{}|\\^`", "{env.PATH}", "{secret}", "%7Bsecret%7D", "${x}", "-1", "1e99",
		"99999999999999999999", "9223372036854775807", "0x7fffffff", "NaN", "null", "true", "[]", "[1]", "{}", "%5B%5D", "%7B%22a%22%3A1%7D",
		strings.Repeat("A", 10<<10), strings.Repeat("%41", 10<<10), strings.Repeat(".", 10<<10), strings.Repeat("=", 1<<10), strings.Repeat("-", 10<<10),
		genuine + genuine, genuine + ".", "." + genuine, genuine + "=", strings.ToUpper(genuine), strings.TrimRight(genuine, "=") + "==",
	}
}

// queries are hostile queries around the parameters of a genuine one.
func (s *Suite) queries(genuine string) []string {
	d := s.Scheme.Describe()
	queries := []string{
		"", "&", "&&&&", "=", "==", "=&=", "?", ";", "%", "%00", "\x00", "\xff\xfe", "a", "a=b", "[]=1", "%5B%5D", strings.Repeat("&", 10<<10), strings.Repeat("a=b&", 999),
		genuine + "&" + genuine, "&" + genuine + "&", genuine + ";" + genuine, strings.ReplaceAll(genuine, "&", "&amp;"), strings.ReplaceAll(genuine, "=", "%3D"),
		strings.ReplaceAll(genuine, "&", ";"), genuine + "&=", genuine + "&%00=%00", genuine + "&+=1", genuine + "#x", genuine + "\r\nX: y",
	}
	var q query.Query
	if q.Parse(genuine) != nil {
		return queries
	}
	for _, name := range slices.Concat(d.Signature, d.Signed, d.Expiry, d.Carriers) {
		p, ok := q.Find(name)
		if !ok {
			end := uint16(len(genuine))
			p = query.Pair{Start: end, End: end, Eq: end}
		}
		before, after, value := genuine[:p.Start], genuine[p.End:], q.RawValue(p)
		queries = append(queries, before+after, before+name+after, name, name+"=")
		for _, hostile := range values(value) {
			queries = append(queries, before+name+"="+hostile+after, name+"="+hostile)
		}
		for _, other := range []string{name + "[]", name + "%5B%5D", name + "[0]", "+" + name, name + "%00", strings.ToUpper(name), "%" + fmt.Sprintf("%02X", name[0]) + name[1:]} {
			queries = append(queries, genuine+"&"+other+"=admin", other+"=admin&"+genuine, before+other+"="+value+after)
		}
		queries = append(queries, genuine+"&"+name+"=admin", name+"=admin&"+genuine)
	}
	return queries
}

// paths are hostile raw paths.
func paths(genuine string) []string {
	return []string{
		genuine, "", "/", "//", "///", "*", ".", "..", "/.", "/..", "/../..", "/%", "/%2", "/%zz", "/%00", "/%2f", "/%2F%2e%2e", "/a/../b", "/;x=1", "/;/", "/\\", "/\x00", "/\xff", "/%FF",
		strings.Replace(genuine, "/", "/./", 1), strings.Replace(genuine, "/", "//", 2), genuine + "/..", genuine + "/%2e%2e/x", strings.ReplaceAll(genuine, "/", "%2F"),
		"/%E2%80%AE", "relative", "?", genuine + "/", genuine + "//", genuine + ";x", genuine + "%00", "/" + genuine, strings.ToUpper(genuine), strings.Repeat("/", 10<<10), "/" + strings.Repeat("a", 10<<10),
	}
}

// survives: no request makes a scheme panic, or refuse for a reason that is not its
// own, and what it says yes to is said again.
func survives(s *Suite) (errs []error) {
	d := s.Scheme.Describe()
	hostile := func(v Vector, r *link.Request) {
		where := fmt.Sprintf("%s %.100q %.100q ?%.300q", r.Method, r.Host, r.Path, r.Query.Raw)
		defer func() {
			if p := recover(); p != nil {
				errs = append(errs, fmt.Errorf("panic: %v: %s", p, where))
			}
		}()
		var l link.Link
		refusal := s.read(r, &l)
		s.check(r, &l)
		if !refusal.None() {
			if refusal.Reason != link.Malformed && refusal.Reason != link.Ambiguous {
				errs = append(errs, fmt.Errorf("Read refused with %s; a scheme refuses as %s or %s: %s", refusal, link.Malformed, link.Ambiguous, where))
			}
			return
		}
		if err := carries(&d, r, &l); err != nil {
			errs = append(errs, fmt.Errorf("%w: %s", err, where))
		}
		key, _ := s.key(l.User, v)
		if first := s.Scheme.Verify(r, &l, key); first != s.Scheme.Verify(r, &l, key) {
			errs = append(errs, fmt.Errorf("Verify said %t, and then %t: %s", first, !first, where))
		}
		if s.Scheme.Verify(r, &l, nil) {
			errs = append(errs, fmt.Errorf("Verify says yes to an empty key: %s", where))
		}
		s.Policy.Check(&l, time.Unix(v.Now, 0))
	}
	v := s.valid()[0]
	genuine := NewRequest(v.URL)
	for _, q := range s.queries(genuine.Query.Raw) {
		r := new(link.Request)
		set(r, genuine.Scheme, genuine.Host, genuine.Path, q)
		hostile(v, r)
	}
	for _, p := range paths(genuine.Path) {
		r := new(link.Request)
		set(r, genuine.Scheme, genuine.Host, p, genuine.Query.Raw)
		hostile(v, r)
	}
	for _, h := range []string{"", ":", ":80", "a:b:c", "[::1]", "[::1]:80", "[", "]", "EXAMPLE.org.", "\x00", strings.Repeat("a", 10<<10)} {
		r := new(link.Request)
		set(r, "", h, genuine.Path, genuine.Query.Raw)
		r.Method, r.ClientIP = h, h
		hostile(v, r)
	}
	for _, v := range s.Vectors {
		hostile(v, NewRequest(v.URL))
	}
	hostile(v, new(link.Request))
	return errs
}

// snapshot is what a scheme may read of a request, by value.
func snapshot(r *link.Request) any {
	return struct {
		text    []string
		pairs   []query.Pair
		control bool
	}{
		[]string{r.Method, r.Scheme, r.Host, r.Path, r.ClientIP, r.Query.Raw},
		slices.Clone(r.Query.Pairs), r.Query.Control,
	}
}

// leavesTheRequest: several schemes and definitions judge one request.
func leavesTheRequest(s *Suite) (errs []error) {
	for _, v := range s.Vectors {
		r := NewRequest(v.URL)
		before := snapshot(r)
		s.judge(r, v)
		if after := snapshot(r); !reflect.DeepEqual(before, after) {
			errs = append(errs, fmt.Errorf("%s: the request was %+v, and is now %+v", v.ID, before, after))
		}
	}
	return errs
}

// retainsNothing: the gateway uses the memory of a request and of a key again.
func retainsNothing(s *Suite) (errs []error) {
	r := new(link.Request)
	backwards := slices.Clone(s.Vectors)
	slices.Reverse(backwards)
	stated := make(map[string]link.Claims)
	copies := make(map[string]link.Claims)
	for _, v := range slices.Concat(s.Vectors, backwards) {
		fill(r, v.URL)
		verdict := s.judge(r, v)
		if verdict.Word() != v.Expect {
			errs = append(errs, fmt.Errorf("%s: in a request whose memory was used before the verdict is %s, want %s", v.ID, describe(verdict), v.Expect))
		}
		stated[v.ID], copies[v.ID] = verdict.Link.Claims, slices.Clone(verdict.Link.Claims)
	}
	if !maps.EqualFunc(stated, copies, func(a, b link.Claims) bool { return slices.Equal(a, b) }) {
		errs = append(errs, errors.New("claims of a link changed when the memory of its request was used again"))
	}
	v := s.valid()[0]
	fill(r, v.URL)
	var l link.Link
	if refusal := s.read(r, &l); !refusal.None() {
		return errs
	}
	key, _ := s.key(l.User, v)
	lent := bytes.Clone(key)
	first := s.Scheme.Verify(r, &l, lent)
	for i := range lent {
		lent[i] = 'x'
	}
	if other := s.Scheme.Verify(r, &l, lent); other && first {
		errs = append(errs, fmt.Errorf("%s: Verify remembers the key of an earlier call", v.ID))
	}
	if again := s.Scheme.Verify(r, &l, key); again != first {
		errs = append(errs, fmt.Errorf("%s: Verify said %t, and %t after a wrong key", v.ID, first, again))
	}
	return errs
}

// bindsTheSame: with a key that was prepared the scheme says what it says with the key,
// also when the memory of the key is used again.
func bindsTheSame(s *Suite) (errs []error) {
	if _, ok := s.Scheme.(link.Binder); !ok {
		return nil
	}
	for _, v := range s.Vectors {
		r := NewRequest(v.URL)
		var l link.Link
		if refusal := s.read(r, &l); !refusal.None() {
			continue
		}
		key, _ := s.key(l.User, v)
		candidates := map[string][]byte{"the right key": key, "an empty key": nil}
		if len(key) > 0 && v.Expect != Invalid {
			maps.Copy(candidates, wrongKeys(key))
		}
		for what, key := range candidates {
			lent := bytes.Clone(key)
			verify := link.Bind(s.Scheme, lent)
			clear(lent)
			want := s.Scheme.Verify(r, &l, key)
			for range 2 {
				if got := verify(r, &l); got != want {
					errs = append(errs, fmt.Errorf("%s: bound to %s the scheme says %t, and with the key %t", v.ID, what, got, want))
				}
			}
		}
	}
	return errs
}

// isConcurrent: many requests at once use one scheme.
func isConcurrent(s *Suite) (errs []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 3 {
				for _, v := range s.Vectors {
					verdict, err := s.judgeSafely(v)
					if err == nil && verdict.Word() != v.Expect {
						err = fmt.Errorf("%s: verdict %s among others at the same time, want %s", v.ID, describe(verdict), v.Expect)
					}
					if err != nil {
						mu.Lock()
						errs = append(errs, err)
						mu.Unlock()
						return
					}
				}
			}
		})
	}
	wg.Wait()
	return errs
}
