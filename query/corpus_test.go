package query

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
)

// request is a line of the corpus, as far as its query goes.
type request struct {
	ID          string         `json:"id"`
	Cat         string         `json:"cat"`
	Target      any            `json:"target"`
	Fields      [][2]string    `json:"fields"`
	Param       string         `json:"param"`
	Verified    *string        `json:"verified"`
	MustForward []string       `json:"must_forward"`
	Forwarding  map[string]any `json:"unmodified_forwarding"`
	query       string
}

// corpus returns the requests of testdata/corpora/query_corpus.jsonl.
func corpus(t testing.TB) []request {
	t.Helper()
	requests, err := readCorpus()
	if err != nil {
		t.Fatal(err)
	}
	return requests
}

var readCorpus = sync.OnceValues(func() ([]request, error) {
	content, err := os.ReadFile("../testdata/corpora/query_corpus.jsonl")
	if err != nil {
		return nil, err
	}
	var requests []request
	for line := range strings.Lines(string(content)) {
		var r request
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, err
		}
		target := expand(r.Target)
		for _, field := range r.Fields {
			if field[0] == ":path" {
				target = field[1]
			}
		}
		_, query, _ := strings.Cut(target, "?")
		r.query = mint(latin1(query))
		requests = append(requests, r)
	}
	if len(requests) < 200 {
		return nil, fmt.Errorf("the corpus has %d requests", len(requests))
	}
	return requests, nil
})

// expand puts a target together, repetitions included.
func expand(target any) string {
	switch v := target.(type) {
	case string:
		return v
	case []any:
		var b strings.Builder
		for _, part := range v {
			b.WriteString(expand(part))
		}
		return b.String()
	case map[string]any:
		var b strings.Builder
		for i := range int(v["n"].(float64)) {
			b.WriteString(strings.ReplaceAll(v["s"].(string), "%d", fmt.Sprint(i)))
		}
		return b.String()
	}
	return ""
}

// latin1 turns code points back into bytes.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, c := range s {
		b = append(b, byte(c))
	}
	return string(b)
}

var minted = regexp.MustCompile(`@(KP|KB|K|U):([^@]*)@`)

// mint puts the signatures in: md5hex(name + secret) and its variants.
func mint(query string) string {
	return minted.ReplaceAllStringFunc(query, func(m string) string {
		kind, name, _ := strings.Cut(strings.Trim(m, "@"), ":")
		if kind == "KP" {
			name = Unescape(name)
		}
		sum := md5.Sum([]byte(name + "s3cret"))
		if kind == "U" {
			return strings.ToUpper(hex.EncodeToString(sum[:]))
		}
		return hex.EncodeToString(sum[:])
	})
}

// protected are the names that a gateway protects in front of the request.
func protected(r request) []string {
	if r.Param == "akid" {
		return []string{"akid"}
	}
	return []string{r.Param, "key"}
}

// judge is what a gateway does with a query: every protected name plainly, and once.
func judge(t *testing.T, profile backend.Profile, protected []string, raw string) string {
	t.Helper()
	n := names(t, profile, protected...)
	var q Query
	if err := q.Parse(raw); err != nil {
		return "bounds"
	}
	if q.Control {
		return "control"
	}
	present := make(map[int]bool)
	for _, p := range q.Pairs {
		i, spelling := n.Classify(q.Segment(p))
		switch {
		case spelling == Other:
			continue
		case spelling != Plain:
			return fmt.Sprintf("%s spelled %q (%d)", n.Name(i), q.Segment(p), spelling)
		case present[i]:
			return "two " + n.Name(i)
		case BrokenEscape(q.RawValue(p)) || strings.Contains(q.RawValue(p), ";"):
			return "value of " + n.Name(i)
		}
		present[i] = true
	}
	return ""
}

// TestHostileQueries: where real backends read another value than the gateway verified,
// the query must not pass.
func TestHostileQueries(t *testing.T) {
	attacks := []string{"dup", "encname", "blank", "nul", "array", "mangle", "sep", "badpct", "plus", "many", "utf8", "h2", "case"}
	hostile := 0
	for _, r := range corpus(t) {
		if r.Verified == nil || !slices.Contains(attacks, r.Cat) || len(r.MustForward) > 0 {
			continue
		}
		for profile, backends := range map[backend.Profile][]string{backend.PHP: {"php"}, backend.Servlet: {"java"}, backend.Strict: {"php", "java"}} {
			danger := slices.ContainsFunc(backends, func(b string) bool { return strings.Contains(fmt.Sprint(r.Forwarding[b]), "danger") })
			got := judge(t, profile, protected(r), r.query)
			if danger && got == "" && !onlyDecoding(r) {
				t.Errorf("%s passes under %s: %.200q", r.ID, profile, r.query)
			}
			if danger {
				hostile++
			}
		}
	}
	if hostile < 50 {
		t.Errorf("only %d dangerous requests were looked at", hostile)
	}
}

// onlyDecoding tells whether the danger is that the backend decodes the bytes of the
// one value that there is in another way than they were signed: the value's business,
// not the names'.
func onlyDecoding(r request) bool { return r.Cat == "utf8" && strings.Count(r.query, "user") == 1 }

// TestHonestQueries: what must reach the application passes.
func TestHonestQueries(t *testing.T) {
	profiles := map[string]backend.Profile{"php": backend.PHP, "java": backend.Servlet, "strict": backend.Strict}
	honest := 0
	for _, r := range corpus(t) {
		for _, backend := range r.MustForward {
			honest++
			if got := judge(t, profiles[backend], protected(r), r.query); got != "" {
				t.Errorf("%s does not pass under %s: %s: %.200q", r.ID, backend, got, r.query)
			}
		}
	}
	if honest < 50 {
		t.Errorf("only %d honest requests were looked at", honest)
	}
}

// TestCorpusClassified: for every name that links carry, each segment of each line has
// one spelling, and naming more parameters never hides one.
func TestCorpusClassified(t *testing.T) {
	params := []string{"user", "key", "user_id", "akid"}
	for _, profile := range []backend.Profile{backend.Strict, backend.PHP, backend.Servlet} {
		all := names(t, profile, params...)
		var alone []*Names
		for _, param := range params {
			alone = append(alone, names(t, profile, param))
		}
		for _, r := range corpus(t) {
			var q Query
			if q.Parse(r.query) != nil {
				continue
			}
			for _, p := range q.Pairs {
				segment, found := q.Segment(p), false
				for i, param := range params {
					_, spelling := alone[i].Classify(segment)
					if (spelling == Plain) != (q.RawName(p) == param) {
						t.Errorf("%s, %s: %.100q has spelling %d of %s", r.ID, profile, segment, spelling, param)
					}
					found = found || spelling != Other
					if j, s := all.Classify(segment); spelling == Plain && (j != i || s != Plain) {
						t.Errorf("%s, %s: %.100q is %s, spelling %d", r.ID, profile, segment, params[j], s)
					}
				}
				if _, s := all.Classify(segment); (s != Other) != found {
					t.Errorf("%s, %s: %.100q has spelling %d among all names, and one by one %t", r.ID, profile, segment, s, found)
				}
			}
		}
	}
}
