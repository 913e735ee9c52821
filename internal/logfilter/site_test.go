package logfilter_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	signedlink "github.com/signedlink/caddy-signed-link"
	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/logfilter"
)

// TestAttackLogFilter: no line of the access log or of the log of errors holds a
// signature where the filter is on both, whatever became of the request.
func TestAttackLogFilter(t *testing.T) {
	fixture.SetSecrets(t)
	s, file := fixture.LoadLogged(t, `signed_link recognize akid {env.AKID_SECRET}
		signed_link /app/* keyed_hash {env.AUTOLOGIN_SECRET} {
			algorithm md5
			message {query.user}{secret}
			signature {query.key}
		}
		error /boom 502
		test_backend`)
	signature := fixture.Key("jeff", fixture.AutologinSecret)
	for target, want := range map[string]string{
		"/app/x?" + fixture.GoodLink:                          "/app/x?user=jeff&key=REDACTED",
		"/app/x?a=%6a&&" + fixture.BadLink + "&b=%zz;c":       "/app/x?a=%6a&&user=mike&key=REDACTED&b=%zz;c",
		"/app/x?user=jeff&k%65y=" + signature:                 "/app/x?user=jeff&k%65y=REDACTED",
		"/boom?" + fixture.GoodLink:                           "/boom?user=jeff&key=REDACTED",
		"/x?akid=" + fixture.GoodAKID + "&t=1":                "/x?akid=REDACTED&t=1",
		"/x?other=" + signature:                               "/x?other=REDACTED",
		"/login?next=%2Fapp%3Fkey%3D" + signature:             "/login?next=%2Fapp%3Fkey%3DREDACTED",
		"/x?" + strings.Repeat("a&", 1001) + fixture.GoodLink: "/x?" + strings.Repeat("a&", 1001) + "user=jeff&key=REDACTED",
	} {
		s.Get(target, "Referer: http://example.org"+target)
		line, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(string(line), `\u0026`, "&")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), `"uri":`+want) || !strings.Contains(string(data), `"Referer":["http://example.org`+want[1:]+"]") {
			t.Errorf("no line has %s:\n%s", want, data)
		}
		for _, hidden := range []string{signature, fixture.GoodAKID} {
			if strings.Contains(string(data), hidden) {
				t.Errorf("%s: a signature:\n%s", target, data)
			}
		}
		if err := os.Truncate(file, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLogFilterConfig: what may stand behind the filter's name.
func TestLogFilterConfig(t *testing.T) {
	config := func(filter string) string {
		return "{\n\tadmin off\n\tauto_https off\n\tlog {\n\t\toutput discard\n\t\tformat filter {\n\t\t\t" + filter + "\n\t\t}\n\t}\n}\nhttp:// {\n\tsigned_link guard\n}\n"
	}
	for _, filter := range []string{"uri signed_link", "uri signed_link a b.c"} {
		if _, err := gatewaytest.TryLoad(t, config(filter)); err != nil {
			t.Errorf("%s: %v", filter, err)
		}
	}
	for filter, want := range map[string]string{
		"uri signed_link {\n\t\t\t\treplace key x\n\t\t\t}": "has no block",
		"uri signed_link a=b":                               "a=b",
	} {
		if _, err := gatewaytest.TryLoad(t, config(filter)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", filter, err)
		}
	}
	if got := gatewaytest.Adapt(config("uri signed_link a b")); !strings.Contains(got, "\"parameters\": [") {
		t.Errorf("the adapter makes\n%s", got)
	}
}

// TestLogFilterReload: each definition gives back what it took, and no more, whether the
// configuration is replaced or does not load.
func TestLogFilterReload(t *testing.T) {
	fixture.SetSecrets(t)
	before := logfilter.Held("reload_sig")
	provision := func(extra string) (caddy.Context, error) {
		text := gatewaytest.SiteFile(`signed_link keyed_hash {env.AUTOLOGIN_SECRET} {
			algorithm md5
			message {query.user}{secret}
			signature {query.reload_sig}
		}
		` + extra)
		var c caddy.Config
		if err := json.Unmarshal([]byte(gatewaytest.Adapt(text)), &c); err != nil {
			t.Fatal(err)
		}
		return caddy.ProvisionContext(&c)
	}
	if _, err := provision(""); err != nil {
		t.Fatal(err)
	}
	if n := logfilter.Held("reload_sig") - before; n != 1 {
		t.Errorf("one definition holds it %d times", n)
	}
	if _, err := provision("signed_link akid {env.NO_SUCH_SECRET}"); err == nil {
		t.Fatal("it loads without a secret")
	}
	if n := logfilter.Held("reload_sig") - before; n != 1 {
		t.Errorf("after a configuration that does not load: %d", n)
	}
	var c caddy.Config
	if err := json.Unmarshal([]byte(gatewaytest.Adapt(gatewaytest.SiteFile(`signed_link keyed_hash {env.AUTOLOGIN_SECRET} {
		algorithm md5
		message {query.user}{secret}
		signature {query.reload_sig}
	}`))), &c); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&c); err != nil { // provisions it and cleans it up
		t.Fatal(err)
	}
	if n := logfilter.Held("reload_sig") - before; n != 1 {
		t.Errorf("after another configuration came and went: %d", n)
	}
	h := new(signedlink.Handler)
	if err := h.Cleanup(); err != nil {
		t.Error(err)
	}
	if n := logfilter.Held("reload_sig") - before; n != 1 {
		t.Errorf("after the cleanup of a definition that was never provisioned: %d", n)
	}
}
