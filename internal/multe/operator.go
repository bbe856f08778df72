package multe

import (
	"strings"
	"time"
	"unicode/utf8"

	"preavviso/internal/fault"
)

// RoleProgramma is a program that speaks the API with a token of its own. It may
// do everything within its creditor, as every operator of the time before roles
// could. No person has it, and it opens no page.
const RoleProgramma Role = "programma"

// Operator is a person or a program of the back office. A program is known by its
// token; a person signs in with Login and may have a token as well. Neither sees
// anything of another creditor.
type Operator struct {
	Creditor CreditorID
	ID       OperatorID
	Name     string // ≤ 100
	Token    Digest // zero: none, or revoked
	Role     Role   `json:",omitzero"` // "" on records of the time before roles: see RoleOf
	Disabled bool   `json:",omitzero"` // neither signs in nor calls

	// Login is an e-mail address in lower case, unique in the installation: nobody
	// is asked for whom they work before they are known. "" for a program.
	Login    string    `json:",omitzero"`
	Invite   Digest    `json:",omitzero"` // of the one-time code that sets a password; zero once used
	InviteBy time.Time `json:",omitzero"`
	Password string    `json:",omitzero"` // argon2id in PHC form; "" for none
	TOTP     TOTP      `json:",omitzero"`
	Issuer   string    `json:",omitzero"` // of OpenID Connect, with Subject; "" until the first such login
	Subject  string    `json:",omitzero"`

	Failed    int       `json:",omitzero"` // logins in a row that failed
	NotBefore time.Time `json:",omitzero"` // no login is looked at until then

	Version uint64
	Changed time.Time
}

// TOTP is the second factor of a person (RFC 6238).
type TOTP struct {
	Sealed    []byte   `json:",omitzero"` // the shared secret, encrypted; nil for none
	Confirmed bool     `json:",omitzero"` // the person has shown a code
	Step      int64    `json:",omitzero"` // of the last code accepted: none is good twice
	Recovery  []Digest `json:",omitzero"` // of the codes for who loses the telephone; each good once
}

// RoleOf returns what the operator is there for. An operator without a role is of
// the time before roles, when each was a program that could do everything.
func (o Operator) RoleOf() Role {
	if o.Role == "" {
		return RoleProgramma
	}
	return o.Role
}

// Session is one browser of one person. A person has at most [MaxSessions]; one
// more takes the place N of the one that was seen least recently, so that nothing
// grows and nothing need be swept.
type Session struct {
	Creditor CreditorID
	Operator OperatorID
	N        int       // 1 … MaxSessions
	Token    Digest    // of what the browser holds; zero once ended
	Limited  bool      `json:",omitzero"` // good only for enrolling the second factor
	OIDC     bool      `json:",omitzero"` // came by OpenID Connect, which has its own second factor
	Created  time.Time // the absolute limit counts from here
	Seen     time.Time // written at most once a minute
	Agent    string    // class of browser, such as "Firefox su Linux"; never the whole header
	From     string    // address it was opened from
	Version  uint64
}

// MaxSessions of one person: a desk, a laptop, a telephone, and as many forgotten.
const MaxSessions = 6

// MaxLogin is the longest e-mail address (RFC 5321 4.5.3.1.3).
const MaxLogin = 254

// ParseLogin brings an e-mail address to the form in which logins are compared.
func ParseLogin(s string) (string, error) {
	bad := fault.New(fault.Invalid, "operator.bad_login", "L'indirizzo e-mail non è valido.")
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) > MaxLogin || !utf8.ValidString(s) {
		return "", bad
	}
	if !emails.MatchString(s) {
		return "", bad
	}
	return s, nil
}

// MaskPlate hides the middle of a plate: enough stays to tell two apart on a page.
func MaskPlate(p Plate) string { return mask(string(p), 2) }

// MaskCF hides all but the ends of a codice fiscale.
func MaskCF(cf CF) string { return mask(string(cf), 2) }

// MaskName leaves the first letter of every word.
func MaskName(name string) string {
	words := strings.Fields(name)
	for i, w := range words {
		r, _ := utf8.DecodeRuneInString(w)
		words[i] = string(r) + "•••"
	}
	return strings.Join(words, " ")
}

// mask keeps n characters at each end of s. What is too short to keep any is
// hidden whole; the number of dots tells nothing of the length.
func mask(s string, n int) string {
	r := []rune(s)
	if s == "" {
		return ""
	}
	if len(r) < 2*n+2 {
		return redaction
	}
	return string(r[:n]) + redaction + string(r[len(r)-n:])
}
