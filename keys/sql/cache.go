package sql

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signedlink/caddy-signed-link/keys"
)

// cache remembers what the database said about ids, of at most limit of them: of users and
// of strangers alike. Of those who must make room, the ones that nobody asked for lately go
// first (CLOCK). It may be used by any number of goroutines.
//
// What becomes of an entry depends on when its id was asked for and on nothing else. Were
// strangers kept apart, or given up sooner, whoever floods the memory with made-up ids and
// asks for one again would see by the time of the answer whether it is a user's.
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
	answer answer
	until  time.Time   // the first instant at which it no longer counts
	used   atomic.Bool // since the hand last came by
	place  int         // in the ring
}

// answer is what the database said about an id.
type answer struct {
	secret keys.Secret
	exists bool // false: there is no such user, and no secret
}

// userKey is the answer as [keys.UserSource] gives it.
func (a answer) userKey() (keys.Secret, error) {
	if !a.exists {
		return keys.Secret{}, keys.ErrNoUser
	}
	return a.secret, nil
}

func newCache(limit int) *cache {
	return &cache{limit: limit, index: make(map[string]*cached)}
}

// get returns what is known about the id, if it still counts. It does not allocate.
func (c *cache) get(user string, now time.Time) (answer, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e := c.index[user]
	if e == nil || !now.Before(e.until) {
		return answer{}, false
	}
	if !e.used.Load() { // or the line bounces between the cores
		e.used.Store(true)
	}
	return e.answer, true
}

// put remembers an answer, in place of an older one about the same id.
func (c *cache) put(user string, a answer, now, until time.Time) {
	user = strings.Clone(user) // it is a piece of the request's query, which would be held with it
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &cached{user: user, answer: a, until: until}
	if old := c.index[user]; old != nil {
		delete(c.index, user) // its key is the older text
		c.set(e, old.place)
		return
	}
	if len(c.ring) < c.limit {
		c.ring = append(c.ring, nil)
		c.hand = len(c.ring) - 1 // who came first is looked at first
		c.set(e, c.hand)
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

// len returns how many answers are remembered.
func (c *cache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.ring)
}
