package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

const (
	jsonType = "application/json"
	csvType  = "text/csv"

	// statementPage is the number of lines of one read. No connection is held while a client receives them.
	statementPage = 1000
)

func (a *server) registerStatements(readers []db.UserRole) {
	const path = "/v1/accounts/{account_id}/statement"
	register(a, operation{
		id: "get-account-statement", method: http.MethodGet, path: path, tag: "accounts",
		summary: "Get the statement of an account",
		about: "Lists the entries from from (inclusive) to to (exclusive) in the order in which they were " +
			"booked, with " +
			"the balance after each, and the balances at both ends. Without from it begins with the first entry; " +
			"without " +
			"to, or with one in the future, it ends now. It is sent in one piece however long it is: an answer that " +
			"breaks off lacks closing_cents.\n\nWith `Accept: text/csv` it is a table: a header, a line of the kind " +
			"opening, the entries, and a line of the kind closing, without which it is incomplete. A note that a " +
			"spreadsheet would take for a formula begins with an apostrophe.",
		roles: readers, codes: []db.Code{db.NotFound, notAcceptable}, long: true,
	}, a.getStatement)
	ok := a.huma.OpenAPI().Paths[path].Get.Responses["200"]
	ok.Content = map[string]*huma.MediaType{
		jsonType: {Schema: a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[AccountStatement](), true, "")},
		csvType:  {Schema: &huma.Schema{Type: huma.TypeString, Description: "Lines end with CRLF (RFC 4180)"}},
	}
}

// AccountStatement is the answer of get-account-statement.
type AccountStatement struct {
	AccountID    uuid.UUID       `json:"account_id" format:"uuid" doc:"The account"`
	Currency     string          `json:"currency" doc:"ISO 4217"`
	From         *time.Time      `json:"from" nullable:"true" doc:"Where it begins; null: with the first entry"`
	To           time.Time       `json:"to" doc:"Where it ends: as requested, or when it was made"`
	OpeningCents int64           `json:"opening_cents" minimum:"0" doc:"The balance before the first line"`
	Items        []StatementLine `json:"items" maxItems:"1000000000" doc:"The entries, in the order in which they were booked"`
	ClosingCents int64           `json:"closing_cents" minimum:"0" doc:"The balance after the last line"`
}

// StatementLine is an entry in a statement, with the balance after it.
type StatementLine struct {
	CreatedAt    time.Time    `json:"created_at" doc:"When it was booked"`
	Kind         db.EntryKind `json:"kind" doc:"What changed the balance"`
	AmountCents  int64        `json:"amount_cents" minimum:"1" doc:"Always positive; see kind"`
	DeltaCents   int64        `json:"delta_cents" doc:"The change of the balance"`
	BalanceCents int64        `json:"balance_cents" minimum:"0" doc:"The balance after it"`
	PickupID     *uuid.UUID   `json:"pickup_id" nullable:"true" format:"uuid" doc:"The pickup that was charged or refunded"`
	Note         *string      `json:"note" nullable:"true" doc:"What it was for, as the caller put it"`
}

type statementInput struct {
	AccountPath
	From Time `query:"from" doc:"Only entries that were booked at or after this time" example:"2026-01-01T00:00:00Z"`
	To   Time `query:"to" doc:"Only entries that were booked before this time" example:"2026-02-01T00:00:00Z"`

	mediaType string
	isHead    bool
}

// Resolve implements huma.Resolver.
func (in *statementInput) Resolve(ctx huma.Context) []error {
	in.isHead = ctx.Method() == http.MethodHead
	in.mediaType = accepted(ctx.Header("Accept"), jsonType, csvType)
	switch {
	case in.mediaType == "":
		return []error{problem(notAcceptable, "Accept", "")}
	case !in.From.IsZero() && !in.To.IsZero() && !in.From.Before(in.To.Time):
		return []error{problem(db.ValidationFailed, "to", "to must be after from.")}
	}
	return nil
}

type statementOutput struct {
	ContentType string `header:"Content-Type"`
	Body        func(huma.Context)
}

// getStatement reads the first lines before anything is sent, so that an error is answered as one.
func (a *server) getStatement(ctx context.Context, v db.Viewer, in *statementInput) (*statementOutput, error) {
	to := in.To.Time
	if to.IsZero() {
		to = endOfTime
	}
	start, err := a.store.GetAccountStatement(ctx, db.GetAccountStatementParams{
		TenantID: v.TenantID, ID: in.AccountID, ViewerID: v.UserID, ViewerRole: v.Role,
		FromTime: in.From.Time, ToTime: to,
	})
	if err != nil {
		return nil, err
	}
	s := &statement{server: a, viewer: v, checked: time.Now(), next: db.ListStatementLinesParams{
		TenantID: v.TenantID, AccountID: in.AccountID, Until: start.Until, BalanceCents: start.OpeningCents,
		AfterCreatedAt: in.From.Time, AfterDeltaCents: 1 << 53, MaxRows: statementPage,
	}}
	lines, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	s.form = newStatementForm(in, start)
	return &statementOutput{s.form.contentType(), func(hc huma.Context) {
		hc.AppendHeader("Vary", "Accept")
		hc.SetStatus(http.StatusOK)
		if !in.isHead {
			s.send(hc, lines)
		}
	}}, nil
}

// statement is one that is being sent, page by page.
type statement struct {
	*server
	viewer  db.Viewer
	checked time.Time // when the session was last seen to be valid
	next    db.ListStatementLinesParams
	form    statementForm
}

// read returns the next lines.
func (s *statement) read(ctx context.Context) ([]db.ListStatementLinesRow, error) {
	lines, err := s.store.ListStatementLines(ctx, s.next)
	if err == nil && len(lines) > 0 {
		last := lines[len(lines)-1]
		s.next.AfterCreatedAt, s.next.AfterDeltaCents, s.next.AfterID = last.CreatedAt, last.DeltaCents, last.ID
		s.next.BalanceCents = last.BalanceCents
	}
	return lines, err
}

// send sends the lines that are read, and all further ones. If it cannot, it breaks off: the client gets an
// unexpected end, never a statement that looks complete.
func (s *statement) send(hc huma.Context, lines []db.ListStatementLinesRow) {
	ctx, write := hc.Context(), writer(hc)
	var page bytes.Buffer
	s.form.begin(&page)
	for {
		for _, l := range lines {
			s.form.line(&page, &StatementLine{l.CreatedAt, l.Kind, l.AmountCents, l.DeltaCents, l.BalanceCents,
				l.PickupID, l.Note})
		}
		isLast := len(lines) < statementPage
		if isLast {
			s.form.end(&page, s.next.BalanceCents)
		}
		err := write(page.Bytes())
		if err == nil && isLast {
			return
		}
		page.Reset()
		if err == nil {
			err = s.authenticate(ctx)
		}
		if err == nil {
			lines, err = s.read(ctx)
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// authenticate returns an error once the session has ended, or is of another role.
func (s *statement) authenticate(ctx context.Context) error {
	if time.Since(s.checked) < streamAuth {
		return nil
	}
	s.checked = time.Now()
	v, err := s.store.Authenticate(ctx, tokenOf(ctx), s.lifetimes.Idle)
	if err == nil && v.Role != s.viewer.Role {
		err = problem(db.Forbidden, "", "")
	}
	return err
}

// statementForm writes a statement in a media type.
type statementForm interface {
	contentType() string
	begin(*bytes.Buffer)
	line(*bytes.Buffer, *StatementLine)
	end(page *bytes.Buffer, closingCents int64)
}

func newStatementForm(in *statementInput, start db.GetAccountStatementRow) statementForm {
	head := AccountStatement{
		AccountID: in.AccountID, Currency: start.Currency, From: given(in.From.Time), To: start.Until,
		OpeningCents: start.OpeningCents, Items: []StatementLine{},
	}
	if in.mediaType == csvType {
		return &csvStatement{head}
	}
	return &jsonStatement{head: head}
}

// jsonStatement writes an AccountStatement.
type jsonStatement struct {
	head AccountStatement
	tail string // what follows the items
	some bool
}

func (*jsonStatement) contentType() string { return jsonType }

func (f *jsonStatement) begin(page *bytes.Buffer) {
	text := mustJSON(f.head)
	const items = `"items":[`
	at := bytes.Index(text, []byte(items)) + len(items)
	page.Write(text[:at])
	f.tail = string(text[at : bytes.LastIndexByte(text, ':')+1])
}

func (f *jsonStatement) line(page *bytes.Buffer, l *StatementLine) {
	if f.some {
		page.WriteByte(',')
	}
	f.some = true
	page.Write(mustJSON(l))
}

func (f *jsonStatement) end(page *bytes.Buffer, closingCents int64) {
	fmt.Fprintf(page, "%s%d}\n", f.tail, closingCents)
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // cannot fail for plain structs
	}
	return text
}

// csvStatement writes the table.
type csvStatement struct{ head AccountStatement }

func (*csvStatement) contentType() string { return csvType + "; charset=utf-8; header=present" }

func (f *csvStatement) begin(page *bytes.Buffer) {
	from := ""
	if f.head.From != nil {
		from = csvTime(*f.head.From)
	}
	writeCSV(page, "created_at", "kind", "amount_cents", "delta_cents", "balance_cents", "pickup_id", "note")
	writeCSV(page, from, "opening", "", "", cents(f.head.OpeningCents), "", "")
}

func (*csvStatement) line(page *bytes.Buffer, l *StatementLine) {
	pickup, note := "", ""
	if l.PickupID != nil {
		pickup = l.PickupID.String()
	}
	if l.Note != nil {
		note = noFormula(*l.Note)
	}
	writeCSV(page, csvTime(l.CreatedAt), string(l.Kind), cents(l.AmountCents), cents(l.DeltaCents),
		cents(l.BalanceCents), pickup, note)
}

func (f *csvStatement) end(page *bytes.Buffer, closingCents int64) {
	writeCSV(page, csvTime(f.head.To), "closing", "", "", cents(closingCents), "", "")
}

func cents(n int64) string { return strconv.FormatInt(n, 10) }

func csvTime(t time.Time) string { return t.Format(time.RFC3339Nano) }

// noFormula returns a text that a spreadsheet shows as it is: one that begins like a formula is evaluated, and
// may send what stands in other cells to a stranger.
func noFormula(text string) string {
	if strings.ContainsAny(text[:min(1, len(text))], "=+-@\t\r\n") || strings.HasPrefix(text, "＝") ||
		strings.HasPrefix(text, "＋") || strings.HasPrefix(text, "－") || strings.HasPrefix(text, "＠") {
		return "'" + text
	}
	return text
}

func writeCSV(page *bytes.Buffer, fields ...string) {
	w := csv.NewWriter(page)
	w.UseCRLF = true
	w.Write(fields) // into memory: it cannot fail
	w.Flush()
}
