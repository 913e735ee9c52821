package inline_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/keys/inline"
	"github.com/signedlink/caddy-signed-link/keys/keystest"
)

// load does what Caddy does: it decodes the module's configuration strictly
// and provisions it.
func load(t *testing.T, config string) (*inline.Source, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	module, err := ctx.LoadModuleByID("http.signed_link.keys.inline", json.RawMessage(config))
	if err != nil {
		return nil, err
	}
	return module.(*inline.Source), nil
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLoad(t *testing.T) {
	t.Setenv("LINK_SECRET", "from-the-environment")
	t.Setenv("LINK_EMPTY", "")
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("ZnJvbSBhIGZpbGU\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, config, err string }{
		{"nothing", `{}`, ""},
		{"env", `{"secrets":[{"secret":"{env.LINK_SECRET}"}]}`, ""},
		{"file", `{"secrets":[{"secret":"{file.` + filepath.ToSlash(path) + `}","encoding":"base64url"}]}`, ""},
		{"users", `{"users":{"12":"{env.LINK_SECRET}"}}`, ""},
		{"both", `{"secrets":[{"secret":"{env.LINK_SECRET}"}],"users":{"12":"{env.LINK_SECRET}"}}`, ""},

		{"unset", `{"secrets":[{"secret":"{env.LINK_UNSET}"}]}`, "key 1: the environment variable LINK_UNSET is not set"},
		{"empty variable", `{"secrets":[{"secret":"{env.LINK_EMPTY}"}]}`, "key 1: the environment variable LINK_EMPTY is set but empty"},
		{"no secret", `{"secrets":[{"id":"a"}]}`, "key 1: the secret is empty"},
		{"request's path", `{"secrets":[{"secret":"{http.request.uri.path.file.akid}"}]}`, "write {file./etc/caddy/akid}"},
		{"encoding", `{"secrets":[{"secret":"hunter2","encoding":"hex"}]}`, "key 1: the secret is not hexadecimal"},
		{"unknown encoding", `{"secrets":[{"secret":"hunter2","encoding":"rot13"}]}`, `encoding "rot13" is unknown`},
		{"not_before", `{"secrets":[{"secret":"hunter2","not_before":"tomorrow"}]}`, "key 1: not_before: tomorrow is no time"},
		{"not_after", `{"secrets":[{"secret":"hunter2"},{"secret":"hunter2","not_after":"31.12.2026"}]}`, "key 2: not_after: 31.12.2026 is no time"},
		{"reversed", `{"secrets":[{"secret":"hunter2","not_before":"2027-01-01","not_after":"2026-01-01"}]}`, "can never be valid"},
		{"no id", `{"secrets":[{"id":"a","secret":"hunter2"},{"secret":"hunter2"}]}`, "key 2 has no id"},
		{"same id", `{"secrets":[{"id":"a","secret":"hunter2"},{"id":"a","secret":"hunter2"}]}`, "the same id"},
		{"unknown field", `{"secrets":[{"key":"hunter2"}]}`, "unknown field"},
		{"user unset", `{"users":{"12":"{env.LINK_UNSET}"}}`, `user "12": the environment variable LINK_UNSET is not set`},
		{"user empty", `{"users":{"12":""}}`, `user "12": the secret is empty`},
		{"user empty variable", `{"users":{"12":"{env.LINK_EMPTY}"}}`, `user "12": the environment variable LINK_EMPTY is set but empty`},
		{"user without id", `{"users":{"":"hunter2"}}`, "the user's id is empty"},
		{"long user", `{"users":{"` + strings.Repeat("u", 257) + `":"hunter2"}}`, "257 bytes"},
		{"placeholder in a secret", `{"users":{"12":"hunter2{env.LINK_SECRET}"}}`, "not a placeholder that a secret can come from"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := load(t, tc.config)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("error %v, want %q", err, tc.err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestValues(t *testing.T) {
	t.Setenv("LINK_SECRET", "00ff")
	s, err := load(t, `{"secrets":[
		{"id":"2027","secret":"{env.LINK_SECRET}","encoding":"hex","not_before":"2026-12-01"},
		{"id":"2026","secret":"a\\{b\\}","not_after":"2027-02-01T00:00:00+01:00"}],
		"users":{"12":"{env.LINK_SECRET}"}}`)
	if err != nil {
		t.Fatal(err)
	}
	sets, err := s.OpenSet()
	if err != nil {
		t.Fatal(err)
	}
	all := sets.KeySet().All()
	if len(all) != 2 || string(all[0].Secret.Bytes()) != "\x00\xff" || string(all[1].Secret.Bytes()) != "a{b}" {
		t.Fatal("other secrets than configured")
	}
	if !all[0].NotBefore.Equal(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) || !all[0].NotAfter.IsZero() ||
		!all[1].NotAfter.Equal(time.Date(2027, 1, 31, 23, 0, 0, 0, time.UTC)) || !all[1].NotBefore.IsZero() {
		t.Errorf("other times than configured: %v", all)
	}
	users, err := s.OpenUsers()
	if err != nil {
		t.Fatal(err)
	}
	if key, err := users.UserKey(t.Context(), "12"); err != nil || string(key.Bytes()) != "00ff" {
		t.Errorf("user 12: error %v, or another secret", err)
	}
	// What is configured stays symbolic: Caddy prints it.
	if out := marshal(t, s); strings.Contains(out, "00ff") || strings.Count(out, "{env.LINK_SECRET}") != 2 {
		t.Errorf("as JSON: %s", out)
	}
}

func TestOpenWrongKind(t *testing.T) {
	for i, tc := range []struct{ config, set, users string }{
		{`{}`, "at least one in secrets", "at least one in users"},
		{`{"secrets":[{"secret":"hunter2"}]}`, "", "configure secrets where a key set is wanted"},
		{`{"users":{"12":"hunter2"}}`, "configure users where user keys are wanted", ""},
	} {
		s, err := load(t, tc.config)
		if err != nil {
			t.Fatal(err)
		}
		set, err := s.OpenSet()
		if tc.set == "" && (err != nil || set.KeySet() == nil) || tc.set != "" && (set != nil || err == nil || !strings.Contains(err.Error(), tc.set)) {
			t.Errorf("Test %d: OpenSet: %v, want %q", i, err, tc.set)
		}
		users, err := s.OpenUsers()
		if tc.users == "" && (err != nil || users == nil) || tc.users != "" && (users != nil || err == nil || !strings.Contains(err.Error(), tc.users)) {
			t.Errorf("Test %d: OpenUsers: %v, want %q", i, err, tc.users)
		}
	}
}

// TestNeverPrinted: a secret in any log, also one that stands in clear in the
// configuration. Its JSON alone is faithful.
func TestNeverPrinted(t *testing.T) {
	const config = `{"secrets":[{"id":"a","secret":"hunter2"}],"users":{"12":"hunter2"}}`
	s, err := load(t, config)
	if err != nil {
		t.Fatal(err)
	}
	if out := marshal(t, s); out != config {
		t.Errorf("as JSON: %s, want %s", out, config)
	}
	for _, v := range []any{s, *s, []any{s}, s.Secrets, s.Secrets[0], &s.Secrets[0], map[string]any{"x": *s}, struct{ Source inline.Source }{*s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%z", "%U"} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, "hunter2") || strings.Contains(out, "68756e746572") || !strings.Contains(out, "REDACTED") {
				t.Errorf("%s of %T: %s", verb, v, out)
			}
		}
	}
	var buf bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&buf, nil), slog.NewJSONHandler(&buf, nil)} {
		slog.New(h).Info("", "source", s, "value", *s, "secret", s.Secrets[0])
	}
	if strings.Contains(buf.String(), "hunter2") {
		t.Errorf("in the log: %s", buf.String())
	}
	for _, out := range []string{s.GoString(), s.Secrets[0].String(), s.Secrets[0].GoString()} {
		if !strings.Contains(out, "REDACTED") {
			t.Errorf("%s", out)
		}
	}
}

// TestWarnings: a secret in clear warns, and the warning does not repeat it.
func TestWarnings(t *testing.T) {
	t.Setenv("LINK_SECRET", "from-the-environment")
	for _, tc := range []struct {
		name, config string
		want         []string
	}{
		{"none", `{"secrets":[{"secret":"{env.LINK_SECRET}"}],"users":{"12":"{env.LINK_SECRET}"}}`, nil},
		{"secret", `{"secrets":[{"id":"a","secret":"{env.LINK_SECRET}"},{"id":"b","secret":"hunter2"}]}`, []string{`"key":2`}},
		{"users", `{"users":{"12":"hunter2","13":"{env.LINK_SECRET}","14":"hunter22"}}`, []string{`"users":2`}},
		{"both", `{"secrets":[{"secret":"hunter2"}],"users":{"12":"hunter2"}}`, []string{`"key":1`, `"users":1`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lines := warnings(t, tc.config)
			if len(lines) != len(tc.want) {
				t.Fatalf("%d warnings, want %d: %s", len(lines), len(tc.want), lines)
			}
			for i, line := range lines {
				if !strings.Contains(line, "in clear") || !strings.Contains(line, tc.want[i]) || strings.Contains(line, "hunter2") || strings.Contains(line, "from-the-environment") {
					t.Errorf("warning: %s, want %s", line, tc.want[i])
				}
			}
		})
	}
}

// warnings provisions the module and returns what it logs.
func warnings(t *testing.T, config string) []string {
	t.Helper()
	var buf bytes.Buffer
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	logger := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&buf), zap.DebugLevel))
	var s inline.Source
	if err := json.Unmarshal([]byte(config), &s); err != nil {
		t.Fatal(err)
	}
	if err := inline.Provision(&s, logger); err != nil {
		t.Fatal(err)
	}
	return strings.FieldsFunc(buf.String(), func(r rune) bool { return r == '\n' })
}

func TestUsersConformance(t *testing.T) {
	keystest.Users(t, func(t *testing.T, users map[string]string) keys.UserSource {
		users = maps.Clone(users)
		maps.DeleteFunc(users, func(_, secret string) bool { return secret == "" })
		s, err := load(t, marshal(t, inline.Source{Users: users}))
		if err != nil {
			t.Fatal(err)
		}
		source, err := s.OpenUsers()
		if err != nil {
			t.Fatal(err)
		}
		return source
	})
}

func TestSetConformance(t *testing.T) {
	keystest.Sets(t, func(t *testing.T, want []keys.Key) keys.SetSource {
		var config inline.Source
		for _, k := range want {
			c := inline.Secret{ID: k.ID, Secret: string(k.Secret.Bytes())}
			if !k.NotBefore.IsZero() {
				c.NotBefore = k.NotBefore.Format(time.RFC3339)
			}
			if !k.NotAfter.IsZero() {
				c.NotAfter = k.NotAfter.Format(time.RFC3339)
			}
			config.Secrets = append(config.Secrets, c)
		}
		s, err := load(t, marshal(t, config))
		if err != nil {
			t.Fatal(err)
		}
		source, err := s.OpenSet()
		if err != nil {
			t.Fatal(err)
		}
		return source
	})
}
