// Package block reads the options of a Caddyfile block: each at most once, each
// with as many arguments as it takes, and every error with the line and the cure.
package block

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/signedlink/caddy-signed-link/link"
)

// Seen remembers at which line each option of a block was given.
type Seen map[string]int

// Once fails if the option at the dispenser was given before: of two values one
// would be ignored, and nobody could tell which.
func (s Seen) Once(d *caddyfile.Dispenser) error { return s.OnceAs(d, d.Val()) }

// OnceAs is [Seen.Once] for an option that is told from others by more than its name.
func (s Seen) OnceAs(d *caddyfile.Dispenser, what string) error {
	if line, ok := s[what]; ok {
		return d.Errf("%s is given twice; it stands on line %d already", what, line)
	}
	s[what] = d.Line()
	return nil
}

// Arg reads the one argument of the option at the dispenser.
func Arg(d *caddyfile.Dispenser, what string) (string, error) {
	option := d.Val()
	args := d.RemainingArgs()
	switch {
	case len(args) == 0:
		return "", d.Errf("%s needs %s", option, what)
	case len(args) > 1:
		return "", d.Errf("%s takes one argument, %s; found %d: %s", option, what, len(args), strings.Join(args, " "))
	}
	return args[0], nil
}

// Args reads at least low and at most high arguments; a high of 0 is no bound.
func Args(d *caddyfile.Dispenser, low, high int, syntax string) ([]string, error) {
	args := d.RemainingArgs()
	if len(args) < low || high > 0 && len(args) > high {
		return nil, d.Errf("write `%s`", syntax)
	}
	return args, nil
}

// None fails if the option has arguments.
func None(d *caddyfile.Dispenser) error {
	option := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes no argument; found %q", option, d.Val())
	}
	return nil
}

// Int reads the one argument of the option as a whole number of at least low.
func Int(d *caddyfile.Dispenser, low int) (int, error) {
	option := d.Val()
	arg, err := Arg(d, "a whole number")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(arg)
	if err != nil || n < low {
		return 0, d.Errf("%s %s: write a whole number of at least %d", option, arg, low)
	}
	return n, nil
}

// Duration reads the one argument of the option as a duration above zero; Caddy's
// `d` for days is understood.
func Duration(d *caddyfile.Dispenser) (caddy.Duration, error) {
	option := d.Val()
	arg, err := Arg(d, "a duration such as 90s, 12h or 7d")
	if err != nil {
		return 0, err
	}
	return ParseDuration(d, option, arg)
}

// ParseDuration reads a word of the option as [Duration] does.
func ParseDuration(d *caddyfile.Dispenser, option, word string) (caddy.Duration, error) {
	dur, err := caddy.ParseDuration(word)
	if err != nil || dur <= 0 {
		return 0, d.Errf("%s %s: write a duration above zero, such as 90s, 12h or 7d", option, word)
	}
	return caddy.Duration(dur), nil
}

// Choice reads the one argument of the option, which is one of the choices.
func Choice(d *caddyfile.Dispenser, choices ...string) (string, error) {
	option := d.Val()
	arg, err := Arg(d, strings.Join(choices, "|"))
	if err != nil {
		return "", err
	}
	if !slices.Contains(choices, arg) {
		return "", d.Errf("%s %s%s: write one of %s", option, link.Shown(arg), link.DidYouMean(arg, choices), strings.Join(choices, ", "))
	}
	return arg, nil
}

// SchemeOptions are the options that every scheme has, besides its own.
var SchemeOptions = []string{
	"name", "secret", "keys", "user_keys", "user", "param", "ignore", "require_expiry", "max_lifetime", "max_age", "clock_skew", "allow",
}

// DefinitionOptions are the options of a definition, which stand in one block with those of
// the scheme that the directive's line names.
var DefinitionOptions = []string{
	"mode", "missing", "backend", "methods", "strip", "unsigned", "request_header", "status", "redir", "throttle", "referrer_policy", "authorization", "cookies",
}

// UserKeysSyntax is how the sources of users' secrets that come along are written.
const UserKeysSyntax = "user_keys file <path>`, `user_keys inline { <user> <secret> }` or `user_keys sql mysql|postgres <dsn> { query <sql> }"

// Source reads the beginning of the line of a key source: the option as it is written, keys
// or user_keys, and what stands behind the source's name.
func Source(d *caddyfile.Dispenser) (option string, args []string) {
	d.Next()
	option = d.Val()
	d.NextArg()
	return option, d.RemainingArgs()
}

// DidYouMean is [link.DidYouMean] for key sources, which know no links.
func DidYouMean(word string, known ...string) string { return link.DidYouMean(word, known) }

// Unknown is the error for an option that does not exist here.
func Unknown(d *caddyfile.Dispenser, known []string) error {
	return d.Errf("unknown option %q%s; there are %s", link.Shown(d.Val()), link.DidYouMean(d.Val(), known), strings.Join(known, ", "))
}

// UnknownOfScheme is [Unknown] for a scheme with options of its own.
func UnknownOfScheme(d *caddyfile.Dispenser, own []string) error {
	return d.Errf("unknown option %q%s; this scheme has %s, and every scheme has %s",
		link.Shown(d.Val()), link.DidYouMean(d.Val(), slices.Concat(own, SchemeOptions, DefinitionOptions)),
		strings.Join(own, ", "), strings.Join(SchemeOptions, ", "))
}
