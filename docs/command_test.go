package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandLine runs what command-line.md shows, in a shell, at the top of a copy of
// what it needs, and compares what is printed.
func TestCommandLine(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin, dir := t.TempDir(), t.TempDir()
	if err := os.Symlink(program, filepath.Join(bin, "caddy")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{example, "examples"} {
		from, err := filepath.Abs(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(from, filepath.Join(dir, path)); err != nil {
			t.Fatal(err)
		}
	}
	blocks, _ := fences(t, filepath.Join("docs", "command-line.md"))
	n := 0
	for _, b := range blocks {
		if b.lang != "console" {
			continue
		}
		for exchange := range strings.SplitSeq(strings.TrimPrefix(b.text, "$ "), "\n$ ") {
			line, want, _ := strings.Cut(exchange, "\n")
			n++
			shell := exec.Command("sh", "-c", line)
			shell.Dir = dir
			shell.Env = []string{"HOME=" + t.TempDir(), "PATH=" + bin + ":" + os.Getenv("PATH")}
			printed, _ := shell.CombinedOutput() // the exit code says what the text says
			if have := string(printed); strings.TrimSuffix(have, "\n") != strings.TrimSuffix(want, "\n") {
				t.Errorf("%s: %s\nexpected:\n%s\ngot:\n%s", b.at, line, want, have)
			}
		}
	}
	if n < 6 {
		t.Errorf("only %d commands were found", n)
	}
}
