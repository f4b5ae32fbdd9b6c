package fault

import "maps"

func init() { maps.Copy(catalogue, referenceEntries) } // a file of their own: one has 500 lines at most

// referenceEntries are what the catalogue says of what messages refer to.
var referenceEntries = map[Code]Entry{
	ReplyNotFound: {Status: 404,
		Title:  Text{"Message to reply to not found", "找不到要回复的消息"},
		Detail: Text{"The conversation has no message %d that this user can reply to.", "该会话中没有该用户可以回复的、序号为 %d 的消息。"},
		Hint:   Text{"Reply to a message of the same conversation that the user sees and that is not recalled, or send without reply_to.", "请回复同一会话中该用户可见且未被撤回的消息，或不带 reply_to 发送。"}},
	MentionNotMember: {Status: 422,
		Title:  Text{"Mentioned user is not in the conversation", "被提及的用户不在会话中"},
		Detail: Text{"mentions[%d] is no user in the conversation, so it cannot be mentioned there.", "mentions[%d] 不是该会话中的用户，不能被提及。"},
		Hint:   Text{"Mention by user ID, and in a group only its members: list them with GET /groups/{id}/members.", "请用用户 ID 提及，群组中只能提及群成员：请用 GET /groups/{id}/members 列出群成员。"}},
}
