package db

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	files "waybill/sql"
)

// migrationFile is a migration, with what its header says to "waybill migrate".
type migrationFile struct {
	version  int64
	name     string
	text     string
	checksum []byte // SHA-256
	inTx     bool   // the whole file is one transaction
	// What the lines "-- +waybill KEY: VALUE" say; zero where there is none.
	lockTimeout      time.Duration
	statementTimeout time.Duration
	compatibleFrom   *int64
	backfills        []backfillOf // that begin when it is applied
	requires         []string     // backfills that must be done before it is applied
}

// backfillOf is a backfill that a migration declares.
type backfillOf struct{ name, table string }

// readMigrationFiles reads the migrations in the order of their numbers.
func readMigrationFiles(folder fs.FS) (all []migrationFile, err error) {
	names, err := fs.Glob(folder, "*.sql") // sorted
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		f, err := newMigrationFile(name, string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, f)
	}
	return all, nil
}

var (
	header        = regexp.MustCompile(`(?m)^--[ \t]*\+waybill\b[ \t]*(.*)$`)
	noTransaction = regexp.MustCompile(`(?mi)^--[ \t]*\+goose[ \t]+NO[ \t]+TRANSACTION\b`)
	downMark      = regexp.MustCompile(`(?mi)^--[ \t]*\+goose[ \t]+Down\b`)
)

func newMigrationFile(name, text string) (f migrationFile, err error) {
	sum := sha256.Sum256([]byte(text))
	f = migrationFile{name: name, text: text, checksum: sum[:], inTx: !noTransaction.MatchString(text)}
	if f.version, err = goose.NumericComponent(name); err != nil {
		return f, err
	}
	for _, line := range header.FindAllStringSubmatch(text, -1) {
		key, value, _ := strings.Cut(strings.TrimSpace(line[1]), ":")
		if err := f.set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return f, err
		}
	}
	return f, nil
}

// set takes a line of the header. Unknown keys are an error: a misspelled limit would not hold.
func (f *migrationFile) set(key, value string) (err error) {
	switch key {
	case "lock_timeout":
		f.lockTimeout, err = time.ParseDuration(value)
	case "statement_timeout":
		f.statementTimeout, err = time.ParseDuration(value)
	case "compatible_from":
		var from int64
		if from, err = strconv.ParseInt(value, 10, 64); err == nil && (from < 1 || from > f.version) {
			err = fmt.Errorf("no program of version %d is older than this migration", from)
		}
		f.compatibleFrom = &from
	case "backfill":
		name, table, ok := strings.Cut(value, " of ")
		if f.backfills = append(f.backfills, backfillOf{name, table}); !ok {
			err = errors.New("want NAME of TABLE")
		}
	case "requires_backfill":
		f.requires = append(f.requires, value)
	default:
		return fmt.Errorf("-- +waybill %s: is none of lock_timeout, statement_timeout, compatible_from, backfill, "+
			"requires_backfill", key)
	}
	if err != nil {
		return fmt.Errorf("-- +waybill %s: %w", key, err)
	}
	return nil
}

// down returns the part of the file that reverts it, without comments.
func (f *migrationFile) down() string {
	if mark := downMark.FindStringIndex(f.text); mark != nil {
		return withoutComments(f.text[mark[1]:])
	}
	return ""
}

// makesIndex reports whether the file creates the index without a lock.
func (f *migrationFile) makesIndex(name string) bool {
	return regexp.MustCompile(`(?i)\bINDEX\s+CONCURRENTLY\s+(IF\s+NOT\s+EXISTS\s+)?"?` + regexp.QuoteMeta(name) +
		`"?[\s(]+ON\b`).MatchString(withoutComments(f.text))
}

// NewestMigration returns the schema version that this program needs.
func NewestMigration() int64 {
	all := ownMigrations()
	return all[len(all)-1].version
}

// ownMigrations returns those of this program.
func ownMigrations() []migrationFile {
	folder, err := fs.Sub(files.Migrations, "migrations")
	if err != nil {
		panic(err)
	}
	all, err := readMigrationFiles(folder)
	if err != nil || len(all) == 0 {
		panic(fmt.Sprintf("the program's migrations: %v", err)) // embedded, and read by a test
	}
	return all
}
