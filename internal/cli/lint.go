package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/link"
)

// linter is what is asked of lint.
type linter struct {
	source
	allowed map[string][]string // what the operator allows, by the place of the scheme
}

func lintCommand() *cobra.Command {
	l := new(linter)
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Looks for dangerous definitions in a configuration",
		Long: `
Runs the checker over every definition of the configuration, and prints all that
it finds: what is dangerous and refused when Caddy loads the configuration, what
loading warns of, what is allowed with allow, and notes on what belongs to a
scheme by nature. It also walks over the routes and tells what takes requests
before a guard or a definition, which other sites reach the same backend, and
what cannot be seen in the configuration.

--json prints one object a line: severity (fatal, danger, warning, note), code,
definition, scheme, origin (file and line), message, cure, example, allowed and
page (of the documentation).

Exit codes: 0 if nothing is dangerous that is not allowed, 2 if something is,
1 if the configuration does not load for another reason.`,
		Example: `  caddy signed-link lint --config /etc/caddy/Caddyfile --envfile /etc/caddy/env`,
		Args:    cobra.NoArgs,
	}
	l.flags(cmd)
	runs(cmd, l.lint)
	return cmd
}

// linted is a finding as lint prints it.
type linted struct {
	Severity   string `json:"severity"`
	Code       string `json:"code"`
	Definition string `json:"definition"`
	Scheme     string `json:"scheme"`
	Origin     string `json:"origin"`
	Message    string `json:"message"`
	Cure       string `json:"cure"`
	Example    string `json:"example,omitempty"`
	Allowed    bool   `json:"allowed"`
	Narrow     string `json:"narrow,omitempty"` // what to write in place of the bare code
	Page       string `json:"page"`

	rank link.Severity
}

func (l *linter) lint(cmd *cobra.Command, _ []string) error {
	l.allowed = make(map[string][]string)
	l.rehearse = true
	s, err := l.loadEdited(cmd, "ERROR", l.allowDangers)
	if err != nil {
		return err
	}
	definitions, err := s.Named(l.name)
	if err != nil {
		return err
	}
	var all []linted
	dangerous := false
	if err := s.App.Start(); err != nil { // it walks over the routes, and looks at what schemes share
		return err
	}
	for _, f := range s.App.Report().Faults {
		dangerous = true
		all = append(all, linted{
			Severity: link.Fatal.String(), Code: f.Code, Origin: f.Where, Message: f.Reason, Cure: f.Cure, Page: app.Page(f.Code), rank: link.Fatal,
		})
	}
	for _, f := range s.App.Report().Findings {
		rank := link.Warning
		if f.IsNote() {
			rank = link.Note
		}
		all = append(all, linted{
			Severity: rank.String(), Code: f.Code, Origin: f.Where, Message: f.Message, Cure: f.Cure, Page: app.Page(f.Code), rank: rank,
		})
	}
	for _, g := range definitions {
		for i, c := range g.Definition.Schemes {
			for _, f := range c.Findings {
				out := linted{
					Severity: f.Severity.String(), Code: f.Code, Definition: g.Label, Scheme: c.Name, Origin: g.Origin, Message: f.Message, Cure: f.Cure,
					Allowed: f.Severity < link.Fatal && (f.Allowed || slices.Contains(l.allowed[schemeAt(g.Origin, i)], f.Code)), Page: definition.Page(f.Code), rank: f.Severity,
				}
				if !f.Allowed {
					out.Narrow = f.Narrow
				}
				if f.Example != nil {
					out.Example = f.Example.String()
				}
				dangerous = dangerous || f.Severity >= link.Danger && !out.Allowed
				all = append(all, out)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b linted) int { return cmp.Compare(b.rank, a.rank) })
	for i := range all {
		if l.json {
			if err := printJSON(cmd.OutOrStdout(), &all[i]); err != nil {
				return err
			}
			continue
		}
		all[i].print(cmd.OutOrStdout())
	}
	if !l.json {
		fmt.Fprintf(cmd.OutOrStdout(), "%s in %s\n", count(len(all), "finding"), count(len(definitions), "definition"))
	}
	if dangerous {
		return errNo
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// schemeAt names a scheme of a definition.
func schemeAt(origin string, scheme int) string { return origin + "#" + strconv.Itoa(scheme) }

// allowDangers lets the configuration load although something dangerous is in it, so that
// all of it can be told at once, and remembers what the operator allows.
func (l *linter) allowDangers(origin string, i int, scheme map[string]any) {
	given, _ := scheme["allow"].([]any)
	codes := slices.Clone(given)
	for _, code := range given {
		if text, ok := code.(string); ok {
			l.allowed[schemeAt(origin, i)] = append(l.allowed[schemeAt(origin, i)], text)
		}
	}
	for _, c := range link.FindingCodes {
		if c.Severity == link.Danger && !slices.Contains(codes, any(c.Code)) {
			codes = append(codes, c.Code)
		}
	}
	scheme["allow"] = codes
}

// print writes the finding for people.
func (f *linted) print(w io.Writer) {
	word := f.Severity
	if f.Allowed {
		word += ", allowed"
	}
	fmt.Fprintf(w, "%s: %s\n", word, f.Code)
	where := f.Scheme
	switch {
	case where == "":
		where = f.Origin
	case f.Origin != "":
		where += " (" + f.Origin + ")"
	}
	fields(w, "where", where, "finding", f.Message, "example", f.Example, "cure", f.Cure, "narrowest", f.Narrow, "see", f.Page)
	fmt.Fprintln(w)
}
