package throttle

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func newThrottle(t testing.TB, failures int, window time.Duration) *Throttle {
	t.Helper()
	s := Settings{Failures: failures, Window: window}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	return New(s)
}

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// fail makes the client fail n times, and says after how many it had to wait.
func fail(t *Throttle, c Client, n int, now time.Time) int {
	for i := range n {
		if t.Wait(c, now) > 0 {
			return i
		}
		t.Fail(c, now)
	}
	return n
}

// TestBucket holds the one number to golang.org/x/time/rate's limiter.
func TestBucket(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		failures, window := 1+random.IntN(20), time.Duration(1+random.IntN(3600))*time.Second
		throttle := newThrottle(t, failures, window)
		limiter := rate.NewLimiter(rate.Every(window/time.Duration(failures)), failures)
		c, now := throttle.Client("192.0.2.1"), noon
		for step := range 200 {
			now = now.Add(time.Duration(random.Int64N(int64(window)/int64(failures)*2 + 1)))
			tokens := limiter.TokensAt(now)
			if math.Abs(tokens-1) < 1e-6 {
				continue // either is right
			}
			want := limiter.AllowN(now, 1)
			if wait := throttle.Wait(c, now); wait > 0 == want {
				t.Fatalf("%d in %s, step %d: %f tokens, and a wait of %s", failures, window, step, tokens, wait)
			} else if missing := (1 - tokens) * float64(window) / float64(failures); wait > 0 && math.Abs(float64(wait)-missing) > 1e4 {
				t.Fatalf("a wait of %s, and %s are missing", wait, time.Duration(missing))
			}
			if want == (throttle.Fail(c, now) > 0) {
				t.Fatalf("%d in %s, step %d: %f tokens", failures, window, step, tokens)
			}
		}
	}
}

// TestAttackLockOut: who fails in another's name locks out nobody but users of the own
// network.
func TestAttackLockOut(t *testing.T) {
	throttle := newThrottle(t, 10, time.Minute)
	attacker, victim := throttle.Client("192.0.2.1"), throttle.Client("198.51.100.1")
	if n := fail(throttle, throttle.As(attacker, []byte("jeff")), 100, noon); n != 5 {
		t.Errorf("one user of a network fails %d times, want half of the network's", n)
	}
	for user := range 1000 {
		fail(throttle, throttle.As(attacker, []byte(fmt.Sprint(user))), 1, noon)
	}
	if wait := throttle.Wait(attacker, noon); wait != 6*time.Second {
		t.Errorf("the attacker waits %s", wait)
	}
	if wait := throttle.Wait(throttle.As(victim, []byte("jeff")), noon); wait != 0 {
		t.Errorf("the user waits %s at home", wait)
	}
	// A broken link that is tried again and again leaves the office its own half.
	office, now := throttle.Client("203.0.113.1"), noon
	for range 10_000 {
		now = now.Add(time.Second)
		fail(throttle, throttle.As(office, []byte("jeff")), 1, now)
		if wait := throttle.Wait(throttle.As(office, []byte("joe")), now); wait > 0 {
			t.Fatalf("the colleague waits %s", wait)
		}
	}
}

// TestAttackLockOutByTranslator: behind a translator (NAT64) every client of IPv4 has an
// address of one /64. They count as what they are, however their address is written.
func TestAttackLockOutByTranslator(t *testing.T) {
	throttle := newThrottle(t, 10, time.Minute)
	fail(throttle, throttle.Client("64:ff9b::192.0.2.1"), 100, noon)
	for address, waits := range map[string]bool{
		"64:ff9b::192.0.2.1":       true,
		"64:ff9b::c000:201":        true,
		"192.0.2.1":                true,
		"::ffff:192.0.2.1":         true,
		"64:ff9b::192.0.2.1%eth0":  true,
		"64:ff9b::198.51.100.1":    false,
		"198.51.100.1":             false,
		"64:ff9b:0:0:0:1:c000:201": false, // of another prefix
		"64:ff9b:1::c000:201":      false,
	} {
		if wait := throttle.Wait(throttle.Client(address), noon); wait > 0 != waits {
			t.Errorf("%s waits %s, want it to wait: %t", address, wait, waits)
		}
	}
}

// TestAttackRotation: who has a network of many addresses counts as one.
func TestAttackRotation(t *testing.T) {
	now := noon
	count := func(next func(i int) string) int {
		throttle, n := newThrottle(t, 10, time.Minute), 0
		for i := range 5000 {
			n += fail(throttle, throttle.Client(next(i)), 1, now)
		}
		return n
	}
	for name, tc := range map[string]struct {
		next func(i int) string
		want int
	}{
		"within a /64":              {func(i int) string { return fmt.Sprintf("2001:db8:1:2::%x", i) }, 10},
		"within a /64, with a zone": {func(i int) string { return fmt.Sprintf("fe80::%x%%eth%d", i, i) }, 10},
		"within a /48":              {func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i) }, 160},
		"an IPv4 address in IPv6":   {func(i int) string { return strings.Repeat("::ffff:", i%2) + "192.0.2.1" }, 10},
		"IPv4 addresses are alone":  {func(i int) string { return fmt.Sprintf("192.0.%d.%d", i/256, i%256) }, 5000},
	} {
		if n := count(tc.next); n != tc.want {
			t.Errorf("%s: %d failures, want %d", name, n, tc.want)
		}
	}
	s := Settings{Failures: 10, Window: time.Minute, IPv4Bits: 24, IPv6Bits: 48}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	throttle := New(s)
	for _, format := range []string{"192.0.2.%d", "2001:db8:1:%x::1"} {
		n := 0
		for i := range 256 {
			n += fail(throttle, throttle.Client(fmt.Sprintf(format, i)), 1, now)
		}
		if n != 10 {
			t.Errorf(format+": %d failures of one network", 0, n)
		}
	}
}

// TestNobody: what is no address is nobody: a Unix socket has none, and all who come
// through it would wait for one of them.
func TestNobody(t *testing.T) {
	throttle := newThrottle(t, 1, time.Minute)
	for _, address := range []string{"", "@", "unix", "192.0.2.1:80", "192.0.2.1, 192.0.2.2", "[::1]"} {
		c := throttle.As(throttle.Client(address), []byte("jeff"))
		if n := fail(throttle, c, 10, noon); n != 10 || c != (Client{}) {
			t.Errorf("%q waits after %d failures", address, n)
		}
	}
}

// TestAttackFlood: a million networks take no more memory than a few, and push out
// nobody who has to wait.
func TestAttackFlood(t *testing.T) {
	throttle := newThrottle(t, 10, time.Minute)
	guessers := make([]Client, 100)
	for i := range guessers {
		guessers[i] = throttle.Client(fmt.Sprintf("192.0.2.%d", i))
		if n := fail(throttle, guessers[i], 11, noon); n != 10 {
			t.Fatalf("%d failures", n)
		}
	}
	for i := range uint32(1_000_000) {
		address := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		throttle.Fail(Client{network: throttle.prefix(kindNetwork, address, 32)}, noon.Add(time.Duration(i)*5*time.Microsecond))
	}
	end := noon.Add(5 * time.Second) // before a first token comes back
	if n := throttle.Networks(end); n > Capacity || n < Capacity*9/10 {
		t.Errorf("%d networks are held", n)
	}
	if len(throttle.sets) != sets {
		t.Error("the table has grown")
	}
	for i, c := range guessers {
		if throttle.Wait(c, end) == 0 {
			t.Errorf("guesser %d is free", i)
		}
	}
	if n := throttle.Networks(noon.Add(time.Hour)); n != 0 {
		t.Errorf("%d networks are held for ever", n)
	}
}

// TestAttackAtOnce: many guesses at once get no further than one after the other.
func TestAttackAtOnce(t *testing.T) {
	throttle := newThrottle(t, 10, time.Minute)
	var all sync.WaitGroup
	allowed := make(chan int, 8)
	for range cap(allowed) {
		all.Go(func() {
			n := 0
			for range 1000 {
				if c := throttle.Client("192.0.2.1"); throttle.Fail(c, noon) == 0 {
					n++
				}
				throttle.Wait(throttle.Client(fmt.Sprintf("10.0.0.%d", n)), noon)
			}
			allowed <- n
		})
	}
	all.Wait()
	close(allowed)
	sum := 0
	for n := range allowed {
		sum += n
	}
	if sum != 10 {
		t.Errorf("%d failures were counted, want 10", sum)
	}
}

// TestSettings: what would throttle nobody, or everybody, is refused.
func TestSettings(t *testing.T) {
	for want, s := range map[string]Settings{
		"0 failures":       {Window: time.Minute},
		"-1 failures":      {Failures: -1, Window: time.Minute},
		"10001 failures":   {Failures: 10_001, Window: time.Hour},
		"window of 0s":     {Failures: 1},
		"window of 721h0m": {Failures: 1, Window: 721 * time.Hour},
		"ipv4 33":          {Failures: 1, Window: time.Minute, IPv4Bits: 33},
		"ipv4 7":           {Failures: 1, Window: time.Minute, IPv4Bits: 7},
		"ipv6 128":         {Failures: 1, Window: time.Minute, IPv6Bits: 128},
		"ipv6 -1":          {Failures: 1, Window: time.Minute, IPv6Bits: -1},
	} {
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// TestAllocations: all of it stands in the way of a request.
func TestAllocations(t *testing.T) {
	throttle := newThrottle(t, 10, time.Minute)
	user := []byte("jeff")
	if n := testing.AllocsPerRun(100, func() {
		c := throttle.As(throttle.Client("2001:db8::1"), user)
		throttle.Wait(c, noon)
		throttle.Fail(c, noon)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWait(b *testing.B) {
	throttle := newThrottle(b, 10, time.Minute)
	user := []byte("103007")
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			throttle.Wait(throttle.As(throttle.Client("192.0.2.1"), user), noon)
		}
	})
}

func BenchmarkFail(b *testing.B) {
	throttle := newThrottle(b, 10, time.Minute)
	b.ReportAllocs()
	now := noon
	for b.Loop() {
		now = now.Add(time.Millisecond)
		throttle.Fail(throttle.Client("192.0.2.1"), now)
	}
}
