package akid

import (
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/link"
)

// Findings implements [link.Checked]. That an AKID has 36 bits and never expires is
// ActionKit's choice: it belongs to the scheme.
func (a *akid) Findings() []link.Finding {
	found := []link.Finding{{
		Code: "no_expiry", Severity: link.Note,
		Message: "an AKID never expires: whoever has one is its user for as long as the secret is",
		Cure:    "give nothing for an AKID that needs a login",
	}}
	if f := keyedhash.ShortSignature(a.mac, keyedhash.MinBits); f != nil {
		if a.mac.Length >= DefaultLength {
			f.Severity = link.Note
		}
		f.Cure = "make guessers wait with the option throttle, and give nothing for an AKID that needs a login"
		found = append(found, *f)
	}
	if a.text != nil && a.allowShape {
		found = append(found, link.Finding{
			Code: "akid_shape", Severity: link.Danger,
			Message: "text: text in the shape of an AKID is accepted, and both are signed with one secret, so a page that signs what a visitor writes mints AKIDs",
			Cure:    "leave `allow akid_shape` out, and have the signer put a word before such text",
		})
	}
	return found
}

// Construction implements [link.Constructed]: AKIDs and the texts of custom_hash are
// signed alike, whatever they are called in a link.
func (a *akid) Construction() string { return "akid" }

// Interface guards
var (
	_ link.Checked     = (*akid)(nil)
	_ link.Constructed = (*akid)(nil)
)
