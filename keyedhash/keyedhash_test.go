package keyedhash

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

const testKey = "a secret of tests"

func newScheme(t testing.TB, c Config, o link.Options) *Scheme {
	t.Helper()
	s, err := New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hmacHex is HMAC-SHA-256 in hex under testKey.
func hmacHex(message string) string {
	h := hmac.New(sha256.New, []byte(testKey))
	h.Write([]byte(message))
	return hex.EncodeToString(h.Sum(nil))
}

// verdict is `ok`, `bad_signature`, or why Read refused.
func verdict(s link.Scheme, r *link.Request) string {
	l := new(link.Link)
	if refusal := s.Read(r, l); !refusal.None() {
		return refusal.String()
	}
	if !s.Verify(r, l, []byte(testKey)) {
		return "bad_signature"
	}
	return "ok"
}

func TestNewErrors(t *testing.T) {
	good := Config{Algorithm: "hmac-sha256", Message: "{query.user}", Signature: "{query.sig}"}
	with := func(change func(c *Config)) Config {
		c := good
		change(&c)
		return c
	}
	newScheme(t, good, link.Options{})
	for _, tc := range []struct {
		config  Config
		options link.Options
		want    string
	}{
		{Config{}, link.Options{}, `unknown algorithm ""`},
		{with(func(c *Config) { c.Algorithm = "sha3" }), link.Options{}, `unknown algorithm "sha3"`},
		{with(func(c *Config) { c.Encoding = "base32" }), link.Options{}, `unknown encoding "base32"`},
		{with(func(c *Config) { c.Encoding, c.AnyCase = "base64", true }), link.Options{}, "any_case goes with hex only"},
		{with(func(c *Config) { c.Encoding, c.Unpadded = "hex", true }), link.Options{}, "unpadded goes with base64, base64url and base64_hex only"},
		{with(func(c *Config) { c.Truncate = 3 }), link.Options{}, "truncate 3"},
		{with(func(c *Config) { c.Truncate = 65 }), link.Options{}, "truncate 65"},
		{with(func(c *Config) { c.Message = "" }), link.Options{}, "message is missing"},
		{with(func(c *Config) { c.Message = "{env.X}" }), link.Options{}, "message: {env.X} is no placeholder"},
		{with(func(c *Config) { c.Message = "{query.user}{secret}" }), link.Options{}, "hmac-sha256 takes the secret as its key; leave {secret} out"},
		{with(func(c *Config) { c.Algorithm = "md5" }), link.Options{}, "without {secret} anyone can compute this md5; put {secret} where the application puts it, or use hmac-md5"},
		{with(func(c *Config) { c.Message = "{query.user}{claim.user}" }), link.Options{}, "a claim comes out of a verified link"},
		{with(func(c *Config) { c.Message = "constant" }), link.Options{}, "nothing of the request is signed"},
		{with(func(c *Config) { c.Algorithm, c.Message = "md5", "x{secret}" }), link.Options{}, "nothing of the request is signed"},
		{with(func(c *Config) { c.Signature = "" }), link.Options{}, "signature is missing"},
		{with(func(c *Config) { c.Signature = "sig" }), link.Options{}, "signature: write one placeholder"},
		{with(func(c *Config) { c.Signature = "{path.0}" }), link.Options{}, "signature: "},
		{with(func(c *Config) { c.Signature = "{query.user}" }), link.Options{}, "{query.user} carries the signature, so it cannot be signed"},
		{with(func(c *Config) { c.Message = "{raw_query.sig}{query.user}" }), link.Options{}, "{query.sig} carries the signature"},
		{with(func(c *Config) { c.Expires = Time{Value: "exp"} }), link.Options{}, "expires: "},
		{with(func(c *Config) { c.Issued = Time{Value: "{path}"} }), link.Options{}, "issued: write one placeholder"},
		{with(func(c *Config) {
			c.Message = "{query.user}{query.exp}"
			c.Expires = Time{Value: "{query.exp}", Format: "iso"}
		}), link.Options{}, `expires: unknown format "iso"; write unix (seconds), unix_ms, rfc3339`},
		{with(func(c *Config) { c.Encoding, c.Truncate, c.TruncateLast = "base64url", 10, true }), link.Options{}, "truncate last goes with hex only"},
		{with(func(c *Config) { c.Expires = Time{Value: "{query.sig}"} }), link.Options{Allow: map[string]bool{"unsigned_expiry": true}}, "expires: {query.sig} carries the signature"},
		{with(func(c *Config) { c.Message = "{query}"; c.Issued = Time{Value: "{query.sig}"} }), link.Options{}, "issued: {query.sig} carries the signature"},
		{good, link.Options{Ignore: link.Ignore{"us*"}}, `ignore: "user" is part of the message`},
		{with(func(c *Config) { c.Preset.Locals = []string{"user", "action"} }), link.Options{}, "message: without {action} the signature does not cover it"},
	} {
		if s, err := New(tc.config, tc.options); err == nil || s != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: error %v, want %q", tc.config, err, tc.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, tc := range []struct {
		name    string
		config  Config
		options link.Options
		want    link.Description
	}{
		{
			"one parameter is the user",
			Config{Message: "{query.user}"},
			link.Options{},
			link.Description{Signed: []string{"user"}, User: "{query.user}"},
		},
		{
			"a raw parameter is the user, too",
			Config{Message: "{raw_query.user}"},
			link.Options{},
			link.Description{Signed: []string{"user"}, User: "{query.user}"},
		},
		{
			"several parameters",
			Config{Message: "{query.a}{query.b}{query.a}"},
			link.Options{},
			link.Description{Signed: []string{"a", "b"}},
		},
		{
			"the expiry is not the user",
			Config{Message: "{query.user}{query.exp}{query.iat}", Expires: Time{Value: "{query.exp}"}, Issued: Time{Value: "{query.iat}"}},
			link.Options{},
			link.Description{Signed: []string{"user", "exp", "iat"}, Expiry: []string{"exp", "iat"}, Expires: true, Issues: true, User: "{query.user}"},
		},
		{
			"an unsigned expiry is not signed",
			Config{Message: "{query.user}", Expires: Time{Value: "{query.exp}"}},
			link.Options{Allow: map[string]bool{"unsigned_expiry": true}},
			link.Description{Signed: []string{"user"}, Expiry: []string{"exp"}, Expires: true, User: "{query.user}"},
		},
		{
			"the raw query",
			Config{Message: "{query}", Expires: Time{Value: "{query.exp}"}},
			link.Options{},
			link.Description{Signed: []string{"exp"}, Expiry: []string{"exp"}, Expires: true, Coverage: link.Raw},
		},
		{
			"the sorted query",
			Config{Message: "{method}{sorted_query}"},
			link.Options{},
			link.Description{Coverage: link.Sorted, Method: true},
		},
		{
			"path and host",
			Config{Message: "{hostport}{raw_path}"},
			link.Options{},
			link.Description{Path: true, RawPath: true, Host: true},
		},
		{
			"segments of the path",
			Config{Message: "{path.1}{path.0}"},
			link.Options{},
			link.Description{PathSegments: []int{1, 0}},
		},
	} {
		tc.config.Algorithm, tc.config.Signature = "hmac-sha256", "{query.sig}"
		tc.want.Signature = []string{"sig"}
		if got := newScheme(t, tc.config, tc.options).Describe(); !reflect.DeepEqual(normal(got), normal(tc.want)) {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// normal makes empty lists nil.
func normal(d link.Description) link.Description {
	d.Fields, d.Determined, d.Carriers = append([]string(nil), d.Fields...), append([]string(nil), d.Determined...), append([]string(nil), d.Carriers...)
	if len(d.Signed) == 0 {
		d.Signed = nil
	}
	return d
}

func TestRead(t *testing.T) {
	s := newScheme(t, Config{
		Algorithm: "hmac-sha256", Message: "{query.user}:{query.page}:{query.exp}", Signature: "{query.sig}", Expires: Time{Value: "{query.exp}"},
	}, link.Options{Rules: map[string]link.Rule{"page": {Optional: true}}})
	for query, want := range map[string]string{
		"user=jeff&page=1&exp=1790000002&sig=" + hmacHex("jeff:1:1790000002"):              "ok",
		"sig=" + hmacHex("jeff:1:1790000002") + "&exp=1790000002&page=1&user=jeff&other=x": "ok",
		"user=jeff&exp=1790000002&sig=" + hmacHex("jeff::1790000002"):                      "ok", // page is optional
		"user=jeff&exp=1790000002&sig=" + hmacHex("jeff:1:1790000002"):                     "bad_signature",
		"user=%6Aeff&page=1&exp=1790000002&sig=" + hmacHex("jeff:1:1790000002"):            "ok",
		"user=jeff&page=1&exp=1790000002&sig=" + hmacHex("jeff:1:1790000002")[1:] + "0":    "bad_signature",
		"user=jeff&page=1&exp=1790000002":                                                  "malformed/no_signature",
		"user=jeff&page=1&exp=1790000002&sig":                                              "malformed/no_signature",
		"user=jeff&page=1&exp=1790000002&sig=":                                             "malformed/no_signature",
		"user=jeff&page=1&exp=1790000002&SIG=" + hmacHex("jeff:1:1790000002"):              "malformed/no_signature",
		"page=1&exp=1790000002&sig=" + hmacHex(":1:1790000002"):                            "malformed/absent",
		"user=jeff&page=1&sig=" + hmacHex("jeff:1:"):                                       "malformed/absent",
		"us%65r=jeff&page=1&exp=1790000002&sig=" + hmacHex("jeff:1:1790000002"):            "malformed/absent",
		"user=&page=1&exp=1790000002&sig=" + hmacHex(":1:1790000002"):                      "ok", // whether an empty user is one is a rule's business
	} {
		if got := verdict(s, linktest.NewRequest("https://example.org/?"+query)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	var l link.Link
	s.Read(linktest.NewRequest("https://example.org/?user=jeff&exp=%31790000000&sig=S"), &l)
	if want := (link.Timestamp{Text: "1790000000", Present: true}); l.Expires != want || l.Issued.Present || l.Signature != "S" {
		t.Errorf("expires %+v, issued %+v, signature %q", l.Expires, l.Issued, l.Signature)
	}
}

// TestTimeFormats: the format of the option is the format that is read.
func TestTimeFormats(t *testing.T) {
	for format, want := range map[string]link.TimeFormat{"": link.Unix, "unix": link.Unix, "unix_ms": link.UnixMS, "rfc3339": link.RFC3339} {
		s := newScheme(t, Config{
			Algorithm: "hmac-sha256", Message: "{query.e}{query.i}", Signature: "{query.sig}", Expires: Time{Value: "{query.e}", Format: format}, Issued: Time{Value: "{query.i}", Format: format},
		}, link.Options{})
		var l link.Link
		e, i := "1790000000", "1790000001"
		switch want {
		case link.UnixMS:
			e, i = e+"000", i+"000"
		case link.RFC3339:
			e, i = "2026-11-21T19:00:00Z", "2026-11-21T19:00:01Z"
		}
		if refusal := s.Read(linktest.NewRequest("https://example.org/?e="+e+"&i="+i+"&sig=x"), &l); !refusal.None() {
			t.Errorf("%q: %s", format, refusal)
		}
		if (l.Expires != link.Timestamp{Text: e, Present: true, Format: want}) || (l.Issued != link.Timestamp{Text: i, Present: true, Format: want}) {
			t.Errorf("%q: expires %+v, issued %+v", format, l.Expires, l.Issued)
		}
	}
}

// TestAttackUnsignedExpiry: an expiry that stands beside the signature is the client's
// own word. It needs `allow`, and even then nothing trusted can be made of it.
func TestAttackUnsignedExpiry(t *testing.T) {
	c := Config{Algorithm: "hmac-sha256", Message: "{query.user}", Signature: "{query.sig}", Expires: Time{Value: "{query.exp}"}}
	s := newScheme(t, c, link.Options{})
	if f := findingOf(s, "unsigned_expiry"); f == nil || f.Severity != link.Danger {
		t.Errorf("an unsigned expiry needs no allow: %+v", f)
	}
	for _, exp := range []string{"1000000000", "9999999999"} {
		if got := verdict(s, linktest.NewRequest("https://example.org/?user=jeff&exp="+exp+"&sig="+hmacHex("jeff"))); got != "ok" {
			t.Errorf("exp=%s: %s", exp, got)
		}
	}
	if err := parseTemplate(t, "{query.exp}").CoveredBy(s.Describe()); err == nil {
		t.Error("a header can be made of an unsigned expiry")
	}
}

// TestRawQuery: everything is signed as it was sent, but the signature and what is
// ignored.
func TestRawQuery(t *testing.T) {
	s := newScheme(t, Config{Algorithm: "hmac-sha256", Message: "{raw_path}?{query}", Signature: "{query.sig}"}, link.Options{Ignore: link.Ignore{"utm_*", "fbclid"}})
	sig := hmacHex("/a%2fb?user=jeff&x=%zz&&y+z")
	for query, want := range map[string]string{
		"user=jeff&x=%zz&&y+z&sig=" + sig:                                   "ok",
		"sig=" + sig + "&user=jeff&x=%zz&&y+z":                              "ok",
		"user=jeff&sig=" + sig + "&x=%zz&&y+z":                              "ok",
		"utm_source=a&user=jeff&x=%zz&&y+z&utm_=b&sig=" + sig + "&fbclid=c": "ok",
		"user=jeff&x=%zz&y+z&sig=" + sig:                                    "bad_signature",
		"x=%zz&user=jeff&&y+z&sig=" + sig:                                   "bad_signature",
		"user=%6Aeff&x=%zz&&y+z&sig=" + sig:                                 "bad_signature",
		"user=jeff&x=%zz&&y%20z&sig=" + sig:                                 "bad_signature",
		"user=jeff&x=%zz&&y+z&z=1&sig=" + sig:                               "bad_signature",
		"user=jeff&x=%zz&&y+z&sig=" + sig + "&":                             "bad_signature",
		"user=jeff&x=%zz&&y+z&UTM_source=a&sig=" + sig:                      "bad_signature",
		"user=jeff&x=%zz&&y+z&utm%5Fsource=a&sig=" + sig:                    "bad_signature",
		"user=jeff&x=%zz&&y+z&fbclid2=a&sig=" + sig:                         "bad_signature",
		"user=jeff&x=%zz&&y+z&utm_x=1;user=admin&sig=" + sig:                "bad_signature", // two parameters to PHP, maybe
		"user=jeff&x=%zz&&y+z&s%69g=x&sig=" + sig:                           "bad_signature",
	} {
		if got := verdict(s, linktest.NewRequest("https://example.org/a%2fb?"+query)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if got := verdict(s, linktest.NewRequest("https://example.org/a/b?user=jeff&x=%zz&&y+z&sig="+sig)); got != "bad_signature" {
		t.Errorf("another raw path: %s", got)
	}
}

// TestSortedQueryScheme: the order is free, everything else is signed as it was sent.
func TestSortedQueryScheme(t *testing.T) {
	s := newScheme(t, Config{Algorithm: "hmac-sha256", Message: "{sorted_query}", Signature: "{query.sig}"}, link.Options{Ignore: link.Ignore{"utm_*"}})
	sig := hmacHex("a=1&b=%32&user=jeff")
	for query, want := range map[string]string{
		"user=jeff&b=%32&a=1&sig=" + sig:                "ok",
		"a=1&&sig=" + sig + "&user=jeff&b=%32&utm_x=1&": "ok",
		"user=jeff&b=2&a=1&sig=" + sig:                  "bad_signature",
		"user=jeff&b=%32&a=1&c=1&sig=" + sig:            "bad_signature",
		"user=jeff&b=%32&a=1&utm_x=1;c=2&sig=" + sig:    "bad_signature",
		"user=jeff&b=%32&sig=" + sig:                    "bad_signature",
		"user=jeff&b=%32&a=1&user=admin&sig=" + sig:     "bad_signature",
		"user=jeff&b=%32%26user=admin&a=1&sig=" + sig:   "bad_signature",
		"a=1%26b=%2532%26user=jeff&sig=" + sig:          "bad_signature",
		"a=1&b=%32&user=jeff&sig=" + sig[:len(sig)-1]:   "bad_signature",
	} {
		if got := verdict(s, linktest.NewRequest("https://example.org/?"+query)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// TestAttackHiddenDelimiter: `/a%2Fb` and `/a/b` are two pages, and one message if the
// path is signed decoded. Such a path is refused; signed as sent, it is not.
func TestAttackHiddenDelimiter(t *testing.T) {
	for _, tc := range []struct{ message, path, signed, want string }{
		{"{path}", "/a%20b", "/a b", "ok"},
		{"{path}", "/a%2Fb", "/a/b", "ambiguous/path"},
		{"{path}", "/a%2fb", "/a/b", "ambiguous/path"},
		{"{path}", "/a%5Cb", `/a\b`, "ambiguous/path"},
		{"{path}", "/a%252Fb", "/a%2Fb", "ambiguous/path"},
		{"{path}", "/a%3Fb", "/a?b", "ambiguous/path"},
		{"{path}", "/a%00", "/a\x00", "ambiguous/path"},
		{"{path.0}", "/a%2Fb", "a/b", "ambiguous/path"},
		{"{path.0}", "/a/b%2Fc", "a", "ambiguous/path"},
		{"{raw_path}", "/a%2Fb", "/a%2Fb", "ok"},
		{"{raw_path}", "/a%2Fb", "/a/b", "bad_signature"},
		{"{query.user}", "/a%2Fb", "", "ok"}, // no path in the message
	} {
		s := newScheme(t, Config{Algorithm: "hmac-sha256", Message: tc.message, Signature: "{query.sig}"}, link.Options{})
		r := linktest.NewRequest("https://example.org" + tc.path + "?user=&sig=" + hmacHex(tc.signed))
		if got := verdict(s, r); got != tc.want {
			t.Errorf("%s of %s: %s, want %s", tc.message, tc.path, got, tc.want)
		}
	}
}

// TestConformance: the engine in its several coverages.
func TestConformance(t *testing.T) {
	vector := func(id, target, expect, user string) linktest.Vector {
		return linktest.Vector{ID: id, Secret: testKey, Now: 1790000000, URL: "https://example.org" + target, Expect: expect, User: user}
	}
	long := strings.Repeat("longer than the buffer on the stack ", 40)
	for name, s := range map[string]linktest.Suite{
		"named": {
			Scheme: newScheme(t, Config{Algorithm: "hmac-sha256", Message: "{query.user}\n{query.exp}", Signature: "{query.sig}", Expires: Time{Value: "{query.exp}"}}, link.Options{}),
			Vectors: []linktest.Vector{
				vector("valid", "/?user=jeff&exp=1790000000&sig="+hmacHex("jeff\n1790000000"), linktest.Valid, "jeff"),
				vector("late", "/?user=jeff&exp=1789999999&sig="+hmacHex("jeff\n1789999999"), linktest.Expired, ""),
				vector("late and wrong", "/?user=mike&exp=1789999999&sig="+hmacHex("jeff\n1789999999"), linktest.Invalid, ""),
				vector("exponent", "/?user=jeff&exp=1e99&sig="+hmacHex("jeff\n1e99"), linktest.Invalid, ""),
				vector("long", "/?user="+url.QueryEscape(long)+"&exp=1790000000&sig="+hmacHex(long+"\n1790000000"), linktest.Valid, long),
			},
		},
		"raw": {
			Scheme: newScheme(t, Config{Algorithm: "hmac-sha256", Message: "{query}", Signature: "{query.sig}"}, link.Options{}),
			User:   "{query.user}",
			Vectors: []linktest.Vector{
				vector("valid", "/?user=jeff&x=%zz&sig="+hmacHex("user=jeff&x=%zz"), linktest.Valid, "jeff"),
				vector("more", "/?user=jeff&x=%zz&y&sig="+hmacHex("user=jeff&x=%zz"), linktest.Invalid, ""),
				vector("two signatures", "/?user=jeff&sig=x&sig="+hmacHex("user=jeff"), linktest.Invalid, ""),
			},
		},
		"sorted": {
			Scheme: newScheme(t, Config{Algorithm: "hmac-sha256", Message: "{path.0}{sorted_query}", Signature: "{query.sig}", Encoding: "hex", AnyCase: true}, link.Options{}),
			User:   "{query.user}",
			Vectors: []linktest.Vector{
				vector("valid", "/p?user=jeff&a=1&sig="+strings.ToUpper(hmacHex("pa=1&user=jeff")), linktest.Valid, "jeff"),
				vector("another path", "/q?user=jeff&a=1&sig="+hmacHex("pa=1&user=jeff"), linktest.Invalid, ""),
				vector("a name twice", "/p?a=1&a=2&user=jeff&sig="+hmacHex("pa=1&a=2&user=jeff"), linktest.Invalid, ""),
				vector("no name twice", "/p?=1&=2&user=jeff&sig="+hmacHex("p=1&=2&user=jeff"), linktest.Invalid, ""),
			},
		},
	} {
		t.Run(name, func(t *testing.T) { linktest.Run(t, s) })
	}
}

// TestRemaining: what `params *` stands for.
func TestRemaining(t *testing.T) {
	s := newScheme(t, Config{Algorithm: "hmac-sha256", Message: "{query.user}", Signature: "{query.sig}"}, link.Options{Ignore: link.Ignore{"utm_*"}})
	var got []string
	s.Remaining(linktest.NewRequest("https://example.org/?b=%41+&user=jeff&sig=x&utm_x=1&a&&%75ser=y&utm_y=1;z=2&=n"), []string{"user"}, func(name, value string) {
		got = append(got, name+":"+value)
	})
	if want := []string{"b:A ", "a:", "utm_y:1;z=2", ":n"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzMessage: no value makes Verify panic; a signature holds for its own value, and for
// another one only if both make one message.
func FuzzMessage(f *testing.F) {
	for _, seed := range [][3]string{
		{"jeff", "mike", "x"}, {"", "", ""}, {"a|b", "a", "b|"}, {"{secret}", "%7Bsecret%7D", "{"}, {"\x00", "\x00\x00", "\xff"}, {"+", " ", "%20"}, {strings.Repeat("a", 600), "a", "b"}, {"a&sig=x", "a;b", "a=b"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	s := newScheme(f, Config{Algorithm: "hmac-sha256", Message: "{query.user}|{query.page}", Signature: "{query.sig}"}, link.Options{})
	f.Fuzz(func(t *testing.T, user, other, page string) {
		request := func(user string) *link.Request {
			return linktest.NewRequest("https://example.org/?user=" + url.QueryEscape(user) + "&page=" + url.QueryEscape(page) + "&sig=" + hmacHex(user+"|"+page))
		}
		r := request(user)
		if got := verdict(s, r); got != "ok" && len(r.Query.Raw) < 32<<10 {
			t.Errorf("user %q, page %q: %s", user, page, got)
		}
		forged := new(link.Request)
		forged.Path = "/"
		if forged.Query.Parse("user="+url.QueryEscape(other)+"&page="+url.QueryEscape(page)+"&sig="+hmacHex(user+"|"+page)) != nil {
			return
		}
		if got := verdict(s, forged); (got == "ok") != (user == other) {
			t.Errorf("the signature of user %q for user %q, page %q: %s", user, other, page, got)
		}
	})
}

// TestMarkedQuery: {?query} is a '?' and what is left of the query, or nothing, as Laravel's
// hasCorrectSignature makes it (rtrim(url.'?'.query, '?')), so that a link without other
// parameters needs no definition of its own.
func TestMarkedQuery(t *testing.T) {
	s, err := New(Config{Algorithm: "hmac-sha256", Message: "{scheme}://{hostport}{raw_path}{?query}", Signature: "{query.signature}"}, link.Options{Ignore: link.Ignore{"utm_*"}})
	if err != nil {
		t.Fatal(err)
	}
	mac := newMAC(t, "hmac-sha256", Hex, 0)
	for query, signed := range map[string]string{
		"":                       "https://example.org/x",
		"a=1":                    "https://example.org/x?a=1",
		"a=1&b=%20c":             "https://example.org/x?a=1&b=%20c",
		"utm_source=m":           "https://example.org/x",
		"utm_source=m&a=1":       "https://example.org/x?a=1",
		"a=1&utm_source=m&&b==2": "https://example.org/x?a=1&&b==2",
		"?":                      "https://example.org/x??",
	} {
		for _, before := range []bool{true, false} {
			signature := "signature=" + string(mac.AppendSignature(nil, []byte("key"), []byte(signed)))
			all := query + "&" + signature
			if before {
				all = signature + "&" + query
			}
			r := &link.Request{Method: "GET", Scheme: "https", Host: "example.org", Path: "/x"}
			if err := r.Query.Parse(strings.Trim(all, "&")); err != nil {
				t.Fatal(err)
			}
			l := new(link.Link)
			if refusal := s.Read(r, l); !refusal.None() {
				t.Errorf("%q: %v", all, refusal)
			} else if !s.Verify(r, l, []byte("key")) {
				t.Errorf("%q: signed is %q, want %q", all, s.AppendMessage(nil, r, l, nil), signed)
			}
		}
	}
}

// TestAttackMarkedQuery: what stands before the '?' must not hold one itself, or the value
// a?b=1 and the value a with the query b=1 are one message. A path with %3F in it is refused.
func TestAttackMarkedQuery(t *testing.T) {
	for message, refused := range map[string]bool{
		"{query.a}{?query}": true, "{path}{query}": true, "{method}{?query}{path}": true,
		"{path}{?query}": false, "{host}{path}{?query}": false, "{raw_path}{?query}": false, "{scheme}://{host}{raw_path}{?query}": false, "{?query}": false, "{raw_path}#{?query}": false,
	} {
		s := newScheme(t, Config{Algorithm: "hmac-sha256", Message: message, Signature: "{query.sig}"}, link.Options{})
		if f := findingOf(s, "ambiguous_message"); (f != nil) != refused {
			t.Errorf("%s: %+v", message, f)
		}
	}
}
