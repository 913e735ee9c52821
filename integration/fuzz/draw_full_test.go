//go:build integration && full

package main

import (
	"slices"
	"testing"
	"time"
)

// TestDrawnFull draws configurations in front of what only a full run has.
func TestDrawnFull(t *testing.T) {
	c := drawn(t)
	c.backends, c.cases, c.duration = slices.Concat(drawnBackends, moreBackends), 120, 3*time.Minute
	for _, s := range drawAll(t.Context(), t, c) {
		t.Errorf("%s: %s", s.rule, s.what)
	}
}
