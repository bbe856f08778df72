package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

func printJob(c multe.CreditorID, id string) multe.PrintJob {
	return multe.PrintJob{Creditor: c, ID: multe.PrintJobID(id), Actor: "operator:O1", Request: digest("request"), Kind: multe.PrintVerbale, Form: multe.PrintZIP,
		Order: multe.PrintByCAP, Language: "de", At: noon, State: multe.PrintDone, Total: 9, Done: 9, Errors: 2, Size: 12345, Digest: digest("output"),
		Problem: "print.spool", Expires: noon.Add(time.Hour), Version: 1, Changed: noon}
}

func printItem(c multe.CreditorID, job string, n int) multe.PrintItem {
	return multe.PrintItem{Creditor: c, Job: multe.PrintJobID(job), N: n, Verbale: "V1", Print: "P1", Code: "print.not_active", Detail: "Non è ancora attivo.", Version: 1}
}

func printed(c multe.CreditorID, id string) multe.Print {
	day := multe.Day{Year: 2024, Month: 2, Day: 29}
	return multe.Print{Creditor: c, ID: multe.PrintID(id), Verbale: "V1", Kind: multe.PrintAvviso, Job: "J1", Copy: 2, Actor: "operator:O1", At: noon, Language: "sl",
		Sources: multe.PrintSources{Creditor: 1, Settings: 2, Texts: 3, Logo: 4}, Drawing: 1, Digest: digest("pages"), Version: 1,
		Face: multe.PrintFace{Register: "R/1", Drawn: noon, Causale: "Verbale 1", Debtor: debtor(), Discounted: 1, Reduced: 2, Full: 3, Costs: 4,
			DiscountedBy: day, ReducedBy: day, Number: number(3), DiscountedNumber: number(4), NoReduced: "art. 202 c. 3", Points: 2}}
}

func printKinds(c multe.CreditorID) []kind {
	return []kind{
		kindOf("print job", func() multe.PrintJob { return printJob(c, "J1") }, func(j *multe.PrintJob) *uint64 { return &j.Version },
			store.Tx.PutPrintJob, func(r store.Reader) (multe.PrintJob, error) { return r.PrintJob(c, "J1") }, nil),
		kindOf("print item", func() multe.PrintItem { return printItem(c, "J1", 2) }, func(i *multe.PrintItem) *uint64 { return &i.Version },
			store.Tx.PutPrintItem, func(r store.Reader) (multe.PrintItem, error) {
				is, err := r.PrintItems(c, "J1", 1, 1)
				if err == nil && len(is) == 0 {
					err = fault.NotFound
				}
				return append(is, multe.PrintItem{})[0], err
			}, nil),
		kindOf("print", func() multe.Print { return printed(c, "P1") }, func(p *multe.Print) *uint64 { return &p.Version },
			store.Tx.PutPrint, func(r store.Reader) (multe.Print, error) { return r.Print(c, "P1") },
			func(p *multe.Print) { p.Face.Debtor.CF = "scribble" }),
	}
}

func printScans() []scan {
	return []scan{
		idScan("PrintJobs", func(tx store.Tx, c multe.CreditorID, id string) error { return tx.PutPrintJob(printJob(c, id)) },
			store.Reader.PrintJobs, func(j multe.PrintJob) multe.PrintJobID { return j.ID }),
		idScan("PrintJobsIn", func(tx store.Tx, c multe.CreditorID, id string) error { return tx.PutPrintJob(printJob(c, id)) },
			func(r store.Reader, c multe.CreditorID, after multe.PrintJobID, limit int) ([]multe.PrintJob, error) {
				return r.PrintJobsIn(c, multe.PrintDone, after, limit)
			}, func(j multe.PrintJob) multe.PrintJobID { return j.ID }),
		idScan("PrintsOf", func(tx store.Tx, c multe.CreditorID, id string) error { return tx.PutPrint(printed(c, id)) },
			func(r store.Reader, c multe.CreditorID, after multe.PrintID, limit int) ([]multe.Print, error) {
				return r.PrintsOf(c, "V1", after, limit)
			}, func(p multe.Print) multe.PrintID { return p.ID }),
	}
}

// printsFollow checks what belongs to a job and to a verbale.
func printsFollow(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) error {
		fine := printItem(ours, "J1", 2)
		fine.Code, fine.Detail = "", ""
		running := printJob(ours, "J2")
		running.State = multe.PrintRunning
		other := printed(ours, "P3")
		other.Kind = multe.PrintVerbale
		return errors.Join(tx.PutPrintItem(printItem(ours, "J1", 1)), tx.PutPrintItem(fine), tx.PutPrintItem(printItem(ours, "J1", 300)),
			tx.PutPrintItem(printItem(ours, "J2", 1)), tx.PutPrintItem(printItem(theirs, "J1", 1)),
			tx.PutPrintJob(printJob(ours, "J1")), tx.PutPrintJob(running),
			tx.PutPrint(printed(ours, "P1")), tx.PutPrint(printed(ours, "P2")), tx.PutPrint(other), tx.PutPrint(printed(theirs, "P4")))
	})
	view(t, s, func(r store.Reader) error {
		ns := func(is []multe.PrintItem, err error) (out []int) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
			for _, i := range is {
				out = append(out, i.N)
			}
			return out
		}
		for _, tt := range []struct {
			name      string
			got, want []int
		}{
			{"items", ns(r.PrintItems(ours, "J1", 0, 9)), []int{1, 2, 300}},
			{"items after 1, one", ns(r.PrintItems(ours, "J1", 1, 1)), []int{2}},
			{"errors", ns(r.PrintErrors(ours, "J1", 0, 9)), []int{1, 300}},
			{"errors after 1", ns(r.PrintErrors(ours, "J1", 1, 9)), []int{300}},
		} {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
		running, err := r.PrintJobsIn(ours, multe.PrintRunning, "", 9)
		if err != nil || len(running) != 1 || running[0].ID != "J2" {
			t.Errorf("running jobs: %v, %v", running, err)
		}
		for kind, want := range map[multe.PrintKind]int{multe.PrintAvviso: 2, multe.PrintVerbale: 1, multe.PrintPreavviso: 0} {
			if n, err := r.CountPrints(ours, "V1", kind); err != nil || n != want {
				t.Errorf("CountPrints of %s = %d, %v; want %d", kind, n, err, want)
			}
		}
		return nil
	})
}

// creditorsAreRemembered checks that a creditor can be found as it was, also one
// from before snapshots.
func creditorsAreRemembered(t *testing.T, s store.Store) {
	c := multe.Creditor{ID: ours, Name: "Uno", Version: 1, Changed: noon}
	update(t, s, func(tx store.Tx) error { return tx.PutCreditor(c) })
	at := func(when time.Time, name string, n uint64) {
		t.Helper()
		view(t, s, func(r store.Reader) error {
			got, number, err := store.CreditorAt(r, ours, when)
			if err != nil || got.Name != name || number != n {
				t.Errorf("at %v: %q, %d, %v; want %q, %d", when, got.Name, number, err, name, n)
			}
			return nil
		})
	}
	at(noon, "Uno", 0)
	for i, name := range []string{"Due", "Tre"} {
		c.Name, c.Version, c.Changed = name, c.Version+1, noon.Add(time.Duration(i+1)*time.Hour)
		update(t, s, func(tx store.Tx) error { return store.SaveCreditor(tx, c, "admin", c.Changed) })
	}
	at(noon.Add(-time.Hour), "Uno", 1)
	at(noon, "Uno", 1)
	at(noon.Add(time.Hour), "Due", 2)
	at(noon.Add(2*time.Hour-1), "Due", 2)
	at(noon.Add(9*time.Hour), "Tre", 3)
}
