package cli

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/signedlink/caddy-signed-link/internal/cli/rehearsal"
)

// source is where a command has its definitions from.
type source struct {
	config, adapter string
	envfiles        []string
	name            string // of the definition, or of a scheme in it; empty: all
	secret          string // see secretFlag
	json            bool
	rehearse        bool // load it even if requests could pass a definition
}

// flags adds the flags of the verbs that read a configuration.
func (s *source) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&s.config, "config", "c", "", "configuration file; default: the Caddyfile in this directory")
	f.StringVarP(&s.adapter, "adapter", "a", "", "config adapter; default: what the file's name says")
	f.StringSliceVar(&s.envfiles, "envfile", nil, "file of environment variables, NAME=VALUE, as systemd's EnvironmentFile")
	f.StringVarP(&s.name, "name", "n", "", "only the definition, or the scheme, of this name")
	f.BoolVar(&s.json, "json", false, "print JSON, one object a line")
}

// secretFlag adds --secret.
func (s *source) secretFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.secret, "secret", "", "in place of the configured secret: @FILE, or - for the standard input")
}

// load loads the configuration. Only what is at least as bad as level goes to Caddy's
// log, which is the standard error here.
func (s *source) load(cmd *cobra.Command, level string) (*rehearsal.Configuration, error) {
	return s.loadEdited(cmd, level, func(string, int, map[string]any) {})
}

// schemeEditor changes the JSON of the i-th scheme of the definition that stands at origin.
type schemeEditor func(origin string, i int, scheme map[string]any)

// loadEdited is load with a change to the JSON of each scheme.
func (s *source) loadEdited(cmd *cobra.Command, level string, edit schemeEditor) (*rehearsal.Configuration, error) {
	for _, path := range s.envfiles {
		if err := loadEnvironment(path, cmd.ErrOrStderr()); err != nil {
			return nil, fmt.Errorf("--envfile: %w", err)
		}
	}
	secret := ""
	if s.secret != "" {
		var err error
		if secret, err = secretFlag(s.secret, cmd.InOrStdin()); err != nil {
			return nil, err
		}
	}
	quiet := func() *caddy.Logging {
		return &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: level}}}}
	}
	// An empty configuration first: it sets the level of the log that LoadConfig uses.
	if _, err := caddy.ProvisionContext(&caddy.Config{Logging: quiet()}); err != nil {
		return nil, err
	}
	text, file, _, err := caddycmd.LoadConfig(s.config, s.adapter)
	switch {
	case err != nil:
		return nil, err
	case len(text) == 0:
		return nil, errors.New("there is no Caddyfile in this directory; name the configuration with --config")
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	replaced, err := s.edit(config, "", secret, edit)
	if err != nil {
		return nil, err
	}
	if secret != "" && replaced != 1 {
		return nil, fmt.Errorf("--secret is one scheme's, and %d schemes would get it; say which with --name", replaced)
	}
	if s.rehearse {
		config["apps"] = rehearsal.Listing(config["apps"])
	}
	return rehearsal.Provision(config, quiet())
}

// edit changes the schemes of a configuration, and returns how many got the secret. Where a
// definition does not say where it is written, its place in the JSON is its origin.
func (s *source) edit(node any, at, secret string, edit schemeEditor) (replaced int, err error) {
	children := make(map[string]any)
	switch node := node.(type) {
	case []any:
		for i, child := range node {
			children[strconv.Itoa(i)] = child
		}
	case map[string]any:
		children = node
		if schemes, ok := node["schemes"].([]any); ok && node["handler"] == "signed_link" {
			if origin, ok := node["origin"].(string); !ok || origin == "" {
				node["origin"] = at
			}
			if replaced, err = s.editSchemes(node["origin"].(string), schemes, secret, edit); err != nil {
				return 0, err
			}
		}
	}
	for name, child := range children {
		n, err := s.edit(child, at+"/"+name, secret, edit)
		if err != nil {
			return 0, err
		}
		replaced += n
	}
	return replaced, nil
}

func (s *source) editSchemes(origin string, schemes []any, secret string, edit schemeEditor) (replaced int, err error) {
	for i, x := range schemes {
		scheme, ok := x.(map[string]any)
		if !ok {
			continue
		}
		edit(origin, i, scheme)
		if secret == "" || s.name != "" && !slices.Contains(schemeNames(scheme), s.name) {
			continue
		}
		if scheme["user_keys"] != nil {
			return 0, errors.New("--secret: each user of this scheme has a secret of its own, so there is none to replace")
		}
		scheme["keys"] = map[string]any{"source": "inline", "secrets": []any{map[string]any{
			// in base64, so that no brace in it is read as a placeholder
			"secret": base64.StdEncoding.EncodeToString([]byte(secret)), "encoding": "base64",
		}}}
		replaced++
	}
	return replaced, nil
}

// schemeNames are the names under which a scheme of the JSON is known.
func schemeNames(scheme map[string]any) (names []string) {
	if name, ok := scheme["name"].(string); ok && name != "" {
		return []string{name}
	}
	if own, ok := scheme["scheme"].(map[string]any); ok {
		if kind, ok := own["kind"].(string); ok {
			names = append(names, kind)
		}
	}
	return names
}

// loadEnvironment sets the variables of a file that are not set already. It reads what
// `caddy run --envfile` and systemd's EnvironmentFile both read, and in the same way; and
// `export NAME=VALUE`, which Caddy alone does.
// What the two read differently is left unset, and said: a secret must not be another one
// here than there.
func loadEnvironment(path string, warnings io.Writer) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return fmt.Errorf("%s:%d: the line is no NAME=VALUE", path, n)
		}
		if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			value = value[1 : len(value)-1]
		}
		if strings.ContainsAny(value, `#"'\`) || strings.TrimSpace(value) != value {
			fmt.Fprintf(warnings, "%s:%d: %s is left unset: Caddy and systemd read a value with #, quotes, backslashes or blanks at its ends in "+
				"different ways; a secret like that stands better in a file, for {file./path}\n", path, n, name)
			continue
		}
		if _, set := os.LookupEnv(name); !set {
			if err := os.Setenv(name, value); err != nil {
				return fmt.Errorf("%s:%d: %w", path, n, err)
			}
		}
	}
	return lines.Err()
}
