package main

import (
	"bytes"
	"io"
	"sync"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/backends"
)

// watch stands between the gateway and a backend and knows of each request whether
// it left the gateway.
type watch struct {
	address string

	mu       sync.Mutex
	ids      map[string]bool
	trailers []string // that an application could take for the gateway's headers
}

func newWatch(t testing.TB, address string) *watch {
	t.Helper()
	w := &watch{ids: make(map[string]bool)}
	w.address = backends.Intercept(t, address, func(sent io.Reader) io.Reader { return &reader{w: w, from: sent} })
	return w
}

// reader looks at what it hands on.
type reader struct {
	w    *watch
	from io.Reader
	tail []byte // of what was read before, so that nothing is overlooked
}

// keep is how much of the end of a read is looked at again.
const keep = 128

var (
	idInHTTP    = []byte(idHeader + ": ")
	idInFastCGI = []byte("HTTP_FUZZ_ID")
	lastChunk   = []byte("\r\n0\r\n")
)

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if n > 0 {
		text := append(r.tail, p[:n]...)
		r.tail = bytes.Clone(text[max(r.w.look(text), len(text)-keep):])
	}
	return n, err
}

// look returns where the last id ends.
func (w *watch) look(text []byte) (end int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, marker := range [][]byte{idInHTTP, idInFastCGI} {
		for at := 0; ; {
			i := bytes.Index(text[at:], marker)
			if i < 0 || at+i+len(marker)+idLength > len(text) {
				break
			}
			at += i + len(marker)
			w.ids[string(text[at:at+idLength])] = true
			end = max(end, at+idLength)
		}
	}
	if _, trailers, ok := bytes.Cut(text, lastChunk); ok && !bytes.HasPrefix(trailers, []byte("\r\n")) {
		name, _, _ := bytes.Cut(trailers, []byte(":"))
		if f := fold(string(name)); len(f) < keep && isTrusted(f) {
			w.trailers = append(w.trailers, string(trailers[:min(len(trailers), keep)]))
		}
	}
	return end
}

// take tells whether the request reached the backend, and forgets it.
func (w *watch) take(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	reached := w.ids[id]
	delete(w.ids, id)
	return reached
}

// takeTrailers returns the trailers since the last call.
func (w *watch) takeTrailers() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := w.trailers
	w.trailers = nil
	return found
}
