package definition

import (
	"context"
	"errors"
	"time"

	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
)

// boundKeys are the keys of a set, prepared for the scheme. They are made when a set is
// met for the first time, so that a new set of a source makes new ones. Requests that
// are under way keep what they have.
type boundKeys struct {
	set    *keys.Set
	verify []link.Verifier // by place in the set
	dummy  link.Verifier
}

// bind returns the keys that may verify now, prepared.
func (s *Scheme) bind() *boundKeys {
	set := s.Keys.KeySet()
	if b := s.bound.Load(); b != nil && b.set == set {
		return b
	}
	b := &boundKeys{set: set, verify: make([]link.Verifier, set.Len()), dummy: link.Bind(s.Format, s.dummy)}
	for i := range b.verify {
		b.verify[i] = link.Bind(s.Format, set.All()[i].Secret.Bytes())
	}
	s.bound.Store(b)
	return b
}

// verify finds the key that made the signature. It never returns early: which key
// fits, and whether a user exists, must not show in the time it takes.
func (s *Scheme) verify(ctx context.Context, r *link.Request, l *link.Link, v *Verdict, now time.Time) link.Refusal {
	if s.Users != nil {
		return s.verifyUser(ctx, r, l, v)
	}
	bound := s.bind()
	all := bound.set.All()
	var match *keys.Key
	if l.KeyID != "" {
		i, ok := bound.set.Place(l.KeyID)
		if !ok {
			bound.dummy(r, l)
			v.Note = "no such key id"
			return link.Refuse(link.BadSignature, "")
		}
		if bound.verify[i](r, l) {
			match = &all[i]
		}
	} else {
		for i, verify := range bound.verify {
			if verify(r, l) && (match == nil || match.At(now) != keys.Valid) {
				match = &all[i]
			}
		}
	}
	if match == nil {
		return link.Refuse(link.BadSignature, "")
	}
	v.KeyID, v.stage = match.ID, stageSigned
	switch match.At(now) {
	case keys.Expired:
		return link.Refuse(link.Expired, "key")
	case keys.NotYetValid:
		return link.Refuse(link.NotYetValid, "key")
	default:
		return link.Refusal{}
	}
}

// What becomes of the lookup of a user's key.
const (
	LookupKnown       = "known"
	LookupUnknown     = "unknown"
	LookupUnavailable = "unavailable"
)

// verifyUser verifies with the secret of the link's user. One who does not exist
// takes the same way, with dummy keys, and gets the same answer as a wrong
// signature: action links must not tell who has an account.
func (s *Scheme) verifyUser(ctx context.Context, r *link.Request, l *link.Link, v *Verdict) link.Refusal {
	var key []byte
	v.Lookup = LookupUnknown
	if l.User != "" && len(l.User) <= headers.MaxValue {
		switch secret, err := s.Users.UserKey(ctx, l.User); {
		case err == nil && !secret.Empty():
			key = secret.Bytes()
			v.Lookup = LookupKnown
		case err != nil && !errors.Is(err, keys.ErrNoUser):
			v.Note, v.stage, v.Lookup = err.Error(), stageUnavailable, LookupUnavailable
			return link.Refuse(link.KeysUnavailable, "")
		}
	}
	if len(key) == 0 {
		v.Note = "no such user"
	}
	if !s.verifyAlike(r, l, key) {
		return link.Refuse(link.BadSignature, "")
	}
	return link.Refusal{}
}
