package db

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The defaults of a connection whose URL does not say otherwise. Together they bound how long a host that
// vanished is waited for: less than five seconds.
const (
	connectTimeout    = 2 * time.Second // of one host
	tcpUserTimeout    = 2 * time.Second // of data that the peer's kernel does not acknowledge
	keepAliveIdle     = 2 * time.Second // until a silent connection is probed
	keepAliveInterval = time.Second
	keepAliveCount    = 2
)

// SetConnectDefaults sets what the URL, from which config was parsed, leaves open: connect_timeout,
// keepalives, tcp_user_timeout, and, for several hosts, target_session_attrs=read-write. The parameters
// are those of libpq; pgx would send some of them to the server.
func SetConnectDefaults(config *pgconn.Config, url string) {
	if config.ConnectTimeout == 0 && !states(url, "connect_timeout", "PGCONNECT_TIMEOUT") {
		config.ConnectTimeout = connectTimeout
	}
	if config.ValidateConnect == nil && hasSeveralHosts(config) &&
		!states(url, "target_session_attrs", "PGTARGETSESSIONATTRS") {
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	keep := net.KeepAliveConfig{
		Enable:   takeNumber(config, "keepalives", 1) != 0,
		Idle:     time.Duration(takeNumber(config, "keepalives_idle", seconds(keepAliveIdle))) * time.Second,
		Interval: time.Duration(takeNumber(config, "keepalives_interval", seconds(keepAliveInterval))) * time.Second,
		Count:    takeNumber(config, "keepalives_count", keepAliveCount),
	}
	limit := time.Duration(takeNumber(config, "tcp_user_timeout",
		int(tcpUserTimeout.Milliseconds()))) * time.Millisecond
	dialer := &net.Dialer{Timeout: config.ConnectTimeout, KeepAliveConfig: keep, Control: userTimeout(limit)}
	if !keep.Enable {
		dialer.KeepAlive = -1
	}
	config.DialFunc = dialer.DialContext
}

// states reports whether a parameter is in the connection string or in its environment variable.
func states(url, parameter, variable string) bool {
	return strings.Contains(url, parameter) || os.Getenv(variable) != ""
}

// hasSeveralHosts reports whether there is a choice of servers. A fallback may also be the same host
// without TLS.
func hasSeveralHosts(config *pgconn.Config) bool {
	for _, f := range config.Fallbacks {
		if f.Host != config.Host || f.Port != config.Port {
			return true
		}
	}
	return false
}

// takeNumber removes a parameter from those that are sent to the server, and returns its value.
func takeNumber(config *pgconn.Config, parameter string, otherwise int) int {
	text, ok := config.RuntimeParams[parameter]
	if !ok {
		return otherwise
	}
	delete(config.RuntimeParams, parameter)
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// alsoValidate adds a check to those of new connections, after the URL's own. If it fails, the next host is
// tried. The check ends with its context, also if the server is silent.
func alsoValidate(config *pgconn.Config, check pgconn.ValidateConnectFunc) {
	first := config.ValidateConnect
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if end, ok := ctx.Deadline(); ok {
			_ = conn.Conn().SetDeadline(end) // fails if the connection is closed
			defer conn.Conn().SetDeadline(time.Time{})
		}
		if first != nil {
			if err := first(ctx, conn); err != nil {
				return err
			}
		}
		return check(ctx, conn)
	}
}
