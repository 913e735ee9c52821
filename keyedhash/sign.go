package keyedhash

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// Sign implements [link.Signer]: it writes the times that the scheme has into the
// query, and the signature behind everything else.
func (s *Scheme) Sign(r *link.Request, g link.Grant, key []byte) (string, error) {
	raw := query.Remove(r.Query.Raw, s.signature)
	raw, err := s.expires.write(raw, g.Expires)
	if err != nil {
		return "", fmt.Errorf("expires: %w", err)
	}
	if s.issued.parameter != "" {
		if raw, err = s.issued.write(raw, g.Now); err != nil {
			return "", fmt.Errorf("issued: %w", err)
		}
	}
	signed := link.Request{Method: r.Method, Scheme: r.Scheme, Host: r.Host, Path: r.Path, ClientIP: r.ClientIP}
	// Read wants a signature, and no message has it in it.
	if err := signed.Query.Parse(query.Set(raw, s.signature, "-")); err != nil {
		return "", err
	}
	for _, name := range s.required {
		if _, ok := signed.Query.Find(name); !ok {
			return "", fmt.Errorf("the parameter %q is signed, and the URL has none", name)
		}
	}
	l := link.Link{User: g.User}
	if refusal := s.Read(&signed, &l); !refusal.None() {
		return "", fmt.Errorf("no link of this scheme can be made of this URL (%s)", refusal)
	}
	signature := s.mac.AppendSignature(nil, key, s.AppendMessage(nil, &signed, &l, key))
	return r.Path + "?" + query.Set(raw, s.signature, string(signature)), nil
}

// write returns the query with the time; the zero time leaves what is there.
func (t stamp) write(raw string, at time.Time) (string, error) {
	switch {
	case at.IsZero():
		return raw, nil
	case t.parameter == "":
		return "", errors.New("a link of this scheme does not say until when it is valid")
	}
	var text string
	switch t.format {
	case link.UnixMS:
		text = strconv.FormatInt(at.UnixMilli(), 10)
	case link.RFC3339:
		text = at.UTC().Format(time.RFC3339)
	default:
		text = strconv.FormatInt(at.Unix(), 10)
	}
	if _, _, ok := (link.Timestamp{Text: text, Present: true, Format: t.format}).Time(); !ok || strings.HasPrefix(text, "-") {
		return "", fmt.Errorf("a link cannot carry the time %s", at.UTC().Format(time.RFC3339))
	}
	return query.Set(raw, t.parameter, text), nil
}
