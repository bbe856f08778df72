// Package registry knows the creditors, their operators and their handhelds,
// and who is calling.
//
// # The problem
//
// Every request must come from somebody we know, and everybody belongs to one
// creditor. A handheld is handed around, re-installed, lost and stolen; the
// secrets that name it must be worthless to whoever reads our disk or our logs.
//
// # The way out
//
// Secrets are long, random, made here, shown once and kept only as a digest. A
// new handheld is invited: its one-time code is worth ten minutes and one use,
// and turns into a token. Inviting again ends the old token, so that no two
// holders of one identity exist.
//
//	invited ─▶ enrolled ─▶ revoked
//	   ▲  └───────┼───────────▲
//	   └──────────┘ re-installed
//
// Revoking a handheld sets aside the codes it holds in the same transaction:
// each may be on paper already, so none goes back to the pool.
//
// # What is not done here
//
// Passwords, second factors and sessions of people are package access's. Who may
// add a creditor or an operator is decided by whoever calls.
package registry
