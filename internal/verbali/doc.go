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
//
// Money that overtook the slip is found when the slip arrives.
//
// # What is not done here
//
// Nothing talks to the platform, and nothing waits for it. No slip is refused
// for being late; it is refused only if its code is another's.
package verbali
