package main

import (
	"strings"
	"unicode"
)

// initialisms are written in capitals, as Go does.
var initialisms = map[string]string{"id": "ID", "url": "URL"}

// words returns the parts of a name in kebab-case or snake_case, or of a value.
func words(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == ' ' })
}

// exported returns a name of the document as one of Go: pickup_id is PickupID.
func exported(parts ...string) string {
	var b strings.Builder
	for _, word := range parts {
		if upper, ok := initialisms[word]; ok {
			b.WriteString(upper)
			continue
		}
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// unexported is exported with a first word in lower case: pickup_id is pickupID.
func unexported(parts ...string) string { return parts[0] + exported(parts[1:]...) }

// typeName returns the Go name of a schema. The codes of errors are what programs compare: they have a short one.
func typeName(schema string) string {
	if schema == "ErrorCode" {
		return "Code"
	}
	return schema
}

// thirdPerson returns what a summary says in the imperative: "List the pickups" is "lists the pickups".
func thirdPerson(summary string) string {
	verb, rest, _ := strings.Cut(summary, " ")
	ending := "s"
	for _, sibilant := range []string{"ch", "sh", "s", "x"} {
		if strings.HasSuffix(verb, sibilant) {
			ending = "es"
		}
	}
	return strings.TrimSpace(strings.ToLower(verb) + ending + " " + rest)
}

// sentence returns the first line of a doc comment.
func sentence(name, text string) string {
	first, rest, _ := strings.Cut(text, " ")
	switch first {
	case "A", "An", "The":
		return period(name + " is " + strings.ToLower(first) + " " + rest)
	}
	return period(name + ": " + text)
}

// period ends a text with a period.
func period(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsRune(".!?:", rune(text[len(text)-1])) {
		return text
	}
	return text + "."
}

// comment returns paragraphs as a Go comment of at most 120 columns, indented by tabs.
func comment(tabs int, paragraphs ...string) string {
	var b strings.Builder
	if strings.TrimSpace(strings.Join(paragraphs, "")) == "" {
		return ""
	}
	indent, width := strings.Repeat("\t", tabs), 117-4*tabs
	for i, paragraph := range paragraphs {
		if i > 0 {
			b.WriteString(indent + "//\n")
		}
		line := ""
		for _, word := range strings.FieldsFunc(paragraph, unicode.IsSpace) {
			if line != "" && len([]rune(line+word)) >= width {
				b.WriteString(indent + "// " + line + "\n")
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		b.WriteString(indent + "// " + line + "\n")
	}
	return b.String()
}
