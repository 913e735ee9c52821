package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/integration/corpora"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

// raw is a string of bytes, written to JSON as one character for each.
type raw string

// MarshalJSON writes the bytes as characters.
func (s raw) MarshalJSON() ([]byte, error) { return json.Marshal(corpora.Latin1(string(s))) }

// UnmarshalJSON reads characters as bytes.
func (s *raw) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	b, err := corpora.Bytes(text)
	*s = raw(b)
	return err
}

// request is a request before it is written: its parts may hold any bytes.
type request struct {
	H2       bool  `json:"h2,omitempty"`
	Method   raw   `json:"method"`
	Form     raw   `json:"form,omitempty"` // what stands before the path in an absolute-form target
	Path     raw   `json:"path"`
	Query    raw   `json:"query,omitempty"`
	HasQuery bool  `json:"has_query,omitempty"`
	Version  raw   `json:"version,omitempty"`
	Headers  []raw `json:"headers,omitempty"` // lines; over HTTP/2 a name may begin with ':'
	Body     raw   `json:"body,omitempty"`
	Chunked  bool  `json:"chunked,omitempty"`
	Trailers []raw `json:"trailers,omitempty"`
	// Honest says that the link verifies, and that the gateway must let it through.
	Honest bool `json:"honest,omitempty"`
	// Site and H3 are of drawn configurations: the site that is asked, and whether over
	// HTTP/3.
	Site string `json:"site,omitempty"`
	H3   bool   `json:"h3,omitempty"`
}

func (q *request) clone() *request {
	c := *q
	c.Headers, c.Trailers = slices.Clone(q.Headers), slices.Clone(q.Trailers)
	return &c
}

func (q *request) target() string {
	t := string(q.Form) + string(q.Path)
	if q.HasQuery {
		t += "?" + string(q.Query)
	}
	return t
}

func (q *request) setTarget(target string) {
	path, query, has := strings.Cut(target, "?")
	q.Form, q.Path, q.Query, q.HasQuery = "", raw(path), raw(query), has
}

func headerName(line raw) string {
	name, _, _ := strings.Cut(string(line), ":")
	return strings.ToLower(strings.TrimSpace(name))
}

func (q *request) has(names ...string) bool {
	return slices.ContainsFunc(q.Headers, func(line raw) bool { return slices.Contains(names, headerName(line)) })
}

// framed tells whether where the request ends may be disputed.
func (q *request) framed() bool {
	return q.Body != "" || q.Chunked || len(q.Trailers) > 0 || q.has("content-length", "transfer-encoding", "expect", "upgrade") ||
		slices.ContainsFunc(q.Headers, func(line raw) bool { return strings.ContainsAny(string(line), "\r\n") })
}

// ownFraming tells whether the request says itself how long its body is, rightly or
// not.
func (q *request) ownFraming() bool { return q.has("content-length", "transfer-encoding", "expect") }

const (
	host     = "gateway.example"
	idHeader = "Fuzz-Id" // no X-: Caddy drops those where it lets aliases of them in
	idLength = 16
)

// http1 are the bytes of the request over HTTP/1.1. Without an id it has no such
// header.
func (q *request) http1(id string) []byte {
	var b bytes.Buffer
	version := q.Version
	if version == "" {
		version = "HTTP/1.1"
	}
	b.WriteString(string(q.Method) + " " + q.target() + " " + string(version) + "\r\n")
	if !q.has("host") {
		b.WriteString("Host: " + host + "\r\n")
	}
	for _, line := range q.Headers {
		b.WriteString(string(line) + "\r\n")
	}
	if id != "" {
		b.WriteString(idHeader + ": " + id + "\r\n")
	}
	switch {
	case q.Chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		if q.Body != "" {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(q.Body), q.Body)
		}
		b.WriteString("0\r\n")
		for _, t := range q.Trailers {
			b.WriteString(string(t) + "\r\n")
		}
		b.WriteString("\r\n")
	case q.Body != "" && !q.has("content-length", "transfer-encoding"):
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(q.Body), q.Body)
	default:
		b.WriteString("\r\n" + string(q.Body))
	}
	return b.Bytes()
}

// fields are the fields of the request over HTTP/2 or HTTP/3, in their order.
func (q *request) fields(scheme, id string) []gateway.Field {
	fields := []gateway.Field{
		{Name: ":method", Value: string(q.Method)},
		{Name: ":scheme", Value: scheme},
		{Name: ":authority", Value: host},
		{Name: ":path", Value: q.target()},
	}
	for _, line := range q.Headers {
		if f := field(line); f.Name == "host" {
			fields[2].Value = f.Value
		} else if strings.HasPrefix(f.Name, ":") {
			fields = append(fields, f)
		}
	}
	for _, line := range q.Headers {
		if f := field(line); f.Name != "host" && !strings.HasPrefix(f.Name, ":") {
			fields = append(fields, f)
		}
	}
	if id != "" {
		fields = append(fields, gateway.Field{Name: strings.ToLower(idHeader), Value: id})
	}
	return fields
}

func (q *request) trailers() (fields []gateway.Field) {
	for _, line := range q.Trailers {
		fields = append(fields, field(line))
	}
	return fields
}

// field reads a line; the name may begin with a colon.
func field(line raw) gateway.Field {
	s := string(line)
	start := 0
	if strings.HasPrefix(s, ":") {
		start = 1
	}
	name, value, _ := strings.Cut(s[start:], ":")
	return gateway.Field{Name: strings.ToLower(s[:start] + name), Value: strings.TrimSpace(value)}
}

// String shows the request as Go strings.
func (q *request) String() string {
	if !q.H2 {
		return fmt.Sprintf("%q", q.http1(""))
	}
	var b strings.Builder
	b.WriteString("h2c")
	for _, f := range q.fields("http", "") {
		fmt.Fprintf(&b, " {%q, %q}", f.Name, f.Value)
	}
	if q.Body != "" {
		fmt.Fprintf(&b, " body %q", string(q.Body))
	}
	for _, f := range q.trailers() {
		fmt.Fprintf(&b, " trailer {%q, %q}", f.Name, f.Value)
	}
	return b.String()
}

// evidence is all that the client has written, as it is and decoded once: what the
// gateway took for a signature must be in it.
func (q *request) evidence() string {
	text := string(q.http1(""))
	return text + "\n" + decode(text, false)
}

// decode decodes every %XX.
func decode(s string, plus bool) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			b = append(b, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		case s[i] == '+' && plus:
			b = append(b, ' ')
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
