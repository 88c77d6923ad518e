package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"waybill/db"
)

var errBackfillsUsage = errors.New("jobs backfills lists them; jobs backfills stop NAME, or resume NAME")

// runBackfills lists the backfills, or stops or resumes one.
func runBackfills(ctx context.Context, args []string, out io.Writer) error {
	c := db.Config{MaxConns: 2, AcquireTimeout: 5 * time.Second}
	var verb, name string
	for _, word := range []*string{&verb, &name} {
		if len(args) > 0 && isWord(args[0]) {
			*word, args = args[0], args[1:]
		}
	}
	flags := newFlags("jobs backfills", out)
	env := &environment{flags: flags}
	env.secret(&c.URL, "database-url", "DATABASE_URL", "", "database URL, as the role waybill_app or a member of it")
	registerLimits(env, &c)
	registerPooler(env, &c)
	if err := parse(flags, args); err != nil {
		return err
	}
	switch {
	case verb != "" && verb != "stop" && verb != "resume", (verb == "") != (name == ""):
		return errBackfillsUsage
	case c.URL == "":
		return errors.New("jobs needs a database: set DATABASE_URL or --database-url")
	}
	if err := cmp.Or(env.err, checkLimits(&c), checkStatementMode(&c)); err != nil {
		return err
	}
	store, err := openStore(ctx, c, slog.Default())
	if err != nil {
		return err
	}
	defer store.Close()
	switch verb {
	case "stop":
		return changeBackfill(ctx, store.StopBackfill, name, "stopped after its running batch", out)
	case "resume":
		return changeBackfill(ctx, store.ResumeBackfill, name, "resumed", out)
	}
	return listBackfills(ctx, store, out)
}

func changeBackfill(ctx context.Context, change func(context.Context, string) (int64, error), name, done string,
	out io.Writer) error {
	n, err := change(ctx, name)
	switch {
	case err != nil:
		return db.Explain(err)
	case n == 0:
		return errors.New("there is no such backfill to stop or resume: see waybill jobs backfills")
	}
	fmt.Fprintf(out, "backfill %s: %s\n", name, done)
	return nil
}

func listBackfills(ctx context.Context, store *db.System, out io.Writer) error {
	rows, err := store.ListBackfills(ctx)
	if err != nil {
		return db.Explain(err)
	}
	if len(rows) == 0 {
		fmt.Fprintln(out, "no backfills")
		return nil
	}
	table := columns(out)
	fmt.Fprintln(table, "name\ttable\tstate\trows done\tbatches\tlast change\twaits because")
	for _, b := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", b.Name, b.TableName, b.State, b.RowsDone, b.Batches,
			stamp(b.UpdatedAt), b.Held)
	}
	return table.Flush()
}
