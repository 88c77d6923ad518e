package webhooks_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"waybill/api/client/webhooks"
)

// The example of the Standard Webhooks specification.
const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	body      = `{"test": 2432232314}`
	id        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	timestamp = "1614265330"
	signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var signedAt = time.Unix(1614265330, 0)

func headers(id, timestamp, signature string) http.Header {
	return http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}
}

func TestASignedRequestIsVerified(t *testing.T) {
	t.Parallel()
	for _, s := range []string{secret, "whsec_b3RoZXIgc2VjcmV0IG9mIDI0IGJ5dGVzLg== " + secret} {
		v, err := webhooks.New(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, signatures := range []string{signature, "v1,AAAA v1a,x " + signature} {
			for _, now := range []time.Time{signedAt, signedAt.Add(4 * time.Minute), signedAt.Add(-4 * time.Minute)} {
				if err := v.Verify(headers(id, timestamp, signatures), []byte(body), now); err != nil {
					t.Errorf("%s at %v: %v", signatures, now, err)
				}
			}
		}
	}
}

func TestAForgedRequestIsNot(t *testing.T) {
	t.Parallel()
	v, err := webhooks.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		header http.Header
		body   string
		now    time.Time
	}{
		"another body":        {headers(id, timestamp, signature), body + " ", signedAt},
		"another id":          {headers("msg_1", timestamp, signature), body, signedAt},
		"another time":        {headers(id, "1614265331", signature), body, signedAt},
		"an old request":      {headers(id, timestamp, signature), body, signedAt.Add(6 * time.Minute)},
		"a clock ahead":       {headers(id, timestamp, signature), body, signedAt.Add(-6 * time.Minute)},
		"no time":             {headers(id, "", signature), body, signedAt},
		"no signature":        {headers(id, timestamp, ""), body, signedAt},
		"no id":               {headers("", timestamp, signature), body, signedAt},
		"another version":     {headers(id, timestamp, "v2"+signature[2:]), body, signedAt},
		"part of a signature": {headers(id, timestamp, signature[:20]), body, signedAt},
	} {
		if err := v.Verify(c.header, []byte(c.body), c.now); !errors.Is(err, webhooks.ErrUnsigned) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASecretThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", " , ", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%"} {
		if _, err := webhooks.New(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}
