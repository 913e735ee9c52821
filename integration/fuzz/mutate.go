package main

import (
	"fmt"
	"slices"
	"strings"
)

var (
	blanks = []string{"%20", "+", "%09", "%00", "%0A", "%0D", "%0B", "%0C", "%1F", "%7F", "%A0", "%C2%A0", "%E2%80%8B", "%EF%BB%BF", "%E3%80%80", "%C2%AD", "%E2%80%A8", "%C2%85", " ", "\t"}
	before = []string{"?", "%3F", ".", "%2E", "_", "[", "%5B", "]", "&", "&amp;", "amp;", "#38;", "#038;", "&#38;", ";", "%3B", "a;", "a=1;", "%26", "%2526", "#", "%23", "/", "%25", "%", "=", "%3D", "-", "$", "@", "\\", "\"", "!", "__", "x["}
	after  = []string{"[]", "%5B%5D", "[x]", "%5Bx%5D", "[0]", "[", "%5B", "]", "%5D", "[]x", "[x][y]", "%00", "%00x", "%00[]", "[%00]", "[x%00]", "[.]", "[+]", "[[]", "[]]", ".", "+", "%20", "_", "-", ";x", ";", "%3B", "%", "%2", "?", "#", ":", "[%5D", "%5B]", "=", "[\"]", "\\"}
)

// lookalikes are characters that somebody takes for the letter.
var lookalikes = map[byte][]string{
	'u': {"%EF%BD%95", "%EF%BC%B5", "%u0075", "%U0075", "%C1%B5", "%E0%81%B5", "%D5%BD", "%75%CC%81"},
	's': {"%EF%BD%93", "%C5%BF", "%u0073", "%D1%95", "%C1%B3", "%E2%82%9B"},
	'e': {"%EF%BD%85", "%D0%B5", "%u0065", "%C1%A5", "%E2%84%AF"},
	'r': {"%EF%BD%92", "%u0072", "%C1%B2"},
	'k': {"%E2%84%AA", "%EF%BD%8B", "%u006B", "%D0%BA", "%C1%AB"},
	'y': {"%EF%BD%99", "%D1%83", "%u0079"},
	'a': {"%EF%BD%81", "%D0%B0", "%u0061", "%C2%AA", "%C1%A1"},
	'i': {"%C4%B1", "%EF%BD%89", "%D1%96", "%C4%B0", "%u0069", "%E2%81%B1"},
	'd': {"%EF%BD%84", "%u0064", "%E2%85%BE"},
	't': {"%EF%BD%94", "%u0074"},
	'l': {"%EF%BD%8C", "%E2%85%BC"},
	'g': {"%EF%BD%87", "%C9%A1"},
	'_': {".", "%2E", "%20", "+", "[", "%5B", "-", "%5F", "__", "", "%EF%BC%BF", "]", "%00"},
	'=': {"%3D", "=="},
}

// spell writes a word as somebody could who wants one reader to know it and another
// not to.
func (g *generator) spell(word string) string {
	s := make([]string, len(word))
	for i := range len(word) {
		s[i] = word[i : i+1]
	}
	at := func() int { return g.IntN(max(len(s), 1)) }
	for n := 1 + g.IntN(3); n > 0 && len(s) > 0; n-- {
		switch g.IntN(12) {
		case 0, 1:
			i := at()
			if len(s[i]) == 1 {
				s[i] = fmt.Sprintf(pick(g, "%%%02X", "%%%02x"), s[i][0])
			}
		case 2:
			i := at()
			s[i] = strings.ToUpper(s[i])
		case 3:
			i := at()
			if len(s[i]) == 1 && len(lookalikes[s[i][0]]) > 0 {
				s[i] = pick(g, lookalikes[s[i][0]]...)
			}
		case 4, 5:
			s[0] = pick(g, blanks...) + s[0]
		case 6:
			s[0] = pick(g, before...) + s[0]
		case 7, 8:
			s[len(s)-1] += pick(g, after...)
		case 9:
			s[len(s)-1] += pick(g, blanks...)
		case 10:
			s[at()] += pick(g, slices.Concat(blanks, before, after)...)
		case 11:
			i := at()
			s[i] = strings.ReplaceAll(s[i], "%", "%25") // once more
		}
	}
	return strings.Join(s, "")
}

// mutate changes one thing.
func (g *generator) mutate(q *request) {
	switch g.IntN(32) {
	case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12:
		g.mutateQuery(q)
	case 13, 14, 15:
		g.mutateBytes(q)
	case 16, 17, 18, 19, 20:
		g.mutateHeaders(q)
	case 21, 22, 23, 24, 25:
		g.mutateBody(q)
	case 26, 27, 28, 29:
		g.mutatePath(q)
	case 30:
		g.mutateMethod(q)
	case 31:
		q.Headers = append(q.Headers, "Cookie: "+raw(g.cookies()))
	}
}

func (g *generator) mutateQuery(q *request) {
	s := split(q.Query)
	q.HasQuery = true
	if len(s) == 0 {
		s = []string{g.forgery()}
	}
	i, j := g.IntN(len(s)), g.IntN(len(s))
	switch g.IntN(16) {
	case 0, 1, 2:
		s = g.insert(s, g.forgery())
	case 3:
		s = g.insert(s, s[i]) // twice
	case 4:
		s[i], s[j] = s[j], s[i]
	case 5: // swap the names, or the values
		a, av, _ := strings.Cut(s[i], "=")
		b, bv, _ := strings.Cut(s[j], "=")
		s[i], s[j] = a+"="+bv, b+"="+av
	case 6:
		s = slices.Delete(s, i, i+1)
	case 7:
		name, value, has := strings.Cut(s[i], "=")
		s[i] = g.spell(name)
		if has {
			s[i] += "=" + value
		}
	case 8:
		name, value, _ := strings.Cut(s[i], "=")
		s[i] = name + "=" + g.spell(value)
	case 9:
		s[i] += pick(g, slices.Concat(blanks, after, before)...)
	case 10: // the ampersand
		if len(s) > 1 {
			k := g.IntN(len(s) - 1)
			s[k] += pick(g, ";", "%26", "&amp;", "&&", "&=", "&=&", "?", "#", "%00", " ", "%0A", "\n", ",", "&;") + s[k+1]
			s = slices.Delete(s, k+1, k+2)
		}
	case 11:
		s[i] = strings.Replace(s[i], "=", pick(g, "%3D", "==", "", "=%20", "%20=", "[]=", "%00=", ";=", "=;", "+=", "=+"), 1)
	case 12: // splice
		other := split(pick(g, g.corpus...).Query)
		k := g.IntN(len(other) + 1)
		if g.one(2) {
			s = append(s[:i:i], other[k:]...)
		} else {
			s = append(slices.Clone(other[:k]), s[i:]...)
		}
	case 13:
		if g.one(6) { // near the bounds
			filler := pick(g, "b%d=1", "", "=", "b%d", "b[]=%d", "user%d=1")
			run := make([]string, pick(g, 10, 100, 500, 990, 997, 998, 999, 1000, 1001, 1100))
			for n := range run {
				run[n] = strings.ReplaceAll(filler, "%d", fmt.Sprint(n))
			}
			s = slices.Insert(s, i, run...)
		} else {
			s = g.insert(s, g.harmless())
		}
	case 14:
		s[i] = strings.Repeat(pick(g, "%20", "[", "b", "%", "]", "+", ";"), pick(g, 2, 10, 200)) + s[i]
	case 15:
		s = append(s[i:], s[:i]...)
	}
	q.Query = raw(strings.Join(s, "&"))
}

// mutateBytes changes bytes of the query anywhere.
func (g *generator) mutateBytes(q *request) {
	b := []byte(q.Query)
	for n := 1 + g.IntN(3); n > 0; n-- {
		i := g.IntN(len(b) + 1)
		switch {
		case g.one(4) || len(b) == 0:
			b = slices.Insert(b, i, []byte(pick(g, slices.Concat(blanks, before, after)...))...)
		case i == len(b):
			b = append(b, byte(0x21+g.IntN(0x5E)))
		case g.one(3):
			b = slices.Delete(b, i, i+1)
		case g.one(3):
			b = slices.Replace(b, i, i+1, fmt.Appendf(nil, "%%%02X", b[i])...)
		case g.one(3) && b[i] == '%' && i+2 < len(b):
			if c := []byte(decode(string(b[i:i+3]), false)); len(c) == 1 && c[0] > ' ' {
				b = slices.Replace(b, i, i+3, c...)
			}
		case g.one(4):
			b[i] ^= 0x20
		case g.one(4):
			b[i] = byte(0x80 + g.IntN(0x80))
		default:
			b[i] = byte(0x21 + g.IntN(0x5E))
		}
	}
	q.Query, q.HasQuery = raw(slices.DeleteFunc(b, func(c byte) bool { return !q.H2 && (c == '\n' || c == '\r') })), true
}

// otherGateways are headers in which other gateways say who the user is.
var otherGateways = []string{
	"Remote-Groups", "Remote-Email", "X-Remote-User", "Redirect-Remote-User", "Auth-User", "X-Auth-User", "X-Auth-Username", "X-Webauth-User", "X-Authenticated-User", "X-Forwarded-User", "X-Forwarded-Email",
	"Sm-User", "Php-Auth-Pw", "X-Auth-Request-User", "X-Authentik-Username", "X-Pomerium-Claim-Email", "Cf-Access-Authenticated-User-Email", "X-Goog-Authenticated-User-Email",
	"X-Amzn-Oidc-Identity", "X-Ms-Client-Principal-Name", "Tailscale-User-Login", "Ssl-Client-S-Dn",
}

// alias is a name that a backend may file under one of the gateway's headers.
func (g *generator) alias() string {
	name := []byte(pick(g, "X-Verified-User", "X-Verified-User", "X-Verified-User", "X-Verified-Scheme", "X-Verified-Key-Id", "X-Verified-Mailing", "X-Member", "X-Verified-Other",
		"X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Prefix", "X-Http-Method-Override", "Forwarded",
		"Remote-User", "Remote-User", "Php-Auth-User", pick(g, otherGateways...)))
	for i := range name {
		if name[i] == '-' && g.one(2) {
			name[i] = pick(g, []byte("__-..~!'*+`|^$#%&")...)
		}
		if g.one(6) {
			name[i] = flipCase(name[i])
		}
	}
	s := string(name)
	switch g.IntN(20) {
	case 0:
		s = pick(g, "_", "-", ".", " ", "HTTP_", "Http-", "x", "\t") + s
	case 1:
		s += pick(g, "_", "-", ".", " ", "\t", "\x00", "x", "[]", "-0", "\xa0")
	case 2:
		s = strings.ToUpper(s)
	case 3:
		s = strings.ToLower(s)
	}
	return s
}

// flipCase changes the case of a letter.
func flipCase(c byte) byte {
	if l := c | 0x20; 'a' <= l && l <= 'z' {
		return c ^ 0x20
	}
	return c
}

func (g *generator) mutateHeaders(q *request) {
	add := func(line string) {
		q.Headers = slices.Insert(q.Headers, g.IntN(len(q.Headers)+1), raw(line))
	}
	switch g.IntN(20) {
	case 0, 1, 2, 3, 4, 5:
		add(g.alias() + pick(g, ": ", ": ", ":", ":\t", " : ") + pick(g, "admin", "admin", "jeff", "", "admin, jeff", "jeff\x00admin", "admin\t"))
	case 6, 7, 8:
		list := []string{g.alias()}
		for g.one(2) {
			list = append(list, pick(g, "close", "keep-alive", "Upgrade", "TE", "cookie", "host", "content-length", "x-forwarded-for", g.alias(), " ", "\"X-Verified-User\""))
		}
		g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		add("Connection: " + strings.Join(list, pick(g, ", ", ",", " ,", ";", " ", ",,", "\t,")))
	case 9, 10:
		name := g.alias()
		q.Chunked = true
		if pick(g, true, true, false) {
			q.Method = raw(pick(g, "POST", "GET", "PUT"))
			q.Headers = slices.DeleteFunc(q.Headers, func(line raw) bool { return headerName(line) == "content-length" })
		}
		if !g.one(4) {
			add("Trailer: " + name + pick(g, "", ", X-B", ","))
		}
		q.Trailers = append(q.Trailers, raw(name+": admin"))
		if q.Body == "" && g.one(2) {
			q.Body = "b=1"
		}
	case 11:
		add(pick(g, "Upgrade: h2c", "Upgrade: websocket", "Upgrade: TLS/1.0"))
		add(pick(g, "Connection: Upgrade", "Connection: Upgrade, HTTP2-Settings", "Connection: upgrade, x-verified-user"))
		if g.one(2) {
			add("HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
		}
	case 12:
		add(pick(g, "X-HTTP-Method-Override: DELETE", "X-Original-URL: /app/?user=admin", "X-Rewrite-URL: /app/", "X-Forwarded-Prefix: /app", "X-Forwarded-User: admin", "Forwarded: for=1;host=x",
			"X-Original_URL: /app/", "X.Rewrite.URL: /app/", "X-Forwarded-Uri: /app/", "Remote-User: admin", "REMOTE_USER: admin", "Proxy: x", "Authorization: Basic YWRtaW46", "Authorization: Basic YWRtaW46", "Authorization: Bearer admin", "AUTHORIZATION:Basic YWRtaW46eA=="))
	case 13:
		add(pick(g, "Host: /app/", "Host: x?user=admin", "Host: "+host+":80", "Host: "))
	case 14:
		add(pick(g, "Content-Length: 0", "Content-Length: 3", "Transfer-Encoding: identity", "Transfer-Encoding: xchunked", "Transfer_Encoding: chunked", "TE: trailers", "Expect: 100-continue", "Content-Encoding: gzip", "Range: bytes=0-1"))
	case 15:
		add("X-B: 1\r\n " + pick(g, "X-Verified-User: admin", "user=admin")) // folded
	case 16:
		add("X-B: " + strings.Repeat("b", pick(g, 100, 4000, 20000)))
	case 17:
		if len(q.Headers) > 0 {
			add(string(pick(g, q.Headers...)))
		}
	case 18:
		other := pick(g, g.corpus...)
		for _, line := range other.Headers {
			if !slices.Contains([]string{"content-length", "transfer-encoding"}, headerName(line)) {
				add(string(line))
			}
		}
	case 19:
		if len(q.Headers) > 0 {
			i := g.IntN(len(q.Headers))
			b := []byte(q.Headers[i])
			for n := 1 + g.IntN(3); n > 0 && len(b) > 0; n-- {
				b[g.IntN(len(b))] = pick(g, []byte("-_. :\t,;=xX\x00\x80\"u")...)
			}
			q.Headers[i] = raw(b)
		}
	}
}

func (g *generator) cookies() string {
	var list []string
	for n := 1 + g.IntN(3); n > 0; n-- {
		name := pick(g, "PHPSESSID", "b", g.spell(g.parameter()), g.spell(g.parameter()), g.parameter())
		list = append(list, name+pick(g, "=", "=", "=", "", "%3D", " = ")+pick(g, "admin", "admin", "jeff", "\"admin\"", "1", "\";"+g.parameter()+"=admin\"", ""))
	}
	return strings.Join(list, pick(g, "; ", "; ", ";", ", ", "&", ";\t", "; ;", ";;", ";\x0b", "\x00"))
}

var contentTypes = []string{
	"application/x-www-form-urlencoded", "application/x-www-form-urlencoded", "APPLICATION/X-WWW-FORM-URLENCODED", "application/x-www-form-urlencoded; charset=IBM037",
	"application/x-www-form-urlencoded;charset=utf-16", "application/x-www-form-urlencoded; charset=utf-7", "application/x-www-form-urlencoded; charset=\"utf-8\"", "application/x-www-form-urlencoded, text/plain", "application/x-www-form-urlencoded\t;x=y",
	" application/x-www-form-urlencoded", "application/x-www-form-urlencoded;charset=utf-8;charset=IBM037", "application/x-www-form-urlencoded; charset=cp037", "application/x-www-form-urlencoded; x=\"charset=utf-8\"; charset=ibm1140", "application/x-www-form-urlencoded;char\u0131set=utf-16",
	"text/plain", "application/json", "application/json; charset=utf-16", "", "*/*", "application/xml", "application/x-www-form\u2010urlencoded", "application/x-www-\xc5\xbform-urlencoded", "application/x-www-form-urlencoded,multipart/form-data; boundary=BB",
	"multipart/form-data; boundary=BB", "multipart/form-data; boundary=\"BB\"", "multipart/form-data;boundary=BB;boundary=CC", "multipart/mixed; boundary=BB", "multipart/form-data; BOUNDARY=BB", "multipart/form-data; boundary=BB,CC",
	"multipart/form-data; boundary=BB; charset=IBM037", "multipart/form-data; x=boundary; boundary=BB", "multipart/form-data; boundary = BB", "multipart/form-data; boundary=\"B\\B\"", "Multipart/Form-Data;boundary=BB", "multipart/related; boundary=BB", "multipart/form-data",
	"multipart/form-data; boundary=BB x", "multipart/form-data; boundary=BB\t", "multipart/form-data; boundary*=utf-8''BB", "multipart/form-data boundary=BB", "multipart/form-data;boundary=BB'", "multipart/form-data; boundary='BB'",
}

func (g *generator) mutateBody(q *request) {
	if !g.one(6) {
		q.Method = raw(pick(g, "POST", "POST", "POST", "POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS", "post", "HEAD"))
	}
	if !g.one(40) { // the length is that of the new body
		q.Headers = slices.DeleteFunc(q.Headers, func(line raw) bool { return headerName(line) == "content-length" })
	}
	switch g.IntN(8) {
	case 0, 1:
		q.Body = raw(g.form())
		g.setContentType(q, pick(g, contentTypes...))
	case 2, 3:
		q.Body = raw(g.multipart())
		g.setContentType(q, pick(g, contentTypes[slices.Index(contentTypes, "multipart/form-data; boundary=BB"):]...))
		if !g.one(3) {
			g.setContentType(q, "multipart/form-data; boundary=BB")
		}
	case 4:
		q.Body = raw(pick(g, `{"user":"admin"}`, `{"us\u0065r":"admin"}`, `{"b":{"user":"admin"}}`, `[{"user":"admin"}]`, `{"USER":"admin"}`, `{"user[]":"admin"}`, `{"b":1}{"user":"admin"}`, `{"b":1,`))
		g.setContentType(q, pick(g, "application/json", "application/json; charset=utf-8", "text/json", "application/vnd.api+json", "application/x-www-form-urlencoded; json"))
	case 5:
		g.setContentType(q, pick(g, contentTypes...))
		if q.Body == "" {
			q.Body = raw(g.form())
		}
	case 6:
		q.Chunked = !q.Chunked
		if q.Chunked {
			q.Headers = slices.DeleteFunc(q.Headers, func(line raw) bool {
				return headerName(line) == "content-length" || headerName(line) == "transfer-encoding"
			})
		}
	case 7: // damage
		b := []byte(q.Body)
		for n := 1 + g.IntN(4); n > 0 && len(b) > 0; n-- {
			i := g.IntN(len(b))
			switch g.IntN(4) {
			case 0:
				b = slices.Delete(b, i, min(i+1+g.IntN(4), len(b)))
			case 1:
				b = slices.Insert(b, i, []byte(pick(g, "\r\n", "\n", "\r", "\"", "'", "\\", ";", " ", "\t", "\x00", "--", "--BB", "name=\"user\"", "&", "=", "%", "[]", "\r\n\r\n", ":"))...)
			case 2:
				b[i] = byte(g.IntN(256))
			case 3:
				j := g.IntN(len(b))
				b[i], b[j] = b[j], b[i]
			}
		}
		q.Body = raw(b)
	}
}

func (g *generator) setContentType(q *request, value string) {
	if !g.one(12) {
		q.Headers = slices.DeleteFunc(q.Headers, func(line raw) bool { return headerName(line) == "content-type" })
	}
	if value != "" || g.one(2) {
		q.Headers = append(q.Headers, raw("Content-Type: "+value))
	}
}

var ebcdic = strings.NewReplacer("user", "%A4%A2%85%99", "key", "%D2%85%A8", "admin", "%81%84%94%89%95", "=", "%7E")

func (g *generator) form() string {
	var list []string
	for n := g.IntN(3); n > 0; n-- {
		list = append(list, g.harmless())
	}
	list = g.insert(list, pick(g, g.forgery(), g.forgery(), g.parameter()+"=admin"))
	s := strings.Join(list, pick(g, "&", "&", "&", ";", "\r\n", "\n", "&amp;"))
	if g.one(15) {
		s = ebcdic.Replace(s)
	}
	if g.one(20) {
		s = "\x00" + strings.Join(strings.Split(s, ""), "\x00") // UTF-16
	}
	return s
}

func (g *generator) multipart() string {
	var b strings.Builder
	if g.one(15) {
		b.WriteString(pick(g, "x\r\n", "\r\n", "--\r\n", " "))
	}
	eol := pick(g, "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r")
	for n := 1 + g.IntN(2); n > 0; n-- {
		name := pick(g, g.parameter(), decode(g.spell(g.parameter()), true), g.spell(g.parameter()), "b")
		b.WriteString("--BB" + pick(g, "", "", "", "", " ", "\t", "x") + eol)
		disposition := pick(g,
			`form-data; name="NAME"`, `form-data; name="NAME"`, `form-data; name="NAME"`, `form-data; name=NAME`, `form-data; name='NAME'`, `form-data; name="b"; name="NAME"`, `form-data; name="NAME"; name="b"`,
			`form-data; name="b"; name*=utf-8''NAME`, `form-data;name="NAME"`, `form-data; NAME="b"; name="NAME"`, `form-data; name ="NAME"`, `form-data; name= "NAME"`, `form-data;  name="NAME"`, `form-data; name="b\"; name="NAME"`,
			`form-data; filename="name=b"; name="NAME"`, `form-data; name="NAME`, `FORM-DATA; NaMe="NAME"`, `form-data; name="b"; filename="; name="NAME"`, `attachment; name="NAME"`, `form-data; x=" name="; name="NAME"`, `form-data; name=" NAME "`,
			`form-data; name="=?utf-8?q?NAME?="`, `form-data; filename=name="b"; name="NAME"`, `form-data; name=b; filename=" name="NAME"`, `form-data; name="b"`+"\t;\tname=NAME", `form-data; name*0="us"; name*1="er"; name="b"`, `form-data; x=y name="NAME"`, `form-data; filename=x; filename= name="b"; name=NAME`,
			`form-data; name="N\AME"`, `form-data; name="NAME"; filename=""`, `form-data; name="NAME"; filename="b"`)
		b.WriteString(pick(g, "Content-Disposition: ", "Content-Disposition: ", "Content-Disposition: ", "content-disposition:", "Content-Disposition : ", "Content-Disposition:\t", "Content-Disposition\r\n : ", " Content-Disposition: ") + strings.ReplaceAll(disposition, "NAME", name) + eol)
		if g.one(6) {
			b.WriteString(pick(g, "Content-Type: text/plain; charset=IBM037", "Content-Type: text/plain; charset=utf-16", "Content-Transfer-Encoding: base64", "Content-Disposition: form-data; name=\"user\"", "X: y\r\n name=\"user\"", "Content-Type: multipart/mixed; boundary=CC", "Content-Length: 2") + eol)
		}
		b.WriteString(eol + "admin" + pick(g, eol, eol, eol, eol, "", "\r\n"))
	}
	b.WriteString(pick(g, "--BB--\r\n", "--BB--\r\n", "--BB--", "--BB-", "--BB\r\n", "", "--BB--\r\n--BB\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nadmin\r\n--BB--\r\n", "--BB--x"))
	return b.String()
}

var (
	paths = []string{
		"/app/", "/app", "/app/index.php", "/app/x", "/", "/other/", "/autologin.php", "/autologin.php/", "/index.php/app/1", "/index.php", "/app/index.php/x", "/x/../app/", "/app/../other/", "/app/do/watch", "/app/do/delete", "/app/do/", "//app/", "/app//", "/APP/", "/App/index.php", "*", "", "app/", "/index.php/autologin.php",
		"/index.phpapp/", "/index%2ephpapp/", "/INDEX.phpapp/", "/autologin.phpx.php", "/autologin.php.php", "//x/app/", "//x:80/app/", "/x://app/", "///app/", "/public/..;/app/", "/index.php//app/", "/index.php;/app/",
	}
	steps = []string{"..", ".", "", ";", ";x", ";user=admin", "..;", "..;x", ".;", "%2e%2e", "%2E.", "%2e", "..%3b", "%3b", "%2f", "%2F", "%5c", "\\", "..\\", "%00", "%20", "+", "%252e%252e", "%252f", "%c0%af", "%ef%bc%8f", "x", "app", "App", "%61pp", "app;x", "index.php", "autologin.php", "INDEX.PHP", "x.php", "index.php%00", "index.php%20", "index.php.", "..%00", "%0a", "other", "do", "watch", "%09", "#", "&user=admin", ":", "~", "app.", "app%20", "%u002e", "\xff", "..%5c", "%e2%80%8b", "@", "=", "*", "index.phpapp", "index%2ephpapp", ".php", "x.phpapp", ":80", "//", "x:80", "public", "..;x=y", "%23", "%3f", "%26", "%25"}
)

func (g *generator) mutatePath(q *request) {
	s := strings.Split(string(q.Path), "/")
	i := g.IntN(len(s))
	switch g.IntN(12) {
	case 0:
		q.Path = raw(pick(g, paths...))
		return
	case 1, 2, 3, 4:
		s = slices.Insert(s, max(i, 1), pick(g, steps...))
	case 5, 6:
		s[i] += pick(g, steps...)
	case 7: // one byte in another spelling
		b := []byte(q.Path)
		if k := g.IntN(len(b) + 1); k < len(b) {
			b = slices.Replace(b, k, k+1, fmt.Appendf(nil, pick(g, "%%%02x", "%%%02X", "%%25%02x"), b[k])...)
		}
		q.Path = raw(b)
		return
	case 8:
		b := []byte(q.Path)
		if k := g.IntN(len(b) + 1); k < len(b) {
			b[k] = flipCase(b[k])
		}
		q.Path = raw(b)
		return
	case 9:
		s = append(s, pick(g, steps...))
	case 10: // leave and come back
		s = slices.Insert(s, max(i, 1), pick(g, "x", "app", "other", "index.php", "autologin.php"), pick(g, "..", "%2e%2e", "..;", "..;x", ".%2e", "..%2f.."))
	case 11:
		q.Form = raw(pick(g, "http://"+host, "http://x", "https://"+host, "http://"+host+"/app/..", "HTTP://"+host, "http://user@"+host, "ftp://x", "http:", "//x", "http://", "http:X.", "a:.", "http:x", "http:%2f", "http:.."))
		return
	}
	q.Path = raw(strings.Join(s, "/"))
}

func (g *generator) mutateMethod(q *request) {
	q.Method = raw(pick(g, "get", "Get", "gET", "POST", "PoSt", "post", "HEAD", "head", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "GETX", "G.T", "X", strings.Repeat("G", 33), "QUERY", "CONNECT", "LOCK"))
}

func (g *generator) mutateRequestLine(q *request) {
	switch g.IntN(6) {
	case 0:
		q.Version = raw(pick(g, "HTTP/1.0", "HTTP/1.1 ", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.10"))
	case 1:
		q.HasQuery, q.Query = false, ""
	case 2:
		q.Path += "?"
	case 3:
		if q.H2 {
			q.Headers = append(q.Headers, raw(pick(g, ":path: /app/?user=admin", ":authority: x/app/", ":method: POST", ":protocol: websocket", ":x: y", ":path: ", ":scheme: https")))
		}
	case 4:
		q.Method += raw(pick(g, " ", "\t", "\x00", " /app/ HTTP/1.1\r\nX-Verified-User: admin\r\nX:"))
	case 5:
		q.Path = raw(pick(g, " ", "\t", "\x01", "\x80", "#")) + q.Path
	}
}
