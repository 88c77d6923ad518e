package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"waybill/cmd/waybill/jobs"
	"waybill/db"
)

// jobsCommand is the parsed command line of "waybill jobs".
type jobsCommand struct {
	verb   string
	id     string // of a job or a text, or the name of a queue
	all    bool
	since  time.Duration
	reason string
	store  db.Config
}

var errJobsUsage = errors.New("jobs needs one of: list, retry ID, retry --all, resume QUEUE, backfills")

// runJobs lists the jobs and texts that may need attention, or retries them.
func runJobs(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "backfills" {
		return runBackfills(ctx, args[1:], out)
	}
	c := jobsCommand{verb: "list", store: db.Config{MaxConns: 2, AcquireTimeout: 5 * time.Second}}
	if len(args) > 0 && isWord(args[0]) {
		c.verb, args = args[0], args[1:]
	}
	if len(args) > 0 && isWord(args[0]) && c.verb != "list" {
		c.id, args = args[0], args[1:]
	}
	flags := newFlags("jobs", out)
	env := &environment{flags: flags}
	env.secret(&c.store.URL, "database-url", "DATABASE_URL", "",
		"database URL, as the role waybill_app or a member of it")
	registerLimits(env, &c.store)
	registerPooler(env, &c.store)
	flags.BoolVar(&c.all, "all", false, "retry all listed jobs and texts")
	flags.DurationVar(&c.since, "since", 24*time.Hour,
		"how far back to list texts that the gateway refused, and dead letters of webhooks")
	flags.StringVar(&c.reason, "reason", "",
		"list only texts whose reason has this prefix, such as refused_422, and no jobs")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := cmp.Or(env.err, checkLimits(&c.store), checkStatementMode(&c.store), c.check()); err != nil {
		return err
	}
	store, err := openStore(ctx, c.store, slog.Default())
	if err != nil {
		return err
	}
	defer store.Close()
	switch c.verb {
	case "resume":
		return c.resume(ctx, store, out)
	case "retry":
		return c.retry(ctx, store, out)
	}
	return c.list(ctx, store, out)
}

func isWord(arg string) bool { return arg != "" && arg[0] != '-' }

func (c *jobsCommand) check() error {
	switch {
	case c.verb != "list" && c.verb != "retry" && c.verb != "resume", c.verb == "resume" && c.id == "":
		return errJobsUsage
	case c.verb == "retry" && (c.id == "") != c.all, c.verb != "retry" && c.all:
		return errors.New("jobs retry needs the id of a job or a text, or --all")
	case c.verb == "retry" && c.id != "" && c.job() == 0 && c.text() == uuid.Nil:
		return errors.New("jobs retry needs the id of a job or a text from the list, or --all")
	case c.since <= 0:
		return errors.New("--since must be positive, such as 24h")
	case c.store.URL == "":
		return errors.New("jobs needs a database: set DATABASE_URL or --database-url")
	}
	return nil
}

// job returns the id of the job, 0 without one.
func (c *jobsCommand) job() int64 {
	n, err := strconv.ParseInt(c.id, 10, 64)
	if err != nil || n < 1 {
		return 0
	}
	return n
}

// text returns the id of the text, the zero UUID without one.
func (c *jobsCommand) text() uuid.UUID {
	id, err := uuid.Parse(c.id)
	if err != nil {
		return uuid.Nil
	}
	return id
}

// troubled calls each for the jobs to list: none, if only texts with some reason are listed.
func (c *jobsCommand) troubled(ctx context.Context, store *db.System, each func(db.ListTroubledJobsRow) error) error {
	if c.reason != "" {
		return nil
	}
	return jobs.Troubled(ctx, store, each)
}

func (c *jobsCommand) refused(ctx context.Context, store *db.System, each func(jobs.RefusedText) error) error {
	now, err := store.GetDatabaseTime(ctx)
	if err != nil {
		return err
	}
	return jobs.Refused(ctx, store, now.Add(-c.since), c.reason, each)
}

func (c *jobsCommand) list(ctx context.Context, store *db.System, out io.Writer) error {
	paused, err := store.ListPausedQueues(ctx)
	if err != nil {
		return db.Explain(err)
	}
	for _, q := range paused {
		fmt.Fprintf(out, "queue %s has been paused since %s, with %d jobs waiting; to resume: waybill jobs resume "+
			"%[1]s\n",
			q.Name, stamp(q.PausedAt), q.Waiting)
	}
	table, n := columns(out), 0
	err = c.troubled(ctx, store, func(r db.ListTroubledJobsRow) error {
		if n++; n == 1 {
			fmt.Fprintln(table, "id\tkind\tstate\tattempts\tsnoozed\tcreated\tnext try\targuments\tlast error")
		}
		_, err := fmt.Fprintf(table, "%d\t%s\t%s\t%d of %d\t%d times\t%s\t%s\t%s\t%s\n",
			r.ID, r.Kind, r.State, r.Attempt, r.MaxAttempts,
			r.Snoozes, stamp(r.CreatedAt), stamp(r.ScheduledAt), r.Args, r.LastError)
		return err
	})
	if err = errors.Join(err, table.Flush()); err != nil {
		return err
	}
	if n == 0 && c.reason == "" {
		fmt.Fprintln(out, "no failed or retrying jobs")
	}
	if err := c.listTexts(ctx, store, out); err != nil || c.reason != "" {
		return err
	}
	return c.listWebhooks(ctx, store, out)
}

// listWebhooks lists the webhook endpoints that fail; nothing, if there are none.
func (c *jobsCommand) listWebhooks(ctx context.Context, store *db.System, out io.Writer) error {
	table, n := columns(out), 0
	err := jobs.TroubledEndpoints(ctx, store, c.since, func(e db.ListTroubledWebhookEndpointsRow) error {
		if n++; n == 1 {
			fmt.Fprintf(table, "\nwebhook endpoints that fail, with their dead letters of the last %s:\n"+
				"tenant\tendpoint\tdead letters\toldest pending\n", formatDuration(c.since))
		}
		_, err := fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", e.TenantID, e.ID, e.DeadLetters, stamp(e.OldestPending))
		return err
	})
	return errors.Join(err, table.Flush())
}

func (c *jobsCommand) listTexts(ctx context.Context, store *db.System, out io.Writer) error {
	table, n := columns(out), 0
	err := c.refused(ctx, store, func(t jobs.RefusedText) error {
		if n++; n == 1 {
			fmt.Fprintf(table, "\ntexts of the last %s that the gateway refused:\nid\ttenant\treason\tcreated\n",
				formatDuration(c.since))
		}
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.ID, t.Tenant, t.Reason, stamp(t.OwedAt))
		return err
	})
	if err = errors.Join(err, table.Flush()); err == nil && n == 0 {
		fmt.Fprintf(out, "no refused texts in the last %s\n", formatDuration(c.since))
	}
	return err
}

func columns(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// formatDuration formats a duration without trailing zero units: 24h0m0s is 24h.
func formatDuration(d time.Duration) string {
	text := strings.TrimSuffix(d.String(), "0s")
	if text == "" || !strings.HasSuffix(text, "m") {
		return d.String()
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		return short + "h"
	}
	return text
}

func (c *jobsCommand) resume(ctx context.Context, store *db.System, out io.Writer) error {
	found, err := jobs.Resume(ctx, store, c.id)
	if err == nil && !found {
		return errors.New("no such queue; list the paused queues with: waybill jobs list")
	}
	if err == nil {
		fmt.Fprintf(out, "queue %s resumed\n", c.id)
	}
	return err
}

// retry retries one job or text, or all that would be listed.
func (c *jobsCommand) retry(ctx context.Context, store *db.System, out io.Writer) error {
	switch {
	case c.all:
		return c.retryAll(ctx, store, out)
	case c.text() != uuid.Nil:
		return c.retryText(ctx, store, out)
	}
	found, err := jobs.Retry(ctx, store, c.job())
	if err == nil && !found {
		err = fmt.Errorf("no job has the id %d", c.job())
	}
	if err == nil {
		fmt.Fprintf(out, "job %d will run again\n", c.job())
	}
	return err
}

func (c *jobsCommand) retryText(ctx context.Context, store *db.System, out io.Writer) error {
	again := false
	err := c.refused(ctx, store, func(t jobs.RefusedText) (err error) {
		if t.ID == c.text() {
			again, err = jobs.Resend(ctx, store, t)
		}
		return err
	})
	if err == nil && !again {
		err = fmt.Errorf("no text %s was refused in the last %s (use --since to look further back)",
			c.text(), formatDuration(c.since))
	}
	if err == nil {
		fmt.Fprintf(out, "text %s will be sent again\n", c.text())
	}
	return err
}

func (c *jobsCommand) retryAll(ctx context.Context, store *db.System, out io.Writer) error {
	run, sent := 0, 0
	err := c.troubled(ctx, store, func(r db.ListTroubledJobsRow) error {
		found, err := jobs.Retry(ctx, store, r.ID)
		if found {
			run++
		}
		return err
	})
	if err == nil {
		err = c.refused(ctx, store, func(t jobs.RefusedText) error {
			again, err := jobs.Resend(ctx, store, t)
			if again {
				sent++
			}
			return err
		})
	}
	fmt.Fprintf(out, "%d jobs will run again, %d texts will be sent again\n", run, sent)
	return err
}
