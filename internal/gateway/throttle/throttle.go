// Package throttle slows down who guesses signatures. It counts failures per client
// network and per user of a network, never per user alone: somebody who fails in
// another's name must not lock that other out.
//
// Each count is a token bucket: Failures tokens at first, one taken by each failure,
// and Failures new ones in each Window. A client without a whole token waits. The
// bucket is the one of golang.org/x/time/rate, kept as one number, the time at which it
// is full again (the generic cell rate algorithm, ITU-T I.371), so that who asks takes
// no lock and memory is a table of fixed size.
package throttle

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Settings say what is counted.
type Settings struct {
	Failures int           // of one network, at once
	Window   time.Duration // in which they are forgiven
	IPv4Bits int           // how long a network's prefix is
	IPv6Bits int
}

const (
	// Capacity is how many counts a Throttle holds at most, in 1 MiB.
	Capacity = sets * ways

	sets  = 8192
	ways  = 8
	locks = 64

	// A provider gives a subscriber a /64 at least, and a /48 at most, in which there are
	// 65,536 networks to fail from. Sixteen, those of a /60, make up a /48's allowance.
	wideBits  = 48
	wideTimes = 16
)

// Throttle holds counts of failures. Any number of requests may use it at once.
type Throttle struct {
	seed                maphash.Seed // nobody can choose whom to share a set with
	settings            Settings
	network, wide, user allowance
	sets                []set
	locks               [locks]sync.Mutex // of those who count; who asks takes none
}

// allowance is a token bucket's measure, in nanoseconds of debt.
type allowance struct{ step, burst int64 }

func newAllowance(failures int, window time.Duration) allowance {
	step := int64(window) / int64(failures)
	return allowance{step: step, burst: step * int64(failures)}
}

// wait is how long a bucket that is full again at until has no whole token.
func (a allowance) wait(until, now int64) int64 { return max(0, until-now-(a.burst-a.step)) }

// set is where a count may stand. A new one takes the place of the one that is forgiven
// first, so that many networks with a failure or two push out each other, and none that
// has to wait.
type set [ways]slot

type slot struct {
	id    atomic.Uint64 // whose count it is; 0: nobody's
	until atomic.Int64  // when its bucket is full again
}

// What is counted stands in the last bits of an id, so that none is 0.
const (
	kindNetwork = 1 + iota
	kindWide
	kindUser
	kindMask = 3
)

// epoch is what times are counted from: the clock that nobody sets.
var epoch = time.Now()

// New makes a Throttle. The settings are those of [Settings.Check].
func New(s Settings) *Throttle {
	return &Throttle{
		seed:     maphash.MakeSeed(),
		settings: s,
		network:  newAllowance(s.Failures, s.Window),
		wide:     newAllowance(s.Failures*wideTimes, s.Window),
		// Half of the network's: a colleague whose link is broken does not use up what
		// the office has.
		user: newAllowance(max(1, s.Failures/2), s.Window),
		sets: make([]set, sets),
	}
}

// nat64 is where a translator in front of a server without IPv4 puts the clients that have
// nothing else (RFC 6052): all of IPv4 in one /64, in which one would lock out all others.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Client is whom a request is counted for. The zero value is nobody.
type Client struct{ network, wide, user uint64 }

// Client returns whom a request from the address is counted for: nobody if it is none.
// Clients without an address, behind a Unix socket, all look alike, and one of them
// would lock out all others.
func (t *Throttle) Client(address string) Client {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return Client{}
	}
	a = a.WithZone("").Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if a.Is4() {
		return Client{network: t.prefix(kindNetwork, a, t.settings.IPv4Bits)}
	}
	c := Client{network: t.prefix(kindNetwork, a, t.settings.IPv6Bits)}
	if t.settings.IPv6Bits > wideBits {
		c.wide = t.prefix(kindWide, a, wideBits)
	}
	return c
}

// As returns the client with the user that its link names.
func (t *Throttle) As(c Client, user []byte) Client {
	if c.network == 0 {
		return c
	}
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], c.network)
	binary.LittleEndian.PutUint64(b[8:], maphash.Bytes(t.seed, user))
	c.user = maphash.Bytes(t.seed, b[:])&^kindMask | kindUser
	return c
}

func (t *Throttle) prefix(kind uint64, a netip.Addr, bits int) uint64 {
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return 0 // no prefix is longer than its address, see Check
	}
	var b [17]byte
	address := p.Addr().As16()
	copy(b[:], address[:])
	b[16] = byte(bits)
	return maphash.Bytes(t.seed, b[:])&^kindMask | kind
}

// Wait returns how long it takes until the client's next link is verified; 0 if it is
// verified now. It takes no lock.
func (t *Throttle) Wait(c Client, now time.Time) time.Duration {
	n := int64(now.Sub(epoch))
	return time.Duration(max(t.wait(c.network, t.network, n), t.wait(c.wide, t.wide, n), t.wait(c.user, t.user, n)))
}

// Fail counts a failure of the client. If its allowance was used up meanwhile, by
// others that were under way with it, Fail returns how long it must wait.
func (t *Throttle) Fail(c Client, now time.Time) time.Duration {
	n := int64(now.Sub(epoch))
	return time.Duration(max(t.take(c.network, t.network, n), t.take(c.wide, t.wide, n), t.take(c.user, t.user, n)))
}

// Networks returns how many networks have failures that are not forgiven yet.
func (t *Throttle) Networks(now time.Time) int {
	n, found := int64(now.Sub(epoch)), 0
	for i := range t.sets {
		for j := range t.sets[i] {
			if s := &t.sets[i][j]; s.id.Load()&kindMask == kindNetwork && s.until.Load() > n {
				found++
			}
		}
	}
	return found
}

func (t *Throttle) wait(id uint64, a allowance, now int64) int64 {
	if id == 0 {
		return 0
	}
	s := &t.sets[id>>2%sets]
	for i := range s {
		if s[i].id.Load() != id {
			continue
		}
		until := s[i].until.Load()
		if s[i].id.Load() != id {
			break // it was replaced meanwhile, and until may be another's
		}
		return a.wait(until, now)
	}
	return 0
}

// take takes a token, or returns how long there is none.
func (t *Throttle) take(id uint64, a allowance, now int64) int64 {
	if id == 0 {
		return 0
	}
	at := id >> 2 % sets
	lock := &t.locks[at%locks]
	lock.Lock()
	defer lock.Unlock()
	s := &t.sets[at]
	first, earliest := &s[0], int64(math.MaxInt64)
	for i := range s {
		held, until := s[i].id.Load(), s[i].until.Load()
		if held == id {
			if wait := a.wait(until, now); wait > 0 {
				return wait
			}
			s[i].until.Store(max(until, now) + a.step)
			return 0
		}
		if held == 0 {
			until = math.MinInt64
		}
		if until < earliest {
			first, earliest = &s[i], until
		}
	}
	// in this order, for those who ask without the lock
	first.id.Store(0)
	first.until.Store(now + a.step)
	first.id.Store(id)
	return 0
}
