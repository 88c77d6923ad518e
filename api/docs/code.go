package docs

import (
	"html/template"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/api/samples"
)

// code is a text in some language, with its words marked up.
type code struct {
	Language, Label, Text string
	HTML                  template.HTML
}

func newCode(language, label, source string) code {
	return code{language, label, source, highlight(language, source)}
}

// words match what is marked up: addresses, strings, comments, numbers, and the keywords of the samples' languages.
var words = regexp.MustCompile(
	"(?P<address>https?://[^\\s'\"]+)|(?P<string>\"(?:[^\"\\\\\n]|\\\\.)*\"|'[^']*'|`[^`]*`)" +
		`|(?P<comment>(?m:^|\s)(?://|#)[^\n]*)|(?P<number>\b-?\d+(?:\.\d+)?\b)` +
		`|(?P<keyword>\b(?:await|break|case|const|curl|defer|else|err|export|false|for|from|func|if|import|let|new|` +
		`nil|null|of|package|range|return|switch|throw|true|type|var)\b)`)

// highlight returns a text as HTML in which words have the classes of their kinds. The name of a member of JSON
// is one too.
func highlight(language, source string) template.HTML {
	var out strings.Builder
	from := 0
	for _, at := range words.FindAllStringSubmatchIndex(source, -1) {
		kind := ""
		for i, name := range words.SubexpNames() {
			if i > 0 && at[2*i] >= 0 {
				kind = name
			}
		}
		if language == "json" && kind == "string" && strings.HasPrefix(source[at[1]:], ":") {
			kind = "name"
		}
		out.WriteString(template.HTMLEscapeString(source[from:at[0]]))
		out.WriteString(`<span class="` + kind + `">` + template.HTMLEscapeString(source[at[0]:at[1]]) + `</span>`)
		from = at[1]
	}
	out.WriteString(template.HTMLEscapeString(source[from:]))
	return template.HTML(out.String())
}

// jsonOf returns a value as indented JSON, its members in the order of the schema.
func (s *Site) jsonOf(v any, schema *huma.Schema) string {
	return samples.JSON(s.source.Document.Components.Schemas, v, schema)
}
