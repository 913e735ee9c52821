package link

import (
	"fmt"
	"strings"
)

// longestName is at least as long as any name that this module knows.
const longestName = 64

// Shown is a word of the configuration as an error may show it: the word as it was typed
// (see [Typed]), unless it could be a secret that stands where a name belongs. Who confuses
// the order of the words has written the secret there, and errors go into logs and tickets.
func Shown(word string) string {
	if couldBeSecret(word) {
		return fmt.Sprintf("(a word of %d characters, not shown because it could be a secret)", len(word))
	}
	if strings.HasPrefix(word, "{") {
		return Typed(word)
	}
	return word
}

// couldBeSecret reports whether the word looks as secrets do, and no name.
func couldBeSecret(word string) bool {
	letters := strings.ContainsFunc(word, func(c rune) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' })
	digits := strings.ContainsAny(word, "0123456789")
	return len(word) > longestName ||
		len(word) >= 12 && (letters && digits || strings.ContainsAny(word, "+/=")) && !strings.ContainsAny(word, ".{}")
}
