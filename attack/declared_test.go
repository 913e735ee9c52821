package attack_test

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// wildSecret is the secret of a declaration in testdata/declared/wild.Caddyfile: each has
// one of its own, which is named after the variable that has it.
func wildSecret(name string) string { return fixture.HMACKey + name }

func digest(h hash.Hash, message string) []byte {
	h.Write([]byte(message))
	return h.Sum(nil)
}

func md5Hex(message string) string    { return hex.EncodeToString(digest(md5.New(), message)) }
func sha1Hex(message string) string   { return hex.EncodeToString(digest(sha1.New(), message)) }
func sha256Hex(message string) string { return hex.EncodeToString(digest(sha256.New(), message)) }

func hmac1(key, message string) []byte   { return digest(hmac.New(sha1.New, []byte(key)), message) }
func hmac256(key, message string) []byte { return digest(hmac.New(sha256.New, []byte(key)), message) }

// akidOf is left(base64_urlsafe(sha256(SECRET + "." + CLEARTEXT)), 6), of ActionKit's
// sample code.
func akidOf(secret, text string) string {
	return text + "." + base64.URLEncoding.EncodeToString(digest(sha256.New(), secret+"."+text))[:6]
}

// wildNow is the time at which these links are looked at.
var wildNow = time.Unix(1790000000, 0) // 2026-09-21 14:13:20 UTC

// wildLink is a link of the wild, and what must not pass for it.
type wildLink struct {
	name       string
	good       string   // the target
	user       string   // "": none
	arrives    string   // what the backend gets
	tampered   []string // each refused, as invalid
	internal   []string // paths to which only links lead
	pathSigned bool     // no other path arrives by the same signature

	early, late time.Time // when it is refused: before it is valid, and after; zero: never
}

func wildLinks() []wildLink {
	var links []wildLink
	add := func(l wildLink) { links = append(links, l) }
	key := wildSecret
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			panic(err)
		}
		return when
	}

	// md5($secret . $id . $email)
	s := md5Hex(key("S01") + "8841" + "jane@example.org")
	add(wildLink{
		name: "01 three values", good: "/e01?id=8841&email=jane@example.org&sig=" + s, user: "8841", arrives: "/e01?id=8841&email=jane@example.org",
		tampered: []string{
			"/e01?id=8842&email=jane@example.org&sig=" + s,
			"/e01?id=8841&email=june@example.org&sig=" + s,
			"/e01?id=8841jane@example.org&email=&sig=" + s,
			"/e01?id=8841&email=jane@example.org&sig=" + md5Hex("8841jane@example.org"),
			"/e01?id=8841&email=jane@example.org",
		},
	})

	// printf %s "$expires$uri$ip $secret" | openssl md5 -binary | openssl base64 | tr +/ -_ | tr -d =
	nginx := func(path, ip string) string {
		return base64.RawURLEncoding.EncodeToString(digest(md5.New(), "1790003600"+path+ip+" "+key("S06B")))
	}
	s = nginx("/e06b/file 1", "192.0.2.1")
	add(wildLink{
		name: "06b nginx with the client's address", good: "/e06b/file%201?expires=1790003600&md5=" + s, arrives: "/e06b/file%201", pathSigned: true,
		tampered: []string{
			"/e06b/file%202?expires=1790003600&md5=" + s,
			"/e06b/file%201?expires=1790003601&md5=" + s,
			"/e06b/file%201?expires=%31790003600&md5=" + s, // nginx signs what was sent
			"/e06b/file%201?expires=1790003600&md5=" + nginx("/e06b/file 1", "192.0.2.2"),
			"/e06b/file%201?md5=" + s,
		},
		late: time.Unix(1790003601, 0),
	})

	// ngx_http_secure_link_module.c, ngx_http_secure_link_old_variable: md5(link . secret)
	s = md5Hex("a/b%20c.pdf" + key("S06D"))
	add(wildLink{
		name: "06d nginx's old mode", good: "/p/" + s + "/a/b%20c.pdf", arrives: "/secure/a/b%20c.pdf", pathSigned: true,
		tampered: []string{
			"/p/" + s + "/a/b%20d.pdf",
			"/p/" + s + "/a/b%20c.pdf?x=1",
			"/p/" + s + "/a/b%20c.pdf?",
			"/p/" + s + "/x/../a/b%20c.pdf",
			"/p/" + s[1:] + "/a/b%20c.pdf",
			"/p/" + md5Hex("..%2Fetc"+key("S06D")) + "/..%2Fetc",
		},
		internal: []string{"/secure/a/b%20c.pdf", "/Secure/a/b%20c.pdf", "//secure/a/b%20c.pdf", "/x/../secure/a/b%20c.pdf", "/secure/x?y", "/%73ecure/x"},
	})

	// hash_hmac('sha256', $id, $key)
	s = hex.EncodeToString(hmac256(key("S08"), "42"))
	add(wildLink{
		name: "08 signature in the path", good: "/u/42/" + s, user: "42", arrives: "/u/42", pathSigned: true,
		tampered: []string{"/u/43/" + s, "/u/42/" + s[:63], "/u/42/" + s + "/x", "/u/42//" + s, "/u/4%32/../42/" + s, "/u/042/" + s},
		internal: []string{"/u/42", "/u/43", "/u/42/", "/U/42"},
	})

	// md5($secret . $email)
	s = md5Hex(key("S08B") + "jo@example.org")
	add(wildLink{
		name: "08b address in the path", good: "/unsubscribe/jo@example.org/" + s, user: "jo@example.org", arrives: "/unsubscribe/jo@example.org/" + s, pathSigned: true,
		tampered: []string{
			"/unsubscribe/ann@example.org/" + s, "/unsubscribe/jo@example.org", "/unsubscribe/jo@example.org/", "/unsubscribe/jo@example.org/" + s + "0",
			"/unsubscribe/jo@example.org%2F/" + s, "/unsubscribe/ann@example.org/../jo@example.org/" + s,
		},
	})

	// crypto.createHmac('sha256', key).update(email).digest('hex'), generateUnsubscribeUrl
	s = hex.EncodeToString(hmac256(key("S08C"), "jo@example.org"))
	add(wildLink{
		name: "08c last segment", good: "/api/unsubscribe/jo@example.org/" + s, user: "jo@example.org", arrives: "/api/unsubscribe/jo@example.org",
		tampered: []string{
			"/api/unsubscribe/ann@example.org/" + s,
			"/api/unsubscribe/jo@example.org/" + s + "/", "/api/unsubscribe/x/jo@example.org/" + s, "/api/unsubscribe/jo@example.org/" + s[:63] + "g",
		},
		internal: []string{"/api/unsubscribe/jo@example.org", "/api/unsubscribe/ann@example.org", "/API/unsubscribe/x", "/api/x/../unsubscribe/ann@example.org"},
	})

	// hash_hmac('sha256', $u . '|' . date('Y-m-d H:i:s', $until), $key), in Berlin
	s = hex.EncodeToString(hmac256(key("S09B"), "7|2026-12-01 10:00:00"))
	add(wildLink{
		name: "09b local time", good: "/e09b?u=7&until=2026-12-01+10:00:00&sig=" + s, user: "7", arrives: "/e09b?u=7",
		tampered: []string{
			"/e09b?u=8&until=2026-12-01+10:00:00&sig=" + s,
			"/e09b?u=7&until=2027-12-01+10:00:00&sig=" + s,
			"/e09b?u=7&until=2026-12-01T10:00:00&sig=" + s,
			"/e09b?u=7&until=2026-12-01+10:00:00&sig=" + s[1:],
			"/e09b?u=7&until=2026-02-30+10:00:00&sig=" + hex.EncodeToString(hmac256(key("S09B"), "7|2026-02-30 10:00:00")),
		},
		late: at("2026-12-01T09:00:01Z"),
	})

	// "v1:%s:%x" % (code, expires), and hmac.new(key, that, sha256).hexdigest()
	text := fmt.Sprintf("v1:%s:%x", "A7-x", 1790003600)
	s = hex.EncodeToString(hmac256(key("S09C"), text))
	add(wildLink{
		name: "09c hex time in a token", good: "/e09c?t=" + text + ":" + s, user: "A7-x", arrives: "/e09c",
		tampered: []string{
			"/e09c?t=" + strings.Replace(text, "A7", "A8", 1) + ":" + s,
			"/e09c?t=" + strings.Replace(text, ":6", ":7", 1) + ":" + s,
			"/e09c?t=" + strings.Replace(text, "v1", "v2", 1) + ":" + s,
			"/e09c?t=" + text,
			"/e09c?t=v1:" + s,
			"/e09c?t=v1::6ab149d0:" + hex.EncodeToString(hmac256(key("S09C"), "v1::6ab149d0")),
		},
		late: time.Unix(1790003601, 0),
	})

	// md5($u . date('Y-m-d') . $secret), in Berlin
	s = md5Hex("42" + "2026-09-21" + key("S10B"))
	add(wildLink{
		name: "10b day of issue", good: "/e10b?u=42&d=2026-09-21&h=" + s, user: "42", arrives: "/e10b?u=42",
		tampered: []string{
			"/e10b?u=4&d=22026-09-21&h=" + s,
			"/e10b?u=42&d=2026-09-20&h=" + s,
			"/e10b?u=43&d=2026-09-21&h=" + s,
			"/e10b?u=42&h=" + s,
		},
		early: at("2026-09-20T21:59:59Z"), late: at("2026-09-22T22:00:01Z"),
	})

	// osTicket, class.ticket.php: md5($this->getId() . strtolower($email) . SECRET_SALT)
	s = md5Hex("8841" + "jane.roe@example.org" + key("S13B"))
	add(wildLink{
		name: "13b osTicket", good: "/view.php?t=8841&e=jane.roe%40example.org&a=" + s, user: "jane.roe@example.org", arrives: "/view.php?t=8841&e=jane.roe%40example.org",
		tampered: []string{
			"/view.php?t=8842&e=jane.roe%40example.org&a=" + s,
			"/view.php?t=8841&e=john.roe%40example.org&a=" + s,
			"/view.php?t=8841&e=jane.roe%40example.org&a=" + s[:31],
			"/view.php?t=8841&e=jane.roe%40example.org&E=a@b.c&a=" + md5Hex("x"),
		},
	})

	// sha1($name . '|' . $email . '|' . $secret)
	s = sha1Hex("Jo Doe|jo@example.org|" + key("S14C"))
	add(wildLink{
		name: "14c name and address", good: "/e14c?n=Jo%20Doe&e=jo@example.org&h=" + s, user: "jo@example.org", arrives: "/e14c?n=Jo%20Doe&e=jo@example.org",
		tampered: []string{
			"/e14c?n=Jo&e=%20Doe|jo@example.org&h=" + s,
			"/e14c?n=Jo%20Doe|jo@example.org&e=&h=" + s,
			"/e14c?n=Jo%20Doe&e=ann@example.org&h=" + s,
			"/e14c?n=Jo%20Does&e=jo@example.org&h=" + s,
		},
	})

	// Ogone, SHA-OUT: strtoupper(sha1("AMOUNT=15{$secret}ORDERID=1001{$secret}"))
	s = strings.ToUpper(sha1Hex("AMOUNT=15.00" + key("S18") + "ORDERID=1001" + key("S18")))
	add(wildLink{
		name: "18 Ogone", good: "/e18?orderID=1001&amount=15.00&SHASIGN=" + s, arrives: "/e18?orderID=1001&amount=15.00",
		tampered: []string{
			"/e18?orderID=1001&amount=1.00&SHASIGN=" + s,
			"/e18?orderID=1002&amount=15.00&SHASIGN=" + s,
			"/e18?orderID=1001&SHASIGN=" + s,
			"/e18?orderID=1001&amount=15.00&amount=1.00&SHASIGN=" + s,
		},
	})

	// CRM_Contact_BAO_Contact_Utils::generateChecksum: md5("{$hash}_{$cid}_{$ts}_{$live}")
	s = md5Hex(key("CONTACT") + "_42_1789990000_168")
	add(wildLink{
		name: "23 CiviCRM", good: "/civicrm/event?cid=42&cs=" + s + "_1789990000_168", user: "42", arrives: "/civicrm/event?cid=42",
		tampered: []string{
			"/civicrm/event?cid=42&cs=" + s + "_1789990000_169",
			"/civicrm/event?cid=42&cs=" + s + "_1789990000_inf",
			"/civicrm/event?cid=43&cs=" + s + "_1789990000_168",
			"/civicrm/event?cid=42&cs=" + s + "_1790000000_168",
			"/civicrm/event?cid=42&cs=" + s,
		},
		early: time.Unix(1789989999, 0), late: time.Unix(1789990000+168*3600+1, 0),
	})
	s = md5Hex(key("CONTACT") + "_42_1789990000_inf")
	add(wildLink{
		name: "23 CiviCRM for ever", good: "/civicrm/event?cid=42&cs=" + s + "_1789990000_inf", user: "42", arrives: "/civicrm/event?cid=42",
		tampered: []string{
			"/civicrm/event?cid=42&cs=" + s + "_1789990001_inf",
			"/civicrm/event?cid=42&cs=" + s + "_1789990000_INF",
			"/civicrm/event?cid=42&cs=" + s + "_1789990000_1",
		},
	})

	// $id . '-' . hash_hmac('sha1', $id, $key)
	s = hex.EncodeToString(hmac1(key("S28A"), "42"))
	add(wildLink{
		name: "28a id-HASH", good: "/e28a?t=42-" + s, user: "42", arrives: "/e28a",
		tampered: []string{"/e28a?t=43-" + s, "/e28a?t=4-2-" + s, "/e28a?t=42" + s, "/e28a?t=-" + s, "/e28a?t=42-" + s + "-x", "/e28a?t=42-"},
	})

	// base64_encode("$uid:$ts:" . hash_hmac('sha256', "$uid:$ts", $key))
	wrap := func(text string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(text))) }
	text = "jo:1789990000"
	s = hex.EncodeToString(hmac256(key("S28C"), text))
	add(wildLink{
		name: "28c base64 around", good: "/e28c?t=" + wrap(text+":"+s), user: "jo", arrives: "/e28c",
		tampered: []string{
			"/e28c?t=" + wrap("ann:1789990000:"+s),
			"/e28c?t=" + wrap("jo:1790000000:"+s),
			"/e28c?t=" + text + ":" + s,
			"/e28c?t=" + wrap(text+":"+s+":x"),
			"/e28c?t=" + wrap(text+":"+s) + "%0A",
			"/e28c?t=" + wrap("j:o:1789990000:"+s),
		},
		early: time.Unix(1789989999, 0), late: time.Unix(1789990000+7*86400+1, 0),
	})

	// WHMCS, AutoAuth: sha1($email . $timestamp . $autoauthkey)
	s = sha1Hex("jo@example.org" + "1789999900" + key("S41"))
	add(wildLink{
		name: "41 WHMCS", good: "/dologin.php?email=jo@example.org&timestamp=1789999900&hash=" + s + "&goto=a.php", user: "jo@example.org",
		arrives: "/dologin.php?email=jo@example.org&goto=a.php",
		tampered: []string{
			"/dologin.php?email=jo@example.org1&timestamp=789999900&hash=" + s,
			"/dologin.php?email=jo@example.or&timestamp=g1789999900&hash=" + s,
			"/dologin.php?email=jo@example.org&timestamp=1789999901&hash=" + s,
			"/dologin.php?email=ann@example.org&timestamp=1789999900&hash=" + s,
		},
		early: time.Unix(1789999899, 0), late: time.Unix(1789999900+15*60+1, 0),
	})

	// hashlib.sha256("|".join([kind, id, secret]))
	s = sha256Hex("invoice|1001|" + key("S62"))
	add(wildLink{
		name: "62 two segments", good: "/e62/invoice/1001?h=" + s, user: "1001", arrives: "/e62/invoice/1001",
		tampered: []string{
			"/e62/invoice/1002?h=" + s, "/e62/invoices/1001?h=" + s, "/e62/invoice%7C1001/1?h=" + s, "/e62/invoice/1001", "/e62/x/../invoice/1001?h=" + s,
		},
	})

	// 'sha256=' + hmac.new(key, u, sha256).hexdigest(), as webhooks of GitHub have it
	s = hex.EncodeToString(hmac256(key("S71"), "jo"))
	add(wildLink{
		name: "71 sha256=HEX", good: "/e71?u=jo&sig=sha256=" + s, user: "jo", arrives: "/e71?u=jo",
		tampered: []string{"/e71?u=ann&sig=sha256=" + s, "/e71?u=jo&sig=" + s, "/e71?u=jo&sig=sha1=" + s, "/e71?u=jo&sig=sha256=", "/e71?u=jo&sig=sha256==" + s},
	})

	// the Perl in mod_secdownload's documentation: md5_hex($secret . $rel . $hextime)
	s = md5Hex(key("SDL") + "/a/file.zip" + "6ab13b80")
	add(wildLink{
		name: "lighttpd md5", good: "/dl/" + s + "/6ab13b80/a/file.zip", arrives: "/files/a/file.zip", pathSigned: true,
		tampered: []string{
			"/dl/" + s + "/6ab13b81/a/file.zip", "/dl/" + s + "/6ab13b80/b/file.zip", "/dl/" + s + "/6ab13b80/a/file.zip6ab13b80",
			"/dl/" + s + "/6AB13B80/a/file.zip", "/dl/" + s + "/6ab13b80/../a/file.zip",
		},
		internal: []string{"/files/a/file.zip", "/files/b/file.zip", "/FILES/a/file.zip", "/files/"},
		early:    time.Unix(0x6ab13b80-61, 0), late: time.Unix(0x6ab13b80+61, 0),
	})

	// the same: encode_base64url(hmac_sha256("/$hextime$rel", $secret))
	s = base64.RawURLEncoding.EncodeToString(hmac256(key("SDL2"), "/6ab13b80/a/file.zip"))
	add(wildLink{
		name: "lighttpd HMAC", good: "/dl2/" + s + "/6ab13b80/a/file.zip", arrives: "/files2/a/file.zip", pathSigned: true,
		tampered: []string{
			"/dl2/" + s + "/6ab13b81/a/file.zip", "/dl2/" + s + "/6ab13b80/b/file.zip", "/dl2/" + s + "=/6ab13b80/a/file.zip",
		},
		internal: []string{"/files2/a/file.zip", "/files2/../files2/x"},
		early:    time.Unix(0x6ab13b80-61, 0), late: time.Unix(0x6ab13b80+61, 0),
	})

	// Cloudflare's documentation of is_timed_hmac_valid_v0: ts-base64(HMAC-SHA-256(path ts))
	s = url.QueryEscape(base64.StdEncoding.EncodeToString(hmac256(key("SCF"), "/cf/a.mp41789999000")))
	add(wildLink{
		name: "Cloudflare timed HMAC", good: "/cf/a.mp4?verify=1789999000-" + s, arrives: "/cf/a.mp4", pathSigned: true,
		tampered: []string{
			"/cf/b.mp4?verify=1789999000-" + s, "/cf/a.mp4?verify=1789999001-" + s, "/cf/a.mp41?verify=789999000-" + s, "/cf/a.mp?verify=41789999000-" + s, "/cf/a.mp4?verify=" + s, "/cf/a.mp4",
		},
		early: time.Unix(1789998999, 0), late: time.Unix(1789999000+3*3600+1, 0),
	})

	// libthumbor's Signer: base64.urlsafe_b64encode(hmac.new(key, url, sha1).digest())
	s = base64.URLEncoding.EncodeToString(hmac1(key("STHUMB"), "300x200/smart/img/a%20b.jpg"))
	add(wildLink{
		name: "thumbor", good: "/thumbs/" + s + "/300x200/smart/img/a%20b.jpg", arrives: "/unsafe/300x200/smart/img/a%20b.jpg", pathSigned: true,
		tampered: []string{
			"/thumbs/" + s + "/3000x2000/smart/img/a%20b.jpg", "/thumbs/" + s + "/300x200/smart/img/b.jpg", "/thumbs/" + s[:20] + "/300x200/smart/img/a%20b.jpg",
			"/thumbs/unsafe/300x200/x.jpg",
		},
		internal: []string{"/unsafe/300x200/smart/img/a%20b.jpg", "/unsafe/3000x2000/x.jpg", "/unsafe/", "/unsafe", "/uns%61fe/x"},
	})

	add(wildLink{
		name: "dated AKID", good: "/dated?akid=" + akidOf(key("SAKID"), "d260920.103007"), user: "103007", arrives: "/dated",
		tampered: []string{
			"/dated?akid=" + strings.Replace(akidOf(key("SAKID"), "d260920.103007"), "103007", "103008", 1),
			"/dated?akid=" + strings.Replace(akidOf(key("SAKID"), "d260920.103007"), "0920", "0921", 1),
			"/dated?akid=" + akidOf(key("SAKID"), "2695.103007"),
			"/dated?akid=" + akidOf(key("SAKID"), "d260920.x"),
		},
		early: at("2026-09-20T03:59:59Z"), late: at("2026-09-28T04:00:01Z"),
	})
	add(wildLink{
		name: "plain AKID", good: "/go/210?t=1&akid=" + akidOf(key("SAKID2"), ".103007"), user: ".103007", arrives: "/go/210?t=1",
		tampered: []string{
			"/go/210?t=1&akid=" + strings.Replace(akidOf(key("SAKID2"), ".103007"), "103007", "103008", 1),
			"/go/210?t=1&akid=103007" + strings.TrimPrefix(akidOf(key("SAKID2"), ".103007"), ".103007"),
			"/go/210?t=1&akid=" + akidOf("another secret", ".103007"),
			"/go/210?t=1&akid=.103007",
		},
	})
	return links
}

// loadWild loads testdata/declared/wild.Caddyfile, at its time.
func loadWild(t *testing.T) *gatewaytest.Site {
	t.Helper()
	for _, name := range []string{
		"S01", "S06B", "S06D", "S08", "S08B", "S08C", "S09B", "S09C", "S10B", "S13B", "S14C", "S18", "S28A", "S28C", "S41", "S62", "S71", "SDL", "SDL2", "SCF", "STHUMB", "SAKID", "SAKID2",
	} {
		t.Setenv(name, wildSecret(name))
	}
	contacts := filepath.Join(t.TempDir(), "contacts.csv")
	if err := os.WriteFile(contacts, []byte("user,secret\n42,"+wildSecret("CONTACT")+"\n43,"+wildSecret("OTHER")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONTACTS", contacts)
	site := gatewaytest.Load(t, declared(t, "wild"))
	site.At(wildNow)
	return site
}

// TestWild: links of the wild, made by a few lines of crypto, arrive as declared, and what
// resembles them does not.
func TestWild(t *testing.T) {
	site := loadWild(t)
	for _, l := range wildLinks() {
		t.Run(l.name, func(t *testing.T) {
			a := site.Get(l.good, "X-Verified-User: forged")
			if a.Seen == nil {
				t.Fatalf("status %d %s: %s", a.Code, a.Body, l.good)
			}
			if user := a.Header1(t, "X-Verified-User"); user != l.user || a.Seen.URI != l.arrives {
				t.Errorf("%s arrives as %s of %q, want %s of %q", l.good, a.Seen.URI, user, l.arrives, l.user)
			}
			if len(l.tampered) < 3 {
				t.Error("there are three tampered links at least")
			}
			for _, target := range l.tampered {
				if a := site.Get(target); a.Seen != nil {
					t.Errorf("%s arrives as %s", target, a.Seen.URI)
				}
			}
			for _, target := range l.internal {
				if a := site.Get(target); a.Seen != nil || a.Body.String() != "missing/internal" {
					t.Errorf("%s is %d %s, want missing/internal", target, a.Code, a.Body)
				}
			}
			for _, when := range []time.Time{l.early, l.late} {
				if when.IsZero() {
					continue
				}
				early := when.Equal(l.early)
				for second, want := range map[time.Duration]bool{0: false, time.Second: early, -time.Second: !early} {
					site.At(when.Add(second))
					if a := site.Get(l.good); (a.Seen != nil) != want {
						t.Errorf("at %s it arrives: %t, want %t (%s)", when.Add(second), !want, want, a.Body)
					}
				}
				site.At(wildNow)
			}
		})
	}
}

// TestWildOneByte: no link with one byte of it changed, escaped, left out or put in is one of
// somebody else, or, where the path is signed, for another path.
func TestWildOneByte(t *testing.T) {
	site := loadWild(t)
	arrived := 0
	for _, l := range wildLinks() {
		good := site.Get(l.good)
		if good.Seen == nil {
			t.Fatalf("%s: %d %s", l.name, good.Code, good.Body)
		}
		path := decodedPath(t, good.Seen.URI)
		for i := 1; i < len(l.good); i++ {
			changed := []string{
				l.good[:i] + l.good[i+1:],
				fmt.Sprintf("%s%%%02x%s", l.good[:i], l.good[i], l.good[i+1:]),
				l.good[:i] + strings.ToUpper(l.good[i:i+1]) + l.good[i+1:],
				l.good[:i] + strings.ToLower(l.good[i:i+1]) + l.good[i+1:],
			}
			for _, c := range "1Fz/.%;=&" {
				changed = append(changed, l.good[:i]+string(c)+l.good[i+1:], l.good[:i]+string(c)+l.good[i:])
			}
			for _, target := range changed {
				if u, err := url.ParseRequestURI(target); err != nil || target == l.good || u.Fragment != "" {
					continue
				}
				a := site.Get(target)
				if a.Seen == nil {
					continue
				}
				arrived++
				if user := a.Header1(t, "X-Verified-User"); user != l.user {
					t.Errorf("%s: %s is of %q", l.name, target, user)
				}
				if there := decodedPath(t, a.Seen.URI); l.pathSigned && there != path {
					t.Errorf("%s: %s arrives as %s", l.name, target, there)
				}
			}
		}
	}
	if arrived == 0 {
		t.Error("not even a changed parameter that is not signed arrives")
	}
}

func decodedPath(t *testing.T, target string) string {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

// TestWildAllowed: what `allow ambiguous_message between` lets through is what its finding
// says, and nothing else: bytes move from one of the two values to the other.
func TestWildAllowed(t *testing.T) {
	site := loadWild(t)
	sum := md5Hex("8841" + "1a@example.org" + wildSecret("S13B"))
	for target, want := range map[string]bool{
		"/view.php?t=8841&e=1a@example.org&a=" + sum:     true,
		"/view.php?t=88411&e=a@example.org&a=" + sum:     true,  // the pair that is allowed
		"/view.php?t=884&e=11a@example.org&a=" + sum:     true,  // the same
		"/view.php?t=8841&e=1a@example.or&a=g" + sum:     false, // and no other
		"/view.php?t=88411a&e=@example.org&a=" + sum:     false, // by its rules
		"/view.php?t=&e=88411a@example.org&a=" + sum:     false,
		"/view.php?t=88411a@example.org&e=&a=" + sum:     false,
		"/view.php?t=8841&e=1a@example.org&a=" + sum[1:]: false,
	} {
		if a := site.Get(target); (a.Seen != nil) != want {
			t.Errorf("%s arrives: %t, want %t", target, !want, want)
		}
	}
}
