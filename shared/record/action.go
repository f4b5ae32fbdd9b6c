package record

// Action says what was done. Actions are part of the public API.
type Action string

// The actions.
const (
	GrantCreated    Action = "grant.created"
	GrantRevoked    Action = "grant.revoked"
	RoleCreated     Action = "role.created"
	RoleChanged     Action = "role.changed"
	RoleDeleted     Action = "role.deleted"
	DefaultsChanged Action = "defaults.changed"

	KeyCreated  Action = "key.created"
	KeyRotated  Action = "key.rotated"
	KeyNarrowed Action = "key.narrowed"
	KeyRevoked  Action = "key.revoked"

	AppCreated  Action = "app.created"
	AppChanged  Action = "app.changed"
	AppDeleted  Action = "app.deleted"
	AppRestored Action = "app.restored"
	AppErased   Action = "app.erased"

	UserDeactivated Action = "user.deactivated"
	UserReactivated Action = "user.reactivated"
	UserDeleted     Action = "user.deleted"

	DataRead Action = "data.read"

	LoginSucceeded    Action = "login.succeeded"
	LoginFailed       Action = "login.failed"
	SessionEnded      Action = "session.ended"
	SessionsEnded     Action = "sessions.ended"
	SessionSwitched   Action = "session.switched"
	PasswordChanged   Action = "password.changed"
	PasswordReset     Action = "password.reset"
	EmailChanged      Action = "email.changed"
	FactorAdded       Action = "factor.added"
	FactorRemoved     Action = "factor.removed"
	RecoveryReplaced  Action = "recovery_codes.replaced"
	RecoveryUsed      Action = "recovery_code.used"
	AccountCreated    Action = "account.created"
	AccountRenamed    Action = "account.renamed"
	MemberJoined      Action = "member.joined"
	MemberChanged     Action = "member.role_changed"
	MemberRemoved     Action = "member.removed"
	MemberInvited     Action = "member.invited"
	InvitationRemoved Action = "invitation.withdrawn"
	AccountUnlocked   Action = "login.unlocked"
	ProofFailed       Action = "proof.failed"
)

// Actions is every action there is.
var Actions = []Action{
	GrantCreated, GrantRevoked, RoleCreated, RoleChanged, RoleDeleted, DefaultsChanged, KeyCreated, KeyRotated,
	KeyNarrowed, KeyRevoked, AppCreated, AppChanged, AppDeleted, AppRestored, AppErased, UserDeactivated, UserReactivated, UserDeleted, DataRead, LoginSucceeded, LoginFailed,
	SessionEnded, SessionsEnded, SessionSwitched, PasswordChanged, PasswordReset, EmailChanged, FactorAdded,
	FactorRemoved, RecoveryReplaced, RecoveryUsed, AccountCreated, AccountRenamed, MemberJoined, MemberChanged,
	MemberRemoved, MemberInvited, InvitationRemoved, AccountUnlocked, ProofFailed,
}
