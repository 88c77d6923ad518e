// Package pgbouncer runs the installed PgBouncer, a connection pooler, in front of a server of the tests.
package pgbouncer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotInstalled means that no PgBouncer was found.
var ErrNotInstalled = errors.New("pgbouncer is not installed")

// startTimeout bounds the wait for PgBouncer's socket on a busy machine.
const startTimeout = 30 * time.Second

// Pooler is a running PgBouncer.
type Pooler struct {
	program string
	dir     string
	login   *pgconn.Config
	cmd     *exec.Cmd
	alive   io.WriteCloser // the shell ends PgBouncer when this closes
}

// Start runs PgBouncer in front of the server of databaseURL, for all its databases, the URL's login, and those of
// the tests, with others, which need no password. The settings are those of its section [pgbouncer], such as pool_mode.
// The caller must call Stop; PgBouncer ends with this process at the latest. Start returns
// ErrNotInstalled without a PgBouncer.
func Start(databaseURL string, settings map[string]string, logins ...string) (_ *Pooler, err error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	p := &Pooler{program: program}
	if p.login, err = pgconn.ParseConfig(databaseURL); err != nil {
		return nil, errors.New("is not a PostgreSQL connection string")
	}
	if p.dir, err = os.MkdirTemp("", "pgbouncer-*"); err != nil {
		return nil, err
	}
	if err = p.configure(settings, logins); err == nil {
		err = p.run()
	}
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// find looks in /usr/sbin too, which is in no user's PATH but root's.
func find() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if program, err := exec.LookPath(name); err == nil {
			return program, nil
		}
	}
	return "", ErrNotInstalled
}

// URL returns the URL of a database through PgBouncer.
func (p *Pooler) URL(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database,
		RawQuery: url.Values{"host": {p.dir}, "port": {"5432"}}.Encode()}
	return u.String()
}

// Command sends a command of PgBouncer's console, such as RECONNECT.
func (p *Pooler) Command(ctx context.Context, command string) error {
	console, err := pgconn.Connect(ctx, p.URL("console", "pgbouncer"))
	if err != nil {
		return err
	}
	defer console.Close(ctx)
	return console.Exec(ctx, command).Close()
}

// Log returns what PgBouncer has logged.
func (p *Pooler) Log() string {
	text, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Crash kills PgBouncer, with all its connections, and starts it again.
func (p *Pooler) Crash() error { return errors.Join(p.end("KILL"), p.run()) }

// Stop ends PgBouncer and removes its folder.
func (p *Pooler) Stop() error { return errors.Join(p.end("INT"), os.RemoveAll(p.dir)) }

// end sends PgBouncer a signal, and waits for its end.
func (p *Pooler) end(signal string) error {
	if p.alive == nil {
		return nil
	}
	_, err := io.WriteString(p.alive, signal+"\n")
	err = errors.Join(err, p.alive.Close(), p.cmd.Wait())
	p.alive = nil
	return err
}

func (p *Pooler) configure(settings map[string]string, logins []string) error {
	all := map[string]string{
		"unix_socket_dir": p.dir, "listen_port": "5432", "auth_type": "trust", "admin_users": "console",
		"auth_file": filepath.Join(p.dir, "users"), "logfile": filepath.Join(p.dir, "log"),
	}
	if u, err := account(); err != nil {
		return err
	} else if u != nil {
		all["user"] = u.Username
	}
	maps.Copy(all, settings)
	ini := fmt.Sprintf("[databases]\n* = host=%s port=%d\n[pgbouncer]\n", p.login.Host, p.login.Port)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		ini += name + " = " + all[name] + "\n"
	}
	users := fmt.Sprintf("%q %q\n\"console\" \"\"\n", p.login.User, p.login.Password)
	for _, role := range append(logins, "postgres", "waybill_owner", "waybill_app") {
		if role != p.login.User {
			users += fmt.Sprintf("%q \"\"\n", role)
		}
	}
	return errors.Join(p.write("ini", ini), p.write("users", users), p.giveAway())
}

func (p *Pooler) write(name, text string) error {
	return os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644)
}

// account returns whom PgBouncer runs as, which refuses to run as root: the user who may enter the folder
// of the socket of a server that localpg started. It returns nil for this process's own user.
func account() (*user.User, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	return u, err
}

// giveAway lets the account write to the folder.
func (p *Pooler) giveAway() error {
	u, err := account()
	if u == nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	return errors.Join(err, os.Chown(p.dir, uid, -1))
}

// run starts PgBouncer, and waits until it answers. The shell ends it when the pipe's last writer is gone,
// even after SIGKILL.
func (p *Pooler) run() error {
	const guarded = `"$0" -q "$1" & pid=$!; read signal; kill -${signal:-INT} $pid; wait $pid; exit 0`
	p.cmd = exec.Command("/bin/sh", "-c", guarded, p.program, filepath.Join(p.dir, "ini"))
	p.cmd.Dir = "/"
	pipe, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.alive = pipe
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := p.Command(ctx, "SHOW VERSION")
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}
