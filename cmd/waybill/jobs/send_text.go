package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"waybill/cmd/waybill/texts"
	"waybill/db"
)

// settleTimeout bounds the write of the gateway's answer, which must happen even if the job is
// canceled.
const settleTimeout = 5 * time.Second

// errNoRow means that the job's row does not exist. Rows are never deleted, so the job was inserted by
// hand.
var errNoRow = errors.New("no such row")

type textSender struct {
	river.WorkerDefaults[SendText]
	workers *Workers
}

// Work implements river.Worker. It sends a text that is still queued, and stores the gateway's answer.
// If it is killed in between, the text is sent again, and the gateway recognizes its id.
func (w *textSender) Work(ctx context.Context, job *river.Job[SendText]) error {
	c := w.workers
	m, err := c.Store.GetMessage(ctx, db.GetMessageParams{TenantID: job.Args.TenantID, ID: job.Args.MessageID})
	switch {
	case err != nil && db.Explain(err).Code == db.NotFound:
		c.Observe(job.Kind, Failed, "no_row")
		return river.JobCancel(errNoRow)
	case err != nil:
		return c.snooze(job.JobRow, "database", 0)
	case m.Status != db.MessageStatusQUEUED:
		return c.done(job.Kind, Done, "settled_before")
	}
	answer, asked := c.send(ctx, texts.Text{ID: m.ID, To: *m.ToNumber, Body: m.Body, CreatedAt: m.CreatedAt,
		At: c.database.Now()})
	if !asked || answer.Verdict == texts.Retry {
		return c.snooze(job.JobRow, answer.Reason, answer.RetryAfter)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	// Without a row, another run of this job was first, and its result stands, or the text is being sent again.
	_, err = c.Store.SettleMessage(ctx, db.SettleMessageParams{
		TenantID: m.TenantID, ID: m.ID, Resends: m.Resends, Reason: answer.Reason,
	})
	switch {
	case err != nil:
		return c.snooze(job.JobRow, "database", 0)
	case answer.Verdict == texts.Refused:
		return c.done(job.Kind, Failed, answer.Reason)
	}
	return c.done(job.Kind, Done, "")
}

// send calls the gateway. It reports false if the circuit breaker stays open.
func (c *Workers) send(ctx context.Context, t texts.Text) (answer texts.Answer, asked bool) {
	if wait := c.breaker.Wait(); wait > maxGatewayWait {
		return texts.Answer{Reason: "gateway_down", RetryAfter: wait}, false
	}
	waiting, cancel := c.untilStop(ctx)
	defer cancel()
	if !c.breaker.Enter(waiting, maxGatewayWait) {
		return texts.Answer{Reason: "gateway_down"}, false
	}
	answered := false
	defer func() {
		if !answered { // also after a panic: other senders wait for the result of this try
			c.breaker.Canceled()
		}
	}()
	wasDown := c.breaker.Open()
	answer = c.Sender.Send(ctx, t)
	answered = true
	switch {
	case ctx.Err() != nil: // canceled by a stop: no information about the gateway
		c.breaker.Canceled()
	case answer.Verdict == texts.Retry:
		c.breaker.Failed(answer.RetryAfter)
	default:
		c.breaker.Succeeded()
	}
	if down := c.breaker.Open(); down != wasDown {
		c.Log.Warn("gateway", "down", down, "reason", answer.Reason)
	}
	return answer, true
}
