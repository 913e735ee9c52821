package query

import (
	"iter"
	"strings"
)

// Split yields what stands between the separators, as [strings.SplitSeq] does. Of pieces
// of a few bytes, which hostile texts are full of, that spends its time on beginning to
// search.
func Split(s string, separator byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		start := 0
		for i := 0; i < len(s); i++ {
			if s[i] == separator {
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			} else if i == start+near {
				n := strings.IndexByte(s[i:], separator)
				if n < 0 {
					break
				}
				i += n - 1
			}
		}
		yield(s[start:])
	}
}

// near is how far it is quicker to look at each byte.
const near = 24

// NameOf is what stands before the first '='.
func NameOf(segment string) string {
	for i := range min(len(segment), near) {
		if segment[i] == '=' {
			return segment[:i]
		}
	}
	name, _, _ := strings.Cut(segment, "=")
	return name
}
