package signedlink_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
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
	signed := func(secret string) string { return "/?user=jeff&sig=" + fixture.Sum256(secret, "jeff") }
	want := func(ctx *caddy.Context, metric string, want map[string]float64) {
		t.Helper()
		if got := keyValues(t, ctx, metric, "counted"); !maps.Equal(got, want) {
			t.Errorf("%s is %v, want %v", metric, got, want)
		}
	}
	first, ctx := gatewaytest.ProvisionSite(t, directives)
	// a key that was never used is 0, and has no last time: 0 would be one
	want(ctx, matchesMetric, map[string]float64{"2027": 0, "2026": 0})
	want(ctx, lastMatchMetric, map[string]float64{})
	first.At(time.Unix(1_700_000_000, 0))
	first.Get(signed("new-secret-0123456789"))
	first.Get(signed("new-secret-0123456789"))
	first.At(time.Unix(1_700_000_100, 0))
	first.Get(signed("old-secret-0123456789"))
	first.Get(signed("no-secret-0123456789"))
	first.Get("/?user=jeff")
	want(ctx, matchesMetric, map[string]float64{"2027": 2, "2026": 1})
	want(ctx, lastMatchMetric, map[string]float64{"2027": 1_700_000_000, "2026": 1_700_000_100})

	second, ctx := gatewaytest.ProvisionSite(t, directives)
	second.At(time.Unix(1_700_000_200, 0))
	second.Get(signed("old-secret-0123456789"))
	first.Get(signed("new-secret-0123456789")) // under way when the configuration changed
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
	s, ctx := gatewaytest.ProvisionSite(t, `signed_link keyed_hash {
		name each
		user_keys file `+file+`
		algorithm hmac-sha256
		message {query.user}
		signature {query.sig}
	}
	test_backend`)
	for _, user := range []string{"1", "2", "2"} {
		if a := s.Get("/?user=" + user + "&sig=" + fixture.Sum256("secret-of-"+user+"-0123456789", user)); a.Code != 200 {
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
		if a := s.Get("/?" + query); a.Code != 401 {
			t.Errorf("%s: %d", query, a.Code)
		}
	}
	want := map[string]float64{"known": 4, "unknown": 1, "unavailable": 0}
	if got := keyValues(t, ctx, "caddy_signed_link_user_lookups_total", "each"); !maps.Equal(got, want) {
		t.Errorf("lookups %v, want %v", got, want)
	}
}

// TestVerificationMetrics: what each request counts as, in each mode.
func TestVerificationMetrics(t *testing.T) {
	fixture.SetSecrets(t)
	named := func(first, name string, options ...string) string {
		return fixture.Autologin(first, append(options, "name "+name)...)
	}
	directives := named("/require/*", "m_require", "throttle 1000 1h") + named("/pass/*", "m_pass", "missing pass") +
		named("/recognize/* recognize", "m_recognize") + named("/observe/* observe", "m_observe") + "test_backend"
	s, ctx := gatewaytest.ProvisionSite(t, directives)
	before := fixture.Series(t, ctx, "m_")
	for _, id := range []string{
		"verifications_total m_require bad_signature refused", "verifications_total m_require none verified",
		"verifications_total m_observe expired would_refuse", "cookies_cut_total m_pass", "path_refusals_total m_recognize",
		"wrong_signatures_total m_observe", "duration_seconds m_require", "throttle_networks m_require",
	} {
		if value, ok := before[id]; !ok || value != 0 {
			t.Errorf("%s begins at %v, %v", id, value, ok)
		}
	}
	for _, tc := range []struct {
		target string
		header string
		want   []string
	}{
		{"/require/x?" + fixture.GoodLink, "A: b", []string{"verifications_total m_require none verified"}},
		{"/require/x", "A: b", []string{"verifications_total m_require missing refused"}},
		{"/require/x?" + fixture.BadLink, "A: b", []string{
			"verifications_total m_require bad_signature refused", "wrong_signatures_total m_require", "throttle_networks m_require",
		}},
		{"/require/x?user=jeff&user=joe&key=x", "A: b", []string{"verifications_total m_require ambiguous refused"}},
		{"/require/x?" + fixture.GoodLink, "Cookie: user=joe; a=b", []string{"verifications_total m_require none verified", "cookies_cut_total m_require"}},
		{"/pass/x", "A: b", []string{"verifications_total m_pass missing anonymous"}},
		{"/pass/x?" + fixture.BadLink, "A: b", []string{"verifications_total m_pass bad_signature refused", "wrong_signatures_total m_pass"}},
		{"/recognize/x?" + fixture.GoodLink, "A: b", []string{"verifications_total m_recognize none verified"}},
		{"/recognize/x?" + fixture.BadLink, "A: b", []string{"verifications_total m_recognize bad_signature anonymous", "wrong_signatures_total m_recognize"}},
		{"/recognize/x?" + strings.Repeat("a&", 1001), "A: b", []string{"verifications_total m_recognize malformed refused"}},
		{"/observe/x?" + fixture.GoodLink, "Cookie: user=joe", []string{"verifications_total m_observe none would_verify"}},
		{"/observe/x?" + fixture.BadLink, "A: b", []string{"verifications_total m_observe bad_signature would_refuse", "wrong_signatures_total m_observe"}},
		{"/observe/x", "A: b", []string{"verifications_total m_observe missing would_refuse"}},
		{"/open?" + fixture.BadLink, "A: b", nil},
	} {
		before := fixture.Series(t, ctx, "m_")
		s.Get(tc.target, tc.header)
		grown := fixture.Increases(before, fixture.Series(t, ctx, "m_"))
		want := make(map[string]float64)
		for _, id := range tc.want {
			want[id] = 1
			if strings.HasPrefix(id, "verifications_total") {
				want["duration_seconds "+strings.Fields(id)[1]] = 1
			}
		}
		if !maps.Equal(grown, want) {
			t.Errorf("%s: %v, want %v", tc.target, grown, want)
		}
	}

	// The bounds of the path rule: each definition says so that comes to look, and observe
	// lets the request go on. And the path rule of a guard.
	for _, target := range []string{"/require" + strings.Repeat("/x", 5000), strings.Repeat("/x.php/y.php", 50)} {
		before := fixture.Series(t, ctx, "m_")
		s.Get(target)
		if grown := fixture.Increases(before, fixture.Series(t, ctx, "m_")); grown["path_refusals_total m_require"] != 1 ||
			grown["verifications_total m_require ambiguous refused"] != 1 {
			t.Errorf("%.20s: %v", target, grown)
		}
	}
	observed, observedContext := gatewaytest.ProvisionSite(t, named("/observe/* observe", "o_observe")+"test_backend")
	before = fixture.Series(t, observedContext, "o_")
	observed.Get("/" + strings.Repeat("x", 9000))
	if grown, want := fixture.Increases(before, fixture.Series(t, observedContext, "o_")), map[string]float64{
		"path_refusals_total o_observe": 1, "verifications_total o_observe ambiguous would_refuse": 1,
	}; !maps.Equal(grown, want) {
		t.Errorf("observe: %v", grown)
	}
	guard, guardContext := gatewaytest.ProvisionSite(t, "signed_link guard\ntest_backend")
	before = fixture.Series(t, guardContext, "guard")
	r := gatewaytest.Request(t, http.MethodGet, "/", "")
	r.URL = &url.URL{Scheme: "http", Opaque: "X./app/"}
	guard.Do(r)
	if grown, want := fixture.Increases(before, fixture.Series(t, guardContext, "guard")), map[string]float64{
		"path_refusals_total guard": 1, "verifications_total guard ambiguous refused": 1,
	}; !maps.Equal(grown, want) {
		t.Errorf("guard: %v", grown)
	}

	// The counts outlive the configuration, and requests of the one before still count.
	all := fixture.Series(t, ctx, "m_")
	second, ctx := gatewaytest.ProvisionSite(t, directives)
	if again := fixture.Series(t, ctx, "m_"); !maps.Equal(all, again) {
		t.Errorf("after a reload: %v", fixture.Increases(all, again))
	}
	s.Get("/pass/x")
	second.Get("/pass/x")
	if grown := fixture.Increases(all, fixture.Series(t, ctx, "m_")); grown["verifications_total m_pass missing anonymous"] != 2 {
		t.Errorf("after a reload: %v", grown)
	}
}

// TestAttackMetricLabels: nothing that a client writes becomes a label, so that it can
// neither fill the memory nor put a line of its own into the metrics.
func TestAttackMetricLabels(t *testing.T) {
	fixture.SetSecrets(t)
	s, ctx := gatewaytest.ProvisionSite(t, fixture.Autologin("/app/* recognize", "name l_one", "throttle 5 1m")+
		"signed_link guard\nsigned_link /do/* akid {env.AKID_SECRET} {\nname l_two\n}\ntest_backend")
	lines := func() map[string]float64 {
		found := fixture.Series(t, ctx, "")
		for id := range found {
			found[id] = 0
		}
		return found
	}
	before := lines()
	const canary = "c4n4ry"
	for i := range 200 {
		word := fmt.Sprintf("%s%d", canary, i)
		for _, target := range []string{
			"/app/" + word + "?user=" + word + "&key=" + word, "/app/x?" + word + "=1&key=" + fixture.Key(word, fixture.AutologinSecret) + "&user=" + word,
			"/do/x?akid=" + word, fmt.Sprintf("/do/x?akid=%d.%d.abcdef", i, i), "/app/..;/" + word, "/do/x?akid=1&akid[" + word + "]=2",
		} {
			r := gatewaytest.Request(t, word, target, "", "X-Verified-User: "+word, "Cookie: user="+word, "X-Forwarded-For: "+word)
			r.Host = word
			r.RemoteAddr = fmt.Sprintf("10.0.0.%d:1", i)
			s.Do(r)
		}
	}
	if after := lines(); !maps.Equal(before, after) {
		t.Errorf("%v", slices.Sorted(maps.Keys(fixture.Increases(before, after))))
		for id := range after {
			if _, ok := before[id]; !ok {
				t.Errorf("new: %s", id)
			}
		}
	}
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if strings.Contains(family.String(), canary) {
			t.Errorf("%s", family)
		}
	}
}
