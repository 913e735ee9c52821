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

	"github.com/signedlink/caddy-signed-link/internal/cli/nearest"
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
scheme has it, in a parameter, claim or field; --expires, the time until which
the link is valid (7d, 12h, or a time in RFC 3339), in the format of the scheme;
without it, its word for ever, if it has one. --claim NAME=VALUE is what else a
token states, such as an AKID's mailing; --field NAME=VALUE, a field of a token
or path. Of a link whose path has fields, the URL is the path up to them, or a
whole one, with any letter for the signature.

Where several definitions judge the URL, or one has several schemes, name one
with --name.

What it prints is a link that works. Do not paste it where others read.`,
		Example: `  caddy signed-link sign --user jeff --expires 7d 'https://example.org/autologin'
  caddy signed-link sign --name akid --user 103007 --claim mailing=2695 https://example.org/
  caddy signed-link sign --field email=jeff@example.org https://example.org/unsubscribe
  caddy signed-link sign https://example.org/unsubscribe/jeff@example.org/x`,
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
	screen, err := newScreen(loaded.Definitions())
	if err != nil {
		return err
	}
	g, chosen, err := s.choose(run, screen, args[0])
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
	if r.Verdict == "" {
		return fmt.Errorf("%s: it does not judge the link, whose path or host its matcher does not match: %s", g.Where(), printable(screen.place(place(url))))
	}
	if r.Verdict != definition.Valid || r.Scheme != chosen.Name {
		return fmt.Errorf("%s: the gateway would refuse this link: %s%s", g.Where(), link.Refuse(link.Reason(r.Reason), r.Detail), why(run, chosen, url, r))
	}
	if !s.json {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), url)
		return err
	}
	out := signed{URL: url, Definition: r.Definition, Scheme: r.Scheme, KeyID: r.KeyID, User: r.User}
	if !expires.IsZero() {
		out.Expires = until(run, chosen, url, expires).UTC().Format(time.RFC3339)
	}
	return printJSON(cmd.OutOrStdout(), out)
}

// asLink is the link as the schemes see it.
func asLink(run *rehearsal.Run, url string) nearest.Link {
	scheme, host, target := rehearsal.SplitURL(url)
	return nearest.Link{Method: run.Method, Scheme: scheme, Host: host, Target: target, ClientIP: run.ClientIP.String()}
}

// until is the last second of the link. Where it says days, or whole hours from now on, that is
// another one than was asked for.
func until(run *rehearsal.Run, c *definition.Scheme, url string, asked time.Time) time.Time {
	_, l, ok := nearest.ReadBy(c, asLink(run, url))
	if !ok {
		return asked
	}
	if end, present, ok := l.Expires.End(); present && ok {
		return end.Add(-1).Truncate(time.Second)
	}
	return asked
}

// why is what of the link the gateway does not like, if more can be said of it.
func why(run *rehearsal.Run, c *definition.Scheme, url string, r *rehearsal.Report) string {
	came := asLink(run, url)
	request, err := came.View()
	if err != nil {
		return ""
	}
	_, l, ok := nearest.ReadBy(c, came)
	if !ok {
		l = new(link.Link)
	}
	if text := fault(c, request, l, link.Refuse(link.Reason(r.Reason), r.Detail)); text != "" {
		return ": " + text
	}
	return ""
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
// it, or the named one. Of a link in the path the URL may be the beginning, which no
// definition judges: then it is one of those whose links begin so.
func (s *signing) choose(run *rehearsal.Run, screen *screen, url string) (*app.Gate, *definition.Scheme, error) {
	passage := run.Try(url)
	if passage.Failed != nil {
		return nil, nil, fmt.Errorf("no request can be made of the URL: %w", passage.Failed)
	}
	owners, found := s.signers(run, passage.By, url)
	if len(found) == 0 {
		owners, found = s.signers(run, run.Only, url)
		found = slices.DeleteFunc(found, func(c *definition.Scheme) bool {
			carrier := c.Description.Carrier
			// a path with so many segments may be any: the matcher tells whose it is
			return carrier == nil || carrier.Link == nil && !slices.Contains(run.Try(withSegment(url)).By, owners[c])
		})
	}
	switch len(found) {
	case 0:
		return nil, nil, fmt.Errorf("no definition judges %s, so the gateway would not look at a signature there; there are %s", printable(screen.place(place(url))), run.Names())
	case 1:
		return owners[found[0]], found[0], nil
	}
	var names []string
	for _, c := range found {
		names = append(names, c.Name)
	}
	return nil, nil, fmt.Errorf("the URL is judged by several schemes, %s; say with --name which of them signs it", strings.Join(names, ", "))
}

// withSegment is the URL with a further segment of its path.
func withSegment(url string) string {
	place, query, has := strings.Cut(url, "?")
	place = strings.TrimSuffix(place, "/") + "/x"
	if has {
		place += "?" + query
	}
	return place
}

// signers are the schemes of some definitions that may sign the URL, and whose they are.
func (s *signing) signers(run *rehearsal.Run, gates []*app.Gate, url string) (owners map[*definition.Scheme]*app.Gate, found []*definition.Scheme) {
	owners = make(map[*definition.Scheme]*app.Gate)
	_, _, target := rehearsal.SplitURL(url)
	path, _, _ := strings.Cut(target, "?")
	for _, g := range gates {
		if !slices.Contains(run.Only, g) {
			continue // it refuses the path, and was not asked for
		}
		for _, c := range g.Definition.Schemes {
			if s.name != "" && s.name != c.Name && s.name != g.Label || !begins(c.Description.Carrier, path) || owners[c] != nil {
				continue
			}
			owners[c], found = g, append(found, c)
		}
	}
	return owners, found
}

// begins reports whether the path is the beginning of that of a link, or the whole of it.
func begins(c *link.Carrier, path string) bool {
	if c == nil {
		return true
	}
	if c.Link == nil {
		n := strings.Count(path, "/")
		return !c.Signature || n == c.Segment || n == c.Segment+1
	}
	literal := c.Link.Literal()
	return strings.HasPrefix(path, literal) || strings.HasPrefix(literal, strings.TrimSuffix(path, "/")+"/")
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
	fields := slices.DeleteFunc(slices.Clone(c.Description.Fields), func(name string) bool { return name == "signature" })
	for _, text := range s.fields {
		name, value, ok := strings.Cut(text, "=")
		if !ok || !slices.Contains(fields, name) {
			return "", fmt.Errorf("--field %s: %s; write NAME=VALUE", link.Shown(name), fieldsText(fields, name))
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
		if missing := (*keyedhash.MissingFieldError)(nil); errors.As(err, &missing) {
			return "", fmt.Errorf("%w; say it with --field %s=VALUE%s", err, missing.Field, otherwise(c, missing.Field))
		}
		return "", err
	}
	if host == "" {
		return target, nil
	}
	return scheme + "://" + host + target, nil
}

// fieldsText says which fields there are.
func fieldsText(fields []string, name string) string {
	if len(fields) == 0 {
		return "links of this scheme have no fields"
	}
	return "links of this scheme have the fields " + strings.Join(fields, ", ") + link.DidYouMean(name, fields)
}

// otherwise says how else a field gets its value.
func otherwise(c *definition.Scheme, field string) string {
	switch carrier := c.Description.Carrier; {
	case c.User != nil && c.User.String() == "{link."+field+"}":
		return ", or with --user"
	case carrier != nil && carrier.Link != nil && carrier.Link.Index(field) >= 0:
		return ", or write the whole path, as in " + carrier.Link.Sample(nil)
	}
	return ", or with --expires, if it is the time until which links are valid"
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
