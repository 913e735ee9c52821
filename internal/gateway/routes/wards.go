package routes

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// A definition that moves requests leads them to paths that only a verified link may lead
// to: its internal paths. A client could ask for one of them itself, in this site or in
// another one before the same backend, so each gate there has to refuse that.

// Ward is a definition whose internal paths a gate has to refuse.
type Ward struct {
	Gate   Gate
	site   caddyhttp.MatcherSets   // of hosts; nil: all
	others []caddyhttp.MatcherSets // hosts of other sites, where site is nil
	in     *site
	ahead  Ahead
	ways   []chain // from the definition to where the rewrites lead
	stands []stand // where requests of the gate come to the definition
	below  []chain // what the ways to the definition, and its own matcher, ask of the path
}

// stand is a place in which a definition stands.
type stand struct {
	site   caddyhttp.MatcherSets   // as in [Ward]
	others []caddyhttp.MatcherSets // as in [Ward]
	way    chain
	taken  []chain // of what stands before it and takes requests
}

// Here reports whether the request is one of a site of the gate in which it has to refuse
// the internal paths.
func (w *Ward) Here(r *http.Request) (bool, error) { return hereIn(w.site, w.others, r) }

func hereIn(site caddyhttp.MatcherSets, others []caddyhttp.MatcherSets, r *http.Request) (bool, error) {
	if site != nil {
		return site.AnyMatchWithError(r)
	}
	for _, other := range others {
		if is, err := other.AnyMatchWithError(r); is || err != nil {
			return false, err
		}
	}
	return true, nil
}

// Judges reports whether the request comes to the definition, if its matcher matches. Of a path
// that is internal and could be a link, too, the definition has the word only where it is
// asked: not in another site, on another method, or on an error route.
func (w *Ward) Judges(r *http.Request) (bool, error) {
	for i := range w.stands {
		if judges, err := w.stands[i].judges(r); judges || err != nil {
			return judges, err
		}
	}
	return false, nil
}

func (s *stand) judges(r *http.Request) (bool, error) {
	if here, err := hereIn(s.site, s.others, r); !here || err != nil {
		return false, err
	}
	if comes, err := s.way.leads(r); !comes || err != nil {
		return false, err
	}
	for _, taker := range s.taken {
		if taken, err := taker.leads(r); taken || err != nil {
			return false, err
		}
	}
	return true, nil
}

// Below reports whether the path is one of the definition's, whoever asks for it: method,
// host and headers are the client's own choice, and a page is as internal with another one.
func (w *Ward) Below(r *http.Request) (bool, error) {
	for _, way := range w.below {
		if leads, err := way.leads(r); leads || err != nil {
			return true, err
		}
	}
	return false, nil
}

// Ahead is what rewrites behind the gate make of a path: with `handle_path /v1/*`, a request
// for `/v1/files/x` comes to the backend as one for `/files/x`. See [Ward.Leads].
func (w *Ward) Ahead() *Ahead { return &w.ahead }

// Leads reports whether the definition could move a request to a path that such a rewrite
// makes, and it would come to where the rewrite leads: what `handle_path /api/*` hands to a
// backend of its own is no internal path of the other one. The request is a copy with that
// path.
func (w *Ward) Leads(r *http.Request) (bool, error) {
	for _, way := range w.ways {
		if leads, err := way.leads(r); leads || err != nil {
			return leads, err
		}
	}
	return false, nil
}

// Wards are the definitions whose internal paths g has to refuse: those that move requests
// and stand in a site of g, at any place, or in another one before the same backend. g may
// be one of them. Of definitions that move nothing there is nothing to refuse, and of a
// site that is meant to be open nobody does.
func (r *Report) Wards(g Gate) []Ward { return r.wards[g] }

// mover is a definition that moves requests, and where they may end.
type mover struct {
	gate Gate
	ends []target
	ways []chain // to the ends, behind it; an empty one is always open

	stands []stand // of which site is not said
}

// detour is a rewrite, and where what it makes may end.
type detour struct {
	at     int
	change change
	ends   []target
	why    string // nobody can say what it makes of a path
}

// recordWards records the wards of all gates.
func (r *Report) recordWards(sites []*site) {
	movers := make(map[*site][]mover)
	servers := make(map[string][]*site)
	found := false
	for _, s := range sites {
		movers[s] = s.movers(0, len(s.steps))
		servers[s.server] = append(servers[s.server], s)
		found = found || len(movers[s]) > 0
	}
	if !found {
		return
	}
	for _, s := range sites {
		for _, of := range servers[s.server] { // its error routes are those of the server
			if of != s {
				movers[of] = append(movers[of], s.movers(s.last, len(s.steps))...)
			}
		}
	}
	for _, s := range sites {
		w := warding{report: r, sites: sites, servers: servers, movers: movers, in: s}
		w.gates([]*site{s}, 0, s.last)
		w.gates(servers[s.server], s.last, len(s.steps))
	}
	var lists [][]Ward
	for _, g := range r.gates {
		if len(r.wards[g]) == 0 {
			continue
		}
		wards := merged(r.wards[g])
		// Gates that refuse the same share one list: who has looked it through on a request
		// has looked it through for all.
		if at := slices.IndexFunc(lists, func(known []Ward) bool { return slices.EqualFunc(known, wards, sameWard) }); at >= 0 {
			wards = lists[at]
		} else {
			lists = append(lists, wards)
		}
		r.wards[g] = wards
	}
}

// warding is the look for the wards of the gates that were met in one site.
type warding struct {
	report  *Report
	sites   []*site
	servers map[string][]*site
	movers  map[*site][]mover
	in      *site
}

// gates looks for the wards of the gates among some steps, to which requests of these
// sites come.
func (w *warding) gates(of []*site, from, to int) {
	var ends []target
	for i := from; i < to; i++ {
		if step := &w.in.steps[i]; step.kind == forwards || step.kind == files {
			ends = append(ends, endOf(step))
		}
	}
	detours := w.in.detours(from, to)
	for i := from; i < to; i++ {
		g := w.in.steps[i].gate()
		if g == nil || g.Role() == Unguarded {
			continue
		}
		for _, s := range of {
			for _, other := range w.sites {
				for _, m := range w.movers[other] {
					if other == s || meet(ends, m.ends, theSame) {
						w.add(g, i, s, m, detours, other == s && s == w.in, other == s && i < w.in.last)
					}
				}
			}
		}
	}
}

// add records that the gate of step i refuses the mover's internal paths for requests of s;
// local says that both stand there, and judged that they run on one request.
func (w *warding) add(g Gate, i int, s *site, m mover, detours []detour, local, judged bool) {
	wards := w.report.wards[g]
	at := slices.IndexFunc(wards, func(known Ward) bool { return known.Gate == m.gate && known.in == s })
	if at < 0 {
		ward := Ward{Gate: m.gate, site: s.picks, in: s}
		if s.picks == nil {
			for _, other := range w.servers[s.server] {
				if other.picks != nil {
					ward.others = append(ward.others, other.picks)
				}
			}
		}
		at, wards = len(wards), append(wards, ward)
		w.report.wards[g] = wards
	}
	ward := &wards[at]
	own := level{matcher: of(m.gate.Matcher(), onlyAsksPath)}
	for _, st := range m.stands {
		if judged {
			st.site, st.others = ward.site, ward.others
			ward.stands = append(ward.stands, st)
		}
		ward.below = append(ward.below, append(slices.Clip(st.way.asking(onlyAsksPath)), own))
	}
	for _, d := range detours {
		step := &w.in.steps[d.at]
		if d.at <= i || step.chain.excludes(w.in.steps[i].chain) || !meet(d.ends, m.ends, mayBe) {
			continue
		}
		if d.why != "" {
			w.report.find("rewrite_unknown", m.gate.Where(), fmt.Sprintf("%s of %s leads to where this definition moves requests to, and %s: a request could come to a page there without a link",
				step.rewriting(), w.in.name(), d.why), "rewrite to literal paths, or lead those requests elsewhere")
			continue
		}
		if !slices.ContainsFunc(ward.ahead.changes, func(c change) bool { return c.handler == d.change.handler && len(c.way) == len(d.change.way) }) {
			ward.ahead.changes = append(ward.ahead.changes, d.change)
		}
		for j, end := range m.ends {
			if !meet(d.ends, []target{end}, mayBe) {
				continue
			}
			way := m.ways[j]
			if !local {
				way = nil // it has hosts of its own
			}
			ward.ways = append(ward.ways, way)
		}
	}
}

// merged are the wards, each without the question for a host where that is of no use: the
// gate stands in one site, or is to refuse the same in all of its sites.
func merged(wards []Ward) (all []Ward) {
	var sites []*site
	for i := range wards {
		if !slices.Contains(sites, wards[i].in) {
			sites = append(sites, wards[i].in)
		}
	}
	for i := range wards {
		w := wards[i]
		if at := slices.IndexFunc(all, func(known Ward) bool { return known.Gate == w.Gate && known.site == nil && known.others == nil }); at >= 0 {
			all[at].stands, all[at].below = append(all[at].stands, w.stands...), append(all[at].below, w.below...)
			continue
		}
		in, quiet := 0, true
		for j := range wards {
			if wards[j].Gate == w.Gate {
				in++
				quiet = quiet && !wards[j].ahead.Changes()
			}
		}
		if in == len(sites) && (quiet || in == 1) {
			w.site, w.others = nil, nil
		}
		all = append(all, w)
	}
	return all
}

// sameWard reports whether the two refuse the same.
func sameWard(a, b Ward) bool {
	return a.Gate == b.Gate && sameSets(a.site, b.site) && slices.EqualFunc(a.others, b.others, sameSets) && len(a.stands) == len(b.stands) &&
		slices.EqualFunc(a.ahead.changes, b.ahead.changes, func(x, y change) bool { return x.handler == y.handler && len(x.way) == len(y.way) }) &&
		len(a.ahead.remakes)+len(b.ahead.remakes) == 0 && slices.EqualFunc(a.ways, b.ways, sameChain) && slices.EqualFunc(a.below, b.below, sameChain) &&
		slices.EqualFunc(a.stands, b.stands, func(x, y stand) bool {
			return sameSets(x.site, y.site) && slices.EqualFunc(x.others, y.others, sameSets) && sameChain(x.way, y.way) && slices.EqualFunc(x.taken, y.taken, sameChain)
		})
}

// sameSets reports whether these are the matchers of one route.
func sameSets(a, b caddyhttp.MatcherSets) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// sameChain reports whether these are ways to one route.
func sameChain(a, b chain) bool {
	return slices.EqualFunc(a, b, func(x, y level) bool { return x.list == y.list && x.index == y.index })
}

// movers are the definitions among some steps that move requests.
func (s *site) movers(from, to int) (all []mover) {
	for i := from; i < to; i++ {
		g := s.steps[i].gate()
		if g == nil || g.Role() != Definition || !g.Moves() {
			continue
		}
		at := slices.IndexFunc(all, func(m mover) bool { return m.gate == g })
		if at < 0 {
			at, all = len(all), append(all, mover{gate: g})
		}
		m := &all[at]
		m.stands = append(m.stands, stand{way: s.steps[i].chain, taken: s.takers(i)})
		for _, j := range s.endsBehind(i) {
			m.ends, m.ways = append(m.ends, endOf(&s.steps[j])), append(m.ways, s.way(i, j))
		}
	}
	return all
}

// takers are the ways to what stands before a step and may take its requests.
func (s *site) takers(at int) (all []chain) {
	for i := range at {
		step := &s.steps[i]
		if (step.kind == forwards || step.kind == files) && step.place != onErrors && !step.chain.excludes(s.steps[at].chain) {
			all = append(all, step.chain)
		}
	}
	return all
}

// endsBehind are the steps from one on that hand requests to a backend, or answer with files.
// The server's error routes begin with the path as it was sent.
func (s *site) endsBehind(at int) (all []int) {
	to := len(s.steps)
	if at < s.last {
		to = s.last
	}
	for i := at + 1; i < to; i++ {
		if step := &s.steps[i]; (step.kind == forwards || step.kind == files) && !step.chain.excludes(s.steps[at].chain) {
			all = append(all, i)
		}
	}
	return all
}

// way is the way from a step to a later one, as far as nothing has changed the path.
func (s *site) way(from, to int) chain {
	way := s.steps[to].chain
	unchanged := len(way)
	for i := from + 1; i < to; i++ {
		step := &s.steps[i]
		if g := step.gate(); (step.kind == rewrites || g != nil && g.Moves()) && !step.chain.excludes(way) {
			unchanged = min(unchanged, len(way)-len(way.below(step.chain)))
		}
	}
	shared := len(way) - len(way.below(s.steps[from].chain))
	return way[min(shared, unchanged):unchanged].paths()
}

// paths is the chain with what it asks of the path alone. All else the client writes who asks
// for an internal path, and a request that was moved may have it otherwise.
func (c chain) paths() chain {
	return c.asking(func(m any) bool {
		texts, is := pathsOf(m)
		return is && !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "{") })
	})
}

// asking is the chain with those of its matchers alone.
func (c chain) asking(these func(m any) bool) chain {
	all := make(chain, 0, len(c))
	for _, l := range c {
		own := level{list: l.list, index: l.index, group: l.group, matcher: of(l.matcher, these)}
		for _, sets := range l.elder {
			kept := slices.DeleteFunc(slices.Clone(sets), func(set caddyhttp.MatcherSet) bool {
				return slices.ContainsFunc(set, func(m any) bool { return !these(m) })
			})
			if len(kept) > 0 || len(sets) == 0 {
				own.elder = append(own.elder, kept)
			}
		}
		all = append(all, own)
	}
	return all
}

// of are the sets with those matchers alone; none, if one of them has none, because then
// it may match anything.
func of(sets caddyhttp.MatcherSets, these func(m any) bool) (all caddyhttp.MatcherSets) {
	for _, set := range sets {
		kept := slices.DeleteFunc(slices.Clone(set), func(m any) bool { return !these(m) })
		if len(kept) == 0 {
			return nil
		}
		all = append(all, kept)
	}
	return all
}

// PathMatchers are the matchers with those alone that ask for nothing but the path; none,
// which match all, if they may match whatever path.
func PathMatchers(sets caddyhttp.MatcherSets) caddyhttp.MatcherSets { return of(sets, onlyAsksPath) }

// onlyAsksPath reports whether the matcher asks for the path of a request, and for nothing
// else that a client may choose.
func onlyAsksPath(m any) bool {
	if set, ok := innerOf(m); ok {
		return !slices.ContainsFunc(set, func(inner any) bool { return !onlyAsksPath(inner) })
	}
	switch matcherName(m) {
	case "path":
		texts, _ := pathsOf(m)
		return !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "{") })
	case "path_regexp":
		return true
	case "expression":
		text := jsonText(m)
		return !calls.MatchString(text) && !slices.ContainsFunc(placeholders(text), func(name string) bool {
			return !strings.Contains(name, `"`) && !readsPath(name)
		})
	}
	return false
}

// calls finds functions of an expression that ask for something else than the path.
var calls = regexp.MustCompile(`\b(method|header|header_regexp|host|query|protocol|remote_ip|client_ip|vars|vars_regexp|file|tls)\(`)

// endOf is where the step hands requests to: a backend, or a directory of files.
func endOf(s *step) target {
	if s.kind != files {
		return targetOf(s)
	}
	t := target{step: s, root: s.root, files: true}
	if h, ok := s.handler.(*fileserver.FileServer); ok && h.Root != "" && h.Root != "{http.vars.root}" {
		t.root = rootOf(h.Root, true)
	}
	return t
}

// theSame reports whether two sites lead there alike: for files, with the same root.
func theSame(a, b target) bool {
	if a.files || b.files {
		return a.files && b.files && a.root.known && a.root == b.root
	}
	return a.same(b) == same
}

// mayBe reports whether two ways of one site may lead to one place.
func mayBe(a, b target) bool {
	if a.files && b.files {
		return a.root.meets(b.root)
	}
	return a.same(b) >= unclear
}

func meet(a, b []target, is func(a, b target) bool) bool {
	for _, x := range a {
		for _, y := range b {
			if is(x, y) {
				return true
			}
		}
	}
	return false
}

// detours are the rewrites among some steps. What runs when a backend has answered is
// judged elsewhere; see [Report.judgeAnswers].
func (s *site) detours(from, to int) (all []detour) {
	for i := from; i < to; i++ {
		step := &s.steps[i]
		h, _ := rewriteOf(s, i)
		if h == nil || step.place != onTheWay && i < s.last {
			continue
		}
		d := detour{at: i, change: changeOf(h, step.chain)}
		if step.kind != rewrites {
			d.ends = []target{endOf(step)}
		} else {
			for _, j := range s.endsBehind(i) {
				d.ends = append(d.ends, endOf(&s.steps[j]))
			}
		}
		switch tries := step.chain.lookups(); {
		case len(tries) > 0 && usesLookup(h):
			// `{path}/index.php` leads from one internal path to another, and a fixed page is
			// the operator's word
			prefixed := func(try string) bool {
				head, _, asks := strings.Cut(try, "{")
				return asks && strings.Trim(head, "/") != ""
			}
			if !slices.ContainsFunc(tries, prefixed) {
				continue
			}
			d.why = "it looks files up below another path"
		case !computable(h) || !s.capturesOwn(i, h):
			d.why = "what it makes of a path cannot be computed here"
		}
		all = append(all, d)
	}
	return all
}

// capturesOwn reports whether the rewrite uses only what matchers on its own way have found.
func (s *site) capturesOwn(i int, h *rewrite.Rewrite) bool {
	own := foundOn(s.steps[i].chain, nil)
	for _, text := range texts(h) {
		if slices.ContainsFunc(placeholders(text), func(name string) bool {
			return strings.HasPrefix(name, "http.regexp.") && !own.holds(name)
		}) {
			return false
		}
	}
	return true
}
