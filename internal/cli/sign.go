package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/signedlink/caddy-signed-link/internal/cli/rehearsal"
	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// signing is what sign is asked for.
type signing struct {
	source
	user, expires, at string
	claims, fields    []string
}

func signCommand() *cobra.Command {
	s := new(signing)
	cmd := &cobra.Command{
		Use:   "sign [--user USER] [--expires 7d] URL",
		Short: "Makes a link with the configured scheme and its current key",
		Long: `
Makes a link: signs the URL as the configured scheme has it, with its current
key, the first that is valid now, or with the secret of the user. The link is
then verified as the gateway would, and printed only if it is valid.

What the scheme signs must stand in the URL. --user writes the user where the
scheme has it; --expires, the time until which the link is valid (7d, 12h, or a
time in RFC 3339); --claim NAME=VALUE, what else a token states, such as an
AKID's mailing; --field NAME=VALUE, a field of a token or path. Of a link whose
path has fields, the URL is the path up to them, or a whole one, with any letter
for the signature.

Where several definitions judge the URL, or one has several schemes, name one
with --name.

What it prints is a link that works. Do not paste it where others read.`,
		Example: `  caddy signed-link sign --user jeff --expires 7d 'https://example.org/autologin'
  caddy signed-link sign --name akid --user 103007 --claim mailing=2695 https://example.org/`,
		Args: cobra.ExactArgs(1),
	}
	s.flags(cmd)
	s.secretFlag(cmd)
	f := cmd.Flags()
	f.StringVarP(&s.user, "user", "u", "", "who the link is for")
	f.StringVarP(&s.expires, "expires", "e", "", "until when it is valid: a duration from now, such as 7d, or a time in RFC 3339")
	f.StringVar(&s.at, "at", "", "when it is made: Unix seconds, or RFC 3339; default: now")
	f.StringArrayVar(&s.claims, "claim", nil, "a further claim, NAME=VALUE")
	f.StringArrayVar(&s.fields, "field", nil, "a field of a token or path, NAME=VALUE")
	runs(cmd, s.sign)
	return cmd
}

// signed is what sign prints as JSON.
type signed struct {
	URL        string `json:"url"`
	Definition string `json:"definition"`
	Scheme     string `json:"scheme"`
	KeyID      string `json:"key_id"`
	User       string `json:"user"`
	Expires    string `json:"expires,omitempty"`
}

func (s *signing) sign(cmd *cobra.Command, args []string) error {
	now, err := timeFlag("at", s.at, time.Now())
	if err != nil {
		return err
	}
	expires, err := expiry(s.expires, now)
	if err != nil {
		return err
	}
	loaded, err := s.load(cmd, "ERROR")
	if err != nil {
		return err
	}
	loaded.At(now)
	run := &rehearsal.Run{Configuration: loaded, Method: http.MethodGet, ClientIP: netip.MustParseAddr("127.0.0.1"), Now: now}
	if run.Only, err = loaded.Named(s.name); err != nil {
		return err
	}
	if err := run.Rewire(); err != nil {
		return err
	}
	g, chosen, err := s.choose(run, args[0])
	if err != nil {
		return err
	}
	run.Only = []*app.Gate{g}
	if !slices.Contains(g.Definition.Methods, run.Method) {
		run.Method = g.Definition.Methods[0]
	}
	url, err := s.mint(cmd.Context(), chosen, args[0], run.Method, now, expires)
	if err != nil {
		return fmt.Errorf("%s: %w", g.Where(), err)
	}
	// The gateway has the last word: no link is printed that it would refuse.
	r := run.Try(url).Report()
	if r.Verdict != definition.Valid || r.Scheme != chosen.Name {
		return fmt.Errorf("%s: the gateway would refuse this link: %s", g.Where(), link.Refuse(link.Reason(r.Reason), r.Detail))
	}
	if !s.json {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), url)
		return err
	}
	out := signed{URL: url, Definition: r.Definition, Scheme: r.Scheme, KeyID: r.KeyID, User: r.User}
	if !expires.IsZero() {
		out.Expires = expires.UTC().Format(time.RFC3339)
	}
	return printJSON(cmd.OutOrStdout(), out)
}

// expiry reads a duration from now, or a time.
func expiry(value string, now time.Time) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	if d, err := caddy.ParseDuration(value); err == nil {
		if d <= 0 {
			return time.Time{}, fmt.Errorf("--expires %s: the link would be over before it begins", value)
		}
		return now.Add(d), nil
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}, fmt.Errorf("--expires %q: write a duration from now, such as 7d or 12h, or a time such as 2026-11-28T19:00:00Z", value)
	}
	return t, nil
}

// choose returns the scheme that signs the URL: the only one of the definitions that judge
// it, or the named one.
func (s *signing) choose(run *rehearsal.Run, url string) (*app.Gate, *definition.Scheme, error) {
	passage := run.Try(url)
	if passage.Failed != nil {
		return nil, nil, fmt.Errorf("no request can be made of the URL: %w", passage.Failed)
	}
	if len(passage.By) == 0 {
		return nil, nil, fmt.Errorf("no definition judges %s, so the gateway would not look at a signature there; there are %s", printable(place(url)), run.Names())
	}
	var owner *app.Gate
	var found []*definition.Scheme
	for _, g := range passage.By {
		for _, c := range g.Definition.Schemes {
			if s.name == "" || s.name == c.Name || s.name == g.Label {
				owner, found = g, append(found, c)
			}
		}
	}
	if len(found) > 1 {
		var names []string
		for _, c := range found {
			names = append(names, c.Name)
		}
		return nil, nil, fmt.Errorf("the URL is judged by several schemes, %s; say with --name which of them signs it", strings.Join(names, ", "))
	}
	return owner, found[0], nil
}

// mint makes the link.
func (s *signing) mint(ctx context.Context, c *definition.Scheme, url, method string, now, expires time.Time) (string, error) {
	signer, ok := c.Format.(link.Signer)
	if !ok {
		return "", errors.New("links of this scheme cannot be made with what the gateway holds")
	}
	scheme, host, target := rehearsal.SplitURL(url)
	path, raw, _ := strings.Cut(target, "?")
	grant := link.Grant{User: s.user, Now: now, Expires: expires}
	for _, text := range s.claims {
		name, value, ok := strings.Cut(text, "=")
		if !ok || !slices.Contains(c.Description.Claims, name) {
			return "", fmt.Errorf("--claim %s: links of this scheme state %s; write NAME=VALUE", name, strings.Join(c.Description.Claims, ", "))
		}
		grant.Claims.Set(name, value)
	}
	for _, text := range s.fields {
		name, value, ok := strings.Cut(text, "=")
		if !ok || !slices.Contains(c.Description.Fields, name) {
			return "", fmt.Errorf("--field %s: links of this scheme have the fields %s; write NAME=VALUE", link.Shown(name), strings.Join(c.Description.Fields, ", "))
		}
		grant.SetField(name, value)
	}
	if s.user != "" {
		var err error
		if raw, err = writeUser(c, raw, s.user, &grant); err != nil {
			return "", err
		}
	}
	r := &link.Request{Method: method, Scheme: scheme, Host: host, Path: path, ClientIP: "127.0.0.1"}
	if err := r.Query.Parse(raw); err != nil {
		return "", err
	}
	if c.Users != nil && grant.User == "" {
		grant.User = string(c.User.Append(nil, r, keyedhash.Values{Fields: fieldsOf(c, r, &grant)}))
	}
	key, err := signingKey(ctx, c, &grant, now)
	if err != nil {
		return "", err
	}
	if target, err = signer.Sign(r, grant, key); err != nil {
		return "", err
	}
	if host == "" {
		return target, nil
	}
	return scheme + "://" + host + target, nil
}

// fieldsOf are the fields that the link will have, as far as they are known: those of the grant,
// and those of a URL that has the form of a link.
func fieldsOf(s *definition.Scheme, r *link.Request, g *link.Grant) []link.Field {
	var l link.Link
	_ = s.Format.Read(r, &l) // which refuses what lacks a signature, and has read the rest
	fields := make([]link.Field, len(s.Description.Fields))
	copy(fields, l.Fields)
	for i, name := range s.Description.Fields {
		if value, given := g.Fields[name]; given {
			fields[i] = link.Field{Value: value, Sent: value}
		}
	}
	return fields
}

// writeUser writes the user where the scheme has it: into the only parameter of its
// template, or into the claim.
func writeUser(s *definition.Scheme, raw, user string, g *link.Grant) (string, error) {
	if s.User == nil {
		return "", errors.New("--user: links of this scheme name no user here (`user none`)")
	}
	parameters, claims, fields := s.User.Parameters(), s.User.Claims(), s.User.Fields()
	switch {
	case len(parameters) == 1 && s.User.String() == "{query."+parameters[0]+"}", len(parameters) == 1 && s.User.String() == "{http.request.uri.query."+parameters[0]+"}":
		return query.Set(raw, parameters[0], user), nil
	case len(parameters) == 0 && len(claims) == 1 && s.User.String() == "{claim."+claims[0]+"}":
		g.Claims.Set(claims[0], user)
		return raw, nil
	case len(parameters) == 0 && len(fields) == 1 && s.User.String() == "{link."+fields[0]+"}":
		g.SetField(fields[0], user)
		return raw, nil
	}
	return "", fmt.Errorf("--user: the user of this scheme is %s; write the parts of it into the URL", link.Typed(s.User.String()))
}

// signingKey is the key with which to sign: the user's, or the set's current one.
func signingKey(ctx context.Context, s *definition.Scheme, g *link.Grant, now time.Time) ([]byte, error) {
	if s.Users != nil {
		if g.User == "" {
			return nil, errors.New("each user has a secret of its own; say who it is with --user")
		}
		secret, err := s.Users.UserKey(ctx, g.User)
		if err != nil {
			return nil, fmt.Errorf("the key of user %s: %w", printable(g.User), err)
		}
		return secret.Bytes(), nil
	}
	key := s.Keys.KeySet().Current(now)
	if key == nil {
		return nil, errors.New("no key of the set is valid at this time")
	}
	g.KeyID = key.ID
	return key.Secret.Bytes(), nil
}
