package docs

import (
	"html/template"
	"regexp"
	"slices"
	"strconv"
)

// guideView is a guide, and its sections for a table of contents.
type guideView struct {
	Text     template.HTML
	Sections []section
}

type section struct{ ID, Title string }

// headings match the headings of sections in rendered Markdown.
var headings = regexp.MustCompile(`<h2 id="([^"]+)">(.*?)</h2>`)

func (s *Site) guide(source string) guideView {
	v := guideView{Text: s.markdown.html(source)}
	for _, found := range headings.FindAllStringSubmatch(string(v.Text), -1) {
		v.Sections = append(v.Sections, section{found[1], plain(found[2])})
	}
	return v
}

// errorStatus are the errors of a status.
type errorStatus struct {
	Status int
	Text   string
	Errors []Error
}

func (s *Site) errorsByStatus() (statuses []errorStatus) {
	for _, e := range s.source.Errors {
		i, found := slices.BinarySearchFunc(statuses, e.Status, func(s errorStatus, status int) int {
			return s.Status - status
		})
		if !found {
			text := textOf(strconv.Itoa(e.Status))
			statuses = slices.Insert(statuses, i, errorStatus{Status: e.Status, Text: text})
		}
		statuses[i].Errors = append(statuses[i].Errors, e)
	}
	return statuses
}

// errorView is an error, and the operations that can answer it.
type errorView struct {
	Error
	Text           string
	Detail, Advice template.HTML
	Example        code
	Operations     []*operation
	Everywhere     bool // whether every operation can answer it
}

func (s *Site) errorPage(e Error) errorView {
	v := errorView{Error: e, Text: textOf(strconv.Itoa(e.Status)), Detail: s.markdown.html(e.Detail),
		Advice: s.markdown.html(e.Advice)}
	calls := 0
	for _, op := range s.operations {
		if !op.Webhook {
			calls++
		}
		for _, r := range op.Responses {
			if slices.Contains(s.codesOf(s.response(r)), e.Code) {
				v.Operations = append(v.Operations, op)
				break
			}
		}
	}
	v.Everywhere = len(v.Operations) == calls
	if example := s.source.Document.Components.Examples[e.Code]; example != nil {
		v.Example = s.problemExample(example.Value)
	}
	return v
}

// startView is what the start page shows.
type startView struct {
	Intro  template.HTML
	Guides []Guide
	Tags   []tagView
	Sample code
}

type tagView struct {
	Title      string
	About      template.HTML
	Operations []*operation
}

func (s *Site) start() any {
	intro, _, _ := cutParagraph(s.source.Document.Info.Description)
	v := startView{Intro: s.markdown.html(intro), Guides: s.source.Guides}
	for _, tag := range s.source.Document.Tags {
		t := tagView{Title: titleCase(tag.Name), About: s.markdown.html(tag.Description)}
		for _, op := range s.operations {
			if op.Tag == tag.Name {
				t.Operations = append(t.Operations, op)
			}
			if op.OperationID == "login" && len(samplesOf(op)) > 0 {
				v.Sample = samplesOf(op)[0]
			}
		}
		if t.Operations != nil {
			v.Tags = append(v.Tags, t)
		}
	}
	return v
}
