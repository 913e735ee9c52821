package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// Frames and streams of HTTP/3 (RFC 9114, sections 6.2.1 and 7.2).
const (
	frameData     = 0
	frameHeaders  = 1
	frameSettings = 4
	streamControl = 0
)

// RawHTTP3 is a connection with a site over HTTP/3 that says what no library would. It
// is for one request at a time.
type RawHTTP3 struct {
	address string
	tls     *tls.Config
	conn    *quic.Conn
}

// RawHTTP3 returns a connection that ends with the test.
func (g *Gateway) RawHTTP3(t testing.TB, site string) *RawHTTP3 {
	t.Helper()
	if g.secure[site] == "" {
		t.Fatalf("no site %s with TLS", site)
	}
	c := &RawHTTP3{address: g.secure[site], tls: http3.ConfigureTLSConfig(g.tls.Clone())}
	t.Cleanup(c.Forget)
	return c
}

// Forget closes the connection, as after a reload that has closed the port.
func (c *RawHTTP3) Forget() {
	if c.conn != nil {
		_ = c.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	}
	c.conn = nil
}

// open has a connection be there, which the gateway may have closed before.
func (c *RawHTTP3) open(ctx context.Context) error {
	if c.conn != nil && c.conn.Context().Err() == nil {
		return nil
	}
	conn, err := quic.DialAddr(ctx, c.address, c.tls, nil)
	if err != nil {
		return err
	}
	c.conn = conn
	control, err := conn.OpenUniStreamSync(ctx)
	if err != nil {
		return err
	}
	_, err = control.Write(appendFrame([]byte{streamControl}, frameSettings, nil))
	return err
}

// Send sends one request: its fields as they are, in their order, a body, and trailers. It
// returns nil if the gateway breaks it off.
func (c *RawHTTP3) Send(fields []Field, body []byte, trailers []Field) (*Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	stream, err := c.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	if err := stream.SetDeadline(deadline); err != nil {
		return nil, err
	}
	request := appendFrame(nil, frameHeaders, encodeFields(fields))
	if len(body) > 0 {
		request = appendFrame(request, frameData, body)
	}
	if len(trailers) > 0 {
		request = appendFrame(request, frameHeaders, encodeFields(trailers))
	}
	_, _ = stream.Write(request) // a gateway that refuses early stops reading
	_ = stream.Close()
	answer, err := io.ReadAll(stream)
	var brokenOff *quic.StreamError
	var closed *quic.ApplicationError
	switch {
	case errors.As(err, &closed):
		c.Forget()
		return nil, nil
	case errors.As(err, &brokenOff) && brokenOff.ErrorCode != quic.StreamErrorCode(http3.ErrCodeNoError):
		// Or the server of the configuration before took the connection, and shuts down: it
		// rejects each further request on it.
		c.Forget()
		return nil, nil
	case err != nil && brokenOff == nil:
		c.Forget()
		return nil, err
	}
	return readHTTP3(answer)
}

func encodeFields(fields []Field) []byte {
	var block bytes.Buffer
	encoder := qpack.NewEncoder(&block)
	for _, f := range fields {
		_ = encoder.WriteField(qpack.HeaderField{Name: f.Name, Value: f.Value}) // a buffer takes all
	}
	return block.Bytes()
}

func appendFrame(to []byte, kind uint64, content []byte) []byte {
	to = quicvarint.Append(to, kind)
	to = quicvarint.Append(to, uint64(len(content)))
	return append(to, content...)
}

// readHTTP3 reads the frames of an answer.
func readHTTP3(answer []byte) (*Response, error) {
	response := &Response{Proto: string(HTTP3), Header: http.Header{}}
	for in := bytes.NewReader(answer); in.Len() > 0; {
		kind, err := quicvarint.Read(in)
		if err != nil {
			return nil, err
		}
		size, err := quicvarint.Read(in)
		if err != nil {
			return nil, err
		}
		if size > uint64(in.Len()) {
			return nil, io.ErrUnexpectedEOF
		}
		content := make([]byte, size)
		_, _ = in.Read(content) // it is all there
		switch kind {
		case frameData:
			response.Body = append(response.Body, content...)
		case frameHeaders:
			if err := response.decode(content); err != nil {
				return nil, err
			}
		}
	}
	if response.Status == 0 {
		return nil, nil
	}
	return response, nil
}

// decode adds a block of fields: the last one with a status is the answer's.
func (r *Response) decode(block []byte) error {
	for next := qpack.NewDecoder().Decode(block); ; {
		field, err := next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case field.Name != ":status":
			r.Header.Add(field.Name, field.Value)
		default:
			if _, err := fmt.Sscan(field.Value, &r.Status); err != nil {
				return err
			}
		}
	}
}
