//go:build integration

package docs_test

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/process"
)

// TestAlertRules has promtool check the alerts and run their tests.
func TestAlertRules(t *testing.T) {
	backends.Require(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		command := exec.Command("promtool", args...)
		command.Dir = filepath.Join(root, "docs", "observability")
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
}

// observed is a gateway that has something of everything to count.
const observed = `
http://127.0.0.1:SITE {
	bind 127.0.0.1
	signed_link /akid* recognize akid {env.AKID_SECRET} {
		backend php
		throttle 5 1h
	}
	signed_link /file* keyed_hash {
		name newsletter
		keys file /etc/caddy/keys.json
		algorithm md5
		message {query.user}{secret}
		signature {query.key}
		param user alnum max 32
	}
	signed_link /do* sial {
		user_keys file /etc/caddy/tokens.csv
		params comment
		param user digits
		param action one_of delete undelete
		param comment digits
	}
	signed_link /sql* sial {
		name database
		user_keys sql mysql {env.LINKS_DSN} {
			query "SELECT id, secret_token FROM users WHERE id = ?"
		}
		param user digits
		param action one_of delete undelete
	}
	signed_link /observe* observe keyed_hash {env.LINK_SECRET} {
		name observed
		algorithm md5
		message {query.user}|{query.until}{secret}
		signature {query.key}
		expires {query.until}
		user {query.user}
		param user alnum max 32
	}
	respond ok
}
`

// free returns a free port of this machine.
func free(t *testing.T) string {
	t.Helper()
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

// startObserved starts the gateway and returns the addresses of its site and of its
// administration endpoint, and its key file.
func startObserved(t *testing.T) (site, admin, keyFile string) {
	t.Helper()
	dir := t.TempDir()
	site, admin = "127.0.0.1:"+free(t), "127.0.0.1:"+free(t)
	text := strings.ReplaceAll(observed, "127.0.0.1:SITE", site)
	text = strings.ReplaceAll(text, "/etc/caddy/", dir+"/")
	for name, content := range map[string]string{
		"Caddyfile":  text,
		"keys.json":  `{"keys": [{"id": "2027", "secret": "the new key, 0123456789"}, {"id": "2026", "secret": "the old key, 0123456789"}]}`,
		"tokens.csv": "user,secret\n42," + exampleSecret("prometheus") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := &gateway{log: new(safeBuffer)}
	g.run(t, dir, []string{
		"CADDY_ADMIN=" + admin,
		"AKID_SECRET=" + exampleSecret("prometheus"), "LINK_SECRET=" + exampleSecret("prometheus"), "LINKS_DSN=links:password@tcp(127.0.0.1:1)/app",
	}, "run", "--config", "Caddyfile")
	return site, admin, filepath.Join(dir, "keys.json")
}

// traffic are good links, bad ones, and what an attacker sends.
func traffic(t *testing.T, site string) (sent int) {
	t.Helper()
	hash := func(text string) string { sum := md5.Sum([]byte(text)); return hex.EncodeToString(sum[:]) }
	action := sha1.Sum([]byte("42" + "delete" + "7" + exampleSecret("prometheus")))
	client := &http.Client{}
	send := func(times int, target string, cookies ...string) {
		for range times {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+site+target, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Verified-User", "admin")
			request.Header["Cookie"] = cookies
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			sent++
		}
	}
	send(200, "/akid?akid=2695.103007.AAAAAA") // guessed, and throttled after a few
	send(5, "/akid", "akid=2695.103007.LF7xxL")
	send(20, "/file?user=jeff&key="+hash("jeffthe new key, 0123456789"))
	send(3, "/file?user=jeff&key="+hash("jeffthe old key, 0123456789"))
	send(1200, "/file?user=mike&key="+hash("jeffthe new key, 0123456789"))
	send(5, "/file?user=jeff&user=mike&key="+hash("jeffthe new key, 0123456789"))
	send(40, "/x/..%2ffile"+strings.Repeat("/x", 4096)+"?user=mike") // beyond the bounds
	send(5, "/do?user=42&action=delete&comment=7&sig="+hex.EncodeToString(action[:]))
	send(5, "/do?user=43&action=delete&comment=7&sig="+hex.EncodeToString(action[:]))
	send(10, "/sql?user=42&action=delete&sig="+hex.EncodeToString(action[:]))
	send(5, "/observe?user=jeff&until=4102444800&key="+hash("jeff|4102444800"+exampleSecret("prometheus")))
	send(5, "/observe?user=jeff&until=1&key="+hash("jeff|1"+exampleSecret("prometheus"))) // expired
	send(5, "/observe?user=mike&until=1&key=00")
	send(5, "/observe")
	return sent
}

// prom is a running Prometheus.
type prom string

// scrapeConfiguration is what the page shows, with another target, and alerts.yml where it
// is.
func scrapeConfiguration(t *testing.T, target string) string {
	t.Helper()
	rules, err := filepath.Abs(filepath.Join(root, "docs", "observability", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, _ := fences(t, filepath.Join("docs", "observability", "README.md"))
	for _, b := range blocks {
		if b.lang != "yaml" {
			continue
		}
		text := b.text
		for from, to := range map[string]string{`"localhost:2019"`: strconv.Quote(target), "- alerts.yml": "- " + strconv.Quote(rules)} {
			if strings.Count(text, from) != 1 {
				t.Fatalf("%s does not have %s once", b.at, from)
			}
			text = strings.Replace(text, from, to, 1)
		}
		return text
	}
	t.Fatal("the page shows no configuration of Prometheus")
	return ""
}

// startPrometheus starts a Prometheus that scrapes the target each second and evaluates
// the alerts.
func startPrometheus(t *testing.T, target string) prom {
	t.Helper()
	backends.Require(t, "prometheus")
	shown, dir := scrapeConfiguration(t, target), t.TempDir()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	port, _ := process.Service{
		Name:  "prometheus",
		Limit: time.Minute,
		Command: func(port int, instance string) *exec.Cmd {
			config := "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n  external_labels: {process: " + instance + "}\n" + shown
			if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			return exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"),
				"--storage.tsdb.path="+filepath.Join(dir, "data-"+instance), "--web.listen-address="+net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		},
		Probe: func(port int) (string, error) {
			response, err := client.Get("http://127.0.0.1:" + strconv.Itoa(port) + "/api/v1/status/config")
			if err != nil {
				return "", err
			}
			defer response.Body.Close()
			var status struct{ Data struct{ YAML string } }
			if err := json.NewDecoder(response.Body).Decode(&status); err != nil {
				return "", err
			}
			_, instance, _ := strings.Cut(status.Data.YAML, "process: ")
			instance, _, _ = strings.Cut(instance, "\n")
			return instance, nil
		},
	}.Run(t)
	return prom("http://127.0.0.1:" + strconv.Itoa(port))
}

// series are what an expression results in.
type series []struct {
	Metric map[string]string
	Value  [2]any
}

// ask calls the API.
func (p prom) ask(t *testing.T, path string, parameters url.Values, into any) error {
	t.Helper()
	response, err := http.Get(string(p) + "/api/v1/" + path + "?" + parameters.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// query evaluates an expression now.
func (p prom) query(t *testing.T, expr string) (series, error) {
	t.Helper()
	var data struct{ Result series }
	err := p.ask(t, "query", url.Values{"query": {expr}}, &data)
	return data.Result, err
}

// await waits until an expression results in something.
func (p prom) await(t *testing.T, expr string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; <-time.After(100 * time.Millisecond) {
		result, err := p.query(t, expr)
		if err == nil && len(result) > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s stays empty (%v)", expr, err)
		}
	}
}

// silent are the alerts that need hours to have a cause; promtool tests them.
var silent = []string{"SignedLinkKeySourceSlow", "SignedLinkBadSignatures", "SignedLinkNoneVerifies"}

// TestPrometheus evaluates every expression of alerts, dashboard and pages with a real
// Prometheus that scrapes a real gateway, after good, bad, expired and forged links: each
// can be read, finds its metrics, and says something; and the alerts that have a cause
// rise, and the others do not.
func TestPrometheus(t *testing.T) {
	site, admin, keyFile := startObserved(t)
	p := startPrometheus(t, admin)
	p.await(t, `count_over_time(caddy_signed_link_path_refusals_total[1m]) >= 2`)
	if err := os.WriteFile(keyFile, []byte("a mistake"), 0o600); err != nil {
		t.Fatal(err)
	}
	sent := traffic(t, site)
	p.await(t, fmt.Sprintf("sum(caddy_signed_link_verifications_total) >= %d", sent))
	// what happened since the scrape before
	p.await(t, `sum(increase(caddy_signed_link_verifications_total[5m])) > 1000 and sum(increase(caddy_signed_link_path_refusals_total[5m])) > 20`)
	p.await(t, `increase(caddy_signed_link_key_source_errors_total{source="file"}[5m]) > 0`)

	for _, q := range queries(t) {
		for _, m := range selector.FindAllStringSubmatch(q.text, -1) {
			if found, err := p.query(t, "count("+m[1]+")"); err != nil || len(found) == 0 {
				t.Errorf("%s: the scrape has no %s (%v)", q.at, m[1], err)
			}
		}
		result, err := p.query(t, q.text)
		alert := strings.HasPrefix(q.at, "SignedLink")
		switch {
		case err != nil:
			t.Errorf("%s: %v\n%s", q.at, err, q.text)
		case alert && slices.Contains(silent, q.at):
			if len(result) > 0 {
				t.Errorf("%s has no cause: %v", q.at, result)
			}
		case len(result) == 0:
			t.Errorf("%s has no result:\n%s", q.at, q.text)
		}
	}

	// and Prometheus itself has them wait for their time
	for deadline := time.Now().Add(time.Minute); ; <-time.After(100 * time.Millisecond) {
		var data struct {
			Groups []struct {
				Rules []struct{ Name, State, Health, LastError string }
			}
		}
		if err := p.ask(t, "rules", nil, &data); err != nil {
			t.Fatal(err)
		}
		var wrong []string
		n := 0
		for _, group := range data.Groups {
			for _, r := range group.Rules {
				n++
				if risen := r.State == "pending" || r.State == "firing"; r.Health != "ok" || risen == slices.Contains(silent, r.Name) {
					wrong = append(wrong, fmt.Sprintf("%+v", r))
				}
			}
		}
		if len(wrong) == 0 && n >= 8 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %d alerts: %s", n, strings.Join(wrong, "\n"))
		}
	}
}
