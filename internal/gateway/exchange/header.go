package exchange

import (
	"net/http"
	"slices"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
)

// Admit has a link that verified speak for the request, if it is the one that does; required
// says that its definition requires a link.
func (x *Exchange) Admit(r *http.Request, v *definition.Verdict, required bool) {
	x.Required = x.Required || required
	x.verifiedBy = append(x.verifiedBy, v.Scheme.Name)
	// Caddy asks for what was set before it asks us: only where there is something, or
	// where it does not ask us, must this be set, too.
	set := x.shadowed != nil
	if x.replacer != nil && !set {
		earlier, _ := x.replacer.Get(UserPlaceholder)
		set = earlier != ""
	}
	if x.hear(r, v) && v.Scheme.User != nil && set && x.replacer != nil {
		x.replacer.Set(UserPlaceholder, v.User)
	}
}

// Dispute takes the identity back, because two links named two users, so that no further
// one can name any.
func (x *Exchange) Dispute(r *http.Request) {
	x.Forget(r)
	x.disputed = true
}

// Forget takes the identity back that an earlier definition gave the request.
func (x *Exchange) Forget(r *http.Request) {
	for _, field := range x.Headers {
		delete(r.Header, field.Name)
	}
	if x.Valid != nil && x.replacer != nil {
		x.replacer.Delete(UserPlaceholder)
	}
	x.Headers, x.Valid, x.Verified, x.verifiedBy, x.Required = nil, nil, nil, nil, false
	x.Publish()
}

// hear adds a link that verified, and reports whether it is the one that speaks. One link
// speaks for all: the first that named a user, or the first that verified if none did. All
// that says who, by which scheme, under which key and from which mailing comes from it,
// for a user of one link with the mailing of another would be somebody whom nobody
// signed. What the operator wants to know of the others is a request_header of theirs.
func (x *Exchange) hear(r *http.Request, v *definition.Verdict) bool {
	x.Verified = append(x.Verified, v)
	if x.Valid == nil {
		x.Valid = v
		x.setHeaders(r, v.Headers)
		return true
	}
	speaks := x.Valid.Scheme.User == nil && v.Scheme.User != nil
	if speaks {
		x.Valid = v
	}
	all := slices.Clone(x.Valid.Headers)
	for _, other := range x.Verified {
		for _, field := range other.Headers {
			if field.Requested && !slices.ContainsFunc(all, func(known definition.Header) bool { return known.Name == field.Name }) {
				all = append(all, field)
			}
		}
	}
	x.changeHeaders(r, all)
	return speaks
}

// setHeaders sets each header to exactly one value, and remembers it, so that the guard
// of a later definition spares it.
func (x *Exchange) setHeaders(r *http.Request, headers []definition.Header) {
	x.Headers = slices.Clip(headers)
	for i, field := range headers {
		if i >= len(x.fewValues) {
			r.Header[field.Name] = []string{field.Value}
			continue
		}
		x.fewValues[i] = field.Value
		r.Header[field.Name] = x.fewValues[i : i+1 : i+1]
	}
}

// changeHeaders puts others in place of the headers that were set.
func (x *Exchange) changeHeaders(r *http.Request, headers []definition.Header) {
	was := x.Headers
	x.Headers = headers
	for _, field := range was {
		if x.Value(field.Name) == "" {
			delete(r.Header, field.Name)
		}
	}
	for _, field := range headers {
		if !slices.Contains(was, field) {
			r.Header[field.Name] = []string{field.Value}
		}
	}
}

// Value is the value of the header that a definition of this request set.
func (x *Exchange) Value(name string) string {
	if x == nil {
		return ""
	}
	for _, field := range x.Headers {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}
