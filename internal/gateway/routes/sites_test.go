package routes_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/internal/devel/adversary"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// The tests of this file judge whole configurations: testdata/sites/README.md says how
// each states what must become of it. They know nothing of how the gateway decides: they
// load what an operator might write, and attack what loads.

// siteSecret is {env.LINK_SECRET} in testdata/sites.
const siteSecret = "4b7a1f0c9e2d8a6b5c3f7e1d0a9b8c7d"

// siteLink is a genuine link of jeff's for every definition in testdata/sites.
func siteLink() string {
	mac := hmac.New(sha256.New, []byte(siteSecret))
	mac.Write([]byte("jeff"))
	return "user=jeff&sig=" + hex.EncodeToString(mac.Sum(nil))
}

// told is what the error or the log must say about a kind of fault: why, and the cure.
type told struct{ reason, cure *regexp.Regexp }

func says(reason, cure string) told {
	return told{regexp.MustCompile(`(?i)` + reason), regexp.MustCompile(`(?i)` + cure)}
}

// siteFaults are the kinds of faults that configurations in testdata/sites name. The words
// are few and loose, so that a message can be made better; line, reason and cure must stand
// in one line of the error.
var siteFaults = map[string]told{
	"before-guard":         says(`before`, `signed_link guard|order signed_link first`),
	"before-definition":    says(`before`, `move|behind|below|order signed_link first`),
	"files-before":         says(`before`, `move|behind|below|order signed_link first|signed_link guard`),
	"nested":               says(`nested|guard`, `signed_link guard`),
	"rewritten":            says(`rewrit|handle_path|strip|uri|map|vars|method`, `top of the site|site level|move|outside|before`),
	"blind":                says(`a matcher .* reads`, `match on the path itself`),
	"answered":             says(`answered|response|failed|handle_errors|errors`, `top of the site|site level|move|outside`),
	"unmet":                says(`met|reach|found|seen|know|container|sees`, `top of the site|site level|move|outside`),
	"open-site":            says(`same (backend|upstream|address|application|proxy|fastcgi)`, `signed_link guard.*unguarded|unguarded.*signed_link guard`),
	"cut-authorization":    says(`authorization|authentication|basic_auth`, `authorization keep|route`),
	"sets-header":          says(`X.Verified|header|protected`, `signed_link guard|behind|move|order signed_link first|leave`),
	"unguarded-matcher":    says(`unguarded`, `leave|without|take|remove|outside|top of the site`),
	"unguarded-beside":     says(`unguarded`, `leave|without|take|remove`),
	"loops":                says(`invoke|circle|loop|deep`, `invoke|take|leave|write|place|move`),
	"group":                says(`group|skip|before|nested`, `.`),
	"named":                says(`named route|invoke`, `.`),
	"backend-of-rewrites":  says(`rewrit|handle_path|strip|uri|path`, `.`),
	"rewritten-answer":     says(`answered already.*page of this definition`, `does not match`),
	"php-lookup":           says(`index|try_files|php_fastcgi|file`, `.`),
	"reads-early":          says(`before|early|order`, `.`),
	"not-only-a-path":      says(`method|header|query|protocol|remote_ip|matcher`, `.`),
	"exact-path":           says(`/app|path|exact|slash`, `.`),
	"same-fastcgi":         says(`fastcgi|pool|php`, `.`),
	"fails-closed":         says(`authorization`, `.`),
	"cannot-be-seen":       says(`cannot|unknown|dynamic|placeholder|see`, `.`),
	"swallowed":            says(`error|swallow|go(es)? on`, `top of the site|site level|move|outside|take`),
	"backend-is-a-site":    says(`site|listen`, `.`),
	"two-people":           says(`two|identity|Remote-User|header`, `.`),
	"not-before-the-guard": says(`before`, `signed_link guard`),
	"accept-late":          says(`accepts`, `signed_link guard`),
	"error-routes":         says(`error routes.*same backend`, `signed_link guard`),
	"past-guard":           says(`not behind a guard`, `signed_link guard`),
}

// siteCase is a configuration of testdata/sites.
type siteCase struct {
	file   string
	text   string
	expect string // refused, loads, either
	open   []string
	genuine,
	attack string
	repeat   int
	protects []string   // what no literal matcher says
	faults   []siteMark // refused
	finds    []siteMark // findings at load
	lints    []siteMark // what lint says
}

// siteMark is a fault, and the place at which it must be told.
type siteMark struct{ at, kind string }

var siteMarker = regexp.MustCompile(`# <- (fault|finding|lint): ([a-z-]+(?: [a-z-]+)*)\s*$`)

func readSite(t *testing.T, file string) *siteCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := &siteCase{file: file, text: string(text), genuine: "yes", attack: "all", repeat: 1}
	mark := func(what, at, kinds string) {
		for kind := range strings.FieldsSeq(kinds) {
			if _, ok := siteFaults[kind]; !ok {
				t.Fatalf("%s: unknown kind %q", at, kind)
			}
			m := siteMark{at, kind}
			switch what {
			case "fault":
				c.faults = append(c.faults, m)
			case "finding":
				c.finds = append(c.finds, m)
			case "lint":
				c.lints = append(c.lints, m)
			}
		}
	}
	for i, line := range strings.Split(c.text, "\n") {
		at := "Caddyfile:" + strconv.Itoa(i+1)
		if m := siteMarker.FindStringSubmatch(line); m != nil {
			mark(m[1], at, m[2])
			continue
		}
		if !strings.HasPrefix(line, "# ") {
			continue
		}
		name, value, ok := strings.Cut(line[2:], ": ")
		if !ok {
			continue
		}
		switch name {
		case "expect":
			c.expect = value
		case "open":
			c.open = append(c.open, value)
		case "genuine":
			c.genuine = value
		case "attack":
			c.attack = value
		case "protects":
			c.protects = strings.Fields(value)
		case "repeat":
			if c.repeat, err = strconv.Atoi(value); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		case "fault", "finding", "lint": // of a file without line numbers: place, kinds
			at, kinds, _ := strings.Cut(value, " ")
			mark(name, at, kinds)
		}
	}
	if !slices.Contains([]string{"refused", "loads", "either"}, c.expect) {
		t.Fatalf("%s: it does not say what is expected", file)
	}
	if (c.expect == "refused") != (len(c.faults) > 0) {
		t.Fatalf("%s: what is refused, and only that, has marks of its faults", file)
	}
	return c
}

// adapted is the configuration as JSON.
func (c *siteCase) adapted() ([]byte, error) {
	if strings.HasSuffix(c.file, ".json") {
		var lines []string
		for line := range strings.SplitSeq(c.text, "\n") {
			if !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
		return []byte(strings.Join(lines, "\n")), nil
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(c.text), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// TestSites loads every configuration of testdata/sites as `caddy validate` and `caddy run`
// do, compares what becomes of it with what it says, and attacks those that load.
func TestSites(t *testing.T) {
	registerStrangers()
	var files []string
	for _, pattern := range []string{"*.caddyfile", "*.json"} {
		found, err := filepath.Glob(fixture.Path("testdata", "sites", pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 350 {
		t.Fatalf("there are only %d configurations", len(files))
	}
	count := make(map[string]int)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c := readSite(t, file)
			count[c.expect]++
			t.Setenv("LINK_SECRET", siteSecret)
			t.Setenv("BACK", "127.0.0.1:9000")
			c.judge(t)
		})
	}
	t.Logf("%d configurations: %v", len(files), count)
}

func (c *siteCase) judge(t *testing.T) {
	var g *adversary.Gateway
	t.Run("load", func(t *testing.T) {
		c.compareAdapted(t)
		first := ""
		for i := range c.repeat { // Caddy provisions named routes in the order of a map
			loaded, log, err := c.load(t)
			outcome := "it loads"
			if err != nil {
				// Caddy says in which server it was under way, and provisions them in no order.
				outcome = err.Error()
				outcome = outcome[strings.LastIndex(outcome, "provision http.handlers.signed_link: ")+1:]
			}
			if i == 0 {
				first, g = outcome, loaded
				c.compare(t, log, err)
			} else if outcome != first {
				t.Fatalf("attempt %d ends in another way than the first:\n%s\n%s", i+1, first, outcome)
			}
		}
	})
	if g == nil || c.attack == "none" {
		return
	}
	g.Record()
	for _, s := range g.Sites() {
		if s.Guarded() {
			s.Protect(c.protects...)
		}
	}
	broken := g.Attack(c.open, c.attack != "headers")
	if c.expect == "refused" { // what it is good for that this must not load
		if testing.Verbose() && len(broken) > 0 {
			t.Logf("the damage:\n%s", adversary.Summary(broken))
		}
		return
	}
	t.Run("attack", func(t *testing.T) {
		if len(broken) > 0 {
			t.Error(adversary.Summary(broken))
		}
	})
	if c.genuine == "yes" {
		t.Run("genuine", func(t *testing.T) { c.sendGenuine(t, g) })
	}
}

// errOnlyStart is in the error of a configuration that `caddy validate` takes for right.
var errOnlyStart = errors.New("only starting refuses it, `caddy validate` is silent")

func (c *siteCase) load(t *testing.T) (*adversary.Gateway, string, error) {
	config, err := c.adapted()
	if err != nil {
		return nil, "", err
	}
	g, log, err := adversary.Provision(t, config)
	if err != nil {
		return nil, log, err
	}
	if err := g.Start(); err != nil {
		return nil, g.Log(), fmt.Errorf("%w\n%w", errOnlyStart, err)
	}
	return g, g.Log(), nil
}

// compareAdapted looks whether Caddy's adapter has lost a definition or a guard: a named
// route that becomes one route keeps its first handler only, silently, and what was never
// provisioned nobody can miss.
func (c *siteCase) compareAdapted(t *testing.T) {
	config, err := c.adapted()
	if err != nil || strings.HasSuffix(c.file, ".json") || strings.Contains(c.text, "# named: nobody invokes") {
		return
	}
	for what, patterns := range map[string][2]string{
		"definitions": {`(?m)^\s*signed_link .*\{env\.LINK_SECRET\}`, `"scheme":\{`},
		"guards":      {`(?m)^\s*signed_link guard`, `"guard":true`},
	} {
		written := len(regexp.MustCompile(patterns[0]).FindAllString(c.text, -1))
		there := len(regexp.MustCompile(patterns[1]).FindAll(config, -1))
		if there < written {
			t.Errorf("the Caddyfile has %d %s, and the adapted JSON has %d", written, what, there)
		}
	}
}

// compare compares what became of the configuration with what it says.
func (c *siteCase) compare(t *testing.T, log string, err error) {
	switch {
	case c.expect == "loads" && err != nil:
		t.Errorf("it must load:\n%v", err)
	case c.expect == "refused" && err == nil:
		t.Errorf("it must be refused: %v", c.faults)
	case c.expect == "refused":
		if errors.Is(err, errOnlyStart) {
			t.Error(errOnlyStart)
		}
		for _, m := range c.faults {
			if !m.toldIn(err.Error(), true) {
				t.Errorf("no line of the error tells of %s at %s, with its cure:\n%v", m.kind, m.at, err)
			}
		}
	}
	if err != nil || c.expect == "refused" {
		return
	}
	for _, m := range c.finds {
		if !m.toldIn(log, false) {
			t.Errorf("loading draws no finding %s at %s; the log:\n%s", m.kind, m.at, warningsOf(log))
		}
	}
	if len(c.lints) > 0 {
		said := c.lint(t)
		for _, m := range c.lints {
			if !m.toldIn(strings.ReplaceAll(said, "\n", " "), false) {
				t.Errorf("lint does not tell of %s at %s:\n%s", m.kind, m.at, said)
			}
		}
	}
	if found := warningsOf(log); found != "" && len(c.finds) == 0 {
		if strings.HasPrefix(filepath.Base(c.file), "honest_") {
			t.Errorf("an honest configuration is loaded with warnings:\n%s", found)
		} else {
			t.Logf("it is loaded with warnings that it does not name:\n%s", found)
		}
	}
}

// toldIn reports whether a line of the text tells of the fault: where, why, and (in errors)
// what cures it.
func (m siteMark) toldIn(text string, cure bool) bool {
	words := siteFaults[m.kind]
	place := regexp.MustCompile(regexp.QuoteMeta(m.at) + `(?:\D|$)`)
	for line := range strings.Lines(text) {
		if place.MatchString(line) && words.reason.MatchString(line) && (!cure || words.cure.MatchString(line)) {
			return true
		}
	}
	return false
}

// warningsOf are the findings in a log, without those that every test secret draws.
func warningsOf(log string) string {
	var out []string
	for line := range strings.Lines(log) {
		var entry struct{ Level, Logger, Code string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Level != "info" && strings.Contains(entry.Logger, "signed_link") && entry.Code != "no_expiry" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// lint is what the command says about the configuration.
func (c *siteCase) lint(t *testing.T) string {
	t.Helper()
	config, err := c.adapted()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "caddy.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	r := fixture.RunCommand(t, "lint", "", "--config", file, "--json")
	return r.Out + r.Errors
}

// sendGenuine sends jeff's link to what each site protects: it must arrive, with the
// gateway's headers and none of the client's, whatever the client says about Connection.
func (c *siteCase) sendGenuine(t *testing.T, g *adversary.Gateway) {
	for _, s := range g.Sites() {
		if !s.Protects() {
			continue
		}
		for _, connection := range []string{"", "close, X-Verified-User"} {
			header := http.Header{"X-Verified-User": {adversary.Forged}}
			if connection != "" {
				header.Set("Connection", connection)
			}
			arrivals, answer := g.Send(s, s.First()+"?"+siteLink(), header)
			ok := slices.ContainsFunc(arrivals, func(a adversary.Arrival) bool {
				return slices.Equal(a.Header["X-Verified-User"], []string{"jeff"}) && !strings.Contains(a.URI, "sig=")
			})
			if !ok {
				t.Errorf("%s: jeff's link to %s does not arrive as jeff's (Connection: %s): status %d, %+v", s, s.First(), connection, answer.Code, arrivals)
			}
		}
	}
}

// stranger is a handler of another module that this package has never heard of, and a
// container of routes if it has any.
type stranger struct {
	Routes caddyhttp.RouteList `json:"routes,omitempty"`

	id caddy.ModuleID
}

func (s *stranger) CaddyModule() caddy.ModuleInfo {
	id := s.id
	return caddy.ModuleInfo{ID: id, New: func() caddy.Module { return &stranger{id: id} }}
}

func (s *stranger) Provision(ctx caddy.Context) error { return s.Routes.Provision(ctx) }

func (s *stranger) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return s.Routes.Compile(next).ServeHTTP(w, r)
}

var _ caddyhttp.MiddlewareHandler = (*stranger)(nil)

// registerStrangers registers modules that no test may rely on being linked: two that
// nobody knows, and three under the names of widely used ones. Once is enough.
func registerStrangers() {
	if _, err := caddy.GetModule("http.handlers.test_stranger"); err == nil {
		return
	}
	for _, name := range []string{"test_stranger", "test_container", "rate_limit", "waf", "crowdsec"} {
		id := caddy.ModuleID("http.handlers." + name)
		caddy.RegisterModule(&stranger{id: id})
		httpcaddyfile.RegisterHandlerDirective(name, func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
			s := &stranger{id: id}
			if name != "test_container" {
				for h.Next() {
					h.RemainingArgs()
					for nesting := h.Nesting(); h.NextBlock(nesting); {
						h.NextSegment() // its options are of no interest
					}
				}
				return s, nil
			}
			inner, err := httpcaddyfile.ParseSegmentAsSubroute(h)
			if err != nil {
				return nil, err
			}
			s.Routes = inner.(*caddyhttp.Subroute).Routes
			return s, nil
		})
		httpcaddyfile.RegisterDirectiveOrder(name, httpcaddyfile.Before, "reverse_proxy")
	}
}

// TestSiteVerdicts: every configuration is well formed, and the numbers are those that the
// page promises.
func TestSiteVerdicts(t *testing.T) {
	for _, must := range []struct {
		pattern string
		least   int
	}{{"*", 350}, {"honest_*", 45}, {"hole_*", 9}, {"q_*", 5}, {"ok_*", 8}} {
		found, err := filepath.Glob(fixture.Path("testdata", "sites", must.pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) < must.least {
			t.Errorf("%s: %d files, expected %d", must.pattern, len(found), must.least)
		}
		for _, file := range found {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text, []byte("\r")) {
				t.Errorf("%s has line ends of another system", file)
			}
		}
	}
}
