// Package authz decides who may do what: the catalogue of permissions, the built-in roles, what an app adds to them, and
// the one decision that every route and every frame goes through.
//
// Default is deny. Every route and socket action names exactly one permission; api.Operation and socket.Action have no
// way to leave it out. What a subject was granted is compiled into its own record, and an app's roles into each of its
// keys, so that a decision takes no read beyond those of the credential.
package authz

import (
	"slices"

	"github.com/tokenim/tokenim/shared/id"
)

// Permission names something that somebody may be allowed to do.
type Permission string

// The permissions.
const (
	// Public marks what needs no credential at all: the API's description and status.
	Public Permission = "public"

	// What developers do in an account, with a session.
	LoginManage   Permission = "login:manage"
	AccountRead   Permission = "account:read"
	AccountManage Permission = "account:manage"
	AccountAudit  Permission = "account:audit"
	MembersManage Permission = "members:manage"
	AppsRead      Permission = "apps:read"
	AppsManage    Permission = "apps:manage"

	// What is done in an app.
	KeysRead      Permission = "keys:read"
	KeysManage    Permission = "keys:manage"
	RolesRead     Permission = "roles:read"
	RolesManage   Permission = "roles:manage"
	GrantsRead    Permission = "grants:read"
	GrantsManage  Permission = "grants:manage"
	RecordsRead   Permission = "records:read"
	UsersRegister Permission = "users:register"
	UsersRead     Permission = "users:read"
	UsersList     Permission = "users:list"
	TokensManage  Permission = "tokens:manage"
	TicketsCreate Permission = "tickets:create"
	MessagesSend  Permission = "messages:send"
	MessagesRead  Permission = "messages:read"
	MessagesMark  Permission = "messages:mark"
	SocketConnect Permission = "socket:connect"

	// What is done with groups. Inviting, managing and owning are decided in the group: its own roles give them there.
	GroupsCreate   Permission = "groups:create"
	GroupsRead     Permission = "groups:read"
	GroupsJoin     Permission = "groups:join"
	GroupsSend     Permission = "groups:send"
	GroupsInvite   Permission = "groups:invite"
	GroupsManage   Permission = "groups:manage"
	GroupsOwn      Permission = "groups:own"
	PresenceRead   Permission = "presence:read"
	PresenceManage Permission = "presence:manage"
	UsersEdit      Permission = "users:edit"
	UsersManage    Permission = "users:manage"
	BlocksManage   Permission = "blocks:manage"
	MediaUpload    Permission = "media:upload"
	MediaRead      Permission = "media:read"

	// What is done with messages that are there.
	MessagesEdit     Permission = "messages:edit"
	MessagesReact    Permission = "messages:react"
	MessagesPin      Permission = "messages:pin"
	MessagesModerate Permission = "messages:moderate"
	MessagesDelete   Permission = "messages:delete"
	MessagesTrace    Permission = "messages:trace"

	// Mentioning all is decided in the group too.
	GroupsMentionAll Permission = "groups:mention_all"
	// What is sent to everybody.
	BroadcastsManage Permission = "broadcasts:manage"
)

// Kind is a kind of subject: of those who can be allowed something.
type Kind uint8

// The kinds. A developer has a session, a key is an application's, a user is an end user of an app.
const (
	Developers Kind = 1 << iota
	Keys
	Users
)

// Entry describes a permission.
type Entry struct {
	// Permission is its name.
	Permission Permission
	// Bit is its place in a Set, for good: sets are kept in tables. A permission that goes leaves its bit unused.
	Bit uint8
	// EN and ZH say what it allows.
	EN, ZH string
	// Holders are the kinds of subjects that can have it.
	Holders Kind
	// Beyond tells that with it an end user reaches more than its own data. Its tokens have it only as far as the key that
	// minted them has it too: whoever may mint tokens could otherwise do all that the mightiest user may.
	Beyond bool
	// Roles are the built-in roles that have it.
	Roles []Role
}

// Who has what, by role.
var (
	owners      = []Role{Owner}
	admins      = []Role{Owner, Admin}
	auditors    = []Role{Owner, Admin, Auditor}
	moderators  = []Role{Owner, Admin, Moderator, Auditor}
	keepers     = []Role{Owner, Admin, Moderator}
	everybody   = []Role{Owner, Admin, Moderator, Member, Auditor, Bot}
	talkers     = []Role{Owner, Admin, Moderator, Member, Bot}
	withBrowser = []Role{Owner, Admin, Moderator, Member}
)

// Catalogue is every permission there is, Public apart.
var Catalogue = []Entry{
	{LoginManage, 0, "Manage one's own login: password, second factor, sessions", "管理自己的登录：密码、多重身份验证、会话", Developers, false, auditors},
	{AccountRead, 1, "See the account, its members and its invitations", "查看账户、成员和邀请", Developers, false, auditors},
	{AccountManage, 2, "Rename the account and change who owns it", "重命名账户和变更所有者", Developers, false, owners},
	{AccountAudit, 3, "Read the account's records: logins, members, apps", "读取账户的审计记录：登录、成员、应用", Developers, false, auditors},
	{MembersManage, 4, "Invite and remove members and change their roles", "邀请和移除成员并更改其角色", Developers, false, admins},
	{AppsRead, 5, "See the account's apps", "查看账户的应用", Developers, false, auditors},
	{AppsManage, 6, "Create, change, delete and restore apps", "创建、修改、删除和恢复应用", Developers, false, admins},
	{KeysRead, 7, "List the API keys, without their secrets", "列出 API 密钥（不含密钥本身）", Developers | Keys, true, auditors},
	{KeysManage, 8, "Create, rotate and revoke API keys", "创建、轮换和吊销 API 密钥", Developers | Keys, true, admins},
	{RolesRead, 9, "See the app's roles", "查看应用的角色", Developers | Keys | Users, true, auditors},
	{RolesManage, 10, "Make, change and delete roles, and say which every user has", "创建、修改和删除角色，并设定用户的默认角色", Developers | Keys | Users, true, admins},
	{GrantsRead, 11, "See who was granted what, and explain and review it", "查看授权，并进行解释和审查", Developers | Keys | Users, true, auditors},
	{GrantsManage, 12, "Grant and revoke permissions and roles", "授予和撤销权限与角色", Developers | Keys | Users, true, admins},
	{RecordsRead, 13, "Read, verify and export the app's records", "读取、校验和导出应用的审计记录", Developers | Keys | Users, true, auditors},
	{UsersRegister, 14, "Register users", "注册用户", Developers | Keys | Users, true, admins},
	{UsersRead, 15, "Look up a user by ID", "按 ID 查询用户", Developers | Keys | Users, false, everybody},
	{UsersList, 16, "List all users of the app", "列出应用的全部用户", Developers | Keys | Users, true, moderators},
	{TokensManage, 17, "Mint and revoke user tokens", "签发和吊销用户令牌", Developers | Keys, true, admins},
	{TicketsCreate, 18, "Create a connect ticket for oneself", "为自己创建连接票据", Users, false, withBrowser},
	{MessagesSend, 19, "Send messages", "发送消息", Developers | Keys | Users, false, talkers},
	{MessagesRead, 20, "Read messages and conversations", "读取消息和会话", Developers | Keys | Users, false, talkers},
	{MessagesMark, 21, "Acknowledge messages and mark them read", "确认消息并标记已读", Developers | Keys | Users, false, talkers},
	{SocketConnect, 22, "Open a socket and keep it", "打开并保持连接", Users, false, talkers},
	{GroupsCreate, 23, "Create groups", "创建群组", Developers | Keys | Users, false, talkers},
	{GroupsRead, 24, "See groups, their members and one's own membership", "查看群组、其成员和本人的成员身份", Developers | Keys | Users, false, everybody},
	{GroupsJoin, 25, "Join and leave groups and answer invitations", "加入和退出群组，回应邀请", Developers | Keys | Users, false, talkers},
	{GroupsSend, 26, "Send messages to the groups that one is in", "向所在的群组发送消息", Developers | Keys | Users, false, talkers},
	{GroupsInvite, 27, "Invite users to groups", "邀请用户加入群组", Developers | Keys | Users, true, keepers},
	{GroupsManage, 28, "Change groups, remove and mute their members, admit who asks", "修改群组、移除和禁言成员、审批加入申请", Developers | Keys | Users, true, keepers},
	{GroupsOwn, 29, "Dismiss groups, hand them on and name their admins", "解散和转让群组、任命管理员", Developers | Keys | Users, true, admins},
	{PresenceRead, 30, "See and watch who is online", "查看和关注在线状态", Developers | Keys | Users, false, talkers},
	{PresenceManage, 31, "Hide one's own presence", "隐藏本人的在线状态", Developers | Keys | Users, false, talkers},
	{UsersEdit, 32, "Change one's own profile and username, and delete oneself", "修改本人的资料和用户名，以及注销本人", Developers | Keys | Users, false, talkers},
	{UsersManage, 33, "Change, deactivate, reactivate and delete any user", "修改、停用、重新启用和删除任何用户", Developers | Keys | Users, true, admins},
	{BlocksManage, 34, "See and change whom one has blocked oneself", "查看和管理本人的屏蔽名单", Developers | Keys | Users, false, talkers},
	{MediaUpload, 35, "Upload pictures, videos, sounds and files, to send them", "上传图片、视频、音频和文件以供发送", Developers | Keys | Users, false, talkers},
	{MediaRead, 36, "Download the media of one's conversations", "下载所在会话中的媒体", Developers | Keys | Users, false, talkers},
	{MessagesEdit, 37, "Edit and recall one's own messages", "编辑和撤回本人的消息", Developers | Keys | Users, false, talkers},
	{MessagesReact, 38, "React to messages", "对消息作出表情回应", Developers | Keys | Users, false, talkers},
	{MessagesPin, 39, "Pin messages of one's conversations", "置顶所在会话中的消息", Developers | Keys | Users, false, talkers},
	{MessagesModerate, 40, "Recall anybody's messages", "撤回任何人的消息", Developers | Keys | Users, true, keepers},
	{MessagesDelete, 41, "Delete messages and clear conversations for oneself", "为本人删除消息和清空会话", Developers | Keys | Users, false, talkers},
	{MessagesTrace, 42, "See how far one's own messages have come", "查看本人消息的送达情况", Developers | Keys | Users, false, talkers},
	{GroupsMentionAll, 43, "Mention everybody in a group at once", "在群组中提及所有人", Developers | Keys | Users, true, keepers},
	{BroadcastsManage, 44, "Send messages to all users of the app, and stop them", "向应用的全部用户广播消息和停止广播", Developers | Keys | Users, true, admins},
}

// Lookup returns the catalogue's entry of the permission.
func Lookup(permission Permission) (Entry, bool) {
	at := slices.IndexFunc(Catalogue, func(e Entry) bool { return e.Permission == permission })
	if at < 0 {
		return Entry{}, false
	}
	return Catalogue[at], true
}

// InApp tells whether the permission is about an app, and not about the account that owns it.
func (e Entry) InApp() bool { return e.Holders&(Keys|Users) != 0 }

// inGroups are the permissions that one can have, or be denied, in one group: requests that ask for them can name the group.
var inGroups = SetOf(GroupsRead, GroupsJoin, GroupsSend, GroupsInvite, GroupsManage, GroupsOwn, GroupsMentionAll,
	MessagesEdit, MessagesReact, MessagesPin, MessagesModerate)

// InGroup tells whether the permission is asked for in the group that a request names, and so can be granted and denied in one.
// What is about all conversations of a user at once, such as reading, cannot.
func (e Entry) InGroup() bool { return inGroups&SetOf(e.Permission) != 0 }

// HadIn returns the permissions that one can have in the group, or in the whole app for "".
func HadIn(group id.Group) Set {
	return setWhere(func(entry Entry) bool { return group == "" || entry.InGroup() })
}

// Scopes returns the permissions that an API key can have, in the catalogue's order.
func Scopes() []string { return HeldBy(Keys).Names() }
