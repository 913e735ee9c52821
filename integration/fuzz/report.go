package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
)

// finding is a violation with the smallest request that shows it, and one line of
// testdata/regressions.jsonl.
type finding struct {
	Rule    string   `json:"rule"`
	What    raw      `json:"what"`
	Backend string   `json:"backend"`
	Profile string   `json:"profile"`
	Mode    string   `json:"mode"`
	Kind    string   `json:"kind"`
	Aliases bool     `json:"aliases,omitempty"`
	Request *request `json:"request"`
}

// minimise drops from the request what the violation does not need.
func (r *run) minimise(c *client, target *target, q *request, v violation) *request {
	// names of headers are in no order: once is not always
	tries := 1
	if len(q.Headers) > 0 {
		tries = 3
	}
	link := q.Query
	deadline := time.Now().Add(minimiseLimit)
	shows := func(q *request) bool {
		if time.Now().After(deadline) || q.Honest && !isLink(target.kind, q, link) {
			return false
		}
		for range tries {
			if slices.ContainsFunc(r.send(c, target, q, false), func(other violation) bool { return other.Rule == v.Rule }) {
				return true
			}
		}
		return false
	}
	for smaller := true; smaller; {
		smaller = false
		for try := range smallerRequests(q) {
			if shows(try) {
				q, smaller = try, true
				break
			}
			if time.Now().After(deadline) {
				return q
			}
		}
	}
	return q
}

// isLink tells whether an honest link still is one.
func isLink(k *kind, q *request, from raw) bool {
	if !slices.Contains(k.paths, string(q.Path)) {
		return false
	}
	for _, segment := range append([]string{"akid=" + ownAKID}, k.query...) {
		if slices.Contains(split(from), segment) && !slices.Contains(split(q.Query), segment) {
			return false
		}
	}
	return true
}

// smallerRequests are the request less one thing.
func smallerRequests(q *request) iter.Seq[*request] {
	return func(yield func(*request) bool) {
		add := func(change func(*request)) bool {
			c := q.clone()
			change(c)
			return reflect.DeepEqual(c, q) || yield(c)
		}
		segments := split(q.Query)
		for n := len(segments) / 2; n > 0; n /= 2 {
			for i := 0; i+n <= len(segments); i += n {
				if !add(func(c *request) {
					c.Query = raw(strings.Join(slices.Delete(slices.Clone(segments), i, i+n), "&"))
					c.HasQuery = c.Query != ""
				}) {
					return
				}
			}
		}
		if q.Honest {
			return // with other bytes it may be none
		}
		for _, change := range []func(*request){
			func(c *request) { c.H2, c.H3 = false, false },
			func(c *request) { c.Body, c.Chunked, c.Trailers = "", false, nil },
			func(c *request) { c.Chunked, c.Trailers = false, nil },
			func(c *request) { c.Form = "" },
			func(c *request) { c.Version = "" },
			func(c *request) { c.Method = "GET" },
			func(c *request) { c.Headers = nil },
		} {
			if !add(change) {
				return
			}
		}
		for i := range q.Headers {
			if !add(func(c *request) { c.Headers = slices.Delete(c.Headers, i, i+1) }) {
				return
			}
		}
		// byte by byte, while that is not too much
		for _, part := range []func(*request) *raw{
			func(c *request) *raw { return &c.Path },
			func(c *request) *raw { return &c.Query },
			func(c *request) *raw { return &c.Body },
		} {
			text := *part(q)
			if len(text) > 400 {
				continue
			}
			for i := range text {
				if !add(func(c *request) { *part(c) = text[:i] + text[i+1:] }) {
					return
				}
			}
		}
	}
}

func (r *run) report(f *finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, f)
	fmt.Fprintf(r.out, "VIOLATION (%s): %s\n  kind %s, mode %s, profile %s, backend %s, aliases %t, seed %d\n", f.Rule, f.What, f.Kind, f.Mode, f.Profile, f.Backend, f.Aliases, r.seed)
	if f.Request == nil {
		return
	}
	fmt.Fprintf(r.out, "  %s\n", f.Request)
	if r.save == "" {
		return
	}
	line, err := json.Marshal(f)
	if err == nil {
		err = os.MkdirAll(r.save, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(r.save, fmt.Sprintf("%d-%d.jsonl", r.seed, len(r.findings))), append(line, '\n'), 0o600)
	}
	if err != nil {
		fmt.Fprintf(r.out, "  not saved: %v\n", err)
	}
}

// readFindings reads lines that were saved.
func readFindings(file string) (list []*finding, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		f := new(finding)
		if err := json.Unmarshal(line, f); err != nil {
			return nil, fmt.Errorf("%s: %w: %.200s", file, err, line)
		}
		list = append(list, f)
	}
	return list, nil
}

func (r *run) summary(took time.Duration) {
	s := &r.stats
	fmt.Fprintf(r.out, "%d requests in %v, %.0f a second, seed %d, %d sites\n", s.requests, took.Round(time.Second), float64(s.requests)/took.Seconds(), r.seed, len(r.targets))
	fmt.Fprintf(r.out, "%d answers: %d by an application, %d of them by the protected one, %d with an identity; %d refused by signed_link\n",
		s.answers, s.byApplication, s.protected, s.verified, s.refused)
	fmt.Fprintf(r.out, "%d honest links; %d requests that the gateway broke off; by status:", s.honest, s.unanswered)
	for _, status := range slices.Sorted(maps.Keys(s.status)) {
		fmt.Fprintf(r.out, " %d: %d", status, s.status[status])
	}
	fmt.Fprintln(r.out)
	for _, of := range slices.Sorted(maps.Keys(r.found)) {
		fmt.Fprintf(r.out, "%d violations: %s\n", r.found[of], of)
	}
}
