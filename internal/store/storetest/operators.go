package storetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

func person(c multe.CreditorID, id, login, invite, subject string) multe.Operator {
	return multe.Operator{Creditor: c, ID: multe.OperatorID(id), Name: "Lucìa Bianchi", Role: multe.RoleAddetto, Disabled: true,
		Login: login, Invite: digest(invite), InviteBy: noon, Password: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
		TOTP:   multe.TOTP{Sealed: []byte{0, 1, 2}, Confirmed: true, Step: 58_000_000, Recovery: []multe.Digest{digest("r1"), digest("r2")}},
		Issuer: "https://idp.example.it", Subject: subject, Failed: 3, NotBefore: noon, Version: 1, Changed: noon}
}

func session(c multe.CreditorID, o multe.OperatorID, n int) multe.Session {
	return multe.Session{Creditor: c, Operator: o, N: n, Token: digest(fmt.Sprint(c, o, n)), Limited: true, OIDC: true, Created: noon,
		Seen: noon, Agent: "Firefox su Linux", From: "192.0.2.7", Version: 1}
}

// sessionsAreOfOnePerson checks that persons whose ids begin alike are not mixed,
// that an ended session is listed and not found, and that its place is used again.
func sessionsAreOfOnePerson(t *testing.T, s store.Store) {
	put := func(rec multe.Session) {
		t.Helper()
		update(t, s, func(tx store.Tx) error { return tx.PutSession(rec) })
	}
	list := func(c multe.CreditorID, o multe.OperatorID) (got []multe.Session) {
		t.Helper()
		view(t, s, func(r store.Reader) (err error) { got, err = r.SessionsOf(c, o); return err })
		return got
	}
	second, first := session(ours, "O1", 2), session(ours, "O1", 1)
	put(second)
	put(first)
	put(session(ours, "O10", 1))
	put(session(theirs, "O1", 1))
	if diff := cmp.Diff([]multe.Session{first, second}, list(ours, "O1")); diff != "" {
		t.Errorf("SessionsOf (-want +got):\n%s", diff)
	}
	ended := first
	ended.Token, ended.Version = multe.Digest{}, 2
	put(ended)
	if diff := cmp.Diff([]multe.Session{ended, second}, list(ours, "O1")); diff != "" {
		t.Errorf("SessionsOf with one that ended (-want +got):\n%s", diff)
	}
	view(t, s, func(r store.Reader) error {
		if got, err := r.SessionByToken(first.Token); err == nil {
			t.Errorf("an ended session is still found: %+v", got)
		}
		return nil
	})
	again := ended
	again.Token, again.Version = digest("another"), 3
	put(again)
	view(t, s, func(r store.Reader) error {
		if got, err := r.SessionByToken(digest("another")); err != nil || !cmp.Equal(got, again) {
			t.Errorf("SessionByToken = %+v, %v; want %+v", got, err, again)
		}
		return nil
	})
}
