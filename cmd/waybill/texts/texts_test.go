package texts

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/cmd/waybill/texts/fakegateway"
)

func gatewayAt(t testing.TB, url string) *Gateway {
	t.Helper()
	g, err := NewGateway(url, fakegateway.Secret, 150*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.client.CloseIdleConnections)
	return g
}

func someText() Text {
	return Text{ID: uuid.New(), To: "+14155550123", Body: "Your driver is on the way!", CreatedAt: time.Now()}
}

func TestWhateverTheGatewayAnswersThereIsAVerdictInTime(t *testing.T) {
	t.Parallel()
	want := map[fakegateway.Fault]Answer{
		fakegateway.Accept:        {Accepted, ""},
		fakegateway.Refuse:        {Refused, "refused_422_invalid_number"},
		fakegateway.Busy:          {Again, "status_429"},
		fakegateway.Broken:        {Again, "status_503"},
		fakegateway.HTML:          {Again, "html"},
		fakegateway.HTMLAccepting: {Again, "html"},
		fakegateway.Garbage:       {Again, "unreachable"},
		fakegateway.GarbageJSON:   {Again, "garbage"},
		fakegateway.Close:         {Again, "unreachable"},
		fakegateway.Hang:          {Again, "timeout"},
		fakegateway.Drip:          {Again, "timeout"},
		fakegateway.Flood:         {Again, "answer_too_large"},
		fakegateway.Redirect:      {Again, "status_307"},
		fakegateway.LostClose:     {Again, "unreachable"},
		fakegateway.LostHang:      {Again, "timeout"},
		fakegateway.LostBroken:    {Again, "status_503"},
	}
	if len(want) != len(fakegateway.Faults)+2 {
		t.Errorf("%d answers are expected of %d faults", len(want), len(fakegateway.Faults)+2)
	}
	for fault, answer := range want {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			fake := fakegateway.Start(t)
			fake.Always(fault)
			start := time.Now()
			if got := gatewayAt(t, fake.URL).Send(t.Context(), someText()); got != answer {
				t.Errorf("got %v, want %v", got, answer)
			}
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestAGatewayThatIsNotThereIsTriedAgain(t *testing.T) {
	t.Parallel()
	fake := fakegateway.Start(t)
	gateway := gatewayAt(t, fake.URL)
	fake.Close()
	if got := gateway.Send(t.Context(), someText()); got != (Answer{Again, "unreachable"}) {
		t.Errorf("got %v", got)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got := gateway.Send(gone, someText()); got.Verdict != Again {
		t.Errorf("for a caller who is gone: %v", got)
	}
}

func TestTheGatewayKnowsARepeatByItsID(t *testing.T) {
	t.Parallel()
	fake := fakegateway.Start(t)
	gateway, text := gatewayAt(t, fake.URL), someText()
	fake.Behave(func(_ string, try int) fakegateway.Fault {
		return []fakegateway.Fault{fakegateway.LostClose, fakegateway.LostBroken, fakegateway.Accept}[try-1]
	})
	for gateway.Send(t.Context(), text).Verdict == Again {
	}
	if len(fake.Taken()) != 1 || fake.Repeats() != 2 {
		t.Errorf("%d effects, %d repeats", len(fake.Taken()), fake.Repeats())
	}
}

// The example of the specification.
func TestTheSignatureIsThatOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	key, err := parseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAGatewayNeedsAURLAndASecret(t *testing.T) {
	t.Parallel()
	for url, secret := range map[string]string{
		"": fakegateway.Secret, "ftp://x": fakegateway.Secret, "http://": fakegateway.Secret, "gateway:80": fakegateway.Secret,
		"http://a": "", "http://b": "whsec_", "http://c": "hunter2", "http://d": "whsec_not base64",
	} {
		if _, err := NewGateway(url, secret, time.Second); err == nil || len(secret) > 6 && strings.Contains(err.Error(), secret[6:]) {
			t.Errorf("%q, %q: %v", url, secret, err)
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
