package bodies

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// inspectJSON looks at the names of the outermost object, which frameworks merge with
// the parameters of the query.
func (b *Rules) inspectJSON(body []byte) (detail string) {
	dec := json.NewDecoder(bytes.NewReader(body))
	depth, name := 0, false
	for {
		token, err := dec.Token()
		switch {
		case errors.Is(err, io.EOF):
			if depth != 0 {
				return "json"
			}
			return ""
		case err != nil:
			return "json"
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
				name = depth == 1 && t == '{'
				continue
			}
			depth--
			name = depth == 1
		case string:
			if depth == 1 && name {
				if b.protectedDecoded(t) {
					return "protected"
				}
				name = false
				continue
			}
			name = depth == 1
		default:
			name = depth == 1
		}
	}
}
