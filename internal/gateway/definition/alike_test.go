package definition

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
)

// weighed is a scheme that writes down with how long keys it is asked to verify: that is
// what the time of an answer depends on. It finds every signature right, or none.
type weighed struct {
	link.Scheme
	mu    sync.Mutex
	asked []int
	right func(key []byte) bool
}

func (w *weighed) Verify(_ *link.Request, _ *link.Link, key []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, len(key))
	return w.right(key)
}

// inMemory is a source of users' keys that are in memory.
type inMemory map[string]string

func (u inMemory) UserKey(_ context.Context, user string) (keys.Secret, error) {
	if u[user] == "" {
		return keys.Secret{}, keys.ErrNoUser
	}
	return keys.NewSecret([]byte(u[user])), nil
}

// weigh returns a scheme with users, and how it verifies the link of one: what it costs, and
// the verdict.
func weigh(users inMemory, right func(key []byte) bool) (ask func(user string) (cost string, refusal link.Refusal)) {
	w := &weighed{right: right}
	s := &Scheme{Format: w, Users: users}
	return func(user string) (string, link.Refusal) {
		w.asked = nil
		refusal := s.verifyUser(context.Background(), nil, &link.Link{User: user}, new(Verdict))
		return fmt.Sprint(w.asked), refusal
	}
}

func never([]byte) bool { return false }

// TestAttackLengthOfSecret: the work on a link is the same for every user and every stranger,
// however long the secrets are. With one dummy of 32 bytes, users of an application whose
// secrets have 64 or 4,096 showed in the time of an answer.
func TestAttackLengthOfSecret(t *testing.T) {
	for _, tc := range []struct {
		lengths []int
		want    string
	}{
		{[]int{32}, "[32]"},
		{[]int{1}, "[1]"},
		{[]int{40}, "[40]"},
		{[]int{4096}, "[4096]"},
		{[]int{20, 64}, "[20 64]"},
		{[]int{64, 20, 64, 20}, "[64 20]"},
		{[]int{32, 33, 34, 35}, "[32 33 34 35]"},
	} {
		users := make(inMemory)
		for i, n := range tc.lengths {
			users[fmt.Sprintf("u%d", i)] = strings.Repeat("s", n)
		}
		ask := weigh(users, never)
		if cost, _ := ask("before anybody"); cost != "[32]" {
			t.Errorf("%v: a stranger costs %s before there was a user", tc.lengths, cost)
		}
		for i := range tc.lengths { // who is met is learned from
			ask(fmt.Sprintf("u%d", i))
		}
		for _, user := range []string{"u0", "x", "", strings.Repeat("x", 300), "u" + fmt.Sprint(len(tc.lengths)-1), "y", "u0"} {
			if cost, refusal := ask(user); cost != tc.want || refusal.Reason != link.BadSignature {
				t.Errorf("%v: %.9q costs %s, %v, want %s", tc.lengths, user, cost, refusal, tc.want)
			}
		}
	}
}

// TestLengthsAreBounded: secrets of very many lengths, and one without end, make nobody's
// link more expensive than four do.
func TestLengthsAreBounded(t *testing.T) {
	users := inMemory{"endless": strings.Repeat("s", 1<<20)}
	for n := 1; n < 100; n++ {
		users[fmt.Sprint(n)] = strings.Repeat("s", n*8)
	}
	ask := weigh(users, never)
	if cost, _ := ask("endless"); cost != "[1048576]" {
		t.Errorf("the endless secret costs %s", cost)
	}
	if cost, _ := ask("x"); cost != "[32]" {
		t.Errorf("a stranger costs %s after it", cost)
	}
	for n := 1; n < 100; n++ {
		ask(fmt.Sprint(n))
	}
	for user, want := range map[string]string{"x": "[8 16 24 32]", "1": "[8 16 24 32]", "3": "[8 16 24 32]", "50": "[8 16 24 400]", "endless": "[8 16 24 1048576]"} {
		if cost, _ := ask(user); cost != want {
			t.Errorf("%s costs %s, want %s", user, cost, want)
		}
	}
}

// TestAttackDummyIsRight: what a dummy says is nobody's word. A dummy of one byte is one of
// 256, and whoever tries them finds it.
func TestAttackDummyIsRight(t *testing.T) {
	users := inMemory{"short": "s", "long": strings.Repeat("l", 64)}
	always := weigh(users, func([]byte) bool { return true })
	notTheirs := weigh(users, func(key []byte) bool { return string(key) != users["short"] && string(key) != users["long"] })
	theirs := weigh(users, func(key []byte) bool { return string(key) == users["short"] })
	for _, user := range []string{"short", "long", "x", "", "short"} {
		known := users[user] != ""
		if _, refusal := always(user); refusal.None() != known {
			t.Errorf("%q, every signature is right: %v", user, refusal)
		}
		if _, refusal := notTheirs(user); refusal.None() {
			t.Errorf("%q verifies by a dummy", user)
		}
		if _, refusal := theirs(user); refusal.None() != (user == "short") {
			t.Errorf("%q, the secret of short: %v", user, refusal)
		}
	}
}

// TestLengthsAtOnce: many links at once learn each length once.
func TestLengthsAtOnce(t *testing.T) {
	var l lengths
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for range 100 {
				l.with(10 + i%3)
				l.with(0)
			}
		})
	}
	wg.Wait()
	var got []int
	for _, key := range l.with(0) {
		got = append(got, len(key))
	}
	if slices.Sort(got); fmt.Sprint(got) != "[10 11 12]" {
		t.Errorf("the lengths %v", got)
	}
}
