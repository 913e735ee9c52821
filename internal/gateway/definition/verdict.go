package definition

import (
	"time"

	"github.com/signedlink/caddy-signed-link/internal/gateway/throttle"
	"github.com/signedlink/caddy-signed-link/link"
)

// Verdict is what a definition says of a request.
type Verdict struct {
	link.Refusal         // none: the link is valid
	Scheme       *Scheme // the scheme that speaks; nil if none took the link
	KeyID        string
	User         string // as it goes into the header
	Claims       link.Claims
	Headers      []Header // what a verified request gets
	Path         string   // that the backend gets, percent-encoded; empty: as it came
	Note         string   // for the log only: what the client must not learn
	Lookup       string   // for the metrics only: what became of the user's key
	stage        stage    // how far the link came
	Wrong        bool     // it was compared, and no key of any scheme makes its signature

	client throttle.Client // for whom a failure counts
	Wait   time.Duration   // of a client that is throttled

	// The memory of the above, so that a verdict costs one piece of it and not ten.
	link       link.Link
	fewClaims  [2]link.Claim
	fewFields  [4]link.Field
	fewHeaders [4]Header
}

// stage is how far along its way a link came. Of several schemes that all refuse one,
// the one that got furthest speaks.
type stage uint8

const (
	stageBroken      stage = iota // it begins like one in the path, and is none
	stageRead                     // it was read
	stageVerify                   // no key made its signature
	stageUnavailable              // its key may exist, but the source does not answer
	stageSigned                   // its signature is right
)

// The verdict's words in placeholders, logs and metrics.
const (
	Valid   = "valid"
	Invalid = "invalid"
	Expired = "expired"
)

// Word says in one word what the verdict is.
func (v *Verdict) Word() string {
	switch v.Reason {
	case "":
		return Valid
	case link.Expired:
		return Expired
	default:
		return Invalid
	}
}

// Signed reports whether the link's signature is right, whatever else refuses it.
func (v *Verdict) Signed() bool { return v.None() || v.stage == stageSigned }

// SchemeName returns the name of the scheme that speaks, "" if there is none.
func (v *Verdict) SchemeName() string {
	if v.Scheme == nil {
		return ""
	}
	return v.Scheme.Name
}
