package texts

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/cmd/waybill/texts/fakegateway"
)

func gatewayAt(t testing.TB, url string) *Gateway {
	t.Helper()
	g, err := NewGateway(GatewayOptions{URL: url, Secret: fakegateway.Secret, Timeout: 150 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.client.CloseIdleConnections)
	return g
}

func someText() Text {
	return Text{ID: uuid.New(), To: "+14155550123", Body: "Your driver is on the way!", CreatedAt: time.Now()}
}

func TestWhateverTheGatewayAnswersThereIsAVerdict(t *testing.T) {
	t.Parallel()
	want := map[fakegateway.Fault]Answer{
		fakegateway.Accept:        {Verdict: Accepted},
		fakegateway.Refuse:        {Verdict: Refused, Reason: "refused_422_invalid_number"},
		fakegateway.Busy:          retryLater("status_429"),
		fakegateway.BusyFor:       {Verdict: Retry, Reason: "status_429", RetryAfter: 7 * time.Second},
		fakegateway.Unauthorized:  retryLater("status_401"),
		fakegateway.Nowhere:       retryLater("status_404"),
		fakegateway.Broken:        retryLater("status_503"),
		fakegateway.HTML:          retryLater("html"),
		fakegateway.HTMLAccepting: retryLater("html"),
		fakegateway.Garbage:       retryLater("unreachable"),
		fakegateway.GarbageJSON:   retryLater("garbage"),
		fakegateway.Close:         retryLater("unreachable"),
		fakegateway.Hang:          retryLater("timeout"),
		fakegateway.Drip:          retryLater("timeout"),
		fakegateway.Flood:         retryLater("answer_too_large"),
		fakegateway.Redirect:      retryLater("status_307"),
		fakegateway.LostClose:     retryLater("unreachable"),
		fakegateway.LostHang:      retryLater("timeout"),
		fakegateway.LostBroken:    retryLater("status_503"),
	}
	if len(want) != len(fakegateway.Faults)+2 {
		t.Errorf("%d answers for %d faults", len(want), len(fakegateway.Faults)+2)
	}
	for fault, answer := range want {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			fake := fakegateway.Start(t)
			fake.Always(fault)
			// A gateway that hangs or drips never answers otherwise: this ends by the limit alone.
			if got := gatewayAt(t, fake.URL).Send(t.Context(), someText()); got != answer {
				t.Errorf("got %v, want %v", got, answer)
			}
		})
	}
}

func TestAGatewayThatIsNotThereIsTriedAgain(t *testing.T) {
	t.Parallel()
	fake := fakegateway.Start(t)
	gateway := gatewayAt(t, fake.URL)
	fake.Close()
	if got := gateway.Send(t.Context(), someText()); got != retryLater("unreachable") {
		t.Errorf("got %v", got)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got := gateway.Send(gone, someText()); got.Verdict != Retry {
		t.Errorf("for a canceled caller: %v", got)
	}
}

func TestTheGatewayKnowsARepeatByItsID(t *testing.T) {
	t.Parallel()
	fake := fakegateway.Start(t)
	gateway, text := gatewayAt(t, fake.URL), someText()
	fake.Behave(func(_ string, try int) fakegateway.Fault {
		return []fakegateway.Fault{fakegateway.LostClose, fakegateway.LostBroken, fakegateway.Accept}[try-1]
	})
	for gateway.Send(t.Context(), text).Verdict == Retry {
	}
	if len(fake.Taken()) != 1 || fake.Repeats() != 2 {
		t.Errorf("%d effects, %d repeats", len(fake.Taken()), fake.Repeats())
	}
}

// The example of the specification.
func TestTheSignatureIsThatOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	key, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := Sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAGatewayNeedsAURLAndASecret(t *testing.T) {
	t.Parallel()
	short := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23))
	long := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))
	for _, c := range []struct{ url, secret, says string }{
		{"", fakegateway.Secret, "must be an http or https URL"},
		{"ftp://x", fakegateway.Secret, "must be an http or https URL"},
		{"http://", fakegateway.Secret, "must be an http or https URL"},
		{"gateway:80", fakegateway.Secret, "must be an http or https URL"},
		{"https://gateway.example/te xts", fakegateway.Secret, "must be an http or https URL"},
		{"https://:443/texts", fakegateway.Secret, "must be an http or https URL"},
		{"https://gateway.example/#texts", fakegateway.Secret, "must be an http or https URL"},
		{"https://a", "", "is missing"},
		{"https://a", " , ", "is missing"},
		{"https://a", "whsec_", "has 0 bytes, not 24 to 64"},
		{"https://a", "hunter2", "must be whsec_"},
		{"https://a", "whsec_not*base64", "must be whsec_"},
		{"https://a", short, "has 23 bytes, not 24 to 64"},
		{"https://a", long, "has 65 bytes, not 24 to 64"},
		{"https://a", fakegateway.Secret + " " + short, "has 23 bytes, not 24 to 64"}, // any of them
		{"http://gateway.example", fakegateway.Secret, "WAYBILL_GATEWAY_ALLOW_HTTP"},
		{"http://10.0.0.1", fakegateway.Secret, "WAYBILL_GATEWAY_ALLOW_HTTP"},
		{"http://[2001:db8::1]:80", fakegateway.Secret, "WAYBILL_GATEWAY_ALLOW_HTTP"},
		{"http://localhost.example", fakegateway.Secret, "WAYBILL_GATEWAY_ALLOW_HTTP"},
		{"http://127.0.0.1.example", fakegateway.Secret, "WAYBILL_GATEWAY_ALLOW_HTTP"},
		{"http://0.0.0.0", fakegateway.Secret, "WAYBILL_GATEWAY_ALLOW_HTTP"},
	} {
		_, err := NewGateway(GatewayOptions{URL: c.url, Secret: c.secret})
		switch {
		case err == nil || !strings.Contains(err.Error(), c.says):
			t.Errorf("%q, %q: %v", c.url, c.secret, err)
		case len(c.secret) > 6 && strings.Contains(err.Error(), c.secret[6:]):
			t.Errorf("the error contains the secret: %v", err)
		}
	}
	for _, o := range []GatewayOptions{
		{URL: "https://gateway.example"}, {URL: "http://127.0.0.1:1"},
		{URL: "http://[::1]"}, {URL: "http://LOCALHOST:80"},
		{URL: "http://[::ffff:127.0.0.1]"}, {URL: "http://gateway.example", AllowHTTP: true},
	} {
		o.Secret = fakegateway.Secret
		if _, err := NewGateway(o); err != nil {
			t.Errorf("%v: %v", o, err)
		}
	}
}

// During a rotation both sides have two secrets: whichever the gateway knows, it verifies every
// request.
func TestASecretIsReplacedWithoutAGap(t *testing.T) {
	t.Parallel()
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret of some bytes"))
	for _, secrets := range []string{
		fakegateway.Secret + " " + other, other + "," + fakegateway.Secret, other + ", " + fakegateway.Secret + "\n",
	} {
		fake := fakegateway.Start(t)
		g, err := NewGateway(GatewayOptions{URL: fake.URL, Secret: secrets, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.client.CloseIdleConnections)
		if got := g.Send(t.Context(), someText()); got.Verdict != Accepted || len(fake.Taken()) != 1 {
			t.Errorf("got %v", got)
		}
	}
}

// A status about the text itself is final; one about the sender, the gateway or a proxy is not, and
// loses no text.
func TestOnlyWhatIsSaidOfTheTextIsFinal(t *testing.T) {
	t.Parallel()
	for status := 300; status < 600; status++ {
		want := Retry
		switch status {
		case 400, 410, 422:
			want = Refused
		}
		response := &http.Response{StatusCode: status, Header: http.Header{}}
		if got := judge(response, []byte(`{"code":"no"}`), time.Now()); got.Verdict != want {
			t.Errorf("%d: %v", status, got)
		}
		response.Header.Set("Content-Type", "text/html")
		if got := judge(response, nil, time.Now()); got.Verdict != Retry {
			t.Errorf("%d, a page: %v", status, got)
		}
	}
}

func TestRetryAfterIsReadInSecondsAndAsADate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0": 0, "3600": time.Hour, "3601": time.Hour, "99999999999999999999999": time.Hour,
		"-1": 0, "7.5": 0, "soon": 0, " 7": 0,
		now.Add(7 * time.Second).Format(http.TimeFormat):              7 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):                   0,
		now.AddDate(1, 0, 0).Format(http.TimeFormat):                  time.Hour,
		now.Add(time.Minute).Format("Monday, 02-Jan-06 15:04:05 GMT"): time.Minute,
	} {
		if got := RetryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
		for status, honoured := range map[int]bool{429: true, 503: true, 202: false, 422: false} {
			response := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {header}}}
			if got := judge(response, nil, now); honoured && got.RetryAfter != want ||
				!honoured && got.RetryAfter != 0 {
				t.Errorf("%d with %q: %v", status, header, got)
			}
		}
	}
}

func TestOnlyACodeIsKeptOfARefusal(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``: "refused_400", `no`: "refused_400", `[]`: "refused_400", `null`: "refused_400",
		`{"code":"blocked"}`:                         "refused_400_blocked",
		`{"error":"opted_out"}`:                      "refused_400_opted_out",
		`{"code":17,"error":"opted_out"}`:            "refused_400_opted_out",
		`{"error":{"code":"x"}}`:                     "refused_400",
		`{"code":"+14155550123 is gone"}`:            "refused_400",
		`{"code":"` + strings.Repeat("x", 36) + `"}`: "refused_400",
	} {
		if got := refusal(400, []byte(body)); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestShortAnswersOfAnyKindAreAnswers(t *testing.T) {
	t.Parallel()
	for body, garbage := range map[string]bool{
		"": false, "ok": false, "Accepted.\n": false, `{"id":1}`: false, `"x"`: false, "17": false,
		`{"id":`: true, "[1,": true, "\x00\x01": true, "\xff\xfe": true, "ok\x07": true,
	} {
		if got := isGarbage([]byte(body)); got != garbage {
			t.Errorf("%q: %v", body, got)
		}
	}
}

func TestWithoutAGatewayTheTextsAreLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	text := someText()
	if got := (Log{slog.New(slog.NewTextHandler(&out, nil))}).Send(t.Context(), text); got.Verdict != Accepted {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(out.String(), text.Body) || !strings.Contains(out.String(), text.To) {
		t.Error(out.String())
	}
}
