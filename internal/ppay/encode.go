package ppay

import (
	"errors"
	"fmt"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/wsdl/epaywso"
)

// anonymous is the name and tax code of nobody. The platform compares all three
// exactly, and a code in advance must be a natural person's: an anonymous company
// can never be given a debtor (piemontepay.md §2.2).
const anonymous = "ANONIMO"

// Encode returns the SOAP envelope of batch b of creditor c, which carries
// changes: what the platform is sent, byte for byte. It is pure. A change that
// the platform's schema cannot carry is [fault.Invalid]; the error names the
// element and never its content.
func (*Client) Encode(b multe.Batch, c multe.Creditor, changes []multe.Change) ([]byte, error) {
	if len(changes) == 0 || len(changes) > multe.MaxBatch {
		return nil, cannotSend(fmt.Errorf("%d changes, not from 1 to %d", len(changes), multe.MaxBatch))
	}
	seen := make(map[multe.PositionID]bool, len(changes))
	for i, ch := range changes {
		if err := fits(ch, b, c, seen[ch.Position]); err != nil {
			return nil, cannotSend(fmt.Errorf("change %d: %w", i+1, err))
		}
		seen[ch.Position] = true
	}
	if b.Operation == multe.OperationInsert {
		return encodeInsert(b, c, changes)
	}
	return encodeUpdate(b, c, changes)
}

// fits checks what no schema says.
func fits(ch multe.Change, b multe.Batch, c multe.Creditor, again bool) error {
	switch {
	case b.Creditor != c.ID || ch.Creditor != c.ID:
		return errors.New("of another creditor")
	case ch.Kind.Operation() != b.Operation:
		return errors.New("of the other operation")
	case again:
		return errors.New("position named twice") // the platform does not promise order
	case ch.Kind == multe.ChangeRequest && (ch.Want.Cents != 0 || ch.Want.Debtor != nil):
		return errors.New("a code in advance has no amount and no debtor")
	case ch.Kind == multe.ChangeVoid && ch.Want.Reason == "":
		return errors.New("no reason") // without one the platform wipes its note
	}
	return nil
}

func cannotSend(err error) error {
	return fault.Wrap(fault.Invalid, "ppay.cannot_send", "La comunicazione a PiemontePAY contiene un dato mancante, troppo lungo o non ammesso.", err)
}

func encodeInsert(b multe.Batch, c multe.Creditor, changes []multe.Change) ([]byte, error) {
	m := epaywso.InserisciListaDiCaricoRequest{Testata: epaywso.TestataListaCarico{
		IdMessaggio:              string(b.ID),
		CFEnteCreditore:          string(c.ID),
		CodiceVersamento:         c.CodiceVersamento,
		NumeroPosizioniDebitorie: len(changes),
	}}
	list := make([]epaywso.PosizioneDaInserireType, len(changes))
	for i, ch := range changes {
		list[i] = epaywso.PosizioneDaInserireType{
			IdPosizioneDebitoria:         string(ch.Position),
			ImportoTotale:                epaywso.Importo(ch.Want.Cents),
			DescrizioneCausaleVersamento: string(ch.Want.Causale),
			RiferimentiPagamento:         references(ch.Want.References),
			SoggettoPagatore: epaywso.SoggettoType{
				PersonaFisica:                &epaywso.PersonaFisicaType{Cognome: anonymous, Nome: anonymous},
				IdentificativoUnivocoFiscale: anonymous,
			},
		}
		m.Testata.ImportoTotaleListaDiCarico += list[i].ImportoTotale
	}
	m.ListaDiCarico.PosizioniDaInserire.PosizioneDaInserire = list
	if err := m.Validate(); err != nil {
		return nil, cannotSend(err)
	}
	return envelope(m)
}

func encodeUpdate(b multe.Batch, c multe.Creditor, changes []multe.Change) ([]byte, error) {
	m := epaywso.AggiornaPosizioniDebitorieRequest{Testata: epaywso.TestataAggiornaPosizioniDebitorie{
		IdMessaggio:              string(b.ID),
		CFEnteCreditore:          string(c.ID),
		CodiceVersamento:         c.CodiceVersamento,
		NumeroPosizioniDebitorie: len(changes),
	}}
	list := make([]epaywso.PosizioneDaAggiornareType, len(changes))
	for i, ch := range changes {
		list[i] = update(ch)
	}
	m.ElencoPosizioniDaAggiornare.PosizioniDaAggiornare.PosizioneDaAggiornare = list
	if err := m.Validate(); err != nil {
		return nil, cannotSend(err)
	}
	return envelope(m)
}

// update writes one change of a position that exists. A MODIFICA always repeats
// the amount, without which the platform fails with 175 whatever its schema says,
// and never carries a Motivazione, which would overwrite the position's note.
func update(ch multe.Change) epaywso.PosizioneDaAggiornareType {
	p := epaywso.PosizioneDaAggiornareType{IdPosizioneDebitoria: string(ch.UpstreamID())}
	if ch.Kind == multe.ChangeVoid {
		p.TipoAggiornamento, p.Motivazione = epaywso.TipoAggiornamentoTypeANNULLAMENTO, ch.Want.Reason
		return p
	}
	amount := epaywso.Importo(ch.Want.Cents)
	p.TipoAggiornamento = epaywso.TipoAggiornamentoTypeMODIFICA
	p.ImportoTotale = &amount
	p.DataFineValidita = epaywso.Date(ch.Want.ValidTo)
	p.DescrizioneCausaleVersamento = string(ch.Want.Causale)
	p.RiferimentiPagamento = references(ch.Want.References)
	p.SoggettoPagatore = subject(ch.Want.Debtor)
	return p
}

// references returns nil for none: an empty list is not valid.
func references(refs []multe.Reference) *epaywso.RiferimentiPagamento {
	if len(refs) == 0 {
		return nil
	}
	list := make([]epaywso.RiferimentoType, len(refs))
	for i, r := range refs {
		list[i] = epaywso.RiferimentoType{Nome: r.Name, Valore: r.Value}
	}
	return &epaywso.RiferimentiPagamento{Riferimento: list}
}

func subject(d *multe.Debtor) *epaywso.SoggettoType {
	if d == nil {
		return nil
	}
	s := &epaywso.SoggettoType{
		IdentificativoUnivocoFiscale: string(d.CF),
		Indirizzo:                    d.Address,
		Civico:                       d.Civico,
		CAP:                          d.CAP,
		Localita:                     d.City,
		Provincia:                    d.Province,
		Nazione:                      d.Nation,
		EMail:                        d.Email,
	}
	if d.Surname != "" || d.Name != "" {
		s.PersonaFisica = &epaywso.PersonaFisicaType{Cognome: d.Surname, Nome: d.Name}
	}
	if d.Company != "" {
		s.PersonaGiuridica = &epaywso.PersonaGiuridicaType{RagioneSociale: d.Company}
	}
	return s
}
