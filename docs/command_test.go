package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandLine runs every `caddy signed-link` line of the pages, in a shell, at the top
// of a copy of what it needs, and compares what is printed.
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
	n := 0
	for _, c := range commandLines(t) {
		if !c.shown || !strings.HasPrefix(c.line, "caddy signed-link ") {
			continue
		}
		n++
		shell := exec.Command("sh", "-c", c.line)
		shell.Dir = dir
		shell.Env = []string{"HOME=" + t.TempDir(), "PATH=" + bin + ":" + os.Getenv("PATH")}
		printed, _ := shell.CombinedOutput() // the exit code says what the text says
		if have := string(printed); strings.TrimSuffix(have, "\n") != strings.TrimSuffix(c.answer, "\n") {
			t.Errorf("%s: %s\nexpected:\n%s\ngot:\n%s", c.at, c.line, c.answer, have)
		}
	}
	if n < 8 {
		t.Errorf("only %d commands were found", n)
	}
}
