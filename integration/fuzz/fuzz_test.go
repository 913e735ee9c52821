//go:build integration

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

func TestMain(m *testing.M) { gateway.Main(m) }

// logged is an io.Writer that logs.
type logged struct{ t *testing.T }

func (l logged) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}

func everything(t *testing.T) config {
	return config{
		duration: time.Minute, seed: 1, only: -1, out: logged{t},
		backends: allBackends, profiles: allProfiles, modes: allModes, kinds: allKinds(),
	}
}

// TestFuzz runs the fuzzer for a minute, or as long as FUZZ_DURATION says, with the same
// requests each time, or those of the seed FUZZ_SEED: a change is judged by what it did, and
// not by luck.
func TestFuzz(t *testing.T) {
	c := everything(t)
	if text := os.Getenv("FUZZ_SEED"); text != "" {
		var err error
		if c.seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if text := os.Getenv("FUZZ_DURATION"); text != "" {
		var err error
		if c.duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range fuzz(t.Context(), t, c) {
		t.Errorf("%s: %s", f.Rule, f.What)
	}
}

// TestFuzzFindsBypasses shows that the fuzzer sees a bypass: with the profile of
// another backend it finds some.
func TestFuzzFindsBypasses(t *testing.T) {
	for _, given := range []struct{ backend, profile, rule string }{
		{"fpm", "servlet", "source $_GET"},
		{"tomcat", "php", "nobody"},
	} {
		t.Run(given.backend+" "+given.profile, func(t *testing.T) {
			c := everything(t)
			c.seed, c.duration, c.mismatch = 1, 20*time.Second, true
			c.backends, c.profiles, c.modes, c.kinds = []string{given.backend}, []string{given.profile}, []string{modeRequire}, []string{"user"}
			rules := make(map[string]bool)
			for _, f := range fuzz(t.Context(), t, c) {
				rules[f.Rule] = true
			}
			if !rules[given.rule] {
				t.Errorf("%q is not among what it finds: %v", given.rule, rules)
			}
		})
	}
}

// TestCasesAreReproducible makes every case twice.
func TestCasesAreReproducible(t *testing.T) {
	corpora := make([]corpus, 2)
	for i := range corpora {
		root, err := moduleRoot()
		if err != nil {
			t.Fatal(err)
		}
		if corpora[i], err = readCorpus(root); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range kinds {
		different := make(map[string]bool) // within the kind: some have the same links
		for i := range uint64(2000) {
			first, second := newGenerator(7, i, k, corpora[0]).request(), newGenerator(7, i, k, corpora[1]).request()
			if !reflect.DeepEqual(first, second) {
				t.Fatalf("case %d of %s is %s and %s", i, k.name, first, second)
			}
			different[first.String()] = true
		}
		if len(different) < 1600 {
			t.Errorf("%s: of 2000 cases only %d are different", k.name, len(different))
		}
	}
}

// TestRegressionsAreRead reads the lines of testdata as they were written.
func TestRegressionsAreRead(t *testing.T) {
	lines, err := readFindings(filepath.Join("testdata", "regressions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, name := range allKinds() {
		known[name] = true
	}
	for i, f := range lines {
		if f.Request == nil || f.Rule == "" || !known[f.Kind] {
			t.Errorf("line %d is no finding: %s", i+1, fmt.Sprint(f))
		}
	}
}
