package ppaysim

import "time"

// Limits, each with its reason.
const (
	// maxRequest is far above 1,000 positions, the most the schema allows.
	maxRequest = 4 << 20
	// maxControl is above the largest creditor one would write by hand.
	maxControl = 1 << 20
	// maxAnswer is far above any EPaywsoServiceResponse.
	maxAnswer = 64 << 10
	// maxFuture is how far ahead a WS-Security timestamp may be (WSS4J's default).
	maxFuture = time.Minute
	// maxID is the longest IdMessaggio the registry keeps; the schema says so too.
	maxID = 35
	// maxDepth is twice the depth of the deepest valid message.
	maxDepth = 32
	// maxNodes is twice what 1,000 positions with every element hold.
	maxNodes = 200_000
	// maxMessages is how many recorded messages are kept.
	maxMessages = 5_000
	// maxMessageBytes keeps 5,000 large messages from filling a disk.
	maxMessageBytes = 256 << 20
	// maxPage is the largest page of the control API.
	maxPage = 1_000
	// pageRows is how many rows of each kind the web page shows.
	pageRows = 50
	// maxForm is far above the largest form of that page.
	maxForm = 64 << 10
	// maxPageBytes ends a page of messages early; one message is far smaller.
	maxPageBytes = 16 << 20
	// maxScenario and maxLine are far above a scenario written by hand.
	maxScenario = 64 << 10
	maxLine     = 1000
	// maxWrites is how much of its own history a position remembers; its
	// counters go on.
	maxWrites = 100
	// notifyBatch is the most payments in one message (ES/integration/db/manager/PagamentoManager.java:440-478).
	notifyBatch = 50
	// maxComponents: a payment with more details is refused with 183 (SPORT/InserisciListaDiCarico.java).
	maxComponents = 5
	// maxText is the width messages are abbreviated to (ES, maxErrorMessageWidth).
	maxText = 200
	// maxCausale is the column a causale is cut to on update (ES …/PagamentoManager.java:583-586).
	maxCausale = 140
	// iuvGap is the largest jump of the sequence between two positions; other
	// creditors draw from it too.
	iuvGap = 5
	// maxSequence fills the eight digits a IUV has for it.
	maxSequence = 99_999_999
	// deliveryTimeout is what the platform waits for a creditor's answer; the
	// only timeout visible in its source is 30 s (ours for the bus).
	deliveryTimeout = 30 * time.Second
	// aheadPause is how often a list that came first looks whether its creditor
	// is free.
	aheadPause = 10 * time.Millisecond
	// otherAmount is what is paid too much when told to: the costs that SEND adds
	// to a notice are of this order.
	otherAmount Cents = 100
	// maxBackoff keeps a long series of retries from passing a day (ours).
	maxBackoff = 24 * time.Hour
	// idle is the longest sleep of Run, so that a clock set by others is noticed.
	idle = time.Hour
	// storePause is how long Run waits after a failure of its own file.
	storePause = time.Second
)
