package check_test

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/group/groupdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
)

// club has the groups of an app.
type club struct {
	*testing.T
	app      id.App
	store    *groupdb.Store
	groups   *group.Service
	messages *message.Service
	ids      map[string]id.User
}

// everybody are users who exist, whoever they are.
type everybody struct{}

func (everybody) Known(_ context.Context, _ id.App, users []id.User) (map[id.User]bool, error) {
	known := map[id.User]bool{}
	for _, user := range users {
		known[user] = true
	}
	return known, nil
}

// gather has four more users make two groups.
//
// Hiking: dan owns it, eve was added and is muted, fay was invited and has joined, gil was added, removed and is invited
// again. Its log is 1 created, 2 joined, 3 to 5 texts of eve, 6 a text of dan, 7 invited, 8 joined, 9 a text of fay, 10
// muted, 11 joined, 12 removed, 13 a void in the place of a text, 14 updated, 15 invited, 16 a text of dan. The number 17
// was taken, and nothing is there yet.
//
// Reading: fay made it, handed it to dan who had joined, muted it and let admins speak only; gil asks to join; then dan
// dismissed it.
func gather(t *testing.T, db *dynamodb.Client, tables map[string]string, app id.App, users *user.Service, messages *message.Service) {
	c := newClub(t, db, tables, app, users, messages)
	c.hiking()
	c.reading()
}

func newClub(t *testing.T, db *dynamodb.Client, tables map[string]string, app id.App, users *user.Service, messages *message.Service) club {
	store := &groupdb.Store{DB: db, Groups: tables["TABLE_GROUPS"], Conversations: tables["TABLE_CONVERSATIONS"], Messages: tables["TABLE_MESSAGES"]}
	messages.Groups = store
	c := club{t, app, store, &group.Service{Store: store, Log: messages, Users: everybody{}, Clock: clock.System{}}, messages, map[string]id.User{}}
	for _, name := range []string{"dan", "eve", "fay", "gil"} {
		registered, err := users.Register(t.Context(), app, name, "")
		storetest.OK(t, "register", err)
		c.ids[name] = registered.ID
	}
	return c
}

// as is the user with a token, or for "" an application that may do everything.
func (c club) as(name string) authz.Caller {
	caller := authz.Caller{App: c.app, Key: "key_0000000000000000000000000001", At: time.Now(), User: c.ids[name], EndUser: name != "",
		Rights: authz.Rights{Kind: authz.Keys}, UserRights: authz.Rights{Kind: authz.Users}}
	if name == "" {
		caller.Rights.Base, _ = authz.ParseSet(authz.Scopes())
	}
	return caller
}

func (c club) hiking() {
	hike := c.make("dan", "hiking", group.Wish{Custom: map[string]json.RawMessage{"at": json.RawMessage(`"<here>"`)}})
	c.bring("", hike, true, "eve")
	c.say("eve", hike, "g#1")
	c.say("eve", hike, "")
	c.say("eve", hike, "")
	c.say("dan", hike, "g#2")
	c.bring("dan", hike, false, "fay")
	c.join("fay", hike)
	c.say("fay", hike, "")
	_, err := c.groups.Mute(c.Context(), c.as("dan"), hike, c.ids["eve"], time.Now().Add(time.Hour))
	storetest.OK(c, "mute", err)
	c.bring("", hike, true, "gil")
	c.remove("gil", hike)
	given, err := c.store.Take(c.Context(), c.app, hike, message.AnyMember)
	storetest.OK(c, "take", err)
	c.messages.Abandon(c.Context(), message.Entry{App: c.app, Conversation: id.Conversation(hike), Sequence: given.Sequence, ToLower: given.Ordinal})
	description := "On Sundays & in summer"
	_, err = c.groups.Change(c.Context(), c.as("dan"), hike, group.Wish{Description: &description})
	storetest.OK(c, "change", err)
	c.bring("dan", hike, false, "gil")
	c.say("dan", hike, "")
	_, err = c.messages.MarkRead(c.Context(), c.app, c.ids["eve"], id.Conversation(hike), 6)
	storetest.OK(c, "read", err)
	_, err = c.messages.Acknowledge(c.Context(), c.app, c.ids["fay"], id.Conversation(hike), 13)
	storetest.OK(c, "acknowledge", err)
	_, err = c.store.Take(c.Context(), c.app, hike, message.AnyMember)
	storetest.OK(c, "take", err)
}

func (c club) reading() {
	approval, admins, yes := group.Approval, group.Admins, true
	read := c.make("fay", "reading", group.Wish{Join: &approval})
	c.bring("fay", read, false, "dan")
	c.join("dan", read)
	_, err := c.groups.Transfer(c.Context(), c.as("fay"), read, c.ids["dan"])
	storetest.OK(c, "transfer", err)
	_, err = c.groups.SetRole(c.Context(), c.as("dan"), read, c.ids["fay"], authz.GroupMember)
	storetest.OK(c, "set the role", err)
	c.join("gil", read)
	_, err = c.groups.Change(c.Context(), c.as("dan"), read, group.Wish{Speak: &admins, MutedAll: &yes})
	storetest.OK(c, "change", err)
	_, err = c.groups.Dismiss(c.Context(), c.as("dan"), read)
	storetest.OK(c, "dismiss", err)
}

func (c club) make(by, name string, wish group.Wish) id.Group {
	wish.Name = &name
	made, _, err := c.groups.Create(c.Context(), c.as(by), group.Creation{Wish: wish})
	storetest.OK(c, "create", err)
	return made.GroupID
}

func (c club) bring(by string, into id.Group, add bool, name string) {
	_, err := c.groups.Invite(c.Context(), c.as(by), into, []id.User{c.ids[name]}, add)
	storetest.OK(c, "invite "+name, err)
}

func (c club) remove(name string, from id.Group) {
	_, err := c.groups.Remove(c.Context(), c.as("dan"), from, c.ids[name])
	storetest.OK(c, "remove "+name, err)
}

func (c club) join(name string, into id.Group) {
	_, err := c.groups.Join(c.Context(), c.as(name), into)
	storetest.OK(c, "join "+name, err)
}

func (c club) say(name string, in id.Group, clientID string) {
	draft := message.Draft{App: c.app, From: c.ids[name], To: string(in), Text: "hello", ClientID: clientID}
	if clientID != "" { // it refers to somebody
		draft.Mentioned = []id.User{c.ids[name]}
	}
	_, err := c.messages.Send(c.Context(), draft)
	storetest.OK(c, "send", err)
}

// Items of a world's groups.
var (
	ofGroup   = has("pk", "#g_")
	seatRow   = has("sk", "g_")
	hiking    = is("name", "hiking")
	reading   = is("name", "reading")
	counter   = both(is("sk", "N"), is("seq", "17"))
	closed    = both(is("sk", "N"), func(item table.Item) bool { return item["closed"] != nil })
	roster    = both(is("sk", "R"), func(item table.Item) bool { return len(seatsOf(item)) == 3 })
	eveSeat   = both(seatRow, func(item table.Item) bool { return item["muted"] != nil })
	faySeat   = both(seatRow, is("since", "8"))
	gilSeat   = both(seatRow, is("ver", "15"))
	askSeat   = both(seatRow, is("state", "asked"))
	danSeat   = both(seatRow, both(is("role", "owner"), is("since", "1")))
	void      = both(ofGroup, is("type", "void"))
	clubClaim = both(ofGroup, has("pk", "#g#1"))
)

// at accepts an event, and said a message, of the number.
func at(number string) func(table.Item) bool {
	return both(ofGroup, both(is("seq", number), is("type", "event")))
}

func said(number string) func(table.Item) bool {
	return both(ofGroup, both(is("seq", number), is("type", "text")))
}

// seatsOf returns what a roster has.
func seatsOf(item table.Item) table.Item { return item["m"].(*types.AttributeValueMemberM).Value }

// reseat returns damage that changes the roster of hiking.
func reseat(change func(seats table.Item)) func(*testing.T, items) {
	return func(t *testing.T, all items) {
		row := all["GROUPS"][where(t, all["GROUPS"], roster)]
		seats := maps.Clone(seatsOf(row))
		change(seats)
		row["m"] = &types.AttributeValueMemberM{Value: seats}
	}
}

// seated returns the user whose text in a roster begins so.
func seated(seats table.Item, begins string) string {
	for user, seat := range seats {
		if strings.HasPrefix(text(seat), begins) {
			return user
		}
	}
	return ""
}

// groupDamages are what can befall the groups of an app.
var groupDamages = map[string]damage{
	"a lost profile of a group":         {drop("GROUPS", hiking), only(check.Group)},
	"a lost counter":                    {drop("GROUPS", counter), only(check.Group)},
	"a lost roster":                     {drop("GROUPS", roster), only(check.Group)},
	"a lost group":                      {loseGroup, only(check.Group)},
	"a lost log of a group":             {loseLog, only(check.Group, check.Mark, check.Routing)},
	"an item of no group":               {set("GROUPS", counter, "sk", table.S("X")), only(check.Unreadable, check.Group)},
	"a group under another key":         {set("GROUPS", hiking, "group", table.S("g_0000000000000000000000")), only(check.Unreadable)},
	"a counter behind the log":          {set("GROUPS", counter, "seq", table.N(15)), only(check.Group)},
	"a counter of messages behind it":   {set("GROUPS", counter, "ord", table.N(3)), only(check.Group)},
	"a counter that is open":            {unset("GROUPS", closed, "closed"), only(check.Group)},
	"a counter that lets all speak":     {unset("GROUPS", closed, "admins"), only(check.Group)},
	"a counter that mutes":              {set("GROUPS", counter, "hushed", yes), only(check.Group)},
	"a name that no event tells of":     {set("GROUPS", hiking, "name", table.S("Swimming")), only(check.Group)},
	"a custom that no event tells of":   {set("GROUPS", hiking, "custom", table.S(`{"at":"there"}`)), only(check.Group)},
	"an undone dismissal":               {unset("GROUPS", reading, "dismissed_at"), only(check.Group)},
	"a way to join that there is not":   {set("GROUPS", hiking, "join", table.S("never")), only(check.Unreadable, check.Group)},
	"another owner":                     {set("GROUPS", hiking, "owner", table.S("u_0000000000000000000000")), only(check.Group)},
	"too many members of a group":       {set("GROUPS", hiking, "members", table.N(4)), only(check.Group)},
	"a profile behind its log":          {set("GROUPS", hiking, "version", table.N(14)), only(check.Group)},
	"a profile ahead of its log":        {set("GROUPS", hiking, "version", table.N(18)), only(check.Group)},
	"a member without seat":             {reseat(func(seats table.Item) { delete(seats, seated(seats, "m8")) }), only(check.Group)},
	"a seat of nobody":                  {reseat(func(seats table.Item) { seats["u_0000000000000000000000"] = table.S("m2") }), only(check.Group)},
	"a seat of another role":            {reseat(func(seats table.Item) { seats[seated(seats, "m8")] = table.S("a8") }), only(check.Group)},
	"a seat that is not muted":          {reseat(func(seats table.Item) { seats[seated(seats, "m2")] = table.S("m2") }), only(check.Group)},
	"a seat that is none":               {reseat(func(seats table.Item) { seats[seated(seats, "m8")] = table.S("?") }), only(check.Unreadable)},
	"a lost row of a member":            {drop("CONVERSATIONS", faySeat), only(check.Group, check.Routing)},
	"a lost row of an invited user":     {drop("CONVERSATIONS", gilSeat), only(check.Group, check.Routing)},
	"a lost request to join":            {drop("CONVERSATIONS", askSeat), only(check.Group, check.Routing)},
	"a member of another role":          {set("CONVERSATIONS", faySeat, "role", table.S("admin")), only(check.Group)},
	"a second owner":                    {set("CONVERSATIONS", faySeat, "role", table.S("owner")), only(check.Group)},
	"a member since earlier":            {set("CONVERSATIONS", faySeat, "since", table.N(2)), only(check.Group)},
	"a member who is not muted":         {unset("CONVERSATIONS", eveSeat, "muted"), only(check.Group)},
	"a member who has left by the row":  {leave, only(check.Group)},
	"an invited user who asks":          {set("CONVERSATIONS", gilSeat, "state", table.S("asked")), only(check.Group)},
	"a row of no state":                 {set("CONVERSATIONS", gilSeat, "state", table.S("dead")), only(check.Unreadable, check.Group)},
	"a row of another version":          {set("CONVERSATIONS", gilSeat, "ver", table.N(14)), only(check.Group)},
	"a row by another":                  {set("CONVERSATIONS", gilSeat, "by", table.S("u_0000000000000000000000")), only(check.Group)},
	"a row in another list":             {set("CONVERSATIONS", gilSeat, "gk", table.S("app#g")), only(check.Group)},
	"a row of a group with a peer":      {set("CONVERSATIONS", gilSeat, "peer", table.S("u_0000000000000000000000")), only(check.Unreadable)},
	"a group's mark beyond its end":     {set("CONVERSATIONS", danSeat, "ack", table.N(17)), only(check.Mark)},
	"a mark before the member joined":   {set("CONVERSATIONS", faySeat, "ack", table.N(6)), only(check.Mark)},
	"another read ordinal in a group":   {set("CONVERSATIONS", eveSeat, "read_ord", table.N(9)), only(check.ReadOrdinal)},
	"a lost message of a group":         {drop("MESSAGES", said("4")), only(check.Gap)},
	"a lost change of a group":          {drop("MESSAGES", at("10")), only(check.Gap)},
	"a lost first entry of a group":     {drop("MESSAGES", at("1")), only(check.Gap)},
	"a lost void":                       {drop("MESSAGES", void), only(check.Gap)},
	"a cut end of a group's log":        {drop("MESSAGES", said("16")), only(check.Mark)},
	"a changed text in a group":         {set("MESSAGES", said("4"), "sealed", bytesOf(60)), only(check.Sealed)},
	"a changed event":                   {set("MESSAGES", at("10"), "sealed", bytesOf(60)), only(check.Sealed)},
	"a text in a group that is no JSON": {set("MESSAGES", said("4"), "rich", yes), only(check.Unreadable)},
	"an event that is a text":           {set("MESSAGES", said("4"), "type", table.S("event")), only(check.Unreadable, check.Ordinal)},
	"a void with a text":                {set("MESSAGES", void, "sealed", bytesOf(60)), only(check.Pair)},
	"an entry of a group to a user":     {set("MESSAGES", said("4"), "to", table.S("u_0000000000000000000000")), only(check.Pair)},
	"an ordinal of a message":           {set("MESSAGES", said("5"), "lo", table.N(4)), only(check.Ordinal)},
	"an ordinal of an event":            {set("MESSAGES", at("10"), "lo", table.N(4)), only(check.Ordinal)},
	"an ordinal of a void":              {set("MESSAGES", void, "lo", table.N(7)), only(check.Ordinal)},
	"an entry that knows the future":    {set("MESSAGES", said("5"), "base", table.N(5)), only(check.Gap)},
	"a client ID ahead of its group":    {set("SENDS", clubClaim, "from", table.N(18)), only(check.Claim)},
	"a client ID at another's message":  {set("SENDS", clubClaim, "from", table.N(4)), only(check.Claim)},
	"a client ID at another ordinal":    {set("SENDS", clubClaim, "ord", table.N(2)), only(check.Claim)},
}

// loseGroup drops all three items.
func loseGroup(t *testing.T, all items) {
	drop("GROUPS", hiking)(t, all)
	drop("GROUPS", counter)(t, all)
	drop("GROUPS", roster)(t, all)
}

func loseLog(_ *testing.T, all items) {
	var kept []table.Item
	for _, row := range all["MESSAGES"] {
		if !ofGroup(row) {
			kept = append(kept, row)
		}
	}
	all["MESSAGES"] = kept
}

// leave takes fay out, in her row alone.
func leave(t *testing.T, all items) {
	row := all["CONVERSATIONS"][where(t, all["CONVERSATIONS"], faySeat)]
	row["state"] = table.S("left")
	delete(row, "role")
	delete(row, "since")
}

func TestDamageOfGroupsIsFound(t *testing.T) { findAll(t, groupDamages) }

// What a crash or a moment can leave in a sound group is no problem: numbers that were taken and not put yet, in the log's
// middle too, and client IDs of messages on their way.
func TestGroupsUnderWayAreNoProblem(t *testing.T) {
	all, wrapper := world(t)
	for name, do := range map[string]func(*testing.T, items){
		"a counter far ahead":             set("GROUPS", counter, "seq", table.N(25)),
		"an empty number that nobody saw": eachOf(drop("MESSAGES", void), forget),
		"a client ID on its way":          set("SENDS", clubClaim, "from", table.N(17)),
		"a client ID moved off a void":    set("SENDS", clubClaim, "from", table.N(13)),
	} {
		t.Run(name, func(t *testing.T) {
			under := all.clone()
			do(t, under)
			report, err := check.Run(t.Context(), under, wrapper)
			storetest.OK(t, "Run", err)
			if len(report.Problems) != 0 {
				t.Errorf("problems: %v", report.Problems)
			}
		})
	}
}

// forget has the entries behind the void know nothing of it.
func forget(_ *testing.T, all items) {
	for _, row := range all["MESSAGES"] {
		if len(text(row["seq"])) == 2 && ofGroup(row) {
			row["base"] = table.N(9)
		}
	}
}

// eachOf does several damages.
func eachOf(steps ...func(*testing.T, items)) func(*testing.T, items) {
	return func(t *testing.T, all items) {
		for _, step := range steps {
			step(t, all)
		}
	}
}
