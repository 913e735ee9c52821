// Package outcome says what becomes of a request with a verdict: which mode lets it go on,
// and how it is answered if not. It knows no Caddy.
package outcome

import (
	"github.com/signedlink/caddy-signed-link/link"
)

// Mode is what happens to requests that do not verify.
type Mode uint8

// The modes.
const (
	Require   Mode = iota // they are refused
	Recognize             // they go on as nobody
	Observe               // they go on as they came, and what Require would do is said
)

// Result is what became of a request.
type Result uint8

// The results.
const (
	Verified  Result = iota // it went on with an identity
	Refused                 // it got an error or a redirect
	Anonymous               // it went on as nobody
	WouldVerify
	WouldRefuse
)

// Results are the words of the results in the metrics.
var Results = [...]string{"verified", "refused", "anonymous", "would_verify", "would_refuse"}

// Authorization is what becomes of the client's Authorization.
type Authorization uint8

// What becomes of it.
const (
	CutAuthorization       Authorization = iota // it goes from verified requests
	KeepAuthorization                           // it stays
	AlwaysCutAuthorization                      // it goes from every request to which the definition applies
)

// Rules are those of a definition. They are immutable once requests come.
type Rules struct {
	Mode          Mode
	PassMissing   bool // Require lets requests without a link go on as nobody
	Authorization Authorization

	Statuses  map[link.Reason]int    // of refusals
	Redirects map[link.Reason]string // refusals that are redirects
	Allow     string                 // the Allow header of a 405

	ReferrerPolicy string // of answers to verified requests; "": the application's own
}

// Circumstances are what counts beside the refusal itself.
type Circumstances struct {
	Unread   bool // the query is beyond the bounds
	Conflict bool // another definition named another user
	Required bool // an earlier definition that requires a link vouched for the user
}

// Decide says what becomes of a request that is refused so, or not at all.
func (rules *Rules) Decide(refusal link.Refusal, c Circumstances) Result {
	switch {
	case rules.Mode == Observe && refusal.None():
		return WouldVerify
	case rules.Mode == Observe:
		return WouldRefuse
	case refusal.None():
		return Verified
	case c.Conflict && c.Required:
		return Refused
	// Even recognize refuses what exceeds the bounds: it was not read, so it cannot be
	// cleaned.
	case rules.Mode == Recognize && !c.Unread || refusal.Reason == link.Missing && rules.PassMissing:
		return Anonymous
	default:
		return Refused
	}
}

// CutsCredentials reports whether a request of which this has become loses its
// Authorization: PHP makes PHP_AUTH_USER of it, which applications believe before
// REMOTE_USER, so that one request would name two people. [Rules.CutsRefused] is about
// who is refused.
func (rules *Rules) CutsCredentials(what Result) bool {
	switch what {
	case Verified:
		return rules.Authorization != KeepAuthorization
	case Anonymous:
		return rules.Authorization == AlwaysCutAuthorization
	default:
		return false
	}
}

// CutsRefused reports whether a refused request loses its Authorization on its way to the
// error routes.
func (rules *Rules) CutsRefused() bool { return rules.Authorization != KeepAuthorization }

// AlwaysCuts reports whether every request to which the definition applies loses its
// Authorization, so that those that nobody judged must lose it, too.
func (rules *Rules) AlwaysCuts() bool {
	return rules.Authorization == AlwaysCutAuthorization && rules.Mode != Observe
}

// Says returns what the log says of a verdict, and whether it is loud enough for the level
// info.
func (rules *Rules) Says(refusal link.Refusal) (message string, loud bool) {
	switch {
	case refusal.None():
		return "verified", false
	case rules.Mode == Require && (refusal.Reason != link.Missing || !rules.PassMissing):
		return "refused", true
	case refusal.Reason == link.Missing:
		return "no link", false
	case rules.Mode == Observe:
		return "would be refused", true
	default:
		return "not recognized", true
	}
}
