package samples

import (
	"slices"
	"strings"
	"unicode"
)

// methodName returns the name of an operation among those of its tag, whose noun is left out behind the verb:
// list-pickup-events of the tag pickups is list-events.
func methodName(id, tag string) string {
	words := strings.Split(id, "-")
	if len(words) > 1 && slices.Contains([]string{tag, singular(tag)}, words[1]) {
		words = slices.Delete(words, 1, 2)
	}
	return strings.Join(words, "-")
}

func singular(noun string) string {
	if y, ok := strings.CutSuffix(noun, "ies"); ok {
		return y + "y"
	}
	return strings.TrimSuffix(noun, "s")
}

// camel returns words as a name of TypeScript: listEvents.
func camel(words string) string {
	name := exported(words)
	return strings.ToLower(name[:1]) + name[1:]
}

// exported returns words, or a name of the document, as a name of Go: PickupID.
func exported(words string) string {
	var name strings.Builder
	for _, word := range strings.FieldsFunc(words, func(r rune) bool { return strings.ContainsRune(" _-", r) }) {
		switch word = strings.ToLower(word); word {
		case "id", "url":
			name.WriteString(strings.ToUpper(word))
		default:
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return name.String()
}

// snake returns the name of a component, like DriverBusy, as a code.
func snake(pascal string) string {
	var code strings.Builder
	for i, r := range pascal {
		if unicode.IsUpper(r) && i > 0 {
			code.WriteByte('_')
		}
		code.WriteRune(unicode.ToLower(r))
	}
	return code.String()
}

// variable returns the name of a variable for a value of a type of the document.
func variable(schema string) string { return strings.ToLower(schema[:1]) + schema[1:] }
