//go:build integration

package gateway

import (
	"fmt"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestProtocols(t *testing.T) {
	g := Start(t, Config{
		Secure: true,
		Sites: map[string]string{
			"one": `respond "one {http.request.proto} {http.request.uri.query} {http.request.header.X_Under}"`,
			"two": `respond two`,
		},
		Servers: "expected_underscore_headers X_*",
	})
	const query = `a=%6a&&b=%zz;c`
	for _, p := range Protocols {
		client := g.Client(t, p)
		resp, err := client.Do("one", Request{Target: "/x?" + query, Header: []Field{{"X_Under", "u"}}})
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		if want := fmt.Sprintf("one %s %s u", p, query); resp.Status != 200 || string(resp.Body) != want {
			t.Errorf("%s: %d %q, want %q", p, resp.Status, resp.Body, want)
		}
		if resp, err = client.Do("two", Request{Target: "/"}); err != nil || string(resp.Body) != "two" {
			t.Errorf("%s: %v, %v", p, resp, err)
		}
	}
	three := g.RawHTTP3(t, "one")
	fields := []Field{{":method", "GET"}, {":scheme", "https"}, {":authority", "x"}, {":path", "//x?" + query}, {"x_under", "u"}}
	for range 2 { // the second one over the same connection
		resp, err := three.Send(fields, nil, nil)
		if err != nil || resp == nil || string(resp.Body) != "one HTTP/3.0 "+query+" u" {
			t.Errorf("raw HTTP/3: %+v, %v", resp, err)
		}
	}
	if resp, err := three.Send(append(fields, Field{"Upper", "is no request"}), nil, nil); resp != nil || err != nil {
		t.Errorf("raw HTTP/3 with a name in capitals: %+v, %v", resp, err)
	}
	if resp, err := three.Send(fields, nil, nil); err != nil || resp == nil {
		t.Errorf("raw HTTP/3 after a request that was broken off: %+v, %v", resp, err)
	}
	address := g.Address("one")
	raw := "GET /?a\tb HTTP/1.1\r\nHost: x\r\n\r\nGET /?" + query + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	responses, err := SendHTTP1(address, "GET", []byte(strings.Replace(raw, "\t", "", 1)), true)
	if err != nil || len(responses) != 2 || !strings.HasPrefix(string(responses[1].Body), "one HTTP/1.1 "+query) {
		t.Errorf("HTTP/1.1: %v, %v", responses, err)
	}
	fields = []Field{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/?a b"}}
	response, err := SendHTTP2(address, fields, nil, nil)
	if err != nil || response == nil || !strings.HasPrefix(string(response.Body), "one HTTP/2.0 a b") {
		t.Errorf("h2c: %v, %v", response, err)
	}
	if response, err := SendHTTP2(address, append(fields, Field{"Upper", "x"}), nil, nil); err != nil || response != nil {
		t.Errorf("h2c with an illegal field: %v, %v", response, err)
	}
	if !strings.Contains(g.Log(), "serving initial configuration") {
		t.Error("the log does not say that Caddy started")
	}
}
