//go:build integration

package main

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// drawn is a run of drawn configurations that is the same every time.
func drawn(t *testing.T) config {
	c := everything(t)
	c.seed, c.cases, c.each, c.surface = 12, 40, 1, surfaceNew
	c.duration = 40 * time.Second // on a busy machine it may be fewer
	c.backends, c.shapes = drawnBackends, allShapes()
	return c
}

// TestDrawn replays testdata/drawn, and draws a few configurations.
func TestDrawn(t *testing.T) {
	for _, s := range drawAll(t.Context(), t, drawn(t)) {
		t.Errorf("%s: %s", s.rule, s.what)
	}
}

// TestDrawnFindsBypasses shows that the oracle sees what an application shows: with the
// profile of another backend there are bypasses.
func TestDrawnFindsBypasses(t *testing.T) {
	c := drawn(t)
	c.mismatch, c.duration = true, 5*time.Minute // the cases end it, but on a busy machine they, and making them smaller, take long
	c.cases, c.backends, c.modes, c.shapes = 3, []string{"tomcat"}, []string{modeRequire}, []string{"site"}
	c.kinds = []string{"user"} // of which few lines are needed
	rules := make(map[string]*specimen)
	for _, s := range drawAll(t.Context(), t, c) {
		rules[s.rule] = s
	}
	if rules["nobody"] == nil {
		t.Fatalf("nobody has got in; found %v", rules)
	}
	if n := len(strings.Split(textOf(rules["nobody"].sites), "\n")); n > 12 {
		t.Errorf("the configuration that shows it has %d lines:\n%s", n, rules["nobody"])
	}
}

// drawnFor draws with backends that do not run.
func drawnFor(n uint64, old bool) (*configuration, *backend) {
	list := []*backend{{name: "front", php: true, root: "/root", watch: &watch{address: "unix//s"}}, {name: "tomcat", watch: &watch{address: "127.0.0.1:1"}}}
	return draw(7, n, allShapes(), list, allProfiles, allModes, allKinds(), false, old)
}

// TestDrawnIsReproducible draws everything twice, and reads what it writes.
func TestDrawnIsReproducible(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	from, err := readCorpus(root)
	if err != nil {
		t.Fatal(err)
	}
	different := make(map[string]bool)
	drawnShapes := make(map[string]bool)
	for n := range uint64(600) {
		old := n%2 == 0
		c, b := drawnFor(n, old)
		again, _ := drawnFor(n, old)
		if !reflect.DeepEqual(c, again) {
			t.Fatalf("configuration %d is\n%s\nand\n%s", n, textOf(c.sites), textOf(again.sites))
		}
		q := c.request(7, n, n%requestsDrawn, from)
		if !reflect.DeepEqual(q, c.request(7, n, n%requestsDrawn, from)) {
			t.Fatalf("the request of configuration %d is another one the second time", n)
		}
		s := &specimen{"rule", "what", c, q}
		read, err := parseSpecimen(s.String())
		if err != nil {
			t.Fatalf("%v:\n%s", err, s)
		}
		if read.String() != s.String() {
			t.Fatalf("written:\n%s\nread:\n%s", s, read)
		}
		if _, sites := c.write(b); strings.Contains(sites, "PROXY") {
			t.Errorf("there is no backend in\n%s", sites)
		}
		if old && (strings.Contains(textOf(c.sites), "unguarded") || c.has("accept") || c.has("authorization") || c.has("cookies")) {
			t.Errorf("the old surface does not have this:\n%s", textOf(c.sites))
		}
		different[textOf(c.options)+textOf(c.sites)] = true
		drawnShapes[c.shape] = true
	}
	if len(different) < 400 || len(drawnShapes) != len(shapes) {
		t.Errorf("only %d of 600 configurations are different, and %d shapes of %d are drawn", len(different), len(drawnShapes), len(shapes))
	}
}

// TestSmaller: what is tried is smaller, and keeps the definition.
func TestSmaller(t *testing.T) {
	for n := range uint64(200) {
		c, _ := drawnFor(n, false)
		before := textOf(c.sites) + textOf(c.options)
		for s := range c.smaller() {
			text := textOf(s.sites) + textOf(s.options)
			if len(text) >= len(before) {
				t.Fatalf("not smaller:\n%s\nthan\n%s", text, before)
			}
			if definitions(s.sites) != definitions(c.sites) && c.site("SECURE1") == nil {
				t.Fatalf("without a definition:\n%s", text)
			}
		}
		if textOf(c.sites)+textOf(c.options) != before {
			t.Fatal("the configuration has changed")
		}
	}
}

// TestSpecimensAreRead reads the corpus as it was written.
func TestSpecimensAreRead(t *testing.T) {
	all, err := readSpecimens(filepath.Join("testdata", "drawn"))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Error("there are none")
	}
}
