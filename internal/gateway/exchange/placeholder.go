package exchange

import (
	"strings"
)

// PlaceholderPrefix is what our placeholders start with.
const PlaceholderPrefix = "http.signed_link."

// Publish sets the placeholders to what they are now, where they cannot be asked for. An
// empty one needs no setting: [silent] says so.
func (x *Exchange) Publish() {
	if x.shadowed == nil || x.replacer == nil {
		return
	}
	for _, name := range x.shadowed {
		if value, _ := x.placeholder(name); value != "" {
			x.replacer.Set(name, value)
		} else {
			x.replacer.Delete(name)
		}
	}
}

// placeholder returns the value of one of our placeholders: on every request, and
// empty where there is nothing to say, because Caddy leaves unknown ones literal.
func (x *Exchange) placeholder(key string) (any, bool) {
	name, ours := strings.CutPrefix(key, PlaceholderPrefix)
	if !ours {
		if key != UserPlaceholder {
			return nil, false
		}
		if x.Valid != nil && x.Valid.Scheme.User != nil {
			return x.Valid.User, true
		}
		return "", true
	}
	if claim, ok := strings.CutPrefix(name, "claim."); ok && x.Valid != nil {
		return x.Valid.Claims.Get(claim), true
	}
	switch name {
	case "user":
		if x.Valid != nil {
			return x.Valid.User, true
		}
	case "key_id":
		if x.Valid != nil {
			return x.Valid.KeyID, true
		}
	case "scheme":
		if x.Valid != nil {
			return x.Valid.SchemeName(), true
		} else if x.Last != nil {
			return x.Last.SchemeName(), true
		}
	case "verdict":
		if x.Last != nil {
			return x.Last.Word(), true
		}
	case "reason":
		if x.Last != nil {
			return string(x.Last.Reason), true
		}
	case "detail":
		if x.Last != nil {
			return x.Last.Detail, true
		}
	}
	return "", true
}

// UserPlaceholder is Caddy's own name for the authenticated user: the access
// log's user_id and FastCGI's REMOTE_USER are made from it.
const UserPlaceholder = "http.auth.user.id"
