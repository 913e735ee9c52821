package keyedhash

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
)

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
