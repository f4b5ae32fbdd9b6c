package template

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type key struct{ AttributeName, KeyType string }

func (l *loader) table(id string, tree any) error {
	var p struct {
		TableName               string
		BillingMode             string
		AttributeDefinitions    []struct{ AttributeName, AttributeType string }
		KeySchema               []key
		GlobalSecondaryIndexes  []index
		StreamSpecification     *struct{ StreamViewType string }
		TimeToLiveSpecification struct {
			AttributeName string
			Enabled       bool
		}
		PointInTimeRecoverySpecification,
		SSESpecification,
		DeletionProtectionEnabled,
		Tags,
		TableClass ignored
	}
	if err := decode(tree, &p); err != nil {
		return err
	}
	if p.BillingMode != "PAY_PER_REQUEST" {
		return fmt.Errorf("BillingMode %q: only PAY_PER_REQUEST is supported by the laptop runner", p.BillingMode)
	}
	name := first(p.TableName, physical(typeTable, id))
	create := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest, KeySchema: keySchema(p.KeySchema)}
	for _, a := range p.AttributeDefinitions {
		create.AttributeDefinitions = append(create.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: &a.AttributeName, AttributeType: types.ScalarAttributeType(a.AttributeType)})
	}
	for _, i := range p.GlobalSecondaryIndexes {
		create.GlobalSecondaryIndexes = append(create.GlobalSecondaryIndexes, i.global())
	}
	if p.StreamSpecification != nil {
		enabled := true
		create.StreamSpecification = &types.StreamSpecification{
			StreamEnabled: &enabled, StreamViewType: types.StreamViewType(p.StreamSpecification.StreamViewType)}
	}
	table := &Table{ID: id, Name: name, Create: create}
	if p.TimeToLiveSpecification.Enabled {
		table.TTL = p.TimeToLiveSpecification.AttributeName
	}
	l.tpl.Tables = append(l.tpl.Tables, table)
	return nil
}

type index struct {
	IndexName  string
	KeySchema  []key
	Projection struct {
		ProjectionType   string
		NonKeyAttributes []string
	}
}

func (i index) global() types.GlobalSecondaryIndex {
	return types.GlobalSecondaryIndex{
		IndexName: &i.IndexName,
		KeySchema: keySchema(i.KeySchema),
		Projection: &types.Projection{
			ProjectionType: types.ProjectionType(i.Projection.ProjectionType), NonKeyAttributes: i.Projection.NonKeyAttributes},
	}
}

func keySchema(keys []key) []types.KeySchemaElement {
	schema := make([]types.KeySchemaElement, 0, len(keys))
	for _, k := range keys {
		schema = append(schema, types.KeySchemaElement{AttributeName: &k.AttributeName, KeyType: types.KeyType(k.KeyType)})
	}
	return schema
}
