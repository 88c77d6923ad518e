package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// recordedExamples are requests to the demo tenant, and what the server answered. A test of cmd/waybill sends them
// again, and fails if they differ; it writes them with -update.
//
//go:embed examples.json
var recordedExamples []byte

// example is a request that works on the demo tenant, and its answer.
type example struct {
	Parameters map[string]any `json:"parameters,omitempty"` // of the path and the query
	Request    any            `json:"request,omitempty"`    // the body
	Response   any            `json:"response,omitempty"`   // the body
}

// addExamples adds the recorded examples to the operations.
func addExamples(operations []*huma.Operation) {
	var recorded map[string]example
	if err := json.Unmarshal(recordedExamples, &recorded); err != nil {
		panic(err) // the file is ours
	}
	for _, op := range operations {
		recorded[op.OperationID].addTo(op)
	}
}

func (e example) addTo(op *huma.Operation) {
	for _, p := range op.Parameters {
		if value, ok := e.Parameters[p.Name]; ok {
			p.Example = value
			if _, isList := value.([]any); p.Schema.Type == huma.TypeArray && !isList {
				p.Example = []any{value}
			}
		} else if p.Required && p.Schema != nil && len(p.Schema.Examples) > 0 { // If-Match: no version is recorded
			p.Example = p.Schema.Examples[0]
		}
	}
	if op.RequestBody != nil && e.Request != nil {
		for kind, media := range op.RequestBody.Content {
			if media.Example = e.Request; kind == ndjson {
				media.Example = asLines(e.Request)
			}
		}
	}
	if answer := op.Responses[strconv.Itoa(op.DefaultStatus)]; answer != nil && e.Response != nil {
		for kind, media := range answer.Content {
			if media.Example = e.Response; kind == csvType {
				media.Example = asTable(e.Response)
			}
		}
	}
}

// asLines returns an array as newline-delimited JSON.
func asLines(array any) string {
	var b strings.Builder
	for _, record := range array.([]any) {
		line, err := json.Marshal(record)
		if err != nil {
			panic(err) // it was read from JSON
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// asTable returns a statement as text/csv.
func asTable(statement any) string {
	var st AccountStatement
	if err := json.Unmarshal(mustJSON(statement), &st); err != nil {
		panic(err) // it was read from JSON
	}
	var table bytes.Buffer
	form := &csvStatement{st}
	form.begin(&table)
	for _, l := range st.Items {
		form.line(&table, &l)
	}
	form.end(&table, st.ClosingCents)
	return table.String()
}

// exampleRequestID stands for the id of a request.
const exampleRequestID = "01a0b1c2d3e4f5061728394a5b6c7d8e"

// errorExamples returns an example for each code of an error. Those of a code are one component, but for a code
// that some operation answers with another status.
func errorExamples(components *huma.Components, status int, codes []db.Code) map[string]*huma.Example {
	if components.Examples == nil {
		components.Examples = map[string]*huma.Example{}
	}
	examples := map[string]*huma.Example{}
	for _, code := range codes {
		name := string(code)
		if status != meanings[code].status {
			name += "_" + strconv.Itoa(status)
		}
		if components.Examples[name] == nil {
			p := problem(code, "", "")
			p.Status, p.RequestID, p.Blocking = status, exampleRequestID, exampleBlocking(code)
			switch code {
			case db.NotEditable:
				p.CurrentStatus = db.PickupStatusCOLLECTED
			case db.IllegalTransition:
				p.CurrentStatus = db.PickupStatusCOLLECTED
				p.Allowed = []db.TransitionName{db.TransitionNameReceive}
			}
			components.Examples[name] = &huma.Example{Summary: p.Title, Value: p}
		}
		examples[string(code)] = &huma.Example{Ref: "#/components/examples/" + name}
	}
	return examples
}
