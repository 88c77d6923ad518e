package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// isBatch reports whether the body of an operation is a list of requests to others: of objects that an id of an
// operation tells apart. In Go it is one type, with a method for each.
func (g *generator) isBatch(op operation) bool {
	_, ok := g.batched(op)
	return ok
}

// batched returns the schemas of a batch's items, by the operation.
func (g *generator) batched(op operation) (map[string]schema, bool) {
	body, _ := op.body()
	items := g.schemaOf(body).Properties["items"].Items
	if items == nil {
		return nil, false
	}
	either := g.schemaOf(*items)
	if either.Discriminator == nil || either.Discriminator.Property != "operation" {
		return nil, false
	}
	of := map[string]schema{}
	for id, ref := range either.Discriminator.Mapping {
		of[id] = g.schemaOf(schema{Ref: ref})
	}
	return of, true
}

// batch writes the method that sends a batch, and those that add to it.
func (g *generator) batch(doc string, m method, all []method) error {
	g.function(doc, m, []string{"batch *Batch", "opts ...CreateOption"}, "error",
		m.returning("writeBatch", nil, "", ".create(true, opts), batch"))
	items, _ := g.batched(m.operation)
	for _, id := range slices.Sorted(maps.Keys(items)) {
		i := slices.IndexFunc(all, func(other method) bool { return other.ID == id })
		if i < 0 {
			return fmt.Errorf("no operation is called %s", id)
		}
		if err := g.item(all[i], items[id]); err != nil {
			return fmt.Errorf("the item %s: %w", id, err)
		}
	}
	return nil
}

// item writes the method that adds a request to an operation to a batch. It takes what the operation's own does.
func (g *generator) item(m method, s schema) error {
	if err := m.isAskedBy(s); err != nil {
		return err
	}
	body, err := g.bodyType(m)
	if err != nil {
		return err
	}
	name, value := exported(words(m.ID)...), m.value
	if value == "" {
		value = "None"
	}
	doc := comment(0, period(name+" adds a request to "+m.ID+": "+m.Summary))
	parameters, arguments := g.pathParameters(m)
	function, rest, before, after := "add["+value+"]", "", "", ""
	if m.kind == "edit" {
		function, parameters, arguments = "addEdit", []string{"base *" + value, "change " + body}, baseArguments(m)
		rest, after = ", body: change", ", base"
	} else {
		if body != "" {
			parameters, rest = append(parameters, "body "+body), ", body: body"
		}
		var options []string
		options, before, after = g.intent(m)
		if parameters = append(parameters, options...); before != "" {
			doc += "//\n// Without an ID in the body the batch makes one.\n"
		}
	}
	path := "nil"
	for i, p := range m.in("path") {
		arguments[i] = fmt.Sprintf("%q: %s", p.Name, arguments[i])
	}
	if len(arguments) > 0 {
		path = "parts{" + strings.Join(arguments, ", ") + "}"
	}
	adding := fmt.Sprintf("return %s(b, %q, %s,", function, m.ID, path)
	asked := fmt.Sprintf(" request{method: %q%s}%s)", m.verb, rest, after)
	if len(adding)+len(asked)+4 > 120 {
		asked = "\n\t\t" + strings.TrimSpace(asked)
	}
	g.declare(doc, "func (b *Batch) "+name+"(", strings.Join(parameters, ", "), "*Item["+value+"]",
		before+adding+asked)
	return nil
}

// isAskedBy returns an error unless the item has the parts of the operation's request.
func (m method) isAskedBy(s schema) error {
	var names []string
	for _, p := range m.in("path") {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	if asked := slices.Sorted(maps.Keys(s.Properties["path"].Properties)); !slices.Equal(asked, names) {
		return fmt.Errorf("has the path %s, and the operation %s", strings.Join(asked, ", "), strings.Join(names, ", "))
	}
	body, _ := m.body()
	if s.Properties["body"].Ref != body.Ref {
		return fmt.Errorf("has the body %q, and the operation %q", s.Properties["body"].Ref, body.Ref)
	}
	if query := s.Properties["query"].Properties; len(query) > 0 {
		return fmt.Errorf("has a query, which no method takes yet")
	}
	return nil
}
