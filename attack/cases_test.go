package attack_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
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
			Status  any // one, or several
			Headers map[string]*string
		}
	}
	caddyfile string
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
	if len(c.Requests) == 0 {
		t.Fatal("the case sends nothing")
	}
	if text, err = os.ReadFile(filepath.Join(dir, "Caddyfile")); err != nil {
		t.Fatal(err)
	}
	c.caddyfile = string(text)
	for k, v := range c.Env {
		t.Setenv(k, v)
	}
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
				for name, want := range r.Expect.Headers {
					if have, there := a.Header[http.CanonicalHeaderKey(name)]; want == nil && there {
						t.Errorf("the backend gets %s: %q", name, have)
					}
				}
			}
		})
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
