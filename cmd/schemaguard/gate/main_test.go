package gate_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"waybill/cmd/schemaguard/server"
	"waybill/cmd/schemaguard/settings"
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

func TestMain(m *testing.M) {
	code := m.Run()
	if started.server != nil {
		if err := started.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}
