package pattern

import (
	"strings"
	"testing"
)

// TestDeparts: of a text that does not fit, people learn where it departs; nothing of the text
// is shown, because what stands at the wrong place may be a signature.
func TestDeparts(t *testing.T) {
	const unsubscribe, download, token = "/unsubscribe/<email>/<signature>", "/dl/<signature>/<file...>/v/<n>.pdf", "v1:<code>:<signature>"
	for _, tc := range []struct{ pattern, text, want string }{
		{unsubscribe, "/unsubscribe/a@b.org/secretsecret", ""},
		{unsubscribe, "/unsubscribe/a@b.org", `it has no "/" behind <email>, so that <signature> is missing`},
		{unsubscribe, "/unsubscribe/", "it ends where <email> has to stand"},
		{unsubscribe, "/unsub", `it ends before "/unsubscribe/" does`},
		{unsubscribe, "/other/secretsecret", `it does not begin with "/unsubscribe/"`},
		{unsubscribe, "/Unsubscribe/a/secretsecret", `"/unsubscribe/" in letters of another case`},
		{unsubscribe, "/unsubscribe//a@b.org/secretsecret", "<email> is empty"},
		{unsubscribe, "/unsubscribe/a@b.org//secretsecret", "one slash too many stands before <signature>"},
		{unsubscribe, "/unsubscribe/a@b.org/secretsecret/", "one slash too many stands behind <signature>"},
		{unsubscribe, "/unsubscribe/a@b.org/secretsecret/x/y", "<signature> has 3 segments, and may have one"},
		{unsubscribe, "/unsubscribe/a@b.org/", "<signature> is empty"},
		{unsubscribe, "/unsubscribe/a@b.org//", "nothing but slashes stands where <signature> has to"},
		{download, "/dl/secretsecret/a/b/v/1.pdf", ""},
		{download, "/dl/secretsecret/a/b/v/1.png", `it does not end with ".pdf"`},
		{download, "/dl/secretsecret/a/b/1.pdf", `it has no "/v/" before <n>, so that <file> is missing`},
		{download, "/dl/secretsecret/a/v/1/2.pdf", "<n> has 2 segments, and may have one"},
		{token, "v1:7", `it has no ":" behind <code>, so that <signature> is missing`},
		{token, "v1:7:", "<signature> is empty"},
	} {
		parse := ParsePath
		if tc.pattern == token {
			parse = Parse
		}
		p, err := parse(tc.pattern)
		if err != nil {
			t.Fatal(err)
		}
		got := p.Departs(tc.text)
		if !strings.Contains(got, tc.want) || (got == "") != (tc.want == "") {
			t.Errorf("%s of %s: %q, want %q", tc.text, tc.pattern, got, tc.want)
		}
		if strings.Contains(got, "secretsecret") {
			t.Errorf("%s shows the text: %q", tc.text, got)
		}
	}
}
