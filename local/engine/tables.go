package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/template"
)

// CreateTables creates the tables that are not there yet. A table that exists stays as it is, whatever its keys.
func CreateTables(ctx context.Context, client *dynamodb.Client, tables []*template.Table) error {
	for _, table := range tables {
		if err := createTable(ctx, client, table); err != nil {
			return fmt.Errorf("create table %s: %w", table.Name, err)
		}
	}
	return nil
}

func createTable(ctx context.Context, client *dynamodb.Client, table *template.Table) error {
	_, err := client.CreateTable(ctx, table.Create)
	var exists *types.ResourceInUseException
	if errors.As(err, &exists) {
		return nil
	}
	if err != nil || table.TTL == "" {
		return err
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &table.Name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &table.TTL, Enabled: aws.Bool(true)},
	})
	return err
}
