package definition

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
)

// Spec is a definition as it is configured: plain values, and the modules that were
// loaded for it.
type Spec struct {
	Profile     backend.Profile
	Methods     []string // that are let through with a link; none: GET and HEAD
	Strip       Strip
	CutUnsigned bool         // cut what the message does not cover
	Recognize   bool         // nothing is refused, so that the path cannot carry a signature
	Headers     []HeaderSpec // further headers of verified requests
	Schemes     []*SchemeSpec
}

// HeaderSpec is a further header of verified requests, with the template of its value.
type HeaderSpec struct {
	Name, Value string
}

// SchemeSpec is one scheme of a definition as it is configured.
type SchemeSpec struct {
	Name          string
	Kind          string // the last part of its module's id
	Configuration string // as it is written
	Factory       link.Factory
	User          string               // the template of the identity, or none; "": the scheme's own
	UserEncoding  string               // ascii, percent or utf8; "" is ascii
	Params        map[string]link.Rule // as they are configured
	Ignore        []string
	Policy        link.Policy
	Allow         []string    // codes of findings
	Between       [][2]string // placeholders between which `ambiguous_message` is allowed

	// Where the keys come from: one of the two. They are asked when all else is right.
	Keys  func() (keys.SetOpener, error)
	Users func() (keys.UserOpener, error)
}

// New compiles the definition. Everything that can be wrong is found here: what
// is wrong, and how to cure it.
func New(spec Spec) (*Definition, error) {
	d := &Definition{Profile: spec.Profile, Methods: spec.Methods, strip: spec.Strip, cutUnsigned: spec.CutUnsigned}
	if len(d.Methods) == 0 {
		d.Methods = []string{http.MethodGet, http.MethodHead}
	} else {
		d.bodies = d.Methods
	}
	if len(spec.Schemes) == 0 {
		return nil, errors.New("there is no scheme; name one, as in `signed_link akid {env.AKID_SECRET}`")
	}
	for _, c := range spec.Schemes {
		s, err := compileScheme(c, spec.Headers)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		if slices.ContainsFunc(d.Schemes, func(o *Scheme) bool { return o.Name == s.Name }) {
			return nil, fmt.Errorf("two schemes are named %q; tell them apart with the option name", s.Name)
		}
		s.Place = len(d.Schemes)
		d.Schemes = append(d.Schemes, s)
		if err := d.takePaths(s, spec.Recognize); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return d, d.index()
}

// compileScheme compiles one scheme.
func compileScheme(spec *SchemeSpec, requested []HeaderSpec) (*Scheme, error) {
	var err error
	s := &Scheme{Name: spec.Name, kind: spec.Kind, configuration: spec.Configuration, ignore: spec.Ignore, policy: spec.Policy}
	if err := checkToken("name", s.Name); err != nil {
		return nil, err
	}
	if s.Allowed, err = checkAllow(spec.Allow); err != nil {
		return nil, err
	}
	o := link.Options{User: spec.User, UserKeys: spec.Users != nil, Ignore: spec.Ignore, Rules: map[string]link.Rule{}, Allow: s.Allowed, Between: spec.Between}
	if spec.User == "none" {
		o.User, o.Nobody = "", true
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Params)) {
		rule, err := link.NewRule(spec.Params[name])
		if err != nil {
			return nil, fmt.Errorf("param %s: %w", name, err)
		}
		plain, err := ruleName(name)
		if err != nil {
			return nil, err
		}
		if _, twice := o.Rules[plain]; twice {
			return nil, fmt.Errorf("param %s: there is a rule for it already", plain)
		}
		o.Rules[plain] = rule
	}
	for _, name := range spec.Ignore {
		if strings.Trim(name, "*") == "" || strings.Contains(strings.TrimSuffix(name, "*"), "*") {
			return nil, fmt.Errorf("ignore: %q: write a name, or the beginning of names with one * at the end", name)
		}
		if encodedBracket(name) {
			return nil, fmt.Errorf("ignore: %q: write brackets as they are; they are found encoded, too", name)
		}
	}
	if s.Format, err = spec.Factory.NewScheme(o); err != nil {
		return nil, err
	}
	s.Description = s.Format.Describe()
	if len(s.Description.Signature) == 0 && (s.Description.Carrier == nil || !s.Description.Carrier.Signature) {
		return nil, errors.New("the scheme names no signature parameter, so no request could be told to be a link")
	}
	s.scoped, _ = s.Format.(link.Scoped)
	s.policy = s.policy.Or(s.Description.Policy)
	maps.Copy(o.Rules, s.Description.Rules)
	switch d := s.Description; {
	case s.policy.RequireExpiry && !d.Expires:
		return nil, errors.New("require_expiry: no link of this scheme says when it expires, so all would be refused; name the parameter with expires, or leave the option out")
	case s.policy.MaxLifetime > 0 && !d.Expires:
		return nil, errors.New("max_lifetime: no link of this scheme says when it expires, so nothing would be bounded; name the parameter with expires, or leave the option out")
	case s.policy.MaxAge > 0 && !d.Issues:
		return nil, errors.New("max_age: no link of this scheme says when it was made, so all would be refused; name the parameter with issued, or leave the option out")
	}
	if err := s.compileUser(spec); err != nil {
		return nil, err
	}
	if err := s.compileOutputs(requested); err != nil {
		return nil, err
	}
	if err := s.bindRules(o.Rules); err != nil {
		return nil, err
	}
	if err := s.openKeys(spec); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// userEncodings are the words for how the identity is written.
var userEncodings = map[string]headers.Encoding{
	"": headers.ASCII, "ascii": headers.ASCII, "percent": headers.Percent, "utf8": headers.UTF8,
}

// names are the placeholders of the scheme's own.
func (s *Scheme) names() keyedhash.Names { return keyedhash.Names{Fields: s.Description.Fields} }

// ruleName is the name of a `param` rule as schemes know it: a bare word is a parameter, or
// a claim; anything else stands in braces.
func ruleName(name string) (string, error) {
	inner, braced := strings.CutPrefix(name, "{")
	if !braced {
		return name, nil
	}
	inner, closed := strings.CutSuffix(inner, "}")
	inner = link.Typed(inner)
	kind, rest, _ := strings.Cut(inner, ".")
	switch {
	case !closed || rest == "":
	case kind == "query" || kind == "claim":
		return rest, nil
	case kind == "link" || kind == "path":
		return "{" + inner + "}", nil
	}
	return "", fmt.Errorf("param %s: write the name of a parameter, or {link.NAME} for a field, {path.N} for a segment of the path", link.Shown(name))
}

// encodedBracket reports whether the name, or beginning of names, could be that of an encoded
// spelling: of a signed user[id] in a query, no `ignore user%5*` may make another.
func encodedBracket(name string) bool {
	name, prefix := strings.CutSuffix(strings.ToUpper(name), "*")
	return strings.Contains(name, "%5B") || strings.Contains(name, "%5D") || prefix && (strings.HasSuffix(name, "%") || strings.HasSuffix(name, "%5"))
}

// compileUser compiles the template of the identity.
func (s *Scheme) compileUser(spec *SchemeSpec) error {
	userKeys := spec.Users != nil
	encoding, ok := userEncodings[spec.UserEncoding]
	if !ok {
		return fmt.Errorf("user: unknown value %q; write one of ascii, percent, utf8", spec.UserEncoding)
	}
	s.userValue = encoding
	template := spec.User
	if template == "" {
		template = s.Description.User
	}
	switch template {
	case "":
		return errors.New("several parameters are signed, or none: say which is the user, as in `user {query.user}`, or write `user none`")
	case "none":
		if userKeys {
			return errors.New("user none: with user_keys the link's user says whose secret it is; name the parameter")
		}
		return nil
	}
	var err error
	if s.User, err = s.names().Parse(template); err != nil {
		return fmt.Errorf("user: %w", err)
	}
	if userKeys && len(s.User.Claims()) > 0 {
		return errors.New("user: with user_keys the user is needed before the link is verified, so it cannot be a claim")
	}
	description := s.Description
	if userKeys {
		// the secret of that user verifies it, whether the message names it or not
		description.Signed = append(slices.Clone(description.Signed), s.User.Parameters()...)
		description.Determined = append(slices.Clone(description.Determined), s.User.Fields()...)
	}
	if err := s.User.CoveredBy(description); err != nil {
		return fmt.Errorf("user: %w", err)
	}
	return nil
}

// compileOutputs compiles the headers of verified requests.
func (s *Scheme) compileOutputs(requested []HeaderSpec) error {
	seen := make(map[string]bool)
	for _, x := range s.Description.Headers {
		// One that a scheme of another module brings must not be the identity, either.
		if err := headers.CheckOutput(x.Header); err != nil {
			return fmt.Errorf("the headers of the scheme: %w", err)
		}
		name := http.CanonicalHeaderKey(x.Header)
		if seen[name] {
			return fmt.Errorf("the headers of the scheme: %s is there twice", name)
		}
		seen[name] = true
		t, err := keyedhash.ParseTemplate("{claim." + x.Claim + "}")
		if err != nil {
			return err
		}
		s.outputs = append(s.outputs, output{name, t, false})
	}
	clear(seen)
	for _, x := range requested {
		if err := headers.CheckOutput(x.Name); err != nil {
			return fmt.Errorf("request_header %w", err)
		}
		name := http.CanonicalHeaderKey(x.Name)
		if seen[name] {
			return fmt.Errorf("request_header %s is given twice", x.Name)
		}
		seen[name] = true
		names := s.names()
		names.Locals = []string{"user"}
		t, err := names.Parse(x.Value)
		if err != nil {
			return fmt.Errorf("request_header %s: %w", x.Name, err)
		}
		if err := t.CoveredBy(s.Description); err != nil {
			return fmt.Errorf("request_header %s: %w", x.Name, err)
		}
		s.outputs = slices.DeleteFunc(s.outputs, func(o output) bool { return o.header == name })
		s.outputs = append(s.outputs, output{name, t, true})
	}
	return nil
}

// checkToken: names go into a header, a log and a metric.
func checkToken(option, name string) error {
	rule := link.Rule{Class: link.Token, Min: 1, Max: 64}
	if _, ok := rule.Check(name); !ok {
		return fmt.Errorf("%s %q: 1 to 64 letters, digits and - . _ ~", option, name)
	}
	return nil
}

// bindRules finds where the value of each rule is.
func (s *Scheme) bindRules(rules map[string]link.Rule) error {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		b := boundRule{name: name, rule: rules[name], field: -1}
		switch d := s.Description; {
		case strings.HasPrefix(name, "{"):
			var err error
			if b.value, err = s.names().Parse(name); err != nil {
				return fmt.Errorf("param %s: %w", name, err)
			}
			if fields := b.value.Fields(); len(fields) == 1 {
				b.field = slices.Index(d.Fields, fields[0])
			} else if _, implied := d.Rules[name]; !implied && b.value.CoveredBy(d) != nil {
				return fmt.Errorf("param %s: the message does not have it, so the rule would protect nothing", name)
			}
			if b.rule.Optional && !b.rule.Empty {
				return fmt.Errorf("param %s: a field, or a segment of the path, is there in every link: it is never optional", name)
			}
		case slices.Contains(d.Signed, name), slices.Contains(d.Expiry, name):
		case slices.Contains(d.Claims, name):
			b.claim = true
		case d.Coverage != link.Named:
		default:
			return fmt.Errorf("param %s: the message has no such parameter, so the rule would protect nothing; it has %s",
				name, strings.Join(append(d.Signed, d.Claims...), ", "))
		}
		s.rules = append(s.rules, b)
	}
	return nil
}
