package sql_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/keys/sql"
)

// What is here floods the memory and asks who exists. Whoever asks sees how long an answer
// takes, which is whether the database was asked, how often, and for how long it was waited
// for; so each test holds what is done for a user to what is done for a stranger.

// kinds are what the database may know of an id. The first is a user; all others are
// strangers, and must cost what a user costs.
var kinds = []struct {
	name string
	rows func(id string) [][2]driver.Value
}{
	{"user", func(id string) [][2]driver.Value { return [][2]driver.Value{{id, "the secret of " + id}} }},
	{"user among others", func(id string) [][2]driver.Value {
		return [][2]driver.Value{{strings.ToUpper(id), "a"}, {id, "the secret of " + id}, {id + " ", "b"}}
	}},
	{"no row", func(string) [][2]driver.Value { return nil }},
	{"NULL as id", func(string) [][2]driver.Value { return [][2]driver.Value{{nil, "secret"}} }},
	{"NULL as secret", func(id string) [][2]driver.Value { return [][2]driver.Value{{id, nil}} }},
	{"empty secret", func(id string) [][2]driver.Value { return [][2]driver.Value{{id, ""}} }},
	{"another id", func(id string) [][2]driver.Value { return [][2]driver.Value{{strings.ToUpper(id), "secret"}} }},
	{"id with a blank", func(id string) [][2]driver.Value { return [][2]driver.Value{{id + " ", "secret"}} }},
	{"two secrets", func(id string) [][2]driver.Value { return [][2]driver.Value{{id, "one"}, {id, "two"}} }},
	{"long secret", func(id string) [][2]driver.Value { return [][2]driver.Value{{id, strings.Repeat("s", 4097)}} }},
	{"many rows", func(id string) [][2]driver.Value { return slices.Repeat([][2]driver.Value{{id, "secret"}}, 65) }},
	{"no value of the column", nil},
}

// world is a database under test with a clock.
type world struct {
	*server
	*sql.Database
	clock
}

// newWorld has for each id what kind says.
func newWorld(t *testing.T, cache int, ids []string, kind func(i int) int) *world {
	w := &world{server: newServer(nil)}
	w.values = make(map[string]bool)
	for i, id := range ids {
		if k := kinds[kind(i)]; k.rows != nil {
			w.rows = append(w.rows, k.rows(id)...)
		} else {
			w.values[id] = true
		}
	}
	w.Database = sql.Open(t, sql.Options{TTL: time.Minute, Cache: cache, Now: w.now}, w.server)
	return w
}

// cost is what one question costs: all that the database was asked, and whether it was
// answered.
func (w *world) cost(t *testing.T, id string) string {
	t.Helper()
	count := func() [4]int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return [4]int{w.queries, w.prepares, w.connects, w.begins}
	}
	before := count()
	_, err := w.UserKey(t.Context(), id)
	after := count()
	answer := "an answer"
	if err != nil && !errors.Is(err, keys.ErrNoUser) {
		answer = err.Error()
	}
	return fmt.Sprintf("%d queries, %d prepared, %d connections, %d transactions, %s",
		after[0]-before[0], after[1]-before[1], after[2]-before[2], after[3]-before[3], answer)
}

// isUser reports whether the id that was asked for is found.
func (w *world) isUser(t *testing.T, id string) bool {
	t.Helper()
	_, err := w.UserKey(t.Context(), id)
	return err == nil
}

// TestAttackFloodAsksWhoExists is the attack as it was carried out: two ids, a flood of
// 2,100 made-up ones over a memory of 1,000, and the two again. With a memory for strangers
// apart from that for users, the user was answered at once, and the stranger with a query.
func TestAttackFloodAsksWhoExists(t *testing.T) {
	for _, flood := range []int{0, 500, 998, 999, 1000, 1001, 2100} {
		for _, again := range []int{0, 1, 3} { // questions that make the ids used ones
			var want []string
			for _, pair := range [][2]string{{"victor", "nobody"}, {"nobody", "victor"}, {"nobody", "nil"}} {
				w := newWorld(t, 1000, []string{"victor"}, func(int) int { return 0 })
				for range 1 + again {
					w.cost(t, pair[0])
					w.cost(t, pair[1])
				}
				for i := range flood {
					w.cost(t, "x"+strconv.Itoa(i))
				}
				got := []string{w.cost(t, pair[0]), w.cost(t, pair[1])}
				if want == nil {
					want = got
				}
				if !slices.Equal(got, want) {
					t.Errorf("flood of %d, asked %d times: %q for %q, and %q for a user and a stranger", flood, again+1, got, pair, want)
				}
				if forgotten := strings.HasPrefix(got[0], "1 queries") && got[0] == got[1]; flood == 2100 && !forgotten {
					t.Errorf("flood of %d, asked %d times: %q for %q, want a query for each", flood, again+1, got, pair)
				}
				if !w.isUser(t, "victor") || w.isUser(t, "nobody") {
					t.Error("they are not told apart where they must be")
				}
			}
		}
	}
}

// TestAttackWhoExistsFromHistory draws histories: questions for the same and for made-up
// ids, in bursts and one by one, with time passing, and the database down and up again. What
// each question costs follows from the history alone: it is the same whoever of the ids
// exists, and in whatever way the others do not.
func TestAttackWhoExistsFromHistory(t *testing.T) {
	const seeds, steps = 6, 500
	ids := make([]string, 24)
	for i := range ids {
		ids[i] = "id" + string(rune('a'+i))
	}
	for seed := range uint64(seeds) {
		var want []string
		for who := -2; who < len(kinds); who++ {
			kind := func(i int) int {
				switch who {
				case -2: // all mixed
					return int(seed+uint64(i)*7) % len(kinds)
				case -1: // every other one is a user
					return i % 2 * 2
				default:
					return who
				}
			}
			random := rand.New(rand.NewPCG(seed, 0)) // the same history for all
			w := newWorld(t, 1+int(seed)*2, ids, kind)
			got := make([]string, 0, steps)
			for n := range steps {
				switch p := random.IntN(100); {
				case p < 60:
					got = append(got, w.cost(t, ids[random.IntN(len(ids))]))
				case p < 80: // one who is often there
					got = append(got, w.cost(t, ids[random.IntN(3)]))
				case p < 92:
					for i := range random.IntN(20) {
						got = append(got, w.cost(t, fmt.Sprintf("x%d.%d", n, i)))
					}
				case p < 96:
					w.advance(time.Duration(random.IntN(40)) * time.Second)
				case p < 98:
					w.set(func() { w.down = true })
				default:
					w.restart()
				}
			}
			if want == nil {
				want = got
				continue
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("history %d, question %d, kind %d: %s, and %s where others exist", seed, i, who, got[i], want[i])
				}
			}
		}
	}
}

// TestAttackWhoExistsByKind: each way not to exist costs what a user costs, when it is asked
// for, when it is remembered, and when it is forgotten.
func TestAttackWhoExistsByKind(t *testing.T) {
	var want string
	for i, kind := range kinds {
		w := newWorld(t, 10, []string{"victor"}, func(int) int { return i })
		var trace []string
		for _, step := range []time.Duration{0, 0, time.Minute - 1, 1, 0, time.Hour} {
			w.advance(step)
			trace = append(trace, w.cost(t, "victor"))
		}
		w.set(func() { w.down = true })
		trace = append(trace, w.cost(t, "victor")) // remembered
		w.advance(time.Minute)
		trace = append(trace, w.cost(t, "victor")) // no longer
		w.restart()
		trace = append(trace, w.cost(t, "victor"))
		if exists := w.isUser(t, "victor"); exists != strings.HasPrefix(kind.name, "user") {
			t.Errorf("%s: exists %t", kind.name, exists)
		}
		got := strings.Join(trace, "\n")
		if i == 0 {
			want = got
		}
		if got != want {
			t.Errorf("%s costs\n%s\nand a user\n%s", kind.name, got, want)
		}
		if strings.Count(got, "1 queries") != 4 || strings.Count(got, "unavailable") != 0 && strings.Count(got, "cannot answer now") != 1 {
			t.Errorf("%s: the trace is another:\n%s", kind.name, got)
		}
	}
}

// TestAttackWhoExistsBecomes: who came into being or went away between two questions stays
// at the same place in the memory.
func TestAttackWhoExistsBecomes(t *testing.T) {
	var want string
	for _, was := range []bool{true, false} {
		for _, is := range []bool{true, false} {
			w := newWorld(t, 3, nil, nil)
			be := func(exists bool) {
				w.set(func() {
					w.rows = nil
					if exists {
						w.rows = [][2]driver.Value{{"victor", "secret"}}
					}
				})
			}
			be(was)
			trace := []string{w.cost(t, "a"), w.cost(t, "victor"), w.cost(t, "b")}
			be(is)
			w.advance(time.Minute)
			for _, id := range []string{"victor", "c", "d", "victor", "e", "f", "victor", "a", "b"} {
				trace = append(trace, w.cost(t, id))
			}
			got := strings.Join(trace, "\n")
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("existed %t, exists %t:\n%s\nwant\n%s", was, is, got, want)
			}
		}
	}
}

// TestAttackWhoExistsAtOnce: many questions at once are one query, for a stranger as for a
// user, and one that is given up takes no other with it.
func TestAttackWhoExistsAtOnce(t *testing.T) {
	for i, kind := range kinds {
		w := newWorld(t, 10, []string{"victor"}, func(int) int { return i })
		hang := make(chan struct{})
		w.hang = hang
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { w.isUser(t, "victor") })
		}
		waitFor(t, func() bool { return w.get(&w.running) == 1 })
		close(hang)
		wg.Wait()
		if queries, begins := w.get(&w.queries), w.get(&w.begins); queries != 1 || begins != 1 {
			t.Errorf("%s: %d queries in %d transactions, want 1", kind.name, queries, begins)
		}
	}
}

// TestAttackWhoExistsInTheQueue: when all of max_lookups are busy, a stranger is refused
// as a user is. Who is remembered does not wait.
func TestAttackWhoExistsInTheQueue(t *testing.T) {
	var want string
	for i, kind := range kinds {
		w := newWorld(t, 10, []string{"victor", "wendy"}, func(int) int { return i })
		hang := make(chan struct{})
		x := sql.Open(t, sql.Options{MaxLookups: 1, Timeout: time.Minute, Now: w.now}, w.server)
		w.Database = x
		trace := []string{w.cost(t, "wendy")}
		w.set(func() { w.hang = hang })
		var wg sync.WaitGroup
		for n := range 65 { // one in flight, and as many waiting as may wait
			wg.Go(func() { w.isUser(t, "x"+strconv.Itoa(n)) })
		}
		waitFor(t, func() bool { return x.Waiting() == 65 })
		trace = append(trace, w.cost(t, "victor"), w.cost(t, "wendy"))
		close(hang)
		wg.Wait()
		trace = append(trace, w.cost(t, "victor"), w.cost(t, "victor"))
		got := strings.Join(trace, "\n")
		if i == 0 {
			want = got
		}
		if got != want || !strings.Contains(got, "too many lookups wait") {
			t.Errorf("%s costs\n%s\nand a user\n%s", kind.name, got, want)
		}
	}
}

// TestAttackWhoExistsTooLate: an answer that does not come in time is remembered of nobody,
// and the next question is a query again.
func TestAttackWhoExistsTooLate(t *testing.T) {
	t.Parallel()
	for i, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel() // they wait for nothing
			w := newWorld(t, 10, []string{"victor"}, func(int) int { return i })
			w.Database = sql.Open(t, sql.Options{Timeout: time.Second, Now: w.now}, w.server)
			hang := make(chan struct{})
			w.hang = hang
			if cost := w.cost(t, "victor"); !strings.HasPrefix(cost, "1 queries, 1 prepared, 1 connections, 1 transactions") || !strings.HasSuffix(cost, "did not answer within 1s") {
				t.Errorf("too late: %s", cost)
			}
			if n := w.Remembered(); n != 0 {
				t.Errorf("%d are remembered", n)
			}
			close(hang)
			for want := 1; want >= 0; want-- {
				if cost := w.cost(t, "victor"); !strings.HasPrefix(cost, strconv.Itoa(want)+" queries") || !strings.HasSuffix(cost, "an answer") {
					t.Errorf("after it was too late: %s, want %d queries", cost, want)
				}
			}
		})
	}
}

// TestNegativeTTLWarns: another time for strangers is an oracle that the operator asked for;
// the log says so, and how to be rid of it.
func TestNegativeTTLWarns(t *testing.T) {
	fakeDriver(t, 0)
	t.Setenv("LINKS_DSN", "fake://a")
	for _, tc := range []struct {
		ttl, negative time.Duration
		warns         bool
	}{
		{0, 0, false},
		{0, time.Minute, false}, // ttl's default
		{time.Hour, time.Hour, false},
		{time.Hour, 0, false},
		{0, 10 * time.Second, true},
		{0, time.Hour, true},
		{time.Hour, time.Minute, true},
		{time.Hour, time.Hour + 1, true},
	} {
		log, logged := logger()
		s := &sql.Source{
			Driver: "fake", DSN: "{env.LINKS_DSN}", Query: query,
			TTL: caddy.Duration(tc.ttl), NegativeTTL: caddy.Duration(tc.negative),
		}
		if err := sql.Provision(s, log); err != nil {
			t.Fatal(err)
		}
		warned := strings.Contains(logged(), `"level":"warn"`) && strings.Contains(logged(), "leave negative_ttl out, or write the same time as that of ttl")
		if warned != tc.warns || !tc.warns && logged() != "" {
			t.Errorf("ttl %s, negative_ttl %s: warned %t: %s", tc.ttl, tc.negative, warned, logged())
		}
	}
}
