package link

// Reason is the stable code of a refusal. It appears in logs, metrics, placeholders
// and as `{err.message}`; it never says more than the client may know.
type Reason string

// The reasons. The comment gives the HTTP status that a refusal has by default.
const (
	Missing         Reason = "missing"          // 401: no signature parameter
	Malformed       Reason = "malformed"        // 400: not a link of this scheme
	Ambiguous       Reason = "ambiguous"        // 400: two readers could read it differently
	BadSignature    Reason = "bad_signature"    // 401: no key makes this signature
	Expired         Reason = "expired"          // 410: the signature is right, the time is over
	NotYetValid     Reason = "not_yet_valid"    // 401: the signature is right, the time has not come
	OutOfScope      Reason = "out_of_scope"     // 403: the signature is right, the link is for something else
	Method          Reason = "method"           // 405: the signature is right, the method is not allowed
	Body            Reason = "body"             // 400: the signature is right, the body may contradict it
	KeysUnavailable Reason = "keys_unavailable" // 503: the key source cannot answer now
	Throttled       Reason = "throttled"        // 429: too many failures
)

// Reasons lists every reason, in the order of the way of a request.
var Reasons = []Reason{
	Missing, Malformed, Ambiguous, BadSignature, Expired, NotYetValid, OutOfScope,
	Method, Body, KeysUnavailable, Throttled,
}

// Refusal is why a link does not verify: a reason and its finer word, the detail.
// The zero value is no refusal.
type Refusal struct {
	Reason Reason
	Detail string // `duplicate`, `lookalike`, `charset`, …; may be empty
}

// None reports that there is no refusal.
func (r Refusal) None() bool { return r.Reason == "" }

// String is the reason, and the detail behind a slash.
func (r Refusal) String() string {
	if r.Detail == "" {
		return string(r.Reason)
	}
	return string(r.Reason) + "/" + r.Detail
}

// Refuse makes a refusal.
func Refuse(reason Reason, detail string) Refusal { return Refusal{reason, detail} }
