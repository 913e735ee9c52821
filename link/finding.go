package link

import "strings"

// Severity says what becomes of a [Finding].
type Severity uint8

// The severities.
const (
	// Note belongs to a named scheme by nature, such as the 36 bits of an AKID. It
	// stands on the scheme's page and in `lint`, never in the log of a start.
	Note Severity = iota
	// Warning is logged once when the configuration is loaded; `allow` silences it.
	Warning
	// Danger is refused when the configuration is loaded, unless it is allowed.
	Danger
	// Fatal is refused whatever is allowed.
	Fatal
)

// String returns the severity in lower case.
func (s Severity) String() string {
	return [...]string{"note", "warning", "danger", "fatal"}[min(s, Fatal)]
}

// Finding is what the checker says about a scheme: a way in which its links are weaker
// than they look.
type Finding struct {
	Code     string // one of FindingCodes
	Severity Severity
	Message  string     // one sentence: what is wrong. It never holds a secret
	Cure     string     // what to do about it
	Example  *Collision // two links that one signature fits, where the finding has such
	Allowed  bool       // by a narrow `allow`, of which the scheme knows
	Narrow   string     // the narrowest `allow` that admits it; empty: the bare code
}

// Checked is implemented by a [Scheme] that can be checked without a request. The
// gateway asks once, when the configuration is loaded.
type Checked interface {
	// Findings returns all that is to be said, what the operator allowed included.
	Findings() []Finding
}

// Constructed is implemented by a [Scheme] that can tell whether another one signs in
// the same way, so that one secret may serve both. Two schemes of a module that cannot tell
// sign alike where they are configured alike.
type Constructed interface {
	// Construction returns the same text for two schemes whose links are each other's.
	Construction() string
}

// Collision is two requests that have one message, and so one signature.
type Collision struct {
	A, B    []Value
	Message string // what both sign; the secret stands in it as {secret}
}

// Value is a part of a request: a parameter by its name, or what a placeholder such as
// {path} stands for.
type Value struct{ Name, Value string }

// String shows both, as in `action="delete1" id="2"` and `action="delete" id="12"`.
func (c *Collision) String() string {
	var b strings.Builder
	list := func(values []Value) {
		for i, v := range values {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(v.Name + "=" + quote(v.Value))
		}
	}
	list(c.A)
	b.WriteString(" and ")
	list(c.B)
	b.WriteString(" both sign " + quote(c.Message))
	return b.String()
}

// quote is like strconv.Quote, and shows bytes that are not printable ASCII as \xXX.
func quote(s string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.Write([]byte{'\\', c})
		case c < ' ' || c > '~':
			b.Write([]byte{'\\', 'x', digits[c>>4], digits[c&15]})
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// FindingCode is one kind of finding.
type FindingCode struct {
	Code     string
	Severity Severity // of the finding where no named scheme has it by nature
	Title    string
}

// Page is the path of the code's page in the documentation.
func (c FindingCode) Page() string { return "docs/findings/" + c.Code + ".md" }

// FindingCodes are all kinds of findings, the gravest first.
var FindingCodes = []FindingCode{
	{"unsigned_identity", Fatal, "the user, or a header, is made of what the message does not cover"},
	{"akid_shape", Danger, "custom text may have the shape of an AKID"},
	{"ambiguous_message", Danger, "two different links have one message"},
	{"length_extension", Danger, "a link can be extended without the secret"},
	{"unsigned_expiry", Danger, "the expiry is not in the message"},
	{"unsigned_names", Danger, "values are signed without their names"},
	{"date_as_unix", Warning, "a date is read as seconds since 1970"},
	{"unsigned_segments", Warning, "parts of a link's path are not signed"},
	{"missed_by_matcher", Warning, "links of the pattern do not come to the definition"},
	{"collision", Warning, "two texts with one digest can be prepared"},
	{"no_expiry", Warning, "links are valid for ever"},
	{"published_secret", Warning, "the secret stands in public documents"},
	{"shared_secret", Warning, "one secret for two constructions"},
	{"shared_users", Warning, "one header for users of two kinds"},
	{"short_signature", Warning, "the signature can be guessed"},
	{"weak_secret", Warning, "the secret can be guessed"},
	{"open_target", Note, "the target of a path is open to everybody"},
}
