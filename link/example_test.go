package link_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

// tilde verifies `?t=USER~HASH`. docs/extending.md has it as a Caddy module.
type tilde struct{}

func (tilde) Describe() link.Description {
	return link.Description{Signature: []string{"t"}, Claims: []string{"user"}, User: "{claim.user}"}
}

func (tilde) Read(r *link.Request, l *link.Link) link.Refusal {
	token, _ := r.Value("t")
	at := strings.LastIndexByte(token, '~')
	if at <= 0 || len(token)-at-1 != 2*sha256.Size {
		return link.Refuse(link.Malformed, "token")
	}
	l.Claims.Set("user", token[:at])
	l.Signature = token[at+1:]
	return link.Refusal{}
}

func (tilde) Verify(_ *link.Request, l *link.Link, key []byte) bool {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(l.Claims.Get("user")))
	return hmac.Equal([]byte(l.Signature), []byte(hex.EncodeToString(mac.Sum(nil))))
}

// A scheme reads a link, and is asked for each key.
func ExampleScheme() {
	var scheme link.Scheme = tilde{}
	mac := hmac.New(sha256.New, []byte("the signer's secret"))
	mac.Write([]byte("jeff"))
	r := linktest.NewRequest("https://example.org/in?t=jeff~" + hex.EncodeToString(mac.Sum(nil)))
	l := new(link.Link)
	fmt.Println(scheme.Read(r, l).None(), l.Claims.Get("user"))
	fmt.Println(scheme.Verify(r, l, []byte("another secret")), scheme.Verify(r, l, []byte("the signer's secret")))
	fmt.Println(scheme.Read(linktest.NewRequest("https://example.org/in?t=jeff"), l))
	// Output:
	// true jeff
	// false true
	// malformed/token
}
