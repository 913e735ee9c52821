package keyedhash

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
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
	sha224Digest
	sha256Digest
	sha384Digest
	sha512Digest
	sha512Of224Digest
	sha512Of256Digest
	sha3Of224Digest
	sha3Of256Digest
	sha3Of384Digest
	sha3Of512Digest
	numDigests
)

// sha3State is what SHA-3 computes with (FIPS 202: 1600 bits), of which no digest shows more
// than a third.
const sha3State = 200

var digests = [numDigests]Algorithm{
	{"md5", false, md5Digest, md5.Size, md5.Size},
	{"sha1", false, sha1Digest, sha1.Size, sha1.Size},
	{"sha224", false, sha224Digest, sha256.Size224, sha256.Size},
	{"sha256", false, sha256Digest, sha256.Size, sha256.Size},
	{"sha384", false, sha384Digest, sha512.Size384, sha512.Size},
	{"sha512", false, sha512Digest, sha512.Size, sha512.Size},
	{"sha512-224", false, sha512Of224Digest, sha512.Size224, sha512.Size},
	{"sha512-256", false, sha512Of256Digest, sha512.Size256, sha512.Size},
	{"sha3-224", false, sha3Of224Digest, 28, sha3State},
	{"sha3-256", false, sha3Of256Digest, 32, sha3State},
	{"sha3-384", false, sha3Of384Digest, 48, sha3State},
	{"sha3-512", false, sha3Of512Digest, 64, sha3State},
}

// Algorithms are the names of the digests; each may stand behind `hmac-`.
func Algorithms() []string {
	names := make([]string, 0, numDigests)
	for _, a := range digests {
		names = append(names, a.name)
	}
	return names
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
	case sha224Digest:
		s := sha256.Sum224(message)
		return append(dst, s[:]...)
	case sha384Digest:
		s := sha512.Sum384(message)
		return append(dst, s[:]...)
	case sha512Digest:
		s := sha512.Sum512(message)
		return append(dst, s[:]...)
	case sha512Of224Digest:
		s := sha512.Sum512_224(message)
		return append(dst, s[:]...)
	case sha512Of256Digest:
		s := sha512.Sum512_256(message)
		return append(dst, s[:]...)
	case sha3Of224Digest:
		s := sha3.Sum224(message)
		return append(dst, s[:]...)
	case sha3Of256Digest:
		s := sha3.Sum256(message)
		return append(dst, s[:]...)
	case sha3Of384Digest:
		s := sha3.Sum384(message)
		return append(dst, s[:]...)
	case sha3Of512Digest:
		s := sha3.Sum512(message)
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
	case sha224Digest:
		return sha256.New224()
	case sha384Digest:
		return sha512.New384()
	case sha512Digest:
		return sha512.New()
	case sha512Of224Digest:
		return sha512.New512_224()
	case sha512Of256Digest:
		return sha512.New512_256()
	case sha3Of224Digest:
		return sha3.New224()
	case sha3Of256Digest:
		return sha3.New256()
	case sha3Of384Digest:
		return sha3.New384()
	case sha3Of512Digest:
		return sha3.New512()
	default:
		return sha256.New()
	}
}

// ParseAlgorithm returns the algorithm of that name: md5 (RFC 1321), sha1, sha224, sha256,
// sha384, sha512, sha512-224, sha512-256 (FIPS 180-4), sha3-224 to sha3-512 (FIPS 202), or
// one of them behind `hmac-`.
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
	return Algorithm{}, fmt.Errorf("unknown algorithm %q%s; there are %s, and each behind hmac-",
		link.Shown(name), link.DidYouMean(name, known), strings.Join(Algorithms(), ", "))
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
	Base64Hex // base64 of hex: PHP's base64_encode(hash_hmac(…))
)

// isBase64 reports whether a signature is written in base64, and may have padding.
func (e Encoding) isBase64() bool { return e == Base64 || e == Base64URL || e == Base64Hex }

// ParseEncoding returns the encoding of that name; the empty name is hex.
func ParseEncoding(name string, anyCase bool) (Encoding, error) {
	switch {
	case name == "" || name == "hex":
		if anyCase {
			return HexAnyCase, nil
		}
		return Hex, nil
	case anyCase && (name == "base64" || name == "base64url" || name == "base64_hex"):
		return 0, fmt.Errorf("any_case goes with hex only: in %s upper and lower case are different digits", name)
	case name == "base64":
		return Base64, nil
	case name == "base64url":
		return Base64URL, nil
	case name == "base64_hex":
		return Base64Hex, nil
	}
	return 0, fmt.Errorf("unknown encoding %q%s; write hex, base64, base64url or base64_hex",
		link.Shown(name), link.DidYouMean(name, []string{"hex", "base64", "base64url", "base64_hex"}))
}

func (e Encoding) append(dst, digest []byte) []byte {
	switch e {
	case Base64:
		return base64.RawStdEncoding.AppendEncode(dst, digest)
	case Base64URL:
		return base64.RawURLEncoding.AppendEncode(dst, digest)
	case Base64Hex:
		var buf [2 * maxDigest]byte
		return base64.RawStdEncoding.AppendEncode(dst, hex.AppendEncode(buf[:0], digest))
	default:
		return hex.AppendEncode(dst, digest)
	}
}

// bytes is the number of bytes of a digest that so many characters show.
func (e Encoding) bytes(characters int) int {
	switch e {
	case Base64, Base64URL:
		return (characters*6 + 7) / 8
	case Base64Hex:
		return Hex.bytes((characters*6 + 7) / 8)
	default:
		return (characters + 1) / 2
	}
}

// length is the number of characters of a whole signature of size bytes.
func (e Encoding) length(size int) int {
	switch e {
	case Base64, Base64URL:
		return base64.RawStdEncoding.EncodedLen(size)
	case Base64Hex:
		return base64.RawStdEncoding.EncodedLen(hex.EncodedLen(size))
	default:
		return hex.EncodedLen(size)
	}
}

// MAC compares the signature in a link with the one that a key makes.
type MAC struct {
	Algorithm Algorithm
	Encoding  Encoding
	Length    int  // characters of the signature that a link carries
	Last      bool // they are its last ones, and not the first
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
const maxSignature = (2*maxDigest*4 + 2) / 3

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
	want := m.appendText(text[:0], sum)
	if m.Encoding.isBase64() {
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
	return m.appendText(dst, m.Algorithm.Append(sum[:0], key, message))
}

// appendText appends what a link shows of the digest.
func (m *MAC) appendText(dst, sum []byte) []byte {
	if m.Last {
		var text [maxSignature]byte
		whole := m.Encoding.append(text[:0], sum)
		return append(dst, whole[len(whole)-m.Length:]...)
	}
	n := len(dst)
	return m.Encoding.append(dst, sum[:min(len(sum), m.Encoding.bytes(m.Length))])[:n+m.Length]
}

// unpad takes the padding off a whole signature: all of it or nothing.
func (m *MAC) unpad(s string) string {
	if !m.Unpadded && m.Length == m.Encoding.length(m.Algorithm.size) && len(s) == (m.Length+3)/4*4 {
		return strings.TrimSuffix(s, "==="[:len(s)-m.Length])
	}
	return s
}
