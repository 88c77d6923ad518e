package samples

import (
	"fmt"
	"net/url"
	"strings"
)

// curl returns a command for a shell with the variables WAYBILL_TOKEN and, for an edit, ETAG.
func (c *call) curl() string {
	lines := []string{"curl " + c.verb() + quote(c.server+c.filledPath()+c.query())}
	add := func(option, value string) { lines = append(lines, "  "+option+" "+value) }
	if !c.isPublic() {
		add("-H", `"Authorization: Bearer $WAYBILL_TOKEN"`)
	}
	if c.isStream() {
		lines[0] = strings.Replace(lines[0], "curl ", "curl -N ", 1)
	}
	if c.isEdit() {
		add("-H", `"If-Match: $ETAG"`)
	} else if c.takes("Idempotency-Key") && !c.hasID() {
		add("-H", `"Idempotency-Key: $(uuidgen)"`)
	}
	if schema, example := c.body(); example != nil {
		add("-H", "'Content-Type: application/json'")
		add("-d", quote(JSON(c.schemas, example, schema)))
	}
	return strings.Join(lines, " \\\n")
}

// verb returns curl's option for the method, unless curl chooses it.
func (c *call) verb() string {
	_, example := c.body()
	if c.method == "GET" || c.method == "POST" && example != nil {
		return ""
	}
	return "-X " + c.method + " "
}

// hasID reports whether the example has an id that the client chose.
func (c *call) hasID() bool {
	_, example := c.body()
	object, _ := example.(map[string]any)
	return object["id"] != nil
}

// filledPath returns the path with the example's parameters.
func (c *call) filledPath() string {
	path := c.path
	for _, p := range c.parameters("path") {
		path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(fmt.Sprint(p.Example)), 1)
	}
	return path
}

func (c *call) query() string {
	var query []string
	for _, p := range c.parameters("query") {
		values, isList := p.Example.([]any)
		if !isList {
			values = []any{p.Example}
		}
		for _, value := range values {
			query = append(query, url.QueryEscape(p.Name)+"="+url.QueryEscape(fmt.Sprint(value)))
		}
	}
	if query == nil {
		return ""
	}
	return "?" + strings.Join(query, "&")
}

// quote returns a text as a word of a shell.
func quote(text string) string {
	if !strings.ContainsAny(text, " \t\n'\"$`\\?&*;<>|(){}[]#~!") {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
