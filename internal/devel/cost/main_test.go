package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// TestAttackLinear: what a request costs grows no faster than the request, whatever it is
// full of and wherever that stands. Counted are the blocks of this module's code that ran,
// where the request gets twice as long three times; the last time decides. Fifteen thousand
// brackets in a name, or scripts in a path, once cost seconds, without any link.
func TestAttackLinear(t *testing.T) {
	program := filepath.Join(t.TempDir(), "cost")
	build := exec.CommandContext(t.Context(), "go", "build", "-cover", "-covermode=atomic",
		"-coverpkg=github.com/signedlink/caddy-signed-link/...", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, bound := range []struct {
		name, bytes, definitions string
		kinds                    int
		paths                    bool
	}{{"16 KiB", "16384", "3", 300, false}, {"1 MiB", "1048576", "1", 15, false}, {"links in paths", "16384", "3", 80, true}} {
		t.Run(bound.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "measured.json")
			run := exec.CommandContext(t.Context(), program, "-definitions", bound.definitions, "-bound", bound.bytes, "-paths="+strconv.FormatBool(bound.paths), "-out", out)
			run.Env = append(os.Environ(), "GOCOVERDIR="+t.TempDir())
			var said bytes.Buffer
			run.Stderr = &said
			if err := run.Run(); err != nil {
				t.Fatalf("%v\n%s", err, said.Bytes())
			}
			text, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			var all []Measured
			if err := json.Unmarshal(text, &all); err != nil {
				t.Fatal(err)
			}
			kinds := 0
			for i, m := range all {
				if m.Steps < 100 {
					t.Errorf("%s of %s: %d steps were counted, so there is no counter", m.Place, m.Kind, m.Steps)
				}
				if i+1 < len(all) && all[i+1].Place == m.Place && all[i+1].Kind == m.Kind {
					continue // a longer one follows
				}
				if i == 0 || all[i-1].Place != m.Place || all[i-1].Kind != m.Kind {
					t.Errorf("%s of %s: nothing to compare with", m.Place, m.Kind)
					continue
				}
				kinds++
				if before := all[i-1]; float64(m.Steps) > 2.2*float64(before.Steps) {
					t.Errorf("%s, full of %s: %d bytes take %d steps, %d bytes %d", m.Place, m.Kind, before.Bytes, before.Steps, m.Bytes, m.Steps)
				}
			}
			if kinds < bound.kinds {
				t.Errorf("%d kinds of requests were counted", kinds)
			}
			t.Logf("%d kinds of requests", kinds)
		})
	}
}

// TestSumCounters: what is not as it is known to be is no count.
func TestSumCounters(t *testing.T) {
	header := append([]byte("\x00cwm\x01\x00\x00\x00"), make([]byte, 24)...)
	header[24] = counterULEB128
	segment := append([]byte{1}, make([]byte, 15)...)
	function := []byte{2, 9, 9, 0x81, 0x01, 3} // two counters of a function: 129 and 3
	footer := make([]byte, counterFooter)
	good := bytes.Join([][]byte{header, segment, function, footer}, nil)
	if sum, err := sumCounters(good); err != nil || sum != 132 {
		t.Errorf("%d, %v", sum, err)
	}
	for i := range good {
		_, err := sumCounters(good[:i])
		if err == nil {
			t.Errorf("%d bytes are a count", i)
		}
	}
	for _, i := range []int{0, 4, 24, counterHeader, counterHeader + counterSegment} {
		bad := bytes.Clone(good)
		bad[i]++
		if _, err := sumCounters(bad); err == nil {
			t.Errorf("with another byte at %d it is a count", i)
		}
	}
}
