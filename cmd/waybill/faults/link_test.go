package faults

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// echo returns a link to a server that sends back what it receives, and a connection through it.
func echo(t *testing.T) (*link, func() net.Conn) {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	_, port, _ := net.SplitHostPort(server.Addr().String())
	l, err := newLink(port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.close() })
	return l, func() net.Conn {
		c, err := net.Dial("tcp", l.address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		carries(t, c, "hello")
		return c
	}
}

func carries(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestAFrozenLinkLosesNothing(t *testing.T) {
	l, dial := echo(t)
	c := dial()
	err := l.frozen(t.Context(), func() {
		for _, part := range []string{"one ", "two ", "three"} {
			if _, err := c.Write([]byte(part)); err != nil {
				t.Error(err)
			}
		}
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(make([]byte, 1)); n != 0 || !isTimeout(err) {
			t.Errorf("%d bytes while it was frozen, %v", n, err)
		}
	})
	c.SetReadDeadline(time.Time{})
	got := make([]byte, len("one two three"))
	if _, read := io.ReadFull(c, got); err != nil || read != nil || string(got) != "one two three" {
		t.Fatalf("%q, %v, %v", got, err, read)
	}
	carries(t, c, "and goes on")
}

func TestASlicedLinkLosesNothing(t *testing.T) {
	l, dial := echo(t)
	c := dial()
	if err := l.sliced(t.Context(), 2, func() { carries(t, c, "a text of several slices") }); err != nil {
		t.Fatal(err)
	}
	carries(t, c, "and goes on")
}

func TestACutEndsConnectionsAndAResetResetsThem(t *testing.T) {
	l, dial := echo(t)
	for _, test := range []struct {
		name string
		run  func(context.Context, func()) error
		want error
	}{
		{"cut", func(_ context.Context, run func()) error { run(); return nil }, io.EOF},
		{"reset", l.resetting, syscall.ECONNRESET},
	} {
		err := test.run(t.Context(), func() {
			c := dial()
			if err := l.cut(); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, test.want) {
				t.Errorf("%s: %v", test.name, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		dial() // the next is served again
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}
