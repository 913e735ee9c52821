// Package keys holds the secrets with which links are verified: single keys
// with an id and a period of validity, sets of them, and one secret per user.
// It also says what a Caddy module in the namespace http.signed_link.keys,
// which brings such secrets, implements.
//
// Two promises hold for all of it. An empty secret is never a key: each way
// in refuses it or treats its user as one who does not exist. And no secret
// is ever part of an error or of anything that is printed; see [Secret].
//
// The package needs the standard library only.
package keys

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxKeyIDBytes is the greatest length of a key's id, in bytes.
const MaxKeyIDBytes = 64

// Key is one secret with an id and the time in which it counts.
type Key struct {
	// ID names the key in links, headers and logs; it is no secret. It may
	// be empty where there is only one key. See [NewSet] for its form.
	ID string

	// Secret is the key itself; it is printed as REDACTED.
	Secret Secret

	// NotBefore is the first instant at which the key is valid. The zero
	// time means that it always was.
	NotBefore time.Time

	// NotAfter is the first instant at which the key is no longer valid: at
	// exactly NotAfter it is expired. The zero time means that it never
	// expires.
	NotAfter time.Time
}

// State is what a key is worth at an instant.
type State uint8

const (
	// Valid means that the key counts.
	Valid State = iota

	// NotYetValid means that the instant is before the key's NotBefore.
	NotYetValid

	// Expired means that the instant is the key's NotAfter or later.
	Expired
)

// String returns valid, not_yet_valid or expired.
func (s State) String() string {
	switch s {
	case Valid:
		return "valid"
	case NotYetValid:
		return "not_yet_valid"
	case Expired:
		return "expired"
	default:
		return fmt.Sprintf("State(%d)", uint8(s))
	}
}

// At returns the state of the key at the instant now: valid from NotBefore,
// inclusive, to NotAfter, exclusive.
func (k *Key) At(now time.Time) State {
	if !k.NotBefore.IsZero() && now.Before(k.NotBefore) {
		return NotYetValid
	}
	if !k.NotAfter.IsZero() && !now.Before(k.NotAfter) {
		return Expired
	}
	return Valid
}

// Set is an immutable list of keys, in the order in which they were written.
// It may be used by any number of goroutines. The zero Set has no keys; only
// [NewSet] makes one that has.
type Set struct {
	keys []Key
	byID map[string]int
}

// NewSet returns a set of the given keys. It is an error, whose text names
// the key by its place and never shows its secret, if
//
//   - there is no key,
//   - a secret is empty,
//   - there are several keys and one of them has no id,
//   - two keys have the same id,
//   - an id is longer than 64 bytes or has any character but printable ASCII
//     without blanks, commas and semicolons (it is sent in an HTTP header),
//   - a NotBefore is not earlier than the NotAfter of the same key.
func NewSet(keys ...Key) (*Set, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no key; a key set needs at least one")
	}
	s := &Set{keys: make([]Key, len(keys)), byID: make(map[string]int, len(keys))}
	copy(s.keys, keys)
	for i := range s.keys {
		k := &s.keys[i]
		if k.Secret.Empty() {
			return nil, fmt.Errorf("key %d has an empty secret, which everybody knows; give it one", i+1)
		}
		if k.ID == "" && len(keys) > 1 {
			return nil, fmt.Errorf("key %d has no id; where there are several keys, each needs one", i+1)
		}
		if err := checkKeyID(k.ID); err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if !k.NotBefore.IsZero() && !k.NotAfter.IsZero() && !k.NotBefore.Before(k.NotAfter) {
			return nil, fmt.Errorf("key %d can never be valid: not_before must be earlier than not_after", i+1)
		}
		if k.ID == "" {
			continue
		}
		if first, ok := s.byID[k.ID]; ok {
			return nil, fmt.Errorf("keys %d and %d have the same id %q; each needs its own", first+1, i+1, k.ID)
		}
		s.byID[k.ID] = i
	}
	return s, nil
}

// checkKeyID does not show the id in its errors: who confuses the order of
// the configuration's words has written the secret in its place.
func checkKeyID(id string) error {
	if len(id) > MaxKeyIDBytes {
		return fmt.Errorf("its id has %d bytes; at most %d are allowed", len(id), MaxKeyIDBytes)
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' || c == ';' || c == ',' {
			return errors.New("its id has a character that cannot stand in a header; use letters, digits and any of -._: only")
		}
	}
	return nil
}

// All returns the keys in the order in which they were written. The slice is
// shared by everyone who asks and must not be modified.
func (s *Set) All() []Key { return slices.Clip(s.keys) }

// Len returns the number of keys.
func (s *Set) Len() int { return len(s.keys) }

// Place returns the place in [Set.All] of the key with exactly this id, and whether
// there is one. A key without an id is not found by the empty id.
func (s *Set) Place(id string) (int, bool) {
	i, ok := s.byID[id]
	return i, ok
}

// ByID returns the key with exactly this id, at whatever time it is valid,
// and nil if there is none. A key without an id is not found by the empty id.
// The key is shared and must not be modified.
func (s *Set) ByID(id string) *Key {
	if i, ok := s.byID[id]; ok {
		return &s.keys[i]
	}
	return nil
}

// Current returns the key with which to sign at the instant now: the first,
// in the order in which they were written, that is valid then; nil if none
// is. The key is shared and must not be modified.
func (s *Set) Current(now time.Time) *Key {
	for i := range s.keys {
		if s.keys[i].At(now) == Valid {
			return &s.keys[i]
		}
	}
	return nil
}

// KeySet returns s itself, so that a set which never changes is a
// [SetSource].
func (s *Set) KeySet() *Set { return s }

// String says how many keys there are and names their ids.
func (s *Set) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "key set of %d", len(s.keys))
	for i := range s.keys {
		if id := s.keys[i].ID; id != "" {
			b.WriteByte(' ')
			b.WriteString(id)
		}
	}
	return b.String()
}

// Interface guards
var (
	_ SetSource    = (*Set)(nil)
	_ fmt.Stringer = (*Set)(nil)
)
