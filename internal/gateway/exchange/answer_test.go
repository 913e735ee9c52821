package exchange

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
)

// TestPrivate: what becomes of the application's own Cache-Control.
func TestPrivate(t *testing.T) {
	for line, want := range map[string]string{
		"":                         "private",
		"max-age=60":               "private, max-age=60",
		"Public , MAX-AGE=60":      "private, MAX-AGE=60",
		"s-maxage=9,no-cache":      "private, no-cache",
		"PRIVATE, max-age=1":       "",
		"no-store":                 "",
		`no-cache="a, no-store"`:   `private, no-cache="a, no-store"`,
		`private="set-cookie"`:     `private, private="set-cookie"`,
		"public|must-revalidate":   "private, must-revalidate",
		"public|no-store":          "",
		`x="unclosed, no-store`:    `private, x="unclosed, no-store`,
		",,, ":                     "private",
		"stale-if-error=1, public": "private, stale-if-error=1",
	} {
		var lines []string
		if line != "" {
			lines = strings.Split(line, "|")
		}
		if got := isPrivate(lines); got != (want == "") {
			t.Errorf("%q is private: %v", line, got)
		} else if !got && makePrivate(lines) != want {
			t.Errorf("%q becomes %q, want %q", line, makePrivate(lines), want)
		}
	}
}

// hijackable is a connection's writer.
type hijackable struct {
	*httptest.ResponseRecorder
	calls []string
}

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.calls = append(h.calls, "hijack")
	return nil, nil, nil
}

func (h *hijackable) Push(target string, _ *http.PushOptions) error {
	h.calls = append(h.calls, "push "+target)
	return nil
}

func (h *hijackable) ReadFrom(r io.Reader) (int64, error) {
	h.calls = append(h.calls, "readfrom")
	return io.Copy(h.ResponseRecorder, r)
}

// TestAnswerWriter: what a connection's writer can do, the handlers behind can do still.
func TestAnswerWriter(t *testing.T) {
	conn := &hijackable{ResponseRecorder: httptest.NewRecorder()}
	x := &Exchange{Valid: &definition.Verdict{}}
	w := x.Answering(conn, "origin")
	controller := http.NewResponseController(w)
	if _, _, err := controller.Hijack(); err != nil {
		t.Error(err)
	}
	if err := w.(http.Pusher).Push("/x", nil); err != nil {
		t.Error(err)
	}
	if len(conn.Header()) > 0 {
		t.Errorf("it is early for %v", conn.Header())
	}
	if err := controller.Flush(); err != nil || conn.Result().Header.Get("Cache-Control") != "private" {
		t.Errorf("flushed %v %v", conn.Result().Header, err)
	}
	if n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("body")); n != 4 || err != nil || conn.Body.String() != "body" {
		t.Errorf("%d %v %q", n, err, conn.Body)
	}
	if want := []string{"hijack", "push /x", "readfrom"}; !slices.Equal(conn.calls, want) {
		t.Errorf("the connection was asked for %q", conn.calls)
	}
	if err := controller.SetReadDeadline(time.Time{}); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("what the connection cannot do: %v", err)
	}
	if again := x.Answering(w, ""); again != w {
		t.Error("a second definition wraps the writer again")
	}
}
