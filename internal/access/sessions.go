package access

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// The ways a session ends, as the login page tells them.
var (
	errNoSession = fault.New(fault.Forbidden, "session.none", "Per continuare bisogna accedere.")
	errIdle      = fault.New(fault.Forbidden, "session.idle", "La sessione è stata chiusa dopo 30 minuti senza attività. Quello che era già salvato non è andato perso.")
	errTooLong   = fault.New(fault.Forbidden, "session.too_long", "La sessione è stata chiusa perché durava da 12 ore. Quello che era già salvato non è andato perso.")
)

// Session tells who holds a token. The error is fault.Forbidden with a code of
// session.… when nobody does any more.
func (a *Access) Session(ctx context.Context, token string) (Who, error) {
	return a.session(ctx, token, true)
}

// Peek is [Access.Session] for what a page asks by itself: it is no sign that
// somebody sits there, and keeps no session open.
func (a *Access) Peek(ctx context.Context, token string) (Who, error) {
	return a.session(ctx, token, false)
}

func (a *Access) session(ctx context.Context, token string, somebody bool) (Who, error) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return Who{}, errNoSession
	}
	now := multe.Instant(a.now())
	var (
		s multe.Session
		o multe.Operator
	)
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		if s, err = r.SessionByToken(digest(token)); err != nil {
			return err
		}
		o, err = r.Operator(s.Creditor, s.Operator)
		return err
	})
	switch {
	case errors.Is(err, fault.NotFound) || err == nil && o.Disabled:
		return Who{}, errNoSession
	case err != nil:
		return Who{}, err
	}
	if err := ended(s, now); err != nil {
		return Who{}, err
	}
	if somebody && now.Sub(s.Seen) >= seenEvery {
		if err := a.seen(ctx, s, now); err != nil {
			return Who{}, err
		}
	}
	return Who{Creditor: o.Creditor, Operator: o.ID, Name: o.Name, Login: o.Login, Role: o.Role, Session: s.N, Limited: s.Limited, CSRF: csrf(token)}, nil
}

// csrf is a token that only a page of the session can know, and that tells nothing
// of the session's own.
func csrf(token string) string {
	d := digest("csrf:" + token)
	return base64.RawURLEncoding.EncodeToString(d[:])
}

// ended says whether, and why, a session is over at an instant.
func ended(s multe.Session, now time.Time) error {
	switch {
	case s.Token.IsZero():
		return errNoSession
	case now.Sub(s.Created) >= absoluteLimit:
		return errTooLong
	case now.Sub(s.Seen) >= idleLimit:
		return errIdle
	}
	return nil
}

func (a *Access) seen(ctx context.Context, s multe.Session, now time.Time) error {
	err := a.store.Update(ctx, func(tx store.Tx) error {
		cur, err := tx.SessionByToken(s.Token)
		if errors.Is(err, fault.NotFound) {
			return errNoSession // killed meanwhile
		}
		if err != nil || !cur.Seen.Before(now) {
			return err
		}
		cur.Seen = now
		cur.Version++
		return tx.PutSession(cur)
	})
	if err != nil {
		return fmt.Errorf("keeping a session: %w", err)
	}
	return nil
}

// openSession gives s a place: a free one, else one that ended, else that which
// was seen least recently.
func openSession(tx store.Tx, s multe.Session) error {
	all, err := tx.SessionsOf(s.Creditor, s.Operator)
	if err != nil {
		return err
	}
	if len(all) < multe.MaxSessions {
		s.N, s.Version = len(all)+1, 1
		return tx.PutSession(s)
	}
	oldest := all[0]
	for _, o := range all {
		if ended(o, s.Created) != nil {
			oldest = o
			break
		}
		if o.Seen.Before(oldest.Seen) {
			oldest = o
		}
	}
	s.N, s.Version = oldest.N, oldest.Version+1
	return tx.PutSession(s)
}

// replaceToken gives the session of w a new token, and all it may do: whoever knew
// the old one knows nothing.
func replaceToken(tx store.Tx, w Who, token multe.Digest, at time.Time) error {
	all, err := tx.SessionsOf(w.Creditor, w.Operator)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.N == w.Session && ended(s, at) == nil {
			s.Token, s.Limited, s.Seen = token, false, at
			s.Version++
			return tx.PutSession(s)
		}
	}
	return errNoSession
}

// Sessions lists the sessions of an operator that have not ended.
func (a *Access) Sessions(ctx context.Context, c multe.CreditorID, id multe.OperatorID) ([]multe.Session, error) {
	now := a.now()
	var open []multe.Session
	err := a.store.View(ctx, func(r store.Reader) error {
		open = nil
		if _, err := operator(r, c, id); err != nil {
			return err
		}
		all, err := r.SessionsOf(c, id)
		for _, s := range all {
			if ended(s, now) == nil {
				open = append(open, s)
			}
		}
		return err
	})
	return open, err
}

// SignOut ends the session of w.
func (a *Access) SignOut(ctx context.Context, w Who) error {
	return a.Kill(ctx, w.Actor(), w.Creditor, w.Operator, w.Session)
}

// Kill ends session n of an operator, 0 all of them. One that has ended is left as
// it is.
func (a *Access) Kill(ctx context.Context, actor string, c multe.CreditorID, id multe.OperatorID, n int) error {
	at := multe.Instant(a.now())
	err := a.store.Update(ctx, func(tx store.Tx) error {
		if _, err := operator(tx, c, id); err != nil {
			return err
		}
		return kill(tx, actor, c, id, at, func(s multe.Session) bool { return n == 0 || s.N == n })
	})
	if err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	return nil
}

func kill(tx store.Tx, actor string, c multe.CreditorID, id multe.OperatorID, at time.Time, which func(multe.Session) bool) error {
	all, err := tx.SessionsOf(c, id)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Token.IsZero() || !which(s) {
			continue
		}
		s.Token = multe.Digest{}
		s.Version++
		if err := tx.PutSession(s); err != nil {
			return err
		}
		if err := tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: actor, Action: "session.ended", Subject: string(id)}); err != nil {
			return err
		}
	}
	return nil
}
