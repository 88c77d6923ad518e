package samples

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// typeScript returns a module that calls the operation with @waybill/client. It has a variable token.
func (c *call) typeScript(all []*call) string {
	imports, options := "createWaybill, unwrap", fmt.Sprintf("{ baseUrl: %q, token }", c.server)
	if c.isPublic() {
		options = fmt.Sprintf("{ baseUrl: %q }", c.server)
	}
	body := c.typeScriptBody(all)
	if !strings.Contains(body, "unwrap(") {
		imports = "createWaybill"
	}
	return fmt.Sprintf("import { %s } from \"@waybill/client\";\n\nconst waybill = createWaybill(%s);\n\n%s",
		imports, options, body)
}

func (c *call) typeScriptBody(all []*call) string {
	function := "waybill." + c.tag + "." + camel(c.name)
	called := function + "(" + strings.Join(c.typeScriptArguments(), ", ") + ")"
	name, schema := c.value()
	items := c.batched(all)
	switch {
	case items != nil:
		return c.typeScriptBatch(items)
	case c.isStream():
		return "for await (const { event } of " + called +
			") {\n  if (event) console.log(event.pickup_id, event.to_status);\n}\n"
	case c.isList():
		row := variable(itemName(schema))
		return fmt.Sprintf("for await (const %s of %s) {\n  console.log(%[1]s);\n}\n", row, called)
	case c.isEdit():
		get := c.getter(all)
		row, change := variable(name), c.typeScriptArguments()
		return fmt.Sprintf("const %s = unwrap(await waybill.%s.%s(%s));\nconst edited = await %s(%[1]s, %[6]s);\n"+
			"if (edited.ok) console.log(edited.value);\nelse if (edited.conflict) console.log(\"changed meanwhile:\", "+
			"edited.conflict.current);\n", row, get.tag, camel(get.name), strings.Join(get.typeScriptArguments(), ", "),
			function, change[len(change)-1])
	case name == "":
		return "unwrap(await " + called + ");\n"
	case c.method == "GET" || c.code() == "":
		return fmt.Sprintf("const %s = unwrap(await %s);\nconsole.log(%[1]s);\n", variable(name), called)
	}
	return fmt.Sprintf("const %s = await %s;\nif (%[1]s.ok) console.log(%[1]s.value);\n"+
		"else console.log(%[1]s.error.code); // such as %[3]q\n", variable(name), called, c.code())
}

// itemName returns the name of the schema of a list's rows.
func itemName(page *huma.Schema) string { return refName(page.Properties["items"]) }

func (c *call) typeScriptArguments() (arguments []string) {
	for _, p := range c.parameters("path") {
		arguments = append(arguments, literal(fmt.Sprint(p.Example)))
	}
	if schema, example := c.body(); example != nil {
		arguments = append(arguments, unquoted(JSON(c.schemas, example, schema)))
	}
	var query []string
	for _, p := range c.parameters("query") {
		query = append(query, p.Name+": "+strings.TrimSpace(JSON(c.schemas, p.Example, nil)))
	}
	if query != nil {
		arguments = append(arguments, "{ "+strings.Join(query, ", ")+" }")
	}
	return arguments
}

func literal(text string) string { return fmt.Sprintf("%q", text) }

var quotedName = regexp.MustCompile(`(?m)^(\s*)"([a-z_]+)": `)

// unquoted returns JSON as TypeScript, whose names need no quotes.
func unquoted(json string) string { return quotedName.ReplaceAllString(json, "$1$2: ") }
