package project

import (
	"regexp"
	"strings"

	"waybill/cmd/sqlguard/sqltext"
)

var annotation = regexp.MustCompile(`^\s*name:\s+(\S+)\s+(:\w+)`)

// section is the part of a file that belongs to one query.
type section struct {
	head, body    int // the offsets of its comments and of its SQL
	name, command string
}

// Queries splits a file at its annotations. SQL before the first annotation is a query without a name.
func Queries(f *File) []*Query {
	comments := sqltext.Comments(f.Text)
	sections := sections(f.Text, comments)
	var queries []*Query
	for i, s := range sections {
		end := len(f.Text)
		if i+1 < len(sections) {
			end = sections[i+1].head
		}
		q := &Query{File: f, Name: s.name, Command: s.command, Offset: s.body, Text: f.Text[s.body:end]}
		for _, c := range comments {
			if c.Start >= s.head && c.End <= end {
				q.Comments = append(q.Comments, Comment{c.Start, content(f.Text[c.Start:c.End])})
			}
		}
		if s.name != "" || len(sqltext.Statements(q.Text)) > 0 {
			queries = append(queries, q)
		}
	}
	return queries
}

func sections(text string, comments []sqltext.Span) []section {
	all := []section{{}}
	for i, c := range comments {
		if m := annotation.FindStringSubmatch(content(text[c.Start:c.End])); m != nil {
			all = append(all, section{comments[block(text, comments, i)].Start, c.End, m[1], m[2]})
		}
	}
	return all
}

// block returns the index of the first in the run of comments directly above the i-th.
func block(text string, comments []sqltext.Span, i int) int {
	for i > 0 {
		between := text[comments[i-1].End:comments[i].Start]
		if strings.TrimSpace(between) != "" || strings.Count(between, "\n") != 1 || !ownLine(text, comments[i-1]) {
			break
		}
		if annotation.MatchString(content(text[comments[i-1].Start:comments[i-1].End])) {
			break // the annotation of another query, without SQL
		}
		i--
	}
	return i
}

// ownLine reports whether only white space precedes the comment on its line.
func ownLine(text string, c sqltext.Span) bool {
	start := strings.LastIndexByte(text[:c.Start], '\n') + 1
	return strings.TrimSpace(text[start:c.Start]) == ""
}

func content(comment string) string {
	if rest, ok := strings.CutPrefix(comment, "--"); ok {
		return strings.TrimSpace(rest)
	}
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(comment, "/*"), "*/"))
}
