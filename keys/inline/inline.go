// Package inline brings the key source whose secrets stand in Caddy's
// configuration itself, mostly as placeholders for where they really are.
package inline

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/block"
	"github.com/signedlink/caddy-signed-link/keys"
)

func init() {
	caddy.RegisterModule(Source{})
}

// Source takes the secrets with which signed links are verified from the
// configuration: one or more keys that count for all links (`secrets`), or
// one secret for each user (`users`).
//
// A secret is best written as a placeholder, which must be the whole value:
//
// Value | Meaning
// ------|--------
// `{env.NAME}` | The environment variable of that name, of the process that runs Caddy
// `{file./path}` | The content of a file, with a slash in its path, without the line break at its end
// anything else | The secret itself; Caddy warns, as it then stands in clear in the configuration, in its API and in its trace log
//
// The placeholders are read once, when the configuration is loaded. A variable
// that is not set, a file that cannot be read, an empty secret and any other
// placeholder stop the configuration from being loaded.
//
// To replace a key without a gap, list the new one beside the old, sign with
// the new one, and remove the old when the last of its links has expired:
//
//	{
//		"secrets": [
//			{"id": "2027", "secret": "{env.LINK_SECRET_2027}", "not_before": "2026-12-01"},
//			{"id": "2026", "secret": "{env.LINK_SECRET_2026}", "not_after": "2027-02-01"}
//		]
//	}
type Source struct {
	// The keys, any of which may verify a link. With several, each needs an
	// `id`, and for signing the first that is valid is used.
	Secrets []Secret `json:"secrets,omitempty"`

	// One secret for each user, by the user's id, which is compared byte for
	// byte and has 1 to 256 bytes. The values are written like `secret`
	// above and used as they stand, without decoding; none may be empty.
	Users map[string]string `json:"users,omitempty"`

	set   *keys.Set
	users *keys.Users
}

// Secret is one key of the configuration.
type Secret struct {
	// The name of the key, which is no secret: it is told to the backend and
	// stands in logs. At most 64 characters of printable ASCII without
	// blanks, commas and semicolons. Required if there are several keys.
	ID string `json:"id,omitempty"`

	// The key itself: `{env.NAME}`, `{file./path}` or, which Caddy warns
	// about, the secret in clear. What is written here is shown as it stands
	// by Caddy's configuration API, in its saved configuration and in its
	// trace log; of a placeholder they show the placeholder only.
	Secret string `json:"secret,omitempty"`

	// How the text of the secret is turned into bytes: `utf8`, `hex`,
	// `base64` or `base64url`; the latter two with padding or without.
	// Default: `utf8`.
	Encoding string `json:"encoding,omitempty"`

	// The first instant at which the key is valid, in RFC 3339
	// (`2026-01-31T08:00:00Z`) or as a date (`2026-01-31`), which means
	// midnight UTC at the start of that day. Default: it always was.
	NotBefore string `json:"not_before,omitempty"`

	// The first instant at which the key is no longer valid, written like
	// `not_before`. Default: it never expires.
	NotAfter string `json:"not_after,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Source) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.signed_link.keys.inline",
		New: func() caddy.Module { return new(Source) },
	}
}

// UnmarshalCaddyfile sets up the source of users' secrets. Keys that count for all links are
// lines `secret <value> [<key id>]` of the scheme. Syntax:
//
//	user_keys inline {
//		<user> <secret>
//	}
func (s *Source) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	option, args := block.Source(d)
	switch {
	case option == "keys":
		return d.Err("keys: unknown source \"inline\"; write `keys file <path>`")
	case len(args) > 0:
		return d.Errf("write `%s`", block.UserKeysSyntax)
	}
	s.Users = make(map[string]string)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		user := d.Val()
		if _, twice := s.Users[user]; twice {
			return d.Errf("user_keys: user %s is given twice", user)
		}
		var err error
		if s.Users[user], err = block.Arg(d, "a secret"); err != nil {
			// the user's name, too, may be a secret in the wrong place
			return d.Err("user_keys inline: write `<user> <secret>` on each line")
		}
	}
	if len(s.Users) == 0 {
		return d.Err("user_keys inline: write `<user> <secret>` lines in its block")
	}
	return nil
}

// Provision resolves and decodes the secrets. The configured fields stay as
// they were written.
func (s *Source) Provision(ctx caddy.Context) error {
	return s.provision(ctx.Logger())
}

func (s *Source) provision(logger *zap.Logger) error {
	if err := s.provisionSet(logger); err != nil {
		return err
	}
	return s.provisionUsers(logger)
}

func (s *Source) provisionSet(logger *zap.Logger) error {
	if len(s.Secrets) == 0 {
		return nil
	}
	all := make([]keys.Key, len(s.Secrets))
	for i, c := range s.Secrets {
		key, literal, err := c.key()
		if err != nil {
			return fmt.Errorf("key %d: %w", i+1, err)
		}
		all[i] = key
		if literal {
			logger.Warn("a secret stands in clear in the configuration, and so in Caddy's API and saved configuration; write {env.NAME} or {file./path}",
				zap.Int("key", i+1))
		}
	}
	set, err := keys.NewSet(all...)
	if err != nil {
		return err
	}
	s.set = set
	return nil
}

func (c Secret) key() (key keys.Key, literal bool, err error) {
	key.ID = c.ID
	text, literal, err := keys.Resolve(c.Secret)
	if err != nil {
		return key, false, err
	}
	if key.Secret, err = keys.Decode(text, c.Encoding); err != nil {
		return key, false, fmt.Errorf("%w%s", err, block.DidYouMean(c.Encoding, keys.Encodings...))
	}
	if key.NotBefore, err = keys.ParseTime(c.NotBefore); err != nil {
		return key, false, fmt.Errorf("not_before: %w", err)
	}
	if key.NotAfter, err = keys.ParseTime(c.NotAfter); err != nil {
		return key, false, fmt.Errorf("not_after: %w", err)
	}
	return key, literal, nil
}

func (s *Source) provisionUsers(logger *zap.Logger) error {
	if len(s.Users) == 0 {
		return nil
	}
	var b keys.UsersBuilder
	inClear := 0
	for _, user := range slices.Sorted(maps.Keys(s.Users)) {
		text, literal, err := keys.Resolve(s.Users[user])
		if err != nil {
			return fmt.Errorf("user %.64q: %w", user, err)
		}
		if literal {
			inClear++
		}
		if err := b.Add(user, []byte(text)); err != nil {
			return fmt.Errorf("user %.64q: %w", user, err)
		}
	}
	if inClear > 0 {
		logger.Warn("secrets of users stand in clear in the configuration, and so in Caddy's API and saved configuration; write {env.NAME} or {file./path}, or use a file of user keys",
			zap.Int("users", inClear))
	}
	s.users = b.Users()
	return nil
}

// OpenSet returns the keys of `secrets`; it is an error if there are none.
func (s *Source) OpenSet() (keys.SetSource, error) {
	if s.set == nil {
		if s.users != nil {
			return nil, errors.New("inline keys: there is one secret per user here, but this scheme needs keys that count for all links; write them as secrets, or configure users where user keys are wanted")
		}
		return nil, errors.New("inline keys: there is no key; write at least one in secrets")
	}
	return s.set, nil
}

// OpenUsers returns the secrets of `users`; it is an error if there are none.
func (s *Source) OpenUsers() (keys.UserSource, error) {
	if s.users == nil {
		if s.set != nil {
			return nil, errors.New("inline keys: there are keys that count for all links here, but this scheme needs one secret per user; write them as users, or configure secrets where a key set is wanted")
		}
		return nil, errors.New("inline keys: there is no user; write at least one in users, with a secret")
	}
	return s.users, nil
}

const redacted = "REDACTED"

// String says how much there is, and no secret.
func (s Source) String() string {
	return fmt.Sprintf("inline keys (%d secrets, %d users, %s)", len(s.Secrets), len(s.Users), redacted)
}

// GoString is the same as String.
func (s Source) GoString() string { return s.String() }

// Format implements fmt.Formatter: it writes the same as String for every
// verb.
func (s Source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue implements slog.LogValuer: it is the same as String.
func (s Source) LogValue() slog.Value { return slog.StringValue(s.String()) }

// String returns REDACTED.
func (Secret) String() string { return redacted }

// GoString returns REDACTED.
func (Secret) GoString() string { return redacted }

// Format implements fmt.Formatter: it writes REDACTED for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer: it returns REDACTED.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Interface guards
var (
	_ caddy.Module      = (*Source)(nil)
	_ caddy.Provisioner = (*Source)(nil)
	_ keys.SetOpener    = (*Source)(nil)
	_ keys.UserOpener   = (*Source)(nil)
	_ fmt.Formatter     = Source{}
	_ fmt.Formatter     = Secret{}
)
