package demo

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	firmware "preavviso/firmware-api/client"
	"preavviso/internal/app"
	"preavviso/internal/avviso"
	"preavviso/internal/ppay/ppaysim"
)

// The town of the demo does not exist.
const (
	creditorCF       = "01234567897"
	codiceVersamento = "MU01"
	simUser          = "epay"
)

// What the interfaces answer, as far as the demo reads it.
type (
	code struct {
		Position string `json:"position"`
		Avviso   string `json:"avviso"`
		State    string `json:"state"`
		Upstream int64  `json:"upstream_cents"`
		Debtor   bool   `json:"upstream_debtor"`
	}
	step struct {
		Cents   int64  `json:"cents"`
		LastDay string `json:"last_day,omitempty"`
	}
	slip struct {
		ID        string            `json:"id"`
		Position  string            `json:"position"`
		Avviso    string            `json:"avviso"`
		Reference string            `json:"reference"`
		Plate     string            `json:"plate"`
		Nation    string            `json:"nation"`
		Vehicle   string            `json:"vehicle"`
		Place     string            `json:"place"`
		Violation map[string]string `json:"violation"`
		Class     string            `json:"vehicle_class,omitempty"`
		Warden    string            `json:"warden"`
		IssuedAt  time.Time         `json:"issued_at"`
		Offline   bool              `json:"offline"`
		Steps     []step            `json:"steps"`
	}
	receipt struct {
		ID       string    `json:"id"`
		Received time.Time `json:"received_at"`
		Digest   string    `json:"digest"`
	}
	status struct {
		State   string `json:"state"`
		Payable bool   `json:"payable"`
		Due     int64  `json:"due_cents"`
	}
	verbaleAndCode struct {
		Verbale struct {
			State string `json:"state"`
			Due   int64  `json:"due_cents"`
		} `json:"verbale"`
		Code code `json:"code"`
	}
	timeline struct {
		Entries []struct {
			At     time.Time `json:"at"`
			Actor  string    `json:"actor"`
			Action string    `json:"action"`
			Text   string    `json:"text"`
		} `json:"entries"`
	}
)

// shift is the story.
func (d *demo) shift(ctx context.Context) error {
	fmt.Fprintf(d.w, "Un turno di polizia locale, con PiemontePAY simulata\n\n")
	base := "/v1/creditors/" + creditorCF

	if err := d.sim.do(ctx, "PUT", "/control/v1/enti", map[string]any{"enti": []ppaysim.Creditor{{
		CF: creditorCF, Segregation: "12", Endpoint: d.soap + app.SOAPPath, FlowEndpoint: d.soap + app.FlussiPath, ReportEndpoint: d.soap + app.RendicontazionePath, User: simUser, Password: d.password,
		Types: []ppaysim.PaymentType{{Code: codiceVersamento}},
	}}}, nil); err != nil {
		return fmt.Errorf("telling the simulator about the creditor: %w", err)
	}
	if err := d.admin.do(ctx, "POST", "/v1/creditors", map[string]any{
		"cf": creditorCF, "name": "Comune di Esempio", "settore": "Corpo di Polizia Locale",
		"info": "Piazza del Municipio 1 · tel. 011 0000000 · polizia@comune.esempio.it", "cbill": "A0B1C",
		"codice_versamento": codiceVersamento,
		"postal":            map[string]any{"number": "000000123456", "holder": "Comune di Esempio, Polizia Locale", "authorization": "AUT. DB/SSIC/E 00000 DEL 01/01/2026"},
		"pool":              map[string]int{"low": 20, "target": 40},
	}, nil); err != nil {
		return fmt.Errorf("adding the creditor: %w", err)
	}
	d.step("ente creato; la scorta è vuota: si chiedono 40 codici a PiemontePAY")

	var operator struct {
		Token string `json:"token"`
	}
	if err := d.admin.do(ctx, "POST", base+"/operators", map[string]any{"name": "Ufficio verbali"}, &operator); err != nil {
		return fmt.Errorf("adding the operator: %w", err)
	}
	office := client{base: d.admin.base, token: operator.Token}
	if err := d.giveCatalogue(ctx, office, base); err != nil {
		return err
	}
	if err := until(ctx, "codes available", func() (bool, error) {
		var stock struct {
			Counts map[string]int `json:"counts"`
		}
		err := office.do(ctx, "GET", base+"/stock", nil, &stock)
		return stock.Counts["available"] == 40, err
	}); err != nil {
		return err
	}
	d.step("40 codici disponibili, a importo zero e non pagabili")

	handheld, key, err := d.enrol(ctx, office, base)
	if err != nil {
		return err
	}
	var block struct {
		Codes []code `json:"codes"`
	}
	request := map[string]any{"id": newID(time.Now()), "want": 10}
	if err := handheld.do(ctx, "POST", "/v1/leases", request, &block); err != nil {
		return fmt.Errorf("leasing codes: %w", err)
	}
	var again struct {
		Codes []code `json:"codes"`
	}
	if err := handheld.do(ctx, "POST", "/v1/leases", request, &again); err != nil {
		return fmt.Errorf("leasing codes again: %w", err)
	}
	if len(block.Codes) != 10 || len(again.Codes) != 10 || block.Codes[0] != again.Codes[0] || block.Codes[9] != again.Codes[9] {
		return errors.New("a repeated request did not get the same ten codes")
	}
	d.step("palmare attivato con la sua chiave, ogni richiesta è firmata; 10 codici affidati (e la richiesta ripetuta riceve gli stessi)")

	// Two slips with network, one without: it is on paper long before we hear of it.
	paid := d.newSlip(block.Codes[0], "PV-2026-0001", "AB123CD", 2940, 4200, false)
	recorded := d.newSlip(block.Codes[1], "PV-2026-0002", "EF456GH", 6090, 8700, false)
	late := d.newSlip(block.Codes[2], "PV-2026-0003", "IJ789KL", 2940, 4200, true)
	if err := d.price(key, map[*slip]string{&paid: "158-6", &recorded: "158-5", &late: "158-6"}); err != nil {
		return err
	}
	if err := d.ko(ctx, paid.Avviso, "PAA_SYSTEM_ERROR"); err != nil {
		return fmt.Errorf("before activation: %w", err)
	}
	d.step("preavviso %s stampato senza rete: resta sul palmare", late.Reference)

	for _, s := range []slip{paid, recorded} {
		if err := d.issue(ctx, handheld, s); err != nil {
			return err
		}
	}
	for _, s := range []slip{paid, recorded} {
		if err := d.payable(ctx, handheld, office, base, s, s.Steps[0].Cents); err != nil {
			return err
		}
	}

	if err := d.pay(ctx, paid.Avviso); err != nil {
		return fmt.Errorf("paying: %w", err)
	}
	d.step("un cittadino paga %s: €%s", paid.Reference, avviso.Cents(paid.Steps[0].Cents).Italian())
	if err := until(ctx, "verbale settled", func() (bool, error) {
		var v verbaleAndCode
		err := office.do(ctx, "GET", base+"/verbali/"+paid.ID, nil, &v)
		return v.Verbale.State == "settled" && v.Code.State == "paid", err
	}); err != nil {
		return err
	}
	d.step("pagamento notificato da PiemontePAY: %s è chiuso", paid.Reference)

	if err := d.record(ctx, office, base, recorded); err != nil {
		return err
	}

	if err := d.issue(ctx, handheld, late); err != nil {
		return err
	}
	if err := d.payable(ctx, handheld, office, base, late, late.Steps[0].Cents); err != nil {
		return err
	}
	if err := d.agree(ctx, office, base); err != nil {
		return err
	}
	return d.report(ctx, office, base, []slip{paid, recorded, late})
}

func (d *demo) enrol(ctx context.Context, office client, base string) (client, firmware.Signer, error) {
	var invitation struct {
		Code string `json:"code"`
	}
	if err := office.do(ctx, "POST", base+"/devices", map[string]any{"name": "Palmare 1"}, &invitation); err != nil {
		return client{}, nil, fmt.Errorf("adding the handheld: %w", err)
	}
	key, err := firmware.GenerateKey()
	if err != nil {
		return client{}, nil, err
	}
	handheld := client{base: d.firmware}
	if handheld.signer, err = firmware.NewConn(d.firmware, key); err != nil {
		return client{}, nil, err
	}
	if err := handheld.do(ctx, "POST", "/v1/enrolments", map[string]any{
		"code": invitation.Code, "public_key": base64.StdEncoding.EncodeToString(key.PublicKey()),
	}, nil); err != nil {
		return client{}, nil, fmt.Errorf("enrolling the handheld: %w", err)
	}
	return handheld, key, nil
}

// newSlip is what the warden enters. One printed offline is minutes old.
func (d *demo) newSlip(k code, reference, plate string, discounted, reduced int64, offline bool) slip {
	at := time.Now().Truncate(time.Second)
	if offline {
		at = at.Add(-10 * time.Minute)
	}
	return slip{
		ID: newID(at), Position: k.Position, Avviso: k.Avviso, Reference: reference,
		Plate: plate, Nation: "IT", Vehicle: "autovettura grigia", Place: "Via Roma, fronte civico 12",
		Violation: map[string]string{"norm": "art. 158 c. 2 e 6 CdS", "conduct": "Sostava in corrispondenza di un passo carrabile."},
		Warden:    "M042", IssuedAt: at, Offline: offline,
		Steps: []step{{Cents: discounted, LastDay: at.AddDate(0, 0, 6).Format(time.DateOnly)}, {Cents: reduced}},
	}
}

// issue uploads a slip twice, as a handheld does whose first answer was lost.
func (d *demo) issue(ctx context.Context, handheld client, s slip) error {
	var first, second receipt
	if err := handheld.do(ctx, "POST", "/v1/verbali", s, &first); err != nil {
		return fmt.Errorf("uploading %s: %w", s.Reference, err)
	}
	if err := handheld.do(ctx, "POST", "/v1/verbali", s, &second); err != nil {
		return fmt.Errorf("uploading %s again: %w", s.Reference, err)
	}
	if first != second {
		return fmt.Errorf("uploading %s twice gave two receipts", s.Reference)
	}
	how := "caricato"
	if s.Offline {
		how = "caricato in ritardo"
	}
	d.step("preavviso %s %s, %s €%s", s.Reference, how, s.Avviso, avviso.Cents(s.Steps[0].Cents).Italian())
	return nil
}

// payable waits until the platform confirmed the amount, prints the page, and
// reads its symbols back.
func (d *demo) payable(ctx context.Context, handheld, office client, base string, s slip, cents int64) error {
	if err := until(ctx, s.Reference+" payable", func() (bool, error) {
		var st status
		err := handheld.do(ctx, "GET", "/v1/verbali/"+s.ID, nil, &st)
		return st.Payable, err
	}); err != nil {
		return err
	}
	p, err := d.position(ctx, s.Position)
	if err != nil {
		return err
	}
	if int64(p.Cents) != cents || p.Avviso != s.Avviso || p.Inserted != 1 || strings.Contains(p.Causale, s.Plate) {
		return fmt.Errorf("%s: the platform holds %s with %d cents, want %d", s.Reference, p.Avviso, p.Cents, cents)
	}
	pdf, err := office.raw(ctx, "GET", base+"/verbali/"+s.ID+"/preavviso.pdf", nil)
	if err != nil {
		return err
	}
	path := filepath.Join(d.out, s.Reference+".pdf")
	if err := os.WriteFile(path, pdf, 0o644); err != nil {
		return err
	}
	qr, matrix, err := readSymbols(ctx, path)
	if errors.Is(err, errNoTool) {
		d.step("%s pagabile; %s (simboli non riletti: %v)", s.Reference, path, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	n, err := avviso.ParseNumber(s.Avviso)
	if err != nil {
		return err
	}
	want, err := avviso.QR(n, creditorCF, p.Cents)
	if err != nil {
		return err
	}
	if qr != want {
		return fmt.Errorf("the QR of %s reads %q, want %q", path, qr, want)
	}
	m, err := avviso.ParseDataMatrix(matrix)
	if err != nil {
		return fmt.Errorf("the Data Matrix of %s: %w", path, err)
	}
	if m.Number != n || m.Amount != p.Cents {
		return fmt.Errorf("the Data Matrix of %s says %v and %v cents", path, m.Number, m.Amount)
	}
	d.step("%s pagabile; QR e Data Matrix di %s riletti: €%s come in piattaforma", s.Reference, path, p.Cents.Italian())
	return nil
}

// position is what the platform holds under an IdPosizioneDebitoria.
func (d *demo) position(ctx context.Context, id string) (ppaysim.Position, error) {
	var list struct {
		Positions []ppaysim.Position `json:"positions"`
	}
	if err := d.sim.do(ctx, "GET", "/control/v1/positions?id="+id, nil, &list); err != nil {
		return ppaysim.Position{}, err
	}
	if len(list.Positions) != 1 {
		return ppaysim.Position{}, fmt.Errorf("the platform holds %d positions %s", len(list.Positions), id)
	}
	return list.Positions[0], nil
}

// pay is the citizen's part.
func (d *demo) pay(ctx context.Context, number string) error {
	return d.sim.do(ctx, "POST", "/control/v1/pay", map[string]any{"avviso": number}, nil)
}

// ko checks that a citizen who scans too early is refused, and how.
func (d *demo) ko(ctx context.Context, number, want string) error {
	err := d.sim.do(ctx, "POST", "/control/v1/verify", map[string]any{"avviso": number}, nil)
	var no *refusal
	if !errors.As(err, &no) || no.Code != want {
		return fmt.Errorf("the platform would take the money, or refuse it for another reason than %s: %w", want, err)
	}
	return nil
}

// record is the office's part: register number, owner, and costs on top.
func (d *demo) record(ctx context.Context, office client, base string, s slip) error {
	const cents = 8700 + 1380 // the reduced amount and the costs of notification, never discounted
	var v verbaleAndCode
	if err := office.do(ctx, "PUT", base+"/verbali/"+s.ID+"/record", map[string]any{
		"register": "2026-000123", "cents": cents, "causale": "Verbale CdS n. 2026-000123",
		"debtor": map[string]any{"surname": "Bianchi", "name": "Lucia", "cf": "BNCLCU80A41L219X", "address": "Via Po", "civico": "3", "cap": "10123", "city": "Torino", "province": "TO", "nation": "IT"},
	}, &v); err != nil {
		return fmt.Errorf("recording %s: %w", s.Reference, err)
	}
	d.step("l'ufficio registra %s con l'intestataria: regola «reset», a zero e poi €%s", s.Reference, avviso.Cents(cents).Italian())
	if err := until(ctx, "debtor at the platform", func() (bool, error) {
		err := office.do(ctx, "GET", base+"/verbali/"+s.ID, nil, &v)
		return v.Code.Debtor && v.Code.Upstream == cents, err
	}); err != nil {
		return err
	}
	p, err := d.position(ctx, s.Position)
	if err != nil {
		return err
	}
	if p.Cents != cents || p.Debtor.Cognome != "Bianchi" || p.Debtor.CF != "BNCLCU80A41L219X" || v.Verbale.State != "finalised" || v.Verbale.Due != cents {
		return errors.New("register and platform disagree about the recorded verbale")
	}
	d.step("PiemontePAY ha intestataria e importo nuovi di %s", s.Reference)
	return nil
}

// agree compares what we believe of every code with what the platform holds.
func (d *demo) agree(ctx context.Context, office client, base string) error {
	var held ppaysim.Dump
	if err := d.sim.do(ctx, "GET", "/control/v1/dump", nil, &held); err != nil {
		return err
	}
	for _, p := range held.Positions {
		var k code
		if err := office.do(ctx, "GET", base+"/codes/"+p.ID, nil, &k); err != nil {
			return err
		}
		if p.Inserted != 1 || k.Avviso != p.Avviso || k.Upstream != int64(p.Cents) {
			return fmt.Errorf("of %s we believe %d cents, the platform %d", p.Avviso, k.Upstream, p.Cents)
		}
	}
	var open struct {
		Discrepancies []struct {
			ID string `json:"id"`
		} `json:"discrepancies"`
	}
	if err := office.do(ctx, "GET", base+"/discrepancies", nil, &open); err != nil {
		return err
	}
	if len(open.Discrepancies) > 0 {
		return fmt.Errorf("%d discrepancies are open, the first %s", len(open.Discrepancies), open.Discrepancies[0].ID)
	}
	return nil
}

// report prints the life of the three codes.
func (d *demo) report(ctx context.Context, office client, base string, slips []slip) error {
	for _, s := range slips {
		var t timeline
		if err := office.do(ctx, "GET", base+"/codes/"+s.Avviso+"/timeline", nil, &t); err != nil {
			return err
		}
		fmt.Fprintf(d.w, "\n%s · codice avviso %s\n", s.Reference, s.Avviso)
		var uploaded, payable time.Time
		for _, e := range t.Entries {
			fmt.Fprintf(d.w, "  %s  %-22s %s\n", e.At.Local().Format("15:04:05.000"), e.Action, e.Text)
			switch e.Action {
			case "verbale.issued", "verbale.issued_offline":
				uploaded = e.At
			case "code.payable":
				payable = e.At
			}
		}
		if uploaded.IsZero() || payable.IsZero() {
			return fmt.Errorf("the timeline of %s does not tell when it was issued and payable", s.Reference)
		}
		fmt.Fprintf(d.w, "  dalla stampa al pagabile %s, dal caricamento al pagabile %s\n",
			payable.Sub(s.IssuedAt).Round(10*time.Millisecond), payable.Sub(uploaded).Round(10*time.Millisecond))
	}
	return nil
}

// invite tells how to go on by hand.
func (d *demo) invite(ctx context.Context) error {
	var person struct {
		Code string `json:"code"`
	}
	err := d.admin.do(ctx, "POST", "/v1/creditors/"+creditorCF+"/people",
		map[string]string{"name": "Paola Neri", "email": "paola.neri@comune.esempio.it", "role": "responsabile"}, &person)
	if err != nil {
		return fmt.Errorf("inviting somebody to the pages: %w", err)
	}
	fmt.Fprintf(d.w, `
In funzione fino a Ctrl-C:
  pagine dell'ufficio  %s   (invito che vale una volta)
  API dei palmari      %s
  API dell'ufficio     %s   (token in %s)
  simulatore           %s   (controlli sotto /control/v1)
`, d.office+"/invito?codice="+person.Code, d.firmware, d.admin.base, filepath.Join(d.out, "admin.secret"), d.sim.base)
	return nil
}
