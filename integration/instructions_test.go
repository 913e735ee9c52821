//go:build integration

package integration

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/backends"
)

// TestAttackCost: the worst request of each kind, 16 KiB of it, costs at most ten times
// what a stock Caddy spends on the same bytes in front of the same application, where each
// definition is a line that sets a header. It was up to 1,600 times as much. Counted are
// instructions, by an emulator: they are the same on every machine, whatever its load.
func TestAttackCost(t *testing.T) {
	const most = 10
	backends.Require(t, "cc", "qemu-x86_64")
	dir := t.TempDir()
	plugin, program := filepath.Join(dir, "instructions.so"), filepath.Join(dir, "cost")
	command(t, "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", plugin, filepath.Join("testdata", "instructions.c"))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../internal/devel/cost")
	build.Env = append(os.Environ(), "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mark := symbol(t, program, "main.mark")
	for _, of := range []struct {
		definitions string
		least       int
		paths       string // whether links stand in the path
	}{{"1", 300, "false"}, {"10", 300, "false"}, {"100", 300, "false"}, {"1", 80, "true"}, {"10", 80, "true"}, {"100", 80, "true"}} {
		name := of.definitions + " definitions"
		if of.paths == "true" {
			name += " of paths"
		}
		t.Run(name, func(t *testing.T) {
			args := []string{"-definitions", of.definitions, "-paths=" + of.paths}
			ours := instructions(t, plugin, program, mark, args...)
			stock := instructions(t, plugin, program, mark, append(args, "-stock")...)
			if len(ours) < of.least || len(stock) != len(ours) {
				t.Fatalf("%d and %d requests were counted", len(ours), len(stock))
			}
			// Of what else goes on in a Caddy some may fall into a request: at times 3 % of it.
			// It only adds, so the least of several counts is the request's own.
			for again := 0; again < 2 && dearer(ours, stock, most); again++ {
				least(ours, instructions(t, plugin, program, mark, args...))
				least(stock, instructions(t, plugin, program, mark, append(args, "-stock")...))
			}
			worst, at := 0.0, ""
			for i, m := range ours {
				if m.name != stock[i].name || m.count < 10_000 || stock[i].count < 10_000 {
					t.Fatalf("%s takes %d instructions, %s %d", m.name, m.count, stock[i].name, stock[i].count)
				}
				times := float64(m.count) / float64(stock[i].count)
				if times > most {
					t.Errorf("%s: %d instructions, %.1f times those of a stock Caddy", m.name, m.count, times)
				}
				if times > worst {
					worst, at = times, m.name
				}
			}
			t.Logf("%d requests; the worst is %s: %.1f times", len(ours), at, worst)
		})
	}
}

// dearer reports whether one of ours takes more than most times what the same takes in stock.
func dearer(ours, stock []measured, most uint64) bool {
	for i, m := range ours {
		if m.count > most*stock[i].count {
			return true
		}
	}
	return false
}

// least keeps the lesser count of each request.
func least(all, again []measured) {
	for i := range all {
		all[i].count = min(all[i].count, again[i].count)
	}
}

// measured is a request, and how many instructions it took.
type measured struct {
	name  string
	count uint64
}

// instructions lets the program count what the longest request of each kind takes.
func instructions(t *testing.T, plugin, program string, mark uint64, args ...string) (all []measured) {
	t.Helper()
	dir := t.TempDir()
	counts, names := filepath.Join(dir, "counts"), filepath.Join(dir, "names")
	run := exec.CommandContext(t.Context(), "qemu-x86_64", append([]string{
		"-cpu", "max", "-plugin", fmt.Sprintf("%s,mark=%#x,out=%s", plugin, mark, counts),
		program, "-marks", "-doublings", "0", "-out", names,
	}, args...)...)
	run.Env = append(os.Environ(), "GOMAXPROCS=1")
	var said strings.Builder
	run.Stderr = &said
	if err := run.Run(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	text, err := os.ReadFile(names)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []struct {
		Kind, Place string
		Bytes       int
	}
	if err := json.Unmarshal(text, &kinds); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(counts); err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(text))
	if len(lines) != 2*len(kinds) { // a mark before each request, and one behind
		t.Fatalf("%d marks, %d requests", len(lines), len(kinds))
	}
	for i, k := range kinds {
		n, err := strconv.ParseUint(lines[2*i+1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, measured{fmt.Sprintf("%s, %d bytes of %s", k.Place, k.Bytes, k.Kind), n})
	}
	return all
}

// symbol returns the address of a function.
func symbol(t *testing.T, program, name string) uint64 {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Name == name {
			return s.Value
		}
	}
	t.Fatalf("%s has no %s", program, name)
	return 0
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
