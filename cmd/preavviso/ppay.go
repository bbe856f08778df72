package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/peterbourgon/ff/v4"
	"github.com/peterbourgon/ff/v4/ffhelp"

	"preavviso/internal/avviso"
	"preavviso/internal/config"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/internal/ppay/rest"
)

const ppayUsage = `preavviso ppay: una posizione alla volta, con l'interfaccia REST di PiemontePAY

USO
  preavviso ppay status      IUV   a che punto è la posizione
  preavviso ppay paymentdata IUV   importo, debitore e pagamento
  preavviso ppay notice      IUV   l'avviso di pagamento in PDF
  preavviso ppay create            crea una posizione
  preavviso ppay update      IUV   cambia importo, causale, date, riferimenti o debitore
  preavviso ppay delete      IUV   annulla la posizione; non si può disfare
  preavviso ppay pay-url     IUV   dove pagare online la posizione
  preavviso ppay rt          IUV   la copia della ricevuta
  preavviso ppay stamp             avvia il pagamento di marche da bollo
  preavviso ppay rescue      IUV   riconosce una posizione il cui esito è andato perso

OPZIONI COMUNI
  --rest-url URL, --user NOME, --password-file FILE, --org CF, --type CODICE VERSAMENTO
  --json   risposta in JSON, con i nomi di campo di PiemontePAY

Le prime cinque si possono dare anche come variabili d'ambiente: PREAVVISO_REST_URL,
PREAVVISO_REST_USER, PREAVVISO_REST_PASSWORD_FILE, PREAVVISO_REST_ORG, PREAVVISO_REST_TYPE.
«preavviso ppay COMANDO --help» elenca le opzioni di un comando.
`

// ppayOptions are those of all commands; each command has some.
type ppayOptions struct {
	url, user, passwordFile, org, typ string
	json                              bool
	timeout                           time.Duration

	id, out, causale, amount, note, reason, from, to, due string
	cf, surname, name, company, email                     string
	references                                            []string
	costUpdate, yes                                       bool
	format, hash, province, kind, document                string
	documentType, documentAmount                          string
	quantity                                              int
}

// A ppayCommand is one call. flags adds those of its own.
type ppayCommand struct {
	name  string
	iuv   bool // has one for an argument
	flags func(*ff.FlagSet, *ppayOptions)
	run   func(context.Context, ppayCall) error
}

// A ppayCall is a command that is being run.
type ppayCall struct {
	*ppayOptions
	client *rest.Client
	iuv    string
	stdout io.Writer
}

var ppayCommands = []ppayCommand{
	{"status", true, noFlags, ppayStatus},
	{"paymentdata", true, noFlags, ppayData},
	{"notice", true, outFlag, ppayNotice},
	{"create", false, createFlags, ppayCreate},
	{"update", true, updateFlags, ppayUpdate},
	{"delete", true, func(fs *ff.FlagSet, o *ppayOptions) {
		fs.BoolVar(&o.yes, 0, "yes", "conferma: l'annullamento non si può disfare")
	}, ppayDelete},
	{"pay-url", true, noFlags, ppayURL},
	{"rt", true, func(fs *ff.FlagSet, o *ppayOptions) {
		fs.StringVar(&o.id, 0, "id", "", "identificativo della posizione")
		fs.StringVar(&o.cf, 0, "cf", "ANONIMO", "codice fiscale del debitore registrato")
		fs.StringVar(&o.format, 0, "format", "PDF", "PDF o XML")
		outFlag(fs, o)
	}, ppayReceipt},
	{"stamp", false, stampFlags, ppayStamp},
	{"rescue", true, func(fs *ff.FlagSet, o *ppayOptions) {
		fs.StringVar(&o.id, 0, "id", "", "identificativo della posizione di cui non è arrivato l'esito")
	}, ppayRescue},
}

func noFlags(*ff.FlagSet, *ppayOptions) {}

func outFlag(fs *ff.FlagSet, o *ppayOptions) {
	fs.StringVar(&o.out, 0, "out", "", "file da scrivere; non deve esistere")
}

func payerFlags(fs *ff.FlagSet, o *ppayOptions) {
	fs.StringVar(&o.cf, 0, "cf", "", "codice fiscale o partita IVA del debitore")
	fs.StringVar(&o.surname, 0, "surname", "", "cognome")
	fs.StringVar(&o.name, 0, "name", "", "nome")
	fs.StringVar(&o.company, 0, "company", "", "ragione sociale, al posto di cognome e nome")
	fs.StringVar(&o.email, 0, "email", "", "indirizzo e-mail")
}

func positionFlags(fs *ff.FlagSet, o *ppayOptions) {
	fs.StringVar(&o.causale, 0, "causale", "", "causale del versamento")
	fs.StringVar(&o.amount, 0, "amount", "", "importo in euro: 29,40")
	fs.StringVar(&o.from, 0, "from", "", "primo giorno di validità: 2026-11-23")
	fs.StringVar(&o.to, 0, "to", "", "ultimo giorno di validità")
	fs.StringVar(&o.due, 0, "due", "", "scadenza, solo indicativa")
	fs.BoolVar(&o.costUpdate, 0, "cost-update", "SEND può aggiungere le proprie spese")
	payerFlags(fs, o)
}

func createFlags(fs *ff.FlagSet, o *ppayOptions) {
	fs.StringVar(&o.id, 0, "id", "", "identificativo, mai usato prima; se manca ne è fatto uno")
	fs.StringVar(&o.note, 0, "note", "", "note per il pagatore")
	positionFlags(fs, o)
}

func updateFlags(fs *ff.FlagSet, o *ppayOptions) {
	fs.StringVar(&o.reason, 0, "reason", "", "motivazione, che diventa la nota")
	fs.StringListVar(&o.references, 0, "reference", "riferimento NOME=VALORE, ripetibile; sostituisce quelli che c'erano")
	positionFlags(fs, o)
}

func stampFlags(fs *ff.FlagSet, o *ppayOptions) {
	fs.StringVar(&o.id, 0, "id", "", "identificativo, mai usato prima; se manca ne è fatto uno")
	fs.StringVar(&o.causale, 0, "causale", "", "causale del versamento")
	fs.StringVar(&o.hash, 0, "hash", "", "impronta SHA-256 del documento, in base64")
	fs.StringVar(&o.province, 0, "province", "", "provincia del pagatore, due lettere")
	fs.StringVar(&o.amount, 0, "amount", "16,00", "importo di una marca")
	fs.IntVar(&o.quantity, 0, "quantity", 1, "numero di marche")
	fs.StringVar(&o.kind, 0, "kind", "01", "tipo di bollo")
	fs.StringVar(&o.document, 0, "document", "", "IUV del documento da pagare insieme")
	fs.StringVar(&o.documentType, 0, "document-type", "", "codice versamento di un documento nuovo da pagare insieme")
	fs.StringVar(&o.documentAmount, 0, "document-amount", "", "importo del documento nuovo")
	payerFlags(fs, o)
}

// ppayFlags are the flags of one command.
func ppayFlags(c ppayCommand) (*ff.FlagSet, *ppayOptions) {
	var o ppayOptions
	fs := ff.NewFlagSet("preavviso ppay " + c.name)
	fs.StringVar(&o.url, 0, "rest-url", "", "indirizzo dell'interfaccia REST, fino a /epayapi/api/v1")
	fs.StringVar(&o.user, 0, "user", "", "codice del chiamante")
	fs.StringVar(&o.passwordFile, 0, "password-file", "", "file con la password del chiamante")
	fs.StringVar(&o.org, 0, "org", "", "codice fiscale dell'ente")
	fs.StringVar(&o.typ, 0, "type", "", "codice versamento, 4 caratteri")
	fs.BoolVar(&o.json, 0, "json", "risposta in JSON")
	fs.DurationVar(&o.timeout, 0, "timeout", 30*time.Second, "durata massima di una chiamata")
	c.flags(fs, &o)
	return fs, &o
}

// ppayEnv is which flag a variable stands for.
var ppayEnv = map[string]string{
	"PREAVVISO_REST_URL":           "rest-url",
	"PREAVVISO_REST_USER":          "user",
	"PREAVVISO_REST_PASSWORD_FILE": "password-file",
	"PREAVVISO_REST_ORG":           "org",
	"PREAVVISO_REST_TYPE":          "type",
}

// minCallerPassword lets the short passwords pass that platforms hand out.
const minCallerPassword = 8

func runPpay(ctx context.Context, args, environ []string, stdout io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: manca il comando", config.ErrUsage)
	}
	if slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		return config.ErrHelp
	}
	i := slices.IndexFunc(ppayCommands, func(c ppayCommand) bool { return c.name == args[0] })
	if i < 0 {
		return fmt.Errorf("%w: comando sconosciuto %q", config.ErrUsage, args[0])
	}
	command := ppayCommands[i]
	fs, o := ppayFlags(command)
	argument := ""
	if command.iuv {
		argument = " IUV"
	}
	rest := args[1:]
	var iuv []string // may stand before or after the options
	if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		iuv, rest = rest[:1], rest[1:]
	}
	if err := fs.Parse(rest); errors.Is(err, ff.ErrHelp) {
		fmt.Fprint(stdout, ffhelp.Flags(fs, "preavviso ppay "+command.name+argument+" [--opzione valore …]").String())
		return nil
	} else if err != nil {
		return fmt.Errorf("%w: %w", config.ErrUsage, err)
	}
	if err := ppayFromEnv(fs, environ); err != nil {
		return err
	}
	switch iuv = append(iuv, fs.GetArgs()...); {
	case command.iuv && len(iuv) != 1:
		return fmt.Errorf("%w: %s vuole uno IUV", config.ErrUsage, command.name)
	case !command.iuv && len(iuv) != 0:
		return fmt.Errorf("%w: argomento di troppo %q", config.ErrUsage, iuv[0])
	}
	call, err := ppayOpen(o, stdout)
	if err != nil {
		return err
	}
	if command.iuv {
		call.iuv = iuv[0]
	}
	return call.explain(command.run(ctx, call))
}

// ppayFromEnv sets what no flag has set. As for the service, a misspelt variable is
// a mistake.
func ppayFromEnv(fs *ff.FlagSet, environ []string) error {
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "PREAVVISO_REST_") {
			continue
		}
		flag, known := ppayEnv[name]
		if !known {
			return fmt.Errorf("%w: variabile d'ambiente sconosciuta %s", config.ErrUsage, name)
		}
		if f, _ := fs.GetFlag(flag); !f.IsSet() {
			if err := f.SetValue(value); err != nil {
				return fmt.Errorf("%w: %s: %w", config.ErrUsage, name, err)
			}
		}
	}
	return nil
}

func ppayOpen(o *ppayOptions, stdout io.Writer) (ppayCall, error) {
	for name, value := range map[string]string{"rest-url": o.url, "org": o.org, "type": o.typ} {
		if value == "" {
			return ppayCall{}, fmt.Errorf("%w: manca --%s", config.ErrUsage, name)
		}
	}
	if (o.user == "") != (o.passwordFile == "") {
		return ppayCall{}, fmt.Errorf("%w: --user e --password-file vanno insieme", config.ErrUsage)
	}
	cfg := rest.Config{URL: o.url, User: o.user, Timeout: o.timeout}
	if o.passwordFile != "" {
		secrets, err := config.Secrets(o.passwordFile, minCallerPassword)
		if err != nil {
			return ppayCall{}, fmt.Errorf("password-file: %w", err)
		}
		cfg.Password = ppay.NewSecret(secrets[0])
	}
	client, err := rest.NewClient(cfg)
	return ppayCall{ppayOptions: o, client: client, stdout: stdout}, err
}

func (c ppayCall) creditor() multe.CreditorID { return multe.CreditorID(c.org) }

// explain adds to a refusal what its code means and who does what about it. With
// --json the same is also on stdout.
func (c ppayCall) explain(err error) error {
	r, ok := errors.AsType[*rest.Refusal](err)
	if !ok {
		return err
	}
	e, ok := ppay.Explain(ppay.PlaceREST, r.Code)
	if !ok {
		e.Meaning, e.Remedy = "Codice non documentato.", "Leggere i dati della posizione prima di ripetere l'operazione; comunicare il codice all'assistenza PiemontePAY."
	}
	if c.json {
		type refusal struct {
			Code    string        `json:"code"`
			Status  int           `json:"status"`
			Verdict multe.Verdict `json:"verdict"`
			Text    string        `json:"text"`
			Meaning string        `json:"meaning"`
			Remedy  string        `json:"remedy"`
		}
		if err := writeJSON(c.stdout, struct {
			Error refusal `json:"error"`
		}{refusal{r.Code, r.Status, r.Verdict, r.Text, e.Meaning, e.Remedy}}); err != nil {
			return err
		}
	}
	return fmt.Errorf("PiemontePAY ha rifiutato l'operazione: codice %s (HTTP %d)\n  messaggio:   %s\n  significato: %s\n  rimedio:     %s",
		r.Code, r.Status, cmp.Or(r.Text, "nessuno"), e.Meaning, e.Remedy)
}

func writeJSON[T any](w io.Writer, v T) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// show prints v as JSON, or lines of a name and a value for people. Values that
// are empty are left out.
func show[T any](c ppayCall, v T, lines ...string) error {
	if c.json {
		return writeJSON(c.stdout, v)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(lines); i += 2 {
		if lines[i+1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", lines[i], lines[i+1])
		}
	}
	return w.Flush()
}

func done(c ppayCall, text string) error {
	return show(c, struct {
		Done bool `json:"done"`
	}{true}, text, c.iuv)
}

func euro(c *rest.Cents) string {
	if c == nil {
		return ""
	}
	return avviso.Cents(*c).Italian() + " euro"
}

// amount reads "29,40" or "29.40"; "" is none.
func amount(flag, s string) (*rest.Cents, error) {
	if s == "" {
		return nil, nil
	}
	v, err := avviso.ParseDecimal(strings.Replace(s, ",", ".", 1))
	if err != nil {
		return nil, fmt.Errorf("%w: --%s: serve un importo come 29,40", config.ErrUsage, flag)
	}
	c := rest.Cents(v)
	return &c, nil
}

// day reads "2026-11-23"; "" is none.
func day(flag, s string) (rest.Date, error) {
	if s == "" {
		return rest.Date{}, nil
	}
	d, err := multe.ParseDay(s)
	if err != nil {
		return rest.Date{}, fmt.Errorf("%w: --%s: serve un giorno come 2026-11-23", config.ErrUsage, flag)
	}
	return rest.Date(d), nil
}

// dates are from, to and due.
func (c ppayCall) dates() (from, to, due rest.Date, err error) {
	var errs [3]error
	from, errs[0] = day("from", c.from)
	to, errs[1] = day("to", c.to)
	due, errs[2] = day("due", c.due)
	return from, to, due, errors.Join(errs[:]...)
}

func (c ppayCall) payer() rest.Payer {
	return rest.Payer{CF: multe.CF(c.cf), Surname: c.surname, Name: c.name, Company: c.company, Email: c.email}
}

// newID is what --id says, or an identifier nobody has used.
func (c ppayCall) newID() (multe.PositionID, error) {
	if c.id != "" {
		return multe.PositionID(c.id), nil
	}
	id, err := multe.NewID(time.Now(), rand.Reader)
	return multe.PositionID(id), err
}

func ppayStatus(ctx context.Context, c ppayCall) error {
	s, err := c.client.Status(ctx, c.creditor(), c.typ, c.iuv)
	if err != nil {
		return err
	}
	return show(c, s, "Stato", fmt.Sprintf("%s (%s)", s.Text, s.State))
}

func ppayData(ctx context.Context, c ppayCall) error {
	d, err := c.client.PaymentData(ctx, c.creditor(), c.typ, c.iuv)
	if err != nil {
		return err
	}
	when := ""
	if !d.Operation.IsZero() {
		when = d.Operation.In(multe.Rome()).Format("02/01/2006 15:04")
	}
	return show(c, d, "Numero avviso", d.Avviso, "IUV", d.IUV, "Causale", d.Causale, "Importo dovuto", euro(d.Cents), "Quota dell'ente", euro(d.MainCents),
		"Ente", strings.TrimSpace(d.CreditorName+" "+string(d.Creditor)), "Debitore", strings.TrimSpace(d.Debtor+" "+string(d.CF)),
		"Pagato il", when, "PSP", d.PSP, "IUR", d.IUR, "Transazione", d.Transaction)
}

// save writes what was asked for to --out, or to a name made of the IUV.
func (c ppayCall) save(name string, content []byte) error {
	file := cmp.Or(c.out, name)
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("scrivendo il file: %w", err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("scrivendo %s: %w", file, err)
	}
	return show(c, struct {
		File  string `json:"file"`
		Bytes int    `json:"bytes"`
	}{file, len(content)}, "Scritto", fmt.Sprintf("%s (%d byte)", file, len(content)))
}

func ppayNotice(ctx context.Context, c ppayCall) error {
	pdf, err := c.client.Notice(ctx, c.creditor(), c.typ, c.iuv)
	if err != nil {
		return err
	}
	return c.save("avviso-"+c.iuv+".pdf", pdf)
}

func ppayCreate(ctx context.Context, c ppayCall) error {
	id, err := c.newID()
	if err != nil {
		return err
	}
	cents, err := amount("amount", c.amount)
	if err != nil {
		return err
	}
	from, to, due, err := c.dates()
	if err != nil {
		return err
	}
	ref, err := c.client.Create(ctx, c.creditor(), c.typ, rest.NewPosition{Payer: c.payer(), ID: id, Causale: c.causale, Cents: cents, From: from, To: to, Due: due, Note: c.note, CostUpdate: c.costUpdate})
	if err != nil {
		return named(id, err)
	}
	return show(c, ref, "Numero avviso", ref.Number.Grouped(), "IUV", ref.IUV, "Identificativo", string(ref.ID))
}

// named says under which identifier something may have been made.
func named(id multe.PositionID, err error) error {
	if _, refused := errors.AsType[*rest.Refusal](err); refused {
		return err
	}
	return fmt.Errorf("identificativo %s: %w", id, err)
}

func ppayUpdate(ctx context.Context, c ppayCall) error {
	cents, err := amount("amount", c.amount)
	if err != nil {
		return err
	}
	from, to, due, err := c.dates()
	if err != nil {
		return err
	}
	u := rest.Update{Payer: c.payer(), Cents: cents, Causale: c.causale, Reason: c.reason, From: from, To: to, Due: due, CostUpdate: c.costUpdate}
	for _, r := range c.references {
		name, value, ok := strings.Cut(r, "=")
		if !ok {
			return fmt.Errorf("%w: --reference: serve NOME=VALORE", config.ErrUsage)
		}
		u.References = append(u.References, rest.Reference{Name: name, Value: value})
	}
	if err := c.client.Update(ctx, c.creditor(), c.typ, c.iuv, u); err != nil {
		return err
	}
	return done(c, "Aggiornata la posizione")
}

func ppayDelete(ctx context.Context, c ppayCall) error {
	if !c.yes {
		return fmt.Errorf("%w: l'annullamento non si può disfare: confermare con --yes", config.ErrUsage)
	}
	if err := c.client.Delete(ctx, c.creditor(), c.typ, c.iuv); err != nil {
		return err
	}
	return done(c, "Annullata la posizione")
}

func ppayURL(ctx context.Context, c ppayCall) error {
	ref, err := c.client.PaymentURL(ctx, c.creditor(), c.iuv)
	if err != nil {
		return err
	}
	return show(c, ref, "Pagare qui", ref.URL, "Attenzione", "finché il pagamento è in corso la posizione non si può cambiare")
}

func ppayReceipt(ctx context.Context, c ppayCall) error {
	r, err := c.client.Receipt(ctx, rest.ReceiptRequest{ID: multe.PositionID(c.id), CF: multe.CF(c.cf), IUV: c.iuv, Format: strings.ToUpper(c.format), Creditor: c.creditor()})
	if err != nil {
		return err
	}
	file, name := r.PDF, "ricevuta-"+c.iuv+".pdf"
	if len(file) == 0 {
		file, name = r.XML, "ricevuta-"+c.iuv+".xml"
	}
	if len(file) == 0 {
		return show(c, r, "Ricevuta", r.Kind, "Stato", r.State, "File", "non disponibile in questo formato")
	}
	return c.save(name, file)
}

func ppayStamp(ctx context.Context, c ppayCall) error {
	id, err := c.newID()
	if err != nil {
		return err
	}
	each, err := amount("amount", c.amount)
	if err != nil {
		return err
	}
	whole, err := amount("document-amount", c.documentAmount)
	if err != nil {
		return err
	}
	ref, err := c.client.StampTax(ctx, c.creditor(), c.typ, rest.StampTax{Payer: c.payer(), ID: id, Causale: c.causale, Type: c.documentType, Cents: whole, Only: c.document == "" && c.documentType == "",
		Hash: c.hash, StampCents: each, Province: c.province, Quantity: c.quantity, Kind: c.kind, Document: c.document})
	if err != nil {
		return named(id, err)
	}
	return show(c, ref, "Pagare qui", ref.URL, "IUV del documento", ref.Document, "IUV delle marche", strings.Join(ref.Stamps, " "), "Identificativo", string(id))
}

// matches is what a match says to people.
var matches = map[rest.Match]string{
	rest.MatchYes:     "sì: lo IUV è di questa posizione",
	rest.MatchNo:      "no: lo IUV è di un'altra posizione",
	rest.MatchUnclear: "non si può dire finché nessuno paga; se le altre posizioni perse danno «no», è questa",
}

func ppayRescue(ctx context.Context, c ppayCall) error {
	r, err := c.client.Rescue(ctx, c.creditor(), c.typ, c.iuv, multe.PositionID(c.id))
	if err != nil {
		return err
	}
	debtor := "già registrato"
	if r.Anonymous {
		debtor = "ANONIMO"
	}
	return show(c, struct {
		Number    avviso.Number `json:"codiceAvviso"`
		Cents     rest.Cents    `json:"importo"`
		State     rest.State    `json:"stato"`
		Anonymous bool          `json:"anonimo"`
		Causale   string        `json:"causale"`
		Match     rest.Match    `json:"match"`
	}{r.Number, r.Cents, r.State, r.Anonymous, r.Causale, r.Match},
		"Numero avviso", r.Number.Grouped(), "Importo", euro(&r.Cents), "Stato", string(r.State), "Debitore", debtor, "Causale", r.Causale, "È la posizione cercata", matches[r.Match])
}
