// Package access knows who sits in front of the pages: how they prove it, how long
// that lasts and what they may do.
//
// # The problem
//
// A back office holds plates, owners and payments of thousands of people. Its
// passwords are guessed, phished and shared; its browsers stay open over lunch;
// and whoever leaves must be out at once, not when a token expires.
//
// # The way out
//
// Somebody is invited by a one-time code, sets a password, enrols a second factor
// and from then on signs in with all of them in one step, so that nothing tells a
// guesser which one was wrong. Or the town's own OpenID Connect provider says who
// they are: it is believed about people who were invited, and about nobody else.
//
//	invited ─▶ password ─▶ second factor ─▶ signed in
//	   └──────── OpenID Connect ───────────────▲
//
// A session is a record: 30 idle minutes or 12 hours end it, and so does anybody
// who may. Role and disablement are read at every request.
//
// Wrong logins are answered alike, take as long, and wait longer and longer,
// whether or not there is such a person.
//
// # What is not done here
//
// Tokens of programs are package registry's. What a role may do is said in package
// multe; each route says what it asks for, where it is declared.
package access
