package faults

import (
	"context"
	_ "embed" // patroni.yaml
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/db/localpg"
)

// patroni is a cluster of PostgreSQL servers that Patroni, with etcd, fails over by itself. One standby is synchronous.
type patroni struct {
	dir   string
	log   io.Writer
	etcd  *exec.Cmd
	nodes []*node
}

// node is a Patroni and its PostgreSQL server.
type node struct {
	Name       string
	Port, REST string
	Etcd       string // its port
	Dir        string
	Programs   string // the folder of PostgreSQL's programs
	Password   string
	cmd        *exec.Cmd // nil if it does not run
}

//go:embed patroni.yaml
var patroniConfig string

// patroniPassword is that of all roles: the cluster is this machine's, and a throwaway.
const patroniPassword = "throwaway"

// openPatroni starts a cluster. It returns errSkipped if the programs are not installed.
func (s *stage) openPatroni(ctx context.Context) error {
	for _, program := range []string{"etcd", "patroni"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: %s is not installed (Debian's packages etcd-server, patroni, python3-etcd)",
				errSkipped, program)
		}
	}
	initdb, err := localpg.FindProgram("initdb")
	if err != nil {
		return err
	}
	if initdb, err = filepath.EvalSymlinks(initdb); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("/tmp", "waybill-patroni-*")
	if err != nil {
		return err
	}
	s.closing(func() error { return os.RemoveAll(dir) })
	if err := ownByServer(dir); err != nil {
		return err
	}
	p := &patroni{dir: dir, log: s.Log}
	s.patroni = p
	s.closing(p.close)
	if err := p.start(filepath.Dir(initdb)); err != nil {
		return err
	}
	if err := s.await(ctx, func() bool { return p.isWhole(ctx) }); err != nil {
		return err
	}
	return p.setUp(ctx)
}

// start starts etcd and the nodes.
func (p *patroni) start(programs string) error {
	ports := make([]string, 6)
	for i := range ports {
		address, err := freeAddress()
		if err != nil {
			return err
		}
		_, ports[i], _ = net.SplitHostPort(address)
	}
	client, peer := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	p.etcd = exec.Command("etcd", "--name", "one", "--data-dir", filepath.Join(p.dir, "etcd"),
		"--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
		"--initial-advertise-peer-urls", peer, "--initial-cluster", "one="+peer)
	if err := p.run(p.etcd); err != nil {
		return err
	}
	for i, name := range []string{"one", "two"} {
		n := &node{Name: name, Port: ports[2+i], REST: ports[4+i], Etcd: ports[0], Dir: filepath.Join(p.dir, name),
			Programs: programs, Password: patroniPassword}
		if err := p.write(n); err != nil {
			return err
		}
		p.nodes = append(p.nodes, n)
		if err := p.startNode(n); err != nil {
			return err
		}
	}
	return nil
}

func (p *patroni) write(n *node) error {
	if err := os.Mkdir(n.Dir, 0o700); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(n.Dir, "patroni.yaml"))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := template.Must(template.New("").Parse(patroniConfig)).Execute(file, n); err != nil {
		return err
	}
	return errors.Join(ownByServer(n.Dir), ownByServer(file.Name()))
}

func (p *patroni) startNode(n *node) error {
	n.cmd = exec.Command("patroni", filepath.Join(n.Dir, "patroni.yaml"))
	return p.run(n.cmd)
}

// run starts a program as the user of PostgreSQL's servers. It ends with this process.
func (p *patroni) run(cmd *exec.Cmd) error {
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, p.log, p.log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "LC_ALL=C.UTF-8"}
	if err := runAsServer(cmd); err != nil {
		return err
	}
	return cmd.Start()
}

// close ends all that it has started.
func (p *patroni) close() (err error) {
	for _, n := range p.nodes {
		err = errors.Join(err, n.kill())
	}
	if p.etcd != nil && p.etcd.Process != nil {
		err = errors.Join(err, p.etcd.Process.Kill())
		_ = p.etcd.Wait() // killed
	}
	return err
}

// killServer kills PostgreSQL, and leaves Patroni.
func (n *node) killServer() error {
	text, err := os.ReadFile(filepath.Join(n.Dir, "data", "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	return killProcess(pid)
}

// kill kills the node: Patroni first, which would start the server again.
func (n *node) kill() error {
	if n.cmd != nil && n.cmd.Process != nil {
		if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		_ = n.cmd.Wait() // killed
		n.cmd = nil
	}
	return n.killServer()
}

// members returns the nodes' names by their roles, as whichever Patroni answers says.
func (p *patroni) members(ctx context.Context) map[string]string {
	for _, n := range p.nodes {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+n.REST+"/cluster", nil)
		if err != nil {
			return nil
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			continue
		}
		defer response.Body.Close()
		var cluster struct {
			Members []struct{ Name, Role, State string }
		}
		if json.NewDecoder(response.Body).Decode(&cluster) != nil {
			continue
		}
		roles := map[string]string{}
		for _, m := range cluster.Members {
			if m.State == "running" || m.State == "streaming" {
				roles[m.Role] = m.Name
			}
		}
		return roles
	}
	return nil
}

// isWhole reports whether there is a leader and a synchronous standby.
func (p *patroni) isWhole(ctx context.Context) bool {
	roles := p.members(ctx)
	return roles["leader"] != "" && roles["sync_standby"] != ""
}

// url is that of whichever server takes writes.
func (p *patroni) url(role, database string) string {
	var hosts []string
	for _, n := range p.nodes {
		hosts = append(hosts, "127.0.0.1:"+n.Port)
	}
	return (&url.URL{Scheme: "postgres", User: url.UserPassword(role, patroniPassword), Host: strings.Join(hosts, ","),
		Path: "/" + database, RawQuery: "sslmode=disable&target_session_attrs=read-write"}).String()
}

// setUp creates the roles and the database.
func (p *patroni) setUp(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.url(localpg.Superuser, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range []string{
		"CREATE ROLE " + localpg.Owner + " LOGIN CREATEDB CREATEROLE PASSWORD '" + patroniPassword + "'",
		"CREATE ROLE " + localpg.App + " LOGIN PASSWORD '" + patroniPassword + "'",
		"GRANT " + localpg.App + " TO " + localpg.Owner + " WITH ADMIN OPTION",
		"CREATE DATABASE " + localpg.Database + " OWNER " + localpg.Owner,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// patroniFailovers are how many times the leader is killed, and wholePatroni how often its Patroni with it: the others
// then wait until its key in etcd expires.
const (
	patroniFailovers = 20
	wholePatroni     = 5
)

// failOverPatroni kills the leader, again and again: Patroni promotes the synchronous standby, and makes the former
// leader its standby.
func failOverPatroni(ctx context.Context, s *stage) error {
	p := s.patroni
	for i := range patroniFailovers {
		former := p.members(ctx)["leader"]
		at := slices.IndexFunc(p.nodes, func(n *node) bool { return n.Name == former })
		if at < 0 {
			return errors.New("there is no leader")
		}
		kill := p.nodes[at].killServer
		isWhole := i%wholePatroni == wholePatroni-1
		if isWhole {
			kill = p.nodes[at].kill
		}
		if err := kill(); err != nil {
			return err
		}
		changed := func() bool { leader := p.members(ctx)["leader"]; return leader != "" && leader != former }
		if err := s.await(ctx, changed); err != nil {
			return fmt.Errorf("failover %d: %w", i+1, err)
		}
		if isWhole {
			if err := p.startNode(p.nodes[at]); err != nil {
				return err
			}
		}
		if err := s.await(ctx, func() bool { return p.isWhole(ctx) }); err != nil {
			return fmt.Errorf("after failover %d: %w", i+1, err)
		}
		s.pause(ctx, 500*time.Millisecond, 1500*time.Millisecond)
	}
	return nil
}
