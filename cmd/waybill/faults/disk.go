package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"waybill/db/localpg"
)

// diskSize is enough for the server and a short load.
const diskSize = "448m"

// openDisk mounts a small file system. It returns errSkipped if this process may not do so.
func (s *stage) openDisk(ctx context.Context) error {
	if !s.smallTables && !s.smallServer {
		return nil
	}
	dir, err := os.MkdirTemp("/tmp", "waybill-disk-*")
	if err != nil {
		return err
	}
	s.closing(func() error { return os.RemoveAll(dir) })
	mount := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "mode=0755,size="+diskSize, "none", dir)
	if out, err := mount.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: this process may not mount a small disk (%w: %.100s)", errSkipped, err, out)
	}
	s.disk = dir
	s.closing(func() error { return exec.Command("umount", "-l", dir).Run() })
	return os.Chmod(dir, 0o755) // the server's user must be able to enter it
}

// moveTables moves the database, but not the log of its transactions, to the small disk.
func (s *stage) moveTables(ctx context.Context) error {
	if !s.smallTables {
		return nil
	}
	tables := filepath.Join(s.disk, "tables")
	if err := os.Mkdir(tables, 0o700); err != nil {
		return err
	}
	owner, err := os.Stat(filepath.Join(s.primary.Dir(), "data"))
	if err != nil {
		return err
	}
	if err := own(tables, owner); err != nil {
		return err
	}
	if err := s.ask(ctx, "CREATE TABLESPACE small LOCATION '"+tables+"'"); err != nil {
		return err
	}
	return s.askIn(ctx, "postgres", "ALTER DATABASE "+localpg.Database+" SET TABLESPACE small")
}

// fillDisk leaves no room for rows for a while.
func fillDisk(ctx context.Context, s *stage) error {
	free, err := s.fillUp()
	if err != nil {
		return err
	}
	s.pause(ctx, time.Second, 2*time.Second)
	return free()
}

// fillServerDisk leaves no room for the log of transactions either: the server goes down, and does not come back
// before there is.
func fillServerDisk(ctx context.Context, s *stage) error {
	free, err := s.fillUp()
	if err != nil {
		return err
	}
	for range 50 { // the files of the log that exist are used up first
		if err = s.ask(ctx, "SELECT pg_switch_wal()"); err != nil {
			break
		}
	}
	if err == nil {
		return errors.Join(errors.New("the server goes on, without room for its log"), free())
	}
	s.pause(ctx, time.Second, 2*time.Second)
	if err := free(); err != nil {
		return err
	}
	return s.primary.Restart(ctx)
}

// fillUp fills the disk, and returns what frees it.
func (s *stage) fillUp() (free func() error, err error) {
	filler := filepath.Join(s.disk, "filler")
	file, err := os.Create(filler)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for size := 1 << 16; size >= 1; size >>= 8 {
		block := make([]byte, size)
		for err == nil { // until there is no room for it
			_, err = file.Write(block)
		}
		err = nil
	}
	return func() error { return os.Remove(filler) }, nil
}
