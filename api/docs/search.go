package docs

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
)

// hit is an entry of the index that the search looks through. Text is searched and not shown.
type hit struct {
	Title string `json:"title"`
	Path  string `json:"path"`
	Kind  string `json:"kind"`
	Name  string `json:"name"` // of an operation or an error
	Note  string `json:"note"`
	Text  string `json:"text"`
}

// searchIndex returns the index: guides by section, operations and errors.
func (s *Site) searchIndex() []byte {
	var hits []hit
	for _, g := range append([]Guide{{"", "Guide", s.source.Document.Info.Description}}, s.source.Guides...) {
		path := "/docs/guides/" + g.Name
		if g.Name == "" {
			path = guidePath
		}
		hits = append(hits, hit{g.Title, path, "guide", "", "", ""})
		text := string(s.markdown.html(g.Text))
		at := headings.FindAllStringSubmatchIndex(text, -1)
		for i, found := range at {
			end := len(text)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			hits = append(hits, hit{plain(text[found[4]:found[5]]), path + "#" + text[found[2]:found[3]], "guide",
				"", g.Title, plain(text[found[1]:end])})
		}
	}
	hits = append(hits, hit{"Transitions of a pickup", "/docs/pickups", "guide",
		"", "", "state machine diagram status"})
	for _, op := range s.operations {
		var fields []string
		for _, p := range op.Parameters {
			fields = append(fields, p.Name)
		}
		note := strings.TrimSpace(op.Method + " " + op.Path)
		hits = append(hits, hit{op.Summary, op.page(), "operation", op.OperationID, note, strings.Join(append(fields,
			op.Tag, plain(string(s.markdown.html(op.Description)))), " ")})
	}
	for _, e := range s.source.Errors {
		hits = append(hits, hit{e.Code, "/errors/" + e.Code, "error", e.Code, e.Title, e.Detail + " " + e.Advice})
	}
	index, err := json.Marshal(hits)
	if err != nil {
		panic(err) // strings
	}
	return index
}

var tags = regexp.MustCompile(`<[^>]*>`)

// plain returns the text of HTML.
func plain(markup string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(markup, " "))), " ")
}

// cutParagraph returns the first paragraph of Markdown, and the rest.
func cutParagraph(source string) (first, rest string, found bool) { return strings.Cut(source, "\n\n") }
