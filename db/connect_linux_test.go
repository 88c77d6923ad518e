package db

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestConnectDefaultsYieldToTheURL(t *testing.T) {
	for name, c := range map[string]struct {
		url, timeout, attributes string
		wait                     time.Duration
		choosesPrimary           bool
	}{
		"one host":                       {url: "postgres://a/w", wait: 2 * time.Second},
		"several hosts":                  {url: "postgres://a,b/w", wait: 2 * time.Second, choosesPrimary: true},
		"one host, with and without TLS": {url: "postgres://a/w?sslmode=prefer", wait: 2 * time.Second},
		"several ports":                  {url: "postgres://a:1,a:2/w", wait: 2 * time.Second, choosesPrimary: true},
		"a timeout":                      {url: "postgres://a/w?connect_timeout=7", wait: 7 * time.Second},
		"no timeout":                     {url: "postgres://a/w?connect_timeout=0", wait: 0},
		"any server":                     {url: "postgres://a,b/w?target_session_attrs=any", wait: 2 * time.Second},
		"a standby": {url: "postgres://a/w?target_session_attrs=standby",
			wait: 2 * time.Second, choosesPrimary: true},
		"keywords": {url: "host=a,b connect_timeout=7 dbname=w",
			wait: 7 * time.Second, choosesPrimary: true},
		"PGCONNECT_TIMEOUT":    {url: "postgres://a/w", timeout: "9", wait: 9 * time.Second},
		"PGTARGETSESSIONATTRS": {url: "postgres://a,b/w", attributes: "any", wait: 2 * time.Second},
	} {
		t.Setenv("PGCONNECT_TIMEOUT", c.timeout)
		t.Setenv("PGTARGETSESSIONATTRS", c.attributes)
		config, err := pgx.ParseConfig(c.url)
		if err != nil {
			t.Fatal(err)
		}
		SetConnectDefaults(&config.Config, c.url)
		if config.ConnectTimeout != c.wait || (config.ValidateConnect != nil) != c.choosesPrimary {
			t.Errorf("%s: connect_timeout %v, validates %t", name, config.ConnectTimeout, config.ValidateConnect != nil)
		}
	}
}

// A peer that is silent for ever is noticed by the kernel, in seconds where the default is hours, or a
// quarter of an hour for data under way.
func TestSocketsNoticeAVanishedPeer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for url, want := range map[string]map[int]int{
		"postgres://a/w": {tcpUserTimeoutOption: 2000, syscall.TCP_KEEPIDLE: 2, syscall.TCP_KEEPINTVL: 1,
			syscall.TCP_KEEPCNT: 2},
		"postgres://a/w?tcp_user_timeout=60000&keepalives_idle=30&keepalives_interval=10&keepalives_count=5": {
			tcpUserTimeoutOption: 60000, syscall.TCP_KEEPIDLE: 30, syscall.TCP_KEEPINTVL: 10, syscall.TCP_KEEPCNT: 5},
	} {
		config, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		SetConnectDefaults(&config.Config, url)
		for name := range config.RuntimeParams {
			if name == "tcp_user_timeout" || name == "keepalives_idle" {
				t.Errorf("%s is sent to the server", name)
			}
		}
		conn, err := config.DialFunc(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		for option, value := range want {
			got := 0
			raw.Control(func(fd uintptr) { got, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, option) })
			if got != value || err != nil {
				t.Errorf("%s: option %d is %d, %v", url, option, got, err)
			}
		}
		conn.Close()
	}
}

// What a process has seen of a cluster decides which servers it accepts.
func TestLineageRefusesFormerPrimaries(t *testing.T) {
	t.Parallel()
	l := &Lineage{}
	for _, c := range []struct {
		system   string
		timeline uint64
		want     error
	}{
		{"7", 3, nil}, {"7", 3, nil}, {"7", 2, FormerPrimary}, {"7", 4, nil}, {"7", 3, FormerPrimary},
		{"8", 9, OtherCluster}, {"8", 1, OtherCluster}, {"7", 4, nil},
	} {
		if err := l.admit(c.system, c.timeline); err != c.want {
			t.Errorf("system %s, timeline %d: %v, want %v", c.system, c.timeline, err, c.want)
		}
	}
}
