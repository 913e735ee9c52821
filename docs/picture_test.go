package docs_test

import (
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// picture is what is written in docs/request.svg.
type picture struct {
	texts    []string // as they are seen
	elements []string
}

func readPicture(t *testing.T, source string) (p picture) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(source))
	depth := 0 // within a <text>
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			p.elements = append(p.elements, token.Name.Local)
			if token.Name.Local == "text" {
				p.texts = append(p.texts, "")
			}
			if token.Name.Local == "text" || depth > 0 {
				depth++
			}
		case xml.EndElement:
			depth = max(depth-1, 0)
		case xml.CharData:
			if depth > 0 {
				p.texts[len(p.texts)-1] += string(token)
			}
		}
	}
}

// TestPicture: what the picture of the README shows is what the requests below it do, and
// its statuses are those of options.md. It can be read aloud, in the dark, and loads
// nothing from elsewhere.
func TestPicture(t *testing.T) {
	source := readFile(t, filepath.Join("docs", "request.svg"))
	p := readPicture(t, source)
	for _, element := range []string{"title", "desc", "style"} {
		if !slices.Contains(p.elements, element) {
			t.Errorf("the picture has no %s", element)
		}
	}
	if !strings.Contains(source, "prefers-color-scheme: dark") {
		t.Error("the picture has one dress for day and night")
	}
	for _, elsewhere := range []string{"href", "url(", "@import", "<script", "<image", "http:", "https:"} {
		if strings.Contains(strings.Replace(source, `xmlns="http://www.w3.org/2000/svg"`, "", 1), elsewhere) {
			t.Errorf("the picture has %s in it", elsewhere)
		}
	}

	readme := readFile(t, "README.md")
	const sent = "curl -H 'X-Verified-User: admin' 'http://127.0.0.1:8080/sign?page=climate&akid=2695.103007.LF7xxL'\n"
	_, answer, found := strings.Cut(readme, sent)
	if !found {
		t.Fatalf("README.md does not have %s", sent)
	}
	answer, _, _ = strings.Cut(answer, "\n$ ")
	for _, want := range []string{"GET /sign?page=climate&akid=2695.103007.LF7xxL", "X-Verified-User: admin"} {
		if !slices.Contains(p.texts, want) {
			t.Errorf("the picture does not show that %s was sent: %q", want, p.texts)
		}
	}
	gets := strings.NewReplacer(`"`, "").Replace(answer)
	shown := 0
	for line := range strings.SplitSeq(gets, "\n") {
		name, value, header := strings.Cut(line, ": ")
		if header && value == "" || name == "Cookie" {
			continue
		}
		shown++
		if !slices.Contains(p.texts, line) {
			t.Errorf("the picture does not show that the application gets %q: %q", line, p.texts)
		}
	}
	if shown != 4 {
		t.Errorf("the application gets %d lines: %s", shown, gets)
	}

	options := readFile(t, filepath.Join("docs", "options.md"))
	refusals := 0
	for _, text := range p.texts {
		m := regexp.MustCompile(`^(\d{3}) (\w+)$`).FindStringSubmatch(text)
		if m == nil {
			continue
		}
		refusals++
		if !strings.Contains(options, "\n| `"+m[2]+"` | "+m[1]+" |") {
			t.Errorf("options.md does not have the refusal %s", text)
		}
	}
	if refusals < 5 {
		t.Errorf("the picture has %d refusals", refusals)
	}
}
