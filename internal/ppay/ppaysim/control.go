package ppaysim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"preavviso/internal/avviso"
)

// control adds the control API (README.md) to mux. It asks for no credentials:
// whoever reaches it can pay.
func (s *Sim) control(mux *http.ServeMux) {
	for pattern, h := range map[string]func(*http.Request) (any, error){
		"GET /control/v1/enti":                     s.getCreditors,
		"PUT /control/v1/enti":                     s.putCreditors,
		"GET /control/v1/positions":                s.getPositions,
		"POST /control/v1/verify":                  s.postVerify,
		"POST /control/v1/pay":                     s.postPay,
		"POST /control/v1/in-progress":             s.postStart,
		"POST /control/v1/abandon":                 s.postAbandon,
		"POST /control/v1/rt":                      s.postReceipt,
		"POST /control/v1/revoke":                  s.postRevoke,
		"POST /control/v1/expired":                 s.postExpired,
		"POST /control/v1/reset":                   s.postReset,
		"POST /control/v1/seed":                    s.postSeed,
		"GET /control/v1/settings":                 s.getSettings,
		"PUT /control/v1/settings":                 s.putSettings,
		"GET /control/v1/clock":                    s.getClock,
		"PUT /control/v1/clock":                    s.putClock,
		"POST /control/v1/flows":                   s.postFlow,
		"POST /control/v1/flows/send":              s.postFlowAgain,
		"GET /control/v1/flows":                    s.getFlows,
		"POST /control/v1/notify":                  s.postNotify,
		"GET /control/v1/messages":                 s.getMessages,
		"GET /control/v1/deliveries":               s.getDeliveries,
		"POST /control/v1/deliveries/{cf}/enable":  s.postEnable,
		"POST /control/v1/deliveries/{cf}/stop":    s.postStop,
		"POST /control/v1/deliveries/{cf}/release": s.postRelease,
		"GET /control/v1/register":                 s.getRegister,
		"GET /control/v1/dump":                     s.getDump,
		"GET /healthz":                             s.getHealth,
		"GET /control/v1/healthz":                  s.getHealth,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := h(r)
			s.answer(w, r, v, err)
		})
	}
}

// refused is an error a caller of the control API can do something about.
type refused struct {
	status int
	ko
}

func (e *refused) Error() string { return e.Code }

func badRequest(detail string) error {
	return &refused{http.StatusBadRequest, ko{"BAD_REQUEST", detail}}
}

func (s *Sim) answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	status := http.StatusOK
	if no, ok := errors.AsType[*refused](err); ok {
		status, v = no.status, no.ko
	} else if err != nil {
		s.log.Error("control request failed", "route", r.Pattern, "err", err)
		status, v = http.StatusInternalServerError, ko{"INTERNAL", "internal error"}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller went away
}

// decode reads a JSON body onto v; what it leaves out keeps its value.
func decode[T any](r *http.Request, v *T) error {
	raw, err := readBody(r)
	if err != nil {
		return err
	}
	return unmarshal(raw, v)
}

func readBody(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxControl+1))
	if err != nil {
		return nil, badRequest("body cannot be read")
	}
	if len(raw) > maxControl {
		return nil, badRequest("body too large")
	}
	return raw, nil
}

func unmarshal[T any](raw []byte, v *T) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badRequest(err.Error())
	}
	return nil
}

func (s *Sim) getHealth(*http.Request) (any, error) {
	return map[string]string{"status": "ok"}, s.view(func(tx) error { return nil })
}

func (s *Sim) getCreditors(*http.Request) (any, error) {
	out := []Creditor{}
	err := s.view(func(t tx) error {
		return scan(t, bCreditors, nil, nil, func(_ []byte, c Creditor) (bool, error) {
			c.Password = ""
			out = append(out, c)
			return true, nil
		})
	})
	return map[string][]Creditor{"enti": out}, err
}

// putCreditors adds or replaces the creditors it is given.
func (s *Sim) putCreditors(r *http.Request) (any, error) {
	var in struct {
		Enti []Creditor `json:"enti"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	for _, c := range in.Enti {
		if err := c.check(); err != nil {
			return nil, badRequest(err.Error())
		}
	}
	err := s.update(func(t tx) error {
		for _, c := range in.Enti {
			if err := put(t, bCreditors, []byte(c.CF), c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.getCreditors(r)
}

// page reads after and limit; a cursor is opaque.
func page(r *http.Request) (after []byte, limit int, err error) {
	if limit, err = pageLimit(r); err != nil {
		return nil, 0, err
	}
	if after, err = base64.RawURLEncoding.DecodeString(r.FormValue("after")); err != nil {
		return nil, 0, badRequest("after: not a cursor")
	}
	return after, limit, nil
}

func pageLimit(r *http.Request) (int, error) {
	v := r.FormValue("limit")
	if v == "" {
		return maxPage, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxPage {
		return 0, badRequest("limit: 1 to " + strconv.Itoa(maxPage))
	}
	return n, nil
}

func cursor(k []byte) string { return base64.RawURLEncoding.EncodeToString(k) }

// getPositions lists positions; id, iuv, avviso, cf and type each narrow it.
func (s *Sim) getPositions(r *http.Request) (any, error) {
	after, limit, err := page(r)
	if err != nil {
		return nil, err
	}
	out := struct {
		Positions []Position `json:"positions"`
		Next      string     `json:"next,omitempty"`
	}{Positions: []Position{}}
	avviso, iuv := r.FormValue("avviso"), r.FormValue("iuv")
	err = s.view(func(t tx) error {
		if avviso != "" || iuv != "" {
			k, p, _, err := find(t, avviso, iuv)
			if err == nil && k != nil {
				out.Positions = append(out.Positions, p)
			}
			return err
		}
		return scan(t, bPositions, nil, after, func(k []byte, p Position) (bool, error) {
			for want, is := range map[string]string{"id": p.ID, "cf": p.CF, "type": p.Type} {
				if v := r.FormValue(want); v != "" && v != is {
					return true, nil
				}
			}
			out.Positions = append(out.Positions, p)
			if len(out.Positions) == limit {
				out.Next = cursor(k)
			}
			return len(out.Positions) < limit, nil
		})
	})
	return out, err
}

// counter runs one act at the counter in a transaction.
func (s *Sim) counter(r *http.Request, act func(tx, receipt) (any, *ko, error)) (any, error) {
	var in receipt
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return s.atCounter(in, act)
}

func (s *Sim) atCounter(in receipt, act func(tx, receipt) (any, *ko, error)) (any, error) {
	if in.IUR != "" && !chars(35)(in.IUR) || in.Cents != nil && (*in.Cents < 0 || *in.Cents > avviso.MaxCents) || in.Kind < 0 || in.Kind > 9 {
		return nil, badRequest("iur has 1 to 35 characters, cents 0 to 99999999999, kind 0 to 9")
	}
	if in.Payer != nil && !in.Payer.valid() {
		return nil, badRequest("payer: cf and either cognome and nome, or company and ragione_sociale")
	}
	var (
		out any
		no  *ko
	)
	err := s.update(func(t tx) (err error) {
		out, no, err = act(t, in)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case no == koUnknown:
		return nil, &refused{http.StatusNotFound, *no}
	case no != nil:
		return nil, &refused{http.StatusConflict, *no}
	}
	s.nudge()
	return out, nil
}

func (s *Sim) postVerify(r *http.Request) (any, error) {
	return s.counter(r, func(t tx, in receipt) (any, *ko, error) { return three(s.verify(t, in)) })
}

func (s *Sim) postStart(r *http.Request) (any, error) {
	return s.counter(r, func(t tx, in receipt) (any, *ko, error) { return three(s.start(t, in)) })
}

func (s *Sim) postAbandon(r *http.Request) (any, error) {
	return s.counter(r, func(t tx, in receipt) (any, *ko, error) { return three(s.abandon(t, in)) })
}

func three(p Position, no *ko, err error) (any, *ko, error) { return p, no, err }

func (s *Sim) postPay(r *http.Request) (any, error) { return s.counter(r, s.payAtCounter) }

func (s *Sim) payAtCounter(t tx, in receipt) (any, *ko, error) {
	p, pay, no, err := s.settle(t, in)
	if no == nil && err == nil {
		s.log.Info("paid", "iuv", p.IUV, "cents", int64(pay.Cents))
	}
	return struct {
		Position Position `json:"position"`
		Payment  Payment  `json:"payment"`
	}{p, pay}, no, err
}

// postReceipt sends a receipt (RT); a negative one needs no payment.
func (s *Sim) postReceipt(r *http.Request) (any, error) {
	return s.counter(r, func(t tx, in receipt) (any, *ko, error) { return three(s.sendReceipt(t, in, in.Negative)) })
}

// postRevoke takes a payment back.
func (s *Sim) postRevoke(r *http.Request) (any, error) {
	return s.counter(r, func(t tx, in receipt) (any, *ko, error) { return three(s.revoke(t, in, fmt.Sprint(in.Kind))) })
}

func (s *Sim) postExpired(*http.Request) (any, error) {
	n := 0
	err := s.update(func(t tx) (err error) {
		n, err = s.sendExpired(t)
		return err
	})
	s.nudge()
	return map[string]int{"messages": n}, err
}

func (s *Sim) getSettings(*http.Request) (any, error) { return s.Settings(), nil }

// putSettings changes what it is given and leaves the rest.
func (s *Sim) putSettings(r *http.Request) (any, error) {
	raw, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return s.changeSettings(raw)
}

func (s *Sim) changeSettings(raw []byte) (Settings, error) {
	return s.change(func(now Settings) (Settings, error) {
		next, err := patch(now, raw)
		if err == nil {
			err = next.Check()
		}
		if err != nil {
			return now, badRequest(err.Error())
		}
		return next, nil
	})
}

// Clock is the platform's time.
type Clock struct {
	Now    time.Time `json:"now"`    // platform time
	Offset Duration  `json:"offset"` // ahead of the machine's clock; negative is behind
}

func (s *Sim) getClock(*http.Request) (any, error) {
	var c Clock
	err := s.view(func(t tx) error {
		d, err := t.offset()
		c = Clock{s.now().Add(d).UTC(), Duration(d)}
		return err
	})
	return c, err
}

// A clockMove sets platform time, or moves it. One of its fields is there.
type clockMove struct {
	Now     time.Time `json:"now"`
	Offset  *Duration `json:"offset"`
	Advance *Duration `json:"advance"`
}

func (m clockMove) check() error {
	given := 0
	for _, g := range []bool{!m.Now.IsZero(), m.Offset != nil, m.Advance != nil} {
		if g {
			given++
		}
	}
	if given != 1 {
		return errors.New("want one of now, offset, advance")
	}
	return nil
}

// putClock sets the offset, or moves it so that it is a certain time now, or by
// a duration. Delays and retries do not notice.
func (s *Sim) putClock(r *http.Request) (any, error) {
	var in clockMove
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, badRequest(err.Error())
	}
	if err := s.moveClock(in); err != nil {
		return nil, err
	}
	return s.getClock(r)
}

// moveClock moves what the back end takes for today.
//
//parity:s22 IUVSRV/util/Utility.java:21-67
func (s *Sim) moveClock(m clockMove) error {
	err := s.update(func(t tx) error {
		d, err := t.offset()
		if err != nil {
			return err
		}
		switch {
		case m.Offset != nil:
			d = time.Duration(*m.Offset)
		case m.Advance != nil:
			d += time.Duration(*m.Advance)
		default:
			d = m.Now.Sub(s.now())
		}
		return put(t, bMeta, []byte(kOffset), d)
	})
	if err == nil {
		s.log.Info("clock moved")
	}
	return err
}

func (s *Sim) postNotify(*http.Request) (any, error) {
	n, err := s.Notify()
	s.nudge()
	return map[string]int{"messages": n}, err
}

// getMessages lists recorded messages; after is the Seq of the last one seen.
func (s *Sim) getMessages(r *http.Request) (any, error) {
	var after uint64
	if v := r.FormValue("after"); v != "" {
		var err error
		if after, err = strconv.ParseUint(v, 10, 64); err != nil {
			return nil, badRequest("after: the seq of a message")
		}
	}
	limit, err := pageLimit(r)
	if err != nil {
		return nil, err
	}
	out := struct {
		Messages []Message `json:"messages"`
	}{Messages: []Message{}}
	size := 0
	err = s.view(func(t tx) error {
		return scan(t, bMessages, nil, seqKey(after), func(_ []byte, m Message) (bool, error) {
			out.Messages = append(out.Messages, m)
			size += len(m.Body) + len(m.Answer)
			return len(out.Messages) < limit && size < maxPageBytes, nil
		})
	})
	return out, err
}

// Queue is what waits for one creditor.
type Queue struct {
	CF      string     `json:"cf"`
	Stopped *time.Time `json:"stopped,omitempty"` // since when
	Waiting int        `json:"waiting"`
	Held    int        `json:"held"` // until something else is sent, or they are released
	Head    *Delivery  `json:"head,omitempty"`
}

func (s *Sim) getDeliveries(*http.Request) (any, error) {
	out := struct {
		Lists  map[string]int `json:"lists"` // waiting to be elaborated, by operation
		Queues []Queue        `json:"queues"`
	}{map[string]int{}, []Queue{}}
	err := s.view(func(t tx) (err error) {
		for _, o := range []op{opInsert, opUpdate} {
			out.Lists[string(o)] = count(t.in(bLists), prefix(string(o)))
		}
		out.Queues, err = queues(t)
		return err
	})
	return out, err
}

func queues(t tx) (out []Queue, err error) {
	out = []Queue{}
	err = scan(t, bCreditors, nil, nil, func(k []byte, c Creditor) (bool, error) {
		q := Queue{CF: c.CF, Waiting: count(t.in(bQueue), prefix(c.CF)), Held: count(t.in(bHeld), prefix(c.CF))}
		stop, stopped, err := get[Stop](t, bStopped, k)
		if err != nil {
			return false, err
		}
		if stopped {
			q.Stopped = &stop.Since
		}
		at, d, err := first[Delivery](t, bQueue, prefix(c.CF))
		if at != nil {
			q.Head = &d
		}
		out = append(out, q)
		return true, err
	})
	return out, err
}

func (s *Sim) postEnable(r *http.Request) (any, error) {
	found := false
	err := s.update(func(t tx) (err error) {
		found, err = s.enable(t, r.PathValue("cf"))
		return err
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &refused{http.StatusNotFound, ko{"NOT_STOPPED", "The queue of this creditor is not stopped."}}
	}
	s.nudge()
	return s.getDeliveries(r)
}

// postStop stops a queue, as too many failures would.
func (s *Sim) postStop(r *http.Request) (any, error) { return s.withQueue(r, s.stop) }

func (s *Sim) stop(t tx, cf string) error {
	return put(t, bStopped, []byte(cf), Stop{CF: cf, Since: s.now().UTC()})
}

// postRelease sends what is held.
func (s *Sim) postRelease(r *http.Request) (any, error) { return s.withQueue(r, s.unhold) }

func (s *Sim) withQueue(r *http.Request, f func(tx, string) error) (any, error) {
	if err := s.withQueueOf(r.PathValue("cf"), f); err != nil {
		return nil, err
	}
	return s.getDeliveries(r)
}

func (s *Sim) withQueueOf(cf string, f func(tx, string) error) error {
	err := s.update(func(t tx) error {
		if cf == "" || t.in(bCreditors).Get([]byte(cf)) == nil {
			return &refused{http.StatusNotFound, ko{"NO_CREDITOR", "There is no such creditor."}}
		}
		return f(t, cf)
	})
	s.nudge()
	return err
}

// postReset forgets everything but the creditors and the callers of REST, and
// puts the settings back to those it was started with.
func (s *Sim) postReset(*http.Request) (any, error) {
	err := s.update(func(t tx) error {
		callers := bytes.Clone(t.in(bMeta).Get([]byte(kCallers)))
		for _, name := range buckets {
			if name == bCreditors {
				continue
			}
			if err := t.DeleteBucket([]byte(name)); err != nil {
				return err
			}
			if _, err := t.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		if callers != nil {
			return t.in(bMeta).Put([]byte(kCallers), callers)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.log.Info("reset")
	return s.change(func(Settings) (Settings, error) { return s.initial, nil })
}

// postSeed makes positions as a list would, without sending anything: active
// ones with cents, else codes of a pool.
func (s *Sim) postSeed(r *http.Request) (any, error) {
	var in struct {
		CF    string `json:"cf"`
		Type  string `json:"type"`
		Count int    `json:"count"`
		Cents Cents  `json:"cents"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Count < 1 || in.Count > maxPage || in.Cents < 0 || in.Cents > avviso.MaxCents {
		return nil, badRequest("count is 1 to 1000, cents 0 to 99999999999")
	}
	out := struct {
		Positions []Position `json:"positions"`
	}{[]Position{}}
	err := s.update(func(t tx) (err error) {
		out.Positions, err = s.seed(t, in.CF, in.Type, in.Count, in.Cents)
		return err
	})
	return out, err
}

func (s *Sim) getRegister(r *http.Request) (any, error) {
	after, limit, err := page(r)
	if err != nil {
		return nil, err
	}
	out := struct {
		Register []RegisterEntry `json:"register"`
		Next     string          `json:"next,omitempty"`
	}{Register: []RegisterEntry{}}
	err = s.view(func(t tx) error {
		return scan(t, bRegister, nil, after, func(k []byte, e RegisterEntry) (bool, error) {
			out.Register = append(out.Register, e)
			if len(out.Register) == limit {
				out.Next = cursor(k)
			}
			return len(out.Register) < limit, nil
		})
	})
	return out, err
}

// Dump is everything the platform believes, at one moment.
type Dump struct {
	Now       time.Time       `json:"now"` // platform time
	Positions []Position      `json:"positions"`
	Register  []RegisterEntry `json:"register"`
}

// Dump returns all positions and the register, read in one transaction. It is
// for tests and debugging: it holds all of it in memory.
func (s *Sim) Dump() (Dump, error) {
	d := Dump{Positions: []Position{}, Register: []RegisterEntry{}}
	err := s.view(func(t tx) (err error) {
		if d.Now, err = s.platformNow(t); err != nil {
			return err
		}
		if err := scan(t, bPositions, nil, nil, func(_ []byte, p Position) (bool, error) {
			d.Positions = append(d.Positions, p)
			return true, nil
		}); err != nil {
			return err
		}
		return scan(t, bRegister, nil, nil, func(_ []byte, e RegisterEntry) (bool, error) {
			d.Register = append(d.Register, e)
			return true, nil
		})
	})
	return d, err
}

func (s *Sim) getDump(*http.Request) (any, error) { return s.Dump() }
