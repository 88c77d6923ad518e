package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// feedBodies has n records as an array and as lines.
func feedBodies(n int) (array, lines string) {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `{"external_id":"a-%d","patient":{"external_id":%d,"given_name":"Ada","family_name":"L\u00f6velace","birth_date":"1931-07-13",`+
			`"phone":"+14155550123"},"starts_at":"2030-01-01T09:00:00Z","ends_at":"2030-01-01T09:30:00Z","status":"BOOKED"}`+"\n", i, i)
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

// BenchmarkBody does with a body what huma has strictJSON do.
func BenchmarkBody(b *testing.B) {
	charge := `{"id":"01890a5d-ac96-774b-bcce-b302099a8057","amount_cents":1,"note":"a charge"}`
	pickup := `{"id":"01890a5d-ac96-774b-bcce-b302099a8057","facility_id":"01890a5d-ac96-774b-bcce-b302099a8058",` +
		`"account_id":"01890a5d-ac96-774b-bcce-b302099a8059","price_cents":100,"pickup_address":"1 Main St","dropoff_address":"2 Lab Way"}`
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
	_ = json.Valid
	run("charge", charge, func() any { return new(NewEntry) })
	run("pickups", `{"items":[`+strings.TrimSuffix(strings.Repeat(pickup+",", 30), ",")+`]}`, func() any {
		return new(struct {
			Items []NewPickup `json:"items"`
		})
	})
}
