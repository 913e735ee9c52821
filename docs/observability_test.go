package docs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/signedlink/caddy-signed-link/internal/gateway/metrics"
	"github.com/signedlink/caddy-signed-link/internal/sourcemetrics"
	"github.com/signedlink/caddy-signed-link/link"
)

// collected catches the collectors that a configuration registers.
type collected struct {
	prometheus.Registerer
	kinds  map[string]string // by name
	labels map[string][]string
}

var description = regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([^}]*)\}`)

func (c *collected) Register(collector prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc, 16)
	collector.Describe(descriptions)
	close(descriptions)
	for d := range descriptions {
		m := description.FindStringSubmatch(d.String())
		if m == nil {
			return fmt.Errorf("the description is %s", d)
		}
		kind := "gauge"
		switch collector.(type) {
		case *prometheus.CounterVec:
			kind = "counter"
		case *prometheus.HistogramVec:
			kind = "histogram"
		}
		c.kinds[m[1]], c.labels[m[1]] = kind, strings.Split(m[2], ",")
	}
	return nil
}

// registered are all metrics of the module.
func registered(t *testing.T) *collected {
	t.Helper()
	c := &collected{kinds: make(map[string]string), labels: make(map[string][]string)}
	if err := errors.Join(metrics.Register(c), sourcemetrics.Register(c, "file")); err != nil {
		t.Fatal(err)
	}
	if len(c.kinds) < 12 {
		t.Errorf("there are only %d metrics", len(c.kinds))
	}
	return c
}

// TestMetricsTable: the table of metrics has each, with its kind and its labels, and no other.
func TestMetricsTable(t *testing.T) {
	c := registered(t)
	page := readFile(t, filepath.Join("docs", "observability", "README.md"))
	rows := regexp.MustCompile("(?m)^\\| `(caddy_signed_link_\\w+)` \\| (\\w+) \\| ([^|]*) \\|").FindAllStringSubmatch(page, -1)
	for _, row := range rows {
		labels := "`" + strings.Join(c.labels[row[1]], "`, `") + "`"
		if row[2] != c.kinds[row[1]] || row[3] != labels {
			t.Errorf("%s is a %s with %s", row[1], c.kinds[row[1]], labels)
		}
	}
	if len(rows) != len(c.kinds) {
		t.Errorf("the page has %d metrics, and there are %d", len(rows), len(c.kinds))
	}
}

// expression is one of PromQL, and where it stands.
type expression struct{ at, text string }

var (
	alertExpression = regexp.MustCompile(`(?m)^      - alert: (\w+)\n(?:        #.*\n)*        expr: (\|\n(?:          .*\n)+|.*\n)`)
	alertName       = regexp.MustCompile(`(?m)^ *- alert: (\w+)$`)
)

// alerts are the expressions of alerts.yml.
func alerts(t *testing.T) []expression {
	t.Helper()
	text := readFile(t, filepath.Join("docs", "observability", "alerts.yml"))
	var all []expression
	for _, m := range alertExpression.FindAllStringSubmatch(text, -1) {
		all = append(all, expression{m[1], strings.TrimSpace(strings.TrimPrefix(m[2], "|\n"))})
	}
	if n := len(alertName.FindAllString(text, -1)); n != len(all) || n < 8 {
		t.Fatalf("there are %d alerts, and expressions of %d", n, len(all))
	}
	return all
}

// dashboard is what the tests need of Grafana's format.
type dashboard struct {
	Title, UID string
	Templating struct {
		List []struct {
			Name, Type, Definition string
			Query                  any
			Datasource             *source
		}
	}
	Panels []struct {
		ID         int
		Type       string
		Title      string
		Datasource *source
		GridPos    struct{ H, W, X, Y int }
		Targets    []struct {
			RefID, Expr string
			Datasource  *source
		}
	}
}

type source struct{ Type, UID string }

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text := readFile(t, filepath.Join("docs", "observability", "dashboard.json"))
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// grafana replaces the variables of a dashboard as Grafana does, with everything selected.
var grafana = strings.NewReplacer("$instance", ".*", "$definition", ".*", "$__rate_interval", "5m", "$__range", "1d")

// queries are all PromQL expressions: of the alerts, of the dashboard, and of the pages.
func queries(t *testing.T) []expression {
	t.Helper()
	all := alerts(t)
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			all = append(all, expression{p.Title + ", " + target.RefID, grafana.Replace(target.Expr)})
		}
	}
	for _, page := range pages(t) {
		blocks, _ := fences(t, page)
		for _, b := range blocks {
			if b.lang == "promql" {
				all = append(all, expression{b.at, strings.TrimSpace(b.text)})
			}
		}
	}
	if len(all) < 35 {
		t.Errorf("only %d expressions were found", len(all))
	}
	return all
}

var (
	selector = regexp.MustCompile(`\b(caddy_\w+)(?:\{([^}]*)\})?`)
	labelled = regexp.MustCompile(`^\s*(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*$`)
	grouping = regexp.MustCompile(`\b(?:by|on|without|group_left)\s*\(([^)]*)\)`)
)

// results are the values of the label result, of verifications and of lookups.
var results = map[string][]string{
	"caddy_signed_link_verifications_total": {"verified", "refused", "anonymous", "would_verify", "would_refuse"},
	"caddy_signed_link_user_lookups_total":  {"known", "unknown", "unavailable"},
}

// TestQueries: every expression names metrics and labels that there are, and values that
// these labels can have. The integration tests evaluate them with a real Prometheus.
func TestQueries(t *testing.T) {
	c := registered(t)
	used := make(map[string]bool)
	for _, q := range queries(t) {
		labels := []string{"instance", "le"} // of every scrape, and of histograms
		found := selector.FindAllStringSubmatch(q.text, -1)
		if found == nil {
			t.Errorf("%s: no metric is named in %s", q.at, q.text)
		}
		for _, m := range found {
			name := m[1]
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if base := strings.TrimSuffix(name, suffix); c.kinds[base] == "histogram" {
					name = base
				}
			}
			if c.kinds[name] == "" {
				t.Errorf("%s: there is no metric %s", q.at, m[1])
				continue
			}
			used[name] = true
			labels = append(labels, c.labels[name]...)
			for part := range strings.SplitSeq(m[2], ",") {
				if strings.TrimSpace(part) == "" {
					continue
				}
				parts := labelled.FindStringSubmatch(part)
				switch {
				case parts == nil:
					t.Errorf("%s: nobody can read the labelled %s", q.at, part)
				case parts[1] != "instance" && !slices.Contains(c.labels[name], parts[1]):
					t.Errorf("%s: %s has no label %s", q.at, name, parts[1])
				default:
					checkValues(t, q, name, parts[1], parts[3])
				}
			}
		}
		for _, m := range grouping.FindAllStringSubmatch(q.text, -1) {
			for label := range strings.SplitSeq(m[1], ",") {
				if label = strings.TrimSpace(label); label != "" && !slices.Contains(labels, label) {
					t.Errorf("%s: no metric of it has the label %s: %s", q.at, label, q.text)
				}
			}
		}
	}
	for name := range c.kinds {
		if !used[name] {
			t.Errorf("neither an alert nor the dashboard uses %s", name)
		}
	}
}

// checkValues checks the values in a labelled of reasons, results and sources.
func checkValues(t *testing.T, q expression, metric, label, values string) {
	t.Helper()
	if values == ".*" {
		return
	}
	for value := range strings.SplitSeq(values, "|") {
		known := true
		switch label {
		case "reason":
			known = value == "none" || slices.Contains(link.Reasons, link.Reason(value))
		case "result":
			known = slices.Contains(results[metric], value)
		case "source":
			known = slices.Contains([]string{"file", "sql"}, value)
		}
		if !known {
			t.Errorf("%s: %s of %s is never %s", q.at, label, metric, value)
		}
	}
}

// TestAlerts: each alert stands in the table that says what to do, and promtool tests it.
func TestAlerts(t *testing.T) {
	page := readFile(t, filepath.Join("docs", "observability", "README.md"))
	tests := readFile(t, filepath.Join("docs", "observability", "alerts_test.yml"))
	for _, q := range alerts(t) {
		if !strings.Contains(page, "\n| `"+q.at+"` | ") {
			t.Errorf("README.md does not say what to do about %s", q.at)
		}
		if !strings.Contains(tests, "alertname: "+q.at+"\n        exp_alerts:\n") {
			t.Errorf("alerts_test.yml does not have %s fire", q.at)
		}
	}
}

// TestDashboard: it can be imported anywhere, no panel lies on another, and each has data.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	variables := make(map[string]string)
	for _, v := range d.Templating.List {
		variables[v.Name] = v.Type
	}
	if d.UID == "" || d.Title == "" || variables["datasource"] != "datasource" {
		t.Errorf("%q, %q, %v", d.UID, d.Title, variables)
	}
	ids, cells := make(map[int]bool), make(map[[2]int]string)
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s: there are two panels %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := cells[[2]int{x, y}]; taken || x >= 24 {
					t.Fatalf("%s lies on %q or beside the page", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		sources := []*source{p.Datasource}
		for _, target := range p.Targets {
			sources = append(sources, target.Datasource)
			for _, name := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				if variables[name[1]] == "" && !strings.HasPrefix(name[1], "__") {
					t.Errorf("%s: there is no variable %s", p.Title, name[1])
				}
			}
		}
		for _, s := range sources {
			if s == nil || s.Type != "prometheus" || s.UID != "${datasource}" {
				t.Errorf("%s takes its data from %v", p.Title, s)
			}
		}
	}
}
