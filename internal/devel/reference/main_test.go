package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

// TestCurrent: the page is what the doc comments say.
func TestCurrent(t *testing.T) {
	want, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is not what the doc comments say; run: go run ./internal/devel/reference", page)
	}
}

// write makes a checkout of one file.
func write(t *testing.T, file, text string) (root string) {
	t.Helper()
	root = t.TempDir()
	path := filepath.Join(root, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

const example = `package example

import ("encoding/json"; "github.com/caddyserver/caddy/v2")

// Source is a source
// of examples.
//
//	{
//
//		"source": "example"
//	}
type Source struct {
	// How long. Default: ` + "`1m`" + `. It is wrapped
	// here.
	TTL caddy.Duration ` + "`json:\"ttl,omitempty\"`" + `

	// One | other.
	Parts map[string]*Part ` + "`json:\"parts,omitempty\"`" + `

	// The next.
	Next json.RawMessage ` + "`json:\"next\" caddy:\"namespace=a.b inline_key=kind\"`" + `

	untold int
}

// Part has a name.
type Part struct {
	// Its name. Required.
	Name string ` + "`json:\"name,omitempty\"`" + `
}

func (*Source) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.example", New: nil}
}

// UnmarshalCaddyfile sets up the source. Syntax:
//
//	example <ttl>
func (*Source) UnmarshalCaddyfile() {}
`

func TestGenerate(t *testing.T) {
	have, err := generate(write(t, "keys/example/example.go", example))
	if err != nil {
		t.Fatal(err)
	}
	const want = "* [`http.example`](#httpexample)\n" +
		"\n## http.example\n\nA source\nof examples.\n\n```json\n{\n\n\t\"source\": \"example\"\n}\n```\n" +
		"\n### Caddyfile\n\n```\nexample <ttl>\n```\n" +
		"\n### JSON\n\n| field | type | default | meaning |\n|---|---|---|---|\n" +
		"| `ttl` | duration | `1m` | How long. It is wrapped here. |\n" +
		"| `parts` | object of objects |  | One \\| other. |\n" +
		"| `next` | module of `a.b`, named by `kind` | required | The next. |\n" +
		"\n#### `parts.NAME`\n\nHas a name.\n" +
		"\n| field | type | default | meaning |\n|---|---|---|---|\n" +
		"| `name` | text | required | Its name. |\n"
	if have != intro+want {
		t.Errorf("got\n%s", have)
	}
}

// TestRefuses: what a reader would miss stops the page from being written.
func TestRefuses(t *testing.T) {
	for name, x := range map[string]struct{ from, to, want string }{
		"module without a comment": {"// Source is a source\n// of examples.\n//\n//\t{\n//\n//\t\t\"source\": \"example\"\n//\t}\n", "", "no doc comment"},
		"field without a comment":  {"// The next.\n", "", "the field next has no doc comment"},
		"unknown type":             {"Name string", "Name chan string", "*ast.ChanType"},
		"no syntax":                {"Syntax:", "", "no \"Syntax:\""},
		"no id":                    {`"http.example"`, "id", "the id of Source"},
		"no Go":                    {"package example", "", "expected 'package'"},
	} {
		text := strings.Replace(example, x.from, x.to, 1)
		if text == example {
			t.Fatalf("%s: nothing was replaced", name)
		}
		_, err := generate(write(t, "keys/example/example.go", text))
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: expected an error with %q, got %v", name, x.want, err)
		}
	}
}
