package api

import (
	"errors"
	"fmt"
	"net/http"

	"waybill/db"
)

// RecordError is what is wrong with a record of a feed.
type RecordError struct {
	Record *int      `json:"record,omitempty" minimum:"0" maximum:"1000000" doc:"The position of the record, from 0; absent: of the list as a whole"`
	Field  string    `json:"field,omitempty" doc:"The member; absent: of the record as a whole" example:"patient.birth_date"`
	Code   errorCode `json:"code" doc:"Stable and meant for programs" example:"validation_failed"`
	Detail string    `json:"detail" doc:"One sentence"`
}

// feedRefusal returns which records of a feed are invalid or conflict with each other, or why the list is suspicious.
func feedRefusal(err error) error {
	if m, ok := errors.AsType[*db.FeedRecordsMismatch](err); ok {
		p := problem(db.RecordsMismatch, "records",
			fmt.Sprintf("The list has %d records, but the parameter records is %d.", m.Came, m.Said))
		p.Records = &m.Came
		return p
	}
	if m, ok := errors.AsType[*db.FeedMassCancellation](err); ok {
		p := problem(db.MassCancellation, "",
			fmt.Sprintf("The list would cancel %d of %d current appointments.", m.Result.Canceled, m.Current))
		p.WouldCancel, p.CurrentAppointments = &m.Result.Canceled, &m.Current
		return p
	}
	if refused, ok := errors.AsType[*db.FeedRefusal](err); ok {
		return invalidRecords(refused.Faults)
	}
	return err
}

// invalidRecords returns the problem of the first fault, with all of them.
func invalidRecords(faults []db.FeedFault) *Problem {
	if last := len(faults) - 1; last > 0 && faults[last].Code == requestTimeout {
		faults = faults[:last] // what is wrong is told, as far as it came
	}
	p := problem(faults[0].Code, fieldOf(faults[0]), recordError(faults[0]).Detail)
	if p.Status == http.StatusUnprocessableEntity || p.Code == unreadableBody {
		for _, f := range faults {
			p.Errors = append(p.Errors, recordError(f))
		}
	}
	return p
}

// fieldOf returns the path of the fault in the body.
func fieldOf(f db.FeedFault) string {
	switch {
	case f.Record < 0:
		return ""
	case f.Field == "":
		return fmt.Sprintf("[%d]", f.Record)
	}
	return fmt.Sprintf("[%d].%s", f.Record, f.Field)
}

func recordError(f db.FeedFault) RecordError {
	e := RecordError{Record: &f.Record, Field: printableName(f.Field), Code: errorCode(f.Code)}
	switch c := f.Contradicts; {
	case f.Record < 0:
		e.Record, e.Detail = nil, f.Detail
	case c != nil && c.IsDuplicate:
		e.Detail = fmt.Sprintf("Record %d has the external_id of record %d.", f.Record+1, c.Earlier+1)
	case c != nil:
		e.Detail = fmt.Sprintf("Record %d has other patient data than record %d for the same patient.",
			f.Record+1, c.Earlier+1)
	case f.Field == "":
		e.Detail = fmt.Sprintf("Record %d: %s.", f.Record+1, f.Detail)
	default:
		e.Detail = fmt.Sprintf("Record %d, %s: %s.", f.Record+1, f.Field, f.Detail)
	}
	return e
}
