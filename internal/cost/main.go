// Command cost sends the requests that cost most through a Caddy of its own, one after the
// other, and without a socket: of each kind one that is twice as long as the one before.
// What they cost is counted, and never timed: how often each block of this module's code
// ran. For that it must be built with
//
//	go build -cover -covermode=atomic -coverpkg=github.com/signedlink/caddy-signed-link/...
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime/coverage"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/signedlink/caddy-signed-link"
)

// Measured is one request.
type Measured struct {
	Kind  string // what it is full of
	Place string // where that stands
	Bytes int    // of it
	Steps uint64 // blocks of code that ran
}

func main() {
	definitions := flag.Int("definitions", 1, "how many definitions the site has")
	bound := flag.Int("bound", 16<<10, "how long the longest run is, in bytes")
	doublings := flag.Int("doublings", 3, "how many shorter ones there are")
	out := flag.String("out", "", "the file of what was measured, as JSON")
	flag.Parse()
	if err := run(*definitions, *bound, *doublings, *out); err != nil {
		log.Fatal(err)
	}
}

func run(definitions, bound, doublings int, out string) error {
	if err := os.Setenv("COST_KEY", key); err != nil {
		return err
	}
	server, err := load(site(definitions))
	if err != nil {
		return err
	}
	var all []Measured
	for _, place := range places {
		long := bound > 16<<10
		if long && !place.long || !long && place.longer {
			continue
		}
		for _, kind := range kinds {
			if !place.only(kind) || long && !kind.long {
				continue
			}
			for i := doublings; i >= 0; i-- {
				n := min(bound, place.bound()) >> i
				raw := place.request(kind.fill(n))
				if !readable(raw) {
					break
				}
				if i == doublings {
					serve(server, raw) // the first makes what is made once
				}
				m := Measured{Kind: kind.name, Place: place.name, Bytes: n}
				if err := coverage.ClearCounters(); err != nil {
					return err
				}
				serve(server, raw)
				if m.Steps, err = count(); err != nil {
					return err
				}
				all = append(all, m)
			}
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(out, text, 0o600)
}

// load provisions the site, which opens no socket.
func load(text string) (*caddyhttp.Server, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	ctx, err := caddy.ProvisionContext(&c)
	if err != nil {
		return nil, err
	}
	app, err := ctx.App("http")
	if err != nil {
		return nil, err
	}
	for _, server := range app.(*caddyhttp.App).Servers {
		return server, nil
	}
	return nil, fmt.Errorf("no server\n%s", text)
}

// site is the Caddyfile. Each definition has parameters of its own, and both logs have the
// filter.
func site(definitions int) string {
	const filtered = "\tlog {\n\t\toutput stdout\n\t\tformat filter {\n\t\t\trequest>uri signed_link\n\t\t\trequest>headers signed_link\n\t\t}\n\t}\n"
	var b strings.Builder
	b.WriteString("{\n\tadmin off\n\tauto_https off\n" + filtered + "}\nhttp:// {\n" + filtered)
	for i := range definitions {
		fmt.Fprintf(&b, "\tsigned_link /app%d/* keyed_hash {env.COST_KEY} {\n\t\talgorithm hmac-sha256\n\t\tmessage {query.u%[1]d}\n\t\tsignature {query.s%[1]d}\n"+
			"\t\tuser {query.u%[1]d}\n\t\tmethods GET HEAD POST\n\t\tallow no_expiry\n\t}\n", i)
	}
	b.WriteString("\trespond 204\n}\n")
	return b.String()
}

// readable reports whether the HTTP server of the language takes the request at all.
func readable(raw []byte) bool {
	_, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	return err == nil
}

// serve reads the request and handles it.
func serve(server *caddyhttp.Server, raw []byte) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		log.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	server.ServeHTTP(&nobody{header: make(http.Header)}, r)
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		log.Fatal(err)
	}
}

// nobody is a client that reads nothing.
type nobody struct{ header http.Header }

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) Write(b []byte) (int, error) { return len(b), nil }
func (n *nobody) WriteHeader(int)             {}
