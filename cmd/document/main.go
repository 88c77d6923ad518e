// Command document prints the OpenAPI document, as "waybill openapi" does:
//
//	go run ./cmd/document > api/openapi.yaml
//
// It is built of less: whoever changes package db or api waits for no package of cmd/waybill to be compiled.
package main

import (
	"context"
	"fmt"
	"os"

	"waybill/api"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "document:", err)
		os.Exit(1)
	}
}

func run() error {
	a, err := api.New(context.Background(), nil, api.Options{})
	if err != nil {
		return err
	}
	text, err := a.DocumentYAML()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}
