package fault

import "maps"

func init() { maps.Copy(catalogue, operationEntries) } // a file of their own: one has 500 lines at most

// operationEntries are what the catalogue says of what is done with messages that are there.
var operationEntries = map[Code]Entry{
	MessageNotFound: {Status: 404,
		Title:  Text{"Message not found", "找不到消息"},
		Detail: Text{"This conversation has no message with that number, or none that you can see.", "此会话中没有该编号的消息，或您看不到该消息。"},
		Hint:   Text{"Take the seq of a message from an answer, a push or the conversation's messages.", "请使用应答、推送或会话消息中的 seq。"}},
	MessageNotYours: {Status: 403,
		Title:  Text{"Not your message", "不是您的消息"},
		Detail: Text{"Only its sender may do this with a message.", "只有消息的发送者可以执行此操作。"},
		Hint:   Text{"In a group, its owner and admins may recall the messages of others.", "在群组中，群主和管理员可以撤回他人的消息。"}},
	MessageRecalled: {Status: 409,
		Title:  Text{"Message recalled", "消息已撤回"},
		Detail: Text{"The message has been recalled: nothing can be done with it any more.", "该消息已被撤回，无法再对其执行操作。"},
		Hint:   Text{"Remove it from the view.", "请将其从界面中移除。"}},
	EditTooLate: {Status: 403,
		Title:  Text{"Too late to edit", "已超过编辑时限"},
		Detail: Text{"In this app a message can be edited for %d seconds after it was sent.", "在此应用中，消息发送后 %d 秒内可以编辑。"},
		Hint:   Text{"Send a new message that says what is right.", "请发送新消息进行更正。"}},
	RecallTooLate: {Status: 403,
		Title:  Text{"Too late to recall", "已超过撤回时限"},
		Detail: Text{"In this app a message can be recalled by its sender for %d seconds after it was sent.", "在此应用中，发送者可在消息发送后 %d 秒内撤回。"},
		Hint:   Text{"In a group, its owner and admins can recall it at any time; elsewhere, whoever moderates the app.", "在群组中，群主和管理员可随时撤回；其他会话可由应用的管理者撤回。"}},
	ReactionInvalid: {Status: 400,
		Title:  Text{"Reaction invalid", "表情回应无效"},
		Detail: Text{"A reaction is emoji, or a name between colons such as :ship_it:, of at most %d bytes.", "表情回应须为 emoji，或由冒号包围的名称（如 :ship_it:），最长 %d 字节。"},
		Hint:   Text{"Send an emoji.", "请使用 emoji。"}},
	ReactionsFull: {Status: 409,
		Title:  Text{"Too many different reactions", "不同的表情回应过多"},
		Detail: Text{"A message has at most %d different reactions.", "一条消息最多有 %d 种不同的表情回应。"},
		Hint:   Text{"Use one of those that the message has.", "请使用该消息已有的表情回应。"}},
	PinsFull: {Status: 409,
		Title:  Text{"Too many pinned messages", "置顶消息过多"},
		Detail: Text{"At most %d messages of a conversation are pinned.", "一个会话最多置顶 %d 条消息。"},
		Hint:   Text{"Unpin one first.", "请先取消置顶其中一条。"}},
}
