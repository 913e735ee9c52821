package logfilter

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signedlink/caddy-signed-link/pattern"
	"github.com/signedlink/caddy-signed-link/query"
)

// liveSignatures are the signature parameters, and the places of signatures in paths, of every definition that is loaded. It is
// the package's only registration: Caddy makes log filters before it makes apps, and
// during a reload the old configuration and the new one log side by side.
var liveSignatures signatureNames

// Hold has all filters redact the values of the names, and the signatures in these places of
// paths, until release is called, and for a while after.
func Hold(names []string, places []pattern.Place) (release func() error, err error) {
	if err := liveSignatures.hold(names, places...); err != nil {
		return nil, err
	}
	return func() error { return liveSignatures.release(names, places...) }, nil
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
	current atomic.Pointer[redactor] // nil: none
	last    atomic.Pointer[redacted]

	mu       sync.Mutex
	holders  map[string]int
	places   map[string]pattern.Place // by what tells them apart, in holders and released, too
	released map[string]time.Time     // what nobody holds any more, and since when
	now      func() time.Time         // time.Now, if nil
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

// redactor takes out values of parameters, and signatures in paths.
type redactor struct {
	names *query.Redactor
	paths *pattern.Redactor
}

// Redact takes them out of the text.
func (r *redactor) Redact(text string) string {
	if r == nil {
		return text
	}
	return r.paths.Redact(r.names.Redact(text))
}

// redacted is a long text that was redacted. Caddy has each log and each logger of a server
// write down the request, so the next text is mostly the same: four times, where a site and
// the server have a log each.
type redacted struct {
	by          *redactor
	text, clean string
}

// fewBytes is how long a text is that costs less to redact than to remember.
const fewBytes = 256

// hold adds the names of one holder.
func (s *signatureNames) hold(names []string, places ...pattern.Place) error {
	return s.change(names, places, 1)
}

// release takes back what one holder has added.
func (s *signatureNames) release(names []string, places ...pattern.Place) error {
	return s.change(names, places, -1)
}

// placeKey tells places apart. No name of a parameter has a NUL in it.
func placeKey(p pattern.Place) string {
	form := ""
	if p.Pattern != nil {
		form = p.Pattern.String()
	}
	return fmt.Sprintf("\x00%s %s %d %d %t", form, p.Field, p.Segment, p.Length, p.Alphabet('_'))
}

func (s *signatureNames) change(names []string, places []pattern.Place, by int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now
	if s.now != nil {
		now = s.now
	}
	holders, released, known := maps.Clone(s.holders), maps.Clone(s.released), maps.Clone(s.places)
	if holders == nil {
		holders, released, known = make(map[string]int), make(map[string]time.Time), make(map[string]pattern.Place)
	}
	keys := slices.Clone(names)
	for _, p := range places {
		keys = append(keys, placeKey(p))
		known[placeKey(p)] = p
	}
	for _, name := range keys {
		holders[name] += by
		delete(released, name)
		if holders[name] <= 0 {
			delete(holders, name)
			released[name] = now()
		}
	}
	maps.DeleteFunc(released, func(_ string, since time.Time) bool { return now().Sub(since) >= linger })
	var all []string
	var in []pattern.Place
	for _, key := range slices.Concat(slices.Sorted(maps.Keys(holders)), slices.Sorted(maps.Keys(released))) {
		if p, ok := known[key]; ok {
			in = append(in, p)
		} else {
			all = append(all, key)
		}
	}
	maps.DeleteFunc(known, func(key string, _ pattern.Place) bool {
		_, over := released[key]
		return holders[key] == 0 && !over
	})
	redactors := &redactor{paths: pattern.NewRedactor(in)}
	var err error
	if redactors.names, err = query.NewRedactor(all); err != nil {
		return err // and nothing has changed
	}
	s.holders, s.released, s.places = holders, released, known
	s.current.Store(redactors)
	return nil
}
