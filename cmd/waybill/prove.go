package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"waybill/cmd/waybill/prove"
	"waybill/db"
)

// errNotHeld means that the stories ran, and some of them failed.
var errNotHeld = errors.New("not every story held")

func runProve(ctx context.Context, args []string, out io.Writer) error {
	var o prove.Options
	flags := newFlags("prove", out)
	env := &environment{flags: flags}
	env.text(&o.URL, "url", "WAYBILL_URL", "http://127.0.0.1:8080", "the server")
	readyFile := flags.String("ready-file", "", "take the server and an admin's session from the file that dev writes")
	env.text(&o.Tenant, "tenant", "WAYBILL_TENANT", demoSlug,
		"a tenant's slug: the stories happen there, to rows of their own")
	env.text(&o.Email, "email", "WAYBILL_EMAIL", "admin@demo.example",
		"an admin of the tenant, who makes what the stories need")
	env.secret(&o.Password, "password", "WAYBILL_PASSWORD", demoPassword, "the admin's password")
	flags.IntVar(&o.Callers, "callers", 32, "how many call at once")
	flags.IntVar(&o.Rounds, "rounds", 10, "how often each race is run")
	flags.IntVar(&o.Attempts, "attempts", 2000, "how often one submit is tried in the story of that name; try 1000000")
	names := flags.String("story", "", "only these, with commas between: "+strings.Join(prove.Names(), ", "))
	asJSON := flags.Bool("json", false, "a line of JSON for each story, and nothing else")
	if err := parse(flags, args); err != nil {
		return err
	}
	if o.Callers < 2 || o.Rounds < 1 || o.Attempts < 1 {
		return errors.New("--callers is less than 2, or --rounds or --attempts less than 1")
	}
	if *names != "" {
		o.Stories = strings.Split(*names, ",")
	}
	if err := fromReadyFile(&o, *readyFile); err != nil {
		return err
	}
	if !*asJSON {
		o.Progress, o.Redraw = os.Stderr, isTerminal(os.Stderr)
	}
	return printResults(ctx, o, *asJSON, out)
}

// isTerminal reports whether the file is a terminal, where a line can be redrawn.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func fromReadyFile(o *prove.Options, name string) error {
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var r ready
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%s is not a file that dev writes: %w", name, err)
	}
	for _, u := range r.Users {
		if u.Role == db.UserRoleAdmin {
			o.URL, o.Tenant, o.Token = r.URL, r.Tenant, string(u.Token)
			return nil
		}
	}
	return fmt.Errorf("%s names no admin", name)
}

// printResults runs the stories and prints each result.
func printResults(ctx context.Context, o prove.Options, asJSON bool, out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	told, held := 0, 0
	err := prove.Run(ctx, o, func(r prove.Result) {
		if told++; r.Held {
			held++
		}
		if asJSON {
			encoder.Encode(r)
			return
		}
		if told == 1 {
			prove.Head(out)
		}
		r.Line(out)
	})
	if err != nil {
		return err
	}
	if !asJSON {
		fmt.Fprintf(out, "%d of %d stories held, with %d callers at %s\n", held, told, o.Callers, o.URL)
	}
	if held < told {
		return errNotHeld
	}
	return nil
}
