package keys

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"text/template"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const sesame = "open-sesame-1001"

// traces are the forms in which the secret could be recognized in a text.
func traces() []string {
	decimal := strings.Trim(fmt.Sprint([]byte(sesame)), "[]")
	golang := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(sesame)), "[]byte{"), "}")
	return []string{
		sesame, sesame[:6], hex.EncodeToString([]byte(sesame)), fmt.Sprintf("% x", sesame), decimal, strings.ReplaceAll(decimal, " ", ","),
		golang, base64.StdEncoding.EncodeToString([]byte(sesame)), fmt.Sprintf("%b", []byte(sesame)), fmt.Sprintf("%o", []byte(sesame)),
		fmt.Sprintf("%U", []rune(sesame)), fmt.Sprintf("%c", []byte(sesame)),
	}
}

func clean(t *testing.T, how, out string) {
	t.Helper()
	for _, trace := range traces() {
		if strings.Contains(strings.ToLower(out), strings.ToLower(trace)) {
			t.Errorf("%s shows the secret: %.300s", how, out)
			return
		}
	}
}

type (
	exported   struct{ Secret Secret }
	unexported struct {
		secret  Secret
		pointer *Secret
		key     Key
		inner   struct{ deep []map[string]Secret }
		any     any
		set     *Set
		users   *Users
		plain   Set
		lean    Users
		builder UsersBuilder
	}
	embedded struct{ Secret }
	nested   struct{ unexported }
)

// carriers are all the ways in which a program may hold the secret.
func carriers(t *testing.T) map[string]any {
	t.Helper()
	s := NewSecret([]byte(sesame))
	key := Key{ID: "2026", Secret: s, NotBefore: time.Unix(1, 0)}
	set, err := NewSet(key)
	if err != nil {
		t.Fatal(err)
	}
	users, err := NewUsers(map[string]Secret{"12": s})
	if err != nil {
		t.Fatal(err)
	}
	looked, err := users.UserKey(t.Context(), "12")
	if err != nil {
		t.Fatal(err)
	}
	var builder UsersBuilder
	if err := builder.Add("12", []byte(sesame)); err != nil {
		t.Fatal(err)
	}
	un := unexported{builder: builder, secret: s, pointer: &s, key: key, any: s, set: set, users: users, plain: *set, lean: *users}
	un.inner.deep = []map[string]Secret{{"x": s}, {"y": looked}}
	return map[string]any{
		"Secret": s, "*Secret": &s, "looked up": looked, "Key": key, "*Key": &key, "*Set": set, "Set": *set, "*Users": users, "Users": *users, "*UsersBuilder": &builder,
		"exported": exported{s}, "*exported": &exported{s}, "unexported": un, "*unexported": &un, "nested": nested{un}, "embedded": embedded{s},
		"[]Secret": []Secret{s, looked}, "[]*Secret": []*Secret{&s}, "[1]Secret": [1]Secret{s}, "[]Key": []Key{key}, "[]any": []any{s, &s, key},
		"map": map[string]Secret{"12": s}, "map of keys": map[string]*Key{"12": &key}, "map of nested": map[int]nested{1: {un}},
		"[]unexported": []unexported{un}, "error": errors.Join(fmt.Errorf("with %v", s)), "func": func() Secret { return s }, "**": func() **Secret { p := &s; return &p }(),
	}
}

// TestSecretNeverPrinted: a secret in any log. fmt reads unexported fields by
// reflection, without asking the type how it wants to be printed.
func TestSecretNeverPrinted(t *testing.T) {
	for name, v := range carriers(t) {
		for _, verb := range []string{"v", "+v", "#v", "s", "+s", "q", "#q", "+q", "x", "X", "# x", "#x", "d", "c", "U", "#U", "b", "o", "O", "e", "g", "t", "p", "T", "w", "z", "10v", "-40s", ".3s"} {
			clean(t, name+" with %"+verb, fmt.Sprintf("%"+verb, v))
		}
		clean(t, name+" with Sprint", fmt.Sprint(v))
		clean(t, name+" with Sprintln", fmt.Sprintln(v))
		for _, wrong := range []string{"", "%*d", "%!", "%[2]v", "%"} {
			clean(t, name+" in a wrong format", fmt.Sprintf(wrong, v, v))
		}

		if b, err := json.Marshal(v); err == nil {
			clean(t, name+" as JSON", string(b))
		} else {
			clean(t, name+" as JSON, error", err.Error())
		}
		if b, err := xml.Marshal(v); err == nil {
			clean(t, name+" as XML", string(b))
		}
		var buf bytes.Buffer
		_ = gob.NewEncoder(&buf).Encode(v)
		clean(t, name+" as gob", buf.String())

		buf.Reset()
		_ = template.Must(template.New("").Parse(`{{.}} {{printf "%q" .}}`)).Execute(&buf, v)
		clean(t, name+" in a template", buf.String())

		buf.Reset()
		log.New(&buf, "", 0).Print(v)
		for _, h := range []slog.Handler{slog.NewTextHandler(&buf, nil), slog.NewJSONHandler(&buf, nil)} {
			slog.New(h).Info("message", "value", v, slog.Group("group", "value", v))
		}
		for _, enc := range []zapcore.Encoder{zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())} {
			z := zap.New(zapcore.NewCore(enc, zapcore.AddSync(&buf), zap.DebugLevel))
			z.Info("message", zap.Any("any", v), zap.Reflect("reflect", v))
			z.Sugar().Infow("message", "value", v)
			z.Sugar().Infof("%+v", v)
		}
		clean(t, name+" in a log", buf.String())

		func() {
			defer func() { clean(t, name+" in a panic", fmt.Sprint(recover())) }()
			panic(v)
		}()
	}
}

// TestSecretShowsREDACTED: what is printed instead says why.
func TestSecretShowsREDACTED(t *testing.T) {
	s := NewSecret([]byte(sesame))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%10v"} {
		for _, v := range []any{s, &s, Secret{}} {
			if out := fmt.Sprintf(verb, v); out != "REDACTED" {
				t.Errorf("%s of %T: %q", verb, v, out)
			}
		}
		if out := fmt.Sprintf(verb, exported{s}); !strings.Contains(out, "REDACTED") {
			t.Errorf("%s of an exported field: %q", verb, out)
		}
	}
	key := Key{ID: "2026", Secret: s}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, v := range []any{key, &key, []Key{key}} {
			if out := fmt.Sprintf(verb, v); !strings.Contains(out, "REDACTED") || !strings.Contains(out, "2026") {
				t.Errorf("%s of %T: %q, want the id and REDACTED", verb, v, out)
			}
		}
	}
	b, err := json.Marshal(key)
	if err != nil || !strings.Contains(string(b), `"ID":"2026","Secret":"REDACTED"`) {
		t.Errorf("Key as JSON: %s, %v", b, err)
	}
	if b, err := json.Marshal(map[string]any{"s": s, "p": &s}); err != nil || string(b) != `{"p":"REDACTED","s":"REDACTED"}` {
		t.Errorf("as JSON: %s, %v", b, err)
	}
	if s.String() != "REDACTED" || s.GoString() != "REDACTED" || s.LogValue().String() != "REDACTED" {
		t.Error("a method does not say REDACTED")
	}
	if b, err := s.MarshalText(); err != nil || string(b) != "REDACTED" {
		t.Errorf("as text: %s, %v", b, err)
	}
}

func TestSecretBytes(t *testing.T) {
	b := []byte(sesame)
	s := NewSecret(b)
	b[0] = 'X'
	if string(s.Bytes()) != sesame {
		t.Error("the secret is not a copy")
	}
	if s.Empty() || cap(s.Bytes()) != len(sesame) {
		t.Error("the secret is empty, or can be appended to")
	}
	for _, empty := range []Secret{{}, NewSecret(nil), NewSecret([]byte{})} {
		if !empty.Empty() || empty.Bytes() != nil {
			t.Error("an empty secret is not empty")
		}
	}
	if reflect.TypeFor[Secret]().Comparable() {
		t.Error("a Secret can be compared with ==, in a time that depends on it")
	}
	if n := testing.AllocsPerRun(100, func() { _ = s.Bytes() }); n != 0 {
		t.Errorf("Bytes allocates %v times", n)
	}
}
