package keyedhash

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/signedlink/caddy-signed-link/link"
)

// Algorithm is a digest, or the HMAC (RFC 2104) with it. The secret of a digest
// stands in the message; that of an HMAC is its key.
type Algorithm struct {
	name   string
	keyed  bool
	digest digest
	size   int
	state  int // bytes that it computes with; a digest that shows all of them can be extended
}

// digest is one of the digests.
type digest uint8

const (
	md5Digest digest = iota
	sha1Digest
	sha256Digest
	sha384Digest
	sha512Digest
	numDigests
)

var digests = [numDigests]Algorithm{
	{"md5", false, md5Digest, md5.Size, md5.Size},
	{"sha1", false, sha1Digest, sha1.Size, sha1.Size},
	{"sha256", false, sha256Digest, sha256.Size, sha256.Size},
	{"sha384", false, sha384Digest, sha512.Size384, sha512.Size},
	{"sha512", false, sha512Digest, sha512.Size, sha512.Size},
}

// append appends the digest of message. It is a switch because through a table of
// functions the compiler cannot see that the message may stay on the stack.
func (d digest) append(dst, message []byte) []byte {
	switch d {
	case md5Digest:
		s := md5.Sum(message)
		return append(dst, s[:]...)
	case sha1Digest:
		s := sha1.Sum(message)
		return append(dst, s[:]...)
	case sha384Digest:
		s := sha512.Sum384(message)
		return append(dst, s[:]...)
	case sha512Digest:
		s := sha512.Sum512(message)
		return append(dst, s[:]...)
	default:
		s := sha256.Sum256(message)
		return append(dst, s[:]...)
	}
}

// new returns the digest as a state.
func (d digest) new() hash.Hash {
	switch d {
	case md5Digest:
		return md5.New()
	case sha1Digest:
		return sha1.New()
	case sha384Digest:
		return sha512.New384()
	case sha512Digest:
		return sha512.New()
	default:
		return sha256.New()
	}
}

// ParseAlgorithm returns the algorithm of that name: md5, sha1, sha256, sha384,
// sha512 (RFC 1321, FIPS 180-4), or one of them behind `hmac-`.
func ParseAlgorithm(name string) (Algorithm, error) {
	digest, keyed := strings.CutPrefix(name, "hmac-")
	for _, a := range digests {
		if a.name == digest {
			a.name, a.keyed = name, keyed
			return a, nil
		}
	}
	known := make([]string, 0, 2*numDigests)
	for _, a := range digests {
		known = append(known, a.name, "hmac-"+a.name)
	}
	return Algorithm{}, fmt.Errorf("unknown algorithm %q%s; write md5, sha1, sha256, sha384 or sha512, or one of them behind hmac-",
		link.Shown(name), link.DidYouMean(name, known))
}

// String returns the algorithm's name.
func (a Algorithm) String() string { return a.name }

// Keyed reports whether the algorithm is an HMAC.
func (a Algorithm) Keyed() bool { return a.keyed }

// Append appends the digest of message, or its HMAC under key.
func (a Algorithm) Append(dst, key, message []byte) []byte {
	if !a.keyed {
		return a.digest.append(dst, message)
	}
	w := a.digest.borrow()
	defer w.back(a.digest)
	w.pad(key)
	w.hash.Reset()
	w.hash.Write(w.block)
	w.write(message)
	w.outerPad()
	w.sum = w.hash.Sum(w.sum[:0])
	w.hash.Reset()
	w.hash.Write(w.block)
	w.hash.Write(w.sum)
	w.sum = w.hash.Sum(w.sum[:0])
	return append(dst, w.sum...)
}

// Encoding is how a link writes a signature.
type Encoding uint8

// The encodings. Base64 and Base64URL (RFC 4648) are compared without padding, so
// links with and without it verify, but for [MAC].Unpadded; nothing else about them is
// lenient.
const (
	Hex Encoding = iota // lower case
	HexAnyCase
	Base64
	Base64URL
)

// ParseEncoding returns the encoding of that name; the empty name is hex.
func ParseEncoding(name string, anyCase bool) (Encoding, error) {
	switch {
	case name == "" || name == "hex":
		if anyCase {
			return HexAnyCase, nil
		}
		return Hex, nil
	case anyCase && (name == "base64" || name == "base64url"):
		return 0, fmt.Errorf("any_case goes with hex only: in %s upper and lower case are different digits", name)
	case name == "base64":
		return Base64, nil
	case name == "base64url":
		return Base64URL, nil
	}
	return 0, fmt.Errorf("unknown encoding %q%s; write hex, base64 or base64url",
		link.Shown(name), link.DidYouMean(name, []string{"hex", "base64", "base64url"}))
}

func (e Encoding) append(dst, digest []byte) []byte {
	switch e {
	case Base64:
		return base64.RawStdEncoding.AppendEncode(dst, digest)
	case Base64URL:
		return base64.RawURLEncoding.AppendEncode(dst, digest)
	default:
		return hex.AppendEncode(dst, digest)
	}
}

// bytes is the number of bytes of a digest that so many characters show.
func (e Encoding) bytes(characters int) int {
	if e == Base64 || e == Base64URL {
		return (characters*6 + 7) / 8
	}
	return (characters + 1) / 2
}

// length is the number of characters of a whole signature of size bytes.
func (e Encoding) length(size int) int {
	if e == Base64 || e == Base64URL {
		return base64.RawStdEncoding.EncodedLen(size)
	}
	return hex.EncodedLen(size)
}

// MAC compares the signature in a link with the one that a key makes.
type MAC struct {
	Algorithm Algorithm
	Encoding  Encoding
	Length    int  // characters of the signature that a link carries
	Unpadded  bool // base64 with padding is refused, too, where the signer's own verifier does so
}

// MinLength is the fewest characters of a signature that may be configured.
const MinLength = 4

// NewMAC checks the combination. A truncate of 0 keeps the whole signature.
func NewMAC(a Algorithm, e Encoding, truncate int) (MAC, error) {
	whole := e.length(a.size)
	switch {
	case truncate == 0:
		truncate = whole
	case truncate < MinLength:
		return MAC{}, fmt.Errorf("truncate %d: fewer than %d characters are guessed at once", truncate, MinLength)
	case truncate > whole:
		return MAC{}, fmt.Errorf("truncate %d: a %s in this encoding has only %d characters", truncate, a, whole)
	}
	return MAC{Algorithm: a, Encoding: e, Length: truncate}, nil
}

// maxSignature is the length of the longest signature of any algorithm and encoding.
const maxSignature = 2 * maxDigest

// Equal reports whether given is the signature of message under key.
//
// The texts are compared, never the bytes that they decode to: base64 decoders
// ignore spare bits and line breaks, and six characters of an AKID would decode to
// four bytes and lose four of their 36 bits. The comparison takes constant time; the
// length of a signature is no secret. An empty key makes no signature: anyone has it.
func (m MAC) Equal(given string, key, message []byte) bool {
	var sum [maxDigest]byte
	return m.shows(given, m.Algorithm.Append(sum[:0], key, message)) && len(key) > 0
}

// maxDigest is the size of the longest digest.
const maxDigest = sha512.Size

// shows reports whether given is the text of the digest.
func (m *MAC) shows(given string, sum []byte) bool {
	var text, have [maxSignature]byte
	want := m.Encoding.append(text[:0], sum[:min(len(sum), m.Encoding.bytes(m.Length))])[:m.Length]
	if m.Encoding == Base64 || m.Encoding == Base64URL {
		given = m.unpad(given)
	}
	if len(given) != len(want) {
		return false
	}
	got := append(have[:0], given...)
	if m.Encoding == HexAnyCase {
		for i, c := range got {
			if 'A' <= c && c <= 'F' {
				got[i] = c + 'a' - 'A'
			}
		}
	}
	return subtle.ConstantTimeCompare(got, want) == 1
}

// AppendSignature appends the signature of message under key, as a link writes it.
func (m MAC) AppendSignature(dst, key, message []byte) []byte {
	var sum [maxDigest]byte
	n := len(dst)
	return m.Encoding.append(dst, m.Algorithm.Append(sum[:0], key, message))[:n+m.Length]
}

// unpad takes the padding off a whole signature: all of it or nothing.
func (m *MAC) unpad(s string) string {
	if !m.Unpadded && m.Length == m.Encoding.length(m.Algorithm.size) && len(s) == (m.Length+3)/4*4 {
		return strings.TrimSuffix(s, "==="[:len(s)-m.Length])
	}
	return s
}
