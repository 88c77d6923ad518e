package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// documentedServer returns the URL of a server that answers with the examples of the document.
var documentedServer = sync.OnceValue(func() string {
	examples, document := map[string]struct{ Response json.RawMessage }{}, struct {
		Paths map[string]map[string]struct {
			ID string `yaml:"operationId"`
		}
	}{}
	must(json.Unmarshal(file("../examples.json"), &examples))
	must(yaml.Unmarshal(file("../openapi.yaml"), &document))
	mux := http.NewServeMux()
	for path, item := range document.Paths {
		for verb, op := range item {
			example := examples[op.ID].Response
			answer := func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("ETag", `"1"`)
				_, _ = w.Write(example)
			}
			if op.ID == "stream-pickups" {
				answer = func(w http.ResponseWriter, _ *http.Request) { writeEvents(w, example) }
			}
			mux.HandleFunc(strings.ToUpper(verb)+" "+path, answer)
		}
	}
	return httptest.NewServer(mux).URL
})

func writeEvents(w http.ResponseWriter, example json.RawMessage) {
	var events []struct {
		ID, Event string
		Data      json.RawMessage
	}
	must(json.Unmarshal(example, &events))
	for _, e := range events {
		fmt.Fprintf(w, "event: %s\nid: %s\ndata: %s\n\n", e.Event, e.ID,
			strings.Join(strings.Fields(string(e.Data)), " "))
	}
}

func file(name string) []byte {
	text, err := os.ReadFile(name)
	must(err)
	return text
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
