package api

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"

	"waybill/db"
)

// feedReader reads the records of a feed from its body one at a time, with bounded memory.
//
// It finds the end of an array's record itself, since jsontext.Decoder buffers a value, or the white
// space before it, without a limit (WithByteLimit is planned, https://go.dev/issue/56733). Each record
// is then parsed by jsontext.
type feedReader struct {
	in     *bufio.Reader
	lines  bool
	record []byte // the text of the current record
	at     int    // its index, from 0
}

func newFeedReader(body io.Reader, lines bool) *feedReader {
	return &feedReader{in: bufio.NewReaderSize(body, 64<<10), lines: lines}
}

// records yields each record, and an error at the end if one is invalid.
func (r *feedReader) records(yield func(db.FeedRecord, error) bool) {
	for ; ; r.at++ {
		more, err := r.next()
		if err == nil && more && r.at == feedRecords {
			err = r.refuse(bodyTooLarge, "", fmt.Sprintf("the maximum is %d records", feedRecords))
		}
		var record db.FeedRecord
		if err == nil && more {
			record, err = r.parse()
		}
		if err == nil && !more || !yield(record, err) || err != nil {
			return
		}
	}
}

// next reads the text of the next record into r.record.
func (r *feedReader) next() (more bool, err error) {
	r.record = r.record[:0]
	if r.lines {
		more, err = r.nextLine()
	} else {
		more, err = r.nextElement()
	}
	return more, r.explain(err)
}

// Errors that end the reading of a text.
var (
	errNoArray  = errors.New("no array")
	errNoObject = errors.New("no object")
	errTrailing = errors.New("trailing text")
	errTooLong  = errors.New("too long")
	errMark     = errors.New("a byte order mark")
)

// nextLine reads the next line that is not blank. The last line may lack its line break.
func (r *feedReader) nextLine() (more bool, err error) {
	for {
		part, err := r.in.ReadSlice('\n')
		r.record = append(r.record, part...)
		switch {
		case len(r.record) > feedRecordMax+1: // including its line break
			return false, errTooLong
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil && !errors.Is(err, io.EOF):
			return false, err
		case len(trimmed(r.record)) > 0:
			return true, nil
		case err != nil:
			return false, nil
		default:
			r.record = r.record[:0]
		}
	}
}

// trimmed removes the white space of JSON, which is less than Unicode's.
func trimmed(text []byte) []byte { return bytes.Trim(text, " \t\r\n") }

// nextElement reads the next object of the top-level array.
func (r *feedReader) nextElement() (more bool, err error) {
	c, err := r.sign()
	if r.at == 0 {
		if c == byteOrderMark[0] {
			return false, errMark
		}
		if err != nil || c != '[' {
			return false, cmpError(err, errNoArray)
		}
		c, err = r.sign()
	} else if c == ',' {
		if c, err = r.sign(); c == ']' {
			return false, errNoObject
		}
	} else if err == nil && c != ']' {
		return false, errNoObject
	}
	switch {
	case err != nil:
		return false, unexpectedEnd(err)
	case c == ']':
		if _, err := r.sign(); !errors.Is(err, io.EOF) {
			return false, cmpError(err, errTrailing)
		}
		return false, nil
	case c != '{':
		return false, errNoObject
	}
	return true, r.object()
}

// cmpError returns err, or otherwise if err is nil or an end of input.
func cmpError(err, otherwise error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return otherwise
	}
	return err
}

func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// sign reads the next byte that is not white space.
func (r *feedReader) sign() (byte, error) {
	for {
		c, err := r.in.ReadByte()
		if err != nil || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c, err
		}
	}
}

// object reads the rest of an object after its opening brace. It only tracks brackets and quotes: parse
// checks whether the text is JSON.
func (r *feedReader) object() error {
	r.record = append(r.record, '{')
	for depth, quoted, escaped := 1, false, false; depth > 0; {
		c, err := r.in.ReadByte()
		if err != nil {
			return unexpectedEnd(err)
		}
		if len(r.record) == feedRecordMax {
			return errTooLong
		}
		r.record = append(r.record, c)
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		}
	}
	return nil
}

// explain turns a read error into a problem.
func (r *feedReader) explain(err error) error {
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoArray):
		return problem(unreadableBody, "", "The body is not a JSON array.")
	case errors.Is(err, errMark):
		return problem(unreadableBody, "", "The body begins with "+aMark+".")
	case errors.Is(err, errTrailing):
		return problem(unreadableBody, "", "The array is followed by other text.")
	case errors.Is(err, errTooLong):
		return r.refuse(bodyTooLarge, "", fmt.Sprintf("longer than %d KiB", feedRecordMax>>10))
	case errors.Is(err, errNoObject):
		return r.refuse(unreadableBody, "", "expected an object in a valid JSON array")
	case errors.As(err, &network) && network.Timeout():
		return problem(requestTimeout, "", "")
	}
	return r.refuse(unreadableBody, "", "the body is incomplete")
}

// refuse returns the problem for the current record, or a member of it.
func (r *feedReader) refuse(code db.Code, member, what string) *Problem {
	field := fmt.Sprintf("[%d]", r.at)
	if member == "" {
		return problem(code, field, fmt.Sprintf("Record %d: %s.", r.at+1, what))
	}
	return problem(code, field+"."+member, fmt.Sprintf("Record %d, %s: %s.", r.at+1, member, what))
}
