package prove

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrNoProxy means that haproxy is not installed.
var ErrNoProxy = errors.New("haproxy is not installed: apt-get install haproxy")

// haproxy is a running haproxy before several servers.
type haproxy struct {
	*process
	url, socket string
}

// checkInterval is how often haproxy asks for /readyz; it stops to use a server after two failures.
const checkInterval = 200 * time.Millisecond

// haproxyConfig has no retry: what a server does not answer, its client learns.
const haproxyConfig = `
global
    stats socket %s level user
defaults
    mode http
    retries 0
    timeout connect 2s
    timeout client 1m
    timeout server 1m
frontend clients
    bind %s
    default_backend servers
backend servers
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    default-server check inter %dms fall 2 rise 1
%s`

// startHAProxy starts haproxy in a folder, before servers at the addresses.
func startHAProxy(ctx context.Context, folder string, servers []string) (*haproxy, error) {
	program, err := exec.LookPath("haproxy")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/haproxy"); err != nil {
			return nil, ErrNoProxy
		}
	}
	own, err := freeAddresses(1)
	if err != nil {
		return nil, err
	}
	p := &haproxy{url: "http://" + own[0], socket: filepath.Join(folder, "stats")}
	var lines strings.Builder
	for i, address := range servers {
		fmt.Fprintf(&lines, "    server s%d %s\n", i, address)
	}
	config := filepath.Join(folder, "haproxy.cfg")
	text := fmt.Sprintf(haproxyConfig, p.socket, own[0], checkInterval.Milliseconds(), lines.String())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if p.process, err = startProcess(ctx, nil, program, "-q", "-db", "-f", config); err != nil {
		return nil, err
	}
	return p, nil
}

// isUp reports whether haproxy uses the i-th server.
func (p *haproxy) isUp(i int) bool {
	conn, err := net.Dial("unix", p.socket)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintln(conn, "show stat")
	rows, err := csv.NewReader(conn).ReadAll()
	if err != nil || len(rows) == 0 {
		return false
	}
	const name, status = 1, 17 // columns of "show stat"
	for _, row := range rows {
		if row[name] == fmt.Sprintf("s%d", i) {
			return strings.HasPrefix(row[status], "UP")
		}
	}
	return false
}
