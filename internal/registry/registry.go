package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// The secrets. The prefix lets a person, and a scanner of leaked secrets, see
// what was found.
const (
	operatorPrefix = "pvo_"
	devicePrefix   = "pvd_"
	invitePrefix   = "pvi_"

	tokenBytes  = 32 // 256 bits: kept for years
	inviteBytes = 16 // 128 bits: fits a small QR code, lives minutes

	// inviteFor is how long an enrolment code is good: somebody stands beside
	// the handheld while it is used.
	inviteFor = 10 * time.Minute

	maxOperatorName = 100
	maxDeviceName   = 50
)

// Registry keeps creditors, operators and devices.
type Registry struct {
	store  store.Store
	now    func() time.Time
	random io.Reader
}

// New returns a Registry. random must be a cryptographic source that many
// goroutines may read: it makes the secrets.
func New(s store.Store, now func() time.Time, random io.Reader) *Registry {
	return &Registry{store: s, now: now, random: random}
}

// AddCreditor adds a creditor as an administrator described it. One that exists
// is a [fault.Conflict].
func (r *Registry) AddCreditor(ctx context.Context, actor string, c multe.Creditor) (multe.Creditor, error) {
	if err := validCreditor(c); err != nil {
		return multe.Creditor{}, err
	}
	at := multe.Instant(r.now())
	c.Version, c.Changed = 1, at
	err := r.store.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Creditor(c.ID)
		if err == nil {
			return fault.New(fault.Conflict, "creditor.exists", "L'ente è già registrato.")
		}
		if !errors.Is(err, fault.NotFound) {
			return err
		}
		if err := store.SaveCreditor(tx, c, actor, at); err != nil {
			return err
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: c.ID, At: at, Actor: actor, Action: "creditor.added", Subject: string(c.ID)})
	})
	if err != nil {
		return multe.Creditor{}, fmt.Errorf("adding creditor: %w", err)
	}
	return c, nil
}

// Creditor returns one creditor.
func (r *Registry) Creditor(ctx context.Context, id multe.CreditorID) (multe.Creditor, error) {
	var c multe.Creditor
	err := r.store.View(ctx, func(rd store.Reader) (err error) {
		c, err = creditor(rd, id)
		return err
	})
	return c, err
}

// Creditors lists creditors by id, after the given one, at most limit
// (≤ [store.MaxPage]).
func (r *Registry) Creditors(ctx context.Context, after multe.CreditorID, limit int) ([]multe.Creditor, error) {
	var cs []multe.Creditor
	err := r.store.View(ctx, func(rd store.Reader) (err error) {
		cs, err = rd.Creditors(after, limit)
		return err
	})
	return cs, err
}

// AddOperator adds somebody to a creditor's back office. The token is returned
// here and never again.
//
// role "" is a program that may do everything.
func (r *Registry) AddOperator(ctx context.Context, actor string, c multe.CreditorID, name string, role multe.Role) (multe.Operator, string, error) {
	if !validName(name, maxOperatorName) {
		return multe.Operator{}, "", fault.New(fault.Invalid, "operator.bad_name", "Il nome dell'operatore è obbligatorio, al massimo 100 caratteri.")
	}
	at := multe.Instant(r.now())
	id, token, err := r.identity(operatorPrefix, tokenBytes, at)
	if err != nil {
		return multe.Operator{}, "", err
	}
	op := multe.Operator{Creditor: c, ID: multe.OperatorID(id), Name: name, Role: role, Token: digest(token), Version: 1, Changed: at}
	err = r.store.Update(ctx, func(tx store.Tx) error {
		if _, err := creditor(tx, c); err != nil {
			return err
		}
		if err := tx.PutOperator(op); err != nil {
			return err
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: actor, Action: "operator.added", Subject: id})
	})
	if err != nil {
		return multe.Operator{}, "", fmt.Errorf("adding operator: %w", err)
	}
	return op, token, nil
}

// AddDevice adds a handheld. bearer lets it enrol without a key, for firmware
// that cannot sign. The enrolment code is returned here and never again; it is
// good for ten minutes and one use.
func (r *Registry) AddDevice(ctx context.Context, actor string, c multe.CreditorID, name string, bearer bool) (multe.Device, string, error) {
	if !validName(name, maxDeviceName) {
		return multe.Device{}, "", fault.New(fault.Invalid, "device.bad_name", "Il nome del palmare è obbligatorio, al massimo 50 caratteri.")
	}
	at := multe.Instant(r.now())
	id, code, err := r.identity(invitePrefix, inviteBytes, at)
	if err != nil {
		return multe.Device{}, "", err
	}
	d := multe.Device{Creditor: c, ID: multe.DeviceID(id), Name: name, State: multe.DeviceInvited, Bearer: bearer,
		Invite: digest(code), InviteBy: multe.Instant(at.Add(inviteFor)), Version: 1, Changed: at}
	err = r.store.Update(ctx, func(tx store.Tx) error {
		if _, err := creditor(tx, c); err != nil {
			return err
		}
		return putDevice(tx, actor, "device.invited", "", d)
	})
	if err != nil {
		return multe.Device{}, "", fmt.Errorf("adding device: %w", err)
	}
	return d, code, nil
}

// InviteDevice gives a known handheld a new enrolment code, for an app that was
// installed again. The key or token it had stops working.
func (r *Registry) InviteDevice(ctx context.Context, actor string, c multe.CreditorID, id multe.DeviceID) (multe.Device, string, error) {
	at := r.now()
	code, err := r.secret(invitePrefix, inviteBytes)
	if err != nil {
		return multe.Device{}, "", err
	}
	var next multe.Device
	err = r.store.Update(ctx, func(tx store.Tx) error {
		d, err := device(tx, c, id)
		if err != nil {
			return err
		}
		if next, err = d.Reinvite(digest(code), at.Add(inviteFor), at); err != nil {
			return err
		}
		return putDevice(tx, actor, "device.invited", d.State, next)
	})
	if err != nil {
		return multe.Device{}, "", fmt.Errorf("inviting device: %w", err)
	}
	return next, code, nil
}

// RevokeDevice ends a handheld for good, and sets aside every code it holds:
// each may be on paper already. It returns them, oldest first, with those that
// were set aside before and are on no slip that we know: they are exposed.
func (r *Registry) RevokeDevice(ctx context.Context, actor string, c multe.CreditorID, id multe.DeviceID) (multe.Device, []multe.Code, error) {
	at := r.now()
	var (
		next    multe.Device
		exposed []multe.Code
	)
	err := r.store.Update(ctx, func(tx store.Tx) error {
		d, err := device(tx, c, id)
		if err != nil {
			return err
		}
		if next, err = d.Revoke(at); err != nil {
			return err
		}
		if err := putDevice(tx, actor, "device.revoked", d.State, next); err != nil {
			return err
		}
		if _, err := quarantine(tx, actor, c, id, multe.Code.Quarantine, at); err != nil {
			return err
		}
		exposed, err = codesOf(tx, c, id, multe.CodeQuarantined)
		return err
	})
	if err != nil {
		return multe.Device{}, nil, fmt.Errorf("revoking device: %w", err)
	}
	return next, exposed, nil
}

// codesOf lists the codes of device d in a state; what it may hold bounds them.
func codesOf(r store.Reader, c multe.CreditorID, d multe.DeviceID, s multe.CodeState) ([]multe.Code, error) {
	var codes []multe.Code
	err := store.Each(func(after multe.PositionID) ([]multe.Code, error) { return r.CodesOf(c, d, s, after, store.MaxPage) },
		func(k multe.Code) multe.PositionID { return k.Position },
		func(k multe.Code) error { codes = append(codes, k); return nil })
	return codes, err
}

// quarantine sets aside what device d holds, and returns how many codes that is.
// The codes are collected first: a scan must not run over the index that the puts
// change.
func quarantine(tx store.Tx, actor string, c multe.CreditorID, d multe.DeviceID, move func(multe.Code, time.Time) (multe.Code, error), at time.Time) (int, error) {
	held, err := codesOf(tx, c, d, multe.CodeAssigned)
	if err != nil {
		return 0, err
	}
	for _, k := range held {
		next, err := move(k, at)
		if err != nil {
			return 0, err
		}
		if err := tx.PutCode(next); err != nil {
			return 0, err
		}
		if err := tx.AppendAudit(multe.AuditEntry{Creditor: c, At: multe.Instant(at), Actor: actor, Action: "code.quarantined",
			Position: k.Position, Subject: string(d), From: string(k.State), To: string(next.State)}); err != nil {
			return 0, err
		}
	}
	return len(held), nil
}

// Devices lists a creditor's handhelds by id, after the given one, at most limit
// (≤ [store.MaxPage]).
func (r *Registry) Devices(ctx context.Context, c multe.CreditorID, after multe.DeviceID, limit int) ([]multe.Device, error) {
	var ds []multe.Device
	err := r.store.View(ctx, func(rd store.Reader) (err error) {
		ds, err = rd.Devices(c, after, limit)
		return err
	})
	return ds, err
}

// Enrol turns a one-time code into a token, which is returned here and never
// again. A wrong, used or late code is [fault.Forbidden]. Of two callers with
// one code, one gets the token.
func (r *Registry) Enrol(ctx context.Context, code string) (multe.Device, multe.Creditor, string, error) {
	at := r.now()
	token, err := r.secret(devicePrefix, tokenBytes)
	if err != nil {
		return multe.Device{}, multe.Creditor{}, "", err
	}
	var (
		next multe.Device
		of   multe.Creditor
	)
	err = r.store.Update(ctx, func(tx store.Tx) error {
		d, err := invited(tx, code)
		if err != nil {
			return err
		}
		if next, err = d.Enrol(digest(token), at); err != nil {
			return err
		}
		if of, err = creditor(tx, d.Creditor); err != nil {
			return err
		}
		return putDevice(tx, "device:"+string(d.ID), "device.enrolled", d.State, next)
	})
	if err != nil {
		return multe.Device{}, multe.Creditor{}, "", fmt.Errorf("enrolling device: %w", err)
	}
	return next, of, token, nil
}

// EnrolKey turns a one-time code into the right to sign with key. The caller must
// have checked that whoever asks holds the private half. Repeating it gives the
// same answer, for there is no secret in it: a code that is used up is not looked
// at where the key is in force.
func (r *Registry) EnrolKey(ctx context.Context, code string, key multe.DeviceKey) (multe.Device, multe.Creditor, error) {
	at := r.now()
	var (
		next multe.Device
		of   multe.Creditor
	)
	err := r.store.Update(ctx, func(tx store.Tx) error {
		known, err := tx.DeviceByToken(key.ID())
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		inForce := err == nil
		d, err := invited(tx, code)
		switch {
		case inForce && errors.Is(err, fault.Forbidden):
			next = known
			of, err = creditor(tx, known.Creditor)
			return err
		case err != nil:
			return err
		case inForce:
			return fault.New(fault.Conflict, "enrolment.key_in_use", "La chiave è già in uso: il palmare deve crearne una nuova.")
		}
		if next, err = d.EnrolKey(key, at); err != nil {
			return err
		}
		if of, err = creditor(tx, d.Creditor); err != nil {
			return err
		}
		return putDevice(tx, "device:"+string(d.ID), "device.enrolled", d.State, next)
	})
	if err != nil {
		return multe.Device{}, multe.Creditor{}, fmt.Errorf("enrolling device: %w", err)
	}
	return next, of, nil
}

// invited finds whom a one-time code is for.
func invited(tx store.Tx, code string) (multe.Device, error) {
	unknown := fault.New(fault.Forbidden, "enrolment.unknown", "Il codice di attivazione non è valido o è già stato usato: chiederne uno nuovo all'ufficio.")
	if !secretForm(code, invitePrefix, inviteBytes) {
		return multe.Device{}, unknown
	}
	d, err := tx.DeviceByInvite(digest(code))
	if errors.Is(err, fault.NotFound) {
		return d, unknown
	}
	return d, err
}

// DeviceByKey tells which handheld signs as keyid, the hex digits of
// [multe.DeviceKey.ID]; anything but a key in force is [fault.Forbidden].
func (r *Registry) DeviceByKey(ctx context.Context, keyid string) (multe.Device, error) {
	unknown := fault.New(fault.Forbidden, "auth.unknown_key", "La chiave del palmare non è attiva: rivolgersi all'ufficio.")
	var id multe.Digest
	if err := id.UnmarshalText([]byte(keyid)); err != nil || id.String() != keyid || id.IsZero() {
		return multe.Device{}, unknown
	}
	var d multe.Device
	err := r.store.View(ctx, func(rd store.Reader) (err error) {
		d, err = rd.DeviceByToken(id)
		return err
	})
	if errors.Is(err, fault.NotFound) || err == nil && d.Key == "" {
		return multe.Device{}, unknown // a token is no key, even if somebody knows its digest
	}
	return d, err
}

// DeviceByToken tells which handheld is calling; anything but a token in force
// is [fault.Forbidden].
func (r *Registry) DeviceByToken(ctx context.Context, token string) (multe.Device, error) {
	if !secretForm(token, devicePrefix, tokenBytes) {
		return multe.Device{}, errBadToken()
	}
	var d multe.Device
	err := r.store.View(ctx, func(rd store.Reader) (err error) {
		d, err = rd.DeviceByToken(digest(token))
		return err
	})
	if errors.Is(err, fault.NotFound) {
		return multe.Device{}, errBadToken()
	}
	return d, err
}

// OperatorByToken tells which operator is calling; anything but a token in force
// is [fault.Forbidden].
func (r *Registry) OperatorByToken(ctx context.Context, token string) (multe.Operator, error) {
	if !secretForm(token, operatorPrefix, tokenBytes) {
		return multe.Operator{}, errBadToken()
	}
	var o multe.Operator
	err := r.store.View(ctx, func(rd store.Reader) (err error) {
		o, err = rd.OperatorByToken(digest(token))
		return err
	})
	if errors.Is(err, fault.NotFound) || err == nil && o.Disabled {
		return multe.Operator{}, errBadToken()
	}
	return o, err
}

func errBadToken() error {
	return fault.New(fault.Forbidden, "auth.bad_token", "Credenziali non valide o revocate.")
}

func creditor(rd store.Reader, id multe.CreditorID) (multe.Creditor, error) {
	c, err := rd.Creditor(id)
	if errors.Is(err, fault.NotFound) {
		return c, fault.Wrap(fault.NotFound, "creditor.unknown", "L'ente non è registrato.", err)
	}
	return c, err
}

func device(rd store.Reader, c multe.CreditorID, id multe.DeviceID) (multe.Device, error) {
	d, err := rd.Device(c, id)
	if errors.Is(err, fault.NotFound) {
		return d, fault.Wrap(fault.NotFound, "device.unknown", "Il palmare non è registrato.", err)
	}
	return d, err
}

func putDevice(tx store.Tx, actor, action string, from multe.DeviceState, d multe.Device) error {
	if err := tx.PutDevice(d); err != nil {
		return err
	}
	return tx.AppendAudit(multe.AuditEntry{Creditor: d.Creditor, At: d.Changed, Actor: actor, Action: action,
		Subject: string(d.ID), From: string(from), To: string(d.State)})
}

// identity makes an id and a secret.
func (r *Registry) identity(prefix string, bytes int, at time.Time) (id, secret string, err error) {
	if id, err = multe.NewID(at, r.random); err != nil {
		return "", "", err
	}
	secret, err = r.secret(prefix, bytes)
	return id, secret, err
}

func (r *Registry) secret(prefix string, bytes int) (string, error) {
	b := make([]byte, bytes)
	if _, err := io.ReadFull(r.random, b); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return prefix + base64.RawURLEncoding.EncodeToString(b), nil
}

// secretForm reports whether s looks like a secret of ours; anything else is
// turned away before it is hashed or looked up.
func secretForm(s, prefix string, bytes int) bool {
	return strings.HasPrefix(s, prefix) && len(s) == len(prefix)+base64.RawURLEncoding.EncodedLen(bytes)
}

func digest(secret string) multe.Digest { return multe.DigestOf([]byte(secret)) }

// validName accepts what can be shown on one line: no control characters, no
// space at the ends.
func validName(s string, max int) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= max && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
