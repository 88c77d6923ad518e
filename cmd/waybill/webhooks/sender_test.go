package webhooks

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	verify "waybill/api/client/webhooks"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	former = "whsec_b3RoZXIgc2VjcmV0IG9mIDI0IGJ5dGVzLg=="
)

// receiver is an https server at a loopback address that counts its requests.
type receiver struct {
	*httptest.Server
	requests atomic.Int32
	roots    *x509.CertPool
}

func newReceiver(t *testing.T, handler http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{roots: x509.NewCertPool()}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.requests.Add(1)
		handler(w, q)
	}))
	t.Cleanup(r.Close)
	r.roots.AddCert(r.Certificate())
	return r
}

func accept(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func (r *receiver) port() string { return r.URL[strings.LastIndex(r.URL, ":"):] }

func send(s *Sender, url string) Answer {
	return s.Send(context.Background(), Request{ID: "1", URL: url, Secrets: []string{secret}, Body: []byte("{}"),
		At: time.Now()})
}

// No address of the machine or its networks is connected to, however it is written and whatever name leads to it: it
// is checked when it is connected to, so that a name that led elsewhere before makes no difference.
func TestNoRequestReachesAPrivateAddress(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, accept)
	names := resolving(t, [4]byte{127, 0, 0, 1})
	s := NewSender(Options{RootCAs: r.roots, Resolver: names})
	for _, host := range []string{"127.0.0.1", "127.1.1.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0",
		"[::]", "169.254.169.254", "[64:ff9b::7f00:1]", "10.0.0.1", "clinic.example", "localhost"} {
		if a := send(s, "https://"+host+r.port()); a.Reason != "address_refused" || a.Accepted || a.Status != 0 {
			t.Errorf("%s: %+v", host, a)
		}
	}
	if n := r.requests.Load(); n != 0 {
		t.Errorf("%d requests came", n)
	}
	// With the setting, the same name leads to the receiver.
	s = NewSender(Options{RootCAs: r.roots, Resolver: names, AllowPrivate: true})
	if a := send(s, "https://example.com"+r.port()); !a.Accepted || a.Status != 204 || a.Reason != "" {
		t.Errorf("with the setting: %+v", a)
	}
}

// resolving returns a resolver for which each name has one address of IPv4.
func resolving(t *testing.T, ip [4]byte) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		for query := make([]byte, 512); ; {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			end := 12 // of the question
			for end < n && query[end] != 0 {
				end += int(query[end]) + 1
			}
			answer := append([]byte{}, query[:end+5]...)
			answer[2], answer[3] = 0x81, 0x80
			copy(answer[6:12], make([]byte, 6))
			if answer[end+2] == 1 { // A
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ip[0], ip[1], ip[2], ip[3])
			}
			server.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	other := newReceiver(t, accept)
	r := newReceiver(t, func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, other.URL, http.StatusTemporaryRedirect)
	})
	s := NewSender(Options{RootCAs: r.roots, AllowPrivate: true})
	if a := send(s, r.URL); a.Accepted || a.Status != 307 || a.Reason != "status_307" || other.requests.Load() != 0 {
		t.Errorf("%+v, and %d requests elsewhere", a, other.requests.Load())
	}
}

func TestNoProxyIsUsed(t *testing.T) {
	t.Parallel()
	s := NewSender(Options{})
	if s.client.Transport.(*http.Transport).Proxy != nil {
		t.Error("a proxy would connect to addresses that nobody checks")
	}
}

func TestWhyARequestFails(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, accept)
	plain := httptest.NewServer(http.HandlerFunc(accept))
	defer plain.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	release := make(chan struct{})
	hanging := newReceiver(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	private, public := Options{AllowPrivate: true, RootCAs: r.roots}, Options{}
	for _, c := range []struct {
		options Options
		url     string
		want    string
	}{
		{private, r.URL, ""},
		{Options{AllowPrivate: true}, r.URL, "tls"},
		{private, "https" + strings.TrimPrefix(plain.URL, "http"), "unreachable"},
		{private, plain.URL, ""},
		{public, plain.URL, "plain_http"},
		{private, closed.URL, "unreachable"},
		{Options{AllowPrivate: true, RootCAs: hanging.roots, Timeout: 200 * time.Millisecond}, hanging.URL, "timeout"},
		{private, "ftp://a.example", "invalid_url"}, {private, "https://", "invalid_url"},
		{private, "https://user:password@127.0.0.1", "invalid_url"}, {private, "https://a b", "invalid_url"},
	} {
		if a := send(NewSender(c.options), c.url); a.Reason != c.want || a.Accepted != (c.want == "") {
			t.Errorf("%s: %+v, want %q", c.url, a, c.want)
		}
	}
	if a := NewSender(private).Send(t.Context(), Request{URL: r.URL, Secrets: []string{"?"}}); a.Reason != "no_secret" {
		t.Errorf("without a secret: %+v", a)
	}
}

// An answer without end is neither read nor waited for to its end.
func TestAnEndlessAnswerIsBounded(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(w http.ResponseWriter, q *http.Request) {
		for q.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	if a := send(NewSender(Options{RootCAs: r.roots, AllowPrivate: true}), r.URL); !a.Accepted {
		t.Errorf("%+v", a)
	}
	r = newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", strings.Repeat("x", 2*answerLimit))
	})
	if a := send(NewSender(Options{RootCAs: r.roots, AllowPrivate: true}),
		r.URL); a.Accepted || a.Reason != "unreachable" {
		t.Errorf("with endless headers: %+v", a)
	}
}

func TestRetryAfterIsTold(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	a := send(NewSender(Options{RootCAs: r.roots, AllowPrivate: true}), r.URL)
	if a.RetryAfter != 7*time.Second || a.Status != 503 || a.Reason != "status_503" {
		t.Errorf("%+v", a)
	}
}

// During a rotation, a receiver that knows either secret can verify the request.
func TestARequestIsSignedWithEachSecret(t *testing.T) {
	t.Parallel()
	var header http.Header
	var body []byte
	r := newReceiver(t, func(w http.ResponseWriter, q *http.Request) {
		header = q.Header
		body, _ = io.ReadAll(q.Body)
		accept(w, q)
	})
	s := NewSender(Options{RootCAs: r.roots, AllowPrivate: true})
	a := s.Send(t.Context(), Request{ID: "019b8d5a", URL: r.URL,
		Secrets: []string{secret, former}, Body: []byte(`{"a":1}`),
		At: time.Now()})
	if !a.Accepted || string(body) != `{"a":1}` || header.Get("Webhook-Id") != "019b8d5a" {
		t.Errorf("%+v, %s, %v", a, body, header)
	}
	for _, known := range []string{secret, former} {
		v, err := verify.New(known)
		if err == nil {
			err = v.Verify(header, body, time.Now())
		}
		if err != nil {
			t.Error(err)
		}
	}
	v, _ := verify.New("whsec_YSB0aGlyZCBzZWNyZXQgb2YgMjQgYnl0ZXM=")
	if v.Verify(header, body, time.Now()) == nil {
		t.Error("another secret verifies it")
	}
}
