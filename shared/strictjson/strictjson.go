// Package strictjson refuses what encoding/json lets through or reports without a name: duplicate names, lone surrogates,
// NUL, bytes that are not UTF-8, numbers that no float64 holds, and anything behind the first value. Names that differ in case only are left to the schema's validation.
package strictjson

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tokenim/tokenim/shared/fault"
)

// Object reads the whole text, which has to be one JSON object, and returns its top-level members that are strings.
// What was read before a fault is returned with it, so that a credential in a broken body can still be judged first.
//
// The faults: BodyMissing, BodyNotJSON, BodyNotObject, FieldDuplicate, FieldRange, TextInvalid.
func Object(text []byte) (members map[string]string, err error) {
	members = map[string]string{}
	if len(bytes.TrimSpace(text)) == 0 {
		return members, fault.New(fault.BodyMissing)
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(text))
	kind := decoder.PeekKind()
	for name := ""; ; {
		token, err := decoder.ReadToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return members, explain(text, err)
		}
		if token.Kind() != '"' {
			if tooLarge(token) {
				return members, fault.Invalid(fault.Field{Name: name, Code: fault.FieldRange, Args: []any{name, "1.8e308"}})
			}
			continue
		}
		value := token.String()
		if strings.ContainsRune(value, 0) {
			return members, fault.New(fault.TextInvalid, decoder.InputOffset())
		}
		switch kind, count := decoder.StackIndex(decoder.StackDepth()); {
		case decoder.StackDepth() == 1 && kind == '{' && count%2 == 1:
			name = value
		case decoder.StackDepth() == 1 && kind == '{':
			members[name] = value
		}
	}
	if kind != '{' || decoder.StackDepth() != 0 {
		return members, fault.New(fault.BodyNotObject)
	}
	return members, singleValue(text)
}

// tooLarge tells a number that no float64 holds.
func tooLarge(token jsontext.Token) bool {
	if token.Kind() != '0' {
		return false
	}
	_, err := token.Float()
	return err != nil
}

// singleValue refuses a second value behind the first.
func singleValue(text []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(text))
	if err := decoder.SkipValue(); err != nil {
		return explain(text, err)
	}
	if rest := bytes.TrimSpace(text[decoder.InputOffset():]); len(rest) > 0 {
		return fault.New(fault.BodyNotJSON, decoder.InputOffset())
	}
	return nil
}

// explain turns the decoder's error into a fault, without the text that caused it.
func explain(text []byte, err error) error {
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		return fault.New(fault.BodyNotJSON, int64(len(text)))
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fault.Invalid(fault.Field{Name: syntax.JSONPointer.LastToken(), Code: fault.FieldDuplicate,
			Args: []any{syntax.JSONPointer.LastToken()}})
	case !utf8.Valid(text) || strings.Contains(syntax.Err.Error(), "surrogate"):
		return fault.New(fault.TextInvalid, syntax.ByteOffset)
	}
	return fault.New(fault.BodyNotJSON, syntax.ByteOffset)
}
