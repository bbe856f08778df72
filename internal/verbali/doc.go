// Package verbali issues and records verbali.
//
// # The problem
//
// When a slip reaches us it is already on a windscreen: the code, the amounts and
// the reference on it are promises, made perhaps days ago and without a network.
// The handheld repeats itself until it hears an answer. The office later looks up
// the owner, gives the register number, and may change amount and description;
// but PiemontePAY takes a debtor only while the amount is zero.
//
// # The way out
//
// What was printed is stored as it was printed and never changes. In the same
// transaction the code goes onto the verbale and a change is left for the
// platform, with the amount that the paper promises for that day.
//
// Recording does the same with what the office adds. A change that has not left
// yet is replaced, so that everything travels whole; else the creditor's policy
// decides between
//
//	reset ─▶ update with the debtor     the position is 0.00 for a moment
//	update without the debtor           the debtor stays in our register
//	update by REST                      which takes a debtor at any time, once
//	a fresh code                        takes both, and then the old one is annulled
//
// A slip may carry two codes. The discounted one is worth the first step through its
// last day, whatever the office records; everything else happens to the full one.
//
// What is due changes with the days. The steps are worked out when the record
// changes; [Verbali.Reprice] finds the verbali whose step is over, and leaves their
// new amount for the platform. A ricorso holds it, corrections keep every version.
//
// A cancellation waits for a second person where the creditor wants one, then for
// the creditor's undo window before the platform is told. What it held back is told
// again when it is undone.
//
// Money that overtook the slip is found when the slip arrives.
//
// # What is not done here
//
// Nothing talks to the platform, and nothing waits for it. No slip is refused
// for being late; it is refused only if its code is another's.
package verbali
