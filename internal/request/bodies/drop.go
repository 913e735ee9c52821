package bodies

import "net/http"

// Drop makes the request one without a body.
func Drop(r *http.Request) {
	r.Body = http.NoBody
	r.ContentLength = 0
	r.TransferEncoding = nil
	r.Trailer = nil
	for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Trailer"} {
		delete(r.Header, name)
	}
}

// DropUndeclared makes sure that a request that counted as one without a body has none:
// HTTP/2 and HTTP/3 may send data that no header speaks of, on a GET or behind a length
// of 0.
func DropUndeclared(r *http.Request) {
	if undeclared(r) && (r.ContentLength != 0 || r.Body != nil && r.Body != http.NoBody) {
		r.Body, r.ContentLength = http.NoBody, 0
		delete(r.Header, "Content-Length") // FastCGI reads it where the request has none
	}
}
