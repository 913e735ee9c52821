package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"reflect"
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

// finding is a violation with the smallest request that shows it, and one line of
// testdata/regressions.jsonl.
type finding struct {
	Rule    string   `json:"rule"`
	What    raw      `json:"what"`
	Backend string   `json:"backend"`
	Profile string   `json:"profile"`
	Mode    string   `json:"mode"`
	Kind    string   `json:"kind"`
	Aliases bool     `json:"aliases,omitempty"`
	Request *request `json:"request"`
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
	type program struct{ aliases, covers bool }
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
					for _, aliases := range []bool{false, true} {
						if aliases && k.name != "user" {
							continue // what the guard does to headers is the same for all
						}
						target := &target{run: r, kind: k, mode: mode, profile: profile, backend: b, aliases: aliases}
						r.targets = append(r.targets, target)
						p := program{aliases, k.covers}
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
		target.address = started[program{target.aliases, target.kind.covers}].Address(target.String())
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

// minimise drops from the request what the violation does not need.
func (r *run) minimise(c *client, target *target, q *request, v violation) *request {
	// names of headers are in no order: once is not always
	tries := 1
	if len(q.Headers) > 0 {
		tries = 3
	}
	link := q.Query
	deadline := time.Now().Add(minimiseLimit)
	shows := func(q *request) bool {
		if time.Now().After(deadline) || q.Honest && !isLink(target.kind, q, link) {
			return false
		}
		for range tries {
			if slices.ContainsFunc(r.send(c, target, q, false), func(other violation) bool { return other.Rule == v.Rule }) {
				return true
			}
		}
		return false
	}
	for smaller := true; smaller; {
		smaller = false
		for try := range smallerRequests(q) {
			if shows(try) {
				q, smaller = try, true
				break
			}
			if time.Now().After(deadline) {
				return q
			}
		}
	}
	return q
}

// isLink tells whether an honest link still is one.
func isLink(k *kind, q *request, from raw) bool {
	if !slices.Contains(k.paths, string(q.Path)) {
		return false
	}
	for _, segment := range append([]string{"akid=" + ownAKID}, k.query...) {
		if slices.Contains(split(from), segment) && !slices.Contains(split(q.Query), segment) {
			return false
		}
	}
	return true
}

// smallerRequests are the request less one thing.
func smallerRequests(q *request) iter.Seq[*request] {
	return func(yield func(*request) bool) {
		add := func(change func(*request)) bool {
			c := q.clone()
			change(c)
			return reflect.DeepEqual(c, q) || yield(c)
		}
		segments := split(q.Query)
		for n := len(segments) / 2; n > 0; n /= 2 {
			for i := 0; i+n <= len(segments); i += n {
				if !add(func(c *request) {
					c.Query = raw(strings.Join(slices.Delete(slices.Clone(segments), i, i+n), "&"))
					c.HasQuery = c.Query != ""
				}) {
					return
				}
			}
		}
		if q.Honest {
			return // with other bytes it may be none
		}
		for _, change := range []func(*request){
			func(c *request) { c.H2, c.H3 = false, false },
			func(c *request) { c.Body, c.Chunked, c.Trailers = "", false, nil },
			func(c *request) { c.Chunked, c.Trailers = false, nil },
			func(c *request) { c.Form = "" },
			func(c *request) { c.Version = "" },
			func(c *request) { c.Method = "GET" },
			func(c *request) { c.Headers = nil },
		} {
			if !add(change) {
				return
			}
		}
		for i := range q.Headers {
			if !add(func(c *request) { c.Headers = slices.Delete(c.Headers, i, i+1) }) {
				return
			}
		}
		// byte by byte, while that is not too much
		for _, part := range []func(*request) *raw{
			func(c *request) *raw { return &c.Path },
			func(c *request) *raw { return &c.Query },
			func(c *request) *raw { return &c.Body },
		} {
			text := *part(q)
			if len(text) > 400 {
				continue
			}
			for i := range text {
				if !add(func(c *request) { *part(c) = text[:i] + text[i+1:] }) {
					return
				}
			}
		}
	}
}

func (r *run) report(f *finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, f)
	fmt.Fprintf(r.out, "VIOLATION (%s): %s\n  kind %s, mode %s, profile %s, backend %s, aliases %t, seed %d\n", f.Rule, f.What, f.Kind, f.Mode, f.Profile, f.Backend, f.Aliases, r.seed)
	if f.Request == nil {
		return
	}
	fmt.Fprintf(r.out, "  %s\n", f.Request)
	if r.save == "" {
		return
	}
	line, err := json.Marshal(f)
	if err == nil {
		err = os.MkdirAll(r.save, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(r.save, fmt.Sprintf("%d-%d.jsonl", r.seed, len(r.findings))), append(line, '\n'), 0o600)
	}
	if err != nil {
		fmt.Fprintf(r.out, "  not saved: %v\n", err)
	}
}

// readFindings reads lines that were saved.
func readFindings(file string) (list []*finding, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		f := new(finding)
		if err := json.Unmarshal(line, f); err != nil {
			return nil, fmt.Errorf("%s: %w: %.200s", file, err, line)
		}
		list = append(list, f)
	}
	return list, nil
}

func (r *run) summary(took time.Duration) {
	s := &r.stats
	fmt.Fprintf(r.out, "%d requests in %v, %.0f a second, seed %d, %d sites\n", s.requests, took.Round(time.Second), float64(s.requests)/took.Seconds(), r.seed, len(r.targets))
	fmt.Fprintf(r.out, "%d answers: %d by an application, %d of them by the protected one, %d with an identity; %d refused by signed_link\n",
		s.answers, s.byApplication, s.protected, s.verified, s.refused)
	fmt.Fprintf(r.out, "%d honest links; %d requests that the gateway broke off; by status:", s.honest, s.unanswered)
	for _, status := range slices.Sorted(maps.Keys(s.status)) {
		fmt.Fprintf(r.out, " %d: %d", status, s.status[status])
	}
	fmt.Fprintln(r.out)
	for _, of := range slices.Sorted(maps.Keys(r.found)) {
		fmt.Fprintf(r.out, "%d violations: %s\n", r.found[of], of)
	}
}
