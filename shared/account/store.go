package account

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/record"
)

// What stores refuse.
var (
	// ErrNotFound says that there is nothing of the kind, or that it has expired.
	ErrNotFound = login.ErrNotFound
	// ErrUsed says that a link, a code or an invitation was used before, or has expired.
	ErrUsed = errors.New("account: used")
	// ErrTaken says that another login has the address, or that there is an account of the ID.
	ErrTaken = errors.New("account: address taken")
	// ErrChanged says that the record is another than the caller has read.
	ErrChanged = errors.New("account: changed")
	// ErrMember says that the developer is a member already.
	ErrMember = errors.New("account: member already")
	// ErrLastOwner says that the account would be left without an owner.
	ErrLastOwner = errors.New("account: last owner")
	// ErrFull says that the account has as many as it may have.
	ErrFull = errors.New("account: full")
)

// Logins keeps developers and what proves them. All reads are strong. What has expired at the time of a call counts as
// absent, whether or not the database has swept it: the store asks its clock. Records are written with the change that they
// tell of, both or neither; those of one call are of one log.
type Logins interface {
	// PutPending stores a sign-up, in place of an older one with the address.
	PutPending(ctx context.Context, pending Pending) error
	// Pending returns the sign-up with the address, or ErrNotFound.
	Pending(ctx context.Context, email Email) (Pending, error)
	// ByEmail returns the developer with the address, or ErrNotFound.
	ByEmail(ctx context.Context, email Email) (id.Developer, error)
	// Developer returns the developer and the second factor, nil where there is none; ErrNotFound for no developer.
	Developer(ctx context.Context, developer id.Developer) (Developer, *Factor, error)
	// Developers returns those of the developers that exist, in no order; at most 100 are asked for.
	Developers(ctx context.Context, developers []id.Developer) ([]Developer, error)

	// PutLink stores what stands behind a mailed token.
	PutLink(ctx context.Context, link Link) error
	// Link returns it, or ErrNotFound. Nothing is used up by looking.
	Link(ctx context.Context, hash [32]byte) (Link, error)
	// TakeLink uses the link up, atomically: one of many callers succeeds, the others get ErrUsed.
	TakeLink(ctx context.Context, hash [32]byte, records ...record.Record) error

	// Activate uses the link up and makes the developer, the claim on the address, the account and its first member, an
	// owner; the sign-up is removed. All of it or nothing: ErrUsed for the link, else ErrTaken for the address.
	Activate(ctx context.Context, link [32]byte, developer Developer, account Account, records ...record.Record) error
	// SetPassword replaces the hash if the version is the one given, counts the version up, and ends every session but the
	// one to keep ("" for none); with a link (nil for none) it uses that up. All or nothing: ErrUsed, else ErrChanged.
	SetPassword(ctx context.Context, developer id.Developer, version int64, hash string, link *[32]byte, keep string, records ...record.Record) error
	// Rehash replaces the hash of the same password by a stronger one if the version is the one given; else ErrChanged.
	Rehash(ctx context.Context, developer id.Developer, version int64, hash string) error
	// SetEmail uses the link up, moves the claim from the developer's address to the new one if the version is the one
	// given, and counts the version up. All or nothing: ErrUsed, else ErrTaken, else ErrChanged.
	SetEmail(ctx context.Context, developer Developer, to Email, link [32]byte, records ...record.Record) error

	// PutSetup stores a second factor that is being turned on, in place of an older one.
	PutSetup(ctx context.Context, developer id.Developer, setup Setup) error
	// Setup returns it, or ErrNotFound.
	Setup(ctx context.Context, developer id.Developer) (Setup, error)
	// PutFactor turns the second factor on, removes the setup, and ends every session but the one to keep ("" for none). All
	// or nothing: ErrUsed where the setup is another or gone, else ErrChanged where there is a factor already.
	PutFactor(ctx context.Context, developer id.Developer, setup Setup, factor Factor, keep string, records ...record.Record) error
	// RemoveFactor turns it off if the version of the login is the one given, and counts the version up, so that no
	// password that is good with a second factor only is set at the same moment; else ErrChanged. There may be no factor.
	RemoveFactor(ctx context.Context, developer id.Developer, version int64, records ...record.Record) error
	// SetRecovery replaces the recovery codes; ErrNotFound without a factor.
	SetRecovery(ctx context.Context, developer id.Developer, codes [][]byte, records ...record.Record) error
	// UseStep accepts a time step, atomically: ErrUsed unless it is later than every one before, ErrNotFound without a factor.
	UseStep(ctx context.Context, developer id.Developer, step int64) error
	// UseRecovery uses a recovery code up, atomically: ErrUsed unless it is there. It returns how many are left.
	UseRecovery(ctx context.Context, developer id.Developer, code []byte, records ...record.Record) (left int, err error)
}

// Teams keeps accounts, members and invitations. All reads are strong. Records are written as those of Logins are.
type Teams interface {
	// Account returns the account, or ErrNotFound.
	Account(ctx context.Context, account id.Account) (Account, error)
	// Create makes an account and its first member, an owner. Where its ID is taken, it returns the standing account and
	// ErrTaken.
	Create(ctx context.Context, account Account, owner id.Developer, records ...record.Record) (standing Account, err error)
	// Rename gives it another name if its name is the one given: ErrChanged (also for no account).
	Rename(ctx context.Context, account Account, name string, records ...record.Record) error
	// Accounts returns the accounts that the developer is a member of, the oldest membership first.
	Accounts(ctx context.Context, developer id.Developer) ([]id.Account, error)
	// Member returns the member, or ErrNotFound.
	Member(ctx context.Context, account id.Account, developer id.Developer) (Member, error)
	// Members returns up to limit members by developer ID, those after the ID; "" begins.
	Members(ctx context.Context, account id.Account, after id.Developer, limit int) ([]Member, error)
	// Join makes a member of the developer of the link, which is used up with its invitation; made, where not nil, is the
	// login that is made with it. All or nothing: ErrUsed, else ErrTaken, else ErrMember, else ErrFull at MaxMembers.
	Join(ctx context.Context, link Link, member Member, made *Developer, records ...record.Record) error
	// SetRole changes a role if it is the one given: ErrChanged; ErrLastOwner.
	SetRole(ctx context.Context, member Member, to authz.Role, records ...record.Record) error
	// Leave removes the member if the role is the one given: ErrChanged (also for no member); ErrLastOwner.
	Leave(ctx context.Context, member Member, records ...record.Record) error
	// PutInvitation stores an invitation.
	PutInvitation(ctx context.Context, invitation Invitation, records ...record.Record) error
	// Invitation returns it, or ErrNotFound.
	Invitation(ctx context.Context, account id.Account, invitation string) (Invitation, error)
	// Invitations returns all open ones of the account, the oldest first; they are at most a few hundred.
	Invitations(ctx context.Context, account id.Account) ([]Invitation, error)
	// RemoveInvitation withdraws it; ErrNotFound where it is gone.
	RemoveInvitation(ctx context.Context, account id.Account, invitation string, records ...record.Record) error
}
