package signedlink_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/link"
)

// wordsOfTheCaddyfile are the places of words that can be misspelt: a directive with WORD in
// it, and what is written there and meant.
var wordsOfTheCaddyfile = []struct{ directive, slip, meant string }{
	{"signed_link WORD akid {env.S}", "requir", "require"},
	{"signed_link WORD akid {env.S}", "Observe", "observe"},
	{"signed_link WORD {env.S}", "keyed_hsh", "keyed_hash"},
	{"signed_link WORD {env.S}", "keyed-hash", "keyed_hash"},
	{"signed_link WORD", "keyedhash", "keyed_hash"},
	{"signed_link WORD", "guadr", "guard"},
	{"signed_link WORD", "ungarded", "unguarded"},
	{"signed_link WORD guard", "recognise", "recognize"},
	{"signed_link require WORD {env.S}", "aikd", "akid"},
	{"signed_link guard {\nWORD Remote-User\n}", "acept", "accept"},
	{"signed_link {\nWORD akid {env.S}\n}", "schem", "scheme"},
	{"signed_link {\nscheme WORD {env.S}\n}", "siall", "sial"},
	{"signed_link {\nscheme akid {env.S}\nWORD php\n}", "bakcend", "backend"},
	{"signed_link akid {env.S} {\nWORD php\n}", "backnd", "backend"},
	{"signed_link akid {env.S} {\nWORD pass\n}", "mising", "missing"},
	{"signed_link akid {env.S} {\nWORD 1h\n}", "max_life", "max_lifetime"},
	{"signed_link akid {env.S} {\nWORD {query.a}\n}", "tokne", "token"},
	{"signed_link sial {\nWORD {query.a}\n}", "acton", "action"},
	{"signed_link sial {\nWORD sha1\n}", "algorith", "algorithm"},
	{"signed_link keyed_hash {env.S} {\nWORD {query.a}\n}", "mesage", "message"},
	{"signed_link keyed_hash {env.S} {\nWORD {query.a}\n}", "Expires", "expires"},
	{"signed_link akid {env.S} {\nmode WORD\n}", "recognise", "recognize"},
	{"signed_link akid {env.S} {\nmissing WORD\n}", "refuze", "refuse"},
	{"signed_link akid {env.S} {\nbackend WORD\n}", "servelt", "servlet"},
	{"signed_link akid {env.S} {\nstrip WORD\n}", "signatur", "signature"},
	{"signed_link akid {env.S} {\nunsigned WORD\n}", "kepe", "keep"},
	{"signed_link akid {env.S} {\nstatus WORD 403\n}", "bad-signature", "bad_signature"},
	{"signed_link akid {env.S} {\nredir missing WORD /x\n}", "expird", "expired"},
	{"signed_link akid {env.S} {\nthrottle 20 10m {\nWORD 24\n}\n}", "IPv4", "ipv4"},
	{"signed_link akid {env.S} {\nreferrer_policy WORD\n}", "no_referer", "no-referrer"},
	{"signed_link akid {env.S} {\nauthorization WORD\n}", "kep", "keep"},
	{"signed_link akid {env.S} {\nauthorization cut WORD\n}", "alway", "cut always"},
	{"signed_link akid {env.S} {\ncookies WORD all\n}", "cutt", "cut"},
	{"signed_link akid {\nsecret {env.S} {\nWORD hex\n}\n}", "encodng", "encoding"},
	{"signed_link akid {\nsecret {env.S} {\nencoding WORD\n}\n}", "UTF-8", "utf8"},
	{"signed_link akid {\nsecret {env.S} {\nencoding WORD\n}\n}", "base64_url", "base64url"},
	{"signed_link akid {env.S} {\ntext WORD\n}", "tokens", "token"},
	{"signed_link akid {env.S} {\ntext token WORD 9\n}", "maxx", "max"},
	{"signed_link keyed_hash {\nkeys WORD /x\n}", "fiel", "file"},
	{"signed_link keyed_hash {\nkeys WORD\n}", "fiel", "file"},
	{"signed_link sial {\nuser_keys WORD /x\n}", "flie", "file"},
	{"signed_link sial {\nuser_keys WORD {\n1 {env.S}\n}\n}", "in-line", "inline"},
	{"signed_link sial {\nuser_keys sql WORD {env.DSN}\n}", "postgresql", "postgres"},
	{"signed_link sial {\nuser_keys sql WORD {env.DSN}\n}", "MySQL", "mysql"},
	{"signed_link sial {\nuser_keys sql mysql {env.DSN} {\nWORD 1s\n}\n}", "negative_tll", "negative_ttl"},
	{"signed_link sial {\naction {path} WORD /do\n}", "prefx", "prefix"},
	{"signed_link sial {\nparams a as WORD\n}", "from", "form"},
	{"signed_link sial {\nparams a separator - WORD form\n}", "sa", ""},
	{"signed_link akid {env.S} {\nuser {query.u} WORD\n}", "utf-8", "utf8"},
	{"signed_link keyed_hash {env.S} {\nparam user WORD\n}", "digit", "digits"},
	{"signed_link keyed_hash {env.S} {\nparam user WORD a b\n}", "one-of", "one_of"},
	{"signed_link keyed_hash {env.S} {\nparam user digits WORD\n}", "optinal", "optional"},
	{"signed_link akid {env.S} {\nallow WORD\n}", "akid-shape", "akid_shape"},
	{"signed_link keyed_hash {env.S} {\nalgorithm WORD\nmessage {query.a}\nsignature {query.s}\n}", "hmac_sha256", "hmac-sha256"},
	{"signed_link keyed_hash {env.S} {\nalgorithm WORD\nmessage {query.a}\nsignature {query.s}\n}", "SHA1", "sha1"},
	{"signed_link keyed_hash {env.S} {\nalgorithm sha1\nencoding WORD\nmessage {query.a}\nsignature {query.s}\n}", "base46", "base64"},
}

// TestMisspelt: an error about a word names the one that was meant; where none is near, it
// names none; and no error shows what could be a secret.
func TestMisspelt(t *testing.T) {
	fixture.SetSecrets(t)
	t.Setenv("S", "a secret for the tests, long enough")
	const secret = "q83vEjRWeJCrze8SNFZ4kA=="
	fails := func(directive, word string) string {
		t.Helper()
		directive = strings.ReplaceAll(directive, "WORD", word)
		if got := gatewaytest.Adapt("http:// {\n" + directive + "\n}\n"); !strings.HasPrefix(got, "{") {
			return got
		}
		_, err := gatewaytest.TryLoad(t, gatewaytest.SiteFile(directive))
		if err == nil {
			t.Errorf("%s: it loads", directive)
			return ""
		}
		return err.Error()
	}
	for _, tc := range wordsOfTheCaddyfile {
		hint := fmt.Sprintf("(did you mean %q?)", tc.meant)
		if got := fails(tc.directive, tc.slip); tc.meant != "" && !strings.Contains(got, hint) || tc.meant == "" && strings.Contains(got, "did you mean") {
			t.Errorf("%s with %s: %s", tc.directive, tc.slip, got)
		}
		for _, word := range []string{"qqqqqq", secret} {
			if got := fails(tc.directive, word); strings.Contains(got, "did you mean") || strings.Contains(got, secret) {
				t.Errorf("%s with %s: %s", tc.directive, word, got)
			}
		}
	}
	// a secret behind a mode with a slip, and behind a scheme with one
	for _, directive := range []string{"signed_link WORD akid hunter2", "signed_link require WORD hunter2", "signed_link WORD hunter2"} {
		if got := fails(directive, "requier"); strings.Contains(got, "hunter2") {
			t.Errorf("%s: %s", directive, got)
		}
	}
}

// TestMisspeltJSON is [TestMisspelt] for the words of a configuration in JSON.
func TestMisspeltJSON(t *testing.T) {
	file := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const (
		kind = `"scheme":{"kind":"akid"}`
		key  = `"keys":{"source":"inline","secrets":[{"secret":"a secret for the tests, long enough"}]}`
	)
	for _, tc := range []struct{ options, scheme, meant string }{
		{`"mode":"requir",`, kind + "," + key, "require"},
		{`"missing":"refus",`, kind + "," + key, "refuse"},
		{`"backend":"PHP",`, kind + "," + key, "php"},
		{`"strip":"sigend",`, kind + "," + key, "signed"},
		{`"unsigned":"kep",`, kind + "," + key, "keep"},
		{`"authorization":"cut_always",`, kind + "," + key, "cut always"},
		{`"referrer_policy":"origni",`, kind + "," + key, "origin"},
		{`"statuses":[{"reasons":["mising"],"code":404}],`, kind + "," + key, "missing"},
		{`"redirects":[{"reasons":["Expired"],"to":"/x"}],`, kind + "," + key, "expired"},
		{``, `"params":{"a":{"class":"didgits"}},` + kind + "," + key, "digits"},
		{``, `"allow":["no-expiry"],` + kind + "," + key, "no_expiry"},
		{``, `"scheme":{"kind":"akid","text":{"class":"tokn"}},` + key, "token"},
		{``, `"scheme":{"kind":"keyed_hash","algorithm":"hmac-sha1s"},` + key, "hmac-sha1"},
		{``, kind + `,"keys":{"source":"inline","secrets":[{"secret":"00","encoding":"hexx"}]}`, "hex"},
		{``, kind + `,"keys":{"source":"file","path":"` + file("set.json", `{"keys":[{"secret":"00","encodign":"hex"}]}`) + `"}`, "encoding"},
		{``, kind + `,"keys":{"source":"file","path":"` + file("set.json", `{"keys":[{"secret":"00","encoding":"hxe"}]}`) + `"}`, "hex"},
		{``, `"scheme":{"kind":"sial"},"user_keys":{"source":"sql","driver":"postgresql"}`, "postgres"},
	} {
		handler := `{"handler":"signed_link",` + tc.options + `"schemes":[{` + tc.scheme + `}]}`
		_, err := gatewaytest.TryLoadJSON(t, []byte(`{"admin":{"disabled":true},"apps":{"http":{"servers":{"a":{"listen":["127.0.0.1:0"],"routes":[{"handle":[`+handler+`]}]}}}}}`))
		if hint := fmt.Sprintf("(did you mean %q?)", tc.meant); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %v, want %s", handler, err, hint)
		}
	}
}

// TestShortNames: every short form of a placeholder that Caddy has, written at length by
// Caddy's own reader of them, is that short form again in an error.
func TestShortNames(t *testing.T) {
	replacer := httpcaddyfile.NewShorthandReplacer()
	var short []string
	all := reflect.ValueOf(replacer)
	for pairs, i := all.FieldByName("simple").Elem().FieldByName("oldnew"), 0; i < pairs.Len(); i += 2 {
		short = append(short, pairs.Index(i).String())
	}
	if len(short) < 30 || !slices.Contains(short, "{file}") {
		t.Fatalf("Caddy's short forms cannot be read any more: %q", short)
	}
	before := len(short)
	for forms, i := all.FieldByName("complex"), 0; i < forms.Len(); i++ {
		pattern := forms.Index(i).FieldByName("search").Elem().FieldByName("expr").String()
		head, class, ok := strings.Cut(strings.ReplaceAll(pattern, `\.`, "."), "(") // {query.([\w-]*)}
		if !ok {
			t.Errorf("the form %s is not known here", pattern)
		}
		for _, end := range []string{"user_id-2", "0", "X-Forwarded-For", ""} {
			short = append(short, head+end+"}")
		}
		if strings.Contains(class, ".") {
			short = append(short, head+"a.1}")
		}
	}
	if len(short) < before+40 {
		t.Fatalf("Caddy's short forms with an end cannot be read any more: %q", short[before:])
	}
	for _, form := range short {
		segment := caddyfile.Segment{{Text: form}}
		replacer.ApplyToSegment(&segment)
		long := segment[0].Text
		if long == form {
			t.Errorf("%s is not changed by Caddy", form)
		}
		if got := link.Typed(long); got != form {
			t.Errorf("%s is %s, want %s", long, got, form)
		}
		bare := strings.Trim(long, "{}")
		if got := "{" + link.Typed(bare) + "}"; got != form {
			t.Errorf("%s alone is %s, want %s", bare, got, form)
		}
	}
}
