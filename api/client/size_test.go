package client_test

import (
	"bytes"
	"os"
	"testing"
)

// mostLines is a third of the lines that the client had when another generator wrote it.
const mostLines = 19_400 / 3

func TestTheGeneratedFileIsAThirdOfTheFormerOne(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("client.gen.go")
	check(t, err)
	if n := bytes.Count(text, []byte("\n")); n >= mostLines || n < 1_000 {
		t.Errorf("client.gen.go has %d lines, want fewer than %d", n, mostLines)
	}
}
