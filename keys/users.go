package keys

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
)

// MaxUserIDBytes is the greatest length of a user's id, in bytes.
const MaxUserIDBytes = 256

// ErrDuplicateUser is returned by [UsersBuilder.Add] for an id that was added
// before.
var ErrDuplicateUser = errors.New("the user stands twice")

// Users is an immutable [UserSource] in memory, made by [NewUsers] or a
// [UsersBuilder]. A million users with secrets of 32 bytes take about 64 MB,
// in two objects that hold no pointers, so that the garbage collector has
// nothing to walk through. A lookup does not allocate. The zero Users has no
// users.
type Users struct{ table hidden }

// hidden keeps a table from printers that work by reflection, as [Secret]
// does: fmt follows a pointer in an unexported field where the verb does not
// fit it.
type hidden func() *userTable

func hide(t *userTable) hidden { return func() *userTable { return t } }

// get returns the table, nil if there is none.
func (h hidden) get() *userTable {
	if h == nil {
		return nil
	}
	return h()
}

// NewUsers returns the users of a map from id to secret. A user with an empty
// secret is, for lookups, one who does not exist. It is an error if an id is
// empty or longer than 256 bytes.
func NewUsers(users map[string]Secret) (*Users, error) {
	var b UsersBuilder
	for _, user := range slices.Sorted(maps.Keys(users)) {
		if err := b.Add(user, users[user].Bytes()); err != nil {
			return nil, err
		}
	}
	return b.Users(), nil
}

// UserKey implements [UserSource]. It answers from memory and never returns
// another error than [ErrNoUser].
func (u *Users) UserKey(_ context.Context, user string) (Secret, error) {
	t := u.table.get()
	if t == nil || len(user) > MaxUserIDBytes {
		return Secret{}, ErrNoUser
	}
	hash := maphash.String(t.seed, user)
	at, ok := t.find(user, hash)
	if !ok {
		at = t.other(hash)
	}
	s := Secret{read: t.read, at: at}
	if s.Empty() || !ok {
		return Secret{}, ErrNoUser
	}
	return s, nil
}

// Len returns the number of users that have a secret.
func (u *Users) Len() int {
	t := u.table.get()
	if t == nil {
		return 0
	}
	return t.users - t.empty
}

// Empty returns the number of users that were added with an empty secret and
// are therefore not found.
func (u *Users) Empty() int {
	t := u.table.get()
	if t == nil {
		return 0
	}
	return t.empty
}

// Each calls f for every user with a secret, in no particular order, until it returns
// false.
func (u *Users) Each(f func(user string, secret Secret) bool) {
	t := u.table.get()
	if t == nil {
		return
	}
	for _, slot := range t.slots {
		if slot == 0 {
			continue
		}
		id, at := t.idAt(slot)
		if secret := (Secret{read: t.read, at: at}); !secret.Empty() && !f(string(id), secret) {
			return
		}
	}
}

// String says how many users there are.
func (u *Users) String() string { return fmt.Sprintf("%d user keys", u.Len()) }

// UsersBuilder collects users one by one, for sources that are too large to
// be held twice. The zero value is ready for use, by one goroutine.
type UsersBuilder struct{ table hidden }

// Add adds a user; it copies the secret. A user with an empty secret is, for
// lookups, one who does not exist, but the id counts as given. It returns
// [ErrDuplicateUser] if the id was added before, and another error if it is
// empty or longer than 256 bytes. No error shows the id or the secret.
func (b *UsersBuilder) Add(user string, secret []byte) error {
	if user == "" {
		return errors.New("the user's id is empty")
	}
	if len(user) > MaxUserIDBytes {
		return fmt.Errorf("the user's id has %d bytes; at most %d are allowed", len(user), MaxUserIDBytes)
	}
	if b.table == nil {
		b.table = hide(newUserTable())
	}
	return b.table().add(user, secret)
}

// Users returns what was collected. The builder is empty afterwards.
func (b *UsersBuilder) Users() *Users {
	u := &Users{table: b.table}
	b.table = nil
	return u
}

// userTable is a hash table with open addressing over one run of bytes.
type userTable struct {
	// arena holds, for each user, the length of the id, the id, the length
	// of the secret and the secret; both lengths as uvarints.
	arena []byte

	// slots has a power of two of entries, at least a quarter of them free.
	// An entry is 0 if it is free, and else the user's place in the arena
	// plus one in the low bits and the upper part of the hash in the others,
	// so that other users' entries are passed without a look at the arena.
	slots []uint64

	// seed makes the hash unpredictable: ids come from clients.
	seed maphash.Seed

	// read is secretAt, here so that not every lookup makes a new one.
	read func(at int) []byte

	users, empty int
}

func newUserTable() *userTable {
	t := &userTable{seed: maphash.MakeSeed(), slots: make([]uint64, 8)}
	t.read = t.secretAt
	return t
}

const (
	placeBits = 40
	placeMask = 1<<placeBits - 1
)

// find returns the place of the user's secret.
func (t *userTable) find(user string, hash uint64) (int, bool) {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := t.slots[i]
		if slot == 0 {
			return 0, false
		}
		if (slot^hash)>>placeBits != 0 {
			continue
		}
		if id, next := t.idAt(slot); string(id) == user {
			return next, true
		}
	}
}

// other returns the place of another user's secret, for a stranger to be looked at as if it
// were the stranger's own. Where a user is found, two places of a large arena are read, which
// takes longer than finding nobody, and tells who exists. The table is not empty.
func (t *userTable) other(hash uint64) int {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if slot := t.slots[i]; slot != 0 {
			_, at := t.idAt(slot)
			return at
		}
	}
}

// idAt returns the id to which the slot points and the place behind it.
func (t *userTable) idAt(slot uint64) ([]byte, int) {
	at := int(slot&placeMask) - 1
	n, w := binary.Uvarint(t.arena[at:])
	at += w
	return t.arena[at : at+int(n)], at + int(n)
}

// secretAt returns the secret that begins at the given place.
func (t *userTable) secretAt(at int) []byte {
	n, w := binary.Uvarint(t.arena[at:])
	at += w
	end := at + int(n)
	return t.arena[at:end:end]
}

func (t *userTable) add(user string, secret []byte) error {
	hash := maphash.String(t.seed, user)
	if _, ok := t.find(user, hash); ok {
		return ErrDuplicateUser
	}
	if uint64(len(t.arena)) >= placeMask-1 {
		return errors.New("there are too many users")
	}
	if 4*(t.users+1) > 3*len(t.slots) {
		t.grow()
	}
	t.put(hash, uint64(len(t.arena))+1)
	t.arena = binary.AppendUvarint(t.arena, uint64(len(user)))
	t.arena = append(t.arena, user...)
	t.arena = binary.AppendUvarint(t.arena, uint64(len(secret)))
	t.arena = append(t.arena, secret...)
	t.users++
	if len(secret) == 0 {
		t.empty++
	}
	return nil
}

func (t *userTable) put(hash, place uint64) {
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = hash&^placeMask | place
}

func (t *userTable) grow() {
	old := t.slots
	t.slots = make([]uint64, 2*len(old))
	for _, slot := range old {
		if slot != 0 {
			id, _ := t.idAt(slot)
			t.put(maphash.Bytes(t.seed, id), slot&placeMask)
		}
	}
}

// Interface guards
var (
	_ UserSource   = (*Users)(nil)
	_ fmt.Stringer = (*Users)(nil)
)
