package sql

import (
	"errors"
	"strings"
)

// syntax is how a database's SQL differs where parameters are looked for.
type syntax struct {
	dollar    bool // parameters are $1, quotes may be $tag$, comments nest
	backslash bool // a backslash escapes in every quoted text; # begins a comment
}

// prepare checks the query that the operator wrote and returns it as the database
// takes it: one SELECT with one parameter, written as ? or, for PostgreSQL, as $1.
// What stands in quotes or comments is left alone.
func (x syntax) prepare(query string) (string, error) {
	text := strings.TrimSpace(query)
	text = strings.TrimSpace(strings.TrimSuffix(text, ";"))
	if text == "" {
		return "", errors.New("the query is empty; write one that returns id and secret of one user, such as `SELECT id, secret_token FROM users WHERE id = ?`")
	}
	if strings.ContainsRune(text, 0) {
		return "", errors.New("the query has a NUL in it")
	}
	word := text
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') }); i >= 0 {
		word = text[:i]
	}
	if word = strings.ToUpper(word); word != "SELECT" && word != "WITH" {
		return "", errors.New("the query begins with neither SELECT nor WITH; it only reads, as `SELECT id, secret_token FROM users WHERE id = ?` does")
	}
	var b strings.Builder
	marks, ones := 0, 0
	for i := 0; i < len(text); {
		if n := x.skip(text, i); n > 0 {
			b.WriteString(text[i : i+n])
			i += n
			continue
		}
		switch c := text[i]; {
		case c == '?':
			marks++
			if x.dollar {
				// apart from what it touches: `SELECT?` and `?0` would become other names
				if i > 0 && joins(text[i-1]) {
					b.WriteByte(' ')
				}
				b.WriteString("$1")
				if i+1 < len(text) && joins(text[i+1]) {
					b.WriteByte(' ')
				}
			} else {
				b.WriteByte(c)
			}
		case c == ';':
			return "", errors.New("the query has several statements; write one")
		case c == '$' && x.dollar && i+1 < len(text) && isDigit(text[i+1]) && (i == 0 || !isName(text[i-1])):
			end := i + 1
			for end < len(text) && isDigit(text[end]) {
				end++
			}
			if text[i+1:end] != "1" {
				return "", errors.New("the query has the parameter " + text[i:end] + "; there is one parameter only, the user's id: write ? or $1")
			}
			ones++
			b.WriteString("$1")
			i = end
			continue
		default:
			b.WriteByte(c)
		}
		i++
	}
	const cure = "write one ? where the user's id belongs, without quotes around it, as in `SELECT id, secret_token FROM users WHERE id = ?`"
	switch {
	case marks+ones == 0:
		return "", errors.New("the query has no parameter; " + cure)
	case marks > 1:
		return "", errors.New("the query has several parameters; " + cure)
	case marks > 0 && ones > 0:
		return "", errors.New("the query has both ? and $1; " + cure)
	}
	return b.String(), nil
}

// skip returns the length of the quoted text or comment that begins at i, 0 if none
// does. One that does not end goes on to the end of the query.
func (x syntax) skip(text string, i int) int {
	rest := text[i:]
	switch c := rest[0]; {
	case c == '\'' || c == '"' || c == '`' && !x.dollar:
		escape := c != '`' && (x.backslash || c == '\'' && x.dollar && i > 0 && (text[i-1] == 'E' || text[i-1] == 'e') && (i == 1 || !isName(text[i-2])))
		for j := 1; j < len(rest); j++ {
			switch {
			case rest[j] == '\\' && escape:
				j++
			case rest[j] == c:
				return j + 1 // a doubled quote begins the next text at once
			}
		}
		return len(rest)
	case strings.HasPrefix(rest, "--") && (x.dollar || len(rest) == 2 || rest[2] <= ' '), c == '#' && x.backslash:
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			return end
		}
		return len(rest)
	case strings.HasPrefix(rest, "/*"):
		return x.comment(rest)
	case c == '$' && x.dollar && (i == 0 || !isName(text[i-1])):
		end := 1
		for end < len(rest) && isName(rest[end]) {
			end++
		}
		if end == len(rest) || rest[end] != '$' || isDigit(rest[1]) {
			return 0
		}
		tag := rest[:end+1]
		if close := strings.Index(rest[end+1:], tag); close >= 0 {
			return end + 1 + close + len(tag)
		}
		return len(rest)
	}
	return 0
}

// comment returns the length of the comment with which the text begins.
func (x syntax) comment(text string) int {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch {
		case text[i] == '*' && text[i+1] == '/':
			i++
			if depth--; depth == 0 {
				return i + 1
			}
		case text[i] == '/' && text[i+1] == '*' && (depth == 0 || x.dollar):
			i++
			depth++
		}
	}
	return len(text)
}

// joins reports whether the character would be read together with a $1 beside it.
func joins(c byte) bool { return c == '$' || isName(c) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isName(c byte) bool {
	return c == '_' || isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
