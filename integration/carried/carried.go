// Package carried has links that stand in the path, or in one parameter with several
// fields: how operators declare them, how their signers make them, where they lead, and what
// a backend says that it ran. The corpus run and the fuzzer share it. Nothing of the gateway
// is imported, so that its mistakes are not repeated here.
package carried

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/signedlink/caddy-signed-link/integration/backends"
)

// Secret is that of all links here, the one of the corpora.
const Secret = "s3cret"

// Sign is the signature of a message: HMAC-SHA256, in hexadecimal digits.
func Sign(message string) string {
	m := hmac.New(sha256.New, []byte(Secret))
	m.Write([]byte(message))
	return hex.EncodeToString(m.Sum(nil))
}

// Kind is a way to carry a link.
type Kind struct {
	Name string
	// Match is the matcher of the definition, as in `@m path /u/*`.
	Match string
	// Declaration are lines of `keyed_hash`.
	Declaration string
	// Page is the literal of the path that only links lead to, with both slashes; empty
	// where no path is.
	Page string
	// Query says that the links stand in the parameter key, and not in the path.
	Query bool
	// Whole says that the backend gets the path as it came, with the signature.
	Whole bool
	// Public says that others than links may come to the page.
	Public bool
	// Values are what the attacker has links for: names that they chose.
	Values []string

	link, to, message string
	encode            func(string) string
}

// Link is a genuine link.
type Link struct {
	Value     string // who it is for: the verified field
	Path      string // as sent; of a token, any path of the definition
	To        string // the path that the backend gets
	Parameter string // key=…; empty where the path carries the link
	Signature string
}

const (
	later    = "7fffffff"   // until 2038, in hexadecimal digits
	laterDec = "2147483647" // the same
)

// names are what one could be called who wants a backend to read the path in another way.
var names = []string{
	"42", "42", "42", "jeff", "a b", "a.php", "index.php", "autologin.php", "x;y", "..", ".", "...", "~", "a%b", "a+b", "a&b", "a:b", "a@b.example", "%2e%2e", "%2f43", "43%2f..", "a,b", "*", "a=b", "42?", "42#", "-", "x.phpy", "43;", "//", "a\\b", "é",
}

// files are names of files, likewise.
var files = []string{
	"a.pdf", "a.pdf", "a/b.pdf", "a b/c.pdf", "index.php/admin", "a.php/b", "../u/43", "./a.pdf", "a//b", "..", "a/..", "a;x/b", "a/..;/b", "100%25.txt", "x/index.php", "autologin.php", "%2e%2e/x", "a\\b", "..%2fetc", "a/", "/a", "~/a", "a:b/c", "u/43/x",
}

const hmacSHA256 = "algorithm hmac-sha256\n"

// Kinds are all of them.
var Kinds = []*Kind{
	{
		Name: "segment", Match: "path /u/*", Page: "/u/", Values: []string{"42"},
		Declaration: "path /u/<id>/<signature> to /u/{link.id}\n" + hmacSHA256 + "message {link.id}\nparam {link.id} digits max 10\nuser {link.id}\n",
		link:        "/u/VALUE/SIGNATURE", to: "/u/VALUE", message: "VALUE",
	},
	{
		Name: "name", Match: "path /u /u/*", Page: "/u/", Values: names,
		Declaration: "path /u/<name>/<signature> to /u/{link.name}\n" + hmacSHA256 + "message {link.name}\nparam {link.name} text max 60\nuser {link.name} utf8\n",
		link:        "/u/VALUE/SIGNATURE", to: "/u/VALUE", message: "VALUE",
	},
	{
		Name: "public", Match: "path /u /u/*", Page: "/u/", Public: true, Values: names,
		Declaration: "path /u/<name>/<signature> to /u/{link.name} public\n" + hmacSHA256 + "message {link.name}\nparam {link.name} text max 60\nuser {link.name} utf8\n",
		link:        "/u/VALUE/SIGNATURE", to: "/u/VALUE", message: "VALUE",
	},
	{
		Name: "greedy", Match: "path /dl/*", Page: "/files/", Values: files,
		Declaration: "path /dl/<signature>/<time>/<file...> to /files/{link.file}\n" + hmacSHA256 + "message {link.time}/{link.file}\nexpires {link.time} hex\nparam {link.file} text max 60\nuser {link.file} utf8\n",
		link:        "/dl/SIGNATURE/" + later + "/VALUE", to: "/files/VALUE", message: later + "/VALUE",
	},
	{
		Name: "cut", Match: "path /v /v/*", Page: "/v/", Values: names,
		Declaration: "signature {path.2}\n" + hmacSHA256 + "message {path.1}\nparam {path.1} text max 60\nuser {path.1} utf8\n",
		link:        "/v/VALUE/SIGNATURE", to: "/v/VALUE", message: "VALUE",
	},
	{
		Name: "kept", Match: "path /w /w/*", Page: "/w/", Whole: true, Values: names,
		Declaration: "strip none\npath /w/<name>/<signature>\n" + hmacSHA256 + "message {link.name}\nparam {link.name} text max 60\nuser {link.name} utf8\n",
		link:        "/w/VALUE/SIGNATURE", to: "/w/VALUE/SIGNATURE", message: "VALUE",
	},
	{
		Name: "token", Match: "path /app /app/*", Query: true, Values: []string{"jeff", "a b", "a&key=b", "é"},
		Declaration: "token {query.key} <id>-<signature>\n" + hmacSHA256 + "message {link.id}\nparam {link.id} text max 60\nuser {link.id} utf8\n",
		link:        "VALUE-SIGNATURE", message: "VALUE",
	},
	{
		Name: "coded", Match: "path /app /app/*", Query: true, Values: []string{"jeff", "a b", "é"},
		Declaration: "token {query.key} unbase64 <uid>:<ts>:<signature>\n" + hmacSHA256 + "message {link.uid}:{link.ts}\nexpires {link.ts}\nparam {link.uid} text max 60\nuser {link.uid} utf8\n",
		link:        "VALUE:" + laterDec + ":SIGNATURE", message: "VALUE:" + laterDec,
		encode: func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	},
}

// Named finds a kind.
func Named(name string) *Kind {
	for _, k := range Kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// escape encodes what may not stand in a segment, or in a value of a query.
func escape(s string, slashes bool) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', strings.IndexByte("-._~!$'()*,;:@+", c) >= 0, c == '/' && slashes:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Link is the link of a value.
func (k *Kind) Link(value string) Link {
	l := Link{Value: value, Signature: Sign(strings.ReplaceAll(k.message, "VALUE", value))}
	if k.Query {
		text := strings.NewReplacer("VALUE", value, "SIGNATURE", l.Signature).Replace(k.link)
		if k.encode != nil {
			text = k.encode(text)
		}
		l.Path, l.To, l.Parameter = "/app/login", "/app/login", "key="+strings.ReplaceAll(escape(text, false), "+", "%2B")
		return l
	}
	fill := strings.NewReplacer("VALUE", escape(value, k.Name == "greedy"), "SIGNATURE", l.Signature).Replace
	l.Path, l.To = fill(k.link), fill(k.to)
	return l
}

// Plain tells whether no backend reads the value in another way than that it is a name, so
// that its link must verify.
func (k *Kind) Plain(value string) bool {
	if k.Whole && strings.Contains(value, "+") {
		return false // a blank to some
	}
	for segment := range strings.SplitSeq(value, "/") {
		if segment == "" || strings.Trim(segment, ".") == "" {
			return false
		}
	}
	return !strings.ContainsAny(value, "%&;\\?#") && !strings.Contains(strings.ToLower(value), ".php")
}

// Shown are the values that are left below the page in what the backend says of the path,
// and whether the page ran. An empty one is none: nobody's page.
func (k *Kind) Shown(s *backends.Seen) (values []string, ran bool) {
	add := func(path string) {
		if rest, below := strings.CutPrefix(path, k.Page); below && rest != "" {
			values, ran = append(values, rest), true
		}
	}
	switch {
	case k.Page == "":
	case s.Backend == backends.BackendTomcat || s.Backend == backends.BackendTomcat9 || s.Backend == backends.BackendJetty:
		add(s.App + s.ScriptName + s.PathInfo)
	case strings.HasPrefix(s.App, "route "):
		if s.HasCaptured && s.App == "route "+strings.Trim(k.Page, "/") {
			add(k.Page + s.Captured)
		}
	case s.App == "index.php": // which answers what it is asked for by whatever name it has
		path, _, _ := strings.Cut(s.RequestURI, "?")
		if scheme, rest, ok := strings.Cut(path, "://"); ok && !strings.Contains(scheme, "/") {
			_, path, _ = strings.Cut(rest, "/")
			path = "/" + path
		}
		if rest, under := strings.CutPrefix(path, s.ScriptName); under && rest != "" {
			path = rest
		}
		add(unescape(path))
		add(s.PathInfo)
	}
	return values, ran
}

// Below is what the page must find below it for the link of a value.
func (k *Kind) Below(value string) string {
	if k.Whole {
		return value + "/" + k.Link(value).Signature
	}
	return value
}

// Paths are all places in which the backend may find the path.
func Paths(s *backends.Seen) map[string]string {
	found := map[string]string{"RequestURI": s.RequestURI, "PathInfo": s.PathInfo, "ScriptName": s.ScriptName}
	for _, name := range []string{"PHP_SELF", "DOCUMENT_URI", "SCRIPT_FILENAME", "REDIRECT_URL", "PATH_TRANSLATED"} {
		if s.Server[name] != "" {
			found[name] = s.Server[name]
		}
	}
	return found
}

// unescape decodes every %XX.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b = append(b, c[0])
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
