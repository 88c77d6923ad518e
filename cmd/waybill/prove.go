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
	others := map[string]func(context.Context, []string, io.Writer) error{
		"faults": runProveFaults, "deploys": runProveDeploys, "callers": runProveCallers,
		"replicas": runProveReplicas,
	}
	if len(args) > 0 && others[args[0]] != nil {
		return others[args[0]](ctx, args[1:], out)
	}
	var o prove.Options
	flags := newFlags("prove", out)
	env := &environment{flags: flags}
	env.text(&o.URL, "url", "WAYBILL_URL", "http://127.0.0.1:8080", "the server")
	readyFile := flags.String("ready-file", "",
		"read the server and an admin's session from the ready file of waybill dev")
	env.text(&o.Tenant, "tenant", "WAYBILL_TENANT", demoSlug,
		"slug of the tenant in which the stories create rows of their own")
	env.text(&o.Email, "email", "WAYBILL_EMAIL", "admin@demo.example",
		"email address of an admin of the tenant")
	env.secret(&o.Password, "password", "WAYBILL_PASSWORD", demoPassword, "password of the admin")
	flags.IntVar(&o.Callers, "callers", 32, "number of concurrent callers")
	flags.IntVar(&o.Rounds, "rounds", 10, "number of runs of each race")
	flags.IntVar(&o.Attempts, "attempts", 2000, "number of submits in the story attempts, such as 1000000")
	names := flags.String("story", "", "run only these, separated by commas: "+strings.Join(prove.Names(), ", "))
	asJSON := flags.Bool("json", false, "print only a line of JSON for each story")
	if err := parse(flags, args); err != nil {
		return err
	}
	if o.Callers < 2 || o.Rounds < 1 || o.Attempts < 1 {
		return errors.New("--callers must be at least 2, --rounds and --attempts at least 1")
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
		return fmt.Errorf("%s is not a ready file of waybill dev: %w", name, err)
	}
	for _, u := range r.Users {
		if u.Role == db.UserRoleAdmin {
			o.URL, o.Tenant, o.Token = r.URL, r.Tenant, string(u.Token)
			return nil
		}
	}
	return fmt.Errorf("%s has no admin", name)
}

// printResults runs the stories and prints each result.
func printResults(ctx context.Context, o prove.Options, asJSON bool, out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	count, held := 0, 0
	err := prove.Run(ctx, o, func(r prove.Result) {
		if count++; r.Held {
			held++
		}
		if asJSON {
			encoder.Encode(r)
			return
		}
		if count == 1 {
			prove.Head(out)
		}
		r.Line(out)
	})
	if err != nil {
		return err
	}
	if !asJSON {
		fmt.Fprintf(out, "%d of %d stories held, with %d callers, at %s\n", held, count, o.Callers, o.URL)
	}
	if held < count {
		return errNotHeld
	}
	return nil
}
