package docs

import "strings"

// chapter is a part of the menu.
type chapter struct {
	Title   string
	Entries []entry
	Open    bool // whether it has the page that is shown
	Always  bool // whether it is always open
}

// entry is a link of the menu.
type entry struct {
	Title, Path string
	Method      string // of an operation
	Deprecated  bool
	Current     bool // whether it is the page that is shown
}

// chapters returns the menu: guides, then the operations by tag, in the document's order.
func (s *Site) chapters() []chapter {
	guides := chapter{Title: "Guides", Always: true, Entries: []entry{{Title: "Start", Path: "/docs/"},
		{Title: "Guide", Path: guidePath}}}
	for _, g := range s.source.Guides {
		guides.Entries = append(guides.Entries, entry{Title: g.Title, Path: "/docs/guides/" + g.Name})
	}
	guides.Entries = append(guides.Entries, entry{Title: "Transitions of a pickup", Path: "/docs/pickups"},
		entry{Title: "Errors", Path: "/docs/errors"})
	all := []chapter{guides}
	for _, tag := range s.source.Document.Tags {
		c := chapter{Title: titleCase(tag.Name)}
		for _, op := range s.operations {
			if op.Tag == tag.Name {
				c.Entries = append(c.Entries, entry{op.Summary, op.page(), op.Method, op.Deprecated, false})
			}
		}
		if len(c.Entries) > 0 {
			all = append(all, c)
		}
	}
	return all
}

// menuAt returns the menu as a page shows it.
func (s *Site) menuAt(path string) []chapter {
	menu := make([]chapter, len(s.menu))
	for i, c := range s.menu {
		menu[i] = chapter{c.Title, make([]entry, len(c.Entries)), c.Always, c.Always}
		for j, e := range c.Entries {
			e.Current = e.Path == path
			menu[i].Entries[j] = e
			menu[i].Open = menu[i].Open || e.Current
		}
	}
	return menu
}

func titleCase(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
