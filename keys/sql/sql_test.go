package sql_test

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/keys/keystest"
	"github.com/signedlink/caddy-signed-link/keys/sql"
)

// ask fails the test unless the source says this of the user: a secret, "nobody" or
// "unavailable".
func ask(t *testing.T, source keys.UserSource, user, want string) {
	t.Helper()
	secret, err := source.UserKey(t.Context(), user)
	got := string(secret.Bytes())
	switch {
	case errors.Is(err, keys.ErrNoUser):
		got = "nobody"
	case errors.Is(err, keys.ErrUnavailable):
		got = "unavailable"
	case err != nil:
		got = "another error"
	}
	if got != want || err != nil && !secret.Empty() {
		t.Errorf("user %.40q: %s, error %v, want %s", user, got, err, want)
	}
	if err != nil && strings.Contains(err.Error(), "canary") {
		t.Errorf("the error shows what the driver said: %v", err)
	}
}

// clock is a clock that stands still.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) now() time.Time           { return time.Unix(1_800_000_000, c.nanoseconds.Load()) }
func (c *clock) advance(by time.Duration) { c.nanoseconds.Add(int64(by)) }

// logger returns a logger and what it has logged.
func logger() (*zap.Logger, func() string) {
	var mu sync.Mutex
	var b bytes.Buffer
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	})), zap.DebugLevel)
	return zap.New(core), func() string {
		mu.Lock()
		defer mu.Unlock()
		return b.String()
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestConformance(t *testing.T) {
	keystest.Users(t, func(t *testing.T, users map[string]string) keys.UserSource {
		return sql.Open(t, sql.Options{}, newServer(users)).UserSource
	})
}

func TestRemembersForTheTTL(t *testing.T) {
	var c clock
	s := newServer(map[string]string{"12": "old"})
	x := sql.Open(t, sql.Options{TTL: time.Minute, NegativeTTL: 10 * time.Second, Now: c.now}, s)
	ask(t, x, "12", "old")
	ask(t, x, "13", "nobody")
	s.set(func() { s.rows = [][2]driver.Value{{"12", "new"}, {"13", "thirteen"}} })
	c.advance(10*time.Second - 1)
	ask(t, x, "13", "nobody")
	c.advance(1)
	ask(t, x, "13", "thirteen")
	c.advance(50*time.Second - 1)
	ask(t, x, "12", "old")
	if n := s.get(&s.queries); n != 3 {
		t.Errorf("%d queries, want 3", n)
	}
	c.advance(1)
	ask(t, x, "12", "new")
	s.set(func() { s.rows = nil })
	c.advance(time.Minute)
	ask(t, x, "12", "nobody")
	if n := x.Remembered(); n != 2 {
		t.Errorf("%d ids are remembered, want 2", n)
	}
}

// TestSlowAnswerIsOld: the TTL counts from when the question was put.
func TestSlowAnswerIsOld(t *testing.T) {
	var c clock
	s := newServer(map[string]string{"12": "old"})
	hang := make(chan struct{})
	s.hang = hang
	x := sql.Open(t, sql.Options{TTL: time.Minute, Now: c.now}, s)
	done := make(chan struct{})
	go func() { defer close(done); ask(t, x, "12", "old") }()
	waitFor(t, func() bool { return s.get(&s.running) == 1 })
	c.advance(time.Minute)
	close(hang)
	<-done
	s.set(func() { s.rows[0][1] = "new" })
	ask(t, x, "12", "new")
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come")
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := newServer(nil)
	for i := range 100 {
		s.rows = append(s.rows, [2]driver.Value{"u" + strconv.Itoa(i), "secret"})
	}
	x := sql.Open(t, sql.Options{Cache: 10}, s)
	for i := range 100 {
		ask(t, x, "u"+strconv.Itoa(i), "secret")
		ask(t, x, "x"+strconv.Itoa(i), "nobody")
		ask(t, x, "u0", "secret") // is always in use
	}
	if n := x.Remembered(); n != 10 {
		t.Errorf("%d ids are remembered, want 10: users and strangers together", n)
	}
	// One who is always in use stays, whoever else comes.
	if n := s.get(&s.queries); n != 200 {
		t.Errorf("%d queries, want 200", n)
	}
	for range 500 {
		user := "u" + strconv.Itoa(rand.IntN(100))
		ask(t, x, user, "secret")
	}
}

// TestAttackMemoryHoldsNoRequest: an id is a piece of the query that the client wrote, of up
// to 16 KiB and with a signature in it. Ten thousand of them are no small matter.
func TestAttackMemoryHoldsNoRequest(t *testing.T) {
	s := newServer(map[string]string{"12": "secret"})
	x := sql.Open(t, sql.Options{}, s)
	request := "user=12&sig=canary&other=13&" + strings.Repeat("x", 16<<10)
	user, stranger := request[5:7], request[25:27]
	ask(t, x, user, "secret")
	ask(t, x, stranger, "nobody")
	if x.Remembered() != 2 || x.Holds(user) || x.Holds(stranger) {
		t.Error("the memory holds the query of a request")
	}
}

func TestConcurrentMissesAreOneQuery(t *testing.T) {
	s := newServer(map[string]string{"12": "secret"})
	hang := make(chan struct{})
	s.hang = hang
	x := sql.Open(t, sql.Options{}, s)
	var wg sync.WaitGroup
	var begun atomic.Int32
	for range 100 {
		wg.Go(func() { begun.Add(1); ask(t, x, "12", "secret") })
	}
	waitFor(t, func() bool { return begun.Load() == 100 && s.get(&s.running) == 1 })
	time.Sleep(20 * time.Millisecond)
	close(hang)
	wg.Wait()
	if n := s.get(&s.queries); n != 1 {
		t.Errorf("%d queries for one user", n)
	}
}

// TestGivenUp: a client that goes away takes nobody's answer with it.
func TestGivenUp(t *testing.T) {
	s := newServer(map[string]string{"12": "secret"})
	hang := make(chan struct{})
	s.hang = hang
	x := sql.Open(t, sql.Options{}, s)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { _, err := x.UserKey(ctx, "12"); first <- err }()
	waitFor(t, func() bool { return s.get(&s.running) == 1 })
	second := make(chan struct{})
	go func() { defer close(second); ask(t, x, "12", "secret") }()
	cancel()
	if err := <-first; !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("given up: %v", err)
	}
	close(hang)
	<-second
	if n := s.get(&s.queries); n != 1 {
		t.Errorf("%d queries", n)
	}
}

func TestTimeout(t *testing.T) {
	s := newServer(map[string]string{"12": "secret"})
	hang := make(chan struct{})
	s.hang = hang
	log, logged := logger()
	x := sql.Open(t, sql.Options{Timeout: 50 * time.Millisecond, MaxLookups: 2, Logger: log}, s)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range 10 { // most of them wait for their turn in vain
		wg.Go(func() { ask(t, x, strconv.Itoa(i+12), "unavailable") })
	}
	wg.Wait()
	if took := time.Since(began); took < 50*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	close(hang)
	ask(t, x, "12", "secret")
	if !strings.Contains(logged(), "did not answer within 50ms") || !strings.Contains(logged(), "all of max_lookups were busy for 50ms") {
		t.Errorf("the log: %s", logged())
	}
}

func TestLookupsInFlightAreBounded(t *testing.T) {
	s := newServer(nil)
	s.delay = time.Millisecond
	for i := range 200 {
		s.rows = append(s.rows, [2]driver.Value{"u" + strconv.Itoa(i), "secret"})
	}
	x := sql.Open(t, sql.Options{MaxLookups: 3, Timeout: time.Minute}, s)
	var wg sync.WaitGroup
	for i := range 150 {
		wg.Go(func() { ask(t, x, "u"+strconv.Itoa(i), "secret") })
	}
	wg.Wait()
	if busiest, connects := s.get(&s.busiest), s.get(&s.connects); busiest != 3 || connects > 3 {
		t.Errorf("%d at once over %d connections, want 3", busiest, connects)
	}
	// A queue without end would hold every request of a flood.
	hang := make(chan struct{})
	s.set(func() { s.hang = hang })
	var at atomic.Int32
	for i := range 400 {
		wg.Go(func() {
			if _, err := x.UserKey(t.Context(), "v"+strconv.Itoa(i)); err != nil && strings.Contains(err.Error(), "too many lookups wait") {
				at.Add(1)
			}
		})
	}
	waitFor(t, func() bool { return at.Load() == 400-3*65 })
	close(hang)
	wg.Wait()
}

func TestDown(t *testing.T) {
	var c clock
	s := newServer(map[string]string{"12": "secret", "13": "other"})
	log, logged := logger()
	x := sql.Open(t, sql.Options{Now: c.now, Logger: log}, s)
	ask(t, x, "12", "secret")
	ask(t, x, "99", "nobody")
	s.set(func() { s.down = true })
	c.advance(time.Minute - 1)
	ask(t, x, "12", "secret")
	ask(t, x, "99", "nobody")
	for range 3 {
		ask(t, x, "13", "unavailable")
	}
	c.advance(1)
	ask(t, x, "12", "unavailable")
	ask(t, x, "99", "unavailable")
	s.restart()
	ask(t, x, "12", "secret")
	ask(t, x, "13", "other")
	ask(t, x, "99", "nobody")
	if n := strings.Count(logged(), "cannot be reached: connection refused"); n != 1 {
		t.Errorf("it is logged %d times: %s", n, logged())
	}
}

// TestRestart: of the connections in the pool all are dead, and nobody is told.
func TestRestart(t *testing.T) {
	s := newServer(nil)
	s.delay = time.Millisecond
	x := sql.Open(t, sql.Options{}, s)
	for round := range 3 {
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() { ask(t, x, fmt.Sprintf("r%d-%d", round, i), "nobody") })
		}
		wg.Wait()
		s.restart()
	}
	s.set(func() { s.err = &answer{text: "the statement is gone", stale: true} })
	ask(t, x, "a", "unavailable")
	prepares := s.get(&s.prepares)
	s.set(func() { s.err = nil })
	ask(t, x, "a", "nobody")
	if s.get(&s.prepares) == prepares {
		t.Error("a stale statement is not prepared anew")
	}
}

func TestStatementIsKept(t *testing.T) {
	s := newServer(nil)
	x := sql.Open(t, sql.Options{}, s)
	for i := range 50 {
		ask(t, x, strconv.Itoa(i), "nobody")
	}
	if prepares, connects, readWrite := s.get(&s.prepares), s.get(&s.connects), s.get(&s.readWrite); prepares != 1 || connects != 1 || readWrite != 0 {
		t.Errorf("%d connections, %d times prepared, %d transactions that may write", connects, prepares, readWrite)
	}
}

func TestRows(t *testing.T) {
	many := make([][2]driver.Value, 100)
	for i := range many {
		many[i] = [2]driver.Value{"12", "secret"}
	}
	for _, tc := range []struct {
		name    string
		rows    [][2]driver.Value
		columns int
		want    string
		log     string
	}{
		{"text", [][2]driver.Value{{"12", "secret"}}, 0, "secret", ""},
		{"bytes", [][2]driver.Value{{[]byte("12"), []byte("secret")}}, 0, "secret", ""},
		{"number", [][2]driver.Value{{int64(12), int64(34)}}, 0, "34", ""},
		{"unsigned", [][2]driver.Value{{uint64(12), "secret"}}, 0, "secret", ""},
		{"none", nil, 0, "nobody", ""},
		{"other number", [][2]driver.Value{{int64(120), "secret"}}, 0, "nobody", ""},
		{"other text", [][2]driver.Value{{"012", "secret"}, {"12 ", "secret"}}, 0, "nobody", ""},
		{"no id", [][2]driver.Value{{nil, "secret"}}, 0, "nobody", ""},
		{"no secret", [][2]driver.Value{{"12", nil}}, 0, "nobody", ""},
		{"empty secret", [][2]driver.Value{{"12", ""}}, 0, "nobody", ""},
		{"among others", [][2]driver.Value{{"012", "a"}, {"12", "secret"}, {"12 ", "b"}}, 0, "secret", ""},
		{"twice the same", [][2]driver.Value{{"12", "secret"}, {"12", "secret"}}, 0, "secret", ""},
		{"two secrets", [][2]driver.Value{{"12", "secret"}, {"12", "other"}}, 0, "nobody", "different secrets"},
		{"one is empty", [][2]driver.Value{{"12", "secret"}, {"12", nil}}, 0, "nobody", "different secrets"},
		{"first is empty", [][2]driver.Value{{"12", ""}, {"12", "secret"}}, 0, "nobody", "different secrets"},
		{"too many", many, 0, "nobody", "more than 64 rows"},
		{"long", [][2]driver.Value{{"12", strings.Repeat("s", 4096)}}, 0, strings.Repeat("s", 4096), ""},
		{"too long", [][2]driver.Value{{"12", strings.Repeat("s", 4097)}}, 0, "nobody", "more than 4096 bytes"},
		{"three columns", nil, 3, "unavailable", "returns 3 columns"},
		{"one column", nil, 1, "unavailable", "returns 1 columns"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log, logged := logger()
			ask(t, sql.Open(t, sql.Options{Logger: log}, &server{rows: tc.rows, columns: tc.columns}), "12", tc.want)
			if tc.log == "" && logged() != "" || !strings.Contains(logged(), tc.log) || strings.Contains(logged(), "other") {
				t.Errorf("the log: %s", logged())
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		name, want, log string
		server          *server
	}{
		{"value", "nobody", `"level":"info"`, &server{err: &answer{text: "no number", value: true}}},
		{"query", "unavailable", "no such table", &server{err: &answer{text: "no such table"}}},
		{"unknown", "unavailable", "*errors.errorString", &server{err: errors.New("fake://canary")}},
		{"panic", "unavailable", "the driver failed: a string", &server{panics: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log, logged := logger()
			x := sql.Open(t, sql.Options{Logger: log}, tc.server)
			for range 3 {
				ask(t, x, "12", tc.want)
			}
			if strings.Count(logged(), "\n") != 1 || !strings.Contains(logged(), tc.log) || strings.Contains(logged(), "canary") {
				t.Errorf("the log: %s", logged())
			}
		})
	}
}

func TestNeverLookedUp(t *testing.T) {
	s := newServer(nil)
	x := sql.Open(t, sql.Options{}, s)
	for _, user := range []string{"", "12\x00", "\x00", "\xff", "a\xc3", strings.Repeat("1", 257), strings.Repeat("1", 10<<10)} {
		ask(t, x, user, "nobody")
	}
	if s.get(&s.queries) != 0 || x.Remembered() != 0 {
		t.Error("such ids are looked up, or remembered")
	}
}

func TestNothingLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		s := newServer(map[string]string{"12": "secret"})
		x := sql.Open(t, sql.Options{}, s)
		hang := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { ask(t, x, strconv.Itoa(i+100), "nobody") })
		}
		wg.Wait()
		s.set(func() { s.hang = hang })
		wg.Go(func() { ask(t, x, "12", "secret") }) // is under way, and finishes
		waitFor(t, func() bool { return s.get(&s.running) == 1 })
		closed := make(chan error)
		go func() { closed <- x.Close() }()
		time.Sleep(time.Millisecond)
		close(hang)
		wg.Wait()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		ask(t, x, "12345", "unavailable") // fails closed
		if n := s.get(&s.open); n != 0 {
			t.Errorf("%d connections are open", n)
		}
	}
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before+2 })
}

// fakeDriver adds a driver whose databases are told apart by their DSN.
func fakeDriver(t testing.TB, linger time.Duration) func(dsn string) *server {
	var mu sync.Mutex
	servers := make(map[string]*server)
	find := func(dsn string) *server {
		mu.Lock()
		defer mu.Unlock()
		if servers[dsn] == nil {
			servers[dsn] = newServer(map[string]string{"42": "secret of " + dsn})
		}
		return servers[dsn]
	}
	sql.AddDriver(t, "fake", func(dsn string) (driver.Connector, error) {
		if strings.Contains(dsn, "unreadable") {
			return nil, errors.New("the DSN cannot be read")
		}
		return find(dsn), nil
	}, linger)
	return find
}

func open(t *testing.T, s *sql.Source) keys.UserSource {
	t.Helper()
	if err := sql.Provision(s, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	source, err := s.OpenUsers()
	if err != nil {
		t.Fatal(err)
	}
	return source
}

const query = "SELECT id, secret_token FROM users WHERE id = ?"

func TestSharedOverReloads(t *testing.T) {
	find := fakeDriver(t, 0)
	t.Setenv("A_DSN", "fake://a")
	t.Setenv("B_DSN", "fake://b")
	config := func(dsn string) *sql.Source { return &sql.Source{Driver: "fake", DSN: dsn, Query: query} }
	first := config("{env.A_DSN}")
	one := open(t, first)
	ask(t, one, "42", "secret of fake://a")

	same, other := config("fake://a"), config("{env.B_DSN}") // what counts is where it leads
	two, three := open(t, same), open(t, other)
	if sql.DatabaseOf(one) != sql.DatabaseOf(two) || sql.DatabaseOf(one) == sql.DatabaseOf(three) {
		t.Error("what is the same is not shared, or what is not is")
	}
	for i, change := range []func(*sql.Source){
		func(s *sql.Source) { s.Query += " LIMIT 9" },
		func(s *sql.Source) { s.TTL = 1 },
		func(s *sql.Source) { s.NegativeTTL = 1 },
		func(s *sql.Source) { s.Timeout = 1 },
		func(s *sql.Source) { s.Cache = 1 },
		func(s *sql.Source) { s.MaxLookups = 1 },
	} {
		s := config("{env.A_DSN}")
		change(s)
		if sql.DatabaseOf(open(t, s)) == sql.DatabaseOf(one) {
			t.Errorf("change %d is not seen", i)
		}
		if err := s.Cleanup(); err != nil {
			t.Error(err)
		}
	}
	if n := sql.References(same); n != 2 {
		t.Errorf("%d references, want 2", n)
	}
	for range 2 { // Caddy may call it twice
		if err := first.Cleanup(); err != nil {
			t.Error(err)
		}
	}
	// one that never took anything lets go of nothing
	unopened := config("{env.A_DSN}")
	if err := sql.Provision(unopened, zap.NewNop()); err != nil {
		t.Error(err)
	}
	if err := unopened.Cleanup(); err != nil {
		t.Error(err)
	}
	if err := new(sql.Source).Cleanup(); err != nil {
		t.Error(err)
	}
	ask(t, one, "42", "secret of fake://a") // the other configuration has it still
	if n := find("fake://a").get(&find("fake://a").queries); n != 1 {
		t.Errorf("%d queries: the memory did not survive", n)
	}
	if err := same.Cleanup(); err != nil {
		t.Error(err)
	}
	if err := other.Cleanup(); err != nil {
		t.Error(err)
	}
	ask(t, one, "43", "unavailable")
}

// TestLinger: requests of a configuration that is gone get their answers still, and no
// connection stays open for them.
func TestLinger(t *testing.T) {
	find := fakeDriver(t, 200*time.Millisecond)
	s := &sql.Source{Driver: "fake", DSN: "fake://a", Query: query}
	source := open(t, s)
	ask(t, source, "1", "nobody")
	if err := s.Cleanup(); err != nil {
		t.Fatal(err)
	}
	fake := find("fake://a")
	ask(t, source, "42", "secret of fake://a")
	waitFor(t, func() bool { return fake.get(&fake.open) == 0 })
	waitFor(t, func() bool { _, err := source.UserKey(t.Context(), "7"); return errors.Is(err, keys.ErrUnavailable) })
}

// TestNothingConnectsAtLoad has a listener in the place of the database.
func TestNothingConnectsAtLoad(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepted atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			_ = c.Close()
		}
	}()
	defer l.Close()
	t.Setenv("MYSQL_DSN", "links:canary@tcp("+l.Addr().String()+")/app")
	t.Setenv("POSTGRES_DSN", "postgres://links:canary@"+l.Addr().String()+"/app?sslmode=disable")
	for _, kind := range sql.Drivers {
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		config := fmt.Sprintf(`{"driver":%q,"dsn":"{env.%s_DSN}","query":%q,"timeout":"500ms"}`, kind, strings.ToUpper(kind), query)
		module, err := ctx.LoadModuleByID("http.signed_link.keys.sql", json.RawMessage(config))
		if err != nil {
			t.Fatal(err)
		}
		source, err := module.(*sql.Source).OpenUsers()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if n := accepted.Load(); n != 0 {
			t.Errorf("%s: %d connections at load", kind, n)
		}
		ask(t, source, "12", "unavailable") // and one that is of no use, when there is a question
		if accepted.Swap(0) == 0 {
			t.Errorf("%s: no connection at all", kind)
		}
		cancel()
	}
}

func TestProvisionErrors(t *testing.T) {
	t.Setenv("LINKS_DSN", "postgres://links:canary@127.0.0.1/app")
	good := func(change func(*sql.Source)) *sql.Source {
		s := &sql.Source{Driver: "postgres", DSN: "{env.LINKS_DSN}", Query: query}
		change(s)
		return s
	}
	for i, tc := range []struct {
		change func(*sql.Source)
		err    string
	}{
		{func(*sql.Source) {}, ""},
		{func(s *sql.Source) { s.Driver = "" }, "driver is missing"},
		{func(s *sql.Source) { s.Driver = "mariadb" }, "write mysql, for MariaDB, too"},
		{func(s *sql.Source) { s.DSN = "" }, "dsn is missing"},
		{func(s *sql.Source) { s.DSN = "{env.UNSET}" }, "UNSET is not set"},
		{func(s *sql.Source) { s.DSN = "{file.dsn}" }, "with a slash"},
		{func(s *sql.Source) { s.DSN = "postgres://links:canary@host:port/app" }, "the DSN cannot be read"},
		{func(s *sql.Source) { s.Driver, s.DSN = "mysql", "links:canary@tcp(127.0.0.1" }, "the DSN cannot be read"},
		{func(s *sql.Source) { s.Driver, s.DSN = "mysql", "links:canary@tcp(127.0.0.1)/app?tls=canary" }, "the DSN cannot be read"},
		{func(s *sql.Source) { s.Driver, s.DSN = "mysql", "mysql://links:canary@127.0.0.1/app" }, "is a URL"},
		{func(s *sql.Source) { s.Query = "" }, "the query is empty"},
		{func(s *sql.Source) { s.TTL = -1 }, "ttl:"},
		{func(s *sql.Source) { s.NegativeTTL = -1 }, "negative_ttl:"},
		{func(s *sql.Source) { s.Timeout = -1 }, "timeout:"},
		{func(s *sql.Source) { s.Cache = -1 }, "cache"},
		{func(s *sql.Source) { s.MaxLookups = -1 }, "max_lookups"},
		{func(s *sql.Source) { s.MaxLookups = 1001 }, "at most 1000"},
	} {
		err := sql.Provision(good(tc.change), zap.NewNop())
		if (err == nil) != (tc.err == "") || err != nil && (!strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "canary")) {
			t.Errorf("Test %d: %v, want %q", i, err, tc.err)
		}
	}
	if _, err := new(sql.Source).OpenUsers(); err == nil {
		t.Error("it opens without being provisioned")
	}
}

// TestDSNIsNeverShown: not in errors, logs, JSON or anything printed.
func TestDSNIsNeverShown(t *testing.T) {
	find := fakeDriver(t, 0)
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte("fake://canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LINKS_DSN", "fake://canary")
	for _, dsn := range []string{"{env.LINKS_DSN}", "{file." + filepath.ToSlash(file) + "}", "fake://canary"} {
		s := &sql.Source{Driver: "fake", DSN: dsn, Query: query}
		log, logged := logger()
		if err := sql.Provision(s, log); err != nil {
			t.Fatal(err)
		}
		source, err := s.OpenUsers()
		if err != nil {
			t.Fatal(err)
		}
		fake := find("fake://canary")
		fake.set(func() { fake.down = true })
		ask(t, source, "42", "unavailable")
		fake.restart()
		fake.set(func() { fake.err = errors.New("fake://canary") })
		ask(t, source, "42", "unavailable")
		fake.set(func() { fake.err = nil })
		ask(t, source, "42", "secret of fake://canary")

		var text strings.Builder
		for _, v := range []any{s, *s, source, struct{ x keys.UserSource }{source}, []any{s}} {
			fmt.Fprintf(&text, "%v %+v %#v %s %q %x %d\n", v, v, v, v, v, v, v)
		}
		log.Info("all", zap.Any("source", s), zap.Any("users", source))
		slog.New(slog.NewTextHandler(&text, nil)).Info("", "source", s, "value", *s, "users", source)
		text.WriteString(logged())
		if out := text.String(); strings.Contains(out, "canary") || strings.Contains(out, "63616e617279") {
			t.Errorf("it shows: %s", out)
		}
		if warned := strings.Contains(logged(), "in clear"); warned != (dsn == "fake://canary") {
			t.Errorf("%s: warned %t", dsn, warned)
		}
		b, err := json.Marshal(s)
		if err != nil || !strings.Contains(string(b), `"dsn":"`+dsn+`"`) {
			t.Errorf("as JSON: %s %v", b, err)
		}
		if err := s.Cleanup(); err != nil {
			t.Error(err)
		}
	}
}

func TestPrepareQuery(t *testing.T) {
	for i, tc := range []struct{ driver, query, want, err string }{
		{"mysql", "SELECT id, s FROM u WHERE id = ?", "SELECT id, s FROM u WHERE id = ?", ""},
		{"mysql", " select id, s from u where id=? ; \n", "select id, s from u where id=?", ""},
		{"mysql", "WITH x AS (SELECT ? a) SELECT a, 's' FROM x", "WITH x AS (SELECT ? a) SELECT a, 's' FROM x", ""},
		{"mysql", `SELECT id, s FROM u WHERE a = '?' AND b = "?;" AND c = 'it\'s ?' AND d = 'it''s ?' AND ` + "`e?` = ?", "", "-"},
		{"mysql", "SELECT id, s # ?\nFROM u -- ?\nWHERE /* ? */ id = ?", "", "-"},
		{"mysql", "SELECT 1--?", "SELECT 1--?", ""},
		{"postgres", "SELECT id, s FROM u WHERE id = ?", "SELECT id, s FROM u WHERE id = $1", ""},
		{"postgres", "SELECT id, s FROM u WHERE id = $1 OR $1 = old", "SELECT id, s FROM u WHERE id = $1 OR $1 = old", ""},
		{"postgres", `SELECT id, s FROM "u?" WHERE a = E'it\'s ?' AND b = 'a\' AND id = ?::int`, `SELECT id, s FROM "u?" WHERE a = E'it\'s ?' AND b = 'a\' AND id = $1::int`, ""},
		{"postgres", "SELECT id, s FROM u WHERE a = $x$ ? $1 ; $x$ AND b$1 = $$?$$ AND id = ? --?", "SELECT id, s FROM u WHERE a = $x$ ? $1 ; $x$ AND b$1 = $$?$$ AND id = $1 --?", ""},
		{"postgres", "SELECT id, s /* /* ? */ ? */ FROM u WHERE id = ?", "SELECT id, s /* /* ? */ ? */ FROM u WHERE id = $1", ""},
		{"mysql", "", "", "empty"},
		{"mysql", " ; ", "", "empty"},
		{"mysql", "SELECT 1", "", "no parameter"},
		{"mysql", "SELECT id, s FROM u WHERE id = '?", "", "no parameter"},
		{"mysql", "SELECT id, s FROM u WHERE id = $1", "", "no parameter"},
		{"mysql", "SELECT id, s FROM u WHERE id = ? OR id = ?", "", "several parameters"},
		{"postgres", "SELECT id, s FROM u WHERE id = ? OR id = $1", "", "both"},
		{"postgres", "SELECT id, s FROM u WHERE id = $2", "", "$2"},
		{"postgres", "SELECT id, s FROM u WHERE id = $10", "", "$10"},
		{"mysql", "SELECT 1; SELECT ?", "", "several statements"},
		{"mysql", "DELETE FROM u WHERE id = ?", "", "SELECT"},
		{"mysql", "SELECTED ?", "", "SELECT"},
		{"mysql", "SELECT ?\x00", "", "NUL"},
	} {
		if tc.err == "-" { // unchanged
			tc.want, tc.err = tc.query, ""
		}
		got, err := sql.PrepareQuery(tc.driver, tc.query)
		if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("Test %d: %q, %v, want %q, %q", i, got, err, tc.want, tc.err)
		}
	}
}

func FuzzPrepareQuery(f *testing.F) {
	for _, text := range []string{query, "SELECT $1", "SELECT '?' /* ? */ -- ?\n ?", "SELECT $a$?$a$, ?", `SELECT E'\'?', ?;`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range sql.Drivers {
			got, err := sql.PrepareQuery(kind, text)
			if err != nil {
				continue
			}
			if again, err := sql.PrepareQuery(kind, got); err != nil || again != got {
				t.Errorf("%s: %q becomes %q, and that %q, %v", kind, text, got, again, err)
			}
		}
	})
}

// TestExplain: what the databases' own errors mean, in words that show no data.
func TestExplain(t *testing.T) {
	for i, tc := range []struct {
		driver string
		err    error
		text   string
		flags  string // value, broken, stale
	}{
		{"postgres", &pgconn.PgError{Code: "22P02", Message: `invalid input syntax for type integer: "canary"`}, "no value of the column's type", "v"},
		{"postgres", &pgconn.PgError{Code: "22003"}, "22003", "v"},
		{"postgres", &pgconn.PgError{Code: "22021"}, "22021", "v"},
		{"postgres", &pgconn.PgError{Code: "28P01", Message: "canary"}, "refuses the user or the password", ""},
		{"postgres", &pgconn.PgError{Code: "42P01", Message: `relation "user" does not exist`}, `relation "user" does not exist`, ""},
		{"postgres", &pgconn.PgError{Code: "42601", Message: "canary"}, "the query is wrong", ""},
		{"postgres", &pgconn.PgError{Code: "25006", Message: "canary"}, "may only read", ""},
		{"postgres", &pgconn.PgError{Code: "57014"}, "took too long", ""},
		{"postgres", &pgconn.PgError{Code: "57P01"}, "stopping", "b"},
		{"postgres", &pgconn.PgError{Code: "0A000"}, "does not support", "s"},
		{"postgres", &pgconn.PgError{Code: "XX000", Message: "canary"}, "an error", ""},
		{"postgres", &pgconn.PgError{Code: "2"}, "an error", ""},
		{"postgres", &pgconn.ParseConfigError{}, "*pgconn.ParseConfigError", "b"},
		{"mysql", &mysql.MySQLError{Number: 1267, Message: "canary"}, "error 1267", "v"},
		{"mysql", &mysql.MySQLError{Number: 3988, Message: "canary"}, "error 3988", "v"},
		{"mysql", &mysql.MySQLError{Number: 1045, Message: "canary"}, "refuses the user or the password", ""},
		{"mysql", &mysql.MySQLError{Number: 1054, Message: "Unknown column 'tokn' in 'field list'"}, "'tokn'", ""},
		{"mysql", &mysql.MySQLError{Number: 1064, Message: "canary"}, "syntax error", ""},
		{"mysql", &mysql.MySQLError{Number: 1969}, "took too long", ""},
		{"mysql", &mysql.MySQLError{Number: 1927}, "1927", "b"},
		{"mysql", &mysql.MySQLError{Number: 1615}, "1615", "s"},
		{"mysql", mysql.ErrInvalidConn, "broke", "b"},
		{"mysql", driver.ErrBadConn, "broke", "b"},
		{"mysql", context.DeadlineExceeded, "in time", ""},
		{"mysql", context.Canceled, "given up", ""},
		{"mysql", &net.DNSError{Err: "canary", Name: "canary", IsNotFound: true}, "not known", ""},
		{"mysql", &net.DNSError{Err: "canary", Name: "canary"}, "cannot be looked up", ""},
		{"mysql", &net.OpError{Op: "canary", Err: os.ErrDeadlineExceeded}, "in time", ""},
	} {
		text, value, broken, stale := sql.Explain(tc.driver, fmt.Errorf("canary: %w", tc.err))
		flags := ""
		for c, is := range map[string]bool{"v": value, "b": broken, "s": stale} {
			if is {
				flags += c
			}
		}
		if !strings.Contains(text, tc.text) || flags != tc.flags || strings.Contains(text, "canary") {
			t.Errorf("Test %d: %q %q, want %q %q", i, text, flags, tc.text, tc.flags)
		}
	}
}

// BenchmarkRemembered looks up users who are remembered, at random.
func BenchmarkRemembered(b *testing.B) {
	for _, n := range []int{1, 1000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			x := sql.Open(b, sql.Options{Cache: n, TTL: time.Hour}, newServer(nil))
			ids := make([]string, n)
			for i := range ids {
				ids[i] = strconv.Itoa(1000000 + i)
				x.Remember(ids[i], keys.NewSecret([]byte("0123456789abcdef0123456789abcdef")))
			}
			ctx := context.Background()
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if _, err := x.UserKey(ctx, ids[(i*7919)%n]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLookup asks the (fake) database each time.
func BenchmarkLookup(b *testing.B) {
	x := sql.Open(b, sql.Options{Cache: 1}, newServer(nil))
	ctx := context.Background()
	b.ReportAllocs()
	for i := range b.N {
		if _, err := x.UserKey(ctx, strconv.Itoa(i)); !errors.Is(err, keys.ErrNoUser) {
			b.Fatal(err)
		}
	}
}
