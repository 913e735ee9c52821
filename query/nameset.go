package query

import (
	"hash/maphash"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
)

// NameSet is the set of the names of a query, under every reading. A nil one is empty.
type NameSet struct {
	profile backend.Profile
	seed    maphash.Seed // so that nobody can aim at a hash
	few     [48]uint64   // hashes, which need no memory of their own
	n       int          // of few
	many    map[uint64]struct{}
}

// NameSet returns the names of the query's parameters under the profile's readings, and
// those of what stands between semicolons, without the raw names for which skip is true.
func (q *Query) NameSet(profile backend.Profile, skip func(rawName string) bool) *NameSet {
	s := &NameSet{profile: profile, seed: maphash.MakeSeed()}
	var buf [128]byte
	for _, p := range q.Pairs {
		segment := q.Segment(p)
		if strings.IndexByte(segment, ';') < 0 {
			if skip == nil || !skip(q.RawName(p)) {
				s.add(AppendUnescaped(buf[:0], q.RawName(p)))
			}
			continue
		}
		s.add(AppendUnescaped(buf[:0], q.RawName(p)))
		for part := range strings.SplitSeq(segment, ";") {
			name, _, _ := strings.Cut(part, "=")
			s.add(AppendUnescaped(buf[:0], name))
		}
	}
	return s
}

func (s *NameSet) add(decoded []byte) {
	for reading := range readings {
		hash := s.hash(decoded, reading)
		switch {
		case s.there(hash):
		case s.many != nil:
			s.many[hash] = struct{}{}
		case s.n < len(s.few):
			s.few[s.n] = hash
			s.n++
		default:
			s.many = map[uint64]struct{}{hash: {}}
		}
	}
}

func (s *NameSet) hash(decoded []byte, reading int) uint64 {
	var buf [128]byte
	return maphash.Bytes(s.seed, appendReading(s.profile, buf[:0], decoded, reading))
}

func (s *NameSet) there(hash uint64) bool {
	if slices.Contains(s.few[:s.n], hash) {
		return true
	}
	_, there := s.many[hash]
	return there
}

// HasEither reports whether the name, as it is or decoded, is in the set under any
// reading; see [Names.ClassifyEither].
func (s *NameSet) HasEither(name string) bool {
	if s == nil || s.n == 0 {
		return false
	}
	var buf [128]byte
	return s.has(append(buf[:0], name...)) || strings.ContainsAny(name, "%+") && s.has(AppendUnescaped(buf[:0], name))
}

func (s *NameSet) has(decoded []byte) bool {
	for reading := range readings {
		if s.there(s.hash(decoded, reading)) {
			return true
		}
	}
	return false
}
