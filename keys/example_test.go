package keys_test

import (
	"fmt"
	"time"

	"github.com/signedlink/caddy-signed-link/keys"
)

// Two keys while one takes the place of the other: links of both verify, and new ones are
// signed with the first that is valid.
func ExampleNewSet() {
	day := func(month time.Month) time.Time { return time.Date(2026, month, 1, 0, 0, 0, 0, time.UTC) }
	set, err := keys.NewSet(
		keys.Key{ID: "2027", Secret: keys.NewSecret([]byte("the new one")), NotBefore: day(12)},
		keys.Key{ID: "2026", Secret: keys.NewSecret([]byte("the old one"))},
	)
	if err != nil {
		panic(err)
	}
	fmt.Println(set.Current(day(11)).ID, set.Current(day(12)).ID)
	fmt.Println(set.Current(day(12)).Secret)
	// Output:
	// 2026 2027
	// REDACTED
}
