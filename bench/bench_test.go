package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseResults(t *testing.T) {
	results := parseResults(`goos: linux
BenchmarkVerdict/akid-2         	     735	      1723 ns/op	       171.4 ns/base	         9.763 ×base
BenchmarkParse/pairs/10-16      	  1000	        50.0 ns/op	         5.00 ns/pair	       0 B/op	       0 allocs/op
BenchmarkName/with-7 	{"level":"info"}
BenchmarkBroken-2
PASS
ok  	example.org	1.2s
`)
	if len(results) != 2 {
		t.Fatalf("%+v", results)
	}
	if r := results[0]; r.name != "Verdict/akid" || r.values["ns/op"] != 1723 || r.values["×base"] != 9.763 {
		t.Errorf("%+v", r)
	}
	if r := results[1]; r.name != "Parse/pairs/10" || r.values["ns/pair"] != 5 || against(r) != "" || allocations(r) != "0" || perUnit(r) != "5 ns a pair" {
		t.Errorf("%+v: %q %q %q", r, against(r), allocations(r), perUnit(r))
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 1 4242 4242 0 -1 4194304 1 2 3 4 100 20 3 4 20 0 1 0 5 6 7"
	for _, name := range []string{"caddy", "a b", "x) R 1 2 ("} {
		s, err := parseStat("77 (" + name + ")" + rest)
		if err != nil || s.pid != 77 || s.group != 4242 || s.cpu != 1270*time.Millisecond {
			t.Errorf("%q: %+v, %v", name, s, err)
		}
	}
	for _, text := range []string{"", "1", "1 (x", "1 (x) S 2 3"} {
		if s, err := parseStat(text); err == nil {
			t.Errorf("%q is read as %+v", text, s)
		}
	}
}

func TestParseWrk(t *testing.T) {
	const good = `Running 2s test @ http://127.0.0.1:1/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.20ms  300.00us  10.00ms   90.00%
  24690 requests in 2.00s, 3.50MB read
Requests/sec:  12345.67
Transfer/sec:      1.75MB
`
	if l, err := parseWrk(good); err != nil || l.requests != 24690 || l.rate != 12345.67 {
		t.Errorf("%+v, %v", l, err)
	}
	for _, bad := range []string{"", "unable to connect", strings.Replace(good, "Requests/sec", "  Non-2xx or 3xx responses: 3\nRequests/sec", 1), strings.Replace(good, "Requests/sec", "  Socket errors: connect 0, read 1, write 0, timeout 0\nRequests/sec", 1), strings.Replace(good, "24690", "0", 1)} {
		if l, err := parseWrk(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, l)
		}
	}
}

func TestFormats(t *testing.T) {
	for got, want := range map[string]string{
		duration(0): "0 ns", duration(12.34): "12.3 ns", duration(1500): "1.50 µs", duration(2e7): "20 ms", duration(3.5e9): "3.50 s", duration(-250): "-250 ns",
		size(12): "12 B", size(2048): "2 KiB", size(57.1 * 1024 * 1024): "57.1 MiB", digits(2.5): "2.50", digits(1234.5): "1234",
		thousands(1): "1", thousands(1e4): "10 k", thousands(1e6): "1 M", times(2.456): "2.46 ×",
		spread([]float64{1, 2, 3}, "%.1f"): "2.0 (1.5 … 2.5)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	table := newTable("a", "b")
	table.add("1", "2")
	if got, want := table.String(), "| a | b |\n|---|--:|\n| 1 | 2 |\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestProcessor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cpuinfo")
	if err := os.WriteFile(file, []byte("processor\t: 0\nmodel name\t: A Chip\nflags\t\t: fpu sha_ni\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := processor(file); got != "A Chip with SHA instructions" {
		t.Errorf("%q", got)
	}
}

// TestSVG: the plot is XML, whatever stands in it, and grows upwards.
func TestSVG(t *testing.T) {
	text := svg([]plot{
		{title: "a < b & c", x: "KiB", lines: []line{{"one <1>", []point{{1, 100}, {1000, 1e6}}}, {"two", nil}}},
		{title: "nothing"},
	})
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	a := newAxis([]float64{100, 1e6}, 250, 34)
	if a.at(100) != 250 || a.at(1e6) != 34 || a.at(1e4) != 142 || len(a.ticks()) != 5 {
		t.Errorf("%+v: %v %v %v %v", a, a.at(100), a.at(1e6), a.at(1e4), a.ticks())
	}
	if a := newAxis([]float64{5}, 0, 10); a.at(5) < 0 || a.at(5) > 10 {
		t.Errorf("one value: %+v %v", a, a.at(5))
	}
}

func TestKeep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(file, []byte("a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := keep(file, "x", "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	if b, _ := os.ReadFile(file); string(b) != "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n" {
		t.Errorf("%q", b)
	}
	if err := keep(file, "y", "new"); err == nil {
		t.Error("what has no place is written somewhere")
	}
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"nonsense"}, {"-nonsense"}} {
		if err := run(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

// TestBudgets: a budget names a benchmark that exists, so that none is passed over.
func TestBudgets(t *testing.T) {
	root, err := os.ReadFile("../verify_bench_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range budgets {
		name, sub, _ := strings.Cut(b.benchmark, "/")
		if !strings.Contains(string(root), "func Benchmark"+name+"(") {
			t.Errorf("%s: there is no benchmark %s", b.what, name)
		}
		if sub != "1000000" && !strings.Contains(string(root), `"`+sub+`"`) {
			t.Errorf("%s: there is no benchmark %s", b.what, b.benchmark)
		}
	}
}

// TestLinks: the links that are measured are links. Growth runs without sockets, so it can
// be tried in a test; whole processes cannot.
func TestLinks(t *testing.T) {
	t.Setenv("LINK_SECRET", hmacSecret)
	t.Setenv("AKID_SECRET", akidSecret)
	for directives, target := range map[string]string{hmacSite: hmacLink(), "signed_link akid {env.AKID_SECRET}\n": akidLink()} {
		s, err := loadSite(directives + "respond 204")
		if err != nil {
			t.Fatal(err)
		}
		if status, err := s.get(target); err != nil || status != 204 {
			t.Errorf("%s is answered with %d, %v", target, status, err)
		}
		if status, err := s.get(strings.NewReplacer("jeff", "mike", "103007", "103008").Replace(target)); err != nil || status != 401 {
			t.Errorf("a forged %s is answered with %d, %v", target, status, err)
		}
	}
}
