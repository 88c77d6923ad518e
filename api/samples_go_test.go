package api_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The samples in Go are made from the document, by other code than the client: they compile.
func TestSamplesInGoCompile(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString(`package samples

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"waybill/api/client"
)

var _ = []any{fmt.Println, time.Date, uuid.MustParse}
`)
	n := 0
	for i, op := range theDocument().operations {
		source := sampleOf(op, "Go")
		if source == "" {
			continue
		}
		n++
		end := "\nreturn nil"
		if strings.Contains(source, "\nreturn waybill.") {
			end = ""
		}
		fmt.Fprintf(&file, "\n// %s\nfunc _%d(ctx context.Context, token string) error {\n%s%s\n}\n",
			op.id, i, source, end)
	}
	if n < 70 {
		t.Errorf("there are %d samples", n)
	}
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// As if the file were in a folder of the module.
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(here(t), "samplesingo/samples.go"): write("samples.go", file.String())}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", write("overlay.json", string(overlay)),
		"./samplesingo").CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// here returns the folder of this package.
func here(t *testing.T) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}
