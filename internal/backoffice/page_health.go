package backoffice

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// healthPage is the settings of the creditor and what works.
type healthPage struct {
	Rows     []healthRow
	Settings []setting
	Policies []policyRow
	Docs     []docRow
	Docked   bool
	MayDo    bool
}

type setting struct{ Name, Value, Means string }

type policyRow struct{ From, Debtor, Amount string }

type docRow struct {
	Name, From string
	N          uint64
	Bytes      int
}

var debtorPolicies = map[multe.DebtorPolicy]string{
	multe.DebtorReset:    "la posizione torna a zero, poi importo e debitore insieme",
	multe.DebtorRegister: "il debitore resta solo nel nostro registro",
	multe.DebtorREST:     "importo e debitore con il servizio REST",
	multe.DebtorReissue:  "un codice nuovo prende importo e debitore, il vecchio è annullato",
}

var amountPolicies = map[multe.AmountPolicy]string{
	multe.AmountOneCode:  "un solo codice, che cambia importo alle scadenze",
	multe.AmountTwoCodes: "due codici, scontato e intero",
}

var documentNames = map[multe.DocumentKind]string{
	multe.DocumentCatalogue: "Prontuario delle violazioni",
	multe.DocumentTexts:     "Testi delle stampe",
	multe.DocumentLogo:      "Logo",
	multe.DocumentStreets:   "Vie",
	multe.DocumentWardens:   "Agenti",
}

// settingsOf says in words how a creditor is set.
func settingsOf(c multe.Creditor) []setting {
	or := func(s, none string) string {
		if s == "" {
			return none
		}
		return s
	}
	validity := "nessuna scadenza"
	if c.ValidityDays > 0 {
		validity = strconv.Itoa(c.ValidityDays) + " giorni"
	}
	postal := "nessuno"
	if c.Postal != nil {
		postal = c.Postal.Number + ", " + c.Postal.Holder
	}
	how := "SOAP, automatica"
	if c.Portal {
		how = "a mano, con i file del portale"
	}
	return []setting{
		{"Ente", c.Name, ""},
		{"Codice fiscale", string(c.ID), ""},
		{"Settore", or(c.Settore, "non indicato"), "sulle stampe"},
		{"Recapiti", or(c.Info, "non indicati"), "sulle stampe"},
		{"CBILL", or(c.CBILL, "nessuno"), "codice interbancario"},
		{"Codice versamento", c.CodiceVersamento, "il tipo di pagamento su PiemontePAY"},
		{"Conto postale", postal, ""},
		{"Scorta di codici", strconv.Itoa(c.PoolTarget), "fino a quanti se ne chiedono"},
		{"Soglia minima", strconv.Itoa(c.PoolLow), "sotto questa se ne chiedono altri"},
		{"Validità degli avvisi", validity, ""},
		{"Ripensamento", ago(c.Undo()), "per quanto un annullamento si può ritirare"},
		{"Comunicazione con PiemontePAY", how, ""},
	}
}

// healthPage serves GET /salute.
func (s *server) healthPage(c *gin.Context) {
	f, ok := s.facts(c)
	if !ok {
		return
	}
	w := who(c)
	p := healthPage{Rows: health(f), Settings: settingsOf(f.Creditor), MayDo: w.May(multe.MayManage)}
	for _, q := range f.Creditor.Policies {
		p.Policies = append(p.Policies, policyRow{q.From.Italian(), debtorPolicies[q.Debtor], amountPolicies[q.Amount]})
	}
	if !s.look(c, func(r store.Reader) error {
		p.Docs = nil
		for _, kind := range []multe.DocumentKind{multe.DocumentCatalogue, multe.DocumentTexts, multe.DocumentLogo, multe.DocumentStreets, multe.DocumentWardens} {
			d, err := r.LastDocument(w.Creditor, kind)
			if err == nil {
				p.Docs = append(p.Docs, docRow{documentNames[kind], d.From.Italian(), d.N, len(d.Body)})
			} else if !isNotFound(err) {
				return err
			}
		}
		return nil
	}) {
		return
	}
	s.render(c, http.StatusOK, "salute.html", p)
}
