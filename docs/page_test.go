package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// TestPage runs every row of the tables in docs/what-the-backend-sees.md: each cell is
// what happens.
func TestPage(t *testing.T) {
	fixture.SetSecrets(t)
	page, err := os.ReadFile(fixture.Path("docs/what-the-backend-sees.md"))
	if err != nil {
		t.Fatal(err)
	}
	k := fixture.Key("jeff", fixture.AutologinSecret)
	requests := map[string]string{
		"good link":       "/members?user=jeff&key=K&page=1",
		"bad link":        "/members?user=mike&key=K&page=1",
		"no link":         "/members?page=1",
		"no link, a name": "/members?user=mike&page=1",
		"other route":     "/news?user=mike&key=K&page=1",
	}
	rows := 0
	for _, row := range table(string(page), 8) {
		rows++
		t.Run(row[0]+"/"+row[1], func(t *testing.T) {
			modes := strings.ReplaceAll(row[0], "`", "")
			mode, rest, _ := strings.Cut(modes, ", ")
			directive := "@members path /members /members/*\n" + fixture.Autologin("@members "+mode, rest)
			if mode == "guard" {
				directive = "signed_link guard\n"
			}
			s := gatewaytest.LoadSite(t, directive+`
				header >Verdict {http.signed_link.verdict}
				header >Reason {http.signed_link.reason}
				test_backend
				handle_errors {
					header >Verdict {http.signed_link.verdict}
					header >Reason {http.signed_link.reason}
					header >Status {err.status_code}
					test_backend errors
				}`)
			target, ok := requests[row[1]]
			if !ok {
				t.Fatalf("the page names no request %q", row[1])
			}
			if !strings.Contains(string(page), "`"+target+"`") {
				t.Errorf("the page does not show %s", target)
			}
			a := s.Get(strings.ReplaceAll(target, "=K", "="+k), "X-Verified-User: admin")
			status, backend := "200", ""
			if a.Header().Get("Status") != "" {
				status, backend = a.Header().Get("Status"), "errors"
			}
			_, q, _ := strings.Cut(a.Seen.URI, "?")
			got := []string{
				status, strings.ReplaceAll(q, k, "K"), a.Header1(t, "X-Verified-User"), "gone",
				a.Header().Get("Verdict"), a.Header().Get("Reason"),
			}
			if strings.Contains(strings.Join(a.Seen.Headers["X-Verified-User"], ","), "admin") {
				got[3] = "kept"
			}
			for i, cell := range row[2:] {
				if got[i] != strings.ReplaceAll(cell, "`", "") {
					t.Errorf("column %d: %q, the page says %s", i+3, got[i], cell)
				}
			}
			if a.Seen.Backend != backend || a.Seen.OrigURI != a.Seen.URI {
				t.Errorf("%s saw %s, REQUEST_URI %s", a.Seen.Backend, a.Seen.URI, a.Seen.OrigURI)
			}
		})
	}
	if rows != 25 {
		t.Errorf("%d rows, want 5 modes times 5 requests", rows)
	}
	rows = 0
	for _, row := range table(string(page), 3) {
		if !strings.Contains("`signature` `signed` `none`", row[0]) {
			continue
		}
		rows++
		strip, unsigned := strings.Trim(row[0], "`"), strings.Trim(row[1], "`")
		s := gatewaytest.LoadSite(t, fixture.Autologin("", "strip "+strip, "unsigned "+unsigned)+"test_backend")
		a := s.Get("/x?user=jeff&key=" + k + "&page=1")
		_, q, _ := strings.Cut(a.Seen.URI, "?")
		if want := strings.Trim(row[2], "`"); strings.ReplaceAll(q, k, "K") != want {
			t.Errorf("strip %s, unsigned %s: %q, the page says %q", strip, unsigned, q, want)
		}
	}
	if rows != 6 {
		t.Errorf("%d rows of strip and unsigned, want 6", rows)
	}
}

// table returns the rows of the page's tables that have so many columns.
func table(page string, columns int) [][]string {
	var rows [][]string
	line := regexp.MustCompile("(?m)^\\| (`.*) \\|$")
	for _, m := range line.FindAllStringSubmatch(page, -1) {
		cells := strings.Split(m[1], "|")
		if len(cells) != columns {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}
