// Package authz is the list of permissions: what an API key can be allowed, what every end user may do for itself, and
// what the members of an account may do by their roles.
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

	// What developers do in an account, with a session.
	LoginManage   Permission = "login:manage"
	AccountRead   Permission = "account:read"
	AccountManage Permission = "account:manage"
	MembersManage Permission = "members:manage"
	AppsRead      Permission = "apps:read"
	AppsManage    Permission = "apps:manage"

	// What is done in an app.
	KeysRead      Permission = "keys:read"
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

// Role is what a member is in an account.
type Role string

// The roles. An owner may do everything, an admin everything but change who owns the account, an auditor only look.
const (
	Owner   Role = "owner"
	Admin   Role = "admin"
	Auditor Role = "auditor"
)

// Roles are all of them, the mightiest first.
var Roles = []Role{Owner, Admin, Auditor}

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
	// Least is the least of the roles whose members have it, with the roles above it; "" for none.
	Least Role
}

// Catalogue is every permission there is, Public apart.
var Catalogue = []Entry{
	{LoginManage, "Manage one's own login: password, second factor, sessions", "管理自己的登录：密码、多重身份验证、会话", false, false, Auditor},
	{AccountRead, "See the account, its members and its invitations", "查看账户、成员和邀请", false, false, Auditor},
	{AccountManage, "Rename the account and change who owns it", "重命名账户和变更所有者", false, false, Owner},
	{MembersManage, "Invite and remove members and change their roles", "邀请和移除成员并更改其角色", false, false, Admin},
	{AppsRead, "See the account's apps", "查看账户的应用", false, false, Auditor},
	{AppsManage, "Create, change, delete and restore apps", "创建、修改、删除和恢复应用", false, false, Admin},
	{KeysRead, "List the API keys, without their secrets", "列出 API 密钥（不含密钥本身）", true, false, Auditor},
	{KeysManage, "Create, rotate and revoke API keys", "创建、轮换和吊销 API 密钥", true, false, Admin},
	{UsersRegister, "Register users", "注册用户", true, false, Admin},
	{UsersRead, "Look up a user by ID", "按 ID 查询用户", true, true, Auditor},
	{UsersList, "List all users of the app", "列出应用的全部用户", true, false, Auditor},
	{TokensManage, "Mint and revoke user tokens", "签发和吊销用户令牌", true, false, Admin},
	{TicketsCreate, "Create a connect ticket for oneself", "为自己创建连接票据", false, true, ""},
	{MessagesSend, "Send messages", "发送消息", true, true, Admin},
	{MessagesRead, "Read messages and conversations", "读取消息和会话", true, true, Admin},
	{MessagesMark, "Acknowledge messages and mark them read", "确认消息并标记已读", true, true, Admin},
	{SocketConnect, "Open a socket and keep it", "打开并保持连接", false, true, ""},
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

// Lookup returns the catalogue's entry of the permission.
func Lookup(permission Permission) (Entry, bool) {
	at := slices.IndexFunc(Catalogue, func(e Entry) bool { return e.Permission == permission })
	if at < 0 {
		return Entry{}, false
	}
	return Catalogue[at], true
}

// RoleMay tells whether the members with the role have the permission.
func RoleMay(role Role, permission Permission) bool {
	return slices.Contains(RoleScopes(role), string(permission))
}

// RoleScopes returns the permissions of the members with the role, in the catalogue's order.
func RoleScopes(role Role) []string {
	var scopes []string
	rank := slices.Index(Roles, role)
	for _, entry := range Catalogue {
		if rank >= 0 && rank <= slices.Index(Roles, entry.Least) {
			scopes = append(scopes, string(entry.Permission))
		}
	}
	return scopes
}
