package exchange

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logField is the field of the access log that says what became of a link.
const logField = "signed_link"

// logged is a request as the access log shows it: the verdict, and
// no user, whom the log's user_id has already. It is read when the line is written, after
// all definitions have spoken, and only if one is.
type logged struct{ *Exchange }

// logTo adds the field to the line of the request. It runs once for each request, and does
// nothing where the server writes no access log.
func (x *Exchange) logTo(r *http.Request) {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil || server.Logs == nil {
		return
	}
	if extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Set(zap.Object(logField, logged{x}))
	}
}

// MarshalLogObject implements [zapcore.ObjectMarshaler].
func (l logged) MarshalLogObject(e zapcore.ObjectEncoder) error {
	if l.Last == nil {
		return nil
	}
	speaks := l.Last
	if l.Valid != nil && speaks.None() {
		speaks = l.Valid // the first of those who agree
	}
	for _, f := range [...]struct{ name, value string }{
		{"scheme", speaks.SchemeName()},
		{"verdict", speaks.Word()},
		{"reason", string(speaks.Reason)},
		{"detail", speaks.Detail},
		{"key_id", speaks.KeyID},
	} {
		if f.value != "" {
			e.AddString(f.name, f.value)
		}
	}
	return nil
}
