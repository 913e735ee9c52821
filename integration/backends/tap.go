package backends

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Tap stands between a gateway and a backend, hands everything on, and keeps what
// the gateway sent: what an application does not show, such as a trailer, is seen
// here, and so is that a request never left the gateway.
type Tap struct {
	// Address is where it listens, host:port.
	Address string

	mu   sync.Mutex
	sent bytes.Buffer
}

// NewTap starts a tap before the backend at the address: host:port, or unix//path.
func NewTap(t testing.TB, address string) *Tap {
	t.Helper()
	tap := new(Tap)
	tap.Address = Intercept(t, address, func(sent io.Reader) io.Reader { return io.TeeReader(sent, tap) })
	return tap
}

// Intercept stands before the backend at the address, host:port or unix//path, and hands
// everything on. What a gateway sends is read through look's reader, of which each
// connection has one. Intercept returns where it listens.
func Intercept(t testing.TB, address string, look func(sent io.Reader) io.Reader) string {
	t.Helper()
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix/"); ok {
		network, address = "unix", path
	}
	listener, err := net.Listen("tcp", loopback(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			gateway, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer gateway.Close()
				backend, err := net.Dial(network, address)
				if err != nil {
					return // the gateway finds out, and answers 502
				}
				defer backend.Close()
				relay(gateway, backend, look(gateway))
			}()
		}
	}()
	return listener.Addr().String()
}

// relay hands on what the gateway sends, as sent reads it, and what the backend answers,
// until the backend has said all.
func relay(gateway, backend net.Conn, sent io.Reader) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(backend, sent) // ends with the connection
		closeWrite(backend)
		_, _ = io.Copy(io.Discard, gateway)
	}()
	_, _ = io.Copy(gateway, backend)
	// A connection that is closed while bytes of the request are unread is reset, and the
	// end of a long answer is lost with it.
	closeWrite(gateway)
	_ = gateway.SetReadDeadline(time.Now().Add(time.Second))
	<-done
}

// closeWrite says that nothing more is sent.
func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// Write keeps what a gateway sent.
func (t *Tap) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent.Write(p)
}

// Take returns what the gateway has sent since the last call.
func (t *Tap) Take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	sent := t.sent.String()
	t.sent.Reset()
	return sent
}
