// Command cost sends the requests that cost most through a Caddy of its own, one after the
// other, and without a socket: of each kind one that is twice as long as the one before.
// What they cost is counted, and never timed: how often each block of this module's code
// ran. For that it must be built with
//
//	go build -cover -covermode=atomic -coverpkg=github.com/signedlink/caddy-signed-link/...
//
// With -marks it counts nothing itself. It calls [mark] before and after each request, for
// an emulator that counts instructions, and sends each request once before. -stock puts
// what every Caddy has in the place of each definition.
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
	"runtime"
	"runtime/coverage"
	"runtime/debug"
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
	Steps uint64 // blocks of code that ran; 0 where marks were set
}

// options are those of the command line.
type options struct {
	definitions, bound, doublings int
	marks, stock, paths           bool
	out                           string
}

func main() {
	var o options
	flag.IntVar(&o.definitions, "definitions", 1, "how many definitions the site has")
	flag.IntVar(&o.bound, "bound", 16<<10, "how long the longest run is, in bytes")
	flag.IntVar(&o.doublings, "doublings", 3, "how many shorter ones there are")
	flag.BoolVar(&o.marks, "marks", false, "call a mark before and after each request, and count nothing")
	flag.BoolVar(&o.stock, "stock", false, "without this module")
	flag.BoolVar(&o.paths, "paths", false, "with links whose signature stands in the path, and requests that ask for such paths")
	flag.StringVar(&o.out, "out", "", "the file of what was measured, as JSON")
	flag.Parse()
	if err := o.run(); err != nil {
		log.Fatal(err)
	}
}

func (o *options) run() error {
	if err := os.Setenv("COST_KEY", key); err != nil {
		return err
	}
	server, err := load(site(o.definitions, o.stock, o.paths))
	if err != nil {
		return err
	}
	one := counted
	if o.marks {
		debug.SetGCPercent(-1)
		one = marked
	}
	var all []Measured
	for _, place := range places {
		long := o.bound > 16<<10
		if long && !place.long || !long && place.longer || o.paths && !place.path || !o.paths && place.link {
			continue
		}
		for _, kind := range kinds {
			if !place.only(kind) || long && !kind.long {
				continue
			}
			for i := o.doublings; i >= 0; i-- {
				n := min(o.bound, place.bound()) >> i
				raw := place.request(kind.fill(n))
				if !readable(raw) {
					break
				}
				if i == o.doublings {
					serve(server, raw) // the first makes what is made once
				}
				m := Measured{Kind: kind.name, Place: place.name, Bytes: n}
				if m.Steps, err = one(server, raw); err != nil {
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
	return os.WriteFile(o.out, text, 0o600)
}

// counted serves the request and returns how many blocks of code ran.
func counted(server *caddyhttp.Server, raw []byte) (uint64, error) {
	if err := coverage.ClearCounters(); err != nil {
		return 0, err
	}
	serve(server, raw)
	return count()
}

// marked serves the request between two marks. The collector has its turn before, because
// what it costs depends on what was served earlier.
func marked(server *caddyhttp.Server, raw []byte) (uint64, error) {
	runtime.GC()
	serve(server, raw)
	mark()
	serve(server, raw)
	mark()
	return 0, nil
}

// mark is where an emulator stops counting, and begins anew.
//
//go:noinline
func mark() {}

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
// filter. In a stock Caddy, a definition is a line that sets a header, and there is no filter.
func site(definitions int, stock, paths bool) string {
	const proxied = "\treverse_proxy 127.0.0.1:1 {\n\t\ttransport backend\n\t}\n}\n"
	if stock {
		const plain = "\tlog {\n\t\toutput stdout\n\t}\n"
		var b strings.Builder
		b.WriteString("{\n\tadmin off\n\tauto_https off\n" + plain + "}\nhttp:// {\n" + plain)
		for i := range definitions {
			fmt.Fprintf(&b, "\trequest_header /app%d/* X-A b\n", i)
		}
		b.WriteString(proxied)
		return b.String()
	}
	const filtered = "\tlog {\n\t\toutput stdout\n\t\tformat filter {\n\t\t\trequest>uri signed_link\n\t\t\trequest>headers signed_link\n\t\t}\n\t}\n"
	var b strings.Builder
	b.WriteString("{\n\tadmin off\n\tauto_https off\n" + filtered + "}\nhttp:// {\n" + filtered)
	for i := range definitions {
		switch {
		case paths && i%4 == 3: // one in four cuts a segment
			fmt.Fprintf(&b, "\tsigned_link /app%d/* keyed_hash {env.COST_KEY} {\n\t\tsignature {path.2}\n\t\talgorithm hmac-sha256\n\t\tmessage {path.1}\n\t\tuser none\n\t\tallow no_expiry\n\t}\n", i)
			continue
		case paths:
			fmt.Fprintf(&b, "\tsigned_link /app%d/* keyed_hash {env.COST_KEY} {\n\t\tpath /app%[1]d/<signature>/<f...> to /moved%[1]d/{link.f}\n\t\talgorithm hmac-sha256\n"+
				"\t\tmessage {raw_link.f}\n\t\tuser none\n\t\tmethods GET HEAD POST\n\t\tallow no_expiry\n\t}\n", i)
			continue
		case i == 1: // the one whose names have brackets
			b.WriteString("\tsigned_link /app1/* keyed_hash {env.COST_KEY} {\n\t\talgorithm hmac-sha256\n\t\tmessage {query.u1[a]}|{query.u1[b][c]}\n\t\tsignature {query.u1[s]}\n" +
				"\t\tparam u1[a] digits\n\t\tuser {query.u1[a]}\n\t\tmethods GET HEAD POST\n\t\tbackend php\n\t\tallow no_expiry\n\t}\n")
			continue
		}
		fmt.Fprintf(&b, "\tsigned_link /app%d/* keyed_hash {env.COST_KEY} {\n\t\talgorithm hmac-sha256\n\t\tmessage {query.u%[1]d}\n\t\tsignature {query.s%[1]d}\n"+
			"\t\tuser {query.u%[1]d}\n\t\tmethods GET HEAD POST\n\t\tallow no_expiry\n\t}\n", i)
	}
	b.WriteString(proxied)
	return b.String()
}

// readable reports whether the HTTP server of the language takes the request at all.
func readable(raw []byte) bool {
	_, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	return err == nil
}

// serve reads the request and handles it. Each comes from another client, so that none is
// refused without a line in the log because many were refused before.
func serve(server *caddyhttp.Server, raw []byte) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		log.Fatal(err)
	}
	served++
	r.RemoteAddr = fmt.Sprintf("192.0.%d.%d:1234", served>>8&0xff, served&0xff)
	server.ServeHTTP(&nobody{header: make(http.Header)}, r)
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		log.Fatal(err)
	}
}

var served int

// nobody is a client that reads nothing.
type nobody struct{ header http.Header }

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) Write(b []byte) (int, error) { return len(b), nil }
func (n *nobody) WriteHeader(int)             {}
