package message

import "github.com/tokenim/tokenim/shared/id"

// OperationKind names a kind of operation on messages.
type OperationKind string

// The kinds of operations.
const (
	Edited    OperationKind = "edited"
	Recalled  OperationKind = "recalled"
	Reacted   OperationKind = "reacted"
	Unreacted OperationKind = "unreacted"
	Pinned    OperationKind = "pinned"
	Unpinned  OperationKind = "unpinned"
	// Deleted and Cleared are in the user's own log: what a user removes for itself is nobody else's business.
	Deleted OperationKind = "deleted"
	Cleared OperationKind = "cleared"
)

// Operation is what an entry tells of somebody's doing with messages. Who did it is the entry's sender, "" for an application.
// Operations count for nobody: the ordinals by which unread messages are counted stay as they are.
type Operation struct {
	Kind OperationKind `json:"kind" enum:"edited,recalled,reacted,unreacted,pinned,unpinned,deleted,cleared" doc:"What was done." example:"reacted"`
	// Seq is the message's sequence in the entry's conversation; for Cleared the last that was cleared, in ConversationID.
	Seq int64 `json:"seq,omitempty" doc:"The number of the message in the conversation; for cleared the last that was." example:"7"`
	// Message and Custom are what an edited message has now; both are absent where it was edited again, or recalled.
	Message *string `json:"message,omitempty" nullable:"false" doc:"The text as it is now, for kind edited; absent where it was edited again, or recalled."`
	Custom  *Object `json:"custom,omitempty" nullable:"false" doc:"The members of a custom message as they are now, for kind edited."`
	// Reaction is what the sender has reacted with, or does not any more.
	Reaction string `json:"reaction,omitempty" doc:"The reaction, for reacted and unreacted." example:"👍"`
	// Revision is the message's after it; 0 where the message's row stays as it is.
	Revision int64 `json:"revision,omitempty" doc:"The message's revision after it: whoever has read the message at this revision, or a later one, has what was done. Absent for pins." example:"3"`
	// Moderated tells that somebody from outside the conversation did it; the entry's sender in a pair is the message's then.
	Moderated bool `json:"moderated,omitempty" doc:"Whether it was done from outside the conversation, by whoever looks after the app."`
	// ConversationID and Seqs are of Deleted and Cleared.
	ConversationID id.Conversation `json:"conversation_id,omitempty" doc:"The conversation of what was deleted or cleared."`
	Seqs           []int64         `json:"seqs,omitempty" maxItems:"100" doc:"The numbers of the messages that were deleted." example:"[7,9]"`
}
