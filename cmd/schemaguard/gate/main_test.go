package gate_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/schemaguard/gate"
	"waybill/cmd/schemaguard/load"
	"waybill/cmd/schemaguard/server"
	"waybill/cmd/schemaguard/settings"
	"waybill/db/scale"
)

var started struct {
	once   sync.Once
	server *server.Server
	err    error
}

// shared returns the server of the tests' databases, started by the first that asks for it.
func shared(t *testing.T) *server.Server {
	t.Helper()
	started.once.Do(func() {
		s, err := settings.Read("../waybill.yaml")
		if err == nil {
			started.server, err = server.Start(context.Background(), s)
		}
		started.err = err
	})
	if started.err != nil {
		t.Fatal(started.err)
	}
	return started.server
}

// measured tries migrations on few rows, and judges no time: the machine may be busy.
var measured = gate.Measure{
	Rows: scale.Smallest,
	Fill: func(ctx context.Context, conn *pgx.Conn, statements fs.FS, rows int) error {
		_, err := scale.Load(ctx, conn, scale.Size{Pickups: rows, Facilities: 50, Parts: statements}, nil)
		return err
	},
	Options: load.Options{Callers: 2},
}

func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // with a small heap, collecting took a fifth of the tests' CPU time
	}
	code := m.Run()
	if started.server != nil {
		if err := started.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}
