package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/signedlink/caddy-signed-link/internal/cli/rehearsal"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
)

// probe is how a link comes to the gateway.
type probe struct {
	source
	at, clientIP, method string
	screen               *screen // of what people are shown
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

func (p *probe) verify(cmd *cobra.Command, args []string) error {
	run, err := p.start(cmd, args)
	if err != nil {
		return err
	}
	ok, n := true, 0
	err = eachURL(cmd.InOrStdin(), args, func(text string) error {
		r := run.Try(text).Report()
		ok = ok && r.Verdict == definition.Valid
		if p.json {
			return printJSON(cmd.OutOrStdout(), r)
		}
		if n++; n > 1 {
			fmt.Fprintln(cmd.OutOrStdout())
		}
		p.print(cmd.OutOrStdout(), r)
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
func (p *probe) start(cmd *cobra.Command, args []string) (*rehearsal.Run, error) {
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
	s.At(now)
	run := &rehearsal.Run{Configuration: s, Method: p.method, ClientIP: ip, Now: now}
	if run.Only, err = s.Named(p.name); err != nil {
		return nil, err
	}
	if p.screen, err = newScreen(s.Definitions()); err != nil {
		return nil, err
	}
	return run, run.Rewire()
}

// print writes the report for people.
func (p *probe) print(w io.Writer, r *rehearsal.Report) {
	word := r.Verdict
	if word == "" {
		word = "not judged"
	}
	fmt.Fprintf(w, "%s: %s\n", word, printable(p.screen.url(r.URL)))
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
	uri := p.screen.url(r.Forwarded.URI)
	if r.Verdict == definition.Valid { // it is whole, and no link
		uri = p.screen.paths.Redact(p.screen.queries.Redact(r.Forwarded.URI))
	}
	lines := []string{r.Forwarded.Method + " " + printable(uri)}
	if r.Forwarded.Script != "" {
		lines[0] += " to " + printable(p.screen.url(r.Forwarded.Script))
	}
	for name, value := range r.Forwarded.Headers {
		lines = append(lines, name+": "+printable(value))
	}
	slices.Sort(lines[1:])
	fields(w, "backend", strings.Join(lines, "\n"))
}
