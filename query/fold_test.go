package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/signedlink/caddy-signed-link/backend"
)

func names(t testing.TB, profile backend.Profile, list ...string) *Names {
	t.Helper()
	n, err := NewNames(profile, list)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCheckName(t *testing.T) {
	for _, tc := range []struct {
		name                 string
		strict, php, servlet string // part of the error
	}{
		{"user", "", "", ""},
		{"user_id", "", "", ""},
		{"X-Amz-Signature", "", "", ""},
		{"_", "", "", ""},
		{"a:b~c$", "", "", ""},
		{strings.Repeat("a", 64), "", "", ""},
		{"user.id", `sign "user_id"`, `sign "user_id"`, ""},
		{"", "1 to 64", "1 to 64", "1 to 64"},
		{strings.Repeat("a", 65), "1 to 64", "1 to 64", "1 to 64"},
		{"user id", "' ' cannot stand", "' ' cannot stand", "' ' cannot stand"},
		{"user[id]", "`backend php` or `backend servlet`", "", ""},
		{"user[a][b.c]", "`backend php` or `backend servlet`", "", ""},
		{"tx_femanager_pi1[hash]", "`backend php` or `backend servlet`", "", ""},
		{"a" + strings.Repeat("[b]", maxLevels), "`backend php` or `backend servlet`", "", ""},
		{"a" + strings.Repeat("[b]", maxLevels+1), "at most 8", "at most 8", "at most 8"},
		{"user[]", "as in user[id]", "as in user[id]", ""},
		{"user[id][]", "as in user[id]", "as in user[id]", ""},
		{"user.a[id]", `sign "user_a[id]"`, `sign "user_a[id]"`, ""},
		{"user[id", "each closed", "each closed", "each closed"},
		{"user]", "each closed", "each closed", "each closed"},
		{"user]id[", "each closed", "each closed", "each closed"},
		{"user[id]x", "each closed", "each closed", "each closed"},
		{"user[[id]]", "each closed", "each closed", "each closed"},
		{"user[id]]", "each closed", "each closed", "each closed"},
		{"][]", "each closed", "each closed", "each closed"},
		{"us]er[id]", "each closed", "each closed", "each closed"},
		{"[user]", "behind a name", "behind a name", "behind a name"},
		{"user[a b]", "' ' cannot stand", "' ' cannot stand", "' ' cannot stand"},
		{"user%5Bid%5D", "write '['", "write '['", "write '['"},
		{"a=b", "'='", "'='", "'='"},
		{"a&b", "'&'", "'&'", "'&'"},
		{"a;b", "';'", "';'", "';'"},
		{"a%41", "'%'", "'%'", "'%'"},
		{"a+b", "'+'", "'+'", "'+'"},
		{"a\x00", `'\x00'`, `'\x00'`, `'\x00'`},
		{"?user", "'?'", "'?'", "'?'"},
		{"benützer", "cannot stand", "cannot stand", "cannot stand"},
	} {
		for profile, want := range map[backend.Profile]string{backend.Strict: tc.strict, backend.PHP: tc.php, backend.Servlet: tc.servlet} {
			err := CheckName(profile, tc.name)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%q under %s: error %v, want %q", tc.name, profile, err, want)
			}
			if _, newErr := NewNames(profile, []string{"a", tc.name}); (newErr == nil) != (want == "") {
				t.Errorf("%q under %s: NewNames says %v", tc.name, profile, newErr)
			}
		}
	}
}

func TestNames(t *testing.T) {
	n := names(t, backend.PHP, "user", "key")
	if n.Len() != 2 || n.Name(0) != "user" || n.Name(1) != "key" {
		t.Errorf("%d names, %q, %q", n.Len(), n.Name(0), n.Name(1))
	}
	none := names(t, backend.Strict)
	for _, segment := range []string{"", "=", "user=x", "%", ";"} {
		if _, s := none.Classify(segment); s != Other {
			t.Errorf("%q spells a name of an empty set: %d", segment, s)
		}
	}
}

// TestClassify is the table of fold.go's comment and more. `user_id` is protected.
func TestClassify(t *testing.T) {
	for _, tc := range []struct {
		segment              string
		strict, php, servlet Spelling
	}{
		{"user_id", Plain, Plain, Plain},
		{"user_id=", Plain, Plain, Plain},
		{"user_id=jeff", Plain, Plain, Plain},
		{"user_id=a=b;c&", Plain, Plain, Plain},

		// every backend decodes names
		{"us%65r_id=x", LookAlike, LookAlike, LookAlike},
		{"user%5Fid=x", LookAlike, LookAlike, LookAlike},
		{"user%5fid", LookAlike, LookAlike, LookAlike},
		{"us%2565r_id=x", Other, Other, Other},

		// leading blanks and question marks
		{"+user_id=x", LookAlike, LookAlike, Other},
		{"%20user_id=x", LookAlike, LookAlike, Other},
		{"++%20user_id=x", LookAlike, LookAlike, Other},
		{"?user_id=x", LookAlike, LookAlike, Other},
		{"%3Fuser_id=x", LookAlike, LookAlike, Other},
		{"??+user_id=x", LookAlike, LookAlike, Other},

		// NUL
		{"user_id%00=x", LookAlike, LookAlike, Other},
		{"user_id%00x=x", LookAlike, LookAlike, Other},
		{"user_id%00[]=x", Array, Array, Other}, // a string to PHP, refused all the same
		{"us%00er_id=x", Other, Other, Other},

		// arrays
		{"user_id[]=x", Array, Array, Other},
		{"user_id%5B%5D=x", Array, Array, Other},
		{"user_id[0]=x", Array, Array, Other},
		{"user_id[x]y=x", Array, Array, Other},
		{"user_id[[]=x", Array, Array, Other},
		{"user.id[]=x", Array, Array, Other},
		{"us%65r_id[]=x", Array, Array, Other},

		// PHP's underscore
		{"user.id=x", LookAlike, LookAlike, Other},
		{"user+id=x", LookAlike, LookAlike, Other},
		{"user%20id=x", LookAlike, LookAlike, Other},
		{"user[id=x", Array, Array, Other},
		{"user%5Bid=x", Array, Array, Other},
		{"+user.id%00y=x", LookAlike, LookAlike, Other},

		// semicolons
		{"a;user_id=x", LookAlike, LookAlike, Other},
		{"a=1;user_id=x", LookAlike, LookAlike, Other},
		{"a=1;b=2;user_id=x", LookAlike, LookAlike, Other},
		{"a=1;us%65r_id=x", LookAlike, LookAlike, Other},
		{"a=1;user_id[]=x", Array, Array, Other},
		{"a=1;user_id", LookAlike, LookAlike, Other},
		{";user_id=x", LookAlike, LookAlike, Other},
		{"user_id;a=1", LookAlike, LookAlike, Other},
		{"us%65r_id;a=1", LookAlike, LookAlike, Other},
		{"user_id[];a=1", Array, Array, Other},
		{"user_id=1;a=2", Plain, Plain, Plain},
		{"a=1;b=user_id", Other, Other, Other},
		{"a=1%3Buser_id=x", Other, Other, Other},

		// HTML escaped once too often
		{"amp;user_id=x", HTMLEscaped, HTMLEscaped, HTMLEscaped},
		{"#38;user_id=x", HTMLEscaped, HTMLEscaped, HTMLEscaped},
		{"#038;user_id=x", HTMLEscaped, HTMLEscaped, HTMLEscaped},
		{"amp;us%65r_id=x", LookAlike, LookAlike, LookAlike},
		{"amp;lang=de", Other, Other, Other},

		// only the most lenient readers
		{"USER_ID=x", LookAlike, Other, Other},
		{"User_Id=x", LookAlike, Other, Other},
		{"user-id=x", LookAlike, Other, Other},
		{"user_id_=x", LookAlike, Other, Other},
		{"user_id]=x", LookAlike, Other, Other},
		{"[user_id]=x", Array, Other, Other},
		{"%5Buser_id%5D=x", Array, Other, Other},
		{"user_id%09=x", LookAlike, Other, Other},
		{"%09user_id=x", LookAlike, Other, Other},
		{"user_id%C2%A0=x", LookAlike, Other, Other},
		{"%EF%BB%BFuser_id=x", LookAlike, Other, Other},
		{"user%E2%80%8B_id=x", LookAlike, Other, Other},
		{"%u0075ser_id=x", LookAlike, Other, Other},
		{"user%U005Fid=x", LookAlike, Other, Other},
		{"%EF%BD%95ser_id=x", LookAlike, Other, Other},           // full-width u
		{"user%EF%BC%BFid=x", LookAlike, Other, Other},           // full-width _
		{"user%EF%BC%8Did=x", LookAlike, Other, Other},           // full-width -
		{"user%EF%BC%8Eid=x", LookAlike, Other, Other},           // full-width .
		{"user_id%EF%BC%BB%EF%BC%BD=x", LookAlike, Other, Other}, // full-width brackets
		{"u%C5%BFer_id=x", LookAlike, Other, Other},              // long s
		{"user_%C4%B1d=x", LookAlike, Other, Other},              // dotless i
		{"user_%C4%B0d=x", LookAlike, Other, Other},              // dotted I
		{"user%E2%80%AE_id=x", LookAlike, Other, Other},          // right-to-left override

		// honest names
		{"", Other, Other, Other},
		{"=user_id", Other, Other, Other},
		{"user", Other, Other, Other},
		{"userid=x", Other, Other, Other},
		{"user__id=x", Other, Other, Other},
		{"user_ids=x", Other, Other, Other},
		{"user_id2=x", Other, Other, Other},
		{"xuser_id=x", Other, Other, Other},
		{"_user_id=x", Other, Other, Other},
		{"a[user_id]=x", Other, Other, Other},
		{"a=user_id", Other, Other, Other},
		{"a=%26user_id=x", Other, Other, Other},
		{"user%FF_id=x", Other, Other, Other},
		{"%C1%B5ser_id=x", Other, Other, Other}, // overlong u: no backend reads it
	} {
		for profile, want := range map[backend.Profile]Spelling{backend.Strict: tc.strict, backend.PHP: tc.php, backend.Servlet: tc.servlet} {
			n := names(t, profile, "key", "user_id")
			i, got := n.Classify(tc.segment)
			if got != want || want != Other && i != 1 {
				t.Errorf("%q under %s: spelling %d of name %d, want %d of 1", tc.segment, profile, got, i, want)
			}
		}
	}
}

// TestClassifyLoose: the letters of these names have look-alikes of their own.
func TestClassifyLoose(t *testing.T) {
	n := names(t, backend.Strict, "key", "akid", "sig", "x-user")
	for segment, want := range map[string]string{
		"\u212Aey": "key", "%E2%84%AAey": "key", "%E2%84%AAEY[]": "key", "a\u212A\u0131d": "akid", "AKID": "akid", "\uFF41kid": "akid",
		"\u017Fig": "sig", "s\u0131g": "sig", "X_USER": "x-user", "x.user": "x-user", "x\uFF0Duser": "x-user", "x+user": "x-user",
	} {
		if i, s := n.Classify(segment + "=1"); s == Other || n.Name(i) != want {
			t.Errorf("%q: spelling %d of %q, want %q", segment, s, n.Name(i), want)
		}
	}
}

// TestHonestNames: an honest visitor is not locked out by what mailers and applications
// add.
func TestHonestNames(t *testing.T) {
	for _, profile := range []backend.Profile{backend.Strict, backend.PHP, backend.Servlet} {
		n := names(t, profile, "user", "akid", "key", "sig")
		for _, name := range []string{
			"username", "users", "user2", "user_id", "userid", "user-id", "superuser", "referring_akid", "akids", "monkey", "keyword", "keys", "api_key", "signature", "signup", "sign", "design",
			"utm_source", "utm_medium", "utm_campaign", "_ga", "_gl", "_hsenc", "_hsmi", "fbclid", "gclid", "mc_cid", "mc_eid", "mkt_tok", "t", "rd", "source", "lang", "q", "page", "tags[]", "tags[user]", "filter[key]",
			"a.b.c", "utf8", "%E2%9C%93", "x%20y", "benutzer", "us", "er", "u", "", "User-Agent", "ke", "ey", "k%65ys", "_method", "sid", "k", "PHPSESSID", "user%2Fx", "user:x", "user~", "user$", "user*",
		} {
			if i, s := n.Classify(name + "=1"); s != Other {
				t.Errorf("%q under %s: spelling %d of %q", name, profile, s, n.Name(i))
			}
		}
	}
}

func TestClassifyDecoded(t *testing.T) {
	for _, tc := range []struct {
		name                 string
		strict, php, servlet Spelling
	}{
		{"user", LookAlike, LookAlike, LookAlike}, // there is no plain spelling in a body
		{" user", LookAlike, LookAlike, Other},
		{"user[]", Array, Array, Other},
		{"user\x00x", LookAlike, LookAlike, Other},
		{"USER", LookAlike, Other, Other},
		{"us%65r", Other, Other, Other}, // decoded already
		{"username", Other, Other, Other},
		{"", Other, Other, Other},
	} {
		for profile, want := range map[backend.Profile]Spelling{backend.Strict: tc.strict, backend.PHP: tc.php, backend.Servlet: tc.servlet} {
			n := names(t, profile, "key", "user")
			if i, got := n.ClassifyDecoded([]byte(tc.name)); got != want || want != Other && i != 1 {
				t.Errorf("%q under %s: spelling %d of name %d, want %d of 1", tc.name, profile, got, i, want)
			}
		}
	}
}

// measured is what PHP made of a name: see testdata/README.md.
type measured struct {
	raw, key       string
	array, dropped bool
}

func phpTable(t testing.TB) []measured {
	t.Helper()
	content, err := os.ReadFile("testdata/php_fold.json")
	if err != nil {
		t.Fatal(err)
	}
	var table map[string]*string
	if err := json.Unmarshal(content, &table); err != nil {
		t.Fatal(err)
	}
	var out []measured
	for raw, key := range table {
		m := measured{raw: raw, dropped: key == nil}
		if key != nil {
			encoded, array := strings.CutSuffix(*key, "[]")
			m.key, m.array = Unescape(encoded), array
		}
		out = append(out, m)
	}
	if len(out) < 1000 {
		t.Fatalf("the table has %d names", len(out))
	}
	return out
}

// TestPHPFold: for every two names that PHP files under one key, one is a look-alike of
// the other. Where the gateway and PHP disagree about a name, PHP runs with the value
// of the parameter that was not verified (peers' bug B2).
func TestPHPFold(t *testing.T) {
	byKey := make(map[string][]measured)
	for _, m := range phpTable(t) {
		if !m.dropped {
			byKey[m.key] = append(byKey[m.key], m)
		}
	}
	pairs := 0
	for key, spellings := range byKey {
		for _, profile := range []backend.Profile{backend.PHP, backend.Strict} {
			for _, protected := range spellings {
				if CheckName(profile, protected.raw) != nil || bracketed(protected.raw) {
					continue // of members of arrays TestAttackArrayPHP knows
				}
				n := names(t, profile, protected.raw)
				for _, m := range spellings {
					want := LookAlike
					switch {
					case m.raw == protected.raw:
						want = Plain
					case m.array:
						want = Array
					}
					_, got := n.Classify(m.raw + "=v")
					if got == Array && strings.Contains(Unescape(m.raw), "[") {
						got = want // of `user[id` and `user[id]` PHP makes different things; both are refused
					}
					if got != want {
						t.Errorf("%s: PHP files %q under %q, as %q: spelling %d, want %d", profile, m.raw, key, protected.raw, got, want)
					}
					pairs++
				}
			}
		}
	}
	if pairs < 100 {
		t.Errorf("only %d pairs were compared", pairs)
	}
}

// TestPHPFoldsNoMore: under the profile php a name that PHP files elsewhere is left
// alone, but for a leading '?', which php -S drops.
func TestPHPFoldsNoMore(t *testing.T) {
	protected := []string{"user", "user_id", "akid", "key"}
	n := names(t, backend.PHP, protected...)
	for _, m := range phpTable(t) {
		i, got := n.Classify(m.raw + "=v")
		if got == Other || !m.dropped && m.key == protected[i] {
			continue
		}
		if !strings.HasPrefix(strings.TrimLeft(Unescape(m.raw), " "), "?") && !strings.Contains(m.raw, ";") {
			t.Errorf("%q is taken for %q (spelling %d); PHP files it under %q", m.raw, protected[i], got, m.key)
		}
	}
}

// TestFoldPHPAgrees: the fold itself is PHP's key.
func TestFoldPHPAgrees(t *testing.T) {
	for _, m := range phpTable(t) {
		decoded := Unescape(m.raw)
		if m.dropped || strings.HasPrefix(strings.TrimLeft(decoded, " "), "?") {
			continue
		}
		if got := string(foldPHP(backend.PHP, nil, []byte(decoded), unlimited)); got != m.key {
			t.Errorf("%q: fold %q, PHP's key %q", m.raw, got, m.key)
		}
	}
}

// phpKey is php_register_variable_ex of PHP 8.2, line by line: the key under which it
// files a decoded name, and whether it files it at all.
func phpKey(decoded string) (string, bool) {
	name, _, _ := strings.Cut(decoded, "\x00")
	name = strings.TrimLeft(name, " ")
	open := strings.IndexByte(name, '[')
	if name == "" || open == 0 {
		return "", false
	}
	if open > 0 && strings.Contains(name[open:], "]") {
		name = name[:open]
	}
	return strings.Map(func(c rune) rune {
		if c == ' ' || c == '.' || c == '[' {
			return '_'
		}
		return c
	}, name), true
}

// TestPHPModel: the model that FuzzClassify uses is the measured PHP.
func TestPHPModel(t *testing.T) {
	for _, m := range phpTable(t) {
		decoded := Unescape(m.raw)
		if !utf8.ValidString(decoded) {
			continue // strings.Map would replace bytes
		}
		if key, ok := phpKey(decoded); ok == m.dropped || key != m.key {
			t.Errorf("%q: the model says %q, %t; PHP %q, dropped %t", m.raw, key, ok, m.key, m.dropped)
		}
	}
}

// FuzzClassify: no segment makes it panic, plain names are plain, what PHP reads as a
// protected name is never Other, and names of other letters are always Other.
func FuzzClassify(f *testing.F) {
	seed(f, func(raw string) { f.Add(raw) })
	for _, m := range phpTable(f) {
		if strings.Contains(m.raw, "user") && len(m.raw)%3 == 0 {
			f.Add(m.raw + "=v")
		}
	}
	protected := []string{"user", "user_id", "akid", "key", "sig"}
	sets, unions := make(map[backend.Profile]*Names), make(map[backend.Profile]*Names)
	for _, profile := range []backend.Profile{backend.Strict, backend.PHP, backend.Servlet} {
		sets[profile] = names(f, profile, protected...)
		unions[profile] = names(f, profile, slices.Concat(protected, fillers)...)
	}
	f.Fuzz(func(t *testing.T, segment string) {
		name, _, _ := strings.Cut(segment, "=")
		decoded := Unescape(name)
		got := make(map[backend.Profile]Spelling)
		for profile, n := range sets {
			i, s := n.Classify(segment)
			got[profile] = s
			if j, again := n.Classify(segment); i != j || s != again {
				t.Errorf("%q under %s: %d of %d, and then %d of %d", segment, profile, s, i, again, j)
			}
			sameAmongMany(t, n, unions[profile], segment)
			if s > HTMLEscaped || i < 0 || i >= n.Len() {
				t.Fatalf("%q under %s: spelling %d of name %d", segment, profile, s, i)
			}
			if plain := slices.Contains(protected, name); (s == Plain) != plain || plain && protected[i] != name {
				t.Errorf("%q under %s: spelling %d of %q", segment, profile, s, protected[i])
			}
			if s == Other && slices.Contains(protected, decoded) {
				t.Errorf("%q under %s: decoded it is %q", segment, profile, decoded)
			}
			if _, asIs := n.ClassifyDecoded([]byte(name)); asIs != Other {
				if _, either := n.ClassifyEither(name); either == Other {
					t.Errorf("%q under %s: spelling %d as it is, and %d either way", name, profile, asIs, either)
				}
			}
			j, inBody := n.ClassifyDecoded([]byte(decoded))
			if inBody == Plain || s != Plain && inBody != Other && (s == Other || i != j) {
				t.Errorf("%q under %s: spelling %d of %d, decoded %d of %d", segment, profile, s, i, inBody, j)
			}
		}
		key, filed := phpKey(decoded)
		if filed && utf8.ValidString(decoded) && slices.Contains(protected, key) && (got[backend.PHP] == Other || got[backend.Strict] == Other) {
			t.Errorf("%q: PHP reads it as %q; php says %d, strict %d", segment, key, got[backend.PHP], got[backend.Strict])
		}
		if got[backend.PHP] != Other && got[backend.Strict] == Other || got[backend.Servlet] != Other && got[backend.Strict] == Other {
			t.Errorf("%q: strict says %d, php %d, servlet %d; it must hold for both", segment, got[backend.Strict], got[backend.PHP], got[backend.Servlet])
		}
		other := bytes.Map(func(c rune) rune {
			if c >= 0x80 || strings.ContainsRune("%;", c) {
				return 'b'
			}
			return c
		}, []byte("b"+segment))
		for profile, n := range sets {
			// no protected name begins with b, however it is folded
			if _, s := n.Classify(string(other)); s != Other {
				t.Errorf("%q under %s: spelling %d", other, profile, s)
			}
		}
	})
}

// fillers are names that make a set one of many.
var fillers = func() (list []string) {
	for i := range 2 * fewTexts {
		list = append(list, fmt.Sprintf("b%d-X_", i))
	}
	return list
}()

// sameAmongMany: what a set of few names says of a segment, one of many says, too.
func sameAmongMany(t *testing.T, few, many *Names, segment string) {
	t.Helper()
	i, s := few.Classify(segment)
	j, among := many.Classify(segment)
	if j < few.Len() && (i != j || s != among) || j >= few.Len() && among == Other {
		t.Errorf("%.200q: spelling %d of name %d, and among many %d of %d", segment, s, i, among, j)
	}
	i, s = few.ClassifyDecoded([]byte(segment))
	j, among = many.ClassifyDecoded([]byte(segment))
	if j < few.Len() && (i != j || s != among) {
		t.Errorf("%.200q: decoded, spelling %d of name %d, and among many %d of %d", segment, s, i, among, j)
	}
}

// TestManyNames: names that are found by an index are found in every spelling in which one
// of few is.
func TestManyNames(t *testing.T) {
	for _, profile := range []backend.Profile{backend.Strict, backend.PHP, backend.Servlet} {
		few := names(t, profile, "user", "key", "user_id", "akid")
		many := names(t, profile, slices.Concat([]string{"user", "key", "user_id", "akid"}, fillers)...)
		if few.plain.index != nil || many.plain.index == nil {
			t.Fatal("the sets do not differ")
		}
		for _, r := range corpus(t) {
			for segment := range strings.SplitSeq(r.query, "&") {
				sameAmongMany(t, few, many, segment)
			}
		}
		for _, filler := range fillers {
			for segment, want := range map[string]Spelling{
				filler: Plain, strings.ToUpper(filler) + "=x": LookAlike, strings.ReplaceAll(filler, "-", "_") + "=": LookAlike,
				strings.TrimRight(filler, "_") + "--=1": LookAlike, strings.Replace(filler, "b", "%62", 1): LookAlike, filler + "x": Other, filler + "[]=": Array,
			} {
				if profile == backend.PHP && want == LookAlike && !strings.Contains(segment, "%") {
					want = Other // PHP minds case
				}
				if profile == backend.Servlet && want != Plain && !strings.Contains(segment, "%") {
					want = Other // as servlets do, and there are no arrays
				}
				if _, s := many.Classify(segment); s != want {
					t.Errorf("%s: %q has spelling %d, want %d", profile, segment, s, want)
				}
			}
		}
		if _, s := many.Classify(strings.Repeat("b", 1<<10)); s != Other {
			t.Errorf("%s: a long name has spelling %d", profile, s)
		}
	}
}

// TestBrackets holds the one look to a look at each bracket.
func TestBrackets(t *testing.T) {
	closes := func(rest []byte) bool {
		i := bytes.IndexAny(rest, "]\x00")
		return i >= 0 && rest[i] == ']'
	}
	letters := []byte("[[[]\x00a")
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		name := make([]byte, 1+random.IntN(12))
		for i := range name {
			name[i] = letters[random.IntN(len(letters))]
		}
		open := brackets{name: name}
		for i := range name {
			if got, want := open.closes(i+1), closes(name[i+1:]); got != want {
				t.Fatalf("%q: that a bracket behind %d is closed is %t, want %t", name, i, got, want)
			}
		}
	}
}

// TestAttackLeadingBracket: PHP's readers make a '_' of a bracket with which a name begins,
// where the loose fold drops it.
func TestAttackLeadingBracket(t *testing.T) {
	n := names(t, backend.Strict, "_user", "__u")
	for segment, name := range map[string]string{
		"[user=1": "_user", " [user=1": "_user", "?[user=1": "_user", "+?[user=1": "_user", "%5buser=1": "_user", "%3F%5Buser": "_user",
		"[[u=1": "__u", "[_u=1": "__u", "_[u=1": "__u",
	} {
		if i, s := n.Classify(segment); s == Other || n.Name(i) != name {
			t.Errorf("%q: spelling %d of %q, want one of %q", segment, s, n.Name(i), name)
		}
	}
}
