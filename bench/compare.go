package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// benchstat compares runs of benchmarks, and says which differences are more than noise.
const benchstat = "golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da"

// stable are benchmarks that wait for nothing and allocate what they always do, so that
// what changes in them was changed.
const stable = "^Benchmark(Verdict|Handler|Key|Parse|Classify)$"

// compare prints how this tree differs from a commit; by default from where its branch
// left the main one. It fails where it cannot measure, and never because of what it
// measured: that is for people to judge.
func compare(o *options, base string, out io.Writer) error {
	root := filepath.Dir(o.dir)
	git := func(args ...string) (string, error) {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		text, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(text)), nil
	}
	if base == "" {
		var err error
		if base, err = git("merge-base", "HEAD", "main"); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer interruptible(func() { _ = os.RemoveAll(dir) })()
	before := filepath.Join(dir, "before")
	if err := os.Mkdir(before, 0o755); err != nil {
		return err
	}
	archive := filepath.Join(dir, "before.tar")
	if _, err := git("archive", "-o", archive, base); err != nil {
		return err
	}
	if text, err := exec.Command("tar", "-xf", archive, "-C", before).CombinedOutput(); err != nil {
		return fmt.Errorf("tar: %w\n%s", err, text)
	}

	rounds, benchtime := 6, "300ms"
	if o.quick {
		rounds, benchtime = 4, "50ms"
	}
	results := map[string]string{"before": "", "now": ""}
	for round := range rounds { // in turns, so that both see the same machine
		o.say("round %d of %d", round+1, rounds)
		for name, tree := range map[string]string{"before": before, "now": root} {
			text, err := goBench(tree, stable, benchtime, ".", "./query", "./keyedhash")
			if err != nil {
				return err
			}
			results[name] += text
		}
	}
	var files []string
	for _, name := range []string{"before", "now"} {
		if len(parseResults(results[name])) == 0 {
			return fmt.Errorf("%s (%s) has none of the benchmarks %s", name, base, stable)
		}
		file := filepath.Join(dir, name)
		if name == "before" {
			file += ".txt"
		}
		if err := os.WriteFile(file, []byte(results[name]), 0o644); err != nil {
			return err
		}
		files = append(files, name+"="+file)
	}
	cmd := exec.Command("go", append([]string{"run", benchstat}, files...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, os.Stderr
	return cmd.Run()
}
