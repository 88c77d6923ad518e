package api

import (
	"fmt"
	"strings"
	"testing"
)

// feedBodies has n records as an array and as lines.
func feedBodies(n int) (array, lines string) {
	var text strings.Builder
	for i := range n {
		record := strings.Replace(recordText, `"a-1"`, fmt.Sprint(i), 1)
		text.WriteString(strings.Replace(record, `"external_id":7`, fmt.Sprintf(`"external_id":%d`, i), 1) + "\n")
	}
	lines = text.String()
	return "[" + strings.ReplaceAll(strings.TrimSuffix(lines, "\n"), "\n", ",\n") + "]", lines
}

// BenchmarkFeedReader reads 100,000 records.
func BenchmarkFeedReader(b *testing.B) {
	array, lines := feedBodies(100_000)
	for _, form := range []struct {
		name, body string
		lines      bool
	}{{"array", array, false}, {"lines", lines, true}} {
		b.Run(form.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(form.body)))
			for b.Loop() {
				if n, err := ReadFeed(form.body, form.lines, 0); n != 100_000 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkBody parses a body as huma calls strictJSON.
func BenchmarkBody(b *testing.B) {
	charge := `{"id":"01890a5d-ac96-774b-bcce-b302099a8057","amount_cents":1,"note":"a charge"}`
	pickups := `{"items":[` + strings.Repeat(pickupText+",", 29) + pickupText + `]}`
	run := func(name, body string, into func() any) {
		b.Run(name, func(b *testing.B) {
			data := []byte(body)
			b.ReportAllocs()
			for b.Loop() {
				var value any
				if err := strictJSON.Unmarshal(data, &value); err != nil {
					b.Fatal(err)
				}
				if err := strictJSON.Unmarshal(data, into()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("charge", charge, func() any { return new(NewLedgerEntry) })
	run("pickups", pickups, func() any { return new(NewPickups) })
}
