//go:build integration

package integration

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

func TestMain(m *testing.M) { gateway.Main(m) }

// The secrets of the links, and the environment that gives them to the gateway.
const (
	linkSecret = "s3cret" // the one that the corpora are made for
	akidSecret = "9E4GeErTXkXqBuGuulEh9ZdIf2LoEpeYEAcnejUqetgscx60IXb3hy5fltkrWaTv"
)

var secrets = []string{"LINK_SECRET=" + linkSecret, "AKID_SECRET=" + akidSecret}

// key is the signature of a verifiable URL for the value.
func key(value string) string {
	sum := md5.Sum([]byte(value + linkSecret))
	return hex.EncodeToString(sum[:])
}

// akid is the token for the cleartext.
func akid(cleartext string) string {
	sum := sha256.Sum256([]byte(akidSecret + "." + cleartext))
	return cleartext + "." + base64.RawURLEncoding.EncodeToString(sum[:])[:6]
}

// backend is an application behind the gateway.
type application struct {
	name    string
	php     bool
	address string // for a tap
	root    string // of php_fastcgi; empty for reverse_proxy
}

func fpm(t testing.TB, name string, options ...backends.Option) application {
	f := backends.StartFPM(t, options...)
	return application{name: name, php: true, address: f.Address, root: f.Root}
}

func phpServer(t testing.TB) application {
	return application{name: "php -S", php: true, address: backends.StartPHPServer(t).Address}
}

func apache(t testing.TB) application {
	return application{name: "apache", php: true, address: backends.StartApache(t).Address}
}

func tomcat(t testing.TB) application {
	return application{name: "tomcat", address: backends.StartTomcat(t).Address}
}

func tomcat9(t testing.TB) application {
	return application{name: "tomcat9", address: backends.StartTomcat9(t).Address}
}

// proxy are the directives that hand requests to the backend at the address, which
// is its own or a tap's.
func (b application) proxy(address string) string {
	if b.root != "" {
		return "root " + b.root + "\nphp_fastcgi " + address + "\n"
	}
	return "reverse_proxy " + address + "\n"
}

// seen is what the application saw, or nil if the answer is not the application's.
func seen(r *gateway.Response) *backends.Seen {
	if r == nil {
		return nil
	}
	s, err := backends.Decode(r.Body)
	if err != nil {
		return nil
	}
	return s
}
