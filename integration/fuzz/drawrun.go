package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

const (
	requestsDrawn = 48 // to one configuration
	drawWorkers   = 3
	shrinkLimit   = 15 * time.Second
)

var (
	// drawnBackends are the applications of a default run, and moreBackends those of a full
	// one.
	drawnBackends = []string{"fpm", "front", "pathinfo", "symfony", "tomcat"}
	moreBackends  = []string{"slim", "laravel", "jetty", "apache", "mod_php", "url", "url-twice"}
)

// drawing is one run with drawn configurations.
type drawing struct {
	*run
	list []*backend
	old  bool

	configurations, refused, loaded, requests atomic.Int64
	once                                      atomic.Int64 // violations that did not show again

	mu      sync.Mutex
	reasons map[string]int // of refusals, by shape
	first   map[string]int64
	hits    map[string]int
	shown   []*specimen
}

// worker is a gateway, and one that serves the same sites without this module.
type worker struct {
	*drawing
	gateway, open *gateway.Reloadable
	three         map[*gateway.Reloadable]*gateway.RawHTTP3
}

// drawAll draws configurations until the time is over, and returns what it has found.
func drawAll(ctx context.Context, t testing.TB, c config) []*specimen {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	d := &drawing{
		run:     &run{config: c, id: fmt.Sprintf("%04x", os.Getpid()&0xFFFF)},
		old:     c.surface == surfaceOld,
		reasons: make(map[string]int), first: make(map[string]int64), hits: make(map[string]int),
	}
	if d.corpus, err = readCorpus(root); err != nil {
		t.Fatal(err)
	}
	corpus := filepath.Join(root, "integration", "fuzz", "testdata", "drawn")
	if c.replays != "" {
		corpus = c.replays
	}
	kept, err := readSpecimens(corpus)
	if err != nil {
		t.Fatal(err)
	}
	d.list = startBackends(t, c.backends)
	workers := make([]*worker, 0, drawWorkers)
	for range drawWorkers {
		w := &worker{drawing: d, gateway: gateway.StartReloadable(t, c.caddy, secrets), open: gateway.StartReloadable(t, c.caddy, nil)}
		w.three = map[*gateway.Reloadable]*gateway.RawHTTP3{w.gateway: w.gateway.RawHTTP3(t, "SECURE1"), w.open: w.open.RawHTTP3(t, "SECURE1")}
		workers = append(workers, w)
	}
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.duration)
	defer cancel()
	if c.replays != "" || c.only < 0 && len(c.shapes) == len(shapes) {
		for _, s := range kept {
			if err := workers[0].replayed(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	if c.replays != "" {
		d.tell(time.Since(started))
		return d.shown
	}
	var group sync.WaitGroup
	failed := make([]error, len(workers))
	for i, w := range workers {
		group.Go(func() { failed[i] = w.work(ctx) })
	}
	group.Wait()
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	d.tell(time.Since(started))
	return d.shown
}

func (w *worker) work(ctx context.Context) error {
	for ctx.Err() == nil {
		n := uint64(w.next.Add(1) - 1)
		if w.only >= 0 {
			if n > 0 {
				return nil
			}
			n = uint64(w.only)
		}
		if w.cases > 0 && n >= w.cases {
			return nil
		}
		if err := w.one(n); err != nil {
			return fmt.Errorf("configuration %d of seed %d: %w", n, w.seed, err)
		}
	}
	return nil
}

// load has the gateway take the configuration.
func (w *worker) load(g *gateway.Reloadable, options, sites string) (refused, said string, err error) {
	w.three[g].Forget() // where no site has TLS, its connections are lost without a word
	return g.Load(options, sites)
}

// one draws configuration n, and requests to it.
func (w *worker) one(n uint64) error {
	c, b := draw(w.seed, n, w.shapes, w.list, w.profiles, w.modes, w.kinds, w.mismatch, w.old)
	w.configurations.Add(1)
	options, sites := c.write(b)
	refused, said, err := w.load(w.gateway, options, sites)
	if err != nil {
		return err
	}
	if w.only >= 0 {
		fmt.Fprintf(w.out, "%s%s\nrefused: %s\nsaid: %s\n", textOf([]*line{{"", true, c.options}}), textOf(c.sites), refused, said)
	}
	if refused != "" {
		w.refused.Add(1)
		w.count(c, refused)
		return nil
	}
	w.loaded.Add(1)
	for i := range uint64(requestsDrawn) {
		q := c.request(w.seed, n, i, w.corpus)
		for _, v := range w.ask(w.gateway, c, b, q) {
			if excused(v.Rule, said) || w.without != nil && w.without.MatchString(v.Rule) {
				continue
			}
			if !w.steady(c, b, q, v.Rule) {
				w.once.Add(1)
				continue
			}
			if ok, err := w.stands(c, b, q, v.Rule); err != nil || !ok {
				if err != nil {
					return err
				}
				continue
			}
			if !w.isNew(c, v) {
				continue
			}
			if err := w.shrink(c, b, q, v); err != nil {
				return err
			}
			// what was shrunk is loaded; what was drawn comes back
			if _, _, err := w.load(w.gateway, options, sites); err != nil {
				return err
			}
		}
	}
	if strings.Contains(w.gateway.Said(), `"msg":"http: panic`) {
		w.keep(&specimen{"panic", "the gateway panicked", c, &request{Method: "GET", Path: "/", Site: "SITE1"}})
	}
	return nil
}

// confirmed is how often a violation must show in a row. The first connections after a
// reload may end at the configuration before it, on a busy machine more than one of them;
// and over HTTP/3, where a connection is kept, all requests of such a one do. So each time
// has a connection of its own, and comes a while after the one before.
const confirmed = 6

// steady tells whether the rule is broken whenever the request is sent.
func (w *worker) steady(c *configuration, b *backend, q *request, rule string) bool {
	for range confirmed {
		time.Sleep(settling)
		w.three[w.gateway].Forget()
		if !slices.ContainsFunc(w.ask(w.gateway, c, b, q), func(again violation) bool { return again.Rule == rule }) {
			return false
		}
	}
	return true
}

// settling is how long a gateway is given to leave the configuration before.
const settling = 150 * time.Millisecond

// ask sends the request and judges the answer.
func (w *worker) ask(g *gateway.Reloadable, c *configuration, b *backend, q *request) []violation {
	id := w.newID()
	w.requests.Add(1)
	a, err := w.send(g, q, id)
	reached := b.watch.take(id)
	b.watch.takeTrailers()
	if w.only >= 0 {
		fmt.Fprintf(w.out, "%s %s\n  %v\n", q.Site, q, err)
		if a != nil {
			fmt.Fprintf(w.out, "  %d %v\n  %s\n", a.Status, a.Header, a.Body)
		}
	}
	if (err != nil || a == nil) && q.Honest { // a machine may be busy
		a, err = w.send(g, q, id)
		reached = b.watch.take(id)
	}
	if err != nil || a == nil {
		if q.Honest {
			return []violation{{honestRule(q), fmt.Sprintf("an honest link has no answer: %v", err)}}
		}
		return nil // HTTP/2 and HTTP/3 break off what is no request
	}
	found := c.judge(w.run, b, q, a, reached, w.old)
	if what := c.inLog(g, q, a, id); what != "" {
		found = append(found, violation{"log", what})
	}
	return found
}

func (w *worker) send(g *gateway.Reloadable, q *request, id string) (*answer, error) {
	var r *gateway.Response
	var err error
	switch {
	case q.H3:
		r, err = w.three[g].Send(q.fields("https", id), []byte(q.Body), q.trailers())
	case q.H2:
		r, err = gateway.SendHTTP2(g.Address(q.Site), q.fields("http", id), []byte(q.Body[:min(len(q.Body), maxBody)]), q.trailers())
	default:
		var all []*gateway.Response
		method, _, _ := strings.Cut(string(q.Method), " ")
		if all, err = gateway.SendHTTP1(g.Address(q.Site), method, closing(q.http1(id)), false); len(all) > 0 {
			r = all[len(all)-1]
		}
	}
	if r == nil {
		return nil, err
	}
	return &answer{r.Status, r.Header, r.Body}, err
}

// closing has the connection end with the answer, unless the request says itself what
// becomes of it.
func closing(text []byte) []byte {
	s := string(text)
	if strings.Contains(strings.ToLower(s), "\r\nconnection:") {
		return text
	}
	if head, rest, ok := strings.Cut(s, "\r\n"); ok {
		return []byte(head + "\r\nConnection: close\r\n" + rest)
	}
	return text
}

// stands tells whether a violation says anything about this module: where an honest request
// is refused, or something fails, it must not be so without the module.
func (w *worker) stands(c *configuration, b *backend, q *request, rule string) (bool, error) {
	if class(rule) != "honest" && rule != "failure" {
		return true, nil
	}
	open := c.open()
	options, sites := open.write(b)
	refused, _, err := w.load(w.open, options, sites)
	if err != nil || refused != "" {
		return false, err
	}
	if q.Honest {
		q = q.clone()
		q.Path = kindOf(c.kind).movedTo(q.Path)
	}
	for range confirmed {
		a, err := w.send(w.open, q, w.newID())
		if err != nil || a == nil {
			return false, nil //nolint:nilerr // then it is not this module's
		}
		if rule == "failure" {
			if a.Status == http.StatusInternalServerError {
				return false, nil
			}
		} else if s := decodeSeen(a); s == nil || !c.ran(s) {
			return false, nil
		}
	}
	return true, nil
}

// everywhere are rules that are broken alike wherever a definition stands: one specimen says
// all.
var everywhere = []string{"identity", "authorization", "session", "override", "getallheaders identity"}

// class is what a rule has in common for all places in which it is broken.
func class(rule string) string {
	word, _, _ := strings.Cut(rule, " ")
	return word
}

// isNew tells whether there is anything to learn from another violation of the kind, and
// counts it.
func (w *worker) isNew(c *configuration, v violation) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	of := c.shape + ": " + class(v.Rule)
	if slices.Contains(everywhere, v.Rule) {
		of = "any: " + v.Rule
	}
	w.hits[of]++
	if w.hits[of] == 1 {
		w.first[of] = w.requests.Load()
	}
	return w.hits[of] <= w.each
}

// shrink drops from the configuration and the request what the violation does not need.
func (w *worker) shrink(c *configuration, b *backend, q *request, v violation) error {
	deadline := time.Now().Add(shrinkLimit)
	drawn := &specimen{v.Rule, v.What, c, q}
	shows := func(c *configuration, q *request) (what string, ok bool) {
		if q.H3 && c.site("SECURE1") == nil {
			return "", false // nobody listens
		}
		options, sites := c.write(b)
		refused, said, err := w.load(w.gateway, options, sites)
		if err != nil || refused != "" || excused(v.Rule, said) {
			return "", false
		}
		for _, other := range w.ask(w.gateway, c, b, q) {
			if other.Rule == v.Rule {
				ok, err := w.stands(c, b, q, v.Rule)
				return other.What, ok && err == nil
			}
		}
		return "", false
	}
	if q.H3 {
		plain := q.clone()
		plain.H3 = false
		if what, ok := shows(c, plain); ok {
			q, v.What = plain, what
		}
	}
	for smaller := true; smaller && time.Now().Before(deadline); {
		smaller = false
		for try := range c.smaller() {
			if what, ok := shows(try, q); ok {
				c, v.What, smaller = try, what, true
				break
			}
		}
	}
	options, sites := c.write(b)
	if _, _, err := w.load(w.gateway, options, sites); err != nil {
		return err
	}
	for smaller := true; smaller && time.Now().Before(deadline); {
		smaller = false
		for try := range smallerRequests(q) {
			if q.Honest && !stillHonest(kindOf(c.kind), q, try) {
				continue
			}
			found := w.ask(w.gateway, c, b, try)
			if i := slices.IndexFunc(found, func(other violation) bool { return other.Rule == v.Rule }); i >= 0 {
				if ok, err := w.stands(c, b, try, v.Rule); err != nil || !ok {
					continue
				}
				q, v.What, smaller = try, found[i].What, true
				break
			}
			if time.Now().After(deadline) {
				break
			}
		}
	}
	if w.steady(c, b, q, v.Rule) {
		w.keep(&specimen{v.Rule, v.What, c, q})
	} else { // what was left out did matter
		w.keep(drawn)
	}
	return nil
}

// stillHonest tells whether the smaller request has all that is signed of the other one.
func stillHonest(k *kind, q, smaller *request) bool {
	had, has := split(q.Query), split(smaller.Query)
	for _, segment := range append([]string{"akid=" + ownAKID}, k.query...) {
		if slices.Contains(had, segment) && !slices.Contains(has, segment) {
			return false
		}
	}
	return smaller.Path == q.Path
}

// keep prints a specimen, and writes it to the folder of -save.
func (w *worker) keep(s *specimen) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shown = append(w.shown, s)
	fmt.Fprintf(w.out, "VIOLATION, seed %d, %d requests:\n%s\n", w.seed, w.requests.Load(), s)
	if w.save == "" {
		return
	}
	err := os.MkdirAll(w.save, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(w.save, fmt.Sprintf("%s-%d-%d.caddyfile", s.shape, w.seed, len(w.shown))), []byte(s.String()), 0o600)
	}
	if err != nil {
		fmt.Fprintf(w.out, "not saved: %v\n", err)
	}
}

func (w *worker) count(c *configuration, refused string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reasons[c.shape]++
	if strings.Contains(refused, "adapting config") && !strings.Contains(refused, "signed_link") {
		w.reasons["not by signed_link: "+refused[:min(len(refused), 200)]]++
	}
}

// replayed loads a specimen of the corpus and sends its request: nothing may be broken.
func (w *worker) replayed(s *specimen) error {
	i := slices.IndexFunc(w.list, func(b *backend) bool { return b.name == s.backend })
	if i < 0 {
		return nil // of a full run
	}
	options, sites := s.write(w.list[i])
	refused, said, err := w.load(w.gateway, options, sites)
	if w.replays != "" {
		fmt.Fprintf(w.out, "%s\nrefused: %s\nsaid: %s\n", s, refused, said)
	}
	if err != nil || refused != "" {
		return err
	}
	for _, v := range w.ask(w.gateway, s.configuration, w.list[i], s.request) {
		if excused(v.Rule, said) {
			continue
		}
		ok, err := w.stands(s.configuration, w.list[i], s.request, v.Rule)
		if err != nil {
			return err
		}
		switch {
		case ok && w.replays != "":
			if err := w.shrink(s.configuration, w.list[i], s.request, v); err != nil {
				return err
			}
		case ok:
			w.keep(&specimen{v.Rule, v.What, s.configuration, s.request})
		}
	}
	return nil
}

// readSpecimens reads a folder.
func readSpecimens(folder string) (all []*specimen, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.caddyfile"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s, err := parseSpecimen(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func (d *drawing) tell(took time.Duration) {
	fmt.Fprintf(d.out, "%d configurations, %d refused, %d loaded; %d requests in %v, %d violations that did not show again; seed %d\n", d.configurations.Load(), d.refused.Load(), d.loaded.Load(), d.requests.Load(), took.Round(time.Second), d.once.Load(), d.seed)
	for _, of := range slices.Sorted(maps.Keys(d.reasons)) {
		fmt.Fprintf(d.out, "refused %d: %s\n", d.reasons[of], of)
	}
	for _, of := range slices.Sorted(maps.Keys(d.hits)) {
		fmt.Fprintf(d.out, "%d violations, the first after %d requests: %s\n", d.hits[of], d.first[of], of)
	}
}
