package mail

import (
	"maps"
	"slices"
)

// Kind names an occasion for a mail.
type Kind string

// The kinds, with the values of Content that each needs.
const (
	// ConfirmSignUp asks whoever signed up to confirm the address: Link, Source, When, Until.
	ConfirmSignUp Kind = "confirm_signup"
	// AlreadyRegistered answers a sign-up with an address that has a login: Source, When.
	AlreadyRegistered Kind = "already_registered"
	// ResetPassword has the link to a new password: Link, Source, When, Until.
	ResetPassword Kind = "reset_password"
	// ResetUnknown answers the wish for a new password for an address without a login: Source, When.
	ResetUnknown Kind = "reset_unknown"
	// Unlock has the link to log in although somebody guesses passwords: Link, Source, When, Until. Source and When tell
	// of the last guess.
	Unlock Kind = "unlock"
	// ConfirmEmail asks at the new address whether a login may move to it: Link, Source, When, Until.
	ConfirmEmail Kind = "confirm_email"
	// EmailChanged tells the old address: Email (the new one), Source, When.
	EmailChanged Kind = "email_changed"
	// PasswordChanged tells that the password is another: Source, When.
	PasswordChanged Kind = "password_changed"
	// MFAEnabled tells that logging in takes a second factor from now on: Source, When.
	MFAEnabled Kind = "mfa_enabled"
	// MFADisabled tells that it does so no more: Source, When.
	MFADisabled Kind = "mfa_disabled"
	// RecoveryCodeUsed tells that a recovery code stood in for the second factor: Source, When.
	RecoveryCodeUsed Kind = "recovery_code_used"
	// SessionsEnded tells that all sessions were ended: Source, When.
	SessionsEnded Kind = "sessions_ended"
	// Invitation invites into an account: Link, Account, Role, Email (the inviter's), Until.
	Invitation Kind = "invitation"
	// MemberRemoved tells a developer that they left an account: Account, When.
	MemberRemoved Kind = "member_removed"
	// RoleChanged tells a developer that their role is another: Account, Role (the new one), When.
	RoleChanged Kind = "role_changed"
	// KeyExpiring warns of the end of an API key: App, Key, When (the end); Name where the key has one.
	KeyExpiring Kind = "key_expiring"
	// KeyUsedAfterRotation warns that a key is in use that was replaced: App, Key, Source and When (of the last use), Until
	// (when it stops to work); Name where the key has one.
	KeyUsedAfterRotation Kind = "key_used_after_rotation"
	// AppDeleted tells that an app was deleted and how to get it back: App, When (of the deletion), Until (when it is
	// erased).
	AppDeleted Kind = "app_deleted"
	// AppErased tells that the app's data is gone: App, When.
	AppErased Kind = "app_erased"
)

// Kinds returns all kinds, sorted.
func Kinds() []Kind { return slices.Sorted(maps.Keys(needs)) }

// Needs returns the names of the values of Content that the kind's text mentions; none for a kind that does not exist.
func Needs(kind Kind) []string { return needs[kind] }

// needs has the values that each kind's text mentions.
var needs = map[Kind][]string{
	ConfirmSignUp:        {"Link", "Source", "When", "Until"},
	AlreadyRegistered:    {"Source", "When"},
	ResetPassword:        {"Link", "Source", "When", "Until"},
	ResetUnknown:         {"Source", "When"},
	Unlock:               {"Link", "Source", "When", "Until"},
	ConfirmEmail:         {"Link", "Source", "When", "Until"},
	EmailChanged:         {"Email", "Source", "When"},
	PasswordChanged:      {"Source", "When"},
	MFAEnabled:           {"Source", "When"},
	MFADisabled:          {"Source", "When"},
	RecoveryCodeUsed:     {"Source", "When"},
	SessionsEnded:        {"Source", "When"},
	Invitation:           {"Link", "Account", "Role", "Email", "Until"},
	MemberRemoved:        {"Account", "When"},
	RoleChanged:          {"Account", "Role", "When"},
	KeyExpiring:          {"App", "Key", "When"},
	KeyUsedAfterRotation: {"App", "Key", "Source", "When", "Until"},
	AppDeleted:           {"App", "When", "Until"},
	AppErased:            {"App", "When"},
}
