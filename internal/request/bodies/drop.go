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

// DropUndeclared makes sure that a GET or HEAD without an announced body has
// none: HTTP/2 and HTTP/3 may send data that no header speaks of.
func DropUndeclared(r *http.Request) {
	if bodyless(r) && !declaresBody(r) && r.ContentLength != 0 {
		r.Body, r.ContentLength = http.NoBody, 0
	}
}
