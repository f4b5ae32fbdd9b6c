package messagetest

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Operations implements message.Operations in memory, on a log.
type Operations struct {
	log       *Log
	altering  sync.Mutex
	reactions map[reactionPlace]message.Reactions
	pins      map[logPlace]message.Pins
	// Set are the windows of all apps; the zero value means message.DefaultWindows.
	Set message.OperationWindows
}

type logPlace struct {
	app          id.App
	conversation id.Conversation
}

type reactionPlace struct {
	logPlace
	sequence int64
	user     id.User
}

var _ message.Operations = (*Operations)(nil)

// NewOperations returns what changes the messages of the log.
func NewOperations(log *Log) *Operations {
	return &Operations{log: log, reactions: map[reactionPlace]message.Reactions{}, pins: map[logPlace]message.Pins{}}
}

// Alter implements message.Operations. A table's row would be seen before or after the others; so are the log's here.
func (o *Operations) Alter(ctx context.Context, change message.Alteration) error {
	o.altering.Lock()
	defer o.altering.Unlock()
	log := logPlace{change.Entry.App, change.Entry.Conversation}
	if standing, taken := o.log.entries.Get(entryPlace{log.app, log.conversation, change.Entry.Sequence}, true); taken && standing.Sequence != 0 {
		return message.ErrTaken
	}
	if !o.unchanged(log, change) {
		return message.ErrChanged
	}
	if err := o.log.Append(ctx, change.Entry); err != nil {
		return err
	}
	if is := change.Message; is != nil {
		o.log.entries.Put(entryPlace{log.app, log.conversation, is.Sequence}, *is)
	}
	if is := change.Superseded; is != nil {
		place := entryPlace{log.app, log.conversation, is.Sequence}
		standing, _ := o.log.entries.Get(place, true)
		standing.Sealed = is.Sealed
		o.log.entries.Put(place, standing)
	}
	if is := change.Reactions; is != nil {
		o.reactions[reactionPlace{log, change.Message.Sequence, is.User}] = *is
	}
	if is := change.Pins; is != nil {
		o.pins[log] = *is
	}
	return nil
}

// unchanged tells whether everything that is changed is as it was read.
func (o *Operations) unchanged(log logPlace, change message.Alteration) bool {
	if is := change.Message; is != nil {
		standing, there := o.log.entries.Get(entryPlace{log.app, log.conversation, is.Sequence}, true)
		if !there || standing.Revision != is.Revision-1 {
			return false
		}
	}
	if is := change.Superseded; is != nil {
		if _, there := o.log.entries.Get(entryPlace{log.app, log.conversation, is.Sequence}, true); !there {
			return false
		}
	}
	if is := change.Reactions; is != nil && o.reactions[reactionPlace{log, change.Message.Sequence, is.User}].Sequence != change.Was {
		return false
	}
	return change.Pins == nil || o.pins[log].Sequence == change.Was
}

// Reactions implements message.Operations.
func (o *Operations) Reactions(_ context.Context, app id.App, conversation id.Conversation, sequence int64, user id.User) (message.Reactions, error) {
	o.altering.Lock()
	defer o.altering.Unlock()
	found := o.reactions[reactionPlace{logPlace{app, conversation}, sequence, user}]
	return message.Reactions{User: user, Texts: slices.Clone(found.Texts), Sequence: found.Sequence}, nil
}

// Reactors implements message.Operations.
func (o *Operations) Reactors(_ context.Context, app id.App, conversation id.Conversation, sequence int64, after id.User, limit int) ([]message.Reactions, error) {
	o.altering.Lock()
	defer o.altering.Unlock()
	found := []message.Reactions{}
	for place, each := range o.reactions {
		if place.logPlace == (logPlace{app, conversation}) && place.sequence == sequence && each.User > after {
			found = append(found, each)
		}
	}
	slices.SortFunc(found, func(a, b message.Reactions) int { return cmp.Compare(a.User, b.User) })
	return found[:min(limit, len(found))], nil
}

// Windows implements message.Operations.
func (o *Operations) Windows(context.Context, id.App) (message.OperationWindows, error) {
	if o.Set == (message.OperationWindows{}) {
		return message.DefaultWindows, nil
	}
	return o.Set, nil
}

// Pins implements message.Operations.
func (o *Operations) Pins(_ context.Context, app id.App, conversation id.Conversation) (message.Pins, error) {
	o.altering.Lock()
	defer o.altering.Unlock()
	return o.pins[logPlace{app, conversation}], nil
}

type fusedOperations struct {
	fuse       *storetest.Fuse
	operations message.Operations
}

// FuseOperations wraps what changes messages so that the fuse counts and fails its writes.
func FuseOperations(fuse *storetest.Fuse, operations message.Operations) message.Operations {
	return &fusedOperations{fuse, operations}
}

func (f *fusedOperations) Alter(ctx context.Context, change message.Alteration) error {
	return f.fuse.Write(func() error { return f.operations.Alter(ctx, change) })
}

func (f *fusedOperations) Reactions(ctx context.Context, app id.App, conversation id.Conversation, sequence int64, user id.User) (message.Reactions, error) {
	if err := f.fuse.Read(); err != nil {
		return message.Reactions{}, err
	}
	return f.operations.Reactions(ctx, app, conversation, sequence, user)
}

func (f *fusedOperations) Reactors(ctx context.Context, app id.App, conversation id.Conversation, sequence int64, after id.User, limit int) ([]message.Reactions, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, err
	}
	return f.operations.Reactors(ctx, app, conversation, sequence, after, limit)
}

func (f *fusedOperations) Windows(ctx context.Context, app id.App) (message.OperationWindows, error) {
	if err := f.fuse.Read(); err != nil {
		return message.OperationWindows{}, err
	}
	return f.operations.Windows(ctx, app)
}

func (f *fusedOperations) Pins(ctx context.Context, app id.App, conversation id.Conversation) (message.Pins, error) {
	if err := f.fuse.Read(); err != nil {
		return message.Pins{}, err
	}
	return f.operations.Pins(ctx, app, conversation)
}
