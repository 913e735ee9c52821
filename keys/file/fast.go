package file

import (
	"bufio"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Files of user keys are large, and encoding/json reads them token by token in
// seconds. What is here reads the plain ones, and gives up on everything else,
// mistakes included: then encoding/json reads it and says what is wrong. It
// must accept nothing that encoding/json reads in another way.

// blanks skips JSON's white space.
func blanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// mark skips white space, one character and white space.
func mark(b []byte, c byte) ([]byte, bool) {
	if b = blanks(b); len(b) == 0 || b[0] != c {
		return nil, false
	}
	return blanks(b[1:]), true
}

// plainText reads a JSON string.
func plainText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return "", nil, false
	}
	escaped := false
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return "", nil, false
		case c == '"':
			text = string(b[1:i])
			if escaped && json.Unmarshal(b[:i+1], &text) != nil {
				return "", nil, false
			}
			return text, b[i+1:], !strings.ContainsRune(text, utf8.RuneError)
		}
	}
	return "", nil, false
}

// plainNumber reads a whole number.
func plainNumber(b []byte) (number string, rest []byte, ok bool) {
	n := 0
	if n < len(b) && b[n] == '-' {
		n++
	}
	first := n
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	if n == first || n == len(b) || b[first] == '0' && n > first+1 || strings.IndexByte(" \t\r\n,}", b[n]) < 0 {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}

// plainSecret reads a JSON string or null, which is the empty one.
func plainSecret(b []byte) (secret string, rest []byte, ok bool) {
	if len(b) >= 4 && string(b[:4]) == "null" {
		return "", b[4:], true
	}
	return plainText(b)
}

// plainMember reads the name of an object's member and the colon.
func plainMember(b []byte) (name string, rest []byte, ok bool) {
	if name, rest, ok = plainText(b); ok {
		rest, ok = mark(rest, ':')
	}
	return name, rest, ok
}

// plainLine reads a line of JSONL that has a user and a secret, and no more.
func plainLine(b []byte) (user, secret string, ok bool) {
	if b, ok = mark(b, '{'); !ok {
		return "", "", false
	}
	var hasUser, hasSecret bool
	for {
		var name string
		if name, b, ok = plainMember(b); !ok {
			return "", "", false
		}
		switch {
		case (name == "user" || name == "id") && !hasUser:
			hasUser = true
			read := plainNumber
			if len(b) > 0 && b[0] == '"' {
				read = plainText
			}
			if user, b, ok = read(b); !ok {
				return "", "", false
			}
		case name == "secret" && !hasSecret:
			hasSecret = true
			if secret, b, ok = plainSecret(b); !ok {
				return "", "", false
			}
		default:
			return "", "", false
		}
		if rest, more := mark(b, ','); more {
			b = rest
			continue
		}
		rest, end := mark(b, '}')
		return user, secret, end && len(rest) == 0 && hasUser && hasSecret
	}
}

// plainWindow is how far ahead a member of a JSON object is looked for.
const plainWindow = 4 << 10

// plainObject reads an object from user to secret for as long as it is plain.
// It consumes no more than what it hands to add, and returns how many bytes
// and members that were; what follows is a comma and the next member, if
// there were members already, or the end.
func plainObject(in *bufio.Reader, add func(user, secret string) bool) (n int64, members int) {
	discard := func(k int) {
		_, _ = in.Discard(k) // they are in its buffer
		n += int64(k)
	}
	window, _ := in.Peek(plainWindow)
	rest, ok := mark(window, '{')
	if !ok {
		return 0, 0
	}
	discard(len(window) - len(rest))
	for {
		window, _ := in.Peek(plainWindow)
		b, ok := window, true
		if members > 0 {
			b, ok = mark(b, ',')
		} else {
			b = blanks(b)
		}
		var user, secret string
		if ok {
			user, b, ok = plainMember(b)
		}
		if ok {
			secret, b, ok = plainSecret(b)
		}
		if !ok || !add(user, secret) {
			return n, members
		}
		discard(len(window) - len(b))
		members++
	}
}
