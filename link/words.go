package link

import (
	"slices"
	"strings"
)

// DidYouMean is what an error says behind a word that is none of the known ones:
// ` (did you mean "backend"?)` where one of them, or up to three, look as if they had been
// meant, and nothing else. It never repeats the word; of one that could be a secret, as
// [Shown] has it, it says nothing.
//
// A known word is near if it is the same but for capitals and for - and _, begins with the
// word, or has at most two slips: a letter too many, too few, another, or two that changed
// places. The nearest count.
func DidYouMean[Word ~string](word Word, known []Word) string {
	const (
		slips = 2
		most  = 3
	)
	if couldBeSecret(string(word)) || slices.Contains(known, word) {
		return ""
	}
	written := fold(string(word))
	// half of a short word is not enough to know it by
	nearest := min(slips, (len(written)-1)/2)
	var near []string
	for _, k := range known {
		meant := fold(string(k))
		if len(meant) > longestName {
			continue
		}
		d := distance(written, meant)
		if d > 0 && begins(meant, written) {
			d = 1
		}
		switch {
		case d > nearest:
			continue
		case d < nearest:
			nearest, near = d, nil
		}
		near = append(near, `"`+string(k)+`"`)
	}
	if len(near) == 0 || len(near) > most {
		return ""
	}
	return " (did you mean " + strings.Join(near, " or ") + "?)"
}

// fold makes words equal that differ in capitals, and in - and _.
func fold(word string) []rune { return []rune(strings.ReplaceAll(strings.ToLower(word), "-", "_")) }

// begins reports whether the word is the beginning of the known one, long enough to mean
// something, and does not end inside of a number: sha3 is not the beginning of sha384.
func begins(known, word []rune) bool {
	n := len(word)
	return n >= 3 && n < len(known) && slices.Equal(known[:n], word) && (!isDigit(known[n-1]) || !isDigit(known[n]))
}

// distance is how many slips make one word of the other. A digit in place of another is no
// slip: who writes base32 does not mean base64.
func distance(a, b []rune) int {
	const no = 3 // more than anybody asks for
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range b {
			change := 1
			switch {
			case a[i] == b[j]:
				change = 0
			case isDigit(a[i]) && isDigit(b[j]):
				change = no
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

func isDigit(c rune) bool { return '0' <= c && c <= '9' }
