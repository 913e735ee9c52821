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

// Times are how many nanoseconds one call of a function, and one of its base, took in
// each of many batches, by turns.
type Times struct{ F, Base []float64 }

// Measure calls the functions by turns as long as more reports true.
func Measure(base, f func(), more func() bool) (t Times) {
	n := calibrate(base, f)
	for more() {
		t.F, t.Base = append(t.F, clock(n, f)), append(t.Base, clock(n, base))
	}
	return t
}

// pairs is the median of what combine makes of each pair.
func (t Times) pairs(combine func(f, base float64) float64) float64 {
	values := make([]float64, len(t.F))
	for i, f := range t.F {
		values[i] = combine(f, t.Base[i])
	}
	return Median(values)
}

// Ratio is the median of the ratios of the pairs.
func (t Times) Ratio() float64 { return t.pairs(func(f, base float64) float64 { return f / base }) }

// Beyond is the median of what f took beyond its base in each pair.
func (t Times) Beyond() float64 { return t.pairs(func(f, base float64) float64 { return f - base }) }

// Undisturbed is Beyond of the fastest twentieth of both: what it is on an idle core, and
// without the garbage collector's turns, as far as a shared machine can tell.
func (t Times) Undisturbed() float64 {
	const part = 0.05
	return Quantile(t.F, part) - Quantile(t.Base, part)
}

// Report measures f against base in alternating batches, as long as the benchmark runs,
// and reports medians: ns/op and allocs/call of f, ns/base of base, and their ratio ×base,
// which is the median of the pairs' own ratios.
func Report(b *testing.B, base, f func()) {
	b.Helper()
	t := Measure(base, f, b.Loop)
	b.ReportMetric(Median(t.F), "ns/op")
	b.ReportMetric(Median(t.Base), "ns/base")
	b.ReportMetric(t.Ratio(), "×base")
	b.ReportMetric(testing.AllocsPerRun(100, f), "allocs/call")
}

// Beyond is [Report] for an f that contains base: it reports [Times.Beyond] as ns/beyond,
// [Times.Undisturbed] as ns/undisturbed, and what f allocates beyond its base as
// allocs/beyond.
func Beyond(b *testing.B, base, f func()) {
	b.Helper()
	t := Measure(base, f, b.Loop)
	b.ReportMetric(Median(t.F), "ns/op")
	b.ReportMetric(Median(t.Base), "ns/base")
	b.ReportMetric(t.Beyond(), "ns/beyond")
	b.ReportMetric(t.Undisturbed(), "ns/undisturbed")
	b.ReportMetric(testing.AllocsPerRun(100, f), "allocs/call")
	b.ReportMetric(testing.AllocsPerRun(100, f)-testing.AllocsPerRun(100, base), "allocs/beyond")
}

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
