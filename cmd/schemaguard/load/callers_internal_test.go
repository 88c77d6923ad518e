package load

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/query"
)

// A caller that waited too long for a lock may have done so because the machine is busy: it is tried again. One that
// failed otherwise is not.
func TestACallersTimeoutIsTriedAgain(t *testing.T) {
	t.Parallel()
	for code, slow := range map[string]bool{lockNotAvailable: true, "42703": false} {
		c := &callers{normal: map[string]string{}, failed: map[string]failure{}}
		c.answered(query.Query{Name: "GetDog"}, errors.Join(&pgconn.PgError{Code: code}), 0)
		tried := &trial{}
		tried.judgeCallers(&migration.Migration{Path: "1_a.sql"}, c)
		if len(tried.found) < 1 || tried.found[0].Rule != CallerFails.Name || IsTooSlow(tried.found[0]) != slow {
			t.Errorf("%s: %+v", code, tried.found)
		}
	}
}
