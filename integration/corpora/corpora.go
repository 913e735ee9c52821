// Package corpora reads what the lines of testdata/corpora have in common; the README there
// says what their fields mean.
package corpora

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Bytes makes a byte of every character: JSON has no other way to write them.
func Bytes(s string) (string, error) {
	b := make([]byte, 0, len(s))
	for _, c := range s {
		if c > 0xFF {
			return "", fmt.Errorf("%q is no byte", c)
		}
		b = append(b, byte(c))
	}
	return string(b), nil
}

// Latin1 makes a character of every byte.
func Latin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// Assemble puts a target or a body together: of a string, or of a list of strings and of
// repetitions. Of nothing it makes nothing.
func Assemble(text json.RawMessage) (string, error) {
	var s string
	if len(text) == 0 || json.Unmarshal(text, &s) == nil {
		return Bytes(s)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, part := range list {
		var repeated struct {
			S string `json:"s"`
			N int    `json:"n"`
		}
		if json.Unmarshal(part, &s) == nil {
			b.WriteString(s)
		} else if err := json.Unmarshal(part, &repeated); err != nil {
			return "", err
		}
		for i := range repeated.N {
			b.WriteString(strings.ReplaceAll(repeated.S, "%d", fmt.Sprint(i)))
		}
	}
	return Bytes(b.String())
}

var signatures = regexp.MustCompile(`@(K|U|KB|KP):([^@]*)@`)

// Fill writes the signatures of verifiable URLs: K in hexadecimal digits, U in upper case,
// KB in Base64, and KP of the value decoded.
func Fill(text, secret string) string {
	return signatures.ReplaceAllStringFunc(text, func(match string) string {
		groups := signatures.FindStringSubmatch(match)
		kind, value := groups[1], groups[2]
		if kind == "KP" {
			decoded, err := url.PathUnescape(value)
			if err != nil {
				return match
			}
			value = decoded
		}
		sum := md5.Sum([]byte(value + secret))
		switch kind {
		case "KB":
			return base64.StdEncoding.EncodeToString(sum[:])
		case "U":
			return strings.ToUpper(hex.EncodeToString(sum[:]))
		default:
			return hex.EncodeToString(sum[:])
		}
	})
}
