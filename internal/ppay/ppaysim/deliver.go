package ppaysim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// Delivery is one message waiting in the queue of a creditor.
type Delivery struct {
	Operation string    `json:"operation"`        // as in the soapAction
	ID        string    `json:"id"`               // IdMessaggio; the same at every try
	Body      string    `json:"body"`             // the SOAP envelope
	Action    string    `json:"action,omitempty"` // soapAction, if not that of EPaywso2Enti
	Tries     int       `json:"tries"`
	NotBefore time.Time `json:"not_before"` // of the clock
	Failure   string    `json:"failure,omitempty"`
	Once      bool      `json:"once,omitempty"` // one try, delivered or not
}

// message is the record of a try.
func (d Delivery) message(cf, code, answer, failure string) Message {
	return Message{Direction: "out", Operation: d.Operation + "Request", CF: cf, ID: d.ID, Code: code, Failure: failure, Body: d.Body, Answer: answer}
}

// Stop says that a queue is no longer worked («Message Processor DISATTIVATO»,
// W2/schedule/jobimpl/ActiveMQCheckJob.java:100).
type Stop struct {
	CF    string    `json:"cf"`
	Since time.Time `json:"since"`
}

const soapAction = "http://www.csi.it/epay/epaywso/service/"

// Two lanes of a queue or of the lists: what is ahead comes before all that is
// behind, the last one first. Keys of files made before there were lanes are
// small numbers and come before both.
func behind(n uint64) uint64 { return 1<<62 + n }
func ahead(n uint64) uint64  { return 1<<62 - n }

// enqueue puts a message at the end of the queue of a creditor, and behind it
// those that were held until something else is sent.
func (s *Sim) enqueue(t tx, cf string, d Delivery) error {
	if err := s.put(t, cf, d, behind); err != nil {
		return err
	}
	return s.unhold(t, cf)
}

func (s *Sim) put(t tx, cf string, d Delivery, lane func(uint64) uint64) error {
	n, err := t.in(bQueue).NextSequence()
	if err != nil {
		return err
	}
	d.NotBefore = s.now().UTC()
	return put(t, bQueue, seqKey(lane(n), cf), d)
}

// unhold puts what is held for a creditor at the end of its queue.
func (s *Sim) unhold(t tx, cf string) error {
	for {
		k, d, err := first[Delivery](t, bHeld, prefix(cf))
		if err != nil || k == nil {
			return err
		}
		if err := t.in(bHeld).Delete(k); err != nil {
			return err
		}
		if err := s.put(t, cf, d, behind); err != nil {
			return err
		}
	}
}

// sendEsito sends an outcome, in the way it was told to. That outcomes come
// late, twice, never, and out of order follows from how the bus works; how often
// it happens is not known.
//
//parity:s16 W2/business/EPaywsoBusinessImpl.java:470-500
func (s *Sim) sendEsito(t tx, cf string, d Delivery, early bool) error {
	if s.spend(func(x *Settings) *int { return &x.EsitoLostNext }) {
		return s.record(t, d.message(cf, "", "", "never sent by the simulator"))
	}
	twice := s.spend(func(x *Settings) *int { return &x.EsitoTwiceNext })
	if s.spend(func(x *Settings) *int { return &x.EsitoLateNext }) {
		n, err := t.in(bHeld).NextSequence()
		if err != nil {
			return err
		}
		return put(t, bHeld, seqKey(n, cf), d)
	}
	send := s.enqueue
	if early {
		send = func(t tx, cf string, d Delivery) error { return s.put(t, cf, d, ahead) }
	}
	if twice {
		if err := send(t, cf, d); err != nil {
			return err
		}
	}
	return send(t, cf, d)
}

// workAhead elaborates a list that came first and delivers its outcome while its
// caller still waits for an answer. A creditor that cannot be reached is tried
// once.
//
//parity:s1 ours: nothing keeps an esito from overtaking the answer (two queues)
func (s *Sim) workAhead(ctx context.Context, body *node) {
	l := readList(body)
	if _, _, err := s.elaborateNext(l.op); err != nil {
		s.log.Error("elaborating a list ahead", "err", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	for !s.occupy(l.cf) { // Run may be at it
		select {
		case <-time.After(aheadPause):
		case <-ctx.Done():
			return
		}
	}
	if _, err := s.deliverAll(ctx, l.cf); err != nil {
		s.log.Error("delivering ahead", "creditor", l.cf, "err", err)
	}
}

// A head is the first message of a queue that is being worked.
type head struct {
	cf string
	at time.Time
}

// heads returns the heads of all queues that are not stopped.
func (s *Sim) heads() ([]head, error) {
	var hs []head
	err := s.view(func(t tx) error {
		var after []byte
		for {
			var cf string
			// The first message past everything of the creditor before.
			err := scan(t, bQueue, nil, after, func(k []byte, d Delivery) (bool, error) {
				cf, _, _ = strings.Cut(string(k), "\x00")
				if t.in(bStopped).Get([]byte(cf)) == nil {
					hs = append(hs, head{cf, d.NotBefore})
				}
				return false, nil
			})
			if err != nil || cf == "" {
				return err
			}
			after = []byte(cf + "\x01")
		}
	})
	return hs, err
}

// deliverAll works the queue of a creditor, claimed with occupy, until it is
// empty, waits for a retry, or stops.
func (s *Sim) deliverAll(ctx context.Context, cf string) (delivered bool, err error) {
	defer s.release(cf)
	for ctx.Err() == nil {
		did, err := s.deliverOne(ctx, cf)
		if err != nil || !did {
			return delivered, err
		}
		delivered = true
	}
	return delivered, nil
}

// deliverOne tries the head of a queue if it is due; a failed try is a try.
//
//parity:s16 W2/schedule/jobimpl/ActiveMQCheckJob.java:100
func (s *Sim) deliverOne(ctx context.Context, cf string) (tried bool, err error) {
	var (
		k       []byte
		d       Delivery
		to      Creditor
		stopped bool
	)
	err = s.view(func(t tx) (err error) {
		if k, d, err = first[Delivery](t, bQueue, prefix(cf)); err != nil || k == nil {
			return err
		}
		stopped = t.in(bStopped).Get([]byte(cf)) != nil
		to, _, err = get[Creditor](t, bCreditors, []byte(cf))
		return err
	})
	if err != nil || k == nil || stopped || d.NotBefore.After(s.now()) {
		return false, err
	}
	answer, code, failure := s.post(ctx, to, d)
	if ctx.Err() != nil {
		return false, nil // we stop; nobody failed
	}
	set := s.Settings()
	err = s.update(func(t tx) error {
		if err := s.record(t, d.message(cf, code, answer, failure)); err != nil {
			return err
		}
		if failure == "" {
			s.log.Info("delivered", "creditor", cf, "operation", d.Operation, "message", d.ID, "code", code)
			return t.in(bQueue).Delete(k)
		}
		if d.Once {
			s.log.Warn("not delivered, and not again", "creditor", cf, "operation", d.Operation, "message", d.ID, "failure", failure)
			return t.in(bQueue).Delete(k)
		}
		d.Tries++
		d.Failure = failure
		d.NotBefore = s.now().UTC().Add(backoff(time.Duration(set.Backoff), d.Tries))
		s.log.Warn("not delivered", "creditor", cf, "operation", d.Operation, "message", d.ID, "failure", failure, "tries", d.Tries)
		if d.Tries > set.Retries {
			s.log.Error("queue stopped", "creditor", cf)
			if err := put(t, bStopped, []byte(cf), Stop{CF: cf, Since: s.now().UTC()}); err != nil {
				return err
			}
		}
		return put(t, bQueue, k, d)
	})
	return err == nil, err
}

// backoff is the pause after so many failed tries (ours: the bus is not public).
//
//parity:s16 ours: the bus is not public
func backoff(first time.Duration, tries int) time.Duration {
	d := first
	for range tries - 1 {
		if d *= 2; d >= maxBackoff {
			return maxBackoff
		}
	}
	return d
}

// post tries to deliver once. No failure means that the creditor has it.
//
//parity:s16 W2/persistence/entity/EPaywsoTEndpoint.java:40
func (s *Sim) post(ctx context.Context, to Creditor, d Delivery) (answer, code, failure string) {
	if to.Endpoint == "" {
		return "", "", "no endpoint" // IssueEnum 120
	}
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	body := d.Body // what is recorded never has the header
	if to.WSS {
		body = strings.Replace(body, "<s:Body>", securityHeader(to.User, to.Password, s.now())+"<s:Body>", 1)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.Endpoint, strings.NewReader(body))
	if err != nil {
		return "", "", "endpoint is not a URL"
	}
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	r.Header.Set("SOAPAction", `"`+cmp.Or(d.Action, soapAction+d.Operation)+`"`)
	if to.User != "" {
		r.SetBasicAuth(to.User, to.Password)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return "", "", transportFailure(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return string(raw), "", transportFailure(err)
	}
	code, failure = judge(resp.StatusCode, raw)
	return string(raw), code, failure
}

// transportFailure leaves out the address, in which credentials may stand.
func transportFailure(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return "connection failed"
}

var threeDigits = regexp.MustCompile(`\A[0-9]{3}\z`)

// judge decides whether an answer means delivered: HTTP 200 and a result below
// 100, in whatever element of the body (one creditor answers another than the
// contract's, and is heard: silap …/wsdl/epay.wsdl:168).
//
//parity:s16 JOB/TrasmettiNotifichePagamento.java:435-455
//parity:s16 PA/business/impl/GestioneFlussiBusinessImpl.java:1785-1800
func judge(status int, raw []byte) (code, failure string) {
	if status != http.StatusOK {
		return "", fmt.Sprintf("HTTP %d", status)
	}
	root, err := parseXML(raw)
	if err != nil {
		return "", "answer is not XML"
	}
	body := soapBody(root)
	if body == nil {
		return "", "answer is no envelope with one element"
	}
	if body.name.Space == nsSOAP && body.name.Local == "Fault" {
		return "", "fault"
	}
	code = body.value("Result", "Codice")
	switch {
	case !threeDigits.MatchString(code):
		return "", "answer has no result"
	case code >= "100":
		return code, "result " + code
	default:
		return code, ""
	}
}

// enable starts the queue of a creditor again, from its head and with new tries.
//
//parity:s16 W2/schedule/jobimpl/ActiveMQCheckJob.java:100
func (s *Sim) enable(t tx, cf string) (found bool, err error) {
	if t.in(bStopped).Get([]byte(cf)) == nil {
		return false, nil
	}
	if err := t.in(bStopped).Delete([]byte(cf)); err != nil {
		return true, err
	}
	k, d, err := first[Delivery](t, bQueue, prefix(cf))
	if err != nil || k == nil {
		return true, err
	}
	d.Tries, d.NotBefore = 0, s.now().UTC()
	return true, put(t, bQueue, k, d)
}

// count returns how many records of a bucket lie under a prefix.
func count(b *bbolt.Bucket, under []byte) int {
	n := 0
	c := b.Cursor()
	for k, _ := c.Seek(under); k != nil && strings.HasPrefix(string(k), string(under)); k, _ = c.Next() {
		n++
	}
	return n
}
