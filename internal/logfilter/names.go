package logfilter

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signedlink/caddy-signed-link/query"
)

// liveSignatures are the signature parameters of every definition that is loaded. It is
// the package's only registration: Caddy makes log filters before it makes apps, and
// during a reload the old configuration and the new one log side by side.
var liveSignatures signatureNames

// Hold has all filters redact the names until release is called, and for a while after.
func Hold(names []string) (release func() error, err error) {
	if err := liveSignatures.hold(names); err != nil {
		return nil, err
	}
	return func() error { return liveSignatures.release(names) }, nil
}

// Held returns how many hold the name.
func Held(name string) int {
	liveSignatures.mu.Lock()
	defer liveSignatures.mu.Unlock()
	return liveSignatures.holders[name]
}

// signatureNames is a set of names with a count of who holds each. Its zero value is
// empty.
type signatureNames struct {
	current atomic.Pointer[query.Redactor] // nil: none
	last    atomic.Pointer[redacted]

	mu       sync.Mutex
	holders  map[string]int
	released map[string]time.Time // names that nobody holds any more, and since when
	now      func() time.Time     // time.Now, if nil
}

// linger is how long a name stays in the set when nobody holds it any more: requests of
// the old configuration that are under way are logged when they end, which is after
// their definition has been cleaned up. It is dropped at the next change after that.
const linger = time.Hour

// redact takes the values of the names out of a text.
func (s *signatureNames) redact(text string) string {
	by := s.current.Load()
	if len(text) < fewBytes || len(text) > query.MaxBytes {
		return by.Redact(text)
	}
	if last := s.last.Load(); last != nil && last.by == by && last.text == text {
		return last.clean
	}
	clean := by.Redact(text)
	s.last.Store(&redacted{by, text, clean})
	return clean
}

// redacted is a long text that was redacted. Caddy has each log and each logger of a server
// write down the request, so the next text is mostly the same: four times, where a site and
// the server have a log each.
type redacted struct {
	by          *query.Redactor
	text, clean string
}

// fewBytes is how long a text is that costs less to redact than to remember.
const fewBytes = 256

// hold adds the names of one holder.
func (s *signatureNames) hold(names []string) error {
	return s.change(names, 1)
}

// release takes back what one holder has added.
func (s *signatureNames) release(names []string) error {
	return s.change(names, -1)
}

func (s *signatureNames) change(names []string, by int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now
	if s.now != nil {
		now = s.now
	}
	holders, released := maps.Clone(s.holders), maps.Clone(s.released)
	if holders == nil {
		holders, released = make(map[string]int), make(map[string]time.Time)
	}
	for _, name := range names {
		holders[name] += by
		delete(released, name)
		if holders[name] <= 0 {
			delete(holders, name)
			released[name] = now()
		}
	}
	maps.DeleteFunc(released, func(_ string, since time.Time) bool { return now().Sub(since) >= linger })
	all := slices.Concat(slices.Sorted(maps.Keys(holders)), slices.Sorted(maps.Keys(released)))
	redactor, err := query.NewRedactor(all)
	if err != nil {
		return err // and nothing has changed
	}
	s.holders, s.released = holders, released
	s.current.Store(redactor)
	return nil
}
