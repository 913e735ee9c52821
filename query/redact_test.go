package query

import (
	"strings"
	"testing"
)

func redactor(t testing.TB, names ...string) *Redactor {
	t.Helper()
	r, err := NewRedactor(names)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRedact(t *testing.T) {
	r := redactor(t, "key", "akid", "link_sig", "sig.x")
	for in, want := range map[string]string{
		// nothing to do
		"":                                  "",
		"/":                                 "/",
		"/app?user=jeff&until=4102444800":   "/app?user=jeff&until=4102444800",
		"/app?key=":                         "/app?key=",
		"/app?key":                          "/app?key",
		"/app?key[]":                        "/app?key[]",
		"/app?monkey=1&keys=2&my_key=3":     "/app?monkey=1&keys=2&my_key=3",
		"/key/x?a=%6a&&b=%zz;c&=&d":         "/key/x?a=%6a&&b=%zz;c&=&d",
		"Mozilla/5.0 (X11; Linux) a=b; c=d": "Mozilla/5.0 (X11; Linux) a=b; c=d",
		// plain, and wherever a query stands
		"/app?user=jeff&key=SIG":                     "/app?user=jeff&key=REDACTED",
		"/app?key=SIG&b=%20+2&&c":                    "/app?key=REDACTED&b=%20+2&&c",
		"https://h.example:8/app?akid=1.2.SIG&x=/":   "https://h.example:8/app?akid=REDACTED&x=/",
		"user=jeff&key=SIG":                          "user=jeff&key=REDACTED",
		"key=SIG":                                    "key=REDACTED",
		"/app?x?key=SIG&y=?key=SIG":                  "/app?x?key=REDACTED&y=?key=REDACTED",
		"/app?key=SIG?x=1&y":                         "/app?key=REDACTED&y",
		"/app?key=SIG&key=SIG":                       "/app?key=REDACTED&key=REDACTED",
		"/app?key=SIG=&a=b":                          "/app?key=REDACTED&a=b",
		"https://u:key=SIG@h/x?akid=SIG":             "https://u:key=SIG@h/x?akid=REDACTED", // ':' may stand in a name
		"https://key=SIG@h/x?a=b":                    "https://key=REDACTED?a=b",
		"/app#key=SIG":                               "/app#key=REDACTED",
		"/app?a=b#key=SIG":                           "/app?a=b#key=REDACTED",
		"/app?key=SIG#frag":                          "/app?key=REDACTED",
		"/app;key=SIG?a=b":                           "/app;key=REDACTED?a=b",
		"/app;key=SIG/x;y=z?a=b":                     "/app;key=REDACTED?a=b",
		"PHP message: https://h/?key=SIG in x.php\n": "PHP message: https://h/?key=REDACTED\n",
		"a?key=SIG\r\nb?c=d\nakid=SIG":               "a?key=REDACTED\r\nb?c=d\nakid=REDACTED",
		// spellings
		"?k%65y=SIG":                "?k%65y=REDACTED",
		"?KEY=SIG&Key=SIG":          "?KEY=REDACTED&Key=REDACTED",
		"?+key=SIG&%20key=SIG":      "?+key=REDACTED&%20key=REDACTED",
		"??key=SIG":                 "??key=REDACTED",
		"?link.sig=SIG":             "?link.sig=REDACTED",
		"?link-sig=SIG":             "?link-sig=REDACTED",
		"?link%5Bsig=SIG":           "?link%5Bsig=REDACTED",
		"?sig.x=SIG&sig_x=OTHER":    "?sig.x=REDACTED&sig_x=OTHER",
		"?%75%6b&%u006bey=SIG":      "?%75%6b&%u006bey=REDACTED",
		"?ｋｅｙ=SIG":                  "?ｋｅｙ=REDACTED",
		"?k\u200bey=SIG":            "?k\u200bey=REDACTED",
		"?k\u212aey=a&\u212aey=SIG": "?k\u212aey=a&\u212aey=REDACTED",
		// arrays and NUL: the client writes into the name, too
		"?key[]=SIG":        "?key[]=REDACTED",
		"?key%5B%5D=SIG":    "?key%5B%5D=REDACTED",
		"?key[SIG]=SIG&a=b": "?key[REDACTED&a=b",
		"?key%5bSIG]":       "?key%5bREDACTED",
		"?key%00SIG=SIG":    "?key%00REDACTED",
		"?key\x00SIG=SIG":   "?key\x00REDACTED",
		"?key[/?#;]=SIG":    "?key[REDACTED",
		// semicolons and HTML
		"?a=1;key=SIG&b=2":        "?a=1;key=REDACTED&b=2",
		"?a=1;key=SIG;b=2&c":      "?a=1;key=REDACTED&c",
		"?a=1&amp;key=SIG&b":      "?a=1&amp;key=REDACTED&b",
		"?a=1&amp;k%65y=SIG":      "?a=1&amp;k%65y=REDACTED",
		"?a=1&#38;key=SIG":        "?a=1&#38;key=REDACTED",
		"?n=%26key%3DS;key=SIG&b": "?n=%26key%3DREDACTED;key=REDACTED&b",
		// URLs within URLs
		"/login?next=/app?key=SIG":                                 "/login?next=/app?key=REDACTED",
		"/login?next=%2Fapp%3Fuser%3Djeff%26key%3DSIG%26a%3Db&c=d": "/login?next=%2Fapp%3Fuser%3Djeff%26key%3DREDACTED%26a%3Db&c=d",
		"/s?u=%252Fapp%253Fkey%253DSIG%2526a%253Db%26c=d":          "/s?u=%252Fapp%253Fkey%253DREDACTED%2526a%253Db%26c=d",
		"/s?u=key%3DSIG%23x&v=1":                                   "/s?u=key%3DREDACTED&v=1",
		"/s?u=%3Fk%2565y%3DSIG":                                    "/s?u=%3Fk%2565y%3DREDACTED",
		"/s?u=%3Fkey%5B%5D%3DSIG":                                  "/s?u=%3Fkey%5B%5D%3DREDACTED",
		"/s?u=%3Fkey%3DSIG%2526x%253Dy%26akid%3DSIG":               "/s?u=%3Fkey%3DREDACTED%26akid%3DREDACTED",
		`<https://h/?key=SIG>; rel="next"`:                         `<https://h/?key=REDACTED`,
		"/s?user%3Djeff&key%3DSIG":                                 "/s?user%3Djeff&key%3DREDACTED",
		"/s%3Fuser%3Djeff%26key%3DSIG":                             "/s%3Fuser%3Djeff%26key%3DREDACTED",
		"/s?u=%3Fkey%3D":                                           "/s?u=%3Fkey%3D",
		"/s?u=%":                                                   "/s?u=%",
		"/s?u=%2":                                                  "/s?u=%2",
		"/s?u=%25&%25252=%2525":                                    "/s?u=%25&%25252=%2525",
		// bounds
		"/x?" + strings.Repeat("a", MaxBytes+1):                      "/x?REDACTED",
		"/x?" + strings.Repeat("a", MaxBytes-16) + "&key=SIGNATURE.": "/x?" + strings.Repeat("a", MaxBytes-16) + "&key=REDACTED",
		strings.Repeat("a", MaxBytes+1):                              strings.Repeat("a", MaxBytes+1),
		strings.Repeat("a", MaxBytes+1) + "&key=SIG":                 strings.Repeat("a", MaxBytes+1) + "&key=REDACTED",
		"?key=SIG\n?" + strings.Repeat("a", MaxBytes+1) + "\n?b=c":   "?key=REDACTED\n?REDACTED\n?b=c",
	} {
		got := r.Redact(in)
		if got != want {
			t.Errorf("%.200q\n got %.200q\nwant %.200q", in, got, want)
		}
		if again := r.Redact(got); again != got {
			t.Errorf("%.200q: a second time %.200q", got, again)
		}
	}
	var none *Redactor
	for _, r := range []*Redactor{none, {}, redactor(t)} {
		if got := r.Redact("?key=SIG"); got != "?key=SIG" {
			t.Errorf("without names: %s", got)
		}
	}
	if _, err := NewRedactor([]string{"a=b"}); err == nil {
		t.Error("a=b is a name")
	}
}

// TestRedactCost: nothing to do takes no memory, and a hostile text takes linear time.
func TestRedactCost(t *testing.T) {
	r := redactor(t, "key", "akid", "sig")
	for _, s := range []string{
		"/app?user=jeff&page=climate%20change&until=4102444800",
		"https://example.org/app/x;y=z?a=b&utm_source=mail%2Ex",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"/login?next=%2Fapp%3Fuser%3Djeff%26a%3Db&c=d",
	} {
		if n := testing.AllocsPerRun(100, func() { r.Redact(s) }); n != 0 {
			t.Errorf("%v allocations for %s", n, s)
		}
	}
	// Quadratic time would take minutes for any of these.
	for _, piece := range []string{"%25", "=", "&key=", "%3D", "%26key%3Dx", ";", "key;", "key[", "%", "?", "\n", "/?", "a=key%3D", "%2525key", "\x00"} {
		r.Redact("x=" + strings.Repeat(piece, 1<<18/len(piece)))
		r.Redact("/?" + strings.Repeat(piece, MaxBytes/len(piece)))
	}
}

// TestRedactMember: of an array the one member is redacted, with all that PHP files over it.
func TestRedactMember(t *testing.T) {
	r := redactor(t, "user[h]", "a[b][c]", "key", "list[]")
	for in, want := range map[string]string{
		"/x?user[id]=4&user[h]=SIG":               "/x?user[id]=4&user[h]=REDACTED",
		"/x?user%5Bid%5D=4&user%5Bh%5d=SIG&user=": "/x?user%5Bid%5D=4&user%5Bh%5d=REDACTED&user=",
		"/x?user[h]":                                 "/x?user[h]",
		"/x?user[h]=":                                "/x?user[h]=",
		"/x?user[h]SIG=SIG&b=c":                      "/x?user[h]REDACTED&b=c",
		"/x?user[h]SIG":                              "/x?user[h]REDACTED",
		"/x?user[h][SIG]=1":                          "/x?user[h]REDACTED",
		"/x?user[h]%00SIG":                           "/x?user[h]REDACTED",
		"/x?user=SIG&user[]=SIG&user[][SIG]=1":       "/x?user=REDACTED&user[]=REDACTED&user[]REDACTED",
		"/x?+us%65r[h]=SIG":                          "/x?+us%65r[h]=REDACTED",
		"/x?a[b][c]=SIG&a[b][d]=1&a[b]=SIG":          "/x?a[b][c]=REDACTED&a[b][d]=1&a[b]=REDACTED",
		"/x?a[b][c][SIG]&a%5Bb%5D%5Bc%5DSIG=1":       "/x?a[b][c]REDACTED&a%5Bb%5D%5Bc%5DREDACTED",
		"/x?key[SIG]=SIG&list[]=SIG&list[x]=1":       "/x?key[REDACTED&list[]=REDACTED&list[x]=1",
		"/l?to=%2Fx%3Fuser%255Bh%255D%3DSIG%26b&c=d": "/l?to=%2Fx%3Fuser%255Bh%255D%3DREDACTED%26b&c=d",
		"/l?to=/x?user[h]=SIG":                       "/l?to=/x?user[h]=REDACTED",
		"/l?to=%2Fx%3Fuser%5Bid%5D%3D4&c=d":          "/l?to=%2Fx%3Fuser%5Bid%5D%3D4&c=d",
	} {
		got := r.Redact(in)
		if got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
		if again := r.Redact(got); again != got {
			t.Errorf("%q: a second time %q", got, again)
		}
	}
}
