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

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
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
	two     *gateway.RawHTTP2
}

func (c *client) close() {
	if c.one != nil {
		c.one.conn.Close()
		c.one = nil
	}
	if c.two != nil {
		c.two.Close()
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

const (
	maxBody = 48 << 10 // so that no window of the gateway is ever full
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

func (c *client) tryHTTP2(q *request, id string) (*answer, error) {
	if c.two == nil {
		two, err := gateway.DialHTTP2(c.address)
		if err != nil {
			return nil, err
		}
		c.two = two
	}
	two := c.two
	response, err := two.Send(q.fields("http", id), []byte(q.Body[:min(len(q.Body), maxBody)]), q.trailers())
	if two.Dead {
		c.two = nil
	}
	switch {
	case errors.Is(err, gateway.ErrClosed):
		return nil, errNoAnswer
	case errors.Is(err, gateway.ErrInternal) && two.FieldBytes() <= longHeaders:
		return nil, errInternal
	case errors.Is(err, gateway.ErrInternal), errors.Is(err, gateway.ErrBrokenOff):
		return nil, errMalformed
	case err != nil:
		return nil, err
	}
	return &answer{response.Status, response.Header, response.Body}, nil
}
