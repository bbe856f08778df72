package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// errRefused never says what was wrong: each part would be guessed by itself.
func errRefused() error {
	return fault.New(fault.Forbidden, "access.refused", "Accesso non riuscito: e-mail, password o codice non sono corretti. Controllare e riprovare; dopo alcuni tentativi bisogna attendere qualche minuto.")
}

func errTooMany() error {
	return fault.New(fault.Exhausted, "access.too_many", "Troppi tentativi non riusciti: attendere qualche minuto e riprovare. Se la password è dimenticata, chiedere all'amministratore di azzerare l'accesso.")
}

// Credentials are what a person types: all at once, so that no answer tells which
// is wrong.
type Credentials struct {
	Login    string
	Password string
	Code     string // of the second factor, or a recovery code; "" before it is enrolled
}

// SignIn opens a session and returns its token, which is returned here and never
// again. Who has no second factor yet gets a limited one.
func (a *Access) SignIn(ctx context.Context, cr Credentials, from From) (token string, err error) {
	now := a.now()
	login, err := multe.ParseLogin(cr.Login)
	if err != nil {
		login = "?" // nobody's, and treated as anybody else's
	}
	if a.addresses.waiting(from.Address, now) {
		return "", errTooMany()
	}
	o, known, err := a.byLogin(ctx, login)
	if err != nil {
		return "", err
	}
	if now.Before(o.NotBefore) || !known && a.strangers.waiting(login, now) {
		return "", errTooMany()
	}
	good, err := a.matches(ctx, o.Password, cr.Password)
	if err != nil {
		return "", fmt.Errorf("checking a password: %w", err)
	}
	if !known {
		a.addresses.failed(from.Address, now)
		if !a.strangers.failed(login, now) {
			return "", errTooMany()
		}
		return "", errRefused()
	}
	if token, err = a.secret("", tokenBytes); err != nil {
		return "", err
	}
	at := multe.Instant(a.now())
	var refused error
	err = a.store.Update(ctx, func(tx store.Tx) error {
		refused = nil
		now, err := tx.Operator(o.Creditor, o.ID)
		if err != nil {
			return err
		}
		if at.Before(now.NotBefore) {
			refused = errTooMany() // somebody else guessed meanwhile: what was found is told to nobody
			return nil
		}
		good := good && now.Password == o.Password && !now.Disabled
		next := now
		if good && now.TOTP.Confirmed {
			if next, good, err = a.secondFactor(now, cr.Code, at); err != nil {
				return err
			}
		}
		if !good {
			refused = errRefused()
			return countFailure(tx, now, at, actorOf(o.ID), "operator.sign_in_refused")
		}
		return a.signedIn(tx, next, digest(token), from, at, false)
	})
	if err != nil {
		return "", fmt.Errorf("signing in: %w", err)
	}
	if refused != nil {
		a.addresses.failed(from.Address, now)
		return "", refused
	}
	return token, nil
}

func (a *Access) byLogin(ctx context.Context, login string) (o multe.Operator, known bool, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		o, err = r.OperatorByLogin(login)
		return err
	})
	if errors.Is(err, fault.NotFound) {
		return multe.Operator{}, false, nil
	}
	return o, err == nil, err
}

func countFailure(tx store.Tx, o multe.Operator, at time.Time, actor, action string) error {
	f := failures{n: o.Failed, until: o.NotBefore}.again(freeTries, at)
	o.Failed, o.NotBefore = f.n, multe.Instant(f.until)
	return put(tx, o, at, actor, action, "", "")
}

// signedIn opens a session of o, who has proved everything there is to prove.
func (a *Access) signedIn(tx store.Tx, o multe.Operator, token multe.Digest, from From, at time.Time, oidc bool) error {
	o.Failed, o.NotBefore = 0, time.Time{}
	limited := !oidc && !o.TOTP.Confirmed
	if limited && o.TOTP.Sealed == nil {
		var err error
		if o.TOTP, err = a.newTOTP(o); err != nil {
			return err
		}
	}
	action := "operator.signed_in"
	if oidc {
		action = "operator.signed_in_oidc"
	}
	if err := put(tx, o, at, actorOf(o.ID), action, "", ""); err != nil {
		return err
	}
	return openSession(tx, multe.Session{Creditor: o.Creditor, Operator: o.ID, Token: token, Limited: limited, OIDC: oidc,
		Created: at, Seen: at, Agent: from.Agent, From: from.Address})
}

// Claims are what an OpenID Connect provider says of a person, already verified.
type Claims struct {
	Issuer, Subject string
	Email           string // "" if it says none, or does not vouch for it
}

// SignInOIDC opens a session for who a provider says they are. It is believed
// about somebody it vouched for before, or whose e-mail address has an open
// invitation, which is then used up.
func (a *Access) SignInOIDC(ctx context.Context, cl Claims, from From) (token string, err error) {
	if token, err = a.secret("", tokenBytes); err != nil {
		return "", err
	}
	notInvited := fault.New(fault.Forbidden, "access.not_invited", "L'identità è stata riconosciuta, ma nessun invito aperto corrisponde al suo indirizzo e-mail. Chiedere all'amministratore dell'ufficio di essere invitati.")
	if cl.Issuer == "" || cl.Subject == "" {
		return "", notInvited
	}
	at := multe.Instant(a.now())
	err = a.store.Update(ctx, func(tx store.Tx) error {
		o, err := tx.OperatorBySubject(cl.Issuer, cl.Subject)
		if errors.Is(err, fault.NotFound) {
			login, bad := multe.ParseLogin(cl.Email)
			if bad != nil {
				return notInvited
			}
			if o, err = tx.OperatorByLogin(login); errors.Is(err, fault.NotFound) {
				return notInvited
			}
			if err == nil && (o.Subject != "" || o.Invite.IsZero() || !at.Before(o.InviteBy)) {
				return notInvited
			}
			o.Issuer, o.Subject, o.Invite, o.InviteBy = cl.Issuer, cl.Subject, multe.Digest{}, time.Time{}
		}
		if err != nil {
			return err
		}
		if o.Disabled {
			return notInvited
		}
		return a.signedIn(tx, o, digest(token), from, at, true)
	})
	if err != nil {
		return "", fmt.Errorf("signing in by OpenID Connect: %w", err)
	}
	return token, nil
}
