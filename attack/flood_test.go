package attack_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/gateway/sampling"
)

// TestAttackLogFlood: who sends one wrong link after the other gets a hundred lines in a
// minute and then every hundredth, which says how many were left out; he is banned all the
// same, the metrics count each of them, and nobody else's line is left out.
func TestAttackLogFlood(t *testing.T) {
	fixture.SetSecrets(t)
	filter, err := os.ReadFile(fixture.Path("docs", "observability", "fail2ban", "filter.d", "caddy-signed-link.conf"))
	if err != nil {
		t.Fatal(err)
	}
	banned := regexp.MustCompile(strings.Replace(regexp.MustCompile(`(?m)^failregex = (.*)$`).FindStringSubmatch(string(filter))[1], "<ADDR>", `(192\.0\.2\.\d+)`, 1))
	s, ctx := gatewaytest.ProvisionSite(t, fixture.Autologin("/app/*", "name flood_login")+fixture.Autologin("/rec/* recognize", "name flood_other")+"test_backend")
	now := time.Unix(1790000000, 0)
	s.At(now)
	log := s.LogTo()
	send := func(target, address string, n int) (lines []string) {
		log.Reset()
		for range n {
			r := gatewaytest.Request(t, http.MethodGet, target, "")
			r.RemoteAddr = address + ":1234"
			s.Server.ServeHTTP(httptest.NewRecorder(), r)
		}
		for line := range strings.Lines(log.String()) {
			lines = append(lines, strings.TrimSpace(line))
		}
		return lines
	}
	const flood = 1000
	before := fixture.Series(t, ctx, "flood_")
	lines := send("/app/x?"+fixture.BadLink, "192.0.2.1", flood)
	if want := sampling.First + (flood-sampling.First)/sampling.Then; len(lines) != want {
		t.Fatalf("%d lines of %d requests, want %d", len(lines), flood, want)
	}
	bans := 0
	for i, line := range lines {
		if m := banned.FindStringSubmatch(line); m != nil && m[1] == "192.0.2.1" {
			bans++
		}
		if last := strings.HasSuffix(line, `"left_out":99}`); last != (i >= sampling.First) || !last && strings.Contains(line, "left_out") {
			t.Errorf("line %d is %s", i, line)
		}
	}
	if bans != len(lines) || bans < 30 {
		t.Errorf("the filter of fail2ban finds %d of %d lines", bans, len(lines))
	}
	const counter = "verifications_total flood_login bad_signature refused"
	if n := fixture.Increases(before, fixture.Series(t, ctx, "flood_"))[counter]; n != flood {
		t.Errorf("the metrics count %v of %d", n, flood)
	}
	for what, lines := range map[string][]string{
		"another client":     send("/app/x?"+fixture.BadLink, "192.0.2.2", 3),
		"another reason":     send("/app/x", "192.0.2.1", 3),
		"another detail":     send("/app/x?user[]=x&"+fixture.BadLink, "192.0.2.1", 3),
		"another definition": send("/rec/x?"+fixture.BadLink, "192.0.2.1", 3),
	} {
		if len(lines) != 3 {
			t.Errorf("%s: %d lines of 3:\n%s", what, len(lines), strings.Join(lines, "\n"))
		}
	}
	send("/app/x?"+fixture.BadLink, "192.0.2.1", 7)
	s.At(now.Add(time.Minute))
	if lines := send("/app/x?"+fixture.BadLink, "192.0.2.1", 2); len(lines) != 2 || !strings.HasSuffix(lines[0], `"left_out":7}`) || strings.Contains(lines[1], "left_out") {
		t.Errorf("in the next minute:\n%s", strings.Join(lines, "\n"))
	}
}
