package link

import "strings"

// Typed is a placeholder as it was typed in the Caddyfile, where most have a short name:
// Caddy writes {http.request.uri.path.file} for {file} before anybody else reads it, and an
// error about the one puzzles who wrote the other. It takes the name alone, and returns the
// name alone; or a text, in which it changes every name between braces. What has no short
// name remains.
func Typed(placeholder string) string {
	if !strings.Contains(placeholder, "{") {
		return typed(placeholder)
	}
	var b strings.Builder
	for rest := placeholder; ; {
		before, behind, ok := strings.Cut(rest, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		b.WriteByte('{')
		if name, _, closed := strings.Cut(behind, "}"); closed && !strings.Contains(name, "{") {
			b.WriteString(typed(name))
			behind = behind[len(name):]
		}
		rest = behind
	}
}

// typed is the short form of one name.
func typed(name string) string {
	if short, ok := shortNames[name]; ok {
		return short
	}
	for _, p := range shortPrefixes {
		rest, ok := strings.CutPrefix(name, p.long)
		if ok && !strings.ContainsFunc(rest, func(c rune) bool { return !isWordByte(c) && (c != '.' || !p.dots) }) {
			return p.short + rest
		}
	}
	return name
}

// isWordByte reports whether the short form of a name of the operator's own may have it.
func isWordByte(c rune) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || isDigit(c) || c == '_' || c == '-'
}

// shortNames are Caddy's short forms of whole names.
var shortNames = map[string]string{
	"http.request.host":                              "host",
	"http.request.hostport":                          "hostport",
	"http.request.port":                              "port",
	"http.request.orig_method":                       "orig_method",
	"http.request.orig_uri":                          "orig_uri",
	"http.request.orig_uri.path":                     "orig_path",
	"http.request.orig_uri.path.dir":                 "orig_dir",
	"http.request.orig_uri.path.file":                "orig_file",
	"http.request.orig_uri.query":                    "orig_query",
	"http.request.orig_uri.prefixed_query":           "orig_?query",
	"http.request.method":                            "method",
	"http.request.uri":                               "uri",
	"http.request.uri_escaped":                       "%uri",
	"http.request.uri.path":                          "path",
	"http.request.uri.path_escaped":                  "%path",
	"http.request.uri.path.dir":                      "dir",
	"http.request.uri.path.file":                     "file",
	"http.request.uri.query":                         "query",
	"http.request.uri.query_escaped":                 "%query",
	"http.request.uri.prefixed_query":                "?query",
	"http.request.remote":                            "remote",
	"http.request.remote.host":                       "remote_host",
	"http.request.remote.port":                       "remote_port",
	"http.request.scheme":                            "scheme",
	"http.request.uuid":                              "uuid",
	"http.request.tls.cipher_suite":                  "tls_cipher",
	"http.request.tls.version":                       "tls_version",
	"http.request.tls.client.fingerprint":            "tls_client_fingerprint",
	"http.request.tls.client.issuer":                 "tls_client_issuer",
	"http.request.tls.client.serial":                 "tls_client_serial",
	"http.request.tls.client.subject":                "tls_client_subject",
	"http.request.tls.client.certificate_pem":        "tls_client_certificate_pem",
	"http.request.tls.client.certificate_der_base64": "tls_client_certificate_der_base64",
	"http.reverse_proxy.upstream.hostport":           "upstream_hostport",
	"http.vars.client_ip":                            "client_ip",
}

// shortPrefixes are Caddy's short forms of names with an end of the operator's own. That of
// a file's name stands before that of a path, which is its beginning.
var shortPrefixes = []struct {
	long, short string
	dots        bool // in the rest
}{
	{"http.request.header.", "header.", false},
	{"http.request.cookie.", "cookie.", false},
	{"http.request.host.labels.", "labels.", false},
	{"http.request.uri.path.file.", "file.", false},
	{"http.request.uri.path.", "path.", false},
	{"http.request.uri.query.", "query.", false},
	{"http.regexp.", "re.", true},
	{"http.vars.", "vars.", false},
	{"http.reverse_proxy.", "rp.", true},
	{"http.intercept.", "resp.", true},
	{"http.error.", "err.", true},
	{"http.matchers.file.", "file_match.", false},
}
