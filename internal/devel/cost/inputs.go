package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// kind is what a request is full of.
type kind struct {
	name   string
	pieces []string // one after the other, again and again
	path   bool     // only in a path it means something
	long   bool     // of what a mebibyte is tried
}

// kinds are what backends read in many ways, each alone, and all mixed.
var kinds = func() []kind {
	alone := []string{
		"[", "%5b", "u0[", `\u005b`, "%u005b", "[]", ";", "u0;", "amp;", "&", "a=&", "%61&", "=", "a=key%3D",
		"%", "%25", "%2525", "+", ".", "?",
		"\xff", "ü", "ｕ", "\u200b", "%ff", "%c3%bc", "%e2%80%8b", "%ef%bd%95", "%u200b", "%uff55", "u0%e2%80%8b", "%5d", "%00", "_", "u_", "u0_",
	}
	list := make([]kind, 0, 2*len(alone))
	for _, piece := range alone {
		list = append(list, kind{name: fmt.Sprintf("%q", piece), pieces: []string{piece}})
	}
	for _, piece := range []string{".php/", "/", "/.", "/..", "/x/..", ";/", "/;", `\`, "%2f", "%2e", "index.php", "/%2561", "%00", "a/"} {
		list = append(list, kind{name: fmt.Sprintf("%q", piece), pieces: []string{piece}, path: true})
	}
	for i, k := range list {
		list[i].long = slices.Contains([]string{"[", ".php/"}, k.pieces[0])
	}
	return append(list,
		kind{name: "mixed", pieces: slices.Concat(alone, []string{"]", "a;", "a=1;", "_", "a.", "\t", ",", "u0"}), long: true},
		kind{name: "mixed paths", pieces: []string{".php/", "/.", "//", ";/", "%2f", `\`, "%41", "index.php/", "%00"}, path: true},
		kind{name: "members", pieces: []string{"u1[a]", "&", "u1[x][y]", "u1[", "u1%5Bb%5D[", "&u1[b]"}},
		kind{name: "a deep member", pieces: []string{"u1[b]", "[x]", "[x]", "[x]", "[x]", "[x]", "[x]"}},
		kind{name: "brackets and parts", pieces: []string{"[", ";", "u0[", "%5b", "&"}},
	)
}()

func (k kind) fill(n int) string {
	var b strings.Builder
	for i := 0; ; i++ {
		piece := k.pieces[i%len(k.pieces)]
		if b.Len()+len(piece) > n {
			return b.String()
		}
		b.WriteString(piece)
	}
}

// place is where that stands.
type place struct {
	name    string
	request func(run string) []byte
	only    func(kind) bool
	max     int  // what is longer is refused before it is read; 0: nothing is
	long    bool // a run of 1 MiB can arrive
	longer  bool // it is only for what is longer than all others
	path    bool // it is a path
	link    bool // it is one that only definitions read whose links stand in the path
}

func (p *place) bound() int {
	if p.max == 0 {
		return 1<<20 - 256 // of a body, that is all that is read
	}
	return p.max
}

// The targets of requests: one that no definition matches, one without a link, one whose
// link is wrong, one of names with brackets, and one whose link verifies.
var (
	open   = "/open?a=1"
	bare   = "/app0/x?a=1"
	member = "/app1/x?u1[a]=4&u1%5Bb%5D%5Bc%5D=5&u1[s]=" + strings.Repeat("0", 64)
	wrong  = "/app0/x?u0=jeff&s0=" + strings.Repeat("0", 64)
	linked = "/app0/x?" + link()
)

const key = "0123456789abcdef0123456789abcdef"

func link() string { return "u0=jeff&s0=" + sign("jeff") }

func sign(message string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(message))
	return hex.EncodeToString(m.Sum(nil))
}

// segmentsOf are as many bytes of short segments.
func segmentsOf(run string) string { return strings.TrimSuffix(strings.Repeat("a/", len(run)/2), "/") }

var places = func() (list []place) {
	const longest = 8 << 10 // of a path
	paths := func(k kind) bool { return k.path || k.name == "mixed" }
	names := func(k kind) bool { return !k.path }
	for _, where := range []struct{ name, prefix string }{{"no definition", "/"}, {"a definition", "/app0/"}} {
		list = append(list, place{name: "path of " + where.name, only: func(k kind) bool { return paths(k) || strings.Contains(k.name, ";") }, max: longest - 64, path: true, request: func(run string) []byte {
			return get(where.prefix + run)
		}}, place{name: "each trick of a path, " + where.name, only: once, max: longest - 64, path: true, request: func(run string) []byte {
			return get(where.prefix + "b;x/c\\d+e%2525&f" + strings.Repeat("a", len(run)) + "/..:///app/login")
		}}, place{name: "too long a path of " + where.name, only: paths, long: true, longer: true, path: true, request: func(run string) []byte {
			return get(where.prefix + run)
		}})
	}
	ofLinks := func(k kind) bool { return paths(k) || k.name == `"%"` || k.name == `";"` }
	for _, where := range []struct {
		name string
		of   func(run string) string
	}{
		{"a path of links only", func(run string) string { return "/moved0/" + run }},
		{"a path beside those of links", func(run string) string { return "/moved/" + run }},
		{"a path with a wrong signature", func(run string) string { return "/app0/" + strings.Repeat("0", 64) + "/" + run }},
		{"a path with a signature", func(run string) string { return "/app0/" + sign(run) + "/" + run }},
		{"a path with too long a signature", func(run string) string { return "/app0/" + run + "/x" }},
		{"a path of many segments", func(run string) string { return "/app0/" + sign(segmentsOf(run)) + "/" + segmentsOf(run) }},
	} {
		only := ofLinks
		if strings.HasSuffix(where.name, "segments") {
			only = once
		}
		list = append(list, place{name: where.name, only: only, max: longest - 96, path: true, link: true, request: func(run string) []byte { return get(where.of(run)) }})
	}
	for _, where := range []struct {
		name, target string
		long         bool
	}{{"no definition", open, false}, {"no link", bare, true}, {"a wrong link", wrong, false}, {"a link of members", member, false}, {"a link", linked, false}} {
		list = append(list,
			place{name: "query, " + where.name, only: names, long: where.long, request: func(run string) []byte {
				return get(where.target + "&" + run)
			}},
			place{name: "cookie, " + where.name, only: names, long: where.long, request: func(run string) []byte {
				return get(where.target, "Cookie: "+run)
			}},
			place{name: "Referer, " + where.name, only: names, long: where.long, request: func(run string) []byte {
				return get(where.target, "Referer: /x&"+run)
			}},
			place{name: "many cookies, " + where.name, only: once, long: where.long, request: func(run string) []byte {
				return get(where.target, "Cookie: "+strings.Repeat("a[=1; ", len(run)/6))
			}},
			place{name: "many Cookie lines, " + where.name, only: once, long: where.long, request: func(run string) []byte {
				return get(where.target, lines(len(run), func(int) string { return "Cookie: u=1" })...)
			}},
			place{name: "many headers, " + where.name, only: once, long: where.long, request: func(run string) []byte {
				return get(where.target, lines(len(run), func(i int) string { return fmt.Sprintf("X-%d: a", i) })...)
			}},
			place{name: "many spellings, " + where.name, only: once, long: where.long, request: func(run string) []byte {
				return get(where.target, lines(len(run), func(i int) string { return "X-Verified-" + fmt.Sprint(i) + ": a" })...)
			}},
			place{name: "Connection, " + where.name, only: once, long: where.long, request: func(run string) []byte {
				return get(where.target, "Connection: "+strings.Repeat("Cookie,x,", len(run)/9))
			}},
		)
	}
	return append(list,
		place{name: "form", only: names, long: true, request: func(run string) []byte {
			return post("application/x-www-form-urlencoded", "x"+run)
		}},
		place{name: "name in JSON", only: names, long: true, request: func(run string) []byte {
			return post("application/json", `{"`+strings.ReplaceAll(run, "\t", " ")+`":1}`)
		}},
		place{name: "depth of JSON", only: once, long: true, request: func(run string) []byte {
			return post("application/json", strings.Repeat("[", len(run)/2)+strings.Repeat("]", len(run)/2))
		}},
		place{name: "names of JSON", only: once, long: true, request: func(run string) []byte {
			return post("application/json", "{"+strings.Repeat(`"a[":[],`, len(run)/8)+`"b":1}`)
		}},
		place{name: "names of XML", only: once, long: true, request: func(run string) []byte {
			return post("application/xml", "<a>"+strings.Repeat("<u/>", len(run)/4)+"</a>")
		}},
		place{name: "attributes in XML", only: once, long: true, request: func(run string) []byte {
			return post("application/xml", "<a"+strings.Repeat(` b=""`, len(run)/5)+"/>")
		}},
		place{name: "depth of XML", only: once, long: true, request: func(run string) []byte {
			return post("application/xml", strings.Repeat("<u>", len(run)/7)+strings.Repeat("</u>", len(run)/7))
		}},
		place{name: "values of JSON", only: once, long: true, request: func(run string) []byte {
			return post("application/json", "["+strings.Repeat("1,", len(run)/2)+"1]")
		}},
		place{name: "texts of JSON", only: once, long: true, request: func(run string) []byte {
			return post("application/json", `{"a":"`+strings.Repeat(`\u005b`, len(run)/6)+`"}`)
		}},
		place{name: "name of a part", only: names, long: true, request: func(run string) []byte {
			return post("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\""+run+"\"\r\n\r\n1\r\n--x--\r\n")
		}},
		place{name: "many parts", only: once, long: true, request: func(run string) []byte {
			return post("multipart/form-data; boundary=x", strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"a[\"\r\n\r\n1\r\n", len(run)/50)+"--x--\r\n")
		}},
	)
}()

// once is for places that are full of something themselves.
func once(k kind) bool { return k.name == kinds[0].name }

func lines(n int, line func(i int) string) (list []string) {
	for i := 0; n > 0; i++ {
		list = append(list, line(i))
		n -= len(list[i]) + len("\r\n")
	}
	return list
}

func get(target string, headers ...string) []byte {
	return []byte("GET " + target + " HTTP/1.1\r\nHost: example.org\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n")
}

func post(contentType, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: example.org\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", linked, contentType, len(body), body)
}
