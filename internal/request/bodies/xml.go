package bodies

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// inspectXML looks at the names of the elements within the outermost one, which Slim 3
// merges with the parameters of the query, and of which it takes another method. A
// declaration of types can make elements out of words, so there may be none, and the text
// is UTF-8: in UTF-7 or EBCDIC elements look like something else.
func (b *Rules) inspectXML(body []byte) (detail string) {
	if !utf8.Valid(body) {
		return detailXML
	}
	dec := xml.NewDecoder(bytes.NewReader(body))
	depth := 0
	for {
		token, err := dec.RawToken()
		switch {
		case errors.Is(err, io.EOF):
			if depth != 0 {
				return detailXML
			}
			return ""
		case err != nil:
			return detailXML
		}
		switch t := token.(type) {
		case xml.Directive:
			return detailXML
		case xml.ProcInst:
			if _, encoding, named := strings.Cut(string(t.Inst), "encoding"); named {
				encoding = strings.ToLower(strings.Trim(encoding, " \t\r\n="))
				if !strings.HasPrefix(encoding, `"utf-8"`) && !strings.HasPrefix(encoding, `'utf-8'`) {
					return detailXML
				}
			}
		case xml.StartElement:
			if depth++; depth == 2 && b.protectedDecoded(t.Name.Local) {
				return detailProtected
			}
		case xml.EndElement:
			if depth--; depth < 0 {
				return detailXML
			}
		}
	}
}
