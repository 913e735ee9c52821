package adversary

import (
	"maps"
	"slices"
	"strings"
)

// object is one of JSON.
type object = map[string]any

// sitesOf reads the sites out of a configuration: for each server, what each host gets, and
// what stands outside of all hosts.
func sitesOf(config any) (sites []*Site) {
	servers, _ := at(config, "apps", "http", "servers").(object)
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		named, _ := at(servers[name], "named_routes").(object)
		bare := make(map[string][]any) // routes by host; "" for those of no host
		hosts := []string{}
		for _, route := range list(at(servers[name], "routes")) {
			for _, host := range hostsOf(route) {
				if !slices.Contains(hosts, host) {
					hosts = append(hosts, host)
				}
				bare[host] = append(bare[host], route)
			}
		}
		for _, host := range hosts {
			s := &Site{Server: name, Host: strings.ReplaceAll(host, "*", "any")}
			if host == "" {
				s.Host = "nobody.knows.this"
			}
			if strings.ContainsAny(s.Host, "{}") {
				continue
			}
			w := &reader{site: s, named: named}
			for _, route := range bare[host] {
				w.route(route, above{clear: true})
			}
			for _, route := range list(at(servers[name], "errors", "routes")) {
				w.mention(route, 0)
			}
			sites = append(sites, s)
		}
	}
	return sites
}

// hostsOf are the hosts that a route of a server is for.
func hostsOf(route any) (hosts []string) {
	for _, set := range list(at(route, "match")) {
		hosts = append(hosts, strs(at(set, "host"))...)
	}
	if len(hosts) == 0 {
		return []string{""}
	}
	return hosts
}

// reader reads one site.
type reader struct {
	site  *Site
	named object
	depth int
}

// above is what stands above a handler.
type above struct {
	clear bool     // nothing but paths and hosts selects what comes here
	paths []string // nil: all
}

func (w *reader) route(route any, up above) {
	w.mention(at(route, "match"), 0)
	here := up
	if sets := list(at(route, "match")); len(sets) > 0 {
		paths, clear := literal(sets)
		switch {
		case !clear:
			here.clear = false
		case paths != nil && up.paths == nil:
			here.paths = paths
		case paths != nil:
			here.clear = false // one below the other: whoever wrote it knows
		}
	}
	if g, _ := at(route, "group").(string); g != "" && len(list(at(route, "match"))) == 0 {
		here.clear = false // what its siblings leave over
	}
	for _, h := range list(at(route, "handle")) {
		w.handler(h, here)
	}
}

func (w *reader) handler(h any, up above) {
	s := w.site
	w.mention(h, 0)
	switch kind, _ := at(h, "handler").(string); kind {
	case "signed_link":
		if open, _ := at(h, "unguarded").(bool); open {
			s.open = true
			return
		}
		s.guarded = true
		w.definition(h, up)
	case "subroute":
		for _, route := range list(at(h, "routes")) {
			w.route(route, up)
		}
	case "invoke":
		name, _ := at(h, "name").(string)
		if route := w.named[name]; route != nil && w.depth < 8 {
			w.depth++
			w.route(route, up)
			w.depth--
		}
	case "rewrite": // what stands behind it sees another path
	case "reverse_proxy":
		for _, upstream := range list(at(h, "upstreams")) {
			if dial, _ := at(upstream, "dial").(string); dial != "" {
				s.dials = append(s.dials, dial)
			}
		}
	}
}

// definition notes what a definition that refuses protects, where that is plain.
func (w *reader) definition(h any, up above) {
	if guard, _ := at(h, "guard").(bool); guard {
		return
	}
	mode, _ := at(h, "mode").(string)
	missing, _ := at(h, "missing").(string)
	if mode == "recognize" || mode == "observe" || missing == "pass" {
		return
	}
	profile, _ := at(h, "backend").(string)
	paths, clear := literal(list(at(h, "match")))
	switch {
	case !clear || !up.clear:
		return
	case paths == nil && up.paths == nil:
		paths = []string{"/*"}
	case paths == nil:
		paths = up.paths
	case up.paths != nil:
		return
	}
	for _, p := range paths {
		w.site.protected = append(w.site.protected, pattern{text: p, profile: profile})
	}
}

// literal returns the plain paths that matchers accept, and whether they accept nothing
// but those; nil for all paths.
func literal(sets []any) (paths []string, clear bool) {
	for _, set := range sets {
		m, _ := set.(object)
		for name := range m {
			if name != "path" && name != "host" {
				return nil, false
			}
		}
		these := strs(m["path"])
		if these == nil {
			return nil, true
		}
		for _, p := range these {
			if strings.ContainsAny(strings.TrimSuffix(p, "*"), "*%") || !strings.HasPrefix(p, "/") {
				return nil, false
			}
			paths = append(paths, p)
		}
	}
	return paths, true
}

// mention notes every path in a piece of the configuration.
func (w *reader) mention(x any, depth int) {
	if depth > 64 {
		return
	}
	switch x := x.(type) {
	case string:
		if strings.HasPrefix(x, "/") && len(x) < 64 && !slices.Contains(w.site.mentions, x) {
			w.site.mentions = append(w.site.mentions, x)
		}
	case []any:
		for _, y := range x {
			w.mention(y, depth+1)
		}
	case object:
		for _, name := range slices.Sorted(maps.Keys(x)) {
			switch name {
			case "root", "dial", "schemes", "origin":
			default:
				w.mention(x[name], depth+1)
			}
		}
	}
}

// outputs are the headers that the definitions of a configuration set.
func outputs(x any) []string {
	names := []string{"X-Verified-User", "X-Verified-Scheme", "X-Verified-Key-Id", "X-Verified-Mailing"}
	var walk func(x any)
	walk = func(x any) {
		switch x := x.(type) {
		case []any:
			for _, y := range x {
				walk(y)
			}
		case object:
			if x["handler"] == "signed_link" {
				for _, h := range list(x["request_headers"]) {
					if name, _ := at(h, "name").(string); name != "" && !slices.Contains(names, name) {
						names = append(names, name)
					}
				}
			}
			for _, y := range x {
				walk(y)
			}
		}
	}
	walk(x)
	return names
}

// at follows names into objects.
func at(x any, names ...string) any {
	for _, name := range names {
		m, ok := x.(object)
		if !ok {
			return nil
		}
		x = m[name]
	}
	return x
}

func list(x any) []any {
	l, _ := x.([]any)
	return l
}

func strs(x any) (out []string) {
	for _, y := range list(x) {
		if s, ok := y.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
