package main

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/carried"
)

// The secrets of the links. The one of verifiable URLs is that of the corpora.
const (
	linkSecret = "s3cret"
	akidSecret = "9E4GeErTXkXqBuGuulEh9ZdIf2LoEpeYEAcnejUqetgscx60IXb3hy5fltkrWaTv"
	sialSecret = "BXoAt2FYTpANLU5HJP1ZCFZ9fcvsl3RkcUZ4sTLYupD"
)

var secrets = []string{"LINK_SECRET=" + linkSecret, "AKID_SECRET=" + akidSecret, "SIAL_SECRET=" + sialSecret}

// key is the signature of a verifiable URL for the value.
func key(value string) string {
	sum := md5.Sum([]byte(value + linkSecret))
	return hex.EncodeToString(sum[:])
}

// akid is the token for the cleartext.
func akid(cleartext string) string {
	sum := sha256.Sum256([]byte(akidSecret + "." + cleartext))
	return cleartext + "." + base64.RawURLEncoding.EncodeToString(sum[:])[:6]
}

// action is the signature of an action link.
func action(user, name, title string) string {
	sum := sha1.Sum([]byte(user + ":" + name + ":" + title + ":" + sialSecret))
	return hex.EncodeToString(sum[:])
}

// whole is the signature of a message that holds every parameter.
func whole(message string) string {
	m := hmac.New(sha256.New, []byte(linkSecret))
	m.Write([]byte(message))
	return hex.EncodeToString(m.Sum(nil))
}

const mailing = "2695"

// The links that the attacker has, all of them their own.
var (
	ownKey    = key("jeff")
	ownAKID   = akid(mailing + ".103007")
	ownAction = action("42", "watch", "7")
	ownSorted = whole("/app/page?page=7&user=jeff")
	ownWhole  = whole("/app/page?user=jeff&page=7")
)

// verified is what a link proves: the scheme, and each parameter's only value.
type verified struct {
	scheme string
	values map[string]string
}

// kind is a kind of link, and the definition that verifies it.
type kind struct {
	name       string
	onlyPHP    bool
	match      string // of the definition's matcher
	definition string // with what belongs into the block
	identity   []string
	signature  []string
	signed     []string // identity included
	paths      []string // of honest links
	query      []string // of an honest link
	param      string   // of the corpus lines that fit
	// covers says that the message holds every parameter but those that are ignored, and
	// ordered that it holds them in their order.
	covers, ordered bool
	adapt           *strings.Replacer
	// keeps tells which parameters of a verified request are left; nil: all but the signature.
	keeps func(name string) bool
	// prove looks for a good signature of the user in the evidence.
	prove func(user string, s *backends.Seen, evidence string) (verified, bool)
	// carried are the links, where they stand in the path or in a token.
	carried *carried.Kind
	// protects tells whether the protected application answered.
	protects func(s *backends.Seen) bool
}

const keyedHash = "algorithm md5\nmessage {query.%}{secret}\nsignature {query.key}\nuser {query.%} utf8\n"

func keyed(name string) string { return strings.ReplaceAll(keyedHash, "%", name) }

func proveKey(param string) func(string, *backends.Seen, string) (verified, bool) {
	return func(user string, _ *backends.Seen, evidence string) (verified, bool) {
		return verified{"keyed_hash", map[string]string{param: user}}, strings.Contains(evidence, key(user))
	}
}

func proveAKID(user string, _ *backends.Seen, evidence string) (verified, bool) {
	return verified{"akid", nil}, strings.Contains(evidence, akid(mailing+"."+user))
}

func proveAction(user string, s *backends.Seen, evidence string) (verified, bool) {
	name, under := strings.CutPrefix(front(s), "/app/do/")
	for _, title := range s.Params["title"] {
		if under && strings.Contains(evidence, action(user, name, title)) {
			return verified{"sial", map[string]string{"user": user, "title": title}}, true
		}
	}
	return verified{}, false
}

// proveWhole takes the message's own path and parameters for granted: whatever else the
// application sees was not signed.
func proveWhole(own string) func(string, *backends.Seen, string) (verified, bool) {
	return func(user string, s *backends.Seen, evidence string) (verified, bool) {
		known := user == "jeff" && front(s) == "/app/page" && strings.Contains(evidence, own)
		return verified{"keyed_hash", map[string]string{"user": "jeff", "page": "7"}}, known
	}
}

// ignorePrefix is what the names begin with that no message holds.
const ignorePrefix = "utm_"

const wholeQuery = "keyed_hash {env.LINK_SECRET} {\nalgorithm hmac-sha256\nmessage {path}?{%}\nsignature {query.sig}\nuser {query.user} utf8\nignore " + ignorePrefix + "*\n"

func proveEither(user string, s *backends.Seen, evidence string) (verified, bool) {
	if v, ok := proveAKID(user, s, evidence); ok {
		return v, ok
	}
	return proveKey("user")(user, s, evidence)
}

const underApp = "path /app /app/*"

var kinds = slices.Concat(plainKinds, carriedKinds("name", "greedy", "cut", "token", "coded"))

// plainKinds are the kinds whose links are parameters.
var plainKinds = []*kind{
	{
		name: "user", match: underApp, param: "user",
		definition: "keyed_hash {env.LINK_SECRET} {\n" + keyed("user"),
		identity:   []string{"user"}, signed: []string{"user"}, signature: []string{"key"},
		paths: []string{"/app/"}, query: []string{"user=jeff", "key=" + ownKey},
		prove: proveKey("user"), protects: isApp,
	},
	{
		name: "user_id", match: underApp, param: "user_id",
		definition: "keyed_hash {env.LINK_SECRET} {\n" + keyed("user_id"),
		identity:   []string{"user_id"}, signed: []string{"user_id"}, signature: []string{"key"},
		paths: []string{"/app/"}, query: []string{"user_id=jeff", "key=" + ownKey},
		adapt: strings.NewReplacer("?user=", "?user_id=", "&user=", "&user_id=", `"user"`, `"user_id"`),
		prove: proveKey("user_id"), protects: isApp,
	},
	{
		name: "akid", match: underApp, param: "akid",
		definition: "akid {env.AKID_SECRET} {\n",
		signature:  []string{"akid"},
		paths:      []string{"/app/"}, query: []string{"akid=" + ownAKID},
		adapt: strings.NewReplacer("user=jeff&key=@K:jeff@", "akid="+ownAKID, "user", "akid", "admin", "2695.1.AAAAAA"),
		prove: proveAKID, protects: isApp,
	},
	{
		name: "sial", match: underApp, param: "user",
		definition: "sial {\nuser_keys inline {\n42 {env.SIAL_SECRET}\n}\nuser {query.user}\naction {path} prefix /app/do/\n" +
			"params title\nmessage {user}:{action}:{params}:{secret}\nsignature {query.sig}\nparam title digits\n",
		identity: []string{"user"}, signed: []string{"user", "title"}, signature: []string{"sig"},
		paths: []string{"/app/do/watch"}, query: []string{"user=42", "title=7", "sig=" + ownAction},
		adapt: strings.NewReplacer("key=@K:jeff@", "title=7&sig="+ownAction, "jeff", "42", "/app/", "/app/do/watch"),
		prove: proveAction, protects: isApp,
	},
	{
		name: "autologin", match: "path /autologin.php", param: "user", onlyPHP: true,
		definition: "keyed_hash {env.LINK_SECRET} {\n" + keyed("user"),
		identity:   []string{"user"}, signed: []string{"user"}, signature: []string{"key"},
		paths: []string{"/autologin.php"}, query: []string{"user=jeff", "key=" + ownKey},
		adapt: strings.NewReplacer("/app/index.php", "/autologin.php", "/app/", "/autologin.php", "/app", "/autologin.php"),
		prove: proveKey("user"), protects: func(s *backends.Seen) bool { return s.App == "autologin.php" },
	},
	{
		name: "multi", match: underApp, param: "user",
		definition: "{\nscheme akid {env.AKID_SECRET}\nscheme keyed_hash {env.LINK_SECRET} {\n" + keyed("user") + "}\n",
		identity:   []string{"user"}, signed: []string{"user"}, signature: []string{"key", "akid"},
		paths: []string{"/app/"}, query: []string{"user=jeff", "key=" + ownKey},
		prove: proveEither, protects: isApp,
	},
	{
		name: "stripped", match: underApp, param: "user",
		definition: "keyed_hash {env.LINK_SECRET} {\nstrip signed\n" + keyed("user"),
		identity:   []string{"user"}, signed: []string{"user"}, signature: []string{"key"},
		paths: []string{"/app/"}, query: []string{"user=jeff", "key=" + ownKey},
		keeps: func(name string) bool { return name != "user" && name != "key" },
		prove: proveKey("user"), protects: isApp,
	},
	{
		name: "signed", match: underApp, param: "user",
		definition: "keyed_hash {env.LINK_SECRET} {\nunsigned strip\n" + keyed("user"),
		identity:   []string{"user"}, signed: []string{"user"}, signature: []string{"key"},
		paths: []string{"/app/"}, query: []string{"user=jeff", "key=" + ownKey},
		keeps: func(name string) bool { return name == "user" },
		prove: proveKey("user"), protects: isApp,
	},
	{
		name: "sorted", match: underApp, param: "user", covers: true,
		definition: strings.Replace(wholeQuery, "%", "sorted_query", 1),
		identity:   []string{"user"}, signed: []string{"user", "page"}, signature: []string{"sig"},
		paths: []string{"/app/page"}, query: []string{"user=jeff", "page=7", "sig=" + ownSorted},
		adapt: strings.NewReplacer("key=@K:jeff@", "page=7&sig="+ownSorted, "/app/", "/app/page"),
		prove: proveWhole(ownSorted), protects: isApp,
	},
	{
		name: "whole", match: underApp, param: "user", covers: true, ordered: true,
		definition: strings.Replace(wholeQuery, "%", "query", 1),
		identity:   []string{"user"}, signed: []string{"user", "page"}, signature: []string{"sig"},
		paths: []string{"/app/page"}, query: []string{"user=jeff", "page=7", "sig=" + ownWhole},
		adapt: strings.NewReplacer("key=@K:jeff@", "page=7&sig="+ownWhole, "/app/", "/app/page"),
		prove: proveWhole(ownWhole), protects: isApp,
	},
}

// isApp tells whether the application under /app answered, or a front controller
// that was asked for it.
func isApp(s *backends.Seen) bool {
	switch s.App {
	case "app/index.php", "/app", "route app", "route login":
		return true
	}
	return s.App == "index.php" && slices.ContainsFunc([]string{front(s), s.PathInfo}, func(p string) bool {
		return p == "/app" || strings.HasPrefix(p, "/app/")
	})
}

// front is the path that the application routes: of a servlet context and its path
// info, of PHP what Symfony and Laravel make of REQUEST_URI and SCRIPT_NAME.
func front(s *backends.Seen) string {
	if servlet(s) {
		return s.App + s.ScriptName + s.PathInfo
	}
	path, _, _ := strings.Cut(s.RequestURI, "?")
	if scheme, rest, ok := strings.Cut(path, "://"); ok && !strings.Contains(scheme, "/") {
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	if rest, ok := strings.CutPrefix(path, s.ScriptName); ok && s.App == "index.php" {
		path = rest
	}
	return decode(path, false)
}
