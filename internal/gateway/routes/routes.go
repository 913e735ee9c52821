// Package routes walks over Caddy's routes once they are loaded, and says where the
// handlers of signed_link stand in them: what answers before a guard, which definitions
// are nested in what, who else hands requests to the same backend. It is the one walk:
// the app refuses configurations by it, the command line lists and rehearses by it.
//
// It knows a handler of signed_link by the interface [Gate] only.
package routes

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Role is what a handler of signed_link is for.
type Role uint8

// The roles.
const (
	Definition Role = iota // it judges links, and guards
	Guard                  // it guards only
	Unguarded              // it says that its site is meant to be open
)

// Gate is a handler of signed_link.
type Gate interface {
	caddyhttp.MiddlewareHandler

	// Role is what the handler is for.
	Role() Role

	// Where is the place where it is written, file and line; empty where nobody knows.
	Where() string

	// Matcher is what chooses the requests of a definition.
	Matcher() caddyhttp.MatcherSets

	// CutsAuthorization reports whether requests leave it without Authorization.
	CutsAuthorization() bool

	// Moves reports whether verified requests leave it with another path than they came
	// with. The path is made of what was signed, and of what the definition says.
	Moves() bool

	// InPath reports whether links have their signature in the path, so that the path alone
	// says what is one.
	InPath() bool

	// Accepts reports whether it takes identity headers from a gateway in front of Caddy.
	Accepts() bool

	// Outputs reports whether a header of this name is the gateway's own word, and a
	// client's must not come through.
	Outputs(header string) bool

	// Identity reports whether applications take the value of the header for the user.
	Identity(header string) bool
}

// Fault is a reason for which a configuration is refused.
type Fault struct {
	Code   string // one of [Codes]
	Where  string // file and line of the handler of signed_link; may be empty
	Reason string
	Cure   string
}

// String is the fault for people.
func (f Fault) String() string {
	text := "signed_link: " + f.Reason + "; " + f.Cure
	if f.Where == "" {
		return text
	}
	return f.Where + ": " + text
}

// Finding is what an operator should know, and what is not refused.
type Finding struct {
	Code    string // one of [Codes]
	Where   string
	Message string
	Cure    string
}

// Report is what a walk has found.
type Report struct {
	Faults   []Fault
	Findings []Finding

	met       map[Gate]bool
	gates     []Gate
	entries   map[Gate][]*Entry
	ahead     map[Gate]*Ahead
	behind    map[Gate]bool
	rewritten map[Gate]bool // by the guard of error routes: they change the path
	wards     map[Gate][]Ward
	movers    map[Gate][]Gate
}

// Err is all faults in one error, or nil.
func (r *Report) Err() error {
	if len(r.Faults) == 0 {
		return nil
	}
	return &Error{r.Faults}
}

// Error is the error of a configuration with faults.
type Error struct{ Faults []Fault }

func (e *Error) Error() string {
	if len(e.Faults) == 1 {
		return e.Faults[0].String()
	}
	lines := make([]string, 0, len(e.Faults)+1)
	lines = append(lines, strconv.Itoa(len(e.Faults))+" faults:")
	for _, f := range e.Faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// Met reports whether the walk came to the handler.
func (r *Report) Met(g Gate) bool { return r.met[g] }

// Gates are all handlers of signed_link, in the order in which they run.
func (r *Report) Gates() []Gate { return r.gates }

// Entries are the definitions into which g, the first handler of signed_link of a site,
// must ask whether a reading of the path leads: they are nested in other handlers, or
// something that takes requests stands before them.
func (r *Report) Entries(g Gate) []*Entry { return r.entries[g] }

// Ahead is what stands around the definition that changes which path it should judge.
func (r *Report) Ahead(g Gate) *Ahead { return r.ahead[g] }

// Behind reports whether g stands right behind another gate, wherever it was met, so that
// whatever comes to it has been cleaned by that one, and by nobody changed since.
func (r *Report) Behind(g Gate) bool { return r.behind[g] }

// Rewritten reports whether error routes behind g change the path, so that a request which
// failed elsewhere comes to any page of the application.
func (r *Report) Rewritten(g Gate) bool { return r.rewritten[g] }

// recordRewritten looks for a rewrite in the error routes of a site.
func (r *Report) recordRewritten(s *site) {
	for i := range s.steps {
		if h, _ := rewriteOf(s, i); h == nil || s.steps[i].place != onErrors {
			continue
		}
		for j := range s.steps {
			if g := s.steps[j].gate(); g != nil && s.steps[j].place == onErrors {
				r.rewritten[g] = true
			}
		}
		return
	}
}

func (r *Report) recordBehind(g Gate, behind bool) {
	if before, met := r.behind[g]; met {
		behind = behind && before
	}
	r.behind[g] = behind
}

// Walk walks over the routes of all servers, which must be provisioned.
func Walk(servers map[string]*caddyhttp.Server) *Report {
	report := &Report{met: make(map[Gate]bool), entries: make(map[Gate][]*Entry), ahead: make(map[Gate]*Ahead), behind: make(map[Gate]bool), rewritten: make(map[Gate]bool), wards: make(map[Gate][]Ward), movers: make(map[Gate][]Gate)}
	sites := make([]*site, 0, len(servers))
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		sites = append(sites, sitesOf(name, servers[name], report)...)
	}
	for _, s := range sites {
		report.judge(s)
		report.recordRewritten(s)
		report.recordMovers(s)
	}
	report.judgeNeighbours(sites)
	report.recordWards(sites)
	report.tidy()
	return report
}

// tidy drops what was said twice: a named route that several sites invoke is met in each.
func (r *Report) tidy() {
	seen := make(map[string]bool)
	r.Faults = slices.DeleteFunc(r.Faults, func(f Fault) bool {
		again := seen[f.String()]
		seen[f.String()] = true
		return again
	})
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
		key := f.Code + "\n" + f.Where + "\n" + f.Message
		again := seen[key]
		seen[key] = true
		return again
	})
}

func (r *Report) refuse(code, where, reason, cure string) {
	r.Faults = append(r.Faults, Fault{code, where, reason, cure})
}

func (r *Report) find(code, where, message, cure string) {
	r.Findings = append(r.Findings, Finding{code, where, message, cure})
}

// Entry is a definition that a request does not reach by its path as sent, although the
// backend may read the path as one of the definition's.
type Entry struct {
	Gate  Gate
	site  caddyhttp.MatcherSets // of hosts; nil: all
	way   chain
	taken []chain // of what stands before it and takes requests
}

// Here reports whether the definition is one of the site that the request is for.
func (e *Entry) Here(r *http.Request) (bool, error) {
	if e.site == nil {
		return true, nil
	}
	return e.site.AnyMatchWithError(r)
}

// Reached reports whether the request comes to the definition.
func (e *Entry) Reached(r *http.Request) (bool, error) {
	reached, err := e.way.leads(r)
	if !reached || err != nil {
		return false, err
	}
	for _, taker := range e.taken {
		if taken, err := taker.leads(r); taken || err != nil {
			return false, err
		}
	}
	return true, nil
}

// Leads reports whether the request would come down to the definition, and is one that
// its matcher matches, if nothing stood before it.
func (e *Entry) Leads(r *http.Request) (bool, error) {
	if matches, err := e.Gate.Matcher().AnyMatchWithError(r); !matches || err != nil {
		return false, err
	}
	return e.way.leads(r)
}

// level is a route on the way to a handler.
type level struct {
	list    *caddyhttp.Route // the first route of its list, which tells lists apart
	index   int              // of the route in its list
	group   string
	matcher caddyhttp.MatcherSets
	elder   []caddyhttp.MatcherSets // of earlier routes of its group: the first that matches takes the request
}

// chain is the way to a handler, from the server's own routes downwards.
type chain []level

// leads reports whether the request goes down the chain.
func (c chain) leads(r *http.Request) (bool, error) {
	for _, l := range c {
		for _, elder := range l.elder {
			if matches, err := elder.AnyMatchWithError(r); matches || err != nil {
				return false, err
			}
		}
		if matches, err := l.matcher.AnyMatchWithError(r); !matches || err != nil {
			return false, err
		}
	}
	return true, nil
}

// within reports whether the chain is the upper part of the other.
func (c chain) within(other chain) bool {
	if len(c) > len(other) {
		return false
	}
	for i := range c {
		if c[i].list != other[i].list || c[i].index != other[i].index {
			return false
		}
	}
	return true
}

// leadsTo reports whether the other stands in the list in which the chain ends, not before
// it, or below that.
func (c chain) leadsTo(other chain) bool {
	n := len(c) - 1
	return n >= 0 && len(other) > n && c[:n].within(other) && other[n].list == c[n].list && other[n].index >= c[n].index
}

// excludes reports whether no request goes down both chains: they part in one group, of
// which Caddy takes the first route that matches.
func (c chain) excludes(other chain) bool {
	for i := range min(len(c), len(other)) {
		a, b := c[i], other[i]
		if a.list != b.list {
			return false
		}
		if a.index != b.index {
			return a.group != "" && a.group == b.group
		}
	}
	return false
}
