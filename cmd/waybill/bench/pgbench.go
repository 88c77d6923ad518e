package bench

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
	"waybill/db/localpg"
)

// pgbench sends the statements one by one, using the installed program with the server's connection
// settings.
type pgbench struct {
	program string
	folder  string // the folder of the scripts
	env     []string
	values  map[string]string // variables of the project's statements, which take arrays
	scalars map[string]string // variables of the scalar statements
}

// newPgbench looks for the program; it returns nil if there is none.
func (e *Env) newPgbench(databaseURL string) (*pgbench, error) {
	program, err := localpg.FindProgram("pgbench")
	if err != nil {
		fmt.Fprintln(os.Stderr,
			"waybill: pgbench was not found next to PostgreSQL's programs or in PATH: one by one and "+
				"the ratio are skipped")
		return nil, nil
	}
	c, err := pgconn.ParseConfig(databaseURL)
	if err != nil {
		return nil, errors.New("the database URL is not a PostgreSQL connection string")
	}
	mode := "disable"
	switch {
	case c.TLSConfig != nil && slices.ContainsFunc(c.Fallbacks,
		func(f *pgconn.FallbackConfig) bool { return f.TLSConfig == nil }):
		mode = "prefer"
	case c.TLSConfig != nil:
		mode = "require"
	}
	own := db.SessionSettings(db.Config{})
	// pgbench stops at the first error; of 256 clients on one row, some wait longer than the server's
	// timeouts.
	own["statement_timeout"], own["lock_timeout"] = "0", "0"
	var settings []string
	for name, value := range own {
		settings = append(settings, "-c "+name+"="+strings.ReplaceAll(value, " ", `\ `))
	}
	p := &pgbench{program: program, env: append(os.Environ(),
		"PGHOST="+c.Host, "PGPORT="+strconv.Itoa(int(c.Port)), "PGUSER="+c.User,
		"PGPASSWORD="+c.Password, "PGDATABASE="+c.Database,
		"PGSSLMODE="+mode, "PGAPPNAME=pgbench", "PGOPTIONS="+strings.Join(settings, " "))}
	if p.folder, err = os.MkdirTemp("", "waybill-bench-"); err != nil {
		return nil, err
	}
	e.stops = append(e.stops, func() error { return os.RemoveAll(p.folder) })
	return p, nil
}

// setVariables sets the scripts' variables to the fixture's rows.
func (p *pgbench) setVariables(tenantID uuid.UUID, w *fixture) {
	one := func(value string) string { return "{" + value + "}" }
	p.values = map[string]string{
		"tenants": one(tenantID.String()), "none": one(uuid.Nil.String()), "facilities": one(w.facility),
		"prices": one(strconv.Itoa(priceCents)), "pickup_addresses": one(`"` + pickupAddress + `"`),
		"dropoff_addresses": one(`"` + dropoffAddress + `"`),
		"digests":           one(`"\\x` + hex.EncodeToString(make([]byte, 32)) + `"`), // as long as in real requests
		"accounts_made":     string(w.accounts), "drivers_made": string(w.drivers),
		"drafts": strconv.FormatInt(w.read, 10),
	}
	p.scalars = map[string]string{
		"tenant": tenantID.String(), "facility": w.facility, "price": strconv.Itoa(priceCents),
		"pickup_address": pickupAddress, "dropoff_address": dropoffAddress,
		"digest":        `\x` + hex.EncodeToString(make([]byte, 32)),
		"accounts_made": string(w.accounts), "drafts": strconv.FormatInt(w.read, 10),
	}
	for role, id := range w.users {
		p.values[string(role)], p.scalars[string(role)] = one(id), id
	}
}

// pgbenchRun is one run of pgbench.
type pgbenchRun struct {
	work     work
	scalar   bool // the scalar statement, not the project's own
	clients  int
	seconds  float64
	warm     int   // additional seconds before, which do not count
	made     ids   // the prefix of the drafts, or of the new rows
	drafts   int64 // number of drafts
	accounts int64
}

// trial reports whether the run is too short for pgbench, which counts whole seconds, and only tests
// the script.
func (r pgbenchRun) trial() bool { return r.seconds < 1 }

// errDraftsUsedUp means that the run used more rows than were prepared.
var errDraftsUsedUp = errors.New("pgbench has used up the prepared rows")

// run returns the operations per second.
func (p *pgbench) run(ctx context.Context, r pgbenchRun) (perSecond float64, err error) {
	args := []string{"-T", strconv.Itoa(r.warm + int(math.Ceil(r.seconds))), "-P", "1"}
	if r.trial() {
		args, r.warm = []string{"-t", "20"}, 0
	}
	out, err := p.start(ctx, r, ";", args...)
	if err != nil {
		return 0, err
	}
	return pgbenchRate(out, float64(r.warm))
}

// try runs the script once, and fails unless each of its statements returns one row: failing statements
// would be fast and go unnoticed.
func (p *pgbench) try(ctx context.Context, r pgbenchRun) error {
	_, err := p.start(ctx, r, "\n\\gset", "-t", "1")
	return err
}

// script returns the text of the run's script and the values of its variables.
func (p *pgbench) script(r pgbenchRun, end string) (text string, values map[string]string, err error) {
	if r.scalar {
		values = maps.Clone(p.scalars)
		text, err = scalarScript(r.work.script, end)
	} else {
		values = maps.Clone(p.values)
		text, err = script(r.work.script, end)
	}
	maps.Copy(values, map[string]string{
		"k": "-1", "clients": strconv.Itoa(r.clients), "made": string(r.made),
		"accounts": strconv.FormatInt(r.accounts, 10),
		"share":    strconv.FormatInt(r.drafts/int64(r.clients), 10),
	})
	return text, values, err
}

func (p *pgbench) start(ctx context.Context, r pgbenchRun, end string, args ...string) (string, error) {
	text, values, err := p.script(r, end)
	if err != nil {
		return "", err
	}
	file := filepath.Join(p.folder, r.work.script+".sql")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", err
	}
	args = append(args, "-n", "-M", "prepared", "-c", strconv.Itoa(r.clients),
		"-j", strconv.Itoa(min(2, r.clients)), "-f", file)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		args = append(args, "-D", name+"="+values[name])
	}
	cmd := exec.CommandContext(ctx, p.program, args...)
	cmd.Env = p.env
	cmd.WaitDelay = time.Second
	guard(cmd)
	runtime.LockOSThread() // Linux would signal pgbench at the end of this thread
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case bytes.Contains(out, []byte("division by zero")):
		return "", errDraftsUsedUp
	case err != nil:
		return "", fmt.Errorf("pgbench for %s with %d clients: %w: %s", r.work.name, r.clients, err, out)
	}
	return string(out), nil
}
