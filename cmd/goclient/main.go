// Command goclient writes the generated part of the Go client from the OpenAPI document:
//
//	go run ./cmd/goclient -o api/client/client.gen.go api/openapi.yaml
//
// It writes a type for each schema that an operation uses, a constant for each value of an enum, and a method for
// each operation, by its tag; package client has what they have in common. It knows what this document uses, and
// fails on what it does not know.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "", "the `file` to write")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "goclient:", err)
		os.Exit(1)
	}
}

func run(out string, args []string) error {
	if out == "" || len(args) != 1 {
		return errors.New("usage: goclient -o FILE DOCUMENT")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	source, err := generate(text)
	if err != nil {
		return err
	}
	return os.WriteFile(out, source, 0o644)
}
