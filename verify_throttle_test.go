package signedlink_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/link"
)

// throttledSite has AKIDs with this allowance; its name keeps it apart from others.
func throttledSite(t *testing.T, mode, name, allowance string) *gatewaytest.Site {
	t.Helper()
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, "signed_link "+mode+" akid {env.AKID_SECRET} {\nname "+name+"\nthrottle "+allowance+"\n}\n"+
		"header >Reason {http.signed_link.reason}\ntest_backend\n"+`handle_errors {
			respond "{err.message}" {err.status_code}
		}`)
	s.At(time.Unix(1_800_000_000, 0))
	return s
}

// guess is a link of the user that nobody signed.
func guess(user, n int) string { return fmt.Sprintf("/x?akid=1.%d.%06d", user, n) }

// TestThrottle: what a guesser gets in each mode, and when it is over.
func TestThrottle(t *testing.T) {
	const good = "/x?akid=" + fixture.GoodAKID + "&a=b"
	s := throttledSite(t, "require", "throttle_require", "10 1m")
	for i := range 10 {
		if a := s.From("192.0.2.1", guess(i, i)); a.Code != 401 || a.Header().Get("Retry-After") != "" {
			t.Fatalf("guess %d: %d %v", i, a.Code, a.Header())
		}
	}
	for _, target := range []string{guess(11, 11), good} {
		a := s.From("192.0.2.1", target)
		if a.Code != 429 || a.Body.String() != "throttled" || a.Header().Get("Retry-After") != "6" || a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q %v", target, a.Code, a.Body, a.Header())
		}
	}
	// what is no guess gets the answer that it would get anyway
	for target, want := range map[string]int{"/x": 401, "/x?akid=1": 400, "/x?akid=1&akid=2": 400} {
		if a := s.From("192.0.2.1", target); a.Code != want {
			t.Errorf("%s: %d, want %d", target, a.Code, want)
		}
	}
	if a := s.From("192.0.2.2", good); a.Code != 200 {
		t.Errorf("another network: %d", a.Code)
	}
	s.At(time.Unix(1_800_000_005, 0))
	if a := s.From("192.0.2.1", good); a.Code != 429 || a.Header().Get("Retry-After") != "1" {
		t.Errorf("after five seconds: %d %v", a.Code, a.Header())
	}
	s.At(time.Unix(1_800_000_006, 0))
	for range 3 { // a success counts against nobody
		if a := s.From("192.0.2.1", good); a.Code != 200 {
			t.Errorf("after six seconds: %d", a.Code)
		}
	}
	for want := range 2 { // one more guess
		if a := s.From("192.0.2.1", guess(12, 12)); (a.Code == 429) != (want == 1) {
			t.Errorf("guess %d of the next six seconds: %d", want+1, a.Code)
		}
	}

	s = throttledSite(t, "recognize", "throttle_recognize", "1 1m")
	s.From("192.0.2.1", guess(1, 1))
	if a := s.From("192.0.2.1", good); a.Code != 200 || a.Seen.URI != "/x?a=b" || a.Header1(t, headers.VerifiedUser) != "" || a.Header().Get("Reason") != "throttled" {
		t.Errorf("recognize: %d %s %v", a.Code, a.Body, a.Header())
	}

	s = throttledSite(t, "observe", "throttle_observe", "1 1m")
	s.From("192.0.2.1", guess(1, 1))
	if a := s.From("192.0.2.1", good); a.Code != 200 || a.Seen.URI != good || a.Header().Get("Reason") != "throttled" {
		t.Errorf("observe: %d %s %v", a.Code, a.Body, a.Header())
	}
}

// TestAttackThrottleOthers: a client cannot lock out anybody else: no user whom it names,
// and no network that it says to come from.
func TestAttackThrottleOthers(t *testing.T) {
	s := throttledSite(t, "require", "throttle_others", "10 1m")
	for i := range 100 {
		s.From("192.0.2.1", guess(5678, i), "X-Forwarded-For: 198.51.100.1", "Forwarded: for=198.51.100.1", "X-Real-Ip: 198.51.100.1")
	}
	if a := s.From("198.51.100.1", "/x?akid="+fixture.GoodAKID); a.Code != 200 {
		t.Errorf("the user whose links were guessed: %d %s", a.Code, a.Body)
	}
	// A broken link that is tried again and again is throttled alone, in its own office.
	if a := s.From("192.0.2.1", "/x?akid="+fixture.GoodAKID); a.Code != 429 {
		t.Errorf("the user whose links are guessed from there: %d", a.Code)
	}
	if a := s.From("192.0.2.1", guess(1, 1)); a.Code != 401 {
		t.Errorf("a colleague: %d", a.Code)
	}
}

// TestAttackThrottleRotation: no address that a client can choose makes it another one.
func TestAttackThrottleRotation(t *testing.T) {
	s := throttledSite(t, "require", "throttle_rotation", "10 1m")
	count := func(from func(i int) (address, header string)) int {
		n := 0
		for i := range 500 {
			address, header := from(i)
			if a := s.From(address, guess(i, i), "X-Forwarded-For: "+header); a.Code == 401 {
				n++
			}
		}
		return n
	}
	for name, tc := range map[string]struct {
		from func(i int) (string, string)
		want int
	}{
		"X-Forwarded-For":      {func(i int) (string, string) { return "192.0.2.7", fmt.Sprintf("10.0.%d.%d", i/256, i%256) }, 10},
		"addresses of a /64":   {func(i int) (string, string) { return fmt.Sprintf("[2001:db8:a:b::%x]", i), "" }, 10},
		"networks of a /48":    {func(i int) (string, string) { return fmt.Sprintf("[2001:db8:c:%x::1]", i), "" }, 160},
		"IPv4 as IPv6 as IPv4": {func(i int) (string, string) { return []string{"192.0.2.8", "[::ffff:192.0.2.8]"}[i%2], "" }, 10},
	} {
		if n := count(tc.from); n != tc.want {
			t.Errorf("%s: %d guesses, want %d", name, n, tc.want)
		}
	}
}

// TestAttackThrottleAtOnce: many guesses at once get as many answers as one after the
// other, and the right one among the others looks like them.
func TestAttackThrottleAtOnce(t *testing.T) {
	s := throttledSite(t, "require", "throttle_at_once", "10 1m")
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := make(map[int]int)
	for i := range 64 {
		all.Go(func() {
			for j := range 10 {
				a := s.From("192.0.2.1", guess(i, j))
				mu.Lock()
				codes[a.Code]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if codes[401] != 10 || codes[429] != 630 {
		t.Errorf("%v", codes)
	}
}

// TestThrottleNoFailure: what is no guess counts against nobody.
func TestThrottleNoFailure(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
		name throttle_none
		throttle 1 1m
		algorithm hmac-sha256
		message {query.user}|{query.exp}
		signature {query.sig}
		expires {query.exp}
		param user alnum
		user {query.user}
	}
	test_backend`)
	s.At(time.Unix(1_800_000_000, 0))
	link := func(user, exp string) string {
		return "/x?user=" + user + "&exp=" + exp + "&sig=" + fixture.Sum256("0123456789abcdef", user+"|"+exp)
	}
	for _, target := range []string{
		"/x", "/x?sig=00", "/x?user=a-b&exp=1&sig=00", link("jeff", "1"), link("jeff", "x"), link("jeff", "1900000000"),
		link("jeff", "1900000000") + "&sig=00", link("jeff", "1900000000") + "&_method=delete",
	} {
		for range 3 {
			if a := s.From("192.0.2.1", target); a.Code == 429 {
				t.Errorf("%s is throttled", target)
			}
		}
	}
	// no address, no throttle: all who come through a socket would wait for one of them
	for range 3 {
		r := gatewaytest.Request(t, http.MethodGet, "/x?user=jeff&exp=1900000000&sig=00", "")
		r.RemoteAddr = "@"
		if a := s.Do(r); a.Code == 429 {
			t.Error("a client without an address is throttled")
		}
	}
}

// TestThrottleSeveralSchemes: one request is one guess, and one that another scheme
// verifies is none.
func TestThrottleSeveralSchemes(t *testing.T) {
	t.Setenv("OLD", fixture.AutologinSecret)
	t.Setenv("NEW", "0123456789abcdef")
	s := gatewaytest.LoadSite(t, `signed_link {
		scheme keyed_hash {env.NEW} {
			name throttle_new
			algorithm hmac-sha256
			message {query.user}
			signature {query.sig}
		}
		scheme keyed_hash {env.OLD} {
			name throttle_old
			algorithm md5
			message {query.user}{secret}
			signature {query.sig}
		}
		throttle 4 1m
	}
	test_backend`)
	s.At(time.Unix(1_800_000_000, 0))
	for i := range 10 {
		if a := s.From("192.0.2.1", "/x?user=jeff&sig="+fixture.Key("jeff", fixture.AutologinSecret)); a.Code != 200 {
			t.Fatalf("link %d of the old scheme: %d", i, a.Code)
		}
	}
	for i, want := range []int{401, 401, 401, 401, 429} {
		if a := s.From("192.0.2.1", fmt.Sprintf("/x?user=u%d&sig=00", i)); a.Code != want {
			t.Errorf("guess %d: %d, want %d", i+1, a.Code, want)
		}
	}
}

// TestThrottleReload: a reload forgives nobody, other settings begin anew, and what no
// configuration uses is gone.
func TestThrottleReload(t *testing.T) {
	fixture.SetSecrets(t)
	provision := func(allowance string) (*gatewaytest.Site, func()) {
		s := gatewaytest.Provision(t, gatewaytest.SiteFile("signed_link akid {env.AKID_SECRET} {\nname throttle_reload\nthrottle "+allowance+"\n}\ntest_backend"))
		s.At(time.Unix(1_800_000_000, 0))
		return s, func() {
			for _, h := range s.Handlers() {
				if err := h.(caddy.CleanerUpper).Cleanup(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	code := func(s *gatewaytest.Site) int { return s.From("192.0.2.1", guess(1, 1)).Code }
	first, closeFirst := provision("1 1m")
	code(first)
	second, closeSecond := provision("1 1m")
	closeFirst()
	third, closeThird := provision("2 1m")
	if a, b, c := code(first), code(second), code(third); a != 429 || b != 429 || c != 401 {
		t.Errorf("before the reload %d, after it %d, with other settings %d", a, b, c)
	}
	closeSecond()
	closeThird()
	closeThird()
	if again, closeAgain := provision("1 1m"); code(again) != 401 {
		t.Error("a throttle that nobody held came back")
	} else {
		closeAgain()
	}
}

// TestForwardedWarning: X-Forwarded-For without trusted_proxies draws one warning, where
// the client's address matters.
func TestForwardedWarning(t *testing.T) {
	fixture.SetSecrets(t)
	t.Setenv("S", "0123456789abcdef")
	const throttled = "signed_link akid {env.AKID_SECRET} {\nthrottle 10 1m\n}\n"
	const signed = "signed_link keyed_hash {env.S} {\nalgorithm hmac-sha256\nmessage {client_ip}|{query.user}\nsignature {query.sig}\n}\n"
	for name, tc := range map[string]struct {
		servers, directive, header string
		want                       int
	}{
		"throttle":         {"", throttled, "X-Forwarded-For: 10.0.0.1", 1},
		"signed client_ip": {"", signed, "X-Forwarded-For: 10.0.0.1", 1},
		"both":             {"", throttled + signed, "X-Forwarded-For: 10.0.0.1", 1},
		"neither":          {"", "signed_link akid {env.AKID_SECRET}\n", "X-Forwarded-For: 10.0.0.1", 0},
		"no proxy":         {"", throttled, "X-Real-Ip: 10.0.0.1", 0},
		"trusted_proxies":  {"servers {\ntrusted_proxies static 10.0.0.0/8\n}\n", throttled, "X-Forwarded-For: 10.0.0.1", 0},
		"a socket":         {"servers {\ntrusted_proxies_unix\n}\n", throttled, "X-Forwarded-For: 10.0.0.1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "log")
			s := gatewaytest.Load(t, "{\nadmin off\nauto_https off\nlog {\noutput file "+file+"\n}\n"+tc.servers+"}\nhttp:// {\n"+tc.directive+"test_backend\n}\n")
			for range 3 {
				s.Get("/x", tc.header)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range strings.Lines(string(data)) {
				if strings.Contains(line, `"level":"warn"`) && strings.Contains(line, "trusted_proxies static <address>") {
					n++
				}
			}
			if n != tc.want {
				t.Errorf("%d warnings, want %d:\n%s", n, tc.want, data)
			}
		})
	}
}

// TestThrottleBehindProxy: with trusted_proxies each of the proxy's clients counts for
// itself.
func TestThrottleBehindProxy(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.Load(t, "{\nadmin off\nauto_https off\nservers {\ntrusted_proxies static 10.0.0.0/8\ntrusted_proxies_strict\n}\n}\nhttp:// {\n"+
		"signed_link akid {env.AKID_SECRET} {\nname throttle_proxy\nthrottle 2 1m\n}\ntest_backend\n}\n")
	s.At(time.Unix(1_800_000_000, 0))
	for i, want := range []int{401, 401, 429} {
		// the client's own entry stands before the proxy's
		header := fmt.Sprintf("X-Forwarded-For: 203.0.113.%d, 192.0.2.1", i)
		if a := s.From("10.0.0.1", guess(i, i), header); a.Code != want {
			t.Errorf("guess %d: %d, want %d", i+1, a.Code, want)
		}
	}
	if a := s.From("10.0.0.1", "/x?akid="+fixture.GoodAKID, "X-Forwarded-For: 192.0.2.2"); a.Code != 200 {
		t.Errorf("another client of the proxy: %d", a.Code)
	}
}

// BenchmarkThrottled is what a guess costs that is not looked at.
func BenchmarkThrottled(b *testing.B) {
	b.Setenv("AKID_SECRET", fixture.AKIDSecret)
	s, err := gatewaytest.TryLoad(b, gatewaytest.SiteFile("signed_link akid {env.AKID_SECRET} {\nname throttle_benchmark\nthrottle 1 30d\n}\n"))
	if err != nil {
		b.Fatal(err)
	}
	d, r, now := s.Handlers()[0].Gate().Definition, &link.Request{ClientIP: "192.0.2.1"}, time.Now()
	if err := r.Query.Parse("akid=" + fixture.BadAKID); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var v definition.Verdict
	for b.Loop() {
		v = definition.Verdict{}
		d.JudgeInto(b.Context(), &v, r, nil, nil, now)
	}
	if v.Reason != link.Throttled {
		b.Errorf("%+v", v.Refusal)
	}
}
