package main

import (
	"context"
	"fmt"
	"io"

	"waybill/api"
)

func runOpenAPI(ctx context.Context, args []string, out io.Writer) error {
	flags := newFlags("openapi", out)
	format := flags.String("format", "yaml", "yaml (OpenAPI 3.1), json (3.1), or json-3.0")
	if err := parse(flags, args); err != nil {
		return err
	}
	a, err := api.New(ctx, nil, api.Options{})
	if err != nil {
		return err
	}
	var text []byte
	switch *format {
	case "yaml":
		text, err = a.DocumentYAML()
	case "json":
		text, err = a.Document("3.1")
	case "json-3.0":
		text, err = a.Document("3.0")
	default:
		return fmt.Errorf("--format must be yaml, json or json-3.0")
	}
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}
