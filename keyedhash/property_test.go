package keyedhash_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/pattern"
	"github.com/signedlink/caddy-signed-link/query"
)

// The property of this package, over declarations drawn at random: two links with one
// message and one key have the same outputs, times, key id and forwarded fields, decoded
// once. And what is refused as ambiguous_message or unsigned_identity has a pair that
// differs in one of them.
//
//	go test ./keyedhash -run TestProperty -declarations 20000 -seed 7

var (
	declarations = flag.Int("declarations", 40, "how many declarations TestProperty draws")
	seed         = flag.Uint64("seed", 1, "from which TestProperty draws them")
)

// drawn is a declaration at random.
type drawn struct {
	config  keyedhash.Config
	user    string
	header  string // the template of a request_header
	rules   map[string]link.Rule
	ignore  []string
	byUser  bool // each user has a secret
	allow   []string
	between [][2]string

	tokens []*pattern.Pattern
	path   *pattern.Pattern
	cut    int // the segment that is the signature, -1: none
}

func (d *drawn) String() string {
	c := &d.config
	var b strings.Builder
	fmt.Fprintf(&b, "algorithm %s\nmessage %q\nuser %q\nrequest_header X %q\n", c.Algorithm, c.Message, d.user, d.header)
	if c.Signature != "" {
		fmt.Fprintf(&b, "signature %s\n", c.Signature)
	}
	for _, t := range c.Tokens {
		fmt.Fprintf(&b, "token %s %s %q\n", t.Parameter, t.Transforms, t.Pattern)
	}
	if c.Path != nil {
		fmt.Fprintf(&b, "path %q to %q\n", c.Path.Pattern, c.Path.To)
	}
	fmt.Fprintf(&b, "expires %+v\nissued %+v\n", c.Expires, c.Issued)
	for name, r := range d.rules {
		fmt.Fprintf(&b, "param %s %+v\n", name, r)
	}
	fmt.Fprintf(&b, "ignore %v user_keys %v between %v\n", d.ignore, d.byUser, d.between)
	return b.String()
}

// drawDeclaration draws a declaration with few names and short texts, so that values collide
// soon where they can.
func drawDeclaration(random *rand.Rand) *drawn {
	pick := func(choices ...string) string { return choices[random.IntN(len(choices))] }
	one := func(in int) bool { return random.IntN(in) == 0 }
	d := &drawn{cut: -1, rules: make(map[string]link.Rule)}
	c := &d.config
	keyed := !one(3)
	c.Algorithm = pick("md5", "sha1", "sha256")
	if keyed {
		c.Algorithm = "hmac-" + c.Algorithm
	}
	var names []string // of fields that are no signature
	fields := 0
	makePattern := func(path, signed bool) string {
		var b strings.Builder
		if path {
			b.WriteString(pick("/", "/u/", "/u-", "/u/"))
		} else if one(4) {
			b.WriteString(pick("v1:", "1", "-"))
		}
		n, greedy := 1+random.IntN(3), -1
		if one(3) {
			greedy = random.IntN(n + 1)
		}
		at := -1
		if signed {
			at = random.IntN(n + 1)
		} else {
			n--
		}
		for i := range n + 1 {
			if i > 0 {
				if path && !one(3) {
					b.WriteString(pick("/", "/", "/x/"))
				} else {
					b.WriteString(pick("-", "--", "aba", "1", ".", "_", ":", "ab", "-1-", "é", "|"))
				}
			}
			name := "signature"
			if i != at {
				name = string(rune('f' + fields))
				fields++
				names = append(names, name)
				if i == greedy {
					b.WriteString("<" + name + "...>")
					continue
				}
			}
			b.WriteString("<" + name + ">")
		}
		if one(5) {
			b.WriteString(pick("-", "/", ".x", "1"))
		}
		return b.String()
	}
	carrier := random.IntN(5)
	if carrier < 2 {
		c.Signature = "{query.sig}"
	}
	for i := range 2 {
		signed := i == 0 && carrier == 2
		if !signed && !one(4) {
			continue
		}
		t := keyedhash.Token{Parameter: pick("{query.t}", "{query.s}"), Pattern: makePattern(false, signed)}
		for one(4) {
			t.Transforms = append(t.Transforms, pick("unbase64", "unbase64url", "unhex"))
		}
		c.Tokens = append(c.Tokens, t)
	}
	switch {
	case carrier == 3, carrier < 3 && one(4):
		p := &keyedhash.Path{Pattern: makePattern(true, carrier == 3)}
		c.Path = p
	case carrier == 4:
		d.cut = 1 + random.IntN(3)
		c.Signature = fmt.Sprintf("{path.%d}", d.cut)
	}

	placeholder := func() string {
		switch n := random.IntN(24); {
		case n < 8 && len(names) > 0:
			return "{" + pick("link", "link", "link", "raw_link") + "." + names[random.IntN(len(names))] + "}"
		case n < 15:
			return "{query." + pick("a", "b", "c") + "}"
		case n < 17:
			return "{raw_query." + pick("a", "b", "t") + "}"
		case n < 18:
			return pick("{query}", "{sorted_query}")
		case n < 20 && carrier != 3:
			return fmt.Sprintf("{path.%d}", random.IntN(max(d.cut, 2)))
		case n < 21 && carrier < 3:
			return pick("{path}", "{raw_path}")
		case n < 22:
			return pick("{host}", "{method}", "{scheme}", "{client_ip}", "{hostport}")
		default:
			return "{query." + pick("a", "b", "t") + "}"
		}
	}
	var parts []string
	for n := 1 + random.IntN(4); len(parts) < 2*n; {
		next := placeholder()
		if !one(10) && slices.ContainsFunc(parts, func(p string) bool { return dependent(d, p, next) }) && !one(30) {
			if one(20) {
				break
			}
			continue
		}
		parts = append(parts, next, pick("", "", "|", "|", "-", "1", "aba", `\n`))
	}
	if !keyed {
		parts = slices.Insert(parts, random.IntN(len(parts)+1), "{secret}")
	}
	c.Message = strings.Join(parts, "")

	unraw := func(s string) string { return strings.ReplaceAll(s, "{raw_", "{") }
	some := func() string { // something of the message, mostly
		if p := unraw(parts[2*random.IntN((len(parts)+1)/2)]); strings.HasPrefix(p, "{query.") || strings.HasPrefix(p, "{link.") || strings.HasPrefix(p, "{path.") {
			return p
		}
		return unraw(placeholder())
	}
	if c.Path != nil && one(2) || carrier == 3 && !one(4) {
		d.pathTo(random, c.Path, names)
	}
	if one(3) {
		c.Expires = drawTime(pick, one, some)
		if one(3) {
			c.Expires.Never = pick("0", "inf", "11111111111")
		}
		c.Expires.Exclusive = one(3)
	}
	if one(6) {
		c.Issued = drawTime(pick, one, some)
	}
	d.user, d.header = "none", "x"
	if !one(3) {
		d.user = some()
		if one(4) {
			d.user += pick("-", "") + some()
		}
		d.byUser = one(4)
	}
	if one(3) {
		d.header = pick(some(), some(), "{path}", "{raw_path}", "{host}", "{path.1}")
	}
	if one(5) {
		d.ignore = []string{pick("u*", "c", "b")}
	}
	for _, key := range []string{"a", "b", "c", "{link.f}", "{link.g}", "{link.h}", "{path.1}"} {
		if one(2) {
			continue
		}
		r := link.Rule{Class: link.Class(pick("digits", "hex", "alnum", "token", "email", "text", "one_of"))}
		if r.Class == link.OneOf {
			r.Values = [][]string{{"1", "11"}, {"a", "ab", "b"}, {"-1", "1-", "1"}, {"1", "12", "2"}}[random.IntN(4)]
		} else {
			r.Without = pick("", "", "|", "-", "-|")
			r.Min = random.IntN(3)
			if !one(3) {
				r.Max = max(r.Min, 1) + random.IntN(3)
			}
			if r.Class == link.Email {
				r.Min, r.Max = 0, 0
			}
		}
		if r.Optional = one(4) && !strings.HasPrefix(key, "{"); r.Optional {
			r.Empty = one(2)
		}
		if rule, err := link.NewRule(r); err == nil {
			d.rules[key] = rule
		}
	}
	return d
}

// dependent reports whether one of the placeholders says something about the other.
func dependent(d *drawn, a, b string) bool {
	unraw := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "raw_", ""), "sorted_", "") }
	a, b = unraw(a), unraw(b)
	field := func(s string) (tokenOf string, ofPath bool) {
		name, ok := strings.CutPrefix(s, "{link.")
		name = "<" + strings.TrimSuffix(name, "}")
		has := func(p string) bool { return strings.Contains(p, name+">") || strings.Contains(p, name+".") }
		if !ok {
			return "", false
		}
		for _, t := range d.config.Tokens {
			if has(t.Pattern) {
				return t.Parameter, false
			}
		}
		return "", true
	}
	for _, x := range [][2]string{{a, b}, {b, a}} {
		t, ofPath := field(x[0])
		_, alsoOfPath := field(x[1])
		switch {
		case x[0] == x[1],
			x[0] == "{query}" && strings.HasPrefix(x[1], "{query"),
			t != "" && (x[1] == "{query}" || x[1] == t),
			x[0] == "{path}" && strings.HasPrefix(x[1], "{path"),
			ofPath && strings.HasPrefix(x[1], "{path"),
			ofPath && alsoOfPath && strings.Contains(d.config.Message, "raw_link"),
			strings.HasPrefix(x[0], "{host") && strings.HasPrefix(x[1], "{host"):
			return true
		}
	}
	return false
}

// dependent reports whether parts of the message say something about each other, so that the
// checker need not be able to show anything.
func (d *drawn) dependent() bool {
	all := placeholders.FindAllString(d.config.Message, -1)
	for i := range all {
		all[i] = all[i][:strings.IndexByte(all[i], '}')+1]
		if strings.HasPrefix(d.config.Expires.Plus+d.config.Issued.Plus, "{") {
			return true // a time of two values: where the one is for ever, the other may be anything
		}
		if d.byUser {
			return true // two links with one message and one user
		}
		if slices.ContainsFunc(d.config.Tokens, func(t keyedhash.Token) bool {
			return t.Parameter == strings.ReplaceAll(all[i], "raw_", "") // not any text is a token
		}) {
			return true
		}
		if strings.HasSuffix(all[i], "query}") && (d.config.Expires.Value != "" || d.config.Issued.Value != "" || len(d.tokens) > 0 || strings.Contains(d.user, "{query.")) {
			return true // times, tokens and the user have to be in it, too
		}
		if rule := d.rules["{path.1}"]; rule.Class != "" && strings.Contains(all[i], "path}") || d.path != nil && strings.Contains(all[i], "path") {
			return true
		}
		for _, other := range all[:i] {
			if all[i] != "{secret}" && dependent(d, other, all[i]) {
				return true
			}
		}
	}
	return false
}

func (d *drawn) pathTo(random *rand.Rand, p *keyedhash.Path, names []string) {
	p.To = "/app"
	for range random.IntN(3) {
		if len(names) > 0 {
			p.To += []string{"/", "/", "-"}[random.IntN(3)] + "{link." + names[random.IntN(len(names))] + "}"
		}
	}
}

func drawTime(pick func(...string) string, one func(int) bool, some func() string) keyedhash.Time {
	t := keyedhash.Time{Value: some(), Format: pick("", "", "unix", "unix_ms", "hex", "base62", "base64", "rfc3339", "YYYYMMDD", "YYYY-MM-DD", "YYMMDD", "YYYY-MM-DD hh:mm")}
	if strings.Contains(t.Format, "YY") && one(2) {
		t.Zone = "Europe/Berlin"
	}
	if one(3) {
		t.Plus, t.Unit = pick("90", some(), some()), pick("seconds", "minutes", "days")
	}
	return t
}

var wrongRule = regexp.MustCompile(`param (\S+):`)

// repair takes away what the error names, so that of the declarations drawn many load; it
// reports whether it could. Ambiguity and trust are left as they are.
func (d *drawn) repair(err error) bool {
	text, c := err.Error(), &d.config
	before := d.String()
	switch rule := wrongRule.FindStringSubmatch(text); {
	case rule != nil:
		delete(d.rules, rule[1])
	case strings.Contains(text, "ignore:"):
		d.ignore = nil
	case strings.Contains(text, "path: to:"):
		c.Path.To = ""
		if strings.Contains(c.Path.Pattern, "<signature>") {
			c.Path.To = "/app"
		}
	case strings.Contains(text, "expires:"):
		c.Expires = keyedhash.Time{}
	case strings.Contains(text, "issued:"):
		c.Issued = keyedhash.Time{}
	case strings.Contains(text, "{raw_link."):
		c.Message = strings.ReplaceAll(c.Message, "{raw_link.", "{link.")
	case strings.Contains(text, "taken apart already"):
		c.Tokens = c.Tokens[:1]
		d.tokens = d.tokens[:1]
	case strings.Contains(text, "no pattern has such a field"), strings.Contains(text, "there are no fields"):
		c.Message = strings.ReplaceAll(c.Message, "{link.h}", "{query.a}")
	case strings.Contains(text, "would cut them there"):
		c.Encoding = "base64url"
	case strings.Contains(text, "carries the signature, so it cannot be signed"):
		c.Message = strings.ReplaceAll(strings.ReplaceAll(c.Message, "query.t}", "query.a}"), "query.s}", "query.b}")
	case strings.Contains(text, "user:"):
		d.user, d.byUser = "none", false
	case strings.Contains(text, "request_header"):
		d.header = "x"
	}
	return d.String() != before
}

// load compiles the declaration, and repairs it where that can be done.
func (d *drawn) load() (*definition.Definition, error) {
	for {
		compiled, err := d.compile()
		if err == nil || strings.Contains(err.Error(), "(unsigned_identity)") && !strings.Contains(err.Error(), "path: to:") ||
			strings.Contains(err.Error(), "(ambiguous_message)") || !d.repair(err) {
			return compiled, err
		}
	}
}

// compile takes the drawn declaration as a definition has it. At first only what is drawn is
// compiled, then what was refused is allowed.
func (d *drawn) compile() (*definition.Definition, error) {
	spec := &definition.SchemeSpec{
		Name: "drawn", Factory: drawnFactory(d.config), User: d.user, UserEncoding: "percent", Ignore: d.ignore, Between: d.between,
		Params: d.rules, Allow: append([]string{"length_extension", "unsigned_expiry"}, d.allow...),
		Policy: link.Policy{MaxAhead: 240 * 365 * 24 * time.Hour, ClockSkew: 0},
	}
	if d.byUser {
		spec.Users = func() (keys.UserOpener, error) { return everybody{}, nil }
	} else {
		set, err := keys.NewSet(keys.Key{Secret: keys.NewSecret([]byte("the one"))})
		if err != nil {
			return nil, err
		}
		spec.Keys = func() (keys.SetOpener, error) { return oneSet{set}, nil }
	}
	strip := definition.StripSignature
	if d.config.Path != nil && d.config.Path.To == "" {
		strip = definition.StripNone
	}
	return definition.New(definition.Spec{
		Profile: backend.Strict, Methods: []string{http.MethodGet, "GE", "G"}, Strip: strip,
		Headers: []definition.HeaderSpec{{Name: "X-Out", Value: d.header}}, Schemes: []*definition.SchemeSpec{spec},
	})
}

// method is what the checker takes for a method.
var method = regexp.MustCompile(`^[A-Z]{1,32}$`)

type drawnFactory keyedhash.Config

func (c drawnFactory) NewScheme(o link.Options) (link.Scheme, error) {
	return keyedhash.New(keyedhash.Config(c), o)
}

type oneSet struct{ set *keys.Set }

func (s oneSet) OpenSet() (keys.SetSource, error) { return s, nil }
func (s oneSet) KeySet() *keys.Set                { return s.set }

// everybody has a secret, and a different one.
type everybody struct{}

func (everybody) OpenUsers() (keys.UserSource, error) { return everybody{}, nil }
func (everybody) UserKey(_ context.Context, user string) (keys.Secret, error) {
	return keys.NewSecret([]byte("the one of " + user)), nil
}

// parts are the values of a request, from which it is put together.
type parts struct {
	query    map[string]string // parameters, decoded; tokens are made of fields
	fields   map[string]string // decoded
	segments []string          // decoded, where no pattern is
	bare     string            // a further segment of the query
	host     string
	method   string
	scheme   string
	ip       string
	spelling uint64 // how it is escaped; 0: as little as can be
	order    uint64
}

func (p *parts) clone() *parts {
	c := *p
	c.query, c.fields, c.segments = maps.Clone(p.query), maps.Clone(p.fields), slices.Clone(p.segments)
	return &c
}

// escape escapes what has to be, and with a spelling more.
func escape(text string, path bool, spelling uint64, name string) string {
	random := rand.New(rand.NewPCG(spelling, hashOf(name)))
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 ||
			strings.IndexByte("!$'()*,:@", c) >= 0 || path && strings.IndexByte("&=+/", c) >= 0 || !path && strings.IndexByte("|/", c) >= 0
		switch {
		case spelling == 0 && plain, plain && random.IntN(4) > 0:
			b.WriteByte(c)
		case c == ' ' && !path && random.IntN(2) == 0:
			b.WriteByte('+')
		case random.IntN(2) == 0 && spelling != 0:
			fmt.Fprintf(&b, "%%%02x", c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func hashOf(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// request puts the parts together, with this signature.
func (d *drawn) request(p *parts, signature string) (*link.Request, error) {
	r := &link.Request{Method: p.method, Scheme: p.scheme, Host: p.host, ClientIP: p.ip}
	field := func(name string) string {
		if name == "signature" {
			return signature
		}
		return p.fields[name]
	}
	var segments []string
	tokens := make(map[string]bool)
	for i, t := range d.config.Tokens {
		var values []string
		for _, f := range d.tokens[i].Fields() {
			values = append(values, field(f.Name))
		}
		text := string(d.tokens[i].Join(nil, values))
		for _, x := range slices.Backward(t.Transforms) {
			switch x {
			case "unbase64":
				encoding := base64.StdEncoding
				if p.spelling%2 == 1 {
					encoding = base64.RawStdEncoding
				}
				text = encoding.EncodeToString([]byte(text))
			case "unbase64url":
				text = base64.RawURLEncoding.EncodeToString([]byte(text))
			default:
				text = hex.EncodeToString([]byte(text))
				if p.spelling%3 == 1 {
					text = strings.ToUpper(text)
				}
			}
		}
		name := strings.TrimSuffix(strings.TrimPrefix(t.Parameter, "{query."), "}")
		tokens[name] = true
		segments = append(segments, name+"="+escape(text, false, p.spelling, name))
	}
	for _, name := range []string{"a", "b", "c", "s", "t", "ux"} {
		if value, ok := p.query[name]; ok && !tokens[name] {
			segments = append(segments, name+"="+escape(value, false, p.spelling, name))
		}
	}
	if p.bare != "" {
		segments = append(segments, p.bare)
	}
	if d.config.Signature == "{query.sig}" {
		segments = append(segments, "sig="+signature)
	}
	rand.New(rand.NewPCG(p.order, 1)).Shuffle(len(segments), func(i, j int) { segments[i], segments[j] = segments[j], segments[i] })
	switch {
	case d.path != nil:
		var values []string
		for _, f := range d.path.Fields() {
			values = append(values, escape(field(f.Name), true, p.spelling, f.Name))
		}
		r.Path = string(d.path.Join(nil, values))
	default:
		for i, s := range p.segments {
			r.Path += "/" + escape(s, true, p.spelling, strconv.Itoa(i))
		}
		if d.cut >= 0 {
			r.Path += "/" + signature
		}
	}
	if r.Path == "" {
		r.Path = "/"
	}
	// the path is what net/url makes of it, as in the gateway
	u, err := url.ParseRequestURI(r.Path)
	if err != nil || u.EscapedPath() != r.Path {
		return nil, errors.New("no path")
	}
	return r, r.Query.Parse(strings.Join(segments, "&"))
}

// words draws values of the declaration.
type words struct {
	d      *drawn
	random *rand.Rand
	bits   []string // what values are made of
	times  map[string][]string
}

func newWords(d *drawn, s *keyedhash.Scheme, random *rand.Rand) *words {
	w := &words{d: d, random: random, bits: []string{"1", "1", "a", "b", "-", "|", "@", ".", "2", "ab", " "}, times: make(map[string][]string)}
	for _, p := range append(slices.Clone(d.tokens), d.path) {
		if p != nil {
			w.bits = append(w.bits, p.Literals()...)
		}
	}
	for _, t := range []keyedhash.Time{d.config.Expires, d.config.Issued} {
		if t.Value == "" {
			continue
		}
		texts := map[string][]string{
			"": {"1111111111", "1111111112", "11"}, "unix": {"1111111111", "1111111112", "1"}, "unix_ms": {"1111111111111", "1111111111112"}, "hex": {"11111111", "1111111a", "1111111A"},
			"base62": {"1abab1", "11111a"}, "base64": {"a1aba1", "aaaaaQ", "aaaaaA"}, "rfc3339": {"2011-11-11T11:11:11Z", "2011-11-11T12:11:11+01:00", "2011-11-11T11:11:11.1Z"},
			"YYYYMMDD": {"20111111", "20111112"}, "YYYY-MM-DD": {"2011-11-11", "2011-11-12"}, "YYMMDD": {"111111", "111112"}, "YYYY-MM-DD hh:mm": {"2011-11-11 11:11", "2011-11-11 11:12"},
		}[t.Format]
		if t.Never != "" {
			texts = append(texts, t.Never)
		}
		w.times[t.Value] = append(w.times[t.Value], texts...)
		if strings.HasPrefix(t.Plus, "{") {
			w.times[t.Plus] = append(w.times[t.Plus], "1", "11", "12", "111", t.Never)
		}
	}
	return w
}

// value draws a value; key is the name of its rule, and placeholder what a template calls it.
func (w *words) value(key, placeholder string) string {
	if texts := w.times[placeholder]; len(texts) > 0 && w.random.IntN(10) > 0 {
		return texts[w.random.IntN(len(texts))]
	}
	rule, ruled := w.d.rules[key]
	for range 20 {
		var text string
		switch {
		case ruled && rule.Class == link.OneOf:
			text = rule.Values[w.random.IntN(len(rule.Values))]
		case ruled && rule.Class == link.Email:
			text = w.word(1) + "@" + w.word(1)
		default:
			text = w.word(0)
		}
		if _, ok := rule.Check(text); !ruled || ok {
			return text
		}
	}
	return "1"
}

func (w *words) word(least int) string {
	var b strings.Builder
	for range least + w.random.IntN(4) {
		b.WriteString(w.bits[w.random.IntN(len(w.bits))])
	}
	return b.String()
}

func (w *words) draw(p *parts, what string) {
	kind, name, _ := strings.Cut(what, ".")
	switch kind {
	case "query":
		rule, ruled := w.d.rules[name]
		if (rule.Optional || !ruled && len(w.times["{query."+name+"}"]) > 0) && w.random.IntN(3) == 0 {
			delete(p.query, name)
			return
		}
		p.query[name] = w.value(name, "{query."+name+"}")
	case "link":
		p.fields[name] = w.value("{link."+name+"}", "{link."+name+"}")
	case "path":
		n, _ := strconv.Atoi(name)
		for len(p.segments) <= n {
			p.segments = append(p.segments, "1")
		}
		p.segments[n] = w.value("{path."+name+"}", "{path."+name+"}")
	case "segments":
		p.segments = p.segments[:0]
		n := w.random.IntN(4)
		if w.d.cut >= 0 {
			n = w.d.cut
		}
		for i := range n {
			p.segments = append(p.segments, w.value(fmt.Sprintf("{path.%d}", i), fmt.Sprintf("{path.%d}", i)))
		}
	case "bare":
		p.bare = []string{"", "=1", "ux", "&", "=", "a", "ux=1&&"}[w.random.IntN(7)]
	case "spelling":
		p.spelling = []uint64{0, 0, w.random.Uint64N(1000) + 1}[w.random.IntN(3)]
	case "host":
		p.host = []string{"1", "a", "1a", "a-1", "1:1", "example.org"}[w.random.IntN(6)]
	case "method":
		p.method = []string{"GET", "GE", "G"}[w.random.IntN(3)]
	case "scheme":
		p.scheme = []string{"http", "https"}[w.random.IntN(2)]
	case "client":
		p.ip = []string{"1.1.1.1", "11.1.1.1", "1.1.1.11", "::1"}[w.random.IntN(4)]
	case "order":
		p.order = w.random.Uint64N(8)
	}
}

// everything is what can be drawn.
func (d *drawn) everything() []string {
	all := []string{"query.a", "query.b", "query.c", "query.t", "query.s", "query.ux", "bare", "spelling", "host", "method", "scheme", "client", "order"}
	if d.path == nil {
		all = append(all, "segments", "path.0", "path.1")
	}
	for _, p := range append(slices.Clone(d.tokens), d.path) {
		if p == nil {
			continue
		}
		for _, f := range p.Fields() {
			if f.Name != "signature" {
				all = append(all, "link."+f.Name)
			}
		}
	}
	return all
}

// text of the parts for a placeholder, and setting it, where that can be done.
func (p *parts) text(name string) (string, bool) {
	kind, rest, _ := strings.Cut(name, ".")
	switch kind {
	case "query", "raw_query":
		v, ok := p.query[rest]
		return v, ok
	case "link", "raw_link":
		v, ok := p.fields[rest]
		return v, ok
	case "path":
		if n, err := strconv.Atoi(rest); err == nil && n < len(p.segments) {
			return p.segments[n], true
		}
	case "host":
		return p.host, true
	case "method":
		return p.method, true
	case "client_ip":
		return p.ip, true
	}
	return "", false
}

func (p *parts) set(name, text string) {
	kind, rest, _ := strings.Cut(name, ".")
	switch kind {
	case "query", "raw_query":
		p.query[rest] = text
	case "link", "raw_link":
		p.fields[rest] = text
	case "path":
		if n, err := strconv.Atoi(rest); err == nil && n < len(p.segments) {
			p.segments[n] = text
		}
	case "host":
		p.host = text
	case "method":
		p.method = text
	}
}

var placeholders = regexp.MustCompile(`\{([^}]*)\}([^{]*)`)

// shift moves bytes over the boundary of two neighbours of the message.
func (w *words) shift(p *parts) {
	all := placeholders.FindAllStringSubmatch(w.d.config.Message, -1)
	if len(all) < 2 {
		return
	}
	i := w.random.IntN(len(all) - 1)
	one, between, next := all[i][1], strings.ReplaceAll(all[i][2], `\n`, "\n"), all[i+1][1]
	a, ok := p.text(one)
	b, ok2 := p.text(next)
	if !ok || !ok2 {
		return
	}
	text := a + between + b
	for range 4 {
		if n := w.random.IntN(len(text) + 1); strings.HasPrefix(text[n:], between) {
			p.set(one, text[:n])
			p.set(next, text[n+len(between):])
			return
		}
	}
}

// judged is a request that can be a link, and what of it must be the message's.
type judged struct {
	request *link.Request
	parts   *parts
	key     string // message and user
	facts   string // determined: outputs, times, key id, forwarded fields
	loose   string // user and header, whether they are covered or not
}

// subject is a declaration that is tried.
type subject struct {
	*drawn
	scheme     *keyedhash.Scheme
	definition *definition.Definition
	user       *keyedhash.Template
	header     *keyedhash.Template
	refused    map[string]int // why links were
}

// read reads a request, and judges it without its signature.
func (s *subject) read(p *parts) *judged {
	r, err := s.request(p, "x")
	if err != nil || r.Query.Control || !method.MatchString(r.Method) {
		return nil
	}
	var l link.Link
	if refusal := s.scheme.Read(r, &l); !refusal.None() {
		return nil
	}
	values := &keyedhash.Values{Fields: l.Fields}
	j := &judged{request: r, parts: p}
	if s.byUser {
		l.User = s.user.Render(r, values)
		j.key = l.User
	}
	if strings.Contains(s.config.Message, "{client_ip}") {
		j.key += "\x00" + r.ClientIP // a pair for another address is a warning
	}
	j.key += "\x00" + string(s.scheme.AppendMessage(nil, r, &l, []byte("\x00\xffsecret\xff\x00")))
	if s.user != nil {
		j.loose = fmt.Sprintf("user=%q ", s.user.Render(r, values))
	}
	j.loose += fmt.Sprintf("header=%q", s.header.Render(r, values))

	// the facts
	description := s.scheme.Describe()
	var b strings.Builder
	b.WriteString(l.KeyID)
	for i, t := range []link.Timestamp{l.Expires, l.Issued} {
		if s.allowed("unsigned_expiry") {
			break
		}
		at, present, ok := t.Time()
		end, _, _ := t.End()
		if !ok {
			return nil // refused, if late
		}
		fmt.Fprintf(&b, " time %d %v %d %d", i, present, at.UnixNano(), end.UnixNano())
	}
	for i, name := range description.Fields {
		if slices.Contains(description.Determined, name) {
			fmt.Fprintf(&b, " %s=%q", name, l.Fields[i].Value)
		}
	}
	for _, name := range description.Signed {
		value, _ := r.Value(name)
		if slices.Contains(description.Expiry, name) && s.unsigned(name) {
			continue
		}
		fmt.Fprintf(&b, " %s=%q", name, value)
	}
	if description.Path {
		fmt.Fprintf(&b, " path=%q", query.UnescapePath(r.Path))
	}
	for _, n := range description.PathSegments {
		all := append(strings.Split(r.Path, "/"), "", "", "", "") // what is not there is empty
		fmt.Fprintf(&b, " path.%d=%q", n, query.UnescapePath(all[n+1]))
	}
	if l.Path != "" && s.cut < 0 {
		fmt.Fprintf(&b, " moved=%q", query.UnescapePath(l.Path))
	}
	if description.Host {
		b.WriteString(" host=" + strings.Split(r.Host, ":")[0])
	}
	if description.Method {
		b.WriteString(" method=" + r.Method)
	}
	if description.Coverage != link.Named {
		own := make(map[string]string)
		for _, pair := range r.Query.Pairs {
			name := r.Query.RawName(pair)
			if !slices.Contains(description.Signature, name) && !link.Ignore(s.ignore).Match(name) {
				own[query.Unescape(name)] += query.Unescape(r.Query.RawValue(pair)) + "&"
			}
		}
		fmt.Fprintf(&b, " query=%q", fmt.Sprint(own))
	}
	j.facts = b.String()
	return j
}

// allowed reports whether the declaration needs the `allow`.
func (s *subject) allowed(code string) bool {
	return slices.ContainsFunc(s.definition.Schemes[0].Findings, func(f link.Finding) bool { return f.Code == code })
}

// unsigned reports whether the parameter is a time that stands beside the message.
func (s *subject) unsigned(name string) bool {
	t, err := keyedhash.ParseTemplate("{query." + name + "}")
	return err != nil || t.CoveredBy(s.scheme.Describe()) != nil
}

// verifies reports whether the gateway lets the request through with the signature of this
// link, and what it says then.
func (s *subject) verifies(j, signedAs *judged) (said string, ok bool) {
	var l link.Link
	s.scheme.Read(signedAs.request, &l)
	secret := "the one"
	if s.byUser {
		l.User = s.user.Render(signedAs.request, &keyedhash.Values{Fields: l.Fields})
		secret += " of " + l.User
	}
	mac := keyedhash.MACOf(s.scheme)
	signature := string(mac.AppendSignature(nil, []byte(secret), s.scheme.AppendMessage(nil, signedAs.request, &l, []byte(secret))))
	r, err := s.request(j.parts, signature)
	if err != nil {
		return "", false
	}
	v := s.definition.Judge(context.Background(), r, nil, time.Unix(0, 0))
	var headers []string
	for _, h := range v.Headers {
		headers = append(headers, h.Name+"="+h.Value)
	}
	return v.String() + " " + strings.Join(headers, " ") + " to " + query.UnescapePath(v.Path),
		v.None() || v.Signed() && (v.Reason == link.Expired || v.Reason == link.NotYetValid) // at another time it is valid
}

var ambiguous = regexp.MustCompile(`\(ambiguous_message\)`)

// TestProperty draws declarations; see the top of this file.
func TestProperty(t *testing.T) {
	tally := make(map[string]int)
	for n := range uint64(*declarations) {
		random := rand.New(rand.NewPCG(*seed, n))
		d := drawDeclaration(random)
		tally[tryDeclaration(t, fmt.Sprintf("seed %d, declaration %d", *seed, n), d, random)]++
		if t.Failed() {
			break
		}
	}
	// Other values may be such that a pattern or a rule leaves one of what is not signed.
	if none, found := tally["unsigned_identity without a pair"], tally["unsigned_identity"]; none > 1+found/20 {
		t.Errorf("%d of %d declarations that are refused for their identity have no pair", none, none+found)
	}
	for _, what := range slices.Sorted(maps.Keys(tally)) {
		t.Logf("%5d %s", tally[what], what)
	}
}

// tryDeclaration says what became of a declaration, and tells the test where it breaks the
// property.
func tryDeclaration(t *testing.T, which string, d *drawn, random *rand.Rand) string {
	for _, x := range d.config.Tokens {
		p, err := pattern.Parse(x.Pattern)
		if err != nil {
			return "no pattern"
		}
		d.tokens = append(d.tokens, p)
	}
	if d.config.Path != nil {
		p, err := pattern.ParsePath(d.config.Path.Pattern)
		if err != nil {
			return "no pattern"
		}
		d.path = p
	}
	compiled, err := d.load()
	switch {
	case err == nil:
		s, err := d.subject(compiled)
		if err != nil {
			t.Fatalf("%s: %v\n%s", which, err, d)
		}
		a, b, valid := s.search(random, 900, func(a, b *judged) bool { return a.facts != b.facts || a.loose != b.loose })
		if a != nil {
			t.Errorf("%s: two links with one message:\n%s\n%s%s\n  %s %s\n%s%s\n  %s %s", which, d,
				a.request.Path, "?"+a.request.Query.Raw, a.facts, a.loose, b.request.Path, "?"+b.request.Query.Raw, b.facts, b.loose)
		}
		if valid == 0 {
			return "accepted, and no link was found"
		}
		return "accepted"
	case strings.Contains(err.Error(), "(unsigned_identity)") && !strings.Contains(err.Error(), "path: to:"):
		return d.unsignedIdentity(t, which, random, err)
	case ambiguous.MatchString(err.Error()):
		return d.ambiguousMessage(t, which, random)
	}
	return "refused"
}

func (d *drawn) subject(compiled *definition.Definition) (*subject, error) {
	s := &subject{drawn: d, definition: compiled}
	var ok bool
	if s.scheme, ok = compiled.Schemes[0].Format.(*keyedhash.Scheme); !ok {
		return nil, errors.New("no scheme of this package")
	}
	var err error
	names := keyedhash.Names{Fields: s.scheme.Describe().Fields, Locals: []string{"user"}}
	if d.user != "none" {
		if s.user, err = names.Parse(d.user); err != nil {
			return nil, err
		}
	}
	s.header, err = names.Parse(d.header)
	return s, err
}

// search makes requests, mutations of one another, and returns two that have one message,
// differ and verify with one signature. valid is how many were links at all.
func (s *subject) search(random *rand.Rand, tries int, differ func(a, b *judged) bool) (a, b *judged, valid int) {
	w := newWords(s.drawn, s.scheme, random)
	all := s.everything()
	seen := make(map[string]*judged)
	known := make(map[string]bool)
	var base *parts
	for n := range tries {
		p := &parts{query: make(map[string]string), fields: make(map[string]string), host: "example.org", method: "GET", scheme: "https", ip: "1.1.1.1"}
		if base != nil && n%8 != 0 {
			p = base.clone()
			for range 1 + random.IntN(2) {
				switch random.IntN(3) {
				case 0:
					w.shift(p)
				default:
					w.draw(p, all[random.IntN(len(all))])
				}
			}
		} else {
			for _, what := range all {
				if what != "spelling" && what != "bare" && !strings.HasPrefix(what, "path.") {
					w.draw(p, what)
				}
			}
		}
		j := s.read(p)
		if j == nil {
			continue
		}
		if base == nil || random.IntN(4) == 0 {
			if said, ok := s.verifies(j, j); ok {
				base = p
				valid++
			} else if s.refused == nil {
				s.refused = map[string]int{said: 1}
			} else {
				s.refused[said]++
			}
		}
		before, ok := seen[j.key]
		if !ok {
			if known[j.facts] && len(seen) > 400 {
				continue
			}
			known[j.facts] = true
			seen[j.key] = j
			continue
		}
		if !differ(before, j) {
			continue
		}
		_, ok1 := s.verifies(before, before)
		_, ok2 := s.verifies(j, before)
		switch {
		case !ok1 && ok2:
			seen[j.key] = j
		case ok1 && ok2:
			return before, j, valid
		}
	}
	return nil, nil, valid
}

// unsignedIdentity finds a pair for a declaration that is refused because an output is not
// covered by the message.
func (d *drawn) unsignedIdentity(t *testing.T, which string, random *rand.Rand, refused error) string {
	open := *d
	open.rules = maps.Clone(d.rules)
	open.user, open.header, open.byUser = "none", "x", false
	open.allow = []string{"ambiguous_message"}
	if strings.Contains(refused.Error(), "request_header") {
		open.user, open.byUser = d.user, d.byUser
	}
	compiled, err := open.load()
	if err != nil {
		return "refused for more than its identity"
	}
	s, err := open.subject(compiled)
	if err != nil {
		return "refused for more than its identity"
	}
	names := keyedhash.Names{Fields: s.scheme.Describe().Fields, Locals: []string{"user"}}
	template := d.header
	if !strings.Contains(refused.Error(), "request_header") {
		template = d.user
	}
	if s.header, err = names.Parse(template); err != nil {
		return "refused"
	}
	a, _, valid := s.search(random, 3000, func(a, b *judged) bool { return a.loose != b.loose })
	if a == nil {
		if valid == 0 {
			return "unsigned_identity, and no link was found"
		}
		if valid > 100 && !d.byUser { // else the user is in the key
			t.Logf("%s: unsigned_identity, and no pair was found among %d links: %v\n%s%v", which, valid, refused, d, s.refused)
		}
		return "unsigned_identity without a pair"
	}
	return "unsigned_identity"
}

// ambiguousMessage finds the pair of a declaration that is refused as ambiguous.
func (d *drawn) ambiguousMessage(t *testing.T, which string, random *rand.Rand) string {
	open := *d
	open.rules = maps.Clone(d.rules)
	open.allow = []string{"ambiguous_message"}
	compiled, err := open.load()
	if err != nil {
		return "refused for more than its message"
	}
	s, err := open.subject(compiled)
	if err != nil {
		t.Fatalf("%s: %v\n%s", which, err, d)
	}
	i := slices.IndexFunc(compiled.Schemes[0].Findings, func(f link.Finding) bool { return f.Code == "ambiguous_message" })
	example := compiled.Schemes[0].Findings[i].Example
	if example == nil {
		a, _, valid := s.search(random, 3000, func(a, b *judged) bool { return a.facts != b.facts })
		why := ", of parts that depend on each other"
		switch {
		case valid == 0:
			return "ambiguous_message, and no link was found"
		case !d.dependent():
			why = ", of independent parts"
			t.Errorf("%s: ambiguous_message, and the checker has no pair (there is one: %t; %d links)\n%s", which, a != nil, valid, d)
		}
		if a != nil {
			return "ambiguous_message without a pair, though there is one" + why
		}
		return "ambiguous_message without a pair" + why
	}
	return s.checkExample(t, which, random, example)
}

// checkExample has both of an example verified with the signature of one.
func (s *subject) checkExample(t *testing.T, which string, random *rand.Rand, example *link.Collision) string {
	w := newWords(s.drawn, s.scheme, random)
	plain := func(values []link.Value) bool { // what this test can put together
		return !slices.ContainsFunc(values, func(v link.Value) bool {
			return v.Name == "{query}" || v.Name == "{path}" || strings.HasPrefix(v.Name, "{raw_link.") || v.Name == "t" || v.Name == "s" || v.Name == "{hostport}"
		}) && !strings.Contains(s.config.Message, "{raw_query.")
	}
	if !plain(example.A) {
		return "ambiguous_message with a pair of the whole query or path"
	}
	all := s.everything()
	for range 600 {
		p := &parts{query: make(map[string]string), fields: make(map[string]string), host: "example.org", method: "GET", scheme: "https", ip: "192.0.2.1"}
		for _, what := range all {
			if what != "spelling" && what != "bare" && what != "client" && what != "host" && what != "scheme" && what != "method" && !strings.HasPrefix(what, "path.") {
				w.draw(p, what)
			}
		}
		var pair [2]*judged
		for i, values := range [][]link.Value{example.A, example.B} {
			q := p.clone()
			for _, v := range values {
				name := v.Name
				if inner, ok := strings.CutPrefix(name, "{"); ok {
					name = strings.TrimSuffix(inner, "}")
				} else {
					if v.Value == "" && s.rules[name].Optional && (!s.rules[name].Empty || p.order%2 == 0) {
						delete(q.query, name)
						continue
					}
					name = "query." + name
				}
				if n, ok := strings.CutPrefix(name, "path."); ok {
					number, _ := strconv.Atoi(n)
					for len(q.segments) <= number && (s.cut < 0 || len(q.segments) < s.cut) {
						q.segments = append(q.segments, "")
					}
				}
				switch name {
				case "client_ip":
					q.ip = v.Value
				case "scheme":
					q.scheme = v.Value
				default:
					q.set(name, v.Value)
				}
			}
			pair[i] = s.read(q)
		}
		if pair[0] == nil || pair[1] == nil {
			continue
		}
		if pair[0].key != pair[1].key {
			continue
		}
		_, ok := s.verifies(pair[0], pair[0])
		_, ok2 := s.verifies(pair[1], pair[0])
		if ok && ok2 {
			if pair[0].facts == pair[1].facts && pair[0].loose == pair[1].loose {
				t.Errorf("%s: the pair %s differs in nothing\n%s\n%s", which, example, pair[0].facts, s.drawn)
			}
			return "ambiguous_message with a pair"
		}
	}
	if strings.Count(s.drawn.user, "{") < 2 { // else the identity may be empty, which the checker does not know
		t.Errorf("%s: the pair %s does not verify\n%s", which, example, s.drawn)
	}
	return "ambiguous_message with a pair that does not verify"
}
