// Package linktest is a conformance run that every scheme must pass: vectors in,
// verdicts out, and hostile requests that must do no harm. It needs the standard
// library and the packages link and query only, so that a scheme that is kept
// elsewhere can be tested with it, too:
//
//	func TestScheme(t *testing.T) {
//		s, err := new(Scheme).NewScheme(link.Options{})
//		if err != nil {
//			t.Fatal(err)
//		}
//		linktest.Run(t, linktest.Suite{
//			Scheme:  s,
//			Vectors: linktest.Load(t, "testdata/vectors.jsonl"),
//		})
//	}
package linktest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// Suite is a scheme as one configuration builds it, and vectors for just that
// configuration. At least one vector must be valid.
type Suite struct {
	Scheme  link.Scheme
	Vectors []Vector

	// The options that the scheme was built with, as far as the gateway acts on
	// them: the user's template (the description's, if empty; `{query.NAME}`,
	// `{link.NAME}`, `{path.N}`, `{claim.NAME}` and `none` are understood), the `param`
	// rules, by a parameter, a claim, `{link.NAME}` or `{path.N}`, the ignore list.
	User   string
	Rules  map[string]link.Rule
	Ignore link.Ignore

	Policy  link.Policy
	Profile backend.Profile

	// UserKeys are the secrets of the users, for a scheme that needs one of each.
	// Without them the key is the secret of the vector.
	UserKeys map[string]string
}

// Verdict is what the gateway would say of a link.
type Verdict struct {
	link.Refusal           // none: the link is valid
	User         string    // of a valid link
	Link         link.Link // as the scheme left it
}

// Word is the verdict as vectors have it.
func (v Verdict) Word() string {
	switch v.Reason {
	case "":
		return Valid
	case link.Expired:
		return Expired
	default:
		return Invalid
	}
}

// Judge judges a vector in the order in which the gateway does: the protected
// parameters are single and spelled plainly, the scheme reads, the rules hold, the
// signature is right, the time is right, the link is for this request.
func (s *Suite) Judge(v Vector) Verdict { return s.judge(NewRequest(v.URL), v) }

func (s *Suite) judge(r *link.Request, v Vector) Verdict {
	var verdict Verdict
	verdict.Refusal = s.single(r)
	if !verdict.None() {
		return verdict
	}
	l := &verdict.Link
	verdict.Refusal = s.read(r, l)
	if !verdict.None() {
		return verdict
	}
	if verdict.Refusal = s.check(r, l); !verdict.None() {
		return verdict
	}
	if key, ok := s.key(l.User, v); !s.Scheme.Verify(r, l, key) || !ok {
		verdict.Refusal = link.Refuse(link.BadSignature, "")
		return verdict
	}
	verdict.Refusal = s.Policy.Or(s.Scheme.Describe().Policy).Check(l, time.Unix(v.Now, 0))
	if scoped, ok := s.Scheme.(link.Scoped); ok && verdict.None() {
		verdict.Refusal = scoped.InScope(r, l)
	}
	if verdict.None() {
		verdict.User = s.render(r, l)
	}
	return verdict
}

// single is what the gateway asks of a query before a scheme sees it.
func (s *Suite) single(r *link.Request) link.Refusal {
	d := s.Scheme.Describe()
	names, err := query.NewNames(s.Profile, slices.Concat(d.Signature, d.Signed, d.Expiry, d.Carriers))
	if err != nil {
		return link.Refuse(link.Malformed, err.Error())
	}
	if r.Query.Control {
		return link.Refuse(link.Ambiguous, "control")
	}
	present := make(map[string]bool)
	for _, p := range r.Query.Pairs {
		i, spelling := names.Classify(r.Query.Segment(p))
		if spelling == query.Other {
			continue
		}
		name, raw := names.Name(i), r.Query.RawValue(p)
		switch {
		case spelling != query.Plain:
			return link.Refuse(link.Ambiguous, "lookalike")
		case present[name]:
			return link.Refuse(link.Ambiguous, "duplicate")
		case strings.Contains(raw, ";"):
			return link.Refuse(link.Ambiguous, "semicolon")
		case query.BrokenEscape(raw):
			return link.Refuse(link.Ambiguous, "escape")
		}
		present[name] = true
	}
	carriage := link.NoLink
	if d.Carrier != nil {
		carriage = d.Carrier.Carries(r.Path)
	}
	switch {
	case carriage == link.Broken:
		return link.Refuse(link.Malformed, "pattern")
	case carriage == link.Whole, slices.ContainsFunc(slices.Concat(d.Signature, d.Expiry), func(name string) bool { return present[name] }):
	default:
		return link.Refuse(link.Missing, "")
	}
	switch d.Coverage {
	case link.Sorted:
		if detail := r.Query.Unsteady(s.Profile, s.Ignore.Match); detail != "" {
			return link.Refuse(link.Ambiguous, detail)
		}
		if r.Query.Repeated(s.Profile, s.Ignore.Match) != "" {
			return link.Refuse(link.Ambiguous, "duplicate")
		}
	case link.Raw:
		if r.Query.SplitsSkipped(s.Profile, s.Ignore.Match) {
			return link.Refuse(link.Ambiguous, "semicolon")
		}
	case link.Named:
	}
	return link.Refusal{}
}

// read has the scheme read the request.
func (s *Suite) read(r *link.Request, l *link.Link) link.Refusal {
	*l = link.Link{}
	refusal := s.Scheme.Read(r, l)
	if s.UserKeys != nil && refusal.None() {
		l.User = s.render(r, l)
	}
	return refusal
}

// rules are the `param` rules, with those that the scheme adds or puts in their place.
func (s *Suite) rules() map[string]link.Rule {
	rules := maps.Clone(s.Scheme.Describe().Rules)
	if rules == nil {
		rules = make(map[string]link.Rule)
	}
	for name, rule := range s.Rules {
		if _, replaced := rules[name]; !replaced {
			rules[name] = rule
		}
	}
	return rules
}

// check applies the rules.
func (s *Suite) check(r *link.Request, l *link.Link) link.Refusal {
	d := s.Scheme.Describe()
	for name, rule := range s.rules() {
		value, there := r.Value(name)
		if i := fieldOf(d, name); i >= 0 && i < len(l.Fields) {
			value, there = l.Fields[i].Value, true
		} else if text, is := segmentOf(r, name); is {
			value, there = text, true
		} else if !there && slices.Contains(d.Claims, name) {
			value, there = l.Claims.Find(name)
		}
		if !there {
			if rule.Optional {
				continue
			}
			return link.Refuse(link.Malformed, "absent")
		}
		if detail, ok := rule.Check(value); !ok {
			return link.Refuse(link.Malformed, detail)
		}
	}
	return link.Refusal{}
}

// fieldOf returns the number of the field that the placeholder {link.NAME} names, or -1.
func fieldOf(d link.Description, placeholder string) int {
	name, ok := strings.CutPrefix(placeholder, "{link.")
	if !ok {
		return -1
	}
	return slices.Index(d.Fields, strings.TrimSuffix(name, "}"))
}

// segmentOf returns the segment of the path that the placeholder {path.N} names.
func segmentOf(r *link.Request, placeholder string) (text string, is bool) {
	number, ok := strings.CutPrefix(placeholder, "{path.")
	n, err := strconv.Atoi(strings.TrimSuffix(number, "}"))
	if !ok || err != nil || n < 0 {
		return "", false
	}
	segments := strings.Split(strings.TrimPrefix(r.Path, "/"), "/")
	if n >= len(segments) {
		return "", true
	}
	return query.UnescapePath(segments[n]), true
}

// key returns the key of a link, and whether there is one. Without one a dummy is
// compared, as the gateway does.
func (s *Suite) key(user string, v Vector) ([]byte, bool) {
	if s.UserKeys == nil {
		key, err := v.Key()
		return key, err == nil
	}
	if secret := s.UserKeys[user]; user != "" && secret != "" {
		return []byte(secret), true
	}
	return []byte("of a user who does not exist"), false
}

// template is the user's template.
func (s *Suite) template() string {
	if s.User != "" {
		return s.User
	}
	return s.Scheme.Describe().User
}

// render returns the identity of a request.
func (s *Suite) render(r *link.Request, l *link.Link) string {
	if i := fieldOf(s.Scheme.Describe(), s.template()); i >= 0 && i < len(l.Fields) {
		return l.Fields[i].Value
	}
	if text, is := segmentOf(r, s.template()); is {
		return text
	}
	name, ok := strings.CutSuffix(s.template(), "}")
	if !ok {
		return ""
	}
	if claim, ok := strings.CutPrefix(name, "{claim."); ok {
		return l.Claims.Get(claim)
	}
	value, _ := r.Value(strings.TrimPrefix(name, "{query."))
	return value
}

// Run runs everything that a scheme must do, and must never do. Run it with -race.
func Run(t *testing.T, s Suite) {
	t.Helper()
	if s.Scheme == nil || !slices.ContainsFunc(s.Vectors, func(v Vector) bool { return v.Expect == Valid }) {
		t.Fatal("a suite has a scheme and at least one valid vector")
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			told := make(map[string]bool)
			for _, err := range c.run(&s) {
				if !told[err.Error()] {
					t.Error(err)
				}
				told[err.Error()] = true
			}
		})
	}
}
