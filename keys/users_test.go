package keys_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/keys/keystest"
)

func TestUsersConformance(t *testing.T) {
	keystest.Users(t, func(t *testing.T, users map[string]string) keys.UserSource {
		secrets := map[string]keys.Secret{}
		for user, text := range users {
			secrets[user] = secret(text)
		}
		source, err := keys.NewUsers(secrets)
		if err != nil {
			t.Fatal(err)
		}
		return source
	})
}

func TestUsersBuilder(t *testing.T) {
	var b keys.UsersBuilder
	long := strings.Repeat("u", keys.MaxUserIDBytes)
	for i, tc := range []struct {
		user, secret string
		dup          bool
		err          string
	}{
		{"1", "one", false, ""},
		{"2", "", false, ""},
		{"1", "another", true, "twice"},
		{"2", "another", true, "twice"},
		{"", "secret", false, "the user's id is empty"},
		{long, "long", false, ""},
		{long + "u", "hunter2", false, "257 bytes"},
		{"3", strings.Repeat("s", 70_000), false, ""},
	} {
		err := b.Add(tc.user, []byte(tc.secret))
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) || errors.Is(err, keys.ErrDuplicateUser) != tc.dup {
			t.Errorf("Test %d: error %v, want %q", i, err, tc.err)
		}
		if err != nil && tc.secret != "" && strings.Contains(err.Error(), tc.secret) {
			t.Errorf("Test %d: the error shows the secret", i)
		}
	}
	users := b.Users()
	if users.Len() != 3 || users.Empty() != 1 || users.String() != "3 user keys" {
		t.Errorf("%d users, %d empty, %s", users.Len(), users.Empty(), users)
	}
	for user, want := range map[string]string{"1": "one", long: "long", "3": strings.Repeat("s", 70_000)} {
		if s, err := users.UserKey(t.Context(), user); err != nil || string(s.Bytes()) != want {
			t.Errorf("%.10q: error %v or another secret", user, err)
		}
	}
	for _, user := range []string{"2", "", long + "u", "one", "11one", "\x011"} {
		if s, err := users.UserKey(t.Context(), user); err != keys.ErrNoUser || !s.Empty() {
			t.Errorf("%.10q: error %v, want ErrNoUser itself", user, err)
		}
	}

	// A used builder starts again, and what it built stays as it was.
	if err := b.Add("1", []byte("new")); err != nil {
		t.Error(err)
	}
	if s, err := users.UserKey(t.Context(), "1"); err != nil || string(s.Bytes()) != "one" {
		t.Errorf("the builder changed what it had built; error %v", err)
	}
	for _, empty := range []*keys.Users{new(keys.UsersBuilder).Users(), {}} {
		if _, err := empty.UserKey(t.Context(), "1"); err != keys.ErrNoUser || empty.Len() != 0 || empty.Empty() != 0 {
			t.Errorf("no users: error %v", err)
		}
	}
	if _, err := keys.NewUsers(map[string]keys.Secret{"": secret("x")}); err == nil {
		t.Error("NewUsers takes an empty id")
	}
}

// TestUsersAgainstMap compares the table with a map, through its growth.
func TestUsersAgainstMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var b keys.UsersBuilder
	want := map[string]string{}
	for range 20_000 {
		user := strconv.Itoa(random.IntN(12_000))
		text := fmt.Sprintf("secret %x of %s", random.Uint64(), user)
		_, twice := want[user]
		err := b.Add(user, []byte(text))
		if twice != errors.Is(err, keys.ErrDuplicateUser) || !twice && err != nil {
			t.Fatalf("%s: twice %t, error %v", user, twice, err)
		}
		if !twice {
			want[user] = text
		}
	}
	users := b.Users()
	if users.Len() != len(want) {
		t.Fatalf("%d users, want %d", users.Len(), len(want))
	}
	for i := range 13_000 {
		user := strconv.Itoa(i)
		s, err := users.UserKey(t.Context(), user)
		if text, ok := want[user]; string(s.Bytes()) != text || ok != (err == nil) {
			t.Fatalf("%s: %q, error %v, want %q", user, s.Bytes(), err, text)
		}
	}
}

func TestUserKeyAllocatesNothing(t *testing.T) {
	users, err := keys.NewUsers(map[string]keys.Secret{"12": secret("twelve")})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	n := 0
	if allocs := testing.AllocsPerRun(100, func() {
		s, _ := users.UserKey(ctx, "12")
		_, err := users.UserKey(ctx, "12abc")
		if err != nil {
			n += len(s.Bytes())
		}
	}); allocs != 0 {
		t.Errorf("a lookup allocates %v times", allocs)
	}
	if n == 0 {
		t.Error("nothing was found")
	}
}

// million returns a million users, and how many bytes of memory they take.
func million(b *testing.B) (*keys.Users, float64) {
	b.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var builder keys.UsersBuilder
	secret := make([]byte, 0, 64)
	for i := range 1_000_000 {
		secret = fmt.Appendf(secret[:0], "%032x", uint64(i)*0x9e3779b97f4a7c15)
		if err := builder.Add(strconv.Itoa(10_000_000+i), secret); err != nil {
			b.Fatal(err)
		}
	}
	users := builder.Users()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return users, float64(after.HeapAlloc) - float64(before.HeapAlloc)
}

// BenchmarkUsersMillion loads a million users with secrets of 32 bytes and
// reports what one takes in memory when they are loaded.
func BenchmarkUsersMillion(b *testing.B) {
	for b.Loop() {
		users, size := million(b)
		b.ReportMetric(size/float64(users.Len()), "B/user")
	}
}

func BenchmarkUserKey(b *testing.B) {
	big, _ := million(b)
	one, err := keys.NewUsers(map[string]keys.Secret{"10000000": secret("0123456789abcdef0123456789abcdef")})
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]string, 1<<16)
	for i := range ids {
		ids[i] = strconv.Itoa(10_000_000 + rand.IntN(1_000_000))
	}
	for _, bc := range []struct {
		name  string
		users *keys.Users
		ids   []string
	}{{"of=1", one, []string{"10000000"}}, {"of=1000000", big, ids}} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				s, err := bc.users.UserKey(b.Context(), bc.ids[n&(len(bc.ids)-1)])
				if err != nil || len(s.Bytes()) != 32 {
					b.Fatal("not found")
				}
				n++
			}
		})
	}
}
