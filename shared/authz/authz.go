// Package authz is the list of permissions: what an API key can be allowed, and what every end user may do for itself.
//
// Default is deny. Every route and socket action names exactly one permission; api.Operation and socket.Action have no
// way to leave it out.
package authz

import "slices"

// Permission names something that a credential may be allowed to do. Keys carry them as scopes.
type Permission string

// The permissions.
const (
	// Public marks what needs no credential at all: the API's description and status.
	Public Permission = "public"

	KeysManage    Permission = "keys:manage"
	UsersRegister Permission = "users:register"
	UsersRead     Permission = "users:read"
	UsersList     Permission = "users:list"
	TokensManage  Permission = "tokens:manage"
	TicketsCreate Permission = "tickets:create"
	MessagesSend  Permission = "messages:send"
	MessagesRead  Permission = "messages:read"
	MessagesMark  Permission = "messages:mark"
	SocketConnect Permission = "socket:connect"
)

// Entry describes a permission.
type Entry struct {
	// Permission is its name.
	Permission Permission
	// EN and ZH say what it allows.
	EN, ZH string
	// Key tells whether an API key can have it as a scope.
	Key bool
	// User tells whether every end user has it, for its own data, through a user token.
	User bool
}

// Catalogue is every permission there is, Public apart.
var Catalogue = []Entry{
	{KeysManage, "Create, list and revoke API keys", "创建、列出和吊销 API 密钥", true, false},
	{UsersRegister, "Register users", "注册用户", true, false},
	{UsersRead, "Look up a user by ID", "按 ID 查询用户", true, true},
	{UsersList, "List all users of the app", "列出应用的全部用户", true, false},
	{TokensManage, "Mint and revoke user tokens", "签发和吊销用户令牌", true, false},
	{TicketsCreate, "Create a connect ticket for oneself", "为自己创建连接票据", false, true},
	{MessagesSend, "Send messages", "发送消息", true, true},
	{MessagesRead, "Read messages and conversations", "读取消息和会话", true, true},
	{MessagesMark, "Acknowledge messages and mark them read", "确认消息并标记已读", true, true},
	{SocketConnect, "Open a socket and keep it", "打开并保持连接", false, true},
}

// Scopes returns the permissions that an API key can have, in the catalogue's order.
func Scopes() []string {
	var scopes []string
	for _, entry := range Catalogue {
		if entry.Key {
			scopes = append(scopes, string(entry.Permission))
		}
	}
	return scopes
}

// UserMay tells whether end users have the permission for their own data.
func UserMay(permission Permission) bool {
	return slices.ContainsFunc(Catalogue, func(e Entry) bool { return e.User && e.Permission == permission })
}
