package access

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Grantor is who decides, as stores have to know: by what versions of which items. A store asks again, in the transaction of
// the change, whether they still are those, so that nobody hands on what they have lost since they were let in.
//
// Developers are not covered, and zero: their role stands in the item of their account, and whoever takes it from them while
// a request of theirs is under way finds out what it did in the records.
type Grantor struct {
	// Key is the key that decides, or that minted the token of the end user who does; KeyVersion is that of its rights,
	// PolicyVersion that of its copy of the policy.
	Key                       id.Key
	KeyVersion, PolicyVersion int64
	// User is the end user, UserVersion that of the user's rights, Epoch the token epoch of the token; "" for none.
	User               id.User
	UserVersion, Epoch int64
}

// grantor returns the caller as a grantor.
func grantor(caller authz.Caller) Grantor {
	if caller.Developer != "" {
		return Grantor{}
	}
	by := Grantor{Key: caller.Key, KeyVersion: caller.Rights.Version, PolicyVersion: caller.PolicyVersion()}
	if caller.EndUser {
		by.User, by.UserVersion, by.Epoch = caller.User, caller.UserRights.Version, caller.Epoch
	}
	return by
}

// decide makes the change by what the caller may do at the moment in which it takes effect: as often as the caller has become
// another meanwhile, the caller is read anew and has to have the permission still. Each run of change reads what it changes,
// and what the caller may hand on, anew.
func (s *Service) decide(ctx context.Context, caller *authz.Caller, permission authz.Permission, change func() error) error {
	return untilUnchanged(ctx, func() error {
		err := change()
		if !errors.Is(err, ErrGrantorChanged) {
			return err
		}
		if refused := s.reread(ctx, caller); refused != nil {
			return refused
		}
		if refused := caller.Require(permission); refused != nil {
			return refused
		}
		return ErrChanged
	})
}

// reread gives the caller the rights that its key, and its user, have now. A credential that was revoked, or whose key or user
// is gone, is refused as it would be by now.
func (s *Service) reread(ctx context.Context, caller *authz.Caller) error {
	gone := fault.New(fault.APIKeyRevoked)
	if caller.EndUser {
		gone = fault.New(fault.TokenRevoked)
	}
	now := s.Clock.Now()
	key, err := s.Store.Subject(ctx, caller.App, string(caller.Key))
	if errors.Is(err, ErrNotFound) || err == nil && !key.EndedAt.IsZero() && !now.Before(key.EndedAt) {
		return gone
	}
	if err != nil {
		return err
	}
	caller.Rights, caller.Policy, caller.At = key.Rights, &key.Policy, now
	if !caller.EndUser {
		return nil
	}
	user, err := s.Store.Subject(ctx, caller.App, string(caller.User))
	if errors.Is(err, ErrNotFound) || err == nil && user.Epoch != caller.Epoch {
		return gone
	}
	caller.UserRights = user.Rights
	return err
}
