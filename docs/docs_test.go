// Package docs_test runs what the documentation shows: every Caddyfile and JSON in
// it is loaded, every request in README.md is sent, every link is followed.
package docs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/caddyserver/certmagic"

	signedlink "github.com/signedlink/caddy-signed-link"
	"github.com/signedlink/caddy-signed-link/backend"
	_ "github.com/signedlink/caddy-signed-link/examples/extending/derived"
	_ "github.com/signedlink/caddy-signed-link/examples/extending/tilde"
	"github.com/signedlink/caddy-signed-link/internal/devel/markdown"
	"github.com/signedlink/caddy-signed-link/internal/logfilter"
	"github.com/signedlink/caddy-signed-link/internal/matcher"
	"github.com/signedlink/caddy-signed-link/internal/request/bodies"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/keys/inline"
	"github.com/signedlink/caddy-signed-link/keys/sql"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/schemes/akid"
	"github.com/signedlink/caddy-signed-link/schemes/keyedhash"
	"github.com/signedlink/caddy-signed-link/schemes/sial"
)

// root is the top of the checkout.
const root = ".."

// TestMain lets the test program be the Caddy whose example is tested, and keeps the
// tests out of the home directory.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "run" || os.Args[1] == "signed-link") {
		caddycmd.Main()
		os.Exit(0) // a command that fails has ended the process before
	}
	dir, err := os.MkdirTemp("", "signed_link_docs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	caddy.ConfigAutosavePath = filepath.Join(dir, "autosave.json")
	caddy.DefaultStorage = &certmagic.FileStorage{Path: filepath.Join(dir, "storage")}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// block is a piece of code in a page or a doc comment.
type block struct {
	at      string // file and line
	section string // of the page
	lang    string // the word behind the fence
	text    string
}

// pages returns the Markdown files, by their paths from the top.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"docs", "examples"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".md") {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range found {
		if found[i], err = filepath.Rel(root, found[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, must := range []string{"README.md", "xcaddy.md", filepath.Join("docs", "options.md")} {
		if !slices.Contains(found, must) {
			t.Fatalf("%s is not among the pages: %q", must, found)
		}
	}
	return found
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fences returns the fenced blocks of a page, and the page without them.
func fences(t *testing.T, page string) (blocks []block, prose string) {
	t.Helper()
	found, prose, err := markdown.Blocks(readFile(t, page))
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	for _, b := range found {
		blocks = append(blocks, block{at: fmt.Sprintf("%s:%d", page, b.Line), section: b.Section, lang: b.Lang, text: b.Text})
	}
	return blocks, prose
}

// comments returns the indented blocks of the doc comments that caddyserver.com
// would show, less those that say the grammar of an option.
func comments(t *testing.T) []block {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.go", "internal/*/*.go", "internal/gateway/app/*.go", "schemes/*/*.go", "keys/*/*.go"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	var blocks []block
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			group, ok := n.(*ast.CommentGroup)
			if !ok {
				return true
			}
			blocks = append(blocks, indented(group, set.Position(group.Pos()))...)
			return true
		})
	}
	return blocks
}

func indented(group *ast.CommentGroup, at token.Position) []block {
	var blocks []block
	inside := false
	for i, c := range group.List {
		text, ok := strings.CutPrefix(c.Text, "//\t")
		if !ok {
			inside = false
			continue
		}
		if !inside {
			blocks = append(blocks, block{at: fmt.Sprintf("%s:%d", filepath.Clean(at.Filename), at.Line+i)})
			inside = true
		}
		blocks[len(blocks)-1].text += text + "\n"
	}
	for i := range blocks {
		switch b := &blocks[i]; {
		case strings.HasPrefix(b.text, "{"):
			b.lang = "json"
		case isSnippet(b.text) && !strings.Contains(b.text, "<"):
			b.lang = "caddyfile"
		}
	}
	return blocks
}

// isSnippet reports whether a Caddyfile is the inside of a site.
func isSnippet(text string) bool {
	return strings.HasPrefix(text, "signed_link ") || strings.HasPrefix(text, "@")
}

// everyBlock calls f for each block of the language, in pages and comments.
func everyBlock(t *testing.T, lang string, f func(t *testing.T, b block)) {
	t.Helper()
	var all []block
	for _, page := range pages(t) {
		blocks, _ := fences(t, page)
		all = append(all, blocks...)
	}
	all = append(all, comments(t)...)
	n := 0
	for _, b := range all {
		if b.lang == lang {
			n++
			t.Run(b.at, func(t *testing.T) { f(t, b) })
		}
	}
	if n < 5 {
		t.Errorf("only %d blocks of %s were found", n, lang)
	}
}

var (
	secretPath = regexp.MustCompile(`(?:/etc/caddy|/run/credentials/caddy\.service)/([\w.-]+)`)
	envName    = regexp.MustCompile(`\{env\.(\w+)\}`)
)

// exampleSecret is a secret that can be read as text and as base64, another one for
// each name.
func exampleSecret(name string) string {
	sum := sha256.Sum256([]byte(name))
	return base64.StdEncoding.EncodeToString(sum[:16])
}

// withSecrets puts files and variables in the place of those that the text names.
func withSecrets(t *testing.T, text string) string {
	t.Helper()
	for _, m := range envName.FindAllStringSubmatch(text, -1) {
		value := exampleSecret(m[1])
		if m[1] == "LINKS_DSN" {
			value = "links:password@tcp(127.0.0.1:3306)/app"
			if strings.Contains(text, "postgres") {
				value = "postgres://links:password@127.0.0.1:5432/app"
			}
		}
		t.Setenv(m[1], value)
	}
	dir := t.TempDir()
	return secretPath.ReplaceAllStringFunc(text, func(path string) string {
		content := exampleSecret(path)
		switch filepath.Ext(path) {
		case ".csv":
			content = "user,secret\n42," + exampleSecret(path) + "\n"
		case ".json":
			content = `{"keys": [{"id": "2026", "secret": "` + exampleSecret(path) + `"}]}`
		}
		file := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	})
}

// adapt turns a Caddyfile into JSON.
func adapt(t *testing.T, text string) []byte {
	t.Helper()
	out, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Errorf("warning: %s", w)
	}
	return out
}

// warnings catches what Caddy logs from now on, from level warn on.
type warnings string

func catchWarnings(t *testing.T) warnings {
	t.Helper()
	w := warnings(filepath.Join(t.TempDir(), "log"))
	if err := caddy.Validate(w.into(t, []byte(`{}`))); err != nil {
		t.Fatal(err)
	}
	return w
}

// into decodes a configuration that logs its warnings.
func (w warnings) into(t *testing.T, configuration []byte) *caddy.Config {
	t.Helper()
	var c caddy.Config
	if err := caddy.StrictUnmarshalJSON(configuration, &c); err != nil {
		t.Fatal(err)
	}
	c.Admin = &caddy.AdminConfig{Disabled: true}
	c.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{
		WriterRaw: caddyconfig.JSONModuleObject(map[string]any{"filename": string(w), "roll": false}, "output", "file", nil),
		Level:     "WARN",
	}}}}
	return &c
}

// provision loads a configuration as Caddy does at start, but for listening.
func (w warnings) provision(t *testing.T, configuration []byte) {
	t.Helper()
	ctx, err := caddy.ProvisionContext(w.into(t, configuration))
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App("signed_link")
	if err != nil {
		t.Fatal(err)
	}
	if err := app.(caddy.App).Start(); err != nil { // refuses what is nested without a guard
		t.Error(err)
	}
	log, err := os.ReadFile(string(w))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if !expected(line) {
			t.Errorf("it is loaded with a warning:\n%s", line)
		}
	}
}

// expected reports whether a line of the log is a finding that examples may have: links
// without an expiry are what most applications make, and secrets of examples are public.
// The pages say so.
func expected(line string) bool {
	return strings.Contains(line, `"code":"no_expiry"`) || strings.Contains(line, `"code":"published_secret"`)
}

// TestCaddyfiles loads every Caddyfile of the documentation.
func TestCaddyfiles(t *testing.T) {
	everyBlock(t, "caddyfile", func(t *testing.T, b block) {
		text := b.text
		if isSnippet(text) {
			text = "example.org {\n\t" + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n\t") + "\n\treverse_proxy app.internal:8080\n}\n"
		}
		if formatted := string(caddyfile.Format([]byte(text))); formatted != text {
			t.Errorf("caddy fmt would write\n%s", formatted)
		}
		if !strings.Contains(text, "signed_link") {
			t.Error("this block has nothing to do with signed_link")
		}
		if strings.Contains(b.at, filepath.Join("docs", "findings")) && b.section == "Found" {
			return // it must not load without a finding: TestFindingPages
		}
		w := catchWarnings(t)
		w.provision(t, adapt(t, withSecrets(t, text)))
	})
}

// TestJSON loads every JSON of the documentation: handlers, key sources, key files.
func TestJSON(t *testing.T) {
	everyBlock(t, "json", func(t *testing.T, b block) {
		text := []byte(withSecrets(t, b.text))
		var object map[string]json.RawMessage
		if err := json.Unmarshal(text, &object); err != nil {
			t.Fatal(err)
		}
		w := catchWarnings(t)
		switch {
		case object["handler"] != nil:
			w.provision(t, server(text))
		case object["secrets"] != nil:
			w.provision(t, server(handlerWithKeys(t, "inline", object)))
		case object["keys"] != nil:
			file := filepath.Join(t.TempDir(), "keys.json")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			path, _ := json.Marshal(file)
			w.provision(t, server(handlerWithKeys(t, "file", map[string]json.RawMessage{"path": path})))
		case object["driver"] != nil:
			w.provision(t, server([]byte(`{"handler": "signed_link", "schemes": [{
				"scheme": {"kind": "sial"}, "user_keys": `+string(text)+`, "params": {
					"user": {"class": "digits"}, "action": {"class": "one_of", "values": ["delete"]}
				}
			}]}`)))
		default:
			t.Error("nobody knows what to do with this JSON")
		}
	})
}

// TestCSV loads the files of user keys that the pages show.
func TestCSV(t *testing.T) {
	n := 0
	for _, page := range pages(t) {
		blocks, _ := fences(t, page)
		for _, b := range blocks {
			if b.lang != "csv" {
				continue
			}
			n++
			file := filepath.Join(t.TempDir(), "tokens.csv")
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			path, err := json.Marshal(file)
			if err != nil {
				t.Fatal(err)
			}
			w := catchWarnings(t)
			w.provision(t, server([]byte(`{"handler": "signed_link", "schemes": [{
				"scheme": {"kind": "sial"}, "user_keys": {"source": "file", "path": `+string(path)+`}, "params": {"user": {"class": "digits"}, "action": {"class": "token", "max": 16}}
			}]}`)))
		}
	}
	if n == 0 {
		t.Error("no page shows a file of user keys")
	}
}

// TestLanguages: of every block it is known who tests it; those without a language are
// grammars and drawings.
func TestLanguages(t *testing.T) {
	tested := map[string]string{
		"caddyfile": "TestCaddyfiles", "json": "TestJSON", "csv": "TestCSV", "sh": "TestCommandLines", "console": "TestCommandLines",
		"log": "TestRollout", "promql": "TestQueries", "yaml": "TestPrometheus", "ini": "TestDropIns", "go": "TestExtending", "": "",
	}
	for _, page := range pages(t) {
		blocks, _ := fences(t, page)
		for _, b := range blocks {
			if _, ok := tested[b.lang]; !ok {
				t.Errorf("%s: no test knows blocks of %s", b.at, b.lang)
			}
		}
	}
}

func handlerWithKeys(t *testing.T, source string, object map[string]json.RawMessage) []byte {
	t.Helper()
	keys := maps.Clone(object)
	keys["source"] = json.RawMessage(`"` + source + `"`)
	handler, err := json.Marshal(map[string]any{
		"handler": "signed_link",
		"schemes": []any{map[string]any{"scheme": map[string]string{"kind": "akid"}, "keys": keys}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// server wraps the JSON of a handler.
func server(handler []byte) []byte {
	return fmt.Appendf(nil, `{"apps":{"http":{"servers":{"example":{"listen":["127.0.0.1:0"],"routes":[{"handle":[%s]}]}}}}}`, handler)
}

// TestJSONEquivalents compares the JSON of the pages of schemes with what the
// adapter makes of the Caddyfile before it.
func TestJSONEquivalents(t *testing.T) {
	for _, page := range pages(t) {
		if filepath.Dir(page) != filepath.Join("docs", "schemes") {
			continue
		}
		blocks, _ := fences(t, page)
		compared := false
		for i, b := range blocks {
			if b.lang != "json" {
				continue
			}
			var documented, configuration any
			if err := json.Unmarshal([]byte(b.text), &documented); err != nil {
				t.Fatalf("%s: %v", b.at, err)
			}
			if i == 0 || blocks[i-1].lang != "caddyfile" {
				t.Errorf("%s: no Caddyfile stands before this JSON", b.at)
				continue
			}
			if err := json.Unmarshal(adapt(t, blocks[i-1].text), &configuration); err != nil {
				t.Fatalf("%s: %v", b.at, err)
			}
			adapted := findHandler(configuration)
			delete(adapted, "origin")
			if !reflect.DeepEqual(any(adapted), documented) {
				have, _ := json.MarshalIndent(adapted, "", "\t")
				t.Errorf("%s: the Caddyfile before it is\n%s", b.at, have)
			}
			compared = true
		}
		if !compared {
			t.Errorf("%s has no JSON equivalent", page)
		}
	}
}

// findHandler returns the first definition in an adapted configuration.
func findHandler(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		if v["handler"] == "signed_link" {
			return v
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if found := findHandler(v[key]); found != nil {
				return found
			}
		}
	case []any:
		for _, e := range v {
			if found := findHandler(e); found != nil {
				return found
			}
		}
	}
	return nil
}

var (
	mdLink  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noSlug  = regexp.MustCompile("[^a-z0-9 _-]")
)

// TestLinks follows every relative link, to the heading if it names one.
func TestLinks(t *testing.T) {
	anchors := func(page string) []string {
		_, prose := fences(t, page)
		var slugs []string
		for _, m := range heading.FindAllStringSubmatch(prose, -1) {
			slug := noSlug.ReplaceAllString(strings.ToLower(m[1]), "")
			slugs = append(slugs, strings.ReplaceAll(slug, " ", "-"))
		}
		return slugs
	}
	n := 0
	for _, page := range pages(t) {
		_, prose := fences(t, page)
		for _, m := range mdLink.FindAllStringSubmatch(prose, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.HasPrefix(target, "https://") {
				continue
			}
			n++
			path := filepath.Join(filepath.Dir(page), filepath.FromSlash(target))
			if target == "" {
				path = page
			}
			info, err := os.Stat(filepath.Join(root, path))
			switch {
			case err != nil:
				t.Errorf("%s: link %s: %v", page, m[1], err)
			case info.IsDir():
				t.Errorf("%s: link %s is a directory", page, m[1])
			case anchor != "" && !slices.Contains(anchors(path), anchor):
				t.Errorf("%s: link %s: there is no such heading", page, m[1])
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d links were found", n)
	}
}

// adapterError returns why a Caddyfile is refused.
func adapterError(t *testing.T, text string) string {
	t.Helper()
	_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err == nil {
		t.Fatalf("this is accepted:\n%s", text)
	}
	return err.Error()
}

// TestOptions finds every option that the adapter knows, by its own error messages,
// in options.md; those of one scheme on the page of the scheme, too.
func TestOptions(t *testing.T) {
	lists := regexp.MustCompile(`(?:there are|this scheme has|every scheme has) ([a-z_, ]+?)(?:, and|,? at |$)`)
	known := func(text string) (options []string) {
		message := adapterError(t, text)
		for _, m := range lists.FindAllStringSubmatch(message, -1) {
			options = append(options, strings.Split(m[1], ", ")...)
		}
		if len(options) < 8 {
			t.Errorf("only %q were found in: %s", options, message)
		}
		return options
	}
	want := map[string][]string{
		filepath.Join("docs", "options.md"): known("example.org {\n\tsigned_link {\n\t\tbogus\n\t}\n}\n"),
	}
	for _, kind := range []string{"akid", "keyed_hash", "sial"} {
		options := known("example.org {\n\tsigned_link " + kind + " {\n\t\tbogus\n\t}\n}\n")
		page := filepath.Join("docs", "options.md")
		want[page] = append(want[page], options...)
	}
	want[filepath.Join("docs", "schemes", "akid.md")] = []string{"token", "truncate", "text"}
	want[filepath.Join("docs", "schemes", "keyed_hash.md")] = keyedhash.Names
	want[filepath.Join("docs", "schemes", "sial.md")] = []string{"action", "params"}
	for page, options := range want {
		text := readFile(t, page)
		for _, option := range options {
			if option == "scheme" {
				continue // in the syntax
			}
			row := regexp.MustCompile("(?m)^\\| `" + option + "[ `]")
			if !row.MatchString(text) {
				t.Errorf("%s has no row for the option %s", page, option)
			}
		}
	}
}

// TestJSONNames finds every field of the configuration in options.md.
func TestJSONNames(t *testing.T) {
	text := readFile(t, filepath.Join("docs", "options.md"))
	for _, v := range []any{
		signedlink.Handler{},
		signedlink.SchemeConfig{},
		signedlink.Param{},
		signedlink.RequestHeader{},
		signedlink.Status{},
		signedlink.Redirect{},
		signedlink.Throttle{},
		matcher.Matcher{},
		logfilter.LogFilter{},
		akid.Scheme{},
		keyedhash.Options{},
		keyedhash.Time{},
		sial.Scheme{},
		inline.Source{},
		inline.Secret{},
		sql.Source{},
	} {
		typ := reflect.TypeOf(v)
		for field := range typ.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				continue
			}
			if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, `"`+name+`"`) {
				t.Errorf("options.md does not name the field %s of %s", name, typ)
			}
		}
	}
}

// TestProfiles compares the tables of profiles.md with those in the code.
func TestProfiles(t *testing.T) {
	mark := map[bool]string{true: " yes", false: ""}
	var want strings.Builder
	for _, r := range backend.Rules {
		fmt.Fprintf(&want, "| `%s` |%s |%s |%s | %s |\n", r.Name, mark[r.PHP], mark[r.Servlet], mark[r.Strict], strings.ReplaceAll(r.Answers, "&", "&amp;"))
	}
	if !strings.Contains(readFile(t, filepath.Join("docs", "profiles.md")), "\n"+want.String()+"\n") {
		t.Errorf("profiles.md does not have the table\n%s", &want)
	}
	want.Reset()
	for _, r := range targets.Rows {
		fmt.Fprintf(&want, "| `%s` |%s |%s |%s | %s |\n", r.Name, mark[r.PHP], mark[r.Servlet], mark[r.Strict], strings.ReplaceAll(r.Backend, "&", "&amp;"))
	}
	if !strings.Contains(readFile(t, filepath.Join("docs", "profiles.md")), "\n"+want.String()+"\n") {
		t.Errorf("profiles.md does not have the table of the readings\n%s", &want)
	}
	for name, bound := range map[string]int{"bytes": targets.MaxPath, "readings": targets.MaxReadings} {
		if !strings.Contains(readFile(t, filepath.Join("docs", "profiles.md")), fmt.Sprintf(" %d %s", bound, name)) {
			t.Errorf("profiles.md does not say that %d %s are the bound", bound, name)
		}
	}
}

// TestReasons finds every reason, and every detail that stands in the code, in the
// tables of options.md; and nothing else in those tables.
func TestReasons(t *testing.T) {
	text := readFile(t, filepath.Join("docs", "options.md"))
	for _, reason := range link.Reasons {
		if !regexp.MustCompile("(?m)^\\| `" + string(reason) + "` \\| \\d{3} \\|").MatchString(text) {
			t.Errorf("options.md has no status for %s", reason)
		}
	}
	documented := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `(\\w+)` \\|").FindAllStringSubmatch(text, -1) {
		if slices.Contains(link.Reasons, link.Reason(m[1])) {
			documented[m[1]+"/"+m[2]] = true
		}
	}
	reasons := map[string]link.Reason{
		"Missing": link.Missing, "Malformed": link.Malformed, "Ambiguous": link.Ambiguous, "BadSignature": link.BadSignature,
		"Expired": link.Expired, "NotYetValid": link.NotYetValid, "Method": link.Method, "Body": link.Body,
		"KeysUnavailable": link.KeysUnavailable, "Throttled": link.Throttled,
	}
	// Details that a function returns, and a Refuse elsewhere puts behind a reason.
	produced := map[string]bool{
		"malformed/empty": true, "malformed/too_short": true, "malformed/too_long": true, "malformed/too_many": true,
		"malformed/charset": true, "malformed/blank": true, "ambiguous/rewritten": true,
	}
	for _, detail := range bodies.Details {
		produced["body/"+detail] = true
	}
	refuse := regexp.MustCompile(`Refuse\((?:link\.)?(\w+), "(\w+)"\)`)
	for _, file := range goFiles(t) {
		for _, m := range refuse.FindAllStringSubmatch(readFile(t, file), -1) {
			produced[string(reasons[m[1]])+"/"+m[2]] = true
		}
	}
	for d := range produced {
		if !documented[d] {
			t.Errorf("options.md does not explain %s", d)
		}
	}
	for d := range documented {
		if !produced[d] {
			t.Errorf("options.md explains %s, which nothing says", d)
		}
	}
}

// goFiles returns the program's own source files.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "integration" || d.Name() == "docs") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// listed are the modules that xcaddy.md says must be in the list.
func listed(t *testing.T) string {
	t.Helper()
	blocks, _ := fences(t, "xcaddy.md")
	for _, b := range blocks {
		if list, ok := strings.CutPrefix(b.text, "$ ./caddy list-modules | grep signed_link\n"); ok {
			return list
		}
	}
	t.Fatal("xcaddy.md does not show the list of modules")
	return ""
}

// TestModuleList compares the list in xcaddy.md with the modules that there are, each of
// which stands in the reference.
func TestModuleList(t *testing.T) {
	reference := readFile(t, filepath.Join("docs", "reference.md"))
	var have strings.Builder
	examples := []string{"http.signed_link.keys.derived", "http.signed_link.schemes.tilde"} // of extending.md
	for _, id := range caddy.Modules() {
		if strings.Contains(id, "signed_link") && !slices.Contains(examples, id) {
			have.WriteString(id + "\n")
			if !strings.Contains(reference, "\n## "+id+"\n") {
				t.Errorf("reference.md does not have %s", id)
			}
		}
	}
	if have.String() != listed(t) {
		t.Errorf("there are\n%s", &have)
	}
}

// TestNoSecretsInText: an example that shows a secret in clear would be copied.
func TestNoSecretsInText(t *testing.T) {
	everyBlock(t, "caddyfile", func(t *testing.T, b block) {
		for line := range strings.SplitSeq(b.text, "\n") {
			fields := strings.Fields(line)
			if len(fields) >= 2 && fields[0] == "secret" && !strings.HasPrefix(fields[1], "{env.") && !strings.HasPrefix(fields[1], "{file.") {
				t.Errorf("the secret stands in clear: %s", line)
			}
		}
	})
	for _, page := range pages(t) {
		if bytes.Contains([]byte(readFile(t, page)), []byte("{$")) && page != filepath.Join("docs", "options.md") {
			t.Errorf("%s: a {$NAME} puts the secret in clear into the configuration", page)
		}
	}
}

// TestFloors: every import runs down, by the floors of architecture.md, on which each package
// has its place.
func TestFloors(t *testing.T) {
	const module = "github.com/signedlink/caddy-signed-link"
	floors := make(map[string]int)
	for _, row := range regexp.MustCompile(`(?m)^\| (-?\d+) \| ([^|]+) \|`).FindAllStringSubmatch(readFile(t, filepath.Join("docs", "architecture.md")), -1) {
		n, _ := strconv.Atoi(row[1])
		for name := range strings.SplitSeq(row[2], ", ") {
			floors[strings.Trim(name, "`")] = n
		}
	}
	floorOf := func(dir string) (int, bool) {
		if dir == "." {
			dir = "the root"
		}
		for {
			if n, ok := floors[dir]; ok {
				return n, true
			}
			parent := path.Dir(dir)
			if n, ok := floors[parent+"/…"]; ok || parent == "." {
				return n, ok
			}
			if parent == "keys" || strings.HasPrefix(dir, "internal/") && !strings.Contains(parent, "/devel") {
				return 0, false // its parent's place is not its own
			}
			dir = parent
		}
	}
	files := goFiles(t)
	if len(files) < 100 {
		t.Fatalf("%d files", len(files))
	}
	for _, file := range files {
		dir := path.Dir(filepath.ToSlash(file))
		switch {
		case strings.HasPrefix(dir, "examples"), strings.HasPrefix(dir, "keys/internal"), strings.HasSuffix(dir, "test"):
			continue // examples, what sources share, and helpers of tests
		}
		own, ok := floorOf(dir)
		if !ok {
			t.Errorf("%s has no place in architecture.md", dir)
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			if name != module && !strings.HasPrefix(name, module+"/") {
				continue
			}
			imported := path.Clean("." + strings.TrimPrefix(name, module))
			floor, ok := floorOf(imported)
			switch {
			case strings.HasPrefix(imported, "keys/internal"), own == 9:
			case strings.HasPrefix(dir, "schemes/") && imported == "schemes/keyedhash": // sial is a preset of it
			case !ok || floor >= own:
				t.Errorf("%s on floor %d imports %s on floor %d", dir, own, imported, floor)
			}
		}
	}
}

// TestNoCaddy: what knows nothing links none of Caddy's packages, its tests included, so that
// they start at once.
func TestNoCaddy(t *testing.T) {
	const module = "github.com/signedlink/caddy-signed-link/"
	var packages []string
	for _, row := range regexp.MustCompile(`(?m)^\| -?\d+ \| ([^|]+) \| [^|]+ \| nothing \|$`).FindAllStringSubmatch(readFile(t, filepath.Join("docs", "architecture.md")), -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			if name != "`keys`" { // its tests compare what it resolves with what Caddy would
				packages = append(packages, "./"+strings.Trim(name, "`"))
			}
		}
	}
	if len(packages) < 11 {
		t.Fatalf("only %q know nothing", packages)
	}
	command := exec.CommandContext(t.Context(), "go", append([]string{"list", "-test", "-f", `{{.ImportPath}} {{join .Deps " "}}`}, packages...)...)
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name, deps, _ := strings.Cut(line, " ")
		if strings.Contains(deps, "github.com/caddyserver/") {
			t.Errorf("%s links Caddy", strings.TrimPrefix(name, module))
		}
	}
}

// TestExtending: the page shows the examples as they stand.
func TestExtending(t *testing.T) {
	blocks, _ := fences(t, filepath.Join("docs", "extending.md"))
	var shown []string
	for _, b := range blocks {
		if b.lang == "go" {
			shown = append(shown, b.text)
		}
	}
	want := []string{
		readFile(t, filepath.Join("examples", "extending", "tilde", "tilde.go")),
		readFile(t, filepath.Join("examples", "extending", "derived", "derived.go")),
	}
	if !slices.EqualFunc(shown, want, func(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }) {
		t.Error("docs/extending.md does not show the files of examples/extending as they are")
	}
}

// TestThreatModel: every test that the threat model names stands in the file that it
// links to.
func TestThreatModel(t *testing.T) {
	page, err := os.ReadFile("threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\[(Test\w+)\]\(([^)]+)\)`).FindAllStringSubmatch(string(page), -1)
	if len(named) < 30 {
		t.Fatalf("%d tests are named", len(named))
	}
	for _, m := range named {
		source, err := os.ReadFile(m[2])
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(string(source), "func "+m[1]+"(") {
			t.Errorf("%s has no %s", m[2], m[1])
		}
	}
}
