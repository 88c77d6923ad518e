package samples

import (
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// written is an item of the example of a batch.
type written struct {
	*call        // the operation that it names
	example      map[string]any
	name         string // of a variable for it
	path, header map[string]any
}

// batched returns the items of the operation's example if it is a batch: if each item names an operation.
func (c *call) batched(all []*call) (items []written) {
	_, body := c.body()
	example, _ := body.(map[string]any)
	several, _ := example["items"].([]any)
	for _, one := range several {
		item, _ := one.(map[string]any)
		i := slices.IndexFunc(all, func(other *call) bool { return other.op.OperationID == item["operation"] })
		if i < 0 {
			return nil
		}
		w := written{call: all[i], example: item, name: camel(strings.ReplaceAll(all[i].op.OperationID, "-", " "))}
		w.path, _ = item["path"].(map[string]any)
		w.header, _ = item["headers"].(map[string]any)
		if slices.ContainsFunc(items, func(other written) bool { return other.name == w.name }) {
			w.name = fmt.Sprint(w.name, len(items)+1)
		}
		items = append(items, w)
	}
	return items
}

// golangBatch returns statements that make a batch of the items.
func (c *call) golangBatch(items []written) string {
	var out strings.Builder
	out.WriteString("var batch client.Batch\n")
	values := make([]string, len(items))
	for i, item := range items {
		var arguments []string
		for _, p := range item.pathParameters() {
			arguments = append(arguments, item.expression(p.Schema, item.path[p.Name], 0))
		}
		if schema, _ := item.body(); schema != nil {
			arguments = append(arguments, item.expression(schema, item.example["body"], 0))
		}
		if etag, ok := item.header["If-Match"]; ok {
			arguments = append(arguments, fmt.Sprintf("client.IfMatch(%q)", etag))
		}
		fmt.Fprintf(&out, "%s := batch.%s(%s)\n", item.name, exported(item.op.OperationID),
			strings.Join(arguments, ", "))
		values[i] = item.name + ".Value"
	}
	fmt.Fprintf(&out, "if err := waybill.%s.%s(ctx, &batch); err != nil {\n"+
		"\treturn err // the Item of a *client.Problem is the position of the one that was rejected\n}\n"+
		"fmt.Println(%s)\n", exported(c.tag), exported(c.name), strings.Join(values, ", "))
	return out.String()
}

// typeScriptBatch returns statements that make a batch of the items.
func (c *call) typeScriptBatch(items []written) string {
	var out strings.Builder
	out.WriteString("const written = await waybill.batch([\n")
	for _, item := range items {
		arguments := []string{literal(item.op.OperationID)}
		for _, p := range item.pathParameters() {
			arguments = append(arguments, literal(fmt.Sprint(item.path[p.Name])))
		}
		if schema, _ := item.body(); schema != nil && item.example["body"] != nil {
			arguments = append(arguments, unquoted(JSON(item.schemas, item.example["body"], schema)))
		}
		if etag, ok := item.header["If-Match"]; ok {
			arguments = append(arguments, fmt.Sprintf("{ ifMatch: %q }", etag))
		}
		one := "waybill.batch.item(" + strings.Join(arguments, ", ") + "),"
		out.WriteString("  " + strings.ReplaceAll(one, "\n", "\n  ") + "\n")
	}
	out.WriteString("]);\nif (written.ok) for (const { value } of written.value) console.log(value);\n" +
		"else console.log(written.error.code, written.item); // the position of the one that was rejected\n")
	return out.String()
}

// pathParameters returns the parameters of the path, in its order.
func (c *call) pathParameters() (of []*huma.Param) {
	for _, p := range c.op.Parameters {
		if p.In == "path" {
			of = append(of, p)
		}
	}
	return of
}
