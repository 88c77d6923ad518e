package db_test

import (
	"testing"
	"unicode"

	"waybill/db"
)

// SQL and Go fold the same characters to one: every character that has another case, whatever the
// database's locale.
func TestFoldCaseIsThatOfTheDatabase(t *testing.T) {
	t.Parallel()
	d := open(t)
	var texts, want []string
	for r := rune(0x20); r <= unicode.MaxRune; r++ {
		if unicode.SimpleFold(r) != r {
			texts = append(texts, string(r))
			want = append(want, db.FoldCase(string(r)))
		}
	}
	for _, text := range []string{"MÜLLER@X.example", "mu\u0308ller@x.example", "İstanbul@x",
		"ΣΊΣΥΦΟΣ@x", "ПОЧТА@x", "straße@x", "plain@x.example"} {
		texts, want = append(texts, text), append(want, db.FoldCase(text))
	}
	var got []string
	must(0, d.Pool().
		QueryRow(t.Context(), `SELECT array_agg(fold_case(c) ORDER BY n)
    FROM unnest($1::text[]) WITH ORDINALITY AS t (c, n)`, texts).Scan(&got))
	for i := range texts {
		if got[i] != want[i] {
			t.Errorf("%q (%U): the database folds it to %q, Go to %q", texts[i], []rune(texts[i]), got[i], want[i])
		}
	}
	for _, twins := range [][2]string{
		{"MÜLLER@x", "müller@x"}, {"mu\u0308ller@x", "MÜLLER@X"}, {"ΣΊΣΥΦΟΣ@x", "σίσυφος@x"},
		{"ПОЧТА@x", "почта@X"}, {"\u212aim@x", "KIM@x"},
	} {
		if db.FoldCase(twins[0]) != db.FoldCase(twins[1]) {
			t.Errorf("%q and %q are different addresses", twins[0], twins[1])
		}
	}
	if db.FoldCase("straße@x") == db.FoldCase("strasse@x") {
		t.Error("two different addresses are equal")
	}
}
