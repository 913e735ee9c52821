package exchange

import (
	"net/http"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/link"
)

// VerifiedBy returns the names of the schemes that verified the request so far.
func VerifiedBy(r *http.Request) []string {
	if x, _ := Of(VarsOf(r)); x != nil {
		return x.verifiedBy
	}
	return nil
}

// NewVerdict returns an empty verdict that lives as long as the request.
func (x *Exchange) NewVerdict() *definition.Verdict {
	if x.firstTaken {
		return new(definition.Verdict)
	}
	x.firstTaken = true
	return &x.first
}

// Say remembers the verdict for placeholders and the access log. That a further
// definition finds no link takes nothing back.
func (x *Exchange) Say(r *http.Request, v *definition.Verdict) {
	if x.Last == nil {
		x.logTo(r)
	}
	if v.Reason != link.Missing || x.Valid == nil {
		x.Last = v
	}
}

// NamesOtherUser reports whether an earlier definition verified another user on
// this request, or two did, so that nobody can say which of them is right.
func (x *Exchange) NamesOtherUser(v *definition.Verdict) bool {
	return v.Scheme.User != nil && (x.disputed || x.Valid != nil && x.Valid.Scheme.User != nil && x.Valid.User != v.User)
}

// Conflict reports whether v is the refusal of a second user.
func (*Exchange) Conflict(v *definition.Verdict) bool {
	return v.Reason == link.Ambiguous && v.Detail == "users"
}
