package backoffice

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/owners"
	"preavviso/internal/store"
)

// TestPersonalDataIsCoveredOrLogged asks for every page: whoever may not see
// personal data finds none in it, and whoever may has left a line if they did.
func TestPersonalDataIsCoveredOrLogged(t *testing.T) {
	o := newOffice(t)
	i := o.issue()
	const surname, company, street, cf = "Cognomedoc", "Dittadoc", "via Segretissima", "RSSMRA80A01L219M"
	person := multe.Debtor{Surname: surname, Name: "Anna", CF: cf, Address: street, Civico: "1", CAP: "10100", City: "Torino", Province: "TO", Nation: "IT"}
	rec := multe.Record{Register: "V-1/2026", Cents: 4200, Causale: multe.CausaleOfSlip(i.verbale.Slip), Debtor: &person}
	if _, _, err := o.world.Verbali.Record(t.Context(), "operator:x", torino, i.verbale.Slip.ID, rec); err != nil {
		t.Fatal(err)
	}
	again := person
	again.Surname, again.Name, again.Company = "", "", company
	rec.Debtor = &again
	o.world.Pass(time.Minute)
	if _, _, err := o.world.Verbali.Correct(t.Context(), "operator:x", torino, i.verbale.Slip.ID, rec, "era una ditta"); err != nil {
		t.Fatal(err)
	}
	pay := multe.Payment{Creditor: torino, IUV: i.code.Number.IUV(), IUR: "r1", Number: i.code.Number, Position: i.code.Position, Verbale: i.verbale.Slip.ID, Cents: 4200,
		PaidOn: multe.DayOf(o.world.Now()), Payer: &person, Received: o.world.Now(), Version: 1}
	if err := o.store.Update(t.Context(), func(tx store.Tx) error { return tx.PutPayment(pay) }); err != nil {
		t.Fatal(err)
	}
	if _, err := o.world.Owners.Import(t.Context(), "operator:x", torino, []owners.Owner{{Plate: plate, Debtor: person}}); err != nil {
		t.Fatal(err)
	}
	other := o.issue() // waits to be recorded, with an owner proposed
	tells := func(body string) string {
		for _, s := range []string{plate, surname, company, street, cf} {
			if strings.Contains(body, s) {
				return s
			}
		}
		return ""
	}
	looks := func() (n int) {
		t.Helper()
		err := o.store.View(t.Context(), func(r store.Reader) error {
			n = 0
			for after := uint64(0); ; {
				es, err := r.Audit(torino, "", after, store.MaxPage)
				if err != nil {
					return err
				}
				for _, e := range es {
					if after = e.Seq; strings.HasPrefix(e.Action, "seen.") {
						n++
					}
				}
				if len(es) < store.MaxPage {
					return nil
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	shown := 0
	for _, role := range multe.Roles {
		if role == multe.RoleProgramma {
			continue
		}
		b, _ := o.enrolled(torino, "p-"+string(role)+"@example.it", role)
		var paths []string
		for _, r := range o.server.routes() {
			if r.method != http.MethodGet || r.path == "/oggi/numeri" || r.path == pathTOTP+"/qr.png" {
				continue
			}
			for _, at := range []issued{i, other} {
				if p := r.at(at); !slices.Contains(paths, p) {
					paths = append(paths, p)
				}
			}
		}
		for _, path := range paths {
			before := looks()
			p := b.get(path)
			found := tells(p.body)
			switch {
			case found == "":
			case !role.May(multe.MaySeePersonal):
				t.Errorf("%s tells %s: %q", path, role, found)
			case looks() == before:
				t.Errorf("%s shows %s %q, and no line says so", path, role, found)
			default:
				shown++
			}
		}
	}
	if shown < 10 {
		t.Errorf("only %d pages showed something: the test tests nothing", shown)
	}
}
