package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"waybill/db/localpg"
)

// disk is a small file system with the database's tables. The log of transactions (WAL) is elsewhere.
type disk struct{ dir string }

// diskSize is enough for a short load.
const diskSize = "192m"

// openDisk moves the database to a small disk. It returns errSkipped if this process may not mount one.
func (s *stage) openDisk(ctx context.Context) error {
	if !s.full {
		return nil
	}
	dir, err := os.MkdirTemp("/tmp", "waybill-disk-*")
	if err != nil {
		return err
	}
	s.closing(func() error { return os.RemoveAll(dir) })
	mount := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "mode=1777,size="+diskSize, "none", dir)
	if out, err := mount.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: this process may not mount a small disk (%w: %.100s)", errSkipped, err, out)
	}
	s.disk = &disk{dir}
	s.closing(func() error { return exec.Command("umount", "-l", dir).Run() })
	if err := os.Chmod(dir, 0o755); err != nil { // so that the server's user can get at it
		return err
	}
	return s.moveDatabase(ctx)
}

func (s *stage) moveDatabase(ctx context.Context) error {
	tables := filepath.Join(s.disk.dir, "tables")
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

// fillDisk leaves no room for a while.
func fillDisk(ctx context.Context, s *stage) error {
	filler := filepath.Join(s.disk.dir, "filler")
	file, err := os.Create(filler)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<16)
	for err == nil { // until the disk is full
		_, err = file.Write(block)
	}
	for err = nil; err == nil; {
		_, err = file.Write(block[:512])
	}
	file.Close()
	s.pause(ctx, time.Second, 2*time.Second)
	return os.Remove(filler)
}
