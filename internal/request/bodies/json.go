package bodies

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// inspectJSON looks at the names of the outermost object, which frameworks merge with
// the parameters of the query. The text is valid UTF-8, and so are the names: readers
// drop, replace or keep what is not.
func (b *Rules) inspectJSON(body []byte) (detail string) {
	if !utf8.Valid(body) {
		return detailJSON
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	depth, object, name := 0, false, false // name: the next token of the outermost object is one
	for {
		token, err := dec.Token()
		switch {
		case errors.Is(err, io.EOF):
			if depth != 0 {
				return detailJSON
			}
			return ""
		case err != nil:
			return detailJSON
		}
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{', '[':
				if depth++; depth == 1 {
					object = t == '{'
				}
				name = depth == 1 && object
				continue
			default:
				depth--
			}
		case string:
			if name {
				if strings.ContainsRune(t, utf8.RuneError) { // half of a surrogate pair, maybe
					return detailJSON
				}
				if b.protectedDecoded(t) {
					return detailProtected
				}
				name = false
				continue
			}
		}
		name = depth == 1 && object
	}
}
