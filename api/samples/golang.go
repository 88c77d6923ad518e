package samples

import (
	"fmt"
	"go/format"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// golang returns statements that call the operation with the package api/client, for a function that has a ctx and
// a token, and returns an error.
func (c *call) golang(all []*call) string {
	options := ", client.WithToken(token)"
	if c.isPublic() {
		options = ""
	}
	source := fmt.Sprintf("waybill := client.New(%q%s)\n\n%s", c.server, options, c.golangBody(all))
	formatted, err := format.Source([]byte(source))
	if err != nil {
		panic(err) // a test compiles it
	}
	return string(formatted)
}

func (c *call) golangBody(all []*call) string {
	function := "waybill." + exported(c.tag) + "." + exported(c.name)
	called := func(arguments ...string) string {
		return function + "(" + strings.Join(append([]string{"ctx"}, arguments...), ", ") + ")"
	}
	name, schema := c.value()
	const refused = "if err != nil {\n\treturn err%s\n}\n"
	isPaged := c.isList()
	items := c.batched(all)
	switch {
	case items != nil:
		return c.golangBatch(items)
	case c.isStream():
		return "for message, err := range " + called("nil") + " {\n\tif err != nil {\n\t\treturn err\n\t}\n" +
			"\tif message.Event != nil {\n\t\tfmt.Println(message.Event.PickupID, message.Event.ToStatus)\n\t}\n}\n"
	case isPaged:
		row := variable(itemName(schema))
		return fmt.Sprintf(
			"for %s, err := range %s {\n\tif err != nil {\n\t\treturn err\n\t}\n\tfmt.Println(%[1]s)\n}\n",
			row, called(c.golangArguments()...))
	case c.isEdit():
		get := c.getter(all)
		change := c.golangArguments()
		return fmt.Sprintf(
			"base, err := waybill.%s.%s(%s)\n"+refused+"%[5]s, err := %[6]s\n"+refused+"fmt.Println(%[5]s)\n",
			exported(get.tag), exported(get.name),
			strings.Join(append([]string{"ctx"}, get.golangArguments()...), ", "),
			"", variable(name), called("base", change[len(change)-1]),
			" // a *client.Conflict has both versions, if it was changed meanwhile")
	case name == "":
		return "return " + called(c.golangArguments()...) + "\n"
	}
	note := ""
	if code := c.code(); code != "" && c.method != "GET" {
		note = " // client.CodeOf(err) is its code, such as client.Code" + exported(code)
	}
	return fmt.Sprintf("%s, err := %s\n"+refused+"fmt.Println(%[1]s)\n",
		variable(name), called(c.golangArguments()...), note)
}

func (c *call) golangArguments() (arguments []string) {
	for _, p := range c.parameters("path") {
		arguments = append(arguments, c.expression(p.Schema, p.Example, 0))
	}
	if schema, example := c.body(); example != nil {
		arguments = append(arguments, c.expression(schema, example, 0))
	}
	if query := c.golangQuery(); query != "" {
		arguments = append(arguments, query)
	}
	return arguments
}

// golangQuery returns the argument for the query; "" if there is none.
func (c *call) golangQuery() string {
	isPaged := c.isList()
	var members []string
	names, required := []string{}, false
	for _, p := range c.op.Parameters {
		if p.In != "query" || p.Name == "cursor" || p.Name == "dry_run" { // which the methods do not take
			continue
		}
		names, required = append(names, p.Name), required || p.Required
		if p.Example == nil {
			continue
		}
		v := c.expression(p.Schema, p.Example, 0)
		if !p.Required && p.Name != "limit" && p.Schema.Type != huma.TypeArray {
			v = "new(" + v + ")"
		}
		members = append(members, exported(p.Name)+": "+v)
	}
	name := "client." + exported(c.op.OperationID) + "Query"
	if isPaged && slices.Equal(names, []string{"limit"}) {
		name = "client.ListQuery"
	}
	switch {
	case len(names) == 0:
		return ""
	case required:
		return name + "{" + strings.Join(members, ", ") + "}"
	case members == nil:
		return "nil"
	}
	return "&" + name + "{" + strings.Join(members, ", ") + "}"
}

// expression returns a value as an expression of Go.
func (c *call) expression(schema *huma.Schema, v any, depth int) string {
	of := resolve(c.schemas, schema)
	indent := strings.Repeat("\t", depth)
	switch v := v.(type) {
	case map[string]any:
		if kind := mapOf(of); kind != "" {
			return c.mapping(kind, of, v, depth)
		}
		var out strings.Builder
		out.WriteString("client." + refName(schema) + "{\n")
		for _, name := range membersOf(v, of) {
			out.WriteString(indent + "\t" + exported(name) + ": " + c.member(of, name, v[name], depth+1) + ",\n")
		}
		return out.String() + indent + "}"
	case []any:
		out := "[]" + "client." + refName(of.Items) + "{"
		for i, item := range v {
			if i > 0 {
				out += ", "
			}
			text := c.expression(of.Items, item, depth)
			if _, isRow := item.(map[string]any); isRow { // whose type need not be repeated
				text = strings.TrimPrefix(text, "client."+refName(of.Items))
			}
			out += text
		}
		return out + "}"
	case string:
		return c.text(schema, of, v)
	}
	return fmt.Sprint(v)
}

// mapOf returns the Go type of an object whose members the schema does not name; "" for others.
func mapOf(of *huma.Schema) string {
	switch _, ofTexts := of.AdditionalProperties.(*huma.Schema); {
	case ofTexts:
		return "map[string]string"
	case of.Type == "" && of.OneOf == nil:
		return "map[string]any"
	}
	return ""
}

func (c *call) mapping(kind string, of *huma.Schema, v map[string]any, depth int) string {
	values, _ := of.AdditionalProperties.(*huma.Schema)
	if values == nil {
		values = &huma.Schema{}
	}
	var members []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		members = append(members, fmt.Sprintf("%q: %s", name, c.expression(values, v[name], depth)))
	}
	return kind + "{" + strings.Join(members, ", ") + "}"
}

// member returns a member of an object: what may be left out, or null, is a pointer or a Nullable.
func (c *call) member(of *huma.Schema, name string, v any, depth int) string {
	property := of.Properties[name]
	required, nullable := slices.Contains(of.Required, name), resolve(c.schemas, property).Nullable
	value := c.expression(property, v, depth)
	switch {
	case required && !nullable, resolve(c.schemas, property).Type == huma.TypeArray,
		mapOf(resolve(c.schemas, property)) != "":
		return value
	case !required && nullable:
		return "client.Set(" + value + ")"
	case resolve(c.schemas, property).Type == huma.TypeNumber:
		return "new(float64(" + value + "))"
	case resolve(c.schemas, property).Type == huma.TypeInteger:
		return "new(" + integerOf(resolve(c.schemas, property)) + "(" + value + "))"
	}
	return "new(" + value + ")"
}

// integerOf returns the Go type of an integer: see goType of cmd/goclient.
func integerOf(of *huma.Schema) string {
	if of.Maximum != nil && *of.Maximum > 0 && *of.Maximum < 1<<31 {
		return "int"
	}
	return "int64"
}

func (c *call) text(schema, of *huma.Schema, v string) string {
	switch {
	case len(of.Enum) > 0 && refName(schema) != "":
		return "client." + refName(schema) + exported(v)
	case Format(of) == "uuid":
		return fmt.Sprintf("uuid.MustParse(%q)", v)
	case Format(of) == "date-time":
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			t = t.UTC()
			return fmt.Sprintf("time.Date(%d, %d, %d, %d, %d, %d, 0, time.UTC)", t.Year(), t.Month(), t.Day(), t.Hour(),
				t.Minute(), t.Second())
		}
	case Format(of) == "date":
		if t, err := time.Parse(time.DateOnly, v); err == nil {
			return fmt.Sprintf("client.Date{Year: %d, Month: %d, Day: %d}", t.Year(), t.Month(), t.Day())
		}
	}
	return fmt.Sprintf("%q", v)
}
