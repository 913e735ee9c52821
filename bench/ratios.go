package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// result is one line of `go test -bench`.
type result struct {
	name   string             // without Benchmark and the number of processors
	values map[string]float64 // by unit
}

// parseResults reads what `go test -bench` prints.
func parseResults(output string) []result {
	var results []result
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		if _, err := strconv.Atoi(fields[1]); err != nil {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i >= 0 {
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				name = name[:i]
			}
		}
		r := result{name: name, values: make(map[string]float64)}
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				continue
			}
			r.values[fields[i+1]] = v
		}
		results = append(results, r)
	}
	return results
}

// goBench runs the benchmarks of packages, and returns what they print. Each program is
// built first and its own output read, because Caddy's log stands between the results of
// `go test`.
func goBench(dir, pattern, benchtime string, packages ...string) (string, error) {
	temp, err := os.MkdirTemp("", "bench")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	program := filepath.Join(temp, "bench.test")
	var out strings.Builder
	for _, pkg := range packages {
		build := exec.Command("go", "test", "-c", "-o", program, pkg)
		build.Dir = dir
		if text, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building the tests of %s: %w\n%s", pkg, err, text)
		}
		var errs bytes.Buffer
		cmd := exec.Command(program, "-test.run", "^$", "-test.bench", pattern, "-test.benchtime", benchtime)
		cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Join(dir, pkg), &out, &errs
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("the benchmarks of %s: %w\n%s%s", pkg, err, out.String(), &errs)
		}
	}
	return out.String(), nil
}

// budget is what one benchmark may cost.
type budget struct {
	what      string
	benchmark string
	unit      string
	most      float64
	format    func(float64) string
	peer      string
}

func times(v float64) string { return digits(v) + " ×" }
func count(v float64) string { return digits(v) }

var budgets = []budget{
	{"one AKID from query to verdict, against its bare SHA-256", "Verdict/akid", "×base", 2.5, times, ""},
	{"— its allocations", "Verdict/akid", "allocs/call", 0, count, ""},
	{"one HMAC-SHA-256 link from query to verdict, against its bare HMAC, `hmac.New` included", "VerdictFresh/hmac-sha256", "×base", 2.5, times, ""},
	{"— against an HMAC whose key is prepared already", "Verdict/hmac-sha256", "×base", 2.5, times, ""},
	{"— its allocations", "Verdict/hmac-sha256", "allocs/call", 0, count, ""},
	{"a token of three fields from query to verdict, against three parameters", "Carriers/token", "×base", 1.5, times, ""},
	{"— its allocations", "Carriers/token", "allocs/call", 0, count, ""},
	{"a path of three fields from query to verdict, against three parameters", "Carriers/path", "×base", 2, times, ""},
	{"— its allocations", "Carriers/path", "allocs/call", 0, count, ""},
	{"the handler beyond the same route without it, AKID, undisturbed", "Handler/akid", "ns/undisturbed", 1500, duration, "other Caddy modules: 30 µs"},
	{"— the median, with the collector's turns", "Handler/akid", "ns/beyond", 1500, duration, ""},
	{"— its allocations", "Handler/akid", "allocs/beyond", 6, count, "57 to 148"},
	{"the handler beyond the same route without it, HMAC, undisturbed", "Handler/hmac-sha256", "ns/undisturbed", 1500, duration, "other Caddy modules: 30 µs"},
	{"— the median, with the collector's turns", "Handler/hmac-sha256", "ns/beyond", 1500, duration, ""},
	{"— its allocations", "Handler/hmac-sha256", "allocs/beyond", 6, count, "57 to 148"},
	{"the guard on an unmatched request, undisturbed", "Handler/unmatched", "ns/undisturbed", 300, duration, ""},
	{"— the median", "Handler/unmatched", "ns/beyond", 300, duration, ""},
	{"— its allocations", "Handler/unmatched", "allocs/beyond", 0, count, ""},
	{"a user out of 1,000,000, against the same with one key", "Users/1000000", "×base", 1.2, times, ""},
}

// ratios runs the Go benchmarks beside the code.
func ratios(o *options) (string, error) {
	benchtime := "1s"
	if o.quick {
		benchtime = "100ms"
	}
	o.say("the Go benchmarks, for some minutes")
	out, err := goBench(filepath.Dir(o.dir), ".", benchtime, ".", "./query", "./keyedhash")
	if err != nil {
		return "", err
	}
	results := parseResults(out)
	byName := make(map[string]result)
	for _, r := range results {
		byName[r.name] = r
	}
	t := newTable("budget", "at most", "measured", "", "elsewhere")
	for _, b := range budgets {
		v, ok := byName[b.benchmark].values[b.unit]
		measured, verdict := "?", "not measured"
		if ok {
			measured, verdict = b.format(v), kept(v <= b.most)
		}
		t.add(b.what, b.format(b.most), measured, verdict, b.peer)
	}
	all := newTable("benchmark", "time", "against its base", "allocations", "by the unit")
	for _, r := range results {
		all.add("`"+r.name+"`", duration(r.values["ns/op"]), against(r), allocations(r), perUnit(r))
	}
	return t.String() + "\n<details><summary>Every benchmark</summary>\n\n" + all.String() + "\n</details>\n", nil
}

// against is the ratio of a result, or what it takes beyond its base.
func against(r result) string {
	if v, ok := r.values["×base"]; ok {
		return times(v)
	}
	if v, ok := r.values["ns/beyond"]; ok {
		return "+ " + duration(v) + ", undisturbed + " + duration(r.values["ns/undisturbed"])
	}
	return ""
}

func allocations(r result) string {
	if v, ok := r.values["allocs/beyond"]; ok {
		return "+ " + digits(v)
	}
	for _, unit := range []string{"allocs/call", "allocs/op"} {
		if v, ok := r.values[unit]; ok {
			return digits(v)
		}
	}
	return ""
}

func perUnit(r result) string {
	for _, unit := range []string{"pair", "KiB"} {
		if v, ok := r.values["ns/"+unit]; ok {
			return duration(v) + " a " + unit
		}
	}
	return ""
}
