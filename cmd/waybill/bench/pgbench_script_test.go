package bench

import (
	"regexp"
	"strings"
	"testing"
)

// What pgbench runs is the project's own statement: its text, up to the parameters.
func TestScriptsHaveTheQueriesAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, w := range works() {
		if w.script == "" {
			continue
		}
		got, err := script(w.script, ";")
		if err != nil {
			t.Error(err)
			continue
		}
		source, err := scripts.ReadFile("pgbench/" + w.script + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		runs := regexp.MustCompile(`(?m)^\\run (\w+)$`).FindAllStringSubmatch(string(source), -1)
		if len(runs) == 0 {
			t.Errorf("%s runs nothing", w.script)
		}
		for _, run := range runs {
			text, err := query(run[1])
			if err != nil {
				t.Error(err)
				continue
			}
			parts := parameter.Split(text, -1)
			for i, part := range parts {
				parts[i] = regexp.QuoteMeta(part)
			}
			// The value of a parameter is a variable, or in parentheses on one line.
			same := regexp.MustCompile(`(?m)^` + strings.Join(parts, `(?::\w+|\(.*\))`) + `;$`)
			found := same.FindStringIndex(got)
			if found == nil {
				t.Errorf("%s does not contain %s unchanged:\n%s", w.script, run[1], got)
				continue
			}
			got = got[:found[0]] + got[found[1]:]
		}
		if regexp.MustCompile(`(?i)\b(select|insert|update|delete|with)\b.*\n`).
			MatchString(regexp.MustCompile(`(?m)^--.*$`).ReplaceAllString(got, "")) {
			t.Errorf("%s has statements of its own:\n%s", w.script, got)
		}
	}
}

func TestScriptRefusesParametersThatDoNotFit(t *testing.T) {
	t.Parallel()
	for want, values := range map[string]map[string]string{
		"GetGroup has the parameter @id": {"tenant_id": ":t"},
		"GetGroup has no parameter nonsense, nonsense2": {"tenant_id": ":t",
			"id": ":i", "nonsense": ":n", "nonsense2": ":n"},
	} {
		if _, err := withParameters("GetGroup", values); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := query("GetGrou"); err == nil {
		t.Error("a prefix of a query's name found it")
	}
	text, err := withParameters("GetGroup", map[string]string{"tenant_id": ":t", "id": "'1' || '2'"})
	if want := "SELECT * FROM groups WHERE tenant_id = :t AND id = ('1' || '2')"; err != nil || text != want {
		t.Errorf("%q, %v", text, err)
	}
}
