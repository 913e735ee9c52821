package cli_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/internal/cli/nearest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
)

// damaged is a configuration, a link that the command line signs with it, what happens to
// the link, and what explain must find.
type damaged struct {
	name       string
	definition string
	url        string
	sign       []string
	damage     func(link string) string
	want       string // the code of the nearest miss; empty: none
	text       string // part of its text
}

const (
	ofUser = `signed_link /in* keyed_hash {env.DAMAGED_SECRET} {
		algorithm hmac-sha256
		message {query.user}|{query.exp}
		signature {query.sig}
		expires {query.exp}
		user {query.user}
	}`
	ofMD5 = `signed_link /in keyed_hash {env.DAMAGED_SECRET} {
		algorithm md5
		message {query.user}{secret}
		signature {query.key}
		param user token
	}`
	ofURL = `signed_link keyed_hash {env.DAMAGED_SECRET} {
		algorithm hmac-sha256
		message {scheme}://{host}{raw_path}?{query}
		signature {query.sig}
		encoding base64
		user {query.user}
	}`
	ofMethod = `signed_link keyed_hash {env.DAMAGED_SECRET} {
		algorithm hmac-sha256
		message {method}|{query.user}
		signature {query.sig}
		methods GET POST
	}`
	ofAKID = `signed_link recognize akid {env.DAMAGED_SECRET}`
	ofTwo  = `signed_link /in* akid {env.DAMAGED_SECRET}
	signed_link /other keyed_hash {env.OTHER_SECRET} {
		algorithm md5
		message {query.user}{secret}
		signature {query.key}
		param user alnum
	}`
)

func replace(old, text string) func(string) string {
	return func(link string) string { return strings.ReplaceAll(link, old, text) }
}

func appended(text string) func(string) string {
	return func(link string) string { return link + text }
}

func cut(n int) func(string) string {
	return func(link string) string { return link[:len(link)-n] }
}

var damages = []damaged{
	{"escaped twice", ofUser, "https://example.org/in?user=jeff", []string{"--expires", "7d"}, replace("&", "&amp;"), "html_escaped", "&amp;"},
	{"quoted-printable", ofUser, "https://example.org/in?user=jeff", []string{"--expires", "7d"}, replace("=", "=3D"), "quoted_printable", "=3D"},
	{"wrapped", ofUser, "https://example.org/in?user=jeff", []string{"--expires", "7d"}, replace("&sig=", "&si%0D%0Ag="), "wrapped", "line break"},
	{"wrapped with a blank", ofUser, "https://example.org/in?user=jeff", []string{"--expires", "7d"}, replace("&sig=", "&sig= "), "wrapped", "blank"},
	{"followed by punctuation", ofUser, "https://example.org/in?user=jeff", []string{"--expires", "7d"}, appended(")."), "trailing", `")."`},
	{"followed by letters", ofUser, "https://example.org/in?user=jeff", []string{"--expires", "7d"}, appended("Thanks"), "trailing", "6 characters"},
	{"cut", ofUser, "https://example.org/in?user=jeff", []string{"--expires", "7d"}, cut(9), "cut", "55 of its 64"},
	{"cut AKID", ofAKID, "https://example.org/", []string{"--user", "103007", "--claim", "mailing=2695"}, cut(1), "cut", "17 of its 18"},
	{"encoded once more", ofUser, "https://example.org/in?user=jeff", []string{"--expires", "7d"}, func(link string) string {
		place, query, _ := strings.Cut(link, "?")
		return place + "?" + strings.ReplaceAll(strings.ReplaceAll(query, "&", "%26"), "=", "%3D")
	}, "double_encoded", "once too often"},
	{"values encoded twice", ofUser, "https://example.org/in?user=a%20b", []string{"--expires", "7d"}, replace("%20", "%2520"), "double_encoded", "%25"},
	{"a plus for itself", ofUser, "https://example.org/in?user=a%2Bb", []string{"--expires", "7d"}, replace("%2B", "+"), "plus", "blank"},
	{"a plus in base64", ofURL, "https://example.org/in?user=jeff", nil, replace("%2B", "+"), "", ""}, // decided below
	{"name in capitals", ofUser, "https://example.org/in?user=jeff", []string{"--expires", "7d"}, replace("jeff", "JEFF"), "case", `"user"`},
	{"all of it in lower case", ofAKID, "https://example.org/", []string{"--user", "103007"}, strings.ToLower, "case", `"akid"`},
	{"all of it in capitals", ofMD5, "https://example.org/in?user=7", nil, func(link string) string {
		place, query, _ := strings.Cut(link, "?")
		return place + "?" + strings.ToUpper(query)
	}, "case", ""},
	{"tracked", ofURL, "https://example.org/in?user=jeff", nil, appended("&utm_source=news&utm_medium=mail&fbclid=x"), "tracking", "utm_source"},
	{"one parameter more", ofURL, "https://example.org/in?user=jeff", nil, appended("&x=1"), "tracking", `"x"`},
	{"user twice", ofUser, "https://example.org/in?user=jeff", []string{"--expires", "7d"}, appended("&user=mike"), "duplicate", "twice"},
	{"http", ofURL, "https://example.org/in?user=jeff", nil, replace("https:", "http:"), "scheme", "signed for https"},
	{"www", ofURL, "https://www.example.org/in?user=jeff", nil, replace("www.", ""), "host", "www.example.org"},
	{"slash gained", ofURL, "https://example.org/in?user=jeff", nil, replace("/in?", "/in/?"), "slash", "without the slash"},
	{"slash lost", ofURL, "https://example.org/in/?user=jeff", nil, replace("/in/?", "/in?"), "slash", "with a slash"},
	{"other order", ofURL, "https://example.org/in?user=jeff&a=1", nil, replace("user=jeff&a=1", "a=1&user=jeff"), "order", "order"},
	{"other method", ofMethod, "https://example.org/in?user=jeff", nil, nil, "method", "GET"},
	{"other path encoding", ofURL, "https://example.org/in%C3%A9?user=jeff", nil, replace("%C3%A9", "%c3%a9"), "encoding", "path"},
	{"two things", ofURL, "https://example.org/in?user=jeff", nil, func(link string) string {
		return strings.Replace(link, "https:", "http:", 1) + "&utm_source=x"
	}, "tracking+scheme", "utm_source"},
	{"another definition's", ofTwo, "https://example.org/other?user=jeff", nil, replace("/other", "/in"), "other_definition", "keyed_hash"},
	{"another user", ofUser, "https://example.org/in?user=jeff", []string{"--expires", "7d"}, replace("jeff", "mike"), "", ""},
	{"another signature", ofMD5, "https://example.org/in?user=jeff", nil, func(link string) string {
		place, _, _ := strings.Cut(link, "key=")
		return place + "key=" + strings.Repeat("ab", 16)
	}, "", ""},
}

const (
	damagedSecret = "b7Qf2kV9xWc4LmN8pRt6YzA3sDgH5jKe"
	otherSecret   = "9mXw3TbN7vQc1ZrL5kPd8HsF2gJy6Ea4"
)

// explained is what the tests read of the output of explain.
type explained struct {
	Verdict string
	Nearest *nearest.Miss
}

// TestNearestMiss damages links as mail programs and people do, and has explain say what
// happened, without ever showing a signature or the secret.
func TestNearestMiss(t *testing.T) {
	t.Setenv("DAMAGED_SECRET", damagedSecret)
	t.Setenv("OTHER_SECRET", otherSecret)
	for _, tc := range damages {
		t.Run(tc.name, func(t *testing.T) {
			config := fixture.WriteCaddyfile(t, tc.definition)
			minted := fixture.RunCommand(t, "sign", "", append([]string{"--config", config, tc.url}, tc.sign...)...)
			link := strings.TrimSuffix(minted.Out, "\n")
			if minted.Failed || link == "" {
				t.Fatalf("sign: %s", minted.Errors)
			}
			args := []string{"--config", config}
			if tc.name == "a plus in base64" {
				if !strings.Contains(link, "%2B") {
					return // this signature has none
				}
				tc.want = "plus"
			}
			broken := link
			if tc.damage == nil {
				args = append(args, "--method", "POST")
			} else if broken = tc.damage(link); broken == link {
				t.Fatal("nothing is damaged")
			}
			r := fixture.RunCommand(t, "explain", "", append(args, "--json", broken)...)
			var e explained
			if err := json.Unmarshal([]byte(r.Out), &e); err != nil {
				t.Fatalf("%v: %s %s", err, r.Out, r.Errors)
			}
			switch {
			case e.Verdict != definition.Invalid:
				t.Errorf("the verdict is %q", e.Verdict)
			case tc.want == "" && e.Nearest != nil:
				t.Errorf("nearest miss %+v, want none", e.Nearest)
			case tc.want != "" && (e.Nearest == nil || e.Nearest.Code != tc.want || !strings.Contains(e.Nearest.Text, tc.text)):
				t.Errorf("nearest miss %+v, want %s, %q", e.Nearest, tc.want, tc.text)
			}
			people := fixture.RunCommand(t, "explain", "", append(args, broken)...)
			noSignature(t, link, r.Out+r.Errors+people.Out+people.Errors)
		})
	}
}

// noSignature fails if the text holds the signature of the link, or a secret.
func noSignature(t *testing.T, link, text string) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sig", "key", "akid"} {
		for _, value := range u.Query()[name] {
			if i := strings.LastIndexByte(value, '.'); i >= 0 {
				value = value[i+1:] // of an AKID
			}
			for _, form := range []string{value, url.QueryEscape(value), strings.ToLower(value)} {
				if strings.Contains(text, form) {
					t.Errorf("the output holds the signature:\n%s", text)
				}
			}
		}
	}
	for _, secret := range []string{damagedSecret, otherSecret} {
		if strings.Contains(text, secret) {
			t.Errorf("the output holds a secret:\n%s", text)
		}
	}
}

// TestNearestKey: between signer and gateway, another reading of the secret, another
// algorithm, another of the configured keys.
func TestNearestKey(t *testing.T) {
	t.Setenv("OTHER_SECRET", otherSecret)
	file := filepath.Join(t.TempDir(), "secret")
	for _, tc := range []struct {
		name             string
		signer, verifier string // options of keyed_hash
		secret           string // the verifier's; the signer has damagedSecret
		want, text       string
	}{
		{"line break", "", "", damagedSecret + "\n", "", ""}, // both read it without
		{"hex", "", "", hex.EncodeToString([]byte(damagedSecret)), "secret", "decoded from hex"},
		{"another scheme's", "", "", otherSecret, "", ""},
		{"sha1", "algorithm sha1", "algorithm md5", damagedSecret, "algorithm", "sha1 in hex"},
		{"truncated", "algorithm md5\ntruncate 16", "algorithm md5", damagedSecret, "cut", "16 of its 32"},
		{"base64", "algorithm sha256\nencoding base64", "algorithm sha256", damagedSecret, "algorithm", "sha256 in base64"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(tc.secret), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("DAMAGED_SECRET", damagedSecret)
			definition := func(secret, options string) string {
				if options == "" {
					options = "algorithm md5"
				}
				return "signed_link keyed_hash " + secret + " {\n" + options + "\nmessage {query.user}{secret}\nsignature {query.key}\nparam user alnum\n}"
			}
			minted := fixture.RunCommand(t, "sign", "", "--config", fixture.WriteCaddyfile(t, definition("{env.DAMAGED_SECRET}", tc.signer)), "--user", "jeff", "https://example.org/in")
			link := strings.TrimSuffix(minted.Out, "\n")
			r := fixture.RunCommand(t, "explain", "", "--config", fixture.WriteCaddyfile(t, definition("{file."+file+"}", tc.verifier)), "--json", link)
			var e explained
			if err := json.Unmarshal([]byte(r.Out), &e); err != nil {
				t.Fatalf("%v: %s %s %s", err, r.Out, r.Errors, minted.Errors)
			}
			got := ""
			if e.Nearest != nil {
				got = e.Nearest.Code
			}
			if got != tc.want || e.Nearest != nil && !strings.Contains(e.Nearest.Text, tc.text) {
				t.Errorf("nearest miss %+v, want %q %q", e.Nearest, tc.want, tc.text)
			}
			noSignature(t, link, r.Out+r.Errors)
		})
	}
}

// TestNearestEnds: a line of a log that is as long as it likes keeps nobody waiting.
func TestNearestEnds(t *testing.T) {
	t.Setenv("DAMAGED_SECRET", damagedSecret)
	var long strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&long, "&a%d", i)
	}
	r := fixture.RunCommand(t, "explain", "https://example.org/in?user=jeff&sig=1"+long.String()+"\n", "--config", fixture.WriteCaddyfile(t, ofURL), "--json", "-")
	if !strings.Contains(r.Out, `"detail":"too_long"`) || !strings.Contains(r.Out, `"nearest":null`) {
		t.Errorf("got %.300s %s", r.Out, r.Errors)
	}
}
