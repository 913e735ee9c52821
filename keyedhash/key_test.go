package keyedhash

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"
	"sync"
	"testing"

	"github.com/signedlink/caddy-signed-link/internal/devel/ratio"
	"github.com/signedlink/caddy-signed-link/link"
)

// standard are the digests by name, for comparison with the standard library's HMAC.
var standard = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
}

func bare(name string, key, message []byte) []byte {
	digest, keyed := strings.CutPrefix(name, "hmac-")
	h := standard[digest]()
	if keyed {
		h = hmac.New(standard[digest], key)
	}
	h.Write(message)
	return h.Sum(nil)
}

// TestKey: whatever of key and beginning is computed ahead, the signature is that of
// the standard library over the whole message.
func TestKey(t *testing.T) {
	for name := range standard {
		for _, name := range []string{name, "hmac-" + name} {
			a, err := ParseAlgorithm(name)
			if err != nil {
				t.Fatal(err)
			}
			mac, err := NewMAC(a, Hex, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{1, 31, 32, 63, 64, 65, 127, 128, 129, 1000} {
				key := bytes.Repeat([]byte{'k'}, n)
				for _, beginning := range []string{"", "a", string(key), string(key) + "."} {
					prepared := mac.Key(key, []byte(beginning))
					for _, m := range []int{0, 1, 55, 56, 64, 511, 512, 513, 100_000} {
						message := bytes.Repeat([]byte{'m'}, m)
						want := bare(name, key, append([]byte(beginning), message...))
						text := fmt.Sprintf("%x", want)
						if !prepared.Equal(text, message) {
							t.Errorf("%s: key %d, beginning %d, message %d bytes: the right signature is refused", name, n, len(beginning), m)
						}
						if prepared.Equal(text, append(message, 'x')) || prepared.Equal("0"+text[1:], message) && text[0] != '0' {
							t.Errorf("%s: key %d, beginning %d, message %d bytes: a wrong signature is accepted", name, n, len(beginning), m)
						}
					}
				}
				if got := a.Append(nil, key, []byte("message")); !bytes.Equal(got, bare(name, key, []byte("message"))) {
					t.Errorf("%s: key of %d bytes: %x", name, n, got)
				}
			}
		}
	}
}

// TestEmptyKey: anyone has it.
func TestKeyEmpty(t *testing.T) {
	for _, name := range []string{"sha256", "hmac-sha256"} {
		a, _ := ParseAlgorithm(name)
		mac, _ := NewMAC(a, Hex, 0)
		if mac.Key(nil, nil).Equal(fmt.Sprintf("%x", bare(name, nil, []byte("m"))), []byte("m")) {
			t.Errorf("%s: an empty key makes a signature", name)
		}
	}
}

// TestKeyConcurrent: states are shared, workers are not.
func TestKeyConcurrent(t *testing.T) {
	a, _ := ParseAlgorithm("hmac-sha256")
	mac, _ := NewMAC(a, Hex, 0)
	key := mac.Key([]byte("key"), nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			message := fmt.Appendf(nil, "message %d", i)
			want := fmt.Sprintf("%x", bare("hmac-sha256", []byte("key"), message))
			for range 200 {
				if !key.Equal(want, message) {
					t.Error("the right signature is refused")
				}
			}
		})
	}
	wg.Wait()
}

// TestBindPrintsNothing: what is bound holds a secret, and is printed all the same.
func TestBindPrintsNothing(t *testing.T) {
	s, err := New(Config{Algorithm: "sha256", Message: "{secret}{query.user}", Signature: "{query.sig}"}, link.Options{})
	if err != nil {
		t.Fatal(err)
	}
	verify := struct{ v link.Verifier }{s.Bind([]byte("do not print this"))}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		text := fmt.Sprintf(format, verify)
		if strings.Contains(text, "print") || strings.Contains(text, fmt.Sprintf("%x", "print")) || strings.Contains(text, "112 114 105") {
			t.Errorf("%s shows the secret: %s", format, text)
		}
	}
}

func FuzzHMAC(f *testing.F) {
	f.Add([]byte("key"), []byte("message"), 0)
	f.Add(bytes.Repeat([]byte("k"), 65), bytes.Repeat([]byte("m"), 600), 3)
	f.Fuzz(func(t *testing.T, key, message []byte, cut int) {
		for name := range standard {
			a, err := ParseAlgorithm("hmac-" + name)
			if err != nil {
				t.Fatal(err)
			}
			want := bare("hmac-"+name, key, message)
			if got := a.Append(nil, key, message); !bytes.Equal(got, want) {
				t.Fatalf("hmac-%s is %x, want %x", name, got, want)
			}
			mac, _ := NewMAC(a, Hex, 0)
			at := min(max(cut, 0), len(message))
			if got := mac.Key(key, message[:at]).append(nil, message[at:]); !bytes.Equal(got, want) {
				t.Fatalf("hmac-%s with a beginning of %d bytes is %x, want %x", name, at, got, want)
			}
		}
	})
}

// BenchmarkKey compares a prepared key, and one that is not, with the bare digest or
// HMAC of the same bytes.
func BenchmarkKey(b *testing.B) {
	key, message := []byte(strings.Repeat("k", 64)), []byte(".2695.103007")
	whole := append(bytes.Clone(key), message...)
	for _, name := range []string{"md5", "sha256", "sha512", "hmac-sha1", "hmac-sha256", "hmac-sha512"} {
		a, _ := ParseAlgorithm(name)
		mac, _ := NewMAC(a, Hex, 0)
		var base, prepared, unprepared func()
		if a.Keyed() {
			m := hmac.New(a.digest.new, key)
			out := make([]byte, 0, maxDigest)
			text := fmt.Sprintf("%x", bare(name, key, message))
			k := mac.Key(key, nil)
			base = func() { m.Reset(); m.Write(message); out = m.Sum(out[:0]) }
			prepared = func() { k.Equal(text, message) }
			unprepared = func() { mac.Equal(text, key, message) }
		} else {
			var out [maxDigest]byte
			text := fmt.Sprintf("%x", bare(name, key, whole))
			k := mac.Key(key, key)
			base = func() { a.digest.append(out[:0], whole) }
			prepared = func() { k.Equal(text, message) }
			unprepared = func() { mac.Equal(text, key, whole) }
		}
		b.Run(name+"/prepared", func(b *testing.B) { ratio.Report(b, base, prepared) })
		b.Run(name+"/unprepared", func(b *testing.B) { ratio.Report(b, base, unprepared) })
	}
}
