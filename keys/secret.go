package keys

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// redacted stands wherever a secret would be printed.
const redacted = "REDACTED"

// Secret is the bytes of a key. However it is printed, logged or marshalled,
// it shows REDACTED, also where it is held in an unexported field of another
// type, which fmt and other printers read by reflection and without calling
// any method.
//
// It cannot be compared with ==, nor with reflect.DeepEqual: neither takes
// the same time for every input. The zero Secret is empty.
type Secret struct {
	// read returns the bytes of the secret that begins at the given place.
	// The bytes stand behind a function because a printer that works by
	// reflection follows slices, strings and, for a verb that does not fit,
	// pointers; but no function.
	read func(at int) []byte
	at   int
}

// NewSecret returns a Secret with a copy of b.
func NewSecret(b []byte) Secret {
	if len(b) == 0 {
		return Secret{}
	}
	own := bytes.Clone(b)
	own = slices.Clip(own)
	return Secret{read: func(int) []byte { return own }}
}

// Bytes returns the bytes of the secret, nil if it is empty. They are shared
// by everyone who asks and must not be modified. It does not allocate.
func (s Secret) Bytes() []byte {
	if s.read == nil {
		return nil
	}
	return s.read(s.at)
}

// Empty reports whether the secret has no bytes. An empty secret must never
// be used as a key: everybody knows it.
func (s Secret) Empty() bool { return len(s.Bytes()) == 0 }

// String returns REDACTED.
func (Secret) String() string { return redacted }

// GoString returns REDACTED.
func (Secret) GoString() string { return redacted }

// Format implements fmt.Formatter: it writes REDACTED for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON returns "REDACTED", in quotes.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns REDACTED.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer: it returns REDACTED.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Interface guards
var (
	_ fmt.Formatter  = Secret{}
	_ fmt.GoStringer = Secret{}
	_ fmt.Stringer   = Secret{}
	_ slog.LogValuer = Secret{}
)
