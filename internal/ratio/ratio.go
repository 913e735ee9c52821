// Package ratio measures a function against another one in the same run, for
// benchmarks whose result is a ratio and not a time: machines differ, and share their
// processors with others, but both halves of a pair suffer alike.
package ratio

import (
	"slices"
	"testing"
	"time"
)

// batch is how long one measurement of one half should take: long against the clock's
// resolution, and short against the slices in which a system divides its processor.
const batch = 50 * time.Microsecond

// Report measures f against base in alternating batches, as long as the benchmark runs,
// and reports medians: ns/op and allocs/call of f, ns/base of base, and their ratio ×base,
// which is the median of the pairs' own ratios.
func Report(b *testing.B, base, f func()) {
	b.Helper()
	n := calibrate(base, f)
	var times, bases, ratios []float64
	for b.Loop() {
		t, u := clock(n, f), clock(n, base)
		times, bases, ratios = append(times, t), append(bases, u), append(ratios, t/u)
	}
	b.ReportMetric(Median(times), "ns/op")
	b.ReportMetric(Median(bases), "ns/base")
	b.ReportMetric(Median(ratios), "×base")
	b.ReportMetric(testing.AllocsPerRun(100, f), "allocs/call")
}

// Beyond is [Report] for an f that contains base: it reports, as ns/beyond and
// allocs/beyond, the medians of what f takes beyond it. As ns/undisturbed it reports the
// same of the fastest twentieth of both: what it is on an idle core, and without the
// garbage collector's turns, as far as a shared machine can tell.
func Beyond(b *testing.B, base, f func()) {
	b.Helper()
	n := calibrate(base, f)
	var times, bases, beyond []float64
	for b.Loop() {
		t, u := clock(n, f), clock(n, base)
		times, bases, beyond = append(times, t), append(bases, u), append(beyond, t-u)
	}
	b.ReportMetric(Median(times), "ns/op")
	b.ReportMetric(Median(bases), "ns/base")
	b.ReportMetric(Median(beyond), "ns/beyond")
	b.ReportMetric(Quantile(times, undisturbed)-Quantile(bases, undisturbed), "ns/undisturbed")
	b.ReportMetric(testing.AllocsPerRun(100, f), "allocs/call")
	b.ReportMetric(testing.AllocsPerRun(100, f)-testing.AllocsPerRun(100, base), "allocs/beyond")
}

// undisturbed is the part of the measurements that is taken for that.
const undisturbed = 0.05

// calibrate returns how often the functions are called for one measurement.
func calibrate(functions ...func()) int {
	n := 1
	for _, f := range functions {
		for f(); clock(n, f)*float64(n) < float64(batch) && n < 1<<20; {
			n *= 2
		}
	}
	return n
}

// clock returns how many nanoseconds one of n calls takes.
func clock(n int, f func()) float64 {
	start := time.Now()
	for range n {
		f()
	}
	return float64(time.Since(start)) / float64(n)
}

// Median returns the median, 0 of nothing.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// Quantile returns the value below which that part of the values lies, 0 of nothing.
func Quantile(values []float64, part float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := part * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (sorted[high]-sorted[low])*(at-float64(low))
}
