package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// line is a line of a Caddyfile, with its block if it has one.
type line struct {
	text  string
	block bool
	body  []*line
}

// parseLines reads lines; a block begins at the end of a line and ends with a line of its
// own.
func parseLines(text string) ([]*line, error) {
	root := &line{}
	open := []*line{root}
	for s := range strings.Lines(text) {
		s = strings.TrimSpace(s)
		within := open[len(open)-1]
		switch {
		case s == "" || strings.HasPrefix(s, "#"):
		case s == "}":
			if len(open) == 1 {
				return nil, errors.New("a block ends that did not begin")
			}
			open = open[:len(open)-1]
		case s == "{" || strings.HasSuffix(s, " {"):
			l := &line{text: strings.TrimSpace(strings.TrimSuffix(s, "{")), block: true}
			within.body = append(within.body, l)
			open = append(open, l)
		default:
			within.body = append(within.body, &line{text: s})
		}
	}
	if len(open) > 1 {
		return nil, fmt.Errorf("the block of %q has no end", open[len(open)-1].text)
	}
	return root.body, nil
}

func mustParse(text string) []*line {
	lines, err := parseLines(text)
	if err != nil {
		panic(fmt.Sprintf("%v:\n%s", err, text))
	}
	return lines
}

func cloneLines(lines []*line) []*line {
	copied := make([]*line, len(lines))
	for i, l := range lines {
		copied[i] = &line{l.text, l.block, cloneLines(l.body)}
	}
	return copied
}

func writeLines(b *strings.Builder, lines []*line, indent string) {
	for _, l := range lines {
		if !l.block {
			b.WriteString(indent + l.text + "\n")
			continue
		}
		b.WriteString(indent + strings.TrimSpace(l.text+" {") + "\n")
		writeLines(b, l.body, indent+"\t")
		b.WriteString(indent + "}\n")
	}
}

func textOf(lines []*line) string {
	var b strings.Builder
	writeLines(&b, lines, "")
	return b.String()
}

// hasLine tells whether a line begins with the words.
func hasLine(lines []*line, words string) bool {
	return slices.ContainsFunc(lines, func(l *line) bool {
		return l.text == words || strings.HasPrefix(l.text, words+" ") || hasLine(l.body, words)
	})
}

// countLines is how many lines begin with the words.
func countLines(lines []*line, words string) (n int) {
	for _, l := range lines {
		if l.text == words || strings.HasPrefix(l.text, words+" ") {
			n++
		}
		n += countLines(l.body, words)
	}
	return n
}

// without are the lines less those that begin with the word.
func without(lines []*line, word string) (rest []*line) {
	for _, l := range lines {
		if l.text != word && !strings.HasPrefix(l.text, word+" ") {
			rest = append(rest, &line{l.text, l.block, without(l.body, word)})
		}
	}
	return rest
}

// configuration is a drawn one: a Caddyfile, and what its operator means by it. In the
// Caddyfile PROXY stands for what hands requests to the backend, ROOT and ADDRESS for
// where that is.
type configuration struct {
	shape    string
	backend  string
	profile  string
	mode     string
	kind     string
	protects string // what the definition protects; one of the keys of protectable
	options  []*line
	sites    []*line
}

// protectable is what definitions protect: its honest addresses, and whether it has
// answered.
var protectable = map[string][]string{
	"app":           {"/app/login", "/app", "/app/x/y"},
	"below":         {"/app/login", "/app/x/y"}, // and not /app itself
	"login":         {"/app/login"},
	"autologin.php": {"/autologin.php"},
	"dir/index.php": {"/dir/index.php"},

	"plain/login.phtml": {"/plain/login.phtml"},
	"plain/login.phar":  {"/plain/login.phar"},

	"page": {}, // where links in the path lead to; kinds say which

	"none": {}, // a definition that stands where the path is another one
}

func (c *configuration) clone() *configuration {
	copied := *c
	copied.options, copied.sites = cloneLines(c.options), cloneLines(c.sites)
	return &copied
}

func (c *configuration) site(name string) *line {
	for _, l := range c.sites {
		if l.text == name {
			return l
		}
	}
	return nil
}

// has tells whether a line of any site begins with the words.
func (c *configuration) has(words string) bool { return hasLine(c.sites, words) }

// write is what Caddy loads.
func (c *configuration) write(b *backend) (options, sites string) {
	return textOf(c.options), b.fill(textOf(c.sites))
}

// open is the configuration without this module: what runs there is what an honest request
// may run.
func (c *configuration) open() *configuration {
	o := *c
	o.options, o.sites = without(c.options, "order signed_link"), without(c.sites, "signed_link")
	return &o
}

// fill writes the backend into the Caddyfile.
func (b *backend) fill(text string) string {
	var out strings.Builder
	for s := range strings.Lines(text) {
		words := strings.Fields(s)
		if len(words) > 0 && words[0] == "PROXY" {
			matcher, block := strings.CutSuffix(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(s), "PROXY")), "{")
			tail := ""
			if block {
				tail = " {"
			}
			if matcher = strings.TrimSpace(matcher); matcher != "" {
				matcher += " "
			}
			if b.root != "" {
				fmt.Fprintf(&out, "root %s\nphp_fastcgi %s%s%s\n", b.root, matcher, b.watch.address, tail)
			} else {
				fmt.Fprintf(&out, "reverse_proxy %s%s%s\n", matcher, b.watch.address, tail)
			}
			continue
		}
		out.WriteString(strings.NewReplacer("ROOT", b.root, "ADDRESS", b.watch.address).Replace(s))
	}
	return out.String()
}

// smaller are the configuration less one line, or one block without its head.
func (c *configuration) smaller() iter.Seq[*configuration] {
	return func(yield func(*configuration) bool) {
		for of := range 2 {
			list := func(c *configuration) *[]*line {
				if of == 0 {
					return &c.sites
				}
				return &c.options
			}
			for n := range count(*list(c)) {
				for _, hoist := range []bool{false, true} {
					try := c.clone()
					at := n
					if edit(list(try), &at, hoist) && try.proxied() == c.proxied() && !yield(try) {
						return
					}
				}
			}
		}
	}
}

// proxied tells whether the site with the definition still has a backend: without one it
// guards nothing.
func (c *configuration) proxied() bool {
	text := textOf(c.site("SITE1").body)
	return strings.Contains(text, "PROXY") || strings.Contains(text, "ADDRESS")
}

func count(lines []*line) (n int) {
	for _, l := range lines {
		n += 1 + count(l.body)
	}
	return n
}

// needed is what lines begin with without which a definition would not be met, or would
// read another link: what shows then says nothing.
var needed = []string{"@m", "path /", "signature {path", "user {link", "user {path", "param {link", "param {path", "expires {link", "algorithm ", "message ", "output ", "format ", "wrap ", "fields", "request>", "resp_headers ", "scheme ", "invoke ", "&(", "token ", "name ", "user none", "secret ", "vars ", "map ", "~^/app ", "default ", "methods "}

func isNeeded(l *line) bool {
	return isDefinition(l) || slices.ContainsFunc(needed, func(p string) bool { return strings.HasPrefix(l.text, p) })
}

func holdsNeeded(l *line) bool { return isNeeded(l) || slices.ContainsFunc(l.body, holdsNeeded) }

// edit drops line n, or its head. A definition stays, and so does what names a site.
func edit(lines *[]*line, n *int, hoist bool) bool {
	for i, l := range *lines {
		if *n == 0 {
			switch {
			case !hoist && l.text == "SECURE1":
				*lines = slices.Concat((*lines)[:i], (*lines)[i+1:])
				return true
			case isNeeded(l), hoist && !l.block, hoist && (strings.HasPrefix(l.text, "SITE") || l.text == "SECURE1"), !hoist && slices.ContainsFunc(l.body, holdsNeeded):
				return false
			case hoist:
				*lines = slices.Concat((*lines)[:i], l.body, (*lines)[i+1:])
			default:
				*lines = slices.Concat((*lines)[:i], (*lines)[i+1:])
			}
			return true
		}
		*n--
		if inner := count(l.body); *n < inner {
			return edit(&l.body, n, hoist)
		} else {
			*n -= inner
		}
	}
	return false
}

// isDefinition tells whether the line is a definition, and no guard.
func isDefinition(l *line) bool {
	return l.block && strings.HasPrefix(l.text, "signed_link ") && !strings.Contains(l.text, " guard")
}

// definitions is how many there are.
func definitions(lines []*line) (n int) {
	for _, l := range lines {
		if isDefinition(l) {
			n++
		}
		n += definitions(l.body)
	}
	return n
}

// specimen is a violation of a drawn configuration, as a file of testdata/drawn has it.
type specimen struct {
	rule, what string
	*configuration
	request *request
}

// String is the file.
func (f *specimen) String() string {
	text, err := json.Marshal(f.request)
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	for _, pair := range [][2]string{
		{"rule", f.rule},
		{"what", strings.ReplaceAll(f.what, "\n", " ")},
		{"shape", f.shape},
		{"backend", f.backend},
		{"profile", f.profile},
		{"mode", f.mode},
		{"kind", f.kind},
		{"protects", f.protects},
		{"request", string(text)},
	} {
		b.WriteString("# " + pair[0] + ": " + pair[1] + "\n")
	}
	writeLines(&b, []*line{{"", true, f.options}}, "")
	writeLines(&b, f.sites, "")
	return b.String()
}

// parseSpecimen reads the file.
func parseSpecimen(text string) (*specimen, error) {
	f := &specimen{configuration: &configuration{}}
	to := map[string]*string{
		"rule": &f.rule, "what": &f.what, "shape": &f.shape, "backend": &f.backend, "profile": &f.profile,
		"mode": &f.mode, "kind": &f.kind, "protects": &f.protects,
	}
	for s := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(s, "\n"), "# "), ": ")
		if !ok || !strings.HasPrefix(s, "# ") {
			continue
		}
		if to[name] != nil {
			*to[name] = value
		}
		if name == "request" {
			f.request = new(request)
			if err := json.Unmarshal([]byte(value), f.request); err != nil {
				return nil, err
			}
		}
	}
	lines, err := parseLines(text)
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 || lines[0].text != "" {
		return nil, errors.New("the global options come first, in a block")
	}
	f.options, f.sites = lines[0].body, lines[1:]
	switch {
	case f.request == nil:
		return nil, errors.New("there is no request")
	case protectable[f.protects] == nil:
		return nil, fmt.Errorf("unknown: protects %q", f.protects)
	case kindOf(f.kind) == nil:
		return nil, fmt.Errorf("unknown kind %q", f.kind)
	}
	return f, nil
}
