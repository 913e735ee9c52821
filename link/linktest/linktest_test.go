package linktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
)

// toy is a scheme as somebody else would write it: HMAC-SHA-256 over `user` and `exp`
// in hex, the user a claim.
type toy struct{}

func (toy) Describe() link.Description {
	return link.Description{
		Signature: []string{"sig"}, Signed: []string{"user", "exp"}, Expiry: []string{"exp"},
		Expires: true, Claims: []string{"user"}, User: "{claim.user}",
	}
}

func (toy) Read(r *link.Request, l *link.Link) link.Refusal {
	sig, ok := r.Value("sig")
	if !ok || len(sig) != sha256.Size*2 {
		return link.Refuse(link.Malformed, "token")
	}
	user, _ := r.Value("user")
	exp, _ := r.Value("exp")
	l.Signature, l.Text = sig, user+"\x00"+exp
	l.Claims.Set("user", user)
	l.Expires = link.Timestamp{Text: exp, Present: true}
	return link.Refusal{}
}

func (toy) Verify(_ *link.Request, l *link.Link, key []byte) bool {
	return hmac.Equal([]byte(l.Signature), []byte(sign(l.Text, key))) && len(key) > 0
}

func sign(text string, key []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

const toySecret = "a secret of a toy"

func toyVectors() []Vector {
	url := func(user, exp, sig string) string {
		return "https://example.org/in?user=" + user + "&exp=" + exp + "&sig=" + sig
	}
	sig := sign("jeff\x002000000000", []byte(toySecret))
	return []Vector{
		{ID: "valid", Secret: toySecret, Now: 1790000000, URL: url("jeff", "2000000000", sig), Expect: Valid, User: "jeff"},
		{ID: "last second", Secret: toySecret, Now: 2000000000, URL: url("jeff", "2000000000", sig), Expect: Valid, User: "jeff"},
		{ID: "late", Secret: toySecret, Now: 2000000001, URL: url("jeff", "2000000000", sig), Expect: Expired},
		{ID: "other user", Secret: toySecret, Now: 1790000000, URL: url("mike", "2000000000", sig), Expect: Invalid},
		{ID: "other secret", Secret: "another secret", Now: 1790000000, URL: url("jeff", "2000000000", sig), Expect: Invalid},
		{ID: "no link", Secret: toySecret, Now: 1790000000, URL: "https://example.org/in", Expect: Invalid},
		{ID: "duplicate", Secret: toySecret, Now: 1790000000, URL: url("jeff", "2000000000", sig) + "&user=admin", Expect: Invalid},
		{ID: "look-alike", Secret: toySecret, Now: 1790000000, URL: url("jeff", "2000000000", sig) + "&us%65r=admin", Expect: Invalid},
		{ID: "semicolon", Secret: toySecret, Now: 1790000000, URL: url("jeff", "2000000000", sig) + ";", Expect: Invalid},
		{ID: "hex", Secret: "hex:" + hex.EncodeToString([]byte(toySecret)), Now: 1, URL: url("jeff", "2000000000", sig), Expect: Valid, User: "jeff"},
	}
}

// TestRun: a right scheme passes.
func TestRun(t *testing.T) {
	Run(t, Suite{Scheme: toy{}, Vectors: toyVectors()})
	Run(t, Suite{Scheme: toy{}, Vectors: toyVectors(), User: "{query.user}", Rules: map[string]link.Rule{
		"user": {Class: link.Alnum, Min: 1, Max: 32}, "lang": {Class: link.Alnum, Min: 1, Max: 2, Optional: true},
	}})
}

func TestJudge(t *testing.T) {
	vectors := toyVectors()
	for i, tc := range []struct {
		suite   Suite
		vector  int
		refusal string
	}{
		{Suite{}, 0, ""},
		{Suite{}, 2, "expired"},
		{Suite{}, 3, "bad_signature"},
		{Suite{}, 5, "missing"},
		{Suite{}, 6, "ambiguous/duplicate"},
		{Suite{}, 7, "ambiguous/lookalike"},
		{Suite{}, 8, "ambiguous/semicolon"},
		{Suite{Rules: map[string]link.Rule{"user": {Class: link.Digits, Min: 1, Max: 9}}}, 0, "malformed/charset"},
		{Suite{Rules: map[string]link.Rule{"page": {Class: link.Digits, Min: 1, Max: 9}}}, 0, "malformed/absent"},
		{Suite{Policy: link.Policy{MaxLifetime: 1}}, 0, "malformed/max_lifetime"},
		{Suite{User: "{query.user}", UserKeys: map[string]string{"jeff": toySecret}}, 0, ""},
		{Suite{User: "{query.user}", UserKeys: map[string]string{"mike": toySecret}}, 0, "bad_signature"},
		{Suite{User: "{query.user}", UserKeys: map[string]string{"jeff": ""}}, 0, "bad_signature"},
	} {
		tc.suite.Scheme = toy{}
		verdict := tc.suite.Judge(vectors[tc.vector])
		if verdict.String() != tc.refusal {
			t.Errorf("Test %d: %s: verdict %q, want %q", i, vectors[tc.vector].ID, verdict.Refusal, tc.refusal)
		}
		if want := map[bool]string{true: "jeff"}[tc.refusal == ""]; verdict.User != want {
			t.Errorf("Test %d: the user is %q, want %q", i, verdict.User, want)
		}
	}
}

// broken is toy with one thing wrong.
type broken struct {
	toy
	describe func(d *link.Description)
	read     func(r *link.Request, l *link.Link) link.Refusal
	verify   func(r *link.Request, l *link.Link, key []byte) bool
}

func (b broken) Describe() link.Description {
	d := b.toy.Describe()
	if b.describe != nil {
		b.describe(&d)
	}
	return d
}

func (b broken) Read(r *link.Request, l *link.Link) link.Refusal {
	if b.read != nil {
		return b.read(r, l)
	}
	return b.toy.Read(r, l)
}

func (b broken) Verify(r *link.Request, l *link.Link, key []byte) bool {
	if b.verify != nil {
		return b.verify(r, l, key)
	}
	return b.toy.Verify(r, l, key)
}

// TestRunFindsWrongSchemes: a conformance run is worth what it finds.
func TestRunFindsWrongSchemes(t *testing.T) {
	var calls atomic.Int64
	var remembered []byte
	for name, tc := range map[string]struct {
		check  string
		want   string
		scheme broken
	}{
		"two descriptions": {"description", "and then", broken{describe: func(d *link.Description) {
			if calls.Add(1)%2 == 0 {
				d.User = "none"
			}
		}}},
		"no signature parameter": {"description", "no signature parameter", broken{describe: func(d *link.Description) { d.Signature = nil }}},
		"signed signature":       {"description", "named again", broken{describe: func(d *link.Description) { d.Signed = append(d.Signed, "sig") }}},
		"unspeakable parameter":  {"description", "cannot protect", broken{describe: func(d *link.Description) { d.Signed = append(d.Signed, "a b") }}},
		"header of no claim": {"description", "X-Verified-Page", broken{describe: func(d *link.Description) {
			d.Headers = []link.ClaimHeader{{Header: "X-Verified-Page", Claim: "page"}}
		}}},
		"user of no claim":  {"description", "{claim.page}", broken{describe: func(d *link.Description) { d.User = "{claim.page}" }}},
		"user keys":         {"description", "no UserKeys", broken{describe: func(d *link.Description) { d.NeedsUserKey = true }}},
		"no to everything":  {"vectors", "verdict bad_signature, want valid", broken{verify: func(*link.Request, *link.Link, []byte) bool { return false }}},
		"yes to everything": {"vectors", "verdict valid, want invalid", broken{verify: func(*link.Request, *link.Link, []byte) bool { return true }}},
		"wrong user": {"vectors", `the user is "admin", want "jeff"`, broken{read: func(r *link.Request, l *link.Link) link.Refusal {
			refusal := toy{}.Read(r, l)
			l.Claims.Set("user", "admin")
			return refusal
		}}},
		"unannounced claim": {"claims", `the claim "admin"`, broken{verify: func(r *link.Request, l *link.Link, key []byte) bool {
			l.Claims.Set("admin", "yes")
			return toy{}.Verify(r, l, key)
		}}},
		"claim twice": {"claims", "twice", broken{verify: func(r *link.Request, l *link.Link, key []byte) bool {
			l.Claims = append(l.Claims, link.Claim{Name: "user"})
			return toy{}.Verify(r, l, key)
		}}},
		"changing claims": {"claims", "and then", broken{read: func(r *link.Request, l *link.Link) link.Refusal {
			refusal := toy{}.Read(r, l)
			l.KeyID = string(rune('a' + calls.Add(1)%2))
			return refusal
		}}},
		"empty key": {"keys", "an empty key", broken{verify: func(r *link.Request, l *link.Link, key []byte) bool {
			return len(key) == 0 || toy{}.Verify(r, l, key)
		}}},
		"half a key": {"keys", "bit 135 changed", broken{verify: func(r *link.Request, l *link.Link, key []byte) bool {
			return len(key) > 8 && strings.HasPrefix(toySecret, string(key[:8]))
		}}},
		"writes into the key": {"keys", "changed the key", broken{verify: func(r *link.Request, l *link.Link, key []byte) bool {
			ok := toy{}.Verify(r, l, key)
			if ok {
				key[0]++
			}
			return ok
		}}},
		"unsigned parameter": {"tampered", `parameter "user"`, broken{verify: func(_ *link.Request, l *link.Link, _ []byte) bool {
			return strings.HasSuffix(l.Text, "\x002000000000")
		}}},
		"prefix of the signature": {"tampered", `parameter "sig" with a letter behind it`, broken{
			read: func(r *link.Request, l *link.Link) link.Refusal {
				toy{}.Read(r, l)
				user, _ := r.Value("user")
				exp, _ := r.Value("exp")
				l.Signature, _ = r.Value("sig")
				l.Text = user + "\x00" + exp
				return link.Refusal{}
			},
			verify: func(_ *link.Request, l *link.Link, key []byte) bool {
				return len(key) > 0 && strings.HasPrefix(l.Signature, sign(l.Text, key))
			},
		}},
		"panics in Read": {"hostile", "panic: ", broken{read: func(r *link.Request, l *link.Link) link.Refusal {
			sig, _ := r.Value("sig")
			l.Signature = sig[:64]
			return toy{}.Read(r, l)
		}}},
		"panics in Verify": {"hostile", "panic: ", broken{verify: func(r *link.Request, l *link.Link, key []byte) bool {
			_ = l.Text[12]
			return toy{}.Verify(r, l, key)
		}}},
		"a reason that is not its own": {"hostile", "refused with expired", broken{read: func(r *link.Request, l *link.Link) link.Refusal {
			if refusal := (toy{}).Read(r, l); refusal.None() {
				return refusal
			}
			return link.Refuse(link.Expired, "")
		}}},
		"another answer the second time": {"hostile", "and then", broken{verify: func(*link.Request, *link.Link, []byte) bool {
			return calls.Add(1)%2 == 0
		}}},
		"writes into the request": {"request", "is now", broken{read: func(r *link.Request, l *link.Link) link.Refusal {
			r.Host = strings.ToUpper(r.Host)
			return toy{}.Read(r, l)
		}}},
		"writes into the query": {"request", "is now", broken{read: func(r *link.Request, l *link.Link) link.Refusal {
			refusal := toy{}.Read(r, l)
			if len(r.Query.Pairs) > 0 {
				r.Query.Pairs[0].Eq = r.Query.Pairs[0].End
			}
			return refusal
		}}},
		"remembers a key": {"reuse", "remembers the key", broken{verify: func(r *link.Request, l *link.Link, key []byte) bool {
			if (toy{}).Verify(r, l, key) {
				remembered = []byte(string(key))
			}
			return toy{}.Verify(r, l, key) || toy{}.Verify(r, l, remembered)
		}}},
		"remembers a request": {"reuse", "memory was used before", broken{read: func() func(r *link.Request, l *link.Link) link.Refusal {
			read := make(map[*link.Request]link.Link)
			return func(r *link.Request, l *link.Link) link.Refusal {
				if first, ok := read[r]; ok {
					*l = first
					return link.Refusal{}
				}
				refusal := toy{}.Read(r, l)
				read[r] = *l
				return refusal
			}
		}()}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Suite{Scheme: tc.scheme, Vectors: toyVectors()}
			for _, c := range checks {
				if c.name != tc.check {
					continue
				}
				for _, err := range c.run(s) {
					if strings.Contains(err.Error(), tc.want) {
						return
					}
				}
				t.Errorf("the check %q finds %v, want %q", c.name, c.run(s), tc.want)
				return
			}
			t.Errorf("there is no check %q", tc.check)
		})
	}
}

// TestConcurrentFindsWrongVerdicts: what is wrong under load only is found, too.
func TestConcurrentFindsWrongVerdicts(t *testing.T) {
	var running atomic.Int64
	s := &Suite{Vectors: toyVectors(), Scheme: broken{verify: func(r *link.Request, l *link.Link, key []byte) bool {
		return running.Add(1) < 10 && toy{}.Verify(r, l, key)
	}}}
	if errs := isConcurrent(s); len(errs) == 0 {
		t.Error("a scheme that says no from the tenth request on passes")
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.jsonl")
	line := `{"scheme":"toy","id":"toy-1","secret":"hex:00ff","params":{"hash":"md5","len":6},"now":1,"url":"https://example.org/?a=b","expect":"valid","user":"é","arguable":true,"other":1}`
	if err := os.WriteFile(path, []byte(line+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vectors := Load(t, path)
	if len(vectors) != 1 {
		t.Fatalf("%d vectors, want 1", len(vectors))
	}
	v := vectors[0]
	key, err := v.Key()
	if err != nil || string(key) != "\x00\xff" {
		t.Errorf("key %q, error %v", key, err)
	}
	if v.User != "é" || !v.Arguable || v.Param("hash") != "md5" || v.Param("len") != "6" || v.Param("none") != "" {
		t.Errorf("read %+v", v)
	}
}

func TestParseErrors(t *testing.T) {
	for _, tc := range []struct{ content, want string }{
		{"", "no vectors"},
		{"\n \n", "no vectors"},
		{"{", "line 1"},
		{`{"id":"a","url":"https://a/","secret":"s","expect":"valid"}` + "\n{", "line 2"},
		{`{"url":"https://a/","secret":"s","expect":"valid"}`, "an id, a url and a secret"},
		{`{"id":"a","secret":"s","expect":"valid"}`, "an id, a url and a secret"},
		{`{"id":"a","url":"https://a/","expect":"valid"}`, "an id, a url and a secret"},
		{`{"id":"a","url":"https://a/","secret":"s","expect":"yes"}`, `a expects "yes"`},
		{`{"id":"a","url":"https://a/","secret":"hex:0","expect":"valid"}`, "secret: "},
		{strings.Repeat(`{"id":"a","url":"https://a/","secret":"s","expect":"valid"}`+"\n", 2), "a is there twice"},
	} {
		if vectors, err := parse([]byte(tc.content)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %d vectors, error %v, want %q", tc.content, len(vectors), err, tc.want)
		}
	}
}

func TestNewRequest(t *testing.T) {
	for _, tc := range []struct{ url, scheme, host, path, query string }{
		{"https://example.org/a%2Fb?x=%41&&y", "https", "example.org", "/a%2Fb", "x=%41&&y"},
		{"http://example.org:8080/?a=b?c", "http", "example.org:8080", "/", "a=b?c"},
		{"http://[::1]:80?x", "http", "[::1]:80", "/", "x"},
		{"https://example.org/a#f?x", "https", "example.org", "/a", ""},
		{"example.org/a?x", "https", "example.org", "/a", "x"},
	} {
		r := NewRequest(tc.url)
		if r.Method != "GET" || r.Scheme != tc.scheme || r.Host != tc.host || r.Path != tc.path || r.Query.Raw != tc.query {
			t.Errorf("%s: method %q, scheme %q, host %q, path %q, query %q; want %q", tc.url, r.Method, r.Scheme, r.Host, r.Path, r.Query.Raw, tc)
		}
	}
}

// binder is toy with a way of its own to prepare keys.
type binder struct {
	toy
	bind func(key []byte) link.Verifier
}

func (b binder) Bind(key []byte) link.Verifier { return b.bind(key) }

func TestRunFindsWrongBinders(t *testing.T) {
	for name, tc := range map[string]struct {
		want string
		bind func(key []byte) link.Verifier
	}{
		"right": {"", func(key []byte) link.Verifier {
			own := []byte(string(key))
			return func(r *link.Request, l *link.Link) bool { return toy{}.Verify(r, l, own) }
		}},
		"keeps the caller's memory": {"bound to the right key", func(key []byte) link.Verifier {
			return func(r *link.Request, l *link.Link) bool { return toy{}.Verify(r, l, key) }
		}},
		"forgets that an empty key is none": {"bound to an empty key", func(key []byte) link.Verifier {
			own := []byte(string(key))
			return func(r *link.Request, l *link.Link) bool { return len(own) == 0 || toy{}.Verify(r, l, own) }
		}},
		"looks at a part of the key": {"bound to the key with a letter behind it", func(key []byte) link.Verifier {
			own := []byte(string(key[:min(len(key), len(toySecret))]))
			return func(r *link.Request, l *link.Link) bool { return toy{}.Verify(r, l, own) }
		}},
	} {
		errs := bindsTheSame(&Suite{Scheme: binder{bind: tc.bind}, Vectors: toyVectors()})
		found := slices.ContainsFunc(errs, func(err error) bool { return strings.Contains(err.Error(), tc.want) })
		if tc.want == "" && len(errs) > 0 || tc.want != "" && !found {
			t.Errorf("%s: %v, want %q", name, errs, tc.want)
		}
	}
}
