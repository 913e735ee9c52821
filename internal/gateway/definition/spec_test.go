package definition

import (
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
)

// TestAttackSchemesHeader: a scheme of another module cannot write the identity, or a
// header with a meaning of its own, by naming it as one that carries a claim.
func TestAttackSchemesHeader(t *testing.T) {
	for name, good := range map[string]bool{
		"X-Verified-Mailing": true, "X-Verified-User": false, "x-verified-user": false, "X_Verified_User": false,
		"X-Verified-Scheme": false, "X-Verified-Key-Id": false, "Connection": false, "Content-Length": false, "": false,
	} {
		s := &Scheme{Description: link.Description{Claims: []string{"mailing"}, Headers: []link.ClaimHeader{{Header: name, Claim: "mailing"}}}}
		if err := s.compileOutputs(nil); (err == nil) != good {
			t.Errorf("%q: error %v", name, err)
		}
	}
	twice := link.ClaimHeader{Header: "X-Verified-Mailing", Claim: "mailing"}
	s := &Scheme{Description: link.Description{Claims: []string{"mailing"}, Headers: []link.ClaimHeader{twice, twice}}}
	if s.compileOutputs(nil) == nil {
		t.Error("a scheme names one header twice")
	}
}
