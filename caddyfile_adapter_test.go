package signedlink_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	signedlink "github.com/signedlink/caddy-signed-link"
	"github.com/signedlink/caddy-signed-link/block"
	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

var update = flag.Bool("update", false, "write the golden files anew")

const separator = "----------\n"

// golden runs every file below testdata/dir: a Caddyfile, the separator, and what
// comes of it.
func golden(t *testing.T, dir string, outcome func(t *testing.T, caddyfile string) string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files in testdata/%s: %v", dir, err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, _ := strings.Cut(string(data), separator)
			got := outcome(t, caddyfile)
			if *update {
				if err := os.WriteFile(name, []byte(caddyfile+separator+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestAdapt compares Caddyfiles with the JSON that they become.
func TestAdapt(t *testing.T) {
	golden(t, "adapt", func(t *testing.T, caddyfile string) string { return gatewaytest.Adapt(caddyfile) })
}

// TestAdaptErrors has a file for each error that the adapter finds: what is wrong,
// at which line of which file, and how to cure it.
func TestAdaptErrors(t *testing.T) {
	golden(t, "errors", func(t *testing.T, caddyfile string) string {
		got := gatewaytest.Adapt(caddyfile)
		if strings.HasPrefix(got, "{") {
			t.Errorf("it adapts:\n%s", got)
		}
		return got
	})
}

// FuzzAdapter: no block makes the adapter panic, and what it accepts is JSON that the
// handler's own configuration reads back.
func FuzzAdapter(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.txt")
	for _, name := range files {
		if data, err := os.ReadFile(name); err == nil {
			caddyfile, _, _ := strings.Cut(string(data), separator)
			if _, body, ok := strings.Cut(caddyfile, "signed_link"); ok {
				f.Add("signed_link" + strings.TrimSuffix(strings.TrimSpace(body), "}"))
			}
		}
	}
	f.Fuzz(func(t *testing.T, directive string) {
		// Imports, snippets and other directives are Caddy's.
		if strings.Contains(directive, "import") || !strings.HasPrefix(directive, "signed_link") {
			return
		}
		config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("http:// {\n"+directive+"\n}\n"), map[string]any{"filename": "Caddyfile"})
		if err != nil {
			return
		}
		if !json.Valid(config) {
			t.Errorf("not JSON: %s", config)
		}
	})
}

// TestUncovered: a definition on /app/* leaves /app to everybody, and says so when the
// Caddyfile is adapted.
func TestUncovered(t *testing.T) {
	for patterns, want := range map[string]string{
		"/app/*":        "/app",
		"/app /app/*":   "",
		"/app* /app/*":  "",
		"/a/* /b /b/*":  "/a",
		"/*":            "",
		"/app":          "",
		"/a/b/* /a/c/*": "/a/b /a/c",
	} {
		if got := strings.Join(signedlink.Uncovered(strings.Fields(patterns)), " "); got != want {
			t.Errorf("%s: %q, want %q", patterns, got, want)
		}
	}
	file := filepath.Join(t.TempDir(), "log")
	gatewaytest.Load(t, "{\n\tadmin off\n\tauto_https off\n\tlog {\n\t\toutput file "+file+"\n\t}\n}\nhttp:// {\n\tsigned_link guard\n}\n")
	gatewaytest.Adapt(gatewaytest.SiteFile("signed_link /app/* akid {env.S}"))
	data, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(data), "`@app path /app /app/*`") || !strings.Contains(string(data), "Caddyfile:6") {
		t.Errorf("no warning: %s %v", data, err)
	}
}

// TestLoadErrors has a file for each error that is found when a configuration loads.
func TestLoadErrors(t *testing.T) {
	fixture.SetSecrets(t)
	t.Setenv("EMPTY", "")
	t.Setenv("LINKS_DSN", "postgres://links:canary@127.0.0.1:5432/app")
	t.Setenv("BAD_DSN", "links:canary@ 127.0.0.1 % password=canary")
	golden(t, "load", func(t *testing.T, directives string) string {
		_, err := gatewaytest.TryLoad(t, gatewaytest.SiteFile(directives))
		if err == nil {
			t.Errorf("it loads")
			return ""
		}
		return err.Error() + "\n"
	})
}

// TestSchemeOptions: what every scheme has is read here, and told by schemes that are asked
// for an option which they do not have.
func TestSchemeOptions(t *testing.T) {
	if want := signedlink.OptionsRead; !slices.Equal(want, slices.Sorted(slices.Values(block.SchemeOptions))) {
		t.Errorf("%q are read, and %q told", want, block.SchemeOptions)
	}
	if want := signedlink.DefinitionOptionsRead; !slices.Equal(want, block.DefinitionOptions) {
		t.Errorf("%q are read of a definition, and %q known", want, block.DefinitionOptions)
	}
}
