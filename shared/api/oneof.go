package api

import "github.com/danielgtaylor/huma/v2"

// OneOf is a text in a query that is one of the choices, for those that no tag can name because they stand in a list elsewhere.
type OneOf[T interface{ Choices() []string }] string

// TransformSchema names the choices in the description, and so has the edge refuse others.
func (OneOf[T]) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	var list T
	for _, each := range list.Choices() {
		schema.Enum = append(schema.Enum, each)
	}
	return schema
}
