// Package owners keeps who owned a vehicle, as extracts of vehicle registers say,
// until an act is recorded.
//
// An import is all or nothing, in one transaction. What is imported is a hint: it
// is proposed where the plate fits, first where the days of ownership fit too, and
// never becomes the debtor of an act by itself. Importing a file twice keeps its
// owners once, and longer.
//
// Hints are personal data that the office needs for a while. Each is forgotten
// [multe.OwnerHintFor] after its import: a loop looks once an hour. What is left
// of it is an id that says nothing.
package owners
