// Command mutate takes the rules of the backend profiles and the readings of paths out,
// one at a time, and runs the tests each time: a rule that no test misses is not tested. It
// prints a line for each rule and fails if the tests pass without one.
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
	"strings"
)

// table is a file with rules, and the packages whose tests must miss each of them.
type table struct {
	file     string
	line     *regexp.Regexp // what a rule looks like in it; its last group is the name
	packages []string
}

var tables = []table{
	{
		"backend/backend.go",
		regexp.MustCompile(`^\t\{\w+, "(\w+)", (?:true|false), (?:true|false), (?:true|false), ".*"\},$`),
		[]string{".", "./query", "./internal/request/bodies"},
	},
	{
		"internal/request/targets/readings.go",
		regexp.MustCompile(`^\t\{"(\w+)", (?:true|false), (?:true|false), (?:true|false), ".*", \w+, \w+\},$`),
		[]string{"./internal/request/targets"},
	},
}

// others are tests that take long and are about something else than a rule: whole
// configurations, honest addresses, reloads. Each rule must be missed without them.
const others = "^Test(Sites|RouteCodes|QuickMatchers|HonestAddresses.*|HundredReloads.*)$"

func main() {
	var survivors []string
	for _, t := range tables {
		if len(os.Args) > 1 {
			t.packages = os.Args[1:]
		}
		alive, err := t.run()
		if err != nil {
			fmt.Fprintln(os.Stderr, "mutate:", err)
			os.Exit(2)
		}
		survivors = append(survivors, alive...)
	}
	if len(survivors) > 0 {
		fmt.Fprintf(os.Stderr, "mutate: the tests pass without %s\n", strings.Join(survivors, ", "))
		os.Exit(1)
	}
}

func (t table) run() (survivors []string, err error) {
	source, err := os.ReadFile(t.file)
	if err != nil {
		return nil, fmt.Errorf("%w; run it from the top of the repository", err)
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	absolute, err := filepath.Abs(t.file)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(source), "\n")
	rules := 0
	for i, text := range lines {
		m := t.line.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		rules++
		mutant := append(append([]string(nil), lines[:i]...), lines[i+1:]...)
		file := filepath.Join(dir, m[1]+".go")
		if err := os.WriteFile(file, []byte(strings.Join(mutant, "\n")), 0o600); err != nil {
			return nil, err
		}
		overlay := filepath.Join(dir, m[1]+".json")
		data, err := json.Marshal(map[string]map[string]string{"Replace": {absolute: file}})
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(overlay, data, 0o600); err != nil {
			return nil, err
		}
		command := exec.Command("go", append([]string{"test", "-overlay", overlay, "-count", "1", "-skip", others}, t.packages...)...)
		output, err := command.CombinedOutput()
		switch failed := string(output); {
		case err == nil:
			survivors = append(survivors, m[1])
			fmt.Printf("%-24s SURVIVES\n", m[1])
		case strings.Contains(failed, "[build failed]") || strings.Contains(failed, "[setup failed]"):
			return nil, fmt.Errorf("without %s nothing builds:\n%s", m[1], failed)
		default:
			fmt.Printf("%-24s %d tests miss it\n", m[1], strings.Count(failed, "--- FAIL"))
		}
	}
	if rules == 0 {
		return nil, fmt.Errorf("no rule found in %s", t.file)
	}
	return survivors, nil
}
