package link

import (
	"fmt"
	"strings"
)

// Shown is a word of the configuration as an error may show it: the word itself, unless
// it could be a secret that stands where a name belongs. Who confuses the order of the
// words has written the secret there, and errors go into logs and tickets.
func Shown(word string) string {
	const longest = 64 // of any name that this module knows
	letters := strings.ContainsFunc(word, func(c rune) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' })
	digits := strings.ContainsAny(word, "0123456789")
	if len(word) > longest || len(word) >= 12 && (letters && digits || strings.ContainsAny(word, "+/=")) && !strings.ContainsAny(word, ".{}") {
		return fmt.Sprintf("(a word of %d characters, not shown because it could be a secret)", len(word))
	}
	return word
}
