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
			const text = "&amp; (or another HTML entity) stands in the link where a plain character belongs"
			list := s.with(text, html.UnescapeString(s.Target))
			if whole := s.Target + "#" + s.Fragment; s.Fragment != "" && html.UnescapeString(whole) != whole {
				list = append(list, s.with(text, html.UnescapeString(whole))...)
			}
			return list
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
		"quoted_printable", "The mail's quoted-printable encoding was not undone, or was applied twice: look at Content-Transfer-Encoding.",
		func(_ *search, s Link) []variant {
			joined := joinSoft(s.Target)
			list := s.with("a = at the end of a line, which joins two lines of a mail, stands inside the link", joined)
			s.Target = joined
			return append(list, s.with("=3D stands where = belongs", unquotePrintable(joined))...)
		},
	},
	{
		"wrapped", "The link was broken into lines: send it as HTML, or shorten it below 76 characters.",
		func(_ *search, s Link) []variant {
			return s.with("a line break, a blank or a quotation mark > stands inside the link", unwrap(s.Target))
		},
	},
	{
		"question_mark", "The ? that begins the query was encoded, or never written: let what appends parameters look whether the link has a query already.",
		func(_ *search, s Link) (list []variant) {
			path, raw, has := s.split()
			for _, mark := range []string{"%3F", "%3f", "&"} {
				before, after, there := strings.Cut(path, mark)
				if !there {
					continue
				}
				text := "a ? is missing: parameters stand in the path, behind " + mark
				if has {
					after += "&" + raw
				}
				list = append(list, s.with(text, before+"?"+after)...)
			}
			return list
		},
	},
	{
		"double_encoded", "Something on the way encoded the link once more: look at redirects, click trackers and the mailer's own link rewriting.",
		func(_ *search, s Link) (list []variant) {
			path, raw, _ := s.split()
			const twice = "a %25 stands where % belongs: the values are encoded twice"
			list = s.withQuery(twice, strings.ReplaceAll(raw, "%25", "%"))
			list = append(list, s.withPath(twice, strings.ReplaceAll(path, "%25", "%"))...)
			if decoded, err := url.PathUnescape(s.Target); err == nil {
				list = append(list, s.with("the whole link is encoded once too often (%26 for &, %3D for =)", decoded)...)
			}
			return list
		},
	},
	{
		"plus", "A + means a blank in a query, and itself in a path: encode it as %2B, and a blank as %20, where the link is made.",
		func(_ *search, s Link) (list []variant) {
			path, raw, _ := s.split()
			for _, x := range [][3]string{
				{"+", "%2B", "a + that was meant as itself is read as a blank"},
				{"%20", "%2B", "a + that was meant as itself became %20"},
				{"%2B", "+", "a blank became %2B"},
				{"%2b", "+", "a blank became %2b"},
				{"%2B", "%20", "a blank became %2B"},
			} {
				list = append(list, s.withQuery(x[2], strings.ReplaceAll(raw, x[0], x[1]))...)
			}
			// In a path it is itself, and form encoding, which a signer may have used, makes
			// one of a blank.
			list = append(list, s.withPath("a blank in the path became +", strings.ReplaceAll(path, "+", "%20"))...)
			return append(list, s.withPath("a + in the path became a blank", strings.ReplaceAll(path, "%20", "+"))...)
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
		"front_controller", "The path names the script that routes it, and the links that are signed do not: link to the path without it, or redirect to that.",
		func(_ *search, s Link) (list []variant) {
			path, _, _ := s.split()
			for _, script := range []string{"/index.php", "/app.php", "/app_dev.php", "/index.html", "/index.jsp"} {
				if rest, has := strings.CutPrefix(path, script); has && strings.HasPrefix(rest, "/") {
					list = append(list, s.withPath(script+" stands before the path", rest)...)
				}
			}
			return list
		},
	},
	{
		"slashes", "A slash is doubled, mostly because a base URL that ends in one was put before a path that begins with one: join them with one.",
		func(_ *search, s Link) []variant {
			path, _, _ := s.split()
			for strings.Contains(path, "//") {
				path = strings.ReplaceAll(path, "//", "/")
			}
			return s.withPath("a slash of the path is doubled", path)
		},
	},
	{
		"slash", "A slash was added or lost at the end of the path, mostly by a redirect: sign the path that people open.",
		func(_ *search, s Link) []variant {
			path, _, _ := s.split()
			if short, ok := strings.CutSuffix(path, "/"); ok {
				return s.withPath("the path was signed without the slash at its end", short)
			}
			return s.withPath("the path was signed with a slash at its end", path+"/")
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
		"encoding", "The path or a value is encoded in another way than when it was signed; where signer and links disagree, use {path}, {query.NAME} and {link.NAME}, which are decoded.",
		func(_ *search, s Link) (list []variant) {
			path, _, _ := s.split()
			decoded, err := url.PathUnescape(path)
			if err != nil {
				return nil
			}
			upper, lower := upperEscapes(path), lowerEscapes(path)
			for _, other := range []string{(&url.URL{Path: decoded}).EscapedPath(), decoded, upper, lower, escapeAll(decoded), lowerEscapes(escapeAll(decoded))} {
				list = append(list, s.withPath("the path was encoded in another way when it was signed", other)...)
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

// joinSoft undoes the soft line breaks of quoted-printable (RFC 2045, section 6.7).
func joinSoft(target string) string {
	return strings.NewReplacer("=\r\n", "", "=\n", "", "=%0D%0A", "", "=%0d%0a", "", "=%0A", "", "=%0a", "", "=0D=0A", "").Replace(target)
}

func unquotePrintable(target string) string {
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

func lowerEscapes(s string) string { return escapes(s, bytes.ToLower) }

func upperEscapes(s string) string { return escapes(s, bytes.ToUpper) }

// escapes changes the digits of the escapes.
func escapes(s string, change func([]byte) []byte) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], change(b[i+1:i+3]))
		}
	}
	return string(b)
}

// escapeAll encodes all but the unreserved characters of RFC 3986 and slashes, as PHP's
// rawurlencode and JavaScript's encodeURIComponent do with the parts of a path.
func escapeAll(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c == '/' || isUnreserved(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isUnreserved(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || strings.IndexByte("-._~", c) >= 0
}

// shownNames are names of parameters as people may see them: what looks like a signature
// without a name is not shown.
func shownNames(names []string) []string {
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = link.Shown(name)
	}
	return shown
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
		list = append(list, s.with(fmt.Sprintf("the parameter %q was appended after the link was signed", link.Shown(name)), path+"?"+query.Remove(raw, name))...)
	}
	for i := 1; i < len(extras) && i < 64; i++ { // appended ones come last
		late := extras[len(extras)-1-i:]
		list = append(list, s.with(fmt.Sprintf("the parameters %q were appended after the link was signed", shownNames(late)), path+"?"+query.Remove(raw, late...))...)
	}
	var tracking []string
	for _, name := range extras {
		if tracks.Match(name) {
			tracking = append(tracking, name)
		}
	}
	if len(tracking) > 1 {
		list = append(list, s.with(fmt.Sprintf("the parameters %q were added after the link was signed", shownNames(tracking)), path+"?"+query.Remove(raw, tracking...))...)
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
	_, raw, _ := s.split()
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
			list = append(list, s.withQuery("a signed parameter stands there twice, or a second time in another spelling", strings.Join(kept, "&"))...)
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
	_, raw, _ := s.split()
	segments := strings.Split(raw, "&")
	if len(segments) < 2 {
		return nil
	}
	add := func(order []string) {
		list = append(list, s.withQuery("the parameters stood in another order when they were signed", strings.Join(order, "&"))...)
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
	path, raw, has := s.split()
	list = append(n.otherFields(s), s.withPath("the path was in lower case when it was signed", lowerPath(path))...)
	var q query.Query
	if !has || q.Parse(raw) != nil {
		return list
	}
	for i := range n.definition.Names.Len() {
		name := n.definition.Names.Name(i)
		p, ok := q.Find(name)
		if !ok {
			for _, p := range q.Pairs {
				if strings.EqualFold(query.Unescape(q.RawName(p)), name) {
					list = append(list, s.with(fmt.Sprintf("the parameter %q is spelled %q", name, link.Shown(q.RawName(p))),
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

// lowerPath and upperPath change the letters of a path, but for its escapes.
func lowerPath(path string) string { return letters(path, bytes.ToLower) }

func upperPath(path string) string { return letters(path, bytes.ToUpper) }

func letters(s string, change func([]byte) []byte) string {
	b := []byte(s)
	for i := 0; i < len(b); i++ {
		if b[i] == '%' {
			i += 2
			continue
		}
		copy(b[i:], change(b[i:i+1]))
	}
	return string(b)
}

// otherFields changes the letters of what stands in the path of a link, one part at a time:
// the text with which it begins, and each field.
func (n *search) otherFields(s Link) (list []variant) {
	path, _, _ := s.split()
	for _, c := range n.definition.Schemes {
		carrier := c.Description.Carrier
		if carrier == nil || carrier.Link == nil {
			continue
		}
		literal := carrier.Link.Literal()
		if len(path) >= len(literal) && strings.EqualFold(path[:len(literal)], literal) {
			path = literal + path[len(literal):]
			list = append(list, s.withPath(fmt.Sprintf("the path begins with %q, and its letters had another case", literal), path)...)
		}
		fields := carrier.Link.Fields()
		values := make([]string, len(fields))
		if !carrier.Link.Split(path, values) {
			continue
		}
		for i, f := range fields {
			given, text := values[i], fmt.Sprintf("the letters of <%s> had another case when it was signed", f.Name)
			if carrier.Signature && f.Name == "signature" {
				text = "upper and lower case of the signature in the path were changed"
			}
			for _, other := range []string{lowerPath(given), upperPath(given)} {
				values[i] = other
				list = append(list, s.withPath(text, string(carrier.Link.Join(nil, values)))...)
			}
			values[i] = given
		}
	}
	return list
}
