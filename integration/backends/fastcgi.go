package backends

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"time"
)

// Record types of FastCGI.
const (
	fcgiBegin  = 1
	fcgiEnd    = 3
	fcgiParams = 4
	fcgiStdin  = 5
	fcgiStdout = 6
	fcgiStderr = 7
)

const (
	fcgiTimeout    = 5 * time.Second
	fcgiHeaderSize = 8
	fcgiMaxContent = 65528
)

// fastCGI makes one FastCGI request, past any web server.
func fastCGI(network, address string, variables map[string]string, stdin []byte) (body []byte, header http.Header, err error) {
	conn, err := net.DialTimeout(network, address, fcgiTimeout)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(fcgiTimeout)); err != nil {
		return nil, nil, err
	}

	var params []byte
	for name, value := range variables {
		params = binary.BigEndian.AppendUint32(params, uint32(len(name))|1<<31)
		params = binary.BigEndian.AppendUint32(params, uint32(len(value))|1<<31)
		params = append(append(params, name...), value...)
	}
	request := fcgiStream(nil, fcgiBegin, []byte{0, 1, 0, 0, 0, 0, 0, 0}) // a responder; close afterwards
	request = fcgiStream(request, fcgiParams, params)
	request = fcgiStream(request, fcgiParams, nil)
	if len(stdin) > 0 {
		request = fcgiStream(request, fcgiStdin, stdin)
	}
	request = fcgiStream(request, fcgiStdin, nil)
	if _, err := conn.Write(request); err != nil {
		return nil, nil, err
	}

	var stdout, stderr bytes.Buffer
	in := bufio.NewReader(conn)
	for ended := false; !ended; {
		var head [fcgiHeaderSize]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return nil, nil, err
		}
		content := make([]byte, int(binary.BigEndian.Uint16(head[4:]))+int(head[6]))
		if _, err := io.ReadFull(in, content); err != nil {
			return nil, nil, err
		}
		content = content[:len(content)-int(head[6])] // less the padding
		switch head[1] {
		case fcgiStdout:
			stdout.Write(content)
		case fcgiStderr:
			stderr.Write(content)
		case fcgiEnd:
			ended = true
		}
	}
	response := textproto.NewReader(bufio.NewReader(&stdout))
	mime, err := response.ReadMIMEHeader()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("response header: %w", err), errors.New(stderr.String()))
	}
	body, err = io.ReadAll(response.R)
	return body, http.Header(mime), err
}

// fcgiStream appends the content in as many records as it takes, at least one.
func fcgiStream(to []byte, kind byte, content []byte) []byte {
	for {
		n := min(len(content), fcgiMaxContent)
		to = append(to, 1, kind, 0, 1) // version, type, request id
		to = binary.BigEndian.AppendUint16(to, uint16(n))
		to = append(to, 0, 0) // no padding
		to = append(to, content[:n]...)
		content = content[n:]
		if len(content) == 0 {
			return to
		}
	}
}
