package keyedhash

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func algorithm(t testing.TB, name string) Algorithm {
	t.Helper()
	a, err := ParseAlgorithm(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newMAC(t testing.TB, name string, e Encoding, truncate int) MAC {
	t.Helper()
	m, err := NewMAC(algorithm(t, name), e, truncate)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestKnownAnswers: the test vectors of the standards.
func TestKnownAnswers(t *testing.T) {
	repeat := func(b byte, n int) string { return strings.Repeat(string([]byte{b}), n) }
	const (
		jefe   = "what do ya want for nothing?"
		larger = "Test Using Larger Than Block-Size Key - Hash Key First"
		two    = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
	)
	for _, tc := range []struct{ source, algorithm, key, message, want string }{
		{"RFC 1321 A.5", "md5", "", "", "d41d8cd98f00b204e9800998ecf8427e"},
		{"RFC 1321 A.5", "md5", "", "a", "0cc175b9c0f1b6a831c399e269772661"},
		{"RFC 1321 A.5", "md5", "", "abc", "900150983cd24fb0d6963f7d28e17f72"},
		{"RFC 1321 A.5", "md5", "", "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
		{"RFC 1321 A.5", "md5", "", strings.Repeat("1234567890", 8), "57edf4a22be3c955ac49da2e2107b67a"},
		{"RFC 3174 7.3", "sha1", "", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"RFC 3174 7.3", "sha1", "", two, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
		{"RFC 6234 8.5", "sha256", "", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"RFC 6234 8.5", "sha256", "", two, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{"RFC 6234 8.5", "sha384", "", "abc", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
		{"RFC 6234 8.5", "sha512", "", "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},

		{"RFC 2202 2", "hmac-md5", repeat(0x0b, 16), "Hi There", "9294727a3638bb1c13f48ef8158bfc9d"},
		{"RFC 2202 2", "hmac-md5", "Jefe", jefe, "750c783e6ab0b503eaa86e310a5db738"},
		{"RFC 2202 2", "hmac-md5", repeat(0xaa, 80), larger, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"},
		{"RFC 2202 3", "hmac-sha1", repeat(0x0b, 20), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
		{"RFC 2202 3", "hmac-sha1", "Jefe", jefe, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
		{"RFC 2202 3", "hmac-sha1", repeat(0xaa, 80), larger, "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
		{"RFC 4231 4.2", "hmac-sha256", repeat(0x0b, 20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{"RFC 4231 4.2", "hmac-sha384", repeat(0x0b, 20), "Hi There", "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6"},
		{"RFC 4231 4.2", "hmac-sha512", repeat(0x0b, 20), "Hi There", "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
		{"RFC 4231 4.3", "hmac-sha256", "Jefe", jefe, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{"RFC 4231 4.3", "hmac-sha384", "Jefe", jefe, "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"},
		{"RFC 4231 4.3", "hmac-sha512", "Jefe", jefe, "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
		{"RFC 4231 4.7", "hmac-sha256", repeat(0xaa, 131), larger, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	} {
		m := newMAC(t, tc.algorithm, Hex, 0)
		if got := string(m.AppendSignature([]byte("x"), []byte(tc.key), []byte(tc.message))); got != "x"+tc.want {
			t.Errorf("%s, %s of %.20q: %s, want x%s", tc.source, tc.algorithm, tc.message, got, tc.want)
		}
		key := []byte(tc.key)
		if len(key) == 0 {
			key = []byte("a digest has its secret in the message")
		}
		if !m.Equal(tc.want, key, []byte(tc.message)) {
			t.Errorf("%s, %s of %.20q: Equal says no", tc.source, tc.algorithm, tc.message)
		}
		raw, err := hex.DecodeString(tc.want)
		if err != nil {
			t.Fatal(err)
		}
		for e, want := range map[Encoding]string{
			Base64: base64.StdEncoding.EncodeToString(raw), Base64URL: base64.URLEncoding.EncodeToString(raw),
			HexAnyCase: strings.ToUpper(tc.want),
		} {
			m := newMAC(t, tc.algorithm, e, 0)
			for _, given := range []string{want, strings.TrimRight(want, "=")} {
				if !m.Equal(given, key, []byte(tc.message)) {
					t.Errorf("%s, %s of %.20q: Equal says no to %s", tc.source, tc.algorithm, tc.message, given)
				}
			}
		}
	}
}

// TestEncodings: the texts are what other tools print (`openssl dgst -binary | base64`).
func TestEncodings(t *testing.T) {
	for _, tc := range []struct {
		algorithm string
		encoding  Encoding
		truncate  int
		want      string
	}{
		{"md5", Hex, 0, "900150983cd24fb0d6963f7d28e17f72"},
		{"md5", HexAnyCase, 0, "900150983cd24fb0d6963f7d28e17f72"},
		{"md5", Base64, 0, "kAFQmDzST7DWlj99KOF/cg"},
		{"md5", Base64URL, 0, "kAFQmDzST7DWlj99KOF_cg"},
		{"md5", Base64URL, 6, "kAFQmD"},
		{"md5", Hex, 4, "9001"},
		{"md5", Hex, 32, "900150983cd24fb0d6963f7d28e17f72"},
		{"sha256", Base64URL, 6, "ungWv4"},
		{"sha256", Base64URL, 43, "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"},
		{"md5", Base64Hex, 0, "OTAwMTUwOTgzY2QyNGZiMGQ2OTYzZjdkMjhlMTdmNzI"},
		{"md5", Base64Hex, 10, "OTAwMTUwOT"},
		{"sha512", Base64Hex, 0, "ZGRhZjM1YTE5MzYxN2FiYWNjNDE3MzQ5YWUyMDQxMzExMmU2ZmE0ZTg5YTk3ZWEyMGE5ZWVlZTY0YjU1ZDM5YTIxOTI5OTJhMjc0ZmMxYTgzNmJhM2MyM2EzZmVlYmJkNDU0ZDQ0MjM2NDNjZTgwZTJhOWFjOTRmYTU0Y2E0OWY"},
		{"sha384", Base64URL, 0, "ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP_W-2AhgcroefMI1i67KE0yCWn"},
	} {
		m := newMAC(t, tc.algorithm, tc.encoding, tc.truncate)
		if got := string(m.AppendSignature(nil, nil, []byte("abc"))); got != tc.want {
			t.Errorf("%s, encoding %d, %d characters: %s, want %s", tc.algorithm, tc.encoding, tc.truncate, got, tc.want)
		}
	}
}

// TestDigestsOfPHP: digests and HMACs of hash() and hash_hmac() of PHP 8.2, the last of a
// message and a key that are longer than a block.
func TestDigestsOfPHP(t *testing.T) {
	for _, tc := range []struct{ name, digest, hmac, long string }{
		{"sha224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7", "a0b5eecae3f74f0561a8da6f389f78f1a3895c8c183c31c1756d7925", "604fd396a2143be9b2c014918fa27298058cdda1197ec5b37dce7210"},
		{"sha512-224", "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa", "a91f4cc5899885cf394e5e31aa17b3bcc7c9599252d14d2a978a159d", "b09737e5d4e22c4ed70978a90a37be374a780f2c5b773a80b44a58f4"},
		{"sha512-256", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23", "85dffcd3e78dd21a09e8c7b21e6290eed868cb37d64ab7702e8809b9010f0cee", "eac4974f08aa8ca73523735a95b860f2076d51748f1000ef39eafe18fc37d9d3"},
		{"sha3-224", "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf", "d67a1f6c06fba02851bdb27bb78463f805b63f34bfbc7ebb8bf24016", "b2688e05d983e60a34ed7c01e6712daf07adecef8f353b5b110ba465"},
		{"sha3-256", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532", "0f43852a24d5597a8200312a95993991581679d63264f1b1ad4b5ccac7fe8ba4", "f470d334c6c779d6a025ebb6aabbd5afb57521688602015c909085d1bb36c42e"},
		{"sha3-384", "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25", "be48b7a82bf3dda2dc743a584e7a7d6375a664e611d240a6c951f3d15e18666fc6d4b3e31f8d6c44caec98667209aa31", "1a1a3120a91f54add2164cbe8f44e8a682aac3823d1e2d14033937f2dd69e30ee0d6bec80a0b51166814f2d51086a770"},
		{"sha3-512", "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0", "4b733ae1713d83ed27e49527a1e4ce032ecad6657e82403b42c31f901f00bdc306fdc5d1e4b664530e9c691a01070d85e6479be0b9c43b28e0ed7740f90628cf", "6a984beb2d530108ed3bd0dd95326ee3dbd6a4e154fca24cc5a37e3f5d601c0d0433cca441fd242e4c6b0ca1dddda6e8bd8ce07fdf5e4f6e335f8e6c98892dd0"},
	} {
		plain, keyed := newMAC(t, tc.name, Hex, 0), newMAC(t, "hmac-"+tc.name, Hex, 0)
		if got := string(plain.AppendSignature(nil, nil, []byte("abc"))); got != tc.digest {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.digest)
		}
		long := []byte(strings.Repeat("m", 300))
		for _, m := range []struct {
			key, message []byte
			want         string
		}{{[]byte("key"), []byte("message"), tc.hmac}, {[]byte(strings.Repeat("k", 200)), long, tc.long}} {
			if got := string(keyed.AppendSignature(nil, m.key, m.message)); got != m.want {
				t.Errorf("hmac-%s: %s, want %s", tc.name, got, m.want)
			}
			if !keyed.Key(m.key, m.message[:2]).Equal(m.want, m.message[2:]) || keyed.Key(m.key, m.message[:2]).Equal(m.want, m.message[1:]) {
				t.Errorf("hmac-%s: a prepared key is another one", tc.name)
			}
		}
		if !plain.Key([]byte("key"), long).Equal(string(plain.AppendSignature(nil, nil, append(long, "abc"...))), []byte("abc")) {
			t.Errorf("%s: the state behind a beginning is another one", tc.name)
		}
	}
}

// TestBase64OfHex: PHP's base64_encode(hash_hmac(…)), with its padding and without; what
// shows no byte of the signature is another text.
func TestBase64OfHex(t *testing.T) {
	const right = "NmU5ZWYyOWI3NWZmZmM1YjdhYmFlNTI3ZDU4ZmRhZGIyZmU0MmU3MjE5MDExOTc2OTE3MzQzMDY1ZjU4ZWQ0YQ=="
	m := newMAC(t, "hmac-sha256", Base64Hex, 0)
	for given, want := range map[string]bool{
		right: true, strings.TrimRight(right, "="): true,
		right[:len(right)-1]: false, right + "=": false, strings.ToLower(right): false,
		"6e9ef29b75fffc5b7abae527d58fdadb2fe42e7219011976917343065f58ed4a": false,
		strings.TrimRight(right, "=")[:85] + "R":                           false, // spare bits
	} {
		if got := m.Equal(given, []byte("key"), []byte("message")); got != want {
			t.Errorf("%s: %t", given, got)
		}
	}
	if m.Bits() != 256 {
		t.Errorf("%d bits", m.Bits())
	}
	if m := newMAC(t, "hmac-sha256", Base64Hex, 20); m.Bits() != 60 {
		t.Errorf("%d bits in 20 characters", m.Bits())
	}
}

// TestTruncateLast: the last characters of hex, and nothing else of it.
func TestTruncateLast(t *testing.T) {
	m := newMAC(t, "sha256", Hex, 10)
	m.Last = true
	for given, want := range map[string]bool{"61f20015ad": true, "ba7816bf8f": false, "f20015ad": false, "161f20015ad": false, "61F20015AD": false} {
		if got := m.Equal(given, []byte("k"), []byte("abc")); got != want {
			t.Errorf("%s: %t", given, got)
		}
	}
	if got := string(m.AppendSignature([]byte("x"), nil, []byte("abc"))); got != "x61f20015ad" {
		t.Error(got)
	}
}

func TestParseAlgorithm(t *testing.T) {
	for _, name := range Algorithms() {
		for prefix, keyed := range map[string]bool{"": false, "hmac-": true} {
			a, err := ParseAlgorithm(prefix + name)
			if err != nil || a.String() != prefix+name || a.Keyed() != keyed {
				t.Errorf("%s%s: %s, keyed %t, error %v", prefix, name, a, a.Keyed(), err)
			}
		}
	}
	for _, name := range []string{"", "MD5", "sha-256", "sha3", "sha512/256", "hmac-", "hmac", "hmac-hmac-md5", "hmacsha1", "none", "md5 ", "crc32"} {
		if _, err := ParseAlgorithm(name); err == nil || !strings.Contains(err.Error(), "there are md5, sha1, sha224, sha256, sha384, sha512, sha512-224, sha512-256, sha3-224") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

func TestParseEncoding(t *testing.T) {
	for _, tc := range []struct {
		name    string
		anyCase bool
		want    Encoding
		err     string
	}{
		{"", false, Hex, ""},
		{"hex", false, Hex, ""},
		{"", true, HexAnyCase, ""},
		{"hex", true, HexAnyCase, ""},
		{"base64", false, Base64, ""},
		{"base64url", false, Base64URL, ""},
		{"base64", true, 0, "upper and lower case are different digits"},
		{"base64url", true, 0, "upper and lower case are different digits"},
		{"base32", true, 0, "unknown encoding"},
		{"base64_hex", false, Base64Hex, ""},
		{"base64_hex", true, 0, "upper and lower case are different digits"},
		{"base32", false, 0, "write hex, base64, base64url or base64_hex"},
		{"HEX", false, 0, "write hex, base64, base64url or base64_hex"},
	} {
		got, err := ParseEncoding(tc.name, tc.anyCase)
		if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%q, any case %t: %d, error %v; want %d, %q", tc.name, tc.anyCase, got, err, tc.want, tc.err)
		}
	}
}

func TestNewMACErrors(t *testing.T) {
	for _, tc := range []struct {
		algorithm string
		encoding  Encoding
		truncate  int
		want      string
	}{
		{"md5", Hex, -1, "fewer than 4"},
		{"md5", Hex, 1, "fewer than 4"},
		{"md5", Hex, 3, "fewer than 4"},
		{"md5", Hex, 33, "only 32 characters"},
		{"md5", Base64, 23, "only 22 characters"},
		{"hmac-sha256", Base64URL, 44, "a hmac-sha256 in this encoding has only 43 characters"},
		{"sha512", Hex, 129, "only 128 characters"},
	} {
		if _, err := NewMAC(algorithm(t, tc.algorithm), tc.encoding, tc.truncate); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s, truncate %d: error %v, want %q", tc.algorithm, tc.truncate, err, tc.want)
		}
	}
}

// TestAttackBase64SpareBits: the last character of base64 has bits that no byte holds, and
// decoders ignore them: `QQ` and `QR` are both "A". A gateway that decodes has many
// texts for one signature, which slip past deny lists and replay stores (peers' bug A8).
func TestAttackBase64SpareBits(t *testing.T) {
	const std = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	key, message := []byte("key"), []byte("message")
	for e, alphabet := range map[Encoding]string{Base64: std, Base64URL: std[:62] + "-_"} {
		for _, name := range []string{"md5", "hmac-sha1", "hmac-sha256", "hmac-sha512"} {
			m := newMAC(t, name, e, 0)
			right := string(m.AppendSignature(nil, key, message))
			for _, c := range alphabet {
				given := right[:len(right)-1] + string(c)
				if m.Equal(given, key, message) != (given == right) {
					t.Errorf("%s, encoding %d: %s passes for %s", name, e, given, right)
				}
			}
		}
	}
}

// TestAttackBase64Text: what lenient decoders skip or take for each other.
func TestAttackBase64Text(t *testing.T) {
	key, message := []byte("key"), []byte("message 1") // its MAC has '+' and '/' in base64
	standard, urlsafe := newMAC(t, "hmac-sha256", Base64, 0), newMAC(t, "hmac-sha256", Base64URL, 0)
	right, safe := string(standard.AppendSignature(nil, key, message)), string(urlsafe.AppendSignature(nil, key, message))
	if !strings.Contains(right, "+") || !strings.Contains(right, "/") {
		t.Fatal("the message has a MAC without '+' and '/'; choose another")
	}
	for _, tc := range []struct {
		mac   MAC
		given string
		want  bool
	}{
		{standard, right, true},
		{standard, right + "=", true},
		{standard, right + "==", false},
		{standard, right + "===", false},
		{standard, "=" + right, false},
		{standard, right[:42] + "=", false},
		{standard, right[:42] + "==", false},
		{standard, safe, false},
		{urlsafe, safe, true},
		{urlsafe, safe + "=", true},
		{urlsafe, safe + "==", false},
		{urlsafe, right, false},
		{standard, right + "\n", false},
		{standard, right + "\r\n", false},
		{standard, right[:20] + "\n" + right[20:], false},
		{standard, right[:20] + " " + right[20:], false},
		{standard, " " + right, false},
		{standard, right + "\x00", false},
		{standard, strings.ReplaceAll(right, "+", " "), false},
		{standard, strings.ToLower(right), false},
		{standard, right + "AAAA", false},
		{standard, "", false},
		{standard, "=", false},
	} {
		if tc.mac.Equal(tc.given, key, message) != tc.want {
			t.Errorf("%q, where %q is right: %t, want %t", tc.given, right, !tc.want, tc.want)
		}
	}
	// 16 bytes leave two pads, 48 none; lighttpd's mod_secdownload refuses all of them
	for name, pads := range map[string]int{"md5": 2, "sha384": 0, "sha512": 2, "sha1": 1} {
		m := newMAC(t, name, Base64, 0)
		right := string(m.AppendSignature(nil, key, message))
		for n := range 4 {
			if got, want := m.Equal(right+strings.Repeat("=", n), key, message), n == 0 || n == pads; got != want {
				t.Errorf("%s with %d pads: %t, want %t", name, n, got, want)
			}
			strict := m
			strict.Unpadded = true
			if got, want := strict.Equal(right+strings.Repeat("=", n), key, message), n == 0; got != want {
				t.Errorf("%s with %d pads, unpadded: %t, want %t", name, n, got, want)
			}
		}
		if m := newMAC(t, name, Base64, 6); m.Equal(right[:6]+"==", key, message) || m.Equal(right[:6]+"=", key, message) {
			t.Errorf("%s: a truncated signature passes with padding", name)
		}
	}
}

// TestAttackHexCase: the applications that make these links compare text, so a signature
// of the other case is another text, unless the operator says otherwise (peers' bug A8).
func TestAttackHexCase(t *testing.T) {
	key, message := []byte("key"), []byte("message")
	right := string(newMAC(t, "md5", Hex, 0).AppendSignature(nil, key, message))
	mixed := strings.ToUpper(right[:16]) + right[16:]
	for given, want := range map[string]struct{ hex, anyCase bool }{
		right:                         {true, true},
		strings.ToUpper(right):        {false, true},
		mixed:                         {false, true},
		"0x" + right:                  {false, false},
		right + " ":                   {false, false},
		right[:31]:                    {false, false},
		right + "0":                   {false, false},
		right[:31] + "g":              {false, false},
		"":                            {false, false},
		strings.Repeat("0", 32):       {false, false},
		strings.Repeat("0", 1<<16):    {false, false},
		strings.Repeat("\x00", 32):    {false, false},
		right[:31] + "\u0660"[:1]:     {false, false},
		strings.Repeat("\u0131", 16):  {false, false},
		strings.ToUpper(right) + "\n": {false, false},
	} {
		if got := newMAC(t, "md5", Hex, 0).Equal(given, key, message); got != want.hex {
			t.Errorf("hex: %.40q: %t, want %t", given, got, want.hex)
		}
		if got := newMAC(t, "md5", HexAnyCase, 0).Equal(given, key, message); got != want.anyCase {
			t.Errorf("any case: %.40q: %t, want %t", given, got, want.anyCase)
		}
	}
}

// TestAttackTypeJuggling: to PHP's == the texts "0e12…" and "0" are numbers, and equal.
func TestAttackTypeJuggling(t *testing.T) {
	m := newMAC(t, "md5", Hex, 0)
	key, magic := []byte("key"), []byte("240610708") // md5: 0e462097431906509019562988736854
	for _, given := range []string{"0", "0e0", "00000000000000000000000000000000", "0e830400451993494058024219903391"} {
		if m.Equal(given, key, magic) {
			t.Errorf("%s passes for 0e462097431906509019562988736854", given)
		}
	}
	if !m.Equal("0e462097431906509019562988736854", key, magic) {
		t.Error("the right signature does not pass")
	}
}

// TestAttackTruncation: only as many characters as are configured, no fewer and no more.
func TestAttackTruncation(t *testing.T) {
	key, message := []byte("key"), []byte("message")
	whole := string(newMAC(t, "sha256", Hex, 0).AppendSignature(nil, key, message))
	for _, length := range []int{4, 8, 63, 64} {
		m := newMAC(t, "sha256", Hex, length)
		for n := range len(whole) + 1 {
			if got := m.Equal(whole[:n], key, message); got != (n == length) {
				t.Errorf("%d characters where %d belong: %t", n, length, got)
			}
		}
	}
}

// TestAttackEmptyKey: the empty key is everybody's.
func TestAttackEmptyKey(t *testing.T) {
	for _, name := range []string{"md5", "sha256", "hmac-md5", "hmac-sha256"} {
		m := newMAC(t, name, Hex, 0)
		for _, key := range [][]byte{nil, {}} {
			if m.Equal(string(m.AppendSignature(nil, key, []byte("message"))), key, []byte("message")) {
				t.Errorf("%s: a signature under an empty key passes", name)
			}
		}
	}
}
