package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// The load generator shares its processors with the server: it assembles requests from prepared bytes,
// and parses only the necessary parts of a response.

// wire is a keep-alive connection.
type wire struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
	out     []byte // the request's buffer, reused
}

func (w *wire) dial(ctx context.Context) (err error) {
	w.conn, err = (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", w.address)
	if err != nil {
		return err
	}
	if w.in == nil {
		w.in = bufio.NewReaderSize(nil, 8<<10)
	}
	w.in.Reset(w.conn)
	return nil
}

func (w *wire) close() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

// errStatus means that the server answered with an unexpected status.
var errStatus = errors.New("unexpected answer")

// exchange sends w.out and reads the whole response. After an error other than errStatus, the
// connection must not be used again.
func (w *wire) exchange(want int) error {
	if _, err := w.conn.Write(w.out); err != nil {
		return err
	}
	status, body, err := readResponse(w.in, want)
	if err != nil {
		return err
	}
	if status != want {
		line, _, _ := bytes.Cut(w.out, []byte(" HTTP/"))
		return fmt.Errorf("%w: %s: %d, not %d: %s", errStatus, line, status, want, body)
	}
	return nil
}

// readResponse reads a whole response, and returns its body if the status differs from the expected
// one. It supports a Content-Length and chunked encoding.
func readResponse(in *bufio.Reader, want int) (status int, body []byte, err error) {
	line, err := readLine(in)
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || string(line[:9]) != "HTTP/1.1 " {
		return 0, nil, fmt.Errorf("invalid status line: %.40q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, fmt.Errorf("not a status: %.40q", line)
	}
	length, chunked, closes := int64(-1), false, false
	for {
		line, err := readLine(in)
		if err != nil {
			return 0, nil, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case named(name, "content-length"):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil || length < 0 {
				return 0, nil, fmt.Errorf("not a length: %.40q", line)
			}
		case named(name, "transfer-encoding"):
			chunked = named(value, "chunked")
		case named(name, "connection"):
			closes = named(value, "close")
		}
	}
	var keep *bytes.Buffer
	if status != want {
		keep = &bytes.Buffer{}
	}
	switch {
	case status == 204 || status == 304:
	case chunked:
		err = skipChunks(in, keep)
	case length >= 0:
		err = skip(in, keep, length)
	default:
		err = errors.New("the response has no length")
	}
	if err == nil && closes {
		err = errors.New("the server closes the connection")
	}
	if keep != nil {
		body = keep.Bytes()
	}
	return status, body, err
}

func skipChunks(in *bufio.Reader, keep *bytes.Buffer) error {
	for {
		line, err := readLine(in)
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseInt(string(bytes.TrimSpace(size)), 16, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("not a chunk: %.40q", line)
		}
		if n == 0 {
			break
		}
		if err := skip(in, keep, n); err != nil {
			return err
		}
		if line, err := readLine(in); err != nil || len(line) > 0 {
			return errors.Join(err, errors.New("a chunk is longer than its declared size"))
		}
	}
	for { // trailers
		line, err := readLine(in)
		if err != nil || len(line) == 0 {
			return err
		}
	}
}

// skip reads n bytes, and keeps those of an unexpected response.
func skip(in *bufio.Reader, keep *bytes.Buffer, n int64) error {
	if keep != nil {
		_, err := io.CopyN(keep, in, n)
		return err
	}
	for n > 0 {
		skipped, err := in.Discard(int(min(n, 1<<20)))
		if n -= int64(skipped); err != nil {
			return err
		}
	}
	return nil
}

func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// named compares a header's name with a lower-case name.
func named(given []byte, name string) bool {
	return len(given) == len(name) && bytes.EqualFold(given, []byte(name))
}
