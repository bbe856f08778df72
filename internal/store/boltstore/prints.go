package boltstore

import "preavviso/internal/multe"

var printJobs = &table[multe.PrintJob]{
	name:    "print.job",
	key:     func(j multe.PrintJob) key { return keyOf(string(j.Creditor), string(j.ID)) },
	version: func(j multe.PrintJob) uint64 { return j.Version },
	indexes: []*index[multe.PrintJob]{printJobState},
}

var printJobState = &index[multe.PrintJob]{name: "print.job.state", key: func(j multe.PrintJob) key {
	return keyOf(string(j.Creditor), string(j.State), string(j.ID))
}}

var printItems = &table[multe.PrintItem]{
	name:    "print.item",
	key:     func(i multe.PrintItem) key { return keyOf(string(i.Creditor), string(i.Job)).number(uint64(i.N)) },
	version: func(i multe.PrintItem) uint64 { return i.Version },
	indexes: []*index[multe.PrintItem]{printItemError},
}

var printItemError = &index[multe.PrintItem]{name: "print.item.error", key: func(i multe.PrintItem) key {
	if i.Code == "" {
		return key{}
	}
	return keyOf(string(i.Creditor), string(i.Job)).number(uint64(i.N))
}}

var prints = &table[multe.Print]{
	name:    "print",
	key:     func(p multe.Print) key { return keyOf(string(p.Creditor), string(p.ID)) },
	version: func(p multe.Print) uint64 { return p.Version },
	indexes: []*index[multe.Print]{printVerbale},
	tally:   func(p multe.Print) []key { return []key{printCount(p.Creditor, p.Verbale, p.Kind)} },
}

var printVerbale = &index[multe.Print]{name: "print.verbale", key: func(p multe.Print) key {
	return keyOf(string(p.Creditor), string(p.Verbale), string(p.ID))
}}

func printCount(c multe.CreditorID, v multe.VerbaleID, kind multe.PrintKind) key {
	return keyOf("print", string(c), string(v), string(kind))
}

func (r reader) PrintJob(c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error) {
	return printJobs.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) PrintJobs(c multe.CreditorID, after multe.PrintJobID, limit int) ([]multe.PrintJob, error) {
	return printJobs.list(r.tx, nil, keyOf(string(c)), keyOf(string(c), string(after)), limit)
}

func (r reader) PrintJobsIn(c multe.CreditorID, s multe.PrintJobState, after multe.PrintJobID, limit int) ([]multe.PrintJob, error) {
	return printJobs.list(r.tx, printJobState, keyOf(string(c), string(s)), keyOf(string(c), string(s), string(after)), limit)
}

func (r reader) PrintItems(c multe.CreditorID, id multe.PrintJobID, after int, limit int) ([]multe.PrintItem, error) {
	return printItems.list(r.tx, nil, keyOf(string(c), string(id)), keyOf(string(c), string(id)).number(uint64(max(after, 0))), limit)
}

func (r reader) PrintErrors(c multe.CreditorID, id multe.PrintJobID, after int, limit int) ([]multe.PrintItem, error) {
	return printItems.list(r.tx, printItemError, keyOf(string(c), string(id)), keyOf(string(c), string(id)).number(uint64(max(after, 0))), limit)
}

func (r reader) Print(c multe.CreditorID, id multe.PrintID) (multe.Print, error) {
	return prints.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) PrintsOf(c multe.CreditorID, v multe.VerbaleID, after multe.PrintID, limit int) ([]multe.Print, error) {
	return prints.list(r.tx, printVerbale, keyOf(string(c), string(v)), keyOf(string(c), string(v), string(after)), limit)
}

func (r reader) CountPrints(c multe.CreditorID, v multe.VerbaleID, kind multe.PrintKind) (int, error) {
	k := printCount(c, v, kind)
	return int(r.tally(k)), k.err
}

func (w *txn) PutPrintJob(j multe.PrintJob) error   { return printJobs.put(w, j) }
func (w *txn) PutPrintItem(i multe.PrintItem) error { return printItems.put(w, i) }
func (w *txn) PutPrint(p multe.Print) error         { return prints.put(w, p) }
