package load

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/programs"
	"waybill/cmd/schemaguard/server"
)

var (
	// ServerFails is the rule that servers of the base answer their callers while a migration is applied and after.
	ServerFails = finding.Rule{
		Name: "old-server-fails",
		Load: "these are the answers of the servers that run during the deployment: each such one is an error for a " +
			"person who waits for it",
		Safe: "expand and contract; for answers 503, which a server gives that is busy: shorter locks, each in a " +
			"migration of its own",
	}
	// Answers tells what callers of the base's servers were answered.
	Answers = finding.Rule{Name: "old-server-answers"}
)

// busyAttempts is how often answers 503 may come before they are refused: another process may have had the
// processor.
const busyAttempts = 3

// CheckServers applies the change's migrations one by one to databases of the base, while servers of the base are
// called, and judges their answers.
func CheckServers(ctx context.Context, c *change.Change, s *programs.Source, o Options,
	database func() (*server.Database, error)) (found []finding.Finding, err error) {
	for range busyAttempts {
		busy := false
		if found, busy, err = serve(ctx, c, s, o, database); err != nil || !busy {
			return found, err
		}
	}
	return found, nil
}

// serve tries the migrations once. busy reports whether no answer was worse than 503.
func serve(ctx context.Context, c *change.Change, s *programs.Source, o Options,
	database func() (*server.Database, error)) (found []finding.Finding, busy bool, err error) {
	d, err := database()
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, d.Drop(ctx)) }()
	application, owner := d.URLs()
	calls, err := s.Call(ctx, programs.Environment{Application: application, Owner: owner, Callers: o.Callers})
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, calls.Stop()) }()
	before, err := calls.Lap(ctx)
	if err != nil {
		return nil, false, err
	}
	failed, wasBusy := before.ServerErrors()
	if failed > 0 {
		return nil, false, fmt.Errorf("servers of the base fail before anything is migrated: %s", before)
	}
	applied, failures := slices.Clone(c.Old), 0
	for _, m := range c.New {
		applied = append(applied, m)
		f, failed, err := under(ctx, calls, d, m, applied, o)
		if err != nil {
			return nil, false, err
		}
		if wasBusy > 0 && failed == 0 && f.Rule == ServerFails.Name {
			f.Message += fmt.Sprintf("; they answered 503 before it, too (%d times): the machine is busy", wasBusy)
			f = f.Told()
		}
		if found, failures = append(found, f), failures+failed; f.Rule == Fails.Name {
			break
		}
	}
	return found, failures == 0 && finding.Refused(found), nil
}

// under applies a migration, and judges what callers were answered meanwhile and after it.
func under(ctx context.Context, calls *programs.Callers, d *server.Database, m *migration.Migration,
	applied []*migration.Migration, o Options) (f finding.Finding, failed int, err error) {
	refused := patiently(ctx, d, applied)
	var failure *server.Failure
	if errors.As(refused, &failure) && failure.Err != nil && failure.Err.Code != lockNotAvailable {
		return Fails.At(m.Path, first(m.Up), m.Path, "among callers: "+failure.Error()), 1, nil
	}
	if refused != nil && !refusedBy(refused, lockNotAvailable) {
		return f, 0, refused
	}
	a, err := calls.Lap(ctx)
	if err != nil {
		return f, 0, err
	}
	message := fmt.Sprintf("under %d callers of the base's servers: %s; the longest took %d ms", o.Callers, a,
		a.Longest)
	if refused != nil {
		message += fmt.Sprintf("; its lock was not granted in %d attempts", maxLockAttempts)
	}
	failed, busy := a.ServerErrors()
	if failed+busy > 0 {
		return ServerFails.At(m.Path, first(m.Up), m.Path, message), failed, nil
	}
	return Answers.At(m.Path, first(m.Up), m.Path, message).Told(), 0, nil
}
