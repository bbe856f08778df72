package boltstore

import (
	"preavviso/internal/multe"
)

var operatorLogin = &index[multe.Operator]{name: "operator.login", unique: true,
	key: func(o multe.Operator) key { return wholeKey(o.Login) }}

var operatorInvite = &index[multe.Operator]{name: "operator.invite", unique: true,
	key: func(o multe.Operator) key { return digestKey(o.Invite) }}

var operatorSubject = &index[multe.Operator]{name: "operator.subject", unique: true,
	key: func(o multe.Operator) key { return subjectKey(o.Issuer, o.Subject) }}

func subjectKey(issuer, subject string) key {
	if issuer == "" || subject == "" {
		return key{}
	}
	return keyOf(issuer, subject)
}

// wholeKey is the key of what is looked up before its creditor is known.
func wholeKey(s string) key {
	if s == "" {
		return key{}
	}
	return keyOf(s)
}

var sessions = &table[multe.Session]{
	name:    "session",
	key:     func(s multe.Session) key { return keyOf(string(s.Creditor), string(s.Operator)).number(uint64(s.N)) },
	version: func(s multe.Session) uint64 { return s.Version },
	indexes: []*index[multe.Session]{sessionToken},
}

var sessionToken = &index[multe.Session]{name: "session.token", unique: true,
	key: func(s multe.Session) key { return digestKey(s.Token) }}

func (r reader) OperatorByLogin(login string) (multe.Operator, error) {
	return operators.find(r.tx, operatorLogin, wholeKey(login))
}

func (r reader) OperatorByInvite(code multe.Digest) (multe.Operator, error) {
	return operators.find(r.tx, operatorInvite, digestKey(code))
}

func (r reader) OperatorBySubject(issuer, subject string) (multe.Operator, error) {
	return operators.find(r.tx, operatorSubject, subjectKey(issuer, subject))
}

func (r reader) SessionByToken(token multe.Digest) (multe.Session, error) {
	return sessions.find(r.tx, sessionToken, digestKey(token))
}

func (r reader) SessionsOf(c multe.CreditorID, o multe.OperatorID) ([]multe.Session, error) {
	prefix := keyOf(string(c), string(o))
	return sessions.list(r.tx, nil, prefix, prefix, multe.MaxSessions)
}

func (w *txn) PutSession(s multe.Session) error { return sessions.put(w, s) }
