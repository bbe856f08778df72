package firmwareapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"preavviso/internal/documents"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// Shifts makes what a handheld takes along; package documents does it.
type Shifts interface {
	Shift(ctx context.Context, c multe.CreditorID) (documents.Shift, error)
}

// ReadShift serves GET /v1/shift.
func (s *server) ReadShift(ctx context.Context, r ReadShiftRequestObject) (ReadShiftResponseObject, error) {
	shift, err := s.shifts.Shift(ctx, caller(ctx).Creditor)
	if err != nil {
		return nil, err
	}
	return shiftResponse{shift, named(r.Params.IfNoneMatch, shift.ETag), accepts(r.Params.AcceptEncoding, "gzip")}, nil
}

// shiftResponse writes a shift as it was made: it is not marshalled again for each
// of thousands of handhelds.
type shiftResponse struct {
	documents.Shift
	same   bool
	packed bool
}

func (r shiftResponse) VisitReadShiftResponse(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("ETag", r.ETag)
	h.Set("Vary", "Accept-Encoding")
	if r.same {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	body := r.Body
	if r.packed {
		body = r.Gzip
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(body)
	return err
}

// named reports whether If-None-Match names a weak ETag (RFC 9110 §13.1.2).
func named(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag != "" && strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// accepts reports whether Accept-Encoding has a coding, unless with weight 0.
func accepts(header, coding string) bool {
	for item := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(item, ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}

// upload takes one slip. The receipt holds only what never changes, so that a
// repetition gets the same bytes.
func (s *server) upload(ctx context.Context, b Slip, date string) (Receipt, error) {
	slip, err := slipOf(b)
	if err != nil {
		return Receipt{}, err
	}
	digest, err := digestOf(slip)
	if err != nil {
		return Receipt{}, err
	}
	d := caller(ctx)
	v, _, err := s.verbali.Upload(ctx, d.Creditor, d.ID, slip, digest, s.skew(date))
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{Id: string(v.Slip.ID), Position: string(v.Slip.Position), Avviso: v.Slip.Number.String(), ReceivedAt: v.ReceivedAt, Digest: v.Digest.String()}
	for _, f := range v.Flags {
		receipt.Flags = append(receipt.Flags, Flag{Code: f.Code, Detail: f.Detail})
	}
	return receipt, nil
}

// skew is our clock minus the handheld's; nil if it does not tell its time.
func (s *server) skew(date string) *time.Duration {
	at, err := http.ParseTime(date)
	if err != nil {
		return nil
	}
	skew := s.now().Sub(at).Truncate(time.Second) // as exact as a Date is
	return &skew
}

// IssueBatch serves POST /v1/verbali/batch: each slip is a transaction of its own.
func (s *server) IssueBatch(ctx context.Context, r IssueBatchRequestObject) (IssueBatchResponseObject, error) {
	out := IssueBatch200JSONResponse{Verbali: make([]SlipOutcome, 0, len(r.Body.Verbali))}
	for _, raw := range r.Body.Verbali {
		var item struct{ ID string }
		_ = json.Unmarshal(raw, &item) // the schema says what is wrong with it
		o := SlipOutcome{Id: item.ID, Status: http.StatusOK}
		receipt, err := s.uploadRaw(ctx, raw, r.Params.Date)
		if err != nil {
			status, e := s.web.Outcome(ctx, err)
			o.Status, o.Problem = status, ItemProblem{Code: e.Code, Detail: e.Detail}
		} else {
			o.Receipt = receipt
		}
		out.Verbali = append(out.Verbali, o)
	}
	return out, nil
}

func (s *server) uploadRaw(ctx context.Context, raw []byte, date string) (Receipt, error) {
	if err := s.web.CheckBody("POST /v1/verbali", raw); err != nil {
		return Receipt{}, err
	}
	var b Slip
	if err := json.Unmarshal(raw, &b); err != nil {
		return Receipt{}, fault.Wrap(fault.Invalid, "request.invalid", "Il preavviso non è leggibile.", fmt.Errorf("a slip of a batch: %w", err))
	}
	return s.upload(ctx, b, date)
}
