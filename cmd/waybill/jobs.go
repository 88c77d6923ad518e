package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"waybill/cmd/waybill/jobs"
	"waybill/db"
)

// runJobs shows the jobs that somebody may have to look at, or has some run again.
func runJobs(ctx context.Context, args []string, out io.Writer) error {
	verb := "list"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		verb, args = args[0], args[1:]
	}
	var id int64
	if verb == "retry" && len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		n, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil || n < 1 {
			return errors.New("jobs retry takes a job's id, as jobs shows it, or --all")
		}
		id, args = n, args[1:]
	}
	var url string
	flags := newFlags("jobs", out)
	env := &environment{flags: flags}
	env.secret(&url, "database-url", "DATABASE_URL", "", "the database, as the role waybill_app or one that may become it")
	all := flags.Bool("all", false, "retry every job that is shown")
	if err := parse(flags, args); err != nil {
		return err
	}
	switch {
	case verb != "list" && verb != "retry":
		return errors.New("jobs takes one of: list, retry ID, retry --all")
	case verb == "retry" && (id == 0) != *all, verb == "list" && *all:
		return errors.New("jobs retry takes a job's id, or --all")
	case url == "":
		return errors.New("jobs needs a database: set DATABASE_URL or --database-url")
	}
	store, err := openStore(ctx, db.Config{URL: url, MaxConns: 2, AcquireTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer store.Close()
	if verb == "list" {
		return listJobs(ctx, store, out)
	}
	return retryJobs(ctx, store, id, out)
}

func listJobs(ctx context.Context, store *db.Store, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	n := 0
	err := jobs.Troubled(ctx, store, func(r db.ListTroubledJobsRow) error {
		if n++; n == 1 {
			fmt.Fprintln(table, "id\tkind\tstate\tattempts\tput off\tmade\tnext try\targuments\tlast error")
		}
		_, err := fmt.Fprintf(table, "%d\t%s\t%s\t%d of %d\t%d times\t%s\t%s\t%s\t%s\n", r.ID, r.Kind, r.State, r.Attempt, r.MaxAttempts,
			r.Snoozes, r.CreatedAt.UTC().Format(time.RFC3339), r.ScheduledAt.UTC().Format(time.RFC3339), r.Args, r.LastError)
		return err
	})
	if err == nil && n == 0 {
		fmt.Fprintln(out, "no job has failed or waits for another try")
	}
	return errors.Join(err, table.Flush())
}

// retryJobs has one run again, or all that are shown, for 0.
func retryJobs(ctx context.Context, store *db.Store, id int64, out io.Writer) error {
	if id != 0 {
		found, err := jobs.Retry(ctx, store, id)
		if err == nil && !found {
			err = fmt.Errorf("there is no job %d", id)
		}
		if err == nil {
			fmt.Fprintf(out, "job %d runs again\n", id)
		}
		return err
	}
	n := 0
	err := jobs.Troubled(ctx, store, func(r db.ListTroubledJobsRow) error {
		found, err := jobs.Retry(ctx, store, r.ID)
		if found {
			n++
		}
		return err
	})
	fmt.Fprintf(out, "%d jobs run again\n", n)
	return err
}
