package keys

import (
	"context"
	"errors"
)

// ErrNoUser is returned by [UserSource.UserKey] if the user does not exist or
// has no secret, or an empty one. The link is then refused exactly as one
// with a wrong signature is.
var ErrNoUser = errors.New("no such user")

// ErrUnavailable is returned by [UserSource.UserKey], itself or wrapped, if
// the source cannot say now whether the user exists. The link is then refused
// with the reason keys_unavailable and status 503; it is never let through.
var ErrUnavailable = errors.New("the source of user keys cannot answer now")

// SetSource gives the keys that may verify a link. It may be used by any
// number of goroutines.
type SetSource interface {
	// KeySet returns the keys that count now, never nil. It is called once
	// or more for each request and must neither block nor allocate. What it
	// returned stays usable when the source moves on to a newer set.
	KeySet() *Set
}

// UserSource gives the secret of one user. It may be used by any number of
// goroutines.
type UserSource interface {
	// UserKey returns the secret of the user with exactly this id: ids are
	// compared byte for byte, without folding of case, trimming of blanks,
	// conversion to a number or Unicode normalization. The id comes from the
	// client and may be anything, of any length.
	//
	// It returns [ErrNoUser] if there is no such user or the secret is
	// empty, and an error for which errors.Is(err, [ErrUnavailable]) is true
	// if it cannot know. Without an error the secret is never empty. No
	// error shows a secret.
	UserKey(ctx context.Context, user string) (Secret, error)
}

// SetOpener is implemented by a Caddy module in the namespace
// http.signed_link.keys that can bring a key set. A module may implement it,
// [UserOpener] or both.
type SetOpener interface {
	// OpenSet returns the source of the key set. The host calls it once,
	// after the module's own Provision and within the host's, so that an
	// error stops the configuration from being loaded; it says the cure and
	// never shows a secret.
	OpenSet() (SetSource, error)
}

// UserOpener is implemented by a Caddy module in the namespace
// http.signed_link.keys that can bring one secret per user.
type UserOpener interface {
	// OpenUsers returns the source of user keys. The host calls it once,
	// after the module's own Provision and within the host's, so that an
	// error stops the configuration from being loaded; it says the cure and
	// never shows a secret.
	OpenUsers() (UserSource, error)
}

// RuleNeeder is implemented by a [UserOpener] that must be asked for nothing but ids
// of a known form, such as one that hands them to a database. The host then refuses a
// configuration in which the user has no `param` rule.
type RuleNeeder interface {
	// NeedsRule reports whether a rule is needed.
	NeedsRule() bool
}
