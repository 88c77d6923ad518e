package api_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"regexp"
	"strings"
	"testing"

	"waybill/api/board"
)

// Every address of the board shows its page, which loads only files that there are; and they are small.
func TestTheBoardIsServedWhole(t *testing.T) {
	t.Parallel()
	s := docsServer(t)
	page := s.do(nil, "GET", "/board/", nil).want(200)
	for _, path := range []string{"/board/pickups/0190", "/board/users"} {
		if a := s.do(nil, "GET", path, nil).want(200); !bytes.Equal(a.body, page.body) {
			t.Errorf("%s is another page", path)
		}
	}
	policy := page.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'",
		"trusted-types 'none'"} {
		if !strings.Contains(policy+";", part+";") {
			t.Errorf("the policy %q has no %q", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || regexp.MustCompile(`<script>|<style| on\w+=`).Match(page.body) {
		t.Errorf("something is inline, or may be: %s", policy)
	}
	loaded := regexp.MustCompile(`(?:src|href)="(/board/[^"]+)"`).FindAllSubmatch(page.body, -1)
	if len(loaded) < 2 {
		t.Fatalf("the page loads %d files", len(loaded))
	}
	for _, file := range loaded {
		a := s.do(nil, "GET", string(file[1]), nil, "Accept-Encoding", "gzip").want(200)
		plain, err := gzip.NewReader(bytes.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(plain)
		if err != nil || len(text) < len(a.body) || a.header.Get("ETag") == "" {
			t.Errorf("%s: %d bytes compressed, %d not: %v", file[1], len(a.body), len(text), err)
		}
		again := s.do(nil, "GET", string(file[1]), nil, "Accept-Encoding", "gzip",
			"If-None-Match", a.header.Get("ETag"))
		if again.want(304); len(again.body) != 0 {
			t.Errorf("%s is sent although the browser has it", file[1])
		}
	}
	s.do(nil, "GET", "/board/assets/nothing.js", nil).want(404)
}

func TestTheBoardIsSmall(t *testing.T) {
	t.Parallel()
	const limit = 250_000
	total := 0
	for _, file := range board.All() {
		total += len(file.Gzipped)
	}
	if total == 0 || total > limit {
		t.Errorf("all files have %d bytes compressed, of at most %d", total, limit)
	}
}
