package gatewaytest_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// A gateway in ten lines: what an operator's own configuration makes of a link.
func Example() {
	os.Setenv("AUTOLOGIN_SECRET", "asdf1234qwerty")
	t := new(testing.T) // the test's own
	site := gatewaytest.LoadSite(t, `signed_link /autologin* keyed_hash {env.AUTOLOGIN_SECRET} {
		algorithm md5
		message {query.user}{secret}
		signature {query.key}
	}
	test_backend`)
	good := site.Get("/autologin?user=jeff&key=31c940a5a60bcd1022cd8dab2be76b98", "X-Verified-User: admin")
	fmt.Println(good.Code, good.Seen.URI, good.Header1(t, "X-Verified-User"))
	bad := site.Get("/autologin?user=mike&key=31c940a5a60bcd1022cd8dab2be76b98")
	fmt.Println(bad.Code, bad.Seen != nil)
	// Output:
	// 200 /autologin?user=jeff jeff
	// 401 false
}
