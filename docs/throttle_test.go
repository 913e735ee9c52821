package docs_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/signedlink/caddy-signed-link/internal/gateway/metrics"
	"github.com/signedlink/caddy-signed-link/internal/sourcemetrics"
)

const year = 365.25 * 24 * time.Hour

// grouped is the number with commas between its thousands.
func grouped(n float64) string {
	s := strconv.FormatFloat(n, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// span is a time in years, or in days below one.
func span(years float64) string {
	switch days := years * year.Hours() / 24; {
	case years >= 10:
		return grouped(years) + " years"
	case years >= 1:
		return fmt.Sprintf("%.1f years", years)
	case days >= 10:
		return fmt.Sprintf("%.0f days", days)
	default:
		return fmt.Sprintf("%.1f days", days)
	}
}

// TestGuessing does the arithmetic of the table that says how long an AKID lasts.
func TestGuessing(t *testing.T) {
	const guesses = 1 << 35 // on average, of 36 bits
	page := readFile(t, filepath.Join("docs", "schemes", "akid.md"))
	if !strings.Contains(page, " "+grouped(guesses)+" guesses") {
		t.Errorf("the page does not say %s guesses", grouped(guesses))
	}
	row := regexp.MustCompile("(?m)^\\| `throttle (\\d+) (\\w+)` \\|.*$")
	found := row.FindAllStringSubmatch(page, -1)
	if len(found) != 3 {
		t.Errorf("%d lines", len(found))
	}
	for _, m := range found {
		failures, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		window, err := caddy.ParseDuration(m[2])
		if err != nil {
			t.Fatal(err)
		}
		perYear := failures * float64(year) / float64(window)
		want := fmt.Sprintf("| `throttle %s %s` | %s | %s | %s | %s |", m[1], m[2], grouped(perYear),
			span(guesses/perYear), span(guesses/perYear/1e3), span(guesses/perYear/1e6))
		if m[0] != want {
			t.Errorf("the page says\n%s\nwant\n%s", m[0], want)
		}
	}
	if want := "makes " + grouped(1e6*10/time.Hour.Seconds()) + " wrong signatures a second"; !strings.Contains(page, want) {
		t.Errorf("want %s", want)
	}
	perYear := 10_000 * year.Seconds()
	if want := fmt.Sprintf("| none, 10,000 a second | %s | %s | | |", grouped(perYear), span(guesses/perYear)); !strings.Contains(page, want) {
		t.Errorf("want %s", want)
	}
}

// TestMetrics finds every metric in options.md, and nothing else in that table.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	if err := errors.Join(metrics.Register(registry), sourcemetrics.Register(registry, "file")); err != nil {
		t.Fatal(err)
	}
	descriptions := make(chan *prometheus.Desc, 100)
	registry.Describe(descriptions)
	close(descriptions)
	text := readFile(t, filepath.Join("docs", "options.md"))
	have := make(map[string]bool)
	for d := range descriptions {
		m := regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([\w,]+)\}`).FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s", d)
		}
		have[m[1]] = true
		if row := "\n| `" + m[1] + "` | `" + strings.ReplaceAll(m[2], ",", "`, `") + "` |"; !strings.Contains(text, row) {
			t.Errorf("options.md has no row %s", row)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(caddy_signed_link_\\w+)` \\|").FindAllStringSubmatch(text, -1) {
		if !have[m[1]] {
			t.Errorf("options.md has a metric %s, which nothing counts", m[1])
		}
	}
}
