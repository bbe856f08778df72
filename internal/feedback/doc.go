// Package feedback tells handhelds what they want to hear: what became of their
// slips, what the office writes to them, and where a slip was left already.
//
// A poll asks for what changed after a cursor, in the order that the store keeps
// (see store.Reader.SlipMarks): nothing is ever missed, however late the next poll
// is, and a poll without news is one seek. Whoever has a network waits on a [Bell]
// instead of polling; a ring that gets lost costs latency only.
package feedback
