package keyedhash

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// kind says what a segment of a template stands for.
type kind uint8

const (
	literal kind = iota
	queryValue
	rawQueryValue
	path
	rawPath
	pathSegment
	rawQuery
	sortedQuery
	scheme
	host
	hostPort
	method
	clientIP
	secret
	claim
	local
	linkField
	rawLinkField
)

// segment is one piece of a template: a literal, or what is read from the request.
type segment struct {
	kind kind
	text string // the literal, or the name of parameter, claim, local or field
	n    int    // of pathSegment and of fields, from 0

	marked bool // of rawQuery: a '?' stands before it, unless it is empty
}

// Template is a text with placeholders, compiled once. It is rendered over the
// verified view of a request and nothing else: client bytes are values, never
// templates, so a client that sends `{env.SECRET}` gets just that text
// (GHSA-j8px-rmrx-76h9 was an expansion of this kind).
type Template struct {
	source   string
	segments []segment
}

// simple are the placeholders without a name, in the short form and in the one to
// which Caddy's Caddyfile parser expands it.
var simple = map[string]kind{
	"path": path, "http.request.uri.path": path,
	"raw_path": rawPath,
	"query":    rawQuery, "http.request.uri.query": rawQuery,
	"sorted_query": sortedQuery,
	"scheme":       scheme, "http.request.scheme": scheme,
	"host": host, "http.request.host": host,
	"hostport": hostPort, "http.request.hostport": hostPort,
	"method": method, "http.request.method": method,
	"client_ip": clientIP, "http.vars.client_ip": clientIP,
	"secret": secret,
}

// prefixed are those with a name behind a dot; the longest prefix first.
var prefixed = []struct {
	prefix string
	kind   kind
}{
	{"http.request.uri.query.", queryValue},
	{"http.request.uri.path.", pathSegment},
	{"raw_query.", rawQueryValue},
	{"query.", queryValue},
	{"path.", pathSegment},
	{"claim.", claim},
	{"link.", linkField},
	{"raw_link.", rawLinkField},
}

// Names are the placeholders that a template has beside those of every request.
type Names struct {
	Locals []string // {NAME}, which a preset computes
	Fields []string // {link.NAME} and {raw_link.NAME}, in the order of [link.Link]
}

// ParseTemplate compiles a template without names of its own; see [Names.Parse].
func ParseTemplate(text string) (*Template, error) { return Names{}.Parse(text) }

// escapes are what may stand behind a backslash, and what it means.
var escapes = map[byte]byte{'{': '{', '}': '}', '\\': '\\', 'n': '\n', 't': '\t'}

// Parse compiles a template. `\{`, `\}` and `\\` stand for themselves, `\n` and `\t` are a
// line break and a tab; a backslash before anything else is an error, because it would be
// signed as it stands, silently. Errors name the placeholder and never the text around it,
// which may hold a secret by mistake.
func (n Names) Parse(text string) (*Template, error) {
	t := &Template{source: text}
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			t.segments = append(t.segments, segment{kind: literal, text: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			if i+1 == len(text) || escapes[text[i+1]] == 0 {
				return nil, errors.New(`a '\' stands before a character that it does not change; write \\ for a backslash, \n, \t, \{ or \}`)
			}
			i++
			lit.WriteByte(escapes[text[i]])
		case '}':
			return nil, errors.New("a '}' without its '{'; write \\} for a brace")
		case '{':
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return nil, errors.New("a '{' without its '}'; write \\{ for a brace")
			}
			s, err := n.placeholder(text[i+1 : i+end])
			if err != nil {
				return nil, err
			}
			flush()
			t.segments = append(t.segments, s)
			i += end
		default:
			lit.WriteByte(c)
		}
	}
	flush()
	if len(t.segments) == 0 {
		return nil, errors.New("the template is empty")
	}
	return t, nil
}

func (n Names) placeholder(name string) (segment, error) {
	if k, ok := simple[name]; ok {
		return segment{kind: k}, nil
	}
	if name == "?query" || name == "http.request.uri.prefixed_query" {
		return segment{kind: rawQuery, marked: true}, nil
	}
	if slices.Contains(n.Locals, name) {
		return segment{kind: local, text: name}, nil
	}
	typed := link.Typed(name)
	for _, p := range prefixed {
		rest, ok := strings.CutPrefix(name, p.prefix)
		if !ok {
			continue
		}
		if rest == "" {
			return segment{}, fmt.Errorf("{%s} lacks a name behind the dot", typed)
		}
		s := segment{kind: p.kind, text: rest}
		switch p.kind { //nolint:exhaustive // the others need nothing more
		case pathSegment:
			number, err := strconv.Atoi(rest)
			if err != nil || number < 0 || number > 99 || rest != strconv.Itoa(number) {
				if typed != name && slices.Contains(n.Fields, typed) {
					return segment{}, n.asField(typed)
				}
				return segment{}, fmt.Errorf("{%s}: %q is not the number of a path segment, counted from 0", link.Shown(typed), link.Shown(rest))
			}
			s.n, s.text = number, ""
		case linkField, rawLinkField:
			if s.n = slices.Index(n.Fields, rest); s.n < 0 {
				return segment{}, n.noField(rest)
			}
		}
		return s, nil
	}
	if slices.Contains(n.Fields, typed) {
		return segment{}, n.asField(typed)
	}
	if strings.ContainsAny(typed, "\"{\n") {
		return segment{}, errors.New("a '{' begins no placeholder here; write \\{ and \\} for braces that are signed as they stand")
	}
	known := n.known()
	return segment{}, fmt.Errorf("{%s} is no placeholder of a signed link%s; there are %s",
		link.Shown(typed), link.DidYouMean("{"+typed+"}", known), strings.Join(known, " "))
}

// asField is the error of a field without its prefix. Caddy reads some as its own words.
func (Names) asField(name string) error {
	return fmt.Errorf("{%s}: a field is written {link.%[1]s}; Caddy has a placeholder {%[1]s} of its own, or none", name)
}

func (n Names) noField(name string) error {
	if len(n.Fields) == 0 {
		return fmt.Errorf("{link.%s}: there are no fields; name them in a pattern, as in `token {query.t} <id>-<signature>`", link.Shown(name))
	}
	return fmt.Errorf("{link.%s}: no pattern has such a field%s; there are %s",
		link.Shown(name), link.DidYouMean(name, n.Fields), strings.Join(n.Fields, ", "))
}

// known are the placeholders that a template may have.
func (n Names) known() []string {
	known := []string{
		"{query.NAME}", "{raw_query.NAME}", "{path}", "{raw_path}", "{path.N}", "{query}", "{?query}",
		"{sorted_query}", "{scheme}", "{host}", "{hostport}", "{method}", "{client_ip}", "{secret}", "{claim.NAME}",
	}
	if len(n.Fields) > 0 {
		known = append(known, "{link.NAME}", "{raw_link.NAME}")
	}
	return append(known, braced(n.Locals)...)
}

func braced(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "{" + n + "}"
	}
	return out
}

// QueryParameter returns the name of the parameter if text is `{query.NAME}`, in
// either form, and nothing else.
func QueryParameter(text string) (string, error) {
	t, err := ParseTemplate(text)
	if err != nil {
		return "", err
	}
	if len(t.segments) != 1 || t.segments[0].kind != queryValue {
		return "", errors.New("this is not one parameter of the query; write {query.NAME}")
	}
	return t.segments[0].text, nil
}

// String returns the template as it was written.
func (t *Template) String() string { return t.source }

// Parameters returns the names of the query parameters that the template reads,
// each once, in the order of their first use.
func (t *Template) Parameters() []string {
	var names []string
	for _, s := range t.segments {
		if (s.kind == queryValue || s.kind == rawQueryValue) && !slices.Contains(names, s.text) {
			names = append(names, s.text)
		}
	}
	return names
}

// OnlyParameters reports whether the template reads query parameters and nothing else
// of the request.
func (t *Template) OnlyParameters() bool {
	return !slices.ContainsFunc(t.segments, func(s segment) bool { return s.kind != literal && s.kind != queryValue })
}

// Claims returns the names of the claims that the template reads.
func (t *Template) Claims() []string {
	var names []string
	for _, s := range t.segments {
		if s.kind == claim {
			names = append(names, s.text)
		}
	}
	return names
}

// has reports whether the template has a segment of one of the kinds.
func (t *Template) has(kinds ...kind) bool {
	return slices.ContainsFunc(t.segments, func(s segment) bool { return slices.Contains(kinds, s.kind) })
}

// pathSegments returns the numbers of the path segments that the template reads.
func (t *Template) pathSegments() []int {
	var ns []int
	for _, s := range t.segments {
		if s.kind == pathSegment {
			ns = append(ns, s.n)
		}
	}
	return ns
}

// Fields returns the names of the fields that the template reads.
func (t *Template) Fields() []string {
	var names []string
	for _, s := range t.segments {
		if s.kind == linkField || s.kind == rawLinkField {
			names = append(names, s.text)
		}
	}
	return names
}

// hasLocal reports whether the template uses the local placeholder.
func (t *Template) hasLocal(name string) bool {
	return slices.ContainsFunc(t.segments, func(s segment) bool { return s.kind == local && s.text == name })
}

// CoveredBy reports as an error the first placeholder of the template that the
// scheme's signature does not cover: its value would be the client's own word.
// It is what makes `request_header` and `user` trustworthy.
func (t *Template) CoveredBy(d link.Description) error {
	for i := range t.segments {
		s := &t.segments[i]
		if err := s.carries(&d); err != nil {
			return err
		}
		var ok bool
		var what string
		switch s.kind {
		case literal, local:
			ok = true
		case linkField:
			what, ok = "{link."+s.text+"}", slices.Contains(d.Determined, s.text)
		case claim:
			what = "{claim." + s.text + "}"
			if !slices.Contains(d.Claims, s.text) {
				return fmt.Errorf("%s: this scheme makes no such claim; it makes %s", what, orNone(d.Claims))
			}
			ok = true
		case queryValue:
			what = "{query." + s.text + "}"
			apart := slices.Contains(d.Signature, s.text) || slices.Contains(d.Expiry, s.text)
			ok = d.Coverage != link.Named && !apart || slices.Contains(d.Signed, s.text)
		case path:
			what, ok = "the path", d.Path
		case rawPath:
			what, ok = "the path as it was sent", d.RawPath
		case pathSegment:
			what = fmt.Sprintf("{path.%d}", s.n)
			ok = d.Path || slices.Contains(d.PathSegments, s.n)
		case host:
			what, ok = "{host}", d.Host
		case method:
			what, ok = "{method}", d.Method
		case secret:
			return errors.New("{secret} may stand in message only: it must never leave the gateway")
		default:
			return errors.New("only {query.NAME}, {link.NAME}, {claim.NAME}, {path}, {path.N}, {raw_path}, {host}, {method} and {user} may be used here")
		}
		if !ok {
			return fmt.Errorf("%s is not covered by the message, so the client could write what it likes there (unsigned_identity); "+
				"sign it, or leave it out", what)
		}
	}
	return nil
}

// carries refuses what has the signature in it, or is taken apart: no message could cover it.
func (s *segment) carries(d *link.Description) error {
	c := d.Carrier
	switch {
	case s.kind == queryValue && slices.Contains(d.Signature, s.text) && !slices.Contains(d.Expiry, s.text):
		return fmt.Errorf("{query.%s} carries the signature, which says nothing; leave it out", s.text)
	case s.kind == linkField && s.text == link.SignatureField:
		return errors.New("{link.signature} says nothing; leave it out")
	case c == nil:
	case s.kind == pathSegment && c.Link == nil && s.n >= c.Segment:
		return fmt.Errorf("{path.%d}: {path.%d} carries the signature, and is the last segment", s.n, c.Segment)
	case (s.kind == path || s.kind == rawPath) && c.Signature && c.Link == nil:
		return errors.New("the path carries the signature, so no message covers it; name its parts, {path.N}")
	case s.kind == pathSegment && slices.Contains(d.PathSegments, s.n):
	case (s.kind == path || s.kind == rawPath || s.kind == pathSegment) && c.Link != nil && !d.Path:
		return errors.New("with a path pattern the parts of the path are its fields; write {link.NAME} for those that the message covers")
	}
	return nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Values supplies what the request alone does not hold.
type Values struct {
	Secret []byte
	Claims link.Claims
	Fields []link.Field
	Local  func(name string) string
	// Left tells which segments of the query belong to the message of {query} and
	// {sorted_query}; nil means all.
	Left func(segment string) bool
}

// Append renders the template over the request and appends it to dst. A parameter
// that is absent is an empty value.
func (t *Template) Append(dst []byte, r *link.Request, v Values) []byte {
	for i := range t.segments {
		s := &t.segments[i]
		switch s.kind { //nolint:exhaustive // the other kinds are the checker's
		case literal:
			dst = append(dst, s.text...)
		case queryValue:
			if p, ok := r.Query.Find(s.text); ok {
				dst = r.Query.AppendValue(dst, p)
			}
		case rawQueryValue:
			if p, ok := r.Query.Find(s.text); ok {
				dst = append(dst, r.Query.RawValue(p)...)
			}
		case path:
			dst = query.AppendUnescapedPath(dst, r.Path)
		case rawPath:
			dst = append(dst, r.Path...)
		case pathSegment:
			dst = query.AppendUnescapedPath(dst, nthSegment(r.Path, s.n))
		case rawQuery:
			dst = s.appendQuery(dst, r, v.Left)
		case sortedQuery:
			dst = appendSorted(dst, r, v.Left)
		case scheme:
			dst = append(dst, r.Scheme...)
		case host:
			dst = append(dst, hostOnly(r.Host)...)
		case hostPort:
			dst = append(dst, r.Host...)
		case method:
			dst = append(dst, r.Method...)
		case clientIP:
			dst = append(dst, r.ClientIP...)
		case secret:
			dst = append(dst, v.Secret...)
		case linkField:
			if s.n < len(v.Fields) {
				dst = append(dst, v.Fields[s.n].Value...)
			}
		case rawLinkField:
			if s.n < len(v.Fields) {
				dst = append(dst, v.Fields[s.n].Sent...)
			}
		case claim:
			dst = append(dst, v.Claims.Get(s.text)...)
		case local:
			if v.Local != nil {
				dst = append(dst, v.Local(s.text)...)
			}
		}
	}
	return dst
}

// appendQuery appends the query as sent, and the '?' before it.
func (s *segment) appendQuery(dst []byte, r *link.Request, left func(segment string) bool) []byte {
	if !s.marked {
		return appendLeft(dst, r, left)
	}
	n := len(dst)
	if dst = appendLeft(append(dst, '?'), r, left); len(dst) == n+1 {
		return dst[:n]
	}
	return dst
}

// Render is [Template.Append] as a text. A template that is one claim, or one parameter
// with nothing to decode in it, costs no memory.
func (t *Template) Render(r *link.Request, v *Values) string {
	if len(t.segments) == 1 {
		switch s := &t.segments[0]; s.kind {
		case claim:
			return v.Claims.Get(s.text)
		case linkField:
			if s.n < len(v.Fields) {
				return v.Fields[s.n].Value
			}
			return ""
		case queryValue:
			value, _ := r.Value(s.text)
			return value
		default:
		}
	}
	var buf [256]byte
	return string(t.Append(buf[:0], r, *v))
}

// constant splits the template: beginning is what every rendering with this secret
// begins with, and rest what follows.
func (t *Template) constant(key []byte) (beginning []byte, rest *Template) {
	n := 0
	for ; n < len(t.segments) && (t.segments[n].kind == literal || t.segments[n].kind == secret); n++ {
		beginning = append(beginning, t.segments[n].text...)
		if t.segments[n].kind == secret {
			beginning = append(beginning, key...)
		}
	}
	return beginning, &Template{source: t.source, segments: t.segments[n:]}
}

// appendLeft appends the raw query less the segments that are not part of the message.
func appendLeft(dst []byte, r *link.Request, left func(string) bool) []byte {
	if left == nil {
		return append(dst, r.Query.Raw...)
	}
	dst, _ = query.AppendCut(dst, r.Query.Raw, func(s string) bool { return !left(s) })
	return dst
}

// appendSorted appends those segments as sent, sorted by their decoded names, joined
// by '&'. Under {sorted_query} every name is single, so the order is total.
func appendSorted(dst []byte, r *link.Request, left func(string) bool) []byte {
	var few [32]string
	segments := few[:0]
	for _, p := range r.Query.Pairs {
		if s := r.Query.Segment(p); left == nil || left(s) {
			segments = append(segments, s)
		}
	}
	slices.SortStableFunc(segments, func(a, b string) int {
		return strings.Compare(segmentName(a), segmentName(b))
	})
	for i, s := range segments {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, s...)
	}
	return dst
}

func segmentName(s string) string {
	name, _, _ := strings.Cut(s, "=")
	return query.Unescape(name)
}

// nthSegment returns the n-th segment of a raw path, counted from 0, or "".
func nthSegment(p string, n int) string {
	p = strings.TrimPrefix(p, "/")
	for ; n > 0; n-- {
		_, rest, ok := strings.Cut(p, "/")
		if !ok {
			return ""
		}
		p = rest
	}
	s, _, _ := strings.Cut(p, "/")
	return s
}

func hostOnly(h string) string {
	if name, _, err := net.SplitHostPort(h); err == nil {
		return name
	}
	return h
}

// HidesDelimiter reports whether decoding the raw path once would produce a byte
// that backends take for structure: a slash, a backslash, a percent sign, a
// question mark, a number sign, a semicolon or a NUL. Two paths that different
// routes answer would then have one signed form.
func HidesDelimiter(rawPath string) bool {
	for i := 0; i+2 < len(rawPath); i++ {
		if rawPath[i] != '%' {
			continue
		}
		switch strings.ToLower(rawPath[i+1 : i+3]) {
		case "2f", "5c", "25", "3f", "23", "3b", "00":
			return true
		}
	}
	return false
}
