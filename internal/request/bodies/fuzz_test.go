package bodies

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// naive are the names of the parts, as a reader finds them that looks for nothing but
// `name="…"` behind each line that is the boundary.
func naive(boundary, body string) (names []string) {
	name := regexp.MustCompile(`(?i)[;\s]name="([^"]*)"`)
	lines := strings.Split(body, "\n")
	for i, line := range lines {
		if strings.TrimRight(line, "\r \t") != "--"+boundary {
			continue
		}
		for _, head := range lines[i+1:] {
			if strings.TrimRight(head, "\r") == "" {
				break
			}
			for _, m := range name.FindAllStringSubmatch(head, -1) {
				names = append(names, m[1])
			}
		}
	}
	return names
}

// standard are the names of the parts as the standard library reads them.
func standard(contentType, body string) (names []string, err error) {
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, err
	}
	r := multipart.NewReader(strings.NewReader(body), parameters["boundary"])
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return names, err
		}
		names = append(names, part.FormName())
		if _, err := io.Copy(io.Discard, part); err != nil {
			return names, err
		}
	}
}

// FuzzMultipart: what passes is read alike by the standard library, by a naive reader,
// and by this one, and none finds a protected name.
func FuzzMultipart(f *testing.F) {
	for _, h := range honestBodies(f) {
		if strings.HasPrefix(h.Type, "multipart") {
			f.Add(h.Type, h.Body)
		}
	}
	for _, h := range hostile {
		f.Add(h.contentType, []byte(h.body))
	}
	all := []*Rules{rules(f, backend.Strict), rules(f, backend.PHP), rules(f, backend.Servlet)}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		if len(body) == 0 || !strings.Contains(asciiLower(contentType), "multipart") {
			return
		}
		for _, b := range all {
			if b.Admit(post(contentType, string(body)), true) != "" {
				continue
			}
			boundary, _ := boundaryOf(contentType)
			ours := ourNames(boundary, string(body))
			theirs, err := standard(contentType, string(body))
			if err != nil || !slices.Equal(ours, theirs) {
				t.Errorf("here %q, in the standard library %q, %v", ours, theirs, err)
			}
			simple := naive(boundary, string(body))
			if !slices.Equal(ours, simple) {
				t.Errorf("here %q, to a naive reader %q", ours, simple)
			}
			for _, name := range slices.Concat(ours, theirs, simple) {
				if _, spelling := b.Names.ClassifyDecoded([]byte(name)); spelling != query.Other {
					t.Errorf("%q passes", name)
				}
			}
		}
	})
}

// ourNames are the names of the parts as this package reads them.
func ourNames(boundary, body string) (names []string) {
	rest := strings.TrimPrefix(body, "--"+boundary)
	for {
		part, behind, ok := strings.Cut(rest, "--"+boundary)
		if !ok {
			return names
		}
		if name, ok := partName(strings.TrimSuffix(part, "\r\n")); ok {
			names = append(names, name)
		}
		rest = behind
	}
}

// FuzzContentType: what passes as a body that is taken apart is the same type to the
// standard library, and has no charset that is none of the three.
func FuzzContentType(f *testing.F) {
	for _, h := range honestBodies(f) {
		f.Add(h.Type)
	}
	for _, h := range hostile {
		f.Add(h.contentType)
	}
	for _, contentType := range []string{
		"application/x-www-form-urlencoded; charset=\"utf-8\"", "application/json;a=b;charset=us-ascii", "text/xml; charset=IBM037",
		"application/x-www-form-urlencoded, text/plain", "", " ", "a/b+json; x=\"y;z\"",
	} {
		f.Add(contentType)
	}
	b := rules(f, backend.Strict)
	f.Fuzz(func(t *testing.T, line string) {
		c, detail := b.contentType([]string{line})
		lower := strings.ToLower(line)
		if c.kind == opaqueBody {
			for _, word := range []string{"form-urlencoded", "multipart", "json", "xml"} {
				if detail == "" && strings.Contains(asciiLower(line), word) {
					t.Errorf("%q goes unread", line)
				}
			}
			return
		}
		if detail != "" || strings.Trim(line, " \t") == "" {
			return
		}
		media, parameters, err := mime.ParseMediaType(line)
		if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) && !strings.Contains(err.Error(), "duplicate") {
			t.Fatalf("%q: %v", line, err)
		}
		switch c.kind {
		case formBody:
			if media != "application/x-www-form-urlencoded" {
				t.Errorf("%q is %q to others", line, media)
			}
		case multipartBody:
			if media != "multipart/form-data" || parameters["boundary"] != c.boundary || c.boundary == "" {
				t.Errorf("%q has the boundary %q here and %q elsewhere", line, c.boundary, parameters["boundary"])
			}
		case jsonBody, xmlBody, opaqueBody:
		}
		if charset, there := parameters["charset"]; there && !slices.Contains([]string{"utf-8", "iso-8859-1", "us-ascii"}, strings.ToLower(charset)) {
			t.Errorf("%q passes, in lower case %q", line, lower)
		}
	})
}

// FuzzForm: what passes has no protected name to the standard library either.
func FuzzForm(f *testing.F) {
	for _, h := range honestBodies(f) {
		if strings.Contains(h.Type, "urlencoded") {
			f.Add(string(h.Body))
		}
	}
	for _, body := range []string{"us%65r=1", "a=1;user=2", "+user=1", "user[]=1", "_METHOD=x", "&&user", "%u0075ser=1", "user%00=1"} {
		f.Add(body)
	}
	b := rules(f, backend.PHP)
	f.Fuzz(func(t *testing.T, body string) {
		if body == "" || b.Admit(post("application/x-www-form-urlencoded", body), true) != "" {
			return
		}
		values, _ := url.ParseQuery(body) // what is broken is left out
		for _, name := range []string{"user", "key", "_method", "_METHOD", "user[]"} {
			if values.Has(name) {
				t.Errorf("%q has %s", body, name)
			}
		}
	})
}

// FuzzJSON: what passes has no protected name to the standard library either, and is one
// that it can read.
func FuzzJSON(f *testing.F) {
	for _, h := range honestBodies(f) {
		if strings.Contains(h.Type, "json") {
			f.Add(h.Body)
		}
	}
	for _, body := range []string{`{"user":1}`, `{"us\u0065r":1}`, `{"a":{"user":1}}`, `[{"user":1}]`, `{"a":1}{"user":1}`, "{\"us\xffer\":1}"} {
		f.Add([]byte(body))
	}
	b := rules(f, backend.Strict)
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) == 0 || b.Admit(post("application/json", string(body)), true) != "" {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber() // of any size: JSON has no bound for them
		for {
			var value any
			if err := dec.Decode(&value); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				if _, tooDeep := errors.AsType[*json.SyntaxError](err); tooDeep {
					return // deeper than the standard library decodes
				}
				t.Fatalf("%q: %v", body, err)
			}
			object, _ := value.(map[string]any)
			for _, name := range []string{"user", "key", "_method", "_METHOD"} {
				if _, there := object[name]; there {
					t.Errorf("%q has %s", body, name)
				}
			}
		}
	})
}

// FuzzXML: of what passes, the standard library finds no protected element where Slim would,
// no declaration of types, and no element that is not closed.
func FuzzXML(f *testing.F) {
	for body := range attackXML {
		f.Add(body)
	}
	for _, body := range []string{
		`<x><!-- a - b --><a b='<' c = "d"/></x >`, `<x><![CDATA[<user/>]]></x>`, `<x><!-- --- --><user/></x>`, "<x>\n<a\tb=\"'\"\n/>&amp;</x>",
		`<a:b:user/>`, `<x><x:user/></x>`, `<x><é/></x>`, `<x><1/></x>`, `<![CDATA[a]]><x/>`, `<?a <x>?><x/>`, `<x a=b/>`, `<x a="1"b="2"/>`, `<x/ >`, `< x/>`,
	} {
		f.Add(body)
	}
	b := rules(f, backend.Strict)
	f.Fuzz(func(t *testing.T, body string) {
		if b.inspectXML([]byte(body)) != "" {
			return
		}
		dec := xml.NewDecoder(strings.NewReader(body))
		dec.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("another charset") }
		for depth := 0; ; {
			token, err := dec.RawToken()
			if err != nil {
				if errors.Is(err, io.EOF) && depth != 0 {
					t.Fatalf("%q: %d elements are open", body, depth)
				}
				return // no reader gets past it
			}
			switch token := token.(type) {
			case xml.Directive:
				t.Fatalf("%q declares %q", body, token)
			case xml.StartElement:
				if depth++; depth == 2 && b.protectedDecoded(token.Name.Local) {
					t.Fatalf("%q: %q", body, token.Name.Local)
				}
			case xml.EndElement:
				depth--
			}
		}
	})
}
