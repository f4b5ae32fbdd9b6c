// Package input checks what callers send against the schema that is declared beside each operation, and turns what the
// validating library (huma) finds into faults of the catalogue.
package input

import (
	"cmp"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/tokenim/tokenim/shared/fault"
)

// separator stands between the code and the argument in the library's messages, once init has replaced them.
const separator = "\x1f"

// dateTime is how a time is written.
const dateTime = "RFC 3339 date-time"

// choices stands before the values that are allowed, in the argument of FieldInvalid.
const choices = "\x1e"

// init makes the library say codes of the catalogue instead of English sentences, and takes names by their exact case.
// The library keeps its messages in variables for this purpose.
func init() {
	huma.ValidateStrictCasing = true
	say := func(code fault.Code, argument string) string { return string(code) + separator + argument }
	validation.MsgUnexpectedProperty = say(fault.FieldUnknown, "")
	validation.MsgExpectedRequiredProperty = say(fault.FieldMissing, "%s")
	for message, expected := range map[*string]string{
		&validation.MsgExpectedString:          "string",
		&validation.MsgExpectedInteger:         "integer",
		&validation.MsgExpectedNumber:          "number",
		&validation.MsgExpectedBoolean:         "boolean",
		&validation.MsgExpectedArray:           "array",
		&validation.MsgExpectedObject:          "object",
		&validation.MsgExpectedRFC3339DateTime: dateTime,
	} {
		*message = say(fault.FieldType, expected)
	}
	validation.MsgExpectedOneOf = say(fault.FieldInvalid, choices+"%s")
	validation.MsgExpectedMinLength = say(fault.FieldTooShort, "%d")
	validation.MsgExpectedMaxLength = say(fault.FieldTooLong, "%d")
	validation.MsgExpectedMinItems = say(fault.FieldTooShort, "%d")
	validation.MsgExpectedMaxItems = say(fault.FieldTooLong, "%d")
	validation.MsgExpectedMinimumNumber = say(fault.FieldRange, ">= %.0f")
	validation.MsgExpectedMaximumNumber = say(fault.FieldRange, "<= %.0f")
	validation.MsgExpectedMatchPattern = say(fault.FieldInvalid, "%s")
	validation.MsgExpectedBePattern = say(fault.FieldInvalid, "%s")
	validation.MsgExpectedArrayItemsUnique = say(fault.FieldInvalid, "")
}

// Fault turns the library's findings into one refusal that names every field. The values themselves, which may be
// secret, are left behind.
func Fault(found []error) *fault.Error {
	var fields []fault.Field
	for _, err := range found {
		if detail, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			fields = append(fields, field(detail))
		}
	}
	if len(fields) == 0 {
		return fault.Wrap(errors.Join(found...), fault.Internal)
	}
	slices.SortFunc(fields, func(a, b fault.Field) int { return cmp.Compare(a.Name, b.Name) })
	return fault.Invalid(fields...)
}

// field reads one finding.
func field(detail *huma.ErrorDetail) fault.Field {
	_, name, _ := strings.Cut(detail.Location, ".")
	code, argument, ours := strings.Cut(detail.Message, separator)
	argument, decoded, late := strings.Cut(argument, separator)
	if late {
		name = decoded
	}
	switch {
	case !ours:
		return parameter(name, detail.Message)
	case fault.Code(code) == fault.FieldMissing:
		name = join(name, argument)
		return fault.Field{Name: name, Code: fault.FieldMissing, Args: []any{name}}
	case strings.HasPrefix(argument, choices):
		return fault.Wrong(name, fault.OneOf(strings.TrimPrefix(argument, choices)))
	case fault.Code(code) == fault.FieldInvalid && argument != "":
		return fault.Wrong(name, fault.Matching(argument))
	case fault.Code(code) == fault.FieldInvalid:
		return fault.Wrong(name, repeated)
	case fault.Code(code) == fault.FieldUnknown:
		return fault.Field{Name: name, Code: fault.FieldUnknown, Args: []any{name}}
	}
	return fault.Field{Name: name, Code: fault.Code(code), Args: []any{name, argument}}
}

// described says where it stands what a value has to be.
var described = fault.Text{EN: "What it has to be is in the API's description.", ZH: "要求见 API 说明。"}

// repeated says that items of a list are the same.
var repeated = fault.Text{EN: "No two of its items may be the same.", ZH: "各项不得重复。"}

// parameter reads the few sentences about paths and queries that the library does not keep in variables.
func parameter(name, message string) fault.Field {
	switch {
	case strings.HasPrefix(message, "unknown query"):
		return fault.Field{Name: name, Code: fault.FieldUnknown, Args: []any{name}}
	case strings.HasPrefix(message, "required"):
		return fault.Field{Name: name, Code: fault.FieldMissing, Args: []any{name}}
	case strings.HasPrefix(message, "invalid date/time"): // it goes on with the layout of package time
		return fault.Field{Name: name, Code: fault.FieldType, Args: []any{name, dateTime}}
	case strings.HasPrefix(message, "invalid "):
		return fault.Field{Name: name, Code: fault.FieldType, Args: []any{name, strings.TrimPrefix(message, "invalid ")}}
	}
	return fault.Wrong(name, described)
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// Unmarshal is json.Unmarshal with errors that Fault can read. What the schema let through and Go's types do not, such as
// 1e2 for an integer, is found only here.
func Unmarshal(text []byte, value any) error {
	err := json.Unmarshal(text, value)
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	field := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
	// No location: huma keeps the text of the error only.
	return &huma.ErrorDetail{Message: strings.Join([]string{string(fault.FieldType), expected(wrong.Type), field}, separator)}
}

// expected names a Go type as the schema does.
func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Struct, reflect.Map:
		return "object"
	}
	return t.Kind().String()
}

// Decoder checks and decodes JSON objects of one type.
type Decoder[T any] struct {
	declared func() (huma.Registry, *huma.Schema)
}

// NewDecoder returns a decoder; the type's tags are the schema, as in huma. They are read when something is decoded first: a
// function has many decoders, and an event needs one.
func NewDecoder[T any]() Decoder[T] {
	return Decoder[T]{declared: sync.OnceValues(func() (huma.Registry, *huma.Schema) {
		registry := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
		return registry, huma.SchemaFromType(registry, reflect.TypeFor[T]())
	})}
}

// Decode returns the value of a text that strictjson has passed.
func (d Decoder[T]) Decode(text []byte) (T, error) {
	var value T
	var generic any
	if err := json.Unmarshal(text, &generic); err != nil {
		return value, fault.New(fault.BodyNotJSON, 0)
	}
	registry, schema := d.declared()
	var result huma.ValidateResult
	huma.Validate(registry, schema, huma.NewPathBuffer([]byte("body"), 4), huma.ModeWriteToServer, generic, &result)
	if len(result.Errors) > 0 {
		return value, Fault(result.Errors)
	}
	if err := Unmarshal(text, &value); err != nil {
		return value, Fault([]error{err})
	}
	return value, nil
}
