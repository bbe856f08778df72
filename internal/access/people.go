package access

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// maxName is the longest name of an operator, in characters.
const maxName = 100

// Invite adds a person to a creditor's back office. The code is returned here and
// never again; it sets a password once, within 48 hours.
func (a *Access) Invite(ctx context.Context, actor string, c multe.CreditorID, name, login string, role multe.Role) (multe.Operator, string, error) {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return multe.Operator{}, "", fault.New(fault.Invalid, "operator.bad_name", "Il nome dell'operatore è obbligatorio, al massimo 100 caratteri.")
	}
	login, err := multe.ParseLogin(login)
	if err != nil {
		return multe.Operator{}, "", err
	}
	if err := checkRole(role); err != nil {
		return multe.Operator{}, "", err
	}
	at := multe.Instant(a.now())
	id, err := multe.NewID(at, a.random)
	if err != nil {
		return multe.Operator{}, "", err
	}
	code, err := a.secret(invitePrefix, inviteBytes)
	if err != nil {
		return multe.Operator{}, "", err
	}
	o := multe.Operator{Creditor: c, ID: multe.OperatorID(id), Name: name, Login: login, Role: role, Invite: digest(code),
		InviteBy: multe.Instant(at.Add(inviteFor))}
	err = a.store.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Creditor(c); errors.Is(err, fault.NotFound) {
			return fault.Wrap(fault.NotFound, "creditor.unknown", "L'ente non è registrato.", err)
		} else if err != nil {
			return err
		}
		if _, err := tx.OperatorByLogin(login); err == nil {
			return fault.New(fault.Conflict, "operator.login_taken", "Questo indirizzo e-mail è già usato da un operatore: per ogni ente ne serve uno diverso.")
		} else if !errors.Is(err, fault.NotFound) {
			return err
		}
		return put(tx, o, at, actor, "operator.invited", "", string(role))
	})
	if err != nil {
		return multe.Operator{}, "", fmt.Errorf("inviting an operator: %w", err)
	}
	o.Version, o.Changed = 1, at
	return o, code, nil
}

func checkRole(r multe.Role) error {
	if !slices.Contains(multe.Roles, r) {
		return fault.New(fault.Invalid, "operator.bad_role", "Il ruolo non è tra quelli previsti: agente, addetto, responsabile, contabile, amministratore, sola-lettura.")
	}
	return nil
}

// change runs fn on a person of a creditor and stores what it returns, unless from
// and to are the same: then it is as it should be.
func (a *Access) change(ctx context.Context, actor, action string, c multe.CreditorID, id multe.OperatorID, fn func(tx store.Tx, o multe.Operator, at time.Time) (next multe.Operator, from, to string, err error)) (multe.Operator, error) {
	at := multe.Instant(a.now())
	var next multe.Operator
	err := a.store.Update(ctx, func(tx store.Tx) error {
		o, err := operator(tx, c, id)
		if err != nil {
			return err
		}
		var from, to string
		if next, from, to, err = fn(tx, o, at); err != nil {
			return err
		}
		if from == to && from != "" {
			return nil
		}
		if err := put(tx, next, at, actor, action, from, to); err != nil {
			return err
		}
		next.Version, next.Changed = next.Version+1, at
		return nil
	})
	if err != nil {
		return multe.Operator{}, fmt.Errorf("%s: %w", action, err)
	}
	return next, nil
}

// notOneself keeps an administrator from locking out the last one there is.
func notOneself(actor string, id multe.OperatorID) error {
	if actor == actorOf(id) {
		return fault.New(fault.Conflict, "operator.oneself", "Nessuno può cambiare il proprio ruolo, disattivarsi o azzerare il proprio accesso: deve farlo un altro amministratore.")
	}
	return nil
}

// SetRole gives an operator another role, from their next request on.
func (a *Access) SetRole(ctx context.Context, actor string, c multe.CreditorID, id multe.OperatorID, role multe.Role) (multe.Operator, error) {
	return a.change(ctx, actor, "operator.role", c, id, func(_ store.Tx, o multe.Operator, _ time.Time) (multe.Operator, string, string, error) {
		from := o.RoleOf()
		o.Role = role
		if role != multe.RoleProgramma || o.Login != "" { // a person is never a program
			if err := checkRole(role); err != nil {
				return o, "", "", err
			}
		}
		return o, string(from), string(role), notOneself(actor, id)
	})
}

// Disable shuts an operator out at once, or lets them in again.
func (a *Access) Disable(ctx context.Context, actor string, c multe.CreditorID, id multe.OperatorID, disabled bool) (multe.Operator, error) {
	return a.change(ctx, actor, "operator.disabled", c, id, func(tx store.Tx, o multe.Operator, at time.Time) (multe.Operator, string, string, error) {
		from := o.Disabled
		o.Disabled = disabled
		if err := notOneself(actor, id); err != nil {
			return o, "", "", err
		}
		return o, fmt.Sprint(from), fmt.Sprint(disabled), kill(tx, actor, c, id, at, func(multe.Session) bool { return disabled })
	})
}

// Reset takes from a person all they prove themselves with, ends their sessions
// and invites them anew.
func (a *Access) Reset(ctx context.Context, actor string, c multe.CreditorID, id multe.OperatorID) (multe.Operator, string, error) {
	code, err := a.secret(invitePrefix, inviteBytes)
	if err != nil {
		return multe.Operator{}, "", err
	}
	o, err := a.change(ctx, actor, "operator.reset", c, id, func(tx store.Tx, o multe.Operator, at time.Time) (multe.Operator, string, string, error) {
		if err := notOneself(actor, id); err != nil {
			return o, "", "", err
		}
		if o.Login == "" {
			return o, "", "", fault.New(fault.Conflict, "operator.program", "È un programma: non accede alle pagine. Per cambiare le sue credenziali si rinnova il token.")
		}
		o.Password, o.TOTP, o.Issuer, o.Subject, o.Failed, o.NotBefore = "", multe.TOTP{}, "", "", 0, time.Time{}
		o.Invite, o.InviteBy = digest(code), multe.Instant(at.Add(inviteFor))
		return o, "", "", kill(tx, actor, c, id, at, func(multe.Session) bool { return true })
	})
	if err != nil {
		return multe.Operator{}, "", err
	}
	return o, code, nil
}

// Operators lists a creditor's by id, after the given one, at most limit
// (≤ [store.MaxPage]).
func (a *Access) Operators(ctx context.Context, c multe.CreditorID, after multe.OperatorID, limit int) ([]multe.Operator, error) {
	var os []multe.Operator
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		os, err = r.Operators(c, after, limit)
		return err
	})
	return os, err
}

// Invited tells whom a code is for, so that they see that it is theirs.
func (a *Access) Invited(ctx context.Context, code string) (multe.Operator, error) {
	now := a.now()
	var o multe.Operator
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		o, err = invited(r, code, now)
		return err
	})
	return o, err
}

func invited(r store.Reader, code string, now time.Time) (multe.Operator, error) {
	unknown := fault.New(fault.Forbidden, "invite.unknown", "L'invito non è valido, è scaduto o è già stato usato: chiederne uno nuovo all'amministratore.")
	if !strings.HasPrefix(code, invitePrefix) || len(code) != len(invitePrefix)+base64.RawURLEncoding.EncodedLen(inviteBytes) {
		return multe.Operator{}, unknown
	}
	o, err := r.OperatorByInvite(digest(code))
	if errors.Is(err, fault.NotFound) || err == nil && (o.Disabled || !now.Before(o.InviteBy)) {
		return multe.Operator{}, unknown
	}
	return o, err
}

// Accept uses an invitation up: it sets the password and opens a session, limited
// until the second factor is enrolled.
func (a *Access) Accept(ctx context.Context, code, password string, from From) (token string, err error) {
	o, err := a.Invited(ctx, code)
	if err != nil {
		return "", err
	}
	if err := checkPassword(o, password); err != nil {
		return "", err
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return "", err
	}
	if token, err = a.secret("", tokenBytes); err != nil {
		return "", err
	}
	at := multe.Instant(a.now())
	err = a.store.Update(ctx, func(tx store.Tx) error {
		o, err := invited(tx, code, at)
		if err != nil {
			return err
		}
		o.Password, o.Invite, o.InviteBy = hash, multe.Digest{}, time.Time{}
		return a.signedIn(tx, o, digest(token), from, at, false)
	})
	if err != nil {
		return "", fmt.Errorf("accepting an invitation: %w", err)
	}
	return token, nil
}

// ChangePassword replaces a person's own password, ends their other sessions and
// gives this one a new token.
func (a *Access) ChangePassword(ctx context.Context, w Who, old, password string) (token string, err error) {
	var o multe.Operator
	err = a.store.View(ctx, func(r store.Reader) (err error) {
		o, err = operator(r, w.Creditor, w.Operator)
		return err
	})
	if err != nil {
		return "", err
	}
	if w.Limited {
		return "", errNoSession
	}
	if a.now().Before(o.NotBefore) {
		return "", errTooMany()
	}
	good, err := a.matches(ctx, o.Password, old)
	if err != nil {
		return "", fmt.Errorf("checking a password: %w", err)
	}
	hash := ""
	if good {
		if err := checkPassword(o, password); err != nil {
			return "", err
		}
		if hash, err = a.hash(ctx, password); err != nil {
			return "", err
		}
	}
	if token, err = a.secret("", tokenBytes); err != nil {
		return "", err
	}
	at := multe.Instant(a.now())
	var refused error
	err = a.store.Update(ctx, func(tx store.Tx) error {
		refused = nil
		cur, err := operator(tx, w.Creditor, w.Operator)
		if err != nil {
			return err
		}
		switch {
		case at.Before(cur.NotBefore):
			refused = errTooMany()
			return nil
		case !good || cur.Password != o.Password:
			refused = fault.New(fault.Invalid, "password.wrong", "La password attuale non è corretta.")
			return countFailure(tx, cur, at, w.Actor(), "operator.password_refused")
		}
		cur.Password, cur.Failed, cur.NotBefore = hash, 0, time.Time{}
		if err := put(tx, cur, at, w.Actor(), "operator.password_changed", "", ""); err != nil {
			return err
		}
		if err := kill(tx, w.Actor(), w.Creditor, w.Operator, at, func(s multe.Session) bool { return s.N != w.Session }); err != nil {
			return err
		}
		return replaceToken(tx, w, digest(token), at)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return "", fmt.Errorf("changing a password: %w", err)
	}
	return token, nil
}
