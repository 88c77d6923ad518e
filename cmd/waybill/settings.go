package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"waybill/api"
	"waybill/db"
)

// settings are the settings of a server: a flag each, with an environment variable as its default.
type settings struct {
	addr, adminAddr string
	log, level      string
	store           db.Config
	combine         bool
	replicas        string // URLs
	api             api.Options
	streams, feeds  limitSettings
	bodyMemory      int32 // MiB
	memoryLimit     int32 // MiB; 0 for memoryPerBody times bodyMemory
	trustedProxies  string
	origins         string // of pages that may call the API
	passwordCost    int32
	readTimeout     time.Duration
	drain, shutdown time.Duration
	workerSettings
}

// defaults are the defaults in which the commands differ.
type defaults struct {
	addr, adminAddr, origins string
	drain                    time.Duration
	workers                  int32
}

// register adds the flags. It reads the environment, whose errors check reports.
func (s *settings) register(flags *flag.FlagSet, d defaults) *environment {
	env := s.registerProcess(flags, d.adminAddr, d.workers)
	env.text(&s.addr, "addr", "WAYBILL_ADDR", d.addr, "listen address")
	env.choice(&s.combine, "combine", "WAYBILL_COMBINE", true,
		"batch concurrent requests into shared statements: true or false")
	env.secret(&s.replicas, "replica-database-url", "REPLICA_DATABASE_URL", "", "URLs of standbys that serve reads, "+
		"separated by spaces, as the role of the database URL; none by default")
	env.duration(&s.store.ReplicaWait, "replica-wait", "WAYBILL_REPLICA_WAIT", 10*time.Millisecond,
		"how long a read waits for a replica that is behind, before the primary serves it")
	env.duration(&s.store.ReplicaTimeout, "replica-timeout", "WAYBILL_REPLICA_TIMEOUT", 500*time.Millisecond,
		"timeout of a read from a replica, after which the primary serves it")
	env.duration(&s.api.HandlerTimeout, "handler-timeout", "WAYBILL_HANDLER_TIMEOUT",
		10*time.Second, "timeout of a request")
	env.duration(&s.api.Lifetimes.Absolute, "session-lifetime", "WAYBILL_SESSION_LIFETIME",
		30*24*time.Hour, "absolute lifetime of a session")
	env.duration(&s.api.Lifetimes.Idle, "session-idle", "WAYBILL_SESSION_IDLE", 12*time.Hour,
		"idle timeout of a session")
	env.duration(&s.readTimeout, "read-timeout", "WAYBILL_READ_TIMEOUT", 10*time.Second,
		"timeout for reading a request including its body")
	env.duration(&s.api.FeedIdle, "feed-idle", "WAYBILL_FEED_IDLE", 30*time.Second,
		"idle timeout for reading an appointment feed")
	env.duration(&s.api.FeedTimeout, "feed-timeout", "WAYBILL_FEED_TIMEOUT", time.Hour,
		"timeout of an appointment feed including its body")
	s.streams.register(env, "streams", "WAYBILL_STREAMS",
		api.Limits{Whole: 1024, PerTenant: 256, PerUser: 8}, "open event streams")
	s.feeds.register(env, "feeds", "WAYBILL_FEEDS", api.Limits{Whole: 8, PerTenant: 4, PerUser: 2},
		"appointment feeds being read")
	env.number(&s.bodyMemory, "body-memory", "WAYBILL_BODY_MEMORY", api.BodyMemory>>20,
		"memory for large request bodies, in MiB: at most half for one tenant and a quarter for one user")
	env.number(&s.memoryLimit, "memory-limit", "WAYBILL_MEMORY_LIMIT", 0, fmt.Sprintf("soft limit of the process's "+
		"memory in MiB, near which garbage is collected more often, unless GOMEMLIMIT is set; 0: %d times "+
		"--body-memory", memoryPerBody))
	env.duration(&s.drain, "drain", "WAYBILL_DRAIN", d.drain,
		"how long to keep serving after /readyz fails, so that load balancers notice")
	env.text(&s.trustedProxies, "trusted-proxies", "WAYBILL_TRUSTED_PROXIES", "",
		"addresses or networks of trusted proxies, separated by commas, for X-Forwarded-For")
	env.text(&s.origins, "cors-origins", "WAYBILL_CORS_ORIGINS", d.origins,
		"origins of pages that may call the API from a browser, separated by commas, such as "+
			"https://app.example; a port may be *")
	env.number(&s.passwordCost, "bcrypt-cost", "WAYBILL_BCRYPT_COST",
		int32(bcrypt.DefaultCost), "bcrypt cost of password hashes")
	return env
}

// registerProcess adds the flags of every long-running process: log, metrics, connections, workers,
// shutdown.
func (s *settings) registerProcess(flags *flag.FlagSet, adminAddr string, workers int32) *environment {
	env := &environment{flags: flags}
	env.text(&s.adminAddr, "admin-addr", "WAYBILL_ADMIN_ADDR", adminAddr,
		"listen address of metrics and profiles, which must be private; empty for none")
	env.text(&s.log, "log", "WAYBILL_LOG", "text", "log format: text or json")
	env.text(&s.level, "log-level", "WAYBILL_LOG_LEVEL", "info", "minimum log level: debug, info, warn or error")
	s.store.IdleConns = 2 // a second concurrent caller need not wait for a new connection
	env.number(&s.store.MaxConns, "max-conns", "WAYBILL_MAX_CONNS", 16,
		"maximum number of database connections; the workers have a pool of the same size")
	env.number(&s.store.ConnsPerTenant, "conns-per-tenant", "WAYBILL_CONNS_PER_TENANT", 0,
		"maximum number of connections used by one tenant; 0: three quarters of --max-conns")
	env.number(&s.store.ConnsPerUser, "conns-per-user", "WAYBILL_CONNS_PER_USER", 0,
		"maximum number of connections used by one user; 0: half of --max-conns")
	env.duration(&s.store.AcquireTimeout, "acquire-timeout", "WAYBILL_ACQUIRE_TIMEOUT",
		250*time.Millisecond, "how long to wait for a database connection")
	registerLimits(env, &s.store)
	registerPooler(env, &s.store)
	env.duration(&s.shutdown, "shutdown-timeout", "WAYBILL_SHUTDOWN_TIMEOUT", 15*time.Second,
		"how long to wait for running requests and jobs at shutdown")
	s.workerSettings.register(env, workers)
	return env
}

// registerLimits adds the flags of the limits that PostgreSQL keeps.
func registerLimits(env *environment, c *db.Config) {
	env.duration(&c.LockTimeout, "lock-timeout", "WAYBILL_LOCK_TIMEOUT",
		3*time.Second, "PostgreSQL's lock_timeout")
	env.duration(&c.StatementTimeout, "statement-timeout", "WAYBILL_STATEMENT_TIMEOUT",
		5*time.Second, "PostgreSQL's statement_timeout")
}

// registerPooler adds the flags of the way to the database.
func registerPooler(env *environment, c *db.Config) {
	env.choice(&c.Pooler, "pooler", "WAYBILL_POOLER", false, "true if the database URL leads to a connection pooler, "+
		"such as PgBouncer: the settings of sessions come from the role, see: waybill pooler -h")
	env.text((*string)(&c.StatementMode), "statement-mode", "WAYBILL_STATEMENT_MODE", "", "how statements are sent: "+
		"prepare (once per connection, the fastest) or describe (leaves nothing on the server, for poolers that give "+
		"each transaction another session); empty: prepare, or with --pooler describe")
}

// checkStatementMode returns an error for an unknown mode.
func checkStatementMode(c *db.Config) error {
	if c.StatementMode == "" || slices.Contains(db.StatementModes(), c.StatementMode) {
		return nil
	}
	return errors.New("--statement-mode (WAYBILL_STATEMENT_MODE) must be prepare or describe")
}

// check returns an error of one sentence if the settings are invalid.
func (s *settings) check() error {
	switch {
	case s.addr == "":
		return errors.New("--addr (WAYBILL_ADDR) is empty: use host:port, such as 127.0.0.1:8080")
	case s.passwordCost < int32(bcrypt.MinCost) || s.passwordCost > 16:
		return fmt.Errorf("--bcrypt-cost (WAYBILL_BCRYPT_COST) must be between %d and 16", bcrypt.MinCost)
	case s.api.Lifetimes.Idle <= 0 || s.api.Lifetimes.Absolute < s.api.Lifetimes.Idle:
		return errors.New("--session-idle (WAYBILL_SESSION_IDLE) must be positive, and at most " +
			"--session-lifetime (WAYBILL_SESSION_LIFETIME)")
	case !areProxies(s.trustedProxies):
		return errors.New("--trusted-proxies (WAYBILL_TRUSTED_PROXIES) must be a list of addresses or networks, " +
			"such as " +
			"10.0.0.0/8,192.0.2.7")
	case !areOrigins(s.origins):
		return errors.New("--cors-origins (WAYBILL_CORS_ORIGINS) must be a list of origins in lower case, such as " +
			"https://app.example,http://localhost:5173, without a path or final slash")
	case s.readTimeout <= 0:
		return errors.New("--read-timeout (WAYBILL_READ_TIMEOUT) must be positive")
	case s.api.FeedIdle <= 0 || s.api.FeedTimeout < s.api.FeedIdle:
		return errors.New("--feed-idle (WAYBILL_FEED_IDLE) must be positive, and at most --feed-timeout " +
			"(WAYBILL_FEED_TIMEOUT)")
	case !s.streams.areOrdered():
		return errors.New("limits must be at least 1 and must not decrease: --streams-per-user <= " +
			"--streams-per-tenant <= --streams")
	case !s.feeds.areOrdered():
		return errors.New(
			"limits must be at least 1 and must not decrease: --feeds-per-user <= --feeds-per-tenant <= --feeds")
	case s.bodyMemory < api.MinBodyMemory>>20:
		return fmt.Errorf("--body-memory (WAYBILL_BODY_MEMORY) must be at least %d MiB, so that a user's quarter "+
			"can hold "+
			"the largest body", api.MinBodyMemory>>20)
	case s.memoryLimit != 0 && s.memoryLimit < s.bodyMemory:
		return errors.New("--memory-limit (WAYBILL_MEMORY_LIMIT) must be 0, or at least --body-memory " +
			"(WAYBILL_BODY_MEMORY)")
	case s.drain < 0:
		return errors.New("--drain (WAYBILL_DRAIN) must not be negative")
	case s.store.StatementTimeout >= s.api.HandlerTimeout:
		return errTimeLimits
	case s.store.ReplicaWait <= 0 || s.store.ReplicaTimeout <= s.store.ReplicaWait ||
		s.store.ReplicaTimeout >= s.store.StatementTimeout:
		return errors.New("timeouts must increase: --replica-wait < --replica-timeout < --statement-timeout")
	}
	return s.checkProcess()
}

// limitSettings are the flags of a group of limits.
type limitSettings struct{ whole, perTenant, perUser int32 }

// register adds the flags NAME, NAME-per-tenant and NAME-per-user.
func (l *limitSettings) register(env *environment, name, variable string, otherwise api.Limits, what string) {
	env.number(&l.whole, name, variable, int32(otherwise.Whole), "maximum number of "+what+" in this process")
	env.number(&l.perTenant, name+"-per-tenant", variable+"_PER_TENANT",
		int32(otherwise.PerTenant), "maximum number of "+what+" of one tenant")
	env.number(&l.perUser, name+"-per-user", variable+"_PER_USER",
		int32(otherwise.PerUser), "maximum number of "+what+" of one user")
}

func (l *limitSettings) areOrdered() bool {
	return 1 <= l.perUser && l.perUser <= l.perTenant && l.perTenant <= l.whole
}

func (l *limitSettings) limits() api.Limits {
	return api.Limits{Whole: int(l.whole), PerTenant: int(l.perTenant), PerUser: int(l.perUser)}
}

// errTimeLimits means that a timeout is not shorter than the one that encloses it. The innermost, which
// knows best what happened, must be the first to expire.
var errTimeLimits = errors.New("timeouts must increase: --acquire-timeout < --lock-timeout < " +
	"--statement-timeout < --handler-timeout")

func areProxies(list string) bool {
	_, err := api.ParseProxies(list)
	return err == nil
}

func areOrigins(list string) bool {
	_, err := api.ParseOrigins(list)
	return err == nil
}

func (s *settings) checkProcess() error {
	switch {
	case s.log != "text" && s.log != "json":
		return errors.New("--log (WAYBILL_LOG) must be text or json")
	case s.store.MaxConns < 1:
		return errors.New("--max-conns (WAYBILL_MAX_CONNS) must be at least 1")
	case s.store.ConnsPerTenant < 0 || s.store.ConnsPerUser < 0 || s.store.ConnsPerTenant > s.store.MaxConns ||
		s.store.ConnsPerUser > cmp.Or(s.store.ConnsPerTenant, s.store.MaxConns):
		return errors.New("limits must not decrease: --conns-per-user <= --conns-per-tenant <= --max-conns")
	case s.shutdown <= 0:
		return errors.New("--shutdown-timeout (WAYBILL_SHUTDOWN_TIMEOUT) must be positive")
	case s.store.AcquireTimeout <= 0, s.store.AcquireTimeout >= s.store.LockTimeout, checkLimits(&s.store) != nil:
		return errTimeLimits
	case new(slog.Level).UnmarshalText([]byte(s.level)) != nil:
		return errors.New("--log-level (WAYBILL_LOG_LEVEL) must be debug, info, warn or error")
	}
	return cmp.Or(checkStatementMode(&s.store), s.workerSettings.check())
}

// checkLimits checks the limits that PostgreSQL keeps.
func checkLimits(c *db.Config) error {
	if c.LockTimeout <= 0 || c.LockTimeout >= c.StatementTimeout {
		return errTimeLimits
	}
	return nil
}

// storeConfig returns the settings for package db.
func (s *settings) storeConfig() db.Config {
	c := s.store
	c.OneByOne, c.ReplicaURLs = !s.combine, strings.Fields(s.replicas)
	return c
}

// apiOptions returns the settings for package api.
func (s *settings) apiOptions(log *slog.Logger, observe api.Observer) api.Options {
	o := s.api
	o.WebhookAllowPrivate = s.webhookPrivate
	o.Streams, o.Feeds, o.BodyMemory = s.streams.limits(), s.feeds.limits(), int64(s.bodyMemory)<<20
	o.TrustedProxies, _ = api.ParseProxies(s.trustedProxies) // validated by check
	o.Origins, _ = api.ParseOrigins(s.origins)               // likewise
	o.Log, o.Observe, o.PasswordCost, o.BodyTimeout = log, observe, int(s.passwordCost), s.readTimeout
	return o
}

func (s *settings) logger() *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(s.level)) // validated by check
	options := &slog.HandlerOptions{Level: level}
	if s.log == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// environment provides the defaults of flags, and keeps the first variable that is invalid.
type environment struct {
	flags     *flag.FlagSet
	variables []string // all variables that were looked up
	err       error
}

// lookup reads a variable, and records its name.
func (e *environment) lookup(variable string) (string, bool) {
	e.variables = append(e.variables, variable)
	return os.LookupEnv(variable)
}

func (e *environment) text(into *string, name, variable, otherwise, usage string) {
	if v, ok := e.lookup(variable); ok {
		otherwise = v
	}
	e.flags.StringVar(into, name, otherwise, usage+" ("+variable+")")
}

// secret adds a flag whose default, which may hold a password, -h must not print. As a flag it is
// visible in ps to all users of the machine.
func (e *environment) secret(into *string, name, variable, otherwise, usage string) {
	e.text(into, name, variable, otherwise, usage+"; do not pass it as a flag, which ps shows")
	e.flags.Lookup(name).DefValue = otherwise
}

func (e *environment) duration(into *time.Duration, name, variable string, otherwise time.Duration, usage string) {
	if v, ok := e.lookup(variable); ok {
		d, err := time.ParseDuration(v)
		e.fail(variable, "a duration, such as 250ms or 5s", err)
		otherwise = d
	}
	e.flags.DurationVar(into, name, otherwise, usage+" ("+variable+")")
}

func (e *environment) number(into *int32, name, variable string, otherwise int32, usage string) {
	if v, ok := e.lookup(variable); ok {
		n, err := strconv.ParseInt(v, 10, 32)
		e.fail(variable, "a number", err)
		otherwise = int32(n)
	}
	*into = otherwise
	e.flags.Func(name, fmt.Sprintf("%s (%s) (default %d)", usage, variable, otherwise), func(text string) error {
		n, err := strconv.ParseInt(text, 10, 32)
		*into = int32(n)
		if err != nil {
			return errors.New("not a number")
		}
		return nil
	})
}

func (e *environment) choice(into *bool, name, variable string, otherwise bool, usage string) {
	if v, ok := e.lookup(variable); ok {
		b, err := strconv.ParseBool(v)
		e.fail(variable, "true or false", err)
		otherwise = b
	}
	e.flags.BoolVar(into, name, otherwise, usage+" ("+variable+")")
}

func (e *environment) fail(variable, wanted string, err error) {
	if err != nil && e.err == nil {
		e.err = fmt.Errorf("%s is not %s", variable, wanted)
	}
}
