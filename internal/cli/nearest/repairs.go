package nearest

import (
	"bytes"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// repairs are tried in this order: what happens most comes first.
var repairs = []repair{
	{
		"html_escaped", "The mail's template escapes the link twice, or a text part got HTML: write & into text parts, and &amp; once into HTML.",
		func(_ *search, s Link) []variant {
			return s.with("&amp; (or another HTML entity) stands in the link where a plain character belongs", html.UnescapeString(s.Target))
		},
	},
	{
		"quoted_printable", "The mail's quoted-printable encoding was not undone, or was applied twice: look at Content-Transfer-Encoding.",
		func(_ *search, s Link) []variant {
			return s.with("=3D stands where = belongs", unquotePrintable(s.Target))
		},
	},
	{
		"wrapped", "The link was broken into lines: send it as HTML, or shorten it below 76 characters.",
		func(_ *search, s Link) []variant {
			return s.with("a line break, a blank or a quotation mark > stands inside the link", unwrap(s.Target))
		},
	},
	{
		"trailing", "What follows the link in the text became part of it: put the link on a line of its own, or between < and >.",
		func(_ *search, s Link) (list []variant) {
			for target := s.Target; len(list) < 8; {
				short := trimTrailing(target)
				if short == target {
					return list
				}
				target = short
				list = append(list, s.with(fmt.Sprintf("%q follows the link and is no part of it", s.Target[len(target):]), target)...)
			}
			return list
		},
	},
	{
		"double_encoded", "Something on the way encoded the link once more: look at redirects, click trackers and the mailer's own link rewriting.",
		func(_ *search, s Link) (list []variant) {
			path, raw, _ := strings.Cut(s.Target, "?")
			list = s.with("a %25 stands where % belongs: the values are encoded twice", path+"?"+strings.ReplaceAll(raw, "%25", "%"))
			if decoded, err := url.PathUnescape(s.Target); err == nil {
				list = append(list, s.with("the whole link is encoded once too often (%26 for &, %3D for =)", decoded)...)
			}
			return list
		},
	},
	{
		"plus", "A + in a query means a blank: encode it as %2B, and a blank as %20, where the link is made.",
		func(_ *search, s Link) (list []variant) {
			path, raw, _ := strings.Cut(s.Target, "?")
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
		func(n *search, s Link) []variant { return n.withoutExtras(s) },
	},
	{
		"duplicate", "A parameter stands in the link twice; which of them the backend takes is a guess, so the gateway refuses: let the mailer write it once.",
		func(n *search, s Link) []variant { return n.withoutDuplicates(s) },
	},
	{
		"scheme", "Signer and gateway disagree about http and https: sign the URL that people open, and see that TLS ends at Caddy.",
		func(_ *search, s Link) []variant {
			other := map[string]string{"http": "https", "https": "http"}[s.Scheme]
			v := variant{s, "the link was signed for " + other + ", and came over " + s.Scheme}
			v.Scheme = other
			return []variant{v}
		},
	},
	{
		"host", "Signer and gateway disagree about the host: sign the name that people open, and redirect other names before they are mailed.",
		func(n *search, s Link) []variant { return n.otherHosts(s) },
	},
	{
		"slash", "A slash was added or lost at the end of the path, mostly by a redirect: sign the path that people open.",
		func(_ *search, s Link) []variant {
			path, raw, has := strings.Cut(s.Target, "?")
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
		func(n *search, s Link) []variant { return n.otherOrders(s) },
	},
	{
		"method", "The method is part of what was signed.",
		func(_ *search, s Link) (list []variant) {
			for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodDelete} {
				v := variant{s, "the link was signed for the method " + m + ", and came with " + s.Method}
				v.Method = m
				list = append(list, v)
			}
			return list
		},
	},
	{
		"case", "Something changed upper and lower case: a mail filter, or a person who typed the link.",
		func(n *search, s Link) []variant { return n.otherCase(s) },
	},
	{
		"encoding", "The path or a value is encoded in another way than when it was signed; where signer and links disagree, use {path} and {query.NAME}, which are decoded.",
		func(_ *search, s Link) (list []variant) {
			path, raw, has := strings.Cut(s.Target, "?")
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
func (s Link) with(text, target string) []variant {
	if target == s.Target {
		return nil
	}
	s.Target = target
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
func (n *search) withoutExtras(s Link) (list []variant) {
	path, raw, ok := strings.Cut(s.Target, "?")
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
func (n *search) withoutDuplicates(s Link) (list []variant) {
	path, raw, _ := strings.Cut(s.Target, "?")
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
func (*search) otherHosts(s Link) (list []variant) {
	name, port := s.Host, ""
	if h, p, err := net.SplitHostPort(s.Host); err == nil {
		name, port = h, p
	}
	bare := strings.TrimPrefix(name, "www.")
	hosts := []string{name, strings.ToLower(s.Host), strings.ToLower(name), bare, "www." + bare, name + ":443", name + ":80", name + ":8080"}
	if port != "" {
		hosts = append(hosts, net.JoinHostPort(bare, port), net.JoinHostPort("www."+bare, port))
	}
	for _, h := range hosts {
		if h == s.Host {
			continue
		}
		v := variant{s, "the link was signed for the host " + h + ", and came to " + s.Host}
		v.Host = h
		list = append(list, v)
	}
	return list
}

// otherOrders are the parameters sorted, and in every order where they are few.
func (*search) otherOrders(s Link) (list []variant) {
	path, raw, _ := strings.Cut(s.Target, "?")
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
func (n *search) otherCase(s Link) (list []variant) {
	path, raw, has := strings.Cut(s.Target, "?")
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
