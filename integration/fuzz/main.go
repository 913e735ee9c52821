package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

func main() { os.Exit(command()) }

func command() int {
	c := config{out: os.Stdout}
	list := func(name string, all []string, usage string) *string {
		return flag.String(name, strings.Join(all, ","), usage)
	}
	flag.DurationVar(&c.duration, "duration", 2*time.Minute, "how long")
	flag.Uint64Var(&c.seed, "seed", uint64(time.Now().UnixNano()), "of the random numbers")
	flag.StringVar(&c.save, "save", "", "folder for what is found")
	flag.Int64Var(&c.only, "case", -1, "send this case only, and show its answer")
	flag.Func("without", "rules to pass over, as a regular expression", func(text string) (err error) {
		c.without, err = regexp.Compile(text)
		return err
	})
	drawn := flag.Bool("draw", false, "draw configurations, too")
	flag.StringVar(&c.caddy, "caddy", "", "of -draw: the program to attack; empty builds cmd/caddy")
	flag.StringVar(&c.surface, "surface", surfaceNew, "of -draw: new, or old: without unguarded, accept, authorization and cookies")
	flag.StringVar(&c.replays, "replay", "", "of -draw: a folder of specimens; sends their requests only, and shrinks what shows")
	flag.Uint64Var(&c.cases, "cases", 0, "of -draw: how many configurations; 0: as many as there is time for")
	flag.IntVar(&c.each, "each", 1, "of -draw: how many violations of one shape and rule are shrunk")
	fields := map[*string]*[]string{
		list("backend", allBackends, "applications"):                    &c.backends,
		list("profile", allProfiles, "profiles"):                        &c.profiles,
		list("mode", allModes, "modes"):                                 &c.modes,
		list("kind", allKinds(), "kinds of links to protect"):           &c.kinds,
		list("shape", allShapes(), "of -draw: where definitions stand"): &c.shapes,
	}
	flag.Parse()
	known := allBackends
	if *drawn {
		known = slices.Concat(allBackends, drawnBackends, moreBackends)
		backendsGiven := false
		flag.Visit(func(f *flag.Flag) { backendsGiven = backendsGiven || f.Name == "backend" })
		if !backendsGiven {
			_ = flag.Set("backend", strings.Join(drawnBackends, ",")) // a list takes any text
		}
	}
	for from, to := range fields {
		*to = strings.Split(*from, ",")
	}
	for _, check := range []struct{ given, known []string }{{c.backends, known}, {c.profiles, allProfiles}, {c.modes, allModes}, {c.kinds, allKinds()}, {c.shapes, allShapes()}, {[]string{c.surface}, []string{surfaceNew, surfaceOld}}} {
		for _, name := range check.given {
			if !slices.Contains(check.known, name) {
				fmt.Fprintf(os.Stderr, "unknown: %s; there are %s\n", name, strings.Join(check.known, ", "))
				return 2
			}
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer gateway.Clean()
	found := 0
	err := withTB(func(t testing.TB) {
		if *drawn {
			found = len(drawAll(ctx, t, c))
		} else {
			found = len(fuzz(ctx, t, c))
		}
	})
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 2
	case found > 0:
		return 1
	}
	return 0
}

// outside is a testing.TB outside of tests, as far as programs need one that start
// with a test and end with it.
type outside struct {
	testing.TB

	cleanups []func()
}

type fatal string

// withTB calls f and then whatever f has left to clean up.
func withTB(f func(t testing.TB)) (err error) {
	t := new(outside)
	defer func() {
		for _, cleanup := range slices.Backward(t.cleanups) {
			cleanup()
		}
	}()
	defer func() {
		if failed := recover(); failed != nil {
			message, ok := failed.(fatal)
			if !ok {
				panic(failed)
			}
			err = fmt.Errorf("%s", string(message))
		}
	}()
	f(t)
	return nil
}

// Helper does nothing.
func (*outside) Helper() {}

// Failed is false: what failed has ended.
func (*outside) Failed() bool { return false }

// Cleanup keeps the function for the end.
func (t *outside) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

// Fatal ends the run.
func (*outside) Fatal(args ...any) { panic(fatal(fmt.Sprint(args...))) }

// Fatalf ends the run.
func (*outside) Fatalf(format string, args ...any) { panic(fatal(fmt.Sprintf(format, args...))) }

// Logf writes to the standard error.
func (*outside) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// TempDir makes a folder for this run, within one that is its own, as that of a test is:
// Apache's children, who are somebody else, must be let in.
func (t *outside) TempDir() string {
	own, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(own) })
	dir := filepath.Join(own, "001")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
