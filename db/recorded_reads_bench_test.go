package db_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// BenchmarkRecordedReads measures the server's processor time for a read of patients, and for its record alone: what
// the primary would be left with if a replica served the rows.
//
//	go test ./db -run '^$' -bench RecordedReads -benchtime 2000x
func BenchmarkRecordedReads(b *testing.B) {
	ctx := context.Background()
	d := openSettled(b)
	w := d.fixture(ctx)
	var patients, pickups []uuid.UUID
	for range 50 {
		id := w.patient(ctx)
		patients = append(patients, id)
		pickups = append(pickups, w.pickup(ctx, func(draft *db.Draft) { draft.PatientID = &id }))
	}
	vacuum(ctx, w.owner, "pickups", "patients", "patient_facilities")
	conn := must(d.Pool().Acquire(ctx))
	defer conn.Release()
	pid := conn.Conn().PgConn().PID()
	staff := db.StoreOver(conn, func(q db.DBTX) db.DBTX { return q })
	record := func(n int) func() error {
		return func() error {
			return staff.As(w.staff).RecordDryRun(ctx, db.RecordDryRunParams{TenantID: w.tenant,
				ViewerID: w.staff.UserID, PatientIds: patients[:n], Operations: fill(n, "get-pickup")})
		}
	}
	future := time.Now().AddDate(1, 0, 0)
	for _, c := range []struct {
		name string
		read func() error
	}{
		{"a pickup", func() error {
			_, err := staff.As(w.staff).GetPickups(ctx, db.GetPickupsParams{TenantIds: fill(1, w.tenant),
				Ids: pickups[:1], ViewerIds: fill(1, w.staff.UserID), ViewerRoles: fill(1, "staff"),
				ViewerDriverIds: fill(1, uuid.Nil), Operations: fill(1, "get-pickup")})
			return err
		}},
		{"a patient", func() error {
			_, err := staff.As(w.staff).GetPatient(ctx, db.GetPatientParams{TenantID: w.tenant, ID: patients[0],
				ViewerID: w.staff.UserID, Operation: "get-patient"})
			return err
		}},
		{"their record", record(1)},
		{"50 pickups", func() error {
			_, err := staff.As(w.staff).ListPickups(ctx, db.ListPickupsParams{TenantID: w.tenant, MaxRows: 50,
				ViewerID: w.staff.UserID, ViewerRole: "staff", CreatedTo: future, BeforeCreatedAt: future})
			return err
		}},
		{"50 patients", func() error {
			_, err := staff.As(w.staff).ListPatients(ctx, db.ListPatientsParams{TenantID: w.tenant, MaxRows: 50,
				ViewerID: w.staff.UserID})
			return err
		}},
		{"their 50 records", record(50)},
	} {
		b.Run(c.name, func(b *testing.B) { measureServer(b, pid, c.read) })
	}
}

// measureServer reports what a read takes of the processor of the database's process.
func measureServer(b *testing.B, pid uint32, read func() error) {
	begun := processorTime(b, pid)
	for b.Loop() {
		if err := read(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processorTime(b, pid)-begun).Microseconds())/float64(b.N), "server-µs/op")
}

// processorTime returns what a process has used of a processor. It skips the benchmark where the system does not tell.
func processorTime(b *testing.B, pid uint32) (used time.Duration) {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		b.Skip(err)
	}
	nanoseconds, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(nanoseconds)
}
