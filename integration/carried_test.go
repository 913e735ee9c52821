//go:build integration

package integration

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/carried"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

// TestCarried sends every line of carried_corpus.jsonl through the gateway: links in the path
// and tokens, genuine ones and what resembles them. The application says which page it ran
// and what its router found in the path: that must be what was signed, and no application may
// see a signature.
func TestCarried(t *testing.T) {
	t.Parallel()
	runCarried(t, fpm(t, "fpm"), front(t, backends.FrontSymfony), tomcat(t))
}

func runCarried(t *testing.T, applications ...application) {
	lines := readCarried(t)
	for _, b := range applications {
		for _, profile := range []string{"strict", map[bool]string{true: "php", false: "servlet"}[b.php]} {
			t.Run(profile+"/"+b.name, func(t *testing.T) {
				t.Parallel()
				carriedRun{backend: b, profile: profile}.run(t, lines)
			})
		}
	}
}

// TestCarriedFindsBypasses shows that the check sees a bypass: with the profile of another
// backend there are some.
func TestCarriedFindsBypasses(t *testing.T) {
	found := make(map[string]bool)
	carriedRun{backend: tomcat(t), profile: "php", report: func(id, _ string) { found[id] = true }}.run(t, readCarried(t))
	for _, id := range []string{"segment-page-head-3", "greedy-page-before-4"} {
		if !found[id] {
			t.Errorf("%s is not found", id)
		}
	}
}

// carriedLine is a line of carried_corpus.jsonl; the README there says what its fields mean.
type carriedLine struct {
	ID      string  `json:"id"`
	Kind    string  `json:"kind"`
	Target  string  `json:"target"`
	Verdict string  `json:"verdict"`
	User    *string `json:"user"`
}

func readCarried(t *testing.T) (lines []*carriedLine) {
	t.Helper()
	file, err := os.Open("../testdata/corpora/carried_corpus.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for in := bufio.NewScanner(file); in.Scan(); {
		l := new(carriedLine)
		if err := json.Unmarshal(in.Bytes(), l); err != nil {
			t.Fatalf("%v: %s", err, in.Bytes())
		}
		if carried.Named(l.Kind) == nil || !slices.Contains([]string{"verified", "refused", "missing", "open", "safe"}, l.Verdict) || l.Verdict == "verified" && l.User == nil {
			t.Fatalf("what is that: %s", in.Bytes())
		}
		l.Target = fillCarried(l.Target)
		lines = append(lines, l)
	}
	if len(lines) < 100 {
		t.Fatalf("%d lines", len(lines))
	}
	return lines
}

var carriedSignatures = regexp.MustCompile(`@(S|U|T\d+|E|C|B|BN|BU|BB|BO|BX):([^@]*)@`)

// fillCarried writes signatures and tokens.
func fillCarried(target string) string {
	return carriedSignatures.ReplaceAllStringFunc(target, func(match string) string {
		groups := carriedSignatures.FindStringSubmatch(match)
		message, err := url.PathUnescape(groups[2])
		if err != nil {
			panic(err)
		}
		signature := carried.Sign(message)
		token := func(until string) string { return message + ":" + until + ":" + carried.Sign(message+":"+until) }
		const later, past = "2147483647", "1000000000"
		switch groups[1] {
		case "S":
			return signature
		case "U":
			return strings.ToUpper(signature)
		case "E":
			return fmt.Sprintf("%s%%%02x%s", signature[:5], signature[5], signature[6:])
		case "C": // one letter in the other case
			i := strings.IndexAny(signature, "abcdef")
			return signature[:i] + strings.ToUpper(signature[i:i+1]) + signature[i+1:]
		case "B":
			return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(token(later))))
		case "BN":
			return url.QueryEscape(base64.RawStdEncoding.EncodeToString([]byte(token(later))))
		case "BU":
			return base64.URLEncoding.EncodeToString([]byte(token(later)))
		case "BB":
			return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(token(later))))))
		case "BO": // with jeff's signature
			return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(message + ":" + later + ":" + carried.Sign("jeff:"+later))))
		case "BX":
			return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(token(past))))
		}
		n, err := strconv.Atoi(groups[1][1:])
		if err != nil {
			panic(err)
		}
		return signature[:n]
	})
}

// carriedRun is one application behind one profile.
type carriedRun struct {
	backend application
	profile string
	report  func(id, what string) // nil: an error
}

func (c carriedRun) run(t *testing.T, lines []*carriedLine) {
	// Definitions before one backend refuse each other's pages, so those that would not stand
	// in gateways of their own.
	for _, group := range []struct {
		name  string
		modes []string
		has   func(k *carried.Kind) bool
	}{
		{"refusing", []string{"require", "pass"}, func(k *carried.Kind) bool { return !k.Public }},
		{"public", []string{"require"}, func(k *carried.Kind) bool { return k.Public }},
		{"observe", []string{"observe"}, func(*carried.Kind) bool { return true }},
	} {
		t.Run(group.name, func(t *testing.T) {
			sites := make(map[string]string)
			if group.name == "observe" && c.profile != "strict" {
				return // it reads nothing in another way
			}
			for _, k := range carried.Kinds {
				for _, mode := range group.modes {
					if group.has(k) {
						sites[k.Name+" "+mode] = c.site(k, mode)
					}
				}
			}
			g := gateway.Start(t, gateway.Config{Env: []string{"LINK_SECRET=" + carried.Secret}, Sites: sites, Secure: true, Quiet: true})
			var mu sync.Mutex
			var group sync.WaitGroup
			verified, refused, ran := 0, 0, 0
			jobs := make(chan func(*testing.T, map[string]*endpoint))
			for range 4 {
				to := make(map[string]*endpoint)
				for site := range sites {
					to[site] = endpointOf(t, g, site)
				}
				group.Go(func() {
					for job := range jobs {
						job(t, to)
					}
				})
			}
			for site := range sites {
				kind, mode, _ := strings.Cut(site, " ")
				for _, l := range lines {
					if l.Kind != kind {
						continue
					}
					jobs <- func(t *testing.T, to map[string]*endpoint) {
						for proto, response := range l.send(t, to[site], c.profile == "strict" && mode == "require") {
							wrong, saw := c.judge(carried.Named(l.Kind), l, mode, response)
							mu.Lock()
							switch {
							case saw == nil:
								refused++
							case len(saw.Header("X-Verified-User")) > 0:
								verified++
							default:
								ran++
							}
							for _, what := range wrong {
								if c.report != nil {
									c.report(l.ID, what)
									continue
								}
								t.Errorf("%s, %s (%s), GET %s: %s", l.ID, mode, proto, l.Target, what)
							}
							mu.Unlock()
						}
					}
				}
			}
			close(jobs)
			group.Wait()
			t.Logf("%d verified, %d answered for nobody, %d not answered by the application", verified, ran, refused)
			if strings.Contains(g.Log(), "panic") {
				t.Error("the gateway panicked")
			}
		})
	}
}

func (c carriedRun) site(k *carried.Kind, mode string) string {
	options := ""
	if mode == "pass" {
		mode, options = "require", "missing pass\n"
	}
	return "@m " + k.Match + "\nsigned_link @m " + mode + " keyed_hash {env.LINK_SECRET} {\n" + k.Declaration + options + "backend " + c.profile + "\n}\n" + c.backend.proxy(c.backend.address)
}

// rewrites tells whether the framework changes what stands in the path: Laravel drops the last
// slash.
func (c carriedRun) rewrites(value, signed string) bool {
	return c.backend.name == string(backends.FrontLaravel) && value == strings.TrimSuffix(signed, "/")
}

// send sends the line over HTTP/1.1, and where that is asked for over the others, too.
func (l *carriedLine) send(t *testing.T, to *endpoint, all bool) map[string]*gateway.Response {
	answers := make(map[string]*gateway.Response)
	raw := "GET " + l.Target + " HTTP/1.1\r\nHost: " + to.address + "\r\nConnection: close\r\n\r\n"
	responses, err := gateway.SendHTTP1(to.address, http.MethodGet, []byte(raw), false)
	if err != nil || len(responses) != 1 {
		t.Errorf("%s: %d answers, %v", l.ID, len(responses), err)
		return nil
	}
	answers["HTTP/1.1"] = responses[0]
	if !all {
		return answers
	}
	fields := []gateway.Field{{Name: ":method", Value: http.MethodGet}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: to.address}, {Name: ":path", Value: l.Target}}
	if r, err := gateway.SendHTTP2(to.address, fields, nil, nil); r != nil && err == nil { // it breaks off what is no URL
		answers["h2c"] = r
	}
	fields[1].Value = "https"
	if r, err := to.http3.Send(fields, nil, nil); r != nil && err == nil {
		answers["HTTP/3"] = r
	}
	return answers
}

// judge says what is wrong with an answer.
func (c carriedRun) judge(k *carried.Kind, l *carriedLine, mode string, r *gateway.Response) (wrong []string, saw *backends.Seen) {
	report := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	saw = seen(r)
	refused := r.Header.Get("Cache-Control") == "no-store"
	want := l.Verdict
	switch {
	case mode == "observe" && (want == "refused" || want == "missing" || want == "verified"):
		want = "open"
	case want == "missing" && mode == "pass":
		want = "open"
	case want == "missing":
		want = "refused"
	}
	if r.Status == http.StatusInternalServerError {
		report("the gateway fails: %q", r.Body)
	}
	if refused && (saw != nil || mode == "observe") {
		report("refused, %d %.200q", r.Status, r.Body)
	}
	if saw == nil {
		if want == "verified" || want == "open" && r.Header.Get("X-Backend-Instance") == "" && l.Verdict == "open" {
			report("%s is refused: %d %v", want, r.Status, r.Header)
		}
		return wrong, nil
	}
	users := saw.Header("X-Verified-User")
	values, ran := k.Shown(saw)
	path, _, _ := strings.Cut(saw.RequestURI, "?")
	sentPath, sentQuery, _ := strings.Cut(l.Target, "?")
	switch {
	case mode == "observe":
		if len(users) > 0 || saw.QueryString != sentQuery {
			report("observed: X-Verified-User %q, query %q", users, saw.QueryString)
		}
		return wrong, saw
	case want == "refused":
		report("it reached the application, at %s, for %q", saw.RequestURI, users)
	case want == "open":
		if len(users) > 0 || path != sentPath || saw.QueryString != sentQuery {
			report("open: X-Verified-User %q, %s?%s", users, path, saw.QueryString)
		}
		return wrong, saw
	case want == "verified" && (len(users) != 1 || users[0] != *l.User):
		report("X-Verified-User is %q, not %q", users, *l.User)
	}
	if len(users) == 0 {
		if ran && !k.Public && !k.Whole {
			report("the page of %q ran for nobody, at %s", values, saw.RequestURI)
		}
		return wrong, saw
	}
	// whoever is verified has the page that the link says, and nobody sees the signature
	if l.User == nil || !slices.Equal(users, []string{*l.User}) {
		report("X-Verified-User is %q, and that was not signed", users)
		return wrong, saw
	}
	link := k.Link(*l.User)
	if k.Query {
		if kept := without(sentQuery, "key"); saw.QueryString != kept || path != sentPath {
			report("a token left the gateway as %s?%s", path, saw.QueryString)
		}
	} else {
		if !ran && k.Name != "cut" { // nobody signs its first segment, which may be /V/ or /%76/, and to some that is another one
			report("%s ran, at %s", saw.App, saw.RequestURI)
		}
		for _, value := range values {
			if value != k.Below(*l.User) && !c.rewrites(value, k.Below(*l.User)) {
				report("the page ran for %q, and %q was signed", value, *l.User)
			}
		}
		if saw.QueryString != sentQuery {
			report("the query left the gateway as %q", saw.QueryString)
		}
		if got, err := url.PathUnescape(path); err != nil || got != k.Page+k.Below(*l.User) && !strings.EqualFold(path, link.To) {
			report("the path left the gateway as %q, not %q", path, link.To)
		}
	}
	if strings.Contains(string(saw.Raw), link.Signature) && !k.Whole {
		report("the application has the signature: %v", carried.Paths(saw))
	}
	return wrong, saw
}
