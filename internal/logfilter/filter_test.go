package logfilter

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// logFilter is a filter that knows these signature parameters.
func logFilter(t testing.TB, names ...string) *LogFilter {
	t.Helper()
	f := &LogFilter{live: new(signatureNames)}
	if err := f.live.hold(names); err != nil {
		t.Fatal(err)
	}
	return f
}

// encoded is the field as the JSON log has it.
func encoded(t testing.TB, f zapcore.Field) string {
	t.Helper()
	line, err := zapcore.NewJSONEncoder(zapcore.EncoderConfig{}).EncodeEntry(zapcore.Entry{}, []zapcore.Field{f})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line.String())
}

type nilStringer struct{}

func (*nilStringer) String() string { panic("nil") }

// TestLogFilterFields: fields of every kind that Caddy's encoder hands over.
func TestLogFilterFields(t *testing.T) {
	f := logFilter(t, "key", "sig")
	u, err := url.Parse("http://h/?key=SIG")
	if err != nil {
		t.Fatal(err)
	}
	object := zapcore.ObjectMarshalerFunc(func(e zapcore.ObjectEncoder) error {
		e.AddString("uri", "/?key=SIG&a=b")
		e.AddByteString("bytes", []byte("?key=SIG"))
		e.AddBinary("binary", []byte("?key=SIG"))
		e.AddInt("n", 7)
		if err := e.AddReflected("any", map[string]any{"x": []any{"?key=SIG", 1}}); err != nil {
			return err
		}
		if err := e.AddObject("headers", caddyhttp.LoggableHTTPHeader{Header: map[string][]string{"Referer": {"/", "/?sig=SIG"}}}); err != nil {
			return err
		}
		return e.AddArray("list", zapcore.ArrayMarshalerFunc(func(a zapcore.ArrayEncoder) error {
			a.AppendString("?sig=SIG")
			a.AppendByteString([]byte("?sig=SIG"))
			a.AppendBool(true)
			if err := a.AppendReflected([]string{"?sig=SIG"}); err != nil {
				return err
			}
			if err := a.AppendObject(caddyhttp.LoggableHTTPHeader{Header: map[string][]string{"A": {"?sig=SIG"}}}); err != nil {
				return err
			}
			return a.AppendArray(caddyhttp.LoggableStringArray{"?sig=SIG"})
		}))
	})
	for _, x := range []struct {
		field zapcore.Field
		want  string
	}{
		{zap.String("f", "/x?a=1&key=SIG"), `{"f":"/x?a=1&key=REDACTED"}`},
		{zap.String("f", "/x?a=1"), `{"f":"/x?a=1"}`},
		{zap.ByteString("f", []byte("key=SIG")), `{"f":"key=REDACTED"}`},
		{zap.Any("f", []byte("PHP message: key=SIG")), `{"f":"PHP message: key=REDACTED"}`},
		{zap.Array("f", caddyhttp.LoggableStringArray{"/", "?key=SIG", "/x", "?sig=SIG"}), `{"f":["/","?key=REDACTED","/x","?sig=REDACTED"]}`},
		{zap.Array("f", caddyhttp.LoggableStringArray{"/"}), `{"f":["/"]}`},
		{zap.Strings("f", []string{"?key=SIG"}), `{"f":["?key=REDACTED"]}`},
		{zap.Stringer("f", u), `{"f":"http://h/?key=REDACTED"}`},
		{zap.Stringer("f", (*nilStringer)(nil)), `{"f":"<nil>"}`},
		{zap.Error(errors.New("GET /?key=SIG failed")), `{"error":"GET /?key=REDACTED"}`},
		{zap.Int("f", 7), `{"f":7}`},
		{zap.Skip(), `{}`},
		{zap.Reflect("f", nil), `{"f":null}`},
		{zap.Reflect("f", "key=SIG"), `{"f":"key=REDACTED"}`},
		{zap.Any("f", map[string]string{"b": "<?key=SIG", "a": "<x>"}), `{"f":{"a":"<x>","b":"<?key=REDACTED"}}`},
		{zap.Any("f", map[string]string{"b": "<x>"}), `{"f":{"b":"<x>"}}`},
		{zap.Reflect("f", []string{"key=SIG"}), `{"f":["key=REDACTED"]}`},
		{zap.Reflect("f", struct {
			N uint64
			S []*url.URL
		}{1<<64 - 1, nil}), `{"f":{"N":18446744073709551615,"S":null}}`},
		{
			zap.Object("f", object),
			`{"f":{"uri":"/?key=REDACTED&a=b","bytes":"?key=REDACTED","binary":"P2tleT1SRURBQ1RFRA==","n":7,"any":{"x":["?key=REDACTED",1]},` +
				`"headers":{"Referer":["/","/?sig=REDACTED"]},"list":["?sig=REDACTED","?sig=REDACTED",true,["?sig=REDACTED"],{"A":["?sig=REDACTED"]},["?sig=REDACTED"]]}}`,
		},
	} {
		if got := encoded(t, f.Filter(x.field)); got != x.want {
			t.Errorf("got  %s\nwant %s", got, x.want)
		}
	}
	array := caddyhttp.LoggableStringArray{"?key=SIG"}
	f.Filter(zap.Array("f", array))
	if array[0] != "?key=SIG" {
		t.Error("the header of the request itself was changed")
	}
	for _, field := range []zapcore.Field{
		zap.String("uri", "/app?user=jeff&until=4102444800&x=%20"),
		zap.Array("Referer", caddyhttp.LoggableStringArray{"https://example.org/x?a=b"}),
	} {
		if n := testing.AllocsPerRun(100, func() { f.Filter(field) }); n != 0 {
			t.Errorf("%v allocations where there is nothing to do: %v", n, field)
		}
	}
}

// TestSignatureNames: names are counted, so that a reload, in which the old and the new
// definition are loaded at once, and one that fails leave no gap; and they linger for
// requests that are under way.
func TestSignatureNames(t *testing.T) {
	now := time.Unix(0, 0)
	s := &signatureNames{now: func() time.Time { return now }}
	filtered := func(name string) bool { return s.redact("?"+name+"=SIG") == "?"+name+"=REDACTED" }
	check := func(when string, want map[string]bool) {
		t.Helper()
		for name, want := range want {
			if filtered(name) != want {
				t.Errorf("%s: %s is filtered: %v", when, name, !want)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check("at first", map[string]bool{"key": false})
	must(s.hold([]string{"key", "sig"}))
	check("old", map[string]bool{"key": true, "sig": true, "akid": false})
	must(s.hold([]string{"key", "akid"}))
	must(s.release([]string{"key", "sig"}))
	check("reloaded", map[string]bool{"key": true, "sig": true, "akid": true})
	now = now.Add(linger - 1)
	must(s.hold(nil))
	check("under way", map[string]bool{"sig": true})
	must(s.hold([]string{"sig"})) // it comes back
	now = now.Add(linger)
	must(s.release(nil))
	check("again", map[string]bool{"key": true, "sig": true, "akid": true})
	must(s.release([]string{"sig"}))
	must(s.release([]string{"key", "akid"}))
	now = now.Add(linger)
	must(s.release(nil))
	check("at last", map[string]bool{"key": false, "sig": false, "akid": false})

	must(s.hold([]string{"key"}))
	if err := s.hold([]string{"a=b"}); err == nil {
		t.Error("a=b is a name")
	}
	check("after an error", map[string]bool{"key": true})
	if len(s.holders) != 1 || len(s.released) != 0 {
		t.Errorf("%v %v", s.holders, s.released)
	}
}

// FuzzLogFilter: whatever stands around it, no value of a parameter that [query.Names]
// takes for a signature survives, and all else stays as it was.
func FuzzLogFilter(f *testing.F) {
	filter := logFilter(f, "key", "link_sig", "akid")
	names, err := query.NewNames(backend.Strict, []string{"key", "link_sig", "akid"})
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{
		"key", "k%65y", "KEY", "+key", "?key", "key[]", "key%5Bx%5D", "key%00x", "link.sig", "link[sig", "[akid]", "amp;key", "a=1;key",
		"ｋｅｙ", "%u006bey", "key%20", "a=b;c;key", "#38;akid", "key[/?#]", "user", "next=%2F%3Fkey", "", "key;x",
	} {
		f.Add("/app?user=jeff&", name, "&b=%20&&c", 1)
		f.Add("https://h/x#y?", name, "?x=1;key=2", 0)
	}
	f.Add("?\"", "keY%00", ";keY=", 30) // the NUL is not in the name that is spelled
	f.Add("?", "x[;key", "]=1;key=", 1)
	f.Add("?", "x%00;key%00y", "", 1)
	f.Fuzz(func(t *testing.T, before, name, after string, depth int) {
		const canary = "c4n4ry"
		if strings.Contains(before+name+after, canary) || strings.ContainsAny(name, "\r\n") || len(before+name+after) > 1<<14 {
			return
		}
		text := before + name + "=" + canary + after
		out := filter.Filter(zap.String("uri", text)).String

		// every other byte: what is left stands in the text, in order, and the ends are its ends
		rest := text
		pieces := strings.Split(out, query.Redacted)
		for i, piece := range pieces {
			at := strings.Index(rest, piece)
			if at < 0 || i == 0 && at > 0 {
				t.Fatalf("%q became %q: %q is not in it", text, out, piece)
			}
			rest = rest[at+len(piece):]
		}
		if len(pieces) == 1 && out != text {
			t.Fatalf("%q became %q", text, out)
		}
		if again := filter.Filter(zap.String("uri", out)).String; again != out && len(out) <= query.MaxBytes {
			t.Errorf("%q, a second time: %q", out, again)
		}

		// the segment of the name, as a backend finds it
		_, raw, ok := strings.Cut(text, "?")
		if !ok {
			raw = text
		}
		for segment := range strings.SplitSeq(raw, "&") {
			if strings.ContainsAny(segment, "\r\n") || !strings.Contains(segment, "="+canary) {
				continue
			}
			own, _, _ := strings.Cut(segment, "="+canary)
			if _, spelling := names.Classify(own + "="); spelling != query.Other && strings.Contains(out, canary) {
				t.Errorf("%q survives in %q: %q", segment, text, out)
			}
		}

		// and the same within the value of another parameter
		if _, spelling := names.Classify(name); spelling == query.Other || depth < 0 || depth > 3 || strings.ContainsAny(name, "=") {
			return
		}
		nested := "?" + name + "=" + canary
		for range depth {
			nested = url.QueryEscape(nested)
		}
		if out := filter.Filter(zap.String("uri", "/login?next="+nested+"&x=y")).String; strings.Contains(out, canary) || !strings.HasSuffix(out, "&x=y") && depth > 0 {
			t.Errorf("%q survives: %q", nested, out)
		}
	})
}
