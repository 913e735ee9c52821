package keyedhash_test

import (
	"fmt"

	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

// A named scheme is a configuration of the engine: here md5 over the user and the secret.
func ExampleNew() {
	scheme, err := keyedhash.New(keyedhash.Config{
		Algorithm: "md5", Message: "{query.user}{secret}", Signature: "{query.key}",
	}, link.Options{})
	if err != nil {
		panic(err)
	}
	for _, user := range []string{"jeff", "mike"} {
		r := linktest.NewRequest("https://example.org/autologin?user=" + user + "&key=31c940a5a60bcd1022cd8dab2be76b98")
		l := new(link.Link)
		fmt.Println(user, scheme.Read(r, l).None() && scheme.Verify(r, l, []byte("asdf1234qwerty")))
	}
	// Output:
	// jeff true
	// mike false
}
