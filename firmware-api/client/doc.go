// Package client is the reference client of the handhelds' API: what an app that
// prints preavvisi needs to keep its promises without a network. It needs the
// standard library only, and gomobile can bind it: what does not fit gomobile
// (functions, transports) is for tests and simple to leave out.
//
// # What it promises
//
// A [Device] is a folder. What it decides is in the folder's journal, and on the
// disk, before anybody hears of it, so that it may be killed at any moment:
//
//   - No code is given out for printing before its use is on disk, and none twice.
//   - Every slip that was printed is uploaded until the service has answered, over
//     days and restarts, always under the id it was printed with.
//   - Every request of codes, and every return, is repeated under its own id until
//     it is answered.
//   - Every photo that was added is sent, from where it stopped, until the service has
//     it whole ([Device.AddPhoto]).
//   - Nothing is printed once the service may have given the codes up because it did
//     not hear the device ([ErrStale]), until it has said which are left.
//   - A code of which the folder cannot tell whether it was printed is a suspect
//     and is never printed: it is either on a slip that turns up ([Device.Adopt]) or
//     is reported to the office ([Device.Spoil]).
//
// # The life of a code on the device
//
//	free      lent, not used
//	printing  on a slip that may have reached the printer: ask the warden
//	printed   on paper, to be uploaded
//	second    the second code of a slip of two: it goes where the first goes
//	refused   the service does not want the slip: the office must see the paper
//	suspect   of an earlier installation: may be on paper
//	aside     set aside by the service, or never taken back: not to be printed
//	spoiling  the slip is no good, to be reported
//	returning never printed, to be given back
//
// What is done with, uploaded or reported or given back, is forgotten.
//
// # What it does not promise
//
// A folder that is copied to a second device, or restored from a backup, prints
// codes twice: the service then refuses the second slip. One process at a time may
// open a folder.
package client
