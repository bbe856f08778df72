// Package exports makes lists of acts for those outside: plates whose owners are
// to be looked up, and acts to be notified.
//
// # The problem
//
// Who has paid must not be written to, and a list is old as soon as it is made. A
// payment may be known to the platform and not to us, or lie in the inbox
// unworked; it may come while the list is printed.
//
// # The way out
//
// What is in the inbox is worked first. Then one transaction looks at every act
// once more, and puts the list: what was paid up to its commit is not in it. If
// there is still a notification that nobody has worked, no list is made; if there
// is one that nobody can read, only on the word of an operator who has looked at
// the portal.
//
// The list is a record: who, when, how many, which acts, and the digest of what it
// said. The file itself is not kept, it is made again from the records when it is
// fetched: as long as every act in it is still to be written to and says the same.
// If one is not, the file is refused, and there must be another list.
//
// Money or an annulment that comes after that opens a work item for the act, in
// whichever transaction it comes ([store.Recall]).
//
// An act is in one list of a kind only, unless acts of earlier lists are asked for
// too, or the earlier list is withdrawn.
package exports
