package attack_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
)

// wire is a backend on a socket that notes what it gets, byte for byte.
type wire struct {
	Path string // of its socket

	mu    sync.Mutex
	lines []string            // request lines of HTTP
	heads []string            // what stands below them
	vars  []map[string]string // of FastCGI
}

// take returns what came since it was asked last.
func (w *wire) take() (lines, heads []string, vars []map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines, heads, vars = w.lines, w.heads, w.vars
	w.lines, w.heads, w.vars = nil, nil, nil
	return lines, heads, vars
}

// serve answers each connection with one function until the test ends.
func (w *wire) serve(t *testing.T, answer func(c net.Conn) error) {
	t.Helper()
	w.Path = gatewaytest.NewSocket(t).Path
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", w.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = answer(c)
			}()
		}
	}()
}

// httpWire is a backend of a proxy. It answers once on each connection.
func httpWire(t *testing.T, status string) *wire {
	t.Helper()
	w := new(wire)
	w.serve(t, func(c net.Conn) error {
		r := bufio.NewReader(c)
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		var head strings.Builder
		for {
			next, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			if next == "\r\n" {
				break
			}
			head.WriteString(next)
		}
		w.mu.Lock()
		w.lines, w.heads = append(w.lines, strings.TrimSpace(line)), append(w.heads, head.String())
		w.mu.Unlock()
		_, err = io.WriteString(c, "HTTP/1.1 "+status+"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
		return err
	})
	return w
}

// fastCGIWire is a backend that speaks FastCGI (Open Market, specification 1.0), as PHP-FPM
// does, and notes the variables.
func fastCGIWire(t *testing.T) *wire {
	t.Helper()
	const begin, params, stdin, stdout, end = 1, 4, 5, 6, 3
	w := new(wire)
	w.serve(t, func(c net.Conn) error {
		r := bufio.NewReader(c)
		var stream []byte
		for {
			var head [8]byte
			if _, err := io.ReadFull(r, head[:]); err != nil {
				return err
			}
			body := make([]byte, int(binary.BigEndian.Uint16(head[4:]))+int(head[6]))
			if _, err := io.ReadFull(r, body); err != nil {
				return err
			}
			body = body[:binary.BigEndian.Uint16(head[4:])]
			switch {
			case head[1] == params:
				stream = append(stream, body...)
			case head[1] == stdin && len(body) == 0:
				w.mu.Lock()
				w.vars = append(w.vars, fastCGIVars(stream))
				w.mu.Unlock()
				const page = "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nok"
				record := func(kind byte, content string) string {
					return string([]byte{1, kind, head[2], head[3], byte(len(content) >> 8), byte(len(content)), 0, 0}) + content
				}
				_, err := io.WriteString(c, record(stdout, page)+record(stdout, "")+record(end, strings.Repeat("\x00", 8)))
				return err
			case head[1] == begin || head[1] == stdin:
			}
		}
	})
	return w
}

func fastCGIVars(stream []byte) map[string]string {
	vars := make(map[string]string)
	length := func() (n int) {
		if len(stream) >= 4 && stream[0]&0x80 != 0 {
			n, stream = int(binary.BigEndian.Uint32(stream)&0x7fffffff), stream[4:]
			return n
		}
		n, stream = int(stream[0]), stream[1:]
		return n
	}
	for len(stream) > 1 {
		name, value := length(), length()
		vars[string(stream[:name])] = string(stream[name : name+value])
		stream = stream[name+value:]
	}
	return vars
}

// ask sends the bytes to the site on the socket, and returns the status and the body.
func ask(t *testing.T, socket *gatewaytest.Socket, raw string) (status int, body string) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// line is a request of HTTP/1.1 for the target, with header lines.
func line(method, target string, headers ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
}
