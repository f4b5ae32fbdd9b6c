package check

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
)

// mediaRow is an item of the table of media.
type mediaRow struct {
	App      string `dynamodbav:"pk"`
	ID       string `dynamodbav:"sk"`
	Owner    string `dynamodbav:"owner"`
	Kind     string `dynamodbav:"kind"`
	Size     int64  `dynamodbav:"size"`
	SHA256   []byte `dynamodbav:"sha256"`
	Filename string `dynamodbav:"filename"`
	State    string `dynamodbav:"state"`
	Rejected string `dynamodbav:"rejected"`
	Type     string `dynamodbav:"type"`
	Expires  int64  `dynamodbav:"expires"`
}

// readMedia checks every media: that it is a user's, in a state that there is, and that its name opens. Whether its bytes are in
// the bucket is not looked at: they are written once, and no restore of tables brings them back.
func (c *checker) readMedia(ctx context.Context) error {
	return each(ctx, c, "MEDIA", func(row mediaRow) error {
		where := "MEDIA " + row.App + " " + row.ID
		if row.Expires != 0 && row.Expires < time.Now().Unix() {
			return nil
		}
		c.report.Media++
		app := id.StoredApp(row.App)
		if !id.IsApp(row.App) || !id.IsMedia(row.ID) || !row.sound() {
			c.problem(Unreadable, where, "not a media in a state that there is")
			return nil
		}
		if c.leaves(app, where) {
			return nil
		}
		if !c.known(member{app, id.User(row.Owner)}) {
			c.problem(Media, where, "its owner, %s, is no user", row.Owner)
		}
		c.checkFilename(ctx, app, where, row)
		return nil
	})
}

// sound tells whether the state has what it needs: what is ready says what it is, what is rejected why. Only what is ready can have
// been sent, and so stay.
func (r mediaRow) sound() bool {
	switch r.State {
	case "uploading", "checking":
		return r.Expires != 0 && r.Size > 0 && len(r.SHA256) == 32
	case "ready":
		return r.Type != "" && r.Rejected == ""
	case "rejected":
		return r.Expires != 0 && r.Rejected != ""
	}
	return false
}

// checkFilename checks that the file name, where there is one, opens at its place.
func (c *checker) checkFilename(ctx context.Context, app id.App, where string, row mediaRow) {
	if row.Filename == "" {
		return
	}
	name, err := hex.DecodeString(row.Filename)
	if err == nil {
		_, err = c.keyring.Open(ctx, app, seal.Place{Conversation: id.Conversation(row.ID), Sender: id.User(row.Owner)}, name)
	}
	if err != nil {
		c.problem(Media, where, "its file name does not open: %v", err)
	}
}
