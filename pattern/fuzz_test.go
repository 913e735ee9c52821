package pattern

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// slowSplit is what Split should find, found by trying: every way to write the text as
// the pattern's literals and fields is held against the rule of each field. It returns nil
// if none fits. There is never more than one.
func slowSplit(t *testing.T, p *Pattern, text string) (found []string) {
	n := len(p.fields)
	fields := make([]string, n)
	end := len(text) - len(p.literals[n]) // where the last field ends
	var from []int                        // where each field begins
	var try func(i, at int)
	try = func(i, at int) {
		if !strings.HasPrefix(text[at:], p.literals[i]) {
			return
		}
		at += len(p.literals[i])
		if i == n {
			if at == len(text) && slowRules(p, text[:end], from, fields) {
				if found != nil {
					t.Fatalf("%s: %q is %q and %q", p, text, found, fields)
				}
				found = slices.Clone(fields)
			}
			return
		}
		from = append(from, at)
		for to := at + 1; to <= end; to++ {
			if fields[i] = text[at:to]; p.path && !p.fields[i].Greedy && text[to-1] == '/' {
				break
			}
			try(i+1, to)
		}
		from = from[:i]
	}
	try(0, 0)
	return found
}

// slowRules holds the fields of a text, whose last literal is cut, against the rules.
func slowRules(p *Pattern, text string, from []int, fields []string) bool {
	rest := p.greedy
	if rest < 0 {
		rest = len(fields) - 1
	}
	for i, f := range fields {
		switch end := from[i] + len(f); {
		case i < rest: // no literal before its end
			for at := from[i]; at < end; at++ {
				if strings.HasPrefix(text[at:], p.literals[i+1]) {
					return false
				}
			}
		case i > rest: // no literal behind its begin, not even one that begins before
			first := from[i] - len(p.literals[i])
			for at := first + 1; at+len(p.literals[i]) <= end; at++ {
				if strings.HasPrefix(text[at:], p.literals[i]) {
					return false
				}
			}
		}
	}
	return true
}

// checkSplit compares Split with slowSplit.
func checkSplit(t *testing.T, p *Pattern, text string) {
	into := make([]string, len(p.Fields()))
	want := slowSplit(t, p, text)
	if why := p.Departs(text); (why == "") != (want != nil) {
		t.Fatalf("%s: %q departs: %q, and is %q", p, text, why, want)
	}
	if ok := p.Split(text, into); ok != (want != nil) || ok && !slices.Equal(into, want) {
		t.Fatalf("%s: %q is %q (%t), want %q", p, text, into, ok, want)
	}
	if want == nil {
		return
	}
	if got := string(p.Join(nil, into)); got != text {
		t.Errorf("%s: %q comes back as %q", p, text, got)
	}
	for i, f := range into {
		if f == "" || p.IsPath() && !p.Fields()[i].Greedy && strings.Contains(f, "/") {
			t.Errorf("%s: %q has the field %q", p, text, f)
		}
	}
}

// parseAny compiles a pattern as one of a path if that is possible.
func parseAny(text string) (*Pattern, error) {
	if p, err := ParsePath(text); err == nil {
		return p, nil
	}
	return Parse(text)
}

// TestSplitNeighbours: all short texts of few letters, of which literals and fields are
// made alike.
func TestSplitNeighbours(t *testing.T) {
	var texts []string
	for length, from := 0, 0; length <= 7; length++ {
		if length == 0 {
			texts = append(texts, "")
			continue
		}
		for last := len(texts); from < last; from++ {
			for _, c := range "ab/" {
				texts = append(texts, texts[from]+string(c))
			}
		}
	}
	for _, pattern := range []string{
		"<x>", "<x...>", "a<x>", "<x>a", "a<x>a", "ab<x>ba", "aa<x>aa", "<x>a<y>", "<x>aa<y>", "<x>ab<y>", "<x>aba<y>", "<x...>a<y>",
		"<x...>aa<y>", "<x...>aba<y>", "<x>a<y...>aa<z>", "<x>aa<y...>a<z>", "<x>a<y>b<z>", "<x...>a<y>b<z>", "<x...>ab<y>ba<z>",
		"<x>a<y>a<z...>", "<x...>a<y>a<z>", "a<x>a<y>a", "a<x...>a<y>a", "a<x>aa<y...>aa<z>a", "<x>a<y>a<z>a<w>", "<x>a<y>a<z...>a<w>",
		"/<x>", "/<x...>", "/<x>/<y>", "/<x>/<y...>", "/<x...>/<y>", "/<x>a<y>/", "/a<x>/<y...>b", "/<x>a/<y>", "/<x...>a/a<y>", "/<x>/<y...>/<z>",
	} {
		p := mustParse(t, pattern)
		fit := 0
		for _, text := range texts {
			checkSplit(t, p, text)
			if p.Split(text, make([]string, len(p.fields))) {
				fit++
			}
			if p.IsPath() {
				checkShape(t, p, text)
			}
		}
		if fit == 0 && len(p.Sample(nil)) <= 7 {
			t.Errorf("nothing fits %s", p)
		}
	}
}

// FuzzSplit: Split finds what the rules say, and all of it comes back.
func FuzzSplit(f *testing.F) {
	for _, seed := range [][2]string{
		{"<signature>_<issued>_<life>", "s_1_2"},
		{"<a>__<b>", "a___b"},
		{"<a>--<b...>--<c>", "1-----5"},
		{"v1.<a>.v1", "v1.x.v1"},
		{"/dl/<s>/<t>/<file...>", "/dl/s/1/a/b"},
		{"/<file...>-<s>.jpg", "/a/b-c-s.jpg"},
		{`\<<a>>\\\{\}\n\t<b>`, "<x>\\{}\n\ty"},
		{"<a>é<b>", "xéy"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		p, err := parseAny(pattern)
		if err != nil || len(p.Fields()) > 4 || len(text) > 40 {
			return
		}
		if p.String() != pattern || len(p.Literals()) != len(p.Fields())+1 {
			t.Errorf("%q is %q", pattern, p)
		}
		checkSplit(t, p, text)
		// what the pattern makes of its own text, and of the fields that this one has
		checkSplit(t, p, p.Sample(nil))
		fields := make([]string, len(p.Fields()))
		for i := range fields {
			fields[i] = text[i*len(text)/len(fields) : (i+1)*len(text)/len(fields)]
		}
		if joined := string(p.Join(nil, fields)); len(joined) <= 80 {
			checkSplit(t, p, joined)
		}
	})
}

// slowShape is Shape by trying, for one spelling of the slash at the end.
func slowShape(literals []string, text string) bool {
	if !strings.HasPrefix(text, literals[0]) {
		return false
	}
	text = text[len(literals[0]):]
	if len(literals) == 1 {
		return text == ""
	}
	for at := range len(text) + 1 {
		if slowShape(literals[1:], text[at:]) {
			return true
		}
	}
	return false
}

// checkShape compares Shape with slowShape, and with Split.
func checkShape(t *testing.T, p *Pattern, text string) {
	literals := make([]string, len(p.literals))
	for i, l := range p.literals {
		literals[i] = strings.ToLower(l)
	}
	low := strings.ToLower(text)
	want := slowShape(literals, low) || slowShape(literals, low+"/") || strings.HasSuffix(low, "/") && slowShape(literals, low[:len(low)-1])
	if got := p.Shape(text); got != want {
		t.Errorf("%s: the shape of %q is %t", p, text, got)
	}
	if want := strings.HasPrefix(low, literals[0]); p.Begins(text) != want {
		t.Errorf("%s: begins %q is %t", p, text, !want)
	}
	if !p.Split(text, make([]string, len(p.fields))) {
		return
	}
	for _, like := range []string{text, strings.ToUpper(text), low, text + "/", strings.TrimSuffix(text, "/")} {
		if !p.Shape(like) {
			t.Errorf("%s: %q fits, and %q is not of the shape", p, text, like)
		}
	}
}

// FuzzShape: what fits is of the shape, also in another spelling, and the rest is what
// the rule says.
func FuzzShape(f *testing.F) {
	for _, seed := range [][2]string{
		{"/dl/<s>/<t>", "/dl/s/1"},
		{"/Dl/<s>/<t>", "/DL/s"},
		{"/<s>/edit", "/x/edit/"},
		{"/<s>/edit/", "/x/edit"},
		{"/a<s>ab<t>bc", "/aabbc"},
		{"/k/<s...>", "/\u212a/x"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := ParsePath(pattern)
		if err != nil || len(p.Fields()) > 4 || len(path) > 40 {
			return
		}
		checkShape(t, p, path)
		checkShape(t, p, p.Sample(map[string]string{p.Fields()[0].Name: path}))
	})
}

// redactors are sets of places, each with a path at whose end a signature stands.
func redactors(t testing.TB) []struct {
	r    *Redactor
	path string
} {
	base64URL := Place{Pattern: mustParse(t, "/u/<id>/<s>"), Field: "s", Alphabet: isBase64URL, Length: 32}
	return []struct {
		r    *Redactor
		path string
	}{
		{NewRedactor([]Place{at(t, "/u/<id>/<s>")}), "/u/42/"},
		{NewRedactor([]Place{base64URL, at(t, "/u/<s>.<id>")}), "/u/4-2/"},
		{NewRedactor([]Place{at(t, "/dl/x-<id>.<s>")}), "/dl/x-1."},
		{NewRedactor([]Place{{Pattern: mustParse(t, "/u/<id>/<s>"), Field: "s", Alphabet: isBase64, Length: 32}}), "/u/42/"},
		{NewRedactor([]Place{at(t, "/<id>/<s>"), {Segment: 1, Alphabet: isBase64URL, Length: 32}}), "/42/"},
		{NewRedactor([]Place{at(t, "/<file...>/<s>")}), "/a/b/c/"},
		{NewRedactor([]Place{{Segment: 2, Alphabet: isBase64URL, Length: 32}}), "/a/b/"},
	}
}

// FuzzRedact: what is taken out is taken out once and for all, nothing else changes, and a
// signature in a link does not stay, however the link is damaged and whatever stands around
// it.
func FuzzRedact(f *testing.F) {
	f.Add("/u/42/", "?x=y", uint8(0), uint8(0))
	f.Add("GET /x/", " HTTP/1.1", uint8(1), uint8(1))
	f.Add(`{"to":"`, `"}`, uint8(2), uint8(2))
	f.Add("/r?to=https%3A%2F%2Fhost", "%3Fx%3Dy", uint8(3), uint8(4))
	f.Add("https://host", "==/x", uint8(4), uint8(8))
	f.Add("/x/://", "/"+sig+"==/,/"+sig, uint8(5), uint8(16))
	f.Add("/%252F%25%2F/REDACTED"+sig, "%2F"+sig, uint8(6), uint8(31))
	all := redactors(f)
	var crowd []Place
	for i := range 300 {
		crowd = append(crowd, at(f, fmt.Sprintf("/u%d/<id>/<s>", i)))
	}
	many := NewRedactor(append(crowd, at(f, "/u/<id>/<s>"), at(f, "/dl/x-<id>.<s>"), at(f, "/dl/<s>")))
	f.Fuzz(func(t *testing.T, before, behind string, which, damage uint8) {
		set := all[int(which)%len(all)]
		checkLiterals(t, many, before+behind)
		checkLiterals(t, set.r, before+set.path+behind)
		for _, text := range []string{before, before + behind, before + set.path + sig + behind} {
			checkRedact(t, set.r.Redact, text)
			checkRedact(t, set.r.Path, text)
			if got := set.r.Path("/" + text); got[0] != '/' || isEscaped(text) && !isEscaped(got) {
				t.Errorf("%q is no path any more: %q", text, got)
			}
		}

		path, signature := set.path, sig
		if damage&1 != 0 {
			signature = cut
		}
		if damage&2 != 0 {
			path, signature = strings.ToUpper(path), strings.ToUpper(signature)
		}
		if damage&4 != 0 {
			signature = signature[:3] + "%61" + signature[4:]
		}
		link := path + signature
		if damage&8 != 0 {
			link = strings.ReplaceAll(link, "/", "//")
		}
		if damage&16 != 0 {
			link, signature = strings.ReplaceAll(strings.ReplaceAll(link, "%", "%25"), "/", "%2f"), strings.ReplaceAll(signature, "%", "%25")
		}
		for _, text := range []string{link + behind, "https://host" + link + behind, before + " " + link + behind, before + "?to=" + link + behind} {
			if got := set.r.Redact(text); !strings.Contains(got, redacted) || strings.Count(got, signature) >= strings.Count(text, signature) {
				t.Errorf("%q: %q stays in %q", text, signature, got)
			}
		}
		for _, path := range []string{link, link + link, link + "/" + signature} { // also pasted twice
			if got := set.r.Path(path); strings.Contains(got, signature) {
				t.Errorf("%q stays in %q", signature, got)
			}
		}
	})
}

// checkLiterals: no place is passed over whose literal begins a path with a signature.
func checkLiterals(t *testing.T, r *Redactor, text string) {
	for _, whole := range []bool{true, false} {
		c := scan{s: text, whole: whole}
		there := make([]uint64, (len(r.places)+63)/64)
		c.literals(&r.tree, there)
		for i := range r.places {
			if r.places[i].literal == "" {
				continue
			}
			// whatever stands behind it is long enough
			p := r.places[i]
			p.least, c.place, c.found = 1, &p, nil
			if c.behind(); len(c.found) > 0 && there[i/64]>>(i%64)&1 == 0 {
				t.Errorf("%q stands in %q", p.literal, text)
			}
		}
	}
}

func checkRedact(t *testing.T, redact func(string) string, text string) {
	once := redact(text)
	if twice := redact(once); twice != once {
		t.Errorf("%q: once %q, twice %q", text, once, twice)
	}
	if once == text {
		return
	}
	pieces := strings.Split(once, redacted)
	if n := len(pieces) - 1; !wild(text, pieces[:n], pieces[n]) {
		t.Errorf("%q: something else has changed in %q", text, once)
	}
}

// isEscaped reports whether each '%' begins an escape.
func isEscaped(path string) bool {
	_, err := url.PathUnescape(path)
	return err == nil
}
