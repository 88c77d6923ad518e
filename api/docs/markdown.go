package docs

import (
	"bytes"
	"html/template"
	"regexp"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown renders Markdown, in which the names of operations and error codes become links to their pages.
type markdown struct {
	goldmark.Markdown
	links map[string]string // by name
}

func newMarkdown(links map[string]string) markdown {
	m := markdown{links: links}
	m.Markdown = goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(
		parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(linker{links}, 100))))
	return m
}

// links returns where the names of operations and codes lead.
func (s *Site) links() map[string]string {
	links := map[string]string{}
	for _, op := range s.operations {
		links[op.OperationID] = op.page()
	}
	for _, e := range s.source.Errors {
		links[e.Code] = "/errors/" + e.Code
	}
	return links
}

// html returns a text as HTML.
func (m markdown) html(source string) template.HTML {
	var out bytes.Buffer
	if err := m.Convert([]byte(source), &out); err != nil {
		panic(err) // a buffer takes everything
	}
	return template.HTML(out.String()) // goldmark leaves raw HTML out
}

// linker makes links of names.
type linker struct{ links map[string]string }

// compound matches a name that is no plain word: one with a hyphen or an underscore.
var compound = regexp.MustCompile(`[a-z]+(?:[-_][a-z]+)+`)

// Transform implements parser.ASTTransformer.
func (l linker) Transform(document *ast.Document, reader text.Reader, _ parser.Context) {
	var spans, texts []ast.Node
	ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n.Kind() {
		case ast.KindHeading, ast.KindLink:
			return ast.WalkSkipChildren, nil
		case ast.KindCodeSpan:
			spans = append(spans, n)
			return ast.WalkSkipChildren, nil
		case ast.KindText:
			texts = append(texts, n)
		}
		return ast.WalkContinue, nil
	})
	for _, n := range spans {
		if to := l.links[codeOf(n, reader.Source())]; to != "" {
			parent, link := n.Parent(), linkTo(to)
			parent.InsertBefore(parent, n, link)
			link.AppendChild(link, n) // which takes it from its parent
		}
	}
	for _, n := range texts {
		l.split(n.(*ast.Text), reader.Source())
	}
}

// split makes links of the names in a text.
func (l linker) split(n *ast.Text, source []byte) {
	from := n.Segment.Start
	for _, found := range compound.FindAllIndex(n.Segment.Value(source), -1) {
		at := text.NewSegment(n.Segment.Start+found[0], n.Segment.Start+found[1])
		to := l.links[string(at.Value(source))]
		if to == "" {
			continue
		}
		parent := n.Parent()
		parent.InsertBefore(parent, n, ast.NewTextSegment(text.NewSegment(from, at.Start)))
		link := linkTo(to)
		link.AppendChild(link, ast.NewTextSegment(at))
		parent.InsertBefore(parent, n, link)
		from = at.Stop
	}
	n.Segment = n.Segment.WithStart(from)
}

func linkTo(path string) *ast.Link {
	link := ast.NewLink()
	link.Destination = []byte(path)
	return link
}

// codeOf returns the text of a code span.
func codeOf(span ast.Node, source []byte) (code string) {
	for n := span.FirstChild(); n != nil; n = n.NextSibling() {
		if t, ok := n.(*ast.Text); ok {
			code += string(t.Segment.Value(source))
		}
	}
	return code
}
