package api_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"regexp"
	"slices"
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
	loaded := linksOf(page.body)
	if len(loaded) < 2 {
		t.Fatalf("the page loads %d files", len(loaded))
	}
	// What scripts import, they may import when a page is opened that hardly anybody opens.
	for i := 0; i < len(loaded); i++ {
		for _, path := range importsOf(t, s, loaded[i]) {
			if !slices.Contains(loaded, path) {
				loaded = append(loaded, path)
			}
		}
	}
	for name := range board.All() {
		if path := "/board/" + name; name != board.Page && !slices.Contains(loaded, path) {
			t.Errorf("%s is served, and nothing loads it", path)
		}
	}
	s.do(nil, "GET", "/board/assets/nothing.js", nil).want(404)
}

// linksOf returns the files that a page loads, and what it links to.
func linksOf(page []byte) (paths []string) {
	for _, link := range regexp.MustCompile(`(?:src|href)="(/board/[^"]+)"`).FindAllSubmatch(page, -1) {
		paths = append(paths, string(link[1]))
	}
	return paths
}

// importsOf reads a file as a browser does, twice, and returns the files that it loads.
func importsOf(t *testing.T, s *server, path string) (paths []string) {
	t.Helper()
	a := s.do(nil, "GET", path, nil, "Accept-Encoding", "gzip").want(200)
	plain, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil || len(text) < len(a.body) || a.header.Get("ETag") == "" {
		t.Errorf("%s: %d bytes compressed, %d not: %v", path, len(a.body), len(text), err)
	}
	again := s.do(nil, "GET", path, nil, "Accept-Encoding", "gzip", "If-None-Match", a.header.Get("ETag"))
	if again.want(304); len(again.body) != 0 {
		t.Errorf("%s is sent although the browser has it", path)
	}
	// from"./x.js", import"./x.js", import(`./x.js`), and what is loaded beforehand: ["assets/x.js"].
	relative := regexp.MustCompile("(?:from|import\\(?)[\"'`]\\./([^\"'`]+)[\"'`]|[\"'`]assets/([^\"'`]+)[\"'`]")
	for _, file := range relative.FindAllSubmatch(text, -1) {
		paths = append(paths, "/board/assets/"+string(file[1])+string(file[2]))
	}
	return paths
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
