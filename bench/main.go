package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// measurements are the layers of which -write keeps the result in README.md, in the
// order of the page.
var measurements = []struct {
	name string
	run  func(o *options) (string, error)
}{
	{"ratios", ratios},
	{"process", whole},
	{"growth", growth},
}

// options are the command line.
type options struct {
	dir   string // of this program's source
	quick bool   // a tenth of the time, for a look
	write bool
	say   func(format string, args ...any)
}

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(progress)
	o := &options{say: func(format string, args ...any) { fmt.Fprintf(progress, format+"\n", args...) }}
	flags.BoolVar(&o.write, "write", false, "write the results into bench/README.md")
	flags.BoolVar(&o.quick, "quick", false, "measure a tenth of the time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("where is the module? %w", err)
	}
	o.dir = filepath.Join(strings.TrimSpace(string(root)), "bench")

	what := flags.Arg(0)
	if what == "compare" {
		return compare(o, flags.Arg(1), out)
	}
	known := false
	for _, m := range measurements {
		if what != m.name && what != "all" {
			continue
		}
		known = true
		text, err := m.run(o)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		text = machine() + "\n" + text
		fmt.Fprintln(out, text)
		if o.write {
			if err := keep(filepath.Join(o.dir, "README.md"), m.name, text); err != nil {
				return err
			}
		}
	}
	if !known {
		return errors.New("say what to measure: ratios, process, growth, all or compare")
	}
	return nil
}

// keep puts the text between the marks of that name in a page.
func keep(file, name, text string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for %s", file, name)
	}
	return os.WriteFile(file, []byte(before+begin+text+end+after), 0o644)
}

// machine describes where the figures come from.
func machine() string {
	kernel := "?"
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = strings.TrimSpace(string(b))
	}
	load := "?"
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(b), " ")
	}
	return fmt.Sprintf("Measured on %d × %s, Linux %s, %s, load %s at the end.\n", runtime.NumCPU(), processor("/proc/cpuinfo"), kernel, runtime.Version(), load)
}

// processor is the model of the processor, and whether it has instructions for SHA-256.
func processor(cpuinfo string) string {
	b, err := os.ReadFile(cpuinfo)
	if err != nil {
		return runtime.GOARCH
	}
	model, sha := runtime.GOARCH, ""
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch strings.TrimSpace(name) {
		case "model name":
			model = strings.TrimSpace(value)
		case "flags", "Features":
			if strings.Contains(value, "sha_ni") || strings.Contains(value, "sha2") {
				sha = " with SHA instructions"
			}
		}
	}
	return model + sha
}

// interruptible ends what was started when the program is told to stop.
func interruptible(stop func()) (done func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	finished := make(chan struct{})
	go func() {
		select {
		case <-c:
			stop()
			os.Exit(130)
		case <-finished:
		}
	}()
	return func() { signal.Stop(c); close(finished) }
}
