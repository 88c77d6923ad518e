// Package scale fills an empty database with millions of pickups and the rows that belong to them:
// patients, appointments, events, texts, ledger entries, reads. The database generates all of it, so that
// ten million take minutes. The distribution is the same at any size, so that the cost of an operation can
// be compared between sizes:
//
//   - A tenant of 2,000 facilities has 70 % of all, another 20 %, and fifty small ones the rest.
//   - The busiest facility has 8 % of its tenant's pickups, the small clinic some 200 at any size,
//     spread over all the time there is, and the new clinic none.
//   - Four of five pickups are delivered, the others canceled; the newest 2,000 are open, in all
//     statuses, and so are the small clinic's last eight.
//   - A fifth of the pickups have their events, texts and entries, the small clinic's among them.
package scale

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

//go:embed sql/*.sql
var statements embed.FS

func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// ErrNotEmpty reports that the database already has tenants.
var ErrNotEmpty = errors.New("the database has tenants: it must be a migrated one without any")

// Smallest is the least number of pickups with which every part of the data has rows.
const Smallest = 200

// Facilities is the default number of facilities of the large tenant, and FewestFacilities the least.
const (
	Facilities       = 2000
	FewestFacilities = 50
)

// Size is how much to load.
type Size struct {
	Pickups    int // of all tenants, at least Smallest; as many patients, half as many appointments and reads
	Facilities int // of the large tenant, at least FewestFacilities; 0: Facilities

	// Parts are the files of the folder sql that make the rows, where the schema is another than that of this
	// program; nil: its own.
	Parts fs.FS
}

// part returns the statements that make one part of the rows.
func (s Size) part(name string) (string, error) {
	if s.Parts == nil {
		return statement(name), nil
	}
	text, err := fs.ReadFile(s.Parts, name+".sql")
	if errors.Is(err, fs.ErrNotExist) { // an older schema has not the tables of a newer part
		return "", nil
	}
	return string(text), err
}

// Role is the purpose of a user of [Dataset].
type Role int

// The users of the large tenant, in the order of their ids.
const (
	Admin Role = iota
	Dispatcher
	Hub
	Driver      // has a pickup in each status in which a driver has one
	StaffOfOne  // of the small clinic
	StaffOfNew  // of the clinic without any pickup or patient
	StaffOfAll  // of all facilities
	StaffOfSome // of forty, the busiest among them
)

// PasswordHash is that of every user, and matches no password: sessions are opened without one.
const PasswordHash = "none"

// Dataset is the large tenant, and rows of it to read.
type Dataset struct {
	TenantID uuid.UUID // also of its webhook endpoint
	Slug     string
	Users    []uuid.UUID // by Role

	SmallClinic, NewClinic, BusiestClinic    uuid.UUID
	SmallAccount, UnusedAccount, BusyAccount uuid.UUID   // those of the clinics
	GroupOfAll, GroupOfOne                   uuid.UUID   // with all facilities; with the small clinic
	DriverID                                 uuid.UUID   // that of the user Driver
	PatientID                                uuid.UUID   // of the small clinic, read 500 times, with 100 consents
	Pickups                                  []uuid.UUID // the small clinic's, the oldest first, the last eight open
}

// Load fills the database of conn, which must be a connection of the tables' owner, and updates the
// planner's statistics. It calls said with each part before it begins, unless said is nil.
//
// It returns [ErrNotEmpty] if there are tenants. After another error, the database is unchanged.
func Load(ctx context.Context, conn *pgx.Conn, size Size, said func(part string)) (*Dataset, error) {
	if size.Facilities == 0 {
		size.Facilities = Facilities
	}
	if size.Pickups < Smallest || size.Facilities < FewestFacilities {
		return nil, fmt.Errorf("cannot load fewer than %d pickups or %d facilities", Smallest, FewestFacilities)
	}
	if said == nil {
		said = func(string) {}
	}
	if err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return fill(ctx, tx, size, said) }); err != nil {
		return nil, err
	}
	said("vacuum")
	if err := vacuum(ctx, conn); err != nil {
		return nil, err
	}
	return Look(ctx, conn)
}

// vacuum fills the visibility map, as autovacuum would after a while: without it an index-only scan visits
// the table for each row. It makes several attempts.
func vacuum(ctx context.Context, conn *pgx.Conn) error {
	again := statement("vacuum")
	for range 10 {
		if _, err := conn.Exec(ctx, again); err != nil {
			return err
		}
		if err := conn.QueryRow(ctx, statement("visible")).Scan(&again); err != nil || again == "" {
			return err
		}
	}
	return nil
}

// fill runs in one transaction: with wal_level minimal, most of it is not written to the WAL.
func fill(ctx context.Context, tx pgx.Tx, size Size, said func(string)) error {
	var tenants int
	if err := tx.QueryRow(ctx, statement("tenants")).Scan(&tenants); err != nil {
		return err
	}
	if tenants > 0 {
		return ErrNotEmpty
	}
	if _, err := tx.Exec(ctx, statement("settings"), size.Pickups, size.Facilities); err != nil {
		return err
	}
	for _, part := range []string{
		"prepare", "drop", "roots", "patients", "appointments", "pickups", "events", "entries", "restore",
		"webhooks", "jobs",
	} {
		said(part)
		text, err := size.part(part)
		if err == nil {
			_, err = tx.Exec(ctx, text)
		}
		if err != nil {
			return fmt.Errorf("loading %s: %w", part, err)
		}
	}
	return nil
}

// Look returns the data set of a database that was loaded before.
func Look(ctx context.Context, conn *pgx.Conn) (*Dataset, error) {
	w := Dataset{}
	var facilities, accounts, groups []uuid.UUID
	if err := conn.QueryRow(ctx, statement("dataset")).Scan(
		&w.TenantID, &w.Slug, &w.Users, &facilities, &accounts, &groups, &w.DriverID, &w.PatientID, &w.Pickups,
	); err != nil {
		return nil, err
	}
	w.SmallClinic, w.NewClinic, w.BusiestClinic = facilities[0], facilities[1], facilities[2]
	w.SmallAccount, w.UnusedAccount, w.BusyAccount = accounts[0], accounts[1], accounts[2]
	w.GroupOfAll, w.GroupOfOne = groups[0], groups[1]
	return &w, nil
}
