package linktest

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
)

// Vector is a link and the verdict that a verifier must reach. Vectors are kept as
// JSON Lines, one object a line.
type Vector struct {
	Scheme string `json:"scheme"`           // the family of links
	ID     string `json:"id"`               // unique within the family
	Signer string `json:"signer,omitempty"` // what minted it: library and version, or the document that published it
	Secret string `json:"secret"`           // as text; `hex:` before hex-encoded bytes
	Now    int64  `json:"now,omitempty"`    // the Unix time at which the verdict holds
	URL    string `json:"url"`
	Expect string `json:"expect"`         // Valid, Invalid or Expired
	User   string `json:"user,omitempty"` // the identity, where the link has one
	Why    string `json:"why,omitempty"`  // what was done to the link

	// Params are the settings of the scheme, for whoever builds it.
	Params map[string]any `json:"params,omitempty"`

	// Arguable says that either verdict can be defended. The test of the scheme says
	// which was chosen, and why.
	Arguable bool `json:"arguable,omitempty"`

	// Verdict is what the real verifier said, empty where none was asked.
	Verdict string `json:"reference_verdict,omitempty"`
}

// The verdicts.
const (
	Valid   = "valid"
	Invalid = "invalid"
	Expired = "expired"
)

// Key returns the bytes of the secret.
func (v *Vector) Key() ([]byte, error) {
	if digits, ok := strings.CutPrefix(v.Secret, "hex:"); ok {
		return hex.DecodeString(digits)
	}
	return []byte(v.Secret), nil
}

// Param returns a setting of the scheme as text, or "" if the vector has none.
func (v *Vector) Param(name string) string {
	switch p := v.Params[name].(type) {
	case nil:
		return ""
	case string:
		return p
	default:
		return fmt.Sprint(p)
	}
}

// Load reads the vectors of a file and fails the test if it cannot, or if one of
// them is incomplete.
func Load(t testing.TB, path string) []Vector {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := parse(content)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return vectors
}

func parse(content []byte) ([]Vector, error) {
	var vectors []Vector
	seen := make(map[string]bool)
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var v Vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		_, err := v.Key()
		switch {
		case v.ID == "" || v.URL == "" || v.Secret == "":
			return nil, fmt.Errorf("line %d: a vector has an id, a url and a secret", n)
		case v.Expect != Valid && v.Expect != Invalid && v.Expect != Expired:
			return nil, fmt.Errorf("line %d: %s expects %q, want %s, %s or %s", n, v.ID, v.Expect, Valid, Invalid, Expired)
		case seen[v.ID]:
			return nil, fmt.Errorf("line %d: %s is there twice", n, v.ID)
		case err != nil:
			return nil, fmt.Errorf("line %d: %s: secret: %w", n, v.ID, err)
		}
		seen[v.ID] = true
		vectors = append(vectors, v)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(vectors) == 0 {
		return nil, fmt.Errorf("there are no vectors")
	}
	return vectors, nil
}

// NewRequest returns the view of a GET request for an absolute URL, taken apart
// without decoding anything. A query beyond the bounds of package query is left
// without pairs.
func NewRequest(url string) *link.Request {
	r := new(link.Request)
	fill(r, url)
	return r
}

// fill is NewRequest into a request that exists: one holds a query, so it must not
// be copied.
func fill(r *link.Request, url string) {
	url, _, _ = strings.Cut(url, "#")
	rest, query, _ := strings.Cut(url, "?")
	scheme, rest, ok := strings.Cut(rest, "://")
	if !ok {
		scheme, rest = "https", scheme
	}
	host, path, _ := strings.Cut(rest, "/")
	set(r, scheme, host, "/"+path, query)
}

func set(r *link.Request, scheme, host, path, query string) {
	r.Method, r.Scheme, r.Host, r.Path, r.ClientIP = "GET", scheme, host, path, "192.0.2.1"
	_ = r.Query.Parse(query) // the bounds are the gateway's business, and leave no pairs
}
