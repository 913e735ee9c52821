package pattern

import (
	"fmt"
	"strings"
)

// Departs tells people where a text departs from the pattern: what they have to compare.
// It is empty for one that fits. It names fields and texts of the pattern and shows
// nothing of the text itself, which may hold a signature at the wrong place.
func (p *Pattern) Departs(text string) string {
	last := len(p.fields)
	first, end := p.literals[0], p.literals[last]
	rest, ok := strings.CutPrefix(text, first)
	switch {
	case !ok && strings.HasPrefix(strings.ToLower(text), p.lowered[0]):
		return fmt.Sprintf("it begins with %q in letters of another case", first)
	case !ok && strings.HasPrefix(first, text):
		return fmt.Sprintf("it ends before %q does, with which it has to begin", first)
	case !ok:
		return fmt.Sprintf("it does not begin with %q", first)
	}
	if rest, ok = strings.CutSuffix(rest, end); !ok {
		return fmt.Sprintf("it does not end with %q", end)
	}
	for i := range p.rest {
		var field string
		if field, rest, ok = strings.Cut(rest, p.literals[i+1]); !ok {
			if field == "" {
				return fmt.Sprintf("it ends where <%s> has to stand", p.fields[i].Name)
			}
			return fmt.Sprintf("it has no %q behind <%s>, so that <%s> is missing", p.literals[i+1], p.fields[i].Name, p.fields[i+1].Name)
		}
		if why := p.refuses(i, field); why != "" {
			return why
		}
	}
	for i := last - 1; i > p.rest; i-- {
		n := strings.LastIndex(rest, p.literals[i])
		if n < 0 {
			return fmt.Sprintf("it has no %q before <%s>, so that <%s> is missing", p.literals[i], p.fields[i].Name, p.fields[i-1].Name)
		}
		if why := p.refuses(i, rest[n+len(p.literals[i]):]); why != "" {
			return why
		}
		rest = rest[:n]
	}
	return p.refuses(p.rest, rest)
}

// refuses tells why field i cannot be this text, if it cannot.
func (p *Pattern) refuses(i int, field string) string {
	switch {
	case p.holds(i, field):
		return ""
	case field == "":
		return fmt.Sprintf("<%s> is empty", p.fields[i].Name)
	case strings.Trim(field, "/") == "":
		return fmt.Sprintf("nothing but slashes stands where <%s> has to", p.fields[i].Name)
	case field[0] == '/':
		return fmt.Sprintf("one slash too many stands before <%s>", p.fields[i].Name)
	case field[len(field)-1] == '/' && strings.Count(field, "/") == 1:
		return fmt.Sprintf("one slash too many stands behind <%s>", p.fields[i].Name)
	}
	return fmt.Sprintf("<%s> has %d segments, and may have one", p.fields[i].Name, strings.Count(field, "/")+1)
}
