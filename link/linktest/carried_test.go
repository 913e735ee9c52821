package linktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/pattern"
)

// inPath is a scheme as somebody else would write it, whose links have their signature in the
// path: /u/USER/NOTE/SIGNATURE becomes /v/USER; the note is not signed.
type inPath struct{}

var (
	inPathLink   = mustParsePath("/u/<user>/<note>/<signature>")
	inPathTarget = mustParsePath("/v/<user>")
)

func mustParsePath(text string) *pattern.Pattern {
	p, err := pattern.ParsePath(text)
	if err != nil {
		panic(err)
	}
	return p
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdef", c) >= 0 }

func (inPath) Describe() link.Description {
	return link.Description{
		Fields: []string{"user", "note", "signature"}, Determined: []string{"user"}, User: "{link.user}",
		Carrier:  &link.Carrier{Link: inPathLink, Signature: true, Target: inPathTarget},
		Alphabet: isHex, Length: 2 * sha256.Size,
	}
}

func (inPath) Read(r *link.Request, l *link.Link) link.Refusal {
	var f [3]string
	if !inPathLink.Split(r.Path, f[:]) {
		return link.Refuse(link.Malformed, "pattern")
	}
	for _, c := range f[0] + f[1] {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-", c) {
			return link.Refuse(link.Ambiguous, "path")
		}
	}
	for _, text := range f {
		l.Fields = append(l.Fields, link.Field{Value: text, Sent: text})
	}
	l.Signature, l.Text, l.Path = f[2], f[0], "/v/"+f[0]
	return link.Refusal{}
}

func (inPath) Verify(_ *link.Request, l *link.Link, key []byte) bool {
	return hmac.Equal([]byte(l.Signature), []byte(sign(l.Text, key))) && len(key) > 0
}

// AppendMessage implements [link.Messenger].
func (inPath) AppendMessage(dst []byte, _ *link.Request, l *link.Link, _ []byte) []byte {
	return append(dst, l.Text...)
}

// InScope implements [link.Scoped]: a link with the note `other` is for something else.
func (inPath) InScope(_ *link.Request, l *link.Link) link.Refusal {
	if l.Fields[1].Value == "other" {
		return link.Refuse(link.OutOfScope, "note")
	}
	return link.Refusal{}
}

func inPathVectors() []Vector {
	vector := func(id, path, expect, user string) Vector {
		return Vector{ID: id, Secret: toySecret, Now: 1790000000, URL: "https://example.org" + path, Expect: expect, User: user}
	}
	sig := sign("jeff", []byte(toySecret))
	return []Vector{
		vector("valid", "/u/jeff/a-note/"+sig, Valid, "jeff"),
		vector("another note", "/u/jeff/x/"+sig, Valid, "jeff"),
		vector("for something else", "/u/jeff/other/"+sig, Invalid, ""),
		vector("another user", "/u/mike/x/"+sig, Invalid, ""),
		vector("one segment less", "/u/jeff/"+sig, Invalid, ""),
		vector("a slash more", "/u/jeff/x/"+sig+"/", Invalid, ""),
		vector("no link", "/v/jeff", Invalid, ""),
		vector("dots", "/u/../x/"+sign("..", []byte(toySecret)), Invalid, ""),
	}
}

// token is a scheme whose links have their fields in one parameter, `?t=USER-EXP-SIGNATURE`,
// and say an optional note beside it.
type token struct{}

func (token) Describe() link.Description {
	return link.Description{
		Signature: []string{"t"}, Fields: []string{"user", "exp", "signature"}, Determined: []string{"user", "exp"}, User: "{link.user}", Expires: true,
		Claims: []string{"note"}, Policy: link.Policy{MaxLifetime: 100 * 24 * time.Hour}, Alphabet: isHex, Length: 2 * sha256.Size,
	}
}

func (token) Read(r *link.Request, l *link.Link) link.Refusal {
	text, _ := r.Value("t")
	parts := strings.Split(text, "-")
	if len(parts) != 3 || parts[0] == "" {
		return link.Refuse(link.Malformed, "token")
	}
	for _, part := range parts {
		l.Fields = append(l.Fields, link.Field{Value: part, Sent: part})
	}
	l.Signature, l.Text = parts[2], parts[0]+"-"+parts[1]
	l.Expires = link.Timestamp{Text: parts[1], Present: true}
	if user, note, has := strings.Cut(parts[0], ":"); has && user != "" {
		l.Claims.Set("note", note)
	}
	return link.Refusal{}
}

func (token) Verify(_ *link.Request, l *link.Link, key []byte) bool {
	return hmac.Equal([]byte(l.Signature), []byte(sign(l.Text, key))) && len(key) > 0
}

func tokenVectors() []Vector {
	vector := func(id, signed, token, expect, user string) Vector {
		if token == "" {
			token = signed
		}
		return Vector{
			ID: id, Secret: toySecret, Now: 1790000000, URL: "https://example.org/in?t=" + token + "-" + sign(signed, []byte(toySecret)), Expect: expect, User: user,
		}
	}
	return []Vector{
		vector("valid", "jeff-1795000000", "", Valid, "jeff"),
		vector("with a note", "jeff:hello-1795000000", "", Valid, "jeff:hello"),
		vector("late", "jeff-1789999999", "", Expired, ""),
		vector("for too long", "jeff-1800000000", "", Invalid, ""), // the policy of the scheme
		vector("another user", "jeff-1795000000", "mike-1795000000", Invalid, ""),
		vector("another time", "jeff-1795000000", "jeff-1795000001", Invalid, ""),
		vector("a field less", "1795000000", "", Invalid, ""),
	}
}

// TestRunCarried: right schemes pass, wherever their links stand.
func TestRunCarried(t *testing.T) {
	Run(t, Suite{Scheme: inPath{}, Vectors: inPathVectors(), Rules: map[string]link.Rule{"{link.user}": {Class: link.Alnum, Min: 1, Max: 9}, "{path.1}": {Class: link.Alnum, Min: 1, Max: 9}}})
	Run(t, Suite{Scheme: token{}, Vectors: tokenVectors(), Rules: map[string]link.Rule{"note": {Class: link.Alnum, Min: 1, Max: 9, Optional: true}}})
}

// TestJudgeCarried: the verdicts on links in the path and in tokens, as the gateway has them.
func TestJudgeCarried(t *testing.T) {
	paths, tokens := inPathVectors(), tokenVectors()
	digits := link.Rule{Class: link.Digits, Min: 1, Max: 9}
	for i, tc := range []struct {
		suite   Suite
		vector  Vector
		refusal string
		user    string
	}{
		{Suite{Scheme: inPath{}}, paths[0], "", "jeff"},
		{Suite{Scheme: inPath{}, User: "{path.1}"}, paths[0], "", "jeff"},
		{Suite{Scheme: inPath{}, User: "{path.7}"}, paths[0], "", ""},
		{Suite{Scheme: inPath{}}, paths[2], "out_of_scope/note", ""},
		{Suite{Scheme: inPath{}}, paths[3], "bad_signature", ""},
		{Suite{Scheme: inPath{}}, paths[4], "malformed/pattern", ""},
		{Suite{Scheme: inPath{}}, paths[6], "missing", ""},
		{Suite{Scheme: inPath{}}, paths[7], "ambiguous/path", ""},
		{Suite{Scheme: inPath{}, Rules: map[string]link.Rule{"{link.user}": digits}}, paths[0], "malformed/charset", ""},
		{Suite{Scheme: inPath{}, Rules: map[string]link.Rule{"{path.1}": digits}}, paths[0], "malformed/charset", ""},
		{Suite{Scheme: inPath{}, Rules: map[string]link.Rule{"{path.9}": digits}}, paths[0], "malformed/empty", ""},
		{Suite{Scheme: inPath{}, UserKeys: map[string]string{"jeff": toySecret}}, paths[0], "", "jeff"},
		{Suite{Scheme: inPath{}, UserKeys: map[string]string{"mike": toySecret}}, paths[0], "bad_signature", ""},
		{Suite{Scheme: token{}}, tokens[0], "", "jeff"},
		{Suite{Scheme: token{}}, tokens[3], "malformed/max_lifetime", ""},
		{Suite{Scheme: token{}, Policy: link.Policy{MaxLifetime: 1000 * 24 * time.Hour}}, tokens[3], "", "jeff"}, // the operator's stands before it
		{Suite{Scheme: token{}, Policy: link.Policy{MaxAge: time.Hour}}, tokens[0], "malformed/no_issue_time", ""},
		{Suite{Scheme: token{}, Rules: map[string]link.Rule{"note": digits}}, tokens[0], "malformed/absent", ""},
		{Suite{Scheme: token{}, Rules: map[string]link.Rule{"note": {Class: link.Digits, Min: 1, Max: 9, Optional: true}}}, tokens[0], "", "jeff"},
		{Suite{Scheme: token{}, Rules: map[string]link.Rule{"note": {Class: link.Digits, Min: 1, Max: 9, Optional: true}}}, tokens[1], "malformed/charset", ""},
	} {
		if verdict := tc.suite.Judge(tc.vector); verdict.String() != tc.refusal || verdict.User != tc.user {
			t.Errorf("Test %d: %s: verdict %q, user %q; want %q, %q", i, tc.vector.ID, verdict.Refusal, verdict.User, tc.refusal, tc.user)
		}
	}
}

// carriedBroken is such a scheme with one thing wrong.
type carriedBroken struct {
	inPath
	describe func(d *link.Description)
	read     func(r *link.Request, l *link.Link) link.Refusal
	verify   func(r *link.Request, l *link.Link, key []byte) bool
	scope    func(l *link.Link) link.Refusal
	message  func(dst []byte, l *link.Link, key []byte) []byte
}

func (b carriedBroken) Describe() link.Description {
	d := b.inPath.Describe()
	if b.describe != nil {
		b.describe(&d)
	}
	return d
}

func (b carriedBroken) Read(r *link.Request, l *link.Link) link.Refusal {
	if b.read != nil {
		return b.read(r, l)
	}
	return b.inPath.Read(r, l)
}

func (b carriedBroken) Verify(r *link.Request, l *link.Link, key []byte) bool {
	if b.verify != nil {
		return b.verify(r, l, key)
	}
	return b.inPath.Verify(r, l, key)
}

func (b carriedBroken) InScope(r *link.Request, l *link.Link) link.Refusal {
	if b.scope != nil {
		return b.scope(l)
	}
	return b.inPath.InScope(r, l)
}

func (b carriedBroken) AppendMessage(dst []byte, r *link.Request, l *link.Link, key []byte) []byte {
	if b.message != nil {
		return b.message(dst, l, key)
	}
	return b.inPath.AppendMessage(dst, r, l, key)
}

// changes is [inPath.Read] with a change to what it read.
func changes(change func(r *link.Request, l *link.Link)) func(r *link.Request, l *link.Link) link.Refusal {
	return func(r *link.Request, l *link.Link) link.Refusal {
		refusal := inPath{}.Read(r, l)
		if refusal.None() {
			change(r, l)
		}
		return refusal
	}
}

// TestRunFindsWrongCarriers: each thing that can go wrong where links stand in paths is found.
func TestRunFindsWrongCarriers(t *testing.T) {
	var calls atomic.Int64
	carrier := func(change func(c *link.Carrier)) func(d *link.Description) {
		return func(d *link.Description) {
			c := *d.Carrier
			change(&c)
			d.Carrier = &c
		}
	}
	for name, tc := range map[string]struct {
		check  string
		want   string
		scheme carriedBroken
	}{
		"no alphabet":              {"description", "which letters it has", carriedBroken{describe: func(d *link.Description) { d.Alphabet = nil }}},
		"no length":                {"description", "how many", carriedBroken{describe: func(d *link.Description) { d.Length = 0 }}},
		"another alphabet":         {"description", "and then", carriedBroken{describe: func(d *link.Description) { n := calls.Add(1); d.Alphabet = func(c byte) bool { return c == byte(n) } }}},
		"no signature":             {"description", "the path carries none", carriedBroken{describe: carrier(func(c *link.Carrier) { c.Signature = false })}},
		"no form":                  {"description", "nothing would be left", carriedBroken{describe: carrier(func(c *link.Carrier) { c.Link = nil })}},
		"an empty carrier":         {"description", "neither a form", carriedBroken{describe: func(d *link.Description) { d.Carrier = new(link.Carrier) }}},
		"a token's form":           {"description", "pattern of a token", carriedBroken{describe: carrier(func(c *link.Carrier) { c.Link, _ = pattern.Parse("/u/<user>/<signature>") })}},
		"no field of it":           {"description", "no field <signature>", carriedBroken{describe: carrier(func(c *link.Carrier) { c.Link = mustParsePath("/u/<user>/<note>/<sig>") })}},
		"any path":                 {"description", "any path of the site", carriedBroken{describe: carrier(func(c *link.Carrier) { c.Link = mustParsePath("/<user>/<note>/<signature>") })}},
		"a target with dots":       {"description", "could read in another way", carriedBroken{describe: carrier(func(c *link.Carrier) { c.Target, c.Fixed = nil, "/v/../w" })}},
		"a field twice":            {"description", `"user" twice`, carriedBroken{describe: func(d *link.Description) { d.Fields[1] = "user" }}},
		"determined, and no field": {"description", `"page" is determined, and has no such field`, carriedBroken{describe: func(d *link.Description) { d.Determined = append(d.Determined, "page") }}},
		"user of an open field":    {"description", "could be anybody", carriedBroken{describe: func(d *link.Description) { d.User = "{link.note}" }}},
		"too few fields":           {"moved", "Read found 2 fields", carriedBroken{read: changes(func(_ *link.Request, l *link.Link) { l.Fields = l.Fields[:2] })}},
		"fields of others": {"claims", "memory that it was lent", carriedBroken{read: changes(func(_ *link.Request, l *link.Link) {
			if cap(l.Fields) == 4 && l.Fields[:4][3].Value == "lent" {
				l.Fields = l.Fields[:4]
			}
		})}},
		"a field that is not signed":     {"fields", `the fields ["note"] are determined`, carriedBroken{describe: func(d *link.Description) { d.Determined = []string{"note"} }}},
		"one that is not in the message": {"fields", "have one message", carriedBroken{message: func(dst []byte, _ *link.Link, _ []byte) []byte { return append(dst, "message"...) }}},
		"a path that is no link": {"hostile", "the carrier does not", carriedBroken{read: func(r *link.Request, l *link.Link) link.Refusal {
			path := *r
			path.Path = strings.Replace(r.Path, "//", "/", 1)
			return inPath{}.Read(&path, l)
		}}},
		"a target with dots of a field": {"hostile", "could read in several ways", carriedBroken{read: func(r *link.Request, l *link.Link) link.Refusal {
			var f [3]string
			if !inPathLink.Split(r.Path, f[:]) {
				return link.Refuse(link.Malformed, "pattern")
			}
			l.Fields = []link.Field{{Value: f[0]}, {Value: f[1]}, {Value: f[2]}}
			l.Signature, l.Text, l.Path = f[2], f[0], "/v/../"+f[0]
			return link.Refusal{}
		}}},
		"another target":              {"moved", "none to which the carrier leads", carriedBroken{read: changes(func(_ *link.Request, l *link.Link) { l.Path = "/w/" + l.Text })}},
		"a target of no carrier":      {"moved", "as it came", carriedBroken{describe: carrier(func(c *link.Carrier) { c.Target = nil })}},
		"no target":                   {"moved", "could read in several ways", carriedBroken{read: changes(func(_ *link.Request, l *link.Link) { l.Path = "" })}},
		"a target that is not signed": {"moved", "and leads to", carriedBroken{read: changes(func(_ *link.Request, l *link.Link) { l.Path = "/v/" + l.Fields[1].Value })}},
		"a reason of others":          {"scope", "InScope refused with expired", carriedBroken{scope: func(*link.Link) link.Refusal { return link.Refuse(link.Expired, "") }}},
		"another scope": {"scope", "and then", carriedBroken{scope: func(*link.Link) link.Refusal {
			if calls.Add(1)%2 == 0 {
				return link.Refusal{}
			}
			return link.Refuse(link.OutOfScope, "")
		}}},
		"no message":         {"message", "is empty", carriedBroken{message: func(dst []byte, _ *link.Link, _ []byte) []byte { return dst }}},
		"only the message":   {"message", "appended to a text", carriedBroken{message: func(_ []byte, l *link.Link, _ []byte) []byte { return []byte(l.Text) }}},
		"key in the message": {"message", "holds a key", carriedBroken{message: func(dst []byte, l *link.Link, _ []byte) []byte { return append(append(dst, l.Text...), toySecret...) }}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Suite{Scheme: tc.scheme, Vectors: inPathVectors()}
			for _, c := range checks {
				if c.name != tc.check {
					continue
				}
				for _, err := range c.run(s) {
					if strings.Contains(err.Error(), tc.want) {
						return
					}
				}
				t.Errorf("the check %q finds %v, want %q", c.name, c.run(s), tc.want)
				return
			}
			t.Errorf("there is no check %q", tc.check)
		})
	}
}

// TestRunFindsOpenFields: the same of a field of a token.
func TestRunFindsOpenFields(t *testing.T) {
	open := openToken{}
	errs := fixesFields(&Suite{Scheme: open, Vectors: tokenVectors()[:1]})
	if len(errs) == 0 || !strings.Contains(errs[0].Error(), "are determined") {
		t.Errorf("a token whose time is not signed passes: %v", errs)
	}
}

// openToken is token, but for the signature of the time, whose right value every link has.
type openToken struct{ token }

func (o openToken) Read(r *link.Request, l *link.Link) link.Refusal {
	refusal := o.token.Read(r, l)
	if refusal.None() {
		l.Text = l.Fields[0].Value + "-1795000000"
	}
	return refusal
}
