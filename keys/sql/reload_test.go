package sql_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/keys/sql"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// TestHundredReloads: while a hundred configurations follow each other, every link gets
// the right verdict. What the database said survives where the DSN stays, and does not
// where it changes; afterwards no goroutine and no connection is left.
func TestHundredReloads(t *testing.T) {
	before := runtime.NumGoroutine()
	find := fakeDriver(t, time.Second)
	a, b := find("fake://a"), find("fake://b")
	for _, s := range []*server{a, b} { // one user, the same secret in both
		s.rows[0][1] = "the secret of 42"
		s.delay = time.Millisecond
	}
	t.Setenv("A_DSN", "fake://a")
	t.Setenv("B_DSN", "fake://b")
	socket := gatewaytest.NewSocket(t)
	load := func(n int, dsn string) {
		config := fmt.Sprintf(`{"admin":{"disabled":true,"config":{"persist":false}},"logging":{"logs":{"default":{"writer":{"output":"discard"}}}},
			"apps":{"http":{"grace_period":1,"servers":{"s":{"listen":["unix/%s"],"automatic_https":{"disable":true},"routes":[{"handle":[
			{"handler":"signed_link","schemes":[{"scheme":{"kind":"sial","action":"{http.request.uri.path}","prefix":"/do/"},"params":{"user":{"class":"digits"}},
			"user_keys":{"source":"sql","driver":"fake","dsn":"{env.%s}","query":%q,"ttl":"1h","timeout":"10s"}}]},
			{"handler":"static_response","body":"{http.signed_link.user} %d"}]}]}}}}}`, socket.Path, dsn, query, n)
		if err := caddy.Load([]byte(config), true); err != nil {
			t.Errorf("load %d: %v", n, err)
		}
	}
	load(0, "A_DSN")
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			_ = caddy.Stop()
		}
	})

	get := func(user, secret string) (int, string, error) {
		sum := sha1.Sum([]byte(user + "delete" + secret))
		response, body, err := socket.Get("/do/delete?user=" + user + "&sig=" + hex.EncodeToString(sum[:]))
		if err != nil {
			return 0, "", err
		}
		return response.StatusCode, body, nil
	}

	stop := make(chan struct{})
	var running sync.WaitGroup
	var count atomic.Int64
	for worker, link := range []struct {
		user, secret string
		status       int
	}{{"42", "the secret of 42", 200}, {"42", "another secret", 401}, {"", "", 401}, {"042", "the secret of 42", 401}} {
		running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				user := link.user
				if user == "" { // strangers, each of whom is looked up
					user = fmt.Sprintf("7%d%06d", worker, i)
				}
				status, body, err := get(user, link.secret)
				if err != nil || status != link.status || status == 200 && body[:3] != "42 " {
					t.Errorf("user %s: %d %q %v, want %d", user, status, body, err, link.status)
					return
				}
				count.Add(1)
			}
		})
	}
	for i := 1; i <= 100; i++ {
		dsn := "A_DSN"
		if i > 50 && i%10 < 5 { // the second half changes it ten times
			dsn = "B_DSN"
		}
		load(i, dsn)
	}
	close(stop)
	running.Wait()
	if count.Load() < 100 {
		t.Errorf("only %d requests ran beside the reloads", count.Load())
	}
	t.Logf("%d requests beside 100 reloads; %d and %d queries over %d and %d connections",
		count.Load(), a.get(&a.queries), b.get(&b.queries), a.get(&a.connects), b.get(&b.connects))
	if err := caddy.Stop(); err != nil {
		t.Error(err)
	}
	stopped = true
	waitFor(t, func() bool { return a.get(&a.open)+b.get(&b.open) == 0 })
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before+10 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before+10 { // Caddy itself keeps a few, once
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", n, before, stacks[:runtime.Stack(stacks, true)])
	}
}

// TestMemorySurvivesReloads counts the questions for one user.
func TestMemorySurvivesReloads(t *testing.T) {
	find := fakeDriver(t, 0)
	t.Setenv("A_DSN", "fake://a")
	s := find("fake://a")
	load := func(n int) {
		config := fmt.Sprintf(`{"admin":{"disabled":true,"config":{"persist":false}},"logging":{"logs":{"default":{"writer":{"output":"discard"}}}},
			"apps":{"http":{"http_port":%d,"servers":{"s":{"listen":["127.0.0.1:0"],"automatic_https":{"disable":true},"routes":[{"handle":[
			{"handler":"signed_link","schemes":[{"scheme":{"kind":"sial","action":"{http.request.uri.path}","prefix":"/do/"},"params":{"user":{"class":"digits"}},
			"user_keys":{"source":"sql","driver":"fake","dsn":"{env.A_DSN}","query":%q,"ttl":"1h"}}]}]}]}}}}}`, 8000+n, query)
		if err := caddy.Load([]byte(config), true); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = caddy.Stop() }()
	for i := range 100 {
		load(i)
		// a source of the same options has what the handlers' has
		source := &sql.Source{Driver: "fake", DSN: "{env.A_DSN}", Query: query, TTL: caddy.Duration(time.Hour)}
		ask(t, open(t, source), "42", "secret of fake://a")
		if err := source.Cleanup(); err != nil {
			t.Error(err)
		}
	}
	if n := s.get(&s.queries); n != 1 {
		t.Errorf("%d queries over 100 reloads, want 1", n)
	}
}
