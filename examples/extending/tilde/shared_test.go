package tilde_test

import (
	"slices"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/link"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// TestShared: two schemes of a module that does not tell how it signs sign alike where they
// are configured alike; otherwise one secret for both draws a warning.
func TestShared(t *testing.T) {
	t.Setenv("LINK_SECRET", "kX3v9QzT7mB2wL5nR8pYc4HsD6gJ1fAe")
	for parameter, want := range map[string]bool{"t": false, "token": true} {
		s := gatewaytest.LoadSite(t, "signed_link /a* tilde {env.LINK_SECRET} {\nname a\nparameter t\n}\n"+
			"signed_link /b* tilde {env.LINK_SECRET} {\nname b\nparameter "+parameter+"\n}\ntest_backend")
		got := false
		for _, g := range s.App.Gates() {
			got = got || slices.ContainsFunc(g.Definition.Schemes[0].Findings, func(f link.Finding) bool { return f.Code == "shared_secret" })
		}
		if got != want {
			t.Errorf("parameter %s: a warning: %t", parameter, got)
		}
	}
}
