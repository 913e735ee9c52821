package signedlink

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// keyValues are the values of a metric in the configuration's own registry, by key id.
func keyValues(t *testing.T, ctx *caddy.Context, metric, scheme string) map[string]float64 {
	t.Helper()
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]float64)
	for _, family := range families {
		if family.GetName() != metric {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["scheme"] == scheme {
				found[labels["key_id"]+labels["result"]] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return found
}

const (
	matchesMetric   = "caddy_signed_link_key_matches_total"
	lastMatchMetric = "caddy_signed_link_key_last_match_timestamp_seconds"
)

// loadWithContext is load with the context, in whose registry the metrics are.
func loadWithContext(t *testing.T, directives string) (*site, *caddy.Context) {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(siteFile(directives)), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&c)
	if err != nil {
		t.Fatal(err)
	}
	return siteOf(t, ctx), &ctx
}

// siteOf is the site of a configuration.
func siteOf(t *testing.T, ctx caddy.Context) *site {
	t.Helper()
	module, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t}
	for _, server := range module.(*caddyhttp.App).Servers {
		s.server = server
	}
	return s
}

// TestKeyMetrics: how often each key of a set verified a link and when last, so that
// an operator sees which one nobody needs any more. The counts outlive configurations.
func TestKeyMetrics(t *testing.T) {
	t.Setenv("NEW", "new-secret-0123456789")
	t.Setenv("OLD", "old-secret-0123456789")
	const directives = `signed_link keyed_hash {
		name counted
		secret {env.NEW} 2027
		secret {env.OLD} 2026
		algorithm hmac-sha256
		message {query.user}
		signature {query.sig}
	}
	test_backend`
	signed := func(secret string) string { return "/?user=jeff&sig=" + sum256(secret, "jeff") }
	want := func(ctx *caddy.Context, metric string, want map[string]float64) {
		t.Helper()
		if got := keyValues(t, ctx, metric, "counted"); !maps.Equal(got, want) {
			t.Errorf("%s is %v, want %v", metric, got, want)
		}
	}
	first, ctx := loadWithContext(t, directives)
	// a key that was never used is 0, and has no last time: 0 would be one
	want(ctx, matchesMetric, map[string]float64{"2027": 0, "2026": 0})
	want(ctx, lastMatchMetric, map[string]float64{})
	first.at(time.Unix(1_700_000_000, 0))
	first.get(signed("new-secret-0123456789"))
	first.get(signed("new-secret-0123456789"))
	first.at(time.Unix(1_700_000_100, 0))
	first.get(signed("old-secret-0123456789"))
	first.get(signed("no-secret-0123456789"))
	first.get("/?user=jeff")
	want(ctx, matchesMetric, map[string]float64{"2027": 2, "2026": 1})
	want(ctx, lastMatchMetric, map[string]float64{"2027": 1_700_000_000, "2026": 1_700_000_100})

	second, ctx := loadWithContext(t, directives)
	second.at(time.Unix(1_700_000_200, 0))
	second.get(signed("old-secret-0123456789"))
	first.get(signed("new-secret-0123456789")) // under way when the configuration changed
	want(ctx, matchesMetric, map[string]float64{"2027": 3, "2026": 2})
	want(ctx, lastMatchMetric, map[string]float64{"2027": 1_700_000_100, "2026": 1_700_000_200})
}

// TestUserKeyMetrics: users' own keys count under one label, as a user is nothing that
// a metric should have as a label.
func TestUserKeyMetrics(t *testing.T) {
	file := filepath.Join(t.TempDir(), "u.csv")
	if err := os.WriteFile(file, []byte("user,secret\n1,secret-of-1-0123456789\n2,secret-of-2-0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, ctx := loadWithContext(t, `signed_link keyed_hash {
		name each
		user_keys file `+file+`
		algorithm hmac-sha256
		message {query.user}
		signature {query.sig}
	}
	test_backend`)
	for _, user := range []string{"1", "2", "2"} {
		if a := s.get("/?user=" + user + "&sig=" + sum256("secret-of-"+user+"-0123456789", user)); a.Code != 200 {
			t.Errorf("user %s: %d", user, a.Code)
		}
	}
	if got := keyValues(t, ctx, matchesMetric, "each"); !maps.Equal(got, map[string]float64{"(user)": 3}) {
		t.Errorf("counted %v", got)
	}
	if got := keyValues(t, ctx, lastMatchMetric, "each"); got["(user)"] < float64(time.Now().Add(-time.Minute).Unix()) {
		t.Errorf("last match %v", got)
	}
	// Only metrics and log tell a stranger from a wrong signature.
	for _, query := range []string{"user=3&sig=00", "user=1&sig=00"} {
		if a := s.get("/?" + query); a.Code != 401 {
			t.Errorf("%s: %d", query, a.Code)
		}
	}
	want := map[string]float64{"known": 4, "unknown": 1, "unavailable": 0}
	if got := keyValues(t, ctx, "caddy_signed_link_user_lookups_total", "each"); !maps.Equal(got, want) {
		t.Errorf("lookups %v, want %v", got, want)
	}
}

// TestCountingAllocatesNothing: it stands in the way of every request.
func TestCountingAllocatesNothing(t *testing.T) {
	t.Setenv("NEW", "new-secret-0123456789")
	s := loadSite(t, `signed_link keyed_hash {
		name frugal
		secret {env.NEW} 2027
		algorithm hmac-sha256
		message {query.user}
		signature {query.sig}
	}
	test_backend`)
	scheme, now := s.handlers()[0].def.schemes[0], time.Now()
	if n := testing.AllocsPerRun(100, func() { scheme.matches.count(scheme, "2027", now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
