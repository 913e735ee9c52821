package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/integration/corpora"
)

// moduleRoot is the folder of go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("run this in the module's folder")
		}
		dir = filepath.Dir(dir)
	}
}

// corpus are the requests to mutate, by the name of the kind that they fit.
type corpus map[string][]*request

// readCorpus reads testdata/corpora; the README there says what the fields mean.
func readCorpus(root string) (corpus, error) {
	c := corpus{}
	for _, name := range []string{"query_corpus.jsonl", "header_corpus.jsonl"} {
		file, err := os.Open(filepath.Join(root, "testdata", "corpora", name))
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in := bufio.NewScanner(file)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			if err := c.add(in.Bytes()); err != nil {
				return nil, fmt.Errorf("%s: %w: %.200s", name, err, in.Bytes())
			}
		}
		if err := in.Err(); err != nil {
			return nil, err
		}
	}
	for _, k := range kinds {
		if len(c[k.name]) == 0 {
			return nil, fmt.Errorf("the corpora hold nothing for %s", k.name)
		}
	}
	return c, nil
}

// sampleAKID is the AKID of the corpora, whose secret nobody has.
const sampleAKID = "2695.103007.Gcg02t"

func (c corpus) add(text []byte) error {
	text = bytes.ReplaceAll(text, []byte(sampleAKID), []byte(ownAKID))
	var fit struct {
		Param string `json:"param"`
	}
	if err := json.Unmarshal(text, &fit); err != nil {
		return err
	}
	for _, k := range kinds {
		if fit.Param != k.param && (fit.Param != "user" || k.adapt == nil) && k.name != "multi" {
			continue
		}
		adapted := string(text)
		if k.adapt != nil && fit.Param == "user" {
			// JSON writes the only bytes that matter here as they are
			adapted = k.adapt.Replace(adapted)
		}
		q, err := readLine([]byte(adapted))
		if err != nil {
			return err
		}
		if q != nil {
			c[k.name] = append(c[k.name], q)
		}
	}
	return nil
}

// readLine makes a request of a line, or nil if it cannot be taken apart.
func readLine(text []byte) (*request, error) {
	l := struct {
		Raw        raw               `json:"raw"`
		Method     raw               `json:"method"`
		Target     json.RawMessage   `json:"target"`
		Version    raw               `json:"version"`
		Headers    []json.RawMessage `json:"headers"`
		Body       json.RawMessage   `json:"body"`
		Trailers   []raw             `json:"trailers"`
		Proto      string            `json:"proto"`
		Fields     [][2]raw          `json:"fields"`
		H2Trailers [][2]raw          `json:"h2_trailers"`
	}{Method: http.MethodGet}
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, err
	}
	q := &request{Method: l.Method, Version: l.Version, Trailers: l.Trailers}
	var target string
	var err error
	switch {
	case l.Proto != "":
		q.H2 = true
		for _, f := range l.Fields {
			value := fill(string(f[1]))
			switch f[0] {
			case ":method":
				q.Method = raw(value)
			case ":path":
				if target == "" {
					target = value
					continue
				}
				q.Headers = append(q.Headers, raw(":path: "+value))
			case ":scheme":
			case ":authority":
				q.Headers = append(q.Headers, raw("host: "+value))
			default:
				q.Headers = append(q.Headers, f[0]+raw(": "+value))
			}
		}
		for _, f := range l.H2Trailers {
			q.Trailers = append(q.Trailers, f[0]+": "+f[1])
		}
	case l.Raw != "":
		head, body, _ := strings.Cut(fill(string(l.Raw)), "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		first := strings.Split(lines[0], " ")
		if len(first) != 3 {
			return nil, nil
		}
		q.Method, target, q.Version, q.Body = raw(first[0]), first[1], raw(first[2]), raw(body)
		for _, line := range lines[1:] {
			q.Headers = append(q.Headers, raw(line))
		}
	case l.Target == nil:
		return nil, nil
	default:
		if target, err = assemble(l.Target); err != nil {
			return nil, err
		}
		for _, h := range l.Headers {
			var pair [2]raw
			var line raw
			if json.Unmarshal(h, &pair) == nil {
				line = pair[0] + ": " + pair[1]
			} else if err := json.Unmarshal(h, &line); err != nil {
				return nil, err
			}
			if strings.EqualFold(strings.ReplaceAll(string(line), " ", ""), "transfer-encoding:chunked") {
				q.Chunked = true
				continue
			}
			q.Headers = append(q.Headers, raw(fill(string(line))))
		}
	}
	if l.Body != nil {
		body, err := assemble(l.Body)
		if err != nil {
			return nil, err
		}
		q.Body = raw(body)
	}
	q.Headers = slices.DeleteFunc(q.Headers, func(line raw) bool {
		name, value, _ := strings.Cut(strings.ToLower(string(line)), ":")
		return name == "connection" && strings.TrimSpace(value) == "close" || name == "host" && strings.Contains(value, "@host@")
	})
	q.setTarget(strings.ReplaceAll(target, "@HOST@", host))
	return q, nil
}

// assemble puts a target or a body together.
func assemble(text json.RawMessage) (string, error) {
	assembled, err := corpora.Assemble(text)
	return fill(assembled), err
}

// fill writes the signatures.
func fill(text string) string { return corpora.Fill(text, linkSecret) }
