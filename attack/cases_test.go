package attack_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/signedlink/caddy-signed-link/internal/devel/adversary"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// siteOfCase is a case of testdata/cases: what somebody asked or reported in public, and
// what is right.
type siteOfCase struct {
	Env      map[string]string
	Requests []struct {
		Name, URL, Host string
		Headers         [][2]string
		Expect          struct {
			Status  any    // one, or several
			URI     string // at the backend; empty: any
			Headers map[string]*string
		}
	}
	CLI []struct {
		Args    []string // of `caddy signed-link`
		Says    []string // regular expressions
		SaysNot []string `json:"says_not"`
		RC      int
	}
	LoadSays []string `json:"load_says"`

	caddyfile, file string
}

func readCase(t *testing.T, name string) *siteOfCase {
	t.Helper()
	dir := fixture.Path("testdata", "cases", name)
	text, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := new(siteOfCase)
	if err := json.Unmarshal(text, c); err != nil {
		t.Fatal(err)
	}
	if len(c.Requests)+len(c.CLI)+len(c.LoadSays) == 0 {
		t.Fatal("the case asks nothing")
	}
	c.file = filepath.Join(dir, "Caddyfile")
	if text, err = os.ReadFile(c.file); err != nil {
		t.Fatal(err)
	}
	c.caddyfile = string(text)
	for k, v := range c.Env {
		t.Setenv(k, v)
	}
	t.Setenv("DIR", dir)
	t.Setenv("PORT", "8080")
	t.Setenv("BACK", "127.0.0.1:9000")
	return c
}

// provision does what `caddy validate` does.
func (c *siteOfCase) provision(t *testing.T) (*adversary.Gateway, error) {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(c.caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	g, _, err := adversary.Provision(t, config)
	return g, err
}

// send sends the requests of the case, and compares what becomes of them with what is right.
func (c *siteOfCase) send(t *testing.T, g *adversary.Gateway) {
	t.Helper()
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	g.Record()
	for _, r := range c.Requests {
		t.Run(r.Name, func(t *testing.T) {
			header := make(http.Header)
			for _, h := range r.Headers {
				header.Set(h[0], h[1])
			}
			site := *g.Sites()[0]
			if r.Host != "" {
				site.Host = r.Host
			}
			arrivals, answer := g.Send(&site, r.URL, header)
			var statuses []int
			switch want := r.Expect.Status.(type) {
			case float64:
				statuses = []int{int(want)}
			case []any:
				for _, s := range want {
					statuses = append(statuses, int(s.(float64)))
				}
			}
			if !slices.Contains(statuses, answer.Code) {
				t.Errorf("status %d, expected %v", answer.Code, statuses)
			}
			if (len(arrivals) > 0) != slices.Contains(statuses, http.StatusOK) {
				t.Errorf("%d requests arrive at the backend: %+v", len(arrivals), arrivals)
			}
			for _, a := range arrivals {
				if r.Expect.URI != "" && a.URI != r.Expect.URI {
					t.Errorf("the backend gets %s, expected %s", a.URI, r.Expect.URI)
				}
				for name, want := range r.Expect.Headers {
					have, there := a.Header[http.CanonicalHeaderKey(name)]
					if there && want == nil || want != nil && !slices.Equal(have, []string{*want}) {
						t.Errorf("the backend gets %s: %q", name, have)
					}
				}
			}
		})
	}
}

// ask asks the command line what the case asks.
func (c *siteOfCase) ask(t *testing.T) {
	t.Helper()
	for _, line := range c.CLI {
		args := append([]string{"--adapter", "caddyfile", "--config", c.file}, line.Args[1:]...)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "{PORT}", os.Getenv("PORT"))
		}
		ran := fixture.RunCommand(t, line.Args[0], "", args...)
		if ran.Failed != (line.RC != 0) {
			t.Errorf("%q: failed: %t, expected status %d\n%s%s", line.Args, ran.Failed, line.RC, ran.Out, ran.Errors)
		}
		for _, text := range line.Says {
			if !regexp.MustCompile(text).MatchString(ran.Out + ran.Errors) {
				t.Errorf("%q lacks %q\n%s%s", line.Args, text, ran.Out, ran.Errors)
			}
		}
		for _, text := range line.SaysNot {
			if regexp.MustCompile(text).MatchString(ran.Out + ran.Errors) {
				t.Errorf("%q has %q\n%s%s", line.Args, text, ran.Out, ran.Errors)
			}
		}
	}
}

// TestCasesDeclared: formats that somebody asked about in public, in the language of
// keyed_hash. Each loads, each request and each command ends as is right, and no forged
// header and no spelling of a path gets through.
func TestCasesDeclared(t *testing.T) {
	for _, name := range []string{
		"02-address-and-fixed-width-time", // docs.whmcs.com/AutoAuth
		"18-civicrm-checksum",             // civicrm/civicrm-core PR#12260, PR#31330
		"19-signature-in-the-path",        // thumbor/thumbor#720, imgproxy/imgproxy.rb#1
		"30-dated-akid",
		"41-names-with-brackets", // in2code-de/femanager#162
		"47-optional-and-empty",  // in2code-de/powermail#368
	} {
		t.Run(name, func(t *testing.T) {
			c := readCase(t, name)
			g, err := c.provision(t)
			if err != nil {
				t.Fatal(err)
			}
			c.send(t, g)
			c.ask(t)
			if broken := g.Attack(nil, true); len(broken) > 0 {
				t.Error(adversary.Summary(broken))
			}
		})
	}
}

// TestCaseThreeValues: md5 of address, id and name and nothing between them
// (diogo-foze/whmcs_autologin). It does not load, and the lines that the refusal names
// allow that, and not more.
func TestCaseThreeValues(t *testing.T) {
	c := readCase(t, "03-three-values-no-separator")
	_, err := c.provision(t)
	if err == nil {
		t.Fatal("it loads")
	}
	for _, text := range c.LoadSays {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the refusal lacks %q: %v", text, err)
		}
	}
	with := func(lines ...string) error {
		cured := *c
		cured.caddyfile = strings.Replace(c.caddyfile, "user {query.uid}", "user {query.uid}\n"+strings.Join(lines, "\n"), 1)
		g, err := cured.provision(t)
		if err == nil {
			err = g.Start()
		}
		return err
	}
	lines := c.LoadSays[1:]
	if err := with(lines...); err != nil {
		t.Errorf("with %q it is still refused: %v", lines, err)
	}
	for i, line := range lines {
		if err := with(line); err == nil || !strings.Contains(err.Error(), lines[1-i]) {
			t.Errorf("with %q alone: %v, expected to be told %q", line, err, lines[1-i])
		}
	}
}

// refusedNamingGuard: `caddy validate` refuses the case, and names the cure.
func (c *siteOfCase) refusedNamingGuard(t *testing.T) {
	t.Helper()
	_, err := c.provision(t)
	if err == nil {
		t.Error("`caddy validate` takes it for right")
		return
	}
	for _, must := range []string{"Caddyfile:", "signed_link guard"} {
		if !strings.Contains(err.Error(), must) {
			t.Errorf("the refusal does not name %q: %v", must, err)
		}
	}
}

// TestCaseOrderBeforeReverseProxy: the line that the READMEs of most Caddy modules tell
// people to write puts every handle before the gateway (makeplane/plane PR#9716).
func TestCaseOrderBeforeReverseProxy(t *testing.T) {
	c := readCase(t, "32-order-before-reverse-proxy")
	c.refusedNamingGuard(t)

	// the cures that the refusal names: each loads, and then everything in the case is right
	for name, change := range map[string][2]string{
		"order first": {"order signed_link before reverse_proxy", "order signed_link first"},
		"no order":    {"\torder signed_link before reverse_proxy\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cured := *c
			cured.caddyfile = strings.Replace(c.caddyfile, change[0], change[1], 1)
			if cured.caddyfile == c.caddyfile {
				t.Fatal("nothing was cured")
			}
			g, err := cured.provision(t)
			if err != nil {
				t.Fatal(err)
			}
			cured.send(t, g)
		})
	}
}

// TestCaseRewrittenToTheProtectedPath: handle_path behind the definition makes /members of
// /v1/members, which is judged (caddyserver/caddy#5073, #5312, #4956).
func TestCaseRewrittenToTheProtectedPath(t *testing.T) {
	c := readCase(t, "35-rewritten-to-the-protected-path")
	g, err := c.provision(t)
	if err != nil {
		t.Fatal(err)
	}
	c.send(t, g)
	if broken := g.Attack(nil, true); len(broken) > 0 {
		t.Error(adversary.Summary(broken))
	}
}

// TestCaseSecondSiteWithoutGuard: several sites in front of one backend, and only one has
// the definition (chattocorp/chatto#1445, flowable/flowable-engine PR#4256).
func TestCaseSecondSiteWithoutGuard(t *testing.T) {
	c := readCase(t, "54-second-site-without-guard")
	c.refusedNamingGuard(t)

	t.Run("half cured", func(t *testing.T) { // one site without a guard is as bad as two
		half := *c
		half.caddyfile = strings.Replace(c.caddyfile, "bind 127.0.0.1\n\treverse_proxy", "bind 127.0.0.1\n\tsigned_link guard\n\treverse_proxy", 1)
		half.refusedNamingGuard(t)
	})
	for name, word := range map[string]string{"guard": "guard", "unguarded": "unguarded"} {
		t.Run(name, func(t *testing.T) {
			cured := *c
			cured.caddyfile = strings.ReplaceAll(c.caddyfile, "bind 127.0.0.1\n\treverse_proxy", "bind 127.0.0.1\n\tsigned_link "+word+"\n\treverse_proxy")
			if strings.Count(cured.caddyfile, "signed_link "+word) != 2 {
				t.Fatal("the two sites were not found")
			}
			config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(cured.caddyfile), map[string]any{"filename": "Caddyfile"})
			if err != nil {
				t.Fatal(err)
			}
			g, _, err := adversary.Provision(t, config)
			if err != nil {
				t.Fatal(err)
			}
			if word == "unguarded" { // it is the operator's word that anything may arrive
				if err := g.Start(); err != nil {
					t.Fatal(err)
				}
				return
			}
			cured.send(t, g)
			if broken := g.Attack(nil, true); len(broken) > 0 {
				t.Error(adversary.Summary(broken))
			}
		})
	}
}

// TestCaseNamesWithBrackets: TYPO3 and Rails sign members of an array (in2code-de/femanager#162,
// powermail#661). Before PHP that is one name, and strict says which profile to write.
func TestCaseNamesWithBrackets(t *testing.T) {
	c := readCase(t, "41-names-with-brackets")
	t.Run("strict", func(t *testing.T) {
		strict := *c
		strict.caddyfile = strings.Replace(c.caddyfile, "backend php\n", "", 1)
		if _, err := strict.provision(t); err == nil || !strings.Contains(err.Error(), "write `backend php` or `backend servlet`") {
			t.Errorf("the error is %v", err)
		}
	})
	g, err := c.provision(t)
	if err != nil {
		t.Fatal(err)
	}
	c.send(t, g)
	if broken := g.Attack(nil, true); len(broken) > 0 {
		t.Error(adversary.Summary(broken))
	}
}
