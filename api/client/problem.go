package client

import "errors"

// Error implements error.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// NoAnswer is the error of a call without an answer, or without one of Waybill's, in the time that it had. A write
// may have taken effect: the same call with the same IdempotencyKey or id tells.
type NoAnswer struct {
	// Cause is why the last attempt failed, or the context's error.
	Cause error
}

// Error implements error.
func (e *NoAnswer) Error() string { return "no answer: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *NoAnswer) Unwrap() error { return e.Cause }

// CodeNoAnswer is what CodeOf says of NoAnswer. The server has no such code.
const CodeNoAnswer Code = "no_answer"

// CodeOf returns the code of an error of a call: that of its problem, CodeNoAnswer, or "" of any other.
func CodeOf(err error) Code {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Code
	}
	if _, ok := errors.AsType[*NoAnswer](err); ok {
		return CodeNoAnswer
	}
	return ""
}
