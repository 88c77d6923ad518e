package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"waybill/db"
	"waybill/db/localpg"
)

// smallDisk mounts a file system of a megabyte that the server can write, and returns its folder.
func smallDisk(t *testing.T, server *localpg.Server) string {
	t.Helper()
	data := must(os.Stat(filepath.Join(server.Dir(), "data"))).Sys().(*syscall.Stat_t)
	dir := must(os.MkdirTemp("/dev/shm", "waybill-disk-*"))
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("only root may mount a small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	must(0, os.Chown(dir, int(data.Uid), int(data.Gid)))
	must(0, os.Chmod(dir, 0o700))
	return dir
}

// A disk that is full refuses writes as such, and the database is ready again soon after it was freed,
// whether or not somebody has written meanwhile.
func TestAFullDiskIsToldAndOverWhenFreed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := startServer(t)
	disk := smallDisk(t, server)
	admin := openPool(t, server.URL(localpg.Superuser, localpg.Database))
	must(admin.Exec(ctx, fmt.Sprintf("CREATE TABLESPACE small LOCATION '%s'", disk)))
	must(admin.Exec(ctx, "ALTER TABLE ledger_entries SET TABLESPACE small"))
	s := openStore(t, db.Config{URL: server.URL(localpg.App, localpg.Database), MaxConns: 4})
	w := worldOn(t, server, s)
	account := w.fundedAccount(ctx, 1_000_000)
	charge := func() error { return w.charging(ctx, account, 1)(s) }

	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	var err error
	for n := 0; err == nil; n++ { // until the last page is full too
		if err = charge(); n > 2000 {
			t.Fatal("a full disk takes everything")
		}
	}
	if code(err) != db.StorageFull {
		t.Errorf("a charge on a full disk: %v", err)
	}
	before := w.balance(ctx, account)
	if err := s.CheckWritable(ctx); code(err) != db.StorageFull || !errors.Is(err, db.StorageIsFull) {
		t.Errorf("ready on a full disk: %v", err)
	}
	must(0, os.Remove(filler))
	if err := charge(); err != nil {
		t.Errorf("on a freed disk: %v", err)
	}
	if after := w.balance(ctx, account); after != before-1 {
		t.Errorf("the balance went from %d to %d", before, after)
	}
	limited, cancel := context.WithTimeout(ctx, vanishedLimit)
	defer cancel()
	for s.CheckWritable(ctx) != nil {
		select {
		case <-limited.Done():
			t.Fatal("it is not ready again")
		case <-time.After(50 * time.Millisecond):
		}
	}
}
