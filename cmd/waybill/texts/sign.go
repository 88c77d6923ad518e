package texts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The limits of Standard Webhooks on the length of a secret.
const (
	shortestSecret = 24
	longestSecret  = 64
)

// parseSecrets parses one or several secrets in the format of Standard Webhooks, separated by spaces or
// commas.
func parseSecrets(text string) (keys [][]byte, err error) {
	words := strings.FieldsFunc(text,
		func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
	if len(words) == 0 {
		return nil, errors.New("the gateway's secret (WAYBILL_GATEWAY_SECRET) is missing")
	}
	for _, word := range words {
		key, err := ParseSecret(word)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// ParseSecret returns the key of one secret.
func ParseSecret(text string) ([]byte, error) {
	encoded, found := strings.CutPrefix(text, "whsec_")
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if !found || err != nil {
		return nil, errors.New("the gateway's secret (WAYBILL_GATEWAY_SECRET) must be whsec_ followed by base64")
	}
	if len(key) < shortestSecret || len(key) > longestSecret {
		return nil, fmt.Errorf(
			"the gateway's secret (WAYBILL_GATEWAY_SECRET) has %d bytes, not %d to %d; generate one "+
				"with: echo whsec_$(head -c 32 /dev/urandom | base64)",
			len(key), shortestSecret, longestSecret)
	}
	return key, nil
}

// Sign returns the signature header: one signature for each key, so that a gateway that knows any of
// them can verify the request.
func Sign(keys [][]byte, id, timestamp string, body []byte) string {
	signatures := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}
