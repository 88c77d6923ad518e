package main

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A misspelled variable would be ignored silently: every command refuses to start, and suggests the
// right name.
func TestAMisspeltVariableIsRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"serve"}, {"work"}, {"jobs"}, {"migrate", "up"}, {"tenant"}, {"prove"}} {
		code, _, errors := ended(t, "",
			[]string{"DATABASE_URL=postgres://127.0.0.1:1/none", "WAYBILL_MAXCONNS=hunter2"}, args...)
		if code != 1 {
			t.Errorf("%v: exit code %d", args, code)
		}
		has(t, errors, "the environment variable WAYBILL_MAXCONNS is not a setting: did you mean WAYBILL_MAX_CONNS? "+
			"For the settings, see: waybill serve -h\n")
		hasNot(t, errors, "hunter2")
	}
	code, out, errors := ended(t, "", []string{"WAYBILL_MAXCONNS=5"}, "serve", "-h")
	if code != 0 || !strings.Contains(out, "WAYBILL_MAX_CONNS") {
		t.Errorf("help is printed nevertheless: %d %s", code, errors)
	}
	for name, meant := range map[string]string{
		"WAYBILL_ADR": "WAYBILL_ADDR", "waybill_addr": "WAYBILL_ADDR",
		"WAYBILL_GATEWAY_SECRETS": "WAYBILL_GATEWAY_SECRET",
		"WAYBILL_LOGLEVEL":        "WAYBILL_LOG_LEVEL", "WAYBILL_PASWORD": "WAYBILL_PASSWORD", "WAYBILL_": "",
		"WAYBILL_DATABASE_URL": "", "WAYBILL_SOMETHING_ELSE_ENTIRELY": "", "WAYBILL_SERVICE": "", "WAYBILL_ZZZ": "",
	} {
		err := checkVariables([]string{"PATH=/bin", name + "=x"})
		switch {
		case err == nil:
			t.Errorf("%s is accepted", name)
		case meant == "" && strings.Contains(err.Error(), "did you mean"):
			t.Errorf("a suggestion for %s: %v", name, err)
		case meant != "" && !strings.Contains(err.Error(), "did you mean "+meant+"?"):
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, good := range []string{
		"WAYBILL_ADDR=x", "WAYBILL_PG_BIN=x", "WAYBILL_TEST=thorough", "OTHER_ADR=x", "WAYBILLS=x",
		// Of a service named waybill, or waybill-web, as Kubernetes has it.
		"WAYBILL_SERVICE_HOST=10.0.0.1", "WAYBILL_SERVICE_PORT=80", "WAYBILL_SERVICE_PORT_HTTP=80",
		"WAYBILL_PORT=tcp://10.0.0.1:80",
		"WAYBILL_PORT_80_TCP=tcp://10.0.0.1:80", "WAYBILL_PORT_80_TCP_ADDR=10.0.0.1",
		"WAYBILL_WEB_SERVICE_HOST=10.0.0.1", "WAYBILL_WEB_PORT_8080_TCP_PROTO=tcp",
	} {
		if err := checkVariables([]string{good}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

// The program knows every variable that its texts mention.
func TestEveryVariableIsKnown(t *testing.T) {
	t.Parallel()
	known, whole := knownVariables(), regexp.MustCompile(`^WAYBILL_[A-Z_]+$`)
	found := 0
	programs(t, repository(), 0, func(path string, _ *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			name, _ := strconv.Unquote(literal.Value)
			if whole.MatchString(name) && name != "WAYBILL_" && !strings.HasPrefix(name, "WAYBILL_TEST") {
				if found++; !slices.Contains(known, name) {
					t.Errorf("%s is named in %s", name, path)
				}
			}
			return true
		})
	})
	if found < 20 {
		t.Errorf("%d variables", found)
	}
}

func TestVersionSaysWhatToQuote(t *testing.T) {
	t.Parallel()
	code, out, errors := ended(t, "", nil, "version")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errors)
	}
	if !regexp.MustCompile(`(?m)\Awaybill +\S+.*\nrevision +\S+.*\ngo +go1\.\d+\S* \w+/\w+\n` +
		`api +\d+\.\d+\.\d+\nmigration +\d+\n\z`).MatchString(out) {
		t.Errorf("version: %s", out)
	}
}
