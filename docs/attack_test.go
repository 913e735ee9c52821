package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/internal/devel/adversary"
)

// attack sends forged headers and spellings of the protected paths into a configuration
// that a page shows, and adds a site in front of each of its backends that has no guard:
// nothing forged and nothing unverified may arrive, and with the further site it must not
// load. A page that shows something unsafe is worse than none, because it is copied.
func attack(t *testing.T, configuration []byte) {
	t.Helper()
	t.Run("forged headers and paths", func(t *testing.T) {
		g, _, err := adversary.Provision(t, configuration)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Start(); err != nil {
			t.Fatal(err)
		}
		g.Record()
		if broken := g.Attack(nil, true); len(broken) > 0 {
			t.Error(adversary.Summary(broken))
		}
	})
	t.Run("a second site", func(t *testing.T) {
		sites := adversary.SecondSites(t, configuration)
		if len(sites) == 0 {
			t.Error("no backend was found")
		}
		for _, with := range sites {
			_, _, err := adversary.Provision(t, with)
			switch {
			case err == nil:
				t.Error("it loads with another site in front of the same backend that has no guard")
			case !strings.Contains(err.Error(), "signed_link guard") || !strings.Contains(err.Error(), "signed_link unguarded"):
				t.Errorf("the refusal of another site without a guard does not name both cures: %v", err)
			}
		}
	})
}

// TestAttackCaddyfiles attacks every Caddyfile of README.md, docs and the doc comments.
func TestAttackCaddyfiles(t *testing.T) {
	everyBlock(t, "caddyfile", func(t *testing.T, b block) {
		if strings.Contains(b.at, filepath.Join("docs", "findings")) && b.section == "Found" {
			return // it must not load, or is shown as what is wrong
		}
		text := b.text
		if isSnippet(text) {
			text = "example.org {\n\t" + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n\t") + "\n\treverse_proxy app.internal:8080\n}\n"
		}
		attack(t, adapt(t, withSecrets(t, text)))
	})
}

// TestAttackExamples attacks the Caddyfiles that people run.
func TestAttackExamples(t *testing.T) {
	t.Chdir(root)
	files, err := filepath.Glob(filepath.Join("examples", "*", "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, example)
	if len(files) < 3 {
		t.Fatalf("only %q were found", files)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			attack(t, adapt(t, string(text)))
		})
	}
}
