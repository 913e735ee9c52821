package keyedhash

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/block/blocktest"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

// verifiable is the verifiable URL: hash(user + secret) in hex as `key`.
func verifiable(t testing.TB, algorithm string) link.Scheme {
	t.Helper()
	s := &Scheme{Options{Algorithm: algorithm, Message: "{query.user}{secret}", Signature: "{query.key}"}}
	compiled, err := s.NewScheme(link.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func TestVectors(t *testing.T) {
	byHash := make(map[string][]linktest.Vector)
	for _, v := range linktest.Load(t, "../../testdata/vectors/verifiable_url.jsonl") {
		if c := v.Param("construction"); c != "hex(H(value + secret))" || v.Param("value_param") != "user" || v.Param("sig_param") != "key" {
			t.Fatalf("%s is constructed as %s", v.ID, c)
		}
		byHash[v.Param("hash")] = append(byHash[v.Param("hash")], v)
	}
	if len(byHash) != 3 {
		t.Fatalf("the vectors have %d algorithms, want md5, sha1 and sha256", len(byHash))
	}
	for algorithm, vectors := range byHash {
		t.Run(algorithm, func(t *testing.T) {
			linktest.Run(t, linktest.Suite{Scheme: verifiable(t, algorithm), Vectors: vectors})
		})
	}
}

// TestMembers: names with brackets, in each of their spellings, under each profile that
// reads them one way.
func TestMembers(t *testing.T) {
	// printf 4 | openssl dgst -sha256 -hmac b7Qf2kV9xWc4LmN8pRt6YzA3sDgH5jKe
	const good = "7a03fa078a37aaf939c0faff4a60d9c6e243941059e22318a130c5655cb50c63"
	vector := func(id, query, expect, user string) linktest.Vector {
		return linktest.Vector{ID: id, Secret: "b7Qf2kV9xWc4LmN8pRt6YzA3sDgH5jKe", URL: "https://www.example.com/confirm?" + query, Expect: expect, User: user}
	}
	s := &Scheme{Options{Algorithm: "hmac-sha256", Message: "{query.tx[user]}", Signature: "{query.tx[hash]}"}}
	compiled, err := s.NewScheme(link.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for profile, beside := range map[backend.Profile]string{backend.PHP: linktest.Invalid, backend.Servlet: linktest.Valid} {
		others := "4"
		if beside == linktest.Invalid {
			others = ""
		}
		linktest.Run(t, linktest.Suite{
			Scheme: compiled, Profile: profile,
			Rules: map[string]link.Rule{"tx[user]": {Class: link.Digits, Min: 1, Max: 20}},
			Vectors: []linktest.Vector{
				vector("as they are", "tx[user]=4&tx[hash]="+good, linktest.Valid, "4"),
				vector("encoded", "tx%5Buser%5D=4&tx%5bhash%5d="+good, linktest.Valid, "4"),
				vector("another member", "tx%5Baction%5D=go&tx[user]=4&tx[hash]="+good, linktest.Valid, "4"),
				vector("another value", "tx[user]=5&tx[hash]="+good, linktest.Invalid, ""),
				vector("twice", "tx[user]=4&tx[hash]="+good+"&tx%5Buser%5D=5", linktest.Invalid, ""),
				vector("an encoded letter", "tx[user]=4&tx[hash]="+good+"&tx[us%65r]=5", linktest.Invalid, ""),
				vector("no hash", "tx[user]=4", linktest.Invalid, ""),
				vector("a text in its place", "tx[user]=4&tx[hash]="+good+"&tx=5", beside, others),
				vector("an array in its place", "tx[user]=4&tx[hash]="+good+"&tx[user][x]=5", beside, others),
				vector("what PHP ignores behind it", "tx[user]=4&tx[hash]="+good+"&tx[user]x=5", beside, others),
			},
		})
	}
}

// TestSeedVerifiableURL holds the scheme to what "How to create a verifiable URL" says:
// jeff's link works, with the hash that the article prints, and the same hash does not
// let anybody into mike's account.
func TestSeedVerifiableURL(t *testing.T) {
	const (
		secret = "asdf1234qwerty"
		jeff   = "31c940a5a60bcd1022cd8dab2be76b98" // md5("jeffasdf1234qwerty")
		mike   = "8aab50f7c16e76bf32f6d9a8f77c8582" // md5("mikeasdf1234qwerty")
	)
	vector := func(id, query, expect, user string) linktest.Vector {
		return linktest.Vector{ID: id, Secret: secret, URL: "https://www.example.com/autologin?" + query, Expect: expect, User: user}
	}
	linktest.Run(t, linktest.Suite{
		Scheme: verifiable(t, "md5"),
		Rules:  map[string]link.Rule{"user": {Class: link.Alnum, Min: 1, Max: 32}},
		Vectors: []linktest.Vector{
			vector("jeff", "user=jeff&key="+jeff, linktest.Valid, "jeff"),
			vector("mike's own", "user=mike&key="+mike, linktest.Valid, "mike"),
			vector("jeff's key under mike's name", "user=mike&key="+jeff, linktest.Invalid, ""),
			vector("no key", "user=jeff", linktest.Invalid, ""),
			vector("empty key", "user=jeff&key=", linktest.Invalid, ""),
			vector("no user", "key="+jeff, linktest.Invalid, ""),
			vector("hash of the bare secret", "user=&key="+md5Hex(secret), linktest.Invalid, ""),
			vector("hash without the secret", "user=jeff&key="+md5Hex("jeff"), linktest.Invalid, ""),
			vector("order is free", "key="+jeff+"&user=jeff", linktest.Valid, "jeff"),
			vector("what is not signed may come along", "lang=de&user=jeff&utm_source=nl&key="+jeff, linktest.Valid, "jeff"),
			vector("the value is decoded once", "user=%6Aeff&key="+jeff, linktest.Valid, "jeff"),
			vector("and not twice", "user=%256Aeff&key="+jeff, linktest.Invalid, ""),
			vector("secret before the value", "user=jeff&key="+md5Hex(secret+"jeff"), linktest.Invalid, ""),
		},
	})
	// "I normally use SHA1"
	linktest.Run(t, linktest.Suite{
		Scheme: verifiable(t, "sha1"),
		Vectors: []linktest.Vector{
			vector("sha1", "user=jeff&key=af32f5632c48e0cd2d2f74ac1deb5d1e636f237b", linktest.Valid, "jeff"),
			vector("md5 where sha1 belongs", "user=jeff&key="+jeff, linktest.Invalid, ""),
		},
	})
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// TestAttackBoundaryShift: without a separator `user=jeff&id=12` and `user=jeff1&id=2`
// are one message (peers' bug A3: Flickr, AWS SigV1, Bunny). A `param` rule or a
// separator that no value can hold tells them apart.
func TestAttackBoundaryShift(t *testing.T) {
	message := func(template string) link.Scheme {
		s, err := (&Scheme{Options{Algorithm: "md5", Message: template, Signature: "{query.key}"}}).NewScheme(link.Options{User: "{query.user}"})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	genuine, moved := "user=jeff&id=12", "user=jeff1&id=2"
	for _, tc := range []struct {
		template, signed string
		rules            map[string]link.Rule
		want             string
	}{
		{"{query.user}{query.id}{secret}", "jeff12s", nil, linktest.Valid},
		{"{query.user}:{query.id}:{secret}", "jeff:12:s", nil, linktest.Invalid},
		{"{query.user}{query.id}{secret}", "jeff12s", map[string]link.Rule{"id": {Class: link.Digits, Min: 2, Max: 2}}, linktest.Invalid},
	} {
		s := linktest.Suite{Scheme: message(tc.template), Rules: tc.rules, User: "{query.user}"}
		key := md5Hex(tc.signed)
		for query, want := range map[string]string{genuine: linktest.Valid, moved: tc.want} {
			v := linktest.Vector{ID: query, Secret: "s", URL: "https://example.org/?" + query + "&key=" + key}
			if got := s.Judge(v); got.Word() != want {
				t.Errorf("%s: %s: verdict %q, want %s", tc.template, query, got.Refusal, want)
			}
		}
	}
}

func TestUnmarshalCaddyfile(t *testing.T) {
	for _, tc := range []struct {
		input string
		want  Options
		err   string
	}{
		{"keyed_hash", Options{}, ""},
		{"keyed_hash {\n}", Options{}, ""},
		{"keyed_hash {\nalgorithm md5\nmessage {query.user}{secret}\nsignature {query.key}\n}", Options{Algorithm: "md5", Message: "{query.user}{secret}", Signature: "{query.key}"}, ""},
		{"keyed_hash {\nmessage \"{query.a} {query.b}\"\n}", Options{Message: "{query.a} {query.b}"}, ""},
		{"keyed_hash {\nencoding hex any_case\n}", Options{Encoding: "hex", AnyCase: true}, ""},
		{"keyed_hash {\nencoding base64url unpadded\n}", Options{Encoding: "base64url", Unpadded: true}, ""},
		{"keyed_hash {\nencoding base64url\ntruncate 22\n}", Options{Encoding: "base64url", Truncate: 22}, ""},
		{"keyed_hash {\ntruncate last 10\n}", Options{Truncate: 10, TruncateLast: true}, ""},
		{"keyed_hash {\nexpires {query.e}\nissued {query.i} unix_ms\n}", Options{Expires: &Time{Parameter: "{query.e}"}, Issued: &Time{Parameter: "{query.i}", Format: "unix_ms"}}, ""},
		{"keyed_hash {\nexpires {query.e} rfc3339\n}", Options{Expires: &Time{Parameter: "{query.e}", Format: "rfc3339"}}, ""},

		{"keyed_hash {\nalgorithm\n}", Options{}, "algorithm needs the name of a digest or HMAC"},
		{"keyed_hash {\nalgorithm hmac sha1\n}", Options{}, "algorithm takes one argument"},
		{"keyed_hash {\nmessage\n}", Options{}, "message needs one template"},
		{"keyed_hash {\nmessage {query.a} {query.b}\n}", Options{}, "quote it if it holds blanks"},
		{"keyed_hash {\nsignature\n}", Options{}, "signature needs the parameter"},
		{"keyed_hash {\nsignature {query.a} {query.b}\n}", Options{}, "signature takes one argument"},
		{"keyed_hash {\nencoding\n}", Options{}, "write `encoding hex|base64|base64url|base64_hex [any_case|unpadded]`"},
		{"keyed_hash {\nencoding hex anycase\n}", Options{}, `"anycase" is neither any_case nor unpadded (did you mean "any_case"?)`},
		{"keyed_hash {\nencoding hex any_case any_case\n}", Options{}, "write `encoding hex|base64|base64url|base64_hex [any_case|unpadded]`"},
		{"keyed_hash {\ntruncate\n}", Options{}, "write `truncate [last] <characters>`"},
		{"keyed_hash {\ntruncate first 10\n}", Options{}, "truncate: \"first\" is not `last`"},
		{"keyed_hash {\ntruncate last\n}", Options{}, "truncate last: write a whole number"},
		{"keyed_hash {\ntruncate last 3\n}", Options{}, "truncate 3: write a whole number of at least 4"},
		{"keyed_hash {\ntruncate last 10 11\n}", Options{}, "write `truncate [last] <characters>`"},
		{"keyed_hash {\ntruncate 3\n}", Options{}, "truncate 3: write a whole number of at least 4"},
		{"keyed_hash {\ntruncate 4.5\n}", Options{}, "truncate 4.5"},
		{"keyed_hash {\nexpires\n}", Options{}, "write `expires <placeholder> [<format> [in <zone>]] [plus"},
		{"keyed_hash {\nissued {query.i} unix now\n}", Options{}, "write `issued <placeholder> [<format> [in <zone>]]`"},
		{"keyed_hash {\nmessage a\nmessage b\n}", Options{}, "message is given twice; it stands on line 2 already"},
		{"keyed_hash {\nexpires {query.a}\nexpires {query.b}\n}", Options{}, "expires is given twice"},
		{"keyed_hash {\naction {path}\n}", Options{}, `unknown option "action"; this scheme has algorithm, message, signature, token, path, encoding, truncate, expires, issued, and every scheme has name`},
	} {
		blocktest.Check(t, tc.input, new(Scheme), &Scheme{Options: tc.want}, tc.err)
	}
}

// TestOptionsReachTheEngine: each option of the Caddyfile is acted on.
func TestOptionsReachTheEngine(t *testing.T) {
	for _, tc := range []struct {
		options, query, want string
	}{
		{"", "user=jeff&key=" + md5Hex("jeffs"), linktest.Valid},
		{"", "user=jeff&key=" + strings.ToUpper(md5Hex("jeffs")), linktest.Invalid},
		{"encoding hex any_case", "user=jeff&key=" + strings.ToUpper(md5Hex("jeffs")), linktest.Valid},
		{"truncate 8", "user=jeff&key=" + md5Hex("jeffs")[:8], linktest.Valid},
		{"truncate 8", "user=jeff&key=" + md5Hex("jeffs"), linktest.Invalid},
		{"encoding base64url", "user=jeff&key=" + md5Hex("jeffs"), linktest.Invalid},
		{"expires {query.user}", "user=1789999999&key=" + md5Hex("1789999999s"), linktest.Expired},
		{"expires {query.user}", "user=1790000000&key=" + md5Hex("1790000000s"), linktest.Valid},
		{"issued {query.user}", "user=1790000001&key=" + md5Hex("1790000001s"), linktest.Invalid},
		{"expires {query.user} unix_ms", "user=1790000000000&key=" + md5Hex("1790000000000s"), linktest.Valid},
		{"expires {query.user} rfc3339", "user=2026-09-21T14:13:20Z&key=" + md5Hex("2026-09-21T14:13:20Zs"), linktest.Valid},
	} {
		var s Scheme
		input := "keyed_hash {\nalgorithm md5\nmessage {query.user}{secret}\nsignature {query.key}\n" + tc.options + "\n}"
		if err := s.UnmarshalCaddyfile(caddyfile.NewTestDispenser(input)); err != nil {
			t.Fatalf("%q: %v", tc.options, err)
		}
		compiled, err := s.NewScheme(link.Options{User: "{query.user}"})
		if err != nil {
			t.Fatalf("%q: %v", tc.options, err)
		}
		suite := linktest.Suite{Scheme: compiled, User: "{query.user}"}
		v := linktest.Vector{Secret: "s", Now: 1790000000, URL: "https://example.org/?" + tc.query}
		if got := suite.Judge(v); got.Word() != tc.want {
			t.Errorf("%q: %s: verdict %q, want %s", tc.options, tc.query, got.Refusal, tc.want)
		}
	}
}
