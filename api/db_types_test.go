package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// An enum that describeTypes does not know would be any string in the document.
func TestEveryEnumOfTheDatabaseIsAComponent(t *testing.T) {
	t.Parallel()
	models, err := parser.ParseFile(token.NewFileSet(), "../db/models.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	schemas := theDocument().root["components"].(object)["schemas"].(object)
	n := 0
	for _, d := range models.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(f.Name.Name, "All") { // such as AllUserRoleValues
			continue
		}
		n++
		enum := strings.TrimSuffix(strings.TrimPrefix(f.Name.Name, "All"), "Values")
		component, _ := schemas[enum].(object)
		if values, _ := component["enum"].([]any); len(values) == 0 {
			t.Errorf("the document has no enum %s", enum)
		}
	}
	if n == 0 {
		t.Error("models.go has no enum")
	}
}
