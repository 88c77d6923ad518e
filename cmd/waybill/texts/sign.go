package texts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// parseSecret reads a secret as Standard Webhooks writes it.
func parseSecret(text string) ([]byte, error) {
	encoded, found := strings.CutPrefix(text, "whsec_")
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if !found || err != nil || len(key) == 0 {
		return nil, errors.New("the gateway's secret (WAYBILL_GATEWAY_SECRET) is not whsec_ followed by base64")
	}
	return key, nil
}

// sign gives the signature's header.
func sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
