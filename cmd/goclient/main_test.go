package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const small = `
paths:
  /v1/dogs:
    get:
      {operationId: list-dogs, x-method-name: list, summary: List the dogs, tags: [dogs], parameters: [
        {name: limit, in: query, schema: {type: integer}}, {name: cursor, in: query, schema: {type: string}}],
        responses: {"200": {content:
        {application/json: {schema: {$ref: "#/components/schemas/PageDog"}}}}}}
    post:
      operationId: create-dog
      x-method-name: create
      summary: Create a dog
      tags: [dogs]
      parameters: [{name: Idempotency-Key, in: header, schema: {type: string}}]
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/NewDog"}}}}
      responses:
        "201":
          headers: {ETag: {}}
          content: {application/json: {schema: {$ref: "#/components/schemas/Dog"}}}
        "409":
          content: {application/problem+json: {schema: {properties: {code: {enum: [name_taken], type: string}}}}}
  /v1/dogs/{dog_id}:
    get: {operationId: get-dog, x-method-name: get, summary: Get a dog, tags: [dogs], parameters: [
      {name: dog_id, in: path, schema: {type: string, format: uuid}}],
      responses: {"200": {content: {application/json: {schema:
      {$ref: "#/components/schemas/Dog"}}}}}}
    patch:
      operationId: edit-dog
      x-method-name: edit
      summary: Edit a dog
      tags: [dogs]
      parameters:
        - {name: dog_id, in: path, schema: {type: string, format: uuid}}
        - {name: If-Match, in: header, required: true, schema: {type: string}}
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/DogEdit"}}}}
      responses: {"200": {content: {application/json: {schema: {$ref: "#/components/schemas/Dog"}}}}}
    delete: {operationId: remove-dog, x-method-name: remove, summary: Remove a dog, tags: [dogs], parameters: [
      {name: dog_id, in: path, schema: {type: string, format: uuid}}], responses: {"204": {}}}
  /v1/dogs/{dog_id}/feed:
    post:
      operationId: feed-dog
      x-method-name: feed
      summary: Feed a dog
      tags: [dogs]
      parameters:
        - {name: dog_id, in: path, schema: {type: string, format: uuid}}
        - {name: If-Match, in: header, schema: {type: string}}
        - {name: Idempotency-Key, in: header, schema: {type: string}}
      responses: {"200": {content: {application/json: {schema: {$ref: "#/components/schemas/Dog"}}}}}
  /v1/batch:
    post:
      operationId: write-batch
      x-method-name: write-batch
      summary: Write several
      tags: [batches]
      parameters: [{name: Idempotency-Key, in: header, schema: {type: string}}]
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Writes"}}}}
      responses: {"200": {content: {application/json: {schema: {$ref: "#/components/schemas/Written"}}}}}
components:
  schemas:
    Writes: {properties: {items: {type: array, items: {$ref: "#/components/schemas/Write"}}}}
    Write:
      oneOf: [{$ref: "#/components/schemas/EditDogWrite"}, {$ref: "#/components/schemas/FeedDogWrite"},
        {$ref: "#/components/schemas/CreateDogWrite"}]
      discriminator: {propertyName: operation, mapping: {edit-dog: "#/components/schemas/EditDogWrite", feed-dog:
        "#/components/schemas/FeedDogWrite", create-dog: "#/components/schemas/CreateDogWrite"}}
    EditDogWrite: {properties: {operation: {enum: [edit-dog]}, path: {properties: {dog_id: {type: string}}},
      body: {$ref: "#/components/schemas/DogEdit"}}}
    FeedDogWrite: {properties: {operation: {enum: [feed-dog]}, path: {properties: {dog_id: {type: string}}}}}
    CreateDogWrite: {properties: {operation: {enum: [create-dog]}, body: {$ref: "#/components/schemas/NewDog"}}}
    Written: {properties: {items: {type: array, items: {type: string}}}}
    Dog:
      description: A dog
      required: [id, born, mood, owner]
      properties:
        id: {type: string, format: uuid}
        born: {type: string, format: date, description: The day of its birth}
        mood: {$ref: "#/components/schemas/Mood"}
        owner: {type: [string, "null"]}
        weight: {type: number}
        nick: {type: string}
    NewDog: {description: A new dog, properties: {id: {type: string, format: uuid}, tag:
      {oneOf: [{type: string}, {type: integer}]}}}
    DogEdit: {description: A change, properties: {owner: {type: [string, "null"]}, mood:
      {$ref: "#/components/schemas/Mood"}}}
    PageDog: {properties: {items: {type: array, items: {$ref: "#/components/schemas/Dog"}},
      next_cursor: {type: string}}}
    Mood: {description: How it is, type: string, enum: [very_good, BAD], x-enum-descriptions: [It wags, It growls]}
    Unused: {description: Unused, properties: {}}
    Problem: {description: A problem, required: [code], properties: {code: {type: string}}}
`

func TestWhatIsGenerated(t *testing.T) {
	t.Parallel()
	source, err := generate([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(source)), " ")
	for _, want := range []string{
		"// List lists the dogs: list-dogs. func (s DogsService) List(ctx context.Context, query *ListQuery) " +
			"iter.Seq2[*Dog, error]",
		"ListPage(ctx context.Context, query *ListQuery, cursor string) (*Page[Dog], error)",
		"Codes of its own: name_taken.",
		"Create(ctx context.Context, body NewDog, opts ...CreateOption) (*Dog, error)",
		"body: body}.create(body.ID != nil, opts)",
		`path("/v1/dogs/{dog_id}", dogID)`,
		"Edit( ctx context.Context, base *Dog, change DogEdit, opts ...EditOption[Dog, DogEdit], ) (*Dog, error)",
		`path("/v1/dogs/{dog_id}", base.ID)`,
		"WriteBatch(ctx context.Context, batch *Batch, opts ...CreateOption) error",
		"func (b *Batch) CreateDog(body NewDog, opts ...CreateOption) *Item[Dog] { return add[Dog](b, " +
			`"create-dog", nil, request{method: "POST", body: body}.create(body.ID != nil, opts))`,
		"func (b *Batch) EditDog(base *Dog, change DogEdit) *Item[Dog] {",
		`"edit-dog", parts{"dog_id": base.ID}, request{method: "PATCH", body: change}, base)`,
		"FeedDog(dogID uuid.UUID, opts ...TransitionOption) *Item[Dog]",
		`path: path("/v1/dogs/{dog_id}", dogID), lacksDryRun: true`,
		"Remove(ctx context.Context, dogID uuid.UUID) error",
		"Feed(ctx context.Context, dogID uuid.UUID, opts ...TransitionOption) (*Dog, error)",
		"// Dog is a dog. type Dog struct { Meta `json:\"-\"` // The day of its birth. Born Date `json:\"born\"`",
		"Owner *string `json:\"owner\"`", "Weight *float64 `json:\"weight,omitempty\"`",
		"Nick string `json:\"nick,omitzero\"`",
		"Owner Nullable[string] `json:\"owner,omitzero\"`", "Mood *Mood `json:\"mood,omitempty\"`",
		"ID *uuid.UUID `json:\"id,omitempty\"`", "Tag *string `json:\"tag,omitempty\"`",
		`// MoodVeryGood: It wags. MoodVeryGood Mood = "very_good" // MoodBad: It growls. MoodBad Mood = "BAD"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in:\n%s", want, source)
		}
	}
	for _, none := range []string{"Unused", "PageDog", "type Write", "type EditDogWrite"} {
		if strings.Contains(text, none) {
			t.Errorf("%s is not used, and is in:\n%s", none, source)
		}
	}
}

func TestWhatTheGeneratorDoesNotKnowFails(t *testing.T) {
	t.Parallel()
	either := "{oneOf: [{type: string}, {type: integer}]}"
	for name, document := range map[string]string{
		"no document":          "{}",
		"unknown type":         strings.Replace(small, "weight: {type: number}", "weight: {type: object}", 1),
		"unknown either":       strings.Replace(small, either, "{oneOf: [{type: boolean}]}", 1),
		"item of no operation": strings.Replace(small, "mapping: {edit-dog:", "mapping: {groom-dog:", 1),
		"item of another path": strings.Replace(small, "[feed-dog]}, path: {properties: {dog_id:",
			"[feed-dog]}, path: {properties: {cat_id:", 1),
		"item of another body": strings.Replace(small, "[create-dog]}, body: {$ref: \"#/components/schemas/NewDog",
			"[create-dog]}, body: {$ref: \"#/components/schemas/DogEdit", 1),
		"unknown answer": strings.Replace(small, `{$ref: "#/components/schemas/Dog"}}}}}}`, "{type: object}}}}}}", 1),
	} {
		if source, err := generate([]byte(document)); err == nil {
			t.Errorf("%s is generated:\n%s", name, source)
		}
	}
}

// The document's operations, but for the page of an error, each have a method, and its codes a constant.
func TestEveryOperationHasAMethodAndEveryCodeAConstant(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "api", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := generate(text)
	if err != nil {
		t.Fatal(err)
	}
	d, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "client.gen.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	documented, constants := map[string]int{}, map[string]int{}
	for _, declaration := range file.Decls {
		switch declaration := declaration.(type) {
		case *ast.FuncDecl:
			first, _, _ := strings.Cut(declaration.Doc.Text(), "\n")
			documented[strings.TrimSuffix(first[strings.LastIndex(first, " ")+1:], ".")]++
		case *ast.GenDecl:
			for _, s := range declaration.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && v.Doc.Text() != "" {
					constants[strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`)]++
				}
			}
		}
	}
	for _, item := range d.Paths {
		for _, op := range item {
			if n := documented[op.ID]; op.ID != "get-error" && n != 1 {
				t.Errorf("%s has %d methods, want 1", op.ID, n)
			}
			for _, code := range d.codes(op) {
				if constants[code] != 1 {
					t.Errorf("%s has %d constants with a sentence, want 1", code, constants[code])
				}
			}
		}
	}
}
