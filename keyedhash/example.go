package keyedhash

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// example is a request whose message is known.
type example struct {
	values   []link.Value
	user     string // whose secret it is
	identity string // who the backend is told it is
	message  []byte // under a secret that no value holds
	rendered string // the same with {secret}
}

// pairOfLinks are two links with one message.
type pairOfLinks struct {
	collision *link.Collision
	otherUser bool // they are of two users
}

// collision makes an example of two readings, if requests can have them: values that
// stand in the message twice, or in a part of it, depend on each other, and the real
// engine has the last word.
func (s *Scheme) collision(fields []field, a, b []string) *pairOfLinks {
	return pairOf(s.example(fields, a), s.example(fields, b))
}

func pairOf(a, b *example) *pairOfLinks {
	if a == nil || b == nil || a.user != b.user || !bytes.Equal(a.message, b.message) || slices.Equal(a.values, b.values) {
		return nil
	}
	return &pairOfLinks{&link.Collision{A: a.values, B: b.values, Message: a.rendered}, a.identity != b.identity}
}

// example makes the request that has these texts in the fields; nil if it would not
// come as far as its signature.
func (s *Scheme) example(fields []field, texts []string) *example {
	r := &link.Request{Method: "GET", Scheme: "https", Host: "example.org", Path: "/", ClientIP: "192.0.2.1"}
	e := new(example)
	var segments []string
	var whole []string // of the query as sent; behind the others, where readings of it differ
	steps := make(map[int]string)
	sent := make(map[string]string)  // the fields of the path, as sent
	parts := make(map[string]string) // all fields
	have := make(map[string]bool)
	for i, f := range fields {
		p, text := f.part, texts[i]
		if p == nil || p.kind == glue {
			continue
		}
		value := strings.TrimPrefix(text, p.before)
		if all := p.kind == restPairs || p.kind == rawQuery || p.kind == sortedQuery; !all && have[p.shown()] {
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
				whole = append(whole, value)
			}
		case path:
			r.Path = escapePath(value)
		case rawPath:
			r.Path = value
		case pathSegment:
			steps[p.n] = escapePath(value)
		case linkField:
			parts[p.name] = value
		case rawLinkField:
			sent[p.name], parts[p.name] = value, query.UnescapePath(value)
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
	step := func(n int) {
		if _, there := steps[n]; !there {
			steps[n] = escapePath(s.sampleOf(value{kind: pathSegment, n: n}))
		}
	}
	for n := 0; s.path != nil && s.path.cut && n < s.path.segment; n++ {
		step(n) // none may be empty
	}
	for name := range s.rules {
		if v, err := s.names.parseValue(name, pathSegment); err == nil {
			step(v.n)
		}
	}
	if s.identity.kind == pathSegment {
		step(s.identity.n)
	}
	if len(steps) > 0 && !have["{path}"] {
		r.Path = pathOf(steps)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(append(segments, whole...), func(x string) bool { return strings.HasPrefix(x, name+"=") })
	}
	for _, name := range append(slices.Clone(s.required), s.identity.parameter(), s.expires.value.parameter(), s.expires.plus.parameter(), s.issued.value.parameter(), s.issued.plus.parameter()) {
		if optional := s.rules[name].Optional && name != s.identity.parameter(); name != "" && !optional && !has(name) && !have[name] {
			// it is outside of the message, and the same in every example
			segments = append(segments, name+"="+url.QueryEscape(s.sampleOf(parameterValue(name))))
		}
	}
	segments = s.exampleCarriers(r, segments, parts, sent, has)
	if err := r.Query.Parse(strings.Join(append(segments, whole...), "&")); err != nil || r.Query.Control {
		return nil
	}
	var l link.Link
	if refusal := s.Read(r, &l); !refusal.None() || !s.keepsRules(r, &l) {
		return nil
	}
	if s.user != nil {
		e.identity = s.user.Render(r, &Values{Fields: l.Fields})
		if s.userKeys {
			l.User = e.identity
		}
	}
	e.user, e.values = l.User, s.values(fields, r, &l)
	e.message = s.AppendMessage(nil, r, &l, []byte("\x00\xffthe secret\xff\x00"))
	e.rendered = string(s.AppendMessage(nil, r, &l, []byte("{secret}")))
	return e
}

// sampleOf is a value that keeps its rules, the same in every example.
func (s *Scheme) sampleOf(v value) string {
	l, _ := s.ruled(v, "", true, false)
	return shortest(l)
}

// shortest is the shortest text of the language, "" if it has none or only very long ones.
func shortest(l language) string {
	type step struct {
		state  int64
		from   int
		symbol symbol
	}
	symbols := representatives([]field{{language: l}})
	queue := []step{{state: l.start(), from: -1}}
	seen := map[int64]bool{l.start(): true}
	for i := 0; i < len(queue) && i < samples; i++ {
		if l.final(queue[i].state) {
			var text []byte
			for j := i; queue[j].from >= 0; j = queue[j].from {
				text = append(text, byte(queue[j].symbol))
			}
			slices.Reverse(text)
			return string(text)
		}
		for _, c := range symbols {
			if to := l.step(queue[i].state, c); c < 256 && to != dead && !seen[to] {
				seen[to] = true
				queue = append(queue, step{to, i, c})
			}
		}
	}
	return ""
}

// pathOf is the path with these segments; those between them are empty.
func pathOf(steps map[int]string) string {
	var path strings.Builder
	for n := 0; len(steps) > 0; n++ {
		path.WriteString("/" + steps[n])
		delete(steps, n)
	}
	return path.String()
}

// exampleCarriers puts tokens and path of an example together, with a wrong signature, and
// adds the parameters to the segments.
func (s *Scheme) exampleCarriers(r *link.Request, segments []string, parts, sent map[string]string, has func(name string) bool) []string {
	const wrong = "x"
	value := func(n int) string {
		name := s.names.Fields[n]
		if text, ok := parts[name]; ok {
			return text
		}
		if s.signature == (value{linkField, name, n}) {
			return wrong
		}
		return s.sampleOf(value{linkField, name, n})
	}
	for i := range s.tokens {
		t := &s.tokens[i]
		if has(t.parameter) {
			continue
		}
		values := make([]string, len(t.pattern.Fields()))
		for j := range values {
			values[j] = value(t.first + j)
		}
		text := string(t.pattern.Join(nil, values))
		for _, x := range slices.Backward(t.transforms) {
			text = x.invert(text)
		}
		segments = append(segments, t.parameter+"="+url.QueryEscape(text))
	}
	switch {
	case s.path != nil && s.path.cut:
		r.Path += "/" + wrong
	case s.path != nil:
		values := make([]string, len(s.path.pattern.Fields()))
		for j, f := range s.path.pattern.Fields() {
			if text, ok := sent[f.Name]; ok {
				values[j] = text
			} else {
				values[j] = escapePath(value(s.path.first + j))
			}
		}
		r.Path = string(s.path.pattern.Join(nil, values))
	}
	if name := s.signature.parameter(); name != "" {
		segments = append(segments, name+"="+wrong)
	}
	return segments
}

// values are what the request has in the fields, each part once.
func (s *Scheme) values(fields []field, r *link.Request, l *link.Link) []link.Value {
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
			v.Value = string(one.Append(nil, r, Values{Left: s.inMessage, Fields: l.Fields}))
		}
		values = append(values, v)
	}
	return values
}

// admitsEmpty reports whether the parameter may be there with an empty value. One that is a
// time may not, whatever its rule: that is no time.
func (s *Scheme) admitsEmpty(parameter string) bool {
	_, ok := s.rules[parameter].Check("")
	return ok && !s.expires.made(parameterValue(parameter)) && !s.issued.made(parameterValue(parameter))
}

// keepsRules reports whether the values keep the `param` rules and can be read as times.
func (s *Scheme) keepsRules(r *link.Request, l *link.Link) bool {
	for name, rule := range s.rules {
		value, there := r.Value(name)
		if v, err := s.names.parseValue(name, linkField, pathSegment); err == nil {
			value, _ = v.read(r, l)
			there = true // an empty one is not absent
		}
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
func (s *Scheme) searchCollision(fields []field) *pairOfLinks {
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
