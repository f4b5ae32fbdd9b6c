package api

import (
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Moment is a time in a query, where one that is absent means something else than the zero time.
type Moment struct {
	// Time is the time, Sent tells whether there is one.
	Time time.Time
	Sent bool
}

// Receiver, OnParamSet and Schema make it what huma reads as a time.
func (m *Moment) Receiver() reflect.Value { return reflect.ValueOf(&m.Time).Elem() }

// OnParamSet is told whether the query has one.
func (m *Moment) OnParamSet(sent bool, _ any) { m.Sent = sent }

// Schema is that of a time.
func (Moment) Schema(registry huma.Registry) *huma.Schema {
	return huma.SchemaFromType(registry, reflect.TypeFor[time.Time]())
}
