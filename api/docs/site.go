// Package docs renders the API's documentation from its OpenAPI document: a start page, the guide, a page for each
// operation and each error, and an index to search. The pages need no other host, no inline style or script, and,
// but for signing in, searching and trying, no script at all.
package docs

import (
	"bytes"
	"embed"
	"html/template"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed pages assets
var files embed.FS

// Error is an error code, as its page explains it.
type Error struct {
	Code   string
	Status int
	Title  string
	Detail string // what it says
	Advice string // what to do
}

// Source is what is documented.
type Source struct {
	Document *huma.OpenAPI // with all operations
	Errors   []Error
	// Guides are further guides in Markdown. The first guide is the document's description.
	Guides []Guide
}

// Guide is a text in Markdown, at /docs/guides/{Name}.
type Guide struct{ Name, Title, Text string }

// File is a page or a file that a page loads.
type File struct {
	MediaType string
	Text      []byte
}

// Site is the documentation.
type Site struct {
	source     Source
	operations []*operation
	markdown   markdown
	menu       []chapter
	files      map[string]func() File
}

// New returns the documentation. Each page is rendered when it is first asked for.
func New(source Source) *Site {
	s := &Site{source: source, files: map[string]func() File{}}
	slices.SortFunc(source.Errors, func(a, b Error) int { return strings.Compare(a.Code, b.Code) })
	s.operations = operationsOf(source.Document)
	s.markdown = newMarkdown(s.links())
	s.menu = s.chapters()
	s.addFiles()
	return s
}

// Get returns the file at a path under /docs/, and whether there is one.
func (s *Site) Get(path string) (File, bool) {
	file, ok := s.files[path]
	if !ok {
		return File{}, false
	}
	return file(), true
}

// Paths returns the paths of all files, sorted.
func (s *Site) Paths() []string { return slices.Sorted(maps.Keys(s.files)) }

// guidePath is the path of the first guide.
const guidePath = "/docs/guide"

func (s *Site) addFiles() {
	page := func(path, title, name string, content func() any) {
		s.add(path, "text/html; charset=utf-8", func() []byte { return s.page(path, title, name, content()) })
	}
	page("/docs/", "Waybill API", "start", s.start)
	page(guidePath, "Guide", "guide", func() any { return s.guide("# Guide\n\n" + s.source.Document.Info.Description) })
	for _, g := range s.source.Guides {
		page("/docs/guides/"+g.Name, g.Title, "guide", func() any { return s.guide("# " + g.Title + "\n\n" + g.Text) })
	}
	page("/docs/errors", "Errors", "errors", func() any { return s.errorsByStatus() })
	for _, e := range s.source.Errors {
		page("/errors/"+e.Code, e.Title, "error", func() any { return s.errorPage(e) })
	}
	for _, op := range s.operations {
		page(op.page(), op.Summary, "operation", func() any { return s.operationPage(op) })
	}
	s.add("/docs/search.json", "application/json", s.searchIndex)
	for name, mediaType := range map[string]string{
		"docs.css": "text/css; charset=utf-8", "docs.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		s.add("/docs/"+name, mediaType, func() []byte {
			text, err := files.ReadFile("assets/" + name)
			if err != nil {
				panic(err) // it is embedded
			}
			return text
		})
	}
}

func (s *Site) add(path, mediaType string, text func() []byte) {
	s.files[path] = sync.OnceValue(func() File { return File{mediaType, text()} })
}

// templates are the pages' contents, by name, each inside the layout.
var templates = sync.OnceValue(func() map[string]*template.Template {
	layout := template.Must(template.New("layout.html").ParseFS(files, "pages/layout.html", "pages/fields.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"start", "guide", "errors", "error", "operation", "plain"} {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(files, "pages/"+name+".html"))
	}
	return all
})

// view is what the layout shows.
type view struct {
	Title, Path, Version string
	Menu                 []chapter
	Content              any
}

// Plain returns a page with the given content inside the layout, for a path that the menu may have.
func (s *Site) Plain(path, title string, content template.HTML) []byte {
	return s.page(path, title, "plain", content)
}

func (s *Site) page(path, title, name string, content any) []byte {
	var page bytes.Buffer
	err := templates()[name].ExecuteTemplate(&page, "layout.html",
		view{title, path, s.source.Document.Info.Version, s.menuAt(path), content})
	if err != nil {
		panic(err) // cannot fail for our own templates
	}
	return page.Bytes()
}
