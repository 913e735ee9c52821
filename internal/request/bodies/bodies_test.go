package bodies

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// honest is a body of a browser or a mail program.
type honest struct {
	Who, Name, Type string
	Body            []byte
}

func honestBodies(t testing.TB) (all []honest) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "honest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var h honest
		if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
	if len(all) < 50 {
		t.Fatalf("only %d bodies", len(all))
	}
	return all
}

func rules(t testing.TB, profile backend.Profile) *Rules {
	t.Helper()
	names, err := query.NewNames(profile, []string{"user", "key"})
	if err != nil {
		t.Fatal(err)
	}
	return &Rules{Profile: profile, Names: names}
}

var profiles = []backend.Profile{backend.Strict, backend.PHP, backend.Servlet}

func post(contentType, body string) *http.Request {
	r := &http.Request{
		Method: http.MethodPost, Header: http.Header{"Content-Type": {contentType}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	return r
}

// TestHonestBodies: what browsers and mail programs send passes byte for byte, whatever
// stands behind.
func TestHonestBodies(t *testing.T) {
	for _, h := range honestBodies(t) {
		for _, profile := range profiles {
			r := post(h.Type, string(h.Body))
			if detail := rules(t, profile).Admit(r, true); detail != "" {
				t.Errorf("%s, %s (%s): body/%s", h.Who, h.Name, profile, detail)
			}
			if got, err := io.ReadAll(r.Body); err != nil || string(got) != string(h.Body) {
				t.Errorf("%s, %s: the backend gets %q, %v", h.Who, h.Name, got, err)
			}
			if r.ContentLength != int64(len(h.Body)) || r.Header.Get("Content-Type") != h.Type {
				t.Errorf("%s, %s: the head of the body changed", h.Who, h.Name)
			}
		}
	}
}

// TestHonestBodiesWithProtectedName: the same bodies are refused as soon as one of their
// names is protected, so they pass because they were read.
func TestHonestBodiesWithProtectedName(t *testing.T) {
	n := 0
	for _, h := range honestBodies(t) {
		for _, name := range []string{"a", "doc"} {
			names, err := query.NewNames(backend.Strict, []string{name})
			if err != nil {
				t.Fatal(err)
			}
			body := string(h.Body)
			there := strings.Contains(body, `; name="`+name+`"`) && strings.HasPrefix(h.Type, "multipart") ||
				strings.HasPrefix(body, name+"=") && strings.Contains(h.Type, "urlencoded") ||
				strings.HasPrefix(body, `{"`+name+`"`) && strings.Contains(h.Type, "json")
			if !there {
				continue
			}
			n++
			if detail := (&Rules{Profile: backend.Strict, Names: names}).Admit(post(h.Type, body), true); detail != "protected" {
				t.Errorf("%s, %s with %s protected: %q", h.Who, h.Name, name, detail)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d were tried", n)
	}
}

// hostile are multipart bodies that two readers read otherwise. Each hides the field user,
// or could hide it; B stands for the boundary.
var hostile = func() (all []struct{ name, contentType, body string }) {
	const plain = "multipart/form-data; boundary=BB"
	add := func(name, contentType, body string) {
		all = append(all, struct{ name, contentType, body string }{name, contentType, body})
	}
	body := func(head string) string { return "--BB\r\n" + head + "\r\n\r\nmike\r\n--BB--\r\n" }
	// the type
	good := body(`Content-Disposition: form-data; name="x"`)
	for _, contentType := range []string{
		"multipart/form-data; boundary*=UTF-8''BB",
		"multipart/form-data; boundary*0=BB",
		`multipart/form-data; boundary="BB"CC`,
		`multipart/form-data; boundary="BB`,
		`multipart/form-data; boundary=B"B`,
		`multipart/form-data; boundary='BB' `,
		`multipart/form-data; boundary="B\B"`,
		"multipart/form-data; boundary=BB; boundary=CC",
		"multipart/form-data; boundary=BB, multipart/form-data; boundary=CC",
		"multipart/form-data; boundary=BB,CC",
		"multipart/form-data; boundary=BB;",
		"multipart/form-data; boundary=BB; charset=IBM037",
		"multipart/form-data; charset=IBM037; boundary=BB",
		"multipart/form-data; boundary =BB",
		"multipart/form-data; boundary= BB",
		"multipart/form-data; boundary\t=BB",
		"multipart/form-data ; boundary=BB",
		"multipart/form-data boundary=BB",
		"multipart/form-data, boundary=BB",
		"multipart/form-data; boundary=BB ",
		" multipart/form-data; boundary=BB",
		"multipart/form-data; boundary=B B",
		`multipart/form-data; boundary="BB "`,
		`multipart/form-data; boundary=" BB"`,
		"multipart/form-data; boundary=B@B",
		"multipart/form-data; boundary=",
		`multipart/form-data; boundary=""`,
		"multipart/form-data; boundary=" + strings.Repeat("B", 71),
		"multipart/form-data; x=boundary; boundary=BB",
		`multipart/form-data; Boundary="boundary=BB"`,
		"multipart/form-data; BOUNDARY=boundary",
		"multipart/form-data; boundary=--",
		"multipart/form-data",
		"multipart/mixed; boundary=BB",
		"multipart/related; boundary=BB",
		"multipart/form-datax; boundary=BB",
		"x-multipart/form-data; boundary=BB",
		"multipart/form-data;\r\n boundary=BB",
		"multipart/form-data;\x0bboundary=BB",
		"multipart/form-data; boundary=BB\x00",
		"multipart/form-data; boundary=BB\u212a",
		"multipart/form-data; boundary=BB; application/x-www-form-urlencoded",
		"multipart/form-data; boundary=json",
	} {
		add("type "+contentType, contentType, good)
	}
	// the head of a part
	for _, head := range []string{
		`Content-Disposition: form-data; name ="user"; x=" name="harmless"`,
		"Content-Disposition: form-data; name\t=\"user\"; x=\" name=\"harmless\"",
		`Content-Disposition: form-data; name= "user"`,
		`Content-Disposition: form-data; name="=?UTF-8?Q?user?="`,
		`Content-Disposition: form-data; name="=?UTF-8?B?dXNlcg==?="`,
		`Content-Disposition: form-data; name="x"; filename="=?UTF-8?Q?user?="`,
		`Content-Disposition: form-data; name*=UTF-8''user`,
		`Content-Disposition: form-data; name="x"; name*=UTF-8''user`,
		`Content-Disposition: form-data; name*0="us"; name*1="er"`,
		`Content-Disposition: form-data; name="x"; name="user"`,
		`Content-Disposition: form-data; name="x"; filename="y"; name="user"`,
		`Content-Disposition: form-data; filename="y"; name="x"`,
		`Content-Disposition: form-data; name="x"; filename*=UTF-8''y`,
		`Content-Disposition: form-data; name="x"; filename="y"; filename="z"`,
		`Content-Disposition: form-data; name="x"; filename="y\"; name="user"`,
		`Content-Disposition: form-data; name="x"; filename="y\\"`,
		`Content-Disposition: form-data; name="x\"; name="user"`,
		`Content-Disposition: form-data; name="us\er"`,
		`Content-Disposition: form-data; name='user'`,
		`Content-Disposition: form-data; name=user`,
		`Content-Disposition: form-data; name=user; x="y"`,
		`Content-Disposition: form-data; name="x"y`,
		`Content-Disposition: form-data; name="x" ; filename="y"`,
		`Content-Disposition: form-data; name="x";`,
		`Content-Disposition: form-data; name="x", name="user"`,
		`Content-Disposition: form-data name="x"`,
		`Content-Disposition: form-data ; name="x"`,
		`Content-Disposition: form-data;; name="x"`,
		`Content-Disposition: attachment; name="x"`,
		`Content-Disposition: "form-data"; name="x"`,
		`Content-Disposition: form-data`,
		`Content-Disposition: form-data; filename="x"`,
		"Content-Disposition: form-data; name=\"x\" ",
		"Content-Disposition : form-data; name=\"x\"",
		" Content-Disposition: form-data; name=\"x\"",
		"Content-Disposition: form-data;\r\n name=\"user\"",
		"Content-Disposition: form-data; name=\"x\"\r\n\t; name=\"user\"",
		"Content-Disposition: form-data; name=\"x\"\r\n;name=user",
		"Content-Disposition: form-data; name=\"x\"\nX: y",
		"Content-Disposition: form-data; name=\"x\"\rX: y",
		"Content-Disposition: form-data; name=\"us\x00er\"",
		"Content-Disposition: form-data; name=\"us\ter\"",
		"Content-Disposition: form-data; name=\"us\xffer\"",
		"Content-Di\u017fposition: form-data; name=\"x\"",
		"Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"user\"",
		"Content-Disposition: form-data; name=\"x\"\r\ncontent-disposition: form-data; name=\"user\"",
		"Content-Disposition: form-data; name=\"x\"\r\nContent-Type: text/plain\r\nContent-Type: text/html",
		"Content-Disposition: form-data; name=\"x\"\r\nContent-Type: multipart/mixed; boundary=CC",
		"Content-Disposition: form-data; name=\"x\"\r\nContent-Type: text/plain; name=\"user\"",
		"Content-Disposition: form-data; name=\"x\"\r\nContent-Type: text/plain;\r\n charset=IBM037",
		"Content-Disposition: form-data; name=\"x\"\r\nContent-Type:",
		"Content-Disposition: form-data; name=\"x\"\r\nContent-Transfer-Encoding: base64",
		"Content-Disposition: form-data; name=\"x\"\r\nContent-Length: 1",
		"Content-Disposition: form-data; name=\"x\"\r\nX-Header: 1",
		"Content-Disposition: form-data; name=\"x\"\r\nno colon",
		"Content-Type: text/plain",
		// a head that is longer than a line that PHP reads
		"Content-Disposition: form-data; name=\"x\"; filename=\"" + strings.Repeat("y", 6000) + "Content-Disposition: form-data; name=user\"",
		"Content-Disposition: form-data; name=\"" + strings.Repeat("y", 6000) + "\"",
	} {
		add("head "+head[:min(len(head), 120)], plain, body(head))
	}
	// where parts begin and end
	x, user := "Content-Disposition: form-data; name=\"x\"\r\n\r\n1", "Content-Disposition: form-data; name=\"user\"\r\n\r\nmike"
	for name, text := range map[string]string{
		"preamble":                        "preamble\r\n--BB\r\n" + x + "\r\n--BB--\r\n",
		"a preamble with a part":          "--BB \r\n" + user + "\r\n--BB\r\n" + x + "\r\n--BB--\r\n",
		"an empty line first":             "\r\n--BB\r\n" + x + "\r\n--BB--\r\n",
		"epilogue":                        "--BB\r\n" + x + "\r\n--BB--\r\nepilogue",
		"a part behind the last boundary": "--BB\r\n" + x + "\r\n--BB--\r\n--BB\r\n" + user + "\r\n--BB--\r\n",
		"LF before a boundary":            "--BB\r\n" + x + "\n--BB\r\n" + user + "\r\n--BB--\r\n",
		"CR before a boundary":            "--BB\r\n" + x + "\r--BB\r\n" + user + "\r\n--BB--\r\n",
		"LF behind a boundary":            "--BB\r\n" + x + "\r\n--BB\n" + user + "\r\n--BB--\r\n",
		"LF everywhere":                   strings.ReplaceAll("--BB\r\n"+x+"\r\n--BB--\r\n", "\r", ""),
		"a boundary within a line":        "--BB\r\n" + x + "--BB\r\n" + user + "\r\n--BB--\r\n",
		"a blank behind a boundary":       "--BB\r\n" + x + "\r\n--BB \r\n" + user + "\r\n--BB--\r\n",
		"a tab behind a boundary":         "--BB\r\n" + x + "\r\n--BB\t\r\n" + user + "\r\n--BB--\r\n",
		"a longer boundary":               "--BB\r\n" + x + "\r\n--BBB\r\n" + user + "\r\n--BB--\r\n",
		"half of the last boundary":       "--BB\r\n" + x + "\r\n--BB-\r\n",
		"a blank behind the last":         "--BB\r\n" + x + "\r\n--BB-- \r\n",
		"LF behind the last":              "--BB\r\n" + x + "\r\n--BB--\n",
		"no last boundary":                "--BB\r\n" + x + "\r\n",
		"no end":                          "--BB\r\n" + x,
		"no boundary":                     x,
		"nothing":                         " ",
		"no line between head and value":  "--BB\r\nContent-Disposition: form-data; name=\"x\"\r\n--BB--\r\n",
		"half a line between them":        "--BB\r\nContent-Disposition: form-data; name=\"x\"\n\n1\r\n--BB--\r\n",
		"no head":                         "--BB\r\n\r\n1\r\n--BB--\r\n",
		"one hyphen":                      "-BB\r\n" + x + "\r\n-BB--\r\n",
	} {
		add(name, plain, text)
	}
	return all
}()

// TestAttackMultipart: spellings of multipart that PHP, Tomcat, Jetty or others read as
// another field than the gateway would.
func TestAttackMultipart(t *testing.T) {
	if len(hostile) < 100 {
		t.Errorf("only %d spellings", len(hostile))
	}
	for _, tc := range hostile {
		for _, profile := range profiles {
			if detail := rules(t, profile).Admit(post(tc.contentType, tc.body), true); detail == "" {
				t.Errorf("%s: %s passes", profile, tc.name)
			}
		}
	}
	plain := func(name string) string {
		return "--BB\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\nmike\r\n--BB--\r\n"
	}
	for name, want := range map[string]string{
		"user": "protected", " user": "protected", "user ": "protected", "user[]": "protected", "%75ser": "protected",
		"_METHOD": "protected", ".METHOD": "protected", "X-HTTP-Method-Override": "protected",
		"x": "", "username": "", "List-Unsubscribe": "", "100%": "", "": "",
	} {
		if detail := rules(t, backend.PHP).Admit(post("multipart/form-data; boundary=BB", plain(name)), true); detail != want {
			t.Errorf("name %q: %q, want %q", name, detail, want)
		}
	}
}

// TestMultipartGrammar: what the grammar leaves free.
func TestMultipartGrammar(t *testing.T) {
	body := func(head string) string { return "--BB\r\n" + head + "\r\n\r\n1\r\n--BB--" }
	for _, tc := range []struct{ contentType, body string }{
		{"Multipart/Form-Data;BOUNDARY=BB", body(`content-disposition:FORM-DATA;NAME="x"`)},
		{"multipart/form-data; \t boundary=\"BB\"", body("CONTENT-DISPOSITION: form-data; \tname=\"x\"; \t FileName=\"y\"\r\ncontent-type: text/plain")},
		{"multipart/form-data; boundary=BB", body("Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"x\"")},
		{`multipart/form-data; boundary="B (B)/:=?,B"`, strings.ReplaceAll(body(`Content-Disposition: form-data; name="x"`), "--BB", "--B (B)/:=?,B")},
		{"multipart/form-data; boundary=BB", "--BB--\r\n"},
		{"multipart/form-data; boundary=BB", body(`Content-Disposition: form-data; name="x"`) + "\r\n"},
		{"multipart/form-data; boundary=BB", "--BB\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n-BB\r\n--B\r\n--B--\r\nB\r\n--BB--"},
	} {
		if detail := rules(t, backend.Strict).Admit(post(tc.contentType, tc.body), true); detail != "" {
			t.Errorf("%s %q: body/%s", tc.contentType, tc.body, detail)
		}
	}
	many := strings.Repeat("--BB\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n", query.MaxPairs)
	if detail := rules(t, backend.Strict).Admit(post("multipart/form-data; boundary=BB", many+"--BB--"), true); detail != "" {
		t.Errorf("%d parts: %s", query.MaxPairs, detail)
	}
	if detail := rules(t, backend.Strict).Admit(post("multipart/form-data; boundary=BB", many+many[:len(many)/query.MaxPairs]+"--BB--"), true); detail != "too_many" {
		t.Errorf("one part more: %q", detail)
	}
}

// TestAttackContentType: one type to the gateway and another to the backend.
func TestAttackContentType(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, tc := range []struct{ contentType, body, want string }{
		{form, "user=mike", "protected"},
		{strings.ToUpper(form), "user=mike", "protected"},
		{"", "user=mike", "protected"},
		{" ", "user=mike", "protected"},
		{form + ", text/plain", "x=1", "content_type"},
		{form + " text/plain", "x=1", "content_type"},
		{form + "\t", "x=1", "content_type"},
		{form + ";", "x=1", "content_type"},
		{form + "; ", "x=1", "content_type"},
		{form + " ; charset=utf-8", "x=1", "content_type"},
		{form + "; charset = utf-8", "x=1", "content_type"},
		{form + "; x=y", "x=1", "content_type"},
		{form + "; boundary=BB", "x=1", "content_type"},
		{"x" + form, "x=1", "content_type"},
		{form + "x", "x=1", "content_type"},
		{"text/plain, " + form, "x=1", "content_type"},
		{"text/plain; x=" + form, "x=1", "content_type"},
		{form + "; charset=IBM037", "x=1", "charset"},
		{form + "; charset=utf-7", "x=1", "charset"},
		{form + "; charset=utf-16", "x=1", "charset"},
		{form + "; charset*=utf-8''ibm037", "x=1", "charset"},
		{form + `; charset="utf-8"; charset=ibm037`, "x=1", "charset"},
		{form + "; charset=utf-8; charset=utf-8", "x=1", "charset"},
		{form + `; charset="utf-8\"`, "x=1", "content_type"},
		{form + `; charset="utf-8"x`, "x=1", "content_type"},
		{form + "; charset=utf-8" + strings.Repeat(" ", 70_000), "x=1", "content_type"},
		{form + "; charset=", "x=1", "content_type"},
		{form + "; charset=utf-8", "x=1", ""},
		{form + `;charset="ISO-8859-1"`, "x=1", ""},
		{form + ";\t charset=US-ASCII", "x=1", ""},
		{"application/json; charset=utf-16", "{}", "charset"},
		{"application/json, text/plain", "{}", "content_type"},
		{"application/json\t", "{}", "content_type"},
		{"application/json; " + form, "{}", "content_type"},
		{"application/vnd.api+json; ext=\"https://example.org/a;b\"; profile=x", "{}", ""},
		{"application/json;odata.metadata=minimal;charset=UTF-8", "{}", ""},
		{"json", "{}", "content_type"},
		{"text/plain", "user=mike", ""},
		{"application/octet-stream", "user=mike", ""},
	} {
		if detail := rules(t, backend.Strict).Admit(post(tc.contentType, tc.body), true); detail != tc.want {
			t.Errorf("%.80q: %q, want %q", tc.contentType, detail, tc.want)
		}
	}
	for _, contentType := range []string{form, "application/json", "text/xml", "multipart/form-data; boundary=BB"} {
		r := post(contentType, "\x1f\x8b")
		r.Header["Content-Encoding"] = []string{"gzip"}
		if detail := rules(t, backend.Strict).Admit(r, true); detail != "encoding" {
			t.Errorf("a compressed %s: %q", contentType, detail)
		}
	}
	r := post(form, "x=1")
	r.Header["Content-Type"] = []string{"text/plain", form}
	if detail := rules(t, backend.Strict).Admit(r, true); detail != "content_type" {
		t.Errorf("two lines: %q", detail)
	}
}

// TestAttackMethodOverride: the parameters by which Slim, Laravel, Symfony, CakePHP, Spring
// and others run another method, in every place and spelling.
func TestAttackMethodOverride(t *testing.T) {
	spellings := []string{
		"_method", "_METHOD", "_Method", "%5Fmethod", "%5fMETHOD", "+_METHOD", "%20_method", ".METHOD", ".method", "[METHOD", "[method",
		"%5BMETHOD", "%2eMETHOD", "_METHOD[]", "_method[x]", "_METHOD%00", "_METHOD%00x", "+.METHOD", "_method%20",
		"X-HTTP-Method-Override", "x-http-method-override", "X_HTTP_METHOD_OVERRIDE", "X-HTTP-Method", "X-Method-Override",
		"x-tunneled-method", "X.HTTP.Method.Override", "a=1;_method",
	}
	for _, profile := range profiles {
		b := rules(t, profile)
		for _, name := range spellings {
			var q query.Query
			if err := q.Parse("user=jeff&" + name + "=DELETE&key=x"); err != nil {
				t.Fatal(err)
			}
			if !b.OverridesMethod(&q) {
				t.Errorf("%s: %s in a query", profile, name)
			}
			if detail := b.Admit(post("application/x-www-form-urlencoded", "x=1&"+name+"=DELETE"), true); detail != "protected" {
				t.Errorf("%s: %s in a form: %q", profile, name, detail)
			}
			if strings.ContainsAny(name, "=;") {
				continue
			}
			decoded := query.Unescape(name)
			quoted, err := json.Marshal(decoded)
			if err != nil {
				t.Fatal(err)
			}
			if detail := b.Admit(post("application/json", `{"x":1,`+string(quoted)+`:"DELETE"}`), true); detail != "protected" {
				t.Errorf("%s: %s in JSON: %q", profile, name, detail)
			}
			part := "--BB\r\nContent-Disposition: form-data; name=\"" + decoded + "\"\r\n\r\nDELETE\r\n--BB--\r\n"
			if detail := b.Admit(post("multipart/form-data; boundary=BB", part), true); detail == "" {
				t.Errorf("%s: %s in a multipart body passes", profile, name)
			}
		}
		for _, name := range []string{"method", "x_method", "_methods", "paymentmethod", "-x", "http-method"} {
			var q query.Query
			if err := q.Parse("user=jeff&" + name + "=post"); err != nil || b.OverridesMethod(&q) {
				t.Errorf("%s: an honest %s is refused, %v", profile, name, err)
			}
		}
	}
	var q query.Query
	if err := q.Parse("/app?_method=DELETE"); err != nil || !rules(t, backend.PHP).OverridesMethod(&q) {
		t.Error("a second query passes")
	}
	// a parameter of that name which the link signs is what was signed
	for _, signed := range []string{"_method", "_METHOD", "X-HTTP-Method-Override"} {
		names, err := query.NewNames(backend.PHP, []string{signed})
		if err != nil {
			t.Fatal(err)
		}
		b := Rules{Profile: backend.PHP, Names: names}
		if err := q.Parse(signed + "=DELETE"); err != nil || b.OverridesMethod(&q) {
			t.Errorf("a signed %s is refused, %v", signed, err)
		}
		if err := q.Parse(signed + "=DELETE&x-method-override=PUT"); err != nil || !b.OverridesMethod(&q) {
			t.Errorf("another one beside a signed %s passes, %v", signed, err)
		}
	}
}

// TestAttackJSON: names that two readers of JSON read otherwise.
func TestAttackJSON(t *testing.T) {
	for body, want := range map[string]string{
		`{"user":1}`:                             "protected",
		`{"a":{"x":[1,{}]},"user":1}`:            "protected",
		`{"a":"x","b":["y"],"us\u0065r":1}`:      "protected",
		`{"user":1,"user":2}`:                    "protected",
		`{"a":1}{"user":1}`:                      "json",
		`{"a":1} ["b"] {"user":1}`:               "json",
		`{"user[]":1}`:                           "protected",
		`{"_METHOD":"DELETE"}`:                   "protected",
		"{\"us\xffer\":1}":                       "json",
		`{"us\ud800er":1}`:                       "json",
		"\xef\xbb\xbf{\"a\":1}":                  "json",
		"{\x00\"\x00u\x00s\x00e\x00r\x00\"\x00:": "json",
		`{"a":1,}`:                               "json",
		`{a:1}`:                                  "json",
		`{'user':1}`:                             "json",
		`{/**/"user":1}`:                         "json",
		`{"a":NaN}`:                              "json",
		`{"a":1`:                                 "json",
		`{"a":1}}`:                               "json",
		`["user","user",{"user":1}]`:             "",
		`{"a":"user","b":["user"],"c":{"user":1,"d":{"_method":1}},"e":null,"f":1.5,"g":true,"h":"user"}`: "",
		`"user"`: "",
		`null`:   "",
		"{}":     "",
	} {
		if detail := rules(t, backend.Strict).Admit(post("application/json", body), true); detail != want {
			t.Errorf("%s: %q, want %q", body, detail, want)
		}
	}
}

// TestAttackForm: names of forms that one reader decodes and another does not.
func TestAttackForm(t *testing.T) {
	for _, profile := range profiles {
		for body, want := range map[string]string{
			"us%65r=mike": "protected", "%u0075ser=mike": "protected", "us%U0065r=mike": "protected", "%u0075s%65r=mike": "protected",
			"x=1&&user=mike": "protected", "%u005fmethod=DELETE": "protected",
			"x=%u0075ser": "", "%u00=1": "", "100%=1": "", "%u0078=1": "", "a=user": "", "List-Unsubscribe=One-Click": "",
		} {
			if detail := rules(t, profile).Admit(post("application/x-www-form-urlencoded", body), true); detail != want {
				t.Errorf("%s: %s: %q, want %q", profile, body, detail, want)
			}
		}
	}
}

// attackXML is XML, and what is said of it.
var attackXML = map[string]string{
	`<x><user>mike</user></x>`:                                           "protected",
	`<x><a/><n:user xmlns:n="u">mike</n:user></x>`:                       "protected",
	`<x><_METHOD>DELETE</_METHOD></x>`:                                   "protected",
	`<x><a><b/></a><![CDATA[x]]><!-- x --><user/></x>`:                   "protected",
	`<!DOCTYPE x [<!ENTITY u "<user>mike</user>">]><x>&u;</x>`:           "xml",
	`<?xml version="1.0" encoding="UTF-7"?><x/>`:                         "xml",
	`<?xml version="1.0" encoding = "UTF-7"?><x>+ADw-user+AD4-</x>`:      "xml",
	`<?xml version="1.0" encoding='ISO-2022-JP'?><x/>`:                   "xml",
	"\xff\xfe<\x00x\x00/\x00>\x00":                                       "xml",
	`<x><user`:                                                           "xml",
	`<x></x></x>`:                                                        "xml",
	`<?xml version="1.0" encoding="utf-8"?><x><a><user/></a></x>`:        "",
	`<?xml version='1.0' encoding = 'UTF-8'?><user><a b="user"/></user>`: "",
	`<x><a>mike</a></x`:                                                  "xml",
	`<x><user a=b>mike</user></x>`:                                       "xml",
	`<x><a b="c"user="d"/></x>`:                                          "xml",
	`<x><!-- -- --><user/></x>`:                                          "xml",
	`<x><!-- --><user/></x>`:                                             "protected",
	`<x><![CDATA[<a>]]><user/></x>`:                                      "protected",
	`<x><a b="/>"/><user/></x>`:                                          "protected",
	`<x><a b='"'/><user b="'"/></x>`:                                     "protected",
	`<x><a:b:user/></x>`:                                                 "xml",
	`<x><!-- <user/> --><![CDATA[<user/>]]><a b=">" c='user'/> > </x>`:   "",
}

// TestAttackXML: Slim 3 makes parameters of the elements of XML, and takes another method
// from one of them.
func TestAttackXML(t *testing.T) {
	for body, want := range attackXML {
		for contentType, profile := range map[string]backend.Profile{"text/xml": backend.PHP, "application/xml": backend.Strict, "application/soap+xml; charset=utf-8": backend.PHP} {
			if detail := rules(t, profile).Admit(post(contentType, body), true); detail != want {
				t.Errorf("%s %s: %q, want %q", contentType, body, detail, want)
			}
		}
		if detail := rules(t, backend.Servlet).Admit(post("text/xml", body), true); detail != "" {
			t.Errorf("servlet: %s: %q", body, detail)
		}
	}
}

// TestAttackUndeclaredBody: a body that the verdict took for none does not go on.
func TestAttackUndeclaredBody(t *testing.T) {
	for _, tc := range []struct {
		method string
		length int64
	}{{http.MethodGet, -1}, {http.MethodHead, -1}, {http.MethodGet, 0}, {http.MethodPost, 0}, {http.MethodDelete, 0}} {
		r := post("application/x-www-form-urlencoded", "user=mike")
		r.Method, r.ContentLength = tc.method, tc.length
		r.Header.Set("Content-Length", "9 ")
		if detail := rules(t, backend.Strict).Admit(r, false); detail != "" {
			t.Errorf("%+v: %s", tc, detail)
		}
		DropUndeclared(r)
		body, err := io.ReadAll(r.Body)
		if len(body) != 0 || err != nil || r.ContentLength != 0 || r.Header["Content-Length"] != nil {
			t.Errorf("%+v: %q, %v, length %d goes on", tc, body, err, r.ContentLength)
		}
	}
	for _, tc := range []struct {
		method string
		length int64
		want   string
	}{
		{http.MethodGet, 9, "not_allowed"},
		{http.MethodHead, 9, "not_allowed"},
		{http.MethodPost, -1, "protected"},
		{http.MethodPost, 9, "protected"},
	} {
		r := post("application/x-www-form-urlencoded", "user=mike")
		r.Method, r.ContentLength = tc.method, tc.length
		if detail := rules(t, backend.Strict).Admit(r, true); detail != tc.want {
			t.Errorf("%+v: %q", tc, detail)
		}
		DropUndeclared(r)
		if body, _ := io.ReadAll(r.Body); string(body) != "user=mike" {
			t.Errorf("%+v: what was judged went: %q", tc, body)
		}
	}
	// trailers come to light when a body is read
	r := post("application/x-www-form-urlencoded", "x=1")
	r.Trailer = http.Header{"X-Verified-User": {"mike"}}
	if detail := rules(t, backend.Strict).Admit(r, true); detail != "" || r.Trailer != nil {
		t.Errorf("trailers: %q, %v", detail, r.Trailer)
	}
}

// TestLinear: the work for a body grows as the body does. It is counted in steps that
// the readers cannot help making: allocations.
func TestLinear(t *testing.T) {
	b := rules(t, backend.Strict)
	for name, make := range map[string]func(n int) (string, string){
		"parts": func(n int) (string, string) {
			return "multipart/form-data; boundary=BB", strings.Repeat("--BB\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n", n) + "--BB--"
		},
		"boundaries": func(n int) (string, string) { return "multipart/form-data; boundary=BB", strings.Repeat("--BB\r\n", n) },
		"JSON depth": func(n int) (string, string) {
			return "application/json", strings.Repeat("[", n) + strings.Repeat("]", n)
		},
		"XML depth": func(n int) (string, string) { return "text/xml", strings.Repeat("<x>", n) + strings.Repeat("</x>", n) },
		"fields":    func(n int) (string, string) { return "application/x-www-form-urlencoded", strings.Repeat("x=%5b&", n) },
	} {
		cost := func(n int) float64 {
			contentType, body := make(n)
			return testing.AllocsPerRun(3, func() { b.Admit(post(contentType, body), true) })
		}
		half, whole := cost(400), cost(800)
		if whole > 2.2*half+20 {
			t.Errorf("%s: %v allocations, and %v for twice as much", name, half, whole)
		}
	}
}

func ExampleRules_Admit() {
	names, err := query.NewNames(backend.PHP, []string{"user"})
	if err != nil {
		panic(err)
	}
	b := Rules{Profile: backend.PHP, Names: names}
	fmt.Println(b.Admit(post("application/x-www-form-urlencoded", "comment=7&us%65r[]=mike"), true))
	// Output: protected
}

// TestManyNamesOfJSON: as many as of a form, wherever else names stand.
func TestManyNamesOfJSON(t *testing.T) {
	b := rules(t, backend.Strict)
	for n, want := range map[int]string{query.MaxPairs: "", query.MaxPairs + 1: "too_many"} {
		body := `{"a":{` + strings.Repeat(`"x":["y"],`, 3000) + `"x":1}` + strings.Repeat(`,"b[":"}"`, n-1) + `}`
		if got := b.inspectJSON([]byte(body)); got != want {
			t.Errorf("%d names: %q, want %q", n, got, want)
		}
	}
}

// TestUnquote: names are read as the standard library reads them, but for halves of
// surrogate pairs, which are none.
func TestUnquote(t *testing.T) {
	pieces := []string{`a`, `ü`, `\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`, `\u0075`, `\u00fC`, `\uABcd`, `\ud83d`, `\ude00`, `\u0000`, `%`, `u0075`}
	for _, a := range pieces {
		for _, b := range pieces {
			for _, c := range pieces {
				text := a + b + c
				var want string
				if err := json.Unmarshal([]byte(`"`+text+`"`), &want); err != nil {
					t.Fatal(err)
				}
				name, ok := unquote(text)
				if half := strings.Contains(want, "\uFFFD"); ok == half || ok && name != want {
					t.Errorf("%s: %q, %t, want %q", text, name, ok, want)
				}
			}
		}
	}
}
