package main

import (
	"strings"
	"testing"
)

func TestACommentOnAnEnumHasALineForEachValue(t *testing.T) {
	t.Parallel()
	source, err := generate([]comment{
		{"dogs", "Kept in kennels"}, {"dogs.name", `Its "name"`}, {"mood", "How it is\ngood: It wags\nbad: It growls"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"dogs":`, `"Kept in kennels"`, `"Its \"name\""`, `"mood":`, `"How it is"`,
		`"mood.good":`, `"It wags"`, `"mood.bad":`,
	} {
		if !strings.Contains(string(source), want) {
			t.Errorf("%s is missing in:\n%s", want, source)
		}
	}
	if _, err := generate([]comment{{"mood", "How it is\ngood, it wags"}}); err == nil {
		t.Error("a line without a value is accepted")
	}
}
