package api

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/go-json-experiment/json/jsontext"

	"waybill/db"
)

// feedReader reads the records of a feed from its body one at a time, with bounded memory.
type feedReader struct {
	in     *bufio.Reader
	limit  limitedReader
	array  *jsontext.Decoder // of an array; nil for lines
	record []byte            // the text of the current record
	at     int               // its index, from 0
	odd    func()            // called after each invalid record
}

func newFeedReader(body io.Reader, lines bool) *feedReader {
	r := &feedReader{in: bufio.NewReaderSize(body, 64<<10), odd: func() {}}
	if !lines {
		r.limit = limitedReader{from: r.in}
		r.array = jsontext.NewDecoder(&r.limit, grammarOnly...)
	}
	return r
}

// limitedReader fails with errTooLong after the byte at offset until. jsontext.Decoder buffers a value, or
// the white space before it, without a limit (WithByteLimit is planned, https://go.dev/issue/56733).
type limitedReader struct {
	from       io.Reader
	pos, until int64
}

// Read implements io.Reader.
func (l *limitedReader) Read(p []byte) (int, error) {
	if l.pos >= l.until {
		return 0, errTooLong
	}
	n, err := l.from.Read(p[:min(int64(len(p)), l.until-l.pos)])
	l.pos += int64(n)
	return n, err
}

// records yields each record, or a *db.FeedFault in its place, and nothing after one that is the last.
func (r *feedReader) records(yield func(db.FeedRecord, error) bool) {
	for ; ; r.at++ {
		more, fault := r.next()
		if fault == nil && more && r.at == feedRecords {
			fault = r.refuse(bodyTooLarge, "", fmt.Sprintf("the maximum is %d records", feedRecords))
		}
		if fault != nil {
			fault.Last = true
			yield(db.FeedRecord{}, fault)
			return
		}
		if !more {
			return
		}
		record, fault := r.parse()
		var err error
		if fault != nil {
			err = fault
			r.odd()
		}
		if !yield(record, err) {
			return
		}
	}
}

// next reads the text of the next record into r.record.
func (r *feedReader) next() (more bool, fault *db.FeedFault) {
	var err error
	if r.array == nil {
		r.record = r.record[:0]
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
	if r.array.StackDepth() == 0 {
		if err := r.openArray(); err != nil {
			return false, err
		}
	}
	r.allow()
	switch kind := r.array.PeekKind(); kind {
	case jsontext.KindBeginObject, jsontext.KindInvalid:
		r.record, err = r.array.ReadValue()
		switch {
		case err == nil && len(r.record) > feedRecordMax:
			return false, errTooLong
		case kind == jsontext.KindInvalid && isGrammar(err):
			return false, errNoObject
		}
		return true, err
	case jsontext.KindEndArray:
		if _, err := r.array.ReadToken(); err != nil {
			return false, errNoObject // after a comma
		}
		return false, r.end()
	}
	return false, errNoObject
}

// allow lets the decoder read one more record, and white space before it.
func (r *feedReader) allow() { r.limit.until = r.array.InputOffset() + 2*feedRecordMax }

func (r *feedReader) openArray() error {
	r.allow()
	if r.array.PeekKind() != jsontext.KindBeginArray {
		if bytes.HasPrefix(trimmed(r.array.UnreadBuffer()), byteOrderMark[:1]) {
			return errMark
		}
		if _, err := r.array.ReadToken(); err != nil && !isGrammar(err) && !errors.Is(err, io.EOF) {
			return err
		}
		return errNoArray
	}
	_, err := r.array.ReadToken()
	return err
}

// end reads the rest of the body, which may only be white space.
func (r *feedReader) end() error {
	_, err := r.array.ReadToken()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil || isGrammar(err):
		return errTrailing
	}
	return err
}

// isGrammar reports whether err is about the text itself, neither its end nor its reading.
func isGrammar(err error) bool {
	var syntax *jsontext.SyntacticError
	return errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF)
}

// explain turns a read error into a fault.
func (r *feedReader) explain(err error) *db.FeedFault {
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoArray):
		return ofTheList(unreadableBody, "The body is not a JSON array.")
	case errors.Is(err, errMark):
		return ofTheList(unreadableBody, "The body begins with "+aMark+".")
	case errors.Is(err, errTrailing):
		return ofTheList(unreadableBody, "The array is followed by other text.")
	case errors.Is(err, errTooLong):
		return r.refuse(bodyTooLarge, "", fmt.Sprintf("longer than %d KiB", feedRecordMax>>10))
	case errors.Is(err, errNoObject):
		return r.refuse(unreadableBody, "", "expected an object in a valid JSON array")
	case isGrammar(err):
		return r.refuse(unreadableBody, "", notOneText)
	case errors.As(err, &network) && network.Timeout():
		return ofTheList(requestTimeout, "")
	}
	return r.refuse(unreadableBody, "", "the body is incomplete")
}

// refuse returns the fault of the current record, or of a member of it.
func (r *feedReader) refuse(code db.Code, member, what string) *db.FeedFault {
	return &db.FeedFault{Record: r.at, Field: member, Code: code, Detail: what}
}

// ofTheList returns the fault of a list as a whole.
func ofTheList(code db.Code, detail string) *db.FeedFault {
	return &db.FeedFault{Record: -1, Code: code, Detail: detail}
}
