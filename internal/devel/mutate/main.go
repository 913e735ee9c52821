// Command mutate takes the rules of the backend profiles and the readings of paths out,
// one at a time, and each time runs the tests of the package that answers it: a rule that no
// test misses is not tested. It prints a line for each rule and fails if the tests pass
// without one.
//
//	go run ./internal/devel/mutate [package...]
//
// The sources stay as they are: the compiler is given an overlay.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// table is a file with rules. A row of it has a name, and the package whose tests must miss
// it; or that package is the same for all.
type table struct {
	file string
	row  *regexp.Regexp // what a row looks like: its groups are the name, and the package
	own  string         // the package, where a row names none
}

var tables = []table{
	{"backend/backend.go", regexp.MustCompile(`^\t\{\w+, "(\w+)", "([\w/]+)", (?:true|false), (?:true|false), (?:true|false), ".*"\},$`), ""},
	{"internal/request/targets/readings.go", regexp.MustCompile(`^\t\{"(\w+)", (?:true|false), (?:true|false), (?:true|false), ".*", \w+, \w+\},$`), "internal/request/targets"},
}

// mutant is a table without one row.
type mutant struct {
	name     string
	overlay  string
	packages []string
}

// outcome is what the tests say of a mutant.
type outcome struct {
	line     string
	survives bool
	err      error
}

func main() {
	survivors, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if len(survivors) > 0 {
		fmt.Fprintf(os.Stderr, "mutate: the tests pass without %s\n", strings.Join(survivors, ", "))
		os.Exit(1)
	}
}

// run tries all mutants, as many at a time as there are processors, and prints what became
// of them in their order.
func run(packages []string) (survivors []string, err error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var all []mutant
	for _, t := range tables {
		mutants, err := t.mutants(dir, packages)
		if err != nil {
			return nil, err
		}
		all = append(all, mutants...)
	}
	outcomes := make([]chan outcome, len(all))
	slots := make(chan struct{}, runtime.NumCPU())
	for i, m := range all {
		outcomes[i] = make(chan outcome, 1)
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			outcomes[i] <- m.try()
		}()
	}
	for i := range all {
		o := <-outcomes[i]
		if o.err != nil {
			return nil, o.err
		}
		fmt.Println(o.line)
		if o.survives {
			survivors = append(survivors, all[i].name)
		}
	}
	return survivors, nil
}

// mutants are the table without each of its rows, as overlays in dir.
func (t table) mutants(dir string, packages []string) (all []mutant, err error) {
	source, err := os.ReadFile(t.file)
	if err != nil {
		return nil, fmt.Errorf("%w; run it from the top of the repository", err)
	}
	absolute, err := filepath.Abs(t.file)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(source), "\n")
	for i, text := range lines {
		row := t.row.FindStringSubmatch(text)
		if row == nil {
			continue
		}
		m := mutant{name: row[1], overlay: filepath.Join(dir, row[1]+".json"), packages: packages}
		if len(packages) == 0 {
			m.packages = []string{"./" + t.own}
			if t.own == "" {
				m.packages = []string{"./" + row[2]}
			}
		}
		file := filepath.Join(dir, row[1]+".go")
		if err := os.WriteFile(file, []byte(strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "\n")), 0o600); err != nil {
			return nil, err
		}
		data, err := json.Marshal(map[string]map[string]string{"Replace": {absolute: file}})
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(m.overlay, data, 0o600); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no rule found in %s", t.file)
	}
	return all, nil
}

// try runs the tests of the mutant.
func (m mutant) try() outcome {
	command := exec.Command("go", append([]string{"test", "-overlay", m.overlay, "-count", "1"}, m.packages...)...)
	output, err := command.CombinedOutput()
	switch failed := string(output); {
	case err == nil:
		return outcome{line: fmt.Sprintf("%-24s SURVIVES", m.name), survives: true}
	case strings.Contains(failed, "[build failed]") || strings.Contains(failed, "[setup failed]"):
		return outcome{err: fmt.Errorf("without %s nothing builds:\n%s", m.name, failed)}
	default:
		return outcome{line: fmt.Sprintf("%-24s %d tests miss it", m.name, strings.Count(failed, "--- FAIL"))}
	}
}
