package signedlink

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"
	"github.com/spf13/cobra"

	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// probe is how a link comes to the gateway.
type probe struct {
	source
	at, clientIP, method string
}

func (p *probe) flags(cmd *cobra.Command) {
	p.source.flags(cmd)
	p.secretFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&p.at, "at", "", "when it comes: Unix seconds, or RFC 3339; default: now")
	f.StringVar(&p.clientIP, "client-ip", "127.0.0.1", "from which address it comes")
	f.StringVar(&p.method, "method", http.MethodGet, "with which method it comes")
}

func verifyCommand() *cobra.Command {
	p := new(probe)
	cmd := &cobra.Command{
		Use:   "verify [flags] URL... | -",
		Short: "Tells what the gateway makes of a link, and what the backend would get",
		Long: `
Runs each URL through the signed_link definitions of the configuration, from the
guard to what the backend would get, just as the server does it, but without a
server: routes, matchers, modes and all. Nothing is sent to the backend. With -
the URLs are the lines of the standard input.

It prints the verdict (valid, invalid, expired), the reason where the link is
not valid, the scheme, the key's id, the user, the claims and the request that
the backend would get.

--json prints one object a line: url, verdict, reason, detail, scheme, key_id,
user, claims, forwarded (method, uri, the script that FastCGI runs, and the
headers that the gateway sets; null if the request is refused), definition,
status (of the refusal) and note (what the server writes into its log and tells
no client, such as a user who does not exist). In JSON url and forwarded stand as they are; in text for people
signatures are REDACTED.

Exit codes: 0 if every link is valid, 2 if one is not, 1 if the command failed.`,
		Example: `  caddy signed-link verify 'https://example.org/autologin?user=jeff&key=31c940e9'
  caddy signed-link verify --envfile /etc/caddy/env --at 2026-11-21T19:00:00Z --json - < links.txt`,
		Args: cobra.MinimumNArgs(1),
	}
	p.flags(cmd)
	runs(cmd, p.verify)
	return cmd
}

// report is what verify prints.
type report struct {
	URL        string            `json:"url"`
	Verdict    string            `json:"verdict"`
	Reason     string            `json:"reason"`
	Detail     string            `json:"detail"`
	Scheme     string            `json:"scheme"`
	KeyID      string            `json:"key_id"`
	User       string            `json:"user"`
	Claims     map[string]string `json:"claims"`
	Forwarded  *forwarded        `json:"forwarded"`
	Definition string            `json:"definition,omitempty"`
	Status     int               `json:"status,omitempty"`
	Note       string            `json:"note,omitempty"`
}

// forwarded is what the backend gets.
type forwarded struct {
	Method  string            `json:"method"`
	URI     string            `json:"uri"`
	Script  string            `json:"script,omitempty"` // the path of the script, with FastCGI
	Headers map[string]string `json:"headers"`
}

func (p *probe) verify(cmd *cobra.Command, args []string) error {
	run, err := p.start(cmd, args)
	if err != nil {
		return err
	}
	ok, n := true, 0
	err = eachURL(cmd.InOrStdin(), args, func(text string) error {
		r := run.try(text).report()
		ok = ok && r.Verdict == definition.Valid
		if p.json {
			return printJSON(cmd.OutOrStdout(), r)
		}
		if n++; n > 1 {
			fmt.Fprintln(cmd.OutOrStdout())
		}
		run.print(cmd.OutOrStdout(), r)
		return nil
	})
	if err == nil && !ok {
		err = errNo
	}
	return err
}

// eachURL calls yield for the arguments, or for the lines of the standard input.
func eachURL(stdin io.Reader, args []string, yield func(string) error) error {
	if len(args) != 1 || args[0] != "-" {
		for _, text := range args {
			if err := yield(text); err != nil {
				return err
			}
		}
		return nil
	}
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if text := strings.TrimSpace(lines.Text()); text != "" {
			if err := yield(text); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// start loads the configuration and sets clock, address and method.
func (p *probe) start(cmd *cobra.Command, args []string) (*rehearsal, error) {
	if p.secret == "-" && slices.Contains(args, "-") {
		return nil, errors.New("the standard input cannot hold both the secret and the URLs; give the secret with --secret @FILE")
	}
	now, err := timeFlag("at", p.at, time.Now())
	if err != nil {
		return nil, err
	}
	ip, err := netip.ParseAddr(p.clientIP)
	if err != nil {
		return nil, fmt.Errorf("--client-ip %q is no IP address", p.clientIP)
	}
	s, err := p.load(cmd, "ERROR")
	if err != nil {
		return nil, err
	}
	s.at(now)
	run := &rehearsal{setup: s, method: p.method, clientIP: ip, now: now}
	if run.only, err = s.named(p.name); err != nil {
		return nil, err
	}
	var names []string
	for _, g := range s.definitions() {
		names = append(names, g.Definition.SignatureNames()...)
	}
	if run.redactor, err = query.NewRedactor(names); err != nil {
		return nil, err
	}
	return run, run.rewire()
}

// rehearsal runs requests through the definitions of a configuration, in their routes,
// with nothing behind them.
type rehearsal struct {
	*setup
	only     []*app.Gate // the definitions that judge
	method   string
	clientIP netip.Addr
	now      time.Time
	redactor *query.Redactor
	*passage // the one that is under way
}

// passage is what became of one request.
type passage struct {
	url     string
	state   *exchange.Exchange
	by      []*app.Gate // the definitions that judge it
	guarded bool        // a guard or a definition saw it
	refused bool
	status  int           // of a refusal
	sent    *http.Request // what the last handler got
	script  string        // what FastCGI runs
	failed  error         // the URL cannot be sent at all, or a matcher failed
}

// try sends the URL through the first server that has a definition for it.
func (run *rehearsal) try(text string) *passage {
	var last *passage
	for _, server := range run.serversFor(text) {
		p := &passage{url: text}
		r, err := run.request(text, server)
		if err != nil {
			p.failed = err
			return p
		}
		p.state = run.app.Enter(r, exchange.VarsOf(r))
		w := &discard{header: make(http.Header)}
		run.passage = p
		err = server.Routes.Compile(caddyhttp.HandlerFunc(arrive)).ServeHTTP(w, r)
		p.status = w.status
		if refusal := (caddyhttp.HandlerError{}); errors.As(err, &refusal) {
			p.refused, p.status = true, refusal.StatusCode
		} else if err != nil {
			p.failed = err
		}
		if p.state.Last != nil || len(p.by) > 0 || p.failed != nil {
			return p
		}
		last = p
	}
	return last
}

// serversFor are the servers, those that listen on the URL's port first.
func (run *rehearsal) serversFor(text string) []*caddyhttp.Server {
	scheme, host, _ := splitURL(text)
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		port = "443"
		if scheme == "http" {
			port = "80"
		}
	}
	servers := run.servers()
	listens := func(s *caddyhttp.Server) int {
		for _, l := range s.Listen {
			if a, err := caddy.ParseNetworkAddress(l); err == nil && strconv.Itoa(int(a.StartPort)) == port {
				return 0
			}
		}
		return 1
	}
	slices.SortStableFunc(servers, func(a, b *caddyhttp.Server) int { return listens(a) - listens(b) })
	return servers
}

// splitURL takes a URL apart as a browser does before it sends the request, and decodes
// nothing. Without a host, it is the target alone.
func splitURL(text string) (scheme, host, target string) {
	text, _, _ = strings.Cut(text, "#")
	if strings.HasPrefix(text, "/") {
		return "https", "", text
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "https", text
	}
	host, target = rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, target = rest[:i], rest[i:]
	}
	if strings.HasPrefix(target, "?") {
		target = "/" + target
	}
	return strings.ToLower(scheme), host[strings.LastIndexByte(host, '@')+1:], target
}

// request makes the request as the server makes it of the bytes on the wire.
func (run *rehearsal) request(text string, server *caddyhttp.Server) (*http.Request, error) {
	scheme, host, target := splitURL(text)
	if text == "" {
		return nil, errors.New("the URL is empty")
	}
	var wire bytes.Buffer
	fmt.Fprintf(&wire, "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", run.method, target, host)
	// The errors of net/http hold the request, and so the signature.
	r, err := http.ReadRequest(bufio.NewReader(&wire))
	switch {
	case strings.ContainsAny(target, " \r\n\t"):
		return nil, errors.New("a blank or a line break ends the target of the request")
	case err != nil || r.RequestURI != target || r.Method != run.method:
		return nil, errors.New("the server would answer 400: this is no HTTP request")
	}
	r.Body = http.NoBody
	r.RemoteAddr = net.JoinHostPort(run.clientIP.String(), "0")
	if scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: r.Host}
	}
	repl := caddy.NewReplacer()
	r = r.WithContext(context.WithValue(r.Context(), caddyhttp.ServerCtxKey, server))
	return caddyhttp.PrepareRequest(r, repl, &discard{header: make(http.Header)}, server), nil
}

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// arrive is where a request goes that nothing answered.
func arrive(http.ResponseWriter, *http.Request) error { return nil }

// rewire puts the definitions that were asked for, and stubs of all that would send or
// answer, in the place of the handlers. The way of the requests through them is Caddy's
// own.
func (run *rehearsal) rewire() error {
	for _, server := range run.servers() {
		err := routes.Rewire(run.ctx, server,
			func(g routes.Gate) caddyhttp.MiddlewareHandler { return &rehearsed{run, g} },
			func(s routes.Stub) caddyhttp.MiddlewareHandler { return &stub{run, s} })
		if err != nil {
			return err
		}
	}
	return nil
}

// rehearsed is a guard or a definition in a rehearsal.
type rehearsed struct {
	run     *rehearsal
	handler routes.Gate
}

func (d *rehearsed) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	h, ok := d.handler.(app.Gated)
	if !ok || h.Role() == routes.Unguarded || h.Role() == routes.Definition && !slices.Contains(d.run.only, h.Gate()) {
		return next.ServeHTTP(w, r)
	}
	p, g, vars := d.run.passage, h.Gate(), exchange.VarsOf(r)
	p.guarded = true
	for _, e := range g.Standing().Entries {
		if by, strays, _ := app.LeadsAstray(w, r, vars, e); strays {
			p.by = append(p.by, by)
			break
		}
	}
	if h.Role() == routes.Definition {
		if applies, readable, err := g.Applies(w, r, vars); err == nil && (applies || !readable) {
			p.by = append(p.by, g)
		}
	}
	return h.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		p.sent = r.Clone(r.Context())
		return next.ServeHTTP(w, r)
	}))
}

// stub is a handler in a rehearsal that would do something outside of it.
type stub struct {
	run *rehearsal
	routes.Stub
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !s.Takes {
		return next.ServeHTTP(w, r)
	}
	p := s.run.passage
	p.sent, p.script = r.Clone(r.Context()), ""
	proxy, ok := s.Handler.(*reverseproxy.Handler)
	if !ok {
		return nil
	}
	if proxy.Rewrite != nil {
		repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		proxy.Rewrite.Rewrite(p.sent, repl)
	}
	if _, fast := proxy.Transport.(*fastcgi.Transport); fast {
		// The application reads the target of the original request, as the gateway left it.
		p.script = p.sent.URL.Path
		if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
			p.sent.URL = original.URL
		}
	}
	return nil
}

// report is the passage for people and programs.
func (p *passage) report() *report {
	r := &report{URL: p.url, Verdict: definition.Invalid, Claims: map[string]string{}}
	if p.failed != nil {
		r.Reason, r.Detail, r.Note, r.Status = string(link.Malformed), "request", p.failed.Error(), http.StatusBadRequest
		return r
	}
	for _, g := range p.by {
		r.Definition = g.Where()
	}
	v := p.state.Last
	if v == nil {
		r.Verdict, r.Note = "", "no definition judges this URL: the gateway hands it on as it is, less forged identity headers"
		if !p.guarded {
			r.Note = "no definition judges this URL, and no guard sees it: the gateway hands it on as it is, with whatever identity headers the client writes"
		}
	} else {
		if p.state.Valid != nil && !v.None() && v.Reason == link.Missing {
			v = p.state.Valid
		}
		r.Verdict, r.Reason, r.Detail, r.Scheme, r.KeyID, r.Note = v.Word(), string(v.Reason), v.Detail, v.SchemeName(), v.KeyID, v.Note
		if v.None() {
			r.User = v.User
			for _, c := range v.Claims {
				r.Claims[c.Name] = c.Value
			}
		}
	}
	if p.refused || p.status != 0 {
		r.Status = p.status
		return r
	}
	if p.sent != nil {
		r.Forwarded = &forwarded{p.sent.Method, p.sent.URL.RequestURI(), p.script, map[string]string{}}
		for _, x := range p.state.Headers {
			r.Forwarded.Headers[x.Name] = x.Value
		}
	}
	return r
}

// print writes the report for people.
func (run *rehearsal) print(w io.Writer, r *report) {
	word := r.Verdict
	if word == "" {
		word = "not judged"
	}
	fmt.Fprintf(w, "%s: %s\n", word, run.shown(r.URL))
	reason := r.Reason
	if r.Detail != "" {
		reason += " (" + r.Detail + ")"
	}
	answer := ""
	if r.Status != 0 {
		answer = fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status))
	}
	var claims []string
	for name, value := range r.Claims {
		if value != "" {
			claims = append(claims, name+" = "+printable(value))
		}
	}
	slices.Sort(claims)
	fields(w, "definition", r.Definition, "scheme", r.Scheme, "key", r.KeyID, "reason", reason, "note", r.Note,
		"answer", answer, "user", printable(r.User), "claims", strings.Join(claims, "\n"))
	if r.Forwarded == nil {
		return
	}
	lines := []string{r.Forwarded.Method + " " + run.shown(r.Forwarded.URI)}
	if r.Forwarded.Script != "" {
		lines[0] += " to " + printable(r.Forwarded.Script)
	}
	for name, value := range r.Forwarded.Headers {
		lines = append(lines, name+": "+printable(value))
	}
	slices.Sort(lines[1:])
	fields(w, "backend", strings.Join(lines, "\n"))
}

// shown is a URL whose signatures are redacted.
func (run *rehearsal) shown(url string) string { return printable(run.redactor.Redact(url)) }
