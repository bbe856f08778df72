package backoffice

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
	"time"

	"preavviso/internal/exports"
	"preavviso/internal/multe"
	"preavviso/internal/prints"
)

// ActInvitation opens an office of its own with verbali in every part of their
// life, and returns the way in for a responsabile and the pages of each: the demo's
// verbali are all young.
func ActInvitation(t *testing.T) (link string, pages map[string]string) {
	o := newOffice(t)
	w, ctx := o.world, t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Pass(time.Since(w.Now()) - 20*24*time.Hour)
	young, recorded, notified, contested := o.issue(), o.issue(), o.issue(), o.issue()
	w.Pass(20 * 24 * time.Hour) // the codes of a second factor are of now
	const actor = "operator:lucia"
	today := multe.DayOf(w.Now())
	record := func(i issued, register string) {
		t.Helper()
		_, _, err := w.Verbali.Record(ctx, actor, torino, i.verbale.Slip.ID, multe.Record{Register: register, Causale: "Verbale CdS n. 17", On: today,
			Fine: &multe.Fine{Reduced: 4200, Discounted: 2940, Late: 8650}, CostsCents: 1420,
			Debtor: &multe.Debtor{Surname: "Rossi", Name: "Maria", CF: "RSSMRA80A01L219X", Address: "via Po", Civico: "1", CAP: "10123", City: "Torino", Province: "TO", Nation: "IT"}})
		must(err)
	}
	photo := photograph(t)
	sheet := multe.PhotoSheet{ID: multe.PhotoID(w.ID(t)), Verbale: young.verbale.Slip.ID, Digest: multe.DigestOf(photo), Size: len(photo), Media: "image/jpeg"}
	_, err := w.Photos.Declare(ctx, torino, young.device.ID, sheet)
	must(err)
	_, err = w.Photos.Add(ctx, torino, young.device.ID, sheet.ID, 0, photo)
	must(err)
	record(recorded, "V/2026/1")
	record(notified, "V/2026/2")
	record(contested, "V/2026/3")
	for _, i := range []issued{notified, contested} {
		_, _, err = w.Verbali.Notify(ctx, actor, torino, i.verbale.Slip.ID, multe.Notification{How: multe.NotifiedConsegna, Day: today})
		must(err)
	}
	_, _, err = w.Verbali.Appeal(ctx, actor, torino, contested.verbale.Slip.ID, multe.Appeal{Authority: multe.AuthorityPrefetto, Number: "12/2026", Day: today})
	must(err)

	job := func(kind multe.PrintKind) multe.PrintJob {
		t.Helper()
		j, err := w.Prints.Start(ctx, actor, torino, prints.Request{ID: multe.PrintJobID(w.ID(t)), Kind: kind, Form: multe.PrintZIP, Order: multe.PrintByRegister, Language: "it",
			Verbali: []multe.VerbaleID{young.verbale.Slip.ID, recorded.verbale.Slip.ID}})
		must(err)
		return j
	}
	good, bad := job(multe.PrintPreavviso), job(multe.PrintAvviso) // PiemontePAY has confirmed no amount
	for more := true; more; {
		more, err = w.Prints.Run(ctx)
		must(err)
	}
	list, err := w.Exports.Make(ctx, actor, exports.Request{Creditor: torino, ID: multe.ExportID(w.ID(t)), Kind: multe.ExportLookup})
	must(err)
	_, code, err := o.access.Invite(ctx, "admin", torino, "Lucia Bianchi", "lucia@example.it", multe.RoleResponsabile)
	must(err)
	at := func(i issued) string { return "/verbale/" + string(i.verbale.Slip.ID) }
	return o.base + pathInvite + "?codice=" + code, map[string]string{
		"verbale-con-foto":   at(young),
		"registra-con-foto":  at(young) + "/registra",
		"verbale-registrato": at(recorded),
		"notifica":           at(recorded) + "/notifica",
		"verbale-notificato": at(notified),
		"correggi":           at(notified) + "/correggi",
		"ricorso":            at(notified) + "/ricorso",
		"verbale-ricorso":    at(contested),
		"esito":              at(contested) + "/esito",
		"stampa":             "/stampe/" + string(good.ID),
		"stampa-scartati":    "/stampe/" + string(bad.ID),
		"stampe":             "/stampe",
		"elenco":             "/elenchi/" + string(list.ID),
	}
}

// photograph is a JPEG that says nothing of anybody.
func photograph(t *testing.T) []byte {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, 320, 240))
	for y := range 240 {
		for x := range 320 {
			picture.SetGray(x, y, color.Gray{Y: uint8(x ^ y)})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
