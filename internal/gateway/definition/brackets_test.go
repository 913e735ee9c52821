package definition_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

type source struct{ set *keys.Set }

func (f source) OpenSet() (keys.SetSource, error) { return f, nil }
func (f source) KeySet() *keys.Set                { return f.set }

type engine keyedhash.Config

func (c engine) NewScheme(o link.Options) (link.Scheme, error) {
	return keyedhash.New(keyedhash.Config(c), o)
}

// ofMember is a definition with names with brackets.
func ofMember(t testing.TB, profile backend.Profile, change func(*definition.Spec, *keyedhash.Config)) (*definition.Definition, error) {
	t.Helper()
	set, err := keys.NewSet(keys.Key{Secret: keys.NewSecret([]byte(secret))})
	if err != nil {
		t.Fatal(err)
	}
	c := keyedhash.Config{Algorithm: "hmac-sha256", Message: "{query.user[id]}", Signature: "{http.request.uri.query.user[h]}"}
	scheme := &definition.SchemeSpec{
		Name: "keyed_hash", User: "{query.user[id]}", Params: map[string]link.Rule{"user[id]": {Class: link.Digits}},
		Keys: func() (keys.SetOpener, error) { return source{set}, nil },
	}
	spec := definition.Spec{Profile: profile, Methods: []string{http.MethodGet, http.MethodPost}, Schemes: []*definition.SchemeSpec{scheme}}
	if change != nil {
		change(&spec, &c)
	}
	scheme.Factory = engine(c)
	return definition.New(spec)
}

func mac(message string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(message))
	return hex.EncodeToString(m.Sum(nil))
}

// TestAttackMembersOfArrays: a link of names with brackets verifies in each spelling of the
// brackets, and not beside what would be another value to the backend.
func TestAttackMembersOfArrays(t *testing.T) {
	good := mac("4")
	for _, tc := range []struct{ raw, php, servlet string }{
		{"user[id]=4&user[h]=" + good, "", ""},
		{"user%5Bid%5D=4&user%5Bh%5D=" + good, "", ""},
		{"user%5bid%5d=4&user%5bh]=" + good, "", ""},
		{"user[name]=x&user[id]=4&user[h]=" + good + "&user[tags][]=1", "", ""},
		{"user[id]=5&user[h]=" + good, "bad_signature", "bad_signature"},
		{"user[id]=x&user[h]=" + good, "malformed", "malformed"},
		{"user[h]=" + good, "malformed", "malformed"},
		{"user[id]=4", "missing", "missing"},
		{"user[id]=4&user[h]=" + good + "&user[id]=5", "ambiguous", "ambiguous"},
		{"user[id]=4&user[h]=" + good + "&user%5Bid%5D=5", "ambiguous", "ambiguous"},
		{"user[%69d]=5&user[id]=4&user[h]=" + good, "ambiguous", "ambiguous"},
		{"user[id]=4&user[h]=" + good + "&user=5", "ambiguous", ""},
		{"user[id]=4&user[h]=" + good + "&user[id]junk=5", "ambiguous", ""},
		{"user[id]=4&user[h]=" + good + "&user[id][]=5", "ambiguous", ""},
		{"user[id]=4&user[h]=" + good + "&user[]=5", "ambiguous", ""},
	} {
		for profile, want := range map[backend.Profile]string{backend.PHP: tc.php, backend.Servlet: tc.servlet} {
			d, err := ofMember(t, profile, nil)
			if err != nil {
				t.Fatal(err)
			}
			v := judged(t, d, tc.raw)
			if string(v.Reason) != want || want == "" && v.User != "4" {
				t.Errorf("%q under %s: %s, user %q, want %q", tc.raw, profile, v.Refusal, v.User, want)
			}
			nobody := new(query.Query)
			if err := nobody.Parse(tc.raw); err != nil {
				t.Fatal(err)
			}
			if left, _ := query.Cut(tc.raw, d.CutsNobody(nobody)); strings.Contains(left, "=4") || strings.Contains(left, good) || profile == backend.PHP && strings.Contains(left, "=5") {
				t.Errorf("%q under %s: as nobody's it is %q", tc.raw, profile, left)
			}
			if want == "" {
				left, n := query.Cut(tc.raw, func(segment string) bool { return d.CutsVerified(v.Scheme, segment) })
				if n != 1 || strings.Contains(left, good) {
					t.Errorf("%q under %s: verified it is %q", tc.raw, profile, left)
				}
			}
		}
	}
}

// TestMemberLoads: what has two readings, or would be written over, does not load.
func TestMemberLoads(t *testing.T) {
	for name, tc := range map[string]struct {
		profile backend.Profile
		change  func(*definition.Spec, *keyedhash.Config)
		want    string
	}{
		"strict": {backend.Strict, nil, "write `backend php` or `backend servlet`"},
		"text and array": {backend.PHP, func(_ *definition.Spec, c *keyedhash.Config) {
			c.Message = "{query.user}|{query.user[id]}"
		}, "would take the other's place"},
		"a text beside it": {backend.Servlet, func(_ *definition.Spec, c *keyedhash.Config) {
			c.Message = "{query.user}|{query.user[id]}"
		}, ""},
		"ignored": {backend.PHP, func(s *definition.Spec, c *keyedhash.Config) {
			c.Message, s.Schemes[0].Ignore = "{query}", []string{"user[*"}
		}, "cannot be ignored"},
		"ignored as encoded": {backend.PHP, func(s *definition.Spec, c *keyedhash.Config) {
			c.Message, s.Schemes[0].Ignore = "{query}", []string{"user%5b*"}
		}, "write brackets as they are"},
		"ignored by the half of an escape": {backend.PHP, func(s *definition.Spec, c *keyedhash.Config) {
			c.Message, s.Schemes[0].Ignore = "{query}", []string{"user%5*"}
		}, "write brackets as they are"},
	} {
		_, err := ofMember(t, tc.profile, tc.change)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
	}
}

// TestMemberOfWholeQuery: a signature with brackets is outside of a message of the whole
// query however it is spelled, and so is what is ignored.
func TestMemberOfWholeQuery(t *testing.T) {
	for message, texts := range map[string][2]string{
		"{query}":              {"user%5Bid%5D=4&a[y]=1&a[x]=2", "user%5Bid%5D=4&a[y]=1&a[x]=2"},
		"{sorted_query}":       {"user%5Bid%5D=4&a[y]=1&a[x]=2", "a[x]=2&a[y]=1&user%5Bid%5D=4"},
		"{raw_query.user[id]}": {"user%5Bid%5D=4", "4"},
	} {
		d, err := ofMember(t, backend.PHP, func(s *definition.Spec, c *keyedhash.Config) {
			c.Message, s.Schemes[0].Ignore = message, []string{"utm[*", "tx[none]"}
		})
		if err != nil {
			t.Fatal(err)
		}
		sent, signed := texts[0], texts[1]
		for _, signature := range []string{"user[h]", "user%5Bh%5D", "user%5bh%5d"} {
			raw := "tx%5Bnone%5d=1&utm[a]=1&" + sent + "&" + signature + "=" + mac(signed) + "&utm%5Bb%5D=2"
			if v := judged(t, d, raw); !v.None() || v.User != "4" {
				t.Errorf("%s: %q: %s, user %q", message, raw, v.Refusal, v.User)
			}
			if v := judged(t, d, raw+"&user%5Bx%5D=1"); v.None() != (message == "{raw_query.user[id]}") {
				t.Errorf("%s: with another parameter: %s", message, v.Refusal)
			}
		}
	}
}

// TestAttackMemberElsewhere: a body has no member of a protected array, because frameworks
// take the array of the body whole, and cookies nothing that PHP would file over it.
func TestAttackMemberElsewhere(t *testing.T) {
	good := "user[id]=4&user[h]=" + mac("4")
	for _, tc := range []struct {
		contentType, body string
		php, servlet      bool // it may be there
	}{
		{"application/x-www-form-urlencoded", "other[id]=1&users=2", true, true},
		{"application/x-www-form-urlencoded", "user[id]=5", false, false},
		{"application/x-www-form-urlencoded", "user%5Bid%5D=5", false, false},
		{"application/x-www-form-urlencoded", "user[name]=x", false, true},
		{"application/x-www-form-urlencoded", "user=x", false, true},
		{"application/json", `{"user":{"id":5}}`, false, true},
		{"application/json", `{"user[id]":5}`, false, false},
		{"application/json", `{"other":{"user":5}}`, true, true},
	} {
		for profile, want := range map[backend.Profile]bool{backend.PHP: tc.php, backend.Servlet: tc.servlet} {
			d, err := ofMember(t, profile, nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "/app", bytes.NewReader([]byte(tc.body)))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", tc.contentType)
			sent := &link.Request{Method: http.MethodPost, Path: "/app"}
			v := d.Judge(context.Background(), sent, sent.Query.Parse(good), time.Unix(1_800_000_000, 0))
			if !v.None() {
				t.Fatal(v.Refusal)
			}
			if refusal := d.Admit(r, sent, false); refusal.None() != want {
				t.Errorf("%q under %s: %s", tc.body, profile, refusal)
			}
		}
	}
	d, err := ofMember(t, backend.PHP, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"Cookie": {"a=1; user=5; user[id]=5; user%5Bid%5D=5; user[]=5; user[id][x]=5; user[name]=x; user[id]x=5; b[user]=2"}}
	shadows := d.Shadows(d.Schemes[0], new(query.Query))
	if shadows.CutFrom(h); h.Get("Cookie") != "a=1; user[name]=x; b[user]=2" {
		t.Errorf("the cookies are %q", h.Get("Cookie"))
	}
	if r := (&http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/x&user[id]=5"}, Header: http.Header{}, Body: http.NoBody}); d.Admit(r, &link.Request{Method: http.MethodGet}, false).None() {
		t.Error("a path may hold a member")
	}
}
