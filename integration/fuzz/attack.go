package main

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/signedlink/caddy-signed-link/integration/attacks"
	"github.com/signedlink/caddy-signed-link/integration/backends"
)

// kindOf finds a kind, those of drawn configurations included.
func kindOf(name string) *kind {
	for _, k := range slices.Concat(kinds, drawnKinds, drawnCarried) {
		if k.name == name {
			return k
		}
	}
	return nil
}

var (
	otherAKID = akid("9999.103007")
	ownForm   = form("note=1%3Border%3D2")
)

// form is the signature of 42's link whose message holds every parameter.
func form(params string) string {
	sum := sha1.Sum([]byte("42:watch:" + params + ":" + sialSecret))
	return hex.EncodeToString(sum[:])
}

// drawnCarried are kinds of links in the path that only drawn configurations have.
var drawnCarried = carriedKinds("segment", "public", "kept")

// drawnKinds are kinds that only drawn configurations have. Of "two" the second definition
// names nobody.
var drawnKinds = []*kind{
	{
		name: "two", signature: []string{"akid", "referring_akid"}, query: []string{"akid=" + ownAKID, "referring_akid=" + otherAKID},
		prove: proveAKID, protects: isApp,
	},
	{
		name: "form", covers: true,
		definition: "sial {\nuser_keys inline {\n42 {env.SIAL_SECRET}\n}\nuser {query.user}\naction {path} prefix /app/\n" +
			"params * as form\nmessage {user}:{action}:{params}:{secret}\nsignature {query.sig}\nparam action one_of watch\nparam user digits\n",
		identity: []string{"user"}, signed: []string{"user", "note"}, signature: []string{"sig"},
		paths: []string{"/app/watch"}, query: []string{"user=42", "note=1%3Border%3D2", "sig=" + ownForm},
		prove: func(user string, _ *backends.Seen, evidence string) (verified, bool) {
			return verified{"sial", map[string]string{"user": "42", "note": "1;order=2"}}, user == "42" && strings.Contains(evidence, ownForm)
		},
		protects: isApp,
	},
}

// forged is in every value that a client writes to be somebody else.
const forged = "forged"

var authorization = raw("Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(forged+":x")))

// asStaging passes basic_auth.
var asStaging = raw("Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("staging:pw")))

// session is the cookie of a session that mike has with the application.
const session = "SESSION"

// paths are the neighbours of honest addresses, made once.
var around struct {
	sync.Mutex
	of map[string][]string
}

func neighbours(base string) []string {
	around.Lock()
	defer around.Unlock()
	if around.of == nil {
		around.of = make(map[string][]string)
	}
	if around.of[base] == nil {
		around.of[base] = attacks.Neighbours(base)
	}
	return around.of[base]
}

// bases are addresses of what is protected: honest ones, and those that a rewrite of the
// configuration leads from.
func (c *configuration) bases() (all []string) {
	honest := protectable[c.protects]
	if c.kind == "form" {
		honest = kindOf("form").paths
	}
	all = slices.Clone(honest)
	text := textOf(c.sites)
	for _, base := range honest {
		if strings.Contains(text, "/v1") {
			all = append(all, "/v1"+base, "/v1/v2"+base)
		}
		if strings.Contains(text, "/short") {
			all = append(all, "/short")
		}
		if strings.Contains(text, "strip_suffix") {
			all = append(all, base+".html")
		}
		if strings.Contains(text, "try_files") || strings.Contains(text, "index ") {
			all = append(all, strings.TrimSuffix(base, ".php"), strings.TrimSuffix(base, "index.php"), "/missing")
		}
	}
	return all
}

// requests draws a request to the configuration.
func (c *configuration) request(seed, n, i uint64, from corpus) *request {
	k := kindOf(c.kind)
	g := newGenerator(seed, n<<8+i+1, k, from)
	q := &request{Method: http.MethodGet, HasQuery: true, Site: "SITE1"}
	if c.site("SITE2") != nil && g.one(3) {
		q.Site = "SITE2"
	}
	if k.inPath() {
		return c.carried(g, q)
	}
	bases := c.bases()
	if len(bases) == 0 {
		bases = []string{"/v1/app/login"}
	}
	base := pick(g, bases...)
	link := strings.Join(k.query, "&")
	kindOfRequest := g.IntN(20)
	if c.shape == "body" && kindOfRequest < 8 || c.shape == "large" && kindOfRequest < 3 {
		kindOfRequest += 10
	}
	switch {
	case kindOfRequest < 7: // a path that enters, without a link or with a bad one
		q.Path = raw(pick(g, base, pick(g, neighbours(base)...), pick(g, neighbours(base)...), pick(g, attacks.Specimens...)))
		q.Query = raw(pick(g, "user=mike", "user=mike", "x=1", "user=mike&key="+ownKey, "akid=2695.1.AAAAAA"))
	case kindOfRequest < 10: // headers, with or without a link
		q.Path = raw(pick(g, base, base, "/public/x", "/other", "/"))
		q.Query = raw(pick(g, link, "x=1", "user=mike"))
		for range 1 + g.IntN(3) {
			name := pick(g, pick(g, attacks.OwnHeaders...), pick(g, attacks.GatewayHeaders...))
			q.Headers = append(q.Headers, raw(pick(g, attacks.Folds(name)...)+": "+forged))
			if g.one(8) {
				q.Headers = append(q.Headers, raw("Connection: close, "+name))
			}
		}
	case kindOfRequest < 12: // what else says who it is, beside a good link
		q.Path, q.Query = raw(base), raw(link)
		q.Headers = append(q.Headers, pick(g, authorization, asStaging, raw("Cookie: "+session+"=mike"), raw("Cookie: user=mike; "+session+"=mike"), "X-HTTP-Method-Override: DELETE"))
	case kindOfRequest < 15: // a body, beside a good link
		q.Path, q.Query, q.Method = raw(base), raw(link), pick[raw](g, "POST", "POST", "POST", "PUT", "GET")
		g.body(q)
		if c.shape == "large" {
			q.Method, q.Body, q.Headers = http.MethodGet, "", nil
			filler := "x=" + strings.Repeat("y", 65481-len("x=; userX")+g.IntN(3)-1)
			q.Headers = append(q.Headers, raw("Cookie: "+filler+"; userX=1"))
		}
		if c.kind == "form" && g.one(2) {
			q.Method, q.Body, q.Headers = http.MethodGet, "", nil
			q.Query = raw(strings.Replace(link, "%3B", pick(g, ";", "%3b", "%3B"), 1))
			q.Query = raw(strings.Replace(string(q.Query), "%3D", pick(g, "=", "%3d", "%3D"), 1))
		}
	case kindOfRequest < 18: // an honest link
		q.Site, q.Honest = "SITE1", true
		if len(protectable[c.protects]) == 0 {
			q.Path, q.Query, q.Honest = "/public/x", "x=1", false
			break
		}
		q.Path = raw(pick(g, protectable[c.protects]...))
		if c.kind == "form" {
			q.Path = raw(k.paths[0])
		}
		if c.shape == "password" {
			q.Headers = append(q.Headers, asStaging)
		}
		segments := split(raw(link))
		if c.kind == "multi" && g.one(2) {
			segments = []string{"akid=" + ownAKID}
		}
		for n := g.IntN(4); n > 0 && !k.covers; n-- {
			segments = g.insert(segments, g.harmless())
		}
		if strings.HasPrefix(segments[0], "/") { // CodeIgniter reads a path there, and another query behind it
			segments[0] = "b" + segments[0]
		}
		q.Query = raw(strings.Join(segments, "&"))
		if !k.covers && c.kind != "two" && countLines(c.sites, "methods") == definitions(c.sites) && g.one(3) {
			g.browserForm(q)
		}
	default: // anything
		if from[c.kind] == nil {
			q.Path, q.Query = raw(base), raw(link)
			break
		}
		site := q.Site
		q = g.request()
		q.Honest, q.Site = false, site
	}
	// where its first byte is undisputed, the request may come over another protocol
	simple := !slices.ContainsFunc(q.Headers, func(line raw) bool { return headerName(line) == "connection" }) && q.Form == "" && q.Version == ""
	switch {
	case q.Site == "SITE1" && c.site("SECURE1") != nil && simple && g.one(2):
		q.H2, q.H3 = false, true
	case simple && g.one(4):
		q.H2 = true
	}
	return q
}

// browserForm gives the request a harmless form, as browsers send it.
func (g *generator) browserForm(q *request) {
	q.Method = http.MethodPost
	boundary := pick(g, "----WebKitFormBoundary7MA4YWxkTrZu0gW", "----geckoformboundary4c1f7b9a", "---------------------------9051914041544843365972754266", "------------------------d74496d66958873e")
	switch g.IntN(3) {
	case 0:
		q.Headers, q.Body = append(q.Headers, "Content-Type: application/x-www-form-urlencoded"), raw(pick(g, "note=x", "note=a+b&c=d", "note=%C3%BC&c="))
	case 1:
		q.Headers, q.Body = append(q.Headers, raw("Content-Type: multipart/form-data; boundary="+boundary)), raw("--"+boundary+"\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nx\r\n--"+boundary+"--\r\n")
	default:
		q.Headers = append(q.Headers, raw("Content-Type: multipart/form-data; boundary="+boundary))
		q.Body = raw("--" + boundary + "\r\nContent-Disposition: form-data; name=\"note\"; filename=\"" + pick(g, "a.txt", "a b.txt", "name=x.txt", "%22.txt") + "\"\r\nContent-Type: text/plain\r\n\r\nx\r\n--" + boundary + "--\r\n")
	}
}

// body gives the request a body that names somebody else, in one of the ways in which
// servers read them.
func (g *generator) body(q *request) {
	boundary := pick(g, "----WebKitFormBoundary7MA4YWxkTrZu0gW", "BB", "BB")
	pair := pick(g, "user=mike", "note=x", "user=mike", "_method=DELETE", "_METHOD=DELETE", "%5FMETHOD=DELETE", "+_METHOD=DELETE", ".METHOD=DELETE", "key=1", "x=1", "akid=1")
	multipart := func(disposition string) raw {
		return raw("--" + boundary + "\r\n" + disposition + "\r\n\r\nmike\r\n--" + boundary + "--\r\n")
	}
	name := pick(g, "user", "_METHOD", "_method", "note", "harmless")
	switch g.IntN(9) {
	case 0, 1:
		q.Headers, q.Body = append(q.Headers, "Content-Type: application/x-www-form-urlencoded"), raw(pair)
	case 2:
		q.Headers, q.Body = append(q.Headers, raw("Content-Type: "+pick(g, "text/plain", "application/json", "image/png")), "Connection: close, Content-Type"), raw(pair)
	case 3:
		q.Headers, q.Body = append(q.Headers, raw("Content-Type: "+pick(g, "text/plain", "application/json", "multipart/mixed; boundary=x", "text/xml", ""))), raw(pick(g, pair, `{"user":"mike"}`))
	case 4:
		q.Headers = append(q.Headers, raw("Content-Type: multipart/form-data; boundary="+boundary))
		q.Body = multipart("Content-Disposition: form-data; name=" + pick(g, `"`+name+`"`, name, `"`+name+`"; name="x"`, `"x"; name="`+name+`"`))
	case 5:
		q.Headers = append(q.Headers, raw("Content-Type: multipart/form-data; boundary="+boundary))
		q.Body = multipart("Content-Disposition: " + pick(g, `form-data; name ="`+name+`"; x=" name="harmless"`, "form-data; name\t=\""+name+`"; x=" name="harmless"`, `form-data; name="=?UTF-8?Q?`+name+`?="`, `form-data; name*=UTF-8''`+name, `form-data; name="x\"; name="`+name+`"`))
	case 6:
		q.Headers = append(q.Headers, raw("Content-Type: multipart/form-data; boundary"+pick(g, `*=UTF-8''abc`, `="abc"def`, `=abc; boundary=def`, `=abc;boundary*0=d`, ` =abc`)))
		q.Body = raw(strings.ReplaceAll(string(multipart(`Content-Disposition: form-data; name="`+name+`"`)), boundary, pick(g, "abc", "abcdef", "def", "d")))
	case 7:
		q.Headers, q.Body = append(q.Headers, "Content-Type: application/x-www-form-urlencoded"), raw(fmt.Sprintf("x=1%s%s", pick(g, ";", "&", "\r\n&", "%26", "&&"), pair))
		q.Chunked = g.one(2)
	default:
		q.Headers, q.Body = append(q.Headers, raw("Content-Type: "+pick(g, "APPLICATION/X-WWW-FORM-URLENCODED", "application/x-www-form-urlencoded;charset=UTF-16", "application/x-www-form-urlencoded, text/plain", " application/x-www-form-urlencoded;"))), raw(pair)
	}
}
