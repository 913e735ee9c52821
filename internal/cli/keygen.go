package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/signedlink/caddy-signed-link/keys"
)

// keygen is what is asked of keygen.
type keygen struct {
	bytes               int
	encoding            string
	out, set            string
	id                  string
	notBefore, notAfter string
	json                bool
}

func keygenCommand() *cobra.Command {
	k := new(keygen)
	cmd := &cobra.Command{
		Use:   "keygen [--out FILE | --set FILE --id ID]",
		Short: "Makes a key, and a file of it",
		Long: `
Makes a key of random bytes, and prints it, or writes it into a file that only
its owner can read: give it to the user that runs Caddy, with chown.

--out FILE writes the key alone, for {file./path} in the configuration, and for
the signer. The file must not exist yet.

--set FILE adds the key to a key set, for keys file, behind the ones that are
there; it makes the file if there is none. Links are signed with the first key
that is valid, and verified with each, so a new key behind the old ones does
nothing until it is its turn. --not-before and --not-after say when it counts.
The file is replaced in one step, and Caddy reads it within seconds.`,
		Example: `  caddy signed-link keygen --out /etc/caddy/link.secret
  caddy signed-link keygen --set /etc/caddy/keys.json --id 2027 --not-before 2026-12-01`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.IntVar(&k.bytes, "bytes", 32, "length of the key in bytes, 16 to 128")
	f.StringVar(&k.encoding, "encoding", "hex", "how it is written: hex, base64 or base64url")
	f.StringVarP(&k.out, "out", "o", "", "file to write the key to")
	f.StringVar(&k.set, "set", "", "key set to add the key to")
	f.StringVar(&k.id, "id", "", "the key's id, with --set")
	f.StringVar(&k.notBefore, "not-before", "", "first instant at which the key counts, RFC 3339 or a date, with --set")
	f.StringVar(&k.notAfter, "not-after", "", "first instant at which it no longer counts, with --set")
	f.BoolVar(&k.json, "json", false, "print JSON")
	runs(cmd, k.run)
	return cmd
}

// made is what keygen prints as JSON. The key is there only if no file holds it.
type made struct {
	Key      string `json:"key,omitempty"`
	ID       string `json:"id,omitempty"`
	Encoding string `json:"encoding"`
	Bits     int    `json:"bits"`
	File     string `json:"file,omitempty"`
}

func (k *keygen) run(cmd *cobra.Command, _ []string) error {
	switch {
	case k.bytes < 16 || k.bytes > 128:
		return errors.New("--bytes: 16 to 128; 32 is right for HMAC-SHA-256")
	case k.out != "" && k.set != "":
		return errors.New("--out writes the key alone and --set a key set; choose one")
	case k.set == "" && (k.id != "" || k.notBefore != "" || k.notAfter != ""):
		return errors.New("--id, --not-before and --not-after go with --set")
	case k.set != "" && k.id == "":
		return errors.New("--set: the key needs an --id, such as the year")
	}
	random := make([]byte, k.bytes)
	rand.Read(random) // it never fails: crypto/rand ends the process instead
	var text string
	switch k.encoding {
	case "hex":
		text = hex.EncodeToString(random)
	case "base64":
		text = base64.StdEncoding.EncodeToString(random)
	case "base64url":
		text = base64.RawURLEncoding.EncodeToString(random)
	default:
		return fmt.Errorf("--encoding %q: write hex, base64 or base64url", k.encoding)
	}
	m := made{ID: k.id, Encoding: k.encoding, Bits: 8 * k.bytes}
	switch {
	case k.out != "":
		m.File = k.out
		if err := writeNew(k.out, []byte(text+"\n")); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	case k.set != "":
		m.File = k.set
		if err := k.add(text); err != nil {
			return fmt.Errorf("--set: %w", err)
		}
	default:
		m.Key = text
	}
	switch {
	case k.json:
		return printJSON(cmd.OutOrStdout(), m)
	case m.File != "":
		_, err := fmt.Fprintf(cmd.ErrOrStderr(), "a key of %d bits is in %s\n", m.Bits, m.File)
		return err
	default:
		_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
		return err
	}
}

// writeNew writes a file that must not exist yet: a secret that is in use is lost for
// good when it is overwritten.
func writeNew(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; a key that is in use would be lost", path)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}

// setKey is a key in a key set; see the module http.signed_link.keys.file.
type setKey struct {
	ID        string `json:"id"`
	Secret    string `json:"secret"`
	Encoding  string `json:"encoding,omitempty"`
	NotBefore string `json:"not_before,omitempty"`
	NotAfter  string `json:"not_after,omitempty"`
}

// add adds the key to the set, which it replaces in one step.
func (k *keygen) add(text string) error {
	var set struct {
		Keys []setKey `json:"keys"`
	}
	mode := fs.FileMode(0o600)
	old, err := os.ReadFile(k.set)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		d := json.NewDecoder(bytes.NewReader(old))
		d.DisallowUnknownFields()
		if err := d.Decode(&set); err != nil {
			return fmt.Errorf("%s is no key set that could be added to: %w", k.set, err)
		}
		info, err := os.Stat(k.set)
		if err != nil {
			return err
		}
		mode = info.Mode().Perm()
	}
	set.Keys = append(set.Keys, setKey{k.id, text, k.encoding, k.notBefore, k.notAfter})
	if err := checkSet(set.Keys); err != nil {
		return err
	}
	content, err := json.MarshalIndent(set, "", "\t")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(k.set), ".keys-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(append(content, '\n'))
	if err := errors.Join(err, file.Chmod(mode), keepOwner(file, k.set), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), k.set)
}

// checkSet fails if Caddy would refuse the set.
func checkSet(list []setKey) error {
	all := make([]keys.Key, len(list))
	for i, x := range list {
		secret, err := keys.Decode(x.Secret, x.Encoding)
		if err != nil {
			return fmt.Errorf("key %d: %w", i+1, err)
		}
		all[i] = keys.Key{ID: x.ID, Secret: secret}
		if all[i].NotBefore, err = keys.ParseTime(x.NotBefore); err != nil {
			return fmt.Errorf("key %d: not_before: %w", i+1, err)
		}
		if all[i].NotAfter, err = keys.ParseTime(x.NotAfter); err != nil {
			return fmt.Errorf("key %d: not_after: %w", i+1, err)
		}
	}
	_, err := keys.NewSet(all...)
	return err
}
