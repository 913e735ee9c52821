package app

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/query"
)

// protectedByLoop is what a definition after the other says: [definition.Union] must say the same.
func protectedByLoop(definitions []*definition.Definition, raw string) func(segment string) bool {
	if slices.ContainsFunc(definitions, func(d *definition.Definition) bool {
		return d.CoversAll || d.Names.SpellsSecond(raw, func(int) bool { return true })
	}) {
		return nil
	}
	return func(segment string) bool {
		return slices.ContainsFunc(definitions, func(d *definition.Definition) bool {
			_, spelling := d.Names.Classify(segment)
			return spelling != query.Other
		})
	}
}

// hostileParts are the queries of the corpus, and cookies made of them.
func hostileParts(t *testing.T) (queries []string, cookies [][]string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "corpora", "query_corpus.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var l struct {
			Target any
			Fields [][2]string
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		target, _ := l.Target.(string)
		for _, field := range l.Fields {
			if field[0] == ":path" {
				target = field[1]
			}
		}
		_, q, _ := strings.Cut(target, "?")
		queries = append(queries, q)
		if one := strings.ReplaceAll(q, "&", "; "); one != "" {
			cookies = append(cookies, []string{one}, []string{" " + strings.ReplaceAll(q, "&", ";") + "; theme=dark", "", "a=1"}, []string{"  ;" + one, "session=x; user[=1;  ;b", one})
		}
	}
	if len(queries) < 200 {
		t.Fatalf("the corpus has %d queries", len(queries))
	}
	return queries, cookies
}

// TestUnion: what is cut of requests that nobody judged, and of refused ones, is byte for
// byte what all definitions would cut, one after the other.
func TestUnion(t *testing.T) {
	queries, jars := hostileParts(t)
	pool := []string{"user", "key", "user_id", "akid", "sig", "a", "until", "id", "b-", "_x_"}
	for i := range 40 {
		pool = append(pool, fmt.Sprintf("p%d", i))
	}
	random := rand.New(rand.NewPCG(3, 5))
	cut, all := 0, 0
	for round := range 60 {
		var definitions []*definition.Definition
		for range round % 12 {
			profile := []backend.Profile{backend.Strict, backend.PHP, backend.Servlet}[random.IntN(3)]
			var list []string
			for range 1 + random.IntN(4) {
				if name := pool[random.IntN(min(len(pool), 4+round))]; !slices.Contains(list, name) {
					list = append(list, name)
				}
			}
			d := &definition.Definition{Profile: profile, CoversAll: random.IntN(60) == 0}
			var err error
			if d.Names, err = query.NewNames(profile, list); err != nil {
				t.Fatal(err)
			}
			if profile.Has(backend.CookieShadow) {
				d.Cookies, _ = query.NewNames(backend.PHP, list)
			}
			definitions = append(definitions, d)
		}
		a := new(App)
		a.definitions.Store(&definitions)
		for _, raw := range queries {
			uri := "/x?" + raw
			left, leftURI, changed := targets.Cut(raw, uri, a.Protected(raw))
			wantLeft, wantURI, want := targets.Cut(raw, uri, protectedByLoop(definitions, raw))
			if left != wantLeft || leftURI != wantURI || changed != want {
				t.Fatalf("%q: %q, %q, %t; by a loop %q, %q, %t", raw, left, leftURI, changed, wantLeft, wantURI, want)
			}
			if all++; changed {
				cut++
			}
		}
		for _, lines := range jars {
			by, loop := new(exchange.Exchange), new(exchange.Exchange)
			got := &http.Request{URL: new(url.URL), Header: http.Header{"Cookie": slices.Clone(lines)}}
			want := &http.Request{URL: new(url.URL), Header: http.Header{"Cookie": slices.Clone(lines)}}
			n := by.CutCookies(got, cookies.Shadows{Protected: a.Union().Cookies})
			wanted := 0
			for _, d := range definitions {
				wanted += loop.CutCookies(want, cookies.Shadows{Protected: d.Cookies})
			}
			if n != wanted || by.CookiesCut != loop.CookiesCut || !slices.Equal(got.Header["Cookie"], want.Header["Cookie"]) {
				t.Fatalf("%q: %v cut, left %q; by a loop %v, %q", lines, n, got.Header["Cookie"], wanted, want.Header["Cookie"])
			}
			if all++; n > 0 {
				cut++
			}
		}
	}
	if cut < all/10 || cut > all*9/10 {
		t.Errorf("of %d, %d were cut, which tests little", all, cut)
	}
}

// TestUnionIsMadeAgain: a definition that is added later is in it, and more names than one
// definition may have are.
func TestUnionIsMadeAgain(t *testing.T) {
	a := new(App)
	a.definitions.Store(new([]*definition.Definition))
	a.placeholders.Store(new([]string))
	a.headers.Store(headers.NewWatched(nil))
	if a.Union().Spells("n0=1") {
		t.Error("no definition protects n0")
	}
	for i := range 3 * 64 {
		names, err := query.NewNames(backend.Strict, []string{fmt.Sprintf("n%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		before := a.Union()
		if err := a.AddDefinition(&Gate{Definition: &definition.Definition{Names: names}, Rules: new(outcome.Rules)}); err != nil {
			t.Fatal(err)
		}
		if segment := fmt.Sprintf("N%d[]=1", i); before.Spells(segment) || !a.Union().Spells(segment) {
			t.Errorf("%s is protected by no definition, or was before there was one", segment)
		}
	}
	if !a.Union().Spells("N0[]=1") {
		t.Error("the first name is not in the union of all")
	}
}

// TestAttackManyDefinitions: one definition or a thousand, none of them is asked about what a
// refused request holds: all that is asked is the union, which finds a name by an index.
func TestAttackManyDefinitions(t *testing.T) {
	raw := strings.Repeat("a[=1&b%5b=2&", 80) + "u999=x"
	cookie := strings.Repeat("a[=1; ", 2000)
	for _, n := range []int{1, 1000} {
		var definitions []*definition.Definition
		for i := range n {
			list := []string{fmt.Sprintf("u%d", 999-i), fmt.Sprintf("s%d", 999-i)}
			names, err := query.NewNames(backend.Strict, list)
			if err != nil {
				t.Fatal(err)
			}
			cookies, _ := query.NewNames(backend.PHP, list)
			definitions = append(definitions, &definition.Definition{Names: names, Cookies: cookies})
		}
		a := new(App)
		a.definitions.Store(&definitions)
		a.Union()
		a.definitions.Store(new([]*definition.Definition)) // who asks them finds none
		r := &http.Request{URL: &url.URL{RawQuery: raw}, RequestURI: "/x?" + raw, Header: http.Header{"Cookie": {cookie + "u999[]=x"}}}
		a.cutProtected(r, new(exchange.Exchange))
		if left := strings.TrimSuffix(raw, "&u999=x"); r.URL.RawQuery != left || r.RequestURI != "/x?"+left {
			t.Errorf("%d definitions: %.40q is left of the query", n, r.URL.RawQuery)
		}
		if left := strings.TrimSuffix(cookie, "; ") + ";"; !slices.Equal(r.Header["Cookie"], []string{strings.TrimSuffix(left, ";")}) {
			t.Errorf("%d definitions: %.40q is left of the cookies", n, r.Header["Cookie"])
		}
	}
}
