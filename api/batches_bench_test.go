package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkBatch makes 50 mixed writes of one caller over HTTP, as a batch and one by one, in turns, and
// reports how many times as long the requests take: with those of a kind after each other, and with the whole life of
// each pickup after that of another.
func BenchmarkBatch(b *testing.B) {
	b.Run("by kind", func(b *testing.B) {
		benchmarkBatch(b, func(kinds [][]object) []object { return slices.Concat(kinds...) })
	})
	b.Run("interleaved", func(b *testing.B) {
		benchmarkBatch(b, func(kinds [][]object) (items []object) {
			for i := range kinds[0] {
				for _, kind := range kinds {
					items = append(items, kind[i])
				}
			}
			return items
		})
	})
}

func benchmarkBatch(b *testing.B, inOrder func(kinds [][]object) []object) {
	s := start(b)
	served := httptest.NewServer(s.api)
	defer served.Close()
	client := served.Client()
	send := func(method, path string, body any) {
		raw, err := json.Marshal(body)
		s.must(err)
		r, err := http.NewRequest(method, served.URL+path, bytes.NewReader(raw))
		s.must(err)
		r.Header.Set("Authorization", "Bearer "+s.dispatcher.token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		s.must(err)
		defer answer.Body.Close()
		var text bytes.Buffer
		if text.ReadFrom(answer.Body); answer.StatusCode >= 300 {
			b.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, text.Bytes())
		}
	}
	mixed := s.mixedWrites()
	var alone, together time.Duration
	for b.Loop() {
		items := inOrder(mixed())
		begun := time.Now()
		send("POST", "/v1/batch", batch(items...))
		together += time.Since(begun)
		items = inOrder(mixed())
		begun = time.Now()
		for _, item := range items {
			op := theDocument().operation(item["operation"].(string))
			path, _ := requestOf(op, item)
			send(op.method, path, item["body"])
		}
		alone += time.Since(begun)
	}
	b.ReportMetric(float64(alone)/float64(together), "requests/batch")
	b.ReportMetric(float64(together.Milliseconds())/float64(b.N), "ms/batch")
}

const maxItems = 50

// mixedWrites returns makers of 50 writes of five kinds, each of ten.
func (s *server) mixedWrites() func() [][]object {
	s.t.Helper()
	drivers := make([]string, maxItems/5)
	for i := range drivers {
		drivers[i] = s.newDriver(s.tenant).String()
	}
	return func() [][]object {
		kinds := make([][]object, 5)
		for i := range maxItems / 5 {
			id := newID().String()
			path := object{"pickup_id": id}
			for k, item := range []object{
				{"operation": "create-pickup", "body": with(s.newPickup(), object{"id": id, "price_cents": 1})},
				{"operation": "submit-pickup", "path": path},
				{"operation": "assign-pickup", "path": path, "body": object{"driver_id": drivers[i]}},
				{"operation": "collect-pickup", "path": path},
				{"operation": "create-pickup", "body": with(s.newPickup(), object{"price_cents": 1})},
			} {
				kinds[k] = append(kinds[k], item)
			}
		}
		return kinds
	}
}

// requestOf returns the path and headers of an item's request.
func requestOf(op *described, item object) (path string, headers []string) {
	path = op.path
	named, _ := item["path"].(object)
	for name, value := range named {
		path = strings.ReplaceAll(path, "{"+name+"}", fmt.Sprint(value))
	}
	given, _ := item["headers"].(object)
	for name, value := range given {
		headers = append(headers, name, value.(string))
	}
	return path, headers
}
