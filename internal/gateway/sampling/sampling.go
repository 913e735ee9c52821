// Package sampling says which of many lines of a log that tell the same are written: who
// floods a site with links that do not verify must not fill its disk, nor make each of them
// cost as much as an honest request does.
//
// It knows no clock: who asks says what time it is. It holds a table of fixed size, and
// starts nothing.
package sampling

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

const (
	// First is how many lines that tell the same are written in a minute.
	First = 100

	// Then says which of those that follow are: every hundredth.
	Then = 100

	// Capacity is how many kinds of lines are counted at a time, in 128 KiB. What finds no
	// room is written.
	Capacity = sets * ways

	window = int64(time.Minute)
	sets   = 512
	ways   = 8
	locks  = 32
)

// Line is what lines tell: of two that are equal, the second may be left out.
type Line struct {
	Definition string // its name
	Origin     string // where it is written
	Scheme     string
	Reason     string
	Detail     string
	Client     string // the address
}

// Sampler counts lines. Any number of requests may use it at once.
type Sampler struct {
	seed  maphash.Seed // nobody can choose whom to share a place with
	sets  []set
	locks [locks]sync.Mutex
}

type set [ways]slot

// slot is the count of one kind of lines.
type slot struct {
	id      uint64 // 0: of none
	since   int64  // when its minute began
	seen    uint32 // in this minute
	leftOut uint32 // since the last that was written
}

// New makes a Sampler.
func New() *Sampler {
	return &Sampler{seed: maphash.MakeSeed(), sets: make([]set, sets)}
}

// epoch is what times are counted from: the clock that nobody sets.
var epoch = time.Now()

// Take counts a line, and says whether it is written. leftOut is how many have been left out
// since the one before that was.
func (s *Sampler) Take(line Line, now time.Time) (written bool, leftOut int) {
	id := s.id(line)
	n := int64(now.Sub(epoch))
	at := id % sets
	lock := &s.locks[at%locks]
	lock.Lock()
	defer lock.Unlock()
	place := s.sets[at].place(id, n)
	switch {
	case place == nil:
		return true, 0
	case place.id != id:
		*place = slot{id: id, since: n}
	case place.over(n):
		place.since, place.seen = n, 0
	}
	if place.seen < math.MaxUint32 {
		place.seen++
	}
	if place.seen > First && (place.seen-First)%Then != 0 {
		if place.leftOut < math.MaxUint32 {
			place.leftOut++
		}
		return false, 0
	}
	leftOut, place.leftOut = int(place.leftOut), 0
	return true, leftOut
}

// id is that of a kind of lines; never 0.
func (s *Sampler) id(line Line) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, text := range [...]string{line.Definition, line.Origin, line.Scheme, line.Reason, line.Detail, line.Client} {
		_, _ = h.WriteString(text)
		_ = h.WriteByte(0) // which none of them holds
	}
	return max(1, h.Sum64())
}

// place is where the id is counted: where it was, or where nobody's minute is under way. It
// is nil where there is no room.
func (s *set) place(id uint64, now int64) *slot {
	var free *slot
	for i := range s {
		switch {
		case s[i].id == id:
			return &s[i]
		case free == nil && (s[i].id == 0 || s[i].over(now)):
			free = &s[i]
		}
	}
	return free
}

// over reports whether the minute is. A clock that was set back begins another one.
func (s *slot) over(now int64) bool { return now-s.since >= window || now < s.since }
