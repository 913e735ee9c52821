package gateway

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What a gateway does in place of an answer.
var (
	ErrClosed    = errors.New("the gateway closes the connection without an answer")
	ErrBrokenOff = errors.New("the gateway breaks the stream off")
	ErrInternal  = errors.New("the gateway breaks the stream off with INTERNAL_ERROR")
)

// RawHTTP2 is a connection with a cleartext port over HTTP/2 with prior knowledge, that says
// what no library would. It is for one request at a time.
type RawHTTP2 struct {
	// Dead says that the connection is of no use any more.
	Dead bool

	conn    net.Conn
	framer  *http2.Framer
	out     *bufio.Writer
	mu      sync.Mutex // of writes
	block   bytes.Buffer
	encoder *hpack.Encoder
	stream  uint32 // of the next request
}

const (
	window   = 1 << 30 // more than any answer
	maxFrame = 16 << 10
)

// DialHTTP2 opens a connection.
func DialHTTP2(address string) (*RawHTTP2, error) {
	conn, err := net.DialTimeout("tcp", address, timeout)
	if err != nil {
		return nil, err
	}
	c := &RawHTTP2{conn: conn, out: bufio.NewWriter(conn), stream: 1}
	c.framer = http2.NewFramer(c.out, bufio.NewReader(conn))
	c.framer.AllowIllegalWrites = true
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	_, _ = c.out.WriteString(http2.ClientPreface) // a buffer takes it
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	_ = c.framer.WriteWindowUpdate(0, window)
	if err := c.out.Flush(); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// Close closes the connection.
func (c *RawHTTP2) Close() { c.conn.Close() }

// FieldBytes is how long the last block of fields was that was sent, in bytes.
func (c *RawHTTP2) FieldBytes() int { return c.block.Len() }

// Send sends one request: its fields as they are, in their order, a body, and trailers. The
// error is one of those above, or says what else went wrong.
func (c *RawHTTP2) Send(fields []Field, body []byte, trailers []Field) (response *Response, err error) {
	stream := c.stream
	c.stream += 2
	if err := c.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		c.Dead = true
		return nil, ErrClosed
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		c.mu.Lock()
		defer c.mu.Unlock()
		_ = c.write(stream, fields, body, trailers)
	}()
	response, err = c.read(stream)
	select {
	case <-sent:
	default: // a gateway that refuses early stops reading
		c.Dead = true
	}
	if c.Dead {
		c.conn.Close()
	}
	<-sent
	return response, err
}

func (c *RawHTTP2) write(stream uint32, fields []Field, body []byte, trailers []Field) error {
	if err := c.writeFields(stream, fields, len(body) == 0 && len(trailers) == 0); err != nil {
		return err
	}
	for len(body) > 0 {
		n := min(len(body), maxFrame)
		if err := c.framer.WriteData(stream, n == len(body) && len(trailers) == 0, body[:n]); err != nil {
			return err
		}
		body = body[n:]
	}
	if len(trailers) > 0 {
		if err := c.writeFields(stream, trailers, true); err != nil {
			return err
		}
	}
	return c.out.Flush()
}

// writeFields writes a block of fields in as many frames as it takes.
func (c *RawHTTP2) writeFields(stream uint32, fields []Field, last bool) error {
	c.block.Reset()
	for _, f := range fields {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value}) // a buffer takes all
	}
	block := c.block.Bytes()
	n := min(len(block), maxFrame)
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block[:n], EndStream: last, EndHeaders: n == len(block),
	})
	for block = block[n:]; err == nil && len(block) > 0; block = block[n:] {
		n = min(len(block), maxFrame)
		err = c.framer.WriteContinuation(stream, n == len(block), block[:n])
	}
	return err
}

// reply writes what the gateway is owed. It may be late: what is under way has the lock.
func (c *RawHTTP2) reply(write func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if write() == nil {
		_ = c.out.Flush() // that it is closed shows when reading
	}
}

func (c *RawHTTP2) read(stream uint32) (*Response, error) {
	response := &Response{Proto: string(HTTP2), Header: http.Header{}}
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			c.Dead = true
			if broken := (http2.StreamError{}); errors.As(err, &broken) {
				return nil, fmt.Errorf("unreadable answer: %w", err)
			}
			if silent := net.Error(nil); errors.As(err, &silent) && silent.Timeout() {
				return nil, fmt.Errorf("no answer in %v", timeout)
			}
			return nil, ErrClosed
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.reply(c.framer.WriteSettingsAck)
			}
		case *http2.PingFrame:
			c.reply(func() error { return c.framer.WritePing(true, f.Data) })
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				c.Dead = true
				return nil, ErrBrokenOff
			}
		}
		if frame.Header().StreamID != stream {
			continue
		}
		ended := false
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				if field.Name != ":status" {
					response.Header.Add(field.Name, field.Value)
				} else if _, err := fmt.Sscan(field.Value, &response.Status); err != nil {
					c.Dead = true
					return nil, err
				}
			}
			ended = f.StreamEnded()
		case *http2.DataFrame:
			response.Body = append(response.Body, f.Data()...)
			ended = f.StreamEnded()
		case *http2.RSTStreamFrame:
			switch {
			case f.ErrCode == http2.ErrCodeNo && response.Status > 0:
				ended = true // it has answered and wants no body
			case f.ErrCode == http2.ErrCodeInternal:
				return nil, ErrInternal
			default:
				return nil, ErrBrokenOff
			}
		}
		if ended {
			return response, nil
		}
	}
}

// SendHTTP2 sends one request over a connection of its own. It returns nil if the gateway
// breaks it off.
func SendHTTP2(address string, fields []Field, body []byte, trailers []Field) (*Response, error) {
	c, err := DialHTTP2(address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	response, err := c.Send(fields, body, trailers)
	if errors.Is(err, ErrClosed) || errors.Is(err, ErrBrokenOff) || errors.Is(err, ErrInternal) {
		return nil, nil
	}
	return response, err
}
