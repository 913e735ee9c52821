package derived_test

import (
	"errors"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/signedlink/caddy-signed-link/examples/extending/derived"
	"github.com/signedlink/caddy-signed-link/keys"
)

// TestSource: each user has a secret, always the same, and no two have one.
func TestSource(t *testing.T) {
	t.Setenv("MASTER_KEY", "a master key that nobody guesses")
	var s derived.Source
	if err := s.UnmarshalCaddyfile(caddyfile.NewTestDispenser("user_keys derived {env.MASTER_KEY}")); err != nil {
		t.Fatal(err)
	}
	users, err := s.OpenUsers()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]string)
	for _, user := range []string{"7", "07", "jeff", "7"} {
		secret, err := users.UserKey(t.Context(), user)
		if err != nil || secret.Empty() {
			t.Fatalf("%s: %v", user, err)
		}
		if other, ok := seen[string(secret.Bytes())]; ok && other != user {
			t.Errorf("%s has the secret of %s", user, other)
		}
		seen[string(secret.Bytes())] = user
	}
	if _, err := users.UserKey(t.Context(), ""); !errors.Is(err, keys.ErrNoUser) {
		t.Errorf("nobody: %v", err)
	}
	if err := new(derived.Source).UnmarshalCaddyfile(caddyfile.NewTestDispenser("user_keys derived")); err == nil {
		t.Error("a source without a master key")
	}
}
