// Package cds is the Codice della Strada as far as money and days go:
// violations with their amounts by date, the steps of an amount, the days a
// deadline falls on.
//
// # Three things
//
// The calendar: which days are holidays, and the last day of a term ([Deadline],
// [Term]). The catalogue: what a violation costs, by the day it was seen
// ([Parse], [Catalogue]); it is data that each creditor imports, because an ISTAT
// update must not need a release. The amounts: the steps printed on a preavviso
// ([Fine.Slip]), the steps of a verbale that was notified ([Fine.Notified]), and
// what a handheld should have printed ([Recompute]).
//
// # Rounding
//
// The law fixes minimum and maximum in whole euro. Everything derived keeps its
// cents, and a fraction of a cent is rounded half up, once per printed amount:
// 87,00 less 30 % is 60,90; 173,00 and a third is 230,67; that less 30 % is
// 161,47. No amount is ever a floating point number.
//
// # What is not done here
//
// Nothing here knows whether a verbale was notified, appealed or paid: callers
// do. A printed amount is never changed: paper cannot be recalled, so a
// difference is reported and left to a person.
package cds
