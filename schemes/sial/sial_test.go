package sial

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/block/blocktest"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
	"github.com/signedlink/caddy-signed-link/schemes/keyedhash"
)

// variants are the constructions of the vectors, by their `template`. The article's
// own code is lost.
var variants = map[string]struct {
	algorithm, message string
	sign               func(user, action, params, secret string) string
}{
	"sha1-plain": {"sha1", "{user}{action}{params}{secret}", func(user, action, params, secret string) string {
		return sha1Hex(user + action + params + secret)
	}},
	"sha1-dash": {"sha1", "{user}-{action}-{params}-{secret}", func(user, action, params, secret string) string {
		return sha1Hex(user + "-" + action + "-" + params + "-" + secret)
	}},
	"sha1-colon": {"sha1", "{user}:{action}:{params}:{secret}", func(user, action, params, secret string) string {
		return sha1Hex(user + ":" + action + ":" + params + ":" + secret)
	}},
	"sha1-signed": {"sha1", "--signed-{user}-{action}-{params}-{secret}--", func(user, action, params, secret string) string {
		return sha1Hex("--signed-" + user + "-" + action + "-" + params + "-" + secret + "--")
	}},
	"hmac-derivative": {"hmac-sha1", "--signed-{action}={params}", func(_, action, params, secret string) string {
		h := hmac.New(sha1.New, []byte(secret))
		h.Write([]byte("--signed-" + action + "=" + params))
		return hex.EncodeToString(h.Sum(nil))
	}},
}

func sha1Hex(s string) string {
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// TestVectors runs every line, each through the variant that it names. The secrets of
// all lines together are the users' secrets.
//
// One line is arguable: sial-117 is signed for a=1, b=2-3 and sent as a=1-2, b=3, which
// joined with "-" is one text. It is valid: the message is what the operator wrote
// down, and that separators must not occur in values is for the checker to say when
// the configuration loads, not for a scheme to guess at a request.
func TestVectors(t *testing.T) {
	vectors := linktest.Load(t, "../../testdata/vectors/sial.jsonl")
	users := make(map[string]string)
	suites := make(map[[2]string][]linktest.Vector)
	for _, v := range vectors {
		user, _ := linktest.NewRequest(v.URL).Value(v.Param("user_param"))
		if known, ok := users[user]; user == "" || ok && known != v.Secret {
			t.Fatalf("%s: user %q has two secrets, or no name", v.ID, user)
		}
		users[user] = v.Secret
		kind := [2]string{v.Param("template"), v.Param("params_serialize")}
		suites[kind] = append(suites[kind], v)
		if v.Arguable && (v.ID != "sial-117" || v.Expect != linktest.Valid) {
			t.Errorf("%s is arguable, and nobody decided it", v.ID)
		}
	}
	for kind, vectors := range suites {
		t.Run(kind[0]+","+kind[1], func(t *testing.T) {
			variant, ok := variants[kind[0]]
			if !ok {
				t.Fatalf("unknown template %q", kind[0])
			}
			s := Scheme{
				Options: keyedhash.Options{Algorithm: variant.algorithm, Message: variant.message},
				Action:  "{path}", Prefix: "/", Params: []string{"*"},
			}
			params := "7-x y"
			switch kind[1] {
			case "single", "values-sorted-dash":
				s.Separator = "-"
			case "to_query":
				s.AsForm = true
				params = "page=7&title=x+y"
			default:
				t.Fatalf("unknown params_serialize %q", kind[1])
			}
			linktest.Run(t, linktest.Suite{
				Scheme:   newScheme(t, s, link.Options{UserKeys: true}),
				UserKeys: users,
				Vectors:  append(vectors, minted(users, params, variant.sign)...),
			})
		})
	}
}

// minted are links of the variant, made here: they hold what all lines together leave
// out of one variant.
func minted(users map[string]string, params string, sign func(user, action, params, secret string) string) []linktest.Vector {
	url := func(user, action, sig string) string {
		return "https://qup.example.com/" + action + "?title=x+y&user=" + user + "&page=7&sig=" + sig
	}
	own, other := users["42"], users["1"]
	right := sign("42", "queue", params, own)
	var vectors []linktest.Vector
	add := func(id, expect, user, url string) {
		vectors = append(vectors, linktest.Vector{ID: "minted: " + id, Secret: own, Expect: expect, User: user, URL: url})
	}
	add("right", linktest.Valid, "42", url("42", "queue", right))
	add("another user", linktest.Valid, "1", url("1", "queue", sign("1", "queue", params, other)))
	add("another user's secret", linktest.Invalid, "", url("42", "queue", sign("42", "queue", params, other)))
	add("another user's link", linktest.Invalid, "", url("1", "queue", right))
	add("a user who does not exist", linktest.Invalid, "", url("77", "queue", sign("77", "queue", params, own)))
	add("a user who does not exist, the empty secret", linktest.Invalid, "", url("77", "queue", sign("77", "queue", params, "")))
	add("the empty user", linktest.Invalid, "", url("", "queue", sign("", "queue", params, own)))
	add("the empty secret", linktest.Invalid, "", url("42", "queue", sign("42", "queue", params, "")))
	add("another action", linktest.Invalid, "", url("42", "watch", right))
	add("no action", linktest.Invalid, "", url("42", "", sign("42", "", params, own)))
	add("a parameter more", linktest.Invalid, "", url("42", "queue", right)+"&force=1")
	add("a parameter twice", linktest.Invalid, "", url("42", "queue", right)+"&page=7")
	add("a parameter twice in PHP", linktest.Invalid, "", url("42", "queue", right)+"&+page=7")
	return vectors
}

func newScheme(t testing.TB, s Scheme, o link.Options) link.Scheme {
	t.Helper()
	compiled, err := s.NewScheme(o)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// TestSeedSignedIdempotentActionLinks holds the scheme to what the article says: a SHA-1
// over the user's id, the action, the parameters and a secret token of that user.
func TestSeedSignedIdempotentActionLinks(t *testing.T) {
	users := map[string]string{"42": "jeff's secret token", "43": "mike's secret token"}
	suite := linktest.Suite{
		Scheme:   newScheme(t, Scheme{Action: "{path}", Prefix: "/", Params: []string{"title"}}, link.Options{UserKeys: true}),
		UserKeys: users,
	}
	judge := func(target string) linktest.Verdict {
		return suite.Judge(linktest.Vector{ID: target, URL: "https://qup.example.com" + target})
	}
	sign := func(user, action, title, secret string) string { return sha1Hex(user + action + title + secret) }
	const title = "70143836"
	genuine := "/queue?user=42&title=" + title + "&sig=" + sign("42", "queue", title, users["42"])

	t.Run("associates the URL with a user, an action and its parameters", func(t *testing.T) {
		v := judge(genuine)
		if !v.None() || v.User != "42" || v.Link.Claims.Get("user") != "42" || v.Link.Claims.Get("action") != "queue" {
			t.Errorf("verdict %q, user %q, claims %v", v.Refusal, v.User, v.Link.Claims)
		}
	})
	t.Run("any actionable content in the URL is verified", func(t *testing.T) {
		for what, changed := range map[string]string{
			"id":        strings.Replace(genuine, "user=42", "user=43", 1),
			"action":    strings.Replace(genuine, "/queue", "/watch", 1),
			"params":    strings.Replace(genuine, title, "70143837", 1),
			"signature": genuine[:len(genuine)-1] + "x",
			"no params": strings.Replace(genuine, "title="+title+"&", "", 1),
		} {
			if v := judge(changed); v.None() {
				t.Errorf("%s changed: %s verifies", what, changed)
			}
		}
	})
	t.Run("each user has a token of his own", func(t *testing.T) {
		for user, secret := range users {
			for other, othersSecret := range users {
				v := judge("/queue?user=" + user + "&title=1&sig=" + sign(user, "queue", "1", othersSecret))
				if v.None() != (user == other) {
					t.Errorf("user %s with the secret of %s (%q): verdict %q", user, other, secret, v.Refusal)
				}
			}
		}
	})
	t.Run("whether you run it once or 100 times", func(t *testing.T) {
		for range 100 {
			if v := judge(genuine); !v.None() {
				t.Fatalf("verdict %q", v.Refusal)
			}
		}
	})
	t.Run("only the single action", func(t *testing.T) {
		for _, action := range []string{"watch", "view", "Queue", "queue/", "/queue", "queue/..", "queue/../watch", "x/../queue", "%71ueue", "queu%65", "queue;x", "queue%00", "queue.", "queue%20", "que/ue", "", ".", ".."} {
			if v := judge(strings.Replace(genuine, "/queue", "/"+action, 1)); v.None() {
				t.Errorf("the link for queue works for /%s", action)
			}
		}
	})
}

// TestAttackActionByAnotherName: the path must be exactly prefix and action, as sent.
// With a decoded or resolved path the signature could be over one word while the
// backend acts on another.
func TestAttackActionByAnotherName(t *testing.T) {
	suite := linktest.Suite{
		Scheme:   newScheme(t, Scheme{Action: "{path}", Prefix: "/do/", Params: []string{"id"}}, link.Options{UserKeys: true}),
		UserKeys: map[string]string{"7": "s"},
	}
	for _, tc := range []struct{ path, action, want string }{
		{"/do/delete", "delete", ""},
		{"/do/delete.php", "delete.php", ""},
		{"/do/a-b_c~d", "a-b_c~d", ""},
		{"/do/delete", "Delete", "bad_signature"},
		{"/do/", "", "malformed/action"},
		{"/do", "", "malformed/action"},
		{"/Do/delete", "delete", "malformed/action"},
		{"/x/do/delete", "delete", "malformed/action"},
		{"//do/delete", "delete", "malformed/action"},
		{"/do//delete", "/delete", "malformed/action"},
		{"/do/x/delete", "x/delete", "malformed/action"},
		{"/do/del%65te", "delete", "malformed/action"},
		{"/do/del%65te", "del%65te", "malformed/action"},
		{"/do/delete%2Fx", "delete/x", "malformed/action"},
		{"/do/delete;x=1", "delete;x=1", "malformed/action"},
		{"/do/delete%00", "delete\x00", "malformed/action"},
		{"/do/.", ".", "malformed/action"},
		{"/do/..", "..", "malformed/action"},
		{"/do/..", "", "malformed/action"},
		{"/do/\\delete", "\\delete", "malformed/action"},
		{"/do/delete:x", "delete:x", "malformed/action"},
		{"/do/dél", "dél", "malformed/action"},
	} {
		v := suite.Judge(linktest.Vector{URL: "https://example.org" + tc.path + "?user=7&id=1&sig=" + sha1Hex("7"+tc.action+"1s")})
		if v.String() != tc.want {
			t.Errorf("%s, signed for %q: verdict %q, want %q", tc.path, tc.action, v.Refusal, tc.want)
		}
	}
}

// TestAttackBoundaryShift: `delete`, 12, 3 is `delete`, 1, 23 where nothing separates the
// values (peers' bug A3). A separator tells them apart.
func TestAttackBoundaryShift(t *testing.T) {
	sig := map[string]string{"": sha1Hex("7delete123s"), "-": sha1Hex("7delete12-3s")}
	for separator, want := range map[string]string{"": linktest.Valid, "-": linktest.Invalid} {
		s := newScheme(t, Scheme{Params: []string{"a", "b"}, Separator: separator}, link.Options{UserKeys: true})
		suite := linktest.Suite{Scheme: s, UserKeys: map[string]string{"7": "s"}}
		for query, want := range map[string]string{"a=12&b=3": linktest.Valid, "a=1&b=23": want} {
			v := suite.Judge(linktest.Vector{URL: "https://example.org/?user=7&action=delete&" + query + "&sig=" + sig[separator]})
			if v.Word() != want {
				t.Errorf("separator %q, %s: verdict %q, want %s", separator, query, v.Refusal, want)
			}
		}
	}
}

func TestParams(t *testing.T) {
	for _, tc := range []struct {
		name   string
		scheme Scheme
		rules  map[string]link.Rule
		ignore link.Ignore
		query  string // besides user, action and sig
		params string // what {params} must be; "-" is a refusal
	}{
		{name: "none", scheme: Scheme{}, query: "x=1", params: ""},
		{name: "in the order of the option", scheme: Scheme{Params: []string{"b", "a"}}, query: "a=1&b=2", params: "21"},
		{name: "separated", scheme: Scheme{Params: []string{"b", "a"}, Separator: ", "}, query: "a=1&b=2", params: "2, 1"},
		{name: "decoded once", scheme: Scheme{Params: []string{"a"}}, query: "a=%2541+b%2Bc", params: "%41 b+c"},
		{name: "a placeholder is text", scheme: Scheme{Params: []string{"a"}}, query: "a={secret}%7Buser%7D", params: "{secret}{user}"},
		{name: "absent", scheme: Scheme{Params: []string{"a", "b"}}, query: "a=1", params: "-"},
		{name: "optional keeps its place", scheme: Scheme{Params: []string{"a", "b", "c"}, Separator: "-"}, rules: map[string]link.Rule{"b": {Optional: true}}, query: "a=1&c=3", params: "1--3"},
		{name: "optional in a form", scheme: Scheme{Params: []string{"a", "b", "c"}, AsForm: true}, rules: map[string]link.Rule{"b": {Optional: true}}, query: "a=1&c=3", params: "a=1&c=3"},
		{name: "form", scheme: Scheme{Params: []string{"b", "a"}, AsForm: true}, query: "a=x%20y&b=%26%3D", params: "b=%26%3D&a=x+y"},
		{name: "all", scheme: Scheme{Params: []string{"*"}, Separator: "-"}, query: "c=3&a=1&b=2", params: "1-2-3"},
		{name: "all, sorted by bytes", scheme: Scheme{Params: []string{"*"}, Separator: "-"}, query: "b=4&a=3&B=2&A_x=1", params: "1-2-3-4"},
		{name: "all, sorted by the decoded name", scheme: Scheme{Params: []string{"*"}, Separator: "-"}, query: "%62=2&a=1", params: "1-2"},
		{name: "some first", scheme: Scheme{Params: []string{"z", "*"}, Separator: "-"}, query: "a=1&z=26&b=2", params: "26-1-2"},
		{name: "all as a form", scheme: Scheme{Params: []string{"*"}, AsForm: true}, query: "b=2&a=caf%C3%A9+%26", params: "a=caf%C3%A9+%26&b=2"},
		{name: "all as a form, sorted as Ruby's to_query does", scheme: Scheme{Params: []string{"*"}, AsForm: true}, query: "a=1&a-b=2", params: "a-b=2&a=1"},
		{name: "all but the ignored", scheme: Scheme{Params: []string{"*"}, Separator: "-"}, ignore: link.Ignore{"utm_*", "fbclid"}, query: "utm_source=x&a=1&fbclid=y", params: "1"},
		{name: "all: a name without a value", scheme: Scheme{Params: []string{"*"}, Separator: "-"}, query: "a&b=2", params: "-2"},
		{name: "all: none", scheme: Scheme{Params: []string{"*"}, Separator: "-"}, query: "", params: ""},
	} {
		if tc.scheme.Message == "" {
			tc.scheme.Message = "{user}:{action}:{params}:{secret}"
		}
		s := newScheme(t, tc.scheme, link.Options{UserKeys: true, Rules: tc.rules, Ignore: tc.ignore})
		r := linktest.NewRequest("https://example.org/?user=7&" + tc.query + "&action=x&sig=" + sha1Hex("7:x:"+tc.params+":s"))
		l := link.Link{User: "7"}
		refusal := s.Read(r, &l)
		if (tc.params == "-") != !refusal.None() {
			t.Errorf("%s: Read refused with %q", tc.name, refusal)
		}
		if refusal.None() && !s.Verify(r, &l, []byte("s")) {
			t.Errorf("%s: {params} is %q, want %q", tc.name, l.Text, tc.params)
		}
	}
}

func TestDescribe(t *testing.T) {
	d := newScheme(t, Scheme{Params: []string{"comment"}}, link.Options{UserKeys: true}).Describe()
	want := link.Description{
		Signature: []string{"sig"}, Signed: []string{"user", "action", "comment"},
		Claims: []string{"user", "action"}, User: "{query.user}", NeedsUserKey: true,
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("the usual link: %+v, want %+v", d, want)
	}
	d = newScheme(t, Scheme{Action: "{path}", Prefix: "/do", Params: []string{"*"}}, link.Options{UserKeys: true, User: "{query.u}"}).Describe()
	want = link.Description{
		Signature: []string{"sig"}, Signed: []string{"u"}, Coverage: link.Sorted, Path: true, RawPath: true,
		Claims: []string{"user", "action"}, User: "{query.u}", NeedsUserKey: true,
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("params * and {path}: %+v, want %+v", d, want)
	}
}

func TestNewSchemeErrors(t *testing.T) {
	for _, tc := range []struct {
		scheme  Scheme
		options link.Options
		want    string
	}{
		{Scheme{}, link.Options{}, "user_keys inline"},
		{Scheme{}, link.Options{UserKeys: true, User: "{path.0}"}, "user: "},
		{Scheme{}, link.Options{UserKeys: true, User: "{query.a}{query.b}"}, "user: "},
		{Scheme{Action: "delete"}, link.Options{UserKeys: true}, "action: "},
		{Scheme{Action: "{host}"}, link.Options{UserKeys: true}, "action: "},
		{Scheme{Action: "{path}"}, link.Options{UserKeys: true}, "action {path} prefix /do/"},
		{Scheme{Action: "{http.request.uri.path}", Prefix: "do/"}, link.Options{UserKeys: true}, "action {path} prefix /do/"},
		{Scheme{Action: "{path}", Prefix: "/do/../x"}, link.Options{UserKeys: true}, `prefix "/do/../x"`},
		{Scheme{Action: "{path}", Prefix: "/do/./"}, link.Options{UserKeys: true}, "prefix"},
		{Scheme{Action: "{path}", Prefix: "/d%6F/"}, link.Options{UserKeys: true}, "prefix"},
		{Scheme{Action: "{path}", Prefix: "/do;x/"}, link.Options{UserKeys: true}, "prefix"},
		{Scheme{Action: "{query.a}", Prefix: "/do/"}, link.Options{UserKeys: true}, "prefix goes with {path} only"},
		{Scheme{Prefix: "/do/"}, link.Options{UserKeys: true}, "prefix goes with {path} only"},
		{Scheme{Params: []string{"*", "a"}}, link.Options{UserKeys: true}, "comes last"},
		{Scheme{Params: []string{"a", "a"}}, link.Options{UserKeys: true}, `"a" is signed already`},
		{Scheme{Params: []string{"user"}}, link.Options{UserKeys: true}, `"user" is signed already`},
		{Scheme{Params: []string{"action"}}, link.Options{UserKeys: true}, `"action" is signed already`},
		{Scheme{Params: []string{"sig"}}, link.Options{UserKeys: true}, "carries the signature"},
		{Scheme{Params: []string{"a"}, Options: keyedhash.Options{Message: "{user}{action}{secret}"}}, link.Options{UserKeys: true}, "without {params}"},
		{Scheme{Options: keyedhash.Options{Message: "{user}{params}{secret}"}}, link.Options{UserKeys: true}, "without {action}"},
		{Scheme{Options: keyedhash.Options{Message: "{user}{action}{params}"}}, link.Options{UserKeys: true}, "without {secret}"},
		{Scheme{Options: keyedhash.Options{Algorithm: "hmac-sha1", Message: "{action}{secret}"}}, link.Options{UserKeys: true}, "leave {secret} out"},
		{Scheme{Options: keyedhash.Options{Algorithm: "crc32"}}, link.Options{UserKeys: true}, "unknown algorithm"},
		{Scheme{Params: []string{"utm_id"}}, link.Options{UserKeys: true, Ignore: link.Ignore{"utm_*"}}, "what is signed cannot be ignored"},
	} {
		if s, err := tc.scheme.NewScheme(tc.options); err == nil || s != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: error %v, want %q", tc.scheme, err, tc.want)
		}
	}
}

// TestDefaults: the article's SHA-1 over user, action, params and secret; an HMAC has
// the secret as its key.
func TestDefaults(t *testing.T) {
	h := hmac.New(sha1.New, []byte("s"))
	h.Write([]byte("7delete12"))
	for algorithm, sig := range map[string]string{"": sha1Hex("7delete12s"), "sha1": sha1Hex("7delete12s"), "hmac-sha1": hex.EncodeToString(h.Sum(nil))} {
		s := newScheme(t, Scheme{Options: keyedhash.Options{Algorithm: algorithm}, Params: []string{"id"}}, link.Options{UserKeys: true})
		suite := linktest.Suite{Scheme: s, UserKeys: map[string]string{"7": "s"}}
		if v := suite.Judge(linktest.Vector{URL: "https://example.org/?user=7&action=delete&id=12&sig=" + sig}); !v.None() {
			t.Errorf("algorithm %q: verdict %q", algorithm, v.Refusal)
		}
	}
}

func TestUnmarshalCaddyfile(t *testing.T) {
	for _, tc := range []struct {
		input string
		want  Scheme
		err   string
	}{
		{"sial", Scheme{}, ""},
		{"sial {\naction {query.do}\nparams a b\n}", Scheme{Action: "{query.do}", Params: []string{"a", "b"}}, ""},
		{"sial {\naction {path} prefix /do/\nparams *\n}", Scheme{Action: "{path}", Prefix: "/do/", Params: []string{"*"}}, ""},
		{"sial {\nparams a * separator -\n}", Scheme{Params: []string{"a", "*"}, Separator: "-"}, ""},
		{"sial {\nparams * as form\n}", Scheme{Params: []string{"*"}, AsForm: true}, ""},
		{"sial {\nsignature {query.s}\nalgorithm hmac-sha256\nmessage {action}:{params}\nencoding base64url\ntruncate 22\nexpires {query.e}\n}", Scheme{Options: keyedhash.Options{
			Signature: "{query.s}", Algorithm: "hmac-sha256", Message: "{action}:{params}", Encoding: "base64url", Truncate: 22, Expires: &keyedhash.Time{Parameter: "{query.e}"},
		}}, ""},

		{"sial {\naction\n}", Scheme{}, "write `action {query.NAME}` or `action {path} prefix <path>`"},
		{"sial {\naction {path} /do/\n}", Scheme{}, "write `action {path} prefix <path>`"},
		{"sial {\naction {path} prefix\n}", Scheme{}, "write `action {path} prefix <path>`"},
		{"sial {\naction {path} prefix /a/ /b/\n}", Scheme{}, "write `action"},
		{"sial {\naction {path} behind /do/\n}", Scheme{}, "write `action {path} prefix <path>`"},
		{"sial {\nparams\n}", Scheme{}, "write `params <name>..."},
		{"sial {\nparams separator -\n}", Scheme{}, "write `params <name>..."},
		{"sial {\nparams as form\n}", Scheme{}, "write `params <name>..."},
		{"sial {\nparams a separator\n}", Scheme{}, "write `params <name>..."},
		{"sial {\nparams a as\n}", Scheme{}, "write `params <name>..."},
		{"sial {\nparams a as json\n}", Scheme{}, "write `params <name>..."},
		{"sial {\nparams a separator - b\n}", Scheme{}, "write `params <name>..."},
		{"sial {\nparams a separator - separator +\n}", Scheme{}, "write `params <name>..."},
		{"sial {\nparams a as form as form\n}", Scheme{}, "write `params <name>..."},
		{"sial {\nparams a separator - as form\n}", Scheme{}, "leave the separator out"},
		{"sial {\nparams a as form separator -\n}", Scheme{}, "leave the separator out"},
		{"sial {\nparams a\nparams b\n}", Scheme{}, "params is given twice; it stands on line 2 already"},
		{"sial {\naction {query.a}\naction {query.b}\n}", Scheme{}, "action is given twice"},
		{"sial {\nmessage a\nmessage b\n}", Scheme{}, "message is given twice"},
		{"sial {\nencoding hex no\n}", Scheme{}, `"no" is neither any_case nor unpadded`},
		{"sial {\ntoken {query.t}\n}", Scheme{}, `unknown option "token"; this scheme has action, params, algorithm`},
	} {
		blocktest.Check(t, tc.input, new(Scheme), &tc.want, tc.err)
	}
}

// FuzzMessage: two links that differ in what they say have two signatures, where the
// values cannot hold the separator.
func FuzzMessage(f *testing.F) {
	f.Add("7", "delete", "12", "7", "delete", "1")
	f.Add("7", "delete", "12", "7", "delet", "e12")
	f.Add("", "", "", "\x00", "%00", "+")
	f.Add("a:b", "c", "d", "a", "b:c", "d")
	s, err := (&Scheme{Params: []string{"id"}, Options: keyedhash.Options{Message: "{user}:{action}:{params}:{secret}"}}).NewScheme(link.Options{UserKeys: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, user, action, id, otherUser, otherAction, otherID string) {
		read := func(user, action, id string, sig string) (*link.Request, *link.Link, bool) {
			r := linktest.NewRequest(fmt.Sprintf("https://example.org/?user=%x&action=%x&id=%x&sig=%s", user, action, id, sig))
			l := &link.Link{User: fmt.Sprintf("%x", user)}
			return r, l, s.Read(r, l).None()
		}
		sig := sha1Hex(fmt.Sprintf("%x:%x:%x:s", user, action, id))
		if r, l, ok := read(user, action, id, sig); ok != (action != "") || ok && !s.Verify(r, l, []byte("s")) {
			t.Errorf("user %q, action %q, id %q: read %t", user, action, id, ok)
		}
		same := user == otherUser && action == otherAction && id == otherID
		if r, l, ok := read(otherUser, otherAction, otherID, sig); ok && s.Verify(r, l, []byte("s")) != same {
			t.Errorf("the signature for %q, %q, %q holds for %q, %q, %q", user, action, id, otherUser, otherAction, otherID)
		}
	})
}
