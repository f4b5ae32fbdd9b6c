package messagetest

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

type fusedLog struct {
	fuse *storetest.Fuse
	log  message.Log
}

// FuseLog wraps a log so that the fuse counts and fails its writes.
func FuseLog(fuse *storetest.Fuse, log message.Log) message.Log { return &fusedLog{fuse, log} }

func (f *fusedLog) Append(ctx context.Context, entry message.Entry) error {
	return f.fuse.Write(func() error { return f.log.Append(ctx, entry) })
}

func (f *fusedLog) Read(ctx context.Context, app id.App, conversation id.Conversation, from int64, limit int, strong bool) ([]message.Entry, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, err
	}
	return f.log.Read(ctx, app, conversation, from, limit, strong)
}

func (f *fusedLog) ReadBack(ctx context.Context, app id.App, conversation id.Conversation, to int64, limit int, strong bool) ([]message.Entry, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, err
	}
	return f.log.ReadBack(ctx, app, conversation, to, limit, strong)
}

type fusedClaims struct {
	fuse   *storetest.Fuse
	claims message.Claims
}

// FuseClaims wraps a store of client-ID records so that the fuse counts and fails its writes.
func FuseClaims(fuse *storetest.Fuse, claims message.Claims) message.Claims {
	return &fusedClaims{fuse, claims}
}

func (f *fusedClaims) Put(ctx context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, claim message.Claim, now time.Time) (standing message.Claim, put bool, err error) {
	err = f.fuse.Write(func() (err error) {
		standing, put, err = f.claims.Put(ctx, app, conversation, sender, clientID, claim, now)
		return err
	})
	return standing, put, err
}

func (f *fusedClaims) Get(ctx context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, strong bool, now time.Time) (message.Claim, bool, error) {
	if err := f.fuse.Read(); err != nil {
		return message.Claim{}, false, err
	}
	return f.claims.Get(ctx, app, conversation, sender, clientID, strong, now)
}

func (f *fusedClaims) Move(ctx context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, from int64, to message.Claim) (standing message.Claim, err error) {
	err = f.fuse.Write(func() (err error) {
		standing, err = f.claims.Move(ctx, app, conversation, sender, clientID, from, to)
		return err
	})
	return standing, err
}

type fusedMembers struct {
	fuse    *storetest.Fuse
	members message.Members
}

// FuseMembers wraps a store of rows so that the fuse counts and fails its writes.
func FuseMembers(fuse *storetest.Fuse, members message.Members) message.Members {
	return &fusedMembers{fuse, members}
}

func (f *fusedMembers) Ensure(ctx context.Context, member message.Member) error {
	return f.fuse.Write(func() error { return f.members.Ensure(ctx, member) })
}

func (f *fusedMembers) Get(ctx context.Context, app id.App, user id.User, conversation id.Conversation, strong bool) (message.Member, error) {
	if err := f.fuse.Read(); err != nil {
		return message.Member{}, err
	}
	return f.members.Get(ctx, app, user, conversation, strong)
}

func (f *fusedMembers) GetAll(ctx context.Context, app id.App, users []id.User, conversation id.Conversation, strong bool) (map[id.User]message.Member, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, err
	}
	return f.members.GetAll(ctx, app, users, conversation, strong)
}

func (f *fusedMembers) List(ctx context.Context, app id.App, user id.User, after id.Conversation, limit int, strong bool) ([]message.Member, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, err
	}
	return f.members.List(ctx, app, user, after, limit, strong)
}

func (f *fusedMembers) Acknowledge(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (after message.Member, moved bool, err error) {
	err = f.fuse.Write(func() (err error) {
		after, moved, err = f.members.Acknowledge(ctx, app, user, conversation, sequence)
		return err
	})
	return after, moved, err
}

func (f *fusedMembers) MarkRead(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence, ordinal int64) (after message.Member, moved bool, err error) {
	err = f.fuse.Write(func() (err error) {
		after, moved, err = f.members.MarkRead(ctx, app, user, conversation, sequence, ordinal)
		return err
	})
	return after, moved, err
}
