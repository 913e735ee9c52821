package keys

import (
	"strconv"
	"testing"
)

// TestAttackArenaReads: a stranger is looked for at as many places of the memory as a user
// is found at. Each is a wait for memory in a large table.
func TestAttackArenaReads(t *testing.T) {
	for _, n := range []int{1, 5, 6, 1000} {
		var b UsersBuilder
		for i := range n {
			if err := b.Add("u"+strconv.Itoa(i), []byte("secret")); err != nil {
				t.Fatal(err)
			}
		}
		users := b.Users()
		table, reads := users.table.get(), 0
		table.read = func(at int) []byte { reads++; return table.secretAt(at) }
		ask := func(user string) (int, error) {
			reads = 0
			_, err := users.UserKey(t.Context(), user)
			return reads, err
		}
		for i := range 1000 {
			found, err := ask("u" + strconv.Itoa(i%n))
			if err != nil {
				t.Fatal(err)
			}
			if sought, err := ask("x" + strconv.Itoa(i)); sought != found || err == nil {
				t.Fatalf("%d users: %d reads for a user, %d for a stranger, error %v", n, found, sought, err)
			}
		}
	}
}
