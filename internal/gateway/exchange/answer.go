package exchange

import (
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// What the browser, and caches on the way to it, may do with the answer to a verified
// request. The page behind a link is one person's, and its address, with what the
// operator lets stand of the link in it, goes as Referer to every site that the page
// names.

// answerWriter completes the headers of the answer to a verified request at the last
// moment: only then is it known what the application says itself. Informational answers
// (103 Early Hints) pass as they are.
type answerWriter struct {
	caddyhttp.ResponseWriterWrapper
	x      *Exchange
	policy string // of Referrer-Policy; "" leaves it to the application
	done   bool
	values [2]string // memory of the two headers
}

// complete adds what is missing, once.
func (w *answerWriter) complete() {
	if w.done || w.x == nil {
		return
	}
	w.done = true
	if w.x.Valid == nil {
		return // a later definition took the identity back
	}
	header := w.Header()
	if _, ok := header["Referrer-Policy"]; !ok && w.policy != "" {
		w.values[0] = w.policy
		header["Referrer-Policy"] = w.values[0:1:1]
	}
	if lines := header["Cache-Control"]; len(lines) == 0 {
		w.values[1] = "private"
		header["Cache-Control"] = w.values[1:2:2]
	} else if !isPrivate(lines) {
		header["Cache-Control"] = []string{makePrivate(lines)}
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *answerWriter) WriteHeader(status int) {
	if status >= 200 {
		w.complete()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *answerWriter) Write(p []byte) (int, error) {
	w.complete()
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements [io.ReaderFrom].
func (w *answerWriter) ReadFrom(r io.Reader) (int64, error) {
	w.complete()
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError is what [http.ResponseController] calls; it sends the headers.
func (w *answerWriter) FlushError() error {
	w.complete()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Answering returns the writer for the handlers behind a definition that verified the
// request, with its Referrer-Policy, "" for none. The first definition speaks.
func (x *Exchange) Answering(w http.ResponseWriter, policy string) http.ResponseWriter {
	if x.answer.x != nil {
		return w
	}
	x.answer = answerWriter{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, x: x, policy: policy}
	return &x.answer
}

// Answered completes the headers of an answer that is still to be made: an error route
// writes past the writer.
func (x *Exchange) Answered(err error) error {
	if err != nil {
		x.answer.complete()
	}
	return err
}

// isPrivate reports whether no shared cache stores the answer.
func isPrivate(lines []string) bool {
	for _, line := range lines {
		for directive := range directives(line) {
			switch strings.ToLower(directive) {
			case "private", "no-store":
				return true
			}
		}
	}
	return false
}

// makePrivate returns the directives with `private`, and without those that contradict
// it. `max-age` and all else stay: they are about the visitor's own browser then.
func makePrivate(lines []string) string {
	kept := []string{"private"}
	for _, line := range lines {
		for directive := range directives(line) {
			name, _, _ := strings.Cut(strings.ToLower(directive), "=")
			switch name {
			case "", "public", "s-maxage":
			default:
				kept = append(kept, directive)
			}
		}
	}
	return strings.Join(kept, ", ")
}

// directives are those of a line of Cache-Control; commas within quotes end none.
func directives(line string) iter.Seq[string] {
	return func(yield func(string) bool) {
		quoted, start := false, 0
		for i := 0; i <= len(line); i++ {
			switch {
			case i < len(line) && line[i] == '"':
				quoted = !quoted
			case i == len(line) || line[i] == ',' && !quoted:
				if !yield(strings.TrimSpace(line[start:i])) {
					return
				}
				start = i + 1
			}
		}
	}
}

// Interface guards
var (
	_ http.ResponseWriter = (*answerWriter)(nil)
	_ io.ReaderFrom       = (*answerWriter)(nil)
)
