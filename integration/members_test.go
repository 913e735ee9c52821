//go:build integration

package integration

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

// memberPieces are what names beside a link of members are made of.
var memberPieces = []string{
	"user", "user", "us%65r", "user[id]", "user%5Bid%5D", "user[h]", "user[", "[id]", "[h]", "%5Bid%5d", "[i%64]", "[name]", "[]", "[%20]", "[%09id]", "[", "]", "%5B", "%5D", "id",
	".", "_", "+", "%20", "%00", "?", "junk", "[x][y]", "amp;", "a;",
}

// TestMembers sends links of names with brackets among random names like them: what reaches
// the application is the member that was verified, for $_GET and $_REQUEST, and for a
// servlet, and honest links do reach it in each spelling.
func TestMembers(t *testing.T) {
	t.Parallel()
	for _, b := range []application{fpm(t, "fpm"), apache(t), tomcat(t)} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			testMembers(t, b)
		})
	}
}

func testMembers(t *testing.T, b application) {
	t.Helper()
	profile := "servlet"
	if b.php {
		profile = "php"
	}
	g := gateway.Start(t, gateway.Config{Env: secrets, Secure: true, Sites: map[string]string{
		"require": "@app path /app /app/*\nsigned_link @app keyed_hash {env.LINK_SECRET} {\nalgorithm hmac-sha256\nmessage {query.user[id]}\nsignature {query.user[h]}\n" +
			"param user[id] digits\nmethods GET POST\nbackend " + profile + "\n}\n" + b.proxy(b.address),
	}})
	client := g.Client(t, gateway.HTTP1)
	random := rand.New(rand.NewPCG(1, 2))
	encode := strings.NewReplacer("[", "%5B", "]", "%5D").Replace
	passed := 0
	for i := range 1500 {
		id, h := "user[id]", "user[h]"
		if !b.php || random.IntN(2) == 0 { // Tomcat refuses raw brackets
			id, h = encode(id), encode(h)
		}
		segments := []string{id + "=4", h + "=" + hmacSHA256("4")}
		honest := i%10 == 0
		if honest {
			segments = append(segments, encode("user[name]=x"), encode("users[id]=5"), "user_id=5")
		}
		r := gateway.Request{}
		for range random.IntN(3) {
			var name strings.Builder
			for range 1 + random.IntN(3) {
				name.WriteString(memberPieces[random.IntN(len(memberPieces))])
			}
			switch where := random.IntN(4); {
			case where == 0:
				r.Header = append(r.Header, gateway.Field{Name: "Cookie", Value: name.String() + "=5"})
			case honest:
			case where == 1:
				r.Method, r.Body = "POST", name.String()+"=5"
				r.Header = append(r.Header, gateway.Field{Name: "Content-Type", Value: "application/x-www-form-urlencoded"})
			default:
				segments = append(segments, name.String()+"=5")
			}
		}
		random.Shuffle(len(segments), func(i, j int) { segments[i], segments[j] = segments[j], segments[i] })
		r.Target = "/app/?" + strings.Join(segments, "&")
		response, err := client.Do("require", r)
		if err != nil {
			t.Fatal(err)
		}
		saw := seen(response)
		if honest && (saw == nil || !slices.Equal(saw.Header("X-Verified-User"), []string{"4"})) {
			t.Errorf("%s %q: an honest link does not arrive: %d %q", r.Target, r.Header, response.Status, response.Body)
		}
		if saw == nil {
			continue
		}
		passed++
		for source, got := range members(t, b, saw) {
			if got != "4" {
				t.Errorf("%s %s %q %q: %s has %q", r.Method, r.Target, r.Header, r.Body, source, got)
			}
		}
		if strings.Contains(saw.QueryString, hmacSHA256("4")) {
			t.Errorf("%s: the signature arrives: %q", r.Target, saw.QueryString)
		}
	}
	if passed < 250 {
		t.Errorf("only %d requests have reached the application", passed)
	}
}

// members is user[id] in each place where the application looks for it.
func members(t *testing.T, b application, s *backends.Seen) map[string]string {
	t.Helper()
	if !b.php {
		return map[string]string{"getParameter": strings.Join(s.Params["user[id]"], " and ")}
	}
	var answer struct{ Get, Request any }
	if err := json.Unmarshal(s.Raw, &answer); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"$_GET": member(answer.Get), "$_REQUEST": member(answer.Request)}
}

// member is the text that an array of PHP has under ['user']['id'], or "".
func member(array any) string {
	for _, key := range []string{"user", "id"} {
		pairs, _ := array.([]any)
		array = nil
		for _, pair := range pairs {
			if pair, _ := pair.([]any); len(pair) == 2 && pair[0] == key {
				array = pair[1]
			}
		}
	}
	text, _ := array.(string)
	return text
}
