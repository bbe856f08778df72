package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v4"

	"preavviso/internal/avviso"
	"preavviso/internal/config"
	"preavviso/internal/escpos"
	"preavviso/internal/fault"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

const slipUsage = `preavviso slip: un preavviso in JSON, dallo standard input, pronto per la stampante

USO
  preavviso slip --out FILE [--printer escpos|zpl|cpcl] [--width 58|80|112] [--dpi 203|300]
                 [--format bytes|png|pdf|a4] [--own-font] [--postal] [--template FILE]
  preavviso slip --sample        un preavviso di esempio, da modificare

«--format» a4 è il foglio intero, png e pdf l'anteprima dello scontrino. «--out -» scrive sullo
standard output. «--own-font» usa i caratteri della stampante; «--postal» stampa anche il Data
Matrix del bollettino, se l'ente ha conto e autorizzazione.
`

const templateUsage = `preavviso template: i testi delle stampe, che si cambiano senza programmare

USO
  preavviso template show DOCUMENTO [LINGUA]           scrive i testi in vigore: avviso, preavviso, verbale, slip
  preavviso template check FILE [--preview FILE.pdf]   controlla un file di testi e ne disegna un esempio
`

// maxSlip is far above the longest notice: twenty texts of some hundred letters.
const maxSlip = 64 << 10

// slipNotice is a notice as this command reads it. Amounts are in cents, instants
// in RFC 3339, days as 2026-03-17.
type slipNotice struct {
	Creditor struct {
		Name               string `json:"name"`
		Settore            string `json:"settore,omitempty"`
		Info               string `json:"info,omitempty"`
		Contacts           string `json:"contacts,omitempty"`
		Privacy            string `json:"privacy,omitempty"`
		CF                 string `json:"cf"`
		CBILL              string `json:"cbill,omitempty"`
		PostalAccount      string `json:"postal_account,omitempty"`
		PostalHolder       string `json:"postal_holder,omitempty"`
		PosteAuthorisation string `json:"poste_authorisation,omitempty"`
	} `json:"creditor"`
	Reference  string         `json:"reference"`
	IssuedAt   time.Time      `json:"issued_at"`
	Place      string         `json:"place"`
	Plate      string         `json:"plate"`
	Vehicle    string         `json:"vehicle,omitempty"`
	Norm       string         `json:"norm"`
	Violation  string         `json:"violation"`
	Warden     string         `json:"warden"`
	Number     avviso.Number  `json:"number"`
	FullNumber *avviso.Number `json:"full_number,omitempty"`
	Causale    string         `json:"causale"`
	Steps      []slipStep     `json:"steps"`
	Reprint    bool           `json:"reprint,omitempty"`
}

type slipStep struct {
	Cents int64  `json:"cents"`
	Label string `json:"label"`
	By    string `json:"by,omitempty"`
	Term  string `json:"term,omitempty"`
}

func (s slipNotice) notice() (pdf.Notice, error) {
	c := s.Creditor
	n := pdf.Notice{
		Creditor: pdf.Creditor{Name: c.Name, Settore: c.Settore, Info: c.Info, Contacts: c.Contacts, Privacy: c.Privacy, CF: c.CF, CBILL: c.CBILL,
			PostalAccount: c.PostalAccount, PostalHolder: c.PostalHolder, PosteAuthorisation: c.PosteAuthorisation},
		Reference: s.Reference, IssuedAt: s.IssuedAt, Place: s.Place, Plate: s.Plate, Vehicle: s.Vehicle, Norm: s.Norm, Violation: s.Violation,
		Warden: s.Warden, Number: s.Number, Causale: s.Causale, Reprint: s.Reprint,
	}
	if s.FullNumber != nil {
		n.Full = *s.FullNumber
	}
	for _, step := range s.Steps {
		p := pdf.Step{Amount: avviso.Cents(step.Cents), Label: step.Label, Term: step.Term}
		if step.By != "" {
			day, err := time.Parse(time.DateOnly, step.By)
			if err != nil {
				return pdf.Notice{}, fault.New(fault.Invalid, "print.bad_term", "La scadenza di un importo deve essere una data, per esempio 2026-03-17.")
			}
			p.By = day.Add(12 * time.Hour) // noon in Greenwich is the same day in Rome
		}
		n.Steps = append(n.Steps, p)
	}
	return n, nil
}

func sampleSlip() (slipNotice, error) {
	d, err := pdf.Sample(texts.Preavviso, "")
	if err != nil {
		return slipNotice{}, err
	}
	n := d.(pdf.Notice)
	s := slipNotice{Reference: n.Reference, IssuedAt: n.IssuedAt, Place: n.Place, Plate: n.Plate, Vehicle: n.Vehicle, Norm: n.Norm, Violation: n.Violation,
		Warden: n.Warden, Number: n.Number, Causale: n.Causale}
	c := n.Creditor
	s.Creditor.Name, s.Creditor.Settore, s.Creditor.Info, s.Creditor.Contacts, s.Creditor.Privacy = c.Name, c.Settore, c.Info, c.Contacts, c.Privacy
	s.Creditor.CF, s.Creditor.CBILL = c.CF, c.CBILL
	s.Creditor.PostalAccount, s.Creditor.PostalHolder, s.Creditor.PosteAuthorisation = c.PostalAccount, c.PostalHolder, c.PosteAuthorisation
	for _, step := range n.Steps {
		s.Steps = append(s.Steps, slipStep{Cents: int64(step.Amount), Label: step.Label, By: step.By.Format(time.DateOnly)})
	}
	return s, nil
}

func readSlip(stdin io.Reader) (pdf.Notice, error) {
	b, err := io.ReadAll(io.LimitReader(stdin, maxSlip+1))
	if err != nil {
		return pdf.Notice{}, err
	}
	bad := func(detail string, err error) (pdf.Notice, error) {
		return pdf.Notice{}, fault.Wrap(fault.Invalid, "print.bad_input", detail, err)
	}
	if len(b) > maxSlip {
		return bad(fmt.Sprintf("Il preavviso supera i %d kB.", maxSlip>>10), nil)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var s slipNotice
	if err := d.Decode(&s); errors.Is(err, avviso.ErrMalformed) {
		return bad("Il codice avviso non è valido: ha 18 cifre, e le ultime due controllano le altre.", err)
	} else if err != nil {
		return bad("Il preavviso non è nel formato JSON previsto; «preavviso slip --sample» ne scrive uno.", err)
	}
	return s.notice()
}

type slipOptions struct {
	out, printer, format, template string
	width, dpi                     int
	own, postal, sample            bool
}

// runSlip prints a notice, for a device without this service or for a try.
func runSlip(args []string, stdin io.Reader, stdout io.Writer) error {
	var o slipOptions
	fs := ff.NewFlagSet("preavviso slip")
	fs.StringVar(&o.out, 0, "out", "", "file to write, - for standard output")
	fs.StringVar(&o.printer, 0, "printer", string(escpos.ESCPOS), "escpos, zpl or cpcl")
	fs.StringVar(&o.format, 0, "format", "bytes", "bytes, png, pdf or a4")
	fs.StringVar(&o.template, 0, "template", "", "texts to use instead of the built-in ones")
	fs.IntVar(&o.width, 0, "width", 80, "of the paper, in millimetres")
	fs.IntVar(&o.dpi, 0, "dpi", 203, "dots per inch")
	fs.BoolVar(&o.own, 0, "own-font", "text in the printer's own font")
	fs.BoolVar(&o.postal, 0, "postal", "print the Data Matrix too")
	fs.BoolVar(&o.sample, 0, "sample", "write a notice to start from")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	if o.sample {
		s, err := sampleSlip()
		if err != nil {
			return err
		}
		e := json.NewEncoder(stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	if o.out == "" {
		return fmt.Errorf("%w: manca --out", config.ErrUsage)
	}
	set, err := texts.Builtin()
	if err != nil {
		return err
	}
	if o.template != "" {
		t, err := readTemplate(o.template)
		if err != nil {
			return err
		}
		set = set.With(t)
	}
	n, err := readSlip(stdin)
	if err != nil {
		return err
	}
	e := escpos.Options{Printer: escpos.Printer(o.printer), Width: o.width, DPI: o.dpi, OwnFont: o.own, Postal: o.postal}
	var b []byte
	switch o.format {
	case "bytes":
		b, err = escpos.Print(n, set, e)
	case "png":
		b, err = escpos.PNG(n, set, e)
	case "pdf":
		b, err = escpos.PDF(n, set, e)
	case "a4":
		b, err = pdf.Draw(n, set)
	default:
		return fmt.Errorf("%w: --format: bytes, png, pdf oppure a4", config.ErrUsage)
	}
	if err != nil {
		return err
	}
	return writeOut(o.out, b, stdout)
}

// runTemplate shows and checks the texts of prints.
func runTemplate(args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: serve «show» oppure «check FILE»", config.ErrUsage)
	}
	switch args[0] {
	case "-h", "--help":
		return config.ErrHelp
	case "show":
		if len(args) < 2 || len(args) > 3 {
			return fmt.Errorf("%w: serve «show DOCUMENTO [LINGUA]»", config.ErrUsage)
		}
		language := texts.Italian
		if len(args) == 3 {
			language = args[2]
		}
		set, err := texts.Builtin()
		if err != nil {
			return err
		}
		t, err := set.On(args[1], language, time.Now())
		if err != nil {
			return err
		}
		e := json.NewEncoder(stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(t)
	case "check":
		return checkTemplate(args[1:], stdout)
	}
	return fmt.Errorf("%w: comando sconosciuto %q", config.ErrUsage, args[0])
}

// checkTemplate reads a template and draws a sample with it: what does not fit is
// found here and not on a windscreen.
func checkTemplate(args []string, stdout io.Writer) error {
	var preview string
	fs := ff.NewFlagSet("preavviso template check")
	fs.StringVar(&preview, 0, "preview", "", "PDF to write")
	file := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") { // before or after the options
		file, args = args[0], args[1:]
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, ff.ErrHelp) {
			return config.ErrHelp
		}
		return fmt.Errorf("%w: %w", config.ErrUsage, err)
	}
	if rest := fs.GetArgs(); file == "" && len(rest) == 1 {
		file = rest[0]
	} else if len(rest) > 0 || file == "" {
		return fmt.Errorf("%w: serve un solo file", config.ErrUsage)
	}
	t, err := readTemplate(file)
	if err != nil {
		return err
	}
	set, err := texts.Builtin()
	if err != nil {
		return err
	}
	drawn := *t
	drawn.From = "2026-01-01" // the samples are of spring 2026, whatever the template is for
	set = set.With(&drawn)
	var b []byte
	if t.Document == texts.Slip {
		d, e := pdf.Sample(texts.Preavviso, "")
		if e != nil {
			return e
		}
		b, err = escpos.PDF(d.(pdf.Notice), set, escpos.Options{Width: 80, DPI: 203, Postal: true})
	} else {
		d, e := pdf.Sample(t.Document, t.Language)
		if e != nil {
			return e
		}
		b, err = pdf.Draw(d, set)
	}
	if err != nil {
		return err
	}
	if preview != "" {
		if err := writeOut(preview, b, stdout); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(stdout, "testi di «%s» in «%s» dal %s: %d testi, a posto\n", t.Document, t.Language, t.From, len(t.Texts))
	return err
}

func readTemplate(path string) (*texts.Template, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, texts.MaxFile+1)) // one more, so that Parse sees a file that is too long
	if err != nil {
		return nil, err
	}
	return texts.Parse(b)
}

// parseFlags parses options where no arguments are wanted.
func parseFlags(fs *ff.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, ff.ErrHelp) {
			return config.ErrHelp
		}
		return fmt.Errorf("%w: %w", config.ErrUsage, err)
	}
	if rest := fs.GetArgs(); len(rest) > 0 {
		return fmt.Errorf("%w: argomento di troppo %q", config.ErrUsage, rest[0])
	}
	return nil
}

// writeOut writes a file that may name a person: only its owner reads it.
func writeOut(path string, b []byte, stdout io.Writer) error {
	if path == "-" {
		_, err := stdout.Write(b)
		return err
	}
	return os.WriteFile(filepath.Clean(path), b, 0o600)
}
