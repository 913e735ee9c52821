package query_test

import (
	"fmt"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// A query is read as its backend reads it, and what is cut leaves every other byte as it was.
func Example() {
	names, err := query.NewNames(backend.PHP, []string{"user", "key"})
	if err != nil {
		panic(err)
	}
	raw := "a=%20x&us%65r[]=mike&b=1&key=31c9"
	left, n := query.Cut(raw, func(segment string) bool {
		_, spelling := names.Classify(segment)
		return spelling != query.Other
	})
	fmt.Println(n, left)
	// Output: 2 a=%20x&b=1
}
