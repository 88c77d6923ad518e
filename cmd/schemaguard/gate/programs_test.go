package gate_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	vanColor = "-- +goose Up\nSET LOCAL lock_timeout = '1s';\nALTER TABLE vans ADD COLUMN color text;\n" +
		"-- +goose Down\nALTER TABLE vans DROP COLUMN color;\n"
	dropNote = "-- +goose Up\nSET LOCAL lock_timeout = '1s';\nALTER TABLE vans DROP COLUMN note;\n-- +goose Down\n" +
		"ALTER TABLE vans ADD COLUMN note text;\n"
	// What decides is in a function, of which the catalog says nothing.
	decideOtherwise = "-- +goose Up\nCREATE OR REPLACE FUNCTION first_of(a text, b text) RETURNS text " +
		"LANGUAGE sql SET search_path = pg_catalog AS 'SELECT $2';\n-- +goose Down\nCREATE OR REPLACE FUNCTION " +
		"first_of(a text, b text) RETURNS text LANGUAGE sql SET search_path = pg_catalog AS 'SELECT $1';\n"
)

// answered has the base's callers answered so: a line for the time before the migrations, and one for each of them.
func (p project) answered(lines ...string) {
	p.write("answers.txt", strings.Join(lines, "\n")+"\n")
	p.land()
}

// land commits what is there, so that the base has it.
func (p project) land() {
	p.commit()
	p.commitEmpty()
}

func needsPsql(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("psql"); err != nil && os.Getenv("CI") == "" {
		t.Skip("psql is not installed")
	}
}

// A column that no statement reads, but the program of the base does.
func TestServersOfTheBaseAreCalledWhileMigrationsAreApplied(t *testing.T) {
	t.Parallel()
	needsPsql(t)
	p := newProject(t, "fleet")
	p.write("migrations/2_color.sql", vanColor)
	p.refuses()
	has(t, p.text(), "old-server-answers (note)",
		"under 2 callers of the base's servers: 7 of 200; the longest took 3 ms")
	p.write("migrations/2_color.sql", dropNote)
	p.refuses("old-server-fails")
	has(t, p.text(), "1 of 200, 6 of 500: 6 x 500 internal GET /vans")
	p.write("migrations/2_color.sql", strings.Replace(dropNote, "SET", "-- gate:allow old-server-fails until "+
		"2027-06-30: the program that reads it, note.cgi, was taken off all servers on Monday\nSET", 1))
	p.refuses()
}

func TestAServerThatIsBusyIsTriedAgain(t *testing.T) {
	t.Parallel()
	const good, busy, bad = `{"answers":{"200":7}}`, `{"answers":{"200":7,"503":1}}`, `{"answers":{"200":7,"0":1}}`
	for _, c := range []struct {
		before, during, what string
		rules                []string
	}{
		{good, busy, "7 of 200, 1 of 503", []string{"old-server-fails"}},
		{busy, busy, "they answered 503 before it, too (1 times): the machine is busy", nil},
		{busy, bad, "1 of 0, 7 of 200", []string{"old-server-fails"}},
	} {
		p := newProject(t, "fleet")
		p.answered(c.before, c.during)
		p.write("migrations/2_color.sql", vanColor)
		p.refuses(c.rules...)
		has(t, p.text(), c.what)
	}
	p := newProject(t, "fleet")
	p.answered(bad, good)
	p.write("migrations/2_color.sql", vanColor)
	if _, err := p.check(); err == nil || !strings.Contains(err.Error(), "fail before anything is migrated") {
		t.Errorf("got %v", err)
	}
}

func TestRaceTestsOfTheBaseAreReplayed(t *testing.T) {
	t.Parallel()
	p := newProject(t, "fleet")
	p.answered(`{"answers":{"200":7}}`, `{"answers":{"200":7}}`)
	p.write("migrations/2_function.sql", decideOtherwise)
	p.write("race.sh", "exit 0\n") // the head's is not asked
	p.refuses("old-race-fails")
	has(t, p.text(), "the second van has the plate")
}

// They take the longest, so that they run beside what measures no time.
func TestTestsOfTheBaseHaveEndedBeforeAnythingIsMeasured(t *testing.T) {
	t.Parallel()
	p := newProject(t, "fleet")
	p.write("race.sh", "sleep 3\n")
	p.answered(`{"answers":{"200":7}}`, `{"answers":{"200":7}}`)
	p.write("migrations/2_color.sql", vanColor)
	text := p.text()
	shape, races, rows := strings.Index(text, "shape"), strings.Index(text, "its race tests"),
		strings.Index(text, ", rows ")
	if shape < 0 || races < shape || rows < races {
		t.Errorf("parts are told as they end, and are not shape, race tests and rows:\n%s", text)
	}
}

// The test is a program that a shell has started, and ends with it.
func TestTestsOfTheBaseAreGivenUpWhereTheChangeIsRefused(t *testing.T) {
	t.Parallel()
	p := newProject(t, "fleet")
	p.write("race.sh", "sleep 600; echo never\n")
	p.answered(`{"answers":{"200":7}}`)
	p.write("migrations/2_color.sql", strings.Replace(vanColor, "color text", "color text NOT NULL", 1))
	began := time.Now()
	has(t, p.text(), "the base's race tests: the change is refused already")
	if took := time.Since(began); took > 5*time.Minute {
		t.Errorf("it took %v", took)
	}
}

func TestClientsOfTheBaseAreTriedOnTheNewServer(t *testing.T) {
	t.Parallel()
	p := newProject(t, "fleet")
	has(t, p.text(), "not tried: the base's servers and race tests: no migration is new",
		"not tried: the base's clients: the API's document is the base's")
	p.write("server.txt", "plate color\n")
	p.write("client/harness", "plate color\n")
	p.write("api.yaml", "openapi: 3.1.0\ninfo: {}\n")
	p.refuses()
	p.write("server.txt", "color\n")
	p.write("client/harness", "color\n")
	p.write("client/test.sh", "exit 0\n") // the head's client is not asked
	p.refuses("old-client-fails")
	has(t, p.text(), "the client of the base in client fails", "no plate")
	has(t, p.text("--quick"), "not tried: the base's clients: --quick")
}

func TestWhatIsNotTriedIsTold(t *testing.T) {
	t.Parallel()
	p := newProject(t, "fleet")
	p.write("migrations/2_color.sql", vanColor)
	has(t, p.text("--quick"), "callers of the base's servers: --quick", "the base's race tests: --quick")
	p.write("migrations/2_color.sql", strings.Replace(vanColor, "color text", "color text NOT NULL", 1))
	has(t, p.text(), "callers of the base's servers: the change is refused already")
	settings := filepath.Join(p.root, "schemaguard.yaml")
	full, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	p.write("schemaguard.yaml", "migrations: migrations\nqueries: queries\nformer: 1\n")
	if err := os.Rename(filepath.Join(p.root, "migrations/2_color.sql"), filepath.Join(p.root, "2")); err != nil {
		t.Fatal(err)
	}
	p.land()
	p.write("schemaguard.yaml", string(full))
	p.write("migrations/2_color.sql", vanColor)
	has(t, p.text(), "callers of the base's servers: the base's settings do not say how")
}

func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not said:\n%s", part, text)
		}
	}
}
