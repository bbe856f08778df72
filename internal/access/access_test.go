package access_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pquerna/otp/totp"

	"preavviso/internal/access"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

const (
	torino multe.CreditorID = "00514490010"
	alba   multe.CreditorID = "00184260040"
	lucia                   = "lucia@example.it"
	words                   = "quattro cavalli al bar"
)

// waitMost is longer than anybody waits after a wrong password.
const waitMost = 16 * time.Minute

var desk = access.From{Address: "192.0.2.7", Agent: "Firefox su Linux"}

// rig is the use case on a real store, with bubble time.
type rig struct {
	*access.Access
	t     *testing.T
	store store.Store
}

// inBubble runs a test where time is ours.
func inBubble(t *testing.T, fn func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st, err := boltstore.Open(filepath.Join(t.TempDir(), "access.db"), boltstore.Options{Fatal: func(err error) { panic(err) }})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		err = st.Update(t.Context(), func(tx store.Tx) error {
			return errors.Join(tx.PutCreditor(multe.Creditor{ID: torino, Version: 1}), tx.PutCreditor(multe.Creditor{ID: alba, Version: 1}))
		})
		if err != nil {
			t.Fatal(err)
		}
		a, err := access.New(access.Config{Store: st, Now: time.Now, Random: rand.Reader, Key: [32]byte{1}})
		if err != nil {
			t.Fatal(err)
		}
		fn(t, &rig{a, t, st})
	})
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// person is somebody who went through the door.
type person struct {
	id       multe.OperatorID
	token    string
	secret   string
	recovery []string
}

func (r *rig) person(c multe.CreditorID, login string, role multe.Role) person {
	r.t.Helper()
	ctx := r.t.Context()
	o, code, err := r.Invite(ctx, "admin", c, "Lucia Bianchi", login, role)
	r.must(err)
	token, err := r.Accept(ctx, code, words, desk)
	r.must(err)
	w, err := r.Session(ctx, token)
	r.must(err)
	if !w.Limited || w.May(multe.MaySeePersonal) || w.May(multe.MayManage) {
		r.t.Errorf("before the second factor: %+v", w)
	}
	e, err := r.Enrolment(ctx, w)
	r.must(err)
	recovery, full, err := r.ConfirmTOTP(ctx, w, code6(r.t, e.Secret))
	r.must(err)
	if _, err := r.Session(ctx, token); err == nil {
		r.t.Error("the limited token still works")
	}
	return person{o.ID, full, e.Secret, recovery}
}

func code6(t *testing.T, secret string) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// code of an error; "" for none.
func code(err error) string {
	if err == nil {
		return ""
	}
	return fault.Of(err).Code
}

func (r *rig) want(err error, want string) {
	r.t.Helper()
	if code(err) != want {
		r.t.Errorf("error %q, want %q", code(err), want)
	}
}

func (r *rig) signIn(login, password, code string) (string, error) {
	return r.SignIn(r.t.Context(), access.Credentials{Login: login, Password: password, Code: code}, desk)
}

func (r *rig) session(token string) error { _, err := r.Session(r.t.Context(), token); return err }

func TestSignIn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		p := r.person(torino, lucia, multe.RoleAddetto)
		time.Sleep(time.Minute)
		used := code6(t, p.secret)
		token, err := r.signIn(" Lucia@EXAMPLE.it", words, used)
		r.must(err)
		r.want(r.session(token), "")
		time.Sleep(time.Second)
		for _, bad := range []struct{ login, password, code string }{
			{lucia, words, used}, {lucia, words, ""}, {lucia, words, "000000"}, {lucia, words + " ", code6(t, p.secret)},
		} {
			_, err := r.signIn(bad.login, bad.password, bad.code)
			r.want(err, "access.refused")
		}
		time.Sleep(2 * time.Hour)
		_, err = r.signIn(lucia, words, strings.ToLower(p.recovery[3]))
		r.must(err)
		_, err = r.signIn(lucia, words, p.recovery[3])
		r.want(err, "access.refused")
		_, err = r.signIn(lucia, words, strings.ReplaceAll(p.recovery[4], "-", " "))
		r.must(err)
	})
}

// TestGuessers tries passwords of somebody and of nobody: both get the same answers
// at the same times, to the last one, and waiting ends.
func TestGuessers(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		p := r.person(torino, lucia, multe.RoleAddetto)
		story := func(login string) (lines []string) {
			for i := range 40 {
				_, err := r.signIn(login, fmt.Sprintf("guess number %d", i), "123456")
				lines = append(lines, code(err))
				time.Sleep(20 * time.Second)
			}
			return lines
		}
		known := story(lucia)
		unknown := story("nobody@example.it")
		if a, b := fmt.Sprint(known), fmt.Sprint(unknown); a != b {
			t.Errorf("a login that exists is told from one that does not:\n%s\n%s", a, b)
		}
		looked := strings.Count(fmt.Sprint(known), "access.refused")
		if looked < 5 || looked > 11 {
			t.Errorf("%d of 40 guesses in 13 minutes were looked at: %v", looked, known)
		}
		time.Sleep(waitMost)
		_, err := r.signIn(lucia, words, code6(t, p.secret))
		r.want(err, "")
	})
}

// TestManyGuessAtOnce: of many guesses at one instant no more are looked at than of
// many in a row.
func TestManyGuessAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.person(torino, lucia, multe.RoleAddetto)
		var (
			wg sync.WaitGroup
			mu sync.Mutex
		)
		count := map[string]int{}
		for range 20 {
			wg.Go(func() {
				_, err := r.signIn(lucia, "guess guess guess", "123456")
				mu.Lock()
				defer mu.Unlock()
				count[code(err)]++
			})
		}
		wg.Wait()
		if count["access.refused"] != 5 || count["access.too_many"] != 15 {
			t.Errorf("%v, want 5 looked at and 15 sent away", count)
		}
	})
}

// TestAnAddressGuessesAtMany: who tries one password on everybody is stopped too.
func TestAnAddressGuessesAtMany(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		p := r.person(torino, lucia, multe.RoleAddetto)
		var last error
		for i := range 101 {
			_, last = r.signIn(fmt.Sprintf("n%d@example.it", i), "password password", "")
		}
		r.want(last, "access.too_many")
		time.Sleep(time.Second)
		_, err := r.signIn(lucia, words, code6(t, p.secret))
		r.want(err, "access.too_many")
		_, err = r.SignIn(t.Context(), access.Credentials{Login: lucia, Password: words, Code: p.recovery[0]}, access.From{Address: "198.51.100.1"})
		r.want(err, "")
	})
}

func TestSessionsEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		p := r.person(torino, lucia, multe.RoleAddetto)
		r.want(r.session(""), "session.none")
		r.want(r.session(strings.Repeat("A", 43)), "session.none")
		time.Sleep(29 * time.Minute)
		r.want(r.session(p.token), "")
		time.Sleep(30 * time.Minute)
		r.want(r.session(p.token), "session.idle")
		time.Sleep(time.Hour)
		r.want(r.session(p.token), "session.idle")

		token, err := r.signIn(lucia, words, code6(t, p.secret))
		r.must(err)
		for range 35 {
			time.Sleep(20 * time.Minute)
			r.want(r.session(token), "")
		}
		time.Sleep(20 * time.Minute)
		r.want(r.session(token), "session.too_long")
	})
}

func TestSessionsAreFew(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		p := r.person(torino, lucia, multe.RoleAddetto)
		tokens := []string{p.token}
		for range multe.MaxSessions {
			time.Sleep(time.Minute)
			token, err := r.signIn(lucia, words, code6(t, p.secret))
			r.must(err)
			tokens = append(tokens, token)
		}
		r.want(r.session(tokens[0]), "session.none")
		for _, token := range tokens[1:] {
			r.want(r.session(token), "")
		}
		open, err := r.Sessions(t.Context(), torino, p.id)
		r.must(err)
		if len(open) != multe.MaxSessions {
			t.Errorf("%d sessions open", len(open))
		}
		w, err := r.Session(t.Context(), tokens[3])
		r.must(err)
		r.must(r.SignOut(t.Context(), w))
		r.want(r.session(tokens[3]), "session.none")
		r.want(r.session(tokens[4]), "")
		r.want(r.Kill(t.Context(), "operator:x", alba, p.id, 0), "operator.unknown")
		r.must(r.Kill(t.Context(), "operator:x", torino, p.id, 0))
		r.want(r.session(tokens[4]), "session.none")
	})
}

func TestRightsChangeAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		p := r.person(torino, lucia, multe.RoleAmministratore)
		_, err := r.SetRole(ctx, "operator:"+string(p.id), torino, p.id, multe.RoleResponsabile)
		r.want(err, "operator.oneself")
		_, err = r.Disable(ctx, "operator:"+string(p.id), torino, p.id, true)
		r.want(err, "operator.oneself")
		_, _, err = r.Reset(ctx, "operator:"+string(p.id), torino, p.id)
		r.want(err, "operator.oneself")
		_, err = r.SetRole(ctx, "admin", alba, p.id, multe.RoleAgente)
		r.want(err, "operator.unknown")
		for _, bad := range []multe.Role{"", "capo", multe.RoleProgramma} {
			_, err = r.SetRole(ctx, "admin", torino, p.id, bad)
			r.want(err, "operator.bad_role")
		}
		_, err = r.SetRole(ctx, "admin", torino, p.id, multe.RoleSolaLettura)
		r.must(err)
		w, err := r.Session(ctx, p.token)
		r.must(err)
		if w.May(multe.MayManage) || w.Plate("AB123CD") != "AB•••CD" || w.CF("RSSMRA80A01L219X") != "RS•••9X" || w.PersonName("Maria Rossi") != "M••• R•••" {
			t.Errorf("who only reads sees %s %s %s", w.Plate("AB123CD"), w.CF("RSSMRA80A01L219X"), w.PersonName("Maria Rossi"))
		}
		_, err = r.Disable(ctx, "admin", torino, p.id, true)
		r.must(err)
		r.want(r.session(p.token), "session.none")
		time.Sleep(time.Minute)
		_, err = r.signIn(lucia, words, code6(t, p.secret))
		r.want(err, "access.refused")
		_, err = r.Disable(ctx, "admin", torino, p.id, false)
		r.must(err)
		r.want(r.session(p.token), "session.none")
		time.Sleep(time.Minute)
		_, err = r.signIn(lucia, words, code6(t, p.secret))
		r.want(err, "")
	})
}

func TestPasswords(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		_, invite, err := r.Invite(ctx, "admin", torino, "Lucia", lucia, multe.RoleAddetto)
		r.must(err)
		for _, weak := range []string{"", "undici lett", "luciaaaaaaa x LUCIA", "aaaaaaaaaaaaaaaa", "123456789012", strings.Repeat("è", 129), "\xff\xfe12345678901234"} {
			_, err := r.Accept(ctx, invite, weak, desk)
			r.want(err, "password.weak")
		}
		_, err = r.Accept(ctx, invite+"x", words, desk)
		r.want(err, "invite.unknown")
		time.Sleep(48 * time.Hour)
		_, err = r.Accept(ctx, invite, words, desk)
		r.want(err, "invite.unknown")

		p := r.person(torino, "mario@example.it", multe.RoleAddetto)
		time.Sleep(time.Minute)
		other, err := r.signIn("mario@example.it", words, code6(t, p.secret))
		r.must(err)
		w, err := r.Session(ctx, p.token)
		r.must(err)
		_, err = r.ChangePassword(ctx, w, "not the one", "cinque cavalli al bar")
		r.want(err, "password.wrong")
		fresh, err := r.ChangePassword(ctx, w, words, "cinque cavalli al bar")
		r.must(err)
		r.want(r.session(p.token), "session.none")
		r.want(r.session(other), "session.none")
		r.want(r.session(fresh), "")

		_, again, err := r.Reset(ctx, "admin", torino, p.id)
		r.must(err)
		r.want(r.session(fresh), "session.none")
		time.Sleep(time.Minute)
		_, err = r.signIn("mario@example.it", "cinque cavalli al bar", code6(t, p.secret))
		r.want(err, "access.refused")
		_, err = r.Accept(ctx, again, words, desk)
		r.must(err)
		_, err = r.Accept(ctx, again, words, desk)
		r.want(err, "invite.unknown")
	})
}

// TestNoSecretIsStored looks for every secret, as it was said, in what is kept.
func TestNoSecretIsStored(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		p := r.person(torino, lucia, multe.RoleAddetto)
		_, invite, err := r.Reset(t.Context(), "admin", torino, p.id)
		r.must(err)
		q := r.person(torino, "mario@example.it", multe.RoleAddetto)
		var kept []byte
		r.must(r.store.View(t.Context(), func(rd store.Reader) error {
			os, err1 := rd.Operators(torino, "", 10)
			ss, err2 := rd.SessionsOf(torino, q.id)
			es, err3 := rd.Audit(torino, "", 0, 100)
			var err4 error
			kept, err4 = json.Marshal([]any{os, ss, es})
			return errors.Join(err1, err2, err3, err4)
		}))
		if len(kept) < 1000 {
			t.Fatalf("only %d bytes kept", len(kept))
		}
		for _, secret := range append([]string{invite, p.token, q.token, q.secret, words, q.recovery[0], strings.ReplaceAll(q.recovery[0], "-", "")}, q.recovery...) {
			if strings.Contains(string(kept), secret) {
				t.Errorf("a secret is stored as it is: %.4s…", secret)
			}
		}
	})
}
