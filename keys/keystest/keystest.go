// Package keystest is a conformance run for sources of keys: what every
// keys.UserSource and keys.SetSource must do, whatever stands behind it.
package keystest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/keys"
)

// users is what a source under test must hold. The user "nobody" has an empty
// secret.
var users = map[string]string{
	"12":      "secret of 12",
	"123":     "secret of 123",
	"012":     "secret of 012",
	"admin":   "secret of admin",
	"Bob":     "secret of Bob",
	"é":       "secret of a composed e acute",
	"a b":     "secret of a blank",
	"o'brien": "secret of O'Brien",
	"nobody":  "",
}

// strangers are ids that resemble one of users, to a database, to a language
// that guesses types, or to a person, and that are not users.
var strangers = []string{
	"", " ", "0", "1", "2", "12abc", "12 ", " 12", "\t12", "12\n", "12\r\n", "+12", "-12", "12.0", "1.2e1", "0xc", "0012",
	"12\x00", "\x0012", "12\x00abc", "１２", "1", "ADMIN", "Admin", "admin ", "admi", "admin1", "adm\u0131n", "ad\u00admin", "bob", "BOB",
	"e\u0301", "É", "e", "a  b", "a\u00a0b", "a+b", "a%20b", "ab", "o''brien", `o\'brien`, "' OR '1'='1", "%", "_", "*", "null", "NULL",
	"\xff", "\xc3", "nobody ", "Nobody",
	strings.Repeat("9", 255), strings.Repeat("9", 256), strings.Repeat("9", 257),
	strings.Repeat("1", 10<<10), "12" + strings.Repeat(" ", 10<<10), "12" + strings.Repeat("\x00", 10<<10),
}

// Users checks a source of user keys. open is called with the users that the
// source must hold, from id to secret, and fails the test if it cannot open
// it. One of the users has an empty secret; where a source refuses that when
// it is opened, open leaves the user out.
func Users(t *testing.T, open func(t *testing.T, users map[string]string) keys.UserSource) {
	t.Helper()
	given := make(map[string]string, len(users))
	maps.Copy(given, users)
	source := open(t, given)

	t.Run("known", func(t *testing.T) {
		for user, secret := range users {
			if err := known(source, user, secret); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("strangers", func(t *testing.T) {
		for _, user := range strangers {
			if err := unknown(source, user); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("map not shared", func(t *testing.T) {
		given["12"] = "changed"
		given["intruder"] = "secret"
		if err := known(source, "12", users["12"]); err != nil {
			t.Error(err)
		}
		if err := unknown(source, "intruder"); err != nil {
			t.Error(err)
		}
	})
	t.Run("bytes not extendable", func(t *testing.T) {
		s, err := source.UserKey(t.Context(), "12")
		if err != nil {
			t.Fatal(err)
		}
		_ = append(s.Bytes(), "overwritten, and overwritten again"...)
		for user, secret := range users {
			if err := known(source, user, secret); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s, err := source.UserKey(ctx, "12")
		switch {
		case err == nil && string(s.Bytes()) == users["12"]:
		case errors.Is(err, keys.ErrUnavailable) && s.Empty():
		default:
			t.Errorf("with a cancelled context: secret right: %t, error %v; want the secret or keys.ErrUnavailable", string(s.Bytes()) == users["12"], err)
		}
		if _, err := source.UserKey(ctx, "12abc"); !errors.Is(err, keys.ErrNoUser) && !errors.Is(err, keys.ErrUnavailable) {
			t.Errorf("a stranger with a cancelled context: error %v", err)
		}
	})
	t.Run("concurrent", func(t *testing.T) {
		var wg sync.WaitGroup
		errs := make(chan error, 16)
		for range cap(errs) {
			wg.Go(func() {
				for range 20 {
					for user, secret := range users {
						if err := known(source, user, secret); err != nil {
							errs <- err
							return
						}
					}
					if err := unknown(source, "12abc"); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			t.Error(err)
		}
	})
	t.Run("redacted", func(t *testing.T) {
		s, err := source.UserKey(t.Context(), "12")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []any{s, source} {
			if out := fmt.Sprintf("%v %+v %#v %s %x", v, v, v, v, v); strings.Contains(out, users["12"]) || strings.Contains(out, fmt.Sprintf("%x", users["12"])) {
				t.Errorf("printing a %T shows a secret", v)
			}
		}
	})
}

func known(source keys.UserSource, user, secret string) error {
	if secret == "" {
		return unknown(source, user)
	}
	s, err := source.UserKey(context.Background(), user)
	if err != nil {
		return fmt.Errorf("user %.40q: error %w", user, err)
	}
	if string(s.Bytes()) != secret {
		return fmt.Errorf("user %.40q has the secret %q, want %q", user, s.Bytes(), secret)
	}
	return nil
}

func unknown(source keys.UserSource, user string) error {
	s, err := source.UserKey(context.Background(), user)
	if !errors.Is(err, keys.ErrNoUser) {
		return fmt.Errorf("stranger %.40q: error %w, want keys.ErrNoUser", user, err)
	}
	if !s.Empty() {
		return fmt.Errorf("stranger %.40q: there is a secret beside the error", user)
	}
	for _, secret := range users {
		if secret != "" && strings.Contains(err.Error(), secret) {
			return fmt.Errorf("stranger %.40q: the error shows a secret", user)
		}
	}
	return nil
}

// Sets checks a source of a key set. open is called with the keys that the
// source must hold, in this order, and fails the test if it cannot open it.
// Their secrets are ASCII text, their times whole seconds.
func Sets(t *testing.T, open func(t *testing.T, want []keys.Key) keys.SetSource) {
	t.Helper()
	day := func(d int) time.Time { return time.Date(2026, time.January, d, 0, 0, 0, 0, time.UTC) }
	lists := map[string][]keys.Key{
		"one without id": {{Secret: keys.NewSecret([]byte("a secret without an id"))}},
		"one":            {{ID: "a", Secret: keys.NewSecret([]byte("secret a"))}},
		"rotation": {
			{ID: "next", Secret: keys.NewSecret([]byte("secret next")), NotBefore: day(20)},
			{ID: "now", Secret: keys.NewSecret([]byte("secret now")), NotBefore: day(10), NotAfter: day(20)},
			{ID: "NOW", Secret: keys.NewSecret([]byte("secret NOW")), NotAfter: day(15)},
			{ID: "ever", Secret: keys.NewSecret([]byte("secret ever"))},
		},
	}
	for name, want := range lists {
		t.Run(name, func(t *testing.T) {
			source := open(t, want)
			set := source.KeySet()
			if set == nil {
				t.Fatal("KeySet is nil")
			}
			all := set.All()
			if len(all) != len(want) || set.Len() != len(want) {
				t.Fatalf("%d keys, Len %d, want %d", len(all), set.Len(), len(want))
			}
			for i := range want {
				if !same(&all[i], &want[i]) {
					t.Errorf("key %d is %v from %s to %s, want %v from %s to %s", i, all[i].ID, all[i].NotBefore, all[i].NotAfter, want[i].ID, want[i].NotBefore, want[i].NotAfter)
				}
				if got := set.ByID(want[i].ID); want[i].ID != "" && (got == nil || !same(got, &want[i])) {
					t.Errorf("ByID(%q) does not find the key", want[i].ID)
				}
			}
			for _, id := range []string{"", " ", "no", "now ", "Now", "A", "a\x00", "next,now", strings.Repeat("a", 10<<10)} {
				if set.ByID(id) != nil {
					t.Errorf("ByID(%.20q) found a key", id)
				}
			}
			for d := 9; d <= 21; d++ {
				for _, now := range []time.Time{day(d).Add(-1), day(d)} {
					var first *keys.Key
					for i := range want {
						if want[i].At(now) == keys.Valid {
							first = &want[i]
							break
						}
					}
					if got := set.Current(now); got == nil || first == nil || !same(got, first) {
						t.Errorf("Current(%s) is not the first valid key", now)
					}
				}
			}
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 100 {
						if s := source.KeySet(); s == nil || s.Len() != len(want) {
							t.Error("KeySet is nil or another one, when called concurrently")
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func same(a, b *keys.Key) bool {
	return a.ID == b.ID && bytes.Equal(a.Secret.Bytes(), b.Secret.Bytes()) && a.NotBefore.Equal(b.NotBefore) && a.NotAfter.Equal(b.NotAfter)
}
