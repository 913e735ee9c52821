package headers

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/headers.md anew")

// believed is a line of testdata/believed.txt.
type believed struct {
	kind Kind // 0: none
	name string
}

func readBelieved(t testing.TB) []believed {
	t.Helper()
	data, err := os.ReadFile("testdata/believed.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []believed
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, name, _ := strings.Cut(line, " ")
		kind := slices.IndexFunc(Kinds[1:], func(m Meaning) bool { return m.Name == word })
		if word != "none" && kind < 0 {
			t.Fatalf("unknown kind %q", word)
		}
		all = append(all, believed{Kind(kind + 1), name})
	}
	return all
}

// spellings are how a client can write a name so that some backend files it under the
// same one.
func spellings(name string) []string {
	return []string{
		name, strings.ToUpper(name), strings.ToLower(name), http.CanonicalHeaderKey(name),
		strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."), strings.ReplaceAll(name, "_", "-"),
		strings.NewReplacer("-", "!", "_", "~").Replace(name), http.CanonicalHeaderKey(strings.ReplaceAll(name, "-", "_")),
	}
}

func kindOf(r *Row) Kind {
	if r == nil {
		return 0
	}
	return r.Kind
}

// TestAttackBelievedHeaders: each header that real software believes is found in the
// table, in every spelling, and what honest clients send is not.
func TestAttackBelievedHeaders(t *testing.T) {
	for _, b := range readBelieved(t) {
		for _, name := range spellings(b.name) {
			if got := kindOf(Lookup(name)); got != b.kind {
				t.Errorf("%s is of the kind %s, want %s", name, Kinds[got].Name, Kinds[b.kind].Name)
			}
			acts := b.kind != 0 && Kinds[b.kind].Action != Leave
			if at := Watch(name); (at >= 0) != acts {
				t.Errorf("%s: the guard looks at it: %t, want %t", name, at >= 0, acts)
			} else if acts && &Table[at] != Lookup(name) {
				t.Errorf("%s: the guard takes it for %s", name, Table[at].Name)
			}
		}
	}
}

// TestEachRowIsMissed takes one row after the other out of the table. A row of which no
// header of real software depends is not tested.
func TestEachRowIsMissed(t *testing.T) {
	all := readBelieved(t)
	for i := range Table {
		without := slices.Delete(slices.Clone(Table), i, i+1)
		names := newNamesOf(without, func(*Row) bool { return true })
		if !slices.ContainsFunc(all, func(b believed) bool {
			at := names.place(b.name)
			return at < 0 && b.kind != 0 || at >= 0 && without[at].Kind != b.kind
		}) {
			t.Errorf("nothing in testdata/believed.txt misses %s", Table[i].Name)
		}
	}
}

// TestTable holds the columns together.
func TestTable(t *testing.T) {
	for i, k := range Kinds {
		if int(k.Kind) != i {
			t.Errorf("the kind %s stands at %d", k.Name, i)
		}
	}
	seen := make(map[string]bool)
	for i := range Table {
		r := &Table[i]
		name, _ := r.prefix()
		if seen[r.Name] {
			t.Errorf("%s stands twice", r.Name)
		}
		seen[r.Name] = true
		if r.Kind == 0 || int(r.Kind) >= len(Kinds) || r.Believed == "" || Fold(name) != name || name == "" {
			t.Errorf("%+v", r)
		}
		if Lookup(strings.Replace(r.Name, "*", "zz", 1)) != r {
			t.Errorf("%s is not found by its name", r.Name)
		}
		if len(r.String()) > 64 {
			t.Errorf("%s is longer than an output may be", r.Name)
		}
		// Identity headers of others, and our own, may be outputs. What the guard deletes of
		// everybody, what a proxy says, and what is about the connection may not.
		if want := r.Kind == Identity || r.Kind == Own; r.Output() != want {
			t.Errorf("%s may be an output: %t", r.Name, r.Output())
		}
		switch r.Action() {
		case Delete, DeleteUnless, DeleteAlias, Filter, Report, Credential, Leave:
			if r.Output() && r.Kind != Own {
				t.Errorf("%s: the guard %s, and it may be an output", r.Name, r.Action())
			}
		case DeleteFirst:
			if r.Kind != Identity {
				t.Errorf("%s goes at the first guard, and is no identity", r.Name)
			}
		case Protect:
			if !strings.HasPrefix(r.Name, "x-verified-") {
				t.Errorf("%s is protected in every configuration", r.Name)
			}
		}
		if r.Action().String() == "" || Kinds[r.Kind].Name == "" || Kinds[r.Kind].Why == "" {
			t.Errorf("%s says nothing", r.Name)
		}
	}
}

// TestAttackOutputThatTheGuardDeletes: no header that the guard would take for the
// client's can be an output of a definition (B3), and each error names the cure.
func TestAttackOutputThatTheGuardDeletes(t *testing.T) {
	for _, b := range readBelieved(t) {
		name := http.CanonicalHeaderKey(strings.ReplaceAll(b.name, "_", "-"))
		if strings.Trim(name, "-") != name || strings.Contains(name, "$") {
			continue
		}
		want := b.kind == 0 || Kinds[b.kind].Output
		err := CheckOutput(name)
		if (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), name+": ") || !strings.Contains(err.Error(), "choose a name such as X-Verified-Account")) {
			t.Errorf("the error names no cure: %v", err)
		}
	}
	for _, name := range []string{"", "X_Account", "X.Account", "X Account", "-X", "X-", "Ä", "X:Y", "X\r\nY", strings.Repeat("x", 65), "$WSRU"} {
		if CheckOutput(name) == nil {
			t.Errorf("%q may be an output", name)
		}
	}
}

// TestNames: exact names go before beginnings, and longer beginnings before shorter.
func TestNames(t *testing.T) {
	n := NewNames([]string{"x-a*", "x-abc", "x-abc-*", "b", "x-abcde"})
	for name, want := range map[string]int{
		"": -1, "x": -1, "x-": -1, "X-A": 0, "x_ab": 0, "X-ABC": 1, "X-Abcd": 0, "x.abc.": 2, "X-Abc-D": 2, "B": 3, "Bc": -1, "x-abcde": 4, "x-abcdef": 0,
		"Ä": -1, "\x00": -1,
	} {
		if got := n.Find(name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
	if new(Names).Has("x") || new(Names).Has("xy") || NewNames(nil).Has("") || NewNames(nil).Has("x") {
		t.Error("an empty set has something")
	}
	if n := NewNames([]string{"*"}); n.Find("xy") != 0 || n.Find("") != -1 {
		t.Error("of all names one is not found")
	}
	if allocs := testing.AllocsPerRun(10, func() { n.Find("X-Abc-D"); Watch("X_Auth.Request-User"); Lookup("Content-Type") }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestAttackMisleadingLead: a header that the guard passes over because of its first two
// bytes is none that it would act on, however it is spelled.
func TestAttackMisleadingLead(t *testing.T) {
	outputs := []string{"q", "zz*", "y*", "w-account", "-x"}
	l := NewLeads(NewNames(outputs))
	var names []string
	for _, b := range readBelieved(t) {
		if Watch(b.name) >= 0 {
			names = append(names, b.name)
		}
	}
	names = append(names, "q", "zz", "zzz", "y", "y-", "yes", "W_Account", "$x", ".X", "_X-Verified")
	for _, b := range names {
		for _, name := range spellings(b) {
			if (Watch(name) >= 0 || NewNames(outputs).Has(name)) && !l.On(name) {
				t.Errorf("the guard passes over %q", name)
			}
		}
	}
	for _, name := range []string{"Accept-Encoding", "Sec-Fetch-Site", "Dnt", "Zeta"} {
		if l.On(name) {
			t.Errorf("the guard looks at %q", name)
		}
	}
	if all := NewLeads(NewNames([]string{"*"})); !all.On("\xff\x00") {
		t.Error("of all names one is passed over")
	}
	if none := NewLeads(new(Names)); none.On("Zeta") || !none.On("Remote-User") {
		t.Error("without outputs")
	}
}

// FuzzNames holds the search to a plain one over the table.
func FuzzNames(f *testing.F) {
	for _, b := range readBelieved(f) {
		f.Add(b.name)
		f.Add(b.name + "x")
	}
	f.Add("x_verified.user\x00")
	leads := NewLeads(new(Names))
	f.Fuzz(func(t *testing.T, name string) {
		folded := Fold(name)
		var want *Row
		for i := range Table {
			r := &Table[i]
			prefix, begins := r.prefix()
			switch {
			case !begins && folded == r.Name:
				want = r
			case begins && strings.HasPrefix(folded, prefix) && (want == nil || strings.HasSuffix(want.Name, "*") && len(want.Name) < len(r.Name)):
				want = r
			}
		}
		if Watch(name) >= 0 && !leads.On(name) {
			t.Errorf("the guard passes over %q", name)
		}
		if got := Lookup(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
		if Fold(folded) != folded || len(folded) != len(name) {
			t.Errorf("%q folds to %q", name, folded)
		}
	})
}

// TestAttackConnectionTokens: Connection names a header, which a proxy then deletes: the
// identity, the Content-Type by which a body was judged (holes D1), a Cookie.
func TestAttackConnectionTokens(t *testing.T) {
	for _, tc := range []struct {
		lines []string
		want  string
	}{
		{[]string{"close"}, "close"},
		{[]string{"keep-alive"}, "keep-alive"},
		{[]string{"Keep-Alive, Upgrade"}, "Keep-Alive, Upgrade"},
		{[]string{"close", "te"}, "close|te"},
		{[]string{"X-Verified-User"}, ""},
		{[]string{"close, Content-Type"}, "close"},
		{[]string{"content-type , close"}, "close"},
		{[]string{"Cookie", "Authorization", "close"}, "close"},
		{[]string{"close,,Content-Type"}, "close"},
		{[]string{"close,"}, "close"},
		{[]string{""}, ""},
		{[]string{" ,\t, "}, ""},
		{[]string{"\tTE\t,Remote-User"}, "TE"},
		{[]string{"CLOSE\t;q=1, Host"}, ""},
		{[]string{`"close"`}, ""},
		{[]string{"upgrade, HTTP2-Settings"}, "upgrade"},
		{[]string{"close\u00a0, content-type"}, ""},
		{[]string{"proxy-connection, x_account, keep-alive"}, "keep-alive"},
	} {
		h := http.Header{"Connection": tc.lines}
		FilterConnection(h)
		if got := strings.Join(h["Connection"], "|"); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.lines, got, tc.want)
		}
		if lines, ok := h["Connection"]; ok && len(lines) == 0 {
			t.Errorf("%q: an empty header stays", tc.lines)
		}
	}
	h := http.Header{"Connection": {"Upgrade, close, TE"}, "Upgrade": {"h2c"}, "Http2-Settings": {"x"}}
	DropUpgrade(h)
	if fmt.Sprint(h) != "map[Connection:[close, TE]]" {
		t.Errorf("%v", h)
	}
	honest := http.Header{"Connection": {"keep-alive, Upgrade"}}
	if n := testing.AllocsPerRun(10, func() { FilterConnection(honest) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// page is docs/headers.md, made of the table.
func page() string {
	var b bytes.Buffer
	b.WriteString(`# Header names

Every name of a request header that means something to somebody behind the gateway, in any spelling: ` + "`X_Remote.User` is `X-Remote-User`" + `. This page is made from the table by which the guard works and by which outputs are checked (` + "`internal/request/headers/table.go`" + `); change it there.

The guard runs where a request meets ` + "`signed_link guard`" + ` or a definition, on every request, in every mode, ` + "`observe`" + ` included.

| kind | what the names have in common | the guard | may be a ` + "`request_header`" + ` |
|---|---|---|---|
`)
	for _, k := range Kinds[1:] {
		output := "no"
		if k.Output {
			output = "yes"
		}
		fmt.Fprintf(&b, "| [%s](#%[1]s) | %s | %s | %s |\n", k.Name, k.Why, k.Action, output)
	}
	b.WriteString(`
Every header that some definition of this Caddy sets is protected like the gateway's own. A name under which an application reads the user and that stands in no list, one that your own configuration invented, can be deleted with a line of Caddy's own, ` + "`request_header -X-My-User`" + `, in each site.
`)
	for _, k := range Kinds[1:] {
		fmt.Fprintf(&b, "\n## %s\n\n| name | who believes it |\n|---|---|\n", k.Name)
		for _, r := range Each(k.Kind) {
			fmt.Fprintf(&b, "| `%s` | %s |\n", r.String(), r.Believed)
		}
	}
	return b.String()
}

// TestPage compares docs/headers.md with the table; with -update it writes the page.
func TestPage(t *testing.T) {
	const name = "../../../docs/headers.md"
	if *update {
		if err := os.WriteFile(name, []byte(page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page() {
		t.Error("docs/headers.md is not what the table says; run go test ./internal/request/headers -update")
	}
}

// BenchmarkWatch looks at the headers of a browser's request, as the guard does.
func BenchmarkWatch(b *testing.B) {
	names := []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Cookie", "Priority", "Referer", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile",
		"Sec-Ch-Ua-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Upgrade-Insecure-Requests", "User-Agent", "X-Requested-With",
	}
	for b.Loop() {
		for _, name := range names {
			if Watch(name) >= 0 {
				b.Fatal(name)
			}
		}
	}
}
