package routes

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// maxDepth is how deep named routes may invoke each other, and maxSteps how many
// handlers a site may have with all that they invoke.
const (
	maxDepth = 32
	maxSteps = 1 << 16
)

// place says in which container of Caddy's a handler stands.
type place uint8

const (
	onTheWay   place = iota // of the request to the backend
	onErrors                // it sees requests that have failed
	onResponse              // it sees requests that a backend has answered
)

// step is one handler on the way of the requests of a site.
type step struct {
	handler caddyhttp.MiddlewareHandler
	kind    kind
	chain   chain
	place   place
	whole   bool // every request of the site comes here that nothing before has answered
	guarded bool // a gate runs on every request that comes here
	swallow bool // what it refuses may go on
	root    root // of files and scripts, here
}

func (s *step) gate() Gate {
	g, _ := s.handler.(Gate)
	return g
}

// site are the routes of one host, or of a server that asks for none, unfolded: the
// handlers in the order in which they run.
type site struct {
	server string
	hosts  []string // none: all others
	picks  caddyhttp.MatcherSets
	listen []string
	steps  []step
	groups []groupUse
	early  map[int]bool // steps that were refused for standing before the first gate
	loops  []string     // named routes that come back to themselves

	last int // the steps from here on are the server's error routes

	endless bool // there are more steps than are looked at
	lost    bool // a route that Caddy does not load has a handler of signed_link in it
}

// groupUse is a route of a group, as it was met. Groups count for the whole request: of two
// lists that name theirs alike, the routes of the second are skipped if one of the first
// has matched. Caddy's adapter does so with named routes.
type groupUse struct {
	name  string
	list  *caddyhttp.Route
	chain chain
	at    int // of the step that comes next
}

// name is the site for people. Sites of one host may differ in their port.
func (s *site) name() string {
	ports := make([]string, 0, len(s.listen))
	for _, text := range s.listen {
		if network, err := caddy.ParseNetworkAddress(text); err == nil && network.StartPort != 0 {
			ports = append(ports, ":"+strconv.FormatUint(uint64(network.StartPort), 10))
		}
	}
	port := strings.Join(ports, " ")
	if len(s.hosts) == 0 {
		return "the site " + cmp.Or(port, s.server) + " of all other hosts"
	}
	if port == ":80" || port == ":443" {
		port = ""
	}
	return "the site " + strings.Join(s.hosts, ", ") + port
}

// sitesOf unfolds a server. A route that a host alone selects holds a site; the others
// are those of the site without a host, and run before the sites behind them, too.
func sitesOf(name string, server *caddyhttp.Server, report *Report) []*site {
	var sites []*site
	rest := &unfolding{site: &site{server: name, listen: server.Listen}, server: server, report: report}
	for i := range server.Routes {
		if !selectsSite(&server.Routes[i]) {
			rest.route(server.Routes, i, true)
			continue
		}
		own := &unfolding{site: &site{server: name, listen: server.Listen, hosts: hostsOf(&server.Routes[i]), picks: server.Routes[i].MatcherSets}, server: server, report: report}
		own.site.steps, own.site.groups = slices.Clone(rest.site.steps), slices.Clone(rest.site.groups)
		own.guarded, own.root = rest.guarded, rest.root
		own.route(server.Routes, i, true)
		if !server.Routes[i].Terminal {
			for j := i + 1; j < len(server.Routes); j++ {
				if !selectsSite(&server.Routes[j]) {
					own.route(server.Routes, j, true)
				}
			}
		}
		own.site.last = len(own.site.steps)
		sites = append(sites, own.site)
	}
	rest.site.last = len(rest.site.steps)
	if server.Errors != nil {
		// Caddy runs them for requests, too, that it refuses before all routes.
		errors := &unfolding{site: rest.site, server: server, report: report, place: onErrors}
		errors.routes(server.Errors.Routes, false)
	}
	sites = append(sites, rest.site)
	// A named route that nothing invokes is loaded as well. What stands in it does
	// nothing, and is no fault.
	idle := &unfolding{site: &site{server: name}, server: server, report: report}
	for _, name := range slices.Sorted(maps.Keys(server.NamedRoutes)) {
		idle.routes(caddyhttp.RouteList{*server.NamedRoutes[name]}, false)
	}
	return sites
}

// selectsSite reports whether the route's matchers say which site it is, and no more.
func selectsSite(route *caddyhttp.Route) bool {
	hosts := false
	for _, set := range route.MatcherSets {
		if len(set) == 0 {
			return false
		}
		for _, m := range set {
			if !isHost(m) {
				return false
			}
			hosts = true
		}
	}
	return hosts
}

func isHost(m any) bool {
	switch m.(type) {
	case caddyhttp.MatchHost, *caddyhttp.MatchHost:
		return true
	}
	return false
}

func hostsOf(route *caddyhttp.Route) (hosts []string) {
	for _, set := range route.MatcherSets {
		for _, m := range set {
			switch m := m.(type) {
			case caddyhttp.MatchHost:
				hosts = append(hosts, m...)
			case *caddyhttp.MatchHost:
				hosts = append(hosts, *m...)
			}
		}
	}
	return hosts
}

// unconditional reports whether the route takes every request that comes to it.
func unconditional(route *caddyhttp.Route) bool {
	if route.Group != "" {
		return false
	}
	return len(route.MatcherSets) == 0 || slices.ContainsFunc(route.MatcherSets, func(set caddyhttp.MatcherSet) bool { return len(set) == 0 })
}

// unfolding is the walk through one site.
type unfolding struct {
	site    *site
	server  *caddyhttp.Server
	report  *Report
	place   place
	guarded bool
	root    root
	chain   chain
	invoked []string // named routes that are under way

	swallows int // subroutes with error routes, which let what was refused go on
}

// routes walks a list of routes in order. whole says whether every request of the site
// comes here.
func (u *unfolding) routes(list caddyhttp.RouteList, whole bool) {
	for i := range list {
		u.route(list, i, whole)
	}
}

func (u *unfolding) route(list caddyhttp.RouteList, i int, whole bool) {
	route := &list[i]
	always := unconditional(route)
	here := *u
	here.chain = append(slices.Clip(u.chain), level{
		list: &list[0], index: i, group: route.Group, matcher: route.MatcherSets, elder: elders(list, i),
	})
	if route.Group != "" {
		u.site.groups = append(u.site.groups, groupUse{route.Group, &list[0], here.chain, len(u.site.steps)})
	}
	for _, text := range route.HandlersRaw {
		if bytes.Contains(text, []byte(`"signed_link"`)) {
			u.site.lost = true
		}
	}
	for k, h := range route.Handlers {
		if g, is := h.(Gate); is {
			u.report.recordBehind(g, cleans(list, i, k))
		}
		here.handler(h, whole && (always || len(u.chain) == 0 && selectsSite(route)))
	}
	if always || len(u.chain) == 0 && selectsSite(route) {
		u.guarded, u.root = here.guarded, here.root
	} else if here.root != u.root {
		u.root = root{} // it depends on the request
	}
}

// cleans reports whether every request that comes to handler k of route i comes from another
// gate that has cleaned its headers, and from nowhere else, with nothing between the two.
func cleans(list caddyhttp.RouteList, i, k int) bool {
	handlers := list[i].Handlers[:k]
	if k == 0 {
		if i == 0 || !unconditional(&list[i]) || !unconditional(&list[i-1]) {
			return false
		}
		handlers = list[i-1].Handlers
	}
	if len(handlers) == 0 {
		return false
	}
	g, is := handlers[len(handlers)-1].(Gate)
	return is && g.Role() != Unguarded
}

// elders are the matchers of earlier routes of the same group.
func elders(list caddyhttp.RouteList, i int) (elder []caddyhttp.MatcherSets) {
	if list[i].Group == "" {
		return nil
	}
	for j := range i {
		if list[j].Group == list[i].Group {
			elder = append(elder, list[j].MatcherSets)
		}
	}
	return elder
}

func (u *unfolding) handler(h caddyhttp.MiddlewareHandler, whole bool) {
	if len(u.site.steps) >= maxSteps {
		u.site.endless = true
		return
	}
	if g, ok := h.(Gate); ok {
		if !u.report.met[g] {
			u.report.met[g] = true
			u.report.gates = append(u.report.gates, g)
		}
		if g.Role() == Guard || g.Role() == Definition && u.place == onTheWay {
			defer func() { u.guarded = true }()
		}
	}
	u.root = u.root.after(h)
	u.site.steps = append(u.site.steps, step{
		handler: h, kind: kindOf(h), chain: u.chain, place: u.place, whole: whole && u.place == onTheWay, guarded: u.guarded, swallow: u.swallows > 0, root: u.root,
	})
	switch h := h.(type) {
	case *caddyhttp.Subroute:
		before := *u
		if h.Errors != nil {
			u.swallows++
		}
		u.routes(h.Routes, whole)
		if h.Errors != nil {
			u.swallows--
			before.elsewhere(onErrors, h.Errors.Routes) // what failed may have seen none of them
		}
	case *caddyhttp.Invoke:
		route := u.server.NamedRoutes[h.Name]
		if route == nil {
			return // Caddy answers with an error
		}
		if len(u.invoked) == maxDepth || slices.Contains(u.invoked, h.Name) {
			u.site.loops = append(u.site.loops, h.Name)
			return
		}
		u.invoked = append(slices.Clip(u.invoked), h.Name)
		u.routes(caddyhttp.RouteList{*route}, whole)
		u.invoked = u.invoked[:len(u.invoked)-1]
	case *intercept.Intercept:
		u.responses(h.HandleResponse)
	case *reverseproxy.Handler:
		u.responses(h.HandleResponse)
	}
}

func (u *unfolding) responses(list []caddyhttp.ResponseHandler) {
	for _, response := range list {
		u.elsewhere(onResponse, response.Routes)
	}
}

// elsewhere walks routes that do not stand on the way to the backend.
func (u *unfolding) elsewhere(where place, list caddyhttp.RouteList) {
	there := *u
	if there.place == onTheWay {
		there.place = where
	}
	there.routes(list, false)
}

// what is a handler for people.
func (s *step) what() string {
	name := nameOf(s.handler)
	if proxy, ok := s.handler.(*reverseproxy.Handler); ok {
		addresses := make([]string, 0, len(proxy.Upstreams))
		for _, upstream := range proxy.Upstreams {
			addresses = append(addresses, upstream.Dial)
		}
		if isFastCGI(proxy) {
			name = "php_fastcgi"
		}
		if len(addresses) > 0 {
			name += " " + strings.Join(addresses, " ")
		}
	}
	if patterns := s.chain.shown(); patterns != "" {
		name += fmt.Sprintf(" (for %s)", patterns)
	}
	return name
}
