package routes_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/signedlink/caddy-signed-link/internal/cli/rehearsal"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
)

// TestRouteCodes: each fault and finding of the walk is shown by a configuration of
// testdata/sites, so that a rule that is taken out is missed, and has a section in the page
// that lint and the log name.
func TestRouteCodes(t *testing.T) {
	registerStrangers()
	t.Setenv("LINK_SECRET", siteSecret)
	t.Setenv("BACK", "127.0.0.1:9000")
	shown := make(map[string]bool)
	for _, pattern := range []string{"refused_*", "finding_*", "lint_*", "loads_*", "hole_*", "q_*"} {
		files, err := filepath.Glob(fixture.Path("testdata", "sites", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			config := regexp.MustCompile(`(?m)^#.*$`).ReplaceAll(text, nil)
			if strings.HasSuffix(file, ".caddyfile") {
				if config, _, err = caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": "Caddyfile"}); err != nil {
					continue // the adapter refuses it
				}
			}
			for _, code := range codesOf(t, config) {
				shown[code] = true
			}
		}
	}
	page, err := os.ReadFile(fixture.Path("docs/routes.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range routes.Codes {
		if !shown[c.Name] {
			t.Errorf("no configuration of testdata/sites shows %s", c.Name)
		}
		if !strings.Contains(string(page), "\n### "+c.Name+"\n") {
			t.Errorf("docs/routes.md says nothing of %s", c.Name)
		}
		delete(shown, c.Name)
	}
	for name := range shown {
		t.Errorf("%s is none of the codes", name)
	}
	for _, heading := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(string(page), -1) {
		known := false
		for _, c := range routes.Codes {
			known = known || c.Name == heading[1]
		}
		if !known {
			t.Errorf("docs/routes.md explains %s, which is no code", heading[1])
		}
	}
}

// codesOf are the codes of what is wrong with a configuration, as lint finds them.
func codesOf(t *testing.T, text []byte) (codes []string) {
	t.Helper()
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	config["apps"] = rehearsal.Listing(config["apps"])
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	var c caddy.Config
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&c)
	if err != nil {
		return nil // it is refused for something else
	}
	own, err := app.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range own.Report().Faults {
		codes = append(codes, f.Code)
	}
	for _, f := range own.Report().Findings {
		codes = append(codes, f.Code)
	}
	return codes
}
