package media

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

type createMediaInput struct {
	api.IdempotencyKey
	Body struct {
		api.KeyInBody
		From        string `json:"from,omitempty" maxLength:"64" doc:"The user who will send it, by ID or username. With a user token it may be left out." example:"ann"`
		Type        Kind   `json:"type" enum:"image,video,audio,file" doc:"What it is; the type of the message that will show it." example:"image"`
		ContentType string `json:"content_type" minLength:"1" maxLength:"127" doc:"Its media type. Pictures are image/jpeg, image/png, image/gif or image/webp; files may be of any type." example:"image/png"`
		Size        int64  `json:"size" minimum:"0" doc:"Its bytes: at most 20 MiB of a picture, 50 of a sound, 200 of a video, 100 of a file." example:"48213"`
		SHA256      string `json:"sha256" pattern:"^[0-9a-fA-F]{64}$" doc:"The SHA-256 of its content, in hex." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
		Filename    string `json:"filename,omitempty" maxLength:"255" doc:"Its name for people; at most 255 bytes of UTF-8, without slashes." example:"cat.png"`
	}
}

// Status is a media as its owner sees it.
type Status struct {
	MediaID     id.Media    `json:"media_id" doc:"The media's ID." example:"media_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	State       State       `json:"state" enum:"uploading,checking,ready,rejected" doc:"How far it has come." example:"ready"`
	Reason      fault.Code  `json:"reason,omitempty" doc:"Why it was rejected: a code of the list of errors." example:"media_mislabelled"`
	Type        Kind        `json:"type" enum:"image,video,audio,file" doc:"What it is." example:"image"`
	ContentType string      `json:"content_type" doc:"Its media type: as declared, and when it is ready as it is served." example:"image/png"`
	Size        int64       `json:"size" doc:"Its bytes." example:"48213"`
	Width       int         `json:"width,omitempty" doc:"A picture's width in pixels." example:"1200"`
	Height      int         `json:"height,omitempty" doc:"A picture's height in pixels." example:"800"`
	Thumbnails  []Thumbnail `json:"thumbnails,omitempty" nullable:"false" doc:"Smaller pictures, the smallest first."`
	CreatedAt   time.Time   `json:"created_at" doc:"When it was declared." example:"2026-11-21T23:11:22.143Z"`
	ExpiresAt   *time.Time  `json:"expires_at,omitempty" doc:"When it is gone if it was not sent; without it, it was." example:"2026-11-28T23:11:22Z"`
}

// Status returns the media as its owner sees it.
func (m Media) Status() Status {
	view := Status{MediaID: m.ID, State: m.State, Reason: m.Result.Rejected, Type: m.Declared.Kind, ContentType: m.Declared.ContentType,
		Size: m.Declared.Size, Width: m.Result.Width, Height: m.Result.Height, Thumbnails: m.Result.Thumbnails, CreatedAt: m.CreatedAt}
	if m.Result.ContentType != "" {
		view.ContentType = m.Result.ContentType
	}
	if !m.Expires.IsZero() {
		expires := m.Expires.Truncate(time.Second) // which is what is kept of it
		view.ExpiresAt = &expires
	}
	return view
}

type createMediaOutput struct {
	Body struct {
		Status
		Upload UploadLink `json:"upload" doc:"The request that uploads the content. It can be made once."`
	}
}

type getMediaInput struct {
	ID id.Media `path:"id" doc:"The media's ID."`
}

type mediaOutput struct{ Body Status }

// Routes adds the operations on media.
func Routes(edge *api.API, service *Service) {
	api.Register(edge, api.Operation{
		ID: "create-media", Method: http.MethodPost, Path: "/media", Tag: "Media", Status: http.StatusCreated,
		Summary: "Begin an upload", Permission: authz.MediaUpload, Actor: api.ActorInBody("from"),
		Description: "Declare what you have, then make the request in upload with the content as its body: it goes straight to the storage. " +
			"When the media is ready, send it with POST /send. One that was not sent within seven days is gone.",
		Errors: []fault.Code{fault.UserNotFound, fault.MediaEmpty, fault.MediaTooLarge, fault.MediaTypeUnsupported, fault.IdempotencyConflict},
	}, func(ctx context.Context, caller authz.Caller, in *createMediaInput) (*createMediaOutput, error) {
		return create(ctx, service, caller, in)
	})
	api.Register(edge, api.Operation{
		ID: "get-media", Method: http.MethodGet, Path: "/media/{id}", Tag: "Media", Status: http.StatusOK,
		Summary: "Tell how far an upload has come", Permission: authz.MediaUpload,
		Description: "Users see their own, applications all of their app's.",
		Errors:      []fault.Code{fault.MediaNotFound},
	}, func(ctx context.Context, caller authz.Caller, in *getMediaInput) (*mediaOutput, error) {
		found, err := service.Get(ctx, caller.App, caller.User, in.ID)
		return &mediaOutput{Body: found.Status()}, err
	})
}

func create(ctx context.Context, service *Service, caller authz.Caller, in *createMediaInput) (*createMediaOutput, error) {
	if caller.User == "" { // an application has to say for whom; a user token says it by itself
		return nil, fault.Invalid(fault.Field{Name: "from", Code: fault.FieldMissing, Args: []any{"from"}})
	}
	declared := Declaration{Kind: in.Body.Type, ContentType: in.Body.ContentType, Size: in.Body.Size, Filename: in.Body.Filename}
	if n, err := hex.Decode(declared.SHA256[:], []byte(in.Body.SHA256)); err != nil || n != len(declared.SHA256) {
		return nil, fault.Invalid(fault.Wrong("sha256", noSHA256))
	}
	made, link, err := service.Create(ctx, caller, declared, in.IdempotencyKey.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	output := &createMediaOutput{}
	output.Body.Status, output.Body.Upload = made.Status(), link
	return output, nil
}
