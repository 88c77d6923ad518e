package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// method is an operation as the client has it.
type method struct {
	operation
	verb, path, tag, name string
	kind                  string // "batch", "call", "list", "edit" or "stream"
	value                 string // the type of the answer, or of the rows of a list; "" for none
	codes                 []string
}

// methods returns those of all operations, by tag in the order of the paths.
func (g *generator) methods() ([]method, error) {
	var all []method
	for _, path := range slices.Sorted(maps.Keys(g.Paths)) {
		for _, verb := range slices.Sorted(maps.Keys(g.Paths[path])) {
			op := g.Paths[path][verb]
			if op.Tags == nil || op.answer().Content["text/html"].Schema.Type != nil {
				continue // a page for people
			}
			m := method{operation: op, verb: strings.ToUpper(verb), path: path, tag: op.Tags[0]}
			m.name = exported(words(op.Name)...)
			if err := g.classify(&m); err != nil {
				return nil, fmt.Errorf("%s: %w", op.ID, err)
			}
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b method) int { return strings.Compare(a.tag, b.tag) })
	return all, distinct(all)
}

// distinct fails unless each operation has a name of its own among those of its tag.
func distinct(all []method) error {
	taken := map[string]bool{}
	for _, m := range all {
		if m.name == "" || taken[m.tag+m.name] {
			return fmt.Errorf("%s: %q is no method of its own of %s", m.ID, m.name, m.tag)
		}
		taken[m.tag+m.name] = true
	}
	return nil
}

// classify sets the kind, the type and the codes of a method.
func (g *generator) classify(m *method) error {
	m.codes = g.document.codes(m.operation)
	content := m.answer().Content
	if _, ok := content["text/event-stream"]; ok {
		m.kind, m.value = "stream", "StreamMessage"
		return nil
	}
	if g.isBatch(m.operation) {
		m.kind = "batch"
		return nil
	}
	m.kind = "call"
	answer, ok := content["application/json"]
	if !ok {
		return nil
	}
	s := answer.Schema
	if page := g.schemaOf(s); isPage(page) {
		m.kind, s = "list", *page.Properties["items"].Items
	} else if p, ok := m.header("If-Match"); ok && p.Required {
		m.kind = "edit"
	}
	var err error
	m.value, err = g.valueType(s)
	return err
}

// service returns the name of the type with the methods of a tag.
func service(tag string) string { return exported(words(tag)...) + "Service" }

func (g *generator) services(all []method) error {
	var tags []string
	for _, m := range all {
		if !slices.Contains(tags, m.tag) {
			tags = append(tags, m.tag)
		}
	}
	g.printf("\n// Client calls Waybill. Its services have a method for each operation.\ntype Client struct {\n" +
		"\tt *transport\n\n")
	for _, tag := range tags {
		g.printf("\t%s %s\n", exported(words(tag)...), service(tag))
	}
	g.printf("}\n\nfunc newClient(t *transport) *Client {\n\treturn &Client{\n\t\tt: t,\n")
	for _, tag := range tags {
		g.printf("\t\t%s: %s{t},\n", exported(words(tag)...), service(tag))
	}
	g.printf("\t}\n}\n")
	common := commonCodes(all)
	for i, m := range all {
		if i == 0 || all[i-1].tag != m.tag {
			text := service(m.tag) + " has the operations on " + strings.ReplaceAll(m.tag, "-", " ")
			if m.tag == "service" {
				text = service(m.tag) + " has the operations on the server itself"
			}
			g.printf("\n%stype %s struct{ t *transport }\n", comment(0, period(text)), service(m.tag))
		}
		if err := g.method(m, all, common); err != nil {
			return fmt.Errorf("%s: %w", m.ID, err)
		}
	}
	return nil
}

// commonCodes returns the codes that most operations declare of those with a body, or without: no method names them.
func commonCodes(all []method) map[bool]map[string]bool {
	methods, declared := map[bool]int{}, map[bool]map[string]int{true: {}, false: {}}
	for _, m := range all {
		methods[m.RequestBody != nil]++
		for _, code := range m.codes {
			declared[m.RequestBody != nil][code]++
		}
	}
	common := map[bool]map[string]bool{true: {}, false: {}}
	for hasBody, codes := range declared {
		for code, n := range codes {
			common[hasBody][code] = 2*n > methods[hasBody]
		}
	}
	return common
}

func (g *generator) method(m method, all []method, common map[bool]map[string]bool) error {
	doc := m.doc(common)
	if m.kind == "batch" {
		return g.batch(doc, m, all)
	}
	query, err := g.query(m)
	if err != nil {
		return err
	}
	body, err := g.bodyType(m)
	if err != nil {
		return err
	}
	switch m.kind {
	case "stream":
		g.function(doc, m, []string{"options *StreamOptions"}, "iter.Seq2[*StreamMessage, error]",
			fmt.Sprintf("return stream(ctx, s.t, %q, options)", m.path))
	case "list":
		g.list(doc, m, query, body)
	case "edit":
		g.edit(doc, m, body)
	default:
		g.call(doc, m, query, body)
	}
	return nil
}

// doc returns the comment on a method.
func (m method) doc(common map[bool]map[string]bool) string {
	paragraphs := []string{period(m.name + " " + thirdPerson(m.Summary) + ": " + m.ID)}
	for paragraph := range strings.SplitSeq(m.Description, "\n\n") {
		if paragraph != "" {
			paragraphs = append(paragraphs, paragraph)
		}
	}
	isCommon := func(code string) bool { return common[m.RequestBody != nil][code] }
	own := slices.DeleteFunc(slices.Clone(m.codes), isCommon)
	if len(own) > 0 {
		paragraphs = append(paragraphs, "Codes of its own: "+strings.Join(own, ", ")+".")
	}
	return comment(0, paragraphs...)
}

func (g *generator) bodyType(m method) (string, error) {
	s, ok := m.body()
	if !ok {
		return "", nil
	}
	return g.valueType(s)
}

// function writes a method.
func (g *generator) function(doc string, m method, parameters []string, result, body string) {
	head := fmt.Sprintf("func (s %s) %s(", service(m.tag), m.name)
	all := strings.Join(append([]string{"ctx context.Context"}, parameters...), ", ")
	g.declare(doc, head, all, result, body)
}

// declare writes a function.
func (g *generator) declare(doc, head, parameters, result, body string) {
	if len(head)+len(parameters)+len(result)+4 > 120 {
		parameters = "\n\t" + parameters + ",\n"
	}
	g.printf("\n%s%s%s) %s {\n\t%s\n}\n", doc, head, parameters, result, body)
}

// returning returns the statement that has a function of the package carry out a request, whose arguments stand in
// the path's order.
func (m method) returning(function string, arguments []string, members, after string) string {
	path := fmt.Sprintf("%q", m.path)
	if len(arguments) > 0 {
		path = fmt.Sprintf("path(%q, %s)", m.path, strings.Join(arguments, ", "))
	}
	members = fmt.Sprintf("method: %q, path: %s%s", m.verb, path, members)
	if m.lacksDryRun() {
		members += ", lacksDryRun: true"
	}
	before := fmt.Sprintf("return %s(ctx, s.t, request{", function)
	if len(before)+len(members)+len(after)+6 > 120 {
		if len(members) > 110 {
			members = strings.Replace(members, ", body:", ",\n\t\tbody:", 1)
		}
		members = "\n\t\t" + members + ",\n\t"
	}
	return before + members + "}" + after + ")"
}

// pathParameters returns the parameters of a method for its path, and their names.
func (g *generator) pathParameters(m method) (parameters, arguments []string) {
	for _, p := range m.in("path") {
		t, _ := g.valueType(p.Schema)
		name := unexported(words(p.Name)...)
		parameters, arguments = append(parameters, name+" "+t), append(arguments, name)
	}
	return parameters, arguments
}

func (g *generator) list(doc string, m method, query, body string) {
	parameters, arguments := g.pathParameters(m)
	rest := ""
	switch {
	case body != "":
		parameters, rest = append(parameters, "body "+body), ", body: body"
	case query != "":
		parameters, rest = append(parameters, "query "+query), ", query: query"
	}
	g.function(doc, m, parameters, "iter.Seq2[*"+m.value+", error]",
		m.returning("list["+m.value+"]", arguments, rest, ""))
	if rest == "" {
		return
	}
	paged := m
	paged.name += "Page"
	about := comment(0, paged.name+" reads one page of "+m.name+": the first, or the one of a cursor.")
	g.function(about, paged, append(parameters, "cursor string"), "(*Page["+m.value+"], error)",
		m.returning("page["+m.value+"]", arguments, rest, ", cursor"))
}

// baseArguments returns the arguments of a method's path that are members of the row that it edits.
func baseArguments(m method) (arguments []string) {
	for _, p := range m.in("path") {
		field := exported(words(p.Name)...)
		if strings.HasSuffix(p.Name, "_id") {
			field = "ID"
		}
		arguments = append(arguments, "base."+field)
	}
	return arguments
}

func (g *generator) edit(doc string, m method, body string) {
	option := fmt.Sprintf("EditOption[%s, %s]", m.value, body)
	g.function(doc, m, []string{"base *" + m.value, "change " + body, "opts ..." + option}, "(*"+m.value+", error)",
		m.returning("edit", baseArguments(m), "", ", base, change, opts"))
}

func (g *generator) call(doc string, m method, query, body string) {
	parameters, arguments := g.pathParameters(m)
	rest := ""
	if body != "" {
		parameters, rest = append(parameters, "body "+body), rest+", body: body"
	}
	if query != "" {
		parameters, rest = append(parameters, "query "+query), rest+", query: query"
	}
	options, before, after := g.intent(m)
	if parameters = append(parameters, options...); before != "" {
		doc += "//\n// Without an ID in the body the call makes one.\n"
	}
	if m.value == "" {
		g.function(doc, m, parameters, "error", before+m.returning("send", arguments, rest, after))
		return
	}
	g.function(doc, m, parameters, "(*"+m.value+", error)",
		before+m.returning("call["+m.value+"]", arguments, rest, after))
}

// intent returns what makes a request one intent, however often it is sent: the parameters of its function, the
// statement before it, and what is called on it.
func (g *generator) intent(m method) (parameters []string, before, after string) {
	_, hasMatch := m.header("If-Match")
	_, hasKey := m.header("Idempotency-Key")
	bodySchema, _ := m.body()
	id, hasID := g.schemaOf(bodySchema).Properties["id"]
	switch {
	case hasMatch && hasKey:
		return []string{"opts ...TransitionOption"}, "", ".transition(opts)"
	case hasKey && hasID:
		return []string{"opts ...CreateOption"}, "", ".create(body.ID != nil, opts)"
	case hasKey:
		return []string{"opts ...CreateOption"}, "", ".create(false, opts)"
	case m.verb == "POST" && hasID && id.Format == "uuid":
		return nil, "body.ID = idOr(body.ID)\n\t", ""
	}
	return nil, "", ""
}

// dryRun is the parameter of writes that no method has: it is sent by the client that DryRun returns.
const dryRun = "dry_run"

// lacksDryRun reports whether an operation writes, and cannot be tried. A list is read, also where it is searched by a
// POST.
func (m method) lacksDryRun() bool {
	return m.verb != "GET" && m.kind != "list" &&
		!slices.ContainsFunc(m.in("query"), func(p parameter) bool { return p.Name == dryRun })
}

// query writes the type of an operation's query, and returns how a method takes it; "" if there is none.
func (g *generator) query(m method) (string, error) {
	parameters := slices.DeleteFunc(m.in("query"),
		func(p parameter) bool { return p.Name == "cursor" || p.Name == dryRun })
	if len(parameters) == 0 {
		return "", nil
	}
	if len(parameters) == 1 && m.kind == "list" && parameters[0].Name == "limit" {
		return "*ListQuery", nil
	}
	name := exported(words(m.ID)...) + "Query"
	g.printf("\n%stype %s struct {\n", comment(0, name+" has the parameters of "+m.ID+"."), name)
	isRequired := false
	for _, p := range parameters {
		t, tag, err := g.member(p.Name, p.Schema, p.Required, true)
		if err != nil {
			return "", err
		}
		if p.Name == "limit" {
			t, tag = "int", "limit,omitempty" // 0 is none
		}
		g.printf("%s\t%s %s `json:%q`\n", comment(1, period(p.Description)), exported(words(p.Name)...), t, tag)
		isRequired = isRequired || p.Required
	}
	g.printf("}\n")
	if isRequired {
		return name, nil
	}
	return "*" + name, nil
}
