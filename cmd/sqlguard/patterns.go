package main

import (
	"fmt"
	"regexp"
	"strings"
)

// patterns match file names as they appear in reports and in --verdicts.
type patterns []*regexp.Regexp

// newPatterns compiles glob patterns: * and ? match within a name, ** matches across folders, a folder
// matches everything in it.
func newPatterns(texts []string) (patterns, error) {
	var all patterns
	for _, text := range texts {
		text = strings.TrimSuffix(strings.TrimPrefix(text, "./"), "/")
		if text == "" {
			return nil, fmt.Errorf("an empty pattern")
		}
		p, err := regexp.Compile("^" + expression(text) + "(/.*)?$")
		if err != nil {
			return nil, fmt.Errorf("pattern %s: %w", text, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// expression translates a glob pattern into a regular expression.
func expression(pattern string) string {
	var out strings.Builder
	for pattern != "" {
		size := 1
		switch {
		case strings.HasPrefix(pattern, "**/"):
			out.WriteString("(.*/)?")
			size = 3
		case strings.HasPrefix(pattern, "**"):
			out.WriteString(".*")
			size = 2
		case pattern[0] == '*':
			out.WriteString("[^/]*")
		case pattern[0] == '?':
			out.WriteString("[^/]")
		default:
			out.WriteString(regexp.QuoteMeta(pattern[:1]))
		}
		pattern = pattern[size:]
	}
	return out.String()
}

func (p patterns) match(name string) bool {
	for _, pattern := range p {
		if pattern.MatchString(name) {
			return true
		}
	}
	return false
}
