// Command reference writes docs/reference.md, the reference of the configuration, from
// the doc comments of the modules, which are also what caddyserver.com shows. It is run
// at the top of the checkout, by `go generate` or by hand:
//
//	go run ./internal/devel/reference
//
// Its test fails where the page is not what the comments say.
package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	page       = "docs/reference.md"
	modulePath = "github.com/signedlink/caddy-signed-link"
)

func main() {
	text, err := generate(".")
	if err == nil {
		err = os.WriteFile(filepath.FromSlash(page), []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// intro is what the page begins with.
const intro = `<!-- go run ./internal/devel/reference writes this page from the doc comments. Change those. -->

# Reference

Every module, every field of its JSON and every line of its Caddyfile, made from the comments in the source. [Options](options.md) explains the same by subject, with examples.

`

// order is in which order the page has the modules: by the beginnings of their ids.
var order = []string{"http.handlers.", "http.signed_link.schemes.", "http.signed_link.keys.", "http.matchers.", "caddy.logging.", ""}

// generate makes the page from the source below root.
func generate(root string) (string, error) {
	packages := make(map[string]*source)
	var modules []module
	for _, pattern := range []string{".", "internal/*", "internal/gateway/app", "schemes/*", "keys/*"} {
		dirs, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			return "", err
		}
		for _, dir := range dirs {
			s, err := parse(dir)
			if err != nil {
				return "", err
			}
			rel, err := filepath.Rel(root, dir)
			if err != nil {
				return "", err
			}
			packages[filepath.ToSlash(filepath.Join(modulePath, rel))] = s
			modules = append(modules, s.modules...)
		}
	}
	rank := func(m module) int {
		return slices.IndexFunc(order, func(prefix string) bool { return strings.HasPrefix(m.id, prefix) })
	}
	slices.SortFunc(modules, func(a, b module) int {
		if n := rank(a) - rank(b); n != 0 {
			return n
		}
		return strings.Compare(a.id, b.id)
	})
	w := &writer{root: root, packages: packages}
	w.WriteString(intro)
	for _, m := range modules {
		fmt.Fprintf(w, "* [`%s`](#%s)\n", m.id, slug(m.id))
	}
	for _, m := range modules {
		if err := w.module(m); err != nil {
			return "", fmt.Errorf("%s: %w", m.id, err)
		}
	}
	return w.String(), nil
}

// slug is the anchor that GitHub gives to a heading.
func slug(heading string) string {
	return strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

// source is what the page needs of one package.
type source struct {
	structs map[string]structType
	modules []module
}

type structType struct {
	doc     string
	fields  *ast.FieldList
	imports map[string]string // of its file: name → path
	in      *source
}

// module is a Caddy module.
type module struct {
	id     string
	typ    structType
	syntax string // of the Caddyfile: the doc comment of the function that reads it
}

// directive is the function that reads the directive, which is no method of the handler.
const directive = "parseCaddyfile"

func parse(dir string) (*source, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	s := &source{structs: make(map[string]structType)}
	ids, syntaxes := make(map[string]string), make(map[string]string)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		imports := make(map[string]string)
		for _, i := range parsed.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return nil, err
			}
			name := path[strings.LastIndexByte(path, '/')+1:]
			if i.Name != nil {
				name = i.Name.Name
			}
			imports[name] = path
		}
		for _, d := range parsed.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if t, ok := spec.(*ast.TypeSpec); ok {
						if st, ok := t.Type.(*ast.StructType); ok {
							doc := unnamed(t.Name.Name, d.Doc.Text())
							s.structs[t.Name.Name] = structType{doc: doc, fields: st.Fields, imports: imports, in: s}
						}
					}
				}
			case *ast.FuncDecl:
				switch d.Name.Name {
				case "CaddyModule":
					ids[receiver(d)] = moduleID(d)
				case "UnmarshalCaddyfile":
					syntaxes[receiver(d)] = d.Doc.Text()
				case directive:
					syntaxes["Handler"] = d.Doc.Text()
				}
			}
		}
	}
	for name, id := range ids {
		if id == "" {
			return nil, fmt.Errorf("%s: the id of %s is no constant text", dir, name)
		}
		s.modules = append(s.modules, module{id: id, typ: s.structs[name], syntax: syntaxes[name]})
	}
	return s, nil
}

// unnamed takes the name of the type, with which Go's doc comments begin, out of one.
func unnamed(name, doc string) string {
	rest, found := strings.CutPrefix(doc, name+" ")
	if !found {
		return doc
	}
	rest = strings.TrimPrefix(rest, "is ")
	return strings.ToUpper(rest[:1]) + rest[1:]
}

// receiver is the type of a method, or empty.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if ident, ok := t.(*ast.Ident); ok {
		return ident.Name
	}
	return ""
}

// moduleID finds the ID in what CaddyModule returns.
func moduleID(d *ast.FuncDecl) (id string) {
	ast.Inspect(d.Body, func(n ast.Node) bool {
		if kv, ok := n.(*ast.KeyValueExpr); ok {
			key, isIdent := kv.Key.(*ast.Ident)
			value, isText := kv.Value.(*ast.BasicLit)
			if isIdent && isText && key.Name == "ID" {
				id, _ = strconv.Unquote(value.Value)
			}
		}
		return true
	})
	return id
}

// writer writes the page.
type writer struct {
	strings.Builder
	root     string
	packages map[string]*source
}

func (w *writer) module(m module) error {
	fmt.Fprintf(w, "\n## %s\n\n", m.id)
	if m.typ.doc == "" {
		return errors.New("the module has no doc comment")
	}
	w.WriteString(markdown(m.typ.doc))
	name := m.id[strings.LastIndexByte(m.id, '.')+1:]
	if more := "schemes/" + name + ".md"; strings.HasPrefix(m.id, "http.signed_link.schemes.") && exists(w.root, "docs/"+more) {
		fmt.Fprintf(w, "\n[The page of %s](%s) has examples.\n", name, more)
	}
	if m.syntax != "" {
		_, syntax, found := strings.Cut(m.syntax, "Syntax:\n")
		if !found {
			return errors.New("the doc comment of the function that reads the Caddyfile has no \"Syntax:\"")
		}
		w.WriteString("\n### Caddyfile\n\n" + markdown(strings.TrimLeft(syntax, "\n")))
	} else if strings.HasPrefix(m.id, "http.signed_link.keys.") {
		w.WriteString("\nIn a Caddyfile it is written among [the options of every scheme](#caddyfile).\n")
	}
	return w.table("", m.typ)
}

func exists(root, path string) bool {
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(path)))
	return err == nil
}

// nested is a struct that a field holds, and how to get there.
type nested struct {
	path string
	typ  structType
}

// table writes the fields of a struct, and then those of the structs in them.
func (w *writer) table(path string, t structType) error {
	rows, inner, err := w.rows(path, t)
	if err != nil || len(rows) == 0 {
		return err
	}
	if path != "" {
		fmt.Fprintf(w, "\n#### `%s`\n\n", path)
		w.WriteString(markdown(t.doc))
	} else {
		w.WriteString("\n### JSON\n")
	}
	w.WriteString("\n| field | type | default | meaning |\n|---|---|---|---|\n" + strings.Join(rows, ""))
	for _, n := range inner {
		if err := w.table(n.path, n.typ); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) rows(path string, t structType) (rows []string, inner []nested, err error) {
	for _, f := range t.fields.List {
		if len(f.Names) == 0 { // embedded: its fields stand beside the others
			_, typ, err := w.describe("", f, t)
			if err != nil {
				return nil, nil, err
			}
			more, moreInner, err := w.rows(path, *typ)
			if err != nil {
				return nil, nil, err
			}
			rows, inner = append(rows, more...), append(inner, moreInner...)
			continue
		}
		if f.Tag == nil {
			continue
		}
		tag := strings.Trim(f.Tag.Value, "`")
		name, options, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		doc := strings.Join(strings.Fields(f.Doc.Text()), " ")
		if doc == "" {
			return nil, nil, fmt.Errorf("the field %s has no doc comment", name)
		}
		kind, typ, err := w.describe(tag, f, t)
		if err != nil {
			return nil, nil, err
		}
		byDefault, meaning := split(doc)
		if byDefault == "" && options != "omitempty" {
			byDefault = "required"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, kind, cell(byDefault), cell(meaning)))
		if typ != nil {
			at := strings.TrimPrefix(path+"."+name, ".")
			switch {
			case strings.HasPrefix(kind, "list"):
				at += "[]"
			case strings.HasPrefix(kind, "object of"):
				at += ".NAME"
			}
			inner = append(inner, nested{at, *typ})
		}
	}
	return rows, inner, nil
}

// split takes the sentences that say the default out of a field's comment.
func split(doc string) (byDefault, meaning string) {
	const mark = "Default: "
	if before, found := strings.CutSuffix(doc, " Required."); found {
		return "required", before
	}
	before, after, found := strings.Cut(doc, mark)
	if !found {
		return "", doc
	}
	byDefault, rest, _ := strings.Cut(after+" ", ". ")
	return byDefault, strings.TrimSpace(before + rest)
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// describe says in words what a field holds, and which struct is in it, if there is one.
func (w *writer) describe(tag string, f *ast.Field, in structType) (kind string, typ *structType, err error) {
	if modules := reflect.StructTag(tag).Get("caddy"); modules != "" {
		return w.modules(modules), nil, nil
	}
	var of func(e ast.Expr) string
	of = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.StarExpr:
			return of(e.X)
		case *ast.ArrayType:
			return "list of " + plural(of(e.Elt))
		case *ast.MapType:
			return "object of " + plural(of(e.Value))
		case *ast.Ident:
			if s, ok := in.in.structs[e.Name]; ok {
				typ = &s
				return "object"
			}
			if word, ok := words[e.Name]; ok {
				return word
			}
		case *ast.SelectorExpr:
			name := fmt.Sprint(e.X) + "." + e.Sel.Name
			if word, ok := words[name]; ok {
				return word
			}
			if p, ok := w.packages[in.imports[fmt.Sprint(e.X)]]; ok {
				if s, ok := p.structs[e.Sel.Name]; ok {
					typ = &s
					return "object"
				}
			}
		}
		err = fmt.Errorf("nobody knows what to call the type %T of a field", e)
		return ""
	}
	kind = of(f.Type)
	return kind, typ, err
}

// words are what the types are called.
var words = map[string]string{
	"string": "text", "bool": "`true` or `false`", "int": "number", "caddy.Duration": "duration",
}

func plural(word string) string {
	if word == "text" {
		return "texts"
	}
	return word + "s"
}

// modules says which modules a field holds, from its tag.
func (w *writer) modules(tag string) string {
	namespace, key := "", ""
	for field := range strings.FieldsSeq(tag) {
		if v, ok := strings.CutPrefix(field, "namespace="); ok {
			namespace = v
		}
		if v, ok := strings.CutPrefix(field, "inline_key="); ok {
			key = v
		}
	}
	if key == "" {
		return "modules of `" + namespace + "`"
	}
	return "module of `" + namespace + "`, named by `" + key + "`"
}

// markdown makes a page's text of a doc comment: its indented parts become blocks, in
// the language that the tests of the documentation run, where there is one.
func markdown(doc string) string {
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(doc, "\n"), "\n")
	for i := 0; i < len(lines); {
		if !strings.HasPrefix(lines[i], "\t") {
			out.WriteString(lines[i] + "\n")
			i++
			continue
		}
		var code strings.Builder
		for ; i < len(lines) && (strings.HasPrefix(lines[i], "\t") || lines[i] == "" && i+1 < len(lines) && strings.HasPrefix(lines[i+1], "\t")); i++ {
			code.WriteString(strings.TrimPrefix(lines[i], "\t") + "\n")
		}
		out.WriteString("```" + language(code.String()) + "\n" + code.String() + "```\n")
	}
	return out.String()
}

func language(code string) string {
	switch {
	case strings.HasPrefix(code, "{"):
		return "json"
	case strings.Contains(code, "<"), strings.Contains(code, "|"): // a grammar
		return ""
	case strings.HasPrefix(code, "signed_link "), strings.HasPrefix(code, "@"):
		return "caddyfile"
	default:
		return ""
	}
}
