package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/signedlink/caddy-signed-link/internal/cli/nearest"
	"github.com/signedlink/caddy-signed-link/internal/cli/rehearsal"
	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/link"
)

func explainCommand() *cobra.Command {
	p := new(probe)
	cmd := &cobra.Command{
		Use:   "explain [flags] URL... | -",
		Short: "Tells people why a link fails, and what would have to be different",
		Long: `
Runs the URL through the definitions as verify does, and explains the answer:
which scheme took the link, where its signature stands, which bytes it says were
signed (with {secret} where the secret stands), until when it is valid, what in
it is not as the definition wants it, and the nearest miss: the one thing, or the
two, that would have to be different for it to verify. It knows what mail
programs, click trackers, proxies and people do to links: &amp; for &, cut and
wrapped links, quoted-printable, + and blanks, changed case, appended tracking
parameters, http for https, www, a slash, a doubled one, /index.php, another
order; and what goes wrong between signer and gateway: another key, another
scheme, another algorithm, a line break behind the secret.

It never prints a signature, neither the one that came nor the right one. Paste
the link between quotes, just as it stands in the mail.

--json prints one object a line: place (the URL up to its query), verdict,
reason, detail, sentence, definition, scheme, user (as the link says, verified or
not), signature (where it stands), fault (what of the link is not as it has to
be), message, expires, issued, keys, nearest (code, text, cure; null if there is
none), cure (of a page to which only links lead) and note.

Exit codes: 0 if every link is valid, 2 if one is not, 1 if the command failed.`,
		Example: `  caddy signed-link explain 'https://example.org/autologin?user=jeff&amp;key=31c940e9'`,
		Args:    cobra.MinimumNArgs(1),
	}
	p.flags(cmd)
	runs(cmd, p.explain)
	return cmd
}

// explanation is what explain prints.
type explanation struct {
	Place      string        `json:"place"`
	Verdict    string        `json:"verdict"`
	Reason     string        `json:"reason"`
	Detail     string        `json:"detail"`
	Sentence   string        `json:"sentence"`
	Definition string        `json:"definition"`
	Scheme     string        `json:"scheme"`
	User       string        `json:"user"`
	Signature  string        `json:"signature,omitempty"`
	Fault      string        `json:"fault,omitempty"`
	Message    string        `json:"message"`
	Expires    string        `json:"expires,omitempty"`
	Issued     string        `json:"issued,omitempty"`
	Keys       []string      `json:"keys,omitempty"`
	Nearest    *nearest.Miss `json:"nearest"`
	Cure       string        `json:"cure,omitempty"`
	Note       string        `json:"note,omitempty"`
}

func (p *probe) explain(cmd *cobra.Command, args []string) error {
	run, err := p.start(cmd, args)
	if err != nil {
		return err
	}
	ok, n := true, 0
	err = eachURL(cmd.InOrStdin(), args, func(text string) error {
		e := explain(run, p.screen, text)
		ok = ok && e.Verdict == definition.Valid
		if p.json {
			return printJSON(cmd.OutOrStdout(), e)
		}
		if n++; n > 1 {
			fmt.Fprintln(cmd.OutOrStdout())
		}
		e.print(cmd.OutOrStdout())
		return nil
	})
	if err == nil && !ok {
		err = errNo
	}
	return err
}

// explain finds out what there is to say of a link.
func explain(run *rehearsal.Run, screen *screen, text string) *explanation {
	p := run.Try(text)
	r := p.Report()
	e := &explanation{
		Place: screen.place(place(text)), Verdict: r.Verdict, Reason: r.Reason, Detail: r.Detail, Definition: r.Definition,
		Scheme: r.Scheme, User: r.User, Note: r.Note, Sentence: sentence(link.Reason(r.Reason), r.Detail),
	}
	scheme, host, target := rehearsal.SplitURL(text)
	_, fragment, _ := strings.Cut(text, "#")
	came := nearest.Link{Method: run.Method, Scheme: scheme, Host: host, Target: target, ClientIP: run.ClientIP.String(), Fragment: fragment}
	judges := p.By
	if len(judges) == 0 {
		judges = run.Only
	}
	for _, g := range judges {
		if len(p.By) > 0 && e.describe(g.Definition, came, screen, run.Now) {
			break
		}
	}
	if e.Detail == "internal" {
		e.internal(judges, came)
	}
	switch link.Reason(e.Reason) {
	case link.Missing, link.Malformed, link.Ambiguous, link.BadSignature:
		if p.State != nil && p.State.Last != nil && p.State.Last.Signed() {
			return e // the signature is right: nothing is nearer
		}
	default:
		if e.Verdict != "" {
			return e // it is valid, or right; or its key cannot be asked for
		}
	}
	var others []nearest.Other
	for _, g := range run.Definitions() {
		others = append(others, nearest.Other{Definition: g.Definition, Where: g.Where()})
	}
	for _, g := range judges {
		if len(p.By) == 0 {
			if r, err := came.View(); err == nil {
				if v := g.Definition.Judge(context.Background(), r, nil, run.Now); v.Signed() {
					e.Nearest = &nearest.Miss{Code: "matcher", Text: "it is a link of " + g.Where() + ", which does not look at this path or host", Cure: "Correct the link's path or host, or the definition's matcher."}
					break
				}
			}
		}
		if e.Nearest = nearest.Find(g.Definition, others, run.Now, came); e.Nearest != nil {
			e.Cure = "" // it is a link
			break
		}
	}
	return e
}

// describe tells what the link states, as the scheme reads it that took it, or the first
// whose signature parameters are there.
func (e *explanation) describe(d *definition.Definition, came nearest.Link, screen *screen, now time.Time) bool {
	for _, c := range d.Schemes {
		if e.Scheme != "" && e.Scheme != c.Name {
			continue
		}
		r, err := came.View()
		if err != nil {
			return false
		}
		where, ok := signaturePlace(c, r)
		if !ok {
			continue
		}
		e.Scheme, e.Signature = c.Name, where
		if c.Keys != nil {
			for _, key := range c.Keys.KeySet().All() {
				id := key.ID
				if id == "" {
					id = "the only one"
				}
				e.Keys = append(e.Keys, id+" ("+key.At(now).String()+")")
			}
		}
		r, l, ok := nearest.ReadBy(c, came)
		e.Fault = fault(c, r, l, link.Refuse(link.Reason(e.Reason), e.Detail))
		if !ok {
			e.User = screen.value(c, l, e.User)
			return true
		}
		e.Expires, e.Issued = screen.value(c, l, when(l.Expires, true, now)), screen.value(c, l, when(l.Issued, false, now))
		if m, ok := c.Format.(link.Messenger); ok {
			e.Message = screen.value(c, l, string(m.AppendMessage(nil, r, l, []byte("{secret}"))))
		}
		switch {
		case e.User != "":
		case l.User != "":
			e.User = l.User
		case c.User != nil:
			e.User = string(c.User.Append(nil, r, keyedhash.Values{Claims: l.Claims, Fields: l.Fields}))
		}
		if e.Verdict != definition.Valid {
			e.User = screen.value(c, l, e.User)
		}
		return true
	}
	return false
}

// internal says of a page to which only links lead how others could come there.
func (e *explanation) internal(judges []*app.Gate, came nearest.Link) {
	path, _, _ := strings.Cut(came.Target, "?")
	for _, g := range judges {
		for _, c := range g.Definition.Schemes {
			carrier := c.Description.Carrier
			if !carrier.Moves() {
				continue
			}
			e.Scheme = cmp.Or(e.Scheme, c.Name)
			e.Cure = "Link to the page with a signature. If others may come there, too, write `public` behind the path of `to`, as in `to " + targetOf(carrier) + " public`; if it is another page, let `to` name a path of its own."
			if carrier.Link == nil {
				e.Cure = "Link to the page with a signature. If others may come there, too, write the form of links in place of the segment, as in `path /u/<id>/<signature> to /u/{link.id} public`."
			}
			if carrier.Signature && carrier.Carries(path) != link.NoLink {
				e.Sentence += " Links begin with the same text, so it may also be a damaged one."
			}
			return
		}
	}
}

// targetOf is the path behind `to`.
func targetOf(c *link.Carrier) string {
	if c.Target == nil {
		return c.Fixed
	}
	var names []string
	for _, f := range c.Target.Fields() {
		name := f.Name
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // each is numbered, because one may stand there twice
		}
		names = append(names, "{link."+name+"}")
	}
	return string(c.Target.Join(nil, names))
}

// signaturePlace says where the link has its signature, if it is one of the scheme.
func signaturePlace(s *definition.Scheme, r *link.Request) (place string, ok bool) {
	if c := s.Description.Carrier; c != nil && c.Signature {
		switch c.Carries(r.Path) {
		case link.Whole:
			signature, _ := signatureIn(s, r.Path)
			if c.Link == nil {
				return fmt.Sprintf("in the path, segment %d, %d characters%s", c.Segment, len(signature), ofLength(s)), true
			}
			return fmt.Sprintf("in the path, <signature> of %s, %d characters%s", c.Link, len(signature), ofLength(s)), true
		case link.Broken:
			return "in the path, which has not the form of a link", true
		case link.NoLink:
		}
		return "", false
	}
	for _, name := range s.Description.Signature {
		value, there := r.Value(name)
		if !there {
			continue
		}
		if len(s.Description.Fields) > 0 {
			var l link.Link
			if s.Format.Read(r, &l).None() {
				return fmt.Sprintf("in the token %q, with %d others, %d characters%s", name, len(l.Fields)-1, len(l.Signature), ofLength(s)), true
			}
		}
		return fmt.Sprintf("in %q, %d characters", name, len(value)), true
	}
	return "", false
}

// ofLength says how many characters a signature has.
func ofLength(s *definition.Scheme) string {
	if s.Description.Length == 0 {
		return ""
	}
	return fmt.Sprintf(" (a whole one has %d)", s.Description.Length)
}

// span is a duration in days and hours, or below.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 100*365*day: // beyond what a Duration holds, too
		return "more than a hundred years"
	case d >= 2*day:
		return strconv.Itoa(int(d/day)) + " days"
	case d >= 2*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " hours"
	case d >= 2*time.Minute:
		return strconv.Itoa(int(d/time.Minute)) + " minutes"
	default:
		return strconv.Itoa(int(d/time.Second)) + " seconds"
	}
}

// sentences say for people what a reason means.
var sentences = map[link.Reason]string{
	link.Missing:         "The URL carries no signature: none of the parameters that a link has is there, and its path is not that of a link.",
	link.Malformed:       "This is not a link of the configured scheme: something is missing, or has a form that the scheme does not have.",
	link.Ambiguous:       "A signed parameter stands there in a way that two programs can read differently, so nobody can say what was verified.",
	link.BadSignature:    "No key makes this signature: the link was changed on its way, or signed with another secret or in another way.",
	link.Expired:         "The signature is right, and the time is over.",
	link.NotYetValid:     "The signature is right, and the time has not come: look at the signer's clock.",
	link.OutOfScope:      "The signature is right, and the link was made for something else: another audience, purpose, path or address.",
	link.Method:          "The signature is right, and links are not allowed to come with this method; see the option methods.",
	link.Body:            "The signature is right, and the body could contradict it.",
	link.KeysUnavailable: "The source of the keys does not answer, so nothing can be said of the link.",
	link.Throttled:       "Too many links of this client failed before; it has to wait.",
}

// details say what a detail means, where it helps a person.
var details = map[string]string{
	"duplicate":    "A protected parameter is there twice.",
	"lookalike":    "A parameter is spelled so that the backend would take it for a protected one.",
	"array":        "A protected parameter is written as an array, such as user[]=….",
	"html_escaped": "The link has &amp; where & belongs.",
	"semicolon":    "A protected value has a semicolon, which some backends take for the end of the value.",
	"escape":       "A protected value has a broken percent-encoding, such as %zz.",
	"control":      "The query has a raw blank, control character or #.",
	"path":         "The path is too long, or can be read in too many ways, to say whether the definition applies; decoding it hides a delimiter; or some backends read another value in a part of it, as of & or .php before more text.",
	"no_signature": "The parameter of the signature is empty or missing, while another one of the link is there.",
	"absent":       "A parameter is missing that is signed.",
	"token":        "The token does not have its form: an AKID is mailing, user and hash, with dots between; any other has the texts and fields of its pattern.",
	"pattern":      "The path begins like that of a link, and does not have its form.",
	"internal":     "Only links lead to this page: the backend gets its path in place of the path of a link, and here somebody asks for it directly.",
	"host":         "The host of the request is not one that a link is made for.",
	"charset":      "A value has characters that its param rule, or a header, does not admit.",
	"empty":        "A value is empty.",
	"too_long":     "A value, or the query, is longer than allowed.",
	"too_short":    "A value is shorter than its param rule admits.",
	"too_many":     "The query has more than a thousand parameters.",
	"expiry":       "The expiry is no time of the configured format.",
	"issued":       "The time of issue cannot be right.",
	"no_expiry":    "The link does not say when it expires, and has to (require_expiry, max_lifetime).",
	"max_age":      "It was made longer ago than max_age.",
	"max_lifetime": "It is valid for longer than max_lifetime.",
	"key":          "The key that made it counts no longer, or not yet; see not_before and not_after.",
	"two_links":    "Two links of different schemes are in one URL.",
	"request":      "No HTTP request can be made of it: a blank or a line break stands in the URL.",
	"users":        "Two definitions verified two different users on one request.",
	"akid_shape":   "A signed text has the form of an AKID (akid_shape).",
	"action":       "The action of the link is missing, or not where it belongs.",
	"uncovered":    "The link has a parameter that another scheme of the definition protects and this one does not sign.",
}

func sentence(reason link.Reason, detail string) string {
	text := sentences[reason]
	if d := details[detail]; d != "" {
		text = strings.TrimSpace(text + " " + d)
	}
	return text
}

// print writes the explanation for people.
func (e *explanation) print(w io.Writer) {
	place := printable(e.Place)
	switch e.Verdict {
	case definition.Valid:
		fmt.Fprintf(w, "The link to %s is valid.\n", place)
	case "":
		fmt.Fprintf(w, "No definition judges %s: the gateway hands it on as it is, less forged identity headers.\n", place)
	default:
		reason := e.Reason
		if e.Detail != "" {
			reason += ", " + e.Detail
		}
		fmt.Fprintf(w, "The link to %s is not valid: %s.\n%s\n", place, reason, e.Sentence)
	}
	fmt.Fprintln(w)
	user := printable(e.User)
	if user != "" && e.Verdict != definition.Valid {
		user += " (says the link)"
	}
	message := ""
	if e.Message != "" {
		message = strconv.QuoteToASCII(e.Message)
	}
	note := e.Note
	if e.Verdict == "" {
		note = ""
	}
	fields(w, "definition", e.Definition, "scheme", e.Scheme, "user", user, "signature", e.Signature, "fault", e.Fault, "signed", message,
		"expires", e.Expires, "issued", e.Issued, "keys", strings.Join(e.Keys, ", "), "note", note)
	if e.Cure != "" {
		fmt.Fprintf(w, "\n%s\n", e.Cure)
	}
	switch {
	case e.Nearest != nil:
		fmt.Fprintf(w, "\nNearest miss (%s): it would verify, but %s.\n%s\n", e.Nearest.Code, e.Nearest.Text, e.Nearest.Cure)
	case e.Verdict == definition.Invalid && slices.Contains([]link.Reason{link.BadSignature, link.Malformed, link.Ambiguous}, link.Reason(e.Reason)):
		fmt.Fprintf(w, "\nNothing near it verifies. Compare the bytes above with those that the signer hashes.\n")
	}
}
