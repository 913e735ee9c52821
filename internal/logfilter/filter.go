// Package logfilter takes signatures out of logs.
package logfilter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/signedlink/caddy-signed-link/query"
)

func init() {
	caddy.RegisterModule(new(LogFilter))
}

// LogFilter takes signatures out of a log. It knows the signature parameters of every
// `signed_link` that is loaded, and replaces their values with `REDACTED`, in whatever
// spelling a backend could read them: `key=`, `k%65y=`, `KEY[]=`, `&amp;key=`, and in
// URLs within URLs. Where a definition reads signatures out of paths, it takes out what
// could be one at their place: `/unsubscribe/jeff@example.org/REDACTED`. Every other byte stays as it was, in its place. Expiry, user and all
// else in a link can still be read.
//
// Caddy writes down each request as it came, before any handler could take something
// out of it, in the access log and in the log of errors. So the filter belongs on both:
// on the `log` of each site and on the global one.
//
// It takes fields of every kind: text, such as `request>uri`; lists of text, such as
// `request>headers>Referer`; and whole objects, such as `request>headers` or `env`, in
// which it looks at everything. A filter on an object keeps other filters out of it.
//
// The names of further parameters can be given, for links that Caddy only passes on.
type LogFilter struct {
	// Parameters whose values are taken out, beside the signature parameters of all
	// definitions.
	Parameters []string `json:"parameters,omitempty"`

	own  *query.Redactor
	live *signatureNames
}

// CaddyModule returns the Caddy module information.
func (*LogFilter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.encoders.filter.signed_link",
		New: func() caddy.Module { return new(LogFilter) },
	}
}

// UnmarshalCaddyfile sets up the filter from Caddyfile tokens. Syntax:
//
//	signed_link [<parameter>...]
func (f *LogFilter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the name
	f.Parameters = d.RemainingArgs()
	if d.NextBlock(0) {
		return d.Err("the log filter signed_link has no block; write the names of further parameters behind it, if there are any")
	}
	return nil
}

// Provision sets up the filter. Caddy does so before it loads the first definition.
func (f *LogFilter) Provision(caddy.Context) error {
	f.live = &liveSignatures
	if len(f.Parameters) == 0 {
		return nil
	}
	own, err := query.NewRedactor(f.Parameters)
	if err != nil {
		return fmt.Errorf("log filter signed_link: %w", err)
	}
	f.own = own
	return nil
}

// Filter takes the signatures out of a field.
func (f *LogFilter) Filter(in zapcore.Field) zapcore.Field {
	switch in.Type { //nolint:exhaustive // the others are numbers and times
	case zapcore.StringType:
		in.String = f.redact(in.String)
	case zapcore.ByteStringType, zapcore.BinaryType:
		// Caddy's encoder makes binary data of text: FastCGI's stderr comes like that.
		if b, ok := in.Interface.([]byte); ok {
			return zap.ByteString(in.Key, []byte(f.redact(string(b))))
		}
	case zapcore.ArrayMarshalerType:
		switch array := in.Interface.(type) {
		case caddyhttp.LoggableStringArray:
			if clean, changed := f.redactAll(array); changed {
				in.Interface = caddyhttp.LoggableStringArray(clean)
			}
		case zapcore.ArrayMarshaler:
			in.Interface = filteredArray{f, array}
		}
	case zapcore.ObjectMarshalerType, zapcore.InlineMarshalerType:
		if object, ok := in.Interface.(zapcore.ObjectMarshaler); ok {
			in.Interface = filteredObject{f, object}
		}
	case zapcore.StringerType, zapcore.ErrorType:
		m := zapcore.NewMapObjectEncoder()
		in.AddTo(m) // which survives a nil pointer
		if text, ok := m.Fields[in.Key].(string); ok {
			if clean := f.redact(text); clean != text {
				return zap.String(in.Key, clean)
			}
		}
	case zapcore.ReflectType:
		in.Interface = f.redactValue(in.Interface)
	}
	return in
}

func (f *LogFilter) redact(s string) string {
	return f.own.Redact(f.live.redact(s))
}

// redactAll leaves the array as it is: it may be the header of the request itself.
func (f *LogFilter) redactAll(array []string) (clean []string, changed bool) {
	for i, s := range array {
		if r := f.redact(s); r != s {
			if !changed {
				array, changed = slices.Clone(array), true
			}
			array[i] = r
		}
	}
	return array, changed
}

// redactValue redacts a value that the log shows as JSON; it returns the value itself
// if there is nothing to take out.
func (f *LogFilter) redactValue(v any) any {
	switch v := v.(type) {
	case nil:
		return v
	case string:
		return f.redact(v)
	case []string:
		clean, _ := f.redactAll(v)
		return clean
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(v) != nil {
		return v // the log cannot show it either
	}
	decoder := json.NewDecoder(&b)
	decoder.UseNumber()
	var tree any
	if decoder.Decode(&tree) != nil {
		return v
	}
	if tree, changed := f.redactTree(tree); changed {
		return tree
	}
	return v
}

func (f *LogFilter) redactTree(v any) (clean any, changed bool) {
	switch v := v.(type) {
	case string:
		clean := f.redact(v)
		return clean, clean != v
	case []any:
		for i := range v {
			var c bool
			v[i], c = f.redactTree(v[i])
			changed = changed || c
		}
	case map[string]any:
		for name := range v {
			var c bool
			v[name], c = f.redactTree(v[name])
			changed = changed || c
		}
	}
	return v, changed
}

// filteredObject is an object whose fields are filtered as it is written.
type filteredObject struct {
	f      *LogFilter
	object zapcore.ObjectMarshaler
}

// MarshalLogObject writes the object.
func (o filteredObject) MarshalLogObject(to zapcore.ObjectEncoder) error {
	return o.object.MarshalLogObject(filteredFields{to, o.f})
}

// filteredArray is an array whose elements are filtered as it is written.
type filteredArray struct {
	f     *LogFilter
	array zapcore.ArrayMarshaler
}

// MarshalLogArray writes the array.
func (a filteredArray) MarshalLogArray(to zapcore.ArrayEncoder) error {
	return a.array.MarshalLogArray(filteredElements{to, a.f})
}

// filteredFields is an encoder that filters the fields of an object.
type filteredFields struct {
	zapcore.ObjectEncoder
	f *LogFilter
}

func (e filteredFields) AddString(key, value string) {
	e.ObjectEncoder.AddString(key, e.f.redact(value))
}

func (e filteredFields) AddByteString(key string, value []byte) {
	e.ObjectEncoder.AddByteString(key, []byte(e.f.redact(string(value))))
}

func (e filteredFields) AddBinary(key string, value []byte) {
	e.ObjectEncoder.AddBinary(key, []byte(e.f.redact(string(value))))
}

func (e filteredFields) AddArray(key string, array zapcore.ArrayMarshaler) error {
	return e.ObjectEncoder.AddArray(key, filteredArray{e.f, array})
}

func (e filteredFields) AddObject(key string, object zapcore.ObjectMarshaler) error {
	return e.ObjectEncoder.AddObject(key, filteredObject{e.f, object})
}

func (e filteredFields) AddReflected(key string, value any) error {
	return e.ObjectEncoder.AddReflected(key, e.f.redactValue(value))
}

// filteredElements is an encoder that filters the elements of an array.
type filteredElements struct {
	zapcore.ArrayEncoder
	f *LogFilter
}

func (e filteredElements) AppendString(value string) {
	e.ArrayEncoder.AppendString(e.f.redact(value))
}

func (e filteredElements) AppendByteString(value []byte) {
	e.ArrayEncoder.AppendByteString([]byte(e.f.redact(string(value))))
}

func (e filteredElements) AppendArray(array zapcore.ArrayMarshaler) error {
	return e.ArrayEncoder.AppendArray(filteredArray{e.f, array})
}

func (e filteredElements) AppendObject(object zapcore.ObjectMarshaler) error {
	return e.ArrayEncoder.AppendObject(filteredObject{e.f, object})
}

func (e filteredElements) AppendReflected(value any) error {
	return e.ArrayEncoder.AppendReflected(e.f.redactValue(value))
}

// Interface guards
var (
	_ logging.LogFieldFilter = (*LogFilter)(nil)
	_ caddyfile.Unmarshaler  = (*LogFilter)(nil)
	_ caddy.Provisioner      = (*LogFilter)(nil)
)
