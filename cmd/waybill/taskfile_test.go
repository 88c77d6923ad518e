package main

import (
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// source is an entry of a task's sources: a pattern, or one of files that are left out.
type source struct{ pattern, exclude string }

func (s *source) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		s.pattern = n.Value
		return nil
	}
	var e struct{ Exclude string }
	err := n.Decode(&e)
	s.exclude = e.Exclude
	return err
}

// matches reports whether a file is one of a pattern's, in which ** is any folders.
func matches(pattern, name string) bool {
	folder, rest, deep := strings.Cut(pattern, "/**/")
	if !deep {
		ok, _ := path.Match(pattern, name)
		return ok
	}
	ok, _ := path.Match(rest, path.Base(name))
	return ok && strings.HasPrefix(name, folder+"/")
}

type taskOfFile struct {
	Deps    []string
	Sources []source
}

// isSource reports whether a file is among the task's sources.
func (t taskOfFile) isSource(name string) bool {
	return slices.ContainsFunc(t.Sources, func(s source) bool { return s.pattern != "" && matches(s.pattern, name) }) &&
		!slices.ContainsFunc(t.Sources, func(s source) bool { return s.exclude != "" && matches(s.exclude, name) })
}

// readTaskfile returns the tasks, and the names of the steps of "check".
func readTaskfile(t *testing.T) (tasks map[string]taskOfFile, steps []string) {
	t.Helper()
	text, err := os.ReadFile("../../Taskfile.yml")
	if err != nil {
		t.Fatal(err)
	}
	var nodes struct{ Tasks map[string]yaml.Node }
	if err := yaml.Unmarshal(text, &nodes); err != nil {
		t.Fatal(err)
	}
	tasks = map[string]taskOfFile{}
	for name, n := range nodes.Tasks {
		var one taskOfFile
		if err := n.Decode(&one); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tasks[name] = one
	}
	check := nodes.Tasks["check"]
	var list struct{ Cmds []struct{ For []string } }
	if err := check.Decode(&list); err != nil || len(list.Cmds) != 1 {
		t.Fatalf("%d commands; %v", len(list.Cmds), err)
	}
	return tasks, list.Cmds[0].For
}

// wholeSteps are the steps of "check" that test all there is, and serverSteps those that run the server.
var (
	wholeSteps  = []string{"test:others", "thorough", "race"}
	serverSteps = []string{"vet", "gate", "test:ts", "test:board", "generators", "faults"}
)

// A step of "check" that passed is left out until one of its sources changes. A file that is missing there is one
// whose change is not tested; a pattern that reaches into node_modules makes each step list 50,000 files.
func TestEachStepOfTheCheckKnowsItsSources(t *testing.T) {
	t.Parallel()
	tasks, steps := readTaskfile(t)
	out, err := exec.Command("git", "-C", "../..", "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	files := strings.Split(strings.Trim(string(out), "\x00"), "\x00")
	for _, step := range steps {
		task := tasks[step]
		if len(task.Sources) == 0 && step != "fresh" { // whose parts have them
			t.Errorf("%s has no sources: it is run though nothing has changed", step)
		}
		for _, s := range task.Sources {
			if p := s.pattern + s.exclude; strings.HasPrefix(p, "**") || strings.HasPrefix(p, "api/**") ||
				strings.Count(p, "**") > 1 || strings.HasSuffix(p, "**") {
				t.Errorf("%s: %s lists node_modules", step, p)
			}
		}
		if machine := task.isSource(".task/machine"); machine != slices.Contains(task.Deps, "machine") {
			t.Errorf("%s: .task/machine is a source: %v; it is written before: %v", step, machine, !machine)
		}
		whole := slices.Contains(wholeSteps, step)
		if !whole && !slices.Contains(serverSteps, step) {
			continue
		}
		for _, name := range files {
			folder, _, below := strings.Cut(name, "/")
			server := below && slices.Contains([]string{"api", "cmd", "db", "sql"}, folder) || name == "go.mod"
			if (whole || server) && !strings.HasPrefix(path.Base(name), ".npmrc") && name != "LICENSE" &&
				name != ".gitignore" && !task.isSource(name) {
				t.Errorf("%s: %s is not among its sources", step, name)
			}
		}
	}
}
