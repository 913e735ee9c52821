package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

// config is what to run.
type config struct {
	duration time.Duration
	seed     uint64
	backends []string
	profiles []string
	modes    []string
	kinds    []string
	save     string
	only     int64          // the only case to send; -1: all
	without  *regexp.Regexp // rules to pass over
	// mismatch runs backends behind the profiles of others.
	mismatch bool
	out      io.Writer

	// of drawn configurations
	replays string // a folder of specimens, of which alone the requests are sent
	caddy   string // the program; empty: cmd/caddy
	surface string
	shapes  []string
	cases   uint64 // how many configurations; 0: until the time is over
	each    int    // how many specimens of one shape and rule are shrunk
}

var (
	allBackends = []string{"fpm", "phps", "apache", "tomcat", "tomcat9", "front", "symfony"}
	allProfiles = []string{"strict", "php", "servlet"}
	allModes    = []string{modeRequire, modeRecognize, modeErrors, modePass, modeObserve}
)

func allKinds() (names []string) {
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// backend is an application, with the watch before it.
type backend struct {
	name    string
	php     bool
	scripts bool   // Debian's mod_php, which runs .phtml and .phar, too
	path    string // the parameter that the server makes of the path
	lenient bool   // PHP with request_order=GPC and arg_separator.input=";&"
	root    string // of php_fastcgi; empty for reverse_proxy
	watch   *watch
}

// fronts are the front controllers among the backends.
var fronts = map[string]backends.Front{
	"front": backends.FrontPlain, "symfony": backends.FrontSymfony, "pathinfo": backends.FrontPathInfo, "slim": backends.FrontSlim, "laravel": backends.FrontLaravel,
	"mod_php": backends.FrontPlain, "url": backends.FrontURL, "url-twice": backends.FrontURLTwice,
}

func startBackends(t testing.TB, names []string) (list []*backend) {
	t.Helper()
	for _, name := range names {
		switch name {
		case "fpm":
			f := backends.StartFPM(t)
			list = append(list, &backend{name: "fpm", php: true, root: f.Root, watch: newWatch(t, f.Address)})
			f = backends.StartFPM(t, backends.WithINI("request_order", "GPC"), backends.WithINI("arg_separator.input", ";&"))
			list = append(list, &backend{name: "fpm-lenient", php: true, lenient: true, root: f.Root, watch: newWatch(t, f.Address)})
		case "phps":
			list = append(list, &backend{name: "phps", php: true, watch: newWatch(t, backends.StartPHPServer(t).Address)})
		case "apache":
			list = append(list, &backend{name: "apache", php: true, watch: newWatch(t, backends.StartApache(t).Address)})
		case "tomcat":
			list = append(list, &backend{name: "tomcat", watch: newWatch(t, backends.StartTomcat(t).Address)})
		case "tomcat9":
			list = append(list, &backend{name: "tomcat9", watch: newWatch(t, backends.StartTomcat9(t).Address)})
		case "jetty":
			list = append(list, &backend{name: "jetty", watch: newWatch(t, backends.StartJetty(t).Address)})
		case "front", "symfony", "pathinfo", "slim", "laravel":
			f := backends.StartFPM(t, backends.WithFront(fronts[name]))
			list = append(list, &backend{name: name, php: true, root: f.Root, watch: newWatch(t, f.Address)})
		case "mod_php", "url", "url-twice":
			a := backends.StartApache(t, backends.WithFront(fronts[name]))
			b := &backend{name: name, php: true, scripts: true, watch: newWatch(t, a.Address)}
			if name != "mod_php" {
				b.path = "url"
			}
			list = append(list, b)
		default:
			t.Fatalf("unknown backend %q", name)
		}
	}
	return list
}

func (b *backend) proxy() string {
	if b.root != "" {
		return "root " + b.root + "\nphp_fastcgi " + b.watch.address + "\n"
	}
	return "reverse_proxy " + b.watch.address + "\n"
}

// target is one site: a definition in front of a backend.
type target struct {
	run     *run
	kind    *kind
	mode    string
	profile string
	backend *backend
	aliases bool // Caddy lets names with '_' and '.' in, and drops the others
	address string
}

func (t *target) String() string {
	return t.kind.name + " " + t.mode + " " + t.profile + " " + t.backend.name + map[bool]string{true: " aliases"}[t.aliases]
}

// names lets aliases of the gateway's headers in. Caddy then drops what is spelled
// with hyphens.
const names = "expected_underscore_headers X_* X-Verified_* X_Verified* X-Original_* X_Verified.User X.Verified_User\n" +
	"expected_dot_headers X.* X_Verified.* X-Verified.*\n"

func (t *target) runID() string { return t.run.id }

// site is the target's Caddyfile.
func (t *target) site() string {
	mode, options, errorRoutes := t.mode, "", ""
	switch mode {
	case modePass:
		mode, options = modeRequire, "missing pass\n"
	case modeErrors:
		mode = modeRequire
		errorRoutes = "handle_errors {\nheader " + errorRoute + " \"{err.status_code} {http.signed_link.verdict}\"\n" + t.backend.proxy() + "}\n"
	}
	return "@app " + t.kind.match + "\nsigned_link @app " + mode + " " + t.kind.definition +
		options + "request_header X-Member member-{user}\nbackend " + t.profile + "\nmethods GET HEAD POST PUT PATCH DELETE OPTIONS\n}\n" +
		t.backend.proxy() + errorRoutes
}

// run is one run of the fuzzer.
type run struct {
	config
	id      string // what the ids of its requests begin with
	corpus  corpus
	targets []*target
	next    atomic.Int64
	ids     atomic.Int64

	mu       sync.Mutex
	stats    stats
	found    map[string]int // violations by what they have in common
	taken    map[string]int // findings by rule
	findings []*finding
}

type stats struct {
	requests, answers, byApplication, protected, verified, honest, refused, unanswered int
	status                                                                             map[int]int
}

const (
	batch      = 64 // cases in a row for one target
	workers    = 12
	mostShown  = 3  // of one rule
	mostFailed = 60 // findings before the run gives up

	minimiseLimit = 10 * time.Second
)

// fuzz runs the fuzzer until its time is over and returns what it has found.
func fuzz(ctx context.Context, t testing.TB, c config) []*finding {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{config: c, id: fmt.Sprintf("%04x", os.Getpid()&0xFFFF), found: make(map[string]int), taken: make(map[string]int)}
	r.stats.status = make(map[int]int)
	if r.corpus, err = readCorpus(root); err != nil {
		t.Fatal(err)
	}
	regressions, err := readFindings(filepath.Join(root, "integration", "fuzz", "testdata", "regressions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	gateways := r.start(t)

	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.duration)
	defer cancel()
	if c.only < 0 {
		r.replay(regressions)
	}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() { r.work(ctx) })
	}
	group.Wait()
	for _, g := range gateways {
		for line := range strings.Lines(g.Log()) {
			if strings.Contains(line, `"msg":"http: panic`) {
				r.report(&finding{Rule: "panic", What: raw(line[:min(len(line), 1500)])})
				break
			}
		}
	}
	r.summary(time.Since(started))
	return r.findings
}

func (r *run) start(t testing.TB) (gateways []*gateway.Gateway) {
	t.Helper()
	// What error routes see depends on all definitions of a configuration: those that cover
	// every parameter have one of their own.
	type program struct{ aliases, covers, inPath bool }
	sites := make(map[program]map[string]string)
	for _, b := range startBackends(t, r.backends) {
		for _, profile := range r.profiles {
			if fits := profile == "strict" || (profile == "php") == b.php; !fits && !r.mismatch {
				continue
			}
			for _, k := range kinds {
				if !slices.Contains(r.kinds, k.name) || k.onlyPHP && !b.php {
					continue
				}
				for _, mode := range r.modes {
					if k.inPath() && (mode == modeRecognize || mode == modeObserve) {
						continue // it does not load; and the page is internal to the other sites
					}
					for _, aliases := range []bool{false, true} {
						if aliases && k.name != "user" {
							continue // what the guard does to headers is the same for all
						}
						target := &target{run: r, kind: k, mode: mode, profile: profile, backend: b, aliases: aliases}
						r.targets = append(r.targets, target)
						p := program{aliases, k.covers, k.inPath()}
						if sites[p] == nil {
							sites[p] = make(map[string]string)
						}
						sites[p][target.String()] = target.site()
					}
				}
			}
		}
	}
	if len(r.targets) == 0 {
		t.Fatal("no backend has one of these profiles")
	}
	// so that the gateway's own bounds are met, not Caddy's
	const servers = "max_header_size 1MB\n"
	started := make(map[program]*gateway.Gateway)
	for p, sites := range sites {
		options := servers
		if p.aliases {
			options += names
		}
		started[p] = gateway.Start(t, gateway.Config{Env: secrets, Quiet: true, Servers: options, Sites: sites})
	}
	for _, target := range r.targets {
		target.address = started[program{target.aliases, target.kind.covers, target.kind.inPath()}].Address(target.String())
	}
	return slices.Collect(maps.Values(started))
}

// replay sends what has once found something to every target that it fits.
func (r *run) replay(regressions []*finding) {
	for _, target := range r.targets {
		c := &client{address: target.address}
		for _, f := range regressions {
			if f.Kind == target.kind.name {
				r.try(c, target, f.Request)
			}
		}
		c.close()
	}
}

// work takes batches of cases until the time is over.
func (r *run) work(ctx context.Context) {
	for ctx.Err() == nil {
		first := r.next.Add(batch) - batch
		if r.only >= 0 {
			if first = r.only; r.next.Load() != batch {
				return
			}
		}
		target := r.targets[uint64(first/batch)%uint64(len(r.targets))]
		c := &client{address: target.address}
		for i := first; i < first+batch && ctx.Err() == nil && !r.tooMany(); i++ {
			q := newGenerator(r.seed, uint64(i), target.kind, r.corpus).request()
			if r.only >= 0 {
				fmt.Fprintf(r.out, "case %d, %s: %s\n", i, target, q)
			}
			r.try(c, target, q)
			if r.only >= 0 {
				break
			}
		}
		c.close()
		if r.only >= 0 || r.tooMany() {
			return
		}
	}
}

func (r *run) tooMany() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.findings) >= mostFailed
}

func (r *run) newID() string { return fmt.Sprintf("%s%0*x", r.id, idLength-len(r.id), r.ids.Add(1)) }

// try sends the request and reports what it shows.
func (r *run) try(c *client, target *target, q *request) {
	found := r.send(c, target, q, true)
	for _, v := range found {
		if r.without != nil && r.without.MatchString(v.Rule) || !r.isNew(v, target) {
			continue
		}
		small := r.minimise(c, target, q, v)
		r.report(&finding{v.Rule, raw(v.What), target.backend.name, target.profile, target.mode, target.kind.name, target.aliases, small})
	}
}

// send sends the request and judges the answers.
func (r *run) send(c *client, target *target, q *request, count bool) (found []violation) {
	id, sentinel := r.newID(), r.newID()
	answers, err := c.send(q, id, sentinel)
	reached := target.backend.watch.take(id)
	target.backend.watch.take(sentinel)
	if err != nil && !errors.Is(err, errMalformed) {
		found = append(found, violation{"no answer", err.Error()})
	}
	for _, trailer := range target.backend.watch.takeTrailers() {
		found = append(found, violation{"trailer", fmt.Sprintf("the trailer %q left the gateway", trailer)})
	}
	seen := make([]*backends.Seen, len(answers))
	for i, a := range answers {
		var v []violation
		v, seen[i] = target.judge(q, a, id, reached && i == 0)
		found = append(found, v...)
	}
	if r.only >= 0 {
		for _, a := range answers {
			fmt.Fprintf(r.out, "%d %v\n%s\n", a.Status, a.Header, a.Body)
		}
	}
	if !count {
		return found
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.requests++
	if q.Honest {
		r.stats.honest++
	}
	if len(answers) == 0 {
		r.stats.unanswered++
	}
	for i, a := range answers {
		r.stats.answers++
		r.stats.status[a.Status]++
		if a.Header.Get("Cache-Control") == "no-store" {
			r.stats.refused++
		}
		if s := seen[i]; s != nil {
			r.stats.byApplication++
			if target.kind.protects(s) {
				r.stats.protected++
			}
			if len(trusted(s)) > 0 {
				r.stats.verified++
			}
		}
	}
	return found
}

// isNew tells whether there is anything to learn from another violation of the kind.
func (r *run) isNew(v violation, target *target) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := v.Rule + ", " + target.mode + " " + target.profile + " " + target.backend.name
	r.found[of]++
	r.taken[v.Rule]++
	return r.taken[v.Rule] <= mostShown
}
