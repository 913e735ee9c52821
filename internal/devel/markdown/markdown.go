// Package markdown finds the code in a page of the documentation, for the tests
// that run it.
package markdown

import (
	"fmt"
	"strings"
)

// Block is a fenced block of code.
type Block struct {
	Line    int    // of the fence, from 1
	Section string // the last heading of level 2 before it
	Heading string // the last heading of any level before it
	Lang    string // the word behind the fence
	Text    string
}

// Blocks returns the fenced blocks of a page, and the page without them.
func Blocks(page string) (blocks []Block, prose string, err error) {
	var rest strings.Builder
	var open *Block
	section, heading := "", ""
	n := 0
	for line := range strings.SplitAfterSeq(page, "\n") {
		n++
		text := strings.TrimSuffix(line, "\n")
		lang, fence := strings.CutPrefix(text, "```")
		switch {
		case fence && open == nil:
			open = &Block{Line: n, Section: section, Heading: heading, Lang: lang}
		case fence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.Text += line
		default:
			rest.WriteString(line)
			if marks, title, ok := strings.Cut(text, " "); ok && marks != "" && strings.Trim(marks, "#") == "" {
				heading = title
				if len(marks) <= 2 {
					section = title
				}
			}
		}
	}
	if open != nil {
		return nil, "", fmt.Errorf("line %d: the block has no end", open.Line)
	}
	return blocks, rest.String(), nil
}
