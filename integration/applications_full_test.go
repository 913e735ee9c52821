//go:build integration && full

package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/attacks"
	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

// applicationLink is what the documentation has in front of applications: links that
// expire, signed with HMAC.
const applicationLink = `signed_link MODE keyed_hash {env.LINK_SECRET} {
	backend php
	algorithm hmac-sha256
	message {query.user}|{query.expires}
	signature {query.sig}
	expires {query.expires}
	param user alnum max 32
	OPTIONS
}
`

// expiring is a link of the user.
func expiring(user string) string {
	expires := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	return "user=" + user + "&expires=" + expires + "&sig=" + hmacSHA256(user+"|"+expires)
}

// visit opens the application's page with the query and headers, and returns who is
// logged in, and with which session.
func visit(t *testing.T, app *backends.Application, address, session, query string, fields ...gateway.Field) (who, newSession string, status int) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s?%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: test\r\nConnection: close\r\n", app.Page, query, backends.ApplicationHost)
	if session != "" {
		fields = append(slices.Clone(fields), gateway.Field{Name: "Cookie", Value: app.Cookie + "=" + session})
	}
	for _, f := range fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	b.WriteString("\r\n")
	responses, err := gateway.SendHTTP1(address, "GET", []byte(b.String()), false)
	if err != nil || len(responses) == 0 {
		t.Fatalf("%s: no answer: %v", query, err)
	}
	r := responses[0]
	newSession = session
	for _, cookie := range (&http.Response{Header: r.Header}).Cookies() {
		if cookie.Name == app.Cookie && cookie.Value != "deleted" {
			newSession = cookie.Value
		}
	}
	return app.Who(t, newSession, r.Body), newSession, r.Status
}

// forgeries are headers by which a client says that it is the application's administrator.
func forgeries() (all [][]gateway.Field) {
	field := func(name, value string) gateway.Field { return gateway.Field{Name: name, Value: value} }
	for fold := range attacks.Folds("X-Y") {
		var together []gateway.Field // every header, in one fold
		for _, name := range slices.Concat(attacks.GatewayHeaders, attacks.OwnHeaders) {
			together = append(together, field(attacks.Folds(name)[fold], "admin"))
		}
		all = append(all, together)
	}
	for _, name := range []string{"Remote-User", "REMOTE-USER", "Remote_User", "Php-Auth-User", "Redirect-Remote-User", "User-Name"} {
		all = append(all, []gateway.Field{field(name, "admin")}, []gateway.Field{field(name, "x"), field(name, "admin")})
	}
	return append(all,
		[]gateway.Field{field("X-Verified-User", "admin")},
		[]gateway.Field{field("Authorization", "Basic YWRtaW46")},
		[]gateway.Field{field("Authorization", "Basic YWRtaW46eA==")},
		[]gateway.Field{field("Connection", "close, Remote-User"), field("Remote-User", "admin")},
		[]gateway.Field{field("Remote-User", "admin"), field("Php-Auth-User", "admin"), field("Authorization", "Basic YWRtaW46eA==")},
	)
}

func testApplication(t *testing.T, app *backends.Application, proxy string) {
	t.Helper()
	site := func(mode, options string) string {
		return strings.NewReplacer("MODE", mode, "OPTIONS", options).Replace(applicationLink) + proxy
	}
	open := gateway.Start(t, gateway.Config{Quiet: true, Sites: map[string]string{"open": proxy}})
	believes := false
	for _, fields := range forgeries() {
		if who, _, _ := visit(t, app, open.Address("open"), "", "", fields...); who == "admin" {
			believes = true
			break
		}
	}
	if !believes {
		t.Error("without a gateway nobody becomes the administrator: these are no attacks")
	}

	t.Run("headers", func(t *testing.T) {
		t.Parallel()
		g := gateway.Start(t, gateway.Config{Env: secrets, Quiet: true, Sites: map[string]string{
			"require": site("require", ""), "recognize": site("recognize", ""), "always": site("recognize", "authorization cut always"),
		}})
		for name, query := range map[string]string{"no link": "", "a bad link": strings.Replace(expiring("jeff"), "user=jeff", "user=admin", 1), "jeff's link": expiring("jeff")} {
			for _, mode := range []string{"require", "recognize", "always"} {
				var broken violations
				each(forgeries(), func(fields []gateway.Field) {
					want := ""
					if name == "jeff's link" {
						want = "jeff"
					}
					// A client may log in by HTTP Basic where no link was verified, unless
					// the option says otherwise; see the row in docs/threat-model.md.
					basic := slices.ContainsFunc(fields, func(f gateway.Field) bool { return f.Name == "Authorization" })
					who, _, status := visit(t, app, g.Address(mode), "", query, fields...)
					if who != want && (!basic || want != "" || mode != "recognize") {
						broken.add("%s, %s, %v: logged in as %q, want %q (status %d)", mode, name, fields, who, want, status)
					}
				})
				broken.report(t, len(forgeries()), len(forgeries()))
			}
		}
	})
	t.Run("sessions", func(t *testing.T) {
		t.Parallel()
		g := gateway.Start(t, gateway.Config{Env: secrets, Quiet: true, Sites: map[string]string{
			"default": site("recognize", ""), "named": site("recognize", "cookies cut "+app.Cookie), "all": site("recognize", "cookies cut all"),
		}})
		for name, want := range map[string]string{"default": "jeff", "named": "mike", "all": "mike"} {
			who, session, _ := visit(t, app, g.Address(name), "", expiring("jeff"))
			if who != "jeff" {
				t.Fatalf("%s: jeff's link logs in %q", name, who)
			}
			if who, _, _ := visit(t, app, g.Address(name), session, ""); who != "jeff" {
				t.Errorf("%s: jeff's session without a link is %q", name, who)
			}
			if who, _, _ := visit(t, app, g.Address(name), session, expiring("mike")); who != want {
				t.Errorf("%s: mike's link in jeff's open session is %q, want %q", name, who, want)
			}
			// nor in another fold of the cookie's name
			for _, fold := range []string{app.Cookie, strings.Replace(app.Cookie, "t", "%74", 1), "+" + app.Cookie} {
				who, _, _ := visit(t, app, g.Address(name), "", expiring("mike"), gateway.Field{Name: "Cookie", Value: "a=b; " + fold + "=" + session})
				if name != "default" && who != "mike" {
					t.Errorf("%s: mike's link with %s of jeff's session is %q", name, fold, who)
				}
			}
		}
	})
}

// TestFullTTRSS: nobody becomes the administrator of tt-rss by a header, and a link
// logs in its user.
func TestFullTTRSS(t *testing.T) {
	t.Parallel()
	app := backends.StartTTRSS(t)
	proxy := "root " + app.Root + "\nphp_fastcgi " + app.Address + "\nfile_server\n"
	testApplication(t, app, proxy)
	// It also believes a gateway's headers about the name and the address of whom it logs in,
	// and keeps them.
	t.Run("attributes", func(t *testing.T) {
		t.Parallel()
		db := app.Database.Open()
		g := gateway.Start(t, gateway.Config{Env: secrets, Quiet: true, Sites: map[string]string{
			"site": strings.NewReplacer("MODE", "require", "OPTIONS", "").Replace(applicationLink) + proxy,
		}})
		who, _, _ := visit(t, app, g.Address("site"), "", expiring("sally"), gateway.Field{Name: "User-Name", Value: forgery}, gateway.Field{Name: "User-Mail", Value: forgery})
		if who != "sally" {
			t.Fatalf("sally's link logs in %q", who)
		}
		var name, mail string
		if err := db.QueryRow("SELECT full_name, email FROM ttrss_users WHERE login = 'sally'").Scan(&name, &mail); err != nil {
			t.Fatal(err)
		}
		if name == forgery || mail == forgery {
			t.Errorf("sally's name is %q and her address %q: a client wrote that in User-Name and User-Mail", name, mail)
		}
	})
}

// TestFullCacti: likewise Cacti, which believes PHP_AUTH_USER before REMOTE_USER.
func TestFullCacti(t *testing.T) {
	t.Parallel()
	app := backends.StartCacti(t)
	testApplication(t, app, "root "+app.Root+"\nredir / /cacti/?{query} 308\nhandle_path /cacti/* {\nphp_fastcgi "+app.Address+"\nfile_server\n}\n")
}
