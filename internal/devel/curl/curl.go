// Package curl runs the curl commands that the documentation shows, for the few
// options that they use: a machine without curl can test them, too.
package curl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

const timeout = time.Minute

// Check runs every command of a console block, in which a line `$ curl …` has its
// answer below, and compares the answers, but for the newline at their ends. A line
// `$ # …` is a comment and has none. move puts the addresses of the test in the place
// of those that are shown. It returns how many commands there are.
func Check(t testing.TB, at, console string, move func(address string) string) (commands int) {
	t.Helper()
	before, exchanges, _ := strings.Cut("\n"+console, "\n$ ")
	if strings.TrimSpace(before) != "" {
		t.Errorf("%s: no command says this: %s", at, before)
	}
	for exchange := range strings.SplitSeq(exchanges, "\n$ ") {
		line, answer, _ := strings.Cut(exchange, "\n")
		if strings.HasPrefix(line, "#") {
			if strings.TrimSpace(answer) != "" {
				t.Errorf("%s: a comment has an answer: %s", at, answer)
			}
			continue
		}
		commands++
		have, err := Run(t.Context(), line, move)
		if err != nil {
			t.Errorf("%s: %v", at, err)
			continue
		}
		if strings.TrimSuffix(have, "\n") != strings.TrimSuffix(answer, "\n") {
			t.Errorf("%s: %s\nexpected:\n%s\ngot:\n%s", at, line, answer, have)
		}
	}
	return commands
}

// command is what a command line asks for.
type command struct {
	method, address string
	header          http.Header
	body            string
	showHead        bool
	discard         bool
	format          string
}

// Run runs one command line and returns what it prints.
func Run(ctx context.Context, line string, move func(address string) string) (output string, err error) {
	c, err := parse(line)
	if err == nil {
		output, err = c.run(ctx, move)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", line, err)
	}
	return output, nil
}

func parse(line string) (*command, error) {
	args, err := words(line)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 || args[0] != "curl" {
		return nil, errors.New("this is not curl")
	}
	c := &command{method: http.MethodGet, header: http.Header{}}
	for args = args[1:]; len(args) > 0; args = args[1:] {
		option, value := args[0], ""
		switch option {
		case "-H", "-X", "-d", "-o", "-w":
			if len(args) == 1 {
				return nil, fmt.Errorf("%s needs a value", option)
			}
			args = args[1:]
			value = args[0]
		}
		switch option {
		case "-s":
		case "-i":
			c.showHead = true
		case "-H":
			name, content, _ := strings.Cut(value, ":")
			c.header.Add(name, strings.TrimSpace(content))
		case "-X":
			c.method = value
		case "-d":
			c.body = value
			c.header.Set("Content-Type", "application/x-www-form-urlencoded")
			if c.method == http.MethodGet {
				c.method = http.MethodPost
			}
		case "-o":
			if value != "/dev/null" {
				return nil, errors.New("-o goes to /dev/null")
			}
			c.discard = true
		case "-w":
			c.format = value
		default:
			if strings.HasPrefix(option, "-") || c.address != "" {
				return nil, fmt.Errorf("unexpected %s", option)
			}
			c.address = option
		}
	}
	return c, nil
}

func (c *command) run(ctx context.Context, move func(address string) string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, c.method, move(c.address), strings.NewReader(c.body))
	if err != nil {
		return "", err
	}
	request.Header = c.header
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request) // redirects are not followed, as with curl
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if c.showHead {
		fmt.Fprintf(&out, "%s %s\n", response.Proto, response.Status)
		if err := response.Header.Write(&out); err != nil {
			return "", err
		}
		out.WriteString("\n")
	}
	if !c.discard {
		out.Write(body)
	}
	out.WriteString(strings.NewReplacer("%{http_code}", strconv.Itoa(response.StatusCode), `\n`, "\n").Replace(c.format))
	return out.String(), nil
}

// words splits a line as a shell does, as far as the documentation needs it.
func words(line string) ([]string, error) {
	var all []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		if rest, quoted := strings.CutPrefix(line, "'"); quoted {
			word, after, closed := strings.Cut(rest, "'")
			if !closed {
				return nil, errors.New("a quote is not closed")
			}
			if after != "" && after[0] != ' ' {
				return nil, fmt.Errorf("no blank after the quoted %s", word)
			}
			all, line = append(all, word), after
			continue
		}
		word, after, _ := strings.Cut(line, " ")
		if strings.ContainsAny(word, "'\"\\$&|;<>*?(){}") {
			return nil, fmt.Errorf("quote this: %s", word)
		}
		all, line = append(all, word), after
	}
	return all, nil
}
