package template

import (
	"fmt"
	"os"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// intrinsic is a short-form intrinsic function, such as !Ref X, before it is resolved.
type intrinsic struct {
	name  string // with the exclamation mark
	value any
	line  int
}

// readTree parses a YAML file into maps, slices, scalars and intrinsics.
func readTree(path string) (map[string]any, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	if len(file.Docs) != 1 {
		return nil, fmt.Errorf("parse %s: %d YAML documents, want one", path, len(file.Docs))
	}
	value, err := plain(file.Docs[0].Body)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	tree, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("parse %s: not a mapping", path)
	}
	return tree, nil
}

// plain turns a syntax node into a Go value.
func plain(node ast.Node) (any, error) {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return nil, nil
	case *ast.MappingNode:
		return mapping(n.Values)
	case *ast.MappingValueNode:
		return mapping([]*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		return sequence(n.Values)
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.TagNode:
		value, err := plain(n.Value)
		return intrinsic{name: n.Start.Value, value: value, line: n.Start.Position.Line}, err
	case ast.ScalarNode:
		return n.GetValue(), nil
	}
	return nil, fmt.Errorf("line %d: YAML %s is not supported", node.GetToken().Position.Line, node.Type())
}

func mapping(values []*ast.MappingValueNode) (any, error) {
	result := make(map[string]any, len(values))
	for _, pair := range values {
		key := pair.Key.GetToken().Value
		if splitKey(pair) {
			return nil, fmt.Errorf("line %d: quote the key that begins with %s:, its colon is misread in braces", pair.Start.Position.Line, key)
		}
		value, err := plain(pair.Value)
		if err != nil {
			return nil, err
		}
		if _, twice := result[key]; twice {
			return nil, fmt.Errorf("line %d: key %q twice", pair.Key.GetToken().Position.Line, key)
		}
		result[key] = value
	}
	return result, nil
}

func sequence(values []ast.Node) (any, error) {
	result := make([]any, 0, len(values))
	for _, item := range values {
		if text, ok := splitScalar(item); ok {
			result = append(result, text)
			continue
		}
		value, err := plain(item)
		if err != nil {
			return nil, err
		}
		result = append(result, value)
	}
	return result, nil
}

// splitKey finds a plain key with a colon in a flow mapping, such as {ses:FromAddress: x}. YAML takes it; goccy/go-yaml 1.19
// takes it for the key ses, and would silently give it another value.
func splitKey(pair *ast.MappingValueNode) bool {
	value := pair.Value.GetToken().Position
	return pair.Key.GetToken().Type == token.StringType && pair.Start.Position.Line == value.Line && pair.Start.Position.Column+1 == value.Column
}

// splitScalar mends a plain scalar with a colon in a flow sequence, such as [dynamodb:GetItem], which goccy/go-yaml
// 1.19 takes for a mapping although YAML asks for a space after the colon of one.
func splitScalar(node ast.Node) (string, bool) {
	m, ok := node.(*ast.MappingNode)
	if !ok || m.IsFlowStyle || len(m.Values) != 1 {
		return "", false
	}
	pair := m.Values[0]
	value, ok := pair.Value.(*ast.StringNode)
	if !ok || pair.Start.Position.Line != value.Token.Position.Line || pair.Start.Position.Column+1 != value.Token.Position.Column {
		return "", false
	}
	return pair.Key.GetToken().Value + ":" + value.Value, true
}
