package localpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// initdb creates the data folder if there is none, from an archive in the cache folder if there is one.
// It works under a temporary name, so that a data folder is complete or absent, whenever the process
// dies.
func (f *folder) initdb(ctx context.Context, p programs, as *account, cache string) error {
	if f.major() != 0 {
		return nil
	}
	fresh := f.file("data.new")
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := makeData(ctx, p, as, fresh, cache); err != nil {
		return err
	}
	if err := include(filepath.Join(fresh, "postgresql.conf")); err != nil {
		return err
	}
	return os.Rename(fresh, f.data())
}

func makeData(ctx context.Context, p programs, as *account, dir, cache string) error {
	if cache == "" {
		return anyInitdb(ctx, p, as, dir)
	}
	ready := blankOf(p, cache)
	if ready.unpack(dir, as) == nil {
		return nil
	}
	if err := anyInitdb(ctx, p, as, dir); err != nil {
		return err
	}
	_ = ready.pack(dir)
	return nil
}

// anyInitdb creates the folder with the first available locale. Not every system has C.UTF-8. C differs
// in upper and lower beyond ASCII.
func anyInitdb(ctx context.Context, p programs, as *account, dir string) (err error) {
	for _, locale := range []string{"C.UTF-8", "C"} {
		if err = os.RemoveAll(dir); err != nil {
			return err
		}
		if err = runInitdb(ctx, p, as, dir, locale); err == nil {
			return nil
		}
	}
	return err
}

var initdbOptions = []string{"--username=" + Superuser, "--encoding=UTF8",
	"--auth=trust", "--no-sync", "--no-instructions"}

func runInitdb(ctx context.Context, p programs, as *account, dir, locale string) error {
	cmd := exec.CommandContext(ctx, p.path("initdb"),
		slices.Concat(initdbOptions, []string{"--locale=" + locale, "--pgdata=" + dir})...)
	cmd.Dir, cmd.Env = filepath.Dir(dir), environment()
	as.runs(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// environment returns this process's environment without variables that change PostgreSQL's behaviour.
func environment() []string {
	env := []string{"LC_ALL=C"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PG") && !strings.HasPrefix(e, "LC_") && !strings.HasPrefix(e, "LANG") {
			env = append(env, e)
		}
	}
	return env
}
