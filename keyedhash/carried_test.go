package keyedhash

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

// TestCarriedConformance runs declarations of tokens and paths through the conformance run.
// The signatures are computed here, without the engine.
func TestCarriedConformance(t *testing.T) {
	const secret = "q7Vd2kB9xWc4LmN8pRt6YzA3sDgH5jKe"
	const now = 1790000000
	sum := func(text string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil))
	}
	digest := func(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }
	type vectors map[string]struct{ expect, user string }
	valid := func(user string) struct{ expect, user string } {
		return struct{ expect, user string }{linktest.Valid, user}
	}
	invalid, expired := struct{ expect, user string }{linktest.Invalid, ""}, struct{ expect, user string }{linktest.Expired, ""}
	for name, tc := range map[string]struct {
		config  Config
		user    string
		rules   map[string]link.Rule
		policy  link.Policy
		vectors vectors
	}{
		"a mail address in the path": {
			config: Config{Algorithm: "hmac-sha256", Message: "{link.email}", Path: &Path{Pattern: "/unsubscribe/<email>/<signature>", To: "/unsubscribe/{link.email}"}},
			rules:  map[string]link.Rule{"{link.email}": {Class: link.Email, Min: 1, Max: 64}},
			vectors: vectors{
				"/unsubscribe/a@b.org/" + sum("a@b.org"):                     valid("a@b.org"),
				"/unsubscribe/a%40b.org/" + sum("a@b.org") + "?utm_source=x": valid("a@b.org"),
				"/unsubscribe/c@b.org/" + sum("a@b.org"):                     invalid,
				"/unsubscribe/a@b.org":                                       invalid,
				"/unsubscribe/a@b.org/" + sum("a@b.org") + "/":               invalid,
				"/unsubscribe//a@b.org/" + sum("a@b.org"):                    invalid,
				"/unsubscribe/ab.org/" + sum("ab.org"):                       invalid,
				"/unsubscribe/../" + sum(".."):                               invalid,
				"/unsubscribe/a%2fb@c/" + sum("a/b@c"):                       invalid,
			},
		},
		"lighttpd's secdownload": { // mod_secdownload of lighttpd 1.4, algorithm md5
			config: Config{
				Algorithm: "md5", Message: "{secret}/{link.file}{link.time}", Issued: Time{Value: "{link.time}", Format: "hex"},
				Path: &Path{Pattern: "/dl/<signature>/<time>/<file...>", To: "/files/{link.file}"},
			},
			user: "none", policy: link.Policy{MaxAge: time.Minute},
			vectors: vectors{
				"/dl/" + digest(secret+"/a/b.pdf6ab13b80") + "/6ab13b80/a/b.pdf":       valid(""),
				"/dl/" + digest(secret+"/a/b.pdf6ab13b00") + "/6ab13b00/a/b.pdf":       expired,
				"/dl/" + digest(secret+"/a/b.pdf6ab13b80") + "/6ab13b81/a/b.pdf":       invalid,
				"/dl/" + digest(secret+"/a/b.pdf6ab13b80") + "/6ab13b80/a/c.pdf":       invalid,
				"/dl/" + digest(secret+"/../b6ab13b80") + "/6ab13b80/../b":             invalid,
				"/dl/" + digest(secret+"/a//b6ab13b80") + "/6ab13b80/a//b":             invalid,
				"/dl/" + digest(secret+"/a%2fb6ab13b80") + "/6ab13b80/a%2fb":           invalid,
				"/dl/" + digest(secret+"/a/b c.pdf6ab13b80") + "/6ab13b80/a/b%20c.pdf": valid(""),
				"/files/a/b.pdf": invalid,
			},
		},
		"the whole path for the application": {
			config: Config{Algorithm: "hmac-sha256", Message: "{raw_link.page}", Path: &Path{Pattern: "/p/<page...>-<signature>.html"}},
			user:   "none",
			vectors: vectors{
				"/p/a/b%20c-" + sum("a/b%20c") + ".html": valid(""),
				"/p/a/b+c-" + sum("a/b%20c") + ".html":   invalid,
				"/p/a/b%20c-" + sum("a/b%20c"):           invalid,
			},
		},
		"the last segment": {
			config: Config{Algorithm: "hmac-sha256", Message: "{path.1}|{path.2}", Signature: "{path.3}", Expires: Time{Value: "{path.2}"}}, user: "{path.1}",
			rules: map[string]link.Rule{"{path.1}": {Class: link.Alnum, Min: 1, Max: 8}},
			vectors: vectors{
				"/api/7/1795000000/" + sum("7|1795000000"):        valid("7"),
				"/api/7/1785000000/" + sum("7|1785000000"):        expired,
				"/api/7/179500000/" + sum("7|179500000"):          invalid,
				"/api/8/1795000000/" + sum("7|1795000000"):        invalid,
				"/api/7/1795000000/" + sum("7|1795000000") + "/":  invalid,
				"/api/7/1795000000/" + sum("7|1795000000") + "/x": invalid,
				"/other/7/1795000000/" + sum("7|1795000000"):      valid("7"), // the matcher tells
			},
		},
		"a token": {
			config: Config{
				Algorithm: "hmac-sha256", Message: "v1:{link.code}:{link.exp}", Tokens: []Token{{"{query.t}", nil, "v1:<code>:<exp>:<signature>"}},
				Expires: Time{Value: "{link.exp}", Format: "hex"},
			},
			vectors: vectors{
				"/?t=v1:7:6afd1640:" + sum("v1:7:6afd1640"):             valid("7"),
				"/?t=v1%3A7%3A6afd1640%3A" + sum("v1:7:6afd1640"):       valid("7"),
				"/?t=v1:7:6a000000:" + sum("v1:7:6a000000"):             expired,
				"/?t=v1:8:6afd1640:" + sum("v1:7:6afd1640"):             invalid,
				"/?t=v1:7:6afd1640:" + sum("v1:7:6afd1640") + ":x":      invalid,
				"/?t=v1::6afd1640:" + sum("v1::6afd1640"):               invalid,
				"/?t=v1%253A7%253A6afd1640%253A" + sum("v1:7:6afd1640"): invalid,
				"/?x=1": invalid,
			},
		},
		"a token in base64": {
			config: Config{
				Algorithm: "hmac-sha256", Message: "{link.uid}:{link.ts}", Tokens: []Token{{"{query.t}", []string{"unbase64"}, "<uid>:<ts>:<signature>"}},
				Issued: Time{Value: "{link.ts}"},
			},
			rules: map[string]link.Rule{"{link.uid}": {Class: link.Digits, Min: 1, Max: 10}}, policy: link.Policy{MaxAge: 7 * 24 * time.Hour},
			vectors: vectors{
				"/?t=" + base64.RawStdEncoding.EncodeToString([]byte("7:1789999000:"+sum("7:1789999000"))): valid("7"),
				"/?t=" + base64.RawStdEncoding.EncodeToString([]byte("7:1779999000:"+sum("7:1779999000"))): expired,
				"/?t=" + base64.RawStdEncoding.EncodeToString([]byte("8:1789999000:"+sum("7:1789999000"))): invalid,
				"/?t=7:1789999000:" + sum("7:1789999000"):                                                  invalid,
			},
		},
		"CiviCRM's checksum": { // hash_time_life, of CRM_Contact_BAO_Contact_Utils::generateChecksum
			config: Config{
				Algorithm: "md5", Message: "{secret}_{query.cid}_{link.at}_{link.life}", Tokens: []Token{{"{query.cs}", nil, "<signature>_<at>_<life>"}},
				Issued: Time{Value: "{link.at}"}, Expires: Time{Value: "{link.at}", Plus: "{link.life}", Unit: "hours", Never: "inf"},
			},
			rules: map[string]link.Rule{"cid": {Class: link.Digits, Min: 1, Max: 10}}, user: "{query.cid}",
			vectors: vectors{
				"/?cid=7&cs=" + digest(secret+"_7_1789999000_24") + "_1789999000_24":   valid("7"),
				"/?cid=7&cs=" + digest(secret+"_7_1779999000_24") + "_1779999000_24":   expired,
				"/?cid=7&cs=" + digest(secret+"_7_1779999000_inf") + "_1779999000_inf": valid("7"),
				"/?cid=7&cs=" + digest(secret+"_7_1789999000_24") + "_1789999000_25":   invalid,
				"/?cid=8&cs=" + digest(secret+"_7_1789999000_24") + "_1789999000_24":   invalid,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			scheme, err := New(tc.config, link.Options{User: tc.user, Rules: tc.rules})
			if err != nil {
				t.Fatal(err)
			}
			suite := linktest.Suite{Scheme: scheme, User: tc.user, Rules: tc.rules, Policy: tc.policy}
			for url, v := range tc.vectors {
				suite.Vectors = append(suite.Vectors, linktest.Vector{ID: url, URL: "https://example.org" + url, Secret: secret, Now: now, Expect: v.expect, User: v.user})
			}
			linktest.Run(t, suite)
		})
	}
}
