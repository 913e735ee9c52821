// Package cli is the command `caddy signed-link`: flags and words for people over what
// definitions, rehearsals and the search for near misses say.
package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/signedlink/caddy-signed-link/link"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "signed-link",
		Usage: "sign|verify|explain|lint|keygen",
		Short: "Makes, verifies and explains signed links",
		Long: `
Makes, verifies and explains the links of the signed_link definitions in a
configuration, without a server and without the backend.

The definitions, and the secrets in them, are those of --config; by default, of
the Caddyfile in this directory. Where systemd gives Caddy its environment, name
the file of it with --envfile. A secret is never an argument: it stands in the
configuration, or in a file, or comes from the standard input.

    caddy signed-link verify 'https://example.org/autologin?user=jeff&key=…'

tells what the gateway makes of a link, and what the backend would get.

    caddy signed-link explain 'https://example.org/autologin?user=jeff&key=…'

tells people why a link fails, and what would have to be different.

A URL has & in it, which a shell takes for its own: put it between quotes.

Exit codes: 0 where all is well, 1 where the command could not do its work
(wrong arguments, a configuration that does not load), 2 where it could and the
answer is no: a link that is not valid, a dangerous finding.`,
		CobraFunc: func(cmd *cobra.Command) {
			// without this a verb with a slip in it would print the help, and be a success
			runs(cmd, func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return fmt.Errorf("there is no verb %q%s; write one of sign, verify, explain, lint and keygen", args[0],
						link.DidYouMean(args[0], []string{"sign", "verify", "explain", "lint", "keygen"}))
				}
				return cmd.Help()
			})
			cmd.AddCommand(verifyCommand(), explainCommand(), signCommand(), lintCommand(), keygenCommand())
		},
	})
}

// exitNo is the exit code of a command that has done its work, and whose answer is no.
const exitNo = 2

// errNo is that answer.
var errNo = errors.New("no")

// runs makes run the function of the command: errNo is exit code 2, without a word more;
// every other error is printed, and is exit code 1.
func runs(cmd *cobra.Command, run func(cmd *cobra.Command, args []string) error) {
	cmd.SilenceUsage = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceErrors = true
		err := run(cmd, args)
		if errors.Is(err, errNo) {
			no := func(caddycmd.Flags) (int, error) { return exitNo, nil }
			return caddycmd.WrapCommandFuncForCobra(no)(cmd, args)
		}
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "Error: %v\n", err)
		}
		return err
	}
}

// secretFlag reads the secret that --secret names: `@FILE`, or `-` for a line of the
// standard input. The line break at its end is no part of it. The value itself is
// refused: arguments stand in the process list and in the shell's history.
func secretFlag(value string, stdin io.Reader) (string, error) {
	var secret string
	switch path, isFile := strings.CutPrefix(value, "@"); {
	case isFile:
		content, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("--secret: %w", err)
		}
		secret = string(content)
	case value == "-":
		line, err := bufio.NewReader(io.LimitReader(stdin, 1<<20)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("--secret: reading the standard input: %w", err)
		}
		secret = line
	default:
		return "", errors.New("--secret: write @FILE, or - for the standard input; a secret among the arguments would be seen in the process list")
	}
	secret = strings.TrimSuffix(strings.TrimSuffix(secret, "\n"), "\r")
	if secret == "" {
		return "", errors.New("--secret: it is empty")
	}
	return secret, nil
}

// timeFlag reads an instant: RFC 3339, a date, or Unix seconds.
func timeFlag(option, value string, now time.Time) (time.Time, error) {
	if value == "" {
		return now, nil
	}
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, value); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s %q: write Unix seconds, or 2026-11-21T19:00:00Z (RFC 3339)", option, value)
}

// printJSON writes one object on one line.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// fields prints names and values in two columns; those without a value are left out.
func fields(w io.Writer, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(w, "  %-11s %s\n", pairs[i], strings.ReplaceAll(pairs[i+1], "\n", "\n"+strings.Repeat(" ", 14)))
		}
	}
}

// place is a URL up to what may hold a signature, however broken the URL is.
func place(url string) string {
	if i := strings.IndexAny(url, "?&=;#"); i >= 0 {
		url = url[:i]
	}
	if i := strings.Index(strings.ToLower(url), "%3f"); i >= 0 {
		url = url[:i]
	}
	return url
}

// printable is a text for a terminal: what could move its cursor or change its colour is
// escaped. Links come from strangers.
func printable(s string) string {
	quoted := fmt.Sprintf("%q", s)
	if quoted == `"`+s+`"` {
		return s
	}
	return quoted
}
