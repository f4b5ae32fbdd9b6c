package authz

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Caller is who is calling, as package authn found out. The app ID of everything that a request touches comes from
// here, never from the request.
type Caller struct {
	// App is the tenant; none for nobody, and for a developer who has not chosen one of the account's apps.
	App id.App
	// Key is the application's key; for an end user the key that minted its token. A developer has none.
	Key id.Key
	// Rights are what the key may do, or the developer.
	Rights Rights
	// Policy is what the app has decided for all; nil where it is not known, and then the built-in roles hold.
	Policy *Policy
	// At is when the caller was checked.
	At time.Time
	// User is the end user, or the user whom an application acts for; "" where the operation has none. UserRights are what
	// that user may do.
	User       id.User
	UserRights Rights
	// Epoch is the user's token epoch now.
	Epoch int64
	// asked, where it is set, gets every permission that was asked for and is had; see Noting.
	asked *[]Asked
	// seat is what the user's role in one group gives it there; see Within.
	seat Statement
	// EndUser tells a caller with a user token from an application.
	EndUser bool
	// Device and ExpiresAt are what an end user's token says.
	Device    string
	ExpiresAt time.Time

	// Developer is who is logged in, in which session, standing in which account with which role. "" for keys and tokens.
	Developer id.Developer
	Session   string
	Account   id.Account
	Role      Role
	// ConfirmedAt is when the developer last proved in this session to be there: at login, or by a step-up since.
	ConfirmedAt time.Time

	// Source is the address that the request came from, as API Gateway saw it; the zero value where there is none.
	Source netip.Addr
}

// Known tells whether the credential was good, whatever it may do.
func (c Caller) Known() bool { return !c.App.IsZero() || c.Developer != "" }

// By names the caller for records: a developer, an end user, else a key.
func (c Caller) By() string {
	switch {
	case c.Developer != "":
		return string(c.Developer)
	case c.EndUser:
		return string(c.User)
	}
	return string(c.Key)
}

// PolicyVersion is the version of the policy that the caller is judged by.
func (c Caller) PolicyVersion() int64 {
	if c.Policy == nil {
		return 0
	}
	return c.Policy.Version
}

// Require refuses a caller without the permission in the whole app, naming what is missing and to whom. A developer needs
// to have chosen an app for what is done in one.
func (c Caller) Require(permission Permission) error {
	return c.RequireIn(permission, "")
}

// Asked is a permission that is asked for, in the group, or in the whole app for "".
type Asked struct {
	Permission Permission
	Group      id.Group
}

// AskAt returns the permission in the one of the places that is a group, if any, where it can be had in one: the places are what a
// request names, such as a conversation.
func AskAt(permission Permission, places ...string) Asked {
	asked := Asked{Permission: permission}
	if entry, _ := Lookup(permission); entry.InGroup() {
		if at := slices.IndexFunc(places, id.IsGroup); at >= 0 {
			asked.Group = id.Group(places[at])
		}
	}
	return asked
}

// RequireIn is Require for one group of the app.
//
// An end user needs the permission itself; where it reaches beyond the user's own data, the key that minted its token needs
// it too. Whoever acts for a user needs that both may, for what users can do themselves, and for the rest that it is not denied to
// the user.
func (c Caller) RequireIn(permission Permission, group id.Group) error {
	entry, known := Lookup(permission)
	for _, needed := range c.needed(entry, group) {
		decision := needed.rights.Decide(c.Policy, permission, group, c.At)
		if !known || !decision.Allowed {
			return denial(permission, needed, decision)
		}
	}
	if entry.Beyond && !c.EndUser { // else the user was asked for above
		if err := c.RequireNotDenied(permission, group); err != nil {
			return err
		}
	}
	if c.Developer != "" && c.App.IsZero() && entry.InApp() {
		return fault.New(fault.AppNotChosen)
	}
	if c.asked != nil {
		*c.asked = append(*c.asked, Asked{permission, group})
	}
	return nil
}

// RequireNotDenied refuses where the permission is denied to the user, if there is one, and is one that users can have; that nothing
// allows it is no denial.
func (c Caller) RequireNotDenied(permission Permission, group id.Group) error {
	if entry, _ := Lookup(permission); c.User == "" || entry.Holders&Users == 0 {
		return nil
	}
	if decision := c.UserRights.Decide(c.Policy, permission, group, c.At); decision.Denies() {
		return denial(permission, subject{string(c.User), c.UserRights}, decision)
	}
	return nil
}

// Noting returns the caller with a list to which every permission is added that it is asked for and has: for an edge that
// leaves the asking to the handler, and writes down what was used.
func (c Caller) Noting() (Caller, *[]Asked) {
	c.asked = &[]Asked{}
	return c, c.asked
}

// Within returns the caller with what the user's role in the group allows there; "" for a user who is no member. What was
// denied to the user stays denied.
func (c Caller) Within(group id.Group, role Role) Caller {
	if set := groupSets[role]; set != 0 && c.User != "" {
		c.seat = Statement{Role: role, Set: set, Group: group}
		c.UserRights.Statements = append(slices.Clone(c.UserRights.Statements), Statement{Set: set, Group: group})
	}
	return c
}

// Use is that a subject used a permission, and that this has not been noted today.
type Use struct {
	// Key or User is who.
	Key        id.Key
	User       id.User
	Permission Permission
	// Day is today, in days since 1970.
	Day int64
}

// Day returns the day of the time, in days since 1970.
func Day(at time.Time) int64 { return at.Unix() / int64(24*time.Hour/time.Second) }

// Unnoted returns what is to be noted when the caller uses what it asked for: at most once a day for each subject and
// permission. What every user has by default is not noted: nobody reviews it user by user.
func (c Caller) Unnoted(asked Asked) (uses []Use) {
	permission := asked.Permission
	entry, _ := Lookup(permission)
	for _, needed := range c.needed(entry, asked.Group) {
		use := Use{Permission: permission, Day: Day(c.At)}
		switch needed.rights.Kind {
		case Keys:
			use.Key = c.Key
		case Users:
			use.User = c.User
		}
		granted := needed.rights.Kind == Keys ||
			needed.rights.Kind == Users && needed.rights.Decide(c.Policy, permission, asked.Group, c.At).Via == ViaGrant
		if day, noted := needed.rights.Used[permission]; granted && (!noted || day < use.Day) {
			uses = append(uses, use)
		}
	}
	return uses
}

// subject is one of those who need a permission for a request.
type subject struct {
	id     string
	rights Rights
}

// needed returns those who need the permission in the group, or in the whole app for "".
func (c Caller) needed(entry Entry, group id.Group) []subject {
	application := subject{string(c.Key), c.Rights}
	if c.Developer != "" {
		application.id = string(c.Developer)
	}
	user := subject{string(c.User), c.UserRights}
	switch {
	case c.EndUser && (!entry.Beyond || group != "" && c.seat.Group == group && c.seat.Set.Has(entry.Permission)): // a group's owner needs no mightier key
		return []subject{user}
	case c.EndUser:
		return []subject{user, application}
	case c.User != "" && !entry.Beyond && entry.Holders&Users != 0:
		return []subject{application, user}
	}
	return []subject{application}
}

// denial is the refusal: what is missing, to whom, and what denies it.
func denial(permission Permission, needed subject, decision Decision) error {
	refusal := fault.New(fault.PermissionDenied, needed.id, string(permission))
	deniedBy := string(decision.Statement.Grant)
	if decision.Via == ViaDefault {
		deniedBy = string(decision.Statement.Role)
	}
	refusal.Denial = &fault.Denial{Permission: string(permission), Subject: needed.id, DeniedBy: deniedBy,
		GrantedBy: GrantedBy(permission, needed.rights.Kind)}
	return refusal
}

// GrantedBy says who could give the permission: the roles of the account's members who may grant and have it themselves,
// and keys, by what they need for it. To a developer, members give another role, none above their own.
func GrantedBy(permission Permission, kind Kind) []string {
	entry, known := Lookup(permission)
	if !known || entry.Holders&kind == 0 {
		return nil
	}
	giving := GrantsManage
	if kind == Developers {
		giving = MembersManage
	}
	var who []string
	for _, role := range AccountRoles {
		if RoleMay(role, giving) && (RoleMay(role, permission) || entry.Holders&Developers == 0) {
			who = append(who, string(role))
		}
	}
	if kind == Developers {
		return who
	}
	if permission == GrantsManage || onlyUsers().Has(permission) {
		return append(who, string(GrantsManage))
	}
	return append(who, string(GrantsManage)+"+"+string(permission))
}

// Lasting returns what the caller may hand on to subjects of the kinds, in the group, or in the whole app for "": what it has
// itself and does not lose by itself. A developer or a key that may grant can also hand on what nobody but users can have, for
// their own data. What an end user has for its own data, a key would have for everybody's: that goes to users alone.
func (c Caller) Lasting(group id.Group, to Kind) Set {
	set := c.Rights.Lasting(c.Policy, group, c.At)
	switch {
	case c.EndUser:
		beyond := setWhere(func(entry Entry) bool { return entry.Beyond })
		mine := c.UserRights.Lasting(c.Policy, group, c.At)
		if to != Users {
			return mine & beyond & set
		}
		return mine&^beyond | mine&beyond&set
	case set.Has(GrantsManage):
		set |= onlyUsers()
	}
	return set
}

// onlyUsers are the permissions that nobody but users can have.
func onlyUsers() Set { return HeldBy(Users) &^ HeldBy(Developers|Keys) }

// stepUpFor is how long a developer who proved to be there may make the changes that ask for it.
const stepUpFor = 10 * time.Minute

// RequireConfirmed refuses a developer who has not proved to be there lately: a session left open, or a stolen cookie,
// must not be enough to take an account over.
func (c Caller) RequireConfirmed(now time.Time) error {
	if now.Sub(c.ConfirmedAt) > stepUpFor {
		return fault.New(fault.StepUpRequired)
	}
	return nil
}

// Request is what an edge knows of a request besides its credential.
type Request struct {
	// Actor is the user that the request names as acting.
	Actor Actor
	// Source is the address that it came from.
	Source netip.Addr
	// App is the app that a developer chooses for it; it is looked up among the apps of the session's account.
	App string
}

// Actor is the user that a request names as acting: its ID or username, and the field that it stands in.
type Actor struct{ User, Field string }
