package file

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/signedlink/caddy-signed-link/block"
	"github.com/signedlink/caddy-signed-link/keys"
)

// maxLine is the greatest length of a line of JSONL, in bytes.
const maxLine = 1 << 20

// tokens reads JSON piece by piece. Beyond what the decoder does, it refuses
// text in which the decoder replaced something, and its errors do not repeat
// what stands in the file, as the decoder's do.
type tokens struct{ dec *json.Decoder }

func newTokens(r io.Reader) tokens {
	dec := json.NewDecoder(r)
	dec.UseNumber()
	return tokens{dec}
}

func (t tokens) faultf(format string, args ...any) error {
	// That is the last byte of the token that was read last.
	return &fault{what: fmt.Sprintf(format, args...), offset: max(t.dec.InputOffset()-1, 0)}
}

// syntax makes an error of the decoder's.
func (t tokens) syntax(err error) error {
	var syntaxErr *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return t.ahead("the JSON ends in the middle; is the file whole?")
	case errors.As(err, &syntaxErr):
		return t.ahead("the JSON cannot be read here; check the commas, quotes and braces")
	}
	return fmt.Errorf("reading: %w", err)
}

// ahead is a mistake in what comes next.
func (t tokens) ahead(what string) error {
	return &fault{what: what, offset: t.dec.InputOffset(), ahead: true}
}

func (t tokens) next() (json.Token, error) {
	tok, err := t.dec.Token()
	if err != nil {
		return nil, t.syntax(err)
	}
	if s, ok := tok.(string); ok && strings.ContainsRune(s, utf8.RuneError) {
		return nil, t.faultf("the text is not valid UTF-8 (or contains U+FFFD, a sign that it once was not)")
	}
	return tok, nil
}

// delim reads the given delimiter; otherwise the error is what.
func (t tokens) delim(want json.Delim, what string) error {
	tok, err := t.next()
	if err != nil {
		return err
	}
	if tok != want {
		return t.faultf("%s", what)
	}
	return nil
}

// member reads the name of the next member of an object; ok is false at its
// end.
func (t tokens) member() (name string, ok bool, err error) {
	tok, err := t.next()
	if err != nil {
		return "", false, err
	}
	// The decoder lets nothing but text and the end stand here.
	name, ok = tok.(string)
	return name, ok, nil
}

// text reads a string.
func (t tokens) text(name string) (string, error) {
	tok, err := t.next()
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", t.faultf("the value of %s is not text; write it in double quotes", name)
	}
	return s, nil
}

// secret reads a string, or null, which is the empty one.
func (t tokens) secret() (string, error) {
	tok, err := t.next()
	if err != nil {
		return "", err
	}
	switch v := tok.(type) {
	case string:
		return v, nil
	case nil:
		return "", nil
	}
	return "", t.faultf("the secret is not text; write it in double quotes")
}

// user reads a string or a whole number, which stays as it is written.
func (t tokens) user() (string, error) {
	tok, err := t.next()
	if err != nil {
		return "", err
	}
	switch v := tok.(type) {
	case string:
		return v, nil
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return v.String(), nil
		}
	}
	return "", t.faultf("the user is neither text nor a whole number; write the id in double quotes")
}

// skip reads a value of any kind.
func (t tokens) skip() error {
	var v json.RawMessage
	if err := t.dec.Decode(&v); err != nil {
		return t.syntax(err)
	}
	return nil
}

// end reads the end of the file.
func (t tokens) end() error {
	_, err := t.dec.Token()
	var syntaxErr *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil, errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntaxErr):
		return t.ahead("something stands behind the end of the JSON object; remove it")
	}
	return fmt.Errorf("reading: %w", err)
}

// bom is the byte order mark in UTF-8.
const bom = "\xef\xbb\xbf"

// withoutBOM skips the byte order mark that some programs put at the start.
func withoutBOM(r io.Reader) *bufio.Reader {
	b := bufio.NewReaderSize(r, 64<<10)
	if start, err := b.Peek(len(bom)); err == nil && string(start) == bom {
		_, _ = b.Discard(len(bom))
	}
	return b
}

// readSet reads a key set.
func readSet(r io.Reader) ([]keys.Key, error) {
	const form = `a key set is a JSON object of the form {"keys": [{"id": "…", "secret": "…"}]}`
	t := newTokens(withoutBOM(r))
	if err := t.delim('{', form); err != nil {
		return nil, err
	}
	var all []keys.Key
	seen := false
	for {
		name, ok, err := t.member()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if name != "keys" {
			return nil, t.faultf("the name %.64q is unknown here; %s", name, form)
		}
		if seen {
			return nil, t.faultf(`"keys" stands twice; keep one list`)
		}
		seen = true
		if all, err = readKeys(t, form); err != nil {
			return nil, err
		}
	}
	if !seen {
		return nil, t.faultf(`there is no "keys"; %s`, form)
	}
	return all, t.end()
}

func readKeys(t tokens, form string) ([]keys.Key, error) {
	if err := t.delim('[', form); err != nil {
		return nil, err
	}
	var all []keys.Key
	for t.dec.More() {
		if err := t.delim('{', form); err != nil {
			return nil, err
		}
		key, err := readKey(t)
		if err != nil {
			return nil, err
		}
		all = append(all, key)
	}
	return all, t.delim(']', form)
}

// readKey reads a key from behind its opening brace.
func readKey(t tokens) (key keys.Key, err error) {
	fields := map[string]string{}
	for {
		name, ok, err := t.member()
		if err != nil {
			return key, err
		}
		if !ok {
			break
		}
		if known := []string{"id", "secret", "encoding", "not_before", "not_after"}; !slices.Contains(known, name) {
			return key, t.faultf("the name %.64q is unknown in a key%s; use id, secret, encoding, not_before and not_after", name, block.DidYouMean(name, known...))
		}
		if _, twice := fields[name]; twice {
			return key, t.faultf("%q stands twice in a key; keep one", name)
		}
		if fields[name], err = t.text(name); err != nil {
			return key, err
		}
	}
	if _, ok := fields["secret"]; !ok {
		return key, t.faultf(`the key has no "secret"`)
	}
	// A placeholder taken for the secret would be a key that can be guessed.
	for _, prefix := range []string{"{env.", "{file.", "{$", "{http."} {
		if strings.HasPrefix(fields["secret"], prefix) {
			return key, t.faultf("the secret begins like a placeholder, but none is replaced in this file; write the secret itself here, or the placeholder into Caddy's configuration")
		}
	}
	key.ID = fields["id"]
	if key.Secret, err = keys.Decode(fields["secret"], fields["encoding"]); err != nil {
		return key, t.faultf("%v%s", err, block.DidYouMean(fields["encoding"], keys.Encodings...))
	}
	if key.NotBefore, err = keys.ParseTime(fields["not_before"]); err != nil {
		return key, t.faultf("not_before: %v", err)
	}
	if key.NotAfter, err = keys.ParseTime(fields["not_after"]); err != nil {
		return key, t.faultf("not_after: %v", err)
	}
	return key, nil
}

// add adds a user and says in words what is wrong with one.
func add(b *keys.UsersBuilder, user, secret string) error {
	err := b.Add(user, []byte(secret))
	if errors.Is(err, keys.ErrDuplicateUser) {
		return fmt.Errorf("the user %.64q stands twice; keep one", user)
	}
	return err
}

// readUsersJSON reads an object from user to secret.
func readUsersJSON(r io.Reader, b *keys.UsersBuilder) error {
	in := withoutBOM(r)
	// What is plain is read fast. A user who cannot be added is left to the
	// decoder, which says where that is.
	n, members := plainObject(in, func(user, secret string) bool { return b.Add(user, []byte(secret)) == nil })
	if n == 0 {
		return readUserMembers(newTokens(in), b, false)
	}
	// The decoder begins with an object of its own, in which a member that
	// does not count stands for those that were read.
	start := "{"
	if members > 0 {
		start = `{"":null`
	}
	t := newTokens(io.MultiReader(strings.NewReader(start), in))
	err := readUserMembers(t, b, members > 0)
	if at, ok := errors.AsType[*fault](err); ok {
		at.offset += n - int64(len(start))
	}
	return err
}

// readUserMembers reads an object from user to secret; if skip is set, without
// its first member.
func readUserMembers(t tokens, b *keys.UsersBuilder, skip bool) error {
	if err := t.delim('{', `a file of user keys is a JSON object from user to secret: {"42": "…"}`); err != nil {
		return err
	}
	if skip {
		if _, _, err := t.member(); err != nil {
			return err
		}
		if err := t.skip(); err != nil {
			return err
		}
	}
	for {
		user, ok, err := t.member()
		if err != nil {
			return err
		}
		if !ok {
			return t.end()
		}
		secret, err := t.secret()
		if err != nil {
			return err
		}
		if err := add(b, user, secret); err != nil {
			return t.faultf("%v", err)
		}
	}
}

// readUsersJSONL reads an object in each line; empty lines are passed over.
func readUsersJSONL(r io.Reader, b *keys.UsersBuilder) error {
	lines := bufio.NewScanner(withoutBOM(r))
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	n, objects := 0, 0
	for lines.Scan() {
		n++
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		objects++
		// A user who cannot be added is left to the decoder, which says so.
		if user, secret, ok := plainLine(text); ok && b.Add(user, []byte(secret)) == nil {
			continue
		}
		if err := readUserLine(text, b); err != nil {
			if at, ok := errors.AsType[*fault](err); ok {
				at.line = n
			}
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return &fault{what: fmt.Sprintf("the line is longer than %d KiB; each object stands in a line of its own", maxLine>>10), line: n + 1}
	case err != nil:
		return fmt.Errorf("reading: %w", err)
	case objects == 0:
		return &fault{what: `the file is empty; write an object {"user": "…", "secret": "…"} in each line`, line: 1}
	}
	return nil
}

func readUserLine(line []byte, b *keys.UsersBuilder) error {
	const form = `each line is a JSON object with "user" (or "id") and "secret"`
	t := newTokens(bytes.NewReader(line))
	if err := t.delim('{', form); err != nil {
		return err
	}
	var user, secret string
	var hasUser, hasSecret bool
	for {
		name, ok, err := t.member()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		switch name {
		case "user", "id":
			if hasUser {
				return t.faultf(`the user stands twice, as "user" or "id"; keep one of them`)
			}
			hasUser = true
			user, err = t.user()
		case "secret":
			if hasSecret {
				return t.faultf(`"secret" stands twice; keep one`)
			}
			hasSecret = true
			secret, err = t.secret()
		default:
			err = t.skip()
		}
		if err != nil {
			return err
		}
	}
	if err := t.end(); err != nil {
		return err
	}
	if !hasUser || !hasSecret {
		return t.faultf("%s", form)
	}
	if err := add(b, user, secret); err != nil {
		return t.faultf("%v", err)
	}
	return nil
}

// readUsersCSV reads fields with commas between, of which the first line
// names the columns.
func readUsersCSV(r io.Reader, b *keys.UsersBuilder, running bool) error {
	content := &lastByte{r: r}
	in := csv.NewReader(withoutBOM(content))
	in.ReuseRecord = true
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return &fault{what: "the file is empty; its first line names the columns: user,secret", line: 1}
	}
	if err != nil {
		return csvFault(err)
	}
	userAt, secretAt := -1, -1
	for i, name := range header {
		column := &secretAt
		switch name {
		case "user", "id":
			column = &userAt
		case "secret":
		default:
			continue
		}
		if *column >= 0 {
			return &fault{what: "the first line names the user (user or id) or the secret twice; each must stand there once", line: 1}
		}
		*column = i
	}
	if userAt < 0 || secretAt < 0 {
		return &fault{what: "the first line must name the columns, with commas between and in lower case: user (or id) and secret, such as user,secret", line: 1}
	}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return csvFault(err)
		}
		secret := record[secretAt]
		// Taken for the secret, these would be one that everybody knows,
		// for all users who have none.
		if secret == "NULL" || secret == `\N` {
			secret = ""
		}
		if err := add(b, record[userAt], secret); err != nil {
			line, _ := in.FieldPos(userAt)
			return &fault{what: err.Error(), line: line}
		}
	}
	// A file that was cut off here would give somebody the beginning of a
	// secret as the whole one, and with bad luck a single character. Who loads a
	// configuration has finished the file; a program that runs beside may not have.
	if running && content.last != '\n' {
		return &fault{what: "the last line has no line break at its end; is the file whole? If so, add one", offset: content.n}
	}
	return nil
}

// lastByte remembers the last byte that was read, and how many there were.
type lastByte struct {
	r    io.Reader
	last byte
	n    int64
}

// Read implements io.Reader.
func (l *lastByte) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if n > 0 {
		l.last = p[n-1]
		l.n += int64(n)
	}
	return n, err
}

// csvFault makes an error of the CSV reader's.
func csvFault(err error) error {
	var parseErr *csv.ParseError
	if !errors.As(err, &parseErr) {
		return fmt.Errorf("reading: %w", err)
	}
	if errors.Is(err, csv.ErrFieldCount) {
		return &fault{what: "the line has not as many fields as the first one; a field with a comma in it stands in double quotes", line: parseErr.Line}
	}
	return &fault{what: "a double quote stands in the wrong place; a field with one in it stands in double quotes, and the one in it is doubled", line: parseErr.Line}
}
