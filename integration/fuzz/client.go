package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/signedlink/caddy-signed-link/integration/backends"
)

// answer is a response with its body.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

const (
	timeout = 10 * time.Second
	// pause is how long a gateway may be silent that has answered, and was sent
	// another request behind it.
	pause = 500 * time.Millisecond
)

var (
	errNoAnswer = errors.New("the gateway closes the connection without an answer")
	errInternal = errors.New("the gateway breaks the stream off with INTERNAL_ERROR")
	// errMalformed is how HTTP/2 refuses what is no request, and how HTTP/1.1 waits for
	// the rest of one.
	errMalformed = errors.New("the gateway breaks the stream off")
)

// client has one connection of each protocol with a site, and keeps it as long as it
// can.
type client struct {
	address string
	one     *http1
	two     *http2Conn
}

func (c *client) close() {
	if c.one != nil {
		c.one.conn.Close()
		c.one = nil
	}
	if c.two != nil {
		c.two.conn.Close()
		c.two = nil
	}
}

type http1 struct {
	conn net.Conn
	in   *bufio.Reader
}

// send sends the request. Over HTTP/1.1 there may be several answers, where a server
// takes what is behind the head for another request.
func (c *client) send(q *request, id, sentinel string) ([]*answer, error) {
	if q.H2 {
		a, err := c.sendHTTP2(q, id)
		if a == nil {
			return nil, err
		}
		return []*answer{a}, err
	}
	return c.sendHTTP1(q, id, sentinel)
}

func (c *client) sendHTTP1(q *request, id, sentinel string) ([]*answer, error) {
	reused := c.one != nil
	answers, err := c.tryHTTP1(q, id, sentinel)
	if reused && errors.Is(err, errNoAnswer) {
		return c.tryHTTP1(q, id, sentinel)
	}
	return answers, err
}

func (c *client) tryHTTP1(q *request, id, sentinel string) (answers []*answer, err error) {
	if c.one == nil {
		conn, err := net.DialTimeout("tcp", c.address, timeout)
		if err != nil {
			return nil, err
		}
		c.one = &http1{conn, bufio.NewReader(conn)}
	}
	conn, in := c.one.conn, c.one.in
	keep := false
	defer func() {
		if !keep {
			conn.Close()
			c.one = nil
		}
	}()
	limit := timeout
	if q.ownFraming() {
		limit = pause // it may wait for more of the body
	}
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	text := q.http1(id)
	framed := q.framed()
	if framed {
		// what answers this one has not taken it for a part of the first
		text = append(text, "GET /sentinel HTTP/1.1\r\nHost: "+host+"\r\n"+idHeader+": "+sentinel+"\r\n\r\n"...)
	}
	_, _ = conn.Write(text) // a gateway that refuses early stops reading
	method, _, _ := strings.Cut(string(q.Method), " ")
	for {
		if len(answers) > 0 {
			method = http.MethodGet
			if err := conn.SetReadDeadline(time.Now().Add(pause)); err != nil {
				return answers, err
			}
		}
		if _, err := in.Peek(1); err != nil {
			if len(answers) > 0 {
				return answers, nil
			}
			if silent := net.Error(nil); errors.As(err, &silent) && silent.Timeout() {
				if q.ownFraming() {
					return nil, errMalformed
				}
				return nil, fmt.Errorf("no answer in %v", limit)
			}
			return nil, errNoAnswer
		}
		response, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			rest, _ := io.ReadAll(in)
			return append(answers, &answer{Body: rest}), nil
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode >= 100 && response.StatusCode < 200 && response.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		a := &answer{response.StatusCode, response.Header, body}
		if isSentinel(a, sentinel) {
			keep = in.Buffered() == 0
			return answers, nil
		}
		answers = append(answers, a)
		if err != nil || response.Close || a.Status == http.StatusSwitchingProtocols || len(answers) > 8 {
			return answers, nil
		}
		if !framed && in.Buffered() == 0 {
			keep = true
			return answers, nil
		}
	}
}

func isSentinel(a *answer, sentinel string) bool {
	if !bytes.Contains(a.Body, []byte(sentinel)) {
		return false
	}
	s, err := backends.Decode(a.Body)
	if err != nil {
		return false
	}
	ids := s.Header(idHeader)
	return len(ids) > 0 && ids[0] == sentinel
}

type http2Conn struct {
	conn    net.Conn
	out     *bufio.Writer
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	stream  uint32
}

const (
	window   = 1 << 30
	maxFrame = 16 << 10
	maxBody  = 48 << 10 // so that no window of the gateway is ever full
	// longHeaders is the length of a header block, in bytes, beyond which a Caddy
	// without this module breaks streams off as well.
	longHeaders = 32 << 10
)

func (c *client) sendHTTP2(q *request, id string) (*answer, error) {
	reused := c.two != nil
	a, err := c.tryHTTP2(q, id)
	if reused && errors.Is(err, errNoAnswer) {
		return c.tryHTTP2(q, id)
	}
	return a, err
}

func (c *client) dialHTTP2() error {
	conn, err := net.DialTimeout("tcp", c.address, timeout)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(conn)
	t := &http2Conn{conn: conn, out: out, framer: http2.NewFramer(out, bufio.NewReader(conn)), stream: 1}
	t.framer.AllowIllegalWrites = true
	t.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	t.encoder = hpack.NewEncoder(&t.block)
	c.two = t
	_, _ = out.WriteString(http2.ClientPreface)
	_ = t.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	_ = t.framer.WriteWindowUpdate(0, window)
	return out.Flush()
}

func (c *client) tryHTTP2(q *request, id string) (a *answer, err error) {
	if c.two == nil {
		if err := c.dialHTTP2(); err != nil {
			return nil, err
		}
	}
	t := c.two
	keep := false
	defer func() {
		if !keep {
			t.conn.Close()
			c.two = nil
		}
	}()
	if err := t.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	stream := t.stream
	t.stream += 2
	if t.write(stream, q, id) != nil || t.out.Flush() != nil {
		return nil, errNoAnswer
	}
	a = &answer{Header: http.Header{}}
	for {
		frame, err := t.framer.ReadFrame()
		if err != nil {
			if broken := (http2.StreamError{}); errors.As(err, &broken) {
				return nil, fmt.Errorf("unreadable answer: %w", err)
			}
			if silent := net.Error(nil); errors.As(err, &silent) && silent.Timeout() {
				return nil, fmt.Errorf("no answer in %v", timeout)
			}
			return nil, errNoAnswer
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = t.framer.WriteSettingsAck() // goes out with the next request
			}
		case *http2.PingFrame:
			_ = t.framer.WritePing(true, f.Data)
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return nil, errMalformed
			}
		}
		if frame.Header().StreamID != stream {
			continue
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				if field.Name != ":status" {
					a.Header.Add(field.Name, field.Value)
				} else if _, err := fmt.Sscan(field.Value, &a.Status); err != nil {
					return nil, err
				}
			}
			ended = f.StreamEnded()
		case *http2.DataFrame:
			a.Body = append(a.Body, f.Data()...)
			ended = f.StreamEnded()
		case *http2.RSTStreamFrame:
			switch {
			case f.ErrCode == http2.ErrCodeNo && a.Status > 0:
				ended = true // it has answered and wants no body
			case f.ErrCode == http2.ErrCodeInternal && t.block.Len() <= longHeaders:
				return nil, errInternal
			default:
				keep = true
				return nil, errMalformed
			}
		}
		if ended {
			keep = true
			return a, nil
		}
	}
}

func (t *http2Conn) write(stream uint32, q *request, id string) error {
	t.block.Reset()
	for _, f := range q.fields("http", id) {
		_ = t.encoder.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value}) // a buffer takes all
	}
	body := []byte(q.Body[:min(len(q.Body), maxBody)])
	last := len(body) == 0 && len(q.Trailers) == 0
	if err := t.writeBlock(stream, last); err != nil {
		return err
	}
	for len(body) > 0 {
		n := min(len(body), maxFrame)
		if err := t.framer.WriteData(stream, n == len(body) && len(q.Trailers) == 0, body[:n]); err != nil {
			return err
		}
		body = body[n:]
	}
	if len(q.Trailers) == 0 {
		return nil
	}
	t.block.Reset()
	for _, f := range q.trailers() {
		_ = t.encoder.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value})
	}
	return t.writeBlock(stream, true)
}

func (t *http2Conn) writeBlock(stream uint32, last bool) error {
	block := t.block.Bytes()
	n := min(len(block), maxFrame)
	err := t.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block[:n], EndStream: last, EndHeaders: n == len(block)})
	for block = block[n:]; err == nil && len(block) > 0; block = block[n:] {
		n = min(len(block), maxFrame)
		err = t.framer.WriteContinuation(stream, n == len(block), block[:n])
	}
	return err
}
