package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/link"
)

// fault says what of a link is not as it has to be, as far as the refusal does not say it:
// which parameter or field, which rule, where the path departs from its form. It shows no
// value of the link.
func fault(c *definition.Scheme, r *link.Request, l *link.Link, refusal link.Refusal) string {
	switch refusal.Reason {
	case link.Missing, link.Malformed, link.Ambiguous:
	default:
		return ""
	}
	if formed, ok := c.Format.(interface{ Departs(r *link.Request) string }); ok {
		if why := formed.Departs(r); why != "" {
			return why
		}
	}
	if refusal.Reason != link.Malformed {
		return ""
	}
	if why := absent(c, r); why != "" && refusal.Detail == "absent" {
		return why
	}
	var read link.Link
	if !c.Format.Read(r, &read).None() {
		return ""
	}
	read.User = l.User
	name, rule, broken := c.BrokenRule(r, &read)
	if broken.None() || broken.Detail != refusal.Detail {
		return ""
	}
	what := "the parameter " + strconv.Quote(name)
	if strings.HasPrefix(name, "{") {
		what = name
	}
	return fmt.Sprintf("%s %s: the rule is `param %s %s`", what, complaints[broken.Detail], name, ruleText(rule))
}

// complaints are what is wrong with a value.
var complaints = map[string]string{
	"absent":    "is missing",
	"empty":     "is empty",
	"too_short": "is too short",
	"too_long":  "is too long",
	"charset":   "has a value that its rule does not admit",
}

// ruleText is a rule as the Caddyfile has it.
func ruleText(rule link.Rule) string {
	words := append([]string{string(rule.Class)}, rule.Values...)
	if rule.Class != link.OneOf {
		if rule.Without != "" {
			words = append(words, "without", rule.Without)
		}
		words = append(words, "min", strconv.Itoa(rule.Min), "max", strconv.Itoa(rule.Max))
	}
	if rule.Optional {
		words = append(words, "optional")
	}
	if rule.Empty {
		words = append(words, "empty")
	}
	text := strings.Join(words, " ")
	if len(rule.Also) > 0 {
		text += "`, or `" + strings.Join(rule.Also, "`, `")
	}
	return text
}

// absent names the parameters that the scheme needs and that are not there.
func absent(c *definition.Scheme, r *link.Request) string {
	d := &c.Description
	var lacks []string
	for _, name := range slices.Concat(d.Signature, d.Signed, d.Carriers) {
		if _, there := r.Query.Find(name); !there && !slices.Contains(lacks, name) && !c.Optional(name) {
			lacks = append(lacks, name)
		}
	}
	if len(lacks) == 0 {
		return ""
	}
	return fmt.Sprintf("missing is %q", lacks)
}

// when is a time of the link, for people: in UTC, how far away it is, and as the link has it,
// if that is not the same.
func when(t link.Timestamp, ends bool, now time.Time) string {
	at, present, ok := t.Time()
	form := t.Form
	if form == nil {
		form = &link.TimeForm{Format: t.Format}
	}
	switch {
	case t.Present && !present:
		return fmt.Sprintf("never (the link says %s)", form.Never)
	case !present:
		return ""
	case !ok:
		return printable(t.Text) + ", which is no time of this scheme" + formText(form)
	}
	if ends {
		// what is shown is the last second, whatever the text names
		if end, _, ok := t.End(); ok && form.Format == link.Laid {
			at = end.Add(-1).Truncate(time.Second)
		}
	}
	distance := at.Sub(now).Round(time.Second)
	text := fmt.Sprintf("%s, in %s", at.UTC().Format(time.RFC3339), span(distance))
	if distance < 0 {
		text = fmt.Sprintf("%s, %s ago", at.UTC().Format(time.RFC3339), span(-distance))
	}
	if form.Format != link.Unix && form.Format != link.RFC3339 || form.Unit != 0 || form.Exclusive {
		text += " (the link says " + printable(t.Text) + zoneText(form)
		if form.Unit != 0 {
			text += " and " + printable(t.Plus) + " " + unitText(form.Unit) + " more"
		}
		if ends && form.Exclusive {
			text += ", and ends before that"
		}
		text += ")"
	}
	return text
}

// formText says which form a time has.
func formText(f *link.TimeForm) string {
	names := map[link.TimeFormat]string{
		link.Unix: "seconds since 1970, in 10 digits", link.UnixMS: "milliseconds since 1970, in 13 digits", link.RFC3339: "as 2026-11-21T19:00:00Z",
		link.HexSeconds: "seconds since 1970, in 8 hexadecimal digits", link.Base62: "seconds since 1970, in base62", link.Base64: "seconds since 1970, in base64",
	}
	text := names[f.Format]
	if f.Layout != nil {
		text = f.Layout.String() + zoneText(f)
	}
	return ": it is written " + text
}

func zoneText(f *link.TimeForm) string {
	if f.Zone == nil {
		return ""
	}
	return " in " + f.Zone.String()
}

// unitText is the word of a unit.
func unitText(unit time.Duration) string {
	for _, word := range []string{"seconds", "minutes", "hours"} {
		if u, _ := link.ParseUnit(word); u == unit {
			return word
		}
	}
	return "days"
}
