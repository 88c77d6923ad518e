package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

// sampleOf returns an operation's sample of code; "" for none.
func sampleOf(op *described, label string) string {
	item := theDocument().root["paths"].(object)[op.path].(object)[strings.ToLower(op.method)].(object)
	for _, sample := range objectsOf(item["x-codeSamples"]) {
		if sample["label"] == label {
			return sample["source"].(string)
		}
	}
	return ""
}

// curlIn are the arguments of curl in a shell's command.
func curlIn(t *testing.T, command string) []string {
	t.Helper()
	const script = `curl() { printf '%s\0' "$@"; }; uuidgen() { echo made; }; WAYBILL_TOKEN=token; ETAG=etag; ` + "\n"
	out, err := exec.CommandContext(t.Context(), "sh", "-euc", script+command).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, command)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// A sample for curl sends the recorded example, which the server accepts, and what must be sent with it.
func TestCurlSendsTheExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]struct {
		Parameters object
		Request    any
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	for _, op := range theDocument().operations {
		want := recorded[op.id]
		sent := sentBy(t, curlIn(t, sampleOf(op, "curl")))
		path, query := op.path, url.Values{}
		for name, value := range want.Parameters {
			if in := strings.Replace(path, "{"+name+"}", fmt.Sprint(value), 1); in != path {
				path = in
			} else {
				query.Set(name, fmt.Sprint(value))
			}
		}
		if sent.method != op.method || sent.url.Path != path || sent.url.Query().Encode() != query.Encode() {
			t.Errorf("%s: curl sends %s %s, the example is %s %s?%s", op.id, sent.method, sent.url, op.method, path,
				query.Encode())
		}
		if !reflect.DeepEqual(sent.body, want.Request) {
			t.Errorf("%s: curl sends %v, the example is %v", op.id, sent.body, want.Request)
		}
		wanted := map[string]string{}
		if !op.public {
			wanted["Authorization"] = "Bearer token"
		}
		if want.Request != nil {
			wanted["Content-Type"] = "application/json"
		}
		if op.responses["428"] != nil && op.takes("If-Match") { // an item of a batch has its own
			wanted["If-Match"] = "etag"
		}
		if sent.headers["Idempotency-Key"] == "made" {
			delete(sent.headers, "Idempotency-Key")
		}
		if !reflect.DeepEqual(sent.headers, wanted) {
			t.Errorf("%s: curl sends the headers %v, want %v", op.id, sent.headers, wanted)
		}
	}
}

type sent struct {
	method  string
	url     *url.URL
	headers map[string]string
	body    any
}

// sentBy returns what curl sends for its arguments.
func sentBy(t *testing.T, arguments []string) (s sent) {
	t.Helper()
	s.headers = map[string]string{}
	method := ""
	for len(arguments) > 0 {
		option := arguments[0]
		arguments = arguments[1:]
		if option == "-N" {
			continue
		}
		if !strings.HasPrefix(option, "-") {
			address, err := url.Parse(option)
			if err != nil {
				t.Fatal(err)
			}
			s.url = address
			continue
		}
		value := arguments[0]
		arguments = arguments[1:]
		switch option {
		case "-X":
			method = value
		case "-H":
			name, of, _ := strings.Cut(value, ": ")
			s.headers[name] = of
		case "-d":
			if err := json.Unmarshal([]byte(value), &s.body); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("curl has the option %s", option)
		}
	}
	switch s.method = method; {
	case method == "" && s.body != nil:
		s.method = "POST"
	case method == "":
		s.method = "GET"
	}
	return s
}
