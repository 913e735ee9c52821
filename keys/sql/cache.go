package sql

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/signedlink/caddy-signed-link/keys"
)

// cache remembers what the database said about users, of at most limit of them. Of
// those who must make room, the ones that nobody asked for lately go first (CLOCK). It
// may be used by any number of goroutines.
type cache struct {
	limit int

	mu    sync.RWMutex
	index map[string]*cached
	ring  []*cached
	hand  int
}

// cached is one answer. Its fields but used and place never change.
type cached struct {
	user   string
	secret keys.Secret // empty: there is no such user
	until  time.Time   // the first instant at which it no longer counts
	used   atomic.Bool // since the hand last came by
	place  int         // in the ring
}

func newCache(limit int) *cache {
	return &cache{limit: limit, index: make(map[string]*cached)}
}

// get returns what is known about the user, if it still counts. It does not allocate.
func (c *cache) get(user string, now time.Time) (keys.Secret, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e := c.index[user]
	if e == nil || !now.Before(e.until) {
		return keys.Secret{}, false
	}
	if !e.used.Load() { // or the line bounces between the cores
		e.used.Store(true)
	}
	return e.secret, true
}

// put remembers an answer, in place of an older one about the same user.
func (c *cache) put(user string, secret keys.Secret, now, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &cached{user: user, secret: secret, until: until}
	if old := c.index[user]; old != nil {
		delete(c.index, user) // its key is the older text
		c.set(e, old.place)
		return
	}
	if len(c.ring) < c.limit {
		c.ring = append(c.ring, nil)
		c.set(e, len(c.ring)-1)
		return
	}
	for {
		c.hand = (c.hand + 1) % len(c.ring)
		old := c.ring[c.hand]
		if now.Before(old.until) && old.used.Swap(false) {
			continue
		}
		delete(c.index, old.user)
		c.set(e, c.hand)
		return
	}
}

// set puts the answer at the place, with the lock.
func (c *cache) set(e *cached, place int) {
	e.place = place
	c.ring[place], c.index[e.user] = e, e
}

// remove forgets the user.
func (c *cache) remove(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.index[user]
	if e == nil {
		return
	}
	last := len(c.ring) - 1
	c.set(c.ring[last], e.place)
	c.ring[last] = nil
	c.ring = c.ring[:last]
	delete(c.index, user)
	if c.hand > last-1 {
		c.hand = 0
	}
}

// len returns how many answers are remembered.
func (c *cache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.ring)
}
