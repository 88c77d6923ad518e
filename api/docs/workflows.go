package docs

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// workflow is a workflow of an Arazzo document, as far as a guide tells it.
type workflow struct {
	WorkflowID  string `yaml:"workflowId"`
	Summary     string
	Description string
	Steps       []step
}

type step struct {
	StepID      string `yaml:"stepId"`
	Description string
	OperationID string                       `yaml:"operationId"`
	WorkflowID  string                       `yaml:"workflowId"`
	RequestBody struct{ Payload yaml.Node }  `yaml:"requestBody"`
	Criteria    []struct{ Condition string } `yaml:"successCriteria"`
}

// Workflows returns a guide for each workflow of an Arazzo document that is not a part of others alone.
func Workflows(arazzo []byte) (guides []Guide, err error) {
	var document struct{ Workflows []workflow }
	if err := yaml.Unmarshal(arazzo, &document); err != nil {
		return nil, err
	}
	parts := map[string]workflow{}
	for _, w := range document.Workflows {
		for _, s := range w.Steps {
			if s.WorkflowID != "" {
				parts[s.WorkflowID] = workflow{}
			}
		}
	}
	for _, w := range document.Workflows {
		if _, isPart := parts[w.WorkflowID]; isPart {
			parts[w.WorkflowID] = w
			continue
		}
		guides = append(guides, Guide{w.WorkflowID, w.Summary, w.markdown(parts)})
	}
	return guides, nil
}

// markdown tells a workflow, and refers to the workflows that are its parts.
func (w workflow) markdown(parts map[string]workflow) string {
	var out strings.Builder
	fmt.Fprintf(
		&out, "%s\n\nThis page is made from [/arazzo.yaml](/arazzo.yaml), an Arazzo document, which is run against "+
			"every version of the server.\n\n", w.Description)
	for i, s := range w.Steps {
		fmt.Fprintf(&out, "## %d. %s\n\n%s\n\n", i+1, heading(s.StepID), s.Description)
		if part, ok := parts[s.WorkflowID]; ok {
			for _, inner := range part.Steps {
				inner.write(&out)
			}
			continue
		}
		s.write(&out)
	}
	return out.String()
}

func (s step) write(out *strings.Builder) {
	fmt.Fprintf(out, "Request: `%s`.\n\n", s.OperationID)
	if payload := asOrderedJSON(&s.RequestBody.Payload); payload != "" {
		text, err := json.MarshalIndent(json.RawMessage(payload), "", "  ")
		if err != nil {
			panic(err) // it was made as JSON
		}
		fmt.Fprintf(out, "```json\n%s\n```\n\n", text)
	}
	var told []string
	for _, c := range s.Criteria {
		told = append(told, criterion(c.Condition))
	}
	fmt.Fprintf(out, "Answer: %s.\n\n", strings.Join(told, ", "))
}

// criterion tells a condition: $response.body#/items/0/status == 'DRAFT' is "`items.0.status` is `DRAFT`".
func criterion(condition string) string {
	what, value, _ := strings.Cut(condition, " == ")
	if what == "$statusCode" {
		return value
	}
	return fmt.Sprintf("`%s` is `%s`", strings.ReplaceAll(strings.TrimPrefix(what, "$response.body#/"), "/", "."),
		strings.Trim(value, "'"))
}

// heading returns the id of a step as words: find-facility is "Find facility".
func heading(id string) string { return titleCase(strings.ReplaceAll(id, "-", " ")) }

// asOrderedJSON returns a value of YAML as JSON whose members have the order of the text; "" for none.
func asOrderedJSON(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, asOrderedJSON(n.Content[i])+":"+asOrderedJSON(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case yaml.SequenceNode:
		for _, item := range n.Content {
			parts = append(parts, asOrderedJSON(item))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case yaml.ScalarNode:
		var v any
		if err := n.Decode(&v); err != nil {
			v = n.Value
		}
		if text, err := json.Marshal(v); err == nil {
			return string(text)
		}
	}
	return ""
}
