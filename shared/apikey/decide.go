package apikey

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// makeAttempts bounds how often the rights of a key may change while it makes others.
const makeAttempts = 5

// untilDecided makes a key by what its maker may do at the moment in which the key comes to be. Where that is not what was
// read, the maker is read anew and judged again: nobody hands on what they have lost since they were let in.
func (s *Service) untilDecided(ctx context.Context, maker Maker, do func(Maker) (Key, string, error)) (made Key, text string, err error) {
	for range makeAttempts {
		made, text, err = do(maker)
		if !overtaken(err) {
			return made, text, err
		}
		again, refused := s.reread(ctx, maker)
		if refused != nil {
			return Key{}, "", refused
		}
		maker = again
	}
	return made, text, err
}

// overtaken tells whether the error says that a key is another than it was read, and may be read again.
func overtaken(err error) bool {
	return fault.Is(err, fault.Overtaken) && (errors.Is(err, ErrMakerChanged) || errors.Is(err, ErrNotRotatable))
}

// reread returns the maker as it is now, if it still may make keys.
func (s *Service) reread(ctx context.Context, maker Maker) (Maker, error) {
	if !id.IsKey(maker.By) {
		return maker, nil
	}
	key, err := s.Get(ctx, maker.App, id.Key(maker.By))
	if fault.Is(err, fault.KeyNotFound) {
		return Maker{}, fault.New(fault.APIKeyUnknown)
	}
	if err != nil {
		return Maker{}, err
	}
	now := s.Clock.Now()
	if err := key.Active(now); err != nil {
		return Maker{}, err
	}
	caller := authz.Caller{App: maker.App, Key: key.ID, Rights: key.Rights, Policy: &key.Policy, At: now, Source: maker.From}
	if err := caller.Require(authz.KeysManage); err != nil {
		return Maker{}, err
	}
	return key.maker(caller, maker.Reason), nil
}

// maker returns the caller, who has the key, as a maker.
func (k Key) maker(caller authz.Caller, reason string) Maker {
	maker := makerOf(caller, reason)
	maker.Sources, maker.ExpiresAt = k.Sources, k.ExpiresAt
	return maker
}

// makerOf returns the caller as a maker without bounds.
func makerOf(caller authz.Caller, reason string) Maker {
	return Maker{App: caller.App, By: caller.By(), Scopes: caller.Lasting("", authz.Keys).Names(), From: caller.Source, Reason: reason,
		Seen: Seen{Rights: caller.Rights.Version, Policy: caller.PolicyVersion()}}
}
