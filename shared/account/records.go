package account

import (
	"context"
	"log/slog"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// Recorder keeps records of what changes nothing: of failures. record.Store has the method.
type Recorder interface {
	// Append adds a record by itself to a chain of its log.
	Append(ctx context.Context, record record.Record) error
}

// unknown is the log of failed logins at addresses that have no login. It exists so that they cost what others cost.
const unknown = record.Log("unknown")

// scene is what the records of one request share: the log, and who acts from where.
type scene struct {
	log    record.Log
	origin record.Origin
}

// during returns the scene of what the caller does with the session: in the log of the account that it stands in, or in the
// developer's own for one who is no member there any more.
func during(caller authz.Caller, reason string) scene {
	made := scene{log: record.OfAccount(caller.Account), origin: record.By(caller, reason)}
	if caller.Role == "" {
		made.log = record.Log(caller.Developer)
	}
	return made
}

// of returns the scene of what the developer does without a session.
func (v Visit) of(developer id.Developer, log record.Log) scene {
	return scene{log: log, origin: record.Origin{Actor: string(developer), Source: v.Source, Reason: v.Reason}}
}

// because returns the visit with the reason.
func (v Visit) because(reason string) Visit {
	v.Reason = reason
	return v
}

// home returns the log for what a developer does without a session: that of the account in which the next one will stand,
// or the developer's own for one without an account.
func home(developer id.Developer, accounts []id.Account) record.Log {
	if len(accounts) == 0 {
		return record.Log(developer)
	}
	return record.OfAccount(accounts[0])
}

// atHome returns the scene of what the developer does by a mailed link.
func (s *Service) atHome(ctx context.Context, developer id.Developer, visit Visit) (scene, error) {
	accounts, err := s.Teams.Accounts(ctx, developer)
	return visit.of(developer, home(developer, accounts)), err
}

// record returns the record of an action.
func (s *Service) record(where scene, action record.Action, subject string, before, after any) record.Record {
	return record.New(where.log, s.Clock.Now(), where.origin, action, subject, before, after)
}

// own returns the record of what the caller does to its own login.
func (s *Service) own(caller authz.Caller, action record.Action) record.Record {
	return s.record(during(caller, ""), action, string(caller.Developer), nil, nil)
}

// ending returns the record of the end of one of the caller's sessions.
func (s *Service) ending(caller authz.Caller, session string) record.Record {
	return s.record(during(caller, ""), record.SessionEnded, string(caller.Developer), sessionState{Session: session}, nil)
}

// founding returns the records of a new account and its first member.
func (s *Service) founding(where scene, made Account, owner id.Developer) []record.Record {
	where.log = record.OfAccount(made.ID)
	return []record.Record{
		s.record(where, record.AccountCreated, string(made.ID), nil, nameState{made.Name}),
		s.record(where, record.MemberJoined, string(owner), nil, memberState{Role: authz.Owner}),
	}
}

// What was before an action and is after it.
type (
	nameState struct {
		Name string `json:"name"`
	}
	sessionState struct {
		Session string `json:"session"`
		Agent   string `json:"user_agent,omitempty"`
		// SecondFactor is what was shown beside the password: "totp", "recovery_code", or nothing.
		SecondFactor string `json:"second_factor,omitempty"`
	}
	memberState struct {
		Role       authz.Role `json:"role"`
		Invitation string     `json:"invitation,omitempty"`
	}
	offerState struct {
		Email Email      `json:"email"`
		Role  authz.Role `json:"role"`
	}
	failureState struct {
		Code  fault.Code `json:"code"`
		Agent string     `json:"user_agent,omitempty"`
	}
)

// failed writes down that a password or a code was looked at and found wrong; any other error is none of its business. Who
// tried is not known, so nobody is the actor. The answer does not depend on whether it could be written.
func (s *Service) failed(ctx context.Context, log record.Log, action record.Action, subject id.Developer, visit Visit, refusal error) {
	code := fault.Of(refusal).Code
	if code != fault.InvalidCredentials && code != fault.AccountNotActivated && code != fault.SecondFactorWrong {
		return
	}
	made := s.record(visit.of("", log), action, string(subject), nil, failureState{code, cut(visit.Agent, maxAgent)})
	if err := s.Records.Append(ctx, made); err != nil {
		slog.WarnContext(ctx, "failure not recorded", "action", string(action), "error", err)
	}
}
