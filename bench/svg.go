package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// plot is a diagram with logarithmic axes: a straight line of slope one is what grows as
// its cause does. Its y axis is a time in nanoseconds.
type plot struct {
	title, x string
	lines    []line
}

type line struct {
	name   string
	points []point
}

type point struct{ x, y float64 }

// The plots stand side by side, each so large, in pixels.
const (
	plotWidth, plotHeight   = 360, 320
	left, right, top, below = 62, 12, 34, 70
)

var colours = []string{"#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5"}

// svg draws the plots.
func svg(plots []plot) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", plotWidth*len(plots), plotHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth*len(plots), plotHeight)
	for i, p := range plots {
		fmt.Fprintf(&b, `<g transform="translate(%d 0)">`+"\n", i*plotWidth)
		p.draw(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// axis maps values to pixels by their decimal logarithm.
type axis struct{ low, high, from, to float64 }

func newAxis(values []float64, from, to float64) axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		v = math.Log10(max(v, 1))
		low, high = min(low, v), max(high, v)
	}
	low, high = math.Floor(low), math.Ceil(high)
	if len(values) == 0 || low == high {
		low, high = 0, 1
	}
	return axis{low, high, from, to}
}

func (a axis) at(v float64) float64 {
	return a.from + (math.Log10(max(v, 1))-a.low)/(a.high-a.low)*(a.to-a.from)
}

// ticks are the powers of ten on the axis.
func (a axis) ticks() (powers []float64) {
	for e := a.low; e <= a.high; e++ {
		powers = append(powers, math.Pow(10, e))
	}
	return powers
}

func (p plot) draw(b *strings.Builder) {
	var xs, ys []float64
	for _, l := range p.lines {
		for _, pt := range l.points {
			xs, ys = append(xs, pt.x), append(ys, pt.y)
		}
	}
	x, y := newAxis(xs, left, plotWidth-right), newAxis(ys, plotHeight-below, top)
	fmt.Fprintf(b, `<text x="%d" y="18" font-size="12">%s</text>`+"\n", left-50, html.EscapeString(p.title))
	for _, v := range x.ticks() {
		fmt.Fprintf(b, `<path d="M%.1f %d V%d" stroke="#ddd"/>`, x.at(v), top, plotHeight-below)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x.at(v), plotHeight-below+14, thousands(v))
	}
	for _, v := range y.ticks() {
		fmt.Fprintf(b, `<path d="M%d %.1f H%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y.at(v), plotWidth-right, left-4, y.at(v)+4, duration(v))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+plotWidth-right)/2, plotHeight-below+28, html.EscapeString(p.x))
	for i, l := range p.lines {
		colour := colours[i%len(colours)]
		var path []string
		for _, pt := range l.points {
			path = append(path, fmt.Sprintf("%.1f,%.1f", x.at(pt.x), y.at(pt.y)))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>`+"\n", x.at(pt.x), y.at(pt.y), colour)
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s"/>`+"\n", strings.Join(path, " "), colour)
		column, row := i%2, i/2
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", left-40+column*165, plotHeight-below+42+row*12, colour, html.EscapeString(l.name))
	}
}

func thousands(v float64) string {
	switch {
	case v >= 1e6:
		return digits(v/1e6) + " M"
	case v >= 1e3:
		return digits(v/1e3) + " k"
	default:
		return digits(v)
	}
}
