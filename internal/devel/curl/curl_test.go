package curl

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// echo answers with what it was sent.
func echo(t *testing.T) (move func(address string) string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header()["Date"] = nil
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, "%s %s %s %s%s\n", r.Method, r.RequestURI, r.Header["X-User"], r.Header.Get("Content-Type"), body)
	}))
	t.Cleanup(server.Close)
	return strings.NewReplacer("http://127.0.0.1:8080", server.URL).Replace
}

func TestRun(t *testing.T) {
	move := echo(t)
	for _, x := range []struct{ line, want string }{
		{`curl 'http://127.0.0.1:8080/a;b?c=1&d=%41'`, "GET /a;b?c=1&d=%41 [] \n"},
		{`curl -s -H 'X-User: a' -H 'X-User:b'  http://127.0.0.1:8080/`, "GET / [a b] \n"},
		{`curl -X DELETE http://127.0.0.1:8080/`, "DELETE / [] \n"},
		{`curl -d 'a=1&b' http://127.0.0.1:8080/`, "POST / [] application/x-www-form-urlencodeda=1&b\n"},
		{`curl -X PUT -d a http://127.0.0.1:8080/`, "PUT / [] application/x-www-form-urlencodeda\n"},
		{`curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8080/`, "401\n"},
		{`curl -i http://127.0.0.1:8080/`, "HTTP/1.1 401 Unauthorized\nContent-Length: 10\r\nContent-Type: text/plain; charset=utf-8\r\n\nGET / [] \n"},
	} {
		have, err := Run(t.Context(), x.line, move)
		if err != nil {
			t.Error(err)
		} else if have != x.want {
			t.Errorf("%s\nexpected %q\ngot      %q", x.line, x.want, have)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	for _, x := range []struct{ line, want string }{
		{``, "not curl"},
		{`wget http://127.0.0.1/`, "not curl"},
		{`curl -H`, "-H needs a value"},
		{`curl -o file http://127.0.0.1/`, "/dev/null"},
		{`curl -k https://127.0.0.1/`, "unexpected -k"},
		{`curl http://127.0.0.1/ http://127.0.0.1/`, "unexpected http"},
		{`curl http://127.0.0.1/?a=1&b=2`, "quote this"},
		{`curl 'http://127.0.0.1/`, "not closed"},
		{`curl 'http://127.0.0.1/'a`, "no blank"},
		{`curl 'http://127.0.0.1/%'`, "escape"},
		{`curl`, "protocol scheme"},
	} {
		_, err := Run(t.Context(), x.line, func(address string) string { return address })
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: expected an error with %q, got %v", x.line, x.want, err)
		}
	}
}

// failures counts the errors of a test.
type failures struct {
	testing.TB
	messages []string
}

func (f *failures) Errorf(format string, args ...any) {
	f.messages = append(f.messages, fmt.Sprintf(format, args...))
}

func TestCheck(t *testing.T) {
	move := echo(t)
	f := &failures{TB: t}
	n := Check(f, "page:1", "$ curl http://127.0.0.1:8080/a\nGET /a [] \n$ curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/\n401\n", move)
	if n != 2 || f.messages != nil {
		t.Errorf("%d commands, %q", n, f.messages)
	}
	n = Check(f, "page:1", "$ # two\n$ curl http://127.0.0.1:8080/a\nGET /a [] \n\n$ # comments\n", move)
	if n != 1 || f.messages != nil {
		t.Errorf("%d commands, %q", n, f.messages)
	}
	n = Check(f, "page:1", "before\n$ # a\nb\n", move)
	if n != 0 || len(f.messages) != 2 || !strings.Contains(f.messages[0], "before") || !strings.Contains(f.messages[1], "comment") {
		t.Errorf("%d commands, %q", n, f.messages)
	}
	f.messages = nil
	n = Check(f, "page:1", "$ curl http://127.0.0.1:8080/a\nGET /b [] \n$ wget\n", move)
	if n != 2 || len(f.messages) != 2 || !strings.Contains(f.messages[0], "GET /b") || !strings.Contains(f.messages[1], "not curl") {
		t.Errorf("%d commands, %q", n, f.messages)
	}
}
