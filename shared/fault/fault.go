// Package fault is the closed list of what TokenIM can refuse, and the error that carries one of them.
//
// A domain function returns fault.New(fault.UserNotFound, "to"); the edges turn it into a problem document (RFC 9457) in
// the caller's language. Any other error is a defect of ours: its text is logged and never sent.
package fault

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Code names one kind of refusal. Codes are part of the public API and never change their meaning.
type Code string

// Language is a language that the catalogue speaks.
type Language string

// The languages of the catalogue.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Text is a sentence in each language of the catalogue.
type Text struct{ EN, ZH string }

// In returns the sentence in the language, English for an unknown one.
func (t Text) In(language Language) string {
	if language == Chinese {
		return t.ZH
	}
	return t.EN
}

// Entry is what the catalogue says about a code.
type Entry struct {
	// Status is the HTTP status.
	Status int
	// Title says in a few words what happened.
	Title Text
	// Detail says what is wrong with this request; a format whose arguments are New's.
	Detail Text
	// Hint says what to do about it.
	Hint Text
	// Retryable tells whether the same request can succeed later.
	Retryable bool
}

// Field is one thing wrong with one field of the input.
type Field struct {
	// Name is the path of the field in the input, such as "to" or "scopes[1]".
	Name string
	// Code is what is wrong with it.
	Code Code
	// Args fill the code's detail. A Text among them is said in the language of the detail.
	Args []any
	// More is what else there is to say, behind the code's detail; the zero Text for nothing.
	More Text
}

// Error is a refusal. It is the only error whose content reaches a caller.
type Error struct {
	// Code is the entry of the catalogue.
	Code Code
	// Args fill the entry's detail. They must hold nothing secret.
	Args []any
	// Fields names the fields of the input that are wrong.
	Fields []Field
	// Denial says more of a refusal for want of a permission; nil for others.
	Denial *Denial
	// RetryAfter is how long to wait before trying again; 0 where waiting does not help.
	RetryAfter time.Duration
	// Cause is what led here. It is logged, never sent.
	Cause error
}

// Denial is what is missing where a permission is.
type Denial struct {
	// Permission is the one that is missing, Subject who lacks it: a key, a user or a developer.
	Permission, Subject string
	// DeniedBy is the grant that denies it, or the role of every user; "" where it was merely never given.
	DeniedBy string
	// GrantedBy says who could give it: roles in the account, or the permissions that a key or user needs to grant it,
	// joined by "+"; none where nobody can.
	GrantedBy []string
}

// New returns the refusal; the arguments fill the detail of the code's entry.
func New(code Code, args ...any) *Error { return &Error{Code: code, Args: args} }

// Wrap returns the refusal with its cause, which is logged and never sent.
func Wrap(cause error, code Code, args ...any) *Error {
	return &Error{Code: code, Args: args, Cause: cause}
}

// TooOften returns the refusal of what others have overtaken too often.
func TooOften(doing string) *Error {
	return Wrap(errors.New(doing+": overtaken too often"), Overtaken)
}

// Invalid returns the refusal of an input by its fields; its code is the first field's.
func Invalid(fields ...Field) *Error {
	return &Error{Code: fields[0].Code, Args: fields[0].Args, Fields: fields}
}

// Error returns the code, the English detail and the cause, for logs.
func (e *Error) Error() string {
	text := string(e.Code) + ": " + e.Detail(English)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Detail returns what is wrong with this request, in the language.
func (e *Error) Detail(language Language) string {
	if len(e.Fields) > 0 {
		return e.Fields[0].Detail(language)
	}
	return detail(e.Code, e.Args, language)
}

// Detail returns what is wrong with the field, in the language.
func (f Field) Detail(language Language) string {
	text := detail(f.Code, f.Args, language)
	switch more := f.More.In(language); {
	case more == "":
	case language == Chinese: // which has no spaces between sentences
		text += more
	default:
		text += " " + more
	}
	return text
}

func detail(code Code, args []any, language Language) string {
	said := slices.Clone(args)
	for i, arg := range said {
		if text, ok := arg.(Text); ok {
			said[i] = text.In(language)
		}
	}
	return fmt.Sprintf(Lookup(code).Detail.In(language), said...)
}

// Of returns the refusal in err's chain. An error without one becomes Internal with err as its cause.
func Of(err error) *Error {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal
	}
	return Wrap(err, Internal)
}

// Is tells whether err's chain holds a refusal with the code.
func Is(err error, code Code) bool {
	refusal, ok := errors.AsType[*Error](err)
	return ok && refusal.Code == code
}

// Lookup returns the catalogue's entry. An unknown code is a defect and reads as Internal.
func Lookup(code Code) Entry {
	if entry, ok := catalogue[code]; ok {
		return entry
	}
	return catalogue[Internal]
}
