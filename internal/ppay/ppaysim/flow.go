package ppaysim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Flows: what the platform tells the accounting of a creditor, days after the
// payments. Here they are made when asked for.

// FlowState is what became of a flow (RIC/…/RiconciliazioneManagerImpl.java).
type FlowState string

// The states of a flow. None but a person has it sent again.
const (
	FlowAcquired FlowState = "ACQUISITO"
	FlowRefused  FlowState = "RIFIUTATO"
	FlowFailed   FlowState = "IN_ERRORE"
)

// The kinds of flow.
const (
	flowCompleto     = "completo"     // TrasmettiFlussiPagoPA
	flowRiversamento = "riversamento" // TrasmettiFlussoRendicontazione
)

// Flow is one flow of one PSP, with the payments that it pays over. It can be
// sent in either kind.
type Flow struct {
	CF        string        `json:"cf"`
	Name      string        `json:"name"` // IdentificativoFlusso
	Row       uint64        `json:"row"`  // id of the flow's row, in every IdMessaggio
	TRN       string        `json:"trn"`
	SettledOn time.Time     `json:"settled_on"` // platform time
	Payments  []FlowPayment `json:"payments"`
	// Unknown payments are in the totals and in no row: the platform leaves out
	// what it does not know.
	Unknown      int       `json:"unknown,omitempty"`
	UnknownCents Cents     `json:"unknown_cents,omitempty"`
	State        FlowState `json:"state,omitempty"` // after the last sending
	Sent         []Sending `json:"sent"`
}

// FlowPayment is one payment in a flow.
type FlowPayment struct {
	IUV     string    `json:"iuv"`
	IUR     string    `json:"iur"`
	Type    string    `json:"type"`
	Cents   Cents     `json:"cents"` // negative when revoked
	At      time.Time `json:"at"`
	Outcome string    `json:"outcome"` // 0, 3 or 9
	Causale string    `json:"causale"`
	Payer   *Subject  `json:"payer,omitempty"`
	Part    Component `json:"part"` // its accounting reference
}

// Sending is one attempt to deliver a flow.
type Sending struct {
	Message string    `json:"message"` // IdMessaggio
	Kind    string    `json:"kind"`
	At      time.Time `json:"at"` // platform time
	Code    string    `json:"code,omitempty"`
	Failure string    `json:"failure,omitempty"`
}

func (f Flow) total() (sum Cents) {
	for _, p := range f.Payments {
		sum += p.Cents
	}
	return sum
}

// flowRequest asks for a new flow.
type flowRequest struct {
	CF      string            `json:"cf"`
	Kind    string            `json:"kind"`          // "" is completo
	Unknown int               `json:"unknown"`       // payments that the platform does not know
	Cents   Cents             `json:"unknown_cents"` // their sum
	Outcome map[string]string `json:"outcome"`       // 3 or 9, by IUR
}

// buildFlow puts every payment of a creditor that is in no flow into one.
func (s *Sim) buildFlow(t tx, in flowRequest) (Flow, error) {
	now, err := s.platformNow(t)
	if err != nil {
		return Flow{}, err
	}
	inOne := map[string]bool{}
	if err := scan(t, bFlows, prefix(in.CF), nil, func(_ []byte, f Flow) (bool, error) {
		for _, p := range f.Payments {
			inOne[p.IUV+" "+p.IUR] = true
		}
		return true, nil
	}); err != nil {
		return Flow{}, err
	}
	f := Flow{CF: in.CF, SettledOn: now, Unknown: in.Unknown, UnknownCents: in.Cents, Payments: []FlowPayment{}, Sent: []Sending{}}
	err = scan(t, bPositions, prefix(in.CF), nil, func(_ []byte, p Position) (bool, error) {
		for _, pay := range p.Payments {
			if inOne[p.IUV+" "+pay.IUR] {
				continue
			}
			fp := FlowPayment{IUV: p.IUV, IUR: pay.IUR, Type: p.Type, Cents: pay.Cents, At: pay.At, Outcome: "0", Causale: p.Causale, Payer: pay.Payer, Part: Component{DSR: p.dsr()}}
			if len(p.Components) > 0 {
				fp.Part = p.Components[0]
			}
			if o := in.Outcome[pay.IUR]; o != "" {
				fp.Outcome = o
			}
			if fp.Outcome == "3" {
				fp.Cents = -fp.Cents
			}
			f.Payments = append(f.Payments, fp)
		}
		return true, nil
	})
	if err != nil {
		return Flow{}, err
	}
	if f.Row, err = t.in(bFlows).NextSequence(); err != nil {
		return Flow{}, err
	}
	day := now.In(rome).Format(time.DateOnly)
	f.Name = fmt.Sprintf("%s%s-%010d", day, psp, f.Row)
	f.TRN = fmt.Sprintf("TRN%s%010d", strings.ReplaceAll(day, "-", ""), f.Row)
	slices.SortFunc(f.Payments, func(a, b FlowPayment) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Part.Year, b.Part.Year), cmp.Compare(a.Part.Number, b.Part.Number), cmp.Compare(a.Part.DSR, b.Part.DSR), cmp.Compare(a.IUV, b.IUV), cmp.Compare(a.IUR, b.IUR))
	})
	return f, put(t, bFlows, key(f.CF, f.Name), f)
}

// flowMessage is the envelope of one sending, with the id that every sending has
// anew.
//
//parity:s20 RIC/business/epaymodric/manager/impl/TrasmissioneFlussiManagerImpl.java:331-352
//parity:s20 RIC/business/epaymodric/manager/impl/TrasmissioneFlussiManagerImpl.java:785
//parity:s20 RIC/business/epaymodric/manager/impl/TrasmissioneFlussiManagerImpl.java:809-826
func flowMessage(f Flow, kind string, now time.Time) (id string, body []byte) {
	id = now.In(rome).Format("2006-01-02-15:04:05.000-")
	id += fmt.Sprintf("%0*d", 35-len(id), f.Row)
	body = envelope(func(w *writer) {
		if kind == flowRiversamento {
			const name = "r:TrasmettiFlussoRendicontazioneRequest"
			w.open(name+` xmlns:r="`+nsRendicontazione+`"`, name, func() {
				w.wrap("r:Testata", func() {
					w.leaf("r:IdMessaggio", id)
					w.leaf("r:CFEnteCreditore", f.CF)
					w.leaf("r:IdPSP", psp)
					w.leaf("r:IdentificativoFlusso", f.Name)
				})
				w.leaf("r:FlussoRiversamento", base64.StdEncoding.EncodeToString(riversamentoXML(f)))
				w.codes("r", f)
			})
			return
		}
		const name = "f:TrasmettiFlussiPagoPARequest"
		w.open(name+` xmlns:f="`+nsFlussi+`/types"`, name, func() {
			w.wrap("f:Testata", func() {
				w.leaf("f:IdMessaggio", id)
				w.leaf("f:CFEnteCreditore", f.CF)
				w.leaf("f:IdentificativoFlusso", f.Name)
				w.leaf("f:DataOraFlusso", now.In(rome).Format(zonedMoment)) // of the sending, not of the flow
				w.leaf("f:IdPSP", psp)
			})
			w.leaf("f:FlussoCompleto", base64.StdEncoding.EncodeToString(completoXML(f, id, now)))
			w.codes("f", f)
		})
	})
	return id, body
}

const (
	nsFlussi          = "http://www.csi.it/epay/epaywso/flussi-completi-psp"
	nsRendicontazione = "http://www.csi.it/epay/epaywso/rendicontazione"
)

// codes writes one CodiceVersamento for each row of the synthesis, repetitions
// included.
func (w *writer) codes(p string, f Flow) {
	w.wrap(p+":DatiAggiuntivi", func() {
		w.wrap(p+":ElencoCodiciVersamento", func() {
			for _, g := range f.synthesis() {
				w.leaf(p+":CodiceVersamento", g[0].Type)
			}
			if len(f.Payments) == 0 {
				w.leaf(p+":CodiceVersamento", "NN")
			}
		})
	})
}

// synthesis groups payments by type and accounting reference.
func (f Flow) synthesis() [][]FlowPayment {
	var groups [][]FlowPayment
	for i, p := range f.Payments {
		if i > 0 {
			if q := f.Payments[i-1]; p.Type == q.Type && p.Part.Year == q.Part.Year && p.Part.Number == q.Part.Number && p.Part.DSR == q.Part.DSR {
				groups[len(groups)-1] = append(groups[len(groups)-1], p)
				continue
			}
		}
		groups = append(groups, []FlowPayment{p})
	}
	return groups
}

// completoXML is the document inside, with the root that the code marshals
// instead of that of its schema, and everything in the common namespace.
//
//parity:s20 RIC/util/xsd/epayflussicompletipsp/FlussoCompletoType.java:48-54
//parity:s20 RIC/business/epaymodric/manager/impl/TrasmissioneFlussiManagerImpl.java:205-211, 243-254
//parity:s20 RIC/business/epaymodric/manager/impl/TrasmissioneFlussiManagerImpl.java:905-924
func completoXML(f Flow, id string, now time.Time) []byte {
	w := &writer{}
	w.b.WriteString(xml.Header)
	const root = "c:flussoCompletoType"
	w.open(root+` xmlns:c="`+nsCommon+`"`, root, func() {
		w.wrap("c:TestataFlusso", func() {
			w.leaf("c:IdMessaggio", id)
			w.leaf("c:DataOraMessaggio", now.In(rome).Format(zonedMoment))
			w.leaf("c:CFEnteCreditore", f.CF)
			w.leaf("c:DenominazioneEnte", "ENTE "+f.CF)
			w.leaf("c:IdPSP", psp)
			w.leaf("c:DenominazionePSP", pspName)
			w.leaf("c:IdentificativoFlusso", f.Name)
			w.leaf("c:IdentificativoUnivocoRegolamento", f.TRN)
			w.leaf("c:DataRegolamento", f.SettledOn.In(rome).Format(zonedDate))
			w.leaf("c:NumeroTotalePagamentiFlusso", fmt.Sprint(len(f.Payments)+f.Unknown))
			w.leaf("c:NumeroTotalePagamentiIntermediati", fmt.Sprint(len(f.Payments)))
			w.leaf("c:ImportoTotalePagamentiFlusso", (f.total() + f.UnknownCents).Decimal())
			w.leaf("c:ImportoTotalePagamentiIntermediati", f.total().Decimal())
		})
		w.wrap("c:RigheSintesi", func() {
			for i, g := range f.synthesis() {
				w.wrap("c:SingolaRigaSintesi", func() { w.synthesis(f, i, g) })
			}
		})
	})
	return w.b.Bytes()
}

func (w *writer) synthesis(f Flow, i int, g []FlowPayment) {
	w.leaf("c:IdFlusso", f.Name)
	w.leaf("c:CodiceVersamento", g[0].Type)
	w.leaf("c:DatiSpecificiDiRiscossione", cut(g[0].Part.DSR, 70))
	w.leaf("c:ImportoQuotaAggregazione", Flow{Payments: g}.total().Decimal())
	w.leaf("c:NroPagamentiAggregazione", fmt.Sprint(len(g)))
	w.leaf("c:ProgressivoFlussoSintetico", fmt.Sprint(i+1))
	w.leaf("c:AccertamentoAnno", g[0].Part.Year)
	w.leaf("c:AccertamentoNumero", g[0].Part.Number)
	w.wrap("c:RigheDettaglio", func() {
		for _, p := range g {
			w.wrap("c:SingolaRigaDettaglio", func() {
				w.flowPayer(p.Payer)
				w.leaf("c:Causale", cut("/RFB/"+p.IUV+"/"+p.Cents.Decimal()+"/TXT/"+p.Causale, 135))
				w.leaf("c:DataPagamento", midnight(p.At).Format(zonedMoment))
				w.leaf("c:EsitoPagamento", p.Outcome)
				w.leaf("c:ImportoSingoloVersamento", p.Cents.Decimal())
				w.leaf("c:IndiceSingoloVersamento", "1")
				w.leaf("c:Transactionid", "TX"+p.IUR)
				w.leaf("c:IdentificativoUnivocoVersamento", p.IUV)
				w.leaf("c:IdentificativoUnivocoRiscossione", p.IUR)
			})
		}
	})
}

// flowPayer writes the payer, or nothing when there is no codice fiscale though
// the schema wants it. A person's name is split at its first space, the name
// first.
//
//parity:s20 RIC/business/epaymodric/manager/impl/TrasmissioneFlussiManagerImpl.java:931-938
//parity:s20 RIC/business/epaymodric/manager/impl/TrasmissioneFlussiManagerImpl.java:956-975
func (w *writer) flowPayer(s *Subject) {
	if s == nil || s.CF == "" {
		return
	}
	split := *s
	if !s.Company {
		split.Nome, split.Cognome, _ = strings.Cut(strings.TrimSpace(s.Nome+" "+s.Cognome), " ")
	}
	w.subject("c:AnagraficaPagatore", split)
}

func midnight(t time.Time) time.Time {
	y, m, d := t.In(rome).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, rome)
}

// riversamentoXML is the flow as the PSP made it: unknown payments have a row,
// for the PSP knows them.
//
//parity:s20 ours: the platform passes on what the PSP sent (FlussoRiversamento 1.0.4)
func riversamentoXML(f Flow) []byte {
	w := &writer{}
	w.b.WriteString(xml.Header)
	payment := func(iuv, iur string, cents Cents, outcome string, at time.Time) {
		w.wrap("datiSingoliPagamenti", func() {
			w.leaf("identificativoUnivocoVersamento", iuv)
			w.leaf("identificativoUnivocoRiscossione", iur)
			w.leaf("indiceDatiSingoloPagamento", "1")
			w.leaf("singoloImportoPagato", cents.Decimal())
			w.leaf("codiceEsitoSingoloPagamento", outcome)
			w.leaf("dataEsitoSingoloPagamento", at.In(rome).Format(time.DateOnly))
		})
	}
	w.open(`FlussoRiversamento xmlns="`+nsRT+`"`, "FlussoRiversamento", func() {
		w.leaf("versioneOggetto", "1.0")
		w.leaf("identificativoFlusso", f.Name)
		w.leaf("dataOraFlusso", f.SettledOn.In(rome).Format("2006-01-02T15:04:05"))
		w.leaf("identificativoUnivocoRegolamento", f.TRN)
		w.leaf("dataRegolamento", f.SettledOn.In(rome).Format(time.DateOnly))
		w.wrap("istitutoMittente", func() {
			w.wrap("identificativoUnivocoMittente", func() {
				w.leaf("tipoIdentificativoUnivoco", "B")
				w.leaf("codiceIdentificativoUnivoco", psp)
			})
			w.leaf("denominazioneMittente", pspName)
		})
		w.wrap("istitutoRicevente", func() {
			w.wrap("identificativoUnivocoRicevente", func() {
				w.leaf("tipoIdentificativoUnivoco", "G")
				w.leaf("codiceIdentificativoUnivoco", f.CF)
			})
		})
		w.leaf("numeroTotalePagamenti", fmt.Sprint(len(f.Payments)+f.Unknown))
		w.leaf("importoTotalePagamenti", (f.total() + f.UnknownCents).Decimal())
		for _, p := range f.Payments {
			payment(p.IUV, p.IUR, p.Cents, p.Outcome, p.At)
		}
		for i := range f.Unknown {
			cents := f.UnknownCents / Cents(f.Unknown)
			if i == 0 {
				cents += f.UnknownCents % Cents(f.Unknown)
			}
			payment(fmt.Sprintf("99%015d", i+1), fmt.Sprintf("IUR%s%d", f.TRN, i+1), cents, "0", f.SettledOn)
		}
	})
	return w.b.Bytes()
}

// sendFlow sends a flow once. Only 000 acquires it; any other code refuses it,
// and what is no answer is an error. Nothing is ever sent again by itself.
//
//parity:s20 RIC/business/epaymodric/manager/impl/RiconciliazioneManagerImpl.java:395-510
func (s *Sim) sendFlow(ctx context.Context, f Flow, kind string) (Flow, error) {
	var to Creditor
	var now time.Time
	err := s.view(func(t tx) (err error) {
		if to, _, err = get[Creditor](t, bCreditors, []byte(f.CF)); err != nil {
			return err
		}
		now, err = s.platformNow(t)
		return err
	})
	if err != nil {
		return f, err
	}
	id, body := flowMessage(f, kind, now)
	d := Delivery{Operation: "TrasmettiFlussiPagoPA", ID: id, Body: string(body), Action: "http://www.csi.it/epay/epaywso/FlussiCompletiPSP/TrasmettiFlussiPagoPA"}
	to.Endpoint = to.FlowEndpoint
	if kind == flowRiversamento {
		d.Operation, d.Action = "TrasmettiFlussoRendicontazione", nsRendicontazione+"/TrasmettiFlussoRendicontazione"
		to.Endpoint = to.ReportEndpoint
	}
	answer, code, failure := s.post(ctx, to, d)
	switch {
	case code == "000":
		f.State = FlowAcquired
	case code != "":
		f.State = FlowRefused
	default:
		f.State = FlowFailed
	}
	f.Sent = append(f.Sent, Sending{Message: id, Kind: kind, At: now, Code: code, Failure: failure})
	err = s.update(func(t tx) error {
		if err := s.record(t, Message{Direction: "out", Operation: d.Operation + "Request", CF: f.CF, ID: id, Code: code, Failure: failure, Body: d.Body, Answer: answer}); err != nil {
			return err
		}
		return put(t, bFlows, key(f.CF, f.Name), f)
	})
	s.log.Info("flow sent", "creditor", f.CF, "flow", f.Name, "state", string(f.State), "code", code)
	return f, err
}

// postFlow makes a flow of all payments that are in none, and sends it.
func (s *Sim) postFlow(r *http.Request) (any, error) {
	var in flowRequest
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	kind, err := flowKind(in.Kind)
	if err != nil {
		return nil, err
	}
	if in.Unknown < 0 || in.Unknown > maxPage || in.Cents < 0 || in.Unknown == 0 && in.Cents > 0 {
		return nil, badRequest("unknown: 0 to 1000 payments, and their cents")
	}
	for _, o := range in.Outcome {
		if o != "3" && o != "9" {
			return nil, badRequest("outcome: 3 or 9, by iur")
		}
	}
	var f Flow
	err = s.update(func(t tx) (err error) {
		if t.in(bCreditors).Get([]byte(in.CF)) == nil {
			return badRequest("cf: no such creditor")
		}
		if f, err = s.buildFlow(t, in); err != nil {
			return err
		}
		if len(f.Payments)+f.Unknown == 0 {
			return &refused{http.StatusConflict, ko{"NOTHING_PAID", "Every payment is in a flow already."}}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.sendFlow(r.Context(), f, kind)
}

func flowKind(kind string) (string, error) {
	switch kind {
	case "":
		return flowCompleto, nil
	case flowCompleto, flowRiversamento:
		return kind, nil
	}
	return "", badRequest("kind: completo or riversamento")
}

// postFlowAgain sends a flow again, as a person of the platform can, or as the
// other kind.
func (s *Sim) postFlowAgain(r *http.Request) (any, error) {
	var in struct {
		CF   string `json:"cf"`
		Kind string `json:"kind"`
		Name string `json:"name"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	kind, err := flowKind(in.Kind)
	if err != nil {
		return nil, err
	}
	var f Flow
	found := false
	err = s.view(func(t tx) (err error) {
		if t.in(bFlows) != nil {
			f, found, err = get[Flow](t, bFlows, key(in.CF, in.Name))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &refused{http.StatusNotFound, ko{"NO_SUCH_FLOW", "There is no such flow."}}
	}
	return s.sendFlow(r.Context(), f, kind)
}

// getFlows lists flows; cf narrows it.
func (s *Sim) getFlows(r *http.Request) (any, error) {
	after, limit, err := page(r)
	if err != nil {
		return nil, err
	}
	out := struct {
		Flows []Flow `json:"flows"`
		Next  string `json:"next,omitempty"`
	}{Flows: []Flow{}}
	var under []byte
	if cf := r.FormValue("cf"); cf != "" {
		under = prefix(cf)
	}
	err = s.view(func(t tx) error {
		if t.in(bFlows) == nil {
			return nil
		}
		return scan(t, bFlows, under, after, func(k []byte, f Flow) (bool, error) {
			out.Flows = append(out.Flows, f)
			if len(out.Flows) == limit {
				out.Next = cursor(bytes.Clone(k))
			}
			return len(out.Flows) < limit, nil
		})
	})
	return out, err
}
