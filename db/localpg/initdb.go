package localpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// initdb makes the data folder if there is none. It works under another name
// until it is done: a data folder is whole or absent, whenever the process dies.
func (f *folder) initdb(ctx context.Context, p programs, as *account) error {
	if f.major() != 0 {
		return nil
	}
	fresh := f.file("data.new")
	// Not every system has C.UTF-8. C differs in what upper and lower do beyond ASCII.
	var err error
	for _, locale := range []string{"C.UTF-8", "C"} {
		if err = os.RemoveAll(fresh); err != nil {
			return err
		}
		if err = runInitdb(ctx, p, as, fresh, locale); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	if err := include(filepath.Join(fresh, "postgresql.conf")); err != nil {
		return err
	}
	return os.Rename(fresh, f.data())
}

func runInitdb(ctx context.Context, p programs, as *account, dir, locale string) error {
	cmd := exec.CommandContext(ctx, p.path("initdb"), "--pgdata="+dir, "--username="+Superuser,
		"--encoding=UTF8", "--locale="+locale, "--auth=trust", "--no-sync", "--no-instructions")
	cmd.Dir, cmd.Env = filepath.Dir(dir), environment()
	as.runs(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// environment is this process's, without what would change PostgreSQL's ways.
func environment() []string {
	env := []string{"LC_ALL=C"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PG") && !strings.HasPrefix(e, "LC_") && !strings.HasPrefix(e, "LANG") {
			env = append(env, e)
		}
	}
	return env
}
