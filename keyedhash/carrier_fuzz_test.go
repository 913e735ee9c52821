package keyedhash

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// FuzzDeclaration: whatever is declared, and whatever is asked for, nothing panics; what is
// read of a path is steady and of its alphabet, the text of a pattern and its fields is the
// path again, and what Sign makes verifies with the key that made it, and with no other.
func FuzzDeclaration(f *testing.F) {
	for _, s := range [][6]string{
		{"/u/<id>/<signature>", "/u/{link.id}", "", "{link.id}", "/u/42/x", ""},
		{"/dl/<signature>/<t>/<file...>", "/files/{link.file}", "", "{link.t}/{raw_link.file}", "/dl/x/1/a%20b/../c", ""},
		{"/<x>aba<y>", "", "", "{link.x}|{link.y}", "/c%61baba1", "sig=x"},
		{"/v-<a...>-<signature>.x", "/w/{link.a}", "", "{link.a}", "/v-a%2Db-x.x", ""},
		{"", "", "<id>-<signature>", "{link.id}{query.a}", "/", "t=1-x&a=2"},
		{"", "", "<signature>_<at>_<life>", "{link.at}|{link.life}", "/a", "t=x_1111111111_90"},
		{"/u/<id>", "", "<n...>:<signature>", "{link.id}\\n{link.n}", "/u/a", "t=b:c:x"},
		{"{path.1}", "", "", "{path.0}", "/a/x", ""},
		{"{path.2}", "", "", "{path.1}|{query.a}", "/a//x", "a=1"},
		{"/a/<id>;<signature>", "/{link.id}", "<a><b>", "{link.id}", "/a/%2e%2e;x", ""},
	} {
		f.Add(s[0], s[1], s[2], s[3], s[4], s[5], "42")
	}
	f.Fuzz(func(t *testing.T, pathPattern, to, token, message, path, raw, value string) {
		c := Config{Algorithm: "hmac-sha256", Message: message}
		switch {
		case strings.HasPrefix(pathPattern, "{"):
			c.Signature = pathPattern
		case pathPattern != "":
			c.Path = &Path{Pattern: pathPattern, To: to}
		}
		if token != "" {
			c.Tokens = []Token{{Parameter: "{query.t}", Pattern: token}}
		}
		if c.Signature == "" && !strings.Contains(pathPattern+token, "<signature>") {
			c.Signature = "{query.sig}"
		}
		s, err := New(c, link.Options{})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		u, err := url.ParseRequestURI(path)
		if err != nil || u.EscapedPath() != path || strings.Contains(path, "?") || !strings.HasPrefix(path, "/") {
			return // no path of a request
		}
		r := &link.Request{Method: "GET", Scheme: "https", Host: "example.org", Path: path}
		if r.Query.Parse(raw) != nil {
			return
		}
		key := []byte("a key")
		var l link.Link
		if s.Read(r, &l).None() {
			checkRead(t, s, r, &l)
			if s.Verify(r, &l, key) {
				t.Errorf("%s verifies, and nobody signed it", path)
			}
		}
		grant := link.Grant{Now: time.Unix(1111111111, 0)}
		for _, name := range s.names.Fields {
			grant.SetField(name, value)
		}
		target, err := s.Sign(r, grant, key)
		if err != nil {
			return
		}
		signed := &link.Request{Method: "GET", Scheme: "https", Host: "example.org"}
		signed.Path, raw, _ = strings.Cut(target, "?")
		if err := signed.Query.Parse(raw); err != nil {
			return // too long now
		}
		l = link.Link{}
		if refusal := s.Read(signed, &l); !refusal.None() {
			t.Fatalf("%s was signed, and is %s", target, refusal)
		}
		checkRead(t, s, signed, &l)
		if !s.Verify(signed, &l, key) || !s.Bind(key)(signed, &l) {
			t.Errorf("%s was signed, and does not verify", target)
		}
		if s.Verify(signed, &l, []byte("another key")) {
			t.Errorf("%s verifies with another key", target)
		}
	})
}

// checkRead checks what Read makes of a link.
func checkRead(t *testing.T, s *Scheme, r *link.Request, l *link.Link) {
	t.Helper()
	if len(l.Fields) != len(s.names.Fields) {
		t.Fatalf("%d fields, and %d are declared", len(l.Fields), len(s.names.Fields))
	}
	for i, f := range l.Fields {
		if f.Value == "" || !accepts(s.ofField(i), f.Value) {
			t.Errorf("the field %s is %q, which the checker takes for impossible", s.names.Fields[i], f.Value)
		}
	}
	if s.path == nil {
		return
	}
	for _, p := range []string{r.Path, l.Path} {
		if strings.ContainsAny(p, ";\\") || HidesDelimiter(p) || strings.Contains(p, "//") {
			t.Errorf("the path %q has what is read in several ways", p)
		}
		for segment := range strings.SplitSeq(p, "/") {
			if d := query.UnescapePath(segment); d == "." || d == ".." {
				t.Errorf("the path %q has a dot segment", p)
			}
		}
	}
	if s.path.pattern == nil {
		return
	}
	var values []string
	for i := range s.path.pattern.Fields() {
		values = append(values, l.Fields[s.path.first+i].Value)
	}
	// The decoded path is cut as the one that was sent.
	text := query.UnescapePath(r.Path)
	into := make([]string, len(values))
	if joined := string(s.path.pattern.Join(nil, values)); joined != text {
		t.Errorf("%q is %q, and its fields make %q", r.Path, text, joined)
	}
	if !s.path.pattern.Split(text, into) || strings.Join(into, "\x00") != strings.Join(values, "\x00") {
		t.Errorf("%q has the fields %q, and decoded %q", r.Path, values, into)
	}
	if c := s.Describe().Carrier; l.Path != "" && !c.Public {
		if internal, _ := c.Internal(l.Path); !internal {
			t.Errorf("%q leads to %q, which is not internal", r.Path, l.Path)
		}
		if internal, _ := c.Internal(query.UnescapePath(l.Path)); !internal {
			t.Errorf("%q leads to %q, which is not internal when it is decoded", r.Path, l.Path)
		}
	}
}
