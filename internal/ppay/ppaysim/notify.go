package ppaysim

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// notifyDue returns when the notification job runs next, and false if it only
// runs when asked.
func (s *Sim) notifyDue() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastNotify.Add(time.Duration(s.settings.NotifyEvery)), s.settings.NotifyEvery > 0
}

// Notify runs the notification job once and returns how many messages it made:
// for each codice versamento one, of at most 50 payments in no order
// (JOB/TrasmettiNotifichePagamento.java; jpqlQueries.xml:363-371 does not sort).
//
//parity:s14 JOB/TrasmettiNotifichePagamento.java:100-500
//parity:s14 ES/integration/db/manager/PagamentoManager.java:440-478
func (s *Sim) Notify() (messages int, err error) {
	s.mu.Lock()
	s.lastNotify = s.now()
	down := s.settings.BusDown
	s.mu.Unlock()
	idle := false
	if err := s.view(func(t tx) error {
		k, _ := t.in(bUntold).Cursor().First()
		idle = k == nil
		return nil
	}); err != nil || idle {
		return 0, err
	}
	err = s.update(func(t tx) error {
		groups, err := untold(t)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if err := s.tell(t, g, down); err != nil {
				return fmt.Errorf("payments of %s: %w", g.cf, err)
			}
			messages++
		}
		return nil
	})
	if messages > 0 {
		s.log.Info("payments told", "messages", messages, "bus_down", down)
	}
	return messages, err
}

// A group is the payments of one message.
type group struct {
	cf, code string
	keys     [][]byte // of bUntold
}

// untold returns the first payments to tell of each codice versamento.
//
//parity:s14 ES/integration/db/manager/PagamentoManager.java:440-478
func untold(t tx) ([]group, error) {
	var gs []group
	c := t.in(bUntold).Cursor()
	for k, _ := c.First(); k != nil; {
		parts := strings.SplitN(string(k), "\x00", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("key %q of %s", k, bUntold)
		}
		g, under := group{cf: parts[0], code: parts[1]}, prefix(parts[0], parts[1])
		for ; k != nil && bytes.HasPrefix(k, under) && len(g.keys) < notifyBatch; k, _ = c.Next() {
			g.keys = append(g.keys, bytes.Clone(k))
		}
		gs = append(gs, g)
		k, _ = c.Seek(append(under[:len(under)-1:len(under)-1], 1)) // past the rest of the group
	}
	return gs, nil
}

// tell makes one message. The payments count as told when the bus takes it,
// before the creditor has seen it (l.430-455); while the bus is down they go out
// again later, under another id.
//
//parity:s14 JOB/TrasmettiNotifichePagamento.java:430-455
func (s *Sim) tell(t tx, g group, down bool) error {
	for i := len(g.keys) - 1; i > 0; i-- { // Fisher–Yates
		j, err := s.uniform(int64(i + 1))
		if err != nil {
			return err
		}
		g.keys[i], g.keys[j] = g.keys[j], g.keys[i]
	}
	id, err := s.messageID("TNP")
	if err != nil {
		return err
	}
	payments := make([]told, len(g.keys))
	for i, k := range g.keys {
		parts := strings.Split(string(k), "\x00")
		at := t.in(bIUVs).Get([]byte(parts[2]))
		p, found, err := get[Position](t, bPositions, at)
		if err != nil || !found {
			return fmt.Errorf("position of IUV %s: %w", parts[2], err)
		}
		for j := range p.Payments {
			if pay := &p.Payments[j]; pay.IUR == parts[3] {
				if down {
					pay.Lost = append(pay.Lost, id)
				} else {
					pay.Told = id
				}
				payments[i] = told{position: p, payment: *pay}
			}
		}
		if err := put(t, bPositions, bytes.Clone(at), p); err != nil {
			return err
		}
	}
	if down {
		return s.record(t, notification(id, g.cf, g.code, payments, notice{}).message(g.cf, "", "", "not taken by the bus"))
	}
	d := notification(id, g.cf, g.code, payments, s.mangle(payments))
	if !s.spend(func(x *Settings) *int { return &x.NotifyAgainNext }) {
		for _, k := range g.keys {
			if err := t.in(bUntold).Delete(k); err != nil {
				return err
			}
		}
	}
	if s.spend(func(x *Settings) *int { return &x.NotifyTwiceNext }) {
		if err := s.enqueue(t, g.cf, d); err != nil {
			return err
		}
	}
	return s.enqueue(t, g.cf, d)
}

// A notice is how a message of payments departs from the usual.
type notice struct {
	offTotal bool // the total was summed before an amount was replaced
	plain    bool // dates have no zone
}

// mangle decides what is wrong with the message of these payments.
//
//parity:s15 JOB/TrasmettiNotifichePagamento.java:212-249
//parity:s15 JOB/TrasmettiNotifichePagamento.java:281-287
func (s *Sim) mangle(payments []told) notice {
	for i := range payments {
		p := &payments[i]
		p.noPSP = s.spend(func(x *Settings) *int { return &x.NotifyNoPSPNext })
		p.joined = s.spend(func(x *Settings) *int { return &x.NotifyJoinedNext })
		p.noCode = s.spend(func(x *Settings) *int { return &x.NotifyNoCodeNext })
	}
	return notice{offTotal: s.spend(func(x *Settings) *int { return &x.NotifyTotalNext }), plain: s.Settings().NotifyPlainDates}
}
