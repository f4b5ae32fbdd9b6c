// Package id makes and recognises TokenIM's identifiers.
//
// Every identifier is a prefix that names its kind and a body in base62 (0-9, A-Z, a-z), so it can stand in a URL, a
// file name or a log line as it is. A key ID begins with the body of its app's ID: whoever sees a key knows which app's
// rows to read, and the key and the acting user come in one round trip.
package id

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math/big"
	"strings"
)

// App identifies a tenant: "app_" and 16 characters (95 bits). Every key of every table begins with one, so whoever holds
// an App decides whose data is touched. No text of a request turns into one: its one field is closed, it has no decoder,
// and the few who may make one call Source.App, Key.App (then compare the key's secret) or StoredApp.
type App struct{ text string }

// User identifies an end user within an app: "u_" and 22 characters (128 bits).
type User string

// Account identifies what owns apps and has members: "acct_" and 16 characters.
type Account string

// Developer identifies a person who logs in to accounts: "dev_" and 22 characters.
type Developer string

// Key identifies an API key: "key_", the app's 16 characters and 10 of its own.
type Key string

// Group identifies a group of users within an app: "g_" and 22 characters.
type Group string

// Grant identifies something that was granted or denied to a subject: "gr_" and 22 characters.
type Grant string

// Media identifies an upload within an app: "media_" and 22 characters. Nothing takes it in the place of a name, so names may
// begin like it.
type Media string

// Import identifies a bulk import of users within an app: "import_" and 22 characters. Nothing takes it in the place of a name.
type Import string

// Broadcast identifies a broadcast to all users of an app, within the app: "broadcast_" and 22 characters. Nothing takes it in the
// place of a name.
type Broadcast string

// Conversation identifies a conversation within an app: "c_" and 22 characters for a pair of users, or a group's ID.
type Conversation string

const (
	appPrefix          = "app_"
	accountPrefix      = "acct_"
	developerPrefix    = "dev_"
	userPrefix         = "u_"
	keyPrefix          = "key_"
	groupPrefix        = "g_"
	grantPrefix        = "gr_"
	rolePrefix         = "role_"
	conversationPrefix = "c_"
	mediaPrefix        = "media_"
	importPrefix       = "import_"
	broadcastPrefix    = "broadcast_"

	appLength  = 16
	keyLength  = 10
	hashLength = 22 // base62 characters of 128 bits
)

// reserved lists the prefixes that no username may begin with, so that an ID and a name are never mistaken.
var reserved = []string{appPrefix, accountPrefix, developerPrefix, userPrefix, keyPrefix, groupPrefix, grantPrefix, rolePrefix,
	conversationPrefix}

// Alphabet is what the body of an identifier is made of: base62, in the order in which keys sort.
const Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Source makes random identifiers. The zero value reads crypto/rand.
type Source struct {
	// Random is where the bytes come from; nil means crypto/rand.
	Random io.Reader
}

// App returns a new app ID.
func (s Source) App() App { return App{appPrefix + s.Text(appLength)} }

// StoredApp returns the app of a text that TokenIM itself wrote: a row, a token that it signed, a job that it queued. Its
// callers are listed in tests/architecture; text of a request must never come here.
func StoredApp(text string) App { return App{text} }

// Platform returns the tenant of what belongs to no app: developers' second factors, and the cursors of lists in an
// account. No app of anybody's has this ID; sixteen random characters come to the same once in 2^95 times.
func Platform() App { return App{appPrefix + strings.Repeat("0", appLength)} }

// String returns the ID as text, "" for no app.
func (a App) String() string { return a.text }

// IsZero tells whether it is no app.
func (a App) IsZero() bool { return a.text == "" }

// MarshalText writes the ID. There is no UnmarshalText: see App.
func (a App) MarshalText() ([]byte, error) { return []byte(a.text), nil }

// random returns the part behind the prefix.
func (a App) random() string { return strings.TrimPrefix(a.text, appPrefix) }

// Account returns a new account ID.
func (s Source) Account() Account { return Account(accountPrefix + s.Text(appLength)) }

// Developer returns a new developer ID.
func (s Source) Developer() Developer { return Developer(developerPrefix + s.Text(hashLength)) }

// User returns a new user ID.
func (s Source) User() User { return User(userPrefix + s.Text(hashLength)) }

// Key returns a new key ID of the app.
func (s Source) Key(app App) Key {
	return Key(keyPrefix + app.random() + s.Text(keyLength))
}

// Group returns a new group ID.
func (s Source) Group() Group { return Group(groupPrefix + s.Text(hashLength)) }

// Grant returns a new grant ID.
func (s Source) Grant() Grant { return Grant(grantPrefix + s.Text(hashLength)) }

// Media returns a new media ID.
func (s Source) Media() Media { return Media(mediaPrefix + s.Text(hashLength)) }

// Import returns a new import ID.
func (s Source) Import() Import { return Import(importPrefix + s.Text(hashLength)) }

// Broadcast returns a new broadcast ID.
func (s Source) Broadcast() Broadcast { return Broadcast(broadcastPrefix + s.Text(hashLength)) }

// Role returns the ID of a new role of an app: "role_" and 10 characters. It is unique within the app.
func (s Source) Role() string { return rolePrefix + s.Text(keyLength) }

// Text returns n random base62 characters, each equally likely (5.95 bits each).
func (s Source) Text(n int) string {
	source := s.Random
	if source == nil {
		source = rand.Reader
	}
	text := make([]byte, 0, n)
	buffer := make([]byte, n+n/4+8)
	for len(text) < n {
		if _, err := io.ReadFull(source, buffer); err != nil {
			panic("id: no randomness: " + err.Error()) // crypto/rand never fails; there is no safe way on
		}
		text = appendUniform(text, buffer, n)
	}
	return string(text)
}

// appendUniform takes base62 characters from random bytes until text has n, dropping bytes that would favour some.
func appendUniform(text, random []byte, n int) []byte {
	const fair = 256 - 256%len(Alphabet)
	for _, b := range random {
		if len(text) == n {
			break
		}
		if int(b) < fair {
			text = append(text, Alphabet[int(b)%len(Alphabet)])
		}
	}
	return text
}

// Pair returns the ID of the conversation between two users of an app, the same for either order: a hash, so both sides
// know it without asking.
func Pair(app App, a, b User) Conversation {
	if b < a {
		a, b = b, a
	}
	return Conversation(conversationPrefix + Hash("pair", app.text, string(a), string(b)))
}

// DeriveApp returns the app ID that an idempotent creation in an account gets: the same for the same seed. It takes the
// hash's last characters: the first of 22 base62 characters of 128 bits holds three bits only.
func DeriveApp(account Account, seed ...string) App {
	hash := Hash(append([]string{"app", string(account)}, seed...)...)
	return App{appPrefix + hash[hashLength-appLength:]}
}

// DeriveAccount returns the account ID that an idempotent creation by a developer gets: the same for the same seed.
func DeriveAccount(developer Developer, seed ...string) Account {
	hash := Hash(append([]string{"account", string(developer)}, seed...)...)
	return Account(accountPrefix + hash[hashLength-appLength:])
}

// DeriveUser returns the user ID that an idempotent creation gets: the same for the same seed.
func DeriveUser(app App, seed ...string) User {
	return User(userPrefix + Hash(append([]string{"user", app.text}, seed...)...))
}

// DeriveKey returns the key ID that an idempotent creation gets: the same for the same seed.
func DeriveKey(app App, seed ...string) Key {
	body := Hash(append([]string{"key", app.text}, seed...)...)[:keyLength]
	return Key(keyPrefix + app.random() + body)
}

// DeriveGrant returns the grant ID that an idempotent creation gets: the same for the same seed.
func DeriveGrant(app App, seed ...string) Grant {
	return Grant(grantPrefix + Hash(append([]string{"grant", app.text}, seed...)...))
}

// DeriveGroup returns the group ID that an idempotent creation gets: the same for the same seed.
func DeriveGroup(app App, seed ...string) Group {
	return Group(groupPrefix + Hash(append([]string{"group", app.text}, seed...)...))
}

// DeriveMedia returns the media ID that an idempotent creation gets: the same for the same seed.
func DeriveMedia(app App, seed ...string) Media {
	return Media(mediaPrefix + Hash(append([]string{"media", app.text}, seed...)...))
}

// DeriveImport returns the import ID that an idempotent request gets: the same for the same seed.
func DeriveImport(app App, seed ...string) Import {
	return Import(importPrefix + Hash(append([]string{"import", app.text}, seed...)...))
}

// DeriveBroadcast returns the broadcast ID that an idempotent request gets: the same for the same seed.
func DeriveBroadcast(app App, seed ...string) Broadcast {
	return Broadcast(broadcastPrefix + Hash(append([]string{"broadcast", app.text}, seed...)...))
}

// Hash returns 128 bits of SHA-256 over the parts as 22 base62 characters. Parts are length-prefixed, so moving a
// character from one to the next changes the result.
func Hash(parts ...string) string {
	digest := sha256.New()
	for _, part := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		digest.Write(length[:])
		digest.Write([]byte(part))
	}
	return Base62(digest.Sum(nil)[:16], hashLength)
}

// Base62 writes the bytes, as one big-endian number, in base62 with leading zeros to the width.
func Base62(bytes []byte, width int) string {
	text := new(big.Int).SetBytes(bytes).Text(62)
	return strings.Repeat("0", max(0, width-len(text))) + swapCase(text)
}

// swapCase turns math/big's order of letters (lower case first) into ours (upper case first, as in ASCII).
func swapCase(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, text)
}

// IsUser tells whether the text has the form of a user ID.
func IsUser(text string) bool { return hasForm(text, userPrefix, hashLength) }

// IsAccount tells whether the text has the form of an account ID.
func IsAccount(text string) bool { return hasForm(text, accountPrefix, appLength) }

// IsDeveloper tells whether the text has the form of a developer ID.
func IsDeveloper(text string) bool { return hasForm(text, developerPrefix, hashLength) }

// IsGroup tells whether the text has the form of a group ID.
func IsGroup(text string) bool { return hasForm(text, groupPrefix, hashLength) }

// IsGrant tells whether the text has the form of a grant ID.
func IsGrant(text string) bool { return hasForm(text, grantPrefix, hashLength) }

// IsMedia tells whether the text has the form of a media ID.
func IsMedia(text string) bool { return hasForm(text, mediaPrefix, hashLength) }

// IsImport tells whether the text has the form of an import ID.
func IsImport(text string) bool { return hasForm(text, importPrefix, hashLength) }

// IsBroadcast tells whether the text has the form of a broadcast ID.
func IsBroadcast(text string) bool { return hasForm(text, broadcastPrefix, hashLength) }

// IsRole tells whether the text has the form of the ID of an app's own role.
func IsRole(text string) bool { return hasForm(text, rolePrefix, keyLength) }

// IsConversation tells whether the text has the form of a conversation ID: a pair's, or a group's.
func IsConversation(text string) bool {
	return hasForm(text, conversationPrefix, hashLength) || IsGroup(text)
}

// Random returns the part behind the prefix, which is as good as random: 22 base62 characters.
func (u User) Random() string { return strings.TrimPrefix(string(u), userPrefix) }

// UserOf returns the user whose Random the text is.
func UserOf(random string) User { return User(userPrefix + random) }

// Group returns the group whose conversation it is; "" for a pair's.
func (c Conversation) Group() Group {
	if !strings.HasPrefix(string(c), groupPrefix) {
		return ""
	}
	return Group(c)
}

// IsApp tells whether the text has the form of an app ID.
func IsApp(text string) bool { return hasForm(text, appPrefix, appLength) }

// IsKey tells whether the text has the form of a key ID.
func IsKey(text string) bool { return hasForm(text, keyPrefix, appLength+keyLength) }

// App returns the app that the key ID names. The claim is worth nothing until the key's secret has been checked.
func (k Key) App() App {
	if !IsKey(string(k)) {
		return App{}
	}
	return App{appPrefix + string(k)[len(keyPrefix):len(keyPrefix)+appLength]}
}

// Body returns the part of the key ID behind its prefix.
func (k Key) Body() string { return strings.TrimPrefix(string(k), keyPrefix) }

// KeyOf returns the key ID with the body, or "" where the body has not the form of one.
func KeyOf(body string) Key {
	if !IsKey(keyPrefix + body) {
		return ""
	}
	return Key(keyPrefix + body)
}

// Reserved tells whether the name begins with a prefix of TokenIM's identifiers, in any case.
func Reserved(name string) bool {
	lower := strings.ToLower(name)
	for _, prefix := range reserved {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return false
}

// IsBase62 tells whether the text consists of base62 characters only.
func IsBase62(text string) bool {
	for i := range len(text) {
		if strings.IndexByte(Alphabet, text[i]) < 0 {
			return false
		}
	}
	return true
}

func hasForm(text, prefix string, length int) bool {
	body, ok := strings.CutPrefix(text, prefix)
	return ok && len(body) == length && IsBase62(body)
}
