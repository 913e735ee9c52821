package headers

import "net/http"

// CutCredentials deletes what PHP, CGI and applications make a user of.
func CutCredentials(h http.Header) {
	for name := range h {
		if at := Watch(name); at >= 0 && Table[at].Kind == Credentials {
			delete(h, name)
		}
	}
}
