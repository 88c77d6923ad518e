package bench

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestResponsesAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	answers := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" +
		"HTTP/1.1 201 Created\r\ncontent-LENGTH:  0\r\nX: y\r\n\r\n" +
		"HTTP/1.1 204 No Content\r\n\r\n" +
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\n" +
		"Trailer: x\r\n\r\n" +
		"HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\n\r\nlost" +
		"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nbus\r\n1\r\ny\r\n0\r\n\r\n" +
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" +
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
	for name, from := range map[string]io.Reader{
		"whole": strings.NewReader(answers), "a byte at a time": iotest.OneByteReader(strings.NewReader(answers)),
	} {
		in := bufio.NewReader(from)
		for _, want := range []struct {
			status int
			body   string // of the unexpected ones
		}{{200, ""}, {201, ""}, {204, ""}, {200, ""}, {409, "lost"}, {503, "busy"}, {304, ""}, {200, ""}} {
			expected := want.status
			if want.body != "" {
				expected = 200
			}
			status, body, err := readResponse(in, expected)
			if err != nil || status != want.status || string(body) != want.body {
				t.Fatalf("%s: %d %q %v, want %+v", name, status, body, err, want)
			}
		}
		if _, _, err := readResponse(in, 200); err != io.EOF {
			t.Errorf("%s: at the end: %v", name, err)
		}
	}
}

func TestBrokenResponsesAreErrors(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"",
		"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 xyz OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
		"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\nas long as it lasts",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nlong\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 10_000) + "\r\n\r\n",
	} {
		if status, _, err := readResponse(bufio.NewReader(strings.NewReader(answer)), 200); err == nil {
			t.Errorf("%.60q is %d", answer, status)
		}
	}
}
