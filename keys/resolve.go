package keys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/signedlink/caddy-signed-link/keys/internal/secretfile"
)

// maxSecretFile is the greatest size of a {file./path}, in bytes: Caddy's own
// for such files.
const maxSecretFile = 1 << 20

// Resolve turns a secret as it was configured into its text. The value is one
// of
//
//   - {env.NAME}: the environment variable of that name, as it stands,
//   - {file./path}: the content of a regular file of at most 1 MiB, without
//     one line feed at its end and then one carriage return, as Caddy reads
//     such files; the path has a slash in it, and a relative one begins in
//     the directory in which Caddy runs,
//   - a literal, which has no placeholder in it; a backslash before a brace
//     is dropped, as Caddy does.
//
// A placeholder must be the whole value, and what it stands for is not
// searched for further ones. literal is true if the secret stood in the value
// in clear; the caller then warns. Nothing is cached.
//
// It is an error if the value or what it stands for is empty, if the variable
// is not set, if the file cannot be read, and if any other placeholder is
// used. In particular {file.name} without a slash is refused in both the form
// that is written and the one that Caddy's Caddyfile parser makes of it,
// {http.request.uri.path.file.name}: a secret that a client's request
// determines. Errors say the cure; none shows the secret or a part of it.
func Resolve(value string) (plain string, literal bool, err error) {
	if value == "" {
		return "", false, errors.New("the secret is empty; write {env.NAME} or {file./path} (the Caddyfile's {$NAME} is empty where the variable is not set)")
	}
	if name, ok := wholePlaceholder(value); ok {
		plain, err = resolvePlaceholder(name)
		return plain, false, err
	}
	plain, err = unescape(value)
	return plain, err == nil, err
}

// wholePlaceholder returns what stands between the braces if the value is
// one placeholder and nothing else.
func wholePlaceholder(value string) (string, bool) {
	if len(value) < 2 || value[0] != '{' || value[len(value)-1] != '}' || value[len(value)-2] == '\\' {
		return "", false
	}
	name := value[1 : len(value)-1]
	return name, !strings.ContainsAny(name, "{}")
}

// Where the placeholder may be the secret itself, in braces, the errors do
// not repeat it.
func resolvePlaceholder(name string) (string, error) {
	const cure = "write {env.NAME} or {file./path}"
	if name, ok := strings.CutPrefix(name, "env."); ok {
		return fromEnv(name)
	}
	if path, ok := strings.CutPrefix(name, "file."); ok {
		if path == "" {
			return "", errors.New("the placeholder {file.} names no file; write {file./path}")
		}
		if !strings.ContainsRune(path, '/') && !strings.ContainsRune(path, filepath.Separator) {
			return "", noSlash(path)
		}
		return fromFile(path)
	}
	if name == "http.request.uri.path.file" {
		return "", errors.New("{file} is not a placeholder that a secret can come from: it is a part of the request's path, which the client writes; " + cure)
	}
	if file, ok := strings.CutPrefix(name, "http.request.uri.path.file."); ok {
		return "", noSlash(file)
	}
	if strings.HasPrefix(name, "http.request.uri.path.") {
		return "", errors.New("a part of the request's path is not a placeholder that a secret can come from, the client writes it; for a file, write {file./etc/caddy/NAME} or {file./…} with a slash")
	}
	if strings.HasPrefix(name, "http.") {
		return "", errors.New("a part of the request is not a placeholder that a secret can come from, the client writes it; " + cure)
	}
	if strings.HasPrefix(name, "$") {
		return "", errors.New("{$NAME} is not a placeholder that a secret can come from: only a Caddyfile knows it, and it puts the secret in clear into the configuration; write {env.NAME}")
	}
	return "", errors.New("what stands in braces is not a placeholder that a secret can come from; " + cure + ", and if the braces belong to the secret, a backslash before each")
}

// noSlash is the error for {file.NAME}, both as it is written and as Caddy's
// Caddyfile parser expands it.
func noSlash(name string) error {
	if name == "" {
		name = "NAME"
	}
	return fmt.Errorf("{file.%[1]s} is not a placeholder that a secret can come from; write {file./etc/caddy/%[1]s} or {file./…} with a slash: Caddy reads {file.%[1]s} as a placeholder of the request's path", show(name))
}

func fromEnv(name string) (string, error) {
	if name == "" {
		return "", errors.New("the placeholder {env.} names no environment variable; write {env.NAME}")
	}
	value, ok := os.LookupEnv(name)
	switch {
	case !ok:
		return "", fmt.Errorf("the environment variable %s is not set; set it for the process that runs Caddy (systemd: EnvironmentFile=), or use {file./path}", show(name))
	case value == "":
		return "", fmt.Errorf("the environment variable %s is set but empty; give it a value in the environment of the process that runs Caddy (systemd: EnvironmentFile=), or use {file./path}", show(name))
	}
	return value, nil
}

func fromFile(path string) (string, error) {
	b, err := secretfile.Read(path, maxSecretFile)
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("the file %s is empty; write the secret into it", show(path))
	}
	return text, nil
}

// unescape returns a literal without the backslashes that stand before
// braces. It is an error if there is a placeholder in it: an opening brace
// and, behind it, a closing one, both without a backslash.
func unescape(value string) (string, error) {
	if !strings.ContainsAny(value, "{}") {
		return value, nil
	}
	var b strings.Builder
	b.Grow(len(value))
	open := false
	for i := range len(value) {
		c := value[i]
		if c == '\\' && i+1 < len(value) && (value[i+1] == '{' || value[i+1] == '}') {
			continue
		}
		if i == 0 || value[i-1] != '\\' {
			if c == '}' && open {
				return "", errors.New("a part of the secret stands in braces and is not a placeholder that a secret can come from; write {env.NAME} or {file./path} as the whole value, and if the braces belong to the secret, a backslash before each")
			}
			open = open || c == '{'
		}
		b.WriteByte(c)
	}
	// A placeholder whose end was forgotten would be a key that can be
	// guessed.
	for _, prefix := range []string{"{env.", "{file.", "{$"} {
		if strings.HasPrefix(value, prefix) {
			return "", fmt.Errorf("the secret begins with %s and has no closing brace; write {env.NAME} or {file./path}", prefix)
		}
	}
	return b.String(), nil
}

// show returns a name for an error's text: as it stands if that is printable
// and short, else quoted and cut.
func show(name string) string {
	const limit = 256
	if len(name) > limit {
		return strconv.QuoteToASCII(name[:limit]) + "…"
	}
	if q := strconv.QuoteToGraphic(name); q != `"`+name+`"` || name == "" {
		return q
	}
	return name
}
