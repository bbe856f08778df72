package multe_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"preavviso/internal/multe"
)

// TestNothingPersonalIsPrinted logs and formats everything that can hold
// personal data, in every way somebody in a hurry would, and searches the output.
func TestNothingPersonalIsPrinted(t *testing.T) {
	const plate, cf, surname, email = "ZZ987YY", "CNRMRA80A01L219K", "Canarini", "canarino@example.it"
	raw := []byte("<CodiceFiscale>" + cf + "</CodiceFiscale>")
	debtor := &multe.Debtor{Surname: surname, Name: "Mario", CF: cf, Email: email}
	desired := multe.Desired{Cents: 1, Debtor: debtor}
	slip := multe.Slip{ID: id, Plate: plate}
	record := &multe.Record{Register: "17", Debtor: debtor}
	payment := multe.Payment{IUV: "01000000000000123", Payer: debtor}
	notice := &multe.Notice{Message: "M", Payments: []multe.Payment{payment}}
	verbale := multe.Verbale{Slip: slip, Record: record}
	change := multe.Change{Position: "P1", Want: desired}
	batch := multe.Batch{ID: "B1", Body: raw}
	message := multe.Message{ID: "M1", Raw: raw}
	receipt := multe.Receipt{IUV: "01000000000000123", XML: raw}
	receipts := &multe.Bundle[multe.Receipt]{Items: []multe.Receipt{receipt}}

	show(t, "Plate", multe.Plate(plate))
	show(t, "CF", multe.CF(cf))
	show(t, "Debtor", *debtor)
	show(t, "Slip", slip)
	show(t, "Record", *record)
	show(t, "Verbale", verbale)
	show(t, "Desired", desired)
	show(t, "Change", change)
	show(t, "Batch", batch)
	show(t, "Payment", payment)
	show(t, "Notice", *notice)
	show(t, "Event", multe.Event{Kind: "TrasmettiNotifichePagamento", Notice: notice})
	show(t, "Message", message)
	show(t, "Receipt", receipt)
	show(t, "Receipts", *receipts)
	show(t, "Print", multe.Print{ID: "P1", Face: multe.PrintFace{Debtor: debtor}})
	show(t, "OwnerHint", multe.OwnerHint{ID: "H1", Plate: plate, Debtor: debtor})
	show(t, "PhotoChunk", multe.PhotoChunk{Photo: "F1", N: 1, Data: raw})
	show(t, "Bulletin", multe.Bulletin{ID: "B1", Text: "Cercare " + surname + ", targa " + plate})
	show(t, "Event with receipts", multe.Event{Kind: "TrasmettiRT", Receipts: receipts})
}

func show[T any](t *testing.T, name string, v T) {
	t.Helper()
	secrets := []string{"ZZ987YY", "CNRMRA80A01L219K", "Canarini", "canarino@", "Mario"}
	secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte("<CodiceFiscale>")), fmt.Sprint([]byte("<Codice"))[1:20], fmt.Sprintf("%x", "<Codice"), fmt.Sprintf("%X", "ZZ987YY"), fmt.Sprintf("%x", "ZZ987YY"))
	type wrapped struct{ Inner T }
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		l := slog.New(h)
		l.Info("value", "v", v)
		l.Info("pointer", "v", &v)
		l.With("v", v).Info("with")
		l.Info("group", slog.Group("g", slog.Any("v", v)))
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+"\n", v)
		fmt.Fprintf(&out, verb+"\n", &v)
		fmt.Fprintf(&out, verb+"\n", []T{v})
		fmt.Fprintf(&out, verb+"\n", wrapped{v})
	}
	fmt.Fprintln(&out, fmt.Errorf("error about %v", v))
	for line := range strings.Lines(out.String()) {
		for _, s := range secrets {
			if strings.Contains(line, s) {
				t.Errorf("%s tells %q: %s", name, s, line)
			}
		}
	}
	if out.Len() == 0 {
		t.Errorf("%s printed nothing: the test proves nothing", name)
	}
}
