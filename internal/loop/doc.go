// Package loop runs the service's background work, one round at a time.
//
// # The problem
//
// Codes must be asked for, changes sent and messages worked while nobody is
// calling: at once when something new arrives, regularly because a hint may be
// lost, and more slowly while things go wrong.
//
// # The way out
//
// A [Loop] owns one goroutine and calls one function. A round is bounded, safe
// to repeat and says whether it left work behind. A failed round, a panic
// included, is logged here and nowhere else, and lengthens the pause.
//
// # What is not done here
//
// No work is remembered: what is to be done is in the store, so a restart or a
// lost nudge costs time and nothing else. Nothing here starts goroutines of its
// own; whoever calls Run waits for it.
package loop
