package bodies

import (
	"slices"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// Where a rule holds, written out: a test that asked the table would pass without the row.
var (
	everywhere = []backend.Profile{backend.Strict, backend.PHP, backend.Servlet}
	underPHP   = []backend.Profile{backend.Strict, backend.PHP}
)

// TestRules: each rule about bodies refuses what a backend with that rule would read, and
// says why; under a profile without it the same body passes.
func TestRules(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for rule, tc := range map[string]struct {
		holds       []backend.Profile
		contentType string
		body        string
		detail      string
	}{
		"form_body":       {everywhere, form, "user=mike", detailProtected},
		"untyped_body":    {everywhere, "", "user=mike", detailProtected},
		"json_body":       {everywhere, "application/json", `{"user":"mike"}`, detailProtected},
		"multipart_body":  {everywhere, "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nmike\r\n--x--\r\n", detailProtected},
		"xml_body":        {underPHP, "application/xml", "<r><user>mike</user></r>", detailProtected},
		"foreign_charset": {everywhere, form + "; charset=IBM037", "a=b", detailCharset},
		"unnamed_body":    {everywhere, "text/plain", "x", detailNotAllowed},
		"encoded_body":    {everywhere, form, "a=b", detailEncoding},
	} {
		t.Run(rule, func(t *testing.T) {
			for _, profile := range profiles {
				r := post(tc.contentType, tc.body)
				if tc.contentType == "" {
					delete(r.Header, "Content-Type")
				}
				if rule == "encoded_body" {
					r.Header.Set("Content-Encoding", "gzip")
				}
				want := ""
				if slices.Contains(tc.holds, profile) {
					want = tc.detail
				}
				if got := rules(t, profile).Admit(r, rule != "unnamed_body"); got != want {
					t.Errorf("%s: %q, want %q", profile, got, want)
				}
			}
		})
	}
	t.Run("overridden_method", func(t *testing.T) {
		for _, profile := range profiles {
			has := slices.Contains(everywhere, profile)
			var q query.Query
			if err := q.Parse("a=1&_method=DELETE"); err != nil {
				t.Fatal(err)
			}
			if got := rules(t, profile).OverridesMethod(&q); got != has {
				t.Errorf("%s: the query asks for another method: %t", profile, got)
			}
			r := post("application/x-www-form-urlencoded", "_METHOD=DELETE")
			if got := rules(t, profile).Admit(r, true); (got == detailProtected) != has {
				t.Errorf("%s: the form asks for another method, and the answer is %q", profile, got)
			}
		}
	})
}
