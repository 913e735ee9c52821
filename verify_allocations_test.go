//go:build !race

package signedlink_test

import (
	"testing"
)

// The race detector has pools forget at random, so what is allocated is counted without
// it.

// TestVerdictAllocations: from query to verdict nothing is allocated.
func TestVerdictAllocations(t *testing.T) {
	for _, l := range hotLinks(t) {
		if n := testing.AllocsPerRun(100, judging(t, l.directive, l.target)); n != 0 {
			t.Errorf("%s: %v allocations from query to verdict", l.name, n)
		}
	}
}

// TestHandlerAllocations: what the handler adds to the route on which it stands. Five are
// the state of the request, the function of its placeholders, the target where the
// signature is cut out of its middle, and two for the placeholder of the original one.
func TestHandlerAllocations(t *testing.T) {
	for _, l := range hotLinks(t) {
		without := testing.AllocsPerRun(100, serving(t, noop, l.target))
		if n := testing.AllocsPerRun(100, serving(t, l.directive, l.target)) - without; n > 5 {
			t.Errorf("%s: %v allocations beyond the same route", l.name, n)
		}
	}
	for directive, noops := range map[string]string{
		"signed_link guard":                         noop,
		"signed_link /app/* akid {env.AKID_SECRET}": noop,
		"signed_link /app/* recognize akid {env.AKID_SECRET}\nsigned_link /b/* akid {env.AKID_SECRET}": noop + noop,
	} {
		without := testing.AllocsPerRun(100, serving(t, noops, "/open?a=1"))
		if n := testing.AllocsPerRun(100, serving(t, directive, "/open?a=1")) - without; n != 0 {
			t.Errorf("%s: %v allocations on an unmatched request", directive, n)
		}
	}
}
