package authz

import (
	"slices"
	"strings"
)

// Role names a role: a built-in one by its name, one of an app's own by its ID, "role_…".
type Role string

// The built-in roles. Owner, admin and auditor are also what a member is in an account: an owner may do everything, an
// admin everything but change who owns the account, an auditor only look.
const (
	Owner     Role = "owner"
	Admin     Role = "admin"
	Moderator Role = "moderator"
	Member    Role = "member"
	Auditor   Role = "auditor"
	Bot       Role = "bot"
)

// BuiltIn describes a built-in role.
type BuiltIn struct {
	Role Role
	// EN and ZH say what it is for.
	EN, ZH string
}

// BuiltIns are the built-in roles.
var BuiltIns = []BuiltIn{
	{Owner, "May do everything", "拥有全部权限"},
	{Admin, "Runs the app or the account; in an account, all but changing who owns it", "管理应用或账户；在账户中不能变更所有者"},
	{Moderator, "A member who looks after the others", "负责管理其他成员的成员"},
	{Member, "An end user: messages of its own. Every user has it unless the app says otherwise", "终端用户：管理本人的消息。除非应用另行设定，所有用户都拥有此角色"},
	{Auditor, "Sees who may do what and what was done, and reads no messages", "查看权限与操作记录，但不能读取消息"},
	{Bot, "A program among the users", "以用户身份运行的程序"},
}

// The roles that a member has in one group, by its membership. They are no roles to grant: the group's owner and admins
// give them.
const (
	GroupOwner  Role = "group_owner"
	GroupAdmin  Role = "group_admin"
	GroupMember Role = "group_member"
)

// GroupRole returns the role of the name that members have on the wire: "owner", "admin" or "member".
func GroupRole(name string) Role { return Role(groupRolePrefix + name) }

// GroupName returns the name that a role in a group has on the wire.
func (r Role) GroupName() string { return strings.TrimPrefix(string(r), groupRolePrefix) }

const groupRolePrefix = "group_"

// groupSets are what the group's roles allow in the group, beyond what the member may do anyway.
var groupSets = map[Role]Set{
	GroupOwner:  SetOf(GroupsInvite, GroupsManage, GroupsOwn, GroupsMentionAll),
	GroupAdmin:  SetOf(GroupsInvite, GroupsManage, GroupsMentionAll),
	GroupMember: 0,
}

// GroupRoleMay tells whether a role in a group allows the permission there, beyond what the member may do anyway.
func GroupRoleMay(role Role, permission Permission) bool { return groupSets[role].Has(permission) }

// AccountRoles are what the members of an account can be, the mightiest first.
var AccountRoles = []Role{Owner, Admin, Auditor}

// Set returns the permissions of a built-in role, whoever has it; nothing for any other.
func (r Role) Set() Set {
	return setWhere(func(entry Entry) bool { return slices.Contains(entry.Roles, r) })
}

// IsBuiltIn tells whether the role is a built-in one.
func (r Role) IsBuiltIn() bool {
	return slices.ContainsFunc(BuiltIns, func(b BuiltIn) bool { return b.Role == r })
}

// RoleMay tells whether the members of an account with the role have the permission.
func RoleMay(role Role, permission Permission) bool { return RoleSet(role).Has(permission) }

// RoleScopes returns the permissions of the members of an account with the role, in the catalogue's order.
func RoleScopes(role Role) []string { return RoleSet(role).Names() }

// RoleSet returns the permissions of the members of an account with the role; nothing for a role that no member can have.
func RoleSet(role Role) Set {
	if !slices.Contains(AccountRoles, role) {
		return 0
	}
	return role.Set() & HeldBy(Developers)
}
