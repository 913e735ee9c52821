package attack_test

import (
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// refusedAs is the site of the verifiable URL whose error page says why.
func refusedAs(t *testing.T, first string, options ...string) *gatewaytest.Site {
	t.Helper()
	fixture.SetSecrets(t)
	return gatewaytest.LoadSite(t, fixture.Autologin(first, options...)+`test_backend
	handle_errors {
		respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
	}`)
}
