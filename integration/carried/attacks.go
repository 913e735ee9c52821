package carried

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/signedlink/caddy-signed-link/integration/attacks"
)

// other is whom the attacker has no link for.
const other = "43"

var (
	around   = []string{"", "", "/", "//", "/.", "/./", "/..", "/../", ";", ";x", "/;", "/..;/", "%2f", "%2F", "%2f..", "/%2e%2e", "/%2e%2e/", "%5c", "\\", "%00", "%0a", "%20", "+", "?", "%3f", "%23", "%", ".php", ".php/", "/index.php", "/index.php/", ".phpx", "index.php", "%2ephp/", ".PHP/", "/x.php/", "=", "==", "%3d", "&", "~", ":", "://", "*", "%25", "%252f", "%c0%af"}
	slashes  = []string{"/", "//", "///", "/./", "/;/", "/;x/", "/.;/", "/x/../", "/x/..;/", "/%2e/", "/x/%2e%2e/", "%2f", "%2F", "%2f/", "/%2f", "\\", "%5c", "/\\", "%252f", "/%00/", "/index.php/", "/index.php", ".php/", ";/", ";x=y/", "%3b/", "/?/", "://", "/..//"}
	fronts   = []string{"", "/", "//x", "//x:80", "///", "/.", "/x/..", "/x/..;", "/;", "/;x", "/%2e", "/index.php", "/index.php/", "/index.php/x/..", "/INDEX.PHP", "/index%2ephp", "/a.php", "/autologin.php/..", "/x%2f..", "/x/%2e%2e", "/%2f", "/:", "/x://y", "/app/..", "/app/..;", "/public/..;", "/v1", "/v1/v2", "/v1/..", "/public/../v1"}
	walkAway = []string{"/..", "/../..", "/../../..", "/..;/..", "/%2e%2e/%2e%2e", "/..%2f..", "/.%2e/..", "/x/../../..", "/..;x", "/%2e%2e%2f..", "\\..\\..", "/./..", "//.."}
)

func from[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// Draw is a path that is tried, of links in the path. It is a genuine link's if the link is
// not nil.
func (k *Kind) Draw(r *rand.Rand) (path string, genuine *Link) {
	l := k.Link(from(r, k.Values...))
	forged := strings.Replace(strings.Replace(l.Path, "/"+escape(l.Value, true), "/"+other, 1), "//", "/", 1)
	target := strings.TrimSuffix(k.Page, "/") + "/" + other
	switch r.IntN(16) {
	case 0, 1:
		return l.Path, &l
	case 2, 3, 4: // the page itself, in a spelling
		return from(r, attacks.Neighbours(target)...), nil
	case 5: // as a link that it is not
		return from(r, forged, target, target+"/", target+"/x", target+"/"+strings.Repeat("a", 64), l.To), nil
	case 6, 7: // the signature, damaged
		return strings.Replace(l.Path, l.Signature, Damage(r, l.Signature), 1), nil
	case 8: // away from the link, to the page
		return l.Path + from(r, walkAway...) + from(r, "", "/", "/"+other, target, k.Page, "/x"), nil
	case 9: // one link in another one
		return from(r, l.Path+l.Path, target+l.Path, l.Path+target, target+"/.."+l.Path, k.Page+".."+l.Path, strings.Replace(l.Path, l.Signature, l.Signature+"/"+l.Signature, 1)), nil
	case 10: // whatever stands before it
		return from(r, fronts...) + from(r, l.Path, target, forged), nil
	}
	path = from(r, l.Path, l.Path, l.Path, forged, target, target)
	for range 1 + r.IntN(3) {
		path = k.spell(r, path)
	}
	return path, nil
}

// Damage is a signature that is none.
func Damage(r *rand.Rand, signature string) string {
	i := r.IntN(len(signature))
	switch r.IntN(10) {
	case 0:
		return signature[:i]
	case 1:
		return signature[i:]
	case 2:
		return strings.ToUpper(signature)
	case 3:
		return signature[:i] + strings.ToUpper(signature[i:i+1]) + signature[i+1:]
	case 4:
		return fmt.Sprintf("%s%%%02x%s", signature[:i], signature[i], signature[i+1:])
	case 5:
		return signature + from(r, around...)
	case 6:
		return from(r, around...) + signature
	case 7:
		return signature[:i] + from(r, around...) + signature[i:]
	case 8:
		return signature[:len(signature)-1] + from(r, "g", "%30", "0", "", "%", ".", "/")
	}
	return signature[:i] + from(r, slashes...) + signature[i:]
}

// spell changes one thing.
func (k *Kind) spell(r *rand.Rand, path string) string {
	i := r.IntN(len(path))
	if r.IntN(2) == 0 { // rather before the signature, or at its ends
		i = r.IntN(min(len(path), 12))
	}
	switch r.IntN(9) {
	case 0, 1: // a slash
		at := i
		for at > 0 && path[at] != '/' {
			at--
		}
		return path[:at] + from(r, slashes...) + path[min(at+1, len(path)):]
	case 2:
		return fmt.Sprintf(from(r, "%s%%%02x%s", "%s%%%02X%s", "%s%%25%02x%s"), path[:i], path[i], path[i+1:])
	case 3:
		if c := path[i] | 0x20; 'a' <= c && c <= 'z' {
			return path[:i] + string([]byte{path[i] ^ 0x20}) + path[i+1:]
		}
		return path
	case 4:
		return path[:i] + from(r, around...) + path[i:]
	case 5:
		return path + from(r, around...)
	case 6:
		return from(r, fronts...) + path
	case 7:
		return path + from(r, walkAway...)
	}
	segments := strings.Split(path, "/")
	at := r.IntN(len(segments))
	segments[at] += from(r, around...)
	return strings.Join(segments, "/")
}
