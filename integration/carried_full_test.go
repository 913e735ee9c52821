//go:build integration && full

package integration

import (
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/backends"
)

// TestCarriedFull is [TestCarried] in front of what only a full run has.
func TestCarriedFull(t *testing.T) {
	t.Parallel()
	jetty := application{name: "jetty", address: backends.StartJetty(t).Address}
	runCarried(t, front(t, backends.FrontSlim), front(t, backends.FrontLaravel), front(t, backends.FrontPlain), front(t, backends.FrontPathInfo), phpServer(t), apache(t), tomcat9(t), jetty)
}
