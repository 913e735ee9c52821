package file

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/keys/keystest"
)

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// source is a Source of a new file, with what it logs.
func source(t testing.TB, name, content string) (*Source, *bytes.Buffer) {
	t.Helper()
	var buf bytes.Buffer
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	logger := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&buf), zap.DebugLevel))
	s := &Source{Path: write(t, name, content), logger: logger, every: time.Hour}
	t.Cleanup(func() {
		if err := s.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	return s, &buf
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("error %v", err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	if err != nil && strings.Contains(err.Error(), "hunter") {
		t.Errorf("the error shows the secret: %v", err)
	}
}

func TestOpenSet(t *testing.T) {
	for _, tc := range []struct {
		name, content string
		keys          int
		err           string
	}{
		{"one", `{"keys":[{"secret":"hunter2"}]}`, 1, ""},
		{"byte order mark", "\xef\xbb\xbf" + `{"keys":[{"secret":"hunter2"}]}` + "\n", 1, ""},
		{"all members", `{"keys":[{"id":"a","secret":"aHVudGVyMg","encoding":"base64","not_before":"2026-01-01T00:00:00Z","not_after":"2027-01-01"},{"id":"b","secret":"hunter2"}]}`, 2, ""},

		{"empty file", "", 0, "line 1: the JSON ends in the middle"},
		{"cut off", "{\"keys\":[\n{\"secret\":\"hunter2\"", 0, "line 2: the JSON ends in the middle"},
		{"cut off in text", "{\"keys\":[\n{\"secret\":\"hunter", 0, "the JSON ends in the middle"},
		{"no object", `[{"secret":"hunter2"}]`, 0, "a key set is a JSON object of the form"},
		{"text", `"hunter2"`, 0, "a key set is a JSON object of the form"},
		{"raw", "hunter2", 0, "line 1: the JSON cannot be read here"},
		{"user keys", `{"12":"hunter2"}`, 0, `line 1: the name "12" is unknown here`},
		{"no keys", `{}`, 0, `there is no "keys"`},
		{"null", `{"keys":null}`, 0, "a key set is a JSON object of the form"},
		{"keys as object", `{"keys":{"a":"hunter2"}}`, 0, "a key set is a JSON object of the form"},
		{"keys as texts", `{"keys":["hunter2"]}`, 0, "a key set is a JSON object of the form"},
		{"empty list", `{"keys":[]}`, 0, "there is no key"},
		{"keys twice", `{"keys":[{"secret":"hunter2"}],"keys":[{"secret":"hunter3"}]}`, 0, `"keys" stands twice`},
		{"unknown member", "{\"keys\":[\n\n{\"secret\":\"hunter2\",\n\"expires\":\"2027\"}]}", 0, `line 4: the name "expires" is unknown in a key`},
		{"other case", `{"keys":[{"Secret":"hunter2"}]}`, 0, `"Secret" is unknown in a key`},
		{"member beside keys", `{"version":1,"keys":[{"secret":"hunter2"}]}`, 0, `"version" is unknown here`},
		{"member twice", `{"keys":[{"secret":"hunter2","secret":"hunter3"}]}`, 0, `"secret" stands twice`},
		{"no secret", `{"keys":[{"id":"a"}]}`, 0, `the key has no "secret"`},
		{"empty secret", `{"keys":[{"secret":""}]}`, 0, "the secret is empty"},
		{"null secret", `{"keys":[{"secret":null}]}`, 0, "the value of secret is not text"},
		{"number as secret", `{"keys":[{"secret":1234567}]}`, 0, "the value of secret is not text"},
		{"number as id", `{"keys":[{"id":2026,"secret":"hunter2"}]}`, 0, "the value of id is not text"},
		{"trailing object", `{"keys":[{"secret":"hunter2"}]}{}`, 0, "something stands behind the end"},
		{"trailing text", "{\"keys\":[{\"secret\":\"hunter2\"}]}\n\nhunter", 0, "line 3: something stands behind the end"},
		{"encoding", "{\"keys\":[\n{\"secret\":\"hunter2\",\"encoding\":\"hex\"}]}", 0, "line 2: the secret is not hexadecimal"},
		{"time", `{"keys":[{"secret":"hunter2","not_after":"soon"}]}`, 0, "not_after: soon is no time"},
		{"time before", `{"keys":[{"secret":"hunter2","not_before":"soon"}]}`, 0, "not_before: soon is no time"},
		{"same id", `{"keys":[{"id":"a","secret":"hunter2"},{"id":"a","secret":"hunter3"}]}`, 0, `the same id "a"`},
		{"no comma", `{"keys":[{"id":"a","secret":"hunter2"} {"id":"b","secret":"hunter3"}]}`, 0, "cannot be read here"},
		{"comma too many", `{"keys":[{"secret":"hunter2"},]}`, 0, "line 1:"},
		{"unquoted", "{\"keys\":[{\"id\":\"a\",\n\"secret\":hunter2}]}", 0, "line 2: the JSON cannot be read here"},
		{"not UTF-8", "{\"keys\":[{\"secret\":\"hunter\xff\"}]}", 0, "not valid UTF-8"},
		{"half a surrogate", `{"keys":[{"secret":"hunter\ud800"}]}`, 0, "not valid UTF-8"},
		{"placeholder", `{"keys":[{"secret":"{env.HUNTER}"}]}`, 0, "begins like a placeholder"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _ := source(t, "keys.json", tc.content)
			set, err := s.OpenSet()
			wantError(t, err, tc.err)
			if tc.err == "" && (set == nil || set.KeySet().Len() != tc.keys) || tc.err != "" && set != nil {
				t.Errorf("set %v", set)
			}
			if err != nil && !strings.Contains(err.Error(), s.Path) {
				t.Errorf("the error does not name the file: %v", err)
			}
		})
	}
}

func TestOpenUsers(t *testing.T) {
	long := strings.Repeat("u", 257)
	for _, tc := range []struct {
		name, file, content string
		want                map[string]string
		err                 string
	}{
		{"JSON", "u.json", `{"42":"hunter2", "a,b":"hunter3", "null":"hunter4", "e":"", "n":null}`, map[string]string{"42": "hunter2", "a,b": "hunter3", "null": "hunter4", "e": "", "n": ""}, ""},
		{"JSON, byte order mark", "u.JSON", "\xef\xbb\xbf{\"42\":\"hunter2\"}\n", map[string]string{"42": "hunter2"}, ""},
		{"JSON, escapes", "u.json", `{"\u0034\u0032":"hunter\u0000\ud83d\ude00"}`, map[string]string{"42": "hunter\x00😀"}, ""},
		{"JSON, comma at the end", "u.json", "{\"42\":\"hunter2\",\n}", nil, "line 2: the JSON cannot be read here"},
		{"JSON, comma at the start", "u.json", `{,"42":"hunter2"}`, nil, "cannot be read here"},
		{"JSON, no comma", "u.json", "{\"42\":\"hunter2\"\n\"43\":\"hunter3\"}", nil, "line 2: the JSON cannot be read here"},
		{"JSON, long secret", "u.json", `{"42":"hunter2","43":"` + strings.Repeat("h", 2*plainWindow) + `","44":"hunter4"}`, map[string]string{"42": "hunter2", "43": strings.Repeat("h", 2*plainWindow), "44": "hunter4"}, ""},
		{"JSON, mistake behind a long secret", "u.json", "{\"42\":\"hunter2\",\n\"43\":\"" + strings.Repeat("h", 2*plainWindow) + "\",\n\"44\":4}", nil, "line 3: the secret is not text"},
		{"JSON, nul", "u.json", `{"42":nul}`, nil, "cannot be read here"},
		{"JSONL, leading zero", "u.jsonl", `{"user":042,"secret":"hunter2"}`, nil, "cannot be read here"},
		{"JSONL, only a sign", "u.jsonl", `{"user":-,"secret":"hunter2"}`, nil, "cannot be read here"},
		{"JSONL, comma at the end", "u.jsonl", `{"user":42,"secret":"hunter2",}`, nil, "cannot be read here"},
		{"JSON, none", "u.json", `{}`, map[string]string{}, ""},
		{"JSON, empty file", "u.json", ``, nil, "line 1: the JSON ends in the middle"},
		{"JSON, array", "u.json", `["hunter2"]`, nil, "is a JSON object from user to secret"},
		{"JSON, key set", "u.json", `{"keys":[{"secret":"hunter2"}]}`, nil, "the secret is not text"},
		{"JSON, number", "u.json", "{\n\"42\":\n1234567}", nil, "line 3: the secret is not text"},
		{"JSON, twice", "u.json", "{\"42\":\"hunter2\",\n\"43\":\"hunter3\",\n\"42\":\"hunter4\"}", nil, `line 3: the user "42" stands twice`},
		{"JSON, twice, first empty", "u.json", `{"42":"","42":"hunter4"}`, nil, `the user "42" stands twice`},
		{"JSON, twice by escape", "u.json", `{"42":"hunter2","\u0034\u0032":"hunter4"}`, nil, `the user "42" stands twice`},
		{"JSON, empty id", "u.json", `{"":"hunter2"}`, nil, "the user's id is empty"},
		{"JSON, long id", "u.json", `{"` + long + `":"hunter2"}`, nil, "257 bytes"},
		{"JSON, cut off", "u.json", "{\"42\":\"hunter2\",\n\"43\":\"hunt", nil, "line 2: the JSON ends in the middle"},
		{"JSON, trailing", "u.json", "{\"42\":\"hunter2\"}\n{\"43\":\"hunter3\"}", nil, "line 2: something stands behind the end"},
		{"JSON, syntax", "u.json", "{\"42\":\"hunter2\",\n\n\"43\":hunter3}", nil, "line 3: the JSON cannot be read here"},
		{"JSON, not UTF-8", "u.json", "{\"42\":\"hunter\xff\"}", nil, "not valid UTF-8"},
		{"JSON, id not UTF-8", "u.json", "{\"4\xff\":\"hunter2\"}", nil, "not valid UTF-8"},
		{"JSON, line break in text", "u.json", "{\"42\":\"hunter\n2\"}", nil, "cannot be read here"},

		{"JSONL", "u.jsonl", "{\"user\":42,\"secret\":\"hunter2\"}\n\n{\"secret\":\"hunter3\",\"x\":[{\"secret\":1}],\"id\":\"a\"}\r\n{\"user\":-7,\"secret\":null}\n{\"user\":\"007\",\"secret\":\"\"}", map[string]string{"42": "hunter2", "a": "hunter3", "-7": "", "007": ""}, ""},
		{"NDJSON", "u.ndjson", "\xef\xbb\xbf{\"user\":12345678901234567890123,\"secret\":\"hunter2\"}\n", map[string]string{"12345678901234567890123": "hunter2"}, ""},
		{"JSONL, empty file", "u.jsonl", "\n", nil, "the file is empty"},
		{"JSONL, fraction", "u.jsonl", `{"user":42.0,"secret":"hunter2"}`, nil, "line 1: the user is neither text nor a whole number"},
		{"JSONL, exponent", "u.jsonl", `{"user":1e3,"secret":"hunter2"}`, nil, "neither text nor a whole number"},
		{"JSONL, null user", "u.jsonl", `{"user":null,"secret":"hunter2"}`, nil, "neither text nor a whole number"},
		{"JSONL, true", "u.jsonl", `{"user":true,"secret":"hunter2"}`, nil, "neither text nor a whole number"},
		{"JSONL, number and text", "u.jsonl", "{\"user\":42,\"secret\":\"hunter2\"}\n{\"user\":\"42\",\"secret\":\"hunter3\"}", nil, `line 2: the user "42" stands twice`},
		{"JSONL, user and id", "u.jsonl", `{"user":42,"id":1,"secret":"hunter2"}`, nil, "the user stands twice"},
		{"JSONL, two secrets", "u.jsonl", `{"user":42,"secret":"hunter2","secret":"hunter3"}`, nil, `"secret" stands twice`},
		{"JSONL, no secret", "u.jsonl", "{\"user\":42,\"secret\":\"hunter2\"}\n{\"user\":43,\"Secret\":\"hunter2\"}", nil, `line 2: each line is a JSON object with "user"`},
		{"JSONL, no user", "u.jsonl", `{"secret":"hunter2"}`, nil, "each line is a JSON object"},
		{"JSONL, secret as number", "u.jsonl", `{"user":42,"secret":1234567}`, nil, "the secret is not text"},
		{"JSONL, array", "u.jsonl", `["hunter2"]`, nil, "each line is a JSON object"},
		{"JSONL, two in a line", "u.jsonl", `{"user":42,"secret":"hunter2"}{"user":43,"secret":"hunter3"}`, nil, "line 1: something stands behind the end"},
		{"JSONL, over two lines", "u.jsonl", "{\"user\":42,\n\"secret\":\"hunter2\"}", nil, "line 1: the JSON ends in the middle"},
		{"JSONL, empty id", "u.jsonl", `{"user":"","secret":"hunter2"}`, nil, "the user's id is empty"},
		{"JSONL, long line", "u.jsonl", "{}\n{\"user\":\"" + strings.Repeat("u", maxLine) + "\"}", nil, "line 1:"},
		{"JSONL, very long line", "u.jsonl", "{\"user\":42,\"secret\":\"hunter2\"}\n{\"user\":\"" + strings.Repeat("u", maxLine) + "\"}", nil, "line 2: the line is longer than 1024 KiB"},
		{"JSONL, nested too deep", "u.jsonl", `{"user":42,"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `,"secret":"hunter2"}`, nil, "cannot be read here"},
		{"JSONL, wrong in an ignored value", "u.jsonl", `{"user":42,"x":[hunter],"secret":"hunter2"}`, nil, "cannot be read here"},

		{"CSV", "u.csv", "user,secret\n42,hunter2\n\"a,\"\"b\",\"hunter,3\"\n43,\n44,NULL\n45,\\N\n 46 , hunter4 \n", map[string]string{"42": "hunter2", `a,"b`: "hunter,3", "43": "", "44": "", "45": "", " 46 ": " hunter4 "}, ""},
		{"CSV, columns", "u.CSV", "\xef\xbb\xbfname,secret,id,mail\r\nA,hunter2,42,a@example.com\r\n", map[string]string{"42": "hunter2"}, ""},
		{"CSV, Latin-1", "u.csv", "user,secret\n42,hunter\xfc\n", map[string]string{"42": "hunter\xfc"}, ""},
		{"CSV, none", "u.csv", "user,secret\n", map[string]string{}, ""},
		{"CSV, empty file", "u.csv", "", nil, "the file is empty"},
		{"CSV, without a last line break", "u.csv", "user,secret\n42,hunter2\n43,hunter3", map[string]string{"42": "hunter2", "43": "hunter3"}, ""},
		{"CSV, cut off in a quoted field", "u.csv", "user,secret\n42,\"hunter2", nil, "a double quote"},
		{"CSV, a header without a line break", "u.csv", "user,secret", map[string]string{}, ""},
		{"CSV, no header", "u.csv", "42,hunter2\n43,hunter3\n", nil, "line 1: the first line must name the columns"},
		{"CSV, semicolons", "u.csv", "user;secret\n42;hunter2\n", nil, "with commas between"},
		{"CSV, case", "u.csv", "User,Secret\n42,hunter2\n", nil, "in lower case"},
		{"CSV, user and id", "u.csv", "id,user,secret\n1,42,hunter2\n", nil, "twice"},
		{"CSV, two secrets", "u.csv", "user,secret,secret\n42,hunter2,hunter3\n", nil, "twice"},
		{"CSV, twice", "u.csv", "user,secret\n42,hunter2\n43,\"hunter\n3\"\n42,hunter4\n", nil, `line 5: the user "42" stands twice`},
		{"CSV, fields", "u.csv", "user,secret\n42,hunter2\n43,hunter,3\n", nil, "line 3: the line has not as many fields"},
		{"CSV, too few", "u.csv", "user,secret\n42\n", nil, "line 2: the line has not as many fields"},
		{"CSV, quote", "u.csv", "user,secret\n42,hun\"ter2\n", nil, "line 2: a double quote"},
		{"CSV, open quote", "u.csv", "user,secret\n42,\"hunter2\n43,hunter3\n", nil, "a double quote"},
		{"CSV, open quote in the header", "u.csv", "user,\"secret\n42,hunter2\n", nil, "a double quote"},
		{"CSV, empty id", "u.csv", "user,secret\n42,hunter2\n,hunter3\n", nil, "line 3: the user's id is empty"},
		{"CSV, long id", "u.csv", "user,secret\n" + long + ",hunter3\n", nil, "line 2: the user's id has 257 bytes"},

		{"no ending", "users", `{"42":"hunter2"}`, nil, "ends in .csv, .json, .jsonl or .ndjson"},
		{"other ending", "u.txt", `{"42":"hunter2"}`, nil, "the format of the file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, buf := source(t, tc.file, tc.content)
			users, err := s.OpenUsers()
			wantError(t, err, tc.err)
			if err != nil {
				if users != nil || !strings.Contains(err.Error(), s.Path) {
					t.Errorf("users %v, error %v", users, err)
				}
				return
			}
			empty := 0
			for user, want := range tc.want {
				key, err := users.UserKey(t.Context(), user)
				if want == "" {
					empty++
					if !errors.Is(err, keys.ErrNoUser) {
						t.Errorf("user %q: error %v", user, err)
					}
				} else if err != nil || string(key.Bytes()) != want {
					t.Errorf("user %q: %q, error %v, want %q", user, key.Bytes(), err, want)
				}
			}
			if n := users.(userSource).watch.current.Load().Len(); n != len(tc.want)-empty {
				t.Errorf("%d users, want %d", n, len(tc.want)-empty)
			}
			if counted := strings.Contains(buf.String(), fmt.Sprintf(`"users":%d`, empty)); counted != (empty > 0) {
				t.Errorf("%d users without a secret, logged: %s", empty, buf)
			}
			if none := strings.Contains(buf.String(), "no user with a secret"); none != (len(tc.want) == empty) {
				t.Errorf("logged: %s", buf)
			}
			if strings.Contains(buf.String(), "hunter") {
				t.Errorf("the log shows a secret: %s", buf)
			}
		})
	}
}

func load(t *testing.T, config string) (*Source, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	module, err := ctx.LoadModuleByID("http.signed_link.keys.file", json.RawMessage(config))
	if err != nil {
		return nil, err
	}
	return module.(*Source), nil
}

func TestProvision(t *testing.T) {
	for _, tc := range []struct{ config, err string }{
		{`{"path":"/etc/caddy/keys.json"}`, ""},
		{`{"path":"keys}{.json"}`, ""},
		{`{}`, "the path of the key file is empty"},
		{`{"path":""}`, "the path of the key file is empty"},
		{`{"path":"{env.KEYS}"}`, "has a placeholder in it"},
		{`{"path":"/etc/{system.hostname}.json"}`, "has a placeholder in it"},
		{`{"file":"x"}`, "unknown field"},
	} {
		_, err := load(t, tc.config)
		wantError(t, err, tc.err)
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.json")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxFile+1); err != nil { // a hole, not written
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.json")
	if err := os.Symlink(write(t, "set.json", `{"keys":[{"secret":"hunter2"}]}`), link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		link:                            "",
		filepath.Join(dir, "none.json"): "none.json cannot be read: no such file or directory; create it or correct the path",
		dir:                             "is a directory",
		large:                           "is larger than 256 MiB",
		"/dev/null":                     "is not a regular file",
	} {
		s := &Source{Path: path}
		t.Cleanup(func() { s.Cleanup() })
		_, err := s.OpenSet()
		wantError(t, err, want)
		if filepath.Ext(path) == ".json" && path != link {
			_, err := s.OpenUsers()
			wantError(t, err, want)
		}
	}
}

// TestReaderErrors: a file that cannot be read to its end is an error, not a
// shorter list of users.
func TestReaderErrors(t *testing.T) {
	broken := errors.New("input/output error")
	for name, tc := range map[string]struct {
		start string
		read  func(io.Reader, *keys.UsersBuilder) error
	}{
		"JSON":         {`{"1":"a"`, readUsersJSON},
		"JSON at end":  {`{"1":"a"}`, readUsersJSON},
		"JSONL":        {"{\"user\":1,\"secret\":\"a\"}\n", readUsersJSONL},
		"CSV":          {"user,secret\n1,a\n", runningCSV},
		"CSV's header": {"user,", runningCSV},
		"set":          {`{"keys":[`, func(r io.Reader, _ *keys.UsersBuilder) error { _, err := readSet(r); return err }},
		"set in a key": {`{"keys":[{"id":`, func(r io.Reader, _ *keys.UsersBuilder) error { _, err := readSet(r); return err }},
	} {
		var b keys.UsersBuilder
		err := tc.read(io.MultiReader(strings.NewReader(tc.start), iotestErr{broken}), &b)
		if !errors.Is(err, broken) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// runningCSV reads a CSV that changed while Caddy runs.
func runningCSV(r io.Reader, b *keys.UsersBuilder) error { return readUsersCSV(r, b, true) }

// TestCutCSV: a file that was cut off in a line gives somebody the beginning of a secret
// as the whole one; a program that writes while Caddy runs can leave that behind.
func TestCutCSV(t *testing.T) {
	for text, want := range map[string]string{
		"user,secret\n42,hunter2\n43,h": "line 3: the last line has no line break at its end; is the file whole?",
		"user,secret":                   "line 1: the last line has no line break",
	} {
		var b keys.UsersBuilder
		err := runningCSV(strings.NewReader(text), &b)
		at, ok := errors.AsType[*fault](err)
		if !ok {
			t.Fatalf("%q: %v", text, err)
		}
		at.locate(strings.NewReader(text))
		wantError(t, err, want)
	}
}

type iotestErr struct{ err error }

func (r iotestErr) Read([]byte) (int, error) { return 0, r.err }

func TestModeWarning(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // no mode there that says who may read
	}
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o440: false, 0o640: false, 0o700: false, 0o644: true, 0o660: true, 0o604: true, 0o666: true, 0o602: true} {
		s, buf := source(t, "keys.json", `{"keys":[{"secret":"hunter2"}]}`)
		if err := os.Chmod(s.Path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := s.OpenSet(); err != nil {
			t.Fatal(err)
		}
		s.Cleanup()
		if got := strings.Contains(buf.String(), fmt.Sprintf(`"mode":"%04o"`, mode)); got != want {
			t.Errorf("mode %04o: warned %t, want %t: %s", mode, got, want, buf)
		}
	}
}

// TestFaultWithoutLine: when the file cannot be read again, the mistake is
// still told.
func TestFaultWithoutLine(t *testing.T) {
	at := &fault{what: "a mistake", offset: 3}
	f, err := os.Open(write(t, "x", "a\nb"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	at.locate(f)
	if at.Error() != "a mistake" {
		t.Errorf("%v", at)
	}
}

func TestUsersConformance(t *testing.T) {
	for name, encode := range map[string]func(t *testing.T, users map[string]string) string{
		"u.json": func(t *testing.T, users map[string]string) string {
			b, err := json.Marshal(users)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		},
		"u.jsonl": func(t *testing.T, users map[string]string) string {
			var b strings.Builder
			enc := json.NewEncoder(&b)
			for user, secret := range users {
				if err := enc.Encode(map[string]string{"user": user, "secret": secret}); err != nil {
					t.Fatal(err)
				}
			}
			return b.String()
		},
		"u.csv": func(t *testing.T, users map[string]string) string {
			var b strings.Builder
			w := csv.NewWriter(&b)
			rows := [][]string{{"user", "secret"}}
			for user, secret := range users {
				rows = append(rows, []string{user, secret})
			}
			if err := w.WriteAll(rows); err != nil {
				t.Fatal(err)
			}
			return b.String()
		},
	} {
		t.Run(name, func(t *testing.T) {
			keystest.Users(t, func(t *testing.T, users map[string]string) keys.UserSource {
				s, _ := source(t, name, encode(t, users))
				users2, err := s.OpenUsers()
				if err != nil {
					t.Fatal(err)
				}
				return users2
			})
		})
	}
}

func TestSetConformance(t *testing.T) {
	keystest.Sets(t, func(t *testing.T, want []keys.Key) keys.SetSource {
		var list []map[string]string
		for _, k := range want {
			m := map[string]string{"secret": string(k.Secret.Bytes())}
			if k.ID != "" {
				m["id"] = k.ID
			}
			if !k.NotBefore.IsZero() {
				m["not_before"] = k.NotBefore.Format(time.RFC3339)
			}
			if !k.NotAfter.IsZero() {
				m["not_after"] = k.NotAfter.Format(time.RFC3339)
			}
			list = append(list, m)
		}
		b, err := json.Marshal(map[string]any{"keys": list})
		if err != nil {
			t.Fatal(err)
		}
		s, _ := source(t, "keys.json", string(b))
		set, err := s.OpenSet()
		if err != nil {
			t.Fatal(err)
		}
		return set
	})
}

func FuzzReadSet(f *testing.F) {
	for _, seed := range []string{`{"keys":[{"id":"2026","secret":"c2VjcmV0","encoding":"base64","not_before":"2026-01-01T00:00:00Z","not_after":"2027-01-01"}]}`, `{"keys":[{"secret":"x"}]}`, `{"keys":[{},{}]}`, `{"keys":[]}`, `{}`, `[`, "\xef\xbb\xbf{", `{"keys":[{"secret":"\ud800"}]}`, `{"keys":[{"secret":"a"},]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := readSet(bytes.NewReader(b))
		if err != nil {
			checkError(t, err, b)
			return
		}
		if !json.Valid(bytes.TrimPrefix(b, []byte(bom))) {
			t.Error("what is not JSON was read")
		}
		for _, k := range all {
			if k.Secret.Empty() {
				t.Error("an empty secret")
			}
		}
	})
}

func FuzzReadUsersJSON(f *testing.F) {
	for _, seed := range []string{`{"42":"secret","43":null,"44":""}`, `{"42":"a","42":"b"}`, `{"":""}`, `{}`, `{"42":1}`, `{"42":"\ud800"}`, `{"42" "a"}`, `{"a":"b"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var builder keys.UsersBuilder
		if err := readUsersJSON(bytes.NewReader(b), &builder); err != nil {
			checkError(t, err, b)
			return
		}
		var want map[string]*string
		if err := json.Unmarshal(bytes.TrimPrefix(b, []byte(bom)), &want); err != nil {
			t.Fatalf("encoding/json cannot read it: %v", err)
		}
		compare(t, builder.Users(), want)
	})
}

func FuzzReadUsersJSONL(f *testing.F) {
	for _, seed := range []string{"{\"user\":42,\"secret\":\"a\"}\n{\"id\":\"43\",\"secret\":null,\"x\":{}}", "\n\n", `{"user":1e3,"secret":"a"}`, `{"user":-0,"secret":"a"}`, "{\"user\":1,\"secret\":\"a\"}\n{\"user\":\"1\",\"secret\":\"b\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var builder keys.UsersBuilder
		if err := readUsersJSONL(bytes.NewReader(b), &builder); err != nil {
			checkError(t, err, b)
			return
		}
		want := map[string]*string{}
		for line := range strings.Lines(strings.TrimPrefix(string(b), bom)) {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			var m map[string]json.RawMessage
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatalf("encoding/json cannot read it: %v", err)
			}
			user, ok := m["user"]
			if !ok {
				user = m["id"]
			}
			id := string(user)
			if strings.HasPrefix(id, `"`) {
				if err := json.Unmarshal(user, &id); err != nil {
					t.Fatal(err)
				}
			}
			var secret *string
			if err := json.Unmarshal(m["secret"], &secret); err != nil {
				t.Fatal(err)
			}
			want[id] = secret
		}
		compare(t, builder.Users(), want)
	})
}

func FuzzReadUsersCSV(f *testing.F) {
	for _, seed := range []string{"user,secret\n42,a\n", "secret,x,id\n\"a\"\"b\",,42\n", "user,secret\n42,NULL\n43,\\N\n", "user,secret\n1,\"a\n", "user,secret\r\n1,a\r\n\r\n2,b", "user;secret\n1;a", "\xef\xbb\xbfuser,secret\n1,\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var builder keys.UsersBuilder
		if err := runningCSV(bytes.NewReader(b), &builder); err != nil {
			checkError(t, err, b)
			return
		}
		if !bytes.HasSuffix(b, []byte("\n")) {
			t.Error("a file that may have been cut off was read")
		}
		rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte(bom)))).ReadAll()
		if err != nil {
			t.Fatalf("encoding/csv cannot read it: %v", err)
		}
		want := map[string]*string{}
		for _, row := range rows[1:] {
			var user, secret string
			for i, name := range rows[0] {
				switch name {
				case "user", "id":
					user = row[i]
				case "secret":
					secret = row[i]
				}
			}
			if secret == "NULL" || secret == `\N` {
				secret = ""
			}
			want[user] = &secret
		}
		compare(t, builder.Users(), want)
	})
}

// checkError: each mistake is told as one in the file, without control
// characters of the file's.
func checkError(t *testing.T, err error, file []byte) {
	t.Helper()
	var at *fault
	if !errors.As(err, &at) || at.what == "" || at.offset < 0 || at.offset > int64(len(file)) {
		t.Fatalf("error %#v", err)
	}
	at.locate(bytes.NewReader(file))
	if lines := bytes.Count(file, []byte("\n")) + 1; at.line < 1 || at.line > lines+1 {
		t.Errorf("line %d of %d", at.line, lines)
	}
	if strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
		t.Errorf("control characters in the error %q", err)
	}
}

func compare(t *testing.T, users *keys.Users, want map[string]*string) {
	t.Helper()
	n := 0
	for user, secret := range want {
		key, err := users.UserKey(t.Context(), user)
		switch {
		case secret == nil || *secret == "":
			if !errors.Is(err, keys.ErrNoUser) {
				t.Errorf("user %q without a secret: error %v", user, err)
			}
		default:
			n++
			if err != nil || string(key.Bytes()) != *secret {
				t.Errorf("user %q: %q, error %v, want %q", user, key.Bytes(), err, *secret)
			}
		}
	}
	if users.Len() != n || users.Empty() != len(want)-n {
		t.Errorf("%d users and %d empty, want %d and %d", users.Len(), users.Empty(), n, len(want)-n)
	}
}
