package definition

import (
	"crypto/rand"
	"slices"
	"sync/atomic"

	"github.com/signedlink/caddy-signed-link/link"
)

// A digest takes the longer the longer its secret is: 64 bytes more are a block more. With
// one dummy of 32 bytes for all strangers, users whose secrets are longer would show in the
// time of an answer; over HTTP/2, where two requests arrive in one packet, differences of a
// block's size can be measured. So a link is verified once with each length that secrets of
// this scheme's users have, with dummies but for the user's own, and a stranger's with
// dummies only. Applications make secrets of one length, and then that is once.

const (
	// maxLengths is how many lengths are told apart. Where users have secrets of more,
	// one of another length stands in the place of the nearest.
	maxLengths = 4

	// maxDummy is the longest dummy, in bytes: one user's endless secret is not
	// everybody's work.
	maxDummy = 4096
)

// lengths are the lengths of users' secrets. The zero value has met none yet.
type lengths struct{ known atomic.Pointer[dummies] }

// dummies are one key of each length, made of random bytes. They never change.
type dummies struct {
	keys    [][]byte
	learned bool // from users, and not guessed
}

// guessed is what strangers have before there was a user.
var guessed = &dummies{keys: [][]byte{newDummy(32)}}

func newDummy(n int) []byte {
	dummy := make([]byte, n)
	rand.Read(dummy) // it never fails: crypto/rand ends the process instead
	return dummy
}

// with returns the dummies, with one of the length n among them if there is room; n is 0
// for strangers.
func (l *lengths) with(n int) [][]byte {
	for {
		before := l.known.Load()
		d := before
		if d == nil {
			d = guessed
		}
		if n == 0 || n > maxDummy || d.learned && (len(d.keys) == maxLengths || hasLength(d.keys, n)) {
			return d.keys
		}
		next := &dummies{learned: true}
		if d.learned {
			next.keys = slices.Clone(d.keys)
		}
		next.keys = append(next.keys, newDummy(n))
		if l.known.CompareAndSwap(before, next) {
			return next.keys
		}
	}
}

func hasLength(all [][]byte, n int) bool {
	for _, key := range all {
		if len(key) == n {
			return true
		}
	}
	return false
}

// closest returns the place of the key whose length is nearest to n.
func closest(all [][]byte, n int) int {
	best, least := 0, -1
	for i, key := range all {
		distance := max(len(key)-n, n-len(key))
		if least < 0 || distance < least {
			best, least = i, distance
		}
	}
	return best
}

// verifyAlike reports whether the secret makes the signature. Nothing makes that of a
// stranger, whose secret is empty: what a dummy says is nobody's word, right or not.
func (s *Scheme) verifyAlike(r *link.Request, l *link.Link, secret []byte) bool {
	all := s.lengths.with(len(secret))
	own := closest(all, len(secret))
	right := false
	for i, key := range all {
		users := i == own && len(secret) > 0
		if users {
			key = secret
		}
		made := s.Format.Verify(r, l, key)
		right = right || made && users
	}
	return right
}
