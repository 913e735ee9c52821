//go:build !race

package keyedhash

import (
	"strings"
	"testing"
)

// The race detector has pools forget at random, so what is allocated is counted without
// it.

// TestAllocations: computing a signature needs no memory, with a prepared key or another.
func TestAllocations(t *testing.T) {
	key, message := []byte(strings.Repeat("k", 64)), []byte("2695.103007")
	for name := range standard {
		for _, name := range []string{name, "hmac-" + name} {
			a, _ := ParseAlgorithm(name)
			mac, _ := NewMAC(a, Base64URL, 0)
			for what, f := range map[string]func(){
				"MAC.Equal":                  func() { mac.Equal("x", key, message) },
				"Key.Equal":                  equal(mac.Key(key, nil), message),
				"Key.Equal with a beginning": equal(mac.Key(key, key), message),
			} {
				if n := testing.AllocsPerRun(100, f); n != 0 {
					t.Errorf("%s of %s makes %v allocations", what, name, n)
				}
			}
		}
	}
}

func equal(k *Key, message []byte) func() { return func() { k.Equal("x", message) } }
