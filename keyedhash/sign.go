package keyedhash

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// MissingFieldError says that a link cannot be made, because neither the request nor the
// grant says what stands in this field.
type MissingFieldError struct{ Field string }

// Error implements the interface error.
func (e *MissingFieldError) Error() string {
	return fmt.Sprintf("the link has a field <%s>, and nobody said what stands in it", e.Field)
}

// draft is a link while it is made.
type draft struct {
	path, raw string
	fields    map[string]string
}

// Sign implements [link.Signer]: it writes the times that the scheme has into the link,
// puts tokens and path together, and writes the signature where it belongs.
func (s *Scheme) Sign(r *link.Request, g link.Grant, key []byte) (string, error) {
	d := &draft{path: r.Path, raw: r.Query.Raw, fields: s.fieldsOf(r)}
	maps.Copy(d.fields, g.Fields)
	if name := s.signature.parameter(); name != "" {
		d.raw = query.Remove(d.raw, name)
	}
	base := g.Now
	if base.IsZero() {
		base = time.Unix(0, 0)
	}
	if err := s.writeTime(d, &s.expires, base, g.Expires); err != nil {
		return "", fmt.Errorf("expires: %w", err)
	}
	if s.issued.is() {
		if err := s.writeTime(d, &s.issued, base, g.Now); err != nil {
			return "", fmt.Errorf("issued: %w", err)
		}
	}
	// Read wants a signature, and no message has it in it.
	if err := s.put(d, "x"); err != nil {
		return "", err
	}
	signed := link.Request{Method: r.Method, Scheme: r.Scheme, Host: r.Host, Path: d.path, ClientIP: r.ClientIP}
	if err := signed.Query.Parse(d.raw); err != nil {
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
	for i, name := range s.names.Fields {
		if name != link.SignatureField && l.Fields[i].Value != d.fields[name] {
			return "", fmt.Errorf("the field <%s> cannot have this value: it holds what stands between the fields, and would end there", name)
		}
	}
	signature := string(s.mac.AppendSignature(nil, key, s.AppendMessage(nil, &signed, &l, key)))
	if err := s.put(d, signature); err != nil {
		return "", err
	}
	if d.raw == "" {
		return d.path, nil
	}
	return d.path + "?" + d.raw, nil
}

// fieldsOf are the fields that the request has already, where it has the form of a link.
func (s *Scheme) fieldsOf(r *link.Request) map[string]string {
	found := make(map[string]string)
	var into [maxFields]string
	for i := range s.tokens {
		t := &s.tokens[i]
		text, ok := r.Value(t.parameter)
		for j := 0; ok && j < len(t.transforms); j++ {
			text, ok = t.transforms[j].apply(text)
		}
		if ok && t.pattern.Split(text, into[:len(t.pattern.Fields())]) {
			for n, f := range t.pattern.Fields() {
				found[f.Name] = into[n]
			}
		}
	}
	if s.path != nil && s.path.pattern != nil && s.path.pattern.Split(r.Path, into[:len(s.path.pattern.Fields())]) {
		for n, f := range s.path.pattern.Fields() {
			found[f.Name] = query.UnescapePath(into[n])
		}
	}
	return found
}

// writeTime writes the time; the zero time leaves what is there, or writes the word that
// means: for ever. Where the scheme itself says how long its links are valid, it writes from
// when on.
func (s *Scheme) writeTime(d *draft, t *stamp, base, at time.Time) error {
	switch {
	case at.IsZero() && t.is() && t.form.Never != "" && !d.has(t.value):
		if t.form.Unit == 0 {
			return d.write(t.value, t.form.Never)
		}
		text, err := t.form.Write(base)
		if err != nil {
			return err
		}
		if err := d.write(t.value, text); err != nil || t.plus.kind == literal {
			return err
		}
		return d.write(t.plus, t.form.Never)
	case at.IsZero() && t.is() && t.form.Unit != 0 && t.plus.kind == literal && !d.has(t.value):
		text, err := t.form.Write(base)
		if err != nil {
			return err
		}
		return d.write(t.value, text)
	case at.IsZero():
		return nil
	case !t.is():
		return errors.New("a link of this scheme does not say until when it is valid")
	}
	text, plus, err := t.texts(base, at)
	if err != nil {
		return err
	}
	if err := d.write(t.value, text); err != nil || t.plus.kind == literal {
		return err
	}
	return d.write(t.plus, plus)
}

// has reports whether the link has the value already.
func (d *draft) has(v value) bool {
	switch v.kind { //nolint:exhaustive // times are made of nothing else
	case linkField:
		_, there := d.fields[v.name]
		return there
	case pathSegment:
		return nthSegment(d.path, v.n) != ""
	}
	var q query.Query
	if q.Parse(d.raw) != nil {
		return false
	}
	_, there := q.Find(v.name)
	return there
}

// write writes a value into the link.
func (d *draft) write(v value, text string) error {
	switch v.kind {
	case queryValue:
		d.raw = query.Set(d.raw, v.name, text)
	case linkField:
		d.fields[v.name] = text
	default:
		return fmt.Errorf("write %s into the path yourself", v)
	}
	return nil
}

// put puts tokens and path together, with this signature.
func (s *Scheme) put(d *draft, signature string) error {
	if s.signature.kind == linkField {
		d.fields[s.signature.name] = signature
	}
	values := make([]string, len(s.names.Fields))
	for i, name := range s.names.Fields {
		text, ok := d.fields[name]
		if !ok {
			return &MissingFieldError{name}
		}
		values[i] = text
	}
	for i := range s.tokens {
		t := &s.tokens[i]
		text := string(t.pattern.Join(nil, values[t.first:t.first+len(t.pattern.Fields())]))
		for _, x := range slices.Backward(t.transforms) {
			text = x.invert(text)
		}
		d.raw = query.Set(d.raw, t.parameter, text)
	}
	switch {
	case s.path != nil && s.path.cut:
		switch n := strings.Count(d.path, "/"); n {
		case s.path.segment:
			d.path += "/" + signature
		case s.path.segment + 1:
			d.path = d.path[:strings.LastIndexByte(d.path, '/')+1] + signature
		default:
			return fmt.Errorf("the path of a link has %d segments before the signature", s.path.segment)
		}
	case s.path != nil:
		escaped := make([]string, len(s.path.pattern.Fields()))
		for i := range escaped {
			escaped[i] = plusEscaped(escapePath(values[s.path.first+i]))
		}
		d.path = string(s.path.pattern.Join(nil, escaped))
	}
	if name := s.signature.parameter(); name != "" {
		d.raw = query.Set(d.raw, name, signature)
	}
	return nil
}
