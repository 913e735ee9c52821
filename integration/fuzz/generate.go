package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// generator makes requests. What it makes depends on its random numbers only.
type generator struct {
	*rand.Rand
	kind   *kind
	corpus []*request
}

func newGenerator(seed, index uint64, k *kind, c corpus) *generator {
	from := c[k.name]
	if len(from) == 0 { // a kind of drawn configurations
		from = c["user"]
	}
	return &generator{rand.New(rand.NewPCG(seed, index)), k, from}
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) one(in int) bool { return g.IntN(in) == 0 }

// request makes one request.
func (g *generator) request() *request {
	if g.kind.inPath() && !g.one(6) {
		return g.carried()
	}
	var q *request
	switch g.IntN(20) {
	case 0, 1, 2:
		return g.honest()
	case 3, 4, 5, 6, 7, 8:
		q = g.link()
		q.Query, q.HasQuery = raw(g.join(g.insert(split(q.Query), g.forgery()))), true
	case 9, 10:
		q = g.link()
	default:
		q = pick(g, g.corpus...).clone()
	}
	if g.one(4) {
		q.H2 = !q.H2
	}
	for n := 1 + g.IntN(4); n > 0; n-- {
		g.mutate(q)
	}
	if g.one(40) {
		g.mutateRequestLine(q)
	}
	if q.H2 {
		// HTTP/2 has none of them, and net/http says so to each
		keep := g.one(30)
		q.Headers = slices.DeleteFunc(q.Headers, func(line raw) bool {
			return !keep && slices.Contains([]string{"connection", "transfer-encoding", "te", "upgrade", "keep-alive", "proxy-connection"}, headerName(line))
		})
	}
	return q
}

// link is an honest link.
func (g *generator) link() *request {
	q := &request{Method: http.MethodGet, Path: raw(pick(g, g.kind.paths...)), HasQuery: len(g.kind.query) > 0, H2: g.one(4)}
	q.Query = raw(strings.Join(g.kind.query, "&"))
	if g.kind.name == "multi" && g.one(2) {
		q.Query = raw("akid=" + ownAKID)
	}
	return q
}

// honest is an honest link among parameters, headers and cookies that nobody could
// take for a protected one. They are made of letters that no such name has.
func (g *generator) honest() *request {
	q := g.link()
	q.Honest = true
	segments := split(q.Query)
	ignored := "" // what the names of parameters begin with that nobody signed
	if g.kind.covers {
		ignored = ignorePrefix
	}
	for n := g.IntN(8); n > 0; n-- {
		segment := g.harmless()
		if g.kind.covers && strings.Contains(segment, ";") {
			continue // some take it for two, of which the second is not ignored
		}
		if strings.HasPrefix(segment, "/") {
			continue // of a query that begins so, some take the first segment for the path, and what stands behind its '?' for parameters
		}
		segments = g.insert(segments, ignored+segment)
	}
	if g.one(50) {
		for i := range 900 {
			segments = append(segments, fmt.Sprintf("%sb%d=%d", ignored, i, i))
		}
	}
	if g.one(4) && !g.kind.ordered { // order is free
		g.Shuffle(len(segments), func(i, j int) { segments[i], segments[j] = segments[j], segments[i] })
	}
	if len(segments) > 0 && strings.HasPrefix(segments[0], "/") { // CodeIgniter reads a path there, and another query behind it
		segments[0] = "b" + segments[0]
	}
	q.Query = raw(strings.Join(segments, "&"))
	q.HasQuery = q.HasQuery || q.Query != ""
	if g.one(4) {
		q.Headers = append(q.Headers, raw("Cookie: "+pick(g, "bcd=1; PHPSESSID=x", "zz=\"q\"", "b=1;c=2;;d", "xyz")))
	}
	if g.one(8) {
		q.Headers = append(q.Headers, raw(pick(g, "Referer: https://x.example/?user=admin&key=1", "User-Agent: user=admin", "X-Verify: 1", "Accept-Language: de")))
	}
	return q
}

const harmlessLetters = "bcdvwxz0123456789"

// harmless is a segment with a name that holds no letter of a protected one, or none
// at all, and a value that may say anything.
func (g *generator) harmless() string {
	if g.one(10) {
		return pick(g, "", "flag", "=", "=b", "%", "b%", "%zz=1", "bcd[]=1", "bcd%5B%5D=2", "b.c=1", "utm_zzzzzz=1", "fbclid=x", "b;c", "%20b=1", "+c=1", "b%00c=1", "mc_eid=0",
			"username=1", "referring_akid=2695.1.x", "monkey=1", "x=caf%E9", "discount=100%", "q=a;b")
	}
	var name strings.Builder
	for n := g.IntN(6); n >= 0; n-- {
		name.WriteString(pick(g, string(harmlessLetters[g.IntN(len(harmlessLetters))]), string(harmlessLetters[g.IntN(len(harmlessLetters))]),
			"%5B", "%5D", "[", "]", ".", "-", "_", "~", "+", "%20", "%00", "%C3%BC", "%FF", "%2B", "%26", "%3D", "*", "!", "'", "(", ")", ":", "@", "/", "%", "%0A"))
	}
	var value strings.Builder
	for n := g.IntN(8); n > 0; n-- {
		value.WriteString(pick(g, "b", "c", "user", "user=admin", "key=", "%26user=admin", "%3Bkey", "/", "?", "?user=admin", "https://b.example/", "+", "%20", "%", "%zz", "%00",
			"=", "==", ":", "@", ",", "!", "$", "'", "(", ")", "*", "~", "\xc3\xbc", "\xff", "\"", "<", ">", "[", "]", "{", "}", "|", "\\", "^", "`", "%C3%BC", "%0D%0A", "%e2%80%8b", "2695.1.x", "admin"))
	}
	if g.one(4) {
		return name.String()
	}
	return name.String() + "=" + value.String()
}

func split(query raw) []string {
	if query == "" {
		return nil
	}
	return strings.Split(string(query), "&")
}

func (g *generator) join(segments []string) string { return strings.Join(segments, "&") }

func (g *generator) insert(segments []string, segment string) []string {
	return slices.Insert(segments, g.IntN(len(segments)+1), segment)
}

// names are the parameters of the kind.
func (g *generator) parameter() string {
	if g.kind.inPath() {
		return pick(g, "user", "signature", "id", "name", "file")
	}
	return pick(g, slices.Concat(g.kind.identity, g.kind.identity, g.kind.signed, g.kind.signature)...)
}

// forgery is a segment that some reader may file under a protected name.
func (g *generator) forgery() string {
	value := pick(g, "admin", "admin", "admin", "root", "", "jeff", "2695.1.AAAAAA", ownKey, "43", "8")
	if g.one(6) {
		value = g.spell(value)
	}
	return g.spell(g.parameter()) + pick(g, "=", "=", "=", "=", "=", "=", "%3D", "==", "", "[]=", "%00=") + value
}
