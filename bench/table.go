package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/signedlink/caddy-signed-link/internal/devel/ratio"
)

// table is a table in Markdown.
type table struct {
	rows [][]string
}

func newTable(head ...string) *table { return &table{rows: [][]string{head}} }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	var b strings.Builder
	for i, row := range t.rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|---|" + strings.Repeat("--:|", len(row)-1) + "\n")
		}
	}
	return b.String()
}

// kept says whether a budget is.
func kept(met bool) string {
	if met {
		return "met"
	}
	return "**missed**"
}

// spread is the median of the values and, behind it, the quartiles.
func spread(values []float64, format string) string {
	return fmt.Sprintf(format+" ("+format+" … "+format+")", ratio.Median(values), ratio.Quantile(values, 0.25), ratio.Quantile(values, 0.75))
}

// duration is a time in nanoseconds, to three digits.
func duration(ns float64) string {
	switch {
	case math.Abs(ns) < 1e3:
		return digits(ns) + " ns"
	case math.Abs(ns) < 1e6:
		return digits(ns/1e3) + " µs"
	case math.Abs(ns) < 1e9:
		return digits(ns/1e6) + " ms"
	default:
		return digits(ns/1e9) + " s"
	}
}

// size is a number of bytes, to three digits.
func size(n float64) string {
	switch {
	case math.Abs(n) < 1<<10:
		return digits(n) + " B"
	case math.Abs(n) < 1<<20:
		return digits(n/(1<<10)) + " KiB"
	default:
		return digits(n/(1<<20)) + " MiB"
	}
}

func digits(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1000:
		return fmt.Sprintf("%.0f", v)
	case a < 10:
		return fmt.Sprintf("%.2f", v)
	case a < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}
