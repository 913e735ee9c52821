package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // handlers, matchers and the Caddyfile

	_ "github.com/signedlink/caddy-signed-link" // what is measured
	"github.com/signedlink/caddy-signed-link/internal/devel/ratio"
)

// site is a Caddyfile that was loaded without opening a socket.
type site struct{ server *caddyhttp.Server }

// loadSite loads a site with these directives.
func loadSite(directives string) (*site, error) {
	text := "{\n\tadmin off\n\tauto_https off\n}\nhttp:// {\n" + directives + "\n}\n"
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, err
	}
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	c.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{WriterRaw: []byte(`{"output":"discard"}`)}}}}
	ctx, err := caddy.ProvisionContext(&c)
	if err != nil {
		return nil, err
	}
	app, err := ctx.App("http")
	if err != nil {
		return nil, err
	}
	for _, server := range app.(*caddyhttp.App).Servers {
		return &site{server}, nil
	}
	return nil, fmt.Errorf("the Caddyfile has no server")
}

// writer is a client that reads nothing but the status.
type writer struct {
	header http.Header
	status int
}

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) Write(b []byte) (int, error) { return len(b), nil }
func (w *writer) WriteHeader(status int)      { w.status = status }

// get sends the request as net/http's server would hand it on.
func (s *site) get(target string) (status int, err error) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return 0, err
	}
	w := &writer{header: make(http.Header), status: http.StatusOK}
	s.server.ServeHTTP(w, &http.Request{
		Method: http.MethodGet, URL: u, RequestURI: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": {"bench"}}, Host: "example.org", RemoteAddr: "192.0.2.1:1", Body: http.NoBody,
	})
	return w.status, nil
}

// cost is what one request takes beyond the same without the directives.
type cost struct {
	nanoseconds float64 // undisturbed
	bytes       float64 // allocated
	status      int
}

// beyond measures a request with and without the directives, by turns, for that time.
func beyond(with, without *site, target string, during time.Duration) (c cost, err error) {
	if c.status, err = with.get(target); err != nil {
		return c, err
	}
	request := func(s *site) func() { return func() { _, _ = s.get(target) } }
	end := time.Now().Add(during)
	times := ratio.Measure(request(without), request(with), func() bool { return time.Now().Before(end) })
	c.nanoseconds = max(times.Undisturbed(), 1)
	c.bytes = allocated(request(with)) - allocated(request(without))
	return c, nil
}

// allocated is how many bytes a call allocates.
func allocated(f func()) float64 {
	const calls = 50
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / calls
}

const hmacSite = `signed_link keyed_hash {env.LINK_SECRET} {
	algorithm hmac-sha256
	message {query.user}|{query.exp}
	signature {query.sig}
	expires {query.exp}
	user {query.user}
}
`

// growth measures how costs grow.
func growth(o *options) (string, error) {
	during := time.Second
	if o.quick {
		during = 100 * time.Millisecond
	}
	for name, value := range map[string]string{"LINK_SECRET": hmacSecret, "AKID_SECRET": akidSecret} {
		if err := os.Setenv(name, value); err != nil {
			return "", err
		}
	}
	var text strings.Builder
	var plots []plot
	for _, part := range []func(during time.Duration) (string, []plot, error){longQueries, manyDefinitions, manyUsers} {
		o.say("growth, part %d of 3", len(plots)+1)
		table, p, err := part(during)
		if err != nil {
			return "", err
		}
		text.WriteString(table + "\n")
		plots = append(plots, p...)
	}
	if o.write {
		if err := os.WriteFile(filepath.Join(o.dir, "growth.svg"), []byte(svg(plots)), 0o644); err != nil {
			return "", err
		}
	}
	return text.String() + "![Time as it grows](growth.svg)\n", nil
}

// longQueries are queries of many bytes, of many pairs, and made to be hard to read.
func longQueries(during time.Duration) (string, []plot, error) {
	with, err := loadSite(hmacSite + "respond 204")
	if err != nil {
		return "", nil, err
	}
	without, err := loadSite("respond 204")
	if err != nil {
		return "", nil, err
	}
	t := newTable("query in front of a link", "answer", "beyond the route without it", "a KiB", "allocated")
	link := strings.TrimPrefix(hmacLink(), "/page?")
	p := plot{title: "a query of so many KiB: time beyond the route", x: "KiB"}
	shapes := []struct {
		name string
		make func(n int) string
	}{
		{"one value", func(n int) string { return "a=" + strings.Repeat("x", n) + "&" }},
		{"ordinary pairs", func(n int) string { return strings.Repeat("name=0123456789&", n/16) }},
		{"the shortest pairs", func(n int) string { return strings.Repeat("a&", n/2) }},
		{"encoded names", func(n int) string { return strings.Repeat("%6e%61%6de%E2%84%AA=1&", n/22) }},
		{"semicolons", func(n int) string { return strings.Repeat("a=1;b=2;", n/8) + "&" }},
	}
	refused, most := true, cost{}
	for _, shape := range shapes {
		l := line{name: shape.name}
		for _, kib := range []int{1, 4, 16, 31, 64} {
			query := shape.make(kib << 10)
			extra, err := beyond(with, without, "/page?"+query+link, during)
			if err != nil {
				return "", nil, err
			}
			length := float64(len(query)+len(link)) / (1 << 10)
			t.add(fmt.Sprintf("%s, %d KiB, pairs: %d", shape.name, kib, strings.Count(query, "&")), fmt.Sprint(extra.status),
				duration(extra.nanoseconds), duration(extra.nanoseconds/length), size(extra.bytes))
			l.points = append(l.points, point{float64(kib), extra.nanoseconds})
			if kib == 64 {
				refused = refused && extra.status == http.StatusBadRequest
				most.nanoseconds, most.bytes = max(most.nanoseconds, extra.nanoseconds), max(most.bytes, extra.bytes)
			}
		}
		p.lines = append(p.lines, l)
	}
	budgets := newTable("budget", "at most", "measured", "")
	budgets.add("a hostile query of 64 KiB", "bounded, 400", fmt.Sprintf("%s and %s, 400", duration(most.nanoseconds), size(most.bytes)), kept(refused))
	return t.String() + "\n" + budgets.String(), []plot{p}, nil
}

// manyDefinitions are definitions on one site, of which the last matches, or none.
func manyDefinitions(during time.Duration) (string, []plot, error) {
	without, err := loadSite("respond 204")
	if err != nil {
		return "", nil, err
	}
	t := newTable("definitions on a site", "loaded in", "the last one matches", "no one matches", "for each that does not", "allocated where no one matches")
	matched, unmatched := line{name: "the last one matches"}, line{name: "no one matches"}
	for _, n := range []int{1, 10, 100, 1000} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "signed_link /area%d/* akid {env.AKID_SECRET}\n", i)
		}
		start := time.Now()
		with, err := loadSite(text.String() + "respond 204")
		if err != nil {
			return "", nil, err
		}
		loaded := time.Since(start)
		hit, err := beyond(with, without, fmt.Sprintf("/area%d%s", n-1, akidLink()), during)
		if err != nil {
			return "", nil, err
		}
		if hit.status != http.StatusNoContent {
			return "", nil, fmt.Errorf("the link of the last of %d definitions is answered with %d", n, hit.status)
		}
		miss, err := beyond(with, without, "/open"+akidLink(), during)
		if err != nil {
			return "", nil, err
		}
		t.add(fmt.Sprint(n), duration(float64(loaded)), duration(hit.nanoseconds), duration(miss.nanoseconds), duration(miss.nanoseconds/float64(n)), size(math.Max(miss.bytes, 0)))
		matched.points = append(matched.points, point{float64(n), hit.nanoseconds})
		unmatched.points = append(unmatched.points, point{float64(n), miss.nanoseconds})
	}
	return t.String(), []plot{{title: "so many definitions on a site: time beyond the route", x: "definitions", lines: []line{matched, unmatched}}}, nil
}

// manyUsers are users with secrets of their own, in a file.
func manyUsers(during time.Duration) (string, []plot, error) {
	without, err := loadSite("respond 204")
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(dir)
	t := newTable("users", "loaded in", "memory", "memory a user", "a request, beyond the route")
	l := line{name: "a request"}
	budgets := newTable("budget", "at most", "measured", "")
	for _, n := range []int{1, 1000, 100_000, 1_000_000} {
		file := filepath.Join(dir, fmt.Sprintf("%d.csv", n))
		var text strings.Builder
		text.WriteString("user,secret\n")
		for i := range n {
			fmt.Fprintf(&text, "%d,%032x\n", i, i)
		}
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			return "", nil, err
		}
		text.Reset()
		before := heap()
		start := time.Now()
		with, err := loadSite(strings.Replace(hmacSite, "{env.LINK_SECRET} {", "{\nuser_keys file "+file, 1) + "respond 204")
		if err != nil {
			return "", nil, err
		}
		loaded := time.Since(start)
		memory := math.Max(heap()-before, 0)
		// the links of many users, so that no one's secret stays near the processor
		var targets []string
		for i := range min(n, 10_000) {
			user := fmt.Sprint(i * (n / min(n, 10_000)))
			secret := fmt.Appendf(nil, "%032x", i*(n/min(n, 10_000)))
			targets = append(targets, "/page?user="+user+"&exp="+expires+"&sig="+hmacOf(secret, user+"|"+expires))
		}
		extra, err := beyondEach(with, without, targets, during)
		if err != nil {
			return "", nil, err
		}
		t.add(fmt.Sprint(n), duration(float64(loaded)), size(memory), size(memory/float64(n)), duration(extra))
		l.points = append(l.points, point{float64(n), extra})
		runtime.KeepAlive(with)
		if n == 1_000_000 {
			budgets.add("1,000,000 user keys in memory", "200 MB", size(memory), kept(memory <= 200e6))
			budgets.add("— loaded in", "5 s", duration(float64(loaded)), kept(loaded <= 5*time.Second))
		}
	}
	return t.String() + "\n" + budgets.String(), []plot{{title: "so many users with secrets: time beyond the route", x: "users", lines: []line{l}}}, nil
}

// beyondEach is the median of what one request to each target, in turns, takes beyond
// the same without the directives.
func beyondEach(with, without *site, targets []string, during time.Duration) (float64, error) {
	const batch = 64
	var times []float64
	i := 0
	for end := time.Now().Add(during); time.Now().Before(end); {
		some := make([]string, batch)
		for k := range some {
			some[k] = targets[i%len(targets)]
			i += 7919 // a prime, so that all get their turn
		}
		clock := func(s *site) (float64, error) {
			start := time.Now()
			for _, target := range some {
				if status, err := s.get(target); err != nil || status != http.StatusNoContent {
					return 0, fmt.Errorf("%s is answered with %d", target, status)
				}
			}
			return float64(time.Since(start)) / batch, nil
		}
		w, err := clock(with)
		if err != nil {
			return 0, err
		}
		b, err := clock(without)
		if err != nil {
			return 0, err
		}
		times = append(times, w-b)
	}
	return ratio.Median(times), nil
}

// heap is what is in use after a collection.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
