package access

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"image/png"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	totpIssuer  = "Preavviso" // as authenticator apps list us
	totpPeriod  = 30          // seconds, what every app supports (RFC 6238 5.2)
	totpSkew    = 1           // steps either way: the telephone's clock
	recoveryN   = 10          // as many as fit a slip of paper
	recoveryLen = 10          // bytes each
)

// newTOTP gives o a fresh secret, which is worth nothing until it is confirmed.
func (a *Access) newTOTP(o multe.Operator) (multe.TOTP, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: totpIssuer, AccountName: o.Login, Period: totpPeriod, SecretSize: 20, Rand: a.random})
	if err != nil {
		return multe.TOTP{}, fmt.Errorf("making a second factor: %w", err)
	}
	sealed, err := a.seal(o, key.Secret())
	return multe.TOTP{Sealed: sealed}, err
}

// Enrolment is what a person brings into an authenticator app.
type Enrolment struct {
	Secret string // base32, for who cannot scan
	URI    string // otpauth://…, for a QR
}

// qrSide of the picture, in pixels: large enough for a poor camera.
const qrSide = 264

// QR draws the URI as a PNG.
func (e Enrolment) QR() ([]byte, error) {
	key, err := otp.NewKeyFromURL(e.URI)
	if err != nil {
		return nil, fmt.Errorf("drawing a QR: %w", err)
	}
	img, err := key.Image(qrSide, qrSide)
	if err != nil {
		return nil, fmt.Errorf("drawing a QR: %w", err)
	}
	var b bytes.Buffer
	err = png.Encode(&b, img)
	return b.Bytes(), err
}

// Enrolment returns the secret of who has still to confirm it. Who has confirmed
// one is never shown it again.
func (a *Access) Enrolment(ctx context.Context, w Who) (Enrolment, error) {
	var o multe.Operator
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		o, err = operator(r, w.Creditor, w.Operator)
		return err
	})
	if err != nil {
		return Enrolment{}, err
	}
	if o.TOTP.Confirmed || o.TOTP.Sealed == nil {
		return Enrolment{}, errEnrolled()
	}
	secret, err := a.open(o)
	if err != nil {
		return Enrolment{}, err
	}
	uri := fmt.Sprintf("otpauth://totp/%s:%s?secret=%s&issuer=%s", totpIssuer, o.Login, secret, totpIssuer)
	return Enrolment{Secret: secret, URI: uri}, nil
}

func errEnrolled() error {
	return fault.New(fault.Conflict, "totp.enrolled", "Il secondo fattore è già attivo. Per rifarlo chiedere all'amministratore di azzerare l'accesso.")
}

// ConfirmTOTP ends an enrolment with a code from the app. It returns the recovery
// codes, which are shown here and never again, and the token of the session that
// takes the place of the limited one.
func (a *Access) ConfirmTOTP(ctx context.Context, w Who, code string) (recovery []string, token string, err error) {
	at := multe.Instant(a.now())
	if recovery, err = newRecovery(a.random); err != nil {
		return nil, "", err
	}
	if token, err = a.secret("", tokenBytes); err != nil {
		return nil, "", err
	}
	wrong := false
	err = a.store.Update(ctx, func(tx store.Tx) error {
		wrong = false
		o, err := operator(tx, w.Creditor, w.Operator)
		if err != nil {
			return err
		}
		if o.TOTP.Confirmed {
			return errEnrolled()
		}
		if at.Before(o.NotBefore) {
			return errTooMany()
		}
		step, good, err := a.totpStep(o, code, at)
		if err != nil {
			return err
		}
		if !good {
			wrong = true
			return countFailure(tx, o, at, actorOf(o.ID), "operator.totp_refused")
		}
		o.TOTP.Confirmed, o.TOTP.Step, o.TOTP.Recovery = true, step, nil
		for _, r := range recovery {
			o.TOTP.Recovery = append(o.TOTP.Recovery, digest(normalRecovery(r)))
		}
		o.Failed, o.NotBefore = 0, time.Time{}
		if err := put(tx, o, at, actorOf(o.ID), "operator.totp_enrolled", "", ""); err != nil {
			return err
		}
		return replaceToken(tx, w, digest(token), at)
	})
	if err == nil && wrong {
		err = fault.New(fault.Invalid, "totp.wrong", "Il codice non è quello atteso. Controllare che l'ora del telefono sia esatta e scrivere il codice che si vede adesso.")
	}
	if err != nil {
		return nil, "", fmt.Errorf("confirming a second factor: %w", err)
	}
	return recovery, token, nil
}

// totpStep finds which step a code is of; one that is not newer than the last
// accepted is no good.
func (a *Access) totpStep(o multe.Operator, code string, at time.Time) (int64, bool, error) {
	secret, err := a.open(o)
	if err != nil {
		return 0, false, err
	}
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	now, found := at.Unix()/totpPeriod, int64(0)
	for step := now - totpSkew; step <= now+totpSkew; step++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false, fmt.Errorf("computing a code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && step > o.TOTP.Step {
			found = step
		}
	}
	return found, found > 0, nil
}

// secondFactor checks a code, or a recovery code, and returns o with it spent.
func (a *Access) secondFactor(o multe.Operator, code string, at time.Time) (multe.Operator, bool, error) {
	if i := slices.Index(o.TOTP.Recovery, digest(normalRecovery(code))); i >= 0 {
		o.TOTP.Recovery = slices.Delete(slices.Clone(o.TOTP.Recovery), i, i+1)
		return o, true, nil
	}
	step, good, err := a.totpStep(o, code, at)
	if good {
		o.TOTP.Step = step
	}
	return o, good, err
}

func newRecovery(random io.Reader) ([]string, error) {
	codes := make([]string, recoveryN)
	for i := range codes {
		b := make([]byte, recoveryLen)
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("reading randomness: %w", err)
		}
		s := base32.StdEncoding.EncodeToString(b)
		codes[i] = s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:]
	}
	return codes, nil
}

// normalRecovery undoes what a person does to a code: capitals, dashes, spaces.
func normalRecovery(s string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(s))
}
