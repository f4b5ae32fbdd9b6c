package message

import "github.com/tokenim/tokenim/shared/id"

// seenBy returns the entry as the user sees it; "" is an application, which sees everything. What was accepted silently is a
// void to who has blocked its sender: the log has no gap, and nothing of the message is shown.
func (e Entry) seenBy(user id.User) Entry {
	if !e.Hidden || user != e.Recipient {
		return e
	}
	return e.blank()
}

// blank returns the void that somebody is shown in the entry's place.
func (e Entry) blank() Entry {
	return Entry{App: e.App, Conversation: e.Conversation, Sequence: e.Sequence, Recipient: e.Recipient, Type: TypeVoid,
		SentAt: e.SentAt, ToLower: e.ToLower, ToUpper: e.ToUpper}
}

// unseenBy tells whether the user, who is one of the pair, has nothing to see of the conversation that ends with the entry: nobody
// has been sent anything but what was accepted silently from others.
func (e Entry) unseenBy(user id.User) bool {
	return e.Hidden && user == e.Recipient && e.ToLower == 0 && e.ToUpper == 0
}
