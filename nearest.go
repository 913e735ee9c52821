package signedlink

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// This file looks for the nearest link to a failing one that would verify: what mail
// programs, shorteners, browsers, proxies and people do to links, undone, one thing at a
// time, then two. It knows no Caddy types, judges with the definition itself, and tells
// what would have to be different, never how the right signature would read.

// miss is a change after which a link verifies.
type miss struct {
	Code string `json:"code"`
	Text string `json:"text"`
	Cure string `json:"cure"`
}

// sent is a link as it came: what of a request decides about it.
type sent struct {
	method, scheme, host, target, clientIP string
}

// request is the view that schemes have of it.
func (s *sent) request() (*link.Request, error) {
	path, raw, _ := strings.Cut(s.target, "?")
	r := &link.Request{Method: s.method, Scheme: s.scheme, Host: s.host, Path: path, ClientIP: s.clientIP}
	return r, r.Query.Parse(raw)
}

// variant is a link that differs from the one that came.
type variant struct {
	sent
	text string // what differs
}

// repair undoes one thing that happens to links.
type repair struct {
	code, cure string
	apply      func(n *nearest, s sent) []variant
}

// nearest looks for misses.
type nearest struct {
	definition *definition.Definition
	others     []*app.Gate // all definitions of the configuration, this one too
	now        time.Time
	tries      int
}

// maxTries bounds how many links are judged: each may cost a lookup in a database.
const maxTries = 4000

// find returns the nearest miss, or nil. A target beyond the bounds has none: the gateway
// does not read it, and a line of a log should not keep anybody waiting.
func (n *nearest) find(s sent) *miss {
	if len(s.target) > query.MaxBytes || strings.Count(s.target, "&") > query.MaxPairs {
		return nil
	}
	for _, r := range repairs {
		for _, v := range r.apply(n, s) {
			if n.verifies(v.sent) {
				return &miss{r.code, v.text, r.cure}
			}
		}
	}
	if m := n.byKey(s); m != nil {
		return m
	}
	if m := n.bySignature(s); m != nil {
		return m
	}
	for i, first := range repairs {
		for _, v := range first.apply(n, s) {
			for _, second := range repairs[i+1:] {
				for _, w := range second.apply(n, v.sent) {
					if n.verifies(w.sent) {
						return &miss{first.code + "+" + second.code, v.text + "; " + w.text, first.cure + " " + second.cure}
					}
				}
			}
			if m := n.bySignature(v.sent); m != nil {
				return &miss{first.code + "+" + m.Code, v.text + "; " + m.Text, first.cure + " " + m.Cure}
			}
		}
	}
	return nil
}

// verifies reports whether the definition finds the signature of the link right.
func (n *nearest) verifies(s sent) bool {
	if n.tries++; n.tries > maxTries {
		return false
	}
	r, err := s.request()
	if err != nil {
		return false
	}
	v := n.definition.Judge(context.Background(), r, nil, n.now)
	return v.Signed()
}

// repairs are tried in this order: what happens most comes first.
var repairs = []repair{
	{
		"html_escaped", "The mail's template escapes the link twice, or a text part got HTML: write & into text parts, and &amp; once into HTML.",
		func(_ *nearest, s sent) []variant {
			return s.with("&amp; (or another HTML entity) stands in the link where a plain character belongs", html.UnescapeString(s.target))
		},
	},
	{
		"quoted_printable", "The mail's quoted-printable encoding was not undone, or was applied twice: look at Content-Transfer-Encoding.",
		func(_ *nearest, s sent) []variant {
			return s.with("=3D stands where = belongs", unquotePrintable(s.target))
		},
	},
	{
		"wrapped", "The link was broken into lines: send it as HTML, or shorten it below 76 characters.",
		func(_ *nearest, s sent) []variant {
			return s.with("a line break, a blank or a quotation mark > stands inside the link", unwrap(s.target))
		},
	},
	{
		"trailing", "What follows the link in the text became part of it: put the link on a line of its own, or between < and >.",
		func(_ *nearest, s sent) (list []variant) {
			for target := s.target; len(list) < 8; {
				short := trimTrailing(target)
				if short == target {
					return list
				}
				target = short
				list = append(list, s.with(fmt.Sprintf("%q follows the link and is no part of it", s.target[len(target):]), target)...)
			}
			return list
		},
	},
	{
		"double_encoded", "Something on the way encoded the link once more: look at redirects, click trackers and the mailer's own link rewriting.",
		func(_ *nearest, s sent) (list []variant) {
			path, raw, _ := strings.Cut(s.target, "?")
			list = s.with("a %25 stands where % belongs: the values are encoded twice", path+"?"+strings.ReplaceAll(raw, "%25", "%"))
			if decoded, err := url.PathUnescape(s.target); err == nil {
				list = append(list, s.with("the whole link is encoded once too often (%26 for &, %3D for =)", decoded)...)
			}
			return list
		},
	},
	{
		"plus", "A + in a query means a blank: encode it as %2B, and a blank as %20, where the link is made.",
		func(_ *nearest, s sent) (list []variant) {
			path, raw, _ := strings.Cut(s.target, "?")
			for _, x := range [][3]string{
				{"+", "%2B", "a + that was meant as itself is read as a blank"},
				{"%20", "%2B", "a + that was meant as itself became %20"},
				{"%2B", "+", "a blank became %2B"},
				{"%2b", "+", "a blank became %2b"},
				{"%2B", "%20", "a blank became %2B"},
			} {
				list = append(list, s.with(x[2], path+"?"+strings.ReplaceAll(raw, x[0], x[1]))...)
			}
			return list
		},
	},
	{
		"tracking", "A mailer or a social network appended parameters that the signature does not cover: name them with `ignore`, as in `ignore utm_* fbclid`.",
		func(n *nearest, s sent) []variant { return n.withoutExtras(s) },
	},
	{
		"duplicate", "A parameter stands in the link twice; which of them the backend takes is a guess, so the gateway refuses: let the mailer write it once.",
		func(n *nearest, s sent) []variant { return n.withoutDuplicates(s) },
	},
	{
		"scheme", "Signer and gateway disagree about http and https: sign the URL that people open, and see that TLS ends at Caddy.",
		func(_ *nearest, s sent) []variant {
			other := map[string]string{"http": "https", "https": "http"}[s.scheme]
			v := variant{s, "the link was signed for " + other + ", and came over " + s.scheme}
			v.scheme = other
			return []variant{v}
		},
	},
	{
		"host", "Signer and gateway disagree about the host: sign the name that people open, and redirect other names before they are mailed.",
		func(n *nearest, s sent) []variant { return n.otherHosts(s) },
	},
	{
		"slash", "A slash was added or lost at the end of the path, mostly by a redirect: sign the path that people open.",
		func(_ *nearest, s sent) []variant {
			path, raw, has := strings.Cut(s.target, "?")
			other := path + "/"
			text := "the path was signed with a slash at its end"
			if short, ok := strings.CutSuffix(path, "/"); ok {
				other, text = short, "the path was signed without the slash at its end"
			}
			if has {
				other += "?" + raw
			}
			return s.with(text, other)
		},
	},
	{
		"order", "The whole query is signed as it stands, so the order of its parameters counts: use {sorted_query} if the signer sorts, and keep what reorders off the link.",
		func(n *nearest, s sent) []variant { return n.otherOrders(s) },
	},
	{
		"method", "The method is part of what was signed.",
		func(_ *nearest, s sent) (list []variant) {
			for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodDelete} {
				v := variant{s, "the link was signed for the method " + m + ", and came with " + s.method}
				v.method = m
				list = append(list, v)
			}
			return list
		},
	},
	{
		"case", "Something changed upper and lower case: a mail filter, or a person who typed the link.",
		func(n *nearest, s sent) []variant { return n.otherCase(s) },
	},
	{
		"encoding", "The path or a value is encoded in another way than when it was signed; where signer and links disagree, use {path} and {query.NAME}, which are decoded.",
		func(_ *nearest, s sent) (list []variant) {
			path, raw, has := strings.Cut(s.target, "?")
			decoded, err := url.PathUnescape(path)
			if err != nil {
				return nil
			}
			for _, other := range []string{(&url.URL{Path: decoded}).EscapedPath(), decoded, strings.ToUpper(path), lowerEscapes(path)} {
				if has {
					other += "?" + raw
				}
				list = append(list, s.with("the path was encoded in another way when it was signed", other)...)
			}
			return list
		},
	},
}

// with returns the link with another target, if it is another.
func (s sent) with(text, target string) []variant {
	if target == s.target {
		return nil
	}
	s.target = target
	return []variant{{s, text}}
}

func unquotePrintable(target string) string {
	target = strings.NewReplacer("=\r\n", "", "=\n", "", "=%0D%0A", "", "=0D=0A", "").Replace(target)
	return strings.NewReplacer("=3D", "=", "=3d", "=", "%3D3D", "=", "=26", "&").Replace(target)
}

func unwrap(target string) string {
	return strings.NewReplacer("\r", "", "\n", "", "\t", "", " ", "", "%0D", "", "%0A", "", "%0d", "", "%0a", "", "%09", "", "%20%20", "", "%3E", "", ">", "").Replace(target)
}

// trimTrailing takes one thing off the end that mail programs leave there.
func trimTrailing(target string) string {
	for _, suffix := range []string{"%3E", "%3e", "%22", "%27", "%29", "%5D", "%2C", "%20", "%0A", "%0D", "&quot;", "&gt;", "=", "&"} {
		if short, ok := strings.CutSuffix(target, suffix); ok {
			return short
		}
	}
	if target != "" && strings.ContainsRune(".,;:!?)]}>\"'*_~\\/", rune(target[len(target)-1])) {
		return target[:len(target)-1]
	}
	return target
}

func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
}

// withoutExtras leaves out what the definition does not know: all of it, then each.
func (n *nearest) withoutExtras(s sent) (list []variant) {
	path, raw, ok := strings.Cut(s.target, "?")
	if !ok {
		return nil
	}
	own := func(segment string) bool {
		_, spelling := n.definition.Names.Classify(segment)
		return spelling != query.Other
	}
	var extras []string
	for segment := range strings.SplitSeq(raw, "&") {
		if name, _, _ := strings.Cut(segment, "="); segment != "" && !own(segment) && !slices.Contains(extras, name) {
			extras = append(extras, name)
		}
	}
	for i, name := range extras {
		if i == 64 {
			break
		}
		list = append(list, s.with(fmt.Sprintf("the parameter %q was appended after the link was signed", name), path+"?"+query.Remove(raw, name))...)
	}
	for i := 1; i < len(extras) && i < 64; i++ { // appended ones come last
		late := extras[len(extras)-1-i:]
		list = append(list, s.with(fmt.Sprintf("the parameters %q were appended after the link was signed", late), path+"?"+query.Remove(raw, late...))...)
	}
	var tracking []string
	for _, name := range extras {
		if tracks.Match(name) {
			tracking = append(tracking, name)
		}
	}
	if len(tracking) > 1 {
		list = append(list, s.with(fmt.Sprintf("the parameters %q were added after the link was signed", tracking), path+"?"+query.Remove(raw, tracking...))...)
	}
	return list
}

// tracks are the parameters that mailers and social networks are known to append.
var tracks = link.Ignore{
	"utm_*", "mtm_*", "pk_*", "fbclid", "gclid", "gbraid", "wbraid", "dclid", "msclkid", "yclid", "twclid", "igshid", "mc_cid",
	"mc_eid", "_hsenc", "_hsmi", "hsCtaTracking", "mkt_tok", "vero_*", "oly_*", "trk", "trkCampaign", "ck_subscriber_id", "_ke",
	"_kx", "email_*", "ref", "source", "s_cid", "spm", "si", "sc_*", "wt_*", "ml_subscriber*", "li_fat_id", "ttclid", "_gl", "_ga",
	"sfmc_*", "dm_i", "cid",
}

// withoutDuplicates keeps the first of each protected parameter, or the last.
func (n *nearest) withoutDuplicates(s sent) (list []variant) {
	path, raw, _ := strings.Cut(s.target, "?")
	segments := strings.Split(raw, "&")
	for _, last := range []bool{false, true} {
		seen := make(map[int]bool)
		var kept []string
		double := false
		if last {
			slices.Reverse(segments)
		}
		for _, segment := range segments {
			i, spelling := n.definition.Names.Classify(segment)
			if spelling != query.Other && (seen[i] || spelling != query.Plain) {
				double = true
				continue
			}
			seen[i] = seen[i] || spelling != query.Other
			kept = append(kept, segment)
		}
		if last {
			slices.Reverse(kept)
		}
		if double {
			list = append(list, s.with("a signed parameter stands there twice, or a second time in another spelling", path+"?"+strings.Join(kept, "&"))...)
		}
	}
	return list
}

// otherHosts are the host with and without www and port.
func (*nearest) otherHosts(s sent) (list []variant) {
	name, port := s.host, ""
	if h, p, err := net.SplitHostPort(s.host); err == nil {
		name, port = h, p
	}
	bare := strings.TrimPrefix(name, "www.")
	hosts := []string{name, strings.ToLower(s.host), strings.ToLower(name), bare, "www." + bare, name + ":443", name + ":80", name + ":8080"}
	if port != "" {
		hosts = append(hosts, net.JoinHostPort(bare, port), net.JoinHostPort("www."+bare, port))
	}
	for _, h := range hosts {
		if h == s.host {
			continue
		}
		v := variant{s, "the link was signed for the host " + h + ", and came to " + s.host}
		v.host = h
		list = append(list, v)
	}
	return list
}

// otherOrders are the parameters sorted, and in every order where they are few.
func (*nearest) otherOrders(s sent) (list []variant) {
	path, raw, _ := strings.Cut(s.target, "?")
	segments := strings.Split(raw, "&")
	if len(segments) < 2 {
		return nil
	}
	add := func(order []string) {
		list = append(list, s.with("the parameters stood in another order when they were signed", path+"?"+strings.Join(order, "&"))...)
	}
	sorted := slices.Sorted(slices.Values(segments))
	add(sorted)
	slices.Reverse(sorted)
	add(sorted)
	if len(segments) <= 5 {
		permute(slices.Clone(segments), 0, add)
	}
	return list
}

func permute(list []string, k int, yield func([]string)) {
	if k == len(list) {
		yield(list)
		return
	}
	for i := k; i < len(list); i++ {
		list[k], list[i] = list[i], list[k]
		permute(list, k+1, yield)
		list[k], list[i] = list[i], list[k]
	}
}

// otherCase changes the letters of the path, and of each protected parameter.
func (n *nearest) otherCase(s sent) (list []variant) {
	path, raw, has := strings.Cut(s.target, "?")
	if lower := strings.ToLower(path); has {
		list = s.with("the path was in lower case when it was signed", lower+"?"+raw)
	}
	var q query.Query
	if q.Parse(raw) != nil {
		return list
	}
	for i := range n.definition.Names.Len() {
		name := n.definition.Names.Name(i)
		p, ok := q.Find(name)
		if !ok {
			for _, p := range q.Pairs {
				if strings.EqualFold(q.RawName(p), name) {
					list = append(list, s.with(fmt.Sprintf("the parameter %q is spelled %q", name, q.RawName(p)),
						path+"?"+raw[:p.Start]+name+raw[p.Eq:])...)
				}
			}
			continue
		}
		value := q.RawValue(p)
		if value == "" {
			continue
		}
		title := strings.ToUpper(value[:1]) + strings.ToLower(value[1:])
		for _, other := range []string{strings.ToLower(value), strings.ToUpper(value), title} {
			list = append(list, s.with(fmt.Sprintf("the letters of %q had another case when it was signed", name),
				path+"?"+raw[:p.Eq+1]+other+raw[p.End:])...)
		}
	}
	return append(list, s.with("the whole query was in lower case when it was signed", path+"?"+strings.ToLower(raw))...)
}

// readBy is what a scheme makes of a link before any key is asked.
func readBy(c *definition.Scheme, s sent) (*link.Request, *link.Link, bool) {
	r, err := s.request()
	if err != nil {
		return nil, nil, false
	}
	l := new(link.Link)
	if c.Users != nil {
		l.User = string(c.User.Append(nil, r, keyedhash.Values{}))
	}
	return r, l, c.Format.Read(r, l).None()
}

// byKey looks for another key of the configuration, and another reading of the own one.
func (n *nearest) byKey(s sent) *miss {
	for _, c := range n.definition.Schemes {
		r, l, ok := readBy(c, s)
		if !ok {
			continue
		}
		for _, key := range ownKeys(c, l) {
			for _, x := range rereadings(key.Secret.Bytes()) {
				if c.Format.Verify(r, l, x.key) {
					return &miss{
						"secret", "the signer's secret is this one " + x.text,
						"Let signer and gateway read the secret in the same way: mind line breaks at the end of files, and `secret … encoding hex|base64`.",
					}
				}
			}
		}
		for _, g := range n.others {
			for _, other := range g.Definition.Schemes {
				if other == c || other.Keys == nil {
					continue
				}
				for _, key := range other.Keys.KeySet().All() {
					if c.Format.Verify(r, l, key.Secret.Bytes()) {
						return &miss{
							"other_key", "it is signed with a key of " + other.Name + " in " + g.Where() + named(key.ID),
							"The signer uses the secret of another purpose: give it the one of this scheme.",
						}
					}
				}
			}
		}
	}
	for _, g := range n.others {
		if g.Definition == n.definition {
			continue
		}
		r, err := s.request()
		if err != nil {
			return nil
		}
		if v := g.Definition.Judge(context.Background(), r, nil, n.now); v.Signed() {
			return &miss{
				"other_definition", "it is a link of " + g.Where() + ", scheme " + v.SchemeName(),
				"The link goes to a path or host of another definition: correct its path, or add that scheme to this definition.",
			}
		}
	}
	return nil
}

func named(id string) string {
	if id == "" {
		return ""
	}
	return ", key " + id
}

// ownKeys are the keys that may make the link.
func ownKeys(c *definition.Scheme, l *link.Link) []keys.Key {
	if c.Users == nil {
		return c.Keys.KeySet().All()
	}
	if secret, err := c.Users.UserKey(context.Background(), l.User); err == nil {
		return []keys.Key{{Secret: secret}}
	}
	return nil
}

// rereading is a key as another program could have read it.
type rereading struct {
	key  []byte
	text string
}

func rereadings(key []byte) (list []rereading) {
	add := func(other []byte, text string) {
		if len(other) > 0 && !bytes.Equal(other, key) {
			list = append(list, rereading{other, text})
		}
	}
	add(append(bytes.Clone(key), '\n'), "with a line break behind it")
	add(append(bytes.Clone(key), '\r', '\n'), "with a line break (CR LF) behind it")
	add(bytes.TrimSpace(key), "without the blanks at its ends")
	add(append(bytes.Clone(key), ' '), "with a blank behind it")
	if b, err := hex.DecodeString(string(key)); err == nil {
		add(b, "decoded from hex")
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := e.DecodeString(string(key)); err == nil {
			add(b, "decoded from base64")
		}
		add([]byte(e.EncodeToString(key)), "as base64 text")
	}
	add([]byte(hex.EncodeToString(key)), "as hex text")
	add(bytes.ToLower(key), "in lower case")
	add(bytes.ToUpper(key), "in upper case")
	return list
}

// bySignature compares the signature that came with the right one: cut off, changed in
// case, or made by another algorithm. It looks at the difference and never shows either.
func (n *nearest) bySignature(s sent) *miss {
	for _, c := range n.definition.Schemes {
		signer, ok := c.Format.(link.Signer)
		if !ok || len(c.Description.Signature) == 0 {
			continue
		}
		name := c.Description.Signature[0]
		r, l, ok := readBy(c, s)
		for pad := 1; !ok && pad <= 5; pad++ { // a token that is cut cannot be read
			path, raw, _ := strings.Cut(s.target, "?")
			padded := sent{s.method, s.scheme, s.host, path + "?" + padParameter(raw, name, pad), s.clientIP}
			r, l, ok = readBy(c, padded)
		}
		if !ok {
			continue
		}
		original, err := s.request()
		if err != nil {
			continue
		}
		given, there := original.Value(name)
		if !there || given == "" {
			continue
		}
		for _, key := range ownKeys(c, l) {
			grant := link.Grant{User: l.User, Claims: l.Claims, KeyID: key.ID}
			if at, present, ok := l.Issued.Time(); present && ok {
				grant.Now = at
			}
			target, err := signer.Sign(r, grant, key.Secret.Bytes())
			if err != nil {
				continue
			}
			_, raw, _ := strings.Cut(target, "?")
			var q query.Query
			if q.Parse(raw) != nil {
				continue
			}
			p, _ := q.Find(name)
			if m := compare(name, given, query.Unescape(q.RawValue(p))); m != nil {
				return m
			}
			if m := otherAlgorithm(given, key.Secret.Bytes(), func(k []byte) []byte { return signer.AppendMessage(nil, r, l, k) }); m != nil {
				return m
			}
		}
	}
	return nil
}

// padParameter appends letters to the value of the parameter.
func padParameter(raw, name string, n int) string {
	var q query.Query
	if q.Parse(raw) != nil {
		return raw
	}
	p, ok := q.Find(name)
	if !ok {
		return raw
	}
	return raw[:p.End] + strings.Repeat("A", n) + raw[p.End:]
}

// compare says how the given signature differs from the right one.
func compare(name, given, right string) *miss {
	switch {
	case len(given) < len(right) && len(given)*2 >= len(right) && strings.HasPrefix(right, given):
		return &miss{
			"cut", fmt.Sprintf("the end of the link is missing: %q has %d of its %d characters", name, len(given), len(right)),
			"The link was cut, by a line break or by a mail program that takes a - or . at the end for punctuation: send it as HTML, or put another parameter behind the signature.",
		}
	case strings.HasPrefix(given, right):
		return &miss{
			"trailing", fmt.Sprintf("%d characters too many stand behind %q", len(given)-len(right), name),
			"What follows the link in the text became part of it: put the link on a line of its own, or between < and >.",
		}
	case strings.EqualFold(given, right):
		return &miss{
			"case", fmt.Sprintf("upper and lower case of %q were changed", name),
			"Something changed the case of the signature. If your signer writes hexadecimal in upper case, write `encoding hex any_case`.",
		}
	}
	if plain(given) == plain(right) {
		return &miss{
			"encoding", fmt.Sprintf("%q is written in another base64 alphabet, or its + became blanks", name),
			"Write the signature in base64url, or encode + as %2B; say `encoding base64` or `encoding base64url` as the signer has it.",
		}
	}
	return nil
}

// plain unifies the alphabets of base64, for comparison only.
func plain(s string) string {
	return strings.TrimRight(strings.NewReplacer("+", "-", " ", "-", "/", "_").Replace(s), "=")
}

// otherAlgorithm looks for an algorithm and an encoding that make the signature of the
// same message.
func otherAlgorithm(given string, key []byte, message func(key []byte) []byte) *miss {
	bare := message(nil)
	texts := []struct {
		text  string
		bytes []byte
	}{
		{"", message(key)},
		{", over the secret and then the message", append(bytes.Clone(key), bare...)},
		{", over the message and then the secret", append(bytes.Clone(bare), key...)},
	}
	for _, prefix := range []string{"", "hmac-"} {
		for _, digest := range []string{"md5", "sha1", "sha256", "sha384", "sha512"} {
			algorithm, err := keyedhash.ParseAlgorithm(prefix + digest)
			if err != nil {
				continue
			}
			for _, name := range []string{"hex", "base64", "base64url"} {
				encoding, err := keyedhash.ParseEncoding(name, name == "hex")
				if err != nil {
					continue
				}
				mac, err := keyedhash.NewMAC(algorithm, encoding, min(len(given), 128))
				if err != nil || len(given) < 16 {
					mac, err = keyedhash.NewMAC(algorithm, encoding, 0)
				}
				if err != nil {
					continue
				}
				for i, t := range texts {
					if i > 0 && algorithm.Keyed() {
						break
					}
					if mac.Equal(given, key, t.bytes) {
						return &miss{
							"algorithm", "the signer uses " + algorithm.String() + " in " + name + t.text,
							"Write `algorithm`, `encoding`, `truncate` and `message` as the signer has them.",
						}
					}
				}
			}
		}
	}
	return nil
}
