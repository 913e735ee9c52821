//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/corpora"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
)

// TestCorpus sends every request of the corpora (../testdata/corpora) through the
// gateway to real applications. Whatever the gateway refuses is well; what an
// application under /app answered must not hold a forged identity, in any place
// where the application could look for one.
func TestCorpus(t *testing.T) {
	t.Parallel()
	queries := readCorpus(t, "query_corpus.jsonl")
	headers := readCorpus(t, "header_corpus.jsonl")
	all := slices.Concat(queries, headers)

	phps := []application{
		fpm(t, "fpm"),
		// as PHP is without a php.ini, and as some sites set it
		fpm(t, "fpm lenient", backends.WithINI("request_order", "GPC"), backends.WithINI("arg_separator.input", ";&")),
		phpServer(t),
		apache(t),
	}
	servlets := []application{tomcat(t), tomcat9(t)}
	for _, profile := range []string{"strict", "php", "servlet"} {
		behind := slices.Clone(phps)
		switch profile {
		case "strict":
			behind = append(behind, servlets...)
		case "servlet":
			behind = servlets
		}
		for _, b := range behind {
			t.Run(profile+"/"+b.name, func(t *testing.T) {
				t.Parallel()
				runCorpus(t, b, profile, "", variants, all, failEach)
			})
			// The same where the operator lets look-alike names of headers in.
			t.Run(profile+"/"+b.name+"/aliases", func(t *testing.T) {
				t.Parallel()
				const aliases = "expected_underscore_headers X_* X-Verified_* X_Verified*\nexpected_dot_headers X.* X_Verified.*"
				runCorpus(t, b, profile, aliases, variants[:1], headers, failEach)
			})
		}
	}
}

// variant is a way to configure the definition.
type variant struct {
	name    string
	options string
	cut     func(l *line) []string // which parameters of a verified request are cut
	judges  judges
}

// judges says which promise a mode makes.
type judges uint8

const (
	everything judges = iota // no forged identity anywhere
	query                    // none in headers and query
	headers                  // none in headers
)

var variants = []variant{
	{"require", "", cutSignature, everything},
	{"strip none", "strip none", cutNothing, everything},
	{"strip signed", "strip signed", cutSigned, everything},
	{"missing pass", "missing pass", cutSignature, query},
	{"recognize", "mode recognize", cutSignature, query},
	{"observe", "mode observe", cutNothing, headers},
}

func cutNothing(*line) []string { return nil }

func cutSignature(l *line) []string {
	if l.Param == "akid" {
		return []string{"akid"}
	}
	return []string{"key"}
}

func cutSigned(l *line) []string { return append(cutSignature(l), l.Param) }

// definition is the signed_link for the lines that read the parameter.
func (v variant) definition(param, profile string) string {
	scheme := "akid {env.AKID_SECRET}"
	options := ""
	if param != "akid" {
		scheme = "keyed_hash {env.LINK_SECRET}"
		options = "algorithm md5\nmessage {query." + param + "}{secret}\nsignature {query.key}\nuser {query." + param + "} utf8\n"
	}
	return "@app path /app /app/*\nsigned_link @app " + scheme + " {\n" + options +
		"backend " + profile + "\nmethods GET HEAD POST PUT PATCH DELETE OPTIONS\n" + v.options + "\n}\n"
}

func failEach(t *testing.T, violations []string) {
	for _, v := range violations {
		t.Error(v)
	}
}

// TestCorpusFindsBypasses shows that the check sees a bypass: with the profile of
// another backend there are some.
func TestCorpusFindsBypasses(t *testing.T) {
	t.Parallel()
	lines := readCorpus(t, "query_corpus.jsonl")
	folded := []string{"blank-last-Puser (HTTP/1.1)", "arr-last-user-5B-5D (h2c)", "nul-last-user-00 (h2c)", "nul-last-user-00 (HTTP/3)"}
	hidden := []string{"path-pp-lead (HTTP/1.1)", "path-dotdot-semi (h2c)", "path-dotdot-semi (HTTP/3)"}
	for _, c := range []struct {
		profile string
		backend application
		known   []string
	}{
		{"servlet", fpm(t, "fpm"), folded},
		{"servlet", apache(t), folded},
		{"php", tomcat(t), hidden},
		{"php", tomcat9(t), hidden},
	} {
		t.Run(c.profile+"/"+c.backend.name, func(t *testing.T) {
			t.Parallel()
			runCorpus(t, c.backend, c.profile, "", variants[:1], lines, func(t *testing.T, violations []string) {
				t.Logf("%d violations", len(violations))
				for _, known := range c.known {
					if !slices.ContainsFunc(violations, func(v string) bool { return strings.HasPrefix(v, known) }) {
						t.Errorf("%s is not found", known)
					}
				}
			})
		})
	}
}

func runCorpus(t *testing.T, b application, profile, servers string, variants []variant, lines []*line, report func(*testing.T, []string)) {
	sites := make(map[string]string)
	for _, param := range []string{"user", "user_id", "akid"} {
		for _, v := range variants {
			sites[v.name+" "+param] = v.definition(param, profile) + b.proxy(b.address)
		}
	}
	servers += "\nmax_header_size 1MB" // so that the gateway's own bounds are met, not Caddy's
	g := gateway.Start(t, gateway.Config{Env: secrets, Servers: servers, Sites: sites, Secure: true})
	// the same without signed_link, in a Caddy of its own: beside the others it does not load
	open := gateway.Start(t, gateway.Config{Servers: servers, Sites: map[string]string{"plain": b.proxy(b.address)}, Secure: true, Quiet: true})
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			c := &corpusRun{backend: b, profile: profile, variant: v}
			var group sync.WaitGroup
			jobs := make(chan *line)
			for range 4 {
				plain := endpointOf(t, open, "plain")
				behind := make(map[string]*endpoint)
				for _, param := range []string{"user", "user_id", "akid"} {
					behind[param] = endpointOf(t, g, v.name+" "+param)
				}
				group.Go(func() {
					for l := range jobs {
						c.send(l, behind[l.Param], plain)
					}
				})
			}
			for _, l := range lines {
				jobs <- l
			}
			close(jobs)
			group.Wait()
			slices.Sort(c.violations)
			report(t, c.violations)
			t.Logf("%d requests, %d answered by an application, %d of them under /app", c.requests, c.answered, c.protected)
		})
	}
	if strings.Contains(g.Log(), "panic") {
		t.Error("the gateway panicked")
	}
}

type corpusRun struct {
	backend application
	profile string
	variant variant

	mu                            sync.Mutex
	requests, answered, protected int
	violations                    []string
}

func (c *corpusRun) violation(l *line, proto, format string, args ...any) {
	c.violations = append(c.violations, fmt.Sprintf("%s (%s): %s", l.ID, proto, fmt.Sprintf(format, args...)))
}

// endpoint is where a site is met, by one request at a time.
type endpoint struct {
	address string // cleartext
	http3   *gateway.RawHTTP3
}

func endpointOf(t *testing.T, g *gateway.Gateway, site string) *endpoint {
	return &endpoint{g.Address(site), g.RawHTTP3(t, site)}
}

// send sends the line over each version of HTTP, as far as it can be said in it. plain is
// the site without signed_link.
func (c *corpusRun) send(l *line, to, plain *endpoint) {
	for _, send := range []func(*endpoint) (string, []*gateway.Response, error){l.sendHTTP1, l.sendHTTP2, l.sendHTTP3} {
		proto, responses, err := send(to)
		if proto == "" {
			continue
		}
		// An honest link may be one that the application's own server refuses.
		var open []*gateway.Response
		if c.mustForward(l) {
			if _, open, err = send(plain); err != nil {
				panic(err)
			}
		}
		c.judge(l, proto, responses, open, err)
	}
}

func (l *line) sendHTTP1(to *endpoint) (proto string, responses []*gateway.Response, err error) {
	raw := l.http1(to.address)
	if raw == nil {
		return "", nil, nil
	}
	responses, err = gateway.SendHTTP1(to.address, l.Method, raw, l.More)
	return "HTTP/1.1", responses, err
}

func (l *line) sendHTTP2(to *endpoint) (proto string, responses []*gateway.Response, err error) {
	return l.sendFields("h2c", to, func(fields, trailers []gateway.Field) (*gateway.Response, error) {
		return gateway.SendHTTP2(to.address, fields, l.body(), trailers)
	})
}

func (l *line) sendHTTP3(to *endpoint) (proto string, responses []*gateway.Response, err error) {
	return l.sendFields("HTTP/3", to, func(fields, trailers []gateway.Field) (*gateway.Response, error) {
		return to.http3.Send(fields, l.body(), trailers)
	})
}

// sendFields sends the line in a version of HTTP that has fields.
func (l *line) sendFields(proto string, to *endpoint, send func(fields, trailers []gateway.Field) (*gateway.Response, error)) (string, []*gateway.Response, error) {
	fields := l.http2(to.address)
	if fields == nil {
		return "", nil, nil
	}
	response, err := send(fields, l.http2Trailers())
	if response == nil {
		return proto, nil, err
	}
	return proto, []*gateway.Response{response}, err
}

func (c *corpusRun) judge(l *line, proto string, responses, plain []*gateway.Response, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if err != nil {
		c.violation(l, proto, "the gateway does not answer: %v", err)
		return
	}
	forwarded := false
	for _, r := range responses {
		if r.Status == http.StatusInternalServerError {
			c.violation(l, proto, "the gateway fails: %q", r.Body)
		}
		s := seen(r)
		if s == nil {
			forwarded = forwarded || r.Header.Get("X-Backend-Instance") != ""
			if bytes.Contains(r.Body, []byte(`"backend":`)) {
				c.violation(l, proto, "unreadable answer: %q", r.Body)
			}
			continue
		}
		c.answered++
		if isProtected(s) {
			c.protected++
		}
		forwarded = true
		for _, what := range c.check(l, s) {
			c.violation(l, proto, "%s", what)
		}
		if c.mustForward(l) {
			for _, what := range c.checkBytes(l, s) {
				c.violation(l, proto, "%s", what)
			}
		}
	}
	if c.mustForward(l) && !forwarded && (len(plain) == 0 || len(responses) == 0 || responses[0].Status != plain[0].Status) {
		c.violation(l, proto, "an honest link is refused: %s", describe(responses))
	}
}

func describe(responses []*gateway.Response) string {
	if len(responses) == 0 {
		return "no answer"
	}
	var b strings.Builder
	for _, r := range responses {
		fmt.Fprintf(&b, "%d %.200q ", r.Status, r.Body)
	}
	return b.String()
}

// plain tells whether all backends read the target alike. Of any other a genuine link is
// verified where one reading is the definition's, and this backend may have another.
func plain(uri string) bool {
	path, q, _ := strings.Cut(uri, "?")
	return targets.Plain(backend.Strict, targets.Target{Path: path, Query: q})
}

// isProtected tells whether the application under /app answered, or a front
// controller that was asked for it.
func isProtected(s *backends.Seen) bool {
	return s.App == "app/index.php" || s.App == "/app" ||
		s.App == "index.php" && (s.PathInfo == "/app" || strings.HasPrefix(s.PathInfo, "/app/"))
}

// check returns what is wrong with what an application saw.
func (c *corpusRun) check(l *line, s *backends.Seen) (wrong []string) {
	report := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }

	identity := identities(s.Headers)
	nobody := len(identity) == 0
	switch {
	case nobody && c.variant.judges == everything && isProtected(s) && !strings.Contains(c.variant.options, "pass"):
		report("the request reached the application without X-Verified-User")
	case nobody:
	case c.variant.judges == headers:
		report("observe set %q", identity)
	case len(identity) > 1:
		report("X-Verified-User is there more than once: %q", identity)
	case l.verified == nil:
		report("X-Verified-User is %q; nothing was verified", identity)
	case !slices.Equal(s.Header("X-Verified-User"), []string{c.headerText(l)}):
		report("X-Verified-User is %q, not %q", identity, l.want)
	case !c.backend.php && s.App != "/app" && plain(s.RequestURI):
		report("X-Verified-User %q went to another application, at %s", identity, s.RequestURI)
	}
	if s.AllHeaders != nil {
		if all := identities(s.AllHeaders); !slices.EqualFunc(identity, all, sameValue) {
			report("getallheaders() has %q, $_SERVER %q", all, identity)
		}
	}
	if s.Backend == backends.BackendFPM && c.variant.judges != headers {
		want := ""
		if l.verified != nil && !nobody {
			want = l.want
		}
		if s.RemoteUser != want {
			report("REMOTE_USER is %q, not %q", s.RemoteUser, want)
		}
	}
	if !isProtected(s) || c.variant.judges == headers {
		return wrong
	}
	for source, values := range c.sources(l, s) {
		for _, v := range values {
			if nobody || l.verified == nil || escaped(v) != *l.verified {
				report("%s holds %q", source, v)
			}
		}
	}
	if s.Arrays[l.Param] {
		report("$_GET[%s] is an array", l.Param)
	}
	return wrong
}

// headerText is X-Verified-User as the application has it: getHeader makes Latin-1
// of its bytes.
func (c *corpusRun) headerText(l *line) string {
	if c.backend.php {
		return l.want
	}
	return corpora.Latin1(l.want)
}

// identities are the headers that an application could take for X-Verified-User, and
// those that only the gateway may set.
func identities(headers map[string][]string) (found []string) {
	for name, values := range headers {
		fold := strings.Map(func(c rune) rune {
			switch {
			case 'A' <= c && c <= 'Z':
				return c + 'a' - 'A'
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
				return c
			}
			return '-'
		}, strings.TrimPrefix(name, "HTTP_"))
		switch fold {
		case "x-verified-scheme", "x-verified-key-id", "x-verified-mailing":
			continue
		}
		if strings.HasPrefix(fold, "x-verified-") {
			for _, v := range values {
				found = append(found, name+": "+v)
			}
		}
	}
	slices.Sort(found)
	return found
}

// sameValue compares headers of which one is named as in $_SERVER.
func sameValue(a, b string) bool {
	_, a, _ = strings.Cut(a, ": ")
	_, b, _ = strings.Cut(b, ": ")
	return a == b
}

// sources are the values that an application could read the parameter from.
func (c *corpusRun) sources(l *line, s *backends.Seen) map[string][]string {
	uri := s.QueryString
	if _, q, ok := strings.Cut(s.RequestURI, "?"); ok {
		uri = q
	}
	found := map[string][]string{}
	for segment := range strings.SplitSeq(uri, "&") {
		name, value, _ := strings.Cut(segment, "=")
		if unescape(name) == l.Param {
			found["the query in REQUEST_URI"] = append(found["the query in REQUEST_URI"], unescape(value))
		}
	}
	hasBody := len(l.body()) > 0 || l.Raw != ""
	if c.backend.php {
		found["$_GET"] = s.Params[l.Param]
		if c.variant.judges == everything {
			found["$_POST"] = s.Post[l.Param]
		}
		if c.variant.judges == everything || len(s.Post[l.Param]) == 0 {
			found["$_REQUEST"] = s.Request[l.Param]
		}
	} else if c.variant.judges == everything || !hasBody {
		found["getParameterValues"] = s.Params[l.Param]
	}
	return found
}

// mustForward tells whether the line is an honest link that this profile forwards.
func (c *corpusRun) mustForward(l *line) bool {
	name := map[string]string{"strict": "strict", "php": "php", "servlet": "java"}[c.profile]
	return slices.Contains(l.MustForward, name)
}

// checkBytes compares the query of an honest link with what was sent, less what the
// variant cuts.
func (c *corpusRun) checkBytes(l *line, s *backends.Seen) (wrong []string) {
	path, sent, _ := strings.Cut(string(l.target("")), "?")
	want := without(sent, c.variant.cut(l)...)
	got := s.QueryString
	if !c.backend.php {
		want = corpora.Latin1(want) // getQueryString has bytes as characters
	}
	if got != want {
		wrong = append(wrong, fmt.Sprintf("the query left the gateway as %q, not %q", got, want))
	}
	if c.backend.php {
		if want != "" {
			path += "?" + want
		}
		if s.RequestURI != path {
			wrong = append(wrong, fmt.Sprintf("REQUEST_URI is %q, not %q", s.RequestURI, path))
		}
	}
	return wrong
}

// without returns the query less the parameters of those names.
func without(query string, names ...string) string {
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(segment string) bool {
		name, _, _ := strings.Cut(segment, "=")
		return slices.Contains(names, name)
	})
	return strings.Join(kept, "&")
}

// line is a request of a corpus; testdata/corpora/README.md says what its fields mean.
type line struct {
	ID          string            `json:"id"`
	Raw         string            `json:"raw"`
	RawBase64   []byte            `json:"raw_b64"`
	Method      string            `json:"method"`
	TargetRaw   json.RawMessage   `json:"target"`
	Version     string            `json:"version"`
	Headers     []json.RawMessage `json:"headers"`
	BodyRaw     json.RawMessage   `json:"body"`
	Trailers    []string          `json:"trailers"`
	NoHost      bool              `json:"no_host"`
	Proto       string            `json:"proto"`
	Fields      [][2]string       `json:"fields"`
	H2Trailers  [][2]string       `json:"h2_trailers"`
	Param       string            `json:"param"`
	Verified    *string           `json:"verified"`
	WantHeader  *string           `json:"want_header"`
	MustForward []string          `json:"must_forward"`
	More        bool              `json:"more"`

	verified *string // with bytes that are no UTF-8 as \xNN
	want     string  // bytes of X-Verified-User
}

// sampleAKID is the AKID of the corpora, whose secret nobody has; the lines are sent
// with one of ours in its place.
const sampleAKID = "2695.103007.Gcg02t"

func readCorpus(t *testing.T, name string) []*line {
	t.Helper()
	file, err := os.Open("../testdata/corpora/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var lines []*line
	in := bufio.NewScanner(file)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		l := &line{Method: http.MethodGet, Version: "HTTP/1.1"}
		if err := json.Unmarshal(bytes.ReplaceAll(in.Bytes(), []byte(sampleAKID), []byte(akid("2695.103007"))), l); err != nil {
			t.Fatalf("%s: %v: %s", name, err, in.Bytes())
		}
		if l.verified = l.Verified; l.verified != nil {
			l.want = unescapeBytes(*l.verified)
			if l.Param == "akid" {
				l.want = "103007"
			}
			if l.WantHeader != nil {
				l.want = *l.WantHeader
			}
		}
		lines = append(lines, l)
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	if len(lines) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return lines
}

// http1 are the bytes of the request, or nil if it is one of HTTP/2.
func (l *line) http1(host string) []byte {
	switch {
	case l.Proto != "":
		return nil
	case l.RawBase64 != nil:
		return l.fill(l.RawBase64, host)
	case l.Raw != "":
		return l.fill(bytesOf(l.Raw), host)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\n", bytesOf(l.Method), l.target(host), l.Version)
	body := l.body()
	has := make(map[string]bool)
	chunked := false
	for _, h := range l.headers() {
		if h.literal != "" {
			b.Write(l.fill(bytesOf(h.literal), host))
		} else {
			b.Write(l.fill(bytesOf(h.name+": "+h.value), host))
		}
		b.WriteString("\r\n")
		has[strings.ToLower(h.name)] = true
		chunked = chunked || strings.EqualFold(h.name, "Transfer-Encoding") && h.value == "chunked"
	}
	if !has["host"] && !l.NoHost {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	if !has["connection"] {
		b.WriteString("Connection: close\r\n")
	}
	if len(body) > 0 && !chunked && !has["content-length"] {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	if !chunked {
		b.Write(body)
		return b.Bytes()
	}
	if len(body) > 0 {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(body), body)
	}
	b.WriteString("0\r\n")
	for _, t := range l.Trailers {
		b.Write(bytesOf(t))
		b.WriteString("\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// http2 are the fields of the request over HTTP/2, or nil if it is about the framing
// of HTTP/1.
func (l *line) http2(host string) []gateway.Field {
	var fields []gateway.Field
	if l.Proto != "" {
		for _, f := range l.Fields {
			fields = append(fields, gateway.Field{Name: string(bytesOf(f[0])), Value: string(l.fill(bytesOf(f[1]), host))})
		}
		return fields
	}
	if l.Raw != "" || l.RawBase64 != nil {
		return nil
	}
	fields = []gateway.Field{
		{Name: ":method", Value: string(bytesOf(l.Method))},
		{Name: ":scheme", Value: "http"},
		{Name: ":authority", Value: host},
		{Name: ":path", Value: string(l.target(host))},
	}
	for _, h := range l.headers() {
		switch name := strings.ToLower(string(bytesOf(h.name))); name {
		case "", "host", "connection", "transfer-encoding", "te", "proxy-connection":
		default:
			fields = append(fields, gateway.Field{Name: name, Value: string(bytesOf(h.value))})
		}
	}
	return fields
}

func (l *line) http2Trailers() []gateway.Field {
	var fields []gateway.Field
	for _, f := range l.H2Trailers {
		fields = append(fields, gateway.Field{Name: f[0], Value: f[1]})
	}
	for _, t := range l.Trailers {
		name, value, _ := strings.Cut(t, ":")
		fields = append(fields, gateway.Field{Name: strings.ToLower(name), Value: strings.TrimSpace(value)})
	}
	return fields
}

type corpusHeader struct{ literal, name, value string }

func (l *line) headers() []corpusHeader {
	var headers []corpusHeader
	for _, raw := range l.Headers {
		var pair [2]string
		var h corpusHeader
		if json.Unmarshal(raw, &pair) == nil {
			h.name, h.value = pair[0], pair[1]
		} else if err := json.Unmarshal(raw, &h.literal); err != nil {
			panic(err)
		} else if name, value, ok := strings.Cut(h.literal, ":"); ok && !strings.HasPrefix(name, " ") {
			h.name, h.value = name, strings.TrimSpace(value)
		}
		headers = append(headers, h)
	}
	return headers
}

func (l *line) target(host string) []byte { return l.fill(assemble(l.TargetRaw), host) }
func (l *line) body() []byte              { return l.fill(assemble(l.BodyRaw), "") }

func assemble(raw json.RawMessage) []byte {
	text, err := corpora.Assemble(raw)
	if err != nil {
		panic(err)
	}
	return []byte(text)
}

// fill replaces @HOST@ and the signatures.
func (l *line) fill(text []byte, host string) []byte {
	return []byte(corpora.Fill(strings.ReplaceAll(string(text), "@HOST@", host), linkSecret))
}

// bytesOf are the bytes of a string of the corpora.
func bytesOf(s string) []byte {
	b, err := corpora.Bytes(s)
	if err != nil {
		panic(err)
	}
	return []byte(b)
}

// escaped writes bytes that are no UTF-8 as \xNN.
func escaped(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		c, n := utf8.DecodeRuneInString(s)
		if c == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

var escapedByte = regexp.MustCompile(`\\x[0-9a-f]{2}`)

func unescapeBytes(s string) string {
	return escapedByte.ReplaceAllStringFunc(s, func(e string) string {
		var b byte
		fmt.Sscanf(e, `\x%02x`, &b)
		return string([]byte{b})
	})
}

// unescape decodes as PHP does.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+3 <= len(s) {
			if c, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		if s[i] == '+' {
			b.WriteByte(' ')
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
