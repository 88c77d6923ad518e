package docs

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// inputs returns the fields of the form that tries an operation. What is required has the value of the example.
func (s *Site) inputs(op *operation) (inputs []input) {
	for _, p := range op.Parameters {
		schema := s.resolve(p.Schema)
		in := input{Name: p.Name, In: p.In, Required: p.Required, Repeated: schema.Type == huma.TypeArray}
		if in.Repeated {
			schema = s.resolve(schema.Items)
		}
		for _, v := range schema.Enum {
			in.Values = append(in.Values, fmt.Sprint(v))
		}
		if schema.Type == huma.TypeBoolean {
			in.Values = []string{"true", "false"}
		}
		example := ""
		if p.Example != nil {
			example = fmt.Sprint(p.Example)
		}
		if in.Placeholder = example; p.Required {
			in.Value = example
		}
		inputs = append(inputs, in)
	}
	return inputs
}

// asJSON returns a value as what its JSON decodes to.
func asJSON(v any) (decoded any) {
	if v == nil || reflect.TypeOf(v).Kind() == reflect.Map {
		return v
	}
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &decoded)
	}
	if err != nil {
		panic(err) // examples are JSON
	}
	return decoded
}
