package routes

import (
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// The cures, in the words of the Caddyfile.
const (
	cureGuard = "write the line `signed_link guard` as the first line of the site, outside of handle and route"
	cureOrder = "write it as the first line of the route, or leave the global option `order signed_link …` out, or set it to `order signed_link first`"
	cureTop   = "write it at the top of the site, with its matcher behind the directive"
)

// judge finds the faults of one site.
func (r *Report) judge(s *site) {
	guarding := -1 // the first gate through which every request comes
	first := -1    // the first gate at all
	for i := range s.steps {
		step := &s.steps[i]
		g := step.gate()
		if g == nil || g.Role() == Unguarded || step.place != onTheWay {
			continue
		}
		if first < 0 {
			first = i
		}
		if step.whole && guarding < 0 {
			guarding = i
		}
	}
	r.judgeUnguarded(s, first >= 0)
	r.judgePlaces(s)
	r.judgeEnds(s)
	if first < 0 {
		return
	}
	for i := first + 1; i < len(s.steps); i++ {
		if g := s.steps[i].gate(); g != nil && g.Accepts() && !s.steps[i].chain.excludes(s.steps[first].chain) {
			r.refuse("accept_too_late", g.Where(), "this guard accepts identity headers, which the first guard or definition of the request has deleted already ("+
				placeOf(s.steps[first].gate())+")", "write `signed_link guard { accept … }` as the first line of the site")
		}
	}
	s.early = r.judgeEarly(s, first, guarding)
	r.judgeUncovered(s, first)
	for i := range s.steps {
		step := &s.steps[i]
		if g := step.gate(); g != nil && g.Role() == Definition && step.place == onTheWay {
			r.judgeDefinition(s, i, guarding)
		}
	}
	r.findReaders(s)
	r.findSecondIdentity(s, first)
}

// placeOf names the place of a gate.
func placeOf(g Gate) string {
	if where := g.Where(); where != "" {
		return where
	}
	return "it stands before"
}

// judgeUnguarded refuses a site that says two things of itself.
func (r *Report) judgeUnguarded(s *site, gated bool) {
	for i := range s.steps {
		g := s.steps[i].gate()
		if g == nil || g.Role() != Unguarded {
			continue
		}
		switch {
		case !s.steps[i].whole:
			r.refuse("unguarded_misplaced", g.Where(), "`signed_link unguarded` speaks for a whole site and stands in only a part of this one",
				"write it at the top of the site, outside of handle and route")
		case gated:
			r.refuse("unguarded_misplaced", g.Where(), "`signed_link unguarded` says that the site is meant to be open, and a guard or a definition of the same site says that it is not",
				"leave one of them out")
		}
	}
}

// judgePlaces refuses definitions that come too late, or whose refusals would go on.
func (r *Report) judgePlaces(s *site) {
	for i := range s.steps {
		step := &s.steps[i]
		g := step.gate()
		if g == nil {
			continue
		}
		if step.swallow && step.place == onTheWay && g.Role() != Unguarded {
			r.refuse("swallowed_refusal", g.Where(), "this stands in a subroute with error routes of its own, behind which a request that was refused goes on to the backend",
				"move it out of that subroute, to the top of the site")
		}
		if g.Role() != Definition {
			continue
		}
		switch step.place {
		case onTheWay:
		case onErrors:
			r.refuse("late_definition", g.Where(), "this definition stands in handle_errors, which sees requests only that have failed already", cureTop)
		case onResponse:
			r.refuse("late_definition", g.Where(), "this definition stands in handle_response or intercept, which run when a backend has answered already", cureTop)
		}
	}
}

// judgeEnds refuses a site of which nobody sees the end: what stands there was not looked
// at, or never comes back.
func (r *Report) judgeEnds(s *site) {
	if len(r.gates) == 0 {
		return
	}
	where := r.gates[0].Where()
	if g := s.firstGate(); g != nil {
		where = g.Where()
	}
	for _, name := range s.loops {
		r.refuse("endless_invoke", where, fmt.Sprintf("the named route %s of %s invokes itself, at once or through others, and Caddy would never come back from it", name, s.name()),
			"take one of those invoke lines out")
	}
	if s.endless && len(s.loops) == 0 {
		r.refuse("endless_invoke", where, fmt.Sprintf("%s has more than %d handlers, with all that its named routes invoke, so that nobody can tell what stands before this one", s.name(), maxSteps),
			"have named routes invoke fewer others")
	}
	if s.lost {
		r.refuse("late_definition", where, "a signed_link of "+s.name()+" stands in error routes of a subroute without routes, which Caddy does not load, and has answered nobody", cureTop)
	}
}

// judgeEarly refuses what stands before the first guard or definition of the site, and
// hands requests on, or speaks for the gateway. It returns the steps that it refused.
func (r *Report) judgeEarly(s *site, first, guarding int) (refused map[int]bool) {
	g := s.steps[first].gate()
	refused = make(map[int]bool)
	for i := range max(first, guarding) {
		step := &s.steps[i]
		if step.place != onTheWay || step.guarded || i > first && step.kind != forwards && step.kind != asks {
			continue
		}
		if step.chain.excludes(s.steps[first].chain) && i > guarding {
			continue // judged as another site would be
		}
		switch step.kind {
		case forwards, asks:
			refused[i] = true
			r.refuse("takes_requests_first", g.Where(), fmt.Sprintf("%s of %s stands before it and takes requests that no guard has seen, with whatever X-Verified-User the client wrote",
				step.what(), s.name()), cureGuard+"; or "+cureOrder)
		case files:
			r.find("files_first", g.Where(), fmt.Sprintf("%s of %s stands before it: its files are handed out to everybody", step.what(), s.name()),
				"move it behind the definition if some of its files are for those who have a link")
		case passes:
			for _, name := range setBy(step.handler) {
				switch {
				case g.Outputs(name):
					r.refuse("sets_header_first", g.Where(), fmt.Sprintf("a handler of %s sets the header %s before it, which only a verified link may set", s.name(), name),
						"leave that line out, or choose another name")
				case g.Identity(name):
					r.find("identity_first", g.Where(), fmt.Sprintf("a handler of %s sets the header %s before it, which the guard deletes like a client's", s.name(), name),
						"set it behind the guard, with `signed_link guard` as the first line of the site")
				}
			}
		default: // it sends nothing on
		}
	}
	return refused
}

// setBy are the request headers that the handler sets.
func setBy(h caddyhttp.MiddlewareHandler) (names []string) {
	ops, ok := h.(*headers.Handler)
	if proxy, is := h.(*reverseproxy.Handler); is {
		ops, ok = proxy.Headers, proxy.Headers != nil
	}
	if !ok || ops.Request == nil {
		return nil
	}
	names = slices.Concat(slices.Collect(maps.Keys(ops.Request.Add)), slices.Collect(maps.Keys(ops.Request.Set)))
	for name := range ops.Request.Replace {
		if name != "*" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// judgeUncovered refuses ways to a guarded backend, past the guard, within one site.
func (r *Report) judgeUncovered(s *site, first int) {
	if gate := s.steps[first].gate(); gate.Role() == Definition && !s.steps[first].whole {
		return // it is refused for being nested, which is the same
	}
	covered := s.guardedTargets()
	for i := range s.steps {
		step := &s.steps[i]
		if step.guarded || step.kind != forwards || s.early[i] {
			continue
		}
		for _, t := range covered {
			if targetOf(step).same(t) >= unclear {
				r.refuse("unguarded_way", s.steps[first].gate().Where(), fmt.Sprintf("%s of %s hands requests to the same backend as this one and is not behind a guard, so a client can write X-Verified-User itself",
					step.what(), s.name()), cureGuard)
				break
			}
		}
	}
}

// guardedTargets are the backends that requests reach behind a guard, or would if what
// stands too early moved.
func (s *site) guardedTargets() (all []target) {
	for i := range s.steps {
		if step := &s.steps[i]; (step.guarded || s.early[i]) && step.kind == forwards && step.place != onErrors {
			all = append(all, targetOf(step))
		}
	}
	return all
}

// judgeDefinition judges what stands around a definition, and records what the guard must
// ask about it.
func (r *Report) judgeDefinition(s *site, at, guarding int) {
	d := &s.steps[at]
	g := d.gate()
	if !d.whole && !d.guarded {
		r.refuse("nested_definition", g.Where(), "this definition is nested in other handlers, so requests for the rest of the site would reach "+
			"the backend with whatever X-Verified-User the client wrote", cureGuard+", or write the definition itself there, with its matcher behind the directive")
		return
	}
	bounds := d.chain.bounds()
	if own, ok := pathSets(g.Matcher()); ok {
		bounds = append(bounds, own)
	}
	r.judgeGroups(s, at, bounds)
	behind := s.behind(at)
	entry := &Entry{Gate: g, site: s.picks, way: d.chain}
	for i := range at {
		step := &s.steps[i]
		// What answers for another handler before the definition (handle_response of a
		// question, or intercept) takes requests like that one.
		if step.place == onErrors || s.early[i] || step.chain.excludes(d.chain) {
			continue
		}
		asked := guarding >= 0 && guarding < i // a guard sees its requests first
		switch step.kind {
		case forwards, files:
			disjoint := apart(step.chain.bounds(), bounds)
			if disjoint && step.kind == forwards {
				t := targetOf(step)
				disjoint = asked && !slices.ContainsFunc(behind, func(b target) bool { return t.same(b) >= unclear })
			}
			switch {
			case !disjoint:
				r.refuse("takes_requests_first", g.Where(), fmt.Sprintf("%s of %s stands before it and could take its requests", step.what(), s.name()),
					"move that line behind the definition, or give both literal paths that do not overlap, such as /public/* and /app/*, and backends of their own; or "+cureOrder)
			case asked:
				entry.taken = append(entry.taken, step.chain)
			}
		case rewrites:
			if !d.whole && asked && step.place == onTheWay { // behind an answer nothing goes on
				r.refuse("rewrites_first", g.Where(), fmt.Sprintf("%s of %s changes the path before this nested definition, so that the guard cannot tell which requests come to it",
					step.rewriting(), s.name()), "write the definition before that line, or at the top of the site, with its matcher behind the directive")
			}
		default: // the request goes on, or is answered without a backend
		}
		r.judgeBlind(s, i, at, guarding)
	}
	if guarding >= 0 && (!d.whole || len(entry.taken) > 0) {
		asker := s.steps[guarding].gate()
		r.entries[asker] = append(r.entries[asker], entry)
	}
	r.recordAhead(s, at, guarding, behind)
	r.judgeAuthorization(s, at, bounds)
	r.findMatchers(s, at)
	r.findMoves(s, at)
}

// judgeBlind refuses a definition with a matcher, on the way to it or its own, that reads
// what an earlier step makes of the request: where the guard is asked before that is made,
// or where it is made of the path as sent and stays the same for a reading.
func (r *Report) judgeBlind(s *site, i, at, guarding int) {
	step, d := &s.steps[i], &s.steps[at]
	g := d.gate()
	names := captured(step, d.chain)
	made := made(step.handler).names
	below := d.chain[len(s.common(guarding, d)):]
	later := append(slices.Clone(names), made...) // what the guard does not have
	if step.remade() {
		names = nil
	} else if step.dependsOnPath() {
		names = later
	}
	switch {
	case !d.whole && guarding >= 0 && guarding <= i && readBy(later, below, g.Matcher()):
		r.refuse("blind_matcher", g.Where(), fmt.Sprintf("a matcher on the way to this nested definition reads what %s of %s makes of the request, so that the guard cannot tell which requests come to it",
			step.what(), s.name()), "match on the path itself, write that line before the guard, or write the definition at the top of the site")
	case readBy(names, below, g.Matcher()):
		r.refuse("blind_matcher", g.Where(), fmt.Sprintf("a matcher of this definition reads what %s of %s makes of the path as the client wrote it, and a backend may read that path otherwise",
			step.what(), s.name()), "match on the path itself, or on what `map` or `vars` make of it")
	}
}

// judgeGroups refuses a definition that is skipped by what its groups are taken by.
func (r *Report) judgeGroups(s *site, at int, bounds [][]pattern) {
	d := &s.steps[at]
	g := d.gate()
	for i, l := range d.chain {
		if l.group == "" {
			continue
		}
		for _, elder := range l.elder {
			if covers(elder, bounds) {
				r.refuse("shadowed_definition", g.Where(), "an earlier route of the same group takes every request of this definition, so that it is skipped: of several handle blocks the first that matches counts",
					"move its handle before that one, or give both paths that do not overlap")
				break
			}
		}
		for _, use := range s.groups {
			if use.name == l.group && use.list != l.list && use.at <= at && !use.chain.excludes(d.chain[:i+1]) && !use.chain.within(d.chain) {
				r.refuse("shadowed_definition", g.Where(), fmt.Sprintf("another list of routes of %s, before this definition, has a group of the same name (%s), and Caddy skips the definition where one of those has matched: it numbers the handle blocks of named routes on their own",
					s.name(), l.group), "write the definition at the top of the site, or before the invoke line")
				break
			}
		}
	}
}

// common is the part of its way that a step shares with the guard.
func (s *site) common(guarding int, d *step) chain {
	if guarding < 0 {
		return nil
	}
	n, chain := 0, s.steps[guarding].chain
	for n < len(d.chain) && n < len(chain) && d.chain[n].list == chain[n].list && d.chain[n].index == chain[n].index {
		n++
	}
	return d.chain[:n]
}

// behind are the backends that requests reach from a step on.
func (s *site) behind(at int) (all []target) {
	for i := at + 1; i < len(s.steps); i++ {
		step := &s.steps[i]
		if step.kind == forwards && step.place == onTheWay && !step.chain.excludes(s.steps[at].chain) {
			all = append(all, targetOf(step))
		}
	}
	return all
}

// judgeAuthorization refuses a handler that asks for a password behind a definition that
// cuts it: nobody with a link could pass.
func (r *Report) judgeAuthorization(s *site, at int, bounds [][]pattern) {
	d := &s.steps[at]
	g := d.gate()
	if !g.CutsAuthorization() {
		return
	}
	for i := at + 1; i < len(s.steps); i++ {
		step := &s.steps[i]
		if step.place != onTheWay || step.chain.excludes(d.chain) || apart(step.chain.bounds(), bounds) {
			continue
		}
		_, proxy := step.handler.(*reverseproxy.Handler)
		switch {
		case step.kind == authenticates:
			r.refuse("password_behind", g.Where(), fmt.Sprintf("basic_auth (the handler authentication) of %s stands behind this definition, which cuts Authorization from verified requests, so that nobody with a link could pass it", s.name()),
				"write `signed_link guard` as the first line of the site, and both in one route, as in `route { basic_auth { … } signed_link … }`; or give the definition `authorization keep`, if no application behind believes a password that the client chose")
		case step.kind == asks:
			r.find("authorization_cut", g.Where(), fmt.Sprintf("%s of %s stands behind this definition and does not get the Authorization of verified requests", step.what(), s.name()),
				"if it needs one, write `signed_link guard` first and both in one route, the question first; or `authorization keep`")
		case step.kind == forwards && !proxy:
			r.find("authorization_cut", g.Where(), fmt.Sprintf("the handler %s of %s stands behind this definition and does not get the Authorization of verified requests", nameOf(step.handler), s.name()),
				"if it needs one, write `authorization keep`")
		}
	}
}

// judgeNeighbours refuses sites that hand requests to a guarded backend without a guard.
func (r *Report) judgeNeighbours(sites []*site) {
	type guardedTarget struct {
		target
		gate Gate
	}
	var protected []guardedTarget
	open := make(map[string]bool) // servers with a site that is meant to be open: error routes are the server's
	for _, s := range sites {
		open[s.server] = open[s.server] || s.isOpen()
		g := s.firstGate()
		if g == nil {
			continue
		}
		for _, t := range s.guardedTargets() {
			protected = append(protected, guardedTarget{t, g})
		}
	}
	for _, p := range protected {
		r.findOwnSite(sites, p.target, p.gate)
	}
	for _, s := range sites {
		if s.firstGate() != nil || s.isOpen() {
			continue
		}
		for i := range s.steps {
			step := &s.steps[i]
			if step.kind != forwards || step.guarded || step.place == onErrors && open[s.server] {
				continue
			}
			t := targetOf(step)
			closest, by := others, guardedTarget{}
			for _, p := range protected {
				if is := t.same(p.target); is > closest {
					closest, by = is, p
				}
			}
			const cure = "write `signed_link guard` as the first line of that site; if it is meant to be open, write `signed_link unguarded` there"
			switch closest {
			case same:
				if step.place == onErrors {
					r.refuse("unguarded_site", by.gate.Where(), fmt.Sprintf("the error routes (handle_errors) of %s hand requests to the same backend (%s) and have no guard: Caddy runs them for requests, too, that it refuses before all routes",
						s.name(), step.what()), "write `signed_link guard` as the first line of the site, and not in a named route alone, and the error routes have one, too; if the site is meant to be open, write `signed_link unguarded` there")
					break
				}
				r.refuse("unguarded_site", by.gate.Where(), fmt.Sprintf("%s hands requests to the same backend (%s) and has no guard, so a client can write X-Verified-User there itself",
					s.name(), step.what()), cure)
			case neighbours:
				r.find("shared_pool", by.gate.Where(), fmt.Sprintf("%s hands requests to the same FastCGI pool (%s), with scripts of another directory, and has no guard",
					s.name(), step.what()), "if those scripts believe X-Verified-User or REMOTE_USER, too, write `signed_link guard` there")
			case unclear, alike:
				r.find("unclear_backend", by.gate.Where(), fmt.Sprintf("%s hands requests to %s, has no guard, and may reach the backend of this definition: nobody can see it in the configuration",
					s.name(), step.what()), cure)
			case others:
			}
		}
	}
}

// firstGate is the first guard or definition of the site, or nil.
func (s *site) firstGate() Gate {
	for i := range s.steps {
		if g := s.steps[i].gate(); g != nil && g.Role() != Unguarded && s.steps[i].place == onTheWay {
			return g
		}
	}
	return nil
}

// isOpen reports whether the site says that it is meant to be open.
func (s *site) isOpen() bool {
	return slices.ContainsFunc(s.steps, func(step step) bool {
		g := step.gate()
		return g != nil && g.Role() == Unguarded && step.whole
	})
}

// rewriting is a handler that changes the path, for people.
func (s *step) rewriting() string {
	if patterns := s.chain.shown(); patterns != "" {
		return "a rewrite, uri, try_files or handle_path (for " + patterns + ")"
	}
	return "a rewrite, uri, try_files or handle_path"
}
