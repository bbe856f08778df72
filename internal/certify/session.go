package certify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// session is one device being certified.
type session struct {
	*kit
	op      Operator
	server  string
	wait    time.Duration // for the device to do what it was told
	offline time.Duration
	rule    *Rule
	mark    int // exchanges before the present rule
	device  string
	key     string // enrolment code in use
}

// notRun is why a rule could not be tried.
type notRun struct{ why string }

func (e notRun) Error() string { return e.why }

// beat is how long a device has to make something of an answer before it is asked
// for the next thing.
const beat = 2 * time.Second

// ask asks the operator.
func (s *session) ask(ctx context.Context, a Action) (bool, error) {
	if err := s.watch(ctx, beat); err != nil {
		return false, err
	}
	a.Rule = s.rule.ID
	return s.op.Do(ctx, a)
}

// do is ask where a device that declines cannot be tried.
func (s *session) do(ctx context.Context, v Verb, count int) error {
	done, err := s.ask(ctx, Action{Verb: v, Count: count})
	if err == nil && !done {
		err = notRun{"Il palmare non ha permesso l'operazione richiesta."}
	}
	return err
}

// until waits for cond, which is called with the lock held, at most for d.
func (s *session) until(ctx context.Context, d time.Duration, cond func() bool) (bool, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		s.mu.Lock()
		ok := cond()
		s.mu.Unlock()
		if ok {
			return true, nil
		}
		select {
		case <-s.changed:
		case <-timer.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// watch lets d pass.
func (s *session) watch(ctx context.Context, d time.Duration) error {
	_, err := s.until(ctx, d, func() bool { return false })
	return err
}

// set plans what happens to the first n requests of an operation ("" is any);
// n < 0 is all of them.
func (s *session) set(op string, n int, m mishap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = plan{op: op, left: n, mishap: m}
}

func (s *session) clear() { s.set("", 0, mishap{}) }

// seen returns the exchanges of the present rule, of one operation or of all. The
// lock must be held.
func (s *session) seen(op string) []*exchange {
	var list []*exchange
	for _, e := range s.exchanges[s.mark:] {
		if op == "" || e.op == op {
			list = append(list, e)
		}
	}
	return list
}

// hit returns the first exchange of an operation that met the present fault. The
// lock must be held.
func (s *session) hit(op string) *exchange {
	for _, e := range s.seen(op) {
		if e.fault != "" {
			return e
		}
	}
	return nil
}

// stored counts the different slips that were stored during the present rule. The
// lock must be held.
func (s *session) stored() int {
	ids := map[string]bool{}
	for _, e := range s.seen(opIssue) {
		if e.stored() {
			ids[e.fields.ID] = true
		}
	}
	return len(ids)
}

// answered reports whether a request has got its answer: itself, or a repetition
// with the same body. The lock must be held.
func (s *session) answered(of *exchange) bool {
	for _, e := range s.seen(of.op) {
		if e.stored() && same(e.body, of.body) {
			return true
		}
	}
	return false
}

const (
	// blockSize is how many codes are asked for when the device runs short.
	blockSize = 10
	// poolSize is what the pool is filled up to.
	poolSize = 60
	// spare is how many free codes the kit leaves to what it does not see: a slip
	// that was printed and not uploaded.
	spare = 2
)

// need sees to it that the device has n codes to print.
func (s *session) need(ctx context.Context, n int) error {
	enough := func() bool { return s.unused() >= n+spare }
	if ok, err := s.until(ctx, 0, enough); ok || err != nil {
		return err
	}
	if err := s.service.setPool(ctx, poolSize); err != nil {
		return err
	}
	if err := s.do(ctx, Block, max(blockSize, n+spare)); err != nil {
		return err
	}
	ok, err := s.until(ctx, s.wait, enough)
	if err == nil && !ok {
		err = notRun{"Il palmare non ha chiesto i codici necessari alla prova."}
	}
	return err
}

// unused counts the codes that the device may still print. The lock must be held.
func (s *session) unused() (n int) {
	for _, l := range s.loans {
		if !l.used && !l.strange {
			n++
		}
	}
	return n
}

// free is unused, without the lock.
func (s *session) free() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unused()
}

// enrol enrols the device, with the first answer lost if the rule says so.
func (s *session) enrol(ctx context.Context) (*exchange, error) {
	id, code, err := s.service.invite(ctx, false)
	if err != nil {
		return nil, err
	}
	s.device, s.key = string(id), code
	done, err := s.ask(ctx, Action{Verb: Enrol, Server: s.server, Code: code})
	if err != nil {
		return nil, err
	}
	if !done {
		return nil, notRun{"Il palmare non ha permesso l'attivazione."}
	}
	var first *exchange
	ok, err := s.until(ctx, s.wait, func() bool {
		for _, e := range s.seen(opEnrol) {
			if e.fields.Code != code {
				continue
			}
			if first == nil {
				first = e
			}
			if e.stored() {
				return true
			}
		}
		return false
	})
	if err == nil && !ok {
		err = errNotEnrolled
	}
	return first, err
}

// errNotEnrolled ends a session: without it nothing can be tried.
var errNotEnrolled = errors.New("il palmare non si è attivato")

func failf(format string, args ...any) []string { return []string{fmt.Sprintf(format, args...)} }
