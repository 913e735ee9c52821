// Command mutate takes the rules of the backend profiles out, one at a time, and runs
// the tests each time: a rule that no test misses is not tested. It prints a line for
// each rule and fails if the tests pass without one.
//
//	go run ./internal/mutate [package...]
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

// table is the file with the rules, and line what a rule looks like in it.
const table = "query/profile.go"

var line = regexp.MustCompile(`^\t\{(\w+), "(\w+)", (?:true|false), (?:true|false), (?:true|false), ".*"\},$`)

func main() {
	packages := os.Args[1:]
	if len(packages) == 0 {
		packages = []string{".", "./query"}
	}
	survivors, err := run(packages)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if len(survivors) > 0 {
		fmt.Fprintf(os.Stderr, "mutate: the tests pass without %s\n", strings.Join(survivors, ", "))
		os.Exit(1)
	}
}

func run(packages []string) (survivors []string, err error) {
	source, err := os.ReadFile(table)
	if err != nil {
		return nil, fmt.Errorf("%w; run it from the top of the repository", err)
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	absolute, err := filepath.Abs(table)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(source), "\n")
	rules := 0
	for i, text := range lines {
		m := line.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		rules++
		mutant := append(append([]string(nil), lines[:i]...), lines[i+1:]...)
		file := filepath.Join(dir, m[2]+".go")
		if err := os.WriteFile(file, []byte(strings.Join(mutant, "\n")), 0o600); err != nil {
			return nil, err
		}
		overlay := filepath.Join(dir, m[2]+".json")
		data, err := json.Marshal(map[string]map[string]string{"Replace": {absolute: file}})
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(overlay, data, 0o600); err != nil {
			return nil, err
		}
		command := exec.Command("go", append([]string{"test", "-overlay", overlay, "-count", "1"}, packages...)...)
		output, err := command.CombinedOutput()
		switch failed := string(output); {
		case err == nil:
			survivors = append(survivors, m[2])
			fmt.Printf("%-24s SURVIVES\n", m[2])
		case strings.Contains(failed, "[build failed]") || strings.Contains(failed, "[setup failed]"):
			return nil, fmt.Errorf("without %s nothing builds:\n%s", m[2], failed)
		default:
			fmt.Printf("%-24s %d tests miss it\n", m[2], strings.Count(failed, "--- FAIL"))
		}
	}
	if rules == 0 {
		return nil, fmt.Errorf("no rule found in %s", table)
	}
	return survivors, nil
}
