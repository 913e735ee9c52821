package adversary

import (
	"net/url"
	"slices"
	"strings"
)

// readings are paths that a backend may make of a URI. They are made without any of the
// gateway's code, in the simplest way that a backend could do it.
func readings(uri, profile string) []string {
	raw, _, _ := strings.Cut(uri, "?")
	var all []string
	add := func(p string) {
		if !strings.HasPrefix(p, "/") {
			p = "/" + p
		}
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	if profile != "servlet" { // a front controller reads the URI as it was sent
		add(decoded(raw))
	}
	if profile != "php" { // Tomcat, Jetty
		segments := strings.Split(raw, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		add(resolved(decoded(strings.Join(segments, "/"))))
	}
	if profile != "servlet" { // PHP and its front controllers
		if rest, ok := strings.CutPrefix(raw, "//"); ok { // parse_url: a network path
			if _, path, ok := strings.Cut(rest, "/"); ok {
				add(decoded("/" + path))
			}
		}
		for _, p := range slices.Clone(all) {
			for i := range len(p) - 3 {
				if strings.EqualFold(p[i:i+4], ".php") {
					add(p[:i+4])
					if rest := strings.TrimLeft(p[i+4:], "/"); rest != "" {
						add("/" + rest)
					}
				}
			}
		}
	}
	return all
}

func decoded(raw string) string {
	if p, err := url.PathUnescape(raw); err == nil {
		return p
	}
	return raw
}

// resolved takes dot segments away, and makes one slash of several.
func resolved(p string) string {
	var kept []string
	for s := range strings.SplitSeq(p, "/") {
		switch s {
		case "", ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, s)
		}
	}
	out := "/" + strings.Join(kept, "/")
	if strings.HasSuffix(p, "/") && out != "/" {
		out += "/"
	}
	return out
}

// targets are the requests that a site gets: all that its text mentions, and spellings of
// what it protects, also through the paths that it mentions.
func targets(s *Site) []string {
	var all []string
	add := func(t string) {
		if strings.HasPrefix(t, "/") && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	add("/")
	add("/elsewhere")
	var doors []string // paths that other handlers may answer
	for _, m := range s.mentions {
		base := strings.TrimSuffix(strings.TrimSuffix(m, "*"), "/")
		if !strings.HasPrefix(base, "/") || strings.ContainsAny(base, "*{} ") {
			continue
		}
		add(base)
		add(base + "/")
		add(base + "/x")
		add(base + "x")
		doors = append(doors, base)
	}
	for _, p := range s.protected {
		exact := !strings.HasSuffix(p.text, "*")
		base := strings.TrimSuffix(strings.TrimSuffix(p.text, "*"), "/")
		if base == "" || strings.Contains(base, "*") {
			continue
		}
		name := base[1:]
		inside := base
		if !exact {
			inside = base + "/login"
		}
		for _, t := range []string{
			base, base + "/", inside, inside + "?user=mike", base + ";x", base + ";x/login", "/;x" + inside, "/x/..;" + inside, "/x/..;y" + inside, "/.;" + inside,
			"//h" + inside, "/" + inside, "//h:80" + inside, "/./" + inside[1:], "/x/.." + inside, "/x/%2e%2e" + inside, "/x/..%2f" + inside[1:], "/x%2f.." + inside,
			"/index.php" + inside, "/index.php/x/.." + inside, "/INDEX.PHP" + inside, "/index.php" + inside[1:], "/INDEX.php" + inside[1:], "/index%2ephp" + inside,
			"/index%2ephp" + inside[1:], "/%" + hex(name[0]) + inside[2:], "/%2e" + inside, strings.Replace(inside, "/", "/%2f", 1), base + "%2flogin", base + "%00", base + "%5clogin", `/x/..\` + inside[1:],
		} {
			add(t)
		}
		for _, door := range doors {
			for _, t := range []string{
				door + inside, door + "/.." + inside, door + "/..;" + inside, door + ";" + inside, door + "/%2e%2e" + inside, door + "/..%2f" + inside[1:], door + "/index.php" + inside,
				door + "//h" + inside, door + "/;x" + inside, door + "/./" + inside, door + "/x/../.." + inside, door + inside[1:], door + ";/.." + inside,
			} {
				add(t)
			}
		}
	}
	return all
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}
