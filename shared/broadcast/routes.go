package broadcast

import (
	"context"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

type beginInput struct {
	api.IdempotencyKey
	Body struct {
		api.KeyInBody
		From     string            `json:"from,omitempty" maxLength:"64" doc:"The sender: a user ID or a username. With a user token it may be left out." example:"ann"`
		Message  *string           `json:"message,omitempty" nullable:"false" doc:"The text, at most 4096 bytes of UTF-8. It is needed for the type text, and a caption for others." example:"We are back at ten."`
		Type     string            `json:"type,omitempty" maxLength:"16" doc:"What the message is, as in POST /send; text where absent." example:"text"`
		MediaID  id.Media          `json:"media_id,omitempty" maxLength:"64" doc:"What an image, a video, an audio or a file shows: a media of the sender's that is ready." example:"media_4oKyQ1F8aXbT0mJ2cLw7Zr"`
		Location *message.Location `json:"location,omitempty" doc:"Where, for the type location."`
		Custom   *message.Object   `json:"custom,omitempty" nullable:"false" doc:"Members of your own, for the type custom; at most 4096 bytes of JSON."`
	}
}

// BroadcastStatus is a broadcast on the wire.
type BroadcastStatus struct {
	BroadcastID id.Broadcast `json:"broadcast_id" doc:"The broadcast's ID, and the client_id of its messages." example:"broadcast_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Status      string       `json:"status" enum:"running,cancelling,done,cancelled,failed" doc:"cancelling until the worker has stopped; failed where the sender was deactivated or deleted meanwhile." example:"running"`
	Code        fault.Code   `json:"code,omitempty" doc:"Why it has failed: a code of the list of errors." example:"user_deactivated"`
	From        id.User      `json:"from" doc:"The sender's user ID." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Type        string       `json:"type" doc:"The type of its message." example:"text"`
	Total       int          `json:"total" doc:"How many users it has come to so far: the sum of the other three." example:"250"`
	Sent        int          `json:"sent" doc:"How many of them have it." example:"247"`
	Skipped     int          `json:"skipped" doc:"How many it could not be sent to: they are deactivated or deleted, have blocked the sender, or are the sender." example:"3"`
	Failed      int          `json:"failed" doc:"How many it did not reach for another reason, after several tries." example:"0"`
	CreatedAt   time.Time    `json:"created_at" doc:"When it was asked for. It is kept for 7 days."`
	FinishedAt  *time.Time   `json:"finished_at,omitempty" doc:"When it ended; absent until then."`
}

type statusOutput struct{ Body BroadcastStatus }

type oneInput struct {
	ID id.Broadcast `path:"id" doc:"The broadcast's ID."`
}

type cancelInput struct {
	ID   id.Broadcast `path:"id" doc:"The broadcast's ID."`
	Body *api.KeyInBody
}

type listInput struct{ api.PageQuery }

type listOutput struct{ Body api.Page[BroadcastStatus] }

// Routes adds the operations on broadcasts.
func Routes(edge *api.API, service *Service, signer cursor.Signer) {
	api.Register(edge, api.Operation{
		ID: "begin-broadcast", Method: http.MethodPost, Path: "/broadcasts", Tag: "Broadcasts", Status: http.StatusAccepted,
		Summary: "Send a message to all users of the app", Permission: authz.BroadcastsManage, Actor: api.ActorInBody("from"),
		Description: "Each user gets it once, in the conversation with the sender, at up to 100 users a second; GET /broadcasts/{id} tells how far it has come. " +
			"Who is registered meanwhile may get it or not. The sender's devices are not told of each message: they find them at their sync after the broadcast.",
		Errors: []fault.Code{fault.UserNotFound, fault.NotYourself, fault.UserDeactivated, fault.MessageEmpty, fault.MessageTooLarge, fault.MediaNotFound,
			fault.MediaNotReady, fault.MediaExpired, fault.MediaKindDiffers, fault.MediaEmpty, fault.MediaReplaced, fault.MediaAltered,
			fault.MediaMislabelled, fault.MediaHTML, fault.MediaSVG, fault.MediaExecutable, fault.MediaPolyglot, fault.MediaPixels, fault.MediaDamaged,
			fault.MediaUnchecked, fault.BroadcastsTooMany, fault.IdempotencyConflict},
	}, service.begin)
	api.Register(edge, api.Operation{
		ID: "list-broadcasts", Method: http.MethodGet, Path: "/broadcasts", Tag: "Broadcasts", Status: http.StatusOK,
		Summary: "List the broadcasts of the last 7 days, the latest first", Permission: authz.BroadcastsManage, Errors: []fault.Code{fault.CursorInvalid},
	}, func(ctx context.Context, caller authz.Caller, in *listInput) (*listOutput, error) {
		page, err := api.Paged(ctx, signer, caller.App, "broadcasts", in.Cursor, func(position string) ([]BroadcastStatus, string, error) {
			found, next, err := service.List(ctx, caller.App, position, in.Limit)
			var shown []BroadcastStatus
			for _, each := range found {
				shown = append(shown, each.status())
			}
			return shown, next, err
		})
		return &listOutput{Body: page}, err
	})
	api.Register(edge, api.Operation{
		ID: "get-broadcast", Method: http.MethodGet, Path: "/broadcasts/{id}", Tag: "Broadcasts", Status: http.StatusOK,
		Summary: "Show how far a broadcast has come", Permission: authz.BroadcastsManage, Errors: []fault.Code{fault.BroadcastNotFound},
	}, func(ctx context.Context, caller authz.Caller, in *oneInput) (*statusOutput, error) {
		found, err := service.Find(ctx, caller.App, in.ID)
		return &statusOutput{Body: found.status()}, err
	})
	api.Register(edge, api.Operation{
		ID: "cancel-broadcast", Method: http.MethodPost, Path: "/broadcasts/{id}/cancel", Tag: "Broadcasts", Status: http.StatusOK,
		Summary: "Stop a broadcast", Permission: authz.BroadcastsManage, Errors: []fault.Code{fault.BroadcastNotFound},
		Description: "It stops before the next 200 users; whoever has it keeps it. A finished one stays as it is.",
	}, func(ctx context.Context, caller authz.Caller, in *cancelInput) (*statusOutput, error) {
		found, err := service.Cancel(ctx, caller.App, in.ID)
		return &statusOutput{Body: found.status()}, err
	})
}

func (s *Service) begin(ctx context.Context, caller authz.Caller, in *beginInput) (*statusOutput, error) {
	if caller.User == "" { // an application has to say for whom; a user token says it by itself
		return nil, fault.Invalid(fault.Field{Name: "from", Code: fault.FieldMissing, Args: []any{"from"}})
	}
	content := Content{Type: in.Body.Type, MediaID: in.Body.MediaID, Location: in.Body.Location, Custom: in.Body.Custom}
	switch {
	case in.Body.Message != nil:
		content.Text = *in.Body.Message
	case content.Type == "", content.Type == message.TypeText:
		return nil, fault.Invalid(fault.Field{Name: "message", Code: fault.FieldMissing, Args: []any{"message"}})
	}
	begun, err := s.Begin(ctx, caller.App, caller.User, content, in.IdempotencyKey.IdempotencyKey)
	return &statusOutput{Body: begun.status()}, err
}

// status returns the broadcast as it is shown.
func (b Broadcast) status() BroadcastStatus {
	shown := BroadcastStatus{BroadcastID: b.ID, Status: string(b.State), Code: b.Code, From: b.From, Type: b.Type, Total: b.Sent + b.Skipped + b.Failed,
		Sent: b.Sent, Skipped: b.Skipped, Failed: b.Failed, CreatedAt: b.CreatedAt}
	if !b.Finished() && !b.CancelledAt.IsZero() {
		shown.Status = "cancelling"
	}
	if !b.FinishedAt.IsZero() {
		shown.FinishedAt = &b.FinishedAt
	}
	return shown
}
