package akid

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/block/blocktest"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

// sample is ActionKit's sample code ("ActionKit Hashing EXPOSED", Python), line by line.
func sample(secret, akid string) bool {
	chunks := strings.Split(akid, ".")
	inputHash := chunks[len(chunks)-1]
	cleartext := strings.Join(chunks[:len(chunks)-1], ".")
	return inputHash == hashOf(secret, cleartext)
}

// hashOf is left(base64_urlsafe(sha256(SECRET + "." + CLEARTEXT)), 6).
func hashOf(secret, cleartext string) string {
	sum := sha256.Sum256([]byte(secret + "." + cleartext))
	return base64.URLEncoding.EncodeToString(sum[:])[:6]
}

func newScheme(t testing.TB, s Scheme, o link.Options) link.Scheme {
	t.Helper()
	compiled, err := s.NewScheme(o)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func request(token string) *link.Request {
	return linktest.NewRequest("https://docs.actionkit.com/go/210?t=1&akid=" + url.QueryEscape(token))
}

// verdict is `ok`, `bad_signature`, or why Read refused.
func verdict(s link.Scheme, token, secret string) (string, link.Claims) {
	r, l := request(token), new(link.Link)
	if refusal := s.Read(r, l); !refusal.None() {
		return refusal.String(), nil
	}
	if !s.Verify(r, l, []byte(secret)) {
		return "bad_signature", nil
	}
	return "ok", l.Claims
}

func byKind(t *testing.T) (akids, texts []linktest.Vector) {
	t.Helper()
	for _, v := range linktest.Load(t, "../../testdata/vectors/akid.jsonl") {
		switch v.Param("kind") {
		case "akid":
			akids = append(akids, v)
		case "custom_hash":
			texts = append(texts, v)
		default:
			t.Fatalf("%s has the kind %q", v.ID, v.Param("kind"))
		}
	}
	return akids, texts
}

func TestVectors(t *testing.T) {
	akids, _ := byKind(t)
	linktest.Run(t, linktest.Suite{Scheme: newScheme(t, Scheme{}, link.Options{}), Vectors: akids})
}

// ofText is the scheme as text of `custom_hash` needs it. The longest line of the
// vectors has 2,000 bytes of text.
func ofText() Scheme {
	return Scheme{Token: "{query.id}", Text: &Text{Class: "text", Max: 2000}}
}

// TestVectorsOfCustomHash: two of the lines sign text in the shape of an AKID
// ("2695.98765", "PREFIX261121.55501"), so they need `allow akid_shape`. A text names
// no user, whatever it says.
func TestVectorsOfCustomHash(t *testing.T) {
	_, texts := byKind(t)
	for i := range texts {
		texts[i].User = ""
	}
	linktest.Run(t, linktest.Suite{
		Scheme:  newScheme(t, ofText(), link.Options{Allow: map[string]bool{"akid_shape": true}}),
		Vectors: texts,
	})
}

// TestAttackTextPassesForAKID: AKIDs and text are signed with one secret. A page that
// signs what its visitor wrote would mint AKIDs, so text in their shape is refused
// (peers' bug A7, a signing oracle).
func TestAttackTextPassesForAKID(t *testing.T) {
	_, texts := byKind(t)
	shaped := []string{"akid-020", "akid-031"}
	s := linktest.Suite{Scheme: newScheme(t, ofText(), link.Options{})}
	for _, v := range texts {
		got := s.Judge(v)
		switch {
		case slices.Contains(shaped, v.ID):
			if got.Refusal != link.Refuse(link.Malformed, "akid_shape") {
				t.Errorf("%s: verdict %q, want malformed/akid_shape", v.ID, got.Refusal)
			}
		case got.Word() != v.Expect:
			t.Errorf("%s: verdict %q, want %s", v.ID, got.Refusal, v.Expect)
		}
	}
	compiled := newScheme(t, Scheme{Text: &Text{Class: "text"}}, link.Options{})
	for _, cleartext := range []string{"1.2", ".2", "abc-_.00", strings.Repeat("m", 64) + ".1"} {
		if got, _ := verdict(compiled, cleartext+"."+hashOf("s", cleartext), "s"); got != "malformed/akid_shape" {
			t.Errorf("text %q: %s, want malformed/akid_shape", cleartext, got)
		}
	}
	for _, cleartext := range []string{"2", "98765", "1.2.x", "x", "a b.2", "1.2.", "mike@example.com", "1.-2", strings.Repeat("m", 65) + ".1"} {
		if got, _ := verdict(compiled, cleartext+"."+hashOf("s", cleartext), "s"); got != "ok" {
			t.Errorf("text %q: %s, want ok", cleartext, got)
		}
	}
}

// TestSeedActionKitAKID holds the scheme to what "ActionKit Hashing EXPOSED" says.
func TestSeedActionKitAKID(t *testing.T) {
	const secret = "9E4GeErTXkXqBuGuulEh9ZdIf2LoEpeYEAcnejUqetgscx60IXb3hy5fltkrWaTv"
	s := newScheme(t, Scheme{}, link.Options{})

	t.Run("three parts", func(t *testing.T) {
		got, claims := verdict(s, "2695.103007.yiZBRy", secret)
		if got != "ok" || claims.Get("mailing") != "2695" || claims.Get("user") != "103007" {
			t.Errorf("%s, claims %v", got, claims)
		}
	})
	t.Run("mailing id is optional, the leading dot is signed", func(t *testing.T) {
		got, claims := verdict(s, ".103007.krujSf", secret)
		if got != "ok" || claims.Get("mailing") != "" || claims.Get("user") != "103007" {
			t.Errorf("%s, claims %v", got, claims)
		}
		if hashOf(secret, ".103007") != "krujSf" || hashOf(secret, "103007") == "krujSf" {
			t.Error("the hash is not over the text with its leading dot")
		}
	})
	t.Run("another user", func(t *testing.T) {
		if got, _ := verdict(s, "2695.103008.yiZBRy", secret); got != "bad_signature" {
			t.Errorf("%s, want bad_signature", got)
		}
	})
	t.Run("six characters", func(t *testing.T) {
		sum := sha256.Sum256([]byte(secret + ".2695.103007"))
		whole := base64.RawURLEncoding.EncodeToString(sum[:])
		for n := range len(whole) + 1 {
			want := "malformed/token"
			if n == 6 {
				want = "ok"
			}
			if got, _ := verdict(s, "2695.103007."+whole[:n], secret); got != want {
				t.Errorf("%d characters of the hash: %s, want %s", n, got, want)
			}
		}
	})
	t.Run("last dot", func(t *testing.T) {
		// everything before the last dot is the text, further dots included
		cleartext := "1.2.3"
		text := newScheme(t, Scheme{Text: &Text{Class: "token"}}, link.Options{Allow: map[string]bool{"akid_shape": true}})
		got, claims := verdict(text, cleartext+"."+hashOf(secret, cleartext), secret)
		if got != "ok" || claims.Get("text") != cleartext {
			t.Errorf("%s, claims %v, want the text %q", got, claims, cleartext)
		}
	})
	t.Run("URL-safe alphabet", func(t *testing.T) {
		if got, _ := verdict(s, "77.1011.MwhG4-", secret); got != "ok" {
			t.Errorf("a hash with '-': %s", got)
		}
		for _, token := range []string{"77.1011.MwhG4+", "77.1011.MwhG4/", "77.1011.MwhG4=", "77.1011.MwhG4 "} {
			if got, _ := verdict(s, token, secret); got != "malformed/token" {
				t.Errorf("%s: %s, want malformed/token", token, got)
			}
		}
	})
	t.Run("the page's own sample is signed with another secret", func(t *testing.T) {
		if got, _ := verdict(s, "2695.103007.Gcg02t", secret); got != "bad_signature" {
			t.Errorf("%s, want bad_signature", got)
		}
	})
	t.Run("custom_hash", func(t *testing.T) {
		// {{ user.custom_fields.example_id|custom_hash }}, and two values in a filter
		text := newScheme(t, Scheme{Text: &Text{Class: "token"}}, link.Options{Allow: map[string]bool{"akid_shape": true}})
		for _, cleartext := range []string{"E-4711", "98765", "2695.98765"} {
			got, claims := verdict(text, cleartext+"."+hashOf(secret, cleartext), secret)
			if got != "ok" || claims.Get("text") != cleartext || claims.Get("user") != "" {
				t.Errorf("%s: %s, claims %v", cleartext, got, claims)
			}
		}
	})
	t.Run("samples agree", func(t *testing.T) {
		for _, token := range []string{"2695.103007.yiZBRy", ".103007.krujSf", "1.1.ddKAcL", "0012.000345.ROO8yR", "2695.103008.yiZBRy", "2695.103007.Gcg02t", "2695.1.03007.yiZBRy"} {
			got, _ := verdict(s, token, secret)
			if (got == "ok") != sample(secret, token) {
				t.Errorf("%s: %s, the sample code says %t", token, got, sample(secret, token))
			}
		}
	})
}

// TestAttackAKIDSpareBits: six base64url characters are 36 bits. A verifier that
// decodes them compares four bytes and loses four bits, so that 16 hashes pass for one
// (peers' bug A8).
func TestAttackAKIDSpareBits(t *testing.T) {
	s := newScheme(t, Scheme{}, link.Options{})
	right := hashOf("secret", "1.2")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range right {
		for _, c := range alphabet {
			hash := right[:i] + string(c) + right[i+1:]
			if got, _ := verdict(s, "1.2."+hash, "secret"); (got == "ok") != (hash == right) {
				t.Errorf("hash %s, where %s is right: %s", hash, right, got)
			}
		}
	}
}

// TestAttackTokenShape: text that another reader would take apart in another way is no
// AKID, even if it is signed.
func TestAttackTokenShape(t *testing.T) {
	s := newScheme(t, Scheme{}, link.Options{})
	for _, cleartext := range []string{
		"", ".", "..", "1.", "1.2.3", "..2", "1..2", "a", ".a", "1.2a", "1. 2", "1.2 ", " 1.2", "1.+2", "1.-2", "1.2e3", "1.0x2", "1.２", "1.2\x00", "\x001.2", "1.2\n",
		"a b.2", "a+b.2", "a/b.2", "é.2", "a%2e.2", "a;b.2", "1," + "2.3", "1.2,3", "1.123456789012345678901", strings.Repeat("m", 65) + ".2", "1.2&user=3", "{env.X}.2",
	} {
		if got, _ := verdict(s, cleartext+"."+hashOf("secret", cleartext), "secret"); got != "malformed/token" {
			t.Errorf("%q: %s, want malformed/token", cleartext, got)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		cleartext, mailing, user string
		ok                       bool
	}{
		{"2695.103007", "2695", "103007", true},
		{".103007", "", "103007", true},
		{"103007", "", "", false},
		{"0012.000345", "0012", "000345", true},
		{"64gd53.4325", "64gd53", "4325", true},
		{"PREFIX261121.55501", "PREFIX261121", "55501", true},
		{"a-_Z.12345678901234567890", "a-_Z", "12345678901234567890", true},
		{"", "", "", false},
		{".", "", "", false},
		{"1.", "", "", false},
		{"1.2.3", "", "", false},
		{"1.x", "", "", false},
		{"a.b.3", "", "", false},
		{"1.123456789012345678901", "", "", false},
	} {
		mailing, user, ok := Split(tc.cleartext)
		if ok != tc.ok || ok && (mailing != tc.mailing || user != tc.user) {
			t.Errorf("%q: mailing %q, user %q, %t; want %q, %q, %t", tc.cleartext, mailing, user, ok, tc.mailing, tc.user, tc.ok)
		}
	}
}

// TestAttackNumberPassesForAKID: custom_hash signs the bare number of a member with the
// AKIDs' secret, as the article's own example does; without the dot it must not be the
// AKID of the user of that number.
func TestAttackNumberPassesForAKID(t *testing.T) {
	s := newScheme(t, Scheme{}, link.Options{})
	for cleartext, want := range map[string]string{"98765": "malformed/token", ".98765": "ok"} {
		if got, _ := verdict(s, cleartext+"."+hashOf("secret", cleartext), "secret"); got != want {
			t.Errorf("%s: %s, want %s", cleartext, got, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	got := newScheme(t, Scheme{}, link.Options{}).Describe()
	want := link.Description{
		Signature: []string{"akid"}, Claims: []string{"user", "mailing"}, User: "{claim.user}",
		Headers: []link.ClaimHeader{{Header: "X-Verified-Mailing", Claim: "mailing"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("AKIDs: %+v, want %+v", got, want)
	}
	got = newScheme(t, ofText(), link.Options{}).Describe()
	want = link.Description{Signature: []string{"id"}, Claims: []string{"text"}, User: "none"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("text: %+v, want %+v", got, want)
	}
}

func TestNewSchemeErrors(t *testing.T) {
	for _, tc := range []struct {
		scheme  Scheme
		options link.Options
		want    string
	}{
		{Scheme{Token: "akid"}, link.Options{}, "token: "},
		{Scheme{Token: "{path}"}, link.Options{}, "token: "},
		{Scheme{Token: "{query.a}{query.b}"}, link.Options{}, "token: "},
		{Scheme{Token: "{query.}"}, link.Options{}, "token: "},
		{Scheme{}, link.Options{UserKeys: true}, "user_keys: every AKID is signed with the one secret"},
		{Scheme{Truncate: 3}, link.Options{}, "truncate 3: "},
		{Scheme{Truncate: -1}, link.Options{}, "truncate -1: "},
		{Scheme{Truncate: 44}, link.Options{}, "truncate 44: "},
		{Scheme{Text: &Text{}}, link.Options{}, `text: unknown class ""`},
		{Scheme{Text: &Text{Class: "word"}}, link.Options{}, `text: unknown class "word"`},
		{Scheme{Text: &Text{Class: "one_of"}}, link.Options{}, "text: one_of has no place here"},
		{Scheme{Text: &Text{Class: "token", Max: -1}}, link.Options{}, "text: min and max are not negative"},
	} {
		if s, err := tc.scheme.NewScheme(tc.options); err == nil || s != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: error %v, want %q", tc.scheme, err, tc.want)
		}
	}
}

func TestTruncate(t *testing.T) {
	sum := sha256.Sum256([]byte("secret.1.2"))
	whole := base64.RawURLEncoding.EncodeToString(sum[:])
	for _, n := range []int{4, 5, 8, 42, 43} {
		s := newScheme(t, Scheme{Truncate: n}, link.Options{})
		if got, _ := verdict(s, "1.2."+whole[:n], "secret"); got != "ok" {
			t.Errorf("truncate %d: %s", n, got)
		}
		if got, _ := verdict(s, "1.2."+whole[:n-1], "secret"); got != "malformed/token" {
			t.Errorf("truncate %d, a hash of %d characters: %s", n, n-1, got)
		}
	}
}

func TestTextRule(t *testing.T) {
	s := newScheme(t, Scheme{Text: &Text{Class: "token", Max: 8}}, link.Options{})
	for cleartext, want := range map[string]string{
		"abc":         "ok",
		"a.b":         "ok",
		"12345678":    "ok",
		"1.345678":    "malformed/akid_shape",
		"abcdefgh":    "ok",
		"abcdefghi":   "malformed/too_long",
		"a b":         "malformed/charset",
		"a\nb":        "malformed/charset",
		"a\x00":       "malformed/charset",
		"é":           "malformed/charset",
		"{env.X}":     "malformed/charset",
		"":            "malformed/token",
		"<script>":    "malformed/charset",
		"a&user=1234": "malformed/too_long",
	} {
		if got, _ := verdict(s, cleartext+"."+hashOf("secret", cleartext), "secret"); got != want {
			t.Errorf("text %q: %s, want %s", cleartext, got, want)
		}
	}
}

func TestUnmarshalCaddyfile(t *testing.T) {
	for _, tc := range []struct {
		input string
		want  Scheme
		err   string
	}{
		{"akid", Scheme{}, ""},
		{"akid {\n}", Scheme{}, ""},
		{"akid {\ntoken {query.id}\n}", Scheme{Token: "{query.id}"}, ""},
		{"akid {\ntruncate 8\n}", Scheme{Truncate: 8}, ""},
		{"akid {\ntext token\n}", Scheme{Text: &Text{Class: "token"}}, ""},
		{"akid {\ntext text max 2000\ntruncate 6\ntoken {query.id}\n}", Scheme{Token: "{query.id}", Truncate: 6, Text: &Text{Class: "text", Max: 2000}}, ""},

		{"akid {\ntoken\n}", Scheme{}, "token needs the parameter of the AKID"},
		{"akid {\ntoken {query.a} {query.b}\n}", Scheme{}, "token takes one argument"},
		{"akid {\ntruncate\n}", Scheme{}, "truncate needs a whole number"},
		{"akid {\ntruncate six\n}", Scheme{}, "truncate six: write a whole number of at least 4"},
		{"akid {\ntruncate 3\n}", Scheme{}, "truncate 3: write a whole number of at least 4"},
		{"akid {\ntruncate 6 7\n}", Scheme{}, "truncate takes one argument"},
		{"akid {\ntext\n}", Scheme{}, "text <class> [max <bytes>]"},
		{"akid {\ntext token 20\n}", Scheme{}, `"20" is not max`},
		{"akid {\ntext token max\n}", Scheme{}, "max needs a whole number"},
		{"akid {\ntext token max 0\n}", Scheme{}, "max 0: write a whole number of at least 1"},
		{"akid {\ntext token max 20 min 3\n}", Scheme{}, "max takes one argument"},
		{"akid {\ntoken {query.a}\ntoken {query.b}\n}", Scheme{}, "token is given twice; it stands on line 2 already"},
		{"akid {\ntext token\ntruncate 6\ntext alnum\n}", Scheme{}, "text is given twice"},
		{"akid {\nalgorithm sha1\n}", Scheme{}, `unknown option "algorithm"; this scheme has token, truncate, text, and every scheme has name, secret`},
	} {
		blocktest.Check(t, tc.input, new(Scheme), &tc.want, tc.err)
	}
}

// FuzzAKID: whatever the token, a yes is the sample code's yes; and of a well-formed
// AKID a yes of the sample code is a yes.
func FuzzAKID(f *testing.F) {
	for _, v := range linktest.Load(f, "../../testdata/vectors/akid.jsonl") {
		r := linktest.NewRequest(v.URL)
		token, _ := r.Value(v.Param("param"))
		f.Add(token, v.Secret)
	}
	for _, token := range []string{"", ".", "..", "...", ".....", "1.2", "1.2.", ".1.2.3.4.", "\x00.\x00.\x00", "\xff.1.aaaaaa", "1.1." + strings.Repeat("a", 300)} {
		f.Add(token, "secret")
	}
	compiled, err := new(Scheme).NewScheme(link.Options{})
	if err != nil {
		f.Fatal(err)
	}
	texts, err := (&Scheme{Text: &Text{Class: "text"}}).NewScheme(link.Options{})
	if err != nil {
		f.Fatal(err)
	}
	wellFormed := regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}\.[0-9]{1,20}\.[A-Za-z0-9_-]{6}$`)
	f.Fuzz(func(t *testing.T, token, secret string) {
		for _, tk := range []string{token, token + "." + hashOf(secret, token)} {
			got, claims := verdict(compiled, tk, secret)
			asText, _ := verdict(texts, tk, secret)
			right := sample(secret, tk) && secret != ""
			switch {
			case got == "ok" && !right, asText == "ok" && !right:
				t.Errorf("token %q: %s, as text %s; the sample code says no", tk, got, asText)
			case wellFormed.MatchString(tk) && (got == "ok") != right:
				t.Errorf("token %q: %s; the sample code says %t", tk, got, right)
			case !wellFormed.MatchString(tk) && got == "ok":
				t.Errorf("token %q is no AKID, and verifies", tk)
			case got == "ok" && asText == "ok":
				t.Errorf("token %q passes for an AKID and for a text", tk)
			case got == "ok" && !states(claims, tk[:strings.LastIndexByte(tk, '.')]):
				t.Errorf("token %q states %v", tk, claims)
			}
		}
	})
}

// states tells whether mailing and user are all of the cleartext.
func states(claims link.Claims, cleartext string) bool {
	mailing, user := claims.Get("mailing"), claims.Get("user")
	return cleartext == mailing+"."+user
}
