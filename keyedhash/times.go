package keyedhash

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signedlink/caddy-signed-link/link"
)

// Time says where a link states a time, and how.
type Time struct {
	Value     string // a placeholder; empty if there is none
	Format    string // see [link.ParseTimeForm]; empty: unix
	Zone      string // of a layout
	Plus      string // what is added: a number, or a placeholder
	Unit      string // of Plus: seconds, minutes, hours or days
	Never     string // the word that means: for ever
	Exclusive bool   // the link is valid no more at the time named
}

// stamp is a compiled [Time].
type stamp struct {
	value value // literal: there is none
	plus  value // literal: the number in text, or nothing
	text  string
	form  *link.TimeForm
	plain bool // it is as the zero value of a form has it, which needs less

	rule, plusRule *link.Rule // what holds where the operator wrote none; else nil
}

// is reports whether links state the time.
func (t *stamp) is() bool { return t.value.kind != literal }

// made reports whether the time is made of the value.
func (t *stamp) made(v value) bool { return t.is() && (t.value == v || t.plus == v) }

// parameters are those of which the time is made.
func (t *stamp) parameters() []string {
	var names []string
	for _, v := range []value{t.value, t.plus} {
		if name := v.parameter(); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// timeKinds are what a time may be made of.
var timeKinds = []kind{queryValue, linkField, pathSegment}

// stamp compiles the option.
func (s *Scheme) stamp(option string, t Time) (stamp, error) {
	var c stamp
	fail := func(err error) (stamp, error) { return stamp{}, fmt.Errorf("%s: %w", option, err) }
	switch {
	case t == (Time{}):
		return c, nil
	case t.Value == "": // from JSON: without it no link would ever expire
		return fail(errors.New("the placeholder of the time is missing, such as {query.expires}"))
	}
	var err error
	if c.value, err = s.names.parseValue(t.Value, timeKinds...); err != nil {
		return fail(err)
	}
	if c.form, err = link.ParseTimeForm(t.Format, t.Zone); err != nil {
		return fail(err)
	}
	if t.Plus != "" {
		if c.form.Unit, err = link.ParseUnit(t.Unit); err != nil {
			return fail(err)
		}
		if strings.Trim(t.Plus, "0123456789") == "" {
			c.text = t.Plus
		} else if c.plus, err = s.names.parseValue(t.Plus, timeKinds...); err != nil {
			return fail(fmt.Errorf("plus: write a number, or a placeholder: %w", err))
		}
	} else if t.Unit != "" {
		return fail(errors.New("a unit goes with plus, as in `plus {query.life} seconds`"))
	}
	if option == "issued" && (t.Never != "" || t.Exclusive) {
		return fail(errors.New("never and exclusive go with expires: a time of issue ends nothing"))
	}
	c.form.Never, c.form.Exclusive = t.Never, t.Exclusive
	c.plain = c.form.Unit == 0 && t.Never == "" && !t.Exclusive && c.form.Format != link.Laid
	for _, v := range []value{c.value, c.plus} {
		switch {
		case v.kind == literal:
		case v == s.signature, v.parameter() != "" && v.parameter() == s.signature.parameter():
			return fail(fmt.Errorf("%s carries the signature, so it cannot be a time", v))
		case v.parameter() != "" && s.inToken(v.parameter()):
			return fail(fmt.Errorf("%s is a token that carries the signature; name the field of it that is the time, {link.NAME}", v))
		case !s.determines(v) && !s.presetSigns(v):
			s.unsignedTimes = append(s.unsignedTimes, link.Finding{
				Code: "unsigned_expiry", Severity: link.Danger,
				Message: fmt.Sprintf("%s: %s is not in the message, so anyone can write a later time into a link", option, v),
				Cure:    "put it into the message where the signer has it",
			})
		}
	}
	return c, nil
}

// presetSigns reports whether the value is a parameter that a local of the preset covers.
func (s *Scheme) presetSigns(v value) bool {
	return v.parameter() != "" && slices.Contains(s.preset.Signed, v.parameter())
}

// implied makes the rules that hold for the values where the operator wrote none, and adds
// the word for "for ever" to those that he wrote: a time of another length is no time, and
// the checker can tell where it ends. Those that he wrote, with the word, are returned.
func (t *stamp) implied(rules map[string]link.Rule) (amended map[string]link.Rule) {
	if !t.is() {
		return nil
	}
	set := func(v value, rule link.Rule) *link.Rule {
		if v.kind == literal {
			return nil
		}
		own, there := rules[v.key()]
		if there {
			rule = own
		}
		if t.form.Never != "" && rule.Class != link.OneOf {
			rule.Also = append(slices.Clip(rule.Also), t.form.Never)
			if there {
				if amended == nil {
					amended = make(map[string]link.Rule)
				}
				amended[v.key()] = rule
			}
		}
		rules[v.key()] = rule
		if there {
			return nil
		}
		return &rule
	}
	t.rule = set(t.value, t.form.Rule())
	t.plusRule = set(t.plus, link.Rule{Class: link.Digits, Min: 1, Max: 10})
	return amended
}

// check holds what the link states against the rules that are implied. Of a plain time the
// length is enough before the signature: what are no digits is no time behind it.
func (t *stamp) check(stated *link.Timestamp) (detail string, ok bool) {
	switch {
	case !stated.Present || t.rule == nil:
	case !t.plain:
		if detail, ok = t.rule.Check(stated.Text); !ok {
			return detail, false
		}
	case len(stated.Text) < t.rule.Min:
		return "too_short", false
	case len(stated.Text) > t.rule.Max:
		return "too_long", false
	}
	if t.plusRule != nil && stated.Present {
		return t.plusRule.Check(stated.Plus)
	}
	return "", true
}

// read takes the time out of a link.
func (t *stamp) read(r *link.Request, l *link.Link) link.Timestamp {
	if !t.is() {
		return link.Timestamp{}
	}
	text, ok := t.value.read(r, l)
	if t.plain {
		return link.Timestamp{Text: text, Present: ok, Format: t.form.Format}
	}
	stated := link.Timestamp{Text: text, Present: ok, Form: t.form, Plus: t.text}
	if t.plus.kind != literal {
		stated.Plus, _ = t.plus.read(r, l)
	}
	return stated
}

// unitName is the word of a unit.
func unitName(unit time.Duration) string {
	for _, word := range []string{"seconds", "minutes", "hours"} {
		if u, _ := link.ParseUnit(word); u == unit {
			return word
		}
	}
	return "days"
}

// texts are what a link writes for the time: the value, and what is added. The base is the
// time of the value itself where something is added.
func (t *stamp) texts(base, at time.Time) (text, plus string, err error) {
	if t.form.Unit == 0 {
		text, err = t.form.Write(at)
		return text, "", err
	}
	seconds, unit := at.Unix()-base.Unix(), int64(t.form.Unit/time.Second)
	if t.plus.kind == literal {
		if n, err := strconv.ParseInt(t.text, 10, 64); err != nil || n > seconds/unit || n*unit != seconds {
			return "", "", fmt.Errorf("each link of this scheme is valid for %s %s, and no other time", t.text, unitName(t.form.Unit))
		}
		text, err = t.form.Write(base)
		return text, "", err
	}
	if text, err = t.form.Write(base); err != nil {
		return "", "", err
	}
	if seconds < 0 {
		return "", "", errors.New("the link would be over before it is made")
	}
	if seconds < unit && seconds > 0 {
		return "", "", fmt.Errorf("links of this scheme say for how many %s they are valid, and that would be none", unitName(t.form.Unit))
	}
	return text, strconv.FormatInt(seconds/unit, 10), nil
}
