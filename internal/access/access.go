package access

import (
	"context"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	idleLimit     = 30 * time.Minute // nobody is at the desk any more
	absoluteLimit = 12 * time.Hour   // longer than any shift
	seenEvery     = time.Minute      // a write per click would be a commit per click
	inviteFor     = 48 * time.Hour   // an e-mail sent on Friday is read on Sunday at best

	// The secrets are long enough that no slow hash is needed to keep them.
	tokenBytes   = 32
	inviteBytes  = 20
	invitePrefix = "pva_"
)

// Config is what Access is made of.
type Config struct {
	Store  store.Store
	Now    func() time.Time
	Random io.Reader // of secrets; safe for concurrent use
	Key    [32]byte  // seals the secrets of second factors; it is not in the store
}

// Access is the use case. Its methods may be called from many goroutines.
type Access struct {
	store  store.Store
	now    func() time.Time
	random io.Reader
	aead   cipher.AEAD

	hashing   chan struct{} // a place for each hash in progress
	waiting   chan struct{} // a place for each in progress or asked for
	strangers *tries        // of logins that nobody has
	addresses *tries
}

// New returns the use case.
func New(cfg Config) (*Access, error) {
	aead, err := newAEAD(cfg.Key)
	if err != nil {
		return nil, err
	}
	return &Access{store: cfg.Store, now: cfg.Now, random: cfg.Random, aead: aead, hashing: make(chan struct{}, maxHashes), waiting: make(chan struct{}, maxHashes+maxWaiting),
		strangers: newTries(freeTries), addresses: newTries(freeTriesOfAddress)}, nil
}

// Who is a person with a session.
type Who struct {
	Creditor multe.CreditorID
	Operator multe.OperatorID
	Name     string
	Login    string
	Role     multe.Role
	Session  int    // its place among the person's own
	Limited  bool   // the second factor is still to be enrolled: nothing else may be done
	CSRF     string // must come back with every form
}

// May reports whether they may do p. Who has a limited session may do nothing.
func (w Who) May(p multe.Permission) bool { return !w.Limited && w.Role.May(p) }

// Actor names them in the history.
func (w Who) Actor() string { return actorOf(w.Operator) }

func actorOf(id multe.OperatorID) string { return "operator:" + string(id) }

// Plate shows a plate as far as they may see it.
func (w Who) Plate(p multe.Plate) string {
	if w.May(multe.MaySeePersonal) {
		return string(p)
	}
	return multe.MaskPlate(p)
}

// CF shows a codice fiscale as far as they may see it.
func (w Who) CF(cf multe.CF) string {
	if w.May(multe.MaySeePersonal) {
		return string(cf)
	}
	return multe.MaskCF(cf)
}

// PersonName shows a name as far as they may see it.
func (w Who) PersonName(name string) string {
	if w.May(multe.MaySeePersonal) {
		return name
	}
	return multe.MaskName(name)
}

// From is where a browser is.
type From struct {
	Address string // as it is limited and shown: an IPv4 address, or an IPv6 /64
	Agent   string // class of browser; see multe.Session
}

// Look records that somebody saw personal data: what is the kind of page, such as
// "verbale"; subject the record, such as "verbale:…". A list is one look.
func (a *Access) Look(ctx context.Context, w Who, what, subject string, p multe.PositionID) error {
	return a.LookBy(ctx, w.Actor(), w.Creditor, what, subject, p)
}

// LookBy is Look for who has a token instead of a session.
func (a *Access) LookBy(ctx context.Context, actor string, c multe.CreditorID, what, subject string, p multe.PositionID) error {
	at := multe.Instant(a.now())
	err := a.store.Update(ctx, func(tx store.Tx) error {
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: actor, Action: "seen." + what, Position: p, Subject: subject})
	})
	if err != nil {
		return fmt.Errorf("recording a look: %w", err)
	}
	return nil
}

func (a *Access) secret(prefix string, bytes int) (string, error) {
	b := make([]byte, bytes)
	if _, err := io.ReadFull(a.random, b); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return prefix + base64.RawURLEncoding.EncodeToString(b), nil
}

func digest(secret string) multe.Digest { return multe.DigestOf([]byte(secret)) }

func operator(r store.Reader, c multe.CreditorID, id multe.OperatorID) (multe.Operator, error) {
	o, err := r.Operator(c, id)
	if errors.Is(err, fault.NotFound) {
		return o, fault.Wrap(fault.NotFound, "operator.unknown", "L'operatore non è registrato.", err)
	}
	return o, err
}

// put writes o as changed now, with a line of history.
func put(tx store.Tx, o multe.Operator, at time.Time, actor, action, from, to string) error {
	o.Version++
	o.Changed = at
	if err := tx.PutOperator(o); err != nil {
		return err
	}
	return tx.AppendAudit(multe.AuditEntry{Creditor: o.Creditor, At: at, Actor: actor, Action: action, Subject: string(o.ID), From: from, To: to})
}
